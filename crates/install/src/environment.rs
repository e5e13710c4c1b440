//! Where an environment is, and the hidden directory beside it that holds its lock, its staging area and its history.
//!
//! Everything is beside the environment, because one rename can only exchange what is on one file system. The environment
//! itself is never reached through a link: a link could lead the exchange anywhere.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::anchor::Anchor;
use crate::disk::{Directory, Kind, OTHERS_WRITE, Opened};
use crate::waiting::{self, Waiting};
use crate::{InstallError, Receipt, exchange, generations, ledger, platform, scripts};

/// The place of an environment. It need not exist yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// Absolute, its parent without links: what shebangs and `pyvenv.cfg` name. It can be written into scripts.
    venv: PathBuf,
    /// `.pinfold-NAME` beside it, on the same file system.
    state: PathBuf,
    adoption: Adoption,
}

/// What to do with an environment that another tool made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adoption {
    /// Leave it and refuse.
    Refuse,
    /// Keep it aside, and put one of ours in its place.
    SetAside,
}

/// What is in the environment's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Occupant {
    /// An empty directory.
    Empty,
    /// An environment that another tool made, which is to be set aside.
    Foreign,
    /// Nothing.
    Nothing,
    /// An environment of ours.
    Ours(Box<Receipt>),
}

/// The right to change an environment: while it lives, no other pinfold process changes it.
#[derive(Debug)]
pub struct EnvironmentGuard {
    environment: Environment,
    lock: File,
    anchor: Anchor,
}

impl Environment {
    /// Names the environment at `venv` (absolute, or relative to the process's directory). Nothing is created.
    ///
    /// # Errors
    /// [`InstallError::Path`] if the path cannot be written into scripts, or its parent is missing; [`InstallError::Io`].
    pub fn at(venv: &Path) -> Result<Self, InstallError> {
        let absolute = std::path::absolute(venv).map_err(InstallError::io("find", venv))?;
        let refused = |reason| InstallError::Path { path: absolute.clone(), reason };
        let (Some(parent), Some(name)) = (absolute.parent(), absolute.file_name()) else {
            return Err(refused("it names no directory of its own"));
        };
        let parent = match pinfold_sandbox::canonicalize(parent) {
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Err(refused(NO_PARENT));
            }
            found => found.map_err(InstallError::io("find", parent))?,
        };
        let (venv, name) = (parent.join(name), name.to_string_lossy());
        scripts::check_place(&venv).map_err(refused)?;
        Ok(Self { state: parent.join(format!(".pinfold-{name}")), venv, adoption: Adoption::Refuse })
    }

    /// Says what is to be done if another tool made the environment that is there; otherwise it is refused.
    #[must_use]
    pub fn adopting(self, adoption: Adoption) -> Self {
        Self { adoption, ..self }
    }

    /// Returns the directory of the environment.
    pub fn venv(&self) -> &Path {
        &self.venv
    }

    /// Returns the interpreter of the environment, existing or to be.
    pub fn python(&self) -> PathBuf {
        if cfg!(windows) { self.venv.join("Scripts").join("python.exe") } else { self.venv.join("bin").join("python") }
    }

    /// Returns the hidden directory beside the environment.
    pub(crate) fn state(&self) -> &Path {
        &self.state
    }

    /// Returns the directory of the former generations.
    pub(crate) fn generations(&self) -> PathBuf {
        self.state.join("generations")
    }

    /// Returns the directory in which a generation is built.
    pub(crate) fn staging(&self) -> PathBuf {
        self.state.join(STAGING)
    }

    /// Returns the directory in which generations wait to be removed.
    pub(crate) fn discarded(&self) -> PathBuf {
        self.state.join("discarded")
    }

    /// Returns where a generation that has left the history waits to become the next one.
    pub(crate) fn spare(&self) -> PathBuf {
        self.state.join(SPARE)
    }

    /// Returns where the environment of another tool is kept, in whose place the generation was put.
    pub fn set_aside(&self, generation: u64) -> PathBuf {
        self.state.join(format!("adopted-{generation}"))
    }

    /// Reads the receipt's header. None if there is no environment, or an empty directory, or one that is to be adopted.
    ///
    /// # Errors
    /// [`InstallError::Foreign`] if something is there that pinfold did not make.
    pub fn receipt(&self) -> Result<Option<Receipt>, InstallError> {
        self.occupant().map(Occupant::into_receipt)
    }

    /// Returns true if another tool made what is there, and it is to be set aside.
    ///
    /// # Errors
    /// As [`Environment::receipt`].
    pub fn is_to_be_adopted(&self) -> Result<bool, InstallError> {
        Ok(self.occupant()? == Occupant::Foreign)
    }

    /// Looks at what is in the environment's place.
    fn occupant(&self) -> Result<Occupant, InstallError> {
        self.occupant_of(Opened::at(&self.venv))
    }

    /// Looks at what was opened in the environment's place.
    fn occupant_of(&self, opened: io::Result<Opened>) -> Result<Occupant, InstallError> {
        let foreign = |reason| InstallError::Foreign { path: self.venv.clone(), reason };
        let failed = |action| InstallError::io(action, &self.venv);
        let opened = match opened {
            Ok(opened) => opened,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Occupant::Nothing),
            Err(e) if e.kind() == ErrorKind::NotADirectory => {
                let is_link = fs::symlink_metadata(&self.venv).map_err(failed("look at"))?.is_symlink();
                return Err(foreign(if is_link { IS_LINK } else { "it is a file" }));
            }
            Err(e) => return Err(failed("open")(e)),
        };
        if let Some(receipt) = Receipt::read_in(&opened)? {
            return Ok(Occupant::Ours(Box::new(receipt)));
        }
        if opened.directory.entries().map_err(failed("list"))?.is_empty() {
            return Ok(Occupant::Empty);
        }
        match (is_virtual_environment(&opened.directory), self.adoption) {
            (true, Adoption::SetAside) => Ok(Occupant::Foreign),
            (true, Adoption::Refuse) => Err(foreign(ADOPTABLE)),
            (false, _) => Err(foreign("it has no receipt and is no virtual environment")),
        }
    }

    /// Waits until no other process changes the environment, and tidies up what a killed one left.
    ///
    /// # Errors
    /// As [`Environment::lock_within`], but for [`InstallError::Busy`].
    pub fn lock(&self) -> Result<EnvironmentGuard, InstallError> {
        self.lock_within(&Waiting::forever())
    }

    /// Waits as long as it may until no other process changes the environment, and tidies up what a killed one left.
    ///
    /// # Errors
    /// [`InstallError::Busy`] if the other process takes longer; [`InstallError::Io`]; [`InstallError::Foreign`] as
    /// [`Environment::receipt`], and if what should be pinfold's own beside the environment is not.
    pub fn lock_within(&self, waiting: &Waiting<'_>) -> Result<EnvironmentGuard, InstallError> {
        let lock = self.lock_file(waiting)?;
        let anchor = Anchor::open(&self.state, (LOCK_FILE, &lock))?;
        let guard = EnvironmentGuard { environment: self.clone(), lock, anchor };
        exchange::recover(&guard)?;
        generations::remove_discarded(&guard);
        guard.receipt()?;
        Ok(guard)
    }

    /// Locks the file for it in pinfold's own directory, which is made if need be.
    fn lock_file(&self, waiting: &Waiting<'_>) -> Result<File, InstallError> {
        let mut attempts = 0;
        loop {
            create_private_directory(&self.state)?;
            match self.lock_in_state(waiting) {
                // Another process that changed nothing has just taken its directory away.
                Err(InstallError::Io { source, .. }) if source.kind() == ErrorKind::NotFound && attempts < ATTEMPTS => {
                    attempts += 1;
                }
                locked => return locked,
            }
        }
    }

    fn lock_in_state(&self, waiting: &Waiting<'_>) -> Result<File, InstallError> {
        // The directory may come from elsewhere, with a checkout: a link in it would lead writes, renames and removals away.
        keep_to_its_owner(&self.state)?;
        // The directory is nobody's source code.
        let ignore = self.state.join(IGNORE_FILE);
        let text = platform::open_regular(&ignore).and_then(|file| io::read_to_string(file.take(IGNORE_BYTES)));
        if !text.is_ok_and(|text| text == IGNORE) {
            platform::write_note(&ignore, IGNORE.as_bytes()).map_err(InstallError::io("write", &ignore))?;
        }
        waiting::lock(&self.state.join(LOCK_FILE), &self.venv, waiting)
    }

    /// Tidies up what a killed process left, if one did: where nothing else is to be done, or before the history is read.
    /// A process that is at work on the environment is not waited for; it tidies up itself.
    ///
    /// # Errors
    /// As [`Environment::lock`].
    pub fn settle(&self) -> Result<(), InstallError> {
        if !exchange::is_unfinished(self) {
            return Ok(());
        }
        match self.lock_within(&Waiting { limit: Some(Duration::ZERO), notice: &|_| {} }) {
            Err(InstallError::Busy { .. }) => Ok(()),
            result => result.map(drop),
        }
    }

    /// Returns true if the ledger ends with the generation that has this receipt.
    ///
    /// # Errors
    /// [`InstallError::Io`].
    pub fn is_recorded(&self, receipt: &Receipt) -> Result<bool, InstallError> {
        ledger::is_recorded(self, receipt)
    }

    /// Waits as long as it may until no other process changes the environment: whoever reads it may want to say so.
    ///
    /// # Errors
    /// [`InstallError::Busy`] if the other process takes longer; [`InstallError::Io`].
    pub fn wait_to_read(&self, waiting: &Waiting<'_>) -> Result<(), InstallError> {
        waiting::wait_to_read(&self.state.join(LOCK_FILE), &self.venv, waiting)
    }

    /// Keeps the environment as it is while it is read, if any pinfold ever changed it.
    pub(crate) fn lock_shared(&self) -> Option<File> {
        let lock = platform::open_regular(&self.state.join(LOCK_FILE)).ok()?;
        lock.lock_shared().ok().map(|()| lock)
    }
}

impl EnvironmentGuard {
    /// Returns the environment that is guarded.
    pub const fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Returns the open directories by which the environment is put in its place.
    pub(crate) const fn anchor(&self) -> &Anchor {
        &self.anchor
    }

    /// Reads the receipt's header, as [`Environment::receipt`] does, in the directory that was opened when it was locked.
    ///
    /// # Errors
    /// As [`Environment::receipt`].
    pub fn receipt(&self) -> Result<Option<Receipt>, InstallError> {
        self.occupant().map(Occupant::into_receipt)
    }

    /// Notes in the ledger what is in place, if that does not end with it: the environment was brought here by other means, or
    /// the ledger was cut off or is lost. Returns the generation that was noted, unless there was never another one.
    ///
    /// # Errors
    /// As [`EnvironmentGuard::receipt`].
    pub fn record_present(&self) -> Result<Option<u64>, InstallError> {
        let Some(receipt) = self.receipt()? else { return Ok(None) };
        let has_past = generations::has_past(&self.environment, &receipt)?;
        let is_noted = ledger::reconcile(self, &receipt)?;
        Ok((is_noted && has_past).then_some(receipt.generation))
    }

    /// Looks at what is in the environment's place.
    pub(crate) fn occupant(&self) -> Result<Occupant, InstallError> {
        self.environment.occupant_of(self.anchor.open_directory(self.environment.venv()))
    }

    /// Removes pinfold's own directory, if there is nothing in it but what locking makes. What cannot be removed stays.
    fn remove_empty_state(&self) -> io::Result<()> {
        let (state, anchor) = (self.environment.state(), &self.anchor);
        let entries = anchor.open_directory(state)?.directory.entries()?;
        if !entries.iter().all(|(name, _)| [IGNORE_FILE, LOCK_FILE, STAGING].iter().any(|own| name == *own)) {
            return Ok(());
        }
        match anchor.remove_directory(&self.environment.staging()) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let opened = anchor.open_directory(state)?.directory;
        opened.remove(IGNORE_FILE)?;
        opened.remove(LOCK_FILE)?;
        anchor.remove_directory(state)
    }
}

impl Occupant {
    fn into_receipt(self) -> Option<Receipt> {
        match self {
            Self::Ours(receipt) => Some(*receipt),
            Self::Empty | Self::Foreign | Self::Nothing => None,
        }
    }
}

impl Drop for EnvironmentGuard {
    fn drop(&mut self) {
        // Nobody holds it any more; and who changed nothing leaves nothing.
        let _ = self.lock.set_len(0);
        if self.anchor.check().is_ok() {
            let _ = self.remove_empty_state();
        }
    }
}

/// Makes a directory unless it is there; true if it was made. A link in its place is refused.
pub(crate) fn create_private_directory(path: &Path) -> Result<bool, InstallError> {
    match platform::create_directory(path) {
        Ok(()) => return Ok(true),
        Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
        Err(e) => return Err(InstallError::io("make the directory", path)(e)),
    }
    let metadata = fs::symlink_metadata(path).map_err(InstallError::io("look at", path))?;
    if metadata.is_dir() {
        return Ok(false);
    }
    Err(InstallError::Foreign { path: path.to_owned(), reason: "it should be a directory of pinfold's own" })
}

/// Refuses a link to anywhere among pinfold's own things, and takes the right to write to them from everybody else: whoever
/// has it decides what is gone back to.
fn keep_to_its_owner(state: &Path) -> Result<(), InstallError> {
    let opened = Opened::at(state).and_then(|opened| Ok((opened.directory.entries()?, opened.directory)));
    let (entries, directory) = opened.map_err(InstallError::io("list", state))?;
    if let Some((name, _)) = entries.iter().find(|(_, kind)| *kind == Kind::Link) {
        let reason = "it is a link among pinfold's own things";
        return Err(InstallError::Foreign { path: state.join(name), reason });
    }
    let names = entries.iter().filter(|(_, kind)| *kind != Kind::Other).filter_map(|(name, _)| name.to_str());
    // Of the spare nothing is believed: one that others may write to is of no use, and thrown away.
    for name in names.filter(|name| *name != SPARE).chain(["."]) {
        if directory.facts(name).is_ok_and(|facts| facts.mode & OTHERS_WRITE != 0) {
            // Where it may not be changed, `verify` goes on telling of it.
            let _ = directory.deny_others(name);
        }
    }
    Ok(())
}

/// Returns true for what the standard library's `venv` and its like make: `pyvenv.cfg` is what makes an environment one.
pub(crate) fn is_virtual_environment(directory: &Directory) -> bool {
    directory.facts("pyvenv.cfg").is_ok_and(|facts| facts.kind == Kind::File)
}

/// Why a path is of no use: nothing is made but the environment and pinfold's own beside it.
const NO_PARENT: &str = "the directory that it is to be in is not there";
/// Why something is refused that may be adopted.
pub(crate) const ADOPTABLE: &str = "another tool made this virtual environment, or its receipt was taken away";
const IS_LINK: &str = "it is a symbolic link, which is never followed";
const IGNORE: &str = "*\n";
/// More than it has.
const IGNORE_BYTES: u64 = 8;
const IGNORE_FILE: &str = ".gitignore";
const STAGING: &str = "staging";
/// The name of the spare among pinfold's own things.
pub(crate) const SPARE: &str = "spare";
/// How often a directory may be taken away while it is being locked.
const ATTEMPTS: usize = 100;
const LOCK_FILE: &str = "lock";
