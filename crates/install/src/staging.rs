//! The directory in which a generation is built, and the step that puts it in place.
//!
//! While it is built, a marker is beside it: what a dying process left unfinished can then be told from what was taken out
//! of the environment's place, whatever is inside. Only the former is ever removed.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::disk::Opened;
use crate::exchange::{self, Method, Placed};
use crate::receipt::RECEIPT_DIRECTORY;
use crate::{EnvironmentGuard, InstallError, Receipt, generations, ledger, platform};

/// A complete generation that is not in place yet. Dropping it removes it.
#[derive(Debug)]
pub struct Staged<'a> {
    guard: &'a EnvironmentGuard,
    directory: StagingDirectory<'a>,
    receipt: Receipt,
    keep: usize,
}

impl<'a> Staged<'a> {
    pub(crate) fn new(
        guard: &'a EnvironmentGuard,
        directory: StagingDirectory<'a>,
        receipt: Receipt,
        keep: usize,
    ) -> Self {
        Self { guard, directory, receipt, keep }
    }

    /// Returns the receipt of the generation.
    pub const fn receipt(&self) -> &Receipt {
        &self.receipt
    }

    /// Returns the directory in which the generation was built.
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Returns it, as it was opened when it was made.
    pub(crate) const fn opened(&self) -> &Opened {
        &self.directory.opened
    }

    /// Puts the generation in place by one rename; the former one becomes history.
    ///
    /// # Errors
    /// [`InstallError::Io`]; the environment is then the former one.
    pub fn exchange(self) -> Result<Placed, InstallError> {
        self.exchange_by(Method::Best)
    }

    pub(crate) fn exchange_by(mut self, method: Method) -> Result<Placed, InstallError> {
        let guard = self.guard;
        self.directory.complete()?;
        let record = |receipt: &Receipt| ledger::reconcile(guard, receipt).map(drop);
        let placed = exchange::put_in_place(guard, &self.directory.opened, self.receipt, method, record)?;
        self.directory.is_kept = true;
        // What cannot be removed now is removed after the next install.
        let _ = generations::prune(guard, self.keep);
        Ok(placed)
    }
}

/// What a generation begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beginning {
    /// An empty directory.
    Empty,
    /// A former generation.
    Spare,
}

/// The directory of a generation that is being built; removed when dropped.
#[derive(Debug)]
pub(crate) struct StagingDirectory<'a> {
    guard: &'a EnvironmentGuard,
    opened: Opened,
    is_kept: bool,
}

impl<'a> StagingDirectory<'a> {
    /// Makes the directory: an empty one, or the `spare` if it can be had.
    pub(crate) fn make(
        guard: &'a EnvironmentGuard,
        generation: u64,
        spare: Option<&Path>,
    ) -> Result<(Self, Beginning), InstallError> {
        let (anchor, staging) = (guard.anchor(), guard.environment().staging());
        anchor.make_directory(&staging)?;
        let path = staging.join(exchange::staging_name(generation));
        // The lock is held and what a dying process left is put away, so nothing should be there.
        if anchor.has(&path)? {
            remove(guard, &path)?;
        }
        let marker = marker(&path);
        anchor.write_note(&marker, b"").map_err(InstallError::io("write", &marker))?;
        if let Some(spare) = spare
            && anchor.rename_new(spare, &path).is_ok()
        {
            let opened = anchor.open_directory(&path).map_err(InstallError::io("open", &path))?;
            return Ok((Self { guard, opened, is_kept: false }, Beginning::Spare));
        }
        Ok((Self { guard, opened: make(guard, path)?, is_kept: false }, Beginning::Empty))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.opened.path
    }

    pub(crate) const fn opened(&self) -> &Opened {
        &self.opened
    }

    /// Takes away a spare that is of no use. It may have something in it that cannot be removed, a place where something is
    /// mounted for one: then it stays with what waits to be removed.
    pub(crate) fn discard_spare(&mut self) -> Result<(), InstallError> {
        let (anchor, path) = (self.guard.anchor(), self.opened.path.clone());
        let discarded = self.guard.environment().discarded();
        anchor.make_directory(&discarded)?;
        let place = discarded.join(path.file_name().unwrap_or_default());
        anchor.rename_new(&path, &place).map_err(InstallError::io("remove", &path))?;
        self.opened = make(self.guard, path)?;
        generations::remove_discarded(self.guard);
        Ok(())
    }

    /// Removes what is in it.
    pub(crate) fn empty(&mut self) -> Result<(), InstallError> {
        let path = self.opened.path.clone();
        self.guard.anchor().remove_tree(&path).map_err(InstallError::io("remove", &path))?;
        self.opened = make(self.guard, path)?;
        Ok(())
    }

    /// Says that everything is written, once it is on the disk: a loss of power must find the old environment or this one.
    fn complete(&self) -> Result<(), InstallError> {
        let Opened { directory, path } = &self.opened;
        let settled = directory.open_in(RECEIPT_DIRECTORY).and_then(|receipt| platform::settle_files(&receipt));
        settled.map_err(InstallError::io("write to the disk", &path.join(RECEIPT_DIRECTORY)))?;
        self.guard.anchor().remove_file(&marker(path))
    }
}

impl Drop for StagingDirectory<'_> {
    fn drop(&mut self) {
        // Without the marker the directory may be what the exchange took out; the next lock looks.
        let path = &self.opened.path;
        if !self.is_kept && is_being_built(self.guard, path).unwrap_or(false) {
            // What stays is removed when the environment is locked next.
            let _ = remove(self.guard, path).and_then(|()| exchange::finish(self.guard));
        }
    }
}

/// Makes an empty directory and opens it; one that is there already is an error.
fn make(guard: &EnvironmentGuard, path: PathBuf) -> Result<Opened, InstallError> {
    let anchor = guard.anchor();
    if !anchor.make_directory(&path)? {
        return Err(InstallError::io("make the directory", &path)(ErrorKind::AlreadyExists.into()));
    }
    anchor.open_directory(&path).map_err(InstallError::io("open", &path))
}

/// Returns true if a directory of the staging area was never completed.
pub(crate) fn is_being_built(guard: &EnvironmentGuard, directory: &Path) -> Result<bool, InstallError> {
    guard.anchor().has(&marker(directory))
}

/// Removes a directory of the staging area, and then its marker.
pub(crate) fn remove(guard: &EnvironmentGuard, directory: &Path) -> Result<(), InstallError> {
    guard.anchor().check()?;
    guard.anchor().remove_tree(directory).map_err(InstallError::io("remove", directory))?;
    guard.anchor().remove_file(&marker(directory))
}

fn marker(directory: &Path) -> PathBuf {
    directory.with_extension("building")
}
