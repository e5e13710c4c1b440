//! Environment markers: where a requirement holds (PEP 508).
//!
//! A marker is read by our own grammar (`gate`), then by `pep508_rs`, which makes a decision diagram of it. A marker is only
//! ever evaluated: walking the diagram adds nothing to the diagrams that the crate keeps for the life of the process.

mod gate;
mod release;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Bound;
use std::str::FromStr;

use pep508_rs::{MarkerTree, MarkerTreeKind, MarkerValueString, MarkerValueVersion};
use version_ranges::Ranges;

pub use release::ReleaseComparison;

use crate::requirement::RequirementErrorKind;
use crate::{ExtraName, Repair, RequirementError, Version};

/// An environment marker. [`std::fmt::Display`] writes it as it was written, in one spelling; nothing if it always holds.
/// Equal markers are equal however they are written.
#[derive(Clone)]
pub struct Marker {
    tree: MarkerTree,
    /// As it was written, in our spelling; empty for the marker that always holds.
    text: Box<str>,
}

/// What a marker says about one environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MarkerTruth {
    /// It never holds there.
    False,
    /// It holds there.
    True,
    /// It holds for some Python releases of the environment and not for others: cutting the span at each of these
    /// versions (all inside it) gives parts in which it is true or false.
    Divided(BTreeSet<Version>),
}

/// What `python_full_version` may be: one interpreter, or every final release of a span.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PythonSpan {
    /// The interpreter's version, or the first release `X.Y.Z` of the span.
    pub at_least: Version,
    /// The end of the span, not included; `None` for one interpreter. Python 3.10 is `3.10.0` to `3.11`.
    pub below: Option<Version>,
}

/// What markers ask about: an interpreter on a system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkerEnvironment {
    /// `os_name`: `posix` or `nt`.
    pub os_name: String,
    /// `sys_platform`: `linux`, `win32`, `darwin`.
    pub sys_platform: String,
    /// `platform_machine`: `x86_64`, `AMD64`, `arm64`.
    pub platform_machine: String,
    /// `platform_system`: `Linux`, `Windows`, `Darwin`.
    pub platform_system: String,
    /// `platform_python_implementation`: `CPython`.
    pub platform_python_implementation: String,
    /// `implementation_name`: `cpython`.
    pub implementation_name: String,
    /// `python_version`: `3.10`.
    pub python_version: Version,
    /// `python_full_version`, and for CPython `implementation_version`.
    pub python_full_version: PythonSpan,
    /// `platform_release`, where one is known.
    pub platform_release: Option<String>,
    /// `platform_version`, where one is known.
    pub platform_version: Option<String>,
}

impl Marker {
    /// Returns the marker that holds everywhere.
    pub fn always() -> Self {
        Self { tree: MarkerTree::TRUE, text: Box::default() }
    }

    /// Returns true if the marker holds everywhere.
    pub fn is_always(&self) -> bool {
        self.tree.is_true()
    }

    /// Returns true if the marker holds nowhere as long as no extra is wanted.
    pub fn needs_extra(&self) -> bool {
        !self.tree.evaluate_extras(&[])
    }

    /// Returns true if it asks for the kernel's release or version, which no target knows.
    pub fn asks_for_the_unknown(&self) -> bool {
        fn is_unknown(key: &MarkerValueString) -> bool {
            matches!(
                key,
                MarkerValueString::PlatformRelease
                    | MarkerValueString::PlatformVersion
                    | MarkerValueString::PlatformVersionDeprecated
            )
        }
        fn asks(tree: &MarkerTree) -> bool {
            match tree.kind() {
                MarkerTreeKind::True | MarkerTreeKind::False => false,
                MarkerTreeKind::Version(node) => node.edges().any(|(_, child)| asks(&child)),
                MarkerTreeKind::String(node) => {
                    is_unknown(node.key()) || node.children().any(|(_, child)| asks(&child))
                }
                MarkerTreeKind::In(node) => is_unknown(node.key()) || node.children().any(|(_, child)| asks(&child)),
                MarkerTreeKind::Contains(node) => {
                    is_unknown(node.key()) || node.children().any(|(_, child)| asks(&child))
                }
                MarkerTreeKind::Extra(node) => [true, false].iter().any(|wanted| asks(&node.edge(*wanted))),
            }
        }
        asks(&self.tree)
    }

    /// Returns the marker that holds where both hold.
    ///
    /// # Errors
    /// When the two together exceed a limit.
    pub fn and(&self, other: &Self) -> Result<Self, RequirementError> {
        match (self.is_always(), other.is_always()) {
            (true, _) => Ok(other.clone()),
            (_, true) => Ok(self.clone()),
            (false, false) => format!("({self}) and ({other})").parse(),
        }
    }

    /// Returns what the marker says about an environment in which the extras are wanted.
    ///
    /// Where the answer depends on something that the environment does not know (`platform_release`), it is true if any
    /// value makes it true.
    pub fn evaluate(&self, environment: &MarkerEnvironment, extras: &BTreeSet<ExtraName>) -> MarkerTruth {
        if self.tree.is_true() {
            return MarkerTruth::True;
        }
        let steps = Walk { environment, extras }.tree(&self.tree, &environment.python_full_version.interval());
        match &steps[..] {
            [(_, true)] => MarkerTruth::True,
            [] | [(_, false)] => MarkerTruth::False,
            [_, cuts @ ..] => MarkerTruth::Divided(cuts.iter().map(|(cut, _)| Version::from_release(cut)).collect()),
        }
    }

    /// Reads the marker that a text holds from `start` on; returns about how many nodes its diagram has, too.
    pub(crate) fn read(
        text: &str,
        start: usize,
        repairs: Option<&mut Vec<Repair>>,
    ) -> Result<(Self, usize), RequirementError> {
        let gated = gate::gate(text, start, repairs)?;
        let mut warning = None;
        let mut reporter = |_, message: String| warning = Some(message);
        let tree = MarkerTree::parse_reporter(&gated.handed_on, &mut reporter);
        let refused = |reason: String| RequirementError::new(RequirementErrorKind::Form, reason, start..text.len());
        // Neither happens to what the gate lets through; if it does, the marker must not be lost.
        let tree = tree.map_err(|error| refused(error.message.to_string()))?;
        match warning {
            Some(warning) => Err(refused(warning)),
            None => Ok((Self { tree, text: gated.written.into() }, gated.nodes)),
        }
    }
}

/// A final release, `X.Y.Z`.
type Release = [u64; 3];

/// Final releases from one to another, which is not included.
type Interval = (Release, Option<Release>);

/// The truth over an interval: from each release on, up to the next; neighbours differ, the first is the interval's start.
type Steps = Vec<(Release, bool)>;

struct Walk<'a> {
    environment: &'a MarkerEnvironment,
    extras: &'a BTreeSet<ExtraName>,
}

impl Walk<'_> {
    fn tree(&self, tree: &MarkerTree, interval: &Interval) -> Steps {
        match tree.kind() {
            MarkerTreeKind::True => vec![(interval.0, true)],
            MarkerTreeKind::False => vec![(interval.0, false)],
            MarkerTreeKind::Version(node) => match node.key() {
                MarkerValueVersion::PythonVersion => {
                    let version = self.environment.python_version.inner();
                    self.first_of(node.edges().filter(|(range, _)| range.contains(version)), interval)
                }
                MarkerValueVersion::ImplementationVersion if self.environment.implementation_name != "cpython" => {
                    self.any_of(node.edges().map(|(_, child)| child), interval)
                }
                _ => self.divided(node.edges(), interval),
            },
            MarkerTreeKind::String(node) => match self.text(node.key()) {
                Some(text) => self.first_of(node.children().filter(|(range, _)| range.contains(text)), interval),
                None => self.any_of(node.children().map(|(_, child)| child), interval),
            },
            MarkerTreeKind::In(node) => match self.text(node.key()) {
                Some(text) => self.tree(&node.edge(node.value().contains(text.as_str())), interval),
                None => self.any_of(node.children().map(|(_, child)| child), interval),
            },
            MarkerTreeKind::Contains(node) => match self.text(node.key()) {
                Some(text) => {
                    let question =
                        node.value().strip_prefix(gate::QUESTION).and_then(|it| it.split_once(gate::QUESTION));
                    let truth = match question {
                        Some((sign, value)) => answers(text, sign, value),
                        None => text.contains(node.value()),
                    };
                    self.tree(&node.edge(truth), interval)
                }
                None => self.any_of(node.children().map(|(_, child)| child), interval),
            },
            MarkerTreeKind::Extra(node) => {
                self.tree(&node.edge(self.extras.contains(node.name().to_string().as_str())), interval)
            }
        }
    }

    /// The edges of a node are disjoint and complete: exactly one fits.
    fn first_of<'r, T: 'r>(
        &self,
        mut edges: impl Iterator<Item = (&'r Ranges<T>, MarkerTree)>,
        interval: &Interval,
    ) -> Steps {
        edges.next().map_or_else(|| vec![(interval.0, false)], |(_, child)| self.tree(&child, interval))
    }

    fn any_of(&self, children: impl Iterator<Item = MarkerTree>, interval: &Interval) -> Steps {
        let steps = children.map(|child| self.tree(&child, interval));
        steps.reduce(|a, b| either(&a, &b)).unwrap_or_else(|| vec![(interval.0, false)])
    }

    fn divided<'r>(
        &self,
        edges: impl Iterator<Item = (&'r Ranges<pep440_rs::Version>, MarkerTree)>,
        interval: &Interval,
    ) -> Steps {
        let mut steps = Steps::new();
        for (range, child) in edges {
            for bounds in range.iter() {
                if let Some(part) = common(releases(bounds), interval) {
                    steps.extend(self.tree(&child, &part));
                }
            }
        }
        steps.sort_unstable();
        steps.dedup_by_key(|(_, truth)| *truth);
        steps
    }

    fn text(&self, key: &MarkerValueString) -> Option<&String> {
        let environment = self.environment;
        match key {
            MarkerValueString::ImplementationName => Some(&environment.implementation_name),
            MarkerValueString::OsName | MarkerValueString::OsNameDeprecated => Some(&environment.os_name),
            MarkerValueString::PlatformMachine | MarkerValueString::PlatformMachineDeprecated => {
                Some(&environment.platform_machine)
            }
            MarkerValueString::PlatformPythonImplementation
            | MarkerValueString::PlatformPythonImplementationDeprecated
            | MarkerValueString::PythonImplementationDeprecated => Some(&environment.platform_python_implementation),
            MarkerValueString::PlatformRelease => environment.platform_release.as_ref(),
            MarkerValueString::PlatformSystem => Some(&environment.platform_system),
            MarkerValueString::PlatformVersion | MarkerValueString::PlatformVersionDeprecated => {
                environment.platform_version.as_ref()
            }
            MarkerValueString::SysPlatform | MarkerValueString::SysPlatformDeprecated => {
                Some(&environment.sys_platform)
            }
        }
    }
}

impl PythonSpan {
    /// A pre-release interpreter counts as the release that it leads to, as the diagrams ignore what follows the release.
    fn interval(&self) -> Interval {
        let start = at_or_after(self.at_least.inner());
        match &self.below {
            Some(below) => (start, Some(at_or_after(below.inner()))),
            None => (start, Some(following(start))),
        }
    }
}

/// Answers a comparison that is a question of its own.
fn answers(text: &str, sign: &str, value: &str) -> bool {
    ReleaseComparison::new(sign, value).is_ok_and(|comparison| comparison.holds(text))
}

const fn following(release: Release) -> Release {
    [release[0], release[1], release[2] + 1]
}

/// Returns the release numbers, and whether the version lies above the final release of them.
fn truncated(version: &pep440_rs::Version) -> (Release, bool) {
    let numbers = version.release();
    let number = |position: usize| numbers.get(position).copied().unwrap_or(0);
    let beyond = numbers.iter().skip(3).any(|number| *number > 0);
    ([number(0), number(1), number(2)], beyond || version.is_post() || version.is_local())
}

/// Returns the first final release that is not below the version.
fn at_or_after(version: &pep440_rs::Version) -> Release {
    let (release, above) = truncated(version);
    if above { following(release) } else { release }
}

/// Returns the first final release above the version.
fn after(version: &pep440_rs::Version) -> Release {
    let (release, above) = truncated(version);
    if above || !version.any_prerelease() { following(release) } else { release }
}

/// Returns the final releases within bounds.
fn releases((low, high): (&Bound<pep440_rs::Version>, &Bound<pep440_rs::Version>)) -> Interval {
    let start = match low {
        Bound::Included(version) => at_or_after(version),
        Bound::Excluded(version) => after(version),
        Bound::Unbounded => [0; 3],
    };
    let end = match high {
        Bound::Included(version) => Some(after(version)),
        Bound::Excluded(version) => Some(at_or_after(version)),
        Bound::Unbounded => None,
    };
    (start, end)
}

fn common(a: Interval, b: &Interval) -> Option<Interval> {
    let end = match (a.1, b.1) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    let start = a.0.max(b.0);
    end.is_none_or(|end| start < end).then_some((start, end))
}

/// Returns the steps at which one of two truths over the same interval holds.
fn either(a: &Steps, b: &Steps) -> Steps {
    let at =
        |steps: &Steps, release| steps.iter().rev().find(|(start, _)| *start <= release).is_some_and(|step| step.1);
    let starts: BTreeSet<Release> = a.iter().chain(b).map(|(start, _)| *start).collect();
    let mut steps: Steps = starts.into_iter().map(|start| (start, at(a, start) || at(b, start))).collect();
    steps.dedup_by_key(|(_, truth)| *truth);
    steps
}

impl FromStr for Marker {
    type Err = RequirementError;

    /// Reads a marker by the book; an empty text is an error.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        crate::requirement::check_text(text)?;
        Self::read(text, 0, None).map(|(marker, _)| marker)
    }
}

impl PartialEq for Marker {
    fn eq(&self, other: &Self) -> bool {
        self.tree == other.tree
    }
}

impl Eq for Marker {}

impl std::hash::Hash for Marker {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.tree.hash(state);
    }
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}
