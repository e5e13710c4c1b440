//! Attacks on the command, one file a class: each is carried out on a project that works, and beside it the same flow works.
//!
//! A refused run must say what, from where, expected and found, and must leave environment, lock and store as they were.

use pinfold_testkit::{Finished, Index};

use crate::project::Project;

// An sdist whose build is not what it promised.
mod broken_promise;
// A store that somebody wrote to.
mod changed_store;
// Files, repositories and directories that are required by name of their place.
mod direct_url;
// Two distributions that fight over one file.
mod file_conflict;
// Bytes from another index or host than the lock's.
mod foreign_origin;
// Redirects that leave the locked hosts.
mod foreign_redirect;
// Wheels whose archive lies.
mod hostile_archive;
// Proxies and certificates of the environment.
mod hostile_network;
// A name that another index has too.
mod index_confusion;
// An index that has less than it had, or something else.
mod index_rollback;
// An index whose pages lie.
mod lying_index;
// Wheels whose RECORD lies.
mod lying_record;
// Files that are not as long as somebody says.
mod lying_size;
// Files that were replaced under their name.
mod replaced_file;
// Secrets that must not get into lock, log or another host's hands.
mod secrets;
// Wheels that replace the environment's own programs.
mod shadowed_programs;
// Wheels that run at every start of the interpreter.
mod startup_hooks;
// Directories that become links while pinfold works in them.
#[cfg(unix)]
mod swapped_directory;
// Locks that were edited.
mod tampered_lock;
// Text that drives the terminal.
mod terminal_escapes;
// Bodies that end too early.
mod truncated_body;
// Code that nobody asked to run.
mod unwanted_code;

/// Serves the index, with a `base` that is installed already, and writes a manifest that wants `dependencies` too.
pub(crate) fn guarded(index: Index, dependencies: &[&str]) -> Project {
    let project = Project::new(index.wheel("base", "1.0"), &["base"]);
    project.installed();
    want(&project, dependencies, "");
    project
}

/// Writes a manifest that wants `base` and these, with further lines behind the index.
pub(crate) fn want(project: &Project, dependencies: &[&str], index_lines: &str) {
    project.write_manifest(&[&["base"], dependencies].concat(), "", index_lines);
}

/// Runs the verb twice, which must be refused with this code both times and say all `parts`. Environment and lock must be as
/// they were; what the first run left in the store must not help the second.
#[track_caller]
pub(crate) fn refuses(project: &Project, verb: &str, code: &str, parts: &[&str]) -> Finished {
    let code = format!("error[{code}]");
    let parts = [&[code.as_str(), "help: "], parts].concat();
    leaves(project, verb, 3, &["staging"], &parts);
    leaves(project, verb, 3, &["artifacts", "staging", "trees"], &parts)
}

/// As [`refuses`], with a store that has nothing yet: how much of what is not refused arrives before the refusal is chance.
#[track_caller]
pub(crate) fn refuses_from_nothing(project: &Project, verb: &str, code: &str, parts: &[&str]) -> Finished {
    project.forget_cache();
    let code = format!("error[{code}]");
    let parts = [&[code.as_str(), "help: "], parts].concat();
    leaves(project, verb, 3, &["staging"], &parts);
    leaves(project, verb, 3, &["staging"], &parts)
}

/// As [`refuses`], for archives that must not be unpacked into the store.
#[track_caller]
pub(crate) fn refuses_archive(project: &Project, verb: &str, code: &str, parts: &[&str]) -> Finished {
    let origin: &[&str] = if verb == "sync" { &["origin: http://127.0.0.1:", "from: http://127.0.0.1:"] } else { &[] };
    let code = format!("error[{code}]");
    leaves(project, verb, 3, &["trees", "staging"], &[&[code.as_str(), "help: "], origin, parts].concat())
}

/// As [`refuses`], for bytes that are not the locked ones: nothing of them may be in the store either.
#[track_caller]
pub(crate) fn refuses_bytes(project: &Project, verb: &str, code: &str, parts: &[&str]) -> Finished {
    let store = ["artifacts", "partial", "trees", "staging"];
    leaves(project, verb, 3, &store, &[&[&format!("error[{code}]"), "help: "], parts].concat())
}

/// Runs the verb, which must end with this exit code and say all `parts`, and change neither environment nor lock nor these
/// directories of the store.
#[track_caller]
pub(crate) fn leaves(project: &Project, verb: &str, code: i32, store: &[&str], parts: &[&str]) -> Finished {
    let before = state(project, store);
    let mut finished = project.pinfold(verb).run().expect_code(code);
    for part in parts {
        finished = finished.expect_stderr(part);
    }
    let after = state(project, store);
    let added: Vec<_> = after.iter().filter(|entry| !before.contains(entry)).collect();
    assert!(before == after, "the run changed something: {added:?}\n{finished}");
    finished
}

/// What the project, environment and lock included, and these directories of the store are: every file with its digest.
fn state(project: &Project, store: &[&str]) -> Vec<(String, String)> {
    let mut state = project.home.snapshot("");
    for part in store {
        let files = project.home.snapshot(&format!("../cache/store/{part}"));
        state.extend(files.into_iter().filter(|(_, kind)| !kind.ends_with("directory")));
    }
    state
}

/// Returns the digest with its first digit changed.
pub(crate) fn other_digit(digest: &str) -> String {
    let first = if digest.starts_with('0') { "1" } else { "0" };
    format!("{first}{}", &digest[1..])
}

/// Returns the name of the wheel for every Python.
pub(crate) fn wheel(name: &str, version: &str) -> String {
    format!("{}-{version}-py3-none-any.whl", name.replace('-', "_"))
}
