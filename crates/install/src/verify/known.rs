//! What sources were found to compile to: a digest of the code for each source, level and way of compiling, kept beside the
//! store, so that a module is compiled once and not at every `verify`. Nothing in it depends on an environment.
//!
//! It is as trustworthy as the store: a directory that others may write to is not used, and a file that is not exactly what
//! was written counts as none. It can always be thrown away.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pinfold_artifact::Sha256;

use crate::Interpreter;
use crate::receipt::digest;

/// What is compiled: a source, by its digest, at a level of optimisation, with or without columns in the table of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) source: Sha256,
    pub(crate) level: u8,
    pub(crate) way: Way,
}

/// How an interpreter was told to compile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    /// `-X no_debug_ranges`, since 3.11.
    NoColumns,
    /// As it does by itself.
    Usual,
}

/// Digests of code by what they were compiled from, for one interpreter.
#[derive(Debug, Default)]
pub(crate) struct Known {
    path: Option<PathBuf>,
    /// The interpreter's magic number, once it was asked.
    pub(crate) magic: Option<[u8; 4]>,
    made: BTreeMap<Key, Option<Sha256>>,
    has_news: bool,
}

impl Known {
    /// Reads what is known of an interpreter. `directory` is private, or nothing is read or kept.
    pub(crate) fn read(directory: Option<&Path>, interpreter: &Interpreter) -> Self {
        let identity =
            format!("{}\n{}\n{:?}", interpreter.base_executable.display(), interpreter.version, interpreter.stamp);
        let name = digest(identity.as_bytes()).to_string();
        let path = directory.filter(|directory| is_private(directory)).map(|directory| directory.join(name));
        let bytes = path.as_ref().and_then(|path| std::fs::read(path).ok()).unwrap_or_default();
        let known = Self { path, ..Self::default() };
        match Self::parse(&bytes) {
            Some(read) => Self { path: known.path, ..read },
            None => known,
        }
    }

    /// Returns the digest of the code; the inner none says that it cannot be compiled.
    pub(crate) fn code(&self, key: &Key) -> Option<Option<Sha256>> {
        self.made.get(key).copied()
    }

    /// Adds what an interpreter said that a source compiles to, and its magic number.
    pub(crate) fn insert(&mut self, key: Key, magic: [u8; 4], code: Option<Sha256>) {
        self.magic = Some(magic);
        self.made.insert(key, code);
        self.has_news = true;
    }

    /// Keeps what is new. What cannot be kept is found out again.
    pub(crate) fn keep(&self) {
        let (Some(path), Some(magic), true) = (&self.path, self.magic, self.has_news) else { return };
        let beside = path.with_extension(std::process::id().to_string());
        let written = std::fs::write(&beside, self.to_bytes(magic)).and_then(|()| std::fs::rename(&beside, path));
        if written.is_err() {
            let _ = std::fs::remove_file(&beside);
        }
    }

    fn to_bytes(&self, magic: [u8; 4]) -> Vec<u8> {
        let mut body = Vec::with_capacity(4 + self.made.len() * RECORD_BYTES);
        body.extend_from_slice(&magic);
        for (key, code) in self.made.iter().take(RECORDS) {
            body.extend_from_slice(key.source.as_bytes());
            body.push(key.level << 1 | u8::from(key.way == Way::NoColumns));
            body.push(u8::from(code.is_some()));
            body.extend_from_slice(code.as_ref().map_or(&[0; 32], |code| code.as_bytes()));
        }
        [MAGIC, digest(&body).as_bytes(), &body].concat()
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (sum, body) = bytes.strip_prefix(MAGIC)?.split_first_chunk::<32>()?;
        if digest(body).as_bytes() != sum {
            return None;
        }
        let (magic, records) = body.split_first_chunk::<4>()?;
        let record = |record: &[u8]| {
            let (source, rest) = record.split_first_chunk::<32>()?;
            let (&[kind, has_code], rest) = rest.split_first_chunk::<2>()?;
            let code: [u8; 32] = rest.try_into().ok()?;
            let way = if kind & 1 == 1 { Way::NoColumns } else { Way::Usual };
            let key = Key { source: Sha256::from_bytes(*source), level: kind >> 1, way };
            Some((key, (has_code == 1).then(|| Sha256::from_bytes(code))))
        };
        let made = records.chunks_exact(RECORD_BYTES).filter_map(record).collect();
        Some(Self { path: None, magic: Some(*magic), made, has_news: false })
    }
}

/// Makes the directory for this user alone; false if it cannot be, or others may write there.
fn is_private(directory: &Path) -> bool {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let Ok(metadata) = builder.create(directory).and_then(|()| std::fs::symlink_metadata(directory)) else {
        return false;
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        if metadata.uid() != rustix::process::geteuid().as_raw() || metadata.mode() & 0o022 != 0 {
            return false;
        }
    }
    metadata.is_dir()
}

/// Names the form: another form, or another way to find out, gets another line. The first one took an interpreter that was
/// killed for one that says that a source cannot be compiled.
const MAGIC: &[u8] = b"pinfold-code-2\n";
const RECORD_BYTES: usize = 32 + 2 + 32;
/// More modules than any machine's environments have together.
const RECORDS: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_wrote_and_nothing_else() {
        let key = |byte: u8, level, way| Key { source: Sha256::from_bytes([byte; 32]), level, way };
        let (mut known, magic) = (Known::default(), [1, 2, 13, 10]);
        known.insert(key(1, 0, Way::Usual), magic, Some(Sha256::from_bytes([9; 32])));
        known.insert(key(1, 2, Way::NoColumns), magic, Some(Sha256::from_bytes([8; 32])));
        known.insert(key(2, 0, Way::Usual), magic, None);
        let bytes = known.to_bytes([1, 2, 13, 10]);
        let read = Known::parse(&bytes).unwrap();
        assert_eq!((read.magic, &read.made), (Some([1, 2, 13, 10]), &known.made));
        for position in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[position] ^= 1;
            assert!(Known::parse(&damaged).is_none(), "{position}");
        }
        assert!(Known::parse(b"").is_none());
    }

    #[cfg(unix)]
    #[test]
    fn a_directory_that_others_may_write_to_is_not_used() {
        use std::os::unix::fs::PermissionsExt as _;
        let home = tempfile::tempdir().unwrap();
        let own = home.path().join("own");
        assert!(is_private(&own) && is_private(&own));
        std::fs::set_permissions(&own, std::fs::Permissions::from_mode(0o777)).unwrap();
        assert!(!is_private(&own));
    }
}
