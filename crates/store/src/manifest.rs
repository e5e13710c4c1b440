//! The list of an unpacked tree's files, and its form on disk: read in one go, checked by its own digest before a byte of
//! it is believed, and bound to the artifact that it was made from.
//!
//! The digest finds damage, not attackers: who can write into the store can write a digest too. Against them stand the
//! store's permissions and the check of every file's stamp.

use std::collections::BTreeMap;

use pinfold_artifact::{ArchivePath, ArchivePaths, Limits, Sha256};
use sha2::Digest;

use crate::boot::Boot;

/// What an unpacked artifact consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeManifest {
    /// The files. In a stored tree they are sorted directory by directory, so that a directory has to be opened once.
    pub files: Vec<TreeFile>,
    /// Small facts about the artifact that an install needs, so that it need not read the files again.
    pub note: BTreeMap<String, String>,
}

/// One file of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeFile {
    /// Where it is, below the tree's root.
    pub path: ArchivePath,
    /// Its size.
    pub size_bytes: u64,
    /// Its digest.
    pub sha256: Sha256,
    /// Whether it may be executed.
    pub executable: bool,
    /// How the disk recorded it. The store fills this in.
    pub stamp: Stamp,
}

/// What the file system says of a file without reading it. It changes when the file is written or replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stamp {
    /// Time of the last change, in nanoseconds since 1970.
    pub mtime_ns: i64,
    /// The file's number on its file system; 0 where the system has none.
    pub inode: u64,
}

impl TreeFile {
    /// Makes an entry for a file that has just been written; the store adds the stamp.
    pub fn new(path: ArchivePath, size_bytes: u64, sha256: Sha256, executable: bool) -> Self {
        Self { path, size_bytes, sha256, executable, stamp: Stamp::default() }
    }

    /// Returns the directory, empty for a file at the root, and the name in it.
    pub fn directory_and_name(&self) -> (&str, &str) {
        self.path.as_str().rsplit_once('/').unwrap_or(("", self.path.as_str()))
    }
}

impl TreeManifest {
    pub(crate) fn sort(&mut self) {
        self.files.sort_unstable_by(|a, b| a.directory_and_name().cmp(&b.directory_and_name()));
    }

    /// Returns the bytes on disk.
    pub fn to_bytes(&self, artifact: &Sha256, written: Boot) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + self.files.len() * 128);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&[0; DIGEST_BYTES]);
        bytes.extend_from_slice(artifact.as_bytes());
        bytes.extend_from_slice(&written.0);
        put_count(&mut bytes, self.note.len());
        for (key, value) in &self.note {
            put_text(&mut bytes, key);
            put_text(&mut bytes, value);
        }
        put_count(&mut bytes, self.files.len());
        for file in &self.files {
            put_text(&mut bytes, file.path.as_str());
            bytes.extend_from_slice(&file.size_bytes.to_le_bytes());
            bytes.extend_from_slice(file.sha256.as_bytes());
            bytes.push(u8::from(file.executable));
            bytes.extend_from_slice(&file.stamp.mtime_ns.to_le_bytes());
            bytes.extend_from_slice(&file.stamp.inode.to_le_bytes());
        }
        let digest: [u8; DIGEST_BYTES] = sha2::Sha256::digest(&bytes[HEADER_BYTES..]).into();
        bytes[MAGIC.len()..HEADER_BYTES].copy_from_slice(&digest);
        bytes
    }

    /// Reads the bytes on disk, and under which start of the machine they were written. Returns nothing if they are not
    /// exactly what was written for this artifact.
    pub fn from_bytes(bytes: &[u8], artifact: &Sha256) -> Option<(Self, Boot)> {
        let mut reader = Reader { rest: bytes };
        let magic = reader.take(MAGIC.len())?;
        if magic != MAGIC && magic != FORMER_MAGIC {
            return None;
        }
        let digest = reader.take(DIGEST_BYTES)?;
        if sha2::Sha256::digest(reader.rest).as_slice() != digest || reader.take(DIGEST_BYTES)? != artifact.as_bytes() {
            return None;
        }
        let written = if magic == MAGIC { Boot(reader.array()?) } else { Boot::UNKNOWN };
        let mut note = BTreeMap::new();
        for _ in 0..reader.u32()? {
            let key = reader.text()?.to_owned();
            note.insert(key, reader.text()?.to_owned());
        }
        let count = reader.u32()? as usize;
        // The paths first: they share one text.
        let likely = count.min(Limits::ARCHIVE_MEMBERS);
        let text = reader.rest.len().saturating_sub(likely * (FILE_BYTES + size_of::<u32>()));
        let (mut paths, mut ahead) = (ArchivePaths::with_capacity(likely, text), Reader { rest: reader.rest });
        for _ in 0..count {
            paths.push(ahead.text()?).ok()?;
            ahead.take(FILE_BYTES)?;
        }
        let mut files = Vec::with_capacity(likely);
        for path in paths.finish() {
            files.push(reader.file(path)?);
        }
        reader.rest.is_empty().then_some((Self { files, note }, written))
    }
}

fn put_count(bytes: &mut Vec<u8>, count: usize) {
    bytes.extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    put_count(bytes, text.len());
    bytes.extend_from_slice(text.as_bytes());
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = self.u32()? as usize;
        str::from_utf8(self.take(length)?).ok()
    }

    /// Reads a file whose path is known.
    fn file(&mut self, path: ArchivePath) -> Option<TreeFile> {
        let length = self.u32()? as usize;
        self.take(length)?;
        Some(TreeFile {
            path,
            size_bytes: self.u64()?,
            sha256: Sha256::from_bytes(self.array()?),
            executable: match self.take(1)? {
                [0] => false,
                [1] => true,
                _ => return None,
            },
            stamp: Stamp { mtime_ns: i64::from_le_bytes(self.array()?), inode: self.u64()? },
        })
    }
}

/// Names the form: another form gets another line.
const MAGIC: &[u8] = b"pinfold-tree-02\n";
/// The form before: the same, without the start of the machine.
const FORMER_MAGIC: &[u8] = b"pinfold-tree-01\n";
const DIGEST_BYTES: usize = 32;
/// What follows the path of a file: size, digest, whether it may be executed, time and number.
const FILE_BYTES: usize = 8 + DIGEST_BYTES + 1 + 8 + 8;
const HEADER_BYTES: usize = MAGIC.len() + DIGEST_BYTES;

#[cfg(test)]
mod tests {
    use super::*;

    const BOOT: Boot = Boot([7; Boot::BYTES]);

    fn manifest(count: u64) -> TreeManifest {
        let file = |n: u64| TreeFile {
            path: format!("torch/include/ATen/ops/some_operator_{n}.h").parse().unwrap(),
            size_bytes: n,
            sha256: Sha256::from_bytes([n.to_le_bytes()[0]; 32]),
            executable: n.is_multiple_of(7),
            stamp: Stamp { mtime_ns: -1, inode: u64::MAX - n },
        };
        TreeManifest {
            files: (0..count).map(file).collect(),
            note: [("metadata".to_owned(), "Name: é\n".to_owned()), (String::new(), String::new())].into(),
        }
    }

    #[test]
    fn reads_what_it_wrote() {
        let artifact = Sha256::from_bytes([9; 32]);
        for count in [0, 1, 500] {
            let bytes = manifest(count).to_bytes(&artifact, BOOT);
            assert_eq!(TreeManifest::from_bytes(&bytes, &artifact), Some((manifest(count), BOOT)));
        }
    }

    #[test]
    fn the_former_form_is_read_and_does_not_say_when_it_was_written() {
        let artifact = Sha256::from_bytes([9; 32]);
        let mut bytes = manifest(3).to_bytes(&artifact, BOOT);
        let boot = HEADER_BYTES + DIGEST_BYTES;
        bytes.drain(boot..boot + Boot::BYTES);
        bytes[..MAGIC.len()].copy_from_slice(FORMER_MAGIC);
        let digest: [u8; 32] = sha2::Sha256::digest(&bytes[HEADER_BYTES..]).into();
        bytes[MAGIC.len()..HEADER_BYTES].copy_from_slice(&digest);
        assert_eq!(TreeManifest::from_bytes(&bytes, &artifact), Some((manifest(3), Boot::UNKNOWN)));
    }

    #[test]
    fn any_change_or_another_artifact_is_noticed() {
        let artifact = Sha256::from_bytes([9; 32]);
        let bytes = manifest(2).to_bytes(&artifact, BOOT);
        assert_eq!(TreeManifest::from_bytes(&bytes, &Sha256::from_bytes([8; 32])), None);
        for position in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[position] ^= 1;
            assert_eq!(TreeManifest::from_bytes(&damaged, &artifact), None, "byte {position}");
            assert_eq!(TreeManifest::from_bytes(&bytes[..position], &artifact), None, "cut at {position}");
        }
    }

    #[test]
    fn counts_that_lie_are_no_allocation() {
        let artifact = Sha256::from_bytes([9; 32]);
        let mut bytes = TreeManifest { files: Vec::new(), note: BTreeMap::new() }.to_bytes(&artifact, BOOT);
        let end = bytes.len();
        bytes[end - 4..].copy_from_slice(&u32::MAX.to_le_bytes());
        let digest: [u8; 32] = sha2::Sha256::digest(&bytes[HEADER_BYTES..]).into();
        bytes[MAGIC.len()..HEADER_BYTES].copy_from_slice(&digest);
        assert_eq!(TreeManifest::from_bytes(&bytes, &artifact), None);
    }
}
