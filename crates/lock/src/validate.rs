//! May this lock be used at all: every check that needs no host and no network.
//!
//! A lock is text that someone may have edited after the maintainer wrote it. What an edit cannot fake is kept elsewhere (a
//! hash decides about bytes); what it can is checked here for contradictions: each file's URL against its package's index,
//! each index against the list of indexes, each scheme against what an attacker on the way could change.

#[cfg(test)]
mod tests;

use pinfold_artifact::{Artifact, ArtifactFilename, Origin, OriginError, SafeUrl};
use pinfold_packaging::PackageName;

use crate::{BuildTool, Lock, LockedFile, LockedIndex, Package, TreeSource};

/// Why a lock that can be read must not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValidateError {
    /// A file is served by a host that its index does not allow.
    #[error("`{filename}` of `{package}` is not of its origin")]
    ForeignHost {
        /// The file.
        filename: ArtifactFilename,
        /// The entry.
        package: PackageName,
        /// What is wrong.
        #[source]
        source: OriginError,
    },
    /// A file is fetched over plain `http` from another machine.
    #[error(
        "`{filename}` of `{package}` is fetched from {url}, which anyone on the way can change; only https is allowed"
    )]
    InsecureUrl {
        /// The file.
        filename: ArtifactFilename,
        /// The entry.
        package: PackageName,
        /// The URL.
        url: SafeUrl,
    },
    /// A file is on some machine's disk, and its index is not.
    #[error("`{filename}` of `{package}` is the local file {url}")]
    LocalFile {
        /// The file.
        filename: ArtifactFilename,
        /// The entry.
        package: PackageName,
        /// The URL.
        url: SafeUrl,
    },
    /// A package with wheels or an sdist says nowhere which index they are of.
    #[error("`{package}` belongs to no index, and is not locked by its URL either")]
    NoIndex {
        /// The entry.
        package: PackageName,
    },
    /// A package belongs to an index that the lock does not list.
    #[error("`{package}` belongs to {index}, which is none of the lock's indexes: {listed}")]
    UnknownIndex {
        /// The entry's index.
        index: SafeUrl,
        /// The indexes of the lock.
        listed: String,
        /// The entry.
        package: PackageName,
    },
    /// A package is a source tree.
    #[error("`{package}` is a source tree ({kind}), which no digest pins; lock a released file of it instead")]
    UnpinnedTree {
        /// `directory` or `vcs`.
        kind: &'static str,
        /// The entry.
        package: PackageName,
    },
}

impl ValidateError {
    /// Returns the code of the refusal: each of these is one.
    pub const fn refusal_code(&self) -> Option<&'static str> {
        Some(self.code())
    }

    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::ForeignHost { .. } | Self::NoIndex { .. } | Self::UnknownIndex { .. } => "origin-mismatch",
            Self::InsecureUrl { .. } => "insecure-url",
            Self::LocalFile { .. } => "local-path",
            Self::UnpinnedTree { .. } => "unpinned-source",
        }
    }
}

impl Lock {
    /// Checks everything that must hold before anything of the lock is fetched, for every entry, selected or not.
    ///
    /// # Errors
    /// [`ValidateError`] for the first entry that must not be used.
    pub fn validate(&self) -> Result<(), ValidateError> {
        for package in &self.packages {
            if let Some(tree) = &package.tree {
                let kind = match tree {
                    TreeSource::Directory(_) => "directory",
                    TreeSource::Vcs(_) => "vcs",
                };
                return Err(ValidateError::UnpinnedTree { kind, package: package.name.clone() });
            }
            for file in package.files() {
                self.artifact(package, file)?;
            }
        }
        for recipe in self.tool.iter().flat_map(|tool| &tool.builds) {
            for tool in &recipe.requires {
                self.build_artifact(tool)?;
            }
        }
        Ok(())
    }

    /// Returns a package's file with the origin that it must come from.
    ///
    /// # Errors
    /// [`ValidateError`] if the file must not be fetched.
    pub fn artifact(&self, package: &Package, file: &LockedFile) -> Result<Artifact, ValidateError> {
        let direct = package.archive.as_ref() == Some(file);
        self.pinned(&package.name, package.index.as_ref().filter(|_| !direct), file, direct)
    }

    /// Returns the wheel of a build requirement with the origin that it must come from.
    ///
    /// # Errors
    /// [`ValidateError`] if the file must not be fetched.
    pub fn build_artifact(&self, tool: &BuildTool) -> Result<Artifact, ValidateError> {
        self.pinned(&tool.name, Some(&tool.index), &tool.file, false)
    }

    fn pinned(
        &self,
        package: &PackageName,
        index: Option<&SafeUrl>,
        file: &LockedFile,
        direct: bool,
    ) -> Result<Artifact, ValidateError> {
        let listed = index.and_then(|index| self.tool.as_ref()?.index(index));
        check_transport(package, index, listed, file)?;
        let origin = match (index, listed, &self.tool) {
            (Some(_), Some(listed), _) => listed.origin(),
            (Some(index), None, Some(tool)) => {
                let urls: Vec<&str> = tool.indexes.iter().map(|index| index.url.as_str()).collect();
                let (index, listed) = (index.clone(), urls.join(", "));
                return Err(ValidateError::UnknownIndex { index, listed, package: package.clone() });
            }
            // Another tool's lock does not say who may serve files, so the URL itself does.
            (Some(index), None, None) => Origin::new(index, file.url.file_host()),
            (None, _, Some(_)) if !direct => {
                return Err(ValidateError::NoIndex { package: package.clone() });
            }
            (None, ..) => Origin::direct(&file.url),
        };
        origin.check(&file.url).map_err(|source| {
            let (filename, package) = (file.filename.clone(), package.clone());
            ValidateError::ForeignHost { filename, package, source }
        })?;
        Ok(Artifact {
            filename: file.filename.clone(),
            url: file.url.clone(),
            size_bytes: file.size_bytes,
            sha256: file.sha256,
            origin,
        })
    }
}

/// Refuses plain `http` to another machine unless the index is listed as such, and local files unless the index is local.
fn check_transport(
    package: &PackageName,
    index: Option<&SafeUrl>,
    listed: Option<&LockedIndex>,
    file: &LockedFile,
) -> Result<(), ValidateError> {
    let (filename, package, url) = (file.filename.clone(), package.clone(), file.url.clone());
    match url.scheme() {
        "https" => Ok(()),
        "http" if url.is_loopback() || listed.is_some_and(|index| index.insecure) => Ok(()),
        "http" => Err(ValidateError::InsecureUrl { filename, package, url }),
        _ if listed.is_some() && index.is_some_and(|index| index.scheme() == "file") => Ok(()),
        _ => Err(ValidateError::LocalFile { filename, package, url }),
    }
}
