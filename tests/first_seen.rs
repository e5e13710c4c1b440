//! `upload-time = "first-seen"`: what an index without upload times adds after a lock does not get in by locking again.

use pinfold_testkit::{Index, PageFormats, Server};

use crate::project::Project;

const CUTOFF: &str = "exclude-newer = \"2024-08-20T00:00:00Z\"";

/// A default index that tells upload times, and another one, without, to which `torch` and its kin are routed.
struct Torn {
    project: Project,
    second: Server,
}

fn timeless(versions: &[&str]) -> Index {
    let begin =
        |index: Index, version: &&str| index.wheel("torch", version).requires("triton").wheel("triton", version);
    versions.iter().fold(Index::new(), begin).formats(PageFormats::Html)
}

impl Torn {
    fn new(second: Index, cutoff: &str) -> Self {
        let default = Index::new().wheel("app", "1.0").uploaded("2024-01-01T00:00:00Z").requires("torch");
        let default = default.wheel("app", "2.0").uploaded("2025-01-01T00:00:00Z").requires("torch");
        let torn = Self { project: Project::new(default, &["app"]), second: second.start() };
        torn.write(cutoff, "upload-time = \"first-seen\"");
        torn
    }

    fn write(&self, cutoff: &str, setting: &str) {
        let route = format!(
            "\n[[index]]\nname = \"second\"\nurl = \"{}\"\npackages = [\"torch\", \"triton\"]\n{setting}\n",
            self.second.url()
        );
        self.project.write_manifest(&["app"], cutoff, &route);
    }

    /// Locks, and returns the version of torch.
    #[track_caller]
    fn locked(&self, arguments: &[&str]) -> String {
        self.project.pinfold("lock").args(arguments).run().expect_code(0);
        let lock = self.project.home.read("pylock.toml");
        self.project.pinfold("lock").arg("--check").run().expect_code(0);
        let file = lock.split("torch-").nth(1).expect("torch is locked");
        file.split("-py3").next().unwrap_or_default().to_owned()
    }
}

#[test]
fn without_the_setting_such_files_do_not_exist_and_the_hint_names_it() {
    let torn = Torn::new(timeless(&["1.0"]), CUTOFF);
    torn.write(CUTOFF, "");
    let run = torn.project.pinfold("lock").run().expect_code(1);
    run.expect_stderr("exclude-newer").expect_stderr("upload-time = \"first-seen\"");
    torn.write(CUTOFF, "upload-time = \"first-seen\"");
    assert_eq!(torn.locked(&[]), "1.0");
}

#[test]
fn what_the_index_adds_after_a_lock_does_not_get_in_by_locking_again() {
    let torn = Torn::new(timeless(&["1.0"]), CUTOFF);
    let first = torn.project.pinfold("lock").run().expect_code(0);
    first.expect_stderr("first seen now").expect_stderr("`torch-1.0");
    let lock = torn.project.home.read("pylock.toml");
    let (standard, own) = lock.split_once("[tool.pinfold]").expect("the lock is ours");
    let (_, memory) = own.split_once("[tool.pinfold.first-seen]").expect("the lock remembers");
    assert!(memory.contains("\"torch-1.0-py3-none-any.whl\" = 20") && memory.contains("\"triton-1.0"), "{lock}");
    // Only what the index says is an upload time.
    assert_eq!(standard.matches("upload-time").count(), 1, "{lock}");
    torn.project.sync().expect_code(0);

    torn.second.update(&timeless(&["1.0", "1.1", "9.0"]));
    for arguments in [&[][..], &["--upgrade"], &["--upgrade-package", "torch"], &["--check"]] {
        torn.project.forget_cache();
        let run = torn.project.pinfold("lock").args(arguments).run().expect_code(0);
        assert!(!run.stderr.contains("first seen"), "{run}");
        assert_eq!(torn.project.home.read("pylock.toml"), lock, "{arguments:?}");
    }
    // Another requirement, and what is locked is still the choice.
    torn.project
        .home
        .write("pinfold.toml", torn.project.home.read("pinfold.toml").replace("[\"app\"]", "[\"app\", \"torch<9\"]"));
    assert_eq!(torn.locked(&[]), "1.0");
    torn.project.home.write("pinfold.toml", torn.project.home.read("pinfold.toml").replace("torch<9", "torch>=1.1"));
    let run = torn.project.pinfold("lock").run().expect_code(1);
    run.expect_stderr("torch").expect_stderr("exclude-newer");
}

#[test]
fn an_upgrade_that_moves_the_cutoff_looks_anew() {
    let torn = Torn::new(timeless(&["1.0"]), CUTOFF);
    assert_eq!(torn.locked(&[]), "1.0");
    let before = torn.project.home.read("pylock.toml");
    let moment = |lock: &str, file: &str| {
        let line = lock.lines().find(|line| line.starts_with(&format!("\"{file}-py3-none-any.whl\" = 20")));
        line.and_then(|line| line.split(" = ").nth(1)).map(str::to_owned)
    };
    torn.second.update(&timeless(&["1.0", "1.1"]));
    torn.write("exclude-newer = \"2024-09-20T00:00:00Z\"", "upload-time = \"first-seen\"");
    // A moved cutoff alone moves nothing.
    assert_eq!(torn.locked(&[]), "1.0");
    torn.write("exclude-newer = \"2024-10-20T00:00:00Z\"", "upload-time = \"first-seen\"");
    let run = torn.project.pinfold("lock").args(["--upgrade-package", "torch"]).run().expect_code(0);
    run.expect_stderr("`torch-1.1").expect_stderr("first seen now");
    let lock = torn.project.home.read("pylock.toml");
    assert!(lock.contains("torch-1.1-py3") && !lock.contains("triton-1.1"), "{lock}");
    assert_eq!(moment(&lock, "triton-1.0"), moment(&before, "triton-1.0"));
    torn.write("exclude-newer = \"2024-11-20T00:00:00Z\"", "upload-time = \"first-seen\"");
    assert_eq!(torn.locked(&["--upgrade"]), "1.1");
    let after = torn.project.home.read("pylock.toml");
    assert!(after.contains("triton-1.1-py3") && moment(&after, "triton-1.0").is_none(), "{after}");
    assert_eq!(moment(&after, "torch-1.1"), moment(&lock, "torch-1.1"));
}

#[test]
fn a_span_moves_with_an_upgrade() {
    let torn = Torn::new(timeless(&["1.0"]), "exclude-newer = \"7 days\"");
    assert_eq!(torn.locked(&[]), "1.0");
    let lock = torn.project.home.read("pylock.toml");
    torn.second.update(&timeless(&["1.0", "1.1"]));
    torn.project.forget_cache();
    assert_eq!(torn.locked(&[]), "1.0");
    assert_eq!(torn.project.home.read("pylock.toml"), lock);
    // As if the lock had been made last year.
    let line = lock.lines().find(|line| line.starts_with("exclude-newer = ")).expect("the lock has the moment");
    torn.project.tamper(line, "exclude-newer = 2025-06-01T00:00:00Z");
    assert_eq!(torn.locked(&["--upgrade"]), "1.1");
}

#[test]
fn a_memory_that_was_edited_is_noticed() {
    let torn = Torn::new(timeless(&["1.0", "1.1"]), CUTOFF);
    assert_eq!(torn.locked(&[]), "1.1");
    let lock = torn.project.home.read("pylock.toml");
    let (_, memory) = lock.split_once("[tool.pinfold.first-seen]\n").expect("the lock remembers");
    let lines: Vec<&str> = memory.lines().take(2).collect();
    // A file that is not locked has no place in it, and one that is locked has.
    let with_more = format!("{}\n{}", lines[0].replace("1.1", "9.9"), lines[0]);
    torn.project.tamper(lines[0], &with_more);
    torn.project.pinfold("lock").arg("--check").run().expect_code(1);
    torn.project.home.write("pylock.toml", &lock);
    torn.project.tamper(&format!("{}\n", lines[0]), "");
    torn.project.pinfold("lock").arg("--check").run().expect_code(1);
    torn.project.home.write("pylock.toml", &lock);
    torn.project.pinfold("lock").arg("--check").run().expect_code(0);
    // What is remembered may not vanish either.
    torn.second.update(&timeless(&["1.0"]));
    torn.project.pinfold("lock").arg("--check").run().expect_refusal("index-rollback");
}

#[test]
fn an_index_that_tells_a_time_is_believed() {
    let second = Index::new().wheel("torch", "1.0").wheel("torch", "2.0").uploaded("2026-01-01T00:00:00Z");
    let torn = Torn::new(second.wheel("triton", "1.0"), CUTOFF);
    assert_eq!(torn.locked(&[]), "1.0");
}

#[test]
fn a_recording_keeps_the_moment() {
    let torn = Torn::new(timeless(&["1.0"]), CUTOFF);
    torn.project.pinfold("lock").args(["--record", "recording"]).run().expect_code(0);
    let lock = torn.project.home.read("pylock.toml");
    std::fs::remove_file(torn.project.home.project().join("pylock.toml")).expect("there is a lock");
    torn.project.pinfold("lock").args(["--replay", "recording"]).run().expect_code(0);
    assert_eq!(torn.project.home.read("pylock.toml"), lock);
}
