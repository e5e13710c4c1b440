//! Version specifiers: which versions a requirement or `Requires-Python` accepts (PEP 440).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use version_ranges::Ranges;

use crate::Version;

/// A set of version specifiers, all of which must hold: `>=1.0,!=1.3,<2`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Specifiers(Arc<[pep440_rs::VersionSpecifier]>);

/// Why a text is no set of specifiers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecifiersError {
    /// The clause is not of the form that PEP 440 gives.
    #[error("`{clause}` is no version specifier: {reason}")]
    Clause {
        /// The clause, escaped and cut.
        clause: String,
        /// What is wrong.
        reason: String,
    },
}

impl Specifiers {
    /// Returns the specifiers that every version meets.
    pub fn any() -> Self {
        todo!()
    }

    /// Returns true if no clause is given.
    pub fn is_any(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns true if the version meets every clause; pre-releases are not treated apart.
    pub fn contains(&self, _version: &Version) -> bool {
        todo!()
    }

    /// Returns the same set as ranges.
    pub fn ranges(&self) -> Ranges<Version> {
        todo!()
    }

    /// Returns true if a clause names a pre-release.
    pub fn mentions_prerelease(&self) -> bool {
        todo!()
    }

    /// Returns the version of a lone `==V` or `===V`.
    pub fn exact(&self) -> Option<&Version> {
        todo!()
    }
}

impl FromStr for Specifiers {
    type Err = SpecifiersError;

    fn from_str(_text: &str) -> Result<Self, Self::Err> {
        todo!()
    }
}

impl fmt::Display for Specifiers {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!()
    }
}

impl fmt::Debug for Specifiers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl Serialize for Specifiers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Specifiers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
