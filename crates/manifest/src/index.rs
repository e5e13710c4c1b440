//! One `[[index]]`: where packages come from, as the maintainer wrote it.

use std::collections::BTreeSet;
use std::str::FromStr;

use pinfold_artifact::{FileHost, SafeUrl, UrlError};
use pinfold_packaging::PackageName;

/// An index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexEntry {
    /// Its name; letters, digits, `-` and `_`.
    pub name: String,
    /// Where it is.
    pub location: IndexLocation,
    /// Whether packages that no index lists come from here.
    pub default: bool,
    /// The packages that come from here and from nowhere else.
    pub packages: BTreeSet<PackageName>,
    /// Hosts that may serve its files beside its own; where none are given: those that its pages name when the lock is first made.
    pub file_hosts: Option<BTreeSet<FileHost>>,
    /// Whether it may be asked without TLS although it is on another machine.
    pub insecure: bool,
    /// What counts as the upload time of a file of which the index tells none.
    pub upload_time: UploadTime,
}

/// What counts as the upload time of a file of which the index tells none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UploadTime {
    /// The moment at which pinfold first locked it. Only for the packages that are routed to the index.
    FirstSeen,
    /// Nothing: before a cutoff the file does not exist.
    Told,
}

/// Why a text is no place of an index. No variant holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IndexUrlError {
    /// The URL has a fragment.
    #[error("the URL of an index has no fragment: nothing from `#` on would be sent")]
    Fragment,
    /// The URL has a query.
    #[error(
        "the URL of an index has no query: pages are asked for below its path, and nothing from `?` on would be sent; a login \
         belongs into netrc or PINFOLD_INDEX_<NAME>_TOKEN"
    )]
    Query,
    /// It is no URL that pinfold works with.
    #[error(transparent)]
    Url(#[from] UrlError),
}

/// Where an index is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IndexLocation {
    /// Wherever the user's own pip is set up to look.
    Pip,
    /// At a URL.
    Url(SafeUrl),
}

impl FromStr for IndexLocation {
    type Err = IndexUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url: SafeUrl = text.parse()?;
        if url.as_url().query().is_some() {
            return Err(IndexUrlError::Query);
        }
        if url.fragment().is_some() {
            return Err(IndexUrlError::Fragment);
        }
        Ok(Self::Url(url))
    }
}

impl IndexEntry {
    /// Makes the default index of a command line.
    pub const fn default_at(name: String, location: IndexLocation) -> Self {
        Self {
            name,
            location,
            default: true,
            packages: BTreeSet::new(),
            file_hosts: None,
            insecure: false,
            upload_time: UploadTime::Told,
        }
    }

    /// Returns true if asking the index could be overheard and answered by others, and the maintainer has not said that this is
    /// meant.
    pub fn is_exposed(&self) -> bool {
        match &self.location {
            IndexLocation::Pip => false,
            IndexLocation::Url(url) => url.scheme() == "http" && !url.is_loopback() && !self.insecure,
        }
    }
}
