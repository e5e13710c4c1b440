//! The right bytes from the wrong place: another host in the lock, another index in the store, a host that is not listed.

use pinfold_testkit::{Index, TempHome};

use super::{guarded, refuses, refuses_bytes, want, wheel};
use crate::project::{PINFOLD, Project};

#[test]
fn the_same_bytes_by_another_host_in_the_lock() {
    let file = wheel("a", "1.0");
    let other = Index::new().wheel("a", "1.0").start();
    let project = guarded(Index::new().wheel("a", "1.0"), &["a"]);
    let lock = project.lock();
    assert_eq!(other.file_bytes(&file), project.server.file_bytes(&file));
    project.tamper(&project.server.file_url(&file), &other.file_url(&file));
    project.server.forget_requests();
    let parts = [&file, &other.host(), &project.server.url(), "allowed: "];
    refuses_bytes(&project, "sync", "origin-mismatch", &parts);
    assert!(other.requests().is_empty() && project.server.requests().is_empty(), "somebody was asked");

    project.home.write("pylock.toml", lock);
    project.sync().expect_code(0);
}

#[test]
fn an_index_in_the_lock_that_is_not_listed() {
    let other = Index::new().wheel("a", "1.0").start();
    let project = guarded(Index::new().wheel("a", "1.0"), &["a"]);
    let lock = project.lock();
    // The entry moves to another index as a whole; the lock's own list does not have it.
    let entry = lock.find("[[packages]]").expect("the lock has packages");
    let (head, tail) = lock.split_at(lock.find("[tool.pinfold]").expect("the lock has our table"));
    let (before, packages) = head.split_at(entry);
    let packages = packages.replace(&project.server.host(), &other.host());
    project.home.write("pylock.toml", format!("{before}{packages}{tail}"));
    refuses_bytes(&project, "sync", "origin-mismatch", &[&other.url(), &project.server.url()]);
    assert!(other.requests().is_empty(), "the other index was asked");
    project.home.write("pylock.toml", lock);
    project.sync().expect_code(0);
}

#[test]
fn what_the_store_has_from_another_index_is_not_taken() {
    let file = wheel("a", "1.0");
    let project = guarded(Index::new().wheel("a", "1.0"), &["a"]);
    project.installed();
    let other = Index::new().wheel("base", "1.0").wheel("a", "1.0").start();
    let manifest = project.home.read("pinfold.toml");
    project.home.write("pinfold.toml", manifest.replace(&project.server.url(), &other.url()));
    project.pinfold("lock").run().expect_code(0);
    let offline = || project.pinfold("sync").args(["--venv", "second", "--offline"]).run();
    offline().expect_code(4);
    assert!(!project.home.has("second"));
    other.forget_requests();
    project.pinfold("sync").args(["--venv", "second"]).run().expect_code(0);
    assert_eq!(other.requests_to(&file).len(), 1, "the second index was not asked for its own file");
    // Now that it has served the bytes itself, they are its own.
    std::fs::remove_dir_all(project.home.project().join("second")).expect("can remove an environment");
    offline().expect_code(0);
}

#[test]
fn files_on_a_host_that_is_not_listed() {
    let project = guarded(Index::new().wheel("a", "1.0").files_elsewhere(), &["a"]);
    let file_host = format!("http://{}", project.server.file_host());
    want(&project, &["a"], "file-hosts = [\"https://files.example\"]");
    project.server.forget_requests();
    let parts = [&project.server.file_host(), &project.server.url(), "files.example"];
    refuses(&project, "lock", "origin-mismatch", &parts);
    assert!(project.server.requests_to("/files/").is_empty(), "the host was asked");
    // An empty list is a decision too: the index's own host and no other.
    want(&project, &["a"], "file-hosts = []");
    refuses(&project, "lock", "origin-mismatch", &parts[..2]);
    assert!(project.server.requests_to("/files/").is_empty(), "the host was asked");

    want(&project, &["a"], &format!("file-hosts = [{file_host:?}]"));
    project.installed();
    assert!(project.home.read("pylock.toml").contains(&file_host));
}

#[test]
fn a_host_that_the_first_lock_did_not_record() {
    let index = Index::new().wheel("base", "1.0").wheel("a", "1.0");
    let project = guarded(index.clone(), &["a"]);
    project.lock();
    let other = Index::new().wheel("a", "2.0").start();
    project.server.update(&index.clone().wheel("a", "2.0").link(&other.file_url(&wheel("a", "2.0"))));
    let before = project.home.read("pylock.toml");
    let refused = project.pinfold("lock").arg("--upgrade").run().expect_refusal("origin-mismatch");
    refused.expect_stderr(&wheel("a", "2.0")).expect_stderr(&other.host()).expect_stderr(&project.server.url());
    assert_eq!(project.home.read("pylock.toml"), before);
    assert!(other.requests().is_empty(), "the new host was asked");

    project.server.update(&index.wheel("a", "2.0"));
    project.pinfold("lock").arg("--upgrade").run().expect_code(0);
    project.sync().expect_code(0);
}

#[test]
fn an_index_over_http_on_another_machine() {
    let home = TempHome::new();
    home.write("requirements.txt", "a\n");
    let lock = |url: &str| {
        let run = home.pinfold(PINFOLD).args(["lock", "-r", "requirements.txt", "--python-version", "3.10"]);
        run.args(["--index-url", url]).run()
    };
    lock("http://packages.example/simple/").expect_code(2).expect_stderr("without TLS");
    assert!(!home.has("pylock.toml"));
    let server = Index::new().wheel("a", "1.0").start();
    lock(&server.url()).expect_code(0);
}

#[test]
fn a_file_over_http_on_another_machine_in_the_lock() {
    let file = wheel("a", "1.0");
    let project = guarded(Index::new().wheel("a", "1.0"), &["a"]);
    let lock = project.lock();
    project.tamper(&project.server.file_url(&file), &format!("http://packages.example/{file}"));
    refuses_bytes(&project, "sync", "insecure-url", &[&file, "http://packages.example/"]);
    project.home.write("pylock.toml", lock);
    project.sync().expect_code(0);
}

#[test]
fn another_index_with_the_same_project_does_not_answer_from_the_cache() {
    let project = Project::new(Index::new().wheel("a", "1.0"), &["a"]);
    project.lock();
    let other = Index::new().wheel("a", "2.0").start();
    let manifest = project.home.read("pinfold.toml");
    project.home.write("pinfold.toml", manifest.replace(&project.server.url(), &other.url()));
    std::fs::remove_file(project.home.project().join("pylock.toml")).expect("can remove the lock");
    assert!(project.lock().contains(&other.file_url(&wheel("a", "2.0"))));
}

#[test]
fn a_host_that_somebody_added_to_the_lock_is_noticed() {
    let project = guarded(Index::new().wheel("a", "1.0").files_elsewhere(), &["a"]);
    let lock = project.lock();
    let host = format!("    \"http://{}\",\n", project.server.file_host());
    assert!(lock.contains(&host), "{lock}");
    project.tamper(&host, &format!("    \"https://evil.example\",\n{host}"));
    project.pinfold("lock").arg("--check").run().expect_code(1).expect_stdout("evil.example");
    project.home.write("pylock.toml", &lock);
    project.pinfold("lock").arg("--check").run().expect_code(0);
}
