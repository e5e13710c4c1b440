//! Many small cached answers in one file, mapped and checked in one pass.
//!
//! A lock looks at hundreds of small answers, and opening a file for each costs more than reading them. So what one run looked
//! at is kept together for the next: a head, a directory of names and lengths, the answers one after the other. The head has a
//! checksum, by which a pack that is not what was written is not read (every answer in it can be had again), and a digest, by
//! which others can tell one pack from another. The checksum is against accidents: whoever may write here may also write it.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;

use bytes::Bytes;
use sha2::Digest;

/// The name of a cached answer: the digest of what it answers.
pub(crate) type Key = [u8; 32];

/// What a pack held when this run began, and what the run has looked at since.
#[derive(Debug, Default)]
pub(crate) struct Pack {
    bytes: Bytes,
    held: HashMap<Key, Range<usize>>,
    /// Looked at in this run, and not held.
    new: BTreeMap<Key, Bytes>,
    /// Looked at in this run, and held.
    used: BTreeMap<Key, Bytes>,
}

impl Pack {
    /// Reads a pack; one that is missing or damaged is empty.
    pub(crate) fn read(path: &Path) -> io::Result<Self> {
        let bytes = match File::open(path).and_then(|file| bytes_of(&file)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error),
        };
        let held = directory(&bytes).unwrap_or_default();
        Ok(Self { bytes, held, ..Self::default() })
    }

    /// Returns an answer that the pack holds or that was noted.
    pub(crate) fn find(&mut self, key: &Key) -> Option<Bytes> {
        if let Some(new) = self.new.get(key) {
            return Some(new.clone());
        }
        let answer = self.bytes.slice(self.held.get(key)?.clone());
        self.used.insert(*key, answer.clone());
        Some(answer)
    }

    /// Notes an answer that is to be in the next pack, in place of one of the same name.
    pub(crate) fn note(&mut self, key: Key, answer: Bytes) {
        self.new.insert(key, answer);
    }

    /// Returns the next pack if it has to be another than the present one: with everything that was looked at, and what else
    /// was held where that is not too much.
    pub(crate) fn next(&self) -> Option<Vec<u8>> {
        if self.new.is_empty() {
            return None;
        }
        let mut answers: BTreeMap<Key, Bytes> = self.used.clone();
        answers.extend(self.new.iter().map(|(key, answer)| (*key, answer.clone())));
        let mut length: usize = answers.values().map(Bytes::len).sum();
        for (key, range) in &self.held {
            if !answers.contains_key(key) && length + range.len() <= KEPT_BYTES {
                length += range.len();
                answers.insert(*key, self.bytes.slice(range.clone()));
            }
        }
        written(&answers)
    }
}

/// Returns the digest of the pack at a path, without reading the pack; none if there is no pack.
pub(crate) fn identity(path: &Path) -> Option<[u8; 32]> {
    let mut head = [0; HEAD_BYTES];
    File::open(path).ok()?.read_exact(&mut head).ok()?;
    let digest = head.strip_prefix(FORM)?.first_chunk()?;
    Some(*digest)
}

/// Maps a file: its pages are looked at where they are, instead of being copied into memory that has to be had for it. It is read
/// where it cannot be mapped: there are file systems without that.
#[cfg(unix)]
fn bytes_of(file: &File) -> io::Result<Bytes> {
    // SAFETY: nobody writes to a file that is a pack. It is written under another name and renamed, in a directory to which only
    // its owner may write; a pack that takes the place of this one is another file.
    match unsafe { memmap2::MmapOptions::new().populate().map(file) } {
        Ok(map) => Ok(Bytes::from_owner(map)),
        Err(_) => read(file),
    }
}

/// Reads a file: a mapped one could not be replaced here.
#[cfg(not(unix))]
fn bytes_of(file: &File) -> io::Result<Bytes> {
    read(file)
}

fn read(mut file: &File) -> io::Result<Bytes> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(Bytes::from(bytes))
}

fn directory(bytes: &[u8]) -> Option<HashMap<Key, Range<usize>>> {
    let (digest, rest) = bytes.strip_prefix(FORM)?.split_first_chunk::<32>()?;
    let (checksum, rest) = rest.split_first_chunk::<4>()?;
    if checksum_of(digest, rest) != *checksum {
        return None;
    }
    let (count, entries) = rest.split_first_chunk::<4>()?;
    let count = u32::from_le_bytes(*count) as usize;
    let mut start = count.checked_mul(ENTRY_BYTES)?.checked_add(HEAD_BYTES + 4)?;
    let mut held = HashMap::with_capacity(count.min(entries.len() / ENTRY_BYTES));
    for entry in entries.chunks_exact(ENTRY_BYTES).take(count) {
        let (key, length) = entry.split_first_chunk::<32>()?;
        let end = start.checked_add(u32::from_le_bytes(length.try_into().ok()?) as usize)?;
        bytes.get(start..end)?;
        held.insert(*key, start..end);
        start = end;
    }
    Some(held)
}

/// Returns the bytes of a pack, or nothing if it would be too large to be of use.
fn written(answers: &BTreeMap<Key, Bytes>) -> Option<Vec<u8>> {
    let length: usize = answers.values().map(|answer| answer.len() + ENTRY_BYTES).sum();
    if length > MOST_BYTES {
        return None;
    }
    let mut rest = Vec::with_capacity(length + 4);
    rest.extend_from_slice(&u32::try_from(answers.len()).ok()?.to_le_bytes());
    for (key, answer) in answers {
        rest.extend_from_slice(key);
        rest.extend_from_slice(&u32::try_from(answer.len()).ok()?.to_le_bytes());
    }
    answers.values().for_each(|answer| rest.extend_from_slice(answer));
    let digest: [u8; 32] = sha2::Sha256::digest(&rest).into();
    Some([FORM, &digest, &checksum_of(&digest, &rest), &rest].concat())
}

fn checksum_of(digest: &[u8; 32], rest: &[u8]) -> [u8; 4] {
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(digest);
    checksum.update(rest);
    checksum.finalize().to_le_bytes()
}

/// Another form gets another name.
const FORM: &[u8] = b"pinfold pack 2\n";
/// The form, the digest and the checksum.
const HEAD_BYTES: usize = FORM.len() + 36;
/// Name and length of an answer.
const ENTRY_BYTES: usize = 36;
/// Up to this size a pack also keeps what the last run did not look at: another project may.
const KEPT_BYTES: usize = 8 << 20;
/// Above this size reading all of it costs more than it saves.
const MOST_BYTES: usize = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(answers: &[(u8, &'static [u8])]) -> Vec<u8> {
        let mut pack = Pack::default();
        answers.iter().for_each(|(key, answer)| pack.note([*key; 32], Bytes::from_static(answer)));
        pack.next().unwrap()
    }

    fn pack_of(bytes: &[u8]) -> Pack {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pack");
        std::fs::write(&path, bytes).unwrap();
        Pack::read(&path).unwrap()
    }

    #[test]
    fn gives_back_what_was_noted_and_nothing_else() {
        let mut pack = pack_of(&packed(&[(1, b"one"), (2, b""), (3, b"three")]));
        assert_eq!(pack.find(&[1; 32]).unwrap(), "one");
        assert_eq!(pack.find(&[2; 32]).unwrap(), "");
        assert_eq!(pack.find(&[3; 32]).unwrap(), "three");
        assert_eq!(pack.find(&[4; 32]), None);
        assert!(pack.next().is_none(), "nothing is new, so nothing is written");
    }

    #[test]
    fn a_newer_answer_takes_the_place_of_the_older() {
        let mut pack = pack_of(&packed(&[(1, b"old"), (2, b"kept")]));
        pack.note([1; 32], Bytes::from_static(b"new"));
        assert_eq!(pack.find(&[1; 32]).unwrap(), "new");
        let mut next = pack_of(&pack.next().unwrap());
        assert_eq!(next.find(&[1; 32]).unwrap(), "new");
        assert_eq!(next.find(&[2; 32]).unwrap(), "kept");
    }

    #[test]
    fn packs_are_told_apart_by_their_heads() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pack");
        let mut seen = std::collections::BTreeSet::new();
        for answers in [&[(1, &b"one"[..])][..], &[(1, b"eno")], &[(2, b"one")], &[(1, b"on"), (2, b"e")]] {
            std::fs::write(&path, packed(answers)).unwrap();
            assert!(seen.insert(identity(&path).unwrap()), "{answers:?}");
        }
        assert_eq!(packed(&[(1, b"one")]), packed(&[(1, b"one")]));
        std::fs::write(&path, b"short").unwrap();
        assert_eq!(identity(&path), None);
        assert_eq!(identity(&directory.path().join("none")), None);
    }

    #[cfg(unix)]
    #[test]
    fn what_cannot_be_mapped_is_read() {
        let whole = packed(&[(1, b"one")]);
        let (from, mut to) = io::pipe().unwrap();
        io::Write::write_all(&mut to, &whole).unwrap();
        drop(to);
        assert_eq!(bytes_of(&File::from(std::os::fd::OwnedFd::from(from))).unwrap(), whole);
        assert_eq!(pack_of(b"").find(&[1; 32]), None);
    }

    #[test]
    fn a_damaged_pack_is_empty() {
        let whole = packed(&[(1, b"one"), (2, b"two")]);
        assert!(pack_of(&whole).find(&[1; 32]).is_some());
        for position in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[position] ^= 1;
            assert_eq!(pack_of(&damaged).find(&[1; 32]), None, "{position}");
            assert_eq!(pack_of(&whole[..position]).find(&[1; 32]), None, "{position}");
        }
    }
}
