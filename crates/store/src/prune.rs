//! Making room, and reading everything again. Both are asked for by people; nothing here happens by itself.
//!
//! An entry is first moved out of its place by one rename and then removed, so that a process that dies in between leaves a
//! leftover and never half an entry. What a process uses is not removed: pruning needs the store for itself alone, see
//! [`Store::open_alone`].

use std::fs;
use std::io;
use std::path::Path;

use pinfold_artifact::Sha256;

use crate::artifacts::digest_of;
use crate::root::Kind;
use crate::stock::list;
use crate::{Damage, Room, Store, StoreError, disk};

/// What an entry takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EntryRoom {
    /// Its bytes as they were fetched, with their record.
    pub artifact: Room,
    /// Its tree.
    pub tree: Room,
}

impl Store {
    /// Returns every artifact of which there are bytes, a tree, or a record of where it came from; sorted.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn entries(&self) -> Result<Vec<Sha256>, StoreError> {
        let mut found = self.trees()?;
        let directory = self.kind_dir(Kind::Artifacts);
        for shard in list(&directory)? {
            for name in list(&directory.join(&shard))? {
                found.extend(name.strip_suffix(".from").unwrap_or(&name).parse::<Sha256>().ok());
            }
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// Returns what an entry takes.
    pub fn entry_room(&self, sha256: &Sha256) -> EntryRoom {
        let measured = |path: &Path| if fs::symlink_metadata(path).is_ok() { Room::of(path) } else { Room::default() };
        let path = self.artifact_path(sha256);
        let record = Room { entries: 0, ..measured(&path.with_extension("from")) };
        EntryRoom { artifact: measured(&path).and(record), tree: measured(&self.tree_path(sha256)) }
    }

    /// Removes an entry: bytes, tree and record.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn remove(&self, sha256: &Sha256) -> Result<(), StoreError> {
        let path = self.artifact_path(sha256);
        for path in [self.tree_path(sha256), path.clone(), path.with_extension("from")] {
            if disk::look_at(&path).is_ok() {
                let place = self.put_aside(&path)?;
                place.map_or(Ok(()), |place| remove_tree(&place))?;
            }
        }
        Ok(())
    }

    /// Returns what interrupted runs and damage left behind.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn leftovers(&self) -> Result<Room, StoreError> {
        let rooms = self.rooms()?;
        let of = |kind: &Kind| rooms.get(kind.name()).copied().unwrap_or_default();
        Ok(Kind::LEFTOVERS.iter().map(of).fold(Room::default(), Room::and))
    }

    /// Reads the bytes of an artifact again, and says what is wrong with them. Moves nothing. An artifact that has gone
    /// meanwhile is right.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn read_artifact(&self, sha256: &Sha256) -> Result<Option<Damage>, StoreError> {
        let path = self.artifact_path(sha256);
        let found = match disk::look_at(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Ok(metadata) if !metadata.is_file() => "no regular file".to_owned(),
            _ => match digest_of(&path) {
                Ok(found) if found == *sha256 => return Ok(None),
                Ok(found) => format!("sha256 {found}"),
                Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(StoreError::Io { source, .. }) => format!("bytes that cannot be read: {source}"),
                Err(error) => return Err(error),
            },
        };
        let expected = format!("sha256 {sha256}");
        Ok(Some(Damage { artifact: *sha256, path: String::new(), expected, found }))
    }

    /// Moves an artifact's bytes, with their record, or its tree out of the way.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn quarantine_entry(&self, sha256: &Sha256, part: Part) -> Result<(), StoreError> {
        let path = self.artifact_path(sha256);
        match part {
            Part::Artifact => self.put_aside(&path.with_extension("from")).and_then(|_| self.put_aside(&path)),
            Part::Tree => self.put_aside(&self.tree_path(sha256)),
        }
        .map(drop)
    }
}

/// A part of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The bytes as they were fetched.
    Artifact,
    /// What they were unpacked to.
    Tree,
}

/// Removes a directory with everything in it, also where directories in it are read-only or closed to their owner. None there is
/// no error.
///
/// # Errors
/// [`StoreError::Io`].
pub fn remove_tree(path: &Path) -> Result<(), StoreError> {
    match disk::remove_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::io("remove", path)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
