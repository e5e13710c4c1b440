//! `pinfold verify --watch`: one line for each event, as text or as a JSON object.

use pinfold_install::WatchEvent;
use serde_json::{Value, json};

use super::{json, text};
use crate::cli::{ReportFormat, Verify};
use crate::exit::{Exit, Failure};
use crate::ops::watch::watch;
use crate::output::Output;
use crate::world::World;

/// Tells what happens to an environment until it is gone or nobody reads any more.
///
/// # Errors
/// As [`watch`]; exit 2 for a form that has no end before the watching ends.
pub(super) fn run(arguments: &Verify, world: &World, output: &Output) -> Result<Exit, Failure> {
    if arguments.format == ReportFormat::Sarif {
        return Err(Failure::new(Exit::Input, "`--watch` tells events, and SARIF is one document")
            .help("use `--format json`, which is one JSON object a line"));
    }
    watch(&arguments.environment.venv, &arguments.lock, world, &mut |event| {
        output.result(&match arguments.format {
            ReportFormat::Json => format!("{}\n", as_json(&event, &world.now().to_string())),
            ReportFormat::Sarif | ReportFormat::Text => line(&event),
        });
    })
}

fn line(event: &WatchEvent) -> String {
    match event {
        WatchEvent::Found(finding) => text::line(finding),
        WatchEvent::Gone => "gone: there is no environment any more\n".to_owned(),
        WatchEvent::Overflow => "overflow: the system lost changes, so everything is read again\n".to_owned(),
        WatchEvent::Resolved(finding) => format!("resolved: {}", text::line(finding)),
        WatchEvent::Watching { generation, files, directories } => {
            format!("watching: generation {generation}, {files} files in {directories} directories\n")
        }
    }
}

fn as_json(event: &WatchEvent, at: &str) -> Value {
    match event {
        WatchEvent::Found(finding) => json!({ "event": "found", "at": at, "finding": json::finding(finding) }),
        WatchEvent::Gone => json!({ "event": "gone", "at": at }),
        WatchEvent::Overflow => json!({ "event": "overflow", "at": at }),
        WatchEvent::Resolved(finding) => json!({ "event": "resolved", "at": at, "finding": json::finding(finding) }),
        WatchEvent::Watching { generation, files, directories } => json!({
            "event": "watching", "at": at, "generation": generation, "files": files, "directories": directories,
        }),
    }
}
