//! Why an archive is refused, with the stable code of each refusal.

use std::io;

use pinfold_artifact::ArchivePathError;

use crate::EntryPointProblem;

/// Why an archive, or one of its members, is not used. Paths are escaped: they come from the archive.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// A member's bytes do not have the CRC-32 that the archive gives.
    #[error("member `{path}` has CRC-32 {found:08x}, the archive says {expected:08x}")]
    BadChecksum {
        /// The member.
        path: String,
        /// What the central directory says.
        expected: u32,
        /// What the bytes have.
        found: u32,
    },
    /// More members or more unpacked bytes than any real archive has.
    #[error("{what} is {found}, the limit is {limit}")]
    Bomb {
        /// What is counted.
        what: &'static str,
        /// How much there is.
        found: u64,
        /// How much there may be.
        limit: u64,
    },
    /// A member's compressed data is broken, or longer or shorter than the archive says.
    #[error("data of member `{path}`: {problem}")]
    Corrupt {
        /// The member.
        path: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// The wheel's `.dist-info` directory is missing, there are several, or it is not written so.
    #[error("a wheel has exactly one `.dist-info` directory, in lower case; this has {}", listed(found))]
    DistInfo {
        /// The directories found.
        found: Vec<String>,
    },
    /// Two members are one file, here or on a case-insensitive file system.
    #[error("members `{first}` and `{second}` are one file on some system")]
    DuplicateMember {
        /// The first in order.
        first: String,
        /// The second in order.
        second: String,
    },
    /// An entry point that would be written as a script is not one.
    #[error("entry point `{name}`: {problem}")]
    EntryPoint {
        /// The entry point's name, escaped.
        name: String,
        /// What is wrong.
        problem: EntryPointProblem,
    },
    /// Central directory and local header, or data descriptor, say different things about one member.
    #[error("member `{path}` has {field} `{local}` before its data and `{central}` in the central directory")]
    HeaderDisagreement {
        /// The member, as the central directory names it.
        path: String,
        /// Which field.
        field: &'static str,
        /// What the central directory says.
        central: String,
        /// What the local header or the data descriptor says.
        local: String,
    },
    /// Reading failed: the world's fault, not the archive's.
    #[error("failed to read the archive ({doing})")]
    Io {
        /// What was being read.
        doing: &'static str,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The archive does not have the one shape that every reader sees alike.
    #[error("archive layout at byte {offset}: {problem}")]
    Layout {
        /// Where.
        offset: u64,
        /// What is wrong.
        problem: &'static str,
    },
    /// A link that leaves the archive, points at no file in it, or is used as a directory.
    #[error("link `{path}` to `{target}`: {problem}")]
    Link {
        /// The link.
        path: String,
        /// Where it points, escaped.
        target: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// The archive is another distribution than its file name and the lock say.
    #[error("the archive is `{found}`, expected `{expected}`")]
    NameMismatch {
        /// `name-version` of the lock.
        expected: String,
        /// `name-version` of the archive.
        found: String,
    },
    /// RECORD cannot be read as RECORD.
    #[error("RECORD row {row}: {problem}")]
    RecordMalformed {
        /// The row, from 1.
        row: u64,
        /// What is wrong.
        problem: &'static str,
    },
    /// A member differs from its RECORD row, or a row names no member.
    #[error("`{path}`: RECORD says {expected}, the archive has {found}")]
    RecordMismatch {
        /// The member.
        path: String,
        /// What RECORD says.
        expected: String,
        /// What the archive has.
        found: String,
    },
    /// The wheel has no RECORD.
    #[error("the wheel has no `{path}`")]
    RecordMissing {
        /// Where it should be.
        path: String,
    },
    /// A RECORD row has no digest, or one that proves nothing.
    #[error("RECORD gives `{path}` the digest `{found}`; sha256, sha384 or sha512 is needed")]
    RecordWeakDigest {
        /// The member.
        path: String,
        /// The algorithm found, or nothing.
        found: String,
    },
    /// A symbolic link, device, fifo or socket where only files and directories belong.
    #[error("member `{path}` is {found}, only files and directories are allowed")]
    SpecialFile {
        /// The member.
        path: String,
        /// What it is.
        found: &'static str,
    },
    /// A file that RECORD does not list.
    #[error("`{path}` is in the archive but not in RECORD")]
    UnlistedFile {
        /// The member.
        path: String,
    },
    /// A member's path leaves the archive's root or means different things on different systems.
    #[error(transparent)]
    UnsafePath(#[from] ArchivePathError),
    /// A compression method, an encryption or an archive format that is not used by wheels and sdists.
    #[error("`{path}` uses {found}")]
    UnsupportedMethod {
        /// The member or the archive.
        path: String,
        /// What it uses.
        found: String,
    },
    /// WHEEL or another file of `.dist-info` or the `.data` directory is not as the specification says.
    #[error("`{path}`: {problem}")]
    WheelMetadata {
        /// The file.
        path: String,
        /// What is wrong.
        problem: String,
    },
}

impl ArchiveError {
    /// Returns the stable code of the refusal, or none where reading failed for another reason.
    pub const fn refusal_code(&self) -> Option<&'static str> {
        Some(match self {
            Self::BadChecksum { .. } => "bad-checksum",
            Self::Bomb { .. } => "archive-bomb",
            Self::Corrupt { .. } => "corrupt-member",
            Self::DistInfo { .. } | Self::WheelMetadata { .. } => "wheel-metadata",
            Self::DuplicateMember { .. } => "duplicate-member",
            Self::EntryPoint { .. } => "unsafe-entry-point",
            Self::HeaderDisagreement { .. } => "header-disagreement",
            Self::Io { .. } => return None,
            Self::Layout { .. } => "archive-layout",
            Self::Link { .. } => "unsafe-link",
            Self::NameMismatch { .. } => "name-mismatch",
            Self::RecordMalformed { .. } => "record-malformed",
            Self::RecordMismatch { .. } => "record-mismatch",
            Self::RecordMissing { .. } => "record-missing",
            Self::RecordWeakDigest { .. } => "record-weak-digest",
            Self::SpecialFile { .. } => "special-file",
            Self::UnlistedFile { .. } => "unlisted-file",
            Self::UnsafePath(_) => "unsafe-path",
            Self::UnsupportedMethod { .. } => "unsupported-method",
        })
    }
}

/// Makes bytes of an archive printable, and short.
pub(crate) fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().take(120).flat_map(char::escape_debug).collect()
}

fn listed(found: &[String]) -> String {
    if found.is_empty() { "none".to_owned() } else { found.join(", ") }
}
