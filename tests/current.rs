//! A lock that is current is found to be current quickly, and never when it is not.

use std::path::PathBuf;

use pinfold_testkit::Index;

use crate::project::Project;

const CUTOFF: &str = "exclude-newer = \"2024-05-01T00:00:00Z\"";

fn index() -> Index {
    let index = Index::new().wheel("a", "1.0").uploaded("2024-01-01T00:00:00Z").requires("old");
    let index = index.wheel("a", "2.0").uploaded("2024-06-01T00:00:00Z");
    index.wheel("old", "1.0").uploaded("2024-01-01T00:00:00Z").project("old").status("archived", Some("gone fishing"))
}

/// Returns the files directly below a directory of the cache whose names begin so.
fn cached(project: &Project, directory: &str, beginning: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(project.home.cache().join(directory)) else { return Vec::new() };
    let paths = entries.flatten().map(|entry| entry.path());
    paths.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(beginning))).collect()
}

/// Locks, which must succeed and repeat the warning, and returns what was written and how many requests it took.
#[track_caller]
fn lock_again(project: &Project) -> (String, usize) {
    project.server.forget_requests();
    project.pinfold("lock").run().expect_code(0).expect_stderr("gone fishing");
    (project.home.read("pylock.toml"), project.server.requests().len())
}

/// A project whose lock was found current once.
fn current() -> (Project, String) {
    let project = Project::with(index(), &["a"], CUTOFF, "");
    let (lock, _) = lock_again(&project);
    assert!(cached(&project, "unchanged", "").is_empty(), "nothing is known before the lock was derived from a lock");
    assert_eq!(lock_again(&project), (lock.clone(), 0));
    assert_eq!(cached(&project, "unchanged", "").len(), 1);
    assert_eq!(lock_again(&project), (lock.clone(), 0));
    (project, lock)
}

#[test]
fn a_current_lock_stays_and_is_still_checked_against_the_index() {
    let (project, lock) = current();
    project.pinfold("lock").arg("--check").run().expect_code(0);
    // The index takes a locked file away: a check notices, whatever was known before.
    project.server.update(&Index::new().wheel("old", "1.0").uploaded("2024-01-01T00:00:00Z").project("a"));
    project.pinfold("lock").arg("--check").run().expect_refusal("index-rollback");
    // From then on this machine knows it, and says so without being asked to check.
    project.pinfold("lock").run().expect_refusal("index-rollback");
    assert_eq!(project.home.read("pylock.toml"), lock);
}

#[test]
fn whatever_changes_the_lock_is_noticed() {
    let (project, lock) = current();
    project.write_manifest(&["a", "old<1"], CUTOFF, "");
    project.pinfold("lock").run().expect_code(1);
    project.write_manifest(&["a"], "exclude-newer = \"2024-07-01T00:00:00Z\"", "");
    project.pinfold("lock").arg("--upgrade").run().expect_code(0).expect_stdout("a 1.0 -> 2.0");
    project.write_manifest(&["a"], CUTOFF, "");
    project.pinfold("lock").arg("--upgrade").run().expect_code(0);
    assert_eq!(project.home.read("pylock.toml"), lock);
    project.pinfold("lock").args(["--target", "windows-x86_64"]).run().expect_code(0);
    assert_ne!(project.home.read("pylock.toml"), lock);
    project.home.write("pylock.toml", lock.replace("# ", "#  ").replacen("\n", "\n\n", 1));
    assert_eq!(lock_again(&project).0, lock, "a lock that was edited by hand is written as locking gives it");
}

#[test]
fn a_damaged_cache_changes_nothing() {
    for (directory, beginning) in [("unchanged", ""), ("pages", "pack-")] {
        for damage in ["shorter", "longer", "empty"] {
            let (project, lock) = current();
            let [path] = cached(&project, directory, beginning).try_into().expect("there is one such file");
            let bytes = std::fs::read(&path).expect("can be read");
            let damaged = match damage {
                "shorter" => bytes[..bytes.len() / 2].to_vec(),
                "longer" => [&bytes[..], b"x"].concat(),
                _ => Vec::new(),
            };
            std::fs::write(&path, damaged).expect("can be written");
            assert_eq!(lock_again(&project).0, lock);
            assert_eq!(lock_again(&project), (lock, 0));
        }
    }
}
