//! RECORD against the members, both ways: every file listed with a digest that proves something, every row a file.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pinfold_artifact::{ArchivePath, Sha256};

use super::{RecordDigest, RecordException, RecordFault};
use crate::error::shown;
use crate::{ArchiveError, Member};

/// What RECORD says of the members.
pub(super) struct Verdict {
    /// The digest of each member, in the order of the members; none for RECORD, its signatures, and what is at fault.
    pub(super) digests: Vec<Option<RecordDigest>>,
    /// What is wrong, rows first, in their order.
    pub(super) faults: Vec<Fault>,
}

/// Something that is wrong with one row, or with one member.
pub(super) struct Fault {
    pub(super) fault: RecordFault,
    pub(super) path: ArchivePath,
    /// The member; none where a row names none.
    pub(super) position: Option<usize>,
    pub(super) error: ArchiveError,
}

/// Compares RECORD with the members, both ways.
///
/// # Errors
/// If RECORD cannot be read as one. What is wrong with a single file is a fault, not an error.
pub(super) fn compare(record: &[u8], members: &[Member], record_path: &str) -> Result<Verdict, ArchiveError> {
    let positions: HashMap<&str, usize> =
        members.iter().enumerate().map(|(position, member)| (member.path.as_str(), position)).collect();
    let mut verdict = Verdict { digests: vec![None; members.len()], faults: Vec::new() };
    let mut listed = vec![false; members.len()];
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(record);
    let mut fields = csv::ByteRecord::new();
    let mut row = 0;
    loop {
        row += 1;
        let malformed = |problem| ArchiveError::RecordMalformed { row, problem };
        if !reader.read_byte_record(&mut fields).map_err(|_| malformed("no row of comma-separated values"))? {
            break;
        }
        let (path, digest, size) = split_row(&fields).map_err(malformed)?;
        let Some(&position) = positions.get(path) else {
            verdict.add(path.parse()?, None, mismatch(path, "a file", "none"))?;
            continue;
        };
        if std::mem::replace(&mut listed[position], true) {
            return Err(malformed("a file is listed twice"));
        }
        match check_size(&members[position], size).and_then(|()| read_digest(path, digest, record_path)) {
            Ok(digest) => verdict.digests[position] = digest,
            Err(error) => verdict.add(members[position].path.clone(), Some(position), error)?,
        }
    }
    for (position, member) in members.iter().enumerate().filter(|(position, _)| !listed[*position]) {
        let path = member.path.as_str();
        if path != record_path && !is_signature(path, record_path) {
            let error = ArchiveError::UnlistedFile { path: path.to_owned() };
            verdict.add(member.path.clone(), Some(position), error)?;
        }
    }
    Ok(verdict)
}

impl Verdict {
    /// Adds what an error is about, or returns the error if it is not about one file. RECORD says nothing of itself.
    fn add(&mut self, path: ArchivePath, position: Option<usize>, error: ArchiveError) -> Result<(), ArchiveError> {
        match RecordFault::of_error(&error) {
            Some(fault) => self.faults.push(Fault { fault, path, position, error }),
            None => return Err(error),
        }
        Ok(())
    }

    /// Puts exceptions in the place of what is at fault, and returns those that were needed.
    ///
    /// # Errors
    /// The first fault that no exception is for.
    pub(super) fn except(
        &mut self,
        exceptions: &[RecordException],
        members: &[Member],
        record_sha256: Sha256,
    ) -> Result<Vec<RecordException>, ArchiveError> {
        let mut needed = Vec::new();
        for Fault { fault, path, position, error } in self.faults.drain(..) {
            let is_it = |it: &&RecordException| {
                it.fault == fault && it.path == path && (position.is_some() || it.sha256 == record_sha256)
            };
            let Some(exception) = exceptions.iter().find(is_it) else { return Err(error) };
            needed.push(exception.clone());
            if let Some(position) = position {
                self.digests[position] = Some(RecordDigest::Sha256(exception.sha256));
            }
        }
        // That a file's bytes are not what its row says shows only when they are unpacked.
        for exception in exceptions.iter().filter(|it| it.fault == RecordFault::Mismatch) {
            let position = members.iter().position(|member| member.path == exception.path);
            let accepted = RecordDigest::Sha256(exception.sha256);
            if let Some(digest) = position.and_then(|position| self.digests[position].as_mut())
                && *digest != accepted
            {
                *digest = accepted;
                needed.push(exception.clone());
            }
        }
        needed.sort();
        Ok(needed)
    }
}

fn split_row(fields: &csv::ByteRecord) -> Result<(&str, &str, &str), &'static str> {
    if fields.len() != 3 {
        return Err("a row has three values: path, digest, size");
    }
    let text = |position: usize| fields.get(position).and_then(|field| str::from_utf8(field).ok());
    match (text(0), text(1), text(2)) {
        (Some(path), Some(digest), Some(size)) => Ok((path, digest, size)),
        _ => Err("not UTF-8"),
    }
}

/// Checks the size where there is one; where there is none the digest covers it.
fn check_size(member: &Member, size: &str) -> Result<(), ArchiveError> {
    if size.is_empty() || size.bytes().all(|b| b.is_ascii_digit()) && size.parse() == Ok(member.unpacked_bytes) {
        return Ok(());
    }
    let expected = format!("{} bytes", shown(size.as_bytes()));
    Err(mismatch(member.path.as_str(), &expected, &format!("{} bytes", member.unpacked_bytes)))
}

fn read_digest(path: &str, digest: &str, record_path: &str) -> Result<Option<RecordDigest>, ArchiveError> {
    let weak = || ArchiveError::RecordWeakDigest { path: path.to_owned(), found: shown(digest.as_bytes()) };
    if digest.is_empty() {
        let excepted = path == record_path || is_signature(path, record_path);
        return if excepted { Ok(None) } else { Err(weak()) };
    }
    if path == record_path {
        return Err(mismatch(path, "a digest of itself", "no such thing"));
    }
    let (algorithm, value) = digest.split_once('=').ok_or_else(weak)?;
    let bytes = URL_SAFE_NO_PAD.decode(value).map_err(|_| weak())?;
    let parsed = match algorithm {
        "sha256" => bytes.try_into().ok().map(|bytes| RecordDigest::Sha256(Sha256::from_bytes(bytes))),
        "sha384" => bytes.try_into().ok().map(|bytes| RecordDigest::Sha384(Box::new(bytes))),
        "sha512" => bytes.try_into().ok().map(|bytes| RecordDigest::Sha512(Box::new(bytes))),
        _ => None,
    };
    parsed.map(Some).ok_or_else(weak)
}

/// PEP 427: signatures of RECORD cannot be in RECORD (WI08).
fn is_signature(path: &str, record_path: &str) -> bool {
    path.strip_prefix(record_path).is_some_and(|suffix| matches!(suffix, ".jws" | ".p7s"))
}

fn mismatch(path: &str, expected: &str, found: &str) -> ArchiveError {
    ArchiveError::RecordMismatch {
        path: shown(path.as_bytes()),
        expected: expected.to_owned(),
        found: found.to_owned(),
    }
}

impl std::fmt::Display for RecordDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (algorithm, bytes): (_, &[u8]) = match self {
            Self::Sha256(digest) => ("sha256", digest.as_bytes()),
            Self::Sha384(digest) => ("sha384", digest.as_slice()),
            Self::Sha512(digest) => ("sha512", digest.as_slice()),
        };
        write!(f, "{algorithm}:")?;
        bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
