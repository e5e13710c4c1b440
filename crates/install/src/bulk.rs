//! Writing big files past the page cache.
//!
//! Gigabytes of unpacked libraries would push everything else out of memory, and clearing a page for each 4 KiB of them costs
//! more than writing them. So a big file goes to the disk as it is unpacked, where system and file system allow it; its end,
//! which fills no block, and everything elsewhere goes the usual way. Who opens the file sees the same bytes either way.

use std::fs::File;
use std::io::{self, Write};

/// A new file that is written from its beginning to its end.
pub(crate) struct BulkFile {
    file: File,
    route: Route,
}

/// The way that the next bytes take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route {
    /// Through the page cache.
    Cached,
    /// Past it: address, offset and length are whole blocks.
    Direct,
}

impl BulkFile {
    /// Takes an empty file. One on a file system that caches everything is written the usual way.
    pub(crate) fn new(file: File) -> Self {
        let route = if system::set_direct(&file, true).is_ok() { Route::Direct } else { Route::Cached };
        Self { file, route }
    }

    fn leave_direct(&mut self) -> io::Result<()> {
        self.route = Route::Cached;
        system::set_direct(&self.file, false)
    }

    /// Writes whole blocks past the cache. Returns how many bytes that were.
    fn write_direct(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let whole = bytes.len() - bytes.len() % BLOCK_BYTES;
        if whole == 0 || bytes.as_ptr().align_offset(BLOCK_BYTES) != 0 {
            return self.leave_direct().map(|()| 0);
        }
        match self.file.write(&bytes[..whole]) {
            // Some file systems say so only now.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => self.leave_direct().map(|()| 0),
            Ok(written) if !written.is_multiple_of(BLOCK_BYTES) => self.leave_direct().map(|()| written),
            result => result,
        }
    }
}

impl Write for BulkFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.route == Route::Direct {
            let written = self.write_direct(bytes)?;
            if written > 0 {
                return Ok(written);
            }
        }
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// What address, offset and length of a direct write must be whole multiples of: the largest block of any disk in use.
const BLOCK_BYTES: usize = 4096;

#[cfg(target_os = "linux")]
mod system {
    use std::fs::File;
    use std::io;

    use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

    pub(super) fn set_direct(file: &File, direct: bool) -> io::Result<()> {
        let flags = fcntl_getfl(file)?;
        let wanted = if direct { flags | OFlags::DIRECT } else { flags - OFlags::DIRECT };
        Ok(fcntl_setfl(file, wanted)?)
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::fs::File;
    use std::io;

    pub(super) fn set_direct(_file: &File, direct: bool) -> io::Result<()> {
        if direct { Err(io::ErrorKind::Unsupported.into()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that begin at a block's address, moved by `shift`.
    fn at_address(length: usize, shift: usize) -> (Vec<u8>, std::ops::Range<usize>) {
        let mut room = vec![0_u8; length + 2 * BLOCK_BYTES];
        let start = room.as_ptr().align_offset(BLOCK_BYTES) + shift;
        let span = start..start + length;
        room[span.clone()].iter_mut().zip(0..).for_each(|(byte, position)| *byte = (position % 251) as u8);
        (room, span)
    }

    /// Writes pieces of these lengths, each at an address moved by its shift, and reads the file again.
    fn check(pieces: &[(usize, usize)]) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let mut written = BulkFile::new(File::create_new(&path).unwrap());
        let mut expected = Vec::new();
        for (length, shift) in pieces {
            let (room, span) = at_address(*length, *shift);
            written.write_all(&room[span.clone()]).unwrap();
            expected.extend_from_slice(&room[span]);
        }
        drop(written);
        assert!(std::fs::read(&path).unwrap() == expected, "{pieces:?}");
    }

    #[test]
    fn the_file_has_the_bytes_whatever_their_addresses_and_lengths() {
        const BLOCK: usize = BLOCK_BYTES;
        check(&[]);
        check(&[(1, 0)]);
        check(&[(8 * BLOCK, 0), (8 * BLOCK, 0)]);
        check(&[(8 * BLOCK, 0), (8 * BLOCK + 17, 0)]);
        check(&[(8 * BLOCK, 0), (17, 0), (8 * BLOCK, 0), (5, 0)]);
        check(&[(8 * BLOCK, 1), (8 * BLOCK, 0)]);
        check(&[(8 * BLOCK, 0), (8 * BLOCK, 3), (8 * BLOCK, 0)]);
    }
}
