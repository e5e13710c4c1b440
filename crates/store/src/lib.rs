//! The disk store: bytes enter only if size and sha256 match.
//!
//! Two kinds of entries, both found by the SHA-256 of the artifact: the artifact itself ([`Stored`]), and the tree that it
//! was unpacked to ([`StoredTree`]). An entry appears by one rename and is therefore whole or absent, whatever other
//! processes do. The store downloads nothing and parses no archive; nothing is synced to the disk, because every entry
//! notices when it is not what was stored, and is read once after the machine was started anew.
//!
//! ```text
//! artifacts/3a/3a1f….          the bytes, read-only
//! artifacts/3a/3a1f….from      the indexes that they were admitted from, and how the disk recorded them
//! trees/3a/3a1f…/manifest      the list of an unpacked wheel's files, with its own digest
//! trees/3a/3a1f…/durable       says that the bytes were read under a later start of the machine
//! trees/3a/3a1f…/files/        the files, read-only: they are linked into environments
//! partial/                     interrupted downloads
//! staging/                     trees that are being unpacked
//! quarantine/                  entries that were not what had been stored
//! lock                         held by who uses the store; by one alone who prunes it
//! ```

mod admission;
mod artifacts;
mod boot;
mod cache;
mod check;
mod disk;
mod error;
mod manifest;
mod prune;
mod root;
mod stock;
mod tree;

#[cfg(test)]
mod tests;

pub use admission::Admission;
pub use artifacts::Stored;
pub use boot::Boot;
pub use cache::{check_part, make_part};
pub use check::{Believed, Damage, Readiness};
pub use error::StoreError;
pub use manifest::{Stamp, TreeFile, TreeManifest};
pub use prune::{EntryRoom, Part, remove_tree};
pub use root::{Store, Wait};
pub use stock::Room;
pub use tree::{StoredTree, TreeChange, TreeDifference};
