//! The rules of this repository, as a test: what `docs/architecture.md` and `CONTRIBUTING.md` promise, a machine checks here.
//!
//! Each test names every line that breaks its rule. What it looks for is put together from pieces, so that this file does
//! not break the rules that it keeps.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use sha2::{Digest as _, Sha256};

use self::sources::{
    Source, all_functions, codes, files, functions, is_code, lines_with, read, root, sources, table_rows,
};

mod sources;

/// A source file without its tests has no more lines.
const FILE_LINES: usize = 800;
/// A function has no more lines.
const FUNCTION_LINES: usize = 70;
/// No file of the repository is bigger.
const FILE_BYTES: u64 = 4 * 1024 * 1024;

/// Panics with every line that breaks a rule.
#[track_caller]
fn check(rule: &str, broken: Vec<String>) {
    assert!(broken.is_empty(), "{rule}:\n  {}\n", broken.join("\n  "));
}

/// What the architecture says about a crate.
struct Room {
    ring: String,
    may_use: BTreeSet<String>,
}

fn rooms() -> BTreeMap<String, Room> {
    let mut rooms: BTreeMap<String, Room> = BTreeMap::new();
    for row in table_rows(&read("docs/architecture.md")) {
        let [name, ring, may_use, ..] = row.as_slice() else { continue };
        if !["core", "edge", "shell", "tests"].contains(&ring.as_str()) {
            continue;
        }
        let named = |word: &str| word.trim_matches(|character: char| !character.is_ascii_alphanumeric()).to_owned();
        let all = || rooms.keys().cloned().collect::<BTreeSet<_>>();
        let may_use = if may_use.starts_with("all above") { all() } else { may_use.split(',').map(named).collect() };
        rooms.insert(name.clone(), Room { ring: ring.clone(), may_use });
    }
    assert!(rooms.len() > 10, "docs/architecture.md has no table of crates");
    rooms
}

fn in_ring(ring: &str) -> Vec<Source> {
    let rooms = rooms();
    sources().into_iter().filter(|source| rooms.get(&source.room).is_some_and(|room| room.ring == ring)).collect()
}

fn outside(allowed: &[&str]) -> Vec<Source> {
    sources().into_iter().filter(|source| !allowed.contains(&source.room.as_str())).collect()
}

/// Returns the manifests of the crates, by folder.
fn manifests() -> BTreeMap<String, toml::Table> {
    let paths = files().into_iter().filter(|path| path.starts_with("crates/") && path.matches('/').count() == 2);
    let paths = paths.filter(|path| path.ends_with("/Cargo.toml"));
    let parse = |path: String| {
        let room = path.split('/').nth(1).unwrap_or_default().to_owned();
        (room, read(&path).parse().unwrap_or_else(|error| panic!("`{path}`: {error}")))
    };
    paths.map(parse).collect()
}

/// Returns what a manifest names under a heading.
fn dependencies(manifest: &toml::Table, heading: &str) -> BTreeMap<String, toml::Value> {
    let table = manifest.get(heading).and_then(toml::Value::as_table);
    table.into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())).collect()
}

#[test]
fn crates_use_only_what_the_architecture_allows() {
    let (rooms, manifests) = (rooms(), manifests());
    let mut broken = Vec::new();
    let names = |names: BTreeSet<&String>| names.into_iter().cloned().collect::<Vec<_>>().join(" ");
    if rooms.keys().ne(manifests.keys()) {
        let (told, found) = (names(rooms.keys().collect()), names(manifests.keys().collect()));
        broken.push(format!("docs/architecture.md has `{told}`, crates/ has `{found}`"));
    }
    for (name, manifest) in &manifests {
        let used = dependencies(manifest, "dependencies").into_keys();
        for used in used.filter_map(|used| used.strip_prefix("pinfold-").map(str::to_owned)) {
            if !rooms.get(name).is_some_and(|room| room.may_use.contains(&used)) {
                broken.push(format!("`{name}` uses `{used}`"));
            }
        }
    }
    check("a crate may use only what docs/architecture.md allows", broken);
}

#[test]
fn versions_are_only_in_the_root_manifest() {
    let mut broken = Vec::new();
    for (name, manifest) in manifests() {
        for heading in ["dependencies", "dev-dependencies", "build-dependencies"] {
            for (dependency, value) in dependencies(&manifest, heading) {
                let inherits = value.get("workspace").and_then(toml::Value::as_bool) == Some(true);
                if !inherits {
                    broken.push(format!("`{name}`: {dependency}"));
                }
            }
        }
        if manifest.get("lints").and_then(|lints| lints.get("workspace")).is_none() {
            broken.push(format!("`{name}`: no `lints.workspace`"));
        }
    }
    check("dependencies and lints come from the workspace", broken);
}

#[test]
fn only_one_room_has_each_door() {
    // The dependencies that open a door to the world, and the one crate behind which each of them stays.
    let doors = [("reqwest", "fetch"), ("tokio", "fetch"), ("clap", "pinfold"), ("indicatif", "pinfold")];
    let mut broken = Vec::new();
    for (name, manifest) in manifests() {
        let used = dependencies(&manifest, "dependencies");
        let opened = doors.iter().filter(|(door, room)| used.contains_key(*door) && *room != name);
        broken.extend(opened.map(|(door, room)| format!("`{name}` uses {door}, which is for `{room}`")));
        if used.contains_key("pinfold-testkit") {
            broken.push(format!("`{name}` uses the testkit outside of tests"));
        }
    }
    check("a heavy or dangerous dependency stays in its room", broken);
}

#[test]
fn core_is_pure() {
    let modules = ["fs", "net", "process", "env", "thread"];
    let mut patterns: Vec<String> = modules.iter().map(|module| format!("std::{module}")).collect();
    for clock in ["Instant", "SystemTime", "Timestamp::now", "Zoned::now", "async fn", "unsafe "] {
        patterns.push(clock.to_owned());
    }
    let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
    let core = in_ring("core");
    let mut broken: Vec<String> = core.iter().flat_map(|source| source.product_lines_with(&patterns)).collect();
    for source in &core {
        broken.extend(
            grouped_imports(&source.product)
                .filter(|name| modules.contains(&name.as_str()))
                .map(|name| format!("{}: `use std::{{{name}, …}}`", source.path)),
        );
        if source.path.ends_with("/src/lib.rs") && !source.text.contains("#![forbid(unsafe_code)]") {
            broken.push(format!("{}: no `#![forbid(unsafe_code)]`", source.path));
        }
    }
    check("core crates have no files, sockets, processes, environment, threads, clocks or unsafe code", broken);
}

/// Returns what is imported as `use std::{a, b::c}`: `a`, `b`.
fn grouped_imports(text: &str) -> impl Iterator<Item = String> {
    let groups = text.split("use std::{").skip(1).filter_map(|rest| rest.split_once("};"));
    let names = groups.flat_map(|(group, _)| group.split(','));
    names.map(|name| name.trim().split("::").next().unwrap_or_default().to_owned())
}

#[test]
fn only_the_shell_prints_exits_or_reads_the_environment() {
    let patterns =
        ["println!", "eprintln!", " print!(", "eprint!(", "process::exit", "env::var", "env::args", "env::home_dir"];
    let mut sources = outside(&["pinfold", "testkit"]);
    // Windows starts no program without variables of its own; the sandbox hands them on.
    sources.retain(|source| source.path != "crates/sandbox/src/group.rs");
    let broken = sources.iter().flat_map(|source| source.product_lines_with(&patterns)).collect();
    check("only `pinfold` prints, exits or reads the environment", broken);
}

#[test]
fn only_the_sandbox_starts_programs() {
    let patterns = ["process::Command", "process::{", "std::process::Child"];
    let broken =
        outside(&["sandbox", "testkit"]).iter().flat_map(|source| source.product_lines_with(&patterns)).collect();
    check("only `sandbox` starts a foreign program", broken);
}

#[test]
fn only_fetch_opens_sockets() {
    let patterns =
        ["std::net::Tcp", "std::net::Udp", "TcpStream", "TcpListener", "UdpSocket", "UnixStream", "reqwest::"];
    let broken =
        outside(&["fetch", "testkit"]).iter().flat_map(|source| source.product_lines_with(&patterns)).collect();
    check("only `fetch` opens a socket", broken);
}

#[test]
fn every_file_says_what_it_is_for() {
    let rust = files().into_iter().filter(|path| path.ends_with(".rs"));
    check("a Rust file begins with `//!`", rust.filter(|path| !read(path).starts_with("//! ")).collect());
}

#[test]
fn files_and_functions_fit() {
    let mut broken = Vec::new();
    for source in sources() {
        let lines = source.product.lines().filter(|line| !line.is_empty()).count();
        if lines > FILE_LINES {
            broken.push(format!("{}: {lines} lines", source.path));
        }
        for function in all_functions(&source.product).into_iter().filter(|function| function.len() > FUNCTION_LINES) {
            broken.push(format!("{}: {} lines: {}", source.path, function.len(), function[0].trim()));
        }
    }
    check("a file is one idea, a function fits a screen", broken);
}

#[test]
fn modules_are_named_for_what_they_do() {
    let vague = ["utils", "util", "common", "types", "helpers", "misc"];
    let stem = |path: &str| path.trim_end_matches(".rs").trim_end_matches("/mod").rsplit('/').next().map(str::to_owned);
    let rust = files().into_iter().filter(|path| path.ends_with(".rs"));
    let broken = rust.filter(|path| stem(path).is_some_and(|stem| vague.contains(&stem.as_str()))).collect();
    check("no module is named for what it might hold", broken);
}

#[test]
fn nothing_is_left_undone_or_switched_off() {
    let patterns = [
        ["#[ign", "ore"],
        ["#[should_", "panic"],
        ["todo", "!("],
        ["unimpl", "emented!("],
        ["TO", "DO"],
        ["FIX", "ME"],
        ["dbg", "!("],
        ["#[al", "low("],
        ["#![al", "low("],
    ];
    let patterns = patterns.map(|pieces| pieces.concat());
    let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
    let rust = files().into_iter().filter(|path| path.ends_with(".rs"));
    let broken = rust.flat_map(|path| lines_with(&path, &read(&path), &patterns)).collect();
    check("no stub, no skipped test, no lint switched off without `expect` and a reason", broken);
}

#[test]
fn no_public_registry_and_no_machine_is_named() {
    let patterns = [
        ["pypi", ".org"],
        ["python", "hosted"],
        ["crates", ".io"],
        ["npm", "js"],
        ["debian", ".org"],
        ["download.py", "torch.org"],
        ["/ro", "ot/"],
        ["/wo", "rk/"],
        ["/tmp/tar", "get"],
    ];
    let patterns = patterns.map(|pieces| pieces.concat());
    let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
    // Cargo writes the registry's name into its own lock files.
    let texts = files().into_iter().filter(|path| !path.ends_with("Cargo.lock") && !is_binary(path));
    let broken = texts.flat_map(|path| lines_with(&path, &read(&path), &patterns)).collect();
    check("an origin is the user's decision: use `*.example`, `*.test` or loopback; no path of one machine", broken);
}

#[test]
fn nothing_is_binary_or_big() {
    let mut broken = Vec::new();
    for path in files() {
        let size = fs::metadata(root().join(&path)).expect("it was just listed").len();
        if size > FILE_BYTES {
            broken.push(format!("{path}: {size} bytes"));
        }
        if is_binary(&path) && !is_recorded(&path) {
            broken.push(format!("{path}: binary"));
        }
    }
    check("no file is binary (but a recorded index whose `.md` beside it has its SHA-256), none above 4 MiB", broken);
}

fn is_binary(path: &str) -> bool {
    let bytes = fs::read(root().join(path)).unwrap_or_else(|error| panic!("cannot read `{path}`: {error}"));
    std::str::from_utf8(&bytes).is_err() || bytes.contains(&0)
}

/// Returns true for a recorded index: in `fixtures/`, with a page beside it that has its digest and how it was made.
fn is_recorded(path: &str) -> bool {
    let page = fs::read_to_string(root().join(format!("{path}.md"))).unwrap_or_default();
    let bytes = fs::read(root().join(path)).unwrap_or_default();
    let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    path.starts_with("fixtures/") && page.contains(&digest)
}

/// Returns the codes of errors and findings in product code, and where they are.
fn all_codes() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for source in sources() {
        for name in ["refusal_code", "code", "code_of", "code_of_path_file"] {
            for function in functions(&source.product, name) {
                found.extend(codes(&function).into_iter().map(|code| (code, source.path.clone())));
            }
        }
        found.extend(given_codes(&source.product).map(|code| (code, source.path.clone())));
    }
    assert!(found.contains_key("hash-mismatch"), "found no codes");
    found
}

/// Returns the codes that are given where they are met: `refused("…", …)`, `unwrap_or("…")`, `then_some("…")`.
fn given_codes(text: &str) -> impl Iterator<Item = String> {
    let calls = ["refused(", "unwrap_or(", "then_some("].into_iter().flat_map(|call| text.split(call).skip(1));
    let strings = calls.filter_map(|rest| Some(rest.trim_start().strip_prefix('"')?.split_once('"')?.0.to_owned()));
    strings.filter(|string| is_code(string))
}

#[test]
fn every_code_is_explained() {
    let text = read("docs/refusals.md");
    let headings = text.lines().filter_map(|line| line.strip_prefix("## ").or_else(|| line.strip_prefix("### ")));
    let explained: BTreeSet<&str> =
        headings.map(|heading| heading.trim_matches('`')).filter(|text| is_code(text)).collect();
    let codes = all_codes();
    let mut broken: Vec<String> = Vec::new();
    for (code, path) in codes.iter().filter(|(code, _)| !explained.contains(code.as_str())) {
        broken.push(format!("`{code}` ({path}) has no section in docs/refusals.md"));
    }
    for code in explained.into_iter().filter(|code| !codes.contains_key(*code)) {
        broken.push(format!("docs/refusals.md explains `{code}`, which nothing says"));
    }
    check("every code has its section", broken);
}

#[test]
fn every_attack_names_its_test() {
    every_row_names_tests("docs/attacks.md", 4, 10);
}

#[test]
fn every_kind_of_scenario_names_its_test() {
    every_row_names_tests("docs/scenarios.md", 2, 100);
}

/// Checks that in each row of so many columns the last one names tests, and that they exist.
fn every_row_names_tests(page: &str, columns: usize, rows_at_least: usize) {
    let rust = files().into_iter().filter(|path| path.ends_with(".rs"));
    let tests: BTreeSet<(String, String)> = rust.flat_map(|path| test_names(&path)).collect();
    let mut broken = Vec::new();
    let mut rows = 0;
    for row in table_rows(&read(page)).into_iter().filter(|row| row.len() == columns) {
        let (Some(id), Some(named)) = (row.first(), row.last()) else { continue };
        rows += 1;
        let named: Vec<&str> = named.split('`').skip(1).step_by(2).collect();
        if named.is_empty() {
            broken.push(format!("{id} names no test"));
        }
        for name in named {
            let (room, test) = name.split_once("::").unwrap_or(("promises", name));
            if !tests.contains(&(room.to_owned(), test.to_owned())) {
                broken.push(format!("{id}: there is no test `{name}`"));
            }
        }
    }
    assert!(rows >= rows_at_least, "{page} has only {rows} rows that name tests");
    check(&format!("every row of {page} names a test that exists"), broken);
}

/// Returns the tests of a file as room and name; the room of an end-to-end test is `promises`.
fn test_names(path: &str) -> Vec<(String, String)> {
    let room = path.strip_prefix("crates/").map_or("promises", |rest| rest.split('/').next().unwrap_or_default());
    let text = read(path);
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let mut names = Vec::new();
    for (position, _) in lines.iter().enumerate().filter(|(_, line)| **line == "#[test]") {
        let declared = lines[position..].iter().find_map(|line| line.strip_prefix("fn ")?.split('(').next());
        names.extend(declared.map(|name| (room.to_owned(), name.to_owned())));
    }
    names
}
