//! The ledger: everything that was ever in place in an environment, one line of JSON for each change, chained by digests.
//!
//! It outlives the generations that are pruned. Each line carries the SHA-256 of the line before it, so that a line that was
//! changed, left out or put in later shows. A line that a dying process left half written is ended by the next one and
//! covered by its digest: it is reported, and spoils no other. The ledger is brought up to date whenever the environment is
//! locked, so a process that died before it wrote its line only delays that line.
//!
//! The chain shows what was done to a part of the ledger, but for its last line; that is of the receipt in place. It cannot
//! show that the whole was written anew. Against that stands the copy that [`crate::KnownEnvironments`] keeps elsewhere.

mod chain;

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;

use pinfold_artifact::{SafeUrl, Sha256};
use pinfold_packaging::{PackageName, Version};
use serde::{Deserialize, Serialize};

pub use chain::{Ledger, LedgerProblem};
pub(crate) use chain::{entry_of_line, lines};

use crate::memo::Memo;
use crate::receipt::digest;
use crate::{Change, Environment, EnvironmentGuard, InstallError, InstalledDistribution, Receipt, platform};

/// One line of the ledger: a generation was put in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerEntry {
    /// The generation.
    pub generation: u64,
    /// When it was made (RFC 3339).
    pub installed_at: String,
    /// When it was put back, if it came by a rollback.
    pub rolled_back_at: Option<String>,
    /// Digest of its lock.
    pub lock_sha256: Sha256,
    /// Digest of its list of files.
    pub files_sha256: Sha256,
    /// What was in it, sorted by name.
    pub distributions: Vec<LedgerDistribution>,
}

/// A distribution, as the ledger remembers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerDistribution {
    /// The project's name.
    pub name: PackageName,
    /// The version.
    pub version: Version,
    /// Digest of the locked file.
    pub sha256: Sha256,
    /// Digest of the wheel that was built from it, if it was built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wheel_sha256: Option<Sha256>,
    /// Where it came from; lines of an older form do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<SafeUrl>,
    /// The index that it belongs to; lines of an older form do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<SafeUrl>,
}

impl LedgerEntry {
    /// Returns when the generation came into place.
    pub fn since(&self) -> &str {
        self.rolled_back_at.as_deref().unwrap_or(&self.installed_at)
    }

    /// Returns what changed against the entry before.
    pub fn changes_since(&self, former: Option<&Self>) -> Vec<Change> {
        let before = former.map_or(&[][..], |former| &former.distributions);
        changes(before, &self.distributions)
    }

    /// Returns true if the entry is of the generation that has this receipt.
    pub(crate) fn is_of(&self, receipt: &Receipt) -> bool {
        let mut expected = Self::of(receipt, self.rolled_back_at.as_deref());
        for (expected, own) in expected.distributions.iter_mut().zip(&self.distributions) {
            // Lines of an older form do not say.
            expected.url = expected.url.take().filter(|_| own.url.is_some());
            expected.index = expected.index.take().filter(|_| own.index.is_some());
        }
        expected == *self
    }

    fn of(receipt: &Receipt, rolled_back_at: Option<&str>) -> Self {
        Self {
            generation: receipt.generation,
            installed_at: receipt.installed_at.clone(),
            rolled_back_at: rolled_back_at.map(str::to_owned),
            lock_sha256: receipt.lock_sha256,
            files_sha256: receipt.files_sha256,
            distributions: receipt.distributions.iter().map(LedgerDistribution::from).collect(),
        }
    }
}

impl From<&Receipt> for LedgerEntry {
    fn from(receipt: &Receipt) -> Self {
        Self::of(receipt, None)
    }
}

impl From<&InstalledDistribution> for LedgerDistribution {
    fn from(installed: &InstalledDistribution) -> Self {
        Self {
            name: installed.name.clone(),
            version: installed.version.clone(),
            sha256: installed.sha256,
            wheel_sha256: (installed.wheel_sha256 != installed.sha256).then_some(installed.wheel_sha256),
            url: Some(installed.url.clone()),
            index: Some(installed.index.clone()),
        }
    }
}

/// Compares two lists of distributions: what came, went, or has another version or other bytes.
pub fn changes(before: &[LedgerDistribution], after: &[LedgerDistribution]) -> Vec<Change> {
    let find = |list: &[LedgerDistribution], name: &PackageName| list.iter().find(|it| it.name == *name).cloned();
    let mut changes = Vec::new();
    for it in after {
        let from = find(before, &it.name);
        if from.as_ref().is_none_or(|from| (&from.version, &from.sha256) != (&it.version, &it.sha256)) {
            let from = from.map(|from| from.version);
            changes.push(Change { name: it.name.clone(), from, to: Some(it.version.clone()) });
        }
    }
    let gone = before.iter().filter(|it| find(after, &it.name).is_none());
    changes.extend(gone.map(|it| Change { name: it.name.clone(), from: Some(it.version.clone()), to: None }));
    changes.sort_by(|a, b| a.name.cmp(&b.name));
    changes
}

/// Returns the ledger of an environment; an empty one if there is none.
///
/// # Errors
/// [`InstallError::Io`].
pub fn ledger(environment: &Environment) -> Result<Ledger, InstallError> {
    read_ledger(&environment.state().join(LEDGER))
}

/// Reads a ledger; an empty one if there is none.
pub(crate) fn read_ledger(path: &Path) -> Result<Ledger, InstallError> {
    Ok(Ledger::read(&read_bytes(path)?))
}

/// Reads the bytes of a ledger; none if there is no such file.
pub(crate) fn read_bytes(path: &Path) -> Result<Vec<u8>, InstallError> {
    let mut bytes = Vec::new();
    match platform::open_regular(path) {
        Ok(file) => file.take(LEDGER_BYTES + 1).read_to_end(&mut bytes).map_err(InstallError::io("read", path))?,
        Err(e) if e.kind() == ErrorKind::NotFound => 0,
        Err(e) => return Err(InstallError::io("open", path)(e)),
    };
    if bytes.len() as u64 > LEDGER_BYTES {
        return Err(InstallError::io("read", path)(ErrorKind::FileTooLarge.into()));
    }
    Ok(bytes)
}

/// Adds the environment's generation to the ledger, unless it is the last one there.
pub(crate) fn reconcile(guard: &EnvironmentGuard, current: Option<&Receipt>) -> Result<(), InstallError> {
    match current {
        Some(current) if last_recorded(guard.environment())? != Some(current.generation) => {
            append(guard, current, None)
        }
        _ => Ok(()),
    }
}

/// Adds a line for a generation that was just put in place. Only the holder of the environment's lock may call this.
pub(crate) fn append(
    guard: &EnvironmentGuard,
    receipt: &Receipt,
    rolled_back_at: Option<&str>,
) -> Result<(), InstallError> {
    let path = guard.environment().state().join(LEDGER);
    let mut ledger = guard.anchor().open_to_append(&path).map_err(InstallError::io("open", &path))?;
    let end = End::of(&mut ledger).map_err(InstallError::io("read", &path))?;
    let entry = LedgerEntry::of(receipt, rolled_back_at);
    let line = entry.to_line(&digest(&end.last_line)).map_err(InstallError::io("write", &path))?;
    // A line that a dying process cut off is ended, so that it does not spoil this one.
    let line = format!("{}{line}\n", if end.is_cut { "\n" } else { "" });
    ledger.write_all(line.as_bytes()).map_err(InstallError::io("write", &path))
}

/// Returns the generation of the ledger's last whole line; mostly only the end of the file is read.
pub(crate) fn last_recorded(environment: &Environment) -> Result<Option<u64>, InstallError> {
    let path = environment.state().join(LEDGER);
    let mut ledger = match platform::open_regular(&path) {
        Ok(ledger) => ledger,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(InstallError::io("open", &path)(e)),
    };
    for back in [TAIL_BYTES, u64::MAX] {
        let (is_whole, bytes) = tail(&mut ledger, back).map_err(InstallError::io("read", &path))?;
        let found = bytes.rsplit(|byte| *byte == b'\n').find_map(whole_line);
        if found.is_some() || is_whole {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Returns the highest number that a generation has in the ledger. It need not be in one of the last lines: a rollback goes
/// back to a lower one, and so does whoever brings an environment back from a backup.
pub(crate) fn highest_recorded(environment: &Environment) -> Result<Option<u64>, InstallError> {
    let path = environment.state().join(LEDGER);
    match platform::open_regular(&path) {
        Ok(file) => {
            highest_in(&mut BufReader::with_capacity(PIECE_BYTES, file)).map_err(InstallError::io("read", &path))
        }
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(InstallError::io("open", &path)(e)),
    }
}

/// Returns the highest number of a generation that a line begins with. A ledger grows with every sync: it is read piece by piece.
fn highest_in(ledger: &mut impl BufRead) -> std::io::Result<Option<u64>> {
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
    let open = |path: &Path| match platform::open_regular(path) {
        Ok(file) => Ok(Some(file)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(InstallError::io("open", path)(e)),
    };
    let copy_file = open(copy)?;
    let Some(mut ledger_file) = open(ledger)? else { return Ok(copy_file.is_none().then(Vec::new)) };
    if let Some(mut copy_file) = copy_file {
        let is_longer = begins_with(&mut ledger_file, &mut copy_file).map_err(InstallError::io("compare", ledger))?;
        if !is_longer {
            return Ok(None);
        }
    }
    let mut added = Vec::new();
    ledger_file.take(LEDGER_BYTES).read_to_end(&mut added).map_err(InstallError::io("read", ledger))?;
    added.truncate(added.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1));
    Ok(Some(added))
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
struct End {
    /// The last line, whole or not, without its end; empty if there is none.
    last_line: Vec<u8>,
    /// Whether the last line has no end.
    is_cut: bool,
}

impl End {
    fn of(ledger: &mut File) -> std::io::Result<Self> {
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

/// The ledger's name inside an environment's state directory.
pub(crate) const LEDGER: &str = "ledger.jsonl";

/// A line for two hundred distributions has about 60 KiB.
const TAIL_BYTES: u64 = 256 << 10;
/// What is read at once where the whole is gone through.
const PIECE_BYTES: usize = 64 << 10;
/// Stops a gigantic ledger: some thousand lines for a big application.
const LEDGER_BYTES: u64 = 256 << 20;

#[cfg(test)]
#[cfg(unix)]
mod tests;
