//! A git repository, a revision of it and a commit, as texts that are safe to hand to the `git` program.
//!
//! Each of the three becomes an argument of a foreign program, so what could be read as an option, as another transport or as
//! a command is none of them: a host or revision that begins with `-`, `ext::`, a password, a redirect by port tricks.

use std::fmt;
use std::str::FromStr;

use url::{Host, Url};

use crate::safe_url::check_spelling;
use crate::{FileHost, Limits, SafeUrl, UrlError};

/// Where a repository is: over `https`, over `ssh`, on this disk, or over `http` on this machine (or, for `http` elsewhere,
/// nowhere).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GitUrl(
    /// Scheme `https`, `http` (loopback only), `ssh` or `file`; a host that is a plain name or address; no password, no query,
    /// no fragment; a user name over `ssh` only.
    Url,
);

/// Why a text is no repository that pinfold works with. No variant holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GitUrlError {
    /// The URL carries a password, or a user name where none belongs.
    #[error("a repository's URL must not carry a user name or password, but for the user of ssh (`git+ssh://git@…`)")]
    Credentials,
    /// The host or user could be read as something else by the programs that it is given to.
    #[error("the repository's {part} `{found}` is no plain name")]
    Name {
        /// `host` or `user`.
        part: &'static str,
        /// What was found, escaped and cut.
        found: String,
    },
    /// The transport is none that pinfold uses.
    #[error("the transport `{found}` is not used; write git+https://…, git+ssh://… or git+file:///…")]
    Transport {
        /// The scheme found.
        found: String,
    },
    /// Plain `http` to another machine.
    #[error("anyone on the way can change what plain http carries; write git+https://…")]
    Insecure,
    /// It is no URL at all, or has parts that a repository's URL has not.
    #[error("this is no URL of a repository: {reason}")]
    Url {
        /// What is wrong.
        reason: String,
    },
}

/// A branch, a tag, a full reference or a commit that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GitRevision(
    /// Plain characters, not beginning with `-`, nothing that git reads as an expression.
    String,
);

/// Why a text is no revision.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is no branch, tag or commit: {reason}")]
pub struct GitRevisionError {
    /// The text, escaped and cut.
    pub found: String,
    /// What is wrong.
    pub reason: &'static str,
}

/// A commit: forty hexadecimal digits. They are a SHA-1 and vouch for nothing here; a SHA-256 of the tree does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommitId(
    /// Forty lower-case hexadecimal digits.
    String,
);

/// A text that is no commit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is no commit: it must have 40 hexadecimal digits")]
pub struct CommitIdError {
    /// The text, escaped and cut.
    pub found: String,
}

impl GitUrl {
    /// Returns the URL as git takes it.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Returns the parsed URL.
    pub const fn as_url(&self) -> &Url {
        &self.0
    }

    /// Returns the transport: `https`, `http`, `ssh` or `file`.
    pub fn transport(&self) -> &str {
        self.0.scheme()
    }

    /// Returns the URL by which what came from the repository is named in the store. It is never asked for anything: a
    /// repository over ssh has none of its own, so its host's stands for it.
    pub fn origin_url(&self) -> Option<SafeUrl> {
        let user_free = match self.transport() {
            "ssh" => format!("https://{}{}", self.host_and_port(), self.0.path()),
            _ => self.0.as_str().to_owned(),
        };
        user_free.parse().ok()
    }

    /// Returns the host, for messages and policies; a repository on this disk has none.
    pub fn file_host(&self) -> Option<FileHost> {
        self.origin_url()?.file_host()
    }

    fn host_and_port(&self) -> String {
        let host = self.0.host_str().unwrap_or_default();
        self.0.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }
}

impl FromStr for GitUrl {
    type Err = GitUrlError;

    /// Reads a URL without the `git+` before it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = Url::parse(text).map_err(|error| GitUrlError::Url { reason: error.to_string() })?;
        let wrong = |reason: &str| Err(GitUrlError::Url { reason: reason.to_owned() });
        let is_ssh = url.scheme() == "ssh";
        if url.password().is_some() || (!url.username().is_empty() && !is_ssh) {
            return Err(GitUrlError::Credentials);
        }
        if !matches!(url.scheme(), "https" | "http" | "ssh" | "file") {
            return Err(GitUrlError::Transport { found: shown(url.scheme()) });
        }
        check_spelling(text).map_err(|error| match error {
            UrlError::Malformed { reason } => GitUrlError::Url { reason },
            error => GitUrlError::Url { reason: error.to_string() },
        })?;
        if url.query().is_some() || url.fragment().is_some() {
            return wrong("it has a query or a fragment");
        }
        if url.path().trim_matches('/').is_empty() {
            return wrong("it names no repository");
        }
        if url.as_str().len() > Limits::REQUIREMENT_BYTES || text.contains("::") && !text.contains('[') {
            return wrong("it is too long, or names a program");
        }
        if url.scheme() == "file" {
            let local = url.host_str().is_none_or(str::is_empty);
            return if local { Ok(Self(url)) } else { wrong("a `file` URL names no host") };
        }
        check_host(&url)?;
        let user = url.username();
        if user.starts_with('-') || user.chars().any(|c| !(c.is_ascii_alphanumeric() || "-_.".contains(c))) {
            return Err(GitUrlError::Name { part: "user", found: shown(user) });
        }
        let loopback = url.as_str().parse::<SafeUrl>().is_ok_and(|safe| safe.is_loopback());
        if url.scheme() == "http" && !loopback {
            return Err(GitUrlError::Insecure);
        }
        Ok(Self(url))
    }
}

/// A host reaches `ssh` as an argument: it must not begin with `-`, and is a name or an address.
fn check_host(url: &Url) -> Result<(), GitUrlError> {
    let host = url.host_str().unwrap_or_default();
    let plain = match url.host() {
        Some(Host::Domain(name)) => name.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c)),
        Some(Host::Ipv4(_) | Host::Ipv6(_)) => true,
        None => false,
    };
    if host.is_empty() || host.starts_with(['-', '.']) || !plain {
        return Err(GitUrlError::Name { part: "host", found: shown(host) });
    }
    Ok(())
}

impl fmt::Display for GitUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl GitRevision {
    /// Returns the revision.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the commit, if it names one in full.
    pub fn commit(&self) -> Option<CommitId> {
        self.0.parse().ok()
    }

    /// Returns true if it may be the beginning of a commit: at least seven hexadecimal digits, and not all forty.
    pub fn may_be_abbreviated(&self) -> bool {
        (7..40).contains(&self.0.len()) && self.0.bytes().all(|byte| byte.is_ascii_hexdigit())
    }
}

impl FromStr for GitRevision {
    type Err = GitRevisionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |reason| Err(GitRevisionError { found: shown(text), reason });
        if text.is_empty() || text.len() > 200 {
            return wrong("it must have 1 to 200 characters");
        }
        if text.starts_with('-') {
            return wrong("git would take it for an option");
        }
        if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./+".contains(&byte)) {
            return wrong("it may have letters, digits and `-_./+` only");
        }
        let odd_segment = |segment: &str| segment.is_empty() || segment.starts_with('.') || segment.ends_with(".lock");
        if text.contains("..") || text.ends_with('.') || text.split('/').any(odd_segment) {
            return wrong("no reference is named so");
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for GitRevision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl CommitId {
    /// Returns the forty digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CommitId {
    type Err = CommitIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(Self(text.to_ascii_lowercase()));
        }
        Err(CommitIdError { found: shown(text) })
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn shown(text: &str) -> String {
    crate::shown(text, 80)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_repositories() {
        for (text, origin) in [
            ("https://git.example/a/b.git", "https://git.example/a/b.git"),
            ("https://git.example:8443/a", "https://git.example:8443/a"),
            ("ssh://git@git.example/a/b", "https://git.example/a/b"),
            ("ssh://git.example:2222/~me/b.git", "https://git.example:2222/~me/b.git"),
            ("file:///srv/b.git", "file:///srv/b.git"),
            ("http://127.0.0.1:8000/b.git", "http://127.0.0.1:8000/b.git"),
            ("https://[2001:db8::1]/b.git", "https://[2001:db8::1]/b.git"),
        ] {
            let url: GitUrl = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(url.as_str(), text);
            assert_eq!(url.origin_url().unwrap().as_str(), origin);
        }
    }

    #[test]
    fn refuses_what_a_program_would_read_otherwise() {
        for text in [
            "ext::sh -c touch% /tmp/x",
            "https://ext::sh/x",
            "ssh://-oProxyCommand=touch/x",
            "ssh://git@-oProxyCommand=x/y",
            "ssh://-l@git.example/y",
            "ssh://git:secret@git.example/y",
            "https://token@git.example/y",
            "https://me:secret@git.example/y",
            "http://git.example/y",
            "git://git.example/y",
            "https://git.example\\@evil.example/y",
            "https://git.example/a\\@b/y",
            "https:/git.example/y",
            "https:///git.example/y",
            "ssh://git@git.example/a\tb",
            "file://git.example/y",
            "https://git.example/",
            "https://git.example/y?x=1",
            "https://git.example/y#x",
            "git@git.example:a/b.git",
            "/srv/b.git",
            "-x",
        ] {
            assert!(text.parse::<GitUrl>().is_err(), "{text}");
        }
        let shown = "https://me:secret@git.example/y".parse::<GitUrl>().unwrap_err().to_string();
        assert!(!shown.contains("secret"), "{shown}");
    }

    #[test]
    fn reads_revisions() {
        for text in ["main", "v1.0", "feature/x-y", "refs/tags/v1", "0123abc", "1.0+cu121"] {
            assert_eq!(text.parse::<GitRevision>().unwrap().as_str(), text);
        }
        let long = "a".repeat(201);
        for text in [
            "",
            "-x",
            "--upload-pack=touch",
            "a..b",
            "a b",
            "a~1",
            "a^",
            "a:b",
            "a@{1}",
            "a*",
            "/a",
            "a/",
            "x.lock",
            &long,
        ] {
            assert!(text.parse::<GitRevision>().is_err(), "{text}");
        }
        assert!("0123ABC".parse::<GitRevision>().unwrap().may_be_abbreviated());
        assert!(!"main".parse::<GitRevision>().unwrap().may_be_abbreviated());
        assert!("A".repeat(40).parse::<GitRevision>().unwrap().commit().is_some());
    }

    #[test]
    fn a_commit_has_forty_digits() {
        assert_eq!("AB".repeat(20).parse::<CommitId>().unwrap().as_str(), "ab".repeat(20));
        for text in ["", "abc", &"g".repeat(40), &"a".repeat(41), &"a".repeat(64)] {
            assert!(text.parse::<CommitId>().is_err(), "{text}");
        }
    }
}
