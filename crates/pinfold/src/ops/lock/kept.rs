//! What is kept of an earlier lock: the versions of packages, and of what they were built with.

use std::collections::BTreeMap;

use pinfold_lock::{Lock, Package};
use pinfold_packaging::{PackageName, Target, Version};

use super::Keep;

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
