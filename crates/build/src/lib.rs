//! An sdist becomes a wheel (PEP 517, PEP 518), only from bytes that are `Stored` and only with an interpreter whose
//! environment pinfold made from locked build requirements.
//!
//! The order is: [`requirements`] reads `pyproject.toml`, and [`claims`] what the sdist says of itself, without running
//! anything; the caller makes an environment of them; [`learn`] asks the backend what more it needs, and if that is nothing,
//! for the metadata; [`metadata_of`] or [`build_wheel`] run it in the environment that has what it needs. Each hook gets a fresh copy of the sources, an emptied environment, an empty home, and limits. What comes out is read as
//! strictly as a wheel from an index. Nothing here downloads, and nothing here decides whether a build is allowed.

mod backend;
mod error;
mod requirements;
mod source;
mod tree;
mod wheel;

pub use backend::Workbench;
pub use error::BuildError;
pub use requirements::{BuildSystem, Claims, claims, requirements};
pub use tree::{PackedTree, TreeEntry, TreeError, is_left_out, pack, pack_directory};
pub use wheel::{Built, BuiltMetadata, Expected, Learned, build_wheel, learn, metadata_of};
