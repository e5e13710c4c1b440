//! Interpreters of this machine, shims that fail, and programs that are no Python.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::*;

fn path() -> OsString {
    std::env::var_os("PATH").unwrap()
}

/// The interpreter that the tests run with, found once by its own answer.
fn own() -> Interpreter {
    Interpreter::find(&path(), None).unwrap()
}

fn script(directory: &Path, name: &str, text: &str) -> PathBuf {
    fs::create_dir_all(directory).unwrap();
    let path = directory.join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn interpreter_says_what_it_is() {
    let python = own();
    assert_eq!(python.implementation_name, "cpython");
    assert!(python.base_executable.is_absolute());
    assert_eq!(python.scheme.scripts, "bin");
    assert!(python.scheme.purelib.ends_with("/site-packages"), "{:?}", python.scheme);
    assert!(python.is_current());
    let host = python.host().unwrap();
    assert_eq!(host.python, python.version);
    assert_eq!(host.environment.os_name, "posix");
    let again: Interpreter = serde_json::from_str(&serde_json::to_string(&python).unwrap()).unwrap();
    assert_eq!(again, python);
    assert!(again.is_same_installation(&python));
}

#[test]
fn changed_program_or_kernel_is_asked_again() {
    let python = own();
    let mut replaced = python.clone();
    replaced.stamp.size_bytes += 1;
    assert!(!replaced.is_current());
    assert!(!replaced.is_same_installation(&python));
    let mut rebooted = python.clone();
    rebooted.platform_release.push('x');
    assert!(!rebooted.is_current());
    assert!(rebooted.is_same_installation(&python));
}

#[test]
fn only_the_very_program_that_was_asked_is_known_again() {
    let home = tempfile::tempdir().unwrap();
    let python = own();
    let base = Interpreter::probe(&python.base_executable, &std::env::var_os("PATH").unwrap()).unwrap();
    assert!(base.is_program(&base.executable.clone()));
    let other = home.path().join("python3");
    std::os::unix::fs::symlink(&base.executable, &other).unwrap();
    assert!(!base.is_program(&other), "an environment may lie around it");
    // A program that starts another one is not known by the other's stamp.
    let shim = Interpreter { executable: "/bin/sh".into(), ..base.clone() };
    assert!(!shim.is_program(std::path::Path::new("/bin/sh")));
    let inside = Interpreter { is_environment: true, ..base.clone() };
    assert!(!inside.is_program(&base.executable));
}

#[test]
fn environment_leads_to_its_installation() {
    let home = tempfile::tempdir().unwrap();
    let python = own();
    let (venv, nested) = (home.path().join("venv"), home.path().join("nested"));
    for (place, home_key) in [(&venv, python.base_executable.parent().unwrap()), (&nested, &venv.join("bin"))] {
        fs::create_dir_all(place.join("bin")).unwrap();
        std::os::unix::fs::symlink(&python.base_executable, place.join("bin/python3")).unwrap();
        fs::write(place.join("pyvenv.cfg"), format!("home = {}\n", home_key.display())).unwrap();
    }
    let found = Interpreter::probe(&nested.join("bin/python3"), &path()).unwrap();
    assert!(found.is_environment);
    assert_eq!(found.base_executable, python.base_executable);
    assert_eq!(found.executable, nested.join("bin/python3"));
}

#[test]
fn probe_imports_nothing_that_is_installed() {
    let home = tempfile::tempdir().unwrap();
    let python = own();
    let venv = home.path().join("venv");
    let site = venv.join(&python.scheme.purelib);
    fs::create_dir_all(&site).unwrap();
    fs::create_dir_all(venv.join("bin")).unwrap();
    std::os::unix::fs::symlink(&python.base_executable, venv.join("bin/python")).unwrap();
    fs::write(venv.join("pyvenv.cfg"), format!("home = {}\n", python.base_executable.parent().unwrap().display()))
        .unwrap();
    let mark = home.path().join("mark");
    let code = format!("import os; os.mkdir({:?})\n", mark.display().to_string());
    for name in ["evil.pth", "sitecustomize.py", "usercustomize.py", "json.py", "platform.py"] {
        fs::write(site.join(name), &code).unwrap();
    }
    Interpreter::probe(&venv.join("bin/python"), &path()).unwrap();
    assert!(!mark.exists());
    // The positive control: the same interpreter with `site` does run it.
    let _ = std::process::Command::new(venv.join("bin/python")).args(["-c", "pass"]).output().unwrap();
    assert!(mark.exists());
}

#[test]
fn failing_shims_are_passed_over() {
    let home = tempfile::tempdir().unwrap();
    let python = own();
    let shims = home.path().join("shims");
    script(&shims, "python3", "#!/bin/sh\necho 'shim: python3: command not found' >&2\nexit 127\n");
    script(&shims, "python", "#!/bin/sh\necho 'Python 2.7.18'\n");
    let search: OsString = std::env::join_paths([shims.clone(), "relative".into()]).unwrap();
    let message = Interpreter::find(&search, None).unwrap_err().to_string();
    assert!(message.contains("shim: python3: command not found"), "{message}");
    let wanted = format!("=={}", python.version).parse().unwrap();
    let bin = home.path().join("versions/any/bin");
    fs::create_dir_all(&bin).unwrap();
    let minor = pinfold_packaging::PythonMinor::of(&python.version).unwrap();
    std::os::unix::fs::symlink(&python.base_executable, bin.join(format!("python{minor}"))).unwrap();
    assert_eq!(Interpreter::find(&search, Some(&wanted)).unwrap().version, python.version);
}

/// A program that leaves a mark whenever it is started, and then is another one.
fn marking(directory: &Path, name: &str, mark: &Path, then: &Path) -> PathBuf {
    script(
        directory,
        name,
        &format!("#!/bin/sh\necho started >> '{}'\nexec '{}' \"$@\"\n", mark.display(), then.display()),
    )
}

#[test]
fn shims_are_not_run_where_it_can_be_read_what_they_stand_for() {
    let (home, python) = (tempfile::tempdir().unwrap(), own());
    let (shims, mark) = (home.path().join("shims"), home.path().join("mark"));
    for name in
        ["python3", "python", &format!("python{}", pinfold_packaging::PythonMinor::of(&python.version).unwrap())]
    {
        marking(&shims, name, &mark, &python.base_executable);
    }
    let wanted = format!("=={}", python.version).parse().unwrap();
    let search = shims.clone().into_os_string();
    // The control: without versions beside it, a shim is all that there is.
    Interpreter::find(&search, Some(&wanted)).unwrap();
    assert!(mark.exists());
    fs::remove_file(&mark).unwrap();
    for version in ["chosen", "zz-other"] {
        let bin = home.path().join("versions").join(version).join("bin");
        fs::create_dir_all(&bin).unwrap();
        std::os::unix::fs::symlink(&python.base_executable, bin.join("python3")).unwrap();
    }
    fs::write(home.path().join("version"), "chosen\n").unwrap();
    for requires in [None, Some(&wanted)] {
        let found = Interpreter::find(&search, requires).unwrap();
        assert_eq!(found.executable, home.path().join("versions/chosen/bin/python3"));
    }
    assert!(!mark.exists());
}

#[test]
fn what_a_name_rules_out_is_asked_last() {
    let (home, python) = (tempfile::tempdir().unwrap(), own());
    let (first, second, mark) = (home.path().join("first"), home.path().join("second"), home.path().join("mark"));
    let old = marking(&first, "python3.6", &mark, &python.base_executable);
    std::os::unix::fs::symlink(&old, first.join("python3")).unwrap();
    fs::create_dir(&second).unwrap();
    std::os::unix::fs::symlink(&python.base_executable, second.join("python3")).unwrap();
    let wanted = format!("=={}", python.version).parse().unwrap();
    let search = std::env::join_paths([&first, &second]).unwrap();
    assert_eq!(Interpreter::find(&search, Some(&wanted)).unwrap().executable, second.join("python3"));
    assert!(!mark.exists(), "nothing was started that cannot fit");
    // A name is no proof: where nothing else fits, it is asked, and so it is where any version will do.
    assert!(Interpreter::find(first.as_os_str(), Some(&wanted)).is_ok());
    assert_eq!(fs::read_to_string(&mark).unwrap(), "started\n");
    assert!(Interpreter::find(&search, None).is_ok());
    assert_eq!(fs::read_to_string(&mark).unwrap(), "started\nstarted\n");
}

#[test]
fn unwanted_versions_are_named() {
    let home = tempfile::tempdir().unwrap();
    let python = own();
    std::os::unix::fs::symlink(&python.base_executable, home.path().join("python3")).unwrap();
    let wanted = "<3".parse().unwrap();
    let message = Interpreter::find(home.path().as_os_str(), Some(&wanted)).unwrap_err().to_string();
    assert!(message.contains(&format!("is {}", python.version)), "{message}");
}

#[test]
fn programs_that_are_no_python_are_refused() {
    let home = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("liar", "#!/bin/sh\ncat >/dev/null\necho '{}'\n"),
        ("silent", "#!/bin/sh\ncat >/dev/null\n"),
        ("failing", "#!/bin/sh\ncat >/dev/null\nexit 1\n"),
    ] {
        let program = script(home.path(), name, text);
        assert!(matches!(Interpreter::probe(&program, &path()), Err(InterpreterError::Answer { .. })), "{name}");
    }
    let absent = Interpreter::probe(&home.path().join("absent"), &path());
    assert!(matches!(absent, Err(InterpreterError::NoProgram { .. })));
}

#[test]
fn machines_become_systems() {
    let mut python = own();
    python.sys_platform = "linux".to_owned();
    for (machine, libc, expected) in [
        ("x86_64", Some(Libc::Glibc(2, 28)), Some("linux-x86_64")),
        ("aarch64", Some(Libc::Glibc(2, 36)), Some("linux-aarch64-glibc2.36")),
        ("x86_64", Some(Libc::Musl(1, 2)), Some("linux-x86_64-musl1.2")),
        ("x86_64", None, None),
        ("riscv64", Some(Libc::Glibc(2, 36)), None),
    ] {
        python.platform_machine = machine.to_owned();
        python.libc = libc;
        assert_eq!(python.target_system().ok().map(|system| system.to_string()).as_deref(), expected);
    }
    (python.sys_platform, python.platform_machine) = ("darwin".to_owned(), "arm64".to_owned());
    python.macos_release = Some((14, 5));
    assert_eq!(python.target_system().unwrap().to_string(), "macos-aarch64-14.5");
    (python.sys_platform, python.platform_machine) = ("win32".to_owned(), "AMD64".to_owned());
    assert_eq!(python.target_system().unwrap().to_string(), "windows-x86_64");
}
