//! What interpreters said of themselves, kept: asking one takes longer than linking half an environment.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use pinfold_artifact::ArchivePath;

use crate::disk::{self, Contents, Directory};
use crate::receipt::digest;
use crate::{Interpreter, InterpreterError};

/// The interpreters of this machine that were asked before: one small file for each, named for the digest of its path.
///
/// An answer serves again as long as the program is the base installation's own, has the same size and time, and the kernel
/// is the same ([`Interpreter::is_current`]); the same holds for the answer in an environment's receipt.
#[derive(Debug, Clone, Copy)]
pub struct KnownInterpreters<'a> {
    directory: Option<&'a Path>,
    search_path: &'a OsStr,
    keeps: bool,
}

impl<'a> KnownInterpreters<'a> {
    /// Names the directory, without which nothing is kept, and the PATH on which interpreters, and what tells them their C
    /// library, are looked for.
    pub const fn in_directory(directory: &'a Path, search_path: &'a OsStr) -> Self {
        Self { directory: Some(directory), search_path, keeps: true }
    }

    /// Knows nothing and keeps nothing.
    pub const fn none(search_path: &'a OsStr) -> Self {
        Self { directory: None, search_path, keeps: false }
    }

    /// Reads what is known, and writes nothing.
    pub const fn keeping_nothing(self) -> Self {
        Self { keeps: false, ..self }
    }

    /// Returns what a program is: as it said before, or asked now.
    ///
    /// # Errors
    /// As [`Interpreter::probe`].
    pub fn probe(&self, program: &Path) -> Result<Interpreter, InterpreterError> {
        let program = std::path::absolute(program).unwrap_or_else(|_| program.to_owned());
        if let Some(known) = self.known(&program) {
            return Ok(known);
        }
        let found = Interpreter::probe(&program, self.search_path)?;
        if self.keeps && found.is_program(&program) {
            // Where it cannot be kept it is asked again.
            let _kept = self.keep(&program, &found);
        }
        Ok(found)
    }

    /// Returns the PATH.
    pub(super) const fn search_path(&self) -> &'a OsStr {
        self.search_path
    }

    fn place(&self, program: &Path) -> Option<PathBuf> {
        let name = digest(program.as_os_str().as_encoded_bytes());
        Some(self.directory?.join(format!("{}.json", name.short())))
    }

    fn known(&self, program: &Path) -> Option<Interpreter> {
        let (place, directory) = (self.place(program)?, Directory::open(self.directory?).ok()?);
        let name = place.file_name()?.to_str()?;
        if !directory.facts(name).ok()?.is_ours() {
            return None;
        }
        let Contents::Bytes(answer) = disk::read_own(&directory, name, ANSWER_BYTES).ok()? else { return None };
        let known: Interpreter = serde_json::from_slice(&answer).ok()?;
        (known.is_program(program) && known.is_current() && is_sound(&known)).then_some(known)
    }

    fn keep(&self, program: &Path, answer: &Interpreter) -> std::io::Result<()> {
        let Some(place) = self.place(program) else { return Ok(()) };
        // Another process may be reading. Two that write at once have the same answer; what is half one is asked for again.
        let fresh = place.with_extension("new");
        fs::write(&fresh, serde_json::to_vec(answer)?)?;
        fs::rename(&fresh, place)
    }
}

/// Returns true if no path of the answer leads out of an environment.
fn is_sound(known: &Interpreter) -> bool {
    let scheme = &known.scheme;
    [&scheme.purelib, &scheme.platlib, &scheme.scripts, &scheme.headers]
        .iter()
        .all(|path| path.parse::<ArchivePath>().is_ok())
}

/// An answer has less than one KiB.
const ANSWER_BYTES: u64 = 64 << 10;

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_serves_until_program_or_answer_change() {
        let (home, search) = (tempfile::tempdir().unwrap(), std::env::var_os("PATH").unwrap());
        let directory = home.path();
        let known = KnownInterpreters::in_directory(directory, &search);
        let own = Interpreter::find(&search, None).unwrap();
        let program = fs::canonicalize(&own.base_executable).unwrap();
        let asked = known.probe(&program).unwrap();
        assert!(asked.is_program(&program), "{asked:?}");
        let place = known.place(&program).unwrap();
        let change = |from: &str, to: &str| {
            let text = serde_json::to_string(&asked).unwrap();
            assert!(text.contains(from), "{from} is not in {text}");
            fs::write(&place, text.replace(from, to)).unwrap();
            known.probe(&program).unwrap()
        };
        // What is kept is believed, so nobody was asked.
        let version = format!("\"version\":\"{}\"", asked.version);
        assert_eq!(change(&version, "\"version\":\"3.99.7\"").version.to_string(), "3.99.7");
        // Another program, kernel or path, and what leads out of an environment, is asked about.
        assert_eq!(change("\"mtime_ns\":", "\"mtime_ns\":1"), asked);
        assert_eq!(change(&format!("\"size_bytes\":{}", asked.stamp.size_bytes), "\"size_bytes\":7"), asked);
        assert_eq!(change("\"platform_release\":\"", "\"platform_release\":\"x"), asked);
        assert_eq!(change("\"purelib\":\"", "\"purelib\":\"../"), asked);
        assert_eq!(change("\"executable\":\"", "\"executable\":\"/elsewhere"), asked);
        fs::write(&place, "{").unwrap();
        assert_eq!(known.probe(&program).unwrap(), asked);
        // The answer is mended.
        assert_eq!(known.known(&program), Some(asked));
    }

    #[test]
    fn an_environments_interpreter_is_asked_every_time() {
        let (home, search) = (tempfile::tempdir().unwrap(), std::env::var_os("PATH").unwrap());
        let directory = home.path();
        let known = KnownInterpreters::in_directory(directory, &search);
        let own = Interpreter::find(&search, None).unwrap();
        let venv = home.path().join("venv");
        fs::create_dir_all(venv.join("bin")).unwrap();
        std::os::unix::fs::symlink(&own.base_executable, venv.join("bin/python")).unwrap();
        let parent = own.base_executable.parent().unwrap().display().to_string();
        fs::write(venv.join("pyvenv.cfg"), format!("home = {parent}\n")).unwrap();
        let program = venv.join("bin/python");
        assert!(known.probe(&program).unwrap().is_environment);
        assert!(!known.place(&program).unwrap().exists());
    }
}
