//! The promises, kept end to end against the built command: the table of contents.

// The rules of this repository.
mod tidy;
