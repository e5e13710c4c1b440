//! An index that went back: what is locked vanished, was replaced, lost its digest or has another time. It is said as such
//! and refused, whatever the command; going on is a decision that the maintainer takes by name and that is shown.

use pinfold_testkit::{Fault, Index, SdistRecipe, WheelRecipe, sha256_hex};

use super::{guarded, wheel};
use crate::project::Project;

const JANUARY: &str = "2024-01-01T00:00:00Z";
const JUNE: &str = "2024-06-01T00:00:00Z";
const CUTOFF: &str = "exclude-newer = \"2024-08-20T00:00:00Z\"";

fn two(newest: &str) -> Index {
    Index::new().wheel("a", "1.0").uploaded(JANUARY).wheel("a", newest).uploaded(JUNE)
}

/// Another wheel under the name that is locked.
fn other(text: &str) -> WheelRecipe {
    WheelRecipe::new("a", "1.5").file("a/text.py", text)
}

/// Locks in all three ways, cold and warm, each of which must be refused with this code and say `parts`. The lock stays.
#[track_caller]
fn is_refused(project: &Project, code: &str, parts: &[&str]) {
    let lock = project.home.read("pylock.toml");
    for arguments in [&["--check"][..], &["--upgrade"], &["--upgrade-package", "a"], &["--check"]] {
        let run = project.pinfold("lock").args(arguments).run().expect_refusal(code).expect_stderr("help: ");
        parts.iter().for_each(|part| assert!(run.stderr.contains(part), "{part}: {run}"));
    }
    project.forget_cache();
    let run = project.pinfold("lock").run().expect_refusal(code);
    parts.iter().for_each(|part| assert!(run.stderr.contains(part), "{part}: {run}"));
    assert_eq!(project.home.read("pylock.toml"), lock);
}

/// Locks with a decision, which is shown and after which the lock is what checking gives.
#[track_caller]
fn is_taken(project: &Project, decision: &[&str], expected: &str) {
    let mut with_check = decision.to_vec();
    with_check.push("--check");
    project.pinfold("lock").args(with_check).run().expect_code(2);
    let run = project.pinfold("lock").args(decision).run().expect_code(0);
    run.expect_stderr("taken by the maintainer's decision").expect_stderr(&wheel("a", "1.5"));
    assert!(project.home.read("pylock.toml").contains(expected), "{expected}");
    project.pinfold("lock").arg("--check").run().expect_code(0);
    project.sync().expect_code(0);
}

#[test]
fn a_locked_file_that_vanished() {
    let project = Project::with(two("1.5"), &["a"], CUTOFF, "");
    let lock = project.lock();
    let page = project.server.page_url("a");
    // A new release is none of it.
    project.server.update(&two("1.5").wheel("a", "1.6").uploaded(JUNE));
    project.pinfold("lock").arg("--check").run().expect_code(0);
    project.server.update(&Index::new().wheel("a", "1.0").uploaded(JANUARY));
    let digest = lock.split("sha256 = \"").nth(1).and_then(|rest| rest.split('"').next()).expect("has a digest");
    is_refused(&project, "index-rollback", &[&wheel("a", "1.5"), &page, digest, "no such file"]);
    is_taken(&project, &["--allow-index-rollback"], &wheel("a", "1.0"));
}

#[test]
fn a_locked_project_that_vanished() {
    let project = Project::with(two("1.5").wheel("b", "1.0"), &["a", "b"], "", "");
    let lock = project.lock();
    project.server.update(&Index::new().wheel("b", "1.0"));
    is_refused(&project, "index-rollback", &[&wheel("a", "1.5")]);
    // What is no longer asked for may vanish.
    project.write_manifest(&["b"], "", "");
    project.pinfold("lock").run().expect_code(0);
    assert_ne!(project.home.read("pylock.toml"), lock);
    project.write_manifest(&["a", "b"], "", "");
    project.pinfold("lock").run().expect_code(1);
}

#[test]
fn files_that_the_manifest_rules_out_may_vanish() {
    let project = Project::with(two("1.5"), &["a"], CUTOFF, "");
    project.lock();
    project.server.update(&Index::new().wheel("a", "1.0").uploaded(JANUARY));
    project.write_manifest(&["a"], "exclude-newer = \"2024-02-01T00:00:00Z\"", "");
    project.pinfold("lock").run().expect_code(0);
    assert!(project.home.read("pylock.toml").contains(&wheel("a", "1.0")));
}

#[test]
fn a_locked_file_with_another_upload_time() {
    let index = |time: Option<&str>| {
        let index = Index::new().wheel("a", "1.0").uploaded(JANUARY).wheel("a", "1.5");
        time.map_or(index.clone(), |time| index.uploaded(time))
    };
    // Earlier, later, after the cutoff so that the file does not exist any more, and none at all.
    for (time, shown) in [
        (Some("2024-05-31T00:00:00Z"), "2024-05-31"),
        (Some("2024-08-01T00:00:00Z"), "2024-08-01"),
        (Some("2026-01-01T00:00:00Z"), "2026-01-01"),
        (None, "no upload time"),
    ] {
        let project = Project::with(index(Some(JUNE)), &["a"], CUTOFF, "");
        project.lock();
        project.server.update(&index(time));
        is_refused(&project, "upload-time-changed", &[&wheel("a", "1.5"), JUNE, shown]);
        let expected = if shown == "2026-01-01" || time.is_none() { wheel("a", "1.0") } else { shown.to_owned() };
        is_taken(&project, &["--accept-replaced", &wheel("a", "1.5")], &expected);
        project.server.update(&index(Some(JUNE)));
    }
}

#[test]
fn a_locked_file_that_the_page_takes_from_a_target() {
    let index = |python: &str| two("1.5").requires_python(">=3.8").page_requires_python(python);
    let project = Project::with(index(">=3.8"), &["a"], CUTOFF, "");
    project.lock();
    // What still is for the targets has not changed for them.
    project.server.update(&index(">=3.9"));
    project.pinfold("lock").arg("--check").run().expect_code(0);
    for python in ["<3.8", ">=4"] {
        project.server.update(&index(python));
        is_refused(&project, "requires-python-changed", &[&wheel("a", "1.5"), "a file for ", python]);
    }
    is_taken(&project, &["--accept-replaced", &wheel("a", "1.5")], &wheel("a", "1.0"));
}

#[test]
fn a_digest_that_was_withdrawn() {
    let index = || Index::new().wheel("a", "1.0").wheel("a", "1.5");
    let project = Project::new(index(), &["a"]);
    let lock = project.lock();
    assert!(!lock.contains("computed-sha256"), "{lock}");
    for fault in [Fault::NoHash, Fault::Md5Only] {
        project.server.update(&index().fault(fault.clone()));
        is_refused(&project, "hash-withdrawn", &[&wheel("a", "1.5"), "no sha256"]);
        project.server.update(&index());
        project.pinfold("lock").arg("--check").run().expect_code(0);
    }
    project.server.update(&index().fault(Fault::NoHash));
    is_taken(&project, &["--accept-replaced", &wheel("a", "1.5")], "computed-sha256");

    // Where there never was one, none is missed; what pinfold computed is held against the bytes.
    project.forget_cache();
    project.pinfold("lock").arg("--check").run().expect_code(0);
    project.server.update(&Index::new().wheel("a", "1.0").wheel_from(other("x = 'evil'\n")).fault(Fault::NoHash));
    project.forget_cache();
    project.pinfold("lock").run().expect_refusal("file-replaced");
    // And one that appears is no step back.
    project.server.update(&index());
    project.pinfold("lock").arg("--upgrade").run().expect_code(0);
    assert_eq!(project.home.read("pylock.toml"), lock);
}

/// METADATA is a part of the wheel: beside the same wheel there is no other. Whoever offers one leads a resolution astray, and a
/// cache that remembers the former one must not hide it.
#[test]
fn other_metadata_beside_the_same_wheel() {
    let with = |index: Index| index.sidecars().wheel("a", "1.0").uploaded(JANUARY).wheel("a", "1.5").uploaded(JUNE);
    let project = Project::with(with(Index::new()), &["a"], CUTOFF, "");
    project.lock();
    let truth = sha256_hex(WheelRecipe::new("a", "1.5").metadata().as_bytes());
    let lie = "Metadata-Version: 2.1\nName: a\nVersion: 1.5\nRequires-Dist: malware\n";
    let malware = || with(Index::new().wheel("malware", "1.0").uploaded(JANUARY)).metadata_on_page(lie);
    let (file, lied) = (wheel("a", "1.5"), sha256_hex(lie.as_bytes()));
    // With what the page promises beside the wheel, and with what was there before.
    for index in [malware().sidecar(lie), malware()] {
        project.server.update(&index);
        is_refused(&project, "metadata-hash-mismatch", &[&file, &truth, &lied]);
    }
    project.server.update(&with(Index::new()));
    project.pinfold("lock").arg("--check").run().expect_code(0);
    project.sync().expect_code(0);
}

#[test]
fn a_replaced_file_is_taken_by_name_only() {
    let index = |text: &str| {
        let index = Index::new().wheel("base", "1.0").wheel("a", "1.0");
        index.wheel_from(other(text))
    };
    let project = guarded(index("x = 'good'\n"), &["a"]);
    project.lock();
    let bytes = other("x = 'evil'\n").build();
    project.server.update(&index("x = 'evil'\n"));
    is_refused(&project, "file-replaced", &[&wheel("a", "1.5"), &sha256_hex(&bytes)]);
    project.pinfold("lock").args(["--accept-replaced", &wheel("a", "1.0")]).run().expect_refusal("file-replaced");
    project.pinfold("lock").args(["--accept-replaced", "a/b"]).run().expect_code(2);
    project.pinfold("lock").arg("--allow-index-rollback").run().expect_refusal("file-replaced");
    is_taken(&project, &["--accept-replaced", &wheel("a", "1.5")], &sha256_hex(&bytes));
    // A decision about nothing is told to be one.
    let idle = project.pinfold("lock").args(["--accept-replaced", &wheel("a", "1.0")]).run().expect_code(0);
    idle.expect_stderr("nothing was replaced").expect_stderr(&wheel("a", "1.0"));
}

#[test]
fn a_yanked_file_that_is_locked_stays_with_a_warning() {
    let project = Project::new(two("1.5"), &["a"]);
    let lock = project.lock();
    project.server.update(&two("1.5").yanked("broken"));
    for arguments in [&["--check"][..], &[]] {
        project.forget_cache();
        let run = project.pinfold("lock").args(arguments).run().expect_code(0);
        run.expect_stderr("warning").expect_stderr("yanked").expect_stderr("broken");
    }
    assert_eq!(project.home.read("pylock.toml"), lock);
    project.sync().expect_code(0);
    // Whoever asks for what is newest does not get it.
    project.pinfold("lock").arg("--upgrade").run().expect_code(0);
    assert!(project.home.read("pylock.toml").contains(&wheel("a", "1.0")));
}

#[test]
fn a_page_with_a_lower_serial_number_than_before() {
    let at = |serial: u64, newest: &str| two(newest).last_serial(serial);
    let project = Project::new(at(7, "1.5"), &["a"]);
    let lock = project.lock();
    project.server.update(&at(6, "1.5"));
    for _ in 0..2 {
        let run = project.pinfold("lock").arg("--upgrade").run().expect_refusal("index-rollback");
        run.expect_stderr(&project.server.page_url("a")).expect_stderr("number 7 or higher").expect_stderr("number 6");
    }
    // What a check says depends on no memory, and neither do the bytes of a lock.
    project.pinfold("lock").arg("--check").run().expect_code(0);
    assert!(!lock.contains("serial"), "{lock}");
    // Where no page was seen before, none is missed.
    let (home, cache) = (&project.home, project.home.path().join("other-cache"));
    home.pinfold(crate::project::PINFOLD)
        .args(["lock", "--upgrade"])
        .env("PINFOLD_CACHE_DIR", cache)
        .run()
        .expect_code(0);
    let later = |serial: u64| two("1.5").last_serial(serial).wheel("a", "1.6").uploaded(JUNE);
    project.server.update(&later(8));
    project.pinfold("lock").arg("--upgrade").run().expect_code(0);
    assert!(project.home.read("pylock.toml").contains(&wheel("a", "1.6")));
    project.server.update(&later(5));
    project.pinfold("lock").arg("--upgrade").run().expect_refusal("index-rollback");
    project.pinfold("lock").args(["--upgrade", "--allow-index-rollback"]).run().expect_code(0);
    project.pinfold("lock").arg("--upgrade").run().expect_code(0);
}

/// Whoever replays an old page would take its number away.
#[test]
fn a_page_that_lost_its_serial_number() {
    let project = Project::new(two("1.5").last_serial(7), &["a"]);
    let lock = project.lock();
    project.server.update(&two("1.5"));
    project.pinfold("lock").arg("--check").run().expect_code(0);
    for _ in 0..2 {
        let run = project.pinfold("lock").arg("--upgrade").run().expect_refusal("index-rollback");
        let run = run.expect_stderr(&project.server.page_url("a")).expect_stderr("number 7 or higher");
        run.expect_stderr("it had serial number 7 when this machine last saw it, and has none now")
            .expect_stderr("--allow-index-rollback");
    }
    assert_eq!(project.home.read("pylock.toml"), lock);
    project.pinfold("lock").args(["--upgrade", "--allow-index-rollback"]).run().expect_code(0);
    // From then on it has none: nothing is missed, and a number that comes is a beginning.
    project.pinfold("lock").arg("--upgrade").run().expect_code(0);
    project.server.update(&two("1.5").last_serial(3));
    project.pinfold("lock").arg("--upgrade").run().expect_code(0);
    project.server.update(&two("1.5"));
    project.pinfold("lock").arg("--upgrade").run().expect_refusal("index-rollback").expect_stderr("number 3 or higher");
    // The control: another project of the index never had one.
    project.write_manifest(&["b"], "", "");
    project.server.update(&two("1.5").wheel("b", "1.0"));
    for _ in 0..2 {
        project.pinfold("lock").arg("--upgrade").run().expect_code(0);
    }
}

/// A check looks at the older page and says nothing of it; whoever locks next is told of it all the same.
#[test]
fn a_page_with_a_lower_serial_number_that_a_check_has_seen() {
    let older = || Index::new().wheel("a", "1.0").uploaded(JANUARY);
    [older().last_serial(6), older()].iter().for_each(a_check_has_seen);
}

fn a_check_has_seen(older: &Index) {
    let at = |serial: u64, newest: &str| two(newest).last_serial(serial);
    let project = Project::new(at(7, "1.5"), &["a==1.0"]);
    project.lock();
    project.server.update(older);
    project.pinfold("lock").arg("--check").run().expect_code(0);
    project.pinfold("outdated").run().expect_code(0);
    project.write_manifest(&["a"], "", "");
    std::fs::remove_file(project.home.project().join("pylock.toml")).expect("there is a lock");
    // It may still know the page of before, whose newest file is gone, or find the older one: 1.0 is not locked for it.
    project.pinfold("lock").run();
    assert!(!project.home.has("pylock.toml"));
    project.pinfold("lock").arg("--upgrade").run().expect_refusal("index-rollback").expect_stderr("number 7 or higher");
    project.server.update(&at(8, "1.5"));
    assert!(project.lock().contains(&wheel("a", "1.5")));
}

#[test]
fn a_tool_of_a_locked_build_that_vanished() {
    let sdist = SdistRecipe::new("a", "1.0").build_requires("tool>=1");
    let index = || Index::new().sdist_from(sdist.clone());
    let project = Project::with(index().wheel("tool", "1.0").wheel("tool", "1.1"), &["a"], "build = [\"a\"]", "");
    let lock = project.lock();
    project.server.update(&index().wheel("tool", "1.0"));
    let refused = project.pinfold("lock").arg("--check").run().expect_refusal("index-rollback");
    refused.expect_stderr(&wheel("tool", "1.1"));
    project.server.update(&index().wheel("tool", "1.1"));
    project.pinfold("lock").arg("--check").run().expect_code(0);
    assert_eq!(project.home.read("pylock.toml"), lock);
}

#[test]
fn the_lock_of_another_tool_is_held_against_the_index_as_far_as_it_goes() {
    let index =
        |newest: &str| Index::new().wheel("a", "1.0").wheel("a", newest).uploaded("2024-06-01T00:00:00.123456Z");
    let project = Project::new(index("1.5").fault(Fault::NoHash), &["a"]);
    let lock = project.lock();
    let bare = lock[..lock.find("[tool.pinfold]").expect("the lock is ours")].replace(".123456Z", "Z");
    project.home.write("pylock.toml", &bare);
    assert_eq!(project.lock(), lock);
    project.home.write("pylock.toml", &bare);
    project.server.update(&Index::new().wheel("a", "1.0"));
    project.forget_cache();
    project.pinfold("lock").run().expect_refusal("index-rollback").expect_stderr(&wheel("a", "1.5"));
}
