//! `pinfold outdated`: what is newer than the lock, as a table or as JSON.

use pinfold_fetch::Connectivity;
use serde_json::{Value, json};

use crate::cli::{self, ResultFormat};
use crate::exit::{Exit, Failure};
use crate::ops::outdated::{Newest, Outdated, OutdatedRequest, outdated};
use crate::output::{Output, tame};
use crate::world::World;

/// Lists what is newer than the lock. That there is something is no failure.
///
/// # Errors
/// As [`outdated`].
pub(super) fn run(arguments: &cli::Outdated, world: &World, output: &Output) -> Result<Exit, Failure> {
    let request = OutdatedRequest {
        lock: &arguments.lock,
        connectivity: if arguments.offline { Connectivity::Offline } else { Connectivity::Online },
        python: arguments.python.as_deref(),
    };
    let found = outdated(&request, world, output)?;
    found.warnings.iter().for_each(|warning| output.warning(warning));
    if let Some(reason) = &found.allowed_unknown {
        output.warning(&format!("what an upgrade would give is not known: {reason}"));
    }
    match arguments.format {
        ResultFormat::Json => output.result(&format!("{}\n", as_json(&found))),
        ResultFormat::Text => output.result(&tame(&(as_text(&found) + &beyond(&found)))),
    }
    let count = found.packages.iter().filter(|package| package.is_outdated()).count();
    output.status(&format!("{count} of {} packages have newer versions", found.packages.len()));
    Ok(Exit::Done)
}

/// Returns a table of what is outdated; nothing if nothing is.
fn as_text(found: &Outdated) -> String {
    let outdated: Vec<&Newest> = found.packages.iter().filter(|package| package.is_outdated()).collect();
    if outdated.is_empty() {
        return String::new();
    }
    let unknown = || "?".to_owned();
    let row = |package: &&Newest| {
        let latest = package.latest.as_ref().map_or_else(unknown, |(version, _)| version.to_string());
        let cutoff = if package.after_cutoff { " (after the cutoff)" } else { "" };
        let gone = || if found.allowed_unknown.is_some() { unknown() } else { "gone".to_owned() };
        [
            package.name.to_string(),
            versions(package).join(", "),
            package.allowed.as_ref().map_or_else(gone, ToString::to_string),
            format!("{latest}{cutoff}"),
        ]
    };
    let head = ["package", "locked", "upgrade", "newest"].map(str::to_owned);
    let rows: Vec<[String; 4]> = std::iter::once(head).chain(outdated.iter().map(row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths = [width(0), width(1), width(2)];
    let line = |[name, locked, allowed, latest]: &[String; 4]| {
        let [a, b, c] = widths;
        format!("{name:a$}  {locked:b$}  {allowed:c$}  {latest}\n")
    };
    rows.iter().map(line).collect()
}

/// Returns a line for each package that has something newer which the targets cannot use.
fn beyond(found: &Outdated) -> String {
    let packages = found.packages.iter().filter_map(|package| Some((&package.name, package.beyond.as_ref()?)));
    packages.map(|(name, (version, why))| format!("{name} {version} cannot be used: {why}\n")).collect()
}

fn versions(package: &Newest) -> Vec<String> {
    package.locked.iter().map(ToString::to_string).collect()
}

fn as_json(found: &Outdated) -> Value {
    let package = |package: &Newest| {
        json!({
            "name": package.name.as_str(),
            "outdated": package.is_outdated(),
            "locked": versions(package),
            "upgrade": package.allowed.as_ref().map(ToString::to_string),
            "newest": package.latest.as_ref().map(|(version, _)| version.to_string()),
            "newest_uploaded": package.latest.as_ref().and_then(|(_, uploaded)| uploaded.map(|time| time.to_string())),
            "after_cutoff": package.after_cutoff,
            "beyond": package.beyond.as_ref().map(|(version, why)| json!({ "version": version.to_string(), "why": why })),
        })
    };
    json!({
        "packages": found.packages.iter().map(package).collect::<Vec<_>>(),
        "upgrade_unknown": found.allowed_unknown,
    })
}
