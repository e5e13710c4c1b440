//! What is known about an interpreter.

use std::path::PathBuf;

use pinfold_lock::Host;
use pinfold_packaging::{System, Version};
use serde::{Deserialize, Serialize};

use crate::InterpreterError;

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
        todo!()
    }

    /// Returns what a lock selects for.
    ///
    /// # Errors
    /// As [`Interpreter::target_system`].
    pub fn host(&self) -> Result<Host, InterpreterError> {
        todo!()
    }

    /// Returns true if asking again would give the same answer: program and kernel are unchanged since.
    pub fn is_current(&self) -> bool {
        todo!()
    }
}
