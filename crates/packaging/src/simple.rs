//! A project's page on an index: JSON (PEP 691, 700, 714, 792) or HTML (PEP 503).
//!
//! One rule for both: what could make us believe something wrong about a file (a digest that is none, a URL that leads
//! elsewhere than the web, one name of which two things are said) makes the whole page unusable; a file that merely cannot be read, or is
//! no wheel or sdist of this project, is left out with the reason. Weak digests are not read at all: a file that has only
//! `md5` has none.
//!
//! A page is read again on every lock, so there is a compact form of it for the cache ([`Releases`]), and a file's URL is
//! kept in a form that costs no parsing until it is needed.

mod compact;
mod file;
mod html;
mod json;
mod releases;
mod secrets;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::sync::{Arc, OnceLock};

use pinfold_artifact::{ArtifactFilename, Limits, SafeUrl, Sha256, Sha256Error, UrlError};
use serde::{Deserialize, Serialize};

use crate::{DistributionFilename, PackageName, Specifiers};

pub use releases::{CompactError, Releases};
pub use secrets::WithoutSecrets;

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
    /// Its files, in the order of the page; no name stands twice.
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
    /// The text that was read as `requires_python`, where it is broken and [`Specifiers::parse_lenient`] repaired it.
    pub broken_python: Option<Arc<str>>,
    /// Why it was yanked (may be empty), if it was (PEP 592).
    pub yanked: Option<String>,
    /// Whether its METADATA can be fetched alone (PEP 658, 714).
    pub core_metadata: CoreMetadata,
}

/// The URL of a file on a page, held as the page's host and a path, without fragment. One URL is held in one way only.
#[derive(Debug, Clone)]
pub struct FileUrl {
    /// The root of the host where there is a path; otherwise the whole URL.
    base: SafeUrl,
    /// A path that [`file::is_plain`] accepts. Every remote URL without query whose path is plain is held this way.
    path: Option<Box<str>>,
    /// Both together, once somebody asked for it: its METADATA is looked for there, and it is locked.
    whole: OnceLock<SafeUrl>,
}

impl FileUrl {
    /// Holds the URL of a path on a host, or one that has no such path.
    const fn new(base: SafeUrl, path: Option<Box<str>>) -> Self {
        Self { base, path, whole: OnceLock::new() }
    }

    /// As [`SafeUrl::secret_in_query`].
    pub fn secret_in_query(&self) -> Option<String> {
        // Where there is a path there is no query.
        self.path.is_none().then(|| self.base.secret_in_query()).flatten()
    }

    /// Returns the URL, without fragment.
    pub fn to_safe_url(&self) -> SafeUrl {
        match &self.path {
            Some(path) => self.whole.get_or_init(|| self.base.with_path(path)).clone(),
            None => self.base.clone(),
        }
    }
}

impl PartialEq for FileUrl {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for FileUrl {}

impl PartialOrd for FileUrl {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for FileUrl {
    fn cmp(&self, other: &Self) -> Ordering {
        (&self.base, &self.path).cmp(&(&other.base, &other.path))
    }
}

impl From<SafeUrl> for FileUrl {
    fn from(url: SafeUrl) -> Self {
        let parsed = url.as_url();
        if url.scheme() == "file" || parsed.query().is_some() || !file::is_plain(parsed.path()) {
            return Self::new(url.without_fragment(), None);
        }
        Self::new(url.with_path("/"), Some(parsed.path().into()))
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

impl ProjectStatus {
    /// A state that is not known here is one that the specification did not have: it is read as active.
    fn new(state: Option<&str>, reason: Option<&str>) -> Self {
        let state = match state {
            Some("archived") => ProjectState::Archived,
            Some("deprecated") => ProjectState::Deprecated,
            Some("quarantined") => ProjectState::Quarantined,
            _ => ProjectState::Active,
        };
        Self { state, reason: reason.map(str::to_owned) }
    }
}

/// A file of a page that is no candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedFile {
    /// The file's name as the page gives it; escaped and cut where it is no name of a wheel or sdist of the project.
    pub filename: String,
    /// Why it is none.
    pub reason: String,
    /// Some for a wheel or sdist of the project that only lacks what its page should say of it; yanked ones are not missed.
    pub missed: Option<Missed>,
}

/// A file that would be a candidate if what its page says of it could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missed {
    /// What its name says.
    pub distribution: DistributionFilename,
    /// When it was uploaded, where the page tells.
    pub upload_time: Option<jiff::Timestamp>,
}

/// Why a page cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// The page has another format than is read here.
    #[error("the page has the api-version `{found}`; 1.x is read")]
    ApiVersion {
        /// The version found, escaped.
        found: String,
    },
    /// One file name stands twice, and what is said of it differs: the order on the page would decide.
    #[error("the page lists `{filename}` twice, with {first} as {what} and with {second}")]
    Conflict {
        /// The file.
        filename: String,
        /// In what they differ, as the specification calls it.
        what: &'static str,
        /// What the first entry says, escaped and cut.
        first: String,
        /// What the second entry says, escaped and cut.
        second: String,
    },
    /// A digest is none.
    #[error("the page gives `{filename}` a malformed {what}")]
    Digest {
        /// The file.
        filename: String,
        /// Which digest.
        what: &'static str,
        /// Why it is none.
        source: Sha256Error,
    },
    /// The page is of another project.
    #[error("the page is of the project `{found}`, not of `{project}`")]
    ForeignProject {
        /// The project that the page names, escaped.
        found: String,
        /// The project asked for.
        project: PackageName,
    },
    /// The page is not in the format that it was announced in.
    #[error("the page cannot be read: {reason}")]
    Malformed {
        /// What is wrong.
        reason: String,
    },
    /// The page holds things in things, deeper than any real one: made to stop a parser (IX37).
    #[error("the page is nested more than {PAGE_DEPTH} deep")]
    TooDeep,
    /// The page is larger than any real one.
    #[error("the page has more than {} bytes", Limits::PAGE_BYTES)]
    TooLarge,
    /// The page has more files than any real one.
    #[error("the page lists more than {} files", Limits::PAGE_FILES)]
    TooManyFiles,
    /// The URL of a file is none that pinfold works with.
    #[error("the page gives `{filename}` a URL that is refused")]
    Url {
        /// The file.
        filename: String,
        /// Why.
        source: UrlError,
    },
}

impl PageError {
    /// Returns the code of a refusal for security, if this is one.
    pub const fn refusal_code(&self) -> Option<&'static str> {
        match self {
            Self::ApiVersion { .. } | Self::Malformed { .. } => None,
            Self::Conflict { .. } => Some("ambiguous-page"),
            Self::Digest { .. } => Some("malformed-digest"),
            Self::ForeignProject { .. } => Some("foreign-project"),
            Self::TooDeep | Self::TooLarge | Self::TooManyFiles => Some("page-limit"),
            Self::Url { .. } => Some("unsafe-url"),
        }
    }
}

impl PageFormat {
    /// Returns the format that a `Content-Type` header announces, if it is one that is read here.
    pub fn from_content_type(text: &str) -> Option<Self> {
        let kind = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match kind.as_str() {
            "application/vnd.pypi.simple.v1+html" | "text/html" => Some(Self::Html),
            "application/vnd.pypi.simple.v1+json" => Some(Self::Json),
            _ => None,
        }
    }
}

impl SimplePage {
    /// Reads a page that was fetched from the URL for the project.
    ///
    /// # Errors
    /// When the page as a whole cannot be trusted or read; a single file that cannot be read is skipped.
    pub fn parse(
        bytes: &[u8],
        format: PageFormat,
        page_url: &SafeUrl,
        project: &PackageName,
    ) -> Result<Self, PageError> {
        Self::parse_until(bytes, format, page_url, project, None)
    }

    /// As [`SimplePage::parse`], without the files that the page says were uploaded after the moment: they are passed over
    /// unread, as if they were not there.
    ///
    /// # Errors
    /// As [`SimplePage::parse`].
    pub fn parse_until(
        bytes: &[u8],
        format: PageFormat,
        page_url: &SafeUrl,
        project: &PackageName,
        until: Option<jiff::Timestamp>,
    ) -> Result<Self, PageError> {
        if bytes.len() as u64 > Limits::PAGE_BYTES {
            return Err(PageError::TooLarge);
        }
        match format {
            // A page in HTML tells no upload times.
            PageFormat::Html => html::read(bytes, page_url, project),
            PageFormat::Json => json::read(bytes, project, file::Gather::new(project, page_url, until)),
        }
    }
}

/// A page of the specification is four deep; this is also the depth at which the JSON library gives up.
const PAGE_DEPTH: usize = 128;

/// Accepts api-version 1.x. "Clients MUST hard fail on a major version that they do not know" (PEP 629).
fn check_api_version(found: &str) -> Result<(), PageError> {
    match found.split_once('.') {
        Some(("1", minor)) if !minor.is_empty() && minor.bytes().all(|byte| byte.is_ascii_digit()) => Ok(()),
        _ => Err(PageError::ApiVersion { found: crate::version::shown(found) }),
    }
}
