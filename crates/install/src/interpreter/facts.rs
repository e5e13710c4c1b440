//! What is known about an interpreter.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pinfold_lock::Host;
use pinfold_packaging::{Arch, Floor, MarkerEnvironment, Os, PythonMinor, PythonSpan, System, Tags, Version};
use serde::{Deserialize, Serialize};

use crate::{InterpreterError, platform};

/// An interpreter that was asked what it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interpreter {
    /// The program that was asked.
    pub executable: PathBuf,
    /// The program that a new environment links to: the same, or what the environment it is in was made from.
    pub base_executable: PathBuf,
    /// Where the base installation is.
    pub base_prefix: PathBuf,
    /// Its full version: `3.10.13`.
    pub version: Version,
    /// `implementation_name`: `cpython`.
    pub implementation_name: String,
    /// `platform_python_implementation`: `CPython`.
    pub platform_python_implementation: String,
    /// `os_name`: `posix`.
    pub os_name: String,
    /// `sys_platform`: `linux`.
    pub sys_platform: String,
    /// `platform_machine`: `x86_64`.
    pub platform_machine: String,
    /// `platform_system`: `Linux`.
    pub platform_system: String,
    /// `platform_release`.
    pub platform_release: String,
    /// `platform_version`.
    pub platform_version: String,
    /// The C library, on Linux.
    pub libc: Option<Libc>,
    /// The release of macOS, there.
    pub macos_release: Option<(u16, u16)>,
    /// Whether the program is in an environment.
    pub is_environment: bool,
    /// Where an environment of it keeps things.
    pub scheme: SchemePaths,
    /// What the file system says of the base program.
    pub stamp: Stamp,
}

/// What the file system says of a program; another program in its place has another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stamp {
    /// Its size.
    pub size_bytes: u64,
    /// When it was written, in nanoseconds since 1970.
    pub mtime_ns: u64,
}

/// The C library of a Linux machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Libc {
    /// GNU, with its version.
    Glibc(u16, u16),
    /// musl, with its version.
    Musl(u16, u16),
}

/// Directories of an environment, relative to it, with `/` between segments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SchemePaths {
    /// Pure modules: `lib/python3.10/site-packages`.
    pub purelib: String,
    /// Modules with compiled parts.
    pub platlib: String,
    /// Scripts: `bin`.
    pub scripts: String,
    /// Header files, one directory per project in it: `include/site/python3.10`.
    pub headers: String,
}

impl Interpreter {
    /// Returns the machine as a target's system, its floor the real C library.
    ///
    /// # Errors
    /// [`InterpreterError::System`] if no lock can name it.
    pub fn target_system(&self) -> Result<System, InterpreterError> {
        let unknown = |source| InterpreterError::System {
            path: self.executable.clone(),
            found: format!("{} {}", self.platform_system, self.platform_machine),
            source,
        };
        let os = match self.sys_platform.as_str() {
            "darwin" => Os::Macos,
            "linux" => Os::Linux,
            "win32" => Os::Windows,
            _ => return Err(unknown(None)),
        };
        let arch = match self.platform_machine.to_ascii_lowercase().as_str() {
            "aarch64" | "arm64" => Arch::Aarch64,
            "amd64" | "x86_64" => Arch::X86_64,
            _ => return Err(unknown(None)),
        };
        let floor = match (os, self.libc, self.macos_release) {
            (Os::Linux, Some(Libc::Glibc(major, minor)), _) => Floor::Glibc { major, minor },
            (Os::Linux, Some(Libc::Musl(major, minor)), _) => Floor::Musl { major, minor },
            (Os::Macos, _, Some((major, minor))) => Floor::Macos { major, minor },
            (Os::Windows, ..) => Floor::None,
            _ => return Err(unknown(None)),
        };
        System::with_floor(os, arch, floor).map_err(|source| unknown(Some(source)))
    }

    /// Returns what a lock selects for.
    ///
    /// # Errors
    /// As [`Interpreter::target_system`].
    pub fn host(&self) -> Result<Host, InterpreterError> {
        let system = self.target_system()?;
        let minor = PythonMinor::of(&self.version).ok_or_else(|| InterpreterError::Answer {
            path: self.executable.clone(),
            reason: format!("its version is {}", self.version),
        })?;
        let environment = MarkerEnvironment {
            os_name: self.os_name.clone(),
            sys_platform: self.sys_platform.clone(),
            platform_machine: self.platform_machine.clone(),
            platform_system: self.platform_system.clone(),
            platform_python_implementation: self.platform_python_implementation.clone(),
            implementation_name: self.implementation_name.clone(),
            python_version: Version::from_release([u64::from(minor.major()), u64::from(minor.minor())]),
            python_full_version: PythonSpan { at_least: self.version.clone(), below: None },
            platform_release: Some(self.platform_release.clone()),
            platform_version: Some(self.platform_version.clone()),
        };
        Ok(Host { environment, tags: Arc::new(Tags::new(&system, minor)), python: self.version.clone() })
    }

    /// Returns true if the base program is still the one that was asked.
    pub fn is_same_program(&self) -> bool {
        self.present_stamp() == Some(self.stamp)
    }

    /// Returns what the file system says of the base program now; none if it is gone.
    pub(crate) fn present_stamp(&self) -> Option<Stamp> {
        Stamp::of(&self.base_executable).ok()
    }

    /// Returns true if this path is the very program that was asked, and that program is the base installation's own, whose
    /// stamp is known: asking it again would bring nothing new as long as [`Interpreter::is_current`].
    pub fn is_program(&self, path: &Path) -> bool {
        let is_base = || std::fs::canonicalize(path).ok() == std::fs::canonicalize(&self.base_executable).ok();
        !self.is_environment && self.executable == path && path.is_absolute() && is_base()
    }

    /// Returns true if asking again would give the same answer: program and kernel are unchanged since.
    ///
    /// A sync with nothing to do asks this instead of starting an interpreter.
    pub fn is_current(&self) -> bool {
        self.is_same_program() && platform::kernel().is_none_or(|kernel| kernel == self.kernel())
    }

    /// Returns true if an environment of the other serves as one of this.
    pub(crate) fn is_same_installation(&self, other: &Self) -> bool {
        let place = |it: &Self| (it.base_executable.clone(), it.base_prefix.clone(), it.scheme.clone());
        let kind = |it: &Self| (it.version.clone(), it.implementation_name.clone(), it.stamp);
        place(self) == place(other) && kind(self) == kind(other)
    }

    fn kernel(&self) -> [String; 3] {
        [self.platform_machine.clone(), self.platform_release.clone(), self.platform_version.clone()]
    }
}

impl Stamp {
    /// Returns the stamp of a program, through its links.
    pub(crate) fn of(program: &Path) -> std::io::Result<Self> {
        let metadata = std::fs::metadata(program)?;
        let since = metadata.modified()?.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let mtime_ns = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
        Ok(Self { size_bytes: metadata.len(), mtime_ns })
    }
}
