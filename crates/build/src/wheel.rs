//! From an sdist to metadata and to a wheel, through the hooks of its backend.

use std::fs::{self, File};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use pinfold_artifact::{ArchivePath, ArtifactFilename, Limits, Sha256};
use pinfold_packaging::{Metadata, PackageName, Requirement, Version, WheelFilename};
use pinfold_store::Stored;
use pinfold_unpack::{WheelContents, read_wheel};
use sha2::Digest;

use crate::backend::{self, Call, Hook};
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

/// What a backend said of an sdist.
#[derive(Debug, Clone)]
pub struct Learned {
    /// What it needs beyond `[build-system]` to build a wheel.
    pub extra: Vec<Requirement>,
    /// The metadata that a build gives; none where the backend needs more before it can tell.
    pub metadata: Option<BuiltMetadata>,
}

/// Asks the backend what it needs beyond `[build-system]` to build a wheel (`get_requires_for_build_wheel`), and, if that is
/// nothing, for the metadata, as [`metadata_of`] does.
///
/// # Errors
/// If the backend fails or passes a limit, or answers with something that is no requirement, or the metadata is of another
/// project or version.
pub fn learn(
    sdist: &Stored,
    system: &BuildSystem,
    bench: &Workbench,
    expected: &Expected,
) -> Result<Learned, BuildError> {
    let unpack = || Sources::unpack(sdist, &bench.scratch, bench.source_date_epoch);
    let sources = unpack()?;
    let project = sources.project(system.subdirectory.as_ref())?;
    let ask = Call { hook: Hook::Requirements, arguments: &[], sources: &project, room: sources.room() };
    if !backend::can_share_a_start(system) {
        let extra = requirements_in(backend::call(ask, system, bench)?)?;
        drop(sources);
        let metadata = if extra.is_empty() { Some(metadata_of(sdist, system, bench, expected)?) } else { None };
        return Ok(Learned { extra, metadata });
    }
    // Each hook has its own sources: what the first leaves in them is nothing that the second sees.
    let other = unpack()?;
    let (other_project, output) = (other.project(system.subdirectory.as_ref())?, other.output()?);
    let arguments = [output.as_path()];
    let tell = Call { hook: Hook::Metadata, arguments: &arguments, sources: &other_project, room: other.room() };
    let mut answers = backend::call_in_turn(&[ask, tell], system, bench)?.into_iter();
    let extra = requirements_in(answers.next().flatten())?;
    let Some(told) = answers.next().filter(|_| extra.is_empty()) else { return Ok(Learned { extra, metadata: None }) };
    Ok(Learned { extra, metadata: Some(metadata_in(told, &output, sdist, system, bench, expected)?) })
}

fn requirements_in(answer: Option<serde_json::Value>) -> Result<Vec<Requirement>, BuildError> {
    let Some(answer) = answer else { return Ok(Vec::new()) };
    let texts: Vec<String> =
        serde_json::from_value(answer).map_err(|_| bad_answer(Hook::Requirements, "no list of requirements"))?;
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
    let sources = Sources::unpack(sdist, &bench.scratch, bench.source_date_epoch)?;
    let (project, output) = (sources.project(system.subdirectory.as_ref())?, sources.output()?);
    let call = Call { hook: Hook::Metadata, arguments: &[&output], sources: &project, room: sources.room() };
    let answer = backend::call(call, system, bench)?;
    metadata_in(answer, &output, sdist, system, bench, expected)
}

/// Reads the metadata that a hook wrote into `output`, or where the backend has no such hook, builds the wheel.
fn metadata_in(
    answer: Option<serde_json::Value>,
    output: &Path,
    sdist: &Stored,
    system: &BuildSystem,
    bench: &Workbench,
    expected: &Expected,
) -> Result<BuiltMetadata, BuildError> {
    let bytes = match answer {
        Some(answer) => {
            let name = file_name(Hook::Metadata, answer)?;
            if !name.ends_with(".dist-info") {
                return Err(bad_answer(Hook::Metadata, "no `.dist-info` directory"));
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
    let project = sources.project(system.subdirectory.as_ref())?;
    let call = Call { hook, arguments: &[&output], sources: &project, room: sources.room() };
    let answer = backend::call(call, system, bench)?;
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
