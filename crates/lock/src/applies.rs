//! On which of a lock's targets an entry applies, and because of what: always, or for an extra or a group only.
//!
//! A target is many machines: every patch release of a Python. A marker that divides them applies on the target if it applies
//! on one of them.

use std::collections::BTreeSet;

use pinfold_packaging::{ExtraName, GroupName, MarkerEnvironment, PythonSpan, Target, Version};

use crate::marker::{Key, Node};
use crate::{Lock, LockMarker, Package};

/// Why an entry applies on a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applies {
    /// The target.
    pub target: Target,
    /// Whether it applies without any extra or group.
    pub always: bool,
    /// The extras each of which alone makes it apply.
    pub extras: BTreeSet<ExtraName>,
    /// The groups each of which alone makes it apply.
    pub groups: BTreeSet<GroupName>,
}

impl Lock {
    /// Returns every target that the lock is for; none if another tool wrote it.
    pub fn targets(&self) -> Vec<Target> {
        self.tool.iter().flat_map(|tool| tool.all_targets()).collect()
    }

    /// Returns the targets on which an entry applies, with the reason.
    pub fn applies(&self, package: &Package) -> Vec<Applies> {
        let target = |target: Target| self.applies_on(package, target);
        self.targets().into_iter().filter_map(target).collect()
    }

    /// Returns why an entry applies on one target; none if it does not.
    pub fn applies_on(&self, package: &Package, target: Target) -> Option<Applies> {
        let (no_extras, no_groups) = (BTreeSet::new(), BTreeSet::new());
        let Some(marker) = &package.marker else {
            return Some(Applies { target, always: true, extras: no_extras, groups: no_groups });
        };
        let holds =
            |extras: &BTreeSet<ExtraName>, groups: &BTreeSet<GroupName>| holds_on(marker, &target, extras, groups);
        if holds(&no_extras, &self.default_groups) {
            return Some(Applies { target, always: true, extras: no_extras, groups: no_groups });
        }
        let extras: BTreeSet<ExtraName> =
            self.extras.iter().filter(|name| holds(&[(*name).clone()].into(), &no_groups)).cloned().collect();
        let groups: BTreeSet<GroupName> = self
            .dependency_groups
            .iter()
            .filter(|name| holds(&no_extras, &[(*name).clone()].into()))
            .cloned()
            .collect();
        let some = !extras.is_empty() || !groups.is_empty() || holds(&self.extras, &self.dependency_groups);
        some.then_some(Applies { target, always: false, extras, groups })
    }
}

/// Returns true if the marker holds on a machine of the target.
fn holds_on(marker: &LockMarker, target: &Target, extras: &BTreeSet<ExtraName>, groups: &BTreeSet<GroupName>) -> bool {
    marker.answers_on(target, extras, groups).contains(&true)
}

impl LockMarker {
    /// Returns what the marker says on the machines of a target: both answers, if it divides them.
    pub(crate) fn answers_on(
        &self,
        target: &Target,
        extras: &BTreeSet<ExtraName>,
        groups: &BTreeSet<GroupName>,
    ) -> BTreeSet<bool> {
        let environment = target.marker_environment();
        let span = environment.python_full_version.clone();
        let mut releases = BTreeSet::from([span.at_least.clone()]);
        cuts(self.node(), &mut releases);
        let inside =
            |release: &Version| *release >= span.at_least && span.below.as_ref().is_none_or(|end| release < end);
        let answer = |at_least| {
            let python_full_version = PythonSpan { at_least, below: None };
            self.evaluate(&MarkerEnvironment { python_full_version, ..environment.clone() }, extras, groups)
        };
        releases.into_iter().filter(inside).map(answer).collect()
    }
}

/// A marker that names more releases than that is no honest one; it costs no more than this.
const MOST_RELEASES: usize = 64;

/// Collects the Python releases at which a marker may change its answer, and the ones just above.
fn cuts(node: &Node, releases: &mut BTreeSet<Version>) {
    match node {
        Node::And(members) | Node::Or(members) => members.iter().for_each(|member| cuts(member, releases)),
        Node::Compare(comparison) => {
            if releases.len() > MOST_RELEASES {
                return;
            }
            if let Some((Key::PythonFullVersion, literal)) = comparison.version_literal() {
                let mut numbers = literal.release().to_vec();
                releases.insert(literal);
                numbers.resize(numbers.len().max(3), 0);
                if let Some(last) = numbers.last_mut() {
                    *last = last.saturating_add(1);
                }
                releases.insert(Version::from_release(&numbers));
            }
        }
        Node::Extra(..) | Node::Extras(..) | Node::Groups(..) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{resolution, settings, target};
    use crate::merge;

    /// Whether it always applies, or for which extras and groups.
    type Case = (bool, &'static [&'static str], &'static [&'static str]);

    #[track_caller]
    fn check(marker: &str, expected: &[Case]) {
        let targets = ["linux-x86_64 3.10", "windows-x86_64 3.10"].map(target);
        let resolutions = targets.map(|target| resolution(target, &["a-1-py3-none-any.whl"]));
        let mut lock = merge(&resolutions, settings()).unwrap();
        lock.packages[0].marker = (!marker.is_empty()).then(|| marker.parse().unwrap());
        let names = |applies: &Applies| {
            let extras: Vec<String> = applies.extras.iter().map(ToString::to_string).collect();
            let groups: Vec<String> = applies.groups.iter().map(ToString::to_string).collect();
            (applies.always, extras, groups)
        };
        let found: Vec<_> = lock.applies(&lock.packages[0]).iter().map(names).collect();
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let expected: Vec<_> =
            expected.iter().map(|(always, extras, groups)| (*always, texts(extras), texts(groups))).collect();
        assert_eq!(found, expected, "{marker}");
    }

    #[test]
    fn an_entry_applies_where_its_marker_holds_on_one_machine_of_the_target() {
        let (both, either): (Case, Case) = ((false, &[], &[]), (false, &["gpu"], &["dev"]));
        let always: Case = (true, &[], &[]);
        check("", &[always, always]);
        check("sys_platform == 'linux'", &[always]);
        check("sys_platform == 'darwin'", &[]);
        check("python_full_version >= '3.10.8'", &[always, always]);
        check("python_full_version > '3.10.8' and sys_platform == 'win32'", &[always]);
        check("python_full_version >= '3.11'", &[]);
        check("'gpu' in extras", &[(false, &["gpu"], &[]), (false, &["gpu"], &[])]);
        check("'gpu' in extras or 'dev' in dependency_groups", &[either, either]);
        check("'gpu' in extras and 'x' in extras", &[both, both]);
        check("'nobody' in extras", &[]);
    }
}
