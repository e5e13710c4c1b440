//! Locks that contradict themselves are not used.

use std::sync::Arc;

use crate::fixture::{INDEX, resolution, resolved, settings, target};
use crate::{DirectorySource, Lock, Resolution, TreeSource, VcsSource, merge};

fn lock() -> Lock {
    merge(&[resolution(target("linux-x86_64 3.10"), &["a-1-py3-none-any.whl"])], settings()).unwrap()
}

/// Changes a good lock and expects the code of the refusal.
fn check(change: impl FnOnce(&mut Lock), expected: Option<&str>) {
    let mut lock = lock();
    change(&mut lock);
    assert_eq!(lock.validate().err().and_then(|error| error.refusal_code()), expected);
}

fn url_is(url: &str) -> impl FnOnce(&mut Lock) {
    move |lock| lock.packages[0].wheels[0].url = url.parse().unwrap()
}

#[test]
fn a_file_comes_from_its_index_or_a_listed_host_only() {
    check(|_| {}, None);
    check(url_is("https://index.example/a-1-py3-none-any.whl"), None);
    check(url_is("https://evil.example/a-1-py3-none-any.whl"), Some("origin-mismatch"));
    check(url_is("https://files.example:8443/a-1-py3-none-any.whl"), Some("origin-mismatch"));
    check(url_is("https://files.example.evil.example/a-1-py3-none-any.whl"), Some("origin-mismatch"));
}

#[test]
fn an_index_must_be_one_of_the_listed() {
    let index_is = |url: &'static str| move |lock: &mut Lock| lock.packages[0].index = Some(url.parse().unwrap());
    check(index_is("https://index.example/simple"), None);
    check(index_is("https://evil.example/simple/"), Some("origin-mismatch"));
    check(index_is("https://index.example/other/"), Some("origin-mismatch"));
    check(|lock| lock.packages[0].index = None, Some("origin-mismatch"));
}

#[test]
fn plain_http_is_for_this_machine_or_an_index_that_is_marked_so() {
    let on = |index: &'static str, file: &'static str, insecure: bool| {
        move |lock: &mut Lock| {
            lock.packages[0].index = Some(index.parse().unwrap());
            lock.packages[0].wheels[0].url = file.parse().unwrap();
            let index = &mut lock.tool.as_mut().unwrap().indexes[0];
            (index.url, index.insecure) = (lock.packages[0].index.clone().unwrap(), insecure);
        }
    };
    let file = "http://files.test/a-1-py3-none-any.whl";
    check(on(INDEX, "http://files.example/a-1-py3-none-any.whl", false), Some("insecure-url"));
    check(on("http://files.test/simple/", file, false), Some("insecure-url"));
    check(on("http://files.test/simple/", file, true), None);
    check(on("http://other.test/simple/", file, true), Some("origin-mismatch"));
    check(on("http://127.0.0.1:8080/simple/", "http://127.0.0.1:8080/a-1-py3-none-any.whl", false), None);
    check(
        on("http://127.0.0.1:8080/simple/", "http://127.0.0.1:8081/a-1-py3-none-any.whl", false),
        Some("origin-mismatch"),
    );
}

#[test]
fn a_local_file_is_of_a_local_index_only() {
    let on = |index: &'static str| {
        move |lock: &mut Lock| {
            lock.packages[0].index = Some(index.parse().unwrap());
            lock.packages[0].wheels[0].url = "file:///srv/index/a-1-py3-none-any.whl".parse().unwrap();
            lock.tool.as_mut().unwrap().indexes[0].url = index.parse().unwrap();
        }
    };
    check(on("file:///srv/index/"), None);
    check(on(INDEX), Some("local-path"));
    check(|lock| (on("file:///srv/index/")(lock), lock.tool = None).1, Some("local-path"));
}

#[test]
fn source_trees_are_not_pinned() {
    let tree_is = |tree: TreeSource| {
        move |lock: &mut Lock| {
            lock.packages[0].wheels.clear();
            lock.packages[0].tree = Some(tree);
        }
    };
    let directory = DirectorySource { path: "../a".into(), url: None, editable: None, subdirectory: None };
    check(tree_is(TreeSource::Directory(directory)), Some("unpinned-source"));
    let vcs = VcsSource {
        kind: "git".into(),
        url: Some("https://g.example/a".into()),
        path: None,
        requested_revision: None,
        commit_id: "abc".into(),
        subdirectory: None,
    };
    check(tree_is(TreeSource::Vcs(vcs)), Some("unpinned-source"));
}

#[test]
fn without_our_table_the_url_itself_is_the_origin() {
    check(|lock| lock.tool = None, None);
    let mut lock = lock();
    lock.tool = None;
    let artifact = lock.artifact(&lock.packages[0], &lock.packages[0].wheels[0]).unwrap();
    assert_eq!(artifact.origin.index().as_str(), INDEX);
    assert!(artifact.origin.check(&"https://evil.example/x".parse().unwrap()).is_err());
}

#[test]
fn a_direct_url_is_its_own_origin() {
    let (name, mut direct) = resolved("a-1-py3-none-any.whl", &[], &["base"]);
    Arc::make_mut(&mut direct).index = None;
    let all = [Resolution { target: target("linux-x86_64 3.10"), packages: [(name, direct)].into() }];
    let mut lock = merge(&all, settings()).unwrap();
    assert_eq!(lock.validate(), Ok(()));
    let package = &lock.packages[0];
    let artifact = lock.artifact(package, &package.archive.as_ref().unwrap().file).unwrap();
    assert_eq!(artifact.origin.index(), &artifact.url);
    let archive = lock.packages[0].archive.as_mut().unwrap();
    archive.file.url = "http://files.example/a-1-py3-none-any.whl".parse().unwrap();
    assert_eq!(lock.validate().unwrap_err().refusal_code(), Some("insecure-url"));
}
