//! Generations end to end: how many are kept, what may be replaced, waiting for each other, going on with the old files.

use std::path::PathBuf;
use std::process::Command;

#[cfg(unix)]
use pinfold_testkit::copy_tree;
use pinfold_testkit::{Index, Python};

use crate::project::Project;

fn versions() -> Index {
    let wheel = |index: Index, version: &str| {
        index
            .wheel("a", version)
            .module("mod_a.py", &format!("V = '{version}'\n"))
            .module("late_a.py", &format!("V = 'late {version}'\n"))
            .module(&format!("only_{}.py", version.replace('.', "_")), "V = 'only'\n")
            .module("data_a.txt", &format!("data {version}"))
    };
    ["1.0", "2.0", "3.0"].into_iter().fold(Index::new(), wheel)
}

fn at(version: &str) -> Project {
    let project = Project::new(versions(), &[&format!("a=={version}")]);
    project.installed();
    project
}

fn lock_another(project: &Project, version: &str) {
    project.write_manifest(&[&format!("a=={version}")], "", "");
    project.lock();
}

fn state(project: &Project) -> PathBuf {
    project.home.project().join(".pinfold-.venv")
}

/// Holds the environment as another pinfold would, until it is dropped.
fn hold(project: &Project) -> std::fs::File {
    let lock = std::fs::File::options().write(true).create(true).truncate(false).open(state(project).join("lock"));
    let lock = lock.expect("the lock file can be used");
    lock.lock().expect("the lock file can be used");
    std::fs::write(state(project).join("lock"), "4711\n").expect("the lock file can be used");
    lock
}

#[test]
fn as_many_as_asked_for_are_kept() {
    for (keep, expected) in [("0", vec!["3"]), ("1", vec!["3", "2"]), ("9", vec!["3", "2", "1"])] {
        let project = at("1.0");
        for version in ["2.0", "3.0"] {
            lock_another(&project, version);
            project.pinfold("sync").args(["--keep", keep]).run().expect_code(0);
        }
        let history = project.pinfold("history").run().expect_code(0);
        let numbers: Vec<&str> =
            history.stdout.lines().filter_map(|line| line[1..].split_whitespace().next()).collect();
        assert_eq!(numbers, expected, "{history}");
    }
}

/// The numbers that `pinfold history` lists.
fn listed(project: &Project) -> Vec<String> {
    let history = project.pinfold("history").run().expect_code(0);
    history.stdout.lines().filter_map(|line| line[1..].split_whitespace().next().map(str::to_owned)).collect()
}

#[test]
fn an_environment_that_is_up_to_date_lets_former_generations_go_when_told() {
    let project = at("1.0");
    for version in ["2.0", "3.0"] {
        lock_another(&project, version);
        project.sync().expect_code(0);
    }
    let before = project.home.snapshot(".venv");
    let sync = |more: &[&str]| project.pinfold("sync").args(more).run().expect_code(0);
    // Nobody who says nothing loses a way back, and neither does who only asks what would change.
    sync(&[]);
    sync(&["--keep", "0", "--dry-run"]);
    sync(&["--keep", "2"]);
    assert_eq!(listed(&project), ["3", "2", "1"]);
    sync(&["--keep", "1"]).expect_stderr("1 former generation is no longer kept");
    assert_eq!(listed(&project), ["3", "2"]);
    sync(&["--keep", "0"]);
    assert_eq!(listed(&project), ["3"]);
    assert_eq!(project.home.snapshot(".venv"), before);
    project.pinfold("verify").run().expect_code(0);
}

/// Whoever moved a broken environment away can go back, and no later generation takes the number of the one that is gone.
#[test]
fn a_number_that_was_given_is_not_given_again() {
    let project = at("1.0");
    lock_another(&project, "2.0");
    project.sync().expect_code(0);
    let home = project.home.project();
    std::fs::write(home.join(".venv/.pinfold/receipt.json"), "{").unwrap();
    project
        .sync()
        .expect_code(2)
        .expect_stderr("move the environment away; then run `pinfold sync`, or `pinfold rollback`");
    std::fs::rename(home.join(".venv"), home.join("broken")).unwrap();
    project.pinfold("rollback").run().expect_code(0);
    assert_eq!(listed(&project), ["1"]);
    project.sync().expect_code(0).expect_stderr("generation 3");
    assert_eq!(listed(&project), ["3", "1"]);
    project.pinfold("verify").run().expect_code(0);
}

/// From a backup, a snapshot or a cache of build results, which have the environment and not what is beside it.
#[cfg(unix)]
#[test]
fn an_environment_that_was_brought_back_by_other_means_can_be_synced_and_rolled_back() {
    let project = at("1.0");
    let (venv, backup) = (project.home.project().join(".venv"), project.home.project().join("backup"));
    copy_tree(&venv, &backup);
    lock_another(&project, "2.0");
    for expected in ["generation 2", "generation 3"] {
        project.sync().expect_code(0).expect_stderr(expected);
        std::fs::remove_dir_all(&venv).unwrap();
        copy_tree(&backup, &venv);
        let former = listed(&project);
        assert!(former.contains(&"1".to_owned()), "{former:?}");
    }
    project.pinfold("history").run().expect_code(0).expect_stdout("*    1  ");
    let last = project.sync().expect_code(0).expect_stderr("generation 4");
    assert_eq!(last.stderr.matches("warning").count(), 1, "{last}");
    last.expect_stderr("did not say that generation 1 is in place, which is noted now");
    assert_eq!(listed(&project), ["4", "1"]);
    project.sync().expect_code(0).expect_stderr("up to date");
    project.pinfold("rollback").run().expect_code(0);
    assert_eq!(project.python("import mod_a; print(mod_a.V)"), "1.0\n");
    project.sync().expect_code(0);
    project.pinfold("verify").run().expect_code(0);
}

#[test]
fn a_damaged_generation_is_refused_and_the_environment_stays() {
    let project = at("1.0");
    lock_another(&project, "2.0");
    project.sync().expect_code(0);
    let former = state(&project).join("generations/1");
    let site = Python::found().minor.clone();
    std::fs::remove_file(former.join(format!("lib/python{site}/site-packages/late_a.py"))).unwrap();
    let before = project.home.snapshot(".venv");
    project.pinfold("rollback").run().expect_refusal("damaged-generation").expect_stderr("late_a.py");
    assert_eq!(project.home.snapshot(".venv"), before);
    lock_another(&project, "3.0");
    project.sync().expect_code(0);
    project.pinfold("rollback").arg("2").run().expect_code(0);
    assert_eq!(project.python("import mod_a; print(mod_a.V)"), "2.0\n");
}

/// What somebody left among the generations, or what lost its receipt, is in nobody's way.
#[test]
fn a_generation_without_a_receipt_is_passed_over() {
    let project = at("1.0");
    for version in ["2.0", "3.0"] {
        lock_another(&project, version);
        project.sync().expect_code(0);
    }
    std::fs::remove_file(state(&project).join("generations/2/.pinfold/receipt.json")).unwrap();
    project.pinfold("rollback").arg("2").run().expect_refusal("damaged-generation");
    project.pinfold("rollback").run().expect_code(0).expect_stderr("generation 1 ");
    assert_eq!(project.python("import mod_a; print(mod_a.V)"), "1.0\n");
}

#[test]
fn an_environment_of_another_tool_is_adopted_only_on_request() {
    let project = Project::new(versions(), &["a==1.0"]);
    project.lock();
    let venv = project.home.project().join(".venv");
    let made = Command::new(&Python::found().path).args(["-m", "venv", "--without-pip"]).arg(&venv).status().unwrap();
    assert!(made.success());
    project.home.write(".venv/precious.txt", "x");
    let before = project.home.snapshot(".venv");
    project.sync().expect_refusal("foreign-environment").expect_stderr("--adopt");
    assert_eq!(project.home.snapshot(".venv"), before);
    let adopted = project.pinfold("sync").arg("--adopt").run().expect_code(0);
    let kept = state(&project).join("adopted-1");
    adopted.expect_stderr(kept.to_str().unwrap());
    assert_eq!(std::fs::read_to_string(kept.join("precious.txt")).unwrap(), "x");
    assert_eq!(project.python("import mod_a; print(mod_a.V)"), "1.0\n");
    project.pinfold("verify").run().expect_code(0);
    assert!(!project.home.has(".venv/precious.txt"));
}

#[test]
fn what_is_no_environment_is_not_adopted() {
    let project = Project::new(versions(), &["a==1.0"]);
    project.lock();
    project.home.write(".venv/thesis.txt", "x");
    let refused = project.pinfold("sync").arg("--adopt").run().expect_refusal("foreign-environment");
    assert!(!refused.stderr.contains("--adopt"), "it would not help: {refused}");
    assert_eq!(project.home.read(".venv/thesis.txt"), "x");
}

#[cfg(unix)]
#[test]
fn an_environment_that_is_a_link_is_refused_even_then() {
    let project = at("1.0");
    let (venv, elsewhere) = (project.home.project().join(".venv"), project.home.project().join("elsewhere"));
    std::fs::rename(&venv, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &venv).unwrap();
    let before = project.home.snapshot("elsewhere");
    for verb in ["sync", "rollback"] {
        let run = project.pinfold(verb);
        let run = if verb == "sync" { run.arg("--adopt") } else { run };
        run.run().expect_refusal("foreign-environment").expect_stderr("symbolic link");
    }
    assert_eq!(project.home.snapshot("elsewhere"), before);
    assert!(venv.is_symlink());
}

#[cfg(unix)]
#[test]
fn links_in_the_directory_beside_the_environment_are_refused() {
    for name in [".gitignore", "generations", "ledger.jsonl", "lock", "staging", "unfinished"] {
        let project = Project::new(versions(), &["a==1.0"]);
        project.lock();
        project.home.write("target/1/precious.txt", "x");
        project.home.write("target/file", "precious");
        std::fs::create_dir(state(&project)).unwrap();
        let target = if ["generations", "staging"].contains(&name) { "target" } else { "target/file" };
        std::os::unix::fs::symlink(project.home.project().join(target), state(&project).join(name)).unwrap();
        let before = project.home.snapshot("target");
        project.sync().expect_refusal("foreign-environment").expect_stderr(name);
        assert_eq!(project.home.snapshot("target"), before, "{name}");
        assert!(!project.home.has(".venv"));
    }
}

#[test]
fn an_environment_in_use_is_waited_for_or_not() {
    let project = at("1.0");
    lock_another(&project, "2.0");
    let held = hold(&project);
    for arguments in [&["--no-wait"][..], &["--lock-timeout", "0"], &["--lock-timeout", "1"]] {
        let busy = project.pinfold("sync").args(arguments).run().expect_code(4);
        busy.expect_stderr("in use by another pinfold").expect_stderr("pid 4711 since");
    }
    project.pinfold("rollback").arg("--no-wait").run().expect_code(4).expect_stderr("in use");
    assert_eq!(project.python("import mod_a; print(mod_a.V)"), "1.0\n");
    let waiting = project.pinfold("sync").spawn();
    let second = project.pinfold("sync").arg("--wait").spawn();
    drop(held);
    waiting.finish().expect_code(0);
    second.finish().expect_code(0);
    assert_eq!(project.python("import mod_a; print(mod_a.V)"), "2.0\n");
    // Whoever came second found the work done.
    assert_eq!(project.pinfold("history").run().stdout.lines().count(), 2);
}

/// What the other process made is what stays as it is.
#[cfg(unix)]
#[test]
fn whoever_waited_goes_on_from_what_is_there_then() {
    let project = at("1.0");
    let home = project.home.project();
    let (venv, before, later) = (home.join(".venv"), home.join("before"), home.join("later"));
    copy_tree(&venv, &before);
    project.pinfold("sync").arg("--relocatable").run().expect_code(0);
    std::fs::rename(&venv, &later).unwrap();
    copy_tree(&before, &venv);
    lock_another(&project, "2.0");
    let held = hold(&project);
    // To ask the interpreter is the first thing that is done with what the receipt says, and not done for one that is known.
    let asked = home.join("asked");
    let program = format!("#!/bin/sh\n: >'{}'\nexec '{}' \"$@\"\n", asked.display(), Python::found().path.display());
    project.home.write("python", &program);
    std::fs::set_permissions(home.join("python"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let waiting = project.home.pinfold(crate::project::PINFOLD).args(["sync", "--python", "./python"]).spawn();
    while !asked.exists() {
        assert!(!waiting.has_ended(), "{}", waiting.finish());
        std::thread::yield_now();
    }
    std::fs::remove_dir_all(&venv).unwrap();
    std::fs::rename(&later, &venv).unwrap();
    drop(held);
    let synced = waiting.finish().expect_code(0);
    assert!(!synced.stderr.contains("scripts of another kind"), "{synced}");
    assert!(project.home.read(".venv/.pinfold/receipt.json").contains("\"relocatable\""));
    project.pinfold("verify").run().expect_code(0);
}

/// Also if it finds the work done.
#[test]
fn whoever_waited_lets_former_generations_go_when_told() {
    let project = at("1.0");
    lock_another(&project, "2.0");
    let held = hold(&project);
    let runs = ["1", "2"].map(|_| project.pinfold("sync").args(["--keep", "0"]).spawn());
    drop(held);
    for run in runs {
        drop(run.finish().expect_code(0));
    }
    assert_eq!(listed(&project), ["2"]);
}

#[test]
fn whoever_waits_says_for_whom() {
    let project = at("1.0");
    lock_another(&project, "2.0");
    let held = hold(&project);
    let busy = project.pinfold("sync").args(["--lock-timeout", "2"]).run().expect_code(4);
    busy.expect_stderr("waiting for ").expect_stderr(", held by pid 4711 since 20");
    drop(held);
    project.sync().expect_code(0);
}

/// Reading waits, too, as long as it was told to.
#[test]
fn verify_waits_no_longer_than_it_may() {
    let project = at("1.0");
    let held = hold(&project);
    for patience in [&["--no-wait"][..], &["--lock-timeout", "1"], &["--quick", "--no-wait"]] {
        let busy = project.pinfold("verify").args(patience).run().expect_code(4);
        busy.expect_stderr("is in use by another pinfold").expect_stderr("held by: pid 4711 since 20");
    }
    drop(held);
    project.pinfold("verify").arg("--no-wait").run().expect_code(0);
}

/// What a running interpreter has open stays as it was, even when its generation is removed; what it imports by path
/// later comes from the environment that is in place then.
#[cfg(unix)]
#[test]
fn a_running_interpreter_keeps_what_it_has_open() {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::process::Stdio;

    let project = at("1.0");
    let code = "import sys, mod_a, os\n\
                site = os.path.dirname(mod_a.__file__)\n\
                data = open(os.path.join(site, 'data_a.txt'))\n\
                here = os.open(site, os.O_RDONLY)\n\
                print('ready', flush=True); sys.stdin.readline()\n\
                print(mod_a.V, data.read(), sep='|')\n\
                import late_a; print(late_a.V)\n\
                print(os.path.exists(os.path.join(site, 'only_1_0.py')))\n";
    let mut running = Command::new(project.home.project().join(".venv/bin/python"))
        .args(["-B", "-c", code])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(running.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "ready");
    lock_another(&project, "2.0");
    project.pinfold("sync").args(["--keep", "0"]).run().expect_code(0);
    assert!(!state(&project).join("generations/1").exists());
    writeln!(running.stdin.take().unwrap(), "go").unwrap();
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert!(running.wait().unwrap().success());
    assert_eq!(rest, ["1.0|data 1.0", "late 2.0", "False"]);
}

#[cfg(unix)]
#[test]
fn nothing_is_lost_when_adopting_is_interrupted() {
    adopting_is_interrupted(pinfold_testkit::Lacking::Nothing);
}

#[cfg(unix)]
#[test]
fn nothing_is_lost_when_adopting_in_two_steps_is_interrupted() {
    adopting_is_interrupted(pinfold_testkit::Lacking::Exchange);
}

/// Whenever the process dies, what another tool made is whole: still in its place, or set aside.
#[cfg(unix)]
fn adopting_is_interrupted(lacking: pinfold_testkit::Lacking) {
    use pinfold_testkit::{Lacking, Meddling, Watching, announce_skipped};
    let project = Project::new(versions(), &["a==1.0"]);
    project.lock();
    let (root, venv) = (project.home.project(), project.home.project().join(".venv"));
    let prepare = || {
        for old in [&venv, &state(&project)] {
            if old.exists() {
                std::fs::remove_dir_all(old).expect("can remove a directory");
            }
        }
        project.home.write(".venv/pyvenv.cfg", "home = /nowhere\n");
        project.home.write(".venv/precious.txt", "x");
    };
    let adopt = || project.pinfold("sync").arg("--adopt");
    prepare();
    let traced = match adopt().traced_on(lacking, Watching::Changes, None) {
        Ok(traced) => traced,
        Err(reason) => return announce_skipped("killing while adopting", &reason),
    };
    traced.finished.expect_code(0);
    let mut between = 0;
    let is_move = |call: &str| call.starts_with("rename") || call.starts_with("unlink") || call.starts_with("rmdir");
    let points = traced.points.iter().filter(|it| is_move(it.call) && it.files.contains(".venv")).collect::<Vec<_>>();
    assert!(points.len() >= 3, "{points:?}");
    for point in points {
        prepare();
        let killed = adopt()
            .traced_on(lacking, Watching::Changes, Some((point, Meddling::Kill)))
            .expect("it could be traced a moment ago");
        let context = format!("killed before {point}: {}", killed.finished);
        let kept = || {
            let aside =
                std::fs::read_dir(state(&project)).expect("there is a state").flatten().map(|entry| entry.path());
            let mut places = aside.filter(|path| path.to_string_lossy().contains("adopted-")).chain([venv.clone()]);
            places.any(|place| place.join("precious.txt").exists() && place.join("pyvenv.cfg").exists())
        };
        let is_new = venv.join(".pinfold/receipt.json").exists();
        let is_old = venv.join("precious.txt").exists();
        between += usize::from(!is_new && !is_old && !venv.exists() && kept());
        assert!(is_new != is_old || lacking == Lacking::Exchange && !venv.exists() && kept(), "{context}");
        adopt()
            .traced_on(lacking, Watching::Changes, None)
            .expect("it could be traced a moment ago")
            .finished
            .expect_code(0);
        assert!(kept() && venv.join(".pinfold/receipt.json").exists(), "{context}");
        project.pinfold("verify").run().expect_code(0);
    }
    assert!(root.join("pylock.toml").exists());
    assert_eq!(between > 0, lacking == Lacking::Exchange, "{between} between two renames");
}
