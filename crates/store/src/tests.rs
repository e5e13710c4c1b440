//! The store against lying bytes, damage, interruption and other processes; each beside the case that must work.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use pinfold_artifact::{Artifact, Origin, Sha256};
use sha2::Digest;

use crate::{Store, StoreError, Stored, StoredTree, TreeFile, TreeManifest};

pub(crate) struct Fixture {
    pub(crate) root: tempfile::TempDir,
    pub(crate) store: Store,
}

pub(crate) fn fixture() -> Fixture {
    let root = tempfile::tempdir().unwrap();
    let store = Store::open(&root.path().join("store")).unwrap();
    Fixture { root, store }
}

pub(crate) fn artifact(bytes: &[u8]) -> Artifact {
    artifact_of(bytes, "https://index.example/simple/")
}

pub(crate) fn artifact_of(bytes: &[u8], index: &str) -> Artifact {
    Artifact {
        filename: "a-1.0-py3-none-any.whl".parse().unwrap(),
        url: "https://index.example/files/a-1.0-py3-none-any.whl".parse().unwrap(),
        size_bytes: bytes.len() as u64,
        sha256: Sha256::from_bytes(sha2::Sha256::digest(bytes).into()),
        origin: Origin::new(&index.parse().unwrap(), []),
    }
}

/// Returns every file below a directory, without the one that is locked.
fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_below(&path));
        } else if !path.ends_with("lock") {
            found.push(path);
        }
    }
    found
}

fn code(error: &StoreError) -> Option<&'static str> {
    error.refusal_code()
}

/// Makes a stored file writable and writes to it, as someone with intent would.
pub(crate) fn tamper(path: &Path, bytes: &[u8]) {
    let before = fs::metadata(path).unwrap().modified().unwrap();
    let mut permissions = fs::metadata(path).unwrap().permissions();
    let mode = permissions.clone();
    #[expect(clippy::permissions_set_readonly_false, reason = "the test owns the file")]
    permissions.set_readonly(false);
    fs::set_permissions(path, permissions).unwrap();
    let mut file = File::options().write(true).open(path).unwrap();
    file.write_all(bytes).unwrap();
    file.set_modified(before + Duration::from_secs(1)).unwrap();
    fs::set_permissions(path, mode).unwrap();
}

#[test]
fn admits_the_locked_bytes_and_finds_them_again() {
    let Fixture { root: _root, store } = fixture();
    let bytes = b"the locked bytes";
    assert_eq!(store.find(&artifact(bytes)).unwrap(), None);
    let stored = store.admit(&artifact(bytes), &mut bytes.as_slice()).unwrap();
    assert_eq!(store.find(&artifact(bytes)).unwrap().as_ref(), Some(&stored));
    let mut read = Vec::new();
    stored.open().unwrap().read_to_end(&mut read).unwrap();
    assert_eq!(read, bytes);
    assert!(fs::metadata(stored.path()).unwrap().permissions().readonly());
    // Another process opens the same directory.
    assert_eq!(Store::open(store.root()).unwrap().find(&artifact(bytes)).unwrap(), Some(stored));
}

#[test]
fn refuses_other_bytes_and_leaves_nothing() {
    let Fixture { root: _root, store } = fixture();
    let check = |arrived: &[u8], expected: &str| {
        let error = store.admit(&artifact(b"locked"), &mut &*arrived).unwrap_err();
        assert_eq!(code(&error), Some(expected), "{error}");
        assert_eq!(files_below(store.root()), Vec::<PathBuf>::new());
    };
    check(b"lockef", "hash-mismatch");
    check(b"locke", "size-mismatch");
    check(b"locked!", "size-mismatch");
    check(b"", "size-mismatch");
    store.admit(&artifact(b"locked"), &mut b"locked".as_slice()).unwrap();
}

#[test]
fn an_endless_source_is_left_after_one_byte_too_many() {
    let Fixture { root: _root, store } = fixture();
    let error = store.admit(&artifact(b"locked"), &mut std::io::repeat(b'x')).unwrap_err();
    assert!(matches!(error, StoreError::SizeMismatch { found: 7, .. }), "{error}");
}

#[test]
fn a_source_that_fails_leaves_nothing() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _buffer: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::ConnectionReset.into())
        }
    }
    let Fixture { root: _root, store } = fixture();
    let mut source = b"lo".as_slice().chain(Broken);
    let error = store.admit(&artifact(b"locked"), &mut source).unwrap_err();
    assert!(matches!(error, StoreError::Source { .. }));
    assert_eq!(files_below(store.root()), Vec::<PathBuf>::new());
}

#[test]
fn the_same_bytes_from_another_index_are_not_found() {
    let Fixture { root: _root, store } = fixture();
    let (ours, theirs) = (artifact(b"bytes"), artifact_of(b"bytes", "https://mirror.example/simple/"));
    store.admit(&ours, &mut b"bytes".as_slice()).unwrap();
    assert_eq!(store.find(&theirs).unwrap(), None);
    store.admit(&theirs, &mut b"bytes".as_slice()).unwrap();
    assert!(store.find(&theirs).unwrap().is_some());
    assert!(store.find(&ours).unwrap().is_some());
}

#[test]
fn a_lock_with_another_size_does_not_find_and_does_not_harm() {
    let Fixture { root: _root, store } = fixture();
    let right = artifact(b"bytes");
    let wrong = Artifact { size_bytes: 4, ..right.clone() };
    store.admit(&right, &mut b"bytes".as_slice()).unwrap();
    assert_eq!(store.find(&wrong).unwrap(), None);
    assert!(store.find(&right).unwrap().is_some());
}

#[test]
fn an_artifact_changed_in_the_store_is_put_aside() {
    let Fixture { root: _root, store } = fixture();
    let wanted = artifact(b"bytes");
    for tampered in [b"Bytes".as_slice(), b"bytes and more"] {
        let stored = store.admit(&wanted, &mut b"bytes".as_slice()).unwrap();
        tamper(stored.path(), tampered);
        assert_eq!(store.find(&wanted).unwrap(), None);
        assert!(!stored.path().exists());
    }
    // Fetched again, all is well; and a file that was only touched is hashed and believed again.
    let stored = store.admit(&wanted, &mut b"bytes".as_slice()).unwrap();
    File::open(stored.path()).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(store.find(&wanted).unwrap(), Some(stored));
}

#[test]
fn a_change_that_keeps_size_and_time_is_found_by_hashing() {
    let Fixture { root: _root, store } = fixture();
    let wanted = artifact(b"bytes");
    let stored = store.admit(&wanted, &mut b"bytes".as_slice()).unwrap();
    store.recheck(&stored).unwrap();
    let time = fs::metadata(stored.path()).unwrap().modified().unwrap();
    tamper(stored.path(), b"Bytes");
    File::open(stored.path()).unwrap().set_modified(time).unwrap();
    assert_eq!(code(&store.recheck(&stored).unwrap_err()), Some("store-mismatch"));
    assert_eq!(store.find(&wanted).unwrap(), None);
}

#[test]
fn an_interrupted_admission_is_taken_up() {
    let Fixture { root: _root, store } = fixture();
    let wanted = artifact(b"first half, second half");
    let mut interrupted = store.admission(&wanted).unwrap();
    interrupted.write_all(b"first half").unwrap();
    drop(interrupted);
    // Bytes of one index are never mixed with those of another.
    let elsewhere = artifact_of(b"first half, second half", "https://mirror.example/simple/");
    assert_eq!(store.admission(&elsewhere).unwrap().written(), 0);
    let mut resumed = store.admission(&wanted).unwrap();
    assert_eq!(resumed.written(), 10);
    resumed.push(b", second half").unwrap();
    let stored = resumed.finish().unwrap();
    assert_eq!(store.find(&wanted).unwrap(), Some(stored));
    assert_eq!(store.admission(&wanted).unwrap().written(), 0);
}

#[test]
fn a_partial_file_that_lies_is_refused_and_forgotten() {
    let Fixture { root: _root, store } = fixture();
    let wanted = artifact(b"first half, second half");
    store.admission(&wanted).unwrap().push(b"First half").unwrap();
    let mut resumed = store.admission(&wanted).unwrap();
    resumed.push(b", second half").unwrap();
    assert_eq!(code(&resumed.finish().unwrap_err()), Some("hash-mismatch"));
    let mut again = store.admission(&wanted).unwrap();
    assert_eq!(again.written(), 0);
    again.push(b"F").unwrap();
    again.restart().unwrap();
    again.push(b"first half, second half").unwrap();
    again.finish().unwrap();
}

#[test]
fn two_admissions_at_once_do_not_share_a_file() {
    let Fixture { root: _root, store } = fixture();
    let wanted = artifact(b"bytes");
    let mut first = store.admission(&wanted).unwrap();
    let mut second = store.admission(&wanted).unwrap();
    first.push(b"by").unwrap();
    second.push(b"bytes").unwrap();
    let stored = second.finish().unwrap();
    first.push(b"tes").unwrap();
    assert_eq!(first.finish().unwrap(), stored);
    assert_eq!(store.find(&wanted).unwrap(), Some(stored));
}

#[test]
fn many_threads_admit_the_same_and_different_artifacts() {
    let Fixture { root: _root, store } = fixture();
    let contents: Vec<Vec<u8>> = (0..8_u8).map(|n| vec![n; 100_000]).collect();
    std::thread::scope(|scope| {
        for start in 0..8 {
            let (store, contents) = (Store::open(store.root()).unwrap(), &contents);
            scope.spawn(move || {
                for step in 0..contents.len() {
                    let bytes = &contents[(start + step) % contents.len()];
                    if store.find(&artifact(bytes)).unwrap().is_none() {
                        store.admit(&artifact(bytes), &mut bytes.as_slice()).unwrap();
                    }
                    let stored = store.find(&artifact(bytes)).unwrap().unwrap();
                    assert_eq!(&fs::read(stored.path()).unwrap(), bytes);
                }
            });
        }
    });
    assert_eq!(files_below(&store.root().join("partial")), Vec::<PathBuf>::new());
    assert_eq!(files_below(&store.root().join("quarantine")), Vec::<PathBuf>::new());
}

#[test]
fn a_torn_record_damages_no_other_line() {
    let Fixture { root: _root, store } = fixture();
    let wanted = artifact(b"bytes");
    let stored = store.admit(&wanted, &mut b"bytes".as_slice()).unwrap();
    let record = stored.path().with_extension("from");
    File::options().append(true).open(&record).unwrap().write_all(b"from https://ind").unwrap();
    assert!(store.find(&wanted).unwrap().is_some());
    let theirs = artifact_of(b"bytes", "https://mirror.example/simple/");
    store.admit(&theirs, &mut b"bytes".as_slice()).unwrap();
    assert!(store.find(&theirs).unwrap().is_some());
    // A record that was blown up is not believed, and does not grow for ever.
    fs::write(&record, vec![b'x'; 1 << 20]).unwrap();
    assert_eq!(store.find(&wanted).unwrap(), None);
    store.admit(&wanted, &mut b"bytes".as_slice()).unwrap();
    assert!(store.find(&wanted).unwrap().is_some());
    assert!(fs::metadata(&record).unwrap().len() < 1000);
}

#[test]
#[cfg(unix)]
fn a_store_that_others_may_write_to_is_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let Fixture { root, store } = fixture();
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    assert_eq!(fs::metadata(store.root()).unwrap().permissions().mode() & 0o777, 0o700);
    for (name, loose) in [("trees", 0o720), ("artifacts", 0o702), ("staging", 0o777), (".", 0o777)] {
        let path = store.root().join(name);
        mode(&path, loose);
        assert!(matches!(Store::open(store.root()), Err(StoreError::Permissions { .. })), "{name}");
        mode(&path, 0o700);
    }
    Store::open(store.root()).unwrap();
    let linked = root.path().join("linked");
    fs::create_dir(&linked).unwrap();
    std::os::unix::fs::symlink(store.root().join("trees"), linked.join("trees")).unwrap();
    assert!(matches!(Store::open(&linked), Err(StoreError::Permissions { .. })));
}

/// Others unpack the same artifact at the same time, and forget its bytes.
#[test]
fn an_artifact_that_is_forgotten_meanwhile_is_absent() {
    let Fixture { root: _root, store } = fixture();
    let bytes = b"here and gone";
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..500 {
                let stored = store.admit(&artifact(bytes), &mut bytes.as_slice()).unwrap();
                store.forget_bytes(&stored).unwrap();
            }
            is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
            drop(store.find(&artifact(bytes)).unwrap());
        }
    });
    assert_eq!(store.take_damage(), []);
}

#[test]
fn sweeping_takes_leftovers_but_neither_entries_nor_what_is_in_use() {
    let Fixture { root: _root, store } = fixture();
    let stored = store.admit(&artifact(b"kept"), &mut b"kept".as_slice()).unwrap();
    store.admission(&artifact(b"left behind")).unwrap().push(b"left").unwrap();
    fs::create_dir(store.root().join("staging/left")).unwrap();
    let in_use = artifact(b"in use");
    let mut admission = store.admission(&in_use).unwrap();
    store.sweep(Duration::from_secs(3600)).unwrap();
    assert_eq!(files_below(&store.root().join("partial")).len(), 2);
    store.sweep(Duration::ZERO).unwrap();
    assert_eq!(files_below(&store.root().join("partial")).len(), 1);
    assert_eq!(fs::read_dir(store.root().join("staging")).unwrap().count(), 0);
    admission.push(b"in use").unwrap();
    admission.finish().unwrap();
    assert!(store.find(&artifact(b"kept")).unwrap().is_some_and(|found| found == stored));
}

#[test]
#[cfg(unix)]
fn opening_sweeps_what_was_left_long_ago() {
    let Fixture { root: _root, store } = fixture();
    let (old, young) = (store.root().join("staging/old"), store.root().join("staging/young"));
    for path in [&old, &young] {
        fs::create_dir(path).unwrap();
        fs::write(path.join("file"), "x").unwrap();
    }
    let long_ago = SystemTime::now() - Duration::from_secs(8 * 24 * 60 * 60);
    File::open(&old).unwrap().set_modified(long_ago).unwrap();
    Store::open(store.root()).unwrap();
    assert_eq!((old.exists(), young.exists()), (false, true));
}

#[test]
#[cfg(unix)]
fn what_is_in_the_place_of_a_directory_of_entries_gives_way() {
    let put: [fn(&Path); 3] = [
        |path| fs::write(path, "x").unwrap(),
        |path| std::os::unix::fs::symlink("nothing", path).unwrap(),
        |path| std::os::unix::fs::symlink(path, path).unwrap(),
    ];
    for put in put {
        let Fixture { root: _root, store } = fixture();
        let wheel = add(&store, &stored_wheel(&store));
        for kind in ["artifacts", "trees"] {
            let directory = store.root().join(kind).join(&wheel.sha256().to_string()[..2]);
            fs::remove_dir_all(&directory).unwrap();
            put(&directory);
        }
        let store = Store::open(store.root()).unwrap();
        assert!(store.tree(wheel.sha256()).unwrap().is_none() && store.entries().unwrap().is_empty());
        let again = add(&store, &stored_wheel(&store));
        assert!(store.unpacked(&artifact(b"wheel")).unwrap().is_some_and(|found| found.sha256() == again.sha256()));
    }
}

/// Puts something that is no file there, as only somebody does by hand.
#[cfg(unix)]
fn put(what: &str, path: &Path) {
    match what {
        "a directory" => fs::create_dir(path).unwrap(),
        "a link to a directory" => std::os::unix::fs::symlink("../trees", path).unwrap(),
        "a link to nothing" => std::os::unix::fs::symlink("nothing", path).unwrap(),
        "a pipe" => pinfold_testkit::make_pipe(path),
        _ => {
            // A socket: its own name has to be short.
            let elsewhere = tempfile::tempdir().unwrap();
            drop(std::os::unix::net::UnixListener::bind(elsewhere.path().join("s")).unwrap());
            fs::rename(elsewhere.path().join("s"), path).unwrap();
        }
    }
}

/// Opening a pipe waits for its writer.
#[test]
#[cfg(unix)]
fn what_is_no_file_is_swept_and_hinders_no_admission() {
    for what in ["a socket", "a pipe", "a link to nothing", "a link to a directory", "a directory"] {
        let Fixture { root: _root, store } = fixture();
        let wanted = artifact(b"wheel");
        let admission = store.admission(&wanted).unwrap();
        let partial = files_below(&store.root().join("partial")).pop().unwrap();
        drop(admission);
        put(what, &partial);
        store.admit(&wanted, &mut b"wheel".as_slice()).unwrap();
        assert!(store.find(&wanted).unwrap().is_some(), "{what}");
        for kind in ["quarantine", "staging"] {
            put(what, &store.root().join(kind).join("left"));
        }
        store.sweep(Duration::ZERO).unwrap();
        for kind in ["partial", "quarantine", "staging", "trees"] {
            assert_eq!(fs::read_dir(store.root().join(kind)).unwrap().count(), 0, "{what} in {kind}");
        }
    }
}

// ---- trees ----

const TREE: [(&str, &[u8], bool); 5] = [
    ("b.py", b"bee", false),
    ("pkg/__init__.py", b"", false),
    ("pkg-1.0.dist-info/RECORD", b"record", false),
    ("pkg/sub/tool", b"#!", true),
    ("pkg/z.py", b"zed", false),
];

pub(crate) fn manifest_of(files: &[(&str, &[u8], bool)]) -> TreeManifest {
    let file = |(path, bytes, executable): &(&str, &[u8], bool)| {
        let sha256 = Sha256::from_bytes(sha2::Sha256::digest(bytes).into());
        TreeFile::new(path.parse().unwrap(), bytes.len() as u64, sha256, *executable)
    };
    TreeManifest { files: files.iter().map(file).collect(), note: BTreeMap::from([("root".into(), "purelib".into())]) }
}

pub(crate) fn write_files(directory: &Path, files: &[(&str, &[u8], bool)]) {
    for (path, bytes, _) in files {
        let path = directory.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

pub(crate) fn stored_wheel(store: &Store) -> Stored {
    store.admit(&artifact(b"wheel"), &mut b"wheel".as_slice()).unwrap()
}

pub(crate) fn add(store: &Store, stored: &Stored) -> StoredTree {
    let fill = |directory: &Path| {
        write_files(directory, &TREE);
        Ok::<_, StoreError>(manifest_of(&TREE))
    };
    store.add_tree(stored, fill).unwrap()
}

/// Somebody else unpacks the same artifact while it is looked for.
#[test]
fn a_tree_that_appears_between_two_looks_is_found_and_not_put_aside() {
    let Fixture { root: _root, store } = fixture();
    let stored = stored_wheel(&store);
    let other = Store::open(store.root()).unwrap();
    let found = store.tree_after(stored.sha256(), || drop(add(&other, &stored))).unwrap().unwrap();
    assert_eq!(store.check_tree(&found).unwrap(), []);
    assert_eq!(fs::read_dir(store.root().join("quarantine")).unwrap().count(), 0);
    assert_eq!(store.take_damage(), []);
}

/// What was seen damaged has been replaced when it is to be moved: the new one goes on serving whoever made it.
#[test]
fn what_took_the_place_of_a_damaged_tree_is_not_put_aside() {
    let Fixture { root: _root, store } = fixture();
    let stored = stored_wheel(&store);
    let damaged = add(&store, &stored);
    let path = damaged.directory().to_owned();
    let seen = fs::symlink_metadata(&path).unwrap();
    fs::remove_file(path.join("manifest")).unwrap();
    assert!(store.tree(stored.sha256()).unwrap().is_none());
    let quarantined = || fs::read_dir(store.root().join("quarantine")).unwrap().count();
    assert_eq!(quarantined(), 1);
    let new = add(&store, &stored);
    assert!(!store.put_this_aside(&path, &seen).unwrap());
    store.quarantine(&damaged).unwrap();
    let found = store.tree(stored.sha256()).unwrap().unwrap();
    assert_eq!((found.manifest(), quarantined()), (new.manifest(), 1));
    assert_eq!(store.check_tree(&new).unwrap(), []);
}

#[test]
fn a_tree_is_found_again_as_it_was_added() {
    let Fixture { root: _root, store } = fixture();
    let stored = stored_wheel(&store);
    assert!(store.tree(stored.sha256()).unwrap().is_none());
    let added = add(&store, &stored);
    let found = store.tree(stored.sha256()).unwrap().unwrap();
    assert_eq!(found.manifest(), added.manifest());
    assert_eq!(found.files_dir(), added.files_dir());
    assert_eq!(found.sha256(), stored.sha256());
    let paths: Vec<&str> = found.manifest().files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["b.py", "pkg/__init__.py", "pkg/z.py", "pkg-1.0.dist-info/RECORD", "pkg/sub/tool"]);
    assert_eq!(store.check_tree(&found).unwrap(), []);
    for file in &found.manifest().files {
        let metadata = fs::metadata(found.files_dir().join(file.path.as_str())).unwrap();
        assert!(metadata.permissions().readonly());
        assert!(file.stamp.mtime_ns > 0);
    }
    assert_eq!(fs::read_dir(store.root().join("staging")).unwrap().count(), 0);
}

#[test]
fn a_list_that_does_not_fit_the_files_is_no_tree() {
    let Fixture { root: _root, store } = fixture();
    let stored = stored_wheel(&store);
    let check = |written: &[(&str, &[u8], bool)], listed: &[(&str, &[u8], bool)]| {
        let fill = |directory: &Path| {
            write_files(directory, written);
            Ok::<_, StoreError>(manifest_of(listed))
        };
        let error = store.add_tree(&stored, fill).unwrap_err();
        assert!(matches!(error, StoreError::Staging { .. }), "{error}");
        assert!(store.tree(stored.sha256()).unwrap().is_none());
        assert_eq!(fs::read_dir(store.root().join("staging")).unwrap().count(), 0);
    };
    check(&TREE, &TREE[1..]);
    check(&TREE[1..], &TREE);
    check(&TREE[..4], &TREE);
    check(&[("a", b"longer", false)], &[("a", b"long", false)]);
    check(&[("a", b"x", false)], &[("a", b"x", false), ("a", b"x", false)]);
    check(&[("a/b", b"x", false)], &[("a", b"x", false)]);
    add(&store, &stored);
}

#[test]
#[cfg(unix)]
fn a_link_in_a_staged_tree_is_no_file() {
    let Fixture { root: _root, store } = fixture();
    let stored = stored_wheel(&store);
    let fill = |directory: &Path| {
        std::os::unix::fs::symlink("/etc/hostname", directory.join("a")).unwrap();
        Ok::<_, StoreError>(manifest_of(&[("a", b"x", false)]))
    };
    assert!(matches!(store.add_tree(&stored, fill), Err(StoreError::Staging { .. })));
}

#[test]
fn a_failure_of_the_filler_is_passed_on_and_leaves_nothing() {
    #[derive(Debug)]
    enum Failure {
        Filler,
        Store,
    }
    impl From<StoreError> for Failure {
        fn from(_error: StoreError) -> Self {
            Self::Store
        }
    }
    let Fixture { root: _root, store } = fixture();
    let stored = stored_wheel(&store);
    let fill = |directory: &Path| {
        write_files(directory, &TREE);
        Err(Failure::Filler)
    };
    assert!(matches!(store.add_tree(&stored, fill), Err(Failure::Filler)));
    assert_eq!(fs::read_dir(store.root().join("staging")).unwrap().count(), 0);
}

#[test]
#[cfg(unix)]
fn every_change_of_a_stored_tree_is_noticed_without_reading_it() {
    use std::os::unix::fs::PermissionsExt;

    use crate::TreeDifference;

    let Fixture { root, store } = fixture();
    let stored = stored_wheel(&store);
    let check = |change: &dyn Fn(&Path), expected: &[(&str, TreeDifference)]| {
        let tree = add(&store, &stored);
        change(tree.files_dir());
        let found = store.check_tree(&tree).unwrap();
        let found: Vec<_> = found.iter().map(|change| (change.path.as_str(), change.difference)).collect();
        assert_eq!(found, expected);
        store.quarantine(&tree).unwrap();
        assert!(store.tree(stored.sha256()).unwrap().is_none());
    };
    // An edit through a hard link, as from an environment.
    let link = root.path().join("link.py");
    check(
        &|files| {
            fs::hard_link(files.join("pkg/z.py"), &link).unwrap();
            tamper(&link, b"bad");
        },
        &[("pkg/z.py", TreeDifference::Modified)],
    );
    check(&|files| tamper(&files.join("b.py"), b"longer"), &[("b.py", TreeDifference::Size)]);
    check(&|files| fs::remove_file(files.join("pkg/sub/tool")).unwrap(), &[("pkg/sub/tool", TreeDifference::Missing)]);
    check(
        &|files| fs::remove_dir_all(files.join("pkg")).unwrap(),
        &[
            ("pkg/__init__.py", TreeDifference::Missing),
            ("pkg/z.py", TreeDifference::Missing),
            ("pkg/sub/tool", TreeDifference::Missing),
        ],
    );
    let writable = fs::Permissions::from_mode(0o644);
    check(
        &|files| fs::set_permissions(files.join("b.py"), writable.clone()).unwrap(),
        &[("b.py", TreeDifference::Mode)],
    );
    check(
        &|files| {
            fs::copy(files.join("b.py"), files.join("twin")).unwrap();
            fs::rename(files.join("twin"), files.join("b.py")).unwrap();
        },
        &[("b.py", TreeDifference::Replaced)],
    );
}

#[test]
fn a_damaged_manifest_makes_the_tree_absent() {
    let Fixture { root: _root, store } = fixture();
    let stored = stored_wheel(&store);
    for damage in [b"".as_slice(), b"pinfold-tree-01\n and nonsense"] {
        let tree = add(&store, &stored);
        fs::write(tree.files_dir().with_file_name("manifest"), damage).unwrap();
        assert!(store.tree(stored.sha256()).unwrap().is_none());
    }
    let tree = add(&store, &stored);
    fs::remove_file(tree.files_dir().with_file_name("manifest")).unwrap();
    assert!(store.tree(stored.sha256()).unwrap().is_none());
    add(&store, &stored);
}

#[test]
fn many_threads_unpack_the_same_artifact_and_one_wins() {
    let Fixture { root: _root, store } = fixture();
    let stored = stored_wheel(&store);
    let inodes: Vec<u64> = std::thread::scope(|scope| {
        let unpack = || add(&store, &stored).manifest().files[0].stamp.inode;
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(unpack)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let tree = store.tree(stored.sha256()).unwrap().unwrap();
    assert!(inodes.iter().all(|inode| *inode == tree.manifest().files[0].stamp.inode));
    assert_eq!(store.check_tree(&tree).unwrap(), []);
    assert_eq!(fs::read_dir(store.root().join("staging")).unwrap().count(), 0);
}

#[test]
fn an_empty_tree_is_a_tree() {
    let Fixture { root: _root, store } = fixture();
    let stored = stored_wheel(&store);
    let tree = store.add_tree(&stored, |_| Ok::<_, StoreError>(manifest_of(&[]))).unwrap();
    assert_eq!(store.check_tree(&tree).unwrap(), []);
    assert!(store.tree(stored.sha256()).unwrap().is_some());
}

#[test]
fn a_tree_stands_for_forgotten_bytes_but_only_for_its_own_index_and_size() {
    let own = fixture();
    let bytes = b"the wheel";
    let stored = own.store.admit(&artifact(bytes), &mut &bytes[..]).unwrap();
    assert!(own.store.unpacked(&artifact(bytes)).unwrap().is_none());
    let tree = add(&own.store, &stored);
    own.store.forget_bytes(&stored).unwrap();
    own.store.forget_bytes(&stored).unwrap();
    assert!(own.store.find(&artifact(bytes)).unwrap().is_none());
    assert_eq!(own.store.unpacked(&artifact(bytes)).unwrap().unwrap().manifest(), tree.manifest());
    let elsewhere = artifact_of(bytes, "https://other.example/simple/");
    assert!(own.store.unpacked(&elsewhere).unwrap().is_none());
    let larger = Artifact { size_bytes: 10, ..artifact(bytes) };
    assert!(own.store.unpacked(&larger).unwrap().is_none());
}

#[test]
fn looking_at_a_store_changes_nothing() {
    let fixture = fixture();
    let root = fixture.root.path().join("store");
    assert!(Store::existing(&fixture.root.path().join("none")).is_none());
    assert!(!fixture.root.path().join("none").exists());
    let store = Store::existing(&root).unwrap();
    assert!(!store.holds(&artifact(b"bytes")).unwrap());
    assert!(files_below(&root).is_empty());
    fixture.store.admit(&artifact(b"bytes"), &mut &b"bytes"[..]).unwrap();
    let before = files_below(&root);
    assert!(store.holds(&artifact(b"bytes")).unwrap());
    assert!(!store.holds(&artifact_of(b"bytes", "https://other.example/simple/")).unwrap());
    assert_eq!(files_below(&root), before);
}

/// As an ordinary user: root may write to what is read-only.
#[cfg(unix)]
#[test]
fn a_complete_file_that_is_not_in_its_place_yet_hinders_nobody() {
    use std::os::unix::fs::PermissionsExt as _;
    let Fixture { root: _root, store } = fixture();
    let artifact = artifact(b"wheel");
    let complete = || {
        let mut admission = store.admission(&artifact).unwrap();
        admission.push(b"wheel").unwrap();
        let partial = files_below(&store.root().join("partial")).pop().unwrap();
        fs::set_permissions(&partial, fs::Permissions::from_mode(0o444)).unwrap();
        (admission, partial)
    };
    // Its writer is about to move it.
    let (admission, partial) = complete();
    store.admit(&artifact, &mut b"wheel".as_slice()).unwrap();
    assert!(partial.exists());
    drop(admission);
    // Its writer died.
    store.remove(&artifact.sha256).unwrap();
    store.admit(&artifact, &mut b"wheel".as_slice()).unwrap();
    assert!(store.find(&artifact).unwrap().is_some());
    assert_eq!(files_below(&store.root().join("partial")), Vec::<PathBuf>::new());
}

/// Root may write everywhere, so that there is nothing to see then.
#[cfg(unix)]
#[test]
fn a_store_that_its_user_may_only_read_is_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let Fixture { root: _root, store } = fixture();
    let tree = add(&store, &stored_wheel(&store));
    let permit = |lock: u32, directory: u32| {
        fs::set_permissions(store.root().join("lock"), fs::Permissions::from_mode(lock)).unwrap();
        fs::set_permissions(store.root(), fs::Permissions::from_mode(directory)).unwrap();
    };
    permit(0o400, 0o500);
    let opened = Store::open(store.root()).map(|store| store.tree(tree.sha256()).unwrap().is_some());
    permit(0o600, 0o700);
    assert!(opened.unwrap());
}
