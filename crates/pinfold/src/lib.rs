//! Reproducible lockfile resolver and installer for Python applications, built against supply-chain attacks.
