//! A project's page on an index: JSON (PEP 691, 700, 714, 792) or HTML (PEP 503).

use std::sync::Arc;

use pinfold_artifact::{ArtifactFilename, SafeUrl, Sha256};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{DistributionFilename, PackageName, Specifiers};

/// How a page is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PageFormat {
    /// PEP 503.
    Html,
    /// PEP 691.
    Json,
}

/// A project's page, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimplePage {
    /// Its files, in the order of the page.
    pub files: Vec<PageFile>,
    /// What the index says about the project.
    pub status: ProjectStatus,
    /// The serial number of the last change (PEP 691 `_last-serial`), where given.
    pub last_serial: Option<u64>,
    /// Files that are no candidates, and why.
    pub skipped: Vec<SkippedFile>,
}

/// One file of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageFile {
    /// Its name.
    pub filename: ArtifactFilename,
    /// What the name says.
    pub distribution: DistributionFilename,
    /// Where it is; [`FileUrl::to_safe_url`] gives the URL. Kept apart because a page has thousands of files, all on one
    /// host, of which a resolution looks at a few.
    pub url: FileUrl,
    /// Its size, where the page tells.
    pub size_bytes: Option<u64>,
    /// Its digest, where the page tells.
    pub sha256: Option<Sha256>,
    /// When it was uploaded, where the page tells.
    pub upload_time: Option<jiff::Timestamp>,
    /// The Python versions that it accepts.
    pub requires_python: Option<Specifiers>,
    /// Why it was yanked (may be empty), if it was (PEP 592).
    pub yanked: Option<String>,
    /// Whether its METADATA can be fetched alone (PEP 658, 714).
    pub core_metadata: CoreMetadata,
}

/// The URL of a file on a page, held as the page's host and a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FileUrl {
    /// Scheme, host and port (or a whole URL where the rest is `None`).
    base: Arc<SafeUrl>,
    /// An absolute path of plain characters, without `.` and `..` segments.
    path: Option<Box<str>>,
}

impl FileUrl {
    /// Returns the URL, without fragment.
    pub fn to_safe_url(&self) -> SafeUrl {
        todo!()
    }
}

impl From<SafeUrl> for FileUrl {
    fn from(url: SafeUrl) -> Self {
        Self { base: Arc::new(url.without_fragment()), path: None }
    }
}

/// Whether the index offers a file's METADATA beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CoreMetadata {
    /// It does not.
    Absent,
    /// It does, with this digest where one is given.
    Present(Option<Sha256>),
}

/// What the index says about a project (PEP 792).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectStatus {
    /// The state.
    pub state: ProjectState,
    /// The index's reason, where given.
    pub reason: Option<String>,
}

/// The states of a project (PEP 792).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ProjectState {
    /// Nothing is known against it.
    Active,
    /// It gets no more releases.
    Archived,
    /// Its author advises against it.
    Deprecated,
    /// The index holds it to be dangerous: it must not be installed.
    Quarantined,
}

/// A file of a page that is no candidate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedFile {
    /// The file's name as the page gives it, escaped and cut.
    pub filename: String,
    /// Why it is none.
    pub reason: String,
}

/// Why a page cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// The page has another format than is read here.
    #[error("the page has api-version `{found}`; versions 1.x are read")]
    ApiVersion {
        /// The version found, escaped.
        found: String,
    },
}

impl PageError {
    /// Returns the code of a refusal for security, if this is one.
    pub fn refusal_code(&self) -> Option<&'static str> {
        None
    }
}

impl PageFormat {
    /// Returns the format that a `Content-Type` header announces, if it is one that is read here.
    pub fn from_content_type(_text: &str) -> Option<Self> {
        todo!()
    }
}

impl SimplePage {
    /// Reads a page that was fetched from the URL for the project.
    ///
    /// # Errors
    /// When the page as a whole cannot be trusted or read; a single file that cannot be read is skipped.
    pub fn parse(
        _bytes: &[u8],
        _format: PageFormat,
        _page_url: &SafeUrl,
        _project: &PackageName,
    ) -> Result<Self, PageError> {
        todo!()
    }
}

impl Serialize for SimplePage {
    fn serialize<S: Serializer>(&self, _serializer: S) -> Result<S::Ok, S::Error> {
        todo!()
    }
}

impl<'de> Deserialize<'de> for SimplePage {
    fn deserialize<D: Deserializer<'de>>(_deserializer: D) -> Result<Self, D::Error> {
        todo!()
    }
}
