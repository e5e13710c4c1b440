//! Placing the files of a generation: from the store by link or copy, the environment's own by writing.
//!
//! Two threads take directory after directory, with one look-up for each. Every file from the store is compared with
//! what its manifest says of size, time and number, so that a file that was changed in the store is not installed.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};

use pinfold_artifact::{ArchivePath, Sha256};
use pinfold_packaging::PackageName;
use pinfold_store::{StoredTree, TreeFile};

use crate::disk::{self, Directory, Facts, Kind};
use crate::merge::{Group, Planned, Source};
use crate::verify::stamps::{Stamped, Stamps};
use crate::{InstallError, LinkMode, platform, threads};

/// A tree of the store, and whose it is.
pub(crate) struct NamedTree<'a> {
    pub(crate) package: &'a PackageName,
    pub(crate) tree: &'a StoredTree,
}

/// How files are placed.
#[derive(Clone, Copy)]
pub(crate) struct Placing<'a> {
    /// The directory that all paths are relative to.
    pub(crate) root: &'a Path,
    /// The trees that files come from, by position.
    pub(crate) trees: &'a [NamedTree<'a>],
    /// How.
    pub(crate) mode: LinkMode,
    /// By how many threads, at most.
    pub(crate) threads: usize,
    /// Told the number of files that were just placed.
    pub(crate) progress: &'a (dyn Fn(u64) + Sync),
}

/// Places merged files, but for those that are there; `there` says from which tree. Makes the directories that they need.
/// Returns what the file system says of each, in the order of the files.
///
/// # Errors
/// [`InstallError::StoreChanged`] if a tree is not what it was, [`InstallError::Io`].
pub(crate) fn place_all(
    groups: &[Group<'_>],
    there: &HashMap<ArchivePath, Sha256>,
    placing: &Placing<'_>,
) -> Result<Vec<Stamped>, InstallError> {
    let root = Directory::open(placing.root).map_err(InstallError::io("open", placing.root))?;
    let placer = Placer::new(*placing);
    let (tickets, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    // One thread begins at the front, one at the back: they seldom want the same directory.
    let worker = |number: usize| {
        let (mut opened, mut stamps) = (LastUsed::default(), Stamps::default());
        for taken in 0.. {
            if tickets.fetch_add(1, Ordering::Relaxed) >= groups.len() || stop.load(Ordering::Relaxed) {
                break;
            }
            let position = if number == 0 { taken } else { groups.len() - 1 - taken };
            stamps.begin(position);
            let placed = placer.place_group(&root, &groups[position], there, &mut opened, &mut stamps);
            placed.inspect_err(|_| stop.store(true, Ordering::Relaxed))?;
        }
        Ok(stamps)
    };
    let files: usize = groups.iter().map(|group| group.files.len()).sum();
    let threads = if files < FEW_FILES { 1 } else { placing.threads.min(2) };
    let taken = threads::on_each(threads, worker).into_iter().collect::<Result<Vec<_>, InstallError>>()?;
    Ok(Stamps::join(&taken))
}

/// Places one file after the other.
pub(crate) struct Placer<'a> {
    placing: Placing<'a>,
    /// The best way that worked so far, for [`LinkMode::Auto`]: found out once, not for each file.
    best: AtomicU8,
}

/// The directories of the store that were used last: a tree, by its position, and in it the one at a path.
#[derive(Default)]
pub(crate) struct LastUsed<'f> {
    tree: Option<(u32, Directory)>,
    inside: Option<(&'f str, Directory)>,
}

impl<'a> Placer<'a> {
    pub(crate) const fn new(placing: Placing<'a>) -> Self {
        Self { placing, best: AtomicU8::new(REFLINK) }
    }

    /// Places the files of one directory, but for those that are there already; `there` says from which tree.
    fn place_group<'f>(
        &self,
        root: &Directory,
        group: &Group<'f>,
        there: &HashMap<ArchivePath, Sha256>,
        opened: &mut LastUsed<'f>,
        stamps: &mut Stamps,
    ) -> Result<(), InstallError> {
        let Group { directory, files } = *group;
        let path = disk::below(self.placing.root, directory);
        make(root, directory).map_err(InstallError::io("make the directory", &path))?;
        let target = root.open_in(directory).map_err(InstallError::io("open", &path))?;
        let mut placed = 0;
        for file in files {
            let name = group.name_of(file);
            let facts = match there.get(&file.path) {
                Some(tree) if self.is_from(file, tree) => {
                    target.facts(name).map_err(InstallError::io("look at", &path.join(name)))?
                }
                there => {
                    placed += 1;
                    if there.is_some() {
                        // Another distribution that brings the same bytes was chosen.
                        target.remove(name).map_err(InstallError::io("replace", &path.join(name)))?;
                    }
                    self.place(file, &target, opened)?
                }
            };
            stamps.push(Stamped::of(&facts));
        }
        (self.placing.progress)(placed);
        Ok(())
    }

    /// Places a file in its directory, where it is not yet; returns what the file system says of it.
    ///
    /// # Errors
    /// As [`place_all`].
    pub(crate) fn place<'f>(
        &self,
        file: &'f Planned<'_>,
        target: &Directory,
        opened: &mut LastUsed<'f>,
    ) -> Result<Facts, InstallError> {
        let name = disk::split(file.path.as_str()).1;
        let path = || disk::below(self.placing.root, file.path.as_str());
        match &file.source {
            Source::Bytes(bytes) => {
                let written = write_file(target, name, bytes, file.executable);
                written.map_err(|e| InstallError::io("write", &path())(e))?;
            }
            Source::Tree(position, stored) => {
                let from = self.source_directory(*position, stored, opened)?;
                if let Some(facts) = self.place_stored(from, stored, *position, target, name)? {
                    return Ok(facts);
                }
            }
        }
        target.facts(name).map_err(|e| InstallError::io("look at", &path())(e))
    }

    fn source_directory<'o, 'f>(
        &self,
        position: u32,
        stored: &'f TreeFile,
        opened: &'o mut LastUsed<'f>,
    ) -> Result<&'o Directory, InstallError> {
        let directory = disk::split(stored.path.as_str()).0;
        let files_dir = self.tree(position).tree.files_dir();
        let failed = |e: io::Error| match e.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                self.changed(position, stored, "its directory is gone")
            }
            io::ErrorKind::PermissionDenied => self.changed(position, stored, "its directory may not be entered"),
            _ => InstallError::io("open", &disk::below(files_dir, directory))(e),
        };
        let LastUsed { tree, inside } = opened;
        let tree = match tree.take().filter(|(last, _)| *last == position) {
            Some(same) => tree.insert(same),
            None => {
                *inside = None;
                tree.insert((position, Directory::open(files_dir).map_err(failed)?))
            }
        };
        let entry = match inside.take().filter(|(last, _)| *last == directory) {
            Some(same) => same,
            None => (directory, tree.1.open_in(directory).map_err(failed)?),
        };
        Ok(&inside.insert(entry).1)
    }

    /// Places a file from the store. Returns what the file system says of it, if it is the store's own file.
    fn place_stored(
        &self,
        from: &Directory,
        stored: &TreeFile,
        position: u32,
        target: &Directory,
        name: &str,
    ) -> Result<Option<Facts>, InstallError> {
        let source = disk::split(stored.path.as_str()).1;
        loop {
            let way = self.way();
            let placed = match way {
                HARDLINK => match from.hard_link(source, target, name) {
                    // Only this file has too many names.
                    Err(error) if self.may_copy(&error) => copy(from, stored, target, name, COPY).map(Some),
                    linked => linked.map(|()| None),
                },
                _ => copy(from, stored, target, name, way).map(Some),
            };
            let error = match placed {
                Ok(facts) => {
                    // The file is there: a failure to look at it is no reason to place it in another way.
                    let is_link = facts.is_none();
                    let facts = facts.map_or_else(|| target.facts(name), Ok);
                    let facts = facts.map_err(|e| self.failed(position, stored, e))?;
                    return match difference(&facts, stored) {
                        Some(difference) => Err(self.changed(position, stored, difference)),
                        None => Ok(is_link.then_some(facts)),
                    };
                }
                Err(error) => error,
            };
            // The store's directory or file, or the new one's: a look at the file tells which.
            let difference = match from.facts(source) {
                Ok(facts) => difference(&facts, stored),
                Err(_) if error.kind() == io::ErrorKind::PermissionDenied => Some("its directory may not be entered"),
                Err(_) => None,
            };
            if let Some(difference) = difference {
                return Err(self.changed(position, stored, difference));
            }
            if self.placing.mode != LinkMode::Auto || way == COPY || !is_impossible(&error) {
                return Err(self.failed(position, stored, error));
            }
            self.best.fetch_max(way + 1, Ordering::Relaxed);
        }
    }

    fn may_copy(&self, error: &io::Error) -> bool {
        self.placing.mode == LinkMode::Auto && error.kind() == io::ErrorKind::TooManyLinks
    }

    fn way(&self) -> u8 {
        match self.placing.mode {
            LinkMode::Auto => self.best.load(Ordering::Relaxed),
            LinkMode::Copy => COPY,
            LinkMode::Hardlink => HARDLINK,
            LinkMode::Reflink => REFLINK,
        }
    }

    fn is_from(&self, file: &Planned<'_>, tree: &Sha256) -> bool {
        matches!(&file.source, Source::Tree(position, _) if self.tree(*position).tree.sha256() == tree)
    }

    fn tree(&self, position: u32) -> &NamedTree<'_> {
        &self.placing.trees[position as usize]
    }

    fn failed(&self, position: u32, stored: &TreeFile, error: io::Error) -> InstallError {
        if error.kind() == io::ErrorKind::NotFound {
            return self.changed(position, stored, "it is gone");
        }
        if is_of_the_target(&error) {
            return InstallError::io("write files to", self.placing.root)(error);
        }
        let from: PathBuf = disk::below(self.tree(position).tree.files_dir(), stored.path.as_str());
        match self.placing.mode {
            LinkMode::Hardlink if is_of_the_way(&error) => self.unlinkable("hardlink", from, error),
            LinkMode::Reflink if is_of_the_way(&error) => self.unlinkable("reflink", from, error),
            _ => InstallError::io("install", &from)(error),
        }
    }

    fn unlinkable(&self, mode: &'static str, from: PathBuf, source: io::Error) -> InstallError {
        InstallError::LinkMode { mode, from, to: self.placing.root.to_owned(), source }
    }

    fn changed(&self, position: u32, stored: &TreeFile, difference: &str) -> InstallError {
        InstallError::StoreChanged {
            package: self.tree(position).package.clone(),
            path: stored.path.to_string(),
            difference: difference.to_owned(),
        }
    }
}

/// Makes a directory of the generation, and those above it that are not there yet.
fn make(root: &Directory, directory: &str) -> io::Result<()> {
    if directory.is_empty() {
        return Ok(());
    }
    let is_there = |result: io::Result<()>| match result {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => result,
    };
    match is_there(root.make_directory(directory)) {
        Err(e) if e.kind() == io::ErrorKind::NotFound && directory.contains('/') => {
            make(root, disk::split(directory).0)?;
            is_there(root.make_directory(directory))
        }
        result => result,
    }
}

/// Writes a file of the environment's own.
pub(crate) fn write_file(target: &Directory, name: &str, bytes: &[u8], executable: bool) -> io::Result<()> {
    let mut file = target.create(name, mode_of_copy(executable))?;
    file.write_all(bytes)?;
    platform::begin_writing(&file);
    Ok(())
}

/// Returns the mode of a file that is not the store's, of which the umask may take more away: nobody else may write to it.
pub(crate) const fn mode_of_copy(executable: bool) -> u32 {
    if executable { 0o755 } else { 0o644 }
}

/// Copies a file, or lets the copy share the blocks of the original; returns what the file system says of the original. One that
/// is not as it was stored is not read: it may have no end.
fn copy(from: &Directory, stored: &TreeFile, target: &Directory, name: &str, way: u8) -> io::Result<Facts> {
    let source = disk::split(stored.path.as_str()).1;
    let facts = from.facts(source)?;
    if difference(&facts, stored).is_some() {
        return Ok(facts);
    }
    let mut original = from.open_file(source)?;
    let mut copied = target.create(name, mode_of_copy(stored.executable))?;
    if way == REFLINK {
        if let Err(error) = disk::reflink(&original, &copied) {
            // With the file in the way no other way of placing it works.
            target.remove(name).map_err(io::Error::other)?;
            return Err(error);
        }
        return Ok(facts);
    }
    if io::copy(&mut original, &mut copied)? != facts.size_bytes {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(facts)
}

/// Returns how a file differs from what the store's manifest says.
pub(crate) fn difference(facts: &Facts, stored: &TreeFile) -> Option<&'static str> {
    if facts.kind != Kind::File {
        return Some("it is no regular file");
    }
    if facts.size_bytes != stored.size_bytes {
        return Some("it has another size");
    }
    if facts.inode != stored.stamp.inode {
        return Some("another file is in its place");
    }
    if facts.mtime_ns != stored.stamp.mtime_ns {
        return Some("it was written to");
    }
    if !facts.is_ours() {
        return Some("it belongs to another user");
    }
    let mode = if stored.executable { 0o555 } else { 0o444 };
    (cfg!(unix) && facts.mode != mode).then_some("its permissions are others")
}

/// Returns true if it is the disk of the environment that fails, whatever the store is on.
fn is_of_the_target(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    matches!(error.kind(), FileTooLarge | QuotaExceeded | ReadOnlyFilesystem | StorageFull)
}

/// Returns true if this way of placing files does not work here, and the next may.
fn is_impossible(error: &io::Error) -> bool {
    is_unsupported(error) || error.kind() == io::ErrorKind::PermissionDenied
}

/// Returns true if another way would place the file.
fn is_of_the_way(error: &io::Error) -> bool {
    is_unsupported(error) || error.kind() == io::ErrorKind::TooManyLinks
}

/// Returns true if the file systems do not have this way of placing files.
fn is_unsupported(error: &io::Error) -> bool {
    #[cfg(unix)]
    {
        use rustix::io::Errno;
        let foreign = [Errno::INVAL, Errno::NOTTY, Errno::NOTSUP, Errno::NOSYS, Errno::PERM, Errno::BADF];
        if error.raw_os_error().is_some_and(|code| foreign.iter().any(|errno| errno.raw_os_error() == code)) {
            return true;
        }
    }
    matches!(error.kind(), io::ErrorKind::CrossesDevices | io::ErrorKind::Unsupported)
}

/// The ways to place a file, best first.
const REFLINK: u8 = 0;
const HARDLINK: u8 = 1;
const COPY: u8 = 2;

/// Fewer files are not worth a second thread.
const FEW_FILES: usize = 500;

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_that_of_the_environment() {
        let root = Path::new("/environment");
        let placing = Placing { root, trees: &[], mode: LinkMode::Copy, threads: 1, progress: &|_| {} };
        let stored = TreeFile::new("a/b.py".parse().unwrap(), 7, Sha256::from_bytes([1; 32]), false);
        let error = Placer::new(placing).failed(0, &stored, io::ErrorKind::StorageFull.into());
        assert!(matches!(error, InstallError::Io { path, .. } if path == root));
    }

    #[test]
    fn a_mode_that_does_not_work_there_is_named_with_both_places() {
        let trees = crate::fixture::World::new().unpack(&[pinfold_testkit::WheelRecipe::new("a", "1.0")]).unwrap();
        let trees: Vec<_> = trees.iter().map(|(package, tree)| NamedTree { package, tree }).collect();
        let (root, file) = (Path::new("/environment"), &trees[0].tree.manifest().files[0]);
        let failed = |mode, kind: io::ErrorKind| {
            Placer::new(Placing { root, trees: &trees, mode, threads: 1, progress: &|_| {} }).failed(
                0,
                file,
                kind.into(),
            )
        };
        for (mode, kind, name) in [
            (LinkMode::Hardlink, io::ErrorKind::CrossesDevices, "hardlink"),
            (LinkMode::Hardlink, io::ErrorKind::TooManyLinks, "hardlink"),
            (LinkMode::Reflink, io::ErrorKind::Unsupported, "reflink"),
        ] {
            let error = failed(mode, kind);
            assert!(
                matches!(&error, InstallError::LinkMode { mode, to, .. } if *mode == name && to == root),
                "{error}"
            );
        }
        let denied = failed(LinkMode::Hardlink, io::ErrorKind::PermissionDenied);
        assert!(matches!(denied, InstallError::Io { .. }), "{denied}");
    }

    #[test]
    fn whatever_differs_from_what_was_stored_is_found() {
        let mut stored = TreeFile::new("a/b.py".parse().unwrap(), 7, Sha256::from_bytes([1; 32]), false);
        (stored.stamp.inode, stored.stamp.mtime_ns) = (5, 9);
        let owner = rustix::process::geteuid().as_raw();
        let same =
            Facts { kind: Kind::File, size_bytes: 7, mtime_ns: 9, inode: 5, mode: 0o444, owner, device: 1, names: 2 };
        assert_eq!(difference(&same, &stored), None);
        let check = |changed: Facts, expected| assert_eq!(difference(&changed, &stored), Some(expected));
        check(Facts { kind: Kind::Link, ..same }, "it is no regular file");
        check(Facts { size_bytes: 8, ..same }, "it has another size");
        check(Facts { inode: 6, ..same }, "another file is in its place");
        check(Facts { mtime_ns: 10, ..same }, "it was written to");
        check(Facts { mode: 0o644, ..same }, "its permissions are others");
        check(Facts { mode: 0, ..same }, "its permissions are others");
        check(Facts { owner: owner + 1, ..same }, "it belongs to another user");
    }
}
