//! The list of files of a generation, written while the files are still being placed.

use std::cmp::Ordering;
use std::path::Path;

use pinfold_artifact::Sha256;

use crate::merge::{Group, Planned, Source};
use crate::receipt::{self, FILES_FILE, FileLine, RECEIPT_DIRECTORY};
use crate::verify::stamps::{self, Stamped};
use crate::{InstallError, InstalledFile, InstalledLink, platform};

/// What will be `files.json`, sorted by path. Its lines stay where they come from: there are many thousand.
pub(crate) struct Listing<'a> {
    rows: Vec<Row<'a>>,
    links: Vec<InstalledLink>,
}

#[derive(Clone, Copy)]
enum Row<'a> {
    /// Made from a file that is listed.
    Made(&'a InstalledFile),
    /// Planned, and where it stands among what was.
    Planned(&'a Planned<'a>, usize),
}

impl<'a> Listing<'a> {
    /// Lists planned files and links by their paths.
    pub(crate) fn of(groups: &[Group<'a>], links: Vec<InstalledLink>) -> Self {
        Self { rows: by_path(groups).into_iter().map(|(file, at)| Row::Planned(file, at)).collect(), links }
    }

    /// Adds files that were made from those that are listed.
    pub(crate) fn add(mut self, made: &'a [InstalledFile]) -> Self {
        self.rows.extend(made.iter().map(Row::Made));
        self.rows.sort_by_key(|row| row.line().path);
        self
    }

    /// Returns the files as whoever reads the list gets them.
    pub(crate) fn files(&self) -> Vec<InstalledFile> {
        self.rows.iter().map(|row| row.line().to_file()).collect()
    }

    /// Returns how many files and links there are.
    pub(crate) fn count(&self) -> u64 {
        (self.rows.len() + self.links.len()) as u64
    }

    /// Returns the bytes of all files.
    pub(crate) fn total_bytes(&self) -> u64 {
        self.rows.iter().map(|row| row.line().size).sum()
    }

    /// Writes the list into the receipt's directory below `root`, and returns its digest. It is on its way to the disk by
    /// then, so that whoever waits for it there waits for little.
    pub(crate) fn write(&self, root: &Path) -> Result<Sha256, InstallError> {
        let path = root.join(RECEIPT_DIRECTORY).join(FILES_FILE);
        let write = || {
            let mut file = platform::create(&path)?;
            let sha256 = receipt::write_list(self.rows.iter().map(Row::line), &self.links, &mut file)?;
            platform::begin_writing(&file);
            Ok(sha256)
        };
        write().map_err(InstallError::io("write", &path))
    }

    /// Writes the stamps of the listed files, given those of the planned ones in their order, and the list's digest.
    pub(crate) fn write_stamps(&self, root: &Path, placed: &[Stamped], sha256: &Sha256) -> Result<(), InstallError> {
        let stamped = |row: &'_ Row<'a>| match *row {
            Row::Made(made) => (&made.path, None),
            Row::Planned(planned, position) => (&planned.path, placed.get(position).copied()),
        };
        stamps::write(root, self.rows.iter().map(stamped), sha256)
    }
}

/// Returns the files of sorted groups by their paths, with where each stands among all. Names are compared with names: the path of a directory is looked at
/// once. Everything below a directory stands together, where a file of its name with a slash behind would.
pub(crate) fn by_path<'a>(groups: &[Group<'a>]) -> Vec<(&'a Planned<'a>, usize)> {
    let mut counted: Vec<(usize, &Group<'a>)> = Vec::with_capacity(groups.len());
    let mut count = 0;
    for group in groups {
        counted.push((count, group));
        count += group.files.len();
    }
    counted.sort_by(|(_, a), (_, b)| with_slash(a.directory, b.directory));
    let mut rows = Vec::with_capacity(count);
    // The directories that the next one is in, and what of their files comes after it.
    let mut above: Vec<Waiting<'a, '_>> = Vec::new();
    for (first, group) in counted {
        while let Some(waiting) = above.last_mut() {
            let inside = below(waiting.group.directory, group.directory);
            waiting.list_before(inside, &mut rows);
            if inside.is_some() {
                break;
            }
            above.pop();
        }
        above.push(Waiting { group, next: 0, first });
    }
    above.iter_mut().rev().for_each(|waiting| waiting.list_before(None, &mut rows));
    rows
}

/// The files of a directory that are not listed yet.
struct Waiting<'a, 'g> {
    group: &'g Group<'a>,
    next: usize,
    /// Where the first of the directory stands among all.
    first: usize,
}

impl<'a> Waiting<'a, '_> {
    /// Lists the files that come before a directory further below, or all.
    fn list_before(&mut self, directory: Option<&str>, rows: &mut Vec<(&'a Planned<'a>, usize)>) {
        while let Some(file) = self.group.files.get(self.next) {
            if directory.is_some_and(|directory| !is_before(self.group.name_of(file), directory)) {
                return;
            }
            rows.push((file, self.first + self.next));
            self.next += 1;
        }
    }
}

/// Returns the path of a directory relative to one that it is in.
fn below<'p>(directory: &str, path: &'p str) -> Option<&'p str> {
    if directory.is_empty() {
        return Some(path);
    }
    path.strip_prefix(directory)?.strip_prefix('/')
}

/// Returns true if a file of that name comes before everything in a directory beside it, or further below.
fn is_before(name: &str, directory: &str) -> bool {
    let common = name.len().min(directory.len());
    let (same, rest) = name.as_bytes().split_at(common);
    match same.cmp(&directory.as_bytes()[..common]) {
        Ordering::Equal => rest.first().is_none_or(|next| *next < b'/'),
        order => order.is_lt(),
    }
}

/// Compares two paths as if each ended with a slash.
fn with_slash(a: &str, b: &str) -> Ordering {
    let common = a.len().min(b.len());
    let next = |path: &str| path.as_bytes().get(common).copied().unwrap_or(b'/');
    let of_ends = || next(a).cmp(&next(b)).then(a.len().cmp(&b.len()));
    a.as_bytes()[..common].cmp(&b.as_bytes()[..common]).then_with(of_ends)
}

impl<'a> Row<'a> {
    fn line(&self) -> FileLine<'a> {
        let planned = match *self {
            Self::Made(made) => return FileLine::of(made),
            Self::Planned(planned, _) => planned,
        };
        let Planned { path, size_bytes, sha256, owners, .. } = planned;
        let executable = match &planned.source {
            Source::Bytes(_) => planned.executable,
            Source::Tree(_, stored) => stored.executable,
        };
        FileLine { path, size: *size_bytes, sha256, executable, owners }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merge::{self, Owners};
    use pinfold_artifact::Sha256;

    fn planned(path: String) -> Planned<'static> {
        let (path, sha256, source) =
            (path.parse().unwrap(), Sha256::from_bytes([0; 32]), Source::Bytes(Vec::new().into()));
        Planned { path, size_bytes: 0, sha256, executable: false, source, owners: Owners::AtMostOne(None) }
    }

    #[test]
    fn groups_are_listed_by_path() {
        // The slash comes after `-` and `.`, and before everything else that names are of.
        let names = ["a", "a-", "a.b", "a0", "ab", "b"];
        let deeper = |inside: &[String]| -> Vec<String> {
            names.iter().flat_map(|name| inside.iter().map(move |path| format!("{name}/{path}"))).collect()
        };
        let files = names.map(|name| format!("{name}.f")).into_iter().chain(["a".to_owned(), "z-".to_owned()]);
        let files: Vec<String> = files.collect();
        let paths = [files.clone(), deeper(&files), deeper(&deeper(&files))].concat();
        for left_out in 0..7 {
            let every = paths.iter().enumerate().filter(|(position, _)| position % 7 != left_out);
            let mut paths: Vec<String> = every.map(|(_, path)| path.clone()).collect();
            let lists = [paths.iter().cloned().map(planned).collect()];
            let merged = merge::merge(&lists, &|_| String::new()).unwrap();
            let groups = merged.groups(&lists);
            let all: Vec<&Planned<'_>> = groups.iter().flat_map(|group| group.files).collect();
            paths.sort();
            let listing = Listing::of(&groups, Vec::new());
            let listed: Vec<&str> = listing.rows.iter().map(|row| row.line().path.as_str()).collect();
            assert_eq!(listed, paths);
            for row in &listing.rows {
                let Row::Planned(file, position) = row else { panic!("nothing was made") };
                assert!(std::ptr::eq(*file, all[*position]));
            }
        }
    }
}
