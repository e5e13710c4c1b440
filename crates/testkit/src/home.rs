//! A temporary home: everything that a run of pinfold may read or write, in one directory that goes away.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::runner::Pinfold;

/// A directory with `cache/`, `home/`, `project/` and `tmp/`.
#[derive(Debug)]
pub struct TempHome {
    directory: TempDir,
}

impl TempHome {
    /// Makes the directories.
    #[expect(clippy::new_without_default, reason = "it makes directories; `default` would hide that")]
    pub fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("pinfold-test-").tempdir().expect("can make a directory");
        for name in ["cache", "home", "project", "tmp"] {
            fs::create_dir(directory.path().join(name)).expect("can make a directory");
        }
        Self { directory }
    }

    /// Returns the directory that holds the others.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Returns the cache directory that runs use.
    pub fn cache(&self) -> PathBuf {
        self.path().join("cache")
    }

    /// Returns the project directory, in which runs start.
    pub fn project(&self) -> PathBuf {
        self.path().join("project")
    }

    /// Returns the empty directory that runs take for the user's home.
    pub fn home(&self) -> PathBuf {
        self.path().join("home")
    }

    /// Returns the directory for temporary files.
    pub fn tmp(&self) -> PathBuf {
        self.path().join("tmp")
    }

    /// Writes a file of the project, with its directories.
    pub fn write(&self, path: &str, contents: impl AsRef<[u8]>) {
        let path = self.project().join(path);
        fs::create_dir_all(path.parent().expect("a file has a directory")).expect("can make directories");
        fs::write(&path, contents).unwrap_or_else(|error| panic!("cannot write `{}`: {error}", path.display()));
    }

    /// Reads a text file of the project.
    pub fn read(&self, path: &str) -> String {
        let path = self.project().join(path);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read `{}`: {error}", path.display()))
    }

    /// Returns true if the project has this file or directory.
    pub fn has(&self, path: &str) -> bool {
        self.project().join(path).symlink_metadata().is_ok()
    }

    /// Returns every file below a directory of the project with what it is: mode and digest, mode and `directory`, or
    /// `-> target`.
    ///
    /// Two equal snapshots are the proof that a refused run touched nothing.
    pub fn snapshot(&self, path: &str) -> Vec<(String, String)> {
        let root = self.project().join(path);
        let mut found = Vec::new();
        if root.symlink_metadata().is_ok() {
            walk(&root, &root, &mut found);
        }
        found.sort();
        found
    }

    /// Returns a run of the built command, given as `env!("CARGO_BIN_EXE_pinfold")`.
    pub fn pinfold(&self, binary: &str) -> Pinfold<'_> {
        Pinfold::new(self, binary)
    }
}

/// Makes a named pipe, by the command that every unix has: not every system lets a library do it the same way.
///
/// # Panics
/// If it cannot be made.
#[cfg(unix)]
pub fn make_pipe(path: &Path) {
    let made = std::process::Command::new("mkfifo").arg(path).status().expect("`mkfifo` can be started");
    assert!(made.success(), "no pipe at {}", path.display());
}

/// Copies a directory to where nothing is, with everything in it; links stay links.
#[cfg(unix)]
pub fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap_or_else(|error| panic!("cannot make `{}`: {error}", to.display()));
    for entry in fs::read_dir(from).expect("it is a directory").flatten() {
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().expect("it was just listed");
        let copied = if kind.is_dir() {
            copy_tree(&path, &target);
            Ok(())
        } else if kind.is_symlink() {
            fs::read_link(&path).and_then(|to| std::os::unix::fs::symlink(to, target))
        } else {
            fs::copy(&path, target).map(drop)
        };
        copied.unwrap_or_else(|error| panic!("cannot copy `{}`: {error}", path.display()));
    }
}

fn walk(root: &Path, directory: &Path, found: &mut Vec<(String, String)>) {
    let entries =
        fs::read_dir(directory).unwrap_or_else(|error| panic!("cannot list `{}`: {error}", directory.display()));
    for entry in entries {
        let path = entry.expect("can read a directory").path();
        let name = path.strip_prefix(root).expect("it is below the root").to_string_lossy().replace('\\', "/");
        let metadata = path.symlink_metadata().expect("it was just listed");
        let (kind, mode) = (metadata.file_type(), mode_of(&metadata));
        if kind.is_symlink() {
            let target = fs::read_link(&path).expect("it is a link");
            found.push((name, format!("-> {}", target.display())));
        } else if kind.is_dir() {
            found.push((name, format!("{mode} directory")));
            walk(root, &path, found);
        } else {
            let bytes = fs::read(&path).unwrap_or_else(|error| panic!("cannot read `{}`: {error}", path.display()));
            found.push((name, format!("{mode} {}", crate::digest::sha256_hex(&bytes))));
        }
    }
}

#[cfg(unix)]
fn mode_of(metadata: &fs::Metadata) -> String {
    format!("{:04o}", std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o7777)
}

#[cfg(not(unix))]
fn mode_of(metadata: &fs::Metadata) -> String {
    if metadata.permissions().readonly() { "read-only" } else { "writable" }.to_owned()
}
