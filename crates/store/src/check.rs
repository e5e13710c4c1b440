//! Is an entry still what was stored? Its files' size, time, mode, owner and number always; its bytes where any of these
//! moved, and once where the machine was started anew since they were written.
//!
//! A store that was put back from a backup has other times and numbers, and the right bytes: it is stamped anew. A file that
//! was written to through a hard link has others too: its entry is moved to the quarantine, told of, and made again.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write as _};

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pinfold_artifact::Sha256;
use sha2::Digest;

use crate::disk::{self, Directory};
use crate::tree::{MANIFEST, each_file};
use crate::{Stamp, Store, StoreError, StoredTree, TreeFile};

/// Something in the store that is not what was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The artifact that the entry was stored under.
    pub artifact: Sha256,
    /// The file: of a tree its path in the tree; empty for the entry as a whole.
    pub path: String,
    /// What was stored.
    pub expected: String,
    /// What is there.
    pub found: String,
}

/// What became of a tree that was checked before it is used.
#[derive(Debug)]
pub enum Readiness {
    /// Something is not what was stored; the tree is in the quarantine now. Empty if somebody else has put it there.
    Damaged(Vec<Damage>),
    /// It is what was stored.
    Ready(StoredTree),
}

/// What was noted of a tree whose bytes were read and found right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Believed {
    /// How many files had other modes, times or numbers than were noted.
    pub files: usize,
    /// Whether it could be written down that these are theirs now.
    pub is_noted: bool,
}

impl Store {
    /// Makes sure that a tree is what was stored, before it is linked from. Costs one look at each file where nothing moved. Of one
    /// that another process has put aside meanwhile there is nothing to tell: it is damaged, and that process has told of it. Of
    /// one that was made again meanwhile the new one is taken.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn ready(&self, mut tree: StoredTree) -> Result<Readiness, StoreError> {
        for _ in 0..ATTEMPTS {
            let is_settled = self.is_settled(&tree);
            let moved = if is_settled { self.moved(&tree)? } else { tree.manifest().files.iter().collect() };
            if moved.is_empty() && is_settled {
                return Ok(Readiness::Ready(tree));
            }
            let damage = self.read_again(&tree, &moved)?;
            let Some(first) = damage.first() else {
                return self.stamp_anew(tree, is_settled).map(Readiness::Ready);
            };
            match self.peek_tree(tree.sha256())? {
                Some(present) if present.manifest() != tree.manifest() => tree = present,
                None if tree.is_gone() => break,
                _ => {
                    self.quarantine(&tree).map_err(StoreError::stuck(first))?;
                    self.note(damage.clone());
                    return Ok(Readiness::Damaged(damage));
                }
            }
        }
        Ok(Readiness::Damaged(Vec::new()))
    }

    /// Believes a tree whose bytes were just read and found right: its files have the modes of stored ones again, and the times
    /// and numbers that they have now are noted. Says how many had others; none if somebody has put it aside.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn believe(&self, tree: StoredTree) -> Result<Believed, StoreError> {
        let files: Vec<TreeFile> = self.moved(&tree)?.into_iter().cloned().collect();
        if files.is_empty() || tree.is_gone() {
            return Ok(Believed { files: 0, is_noted: true });
        }
        make_read_only(&tree, &files)?;
        let was_settled = self.is_settled(&tree);
        let tree = self.stamp_anew(tree, was_settled)?;
        let is_noted = !self.believed().contains_key(tree.sha256());
        Ok(Believed { files: files.len(), is_noted })
    }

    /// Reads every byte of a tree, and says what is not what was stored. Moves nothing. Of one that another process has put aside
    /// or removed meanwhile there is nothing to say.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn read_tree(&self, tree: &StoredTree, progress: &(dyn Fn(u64) + Sync)) -> Result<Vec<Damage>, StoreError> {
        match read_whole(tree, progress) {
            Ok(damage) if damage.is_empty() => Ok(damage),
            _ if tree.is_gone() => Ok(Vec::new()),
            found => found,
        }
    }

    /// Returns what was found damaged and put aside by this store since this was asked last.
    pub fn take_damage(&self) -> Vec<Damage> {
        std::mem::take(&mut *self.damage.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns the trees whose bytes were read, where this could not be noted beside them.
    pub(crate) fn believed(&self) -> MutexGuard<'_, BTreeMap<Sha256, StoredTree>> {
        self.believed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn note(&self, damage: Vec<Damage>) {
        self.damage.lock().unwrap_or_else(PoisonError::into_inner).extend(damage);
    }

    /// Returns true if a tree's bytes were seen to be right since the machine may last have lost some. Whoever links from it
    /// without asking [`Store::ready`] has to compare each file with its stamp.
    pub fn is_settled(&self, tree: &StoredTree) -> bool {
        self.boot.has_kept(tree.written) || tree.directory().join(DURABLE).exists()
    }

    /// Returns the files whose stamps are not those of the manifest.
    fn moved<'a>(&self, tree: &'a StoredTree) -> Result<Vec<&'a TreeFile>, StoreError> {
        let changes = self.check_tree(tree)?;
        let files = &tree.manifest().files;
        // Both are in the order of the manifest.
        let mut changes = changes.iter().peekable();
        let is_moved = |file: &&TreeFile| changes.next_if(|change| change.path == file.path).is_some();
        Ok(files.iter().filter(is_moved).collect())
    }

    /// Reads files again and gives those with the right bytes back the right mode.
    fn read_again(&self, tree: &StoredTree, files: &[&TreeFile]) -> Result<Vec<Damage>, StoreError> {
        let damage = read_files(tree, files, &|_| {})?;
        if damage.is_empty() {
            let files: Vec<TreeFile> = files.iter().map(|file| (*file).clone()).collect();
            make_read_only(tree, &files)?;
        }
        Ok(damage)
    }

    /// Notes the stamps that a tree has now, whose bytes were just read.
    fn stamp_anew(&self, tree: StoredTree, was_settled: bool) -> Result<StoredTree, StoreError> {
        let mut manifest = tree.manifest().clone();
        let mut stamps: Vec<Stamp> = Vec::with_capacity(manifest.files.len());
        each_file(tree.files_dir(), &manifest.files, |_, file, facts| {
            stamps.push(facts.map_or(file.stamp, |facts| facts.stamp));
            Ok(())
        })?;
        let is_as_before = manifest.files.iter().map(|file| file.stamp).eq(stamps.iter().copied());
        for (file, stamp) in manifest.files.iter_mut().zip(stamps) {
            file.stamp = stamp;
        }
        let directory = tree.directory().to_owned();
        if is_as_before {
            if !was_settled {
                // What was read came from the disk. If this cannot be noted, it is read again another time.
                let _noted = File::create(directory.join(DURABLE));
            }
            return Ok(tree);
        }
        // The files are others than before, or were written since: they may not have reached the disk yet.
        let _gone = fs::remove_file(directory.join(DURABLE));
        let path = directory.join(MANIFEST);
        let write = || -> io::Result<()> {
            let mut file = tempfile::Builder::new().prefix(MANIFEST).tempfile_in(&directory)?;
            file.write_all(&manifest.to_bytes(tree.sha256(), self.boot))?;
            file.as_file().sync_data()?;
            file.persist(&path).map_err(|error| error.error).map(drop)
        };
        let is_noted = write().is_ok();
        let tree = StoredTree::new(*tree.sha256(), tree.files_dir().to_owned(), Arc::new(manifest), self.boot);
        if !is_noted {
            // As on a file system that is only read: here it is remembered, and by others it is read again.
            self.believed().insert(*tree.sha256(), tree.clone());
        }
        Ok(tree)
    }
}

/// Reads every byte of a tree, and looks for files that do not belong to it.
fn read_whole(tree: &StoredTree, progress: &(dyn Fn(u64) + Sync)) -> Result<Vec<Damage>, StoreError> {
    let files: Vec<&TreeFile> = tree.manifest().files.iter().collect();
    let mut damage = read_files(tree, &files, progress)?;
    if damage.iter().any(|it| it.path.is_empty()) {
        return Ok(damage);
    }
    match crate::tree::unlisted(tree) {
        Err(StoreError::Io { source, .. }) if disk::is_denied(&source) => {
            damage.push(tree.damage("", "directories that may be listed", "one that may not"));
        }
        unlisted => damage
            .extend(unlisted?.iter().map(|path| tree.damage(path, "nothing", "a file that is not of the artifact"))),
    }
    Ok(damage)
}

impl StoredTree {
    /// Returns true if the entry is no longer in its place: somebody put it aside or removed it.
    fn is_gone(&self) -> bool {
        fs::symlink_metadata(self.directory()).is_err_and(|error| disk::is_absence(&error))
    }

    fn damage(&self, path: &str, expected: impl ToString, found: impl ToString) -> Damage {
        let (expected, found) = (expected.to_string(), found.to_string());
        Damage { artifact: *self.sha256(), path: path.to_owned(), expected, found }
    }
}

/// Gives files the modes of stored ones.
fn make_read_only(tree: &StoredTree, files: &[TreeFile]) -> Result<(), StoreError> {
    each_file(tree.files_dir(), files, |directory, file, facts| {
        let mode = disk::read_only_mode(file.executable);
        if facts.is_some_and(|facts| facts.mode == mode) {
            return Ok(());
        }
        let (_, name) = file.directory_and_name();
        let path = tree.files_dir().join(file.path.as_str());
        directory.set_mode(name, mode).map_err(StoreError::io("make read-only", &path))
    })
}

/// Reads files on two threads, the largest first, and says which are not what the manifest says; of a directory of files that
/// is closed as a whole it says that.
fn read_files(
    tree: &StoredTree,
    files: &[&TreeFile],
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Vec<Damage>, StoreError> {
    // Where the directory of files itself is closed, that is said once, and not for each of them.
    if Directory::open(tree.files_dir()).is_err_and(|error| disk::is_denied(&error)) {
        return Ok(vec![tree.damage("", "a directory of files", disk::NOT_READABLE)]);
    }
    let mut order: Vec<&TreeFile> = files.to_vec();
    order.sort_by_key(|file| std::cmp::Reverse(file.size_bytes));
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let hand = || {
        let mut buffer = vec![0; READ_BYTES];
        while let Some(file) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            let damage = read_file(tree, file, &mut buffer, progress)?;
            found.lock().unwrap_or_else(PoisonError::into_inner).extend(damage);
        }
        Ok(())
    };
    let bytes: u64 = order.iter().map(|file| file.size_bytes).sum();
    let threads = if bytes < FEW_BYTES { 0 } else { 1 };
    std::thread::scope(|scope| {
        let others: Vec<_> = (0..threads).map(|_| scope.spawn(hand)).collect();
        let own = hand();
        let joined = others.into_iter().map(|other| other.join().unwrap_or_else(|e| std::panic::resume_unwind(e)));
        joined.chain([own]).collect::<Result<(), StoreError>>()
    })?;
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.sort_by(|a: &Damage, b: &Damage| a.path.cmp(&b.path));
    Ok(found)
}

fn read_file(
    tree: &StoredTree,
    file: &TreeFile,
    buffer: &mut [u8],
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Option<Damage>, StoreError> {
    let expected = format!("{} bytes, sha256 {}", file.size_bytes, file.sha256);
    let damage = |found: &str| Some(tree.damage(file.path.as_str(), &expected, found));
    let path = tree.files_dir().join(file.path.as_str());
    let (directory, name) = file.directory_and_name();
    let opened =
        Directory::open(tree.files_dir()).and_then(|files| files.open_below(directory)).and_then(|directory| {
            let facts = directory.facts(name)?;
            facts.map(|facts| Ok((facts, directory.open_file(name)?))).transpose()
        });
    let (facts, mut source) = match opened {
        Ok(Some(opened)) => opened,
        Ok(None) => return Ok(damage("no regular file")),
        Err(error) if disk::is_absence(&error) => return Ok(damage("nothing")),
        // Everything here is ours: somebody took the right to read away.
        Err(error) if disk::is_denied(&error) => return Ok(damage(disk::NOT_READABLE)),
        Err(error) => return Err(StoreError::io("open", &path)(error)),
    };
    if !facts.is_ours() {
        return Ok(damage("a file that belongs to another user"));
    }
    let mut hasher = sha2::Sha256::new();
    let mut size_bytes = 0_u64;
    loop {
        let count = match source.read(buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            // A disk that cannot give the bytes back has lost them.
            Err(error) => return Ok(damage(&format!("bytes that cannot be read: {error}"))),
        };
        hasher.update(&buffer[..count]);
        size_bytes = size_bytes.saturating_add(count as u64);
        progress(count as u64);
        if size_bytes > file.size_bytes {
            return Ok(damage(&format!("more than {} bytes", file.size_bytes)));
        }
    }
    let sha256 = Sha256::from_bytes(hasher.finalize().into());
    if (size_bytes, sha256) == (file.size_bytes, file.sha256) {
        return Ok(None);
    }
    Ok(damage(&format!("{size_bytes} bytes, sha256 {sha256}")))
}

/// How often a tree is looked at that others put aside and make again.
const ATTEMPTS: usize = 3;
/// Present beside a manifest if the bytes were read after the machine was started anew.
const DURABLE: &str = "durable";
/// Fewer bytes are not worth a second thread.
const FEW_BYTES: u64 = 8 << 20;
/// Large enough for few system calls, small enough to stay in the cache between reading and hashing.
const READ_BYTES: usize = 256 << 10;

#[cfg(test)]
#[cfg(unix)]
mod tests;
