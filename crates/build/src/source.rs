//! The sources of an sdist as files in a directory of their own.

use std::fs::{self, File, FileTimes, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use pinfold_artifact::ArchivePath;
use pinfold_store::Stored;
use pinfold_unpack::sdist::{Entry, EntryKind, Format};
use pinfold_unpack::{ArchiveError, sdist};
use tempfile::TempDir;

use crate::BuildError;

/// A directory that is removed when it goes out of scope, with the unpacked sdist in it.
pub(crate) struct Sources {
    /// Keeps the directory until then.
    #[expect(dead_code, reason = "dropping it removes the directory")]
    room: TempDir,
    root: PathBuf,
    top: PathBuf,
}

impl Sources {
    /// Unpacks an sdist below `scratch`. Every file gets the same time, so that backends that copy times into archives
    /// write the same ones each time.
    pub(crate) fn unpack(stored: &Stored, scratch: &Path, epoch: u64) -> Result<Self, BuildError> {
        let room = tempfile::Builder::new().prefix("build-").tempdir_in(scratch);
        let room = room.map_err(BuildError::io("making a directory in", scratch))?;
        let root = pinfold_sandbox::canonicalize(room.path()).map_err(BuildError::io("finding", room.path()))?;
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(epoch);
        let mut archive = Archive::open(stored)?;
        let unpacked =
            sdist::unpack(&mut archive.file, archive.format, &mut |entry, reader| place(&root, entry, reader, time));
        let top = unpacked.map_err(|source| archive.refused(source))?;
        Ok(Self { top: root.join(top), root, room })
    }

    /// Returns the directory of the project: the top-level one of the sources, or one below it.
    pub(crate) fn project(&self, subdirectory: Option<&ArchivePath>) -> Result<PathBuf, BuildError> {
        let project = subdirectory.map_or_else(|| self.top.clone(), |subdirectory| below(&self.top, subdirectory));
        if project.is_dir() {
            return Ok(project);
        }
        let problem = format!("there is no directory `{}`", subdirectory.map_or(".", |path| path.as_str()));
        Err(BuildError::Malformed { what: "the sources".to_owned(), problem })
    }

    /// Makes an empty directory for what a hook writes.
    pub(crate) fn output(&self) -> Result<PathBuf, BuildError> {
        // Beside the sources, whose name the sdist chose: it cannot be this one, which is no project's.
        let path = self.room().join("-output");
        fs::create_dir(&path).map_err(BuildError::io("making", &path))?;
        Ok(path)
    }

    /// Returns the directory around it, which is removed with it.
    pub(crate) fn room(&self) -> &Path {
        &self.root
    }
}

/// The archive of an sdist, opened.
pub(crate) struct Archive {
    pub(crate) file: File,
    pub(crate) format: Format,
    name: String,
}

impl Archive {
    pub(crate) fn open(stored: &Stored) -> Result<Self, BuildError> {
        let mut file = stored.open().map_err(BuildError::Store)?;
        let mut magic = Vec::new();
        file.by_ref().take(4).read_to_end(&mut magic).map_err(BuildError::io("reading", stored.path()))?;
        // Both formats are refused unless they begin at byte 0, so no file is both.
        let format = if magic.starts_with(b"PK") { Format::Zip } else { Format::TarGz };
        Ok(Self { file, format, name: format!("sdist {}", stored.sha256().short()) })
    }

    pub(crate) fn refused(&self, source: ArchiveError) -> BuildError {
        BuildError::Archive { what: self.name.clone(), source }
    }
}

fn place(root: &Path, entry: &Entry, reader: &mut dyn Read, time: SystemTime) -> io::Result<()> {
    let path = below(root, &entry.path);
    match &entry.kind {
        EntryKind::Directory => fs::create_dir_all(&path),
        EntryKind::File { executable, .. } => {
            let mut file = create(&path)?;
            io::copy(reader, &mut file)?;
            file.set_times(FileTimes::new().set_modified(time).set_accessed(time))?;
            if *executable { make_executable(&file) } else { Ok(()) }
        }
        EntryKind::LinkedFile { target } => {
            let mut source = File::open(below(root, target))?;
            let mut file = create(&path)?;
            io::copy(&mut source, &mut file)?;
            file.set_times(FileTimes::new().set_modified(time).set_accessed(time))?;
            file.set_permissions(source.metadata()?.permissions())
        }
    }
}

/// Joins segment by segment: the path is below `root` because every segment is plain.
fn below(root: &Path, path: &ArchivePath) -> PathBuf {
    path.segments().fold(root.to_owned(), |mut joined, segment| {
        joined.push(segment);
        joined
    })
}

fn create(path: &Path) -> io::Result<File> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    OpenOptions::new().write(true).create_new(true).open(path)
}

#[cfg(unix)]
fn make_executable(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn make_executable(_: &File) -> io::Result<()> {
    Ok(())
}
