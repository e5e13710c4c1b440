//! The ledger of everything that was ever installed.
//!
//! It is one line of JSON per change and outlives the generations that are pruned. It is brought up to date
//! whenever the environment is locked, so a process that died before it wrote its line only delays that line.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};

use pinfold_artifact::Sha256;
use serde::{Deserialize, Serialize};

use crate::{Environment, InstallError, Receipt};

/// One line of the ledger: a generation was in place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerEntry {
    /// The generation.
    pub generation: u64,
    /// When it was made (RFC 3339).
    pub installed_at: String,
    /// When it was put back, if it came by a rollback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolled_back_at: Option<String>,
    /// Digest of its lock.
    pub lock_sha256: Sha256,
    /// Digest of its list of files.
    pub files_sha256: Sha256,
    /// `name version sha256` of every distribution in it.
    pub distributions: Vec<String>,
}

/// Returns the ledger, oldest first. A line that a dying process left half written is passed over.
///
/// # Errors
/// [`InstallError::Io`].
pub fn ledger(environment: &Environment) -> Result<Vec<LedgerEntry>, InstallError> {
    let path = environment.state().join(LEDGER);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(InstallError::io("read", &path)(e)),
    }
}

/// Adds the environment's generation to the ledger, unless it is the last one there.
pub(crate) fn reconcile(environment: &Environment, current: Option<&Receipt>) -> Result<(), InstallError> {
    match current {
        Some(current) if last_recorded(environment)? != Some(current.generation) => append(environment, current, None),
        _ => Ok(()),
    }
}

pub(crate) fn append(
    environment: &Environment,
    receipt: &Receipt,
    rolled_back_at: Option<&str>,
) -> Result<(), InstallError> {
    let path = environment.state().join(LEDGER);
    let of = |it: &crate::InstalledDistribution| format!("{} {} {}", it.name, it.version, it.sha256);
    let entry = LedgerEntry {
        generation: receipt.generation,
        installed_at: receipt.installed_at.clone(),
        rolled_back_at: rolled_back_at.map(str::to_owned),
        lock_sha256: receipt.lock_sha256,
        files_sha256: receipt.files_sha256,
        distributions: receipt.distributions.iter().map(of).collect(),
    };
    let line = serde_json::to_string(&entry).map_err(|e| InstallError::io("write", &path)(e.into()))?;
    let ledger = OpenOptions::new().create(true).read(true).append(true).open(&path);
    let mut ledger = ledger.map_err(InstallError::io("open", &path))?;
    // A line that a dying process cut off is ended, so that it does not spoil this one.
    let mut last = [b'\n'];
    let cut = ledger.seek(SeekFrom::End(-1)).is_ok() && ledger.read_exact(&mut last).is_ok() && last != [b'\n'];
    let line = format!("{}{line}\n", if cut { "\n" } else { "" });
    ledger.write_all(line.as_bytes()).map_err(InstallError::io("write", &path))
}

/// Returns the generation of the ledger's last whole line, reading only the end of the file.
pub(crate) fn last_recorded(environment: &Environment) -> Result<Option<u64>, InstallError> {
    let path = environment.state().join(LEDGER);
    let mut ledger = match fs::File::open(&path) {
        Ok(ledger) => ledger,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(InstallError::io("open", &path)(e)),
    };
    let mut tail = |back: u64| {
        let length = ledger.seek(SeekFrom::End(0))?;
        ledger.seek(SeekFrom::Start(length.saturating_sub(back)))?;
        let mut bytes = Vec::new();
        Read::by_ref(&mut ledger).take(back).read_to_end(&mut bytes)?;
        std::io::Result::Ok((length <= back, String::from_utf8_lossy(&bytes).into_owned()))
    };
    for back in [TAIL_BYTES, u64::MAX] {
        let (whole, text) = tail(back).map_err(InstallError::io("read", &path))?;
        let mut entries = text.lines().rev().filter_map(|line| serde_json::from_str::<LedgerEntry>(line).ok());
        match entries.next() {
            Some(entry) => return Ok(Some(entry.generation)),
            None if whole => return Ok(None),
            None => {}
        }
    }
    Ok(None)
}

const LEDGER: &str = "ledger.jsonl";

/// A line for two hundred distributions has about 20 KiB.
const TAIL_BYTES: u64 = 64 << 10;
