//! What an upgrade moved, and what it left with what holds it.

use pinfold_lock::{ChangeKind, Lock, LockDiff, PackageDiff, TreeSource, Why};
use pinfold_packaging::PackageName;

use crate::ops::lock::Keep;

/// Returns a line for every package that moved: from which version to which, new, gone, or what else of it; below it what is
/// rarely done in good faith.
pub(super) fn moved(found: &LockDiff) -> String {
    let line = |(name, package): (&PackageName, &PackageDiff)| {
        let stays = package.old_versions == package.new_versions;
        let other = if stays { format!(": {}", package.kinds()) } else { String::new() };
        format!("{} {name}{}{other}\n{}", package.sign(), package.shown_versions(), package.alarms())
    };
    found.packages.iter().map(line).collect()
}

/// Returns a line for every package that was to move and did not, with what holds it, as far as the lock can tell.
pub(super) fn stayed(keep: &Keep, found: &LockDiff, lock: &Lock) -> Vec<String> {
    let Keep::AllBut(moving) = keep else { return Vec::new() };
    let is_moved = |package: &PackageDiff| {
        let has_other_source = package.changes.iter().any(|change| change.kind == ChangeKind::Url);
        package.old_versions != package.new_versions || has_other_source
    };
    let moves = |name: &&PackageName| found.packages.get(*name).is_some_and(is_moved);
    let line = |name: &PackageName| {
        let Some(why) = Why::of(lock, name) else { return format!("= {name} is not in the lock\n") };
        let versions: Vec<String> =
            why.entries.iter().filter_map(|entry| Some(entry.version.as_ref()?.to_string())).collect();
        let caps = why.requirements.iter().filter(|demand| demand.caps);
        let caps: Vec<String> = caps.map(|demand| format!("{} asks for {}", demand.by, demand.requirement)).collect();
        let reason = match caps.is_empty() {
            _ if is_commit(lock, name) => "its revision is still the commit that is locked".to_owned(),
            true => "nothing newer fits".to_owned(),
            false => caps.join("; "),
        };
        format!("= {name} {} stays: {reason}\n", versions.join(", "))
    };
    moving.iter().filter(|name| !moves(name)).map(line).collect()
}

/// Returns true if a package is a commit of a repository.
fn is_commit(lock: &Lock, name: &PackageName) -> bool {
    let mut entries = lock.packages.iter().filter(|package| package.name == *name);
    entries.any(|package| matches!(package.tree, Some(TreeSource::Vcs(_))))
}
