//! A wheel as the specification describes it: one `.dist-info`, a WHEEL that is understood, a RECORD that agrees with
//! the members both ways, `.data` directories with known schemes.

use std::io::{Read, Seek};

use pinfold_artifact::{ArchivePath, Sha256};

use crate::{ArchiveError, EntryPoints, Hazard, Member};

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
    let _ = (archive, expected_name, expected_version);
    todo!()
}
