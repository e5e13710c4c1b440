//! Fooocus's own requirements give the lock that is committed, from the recorded index, with no network and no Python.
//!
//! The names and versions are held against the answers of another resolver, which was asked the same question about each
//! target (`docs/fooocus.md`).

use std::path::Path;

use pinfold_lock::{ArtifactKind, Host, Lock, Selection, Wanted, select};
use pinfold_packaging::{PythonMinor, Specifiers, System, Target, Version};
use pinfold_policy::names::new_lookalikes;
use pinfold_testkit::{Pinfold, TempHome};

use crate::project::PINFOLD;

const RECORDING: &str = "fixtures/fooocus-2024-08-20.recording";

/// What `examples/fooocus` has for the maintainer, and the lock.
const FILES: [&str; 4] = ["pinfold.toml", "requirements_docker.txt", "requirements_versions.txt", "pylock.toml"];

fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn text_of(path: &str) -> String {
    let path = repository().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read `{}`: {error}", path.display()))
}

fn example(name: &str) -> String {
    text_of(&format!("examples/fooocus/{name}"))
}

/// A copy of the example, with these of its files.
fn copied(files: &[&str]) -> TempHome {
    let home = TempHome::new();
    files.iter().for_each(|name| home.write(name, example(name)));
    home
}

/// `pinfold lock --replay`, on a machine on which no program is found: neither Python nor pip can be asked.
fn replay(home: &TempHome) -> Pinfold<'_> {
    let nowhere = home.tmp();
    home.pinfold(PINFOLD).env("PATH", nowhere).arg("lock").arg("--replay").arg(repository().join(RECORDING))
}

fn selection(lock: &Lock, system: &str) -> Selection {
    let system: System = system.parse().expect("it is a system");
    let python: Specifiers = "==3.10.*".parse().expect("it is a specifier");
    let python = PythonMinor::all_in(&python).pop().expect("3.10 is known");
    let target = Target::new(system, python);
    let version: Version = "3.10.13".parse().expect("it is a version");
    let host = Host { environment: target.marker_environment(), tags: target.tags(), python: version };
    select(lock, &host, &Wanted::default()).unwrap_or_else(|error| panic!("`{target}`: {error}"))
}

#[test]
fn the_recorded_index_gives_the_committed_lock() {
    let home = copied(&FILES[..3]);
    replay(&home).run().expect_code(0).expect_stderr("129 packages for 3 targets");
    assert!(home.read("pylock.toml") == example("pylock.toml"), "the lock is not the one in examples/fooocus");
    assert!(std::fs::read_dir(home.cache()).expect("is there").next().is_none(), "a replay keeps nothing");
}

#[test]
fn the_committed_lock_holds() {
    let home = copied(&FILES);
    let before = home.snapshot("");
    replay(&home).arg("--check").run().expect_code(0);
    replay(&home).run().expect_code(0).expect_stderr("0 changed");
    assert_eq!(home.snapshot(""), before);
}

#[test]
fn each_target_gets_what_another_resolver_chose() {
    let (lock, warnings) = Lock::read(&example("pylock.toml")).expect("the committed lock can be read");
    assert!(warnings.is_empty(), "{warnings:?}");
    for (target, count) in [("linux-x86_64", 127), ("windows-x86_64", 116), ("macos-aarch64", 114)] {
        let selected = selection(&lock, target).packages;
        let ours: Vec<String> =
            selected.iter().map(|package| format!("{}=={}", package.name, package.version)).collect();
        let theirs = text_of(&format!("fixtures/fooocus-2024-08-20.{target}.txt"));
        let theirs: Vec<&str> = theirs.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(ours, theirs, "{target}");
        assert_eq!(ours.len(), count, "{target}");
        let built: Vec<&str> =
            selected.iter().filter(|package| package.kind == ArtifactKind::Sdist).map(|p| p.name.as_str()).collect();
        assert_eq!(built, ["antlr4-python3-runtime", "groundingdino-py"], "{target}");
        assert!(selected.iter().all(|p| p.recipe.is_some() == (p.kind == ArtifactKind::Sdist)), "{target}");
    }
}

#[test]
fn only_one_distribution_writes_cv2() {
    let (lock, _) = Lock::read(&example("pylock.toml")).expect("the committed lock can be read");
    let names: Vec<&str> = lock.packages.iter().map(|package| package.name.as_str()).collect();
    let opencv: Vec<&str> = names.into_iter().filter(|name| name.starts_with("opencv")).collect();
    assert_eq!(opencv, ["opencv-contrib-python-headless"]);
}

#[test]
fn no_name_of_a_real_application_is_called_a_look_alike() {
    let (mut lock, _) = Lock::read(&example("pylock.toml")).expect("the committed lock can be read");
    assert_eq!(new_lookalikes(None, &lock), []);
    lock.packages[0].name = "acelerate".parse().expect("a name");
    let found: Vec<&str> = new_lookalikes(None, &lock).iter().map(|found| found.popular).collect();
    assert_eq!(found, ["accelerate"]);
}

#[test]
fn a_requirement_that_went_is_noticed() {
    let home = copied(&FILES);
    let changed = example("requirements_versions.txt").replace("pygit2==1.15.1\n", "");
    home.write("requirements_versions.txt", changed);
    let run = replay(&home).arg("--check").run().expect_code(1).expect_stderr("out of date");
    let lines: Vec<&str> = run.stdout.lines().collect();
    let asked = "  requires: - the application: pygit2==1.15.1";
    assert_eq!(lines[..4], ["- cffi 1.17.0", "- pycparser 2.22", "- pygit2 1.15.1", asked]);
    assert!(lines[4].starts_with("  setting inputs-sha256: "), "{run}");
    assert!(home.read("pylock.toml") == example("pylock.toml"), "--check writes nothing");
}

#[test]
fn an_impossible_requirement_is_explained() {
    let home = copied(&FILES);
    let changed = example("requirements_versions.txt").replace("numpy==1.26.4", "numpy==1.21.0");
    home.write("requirements_versions.txt", changed);
    let run = replay(&home).run().expect_code(1);
    for part in ["there is no solution for linux-x86_64", "`numpy==1.21.0` (requirements_versions.txt:19)", "sdist"] {
        assert!(run.stderr.contains(part), "expected `{part}`: {run}");
    }
    assert!(home.read("pylock.toml") == example("pylock.toml"), "a failed lock leaves the former one");
}

#[test]
fn what_was_not_recorded_is_not_made_up() {
    for (requirement, missing) in [("never-recorded==1.0", "`never-recorded`"), ("pip==20.0", "`pip`")] {
        let home = copied(&FILES);
        home.write("requirements_docker.txt", format!("torch==2.1.0\ntorchvision==0.16.0\n{requirement}\n"));
        replay(&home).run().expect_code(2).expect_stderr(missing).expect_stderr("record again");
        assert!(home.read("pylock.toml") == example("pylock.toml"), "a failed lock leaves the former one");
    }
}

#[test]
fn the_recording_and_the_lock_name_no_index_but_the_one_for_tests() {
    let lock = example("pylock.toml");
    let urls = lock.split('"').filter(|part| part.contains("://"));
    let foreign: Vec<&str> = urls.filter(|url| !url.starts_with("https://index.test/")).collect();
    assert!(foreign.is_empty(), "{foreign:?}");

    let packed = std::fs::File::open(repository().join(RECORDING)).expect("the recording is there");
    let recording: serde_json::Value =
        serde_json::from_reader(flate2::read::GzDecoder::new(packed)).expect("it is gzip over JSON");
    let index = &recording["indexes"]["main"];
    assert_eq!(index["url"], "https://index.test/simple/");
    let pages = index["projects"].as_object().expect("it has projects").values();
    let files: Vec<&str> =
        pages.flat_map(|page| page["files"].as_array()).flatten().filter_map(|file| file["url"].as_str()).collect();
    assert!(files.len() > 10_000, "{} files", files.len());
    let absolute: Vec<&&str> = files.iter().filter(|url| !url.starts_with("../")).collect();
    assert!(absolute.is_empty(), "{absolute:?}");
}
