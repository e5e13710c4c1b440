//! The stories of pinfold: what each verb does, in order. Here the rooms are joined; nothing here prints results or exits.

pub mod builds;
pub(crate) mod cache;
pub(crate) mod damage;
pub mod downloads;
pub mod environments;
mod git;
mod hands;
pub(crate) mod history;
pub mod inspect;
pub mod lock;
pub mod outdated;
pub(crate) mod places;
pub mod questions;
pub(crate) mod remember;
pub mod repair;
mod sources;
pub mod sync;
pub(crate) mod trace;
pub mod trees;
mod turns;
pub mod verify;
pub mod watch;

use std::io::{Read, Write};
use std::path::Path;

use pinfold_artifact::{Limits, Sha256};
use pinfold_lock::{Lock, LockError};
use pinfold_manifest::{Place, decode, render};
use sha2::Digest;

use crate::exit::{Exit, Failure};

/// A lock as it was read: once, with the digest of exactly the bytes that were parsed.
#[derive(Debug)]
pub struct LockFile {
    /// What it says.
    pub lock: Lock,
    /// Digest of its bytes.
    pub sha256: Sha256,
    /// Its text.
    pub text: String,
    /// What was odd about it without being wrong.
    pub warnings: Vec<String>,
}

/// Reads a lock.
///
/// # Errors
/// Exit 2 if there is none or it cannot be read, exit 3 if it must not be used.
pub fn read_lock(path: &Path) -> Result<LockFile, Failure> {
    let text = read_text(path, Limits::LOCK_BYTES, "lock")
        .map_err(|failure| failure.help("make one with `pinfold lock`, or name one with --lock"))?;
    parse_lock(text, path)
}

/// Reads a lock from standard input if its path is `-`, as if it lay here; otherwise from the path.
///
/// # Errors
/// As [`read_lock`].
pub fn read_lock_or_input(path: &Path) -> Result<LockFile, Failure> {
    if path != Path::new("-") {
        return read_lock(path);
    }
    let bytes = read_limited(std::io::stdin(), path, Limits::LOCK_BYTES, "lock")?;
    parse_lock(text_of(bytes, path, "lock")?, path)
}

fn parse_lock(text: String, path: &Path) -> Result<LockFile, Failure> {
    let sha256 = Sha256::from_bytes(sha2::Sha256::digest(text.as_bytes()).into());
    let directory = lock::direct::absolute(path.parent().unwrap_or(Path::new(".")))?;
    let (lock, warnings) = Lock::read_in(&text, &directory).map_err(|error| unreadable_lock(error, &text, path))?;
    Ok(LockFile { lock, sha256, text, warnings: warnings.iter().map(ToString::to_string).collect() })
}

/// Says what is wrong with a lock, and points at it.
fn unreadable_lock(error: LockError, text: &str, path: &Path) -> Failure {
    let place = error.place();
    let failure = Failure::from(error);
    let Some((line, column)) = place else { return failure.with("lock", path.display()) };
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let own = text[before..].lines().next().unwrap_or_default();
    if own.trim().is_empty() {
        return failure.with("lock", path.display());
    }
    let indent = own.len() - own.trim_start().len();
    let range = match column {
        None => indent..own.trim_end().len(),
        Some(column) => {
            let start = own.char_indices().nth(column.saturating_sub(1)).map_or(own.len(), |(at, _)| at);
            start..start
        }
    };
    let place = Place::locate(&path.display().to_string(), text, before + range.start..before + range.end);
    Failure { headline: render(&failure.headline, &place, None), ..failure }
}

/// Reads a file of text that people or pinfold wrote.
///
/// # Errors
/// Exit 2 if it cannot be read, is larger than the limit, or is not UTF-8.
pub fn read_text(path: &Path, limit_bytes: u64, what: &str) -> Result<String, Failure> {
    let bytes = read_bytes(path, limit_bytes, what)?;
    text_of(bytes, path, what)
}

/// Reads a manifest, whose path is the name that it goes by.
///
/// # Errors
/// As [`read_text`]; a byte that is not UTF-8 is pointed at.
pub(crate) fn read_manifest(name: &str) -> Result<String, Failure> {
    Ok(decode(read_bytes(Path::new(name), Limits::MANIFEST_BYTES, "manifest")?, name)?)
}

/// Reads a file that people or pinfold wrote.
///
/// # Errors
/// Exit 2 if it cannot be read or is larger than the limit.
pub(crate) fn read_bytes(path: &Path, limit_bytes: u64, what: &str) -> Result<Vec<u8>, Failure> {
    let file = std::fs::File::open(path).map_err(|e| unreadable(path, what, e.to_string()))?;
    read_limited(file, path, limit_bytes, what)
}

fn unreadable(path: &Path, what: &str, reason: String) -> Failure {
    Failure::new(Exit::Input, format!("cannot read the {what} `{}`", path.display())).with("cause", reason)
}

fn read_limited(source: impl Read, path: &Path, limit_bytes: u64, what: &str) -> Result<Vec<u8>, Failure> {
    let wrong = |reason: String| unreadable(path, what, reason);
    let mut bytes = Vec::new();
    source.take(limit_bytes + 1).read_to_end(&mut bytes).map_err(|e| wrong(e.to_string()))?;
    if bytes.len() as u64 > limit_bytes {
        return Err(wrong(format!("it is larger than {limit_bytes} bytes")));
    }
    Ok(bytes)
}

fn text_of(bytes: Vec<u8>, path: &Path, what: &str) -> Result<String, Failure> {
    decode(bytes, "").map_err(|error| {
        let (place, help) = (error.place(), error.help().unwrap_or_default());
        unreadable(path, what, format!("line {}, column {}: {error}: {help}", place.line, place.column))
    })
}

/// Writes a file whole or not at all: beside its place, then renamed.
///
/// # Errors
/// Exit 4; a former file is then as it was.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    write_beside(path, bytes, &|file| file.sync_data())
}

/// As [`write_whole`], for what is only kept so that it need not be found out again: nobody waits for the disk, and after a
/// loss of power the file may be empty, which its reader must take for nothing kept.
///
/// # Errors
/// As [`write_whole`].
pub(crate) fn write_kept(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    write_beside(path, bytes, &|_| Ok(()))
}

fn write_beside(
    path: &Path,
    bytes: &[u8],
    settle: &dyn Fn(&std::fs::File) -> std::io::Result<()>,
) -> Result<(), Failure> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || {
        let mut file = tempfile::Builder::new().prefix(".pinfold-").tempfile_in(directory)?;
        file.write_all(bytes)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(path).map_or(0o644, |metadata| metadata.permissions().mode() & 0o777);
            file.as_file().set_permissions(std::fs::Permissions::from_mode(mode))?;
        }
        settle(file.as_file())?;
        file.persist(path).map_err(|e| e.error).map(drop)
    };
    write().map_err(|e: std::io::Error| {
        Failure::new(Exit::World, format!("cannot write `{}`; what was there is as it was", path.display()))
            .with("cause", e)
            .help("mend the cause and run the same command again")
    })
}
