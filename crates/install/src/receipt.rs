//! What an install wrote: the receipt, in two files.
//!
//! `receipt.json` is small: who, what, from where, for which lock. A sync with nothing to do reads only this. `files.json`
//! lists every path with size and SHA-256; its digest is in the receipt, and `verify` reads it. Both are sorted, so the
//! same install writes the same bytes.

use std::collections::BTreeSet;
use std::path::Path;

use pinfold_artifact::{ArchivePath, ArtifactFilename, SafeUrl, Sha256};
use pinfold_packaging::{ExtraName, GroupName, PackageName, Version};
use serde::{Deserialize, Serialize};

use crate::{InstallError, Interpreter, LinkMode};

/// The header of a receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// The version of this format: [`Receipt::SCHEMA`].
    pub schema: u32,
    /// The generation's number; a later one is larger.
    pub generation: u64,
    /// When it was made, as the caller said (RFC 3339).
    pub installed_at: String,
    /// Where the environment is, absolute.
    pub venv: String,
    /// Digest of the lock's bytes.
    pub lock_sha256: Sha256,
    /// The extras that were asked for.
    pub extras: BTreeSet<ExtraName>,
    /// The dependency groups that were asked for.
    pub groups: BTreeSet<GroupName>,
    /// How files came from the store.
    pub link_mode: LinkMode,
    /// The interpreter that it was made for.
    pub interpreter: Interpreter,
    /// Number of files and links.
    pub file_count: u64,
    /// Their bytes.
    pub total_bytes: u64,
    /// Digest of `files.json`.
    pub files_sha256: Sha256,
    /// What is installed, sorted by name.
    pub distributions: Vec<InstalledDistribution>,
}

/// One installed distribution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstalledDistribution {
    /// The project's name.
    pub name: PackageName,
    /// The version.
    pub version: Version,
    /// The locked file.
    pub filename: ArtifactFilename,
    /// Where it came from.
    pub url: SafeUrl,
    /// The index that it belongs to; for a direct URL, that URL.
    pub index: SafeUrl,
    /// Whether it was asked for by URL.
    pub direct_url: bool,
    /// The locked size.
    pub size_bytes: u64,
    /// The locked digest.
    pub sha256: Sha256,
    /// The digest of the wheel that was unpacked; another than `sha256` if it was built from an sdist.
    pub wheel_sha256: Sha256,
}

/// `files.json`: everything in the environment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptFiles {
    /// The files, sorted by path.
    pub files: Vec<InstalledFile>,
    /// The links, sorted by path.
    pub links: Vec<InstalledLink>,
}

/// One installed file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstalledFile {
    /// Its path inside the environment.
    pub path: ArchivePath,
    /// Its size.
    pub size: u64,
    /// Its digest.
    pub sha256: Sha256,
    /// Whether it may be executed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub executable: bool,
    /// Its owners, by position in the receipt's distributions; none: the environment itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<u32>,
}

/// One symbolic link that the environment itself has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstalledLink {
    /// Its path inside the environment.
    pub path: ArchivePath,
    /// What it points at.
    pub target: String,
}

impl Receipt {
    /// The schema that this pinfold writes and reads.
    pub const SCHEMA: u32 = 1;

    /// Reads the header of the receipt of the environment in a directory; none if there is none.
    ///
    /// # Errors
    /// [`InstallError::Receipt`] if it cannot be understood.
    pub fn read(venv: &Path) -> Result<Option<Self>, InstallError> {
        let _ = venv;
        todo!()
    }
}
