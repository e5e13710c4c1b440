//! What is refused while unpacking, what is left out, and what needs acceptance.

use pinfold_testkit::{WheelRecipe, sha256_record};

use super::*;
use crate::fixture::World;

const HOOK: &[u8] = b"import os; os.environ['HOOK'] = '1'\n";

fn code(world: &World, wheel: WheelRecipe) -> Option<String> {
    match world.unpack(&[wheel]) {
        Ok(_) => None,
        Err(error) => Some(error.refusal_code().unwrap_or("no code").to_owned()),
    }
}

fn check(wheel: WheelRecipe, expected: Option<&str>) {
    let world = World::new();
    assert_eq!(code(&world, wheel.clone()).as_deref(), expected, "{wheel:?}");
}

#[test]
fn good_wheel_is_unpacked_with_its_facts() {
    let world = World::new();
    let wheel = WheelRecipe::new("a", "1.0")
        .executable("a/tool.sh", "#!/bin/sh\n")
        .data("scripts", "run", "#!python\nprint(1)\n")
        .data("data", "share/x", "x")
        .console_script("a-cli", "a:main");
    let tree = world.unpack(&[wheel]).unwrap().remove("a").unwrap();
    let listed: Vec<String> = tree
        .manifest()
        .files
        .iter()
        .map(|file| format!("{}{}", file.path, if file.executable { " x" } else { "" }))
        .collect();
    assert_eq!(
        listed,
        [
            "a/__init__.py",
            "a/tool.sh x",
            "a-1.0.data/data/share/x",
            "a-1.0.data/scripts/run x",
            "a-1.0.dist-info/METADATA",
            "a-1.0.dist-info/WHEEL",
            "a-1.0.dist-info/entry_points.txt"
        ]
    );
    let facts = WheelFacts::of(tree.manifest()).unwrap();
    assert_eq!(facts.console[0].attribute, "main");
    assert_eq!(facts.moved.len(), 2);
    assert_eq!(facts.python_scripts.len(), 1);
    assert!(facts.findings.is_empty());
    assert!(facts.root_is_purelib);
}

#[test]
fn hostile_wheels_leave_nothing_in_the_store() {
    let good = || WheelRecipe::new("a", "1.0");
    check(good().file("../evil.py", "x"), Some("unsafe-path"));
    check(good().record_replace("a/__init__.py", &sha256_record(b"other"), "5"), Some("record-mismatch"));
    check(good().record_drop("a/__init__.py"), Some("unlisted-file"));
    check(good().without_record(), Some("record-missing"));
    check(good().console_script("../x", "a:main"), Some("unsafe-entry-point"));
    check(good(), None);
    let world = World::new();
    assert!(world.unpack(&[good().record_drop("a/__init__.py")]).is_err());
    let sha256 = crate::receipt::digest(&good().record_drop("a/__init__.py").build());
    assert!(world.store.tree(&sha256).unwrap().is_none());
}

#[test]
fn startup_files_need_acceptance_of_exactly_their_bytes() {
    let good = || WheelRecipe::new("a", "1.0");
    check(good().file("a.pth", HOOK), Some("executable-pth"));
    check(good().file("a.pth", "subdirectory\n"), None);
    check(good().file("a/weights.pth", HOOK), None);
    check(good().file("sitecustomize.py", ""), Some("startup-hook"));
    check(good().file("usercustomize/__init__.py", ""), Some("startup-hook"));
    check(good().file("__editable___a_finder.py", ""), Some("startup-hook"));
    check(good().file("a.start", "a:main\n"), Some("startup-hook"));
    check(good().data("purelib", "a.pth", HOOK), Some("executable-pth"));
    check(good().data("data", "lib/python3.10/site-packages/a.pth", HOOK), Some("executable-pth"));
    check(good().file("a/hidden.pyc", [0; 16]), Some("bytecode-only"));

    let mut world = World::new();
    world.accepts = vec![World::acceptance("executable-pth", "a", "a.pth", HOOK)];
    assert_eq!(code(&world, good().file("a.pth", HOOK)), None);
    assert_eq!(code(&world, good().file("a.pth", "import other\n")).as_deref(), Some("executable-pth"));
    assert_eq!(code(&world, good().file("b.pth", HOOK)).as_deref(), Some("executable-pth"));
    // The tree is in the store by now; acceptance is asked for again all the same.
    world.accepts.clear();
    let error = world.unpack(&[good().file("a.pth", HOOK)]).unwrap_err();
    assert!(matches!(&error, InstallError::Unaccepted { files, .. } if files[0].path.as_str() == "a.pth"), "{error}");
}

#[test]
fn shipped_bytecode_is_checked_and_left_out() {
    let world = World::new();
    let wheel = WheelRecipe::new("a", "1.0")
        .file("a/__pycache__/__init__.cpython-310.pyc", "evil")
        .file("a/__init__.pyc", "evil")
        .file("__pycache__/sitecustomize.cpython-310.pyc", "evil");
    let tree = world.unpack(&[wheel]).unwrap().remove("a").unwrap();
    assert!(!tree.manifest().files.iter().any(|file| file.path.as_str().ends_with(".pyc")));
    let lying = WheelRecipe::new("a", "1.0").file("a/__pycache__/__init__.cpython-310.pyc", "evil").record_replace(
        "a/__pycache__/__init__.cpython-310.pyc",
        &sha256_record(b"good"),
        "4",
    );
    check(lying, Some("record-mismatch"));
}

#[test]
fn metadata_must_be_what_the_lock_believed() {
    let world = World::new();
    let wheel = WheelRecipe::new("a", "1.0");
    let mut selected = world.selection(std::slice::from_ref(&wheel)).packages.remove(0);
    let stored = world.store.admit(&selected.artifact, &mut &wheel.build()[..]).unwrap();
    selected.metadata_sha256 = Some(crate::receipt::digest(wheel.metadata().as_bytes()));
    assert!(unpack_wheel(&world.store, &stored, &selected, &[]).is_ok());
    selected.metadata_sha256 = Some(crate::receipt::digest(b"other"));
    let error = unpack_wheel(&world.store, &stored, &selected, &[]).unwrap_err();
    assert_eq!(error.refusal_code(), Some("metadata-mismatch"));
}

#[test]
fn many_members_on_several_threads_give_the_same_tree() {
    let mut wheel = WheelRecipe::new("a", "1.0").file("a/big.bin", vec![7; 9 << 20]);
    for position in 0..300 {
        wheel = wheel.file(&format!("a/d{}/f{position}.py", position % 17), format!("x = {position}\n").repeat(100));
    }
    let trees = [World::new(), World::new()].map(|world| {
        let tree = world.unpack(std::slice::from_ref(&wheel)).unwrap().remove("a").unwrap();
        assert_eq!(world.store.check_tree(&tree).unwrap(), []);
        tree.manifest().files.iter().map(|file| (file.path.clone(), file.sha256)).collect::<Vec<_>>()
    });
    assert_eq!(trees[0], trees[1]);
    assert_eq!(trees[0].len(), 304);
}

#[test]
fn damage_in_the_store_is_not_blamed_on_the_wheel() {
    let world = World::new();
    let wheel = WheelRecipe::new("a", "1.0");
    let selected = world.selection(std::slice::from_ref(&wheel)).packages.remove(0);
    let stored = world.store.admit(&selected.artifact, &mut &wheel.build()[..]).unwrap();
    let mut bytes = wheel.build();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    crate::fixture::overwrite(stored.path(), &bytes);
    let error = unpack_wheel(&world.store, &stored, &selected, &[]).unwrap_err();
    assert_eq!(error.refusal_code(), Some("store-mismatch"), "{error}");
}
