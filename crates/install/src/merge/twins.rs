//! Two paths that some file system takes for one, and a file where another distribution needs a directory.
//!
//! Folding goes segment by segment, so twins are in directories that are twins themselves, or one and the same. Directories are few:
//! they are folded, and of the many files only those whose names folding changes are looked for.

use std::borrow::Cow;
use std::collections::HashMap;

use pinfold_unpack::portable_fold;

use super::{Group, Naming, Planned, conflict, key};
use crate::{InstallError, disk};

/// Refuses twins, and a file in the place of a directory. Takes merged files.
///
/// # Errors
/// [`InstallError::Conflict`]; `name` says who brings a file.
pub(crate) fn check_twins(groups: &[Group<'_>], name: &Naming<'_>) -> Result<(), InstallError> {
    let folded = Folded::of(groups);
    let changed = folded.check_names(name)?;
    folded.check_directories(&changed, name)
}

/// The directories as a file system sees them that folds names: sorted by what folding makes of them.
struct Folded<'p>(Vec<Directory<'p>>);

/// Directories that are one once they are folded; nearly always a single one.
struct Directory<'p> {
    path: Cow<'p, str>,
    groups: Vec<Group<'p>>,
}

/// The files whose paths folding may change, by what it makes of them. All others are found by their names.
type Changed<'p> = HashMap<String, &'p Planned<'p>>;

impl<'p> Folded<'p> {
    fn of(groups: &[Group<'p>]) -> Self {
        let mut folded: Vec<(Cow<'p, str>, Group<'p>)> = groups.iter().map(|it| (fold(it.directory), *it)).collect();
        // Nearly sorted: so the groups are, but for what folding changes.
        folded.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut directories: Vec<Directory<'p>> = Vec::with_capacity(folded.len());
        for (path, group) in folded {
            match directories.last_mut().filter(|last| last.path == path) {
                Some(last) => last.groups.push(group),
                None => directories.push(Directory { path, groups: vec![group] }),
            }
        }
        Self(directories)
    }

    /// Returns the file at a path that was folded.
    fn file_at(&self, path: &str, changed: &Changed<'p>) -> Option<&'p Planned<'p>> {
        let in_directory = || {
            let (directory, name) = disk::split(path);
            let found = self.0.binary_search_by(|it| (*it.path).cmp(directory)).ok()?;
            self.0.get(found)?.find(name)
        };
        changed.get(path).copied().or_else(in_directory)
    }

    /// Refuses files of one directory whose names are one.
    fn check_names(&self, name: &Naming<'_>) -> Result<Changed<'p>, InstallError> {
        let mut changed = Changed::new();
        for directory in &self.0 {
            for group in &directory.groups {
                let is_looked_for = |file: &&Planned<'_>| directory.has_twins() || !is_folded(group.name_of(file));
                for file in group.files.iter().filter(is_looked_for) {
                    let folded_name = fold(group.name_of(file));
                    let path = joined(&directory.path, &folded_name);
                    let twins = [changed.get(&path).copied(), directory.find(&folded_name)];
                    if let Some(twin) = twins.into_iter().flatten().find(|twin| twin.sha256 != file.sha256) {
                        let (first, second) = if key(twin) < key(file) { (twin, file) } else { (file, twin) };
                        return Err(conflict(first, second, name));
                    }
                    changed.insert(path, file);
                }
            }
        }
        Ok(changed)
    }

    /// Refuses a file that is where a directory has to be.
    fn check_directories(&self, changed: &Changed<'p>, name: &Naming<'_>) -> Result<(), InstallError> {
        let mut last = "";
        for Directory { path: directory, groups } in &self.0 {
            let mut rest = &**directory;
            // What the directory before is in, too, was looked for there.
            while !rest.is_empty() && !is_in_or_below(rest, last) {
                if let (Some(file), Some(inside)) =
                    (self.file_at(rest, changed), groups.first().and_then(|it| it.files.first()))
                {
                    return Err(conflict(file, inside, name));
                }
                rest = disk::split(rest).0;
            }
            last = directory;
        }
        Ok(())
    }
}

impl<'p> Directory<'p> {
    fn has_twins(&self) -> bool {
        self.groups.len() > 1
    }

    /// Returns the file with a name, if the directory has no twin. The files of those that have are all among what was changed:
    /// there may be as many such directories as an archive has members.
    fn find(&self, name: &str) -> Option<&'p Planned<'p>> {
        let [Group { files, .. }] = self.groups[..] else { return None };
        files.binary_search_by(|file| key(file).1.cmp(name)).ok().and_then(|found| files.get(found))
    }
}

fn joined(directory: &str, name: &str) -> String {
    if directory.is_empty() { name.to_owned() } else { [directory, "/", name].concat() }
}

/// Returns true if a path is a directory, or inside it.
fn is_in_or_below(directory: &str, path: &str) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn fold(text: &str) -> Cow<'_, str> {
    if is_folded(text) { text.into() } else { portable_fold(text).into() }
}

/// Returns true for a text that [`portable_fold`] leaves as it is, for sure.
fn is_folded(text: &str) -> bool {
    // Without a branch for each byte: names are short, and many.
    !text.bytes().fold(false, |found, byte| found | !byte.is_ascii() | byte.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merge::{Owners, Source, merge};
    use pinfold_artifact::Sha256;

    fn planned(path: &str, bytes: u8) -> Planned<'static> {
        let sha256 = Sha256::from_bytes([bytes; 32]);
        let (path, source, owners) =
            (path.parse().unwrap(), Source::Bytes(vec![bytes].into()), Owners::AtMostOne(None));
        Planned { path, size_bytes: 1, sha256, executable: false, source, owners }
    }

    /// What the check is for, said as simply as it can be: path by path.
    fn are_at_odds(a: &Planned<'_>, b: &Planned<'_>) -> bool {
        let [a_path, b_path] = [a, b].map(|it| portable_fold(it.path.as_str()));
        let is_above = |above: &str, path: &str| path.strip_prefix(above).is_some_and(|rest| rest.starts_with('/'));
        (a_path == b_path && a.sha256 != b.sha256) || is_above(&a_path, &b_path) || is_above(&b_path, &a_path)
    }

    #[test]
    fn as_many_directories_as_there_are_ways_to_write_one_are_soon_gone_through() {
        let spelled = |number: u32| -> String {
            (0..14).map(|bit| if number >> bit & 1 == 1 { 'A' } else { 'a' }).chain([char::from(b'/')]).collect()
        };
        let file = |number: u32| vec![planned(&format!("{}f{number}", spelled(number)), 1)];
        let mut lists: Vec<Vec<Planned<'_>>> = (0..1 << 14).map(file).collect();
        let check = |lists: &[Vec<Planned<'_>>]| {
            let merged = merge(lists, &|_| String::new()).unwrap();
            check_twins(&merged.groups(lists), &|_| String::new()).is_ok()
        };
        assert!(check(&lists));
        lists.push(vec![planned(&format!("{}F{}", spelled(7), 1 << 13), 2)]);
        assert!(!check(&lists));
    }

    #[test]
    fn whatever_three_files_are_at_odds_is_refused_and_nothing_else() {
        let paths = [
            "a",
            "A",
            "b",
            "a/b",
            "A/b",
            "a/B",
            "A/B",
            "a/b/c",
            "A/B/C",
            "a-/b",
            "A-/B",
            "a/b-",
            "\u{e9}/x",
            "e\u{301}/X",
            "\u{c9}/x/y",
            "stra\u{df}e",
            "STRASSE/b",
            "lib/\u{391}\u{3a3}/k",
            "LIB/\u{3b1}\u{3c3}/K",
        ];
        let mut refused = 0;
        for (i, first) in paths.iter().enumerate() {
            for (j, second) in paths.iter().enumerate().skip(i + 1) {
                for third in &paths[j + 1..] {
                    for bytes in [[1, 1, 1], [1, 1, 2], [1, 2, 1], [2, 1, 1]] {
                        let files: Vec<Planned<'_>> =
                            [first, second, third].into_iter().zip(bytes).map(|(path, it)| planned(path, it)).collect();
                        let expected =
                            [(0, 1), (0, 2), (1, 2)].iter().any(|(a, b)| are_at_odds(&files[*a], &files[*b]));
                        let lists: Vec<Vec<Planned<'_>>> = files.into_iter().map(|file| vec![file]).collect();
                        let merged = merge(&lists, &|_| String::new()).unwrap();
                        let found = check_twins(&merged.groups(&lists), &|_| String::new());
                        assert_eq!(found.is_err(), expected, "{first} {second} {third} {bytes:?}");
                        refused += usize::from(expected);
                    }
                }
            }
        }
        assert!(refused > 500, "{refused}");
    }
}
