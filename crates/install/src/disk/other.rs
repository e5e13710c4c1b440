//! A directory by its path, where the standard library has no calls relative to an open one.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, FileType, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::{Facts, Kind};

/// Memory in which a directory is listed: there is none to keep here.
pub(crate) struct Room;

impl Room {
    pub(crate) fn new() -> Self {
        Self
    }
}

/// A directory, by path: this system has no calls relative to a directory in the standard library.
#[derive(Debug)]
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        if fs::symlink_metadata(path)?.is_dir() {
            return Ok(Self(path.to_owned()));
        }
        Err(io::ErrorKind::NotADirectory.into())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn open_in(&self, path: &str) -> io::Result<Self> {
        if path.is_empty() { Ok(Self(self.0.clone())) } else { Self::open(&self.0.join(path)) }
    }

    pub(crate) fn make_directory(&self, path: &str) -> io::Result<()> {
        fs::create_dir(self.0.join(path))
    }

    pub(crate) fn open_to_list(&self, name: &str) -> io::Result<Self> {
        self.open_in(name)
    }

    pub(crate) fn list(&self, _room: &mut Room, see: &mut dyn FnMut(&OsStr, Kind)) -> io::Result<()> {
        self.entries()?.iter().for_each(|(name, kind)| see(name, *kind));
        Ok(())
    }

    pub(crate) fn own_facts(&self) -> io::Result<Facts> {
        self.facts(".")
    }

    pub(crate) fn entries(&self) -> io::Result<Vec<(OsString, Kind)>> {
        let entry = |entry: io::Result<fs::DirEntry>| {
            let entry = entry?;
            Ok((entry.file_name(), kind_of(entry.file_type()?)))
        };
        let mut entries = fs::read_dir(&self.0)?.map(entry).collect::<io::Result<Vec<_>>>()?;
        entries.sort();
        Ok(entries)
    }

    pub(crate) fn read_link(&self, name: &str) -> io::Result<PathBuf> {
        fs::read_link(self.0.join(name))
    }

    pub(crate) fn remove_directory(&self, name: &str) -> io::Result<()> {
        fs::remove_dir(self.0.join(name))
    }

    pub(crate) fn remove_tree(&self, name: &str) -> io::Result<()> {
        fs::remove_dir_all(self.0.join(name))
    }

    /// Rights are no bits there.
    pub(crate) fn give_back(&self, _name: &str) -> bool {
        false
    }

    pub(crate) fn deny_others(&self, _name: &str) -> io::Result<()> {
        Ok(())
    }

    /// Reserves no room: only speed would gain from it.
    pub(crate) fn reserve(_file: &File, _size_bytes: u64) {}

    pub(crate) fn create(&self, name: &str, _mode: u32) -> io::Result<File> {
        OpenOptions::new().write(true).create_new(true).open(self.0.join(name))
    }

    pub(crate) fn open_file(&self, name: &str) -> io::Result<File> {
        crate::platform::open_no_link(OpenOptions::new().read(true), &self.0.join(name))
    }

    pub(crate) fn has_capabilities(&self, _name: &str) -> io::Result<bool> {
        Ok(false)
    }

    pub(crate) fn hard_link(&self, name: &str, to: &Self, new_name: &str) -> io::Result<()> {
        fs::hard_link(self.0.join(name), to.0.join(new_name))
    }

    pub(crate) fn symlink(&self, _target: &str, _name: &str) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.0.join(name))
    }

    pub(crate) fn facts(&self, name: &str) -> io::Result<Facts> {
        let metadata = fs::symlink_metadata(self.0.join(name))?;
        let kind = kind_of(metadata.file_type());
        let since = metadata.modified()?.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let mtime_ns = i64::try_from(since.as_nanos()).unwrap_or(i64::MAX);
        Ok(Facts { kind, size_bytes: metadata.len(), mtime_ns, inode: 0, mode: 0, owner: 0, device: 0, names: 1 })
    }
}

fn kind_of(kind: FileType) -> Kind {
    match kind {
        kind if kind.is_symlink() => Kind::Link,
        kind if kind.is_dir() => Kind::Directory,
        kind if kind.is_file() => Kind::File,
        _ => Kind::Other,
    }
}

pub(crate) fn reflink(_from: &File, _to: &File) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
