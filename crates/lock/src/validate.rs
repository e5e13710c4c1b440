//! May this lock be used at all: every check that needs no host and no network.
//!
//! A lock is text that someone may have edited after the maintainer wrote it. What an edit cannot fake is kept elsewhere (a
//! hash decides about bytes); what it can is checked here for contradictions: each file's URL against its package's index,
//! each index against the list of indexes, each scheme against what an attacker on the way could change.

#[cfg(test)]
mod tests;

use pinfold_artifact::{ArchivePath, Artifact, ArtifactFilename, GitUrl, Origin, OriginError, SafeUrl};
use pinfold_packaging::{PackageName, Version};

use crate::{
    BuildTool, Direct, Lock, LockedFile, LockedIndex, LockedTree, Package, TreeIdentity, TreeSource, VcsSource,
};

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
        "`{filename}` of `{package}` is fetched from {}, which anyone on the way can change; only https is allowed",
        url.without_query()
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
    #[error("`{filename}` of `{package}` is the local file {}", url.without_query())]
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
    #[error("`{package}` belongs to {}, which is none of the lock's indexes: {listed}", index.without_query())]
    UnknownIndex {
        /// The entry's index.
        index: SafeUrl,
        /// The indexes of the lock.
        listed: String,
        /// The entry.
        package: PackageName,
    },
    /// A package is a source tree without a digest, or one that pinfold cannot fetch.
    #[error("`{package}` is a source tree ({kind}), which no digest in [tool.pinfold] pins")]
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
                self.tree(package, tree)?;
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
        let direct = package.archive.as_ref().is_some_and(|archive| archive.file == *file);
        self.pinned(&package.name, package.index.as_ref().filter(|_| !direct), file, direct)
    }

    /// Returns the version of an entry; that of a source tree is kept beside its digest.
    pub fn version_of(&self, package: &Package) -> Option<Version> {
        let pinned = || self.locked_tree(package, package.tree.as_ref()?);
        package.version.clone().or_else(|| pinned().map(|tree| tree.version.clone()))
    }

    /// Returns the archive that pinfold makes of a source tree, and how that is to be had.
    ///
    /// # Errors
    /// [`ValidateError::UnpinnedTree`] unless `[tool.pinfold]` has the digest of exactly this tree.
    pub fn tree(&self, package: &Package, source: &TreeSource) -> Result<(Artifact, Direct), ValidateError> {
        let kind = match source {
            TreeSource::Directory(_) => "directory",
            TreeSource::Vcs(_) => "vcs",
        };
        let unpinned = || ValidateError::UnpinnedTree { kind, package: package.name.clone() };
        let locked = self.locked_tree(package, source).ok_or_else(unpinned)?;
        let (url, direct) = direct_of(source).ok_or_else(unpinned)?;
        let filename = format!("{}-{}.tar.gz", package.name.as_dist_info(), locked.version);
        let artifact = Artifact {
            filename: filename.parse().map_err(|_| unpinned())?,
            origin: Origin::direct(&url),
            url,
            size_bytes: locked.size_bytes,
            sha256: locked.sha256,
        };
        Ok((artifact, direct))
    }

    fn locked_tree(&self, package: &Package, source: &TreeSource) -> Option<&LockedTree> {
        let identity = match source {
            TreeSource::Directory(directory) => TreeIdentity::Path(directory.path.clone()),
            TreeSource::Vcs(vcs) => TreeIdentity::Commit(vcs.commit_id.clone()),
        };
        let mut trees = self.tool.iter().flat_map(|tool| &tool.trees);
        trees.find(|tree| tree.name == package.name && tree.identity == identity)
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
        if !(direct && file.url.scheme() == "file") {
            check_transport(package, index, listed, file)?;
        }
        let origin = match (index, listed, &self.tool) {
            (Some(_), Some(listed), _) => listed.origin(),
            (Some(index), None, Some(tool)) => {
                let urls: Vec<String> =
                    tool.indexes.iter().map(|index| index.url.without_query().to_string()).collect();
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

/// Returns the URL that stands for a source tree, and what has to be fetched; none where pinfold could not.
fn direct_of(source: &TreeSource) -> Option<(SafeUrl, Direct)> {
    let below = |text: &Option<String>| text.as_deref().map(str::parse::<ArchivePath>).transpose().ok();
    match source {
        TreeSource::Directory(directory) => {
            let path = directory.path.parse().ok()?;
            let subdirectory = below(&directory.subdirectory)?;
            let is_editable = directory.editable == Some(true);
            let url = directory.url.clone().filter(|_| !is_editable)?;
            Some((url, Direct::Directory { path, subdirectory }))
        }
        TreeSource::Vcs(vcs) => {
            let url: GitUrl = vcs.url.as_deref().filter(|_| vcs.kind == VcsSource::GIT)?.parse().ok()?;
            let requested_revision = vcs.requested_revision.as_deref().map(str::parse).transpose().ok()?;
            let (commit, subdirectory) = (vcs.commit_id.parse().ok()?, below(&vcs.subdirectory)?);
            Some((url.origin_url()?, Direct::Git { url, requested_revision, commit, subdirectory }))
        }
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
