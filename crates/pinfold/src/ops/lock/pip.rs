//! What the user's own pip is set up with: the one index of `from = "pip"`.
//!
//! pip is asked, not imitated: its own option parser merges its configuration files, its environment and its default. It is
//! asked for the first lock and for an upgrade; the lock records the answer, and keeps it. Extra indexes are refused, and places of
//! `find-links` likewise: merged, they let whoever registers a name on one answer for a package of another.

use std::collections::BTreeMap;
use std::time::Duration;

use pinfold_artifact::SafeUrl;
use pinfold_fetch::{Credential, Secret};
use pinfold_install::Interpreter;
use pinfold_lock::Lock;
use pinfold_manifest::{IndexEntry, IndexLocation};
use pinfold_sandbox::Command;
use serde::Deserialize;

use super::{Answers, Effect, Keep, LockRequest, Round};
use crate::exit::{Exit, Failure};
use crate::world::World;

/// What pip is set up with.
#[derive(Debug)]
pub(super) struct PipIndex {
    /// The index.
    pub(super) url: SafeUrl,
    /// The user name and password that pip's URL carried.
    pub(super) credential: Option<Credential>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PipOptions {
    index: Option<String>,
    extra: Vec<String>,
    links: Vec<String>,
}

/// Run by the interpreter whose pip is asked.
const ASK_PIP: &str = r#"
import json, os, sys
if len(sys.argv) > 1:
    os.environ["HOME"] = sys.argv[1]
from pip._internal.commands import create_command
options, _ = create_command("download").parse_args(["pinfold"])
index = None if options.no_index else options.index_url
print(json.dumps({"index": index, "extra": options.extra_index_urls, "links": options.find_links}))
"#;

/// Variables that pip looks at beside its configuration files.
const HANDED_ON: [&str; 3] = ["APPDATA", "USERPROFILE", "XDG_CONFIG_HOME"];

/// The index that `from = "pip"` stands for, as it is used.
#[derive(Debug)]
pub(super) struct PipAnswer {
    /// The index.
    pub(super) url: SafeUrl,
    /// The login that pip has for it, where pip was asked.
    pub(super) credential: Option<Credential>,
    /// What there is to say where pip and the former lock name different ones.
    pub(super) told: Option<String>,
}

/// Returns the index that a manifest's `from = "pip"` stands for: the one that the former lock has; pip's own for a first lock and
/// for an upgrade. A recording has the URL that it stands for.
///
/// A check asks pip whether it is that one.
///
/// # Errors
/// Exit 1 if a check finds another index. Exit 2 if there is no pip, or if it would take packages from several places. Exit 3 if its login would be sent in the clear.
pub(super) fn index(
    request: &LockRequest<'_>,
    entries: &[IndexEntry],
    former: Option<&Lock>,
    round: &Round<'_>,
    world: &World,
) -> Result<Option<PipAnswer>, Failure> {
    let entry = entries.iter().find(|entry| entry.location == IndexLocation::Pip);
    let (Some(entry), false) = (entry, matches!(request.answers, Answers::Replay(_))) else { return Ok(None) };
    let locked = recorded_url(former, &entry.name);
    let Some(url) = locked.clone().filter(|_| matches!(request.keep, Keep::AllBut(_))) else {
        let PipIndex { url, credential } = asked(request, round, world)?;
        let told = locked.filter(|old| old.as_directory() != url.as_directory()).map(|old| moved_text(&old, url));
        return Ok(Some(PipAnswer { url: url.clone(), credential: credential.clone(), told }));
    };
    round.believes_lock.set(true);
    // A check does not believe the lock that it checks: whoever edits one can put another index into it.
    let pip = match request.effect {
        Effect::Compare => Some(asked(request, round, world)?),
        Effect::Write if round.asks_for_login => asked(request, round, world).ok(),
        Effect::Write => None,
    };
    if let Some(pip) =
        pip.filter(|pip| request.effect == Effect::Compare && pip.url.as_directory() != url.as_directory())
    {
        return Err(other_index(&url, &pip.url));
    }
    Ok(Some(PipAnswer { url, credential: pip.and_then(|pip| pip.credential.clone()), told: None }))
}

fn moved_text(old: &SafeUrl, new: &SafeUrl) -> String {
    format!("names another index than the lock: {} → {}", old.as_directory(), new.as_directory())
}

fn other_index(locked: &SafeUrl, own: &SafeUrl) -> Failure {
    Failure::new(Exit::No, "the lock names another index than the pip of this machine (`from = \"pip\"`)")
        .with("lock", locked.as_directory())
        .with("pip", own.as_directory())
        .help(
            "if the lock's is meant, write it into the manifest as the index's `url`, so that every machine checks it alike; if \
             pip's is, `pinfold lock --upgrade` moves there; if nobody knows who changed the lock, find out",
        )
}

/// Returns the URL that the former lock has for an index of this name.
fn recorded_url(former: Option<&Lock>, name: &str) -> Option<SafeUrl> {
    let mut indexes = former?.tool.as_ref()?.indexes.iter();
    indexes.find(|index| index.name == name).map(|index| index.url.clone())
}

/// Returns true if pip has a login.
pub(super) fn has_login(request: &LockRequest<'_>, round: &Round<'_>, world: &World) -> bool {
    asked(request, round, world).is_ok_and(|pip| pip.credential.is_some())
}

/// Returns what pip said; it is asked once.
fn asked<'a>(request: &LockRequest<'_>, round: &Round<'a>, world: &World) -> Result<&'a PipIndex, Failure> {
    if let Some(index) = round.pip.get() {
        return Ok(index);
    }
    let index = ask(world, &world.interpreter(request.python, None)?)?;
    if index.credential.is_some() {
        crate::logins::refuse_in_the_clear("pip", &index.url)?;
    }
    Ok(round.pip.get_or_init(|| index))
}

fn ask(world: &World, interpreter: &Interpreter) -> Result<PipIndex, Failure> {
    let wrong = |reason: String| {
        Failure::new(Exit::Input, "pip does not say which index it is set up with (`from = \"pip\"`)")
            .with("python", interpreter.executable.display())
            .with("cause", reason)
            .help("give an interpreter that has pip with --python, or write the index's `url` into the manifest")
    };
    let mut command = Command::new(&interpreter.executable, &world.search_path);
    command.arguments = vec!["-c".into(), ASK_PIP.into()];
    // The child's own HOME is empty; pip is told where the user's configuration is.
    command.arguments.extend(std::env::var_os("HOME"));
    command.environment = surroundings();
    command.time_limit = Duration::from_secs(60);
    let finished = command.run().map_err(|e| wrong(e.to_string()))?;
    if !finished.status.success() {
        return Err(wrong(complaint(&finished.stderr)));
    }
    let options: PipOptions = serde_json::from_slice(&finished.stdout).map_err(|e| wrong(e.to_string()))?;
    if !options.extra.is_empty() {
        return Err(Failure::new(
            Exit::Input,
            "pip is set up with several indexes, and would take a package from any of them",
        )
        .with("indexes beside the first", options.extra.len())
        .help("write each as an `[[index]]` with the `packages` that belong to it"));
    }
    if !options.links.is_empty() {
        // What they are is not shown: a URL may have a login.
        return Err(Failure::new(
            Exit::Input,
            "pip is set up with `find-links`, and would take a package from there as well as from its index",
        )
        .with("places beside the index", options.links.len())
        .help(FIND_LINKS));
    }
    let index = options.index.ok_or_else(|| wrong("it is set up with `no-index`".to_owned()))?;
    let (bare, user) = without_user(&index);
    let location = bare.parse::<IndexLocation>().map_err(|e| wrong(e.to_string()))?;
    let IndexLocation::Url(url) = location else { return Err(wrong("its index has no URL".to_owned())) };
    let credential = user.zip(url.file_host()).map(|(secret, host)| Credential { host, secret });
    Ok(PipIndex { url, credential })
}

/// Returns the variables that pip reads.
fn surroundings() -> BTreeMap<std::ffi::OsString, std::ffi::OsString> {
    let wanted = |name: &str| name.starts_with("PIP_") || HANDED_ON.contains(&name);
    std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(wanted)).collect()
}

/// Parts a URL from the user name and password in it.
fn without_user(text: &str) -> (String, Option<Secret>) {
    let Ok(mut url) = url::Url::parse(text) else { return (text.to_owned(), None) };
    if url.username().is_empty() && url.password().is_none() {
        return (text.to_owned(), None);
    }
    let secret = Secret::Basic { user: decoded(url.username()), password: decoded(url.password().unwrap_or_default()) };
    let bare = url.set_username("").and_then(|()| url.set_password(None));
    if bare.is_err() {
        return (text.to_owned(), None);
    }
    (url.into(), Some(secret))
}

/// Reads `%40` in a user name or password as what it stands for, as pip does.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, others)) = rest.split_first() {
        let escaped = others.get(..2).filter(|_| *first == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        match escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &others[2..];
            }
            None => {
                bytes.push(*first);
                rest = others;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Returns the last line of what pip complained, unless it may quote a login.
fn complaint(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    match text.lines().last().unwrap_or_default() {
        line if line.contains('@') => "pip's message is not shown, because it may quote a login".to_owned(),
        line => line.to_owned(),
    }
}

const FIND_LINKS: &str = "write each place that is laid out as a simple index as an `[[index]]` with the `packages` that belong to it, \
                          and each single file as a requirement: `name @ ./links/name-1.0-py3-none-any.whl`; then take \
                          `find-links` out of pip's configuration, or write the index's `url` in place of `from = \"pip\"`";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_the_secret_from_the_url() {
        let (url, secret) = without_user("https://me:secret@index.example/simple");
        assert_eq!(url, "https://index.example/simple");
        assert!(matches!(secret, Some(Secret::Basic { user, password }) if user == "me" && password == "secret"));
        assert!(without_user("https://index.example/simple").1.is_none());
        let (_, secret) = without_user("https://me%40work:p%40ss%2Fword%25%zz@index.example/simple");
        assert!(
            matches!(&secret, Some(Secret::Basic { user, password }) if user == "me@work" && password == "p@ss/word%%zz")
        );
    }

    #[test]
    fn a_complaint_that_may_quote_a_login_is_not_shown() {
        assert_eq!(
            complaint(b"Traceback\nModuleNotFoundError: No module named 'pip'\n"),
            "ModuleNotFoundError: No module named 'pip'"
        );
        assert!(!complaint(b"line 2: 'index-url https://me:s3cret@index.example/simple'\n").contains("s3cret"));
    }
}
