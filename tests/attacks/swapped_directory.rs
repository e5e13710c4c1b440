//! A directory on the way is swapped for a link while pinfold removes former generations or reads receipts: the victim that
//! the link leads to is neither emptied nor believed.
//!
//! The tracer stops the run just before the chosen call, and then the directory is swapped: no moment is left to chance.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use pinfold_testkit::{Finished, Index, Meddling, Pinfold, Point, Watching, announce_skipped, copy_tree};

use crate::kill::sample;
use crate::project::Project;

const STATE: &str = ".pinfold-.venv";

/// An environment with a history of two, and beside it a victim whose directories look the same.
struct Swap {
    project: Project,
    victim: PathBuf,
}

impl Swap {
    fn new() -> Self {
        let index = Index::new().wheel("a", "1.0").module("b/c.py", "").wheel("a", "2.0").wheel("a", "3.0");
        let project = Project::new(index, &["a==1.0"]);
        for version in ["1.0", "2.0", "3.0"] {
            project.write_manifest(&[&format!("a=={version}")], "", "");
            project.pinfold("lock").args(["-o", &format!("pylock.{version}.toml")]).run().expect_code(0);
        }
        let victim = project.home.project().join("victim");
        Self { project, victim }
    }

    fn sync(&self, version: &str) -> Pinfold<'_> {
        self.project.pinfold("sync").args(["--lock", &format!("pylock.{version}.toml")])
    }

    /// Makes the environment and its history anew, and the victim from them: it has everywhere what pinfold has or will have.
    fn prepare(&self) {
        let root = self.project.home.project();
        for old in [".venv", STATE, "victim", "moved"].map(|name| root.join(name)) {
            match old.symlink_metadata() {
                Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(&old).expect("can remove a directory"),
                Ok(_) => fs::remove_file(&old).expect("can remove a file"),
                Err(_) => {}
            }
        }
        self.sync("1.0").run().expect_code(0);
        self.sync("2.0").run().expect_code(0);
        copy_tree(&root.join(STATE), &self.victim);
        copy_tree(&self.victim.join("generations"), &self.victim.join("discarded"));
        copy_tree(&root.join(".venv"), &self.victim.join("generations/2"));
    }

    /// Swaps a directory of pinfold's own for a link to the victim's. False if it is not there now.
    fn swap(&self, directory: &str) -> bool {
        // A path of nothing would end in a slash, and a link cannot be made there.
        let below = |root: PathBuf| if directory.is_empty() { root } else { root.join(directory) };
        let root = self.project.home.project();
        let (place, inside) = (below(root.join(STATE)), below(self.victim.clone()));
        let swapped = fs::rename(&place, root.join("moved")).is_ok();
        swapped && symlink(inside, &place).map(|()| true).expect("nothing is there any more")
    }

    fn victim(&self) -> Vec<(String, String)> {
        self.project.home.snapshot("victim")
    }
}

/// Swaps a directory at every `step`-th call of the command that is about a place, and gives what was seen then.
fn swap_at<'s>(
    swap: &'s Swap,
    command: &dyn Fn() -> Pinfold<'s>,
    (place, directories, step): (&str, &[&str], usize),
    check: &dyn Fn(&Point, &Finished),
) {
    swap.prepare();
    let traced = match command().traced(Watching::ChangesAndReads, None) {
        Ok(traced) => traced,
        Err(reason) => return announce_skipped("swapping directories", &reason),
    };
    traced.finished.expect_code(0);
    let points: Vec<Point> = traced.points.into_iter().filter(|point| point.files.contains(place)).collect();
    assert!(points.len() > 5, "{points:#?}");
    let swapped = std::cell::Cell::new(0);
    for (point, directory) in sample(&points, step).into_iter().flat_map(|it| directories.iter().map(move |d| (it, *d)))
    {
        swap.prepare();
        let before = swap.victim();
        let act = || swapped.set(swapped.get() + usize::from(swap.swap(directory)));
        let run = command().traced(Watching::ChangesAndReads, Some((point, Meddling::Act(&act))));
        let run = run.expect("it could be traced a moment ago");
        assert!(
            swap.victim() == before,
            "`{directory}` swapped before {point}: the victim was changed\n{}",
            run.finished
        );
        check(point, &run.finished);
    }
    assert!(swapped.get() > 3, "only {} were swapped", swapped.get());
}

#[test]
fn a_directory_that_is_swapped_while_generations_are_removed() {
    let swap = Swap::new();
    let command = || swap.sync("3.0").args(["--keep", "0"]);
    // The control: nobody swaps anything, and the former generations go.
    swap.prepare();
    command().run().expect_code(0);
    let left = fs::read_dir(swap.project.home.project().join(STATE).join("generations")).unwrap().count();
    assert!(left == 0 && !swap.project.home.has(".pinfold-.venv/discarded"));
    let places = ["", "discarded", "discarded/1", "discarded/1/lib"];
    swap_at(&swap, &command, ("discarded", &places, 29), &|point, finished| {
        assert!([0, 3, 4].contains(&finished.code), "{point}: {finished}");
    });
}

#[test]
fn a_directory_that_is_swapped_while_an_environment_is_verified_is_found() {
    let swap = Swap::new();
    let root = swap.project.home.project();
    for depth in ["--quick", "--format=text"] {
        let command = || swap.project.pinfold("verify").args(["--lock", "pylock.2.0.toml", depth]);
        swap.prepare();
        let traced = match command().traced(Watching::ChangesAndReads, None) {
            Ok(traced) => traced,
            Err(reason) => return announce_skipped("swapping directories of an environment", &reason),
        };
        traced.finished.expect_code(0);
        // Both who lists the directory and who reads its files.
        let is_opened = |point: &&Point| point.call == "openat" && point.files.ends_with("site-packages/a");
        let points: Vec<&Point> = traced.points.iter().filter(is_opened).collect();
        assert!(points.len() > 1, "{:#?}", traced.points);
        for point in points {
            swap.prepare();
            let place = fs::read_dir(root.join(".venv/lib")).unwrap().flatten().next().unwrap().path();
            let place = place.join("site-packages/a");
            // Whoever follows the link finds everything as it was installed.
            let act = || {
                copy_tree(&place, &root.join("copy"));
                fs::rename(&place, root.join("moved")).unwrap();
                symlink(root.join("copy"), &place).unwrap();
            };
            let run = command().traced(Watching::ChangesAndReads, Some((point, Meddling::Act(&act))));
            let run = run.expect("it could be traced a moment ago");
            assert!(run.met, "{point}");
            run.finished.expect_code(1).expect_stdout("missing: ");
            fs::remove_dir_all(root.join("copy")).unwrap();
        }
    }
}

#[test]
fn a_directory_that_is_swapped_while_a_receipt_is_read() {
    let swap = Swap::new();
    let command = || swap.project.pinfold("rollback");
    swap.prepare();
    command().run().expect_code(0).expect_stderr("generation 1");
    let version = || swap.project.python("import a; print(a.__version__)").trim().to_owned();
    assert_eq!(version(), "1.0");
    swap_at(&swap, &command, ("generations", &["generations", "generations/1"], 7), &|point, finished| {
        // The one that was looked at is put in place, or none is; never the victim's. A link is no generation.
        let place = swap.project.home.project().join(".venv");
        assert!(place.symlink_metadata().unwrap().is_dir(), "{point}: {finished}");
        let expected = if finished.code == 0 { ["1.0", "1.0"] } else { ["1.0", "2.0"] };
        assert!(expected.contains(&version().as_str()) && [0, 1, 3, 4].contains(&finished.code), "{point}: {finished}");
    });
}
