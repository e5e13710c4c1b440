//! Console scripts start wherever the environment is, and go on doing so where it was moved, if that was asked for.
#![cfg(unix)]

use std::path::Path;
use std::process::Command;

use pinfold_testkit::{Index, WheelRecipe};

use crate::project::Project;

fn tool() -> Index {
    let recipe = WheelRecipe::new("tool", "1.0")
        .file("tool_main.py", "import sys\ndef main():\n    print('tool', sys.prefix, *sys.argv[1:])\n")
        .console_script("tool", "tool_main:main")
        .gui_script("window", "tool_main:main")
        .data("scripts", "script", "#!python\nimport sys; print('script', sys.prefix, *sys.argv[1:])\n")
        .data(
            "scripts",
            "isolated",
            "#!python -E -s\nimport sys; print(sys.flags.ignore_environment, sys.flags.no_user_site)\n",
        )
        .data("scripts", "warned", "#!pythonw -Wignore\nimport sys; print(sys.warnoptions)\n")
        .data("scripts", "latin", "#!python\n# -*- coding: latin-1 -*-\nprint(len('\u{e9}'))\n");
    Index::new().wheel_from(recipe)
}

fn run(script: &Path, arguments: &[&str]) -> String {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let output = Command::new(script)
        .args(arguments)
        .env_clear()
        .env("PATH", path)
        .current_dir("/")
        .output()
        .expect("the script can be run");
    assert!(output.status.success(), "{}: {}", script.display(), String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("the script can be run")
}

fn check_scripts(venv: &Path) {
    let bin = venv.join("bin");
    for name in ["tool", "script"] {
        let expected = format!("{name} {} a b c\n", venv.display());
        assert_eq!(run(&bin.join(name), &["a b", "c"]), expected);
    }
    assert_eq!(run(&bin.join("window"), &["w"]), format!("tool {} w\n", venv.display()));
    assert_eq!(run(&bin.join("isolated"), &[]), "1 1\n");
    assert_eq!(run(&bin.join("warned"), &[]), "['ignore']\n");
    // Two bytes of UTF-8 are two characters of latin-1.
    assert_eq!(run(&bin.join("latin"), &[]), "2\n");
}

#[test]
fn scripts_start_from_long_paths_and_paths_with_blanks() {
    let project = Project::new(tool(), &["tool"]);
    project.lock();
    let long = "long".repeat(40);
    for place in ["short", "with a blank", &long, "it's", "\u{e4}\u{f6}\u{fc}"] {
        project.home.write(&format!("{place}/here"), "");
        let venv = format!("{place}/.venv");
        project.pinfold("sync").args(["--venv", &venv]).run().expect_code(0);
        check_scripts(&project.home.project().canonicalize().unwrap().join(&venv));
        project.pinfold("verify").args(["--venv", &venv]).run().expect_code(0);
    }
}

#[test]
fn an_environment_that_may_be_moved_works_elsewhere() {
    let project = Project::new(tool(), &["tool"]);
    project.lock();
    project.pinfold("sync").arg("--relocatable").run().expect_code(0);
    let root = project.home.project().canonicalize().unwrap();
    check_scripts(&root.join(".venv"));
    project.home.write("else where/here", "");
    let moved = root.join("else where/moved");
    std::fs::rename(root.join(".venv"), &moved).unwrap();
    check_scripts(&moved);
    // A link to a script, as in a directory of the user's own programs.
    std::os::unix::fs::symlink(moved.join("bin/tool"), root.join("linked")).unwrap();
    assert_eq!(run(&root.join("linked"), &[]), format!("tool {}\n", moved.display()));
    project.pinfold("verify").args(["--venv", "else where/moved"]).run().expect_code(0);
    project.pinfold("sync").args(["--venv", "else where/moved"]).run().expect_code(0).expect_stderr("up to date");
    let code = ". 'else where/moved/bin/activate' && echo \"$VIRTUAL_ENV\" && tool";
    let shell = Command::new("bash").args(["-c", code]).current_dir(&root).output();
    if let Ok(shell) = shell {
        let expected = format!("{0}\ntool {0}\n", moved.display());
        assert_eq!(String::from_utf8_lossy(&shell.stdout), expected, "{}", String::from_utf8_lossy(&shell.stderr));
    }
    // Its past is where it came from, however long that was.
    project.pinfold("sync").args(["--venv", "else where/moved", "--relocatable=false"]).run().expect_code(0);
    project.pinfold("sync").args(["--venv", "else where/moved", "--relocatable"]).run().expect_code(0);
    std::fs::rename(&moved, root.join("again")).unwrap();
    project.pinfold("verify").args(["--venv", "again"]).run().expect_code(0);
    project
        .pinfold("sync")
        .args(["--venv", "again"])
        .run()
        .expect_code(0)
        .expect_stderr("did not say that generation 3");
    project.pinfold("verify").args(["--venv", "again"]).run().expect_code(0);
    std::fs::rename(root.join("again"), &moved).unwrap();
    // What was changed there is found all the same.
    std::fs::write(moved.join("bin/tool"), "#!/bin/sh\n").unwrap();
    project.pinfold("verify").args(["--venv", "else where/moved"]).run().expect_code(1).expect_stdout("bin/tool");
}

/// What stands behind a colon in PATH is a directory relative to wherever one is.
#[test]
fn a_place_that_path_cannot_name_is_refused() {
    let project = Project::new(tool(), &["tool"]);
    project.lock();
    project.home.write("k:l/here", "");
    let refused = project.pinfold("sync").args(["--venv", "k:l/.venv"]).run().expect_code(2);
    drop(refused.expect_stderr("cannot hold an environment: it holds a `:`").expect_stderr("--venv"));
    assert!(!project.home.has("k:l/.venv") && !project.home.has("k:l/.pinfold-.venv"));
    // One that may be moved can get there all the same.
    project.pinfold("sync").arg("--relocatable").run().expect_code(0);
    let root = project.home.project();
    std::fs::rename(root.join(".venv"), root.join("k:l/moved")).unwrap();
    check_scripts(&root.canonicalize().unwrap().join("k:l/moved"));
    for (shell, script, status) in
        [("bash", "activate", "$?"), ("zsh", "activate", "$?"), ("fish", "activate.fish", "$status")]
    {
        let code =
            format!(". k:l/moved/bin/{script}; echo {status} $VIRTUAL_ENV; test \"$PATH\" = \"$BEFORE\" && echo same");
        let path = std::env::var_os("PATH").unwrap_or_default();
        let shell = Command::new(shell).args(["-c", &code]).current_dir(&root).env("BEFORE", path).output();
        let Ok(shell) = shell else { continue };
        let told = String::from_utf8_lossy(&shell.stderr);
        assert!(told.contains("k:l/moved/bin, because of the colon in it"), "{told}");
        assert_eq!(String::from_utf8_lossy(&shell.stdout).replace(' ', ""), "1\nsame\n", "{told}");
    }
}

/// A path that no shell between the two would read as it is.
#[test]
fn what_may_be_moved_works_where_no_script_could_name_it() {
    let project = Project::new(tool(), &["tool"]);
    project.lock();
    project.home.write("q \"$x/here", "");
    for extent in [&[][..], &["--dry-run"]] {
        let run = project.pinfold("sync").args(["--venv", "q \"$x/.venv"]).args(extent);
        drop(run.run().expect_code(2).expect_stderr("a shell starts its scripts").expect_stderr("--relocatable"));
        assert!(!project.home.has("q \"$x/.pinfold-.venv"));
    }
    project.pinfold("sync").arg("--relocatable").run().expect_code(0);
    let root = project.home.project().canonicalize().unwrap();
    std::fs::rename(root.join(".venv"), root.join("q \"$x/moved")).unwrap();
    std::fs::rename(root.join(".pinfold-.venv"), root.join("q \"$x/.pinfold-moved")).unwrap();
    let run = |verb: &str, more: &[&str]| project.pinfold(verb).args(["--venv", "q \"$x/moved"]).args(more).run();
    check_scripts(&root.join("q \"$x/moved"));
    run("verify", &[]).expect_code(0);
    run("sync", &[]).expect_code(0).expect_stderr("up to date");
    run("sync", &["--compile-bytecode"]).expect_code(0);
    check_scripts(&root.join("q \"$x/moved"));
    run("verify", &[]).expect_code(0);
    run("sync", &["--relocatable=false"]).expect_code(2).expect_stderr("a shell starts its scripts");
    run("rollback", &[]).expect_code(0);
    project.pinfold("sync").args(["--venv", "q \"$x/new", "--relocatable"]).run().expect_code(0);
    check_scripts(&root.join("q \"$x/new"));
}

#[test]
fn an_environment_that_may_not_be_moved_says_so() {
    let project = Project::new(tool(), &["tool"]);
    project.installed();
    let root = project.home.project();
    std::fs::rename(root.join(".venv"), root.join("moved")).unwrap();
    let verified = project.pinfold("verify").args(["--venv", "moved"]).run().expect_code(1);
    verified.expect_stdout("receipt-changed");
    let moved = project.pinfold("sync").args(["--venv", "moved"]).run().expect_code(0);
    moved.expect_stderr("the environment was moved");
    project.pinfold("verify").args(["--venv", "moved"]).run().expect_code(0);
}

#[test]
fn a_second_sync_keeps_the_kind_of_scripts() {
    let project = Project::new(tool(), &["tool"]);
    project.lock();
    project.pinfold("sync").arg("--relocatable").run().expect_code(0);
    project.sync().expect_code(0).expect_stderr("up to date");
    let script = || project.home.read(".venv/bin/tool");
    assert!(!script().contains("project"), "{}", script());
    let fixed = project.pinfold("sync").arg("--relocatable=false").run().expect_code(0);
    fixed.expect_stderr("scripts of another kind");
    assert!(script().starts_with("#!/") && script().contains("project/.venv/bin/python"), "{}", script());
    project.pinfold("rollback").run().expect_code(0);
    assert!(!script().contains("project"), "{}", script());
    project.pinfold("verify").run().expect_code(0);
}

#[test]
fn options_that_a_shell_would_run_are_refused() {
    for line in ["#!python $(touch marker)", "#!python -E `touch marker`", "#!python '''", "#!python -c;touch"] {
        let recipe = WheelRecipe::new("evil", "1.0").data("scripts", "evil", format!("{line}\nprint(1)\n"));
        let project = Project::new(Index::new().wheel_from(recipe), &["evil"]);
        project.lock();
        project.sync().expect_refusal("unsafe-entry-point").expect_stderr("bin/evil");
        assert!(!project.home.has(".venv") && !project.home.has("marker"));
    }
}
