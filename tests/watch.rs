//! `verify --watch` tells what changes in an environment, as it happens.
//!
//! Nothing here waits for a time: each step ends with the line that the watcher writes about it, and the watcher ends when
//! the environment is gone or its reader is.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use pinfold_testkit::{Index, sha256_hex};
use serde_json::Value;

use crate::project::{PINFOLD, Project};

struct Watcher {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Watcher {
    /// Starts a watcher and reads its first line.
    fn start(project: &Project) -> (Self, Value) {
        let mut command = Command::new(PINFOLD);
        command.arg("-C").arg(project.home.project()).arg("--cache-dir").arg(project.home.cache());
        command.args(["verify", "--watch", "--format", "json"]);
        command.env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the test can use its own files and processes");
        let lines = BufReader::new(child.stdout.take().expect("the test can use its own files and processes"));
        let mut watcher = Self { child, lines };
        let first = watcher.next().expect("the test can use its own files and processes");
        assert_eq!(first["event"], "watching", "{first}");
        (watcher, first)
    }

    /// Returns the next event; none at the end.
    fn next(&mut self) -> Option<Value> {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("the test can use its own files and processes");
        (!line.is_empty()).then(|| serde_json::from_str(&line).expect("the test can use its own files and processes"))
    }

    /// Reads the next event, which must be of this kind, code and name of a file.
    fn expect(&mut self, event: &str, code: &str, name: &str) {
        let next = self.next().expect("the test can use its own files and processes");
        let path = next["finding"]["path"].as_str().unwrap_or_default();
        let found = (next["event"].as_str(), next["finding"]["code"].as_str(), path.rsplit('/').next());
        assert_eq!(found, (Some(event), Some(code), Some(name)), "{next}");
    }

    fn code(mut self) -> Option<i32> {
        drop(self.lines);
        self.child.wait().expect("the test can use its own files and processes").code()
    }
}

fn installed() -> Project {
    let index = Index::new()
        .wheel("greet", "1.0")
        .module("hello/__init__.py", "NAME = 'hello'\n")
        .wheel("greet", "2.0")
        .module("hello/__init__.py", "NAME = 'hello, you'\n");
    let project = Project::new(index, &["greet==1.0"]);
    project.installed();
    project
}

fn site(project: &Project) -> PathBuf {
    PathBuf::from(project.python("import sysconfig; print(sysconfig.get_path('purelib'))").trim())
}

#[test]
fn changes_are_told_as_they_happen_and_when_they_are_undone() {
    let project = installed();
    let hello = site(&project).join("hello");
    let (mut watcher, _) = Watcher::start(&project);
    std::fs::write(hello.join("extra.py"), "").unwrap();
    watcher.expect("found", "added", "extra.py");
    std::fs::remove_file(hello.join("extra.py")).unwrap();
    watcher.expect("resolved", "added", "extra.py");
    // A new directory is looked into, and watched.
    project.home.write("new/deep/one.py", "");
    std::fs::rename(project.home.project().join("new"), hello.join("new")).unwrap();
    watcher.expect("found", "added", "one.py");
    std::fs::write(hello.join("new/deep/two.py"), "").unwrap();
    watcher.expect("found", "added", "two.py");
    std::fs::create_dir(hello.join("empty")).unwrap();
    watcher.expect("found", "added", "empty");
    std::fs::remove_dir(hello.join("empty")).unwrap();
    watcher.expect("resolved", "added", "empty");
    // Bytes are compared, whatever the time says.
    let init = hello.join("__init__.py");
    let before = std::fs::metadata(&init).unwrap();
    std::fs::remove_file(&init).unwrap();
    watcher.expect("found", "missing", "__init__.py");
    let other = project.home.project().join("other.py");
    std::fs::write(&other, "NAME = 'hullo'\n").unwrap();
    let file = std::fs::File::options().write(true).open(&other).unwrap();
    file.set_modified(before.modified().unwrap()).unwrap();
    std::fs::rename(&other, &init).unwrap();
    watcher.expect("resolved", "missing", "__init__.py");
    watcher.expect("found", "changed", "__init__.py");
    std::fs::rename(project.home.project().join(".venv"), project.home.project().join("away")).unwrap();
    assert_eq!(watcher.next().unwrap()["event"], "gone");
    assert_eq!(watcher.code(), Some(1));
}

#[test]
fn what_was_wrong_before_is_told_first() {
    let project = installed();
    std::fs::write(site(&project).join("sitecustomize.py"), "").unwrap();
    let (mut watcher, first) = Watcher::start(&project);
    assert_eq!(first["generation"], 1);
    watcher.expect("found", "startup-hook", "sitecustomize.py");
    std::fs::remove_dir_all(project.home.project().join(".venv")).unwrap();
    while watcher.next().is_some_and(|event| event["event"] != "gone") {}
    assert_eq!(watcher.code(), Some(1));
}

#[test]
fn bytecode_is_proven_as_it_appears() {
    let project = installed();
    let cached = site(&project).join("hello/__pycache__");
    let (mut watcher, _) = Watcher::start(&project);
    // What the interpreter makes is no event; the same file with another program in it is one.
    let compile = "import sys; sys.dont_write_bytecode = False; import py_compile, hello; print(py_compile.compile(hello.__file__))";
    let path = project.python(compile);
    let forge = format!(
        "import marshal, os; path = {:?}; header = open(path, 'rb').read(16); \
         open('forged', 'wb').write(header + marshal.dumps(compile('NAME = 1', 'x', 'exec'))); os.replace('forged', path)",
        path.trim()
    );
    project.python(&forge);
    let name = std::fs::read_dir(&cached).unwrap().next().unwrap().unwrap().file_name();
    watcher.expect("found", "foreign-bytecode", name.to_str().unwrap());
    project.python(compile);
    watcher.expect("resolved", "foreign-bytecode", name.to_str().unwrap());
    std::fs::rename(project.home.project().join(".venv"), project.home.project().join("away")).unwrap();
    assert_eq!(watcher.next().unwrap()["event"], "gone");
}

#[test]
fn a_sync_is_followed_to_the_new_generation() {
    let project = installed();
    let (mut watcher, first) = Watcher::start(&project);
    assert_eq!(first["generation"], 1);
    project.write_manifest(&["greet==2.0"], "", "");
    project.installed();
    // The new lock may be seen before what it says is in place; then nothing of the former generation is told any more.
    let mut next = watcher.next().unwrap();
    while (&next["event"], &next["finding"]["code"]) == (&"found".into(), &"lock-changed".into()) {
        next = watcher.next().unwrap();
    }
    assert_eq!((&next["event"], &next["generation"]), (&"watching".into(), &2.into()), "{next}");
    // The lock was read anew too: nothing is wrong until something is.
    std::fs::write(site(&project).join("hello/extra.py"), "").unwrap();
    watcher.expect("found", "added", "extra.py");
    std::fs::rename(project.home.project().join(".venv"), project.home.project().join("away")).unwrap();
    while watcher.next().is_some_and(|event| event["event"] != "gone") {}
    assert_eq!(watcher.code(), Some(1));
}

/// Puts another file in the place of one, in one step.
fn replace(path: &Path, text: &str) {
    let aside = path.with_extension("new");
    std::fs::write(&aside, text).expect("the test can use its own files and processes");
    std::fs::rename(&aside, path).expect("the test can use its own files and processes");
}

#[test]
fn another_lock_is_told_of_as_verify_tells_of_it() {
    let project = installed();
    let path = project.home.project().join("pylock.toml");
    let lock = std::fs::read_to_string(&path).unwrap();
    let (mut watcher, _) = Watcher::start(&project);
    // It is written into.
    let mut file = std::fs::File::options().append(true).open(&path).unwrap();
    file.write_all(b"# a comment\n").unwrap();
    watcher.expect("found", "lock-changed", "");
    project.pinfold("verify").run().expect_code(1).expect_stdout("lock-changed: ");
    file.set_len(lock.len() as u64).unwrap();
    watcher.expect("resolved", "lock-changed", "");
    // Another takes its place, as editors do it; it names other bytes.
    let digest = sha256_hex(&project.server.file_bytes("greet-1.0-py3-none-any.whl"));
    replace(&path, &lock.replace(&digest, &"0".repeat(64)));
    watcher.expect("found", "lock-changed", "");
    watcher.expect("found", "lock-changed", "");
    // What cannot be read says nothing of what was known before.
    std::fs::remove_file(&path).unwrap();
    let gone = watcher.next().unwrap();
    assert!(gone["finding"]["found"].as_str().unwrap().starts_with("cannot read the lock `pylock.toml`: "), "{gone}");
    replace(&path, &lock);
    for _ in 0..3 {
        watcher.expect("resolved", "lock-changed", "");
    }
    // The new file is watched as the former was, and what is in the environment is none of its business.
    std::fs::write(site(&project).join("sitecustomize.py"), "").unwrap();
    watcher.expect("found", "startup-hook", "sitecustomize.py");
    std::fs::File::options().append(true).open(&path).unwrap().write_all(b"no = lock").unwrap();
    watcher.expect("found", "lock-changed", "");
    replace(&path, &lock);
    watcher.expect("resolved", "lock-changed", "");
    assert_eq!(watcher.code(), Some(1));
}

/// Whoever waits to read it is blind for what happens in the environment.
#[test]
fn a_pipe_in_the_place_of_the_lock_is_told_of_and_not_waited_for() {
    let project = installed();
    let path = project.home.project().join("pylock.toml");
    let (mut watcher, _) = Watcher::start(&project);
    let aside = path.with_extension("new");
    pinfold_testkit::make_pipe(&aside);
    std::fs::rename(&aside, &path).unwrap();
    let found = watcher.next().unwrap();
    assert_eq!(found["finding"]["found"], "the lock `pylock.toml` is no regular file");
    std::fs::write(site(&project).join("sitecustomize.py"), "").unwrap();
    watcher.expect("found", "startup-hook", "sitecustomize.py");
}

#[test]
fn a_lock_behind_a_link_is_followed_to_where_it_lies() {
    let project = installed();
    let (path, shared) = (project.home.project().join("pylock.toml"), project.home.project().join("shared"));
    std::fs::create_dir(&shared).unwrap();
    let end = shared.join("lock.toml");
    std::fs::rename(&path, &end).unwrap();
    std::os::unix::fs::symlink("shared/lock.toml", &path).unwrap();
    let lock = std::fs::read_to_string(&end).unwrap();
    let (mut watcher, _) = Watcher::start(&project);
    replace(&end, &format!("{lock}# a comment\n"));
    watcher.expect("found", "lock-changed", "");
    replace(&end, &lock);
    watcher.expect("resolved", "lock-changed", "");
    replace(&path, &format!("{lock}# a comment\n"));
    watcher.expect("found", "lock-changed", "");
    assert_eq!(watcher.code(), Some(1));
}

#[test]
fn it_ends_when_nobody_reads_any_more() {
    let project = installed();
    let (watcher, _) = Watcher::start(&project);
    assert_eq!(watcher.code(), Some(0));
}

#[test]
fn a_form_without_an_end_is_refused() {
    let project = installed();
    let watch = |arguments: &[&str]| project.pinfold("verify").arg("--watch").args(arguments).run();
    watch(&["--format", "sarif"]).expect_code(2).expect_stderr("--format json");
    watch(&["--quick"]).expect_code(2);
    watch(&["--repair"]).expect_code(2);
    watch(&["--venv", "nowhere"]).expect_code(2).expect_stderr("pinfold sync");
}
