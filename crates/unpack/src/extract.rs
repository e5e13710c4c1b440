//! One member's bytes, given out only after size, CRC-32 and RECORD digest have matched.
//!
//! Members are independent of each other: several threads, each with its own [`Extractor`], may unpack one archive.
//! Small members are inflated whole, big ones as a stream, by one library, so that both ways take the same data for good; both
//! are hashed while hot, and both refuse data that goes on after its end (ZW24).

use std::io::{self, Read, Write};

use flate2::{Decompress, FlushDecompress, Status};
use pinfold_artifact::Sha256;
use sha2::{Digest, Sha384, Sha512};

use crate::{ArchiveError, Member, Method, RecordDigest, WheelMember};

/// Members up to this size are best unpacked whole ([`Extractor::whole`]), bigger ones as a stream.
pub const WHOLE_MEMBER_BYTES: u64 = 4 << 20;

/// Members that have to be read themselves, such as RECORD, may have this size: a RECORD has a hundred bytes for each file.
pub(crate) const READABLE_MEMBER_BYTES: u64 = 8 << 20;

/// Unpacks members one after another with the same buffers. Each thread has its own.
pub struct Extractor {
    inflate: Decompress,
    packed: Vec<u8>,
    unpacked: Vec<u8>,
    /// What a stream is unpacked into, piece by piece.
    piece: Vec<u8>,
}

impl Extractor {
    /// Makes an extractor; buffers grow on first use.
    pub fn new() -> Self {
        Self { inflate: Decompress::new(false), packed: Vec::new(), unpacked: Vec::new(), piece: Vec::new() }
    }

    /// Returns whether [`Extractor::whole`] may be used: the member is at most [`WHOLE_MEMBER_BYTES`], packed and
    /// unpacked.
    pub fn fits(member: &Member) -> bool {
        member.unpacked_bytes.max(member.packed_bytes) <= WHOLE_MEMBER_BYTES
    }

    /// Unpacks a member whole and returns its checked bytes with their digest.
    ///
    /// `read_packed` fills the slice that it is given with the member's packed bytes, which begin at
    /// [`Member::data_start`]: one positioned read.
    ///
    /// # Errors
    /// If the member is too big for this, if data, size, CRC-32 or RECORD digest are wrong, or if `read_packed` fails.
    pub fn whole(
        &mut self,
        member: &WheelMember,
        read_packed: impl FnOnce(&mut [u8]) -> io::Result<()>,
    ) -> Result<(&[u8], Sha256), ArchiveError> {
        let Extractor { inflate, packed, unpacked, piece: _ } = self;
        let bytes = whole_member(inflate, packed, unpacked, &member.member, read_packed)?;
        let mut hasher = Hasher::new(member.digest.as_ref());
        hasher.update(bytes);
        let sha256 = hasher.finish(member)?;
        Ok((bytes, sha256))
    }

    /// Unpacks a member as a stream: `packed` is a reader that stands at [`Member::data_start`]. What `pieces` was given may be
    /// used only if this returns `Ok`. Every piece fills its room, but for the last.
    ///
    /// # Errors
    /// If data, size, CRC-32 or RECORD digest are wrong, or reading or writing fails.
    pub fn stream(
        &mut self,
        member: &WheelMember,
        packed: &mut dyn Read,
        pieces: &mut dyn Pieces,
    ) -> Result<Sha256, ArchiveError> {
        let mut hasher = Hasher::new(member.digest.as_ref());
        stream_member(&mut self.packed, &member.member, packed, &mut |bytes| hasher.update(bytes), pieces)?;
        hasher.finish(member)
    }

    /// Unpacks a member as a stream, as [`Self::stream`], and writes it.
    ///
    /// # Errors
    /// As [`Self::stream`].
    pub fn write(
        &mut self,
        member: &WheelMember,
        packed: &mut dyn Read,
        sink: &mut dyn Write,
    ) -> Result<Sha256, ArchiveError> {
        let mut piece = std::mem::take(&mut self.piece);
        let written = self.stream(member, packed, &mut Written::new(&mut piece, &mut |bytes| sink.write_all(bytes)));
        self.piece = piece;
        written
    }

    /// Unpacks a member as a stream, without a RECORD.
    pub(crate) fn stream_member(
        &mut self,
        member: &Member,
        packed: &mut dyn Read,
        sink: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), ArchiveError> {
        let mut pieces = Written::new(&mut self.piece, sink);
        stream_member(&mut self.packed, member, packed, &mut |_| (), &mut pieces)
    }
}

/// Where a stream is unpacked to, piece by piece: into the room of whoever takes it, so that nothing is copied.
pub trait Pieces {
    /// Returns the room for a piece, the same until it is taken.
    ///
    /// # Errors
    /// Why there is none.
    fn room(&mut self) -> io::Result<&mut [u8]>;

    /// Takes the piece that the beginning of the room is.
    ///
    /// # Errors
    /// Why it cannot be taken.
    fn take(&mut self, bytes: usize) -> io::Result<()>;
}

/// Pieces that are handed on from one room of [`PIECE_BYTES`].
struct Written<'w> {
    piece: &'w mut [u8],
    sink: &'w mut dyn FnMut(&[u8]) -> io::Result<()>,
}

impl<'w> Written<'w> {
    fn new(piece: &'w mut Vec<u8>, sink: &'w mut dyn FnMut(&[u8]) -> io::Result<()>) -> Self {
        grow(piece, PIECE_BYTES);
        Self { piece: &mut piece[..PIECE_BYTES], sink }
    }
}

impl Pieces for Written<'_> {
    fn room(&mut self) -> io::Result<&mut [u8]> {
        Ok(self.piece)
    }

    fn take(&mut self, bytes: usize) -> io::Result<()> {
        (self.sink)(&self.piece[..bytes])
    }
}

fn stream_member(
    input: &mut Vec<u8>,
    member: &Member,
    packed: &mut dyn Read,
    hash: &mut dyn FnMut(&[u8]),
    pieces: &mut dyn Pieces,
) -> Result<(), ArchiveError> {
    grow(input, STREAM_BYTES);
    let mut checked = Checked { crc: crc32fast::Hasher::new(), unpacked_bytes: 0, member, hash, pieces };
    let mut packed = packed.take(member.packed_bytes);
    match member.method {
        Method::Deflate => inflate_stream(&mut packed, &mut input[..STREAM_BYTES], &mut checked)?,
        Method::Stored => copy_stream(&mut packed, &mut checked)?,
    }
    checked.finish()
}

impl Default for Extractor {
    fn default() -> Self {
        Self::new()
    }
}

/// Unpacks one member as a stream, with buffers of its own; see [`Extractor::stream`].
///
/// # Errors
/// As [`Extractor::stream`].
pub fn extract(member: &WheelMember, packed: &mut dyn Read, sink: &mut dyn Write) -> Result<Sha256, ArchiveError> {
    Extractor::new().write(member, packed, sink)
}

/// Unpacks one member whole, without a RECORD.
pub(crate) fn member_bytes(member: &Member, packed_bytes: &[u8]) -> Result<Vec<u8>, ArchiveError> {
    let (mut packed, mut unpacked) = (Vec::new(), Vec::new());
    let fill = |buffer: &mut [u8]| {
        let source = packed_bytes.get(..buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(source);
        Ok(())
    };
    whole_member(&mut Decompress::new(false), &mut packed, &mut unpacked, member, fill).map(<[u8]>::to_vec)
}

fn whole_member<'a>(
    inflate: &mut Decompress,
    packed: &'a mut Vec<u8>,
    unpacked: &'a mut Vec<u8>,
    member: &Member,
    read_packed: impl FnOnce(&mut [u8]) -> io::Result<()>,
) -> Result<&'a [u8], ArchiveError> {
    let too_big = || corrupt(member, "too big to be unpacked in one piece");
    let packed_bytes = usize::try_from(member.packed_bytes).map_err(|_| too_big())?;
    let unpacked_bytes = usize::try_from(member.unpacked_bytes).map_err(|_| too_big())?;
    if member.unpacked_bytes.max(member.packed_bytes) > READABLE_MEMBER_BYTES {
        return Err(too_big());
    }
    grow(packed, packed_bytes);
    let packed = &mut packed[..packed_bytes];
    read_packed(packed).map_err(|source| ArchiveError::Io { doing: "a member", source })?;
    let bytes = match member.method {
        Method::Deflate => {
            // A byte more than there may be: data that is longer shows.
            grow(unpacked, unpacked_bytes + 1);
            inflate_whole(inflate, packed, &mut unpacked[..=unpacked_bytes], member)?;
            &unpacked[..unpacked_bytes]
        }
        Method::Stored => &*packed,
    };
    check_crc(member, crc32fast::hash(bytes))?;
    Ok(bytes)
}

fn grow(buffer: &mut Vec<u8>, length: usize) {
    if buffer.len() < length {
        buffer.resize(length, 0);
    }
}

/// Inflates packed data in one step. `room` has one byte more than the archive says that there are.
fn inflate_whole(
    inflate: &mut Decompress,
    packed: &[u8],
    room: &mut [u8],
    member: &Member,
) -> Result<(), ArchiveError> {
    inflate.reset(false);
    let status = inflate.decompress(packed, room, FlushDecompress::Finish);
    let is_whole = matches!(status, Ok(Status::StreamEnd))
        && inflate.total_in() == packed.len() as u64
        && inflate.total_out() == member.unpacked_bytes;
    if is_whole { Ok(()) } else { Err(explain(packed, member)) }
}

/// Says what is wrong with data that could not be inflated in one step: this is the slow path of an archive that is refused anyway.
fn explain(packed: &[u8], member: &Member) -> ArchiveError {
    let inflated = Extractor::new().stream_member(member, &mut &*packed, &mut |_| Ok(()));
    inflated.err().unwrap_or_else(|| corrupt(member, "the compressed data is broken"))
}

const STREAM_BYTES: usize = 256 << 10;

/// Bytes of a piece of a stream: few system calls, and still in the processor's cache when it is hashed and written.
pub const PIECE_BYTES: usize = 512 << 10;

/// Counts and sums what is unpacked, and hands it on.
struct Checked<'a> {
    crc: crc32fast::Hasher,
    unpacked_bytes: u64,
    member: &'a Member,
    hash: &'a mut dyn FnMut(&[u8]),
    pieces: &'a mut dyn Pieces,
}

impl Checked<'_> {
    fn room(&mut self) -> Result<&mut [u8], ArchiveError> {
        self.pieces.room().map_err(unwritten)
    }

    /// Hands on what is in the room.
    fn push(&mut self, filled: usize) -> Result<(), ArchiveError> {
        self.unpacked_bytes += filled as u64;
        if self.unpacked_bytes > self.member.unpacked_bytes {
            return Err(corrupt(self.member, "longer than the archive says"));
        }
        let bytes = &self.pieces.room().map_err(unwritten)?[..filled];
        self.crc.update(bytes);
        (self.hash)(bytes);
        self.pieces.take(filled).map_err(unwritten)
    }

    fn finish(self) -> Result<(), ArchiveError> {
        if self.unpacked_bytes != self.member.unpacked_bytes {
            return Err(corrupt(self.member, "shorter than the archive says"));
        }
        check_crc(self.member, self.crc.finalize())
    }
}

fn inflate_stream(packed: &mut dyn Read, input: &mut [u8], checked: &mut Checked<'_>) -> Result<(), ArchiveError> {
    let mut inflate = Decompress::new(false);
    let (mut packed_bytes, mut filled) = (0_u64, 0);
    loop {
        let count = read_some(packed, input)?;
        if count == 0 {
            return Err(corrupt(checked.member, "the compressed data is cut"));
        }
        packed_bytes += count as u64;
        let mut rest = &input[..count];
        loop {
            let (before_in, before_out) = (inflate.total_in(), inflate.total_out());
            let member = checked.member;
            let room = checked.room()?;
            let status = inflate
                .decompress(rest, &mut room[filled..], FlushDecompress::None)
                .map_err(|_| corrupt(member, "the compressed data is broken"))?;
            let size = room.len();
            // Neither can exceed a buffer's length.
            let used = usize::try_from(inflate.total_in() - before_in).unwrap_or(rest.len());
            let written = usize::try_from(inflate.total_out() - before_out).unwrap_or(size - filled);
            rest = &rest[used..];
            filled += written;
            let is_full = filled == size;
            if is_full || status == Status::StreamEnd {
                checked.push(filled)?;
                filled = 0;
            }
            if status == Status::StreamEnd {
                let complete = rest.is_empty() && packed_bytes == member.packed_bytes;
                let problem = "the compressed data goes on after its end";
                return if complete { Ok(()) } else { Err(corrupt(member, problem)) };
            }
            if rest.is_empty() && !is_full {
                break;
            }
            if used == 0 && written == 0 {
                return Err(corrupt(member, "the compressed data is broken"));
            }
        }
    }
}

fn copy_stream(packed: &mut dyn Read, checked: &mut Checked<'_>) -> Result<(), ArchiveError> {
    loop {
        let room = checked.room()?;
        let (size, mut filled) = (room.len(), 0);
        while filled < size {
            match read_some(packed, &mut room[filled..])? {
                0 => return checked.push(filled),
                count => filled += count,
            }
        }
        checked.push(filled)?;
    }
}

fn read_some(packed: &mut dyn Read, buffer: &mut [u8]) -> Result<usize, ArchiveError> {
    loop {
        match packed.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other.map_err(|source| ArchiveError::Io { doing: "a member", source }),
        }
    }
}

fn unwritten(source: io::Error) -> ArchiveError {
    ArchiveError::Io { doing: "and writing a member", source }
}

fn check_crc(member: &Member, found: u32) -> Result<(), ArchiveError> {
    if found == member.crc32 {
        return Ok(());
    }
    Err(ArchiveError::BadChecksum { path: member.path.as_str().to_owned(), expected: member.crc32, found })
}

fn corrupt(member: &Member, problem: &'static str) -> ArchiveError {
    ArchiveError::Corrupt { path: member.path.as_str().to_owned(), problem }
}

/// SHA-256 always, for the installed tree's manifest; the stronger ones where RECORD has chosen them.
struct Hasher {
    sha256: sha2::Sha256,
    sha384: Option<Sha384>,
    sha512: Option<Sha512>,
}

impl Hasher {
    fn new(digest: Option<&RecordDigest>) -> Self {
        Self {
            sha256: sha2::Sha256::new(),
            sha384: matches!(digest, Some(RecordDigest::Sha384(_))).then(Sha384::new),
            sha512: matches!(digest, Some(RecordDigest::Sha512(_))).then(Sha512::new),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        if let Some(hasher) = &mut self.sha384 {
            hasher.update(bytes);
        }
        if let Some(hasher) = &mut self.sha512 {
            hasher.update(bytes);
        }
    }

    fn finish(self, member: &WheelMember) -> Result<Sha256, ArchiveError> {
        let sha256 = Sha256::from_bytes(self.sha256.finalize().into());
        let found = match &member.digest {
            None => return Ok(sha256),
            Some(RecordDigest::Sha256(_)) => Some(RecordDigest::Sha256(sha256)),
            Some(RecordDigest::Sha384(_)) => {
                self.sha384.map(|hasher| RecordDigest::Sha384(Box::new(hasher.finalize().into())))
            }
            Some(RecordDigest::Sha512(_)) => {
                self.sha512.map(|hasher| RecordDigest::Sha512(Box::new(hasher.finalize().into())))
            }
        };
        match (&member.digest, found) {
            (Some(expected), Some(found)) if *expected == found => Ok(sha256),
            (Some(expected), found) => Err(ArchiveError::RecordMismatch {
                path: member.member.path.as_str().to_owned(),
                expected: expected.to_string(),
                found: found.map_or_else(String::new, |digest| digest.to_string()),
            }),
            (None, _) => Ok(sha256),
        }
    }
}

/// Returns the SHA-256 of bytes.
pub(crate) fn sha256_of(bytes: &[u8]) -> Sha256 {
    Sha256::from_bytes(sha2::Sha256::digest(bytes).into())
}

#[cfg(test)]
mod tests;
