//! The few things that differ between operating systems: private directories, permission bits, and what a file system
//! says of a file without reading it. Everything else in this crate is the same everywhere.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::Path;

use crate::Stamp;

/// What the file system says of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) size_bytes: u64,
    pub(crate) stamp: Stamp,
    /// Permission bits; on systems without them, whether it is read-only.
    pub(crate) mode: u32,
    /// Whose it is; 0 where the system does not tell.
    pub(crate) owner: u32,
}

impl Facts {
    /// Returns true if nobody else owns the file: its owner could make it writable at any time.
    pub(crate) fn is_ours(&self) -> bool {
        #[cfg(unix)]
        return self.owner == rustix::process::geteuid().as_raw();
        #[cfg(not(unix))]
        return true;
    }
}

/// Makes a directory that only this user can enter, and its parents.
pub(crate) fn make_private_dir(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Opens a file of the store's own to read it. Nothing if there is none, or something else in its place: a link leads
/// elsewhere, and a pipe has no end.
pub(crate) fn open_own(path: &Path) -> io::Result<Option<File>> {
    let opened = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => File::open(path).map(Some),
        Ok(_) => return Ok(None),
        Err(error) => Err(error),
    };
    match opened {
        Err(error) if is_absence(&error) => Ok(None),
        opened => opened,
    }
}

/// Returns true if something is not there, or a directory on the way to it is none.
pub(crate) fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Returns true if the system did not allow it: whatever is in the store is ours, so somebody took a right away.
pub(crate) fn is_denied(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied
}

/// Does something that needs these rights in a directory of the store. Where it is not allowed because its owner has not all
/// of them any more, they are given back, and it is done again.
pub(crate) fn with_rights<T>(directory: &Path, rights: u32, act: impl Fn() -> io::Result<T>) -> io::Result<T> {
    match act() {
        Err(error) if is_denied(&error) && give_back(directory, rights) => act(),
        result => result,
    }
}

/// Gives the owner, who is this user, the rights to a file back of which some are lacking, and all of them to a directory; true
/// if that was so. A link is left alone, and so is what it leads to.
#[cfg(unix)]
pub(crate) fn give_back(path: &Path, rights: u32) -> bool {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let Ok(metadata) = fs::symlink_metadata(path) else { return false };
    let is_own = metadata.uid() == rustix::process::geteuid().as_raw();
    if !is_own || metadata.is_symlink() || metadata.mode() & rights == rights {
        return false;
    }
    // Nobody but this user can put a link in its place meanwhile: the store is private.
    let mode = metadata.mode() & 0o7777 | if metadata.is_dir() { CHANGE } else { rights };
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).is_ok()
}

#[cfg(not(unix))]
pub(crate) fn give_back(_path: &Path, _rights: u32) -> bool {
    false
}

/// Removes a directory with everything in it, also where somebody took the right to look into a part of it away.
pub(crate) fn remove_all(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        #[cfg(unix)]
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_up(path)?;
            fs::remove_dir_all(path)
        }
        removed => removed,
    }
}

/// Gives this user every right to a directory and to those in it. Links are left alone.
#[cfg(unix)]
fn open_up(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mut waiting = vec![path.to_owned()];
    while let Some(directory) = waiting.pop() {
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o700))?;
        for entry in fs::read_dir(&directory)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                waiting.push(entry.path());
            }
        }
    }
    Ok(())
}

/// Looks at an entry of the store, also where the directory that it is in was closed.
pub(crate) fn look_at(path: &Path) -> io::Result<Metadata> {
    with_rights(path.parent().unwrap_or(path), LOOK_INTO, || fs::symlink_metadata(path))
}

/// Opens a file of the store to lock it, also where the right to read it was taken away.
pub(crate) fn open_to_lock(path: &Path) -> io::Result<File> {
    match File::open(path) {
        Err(error) if is_denied(&error) && give_back(path, READ) => File::open(path),
        opened => opened,
    }
}

/// Returns what is wrong if others than this user may write into the directory.
#[cfg(unix)]
pub(crate) fn foreign_writers(metadata: &Metadata) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let own = rustix::process::geteuid().as_raw();
    if metadata.uid() != own {
        return Some(format!("it belongs to user {}, this is user {own}", metadata.uid()));
    }
    (metadata.mode() & 0o022 != 0).then(|| format!("mode {:04o}", metadata.mode() & 0o7777))
}

#[cfg(not(unix))]
pub(crate) fn foreign_writers(_metadata: &Metadata) -> Option<String> {
    None
}

/// Returns true if a file has more names than this one.
#[cfg(unix)]
pub(crate) fn has_other_names(metadata: &Metadata) -> bool {
    std::os::unix::fs::MetadataExt::nlink(metadata) > 1
}

#[cfg(not(unix))]
pub(crate) fn has_other_names(_metadata: &Metadata) -> bool {
    false
}

/// Returns true if everybody may rename what is in the directory.
#[cfg(unix)]
pub(crate) fn is_open_to_all(metadata: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    metadata.mode() & 0o002 != 0 && metadata.mode() & 0o1000 == 0
}

#[cfg(not(unix))]
pub(crate) fn is_open_to_all(_metadata: &Metadata) -> bool {
    false
}

/// Takes away the right to write, so that an edit through a hard link needs intent.
#[cfg(unix)]
pub(crate) fn make_read_only(file: &File, executable: bool) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(read_only_mode(executable)))
}

#[cfg(not(unix))]
pub(crate) fn make_read_only(file: &File, _executable: bool) -> io::Result<()> {
    let mut permissions = file.metadata()?.permissions();
    permissions.set_readonly(true);
    file.set_permissions(permissions)
}

/// Returns the permission bits of a stored file.
#[cfg(unix)]
pub(crate) const fn read_only_mode(executable: bool) -> u32 {
    if executable { 0o555 } else { 0o444 }
}

#[cfg(not(unix))]
pub(crate) const fn read_only_mode(_executable: bool) -> u32 {
    0o444
}

/// Returns what is known of a file from its metadata, or nothing if it is no regular file.
#[cfg(unix)]
pub(crate) fn facts_of(metadata: &Metadata) -> Option<Facts> {
    use std::os::unix::fs::MetadataExt;
    metadata.is_file().then(|| Facts {
        size_bytes: metadata.len(),
        stamp: Stamp { mtime_ns: nanoseconds(metadata.mtime(), metadata.mtime_nsec()), inode: metadata.ino() },
        mode: metadata.mode() & 0o7777,
        owner: metadata.uid(),
    })
}

#[cfg(not(unix))]
pub(crate) fn facts_of(metadata: &Metadata) -> Option<Facts> {
    let since = metadata.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    metadata.is_file().then(|| Facts {
        size_bytes: metadata.len(),
        stamp: Stamp { mtime_ns: i64::try_from(since.as_nanos()).unwrap_or(i64::MAX), inode: 0 },
        mode: if metadata.permissions().readonly() { 0o444 } else { 0o644 },
        owner: 0,
    })
}

fn nanoseconds(seconds: i64, nanoseconds: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds)
}

/// Reserves room for a big file: writing into reserved room is several times faster, and a full disk is noticed at once.
#[cfg(target_os = "linux")]
pub(crate) fn reserve(file: &File, size_bytes: u64) -> io::Result<()> {
    if size_bytes < RESERVE_BYTES {
        return Ok(());
    }
    match rustix::fs::fallocate(file, rustix::fs::FallocateFlags::KEEP_SIZE, 0, size_bytes) {
        Err(error) if error == rustix::io::Errno::NOSPC => Err(error.into()),
        // Any other failure means that this file system cannot reserve; writing will tell whether it can write.
        _ => Ok(()),
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn reserve(_file: &File, _size_bytes: u64) -> io::Result<()> {
    Ok(())
}

/// Converts a number of `stat`, whose types differ between systems.
#[cfg(unix)]
fn wide<T: Default>(number: impl TryInto<T>) -> T {
    number.try_into().unwrap_or_default()
}

/// One directory at a time, so that files are looked up by their last segment.
#[cfg(unix)]
pub(crate) struct Directory(rustix::fd::OwnedFd);

#[cfg(unix)]
impl Directory {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        use rustix::fs::{Mode, OFlags};
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        Ok(Self(rustix::fs::open(path, flags, Mode::empty())?))
    }

    /// Opens a directory below this one, through no link; this one again for an empty path.
    pub(crate) fn open_below(&self, path: &str) -> io::Result<Self> {
        use rustix::fs::{Mode, OFlags};
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let open = |parent: &Self, name: &str| {
            Ok::<_, io::Error>(Self(rustix::fs::openat(&parent.0, name, flags, Mode::empty())?))
        };
        let (first, rest) = path.split_once('/').unwrap_or((path, ""));
        let mut opened = open(self, if first.is_empty() { "." } else { first })?;
        for part in rest.split('/').filter(|part| !part.is_empty()) {
            opened = open(&opened, part)?;
        }
        Ok(opened)
    }

    /// Returns what is known of a regular file, or nothing if there is none of that name.
    pub(crate) fn facts(&self, name: &str) -> io::Result<Option<Facts>> {
        use rustix::fs::{AtFlags, FileType};
        let stat = match rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let facts = Facts {
            size_bytes: wide(stat.st_size),
            stamp: Stamp {
                mtime_ns: nanoseconds(wide(stat.st_mtime), wide(stat.st_mtime_nsec)),
                inode: wide(stat.st_ino),
            },
            mode: wide::<u32>(stat.st_mode) & 0o7777,
            owner: wide(stat.st_uid),
        };
        Ok((FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile).then_some(facts))
    }

    /// Opens a file for reading, not through a link.
    pub(crate) fn open_file(&self, name: &str) -> io::Result<File> {
        use rustix::fs::{Mode, OFlags};
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        Ok(File::from(rustix::fs::openat(&self.0, name, flags, Mode::empty())?))
    }

    pub(crate) fn set_mode(&self, name: &str, mode: u32) -> io::Result<()> {
        let mode = rustix::fs::Mode::from_raw_mode(mode as rustix::fs::RawMode);
        Ok(rustix::fs::chmodat(&self.0, name, mode, rustix::fs::AtFlags::empty())?)
    }
}

#[cfg(not(unix))]
pub(crate) struct Directory(std::path::PathBuf);

#[cfg(not(unix))]
impl Directory {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        fs::metadata(path).map(|_| Self(path.to_owned()))
    }

    pub(crate) fn open_below(&self, path: &str) -> io::Result<Self> {
        Self::open(&self.0.join(path))
    }

    pub(crate) fn facts(&self, name: &str) -> io::Result<Option<Facts>> {
        match fs::symlink_metadata(self.0.join(name)) {
            Ok(metadata) => Ok(facts_of(&metadata)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn open_file(&self, name: &str) -> io::Result<File> {
        File::open(self.0.join(name))
    }

    pub(crate) fn set_mode(&self, name: &str, _mode: u32) -> io::Result<()> {
        make_read_only(&File::open(self.0.join(name))?, false)
    }
}

/// What is said of that whose owner lost the right to read it.
pub(crate) const NOT_READABLE: &str = "what may not be read";
/// What the owner of a file needs to read it.
pub(crate) const READ: u32 = 0o400;
/// What the owner of a file needs to read it and to add to it.
pub(crate) const READ_AND_WRITE: u32 = 0o600;
/// What the owner of a directory needs to look into it.
pub(crate) const LOOK_INTO: u32 = 0o500;
/// What the owner of a directory needs to change what is in it.
pub(crate) const CHANGE: u32 = 0o700;
/// Files below this size are written as fast without reserving.
#[cfg(target_os = "linux")]
const RESERVE_BYTES: u64 = 1 << 20;
