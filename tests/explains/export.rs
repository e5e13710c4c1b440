//! A lock in a form that pip reads: the same versions and bytes, or no installation.

use pinfold_testkit::{Index, Python, SdistRecipe};

use super::{TARGETS, ask, locked};
use crate::project::Project;

/// Installs a requirements file with the machine's pip into a directory, from the project's index alone. None if the machine
/// has no pip; otherwise whether pip did it, and what it said.
fn pip_install(project: &Project, file: &str, into: &str) -> Option<(bool, String)> {
    let python = Python::found();
    let has_pip = python.run(&project.home.project(), "import importlib.util; print(importlib.util.find_spec('pip'))");
    if has_pip.trim() == "None" {
        return None;
    }
    let code = format!(
        "import subprocess, sys\n\
         run = subprocess.run([sys.executable, '-I', '-m', 'pip', 'install', '--require-hashes', '--no-cache-dir', \
         '--disable-pip-version-check', '--isolated', '--index-url', {:?}, '--target', {into:?}, '-r', {file:?}], \
         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)\n\
         print(run.returncode); print(run.stdout)",
        project.server.url()
    );
    let said = python.run(&project.home.project(), &code);
    Some((said.starts_with("0\n"), said))
}

/// Returns the text with the first digit of its first hash changed.
fn one_digit_changed(text: &str) -> String {
    let position = text.find("--hash=sha256:").expect("a hash") + "--hash=sha256:".len();
    let digit = if text[position..].starts_with('0') { "1" } else { "0" };
    format!("{}{digit}{}", &text[..position], &text[position + 1..])
}

#[test]
fn pip_installs_what_was_locked_and_nothing_else() {
    let index = Index::new().wheel("app", "1.0").requires("lib").wheel("lib", "1.0").wheel("lib", "2.0rc1");
    let project = Project::new(index.clone(), &["app"]);
    project.lock();
    ask(&project, &["export", "--format", "requirements", "-o", "requirements.txt"]).expect_code(0);
    // What came later, and is newer, is not what was locked.
    project.server.update(&index.wheel("lib", "1.1"));
    let Some((installed, said)) = pip_install(&project, "requirements.txt", "site") else { return };
    assert!(installed, "{said}");
    assert!(project.home.has("site/lib-1.0.dist-info/METADATA") && project.home.has("site/app-1.0.dist-info/METADATA"));
    assert!(!project.home.has("site/lib-1.1.dist-info"));
    // One digit of a hash.
    let text = project.home.read("requirements.txt");
    project.home.write("changed.txt", one_digit_changed(&text));
    let (installed, said) = pip_install(&project, "changed.txt", "other").expect("there was a pip before");
    assert!(!installed && said.to_lowercase().contains("hash"), "{said}");
    assert!(!project.home.has("other/lib-1.0.dist-info"));
}

#[test]
fn what_is_required_by_url_is_written_with_it() {
    let server = Index::new().wheel("tool", "1.0").requires("lib").start();
    let url = server.file_url("tool-1.0-py3-none-any.whl");
    let project = Project::new(Index::new().wheel("lib", "1.0").wheel("tool", "9.0"), &[&format!("tool @ {url}")]);
    project.lock();
    ask(&project, &["why", "tool"]).expect_code(0).expect_stdout(&format!("tool 1.0 on every target, from {url}\n"));
    let text = ask(&project, &["export", "--format", "requirements"]).expect_code(0).stdout;
    assert!(text.contains(&format!("\ntool @ {url} \\\n    --hash=sha256:")), "{text}");
    project.home.write("requirements.txt", &text);
    let Some((installed, said)) = pip_install(&project, "requirements.txt", "site") else { return };
    assert!(installed && project.home.has("site/tool-1.0.dist-info/METADATA"), "{said}");
    project.home.write("changed.txt", one_digit_changed(&text));
    let (installed, said) = pip_install(&project, "changed.txt", "other").expect("there was a pip before");
    assert!(!installed, "{said}");
}

#[test]
fn all_targets_are_told_apart_by_markers_and_one_has_none() {
    let project = locked();
    let all = ask(&project, &["export", "--format", "requirements"]).expect_code(0).stdout;
    assert!(all.contains("winlib==1.0 ; sys_platform == 'win32' \\\n    --hash=sha256:"), "{all}");
    assert!(!all.contains("gpu==") && !all.contains("test=="), "{all}");
    let run = ask(&project, &["export", "--format", "requirements", "--target", "windows-x86_64", "--extra", "gpu"]);
    let windows = run.expect_code(0).stdout;
    assert!(windows.contains("\nwinlib==1.0 \\\n") && windows.contains("\ngpu==1.0 \\\n"), "{windows}");
    let run = ask(&project, &["export", "--format", "requirements", "--target", "linux-x86_64", "--group", "dev"]);
    let linux = run.expect_code(0).stdout;
    assert!(!linux.contains("winlib==") && linux.contains("\ntest==1.0 \\\n"), "{linux}");
    // Every requirement has a hash.
    for text in [&all, &windows, &linux] {
        let requirements = text.lines().filter(|line| !line.starts_with([' ', '#'])).count();
        assert!(requirements >= 4 && text.matches("--hash=sha256:").count() >= requirements, "{text}");
    }
    for (arguments, part) in [
        (["--extra", "nothing"], "nothing"),
        (["--group", "nothing"], "nothing"),
        (["--target", "solaris"], "solaris"),
        (["--lock", "nowhere.toml"], "nowhere.toml"),
        (["--format", "poetry"], "requirements"),
    ] {
        let run = [&["export", "--format", "requirements"][..], &arguments].concat();
        let run = if arguments[0] == "--format" { ["export", "--format", "poetry"].to_vec() } else { run };
        ask(&project, &run).expect_code(2).expect_stderr(part);
    }
}

#[test]
fn a_build_is_marked_and_a_damaged_lock_is_not_exported() {
    let index = Index::new().sdist_from(SdistRecipe::new("source", "1.0")).wheel("app", "1.0").requires("source");
    let project = Project::with(index, &["app"], "build = [\"source\"]", "");
    project.lock();
    let text = ask(&project, &["export", "--format", "requirements"]).expect_code(0).stdout;
    assert!(text.contains("# pip builds this one from source") && text.contains("\nsource==1.0 \\\n"), "{text}");
    let url = project.server.url();
    project.tamper(&format!("index = \"{url}\""), "index = \"https://evil.example/simple/\"");
    ask(&project, &["export", "--format", "requirements"]).expect_code(3).expect_stderr("error[origin-mismatch]");
    let other = Project::with(Index::new().wheel("app", "1.0"), &["app"], TARGETS, "");
    other.lock();
    ask(&other, &["export", "--format", "requirements", "-o", "nowhere/requirements.txt"]).expect_code(4);
}
