//! Entries that moved, that were changed, and that a loss of power may have taken; each beside the one that is right.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use pinfold_testkit::bound_by_modes;

use super::*;
use crate::boot::Boot;
use crate::tests::{Fixture, add, artifact, fixture, manifest_of, stored_wheel, tamper, write_files};

const NEXT_BOOT: Boot = Boot([0xb0; 16]);

fn prepared() -> (Fixture, StoredTree) {
    let fixture = fixture();
    let tree = add(&fixture.store, &stored_wheel(&fixture.store));
    (fixture, tree)
}

fn ready(store: &Store, sha256: &Sha256) -> Result<StoredTree, Vec<Damage>> {
    match store.ready(store.tree(sha256).unwrap().expect("the tree is there")).unwrap() {
        Readiness::Ready(tree) => Ok(tree),
        Readiness::Damaged(damage) => Err(damage),
    }
}

/// The same store after the machine was started anew.
fn restarted(store: &Store) -> Store {
    let mut later = Store::open(store.root()).unwrap();
    later.boot = NEXT_BOOT;
    later
}

/// Writes to a file as a disk that lost its bytes: the same size, time, number and mode.
fn lose(path: &Path) {
    let metadata = fs::metadata(path).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(path, vec![0; usize::try_from(metadata.len()).unwrap()]).unwrap();
    File::open(path).unwrap().set_modified(metadata.modified().unwrap()).unwrap();
    fs::set_permissions(path, metadata.permissions()).unwrap();
}

fn manifest_bytes(tree: &StoredTree) -> Vec<u8> {
    fs::read(tree.directory().join(MANIFEST)).unwrap()
}

#[test]
fn a_tree_that_did_not_move_is_not_read() {
    let (Fixture { root: _root, store }, tree) = prepared();
    let before = manifest_bytes(&tree);
    // The proof: bytes that are wrong under right stamps are not seen in the same start of the machine.
    lose(&tree.files_dir().join("pkg/z.py"));
    assert!(ready(&store, tree.sha256()).is_ok());
    assert_eq!(manifest_bytes(&tree), before);
    assert!(!tree.directory().join(DURABLE).exists());
}

#[test]
fn a_tree_that_was_copied_or_touched_is_stamped_anew() {
    let (Fixture { root: _root, store }, tree) = prepared();
    let check = |change: &dyn Fn(&Path)| {
        for file in ["b.py", "pkg/z.py", "pkg/sub/tool"] {
            change(&tree.files_dir().join(file));
        }
        assert!(!store.check_tree(&store.tree(tree.sha256()).unwrap().unwrap()).unwrap().is_empty());
        let mended = ready(&store, tree.sha256()).expect("its bytes are right");
        assert_eq!(store.check_tree(&mended).unwrap(), []);
        let again = store.tree(tree.sha256()).unwrap().unwrap();
        assert_eq!(again.manifest(), mended.manifest());
        assert_eq!(store.take_damage(), []);
    };
    check(&|path| File::open(path).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap());
    check(&|path| fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap());
    check(&|path| {
        fs::copy(path, path.with_extension("copy")).unwrap();
        fs::rename(path.with_extension("copy"), path).unwrap();
    });
    let modes = |file: &str| fs::metadata(tree.files_dir().join(file)).unwrap().mode() & 0o7777;
    assert_eq!((modes("b.py"), modes("pkg/sub/tool")), (0o444, 0o555));
}

#[test]
fn a_tree_that_another_process_has_put_aside_is_no_failure() {
    let (Fixture { root: _root, store }, tree) = prepared();
    let other = Store::open(store.root()).unwrap();
    tamper(&tree.files_dir().join("pkg/z.py"), b"bad");
    ready(&other, tree.sha256()).expect_err("it was changed");
    // This one took it before.
    let missing = store.check_tree(&tree).unwrap();
    assert_eq!(missing.len(), tree.manifest().files.len(), "{missing:?}");
    assert!(matches!(store.ready(tree.clone()).unwrap(), Readiness::Damaged(damage) if damage.is_empty()));
    let again = add(&other, &stored_wheel(&other));
    let Readiness::Ready(found) = store.ready(tree).unwrap() else { panic!("it was made again") };
    assert_eq!(found.manifest(), again.manifest());
    assert_eq!(store.take_damage(), []);
}

#[test]
fn a_tree_that_was_changed_is_told_and_put_aside() {
    let check = |change: &dyn Fn(&Path), path: &str, expected: &str, found: &str| {
        let (Fixture { root: _root, store }, tree) = prepared();
        change(tree.files_dir());
        let damage = ready(&store, tree.sha256()).expect_err("it was changed");
        let [one] = &damage[..] else { panic!("{damage:?}") };
        assert_eq!((&one.artifact, one.path.as_str()), (tree.sha256(), path));
        assert!(one.expected.contains(expected) && one.found.contains(found), "{one:?}");
        assert!(store.tree(tree.sha256()).unwrap().is_none());
        assert_eq!(fs::read_dir(store.root().join("quarantine")).unwrap().count(), 1);
        assert_eq!((store.take_damage(), store.take_damage()), (damage, Vec::new()));
        add(&store, &stored_wheel(&store));
        assert!(ready(&store, tree.sha256()).is_ok());
    };
    let zed = sha2::Sha256::digest(b"zed").iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    check(&|files| tamper(&files.join("pkg/z.py"), b"bad"), "pkg/z.py", &zed, "3 bytes, sha256 ");
    check(&|files| tamper(&files.join("b.py"), b"longer"), "b.py", "3 bytes", "more than 3 bytes");
    check(&|files| fs::remove_file(files.join("b.py")).unwrap(), "b.py", "3 bytes", "no regular file");
    check(&|files| fs::remove_dir_all(files.join("pkg/sub")).unwrap(), "pkg/sub/tool", "2 bytes", "nothing");
    let link = |files: &Path| {
        fs::rename(files.join("b.py"), files.join("b2.py")).unwrap();
        std::os::unix::fs::symlink("b2.py", files.join("b.py")).unwrap();
    };
    check(&link, "b.py", "3 bytes", "no regular file");
}

#[test]
fn a_directory_that_became_a_link_is_a_change_wherever_it_is() {
    let check = |swap: &str, wanted: &str| {
        let Fixture { root, store } = fixture();
        let files: [(&str, &[u8], bool); 2] = [("pkg/sub/tool", b"#!", true), ("space/inner/m.py", b"m", false)];
        let fill = |directory: &Path| {
            write_files(directory, &files);
            Ok::<_, StoreError>(manifest_of(&files))
        };
        let tree = store.add_tree(&stored_wheel(&store), fill).unwrap();
        let (elsewhere, inside) = (root.path().join("elsewhere"), tree.files_dir().join(swap));
        fs::rename(&inside, &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &inside).unwrap();
        assert!(!store.read_tree(&tree, &|_| {}).unwrap().is_empty(), "{swap}");
        let damage = ready(&store, tree.sha256()).expect_err("it was changed");
        assert_eq!(damage.iter().map(|it| it.path.as_str()).collect::<Vec<_>>(), [wanted], "{swap}");
        add(&store, &stored_wheel(&store));
        assert!(ready(&store, tree.sha256()).is_ok());
    };
    check("pkg/sub", "pkg/sub/tool");
    // Nothing is in it but a directory, so nobody looks at a file of it.
    check("space", "space/inner/m.py");
}

#[test]
fn what_may_not_be_read_is_damage() {
    // Root may read it all the same, and makes it right.
    if rustix::process::geteuid().is_root() {
        what_may_not_be_read(true);
    }
    bound_by_modes("trees that may not be read", || what_may_not_be_read(false));
}

fn what_may_not_be_read(is_root: bool) {
    for (path, mode) in [("pkg/z.py", 0o000), ("pkg/sub", 0o000), ("pkg/sub", 0o400)] {
        let (Fixture { root: _root, store }, tree) = prepared();
        let (inside, moved) = (tree.files_dir().join(path), store.root().join("quarantine"));
        let before = fs::metadata(&inside).unwrap().permissions();
        fs::set_permissions(&inside, fs::Permissions::from_mode(mode)).unwrap();
        let read = store.read_tree(&tree, &|_| {}).unwrap();
        assert_eq!(read.is_empty(), is_root, "{path} {mode:o}: {read:?}");
        let damage = ready(&store, tree.sha256()).map(drop);
        assert_eq!(damage.is_ok(), is_root, "{path} {mode:o}: {damage:?}");
        if is_root {
            fs::set_permissions(inside, before).unwrap();
        }
        // Nor does it hinder whoever makes room.
        store.sweep(Duration::ZERO).unwrap();
        assert_eq!(fs::read_dir(moved).unwrap().count(), 0);
    }
}

/// Takes every right to something away.
fn close(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o000)).unwrap();
}

#[test]
fn a_moved_tree_that_cannot_be_stamped_anew_is_believed_while_the_store_is_open() {
    bound_by_modes("a store that is only read", || {
        let (Fixture { root: _root, store }, tree) = prepared();
        let (sha256, file) = (*tree.sha256(), tree.files_dir().join("pkg/z.py"));
        let before = manifest_bytes(&tree);
        File::open(&file).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        fs::set_permissions(tree.directory(), fs::Permissions::from_mode(0o500)).unwrap();
        for store in [store.clone(), Store::open(store.root()).unwrap()] {
            assert!(ready(&store, &sha256).is_ok());
            assert_eq!(manifest_bytes(&tree), before);
            // Whoever asks again is given what may be linked from.
            let again = store.tree(&sha256).unwrap().unwrap();
            assert_eq!(store.check_tree(&again).unwrap(), []);
        }
        // A change is noticed all the same, and told of once.
        tamper(&file, b"xxx");
        assert_eq!(ready(&store, &sha256).unwrap_err()[0].path, "pkg/z.py");
        assert!(store.tree(&sha256).unwrap().is_none());
        assert_eq!(store.take_damage().len(), 1);
    });
}

#[test]
fn a_changed_tree_that_cannot_be_put_aside_is_refused_by_name() {
    bound_by_modes("a quarantine that is only read", || {
        let (Fixture { root: _root, store }, tree) = prepared();
        let quarantine = |mode| {
            fs::set_permissions(store.root().join("quarantine"), fs::Permissions::from_mode(mode)).unwrap();
        };
        quarantine(0o500);
        tamper(&tree.files_dir().join("pkg/z.py"), b"xxx");
        let error = store.ready(tree.clone()).unwrap_err();
        assert_eq!(error.refusal_code(), Some("store-mismatch"));
        assert!(error.to_string().starts_with("`pkg/z.py` in the stored tree of sha256 "), "{error}");
        fs::write(tree.directory().join(MANIFEST), "nonsense").unwrap();
        let error = store.tree(tree.sha256()).unwrap_err();
        assert!(error.to_string().starts_with("the stored tree of sha256 "), "{error}");
        quarantine(0o700);
        assert_eq!((store.take_damage(), store.tree(tree.sha256()).unwrap().is_none()), (vec![], true));
    });
}

#[test]
fn of_a_tree_that_somebody_else_has_put_aside_there_is_nothing_to_tell() {
    let (Fixture { root: _root, store }, tree) = prepared();
    store.quarantine(&tree).unwrap();
    assert!(matches!(store.ready(tree.clone()).unwrap(), Readiness::Damaged(damage) if damage.is_empty()));
    assert_eq!(store.take_damage(), []);
    assert_eq!(store.read_tree(&tree, &|_| {}).unwrap(), []);
    assert!(!store.has_tree(tree.sha256()));
    // Nor is what was made in its place touched.
    let again = add(&store, &stored_wheel(&store));
    assert!(matches!(store.ready(tree).unwrap(), Readiness::Ready(_)));
    assert!(ready(&store, again.sha256()).is_ok());
}

#[test]
fn a_link_in_the_place_of_a_tree_is_put_aside() {
    let (Fixture { root, store }, tree) = prepared();
    let (sha256, elsewhere) = (*tree.sha256(), root.path().join("elsewhere"));
    fs::rename(tree.directory(), &elsewhere).unwrap();
    for to in [elsewhere.as_path(), tree.directory(), Path::new("nothing")] {
        std::os::unix::fs::symlink(to, tree.directory()).unwrap();
        assert!(store.tree(&sha256).unwrap().is_none(), "{}", to.display());
        assert_eq!(store.take_damage().len(), 1);
        assert!(fs::symlink_metadata(tree.directory()).is_err());
    }
    assert!(elsewhere.join(MANIFEST).exists());
}

#[test]
fn a_closed_tree_is_told_of_put_aside_and_made_again() {
    bound_by_modes("closed trees", || {
        for (inside, expected) in [
            ("", "a manifest with its digest"),
            (MANIFEST, "a manifest with its digest"),
            ("files", "a directory of files"),
            ("files/pkg", "0 bytes"),
            ("files/b.py", "3 bytes"),
        ] {
            let (Fixture { root: _root, store }, tree) = prepared();
            let (sha256, path) = (*tree.sha256(), tree.directory().join(inside));
            close(if inside.is_empty() { tree.directory() } else { &path });
            let found = store.tree(&sha256).unwrap().map(|tree| store.ready(tree).unwrap());
            assert!(!matches!(found, Some(Readiness::Ready(_))), "{inside}");
            let told = store.take_damage();
            assert!(told[0].artifact == sha256 && told[0].expected.starts_with(expected), "{inside}: {told:?}");
            assert!(told[0].found.contains("what may not be read"), "{inside}: {told:?}");
            assert!(fs::symlink_metadata(tree.directory()).is_err(), "{inside}");
            add(&store, &stored_wheel(&store));
            assert!(ready(&store, &sha256).is_ok(), "{inside}");
            // Nor does it hinder whoever makes room.
            store.sweep(Duration::ZERO).unwrap();
            assert_eq!(fs::read_dir(store.root().join("quarantine")).unwrap().count(), 0);
        }
    });
}

#[test]
fn a_closed_artifact_or_record_is_told_of_and_admitted_again() {
    bound_by_modes("closed artifacts", || {
        let wanted = artifact(b"bytes");
        for (extension, expected) in [("", "sha256 "), ("from", "a record of where it came from")] {
            let Fixture { root: _root, store } = fixture();
            let stored = store.admit(&wanted, &mut b"bytes".as_slice()).unwrap();
            let path = stored.path().with_extension(extension);
            close(&path);
            assert_eq!(store.read_artifact(&wanted.sha256).unwrap().is_some(), extension.is_empty());
            assert_eq!(store.read_record(&wanted.sha256).unwrap().is_some(), !extension.is_empty());
            assert_eq!(store.find(&wanted).unwrap(), None, "{extension}");
            let told = store.take_damage();
            assert!(told.len() == 1 && told[0].expected.starts_with(expected), "{extension}: {told:?}");
            assert_eq!(told[0].found, "what may not be read");
            let again = store.admit(&wanted, &mut b"bytes".as_slice()).unwrap();
            assert_eq!(store.find(&wanted).unwrap(), Some(again), "{extension}");
            assert_eq!(store.take_damage(), []);
        }
    });
}

/// A record that its owner may read and not write is added to all the same.
#[test]
fn a_record_that_is_read_only_is_added_to() {
    bound_by_modes("a record that is read-only", || {
        let Fixture { root: _root, store } = fixture();
        let stored = stored_wheel(&store);
        let record = stored.path().with_extension("from");
        fs::set_permissions(&record, fs::Permissions::from_mode(0o444)).unwrap();
        let elsewhere = crate::tests::artifact_of(b"wheel", "https://mirror.example/simple/");
        store.admit(&elsewhere, &mut b"wheel".as_slice()).unwrap();
        assert_eq!(store.origins(stored.sha256()).unwrap().len(), 2);
    });
}

#[test]
fn directories_of_the_store_that_were_closed_are_opened_again() {
    bound_by_modes("closed directories of the store", || {
        let wanted = artifact(b"bytes");
        for what in ["", "artifacts", "trees", "partial", "staging", "quarantine", "lock", "shard", "shard of trees"] {
            let Fixture { root: _root, store } = fixture();
            let tree = add(&store, &stored_wheel(&store));
            let stored = store.admit(&wanted, &mut b"bytes".as_slice()).unwrap();
            let root = store.root().to_owned();
            let path = match what {
                "" => root.clone(),
                "shard" => stored.path().parent().unwrap().to_owned(),
                "shard of trees" => tree.directory().parent().unwrap().to_owned(),
                name => root.join(name),
            };
            close(&path);
            let store = Store::open(&root).unwrap();
            assert_eq!(store.find(&wanted).unwrap(), Some(stored), "{what}");
            assert!(ready(&store, tree.sha256()).is_ok(), "{what}");
            assert_eq!(store.entries().unwrap().len(), 2, "{what}");
            assert_eq!(store.take_damage(), [], "{what}");
            // Then it is as it was when it was made.
            let mode = fs::symlink_metadata(&path).unwrap().mode() & 0o7777;
            assert!(mode & 0o077 == 0 && mode & 0o400 != 0, "{what}: {mode:o}");
            store.remove(tree.sha256()).unwrap();
            store.remove(&wanted.sha256).unwrap();
            assert_eq!(store.entries().unwrap(), [], "{what}");
        }
    });
}

/// A cache may be read-only on purpose: what can be read there is read, and its modes stay.
#[test]
fn directories_that_may_be_read_keep_their_modes() {
    bound_by_modes("a store that is only read", || {
        let wanted = artifact(b"bytes");
        let Fixture { root: _root, store } = fixture();
        let tree = add(&store, &stored_wheel(&store));
        let stored = store.admit(&wanted, &mut b"bytes".as_slice()).unwrap();
        let shard = |path: &Path| path.parent().unwrap().to_owned();
        let directories = [store.root().join("trees"), shard(stored.path()), shard(tree.directory())];
        let set = |mode| {
            directories.iter().for_each(|it| fs::set_permissions(it, fs::Permissions::from_mode(mode)).unwrap());
        };
        set(0o500);
        let store = Store::open(store.root()).unwrap();
        assert!(store.find(&wanted).unwrap().is_some() && ready(&store, tree.sha256()).is_ok());
        assert!(store.tree(&artifact(b"other").sha256).unwrap().is_none());
        for path in &directories {
            assert_eq!(fs::symlink_metadata(path).unwrap().mode() & 0o7777, 0o500, "{}", path.display());
        }
        set(0o700);
    });
}

#[test]
fn a_closed_leftover_hinders_neither_a_download_nor_whoever_makes_room() {
    bound_by_modes("closed leftovers", || {
        let wanted = artifact(b"bytes");
        let Fixture { root: _root, store } = fixture();
        store.admission(&wanted).unwrap().push(b"by").unwrap();
        let partial = || fs::read_dir(store.root().join("partial")).unwrap().flatten().map(|it| it.path());
        partial().for_each(|path| close(&path));
        let stored = store.admit(&wanted, &mut b"bytes".as_slice()).unwrap();
        assert_eq!(store.find(&wanted).unwrap(), Some(stored));
        store.admission(&artifact(b"other")).unwrap().push(b"ot").unwrap();
        fs::create_dir_all(store.root().join("staging/new/files")).unwrap();
        partial().for_each(|path| close(&path));
        close(&store.root().join("staging/new/files"));
        store.sweep(Duration::ZERO).unwrap();
        assert_eq!(partial().count() + fs::read_dir(store.root().join("staging")).unwrap().count(), 0);
    });
}

#[test]
fn an_entry_that_is_none_any_more_is_put_aside() {
    let check = |change: &dyn Fn(&Path)| {
        let (Fixture { root: _root, store }, tree) = prepared();
        change(tree.directory());
        assert!(store.peek_tree(tree.sha256()).unwrap().is_none());
        assert!(store.tree(tree.sha256()).unwrap().is_none());
        assert_eq!(store.take_damage(), [store.unreadable(tree.sha256())]);
        assert!(fs::symlink_metadata(tree.directory()).is_err());
        add(&store, &stored_wheel(&store));
        assert!(ready(&store, tree.sha256()).is_ok());
    };
    let remove = |path: &Path| match path.is_dir() {
        true => fs::remove_dir_all(path).unwrap(),
        false => fs::remove_file(path).unwrap(),
    };
    let link = |path: &Path, to: &Path| std::os::unix::fs::symlink(to, path).unwrap();
    check(&|entry| remove(&entry.join("files")));
    check(&|entry| {
        remove(&entry.join("files"));
        fs::write(entry.join("files"), "").unwrap();
    });
    check(&|entry| {
        fs::rename(entry.join("files"), entry.join("moved")).unwrap();
        link(&entry.join("files"), &entry.join("moved"));
    });
    check(&|entry| {
        remove(&entry.join(MANIFEST));
        fs::create_dir(entry.join(MANIFEST)).unwrap();
    });
    // Whoever opens a pipe waits for its writer.
    check(&|entry| {
        remove(&entry.join(MANIFEST));
        pinfold_testkit::make_pipe(&entry.join(MANIFEST));
    });
    check(&|entry| {
        remove(entry);
        fs::write(entry, "").unwrap();
    });
    check(&|entry| {
        remove(entry);
        link(entry, Path::new("/nowhere"));
    });
}

#[test]
fn a_record_that_is_none_any_more_gives_way_to_a_new_one() {
    let Fixture { root: _root, store } = fixture();
    let stored = stored_wheel(&store);
    let record = stored.path().with_extension("from");
    fs::remove_file(&record).unwrap();
    fs::create_dir(&record).unwrap();
    assert_eq!(store.origins(stored.sha256()).unwrap(), Vec::<String>::new());
    stored_wheel(&store);
    assert_eq!(store.origins(stored.sha256()).unwrap().len(), 1);
}

#[test]
fn after_a_restart_bytes_are_read_once() {
    let (Fixture { root: _root, store }, tree) = prepared();
    let later = restarted(&store);
    assert!(ready(&later, tree.sha256()).is_ok());
    assert!(tree.directory().join(DURABLE).exists());
    // They are not read again: what is lost from now on was not lost by this start.
    lose(&tree.files_dir().join("pkg/z.py"));
    assert!(ready(&later, tree.sha256()).is_ok());
}

#[test]
fn bytes_that_were_lost_with_the_power_are_found_after_the_restart() {
    let (Fixture { root: _root, store }, tree) = prepared();
    lose(&tree.files_dir().join("pkg/z.py"));
    assert_eq!(store.check_tree(&tree).unwrap(), [], "no stamp shows it");
    let later = restarted(&store);
    let damage = ready(&later, tree.sha256()).expect_err("bytes were lost");
    assert_eq!((damage.len(), damage[0].path.as_str()), (1, "pkg/z.py"));
    let again = add(&later, &stored_wheel(&later));
    assert_eq!(again.written, NEXT_BOOT);
    assert!(ready(&later, again.sha256()).is_ok());
}

#[test]
fn a_copy_made_in_this_start_is_read_after_the_next() {
    let (Fixture { root: _root, store }, tree) = prepared();
    let later = restarted(&store);
    ready(&later, tree.sha256()).unwrap();
    // The whole store is put back from a backup, the mark too, and the power goes before it is on the disk.
    let path = tree.files_dir().join("pkg/z.py");
    fs::copy(&path, path.with_extension("copy")).unwrap();
    fs::rename(path.with_extension("copy"), &path).unwrap();
    ready(&later, tree.sha256()).unwrap();
    assert!(!tree.directory().join(DURABLE).exists());
    lose(&path);
    let mut third = restarted(&store);
    third.boot = Boot([0xc0; 16]);
    assert_eq!(ready(&third, tree.sha256()).expect_err("bytes were lost").len(), 1);
}

#[test]
fn artifacts_are_read_once_after_a_restart_too() {
    let Fixture { root: _root, store } = fixture();
    let wanted = artifact(b"bytes");
    let stored = store.admit(&wanted, &mut b"bytes".as_slice()).unwrap();
    let later = restarted(&store);
    assert_eq!(later.find(&wanted).unwrap(), Some(stored.clone()));
    let record = fs::read_to_string(stored.path().with_extension("from")).unwrap();
    assert_eq!(record.matches("durable").count(), 1, "{record}");
    later.find(&wanted).unwrap().unwrap();
    assert_eq!(fs::read_to_string(stored.path().with_extension("from")).unwrap(), record, "it was not read again");

    let lost = artifact(b"other");
    let stored = store.admit(&lost, &mut b"other".as_slice()).unwrap();
    lose(stored.path());
    assert!(store.find(&lost).unwrap().is_some(), "no stamp shows it");
    assert_eq!(later.find(&lost).unwrap(), None);
    let damage = later.take_damage();
    assert_eq!((damage.len(), damage[0].artifact), (1, lost.sha256));
}

#[test]
fn every_byte_and_every_file_is_read_when_asked_for() {
    let (Fixture { root: _root, store }, tree) = prepared();
    let read = std::sync::atomic::AtomicU64::new(0);
    let count = |bytes: u64| {
        read.fetch_add(bytes, Ordering::Relaxed);
    };
    assert_eq!(store.read_tree(&tree, &count).unwrap(), []);
    assert_eq!(read.into_inner(), tree.manifest().files.iter().map(|file| file.size_bytes).sum::<u64>());
    lose(&tree.files_dir().join("b.py"));
    fs::write(tree.files_dir().join("pkg/added.py"), "x").unwrap();
    let paths = |damage: Vec<Damage>| damage.into_iter().map(|it| it.path).collect::<Vec<String>>();
    assert_eq!(paths(store.read_tree(&tree, &|_| {}).unwrap()), ["b.py", "pkg/added.py"]);
    assert!(store.tree(tree.sha256()).unwrap().is_some(), "reading moves nothing");
}

#[test]
fn many_large_files_are_read_on_both_cores() {
    let Fixture { root: _root, store } = fixture();
    let stored = stored_wheel(&store);
    let names: Vec<String> = (0..40).map(|number| format!("data/{number}.bin")).collect();
    let tree = store
        .add_tree(&stored, |directory| {
            fs::create_dir(directory.join("data")).unwrap();
            let file = |name: &String| {
                let bytes = vec![u8::try_from(name.len()).unwrap(); 400_000];
                fs::write(directory.join(name), &bytes).unwrap();
                let sha256 = Sha256::from_bytes(sha2::Sha256::digest(&bytes).into());
                TreeFile::new(name.parse().unwrap(), bytes.len() as u64, sha256, false)
            };
            let files = names.iter().map(file).collect();
            Ok::<_, StoreError>(crate::TreeManifest { files, note: std::collections::BTreeMap::new() })
        })
        .unwrap();
    assert_eq!(store.read_tree(&tree, &|_| {}).unwrap(), []);
    for name in ["data/3.bin", "data/31.bin"] {
        lose(&tree.files_dir().join(name));
    }
    let found: Vec<String> = store.read_tree(&tree, &|_| {}).unwrap().into_iter().map(|it| it.path).collect();
    assert_eq!(found, ["data/3.bin", "data/31.bin"]);
}

#[test]
fn use_is_noted_once_a_day() {
    let (Fixture { root: _root, store }, tree) = prepared();
    let wanted = artifact(b"wheel");
    let manifest: PathBuf = tree.directory().join(MANIFEST);
    let long_ago = SystemTime::now() - Duration::from_secs(40 * 24 * 60 * 60);
    File::open(&manifest).unwrap().set_modified(long_ago).unwrap();
    assert!(store.last_used(tree.sha256()).unwrap() <= long_ago);
    store.unpacked(&wanted).unwrap().unwrap();
    let used = store.last_used(tree.sha256()).unwrap();
    assert!(used.elapsed().unwrap() < Duration::from_secs(3600));
    let an_hour_ago = SystemTime::now() - Duration::from_secs(3600);
    File::open(&manifest).unwrap().set_modified(an_hour_ago).unwrap();
    store.unpacked(&wanted).unwrap().unwrap();
    assert!(store.last_used(tree.sha256()).unwrap() <= an_hour_ago);
}
