//! What a lock is for: a system, a Python minor version, and what both say about themselves.
//!
//! A target describes machines that are elsewhere, so every value is written here and none is asked of the running machine.
//! A system's floor is the oldest libc or macOS that it promises to serve. A Python minor version means every patch
//! release of it that the application allows; a marker that tells patch releases apart divides the target in two.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use version_ranges::Ranges;

use crate::system::canonical_number;
use crate::version::shown;
use crate::{Arch, MarkerEnvironment, Os, PythonSpan, Specifiers, System, Tags, Version};

/// A minor version of Python 3, such as 3.10.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct PythonMinor {
    /// 3: CPython's next major version would need other tags.
    major: u8,
    minor: u8,
}

/// A system and the patch releases of one Python minor version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    system: System,
    python: PythonMinor,
    /// The first release that belongs to it.
    at_least: Version,
    /// The first release that does not.
    below: Version,
}

/// Why a text names no system or no minor version of Python.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// A floor that wheels cannot be tagged with.
    #[error("`{floor}` is no floor of {system}; {expected}")]
    Floor {
        /// The floor, as it was written.
        floor: String,
        /// Operating system and architecture.
        system: String,
        /// What is allowed there.
        expected: &'static str,
    },
    /// No minor version of Python 3.
    #[error("`{found}` is no minor version of Python 3, such as `3.10`")]
    Python {
        /// The text, escaped.
        found: String,
    },
    /// No known system.
    #[error("`{found}` is no target{}; known are {}", suggestion(.nearest), System::KNOWN.join(", "))]
    System {
        /// The text, escaped.
        found: String,
        /// What was probably meant.
        nearest: Option<String>,
    },
}

fn suggestion(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|name| format!(", `{name}` is")).unwrap_or_default()
}

impl PythonMinor {
    /// The oldest that an open range of versions reaches down to.
    pub const OLDEST: Self = Self { major: 3, minor: 6 };
    /// The newest that an open range of versions reaches up to: a lock must not change when a Python is released.
    pub const NEWEST: Self = Self { major: 3, minor: 15 };

    /// No minor version has had more patch releases.
    const LARGEST_PATCH: u64 = 99;

    /// Returns 3.
    pub const fn major(self) -> u8 {
        self.major
    }

    /// Returns the second number.
    pub const fn minor(self) -> u8 {
        self.minor
    }

    /// Returns the minor version that a full version belongs to, if it is one of Python 3.
    pub fn of(version: &Version) -> Option<Self> {
        match version.release() {
            [3, minor, ..] => Some(Self { major: 3, minor: u8::try_from(*minor).ok()? }),
            _ => None,
        }
    }

    /// Returns every minor version, from [`Self::OLDEST`] to [`Self::NEWEST`], of which the specifiers allow a release.
    pub fn all_in(requires_python: &Specifiers) -> Vec<Self> {
        let ranges = requires_python.ranges();
        let release = |python: Self, patch| Version::from_release([3, python.minor.into(), patch]);
        // Most minor versions are wholly outside, which need not be found out release by release.
        let is_near = |python: &Self| !ranges.is_disjoint(&Ranges::between(python.first(), python.end()));
        let allows_one =
            |python: &Self| (0..=Self::LARGEST_PATCH).any(|patch| requires_python.contains(&release(*python, patch)));
        let all = (Self::OLDEST.minor..=Self::NEWEST.minor).map(|minor| Self { major: 3, minor });
        all.filter(is_near).filter(allows_one).collect()
    }

    /// Returns its first final release, `X.Y.0`.
    fn first(self) -> Version {
        Version::from_release([self.major.into(), self.minor.into(), 0])
    }

    /// Returns the version that no release of it reaches, `X.(Y+1)`.
    fn end(self) -> Version {
        Version::from_release([self.major.into(), u64::from(self.minor) + 1])
    }
}

impl Target {
    /// Makes the target of every patch release of a Python minor version on a system.
    pub fn new(system: System, python: PythonMinor) -> Self {
        Self { system, python, at_least: python.first(), below: python.end() }
    }

    /// Makes the targets of those patch releases that the specifiers allow: `>=3.10.4` leaves the end of 3.10.
    pub fn all_in(system: System, python: PythonMinor, requires_python: &Specifiers) -> Vec<Self> {
        let whole = Self::new(system, python);
        let release = |patch| Version::from_release([python.major.into(), python.minor.into(), patch]);
        let allows = |patch: u64| (patch, requires_python.contains(&release(patch)));
        let patches: Vec<(u64, bool)> = (0..=PythonMinor::LARGEST_PATCH).map(allows).collect();
        let runs = patches.chunk_by(|(_, one), (_, next)| one == next);
        let part = |run: &[(u64, bool)]| {
            let ((first, is_allowed), (last, _)) = (run.first()?, run.last()?);
            is_allowed.then(|| Self {
                at_least: if *first == 0 { whole.at_least.clone() } else { release(*first) },
                below: if *last == PythonMinor::LARGEST_PATCH { whole.below.clone() } else { release(last + 1) },
                ..whole.clone()
            })
        };
        runs.filter_map(part).collect()
    }

    /// Returns the system.
    pub const fn system(&self) -> &System {
        &self.system
    }

    /// Returns the Python minor version.
    pub const fn python(&self) -> PythonMinor {
        self.python
    }

    /// Returns which full Python versions belong to the target.
    pub fn python_span(&self) -> PythonSpan {
        PythonSpan { at_least: self.at_least.clone(), below: Some(self.below.clone()) }
    }

    /// Divides the target before a Python version; none if the version does not lie inside it.
    pub fn divide(&self, cut: &Version) -> Option<(Self, Self)> {
        if *cut <= self.at_least || *cut >= self.below {
            return None;
        }
        let lower = Self { below: cut.clone(), ..self.clone() };
        let upper = Self { at_least: cut.clone(), ..self.clone() };
        Some((lower, upper))
    }

    /// Returns what CPython reports of itself on every machine of the target; kernel release and version differ, so they
    /// are unknown.
    pub fn marker_environment(&self) -> MarkerEnvironment {
        let (os_name, sys_platform, platform_system) = match self.system.os() {
            Os::Linux => ("posix", "linux", "Linux"),
            Os::Macos => ("posix", "darwin", "Darwin"),
            Os::Windows => ("nt", "win32", "Windows"),
        };
        let platform_machine = match (self.system.os(), self.system.arch()) {
            (Os::Linux, Arch::Aarch64) => "aarch64",
            (Os::Linux | Os::Macos, Arch::X86_64) => "x86_64",
            (Os::Macos, Arch::Aarch64) => "arm64",
            (Os::Windows, Arch::Aarch64) => "ARM64",
            (Os::Windows, Arch::X86_64) => "AMD64",
        };
        MarkerEnvironment {
            os_name: os_name.to_owned(),
            sys_platform: sys_platform.to_owned(),
            platform_machine: platform_machine.to_owned(),
            platform_system: platform_system.to_owned(),
            platform_python_implementation: "CPython".to_owned(),
            implementation_name: "cpython".to_owned(),
            python_version: Version::from_release([self.python.major.into(), self.python.minor.into()]),
            python_full_version: self.python_span(),
            platform_release: None,
            platform_version: None,
        }
    }

    /// Returns the wheel tags of the target, best first. They are made once: a lock asks for those of each target several times.
    pub fn tags(&self) -> Arc<Tags> {
        static MADE: Mutex<Vec<(System, PythonMinor, Arc<Tags>)>> = Mutex::new(Vec::new());
        let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
        let is_own = |(system, python, _): &&(System, PythonMinor, _)| (system, *python) == (&self.system, self.python);
        if let Some((_, _, tags)) = made.iter().find(is_own) {
            return Arc::clone(tags);
        }
        let tags = Arc::new(Tags::new(&self.system, self.python));
        made.push((self.system, self.python, Arc::clone(&tags)));
        tags
    }
}

impl FromStr for PythonMinor {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |digits: &str| canonical_number(digits).and_then(|number| u8::try_from(number).ok());
        match text.split_once('.').map(|(major, minor)| (number(major), number(minor))) {
            Some((Some(3), Some(minor))) => Ok(Self { major: 3, minor }),
            _ => Err(TargetError::Python { found: shown(text) }),
        }
    }
}

impl TryFrom<String> for PythonMinor {
    type Error = TargetError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<PythonMinor> for String {
    fn from(python: PythonMinor) -> Self {
        python.to_string()
    }
}

impl fmt::Display for PythonMinor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} python {}", self.system, self.python)?;
        let whole = Self::new(self.system, self.python);
        match (self.at_least != whole.at_least, self.below != whole.below) {
            (false, false) => Ok(()),
            (false, true) => write!(f, " (<{})", self.below),
            (true, false) => write!(f, " (>={})", self.at_least),
            (true, true) => write!(f, " (>={},<{})", self.at_least, self.below),
        }
    }
}

#[cfg(test)]
mod tests;
