//! The store's directory: where entries are, that only this user can write there, and what is swept or put aside.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use pinfold_artifact::Sha256;

use crate::{StoreError, disk};

/// A content-addressed store below one directory. Cheap to clone, safe to use from many threads and processes.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// Opens the store below `root`, creating it if needed. Sweeps what was left behind more than a week ago.
    ///
    /// # Errors
    /// [`StoreError::Io`] if the directories cannot be made; [`StoreError::Permissions`] if others may write there:
    /// what is in the store is linked into environments without being hashed again.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        let store = Self { root: root.to_owned() };
        disk::make_private_dir(root).map_err(StoreError::io("create the directory", root))?;
        let metadata = fs::metadata(root).map_err(StoreError::io("look at", root))?;
        if disk::is_open_to_all(&metadata) {
            return Err(StoreError::Permissions {
                path: root.to_owned(),
                found: "everybody may write there".to_owned(),
            });
        }
        for name in [ARTIFACTS, PARTIAL, QUARANTINE, STAGING, TREES] {
            let path = root.join(name);
            disk::make_private_dir(&path).map_err(StoreError::io("create the directory", &path))?;
            let metadata = fs::symlink_metadata(&path).map_err(StoreError::io("look at", &path))?;
            if !metadata.is_dir() {
                return Err(StoreError::Permissions { path, found: "it is no directory".to_owned() });
            }
            if let Some(found) = disk::foreign_writers(&metadata) {
                return Err(StoreError::Permissions { path, found });
            }
        }
        // What cannot be removed now is removed another time.
        let _leftovers = store.sweep(LEFTOVER_AGE);
        Ok(store)
    }

    /// Returns the store below `root` if there is one, to look at it: nothing is created, swept or checked.
    pub fn existing(root: &Path) -> Option<Self> {
        root.join(ARTIFACTS).is_dir().then(|| Self { root: root.to_owned() })
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
        for name in [PARTIAL, QUARANTINE, STAGING] {
            let directory = self.root.join(name);
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
        self.entry_path(ARTIFACTS, sha256)
    }

    pub(crate) fn tree_path(&self, sha256: &Sha256) -> PathBuf {
        self.entry_path(TREES, sha256)
    }

    pub(crate) fn partial_dir(&self) -> PathBuf {
        self.root.join(PARTIAL)
    }

    pub(crate) fn staging_dir(&self) -> PathBuf {
        self.root.join(STAGING)
    }

    /// Entries are spread over 256 directories, so that none gets slow or too large to look at.
    fn entry_path(&self, kind: &str, sha256: &Sha256) -> PathBuf {
        let text = sha256.to_string();
        self.root.join(kind).join(&text[..2]).join(text)
    }

    /// Moves a file or directory into the quarantine. One that has just been moved by somebody else is no error.
    pub(crate) fn put_aside(&self, path: &Path) -> Result<(), StoreError> {
        let quarantine = self.root.join(QUARANTINE);
        let place = tempfile::Builder::new()
            .prefix("entry-")
            .tempdir_in(&quarantine)
            .map_err(StoreError::io("create a directory in", &quarantine))?;
        let name = path.file_name().unwrap_or_default();
        match fs::rename(path, place.path().join(name)) {
            Ok(()) => {
                let _kept = place.keep();
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(StoreError::io("move to the quarantine", path)(error)),
        }
    }
}

/// Renames to a place whose directory may not exist yet.
pub(crate) fn rename_into(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            disk::make_private_dir(to.parent().unwrap_or(to))?;
            fs::rename(from, to)
        }
        result => result,
    }
}

fn is_older(path: &Path, age: Duration) -> bool {
    let modified = fs::symlink_metadata(path).and_then(|metadata| metadata.modified());
    modified.is_ok_and(|time| SystemTime::now().duration_since(time).is_ok_and(|found| found >= age))
}

/// Removes a leftover. A download that is going on holds the lock on its file; one that begins meanwhile waits for ours,
/// and notices that the file has gone.
fn sweep_one(path: &Path) -> io::Result<()> {
    let removed = if path.is_dir() {
        fs::remove_dir_all(path)
    } else {
        let file = File::open(path)?;
        if file.try_lock().is_err() {
            return Ok(());
        }
        fs::remove_file(path)
    };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// After this long nobody comes back for a partial download, and no process is still unpacking.
const LEFTOVER_AGE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
const ARTIFACTS: &str = "artifacts";
const PARTIAL: &str = "partial";
const QUARANTINE: &str = "quarantine";
const STAGING: &str = "staging";
const TREES: &str = "trees";
