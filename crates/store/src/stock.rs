//! What is in the store, without changing anything: which entries there are, where they came from, how much room they take.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use pinfold_artifact::Sha256;

use crate::artifacts::Record;
use crate::disk;
use crate::root::Kind;
use crate::tree::{FILES, MANIFEST, read_manifest};
use crate::{Damage, Store, StoreError, StoredTree, TreeManifest};

/// How many entries there are, and the room that they take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Room {
    /// Entries.
    pub entries: u64,
    /// Files in them.
    pub files: u64,
    /// Bytes of the files.
    pub bytes: u64,
    /// Of these, bytes of files that have other names too, as in environments: removing the entry does not free them.
    pub shared_bytes: u64,
}

impl Room {
    /// Returns both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            entries: self.entries.saturating_add(other.entries),
            files: self.files.saturating_add(other.files),
            bytes: self.bytes.saturating_add(other.bytes),
            shared_bytes: self.shared_bytes.saturating_add(other.shared_bytes),
        }
    }

    /// Returns the bytes that are free once the entries are gone.
    pub const fn freed_bytes(&self) -> u64 {
        self.bytes.saturating_sub(self.shared_bytes)
    }

    /// Measures one file or directory; what cannot be looked at counts nothing.
    pub fn of(path: &Path) -> Self {
        let mut room = Self { entries: 1, ..Self::default() };
        let mut waiting = vec![path.to_owned()];
        while let Some(path) = waiting.pop() {
            let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
            if metadata.is_dir() {
                waiting.extend(fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
            } else {
                room.files = room.files.saturating_add(1);
                room.bytes = room.bytes.saturating_add(metadata.len());
                let shared = if disk::has_other_names(&metadata) { metadata.len() } else { 0 };
                room.shared_bytes = room.shared_bytes.saturating_add(shared);
            }
        }
        room
    }
}

/// Notes that an entry is used, by the time of its manifest or record; once a day is enough for [`Store::last_used`].
pub(crate) fn note_use(path: &Path, used: Option<SystemTime>) {
    if used.is_some_and(|time| time.elapsed().is_ok_and(|age| age > USE_PRECISION)) {
        // Whoever may not note it may not prune either.
        let _noted = File::open(path).and_then(|file| file.set_modified(SystemTime::now()));
    }
}

impl Store {
    /// Returns when an entry was last used, to within a day; nothing if there is none.
    pub fn last_used(&self, sha256: &Sha256) -> Option<SystemTime> {
        let (artifact, tree) = (self.artifact_path(sha256), self.tree_path(sha256));
        let paths = [tree.join(MANIFEST), tree, artifact.with_extension("from"), artifact];
        paths.iter().find_map(|path| fs::symlink_metadata(path).and_then(|metadata| metadata.modified()).ok())
    }

    /// Returns the digests of the artifacts whose bytes are in the store, sorted.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn artifacts(&self) -> Result<Vec<Sha256>, StoreError> {
        self.digests(Kind::Artifacts)
    }

    /// Returns the digests of the artifacts whose trees are in the store, sorted.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn trees(&self) -> Result<Vec<Sha256>, StoreError> {
        self.digests(Kind::Trees)
    }

    /// Returns a tree as its manifest says, or nothing if there is none or its manifest or its directory of files is damaged,
    /// or may not be read.
    /// Puts nothing aside.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn peek_tree(&self, sha256: &Sha256) -> Result<Option<StoredTree>, StoreError> {
        let path = self.tree_path(sha256);
        // Nor a link to a tree of somebody else's, or to itself.
        if fs::symlink_metadata(&path).is_ok_and(|found| !found.is_dir()) {
            return Ok(None);
        }
        let (bytes, used) = match read_manifest(&path.join(MANIFEST)) {
            Ok(Some(read)) => read,
            Ok(None) => return Ok(None),
            Err(error) if disk::is_denied(&error) => return Ok(None),
            Err(error) => return Err(StoreError::io("read", &path.join(MANIFEST))(error)),
        };
        // Neither gone, nor a link to somebody else's files.
        match fs::symlink_metadata(path.join(FILES)) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => return Ok(None),
            Err(error) if disk::is_absence(&error) || disk::is_denied(&error) => return Ok(None),
            Err(error) => return Err(StoreError::io("look at", &path.join(FILES))(error)),
        }
        let manifest = TreeManifest::from_bytes(&bytes, sha256);
        let tree = |(manifest, written)| {
            let mut tree = StoredTree::new(*sha256, path.join(FILES), Arc::new(manifest), written);
            tree.used = used;
            tree
        };
        Ok(manifest.map(tree))
    }

    /// Returns true if there is anything in the place of a tree, whatever it is.
    pub fn has_tree(&self, sha256: &Sha256) -> bool {
        !fs::symlink_metadata(self.tree_path(sha256)).is_err_and(|error| disk::is_absence(&error))
    }

    /// Returns what is wrong with a tree whose manifest cannot be read, or whose files are gone altogether.
    pub fn unreadable(&self, sha256: &Sha256) -> Damage {
        let expected = "a manifest with its digest, and files".to_owned();
        let found = "a damaged manifest or none, no directory of files, or what may not be read".to_owned();
        Damage { artifact: *sha256, path: String::new(), expected, found }
    }

    /// Returns the indexes that an artifact was admitted from.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn origins(&self, sha256: &Sha256) -> Result<Vec<String>, StoreError> {
        Ok(Record::of(self, sha256)?.origins().map(str::to_owned).collect())
    }

    /// Returns what each kind of entries takes, under its name: `artifacts`, `partial`, `quarantine`, `staging`, `trees`.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn rooms(&self) -> Result<BTreeMap<&'static str, Room>, StoreError> {
        let mut rooms = BTreeMap::new();
        for kind in Kind::ALL {
            let room = match kind {
                Kind::Artifacts => self.artifact_rooms()?,
                Kind::Trees => {
                    self.trees()?.iter().map(|it| Room::of(&self.tree_path(it))).fold(Room::default(), Room::and)
                }
                Kind::Partial | Kind::Quarantine | Kind::Staging => self.leftover_room(kind)?,
            };
            rooms.insert(kind.name(), room);
        }
        Ok(rooms)
    }

    /// Artifacts are counted by their bytes; the records beside them count as files.
    fn artifact_rooms(&self) -> Result<Room, StoreError> {
        let directory = self.kind_dir(Kind::Artifacts);
        let all = Room::of(&directory);
        Ok(Room { entries: self.artifacts()?.len() as u64, ..all })
    }

    fn leftover_room(&self, kind: Kind) -> Result<Room, StoreError> {
        let directory = self.kind_dir(kind);
        let names = list(&directory)?;
        Ok(names.iter().map(|name| Room::of(&directory.join(name))).fold(Room::default(), Room::and))
    }

    /// Returns what is below a directory of the store that holds entries by digest.
    fn digests(&self, kind: Kind) -> Result<Vec<Sha256>, StoreError> {
        let mut found = Vec::new();
        let directory = self.kind_dir(kind);
        for shard in list(&directory)? {
            for name in list(&directory.join(&shard))? {
                found.extend(name.parse::<Sha256>().ok().filter(|_| name.starts_with(&shard)));
            }
        }
        found.sort_unstable();
        Ok(found)
    }
}

/// Returns the names in a directory of the store; none if it is no directory. One that was closed is opened again.
pub(crate) fn list(directory: &Path) -> Result<Vec<String>, StoreError> {
    let entries = match disk::with_rights(directory, disk::LOOK_INTO, || fs::read_dir(directory)) {
        Ok(entries) => entries,
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(Vec::new()),
        Err(error) => return Err(StoreError::io("list", directory)(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(StoreError::io("list", directory))?;
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    Ok(names)
}

/// How exactly the store remembers when an entry was used.
const USE_PRECISION: Duration = Duration::from_secs(24 * 60 * 60);
