//! Which wheels a target can use, and which of them it likes best.
//!
//! The order is that of the `packaging` library (`tags.sys_tags()` of the interpreter on that system), which pip and other
//! installers follow: <https://packaging.python.org/specifications/platform-compatibility-tags/>. One choice is ours:
//! `linux_x86_64` comes last, as it did before `packaging` 26.3, because such a wheel says nothing about the libc that it
//! needs. A wheel serves a target if every machine at or above the target's floor can use it; tags of free-threaded or debug
//! interpreters are not among a target's.
//!
//! Nothing is asked of the running machine: a lock is made for systems that are elsewhere.

use crate::filename::WheelFilename;
use crate::{Arch, Floor, Os, PythonMinor, System};

/// The wheel tags of one target, best first.
#[derive(Debug, Clone)]
pub struct Tags {
    /// Every pair of interpreter and ABI tag, in order of preference.
    groups: Vec<Group>,
    /// The rank of the first tag of each group, sorted by its key.
    sorted_groups: Vec<(GroupKey, u32)>,
    /// The platform tags, best first.
    platforms: Vec<String>,
    /// Positions in `platforms`, sorted by tag.
    sorted_platforms: Vec<u32>,
}

/// A run of tags that share interpreter and ABI: over every platform of the target, or the one platform `any`.
#[derive(Debug, Clone)]
struct Group {
    python: String,
    abi: String,
    scope: Scope,
    /// The rank of its first tag.
    first_rank: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Scope {
    Any,
    Platforms,
}

/// Interpreter, ABI and scope, as numbers: a lock asks thousands of times.
type GroupKey = (u64, u64, Scope);

/// Returns a tag as a number, if it is as short as every tag of a target is.
fn packed(tag: &str) -> Option<u64> {
    let mut bytes = [0; 8];
    bytes.get_mut(..tag.len())?.copy_from_slice(tag.as_bytes());
    Some(u64::from_be_bytes(bytes))
}

impl Tags {
    /// Makes the tags of an interpreter, CPython `python` on `system`.
    pub fn new(system: &System, python: PythonMinor) -> Self {
        let platforms = platform_tags(system);
        let mut groups: Vec<Group> = Vec::new();
        let mut next_rank = 0;
        for (python, abi, scope) in group_order(python) {
            groups.push(Group { python, abi, scope, first_rank: next_rank });
            next_rank += match scope {
                Scope::Any => 1,
                Scope::Platforms => u32::try_from(platforms.len()).unwrap_or(u32::MAX),
            };
        }
        let mut sorted_groups: Vec<_> =
            groups.iter().filter_map(|group| Some((group.key()?, group.first_rank))).collect();
        sorted_groups.sort_unstable();
        let mut sorted_platforms: Vec<u32> = (0..).zip(&platforms).map(|(position, _)| position).collect();
        sorted_platforms.sort_unstable_by_key(|&position| &platforms[position as usize]);
        Self { groups, sorted_groups, platforms, sorted_platforms }
    }

    /// Returns how well a wheel fits: 0 is best, none means that the target cannot use it.
    ///
    /// Of a compressed tag set, the best tag counts.
    pub fn rank(&self, wheel: &WheelFilename) -> Option<u32> {
        let mut best_platform = None;
        let mut any = false;
        for platform in wheel.platform_tags() {
            if platform == "any" {
                any = true;
            } else if let Some(position) = self.position(platform) {
                best_platform = Some(best_platform.map_or(position, |best: u32| best.min(position)));
            }
        }
        let mut best = None;
        let mut consider = |python: &str, abi: &str, scope: Scope, position: u32| {
            if let Some(first_rank) = self.first_rank(python, abi, scope) {
                let rank = first_rank + position;
                best = Some(best.map_or(rank, |best: u32| best.min(rank)));
            }
        };
        for python in wheel.python_tags() {
            for abi in wheel.abi_tags() {
                if let Some(position) = best_platform {
                    consider(python, abi, Scope::Platforms, position);
                }
                if any {
                    consider(python, abi, Scope::Any, 0);
                }
            }
        }
        best
    }

    /// Returns true if the interpreter of the target can use the wheel, on whatever system it is for.
    pub fn fits_python(&self, wheel: &WheelFilename) -> bool {
        let has = |python: &str, abi: &str| {
            [Scope::Any, Scope::Platforms].into_iter().any(|scope| self.first_rank(python, abi, scope).is_some())
        };
        wheel.python_tags().any(|python| wheel.abi_tags().any(|abi| has(python, abi)))
    }

    /// Returns every tag as it is written in a file name, best first.
    pub fn iter(&self) -> impl Iterator<Item = String> + '_ {
        const ANY: &[String] = &[];
        self.groups.iter().flat_map(move |group| {
            let any = (group.scope == Scope::Any).then(|| format!("{}-{}-any", group.python, group.abi));
            let platforms = if any.is_some() { ANY } else { &self.platforms };
            let tag = |platform: &String| format!("{}-{}-{platform}", group.python, group.abi);
            any.into_iter().chain(platforms.iter().map(tag))
        })
    }

    /// Returns the platform tags, best first, without `any`.
    pub fn platforms(&self) -> &[String] {
        &self.platforms
    }

    /// Returns the position of a platform tag.
    fn position(&self, platform: &str) -> Option<u32> {
        let tag = |position: &u32| self.platforms[*position as usize].as_str();
        let found = self.sorted_platforms.binary_search_by(|position| tag(position).cmp(platform)).ok()?;
        Some(self.sorted_platforms[found])
    }

    fn first_rank(&self, python: &str, abi: &str, scope: Scope) -> Option<u32> {
        let key = (packed(python)?, packed(abi)?, scope);
        let found = self.sorted_groups.binary_search_by_key(&key, |(own, _)| *own).ok()?;
        Some(self.sorted_groups[found].1)
    }
}

impl Group {
    fn key(&self) -> Option<GroupKey> {
        Some((packed(&self.python)?, packed(&self.abi)?, self.scope))
    }
}

/// Returns interpreter and ABI tags in the order of preference: this CPython, its stable ABI, older stable ABIs, then pure
/// Python for a platform, then pure Python.
fn group_order(python: PythonMinor) -> Vec<(String, String, Scope)> {
    let (major, minor) = (python.major(), python.minor());
    let cpython = format!("cp{major}{minor}");
    // Until Python 3.7 the ABI carried an `m` for its memory allocator.
    let abi = if minor < 8 { format!("{cpython}m") } else { cpython.clone() };
    let stable = minor >= 2;
    let mut order = vec![(cpython.clone(), abi, Scope::Platforms)];
    if stable {
        order.push((cpython.clone(), "abi3".to_owned(), Scope::Platforms));
    }
    order.push((cpython.clone(), "none".to_owned(), Scope::Platforms));
    // The stable ABI began with Python 3.2.
    order.extend((2..minor).rev().map(|older| (format!("cp{major}{older}"), "abi3".to_owned(), Scope::Platforms)));

    let pure = || {
        let older = (0..minor).rev().map(move |older| format!("py{major}{older}"));
        [format!("py{major}{minor}"), format!("py{major}")].into_iter().chain(older)
    };
    order.extend(pure().map(|python| (python, "none".to_owned(), Scope::Platforms)));
    order.push((cpython, "none".to_owned(), Scope::Any));
    order.extend(pure().map(|python| (python, "none".to_owned(), Scope::Any)));
    order
}

/// Returns the platform tags that every machine at or above the system's floor can use, best first.
fn platform_tags(system: &System) -> Vec<String> {
    match (system.os(), system.floor()) {
        (Os::Macos, Floor::Macos { major, minor }) => macos_platforms(major, minor, system.arch()),
        (_, Floor::Glibc { minor, .. }) => glibc_platforms(minor, system.arch()),
        (_, Floor::Musl { major, minor }) => musl_platforms(major, minor, system.arch()),
        (Os::Windows, _) => match system.arch() {
            Arch::Aarch64 => vec!["win_arm64".to_owned()],
            Arch::X86_64 => vec!["win_amd64".to_owned()],
        },
        // No system is made so: the constructor of `System` refuses it. No tag is the safe answer.
        (Os::Linux | Os::Macos, _) => Vec::new(),
    }
}

/// PEP 600, with the names of PEP 513, 571 and 599 for three of its levels.
fn glibc_platforms(floor_minor: u16, arch: Arch) -> Vec<String> {
    let (arch_tag, oldest) = match arch {
        Arch::Aarch64 => ("aarch64", 17),
        Arch::X86_64 => ("x86_64", 5),
    };
    let mut platforms = Vec::new();
    for minor in (oldest..=floor_minor).rev() {
        platforms.push(format!("manylinux_2_{minor}_{arch_tag}"));
        let legacy = match minor {
            17 => "manylinux2014",
            12 => "manylinux2010",
            5 => "manylinux1",
            _ => continue,
        };
        platforms.push(format!("{legacy}_{arch_tag}"));
    }
    platforms.push(format!("linux_{arch_tag}"));
    platforms
}

/// PEP 656.
fn musl_platforms(major: u16, floor_minor: u16, arch: Arch) -> Vec<String> {
    let arch_tag = match arch {
        Arch::Aarch64 => "aarch64",
        Arch::X86_64 => "x86_64",
    };
    let mut platforms: Vec<_> =
        (0..=floor_minor).rev().map(|minor| format!("musllinux_{major}_{minor}_{arch_tag}")).collect();
    platforms.push(format!("linux_{arch_tag}"));
    platforms
}

/// macOS 11 and later count majors; before, the major was 10 and the minor counted. Apple's 64-bit ARM began with 11, but a
/// `universal2` wheel may carry the older number of its Intel half.
fn macos_platforms(floor_major: u16, floor_minor: u16, arch: Arch) -> Vec<String> {
    let formats: &[&str] = match arch {
        Arch::Aarch64 => &["arm64", "universal2"],
        Arch::X86_64 => &["x86_64", "intel", "fat64", "fat3", "universal2", "universal"],
    };
    let tags = |major: u16, minor: u16, formats: &'static [&'static str]| {
        formats.iter().map(move |format| format!("macosx_{major}_{minor}_{format}"))
    };
    let majors = (11..=floor_major).rev().flat_map(|major| tags(major, 0, formats));
    if floor_major < 11 {
        // Binary formats exist from 10.4 on.
        return (4..=floor_minor).rev().flat_map(|minor| tags(10, minor, formats)).collect();
    }
    let old_formats = match arch {
        Arch::Aarch64 => &["universal2"],
        Arch::X86_64 => formats,
    };
    majors.chain((4..=16).rev().flat_map(|minor| tags(10, minor, old_formats))).collect()
}

#[cfg(test)]
mod tests;
