//! What the file system said of every file when it was installed: size, time, number, permissions. `verify --quick` holds
//! it against what it says now.
//!
//! `.pinfold/stamps` is bound to `files.json` by its digest and has one record for each file, in the same order. Each is
//! looked at when it is placed. The stamps find damage and carelessness, not an attacker who also writes here: that is
//! what reading every byte is for.

use std::path::Path;

use pinfold_artifact::{ArchivePath, Sha256};
use sha2::Digest as _;

use crate::disk::{self, Contents, Directory, Facts};
use crate::receipt::{RECEIPT_DIRECTORY, STAMPS_FILE, digest};
use crate::{InstallError, platform};

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

/// The stamps that one thread took: group after group of files, each group under its position among all.
#[derive(Debug, Default)]
pub(crate) struct Stamps {
    all: Vec<Stamped>,
    /// The position of each group, and where its stamps begin.
    groups: Vec<(usize, usize)>,
}

impl Stamps {
    /// Begins a group. It ends where the next begins.
    pub(crate) fn begin(&mut self, position: usize) {
        self.groups.push((position, self.all.len()));
    }

    /// Adds the stamp of the next file of the group.
    pub(crate) fn push(&mut self, stamp: Stamped) {
        self.all.push(stamp);
    }

    /// Returns the stamps of all groups, in the order of their positions.
    pub(crate) fn join(taken: &[Self]) -> Vec<Stamped> {
        let mut groups: Vec<(usize, &[Stamped])> = Vec::with_capacity(taken.iter().map(|it| it.groups.len()).sum());
        for Self { all, groups: own } in taken {
            let ends = own.iter().skip(1).map(|(_, begin)| *begin).chain([all.len()]);
            groups.extend(own.iter().zip(ends).map(|((position, begin), end)| (*position, &all[*begin..end])));
        }
        groups.sort_unstable_by_key(|(position, _)| *position);
        let mut joined = Vec::with_capacity(taken.iter().map(|it| it.all.len()).sum());
        groups.into_iter().for_each(|(_, stamps)| joined.extend_from_slice(stamps));
        joined
    }
}

/// Writes the stamps of the listed files; one that has none yet is looked at.
pub(crate) fn write<'s>(
    root: &Path,
    files: impl ExactSizeIterator<Item = (&'s ArchivePath, Option<Stamped>)>,
    list: &Sha256,
) -> Result<(), InstallError> {
    let opened = Directory::open(root).map_err(InstallError::io("open", root))?;
    let mut bytes = Vec::with_capacity(HEADER_BYTES + files.len() * RECORD_BYTES);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&[0; 32]);
    bytes.extend_from_slice(list.as_bytes());
    for (path, stamped) in files {
        let looked = || opened.facts(path.as_str()).map(|facts| Stamped::of(&facts));
        let stamped = stamped.map_or_else(looked, Ok);
        // The path is made for an error only: this is done for every file.
        let stamped = stamped.map_err(|e| InstallError::io("look at", &disk::below(root, path.as_str()))(e))?;
        bytes.extend_from_slice(&stamped.mtime_ns.to_le_bytes());
        bytes.extend_from_slice(&stamped.inode.to_le_bytes());
        bytes.extend_from_slice(&stamped.mode.to_le_bytes());
    }
    let digest: [u8; 32] = sha2::Sha256::digest(&bytes[BODY..]).into();
    bytes[MAGIC.len()..BODY].copy_from_slice(&digest);
    let path = root.join(RECEIPT_DIRECTORY).join(STAMPS_FILE);
    platform::write_note(&path, &bytes).map(drop).map_err(InstallError::io("write", &path))
}

/// Reads the stamps of an environment for a list of `count` files with a digest. None if there are none that fit: then
/// nothing is known of any file, and each has to be read.
pub(super) fn read(root: &Path, list: &Sha256, count: usize) -> Option<Vec<Stamped>> {
    let expected = HEADER_BYTES + count.checked_mul(RECORD_BYTES)?;
    let directory = Directory::open(root).ok()?.open_in(RECEIPT_DIRECTORY).ok()?;
    let Ok(Contents::Bytes(bytes)) = disk::read_own(&directory, STAMPS_FILE, expected as u64) else { return None };
    if bytes.len() != expected {
        return None;
    }
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
