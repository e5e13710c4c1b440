//! `pinfold cache`: what is in the cache directory, whether it is what was stored, and making room.

use std::error::Error as _;
use std::time::{Duration, Instant};

use pinfold_store::{Part, Room, StoreError, Wait};
use serde_json::{Value, json};

use crate::cli::{Cache, CacheCommand, CacheFormat, Prune, ResultFormat};
use crate::exit::{Exit, Failure};
use crate::ops::cache::{Checked, Effect, KindRoom, PruneRequest, info, prune, verify};
use crate::ops::damage::described;
use crate::output::{Output, counted, human_bytes, tame};
use crate::world::World;

/// Does what was asked for; exit 1 if `verify` found anything.
///
/// # Errors
/// As [`info`], [`verify`] and [`prune`].
pub(super) fn run(arguments: &Cache, world: &World, output: &Output) -> Result<Exit, Failure> {
    match &arguments.command {
        CacheCommand::Info(format) => run_info(format, world, output),
        CacheCommand::Prune(arguments) => run_prune(arguments, world, output),
        CacheCommand::Verify(format) => run_verify(format, world, output),
    }
}

fn run_info(arguments: &CacheFormat, world: &World, output: &Output) -> Result<Exit, Failure> {
    let kinds = info(world)?;
    let total = total(&kinds);
    if arguments.format == ResultFormat::Json {
        let kinds: Vec<Value> = kinds.iter().map(kind_json).collect();
        let directory = world.cache_dir.to_string_lossy();
        let text = json!({ "directory": directory, "kinds": kinds, "total": room_json(&total) });
        output.result(&format!("{text}\n"));
        return Ok(Exit::Done);
    }
    output.result(&tame(&format!("{}\n", world.cache_dir.display())));
    kinds.iter().for_each(|kind| output.result(&tame(&line(&kind.kind, &kind.room))));
    output.result(&line("total", &total));
    Ok(Exit::Done)
}

fn line(kind: &str, room: &Room) -> String {
    let shared = if room.shared_bytes == 0 {
        String::new()
    } else {
        format!("  ({} of it shared with environments)", human_bytes(room.shared_bytes))
    };
    let entries = if room.entries == 1 { "1 entry" } else { &format!("{} entries", room.entries) };
    let files = counted(room.files, "file");
    format!("{kind:>14}  {entries:>14}  {files:>14}  {:>12}{shared}\n", human_bytes(room.bytes))
}

fn run_verify(arguments: &CacheFormat, world: &World, output: &Output) -> Result<Exit, Failure> {
    let begun = Instant::now();
    let checked = verify(world, output)?;
    match arguments.format {
        ResultFormat::Json => output.result(&format!("{}\n", checked_json(&checked))),
        ResultFormat::Text => {
            for (_, damage, origins) in &checked.damage {
                let from =
                    if origins.is_empty() { String::new() } else { format!("; it came from {}", origins.join(", ")) };
                let line = described(damage, &format!("sha256 {}", damage.artifact)) + &from;
                output.result(&(tame(&line).replace('\n', "\\n") + "\n"));
            }
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    let account = format!(
        "{} and {}, {} read in {seconds:.2} s",
        counted(checked.trees, "tree"),
        counted(checked.artifacts, "artifact"),
        human_bytes(checked.bytes)
    );
    tell_moved(&checked, output);
    if checked.damage.is_empty() {
        output.status(&format!("the store is what was stored: {account}"));
        return Ok(Exit::Done);
    }
    let mut entries: Vec<_> =
        checked.damage.iter().map(|(part, damage, _)| (*part == Part::Tree, damage.artifact)).collect();
    entries.dedup();
    let (count, plural) = (entries.len(), if entries.len() == 1 { "entry was" } else { "entries were" });
    let done = match &checked.unmoved {
        None => format!("{count} damaged {plural} moved to the quarantine, and will be fetched again when needed"),
        Some(error) => {
            output.warning(&format!("not all of it could be moved to the quarantine: {}", with_cause(error)));
            format!("{count} damaged {plural} found")
        }
    };
    output.status(&format!("{done}: {account}; see `pinfold explain store-mismatch`"));
    Ok(Exit::No)
}

/// Tells of files with the right bytes that are not as they were stored, and what was done about them.
fn tell_moved(checked: &Checked, output: &Output) {
    let noted = checked.moved_files - checked.unnoted_files;
    for (count, done) in [
        (noted, "read-only again, and noted as they are"),
        (
            checked.unnoted_files,
            "read-only, which could not be noted: the cache cannot be written to, and they will be read again",
        ),
    ] {
        if count > 0 {
            let (files, are) = (counted(count, "file"), if count == 1 { "it is" } else { "they are" });
            output.status(&format!("{files} had other permissions or times, and the right bytes; {are} {done}"));
        }
    }
}

fn with_cause(error: &StoreError) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

fn run_prune(arguments: &Prune, world: &World, output: &Output) -> Result<Exit, Failure> {
    let request = PruneRequest {
        all: arguments.all,
        older_than: arguments.older_than.as_deref().map(age).transpose()?,
        unused: arguments.unused,
        effect: if arguments.dry_run { Effect::Tell } else { Effect::Remove },
        wait: if arguments.no_wait { Wait::Never } else { Wait::ForOthers },
    };
    let mut removed = prune(&request, world, output)?;
    removed.retain(|kind| kind.room.files > 0 || kind.room.entries > 0);
    let total = total(&removed);
    if arguments.format == ResultFormat::Json {
        let kinds: Vec<Value> = removed.iter().map(kind_json).collect();
        let freed = total.freed_bytes();
        let text =
            json!({ "dry_run": arguments.dry_run, "removed": kinds, "total": room_json(&total), "freed_bytes": freed });
        output.result(&format!("{text}\n"));
    } else {
        removed.iter().for_each(|kind| output.result(&tame(&line(&kind.kind, &kind.room))));
    }
    let freed = match arguments.dry_run {
        true => format!("would free {}", human_bytes(total.freed_bytes())),
        false => format!("freed {}", human_bytes(total.freed_bytes())),
    };
    let shared = match total.shared_bytes {
        0 => String::new(),
        bytes => format!("; {} stay, because environments have them too", human_bytes(bytes)),
    };
    let is_bare = !request.all && !request.unused && request.older_than.is_none();
    let more = if is_bare { "; --unused, --older-than and --all remove entries too" } else { "" };
    output.status(&format!("{freed} in {} entries{shared}{more}", total.entries));
    Ok(Exit::Done)
}

/// Reads an age: `30d`, `12h`, `2 weeks`.
fn age(text: &str) -> Result<Duration, Failure> {
    let wrong = |cause: &str| {
        Failure::new(Exit::Input, format!("`{text}` is no span of time that `--older-than` takes"))
            .with("cause", cause)
            .with("expected", "numbers of seconds, minutes, hours, days or weeks")
            .help("write `30d`, `12h` or `2 weeks`")
    };
    let span: jiff::Span = text.parse().map_err(|_| wrong("it cannot be understood"))?;
    if span.get_months() != 0 || span.get_years() != 0 {
        return Err(wrong("months and years have no fixed length"));
    }
    let duration = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).map_err(|_| wrong("it is too long"))?;
    Duration::try_from(duration).map_err(|_| wrong("it is negative"))
}

fn total(kinds: &[KindRoom]) -> Room {
    kinds.iter().map(|kind| kind.room).fold(Room::default(), Room::and)
}

fn room_json(room: &Room) -> Value {
    json!({ "entries": room.entries, "files": room.files, "bytes": room.bytes, "shared_bytes": room.shared_bytes })
}

fn kind_json(kind: &KindRoom) -> Value {
    let mut value = room_json(&kind.room);
    value["kind"] = kind.kind.clone().into();
    value
}

fn checked_json(checked: &Checked) -> Value {
    let damage = checked.damage.iter().map(|(part, damage, origins)| {
        let kind = if *part == Part::Tree { "tree" } else { "artifact" };
        json!({
            "kind": kind,
            "sha256": damage.artifact.to_string(),
            "path": damage.path,
            "expected": damage.expected,
            "found": damage.found,
            "origins": origins,
        })
    });
    json!({
        "trees": checked.trees,
        "artifacts": checked.artifacts,
        "bytes": checked.bytes,
        "moved_files": checked.moved_files,
        "unnoted_files": checked.unnoted_files,
        "damaged": damage.collect::<Vec<_>>(),
        "moved": checked.unmoved.is_none(),
    })
}
