//! Tests of requirements files.
