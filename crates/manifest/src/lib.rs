//! What the maintainer asked for: pinfold.toml, pyproject, requirements files, index routes.
//!
//! Text comes in as arguments and included files through a callback; what comes out is a [`Manifest`] in which every field
//! is parsed, or a [`ManifestError`] that points at the character that is wrong. Nothing here reads a file, the environment
//! or a clock: a relative cutoff such as `7 days` stays relative until the shell says what time it is.
#![forbid(unsafe_code)]

mod coding;
mod cutoff;
mod decode;
mod document;
mod error;
mod groups;
mod index;
mod logical_lines;
mod manifest;
mod options;
mod place;
mod pyproject;
mod read;
mod reference;
mod requirements;
mod routes;

pub use coding::decode_requirements;
pub use cutoff::{Cutoff, CutoffError};
pub use decode::decode;
pub use document::{place_of, place_of_reference};
pub use error::{ManifestError, ManifestErrorKind};
pub use index::{IndexEntry, IndexLocation, IndexUrlError, UploadTime};
pub use manifest::{Accept, Manifest, Sourced};
pub use place::{Place, render};
pub use reference::{Reference, ReferenceSource, Requested};
pub use requirements::{HashDemand, RequirementsFile, read_constraints, read_requirements};
pub use routes::{RouteError, Routes};
