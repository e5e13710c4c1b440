//! What `sync` says: a dry run that writes nothing, the account of what changed, for people and for programs.

use pinfold_testkit::{Finished, Index};
use serde_json::{Value, json};

use crate::project::Project;

fn index() -> Index {
    let names = ["goes", "moves", "stays"];
    names
        .into_iter()
        .fold(Index::new().wheel("moves", "2.0").wheel("comes", "1.0"), |index, name| index.wheel(name, "1.0"))
}

/// An environment that a new lock would change in every way.
fn before_a_change() -> Project {
    let project = Project::new(index(), &["goes", "moves==1.0", "stays"]);
    project.installed();
    project.write_manifest(&["comes", "moves==2.0", "stays"], "", "");
    project.lock();
    project
}

fn document(finished: &Finished) -> Value {
    assert_eq!(finished.stdout.lines().count(), 1, "{finished}");
    serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {finished}"))
}

fn events(finished: &Finished) -> Vec<Value> {
    let event = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    finished.stderr.lines().map(event).collect()
}

#[test]
fn a_dry_run_writes_nothing_anywhere() {
    for fresh in [true, false] {
        let project = if fresh { Project::new(index(), &["moves"]) } else { before_a_change() };
        if fresh {
            project.lock();
            project.forget_cache();
        }
        let before = project.home.snapshot("..");
        project.server.forget_requests();
        for format in ["text", "json"] {
            project.pinfold("sync").args(["--dry-run", "--format", format]).run().expect_code(0);
        }
        assert_eq!(project.home.snapshot(".."), before, "fresh: {fresh}");
        assert!(project.server.requests().is_empty());
        project.sync().expect_code(0);
        assert_ne!(project.home.snapshot(".."), before, "a real run writes");
    }
}

#[test]
fn a_dry_run_says_what_would_come_go_and_move_and_what_must_be_downloaded() {
    let project = before_a_change();
    let dry = project.pinfold("sync").arg("--dry-run").run().expect_code(0);
    assert_eq!(dry.stdout, "+ comes 1.0\n~ moves 1.0 -> 2.0\n- goes 1.0\n");
    let dry = dry.expect_stderr("1 added, 1 changed, 1 removed, 1 kept, another lock; 2 files, ");
    dry.expect_stderr(" to download, 1 file, ").expect_stderr(" at hand");
    let dry = document(&project.pinfold("sync").args(["--dry-run", "--format", "json"]).run().expect_code(0));
    let size = |name: &str| project.server.file_bytes(name).len() as u64;
    let fetched = size("comes-1.0-py3-none-any.whl") + size("moves-2.0-py3-none-any.whl");
    for (key, expected) in [
        ("added", json!([{ "name": "comes", "version": "1.0" }])),
        ("updated", json!([{ "name": "moves", "from": "1.0", "to": "2.0" }])),
        ("removed", json!([{ "name": "goes", "version": "1.0" }])),
        ("kept", json!(1)),
        ("rebuild", json!(["lock"])),
        ("dry_run", json!(true)),
        ("up_to_date", json!(false)),
        ("generation", Value::Null),
        ("to_download", json!({ "files": 2, "bytes": fetched })),
        ("at_hand", json!({ "files": 1, "bytes": size("stays-1.0-py3-none-any.whl") })),
    ] {
        assert_eq!(dry[key], expected, "{key}");
    }
}

#[test]
fn a_real_run_gives_the_same_document_and_what_came_of_it() {
    let project = before_a_change();
    let dry = document(&project.pinfold("sync").args(["--dry-run", "--format", "json"]).run());
    let real = project.pinfold("sync").args(["--format", "json"]).run().expect_code(0);
    let real_document = document(&real);
    for key in ["added", "updated", "removed", "kept", "rebuild", "to_download", "at_hand", "lock_sha256"] {
        assert_eq!(real_document[key], dry[key], "{key}");
    }
    assert_eq!((&real_document["dry_run"], &real_document["generation"]), (&json!(false), &json!(2)));
    assert!(real_document["seconds"].as_f64().unwrap() > 0.0 && real_document["files"].as_u64().unwrap() > 3);
    let idle = document(&project.pinfold("sync").args(["--format", "json"]).run().expect_code(0));
    assert_eq!((&idle["up_to_date"], &idle["kept"], &idle["generation"]), (&json!(true), &json!(3), &Value::Null));
}

#[test]
fn people_are_told_what_changed() {
    let project = before_a_change();
    let real = project.sync().expect_code(0);
    assert!(real.stderr.starts_with("+ comes 1.0\n~ moves 1.0 -> 2.0\n- goes 1.0\n.venv: 1 added"), "{real}");
    assert_eq!(real.stdout, "");
    let project = before_a_change();
    let quiet = project.pinfold("sync").arg("-q").run().expect_code(0);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
    assert!(project.pinfold("sync").arg("-q").run().expect_code(0).stderr.is_empty());
}

#[test]
fn a_long_list_is_cut_unless_more_is_asked_for() {
    let names: Vec<String> = (10..40).map(|number| format!("package-{number}")).collect();
    let wheels = names.iter().fold(Index::new(), |index, name| index.wheel(name, "1.0"));
    let project = Project::new(wheels, &names.iter().map(String::as_str).collect::<Vec<_>>());
    project.lock();
    let cut = project.sync().expect_code(0).expect_stderr("+ … and 15 more (-v lists them)");
    assert_eq!(cut.stderr.lines().filter(|line| line.starts_with("+ package-")).count(), 15);
    let whole = project.pinfold("sync").args(["--venv", "other", "-v"]).run().expect_code(0);
    assert_eq!(whole.stderr.lines().filter(|line| line.starts_with("+ package-")).count(), 30);
}

#[test]
fn programs_are_told_of_phases_and_changes() {
    let project = before_a_change();
    let run = project.pinfold("sync").args(["--log-format", "json"]).run().expect_code(0);
    let events = events(&run);
    let of = |kind: &str| events.iter().filter(|event| event["event"] == kind).collect::<Vec<_>>();
    let states = |phase: &str| {
        let states = of("phase").into_iter().filter(|event| event["phase"] == phase);
        states.map(|event| event["state"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(states("fetching"), ["begun", "done"]);
    assert_eq!(states("installing"), ["begun", "done"]);
    // How many there will be is not known at first; in the end it is as many as the receipt lists.
    let begun = of("phase").into_iter().find(|event| event["phase"] == "installing").unwrap();
    assert_eq!((&begun["state"], &begun["total"]), (&json!("begun"), &Value::Null));
    let receipt = std::fs::read_to_string(project.home.project().join(".venv/.pinfold/receipt.json")).unwrap();
    let receipt: Value = serde_json::from_str(&receipt).unwrap();
    let installing = of("phase").into_iter().rfind(|event| event["phase"] == "installing").unwrap();
    assert_eq!((&installing["done"], &installing["total"]), (&receipt["file_count"], &receipt["file_count"]));
    let changes: Vec<_> = of("change").into_iter().map(|it| (it["change"].clone(), it["name"].clone())).collect();
    let expected = [("added", "comes"), ("updated", "moves"), ("removed", "goes")];
    assert_eq!(changes, expected.map(|(change, name)| (json!(change), json!(name))));
    assert_eq!(of("status").len(), 1);
}
