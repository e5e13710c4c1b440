//! Spares that were meddled with in every way that a look can tell, each beside the one that was left alone: what comes of
//! them is what is built from nothing, or they are thrown away.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;

use pinfold_testkit::WheelRecipe;

use super::*;
use crate::fixture::{World, interpreter, overwrite};
use crate::{Bytecode, LinkMode};

/// What becomes of a spare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// The new generation is made from it.
    Used,
    /// The new generation is built without it.
    Thrown,
}

fn tool(version: &str) -> WheelRecipe {
    WheelRecipe::new("tool", version)
        .file("tool/cli.py", "def main():\n    return 3\n")
        .file("tool/deep/er/data.txt", "data")
        .console_script("tool", "tool.cli:main")
        .data("scripts", "tool.sh", "#!/bin/sh\necho shell\n")
}

fn kept() -> WheelRecipe {
    WheelRecipe::new("kept", "1.0").file("kept/here.py", "HERE = 1\n").file("shared/it.py", "")
}

fn first() -> [WheelRecipe; 2] {
    [tool("1.0").file("only_1.py", "ONE = 1\n"), kept()]
}

fn second() -> [WheelRecipe; 2] {
    [tool("2.0").file("only_2.py", "TWO = 2\n"), kept()]
}

/// A world with the second environment in place, whose spare is the first; and what the first was.
fn with_spare() -> (World, Vec<String>) {
    let mut world = World::new();
    world.keep = 0;
    world.install(&first()).unwrap();
    let tree = tree(world.environment.venv());
    world.install(&second()).unwrap();
    (world, tree)
}

/// Everything in a directory but the receipt: paths, kinds, modes, targets and bytes.
fn tree(root: &Path) -> Vec<String> {
    let (mut found, mut waiting) = (Vec::new(), vec![root.to_owned()]);
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let metadata = fs::symlink_metadata(&path).unwrap();
            let inside = path.strip_prefix(root).unwrap().display().to_string();
            let bytes = if metadata.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
            let target = fs::read_link(&path).ok();
            if !inside.starts_with(".pinfold/") {
                let (mode, owner) = (metadata.mode(), metadata.uid());
                found.push(format!("{inside} {mode:o} {owner} {target:?} {}", bytes.escape_ascii()));
            }
            if metadata.is_dir() {
                waiting.push(path);
            }
        }
    }
    found.sort();
    found
}

fn site(root: &Path) -> PathBuf {
    root.join(&interpreter().scheme.purelib)
}

fn inode(path: &Path) -> u64 {
    fs::symlink_metadata(path).unwrap().ino()
}

/// Holds a file or directory, and says later whether it is at a path: while it is open its number is not given again.
struct Held(fs::File);

impl Held {
    fn at(path: &Path) -> Self {
        Self(fs::File::open(path).unwrap())
    }

    fn is_at(&self, path: &Path) -> bool {
        self.0.metadata().unwrap().ino() == inode(path)
    }
}

/// Meddles with a spare of the first environment, and makes the first environment again: it is byte for byte what it was.
fn check(name: &str, expected: Fate, meddle: impl Fn(&Path, &Path)) {
    let (world, before) = with_spare();
    let spare = world.environment.spare();
    let root = Held::at(&spare);
    meddle(&spare, &site(&spare));
    world.install(&first()).unwrap_or_else(|error| panic!("{name}: {error}"));
    let fate = if root.is_at(world.environment.venv()) { Fate::Used } else { Fate::Thrown };
    assert_eq!(tree(world.environment.venv()), before, "{name}");
    assert_eq!(fate, expected, "{name}");
    assert_eq!(world.verify(&first()).findings, [], "{name}");
    assert_eq!(fs::read_dir(world.environment.staging()).unwrap().count(), 0, "{name}");
    assert!(!world.environment.discarded().exists(), "{name}");
}

/// Puts another file in the place of one, with the same size, time and mode.
fn replace_alike(path: &Path) {
    let metadata = fs::metadata(path).unwrap();
    overwrite(path, &vec![b'#'; usize::try_from(metadata.len()).unwrap()]);
    fs::set_permissions(path, metadata.permissions()).unwrap();
    fs::File::open(path).unwrap().set_modified(metadata.modified().unwrap()).unwrap();
}

#[test]
fn one_that_was_left_alone_is_used_and_keeps_its_files() {
    check("left alone", Fate::Used, |_, _| {});
    let (world, _) = with_spare();
    let spare = world.environment.spare();
    // What is linked is the store's own file in any case; these tell that nothing was made anew.
    let names = ["kept", "tool/deep/er", "tool-1.0.dist-info/RECORD", "../../../bin/tool", "../../../pyvenv.cfg"];
    let before = names.map(|name| Held::at(&site(&spare).join(name)));
    // A second name of a link holds its number.
    let held = world.environment.venv().with_file_name("held");
    fs::hard_link(spare.join("bin/python3"), &held).unwrap();
    world.install(&first()).unwrap();
    for (name, held) in names.iter().zip(before) {
        assert!(held.is_at(&world.site(name)), "{name}");
    }
    assert_eq!(inode(&held), inode(&world.path("bin/python3")));
}

#[test]
fn one_of_another_lock_becomes_what_the_lock_says() {
    let (world, _) = with_spare();
    let spare = world.environment.spare();
    let (root, same) = (Held::at(&spare), Held::at(&site(&spare).join("kept-1.0.dist-info/RECORD")));
    let third = [kept(), WheelRecipe::new("more", "3.0").file("tool/cli.py", "other\n").executable("x/run", "#!\n")];
    world.install(&third).unwrap();
    assert!(root.is_at(world.environment.venv()) && same.is_at(&world.site("kept-1.0.dist-info/RECORD")));
    assert_eq!(world.verify(&third).findings, []);
    let mut plain = World::new();
    plain.keep = 0;
    plain.install(&third).unwrap();
    assert_eq!(world.files(), plain.files());
    assert!(!world.path("bin/tool").exists() && !world.site("tool/deep").exists());
}

#[test]
fn files_that_are_not_the_right_ones_are_placed_anew() {
    check("a file of a wheel", Fate::Used, |_, site| replace_alike(&site.join("tool/cli.py")));
    check("a file that is gone", Fate::Used, |_, site| fs::remove_file(site.join("kept/here.py")).unwrap());
    check("a record", Fate::Used, |_, site| replace_alike(&site.join("tool-1.0.dist-info/RECORD")));
    check("a script", Fate::Used, |root, _| replace_alike(&root.join("bin/tool")));
    check("a script that is gone", Fate::Used, |root, _| fs::remove_file(root.join("bin/tool")).unwrap());
    check("the configuration", Fate::Used, |root, _| overwrite(&root.join("pyvenv.cfg"), b"home = /nowhere\n"));
    check("a script that all may write", Fate::Used, |root, _| {
        fs::set_permissions(root.join("bin/tool"), fs::Permissions::from_mode(0o777)).unwrap();
    });
    check("a script that cannot be read", Fate::Used, |root, _| {
        fs::set_permissions(root.join("bin/tool"), fs::Permissions::from_mode(0o000)).unwrap();
    });
    check("a file longer by one", Fate::Used, |_, site| {
        let text = fs::read(site.join("kept/here.py")).unwrap();
        overwrite(&site.join("kept/here.py"), &[&text[..], b"\n"].concat());
    });
    check("another file of the store", Fate::Used, |_, site| {
        fs::remove_file(site.join("kept/here.py")).unwrap();
        fs::hard_link(site.join("tool/cli.py"), site.join("kept/here.py")).unwrap();
    });
    check("the interpreter", Fate::Used, |root, _| {
        fs::remove_file(root.join("bin/python")).unwrap();
        std::os::unix::fs::symlink("/nowhere/python", root.join("bin/python")).unwrap();
    });
}

#[test]
fn a_script_that_has_another_name_is_no_way_into_the_environment() {
    let (world, before) = with_spare();
    let (spare, elsewhere) = (world.environment.spare(), world.home().join("elsewhere"));
    fs::hard_link(spare.join("bin/tool"), &elsewhere).unwrap();
    world.install(&first()).unwrap();
    fs::write(&elsewhere, "#!/bin/sh\necho evil\n").unwrap();
    assert_eq!(tree(world.environment.venv()), before);
}

#[test]
fn what_is_not_planned_goes() {
    check("a start-up file", Fate::Used, |_, site| fs::write(site.join("evil.pth"), "import evil\n").unwrap());
    check("bytecode", Fate::Used, |_, site| {
        fs::create_dir(site.join("tool/__pycache__")).unwrap();
        fs::write(site.join("tool/__pycache__/cli.cpython-310.pyc"), "evil").unwrap();
    });
    check("directories", Fate::Used, |root, site| {
        fs::create_dir_all(root.join("share/a/b/c")).unwrap();
        fs::write(root.join("share/a/b/c/d"), "x").unwrap();
        fs::create_dir_all(site.join("kept/in/between")).unwrap();
    });
    check("a link", Fate::Used, |_, site| std::os::unix::fs::symlink("/", site.join("kept/root")).unwrap());
    check("a pipe", Fate::Used, |_, site| pinfold_testkit::make_pipe(&site.join("kept/pipe")));
    check("the receipt's own", Fate::Used, |root, _| {
        fs::create_dir(root.join(".pinfold/more")).unwrap();
        fs::write(root.join(".pinfold/more/file"), "x").unwrap();
        fs::write(root.join(".pinfold/stamps"), "x").unwrap();
    });
}

#[test]
fn however_much_is_not_planned_goes() {
    // More names than one look into a directory tells, with those that are planned between them.
    check("more than is told at once", Fate::Used, |_, site| {
        (0..3_000).for_each(|number| fs::write(site.join(format!("kept/surplus-{number}.py")), "").unwrap());
        (0..300).for_each(|number| fs::create_dir(site.join(format!("kept/surplus-{number}"))).unwrap());
    });
}

#[test]
fn one_kind_in_the_place_of_another_goes() {
    check("a directory for a file", Fate::Used, |_, site| {
        fs::remove_file(site.join("tool/cli.py")).unwrap();
        fs::create_dir(site.join("tool/cli.py")).unwrap();
        fs::write(site.join("tool/cli.py/x"), "x").unwrap();
    });
    check("a file for a directory", Fate::Used, |_, site| {
        fs::remove_dir_all(site.join("tool/deep")).unwrap();
        fs::write(site.join("tool/deep"), "x").unwrap();
    });
    check("a link to the same for a file", Fate::Used, |_, site| {
        fs::rename(site.join("tool/cli.py"), site.join("tool/other.py")).unwrap();
        std::os::unix::fs::symlink("other.py", site.join("tool/cli.py")).unwrap();
    });
    check("a directory for a link", Fate::Used, |root, _| {
        fs::remove_file(root.join("lib64")).unwrap();
        fs::create_dir(root.join("lib64")).unwrap();
    });
}

#[test]
fn a_link_in_the_place_of_a_directory_leads_nowhere() {
    for inside in ["tool", "tool/deep", "tool/deep/er"] {
        let (world, before) = with_spare();
        let (spare, victim) = (site(&world.environment.spare()).join(inside), world.home().join("victim"));
        // What it leads to looks like what should be there, and has something beside it.
        fs::rename(&spare, &victim).unwrap();
        fs::write(victim.join("precious.txt"), "x").unwrap();
        std::os::unix::fs::symlink(&victim, &spare).unwrap();
        let precious = tree(&victim);
        world.install(&first()).unwrap();
        assert_eq!(tree(&victim), precious, "{inside}");
        assert_eq!(tree(world.environment.venv()), before, "{inside}");
    }
}

#[test]
fn one_whose_directories_are_not_as_new_ones_is_thrown_away() {
    let open = fs::Permissions::from_mode(0o777);
    check("all may write into one", Fate::Thrown, |_, site| {
        fs::set_permissions(site.join("tool"), open.clone()).unwrap()
    });
    check("all may write into it", Fate::Thrown, |root, _| fs::set_permissions(root, open.clone()).unwrap());
    check("a name in no encoding", Fate::Thrown, |_, site| {
        fs::write(site.join(std::ffi::OsStr::from_bytes(b"\xff.py")), "x").unwrap();
    });
    check("one without a receipt's directory", Fate::Thrown, |root, _| {
        fs::remove_dir_all(root.join(".pinfold")).unwrap();
    });
}

#[test]
fn what_belongs_to_another_user_does_not_stay() {
    // Only root can give files away.
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let give = |path: PathBuf| std::os::unix::fs::lchown(path, Some(4711), None).unwrap();
    check("a directory", Fate::Thrown, |_, site| give(site.join("tool")));
    check("a script", Fate::Used, |root, _| give(root.join("bin/tool")));
    check("a link", Fate::Used, |root, _| give(root.join("bin/python3")));
}

#[test]
fn a_file_of_the_store_that_was_written_to_through_the_spare_is_noticed() {
    for write in [(|path: &Path| fs::write(path, "evil = 1\n").unwrap()) as fn(&Path), |path| {
        fs::set_permissions(path, fs::Permissions::from_mode(0o666)).unwrap()
    }] {
        let (world, _) = with_spare();
        let receipt = world.environment.receipt().unwrap();
        let file = site(&world.environment.spare()).join("tool/cli.py");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        write(&file);
        let error = world.install_trees(&first(), &world.trees(&first())).unwrap_err();
        assert_eq!(error.refusal_code(), Some("store-mismatch"), "{error}");
        assert_eq!(world.environment.receipt().unwrap(), receipt);
        assert_eq!(fs::read_dir(world.environment.staging()).unwrap().count(), 0);
    }
}

#[test]
fn a_refused_generation_takes_the_spare_with_it_and_nothing_else() {
    let mut world = World::new();
    world.keep = 1;
    for wheels in [first(), second(), first()] {
        world.install(&wheels).unwrap();
    }
    let all = |world: &World| [world.environment.venv(), &world.environment.generations()].map(tree);
    let before = all(&world);
    assert!(world.environment.spare().exists());
    let conflict = WheelRecipe::new("conflict", "1.0").file("kept/here.py", "HERE = 2\n");
    let error = world.install(&[kept(), conflict]).unwrap_err();
    assert_eq!(error.refusal_code(), Some("file-conflict"));
    assert_eq!(all(&world), before);
    assert!(!world.environment.spare().exists());
    world.install(&second()).unwrap();
    assert_eq!(world.verify(&second()).findings, []);
}

#[test]
fn only_what_is_linked_becomes_a_spare_and_only_for_links() {
    for (mode, expected) in [(LinkMode::Auto, true), (LinkMode::Hardlink, true), (LinkMode::Copy, false)] {
        let mut world = World::new();
        (world.keep, world.link_mode) = (0, mode);
        world.install(&first()).unwrap();
        world.install(&second()).unwrap();
        assert_eq!(world.environment.spare().exists(), expected, "{mode:?}");
        assert!(!world.environment.discarded().exists());
    }
    // Links whose other names are gone take room of their own.
    let (world, _) = with_spare();
    fs::remove_dir_all(world.home().join("store/trees")).unwrap();
    fs::remove_dir_all(world.environment.spare()).unwrap();
    world.install(&first()).unwrap();
    assert!(!world.environment.spare().exists());
    // One of another kind is left where it is, and goes when the next generation leaves the history.
    let (mut world, before) = with_spare();
    let spare = Held::at(&world.environment.spare());
    world.link_mode = LinkMode::Copy;
    world.install(&first()).unwrap();
    assert_eq!(fs::metadata(world.site("kept/here.py")).unwrap().nlink(), 1);
    assert_eq!(world.verify(&first()).findings, []);
    assert!(!spare.is_at(&world.environment.spare()) && tree(world.environment.venv()).len() == before.len());
}

#[test]
fn the_history_is_full_before_there_is_a_spare_and_every_way_back_stays() {
    let mut world = World::new();
    world.keep = 2;
    for round in 0..8 {
        let wheels = if round % 2 == 0 { first() } else { second() };
        world.install(&wheels).unwrap();
        assert_eq!(world.verify(&wheels).findings, [], "{round}");
        assert_eq!(world.environment.spare().exists(), round >= 3, "{round}");
    }
    for (generation, wheels) in [(6, second()), (7, first()), (8, second())] {
        let guard = world.environment.lock().unwrap();
        crate::rollback(&guard, Some(generation), "2024-08-21T00:00:00Z").unwrap();
        drop(guard);
        assert_eq!(world.verify(&wheels).findings, [], "{generation}");
    }
}

#[test]
fn bytecode_is_made_anew_in_it() {
    let mut world = World::new();
    (world.keep, world.bytecode) = (0, Bytecode::Compile);
    for wheels in [first(), second(), first(), second()] {
        world.install(&wheels).unwrap();
        assert_eq!(world.verify(&wheels).findings, []);
    }
    assert!(world.environment.spare().exists());
}
