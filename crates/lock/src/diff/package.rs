//! How one package differs between two locks.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use pinfold_artifact::{ArtifactFilename, Sha256};
use pinfold_packaging::{Version, WheelFilename};

use super::{Change, ChangeKind, PackageDiff};
use crate::shown::shown;
use crate::{Asker, BuildRecipe, BuildTool, Lock, LockedFile, Package, TreeIdentity, TreeSource};

/// A package jumps in size if it grows to more than this many times what it was,
const JUMP_FACTOR: u64 = 3;
/// and by more than this.
const JUMP_BYTES: u64 = 1024 * 1024;

/// One side: a lock, and its entries of the package.
type Side<'a> = (&'a Lock, &'a [&'a Package]);

pub(super) fn compare(old: Side<'_>, new: Side<'_>) -> Option<PackageDiff> {
    let mut diff = PackageDiff {
        was_there: !old.1.is_empty(),
        is_there: !new.1.is_empty(),
        old_versions: versions(old),
        new_versions: versions(new),
        changes: Vec::new(),
    };
    if diff.is_there {
        builds(old, new, &mut diff.changes);
        origins(old, new, &mut diff.changes);
    }
    if diff.was_there && diff.is_there {
        version_jumps(&mut diff);
        size_jump(old, new, &mut diff.changes);
        files(old, new, &diff.old_versions.intersection(&diff.new_versions).collect(), &mut diff.changes);
        build_tools(old, new, &mut diff.changes);
        trees(old, new, &mut diff.changes);
        conditions(old, new, diff.old_versions == diff.new_versions, &mut diff.changes);
    }
    diff.changes.sort_by(Change::order);
    let differs = diff.was_there != diff.is_there || diff.old_versions != diff.new_versions;
    (differs || !diff.changes.is_empty()).then_some(diff)
}

fn versions(side: Side<'_>) -> BTreeSet<Version> {
    side.1.iter().filter_map(|package| side.0.version_of(package)).collect()
}

fn version_jumps(diff: &mut PackageDiff) {
    let (Some(old), Some(new)) = (diff.old_versions.last(), diff.new_versions.last()) else { return };
    let change = |kind| Change::new(kind, "", Some(old.to_string()), Some(new.to_string()));
    if new.epoch() > old.epoch() {
        diff.changes.push(change(ChangeKind::Epoch));
    } else if new < old {
        diff.changes.push(change(ChangeKind::OlderVersion));
    }
}

/// Returns the change from one place to another as it may be shown.
fn moved(subject: impl ToString, old: &str, new: &str) -> Change {
    let (old, mut new) = (shown(old), shown(new));
    if old == new {
        new.push_str(" (another query)");
    }
    Change::new(ChangeKind::Url, subject, Some(old), Some(new))
}

fn place_change(name: &ArtifactFilename, was: Option<&str>, is: Option<&str>) -> Option<Change> {
    match (was, is) {
        (was, is) if was == is => None,
        (Some(was), Some(is)) => Some(moved(name, was, is)),
        (was, is) => Some(Change::new(ChangeKind::Url, name, was.map(shown), is.map(shown))),
    }
}

/// Returns the host or repository of what was asked for directly, and what exactly was asked for.
fn direct(package: &Package) -> Option<(String, String)> {
    match (&package.archive, &package.tree) {
        (Some(archive), _) => match (&archive.path, archive.file.url.file_host()) {
            (None, Some(host)) => Some((host.to_string(), archive.file.url.to_string())),
            (Some(path), _) => Some(("a path".to_owned(), path.to_string())),
            (None, None) => Some(("a path".to_owned(), archive.file.url.to_string())),
        },
        (None, Some(TreeSource::Vcs(vcs))) => {
            let place = vcs.url.as_ref().or(vcs.path.as_ref()).map_or("", String::as_str);
            Some((format!("{}+{}", vcs.kind, shown(place)), format!("{}+{place}@{}", vcs.kind, vcs.commit_id)))
        }
        (None, Some(TreeSource::Directory(directory))) => Some(("a path".to_owned(), directory.path.clone())),
        (None, None) => None,
    }
}

impl Package {
    /// Returns where the entry comes from, for people: the URL of its index, or what was asked for directly.
    pub fn origin_text(&self) -> Option<String> {
        let index = || self.index.as_ref().map(|index| index.as_directory().to_string());
        direct(self).map(|(_, exactly)| shown(&exactly)).or_else(index)
    }
}

/// Returns where the entries come from: of an index its URL, of what was asked for directly its host or repository, and
/// beside it what exactly was asked for.
fn origins_of(side: Side<'_>) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut origins, mut exactly) = (BTreeSet::new(), BTreeSet::new());
    for package in side.1 {
        let index = package.index.as_ref().map(|index| index.as_directory().to_string());
        let (origin, exact) = direct(package).map_or((index, None), |(origin, exact)| (Some(origin), Some(exact)));
        origins.insert(origin.unwrap_or_else(|| "no index".to_owned()));
        exactly.extend(exact);
    }
    (origins, exactly)
}

fn hosts(side: Side<'_>) -> BTreeSet<String> {
    let files = side.1.iter().flat_map(|package| package.files());
    files.map(|file| file.url.file_host().map_or("file://".to_owned(), |host| host.to_string())).collect()
}

fn origins(old: Side<'_>, new: Side<'_>, changes: &mut Vec<Change>) {
    let ((before, exactly_before), (after, exactly_after)) = (origins_of(old), origins_of(new));
    if before != after {
        let old_origin = (!old.1.is_empty()).then(|| joined(&before));
        changes.push(Change::new(ChangeKind::Origin, "", old_origin, Some(joined(&after))));
        return;
    }
    if exactly_before != exactly_after {
        let all = |exactly: &BTreeSet<String>| joined(&exactly.iter().map(|one| shown(one)).collect());
        changes.push(moved("", &all(&exactly_before), &all(&exactly_after)));
        return;
    }
    let (before, after) = (hosts(old), hosts(new));
    if before != after {
        changes.push(Change::new(ChangeKind::Host, "", Some(joined(&before)), Some(joined(&after))));
    }
}

/// Code that runs while installing, which an sdist or a build recipe means.
fn builds(old: Side<'_>, new: Side<'_>, changes: &mut Vec<Change>) {
    let sources = |side: Side<'_>| {
        let sdists = side.1.iter().flat_map(|package| &package.sdist).map(|file| file.filename.to_string());
        let archives = side.1.iter().flat_map(|package| &package.archive).map(|archive| &archive.file.filename);
        let built = archives.filter(|name| !name.as_str().ends_with(".whl")).map(ToString::to_string);
        sdists.chain(built).collect::<BTreeSet<String>>()
    };
    let recipes = |side: Side<'_>| {
        let names: BTreeSet<_> = side.1.iter().map(|package| package.name.clone()).collect();
        let of_it = side.0.tool.iter().flat_map(|tool| &tool.builds).filter(|recipe| names.contains(&recipe.name));
        of_it.map(shown_recipe).collect::<BTreeSet<String>>()
    };
    let (before, after) = (sources(old), sources(new));
    let (recipes_before, recipes_after) = (recipes(old), recipes(new));
    let builds = |sources: &BTreeSet<String>, recipes: &BTreeSet<String>, side: Side<'_>| {
        !sources.is_empty() || !recipes.is_empty() || side.1.iter().any(|package| package.tree.is_some())
    };
    let (built_before, built_after) = (builds(&before, &recipes_before, old), builds(&after, &recipes_after, new));
    if built_after && !built_before {
        let what = if after.is_empty() { recipes_after } else { after };
        changes.push(Change::new(
            ChangeKind::BuildAdded,
            "",
            None,
            Some(joined(&what)).filter(|what| !what.is_empty()),
        ));
    } else if built_before && recipes_before != recipes_after {
        changes.push(Change::new(
            ChangeKind::BuildChanged,
            "",
            Some(recipes_before).filter(|recipes| !recipes.is_empty()).map(|recipes| joined(&recipes)),
            Some(recipes_after).filter(|recipes| !recipes.is_empty()).map(|recipes| joined(&recipes)),
        ));
    }
}

/// Compares the files of build tools: they run on the machine of whoever installs.
fn build_tools(old: Side<'_>, new: Side<'_>, changes: &mut Vec<Change>) {
    let tools = |side: Side<'_>| -> BTreeMap<ArtifactFilename, BuildTool> {
        let names: BTreeSet<_> = side.1.iter().map(|package| &package.name).collect();
        let of_it = side.0.tool.iter().flat_map(|tool| &tool.builds).filter(|recipe| names.contains(&recipe.name));
        of_it.flat_map(|recipe| &recipe.requires).map(|tool| (tool.file.filename.clone(), tool.clone())).collect()
    };
    let after = tools(new);
    for (name, was) in tools(old) {
        let Some(is) = after.get(&name) else { continue };
        let own = [
            Change::of(ChangeKind::Replaced, &name, &Some(was.file.sha256), &Some(is.file.sha256)),
            Change::of(ChangeKind::Size, &name, &Some(was.file.size_bytes), &Some(is.file.size_bytes)),
            Change::of(ChangeKind::Origin, &name, &Some(&was.index), &Some(&is.index)),
            Change::of(ChangeKind::Host, &name, &was.file.url.file_host(), &is.file.url.file_host()),
        ];
        changes.extend(own.into_iter().flatten());
    }
}

/// Returns a recipe without what every new version of the sdist changes.
fn shown_recipe(recipe: &BuildRecipe) -> String {
    let tools: BTreeSet<String> =
        recipe.requires.iter().map(|tool| format!("{} {}", tool.name, tool.version)).collect();
    let with = if tools.is_empty() { String::new() } else { format!(" with {}", joined(&tools)) };
    let path: String = recipe.backend_path.iter().map(|path| format!(", backend-path {path}")).collect();
    let targets = if recipe.targets.is_empty() { String::new() } else { format!(" for {}", recipe.targets.join(", ")) };
    format!("{}{path}{with}{targets}", recipe.backend)
}

/// Compares the wheels of one platform with each other, so that a target which was added is no jump.
fn size_jump(old: Side<'_>, new: Side<'_>, changes: &mut Vec<Change>) {
    let sizes = |side: Side<'_>| {
        let mut sizes: BTreeMap<String, u64> = BTreeMap::new();
        for file in side.1.iter().flat_map(|package| package.files()) {
            let platform = WheelFilename::parse(&file.filename)
                .map_or("sdist".to_owned(), |wheel| wheel.platform_tags().collect::<Vec<_>>().join("."));
            let largest = sizes.entry(platform).or_default();
            *largest = file.size_bytes.max(*largest);
        }
        sizes
    };
    let (before, after) = (sizes(old), sizes(new));
    let alike: Vec<(u64, u64)> =
        after.iter().filter_map(|(platform, size)| Some((*before.get(platform)?, *size))).collect();
    let largest = |sizes: &BTreeMap<String, u64>| sizes.values().copied().max().unwrap_or_default();
    let pairs = if alike.is_empty() { vec![(largest(&before), largest(&after))] } else { alike };
    let jumps =
        |(old, new): &(u64, u64)| *new > old.saturating_mul(JUMP_FACTOR) && *new > old.saturating_add(JUMP_BYTES);
    if let Some((old, new)) = pairs.into_iter().filter(jumps).max_by_key(|(old, new)| new / old.max(&1)) {
        let text = |size: u64| Some(format!("{size} bytes"));
        changes.push(Change::new(ChangeKind::SizeJump, "", text(old), text(new)));
    }
}

/// Compares the files of versions that both have.
fn files(old: Side<'_>, new: Side<'_>, kept: &BTreeSet<&Version>, changes: &mut Vec<Change>) {
    // A file that is named by its path lies elsewhere on every machine.
    let place = |package: &Package, file: &LockedFile| match &package.archive {
        Some(archive) if archive.path.is_some() => None,
        _ => Some(file.url.to_string()),
    };
    let of = |side: Side<'_>| -> BTreeMap<ArtifactFilename, (LockedFile, Option<String>)> {
        let versions = side.1.iter().filter(|package| side.0.version_of(package).is_none_or(|v| kept.contains(&v)));
        let files = versions.flat_map(|package| package.files().map(move |file| (package, file)));
        files.map(|(package, file)| (file.filename.clone(), (file.clone(), place(package, file)))).collect()
    };
    let (before, after) = (of(old), of(new));
    for (name, (file, url)) in &after {
        let Some((was, was_at)) = before.get(name) else {
            changes.push(Change::new(ChangeKind::File, name, None, Some(name.to_string())));
            continue;
        };
        let own = [
            Change::of(ChangeKind::Replaced, name, &Some(was.sha256), &Some(file.sha256)),
            Change::of(ChangeKind::Size, name, &Some(was.size_bytes), &Some(file.size_bytes)),
            place_change(name, was_at.as_deref(), url.as_deref()),
            Change::of(ChangeKind::UploadTime, name, &uploaded(old.0, was), &uploaded(new.0, file)),
            Change::of(ChangeKind::Metadata, name, &metadata(old.0, name), &metadata(new.0, name)),
        ];
        changes.extend(own.into_iter().flatten());
    }
    for name in before.keys().filter(|name| !after.contains_key(*name)) {
        changes.push(Change::new(ChangeKind::File, name, Some(name.to_string()), None));
    }
}

/// Returns when a file was uploaded, or first seen where the index does not say.
fn uploaded(lock: &Lock, file: &LockedFile) -> Option<Timestamp> {
    let seen = || lock.tool.as_ref().and_then(|tool| tool.first_seen.get(&file.filename).copied());
    file.upload_time.or_else(seen)
}

/// Compares the digests of source trees.
fn trees(old: Side<'_>, new: Side<'_>, changes: &mut Vec<Change>) {
    let of = |side: Side<'_>| -> BTreeMap<String, Sha256> {
        let names: BTreeSet<_> = side.1.iter().map(|package| &package.name).collect();
        let trees = side.0.tool.iter().flat_map(|tool| &tool.trees).filter(|tree| names.contains(&tree.name));
        let key = |identity: &TreeIdentity| match identity {
            TreeIdentity::Commit(text) | TreeIdentity::Path(text) => text.clone(),
        };
        trees.map(|tree| (key(&tree.identity), tree.sha256)).collect()
    };
    let after = of(new);
    for (identity, was) in of(old) {
        let is = after.get(&identity).copied();
        if is.is_some() {
            changes.extend(Change::of(ChangeKind::Replaced, identity, &Some(was), &is));
        }
    }
}

fn metadata(lock: &Lock, name: &ArtifactFilename) -> Option<Sha256> {
    lock.tool.as_ref().and_then(|tool| tool.metadata.get(name).copied())
}

/// Compares when the package applies, and what it needs.
fn conditions(old: Side<'_>, new: Side<'_>, same_versions: bool, changes: &mut Vec<Change>) {
    let targets = |side: Side<'_>| -> BTreeSet<String> {
        let applies = side.1.iter().flat_map(|package| side.0.applies(package));
        applies.map(|applies| applies.target.to_string()).collect()
    };
    let (before, after) = (targets(old), targets(new));
    // Where the lock itself is for other targets, every package is; that is said once, as a setting.
    if before != after && old.0.targets() == new.0.targets() {
        changes.push(Change::new(ChangeKind::Targets, "", Some(joined(&before)), Some(joined(&after))));
    }
    let needs = |side: Side<'_>| -> BTreeSet<String> {
        side.1.iter().flat_map(|package| &package.dependencies).map(|reference| reference.name.to_string()).collect()
    };
    let (before, after) = (needs(old), needs(new));
    for name in before.symmetric_difference(&after) {
        let of = |side: &BTreeSet<String>| side.contains(name).then(|| name.clone());
        changes.push(Change::new(ChangeKind::Dependency, name, of(&before), of(&after)));
    }
    if !same_versions {
        return;
    }
    let values = |side: Side<'_>, value: fn(&Package) -> Option<String>| -> BTreeMap<String, Option<String>> {
        let version = |package: &Package| package.version.as_ref().map(ToString::to_string).unwrap_or_default();
        let mut values: BTreeMap<String, Option<String>> = BTreeMap::new();
        for package in side.1 {
            let text = value(package).unwrap_or_else(|| "always".to_owned());
            let all = values.entry(version(package)).or_default();
            *all = Some(all.take().map_or(text.clone(), |before| format!("{before}; or {text}")));
        }
        values
    };
    let one_version = old.1.len() == 1;
    for (kind, value) in [
        (ChangeKind::Marker, (|package: &Package| package.marker.as_ref().map(ToString::to_string)) as fn(&_) -> _),
        (ChangeKind::RequiresPython, |package: &Package| package.requires_python.as_ref().map(ToString::to_string)),
    ] {
        let (before, after) = (values(old, value), values(new, value));
        for (version, text) in &after {
            let subject = if one_version { "" } else { version };
            changes.extend(before.get(version).and_then(|was| Change::of(kind, subject, was, text)));
        }
    }
    requirements(old, new, changes);
}

fn requirements(old: Side<'_>, new: Side<'_>, changes: &mut Vec<Change>) {
    let of = |side: Side<'_>| -> BTreeSet<String> {
        let by = |package: &&Package| Some(Asker::Package(package.name.clone(), package.version.clone()?));
        let askers: BTreeSet<Asker> = side.1.iter().filter_map(by).collect();
        let asked = side.0.tool.iter().map(|tool| &tool.asked.by);
        let texts = asked.flat_map(|asked| askers.iter().filter_map(|by| asked.get(by)));
        texts.flatten().cloned().collect()
    };
    let knows = |side: Side<'_>| side.0.tool.as_ref().is_some_and(|tool| !tool.asked.is_empty());
    if !knows(old) || !knows(new) {
        return;
    }
    let (before, after) = (of(old), of(new));
    for text in before.symmetric_difference(&after) {
        let of = |side: &BTreeSet<String>| side.contains(text).then(|| text.clone());
        changes.push(Change::new(ChangeKind::Requirement, text, of(&before), of(&after)));
    }
}

/// Returns texts as one.
pub(super) fn joined(texts: &BTreeSet<String>) -> String {
    texts.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}
