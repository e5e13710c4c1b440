//! The same files whatever the number of processes, the place, the seed of hashes and what was compiled before.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;

use pinfold_testkit::WheelRecipe;

use super::*;
use crate::fixture::{World, interpreter};
use crate::{Bytecode, ReceiptFiles};

/// Modules that share constants, some of which are interned by one and not by another.
fn wheels() -> [WheelRecipe; 1] {
    let mut wheel = WheelRecipe::new("a", "1.0").file("a/broken.py", "def f(:\n").file("a/empty.py", "");
    for number in 0..48 {
        wheel = wheel.file(&format!("a/m{number}.py"), source(number));
    }
    [wheel.file("a/deep/er/__init__.py", "from ...m1 import f\n")]
}

fn source(number: usize) -> String {
    let words = ["alpha", "beta words", "gamma", "naïve", "x", ",", "/", "__doc__"];
    let word = |step: usize| words[(number + step) % words.len()];
    let table = (0..300).map(|item| format!("{:?}, ", word(item))).collect::<String>();
    format!(
        "\"\"\"{} text.\"\"\"\nTABLE = ({table})\nSMALL = (1, 1.0, -0.0, 0.0, True, 2j, b'{number}', 'ab' * {}, None, ...)\n\
         LARGE = 123456789012345678901234567890 + {number}\n\n\ndef f({}_arg, *, key={:?}):\n    \
         if key in {{'a', 'bb', 'ccc', 'dddd', {:?}, 'eeeee', 'ffffff'}}:\n        return [lambda y: (y, key, {:?}) for _ in (1, 1.0)]\n    \
         def inner():\n        def inmost():\n            return key, TABLE, 'alpha', {{0: ',', 1: (1, 1.0)}}\n        return inmost\n    \
         try:\n        return inner\n    finally:\n        f.seen = lambda: 'gamma'\n\n\nclass C:\n    alpha = gamma = 'x'\n\n    \
         async def m(self):\n        return self.alpha, C.gamma, 'gamma', 3 in {{8, 0, 16, {number}}}\n",
        word(0),
        number % 5 + 1,
        ["alpha", "gamma"][number % 2],
        word(1),
        word(2),
        word(3),
    )
}

/// What is in the files of bytecode of an environment.
fn bytecode_of(world: &World) -> BTreeMap<String, Vec<u8>> {
    let (list, _) = ReceiptFiles::read(world.environment.venv()).unwrap().unwrap();
    let paths = list.files.iter().map(|file| file.path.as_str()).filter(|path| path.ends_with(".pyc"));
    paths.map(|path| (path.to_owned(), fs::read(world.path(path)).unwrap())).collect()
}

fn compiled(venv: &str) -> World {
    let mut world = World::at(venv);
    world.bytecode = Bytecode::Compile;
    world.install(&wheels()).unwrap();
    world
}

#[test]
fn two_environments_have_the_same_bytecode() {
    let (one, other) = (compiled(".venv"), compiled("else where/env"));
    let bytecode = bytecode_of(&one);
    assert_eq!(bytecode, bytecode_of(&other));
    // Each of the modules but the one that cannot be compiled, and the package's own.
    assert_eq!(bytecode.len(), 48 + 3);
    let report = one.verify(&wheels());
    assert_eq!((report.findings, report.bytecode_files), (vec![], 51));
    // The control: another source is other bytecode.
    let distinct: BTreeSet<&Vec<u8>> = bytecode.values().collect();
    assert_eq!(distinct.len(), bytecode.len());
}

#[test]
fn any_number_of_processes_makes_the_same_files() {
    let world = World::new();
    world.install(&wheels()).unwrap();
    let (list, _) = ReceiptFiles::read(world.environment.venv()).unwrap().unwrap();
    let owner = "a".parse().unwrap();
    let modules = Modules {
        root: world.environment.venv(),
        interpreter: interpreter(),
        files: &list.files,
        owners: &[&owner],
        kept: None,
        progress: &|_| {},
    };
    let made = |workers: usize| {
        let mut files = compile(&modules, workers).unwrap();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let of = |file: &InstalledFile| (file.path.to_string(), fs::read(world.path(file.path.as_str())).unwrap());
        let bytes: Vec<(String, Vec<u8>)> = files.iter().map(of).collect();
        files.iter().for_each(|file| fs::remove_file(world.path(file.path.as_str())).unwrap());
        (files, bytes)
    };
    let first = made(1);
    assert_eq!(first.0.len(), 51);
    for workers in [1, 2, 5, 60] {
        assert_eq!(made(workers), first, "{workers}");
    }
}

/// What an interpreter writes by itself differs by the seed and by what it did before: the form in which it is written here
/// does not, and is loaded as the same code.
#[test]
fn the_form_depends_on_the_code_alone() {
    let layout = Layout::of(PythonMinor::of(&interpreter().version).unwrap().minor()).unwrap();
    let script = "import marshal, sys\n\
         sources = [open(path, encoding='utf-8').read() for path in sys.argv[2:]]\n\
         kept = [compile(source, 'other', 'exec') for source in sources[1:]] if sys.argv[1] == 'more' else []\n\
         kept += [sys.intern(word) for word in ('beta words', ',', '/', 'abab')] if sys.argv[1] == 'more' else []\n\
         sys.stdout.buffer.write(marshal.dumps(compile(sources[0], 'a.py', 'exec', dont_inherit=True)))";
    let home = tempfile::tempdir().unwrap();
    let place = |number: usize| home.path().join(format!("m{number}.py"));
    (0..8).for_each(|number| fs::write(place(number), source(number)).unwrap());
    let python = |arguments: &[&str], paths: &[PathBuf], seed: &str| {
        let mut python = std::process::Command::new(&interpreter().base_executable);
        let python = python.args(["-s", "-S", "-B", "-c"]).args(arguments).args(paths);
        let output = python.env_clear().env("PYTHONHASHSEED", seed).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let paths: Vec<PathBuf> = (0..8).map(place).collect();
    let mut raw = BTreeSet::new();
    let mut forms = BTreeSet::new();
    for (seed, before) in [("0", "none"), ("0", "more"), ("1", "none"), ("2", "more"), ("3", "none")] {
        let bytes = python(&[script, before], &paths, seed);
        let form = canonical_of(&bytes, layout);
        assert_eq!(canonical_of(&form, layout), form);
        fs::write(home.path().join("raw"), &bytes).unwrap();
        fs::write(home.path().join("form"), &form).unwrap();
        let same = "import marshal, sys; one, other = (marshal.load(open(path, 'rb')) for path in sys.argv[1:]); print(one == other)";
        let shown = python(&[same], &[home.path().join("raw"), home.path().join("form")], "0");
        assert_eq!(shown, b"True\n");
        raw.insert(bytes);
        forms.insert(form);
    }
    // Since 3.13 an interpreter interns all constants, and differs less by itself.
    assert!(raw.len() > 1 || interpreter().version >= "3.13".parse().unwrap());
    assert_eq!(forms.len(), 1);
}

fn canonical_of(bytes: &[u8], layout: Layout) -> Vec<u8> {
    let canonical = marshal::canonical(bytes, layout).unwrap();
    assert_eq!(marshal::digest_of(bytes, layout).unwrap(), canonical.digest);
    assert_eq!(marshal::digest_of(&canonical.bytes, layout).unwrap(), canonical.digest);
    canonical.bytes
}

#[test]
fn importing_uses_the_files_and_writes_none() {
    let world = compiled(".venv");
    let stamps = || {
        let facts = |entry: fs::DirEntry| {
            (entry.file_name(), entry.metadata().unwrap().ino(), entry.metadata().unwrap().mtime_nsec())
        };
        let mut all: Vec<_> =
            fs::read_dir(world.site("a/__pycache__")).unwrap().map(|entry| facts(entry.unwrap())).collect();
        all.sort();
        all
    };
    let before = stamps();
    let code = "import sys; sys.dont_write_bytecode = False\nimport a, a.m1, a.empty, a.deep.er\n\
         print(a.m1.f.__code__.co_filename == a.m1.__file__, a.m1.f(1)()()[2], a.deep.er.f is a.m1.f)";
    assert_eq!(world.run(code), "True alpha True\n");
    assert_eq!(stamps(), before);
    assert_eq!(world.verify(&wheels()).findings, []);
    // The control: what the interpreter runs is in these files. Of another source they would be made anew.
    let path = world.site("a/m1.py");
    crate::fixture::overwrite(&path, b"def f(): return lambda: lambda: 'other'\n");
    world.run("import sys; sys.dont_write_bytecode = False; import a.m1");
    assert_ne!(stamps(), before);
}

#[test]
fn the_first_verify_compiles_nothing_again() {
    let mut world = World::new();
    world.bytecode = Bytecode::Compile;
    world.compiled = Some(world.home().join("compiled"));
    world.install(&wheels()).unwrap();
    let kept = || {
        let entry = fs::read_dir(world.home().join("compiled")).unwrap().next().unwrap().unwrap();
        (entry.metadata().unwrap().ino(), fs::read(entry.path()).unwrap())
    };
    let before = kept();
    let report = world.verify(&wheels());
    assert_eq!((report.findings, report.bytecode_files), (vec![], 51));
    assert!(kept() == before, "verify had to find something out");
    // The control: what is kept is of sources, and says nothing good of a file that is not made of one.
    let file = fs::read_dir(world.site("a/__pycache__")).unwrap().next().unwrap().unwrap();
    let forged = file.path();
    let mut bytes = fs::read(&forged).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    crate::fixture::overwrite(&forged, &bytes);
    assert!(!world.verify(&wheels()).findings.is_empty());
}

/// The store's file was written to through a link, and its time put back: nothing is compiled from it.
#[test]
fn a_source_that_is_not_what_was_stored_is_refused() {
    let mut world = World::new();
    world.link_mode = crate::LinkMode::Hardlink;
    world.install(&wheels()).unwrap();
    let before = world.files();
    let path = world.site("a/m3.py");
    let (metadata, bytes) = (fs::metadata(&path).unwrap(), fs::read_to_string(&path).unwrap());
    let write = |text: &str| {
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let file = fs::File::options().write(true).truncate(true).open(&path).unwrap();
        std::io::Write::write_all(&mut &file, text.as_bytes()).unwrap();
        file.set_modified(metadata.modified().unwrap()).unwrap();
        fs::set_permissions(&path, metadata.permissions()).unwrap();
    };
    write(&bytes.replace("LARGE", "EVIL_"));
    world.bytecode = Bytecode::Compile;
    let error = world.install(&wheels()).unwrap_err();
    assert!(matches!(&error, InstallError::StoreChanged { path, .. } if path.ends_with("a/m3.py")), "{error:?}");
    assert_eq!(world.environment.receipt().unwrap().unwrap().generation, 1);
    write(&bytes);
    assert_eq!(world.files(), before);
    assert_eq!(world.install(&wheels()).unwrap().generation, 2);
}
