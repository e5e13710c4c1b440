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

#[test]
fn names_that_differ_in_case_only_are_found_as_renamed() {
    let project = installed();
    std::fs::rename(site(&project).join("hello/other.py"), site(&project).join("hello/Other.py")).unwrap();
    let report = project.pinfold("verify").run().expect_code(1).expect_stdout("renamed: ");
    assert!(report.stdout.contains("`, the same bytes\n") && report.stdout.lines().count() == 1, "{report}");
}

#[test]
fn edited_scripts_links_and_configuration_are_found() {
    let project = installed();
    let bin = project.home.project().join(".venv/bin");
    overwrite(&bin.join("hello"), "#!/bin/sh\n");
    overwrite(&bin.join("activate"), "");
    overwrite(&bin.join("python3"), "");
    overwrite(&project.home.project().join(".venv/pyvenv.cfg"), "include-system-site-packages = true\n");
    let report = project.pinfold("verify").run().expect_code(1);
    for part in
        ["changed: bin/hello (greet)", "changed: bin/activate", "link-changed: bin/python3", "changed: pyvenv.cfg"]
    {
        assert!(report.stdout.contains(part), "{part}: {report}");
    }
}

/// Makes bytecode of one source as that of another: the header is of the second, so the interpreter runs it.
#[test]
fn bytecode_of_another_program_is_found() {
    let project = installed();
    let code = "import marshal, py_compile, sys; sys.dont_write_bytecode = False; import hello.other as it; \
                path = py_compile.compile(it.__file__); header = open(path, 'rb').read(16); \
                evil = compile('OTHER = 2', it.__file__, 'exec'); open(path, 'wb').write(header + marshal.dumps(evil))";
    project.python(code);
    assert_eq!(project.python("import hello.other; print(hello.other.OTHER)"), "2\n");
    let report = project.pinfold("verify").run().expect_code(1).expect_stdout("foreign-bytecode: ");
    assert!(report.stdout.contains("its code is not what its source compiles to"), "{report}");
    // The control: what the interpreter makes of the source is proven, and is remembered to be so.
    project.python("import py_compile, hello.other as it; py_compile.compile(it.__file__)");
    for _ in 0..2 {
        project.pinfold("verify").run().expect_code(0).expect_stderr("files of bytecode proven");
    }
}

#[cfg(unix)]
fn files_read_again(project: &Project) -> u64 {
    let report = project.pinfold("verify").args(["--quick", "--format", "json"]).run().expect_code(0);
    let report: serde_json::Value =
        serde_json::from_str(&report.stdout).expect("the test can use its own files and processes");
    assert_eq!(report["depth"], "quick");
    report["files_read_again"].as_u64().expect("the test can use its own files and processes")
}

#[cfg(unix)]
#[test]
fn a_quick_look_says_that_it_is_quick_and_reads_only_what_moved() {
    let project = installed();
    let report = project.pinfold("verify").arg("--quick").run().expect_code(0);
    for part in ["looks as it was installed", "were not read", "`pinfold verify` reads every byte"] {
        assert!(report.stderr.contains(part), "{part}: {report}");
    }
    assert_eq!(files_read_again(&project), 0);
    // Another file with the same bytes is read, and is fine.
    let file = site(&project).join("hello/other.py");
    let permissions = std::fs::metadata(&file).unwrap().permissions();
    let bytes = std::fs::read_to_string(&file).unwrap();
    overwrite(&file, &bytes);
    std::fs::set_permissions(&file, permissions).unwrap();
    assert_eq!(files_read_again(&project), 1);
    overwrite(&file, "OTHER = 2\n");
    project.pinfold("verify").arg("--quick").run().expect_code(1).expect_stdout("changed: ");
}

#[cfg(unix)]
#[test]
fn a_quick_look_finds_what_needs_no_reading() {
    let project = installed();
    overwrite(&site(&project).join("hello/extra.py"), "");
    std::fs::remove_file(site(&project).join("hello/other.py")).unwrap();
    let init = site(&project).join("hello/__init__.py");
    std::fs::set_permissions(init, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let report = project.pinfold("verify").arg("--quick").run().expect_code(1);
    for part in ["added: ", "missing: ", "mode-changed: "] {
        assert!(report.stdout.contains(part), "{part}: {report}");
    }
}

/// What a quick look does not prove is what it says that it does not.
#[cfg(unix)]
#[test]
fn bytes_behind_the_same_metadata_are_found_by_reading_them() {
    use std::os::unix::fs::PermissionsExt as _;
    let project = installed();
    let file = site(&project).join("hello/other.py");
    let before = std::fs::metadata(&file).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::write(&file, "OTHER = 2\n").unwrap();
    let opened = std::fs::File::options().write(true).open(&file).unwrap();
    opened.set_modified(before.modified().unwrap()).unwrap();
    std::fs::set_permissions(&file, before.permissions()).unwrap();
    project.pinfold("verify").arg("--quick").run().expect_code(0);
    project.pinfold("verify").run().expect_code(1).expect_stdout("changed: ");
}

/// Without what was recorded, nothing is taken for granted.
#[cfg(unix)]
#[test]
fn without_stamps_a_quick_look_reads_everything() {
    let project = installed();
    let stamps = project.home.project().join(".venv/.pinfold/stamps");
    let bytes = std::fs::read(&stamps).unwrap();
    std::fs::remove_file(&stamps).unwrap();
    assert!(files_read_again(&project) > 5);
    // The same where they are damaged.
    let mut damaged = bytes;
    *damaged.last_mut().unwrap() ^= 1;
    std::fs::write(&stamps, damaged).unwrap();
    assert!(files_read_again(&project) > 5);
}
