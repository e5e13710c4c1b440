//! From an sdist to metadata and to a wheel, through the hooks of its backend.

use std::fs::{self, File};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use pinfold_artifact::{ArchivePath, ArtifactFilename, Limits, Sha256};
use pinfold_packaging::{Metadata, PackageName, Requirement, Version, WheelFilename};
use pinfold_store::Stored;
use pinfold_unpack::{WheelContents, read_wheel};
use sha2::Digest;

use crate::backend::{self, Hook};
use crate::requirements::parse_requires;
use crate::source::Sources;
use crate::{BuildError, BuildSystem, Workbench};

/// What must come out of a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// The project's name.
    pub name: PackageName,
    /// The version; none while locking sources that no name tells it of.
    pub version: Option<Version>,
    /// The digest of the METADATA; none while locking, when it is found out.
    pub metadata: Option<Sha256>,
}

/// A wheel that was built, read strictly, and is what was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    filename: ArtifactFilename,
    path: PathBuf,
    sha256: Sha256,
    size_bytes: u64,
    metadata_sha256: Sha256,
}

/// The metadata that a build gives.
#[derive(Debug, Clone)]
pub struct BuiltMetadata {
    /// The METADATA file.
    pub bytes: Vec<u8>,
    /// The digest of these bytes.
    pub sha256: Sha256,
    /// What it says.
    pub metadata: Metadata,
}

impl Built {
    /// Returns the wheel's file name.
    pub const fn filename(&self) -> &ArtifactFilename {
        &self.filename
    }

    /// Returns where the wheel is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the wheel's digest.
    pub const fn sha256(&self) -> &Sha256 {
        &self.sha256
    }

    /// Returns the wheel's size.
    pub const fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Returns the digest of the wheel's METADATA.
    pub const fn metadata_sha256(&self) -> &Sha256 {
        &self.metadata_sha256
    }
}

/// Asks the backend what it needs beyond `[build-system]` to build a wheel (`get_requires_for_build_wheel`).
///
/// # Errors
/// If the backend fails or passes a limit, or answers with something that is no requirement.
pub fn extra_requirements(
    sdist: &Stored,
    system: &BuildSystem,
    bench: &Workbench,
) -> Result<Vec<Requirement>, BuildError> {
    let hook = Hook::Requirements;
    let sources = Sources::unpack(sdist, &bench.scratch, bench.source_date_epoch)?;
    let Some(answer) =
        backend::call(hook, &[], system, &sources.project(system.subdirectory.as_ref())?, sources.room(), bench)?
    else {
        return Ok(Vec::new());
    };
    let texts: Vec<String> = serde_json::from_value(answer).map_err(|_| bad_answer(hook, "no list of requirements"))?;
    parse_requires(&texts)
}

/// Asks the backend for the metadata (`prepare_metadata_for_build_wheel`), or builds the wheel and reads it there.
///
/// # Errors
/// If the backend fails or passes a limit, or the metadata is of another project or version.
pub fn metadata_of(
    sdist: &Stored,
    system: &BuildSystem,
    bench: &Workbench,
    expected: &Expected,
) -> Result<BuiltMetadata, BuildError> {
    let hook = Hook::Metadata;
    let sources = Sources::unpack(sdist, &bench.scratch, bench.source_date_epoch)?;
    let output = sources.output()?;
    let bytes = match backend::call(
        hook,
        &[&output],
        system,
        &sources.project(system.subdirectory.as_ref())?,
        sources.room(),
        bench,
    )? {
        Some(answer) => {
            let name = file_name(hook, answer)?;
            if !name.ends_with(".dist-info") {
                return Err(bad_answer(hook, "no `.dist-info` directory"));
            }
            read_small(&output.join(name).join("METADATA"))?
        }
        None => {
            let sources = Sources::unpack(sdist, &bench.scratch, bench.source_date_epoch)?;
            run_build(&sources, system, bench, expected)?.contents.metadata
        }
    };
    expected.check(&bytes)
}

/// Builds the wheel into the existing directory `destination`.
///
/// # Errors
/// If the backend fails or passes a limit, or the wheel is hostile or not the expected one (SD11).
pub fn build_wheel(
    sdist: &Stored,
    system: &BuildSystem,
    bench: &Workbench,
    expected: &Expected,
    destination: &Path,
) -> Result<Built, BuildError> {
    let sources = Sources::unpack(sdist, &bench.scratch, bench.source_date_epoch)?;
    let Wheel { filename, path, mut file, contents } = run_build(&sources, system, bench, expected)?;
    let metadata = expected.check(&contents.metadata)?;
    // The open file is what was read strictly: it is copied from there, not from its name again.
    file.rewind().map_err(BuildError::io("reading", &path))?;
    let target = destination.join(filename.as_str());
    let (sha256, size_bytes) = copy_hashed(&mut file, &target)?;
    Ok(Built { filename, path: target, sha256, size_bytes, metadata_sha256: metadata.sha256 })
}

/// A wheel as the backend left it, read strictly.
struct Wheel {
    filename: ArtifactFilename,
    path: PathBuf,
    file: File,
    contents: WheelContents,
}

fn run_build(
    sources: &Sources,
    system: &BuildSystem,
    bench: &Workbench,
    expected: &Expected,
) -> Result<Wheel, BuildError> {
    let hook = Hook::Wheel;
    let output = sources.output()?;
    let answer = backend::call(
        hook,
        &[&output],
        system,
        &sources.project(system.subdirectory.as_ref())?,
        sources.room(),
        bench,
    )?;
    let name = file_name(hook, answer.unwrap_or_default())?;
    let filename: ArtifactFilename = name.parse().map_err(|error| bad_answer(hook, &format!("{error}")))?;
    let wheel = WheelFilename::parse(&filename).map_err(|error| bad_answer(hook, &format!("{error}")))?;
    expected.check_identity("wheel", &wheel.name, &wheel.version)?;
    let path = output.join(filename.as_str());
    let mut file = open_plain(&path, Limits::UNKNOWN_SIZE_BYTES)?;
    let contents = read_wheel(&mut file, expected.name.as_str(), &wheel.version.to_string());
    let contents = contents.map_err(|source| BuildError::Archive { what: filename.as_str().to_owned(), source })?;
    Ok(Wheel { filename, path, file, contents })
}

impl Expected {
    /// Checks METADATA against what is expected, by its digest where one is (SD11).
    fn check(&self, bytes: &[u8]) -> Result<BuiltMetadata, BuildError> {
        let sha256 = Sha256::from_bytes(sha2::Sha256::digest(bytes).into());
        let metadata = Metadata::parse(bytes).map_err(|error| BuildError::Malformed {
            what: format!("METADATA of {}", self.name),
            problem: error.to_string(),
        })?;
        self.check_identity("METADATA", &metadata.name, &metadata.version)?;
        match &self.metadata {
            Some(locked) if *locked != sha256 => Err(BuildError::Differs {
                what: "METADATA",
                expected: format!("sha256:{locked}"),
                found: format!("sha256:{sha256}"),
            }),
            _ => Ok(BuiltMetadata { bytes: bytes.to_owned(), sha256, metadata }),
        }
    }

    fn check_identity(&self, what: &'static str, name: &PackageName, version: &Version) -> Result<(), BuildError> {
        if *name == self.name && self.version.as_ref().is_none_or(|expected| expected == version) {
            return Ok(());
        }
        let expected = match &self.version {
            Some(version) => format!("{} {version}", self.name),
            None => self.name.to_string(),
        };
        Err(BuildError::Differs { what, expected, found: format!("{name} {version}") })
    }
}

/// Reads an answer that must be the name of one file or directory.
fn file_name(hook: Hook, answer: serde_json::Value) -> Result<String, BuildError> {
    let serde_json::Value::String(name) = answer else {
        return Err(bad_answer(hook, "no file name"));
    };
    // One plain segment: a hook cannot point outside the directory that it was given.
    match name.parse::<ArchivePath>() {
        Ok(path) if path.parent().is_none() => Ok(name),
        _ => Err(bad_answer(hook, "no plain file name")),
    }
}

fn bad_answer(hook: Hook, problem: &str) -> BuildError {
    BuildError::Malformed { what: format!("the answer of {}", hook.name()), problem: problem.to_owned() }
}

/// Opens a file that a backend wrote: not a link, not bigger than `limit`.
fn open_plain(path: &Path, limit: u64) -> Result<File, BuildError> {
    let kind = fs::symlink_metadata(path).map_err(BuildError::io("finding", path))?;
    if !kind.is_file() || kind.len() > limit {
        let problem = format!("no regular file of at most {limit} bytes");
        return Err(BuildError::Malformed { what: path.display().to_string(), problem });
    }
    File::open(path).map_err(BuildError::io("opening", path))
}

fn read_small(path: &Path) -> Result<Vec<u8>, BuildError> {
    let mut bytes = Vec::new();
    let file = open_plain(path, Limits::METADATA_BYTES)?;
    file.take(Limits::METADATA_BYTES).read_to_end(&mut bytes).map_err(BuildError::io("reading", path))?;
    Ok(bytes)
}

/// Copies a file into a new one and returns digest and size of what was written.
fn copy_hashed(source: &mut File, target: &Path) -> Result<(Sha256, u64), BuildError> {
    let mut file = File::create_new(target).map_err(BuildError::io("making", target))?;
    let mut hasher = sha2::Sha256::new();
    let mut buffer = vec![0; COPY_BYTES];
    let mut size_bytes = 0;
    loop {
        let read = source.read(&mut buffer).map_err(BuildError::io("reading the wheel for", target))?;
        if read == 0 {
            return Ok((Sha256::from_bytes(hasher.finalize().into()), size_bytes));
        }
        hasher.update(&buffer[..read]);
        file.write_all(&buffer[..read]).map_err(BuildError::io("writing", target))?;
        size_bytes += read as u64;
    }
}

const COPY_BYTES: usize = 256 << 10;

#[cfg(test)]
mod tests;
