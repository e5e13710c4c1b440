//! Renames that are interrupted at every point, and directories that are not pinfold's.

use std::fs;

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

/// Leaves the note that a process leaves that dies at work.
fn begin_unlocked(world: &World) {
    std::fs::write(state(world).join(UNFINISHED), "").unwrap();
}

#[test]
fn death_after_the_exchange_loses_no_generation() {
    let world = World::new();
    world.install(&wheel("1.0")).unwrap();
    world.install(&wheel("2.0")).unwrap();
    // As if the process had died between the exchange and moving the former environment to the history.
    begin_unlocked(&world);
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
    let ledger = std::fs::read_to_string(state(&world).join(ledger::LEDGER)).unwrap();
    std::fs::write(state(&world).join(ledger::LEDGER), ledger.lines().next().unwrap().to_owned() + "\n").unwrap();
    begin_unlocked(&world);
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
    begin_unlocked(&world);
    let between = world.home().join("between");
    std::fs::rename(world.environment.venv(), &between).unwrap();
    std::fs::rename(world.environment.generations().join("1"), world.environment.venv()).unwrap();
    std::fs::rename(&between, world.environment.generations().join("1")).unwrap();
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
    begin(&guard).unwrap();
    let receipt = Receipt::read(&former).unwrap().unwrap();
    let opened = guard.anchor().open_directory(&former).unwrap();
    let placed = put_in_place(&guard, &opened, receipt, Method::Journalled, |_| Ok(())).unwrap();
    assert!(placed.untidy.is_none() && !is_unfinished(&world.environment));
    drop(guard);
    assert_eq!(
        (generations(&world), version(&world).unwrap()),
        (vec!["2".to_owned(), "1*".to_owned()], "1.0".to_owned())
    );
}

/// The generation that was looked at is swapped for something else before it is put in place.
#[test]
fn what_takes_the_place_of_a_generation_is_put_back() {
    for (method, wanted) in [(Method::Best, true), (Method::Journalled, true), (Method::Best, false)] {
        let world = World::new();
        world.install(&wheel("1.0")).unwrap();
        world.install(&wheel("2.0")).unwrap();
        let guard = world.environment.lock().unwrap();
        let former = world.environment.generations().join("1");
        let opened = guard.anchor().open_directory(&former).unwrap();
        let receipt = Receipt::read_in(&opened).unwrap().unwrap();
        let (moved, victim) = (world.home().join("moved"), world.home().join("victim"));
        fs::rename(&former, &moved).unwrap();
        fs::create_dir(&victim).unwrap();
        std::os::unix::fs::symlink(&victim, &former).unwrap();
        if !wanted {
            fs::remove_dir_all(world.environment.venv()).unwrap();
        }
        begin(&guard).unwrap();
        let error = put_in_place(&guard, &opened, receipt.clone(), method, |_| Ok(())).unwrap_err();
        assert!(matches!(&error, InstallError::Foreign { path, .. } if *path == former), "{error}");
        assert_eq!(version(&world).as_deref(), wanted.then_some("2.0"));
        assert!(fs::symlink_metadata(&former).unwrap().is_symlink());
        // The control: what was looked at is put in place.
        fs::remove_file(&former).unwrap();
        fs::rename(&moved, &former).unwrap();
        put_in_place(&guard, &opened, receipt, method, |_| Ok(())).unwrap();
        assert_eq!(version(&world).unwrap(), "1.0");
    }
}

#[test]
fn what_cannot_be_tidied_up_is_told_and_made_up_for() {
    let world = World::new();
    world.install(&wheel("1.0")).unwrap();
    world.install(&wheel("2.0")).unwrap();
    let guard = world.environment.lock().unwrap();
    let former = world.environment.generations().join("1");
    let opened = guard.anchor().open_directory(&former).unwrap();
    let receipt = Receipt::read_in(&opened).unwrap().unwrap();
    begin(&guard).unwrap();
    let full = |_: &Receipt| Err(InstallError::io("write", &former)(ErrorKind::StorageFull.into()));
    let placed = put_in_place(&guard, &opened, receipt, Method::Best, full).unwrap();
    assert!(placed.untidy.is_some() && is_unfinished(&world.environment));
    assert_eq!(version(&world).unwrap(), "1.0");
    drop(guard);
    world.environment.settle().unwrap();
    assert!(!is_unfinished(&world.environment));
    assert_eq!(generations(&world), ["2", "1*"]);
}

#[test]
fn death_between_two_steps_is_made_up_for() {
    let world = World::new();
    world.install(&wheel("1.0")).unwrap();
    world.install(&wheel("2.0")).unwrap();
    begin_unlocked(&world);
    std::fs::write(state(&world).join(NOTE), "generations/1").unwrap();
    // Nothing has moved yet: the note is forgotten.
    drop(world.environment.lock().unwrap());
    assert_eq!(version(&world).unwrap(), "2.0");
    begin_unlocked(&world);
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
    std::fs::create_dir(state(&world)).unwrap();
    begin_unlocked(&world);
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
        generations::rollback(&guard, wanted, "2024-08-21T00:00:00Z").map(|placed| placed.receipt.generation)
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

#[test]
fn what_another_tool_made_is_kept_aside_and_never_lost() {
    let mut world = World::new();
    let venv = world.environment.venv().to_owned();
    let foreign = || {
        std::fs::create_dir(&venv).unwrap();
        std::fs::write(venv.join("pyvenv.cfg"), "home = /usr/bin\n").unwrap();
        std::fs::write(venv.join("precious.txt"), "x").unwrap();
    };
    foreign();
    let error = world.install(&wheel("1.0")).unwrap_err();
    assert_eq!(error.refusal_code(), Some("foreign-environment"), "{error}");
    world.environment = world.environment.adopting(crate::Adoption::SetAside);
    for method in [Method::Best, Method::Journalled] {
        let generation = world.install_by(&wheel("1.0"), method).unwrap().generation;
        assert_eq!(std::fs::read(world.environment.set_aside(generation).join("precious.txt")).unwrap(), b"x");
        assert_eq!(world.verify(&wheel("1.0")).findings, [], "{method:?}");
        std::fs::remove_dir_all(world.environment.venv()).unwrap();
        foreign();
    }
    // As if the process had died between the exchange and setting it aside.
    std::fs::rename(world.environment.venv(), world.environment.staging().join("new-7")).unwrap();
    begin_unlocked(&world);
    drop(world.environment.lock().unwrap());
    assert!(world.environment.set_aside(7).join("precious.txt").exists());
}

/// Somebody brings an environment back from a backup whose generation is in the history, or one that has another's number.
#[test]
fn what_was_brought_back_hinders_nothing_and_is_in_the_history_once() {
    for (method, is_copy) in [Method::Best, Method::Journalled].into_iter().flat_map(|it| [(it, true), (it, false)]) {
        let world = World::new();
        let (venv, backup) = (world.environment.venv(), world.home().join("backup"));
        world.install(&wheel("1.0")).unwrap();
        pinfold_testkit::copy_tree(venv, &backup);
        if !is_copy {
            let receipt = std::fs::read_to_string(backup.join(".pinfold/receipt.json")).unwrap();
            std::fs::write(backup.join(".pinfold/receipt.json"), receipt.replace("\"1.0\"", "\"0.5\"")).unwrap();
        }
        std::fs::write(backup.join("mark"), "x").unwrap();
        world.install(&wheel("2.0")).unwrap();
        std::fs::remove_dir_all(venv).unwrap();
        std::fs::rename(&backup, venv).unwrap();
        assert_eq!(generations(&world), ["1*"]);
        assert_eq!(world.install_by(&wheel("2.0"), method).unwrap().generation, 3);
        assert!(!is_unfinished(&world.environment), "{method:?}");
        assert_eq!(generations(&world), ["3*", "1"]);
        let kept = world.environment.generations().join("1/mark").exists();
        let aside = world.environment.set_aside(1).join("mark").exists();
        assert_eq!((kept, aside), (is_copy, !is_copy), "{method:?}");
        assert!(!world.environment.discarded().exists(), "{method:?}");
    }
}

/// As an older pinfold left it, which could not go on.
#[test]
fn a_place_that_is_taken_does_not_keep_the_environment_from_being_changed() {
    let world = World::new();
    world.install(&wheel("1.0")).unwrap();
    world.install(&wheel("2.0")).unwrap();
    pinfold_testkit::copy_tree(&world.environment.generations().join("1"), &world.environment.staging().join("new-2"));
    std::fs::create_dir_all(world.environment.staging().join("new-3/lib")).unwrap();
    std::fs::create_dir(world.environment.set_aside(3)).unwrap();
    begin_unlocked(&world);
    drop(world.environment.lock().unwrap());
    assert_eq!(generations(&world), ["2*", "1"]);
    assert!(!is_unfinished(&world.environment) && world.environment.set_aside(4).join("lib").exists());
    assert_eq!(world.install(&wheel("3.0")).unwrap().generation, 5);
}

/// Tests cannot mount: the system's own directories tell whether a mount point is known as one.
#[test]
#[cfg(target_os = "linux")]
fn a_mount_point_is_told_from_a_directory() {
    let world = World::new();
    for (path, expected) in [(Path::new("/proc"), true), (world.home(), false)] {
        let opened = Opened::at(path).unwrap();
        assert_eq!(platform::is_mount_point(&opened.directory), expected, "{path:?}");
    }
}

#[test]
fn what_comes_between_is_put_back() {
    let world = World::new();
    world.install(&wheel("1.0")).unwrap();
    world.install(&wheel("2.0")).unwrap();
    let former = world.environment.generations().join("1");
    let guard = world.environment.lock().unwrap();
    let (venv, occupant) = (world.environment.venv(), guard.occupant().unwrap());
    assert!(is_what_was_there(&guard, venv, &occupant).unwrap());
    for other in [Occupant::Empty, Occupant::Foreign, Occupant::Nothing] {
        assert!(!is_what_was_there(&guard, venv, &other).unwrap());
    }
    assert!(!is_what_was_there(&guard, &former, &occupant).unwrap());
    let link = world.home().join("link");
    std::os::unix::fs::symlink(venv, &link).unwrap();
    assert!(!is_what_was_there(&guard, &link, &occupant).unwrap());
}

#[test]
fn links_among_our_own_things_are_refused() {
    for name in ["generations", "staging", "discarded", "ledger.jsonl", "lock", ".gitignore"] {
        let world = World::new();
        let victim = World::new();
        std::fs::create_dir_all(victim.home().join("target/1")).unwrap();
        std::fs::write(victim.home().join("target/1/precious.txt"), "x").unwrap();
        std::fs::write(victim.home().join("file"), "precious").unwrap();
        std::fs::create_dir(state(&world)).unwrap();
        let target = if ["lock", "ledger.jsonl", ".gitignore"].contains(&name) { "file" } else { "target" };
        std::os::unix::fs::symlink(victim.home().join(target), state(&world).join(name)).unwrap();
        world.install(&wheel("1.0")).unwrap_err();
        assert_eq!(std::fs::read(victim.home().join("file")).unwrap(), b"precious", "{name}");
        assert!(victim.home().join("target/1/precious.txt").exists(), "{name}");
    }
}

#[test]
fn a_note_is_not_written_through_a_link() {
    let world = World::new();
    std::fs::create_dir(state(&world)).unwrap();
    let victim = world.home().join("victim");
    std::fs::write(&victim, "precious").unwrap();
    std::os::unix::fs::symlink(&victim, state(&world).join(UNFINISHED)).unwrap();
    world.environment.lock().unwrap_err();
    std::fs::remove_file(state(&world).join(UNFINISHED)).unwrap();
    let guard = world.environment.lock().unwrap();
    std::os::unix::fs::symlink(&victim, state(&world).join(UNFINISHED)).unwrap();
    begin(&guard).unwrap_err();
    assert_eq!(std::fs::read(&victim).unwrap(), b"precious");
}

#[test]
fn a_damaged_generation_is_not_put_in_place() {
    /// What the refusal names, and what breaks it.
    type Break = (&'static str, fn(&Path));
    let breaks: [Break; 8] = [
        ("a/__init__.py", |root| std::fs::remove_file(site(root).join("a/__init__.py")).unwrap()),
        ("a/__init__.py", |root| crate::fixture::overwrite(&site(root).join("a/__init__.py"), b"longer than it was")),
        ("bin/python", |root| std::fs::remove_file(root.join("bin/python")).unwrap()),
        ("files.json", |root| std::fs::write(root.join(".pinfold/files.json"), "{}").unwrap()),
        ("files.json", |root| std::fs::remove_file(root.join(".pinfold/files.json")).unwrap()),
        ("receipt", |root| std::fs::write(root.join(".pinfold/receipt.json"), "{").unwrap()),
        ("site-packages/a", |root| swap(root, &site(root).join("a"))),
        ("lib", |root| swap(root, &root.join("lib"))),
    ];
    for (path, break_it) in breaks {
        let world = World::new();
        world.install(&wheel("1.0")).unwrap();
        world.install(&wheel("2.0")).unwrap();
        let former = world.environment.generations().join("1");
        break_it(&former);
        let guard = world.environment.lock().unwrap();
        let error = generations::rollback(&guard, Some(1), "2024-08-21T00:00:00Z").unwrap_err();
        assert_eq!(error.refusal_code(), Some("damaged-generation"), "{path}: {error}");
        assert!(error.to_string().contains(path), "{path}: {error}");
        drop(guard);
        assert_eq!(version(&world).unwrap(), "2.0");
        // It hinders nothing else.
        assert_eq!(world.install(&wheel("3.0")).unwrap().generation, 3);
    }
}

/// Puts a link to the same files in a directory's place.
fn swap(root: &Path, directory: &Path) {
    std::fs::rename(directory, root.join("elsewhere")).unwrap();
    std::os::unix::fs::symlink(root.join("elsewhere"), directory).unwrap();
}

fn site(root: &Path) -> PathBuf {
    root.join(&crate::fixture::interpreter().scheme.purelib)
}

#[test]
fn no_former_generation_may_be_kept_and_half_removed_ones_are_none() {
    let mut world = World::new();
    world.keep = 0;
    world.install(&wheel("1.0")).unwrap();
    world.install(&wheel("2.0")).unwrap();
    assert_eq!(generations(&world), ["2*"]);
    // As if the process had died while it removed one.
    std::fs::create_dir_all(world.environment.discarded().join("1/lib")).unwrap();
    drop(world.environment.lock().unwrap());
    assert!(!world.environment.discarded().exists());
    assert_eq!(generations(&world), ["2*"]);
}

#[test]
fn whoever_waits_is_told_for_whom_and_may_give_up() {
    let world = World::new();
    let guard = world.environment.lock().unwrap();
    let told = std::cell::RefCell::new(Vec::new());
    let notice = |holder: &crate::Holder| told.borrow_mut().push(*holder);
    let limit =
        |milliseconds| crate::Waiting { limit: Some(std::time::Duration::from_millis(milliseconds)), notice: &notice };
    for (milliseconds, notices) in [(0, 0), (900, 1)] {
        let error = world.environment.lock_within(&limit(milliseconds)).unwrap_err();
        let InstallError::Busy { holder, .. } = error else { panic!("{error}") };
        assert_eq!((holder.pid, holder.since.is_some()), (Some(std::process::id()), true));
        assert_eq!(told.borrow().len(), notices);
    }
    told.borrow_mut().clear();
    world.environment.wait_to_read(&limit(900)).unwrap_err();
    assert_eq!(told.borrow().len(), 1);
    drop(guard);
    world.environment.wait_to_read(&limit(0)).unwrap();
    drop(world.environment.lock_within(&limit(0)).unwrap());
}
