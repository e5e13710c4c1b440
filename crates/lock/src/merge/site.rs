//! Where markers can tell targets apart: system, machine and Python releases, and nothing else.
//!
//! Two targets that differ only in their libc or macOS floor are one site: no marker tells them apart, only wheel tags do.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use pinfold_packaging::{PythonSpan, Specifiers, Target, Version};

use super::Reach;
use super::condition::Condition;
use crate::LockMarker;
use crate::marker::{Key, Node, Operator};

/// The distinct environments of all targets.
pub(super) struct Sites {
    /// Consecutive, disjoint spans of Python releases.
    pub(super) spans: Vec<Span>,
    /// Sorted.
    pub(super) sites: Vec<Site>,
    /// Conditions that were found, per classes of the sites: hundreds of projects share a few.
    pub(super) known: Known,
    /// Likewise the markers of a project's entries, where it took work to find them.
    pub(super) known_least: RefCell<BTreeMap<Divided, Option<Vec<Option<Node>>>>>,
}

/// The class of each site, and of each class its entry and what makes it needed.
pub(super) type Divided = (Vec<Option<usize>>, Vec<(usize, Option<Reach>)>);

/// Conditions, per classes of the sites; none where a value cannot be written into a marker.
#[derive(Default)]
pub(super) struct Known(pub(super) RefCell<HashMap<Vec<Option<usize>>, Option<ByClass>>>);

/// When each class applies.
pub(super) type ByClass = BTreeMap<usize, Condition>;

/// Python releases that no target tells apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    pub(super) at_least: Version,
    pub(super) below: Version,
    /// `3.10`.
    pub(super) minor: Version,
}

/// One environment, as far as markers see it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Site {
    pub(super) sys_platform: String,
    pub(super) platform_machine: String,
    /// A position in [`Sites::spans`].
    pub(super) span: usize,
}

impl Sites {
    pub(super) fn of(targets: &[&Target]) -> Self {
        let spans = elementary_spans(targets);
        let mut sites = BTreeSet::new();
        for target in targets {
            for (position, span) in spans.iter().enumerate() {
                if covers(target, span) {
                    sites.insert(site(target, position));
                }
            }
        }
        Self { spans, sites: sites.into_iter().collect(), known: Known::default(), known_least: RefCell::default() }
    }

    /// Returns the positions of a target's sites.
    pub(super) fn positions(&self, target: &Target) -> Vec<usize> {
        let own = |site: &Site| covers(target, &self.spans[site.span]) && *site == self::site(target, site.span);
        self.sites.iter().enumerate().filter(|(_, site)| own(site)).map(|(position, _)| position).collect()
    }

    /// Returns one marker per environment that the lock is for; no two hold together.
    pub(super) fn environments(&self, targets: &[&Target]) -> Vec<LockMarker> {
        let mut written: BTreeSet<(String, String, Span)> = BTreeSet::new();
        for target in targets {
            // Cut only where a target of the same system is: the other systems' cuts are of no interest here.
            let own = target.marker_environment();
            let alike = |other: &&&Target| {
                let other = other.marker_environment();
                other.sys_platform == own.sys_platform && other.platform_machine == own.platform_machine
            };
            let alike: Vec<&Target> = targets.iter().filter(alike).copied().collect();
            for span in elementary_spans(&alike).into_iter().filter(|span| covers(target, span)) {
                written.insert((own.sys_platform.clone(), own.platform_machine.clone(), span));
            }
        }
        written.iter().filter_map(|(platform, machine, span)| environment(platform, machine, span)).collect()
    }

    /// Returns specifiers that no release outside the targets' minor versions meets.
    pub(super) fn requires_python(&self) -> Option<Specifiers> {
        let (first, last) = (self.spans.first()?, self.spans.last()?);
        let mut text = format!(">={}", if first.begins_minor() { &first.minor } else { &first.at_least });
        for (earlier, later) in self.spans.iter().zip(&self.spans[1..]) {
            let (from, to) = (minor_number(&earlier.minor), minor_number(&later.minor));
            let major = earlier.minor.release().first().copied().unwrap_or_default();
            (from + 1..to).for_each(|missing| text.push_str(&format!(",!={major}.{missing}.*")));
        }
        text.push_str(&format!(",<{}", last.below));
        text.parse().ok()
    }
}

impl Span {
    /// Returns true if no earlier release of the minor version exists.
    pub(super) fn begins_minor(&self) -> bool {
        matches!(self.at_least.release(), [_, _] | [_, _, 0])
    }

    /// Returns true if no later release of the minor version exists.
    fn ends_minor(&self) -> bool {
        matches!(self.below.release(), [_, _] | [_, _, 0])
    }
}

fn site(target: &Target, span: usize) -> Site {
    let environment = target.marker_environment();
    Site { sys_platform: environment.sys_platform, platform_machine: environment.platform_machine, span }
}

fn bounds(target: &Target) -> (Version, Version) {
    match target.python_span() {
        PythonSpan { at_least, below: Some(below) } => (at_least, below),
        PythonSpan { at_least, below: None } => (at_least.clone(), at_least),
    }
}

fn covers(target: &Target, span: &Span) -> bool {
    let (at_least, below) = bounds(target);
    at_least <= span.at_least && span.below <= below
}

/// Cuts each minor version wherever some target of it begins or ends.
fn elementary_spans(targets: &[&Target]) -> Vec<Span> {
    let mut spans = BTreeSet::new();
    for target in targets {
        let minor = target.marker_environment().python_version;
        let (at_least, below) = bounds(target);
        let inside = |cut: &Version| at_least < *cut && *cut < below;
        let of_minor = targets.iter().flat_map(|other| {
            let (other_least, other_below) = bounds(other);
            [other_least, other_below]
        });
        let mut cuts: BTreeSet<Version> = of_minor.filter(inside).collect();
        cuts.insert(at_least.clone());
        cuts.insert(below.clone());
        let cuts: Vec<Version> = cuts.into_iter().collect();
        for pair in cuts.windows(2) {
            spans.insert(Span { at_least: pair[0].clone(), below: pair[1].clone(), minor: minor.clone() });
        }
    }
    spans.into_iter().collect()
}

fn minor_number(minor: &Version) -> u64 {
    minor.release().get(1).copied().unwrap_or_default()
}

fn environment(platform: &str, machine: &str, span: &Span) -> Option<LockMarker> {
    let mut parts = vec![
        Node::comparing(Key::SysPlatform, Operator::Equal, platform)?,
        Node::comparing(Key::PlatformMachine, Operator::Equal, machine)?,
        Node::comparing(Key::ImplementationName, Operator::Equal, "cpython")?,
        Node::comparing(Key::PythonVersion, Operator::Equal, &span.minor.to_string())?,
    ];
    if !span.begins_minor() {
        parts.push(Node::comparing(Key::PythonFullVersion, Operator::GreaterEqual, &span.at_least.to_string())?);
    }
    if !span.ends_minor() {
        parts.push(Node::comparing(Key::PythonFullVersion, Operator::Less, &span.below.to_string())?);
    }
    Node::all(parts).map(LockMarker::new)
}
