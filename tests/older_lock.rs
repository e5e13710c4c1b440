//! A lock that is older than what is installed brings back what was mended since; and a lock is read once.

use std::fs;

use pinfold_testkit::Index;

use crate::project::Project;

fn versions() -> Index {
    Index::new()
        .wheel("a", "1.0")
        .uploaded("2024-01-01T00:00:00Z")
        .wheel("a", "2.0")
        .uploaded("2024-06-01T00:00:00Z")
        .wheel("b", "1.0")
        .uploaded("2024-07-01T00:00:00Z")
}

fn lock(project: &Project, dependencies: &[&str], cutoff: &str) {
    project.write_manifest(dependencies, cutoff, "");
    project.lock();
}

#[test]
fn an_older_cutoff_is_warned_of_with_both_dates() {
    let project = Project::new(versions(), &["a"]);
    lock(&project, &["a"], "exclude-newer = \"2024-08-20T00:00:00Z\"");
    project.sync().expect_code(0);
    fs::remove_file(project.home.project().join("pylock.toml")).unwrap();
    lock(&project, &["a"], "exclude-newer = \"2024-03-01T00:00:00Z\"");
    for arguments in [&["--dry-run"][..], &[]] {
        let older = project.pinfold("sync").args(arguments).run().expect_code(0);
        let older = older.expect_stderr("warning: `pylock.toml` is older than what is installed");
        older
            .expect_stderr("2024-03-01T00:00:00Z")
            .expect_stderr("2024-08-20T00:00:00Z")
            .expect_stderr("pinfold rollback");
    }
    // Once it is installed, it is what there is; and a newer one is no surprise.
    for cutoff in ["2024-03-01T00:00:00Z", "2024-08-20T00:00:00Z"] {
        lock(&project, &["a"], &format!("exclude-newer = \"{cutoff}\""));
        let run = project.sync().expect_code(0);
        assert!(!run.stderr.contains("older"), "{run}");
    }
}

#[test]
fn without_a_cutoff_the_newest_file_tells_where_a_package_goes_back() {
    let project = Project::new(versions(), &["a==2.0", "b"]);
    project.installed();
    // A package that goes makes the newest file older, and is no way back.
    lock(&project, &["a==2.0"], "");
    let run = project.sync().expect_code(0);
    assert!(!run.stderr.contains("older"), "{run}");
    lock(&project, &["a==1.0"], "");
    project.sync().expect_code(0).expect_stderr("files up to 2024-01-01").expect_stderr("files up to 2024-06-01");
}

#[test]
fn rollback_is_the_way_back_without_a_warning() {
    let project = Project::new(versions(), &["a==1.0"]);
    project.installed();
    lock(&project, &["a==2.0"], "");
    project.sync().expect_code(0);
    let back = project.pinfold("rollback").run().expect_code(0);
    assert!(!back.stderr.contains("warning"), "{back}");
}

/// The lock is a link, and leads elsewhere before the first file arrives: what was read first is what is installed, and its
/// digest is in the history.
#[cfg(unix)]
#[test]
fn a_lock_that_is_replaced_meanwhile_is_read_once() {
    let project = Project::new(versions(), &["a==2.0"]);
    let root = project.home.project();
    for (version, name) in [("1.0", "one.toml"), ("2.0", "two.toml")] {
        lock(&project, &[&format!("a=={version}")], "");
        fs::rename(root.join("pylock.toml"), root.join(name)).unwrap();
    }
    let digest = |name: &str| pinfold_testkit::sha256_hex(&fs::read(root.join(name)).unwrap());
    let link = |name: &str| {
        let (new, lock) = (root.join("new-link"), root.join("pylock.toml"));
        std::os::unix::fs::symlink(name, &new).unwrap();
        fs::rename(new, lock).unwrap();
    };
    link("one.toml");
    project.forget_cache();
    project.server.forget_requests();
    let file = "a-1.0-py3-none-any.whl";
    project.server.fault_on(&format!("/files/{file}"), pinfold_testkit::Fault::Delay(200));
    let run = project.pinfold("sync").spawn();
    while project.server.requests_to(".whl").is_empty() && !run.has_ended() {
        std::thread::yield_now();
    }
    link("two.toml");
    run.finish().expect_code(0);
    assert_eq!(project.python("import importlib.metadata as m; print(m.version('a'))"), "1.0\n");
    let history = project.pinfold("history").args(["--format", "json"]).run().expect_code(0);
    assert!(history.stdout.contains(&digest("one.toml")) && !history.stdout.contains(&digest("two.toml")), "{history}");
    project.pinfold("verify").run().expect_code(1).expect_stdout("lock-changed");
    project.sync().expect_code(0).expect_stderr("~ a 1.0 -> 2.0");
}
