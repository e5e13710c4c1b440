//! `pinfold trace`: which environments hold or held something, from where, since when; as lines or as JSON.

use std::io::Read;
use std::path::{Path, PathBuf};

use pinfold_artifact::Sha256;
use pinfold_install::{LedgerDistribution, open_regular};
use serde_json::{Value, json};
use sha2::Digest;

use super::history::problem_json;
use crate::cli::{ResultFormat, Trace};
use crate::exit::{Exit, Failure};
use crate::ops::trace::{Holder, Holding, Installed, Question, Recorded, Span, Thing, Traced, Until, trace};
use crate::output::{Output, tame};
use crate::world::World;

/// Answers; exit 1 if no environment holds or held it, and it is no environment's own link.
///
/// # Errors
/// Exit 2 if the question cannot be understood, 4 if the disk fails.
pub(super) fn run(arguments: &Trace, world: &World, output: &Output) -> Result<Exit, Failure> {
    let question = question(&arguments.query)?;
    let mut venvs = arguments.venvs.clone();
    venvs.push(PathBuf::from(".venv"));
    let traced = trace(&question, &venvs, world, output)?;
    match arguments.format {
        ResultFormat::Json => output.result(&format!("{}\n", as_json(&arguments.query, &question, &traced))),
        ResultFormat::Text => as_text(&question, &traced, output),
    }
    let held = traced.environments.len();
    let is_link = traced.recorded.as_ref().is_some_and(Recorded::is_own_link);
    let now = traced.environments.iter().filter(|it| it.holdings.iter().any(Holding::is_current)).count();
    match held {
        0 if is_link => output.status("no environment that is known here holds or held what the link leads to"),
        0 => output.status("no environment that is known here holds it or held it"),
        1 => output.status(&format!("1 environment, {}", if now == 1 { "which holds it now" } else { "not any more" })),
        _ => output
            .status(&format!("{held} environments, {now} of which hold{} it now", if now == 1 { "s" } else { "" })),
    }
    Ok(if held == 0 && !is_link { Exit::No } else { Exit::Done })
}

/// Understands the question: a digest, a file, or a project.
fn question(query: &str) -> Result<Question, Failure> {
    if let Some(digits) = query.strip_prefix("sha256:") {
        return digits.parse().map(Question::Digest).map_err(|_| misunderstood(query));
    }
    if let Ok(sha256) = query.parse::<Sha256>() {
        return Ok(Question::Digest(sha256));
    }
    let path = Path::new(query);
    if path.components().count() > 1 || path.is_file() {
        return file(path);
    }
    let (name, version) = match query.split_once("==") {
        Some((name, version)) => (name, Some(version)),
        None => (query, None),
    };
    let name = name.trim().parse().map_err(|_| misunderstood(query))?;
    let version = version.map(|version| version.trim().parse().map_err(|_| misunderstood(query))).transpose()?;
    Ok(Question::Project { name, version })
}

fn misunderstood(query: &str) -> Failure {
    Failure::new(Exit::Input, format!("`{query}` is no SHA-256 digest, no file and no project"))
        .help("give 64 hexadecimal digits, a path, NAME or NAME==VERSION")
}

fn file(path: &Path) -> Result<Question, Failure> {
    let unreadable = |e: std::io::Error| {
        Failure::new(Exit::Input, format!("cannot read the file `{}`", path.display())).with("cause", e)
    };
    // What a link leads to is asked for. What is no regular file may have no end, or nobody who writes to it.
    let place = std::fs::canonicalize(path).map_err(unreadable)?;
    let kind = std::fs::metadata(&place).map_err(unreadable)?.file_type();
    if !kind.is_file() {
        let found = if kind.is_dir() { "a directory" } else { "a pipe, a device or a socket" };
        return Err(Failure::new(Exit::Input, format!("`{}` is no regular file", path.display()))
            .with("found", found)
            .help("give the path of a file, 64 hexadecimal digits, NAME or NAME==VERSION"));
    }
    let mut file = open_regular(&place).map_err(unreadable)?;
    let mut hasher = sha2::Sha256::new();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match file.read(&mut buffer).map_err(unreadable)? {
            0 => break,
            count => hasher.update(&buffer[..count]),
        }
    }
    Ok(Question::File { path: path.to_owned(), sha256: Sha256::from_bytes(hasher.finalize().into()) })
}

fn as_text(question: &Question, traced: &Traced, output: &Output) {
    let say = |line: String| output.result(&(tame(&line).replace('\n', "\\n") + "\n"));
    if let Question::File { path, sha256 } = question {
        say(format!("{}: sha256 {sha256}", path.display()));
        if let Some(recorded) = &traced.recorded {
            say(format!("  {}", recorded_text(recorded, sha256)));
        }
    }
    for holder in &traced.environments {
        say(format!("{}{}", holder.venv.display(), if holder.is_present { "" } else { " (gone)" }));
        for holding in holder.holdings.iter().take(MANY) {
            say(format!("  {}", described(&holding.thing)));
            distribution(&holding.thing).and_then(from).into_iter().for_each(|from| say(format!("    {from}")));
            holding.spans.iter().for_each(|span| say(format!("    {}", span_text(span))));
        }
        say_rest(holder.holdings.len(), "  ", &say);
    }
    for (artifact, member, origins) in traced.stored.iter().take(MANY) {
        let what = match member {
            Some(path) => format!("artifact sha256 {artifact} contains it as {path}"),
            None => format!("artifact sha256 {artifact}"),
        };
        say(format!("in the store: {what}, from {}", origins.join(", ")));
    }
    say_rest(traced.stored.len(), "in the store: ", &say);
}

/// Says what the environment around a file lists in its place.
fn recorded_text(recorded: &Recorded, sha256: &Sha256) -> String {
    let (venv, inside) = (recorded.venv.display(), recorded.path.display());
    match &recorded.installed {
        Installed::Nothing => format!("{venv} does not list {inside}: pinfold did not install it"),
        Installed::File(was) if was == sha256 => format!("it is what was installed as {inside} in {venv}"),
        Installed::File(was) => format!("it was changed: {venv} has sha256 {was} for {inside}"),
        Installed::Link { target, is_unchanged: true, end } => {
            let end = if Path::new(target) == end { String::new() } else { format!(", and so to {}", end.display()) };
            format!("{inside} is a link of {venv} itself and leads to {target}{end}")
        }
        Installed::Link { target, is_unchanged: false, end } => {
            let now = end.display();
            format!("it was changed: {inside} of {venv} was a link to {target}, and what is there leads to {now}")
        }
    }
}

/// Says how many there are that were not listed: an empty file is in everything.
fn say_rest(count: usize, indent: &str, say: &dyn Fn(String)) {
    if count > MANY {
        say(format!("{indent}{} more; `--format json` lists them", count - MANY));
    }
}

fn described(thing: &Thing) -> String {
    match thing {
        Thing::Distribution(it) => format!("{} {}, sha256 {}", it.name, it.version, it.sha256),
        Thing::File { path, sha256, of: Some(it) } => format!("{path} of {} {}, sha256 {sha256}", it.name, it.version),
        Thing::File { path, sha256, of: None } => format!("{path} of the environment itself, sha256 {sha256}"),
        Thing::Lock(sha256) => format!("made from the lock with sha256 {sha256}"),
    }
}

const fn distribution(thing: &Thing) -> Option<&LedgerDistribution> {
    match thing {
        Thing::Distribution(it) | Thing::File { of: Some(it), .. } => Some(it),
        Thing::File { of: None, .. } | Thing::Lock(_) => None,
    }
}

fn from(it: &LedgerDistribution) -> Option<String> {
    let (url, index) = (it.url.as_ref()?.without_query(), it.index.as_ref()?.without_query());
    Some(if url == index { format!("from {url}") } else { format!("from {url}, of the index {index}") })
}

fn span_text(span: &Span) -> String {
    let until = match &span.until {
        Until::Now => "in place now".to_owned(),
        Until::Time(time) => format!("until {time}"),
        Until::Unknown => "until the environment went".to_owned(),
    };
    let numbers: Vec<String> = span.generations.iter().map(u64::to_string).collect();
    let generations = if numbers.len() == 1 { "generation" } else { "generations" };
    format!("since {}, {until} ({generations} {})", span.since, numbers.join(", "))
}

fn as_json(query: &str, question: &Question, traced: &Traced) -> Value {
    let (kind, sha256) = match question {
        Question::Digest(sha256) => ("digest", Some(sha256.to_string())),
        Question::File { sha256, .. } => ("file", Some(sha256.to_string())),
        Question::Project { .. } => ("project", None),
    };
    let recorded = traced.recorded.as_ref().map(|it| {
        let (was, link, is_unchanged) = match &it.installed {
            Installed::File(was) => (Some(was.to_string()), None, Some(was.to_string()) == sha256),
            Installed::Link { target, is_unchanged, .. } => (None, Some(target), *is_unchanged),
            Installed::Nothing => (None, None, false),
        };
        let (venv, path) = (it.venv.to_string_lossy(), it.path.to_string_lossy());
        json!({ "venv": venv, "path": path, "sha256": was, "link": link, "unchanged": is_unchanged })
    });
    let stored = |(artifact, member, origins): &(Sha256, Option<String>, Vec<String>)| json!({ "sha256": artifact.to_string(), "member": member, "origins": origins });
    json!({
        "query": query,
        "kind": kind,
        "sha256": sha256,
        "recorded": recorded,
        "environments": traced.environments.iter().map(holder_json).collect::<Vec<_>>(),
        "stored": traced.stored.iter().map(stored).collect::<Vec<_>>(),
    })
}

fn holder_json(holder: &Holder) -> Value {
    json!({
        "venv": holder.venv.to_string_lossy(),
        "present": holder.is_present,
        "holdings": holder.holdings.iter().map(holding_json).collect::<Vec<_>>(),
        "ledger_problems": holder.problems.iter().map(problem_json).collect::<Vec<_>>(),
    })
}

fn holding_json(holding: &Holding) -> Value {
    let (kind, path, sha256) = match &holding.thing {
        Thing::Distribution(it) => ("distribution", None, it.sha256),
        Thing::File { path, sha256, .. } => ("file", Some(path), *sha256),
        Thing::Lock(sha256) => ("lock", None, *sha256),
    };
    let of = distribution(&holding.thing);
    let span = |span: &Span| {
        let until = match &span.until {
            Until::Time(time) => Some(time),
            Until::Now | Until::Unknown => None,
        };
        let is_current = span.until == Until::Now;
        json!({ "since": span.since, "until": until, "current": is_current, "generations": span.generations })
    };
    json!({
        "kind": kind,
        "path": path,
        "sha256": sha256.to_string(),
        "name": of.map(|it| it.name.to_string()),
        "version": of.map(|it| it.version.to_string()),
        "artifact_sha256": of.map(|it| it.sha256.to_string()),
        "wheel_sha256": of.and_then(|it| it.wheel_sha256).map(|sha256| sha256.to_string()),
        "url": of.and_then(|it| it.url.as_ref()).map(|url| url.without_query().to_string()),
        "index": of.and_then(|it| it.index.as_ref()).map(|url| url.without_query().to_string()),
        "current": holding.is_current(),
        "spans": holding.spans.iter().map(span).collect::<Vec<_>>(),
    })
}

/// So many things are listed one by one.
const MANY: usize = 20;
/// Large enough for few system calls.
const READ_BYTES: usize = 256 << 10;
