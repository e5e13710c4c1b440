//! What comes out of a resolution.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use pinfold_artifact::{ArtifactFilename, Origin};
use pinfold_packaging::{
    DistributionFilename, ExtraName, PackageName, PageFile, ProjectState, Repair, Specifiers, Target, Version,
};

use crate::{Explanation, RootReason};

/// What a resolution came to.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// What holds for some Python releases of the target does not hold for others: cut the target before this version and
    /// ask for both parts.
    Divide(Version),
    /// Facts are missing; ask again when they are there.
    Need(Need),
    /// No choice of versions meets everything that is required.
    NoSolution(Explanation),
    /// Something that must not be worked around was met.
    Refused(Refusal),
    /// One version, and one file of it, for every project that is needed.
    Solved(Solution),
}

/// What a resolution has to know before it goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// Every question that is worth asking now; never empty.
    pub questions: Vec<Question>,
    /// Positions of those that must be answered; never empty. They follow from the problem and what the resolution looked at. The
    /// others are guesses, which depend on what else happens to be known: that one of them has no answer means nothing.
    pub needed: BTreeSet<usize>,
}

/// A fact that a resolution lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// The metadata of a file.
    Metadata {
        /// The project.
        name: PackageName,
        /// The version.
        version: Version,
        /// The file.
        file: Arc<PageFile>,
        /// Where the file comes from.
        origin: Origin,
    },
    /// The page of a project, from the index that the project belongs to (or the file, if it is required by URL).
    Page(PackageName),
}

/// Why a resolution stops for security.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A published package names a file by URL instead of a project (attack IX44).
    #[error("`{name}` {version} requires `{dependency}` from {url}: a published package must not name a URL")]
    DirectUrl {
        /// The package.
        name: PackageName,
        /// Its version.
        version: Version,
        /// What it requires.
        dependency: PackageName,
        /// The URL, as it can be shown.
        url: String,
    },
    /// The metadata speaks of another project or version than the file's name (attack IX12).
    #[error("`{filename}` carries the metadata of `{found_name}` {found_version}")]
    ForeignMetadata {
        /// The file.
        filename: pinfold_artifact::ArtifactFilename,
        /// The project in the metadata.
        found_name: PackageName,
        /// The version in the metadata.
        found_version: Version,
    },
    /// METADATA was read whole and kept, and what its extras need cannot be read again.
    #[error("what the extras of `{name}` {version} need cannot be read from the cache any more: {reason}")]
    UnreadableExtras {
        /// The project.
        name: PackageName,
        /// The version.
        version: Version,
        /// Why.
        reason: String,
    },
    /// The index holds the project to be dangerous (PEP 792, attack IX43).
    #[error("`{name}` is quarantined by {}{}", origin.index(), reason.as_ref().map(|text| format!(": {}", one_line(text))).unwrap_or_default())]
    Quarantined {
        /// The project.
        name: PackageName,
        /// The index's reason.
        reason: Option<String>,
        /// The index.
        origin: Origin,
    },
}

impl Refusal {
    /// Returns the code of the refusal.
    pub const fn refusal_code(&self) -> Option<&'static str> {
        match self {
            Self::DirectUrl { .. } => Some("direct-url"),
            Self::ForeignMetadata { .. } => Some("metadata-mismatch"),
            Self::Quarantined { .. } => Some("quarantined"),
            Self::UnreadableExtras { .. } => Some("bad-metadata"),
        }
    }
}

/// One version and file for every project that the target needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Solution {
    /// The target.
    pub target: Target,
    /// What was chosen.
    pub packages: BTreeMap<PackageName, Chosen>,
    /// What a maintainer should know although it is no obstacle, sorted.
    pub warnings: BTreeSet<Warning>,
}

/// What was chosen of one project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// The version.
    pub version: Version,
    /// The file.
    pub file: Arc<PageFile>,
    /// Where the file comes from.
    pub origin: Origin,
    /// The projects that it needs on this target, those of its wanted extras included, excluded ones left out.
    pub dependencies: BTreeSet<PackageName>,
    /// Which of the application, its extras and its groups need it, directly or through others.
    pub reasons: BTreeSet<RootReason>,
    /// The Python versions that its metadata accepts.
    pub requires_python: Option<Specifiers>,
}

impl Chosen {
    /// Returns true if the file is an sdist, which must be built.
    pub fn is_sdist(&self) -> bool {
        matches!(self.file.distribution, DistributionFilename::Sdist(_))
    }
}

/// Something that is no obstacle but should be known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Warning {
    /// A file was passed over that would have been taken, because what its page says of it cannot be read.
    Missed {
        /// The project.
        name: PackageName,
        /// The version; of several with the same defect the one that would have been taken first.
        version: Version,
        /// Why.
        reason: String,
    },
    /// What the chosen file's metadata or page requires is broken, and was read as what it must mean.
    Repaired {
        /// The project.
        name: PackageName,
        /// The version.
        version: Version,
        /// What was done.
        repair: Repair,
    },
    /// The index advises against the project.
    Status {
        /// The project.
        name: PackageName,
        /// `archived` or `deprecated`.
        state: &'static str,
        /// The index's reason.
        reason: Option<String>,
    },
    /// An extra was asked for that the chosen version does not have.
    UnknownExtra {
        /// The project.
        name: PackageName,
        /// The version.
        version: Version,
        /// The extra.
        extra: ExtraName,
    },
    /// A version was passed over, because its metadata cannot be read.
    Unreadable {
        /// The project.
        name: PackageName,
        /// The version.
        version: Version,
        /// The file whose metadata it is.
        filename: ArtifactFilename,
        /// Why.
        reason: String,
    },
    /// The chosen file was yanked.
    Yanked {
        /// The project.
        name: PackageName,
        /// The version.
        version: Version,
        /// The reason, which may be empty.
        reason: String,
    },
}

impl Warning {
    /// Returns the word for a state that deserves a warning.
    pub(crate) const fn state_word(state: ProjectState) -> Option<&'static str> {
        match state {
            ProjectState::Active | ProjectState::Quarantined => None,
            ProjectState::Archived => Some("archived"),
            ProjectState::Deprecated => Some("deprecated"),
        }
    }
}

/// Returns what somebody else wrote on one line: on a second one it could pass for a message of ours.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { line.extend(c.escape_default()) } else { line.push(c) }
    }
    line
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missed { name, version, reason } => {
                write!(f, "a file of `{name}` {version} is passed over: {}", one_line(reason))
            }
            Self::Repaired { name, version, repair: Repair { written, read_as, reason } } => {
                write!(f, "`{name}` {version} has broken metadata: `{written}` was read as `{read_as}` ({reason})")
            }
            Self::Status { name, state, reason } => {
                write!(f, "`{name}` is {state} on its index")?;
                reason.iter().try_for_each(|text| write!(f, ": {}", one_line(text)))
            }
            Self::UnknownExtra { name, version, extra } => write!(f, "`{name}` {version} has no extra `{extra}`"),
            Self::Unreadable { name, version, filename, reason } => {
                write!(
                    f,
                    "`{name}` {version} is passed over: the metadata of `{filename}` cannot be read: {}",
                    one_line(reason)
                )
            }
            Self::Yanked { name, version, reason } => {
                write!(f, "`{name}` {version} was yanked")?;
                if reason.is_empty() { Ok(()) } else { write!(f, ": {}", one_line(reason)) }
            }
        }
    }
}
