//! `from = "pip"`: what pip is set up with is an input of the lock, like the URL of an index.

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
    for arguments in [&[][..], &["--upgrade"], &["--check"]] {
        check(lock(&project, &url).args(arguments).env("PIP_FIND_LINKS", links).run());
        // It does not matter that the index is not asked.
        check(lock(&project, &url).args(arguments).env("PIP_FIND_LINKS", links).env("PIP_NO_INDEX", "1").run());
    }
    let configuration = project.home.home().join("pip.conf");
    std::fs::write(&configuration, format!("[global]\nfind-links =\n    {}\n", links.replace(' ', "\n    ")))
        .expect("can write");
    check(lock(&project, &url).env("PIP_CONFIG_FILE", &configuration).run());
    lock(&project, &url).env("PIP_NO_INDEX", "1").run().expect_code(2).expect_stderr("set up with `no-index`");
}

/// As with another `url` in the manifest: versions are kept, and everything comes from the new index.
#[test]
fn another_index_of_pip_is_moved_to_and_told_of() {
    let Some(project) = project(Index::new().wheel("a", "1.0")) else { return };
    let other = Index::new().wheel("a", "1.0").wheel("a", "2.0").start();
    let (old, new) = (project.server.url(), other.url());
    let told = format!("pip names another index than the lock: {old} → {new}");
    let same = lock(&project, &old).run().expect_code(0);
    assert!(!same.stderr.contains("another index"), "{same}");
    // A check says so, and writes nothing.
    lock(&project, &new).arg("--check").run().expect_code(1).expect_stderr(&told);
    assert!(project.home.read("pylock.toml").contains(&old));
    let run = lock(&project, &new).run().expect_code(0).expect_stderr(&format!("warning: {told}"));
    assert!(run.stdout.contains("a 1.0") && run.stdout.contains(&new), "{run}");
    let locked = project.home.read("pylock.toml");
    assert!(locked.contains(&new) && !locked.contains(&old) && locked.contains("version = \"1.0\""), "{locked}");
    let check = lock(&project, &new).arg("--check").run().expect_code(0);
    assert!(!check.stderr.contains("another index"), "{check}");
    // The manifest's own word gives the same lock.
    project.home.write(
        "pinfold.toml",
        project.home.read("pinfold.toml").replace("from = \"pip\"", &format!("url = \"{new}\"")),
    );
    project.pinfold("lock").arg("--check").run().expect_code(0);
    // And so does an upgrade, back again.
    project.home.write(
        "pinfold.toml",
        project.home.read("pinfold.toml").replace(&format!("url = \"{new}\""), "from = \"pip\""),
    );
    let back = format!("pip names another index than the lock: {new} → {old}");
    lock(&project, &old).arg("--upgrade").run().expect_code(0).expect_stderr(&back);
    lock(&project, &old).arg("--check").run().expect_code(0);
}

/// With a cutoff, a lock that is current is remembered to be: for the index that pip named then.
#[test]
fn a_lock_that_is_current_is_current_for_its_index() {
    let index = || Index::new().wheel("a", "1.0").uploaded("2024-01-01T00:00:00Z");
    let Some(project) = project(index()) else { return };
    let manifest = project.home.read("pinfold.toml");
    let cutoff = "[project]\nexclude-newer = \"2024-06-01T00:00:00Z\"\n";
    project.home.write("pinfold.toml", manifest.replacen("[project]\n", cutoff, 1));
    for _ in 0..3 {
        lock(&project, &project.server.url()).run().expect_code(0);
    }
    let other = index().start();
    lock(&project, &other.url()).run().expect_code(0).expect_stderr("warning: pip names another index");
    assert!(project.home.read("pylock.toml").contains(&other.url()));
    // An index that cannot be asked is told of as what pip says.
    let run = lock(&project, "http://127.0.0.1:9/simple/").run().expect_code(4);
    run.expect_stderr("pip: names another index than the lock").expect_stderr("http://127.0.0.1:9/simple/");
}
