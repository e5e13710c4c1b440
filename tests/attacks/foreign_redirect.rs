//! A redirect that leaves the locked hosts is refused, right bytes or not; one that stays is followed.

use pinfold_testkit::{Fault, Index};

use super::{guarded, refuses, refuses_bytes, want, wheel};

#[test]
fn a_file_that_redirects_to_another_host() {
    let file = wheel("a", "1.0");
    let other = Index::new().wheel("a", "1.0").start();
    let index = Index::new().wheel("a", "1.0");
    let bytes = other.file_bytes(&file);
    let project = guarded(index.file("copies", "copies-1.0-py3-none-any.whl", &bytes), &["a"]);
    project.lock();
    let path = format!("/files/{file}");
    project.server.fault_on(&path, Fault::RedirectTo(other.file_url(&file)));
    let parts = [&project.server.file_url(&file), &other.host(), &project.server.host()];
    refuses_bytes(&project, "sync", "foreign-redirect", &parts.map(String::as_str));
    assert!(other.requests().is_empty(), "the other host was asked");

    project.server.heal();
    let near = project.server.file_url("copies-1.0-py3-none-any.whl");
    project.server.fault_on(&path, Fault::RedirectTo(near));
    project.sync().expect_code(0);
    assert_eq!(project.python("import a; print(a.__version__)"), "1.0\n");
}

#[test]
fn a_file_that_redirects_to_a_listed_host() {
    let file = wheel("a", "1.0");
    let other = Index::new().wheel("a", "1.0").start();
    let project = guarded(Index::new().wheel("a", "1.0"), &["a"]);
    want(&project, &["a"], &format!("file-hosts = [\"http://{}\"]", other.host()));
    project.lock();
    project.server.fault_on(&format!("/files/{file}"), Fault::RedirectTo(other.file_url(&file)));
    project.sync().expect_code(0);
    assert_eq!(other.requests_to(&file).len(), 1);
}

#[test]
fn a_page_that_redirects_to_another_host() {
    let other = Index::new().wheel("a", "1.0").start();
    let project = guarded(Index::new().wheel("a", "1.0").project("far").project("a"), &["a"]);
    project.server.fault_on("/simple/a/", Fault::RedirectTo(other.page_url("a")));
    refuses(&project, "lock", "foreign-redirect", &[&project.server.page_url("a"), &other.host()]);
    assert!(other.requests().is_empty(), "the other host was asked");

    project.server.heal();
    project.installed();
}

#[test]
fn redirects_without_end() {
    let project = guarded(Index::new().wheel("a", "1.0"), &["a"]);
    project.lock();
    let (path, url) = (format!("/files/{}", wheel("a", "1.0")), project.server.file_url(&wheel("a", "1.0")));
    project.server.fault_on(&path, Fault::RedirectTo(url));
    super::leaves(&project, "sync", 4, &["artifacts", "partial", "trees"], &[&wheel("a", "1.0")]);
    project.server.heal();
    project.sync().expect_code(0);
}
