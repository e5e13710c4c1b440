//! The two directories between whose entries an environment is moved, opened once, when the environment is locked.
//!
//! A path can be led elsewhere at any time: whoever may rename the directory that the environment is in can put a link in
//! its place. What is open stays what it is. So everything that puts an environment in its place, takes it out, or notes
//! that, removes what is no longer needed, or reads a receipt to decide on one of these, goes by a path's name below one of
//! the open directories; the path itself is only for people. Before anything is begun the paths are looked at, too: pinfold
//! refuses rather than works on a directory that nobody finds any more.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};

use crate::disk::{self, Contents, Directory, Kind, Opened};
use crate::{Environment, InstallError, Receipt, platform};

/// Refuses a file, or anything else that is no directory, where pinfold's own is beside an environment. That nothing is there is well.
///
/// # Errors
/// [`InstallError::Foreign`].
pub fn check_beside(environment: &Environment) -> Result<(), InstallError> {
    let state = environment.state();
    match std::fs::metadata(state) {
        Ok(found) if !found.is_dir() => Err(InstallError::Foreign { path: state.to_owned(), reason: NOT_OWN }),
        _ => Ok(()),
    }
}

/// The directory that an environment is in, and pinfold's own beside the environment.
#[derive(Debug)]
pub(crate) struct Anchor {
    parent: Opened,
    state: PathBuf,
    /// None if there is none, and nobody holds its lock.
    opened: Option<Directory>,
}

impl Anchor {
    /// Opens the directory of `state`, and `state` in it; the environment's lock file, `lock` in there, is held open.
    ///
    /// # Errors
    /// [`InstallError::Foreign`] if the lock that is held is not there.
    pub(crate) fn open(state: &Path, lock: (&str, &File)) -> Result<Self, InstallError> {
        let (parent, name) = split(state)?;
        let parent = Opened::at(parent).map_err(InstallError::io("open", parent))?;
        let directory = parent.directory.open_in(&name).map_err(InstallError::io("open", state))?;
        let held = directory.open_file(lock.0).and_then(|file| platform::is_same_file(&file, lock.1));
        if !held.map_err(InstallError::io("open", &state.join(lock.0)))? {
            return Err(replaced(state));
        }
        Ok(Self { parent, state: state.to_owned(), opened: Some(directory) })
    }

    /// Opens the directory of `state`, and `state` in it if it is there, to read what is in them.
    ///
    /// # Errors
    /// [`InstallError::Io`].
    pub(crate) fn to_read(state: &Path) -> Result<Self, InstallError> {
        let (parent, name) = split(state)?;
        let parent = Opened::at(parent).map_err(InstallError::io("open", parent))?;
        let opened = match parent.directory.open_in(&name) {
            Err(error) if is_absence(&error) => None,
            opened => Some(opened.map_err(InstallError::io("open", state))?),
        };
        Ok(Self { parent, state: state.to_owned(), opened })
    }

    /// Refuses if the paths no longer lead to what was opened.
    ///
    /// # Errors
    /// [`InstallError::Foreign`].
    pub(crate) fn check(&self) -> Result<(), InstallError> {
        let state = self.opened.as_ref().map(|opened| (opened, &self.state));
        for (directory, path) in [(&self.parent.directory, &self.parent.path)].into_iter().chain(state) {
            match platform::is_directory_at(directory, path) {
                Ok(true) => {}
                Ok(false) => return Err(replaced(path)),
                Err(error) if error.kind() == ErrorKind::NotFound => return Err(replaced(path)),
                Err(error) => return Err(InstallError::io("look at", path)(error)),
            }
        }
        Ok(())
    }

    /// Opens a directory; a link in its place is none.
    pub(crate) fn open_directory(&self, path: &Path) -> io::Result<Opened> {
        let directory = self.at(path, Directory::open_in)?;
        Ok(Opened { directory, path: path.to_owned() })
    }

    /// Returns true if there is something, whatever it is.
    ///
    /// # Errors
    /// [`InstallError::Io`] if that cannot be found out.
    pub(crate) fn has(&self, path: &Path) -> Result<bool, InstallError> {
        match self.at(path, Directory::facts) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(InstallError::io("look at", path)(error)),
        }
    }

    /// Returns true if there is a link.
    pub(crate) fn is_link(&self, path: &Path) -> bool {
        self.at(path, Directory::facts).is_ok_and(|facts| facts.kind == Kind::Link)
    }

    /// Reads a small file of our own, through no link.
    pub(crate) fn read_own(&self, path: &Path, limit: u64) -> io::Result<Contents> {
        self.at(path, |parent, name| disk::read_own(parent, name, limit))
    }

    /// Returns the directories inside a directory with their names, sorted; none if it does not exist.
    ///
    /// # Errors
    /// [`InstallError::Io`].
    pub(crate) fn subdirectories(&self, path: &Path) -> Result<Vec<(String, PathBuf)>, InstallError> {
        match self.open_directory(path).and_then(|opened| opened.subdirectories()) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            found => found.map_err(InstallError::io("list", path)),
        }
    }

    /// Reads the header of the receipt of the environment in a directory; none if there is none, or no directory.
    ///
    /// # Errors
    /// As [`Receipt::read`].
    pub(crate) fn receipt(&self, path: &Path) -> Result<Option<Receipt>, InstallError> {
        match self.open_directory(path) {
            Ok(opened) => Receipt::read_in(&opened),
            Err(error) if is_absence(&error) => Ok(None),
            Err(error) => Err(InstallError::io("open", path)(error)),
        }
    }

    /// Renames to where nothing is, not even an empty directory.
    pub(crate) fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.with_rights(&[from], || {
            self.at(from, |from, name| self.at(to, |to, new_name| platform::rename_new((from, name), (to, new_name))))
        })
    }

    /// Exchanges two directories in one step.
    pub(crate) fn exchange(&self, one: &Path, other: &Path) -> io::Result<()> {
        self.with_rights(&[one, other], || {
            self.at(one, |one, name| self.at(other, |other, its| platform::exchange((one, name), (other, its))))
        })
    }

    /// Moves directories. One that comes into another directory names that: its owner needs the right to write to it, and
    /// gets it back if he lost it.
    fn with_rights(&self, directories: &[&Path], act: impl Fn() -> io::Result<()>) -> io::Result<()> {
        let give_back = |path: &&Path| self.at(path, |parent, name| Ok(parent.give_back(name))).unwrap_or(false);
        match act() {
            Err(error)
                if error.kind() == ErrorKind::PermissionDenied
                    && directories.iter().filter(|it| give_back(it)).count() > 0 =>
            {
                act()
            }
            result => result,
        }
    }

    /// Makes a directory unless it is there; true if it was made. A link in its place is refused.
    ///
    /// # Errors
    /// [`InstallError::Foreign`], [`InstallError::Io`].
    pub(crate) fn make_directory(&self, path: &Path) -> Result<bool, InstallError> {
        let made = self.at(path, |parent, name| match parent.make_directory(name) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok((false, parent.facts(name)?.kind)),
            result => result.map(|()| (true, Kind::Directory)),
        });
        match made.map_err(InstallError::io("make the directory", path))? {
            (made, Kind::Directory) => Ok(made),
            _ => Err(InstallError::Foreign {
                path: path.to_owned(),
                reason: "it should be a directory of pinfold's own",
            }),
        }
    }

    /// Removes an empty directory.
    pub(crate) fn remove_directory(&self, path: &Path) -> io::Result<()> {
        self.at(path, Directory::remove_directory)
    }

    /// Removes a directory with everything in it, and goes into nothing that takes a directory's place meanwhile.
    pub(crate) fn remove_tree(&self, path: &Path) -> io::Result<()> {
        self.at(path, Directory::remove_tree)
    }

    /// Removes a file, if it is there.
    ///
    /// # Errors
    /// [`InstallError::Io`].
    pub(crate) fn remove_file(&self, path: &Path) -> Result<(), InstallError> {
        match self.at(path, Directory::remove) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(InstallError::io("remove", path)(error)),
            _ => Ok(()),
        }
    }

    /// Writes a small file of our own, whole, not through a link.
    pub(crate) fn write_note(&self, path: &Path, bytes: &[u8]) -> io::Result<File> {
        use std::io::Write as _;
        let mut file = self.at(path, platform::open_note)?;
        file.write_all(bytes)?;
        Ok(file)
    }

    /// Opens a file of our own to read it and to add to it, not through a link; makes it if need be.
    pub(crate) fn open_to_append(&self, path: &Path) -> io::Result<File> {
        self.at(path, platform::open_to_append)
    }

    /// Waits until the names in the environment's parent are on the disk.
    ///
    /// # Errors
    /// [`InstallError::Io`].
    pub(crate) fn settle(&self) -> Result<(), InstallError> {
        let Opened { directory, path } = &self.parent;
        platform::settle_opened(directory).map_err(InstallError::io("write to the disk", path))
    }

    /// Gives the open directory that a path is in, and the path's name there. Directories between are opened one by one,
    /// through no link.
    fn at<T>(&self, path: &Path, act: impl FnOnce(&Directory, &str) -> io::Result<T>) -> io::Result<T> {
        let named = |path: &Path| path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
        let name = named(path).ok_or(ErrorKind::InvalidInput)?;
        if path.parent() == Some(&self.parent.path) {
            return act(&self.parent.directory, &name);
        }
        let inside = path.strip_prefix(&self.state).map_err(|_| ErrorKind::InvalidInput)?;
        let state = self.opened.as_ref().ok_or(ErrorKind::NotFound)?;
        let mut between = inside.parent().into_iter().flat_map(Path::components);
        let mut directory = None;
        between.try_for_each(|part| {
            let Component::Normal(part) = part else { return Err(io::Error::from(ErrorKind::InvalidInput)) };
            let part = part.to_str().ok_or(ErrorKind::InvalidInput)?;
            directory = Some(directory.as_ref().unwrap_or(state).open_in(part)?);
            Ok(())
        })?;
        act(directory.as_ref().unwrap_or(state), &name)
    }
}

/// Returns the directory that pinfold's own is in, and the name of that.
fn split(state: &Path) -> Result<(&Path, String), InstallError> {
    let (parent, name) = state.parent().zip(state.file_name()).ok_or_else(|| replaced(state))?;
    Ok((parent, name.to_string_lossy().into_owned()))
}

/// Returns true if there is nothing, or no directory.
fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotADirectory | ErrorKind::NotFound)
}

fn replaced(path: &Path) -> InstallError {
    let reason = "another directory was put in its place while pinfold worked in it";
    InstallError::Foreign { path: path.to_owned(), reason }
}

/// Why what is beside an environment is refused.
pub(crate) const NOT_OWN: &str = "it should be a directory of pinfold's own";

#[cfg(test)]
#[cfg(unix)]
mod tests;
