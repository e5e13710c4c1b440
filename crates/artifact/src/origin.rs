//! Where an artifact may come from: one index, and the hosts that may serve its files.
//!
//! PEP 503 and PEP 691 put no constraint on the host of a file URL; pinfold does. A [`FileHost`] is scheme, host and port
//! together, so that neither a downgrade to `http` nor another port on a trusted host passes for the locked origin.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{SafeUrl, UrlError};

/// Scheme, host and port that may serve files: `https://files.example` or `http://127.0.0.1:8080`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct FileHost {
    scheme: String,
    /// Lower-case, as the URL parser leaves it.
    host: String,
    /// The scheme's own port where the URL names none.
    port: u16,
}

impl FileHost {
    /// Returns the host of a remote URL; a `file` URL has none.
    pub fn of(url: &SafeUrl) -> Option<Self> {
        let host = url.as_url().host_str()?.to_owned();
        let port = url.as_url().port_or_known_default()?;
        (url.scheme() != "file").then(|| Self { scheme: url.scheme().to_owned(), host, port })
    }

    /// Returns the host's name or address, without scheme and port.
    pub fn host(&self) -> &str {
        &self.host
    }
}

impl FromStr for FileHost {
    type Err = UrlError;

    /// Reads `files.example`, `files.example:8443` (both mean https) or the form with a scheme.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("https", text));
        let host = rest.strip_suffix('/').filter(|_| text.contains("://")).unwrap_or(rest);
        // A login is told of as such, whatever else is wrong.
        if !is_written_out(host) && !host.contains('@') {
            return Err(UrlError::NotAHost);
        }
        let url: SafeUrl = format!("{scheme}://{host}/").parse()?;
        Self::of(&url).filter(|_| is_written_out(host)).ok_or(UrlError::NotAHost)
    }
}

/// Returns true for a name or address, with or without a port, that stands for itself: a pattern, a path and a query do not.
fn is_written_out(host: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '[' | ']');
    let name = if host.starts_with('[') { host } else { host.split(':').next().unwrap_or_default() };
    let is_label = |label: &str| label.chars().any(char::is_alphanumeric);
    host.chars().all(is_part) && name.strip_suffix('.').unwrap_or(name).split('.').all(is_label)
}

impl TryFrom<String> for FileHost {
    type Error = UrlError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<FileHost> for String {
    fn from(host: FileHost) -> Self {
        host.to_string()
    }
}

impl fmt::Display for FileHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        match (self.scheme.as_str(), self.port) {
            ("https", 443) | ("http", 80) => Ok(()),
            (_, port) => write!(f, ":{port}"),
        }
    }
}

/// The one index that a project belongs to, and the hosts that may serve its files.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(
    /// Shared: every file has one.
    Arc<Parts>,
);

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Parts {
    /// The index's URL in directory form; for a direct URL, the URL of the file itself.
    index: SafeUrl,
    /// Hosts that may serve files beside the index's own.
    file_hosts: BTreeSet<FileHost>,
}

/// Why a URL is not of an origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// The host serves no files for this index.
    #[error("`{found}` may not serve files of {index}; allowed: {allowed}")]
    ForeignHost {
        /// Scheme, host and port found.
        found: String,
        /// The index.
        index: SafeUrl,
        /// The allowed hosts, separated by commas.
        allowed: String,
    },
}

impl Origin {
    /// Makes the origin of an index.
    pub fn new(index: &SafeUrl, file_hosts: impl IntoIterator<Item = FileHost>) -> Self {
        Self(Arc::new(Parts { index: index.as_directory(), file_hosts: file_hosts.into_iter().collect() }))
    }

    /// Makes the origin of a file that is named by its URL and belongs to no index.
    pub fn direct(url: &SafeUrl) -> Self {
        Self(Arc::new(Parts { index: url.without_fragment(), file_hosts: BTreeSet::new() }))
    }

    /// Returns the index's URL.
    pub fn index(&self) -> &SafeUrl {
        &self.0.index
    }

    /// Returns the hosts that may serve files beside the index's own.
    pub fn file_hosts(&self) -> &BTreeSet<FileHost> {
        &self.0.file_hosts
    }

    /// Checks that a URL (a file's, or where a redirect leads) is of this origin.
    ///
    /// # Errors
    /// [`OriginError::ForeignHost`] if scheme, host and port are neither the index's own nor listed. A `file` URL is of
    /// an origin only if the index is a `file` URL too.
    pub fn check(&self, url: &SafeUrl) -> Result<(), OriginError> {
        let allowed = match (url.file_host(), self.0.index.file_host()) {
            (Some(found), own) => own.as_ref() == Some(&found) || self.0.file_hosts.contains(&found),
            (None, own) => own.is_none(),
        };
        if allowed {
            return Ok(());
        }
        let found = url.file_host().map_or_else(|| "file://".to_owned(), |host| host.to_string());
        let own = self.0.index.file_host().map_or_else(|| "file://".to_owned(), |host| host.to_string());
        let others = self.0.file_hosts.iter().map(FileHost::to_string).filter(|host| *host != own);
        let hosts = std::iter::once(own.clone()).chain(others);
        Err(OriginError::ForeignHost {
            found,
            index: self.0.index.without_query(),
            allowed: hosts.collect::<Vec<_>>().join(", "),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin() -> Origin {
        Origin::new(
            &"https://index.example/simple".parse().unwrap(),
            ["files.index.example".parse::<FileHost>().unwrap()],
        )
    }

    #[test]
    fn own_host_and_listed_hosts_serve_files() {
        for url in ["https://index.example/f/a.whl", "https://files.index.example/a.whl", "https://INDEX.example:443/a"]
        {
            assert_eq!(origin().check(&url.parse().unwrap()), Ok(()), "{url}");
        }
    }

    #[test]
    fn each_allowed_host_is_named_once() {
        let hosts = ["index.example", "files.index.example"].map(|host| host.parse::<FileHost>().unwrap());
        let origin = Origin::new(&"https://index.example/simple".parse().unwrap(), hosts);
        let message = origin.check(&"https://evil.example/a.whl".parse().unwrap()).unwrap_err().to_string();
        assert!(message.ends_with("allowed: https://index.example, https://files.index.example"), "{message}");
    }

    #[test]
    fn another_host_port_or_scheme_is_foreign() {
        for url in [
            "https://evil.example/a.whl",
            "http://index.example/a.whl",
            "https://index.example:8443/a.whl",
            "https://index.example.evil.example/a.whl",
            "file:///etc/passwd",
        ] {
            assert!(origin().check(&url.parse().unwrap()).is_err(), "{url}");
        }
    }

    #[test]
    fn reads_hosts_with_and_without_scheme() {
        for (text, expected) in [
            ("files.example", "https://files.example"),
            ("FILES.example:8443", "https://files.example:8443"),
            ("http://127.0.0.1:80", "http://127.0.0.1"),
        ] {
            assert_eq!(text.parse::<FileHost>().unwrap().to_string(), expected);
        }
        for (text, expected) in
            [("https://files.example/", "https://files.example"), ("[::1]:8080", "https://[::1]:8080")]
        {
            assert_eq!(text.parse::<FileHost>().unwrap().to_string(), expected);
        }
        assert_eq!("user@files.example".parse::<FileHost>(), Err(UrlError::Credentials));
    }

    /// A pattern would be a host that no file ever comes from, and read as if it allowed many.
    #[test]
    fn each_host_is_written_out() {
        for text in [
            "*",
            "*.example",
            "https://*.example",
            "*:443",
            "files.*.example",
            "files.example/path",
            "https://files.example/path",
            "files.example/",
            "files.example?x",
            "files.example#x",
            "files%2eexample",
            "file:///srv/files",
            "/srv/files",
            "a b.example",
            "a..example",
            ".example",
            "https://",
            "-",
            "",
        ] {
            assert_eq!(text.parse::<FileHost>(), Err(UrlError::NotAHost), "{text}");
        }
    }
}
