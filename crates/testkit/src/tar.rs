//! A tar writer that writes what it is told, true or not, plain or in gzip.
//!
//! Left alone an entry is a regular ustar file without owner and clock. Type, link, size, mode, checksum and magic can be
//! set to anything, and PAX records are written as they are given, malformed ones too.

use std::io::Write as _;

use flate2::{Compression, GzBuilder};

const BLOCK: usize = 512;

/// One entry: a header and the data behind it.
#[derive(Clone, Debug)]
pub struct TarEntry {
    name: Vec<u8>,
    contents: Vec<u8>,
    kind: u8,
    link: Vec<u8>,
    mode: u32,
    size_field: Option<Vec<u8>>,
    checksum: Option<u32>,
    magic: [u8; 8],
    prefix: Vec<u8>,
    device: (u32, u32),
}

impl TarEntry {
    /// Makes a regular file of mode 0644.
    pub fn new(name: impl AsRef<[u8]>, contents: impl AsRef<[u8]>) -> Self {
        Self {
            name: name.as_ref().to_vec(),
            contents: contents.as_ref().to_vec(),
            kind: b'0',
            link: Vec::new(),
            mode: 0o644,
            size_field: None,
            checksum: None,
            magic: *b"ustar\x0000",
            prefix: Vec::new(),
            device: (0, 0),
        }
    }

    /// Makes a directory.
    pub fn directory(name: impl AsRef<[u8]>) -> Self {
        Self::new(name, "").kind(b'5').mode(0o755)
    }

    /// Makes a symbolic link.
    pub fn symlink(name: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        Self::new(name, "").kind(b'2').link(target).mode(0o777)
    }

    /// Makes a hard link to an entry of the archive.
    pub fn hardlink(name: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        Self::new(name, "").kind(b'1').link(target)
    }

    /// Makes a PAX header for the next entry, with records as `key`, `value`.
    pub fn pax(records: &[(&str, &str)]) -> Self {
        let mut contents = Vec::new();
        for (key, value) in records {
            contents.extend_from_slice(pax_record(key, value).as_bytes());
        }
        Self::pax_raw(contents)
    }

    /// Makes a PAX header whose records are these bytes.
    pub fn pax_raw(contents: impl AsRef<[u8]>) -> Self {
        Self::new("PaxHeaders/x", contents).kind(b'x')
    }

    /// Makes the header with which GNU tar gives the next entry a long name.
    pub fn gnu_long_name(name: &str) -> Self {
        let mut contents = name.as_bytes().to_vec();
        contents.push(0);
        Self { magic: *b"ustar  \0", ..Self::new("././@LongLink", contents).kind(b'L') }
    }

    /// Sets the type: `0` file, `1` hard link, `2` symbolic link, `3` and `4` devices, `5` directory, `6` fifo,
    /// `g` and `x` PAX headers, `L` and `K` GNU's, `S` a sparse file.
    pub fn kind(mut self, kind: u8) -> Self {
        self.kind = kind;
        self
    }

    /// Sets the link's target.
    pub fn link(mut self, target: impl AsRef<[u8]>) -> Self {
        self.link = target.as_ref().to_vec();
        self
    }

    /// Sets the mode.
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    /// Says another size; the data stay as they are.
    pub fn size_bytes(mut self, size: u64) -> Self {
        self.size_field = Some(octal(size, 12));
        self
    }

    /// Sets the twelve bytes of the size field.
    pub fn size_field(mut self, bytes: &[u8; 12]) -> Self {
        self.size_field = Some(bytes.to_vec());
        self
    }

    /// Says another checksum.
    pub fn checksum(mut self, checksum: u32) -> Self {
        self.checksum = Some(checksum);
        self
    }

    /// Sets magic and version.
    pub fn magic(mut self, magic: [u8; 8]) -> Self {
        self.magic = magic;
        self
    }

    /// Sets the name's prefix.
    pub fn prefix(mut self, prefix: impl AsRef<[u8]>) -> Self {
        self.prefix = prefix.as_ref().to_vec();
        self
    }

    /// Sets the numbers of a device.
    pub fn device(mut self, major: u32, minor: u32) -> Self {
        self.device = (major, minor);
        self
    }

    fn write(&self, bytes: &mut Vec<u8>) {
        let mut header = [0_u8; BLOCK];
        put(&mut header, 0, &self.name, 100);
        put(&mut header, 100, &octal(u64::from(self.mode), 8), 8);
        put(&mut header, 108, &octal(0, 8), 8);
        put(&mut header, 116, &octal(0, 8), 8);
        let size = self.size_field.clone().unwrap_or_else(|| octal(self.contents.len() as u64, 12));
        put(&mut header, 124, &size, 12);
        put(&mut header, 136, &octal(0, 12), 12);
        header[148..156].fill(b' ');
        header[156] = self.kind;
        put(&mut header, 157, &self.link, 100);
        put(&mut header, 257, &self.magic, 8);
        put(&mut header, 329, &octal(u64::from(self.device.0), 8), 8);
        put(&mut header, 337, &octal(u64::from(self.device.1), 8), 8);
        put(&mut header, 345, &self.prefix, 155);
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        let sum = self.checksum.unwrap_or(sum);
        put(&mut header, 148, format!("{sum:06o}\0 ").as_bytes(), 8);
        bytes.extend_from_slice(&header);
        bytes.extend_from_slice(&self.contents);
        bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
    }
}

/// An archive, entry by entry.
#[derive(Clone, Debug, Default)]
pub struct HostileTar {
    entries: Vec<TarEntry>,
    suffix: Vec<u8>,
    has_no_end: bool,
}

impl HostileTar {
    /// Makes an archive without entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an entry.
    pub fn entry(mut self, entry: TarEntry) -> Self {
        self.entries.push(entry);
        self
    }

    /// Adds a regular file.
    pub fn file(self, name: impl AsRef<[u8]>, contents: impl AsRef<[u8]>) -> Self {
        self.entry(TarEntry::new(name, contents))
    }

    /// Puts bytes behind the two empty blocks that end an archive.
    pub fn suffix(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.suffix = bytes.as_ref().to_vec();
        self
    }

    /// Leaves out the two empty blocks.
    pub fn without_end(mut self) -> Self {
        self.has_no_end = true;
        self
    }

    /// Writes the archive.
    pub fn build(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for entry in &self.entries {
            entry.write(&mut bytes);
        }
        if !self.has_no_end {
            bytes.resize(bytes.len() + 2 * BLOCK, 0);
        }
        bytes.extend_from_slice(&self.suffix);
        bytes
    }

    /// Writes the archive and compresses it with gzip, without time and name.
    pub fn build_gz(&self) -> Vec<u8> {
        let mut encoder = GzBuilder::new().mtime(0).write(Vec::new(), Compression::new(6));
        encoder.write_all(&self.build()).expect("a vector takes every byte");
        encoder.finish().expect("a vector takes every byte")
    }
}

/// Returns one PAX record; its length counts its own digits.
fn pax_record(key: &str, value: &str) -> String {
    let rest = format!(" {key}={value}\n");
    let mut length = rest.len() + 1;
    while length != rest.len() + length.to_string().len() {
        length = rest.len() + length.to_string().len();
    }
    format!("{length}{rest}")
}

/// Returns a number as the octal digits of a field, ended by NUL; too big a number wraps as GNU's base-256 form does.
fn octal(value: u64, width: usize) -> Vec<u8> {
    let digits = format!("{value:0width$o}\0", width = width - 1).into_bytes();
    if digits.len() == width {
        return digits;
    }
    let mut field = vec![0; width];
    field[0] = 0x80;
    field[width - 8..].copy_from_slice(&value.to_be_bytes());
    field
}

fn put(header: &mut [u8; BLOCK], at: usize, bytes: &[u8], width: usize) {
    assert!(bytes.len() <= width, "a field of {width} bytes cannot hold {} bytes; use a PAX header", bytes.len());
    header[at..at + bytes.len()].copy_from_slice(bytes);
}
