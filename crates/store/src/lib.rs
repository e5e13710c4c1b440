//! The disk store: bytes enter only if size and sha256 match.
//!
//! Two kinds of entries, both found by the SHA-256 of the artifact: the artifact itself (`Stored`), and the tree that it
//! was unpacked to (`StoredTree`). An entry appears by one rename and is therefore whole or absent, whatever other
//! processes do. The store downloads nothing and parses no archive.

mod admission;
mod artifacts;
mod error;
mod manifest;
mod root;
mod tree;

pub use admission::Admission;
pub use artifacts::Stored;
pub use error::StoreError;
pub use manifest::{Stamp, TreeFile, TreeManifest};
pub use root::Store;
pub use tree::{StoredTree, TreeChange, TreeDifference};
