//! `[tool.pinfold]`: what pinfold needs to know and the standard has no place for.
//!
//! It may veto, never select: an installer that ignores it installs the same files. Unknown keys are errors, so that a
//! newer pinfold's promise is never silently dropped by an older one; `schema` says which keys there are.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use jiff::Timestamp;
use pinfold_artifact::{ArchivePath, ArtifactFilename, FileHost, Origin, SafeUrl, Sha256};
use pinfold_packaging::{PackageName, Prerelease, PythonMinor, Strategy, System, Target, Version};

use crate::{Asked, LockedFile};

/// Everything under `[tool.pinfold]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Tool {
    /// The version of this table's own format: [`Tool::SCHEMA`].
    pub schema: u32,
    /// Digest of everything that the maintainer asked for.
    pub inputs: Sha256,
    /// Files uploaded later did not exist for this lock.
    pub exclude_newer: Option<Timestamp>,
    /// The span that this moment was made of, as the maintainer wrote it; none where a moment was written.
    pub exclude_newer_span: Option<String>,
    /// Which pre-releases were candidates.
    pub prerelease: Prerelease,
    /// Which of several candidates was preferred.
    pub resolution: Strategy,
    /// The systems that the lock is for.
    pub targets: Vec<System>,
    /// The Python minor versions that the lock is for.
    pub python: Vec<PythonMinor>,
    /// The indexes, and who may serve their files.
    pub indexes: Vec<LockedIndex>,
    /// How each locked sdist becomes a wheel.
    pub builds: Vec<BuildRecipe>,
    /// Findings that the maintainer looked at.
    pub accepts: Vec<Accepted>,
    /// What was asked for, and by whom. Nothing is selected by it.
    pub asked: Asked,
    /// Files of which the index tells no SHA-256: pinfold read them whole and computed it.
    pub computed: BTreeSet<ArtifactFilename>,
    /// When pinfold first locked a file of an index that tells no upload times, where the manifest lets that stand for one.
    pub first_seen: BTreeMap<ArtifactFilename, Timestamp>,
    /// Digests of the source trees.
    pub trees: Vec<LockedTree>,
    /// Digest of the METADATA that the lock believed, per locked file.
    pub metadata: BTreeMap<ArtifactFilename, Sha256>,
}

impl Tool {
    /// The schema that this pinfold writes and reads.
    pub const SCHEMA: u32 = 1;

    /// Returns the index with this URL.
    pub fn index(&self, url: &SafeUrl) -> Option<&LockedIndex> {
        // As a rule both are written alike, and nothing has to be taken apart.
        let alike = self.indexes.iter().find(|index| index.url == *url);
        alike.or_else(|| {
            let url = url.as_directory();
            self.indexes.iter().find(|index| index.url.as_directory() == url)
        })
    }

    /// Returns every target that the lock is for, undivided.
    pub fn all_targets(&self) -> impl Iterator<Item = Target> {
        self.targets.iter().flat_map(|system| self.python.iter().map(|python| Target::new(*system, *python)))
    }
}

/// An index that packages of the lock belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedIndex {
    /// The maintainer's name for it.
    pub name: String,
    /// Its URL.
    pub url: SafeUrl,
    /// Hosts that may serve its files beside its own.
    pub file_hosts: BTreeSet<FileHost>,
    /// Whether the maintainer allowed plain `http` to a host that is not this machine.
    pub insecure: bool,
}

impl LockedIndex {
    /// Returns the origin of the index's files.
    pub fn origin(&self) -> Origin {
        Origin::new(&self.url, self.file_hosts.iter().cloned())
    }
}

/// How an sdist becomes a wheel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildRecipe {
    /// The project's name.
    pub name: PackageName,
    /// The version.
    pub version: Version,
    /// The sdist's digest.
    pub sdist: Sha256,
    /// The targets that the recipe is for, as [`pinfold_packaging::Target`] prints them undivided; empty: every target.
    pub targets: Vec<String>,
    /// The PEP 517 build backend, `module:object`.
    pub backend: String,
    /// `backend-path`: directories inside the sdist that hold the backend.
    pub backend_path: Vec<String>,
    /// Digest of the METADATA that the build must produce.
    pub metadata: Sha256,
    /// Everything that is installed to run the build.
    pub requires: Vec<BuildTool>,
}

/// A source tree with the digest that the standard has no place for: of the archive that pinfold makes of it, which depends
/// on nothing but the names, contents and execute bits of its files.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LockedTree {
    /// The project's name.
    pub name: PackageName,
    /// The version that its build gave.
    pub version: Version,
    /// The commit, or the path of the directory, as the entry has it.
    pub identity: TreeIdentity,
    /// The archive's digest.
    pub sha256: Sha256,
    /// The archive's size.
    pub size_bytes: u64,
}

/// Which source tree a digest is of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum TreeIdentity {
    /// This commit.
    Commit(String),
    /// This directory.
    Path(String),
}

/// A package that a build needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildTool {
    /// The project's name.
    pub name: PackageName,
    /// The version.
    pub version: Version,
    /// The index that it belongs to.
    pub index: SafeUrl,
    /// Its wheel.
    pub file: LockedFile,
}

/// A finding that the maintainer looked at and accepts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Accepted {
    /// The finding's code.
    pub code: String,
    /// The package that it is about.
    pub package: PackageName,
    /// The file inside the package, if it is about one.
    pub path: Option<ArchivePath>,
    /// Exactly the bytes that were accepted.
    pub sha256: Sha256,
    /// Why.
    pub reason: String,
}
