//! The directory that the environment is in is swapped for a link while pinfold works: the victim that the link leads to
//! stays as it is. Beside each, what a rename by path would have done.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};

use pinfold_lock::Wanted;
use pinfold_testkit::{WheelRecipe, copy_tree};

use crate::exchange::{Method, begin, put_in_place};
use crate::fixture::World;
use crate::{InstallError, Receipt, generations, ledger};

fn wheel(version: &str) -> [WheelRecipe; 1] {
    [WheelRecipe::new("a", version)]
}

/// An environment of two generations, in a directory that can be swapped, beside a victim that looks the same.
struct Swap {
    world: World,
    place: PathBuf,
    moved: PathBuf,
    victim: PathBuf,
}

impl Swap {
    fn new() -> Self {
        let world = World::at("place/.venv");
        world.install(&wheel("1.0")).unwrap();
        world.install(&wheel("2.0")).unwrap();
        let [place, moved, victim] = ["place", "moved", "victim"].map(|name| world.home().join(name));
        copy_tree(&place, &victim);
        Self { world, place, moved, victim }
    }

    fn swap(&self) {
        fs::rename(&self.place, &self.moved).unwrap();
        symlink(&self.victim, &self.place).unwrap();
    }

    fn version(&self, directory: &Path) -> Option<String> {
        let receipt = Receipt::read(&directory.join(".venv")).unwrap()?;
        Some(receipt.distributions[0].version.to_string())
    }
}

/// Returns everything below a directory: which entry it is, and what is in it.
fn snapshot(root: &Path) -> BTreeMap<PathBuf, (u64, Option<Vec<u8>>)> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(directory) = waiting.pop() {
        for path in fs::read_dir(&directory).unwrap().flatten().map(|entry| entry.path()) {
            let metadata = fs::symlink_metadata(&path).unwrap();
            let bytes = metadata.is_file().then(|| fs::read(&path).unwrap());
            waiting.extend(metadata.is_dir().then(|| path.clone()));
            found.insert(path, (metadata.ino(), bytes));
        }
    }
    found
}

fn is_refused<T: std::fmt::Debug>(result: Result<T, InstallError>) {
    let error = result.unwrap_err();
    assert!(matches!(error, InstallError::Foreign { .. }), "{error}");
    assert!(error.to_string().contains("another directory was put in its place"), "{error}");
}

#[test]
fn a_parent_that_is_swapped_before_the_exchange_is_refused() {
    let swap = Swap::new();
    let guard = swap.world.environment.lock().unwrap();
    let (selection, lock_sha256) = (swap.world.selection(&wheel("3.0")), swap.world.lock_sha256(&wheel("3.0")));
    let (wanted, options) = (Wanted::default(), swap.world.options());
    let intent = swap.world.intent(&selection, &lock_sha256, &wanted);
    let staged = crate::stage(&guard, &intent, &swap.world.unpack(&wheel("3.0")).unwrap(), &options).unwrap();
    // The victim has a complete directory where the new generation would be looked for.
    fs::create_dir_all(swap.victim.join(".pinfold-.venv/staging")).unwrap();
    copy_tree(staged.path(), &swap.victim.join(".pinfold-.venv/staging/new-3"));
    let before = snapshot(&swap.victim);
    swap.swap();
    is_refused(staged.exchange());
    is_refused(generations::rollback(&guard, None, "2024-08-21T00:00:00Z"));
    is_refused(begin(&guard));
    drop(guard);
    assert_eq!(snapshot(&swap.victim), before);
    assert_eq!(swap.version(&swap.moved).unwrap(), "2.0");
    // Once it is back, the next one tidies up, and works.
    fs::remove_file(&swap.place).unwrap();
    fs::rename(&swap.moved, &swap.place).unwrap();
    assert_eq!(swap.world.install(&wheel("3.0")).unwrap().generation, 3);
}

#[test]
fn a_parent_that_is_swapped_at_the_last_moment_is_worked_on_itself() {
    let swap = Swap::new();
    let guard = swap.world.environment.lock().unwrap();
    let (venv, former) = (swap.world.environment.venv(), swap.world.environment.generations().join("1"));
    let before = snapshot(&swap.victim);
    // Nothing comes between this and the renames: no look at the paths could help.
    swap.swap();
    let anchor = guard.anchor();
    anchor.exchange(&former, venv).unwrap();
    assert_eq!(swap.version(&swap.moved).unwrap(), "1.0");
    anchor.rename_new(&former, &swap.world.environment.generations().join("2")).unwrap();
    anchor.rename_new(venv, &swap.world.environment.set_aside(9)).unwrap();
    assert!(swap.moved.join(".pinfold-.venv/adopted-9/.pinfold").exists() && !swap.moved.join(".venv").exists());
    anchor.make_directory(&swap.world.environment.discarded()).unwrap();
    anchor.remove_directory(&swap.world.environment.discarded()).unwrap();
    anchor.write_note(&swap.world.environment.state().join("exchange"), b"note").unwrap();
    anchor.remove_file(&swap.world.environment.state().join("exchange")).unwrap();
    anchor.rename_new(&swap.world.environment.set_aside(9), venv).unwrap();
    let receipt = Receipt::read(&swap.moved.join(".venv")).unwrap().unwrap();
    ledger::append(&guard, &receipt, Some("2024-08-21T00:00:00Z")).unwrap();
    assert_eq!(snapshot(&swap.victim), before);
    let ledger = fs::read_to_string(swap.moved.join(".pinfold-.venv/ledger.jsonl")).unwrap();
    assert_eq!(ledger.lines().count(), 3);
    drop(guard);
    assert_eq!(snapshot(&swap.victim), before);
    // The same by path would have changed the victim.
    fs::rename(venv, swap.world.environment.set_aside(9)).unwrap();
    assert!(snapshot(&swap.victim) != before);
}

#[test]
fn directories_of_our_own_that_become_links_lead_nowhere() {
    let swap = Swap::new();
    let guard = swap.world.environment.lock().unwrap();
    let generations = swap.world.environment.generations();
    let opened = guard.anchor().open_directory(&generations.join("1")).unwrap();
    let receipt = Receipt::read_in(&opened).unwrap().unwrap();
    fs::rename(&generations, swap.world.home().join("generations")).unwrap();
    symlink(swap.victim.join(".pinfold-.venv/generations"), &generations).unwrap();
    let before = snapshot(&swap.victim);
    begin(&guard).unwrap();
    for method in [Method::Best, Method::Journalled] {
        put_in_place(&guard, &opened, receipt.clone(), method, |_| Ok(())).unwrap_err();
        assert_eq!(swap.version(&swap.place).unwrap(), "2.0", "{method:?}");
    }
    guard.anchor().make_directory(&generations).unwrap_err();
    assert_eq!(snapshot(&swap.victim), before);
}

#[test]
fn only_what_is_beside_the_environment_is_reached() {
    let swap = Swap::new();
    let guard = swap.world.environment.lock().unwrap();
    let state = swap.world.environment.state();
    for path in [swap.victim.join("x"), state.join("../../victim/x"), state.join("generations/../../x"), "x".into()] {
        assert!(guard.anchor().open_to_append(&path).is_err(), "{}", path.display());
    }
    guard.anchor().open_to_append(&state.join("generations/x")).unwrap();
    assert!(state.join("generations/x").is_file());
}

#[test]
fn a_lock_that_is_held_elsewhere_opens_nothing() {
    let swap = Swap::new();
    let lock = fs::File::open(swap.victim.join(".pinfold-.venv/lock")).unwrap();
    is_refused(super::Anchor::open(swap.world.environment.state(), ("lock", &lock)));
    let lock = fs::File::open(swap.place.join(".pinfold-.venv/lock")).unwrap();
    super::Anchor::open(swap.world.environment.state(), ("lock", &lock)).unwrap().check().unwrap();
}

#[test]
fn what_is_removed_is_what_was_opened() {
    let swap = Swap::new();
    let environment = &swap.world.environment;
    let guard = environment.lock().unwrap();
    for place in [&swap.place, &swap.victim] {
        let state = place.join(".pinfold-.venv");
        fs::create_dir_all(state.join("staging/new-3/lib")).unwrap();
        fs::create_dir(state.join("discarded")).unwrap();
        fs::rename(state.join("generations/1"), state.join("discarded/1")).unwrap();
    }
    let before = snapshot(&swap.victim);
    swap.swap();
    generations::remove_discarded(&guard);
    guard.anchor().remove_tree(&environment.staging().join("new-3")).unwrap();
    assert!(!swap.moved.join(".pinfold-.venv/discarded").exists());
    assert!(!swap.moved.join(".pinfold-.venv/staging/new-3").exists());
    assert_eq!(snapshot(&swap.victim), before);
    // A directory of our own that is a link is none; what it leads to stays.
    symlink(swap.victim.join(".pinfold-.venv/discarded"), swap.moved.join(".pinfold-.venv/discarded")).unwrap();
    generations::remove_discarded(&guard);
    assert_eq!(snapshot(&swap.victim), before);
    // The same by path would have removed what is the victim's.
    fs::remove_dir_all(environment.discarded()).unwrap();
    assert!(snapshot(&swap.victim) != before);
}

#[test]
fn what_is_read_is_in_what_was_opened() {
    let swap = Swap::new();
    let environment = &swap.world.environment;
    let guard = environment.lock().unwrap();
    // The victim's receipts say something else.
    let receipt = |directory: &str| swap.victim.join(directory).join(".pinfold/receipt.json");
    for directory in [".venv", ".pinfold-.venv/generations/1"] {
        let text = fs::read_to_string(receipt(directory)).unwrap();
        let (number, other) = if directory == ".venv" { (2, 7) } else { (1, 6) };
        let (from, to) = (format!("\"generation\": {number},"), format!("\"generation\": {other},"));
        assert!(text.contains(&from), "{text}");
        fs::write(receipt(directory), text.replace(&from, &to)).unwrap();
    }
    swap.swap();
    assert_eq!(guard.receipt().unwrap().unwrap().generation, 2);
    let former = guard.anchor().receipt(&environment.generations().join("1"));
    assert_eq!(former.unwrap().unwrap().generation, 1);
    assert_eq!(generations::next_number(&guard).unwrap(), 3);
    // By path it would be the victim's.
    assert_eq!(environment.receipt().unwrap().unwrap().generation, 7);
    // Who holds no lock opened nothing beforehand; but where the environment is, there was no link when it was named.
    let not_followed = |name: &str| {
        let error = generations::history(environment).unwrap_err();
        assert!(matches!(&error, InstallError::Io { path, .. } if path.ends_with(name)), "{error}");
    };
    not_followed("place");
    fs::remove_file(&swap.place).unwrap();
    fs::rename(&swap.moved, &swap.place).unwrap();
    fs::rename(environment.generations(), swap.world.home().join("moved")).unwrap();
    symlink(swap.victim.join(".pinfold-.venv/generations"), environment.generations()).unwrap();
    not_followed("generations");
    // The control: without links they are read.
    fs::remove_file(environment.generations()).unwrap();
    fs::rename(swap.world.home().join("moved"), environment.generations()).unwrap();
    let found = generations::history(environment).unwrap();
    assert_eq!(found.iter().map(|it| it.receipt.generation).collect::<Vec<_>>(), [2, 1]);
}
