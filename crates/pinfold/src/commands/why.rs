//! `pinfold why`: who asks for a package, where it applies, and what keeps it from being newer.

use pinfold_lock::{Applies, Asker, Demand, Link, Why, WhyEntry};
use pinfold_packaging::Strategy;
use serde_json::{Value, json};

use crate::cli::{self, ResultFormat};
use crate::exit::{Exit, Failure};
use crate::ops::questions::package_named;
use crate::ops::read_lock;
use crate::output::{Output, tame};

/// Explains why a package is in a lock.
///
/// # Errors
/// Exit 2 if the lock cannot be read, exit 1 if it has no such package.
pub(super) fn run(arguments: &cli::Why, output: &Output) -> Result<Exit, Failure> {
    let read = read_lock(&arguments.lock)?;
    read.warnings.iter().for_each(|warning| output.warning(warning));
    let name = package_named(&read.lock, &arguments.package)?;
    let why = Why::of(&read.lock, &name)
        .ok_or_else(|| Failure::new(Exit::Bug, format!("`{name}` is in the lock and not in its tree")))?;
    match arguments.format {
        ResultFormat::Json => output.result(&format!("{}\n", as_json(&why))),
        ResultFormat::Text => output.result(&tame(&as_text(&why))),
    }
    Ok(Exit::Done)
}

fn as_text(why: &Why) -> String {
    let mut text = String::new();
    let mut line = |line: String| {
        text.push_str(&line.replace('\n', "\\n"));
        text.push('\n');
    };
    for entry in &why.entries {
        let version = entry.version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
        let from = entry.origin.as_ref().map(|origin| format!(", from {origin}")).unwrap_or_default();
        let part = if shares_target(why, entry) { part_text(entry) } else { String::new() };
        line(format!("{}{version} {}{part}{from}", why.name, places(entry, why.target_count)));
    }
    line("asked for by".to_owned());
    why.chains.iter().for_each(|chain| line(format!("  {}", shown_chain(chain))));
    if why.has_more_chains {
        line(format!("  and more: these are {} of the shortest ways", Why::MOST_CHAINS));
    }
    line("not newer because".to_owned());
    reasons(why).into_iter().for_each(|reason| line(format!("  {reason}")));
    text
}

/// Returns true if another entry applies on a target of this one: patch releases of Python divide it.
fn shares_target(why: &Why, entry: &WhyEntry) -> bool {
    let is_shared = |applies: &Applies| {
        let others = why.entries.iter().filter(|other| !std::ptr::eq(*other, entry));
        others.flat_map(|other| &other.applies).any(|other| other.target == applies.target)
    };
    entry.applies.iter().any(is_shared)
}

/// Returns which part of its targets an entry is for.
fn part_text(entry: &WhyEntry) -> String {
    entry.marker.as_ref().map(|marker| format!(" where {marker}")).unwrap_or_default()
}

/// Returns where an entry applies: everywhere, on some targets, for some extra or group.
fn places(entry: &WhyEntry, target_count: usize) -> String {
    let condition = |applies: &Applies| {
        let extras = applies.extras.iter().map(|name| format!("extra `{name}`"));
        let groups = applies.groups.iter().map(|name| format!("group `{name}`"));
        let any: Vec<String> = extras.chain(groups).collect();
        match (applies.always, any.is_empty()) {
            (true, _) => String::new(),
            (false, false) => format!(" with {}", any.join(" or ")),
            (false, true) => " with several extras or groups".to_owned(),
        }
    };
    if entry.applies.is_empty() {
        let marker = entry.marker.as_ref().map(|marker| format!("where {marker}"));
        return marker.unwrap_or_else(|| "on every machine".to_owned());
    }
    let mut conditions: Vec<String> = entry.applies.iter().map(condition).collect();
    conditions.dedup();
    if entry.applies.len() == target_count
        && let [condition] = conditions.as_slice()
    {
        return format!("on every target{condition}");
    }
    let each = entry.applies.iter().map(|applies| format!("{}{}", applies.target, condition(applies)));
    format!("on {}", each.collect::<Vec<_>>().join(", "))
}

/// Returns a chain by the requirements that made it: `app==1 -> library>=2`.
fn shown_chain(chain: &[Link]) -> String {
    let link = |link: &Link| {
        let texts: Vec<&str> = link.requirements.iter().map(String::as_str).collect();
        if texts.is_empty() { link.name.to_string() } else { texts.join(" & ") }
    };
    let links: Vec<String> = chain.iter().map(link).collect();
    let by = chain.first().into_iter().flat_map(|link| &link.by).map(ToString::to_string).collect::<Vec<_>>();
    let by = if by.is_empty() { String::new() } else { format!("{}: ", by.join(", ")) };
    format!("{by}{}", links.join(" -> "))
}

/// Returns what keeps a package from being newer, as far as a lock can tell.
fn reasons(why: &Why) -> Vec<String> {
    let caps: Vec<&Demand> = why.requirements.iter().filter(|demand| demand.caps).collect();
    let mut reasons: Vec<String> =
        caps.iter().map(|demand| format!("{} asks for {}", demand.by, demand.requirement)).collect();
    if !why.knows_requirements {
        reasons.push("the lock does not say which requirements there were: lock again with this pinfold".to_owned());
    } else if caps.is_empty() {
        reasons.push("no requirement in the lock excludes newer versions".to_owned());
    }
    if let Some(cutoff) = why.exclude_newer {
        reasons.push(format!("files uploaded after {cutoff} do not exist for this lock"));
    }
    if matches!(why.strategy, Some(Strategy::Lowest | Strategy::LowestDirect)) {
        reasons.push("the manifest asks for the lowest versions".to_owned());
    }
    if caps.is_empty() {
        let kept = "a version stays until `pinfold lock --upgrade`; `pinfold outdated` asks the index for newer ones";
        reasons.push(kept.to_owned());
    }
    reasons
}

fn as_json(why: &Why) -> Value {
    let entry = |entry: &WhyEntry| {
        json!({
            "version": entry.version.as_ref().map(ToString::to_string),
            "origin": entry.origin,
            "marker": entry.marker,
            "targets": entry.applies.iter().map(applies_json).collect::<Vec<_>>(),
        })
    };
    let link = |link: &Link| {
        json!({
            "name": link.name.as_str(),
            "by": link.by.iter().map(asker_json).collect::<Vec<_>>(),
            "requirements": link.requirements,
        })
    };
    let demand =
        |demand: &Demand| json!({"by": asker_json(&demand.by), "requirement": demand.requirement, "caps": demand.caps});
    json!({
        "name": why.name.as_str(),
        "entries": why.entries.iter().map(entry).collect::<Vec<_>>(),
        "chains": why.chains.iter().map(|chain| chain.iter().map(link).collect::<Vec<_>>()).collect::<Vec<_>>(),
        "has_more_chains": why.has_more_chains,
        "requirements": why.knows_requirements.then(|| why.requirements.iter().map(demand).collect::<Vec<_>>()),
        "exclude_newer": why.exclude_newer.map(|cutoff| cutoff.to_string()),
        "resolution": why.strategy.map(|strategy| strategy.as_str()),
    })
}

/// Returns where an entry applies, for programs.
pub(super) fn applies_json(applies: &Applies) -> Value {
    json!({
        "target": applies.target.to_string(),
        "always": applies.always,
        "extras": applies.extras.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "groups": applies.groups.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

/// Returns who asks, for programs.
pub(super) fn asker_json(by: &Asker) -> Value {
    match by {
        Asker::Application => json!({"kind": "application"}),
        Asker::Constraints => json!({"kind": "constraint"}),
        Asker::Extra(name) => json!({"kind": "extra", "name": name.to_string()}),
        Asker::Group(name) => json!({"kind": "group", "name": name.to_string()}),
        Asker::Overrides => json!({"kind": "override"}),
        Asker::Package(name, version) => {
            json!({"kind": "package", "name": name.as_str(), "version": version.to_string()})
        }
    }
}
