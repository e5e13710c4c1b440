//! The store's directory: where entries are, that only this user can write there, and what is swept or put aside.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use pinfold_artifact::Sha256;

use crate::boot::Boot;
use crate::cache::{self, private};
use crate::{Damage, StoreError, StoredTree, disk};

/// A content-addressed store below one directory. Cheap to clone, safe to use from many threads and processes.
///
/// While it lives, it holds a shared lock on the store: nothing is pruned from under it.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
    /// The start of the machine that this is.
    pub(crate) boot: Boot,
    /// What was found damaged and put aside.
    pub(crate) damage: Arc<Mutex<Vec<Damage>>>,
    /// Trees with the stamps that they have now, where these could not be noted beside them.
    pub(crate) believed: Arc<Mutex<BTreeMap<Sha256, StoredTree>>>,
    _in_use: Option<Arc<File>>,
}

/// What is in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Artifacts,
    Partial,
    Quarantine,
    Staging,
    Trees,
}

/// How long to wait for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// As long as it takes.
    ForOthers,
    /// Not at all.
    Never,
}

impl Store {
    /// Opens the store below `root`, creating it if needed. Sweeps what was left behind more than a week ago. Waits while
    /// another process prunes.
    ///
    /// # Errors
    /// [`StoreError::Io`] if the directories cannot be made; [`StoreError::Permissions`] if others may write there:
    /// what is in the store is linked into environments without being hashed again.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        let lock = match prepare(root) {
            Ok(lock) => Some(lock),
            // What cannot be written to cannot be pruned either.
            Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::ReadOnlyFilesystem => None,
            Err(error) => return Err(error),
        };
        if let Some(lock) = &lock {
            lock.lock_shared().map_err(StoreError::io("lock", &root.join(LOCK)))?;
        }
        let store = Self::with(root, lock);
        store.clear_ways();
        // What cannot be removed now is removed another time.
        let _leftovers = store.sweep(LEFTOVER_AGE);
        Ok(store)
    }

    /// Opens the store for this process alone; nothing if others use it and are not to be waited for.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_alone(root: &Path, wait: Wait) -> Result<Option<Self>, StoreError> {
        let lock = prepare(root)?;
        match wait {
            Wait::ForOthers => lock.lock().map_err(StoreError::io("lock", &root.join(LOCK)))?,
            Wait::Never => match lock.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(StoreError::io("lock", &root.join(LOCK))(error)),
            },
        }
        let store = Self::with(root, Some(lock));
        store.clear_ways();
        Ok(Some(store))
    }

    fn with(root: &Path, lock: Option<File>) -> Self {
        let (damage, believed) = (Arc::default(), Arc::default());
        Self { root: root.to_owned(), boot: Boot::current(), damage, believed, _in_use: lock.map(Arc::new) }
    }

    /// Returns the store below `root` if there is one, to look at it: nothing is created, swept, locked or checked.
    pub fn existing(root: &Path) -> Option<Self> {
        let store = Self::with(root, None);
        store.kind_dir(Kind::Artifacts).is_dir().then_some(store)
    }

    /// Returns the directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Removes what interrupted runs left behind if nobody has touched it for so long: partial downloads, unfinished
    /// trees, quarantined entries. Whole entries stay.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn sweep(&self, untouched_for: Duration) -> Result<(), StoreError> {
        for kind in Kind::LEFTOVERS {
            let directory = self.kind_dir(kind);
            for entry in fs::read_dir(&directory).map_err(StoreError::io("list", &directory))? {
                let path = entry.map_err(StoreError::io("list", &directory))?.path();
                if is_older(&path, untouched_for) {
                    sweep_one(&path).map_err(StoreError::io("remove", &path))?;
                }
            }
        }
        Ok(())
    }

    pub(crate) fn artifact_path(&self, sha256: &Sha256) -> PathBuf {
        self.entry_path(Kind::Artifacts, sha256)
    }

    pub(crate) fn tree_path(&self, sha256: &Sha256) -> PathBuf {
        self.entry_path(Kind::Trees, sha256)
    }

    /// Returns the directory of one kind of entries.
    pub(crate) fn kind_dir(&self, kind: Kind) -> PathBuf {
        self.root.join(kind.name())
    }

    pub(crate) fn partial_dir(&self) -> PathBuf {
        self.kind_dir(Kind::Partial)
    }

    pub(crate) fn staging_dir(&self) -> PathBuf {
        self.kind_dir(Kind::Staging)
    }

    /// Entries are spread over 256 directories, so that none gets slow or too large to look at.
    fn entry_path(&self, kind: Kind, sha256: &Sha256) -> PathBuf {
        let text = sha256.to_string();
        self.kind_dir(kind).join(&text[..2]).join(text)
    }

    /// Puts aside what is in the place of one of the 256 directories and is none: no entry could ever appear below it again.
    fn clear_ways(&self) {
        for kind in [Kind::Artifacts, Kind::Trees] {
            for entry in fs::read_dir(self.kind_dir(kind)).into_iter().flatten().flatten() {
                if entry.file_type().is_ok_and(|found| !found.is_dir()) {
                    // Where it cannot be moved, whoever needs the place says so.
                    let _moved = self.put_aside(&entry.path());
                }
            }
        }
    }

    /// Moves a file or directory into a place of its own in the quarantine, which is returned. One that has just been moved
    /// by somebody else is no error.
    pub(crate) fn put_aside(&self, path: &Path) -> Result<Option<PathBuf>, StoreError> {
        let quarantine = self.kind_dir(Kind::Quarantine);
        let place = tempfile::Builder::new()
            .prefix("entry-")
            .tempdir_in(&quarantine)
            .map_err(StoreError::io("create a directory in", &quarantine))?;
        let place_in = place.path().join(path.file_name().unwrap_or_default());
        // A directory moves only if its owner may write to it, and to the one that it is in.
        let moved = disk::with_rights(path, disk::CHANGE, || {
            disk::with_rights(path.parent().unwrap_or(path), disk::CHANGE, || fs::rename(path, &place_in))
        });
        match moved {
            Ok(()) => Ok(Some(place.keep())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::io("move to the quarantine", path)(error)),
        }
    }

    /// As [`Store::put_aside`], for the entry that was seen. Where somebody else was quicker with it, what he put in its place goes
    /// back there, and false is returned.
    pub(crate) fn put_this_aside(&self, path: &Path, seen: &Metadata) -> Result<bool, StoreError> {
        let Some(place) = self.put_aside(path)? else { return Ok(false) };
        let moved = place.join(path.file_name().unwrap_or_default());
        let is_it = fs::symlink_metadata(&moved).is_ok_and(|moved| disk::number_of(&moved) == disk::number_of(seen));
        if !is_it {
            // It stays where it is if a third one has taken the place by now.
            let _returned = rename_into(&moved, path);
            let _emptied = fs::remove_dir(&place);
        }
        Ok(is_it)
    }
}

impl Kind {
    pub(crate) const ALL: [Self; 5] = [Self::Artifacts, Self::Partial, Self::Quarantine, Self::Staging, Self::Trees];
    /// What interrupted runs and damage leave behind.
    pub(crate) const LEFTOVERS: [Self; 3] = [Self::Partial, Self::Quarantine, Self::Staging];

    /// Returns the name of the directory.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Artifacts => "artifacts",
            Self::Partial => "partial",
            Self::Quarantine => "quarantine",
            Self::Staging => "staging",
            Self::Trees => "trees",
        }
    }
}

/// Makes the store's directories, checks that only this user can write there, and opens the file that is locked.
fn prepare(root: &Path) -> Result<File, StoreError> {
    cache::check_above(root.parent().unwrap_or(Path::new(".")))?;
    disk::make_private_dir(root).map_err(StoreError::io("create the directory", root))?;
    disk::give_back(root, disk::LOOK_INTO);
    private(root, &cache::look(root).map_err(StoreError::io("look at", root))?)?;
    for kind in Kind::ALL {
        let path = root.join(kind.name());
        disk::make_private_dir(&path).map_err(StoreError::io("create the directory", &path))?;
        // One that was closed by accident is opened again: what is in it is checked one by one.
        disk::give_back(&path, disk::LOOK_INTO);
        private(&path, &fs::symlink_metadata(&path).map_err(StoreError::io("look at", &path))?)?;
    }
    let path = root.join(LOCK);
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).read(true).write(true);
    let opened = match options.open(&path) {
        // Whoever may only read there can hold the lock all the same.
        Err(error) if disk::is_denied(&error) => disk::open_to_lock(&path).map_err(|_| error),
        opened => opened,
    };
    opened.map_err(StoreError::io("open", &path))
}

/// Renames to a place whose directory may not exist yet.
pub(crate) fn rename_into(from: &Path, to: &Path) -> io::Result<()> {
    let directory = to.parent().unwrap_or(to);
    match disk::with_rights(directory, disk::CHANGE, || fs::rename(from, to)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            disk::make_private_dir(directory)?;
            fs::rename(from, to)
        }
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied && disk::make_way(to) => fs::rename(from, to),
        result => result,
    }
}

fn is_older(path: &Path, age: Duration) -> bool {
    let modified = fs::symlink_metadata(path).and_then(|metadata| metadata.modified());
    modified.is_ok_and(|time| SystemTime::now().duration_since(time).is_ok_and(|found| found >= age))
}

/// Removes a leftover. What is no file was put there by hand: nobody is at work on it, and to open a pipe may take for ever.
fn sweep_one(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() => remove_unless_locked(path),
        // Also a link to a directory, of which only the link is removed.
        Ok(_) if path.is_dir() => disk::remove_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Removes a file that nobody holds. A download that is going on holds the lock on its file; one that begins meanwhile waits for
/// ours, and notices that the file has gone.
fn remove_unless_locked(path: &Path) -> io::Result<()> {
    let file = disk::open_to_lock(path)?;
    if file.try_lock().is_err() {
        return Ok(());
    }
    fs::remove_file(path)
}

/// After this long nobody comes back for a partial download, and no process is still unpacking.
const LEFTOVER_AGE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Locked shared by whoever uses the store, and exclusively by whoever prunes it.
const LOCK: &str = "lock";
