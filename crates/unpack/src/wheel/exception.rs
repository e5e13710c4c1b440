//! What a maintainer may let pass in a RECORD that is wrong: one file, with exactly the bytes that were looked at.
//!
//! RECORD is never repaired and never ignored as a whole: an exception takes the place of one row, and its digest is held
//! against the file as the row's would have been.

use pinfold_artifact::{ArchivePath, Sha256};

use crate::ArchiveError;

/// What is wrong with a RECORD, where it can be said of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordFault {
    /// Size or digest of a file are not what its row says, or a row names no file.
    Mismatch,
    /// A file has no row.
    Unlisted,
    /// A row has no digest, or one that proves nothing.
    WeakDigest,
}

/// A fault of a RECORD that somebody looked at and accepted, or may accept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordException {
    /// What is wrong.
    pub fault: RecordFault,
    /// The file in the wheel.
    pub path: ArchivePath,
    /// The digest of the file's bytes; of RECORD itself where a row names no file.
    pub sha256: Sha256,
}

impl RecordFault {
    /// Returns the code of the refusal that an exception lifts.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Mismatch => "record-mismatch",
            Self::Unlisted => "unlisted-file",
            Self::WeakDigest => "record-weak-digest",
        }
    }

    /// Returns the fault of a code; none for codes of something else.
    pub fn of_code(code: &str) -> Option<Self> {
        [Self::Mismatch, Self::Unlisted, Self::WeakDigest].into_iter().find(|fault| fault.code() == code)
    }

    /// Returns the fault that an error is about; none if it is about something else.
    pub fn of_error(error: &ArchiveError) -> Option<Self> {
        error.refusal_code().and_then(Self::of_code)
    }
}
