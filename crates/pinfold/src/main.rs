//! pinfold: the command.
fn main() {}
