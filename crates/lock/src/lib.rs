//! pylock.toml: read, write byte for byte, select for a target.
