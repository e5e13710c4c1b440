//! RECORD against the members, both ways: every file listed with a digest that proves something, every row a file.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pinfold_artifact::{ArchivePath, Sha256};

use super::RecordDigest;
use crate::error::shown;
use crate::{ArchiveError, Member};

/// Returns the digest of each member, in the order of the members; none for RECORD and its signatures.
pub(super) fn agree(
    record: &[u8],
    members: &[Member],
    record_path: &str,
) -> Result<Vec<Option<RecordDigest>>, ArchiveError> {
    let positions: HashMap<&str, usize> =
        members.iter().enumerate().map(|(position, member)| (member.path.as_str(), position)).collect();
    let mut digests = vec![None; members.len()];
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
            path.parse::<ArchivePath>()?;
            return Err(mismatch(path, "a file", "none"));
        };
        if std::mem::replace(&mut listed[position], true) {
            return Err(malformed("a file is listed twice"));
        }
        check_size(&members[position], size)?;
        digests[position] = read_digest(path, digest, record_path)?;
    }
    for (member, listed) in members.iter().zip(listed) {
        let path = member.path.as_str();
        if !listed && path != record_path && !is_signature(path, record_path) {
            return Err(ArchiveError::UnlistedFile { path: path.to_owned() });
        }
    }
    Ok(digests)
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
