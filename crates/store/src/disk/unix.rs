//! Unix.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::Facts;
use crate::Stamp;

/// Returns true if this process acts for a user.
pub(super) fn is_own_user(user: u32) -> bool {
    user == rustix::process::geteuid().as_raw()
}

/// Makes a directory that only this user can enter, and its parents.
pub(crate) fn make_private_dir(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Gives the owner, who is this user, the rights to a file back of which some are lacking, and all of them to a directory; true
/// if that was so. A link is left alone, and so is what it leads to.
pub(crate) fn give_back(path: &Path, rights: u32) -> bool {
    let Ok(metadata) = fs::symlink_metadata(path) else { return false };
    if !is_own_user(metadata.uid()) || metadata.is_symlink() || metadata.mode() & rights == rights {
        return false;
    }
    // Nobody but this user can put a link in its place meanwhile: the store is private.
    let mode = metadata.mode() & 0o7777 | if metadata.is_dir() { super::CHANGE } else { rights };
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).is_ok()
}

/// Here a file's own mode does not keep it from being replaced or removed.
pub(crate) const fn make_way(_path: &Path) -> bool {
    false
}

/// Removes a directory with everything in it, also where somebody took the right to look into a part of it away.
pub(crate) fn remove_all(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_up(path)?;
            fs::remove_dir_all(path)
        }
        removed => removed,
    }
}

/// Gives this user every right to a directory and to those in it. Links are left alone.
fn open_up(path: &Path) -> io::Result<()> {
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

/// Returns what is wrong if others than this user may write into the directory.
pub(crate) fn foreign_writers(metadata: &Metadata) -> Option<String> {
    let mode = metadata.mode() & 0o7777;
    another_owner(metadata).or_else(|| (mode & 0o022 != 0).then(|| format!("mode {mode:04o}")))
}

/// Returns whose something is, if it is neither this user's nor the administrator's.
pub(crate) fn foreign_owner(metadata: &Metadata) -> Option<String> {
    if metadata.uid() == ADMINISTRATOR { None } else { another_owner(metadata) }
}

fn another_owner(metadata: &Metadata) -> Option<String> {
    let (own, owner) = (rustix::process::geteuid().as_raw(), metadata.uid());
    (owner != own).then(|| format!("it belongs to user {owner}, this is user {own}"))
}

/// Returns the number by which the file system knows a file or directory.
pub(crate) fn number_of(metadata: &Metadata) -> u64 {
    metadata.ino()
}

/// Returns true if a file has more names than this one.
pub(crate) fn has_other_names(metadata: &Metadata) -> bool {
    metadata.nlink() > 1
}

/// Returns who may make something in a directory beside its owner, also where only that one may rename it. This user's own group
/// is nobody else on many systems, whose directories it may write to by default.
pub(crate) fn other_writers(metadata: &Metadata) -> Option<String> {
    let own_groups = [rustix::process::getegid().as_raw(), ADMINISTRATOR];
    match metadata.mode() {
        mode if mode & 0o002 != 0 => Some("everybody may write there".to_owned()),
        mode if mode & 0o020 != 0 && !own_groups.contains(&metadata.gid()) => {
            Some(format!("group {} may write there", metadata.gid()))
        }
        _ => None,
    }
}

/// Takes away the right to write, so that an edit through a hard link needs intent.
pub(crate) fn make_read_only(file: &File, executable: bool) -> io::Result<()> {
    file.set_permissions(fs::Permissions::from_mode(read_only_mode(executable)))
}

/// Returns the permission bits of a stored file.
pub(crate) const fn read_only_mode(executable: bool) -> u32 {
    if executable { 0o555 } else { 0o444 }
}

/// Returns what is known of a file from its metadata, or nothing if it is no regular file.
pub(crate) fn facts_of(metadata: &Metadata) -> Option<Facts> {
    metadata.is_file().then(|| Facts {
        size_bytes: metadata.len(),
        stamp: Stamp { mtime_ns: nanoseconds(metadata.mtime(), metadata.mtime_nsec()), inode: metadata.ino() },
        mode: metadata.mode() & 0o7777,
        owner: metadata.uid(),
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
        Err(error) if error == Errno::NOSPC => Err(error.into()),
        // Any other failure means that this file system cannot reserve; writing will tell whether it can write.
        _ => Ok(()),
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn reserve(_file: &File, _size_bytes: u64) -> io::Result<()> {
    Ok(())
}

/// Converts a number of `stat`, whose types differ between systems.
fn wide<T: Default>(number: impl TryInto<T>) -> T {
    number.try_into().unwrap_or_default()
}

/// One directory at a time, so that files are looked up by their last segment.
pub(crate) struct Directory(rustix::fd::OwnedFd);

impl Directory {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        Ok(Self(rustix::fs::open(path, flags, Mode::empty())?))
    }

    /// Opens a directory below this one, through no link; this one again for an empty path.
    pub(crate) fn open_below(&self, path: &str) -> io::Result<Self> {
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
        let stat = match rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(None),
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
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        Ok(File::from(rustix::fs::openat(&self.0, name, flags, Mode::empty())?))
    }

    pub(crate) fn set_mode(&self, name: &str, mode: u32) -> io::Result<()> {
        let mode = Mode::from_raw_mode(mode as rustix::fs::RawMode);
        Ok(rustix::fs::chmodat(&self.0, name, mode, AtFlags::empty())?)
    }
}

/// May write everywhere in any case.
const ADMINISTRATOR: u32 = 0;
/// Files below this size are written as fast without reserving.
#[cfg(target_os = "linux")]
const RESERVE_BYTES: u64 = 1 << 20;
