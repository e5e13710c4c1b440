//! A path that somebody wrote into a manifest or lock: relative to the file that names it, with `/` between its segments.
//!
//! It is a text, not a place: nothing here looks at a disk. It is kept in one spelling, so that two ways to write one path
//! are equal, and what a lock says does not depend on the system that wrote it.

use std::fmt;
use std::str::FromStr;

use url::Url;

use crate::{Limits, SafeUrl};

/// A path with `/` between its segments: relative, perhaps beginning with `..`, or absolute.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalPath(
    /// No empty segment, no `.` unless it is all there is, `..` only at the beginning of a relative path, no control
    /// character, at most [`Limits::PATH_BYTES`]; an absolute one begins with `/` or a drive.
    String,
);

/// Why a text is no path that pinfold works with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LocalPathError {
    /// A control character.
    #[error("the path `{path}` holds `{found}`")]
    Character {
        /// The character, escaped.
        found: String,
        /// The path, escaped and cut.
        path: String,
    },
    /// Nothing, or a shell's shorthand for the home directory.
    #[error("`{path}` is no path: {reason}")]
    Form {
        /// The path, escaped and cut.
        path: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// Too long.
    #[error("the path `{path}` … is longer than {} bytes", Limits::PATH_BYTES)]
    TooLong {
        /// The beginning of the path, escaped.
        path: String,
    },
}

impl LocalPath {
    /// Returns the path.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns true if it begins at a root or a drive.
    pub fn is_absolute(&self) -> bool {
        root_of(&self.0) > 0
    }

    /// Returns the last segment.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// Returns the `file` URL of an absolute path.
    pub fn to_file_url(&self) -> Option<SafeUrl> {
        let mut url = Url::parse("file:///").ok().filter(|_| self.is_absolute())?;
        url.path_segments_mut().ok()?.clear().extend(self.0.split('/').filter(|segment| !segment.is_empty()));
        SafeUrl::try_from(url).ok()
    }

    /// Returns the directory that holds it.
    ///
    /// # Errors
    /// If it has none.
    pub fn parent(&self) -> Result<Self, LocalPathError> {
        self.join(&Self("..".to_owned()))
    }

    /// Returns the path that `other` is, seen from this directory.
    ///
    /// # Errors
    /// [`LocalPathError::TooLong`].
    pub fn join(&self, other: &Self) -> Result<Self, LocalPathError> {
        if other.is_absolute() {
            return Ok(other.clone());
        }
        format!("{}/{}", self.0, other.0).parse()
    }

    /// Returns how this absolute path is written from an absolute directory; as it is where no way leads (another drive).
    ///
    /// # Errors
    /// [`LocalPathError::TooLong`].
    pub fn seen_from(&self, directory: &Self) -> Result<Self, LocalPathError> {
        let (root, from) = (root_of(&self.0), root_of(&directory.0));
        if self.0[..root] != directory.0[..from] || root == 0 {
            return Ok(self.clone());
        }
        let segments = |path: &'_ str| path.split('/').filter(|s| !s.is_empty()).map(str::to_owned).collect::<Vec<_>>();
        let (own, base) = (segments(&self.0[root..]), segments(&directory.0[from..]));
        let shared = own.iter().zip(&base).take_while(|(a, b)| a == b).count();
        let up = std::iter::repeat_n("..", base.len() - shared);
        let text: Vec<&str> = up.chain(own[shared..].iter().map(String::as_str)).collect();
        if text.is_empty() { ".".parse() } else { text.join("/").parse() }
    }
}

/// Returns how many bytes of a path in our spelling are its root: `/` or `C:/`.
fn root_of(path: &str) -> usize {
    let bytes = path.as_bytes();
    match bytes {
        [b'/', ..] => 1,
        [drive, b':', b'/', ..] if drive.is_ascii_alphabetic() => 3,
        _ => 0,
    }
}

impl FromStr for LocalPath {
    type Err = LocalPathError;

    /// Reads a path with `/` or `\` between its segments.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let path = || crate::shown(text, 120);
        if let Some(found) = text.chars().find(|c| c.is_control()) {
            return Err(LocalPathError::Character { found: found.escape_debug().to_string(), path: path() });
        }
        if text.is_empty() {
            return Err(LocalPathError::Form { path: path(), reason: "it is empty" });
        }
        if text.starts_with('~') {
            return Err(LocalPathError::Form { path: path(), reason: "`~` is a shorthand of the shell" });
        }
        let plain = text.replace('\\', "/");
        let root = root_of(&plain);
        let mut segments: Vec<&str> = Vec::new();
        for segment in plain[root..].split('/') {
            match segment {
                "" | "." => {}
                ".." if segments.last().is_some_and(|last| *last != "..") => drop(segments.pop()),
                ".." if root > 0 => {}
                other => segments.push(other),
            }
        }
        let joined = format!("{}{}", &plain[..root], segments.join("/"));
        if joined.len() > Limits::PATH_BYTES {
            return Err(LocalPathError::TooLong { path: path() });
        }
        Ok(Self(if joined.is_empty() { ".".to_owned() } else { joined }))
    }
}

impl fmt::Display for LocalPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> LocalPath {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn one_path_has_one_spelling() {
        for (text, expected) in [
            ("./a/b.whl", "a/b.whl"),
            ("a//b/../c/", "a/c"),
            ("../a/./b", "../a/b"),
            ("a/../..", ".."),
            ("./", "."),
            (".", "."),
            ("a\\b", "a/b"),
            ("/a/../../b", "/b"),
            ("/", "/"),
            ("C:\\a\\b", "C:/a/b"),
        ] {
            assert_eq!(path(text).as_str(), expected, "{text}");
        }
        for text in ["", "~/a", "a\nb", &"a".repeat(2000)] {
            assert!(text.parse::<LocalPath>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_absolute_path_has_a_url() {
        let url = |text: &str| path(text).to_file_url().map(String::from);
        assert_eq!(url("/w/a b%.whl").as_deref(), Some("file:///w/a%20b%25.whl"));
        assert_eq!(url("C:/w").as_deref(), Some("file:///C:/w"));
        assert_eq!(url("w"), None);
    }

    #[test]
    fn paths_are_joined_and_seen_from_elsewhere() {
        assert_eq!(path("sub").join(&path("../a.whl")).unwrap(), path("a.whl"));
        assert_eq!(path("sub").join(&path("/a.whl")).unwrap(), path("/a.whl"));
        assert_eq!(path("../x/r.txt").parent().unwrap(), path("../x"));
        for (own, directory, expected) in [
            ("/p/w/a.whl", "/p", "w/a.whl"),
            ("/w/a.whl", "/p/q", "../../w/a.whl"),
            ("/p", "/p", "."),
            ("C:/w/a", "C:/p", "../w/a"),
            ("D:/w/a", "C:/p", "D:/w/a"),
        ] {
            assert_eq!(path(own).seen_from(&path(directory)).unwrap().as_str(), expected, "{own} from {directory}");
        }
    }
}
