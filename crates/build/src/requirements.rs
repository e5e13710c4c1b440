//! What an sdist says about its own build, read without running anything.

use pinfold_packaging::Requirement;
use pinfold_store::Stored;

use crate::BuildError;

/// The `[build-system]` of an sdist.
#[derive(Debug, Clone, PartialEq)]
pub struct BuildSystem {
    /// What must be installed before the backend can be asked anything.
    pub requires: Vec<Requirement>,
    /// The backend, `module` or `module:object`.
    pub backend: String,
    /// Directories inside the sdist that hold the backend.
    pub backend_path: Vec<String>,
}

/// Reads the `[build-system]` of an sdist; without one, the legacy setuptools backend that PEP 517 names.
///
/// # Errors
/// If the sdist is hostile, or its `pyproject.toml` says something that PEP 518 does not allow.
pub fn requirements(sdist: &Stored) -> Result<BuildSystem, BuildError> {
    let _ = sdist;
    todo!()
}
