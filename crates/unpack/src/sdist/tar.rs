//! The tar inside a `.tar.gz`: the few kinds of entries that build tools write, each in one reading only.
//!
//! Known are files, directories, links, the long names of GNU and the PAX headers of POSIX. Devices, pipes, sparse files
//! and PAX keys that change where an entry ends are refused (SD04), as is anything after the end of tar or gzip (SD07).

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;
use pinfold_artifact::{ArchivePath, Limits};

use super::{Entries, Entry, EntryKind, Kind, give};
use crate::ArchiveError;
use crate::error::shown;

const BLOCK_BYTES: usize = 512;
/// Bytes of a long name or of PAX records: far above what real names need.
const EXTENSION_BYTES: u64 = 1 << 20;

/// Reads the whole archive and gives out files and directories; links are kept in `entries`.
pub(super) fn read(
    packed: &mut impl BufRead,
    packed_bytes: u64,
    entries: &mut Entries,
    sink: &mut dyn FnMut(&Entry, &mut dyn Read) -> io::Result<()>,
) -> Result<(), ArchiveError> {
    let limit = packed_bytes.saturating_mul(Limits::ARCHIVE_RATIO).max(Limits::ARCHIVE_RATIO_FLOOR_BYTES);
    let mut tar = Tar {
        unpacked: GzDecoder::new(packed),
        offset: 0,
        limit: limit.min(Limits::ARCHIVE_UNPACKED_BYTES),
        long_path: None,
        long_target: None,
        global: Records::default(),
        announced: Vec::new(),
    };
    while let Some(header) = tar.next_header()? {
        tar.take_entry(&header, entries, sink)?;
    }
    tar.finish()
}

struct Tar<R> {
    unpacked: GzDecoder<R>,
    /// Where in the unpacked tar the next byte is.
    offset: u64,
    limit: u64,
    /// From a GNU or PAX header, for the next entry.
    long_path: Option<String>,
    long_target: Option<String>,
    /// From a global PAX header, for all entries that follow.
    global: Records,
    /// The kinds of the headers before the next entry that speak of it; each may come once.
    announced: Vec<u8>,
}

/// One block that begins an entry.
struct Header {
    kind: u8,
    path: String,
    target: String,
    size_bytes: u64,
    executable: bool,
}

impl<R: BufRead> Tar<R> {
    /// Reads the next header, or none at the end mark: two blocks of zeros.
    fn next_header(&mut self) -> Result<Option<Header>, ArchiveError> {
        let mut block = [0; BLOCK_BYTES];
        self.fill(&mut block)?;
        if block == [0; BLOCK_BYTES] {
            self.fill(&mut block)?;
            return if block == [0; BLOCK_BYTES] { Ok(None) } else { Err(self.refused("one block of zeros")) };
        }
        Header::parse(&block).map(Some).map_err(|problem| self.refused(problem))
    }

    fn take_entry(
        &mut self,
        header: &Header,
        entries: &mut Entries,
        sink: &mut dyn FnMut(&Entry, &mut dyn Read) -> io::Result<()>,
    ) -> Result<(), ArchiveError> {
        if header.size_bytes > self.limit.saturating_sub(self.offset) {
            let (found, limit) = (self.offset.saturating_add(header.size_bytes), self.limit);
            return Err(ArchiveError::Bomb { what: "the unpacked size", found, limit });
        }
        match header.kind {
            b'L' | b'K' | b'x' if self.announced.contains(&header.kind) => {
                return Err(self.refused("two headers of one kind before an entry"));
            }
            b'L' | b'K' | b'x' => self.announced.push(header.kind),
            b'g' => {}
            _ => self.announced.clear(),
        }
        match header.kind {
            b'L' => return self.take_long_name(header, b'L'),
            b'K' => return self.take_long_name(header, b'K'),
            b'x' | b'g' => return self.take_records(header),
            _ => {}
        }
        let path = self.long_path.take().or_else(|| self.global.path.clone()).unwrap_or_else(|| header.path.clone());
        let target =
            self.long_target.take().or_else(|| self.global.target.clone()).unwrap_or_else(|| header.target.clone());
        let is_directory = header.kind == b'5';
        let named: ArchivePath = if is_directory { path.strip_suffix('/').unwrap_or(&path) } else { &path }.parse()?;
        match header.kind {
            b'0' | 0 => self.take_file(header, named, entries, sink),
            _ if header.size_bytes != 0 => Err(self.refused("an entry that is no file has contents")),
            b'5' => {
                entries.admit(&named, Kind::Directory)?;
                give(sink, &Entry { path: named, kind: EntryKind::Directory }, &mut io::empty())
            }
            b'1' => entries.admit_link(named, &target, false),
            b'2' => entries.admit_link(named, &target, true),
            b'3' | b'4' | b'6' => {
                Err(ArchiveError::SpecialFile { path: shown(path.as_bytes()), found: "a device or pipe" })
            }
            b'S' => Err(ArchiveError::SpecialFile { path: shown(path.as_bytes()), found: "a sparse file" }),
            other => {
                let found = format!("the tar entry type `{}`", shown(&[other]));
                Err(ArchiveError::UnsupportedMethod { path: shown(path.as_bytes()), found })
            }
        }
    }

    fn take_file(
        &mut self,
        header: &Header,
        path: ArchivePath,
        entries: &mut Entries,
        sink: &mut dyn FnMut(&Entry, &mut dyn Read) -> io::Result<()>,
    ) -> Result<(), ArchiveError> {
        entries.admit(&path, Kind::File)?;
        let kind = EntryKind::File { executable: header.executable, size_bytes: header.size_bytes };
        let mut reader = (&mut self.unpacked).take(header.size_bytes);
        let given = give(sink, &Entry { path, kind }, &mut reader);
        // What the caller left unread is skipped; what the archive does not have is missed.
        let skipped = given.and_then(|()| {
            let failed = |source| ArchiveError::Io { doing: "a file of it", source };
            io::copy(&mut reader, &mut io::sink()).map_err(failed)
        });
        let missing = reader.limit();
        self.offset += header.size_bytes - missing;
        match skipped {
            Err(ArchiveError::Io { source, .. }) if is_broken(&source) => {
                return Err(self.refused("the compressed data is broken or cut"));
            }
            other => other?,
        };
        if missing != 0 {
            return Err(self.refused("the archive ends inside a file"));
        }
        self.skip_padding(header.size_bytes)
    }

    fn take_long_name(&mut self, header: &Header, kind: u8) -> Result<(), ArchiveError> {
        let mut bytes = self.take_extension(header)?;
        if bytes.pop() != Some(0) || bytes.contains(&0) {
            return Err(self.refused("a long name does not end in one zero"));
        }
        let text = String::from_utf8(bytes).map_err(|_| self.refused("a long name is not UTF-8"))?;
        let slot = if kind == b'L' { &mut self.long_path } else { &mut self.long_target };
        match slot.replace(text) {
            None => Ok(()),
            Some(_) => Err(self.refused("two names for one entry")),
        }
    }

    fn take_records(&mut self, header: &Header) -> Result<(), ArchiveError> {
        let bytes = self.take_extension(header)?;
        let records = Records::parse(&bytes).map_err(|problem| self.refused(problem))?;
        if header.kind == b'g' {
            if records.path.is_some() || records.target.is_some() {
                return Err(self.refused("a global header names every entry alike"));
            }
            self.global = records;
            return Ok(());
        }
        let taken = records.path.is_some() && self.long_path.is_some()
            || records.target.is_some() && self.long_target.is_some();
        if taken {
            return Err(self.refused("two names for one entry"));
        }
        self.long_path = self.long_path.take().or(records.path);
        self.long_target = self.long_target.take().or(records.target);
        Ok(())
    }

    fn take_extension(&mut self, header: &Header) -> Result<Vec<u8>, ArchiveError> {
        if header.size_bytes > EXTENSION_BYTES {
            let (found, limit) = (header.size_bytes, EXTENSION_BYTES);
            return Err(ArchiveError::Bomb { what: "the size of a tar header", found, limit });
        }
        // At most 1 MiB, as was just checked.
        let mut bytes = vec![0; usize::try_from(header.size_bytes).unwrap_or(0)];
        self.fill(&mut bytes)?;
        self.skip_padding(header.size_bytes)?;
        Ok(bytes)
    }

    fn skip_padding(&mut self, size_bytes: u64) -> Result<(), ArchiveError> {
        let mut padding = [0; BLOCK_BYTES];
        let block = BLOCK_BYTES as u64;
        let length = usize::try_from((block - size_bytes % block) % block).unwrap_or(0);
        self.fill(&mut padding[..length])
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), ArchiveError> {
        self.offset += buffer.len() as u64;
        match self.unpacked.read_exact(buffer) {
            Ok(()) => Ok(()),
            Err(error) if is_broken(&error) => {
                Err(self.refused("the compressed data is broken or cut, or it is no gzip"))
            }
            Err(source) => Err(ArchiveError::Io { doing: "its headers", source }),
        }
    }

    /// After the end mark there is only padding, and after the gzip member nothing.
    fn finish(mut self) -> Result<(), ArchiveError> {
        if !self.announced.is_empty() || self.long_path.is_some() || self.long_target.is_some() {
            return Err(self.refused("a header that announces an entry, and no entry"));
        }
        let mut buffer = [0; 4096];
        loop {
            if self.offset > self.limit {
                let (found, limit) = (self.offset, self.limit);
                return Err(ArchiveError::Bomb { what: "the unpacked size", found, limit });
            }
            match self.unpacked.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) if buffer[..read].iter().all(|byte| *byte == 0) => self.offset += read as u64,
                Ok(_) => return Err(self.refused("bytes after the end of the tar")),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(self.refused("the compressed data is cut or has a wrong checksum")),
            }
        }
        let failed = |source| ArchiveError::Io { doing: "its end", source };
        let after = self.unpacked.get_mut().fill_buf().map_err(failed)?;
        if after.is_empty() { Ok(()) } else { Err(self.refused("bytes after the end of the gzip data")) }
    }

    fn refused(&self, problem: &'static str) -> ArchiveError {
        ArchiveError::Layout { offset: self.offset, problem }
    }
}

/// Returns whether the archive is to blame: these are the kinds that the gzip reader gives.
fn is_broken(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof)
}

impl Header {
    fn parse(block: &[u8; BLOCK_BYTES]) -> Result<Self, &'static str> {
        let blank = |position: usize| if (148..156).contains(&position) { b' ' } else { block[position] };
        let sum: u64 = (0..BLOCK_BYTES).map(|position| u64::from(blank(position))).sum();
        if number(&block[148..156])? != sum {
            return Err("a tar header has a wrong checksum");
        }
        let posix = &block[257..265] == b"ustar\x0000";
        let gnu = &block[257..265] == b"ustar  \0";
        if !posix && !gnu && block[257..265] != [0; 8] {
            return Err("an unknown kind of tar");
        }
        let name = text(&block[..100])?;
        let prefix = if posix { text(&block[345..500])? } else { String::new() };
        let path = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
        // Before there was a type for directories, a slash at the end of the name said it.
        let old_directory = matches!(block[156], b'0' | 0) && path.ends_with('/');
        Ok(Self {
            kind: if old_directory { b'5' } else { block[156] },
            path,
            target: text(&block[157..257])?,
            size_bytes: number(&block[124..136])?,
            executable: number(&block[100..108])? & 0o111 != 0,
        })
    }
}

/// Reads octal digits, or the binary form of GNU for large numbers.
fn number(field: &[u8]) -> Result<u64, &'static str> {
    const PROBLEM: &str = "a number in a tar header cannot be read";
    if field[0] == 0x80 {
        return field[1..].iter().try_fold(0_u64, |value, byte| {
            value.checked_mul(256).map(|value| value | u64::from(*byte)).ok_or(PROBLEM)
        });
    }
    let trimmed = field.trim_ascii_start();
    let end = trimmed.iter().position(|byte| matches!(byte, 0 | b' ')).unwrap_or(trimmed.len());
    let (digits, rest) = trimmed.split_at(end);
    if !digits.iter().all(|byte| matches!(byte, b'0'..=b'7')) || !rest.iter().all(|byte| matches!(byte, 0 | b' ')) {
        return Err(PROBLEM);
    }
    Ok(digits.iter().fold(0, |value, digit| value << 3 | u64::from(digit - b'0')))
}

/// Reads a field that ends at its first zero.
fn text(field: &[u8]) -> Result<String, &'static str> {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    String::from_utf8(field[..end].to_vec()).map_err(|_| "a name in a tar header is not UTF-8")
}

/// What the records of a PAX header say, as far as it matters.
#[derive(Default)]
struct Records {
    path: Option<String>,
    target: Option<String>,
}

impl Records {
    /// Reads records of the form `length key=value\n`.
    fn parse(mut bytes: &[u8]) -> Result<Self, &'static str> {
        const PROBLEM: &str = "a PAX record cannot be read";
        let mut records = Self::default();
        while !bytes.is_empty() {
            let space = bytes.iter().position(|byte| *byte == b' ').ok_or(PROBLEM)?;
            let digits = &bytes[..space];
            if digits.is_empty() || digits.len() > 7 || digits[0] == b'0' || !digits.iter().all(u8::is_ascii_digit) {
                return Err(PROBLEM);
            }
            let length = digits.iter().fold(0, |value: usize, digit| value * 10 + usize::from(digit - b'0'));
            let record = bytes.get(space + 1..length).ok_or(PROBLEM)?;
            let record = record.strip_suffix(b"\n").and_then(|record| str::from_utf8(record).ok()).ok_or(PROBLEM)?;
            let (key, value) = record.split_once('=').ok_or(PROBLEM)?;
            records.take(key, value)?;
            bytes = &bytes[length..];
        }
        Ok(records)
    }

    fn take(&mut self, key: &str, value: &str) -> Result<(), &'static str> {
        let slot = match key {
            "path" => &mut self.path,
            "linkpath" => &mut self.target,
            // Who, when and why: nothing that pinfold keeps.
            "atime" | "comment" | "ctime" | "gid" | "gname" | "mtime" | "uid" | "uname" => return Ok(()),
            "charset" | "hdrcharset" if matches!(value, "ISO-IR 10646 2000 UTF-8" | "ISO-IR 10646 2000") => {
                return Ok(());
            }
            key if key.starts_with("LIBARCHIVE.") || key.starts_with("SCHILY.") && key != "SCHILY.realsize" => {
                return Ok(());
            }
            _ => return Err("a PAX key that is not known or changes where an entry ends"),
        };
        if value.contains('\0') {
            return Err("a PAX name holds a zero");
        }
        match slot.replace(value.to_owned()) {
            None => Ok(()),
            Some(_) => Err("a PAX header gives a name twice"),
        }
    }
}
