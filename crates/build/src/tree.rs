//! A source tree as one archive with one digest: what a lock pins of a directory or of a commit.
//!
//! The archive depends on the names, contents and execute bits of the files, and on nothing else. A directory is read as it
//! lies there, without what tools leave in it ([`is_left_out`]); no ignore file is obeyed, because what is not in the archive
//! cannot be noticed when it changes. Links to files of the tree are kept; any other link would mean something else elsewhere.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

use pinfold_artifact::{ArchivePath, ArchivePathError, Limits, Sha256};
use pinfold_unpack::sdist::Packer;
use sha2::Digest;

/// A source tree, packed.
#[derive(Debug)]
pub struct PackedTree {
    /// The archive, positioned at its beginning.
    pub file: File,
    /// Its size.
    pub size_bytes: u64,
    /// Its digest.
    pub sha256: Sha256,
}

/// Why a source tree cannot be packed.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// There is nothing in it.
    #[error("there is no file in it")]
    Empty,
    /// A file could not be read, or the archive not be written.
    #[error("{doing} `{}` failed", path.display())]
    Io {
        /// What was done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A link that does not point at a file of the tree.
    #[error("`{path}` is a link to `{target}`, which is no file of the same tree")]
    Link {
        /// The link.
        path: ArchivePath,
        /// What it points at, escaped and cut.
        target: String,
    },
    /// A name that cannot be used on every system.
    #[error("a file has a name that cannot be packed")]
    Name(#[from] ArchivePathError),
    /// A device, a pipe or a socket.
    #[error("`{path}` is neither a file nor a directory nor a link")]
    Special {
        /// The path.
        path: String,
    },
    /// Too many files, or too many bytes.
    #[error("it is too large: {found} {what}, the limit is {limit}")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much there is.
        found: u64,
        /// How much is allowed.
        limit: u64,
    },
}

/// What is at one path of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TreeEntry<T> {
    /// A file; `contents` says where its bytes are.
    File {
        /// Whether it may be executed.
        is_executable: bool,
        /// Its size.
        size_bytes: u64,
        /// Where its bytes are.
        contents: T,
    },
    /// A symbolic link.
    Link {
        /// What it points at, as it is written.
        target: String,
    },
}

/// Packs a tree. `read` returns the bytes of a file; it is asked in ascending order of the paths.
///
/// # Errors
/// [`TreeError`]; nothing of the archive is to be used then.
pub fn pack<T>(
    entries: &BTreeMap<ArchivePath, TreeEntry<T>>,
    archive: File,
    mut read: impl FnMut(&ArchivePath, &T) -> Result<Vec<u8>, TreeError>,
) -> Result<PackedTree, TreeError> {
    check(entries)?;
    let failed = |source| TreeError::Io { doing: "packing", path: PathBuf::from("the source tree"), source };
    let sink = Hashed { file: BufWriter::new(archive), hasher: sha2::Sha256::new(), size_bytes: 0 };
    let mut packer = Packer::new(sink).map_err(failed)?;
    for (path, entry) in entries {
        match entry {
            TreeEntry::File { is_executable, contents, .. } => {
                packer.file(path, *is_executable, &read(path, contents)?).map_err(failed)?;
            }
            TreeEntry::Link { target } => packer.link(path, target).map_err(failed)?,
        }
    }
    let Hashed { file, hasher, size_bytes } = packer.finish().map_err(failed)?;
    let mut file = file.into_inner().map_err(|error| failed(error.into_error()))?;
    file.rewind().map_err(failed)?;
    Ok(PackedTree { file, size_bytes, sha256: Sha256::from_bytes(hasher.finalize().into()) })
}

/// Packs a directory.
///
/// # Errors
/// As [`pack`].
pub fn pack_directory(directory: &Path, archive: File) -> Result<PackedTree, TreeError> {
    let mut entries = BTreeMap::new();
    list(directory, "", &mut entries)?;
    pack(&entries, archive, |path, (place, size_bytes)| {
        let failed = |source| TreeError::Io { doing: "reading", path: place.clone(), source };
        let mut bytes = Vec::new();
        File::open(place).and_then(|file| file.take(size_bytes + 1).read_to_end(&mut bytes)).map_err(failed)?;
        if bytes.len() as u64 == *size_bytes {
            return Ok(bytes);
        }
        Err(failed(io::Error::other(format!("`{path}` changed while it was read"))))
    })
}

/// Returns true for what tools leave in a source tree: version control, bytecode, environments, caches, what builds make, and
/// the lock itself. Directories with a `pyvenv.cfg` are left out, too: they are environments of another name.
pub fn is_left_out(name: &str, is_directory: bool, is_at_top: bool) -> bool {
    if is_directory {
        return LEFT_OUT.contains(&name)
            || name.starts_with(".pinfold")
            || name.ends_with(".egg-info")
            || (is_at_top && ["build", "dist"].contains(&name));
    }
    [".pyc", ".pyo"].iter().any(|ending| name.ends_with(ending))
        || [".DS_Store", ".git"].contains(&name)
        || (is_at_top && name.starts_with("pylock.") && name.ends_with(".toml"))
}

/// Directories that are left out wherever they are.
const LEFT_OUT: [&str; 14] = [
    ".bzr",
    ".eggs",
    ".git",
    ".hg",
    ".mypy_cache",
    ".nox",
    ".pytest_cache",
    ".ruff_cache",
    ".svn",
    ".tox",
    ".venv",
    "__pycache__",
    "node_modules",
    "venv",
];

/// Where a file of a directory is, and how many bytes it had when it was listed.
type Place = (PathBuf, u64);

fn list(
    directory: &Path,
    prefix: &str,
    entries: &mut BTreeMap<ArchivePath, TreeEntry<Place>>,
) -> Result<(), TreeError> {
    let failed = |source| TreeError::Io { doing: "listing", path: directory.to_owned(), source };
    for entry in fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let place = entry.path();
        let name = entry.file_name();
        let Some(name) = name.to_str() else {
            let path = name.to_string_lossy().escape_debug().to_string();
            return Err(ArchivePathError::Character { found: "a byte that is no UTF-8".to_owned(), path }.into());
        };
        let kind = fs::symlink_metadata(&place).map_err(failed)?;
        if is_left_out(name, kind.is_dir(), prefix.is_empty()) {
            continue;
        }
        let path = format!("{prefix}{name}");
        if kind.is_dir() && place.join("pyvenv.cfg").is_file() {
            continue;
        }
        if kind.is_dir() {
            list(&place, &format!("{path}/"), entries)?;
            continue;
        }
        let parsed: ArchivePath = path.parse()?;
        let found = if kind.is_symlink() {
            let target = fs::read_link(&place).map_err(failed)?;
            TreeEntry::Link { target: target.to_string_lossy().replace('\\', "/") }
        } else if kind.is_file() {
            TreeEntry::File {
                is_executable: is_executable(&kind),
                size_bytes: kind.len(),
                contents: (place, kind.len()),
            }
        } else {
            return Err(TreeError::Special { path });
        };
        entries.insert(parsed, found);
        if entries.len() > Limits::ARCHIVE_MEMBERS {
            return Err(too_many(entries.len()));
        }
    }
    Ok(())
}

#[cfg(unix)]
fn is_executable(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o111 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &fs::Metadata) -> bool {
    false
}

fn too_many(found: usize) -> TreeError {
    TreeError::TooLarge { what: "files", found: found as u64, limit: Limits::ARCHIVE_MEMBERS as u64 }
}

fn check<T>(entries: &BTreeMap<ArchivePath, TreeEntry<T>>) -> Result<(), TreeError> {
    if entries.is_empty() {
        return Err(TreeError::Empty);
    }
    if entries.len() > Limits::ARCHIVE_MEMBERS {
        return Err(too_many(entries.len()));
    }
    let mut bytes = 0_u64;
    for (path, entry) in entries {
        match entry {
            TreeEntry::File { size_bytes, .. } => bytes = bytes.saturating_add(*size_bytes),
            TreeEntry::Link { target } => {
                let found = resolve(path, target).and_then(|target| entries.get(&target));
                if !matches!(found, Some(TreeEntry::File { .. })) {
                    let target = pinfold_artifact::shown(target, 120);
                    return Err(TreeError::Link { path: path.clone(), target });
                }
            }
        }
    }
    if bytes > Limits::SOURCE_TREE_BYTES {
        return Err(TreeError::TooLarge { what: "bytes", found: bytes, limit: Limits::SOURCE_TREE_BYTES });
    }
    Ok(())
}

/// Follows a link's text from its directory, never above the root of the tree.
fn resolve(link: &ArchivePath, target: &str) -> Option<ArchivePath> {
    let parent = link.parent();
    let mut segments: Vec<&str> = parent.as_ref().map(|parent| parent.segments().collect()).unwrap_or_default();
    for segment in target.split('/') {
        match segment {
            "." => {}
            ".." => drop(segments.pop()?),
            other => segments.push(other),
        }
    }
    segments.join("/").parse().ok()
}

/// Hashes and counts what is written.
struct Hashed {
    file: BufWriter<File>,
    hasher: sha2::Sha256,
    size_bytes: u64,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        self.size_bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use pinfold_testkit::TempHome;

    use super::*;

    fn packed(home: &TempHome) -> Result<PackedTree, TreeError> {
        pack_directory(&home.project(), tempfile::tempfile().unwrap())
    }

    fn digest(home: &TempHome) -> Sha256 {
        packed(home).unwrap().sha256
    }

    #[test]
    fn the_digest_depends_on_names_contents_and_execute_bits_only() {
        let home = TempHome::new();
        home.write("b/x.py", "x");
        home.write("a.py", "y");
        let first = digest(&home);
        let other = TempHome::new();
        other.write("a.py", "y");
        other.write("b/x.py", "x");
        assert_eq!(digest(&other), first);
        for left_out in
            ["__pycache__/x.cpython-310.pyc", ".git/HEAD", "b/.tox/x", "a.egg-info/PKG-INFO", "build/x", "pylock.toml"]
        {
            home.write(left_out, "z");
            assert_eq!(digest(&home), first, "{left_out}");
        }
        for (path, contents) in [("b/build/x", "z"), ("a.py", "z"), ("b/pylock.toml", "z"), (".hidden", "")] {
            let before = digest(&home);
            home.write(path, contents);
            assert_ne!(digest(&home), before, "{path}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_stay_inside_and_point_at_files() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let home = TempHome::new();
        home.write("d/a.py", "y");
        let first = digest(&home);
        fs::set_permissions(home.project().join("d/a.py"), fs::Permissions::from_mode(0o755)).unwrap();
        assert_ne!(digest(&home), first);
        let link = home.project().join("d/link");
        symlink("../d/a.py", &link).unwrap();
        assert!(packed(&home).is_ok());
        for target in ["/etc/passwd", "../../outside", "missing", "../d"] {
            fs::remove_file(&link).unwrap();
            symlink(target, &link).unwrap();
            assert!(matches!(packed(&home), Err(TreeError::Link { .. })), "{target}");
        }
    }

    #[test]
    fn an_empty_directory_is_no_tree() {
        assert!(matches!(packed(&TempHome::new()), Err(TreeError::Empty)));
    }
}
