//! Renames that are interrupted at every point, and directories that are not pinfold's.

use pinfold_testkit::WheelRecipe;

use super::*;
use crate::fixture::World;
use crate::{generations, ledger};

fn wheel(version: &str) -> [WheelRecipe; 1] {
    [WheelRecipe::new("a", version)]
}

fn version(world: &World) -> Option<String> {
    world.environment.receipt().unwrap().map(|receipt| receipt.distributions[0].version.to_string())
}

/// Generation numbers, newest first, the current one marked.
fn generations(world: &World) -> Vec<String> {
    let shown = |it: generations::Generation| format!("{}{}", it.receipt.generation, if it.current { "*" } else { "" });
    generations::history(&world.environment).unwrap().into_iter().map(shown).collect()
}

fn state(world: &World) -> PathBuf {
    world.environment.state().to_owned()
}

#[test]
fn death_after_the_exchange_loses_no_generation() {
    let world = World::new();
    world.install(&wheel("1.0")).unwrap();
    world.install(&wheel("2.0")).unwrap();
    // As if the process had died between the exchange and moving the former environment to the history.
    begin(&world.environment).unwrap();
    let staging = world.environment.staging().join("new-2");
    std::fs::rename(world.environment.generations().join("1"), &staging).unwrap();
    assert_eq!(version(&world).unwrap(), "2.0");
    drop(world.environment.lock().unwrap());
    assert_eq!(generations(&world), ["2*", "1"]);
    assert!(!staging.exists() && !state(&world).join(UNFINISHED).exists());
}

#[test]
fn death_before_the_exchange_leaves_the_old_environment() {
    let world = World::new();
    world.install(&wheel("1.0")).unwrap();
    world.install(&wheel("2.0")).unwrap();
    // As if generation 2 had been complete, and half of generation 3 written, but neither put in place.
    let staging = world.environment.staging();
    std::fs::rename(world.environment.venv(), staging.join("new-2")).unwrap();
    std::fs::rename(world.environment.generations().join("1"), world.environment.venv()).unwrap();
    std::fs::create_dir_all(staging.join("new-3/lib")).unwrap();
    begin(&world.environment).unwrap();
    drop(world.environment.lock().unwrap());
    assert_eq!((generations(&world), version(&world).unwrap()), (vec!["1*".to_owned()], "1.0".to_owned()));
    assert_eq!(std::fs::read_dir(staging).unwrap().count(), 0);
    assert_eq!(world.install(&wheel("3.0")).unwrap().generation, 2);
}

#[test]
fn death_during_a_rollback_is_made_up_for() {
    let world = World::new();
    for number in ["1.0", "2.0"] {
        world.install(&wheel(number)).unwrap();
    }
    begin(&world.environment).unwrap();
    platform::exchange(&world.environment.generations().join("1"), world.environment.venv()).unwrap();
    drop(world.environment.lock().unwrap());
    assert_eq!(generations(&world), ["2", "1*"]);
    assert!(world.environment.generations().join("2").is_dir());
}

#[test]
fn two_steps_do_what_one_does() {
    let world = World::new();
    world.install(&wheel("1.0")).unwrap();
    world.install(&wheel("2.0")).unwrap();
    let guard = world.environment.lock().unwrap();
    let former = world.environment.generations().join("1");
    begin(&world.environment).unwrap();
    put_in_place(&world.environment, &former, Method::Journalled).unwrap();
    finish(&world.environment).unwrap();
    drop(guard);
    assert_eq!(
        (generations(&world), version(&world).unwrap()),
        (vec!["2".to_owned(), "1*".to_owned()], "1.0".to_owned())
    );
}

#[test]
fn death_between_two_steps_is_made_up_for() {
    let world = World::new();
    world.install(&wheel("1.0")).unwrap();
    world.install(&wheel("2.0")).unwrap();
    begin(&world.environment).unwrap();
    std::fs::write(state(&world).join(NOTE), "generations/1").unwrap();
    // Nothing has moved yet: the note is forgotten.
    drop(world.environment.lock().unwrap());
    assert_eq!(version(&world).unwrap(), "2.0");
    begin(&world.environment).unwrap();
    std::fs::write(state(&world).join(NOTE), "generations/1").unwrap();
    std::fs::rename(world.environment.venv(), world.environment.generations().join("2")).unwrap();
    drop(world.environment.lock().unwrap());
    assert_eq!(
        (generations(&world), version(&world).unwrap()),
        (vec!["2".to_owned(), "1*".to_owned()], "1.0".to_owned())
    );
}

#[test]
fn a_note_that_leads_elsewhere_is_ignored() {
    let world = World::new();
    let victim = World::new();
    victim.install(&wheel("1.0")).unwrap();
    drop(world.environment.lock().unwrap());
    begin(&world.environment).unwrap();
    std::fs::write(state(&world).join(NOTE), victim.environment.venv().to_str().unwrap()).unwrap();
    drop(world.environment.lock().unwrap());
    assert!(victim.environment.venv().exists() && !world.environment.venv().exists());
}

#[test]
fn directories_of_others_are_never_touched() {
    let refused = |world: &World| {
        let error = world.install(&wheel("1.0")).unwrap_err();
        assert_eq!(error.refusal_code(), Some("foreign-environment"), "{error}");
    };
    let world = World::new();
    std::fs::create_dir(world.environment.venv()).unwrap();
    std::fs::write(world.path("precious.txt"), "x").unwrap();
    refused(&world);
    assert!(world.path("precious.txt").exists());

    let world = World::new();
    let real = World::new();
    real.install(&wheel("1.0")).unwrap();
    std::os::unix::fs::symlink(real.environment.venv(), world.environment.venv()).unwrap();
    refused(&world);
    assert_eq!(generations(&real), ["1*"]);

    let world = World::new();
    std::fs::write(world.environment.venv(), "a file").unwrap();
    refused(&world);

    let world = World::new();
    std::os::unix::fs::symlink(real.home(), state(&world)).unwrap();
    refused(&world);

    let world = World::new();
    std::fs::create_dir(world.environment.venv()).unwrap();
    assert_eq!(world.install(&wheel("1.0")).unwrap().generation, 1);
    assert_eq!(generations(&world), ["1*"]);
}

#[test]
fn rollback_walks_back_and_forth() {
    let world = World::new();
    for number in ["1.0", "2.0", "3.0"] {
        world.install(&wheel(number)).unwrap();
    }
    let rollback = |wanted: Option<u64>| {
        let guard = world.environment.lock().unwrap();
        generations::rollback(&guard, wanted, "2024-08-21T00:00:00Z").map(|receipt| receipt.generation)
    };
    assert_eq!(rollback(None).unwrap(), 2);
    assert_eq!(world.run("import a; print(a.__version__)").trim(), "2.0");
    assert_eq!(rollback(None).unwrap(), 1);
    assert_eq!(generations(&world), ["3", "2", "1*"]);
    assert!(matches!(rollback(None), Err(InstallError::NoGeneration { wanted: None, .. })));
    assert_eq!(rollback(Some(3)).unwrap(), 3);
    let message = rollback(Some(9)).unwrap_err().to_string();
    assert_eq!(message, "there is no generation 9; the history has 1, 2");
    assert_eq!(world.verify(&wheel("3.0")).findings, []);
    assert_eq!(world.install(&wheel("4.0")).unwrap().generation, 4);
    let numbers: Vec<u64> =
        ledger::ledger(&world.environment).unwrap().entries.iter().map(|it| it.generation).collect();
    assert_eq!(numbers, [1, 2, 3, 2, 1, 3, 4]);
}

#[test]
fn three_former_generations_are_kept() {
    let world = World::new();
    for number in 1..=6 {
        world.install(&wheel(&format!("{number}.0"))).unwrap();
    }
    assert_eq!(generations(&world), ["6*", "5", "4", "3"]);
    assert_eq!(ledger::ledger(&world.environment).unwrap().entries.len(), 6);
}

#[test]
fn a_torn_line_of_the_ledger_spoils_no_other() {
    let world = World::new();
    world.install(&wheel("1.0")).unwrap();
    let ledger = state(&world).join("ledger.jsonl");
    let mut text = std::fs::read_to_string(&ledger).unwrap();
    text.push_str("{\"generation\":9");
    std::fs::write(&ledger, text).unwrap();
    world.install(&wheel("2.0")).unwrap();
    let numbers: Vec<u64> =
        ledger::ledger(&world.environment).unwrap().entries.iter().map(|it| it.generation).collect();
    assert_eq!(numbers, [1, 2]);
}

#[test]
fn two_installs_of_one_environment_wait_for_each_other() {
    let world = World::new();
    std::thread::scope(|scope| {
        let installs: Vec<_> =
            (0..4).map(|_| scope.spawn(|| world.install(&wheel("1.0")).unwrap().generation)).collect();
        let mut numbers: Vec<u64> = installs.into_iter().map(|it| it.join().unwrap()).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, [1, 2, 3, 4]);
    });
    assert_eq!(world.verify(&wheel("1.0")).findings, []);
}
