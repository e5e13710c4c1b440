//! The maintainer's wishes as values.

use std::collections::{BTreeMap, BTreeSet};

use pinfold_artifact::{ArchivePath, Sha256};
use pinfold_packaging::{BuildPolicy, ExtraName, GroupName, PackageName, Prerelease, Specifiers, Strategy, System};

use crate::{Cutoff, IndexEntry, ManifestError, Place, Requested, pyproject, read};

/// A value and where it was written, for messages.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Sourced<T> {
    /// The value.
    pub value: T,
    /// The file, as it was named to the reader.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

/// What a lock is to be made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The application's name.
    pub name: Option<String>,
    /// The Python versions that the application supports.
    pub requires_python: Option<Specifiers>,
    /// Where that is written, for messages.
    pub requires_python_place: Option<Place>,
    /// The systems that the lock is for, in the order of the manifest; at least one, none twice.
    pub targets: Vec<System>,
    /// What the application requires directly.
    pub dependencies: Vec<Sourced<Requested>>,
    /// Requirements files, relative to the manifest.
    pub requirement_files: Vec<Sourced<String>>,
    /// Requirements that narrow, but never add.
    pub constraints: Vec<Sourced<Requested>>,
    /// Requirements files whose every line is a constraint, relative to the manifest.
    pub constraint_files: Vec<Sourced<String>>,
    /// Requirements that replace every declared range of their project.
    pub overrides: Vec<Sourced<Requested>>,
    /// Projects that are never installed, whoever asks for them.
    pub exclude: BTreeSet<PackageName>,
    /// Files that were uploaded later do not exist.
    pub exclude_newer: Option<Cutoff>,
    /// Which pre-releases are candidates.
    pub prerelease: Prerelease,
    /// Which of several fitting versions is taken.
    pub resolution: Strategy,
    /// Which projects may be built from source.
    pub build: BuildPolicy,
    /// Projects whose wheels are not to be used.
    pub no_binary: BTreeSet<PackageName>,
    /// Dependency groups, with what they include in place.
    pub groups: BTreeMap<GroupName, Vec<Sourced<Requested>>>,
    /// Extras, with the extras of the application that they name in place.
    pub extras: BTreeMap<ExtraName, Vec<Sourced<Requested>>>,
    /// The indexes, in the order of the manifest.
    pub indexes: Vec<IndexEntry>,
    /// The findings that the maintainer has looked at.
    pub accepts: Vec<Accept>,
}

/// A finding that the maintainer has looked at and allows, for exactly these bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Accept {
    /// The finding's code.
    pub code: String,
    /// The project that it was found in.
    pub package: PackageName,
    /// The file inside the artifact, if the finding is about one.
    pub path: Option<ArchivePath>,
    /// The bytes that were looked at.
    pub sha256: Sha256,
    /// Why it is allowed.
    pub reason: String,
}

impl Manifest {
    /// Reads a `pinfold.toml`.
    ///
    /// # Errors
    /// [`ManifestError`], with file, line and column, for anything that is not as the contract says.
    pub fn parse_toml(text: &str, file_name: &str) -> Result<Self, ManifestError> {
        read::parse(text, file_name)
    }

    /// Reads a `pyproject.toml`: the standard's `[project]` and `[dependency-groups]`, and `[tool.pinfold]`.
    ///
    /// `[tool.pinfold]` has the keys of `pinfold.toml`; those of its `[project]` table may stand in `[tool.pinfold]` itself.
    /// Its `dependencies`, `groups` and `extras` add to the standard's, its `name` and `requires-python` go before them.
    ///
    /// # Errors
    /// As for [`Self::parse_toml`].
    pub fn parse_pyproject(text: &str, file_name: &str) -> Result<Self, ManifestError> {
        pyproject::parse(text, file_name)
    }

    /// Returns a manifest that asks for nothing, for the three default systems: what a command line starts from.
    pub fn empty() -> Self {
        Self {
            name: None,
            requires_python: None,
            requires_python_place: None,
            targets: System::defaults().to_vec(),
            dependencies: Vec::new(),
            requirement_files: Vec::new(),
            constraints: Vec::new(),
            constraint_files: Vec::new(),
            overrides: Vec::new(),
            exclude: BTreeSet::new(),
            exclude_newer: None,
            prerelease: Prerelease::IfNecessary,
            resolution: Strategy::Highest,
            build: BuildPolicy::none(),
            no_binary: BTreeSet::new(),
            groups: BTreeMap::new(),
            extras: BTreeMap::new(),
            indexes: Vec::new(),
            accepts: Vec::new(),
        }
    }
}
