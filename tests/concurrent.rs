//! Several at once: eight processes, the same and different locks and environments, one store.

use pinfold_testkit::{Index, WheelRecipe};

use crate::kill::scenario::check_store;
use crate::project::Project;

/// A project with two locks that share some wheels and differ in one.
fn project() -> Project {
    let wide = |version: &str| {
        let recipe = WheelRecipe::new("wide", version);
        (0..40).fold(recipe, |recipe, number| {
            recipe.file(&format!("wide/part{number}/data.txt"), format!("{version} {number}"))
        })
    };
    let mut index = Index::new().wheel_from(wide("1.0")).wheel_from(wide("2.0"));
    let names: Vec<String> = (0..8).map(|number| format!("shared{number}")).collect();
    for name in &names {
        index = index.wheel(name, "1.0");
    }
    let wanted: Vec<&str> = names.iter().map(String::as_str).collect();
    let project = Project::new(index, &[&["wide==1.0"], &wanted[..]].concat());
    project.pinfold("lock").args(["-o", "pylock.one.toml"]).run().expect_code(0);
    project.write_manifest(&[&["wide==2.0"], &wanted[..6]].concat(), "", "");
    project.pinfold("lock").args(["-o", "pylock.two.toml"]).run().expect_code(0);
    project
}

/// Syncs all of these at once, lock and environment, and checks that every one succeeds.
fn sync_at_once(project: &Project, runs: &[(&str, &str)]) {
    let runs: Vec<_> = runs
        .iter()
        .map(|(lock, venv)| project.pinfold("sync").args(["--lock", lock, "--venv", venv]).spawn())
        .collect();
    for run in runs {
        run.finish().expect_code(0);
    }
}

fn verify(project: &Project, lock: &str, venv: &str) -> i32 {
    project.pinfold("verify").args(["--lock", lock, "--venv", venv]).run().code
}

const ONE: &str = "pylock.one.toml";
const TWO: &str = "pylock.two.toml";

#[test]
fn eight_at_once_with_one_lock_and_eight_environments() {
    let project = project();
    let venvs = ["a", "b", "c", "d", "e", "f", "g", "h"];
    sync_at_once(&project, &venvs.map(|venv| (ONE, venv)));
    for venv in venvs {
        assert_eq!(verify(&project, ONE, venv), 0, "{venv}");
    }
    check_store(&project, "eight environments at once");
}

#[test]
fn eight_at_once_with_two_locks_and_eight_environments() {
    let project = project();
    let runs = ["a", "b", "c", "d", "e", "f", "g", "h"].map(|venv| (if venv < "e" { ONE } else { TWO }, venv));
    sync_at_once(&project, &runs);
    for (lock, venv) in runs {
        assert_eq!(verify(&project, lock, venv), 0, "{venv}");
    }
    check_store(&project, "two locks at once");
}

#[test]
fn eight_at_once_with_two_locks_and_one_environment() {
    let project = project();
    sync_at_once(
        &project,
        &[(ONE, "a"), (TWO, "a"), (ONE, "a"), (TWO, "a"), (ONE, "a"), (TWO, "a"), (ONE, "a"), (TWO, "a")],
    );
    // Whoever came last has it whole; nothing of the other is in it.
    let found = [verify(&project, ONE, "a"), verify(&project, TWO, "a")];
    assert!(found == [0, 1] || found == [1, 0], "{found:?}");
    let history = project.pinfold("history").args(["--venv", "a"]).run().expect_code(0);
    assert!(history.stdout.lines().count() >= 2, "{history}");
    check_store(&project, "one environment at once");
}

#[test]
fn eight_at_once_mixed_on_an_empty_store_and_again_on_a_full_one() {
    let project = project();
    let runs = [(ONE, "a"), (ONE, "a"), (TWO, "b"), (TWO, "b"), (ONE, "c"), (TWO, "d"), (ONE, "e"), (TWO, "f")];
    for (round, offline) in [("empty", false), ("full", true)] {
        if offline {
            for (_, venv) in runs {
                let _none = std::fs::remove_dir_all(project.home.project().join(venv));
            }
            project.server.forget_requests();
        }
        sync_at_once(&project, &runs);
        for (lock, venv) in runs {
            assert_eq!(verify(&project, lock, venv), 0, "{round} {venv}");
        }
        check_store(&project, round);
    }
    assert!(project.server.requests().is_empty(), "a full store was not enough");
}
