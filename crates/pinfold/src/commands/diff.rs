//! `pinfold diff OLD NEW`: what changed between two locks, as lines, as JSON, or as a table for a pull request.

use std::path::Path;

use pinfold_lock::{Change, LockDiff, Weight, diff};
use pinfold_policy::names::remark_lookalikes;
use serde_json::{Value, json};

use crate::cli::{self, DiffFormat};
use crate::exit::{Exit, Failure};
use crate::ops::read_lock_or_input;
use crate::output::Output;

/// Compares two locks; exit 1 if anything differs.
///
/// # Errors
/// Exit 2 if one of them cannot be read.
pub(super) fn run(arguments: &cli::Diff, output: &Output) -> Result<Exit, Failure> {
    let input = Path::new("-");
    if arguments.old == input && arguments.new == input {
        return Err(Failure::new(Exit::Input, "standard input (`-`) can be one of the two locks, and not both")
            .help("give the path of the other lock: `pinfold diff OLD.toml -`"));
    }
    let (old, new) = (read_lock_or_input(&arguments.old)?, read_lock_or_input(&arguments.new)?);
    old.warnings.iter().chain(&new.warnings).for_each(|warning| output.warning(warning));
    let mut found = diff(&old.lock, &new.lock);
    remark_lookalikes(&mut found, Some(&old.lock), &new.lock);
    match arguments.format {
        DiffFormat::Json => output.result(&format!("{}\n", diff_json(&found))),
        DiffFormat::Markdown => output.result(&found.to_markdown()),
        DiffFormat::Text => output.result(&found.to_string()),
    }
    output.status(&found.summary());
    Ok(if found.is_empty() { Exit::Done } else { Exit::No })
}

/// Returns a diff for programs, the weightiest packages first.
pub(super) fn diff_json(found: &LockDiff) -> Value {
    let versions = |versions: &std::collections::BTreeSet<pinfold_packaging::Version>| {
        versions.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let packages = found.by_weight().into_iter().map(|(name, package)| {
        json!({
            "name": name.as_str(),
            "change": match package.sign() { '+' => "added", '-' => "removed", _ => "changed" },
            "weight": package.weight().as_str(),
            "old_versions": versions(&package.old_versions),
            "new_versions": versions(&package.new_versions),
            "changes": package.changes.iter().map(change_json).collect::<Vec<_>>(),
        })
    });
    json!({
        "differs": !found.is_empty(),
        "weight": found.weight().map(Weight::as_str),
        "packages": packages.collect::<Vec<_>>(),
        "settings": found.settings.iter().map(change_json).collect::<Vec<_>>(),
    })
}

fn change_json(change: &Change) -> Value {
    json!({
        "kind": change.kind.as_str(),
        "weight": change.weight().as_str(),
        "subject": change.subject,
        "old": change.old,
        "new": change.new,
    })
}
