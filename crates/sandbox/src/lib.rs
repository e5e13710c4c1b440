//! A child process with no more rights than it was given.
