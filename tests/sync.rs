//! `sync` makes the environment exactly the lock, and says when there is nothing to do.

use pinfold_testkit::{Index, WheelRecipe};

use crate::project::Project;

fn greeting() -> Index {
    Index::new()
        .wheel("greet", "1.0")
        .requires("planet>=1")
        .module("hello.py", "import world\ndef main():\n    print('hello ' + world.NAME)\n")
        .console_script("hello", "hello:main")
        .wheel("planet", "1.0")
        .module("world.py", "NAME = 'old'\n")
        .wheel("planet", "2.0")
        .module("world.py", "NAME = 'world'\n")
}

#[test]
fn installs_what_is_locked_and_runs_it() {
    let project = Project::new(greeting(), &["greet"]);
    project.installed();
    assert_eq!(project.python("import hello; hello.main()"), "hello world\n");
    let listed =
        project.python("import importlib.metadata as m; print(sorted((d.name, d.version) for d in m.distributions()))");
    assert_eq!(listed, "[('greet', '1.0'), ('planet', '2.0')]\n");
    let installer =
        project.python("import importlib.metadata as m; print(m.distribution('greet').read_text('INSTALLER'))");
    assert_eq!(installer.trim(), "pinfold");
    project.pinfold("verify").run().expect_code(0);
}

#[cfg(unix)]
#[test]
fn console_scripts_run_from_anywhere() {
    let project = Project::new(greeting(), &["greet"]);
    project.installed();
    let script = project.home.project().join(".venv/bin/hello");
    let output = std::process::Command::new(script).current_dir("/").env_clear().output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "hello world\n");
}

#[test]
fn a_second_sync_does_nothing_and_asks_nobody() {
    let project = Project::new(greeting(), &["greet"]);
    project.installed();
    let before = project.home.snapshot(".venv");
    project.server.forget_requests();
    project.sync().expect_code(0).expect_stderr("up to date");
    assert_eq!(project.home.snapshot(".venv"), before);
    assert!(project.server.requests().is_empty());
}

#[test]
fn a_new_lock_replaces_what_changed_and_removes_what_went() {
    let project = Project::new(greeting(), &["greet", "planet==1.0"]);
    project.installed();
    assert_eq!(project.python("import world; print(world.NAME)"), "old\n");
    project.write_manifest(&["planet==2.0"], "", "");
    project.lock();
    project.sync().expect_code(0).expect_stderr("1 changed, 1 removed");
    assert_eq!(project.python("import world; print(world.NAME)"), "world\n");
    assert!(!project.home.has(".venv/bin/hello"));
    project.pinfold("verify").run().expect_code(0);
}

#[test]
fn a_store_that_has_everything_serves_a_new_environment_offline() {
    let project = Project::new(greeting(), &["greet"]);
    project.installed();
    std::fs::rename(project.home.project().join(".venv"), project.home.project().join("former")).unwrap();
    project.server.forget_requests();
    project.pinfold("sync").arg("--offline").run().expect_code(0);
    assert!(project.server.requests().is_empty());
    project.pinfold("verify").run().expect_code(0);
}

#[test]
fn offline_without_the_files_is_a_failure_of_the_world() {
    let project = Project::new(greeting(), &["greet"]);
    project.lock();
    project.pinfold("sync").arg("--offline").run().expect_code(4).expect_stderr("--offline");
    assert!(!project.home.has(".venv"));
}

#[test]
fn a_dry_run_names_the_changes_and_makes_none() {
    let project = Project::new(greeting(), &["greet"]);
    project.lock();
    project.server.forget_requests();
    project.pinfold("sync").arg("--dry-run").run().expect_code(0).expect_stdout("+ greet 1.0\n+ planet 2.0\n");
    assert!(!project.home.has(".venv"));
    assert!(project.server.requests().is_empty());
}

#[test]
fn groups_and_extras_come_only_when_asked_for() {
    let index = Index::new().wheel("base", "1.0").wheel("check", "1.0").wheel("fast", "1.0");
    let project = Project::with(index, &["base"], "", "[groups]\ndev = [\"check\"]\n[extras]\nspeed = [\"fast\"]\n");
    project.installed();
    let names = "import importlib.metadata as m; print(sorted(d.name for d in m.distributions()))";
    assert_eq!(project.python(names), "['base']\n");
    project.pinfold("sync").args(["--group", "dev", "--extra", "speed"]).run().expect_code(0);
    assert_eq!(project.python(names), "['base', 'check', 'fast']\n");
    project.pinfold("sync").args(["--group", "docs"]).run().expect_code(2).expect_stderr("docs");
    project.sync().expect_code(0);
    assert_eq!(project.python(names), "['base']\n");
}

#[test]
fn an_sdist_is_built_only_where_the_manifest_names_it() {
    let index = Index::new().sdist("source", "1.0");
    let project = Project::new(index.clone(), &["source"]);
    project.pinfold("lock").run().expect_code(1).expect_stderr("build");
    project.write_manifest(&["source"], "build = [\"source\"]", "");
    project.installed();
    let listed = project.python("import importlib.metadata as m; print(m.version('source'))");
    assert_eq!(listed, "1.0\n");
    project.pinfold("verify").run().expect_code(0);
}

#[test]
fn truncated_downloads_are_resumed() {
    let big = WheelRecipe::new("big", "1.0").file("big/data.bin", vec![7_u8; 3 << 20]);
    let index = Index::new().wheel_from(big).fault(pinfold_testkit::Fault::TruncatedThen(1));
    let project = Project::new(index, &["big"]);
    project.installed();
    project.pinfold("verify").run().expect_code(0);
}

#[test]
fn several_at_once_make_the_same_environments() {
    let project = Project::new(greeting(), &["greet"]);
    project.lock();
    // Two of each, on an empty store: whoever comes second waits, or finds the work done.
    let venvs = [".venv", ".venv", "second", "second", "third"];
    let runs: Vec<_> = venvs.iter().map(|venv| project.pinfold("sync").args(["--venv", venv]).spawn()).collect();
    for run in runs {
        run.finish().expect_code(0);
    }
    for venv in ["second", "third", ".venv"] {
        project.pinfold("verify").args(["--venv", venv]).run().expect_code(0);
    }
}

#[test]
fn a_sync_that_is_killed_leaves_the_old_environment_or_the_new_one() {
    let big = WheelRecipe::new("big", "1.0").file("big/data.bin", vec![7_u8; 1 << 20]);
    let project = Project::new(greeting().wheel_from(big), &["planet==1.0"]);
    project.installed();
    project.write_manifest(&["planet==2.0", "greet", "big"], "", "");
    project.lock();
    let old = project.home.snapshot(".venv");
    // Each time it is killed a little later: while it starts, fetches, unpacks, links, exchanges, or not at all.
    for requests in 0..4 {
        let run = project.pinfold("sync").spawn();
        while project.server.requests_to(".whl").len() < requests && !run.has_ended() {
            std::thread::yield_now();
        }
        run.kill();
        let run = run.finish();
        let verified = project.pinfold("verify").run();
        if project.home.snapshot(".venv") != old {
            assert!(verified.code == 0, "neither the old environment nor the new one: {run}\n{verified}");
            break;
        }
        assert!(run.code != 0, "{run}");
        verified.expect_code(1).expect_stdout("lock-changed");
        project.server.forget_requests();
    }
    project.sync().expect_code(0);
    project.pinfold("verify").run().expect_code(0);
    assert_eq!(project.python("import hello; hello.main()"), "hello world\n");
}

#[test]
fn what_is_up_to_date_is_made_anew_where_it_lacks_what_is_asked_for() {
    let project = Project::new(greeting(), &["greet"]);
    project.installed();
    let site = project.python("import world; print(world.__file__)").trim().to_owned();
    let cached = format!("import importlib.util as u, os; print(os.path.exists(u.cache_from_source({site:?})))");
    assert_eq!(project.python(&cached), "False\n");
    let run = |option: &[&str]| project.pinfold("sync").args(option).run().expect_code(0);
    run(&["--dry-run", "--compile-bytecode"])
        .expect_stderr("would change: 0 added, 0 changed, 0 removed, 2 kept, modules compiled");
    run(&["--compile-bytecode", "--format", "json"]).expect_stdout(r#""rebuild":["bytecode"]"#);
    assert_eq!(project.python(&cached), "True\n");
    run(&["--compile-bytecode"]).expect_stderr("up to date");
    run(&[]).expect_stderr("up to date");
    run(&["--link-mode", "copy", "--compile-bytecode"]).expect_stderr("files placed in another way");
    assert_eq!(project.python(&format!("import os; print(os.stat({site:?}).st_nlink)")), "1\n");
    run(&["--link-mode", "copy"]).expect_stderr("up to date");
    run(&["--link-mode", "auto"]).expect_stderr("up to date");
    project.pinfold("verify").run().expect_code(0);
}

#[test]
fn a_cache_in_the_environment_is_refused_before_anything_is_made() {
    let project = Project::new(greeting(), &["greet"]);
    project.lock();
    let run = |options: &[&str]| project.pinfold("sync").args(options).run();
    for cache in [".venv/c", ".venv", "./.venv/a/b"] {
        let refused = run(&["--cache-dir", cache]).expect_code(2).expect_stderr("is in the environment");
        drop(refused.expect_stderr(".venv").expect_stderr("--cache-dir"));
        assert!(!project.home.has(".venv") && !project.home.has(".pinfold-.venv"));
    }
    run(&["--cache-dir", ".venv-cache"]).expect_code(0);
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(".venv", project.home.project().join("linked")).expect("can make a link");
        run(&["--cache-dir", "linked/c"]).expect_code(2).expect_stderr("is in the environment");
    }
    project.pinfold("verify").run().expect_code(0);
}

/// Few file systems of those who test have it.
#[test]
fn a_link_mode_that_the_file_system_does_not_have_is_named() {
    let project = Project::new(greeting(), &["greet"]);
    project.lock();
    let finished = project.pinfold("sync").args(["--link-mode", "reflink"]).run();
    if finished.code == 0 {
        return pinfold_testkit::announce_skipped("a link mode that does not work", "this file system has reflinks");
    }
    let told = finished.expect_code(4).expect_stderr("link mode `reflink` does not work from `");
    drop(told.expect_stderr("cause: ").expect_stderr("`--link-mode auto`").expect_stderr("`--link-mode copy`"));
    assert!(!project.home.has(".venv"));
    project.sync().expect_code(0);
}

#[test]
fn modules_are_compiled_when_asked_for_and_verified_all_the_same() {
    let project = Project::new(greeting(), &["greet"]);
    project.lock();
    project.pinfold("sync").arg("--compile-bytecode").run().expect_code(0);
    let compiled = project.python(
        "import importlib.util as u, os; print(os.path.exists(u.cache_from_source(u.find_spec('world').origin)))",
    );
    assert_eq!(compiled, "True\n");
    project.pinfold("verify").run().expect_code(0);
}
