//! A member's path inside an archive, proven to stay below the directory that it is unpacked into, on every system.
//!
//! The check is one for all platforms: a wheel that is harmless on Linux and hostile on Windows is refused on both. Names
//! are not repaired: a path that would need cleaning is an attack or a bug, and either way not what was meant.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

use crate::Limits;

/// A relative path of plain segments, separated by `/`.
///
/// Paths that were made together by [`ArchivePaths`] share one text, which lives as long as one of them.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct ArchivePath {
    text: Arc<str>,
    /// What of the text is the path: no empty, `.` or `..` segment, none that Windows reads as something else, no control
    /// character.
    part: Range<u32>,
}

/// Paths that are made together: one piece of memory serves those of a whole tree.
#[derive(Debug, Default)]
pub struct ArchivePaths {
    /// The paths, one behind the other.
    text: String,
    /// Where each ends.
    ends: Vec<u32>,
}

/// Why a member's path is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArchivePathError {
    /// The path begins at a root or a drive.
    #[error("`{path}` is absolute")]
    Absolute {
        /// The path, escaped.
        path: String,
    },
    /// A control character, or one that Windows does not allow or reads as a separator.
    #[error("`{path}` holds `{found}`")]
    Character {
        /// The character, escaped.
        found: String,
        /// The path, escaped.
        path: String,
    },
    /// An empty path or segment.
    #[error("`{path}` has an empty segment")]
    Empty {
        /// The path, escaped.
        path: String,
    },
    /// A `.` or `..` segment.
    #[error("`{path}` has a segment `{segment}`")]
    Parent {
        /// The path, escaped.
        path: String,
        /// `.` or `..`.
        segment: String,
    },
    /// A segment that Windows reads as a device, or strips.
    #[error("`{path}` has a segment `{segment}` that means something else on Windows")]
    Reserved {
        /// The path, escaped.
        path: String,
        /// The segment.
        segment: String,
    },
    /// Too many bytes, in all or in a segment, or too many segments.
    #[error(
        "`{path}` … is longer than {} bytes, deeper than {} segments, or has one of more than {} bytes",
        Limits::PATH_BYTES,
        Limits::PATH_SEGMENTS,
        Limits::SEGMENT_BYTES
    )]
    TooLong {
        /// The beginning of the path, escaped.
        path: String,
    },
}

impl ArchivePath {
    /// Takes a text that was checked: it has no more than [`Limits::PATH_BYTES`].
    fn checked(text: &str) -> Self {
        Self { text: text.into(), part: 0..u32::try_from(text.len()).unwrap_or(u32::MAX) }
    }

    /// Returns the path, with `/` between segments.
    pub fn as_str(&self) -> &str {
        self.text.get(self.part.start as usize..self.part.end as usize).unwrap_or_default()
    }

    /// Returns the segments, at least one.
    pub fn segments(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.as_str().split('/')
    }

    /// Returns the last segment.
    pub fn file_name(&self) -> &str {
        self.as_str().rsplit('/').next().unwrap_or_default()
    }

    /// Returns the path of the directory that holds this, or none at the top.
    pub fn parent(&self) -> Option<Self> {
        self.as_str().rsplit_once('/').map(|(parent, _)| Self::checked(parent))
    }

    /// Returns a path below this one. Both are valid, so only the length of the whole has to be looked at.
    ///
    /// # Errors
    /// [`ArchivePathError::TooLong`].
    pub fn join(&self, below: &Self) -> Result<Self, ArchivePathError> {
        let joined = [self.as_str(), "/", below.as_str()].concat();
        check_length(&joined).map(|()| Self::checked(&joined))
    }

    /// Returns what a case-insensitive file system makes of the path; two paths with equal folds are one file there.
    pub fn case_fold(&self) -> String {
        self.as_str().to_lowercase()
    }
}

impl ArchivePaths {
    /// Makes room for so many paths of so many bytes together; there may be more of both.
    pub fn with_capacity(count: usize, bytes: usize) -> Self {
        Self { text: String::with_capacity(bytes), ends: Vec::with_capacity(count) }
    }

    /// Adds the path that a text is.
    ///
    /// # Errors
    /// As for parsing one.
    pub fn push(&mut self, text: &str) -> Result<(), ArchivePathError> {
        check(text)?;
        self.text.push_str(text);
        self.end()
    }

    /// Adds a path below another, as [`ArchivePath::join`] makes it.
    ///
    /// # Errors
    /// [`ArchivePathError::TooLong`].
    pub fn push_joined(&mut self, directory: &ArchivePath, below: &ArchivePath) -> Result<(), ArchivePathError> {
        let begin = self.text.len();
        self.text.push_str(directory.as_str());
        self.text.push('/');
        self.text.push_str(below.as_str());
        check_length(&self.text[begin..])?;
        self.end()
    }

    /// Returns the paths, in the order in which they were added.
    pub fn finish(self) -> impl ExactSizeIterator<Item = ArchivePath> {
        let (text, mut begin): (Arc<str>, u32) = (self.text.into(), 0);
        self.ends.into_iter().map(move |end| {
            let part = begin..end;
            begin = end;
            ArchivePath { text: Arc::clone(&text), part }
        })
    }

    fn end(&mut self) -> Result<(), ArchivePathError> {
        let too_long = |_| ArchivePathError::TooLong { path: beginning(&self.text) };
        let end = u32::try_from(self.text.len()).map_err(too_long)?;
        self.ends.push(end);
        Ok(())
    }
}

impl fmt::Debug for ArchivePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ArchivePath").field(&self.as_str()).finish()
    }
}

impl PartialEq for ArchivePath {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for ArchivePath {}

impl PartialOrd for ArchivePath {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ArchivePath {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Hash for ArchivePath {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl FromStr for ArchivePath {
    type Err = ArchivePathError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        check(text).map(|()| Self::checked(text))
    }
}

impl TryFrom<String> for ArchivePath {
    type Error = ArchivePathError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

fn check(text: &str) -> Result<(), ArchivePathError> {
    check_length(text)?;
    // Trees of many thousand files are read often: only what is not plain is looked at character by character.
    if is_plain(text.as_bytes()) {
        return Ok(());
    }
    let path = || beginning(text);
    let drive = text.as_bytes().get(1) == Some(&b':') && text.as_bytes()[0].is_ascii_alphabetic();
    if text.starts_with('/') || text.starts_with('\\') || drive {
        return Err(ArchivePathError::Absolute { path: path() });
    }
    let foreign = |c: &char| c.is_control() || matches!(c, '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|');
    if let Some(found) = text.chars().find(foreign) {
        return Err(ArchivePathError::Character {
            found: crate::shown(found.encode_utf8(&mut [0; 4]), 1),
            path: path(),
        });
    }
    text.split('/').try_for_each(|segment| check_segment(segment, &path))
}

fn check_length(text: &str) -> Result<(), ArchivePathError> {
    let separators = || text.bytes().filter(|byte| *byte == b'/').count();
    // In a shorter path that has so many, one of the segments is empty, for which it is refused anyway.
    let is_too_deep = text.len() >= 2 * Limits::PATH_SEGMENTS && separators() >= Limits::PATH_SEGMENTS;
    let has_long_segment =
        || text.len() > Limits::SEGMENT_BYTES && text.split('/').any(|it| it.len() > Limits::SEGMENT_BYTES);
    if text.len() > Limits::PATH_BYTES || is_too_deep || has_long_segment() {
        return Err(ArchivePathError::TooLong { path: beginning(text) });
    }
    Ok(())
}

/// Returns the beginning of a text, escaped.
fn beginning(text: &str) -> String {
    crate::shown(text, 120)
}

/// Returns true for paths of nothing but plain segments. What this does not know is no error yet.
fn is_plain(path: &[u8]) -> bool {
    let is_plain_segment = |segment: &[u8]| segment.last().is_some_and(|last| *last != b'.') && !may_be_device(segment);
    let mut begin = 0;
    for (position, byte) in path.iter().enumerate() {
        if PLAIN[usize::from(*byte)] {
            continue;
        }
        if *byte != b'/' || !is_plain_segment(&path[begin..position]) {
            return false;
        }
        begin = position + 1;
    }
    is_plain_segment(&path[begin..])
}

/// Which bytes have no meaning of their own anywhere.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let bytes = b"+-._0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut position = 0;
    while position < bytes.len() {
        plain[bytes[position] as usize] = true;
        position += 1;
    }
    plain
};

/// Returns true for a segment of plain characters that [`is_device`] has to look at.
fn may_be_device(segment: &[u8]) -> bool {
    // Most names begin with another letter.
    if !segment.first().is_some_and(|first| b"aclnp".contains(&first.to_ascii_lowercase())) {
        return false;
    }
    let stem = segment.iter().take(5).position(|byte| *byte == b'.').unwrap_or(segment.len().min(5));
    let is = |name: &[u8; 3]| segment[..3].eq_ignore_ascii_case(name);
    match stem {
        3 => is(b"aux") || is(b"con") || is(b"nul") || is(b"prn"),
        4 => is(b"com") || is(b"lpt"),
        _ => false,
    }
}

fn check_segment(segment: &str, path: &dyn Fn() -> String) -> Result<(), ArchivePathError> {
    if segment.is_empty() {
        return Err(ArchivePathError::Empty { path: path() });
    }
    if matches!(segment, "." | "..") {
        return Err(ArchivePathError::Parent { path: path(), segment: segment.to_owned() });
    }
    if segment.ends_with('.') || segment.ends_with(' ') || is_device(segment) {
        return Err(ArchivePathError::Reserved { path: path(), segment: segment.to_owned() });
    }
    Ok(())
}

fn is_device(segment: &str) -> bool {
    let stem = segment.split('.').next().unwrap_or(segment).trim_end();
    // Most names are longer than `CONOUT$`: trees of many thousand files are read often.
    if stem.len() > "CONOUT$".len() {
        return false;
    }
    let stem = stem.to_ascii_uppercase();
    let numbered = |prefix: &str| {
        stem.strip_prefix(prefix)
            .is_some_and(|rest| matches!(rest.chars().collect::<Vec<_>>()[..], ['0'..='9' | '¹' | '²' | '³']))
    };
    matches!(stem.as_str(), "AUX" | "CON" | "CONIN$" | "CONOUT$" | "NUL" | "PRN") || numbered("COM") || numbered("LPT")
}

impl Serialize for ArchivePath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl From<ArchivePath> for String {
    fn from(path: ArchivePath) -> Self {
        path.as_str().to_owned()
    }
}

impl fmt::Display for ArchivePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_plain_relative_paths() {
        for path in ["a.py", "a/b/c.py", "a/.hidden", "a/…/ü.txt", "conda/x.py", "a/common.py", "lpt/x", "a b/c"] {
            assert_eq!(path.parse::<ArchivePath>().unwrap().as_str(), path);
        }
    }

    #[test]
    fn rejects_every_way_out() {
        for path in ["../evil.py", "a/../../b", "a/..", "./a", "a/./b", "/abs", "C:\\x", "C:x", "\\\\srv\\x", "a\\b"] {
            assert!(path.parse::<ArchivePath>().is_err(), "{path:?}");
        }
    }

    #[test]
    fn rejects_names_that_windows_reads_otherwise() {
        for path in [
            "CON",
            "a/aux.py",
            "x.",
            "x ",
            "a:b",
            "a/NUL .txt",
            "com1.log",
            "lpt9",
            "a?b",
            "a//b",
            "",
            "a/",
            "a\0b",
            "a\nb",
        ] {
            assert!(path.parse::<ArchivePath>().is_err(), "{path:?}");
        }
    }

    #[test]
    fn a_plain_path_is_judged_as_any_other() {
        let segments = [
            "a", "Con", "con.py", "cons", "COM1.x", "com", "lpt", "lpt0", "comb", "nul", "prn.", ".", "..", "", "a.",
            "x y", "é",
        ];
        for first in segments {
            for second in segments {
                let text = format!("{first}/{second}");
                let path = || text.clone();
                let expected = text.split('/').all(|segment| check_segment(segment, &path).is_ok());
                assert_eq!(text.parse::<ArchivePath>().is_ok(), expected && !text.starts_with('/'), "{text:?}");
                assert!(expected || !is_plain(text.as_bytes()), "{text:?}");
            }
        }
        assert!(is_plain(b"lib/python3.10/site-packages/torch-2.1.0+cu121.dist-info/c10/api.h"));
    }

    /// A path that nothing can be put before.
    fn long() -> String {
        let path = vec!["a".repeat(Limits::SEGMENT_BYTES); 4].join("/");
        assert_eq!(path.len(), Limits::PATH_BYTES - 1);
        path
    }

    #[test]
    fn joins_what_is_not_too_long() {
        let root: ArchivePath = "lib/python3.10/site-packages".parse().unwrap();
        assert_eq!(root.join(&"a/b.py".parse().unwrap()).unwrap().as_str(), "lib/python3.10/site-packages/a/b.py");
        let deep: ArchivePath = vec!["a"; Limits::PATH_SEGMENTS - 3].join("/").parse().unwrap();
        assert!(root.join(&deep).is_ok());
        let too_deep: ArchivePath = vec!["a"; Limits::PATH_SEGMENTS - 2].join("/").parse().unwrap();
        assert!(matches!(root.join(&too_deep), Err(ArchivePathError::TooLong { .. })));
        let long: ArchivePath = long().parse().unwrap();
        assert!(matches!(root.join(&long), Err(ArchivePathError::TooLong { .. })));
    }

    #[test]
    fn paths_that_are_made_together_are_as_those_that_are_made_alone() {
        let texts = ["a.py", "é/b.py", "a/b/c", "a.py"];
        let root: ArchivePath = "lib/x".parse().unwrap();
        let mut together = ArchivePaths::default();
        for text in texts {
            together.push(text).unwrap();
            together.push_joined(&root, &text.parse().unwrap()).unwrap();
        }
        let alone = |text: &str| text.parse::<ArchivePath>().unwrap();
        let expected: Vec<_> = texts.iter().flat_map(|text| [alone(text), root.join(&alone(text)).unwrap()]).collect();
        let found: Vec<_> = together.finish().collect();
        assert_eq!(found, expected);
        let shown = |paths: &[ArchivePath]| paths.iter().map(ArchivePath::to_string).collect::<Vec<_>>();
        assert_eq!(shown(&found), shown(&expected));
        assert_eq!(found.iter().collect::<std::collections::HashSet<_>>().len(), 6);
        assert!(found[0] < found[2] && found[0] == found[6]);
        // What is refused alone is refused here.
        for path in ["../evil.py", "", "a//b", "a\\b", "aux"] {
            assert_eq!(ArchivePaths::default().push(path).unwrap_err(), path.parse::<ArchivePath>().unwrap_err());
        }
        let long = alone(&long());
        assert_eq!(ArchivePaths::default().push_joined(&root, &long).unwrap_err(), root.join(&long).unwrap_err());
    }

    #[test]
    fn rejects_endless_paths() {
        assert!("a/".repeat(Limits::PATH_SEGMENTS + 1).parse::<ArchivePath>().is_err());
        assert!(format!("{}/a", long()).parse::<ArchivePath>().is_err());
        for (name, is_accepted) in [("a".repeat(255), true), ("a".repeat(256), false), ("é".repeat(128), false)] {
            for path in [name.clone(), format!("a/{name}"), format!("{name}/a")] {
                assert_eq!(path.parse::<ArchivePath>().is_ok(), is_accepted, "{path}");
            }
        }
    }

    #[test]
    fn folds_case_for_twins() {
        let upper: ArchivePath = "A/B.py".parse().unwrap();
        let lower: ArchivePath = "a/b.PY".parse().unwrap();
        assert_eq!(upper.case_fold(), lower.case_fold());
        assert_eq!(upper.parent().unwrap().as_str(), "A");
        assert_eq!(upper.file_name(), "B.py");
    }
}
