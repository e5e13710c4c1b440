//! Code as bytes that depend on nothing but the code.
//!
//! An interpreter marks what it refers to later by how often an object is held at that moment, and writes a text as interned
//! if anything interned it before: both depend on what else the process did. The members of a constant set come in the order
//! of a table that may be seeded. So the tree is written anew: equal parts are written once, whatever object they were; a
//! mark is set where a later reference needs it and nowhere else; texts of letters, digits and underscores are interned, as
//! an interpreter does by itself when it loads them; sets are in the order of their members' digests. Any interpreter of the
//! version that compiled it loads these bytes as the same code.

use std::collections::{HashMap, HashSet};

use pinfold_artifact::Sha256;

use super::{DEPTH, Layout, Node, REFERENCED, Reader, TEXT, Unreadable};

/// Code as it is written to a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Canonical {
    /// The marshalled code.
    pub(crate) bytes: Vec<u8>,
    /// Its digest, which is [`super::digest_of`] these bytes too.
    pub(crate) digest: Sha256,
}

/// Writes marshalled code anew.
pub(crate) fn canonical(bytes: &[u8], layout: Layout) -> Result<Canonical, Unreadable> {
    let mut reader = Reader::new(bytes, layout);
    reader.parts = Some(Parts::default());
    let root = reader.all()?;
    let parts = reader.parts.ok_or(Unreadable)?;
    let mut writer = Writer { parts: &parts, seen: HashSet::new(), shared: HashSet::new(), places: HashMap::new() };
    writer.count(&root);
    let mut written = Vec::with_capacity(bytes.len());
    writer.write(&root, &mut written).ok_or(Unreadable)?;
    Ok(Canonical { bytes: written, digest: Sha256::from_bytes(root) })
}

/// The parts of a tree by their digests.
#[derive(Debug, Default)]
pub(super) struct Parts<'a>(HashMap<Node, Part<'a>>);

#[derive(Debug)]
struct Part<'a> {
    kind: u8,
    pieces: Vec<Piece<'a>>,
    /// How deep it is, however it was written.
    height: usize,
}

/// A piece of a part, in the order in which it is written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Piece<'a> {
    /// A part of its own.
    Part(Node),
    /// These bytes.
    Raw(&'a [u8]),
}

impl<'a> Parts<'a> {
    /// Remembers what a digest stands for.
    pub(super) fn insert(&mut self, node: Node, kind: u8, pieces: Vec<Piece<'a>>) -> Result<(), Unreadable> {
        if self.0.contains_key(&node) {
            return Ok(());
        }
        let below = pieces.iter().map(|piece| match piece {
            Piece::Part(part) => self.0.get(part).map_or(0, |part| part.height),
            Piece::Raw(_) => 0,
        });
        let height = below.max().unwrap_or(0) + 1;
        // References can make a tree deeper than it is nested.
        if height > DEPTH {
            return Err(Unreadable);
        }
        self.0.insert(node, Part { kind, pieces, height });
        Ok(())
    }
}

struct Writer<'p, 'a> {
    parts: &'p Parts<'a>,
    seen: HashSet<Node>,
    /// What occurs more than once.
    shared: HashSet<Node>,
    /// What was written and marked, with its place among all that are.
    places: HashMap<Node, u32>,
}

impl Writer<'_, '_> {
    /// Finds out what occurs more than once, where each part is written once.
    fn count(&mut self, node: &Node) {
        if !self.seen.insert(*node) {
            self.shared.insert(*node);
            return;
        }
        for piece in self.parts.0.get(node).into_iter().flat_map(|part| &part.pieces) {
            if let Piece::Part(part) = piece {
                self.count(part);
            }
        }
    }

    fn write(&mut self, node: &Node, out: &mut Vec<u8>) -> Option<()> {
        if let Some(place) = self.places.get(node) {
            out.push(b'r');
            out.extend(place.to_le_bytes());
            return Some(());
        }
        let part = self.parts.0.get(node)?;
        let mark = if self.shared.contains(node) && part.is_longer_than_a_reference() {
            self.places.insert(*node, u32::try_from(self.places.len()).ok()?);
            REFERENCED
        } else {
            0
        };
        part.begin(mark, out)?;
        for piece in &part.pieces {
            match piece {
                Piece::Part(part) => self.write(part, out)?,
                Piece::Raw(bytes) => out.extend_from_slice(bytes),
            }
        }
        Some(())
    }
}

impl Part<'_> {
    fn raw_bytes(&self) -> usize {
        let raw = |piece: &Piece<'_>| if let Piece::Raw(bytes) = piece { bytes.len() } else { 0 };
        self.pieces.iter().map(raw).sum()
    }

    /// A reference has 5 bytes: what has no more is as well written again.
    fn is_longer_than_a_reference(&self) -> bool {
        match self.kind {
            b'N' | b'F' | b'T' | b'.' | b'i' => false,
            TEXT => self.raw_bytes() > 3,
            b'(' => !self.pieces.is_empty(),
            _ => true,
        }
    }

    /// Writes the kind, and how much follows where that is not clear from the kind.
    fn begin(&self, mark: u8, out: &mut Vec<u8>) -> Option<()> {
        let (kind, length) = match self.kind {
            TEXT => self.text(),
            b's' => (b's', Length::Long(self.raw_bytes())),
            b'>' => (b'>', Length::Long(self.pieces.len())),
            b'(' if self.pieces.len() < 256 => (b')', Length::Short(self.pieces.len())),
            b'(' => (b'(', Length::Long(self.pieces.len())),
            kind => (kind, Length::None),
        };
        out.push(kind | mark);
        match length {
            Length::Long(length) => out.extend(i32::try_from(length).ok()?.to_le_bytes()),
            Length::None => {}
            Length::Short(length) => out.push(u8::try_from(length).ok()?),
        }
        Some(())
    }

    fn text(&self) -> (u8, Length) {
        let all = |fits: fn(&u8) -> bool| {
            self.pieces.iter().all(|piece| matches!(piece, Piece::Raw(bytes) if bytes.iter().all(fits)))
        };
        let length = self.raw_bytes();
        let is_word = all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        match (all(u8::is_ascii), length < 256, is_word) {
            (false, ..) => (b'u', Length::Long(length)),
            (true, true, true) => (b'Z', Length::Short(length)),
            (true, true, false) => (b'z', Length::Short(length)),
            (true, false, true) => (b'A', Length::Long(length)),
            (true, false, false) => (b'a', Length::Long(length)),
        }
    }
}

/// How a length is written.
enum Length {
    Long(usize),
    None,
    Short(usize),
}
