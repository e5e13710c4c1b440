//! Work on files relative to an open directory: one look-up of the directory for all files in it, and no way out of it
//! through a link that somebody puts in place meanwhile.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

#[cfg(not(unix))]
mod other;
#[cfg(test)]
#[cfg(unix)]
mod tests;
#[cfg(unix)]
mod unix;

#[cfg(not(unix))]
pub(crate) use other::{Directory, Room, reflink};
#[cfg(unix)]
pub(crate) use unix::{Directory, Room, reflink};

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
        return self.owner == unix::own_user();
        #[cfg(not(unix))]
        true
    }
}

/// Who may write beside the owner.
pub(crate) const OTHERS_WRITE: u32 = 0o022;

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

/// Opens the directory at a path below an open one; each on the way is opened from the one before, through no link. Empty is
/// that one.
pub(crate) fn open_below(root: &Directory, path: &str) -> io::Result<Directory> {
    let mut segments = path.split('/');
    let mut opened = root.open_in(segments.next().unwrap_or_default())?;
    for segment in segments {
        opened = opened.open_in(segment)?;
    }
    Ok(opened)
}

/// Opens the directory that a path below an open one is in, as [`open_below`] does, and returns it with the name there.
pub(crate) fn reach<'p>(root: &Directory, path: &'p str) -> io::Result<(Directory, &'p str)> {
    let (directory, name) = split(path);
    Ok((open_below(root, directory)?, name))
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
