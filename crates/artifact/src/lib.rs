//! What a locked file is: where it is, how big it is, which bytes it has, and who may serve it.
//!
//! Everything here is a value that is valid because it exists: a [`Sha256`] has 32 bytes, a [`SafeUrl`] carries no
//! credential and an allowed scheme, an [`ArchivePath`] stays below its root. Nothing here reads, sends or hashes.
#![forbid(unsafe_code)]

mod archive_path;
mod artifact;
mod git;
mod limits;
mod local_path;
mod origin;
mod safe_url;
mod sha256;
mod shown;

pub use archive_path::{ArchivePath, ArchivePathError, ArchivePaths};
pub use artifact::{Artifact, ArtifactFilename, ArtifactFilenameError};
pub use git::{CommitId, CommitIdError, GitRevision, GitRevisionError, GitUrl, GitUrlError};
pub use limits::Limits;
pub use local_path::{LocalPath, LocalPathError};
pub use origin::{FileHost, Origin, OriginError};
pub use safe_url::{SafeUrl, UrlError};
pub use sha256::{Sha256, Sha256Error};
pub use shown::{shown, shown_in_ascii};
