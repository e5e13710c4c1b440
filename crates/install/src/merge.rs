//! All files of a generation in one list: each path once, with everybody who brings it.
//!
//! Two distributions may bring the same path only with the same bytes; then both own it (WI14). Different bytes, or paths
//! that are one on some file system, are refused: else chance decides which `cv2.abi3.so` is loaded (WI13).

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Deref;

use pinfold_artifact::{ArchivePath, Sha256};
use pinfold_unpack::portable_fold;

use crate::{InstallError, disk};

/// A file that is to be in the environment.
#[derive(Debug, Clone)]
pub(crate) struct Planned<'a> {
    /// Where.
    pub(crate) path: ArchivePath,
    /// Its size.
    pub(crate) size_bytes: u64,
    /// Its digest.
    pub(crate) sha256: Sha256,
    /// Whether it may be executed.
    pub(crate) executable: bool,
    /// Where its bytes are.
    pub(crate) source: Source<'a>,
    /// Positions of the distributions that bring it; none: the environment itself.
    pub(crate) owners: Owners,
}

/// Positions of distributions. Nearly every file has one owner, who takes no memory of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Owners {
    AtMostOne(Option<u32>),
    Several(Vec<u32>),
}

impl Deref for Owners {
    type Target = [u32];

    fn deref(&self) -> &[u32] {
        match self {
            Self::AtMostOne(owner) => owner.as_slice(),
            Self::Several(owners) => owners,
        }
    }
}

/// Where the bytes of a planned file are.
#[derive(Debug, Clone)]
pub(crate) enum Source<'a> {
    /// Here.
    Bytes(Vec<u8>),
    /// In a tree of the store: its position, and the file.
    Tree(u32, &'a pinfold_store::TreeFile),
}

/// Sorts planned files directory by directory and joins those of one path. [`check_twins`] says the rest.
///
/// # Errors
/// [`InstallError::Conflict`]; `name` says who brings a file.
pub(crate) fn merge<'a>(files: Vec<Planned<'a>>, name: &Naming<'_>) -> Result<Vec<Planned<'a>>, InstallError> {
    let mut merged: Vec<Planned<'a>> = Vec::with_capacity(files.len());
    for file in sorted(files) {
        match merged.last_mut() {
            Some(last) if last.path == file.path => {
                if last.sha256 != file.sha256 {
                    return Err(conflict(last, &file, name));
                }
                let owners = Owners::Several([&*last.owners, &*file.owners].concat());
                // The mode comes with the source: if one of them may be executed, that one is used.
                if file.executable && !last.executable {
                    *last = file;
                }
                last.owners = owners;
            }
            _ => merged.push(file),
        }
    }
    Ok(merged)
}

/// Says who brings a file, from the positions of the distributions that do.
pub(crate) type Naming<'n> = dyn Fn(&[u32]) -> String + Sync + 'n;

/// Sorts by directory, then name, then owners. Each path is taken apart once; files are moved once, not while sorting.
fn sorted(files: Vec<Planned<'_>>) -> Vec<Planned<'_>> {
    let mut keys: Vec<(&str, &str, &[u32], usize)> = Vec::with_capacity(files.len());
    for (position, file) in files.iter().enumerate() {
        let (directory, name) = key(file);
        keys.push((directory, name, &file.owners, position));
    }
    keys.sort();
    let order: Vec<usize> = keys.into_iter().map(|(.., position)| position).collect();
    let mut files: Vec<Option<Planned<'_>>> = files.into_iter().map(Some).collect();
    order.into_iter().filter_map(|position| files[position].take()).collect()
}

/// Directory first, so that the files of one directory are neighbours.
fn key<'p>(file: &'p Planned<'_>) -> (&'p str, &'p str) {
    disk::split(file.path.as_str())
}

/// Refuses two paths that some file system takes for one, and a file where another distribution needs a directory. Takes
/// merged files.
///
/// # Errors
/// [`InstallError::Conflict`]; `name` says who brings a file.
pub(crate) fn check_twins(files: &[Planned<'_>], name: &Naming<'_>) -> Result<(), InstallError> {
    let mut seen: HashMap<Cow<'_, str>, usize> = HashMap::with_capacity(files.len());
    let mut directories: HashMap<String, usize> = HashMap::new();
    let mut last_directory = None;
    for (position, file) in files.iter().enumerate() {
        let folded = folded(&file.path);
        let directory = Some(key(file).0);
        if directory != last_directory {
            last_directory = directory;
            note_directories(&folded, position, &mut directories);
        }
        if let Some(other) = seen.insert(folded, position)
            && files[other].sha256 != file.sha256
        {
            return Err(conflict(&files[other], file, name));
        }
    }
    for (folded, inside) in &directories {
        if let Some(position) = seen.get(folded.as_str()) {
            return Err(conflict(&files[*position], &files[*inside], name));
        }
    }
    Ok(())
}

/// Returns what [`portable_fold`] does, without a copy of what is folded already.
fn folded(path: &ArchivePath) -> Cow<'_, str> {
    let is_folded = path.as_str().bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
    if is_folded { Cow::Borrowed(path.as_str()) } else { Cow::Owned(portable_fold(path)) }
}

fn note_directories(path: &str, position: usize, directories: &mut HashMap<String, usize>) {
    let mut rest = path;
    while let Some((parent, _)) = rest.rsplit_once('/') {
        if directories.contains_key(parent) {
            return;
        }
        directories.insert(parent.to_owned(), position);
        rest = parent;
    }
}

fn conflict(first: &Planned<'_>, second: &Planned<'_>, name: &Naming<'_>) -> InstallError {
    let path = if first.path == second.path {
        first.path.to_string()
    } else {
        format!("{}` and `{}", first.path, second.path)
    };
    InstallError::Conflict { path, first: name(&first.owners), second: name(&second.owners) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(path: &str, bytes: u8, owner: u32) -> Planned<'static> {
        Planned {
            path: path.parse().unwrap(),
            size_bytes: 1,
            sha256: Sha256::from_bytes([bytes; 32]),
            executable: false,
            source: Source::Bytes(vec![bytes]),
            owners: Owners::AtMostOne(Some(owner)),
        }
    }

    fn merge<'a>(files: Vec<Planned<'a>>, name: &Naming<'_>) -> Result<Vec<Planned<'a>>, InstallError> {
        let merged = super::merge(files, name)?;
        check_twins(&merged, name).map(|()| merged)
    }

    fn check(files: &[(&str, u8, u32)], expected: Result<&[(&str, &[u32])], &str>) {
        let files = files.iter().map(|(path, bytes, owner)| planned(path, *bytes, *owner)).collect();
        let merged = merge(files, &|owners| format!("{owners:?}"));
        let shown = merged
            .map(|files| files.into_iter().map(|it| (it.path.to_string(), it.owners.to_vec())).collect::<Vec<_>>())
            .map_err(|error| error.to_string());
        let expected = expected
            .map(|list| list.iter().map(|(path, owners)| ((*path).to_owned(), owners.to_vec())).collect())
            .map_err(str::to_owned);
        assert_eq!(shown, expected);
    }

    #[test]
    fn equal_bytes_are_shared() {
        let expected: &[(&str, &[u32])] = &[("n/__init__.py", &[0, 1]), ("n/a.py", &[0])];
        check(&[("n/__init__.py", 1, 0), ("n/a.py", 2, 0), ("n/__init__.py", 1, 1)], Ok(expected));
    }

    #[test]
    fn different_bytes_are_refused_and_both_are_named() {
        let expected = "`[0]` and `[1]` both install `cv2/cv2.abi3.so`, with different bytes";
        check(&[("cv2/cv2.abi3.so", 1, 0), ("cv2/cv2.abi3.so", 2, 1)], Err(expected));
    }

    #[test]
    fn twins_on_some_file_system_are_refused() {
        let expected = "`[0]` and `[1]` both install `a/B.py` and `a/b.py`, with different bytes";
        check(&[("a/B.py", 1, 0), ("a/b.py", 2, 1)], Err(expected));
        check(&[("a/B.py", 1, 0), ("a/b.py", 1, 1)], Ok(&[("a/B.py", &[0]), ("a/b.py", &[1])]));
        let expected = "`[1]` and `[0]` both install `cafe\u{301}/a.py` and `caf\u{e9}/a.py`, with different bytes";
        check(&[("caf\u{e9}/a.py", 1, 0), ("cafe\u{301}/a.py", 2, 1)], Err(expected));
    }

    #[test]
    fn a_file_in_the_place_of_a_directory_is_refused() {
        for pair in [[("a", 1, 0), ("a/b.py", 2, 1)], [("a/b.py", 2, 1), ("a", 1, 0)], [("A", 1, 0), ("a/b/c", 2, 1)]] {
            let files = pair.iter().map(|(path, bytes, owner)| planned(path, *bytes, *owner)).collect();
            assert!(matches!(merge(files, &|_| String::new()), Err(InstallError::Conflict { .. })), "{pair:?}");
        }
    }

    #[test]
    fn the_executable_twin_is_used() {
        let executable = Planned { executable: true, ..planned("bin/x", 1, 1) };
        let merged = merge(vec![planned("bin/x", 1, 0), executable], &|_| String::new()).unwrap();
        assert!(merged[0].executable);
        assert_eq!(*merged[0].owners, [0, 1]);
    }
}
