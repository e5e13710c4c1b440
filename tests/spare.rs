//! A generation that has left the history is what the next one is made of; and nobody can tell, whatever was done to it.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use pinfold_testkit::{Index, Python, Watching, announce_skipped};

use crate::project::Project;

const LOCKS: [&str; 2] = ["pylock.one.toml", "pylock.two.toml"];

/// Two locks of one environment: a package of `FILES` files that stays, and a small one that changes.
fn project() -> Project {
    let big = (0..FILES).fold(Index::new().wheel("big", "1.0"), |index, number| {
        index.module(&format!("big/part{}/module_{number}.py", number % 7), &format!("N = {number}\n"))
    });
    let small = |index: Index, version: &str| {
        index
            .wheel("small", version)
            .module("small/value.py", &format!("V = '{version}'\n"))
            .console_script("small", "small:main")
    };
    let project = Project::new(["1.0", "2.0"].into_iter().fold(big, small), &[]);
    for (lock, version) in LOCKS.into_iter().zip(["1.0", "2.0"]) {
        project.write_manifest(&["big", &format!("small=={version}")], "", "");
        project.pinfold("lock").args(["-o", lock]).run().expect_code(0);
    }
    project
}

fn sync(project: &Project, lock: &str) {
    project.pinfold("sync").args(["--lock", lock, "--keep", "1"]).run().expect_code(0);
    project.pinfold("verify").args(["--lock", lock]).run().expect_code(0);
}

fn spare(project: &Project) -> PathBuf {
    project.home.project().join(".pinfold-.venv/spare")
}

fn site(root: &Path) -> PathBuf {
    root.join(format!("lib/python{}/site-packages", Python::found().minor))
}

/// Leaves something else in the spare in each round.
fn meddle(spare: &Path, round: usize) {
    let site = site(spare);
    let replace = |path: PathBuf, text: &str| {
        std::fs::remove_file(&path).expect("it was installed");
        std::fs::write(path, text).expect("the test's own directory can be written to");
    };
    match round % 6 {
        0 => replace(site.join("big/part0/module_0.py"), "N = 9\n"),
        1 => std::fs::write(site.join("evil.pth"), "import evil\n").expect("can write"),
        2 => replace(spare.join("bin/small"), "#!/bin/sh\necho evil\n"),
        3 => {
            std::fs::remove_dir_all(site.join("big/part3")).expect("it was installed");
            symlink("/", site.join("big/part3")).expect("can make a link");
        }
        4 => std::fs::remove_file(site.join("small/value.py")).expect("it was installed"),
        _ => std::fs::set_permissions(site.join("big"), std::fs::Permissions::from_mode(0o777)).expect("is ours"),
    }
}

#[test]
fn two_locks_in_turn_give_their_environments_whatever_was_done_to_the_spare() {
    let project = project();
    let mut expected: [Option<Vec<(String, String)>>; 2] = [None, None];
    for round in 0..14 {
        let which = round % 2;
        if spare(&project).exists() {
            meddle(&spare(&project), round / 2);
        }
        sync(&project, LOCKS[which]);
        assert_eq!(spare(&project).exists(), round >= 2, "round {round}");
        // Importing leaves bytecode, in this environment and in the spare that it becomes.
        assert_eq!(project.python("import small.value as v; print(v.V)"), ["1.0\n", "2.0\n"][which]);
        let mut tree = project.home.snapshot(".venv");
        tree.retain(|(path, _)| !path.contains(".pinfold/") && !path.contains("__pycache__"));
        let before = expected[which].get_or_insert_with(|| tree.clone());
        assert!(*before == tree, "round {round}: the environment is another than in an earlier round");
    }
    project.pinfold("rollback").run().expect_code(0);
    project.pinfold("verify").args(["--lock", LOCKS[0]]).run().expect_code(0);
    assert_eq!(project.python("import small.value as v; print(v.V)"), "1.0\n");
    project.pinfold("rollback").arg("14").run().expect_code(0);
    project.pinfold("verify").args(["--lock", LOCKS[1]]).run().expect_code(0);
}

#[test]
fn a_generation_that_begins_with_the_spare_links_what_changed_and_nothing_else() {
    let project = project();
    let links = |keep: &str, lock: &str| {
        let run = project.pinfold("sync").args(["--lock", lock, "--keep", keep]);
        let traced = run.traced(Watching::Changes, None)?;
        traced.finished.expect_code(0);
        Ok::<_, String>(traced.points.iter().filter(|point| point.call == "linkat").count())
    };
    let counted =
        [("3", LOCKS[0]), ("3", LOCKS[1]), ("1", LOCKS[0]), ("1", LOCKS[1])].map(|(keep, lock)| links(keep, lock));
    match counted {
        [Ok(first), Ok(second), Ok(third), Ok(fourth)] => {
            // Without a spare every file is linked. The third sync leaves one, which is of the first lock.
            assert!([first, second, third].iter().all(|count| *count > FILES), "{first} {second} {third}");
            assert!((1..10).contains(&fourth), "{fourth}");
        }
        reasons => announce_skipped("counting links", &format!("{reasons:?}")),
    }
}

/// So many that linking them all stands out.
const FILES: usize = 60;
