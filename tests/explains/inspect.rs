//! `lock --inspect` says while locking what `sync` would refuse later, and how it would be allowed.

use pinfold_testkit::{Fault, Index, WheelRecipe};

use super::{TARGETS, json};
use crate::project::Project;

fn hook() -> WheelRecipe {
    WheelRecipe::new("hook", "1.0").file("hook.pth", "import hook\n").file("hook.py", "")
}

#[test]
fn an_inspection_gives_the_entry_that_allows_what_sync_would_refuse() {
    let project = Project::with(Index::new().wheel_from(hook()).wheel("plain", "1.0"), &["hook", "plain"], "", "");
    let run =
        project.pinfold("lock").arg("--inspect").run().expect_code(1).expect_stderr("2 wheels inspected, 1 finding\n");
    assert!(run.stdout.starts_with("executable-pth: hook: `hook.pth` takes effect"), "{run}");
    let (_, entry) = run.stdout.split_once("\n\n").expect("an entry stands after an empty line");
    assert!(
        entry.starts_with("[[accept]]\ncode = \"executable-pth\"\npackage = \"hook\"\npath = \"hook.pth\"\n"),
        "{run}"
    );
    // It is what sync would refuse, and nothing else.
    project.sync().expect_refusal("executable-pth");
    let report = json(&project.pinfold("lock").args(["--inspect", "--check", "--format", "json"]).run().expect_code(1));
    assert_eq!((&report["differs"], &report["findings"][0]["path"]), (&false.into(), &"hook.pth".into()));
    // The entry, as it is, allows it.
    let manifest = project.home.read("pinfold.toml");
    project.home.write("pinfold.toml", format!("{manifest}\n{}", entry.replace('…', "read it")));
    let run =
        project.pinfold("lock").arg("--inspect").run().expect_code(0).expect_stderr("2 wheels inspected, 0 findings");
    assert_eq!(run.stdout, "");
    project.sync().expect_code(0);
}

#[test]
fn hostile_archives_and_clashes_are_found_for_every_target() {
    let clash = |name: &str, contents: &str| WheelRecipe::new(name, "1.0").file("shared/data.py", contents);
    let lying = WheelRecipe::new("lying", "1.0").record_replace("lying/__init__.py", "sha256=AAAA", "1");
    let index = Index::new().wheel_from(clash("one", "1")).wheel_from(clash("two", "2")).wheel_from(clash("same", "1"));
    let index = index.wheel_from(lying).sdist("source", "1.0");
    let project = Project::with(index, &["one", "two", "same", "lying"], TARGETS, "");
    let run = project.pinfold("lock").arg("--inspect").run().expect_code(1);
    assert!(run.stdout.contains("file-conflict: two: `"), "{run}");
    assert!(
        run.stdout.contains("brings `shared/data.py` with other bytes; leave one of them out with `exclude`"),
        "{run}"
    );
    assert!(run.stdout.contains("record-mismatch: lying: `lying/__init__.py` is not what RECORD says"), "{run}");
    // Only what may be accepted has an entry.
    assert_eq!(run.stdout.matches("[[accept]]").count(), 1, "{run}");
    assert!(project.home.has("pylock.toml"), "the lock itself is in order");
    project.write_manifest(&["one", "same"], TARGETS, "");
    project.pinfold("lock").arg("--inspect").run().expect_code(0).expect_stderr("2 wheels inspected, 0 findings");
}

#[test]
fn bytes_that_are_not_the_locked_ones_are_no_finding_but_a_refusal() {
    let project = Project::new(Index::new().sidecars().wheel("a", "1.0").fault(Fault::WrongBytes), &["a"]);
    project.pinfold("lock").arg("--inspect").run().expect_refusal("hash-mismatch");
    let offline = Project::new(Index::new().wheel("a", "1.0"), &["a"]);
    offline.lock();
    offline.pinfold("lock").args(["--inspect", "--offline"]).run().expect_code(4).expect_stderr("--offline");
}
