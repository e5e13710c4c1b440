//! A distribution's METADATA (or PKG-INFO): what it needs.

use std::collections::BTreeSet;

use crate::{ExtraName, NameError, PackageName, Repair, Requirement, Specifiers, Version, VersionError};

/// The fields of METADATA that a resolution needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// The project.
    pub name: PackageName,
    /// The version.
    pub version: Version,
    /// What it requires.
    pub requires_dist: Vec<Requirement>,
    /// The Python versions that it accepts.
    pub requires_python: Option<Specifiers>,
    /// The extras that it has.
    pub provides_extras: BTreeSet<ExtraName>,
    /// `Metadata-Version`, major and minor.
    pub metadata_version: (u32, u32),
    /// Names of dynamic fields, in lower case (PEP 643).
    pub dynamic: BTreeSet<String>,
    /// What was broken and how it was read.
    pub repairs: Vec<Repair>,
}

/// Why bytes are no METADATA.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// A required field is missing.
    #[error("METADATA has no field `{field}`")]
    Missing {
        /// The field.
        field: &'static str,
    },
    /// The name is none.
    #[error("METADATA has an unreadable `Name`")]
    Name(#[source] NameError),
    /// The version is none.
    #[error("METADATA has an unreadable `Version`")]
    Version(#[source] VersionError),
}

impl MetadataError {
    /// Returns the code of a refusal for security, if this is one.
    pub fn refusal_code(&self) -> Option<&'static str> {
        None
    }
}

impl Metadata {
    /// Reads METADATA.
    ///
    /// # Errors
    /// When a needed field is missing or unreadable, or a limit is exceeded.
    pub fn parse(_bytes: &[u8]) -> Result<Self, MetadataError> {
        todo!()
    }

    /// Returns true if an sdist's PKG-INFO binds its wheels (PEP 643): version 2.2 or later, and none of `Requires-Dist`,
    /// `Requires-Python`, `Provides-Extra` is dynamic.
    pub fn is_static(&self) -> bool {
        let needed = ["requires-dist", "requires-python", "provides-extra"];
        self.metadata_version >= (2, 2) && needed.iter().all(|field| !self.dynamic.contains(*field))
    }
}
