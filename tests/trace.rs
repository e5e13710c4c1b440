//! Where is it, where was it, from where, since when: answered for what is there, what was pruned and what is gone.

use std::fs;

use pinfold_testkit::{Finished, Index, sha256_hex};
use serde_json::Value;

use crate::project::Project;

const VERSIONS: [&str; 6] = ["1.0", "2.0", "3.0", "4.0", "5.0", "6.0"];

/// An index with a project whose module is another one in each version.
fn index() -> Index {
    VERSIONS.iter().fold(Index::new().wheel("other", "1.0").module("other.py", "O = 1\n"), |index, version| {
        index.wheel("mine", version).module("own.py", &format!("V = '{version}'\n"))
    })
}

/// Makes six generations, of which the first two are pruned.
fn with_a_long_past() -> Project {
    let project = Project::new(index(), &["mine==1.0", "other"]);
    for version in VERSIONS {
        project.write_manifest(&[&format!("mine=={version}"), "other"], "", "");
        project.installed();
    }
    project
}

fn trace(project: &Project, query: &str, code: i32) -> Value {
    let finished: Finished = project.pinfold("trace").args(["--format", "json", query]).run().expect_code(code);
    serde_json::from_str(&finished.stdout).expect("the output is JSON")
}

fn wheel_digest(project: &Project, version: &str) -> String {
    sha256_hex(&project.server.file_bytes(&format!("mine-{version}-py3-none-any.whl")))
}

/// Returns kind, generations and whether it is in place, of all that the first environment holds.
fn holdings(traced: &Value) -> Vec<(String, Vec<u64>, bool)> {
    let list = traced["environments"][0]["holdings"].as_array().cloned().unwrap_or_default();
    let generations = |holding: &Value| {
        let spans = holding["spans"].as_array().cloned().unwrap_or_default();
        let of = |span: &Value| span["generations"].as_array().cloned().unwrap_or_default();
        spans.iter().flat_map(of).filter_map(|number| number.as_u64()).collect()
    };
    let text = |holding: &Value| holding["kind"].as_str().unwrap_or_default().to_owned();
    list.iter().map(|it| (text(it), generations(it), it["current"] == true)).collect()
}

#[test]
fn an_artifact_is_traced_though_its_generation_was_pruned() {
    let project = with_a_long_past();
    for (version, generation, is_current) in [("1.0", 1, false), ("5.0", 5, false), ("6.0", 6, true)] {
        let traced = trace(&project, &wheel_digest(&project, version), 0);
        assert_eq!(holdings(&traced), [("distribution".to_owned(), vec![generation], is_current)], "{traced}");
        let held = &traced["environments"][0]["holdings"][0];
        assert_eq!((&held["name"], &held["version"]), (&"mine".into(), &version.into()));
        assert!(held["url"].as_str().is_some_and(|url| url.ends_with(&format!("mine-{version}-py3-none-any.whl"))));
        assert_eq!(held["index"], traced["stored"][0]["origins"][0]);
        let (since, until) = (&held["spans"][0]["since"], &held["spans"][0]["until"]);
        assert_eq!((since.is_string(), until.is_string()), (true, !is_current), "{traced}");
    }
    assert_eq!(trace(&project, &"0".repeat(64), 1)["environments"], serde_json::json!([]));
}

#[test]
fn a_project_is_traced_in_all_versions_or_in_one() {
    let project = with_a_long_past();
    assert_eq!(holdings(&trace(&project, "mine", 0)).len(), 6);
    assert_eq!(holdings(&trace(&project, "Mine==2.0", 0)), [("distribution".to_owned(), vec![2], false)]);
    let other = trace(&project, "other", 0);
    assert_eq!(holdings(&other), [("distribution".to_owned(), vec![1, 2, 3, 4, 5, 6], true)], "{other}");
    assert_eq!(other["environments"][0]["holdings"][0]["spans"].as_array().map(Vec::len), Some(1), "it never left");
    trace(&project, "mine==9.9", 1);
    trace(&project, "stranger", 1);
    project.pinfold("trace").arg("sha256:12").run().expect_code(2).expect_stderr("64 hexadecimal digits");
    project.pinfold("trace").arg("./no-such-file").run().expect_code(2).expect_stderr("no-such-file");
    let text = project.pinfold("trace").arg("other").run().expect_code(0);
    drop(text.expect_stdout("in place now (generations 1, 2, 3, 4, 5, 6)").expect_stdout("from http://127.0.0.1"));
}

#[test]
fn a_file_is_traced_by_its_bytes_wherever_it_lies() {
    let project = with_a_long_past();
    // In an environment.
    let installed = project.python("import own; print(own.__file__)");
    let traced = trace(&project, installed.trim(), 0);
    assert_eq!(traced["recorded"]["unchanged"], true);
    assert_eq!(holdings(&traced), [("file".to_owned(), vec![6], true)], "{traced}");
    assert_eq!(traced["environments"][0]["holdings"][0]["version"], "6.0");
    // Anywhere else; of a generation that is kept, and of one that only the ledger and the store know.
    for (version, generation) in [("4.0", 4), ("1.0", 1)] {
        project.home.write("found.py", format!("V = '{version}'\n"));
        let traced = trace(&project, "found.py", 0);
        assert_eq!(holdings(&traced), [("file".to_owned(), vec![generation], false)], "{traced}");
        assert_eq!(traced["recorded"], Value::Null);
    }
    project.home.write("found.py", "V = 'never installed'\n");
    trace(&project, "found.py", 1);
    // A file of an environment that was changed is traced by what it was, too.
    fs::remove_file(installed.trim()).expect("can remove it");
    fs::write(installed.trim(), "V = 'evil'\n").expect("can write it");
    let traced = trace(&project, installed.trim(), 0);
    assert_eq!(traced["recorded"]["unchanged"], false);
    assert_eq!(traced["recorded"]["sha256"], sha256_hex(b"V = '6.0'\n").as_str());
    assert_eq!(holdings(&traced), [("file".to_owned(), vec![6], true)]);
    let text = project.pinfold("trace").arg(installed.trim()).run().expect_code(0);
    drop(text.expect_stdout("it was changed"));
}

#[cfg(unix)]
#[test]
fn a_link_of_the_environment_is_told_as_such() {
    let project = Project::new(index(), &["mine==1.0"]);
    project.installed();
    let venv = project.home.project().canonicalize().expect("is there").join(".venv");
    let minor = format!(".venv/bin/python{}", pinfold_testkit::Python::found().minor);
    let base = fs::canonicalize(venv.join("bin/python")).expect("it leads somewhere");
    let target = fs::read_link(venv.join("bin/python")).expect("it is a link");
    for (link, leads_to) in [(".venv/bin/python", target.as_path()), (&minor, "python".as_ref())] {
        let told = project.pinfold("trace").arg(link).run().expect_code(0);
        let inside = link.trim_start_matches(".venv/");
        let told = told.expect_stdout(&format!("{inside} is a link of {} itself and leads to", venv.display()));
        let told = told.expect_stdout(&format!("leads to {}", leads_to.display()));
        drop(told.expect_stdout(&base.display().to_string()).expect_stderr("what the link leads to"));
        let traced = trace(&project, link, 0);
        let recorded = &traced["recorded"];
        assert_eq!((&recorded["sha256"], &recorded["unchanged"]), (&Value::Null, &true.into()), "{traced}");
        assert_eq!(recorded["link"], leads_to.to_string_lossy().as_ref(), "{traced}");
    }
    fs::remove_file(venv.join("bin/python3")).expect("can remove it");
    fs::write(venv.join("bin/python3"), "#!/bin/sh\n").expect("can write");
    let told = project.pinfold("trace").arg(".venv/bin/python3").run().expect_code(1);
    drop(told.expect_stdout("it was changed: bin/python3 of"));
}

/// Before, the trace waited for a writer, or read without end.
#[cfg(unix)]
#[test]
fn only_regular_files_are_read() {
    let project = Project::new(index(), &["mine==1.0"]);
    pinfold_testkit::make_pipe(&project.home.project().join("pipe"));
    std::os::unix::fs::symlink("pipe", project.home.project().join("to-pipe")).expect("can make a link");
    for (path, found) in
        [("./pipe", "a pipe"), ("./to-pipe", "a pipe"), ("/dev/zero", "a device"), ("../project", "a directory")]
    {
        let told = project.pinfold("trace").arg(path).run().expect_code(2);
        drop(told.expect_stderr("is no regular file").expect_stderr(found).expect_stderr("help: "));
    }
}

#[test]
fn environments_that_are_gone_or_elsewhere_are_known() {
    let project = Project::new(index(), &["mine==1.0"]);
    project.lock();
    for venv in [".venv", "second", "third"] {
        project.pinfold("sync").args(["--venv", venv]).run().expect_code(0);
    }
    for gone in ["second", ".pinfold-second", "third"] {
        fs::remove_dir_all(project.home.project().join(gone)).expect("can remove it");
    }
    // Asked from somewhere else: what the cache directory remembers is enough.
    let traced = trace(&project, "mine", 0);
    let list = traced["environments"].as_array().expect("a list");
    let told: Vec<(bool, bool)> =
        list.iter().map(|it| (it["present"] == true, it["holdings"][0]["current"] == true)).collect();
    assert_eq!(told, [(true, true), (false, false), (false, false)], "{traced}");
    assert_eq!(list[1]["holdings"][0]["spans"][0]["until"], Value::Null);
    // One whose receipt cannot be read is there.
    project.home.write(".venv/.pinfold/receipt.json", "{");
    let text = project.pinfold("trace").arg("mine").run().expect_code(0).expect_stdout("second (gone)");
    assert!(!text.stdout.contains(".venv (gone)"), "{text}");
    drop(text.expect_stderr("3 environments, 1 of which holds it now"));
    // Where nothing is remembered, the environment that is asked tells of itself.
    project.forget_cache();
    let traced = trace(&project, "mine", 0);
    assert_eq!(traced["environments"].as_array().map(Vec::len), Some(1));
    let none = project.pinfold("trace").args(["mine", "--venv", "second"]).directory("..").run();
    none.expect_code(1);
}

#[test]
fn the_lock_that_an_environment_was_made_from_is_traced() {
    let project = with_a_long_past();
    let lock = sha256_hex(project.home.read("pylock.toml").as_bytes());
    assert_eq!(holdings(&trace(&project, &lock, 0)), [("lock".to_owned(), vec![6], true)]);
    assert_eq!(holdings(&trace(&project, "pylock.toml", 0)), [("lock".to_owned(), vec![6], true)]);
}

#[test]
fn a_trace_through_a_ledger_that_was_changed_says_so() {
    let project = with_a_long_past();
    let ledger = project.home.project().join(".pinfold-.venv/ledger.jsonl");
    let text = fs::read_to_string(&ledger).expect("there is a ledger");
    let hidden = wheel_digest(&project, "1.0");
    let without: String = text.lines().skip(1).map(|line| format!("{line}\n")).collect();
    assert!(!without.contains(&hidden));
    fs::write(&ledger, without).expect("can write");
    // The copy still knows what was hidden.
    let told = project.pinfold("trace").arg(&hidden).run().expect_code(0);
    drop(told.expect_stdout("(generation 1)").expect_stderr("ledger-broken").expect_stderr("ledger-rewritten"));
}
