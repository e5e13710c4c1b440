//! Unpacked artifacts: made once in a staging directory, listed, renamed into place, and from then on only linked from.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use pinfold_artifact::{ArchivePath, Sha256};

use crate::boot::Boot;
use crate::disk::{self, Directory, Facts};
use crate::root::rename_into;
use crate::{Store, StoreError, Stored, TreeFile, TreeManifest};

/// An unpacked artifact in the store.
#[derive(Debug, Clone)]
pub struct StoredTree {
    sha256: Sha256,
    files_dir: PathBuf,
    manifest: Arc<TreeManifest>,
    /// The start of the machine under which it was written.
    pub(crate) written: Boot,
    /// When it was last used, if that is known.
    pub(crate) used: Option<SystemTime>,
}

impl StoredTree {
    pub(crate) const fn new(sha256: Sha256, files_dir: PathBuf, manifest: Arc<TreeManifest>, written: Boot) -> Self {
        Self { sha256, files_dir, manifest, written, used: None }
    }

    /// Returns the directory of the entry, in which the manifest is.
    pub(crate) fn directory(&self) -> &Path {
        self.files_dir.parent().unwrap_or(&self.files_dir)
    }

    /// Returns the digest of the artifact that was unpacked.
    pub const fn sha256(&self) -> &Sha256 {
        &self.sha256
    }

    /// Returns the directory that the manifest's paths are relative to. Link from it; never write to it.
    pub fn files_dir(&self) -> &Path {
        &self.files_dir
    }

    /// Returns the list of files, directory by directory.
    pub fn manifest(&self) -> &TreeManifest {
        &self.manifest
    }
}

/// A file of a stored tree that is not as it was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeChange {
    /// The file.
    pub path: ArchivePath,
    /// What is different.
    pub difference: TreeDifference,
}

/// How a file of a stored tree differs from what was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TreeDifference {
    /// It is no longer there, or is no regular file.
    Missing,
    /// Its permission bits are others.
    Mode,
    /// It was written to.
    Modified,
    /// It belongs to another user.
    Owner,
    /// Another file is in its place.
    Replaced,
    /// It has another size.
    Size,
}

impl Store {
    /// Returns the unpacked tree of an artifact. One whose manifest is damaged, or whose files are gone, is put aside and
    /// counts as absent.
    ///
    /// Reads the manifest only; [`Store::check_tree`] looks at the files.
    ///
    /// # Errors
    /// [`StoreError::Stuck`] if it is damaged and cannot be put aside; [`StoreError::Io`].
    pub fn tree(&self, sha256: &Sha256) -> Result<Option<StoredTree>, StoreError> {
        self.tree_after(sha256, || ())
    }

    /// As [`Store::tree`]; `between` is what others do between the first look and the second.
    pub(crate) fn tree_after(&self, sha256: &Sha256, between: impl FnOnce()) -> Result<Option<StoredTree>, StoreError> {
        if let Some(tree) = self.believed().get(sha256) {
            return Ok(Some(tree.clone()));
        }
        if let Some(tree) = self.peek_tree(sha256)? {
            return Ok(Some(tree));
        }
        between();
        let path = self.tree_path(sha256);
        disk::give_back(path.parent().unwrap_or(&path), disk::LOOK_INTO);
        // An entry appears whole: what is there now and is no tree when it is looked at again is a damaged one. What is no
        // tree at the first look may have appeared since.
        let Ok(seen) = fs::symlink_metadata(&path) else { return Ok(None) };
        if let Some(tree) = self.peek_tree(sha256)? {
            return Ok(Some(tree));
        }
        let damage = self.unreadable(sha256);
        if self.put_this_aside(&path, &seen).map_err(StoreError::stuck(&damage))? {
            self.note(vec![damage]);
        }
        Ok(None)
    }

    /// Unpacks an artifact: `fill` writes the files into the empty directory that it is given, and returns their list.
    /// The store makes them read-only (it is quicker to create them with mode 0444 or 0555), adds their stamps, and moves
    /// the tree into place. If somebody else was quicker, theirs is returned.
    ///
    /// # Errors
    /// What `fill` returns; [`StoreError::Io`] where the disk fails; [`StoreError::Staging`] if the list does not fit the
    /// files. Nothing is left behind.
    pub fn add_tree<E: From<StoreError>>(
        &self,
        stored: &Stored,
        fill: impl FnOnce(&Path) -> Result<TreeManifest, E>,
    ) -> Result<StoredTree, E> {
        let staging = self.staging_dir();
        let staged = tempfile::Builder::new()
            .prefix(&format!("{}.", stored.sha256().short()))
            .tempdir_in(&staging)
            .map_err(StoreError::io("create a directory in", &staging))?;
        let files_dir = staged.path().join(FILES);
        fs::create_dir(&files_dir).map_err(StoreError::io("create the directory", &files_dir))?;
        let mut manifest = fill(&files_dir)?;
        manifest.sort();
        settle(&files_dir, &mut manifest)?;
        let manifest_path = staged.path().join(MANIFEST);
        fs::write(&manifest_path, manifest.to_bytes(stored.sha256(), self.boot))
            .map_err(StoreError::io("write", &manifest_path))?;
        Ok(self.move_in(staged, stored.sha256(), manifest)?)
    }

    fn move_in(
        &self,
        staged: tempfile::TempDir,
        sha256: &Sha256,
        manifest: TreeManifest,
    ) -> Result<StoredTree, StoreError> {
        let path = self.tree_path(sha256);
        for _ in 0..MOVE_ATTEMPTS {
            match rename_into(staged.path(), &path) {
                Ok(()) => {
                    // The directory has moved: there is nothing left to remove.
                    let _former_path = staged.keep();
                    let files_dir = path.join(FILES);
                    return Ok(StoredTree::new(*sha256, files_dir, Arc::new(manifest), self.boot));
                }
                Err(error) if path.exists() => match self.tree(sha256)? {
                    Some(winner) => return Ok(winner),
                    // A damaged one was in the way; `tree` has put it aside.
                    None => drop(error),
                },
                Err(error) => return Err(StoreError::io("move into the store", &path)(error)),
            }
        }
        Err(StoreError::io("move into the store", &path)(io::ErrorKind::ResourceBusy.into()))
    }

    /// Compares every file's size, time, mode, owner and inode with the manifest, without reading any. Returns what differs.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn check_tree(&self, tree: &StoredTree) -> Result<Vec<TreeChange>, StoreError> {
        let mut changes = Vec::new();
        let looked = each_file_where(&tree.files_dir, &tree.manifest.files, disk::is_denied, |_, file, facts| {
            if let Some(difference) = difference(file, facts) {
                changes.push(TreeChange { path: file.path.clone(), difference });
            }
            Ok(())
        });
        match looked {
            // The directory of files itself: not one of them can be looked at, or somebody else has put all of them aside.
            Err(StoreError::Io { source, .. }) if disk::is_denied(&source) || disk::is_absence(&source) => {
                let missing =
                    |file: &TreeFile| TreeChange { path: file.path.clone(), difference: TreeDifference::Missing };
                Ok(tree.manifest.files.iter().map(missing).collect())
            }
            looked => looked.map(|()| changes),
        }
    }

    /// Moves a tree out of the way: the next [`Store::tree`] does not see it. Links to its files stay what they are. If another
    /// one is in its place by now, that one stays.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn quarantine(&self, tree: &StoredTree) -> Result<(), StoreError> {
        let was_believed = self.believed().remove(&tree.sha256).is_some();
        if !was_believed && self.peek_tree(&tree.sha256)?.is_some_and(|present| present.manifest != tree.manifest) {
            return Ok(());
        }
        self.put_aside(&self.tree_path(&tree.sha256)).map(drop)
    }
}

fn difference(file: &TreeFile, facts: Option<Facts>) -> Option<TreeDifference> {
    let Some(facts) = facts else { return Some(TreeDifference::Missing) };
    if facts.size_bytes != file.size_bytes {
        return Some(TreeDifference::Size);
    }
    if facts.stamp.inode != file.stamp.inode {
        return Some(TreeDifference::Replaced);
    }
    if facts.stamp.mtime_ns != file.stamp.mtime_ns {
        return Some(TreeDifference::Modified);
    }
    if !facts.is_ours() {
        return Some(TreeDifference::Owner);
    }
    (facts.mode != disk::read_only_mode(file.executable)).then_some(TreeDifference::Mode)
}

/// Checks that exactly the listed files are there, makes them read-only and notes their stamps.
fn settle(files_dir: &Path, manifest: &mut TreeManifest) -> Result<(), StoreError> {
    if let Some(pair) = manifest.files.windows(2).find(|pair| pair[0].path == pair[1].path) {
        return Err(staging_error(pair[0].path.as_str(), "one entry", "two"));
    }
    let mut stamps = Vec::with_capacity(manifest.files.len());
    each_file(files_dir, &manifest.files, |directory, file, facts| {
        let Some(facts) = facts else { return Err(staging_error(file.path.as_str(), "a regular file", "none")) };
        if facts.size_bytes != file.size_bytes {
            let (expected, found) = (format!("{} bytes", file.size_bytes), format!("{} bytes", facts.size_bytes));
            return Err(staging_error(file.path.as_str(), &expected, &found));
        }
        let mode = disk::read_only_mode(file.executable);
        if facts.mode != mode {
            let path = files_dir.join(file.path.as_str());
            let (_, name) = file.directory_and_name();
            directory.set_mode(name, mode).map_err(StoreError::io("make read-only", &path))?;
        }
        stamps.push(facts.stamp);
        Ok(())
    })?;
    for (file, stamp) in manifest.files.iter_mut().zip(stamps) {
        file.stamp = stamp;
    }
    let found = files_below(files_dir)?.len();
    if found != manifest.files.len() {
        return Err(staging_error("", &format!("{} files", manifest.files.len()), &format!("{found} files")));
    }
    Ok(())
}

/// Calls `look` for each file of a sorted list, with the directory that it is in. Opens each directory once.
pub(crate) fn each_file(
    files_dir: &Path,
    files: &[TreeFile],
    look: impl FnMut(&Directory, &TreeFile, Option<Facts>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    each_file_where(files_dir, files, |_| false, look)
}

/// As [`each_file`]; a file is missing too where looking at it fails in such a way.
fn each_file_where(
    files_dir: &Path,
    files: &[TreeFile],
    is_missing: impl Fn(&io::Error) -> bool,
    mut look: impl FnMut(&Directory, &TreeFile, Option<Facts>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let root = Directory::open(files_dir).map_err(StoreError::io("open", files_dir))?;
    for group in files.chunk_by(|a, b| a.directory_and_name().0 == b.directory_and_name().0) {
        let (name, _) = group[0].directory_and_name();
        let path = if name.is_empty() { files_dir.to_owned() } else { files_dir.join(name) };
        let directory = match root.open_below(name) {
            Ok(directory) => Some(directory),
            Err(error) if disk::is_absence(&error) || is_missing(&error) => None,
            Err(error) => return Err(StoreError::io("open", &path)(error)),
        };
        // Without its directory a file is missing; any directory serves to say so.
        let Some(directory) = directory else {
            for file in group {
                look(&root, file, None)?;
            }
            continue;
        };
        for file in group {
            let (_, name) = file.directory_and_name();
            let facts = match directory.facts(name) {
                Err(error) if is_missing(&error) => None,
                facts => facts.map_err(StoreError::io("look into", &path))?,
            };
            look(&directory, file, facts)?;
        }
    }
    Ok(())
}

/// Returns the files of a tree that are not in its list.
pub(crate) fn unlisted(tree: &StoredTree) -> Result<Vec<String>, StoreError> {
    let listed: BTreeSet<&str> = tree.manifest.files.iter().map(|file| file.path.as_str()).collect();
    let mut found = files_below(&tree.files_dir)?;
    found.retain(|path| !listed.contains(path.as_str()));
    found.sort_unstable();
    Ok(found)
}

/// Returns everything below a directory that is no directory itself.
fn files_below(root: &Path) -> Result<Vec<String>, StoreError> {
    let mut found = Vec::new();
    let mut waiting = vec![(root.to_owned(), String::new())];
    while let Some((directory, prefix)) = waiting.pop() {
        for entry in fs::read_dir(&directory).map_err(StoreError::io("list", &directory))? {
            let entry = entry.map_err(StoreError::io("list", &directory))?;
            let kind = entry.file_type().map_err(StoreError::io("look into", &directory))?;
            let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if kind.is_dir() {
                waiting.push((entry.path(), path + "/"));
            } else {
                found.push(path);
            }
        }
    }
    Ok(found)
}

/// Returns the bytes of a manifest and when it was last used; nothing if there is none.
pub(crate) fn read_manifest(path: &Path) -> io::Result<Option<(Vec<u8>, Option<SystemTime>)>> {
    let Some(file) = disk::open_own(path)? else { return Ok(None) };
    let metadata = file.metadata()?;
    let length = metadata.len().min(MANIFEST_BYTES);
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
    file.take(MANIFEST_BYTES).read_to_end(&mut bytes)?;
    Ok(Some((bytes, metadata.modified().ok())))
}

fn staging_error(path: &str, expected: &str, found: &str) -> StoreError {
    StoreError::Staging { path: path.to_owned(), expected: expected.to_owned(), found: found.to_owned() }
}

pub(crate) const MANIFEST: &str = "manifest";
pub(crate) const FILES: &str = "files";
/// How often a tree is moved to its place while damaged ones appear there.
const MOVE_ATTEMPTS: usize = 3;
/// Bytes of a manifest: as many files as an archive may have, each with the longest path.
const MANIFEST_BYTES: u64 = 256 << 20;
