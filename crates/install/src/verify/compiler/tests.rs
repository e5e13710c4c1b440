//! Interpreters that are killed, end otherwise or take too long: nobody learns anything from that. Beside each, one that lives.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use pinfold_testkit::WheelRecipe;

use super::*;
use crate::fixture::{World, interpreter};
use crate::verify::known::Way;
use crate::verify::{Depth, VerifyOptions};
use crate::{Bytecode, THREADS};

/// A program that does what the real interpreter does, but for sources with a mark: while there is an `order`, it does that
/// first, and the order is gone if it says `once`.
struct Fake {
    directory: PathBuf,
    interpreter: Interpreter,
}

/// What a source has of which the fake dies.
const MARK: &str = "MARKED";

impl Fake {
    fn new(directory: &Path) -> Self {
        let (place, program) = (directory.display(), directory.join("python"));
        let real = interpreter().base_executable.display();
        let script = format!(
            "#!/bin/sh\n/bin/cat > \"$TMPDIR/in\"\n\
             if [ -e {place}/order ] && /bin/grep -q {MARK} \"$TMPDIR/in\"; then\n\
             /bin/echo met >> {place}/met\n. {place}/order\nfi\nexec {real} \"$@\" < \"$TMPDIR/in\"\n"
        );
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let mut fake = interpreter().clone();
        fake.base_executable = program;
        fake.stamp = fake.present_stamp().unwrap();
        assert!(fake.is_same_program());
        Self { directory: directory.to_owned(), interpreter: fake }
    }

    fn order(&self, what: &str) {
        fs::write(self.directory.join("order"), what).unwrap();
    }

    fn once(&self, what: &str) {
        self.order(&format!("/bin/rm {}/order\n{what}", self.directory.display()));
    }

    fn no_order(&self) {
        let _may_be_gone = fs::remove_file(self.directory.join("order"));
    }

    /// How often the mark was met since this was asked last.
    fn met(&self) -> usize {
        let met = fs::read_to_string(self.directory.join("met")).unwrap_or_default().lines().count();
        let _may_be_gone = fs::remove_file(self.directory.join("met"));
        met
    }
}

/// A hundred sources in a directory, one of which is marked.
struct Sources {
    home: tempfile::TempDir,
    paths: Vec<String>,
}

const MARKED: usize = 37;

impl Sources {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let text = |number: usize| if number == MARKED { format!("{MARK} = 1\n") } else { format!("A = {number}\n") };
        let paths: Vec<String> = (0..100).map(|number| format!("m{number}.py")).collect();
        paths.iter().enumerate().for_each(|(number, path)| fs::write(home.path().join(path), text(number)).unwrap());
        Self { home, paths }
    }

    /// Compiles all of them, and returns which have code.
    fn compiled(&self, interpreter: &Interpreter, time_limit: Duration) -> Result<Vec<usize>, InstallError> {
        let root = Directory::open(self.home.path()).unwrap();
        let compiler = Compiler { root: &root, interpreter, workers: THREADS, time_limit };
        let key = |path: &String| {
            let source = digest(&fs::read(self.home.path().join(path)).unwrap());
            Key { source, level: 0, way: Way::Usual }
        };
        let tasks: Vec<Task<'_>> = self.paths.iter().map(|path| Task { key: key(path), path }).collect();
        let made = compiler.run(&tasks, &|position, made| Ok(made.code.is_some().then_some(position)));
        made.map(|made| {
            assert_eq!(made.len(), self.paths.len());
            let mut made: Vec<usize> = made.into_iter().flatten().collect();
            made.sort_unstable();
            made
        })
    }
}

/// The ways in which a process ends before it says everything, and what is said of each.
const ENDS: [(&str, &str); 5] = [
    ("kill -9 $$", "signal: 9"),
    ("kill -15 $$", "signal: 15"),
    ("kill -11 $$", "signal: 11"),
    ("exit 3", "exit status: 3"),
    ("exit 0", "an answer that was cut off"),
];

#[test]
fn an_interpreter_that_is_killed_says_nothing_of_a_source() {
    let (sources, home) = (Sources::new(), tempfile::tempdir().unwrap());
    let fake = Fake::new(home.path());
    let all: Vec<usize> = (0..100).collect();
    for (end, told) in ENDS {
        fake.order(end);
        let error = sources.compiled(&fake.interpreter, TIME_LIMIT).unwrap_err();
        let InstallError::Interpreter(InterpreterError::Died { module, how, .. }) = &error else { panic!("{error:?}") };
        assert!(module == "m37.py" && how.starts_with(told), "{end}: {error}");
        // By halves down to the one, and that twice: no more.
        assert!((3..=9).contains(&fake.met()), "{end}");
        // Killed once, it is asked again, and every source has its code.
        fake.once(end);
        assert_eq!(sources.compiled(&fake.interpreter, TIME_LIMIT).unwrap(), all, "{end}");
        assert_eq!(fake.met(), 1);
        // The control: nobody kills it.
        fake.no_order();
        assert_eq!(sources.compiled(&fake.interpreter, TIME_LIMIT).unwrap(), all);
    }
}

#[test]
fn a_single_source_is_given_to_a_second_interpreter() {
    let (mut sources, home) = (Sources::new(), tempfile::tempdir().unwrap());
    sources.paths = vec!["m37.py".to_owned()];
    let fake = Fake::new(home.path());
    fake.once("kill -9 $$");
    assert_eq!(sources.compiled(&fake.interpreter, TIME_LIMIT).unwrap(), [0]);
    fake.order("kill -9 $$");
    sources.compiled(&fake.interpreter, TIME_LIMIT).unwrap_err();
    assert_eq!(fake.met(), 3);
}

#[test]
fn an_interpreter_that_takes_too_long_says_nothing_either() {
    let (sources, home) = (Sources::new(), tempfile::tempdir().unwrap());
    let fake = Fake::new(home.path());
    fake.order("exec /usr/bin/tail -f /dev/null");
    let error = sources.compiled(&fake.interpreter, Duration::from_millis(500)).unwrap_err();
    let told = matches!(
        &error,
        InstallError::Interpreter(InterpreterError::Compile {
            source: pinfold_sandbox::SandboxError::Timeout { .. },
            ..
        })
    );
    assert!(told, "{error:?}");
    fake.no_order();
    assert_eq!(sources.compiled(&fake.interpreter, TIME_LIMIT).unwrap().len(), 100);
}

/// What an interpreter says itself stays what it is: these cannot be compiled.
#[test]
fn an_interpreter_that_says_no_is_believed() {
    let mut sources = Sources::new();
    let bad = [
        ("syntax.py", "def f(:\n".to_owned()),
        ("null.py", "a = 1\0\n".to_owned()),
        ("encoding.py", "# coding: no-such-coding\n".to_owned()),
        ("nested.py", format!("a = {}1{}\n", "(".repeat(300), ")".repeat(300))),
        // The parser says MemoryError, or that it is too deep: there is memory enough.
        ("signs.py", format!("a = {}1\n", "-".repeat(20_000))),
    ];
    bad.iter().for_each(|(path, text)| fs::write(sources.home.path().join(path), text).unwrap());
    sources.paths = bad.iter().map(|(path, _)| (*path).to_owned()).chain(["m0.py".to_owned()]).collect();
    assert_eq!(sources.compiled(interpreter(), TIME_LIMIT).unwrap(), [bad.len()]);
}

#[test]
fn a_source_that_is_gone_or_changed_is_left_out_and_one_that_cannot_be_read_is_told() {
    let sources = Sources::new();
    let root = Directory::open(sources.home.path()).unwrap();
    let compiler = Compiler { root: &root, interpreter: interpreter(), workers: 1, time_limit: TIME_LIMIT };
    let key = |text: &str| Key { source: digest(text.as_bytes()), level: 0, way: Way::Usual };
    let tasks = [
        Task { key: key("A = 0\n"), path: "m0.py" },
        Task { key: key("B = 0\n"), path: "m1.py" },
        Task { key: key("A = 2\n"), path: "gone.py" },
    ];
    let made = compiler.run(&tasks, &|position, made| Ok((position, made.code.is_some()))).unwrap();
    assert_eq!(made, [(0, true)]);
    fs::create_dir(sources.home.path().join("directory.py")).unwrap();
    let task = [Task { key: key("A = 2\n"), path: "directory.py" }];
    let error = compiler.run(&task, &|position, _| Ok(position)).unwrap_err();
    assert!(matches!(&error, InstallError::Io { path, .. } if path.ends_with("directory.py")), "{error}");
}

fn wheels() -> [WheelRecipe; 1] {
    let marked = format!("{MARK} = 1\n");
    [WheelRecipe::new("a", "1.0")
        .file("a/more.py", marked)
        .file("a/other.py", "B = 2\n")
        .file("a/broken.py", "def f(:\n")]
}

/// An environment whose modules were compiled, and the program that compiled them.
fn compiled() -> (World, Fake) {
    let mut world = World::new();
    let fake = Fake::new(world.home());
    world.interpreter = fake.interpreter.clone();
    world.bytecode = Bytecode::Compile;
    world.install(&wheels()).unwrap();
    (world, fake)
}

#[test]
fn verify_accuses_no_good_bytecode_and_remembers_nothing_of_it() {
    let (world, fake) = compiled();
    let kept = world.home().join("compiled");
    let options =
        || VerifyOptions { depth: Depth::Full, store: Some(&world.store), compiled: Some(&kept), progress: &|_| {} };
    for (end, _) in ENDS {
        fake.order(end);
        let error = world.verify_as(&wheels(), &options()).unwrap_err();
        assert!(error.to_string().contains("a/more.py"), "{end}: {error}");
        fake.once(end);
        let report = world.verify_as(&wheels(), &options()).unwrap();
        assert_eq!((report.findings, report.bytecode_files), (vec![], 3), "{end}");
        fs::remove_dir_all(&kept).unwrap();
        // Nor is anything remembered of the failed run.
        fake.order(end);
        world.verify_as(&wheels(), &options()).unwrap_err();
        fake.no_order();
        let report = world.verify_as(&wheels(), &options()).unwrap();
        assert_eq!((report.findings, report.bytecode_files), (vec![], 3), "{end}");
        fs::remove_dir_all(&kept).unwrap();
    }
    // The control: a file that is not of its source is found, whether or not an interpreter was killed before.
    let file = fs::read_dir(world.site("a/__pycache__")).unwrap().flatten().map(|entry| entry.path());
    let file = file.filter(|path| path.to_string_lossy().contains("more")).last().unwrap();
    let mut bytes = fs::read(&file).unwrap();
    let place = bytes.windows(6).position(|bytes| bytes == MARK.as_bytes()).unwrap();
    bytes[place] = b'N';
    crate::fixture::overwrite(&file, &bytes);
    fake.once("kill -9 $$");
    assert!(!world.verify_as(&wheels(), &options()).unwrap().findings.is_empty());
}

#[test]
fn what_an_older_pinfold_took_for_a_verdict_is_not_believed() {
    let (world, _fake) = compiled();
    let kept = world.home().join("compiled");
    let options =
        VerifyOptions { depth: Depth::Full, store: Some(&world.store), compiled: Some(&kept), progress: &|_| {} };
    world.verify_as(&wheels(), &options).unwrap();
    let path = fs::read_dir(&kept).unwrap().next().unwrap().unwrap().path();
    let bytes = fs::read(&path).unwrap();
    assert!(bytes.starts_with(b"pinfold-code-2\n"));
    // As the older one wrote it: of every source it is said that it cannot be compiled.
    let header = b"pinfold-code-2\n".len() + 32;
    let (magic, records) = bytes[header..].split_at(4);
    let lost = records.chunks_exact(66).flat_map(|record| [&record[..33], &[0; 33][..]].concat());
    let body: Vec<u8> = magic.iter().copied().chain(lost).collect();
    let written = |name: &[u8]| fs::write(&path, [name, digest(&body).as_bytes(), &body].concat()).unwrap();
    written(b"pinfold-code-1\n");
    assert_eq!(world.verify_as(&wheels(), &options).unwrap().findings, []);
    // The control: under today's name it would be believed.
    written(b"pinfold-code-2\n");
    assert_eq!(world.verify_as(&wheels(), &options).unwrap().findings.len(), 3);
}

#[test]
fn an_install_leaves_no_module_without_bytecode_in_silence() {
    let (world, fake) = compiled();
    let modules = || fs::read_dir(world.site("a/__pycache__")).unwrap().count();
    assert_eq!(modules(), 3);
    let number = || world.environment.receipt().unwrap().unwrap().generation;
    for (end, _) in ENDS {
        let before = number();
        fake.order(end);
        let error = world.install(&wheels()).unwrap_err();
        assert!(matches!(&error, InstallError::Interpreter(InterpreterError::Died { .. })), "{error:?}");
        assert_eq!((number(), modules()), (before, 3), "{end}");
        fake.once(end);
        world.install(&wheels()).unwrap();
        assert_eq!((number(), modules()), (before + 1, 3), "{end}");
    }
}
