//! The disk store: bytes enter only if size and sha256 match.
