//! A digest of the code in a `.pyc` file that two compilations of one source have in common.
//!
//! An interpreter writes the same code in different bytes: what it writes once and then refers to depends on what else it
//! did before, the members of a constant set come in any order, and the file name is where the source was found. So the
//! code is read as a tree and each node hashed: texts by their characters, sets in the order of their digests, references
//! as what they refer to. Only the file name is left out, which an interpreter replaces when it loads a file; but all
//! parts of one file must name the same.
//!
//! The bytes may be hostile: nothing is given to an interpreter, nothing is allocated by a count in them, the depth is
//! bounded, and whatever no compilation writes is an error.

mod canonical;

use std::collections::BTreeSet;

use pinfold_artifact::Sha256;
use sha2::Digest as _;

pub(crate) use self::canonical::{Canonical, canonical};
use self::canonical::{Parts, Piece};

/// How code objects are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Python 3.8 to 3.10.
    Before311,
    /// Python 3.11 and later.
    Since311,
}

/// The bytes are not what a compilation writes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unreadable;

impl Layout {
    /// Returns the layout of a minor release of Python 3; none if it is too old.
    pub(crate) const fn of(minor: u8) -> Option<Self> {
        match minor {
            0..=7 => None,
            8..=10 => Some(Self::Before311),
            _ => Some(Self::Since311),
        }
    }
}

/// Returns the digest of marshalled code, which must be all there is.
pub(crate) fn digest_of(bytes: &[u8], layout: Layout) -> Result<Sha256, Unreadable> {
    Reader::new(bytes, layout).all().map(Sha256::from_bytes)
}

type Node = [u8; 32];

struct Reader<'a> {
    rest: &'a [u8],
    layout: Layout,
    /// What was marked as referred to later; none while it is being read.
    references: Vec<Option<Node>>,
    /// The file name of the first code object that ended.
    file_name: Option<Node>,
    /// What each digest stands for, if that is to be known.
    parts: Option<Parts<'a>>,
}

impl<'a> Reader<'a> {
    const fn new(bytes: &'a [u8], layout: Layout) -> Self {
        Self { rest: bytes, layout, references: Vec::new(), file_name: None, parts: None }
    }

    /// Reads code to the end of the bytes.
    fn all(&mut self) -> Result<Node, Unreadable> {
        if self.rest.first().is_none_or(|first| first & !REFERENCED != b'c') {
            return Err(Unreadable);
        }
        let node = self.object(0)?;
        if self.rest.is_empty() { Ok(node) } else { Err(Unreadable) }
    }

    /// Remembers what a digest stands for, if that is to be known.
    fn keep(&mut self, node: Node, kind: u8, pieces: impl FnOnce() -> Vec<Piece<'a>>) -> Result<Node, Unreadable> {
        if let Some(parts) = &mut self.parts {
            parts.insert(node, kind, pieces())?;
        }
        Ok(node)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Unreadable> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Unreadable)?;
        self.rest = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Unreadable> {
        self.take(1)?.first().copied().ok_or(Unreadable)
    }

    fn count(&mut self) -> Result<usize, Unreadable> {
        let bytes: [u8; 4] = self.take(4)?.try_into().map_err(|_| Unreadable)?;
        usize::try_from(i32::from_le_bytes(bytes)).map_err(|_| Unreadable)
    }

    fn object(&mut self, depth: usize) -> Result<Node, Unreadable> {
        if depth > DEPTH {
            return Err(Unreadable);
        }
        let first = self.byte()?;
        let kind = first & !REFERENCED;
        if kind == b'r' {
            let position = self.count()?;
            return self.references.get(position).copied().flatten().ok_or(Unreadable);
        }
        // Of these there is one each, which nothing refers to: an interpreter does not count them, whatever is marked.
        if matches!(first, NONE_REFERENCED | FALSE_REFERENCED | TRUE_REFERENCED | ELLIPSIS_REFERENCED) {
            return Err(Unreadable);
        }
        let place = (first & REFERENCED != 0).then(|| {
            self.references.push(None);
            self.references.len() - 1
        });
        let node = match kind {
            b'c' => self.code(depth)?,
            b'(' | b')' | b'>' | b':' => self.members(kind, depth)?,
            _ => self.leaf(kind)?,
        };
        if let Some(place) = place.and_then(|place| self.references.get_mut(place)) {
            *place = Some(node);
        }
        Ok(node)
    }

    fn leaf(&mut self, kind: u8) -> Result<Node, Unreadable> {
        let (tag, length) = match kind {
            b'N' | b'F' | b'T' | b'.' => (kind, 0),
            b'i' => (kind, 4),
            b'g' => (kind, 8),
            b'y' => (kind, 16),
            b's' => (kind, self.count()?),
            b'z' | b'Z' => (TEXT, usize::from(self.byte()?)),
            b'a' | b'A' | b'u' | b't' => (TEXT, self.count()?),
            b'l' => return self.integer(),
            _ => return Err(Unreadable),
        };
        let bytes = self.take(length)?;
        // In these four each byte is a character: beyond ASCII they would be another text than the same bytes elsewhere.
        if matches!(kind, b'z' | b'Z' | b'a' | b'A') && !bytes.is_ascii() {
            return Err(Unreadable);
        }
        self.keep(node(tag, &[bytes]), tag, || vec![Piece::Raw(bytes)])
    }

    /// An integer of any size: a signed count of digits of 15 bits.
    fn integer(&mut self) -> Result<Node, Unreadable> {
        let count = self.take(4)?;
        let digits = i32::from_le_bytes(count.try_into().map_err(|_| Unreadable)?).unsigned_abs() as usize;
        let bytes = self.take(digits.checked_mul(2).ok_or(Unreadable)?)?;
        self.keep(node(b'l', &[count, bytes]), b'l', || vec![Piece::Raw(count), Piece::Raw(bytes)])
    }

    fn members(&mut self, kind: u8, depth: usize) -> Result<Node, Unreadable> {
        let (tag, count) = match kind {
            b')' => (b'(', usize::from(self.byte()?)),
            b':' => (b':', 3),
            _ => (kind, self.count()?),
        };
        if tag == b'>' {
            let mut members = BTreeSet::new();
            for _ in 0..count {
                members.insert(self.object(depth + 1)?);
            }
            let node = node(tag, &members.iter().map(<[u8; 32]>::as_slice).collect::<Vec<_>>());
            return self.keep(node, tag, || members.into_iter().map(Piece::Part).collect());
        }
        let mut hasher = begun(tag);
        // Not by the count, which may be any.
        let mut members = Vec::new();
        for _ in 0..count {
            let member = self.object(depth + 1)?;
            hasher.update(member);
            members.extend(self.parts.is_some().then_some(Piece::Part(member)));
        }
        self.keep(hasher.finalize().into(), tag, || members)
    }

    fn code(&mut self, depth: usize) -> Result<Node, Unreadable> {
        let (numbers, before, after) = match self.layout {
            // Code, constants, names, variables, free and cell variables; then file name, name.
            Layout::Before311 => (6, 6, 1),
            // Code, constants, names, variables and their kinds; then file name, name, qualified name.
            Layout::Since311 => (5, 5, 2),
        };
        let mut hasher = begun(b'c');
        let mut pieces = Vec::with_capacity(before + 2 * after + 3);
        let numbers = self.take(4 * numbers)?;
        hasher.update(numbers);
        pieces.push(Piece::Raw(numbers));
        for _ in 0..before {
            let part = self.object(depth + 1)?;
            hasher.update(part);
            pieces.push(Piece::Part(part));
        }
        let file_name = self.object(depth + 1)?;
        pieces.push(Piece::Part(file_name));
        for _ in 0..after {
            let part = self.object(depth + 1)?;
            hasher.update(part);
            pieces.push(Piece::Part(part));
        }
        let first_line = self.take(4)?;
        hasher.update(first_line);
        pieces.push(Piece::Raw(first_line));
        // The table of lines, and since 3.11 that of exceptions.
        for _ in 0..after {
            let part = self.object(depth + 1)?;
            hasher.update(part);
            pieces.push(Piece::Part(part));
        }
        if *self.file_name.get_or_insert(file_name) != file_name {
            return Err(Unreadable);
        }
        self.keep(hasher.finalize().into(), b'c', || pieces)
    }
}

fn begun(tag: u8) -> sha2::Sha256 {
    let mut hasher = sha2::Sha256::new();
    hasher.update([tag]);
    hasher
}

fn node(tag: u8, parts: &[&[u8]]) -> Node {
    let mut hasher = begun(tag);
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize().into()
}

/// Set on the kind of an object that is referred to later.
const REFERENCED: u8 = 0x80;
const NONE_REFERENCED: u8 = b'N' | REFERENCED;
const FALSE_REFERENCED: u8 = b'F' | REFERENCED;
const TRUE_REFERENCED: u8 = b'T' | REFERENCED;
const ELLIPSIS_REFERENCED: u8 = b'.' | REFERENCED;
/// All ways to write a text are one.
const TEXT: u8 = b'u';
/// Deeper than any program is nested, and not so deep that reading it needs a larger stack.
const DEPTH: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    /// Code without anything in it but constants, as 3.10 writes it.
    fn code(constants: &[u8], file_name: &[u8]) -> Vec<u8> {
        let mut bytes = vec![b'c'];
        bytes.extend([0; 24]);
        bytes.extend(b"s\x02\0\0\0S\0");
        bytes.extend(constants);
        bytes.extend(b")\0)\0)\0)\0");
        bytes.extend(file_name);
        bytes.extend(b"z\x08<module>");
        bytes.extend([1, 0, 0, 0]);
        bytes.extend(b"s\0\0\0\0");
        bytes
    }

    fn digest(constants: &[u8]) -> Result<Sha256, Unreadable> {
        digest_of(&code(constants, b"z\x01f"), Layout::Before311)
    }

    #[test]
    fn ways_to_write_the_same_are_the_same() {
        for (one, other) in [
            (&b"(\x01\0\0\0N"[..], &b")\x01N"[..]),
            (b")\x02z\x01az\x01a", b")\x02\xda\x01ar\0\0\0\0"),
            (b")\x01u\x01\0\0\0a", b")\x01A\x01\0\0\0a"),
            (b")\x01>\x02\0\0\0z\x01az\x01b", b")\x01>\x02\0\0\0z\x01bz\x01a"),
        ] {
            assert_eq!(digest(one), digest(other), "{one:?} {other:?}");
            assert!(digest(one).is_ok());
        }
        let elsewhere = digest_of(&code(b")\0", b"z\x05other"), Layout::Before311);
        assert_eq!(elsewhere, digest(b")\0"));
    }

    #[test]
    fn other_values_are_others() {
        let all = [
            &b")\0"[..],
            b")\x01N",
            b")\x01T",
            b")\x01i\x01\0\0\0",
            b")\x01l\x01\0\0\0\x01\0",
            b")\x01l\xff\xff\xff\xff\x01\0",
            b")\x01z\x01a",
            b")\x01s\x01\0\0\0a",
            b")\x01g\0\0\0\0\0\0\0\0",
            b")\x01g\0\0\0\0\0\0\0\x80",
            b")\x01>\x01\0\0\0z\x01a",
            b")\x01)\x01z\x01a",
            b")\x02z\x01az\x01b",
            b")\x02z\x01bz\x01a",
        ];
        let digests: BTreeSet<String> = all.iter().map(|one| digest(one).unwrap().to_string()).collect();
        assert_eq!(digests.len(), all.len());
    }

    #[test]
    fn what_no_compilation_writes_is_refused() {
        let deep = [b")\x01".repeat(DEPTH + 10), b"N".to_vec()].concat();
        let many = b"(\xff\xff\xff\x7f".to_vec();
        for constants in [
            &b"r\0\0\0\0"[..],
            b"\xa9\x01r\0\0\0\0",
            b"r\xff\xff\xff\xff",
            b"[\0\0\0\0",
            b"{0",
            b"?",
            b"z\xffa",
            b")\x01z\x02\xc3\xa9",
            b")\x01\xe1\x02\0\0\0\xc3\xa9",
            b")\x02\xceN",
            b")\x02\xd4N",
            b"u\xff\xff\xff\xff",
            &deep,
            &many,
        ] {
            assert_eq!(digest(constants), Err(Unreadable), "{constants:?}");
        }
        let mut more = code(b")\0", b"z\x01f");
        more.push(b'N');
        assert_eq!(digest_of(&more, Layout::Before311), Err(Unreadable));
        assert_eq!(digest_of(b"N", Layout::Before311), Err(Unreadable));
        assert_eq!(digest_of(b"", Layout::Before311), Err(Unreadable));
        for end in 0..more.len() - 1 {
            assert_eq!(digest_of(&more[..end], Layout::Before311), Err(Unreadable), "{end}");
        }
    }

    #[test]
    fn parts_of_one_file_name_the_same_file() {
        let inside = |name: &[u8]| [b")\x01".to_vec(), code(b")\0", name)].concat();
        assert!(digest(&inside(b"z\x01f")).is_ok());
        assert_eq!(digest(&inside(b"z\x01g")), Err(Unreadable));
    }

    #[test]
    fn references_do_not_multiply_work() {
        // Each tuple holds the one before twice: 2 to the power of 60 leaves.
        let mut bytes = vec![b')', 61, 0xa9, 0];
        for position in 0_u32..60 {
            bytes.extend([0xa9, 2]);
            for _ in 0..2 {
                bytes.push(b'r');
                bytes.extend(position.to_le_bytes());
            }
        }
        assert!(digest(&bytes).is_ok());
    }
}
