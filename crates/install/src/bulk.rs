//! Writing big files past the page cache.
//!
//! Gigabytes of unpacked libraries would push everything else out of memory, and clearing a page for each 4 KiB of them costs
//! more than writing them. So a big file goes to the disk as it is unpacked, where system and file system allow it; its end,
//! which fills no block, and everything elsewhere goes the usual way. Who opens the file sees the same bytes either way.
//!
//! A direct write waits for the disk. So a thread of its own writes, while the next pieces are unpacked and hashed.

use std::fs::File;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use pinfold_unpack::Pieces;

/// A new file that is written from its beginning to its end. It is written once [`BulkFile::finish`] says so.
pub(crate) enum BulkFile {
    /// Through the page cache.
    Cached(File, Block),
    /// Past it, by a thread of its own.
    Direct(Behind),
}

impl BulkFile {
    /// Takes an empty file. One on a file system that caches everything is written the usual way.
    pub(crate) fn new(file: File) -> Self {
        if system::set_direct(&file, true).is_err() {
            return Self::Cached(file, Block::new());
        }
        Self::Direct(Behind::new(file))
    }

    /// Waits until everything is written.
    ///
    /// # Errors
    /// What the disk says of any of the writes.
    pub(crate) fn finish(self) -> io::Result<()> {
        match self {
            Self::Cached(..) => Ok(()),
            Self::Direct(mut behind) => behind.end(),
        }
    }
}

impl Pieces for BulkFile {
    fn room(&mut self) -> io::Result<&mut [u8]> {
        match self {
            Self::Cached(_, block) => Ok(block.room()),
            Self::Direct(behind) => behind.room(),
        }
    }

    fn take(&mut self, bytes: usize) -> io::Result<()> {
        match self {
            Self::Cached(file, block) => file.write_all(&block.room()[..bytes]),
            Self::Direct(behind) => behind.take(bytes),
        }
    }
}

/// A thread that writes what it is given.
pub(crate) struct Behind {
    /// None once nothing more is to come.
    full: Option<SyncSender<Block>>,
    empty: Receiver<Block>,
    /// Blocks that were made.
    blocks: usize,
    /// The one that is being filled.
    current: Option<Block>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Behind {
    fn new(file: File) -> Self {
        let (full, waiting) = sync_channel::<Block>(BLOCKS);
        let (given_back, empty) = sync_channel(BLOCKS);
        let thread = std::thread::spawn(move || {
            let mut direct = DirectFile { file, route: Route::Direct };
            for block in waiting {
                direct.write_all(block.bytes())?;
                // Nobody takes it back when nothing more is to come.
                let _ = given_back.send(block);
            }
            Ok(())
        });
        Self { full: Some(full), empty, blocks: 0, current: None, thread: Some(thread) }
    }

    fn room(&mut self) -> io::Result<&mut [u8]> {
        if self.current.is_none() {
            self.current = if self.blocks < BLOCKS {
                self.blocks += 1;
                Some(Block::new())
            } else {
                self.empty.recv().ok()
            };
        }
        if self.current.is_none() {
            self.fail()?;
        }
        self.current.as_mut().map(Block::room).ok_or_else(|| io::ErrorKind::BrokenPipe.into())
    }

    fn take(&mut self, bytes: usize) -> io::Result<()> {
        if let (Some(mut block), Some(full)) = (self.current.take(), &self.full) {
            block.filled = bytes;
            if full.send(block).is_ok() {
                return Ok(());
            }
        }
        self.fail()
    }

    /// Says why the thread has ended, which it does only if a write failed.
    fn fail(&mut self) -> io::Result<()> {
        self.end().and(Err(io::ErrorKind::BrokenPipe.into()))
    }

    fn end(&mut self) -> io::Result<()> {
        self.full = None;
        match self.thread.take() {
            Some(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            None => Ok(()),
        }
    }
}

impl Drop for Behind {
    fn drop(&mut self) {
        // Given up: the file is of no use, but nobody writes to it any more.
        self.full = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Bytes that begin at a block's address.
pub(crate) struct Block {
    room: Vec<u8>,
    start: usize,
    filled: usize,
}

impl Block {
    fn new() -> Self {
        let room = vec![0; BLOCK_ROOM + BLOCK_BYTES];
        let start = room.as_ptr().align_offset(BLOCK_BYTES).min(BLOCK_BYTES);
        Self { room, start, filled: 0 }
    }

    fn room(&mut self) -> &mut [u8] {
        &mut self.room[self.start..self.start + BLOCK_ROOM]
    }

    fn bytes(&self) -> &[u8] {
        &self.room[self.start..self.start + self.filled]
    }
}

struct DirectFile {
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

impl DirectFile {
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

impl Write for DirectFile {
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

/// Blocks of one file: one is filled while others are written.
const BLOCKS: usize = 3;
/// Bytes of a block: what a stream is unpacked into at a time.
const BLOCK_ROOM: usize = pinfold_unpack::PIECE_BYTES;
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

    fn fill(file: &mut BulkFile, bytes: &[u8]) -> io::Result<()> {
        bytes.chunks(BLOCK_ROOM).try_for_each(|piece| {
            file.room()?[..piece.len()].copy_from_slice(piece);
            file.take(piece.len())
        })
    }

    /// Writes pieces of these lengths and reads the file again.
    fn check(pieces: &[usize]) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let mut file = BulkFile::new(File::create_new(&path).unwrap());
        let mut expected = Vec::new();
        for length in pieces {
            let bytes: Vec<u8> = (expected.len()..expected.len() + length).map(|byte| (byte % 251) as u8).collect();
            fill(&mut file, &bytes).unwrap();
            expected.extend_from_slice(&bytes);
        }
        file.finish().unwrap();
        assert!(std::fs::read(&path).unwrap() == expected, "{pieces:?}");
    }

    #[test]
    fn the_file_has_the_bytes_whatever_the_pieces() {
        const BLOCK: usize = BLOCK_BYTES;
        check(&[]);
        check(&[1]);
        check(&[8 * BLOCK, 8 * BLOCK]);
        check(&[8 * BLOCK, 8 * BLOCK + 17]);
        check(&[8 * BLOCK, 17, 8 * BLOCK, 5]);
        check(&[BLOCK_ROOM; 7]);
        check(&[3 * BLOCK_ROOM + 1, BLOCK_ROOM]);
    }

    #[test]
    fn a_write_that_fails_is_told_at_the_latest_by_the_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        std::fs::write(&path, "").unwrap();
        // Opened for reading only: every write fails.
        let mut file = BulkFile::Direct(Behind::new(File::open(&path).unwrap()));
        let written: io::Result<()> = (0..2 * BLOCKS).try_for_each(|_| fill(&mut file, &[1; BLOCK_BYTES]));
        assert!(written.and(file.finish()).is_err());
        let mut file = BulkFile::Direct(Behind::new(File::open(&path).unwrap()));
        fill(&mut file, &[1; BLOCK_BYTES]).unwrap();
        assert!(file.finish().is_err());
    }
}
