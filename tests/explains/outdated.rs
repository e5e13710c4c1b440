//! What is newer than the lock: on its own indexes, for its own targets, and how much of it an upgrade would bring.

use pinfold_testkit::{Finished, Index, Python};

use super::json;
use crate::project::Project;

fn index() -> Index {
    let index = Index::new().wheel("a", "1.0").requires("b<2").uploaded("2024-01-01T00:00:00Z");
    let index = index.wheel("b", "1.0").uploaded("2024-01-01T00:00:00Z").wheel("c", "1.0");
    index.uploaded("2024-01-01T00:00:00Z")
}

/// The index some time later.
fn later() -> Index {
    let python = Python::found().minor.replace('.', "");
    let index =
        index().wheel("b", "1.5").uploaded("2024-02-01T00:00:00Z").wheel("b", "2.0").uploaded("2024-03-01T00:00:00Z");
    // Nothing for this Python, for this system, for anybody, for those who do not build.
    let index =
        index.wheel("c", "2.0").requires_python(">=9").page_requires_python(">=9").uploaded("2024-02-01T00:00:00Z");
    let index = index.wheel("c", "3.0").tag(&format!("cp{python}-cp{python}-emscripten_4_0_9_wasm32"));
    let index =
        index.uploaded("2024-02-01T00:00:00Z").wheel("c", "4.0").uploaded("2024-02-01T00:00:00Z").yanked("broken");
    index.sdist("c", "5.0").uploaded("2024-02-01T00:00:00Z").wheel("c", "6.0rc1").uploaded("2024-02-01T00:00:00Z")
}

fn outdated(project: &Project, arguments: &[&str]) -> Finished {
    project.pinfold("outdated").args(arguments).arg("--python").arg(&Python::found().path).run()
}

/// The target of the test's manifests.
fn target() -> String {
    format!("linux-x86_64-glibc2.17 python {}", Python::found().minor)
}

/// Of `later`, the newest that cannot be used.
fn beyond() -> String {
    format!("c 5.0 cannot be used: for {} it exists as source only, and the lock builds none of it\n", target())
}

#[test]
fn lists_what_an_upgrade_would_bring_and_what_is_newest() {
    let project = Project::new(index(), &["a", "c"]);
    let lock = project.lock();
    let run = outdated(&project, &[]).expect_code(0).expect_stderr("0 of 3 packages have newer versions");
    assert_eq!(run.stdout, "");
    project.server.update(&later());
    let run = outdated(&project, &[]).expect_code(0).expect_stderr("1 of 3 packages have newer versions");
    let beyond = beyond();
    assert_eq!(run.stdout, format!("package  locked  upgrade  newest\nb        1.0     1.5      2.0\n{beyond}"));
    let found = json(&outdated(&project, &["--format", "json"]).expect_code(0));
    let names: Vec<&str> =
        found["packages"].as_array().into_iter().flatten().filter_map(|p| p["name"].as_str()).collect();
    assert_eq!((names, &found["upgrade_unknown"]), (vec!["a", "b", "c"], &serde_json::Value::Null));
    assert_eq!(found["packages"][1]["newest_uploaded"], "2024-03-01T00:00:00Z");
    assert_eq!((&found["packages"][2]["newest"], &found["packages"][2]["outdated"]), (&"1.0".into(), &false.into()));
    assert_eq!(project.home.read("pylock.toml"), lock, "it writes nothing");
    // What the cache knows.
    let host = project.server.host();
    drop(project.server);
    let run = project.home.pinfold(crate::project::PINFOLD).args(["outdated", "--offline"]).run().expect_code(0);
    assert!(run.stdout.ends_with(&format!("b        1.0     1.5      2.0\n{beyond}")), "{host}: {run}");
}

#[test]
fn says_why_what_is_newer_still_cannot_be_used() {
    let project = Project::new(index(), &["c"]);
    project.lock();
    let python = Python::found().minor.clone();
    let target = target();
    let foreign = format!("cp{0}-cp{0}-emscripten_4_0_9_wasm32", python.replace('.', ""));
    let newer = || index().wheel("c", "2.0");
    let cases = [
        (
            newer().requires_python(">=9").page_requires_python(">=9"),
            format!("2.0 cannot be used: for {target} it needs Python >=9"),
        ),
        (newer().tag(&foreign), format!("2.0 cannot be used: it has no file for {target}")),
        (newer().yanked("broken"), "2.0 cannot be used: it is yanked: broken".to_owned()),
        (newer().yanked(""), "2.0 cannot be used: it is yanked".to_owned()),
        (index().wheel("c", "2.0rc1"), "2.0rc1 cannot be used: it is a pre-release".to_owned()),
        // A final one says more than a pre-release that is newer.
        (newer().yanked("").wheel("c", "3.0rc1"), "2.0 cannot be used: it is yanked".to_owned()),
    ];
    for (index, expected) in cases {
        project.server.update(&index);
        let run = outdated(&project, &[]).expect_code(0).expect_stderr("0 of 1 packages have newer versions");
        assert_eq!(run.stdout, format!("c {expected}\n"));
        let found = json(&outdated(&project, &["--format", "json"]).expect_code(0));
        let beyond = &found["packages"][0]["beyond"];
        let told =
            format!("{} cannot be used: {}", beyond["version"].as_str().unwrap(), beyond["why"].as_str().unwrap());
        assert_eq!(told, expected);
    }
    project.server.update(&newer());
    assert_eq!(outdated(&project, &[]).expect_code(0).stdout.lines().count(), 2);
}

#[test]
fn a_cutoff_hides_from_the_upgrade_and_not_from_the_list() {
    let project = Project::with(index(), &["a", "b", "c"], "exclude-newer = \"2024-02-15T00:00:00Z\"", "");
    project.lock();
    project.server.update(&later());
    let run = outdated(&project, &[]).expect_code(0);
    assert!(run.stdout.contains("b        1.0     1.5      2.0 (after the cutoff)\n"), "{run}");
}

#[test]
fn nobody_but_the_indexes_of_the_lock_is_asked() {
    let project = Project::new(index(), &["a", "c"]);
    project.lock();
    project.server.update(&later());
    let elsewhere = Index::new().wheel("a", "9.0").wheel("b", "9.0").wheel("c", "9.0").start();
    let manifest = project.home.read("pinfold.toml");
    project.home.write("pinfold.toml", manifest.replace(&project.server.url(), &elsewhere.url()));
    let run = outdated(&project, &[]).expect_code(0).expect_stderr("which the lock does not have");
    assert_eq!(run.stdout, format!("package  locked  upgrade  newest\nb        1.0     ?        2.0\n{}", beyond()));
    std::fs::remove_file(project.home.project().join("pinfold.toml")).expect("there is a manifest");
    outdated(&project, &[]).expect_code(0).expect_stderr("there is no manifest here");
    project.home.write("pinfold.toml", manifest.replace("\"c\"", "\"c\", \"nothing\""));
    outdated(&project, &[])
        .expect_code(0)
        .expect_stderr("what an upgrade would give is not known: there is no solution");
    assert!(elsewhere.requests().is_empty());
}

#[test]
fn what_pip_says_by_now_is_not_asked() {
    let project = Project::new(index(), &["a", "c"]);
    let manifest =
        project.home.read("pinfold.toml").replace(&format!("url = \"{}\"", project.server.url()), "from = \"pip\"");
    project.home.write("pinfold.toml", manifest);
    project.pinfold("lock").env("PIP_INDEX_URL", project.server.url()).run().expect_code(0);
    project.server.update(&later());
    let elsewhere = Index::new().wheel("a", "9.0").wheel("b", "9.0").wheel("c", "9.0").start();
    let run = project.pinfold("outdated").env("PIP_INDEX_URL", elsewhere.url()).run().expect_code(0);
    assert_eq!(run.stdout, format!("package  locked  upgrade  newest\nb        1.0     1.5      2.0\n{}", beyond()));
    assert!(elsewhere.requests().is_empty());
}

#[test]
fn a_lock_that_cannot_be_asked_about() {
    let project = Project::new(index(), &["a", "c"]);
    outdated(&project, &[]).expect_code(2).expect_stderr("pylock.toml");
    let lock = project.lock();
    let (standard, _) = lock.split_once("[tool.pinfold]").expect("pinfold wrote it");
    project.home.write("other.toml", standard);
    outdated(&project, &["--lock", "other.toml"]).expect_code(2).expect_stderr("does not name its indexes");
    let url = project.server.url();
    project.tamper(&format!("index = \"{url}\""), "index = \"https://evil.example/simple/\"");
    outdated(&project, &[]).expect_code(3).expect_stderr("error[origin-mismatch]");
    project.home.write("pylock.toml", lock);
    drop(project.server);
    let run = project.home.pinfold(crate::project::PINFOLD).arg("outdated").run();
    run.expect_code(4).expect_stderr("help: ");
}
