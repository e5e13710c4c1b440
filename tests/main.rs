//! The promises, kept end to end against the built command: the table of contents.

// A project on a loopback index, on which most promises are tried.
mod project;

// The past is kept.
mod rollback;
// The environment is exactly the lock.
mod sync;
// Every installed byte is held against the lock.
mod verify;

// The rules of this repository.
mod tidy;
