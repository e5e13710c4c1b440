//! From an sdist to metadata and to a wheel, through the hooks of its backend.

use std::path::{Path, PathBuf};

use pinfold_artifact::{ArtifactFilename, Sha256};
use pinfold_packaging::{Metadata, PackageName, Requirement, Version};
use pinfold_store::Stored;

use crate::{BuildError, BuildSystem, Workbench};

/// What must come out of a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// The project's name.
    pub name: PackageName,
    /// The version.
    pub version: Version,
    /// The digest of the METADATA; none while locking, when it is found out.
    pub metadata: Option<Sha256>,
}

/// A wheel that was built, read strictly, and is what was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    filename: ArtifactFilename,
    path: PathBuf,
    sha256: Sha256,
    size_bytes: u64,
    metadata_sha256: Sha256,
}

/// The metadata that a build gives.
#[derive(Debug, Clone)]
pub struct BuiltMetadata {
    /// The METADATA file.
    pub bytes: Vec<u8>,
    /// The digest of these bytes.
    pub sha256: Sha256,
    /// What it says.
    pub metadata: Metadata,
}

impl Built {
    /// Returns the wheel's file name.
    pub const fn filename(&self) -> &ArtifactFilename {
        &self.filename
    }

    /// Returns where the wheel is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the wheel's digest.
    pub const fn sha256(&self) -> &Sha256 {
        &self.sha256
    }

    /// Returns the wheel's size.
    pub const fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Returns the digest of the wheel's METADATA.
    pub const fn metadata_sha256(&self) -> &Sha256 {
        &self.metadata_sha256
    }
}

/// Asks the backend what it needs beyond `[build-system]` to build a wheel (`get_requires_for_build_wheel`).
///
/// # Errors
/// If the backend fails or passes a limit, or answers with something that is no requirement.
pub fn extra_requirements(
    sdist: &Stored,
    system: &BuildSystem,
    bench: &Workbench,
) -> Result<Vec<Requirement>, BuildError> {
    let _ = (sdist, system, bench);
    todo!()
}

/// Asks the backend for the metadata (`prepare_metadata_for_build_wheel`), or builds the wheel and reads it there.
///
/// # Errors
/// If the backend fails or passes a limit, or the metadata is of another project or version.
pub fn metadata_of(
    sdist: &Stored,
    system: &BuildSystem,
    bench: &Workbench,
    expected: &Expected,
) -> Result<BuiltMetadata, BuildError> {
    let _ = (sdist, system, bench, expected);
    todo!()
}

/// Builds the wheel into the existing directory `destination`.
///
/// # Errors
/// If the backend fails or passes a limit, or the wheel is hostile or not the expected one (SD11).
pub fn build_wheel(
    sdist: &Stored,
    system: &BuildSystem,
    bench: &Workbench,
    expected: &Expected,
    destination: &Path,
) -> Result<Built, BuildError> {
    let _ = (sdist, system, bench, expected, destination);
    todo!()
}
