//! The two directories between whose entries an environment is moved, opened once, when the environment is locked.
//!
//! A path can be led elsewhere at any time: whoever may rename the directory that the environment is in can put a link in
//! its place. What is open stays what it is. So everything that puts an environment in its place, takes it out, or notes
//! that, goes by a path's name below one of the open directories; the path itself is only for people. Before anything is
//! begun the paths are looked at, too: pinfold refuses rather than works on a directory that nobody finds any more.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};

use crate::disk::{Directory, Kind};
use crate::{InstallError, platform};

/// The directory that an environment is in, and pinfold's own beside the environment.
#[derive(Debug)]
pub(crate) struct Anchor {
    parent: Opened,
    state: Opened,
}

#[derive(Debug)]
struct Opened {
    directory: Directory,
    path: PathBuf,
}

impl Anchor {
    /// Opens the directory of `state`, and `state` in it; the environment's lock file, `lock` in there, is held open.
    ///
    /// # Errors
    /// [`InstallError::Foreign`] if the lock that is held is not there.
    pub(crate) fn open(state: &Path, lock: (&str, &File)) -> Result<Self, InstallError> {
        let (parent, name) = state.parent().zip(state.file_name()).ok_or_else(|| replaced(state))?;
        let directory = Directory::open(parent).map_err(InstallError::io("open", parent))?;
        let opened = directory.open_in(&name.to_string_lossy()).map_err(InstallError::io("open", state))?;
        let held = opened.open_file(lock.0).and_then(|file| platform::is_same_file(&file, lock.1));
        if !held.map_err(InstallError::io("open", &state.join(lock.0)))? {
            return Err(replaced(state));
        }
        let parent = Opened { directory, path: parent.to_owned() };
        Ok(Self { parent, state: Opened { directory: opened, path: state.to_owned() } })
    }

    /// Refuses if the paths no longer lead to what was opened.
    ///
    /// # Errors
    /// [`InstallError::Foreign`].
    pub(crate) fn check(&self) -> Result<(), InstallError> {
        for Opened { directory, path } in [&self.parent, &self.state] {
            match platform::is_directory_at(directory, path) {
                Ok(true) => {}
                Ok(false) => return Err(replaced(path)),
                Err(error) if error.kind() == ErrorKind::NotFound => return Err(replaced(path)),
                Err(error) => return Err(InstallError::io("look at", path)(error)),
            }
        }
        Ok(())
    }

    /// Renames to where nothing is, not even an empty directory.
    pub(crate) fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.at(from, |from, name| self.at(to, |to, new_name| platform::rename_new((from, name), (to, new_name))))
    }

    /// Exchanges two directories in one step.
    pub(crate) fn exchange(&self, one: &Path, other: &Path) -> io::Result<()> {
        self.at(one, |one, name| self.at(other, |other, its| platform::exchange((one, name), (other, its))))
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
        self.at(path, platform::remove_directory)
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
        let inside = path.strip_prefix(&self.state.path).map_err(|_| ErrorKind::InvalidInput)?;
        let mut between = inside.parent().into_iter().flat_map(Path::components);
        let mut directory = None;
        between.try_for_each(|part| {
            let Component::Normal(part) = part else { return Err(io::Error::from(ErrorKind::InvalidInput)) };
            let part = part.to_str().ok_or(ErrorKind::InvalidInput)?;
            directory = Some(directory.as_ref().unwrap_or(&self.state.directory).open_in(part)?);
            Ok(())
        })?;
        act(directory.as_ref().unwrap_or(&self.state.directory), &name)
    }
}

fn replaced(path: &Path) -> InstallError {
    let reason = "another directory was put in its place while pinfold worked in it";
    InstallError::Foreign { path: path.to_owned(), reason }
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
