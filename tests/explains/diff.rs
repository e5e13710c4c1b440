//! What changed between two locks, for whoever reviews the change.

use pinfold_testkit::Index;

use super::{ask, json};
use crate::project::Project;

/// Two locks: `old.toml` and `new.toml`.
fn two() -> Project {
    let old = Index::new().wheel("a", "1.0").requires("colorama").wheel("colorama", "0.4").wheel("same", "1.0");
    let project = Project::new(old, &["a", "same"]);
    project.home.write("old.toml", project.lock());
    let new = Index::new().wheel("a", "1!0.1").requires("colourama").wheel("colourama", "0.4").wheel("same", "1.0");
    project.server.update(&new);
    project.forget_cache();
    project.pinfold("lock").arg("--upgrade").args(["-o", "new.toml"]).run().expect_code(0);
    project
}

#[test]
fn a_diff_names_what_is_rarely_done_in_good_faith_first() {
    let project = two();
    let diff = ask(&project, &["diff", "old.toml", "new.toml"]).expect_code(1);
    for part in [
        "~ a 1.0 -> 1!0.1\n    ! epoch jump: 1.0 -> 1!0.1\n",
        "+ colourama 0.4\n    ! resembles a popular name: + colorama (one letter differs",
        "- colorama 0.4\n",
    ] {
        assert!(diff.stdout.contains(part), "{part}: {diff}");
    }
    assert!(!diff.stdout.contains("same 1.0"), "{diff}");
    assert!(diff.stderr.contains("1 added, 1 removed, 1 changed"), "{diff}");
    assert!(diff.stdout.find("\n- colorama") > diff.stdout.find("\n+ colourama"), "{diff}");
    let found = json(&ask(&project, &["diff", "old.toml", "new.toml", "--format", "json"]).expect_code(1));
    assert_eq!((&found["differs"], &found["weight"]), (&true.into(), &"alarm".into()));
    assert_eq!(found["packages"][0]["name"], "a");
    assert_eq!(found["packages"][0]["changes"][0]["kind"], "epoch");
    let table = ask(&project, &["diff", "old.toml", "new.toml", "--format", "markdown"]).expect_code(1);
    table.expect_stdout("| **alarm** | `a` | `1.0` → `1!0.1` | **!** epoch jump: `1.0` -> `1!0.1`");
}

#[test]
fn equal_locks_and_unreadable_ones() {
    let project = two();
    ask(&project, &["diff", "old.toml", "old.toml"]).expect_code(0).expect_stderr("0 added, 0 removed, 0 changed");
    let same = json(&ask(&project, &["diff", "new.toml", "new.toml", "--format", "json"]).expect_code(0));
    assert_eq!((&same["differs"], &same["packages"]), (&false.into(), &serde_json::json!([])));
    ask(&project, &["diff", "old.toml", "nowhere.toml"]).expect_code(2).expect_stderr("nowhere.toml");
    ask(&project, &["diff", "pinfold.toml", "old.toml"]).expect_code(2).expect_stderr("pinfold.toml");
    ask(&project, &["diff", "old.toml"]).expect_code(2);
    // Nothing stands on standard input here, which is no lock.
    ask(&project, &["diff", "-", "old.toml"]).expect_code(2).expect_stderr("lock: -");
    // Standard input is there only once.
    ask(&project, &["diff", "-", "-"]).expect_code(2).expect_stderr("can be one of the two locks, and not both");
    #[cfg(unix)]
    {
        let script = "\"$0\" diff - new.toml <old.toml";
        let piped = project.home.pinfold("sh").args(["-c", script, crate::project::PINFOLD]).run().expect_code(1);
        assert_eq!(piped.stdout, ask(&project, &["diff", "old.toml", "new.toml"]).stdout);
    }
}

#[test]
fn a_replaced_file_another_index_and_a_bigger_file_are_seen() {
    let project = two();
    let lock = project.home.read("old.toml");
    let url = project.server.url();
    let digest = lock.split("sha256 = \"").nth(1).and_then(|rest| rest.split('"').next()).expect("a digest").to_owned();
    let other = format!("{}{}", "0".repeat(8), &digest[8..]);
    project.home.write("replaced.toml", lock.replace(&digest, &other));
    let diff = ask(&project, &["diff", "old.toml", "replaced.toml"]).expect_code(1);
    diff.expect_stdout(&format!(
        "! other bytes under the same name a-1.0-py3-none-any.whl: {} -> 00000000",
        &digest[..12]
    ));
    project
        .home
        .write("moved.toml", lock.replace(&format!("index = \"{url}\""), "index = \"https://evil.example/simple/\""));
    let diff = ask(&project, &["diff", "old.toml", "moved.toml"]).expect_code(1);
    diff.expect_stdout(&format!("! origin: {url} -> https://evil.example/simple/"));
}
