//! All files of a generation in one list: each path once, with everybody who brings it.
//!
//! Two distributions may bring the same path only with the same bytes; then both own it (WI14). Different bytes, or paths
//! that are one on some file system, are refused: else chance decides which `cv2.abi3.so` is loaded (WI13).

mod twins;

use std::ops::{Deref, Range};
use std::sync::Arc;

use pinfold_artifact::{ArchivePath, Sha256};

pub(crate) use twins::check_twins;

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
    Bytes(Arc<Vec<u8>>),
    /// In a tree of the store: its position, and the file.
    Tree(u32, &'a pinfold_store::TreeFile),
}

/// What several lists of planned files come to. Most directories are one distribution's: their files stay in its list.
#[derive(Debug)]
pub(crate) struct Merged<'a> {
    /// The files of the other directories.
    shared: Vec<Planned<'a>>,
    /// Where the files of each directory are, sorted by directory: in a list, by its position, or in `shared`.
    places: Vec<(Option<usize>, Range<usize>)>,
}

/// Sorts the planned files of all directory by directory and joins those of one path. [`check_twins`] says the rest.
///
/// # Errors
/// [`InstallError::Conflict`]; `name` says who brings a file.
pub(crate) fn merge<'a>(lists: &[Vec<Planned<'a>>], name: &Naming<'_>) -> Result<Merged<'a>, InstallError> {
    let mut runs = runs(lists);
    // What a distribution brings is nearly in order already. Of one directory, the list that comes first stays first.
    runs.sort_by_key(|run| run.directory);
    let mut merged = Merged { shared: Vec::new(), places: Vec::with_capacity(runs.len()) };
    for together in runs.chunk_by(|a, b| a.directory == b.directory) {
        if let [only] = together {
            merged.places.push((Some(only.list), only.range.clone()));
            continue;
        }
        let mut files: Vec<&Planned<'a>> =
            together.iter().flat_map(|run| &lists[run.list][run.range.clone()]).collect();
        files.sort_by_key(|file| key(file).1);
        let begin = merged.shared.len();
        files.into_iter().try_for_each(|file| merged.share(begin, file, name))?;
        merged.places.push((None, begin..merged.shared.len()));
    }
    Ok(merged)
}

impl<'a> Merged<'a> {
    /// Adds a file to those of a directory that begin there.
    fn share(&mut self, begin: usize, file: &Planned<'a>, name: &Naming<'_>) -> Result<(), InstallError> {
        match self.shared[begin..].last_mut() {
            Some(last) if last.path == file.path => {
                if last.sha256 != file.sha256 {
                    return Err(conflict(last, file, name));
                }
                let owners = Owners::Several([&*last.owners, &*file.owners].concat());
                // The mode comes with the source: if one of them may be executed, that one is used.
                if file.executable && !last.executable {
                    *last = file.clone();
                }
                last.owners = owners;
            }
            _ => self.shared.push(file.clone()),
        }
        Ok(())
    }

    /// Returns the files of each directory, given the lists that were merged.
    pub(crate) fn groups<'p>(&'p self, lists: &'p [Vec<Planned<'a>>]) -> Vec<Group<'p>> {
        let files = |(list, range): &(Option<usize>, Range<usize>)| {
            &list.map_or(&self.shared[..], |list| &lists[list])[range.clone()]
        };
        let group = |files: &'p [Planned<'p>]| Some(Group { directory: key(files.first()?).0, files });
        self.places.iter().map(files).filter_map(group).collect()
    }
}

/// Says who brings a file, from the positions of the distributions that do.
pub(crate) type Naming<'n> = dyn Fn(&[u32]) -> String + Sync + 'n;

/// Files of one list that follow each other in one directory, their names rising.
struct Run<'p> {
    directory: &'p str,
    list: usize,
    range: Range<usize>,
}

fn runs<'p>(lists: &'p [Vec<Planned<'_>>]) -> Vec<Run<'p>> {
    let mut runs: Vec<Run<'p>> = Vec::new();
    for (list, files) in lists.iter().enumerate() {
        let mut last = None;
        for (position, file) in files.iter().enumerate() {
            let path = file.path.as_str();
            let goes_on = |run: &Run<'p>| last.is_some_and(|last| last < path) && disk::is_in(run.directory, path);
            match runs.last_mut().filter(|run| goes_on(run)) {
                Some(run) => run.range.end += 1,
                None => runs.push(Run { directory: key(file).0, list, range: position..position + 1 }),
            }
            last = Some(path);
        }
    }
    runs
}

/// Directory first, so that the files of one directory are neighbours.
fn key<'p>(file: &'p Planned<'_>) -> (&'p str, &'p str) {
    disk::split(file.path.as_str())
}

/// The merged files of one directory, sorted by name.
#[derive(Clone, Copy)]
pub(crate) struct Group<'p> {
    /// The directory's path, empty for the root.
    pub(crate) directory: &'p str,
    /// At least one.
    pub(crate) files: &'p [Planned<'p>],
}

impl<'p> Group<'p> {
    /// Returns the groups of files that are sorted by directory.
    pub(crate) fn all(files: &'p [Planned<'p>]) -> Vec<Self> {
        let (mut groups, mut rest) = (Vec::new(), files);
        while let Some(first) = rest.first() {
            let directory = key(first).0;
            let end = rest.iter().position(|file| !disk::is_in(directory, file.path.as_str())).unwrap_or(rest.len());
            let (files, others) = rest.split_at(end);
            groups.push(Self { directory, files });
            rest = others;
        }
        groups
    }

    /// Returns a file's name, from its path: quicker than looking for the last slash.
    pub(crate) fn name_of(&self, file: &'p Planned<'_>) -> &'p str {
        disk::inside(self.directory, file.path.as_str())
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
            source: Source::Bytes(vec![bytes].into()),
            owners: Owners::AtMostOne(Some(owner)),
        }
    }

    /// Merges, and returns the path, the owners and the mode of each file.
    fn merge(files: Vec<Planned<'static>>, name: &Naming<'_>) -> Result<Vec<(String, Vec<u32>, bool)>, InstallError> {
        // Each file a list of its own: whoever brings it is another distribution.
        let lists: Vec<Vec<Planned<'_>>> = files.into_iter().map(|file| vec![file]).collect();
        let merged = super::merge(&lists, name)?;
        let groups = merged.groups(&lists);
        check_twins(&groups, name)?;
        let shown = |file: &Planned<'_>| (file.path.to_string(), file.owners.to_vec(), file.executable);
        Ok(groups.iter().flat_map(|group| group.files).map(shown).collect())
    }

    fn check(files: &[(&str, u8, u32)], expected: Result<&[(&str, &[u32])], &str>) {
        let files = files.iter().map(|(path, bytes, owner)| planned(path, *bytes, *owner)).collect();
        let merged = merge(files, &|owners| format!("{owners:?}"));
        let shown = merged
            .map(|files| files.into_iter().map(|(path, owners, _)| (path, owners)).collect::<Vec<_>>())
            .map_err(|error| error.to_string());
        let expected = expected
            .map(|list| list.iter().map(|(path, owners)| ((*path).to_owned(), owners.to_vec())).collect())
            .map_err(str::to_owned);
        assert_eq!(shown, expected);
    }

    #[test]
    fn files_are_in_the_order_of_directory_name_and_list() {
        let lists: [&[&str]; 4] = [
            &["pyvenv.cfg", "bin/activate"],
            &["s/a/b.py", "s/a/d.py", "s/a.dist/METADATA", "s/a.dist/INSTALLER", "s/a.dist/RECORD", "bin/a"],
            &["s/z.py", "s/a/c.py", "s/a/c.py", "s/a/0.py", "s/b/c.py", "s/b/d.py"],
            &["bin/a", "s/a/c.py", "s/a-b/x.py", "s/b/c.py"],
        ];
        let files = |list: &[&str], owner| list.iter().map(|path| planned(path, 1, owner)).collect();
        let planned: Vec<Vec<Planned<'_>>> =
            lists.into_iter().zip(0..).map(|(list, owner)| files(list, owner)).collect();
        let merged = super::merge(&planned, &|_| String::new()).unwrap();
        let groups = merged.groups(&planned);
        let found: Vec<(String, Vec<u32>)> = (groups.iter().flat_map(|group| group.files))
            .map(|file| (file.path.to_string(), file.owners.to_vec()))
            .collect();
        assert!(groups.is_sorted_by(|a, b| a.directory < b.directory));
        let mut all: Vec<(&str, u32)> =
            lists.iter().zip(0..).flat_map(|(list, owner)| list.iter().map(move |path| (*path, owner))).collect();
        all.sort_by_key(|(path, owner)| (disk::split(path), *owner));
        let expected: Vec<(String, Vec<u32>)> = (all.chunk_by(|a, b| a.0 == b.0))
            .map(|same| (same[0].0.to_owned(), same.iter().map(|(_, owner)| *owner).collect()))
            .collect();
        assert_eq!(found, expected);
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
        // Neither of the two is as its fold, and the third that is has the bytes of the first.
        let expected = "`[0]` and `[2]` both install `A/b.py` and `a/B.py`, with different bytes";
        check(&[("A/b.py", 1, 0), ("a/b.py", 1, 1), ("a/B.py", 2, 2)], Err(expected));
    }

    #[test]
    fn a_file_in_the_place_of_a_directory_is_refused() {
        for pair in [[("a", 1, 0), ("a/b.py", 2, 1)], [("a/b.py", 2, 1), ("a", 1, 0)], [("A", 1, 0), ("a/b/c", 2, 1)]] {
            let files = pair.iter().map(|(path, bytes, owner)| planned(path, *bytes, *owner)).collect();
            assert!(matches!(merge(files, &|_| String::new()), Err(InstallError::Conflict { .. })), "{pair:?}");
        }
        // Directories stand between the file and what is below the one of its name.
        for file in ["a", "a/b", "A/b", "a/b/c"] {
            let others = ["a-b/x", "a/a/x", "a/b-c/d/x", "a/b.c/x", "a/b/c/d/x", "a/c"];
            let all = [file].into_iter().chain(others).zip(0..).map(|(path, owner)| planned(path, 1, owner)).collect();
            assert!(matches!(merge(all, &|_| String::new()), Err(InstallError::Conflict { .. })), "{file}");
        }
    }

    #[test]
    fn the_executable_twin_is_used() {
        let executable = Planned { executable: true, ..planned("bin/x", 1, 1) };
        let merged = merge(vec![planned("bin/x", 1, 0), executable], &|_| String::new()).unwrap();
        assert_eq!(merged, [("bin/x".to_owned(), vec![0, 1], true)]);
    }
}
