//! The sources of an sdist as files in a directory of their own.
