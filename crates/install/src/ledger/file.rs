//! The file of a ledger. It grows with every sync, so mostly only its end is read, and where it has to be gone through it is
//! read piece by piece.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use super::LEDGER;
use super::chain::{self, entry_of_line};
use crate::memo::Memo;
use crate::{Environment, InstallError, platform};

/// Opens a ledger to read it; none if there is no such file.
fn open(path: &Path) -> Result<Option<File>, InstallError> {
    match platform::open_regular(path) {
        Ok(file) => Ok(Some(file)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(InstallError::io("open", path)(e)),
    }
}

/// Reads the bytes of a ledger; none if there is no such file.
pub(crate) fn read_bytes(path: &Path) -> Result<Vec<u8>, InstallError> {
    let mut bytes = Vec::new();
    if let Some(file) = open(path)? {
        file.take(LEDGER_BYTES + 1).read_to_end(&mut bytes).map_err(InstallError::io("read", path))?;
    }
    if bytes.len() as u64 > LEDGER_BYTES {
        return Err(InstallError::io("read", path)(ErrorKind::FileTooLarge.into()));
    }
    Ok(bytes)
}

/// Returns the generation of the ledger's last whole line; mostly only the end of the file is read.
pub(crate) fn last_recorded(environment: &Environment) -> Result<Option<u64>, InstallError> {
    let path = environment.state().join(LEDGER);
    let Some(mut ledger) = open(&path)? else { return Ok(None) };
    for back in [TAIL_BYTES, u64::MAX] {
        let (is_whole, bytes) = tail(&mut ledger, back).map_err(InstallError::io("read", &path))?;
        let found = bytes.rsplit(|byte| *byte == b'\n').find_map(whole_line);
        if found.is_some() || is_whole {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Returns true if the last line is whole, and begins as one of that generation does. It may be long, and is not read whole.
pub(super) fn seems_to_end_with(environment: &Environment, generation: u64) -> Result<bool, InstallError> {
    let path = environment.state().join(LEDGER);
    let Some(mut ledger) = open(&path)? else { return Ok(false) };
    let (_, bytes) = tail(&mut ledger, PIECE_BYTES as u64).map_err(InstallError::io("read", &path))?;
    let Some(lines) = bytes.strip_suffix(b"}\n") else { return Ok(false) };
    let last = lines.rsplit(|byte| *byte == b'\n').next().unwrap_or(lines);
    Ok(chain::generation_of_line(last) == Some(generation))
}

/// Returns the highest number that a generation has in the ledger. It need not be in one of the last lines: a rollback goes
/// back to a lower one, and so does whoever brings an environment back from a backup.
pub(crate) fn highest_recorded(environment: &Environment) -> Result<Option<u64>, InstallError> {
    let path = environment.state().join(LEDGER);
    let Some(file) = open(&path)? else { return Ok(None) };
    highest_in(&mut BufReader::with_capacity(PIECE_BYTES, file)).map_err(InstallError::io("read", &path))
}

/// Returns the highest number of a generation that a line begins with.
pub(super) fn highest_in(ledger: &mut impl BufRead) -> std::io::Result<Option<u64>> {
    let (mut highest, mut beginning) = (None, Vec::new());
    loop {
        beginning.clear();
        Read::by_ref(ledger).take(chain::GENERATION_BYTES).read_until(b'\n', &mut beginning)?;
        if beginning.is_empty() {
            return Ok(highest);
        }
        highest = highest.max(chain::generation_of_line(&beginning));
        if beginning.last() != Some(&b'\n') {
            ledger.skip_until(b'\n')?;
        }
    }
}

/// Returns what was added to a ledger since a copy of it was made: whole lines. None if it is not the copy, only longer.
///
/// # Errors
/// [`InstallError::Io`] if one of them cannot be read.
pub(crate) fn added_since(ledger: &Path, copy: &Path) -> Result<Option<Vec<u8>>, InstallError> {
    let copy_file = open(copy)?;
    let Some(mut ledger_file) = open(ledger)? else {
        let length = copy_file.map_or(Ok(0), |file| file.metadata().map(|it| it.len()));
        return Ok((length.map_err(InstallError::io("look at", copy))? == 0).then(Vec::new));
    };
    if let Some(mut copy_file) = copy_file {
        let is_longer = begins_with(&mut ledger_file, &mut copy_file).map_err(InstallError::io("compare", ledger))?;
        if !is_longer {
            return Ok(None);
        }
    }
    let mut added = Vec::new();
    ledger_file.take(LEDGER_BYTES).read_to_end(&mut added).map_err(InstallError::io("read", ledger))?;
    Ok(Some(whole_lines(added)))
}

/// Drops a last line that has no end: it may yet be finished, or be ended as it is.
pub(crate) fn whole_lines(mut bytes: Vec<u8>) -> Vec<u8> {
    let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    bytes.truncate(end);
    bytes
}

/// Reads one file to its end, and as many bytes of another; returns true if they are the same.
fn begins_with(file: &mut File, beginning: &mut File) -> std::io::Result<bool> {
    let (mut expected, mut found) = (vec![0; PIECE_BYTES], vec![0; PIECE_BYTES]);
    loop {
        let count = beginning.read(&mut expected)?;
        if count == 0 {
            return Ok(true);
        }
        match file.read_exact(&mut found[..count]) {
            Err(e) if e.kind() == ErrorKind::UnexpectedEof => return Ok(false),
            result => result?,
        }
        if found[..count] != expected[..count] {
            return Ok(false);
        }
    }
}

/// Returns the generation of a whole line, if it is one.
fn whole_line(line: &[u8]) -> Option<u64> {
    static MEMO: Memo<u64> = Memo::new();
    MEMO.read(line, |line| entry_of_line(line).map(|entry| entry.generation).ok_or(())).ok()
}

/// How a ledger ends.
pub(super) struct End {
    /// The last line, whole or not, without its end; empty if there is none.
    pub(super) last_line: Vec<u8>,
    /// Whether the last line has no end.
    pub(super) is_cut: bool,
}

impl End {
    pub(super) fn of(ledger: &mut File) -> std::io::Result<Self> {
        let mut back = TAIL_BYTES;
        loop {
            let (is_whole, bytes) = tail(ledger, back)?;
            let is_cut = bytes.last().is_some_and(|byte| *byte != b'\n');
            let lines = if is_cut { &bytes[..] } else { bytes.strip_suffix(b"\n").unwrap_or(&bytes) };
            let start = lines.iter().rposition(|byte| *byte == b'\n');
            if let Some(start) = start {
                return Ok(Self { last_line: lines[start + 1..].to_vec(), is_cut });
            }
            if is_whole {
                return Ok(Self { last_line: lines.to_vec(), is_cut });
            }
            back = back.saturating_mul(4);
        }
    }
}

/// Returns so many bytes of a file's end, and whether they are all of it.
fn tail(file: &mut File, back: u64) -> std::io::Result<(bool, Vec<u8>)> {
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(length.saturating_sub(back)))?;
    let mut bytes = Vec::new();
    Read::by_ref(file).take(back).read_to_end(&mut bytes)?;
    Ok((length <= back, bytes))
}

/// A line for two hundred distributions has about 60 KiB.
pub(super) const TAIL_BYTES: u64 = 256 << 10;
/// What is read at once where the whole is gone through.
pub(super) const PIECE_BYTES: usize = 64 << 10;
/// Stops a gigantic ledger: some thousand lines for a big application.
const LEDGER_BYTES: u64 = 256 << 20;
