//! A lock explains itself: which package needs which, who asks for one, what keeps it from being newer. Offline, and the same on
//! every machine: nothing but the lock is read.

use pinfold_testkit::{Finished, Index, WheelRecipe};
use serde_json::Value;

use crate::project::{PINFOLD, Project};

// What changed between two locks.
mod diff;
// A lock in a form that pip reads.
mod export;
// What `sync` would refuse, said while locking.
mod inspect;
// What a check says differs, what an upgrade moved.
mod lock;
// What is newer than the lock.
mod outdated;

const TARGETS: &str = "targets = [\"linux-x86_64\", \"windows-x86_64\"]";

/// An application with an extra, a group and a package for one system, locked.
fn locked() -> Project {
    let index = Index::new()
        .wheel("app", "1.0")
        .requires("lib<2")
        .requires("winlib; sys_platform == 'win32'")
        .wheel("lib", "1.0")
        .requires("base>=1")
        .wheel("lib", "1.5")
        .requires("base[fast]>=1.1")
        .wheel("lib", "2.0")
        .wheel("winlib", "1.0")
        .requires("base")
        .wheel("base", "1.2")
        .extra("fast", "speed; python_version > '3'")
        .wheel("speed", "1.0")
        .wheel("gpu", "1.0")
        .requires("base<5")
        .wheel("test", "1.0")
        .requires("base");
    let lines = "[groups]\ndev = [\"test\"]\n[extras]\ngpu = [\"gpu==1.*\"]\n";
    let project = Project::with(index, &["app>=1"], TARGETS, lines);
    project.lock();
    project
}

/// A run in the project, without the index and with no cache to look at.
fn ask(project: &Project, arguments: &[&str]) -> Finished {
    project.home.pinfold(PINFOLD).args(arguments).env("PINFOLD_CACHE_DIR", project.home.tmp()).run()
}

fn json(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {finished}"))
}

#[test]
fn a_tree_begins_with_what_was_asked_for() {
    let project = locked();
    let minor = &pinfold_testkit::Python::found().minor;
    let tree = ask(&project, &["tree"]).expect_code(0);
    let expected = format!(
        "app 1.0\n\
         ├── lib 1.5\n\
         │   ├── base 1.2\n\
         │   │   └── speed 1.0\n\
         │   └── speed 1.0\n\
         └── winlib 1.0 [windows-x86_64 python {minor}]\n    \
             └── base 1.2 (above)\n\
         gpu 1.0 [extra `gpu`]\n\
         └── base 1.2 (above)\n\
         test 1.0 [group `dev`]\n\
         └── base 1.2 (above)\n"
    );
    // What `base[fast]` brings is needed by `base` alone, or by whoever wants the extra too.
    let without = expected.replace(
        "│   ├── base 1.2\n│   │   └── speed 1.0\n│   └── speed 1.0\n",
        "│   └── base 1.2\n│       └── speed 1.0\n",
    );
    assert!(tree.stdout == expected || tree.stdout == without, "{tree}");
    let linux = ask(&project, &["tree", "--target", "linux-x86_64"]).expect_code(0);
    assert!(!linux.stdout.contains("winlib"), "{linux}");
    let flat = ask(&project, &["tree", "--depth", "0"]).expect_code(0);
    assert_eq!(flat.stdout, "app 1.0\ngpu 1.0 [extra `gpu`]\ntest 1.0 [group `dev`]\n");
    let inverted = ask(&project, &["tree", "--invert", "lib"]).expect_code(0);
    assert_eq!(inverted.stdout, "lib 1.5\n└── app 1.0 [the application: app>=1]\n");
    ask(&project, &["tree", "--invert"]).expect_code(0).expect_stdout("speed 1.0\n");
}

#[test]
fn a_tree_for_programs() {
    let project = locked();
    let tree = json(&ask(&project, &["tree", "--format", "json"]).expect_code(0));
    assert_eq!(tree["roots"], serde_json::json!(["app", "gpu", "test"]));
    assert_eq!(tree["roots_are_guessed"], false);
    let packages = tree["packages"].as_array().expect("a tree has packages");
    assert_eq!(packages.len(), 7);
    let winlib = packages.iter().find(|package| package["name"] == "winlib").expect("it is there");
    assert_eq!(winlib["targets"].as_array().map(Vec::len), Some(1), "{winlib}");
    assert_eq!(winlib["needed_by"], serde_json::json!(["app"]));
    let near = json(&ask(&project, &["tree", "--format", "json", "--depth", "1", "--invert", "lib"]).expect_code(0));
    let names: Vec<&str> =
        near["packages"].as_array().into_iter().flatten().filter_map(|p| p["name"].as_str()).collect();
    assert_eq!((names, &near["inverted"]), (vec!["app", "lib"], &Value::Bool(true)));
}

/// What one patch release of Python gets and another does not is not "on every target".
#[test]
fn why_says_which_part_of_a_divided_target_gets_what() {
    let minor = &pinfold_testkit::Python::found().minor;
    let (early, late) = (format!("<{minor}.3"), format!(">={minor}.3"));
    let index = Index::new().wheel("a", "1.0").requires_python(&early).wheel("a", "2.0").requires_python(&late);
    let project = Project::new(index, &["a"]);
    project.lock();
    let why = ask(&project, &["why", "a"]).expect_code(0);
    why.expect_stdout(&format!("a 1.0 on every target where python_full_version < '{minor}.3'"))
        .expect_stdout(&format!("a 2.0 on every target where python_full_version >= '{minor}.3'"));
}

#[test]
fn why_names_who_asks_where_and_what_caps() {
    let project = locked();
    let minor = &pinfold_testkit::Python::found().minor;
    let url = project.server.url();
    let why = ask(&project, &["why", "lib"]).expect_code(0);
    assert_eq!(
        why.stdout,
        format!(
            "lib 1.5 on every target, from {url}\nasked for by\n  the application: app>=1 -> lib<2\n\
             not newer because\n  app 1.0 asks for lib<2\n"
        )
    );
    let speed = ask(&project, &["why", "Speed"]).expect_code(0);
    for part in [
        "the application: app>=1 -> lib<2 -> base[fast]>=1.1 -> speed; ",
        "extra == 'fast'",
        "extra `gpu`: gpu==1.* -> base<5 -> speed",
        "group `dev`: test -> base -> speed",
        "no requirement in the lock excludes newer versions",
        "pinfold outdated",
    ] {
        assert!(speed.stdout.contains(part), "{part}: {speed}");
    }
    let winlib = ask(&project, &["why", "winlib"]).expect_code(0);
    winlib.expect_stdout(&format!("winlib 1.0 on windows-x86_64 python {minor}, from"));
    ask(&project, &["why", "gpu"]).expect_code(0).expect_stdout("gpu 1.0 on every target with extra `gpu`, from");
    let found = json(&ask(&project, &["why", "lib", "--format", "json"]).expect_code(0));
    assert_eq!(found["requirements"][0]["requirement"], "lib<2");
    assert_eq!(found["requirements"][0]["caps"], true);
    assert_eq!(found["chains"][0][0]["by"][0]["kind"], "application");
    assert_eq!(found["entries"][0]["version"], "1.5");
}

#[test]
fn a_cutoff_and_an_override_are_named() {
    let index = Index::new().wheel("a", "1.0").requires("b<2").uploaded("2024-01-01T00:00:00Z");
    let index = index.wheel("b", "3.0").uploaded("2024-01-01T00:00:00Z");
    let settings = "exclude-newer = \"2024-02-01T00:00:00Z\"\noverrides = [\"b>=3\"]\nconstraints = [\"a==1.0\"]";
    let project = Project::with(index, &["a"], settings, "");
    project.lock();
    let why = ask(&project, &["why", "b"]).expect_code(0);
    assert!(why.stdout.contains("files uploaded after 2024-02-01T00:00:00Z do not exist for this lock"), "{why}");
    assert!(!why.stdout.contains("asks for b<2") && why.stdout.contains("no requirement"), "{why}");
    ask(&project, &["why", "a"]).expect_code(0).expect_stdout("a constraint asks for a==1.0");
}

#[test]
fn what_is_required_by_path_is_named_by_it() {
    let project =
        Project::new(Index::new().wheel("lib", "1.0").requires("tool"), &["lib", "tool @ ./tool-1.0-py3-none-any.whl"]);
    project.home.write("tool-1.0-py3-none-any.whl", WheelRecipe::new("tool", "1.0").build());
    project.lock();
    let why = ask(&project, &["why", "tool"]).expect_code(0);
    for part in ["tool 1.0 on every target, from ", "  the application: tool @ ", "the application asks for tool @ "] {
        assert!(why.stdout.contains(part), "{part}: {why}");
    }
    assert!(!why.stdout.contains("file:"), "{why}");
    ask(&project, &["tree"]).expect_code(0).expect_stdout("lib 1.0\n└── tool 1.0\ntool 1.0");
    project.home.write("old.toml", project.home.read("pylock.toml"));
    project.home.write("below/new.toml", project.home.read("pylock.toml"));
    ask(&project, &["diff", "old.toml", "below/new.toml"]).expect_code(0);
}

#[test]
fn a_lock_that_does_not_say_who_asked_is_explained_as_far_as_it_goes() {
    let project = locked();
    let lock = project.home.read("pylock.toml");
    let (standard, _) = lock.split_once("[tool.pinfold]").expect("pinfold wrote it");
    project.home.write("other.toml", standard);
    let why = ask(&project, &["why", "lib", "--lock", "other.toml"]).expect_code(0);
    assert!(why.stdout.contains("  app -> lib\n") && why.stdout.contains("does not say which requirements"), "{why}");
    ask(&project, &["tree", "--lock", "other.toml"]).expect_code(0).expect_stdout("app 1.0\n├── lib 1.5\n");
    let tree = json(&ask(&project, &["tree", "--lock", "other.toml", "--format", "json"]).expect_code(0));
    assert_eq!(tree["roots_are_guessed"], true);
    let why = json(&ask(&project, &["why", "lib", "--lock", "other.toml", "--format", "json"]).expect_code(0));
    assert_eq!(why["requirements"], Value::Null);
    ask(&project, &["tree", "--lock", "other.toml", "--target", "linux-x86_64"])
        .expect_code(2)
        .expect_stderr("--target");
}

#[test]
fn what_is_not_there_is_said_with_what_may_be_meant() {
    let project = locked();
    for verb in ["tree", "why"] {
        let package: &[&str] = if verb == "why" { &["lib"] } else { &[] };
        let run = |lock: &str| ask(&project, &[&[verb], package, &["--lock", lock]].concat());
        run("nowhere.toml").expect_code(2).expect_stderr("nowhere.toml").expect_stderr("pinfold lock");
        project.home.write("damaged.toml", "lock-version = ");
        run("damaged.toml").expect_code(2).expect_stderr("damaged.toml");
    }
    ask(&project, &["why", "winlip"]).expect_code(1).expect_stderr("did you mean `winlib`?");
    ask(&project, &["why", "nothing-like-it"]).expect_code(1).expect_stderr("pinfold tree");
    ask(&project, &["tree", "--invert", "winlip"]).expect_code(1).expect_stderr("did you mean `winlib`?");
    ask(&project, &["tree", "--invert", "winlib", "--target", "linux-x86_64"]).expect_code(1).expect_stderr("winlib");
    ask(&project, &["tree", "--target", "linux"]).expect_code(2).expect_stderr("`linux-x86_64 python");
    ask(&project, &["why", "no name"]).expect_code(2).expect_stderr("no name");
    ask(&project, &["why"]).expect_code(2);
}

#[test]
fn what_a_lock_says_drives_no_terminal() {
    let project = locked();
    project.tamper(
        "application = [\n",
        "application = [\n    \"lib\\u001B[2J\\u202E\",\n    \"lib; os_name != '\\u202Ex'\",\n",
    );
    for arguments in [&["why", "lib"][..], &["tree"], &["tree", "--invert", "lib"]] {
        let run = ask(&project, arguments).expect_code(0);
        assert!(!run.stdout.contains(['\u{1b}', '\u{202e}']), "{run}");
    }
}

#[cfg(unix)]
#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let project = locked();
    for arguments in ["tree", "why lib", "diff pylock.toml pylock.toml", "export --format requirements"] {
        let script = format!("{{ \"$0\" {arguments}; echo $? >code; }} | true");
        project.home.pinfold("sh").args(["-c", &script, PINFOLD]).run().expect_code(0);
        assert_eq!(project.home.read("code"), "0\n", "{arguments}");
    }
}
