//! What differs between two locks outside of their packages: what they are for, by which rules they were made, which indexes
//! they trust, which findings they accept, what was asked for.

use std::collections::{BTreeMap, BTreeSet};

use super::package::joined;
use super::{Change, ChangeKind};
use crate::shown::shown;
use crate::{Lock, LockedIndex, Tool};

pub(super) fn compare(old: &Lock, new: &Lock) -> Vec<Change> {
    let mut changes = Vec::new();
    let (before, after) = (values(old), values(new));
    let keys: BTreeSet<&&str> = before.keys().chain(after.keys()).collect();
    for key in keys {
        let of = |values: &BTreeMap<&str, String>| values.get(*key).cloned().filter(|value| !value.is_empty());
        changes.extend(Change::of(ChangeKind::Setting, key, &of(&before), &of(&after)));
    }
    let empty: &[LockedIndex] = &[];
    let indexes = |lock: &Lock| lock.tool.as_ref().map_or(empty.to_vec(), |tool| tool.indexes.clone());
    compare_indexes(&indexes(old), &indexes(new), &mut changes);
    let accepts = |lock: &Lock| {
        texts(lock, |tool| {
            let accepted = tool.accepts.iter();
            let path = |path: &Option<_>| {
                path.as_ref().map(|path: &pinfold_artifact::ArchivePath| format!(" {path}")).unwrap_or_default()
            };
            accepted
                .map(|a| format!("{} {}{} {}: {}", a.code, a.package, path(&a.path), a.sha256.short(), a.reason))
                .collect()
        })
    };
    each(ChangeKind::Accept, &accepts(old), &accepts(new), &mut changes);
    let asked = |lock: &Lock| {
        texts(lock, |tool| {
            let roots = tool.asked.by.iter().filter(|(by, _)| !matches!(by, crate::Asker::Package(..)));
            roots.flat_map(|(by, texts)| texts.iter().map(move |text| format!("{by}: {text}"))).collect()
        })
    };
    let knows = |lock: &Lock| lock.tool.as_ref().is_some_and(|tool| !tool.asked.is_empty());
    if knows(old) && knows(new) {
        each(ChangeKind::Requirement, &asked(old), &asked(new), &mut changes);
    }
    if knows(old) != knows(new) {
        let says = |lock: &Lock| knows(lock).then(|| "who asked for what".to_owned());
        changes.push(Change::new(ChangeKind::Setting, "asked", says(old), says(new)));
    }
    changes.sort_by(Change::order);
    changes
}

/// Returns the first line in which the texts of two locks differ, if they do.
pub(super) fn first_line(old: &Lock, new: &Lock) -> Option<Change> {
    let found = first_other_line(&old.to_text(), &new.to_text())?;
    let moved = if found.is_order_only { " and after, the same in another order" } else { "" };
    let subject = format!("line {}{moved}", found.number);
    Some(Change::new(ChangeKind::Setting, subject, Some(shown(&found.old)), Some(shown(&found.new))))
}

/// Where two texts part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherLine {
    /// The number of the first line that differs, from 1.
    pub number: usize,
    /// What the old text has there, in words where it has nothing.
    pub old: String,
    /// What the new text has there, in words where it has nothing.
    pub new: String,
    /// Whether the two texts have the same lines, in another order.
    pub is_order_only: bool,
}

/// Returns where two texts part; nothing if they are equal.
pub fn first_other_line(old: &str, new: &str) -> Option<OtherLine> {
    if old == new {
        return None;
    }
    // With their ends: these may be all that differs.
    let whole = |text: &str| text.split_inclusive('\n').map(str::to_owned).collect::<Vec<String>>();
    let position = whole(old).iter().zip(&whole(new)).take_while(|(a, b)| a == b).count();
    let line = |text: &str| match whole(text).get(position).map(String::as_str) {
        None => "(the end)".to_owned(),
        Some("\n") => "(an empty line)".to_owned(),
        Some(line) => match (line.strip_suffix("\r\n"), line.strip_suffix('\n')) {
            (Some(line), _) => format!("{line} (ends with CR LF)"),
            (None, Some(line)) => line.to_owned(),
            (None, None) => format!("{line} (without a line end)"),
        },
    };
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let is_order_only = sorted(old) == sorted(new) && line(old) != line(new);
    Some(OtherLine { number: position + 1, old: line(old), new: line(new), is_order_only })
}

/// Returns what a lock says once, by key.
fn values(lock: &Lock) -> BTreeMap<&'static str, String> {
    let list = |texts: Vec<String>| texts.join(", ");
    let mut values = BTreeMap::from([
        ("created-by", lock.created_by.clone()),
        ("default-groups", list(lock.default_groups.iter().map(ToString::to_string).collect())),
        ("dependency-groups", list(lock.dependency_groups.iter().map(ToString::to_string).collect())),
        ("environments", list(lock.environments.iter().map(ToString::to_string).collect())),
        ("extras", list(lock.extras.iter().map(ToString::to_string).collect())),
        ("requires-python", lock.requires_python.as_ref().map(ToString::to_string).unwrap_or_default()),
    ]);
    if let Some(tool) = &lock.tool {
        values.extend([
            ("exclude-newer", tool.exclude_newer.map(|cutoff| cutoff.to_string()).unwrap_or_default()),
            ("exclude-newer-span", tool.exclude_newer_span.clone().unwrap_or_default()),
            ("inputs-sha256", tool.inputs.to_string()),
            ("prerelease", tool.prerelease.as_str().to_owned()),
            ("python", list(tool.python.iter().map(ToString::to_string).collect())),
            ("resolution", tool.resolution.as_str().to_owned()),
            ("targets", list(tool.targets.iter().map(ToString::to_string).collect())),
        ]);
    }
    values
}

fn texts(lock: &Lock, of: impl Fn(&Tool) -> BTreeSet<String>) -> BTreeSet<String> {
    lock.tool.as_ref().map(of).unwrap_or_default()
}

/// Adds a change for every text that only one side has.
fn each(kind: ChangeKind, old: &BTreeSet<String>, new: &BTreeSet<String>, changes: &mut Vec<Change>) {
    for text in old.symmetric_difference(new) {
        let told = if kind == ChangeKind::Requirement { shown(text) } else { text.clone() };
        let of = |side: &BTreeSet<String>| side.contains(text).then(|| told.clone());
        changes.push(Change::new(kind, &told, of(old), of(new)));
    }
}

fn compare_indexes(old: &[LockedIndex], new: &[LockedIndex], changes: &mut Vec<Change>) {
    let names: BTreeSet<&String> = old.iter().chain(new).map(|index| &index.name).collect();
    for name in names {
        let find = |indexes: &[LockedIndex]| indexes.iter().find(|index| index.name == *name).cloned();
        let (before, after) = (find(old), find(new));
        let url = |index: &Option<LockedIndex>| {
            let marked = |index: &LockedIndex| if index.insecure { " (insecure)" } else { "" };
            index.as_ref().map(|index| format!("{}{}", shown(index.url.as_str()), marked(index)))
        };
        let subject = format!("index {name}");
        changes.extend(Change::of(ChangeKind::Origin, &subject, &url(&before), &url(&after)));
        let hosts = |index: &Option<LockedIndex>| -> BTreeSet<String> {
            index.iter().flat_map(|index| &index.file_hosts).map(ToString::to_string).collect()
        };
        let (hosts_before, hosts_after) = (hosts(&before), hosts(&after));
        if before.is_some() && after.is_some() && hosts_before != hosts_after {
            let text = |hosts: &BTreeSet<String>| Some(joined(hosts)).filter(|text| !text.is_empty());
            changes.push(Change::new(ChangeKind::Host, &subject, text(&hosts_before), text(&hosts_after)));
        }
    }
}
