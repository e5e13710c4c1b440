//! A brute-force oracle.
