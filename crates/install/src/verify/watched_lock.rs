//! The lock of an environment that is watched: it may be edited or replaced meanwhile, and then it says something else.
//!
//! An editor writes into the file, or renames another one to its name. So the file is watched, and its name in the directory that
//! it is in; where it is a link, the name in the directory of what it leads to as well. Links between the two are not.

use std::os::fd::OwnedFd;
use std::path::Path;

use pinfold_artifact::Sha256;
use pinfold_lock::Lock;
use rustix::fs::inotify::{self, WatchFlags};
use rustix::io::Errno;

use super::lock::compare;
use super::{Finding, FindingCode, Report, interpreter_stays};
use crate::Receipt;

/// A lock that may change while its environment is watched.
#[derive(Clone, Copy)]
pub struct WatchedLock<'l> {
    /// Where it lies.
    pub path: &'l Path,
    /// Reads it: what it says, and the digest of its bytes; or why it cannot be read.
    pub read: &'l dyn Fn() -> Result<(Lock, Sha256), String>,
}

/// What the lock says.
pub(super) struct Known {
    /// The last that could be read.
    pub(super) lock: Lock,
    pub(super) sha256: Sha256,
    /// Why there is none that can be read now.
    unreadable: Option<String>,
}

impl Known {
    /// Takes what was read now. What cannot be read says nothing: what was known before stays.
    pub(super) fn learn(&mut self, read: Result<(Lock, Sha256), String>) {
        match read {
            Ok((lock, sha256)) => *self = Self::from((lock, sha256)),
            Err(reason) => self.unreadable = Some(reason),
        }
    }

    /// Returns what is wrong where no file of the environment is: its receipt against the lock, and its interpreter.
    pub(super) fn findings(&self, header: &Receipt) -> Vec<Finding> {
        let mut report = Report::default();
        // What it selects is of no use here.
        let _selection = compare(header, &self.lock, &self.sha256, &mut report);
        interpreter_stays(&header.interpreter, &mut report);
        report.findings.extend(self.unreadable(header));
        report.findings
    }

    /// Returns the finding that there is no lock that can be read.
    pub(super) fn unreadable(&self, header: &Receipt) -> Option<Finding> {
        let expected = format!("lock sha256 {}", header.lock_sha256);
        Some(Finding::new(FindingCode::LockChanged, "", expected, self.unreadable.clone()?))
    }
}

impl From<(Lock, Sha256)> for Known {
    fn from((lock, sha256): (Lock, Sha256)) -> Self {
        Self { lock, sha256, unreadable: None }
    }
}

/// Where the system is asked about a lock.
#[derive(Debug, Default)]
pub(super) struct LockPlaces {
    /// Directories, and its name in each.
    names: Vec<(i32, Vec<u8>)>,
    /// The file.
    file: Option<i32>,
}

impl LockPlaces {
    /// Watches a lock where it is now. A place that is gone is none.
    ///
    /// # Errors
    /// What the system says; [`Errno::NOSPC`] if it watches no more.
    pub(super) fn watch(&mut self, inotify: &OwnedFd, path: &Path) -> Result<(), Errno> {
        let end = std::fs::canonicalize(path).ok();
        self.names.clear();
        for place in [Some(path), end.as_deref()].into_iter().flatten() {
            let Some(name) = place.file_name() else { continue };
            let directory = place.parent().filter(|parent| !parent.as_os_str().is_empty());
            let watch = add(inotify, directory.unwrap_or(Path::new(".")), NAMES)?;
            self.names.extend(watch.map(|watch| (watch, name.as_encoded_bytes().to_vec())));
        }
        let file = add(inotify, path, BYTES)?;
        if let Some(former) = std::mem::replace(&mut self.file, file).filter(|former| Some(*former) != file) {
            // The system has ended it already where the former file is gone.
            let _ended = inotify::remove_watch(inotify, former);
        }
        Ok(())
    }

    /// Returns whether what the system tells is of the lock.
    pub(super) fn are_told_of(&self, watch: i32, name: Option<&[u8]>) -> bool {
        self.file == Some(watch) || self.names.iter().any(|(at, own)| *at == watch && name == Some(own))
    }
}

/// Watches a place for these too: it may be watched for something else already.
fn add(inotify: &OwnedFd, path: &Path, flags: WatchFlags) -> Result<Option<i32>, Errno> {
    match inotify::add_watch(inotify, path, flags.union(WatchFlags::MASK_ADD)) {
        Ok(watch) => Ok(Some(watch)),
        Err(Errno::ACCESS | Errno::LOOP | Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Another file under a name. What is written into the files of a directory is not asked for: there may be much of it, and
/// nothing of the lock.
const NAMES: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::ONLYDIR);
/// Other bytes, and whether they may be read.
const BYTES: WatchFlags = WatchFlags::ATTRIB.union(WatchFlags::CLOSE_WRITE).union(WatchFlags::MODIFY);
