//! Which package needs which, over a lock: for people who ask what something is there for.
//!
//! It follows `packages.dependencies`, which the standard calls informational: nothing is installed because of it. The roots
//! are what the lock says was asked for; where it does not say, the packages that no other needs.

mod text;

use std::collections::{BTreeMap, BTreeSet};

use pinfold_packaging::{ExtraName, MarkerTruth, PackageName, Requirement, Target, Version};

use crate::{Applies, Asker, Demanded, DependencyReference, Lock, Package};

/// The dependencies between the packages of a lock, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    nodes: BTreeMap<PackageName, TreeNode>,
    roots: BTreeSet<PackageName>,
    /// Whether the lock says what was asked for.
    knows_roots: bool,
    /// How many targets there are.
    target_count: usize,
    is_inverted: bool,
}

/// One package of the tree.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TreeNode {
    /// Its versions, each with the markers of its entries: several where targets differ, or the machines of one.
    pub versions: BTreeMap<Version, BTreeSet<String>>,
    /// What it needs.
    pub needs: BTreeSet<PackageName>,
    /// What needs it.
    pub needed_by: BTreeSet<PackageName>,
    /// Where it applies, by target.
    pub applies: BTreeMap<Target, Applies>,
    /// Who of the maintainer's asks for it, and how; never a package.
    pub asked: BTreeSet<(Asker, String)>,
}

/// The readable requirements of a lock's packages, which say on which targets one needs another.
struct Demands {
    by: BTreeMap<(PackageName, Version), Vec<Requirement>>,
    /// The extras that somebody wants, by package.
    extras: BTreeMap<PackageName, BTreeSet<ExtraName>>,
}

impl Demands {
    fn of(lock: &Lock) -> Self {
        let mut demands = Self { by: BTreeMap::new(), extras: BTreeMap::new() };
        for Demanded { by, requirement, .. } in lock.tool.iter().flat_map(|tool| tool.asked.requirements()) {
            let extras = requirement.extras.iter().cloned();
            demands.extras.entry(requirement.name.clone()).or_default().extend(extras);
            if let Asker::Package(name, version) = by {
                demands.by.entry((name.clone(), version.clone())).or_default().push(requirement);
            }
        }
        demands
    }

    /// Returns false if every requirement by which one package needs another is for other machines than these.
    fn may_hold(&self, by: &Package, name: &PackageName, targets: &[Target]) -> bool {
        static NONE: BTreeSet<ExtraName> = BTreeSet::new();
        let Some(version) = &by.version else { return true };
        let known = self.by.get(&(by.name.clone(), version.clone()));
        let of_it: Vec<&Requirement> = known.into_iter().flatten().filter(|known| known.name == *name).collect();
        let extras = self.extras.get(&by.name).unwrap_or(&NONE);
        let holds = |target: &Target| {
            let environment = target.marker_environment();
            of_it.iter().any(|known| known.marker.evaluate(&environment, extras) != MarkerTruth::False)
        };
        of_it.is_empty() || targets.is_empty() || targets.iter().any(holds)
    }
}

impl Tree {
    /// Reads the dependencies of a lock.
    pub fn of(lock: &Lock) -> Self {
        Self::on(lock, &lock.targets())
    }

    /// Reads the dependencies of a lock on some of its targets. Of a lock that names no targets, every entry counts.
    pub fn on(lock: &Lock, targets: &[Target]) -> Self {
        let mut nodes: BTreeMap<PackageName, TreeNode> = BTreeMap::new();
        let mut counted: BTreeMap<&PackageName, Vec<&Package>> = BTreeMap::new();
        for package in &lock.packages {
            let applies: Vec<Applies> =
                targets.iter().filter_map(|target| lock.applies_on(package, target.clone())).collect();
            if applies.is_empty() && !targets.is_empty() {
                continue;
            }
            let node = nodes.entry(package.name.clone()).or_default();
            if let Some(version) = lock.version_of(package) {
                let markers = node.versions.entry(version).or_default();
                markers.extend(package.marker.as_ref().map(ToString::to_string));
            }
            node.applies.extend(applies.into_iter().map(|applies| (applies.target.clone(), applies)));
            counted.entry(&package.name).or_default().push(package);
        }
        let means_one = |reference: &&DependencyReference| {
            counted.get(&reference.name).is_some_and(|entries| entries.iter().any(|entry| reference.may_mean(entry)))
        };
        let demands = Demands::of(lock);
        for package in counted.values().flatten() {
            let needs = package.dependencies.iter().filter(means_one);
            for DependencyReference { name, .. } in needs.filter(|need| demands.may_hold(package, &need.name, targets))
            {
                nodes.entry(name.clone()).or_default().needed_by.insert(package.name.clone());
                nodes.entry(package.name.clone()).or_default().needs.insert(name.clone());
            }
        }
        let asked =
            lock.tool.iter().flat_map(|tool| tool.asked.requirements()).filter(|demanded| demanded.by.is_root());
        for Demanded { by, text, requirement, .. } in asked {
            if let Some(node) = nodes.get_mut(&requirement.name) {
                node.asked.insert((by.clone(), text));
            }
        }
        let knows_roots = lock.tool.as_ref().is_some_and(|tool| tool.asked.by.keys().any(Asker::is_root));
        let mut tree =
            Self { nodes, roots: BTreeSet::new(), knows_roots, target_count: targets.len(), is_inverted: false };
        tree.roots = tree.find_roots();
        tree
    }

    /// Returns what was asked for. Whatever cannot be reached from there is a root too, so that nothing of a lock is left out;
    /// where all of a circle need each other, its first.
    fn find_roots(&self) -> BTreeSet<PackageName> {
        let others = |name: &PackageName, node: &TreeNode| node.needed_by.iter().any(|by| by != name);
        let of_its_own = |(name, node): &(&PackageName, &TreeNode)| !node.asked.is_empty() || !others(name, node);
        self.completed(self.nodes.iter().filter(of_its_own).map(|(name, _)| name).collect())
    }

    /// Adds to some roots what cannot be reached from them.
    fn completed<'a>(&'a self, mut roots: BTreeSet<&'a PackageName>) -> BTreeSet<PackageName> {
        let mut reached: BTreeSet<&PackageName> = BTreeSet::new();
        roots.iter().for_each(|root| self.reach(root, &mut reached));
        for name in self.nodes.keys() {
            if !reached.contains(name) {
                roots.insert(name);
                self.reach(name, &mut reached);
            }
        }
        roots.into_iter().cloned().collect()
    }

    fn reach<'a>(&'a self, from: &'a PackageName, reached: &mut BTreeSet<&'a PackageName>) {
        let mut waiting = vec![from];
        while let Some(name) = waiting.pop() {
            if reached.insert(name) {
                waiting.extend(self.nodes.get(name).into_iter().flat_map(|node| &node.needs));
            }
        }
    }

    /// Returns the packages that the tree begins with.
    pub const fn roots(&self) -> &BTreeSet<PackageName> {
        &self.roots
    }

    /// Returns true if the lock says what was asked for; else the roots are a guess.
    pub const fn knows_roots(&self) -> bool {
        self.knows_roots
    }

    /// Returns true if the arrows lead from what is needed to what needs it.
    pub const fn is_inverted(&self) -> bool {
        self.is_inverted
    }

    /// Returns the packages that are at most so many levels below a root.
    pub fn within(&self, depth: Option<usize>) -> BTreeSet<&PackageName> {
        let mut reached: BTreeSet<&PackageName> = self.roots.iter().collect();
        let mut level: Vec<&PackageName> = self.roots.iter().collect();
        let mut left = depth.unwrap_or(usize::MAX);
        while left > 0 && !level.is_empty() {
            let needs = level.iter().filter_map(|name| self.nodes.get(*name)).flat_map(|node| &node.needs);
            level = needs.filter(|name| reached.insert(name)).collect();
            left -= 1;
        }
        reached
    }

    /// Returns every package, by name.
    pub const fn packages(&self) -> &BTreeMap<PackageName, TreeNode> {
        &self.nodes
    }

    /// Returns the same with every arrow turned: what a package is needed by. Its roots are the packages that need nothing, or
    /// the one that is named.
    pub fn inverted(&self, root: Option<&PackageName>) -> Self {
        let mut tree = self.clone();
        for node in tree.nodes.values_mut() {
            std::mem::swap(&mut node.needs, &mut node.needed_by);
        }
        tree.is_inverted = !tree.is_inverted;
        tree.roots = match root {
            Some(root) => [root.clone()].into(),
            None => {
                let bare = tree.nodes.iter().filter(|(name, node)| node.needed_by.iter().all(|by| by == *name));
                tree.completed(bare.map(|(name, _)| name).collect())
            }
        };
        tree
    }

    /// Returns a package with its versions, and where each is if there are several:
    /// `torch 2.1.0 (sys_platform == 'win32'), 2.1.0+cu121 (sys_platform == 'linux')`.
    pub fn shown(&self, name: &PackageName) -> String {
        let Some(TreeNode { versions, .. }) = self.nodes.get(name) else { return name.to_string() };
        let shown = |(version, markers): (&Version, &BTreeSet<String>)| match markers.is_empty() || versions.len() == 1
        {
            true => version.to_string(),
            false => format!("{version} ({})", markers.iter().map(String::as_str).collect::<Vec<_>>().join("; ")),
        };
        let texts: Vec<String> = versions.iter().map(shown).collect();
        if texts.is_empty() { name.to_string() } else { format!("{name} {}", texts.join(", ")) }
    }
}

#[cfg(test)]
pub(crate) mod tests;
