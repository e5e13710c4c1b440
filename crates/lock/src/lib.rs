//! pylock.toml (PEP 751): read, write byte for byte, merge resolutions into one, select from it for a host.
//!
//! The lock is the only thing that `sync` believes, so reading it is strict and everything that could differ between two
//! users is settled when it is written: order, quoting, one file per target. Nothing here touches a disk or a network;
//! the text comes in as a string and goes out as one.
#![forbid(unsafe_code)]

mod applies;
mod asked;
mod diff;
mod document;
mod error;
mod export;
#[cfg(test)]
mod fixture;
mod marker;
mod merge;
mod read;
mod select;
mod shown;
mod tool;
mod tree;
mod unified;
mod validate;
mod why;
mod write;

pub use applies::Applies;
pub use asked::{Asked, Asker, Demanded};
pub use diff::{Change, ChangeKind, LockDiff, OtherLine, PackageDiff, Weight, diff, first_other_line};
pub use document::{
    ArtifactKind, DependencyReference, Direct, DirectorySource, Lock, LockedArchive, LockedFile, Package, TreeSource,
    VcsSource,
};
pub use error::{LockError, LockWarning};
pub use export::{ExportError, requirements};
pub use marker::{LockMarker, LockMarkerError};
pub use merge::{LockSettings, MergeError, Reach, Resolution, Resolved, merge};
pub use select::{Host, SelectError, Selected, Selection, Wanted, select};
pub use tool::{Accepted, BuildRecipe, BuildTool, LockedIndex, LockedTree, Tool, TreeIdentity};
pub use tree::{Tree, TreeNode};
pub use unified::unified_diff;
pub use validate::ValidateError;
pub use why::{Demand, Link, Why, WhyEntry};
