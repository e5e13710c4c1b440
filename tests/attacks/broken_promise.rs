//! An sdist whose build is not what its PKG-INFO promises (PEP 643), so that what was reviewed is not what is installed.

use pinfold_testkit::{Index, SdistRecipe};

use super::{guarded, leaves, refuses};
use crate::project::Project;

fn index(sdist: SdistRecipe) -> Index {
    Index::new().wheel("malware", "1.0").wheel("b", "1.0").wheel("base", "1.0").sdist_from(sdist)
}

fn sdist() -> SdistRecipe {
    SdistRecipe::new("a", "1.0").requires("b").requires_python(">=3.8")
}

#[test]
fn a_build_that_brings_more_than_was_promised_is_refused() {
    let project = guarded(index(sdist().built_requires("malware")), &[]);
    project.write_manifest(&["base", "a"], "build = [\"a\"]", "");
    leaves(
        &project,
        "lock",
        3,
        &["trees", "staging"],
        &["error[broken-promise]", "a 1.0", "field: Requires-Dist", "expected: nothing", "found: malware", "help: "],
    );
    let lock = project.home.read("pylock.toml");
    assert!(!lock.contains("malware"), "{lock}");

    // Who promises nothing breaks no promise: what the build says is locked, for everybody to see. And a promise may be kept.
    let silent = [sdist().metadata_version("2.1"), sdist().metadata_line("Dynamic: Requires-Dist")];
    let silent = silent.map(|control| (control.built_requires("malware"), true));
    for (control, brings) in silent.into_iter().chain([(sdist(), false)]) {
        let project = Project::with(index(control), &["a"], "build = [\"a\"]", "");
        assert_eq!(project.lock().contains("malware"), brings);
        project.sync().expect_code(0);
    }
}

#[test]
fn every_field_of_a_promise_is_held() {
    let broken = |line: &str, field: &str, found: &str| {
        let built = sdist().metadata_line(line);
        let project = guarded(index(built.pkg_info(&sdist().metadata())), &[]);
        project.write_manifest(&["base", "a"], "build = [\"a\"]", "");
        let parts = ["error[broken-promise]", &format!("field: {field}"), &format!("found: {found}")];
        leaves(&project, "lock", 3, &["trees", "staging"], &parts);
    };
    broken("Provides-Extra: more", "Provides-Extra", "more");
    broken("Requires-Dist: b; extra == 'more'", "Requires-Dist", "b; extra == 'more'");
    let project = guarded(index(SdistRecipe::new("a", "1.0").pkg_info(&sdist().metadata()).requires("b")), &[]);
    project.write_manifest(&["base", "a"], "build = [\"a\"]", "");
    leaves(&project, "lock", 3, &["trees", "staging"], &["error[broken-promise]", "expected: >=3.8", "found: nothing"]);
}

#[test]
fn a_build_that_says_something_else_on_the_users_machine_is_refused() {
    // What it says when it is asked is what it promised; what it puts into the wheel is not.
    let code = "open('METADATA.in', 'a').write('Requires-Dist: malware\\n')";
    let lying = sdist().build_runs(code);
    let project = guarded(index(lying), &[]);
    project.write_manifest(&["base", "a"], "build = [\"a\"]", "");
    project.lock();
    leaves(&project, "sync", 3, &["staging"], &["error[built-metadata-mismatch]", "a 1.0", "help: "]);
}

#[test]
fn nothing_of_an_sdist_is_read_before_its_digest_matched() {
    let project = guarded(index(sdist()), &[]);
    project.write_manifest(&["base", "a"], "build = [\"a\"]", "");
    let honest = project.server.file_bytes("a-1.0.tar.gz");
    // Well-formed, of the same length, and with a promise of its own.
    let mut evil = honest.clone();
    let last = evil.len() - 6;
    evil[last] ^= 1;
    project.server.replace_file("a-1.0.tar.gz", evil);
    refuses(&project, "lock", "hash-mismatch", &["a-1.0.tar.gz"]);
    project.server.replace_file("a-1.0.tar.gz", honest);
    project.installed();
}

#[test]
fn a_promise_under_another_name_is_refused() {
    let other = sdist().pkg_info("Metadata-Version: 2.2\nName: b\nVersion: 1.0\n");
    let project = guarded(index(other), &[]);
    project.write_manifest(&["base", "a"], "build = [\"a\"]", "");
    let parts = ["error[metadata-mismatch]", "expected: a 1.0", "found: b 1.0"];
    leaves(&project, "lock", 3, &["trees", "staging"], &parts);
}
