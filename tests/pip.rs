//! `from = "pip"`: what pip is set up with decides a first lock and an upgrade, and the lock keeps it.

use pinfold_testkit::{Finished, Index, Pinfold};

use crate::project::Project;

/// A project whose index is the one that pip is set up with; none where this machine's Python has no pip to ask.
fn project(index: Index) -> Option<Project> {
    let project = Project::new(index, &["a"]);
    let url = format!("url = \"{}\"", project.server.url());
    project.home.write("pinfold.toml", project.home.read("pinfold.toml").replace(&url, "from = \"pip\""));
    let first = lock(&project, &project.server.url()).run();
    if first.code == 2 {
        first.expect_stderr("has pip");
        return None;
    }
    first.expect_code(0);
    Some(project)
}

/// A run of `lock` with a pip that is set up with this index.
fn lock<'p>(project: &'p Project, url: &str) -> Pinfold<'p> {
    // Nothing of this machine's own configuration counts.
    project.pinfold("lock").env("PIP_INDEX_URL", url).env("PIP_CONFIG_FILE", NO_CONFIGURATION)
}

/// The one name that makes pip read no configuration file at all.
const NO_CONFIGURATION: &str = if cfg!(windows) { "nul" } else { "/dev/null" };

/// pip would take a package from there, whatever the index has.
#[test]
fn places_of_find_links_are_refused_like_a_second_index() {
    let Some(project) = project(Index::new().wheel("a", "1.0")) else { return };
    let url = project.server.url();
    let former = project.home.read("pylock.toml");
    let check = |run: Finished| {
        let run = run.expect_code(2).expect_stderr("pip is set up with `find-links`").expect_stderr("[[index]]");
        let run = run.expect_stderr("places beside the index: 2").expect_stderr("name @ ./links/");
        assert!(!run.stderr.contains("s3cret"), "{run}");
        assert_eq!(project.home.read("pylock.toml"), former);
    };
    let links = "/srv/links https://me:s3cret@links.example/";
    check(lock(&project, &url).arg("--upgrade").env("PIP_FIND_LINKS", links).run());
    // It does not matter that the index is not asked.
    check(lock(&project, &url).arg("--upgrade").env("PIP_FIND_LINKS", links).env("PIP_NO_INDEX", "1").run());
    let configuration = project.home.home().join("pip.conf");
    std::fs::write(&configuration, format!("[global]\nfind-links =\n    {}\n", links.replace(' ', "\n    ")))
        .expect("can write");
    check(lock(&project, &url).arg("--upgrade").env("PIP_CONFIG_FILE", &configuration).run());
    let none = lock(&project, &url).arg("--upgrade").env("PIP_NO_INDEX", "1").run();
    none.expect_code(2).expect_stderr("set up with `no-index`");
    check(lock(&project, &url).arg("--check").env("PIP_FIND_LINKS", links).run());
}

/// A lock moves when it is told to.
#[test]
fn another_index_of_pip_is_moved_to_by_an_upgrade_alone() {
    let Some(project) = project(Index::new().wheel("a", "1.0")) else { return };
    let other = Index::new().wheel("a", "1.0").wheel("a", "2.0").start();
    let (old, new) = (project.server.url(), other.url());
    let first = project.home.read("pylock.toml");
    let plain = lock(&project, &new).run().expect_code(0);
    assert!(project.home.read("pylock.toml") == first && !plain.stderr.contains("another index"), "{plain}");
    // A check says so, whoever changed what: the lock, or pip.
    let check = lock(&project, &new).arg("--check").run().expect_code(1).expect_stderr("another index than the pip");
    check.expect_stderr(&format!("lock: {old}")).expect_stderr(&format!("pip: {new}")).expect_stderr("lock --upgrade");
    lock(&project, &old).arg("--check").run().expect_code(0);

    let told = format!("warning: pip names another index than the lock: {old} → {new}");
    let run = lock(&project, &new).arg("--upgrade").run().expect_code(0).expect_stderr(&told);
    assert!(run.stdout.contains("a 1.0 -> 2.0") && run.stdout.contains(&new), "{run}");
    let locked = project.home.read("pylock.toml");
    assert!(locked.contains(&new) && !locked.contains(&old), "{locked}");
    lock(&project, &new).arg("--check").run().expect_code(0);
    // The manifest's own word gives the same lock.
    let manifest = project.home.read("pinfold.toml");
    project.home.write("pinfold.toml", manifest.replace("from = \"pip\"", &format!("url = \"{new}\"")));
    project.pinfold("lock").arg("--check").run().expect_code(0);
    // An index that cannot be asked is told of as what pip says.
    project.home.write("pinfold.toml", manifest);
    let run = lock(&project, "http://127.0.0.1:9/simple/").arg("--upgrade").run().expect_code(4);
    run.expect_stderr("pip: names another index than the lock").expect_stderr("http://127.0.0.1:9/simple/");
}
