//! Ledgers that were written anew, cut or lost, held against what was remembered; each beside the honest one.

use pinfold_testkit::WheelRecipe;

use super::*;
use crate::fixture::World;

fn known(world: &World) -> KnownEnvironments {
    KnownEnvironments::in_directory(world.home().join("cache/environments"))
}

fn install(world: &World, version: &str) -> Option<LedgerProblem> {
    world.install(&[WheelRecipe::new("a", version)]).unwrap();
    known(world).remember(&world.environment).unwrap()
}

fn path(world: &World) -> PathBuf {
    world.environment.state().join(LEDGER)
}

#[test]
fn what_was_installed_is_remembered_and_outlives_the_environment() {
    let world = World::new();
    assert_eq!(known(&world).list().unwrap(), []);
    for version in ["1.0", "2.0", "3.0"] {
        assert_eq!(install(&world, version), None);
        assert_eq!(known(&world).remember(&world.environment).unwrap(), None);
        assert!(known(&world).is_remembered(&world.environment));
    }
    let [one] = &known(&world).list().unwrap()[..] else { panic!("one is known") };
    assert_eq!((&*one.venv, one.is_present), (world.environment.venv(), true));
    assert_eq!(one.remembered, [ledger::ledger(&world.environment).unwrap()]);
    assert_eq!(known(&world).compare(&world.environment).unwrap(), []);

    fs::remove_dir_all(world.environment.venv()).unwrap();
    fs::remove_dir_all(world.environment.state()).unwrap();
    let [one] = &known(&world).list().unwrap()[..] else { panic!("one is known") };
    assert_eq!((one.is_present, one.remembered[0].entries.len()), (false, 3));
    assert_eq!(known(&world).compare(&world.environment).unwrap(), []);

    // A new environment in its place begins a ledger of its own, and is no cause for alarm.
    assert_eq!(install(&world, "4.0"), None);
    assert_eq!(known(&world).compare(&world.environment).unwrap(), []);
    let [one] = &known(&world).list().unwrap()[..] else { panic!("one is known") };
    let counts: Vec<usize> = one.remembered.iter().map(|ledger| ledger.entries.len()).collect();
    assert_eq!((one.is_present, counts), (true, vec![1, 3]));
}

#[test]
fn a_ledger_that_was_written_anew_or_cut_is_not_what_is_remembered() {
    let check = |change: &dyn Fn(&str) -> String, times: usize, line: usize, expected: &str, found: &str| {
        let world = World::new();
        for version in ["1.0", "2.0", "3.0"] {
            install(&world, version);
        }
        let text = fs::read_to_string(path(&world)).unwrap();
        fs::write(path(&world), change(&text)).unwrap();
        assert!(Ledger::read(change(&text).as_bytes()).is_intact(), "the chain alone does not show it");
        for _ in 0..times {
            let [problem] = &known(&world).compare(&world.environment).unwrap()[..] else { panic!("it is found") };
            assert_eq!((problem.code(), problem.line()), ("ledger-rewritten", line));
            let (was, is) = problem.expected_and_found();
            assert!(was.contains(expected) && is.contains(found), "{was} | {is}");
            // The next sync tells, and does not forget.
            install(&world, "4.0");
        }
    };
    let first = |text: &str, count: usize| text.lines().take(count).map(|line| format!("{line}\n")).collect::<String>();
    // The last line comes back by itself, from the receipt.
    check(&|text| first(text, 2), 1, 3, "generation 3", "nothing");
    check(&|text| first(text, 1), 2, 2, "generation 2", "");
    check(
        &|text| {
            // Both later lines again, with a chain that holds.
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            let old = digest(lines[1].as_bytes()).to_string();
            lines[1] = lines[1].replace("files/a-2.0", "files/a-2.1");
            lines[2] = lines[2].replace(&old, &digest(lines[1].as_bytes()).to_string());
            lines.iter().map(|line| format!("{line}\n")).collect()
        },
        2,
        2,
        "generation 2",
        "generation 2",
    );
}

#[test]
fn a_ledger_that_is_gone_while_its_environment_is_there_is_missed() {
    let world = World::new();
    install(&world, "1.0");
    install(&world, "2.0");
    fs::remove_file(path(&world)).unwrap();
    let [problem] = &known(&world).compare(&world.environment).unwrap()[..] else { panic!("it is found") };
    assert_eq!((problem.code(), problem.line()), ("ledger-rewritten", 1));
    let problem = install(&world, "3.0").unwrap();
    assert_eq!(problem.code(), "ledger-rewritten");
}

#[test]
fn a_copy_that_was_never_finished_is_mended_and_accuses_nobody() {
    let world = World::new();
    install(&world, "1.0");
    install(&world, "2.0");
    let copy = known(&world).place(world.environment.venv()).join(LEDGER);
    let whole = fs::read(&copy).unwrap();
    for torn in [&whole[..whole.len() - 20], &[&whole[..whole.len() - 20], &[0; 20]].concat(), b""] {
        fs::write(&copy, torn).unwrap();
        assert_eq!(known(&world).compare(&world.environment).unwrap(), []);
        assert_eq!(install(&world, "3.0"), None);
        assert_eq!(fs::read(&copy).unwrap(), fs::read(path(&world)).unwrap());
    }
    // And while a line of the ledger itself is unfinished, it is not copied.
    let mut text = fs::read(path(&world)).unwrap();
    text.extend(b"{\"gen");
    fs::write(path(&world), &text).unwrap();
    assert_eq!(known(&world).remember(&world.environment).unwrap(), None);
    assert_eq!(known(&world).compare(&world.environment).unwrap(), []);
    assert_eq!(install(&world, "4.0"), None);
    assert_eq!(fs::read(&copy).unwrap(), fs::read(path(&world)).unwrap());
}

#[test]
fn a_description_that_was_never_finished_is_written_again() {
    let world = World::new();
    install(&world, "1.0");
    fs::write(known(&world).place(world.environment.venv()).join(ABOUT), "{\"ve").unwrap();
    assert_eq!(known(&world).list().unwrap(), []);
    install(&world, "2.0");
    assert_eq!(known(&world).list().unwrap().len(), 1);
}
