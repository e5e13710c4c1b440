//! What a lock says, as values: the standard part of pylock.toml.
//!
//! The fields are public because none of them depends on another here; what must hold between them (a file belongs to its
//! package, its URL to its index) is checked by [`Lock::validate`] and [`crate::select`]. Keys that pinfold has no use for
//! (`attestation-identities`, other tools' tables) are accepted when reading and not kept.

use std::collections::BTreeSet;

use jiff::Timestamp;
use pinfold_artifact::{ArchivePath, ArtifactFilename, CommitId, GitRevision, GitUrl, LocalPath, SafeUrl, Sha256};
use pinfold_packaging::{ExtraName, GroupName, PackageName, Specifiers, Version};

use crate::{LockError, LockMarker, LockWarning, Tool};

/// A lock file.
#[derive(Debug, Clone, PartialEq)]
pub struct Lock {
    /// The Python versions that the lock is for.
    pub requires_python: Option<Specifiers>,
    /// The environments that the lock is for: at least one must be true. Empty: any.
    pub environments: Vec<LockMarker>,
    /// The extras that may be asked for.
    pub extras: BTreeSet<ExtraName>,
    /// The dependency groups that may be asked for.
    pub dependency_groups: BTreeSet<GroupName>,
    /// The dependency groups that are installed when none is asked for.
    pub default_groups: BTreeSet<GroupName>,
    /// The tool that wrote the lock.
    pub created_by: String,
    /// Everything that may be installed.
    pub packages: Vec<Package>,
    /// `[tool.pinfold]`: what the standard has no place for.
    pub tool: Option<Tool>,
}

impl Lock {
    /// Reads a lock.
    ///
    /// # Errors
    /// [`LockError`] if the text is no lock that pinfold can keep its promises with.
    pub fn parse(text: &str) -> Result<Self, LockError> {
        Self::read(text).map(|(lock, _)| lock)
    }

    /// Reads a lock and says what was odd about it without being wrong.
    ///
    /// # Errors
    /// As [`Lock::parse`].
    pub fn read(text: &str) -> Result<(Self, Vec<LockWarning>), LockError> {
        crate::read::read(text, None)
    }

    /// Reads a lock that lies in this directory, so that paths in it mean something.
    ///
    /// # Errors
    /// As [`Lock::parse`].
    pub fn read_in(text: &str, directory: &LocalPath) -> Result<(Self, Vec<LockWarning>), LockError> {
        crate::read::read(text, Some(directory))
    }

    /// Returns the lock's text: the same value gives the same bytes, on every machine.
    pub fn to_text(&self) -> String {
        crate::write::write(self)
    }
}

/// One entry of `packages`: a version of a project, with the files that may be installed for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Package {
    /// The project's name.
    pub name: PackageName,
    /// The version; absent only where a source tree decides it.
    pub version: Option<Version>,
    /// When the entry applies; absent: always.
    pub marker: Option<LockMarker>,
    /// The Python versions that the package says it is for.
    pub requires_python: Option<Specifiers>,
    /// The index that the package belongs to; absent for a direct URL.
    pub index: Option<SafeUrl>,
    /// The entries that this one needs. Informational: nothing is installed because of it.
    pub dependencies: Vec<DependencyReference>,
    /// The wheels, one per target or group of targets.
    pub wheels: Vec<LockedFile>,
    /// The source distribution, used where no wheel fits.
    pub sdist: Option<LockedFile>,
    /// A wheel or sdist that was asked for by its URL.
    pub archive: Option<LockedArchive>,
    /// A source tree, which is used only if `[tool.pinfold]` has its digest.
    pub tree: Option<TreeSource>,
}

impl Package {
    /// Returns every file of the entry: wheels, then sdist, then archive.
    pub fn files(&self) -> impl Iterator<Item = &LockedFile> {
        self.wheels.iter().chain(&self.sdist).chain(self.archive.iter().map(|archive| &archive.file))
    }
}

/// The least that tells which entry a dependency is: keys are present only where the name alone is ambiguous.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DependencyReference {
    /// The project's name.
    pub name: PackageName,
    /// The entry's version.
    pub version: Option<Version>,
    /// The entry's index.
    pub index: Option<SafeUrl>,
    /// The entry's marker.
    pub marker: Option<LockMarker>,
}

impl DependencyReference {
    /// Returns true if every key that is given agrees with the entry.
    pub fn may_mean(&self, entry: &Package) -> bool {
        self.name == entry.name
            && (self.version.is_none() || self.version == entry.version)
            && (self.index.is_none() || self.index == entry.index)
            && (self.marker.is_none() || self.marker == entry.marker)
    }
}

/// A file, pinned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedFile {
    /// Its name.
    pub filename: ArtifactFilename,
    /// Where it is fetched from.
    pub url: SafeUrl,
    /// Its exact size.
    pub size_bytes: u64,
    /// Its digest.
    pub sha256: Sha256,
    /// When it was uploaded, if the index said so.
    pub upload_time: Option<Timestamp>,
}

/// `packages.archive`: a file that was asked for by its URL or path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedArchive {
    /// The file. Of one that is named by its path, the URL is where that is on this machine.
    pub file: LockedFile,
    /// The path, relative to the lock, if the file is named by it.
    pub path: Option<LocalPath>,
    /// Where in it the project is.
    pub subdirectory: Option<ArchivePath>,
}

/// How a package was asked for that belongs to no index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Direct {
    /// As a file, by its URL or path.
    Archive {
        /// The path, relative to the lock, if it is named by it.
        path: Option<LocalPath>,
        /// Where in it the project is.
        subdirectory: Option<ArchivePath>,
    },
    /// As a directory.
    Directory {
        /// The path, relative to the lock.
        path: LocalPath,
        /// Where in it the project is.
        subdirectory: Option<ArchivePath>,
    },
    /// As a commit of a git repository.
    Git {
        /// The repository.
        url: GitUrl,
        /// The branch or tag that was asked for.
        requested_revision: Option<GitRevision>,
        /// The commit.
        commit: CommitId,
        /// Where in it the project is.
        subdirectory: Option<ArchivePath>,
    },
}

impl Direct {
    /// Returns where in the sources the project is.
    pub const fn subdirectory(&self) -> Option<&ArchivePath> {
        match self {
            Self::Archive { subdirectory, .. }
            | Self::Directory { subdirectory, .. }
            | Self::Git { subdirectory, .. } => subdirectory.as_ref(),
        }
    }
}

/// What kind of file an artifact is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ArtifactKind {
    /// A source distribution: it must be built.
    Sdist,
    /// A wheel: it is unpacked.
    Wheel,
}

/// A source tree. The standard has no place for its digest; `[tool.pinfold]` has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TreeSource {
    /// A directory on the machine that locked.
    Directory(DirectorySource),
    /// A checkout.
    Vcs(VcsSource),
}

/// `packages.directory`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectorySource {
    /// The directory, relative to the lock.
    pub path: String,
    /// Where it is on this machine; not written.
    pub url: Option<SafeUrl>,
    /// Whether it was installed editable.
    pub editable: Option<bool>,
    /// Where in it the project is.
    pub subdirectory: Option<String>,
}

impl VcsSource {
    /// The one version control system that pinfold fetches from.
    pub const GIT: &str = "git";
}

/// `packages.vcs`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VcsSource {
    /// The version control system: `git`, `hg`, …
    pub kind: String,
    /// The repository.
    pub url: Option<String>,
    /// The repository, on the machine that locked.
    pub path: Option<String>,
    /// The branch or tag that was asked for.
    pub requested_revision: Option<String>,
    /// The commit.
    pub commit_id: String,
    /// Where in it the project is.
    pub subdirectory: Option<String>,
}
