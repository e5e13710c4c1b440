//! A system that a lock is for: operating system, architecture, and the oldest libc or macOS that it promises to serve.
//!
//! A system has one name, with the floor written only where it is not the default: what is written into a lock must not
//! depend on who wrote it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::TargetError;
use crate::version::shown;

/// An operating system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Os {
    /// Linux, with glibc or musl.
    Linux,
    /// macOS.
    Macos,
    /// Windows.
    Windows,
}

/// A processor architecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Arch {
    /// 64-bit ARM; Apple and Microsoft call it ARM64.
    Aarch64,
    /// 64-bit Intel; Microsoft calls it AMD64.
    X86_64,
}

/// The oldest C library or system release that a target serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Floor {
    /// A glibc version, on Linux.
    Glibc {
        /// 2.
        major: u16,
        /// At least 5 on x86_64 and 17 on aarch64: older ones have no tag.
        minor: u16,
    },
    /// A macOS release.
    Macos {
        /// At least 10; 11 on aarch64.
        major: u16,
        /// Any, but for 10 at least 4.
        minor: u16,
    },
    /// A musl version, on Linux.
    Musl {
        /// 1.
        major: u16,
        /// Any.
        minor: u16,
    },
    /// Windows: its wheels name no release.
    None,
}

/// An operating system, an architecture and a floor: `linux-x86_64`, `linux-x86_64-glibc2.17`, `macos-aarch64-11.0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct System {
    os: Os,
    arch: Arch,
    /// One that the operating system and the architecture have.
    floor: Floor,
}

impl Floor {
    const DEFAULT_GLIBC: Self = Self::Glibc { major: 2, minor: 28 };
    const DEFAULT_MACOS: Self = Self::Macos { major: 13, minor: 0 };
    const DEFAULT_MUSL: Self = Self::Musl { major: 1, minor: 2 };
    /// No release of a C library or of macOS has a larger number; bounds the list of tags.
    const LARGEST_NUMBER: u16 = 99;

    /// Returns what may be written, or why this one may not.
    fn check(self, os: Os, arch: Arch) -> Result<(), &'static str> {
        match (os, self) {
            (_, Self::Glibc { minor, .. } | Self::Macos { minor, .. } | Self::Musl { minor, .. })
                if minor > Self::LARGEST_NUMBER =>
            {
                Err("its numbers end at 99")
            }
            (Os::Linux, Self::Glibc { major, minor }) => {
                let (oldest, expected) = match arch {
                    Arch::Aarch64 => (17, "write `glibc2.17` or later, or `musl1.2`"),
                    Arch::X86_64 => (5, "write `glibc2.5` or later, or `musl1.2`"),
                };
                if major == 2 && minor >= oldest { Ok(()) } else { Err(expected) }
            }
            (Os::Linux, Self::Musl { major, .. }) => {
                if major == 1 {
                    Ok(())
                } else {
                    Err("write `musl1.2` or the like")
                }
            }
            (Os::Linux, _) => Err("write `glibc2.28`, `musl1.2` or the like"),
            (Os::Macos, Self::Macos { major, minor }) => match arch {
                Arch::Aarch64 if !(11..=Self::LARGEST_NUMBER).contains(&major) => Err("write `11.0` or later"),
                Arch::X86_64 if !(10..=Self::LARGEST_NUMBER).contains(&major) => Err("write `10.9` or later"),
                Arch::X86_64 if major == 10 && !(4..=16).contains(&minor) => Err("macOS 10 had 10.4 to 10.16"),
                _ => Ok(()),
            },
            (Os::Macos, _) => Err("write `13.0` or the like"),
            (Os::Windows, Self::None) => Ok(()),
            (Os::Windows, _) => Err("it has none"),
        }
    }
}

impl System {
    /// The systems, each with its default floor.
    pub const KNOWN: [&'static str; 6] =
        ["linux-x86_64", "linux-aarch64", "windows-x86_64", "windows-aarch64", "macos-aarch64", "macos-x86_64"];

    /// Makes a system with its default floor: glibc 2.28, macOS 13.0.
    pub const fn new(os: Os, arch: Arch) -> Self {
        let floor = match os {
            Os::Linux => Floor::DEFAULT_GLIBC,
            Os::Macos => Floor::DEFAULT_MACOS,
            Os::Windows => Floor::None,
        };
        Self { os, arch, floor }
    }

    /// Makes a system with the floor of a particular machine.
    ///
    /// # Errors
    /// [`TargetError::Floor`] if such a system has no such floor.
    pub fn with_floor(os: Os, arch: Arch, floor: Floor) -> Result<Self, TargetError> {
        let floor_error = |expected| TargetError::Floor {
            floor: floor.to_string(),
            system: Self::new(os, arch).to_string(),
            expected,
        };
        floor.check(os, arch).map_err(floor_error)?;
        Ok(Self { os, arch, floor })
    }

    /// Returns the systems that a manifest without `targets` means.
    pub const fn defaults() -> [Self; 3] {
        [Self::new(Os::Linux, Arch::X86_64), Self::new(Os::Windows, Arch::X86_64), Self::new(Os::Macos, Arch::Aarch64)]
    }

    /// Returns the operating system.
    pub const fn os(&self) -> Os {
        self.os
    }

    /// Returns the architecture.
    pub const fn arch(&self) -> Arch {
        self.arch
    }

    /// Returns the floor.
    pub const fn floor(&self) -> Floor {
        self.floor
    }

    /// Returns true if this machine is of the other system and at or above its floor, so that what was locked for the other
    /// runs here.
    pub fn serves(&self, other: &Self) -> bool {
        let same_kind = std::mem::discriminant(&self.floor) == std::mem::discriminant(&other.floor);
        (self.os, self.arch) == (other.os, other.arch) && same_kind && self.floor >= other.floor
    }
}

impl FromStr for System {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || TargetError::System { found: shown(text), nearest: nearest_system(text) };
        let mut parts = text.splitn(3, '-');
        let (os, arch) = (parts.next().and_then(os_named), parts.next().and_then(arch_named));
        let (Some(os), Some(arch)) = (os, arch) else {
            return Err(unknown());
        };
        let Some(written) = parts.next() else {
            return Ok(Self::new(os, arch));
        };
        match floor_named(os, written) {
            Some(floor) => Self::with_floor(os, arch, floor),
            None => Err(TargetError::Floor {
                floor: shown(written),
                system: Self::new(os, arch).to_string(),
                expected: match os {
                    Os::Linux => "write `glibc2.28`, `musl1.2` or the like",
                    Os::Macos => "write `13.0` or the like",
                    Os::Windows => "it has none",
                },
            }),
        }
    }
}

fn os_named(text: &str) -> Option<Os> {
    match text {
        "linux" => Some(Os::Linux),
        "macos" => Some(Os::Macos),
        "windows" => Some(Os::Windows),
        _ => None,
    }
}

fn arch_named(text: &str) -> Option<Arch> {
    match text {
        "aarch64" => Some(Arch::Aarch64),
        "x86_64" => Some(Arch::X86_64),
        _ => None,
    }
}

fn floor_named(os: Os, text: &str) -> Option<Floor> {
    let numbers = |text: &str| {
        let (major, minor) = text.split_once('.')?;
        Some((canonical_number(major)?, canonical_number(minor)?))
    };
    if os == Os::Macos {
        return numbers(text).map(|(major, minor)| Floor::Macos { major, minor });
    }
    if text == "musl" {
        return Some(Floor::DEFAULT_MUSL);
    }
    if let Some(version) = text.strip_prefix("glibc") {
        return numbers(version).map(|(major, minor)| Floor::Glibc { major, minor });
    }
    let version = text.strip_prefix("musl")?;
    numbers(version).map(|(major, minor)| Floor::Musl { major, minor })
}

/// Reads a number as it is printed: no sign, no leading zero, so that one system has one name.
pub(crate) fn canonical_number(digits: &str) -> Option<u16> {
    let number: u16 = digits.parse().ok()?;
    (number.to_string() == digits).then_some(number)
}

/// Translates the words that other tools use.
fn nearest_system(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase().replace("x86-64", "x86_64");
    let words: Vec<&str> = lower.split(['-', ' ', '/']).filter(|word| !word.is_empty()).collect();
    let os = words.iter().find_map(|word| match *word {
        "darwin" | "mac" | "macos" | "macosx" | "osx" => Some(Os::Macos),
        "linux" | "manylinux" => Some(Os::Linux),
        "win" | "win32" | "win64" | "windows" => Some(Os::Windows),
        _ => None,
    })?;
    let arch = words.iter().find_map(|word| match *word {
        "aarch64" | "arm64" => Some(Arch::Aarch64),
        "amd64" | "intel" | "x64" | "x86_64" => Some(Arch::X86_64),
        _ => None,
    });
    let usual = if os == Os::Macos { Arch::Aarch64 } else { Arch::X86_64 };
    Some(System::new(os, arch.unwrap_or(usual)).to_string())
}

impl TryFrom<String> for System {
    type Error = TargetError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<System> for String {
    fn from(system: System) -> Self {
        system.to_string()
    }
}

impl fmt::Display for Os {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Linux => "linux",
            Self::Macos => "macos",
            Self::Windows => "windows",
        })
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Aarch64 => "aarch64",
            Self::X86_64 => "x86_64",
        })
    }
}

impl fmt::Display for Floor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Glibc { major, minor } => write!(f, "glibc{major}.{minor}"),
            Self::Macos { major, minor } => write!(f, "{major}.{minor}"),
            Self::Musl { major, minor } => write!(f, "musl{major}.{minor}"),
            Self::None => Ok(()),
        }
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.os, self.arch)?;
        if self.floor != Self::new(self.os, self.arch).floor {
            write!(f, "-{}", self.floor)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
