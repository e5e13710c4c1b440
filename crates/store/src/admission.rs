//! The one way into the store: bytes are hashed while they are hot, counted, and thrown away unless they are the locked ones.
//!
//! The file that grows is named for the digest and the index, so that an interrupted download is taken up where it ended,
//! and never with bytes from another index. Whoever holds the lock on it writes it; others write a file of their own.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use pinfold_artifact::{Artifact, Sha256};
use sha2::Digest;

use crate::artifacts::note_admission;
use crate::root::rename_into;
use crate::{Store, StoreError, Stored, disk};

/// An artifact that is arriving. Dropped unfinished, it leaves its bytes for a later admission to take up.
#[derive(Debug)]
pub struct Admission {
    store: Store,
    artifact: Artifact,
    file: File,
    path: PathBuf,
    hasher: sha2::Sha256,
    /// Bytes in the file and in the hasher; never more than the artifact's size.
    written: u64,
    remainder: Remainder,
}

/// What becomes of the file when the admission is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Remainder {
    /// It stays for a later admission, if it holds anything.
    Keep,
    /// It has become part of the store.
    Moved,
    /// It is removed.
    Remove,
}

impl Store {
    /// Begins to admit an artifact. What an interrupted admission of the same artifact from the same index left behind is
    /// taken up: see [`Admission::written`].
    ///
    /// # Errors
    /// [`StoreError::Io`], also where the disk has no room for the artifact.
    pub fn admission(&self, artifact: &Artifact) -> Result<Admission, StoreError> {
        let (file, path, remainder) = self.partial_file(artifact)?;
        let mut admission = Admission {
            store: self.clone(),
            artifact: artifact.clone(),
            file,
            path,
            hasher: sha2::Sha256::new(),
            written: 0,
            remainder,
        };
        admission.take_up()?;
        let path = &admission.path;
        disk::reserve(&admission.file, artifact.size_bytes).map_err(StoreError::io("reserve room for", path))?;
        Ok(admission)
    }

    /// Opens the partial file of an artifact, or one of its own if another admission is writing that.
    fn partial_file(&self, artifact: &Artifact) -> Result<(File, PathBuf, Remainder), StoreError> {
        let directory = self.partial_dir();
        let index = Sha256::from_bytes(sha2::Sha256::digest(artifact.origin.index().as_str()).into());
        let name = format!("{}-{}", artifact.sha256, index.short());
        let path = directory.join(&name);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        for _ in 0..LOCK_ATTEMPTS {
            // What is no file cannot be taken up, nor be waited for.
            if fs::symlink_metadata(&path).is_ok_and(|found| !found.is_file()) {
                break;
            }
            let file = match options.open(&path) {
                // It is complete and read-only: its writer is about to move it into the store, or died before it could.
                Err(error) if disk::is_denied(&error) => {
                    if remove_abandoned(&path).map_err(StoreError::io("remove", &path))? {
                        continue;
                    }
                    break;
                }
                opened => opened.map_err(StoreError::io("open", &path))?,
            };
            if file.try_lock().is_err() {
                break;
            }
            // Between opening and locking, its former writer may have moved the file into the store.
            if is_at(&file, &path) {
                return Ok((file, path, Remainder::Keep));
            }
        }
        let own = tempfile::Builder::new()
            .prefix(&format!("{name}."))
            .tempfile_in(&directory)
            .map_err(StoreError::io("create a file in", &directory))?;
        let (file, path) = own.keep().map_err(|error| StoreError::io("keep a file in", &directory)(error.error))?;
        // Held for nobody but [`Store::sweep`]; without it a sweep goes by the file's age alone.
        let _held = file.try_lock();
        Ok((file, path, Remainder::Remove))
    }
}

impl Admission {
    /// Returns how many bytes are there already: where the source must go on.
    pub const fn written(&self) -> u64 {
        self.written
    }

    /// Adds the next bytes.
    ///
    /// # Errors
    /// [`StoreError::SizeMismatch`] as soon as there is one byte too many; then nothing is left for a later admission.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let total = self.written.saturating_add(bytes.len() as u64);
        if total > self.artifact.size_bytes {
            self.remainder = Remainder::Remove;
            return Err(StoreError::size(&self.artifact, self.artifact.size_bytes.saturating_add(1)));
        }
        for part in bytes.chunks(PUSH_BYTES) {
            self.hasher.update(part);
            if let Err(error) = self.file.write_all(part) {
                // How much was written is unknown, and the hasher is ahead.
                self.remainder = Remainder::Remove;
                return Err(StoreError::io("write", &self.path)(error));
            }
        }
        self.written = total;
        Ok(())
    }

    /// Forgets everything written so far.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn restart(&mut self) -> Result<(), StoreError> {
        if self.written > 0 {
            self.file.set_len(0).and_then(|()| self.file.rewind()).map_err(StoreError::io("empty", &self.path))?;
            self.hasher = sha2::Sha256::new();
            self.written = 0;
        }
        Ok(())
    }

    /// Gives up and leaves nothing behind.
    pub fn discard(mut self) {
        self.remainder = Remainder::Remove;
    }

    /// Makes the artifact part of the store, if its size and digest match. Otherwise nothing is left.
    ///
    /// # Errors
    /// [`StoreError::SizeMismatch`], [`StoreError::HashMismatch`], [`StoreError::Io`].
    pub fn finish(mut self) -> Result<Stored, StoreError> {
        self.remainder = Remainder::Remove;
        if self.written != self.artifact.size_bytes {
            return Err(StoreError::size(&self.artifact, self.written));
        }
        let found = Sha256::from_bytes(std::mem::take(&mut self.hasher).finalize().into());
        if found != self.artifact.sha256 {
            return Err(StoreError::HashMismatch { artifact: Box::new(self.artifact.clone()), found });
        }
        let stored = self.move_in()?;
        self.remainder = Remainder::Moved;
        Ok(stored)
    }

    fn move_in(&self) -> Result<Stored, StoreError> {
        let io = |action| StoreError::io(action, &self.path);
        disk::make_read_only(&self.file, false).map_err(io("make read-only"))?;
        let metadata = self.file.metadata().map_err(io("look at"))?;
        let facts = disk::facts_of(&metadata).ok_or_else(|| io("look at")(io::ErrorKind::InvalidData.into()))?;
        let path = self.store.artifact_path(&self.artifact.sha256);
        note_admission(&path, &self.artifact, facts.stamp, self.store.boot)?;
        rename_into(&self.path, &path).map_err(StoreError::io("move into the store", &path))?;
        Ok(Stored::new(self.artifact.sha256, self.artifact.size_bytes, path))
    }

    /// Hashes what an interrupted admission left. What cannot be a beginning of the artifact is thrown away.
    fn take_up(&mut self) -> Result<(), StoreError> {
        let length = self.file.metadata().map_err(StoreError::io("look at", &self.path))?.len();
        if length > self.artifact.size_bytes {
            return self.file.set_len(0).map_err(StoreError::io("empty", &self.path));
        }
        let mut buffer = vec![0; if length == 0 { 0 } else { TAKE_UP_BYTES }];
        while self.written < length {
            let count = self.file.read(&mut buffer).map_err(StoreError::io("read", &self.path))?;
            if count == 0 {
                break;
            }
            self.hasher.update(&buffer[..count]);
            self.written = self.written.saturating_add(count as u64);
        }
        Ok(())
    }
}

impl Write for Admission {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.push(buffer).map_err(io::Error::other)?;
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        match self.remainder {
            // Gives back the room that was reserved beyond the bytes that arrived.
            Remainder::Keep if self.written > 0 => drop(self.file.set_len(self.written)),
            Remainder::Keep | Remainder::Remove => drop(fs::remove_file(&self.path)),
            Remainder::Moved => {}
        }
    }
}

/// Removes a partial file that nobody writes any more; false if somebody does.
fn remove_abandoned(path: &Path) -> io::Result<bool> {
    let removed = disk::open_to_lock(path).and_then(|file| {
        if file.try_lock().is_err() {
            return Ok(false);
        }
        if is_at(&file, path) {
            fs::remove_file(path)?;
        }
        Ok(true)
    });
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        removed => removed,
    }
}

/// Returns true if the path still leads to this file.
fn is_at(file: &File, path: &Path) -> bool {
    let (Ok(open), Ok(there)) = (file.metadata(), fs::symlink_metadata(path)) else { return false };
    match (disk::facts_of(&open), disk::facts_of(&there)) {
        (Some(open), Some(there)) => open.stamp.inode == there.stamp.inode,
        _ => false,
    }
}

/// How often the partial file is opened again because its writer moved it away.
const LOCK_ATTEMPTS: usize = 3;
/// Bytes that are hashed and then written: still in the processor's cache the second time, and no more at once than the
/// system finds memory for without moving things about.
const PUSH_BYTES: usize = 128 << 10;
/// Bytes read at a time when a partial file is taken up.
const TAKE_UP_BYTES: usize = 256 << 10;
