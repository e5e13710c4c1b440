//! One downloadable file, fully pinned.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Limits, Origin, SafeUrl, Sha256};

/// The name of a wheel or sdist: one path segment of printable ASCII.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ArtifactFilename(
    /// Not empty, at most [`Limits::FILENAME_BYTES`], letters, digits and `-_.+!~` only, no leading dot. Shared: many
    /// things are found by a file's name.
    Arc<str>,
);

/// Why a text is no file name of an artifact.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArtifactFilenameError {
    /// A character that no distribution file name has.
    #[error("`{found}` does not belong into the file name `{text}`")]
    Character {
        /// The character, escaped.
        found: String,
        /// The name, escaped.
        text: String,
    },
    /// Nothing, too long, or hidden.
    #[error(
        "`{text}` is no file name: it must have 1 to {} characters and not begin with a dot",
        Limits::FILENAME_BYTES
    )]
    Shape {
        /// The name, escaped and cut.
        text: String,
    },
}

impl ArtifactFilename {
    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ArtifactFilename {
    type Err = ArtifactFilenameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let shown = || crate::shown_in_ascii(text, 80);
        if text.is_empty() || text.len() > Limits::FILENAME_BYTES || text.starts_with('.') {
            return Err(ArtifactFilenameError::Shape { text: shown() });
        }
        let foreign = |c: &char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+' | '!' | '~'));
        match text.chars().find(foreign) {
            Some(c) => Err(ArtifactFilenameError::Character {
                found: crate::shown_in_ascii(c.encode_utf8(&mut [0; 4]), 1),
                text: shown(),
            }),
            None => Ok(Self(text.into())),
        }
    }
}

impl TryFrom<String> for ArtifactFilename {
    type Error = ArtifactFilenameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ArtifactFilename> for String {
    fn from(name: ArtifactFilename) -> Self {
        name.as_str().to_owned()
    }
}

impl fmt::Display for ArtifactFilename {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One downloadable file with everything that is checked before a byte of it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// The file's name, as the index and the lock give it.
    pub filename: ArtifactFilename,
    /// Where it is fetched from.
    pub url: SafeUrl,
    /// Its exact size.
    pub size_bytes: u64,
    /// Its digest.
    pub sha256: Sha256,
    /// Who may serve it.
    pub origin: Origin,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_real_names() {
        for name in
            ["torch-2.1.0+cu121-cp310-cp310-linux_x86_64.whl", "antlr4-python3-runtime-4.9.3.tar.gz", "a-1!2.0.zip"]
        {
            assert_eq!(name.parse::<ArtifactFilename>().unwrap().as_str(), name);
        }
    }

    #[test]
    fn rejects_paths_and_control_characters() {
        for name in ["", ".hidden.whl", "../a.whl", "a/b.whl", "a\\b.whl", "a\nb.whl", "а.whl", "a b.whl", "C:x.whl"] {
            assert!(name.parse::<ArtifactFilename>().is_err(), "{name:?}");
        }
    }
}
