//! What an install wrote: the receipt, in two files.
//!
//! `receipt.json` is small: who, what, from where, for which lock. A sync with nothing to do reads only this. `files.json`
//! lists every path with size and SHA-256; its digest is in the receipt, and `verify` reads it. Both are sorted, so the
//! same install writes the same bytes.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Write};
use std::path::Path;

use pinfold_artifact::{ArchivePath, ArtifactFilename, SafeUrl, Sha256};
use pinfold_packaging::{ExtraName, GroupName, PackageName, Version};
use serde::{Deserialize, Serialize};

use crate::disk::{self, Contents, Kind, Opened};
use crate::memo::Memo;
use crate::{Bytecode, Environment, InstallError, Interpreter, LinkMode, LockAsOf, Relocation};

/// The header of a receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// The version of this format: [`Receipt::SCHEMA`].
    pub schema: u32,
    /// The generation's number; a later one is larger.
    pub generation: u64,
    /// When it was made, as the caller said (RFC 3339).
    pub installed_at: String,
    /// Where the environment is, or was when it was made, absolute.
    pub venv: String,
    /// Whether it may be moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relocation: Option<Relocation>,
    /// Digest of the lock's bytes.
    pub lock_sha256: Sha256,
    /// The state of the index that the lock is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock_as_of: Option<LockAsOf>,
    /// The extras that were asked for.
    pub extras: BTreeSet<ExtraName>,
    /// The dependency groups that were asked for.
    pub groups: BTreeSet<GroupName>,
    /// How files came from the store.
    pub link_mode: LinkMode,
    /// Whether modules were compiled.
    #[serde(default, skip_serializing_if = "Bytecode::is_left")]
    pub bytecode: Bytecode,
    /// The interpreter that it was made for.
    pub interpreter: Interpreter,
    /// Number of files and links.
    pub file_count: u64,
    /// Their bytes.
    pub total_bytes: u64,
    /// Digest of `files.json`.
    pub files_sha256: Sha256,
    /// What is installed, sorted by name.
    pub distributions: Vec<InstalledDistribution>,
}

/// One installed distribution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstalledDistribution {
    /// The project's name.
    pub name: PackageName,
    /// The version.
    pub version: Version,
    /// The locked file.
    pub filename: ArtifactFilename,
    /// Where it came from.
    pub url: SafeUrl,
    /// The index that it belongs to; for a direct URL, that URL.
    pub index: SafeUrl,
    /// What its `direct_url.json` says, if it was asked for by URL, path or repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direct_url: Option<String>,
    /// The locked size.
    pub size_bytes: u64,
    /// The locked digest.
    pub sha256: Sha256,
    /// The digest of the wheel that was unpacked; another than `sha256` if it was built from an sdist.
    pub wheel_sha256: Sha256,
}

/// `files.json`: everything in the environment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptFiles {
    /// The files, sorted by path.
    pub files: Vec<InstalledFile>,
    /// The links, sorted by path.
    pub links: Vec<InstalledLink>,
}

/// One installed file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstalledFile {
    /// Its path inside the environment.
    pub path: ArchivePath,
    /// Its size.
    pub size: u64,
    /// Its digest.
    pub sha256: Sha256,
    /// Whether it may be executed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub executable: bool,
    /// Its owners, by position in the receipt's distributions; none: the environment itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<u32>,
}

/// One symbolic link that the environment itself has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstalledLink {
    /// Its path inside the environment.
    pub path: ArchivePath,
    /// What it points at.
    pub target: String,
}

impl Receipt {
    /// The schema that this pinfold writes and reads.
    pub const SCHEMA: u32 = 1;
    /// No environment is changed so often. Stops a number after which there is none.
    pub(crate) const LAST_GENERATION: u64 = u32::MAX as u64;

    /// Reads the header of the receipt of the environment in a directory; none if there is none.
    ///
    /// # Errors
    /// [`InstallError::Receipt`] if it cannot be understood.
    pub fn read(venv: &Path) -> Result<Option<Self>, InstallError> {
        open(venv)?.map_or(Ok(None), |venv| Self::read_in(&venv))
    }

    /// As [`Receipt::read`], of the environment in an open directory.
    pub(crate) fn read_in(venv: &Opened) -> Result<Option<Self>, InstallError> {
        let path = venv.path.join(RECEIPT_DIRECTORY).join(RECEIPT_FILE);
        let Some(bytes) = read_bounded(venv, RECEIPT_FILE, RECEIPT_BYTES)? else {
            return Ok(None);
        };
        static MEMO: Memo<Receipt> = Memo::new();
        MEMO.read(&bytes, Self::from_bytes).map(Some).map_err(|reason| InstallError::Receipt { path, reason })
    }

    /// Reads the header, or says why it cannot be understood.
    fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let receipt: Self =
            serde_json::from_slice(bytes).map_err(|error| other_schema(bytes).unwrap_or_else(|| error.to_string()))?;
        if receipt.generation > Self::LAST_GENERATION {
            return Err(format!("its generation is {}, none is above {}", receipt.generation, Self::LAST_GENERATION));
        }
        if receipt.schema == Self::SCHEMA {
            return Ok(receipt);
        }
        Err(format!("its schema is {}, this pinfold reads {}", receipt.schema, Self::SCHEMA))
    }

    /// Returns whether the environment may be moved.
    pub fn relocation(&self) -> Relocation {
        self.relocation.unwrap_or_default()
    }

    /// Returns true if the environment may be moved, and was made in another place than where it is.
    pub(crate) fn was_moved_to(&self, environment: &Environment) -> bool {
        self.relocation() == Relocation::Relocatable && Path::new(&self.venv) != environment.venv()
    }

    /// Returns the text of the receipt.
    pub(crate) fn to_text(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }
}

/// What a receipt says of how its generation was built. It is found out without reading the rest, which takes longer.
#[derive(Debug, Deserialize)]
pub(crate) struct Manner {
    schema: u32,
    pub(crate) link_mode: LinkMode,
    pub(crate) interpreter: Interpreter,
}

impl Manner {
    /// Reads it from the receipt of the environment in an open directory; none if there is none that can be read.
    pub(crate) fn read_in(venv: &Opened) -> Option<Self> {
        let bytes = read_bounded(venv, RECEIPT_FILE, RECEIPT_BYTES).ok().flatten()?;
        let manner: Self = serde_json::from_slice(&bytes).ok()?;
        (manner.schema == Receipt::SCHEMA).then_some(manner)
    }
}

impl ReceiptFiles {
    /// Reads the list of files of the environment in a directory, with the digest of its text; none if there is none.
    pub(crate) fn read(venv: &Path) -> Result<Option<(Self, Sha256)>, InstallError> {
        open(venv)?.map_or(Ok(None), |venv| Self::read_in(&venv))
    }

    /// As [`ReceiptFiles::read`], of the environment in an open directory.
    pub(crate) fn read_in(venv: &Opened) -> Result<Option<(Self, Sha256)>, InstallError> {
        let path = venv.path.join(RECEIPT_DIRECTORY).join(FILES_FILE);
        let Some(bytes) = Self::read_bytes(venv)? else { return Ok(None) };
        let damaged = |e: serde_json::Error| InstallError::Receipt { path: path.clone(), reason: e.to_string() };
        let files = serde_json::from_slice(&bytes).map_err(damaged)?;
        Ok(Some((files, digest(&bytes))))
    }

    /// Reads the text of the list of files of the environment in an open directory; none if there is none.
    pub(crate) fn read_bytes(venv: &Opened) -> Result<Option<Vec<u8>>, InstallError> {
        read_bounded(venv, FILES_FILE, FILES_BYTES)
    }

    /// Returns the text of the list.
    #[cfg(all(test, unix))]
    pub(crate) fn to_bytes(&self) -> std::io::Result<Vec<u8>> {
        let mut text = Vec::new();
        write_list(self.files.iter().map(FileLine::of), &self.links, &mut text).map(|_| text)
    }
}

/// A line of `files.json`: what an [`InstalledFile`] says, wherever it stands.
#[derive(Clone, Copy)]
pub(crate) struct FileLine<'a> {
    pub(crate) path: &'a ArchivePath,
    pub(crate) size: u64,
    pub(crate) sha256: &'a Sha256,
    pub(crate) executable: bool,
    pub(crate) owners: &'a [u32],
}

impl<'a> FileLine<'a> {
    pub(crate) fn of(file: &'a InstalledFile) -> Self {
        let InstalledFile { path, size, sha256, executable, owners } = file;
        Self { path, size: *size, sha256, executable: *executable, owners }
    }

    pub(crate) fn to_file(self) -> InstalledFile {
        let Self { path, size, sha256, executable, owners } = self;
        InstalledFile { path: path.clone(), size, sha256: *sha256, executable, owners: owners.to_vec() }
    }

    /// Writes what serialising the file would write. There is nothing to escape in a path: it holds neither quotation marks
    /// nor backslashes nor control characters.
    fn push(self, text: &mut Vec<u8>) {
        text.extend_from_slice(b"{\"path\":\"");
        text.extend_from_slice(self.path.as_str().as_bytes());
        text.extend_from_slice(b"\",\"size\":");
        push_number(text, self.size);
        text.extend_from_slice(b",\"sha256\":\"");
        text.extend_from_slice(&self.sha256.digits());
        text.push(b'"');
        if self.executable {
            text.extend_from_slice(b",\"executable\":true");
        }
        for (position, owner) in self.owners.iter().enumerate() {
            text.extend_from_slice(if position == 0 { b",\"owners\":[" } else { b"," });
            push_number(text, u64::from(*owner));
        }
        text.extend_from_slice(if self.owners.is_empty() { b"}" } else { b"]}" });
    }
}

/// Writes the decimal digits of a number: it is done for every file, twice.
pub(crate) fn push_number(text: &mut Vec<u8>, mut number: u64) {
    let mut digits = [b'0'; 20];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] += (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return text.extend_from_slice(&digits[first..]);
        }
    }
}

/// Writes the text of `files.json`, one entry per line, and returns its digest. It is megabytes, so it is written and
/// digested piece by piece.
pub(crate) fn write_list<'a>(
    files: impl Iterator<Item = FileLine<'a>>,
    links: &[InstalledLink],
    list: &mut impl Write,
) -> std::io::Result<Sha256> {
    use sha2::Digest as _;
    let mut sha256 = sha2::Sha256::new();
    let mut text = Vec::with_capacity(PIECE_BYTES + LINE_BYTES);
    text.extend_from_slice(b"{\"files\":[");
    for (position, file) in files.enumerate() {
        text.extend_from_slice(if position == 0 { b"\n" } else { b",\n" });
        file.push(&mut text);
        if text.len() >= PIECE_BYTES {
            sha256.update(&text);
            list.write_all(&text)?;
            text.clear();
        }
    }
    text.extend_from_slice(b"],\n\"links\":[");
    for (position, link) in links.iter().enumerate() {
        text.extend_from_slice(if position == 0 { b"\n" } else { b",\n" });
        serde_json::to_writer(&mut text, link)?;
    }
    text.extend_from_slice(b"]}\n");
    sha256.update(&text);
    list.write_all(&text)?;
    Ok(Sha256::from_bytes(sha256.finalize().into()))
}

/// Says so if a receipt is of another schema: its keys are then others too.
fn other_schema(bytes: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Schema {
        schema: u32,
    }
    let Schema { schema } = serde_json::from_slice(bytes).ok()?;
    (schema != Receipt::SCHEMA).then(|| format!("its schema is {schema}, this pinfold reads {}", Receipt::SCHEMA))
}

/// Opens the directory of an environment; none if there is none.
fn open(venv: &Path) -> Result<Option<Opened>, InstallError> {
    match Opened::at(venv) {
        Ok(opened) => Ok(Some(opened)),
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(e) => Err(InstallError::io("open", venv)(e)),
    }
}

/// Reads a regular file of the receipt, through no link; none if it does not exist.
fn read_bounded(venv: &Opened, name: &str, limit: u64) -> Result<Option<Vec<u8>>, InstallError> {
    let directory = venv.path.join(RECEIPT_DIRECTORY);
    let path = directory.join(name);
    let damaged = |reason: &str| Err(InstallError::Receipt { path: path.clone(), reason: reason.to_owned() });
    let opened = match venv.directory.open_in(RECEIPT_DIRECTORY) {
        Ok(opened) => opened,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) if e.kind() == ErrorKind::NotADirectory => {
            let is_link = venv.directory.facts(RECEIPT_DIRECTORY).is_ok_and(|facts| facts.kind == Kind::Link);
            return if is_link { damaged("its directory is a link") } else { Ok(None) };
        }
        Err(e) => return Err(InstallError::io("open", &directory)(e)),
    };
    match disk::read_own(&opened, name, limit).map_err(InstallError::io("read", &path))? {
        Contents::Bytes(bytes) => Ok(Some(bytes)),
        Contents::Gone => Ok(None),
        Contents::Irregular => damaged("it is no regular file"),
        Contents::TooLarge => damaged("it is too large"),
    }
}

/// Returns the SHA-256 of bytes.
pub(crate) fn digest(bytes: &[u8]) -> Sha256 {
    use sha2::Digest as _;
    Sha256::from_bytes(sha2::Sha256::digest(bytes).into())
}

/// The directory inside an environment that holds its receipt.
pub(crate) const RECEIPT_DIRECTORY: &str = ".pinfold";
/// The header.
pub(crate) const RECEIPT_FILE: &str = "receipt.json";
/// The list of files.
pub(crate) const FILES_FILE: &str = "files.json";
/// What the file system said of them.
pub(crate) const STAMPS_FILE: &str = "stamps";
/// What is written at once of the list, and more than most of its lines take.
const PIECE_BYTES: usize = 128 << 10;
const LINE_BYTES: usize = 1 << 10;
/// Stops a gigantic header.
const RECEIPT_BYTES: u64 = 64 << 20;
/// Stops a gigantic list.
const FILES_BYTES: u64 = 1 << 30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_what_serialising_the_file_gives() {
        for path in ["a.py", "lib/python3.10/site-packages/a b/é+['x'].py", "a/\u{2028}{}#&.txt"] {
            for (executable, owners) in [(false, vec![]), (true, vec![0]), (false, vec![1, 127, u32::MAX])] {
                let path = path.parse().unwrap();
                let file = InstalledFile { path, size: u64::MAX, sha256: digest(b"x"), executable, owners };
                let mut line = Vec::new();
                FileLine::of(&file).push(&mut line);
                assert_eq!(str::from_utf8(&line).unwrap(), serde_json::to_string(&file).unwrap());
                assert_eq!(FileLine::of(&file).to_file(), file);
            }
        }
        for unspeakable in ['"', '\\', '\n', '\u{1}', '\u{7f}', '\u{85}'] {
            assert!(format!("a{unspeakable}b").parse::<ArchivePath>().is_err());
        }
    }
}
