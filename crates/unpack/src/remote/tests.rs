//! Ranged reads.
