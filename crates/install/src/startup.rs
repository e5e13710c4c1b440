//! Files that take effect whenever the interpreter starts, and the maintainer's acceptance of them.

use pinfold_artifact::{ArchivePath, Sha256};
use pinfold_store::TreeManifest;

/// A file of a wheel that takes effect whenever the interpreter starts, or that hides what it does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct StartupFile {
    /// `executable-pth`, `startup-hook` or `bytecode-only`.
    pub code: String,
    /// Its path in the wheel.
    pub path: ArchivePath,
    /// Its digest: exactly these bytes are accepted, or none.
    pub sha256: Sha256,
}

/// Returns the files of an unpacked wheel that need an `[[accept]]` entry.
pub fn startup_files(manifest: &TreeManifest) -> Vec<StartupFile> {
    let _ = manifest;
    todo!()
}
