//! What the file system said of every file when it was installed: size, time, number, permissions. `verify --quick` holds
//! it against what it says now.
//!
//! `.pinfold/stamps` is bound to `files.json` by its digest and has one record for each file, in the same order. A file
//! that is a link to the store has the stamp of the store's manifest; only the others are looked at while installing. The
//! stamps find damage and carelessness, not an attacker who also writes here: that is what reading every byte is for.

use std::collections::HashMap;
use std::path::Path;

use pinfold_artifact::{ArchivePath, Sha256};
use sha2::Digest as _;

use crate::disk::{self, Directory, Facts};
use crate::merge::{Planned, Source};
use crate::receipt::{RECEIPT_DIRECTORY, STAMPS_FILE, digest};
use crate::{InstallError, InstalledFile};

/// What the file system said of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamped {
    pub(crate) mtime_ns: i64,
    pub(crate) inode: u64,
    pub(crate) mode: u32,
}

impl Stamped {
    pub(crate) const fn of(facts: &Facts) -> Self {
        Self { mtime_ns: facts.mtime_ns, inode: facts.inode, mode: facts.mode }
    }
}

/// Stamps that were taken while the plan was still known, by path. They are written in the order of the list.
#[derive(Debug, Default)]
pub(crate) struct Taken(HashMap<ArchivePath, Stamped>);

/// Takes the stamps of files that were just placed below `root`: from the store's manifest where a directory's first file
/// is a link to the store, from the file system elsewhere. One link of a thousand may be a copy, because its file has too
/// many names; then its stamp is wrong, and `--quick` reads the file.
pub(crate) fn take(root: &Path, files: &[Planned<'_>]) -> Result<Taken, InstallError> {
    let opened = Directory::open(root).map_err(InstallError::io("open", root))?;
    let mut taken = HashMap::with_capacity(files.len());
    for group in files.chunk_by(|a, b| disk::split(a.path.as_str()).0 == disk::split(b.path.as_str()).0) {
        let linked = match group.iter().find_map(|file| linked(file).map(|stamp| (file, stamp))) {
            Some((file, stamp)) => facts(&opened, root, file.path.as_str())?.inode == stamp.inode,
            None => false,
        };
        for file in group {
            let stamped = match linked.then(|| self::linked(file)).flatten() {
                Some(stamped) => stamped,
                None => Stamped::of(&facts(&opened, root, file.path.as_str())?),
            };
            taken.insert(file.path.clone(), stamped);
        }
    }
    Ok(Taken(taken))
}

/// Returns the stamp of a file that may be a link to the store.
fn linked(file: &Planned<'_>) -> Option<Stamped> {
    let Source::Tree(_, stored) = &file.source else { return None };
    let mode = if stored.executable { 0o555 } else { 0o444 };
    (stored.stamp.inode != 0).then_some(Stamped { mtime_ns: stored.stamp.mtime_ns, inode: stored.stamp.inode, mode })
}

fn facts(opened: &Directory, root: &Path, path: &str) -> Result<Facts, InstallError> {
    opened.facts(path).map_err(InstallError::io("look at", &disk::below(root, path)))
}

impl Taken {
    /// Writes the stamps of the listed files; one that has none is looked at.
    pub(crate) fn write(&self, root: &Path, files: &[InstalledFile], list: &Sha256) -> Result<(), InstallError> {
        let opened = Directory::open(root).map_err(InstallError::io("open", root))?;
        let mut bytes = Vec::with_capacity(HEADER_BYTES + files.len() * RECORD_BYTES);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&[0; 32]);
        bytes.extend_from_slice(list.as_bytes());
        for file in files {
            let stamped = match self.0.get(&file.path) {
                Some(stamped) => *stamped,
                None => Stamped::of(&facts(&opened, root, file.path.as_str())?),
            };
            bytes.extend_from_slice(&stamped.mtime_ns.to_le_bytes());
            bytes.extend_from_slice(&stamped.inode.to_le_bytes());
            bytes.extend_from_slice(&stamped.mode.to_le_bytes());
        }
        let digest: [u8; 32] = sha2::Sha256::digest(&bytes[BODY..]).into();
        bytes[MAGIC.len()..BODY].copy_from_slice(&digest);
        let path = root.join(RECEIPT_DIRECTORY).join(STAMPS_FILE);
        std::fs::write(&path, bytes).map_err(InstallError::io("write", &path))
    }
}

/// Reads the stamps of an environment for a list of `count` files with a digest. None if there are none that fit: then
/// nothing is known of any file, and each has to be read.
pub(super) fn read(root: &Path, list: &Sha256, count: usize) -> Option<Vec<Stamped>> {
    let path = root.join(RECEIPT_DIRECTORY).join(STAMPS_FILE);
    let metadata = std::fs::symlink_metadata(&path).ok()?;
    let expected = HEADER_BYTES + count.checked_mul(RECORD_BYTES)?;
    if !metadata.is_file() || metadata.len() != expected as u64 {
        return None;
    }
    let bytes = std::fs::read(&path).ok().filter(|bytes| bytes.len() == expected)?;
    let (header, records) = bytes.split_at(HEADER_BYTES);
    let fits = header.starts_with(MAGIC)
        && &header[MAGIC.len()..BODY] == digest(&bytes[BODY..]).as_bytes()
        && &header[BODY..] == list.as_bytes();
    fits.then(|| records.chunks_exact(RECORD_BYTES).filter_map(record).collect())
}

fn record(bytes: &[u8]) -> Option<Stamped> {
    let (mtime_ns, rest) = bytes.split_first_chunk()?;
    let (inode, rest) = rest.split_first_chunk()?;
    let (mode, _) = rest.split_first_chunk()?;
    Some(Stamped {
        mtime_ns: i64::from_le_bytes(*mtime_ns),
        inode: u64::from_le_bytes(*inode),
        mode: u32::from_le_bytes(*mode),
    })
}

/// Names the form: another form gets another line.
const MAGIC: &[u8] = b"pinfold-stamps-1\n";
/// Where what the digest is of begins: after the name of the form and the digest.
const BODY: usize = MAGIC.len() + 32;
/// Then the digest of `files.json`.
const HEADER_BYTES: usize = BODY + 32;
const RECORD_BYTES: usize = 8 + 8 + 4;
