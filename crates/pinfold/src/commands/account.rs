//! What a sync changed, or would change: lines for people, one document for programs, events for who watches.

use std::time::Instant;

use pinfold_install::{Change, Plan, RebuildReason};
use serde_json::{Value, json};

use crate::cli::{self, ResultFormat};
use crate::ops::downloads::Downloads;
use crate::ops::sync::{Extent, Synced};
use crate::output::{Output, counted, human_bytes};

/// A sync that came to its end, and how to tell of it.
pub(super) struct Account<'a> {
    pub(super) synced: &'a Synced,
    pub(super) arguments: &'a cli::Sync,
    pub(super) extent: Extent,
    pub(super) begun: Instant,
}

impl Account<'_> {
    /// Tells of it. The plan of a dry run and a JSON document are results; all else is for whoever watches.
    pub(super) fn give(&self, output: &Output) {
        let is_text = self.arguments.format == ResultFormat::Text;
        for (kind, changes) in self.changes() {
            self.list(kind, changes, output);
        }
        if let Some(place) = &self.synced.set_aside {
            output.status(&format!("the environment that another tool made is kept as {}", place.display()));
        }
        if is_text {
            output.status(&self.summary());
        } else {
            output.result(&format!("{}\n", self.document()));
        }
    }

    fn changes(&self) -> [(Kind, &[Change]); 3] {
        let plan = &self.synced.plan;
        [(Kind::Added, &plan.added), (Kind::Updated, &plan.changed), (Kind::Removed, &plan.removed)]
    }

    fn list(&self, kind: Kind, changes: &[Change], output: &Output) {
        let is_plan = self.extent == Extent::Plan;
        if is_plan && self.arguments.format == ResultFormat::Json {
            return;
        }
        let shown = if is_plan || output.is_verbose() || changes.len() <= MANY { changes.len() } else { FEW };
        for (position, change) in changes.iter().enumerate() {
            let line = format!("{} {}", kind.sign(), text(change));
            if is_plan {
                output.result(&format!("{line}\n"));
                continue;
            }
            output.tell("change", kind.event(change));
            if position < shown {
                output.say(&line);
            }
        }
        if !is_plan && shown < changes.len() {
            output.say(&format!("{} … and {} more (-v lists them)", kind.sign(), changes.len() - shown));
        }
    }

    fn summary(&self) -> String {
        let (plan, venv) = (&self.synced.plan, self.arguments.venv.display());
        if plan.is_empty() {
            return format!("{venv} is up to date ({})", counted(self.synced.selection.packages.len(), "package"));
        }
        let counts = format!(
            "{} added, {} changed, {} removed, {} kept{}",
            plan.added.len(),
            plan.changed.len(),
            plan.removed.len(),
            plan.kept,
            reasons(plan),
        );
        match &self.synced.receipt {
            Some(receipt) => format!(
                "{venv}: {counts}; generation {}, {}, {}, in {:.2} s",
                receipt.generation,
                counted(receipt.file_count, "file"),
                human_bytes(receipt.total_bytes),
                self.begun.elapsed().as_secs_f64()
            ),
            None => {
                let downloads =
                    self.synced.downloads.as_ref().map(|it| format!("; {}", needed(it))).unwrap_or_default();
                format!("{venv} would change: {counts}{downloads}")
            }
        }
    }

    fn document(&self) -> Value {
        let (plan, receipt) = (&self.synced.plan, self.synced.receipt.as_ref());
        let list = |kind: Kind, changes: &[Change]| changes.iter().map(|it| kind.value(it)).collect::<Vec<_>>();
        let downloads = self.synced.downloads.unwrap_or_default();
        json!({
            "venv": self.arguments.venv.to_string_lossy(),
            "lock": self.arguments.lock.to_string_lossy(),
            "lock_sha256": self.synced.lock_sha256.to_string(),
            "dry_run": self.extent == Extent::Plan,
            "up_to_date": plan.is_empty(),
            "added": list(Kind::Added, &plan.added),
            "updated": list(Kind::Updated, &plan.changed),
            "removed": list(Kind::Removed, &plan.removed),
            "kept": plan.kept,
            "rebuild": plan.rebuild.iter().map(|reason| code(*reason)).collect::<Vec<_>>(),
            "to_download": { "files": downloads.files_to_fetch, "bytes": downloads.bytes_to_fetch },
            "at_hand": { "files": downloads.files_at_hand, "bytes": downloads.bytes_at_hand },
            "generation": receipt.map(|it| it.generation),
            "files": receipt.map(|it| it.file_count),
            "bytes": receipt.map(|it| it.total_bytes),
            "set_aside": self.synced.set_aside.as_ref().map(|place| place.to_string_lossy()),
            "seconds": self.begun.elapsed().as_secs_f64(),
        })
    }
}

/// What became of a distribution.
#[derive(Clone, Copy)]
enum Kind {
    Added,
    Removed,
    Updated,
}

impl Kind {
    const fn sign(self) -> char {
        match self {
            Self::Added => '+',
            Self::Removed => '-',
            Self::Updated => '~',
        }
    }

    fn value(self, change: &Change) -> Value {
        let version = |version: &Option<_>| version.as_ref().map(ToString::to_string);
        let (name, from, to) = (change.name.as_str(), version(&change.from), version(&change.to));
        match self {
            Self::Added => json!({ "name": name, "version": to }),
            Self::Removed => json!({ "name": name, "version": from }),
            Self::Updated => json!({ "name": name, "from": from, "to": to }),
        }
    }

    fn event(self, change: &Change) -> Value {
        let mut fields = self.value(change);
        let name = match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Updated => "updated",
        };
        if let Value::Object(fields) = &mut fields {
            fields.insert("change".to_owned(), name.into());
        }
        fields
    }
}

fn text(change: &Change) -> String {
    match (&change.from, &change.to) {
        (Some(from), Some(to)) if from != to => format!("{} {from} -> {to}", change.name),
        (Some(_), Some(to)) => format!("{} {to} (another file)", change.name),
        (None, Some(version)) | (Some(version), None) => format!("{} {version}", change.name),
        (None, None) => change.name.to_string(),
    }
}

fn needed(downloads: &Downloads) -> String {
    let told = |files: u64, bytes: u64| match files {
        0 => "nothing".to_owned(),
        _ => format!("{}, {}", counted(files, "file"), human_bytes(bytes)),
    };
    format!(
        "{} to download, {} at hand",
        told(downloads.files_to_fetch, downloads.bytes_to_fetch),
        told(downloads.files_at_hand, downloads.bytes_at_hand),
    )
}

fn reasons(plan: &Plan) -> String {
    plan.rebuild.iter().map(|reason| format!(", {}", reason_text(*reason))).collect()
}

const fn reason_text(reason: RebuildReason) -> &'static str {
    match reason {
        RebuildReason::Bytecode => "modules compiled",
        RebuildReason::Damaged => "the environment was found damaged",
        RebuildReason::Interpreter => "another interpreter",
        RebuildReason::LinkMode => "files placed in another way",
        RebuildReason::Lock => "another lock",
        RebuildReason::Moved => "the environment was moved",
        RebuildReason::New => "a new environment",
        RebuildReason::Relocation => "scripts of another kind",
        RebuildReason::Wanted => "other extras or groups",
    }
}

/// The reason as programs read it.
const fn code(reason: RebuildReason) -> &'static str {
    match reason {
        RebuildReason::Bytecode => "bytecode",
        RebuildReason::Damaged => "damaged",
        RebuildReason::Interpreter => "interpreter",
        RebuildReason::LinkMode => "linking",
        RebuildReason::Lock => "lock",
        RebuildReason::Moved => "moved",
        RebuildReason::New => "new",
        RebuildReason::Relocation => "relocation",
        RebuildReason::Wanted => "wanted",
    }
}

/// More changes of one kind than this are not listed one by one.
const MANY: usize = 20;
/// So many of them are.
const FEW: usize = 15;
