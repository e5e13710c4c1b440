//! A wheel as the specification describes it: one `.dist-info`, a WHEEL that is understood, a RECORD that agrees with
//! the members both ways, `.data` directories with known schemes.

mod dist_info;
mod exception;
mod record;
mod scheme;
#[cfg(test)]
mod tests;

use std::io::{Read, Seek, SeekFrom};

use pinfold_artifact::{ArchivePath, Limits, Sha256};

pub use exception::{RecordException, RecordFault};

use crate::extract::sha256_of;
use crate::{ArchiveError, EntryPoints, Extractor, Hazard, Layout, Member, read_layout};

/// A wheel whose layout, WHEEL and RECORD have been checked. The members' bytes are checked when they are extracted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WheelContents {
    /// The name of the `.dist-info` directory.
    pub dist_info: String,
    /// Every file, in the order of the archive, RECORD included.
    pub members: Vec<WheelMember>,
    /// What WHEEL says.
    pub info: WheelInfo,
    /// The bytes of METADATA, checked.
    pub metadata: Vec<u8>,
    /// The digest of METADATA.
    pub metadata_sha256: Sha256,
    /// The scripts that `entry_points.txt` asks for.
    pub entry_points: EntryPoints,
    /// RECORD.jws and RECORD.p7s, if there are any: they need no digest and are reported as not verified (PEP 427).
    pub unverified_signatures: Vec<ArchivePath>,
    /// The exceptions that it could not have been read without, sorted.
    pub excepted: Vec<RecordException>,
}

/// What the WHEEL file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WheelInfo {
    /// Whether the files at the root of the archive belong to purelib (else platlib).
    pub root_is_purelib: bool,
    /// The tags, as written.
    pub tags: Vec<String>,
    /// The build number, as written.
    pub build: Option<String>,
    /// The program that made the wheel, as written.
    pub generator: Option<String>,
}

/// A member of a wheel with what RECORD says of it and where it belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WheelMember {
    /// The member.
    pub member: Member,
    /// What RECORD says its bytes hash to; none only for RECORD itself and its signatures.
    pub digest: Option<RecordDigest>,
    /// The directory of the installation scheme that it is installed into.
    pub scheme: Scheme,
    /// Its path inside that directory. For [`Scheme::Root`] this is its path in the archive.
    pub destination: ArchivePath,
    /// Set if it takes effect at every start of the interpreter.
    pub hazard: Option<Hazard>,
}

/// A digest that RECORD gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordDigest {
    /// `sha256=`.
    Sha256(Sha256),
    /// `sha384=`.
    Sha384(Box<[u8; 48]>),
    /// `sha512=`.
    Sha512(Box<[u8; 64]>),
}

/// A directory of an installation scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// `X.data/data`: the environment's root.
    Data,
    /// `X.data/headers`.
    Headers,
    /// `X.data/platlib`.
    Platlib,
    /// `X.data/purelib`.
    Purelib,
    /// Outside `.data`: purelib or platlib, as WHEEL says.
    Root,
    /// `X.data/scripts`.
    Scripts,
}

/// Reads a wheel and checks everything but the bytes of its members.
///
/// `expected_name` is the normalised project name and `expected_version` the version that the lock or the file name
/// gives; the `.dist-info` directory must be theirs.
///
/// # Errors
/// Everything of `ATTACKS.md` 3 and 4 that needs no member's bytes but those of `.dist-info`.
pub fn read_wheel<R: Read + Seek>(
    archive: &mut R,
    expected_name: &str,
    expected_version: &str,
) -> Result<WheelContents, ArchiveError> {
    read_wheel_excepting(archive, expected_name, expected_version, &[])
}

/// Reads a wheel as [`read_wheel`] does, but takes the word of an exception, where there is one, instead of RECORD's.
///
/// # Errors
/// As [`read_wheel`].
pub fn read_wheel_excepting<R: Read + Seek>(
    archive: &mut R,
    expected_name: &str,
    expected_version: &str,
    exceptions: &[RecordException],
) -> Result<WheelContents, ArchiveError> {
    let mut extractor = Extractor::new();
    let opened = Opened::read(archive, &mut extractor, expected_name, expected_version)?;
    let Opened { layout, dist_info, record_path, record, mut verdict } = opened;
    let excepted = verdict.except(exceptions, &layout.members, sha256_of(&record))?;
    let digests = verdict.digests;
    let mut members = Vec::with_capacity(layout.members.len());
    for (member, digest) in layout.members.into_iter().zip(digests) {
        members.push(WheelMember::new(member, digest, &dist_info)?);
    }
    let mut file = |name: &str| {
        let path = format!("{dist_info}/{name}");
        match members.iter().find(|member| member.member.path.as_str() == path) {
            Some(member) => read_bounded(archive, &mut extractor, &member.member, Some(member)).map(Some),
            None => Ok(None),
        }
    };
    let missing = |name: &str| ArchiveError::WheelMetadata {
        path: format!("{dist_info}/{name}"),
        problem: "the file is missing".to_owned(),
    };
    let info = dist_info::parse_wheel(&file("WHEEL")?.ok_or_else(|| missing("WHEEL"))?, &dist_info)?;
    let metadata = file("METADATA")?.ok_or_else(|| missing("METADATA"))?;
    let entry_points = match file("entry_points.txt")? {
        Some(bytes) => EntryPoints::parse(&utf8(&bytes, &format!("{dist_info}/entry_points.txt"))?)?,
        None => EntryPoints::default(),
    };
    let unverified = |member: &&WheelMember| member.digest.is_none() && member.member.path.as_str() != record_path;
    let unverified_signatures = members.iter().filter(unverified).map(|m| m.member.path.clone()).collect();
    let metadata_sha256 = sha256_of(&metadata);
    Ok(WheelContents {
        dist_info,
        members,
        info,
        metadata,
        metadata_sha256,
        entry_points,
        unverified_signatures,
        excepted,
    })
}

/// Returns the exceptions that a wheel could be read with, sorted: of every file that RECORD is wrong about, with its digest.
///
/// # Errors
/// As [`read_wheel`], for everything that no exception is for.
pub fn record_faults<R: Read + Seek>(
    archive: &mut R,
    expected_name: &str,
    expected_version: &str,
) -> Result<Vec<RecordException>, ArchiveError> {
    let mut extractor = Extractor::new();
    let Opened { layout, dist_info, record, verdict, .. } =
        Opened::read(archive, &mut extractor, expected_name, expected_version)?;
    let mut hash = |member: WheelMember| {
        let failed = |source| ArchiveError::Io { doing: "a member", source };
        archive.seek(SeekFrom::Start(member.member.data_start)).map_err(failed)?;
        extractor.write(&member, archive, &mut std::io::sink())
    };
    let mut faults = Vec::new();
    for fault in verdict.faults {
        let sha256 = match fault.position {
            Some(position) => hash(WheelMember::new(layout.members[position].clone(), None, &dist_info)?)?,
            None => sha256_of(&record),
        };
        faults.push(RecordException { fault: fault.fault, path: fault.path, sha256 });
    }
    for (member, digest) in layout.members.into_iter().zip(verdict.digests) {
        match hash(WheelMember::new(member.clone(), digest, &dist_info)?) {
            Ok(_) => {}
            Err(ArchiveError::RecordMismatch { .. }) => {
                let sha256 = hash(WheelMember::new(member.clone(), None, &dist_info)?)?;
                faults.push(RecordException { fault: RecordFault::Mismatch, path: member.path, sha256 });
            }
            Err(error) => return Err(error),
        }
    }
    faults.sort();
    Ok(faults)
}

/// A wheel whose RECORD was read and compared.
struct Opened {
    layout: Layout,
    dist_info: String,
    record_path: String,
    record: Vec<u8>,
    verdict: record::Verdict,
}

impl Opened {
    fn read<R: Read + Seek>(
        archive: &mut R,
        extractor: &mut Extractor,
        expected_name: &str,
        expected_version: &str,
    ) -> Result<Self, ArchiveError> {
        let layout = read_layout(archive)?;
        let dist_info = dist_info::find(&layout)?;
        dist_info::check_name(&dist_info, expected_name, expected_version)?;
        let record_path = format!("{dist_info}/RECORD");
        let Some(record) = layout.members.iter().find(|member| member.path.as_str() == record_path) else {
            return Err(ArchiveError::RecordMissing { path: record_path });
        };
        let record = read_bounded(archive, extractor, record, None)?;
        let verdict = record::compare(&record, &layout.members, &record_path)?;
        Ok(Self { layout, dist_info, record_path, record, verdict })
    }
}

/// Reads one file of `.dist-info`, with its RECORD digest if it has one.
fn read_bounded<R: Read + Seek>(
    archive: &mut R,
    extractor: &mut Extractor,
    member: &Member,
    listed: Option<&WheelMember>,
) -> Result<Vec<u8>, ArchiveError> {
    let (found, limit) = (member.unpacked_bytes, Limits::DIST_INFO_FILE_BYTES);
    if found > limit {
        return Err(ArchiveError::Bomb { what: "the size of a .dist-info file", found, limit });
    }
    let failed = |source| ArchiveError::Io { doing: "a .dist-info file", source };
    archive.seek(SeekFrom::Start(member.data_start)).map_err(failed)?;
    let mut bytes = Vec::new();
    match listed {
        Some(listed) => {
            extractor.write(listed, archive, &mut bytes)?;
        }
        None => extractor.stream_member(member, archive, &mut |piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        })?,
    }
    Ok(bytes)
}

/// Reads text, with the byte order mark that some tools write taken off.
fn utf8(bytes: &[u8], path: &str) -> Result<String, ArchiveError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err(ArchiveError::WheelMetadata { path: path.to_owned(), problem: "not UTF-8".to_owned() }),
    }
}

impl WheelMember {
    fn new(member: Member, digest: Option<RecordDigest>, dist_info: &str) -> Result<Self, ArchiveError> {
        let (scheme, destination) = scheme::place(&member.path, dist_info)?;
        let hazard = Hazard::of(scheme, &destination);
        Ok(Self { member, digest, scheme, destination, hazard })
    }
}
