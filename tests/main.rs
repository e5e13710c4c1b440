//! The promises, kept end to end against the built command.
