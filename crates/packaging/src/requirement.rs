//! One requirement (PEP 508): the gate before `pep440_rs` and `pep508_rs`.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use pinfold_artifact::SafeUrl;
use serde::{Deserialize, Serialize};

use crate::{ExtraName, Marker, PackageName, Specifiers};

/// A requirement on a project.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Requirement {
    /// The project.
    pub name: PackageName,
    /// The extras of it that are wanted.
    pub extras: BTreeSet<ExtraName>,
    /// The versions that are accepted; any where a URL is given.
    pub specifiers: Specifiers,
    /// The file that is demanded, if one is.
    pub url: Option<SafeUrl>,
    /// Where the requirement holds.
    pub marker: Marker,
}

/// What was changed to make sense of a known broken form, for the record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Repair {
    /// The text as it came, escaped and cut.
    pub written: String,
    /// What it was read as.
    pub read_as: String,
    /// What was wrong with it.
    pub reason: String,
}

/// Why a text is no requirement, and where it goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct RequirementError {
    /// What is wrong, in one sentence.
    pub reason: String,
    /// Byte position in the text where it goes wrong.
    pub position: usize,
    /// Bytes that are wrong, at least one.
    pub length: usize,
}

impl RequirementError {
    /// Returns the code of a refusal for security, if this is one.
    pub fn refusal_code(&self) -> Option<&'static str> {
        None
    }
}

impl Requirement {
    /// Reads a requirement that a person wrote: anything unclear is an error.
    ///
    /// # Errors
    /// When the text does not follow PEP 508, or exceeds a limit.
    pub fn parse(_text: &str) -> Result<Self, RequirementError> {
        todo!()
    }

    /// Reads a requirement out of published metadata: known broken forms are repaired and recorded.
    ///
    /// # Errors
    /// When the text does not follow PEP 508 and no known repair helps, or exceeds a limit.
    pub fn parse_lenient(_text: &str) -> Result<(Self, Vec<Repair>), RequirementError> {
        todo!()
    }
}

impl FromStr for Requirement {
    type Err = RequirementError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!()
    }
}
