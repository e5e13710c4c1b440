//! An sdist, unpacked strictly: one top-level directory, files, directories and links to files inside it, bounded.
//!
//! What a `.tar.gz` means is told by [`tar`], which knows only the few kinds of entries that build tools write. A
//! `.zip` goes through the same layout check as a wheel. An sdist has no RECORD: its digest in the lock is what vouches
//! for it.

mod pack;
mod tar;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use pinfold_artifact::{ArchivePath, Limits};

use crate::{ArchiveError, Extractor, portable_fold, read_layout};

pub use pack::Packer;

/// The two formats of an sdist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `.tar.gz`.
    TarGz,
    /// `.zip`.
    Zip,
}

/// One entry of an sdist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its path, the top-level directory included.
    pub path: ArchivePath,
    /// What it is.
    pub kind: EntryKind,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    /// A directory.
    Directory,
    /// A file.
    File {
        /// Whether any execute bit is set.
        executable: bool,
        /// Its size.
        size_bytes: u64,
    },
    /// A symbolic or hard link to a file of the same sdist. Links are given out last; the caller makes a copy of the
    /// file, so that nothing can be written through a link (SD02).
    LinkedFile {
        /// The file that is meant.
        target: ArchivePath,
    },
}

impl Format {
    /// Returns the format that a file name tells, if it is one of the two.
    pub fn of(filename: &str) -> Option<Self> {
        match filename {
            name if name.ends_with(".tar.gz") => Some(Self::TarGz),
            name if name.ends_with(".zip") => Some(Self::Zip),
            _ => None,
        }
    }
}

/// Reads an sdist and gives every entry to `sink`, with a reader over a file's bytes. Returns the name of the
/// top-level directory. What `sink` was given may be used only if this returns `Ok`.
///
/// # Errors
/// Everything of `ATTACKS.md` 6, SD01 to SD07; an error of `sink` as [`ArchiveError::Io`].
pub fn unpack<R: Read + Seek>(
    archive: &mut R,
    format: Format,
    sink: &mut dyn FnMut(&Entry, &mut dyn Read) -> io::Result<()>,
) -> Result<String, ArchiveError> {
    let mut entries = Entries::default();
    match format {
        Format::TarGz => {
            let failed = |source| ArchiveError::Io { doing: "its size", source };
            let packed_bytes = archive.seek(SeekFrom::End(0)).map_err(failed)?;
            archive.seek(SeekFrom::Start(0)).map_err(failed)?;
            tar::read(&mut BufReader::with_capacity(READ_BYTES, archive), packed_bytes, &mut entries, sink)?;
        }
        Format::Zip => unpack_zip(archive, &mut entries, sink)?,
    }
    entries.give_links(sink)
}

/// Returns the bytes of the file `name` directly below the top-level directory, for instance `pyproject.toml`, after
/// reading the whole archive.
///
/// # Errors
/// As [`unpack`].
pub fn read_top_level<R: Read + Seek>(
    archive: &mut R,
    format: Format,
    name: &str,
) -> Result<Option<Vec<u8>>, ArchiveError> {
    let found = read_some(archive, format, &mut |path, _| path == name)?;
    Ok(found.into_iter().next().map(|(_, bytes)| bytes))
}

/// Returns the files that `is_wanted` names by their paths below the top-level directory and their sizes, after reading the
/// whole archive.
///
/// # Errors
/// As [`unpack`]; also if one of them is larger than metadata may be.
pub fn read_some<R: Read + Seek>(
    archive: &mut R,
    format: Format,
    is_wanted: &mut dyn FnMut(&str, u64) -> bool,
) -> Result<Vec<(String, Vec<u8>)>, ArchiveError> {
    let mut found: Vec<(String, Vec<u8>)> = Vec::new();
    unpack(archive, format, &mut |entry, reader| {
        let EntryKind::File { size_bytes, .. } = entry.kind else { return Ok(()) };
        let below = entry.path.as_str().split_once('/').map(|(_, below)| below);
        let Some(below) = below.filter(|below| is_wanted(below, size_bytes)) else { return Ok(()) };
        if size_bytes > Limits::METADATA_BYTES {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("{below} has {size_bytes} bytes")));
        }
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes)?;
        found.push((below.to_owned(), bytes));
        Ok(())
    })?;
    Ok(found)
}

const READ_BYTES: usize = 64 << 10;

/// What has been seen so far of an sdist: each path once, one top-level directory.
#[derive(Default)]
struct Entries {
    top: Option<String>,
    /// By fold, so that twins are found: the path, and whether it is a directory.
    seen: BTreeMap<String, (ArchivePath, Kind)>,
    links: Vec<(ArchivePath, ArchivePath, String)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Directory,
    /// A directory that only the paths below it tell of.
    ImpliedDirectory,
    File,
    Link,
}

impl Entries {
    /// Admits a path, or refuses it: twins, files as directories, a second top-level directory (SD02, SD06).
    fn admit(&mut self, path: &ArchivePath, kind: Kind) -> Result<(), ArchiveError> {
        let limit = Limits::ARCHIVE_MEMBERS as u64;
        if self.seen.len() as u64 >= limit {
            return Err(ArchiveError::Bomb { what: "the number of members", found: limit + 1, limit });
        }
        let top = path.segments().next().unwrap_or_default();
        let first = self.top.get_or_insert_with(|| top.to_owned());
        if first != top {
            return Err(ArchiveError::Layout { offset: 0, problem: "an sdist has one top-level directory" });
        }
        if path.parent().is_none() && kind != Kind::Directory {
            return Err(ArchiveError::Layout {
                offset: 0,
                problem: "an sdist has one top-level directory, not a file",
            });
        }
        let mut parent = path.parent();
        while let Some(directory) = parent {
            match self.seen.get(&portable_fold(directory.as_str())) {
                Some((_, Kind::Directory | Kind::ImpliedDirectory)) => break,
                Some((found, _)) => return Err(twins(found, path)),
                None => {
                    self.seen.insert(portable_fold(directory.as_str()), (directory.clone(), Kind::ImpliedDirectory));
                }
            }
            parent = directory.parent();
        }
        match self.seen.insert(portable_fold(path.as_str()), (path.clone(), kind)) {
            None => Ok(()),
            Some((_, Kind::ImpliedDirectory)) if kind == Kind::Directory => Ok(()),
            // Directories of different case are one directory elsewhere, which hides nothing.
            Some((found, Kind::Directory)) if kind == Kind::Directory && found != *path => Ok(()),
            Some((found, _)) => Err(twins(&found, path)),
        }
    }

    /// Admits a link; where it points is looked at when all entries are known. A symbolic link's target is relative to
    /// the directory of the link, a hard link's to the archive.
    fn admit_link(&mut self, path: ArchivePath, target: &str, is_symbolic: bool) -> Result<(), ArchiveError> {
        self.admit(&path, Kind::Link)?;
        let base = if is_symbolic { path.parent() } else { None };
        match resolve(base.as_ref(), target) {
            Some(resolved) => {
                self.links.push((path, resolved, target.to_owned()));
                Ok(())
            }
            None => Err(bad_link(&path, target, "it leaves the archive")),
        }
    }

    fn give_links(self, sink: &mut dyn FnMut(&Entry, &mut dyn Read) -> io::Result<()>) -> Result<String, ArchiveError> {
        for (path, target, written) in self.links {
            match self.seen.get(&portable_fold(target.as_str())) {
                Some((found, Kind::File)) if *found == target => {
                    give(sink, &Entry { path, kind: EntryKind::LinkedFile { target } }, &mut io::empty())?;
                }
                _ => return Err(bad_link(&path, &written, "it points at no file of the archive")),
            }
        }
        self.top.ok_or(ArchiveError::Layout { offset: 0, problem: "the sdist is empty" })
    }
}

/// Follows a link's text from `base`, never above the archive's root.
fn resolve(base: Option<&ArchivePath>, target: &str) -> Option<ArchivePath> {
    if target.starts_with('/') || target.len() > Limits::PATH_BYTES {
        return None;
    }
    let mut segments: Vec<&str> = base.map(|base| base.segments().collect()).unwrap_or_default();
    for segment in target.split('/') {
        match segment {
            "." => {}
            ".." => {
                segments.pop()?;
            }
            other => segments.push(other),
        }
    }
    segments.join("/").parse().ok()
}

fn bad_link(path: &ArchivePath, target: &str, problem: &'static str) -> ArchiveError {
    let target = crate::error::shown(target.as_bytes());
    ArchiveError::Link { path: path.as_str().to_owned(), target, problem }
}

fn twins(first: &ArchivePath, second: &ArchivePath) -> ArchiveError {
    ArchiveError::DuplicateMember { first: first.as_str().to_owned(), second: second.as_str().to_owned() }
}

fn give(
    sink: &mut dyn FnMut(&Entry, &mut dyn Read) -> io::Result<()>,
    entry: &Entry,
    reader: &mut dyn Read,
) -> Result<(), ArchiveError> {
    sink(entry, reader).map_err(|source| ArchiveError::Io { doing: "and writing an entry", source })
}

fn unpack_zip<R: Read + Seek>(
    archive: &mut R,
    entries: &mut Entries,
    sink: &mut dyn FnMut(&Entry, &mut dyn Read) -> io::Result<()>,
) -> Result<(), ArchiveError> {
    let layout = read_layout(archive)?;
    for path in layout.directories {
        entries.admit(&path, Kind::Directory)?;
        give(sink, &Entry { path, kind: EntryKind::Directory }, &mut io::empty())?;
    }
    let mut extractor = Extractor::new();
    for member in layout.members {
        entries.admit(&member.path, Kind::File)?;
        let failed = |source| ArchiveError::Io { doing: "a member", source };
        archive.seek(SeekFrom::Start(member.data_start)).map_err(failed)?;
        // A member is held in memory before it is given out: only then its checksum is known to be right.
        let (found, limit) = (member.unpacked_bytes, Limits::DIST_INFO_FILE_BYTES);
        if found > limit {
            return Err(ArchiveError::Bomb { what: "the size of a file in a zip sdist", found, limit });
        }
        let mut bytes = Vec::new();
        extractor.stream_member(&member, archive, &mut |piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        })?;
        let kind = EntryKind::File { executable: member.executable, size_bytes: member.unpacked_bytes };
        give(sink, &Entry { path: member.path, kind }, &mut bytes.as_slice())?;
    }
    Ok(())
}
