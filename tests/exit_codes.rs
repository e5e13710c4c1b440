//! Bad input and a failing world: each a clear error with the right exit code, and nothing lost.

use pinfold_testkit::{Finished, Index, Pinfold, Server};

use crate::project::{PINFOLD, Project, host_target};

fn hello() -> Project {
    Project::new(Index::new().wheel("hello", "1.0").requires("world").wheel("world", "1.0"), &["hello"])
}

/// Runs, and checks the exit code, what is said, and that lock and environment are as they were.
#[track_caller]
fn check(project: &Project, run: Pinfold<'_>, code: i32, parts: &[&str]) -> Finished {
    let before = (project.home.snapshot(".venv"), lock_of(project));
    let mut finished = run.run().expect_code(code);
    for part in parts {
        finished = finished.expect_stderr(part);
    }
    let after = (project.home.snapshot(".venv"), lock_of(project));
    assert!(before == after, "something was lost: {finished}");
    finished
}

fn lock_of(project: &Project) -> Option<Vec<u8>> {
    std::fs::read(project.home.project().join("pylock.toml")).ok()
}

/// A port on which nobody listens any more.
fn nobody() -> String {
    let server: Server = Index::new().start();
    server.host()
}

#[test]
fn wrong_usage() {
    let project = hello();
    for arguments in [&["lock", "--unknown"][..], &["unknown"], &[], &["rollback", "x"], &["sync", "--link-mode", "x"]]
    {
        check(&project, project.home.pinfold(PINFOLD).args(arguments), 2, &["--help"]);
    }
    project.home.pinfold(PINFOLD).arg("--version").run().expect_code(0).expect_stdout("pinfold ");
    project.home.pinfold(PINFOLD).arg("--help").run().expect_code(0).expect_stdout("sync");
    check(&project, project.home.pinfold(PINFOLD).args(["-C", "nowhere", "lock"]), 2, &["nowhere"]);
}

#[test]
fn variables_say_yes_and_no_in_every_usual_way() {
    let project = hello();
    project.lock();
    for yes in ["1", "true", "yes", "on"] {
        check(&project, project.pinfold("sync").env("PINFOLD_OFFLINE", yes), 4, &["--offline"]);
    }
    check(&project, project.pinfold("sync").env("PINFOLD_OFFLINE", "perhaps"), 2, &["perhaps", "--offline"]);
    let names = ["OFFLINE", "COMPILE_BYTECODE", "QUIET", "LOCK", "VENV", "KEEP", "LINK_MODE", "COLOR", "DIRECTORY"];
    let empty = names.iter().fold(project.pinfold("sync"), |run, name| run.env(&format!("PINFOLD_{name}"), ""));
    empty.env("PINFOLD_NO_PROGRESS", "0").run().expect_code(0).expect_stderr("2 added");
}

/// No variable turns a check off: this one would have it ask nobody.
#[test]
fn a_check_that_may_ask_nobody_is_asked_for_in_words() {
    let project = hello();
    project.lock();
    let run = || project.pinfold("lock").env("PINFOLD_OFFLINE", "1").arg("--check");
    check(&project, run(), 2, &["PINFOLD_OFFLINE", "--check --offline"]);
    run().arg("--offline").run().expect_code(0).expect_stderr("no index was asked");
}

#[test]
fn an_environment_that_was_never_made() {
    let project = hello();
    project.lock();
    for verb in ["history", "rollback", "verify"] {
        let said = ["there is no environment at", "nowhere"];
        check(&project, project.pinfold(verb).args(["--venv", "nowhere"]), 2, &said);
    }
    for verb in ["history", "rollback", "verify", "sync"] {
        let run = project.pinfold(verb).args(["--venv", "no/such/.venv"]);
        check(&project, run, 2, &["the directory that it is to be in is not there"]);
    }
    assert!(!project.home.has(".pinfold-nowhere") && !project.home.has("no"));
    project.sync().expect_code(0);
    // One that was thrown away has its past.
    std::fs::remove_dir_all(project.home.project().join(".venv")).expect("can remove it");
    project.pinfold("history").arg("--all").run().expect_code(0).expect_stdout("2 packages");
}

#[cfg(target_os = "linux")]
#[test]
fn a_result_that_does_not_reach_the_disk() {
    let project = hello();
    project.lock();
    for arguments in [&["tree"][..], &["explain", "hash-mismatch"]] {
        let full = std::fs::File::create("/dev/full").expect("the system has it");
        let output = std::process::Command::new(PINFOLD)
            .args(arguments)
            .env_clear()
            .current_dir(project.home.project())
            .stdout(full)
            .output()
            .expect("it starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(4) && said.contains("standard output"), "{arguments:?}: {said}");
    }
}

#[test]
fn an_interpreter_that_is_not_there() {
    let project = hello();
    project.lock();
    for (path, said) in [("nowhere/python", "there is no program"), (".", "is a directory")] {
        let run = project.home.pinfold(PINFOLD).args(["sync", "--python", path]);
        check(&project, run, 2, &[said, "--python"]);
    }
}

#[cfg(unix)]
#[test]
fn an_interpreter_that_is_no_program() {
    use std::os::unix::fs::PermissionsExt as _;
    let project = hello();
    project.lock();
    let file = project.home.project().join("notes");
    for (text, mode) in [("notes\n", 0o644), ("\u{0}\u{1}\u{2}", 0o755), ("#!/nowhere/python\n", 0o755)] {
        std::fs::write(&file, text).expect("can write");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).expect("it is ours");
        let run = project.home.pinfold(PINFOLD).args(["sync", "--python", "./notes"]);
        check(&project, run, 2, &["/notes` is no program that can be started", "cause: ", "--python"]);
    }
}

/// It would be another in each directory, and in a project it would be part of that.
#[cfg(not(windows))]
#[test]
fn a_home_that_is_relative_is_none() {
    let project = hello();
    project.lock();
    let names = ["XDG_CACHE_HOME", "PINFOLD_CACHE_DIR"];
    let run = names.iter().fold(project.pinfold("sync"), |run, name| run.without(name)).env("HOME", "rel");
    check(&project, run, 2, &["no cache directory can be derived", "--cache-dir"]);
    assert!(!project.home.has("rel"));
}

#[test]
fn what_needs_no_cache_needs_no_home() {
    let project = hello();
    project.lock();
    fn nowhere(run: Pinfold<'_>) -> Pinfold<'_> {
        let names = ["HOME", "XDG_CACHE_HOME", "PINFOLD_CACHE_DIR", "LOCALAPPDATA"];
        names.iter().fold(run, |run, name| run.without(name))
    }
    let arguments =
        [&["explain", "hash-mismatch"][..], &["tree"], &["why", "hello"], &["export", "--format", "requirements"]];
    for arguments in arguments {
        nowhere(project.home.pinfold(PINFOLD).args(arguments)).run().expect_code(0);
    }
    check(&project, nowhere(project.pinfold("sync")), 2, &["no cache directory", "--cache-dir"]);
}

#[test]
fn a_manifest_with_an_unknown_key() {
    let project = hello();
    project.installed();
    let honest = project.home.read("pinfold.toml");
    project.home.write("pinfold.toml", honest.replace("requires-python", "require-python"));
    check(&project, project.pinfold("lock"), 2, &["pinfold.toml:3:1", "`require-python`", "`requires-python`", "^^^"]);
    project.home.write("pinfold.toml", honest.replace("default = true", "default = true\nverify-hashes = false"));
    check(&project, project.pinfold("lock"), 2, &["pinfold.toml:", "`verify-hashes`"]);
    project.home.write("pinfold.toml", honest.replace("[project]", "[project"));
    check(&project, project.pinfold("lock"), 2, &["pinfold.toml:1:"]);
    std::fs::remove_file(project.home.project().join("pinfold.toml")).expect("there is a manifest");
    check(&project, project.pinfold("lock"), 2, &["pinfold.toml", "--index-url"]);
    project.home.write("pinfold.toml", honest);
    project.lock();
}

#[test]
fn a_requirement_that_cannot_be_parsed() {
    let project = hello();
    project.write_manifest(&[], "requirements = [\"requirements.txt\"]", "");
    project.home.write("requirements.txt", "# first\nworld\nhello ==> 1.0\n");
    check(&project, project.pinfold("lock"), 2, &["requirements.txt:3:", "hello ==> 1.0", "^"]);
    project.home.write("requirements.txt", "-r more.txt\n");
    check(&project, project.pinfold("lock"), 2, &["requirements.txt:1:", "more.txt"]);
    project.home.write("more.txt", "hello; python_version > \n");
    check(&project, project.pinfold("lock"), 2, &["more.txt:1:", "^"]);
    project.home.write("more.txt", "--extra-index-url https://evil.example/simple\nhello\n");
    check(&project, project.pinfold("lock"), 2, &["more.txt:1:", "[[index]]"]);
    project.home.write("more.txt", "hello == 1.0\n");
    project.lock();
    project.write_manifest(&["hello ==> 1.0"], "", "");
    check(&project, project.pinfold("lock"), 2, &["pinfold.toml:4:", "^"]);
}

#[test]
fn a_requirement_that_no_version_satisfies() {
    let project = hello();
    project.installed();
    project.write_manifest(&["hello>=2"], "", "");
    check(&project, project.pinfold("lock"), 1, &["there is no solution for", "hello>=2", "pinfold.toml:4", "1.0"]);
    project.write_manifest(&["hello", "world>=2"], "", "");
    check(&project, project.pinfold("lock"), 1, &["there is no solution for", "why: ", "world"]);
    project.write_manifest(&["nothing"], "", "");
    check(&project, project.pinfold("lock"), 1, &["nothing", &project.server.url()]);
    project.write_manifest(&["hello"], "", "");
    project.lock();
}

#[test]
fn a_lock_that_is_missing_or_cannot_be_read() {
    let project = hello();
    check(&project, project.pinfold("sync"), 2, &["pylock.toml", "pinfold lock"]);
    project.installed();
    let honest = project.home.read("pylock.toml");
    check(&project, project.pinfold("sync").args(["--lock", "other.toml"]), 2, &["other.toml"]);
    for damaged in ["lock-version = ", "lock-version = \"1.0\"\n", "\u{0}", "\n"] {
        project.home.write("pylock.toml", damaged);
        check(&project, project.pinfold("sync"), 2, &["pylock.toml"]);
        // Locking does not write over what it cannot read: it may be somebody's only copy.
        check(&project, project.pinfold("lock"), 2, &["pylock.toml"]);
        check(&project, project.pinfold("lock").arg("--upgrade"), 2, &["pylock.toml"]);
        check(&project, project.pinfold("lock").arg("--check"), 2, &["pylock.toml"]);
    }
    // What two branches changed is pointed at, and so is what is no value; and `lock` does not send anybody to `lock`.
    for (from, to, pointed_at) in [
        ("lock-version", "<<<<<<< HEAD\nlock-version", "--> pylock.toml:1:9\n"),
        ("name = \"hello\"", "name = 7", "| name = 7\n"),
    ] {
        project.home.write("pylock.toml", honest.replacen(from, to, 1));
        for verb in ["sync", "lock"] {
            let parts =
                [pointed_at, "^", "--> pylock.toml:", "put back the lock that was there", "moved out of the way"];
            check(&project, project.pinfold(verb), 2, &parts);
        }
    }
    // Nothing is nobody's copy: `lock` makes a lock of it; whoever reads it is told.
    project.home.write("pylock.toml", "");
    check(&project, project.pinfold("sync"), 2, &["pylock.toml"]);
    check(&project, project.pinfold("lock").arg("--check"), 2, &["pylock.toml"]);
    project.home.write("pylock.toml", [0xff, 0xfe]);
    check(&project, project.pinfold("sync"), 2, &["UTF-8"]);
    project.home.write("pylock.toml", &honest);
    project.sync().expect_code(0).expect_stderr("up to date");
    assert_eq!(project.lock(), honest);
}

#[test]
fn a_lock_for_other_targets() {
    let other = if host_target().starts_with("windows") { "linux-x86_64" } else { "windows-x86_64" };
    let index = Index::new().wheel("hello", "1.0");
    let project = Project::with(index, &["hello"], &format!("targets = [{other:?}]"), "");
    project.lock();
    check(&project, project.pinfold("sync"), 2, &["error[lock-other-target]", other, "--python"]);
    assert!(!project.home.has(".venv"));
    project.write_manifest(&["hello"], &format!("targets = [{other:?}, {:?}]", host_target()), "");
    project.installed();
}

#[test]
fn no_network() {
    let project = hello();
    project.installed();
    let nobody = nobody();
    let manifest = project.home.read("pinfold.toml");
    project.home.write("pinfold.toml", manifest.replace(&project.server.host(), &nobody));
    check(&project, project.pinfold("lock"), 4, &[&nobody, "help: "]);
    project.home.write("pinfold.toml", manifest);
    let lock = project.home.read("pylock.toml");
    project.home.write("pylock.toml", lock.replace(&project.server.host(), &nobody));
    check(&project, project.pinfold("sync").args(["--venv", "second"]), 4, &[&nobody, "help: "]);
    assert!(!project.home.has("second"));
    project.home.write("pylock.toml", lock);
    project.forget_cache();
    check(&project, project.pinfold("lock").args(["--upgrade", "--offline"]), 4, &["--offline"]);
    project.lock();
}

#[test]
fn directories_that_are_files() {
    let project = hello();
    project.installed();
    project.home.write("file", "");
    check(&project, project.pinfold("lock").args(["--cache-dir", "file"]), 4, &["file"]);
    check(&project, project.pinfold("lock").args(["-o", "file/pylock.toml"]), 4, &["file/pylock.toml"]);
    check(&project, project.pinfold("lock").args(["-o", "nowhere/pylock.toml"]), 4, &["nowhere/pylock.toml"]);
    check(&project, project.pinfold("lock").args(["-o", ".venv"]), 2, &[".venv"]);
    check(&project, project.pinfold("sync").args(["--venv", "second", "--cache-dir", "file"]), 4, &["file"]);
    let run = check(&project, project.pinfold("sync").args(["--venv", "file"]), 3, &["error[foreign-environment]"]);
    assert_eq!(project.home.read("file"), "", "{run}");
    std::fs::remove_dir_all(project.home.project().join(".pinfold-.venv")).expect("is there");
    project.home.write(".pinfold-.venv", "");
    for arguments in [&["verify"][..], &["history"], &["sync", "--compile-bytecode"], &["rollback"]] {
        let run = project.pinfold(arguments[0]).args(&arguments[1..]);
        check(&project, run, 3, &["error[foreign-environment]", ".pinfold-.venv` was not made by pinfold"]);
    }
    project.home.write("mine/notes.txt", "mine");
    check(&project, project.pinfold("sync").args(["--venv", "mine"]), 3, &["error[foreign-environment]", "mine"]);
    assert_eq!(project.home.read("mine/notes.txt"), "mine");
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("mine", project.home.project().join("linked")).expect("can make a link");
        check(
            &project,
            project.pinfold("sync").args(["--venv", "linked"]),
            3,
            &["error[foreign-environment]", "linked"],
        );
        assert_eq!(project.home.read("mine/notes.txt"), "mine");
    }
}

/// A run that may write no file larger than so many blocks of 512 bytes, and gets an error instead of a signal: a disk that
/// is full in the middle of a write.
#[cfg(unix)]
fn full_after<'home>(project: &'home Project, blocks: u32, arguments: &[&str]) -> Pinfold<'home> {
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
    project.home.pinfold("sh").args(["-c", &script, PINFOLD]).args(arguments)
}

/// Bytes that no compression makes smaller.
#[cfg(unix)]
fn noise(kibibytes: usize) -> Vec<u8> {
    (0..kibibytes * 32).flat_map(|part| *pinfold_testkit::sha256(part.to_string().as_bytes()).as_bytes()).collect()
}

#[cfg(unix)]
#[test]
fn a_full_disk_while_syncing() {
    let big = pinfold_testkit::WheelRecipe::new("big", "1.0").file("big/data.bin", noise(256));
    let project = Project::new(Index::new().wheel("hello", "1.0").wheel_from(big), &["hello"]);
    project.installed();
    project.write_manifest(&["hello", "big"], "", "");
    project.lock();
    check(&project, full_after(&project, 64, &["sync"]), 4, &["help: "]);
    project.pinfold("verify").args(["--lock", "pylock.toml"]).run().expect_code(1).expect_stdout("lock-changed");
    assert_eq!(project.python("import hello; print(hello.__version__)"), "1.0\n");
    project.sync().expect_code(0);
    project.pinfold("verify").run().expect_code(0);
}

#[cfg(unix)]
#[test]
fn a_full_disk_does_not_keep_what_makes_room() {
    let project = hello();
    project.installed();
    project.pinfold("sync").arg("--compile-bytecode").run().expect_code(0);
    let generations =
        || std::fs::read_dir(project.home.project().join(".pinfold-.venv/generations")).expect("is there");
    assert_eq!(generations().count(), 1);
    check(&project, full_after(&project, 0, &["sync", "--keep", "0"]), 0, &["1 former generation is no longer kept"]);
    assert_eq!(generations().count(), 0);
}

#[cfg(unix)]
#[test]
fn a_full_disk_while_locking() {
    let project = hello();
    project.lock();
    project.write_manifest(&["hello==1.0"], "", "");
    check(&project, full_after(&project, 0, &["lock"]), 4, &["help: "]);
    project.forget_cache();
    check(&project, full_after(&project, 0, &["lock"]), 4, &["error: "]);
    project.installed();
}

#[test]
fn refusals_are_events_for_programs() {
    let project = hello();
    let lock = project.lock();
    project.home.write("pylock.toml", lock.replace("hello-1.0-py3", "else-1.0-py3"));
    let run = check(&project, project.pinfold("sync").args(["--log-format", "json"]), 3, &["foreign-file"]);
    for line in run.stderr.lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(event["event"], "error");
        assert_eq!(event["code"], "foreign-file");
        assert!(event["help"].is_string() && event["message"].is_string(), "{event}");
    }
    let quiet = check(&project, project.pinfold("sync").arg("-q"), 3, &["error[foreign-file]"]);
    assert_eq!(quiet.stdout, "");
}

#[test]
fn every_code_is_explained_by_the_command() {
    let project = hello();
    let all = project.home.pinfold(PINFOLD).arg("explain").run().expect_code(0);
    assert!(all.stdout.lines().count() > 40, "{all}");
    for line in all.stdout.lines() {
        let code = line.split_whitespace().next().expect("a line begins with its code");
        let text = project.home.pinfold(PINFOLD).args(["explain", code]).run().expect_code(0).stdout;
        assert!(text.starts_with(code) && text.matches("\n\n").count() >= 3, "{text}");
    }
    project.home.pinfold(PINFOLD).args(["explain", "hash-mismatsch"]).run().expect_code(2).expect_stderr("explain");
}
