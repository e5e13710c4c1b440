//! Environments that are built, used by the interpreter of this machine, and built again.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use pinfold_lock::Wanted;
use pinfold_testkit::WheelRecipe;

use super::*;
use crate::fixture::{World, interpreter};
use crate::receipt::digest;
use crate::{RebuildReason, ReceiptFiles};

fn tool() -> WheelRecipe {
    WheelRecipe::new("tool", "1.0")
        .file("tool/cli.py", "import sys\ndef main():\n    print('ran', *sys.argv[1:])\n    return 3\n")
        .console_script("tool", "tool.cli:main")
        .data("scripts", "tool-script", "#!python\nimport sys; print(sys.prefix)\n")
        .data("scripts", "tool.sh", "#!/bin/sh\necho shell\n")
        .data("data", "share/tool/data.txt", "data")
        .data("headers", "tool.h", "#define TOOL\n")
}

#[test]
fn environment_works_as_the_specifications_say() {
    let world = World::new();
    let receipt = world.install(&[tool(), WheelRecipe::new("Dotted.Name", "2.0").requires("tool>=1")]).unwrap();
    assert_eq!(receipt.generation, 1);
    let prefix = world.environment.venv().to_str().unwrap().to_owned();
    assert_eq!(world.run("import sys; print(sys.prefix)").trim(), prefix);
    assert_eq!(world.run("import tool, dotted_name; print(tool.__version__)").trim(), "1.0");
    let listing = world.run(
        "import importlib.metadata as m\n\
         for d in sorted(m.distributions(), key=lambda d: d.name):\n    \
             print(d.name, d.version, d.read_text('INSTALLER').strip(), all(f.locate().exists() for f in d.files))\n    \
             print(*[f'{f} {f.hash is None}' for f in d.files if '..' in str(f) or f.name == 'RECORD'], sep='\\n')",
    );
    assert_eq!(
        listing.lines().collect::<Vec<_>>(),
        [
            "Dotted.Name 2.0 pinfold True",
            "dotted_name-2.0.dist-info/RECORD True",
            "tool 1.0 pinfold True",
            "../../../bin/tool False",
            "../../../bin/tool-script False",
            "../../../bin/tool.sh False",
            &format!("../../../{}/tool/tool.h False", interpreter().scheme.headers),
            "../../../share/tool/data.txt False",
            "tool-1.0.dist-info/RECORD True",
        ]
    );
    let run = |name: &str| std::process::Command::new(world.path(name)).arg("x y").output().unwrap();
    assert_eq!((run("bin/tool").status.code(), run("bin/tool").stdout), (Some(3), b"ran x y\n".to_vec()));
    assert_eq!(run("bin/tool-script").stdout, format!("{prefix}\n").into_bytes());
    assert_eq!(run("bin/tool.sh").stdout, b"shell\n");
    assert_eq!(std::fs::read(world.path("share/tool/data.txt")).unwrap(), b"data");
}

#[test]
fn as_many_files_are_placed_as_was_told() {
    use std::sync::atomic::{AtomicU64, Ordering};
    let mut world = World::new();
    world.keep = 0;
    let (first, second) = ([tool()], [tool().file("tool/more.py", "MORE = 1\n")]);
    // A first environment, one that is built while another is there, and two that are made from what left the history.
    for wheels in [&first, &second, &first, &second] {
        let (total, placed) = (AtomicU64::new(0), AtomicU64::new(0));
        let (selection, lock_sha256, wanted) = (world.selection(wheels), world.lock_sha256(wheels), Wanted::default());
        let (trees, guard) = (world.unpack(wheels).unwrap(), world.environment.lock().unwrap());
        let (tell, count) = (
            |files| total.store(files, Ordering::Relaxed),
            |files| {
                assert!(total.load(Ordering::Relaxed) > 0, "something was placed before it was told how much there is");
                placed.fetch_add(files, Ordering::Relaxed);
            },
        );
        let options = StageOptions { total: &tell, progress: &count, ..world.options() };
        let staged = stage(&guard, &world.intent(&selection, &lock_sha256, &wanted), &trees, &options).unwrap();
        let placed_now = placed.load(Ordering::Relaxed);
        let links = ReceiptFiles::read(staged.path()).unwrap().unwrap().0.links.len() as u64;
        assert_eq!(placed_now, total.load(Ordering::Relaxed));
        assert_eq!(placed_now + links, staged.receipt().file_count);
        staged.exchange().unwrap();
    }
}

#[test]
fn record_lists_every_file_with_its_digest() {
    let world = World::new();
    world.install(&[tool()]).unwrap();
    let problems = world.run(
        "import base64, hashlib, importlib.metadata as m\n\
         for f in m.distribution('tool').files:\n    \
             b = f.locate().read_bytes()\n    \
             h = base64.urlsafe_b64encode(hashlib.sha256(b).digest()).rstrip(b'=').decode()\n    \
             if f.name != 'RECORD' and (f.hash.value != h or f.size != len(b)): print(f)",
    );
    assert_eq!(problems, "");
}

#[test]
fn place_with_blanks_and_a_long_name_works() {
    for venv in ["my project/o'brien env".to_owned(), format!("{}/venv", "long".repeat(40))] {
        let world = World::at(&venv);
        world.install(&[tool()]).unwrap();
        let output = std::process::Command::new(world.path("bin/tool")).arg("a b").output().unwrap();
        assert_eq!((output.status.code(), output.stdout), (Some(3), b"ran a b\n".to_vec()), "{venv}");
        let script = "set -eu; . \"$1\"/bin/activate; python -c 'import sys; print(sys.prefix)'; command -v tool; \
                      deactivate; echo \"$PATH\"";
        let output = std::process::Command::new("/bin/sh")
            .args(["-c", script, "sh", world.environment.venv().to_str().unwrap()])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .output()
            .unwrap();
        let prefix = world.environment.venv().display();
        let expected = format!("{prefix}\n{prefix}/bin/tool\n/usr/bin:/bin\n");
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn second_install_has_nothing_to_do() {
    let world = World::new();
    let wheels = [tool(), WheelRecipe::new("b", "1.0")];
    let first = world.plan(&wheels);
    assert_eq!((first.added.len(), first.rebuild.clone()), (2, vec![RebuildReason::New]));
    world.install(&wheels).unwrap();
    assert!(world.plan(&wheels).is_empty());
    let changed = world.plan(&[tool(), WheelRecipe::new("b", "2.0"), WheelRecipe::new("c", "1.0")]);
    assert_eq!((changed.added.len(), changed.changed.len(), changed.removed.len(), changed.kept), (1, 1, 0, 1));
    let removed = world.plan(&[tool()]);
    assert_eq!((removed.removed[0].name.as_str(), removed.kept), ("b", 1));
    assert_eq!(removed.rebuild, [RebuildReason::Lock]);
}

#[test]
fn a_moved_environment_is_built_again() {
    let world = World::new();
    world.install(&[tool()]).unwrap();
    let moved = World::new();
    std::fs::rename(world.environment.venv(), moved.environment.venv()).unwrap();
    assert_eq!(moved.plan(&[tool()]).rebuild, [RebuildReason::Moved]);
}

#[test]
fn files_come_by_every_link_mode() {
    for (mode, names) in [(LinkMode::Hardlink, 2), (LinkMode::Copy, 1), (LinkMode::Auto, 2)] {
        let mut world = World::new();
        world.link_mode = mode;
        world.install(&[tool()]).unwrap();
        let metadata = std::fs::metadata(world.site("tool/cli.py")).unwrap();
        assert_eq!(metadata.nlink(), names, "{mode:?}");
        assert_eq!(metadata.permissions().mode() & 0o200 != 0, mode == LinkMode::Copy, "{mode:?}");
        assert_eq!(std::fs::metadata(world.path("bin/tool.sh")).unwrap().permissions().mode() & 0o111, 0o111);
        assert_eq!(world.verify(&[tool()]).findings, [], "{mode:?}");
    }
}

#[test]
fn equal_files_are_shared_and_different_ones_refused() {
    let world = World::new();
    let wheel = |name: &str, text: &str| WheelRecipe::new(name, "1.0").file("shared/__init__.py", text);
    world.install(&[wheel("a", "same"), wheel("b", "same")]).unwrap();
    let (list, _) = ReceiptFiles::read(world.environment.venv()).unwrap().unwrap();
    let shared = list.files.iter().find(|file| file.path.as_str().ends_with("shared/__init__.py")).unwrap();
    assert_eq!(shared.owners, [0, 1]);
    let before = world.environment.receipt().unwrap();
    let error = world.install(&[wheel("a", "same"), wheel("b", "other")]).unwrap_err();
    assert_eq!(error.refusal_code(), Some("file-conflict"));
    let message = error.to_string();
    assert!(message.contains("`a 1.0` and `b 1.0`") && message.contains("shared/__init__.py"), "{message}");
    assert_eq!(world.environment.receipt().unwrap(), before);
    assert_eq!(std::fs::read_dir(world.environment.staging()).unwrap().count(), 0);
}

#[test]
fn a_wheel_that_brings_a_path_twice_is_refused_alone() {
    let wheel = WheelRecipe::new("a", "1.0").file("own/x.py", "one").data("purelib", "own/x.py", "other");
    let error = World::new().install(&[wheel]).unwrap_err();
    assert_eq!(error.refusal_code(), Some("file-conflict"));
    assert!(error.to_string().starts_with("two files of `a 1.0` are installed as `lib"), "{error}");
}

#[test]
fn files_of_the_environment_itself_are_refused() {
    let wheel = || WheelRecipe::new("evil", "1.0");
    for (recipe, code) in [
        (wheel().data("scripts", "python", "#!/bin/sh\n"), "reserved-path"),
        (wheel().data("scripts", "Python3.exe", "x"), "reserved-path"),
        (wheel().data("scripts", "activate", "x"), "reserved-path"),
        (wheel().data("data", "bin/pip", "x"), "reserved-path"),
        (wheel().data("data", ".pinfold/receipt.json", "x"), "reserved-path"),
        (wheel().data("data", ".gitignore", "x"), "reserved-path"),
        (wheel().data("data", "lib64", "x"), "reserved-path"),
        (wheel().console_script("python3", "evil:main"), "unsafe-entry-point"),
        (wheel().console_script("pip", "evil:main"), "reserved-path"),
    ] {
        let world = World::new();
        let error = world.install(&[recipe]).unwrap_err();
        assert_eq!(error.refusal_code(), Some(code), "{error}");
        assert!(!world.environment.venv().exists());
    }
    World::new().install(&[WheelRecipe::new("pip", "1.0").console_script("pip", "pip:main")]).unwrap();
}

#[test]
fn a_tree_that_was_changed_in_the_store_is_not_installed() {
    let world = World::new();
    let trees = world.unpack(&[tool()]).unwrap();
    let file = trees["tool"].files_dir().join("tool/cli.py");
    let same_size = vec![b'#'; std::fs::read(&file).unwrap().len()];
    crate::fixture::overwrite(&file, &same_size);
    let error = world.install_trees(&[tool()], &trees).unwrap_err();
    assert_eq!(error.refusal_code(), Some("store-mismatch"), "{error}");
    assert!(!world.environment.venv().exists());
}

/// Puts something in the place of a stored file.
fn put(what: &str, path: &Path) {
    match what {
        "a directory" => std::fs::create_dir(path).unwrap(),
        "a file without end" => std::fs::File::create(path).unwrap().set_len(1 << 40).unwrap(),
        "a link" => std::os::unix::fs::symlink("/etc/passwd", path).unwrap(),
        "a pipe" => pinfold_testkit::make_pipe(path),
        _ => {}
    }
}

#[test]
fn whatever_took_the_place_of_a_stored_file_is_not_installed() {
    for what in ["nothing", "a directory", "a link", "a pipe", "a file without end"] {
        for stored in ["tool/cli.py", "tool-1.0.data/scripts/tool-script"] {
            for link_mode in [LinkMode::Auto, LinkMode::Copy] {
                let mut world = World::new();
                world.link_mode = link_mode;
                let trees = world.unpack(&[tool()]).unwrap();
                let file = trees["tool"].files_dir().join(stored);
                std::fs::remove_file(&file).unwrap();
                put(what, &file);
                let error = world.install_trees(&[tool()], &trees).unwrap_err();
                assert_eq!(error.refusal_code(), Some("store-mismatch"), "{what} for {stored}: {error:?}");
                assert!(!world.environment.venv().exists(), "{what} for {stored}");
            }
        }
    }
}

/// A file that can have no further name is copied. On a file system that has no such limit there is nothing to see.
#[test]
fn a_changed_file_that_has_too_many_names_is_not_copied() {
    let world = World::new();
    let trees = world.unpack(&[tool()]).unwrap();
    let file = trees["tool"].files_dir().join("tool/cli.py");
    let names = world.home().join("names");
    std::fs::create_dir(&names).unwrap();
    let linked = (0..70_000).try_for_each(|number| std::fs::hard_link(&file, names.join(number.to_string())));
    assert!(linked.is_ok() || linked.is_err_and(|error| error.kind() == std::io::ErrorKind::TooManyLinks));
    let same_size = vec![b'#'; std::fs::read(&file).unwrap().len()];
    // Through one of its names.
    let name = names.join("0");
    std::fs::set_permissions(&name, std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::write(&name, &same_size).unwrap();
    std::fs::set_permissions(&name, std::fs::Permissions::from_mode(0o444)).unwrap();
    let error = world.install_trees(&[tool()], &trees).unwrap_err();
    assert_eq!(error.refusal_code(), Some("store-mismatch"), "{error}");
}

#[test]
fn direct_urls_are_written_down() {
    let mut world = World::new();
    world.by_url = true;
    world.install(&[WheelRecipe::new("a", "1.0")]).unwrap();
    let text = world.run("import importlib.metadata as m; print(m.distribution('a').read_text('direct_url.json'))");
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["url"], "https://index.example/files/a-1.0-py3-none-any.whl");
    let sha256 = digest(&WheelRecipe::new("a", "1.0").build()).to_string();
    assert_eq!(value["archive_info"]["hashes"]["sha256"], sha256);
}

#[test]
fn the_same_install_writes_the_same_bytes() {
    let world = World::new();
    let wheels = [tool(), WheelRecipe::new("b", "1.0")];
    let list = || std::fs::read(world.path(".pinfold/files.json")).unwrap();
    world.install(&wheels).unwrap();
    let first = list();
    world.install(&wheels).unwrap();
    assert_eq!(list(), first);
}

#[test]
fn compiled_modules_are_recorded_and_verified() {
    let mut world = World::new();
    world.bytecode = Bytecode::Compile;
    world.install(&[tool()]).unwrap();
    let (list, _) = ReceiptFiles::read(world.environment.venv()).unwrap().unwrap();
    let compiled = list.files.iter().filter(|file| file.path.as_str().ends_with(".pyc")).count();
    assert_eq!(compiled, 2);
    let origin = world.run("import tool.cli as c; print(c.__cached__, c.main.__code__.co_filename, sep='\\n')");
    assert!(origin.lines().all(|line| line.starts_with(world.environment.venv().to_str().unwrap())), "{origin}");
    assert_eq!(world.verify(&[tool()]).findings, []);
}

#[test]
fn what_is_placed_ahead_is_part_of_the_same_generation() {
    let shared = |wheel: WheelRecipe| wheel.file("shared/__init__.py", "x = 1\n");
    let wheels = [shared(tool()), shared(WheelRecipe::new("other", "1.0")), WheelRecipe::new("late", "1.0")];
    let (plain, ahead) = (World::new(), World::new());
    let expected = plain.install(&wheels).unwrap();
    let placed = ahead.install_ahead(&wheels, &["other", "tool"], |_| {}).unwrap();
    assert_eq!(ahead.files(), plain.files());
    assert_eq!(placed.file_count, expected.file_count);
}

#[test]
fn what_was_placed_ahead_by_halves_is_begun_again() {
    let world = World::new();
    let wheels = [tool(), WheelRecipe::new("other", "1.0")];
    // Something is in the way of a directory: nothing ahead can be relied on then.
    let placed = world.install_ahead(&wheels, &["other", "tool"], |staging| {
        let site = staging.join(&interpreter().scheme.purelib);
        std::fs::create_dir_all(&site).unwrap();
        std::fs::write(site.join("tool"), "in the way").unwrap();
    });
    let plain = World::new();
    plain.install(&wheels).unwrap();
    assert_eq!(placed.unwrap().file_count, plain.environment.receipt().unwrap().unwrap().file_count);
    assert_eq!(world.files(), plain.files());
}

#[test]
fn different_files_of_one_path_are_refused_ahead_too() {
    let world = World::new();
    let bytes = |name: &str, text: &str| WheelRecipe::new(name, "1.0").file("shared/it.py", text);
    let refused = world.install_ahead(&[bytes("a", "x = 1\n"), bytes("b", "x = 2\n")], &["b", "a"], |_| {});
    let Err(InstallError::Conflict { path, first, second }) = refused else { panic!("{refused:?}") };
    assert!(path.ends_with("shared/it.py"), "{path}");
    assert_eq!((first.as_str(), second.as_str()), ("a 1.0", "b 1.0"));
    assert!(!world.environment.venv().exists());
    assert_eq!(std::fs::read_dir(world.home()).unwrap().count(), 1, "only the store is left");
}

#[test]
fn of_two_equal_files_the_executable_one_is_used_though_the_other_came_first() {
    let world = World::new();
    let plain = WheelRecipe::new("a", "1.0").data("data", "share/run.sh", "#!/bin/sh\n");
    let executable = WheelRecipe::new("b", "1.0").executable("b-1.0.data/data/share/run.sh", "#!/bin/sh\n");
    world.install_ahead(&[plain, executable], &["a", "b"], |_| {}).unwrap();
    assert_eq!(std::fs::metadata(world.path("share/run.sh")).unwrap().permissions().mode() & 0o111, 0o111);
}
