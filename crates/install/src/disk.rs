//! Work on files relative to an open directory: one look-up of the directory for all files in it, and no way out of it
//! through a link that somebody puts in place meanwhile.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

/// An open directory with its path, which is for people: what is done goes by the directory.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) directory: Directory,
    pub(crate) path: PathBuf,
}

impl Opened {
    /// Opens the directory at a path; a link in its place is none.
    pub(crate) fn at(path: &Path) -> io::Result<Self> {
        Ok(Self { directory: Directory::open(path)?, path: path.to_owned() })
    }

    /// Returns the directories in it with their names, sorted.
    pub(crate) fn subdirectories(&self) -> io::Result<Vec<(String, PathBuf)>> {
        let entries = self.directory.entries()?.into_iter().filter(|(_, kind)| *kind == Kind::Directory);
        let named = entries.map(|(name, _)| (name.to_string_lossy().into_owned(), self.path.join(name)));
        let mut found: Vec<_> = named.collect();
        found.sort();
        Ok(found)
    }
}

/// What reading a small file of our own came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Contents {
    /// What is in it.
    Bytes(Vec<u8>),
    /// There is none.
    Gone,
    /// Something else is in its place, a link for one.
    Irregular,
    /// It has more than it may.
    TooLarge,
}

/// Reads a regular file of an open directory, through no link, if it has no more bytes than this.
pub(crate) fn read_own(directory: &Directory, name: &str, limit: u64) -> io::Result<Contents> {
    let file = match directory.open_file(name) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Contents::Gone),
        Err(error) => {
            let is_irregular = directory.facts(name).is_ok_and(|facts| facts.kind != Kind::File);
            return if is_irregular { Ok(Contents::Irregular) } else { Err(error) };
        }
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Ok(Contents::Irregular);
    }
    let mut bytes = Vec::new();
    if metadata.len() <= limit {
        bytes.reserve(usize::try_from(metadata.len()).unwrap_or(0));
        file.take(limit + 1).read_to_end(&mut bytes)?;
    }
    let is_too_large = metadata.len().max(bytes.len() as u64) > limit;
    Ok(if is_too_large { Contents::TooLarge } else { Contents::Bytes(bytes) })
}

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
    /// The number of the device that it is on; 0 where the system has none.
    pub(crate) device: u64,
    /// How many names it has; 1 where the system does not tell.
    pub(crate) names: u64,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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
    use std::ffi::{CStr, CString, OsStr, OsString};
    use std::fs::File;
    use std::io;
    use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
    use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
    use std::path::{Path, PathBuf};

    use rustix::fs::{AtFlags, Dir, DirEntry, FileType, Mode, OFlags};
    use rustix::io::Errno;

    use super::{Facts, Kind};

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
        /// removed meanwhile. A name that is no text is an error.
        pub(crate) fn list(&self, room: &mut Room, see: &mut dyn FnMut(&str, Kind)) -> io::Result<()> {
            let mut see = |name: &CStr, kind: FileType| {
                if [c".", c".."].contains(&name) {
                    return Ok(());
                }
                let text = name.to_str().map_err(|_| Errno::ILSEQ)?;
                match kind {
                    FileType::Unknown => match self.facts_of(name) {
                        Err(Errno::NOENT) => {}
                        facts => see(text, facts?.kind),
                    },
                    kind => see(text, kind_of(kind)),
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

        /// Removes a directory with everything in it. Each directory is opened from the one that it is in, through no link,
        /// and emptied by what was opened: whatever takes its place meanwhile is not gone into, and stays.
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
                        unless_gone(rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR))?;
                    }
                }
            }
            Ok(())
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
            Ok(File::from(rustix::fs::openat(&self.0, name, flags, Mode::from_raw_mode(mode as rustix::fs::RawMode))?))
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
            let opened = rustix::fs::openat(parent, name, OFlags::RDONLY.union(DIRECTORY), Mode::empty())?;
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
                match Self::open(directory, name) {
                    Err(Errno::NOENT) => return Ok(None),
                    // It is something else by now.
                    Err(Errno::LOOP | Errno::NOTDIR) => {}
                    opened => return opened.map(Some),
                }
            }
            unless_gone(rustix::fs::unlinkat(directory, name, AtFlags::empty()))?;
            Ok(None)
        }
    }

    /// Somebody else removed it: that is what was wanted.
    fn unless_gone(removed: rustix::io::Result<()>) -> rustix::io::Result<()> {
        match removed {
            Err(Errno::NOENT) => Ok(()),
            result => result,
        }
    }

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
}

#[cfg(not(unix))]
mod other {
    use std::ffi::OsString;
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

        pub(crate) fn list(&self, _room: &mut Room, see: &mut dyn FnMut(&str, Kind)) -> io::Result<()> {
            for (name, kind) in self.entries()? {
                see(name.to_str().ok_or(io::ErrorKind::InvalidData)?, kind);
            }
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

        /// Reserves no room: only speed would gain from it.
        pub(crate) fn reserve(_file: &File, _size_bytes: u64) {}

        pub(crate) fn create(&self, name: &str, _mode: u32) -> io::Result<File> {
            OpenOptions::new().write(true).create_new(true).open(self.0.join(name))
        }

        pub(crate) fn open_file(&self, name: &str) -> io::Result<File> {
            crate::platform::open_no_link(OpenOptions::new().read(true), &self.0.join(name))
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
}

#[cfg(not(unix))]
pub(crate) use other::{Directory, Room, reflink};
#[cfg(unix)]
pub(crate) use unix::{Directory, Room, reflink};

/// Makes a directory and those above it, below `root`; those that are there already are fine.
pub(crate) fn make_directories<'a>(root: &Directory, directories: impl Iterator<Item = &'a str>) -> io::Result<()> {
    for directory in directories {
        match root.make_directory(directory) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
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

/// Returns a path inside a directory relative to it: quicker than looking for the last slash. Empty is the root.
pub(crate) fn inside<'p>(directory: &str, path: &'p str) -> &'p str {
    path.get(directory.len() + usize::from(!directory.is_empty())..).unwrap_or_default()
}

/// Returns true if a path is directly in a directory; empty is the root.
pub(crate) fn is_in(directory: &str, path: &str) -> bool {
    let inside = match path.as_bytes().strip_prefix(directory.as_bytes()) {
        Some(inside) if directory.is_empty() => Some(inside),
        inside => inside.and_then(|inside| inside.strip_prefix(b"/")),
    };
    inside.is_some_and(|name| !name.contains(&b'/'))
}

/// Returns an absolute path with a relative one of slashes below it.
pub(crate) fn below(root: &Path, path: &str) -> PathBuf {
    if path.is_empty() { root.to_owned() } else { root.join(path) }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_tree_is_removed_and_nothing_that_it_points_at() {
        let home = tempfile::tempdir().unwrap();
        let (victim, tree) = (home.path().join("victim"), home.path().join("tree"));
        fs::create_dir_all(victim.join("inside")).unwrap();
        fs::write(victim.join("precious"), "x").unwrap();
        let deep = tree.join(vec!["d"; 200].join("/"));
        fs::create_dir_all(&deep).unwrap();
        symlink(&victim, tree.join("to-directory")).unwrap();
        symlink(victim.join("precious"), deep.join("to-file")).unwrap();
        symlink("nowhere", tree.join("to-nothing")).unwrap();
        (0..2_000).for_each(|number| fs::write(tree.join(format!("file-{number}")), "").unwrap());
        let parent = Directory::open(home.path()).unwrap();
        parent.remove_tree("tree").unwrap();
        assert!(!tree.exists() && victim.join("inside").exists() && victim.join("precious").exists());
        // A link, and a file, are no trees.
        symlink(&victim, &tree).unwrap();
        for name in ["tree", "victim/precious"] {
            assert_eq!(parent.remove_tree(name).unwrap_err().kind(), ErrorKind::NotADirectory, "{name}");
        }
        assert_eq!(parent.remove_tree("gone").unwrap_err().kind(), ErrorKind::NotFound);
        assert!(fs::symlink_metadata(&tree).unwrap().is_symlink() && victim.join("precious").exists());
    }

    #[test]
    fn only_a_regular_file_of_a_bounded_size_is_read() {
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name);
        fs::write(path("file"), "12345").unwrap();
        fs::create_dir(path("directory")).unwrap();
        symlink("file", path("link")).unwrap();
        let _listening = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
        let directory = Directory::open(home.path()).unwrap();
        let read = |name: &str, limit: u64| read_own(&directory, name, limit).unwrap();
        assert_eq!(read("file", 5), Contents::Bytes(b"12345".to_vec()));
        assert_eq!(read("file", 4), Contents::TooLarge);
        assert_eq!(read("gone", 5), Contents::Gone);
        for name in ["directory", "link", "socket"] {
            assert_eq!(read(name, 5), Contents::Irregular, "{name}");
        }
    }

    #[test]
    fn lists_by_name_what_is_inside() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("b"), "").unwrap();
        fs::create_dir(home.path().join("c")).unwrap();
        symlink("c", home.path().join("a")).unwrap();
        let opened = Opened::at(home.path()).unwrap();
        let found: Vec<(String, Kind)> = (opened.directory.entries().unwrap().into_iter())
            .map(|(name, kind)| (name.into_string().unwrap(), kind))
            .collect();
        let expected = [("a", Kind::Link), ("b", Kind::File), ("c", Kind::Directory)];
        assert_eq!(found, expected.map(|(name, kind)| (name.to_owned(), kind)));
        assert_eq!(opened.subdirectories().unwrap(), [("c".to_owned(), home.path().join("c"))]);
        assert_eq!(opened.directory.read_link("a").unwrap(), Path::new("c"));
        assert_eq!(Opened::at(&home.path().join("a")).unwrap_err().kind(), ErrorKind::NotADirectory);
    }
}
