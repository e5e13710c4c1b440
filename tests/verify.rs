//! `verify` reads every byte, and says what differs from the lock.

use pinfold_testkit::Index;

use crate::project::Project;

fn installed() -> Project {
    let index = Index::new()
        .wheel("greet", "1.0")
        .module("hello/__init__.py", "NAME = 'hello'\n")
        .module("hello/other.py", "OTHER = 1\n")
        .console_script("hello", "hello:main");
    let project = Project::new(index, &["greet"]);
    project.installed();
    project.pinfold("verify").run().expect_code(0);
    project
}

fn site(project: &Project) -> std::path::PathBuf {
    let found = project.python("import sysconfig; print(sysconfig.get_path('purelib'))");
    std::path::PathBuf::from(found.trim())
}

fn overwrite(path: &std::path::Path, bytes: &str) {
    // A stored file is read-only; whoever attacks an environment replaces it.
    if path.exists() {
        std::fs::remove_file(path).expect("can remove it");
    }
    std::fs::write(path, bytes).expect("can write it");
}

#[test]
fn a_changed_byte_is_found_though_size_is_the_same() {
    let project = installed();
    let file = site(&project).join("hello/__init__.py");
    overwrite(&file, "NAME = 'hullo'\n");
    project.pinfold("verify").run().expect_code(1).expect_stdout("changed: ").expect_stdout("hello/__init__.py");
}

#[test]
fn an_added_file_is_found() {
    let project = installed();
    overwrite(&site(&project).join("hello/extra.py"), "");
    project.pinfold("verify").run().expect_code(1).expect_stdout("added: ").expect_stdout("hello/extra.py");
}

#[test]
fn a_missing_file_is_found() {
    let project = installed();
    std::fs::remove_file(site(&project).join("hello/other.py")).unwrap();
    project.pinfold("verify").run().expect_code(1).expect_stdout("missing: ").expect_stdout("hello/other.py");
}

#[test]
fn startup_hooks_and_foreign_distributions_are_found() {
    let project = installed();
    overwrite(&site(&project).join("sitecustomize.py"), "");
    overwrite(&site(&project).join("evil.pth"), "import os\n");
    std::fs::create_dir(site(&project).join("evil-1.0.dist-info")).unwrap();
    overwrite(&site(&project).join("evil-1.0.dist-info/METADATA"), "Name: evil\n");
    let report = project.pinfold("verify").run().expect_code(1);
    for part in ["sitecustomize.py", "evil.pth", "foreign-distribution"] {
        assert!(report.stdout.contains(part), "{part}: {report}");
    }
}

#[test]
fn bytecode_that_the_interpreter_made_itself_is_no_finding() {
    let project = installed();
    let code = "import sys; sys.dont_write_bytecode = False; import py_compile, hello, hello.other; \
                py_compile.compile(hello.__file__)";
    project.python(code);
    assert!(site(&project).join("hello/__pycache__").is_dir());
    project.pinfold("verify").run().expect_code(0);
}

#[cfg(unix)]
#[test]
fn names_of_files_do_not_drive_the_terminal() {
    let project = installed();
    overwrite(&site(&project).join("hello/\u{1b}[2Jx\nadded: y"), "");
    let report = project.pinfold("verify").args(["--color", "always"]).run().expect_code(1).expect_stdout("added: ");
    assert_eq!(report.stdout.lines().count(), 1, "{report}");
    assert!(!report.stdout.contains("\u{1b}[2J"), "{report}");
}

#[test]
fn another_lock_is_found() {
    let project = installed();
    project.tamper("created-by = \"pinfold\"", "created-by = \"somebody\"");
    project.pinfold("verify").run().expect_code(1).expect_stdout("lock-changed");
}

#[test]
fn the_report_is_json_where_asked_for() {
    let project = installed();
    std::fs::remove_file(site(&project).join("hello/other.py")).unwrap();
    let report = project.pinfold("verify").args(["--format", "json"]).run().expect_code(1);
    let report: serde_json::Value = serde_json::from_str(&report.stdout).unwrap();
    assert_eq!(report["findings"][0]["code"], "missing");
    assert_eq!(report["findings"][0]["package"], "greet");
}

#[test]
fn verifying_nothing_is_wrong_usage() {
    let project = Project::new(Index::new().wheel("greet", "1.0"), &["greet"]);
    project.pinfold("verify").run().expect_code(2);
    project.lock();
    project.pinfold("verify").run().expect_code(2).expect_stderr("pinfold sync");
}
