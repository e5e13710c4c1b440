//! Removing entries, and who may do so; each beside what must stay.

use std::fs;
use std::time::Duration;

use super::*;
use crate::Wait;
use crate::tests::{Fixture, add, artifact, fixture, stored_wheel};

#[test]
fn an_entry_is_removed_whole_and_others_stay() {
    let Fixture { root, store } = fixture();
    let (wheel, sdist) = (stored_wheel(&store), artifact(b"sdist"));
    store.admit(&sdist, &mut b"sdist".as_slice()).unwrap();
    let tree = add(&store, &wheel);
    store.forget_bytes(&wheel).unwrap();
    let mut both = [*wheel.sha256(), sdist.sha256];
    both.sort_unstable();
    assert_eq!(store.entries().unwrap(), both);
    assert_eq!((store.trees().unwrap(), store.artifacts().unwrap()), (vec![*wheel.sha256()], vec![sdist.sha256]));

    // A file with another name is not freed.
    let room = store.entry_room(wheel.sha256()).tree;
    assert_eq!((room.entries, room.files, room.shared_bytes), (1, 6, 0));
    fs::hard_link(tree.files_dir().join("b.py"), root.path().join("linked.py")).unwrap();
    let room = store.entry_room(wheel.sha256()).tree;
    assert_eq!((room.shared_bytes, room.freed_bytes()), (3, room.bytes - 3));
    assert_eq!(store.entry_room(&sdist.sha256).artifact.entries, 1);

    store.remove(wheel.sha256()).unwrap();
    store.remove(wheel.sha256()).unwrap();
    assert_eq!(store.entries().unwrap(), [sdist.sha256]);
    assert_eq!(store.entry_room(wheel.sha256()), EntryRoom::default());
    assert_eq!(store.origins(wheel.sha256()).unwrap(), Vec::<String>::new());
    assert!(store.find(&sdist).unwrap().is_some());
    assert_eq!(fs::read(root.path().join("linked.py")).unwrap(), b"bee");
}

#[test]
fn what_is_in_no_place_of_an_entry_is_none() {
    let Fixture { root: _root, store } = fixture();
    let name = "a".repeat(64);
    for path in ["artifacts/bb", "trees/aa/short", "artifacts/aa"] {
        fs::create_dir_all(store.root().join(path)).unwrap();
    }
    fs::write(store.root().join("artifacts/bb").join(&name), "misplaced").unwrap();
    fs::write(store.root().join("artifacts/aa/readme"), "not a digest").unwrap();
    assert_eq!((store.artifacts().unwrap(), store.trees().unwrap()), (Vec::new(), Vec::new()));
}

#[test]
fn only_who_is_alone_may_prune() {
    let Fixture { root: _root, store } = fixture();
    let alone = || Store::open_alone(store.root(), Wait::Never).unwrap();
    assert!(alone().is_none());
    let clone = store.clone();
    let path = store.root().to_owned();
    drop(store);
    assert!(Store::open_alone(&path, Wait::Never).unwrap().is_none(), "a clone uses it too");
    drop(clone);
    let alone = Store::open_alone(&path, Wait::Never).unwrap().expect("nobody uses it");
    assert!(Store::open_alone(&path, Wait::Never).unwrap().is_none(), "one at a time");
    alone.sweep(Duration::ZERO).unwrap();
    // Who only looks is not in the way, and does not wait.
    assert!(Store::existing(&path).is_some());
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| Store::open(&path).unwrap());
        drop(alone);
        waiting.join().unwrap();
    });
}

#[test]
fn bytes_are_read_again_and_moved_away_only_when_asked_to() {
    let Fixture { root: _root, store } = fixture();
    let wanted = artifact(b"bytes");
    let stored = store.admit(&wanted, &mut b"bytes".as_slice()).unwrap();
    assert_eq!(store.read_artifact(&wanted.sha256).unwrap(), None);
    fs::remove_file(stored.path()).unwrap();
    assert_eq!(store.read_artifact(&wanted.sha256).unwrap(), None);
    fs::write(stored.path(), "other").unwrap();
    let damage = store.read_artifact(&wanted.sha256).unwrap().expect("it is damaged");
    assert!(damage.expected.contains(&wanted.sha256.to_string()) && damage.found.starts_with("sha256 "));
    assert!(stored.path().exists());
    store.quarantine_entry(&wanted.sha256, Part::Artifact).unwrap();
    assert_eq!(store.entries().unwrap(), []);
    assert_eq!(store.leftovers().unwrap().files, 2);
    fs::create_dir(stored.path()).unwrap();
    assert_eq!(store.read_artifact(&wanted.sha256).unwrap().expect("it is damaged").found, "no regular file");
}
