//! An open directory by its descriptor: every call is relative to it and follows no link.

use std::ffi::{CStr, CString, OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, DirEntry, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::{Facts, Kind, OTHERS_WRITE};

/// An open directory.
#[derive(Debug)]
pub(crate) struct Directory(OwnedFd);

#[cfg(target_os = "linux")]
const HANDLE: OFlags = OFlags::PATH;
#[cfg(not(target_os = "linux"))]
const HANDLE: OFlags = OFlags::RDONLY;
/// Memory in which a directory is listed, for one after the other.
pub(crate) struct Room(#[cfg(any(target_os = "linux", target_os = "android"))] Vec<std::mem::MaybeUninit<u8>>);

impl Room {
    pub(crate) fn new() -> Self {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        return Self(vec![std::mem::MaybeUninit::uninit(); 32 << 10]);
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        Self()
    }
}

/// Room for the capabilities of a file (`struct vfs_ns_cap_data`).
#[cfg(target_os = "linux")]
const CAPABILITY_BYTES: usize = 24;

/// A directory, through no link.
const DIRECTORY: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

impl Directory {
    /// Opens the directory at a path; a link in its place is no directory.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(rustix::fs::open(path, HANDLE.union(DIRECTORY), Mode::empty()).map_err(no_link)?))
    }

    /// Opens a directory below this one; empty is this one.
    pub(crate) fn open_in(&self, path: &str) -> io::Result<Self> {
        let path = if path.is_empty() { "." } else { path };
        Ok(Self(rustix::fs::openat(&self.0, path, HANDLE.union(DIRECTORY), Mode::empty()).map_err(no_link)?))
    }

    /// Opens this directory for what a handle does not serve: to list it, or to wait until it is on the disk.
    pub(crate) fn readable(&self) -> io::Result<File> {
        Ok(File::from(rustix::fs::openat(&self.0, ".", OFlags::RDONLY.union(DIRECTORY), Mode::empty())?))
    }

    /// Opens a directory in this one for everything, listing it too.
    pub(crate) fn open_to_list(&self, name: &str) -> io::Result<Self> {
        let name = if name.is_empty() { "." } else { name };
        let flags = OFlags::RDONLY.union(DIRECTORY);
        Ok(Self(rustix::fs::openat(&self.0, name, flags, Mode::empty()).map_err(no_link)?))
    }

    /// Tells what is in this directory, which was opened to be listed and was not listed before. Nothing may be added or
    /// removed meanwhile by who lists it.
    pub(crate) fn list(&self, room: &mut Room, see: &mut dyn FnMut(&OsStr, Kind)) -> io::Result<()> {
        let mut see = |name: &CStr, kind: FileType| {
            if [c".", c".."].contains(&name) {
                return Ok(());
            }
            let shown = OsStr::from_bytes(name.to_bytes());
            match kind {
                FileType::Unknown => match self.facts_of(name) {
                    Err(Errno::NOENT) => {}
                    facts => see(shown, facts?.kind),
                },
                kind => see(shown, kind_of(kind)),
            }
            Ok::<_, Errno>(())
        };
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            let mut listing = rustix::fs::RawDir::new(&self.0, &mut room.0[..]);
            while let Some(entry) = listing.next() {
                let entry = entry?;
                see(entry.file_name(), entry.file_type())?;
            }
        }
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        {
            let _ = room;
            for entry in Dir::read_from(&self.0)? {
                let entry = entry?;
                see(entry.file_name(), entry.file_type())?;
            }
        }
        Ok(())
    }

    /// Returns what is in this directory, sorted by name.
    pub(crate) fn entries(&self) -> io::Result<Vec<(OsString, Kind)>> {
        let mut entries = Vec::new();
        for entry in Dir::new(self.readable()?)? {
            let entry = entry?;
            let name = entry.file_name();
            if [c".", c".."].contains(&name) {
                continue;
            }
            let kind = match entry.file_type() {
                FileType::Unknown => match self.facts_of(name) {
                    Err(Errno::NOENT) => continue,
                    facts => facts?.kind,
                },
                kind => kind_of(kind),
            };
            entries.push((OsString::from_vec(name.to_bytes().to_vec()), kind));
        }
        entries.sort();
        Ok(entries)
    }

    /// Returns what a link points at.
    pub(crate) fn read_link(&self, name: &str) -> io::Result<PathBuf> {
        let target = rustix::fs::readlinkat(&self.0, name, Vec::new())?;
        Ok(OsStr::from_bytes(target.to_bytes()).into())
    }

    /// Removes an empty directory.
    pub(crate) fn remove_directory(&self, name: &str) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::REMOVEDIR)?)
    }

    /// Gives the owner of a directory in this one every right to it back, if he is this user and lacks one; true if so.
    /// It is opened through no link, and what was opened gets them.
    pub(crate) fn give_back(&self, name: &str) -> bool {
        CString::new(name).is_ok_and(|name| give_back_in(self.0.as_fd(), &name))
    }

    /// Takes the right to write to this directory, or to a file or directory in it, from everybody but its owner, if
    /// that is this user. What is there is opened through no link, and what was opened is changed.
    pub(crate) fn deny_others(&self, name: &str) -> io::Result<()> {
        let flags = OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC).union(OFlags::NONBLOCK);
        let opened = rustix::fs::openat(&self.0, if name.is_empty() { "." } else { name }, flags, Mode::empty())?;
        let facts = Self::facts_from(&rustix::fs::fstat(&opened)?);
        if !facts.is_ours() || facts.mode & OTHERS_WRITE == 0 {
            return Ok(());
        }
        Ok(rustix::fs::fchmod(opened, mode(facts.mode & !OTHERS_WRITE))?)
    }

    /// Removes a directory with everything in it. Each directory is opened from the one that it is in, through no link,
    /// and emptied by what was opened: whatever takes its place meanwhile is not gone into, and stays. Where the owner
    /// of a directory lost a right to it, he gets it back first.
    pub(crate) fn remove_tree(&self, name: &str) -> io::Result<()> {
        let name = CString::new(name)?;
        let mut levels = vec![Level::open(self.0.as_fd(), &name).map_err(no_link)?];
        while let Some(level) = levels.last_mut() {
            match level.next()? {
                Some(entry) => {
                    let inside = level.remove(&entry)?;
                    levels.extend(inside);
                }
                None => {
                    let Some(Level { name, .. }) = levels.pop() else { break };
                    let parent = levels.last().map_or(Ok(self.0.as_fd()), |parent| parent.listing.fd())?;
                    remove_from(parent, &name, AtFlags::REMOVEDIR)?;
                }
            }
        }
        Ok(())
    }

    /// Makes a directory that nobody else may write to, whatever the umask allows.
    pub(crate) fn make_directory(&self, path: &str) -> io::Result<()> {
        Ok(rustix::fs::mkdirat(&self.0, path, Mode::from_raw_mode(0o755))?)
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
        Ok(File::from(rustix::fs::openat(&self.0, name, flags, Mode::from_raw_mode(mode as rustix::fs::RawMode))?))
    }

    /// Opens a regular file for reading; not through a link, and never waiting for one that is a pipe.
    pub(crate) fn open_file(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC).union(OFlags::NONBLOCK);
        Ok(File::from(rustix::fs::openat(&self.0, name, flags, Mode::empty())?))
    }

    /// Returns whether a file gives who runs it rights of the superuser, as set-user-ID does, without a word in its mode.
    #[cfg(target_os = "linux")]
    pub(crate) fn has_capabilities(&self, name: &str) -> io::Result<bool> {
        let mut value = [0_u8; CAPABILITY_BYTES];
        match rustix::fs::fgetxattr(self.open_file(name)?, "security.capability", &mut value) {
            // Of a user who has no number here.
            Ok(_) | Err(Errno::OVERFLOW | Errno::RANGE) => Ok(true),
            Err(Errno::NODATA | Errno::NOSYS | Errno::NOTSUP) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn has_capabilities(&self, _name: &str) -> io::Result<bool> {
        Ok(false)
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
        Ok(self.facts_of(name)?)
    }

    /// Returns what the file system says of the directory itself.
    pub(crate) fn own_facts(&self) -> io::Result<Facts> {
        Ok(Self::facts_from(&rustix::fs::fstat(&self.0)?))
    }

    fn facts_of(&self, name: impl rustix::path::Arg) -> rustix::io::Result<Facts> {
        Ok(Self::facts_from(&rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)?))
    }

    fn facts_from(stat: &rustix::fs::Stat) -> Facts {
        let kind = kind_of(FileType::from_raw_mode(stat.st_mode));
        let seconds = i128::from(stat.st_mtime) * 1_000_000_000 + i128::from(stat.st_mtime_nsec);
        #[cfg_attr(target_os = "linux", expect(clippy::useless_conversion, reason = "16 bits on macOS"))]
        let mode = u32::from(stat.st_mode) & 0o7777;
        Facts {
            kind,
            size_bytes: u64::try_from(stat.st_size).unwrap_or(0),
            mtime_ns: i64::try_from(seconds).unwrap_or(i64::MAX),
            inode: stat.st_ino,
            mode,
            owner: stat.st_uid,
            device: wide(stat.st_dev),
            names: wide(stat.st_nlink),
        }
    }
}

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A directory that is being emptied.
struct Level {
    name: CString,
    listing: Dir,
}

impl Level {
    fn open(parent: BorrowedFd<'_>, name: &CStr) -> rustix::io::Result<Self> {
        let open = || rustix::fs::openat(parent, name, OFlags::RDONLY.union(DIRECTORY), Mode::empty());
        let opened = match open() {
            Err(Errno::ACCESS) if give_back_in(parent, name) => open()?,
            opened => opened?,
        };
        Ok(Self { name: name.to_owned(), listing: Dir::new(opened)? })
    }

    fn next(&mut self) -> rustix::io::Result<Option<DirEntry>> {
        let is_inside = |entry: &DirEntry| ![c".", c".."].contains(&entry.file_name());
        self.listing.by_ref().find(|entry| entry.as_ref().map_or(true, is_inside)).transpose()
    }

    /// Removes an entry, or opens it if it is a directory.
    fn remove(&self, entry: &DirEntry) -> rustix::io::Result<Option<Self>> {
        let (directory, name) = (self.listing.fd()?, entry.file_name());
        if matches!(entry.file_type(), FileType::Directory | FileType::Unknown) {
            let opened = match Self::open(directory, name) {
                // Nobody may be let into it: this one cannot be entered.
                Err(Errno::ACCESS) if give_back(directory) => Self::open(directory, name),
                opened => opened,
            };
            match opened {
                Err(Errno::NOENT) => return Ok(None),
                // It is something else by now.
                Err(Errno::LOOP | Errno::NOTDIR) => {}
                opened => return opened.map(Some),
            }
        }
        remove_from(directory, name, AtFlags::empty())?;
        Ok(None)
    }
}

/// Removes something from an open directory, whose owner gets his rights back if he lost them. Somebody else may have
/// removed it: that is what was wanted.
fn remove_from(directory: BorrowedFd<'_>, name: &CStr, how: AtFlags) -> rustix::io::Result<()> {
    let remove = || rustix::fs::unlinkat(directory, name, how);
    let removed = match remove() {
        Err(Errno::ACCESS) if give_back(directory) => remove(),
        removed => removed,
    };
    match removed {
        Err(Errno::NOENT) => Ok(()),
        result => result,
    }
}

/// Gives the owner of an open directory every right to it back, if he is this user and lacks one; true if so.
fn give_back(directory: BorrowedFd<'_>) -> bool {
    lacking(&rustix::fs::fstat(directory)).is_some_and(|mode| rustix::fs::fchmod(directory, mode).is_ok())
}

/// As [`give_back`], of a directory that may not even be opened to look into it: it is changed by its handle.
#[cfg(target_os = "linux")]
fn give_back_in(parent: BorrowedFd<'_>, name: &CStr) -> bool {
    let Ok(handle) = rustix::fs::openat(parent, name, HANDLE.union(DIRECTORY), Mode::empty()) else { return false };
    let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&handle));
    lacking(&rustix::fs::fstat(&handle)).is_some_and(|mode| rustix::fs::chmod(path, mode).is_ok())
}

#[cfg(not(target_os = "linux"))]
fn give_back_in(parent: BorrowedFd<'_>, name: &CStr) -> bool {
    let nofollow = AtFlags::SYMLINK_NOFOLLOW;
    let mode = lacking(&rustix::fs::statat(parent, name, nofollow));
    mode.is_some_and(|mode| rustix::fs::chmodat(parent, name, mode, nofollow).is_ok())
}

/// Returns the mode that a directory of this user's should have, if he lacks a right to it.
fn lacking(stat: &rustix::io::Result<rustix::fs::Stat>) -> Option<Mode> {
    let facts = Directory::facts_from(stat.as_ref().ok()?);
    let is_lacking = facts.kind == Kind::Directory && facts.is_ours() && facts.mode & OWNER != OWNER;
    is_lacking.then(|| mode(facts.mode | OWNER))
}

fn mode(bits: u32) -> Mode {
    Mode::from_raw_mode(bits as rustix::fs::RawMode)
}

/// All rights of a directory's owner.
const OWNER: u32 = 0o700;

/// Systems differ in what they call a link where a directory is asked for.
fn no_link(error: Errno) -> Errno {
    if error == Errno::LOOP { Errno::NOTDIR } else { error }
}

fn kind_of(kind: FileType) -> Kind {
    match kind {
        FileType::Directory => Kind::Directory,
        FileType::RegularFile => Kind::File,
        FileType::Symlink => Kind::Link,
        _ => Kind::Other,
    }
}

/// Converts a number of `stat`, whose types differ between systems.
fn wide(number: impl TryInto<u64>) -> u64 {
    number.try_into().unwrap_or_default()
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

/// Returns the number of the user that this process acts for, which never changes: it is asked for once.
pub(super) fn own_user() -> u32 {
    static OWN: std::sync::OnceLock<u32> = std::sync::OnceLock::new();
    *OWN.get_or_init(|| rustix::process::geteuid().as_raw())
}
