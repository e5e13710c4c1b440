//! Stored artifacts: finding them without reading them, and noticing when they are not what was stored.
//!
//! Beside each artifact lies its record, a text file that only grows: `from URL` for each index that the bytes were
//! admitted from, `size BYTES`, `seen TIME INODE WHEN` for how the disk recorded the file: WHEN is the start of the machine
//! under which it was written, or `durable` if it was read again since. A file that the disk records otherwise, or that was
//! written before the machine was started anew, is hashed before it is believed again. The record outlives the bytes: once a wheel is unpacked they are forgotten, and
//! the record goes on saying where the tree came from.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};

use pinfold_artifact::{Artifact, SafeUrl, Sha256};
use sha2::Digest;

use crate::boot::Boot;
use crate::stock::note_use;
use crate::tree::MANIFEST;
use crate::{Damage, Stamp, Store, StoreError, StoredTree, disk};

/// An artifact in the store: proof that its size and digest matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Made by [`Store::find`] and by a finished admission only.
    sha256: Sha256,
    size_bytes: u64,
    path: PathBuf,
}

impl Stored {
    pub(crate) const fn new(sha256: Sha256, size_bytes: u64, path: PathBuf) -> Self {
        Self { sha256, size_bytes, path }
    }

    /// Returns the digest.
    pub const fn sha256(&self) -> &Sha256 {
        &self.sha256
    }

    /// Returns the size.
    pub const fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Returns where the file is. Nobody may change it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn damage(&self, found: &str) -> Damage {
        let (expected, found) = (format!("sha256 {}", self.sha256), found.to_owned());
        Damage { artifact: self.sha256, path: String::new(), expected, found }
    }

    /// Opens the file for reading.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn open(&self) -> Result<File, StoreError> {
        File::open(&self.path).map_err(StoreError::io("open", &self.path))
    }
}

impl Store {
    /// Returns the artifact if it is present, has the locked size, and was admitted before from this artifact's own
    /// index. Costs a stat and the reading of a small file. An artifact that was changed since is put aside and counts as
    /// absent.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn find(&self, artifact: &Artifact) -> Result<Option<Stored>, StoreError> {
        let path = self.artifact_path(&artifact.sha256);
        let metadata = match disk::look_at(&path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::io("look at", &path)(error)),
        };
        let record = self.record(&artifact.sha256)?;
        if !record.is_from(artifact.origin.index()) {
            return Ok(None);
        }
        let stored = Stored::new(artifact.sha256, artifact.size_bytes, path);
        let Some(facts) = disk::facts_of(&metadata) else {
            self.quarantine_artifact(&stored)?;
            self.note(vec![stored.damage("no regular file")]);
            return Ok(None);
        };
        if !self.may_be_read(&stored)? {
            return Ok(None);
        }
        let unchanged = record.has_seen(facts.stamp, self.boot) || {
            let still_right = self.recheck_found(&stored)?;
            if still_right {
                // Where only the machine was started anew, what was read came from the disk.
                let when = if record.knows(facts.stamp) { DURABLE.to_owned() } else { self.boot.to_string() };
                // Where this cannot be noted, the bytes are read again another time.
                let _noted = append_record(&record_path(stored.path()), &seen_line(facts.stamp, &when));
            }
            still_right
        };
        let noted = record_path(stored.path());
        note_use(&noted, fs::metadata(&noted).and_then(|metadata| metadata.modified()).ok());
        // An asker who gives another size for these bytes is wrong, the entry is not.
        Ok((unchanged && facts.size_bytes == artifact.size_bytes).then_some(stored))
    }

    /// Returns the unpacked tree of an artifact that was admitted before from this artifact's own index with the locked size,
    /// whether or not its bytes are still there.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn unpacked(&self, artifact: &Artifact) -> Result<Option<StoredTree>, StoreError> {
        let record = self.record(&artifact.sha256)?;
        if !record.is_from(artifact.origin.index()) || !record.has_size(artifact.size_bytes) {
            return Ok(None);
        }
        let tree = self.tree(&artifact.sha256)?;
        tree.iter().for_each(|tree| note_use(&tree.directory().join(MANIFEST), tree.used));
        Ok(tree)
    }

    /// Returns true if the artifact need not be fetched, as far as the names of files tell: it was admitted from its own
    /// index with the locked size, and its bytes or its tree are there. Writes nothing.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn holds(&self, artifact: &Artifact) -> Result<bool, StoreError> {
        let path = self.artifact_path(&artifact.sha256);
        let record = Record::of(self, &artifact.sha256)?;
        let is_ours = record.is_from(artifact.origin.index()) && record.has_size(artifact.size_bytes);
        let is_there = |path: &Path| fs::symlink_metadata(path).is_ok();
        Ok(is_ours && (is_there(&path) || is_there(&self.tree_path(&artifact.sha256))))
    }

    /// Removes an artifact's bytes, which its unpacked tree stands for from now on; the record stays.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn forget_bytes(&self, stored: &Stored) -> Result<(), StoreError> {
        let directory = stored.path().parent().unwrap_or(stored.path());
        let remove = || fs::remove_file(stored.path());
        let removed = match disk::with_rights(directory, disk::CHANGE, remove) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied && disk::make_way(stored.path()) => remove(),
            removed => removed,
        };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(StoreError::io("remove", stored.path())(error))
            }
            _ => Ok(()),
        }
    }

    /// Admits an artifact: reads the source to its end, and keeps it only if size and digest match.
    ///
    /// # Errors
    /// [`StoreError::SizeMismatch`] or [`StoreError::HashMismatch`], which leave nothing behind; [`StoreError::Source`].
    pub fn admit(&self, artifact: &Artifact, source: &mut dyn Read) -> Result<Stored, StoreError> {
        let mut admission = self.admission(artifact)?;
        admission.restart()?;
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let count = match source.read(&mut buffer) {
                Ok(0) => return admission.finish(),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(source) => {
                    admission.discard();
                    return Err(StoreError::Source { artifact: Box::new(artifact.clone()), source });
                }
            };
            admission.push(&buffer[..count])?;
        }
    }

    /// Reads the whole artifact again and puts it aside if its digest is another by now.
    ///
    /// # Errors
    /// [`StoreError::StoreMismatch`] if it is; [`StoreError::Io`].
    pub fn recheck(&self, stored: &Stored) -> Result<(), StoreError> {
        let found = digest_of(stored.path())?;
        if found == *stored.sha256() {
            return Ok(());
        }
        self.quarantine_artifact(stored)?;
        self.note(vec![stored.damage(&format!("sha256 {found}"))]);
        Err(StoreError::StoreMismatch { expected: *stored.sha256(), found })
    }

    /// Moves an artifact out of the way: the next [`Store::find`] does not see it.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn quarantine_artifact(&self, stored: &Stored) -> Result<(), StoreError> {
        self.put_aside(&record_path(stored.path()))?;
        self.put_aside(stored.path()).map(drop)
    }

    /// Reads the record of an artifact. Where it may not be read, nobody knows where the artifact came from: it is put aside.
    fn record(&self, sha256: &Sha256) -> Result<Record, StoreError> {
        let path = record_path(&self.artifact_path(sha256));
        match Record::open(&path) {
            Err(StoreError::Io { source, .. }) if disk::is_denied(&source) => {
                self.put_aside(&path)?;
                self.note(vec![Record::closed(sha256)]);
                Ok(Record::default())
            }
            record => record,
        }
    }

    /// Says what is wrong with the record of an artifact, if it may not be read. Moves nothing.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn read_record(&self, sha256: &Sha256) -> Result<Option<Damage>, StoreError> {
        match Record::open(&record_path(&self.artifact_path(sha256))) {
            Err(StoreError::Io { source, .. }) if disk::is_denied(&source) => Ok(Some(Record::closed(sha256))),
            record => record.map(|_| None),
        }
    }

    /// Makes sure that an artifact may be read. One whose owner lost that right is put aside, and false; and so is one that another
    /// process has unpacked and forgotten meanwhile.
    fn may_be_read(&self, stored: &Stored) -> Result<bool, StoreError> {
        match File::open(stored.path()) {
            Err(error) if disk::is_denied(&error) => {
                self.quarantine_artifact(stored)?;
                self.note(vec![stored.damage(disk::NOT_READABLE)]);
                Ok(false)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(StoreError::io("open", stored.path())(error)),
            Ok(_) => Ok(true),
        }
    }

    /// Returns whether the file still has its digest.
    fn recheck_found(&self, stored: &Stored) -> Result<bool, StoreError> {
        match self.recheck(stored) {
            Ok(()) => Ok(true),
            Err(StoreError::StoreMismatch { .. }) => Ok(false),
            Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// What is written beside an artifact.
#[derive(Debug, Default)]
pub(crate) struct Record {
    text: String,
}

impl Record {
    /// Reads the record of an artifact.
    pub(crate) fn of(store: &Store, sha256: &Sha256) -> Result<Self, StoreError> {
        Self::read(&record_path(&store.artifact_path(sha256)))
    }

    /// Returns the indexes that the artifact was admitted from.
    pub(crate) fn origins(&self) -> impl Iterator<Item = &str> {
        self.text.lines().filter_map(|line| line.strip_prefix("from "))
    }

    /// Reads a record. A missing one is empty, and so is one that has grown beyond reason, is no file, or may not be read.
    fn read(path: &Path) -> Result<Self, StoreError> {
        match Self::open(path) {
            Err(StoreError::Io { source, .. }) if disk::is_denied(&source) => Ok(Self::default()),
            record => record,
        }
    }

    /// As [`Record::read`], but that it is an error where it may not be read.
    fn open(path: &Path) -> Result<Self, StoreError> {
        let directory = path.parent().unwrap_or(path);
        let opened = disk::with_rights(directory, disk::LOOK_INTO, || disk::open_own(path));
        let Some(file) = opened.map_err(StoreError::io("open", path))? else { return Ok(Self::default()) };
        let mut bytes = Vec::with_capacity(256);
        file.take(RECORD_BYTES + 1).read_to_end(&mut bytes).map_err(StoreError::io("read", path))?;
        if bytes.len() as u64 > RECORD_BYTES {
            return Ok(Self::default());
        }
        Ok(Self { text: String::from_utf8(bytes).unwrap_or_default() })
    }

    /// What is said of a record that may not be read.
    fn closed(sha256: &Sha256) -> Damage {
        let (expected, found) = ("a record of where it came from".to_owned(), disk::NOT_READABLE.to_owned());
        Damage { artifact: *sha256, path: String::new(), expected, found }
    }

    fn is_from(&self, index: &SafeUrl) -> bool {
        self.text.lines().any(|line| line.strip_prefix("from ") == Some(index.as_str()))
    }

    fn has_size(&self, size_bytes: u64) -> bool {
        let wanted = size_line(size_bytes);
        self.text.lines().any(|line| line == wanted)
    }

    /// Returns true if the disk recorded the file so, and nothing of it can have been lost since.
    fn has_seen(&self, stamp: Stamp, boot: Boot) -> bool {
        let wanted = [seen_line(stamp, DURABLE), seen_line(stamp, &boot.to_string())];
        self.text.lines().any(|line| wanted.iter().any(|wanted| line == wanted))
            || (boot == Boot::UNKNOWN && self.knows(stamp))
    }

    /// Returns true if the disk recorded the file so at any time.
    fn knows(&self, stamp: Stamp) -> bool {
        let wanted = seen_line(stamp, "");
        self.text.lines().any(|line| line == wanted.trim_end() || line.starts_with(&wanted))
    }
}

/// Notes that an artifact was admitted from an index and how the disk recorded it. Called before the artifact appears.
pub(crate) fn note_admission(
    artifact_path: &Path,
    artifact: &Artifact,
    stamp: Stamp,
    boot: Boot,
) -> Result<(), StoreError> {
    let path = record_path(artifact_path);
    let record = Record::read(&path)?;
    let mut lines = seen_line(stamp, &boot.to_string());
    if !record.has_size(artifact.size_bytes) {
        let _infallible = write!(lines, "\n{}", size_line(artifact.size_bytes));
    }
    if !record.is_from(artifact.origin.index()) {
        let _infallible = write!(lines, "\nfrom {}", artifact.origin.index());
    }
    append_record(&path, &lines)
}

/// Appends lines in one write, which no other process can cut in two. The line break comes first, so that a line that was
/// torn by a crash damages no other. What is no record, or one that has grown beyond reason, gives way to a new one.
fn append_record(path: &Path, lines: &str) -> Result<(), StoreError> {
    let removed = match disk::look_at(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(found) if !found.is_file() || found.len() > RECORD_BYTES / 2 => fs::remove_file(path),
        _ => Ok(()),
    };
    removed.map_err(StoreError::io("remove", path))?;
    let directory = path.parent().unwrap_or(path);
    let open = || OpenOptions::new().append(true).create(true).open(path);
    let opened = disk::with_rights(path, disk::READ_AND_WRITE, || disk::with_rights(directory, disk::CHANGE, open));
    let mut file = match opened {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            disk::make_private_dir(directory).map_err(StoreError::io("create", path))?;
            open()
        }
        result => result,
    }
    .map_err(StoreError::io("open", path))?;
    file.write_all(format!("\n{lines}\n").as_bytes()).map_err(StoreError::io("write", path))
}

fn seen_line(stamp: Stamp, when: &str) -> String {
    format!("seen {} {} {when}", stamp.mtime_ns, stamp.inode)
}

fn size_line(size_bytes: u64) -> String {
    format!("size {size_bytes}")
}

fn record_path(artifact_path: &Path) -> PathBuf {
    artifact_path.with_extension("from")
}

/// Reads a file to its end and returns its digest.
pub(crate) fn digest_of(path: &Path) -> Result<Sha256, StoreError> {
    let mut file = File::open(path).map_err(StoreError::io("open", path))?;
    let mut hasher = sha2::Sha256::new();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(Sha256::from_bytes(hasher.finalize().into())),
            Ok(count) => hasher.update(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(StoreError::io("read", path)(error)),
        }
    }
}

/// Said of a file that was read after the machine was started anew.
const DURABLE: &str = "durable";
/// Bytes of a record: far more than the indexes that one artifact is served by.
const RECORD_BYTES: u64 = 64 << 10;
/// Large enough for few system calls, small enough to stay in the cache between reading, hashing and writing.
const READ_BYTES: usize = 256 << 10;
