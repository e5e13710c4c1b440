//! Where an environment is, and the hidden directory beside it that holds its lock, its staging area and its history.
//!
//! Everything is beside the environment, because one rename can only exchange what is on one file system. The environment
//! itself is never reached through a link: a link could lead the exchange anywhere.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::{InstallError, Receipt, exchange, ledger, scripts};

/// The place of an environment. It need not exist yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// Absolute, its parent without links: what shebangs and `pyvenv.cfg` name. It can be written into scripts.
    venv: PathBuf,
    /// `.pinfold-NAME` beside it, on the same file system.
    state: PathBuf,
}

/// The right to change an environment: while it lives, no other pinfold process changes it.
#[derive(Debug)]
pub struct EnvironmentGuard {
    environment: Environment,
    _lock: File,
}

impl Environment {
    /// Names the environment at `venv` (absolute, or relative to the process's directory). Nothing is created.
    ///
    /// # Errors
    /// [`InstallError::Path`] if the path cannot be written into scripts, [`InstallError::Io`] if its parent is missing.
    pub fn at(venv: &Path) -> Result<Self, InstallError> {
        let absolute = std::path::absolute(venv).map_err(InstallError::io("find", venv))?;
        let refused = |reason| InstallError::Path { path: absolute.clone(), reason };
        let (Some(parent), Some(name)) = (absolute.parent(), absolute.file_name()) else {
            return Err(refused("it names no directory of its own"));
        };
        let parent = fs::canonicalize(parent).map_err(InstallError::io("find", parent))?;
        let (venv, name) = (parent.join(name), name.to_string_lossy());
        scripts::check_place(&venv).map_err(refused)?;
        Ok(Self { state: parent.join(format!(".pinfold-{name}")), venv })
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
        self.state.join("staging")
    }

    /// Reads the receipt's header. None if there is no environment, or an empty directory.
    ///
    /// # Errors
    /// [`InstallError::Foreign`] if something is there that pinfold did not make.
    pub fn receipt(&self) -> Result<Option<Receipt>, InstallError> {
        let foreign = |reason| InstallError::Foreign { path: self.venv.clone(), reason };
        let metadata = match fs::symlink_metadata(&self.venv) {
            Ok(metadata) => metadata,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(InstallError::io("look at", &self.venv)(e)),
        };
        if metadata.is_symlink() {
            return Err(foreign("it is a symbolic link, which is never followed"));
        }
        if !metadata.is_dir() {
            return Err(foreign("it is a file"));
        }
        if let Some(receipt) = Receipt::read(&self.venv)? {
            return Ok(Some(receipt));
        }
        let mut entries = fs::read_dir(&self.venv).map_err(InstallError::io("list", &self.venv))?;
        if entries.next().is_some() { Err(foreign("it has no receipt")) } else { Ok(None) }
    }

    /// Waits until no other process changes the environment, and tidies up what a killed one left.
    ///
    /// # Errors
    /// [`InstallError::Io`]; [`InstallError::Foreign`] as [`Environment::receipt`].
    pub fn lock(&self) -> Result<EnvironmentGuard, InstallError> {
        let created = create_private_directory(&self.state)?;
        if created {
            // The directory is nobody's source code.
            let ignore = self.state.join(".gitignore");
            fs::write(&ignore, "*\n").map_err(InstallError::io("write", &ignore))?;
        }
        let lock = self.lock_file().map_err(InstallError::io("open", &self.state.join(LOCK_FILE)))?;
        lock.lock().map_err(InstallError::io("lock", &self.state.join(LOCK_FILE)))?;
        let guard = EnvironmentGuard { environment: self.clone(), _lock: lock };
        exchange::recover(self)?;
        let current = self.receipt()?;
        ledger::reconcile(self, current.as_ref())?;
        Ok(guard)
    }

    /// Keeps the environment as it is while it is read, if any pinfold ever changed it.
    pub(crate) fn lock_shared(&self) -> Option<File> {
        let lock = File::open(self.state.join(LOCK_FILE)).ok()?;
        lock.lock_shared().ok().map(|()| lock)
    }

    fn lock_file(&self) -> std::io::Result<File> {
        OpenOptions::new().create(true).truncate(false).write(true).read(true).open(self.state.join(LOCK_FILE))
    }
}

impl EnvironmentGuard {
    /// Returns the environment that is guarded.
    pub const fn environment(&self) -> &Environment {
        &self.environment
    }
}

/// Makes a directory unless it is there; true if it was made. A link in its place is refused.
pub(crate) fn create_private_directory(path: &Path) -> Result<bool, InstallError> {
    match fs::create_dir(path) {
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

const LOCK_FILE: &str = "lock";
