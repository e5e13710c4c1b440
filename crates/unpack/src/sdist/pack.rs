//! The opposite of unpacking: a source tree as a `.tar.gz` whose bytes depend on nothing but the tree.
//!
//! A digest of a tree is the digest of this archive, so its form is a promise: entries in the order of their paths, no time, no
//! owner, two modes, POSIX headers for names that are too long for a plain one. It is not compressed, because what a compressor
//! writes changes from version to version: gzip here is only the wrapping that sdists have.

use std::io::{self, Write};

use flate2::Crc;
use pinfold_artifact::ArchivePath;

const BLOCK_BYTES: usize = 512;
/// Bytes of one stored block of deflate, at most.
const STORED_BYTES: usize = 65_535;
/// A name that is longer than this needs a header of its own.
const NAME_BYTES: usize = 100;

/// Writes one archive.
pub struct Packer<W: Write> {
    gzip: Stored<W>,
    last: Option<ArchivePath>,
}

impl<W: Write> Packer<W> {
    /// The one directory at the top of every archive.
    pub const TOP: &str = "source";

    /// Begins an archive.
    ///
    /// # Errors
    /// What the writer says.
    pub fn new(writer: W) -> io::Result<Self> {
        Ok(Self { gzip: Stored::new(writer)?, last: None })
    }

    /// Adds a file. Paths must come in ascending order, each once.
    ///
    /// # Errors
    /// What the writer says, and [`io::ErrorKind::InvalidInput`] for a path out of order or a file of 8 GiB or more.
    pub fn file(&mut self, path: &ArchivePath, is_executable: bool, bytes: &[u8]) -> io::Result<()> {
        self.check_order(path)?;
        let name = format!("{}/{path}", Self::TOP);
        self.long_names(&name, "")?;
        let mode = if is_executable { 0o755 } else { 0o644 };
        self.gzip.write(&header(&name, "", b'0', mode, bytes.len() as u64)?)?;
        self.gzip.write(bytes)?;
        self.gzip.write(&[0; BLOCK_BYTES][..(BLOCK_BYTES - bytes.len() % BLOCK_BYTES) % BLOCK_BYTES])
    }

    /// Adds a symbolic link.
    ///
    /// # Errors
    /// As [`Packer::file`].
    pub fn link(&mut self, path: &ArchivePath, target: &str) -> io::Result<()> {
        self.check_order(path)?;
        let name = format!("{}/{path}", Self::TOP);
        self.long_names(&name, target)?;
        self.gzip.write(&header(&name, target, b'2', 0o777, 0)?)
    }

    /// Ends the archive and returns the writer.
    ///
    /// # Errors
    /// What the writer says.
    pub fn finish(mut self) -> io::Result<W> {
        self.gzip.write(&[0; 2 * BLOCK_BYTES])?;
        self.gzip.finish()
    }

    fn check_order(&mut self, path: &ArchivePath) -> io::Result<()> {
        if self.last.as_ref().is_some_and(|last| last >= path) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("`{path}` is out of order")));
        }
        self.last = Some(path.clone());
        Ok(())
    }

    /// Writes a POSIX header for what does not fit into a plain one.
    fn long_names(&mut self, name: &str, target: &str) -> io::Result<()> {
        let mut records = String::new();
        for (key, value) in [("path", name), ("linkpath", target)] {
            if value.len() > NAME_BYTES {
                records.push_str(&record(key, value));
            }
        }
        if records.is_empty() {
            return Ok(());
        }
        self.gzip.write(&header(&format!("{}/pax", Self::TOP), "", b'x', 0o644, records.len() as u64)?)?;
        self.gzip.write(records.as_bytes())?;
        self.gzip.write(&[0; BLOCK_BYTES][..(BLOCK_BYTES - records.len() % BLOCK_BYTES) % BLOCK_BYTES])
    }
}

/// Writes `length key=value`, where the length counts its own digits too.
fn record(key: &str, value: &str) -> String {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    format!("{length} {key}={value}\n")
}

fn header(name: &str, target: &str, kind: u8, mode: u32, size_bytes: u64) -> io::Result<[u8; BLOCK_BYTES]> {
    let mut block = [0; BLOCK_BYTES];
    put(&mut block, 0, cut(name).as_bytes());
    put(&mut block, 100, format!("{mode:07o}\0").as_bytes());
    put(&mut block, 108, b"0000000\0");
    put(&mut block, 116, b"0000000\0");
    let size = format!("{size_bytes:011o}\0");
    if size.len() > 12 {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("`{name}` has {size_bytes} bytes")));
    }
    put(&mut block, 124, size.as_bytes());
    put(&mut block, 136, b"00000000000\0");
    put(&mut block, 148, b"        ");
    block[156] = kind;
    put(&mut block, 157, cut(target).as_bytes());
    put(&mut block, 257, b"ustar\x0000");
    put(&mut block, 329, b"0000000\0");
    put(&mut block, 337, b"0000000\0");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    put(&mut block, 148, format!("{sum:06o}\0 ").as_bytes());
    Ok(block)
}

/// Returns what fits into a plain header; the whole is in the POSIX header before it.
fn cut(text: &str) -> &str {
    let end = (0..=text.len().min(NAME_BYTES)).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    &text[..end]
}

fn put(block: &mut [u8; BLOCK_BYTES], at: usize, bytes: &[u8]) {
    block[at..at + bytes.len()].copy_from_slice(bytes);
}

/// gzip without compression (RFC 1951, stored blocks; RFC 1952).
struct Stored<W: Write> {
    writer: W,
    block: Vec<u8>,
    crc: Crc,
}

impl<W: Write> Stored<W> {
    fn new(mut writer: W) -> io::Result<Self> {
        writer.write_all(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff])?;
        Ok(Self { writer, block: Vec::with_capacity(STORED_BYTES), crc: Crc::new() })
    }

    fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        self.crc.update(bytes);
        while !bytes.is_empty() {
            let room = STORED_BYTES - self.block.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.block.extend_from_slice(now);
            bytes = later;
            if self.block.len() == STORED_BYTES {
                self.write_block(0)?;
            }
        }
        Ok(())
    }

    fn write_block(&mut self, is_last: u8) -> io::Result<()> {
        // At most 65,535 bytes, as the buffer never holds more.
        let length = u16::try_from(self.block.len()).unwrap_or(u16::MAX);
        self.writer.write_all(&[is_last])?;
        self.writer.write_all(&length.to_le_bytes())?;
        self.writer.write_all(&(!length).to_le_bytes())?;
        self.writer.write_all(&self.block)?;
        self.block.clear();
        Ok(())
    }

    fn finish(mut self) -> io::Result<W> {
        self.write_block(1)?;
        self.writer.write_all(&self.crc.sum().to_le_bytes())?;
        self.writer.write_all(&self.crc.amount().to_le_bytes())?;
        Ok(self.writer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sdist::{EntryKind, Format, unpack};

    fn packed(entries: &[(&str, bool, &[u8])], links: &[(&str, &str)]) -> Vec<u8> {
        let mut packer = Packer::new(Vec::new()).unwrap();
        for (path, executable, bytes) in entries {
            packer.file(&path.parse().unwrap(), *executable, bytes).unwrap();
        }
        for (path, target) in links {
            packer.link(&path.parse().unwrap(), target).unwrap();
        }
        packer.finish().unwrap()
    }

    #[test]
    fn what_is_packed_is_unpacked_again() {
        let long = format!("{}/{}.py", "d".repeat(90), "f".repeat(90));
        let big = vec![7; 200_000];
        let entries: [(&str, bool, &[u8]); 4] =
            [("a.py", false, b"x = 1\n"), ("bin/run", true, b"#!/bin/sh\n"), ("big", false, &big), (&long, false, b"")];
        let mut entries = entries.to_vec();
        entries.sort_by_key(|(path, ..)| path.parse::<ArchivePath>().unwrap());
        let target = format!("{}/{}.py", "d".repeat(90), "f".repeat(90));
        let bytes = packed(&entries, &[("z-link", "a.py"), ("z-long", &target)]);
        let mut found = Vec::new();
        let top = unpack(&mut io::Cursor::new(&bytes), Format::TarGz, &mut |entry, reader| {
            let mut contents = Vec::new();
            reader.read_to_end(&mut contents)?;
            let executable = matches!(entry.kind, EntryKind::File { executable: true, .. });
            found.push((entry.path.as_str().to_owned(), executable, contents.len()));
            Ok(())
        });
        assert_eq!(top.unwrap(), "source");
        let expected =
            entries.iter().map(|(path, executable, bytes)| (format!("source/{path}"), *executable, bytes.len()));
        let links = [("source/z-link".to_owned(), false, 0), ("source/z-long".to_owned(), false, 0)];
        assert_eq!(found, expected.chain(links).collect::<Vec<_>>());
    }

    /// The form is a promise: locks hold digests of it.
    #[test]
    fn the_bytes_are_always_the_same() {
        let bytes = packed(&[("a.py", false, b"x = 1\n"), ("run", true, b"")], &[("to", "a.py")]);
        assert_eq!(bytes.len(), 10 + 5 + 4 * 512 + 2 * 512 - 512 + 512 + 8);
        let digest: u64 = bytes
            .iter()
            .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
        assert_eq!(digest, 577_486_930_169_551_583);
    }

    #[test]
    fn paths_come_in_order() {
        let mut packer = Packer::new(Vec::new()).unwrap();
        packer.file(&"b".parse().unwrap(), false, b"").unwrap();
        assert!(packer.file(&"a".parse().unwrap(), false, b"").is_err());
        assert!(packer.link(&"b".parse().unwrap(), "a").is_err());
    }

    #[test]
    fn a_record_counts_its_own_digits() {
        for (length, expected) in [(1, "9 path=x\n"), (90, "99 path="), (91, "101 path="), (92, "102 path=")] {
            let record = record("path", &"x".repeat(length));
            assert!(record.starts_with(expected), "{record}");
            assert_eq!(record.split(' ').next().unwrap().parse::<usize>().unwrap(), record.len());
        }
    }
}
