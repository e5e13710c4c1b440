//! Targets agree on versions wherever they can, and keep those that the earlier lock has for them.
//!
//! Each target lends its choices to the next, which settles most of it. Where a later target cannot follow, because the version
//! has no file for it, an earlier one may still be able to follow the later: the targets that chose apart are asked once more,
//! with the version of the one that could not follow as everybody's preference, and after it the next ones that have a file for
//! all of them. What comes out is taken only as far as it brings agreement and parts nothing else; a preference is never a
//! constraint, so whoever cannot follow keeps its own choice, and no other project is set back for it.

use std::collections::{BTreeMap, BTreeSet};

use pinfold_lock::{Lock, Package};
use pinfold_packaging::{PackageName, Strategy, Target, Version};
use pinfold_resolve::Solution;

use super::Keep;
use super::desk::Unsolved;

/// Versions that are preferred, by project, the best first.
pub(super) type Preferences = BTreeMap<PackageName, Vec<Version>>;

/// The entries of the earlier lock whose versions are kept, by project.
pub(super) type Kept<'l> = BTreeMap<&'l PackageName, Vec<&'l Package>>;

/// Returns what is kept of the earlier lock.
pub(super) fn kept<'l>(former: Option<&'l Lock>, keep: &Keep) -> Kept<'l> {
    let Keep::AllBut(moving) = keep else { return Kept::new() };
    let mut kept = Kept::new();
    for package in former.into_iter().flat_map(|lock| &lock.packages).filter(|one| !moving.contains(&one.name)) {
        kept.entry(&package.name).or_default().push(package);
    }
    kept
}

/// Returns the versions of the earlier lock as a target prefers them: its own before those of other targets, and of these the
/// newest first.
pub(super) fn kept_for(target: &Target, former: Option<&Lock>, kept: &Kept<'_>) -> BTreeMap<PackageName, Vec<Version>> {
    let is_own = |package: &Package| former.is_some_and(|lock| lock.applies_on(package, target.clone()).is_some());
    let versions = |packages: &[&Package]| -> Vec<Version> {
        let mut order: Vec<_> = packages.iter().filter_map(|it| Some((is_own(it), it.version.as_ref()?))).collect();
        order.sort_unstable_by(|a, b| b.cmp(a));
        order.into_iter().map(|(_, version)| version.clone()).collect()
    };
    let of_one = |packages: &[&Package]| packages.iter().filter_map(|it| it.version.clone()).collect();
    let each = |(name, packages): (&&PackageName, &Vec<&Package>)| {
        ((*name).clone(), if packages.len() > 1 { versions(packages) } else { of_one(packages) })
    };
    kept.iter().map(each).collect()
}

/// The build tools of the earlier lock that are kept, by what they build: for which targets (none: for all), and which.
#[derive(Debug, Clone, Default)]
pub(super) struct KeptTools(BTreeMap<PackageName, Vec<(Vec<String>, PackageName, Version)>>);

impl KeptTools {
    /// Returns what is kept of the earlier lock's recipes. Whoever moves a package moves what it is built with.
    pub(super) fn new(former: Option<&Lock>, keep: &Keep) -> Self {
        let Keep::AllBut(moving) = keep else { return Self::default() };
        let mut kept: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let recipes = former.and_then(|lock| lock.tool.as_ref()).into_iter().flat_map(|tool| &tool.builds);
        for recipe in recipes.filter(|recipe| !moving.contains(&recipe.name)) {
            let tools = recipe.requires.iter().filter(|tool| !moving.contains(&tool.name));
            let tools = tools.map(|tool| (recipe.targets.clone(), tool.name.clone(), tool.version.clone()));
            kept.entry(recipe.name.clone()).or_default().extend(tools);
        }
        Self(kept)
    }

    /// Returns what is kept for a package as text, for a name that says what an answer depends on.
    pub(super) fn text_of(&self, package: &PackageName) -> String {
        let tools = self.0.get(package).into_iter().flatten();
        tools.map(|(targets, name, version)| format!("{name} {version} {}\n", targets.join(" "))).collect()
    }

    /// Returns the versions that the build of a package on a target prefers, ordered as [`kept_for`] orders those of packages.
    pub(super) fn of(&self, package: &PackageName, target: &Target) -> BTreeMap<PackageName, Vec<Version>> {
        let own = target.to_string();
        let is_own = |targets: &[String]| targets.is_empty() || targets.contains(&own);
        let mut tools: Vec<_> = self.0.get(package).into_iter().flatten().collect();
        tools.sort_by(|a, b| (is_own(&b.0), &b.2).cmp(&(is_own(&a.0), &a.2)));
        let mut versions: BTreeMap<PackageName, Vec<Version>> = BTreeMap::new();
        for (_, name, version) in tools {
            let versions = versions.entry(name.clone()).or_default();
            if !versions.contains(version) {
                versions.push(version.clone());
            }
        }
        versions
    }
}

/// Who solves all targets.
pub(super) trait Solver {
    /// Solves every target, with these versions as everybody's preference.
    ///
    /// # Errors
    /// [`Unsolved`] if one of them has no solution.
    fn solve(&mut self, preferences: Preferences) -> Result<Vec<Solution>, Unsolved>;

    /// Returns the versions of a project that have a file for the target.
    fn candidates(&self, name: &PackageName, target: &Target) -> BTreeSet<Version>;
}

/// Asks again where targets chose apart. Projects of which an earlier lock has a version keep it: they are in `kept`.
///
/// # Errors
/// Those of the solver.
pub(super) fn agree(kept: &Kept<'_>, strategy: Strategy, solver: &mut dyn Solver) -> Result<Vec<Solution>, Unsolved> {
    let first = solver.solve(Preferences::new())?;
    let before = apart(&first, strategy);
    let mut wanted = Preferences::new();
    for (name, last) in before.iter().filter(|(name, _)| !kept.contains_key(name)) {
        let mut versions = vec![last.clone()];
        versions.extend(further(name, last, &first, strategy, solver));
        wanted.insert(name.clone(), versions);
    }
    for round in 1..=ROUNDS {
        if wanted.is_empty() {
            break;
        }
        let again = solver.solve(wanted.clone())?;
        let after = apart(&again, strategy);
        let is_settled = wanted.keys().all(|name| !after.contains_key(name));
        if is_settled && after.keys().all(|name| before.contains_key(name)) {
            return Ok(again);
        }
        if is_settled {
            break;
        }
        wanted.retain(|name, versions| match after.get(name) {
            Some(last) => round + 1 < ROUNDS && begin_at(versions, last),
            None => true,
        });
    }
    Ok(first)
}

/// Drops the versions before one that some target had to take; returns false if that leaves nothing new to ask for.
fn begin_at(versions: &mut Vec<Version>, last: &Version) -> bool {
    match versions.iter().position(|version| version == last) {
        None | Some(0) => false,
        Some(position) => {
            versions.drain(..position);
            true
        }
    }
}

/// Returns, of each project that several versions were chosen of, the one that was taken for want of the preferred one.
fn apart(solutions: &[Solution], strategy: Strategy) -> BTreeMap<PackageName, Version> {
    let mut versions: BTreeMap<&PackageName, BTreeSet<&Version>> = BTreeMap::new();
    for (name, chosen) in solutions.iter().flat_map(|solution| &solution.packages) {
        versions.entry(name).or_default().insert(&chosen.version);
    }
    let several = versions.into_iter().filter(|(_, versions)| versions.len() > 1);
    let last = |versions: BTreeSet<&Version>| match strategy {
        Strategy::Highest | Strategy::LowestDirect => versions.first().copied().cloned(),
        Strategy::Lowest => versions.last().copied().cloned(),
    };
    several.filter_map(|(name, versions)| Some((name.clone(), last(versions)?))).collect()
}

/// Returns the versions beyond the last chosen one that have a file for each target that has the project, the nearest first.
fn further(
    name: &PackageName,
    last: &Version,
    solutions: &[Solution],
    strategy: Strategy,
    solver: &dyn Solver,
) -> Vec<Version> {
    let targets = solutions.iter().filter(|own| own.packages.contains_key(name)).map(|own| &own.target);
    let of_each: Vec<BTreeSet<Version>> = targets.map(|target| solver.candidates(name, target)).collect();
    // What no target could take is no version that anybody passes by.
    let any: BTreeSet<&Version> = of_each.iter().flatten().collect();
    let near: Vec<&Version> = match strategy {
        Strategy::Highest | Strategy::LowestDirect => {
            any.iter().rev().filter(|version| **version < last).take(REACH).copied().collect()
        }
        Strategy::Lowest => any.iter().filter(|version| **version > last).take(REACH).copied().collect(),
    };
    near.into_iter().filter(|version| of_each.iter().all(|own| own.contains(*version))).cloned().collect()
}

/// How often all targets are asked again, the last time only with those projects that came together.
const ROUNDS: usize = 4;
/// How many versions beyond the last chosen one are looked at. A release that is further away is not what anybody means who
/// asks for the newest.
const REACH: usize = 16;
