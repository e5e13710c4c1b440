//! What an sdist says of itself is believed where PEP 643 says so, and nowhere else; what is locked is built in any case.

use pinfold_testkit::{Fault, Index, SdistRecipe};

use crate::project::Project;

/// An application that wants `a` and an old `b`; the newest `a`, source only, wants a newer `b`.
fn index(newest: &SdistRecipe) -> Index {
    let index = Index::new().wheel("b", "1.0").wheel("b", "2.0").sdist_from(newest.clone());
    index.sdist_from(SdistRecipe::new("a", "1.0").requires("b<2"))
}

fn newest() -> SdistRecipe {
    SdistRecipe::new("a", "2.0").requires("b>=2")
}

fn project(newest: &SdistRecipe) -> Project {
    Project::with(index(newest), &["a", "b<2"], "build = [\"a\"]", "")
}

/// Locks: the newest version does not fit, which is either read or learnt by building it.
#[track_caller]
fn check(newest: &SdistRecipe, is_built: bool) {
    let project = project(newest);
    let run = project.pinfold("lock").run().expect_code(0).expect_stderr("building a 1.0");
    assert_eq!(run.stderr.contains("building a 2.0"), is_built, "{run}");
    let lock = project.home.read("pylock.toml");
    assert!(lock.contains("a-1.0.tar.gz") && lock.contains("b-1.0-"), "{lock}");
    // From the cache, from nothing, and without a network it is the same lock.
    project.pinfold("lock").arg("--check").run().expect_code(0);
    let recorded = ["--record", "index.recording"];
    project.forget_cache();
    project.pinfold("lock").args(recorded).run().expect_code(0);
    assert_eq!(project.home.read("pylock.toml"), lock);
    project.forget_cache();
    let replay = ["--check", "--replay", "index.recording"];
    project.pinfold("lock").args(replay).env("PATH", "").run().expect_code(0);
}

#[test]
fn a_static_pkg_info_spares_the_build_of_what_is_not_locked() {
    check(&newest(), false);
    check(&newest().metadata_version("2.4"), false);
    check(&newest().metadata_line("Dynamic: Summary"), false);
    for field in ["Requires-Dist", "requires-python", "Provides-Extra"] {
        check(&newest().metadata_line(&format!("Dynamic: {field}")), true);
    }
    check(&newest().metadata_version("2.1"), true);
    // What cannot be read is no promise.
    check(&newest().pkg_info("Metadata-Version: 2.2\nName: a\nVersion: 2.0\nRequires-Dist: b >\n"), true);
    check(&newest().pkg_info("nothing"), true);
}

#[test]
fn a_promise_is_remembered_and_nothing_is_fetched_that_nobody_may_build() {
    let project = project(&newest());
    project.lock();
    project.home.write("pylock.toml.old", project.home.read("pylock.toml"));
    project.server.forget_requests();
    project.pinfold("lock").arg("--upgrade").run().expect_code(0);
    assert!(project.server.requests_to("a-2.0.tar.gz").is_empty(), "it was fetched again");

    let project = Project::new(index(&newest()).wheel("a", "0.5"), &["a", "b<2"]);
    assert!(project.lock().contains("a-0.5-"));
    let fetched = project.server.requests_to(".tar.gz");
    assert!(fetched.is_empty(), "{fetched:?}");
}

/// Returns the names of the build tools in a lock, with their packages.
fn tools(project: &Project) -> Vec<String> {
    let lock: toml::Table = project.home.read("pylock.toml").parse().expect("a lock is TOML");
    let recipes = lock["tool"]["pinfold"]["build"].as_array().expect("a lock has recipes");
    let text = |value: &toml::Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let of = |recipe: &toml::Value| {
        let name = text(recipe, "name");
        let tools = recipe["requires"].as_array().cloned().unwrap_or_default();
        tools.into_iter().map(move |tool| format!("{name}: {} {}", text(&tool, "name"), text(&tool, "version")))
    };
    recipes.iter().flat_map(of).collect()
}

#[test]
fn the_tools_of_a_build_are_kept_until_an_upgrade_is_asked_for() {
    let sdist = |name: &str, needs: &str| SdistRecipe::new(name, "1.0").build_requires(needs);
    let with = |tools: &[&str]| {
        let index = Index::new().sdist_from(sdist("a", "tool")).sdist_from(sdist("b", "tool>=1.5"));
        tools.iter().fold(index, |index, version| index.wheel("tool", version))
    };
    let project = Project::with(with(&["1.0", "2.0"]), &["a"], "build = [\"a\", \"b\"]", "");
    project.lock();
    assert_eq!(tools(&project), ["a: tool 2.0"]);
    project.server.update(&with(&["1.0", "2.0", "3.0"]));
    project.forget_cache();
    project.pinfold("lock").arg("--check").run().expect_code(0);
    // What comes in has the newest, and moves nobody else's.
    project.write_manifest(&["a", "b"], "build = [\"a\", \"b\"]", "");
    project.lock();
    assert_eq!(tools(&project), ["a: tool 2.0", "b: tool 3.0"]);
    project.pinfold("lock").arg("--check").run().expect_code(0);
    project.sync().expect_code(0);
    project.server.update(&with(&["1.0", "2.0", "3.0", "4.0"]));
    project.forget_cache();
    for (moving, expected) in [
        (&["--upgrade-package", "other"][..], ["a: tool 2.0", "b: tool 3.0"]),
        (&["--upgrade-package", "b"], ["a: tool 2.0", "b: tool 4.0"]),
        (&["--upgrade-package", "tool"], ["a: tool 4.0", "b: tool 4.0"]),
    ] {
        project.pinfold("lock").args(moving).run().expect_code(0);
        assert_eq!(tools(&project), expected, "{moving:?}");
    }
    project.server.update(&with(&["1.0", "2.0", "3.0", "4.0", "5.0"]));
    project.forget_cache();
    project.pinfold("lock").arg("--upgrade").run().expect_code(0);
    assert_eq!(tools(&project), ["a: tool 5.0", "b: tool 5.0"]);
}

/// What a build said is remembered with everything that decides which tools it had.
#[test]
fn a_build_with_other_tools_is_run_again() {
    let early = "2024-01-01T00:00:00Z";
    let tools = |index: Index| index.wheel("tool", "1.0").uploaded(early).wheel("tool", "2.0rc1").uploaded(early);
    let sdist = SdistRecipe::new("a", "1.0").metadata_version("2.1").build_requires("tool");
    let second = tools(Index::new()).start();
    let project = Project::new(tools(Index::new().sdist_from(sdist).uploaded(early)), &["a"]);
    let lock = |own: &str, packages: &[&str], is_built: bool| {
        let cutoff = "exclude-newer = \"2024-08-20T00:00:00Z\"";
        let route = format!("\n[[index]]\nname = \"second\"\nurl = \"{}\"\npackages = {packages:?}\n", second.url());
        project.write_manifest(&["a"], &format!("build = [\"a\"]\n{cutoff}\n{own}"), &route);
        let run = project.pinfold("lock").arg("--upgrade").run().expect_code(0);
        assert_eq!(run.stderr.contains("building a 1.0"), is_built, "{run}");
    };
    lock("", &["other"], true);
    lock("", &["other"], false);
    lock("prerelease = \"allow\"", &["other"], true);
    assert_eq!(self::tools(&project), ["a: tool 2.0rc1"]);
    lock("", &["tool"], true);
    lock("", &["tool"], false);
}

/// The lowest version of what an application needs is a question about the application, not about what builds it.
#[test]
fn the_tools_of_a_build_are_the_highest_whatever_the_resolution() {
    for resolution in ["lowest", "lowest-direct"] {
        let index = Index::new().sdist_from(SdistRecipe::new("a", "1.0").build_requires("tool").requires("b"));
        let index = index.wheel("tool", "1.0").wheel("tool", "2.0").wheel("b", "1.0").wheel("b", "2.0");
        let project = Project::with(index, &["a", "b"], &format!("build = [\"a\"]\nresolution = \"{resolution}\""), "");
        assert!(project.lock().contains("b-1.0-"));
        assert_eq!(tools(&project), ["a: tool 2.0"]);
    }
}

#[test]
fn what_is_locked_has_the_digest_of_what_its_build_gives() {
    let sdist = SdistRecipe::new("a", "1.0").requires("b").metadata_line("Summary: one");
    // The build says more than PKG-INFO, but nothing else: that is no contradiction.
    let built = sdist.clone().metadata_line("Keywords: more");
    let sdist = built.pkg_info(&sdist.metadata());
    let project =
        Project::with(Index::new().wheel("b", "1.0").sdist_from(sdist.clone()), &["a"], "build = [\"a\"]", "");
    let lock = project.lock();
    let digest = pinfold_testkit::sha256_hex(sdist.built_metadata().as_bytes());
    assert!(lock.contains(&digest), "{lock}");
    project.sync().expect_code(0);
    project.pinfold("verify").run().expect_code(0);
}

/// An sdist that tells what it needs as soon as the page of `project` came, and gives up if it does not come.
fn waiting_for(project: &str) -> SdistRecipe {
    let code = format!(
        "
import glob, time
from backend import *
from backend import prepare_metadata_for_build_wheel as prepare

def prepare_metadata_for_build_wheel(directory, settings=None):
    pages = '../../../../../pages/*/*'
    deadline = time.monotonic() + 10
    while not any(b'/simple/{project}/' in open(page, 'rb').read(500) for page in glob.glob(pages)):
        if time.monotonic() > deadline:
            raise SystemExit('nobody asked for the page')
        time.sleep(0.01)
    return prepare(directory)
"
    );
    let pyproject = "[build-system]\nrequires = []\nbuild-backend = 'waiting'\nbackend-path = ['.']\n";
    SdistRecipe::new("a", "1.0").metadata_version("2.1").pyproject(pyproject).file("waiting.py", code)
}

#[test]
fn the_index_is_asked_for_more_while_a_build_runs() {
    let index = Index::new().project("b").fault(Fault::Delay(200)).wheel("b", "1.0").requires("c");
    let index = index.wheel("c", "1.0").requires("d").wheel("d", "1.0").sdist_from(waiting_for("d"));
    let project = Project::with(index, &["a==1.0", "b"], "build = [\"a\"]", "");
    let lock = project.lock();
    assert!(lock.contains("a-1.0.tar.gz") && lock.contains("d-1.0-"), "{lock}");
}

#[test]
fn what_an_sdist_was_made_with_is_asked_for_while_it_is_built_and_decides_nothing() {
    let noted = "noted\nabsent\nbroken\n\n[extra]\nunasked\n";
    let sdist = waiting_for("noted").built_requires("b").file("a.egg-info/requires.txt", noted);
    let index = Index::new().wheel("b", "1.0").wheel("noted", "1.0").wheel("unasked", "1.0").sdist_from(sdist);
    let index = index.project("broken").fault(Fault::Status(403));
    let project = Project::with(index, &["a"], "build = [\"a\"]", "");
    let lock = project.lock();
    assert!(lock.contains("b-1.0-") && !lock.contains("noted") && !lock.contains("broken"), "{lock}");
    let asked = |name: &str| !project.server.requests_to(&format!("/simple/{name}/")).is_empty();
    assert!(asked("noted") && asked("absent") && asked("broken") && !asked("unasked"));
    project.pinfold("lock").arg("--check").run().expect_code(0);
}
