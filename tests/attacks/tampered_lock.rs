//! Locks that were edited: what contradicts itself, pins nothing or belongs to another format is not used.

use pinfold_testkit::{Index, WheelRecipe, sha256_hex};

use super::{guarded, leaves, refuses_bytes, wheel};
use crate::project::Project;

fn locked() -> (Project, String) {
    let project = guarded(Index::new().wheel("a", "1.0"), &["a"]);
    let lock = project.lock();
    (project, lock)
}

/// Returns the lock's entry for `a`.
fn entry(lock: &str) -> &str {
    let at = lock.find("[[packages]]\nname = \"a\"").expect("the lock has `a`");
    let end = lock[at + 1..].find("\n[").map_or(lock.len(), |end| at + 1 + end);
    // The wheel may have a table of its own; what follows up to the next entry belongs to it.
    let next = lock[at + 1..].find("[[packages]]").or_else(|| lock[at + 1..].find("[tool")).map(|next| at + 1 + next);
    &lock[at..next.unwrap_or(end)]
}

const STORE: [&str; 3] = ["artifacts", "trees", "partial"];

#[test]
fn two_entries_for_one_package() {
    let (project, lock) = locked();
    let twice = lock.replace(entry(&lock), &format!("{0}{0}", entry(&lock)));
    assert_ne!(twice, lock);
    project.home.write("pylock.toml", twice);
    leaves(&project, "sync", 2, &STORE, &["`a`"]);
    project.home.write("pylock.toml", lock);
    project.sync().expect_code(0);
}

#[test]
fn files_that_no_sha256_pins() {
    let (project, lock) = locked();
    let digest = sha256_hex(&project.server.file_bytes(&wheel("a", "1.0")));
    let line = lock.lines().find(|line| line.contains(&digest)).expect("the lock has its digest");
    let hash = format!("sha256 = \"{digest}\"");
    assert!(line.contains(&hash), "{line}");
    for weak in ["", "md5 = \"d41d8cd98f00b204e9800998ecf8427e\"", "sha256 = \"abc\"", "sha256 = \"\""] {
        project.home.write("pylock.toml", lock.replace(&hash, weak));
        let code = if weak.starts_with("sha256") { 2 } else { 3 };
        let run = leaves(&project, "sync", code, &STORE, &["error"]);
        if code == 3 {
            run.expect_refusal("weak-hash");
        }
    }
    project.home.write("pylock.toml", lock);
    project.sync().expect_code(0);
}

#[test]
fn locks_of_another_format() {
    let (project, lock) = locked();
    project.home.write("pylock.toml", lock.replace("lock-version = \"1.0\"", "lock-version = \"2.0\""));
    leaves(&project, "sync", 2, &STORE, &["2.0"]);
    let later = lock.replace("lock-version = \"1.0\"", "lock-version = \"1.1\"\nsomething-new = true");
    project.home.write("pylock.toml", later);
    project.sync().expect_code(0).expect_stderr("warning").expect_stderr("something-new");
    let unknown = lock.replace("lock-version = \"1.0\"", "lock-version = \"1.0\"\nsomething-new = true");
    project.home.write("pylock.toml", unknown);
    project.sync().expect_code(0).expect_stderr("warning").expect_stderr("something-new");
    project.home.write("pylock.toml", lock);
    project.sync().expect_code(0);
}

#[test]
fn a_lock_without_packages_removes_nothing() {
    let (project, lock) = locked();
    project.home.write("pylock.toml", "lock-version = \"1.0\"\ncreated-by = \"pinfold\"\n");
    leaves(&project, "sync", 2, &STORE, &["packages"]);
    project.home.write("pylock.toml", "");
    leaves(&project, "sync", 2, &STORE, &["lock-version"]);
    project.home.write("pylock.toml", lock);
    project.sync().expect_code(0);
}

#[test]
fn paths_instead_of_urls() {
    let (project, lock) = locked();
    let url = format!("url = \"{}\"", project.server.file_url(&wheel("a", "1.0")));
    assert!(lock.contains(&url), "{lock}");
    for path in ["../a-1.0-py3-none-any.whl", "/a-1.0-py3-none-any.whl", "a-1.0-py3-none-any.whl"] {
        project.home.write("pylock.toml", lock.replace(&url, &format!("path = \"{path}\"")));
        refuses_bytes(&project, "sync", "local-path", &[path]);
    }
    project.home.write("pylock.toml", lock.replace(&url, "url = \"file:///a-1.0-py3-none-any.whl\""));
    refuses_bytes(&project, "sync", "local-path", &["file:///"]);
    project.home.write("pylock.toml", lock);
    project.sync().expect_code(0);
}

#[test]
fn a_file_of_another_project_in_an_entry() {
    let (project, lock) = locked();
    let file = wheel("a", "1.0");
    project.home.write("pylock.toml", lock.replace(&file, &wheel("b", "1.0")));
    refuses_bytes(&project, "sync", "foreign-file", &[&wheel("b", "1.0")]);
    project.home.write("pylock.toml", lock);
    project.sync().expect_code(0);
}

#[test]
fn locks_without_bounds() {
    let (project, lock) = locked();
    let many =
        format!("lock-version = \"1.0\"\ncreated-by = \"x\"\n{}", "[[packages]]\nname = \"a\"\n".repeat(200_000));
    let deep = format!(
        "lock-version = \"1.0\"\ncreated-by = \"x\"\npackages = {}{}\n",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    let long = format!("# {}\n{lock}", "x".repeat(65 << 20));
    for hostile in [many, deep, long] {
        project.home.write("pylock.toml", hostile);
        leaves(&project, "sync", 2, &[], &["error"]);
    }
    project.home.write("pylock.toml", lock);
    project.sync().expect_code(0);
}

#[test]
fn consistent_edits_are_found_by_locking_again() {
    let (project, lock) = locked();
    project.pinfold("lock").arg("--check").run().expect_code(0);
    let file = wheel("a", "1.0");
    let digest = sha256_hex(&project.server.file_bytes(&file));
    for (from, to) in [
        (digest.as_str(), super::other_digit(&digest)),
        (
            "name = \"a\"\nversion = \"1.0\"",
            "name = \"a\"\nversion = \"1.0\"\nmarker = \"python_version < '3'\"".to_owned(),
        ),
    ] {
        assert!(lock.contains(from), "{lock}");
        project.home.write("pylock.toml", lock.replace(from, &to));
        let run = project.pinfold("lock").arg("--check").run();
        assert!(matches!(run.code, 1 | 3), "{run}");
    }
}

#[test]
fn a_hash_and_a_url_that_fit_each_other() {
    let (project, lock) = locked();
    let file = wheel("a", "1.0");
    let evil = Index::new().wheel_from(WheelRecipe::new("a", "1.0").file("a/evil.py", "x = 1\n")).start();
    let (honest_bytes, evil_bytes) = (project.server.file_bytes(&file), evil.file_bytes(&file));
    let bytes = lock
        .replace(&sha256_hex(&honest_bytes), &sha256_hex(&evil_bytes))
        .replace(&format!("size = {}", honest_bytes.len()), &format!("size = {}", evil_bytes.len()));
    assert_ne!(bytes, lock);
    // The file alone: its URL is not of the entry's index. Nobody asks there.
    project.home.write("pylock.toml", bytes.replace(&project.server.file_url(&file), &evil.file_url(&file)));
    refuses_bytes(&project, "sync", "origin-mismatch", &[&evil.host()]);
    let run = project.pinfold("lock").arg("--check").run();
    assert!(matches!(run.code, 1 | 3), "{run}");
    // The index with it, and every list of what is allowed: only who locks again can see that.
    project.home.write("pylock.toml", bytes.replace(&project.server.host(), &evil.host()));
    let run = project.pinfold("lock").arg("--check").run();
    assert!(matches!(run.code, 1 | 3), "{run}");
    assert!(evil.requests().is_empty(), "{:?}", evil.requests());
    project.home.write("pylock.toml", lock);
    project.pinfold("lock").arg("--check").run().expect_code(0);
    project.sync().expect_code(0);
}

#[cfg(unix)]
#[test]
fn a_lock_behind_a_link_is_read_once_and_told_by_its_digest() {
    let (project, lock) = locked();
    let (place, digest) = (project.home.project(), sha256_hex(lock.as_bytes()));
    project.home.write("elsewhere.toml", &lock);
    std::os::unix::fs::symlink("elsewhere.toml", place.join("linked.toml")).expect("can make a link");
    project.pinfold("sync").args(["--lock", "linked.toml"]).run().expect_code(0);
    // What the environment is of is the text that was read, not the name.
    project.home.write("elsewhere.toml", format!("# changed\n{lock}"));
    project.pinfold("history").run().expect_code(0).expect_stdout(&digest[..12]);
    assert!(project.home.read(".venv/.pinfold/receipt.json").contains(&digest));
    let verified = project.pinfold("verify").args(["--lock", "linked.toml"]).run().expect_code(1);
    verified.expect_stdout("lock-changed");
    project.pinfold("verify").run().expect_code(0);
}

#[test]
fn without_our_table_the_same_files_are_installed() {
    let (project, lock) = locked();
    let (standard, _) = lock.split_once("[tool.pinfold]").expect("the lock has our table");
    project.home.write("pylock.toml", standard);
    project.sync().expect_code(0);
    assert_eq!(project.python("import a; print(a.__version__)"), "1.0\n");
    // What the table no longer allows is refused as if it had never been allowed.
    let other = Index::new().wheel("a", "1.0").start();
    project.home.write("pylock.toml", standard.replace(&project.server.host(), &other.host()));
    project.forget_cache();
    let run = project.pinfold("sync").args(["--venv", "second"]).run();
    assert!(run.code != 0 && !project.home.has("second"), "{run}");
}
