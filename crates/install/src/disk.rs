//! Work on files relative to an open directory: one look-up of the directory for all files in it, and no way out of it
//! through a link that somebody puts in place meanwhile.

use std::fs::File;
use std::io;
use std::path::Path;

/// What the file system says about an entry, without following it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Facts {
    /// What it is.
    pub(crate) kind: Kind,
    /// Its size.
    pub(crate) size_bytes: u64,
    /// When it was written, in nanoseconds since 1970.
    pub(crate) mtime_ns: i64,
    /// Its number; 0 where the system has none.
    pub(crate) inode: u64,
    /// Its permission bits; 0 where the system has none.
    pub(crate) mode: u32,
    /// The number of the user it belongs to; 0 where the system has none.
    pub(crate) owner: u32,
}

impl Facts {
    /// Returns true if the file belongs to this user: whoever owns a file may change it, whatever its permissions are.
    pub(crate) fn is_ours(&self) -> bool {
        #[cfg(unix)]
        return self.owner == own_user();
        #[cfg(not(unix))]
        true
    }
}

/// Returns the number of the user that this process acts for, which never changes: it is asked for once.
#[cfg(unix)]
fn own_user() -> u32 {
    static OWN: std::sync::OnceLock<u32> = std::sync::OnceLock::new();
    *OWN.get_or_init(|| rustix::process::geteuid().as_raw())
}

/// What an entry of a directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Directory,
    File,
    Link,
    Other,
}

/// Reads exactly the bytes at an offset, without moving the file's position.
pub(crate) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset);
    #[cfg(not(unix))]
    {
        let mut done = 0;
        while done < buffer.len() {
            match std::os::windows::fs::FileExt::seek_read(file, &mut buffer[done..], offset + done as u64)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => done += count,
            }
        }
        Ok(())
    }
}

#[cfg(unix)]
mod unix {
    use std::fs::File;
    use std::io;
    use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
    use std::path::Path;

    use rustix::fs::{AtFlags, FileType, Mode, OFlags};

    use super::{Facts, Kind};

    /// An open directory.
    #[derive(Debug)]
    pub(crate) struct Directory(OwnedFd);

    #[cfg(target_os = "linux")]
    const HANDLE: OFlags = OFlags::PATH;
    #[cfg(not(target_os = "linux"))]
    const HANDLE: OFlags = OFlags::RDONLY;

    impl Directory {
        pub(crate) fn open(path: &Path) -> io::Result<Self> {
            let flags = HANDLE.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
            Ok(Self(rustix::fs::open(path, flags, Mode::empty())?))
        }

        /// Opens a directory below this one; empty is this one.
        pub(crate) fn open_in(&self, path: &str) -> io::Result<Self> {
            let flags = HANDLE.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
            Ok(Self(rustix::fs::openat(&self.0, if path.is_empty() { "." } else { path }, flags, Mode::empty())?))
        }

        pub(crate) fn make_directory(&self, path: &str) -> io::Result<()> {
            Ok(rustix::fs::mkdirat(&self.0, path, Mode::from_raw_mode(0o777))?)
        }

        /// Reserves room for a big file, so that writing it costs less. A file system that cannot does no harm: the writes
        /// say what is wrong, if anything is.
        pub(crate) fn reserve(file: &File, size_bytes: u64) {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            let _ = rustix::fs::fallocate(file, rustix::fs::FallocateFlags::KEEP_SIZE, 0, size_bytes);
            #[cfg(not(any(target_os = "linux", target_os = "android")))]
            let _ = (file, size_bytes);
        }

        /// Makes a file that was not there.
        pub(crate) fn create(&self, name: &str, mode: u32) -> io::Result<File> {
            let flags = OFlags::WRONLY.union(OFlags::CREATE).union(OFlags::EXCL).union(OFlags::CLOEXEC);
            let flags = flags.union(OFlags::NOFOLLOW);
            Ok(File::from(rustix::fs::openat(&self.0, name, flags, Mode::from_raw_mode(mode))?))
        }

        /// Opens a regular file for reading; not through a link, and never waiting for one that is a pipe.
        pub(crate) fn open_file(&self, name: &str) -> io::Result<File> {
            let flags = OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC).union(OFlags::NONBLOCK);
            Ok(File::from(rustix::fs::openat(&self.0, name, flags, Mode::empty())?))
        }

        pub(crate) fn hard_link(&self, name: &str, to: &Self, new_name: &str) -> io::Result<()> {
            Ok(rustix::fs::linkat(&self.0, name, &to.0, new_name, AtFlags::empty())?)
        }

        pub(crate) fn symlink(&self, target: &str, name: &str) -> io::Result<()> {
            Ok(rustix::fs::symlinkat(target, &self.0, name)?)
        }

        pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
            Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::empty())?)
        }

        pub(crate) fn facts(&self, name: &str) -> io::Result<Facts> {
            let stat = rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)?;
            let kind = match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => Kind::Directory,
                FileType::RegularFile => Kind::File,
                FileType::Symlink => Kind::Link,
                _ => Kind::Other,
            };
            let seconds = i128::from(stat.st_mtime) * 1_000_000_000 + i128::from(stat.st_mtime_nsec);
            #[cfg_attr(target_os = "linux", expect(clippy::useless_conversion, reason = "16 bits on macOS"))]
            let mode = u32::from(stat.st_mode) & 0o7777;
            Ok(Facts {
                kind,
                size_bytes: u64::try_from(stat.st_size).unwrap_or(0),
                mtime_ns: i64::try_from(seconds).unwrap_or(i64::MAX),
                inode: stat.st_ino,
                mode,
                owner: stat.st_uid,
            })
        }
    }

    impl AsFd for Directory {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.0.as_fd()
        }
    }

    /// Gives a new file the blocks of another, where the file system shares blocks.
    pub(crate) fn reflink(from: &File, to: &File) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        return Ok(rustix::fs::ioctl_ficlone(to, from)?);
        #[cfg(not(target_os = "linux"))]
        {
            let _ = (from, to);
            Err(io::ErrorKind::Unsupported.into())
        }
    }
}

#[cfg(not(unix))]
mod other {
    use std::fs::{self, File, OpenOptions};
    use std::io;
    use std::path::{Path, PathBuf};

    use super::{Facts, Kind};

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

        /// Reserves no room: only speed would gain from it.
        pub(crate) fn reserve(_file: &File, _size_bytes: u64) {}

        pub(crate) fn create(&self, name: &str, _mode: u32) -> io::Result<File> {
            OpenOptions::new().write(true).create_new(true).open(self.0.join(name))
        }

        pub(crate) fn open_file(&self, name: &str) -> io::Result<File> {
            File::open(self.0.join(name))
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
            let kind = match metadata.file_type() {
                kind if kind.is_symlink() => Kind::Link,
                kind if kind.is_dir() => Kind::Directory,
                kind if kind.is_file() => Kind::File,
                _ => Kind::Other,
            };
            let since = metadata.modified()?.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            let mtime_ns = i64::try_from(since.as_nanos()).unwrap_or(i64::MAX);
            Ok(Facts { kind, size_bytes: metadata.len(), mtime_ns, inode: 0, mode: 0, owner: 0 })
        }
    }

    pub(crate) fn reflink(_from: &File, _to: &File) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(not(unix))]
pub(crate) use other::{Directory, reflink};
#[cfg(unix)]
pub(crate) use unix::{Directory, reflink};

/// Makes a directory and those above it, below `root`; those that are there already are fine.
pub(crate) fn make_directories<'a>(root: &Directory, directories: impl Iterator<Item = &'a str>) -> io::Result<()> {
    for directory in directories {
        match root.make_directory(directory) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            result => result?,
        }
    }
    Ok(())
}

/// Adds a path's directories to a set, so that sorting it puts each before what is inside it.
pub(crate) fn add_parents<'a>(set: &mut std::collections::BTreeSet<&'a str>, path: &'a str) {
    let mut rest = path;
    while let Some((parent, _)) = rest.rsplit_once('/') {
        if !set.insert(parent) {
            return;
        }
        rest = parent;
    }
}

/// Returns a path's directory, empty at the root, and its name there.
pub(crate) fn split(path: &str) -> (&str, &str) {
    // Names are short: a search for a byte that begins with the last one is soon done.
    match path.as_bytes().iter().rposition(|byte| *byte == b'/') {
        Some(end) => (&path[..end], &path[end + 1..]),
        None => ("", path),
    }
}

/// Returns an absolute path with a relative one of slashes below it.
pub(crate) fn below(root: &Path, path: &str) -> std::path::PathBuf {
    if path.is_empty() { root.to_owned() } else { root.join(path) }
}
