//! Code that nobody asked to run: while an interpreter is asked what it is, while a package is only locked, while one is built.

use std::fs;

use pinfold_testkit::{Index, SdistRecipe};

use super::{guarded, leaves, wheel};
use crate::project::Project;

/// Python code that leaves a file when it runs.
fn canary(project: &Project) -> String {
    format!("open({:?}, 'w').write('ran')\n", project.home.path().join("canary").to_string_lossy())
}

#[track_caller]
fn nothing_ran(project: &Project) {
    assert!(!project.home.path().join("canary").exists(), "somebody's code ran");
}

#[test]
fn asking_an_interpreter_runs_no_code_of_the_surroundings() {
    let project = guarded(Index::new().wheel("a", "1.0"), &["a"]);
    for module in ["sitecustomize.py", "usercustomize.py", "platform.py", "sysconfig.py", "json.py"] {
        project.home.write(module, canary(&project));
        project.home.write(&format!("path/{module}"), canary(&project));
    }
    let path = project.home.project().join("path");
    for verb in ["lock", "sync"] {
        let run = project.pinfold(verb).env("PYTHONPATH", &path).env("PYTHONSTARTUP", path.join("platform.py"));
        run.env("PYTHONUSERBASE", &path).env("PYTHONINSPECT", "").run().expect_code(0);
    }
    nothing_ran(&project);
    project.pinfold("verify").run().expect_code(0);
}

#[test]
fn a_wheel_runs_nothing_while_it_is_installed() {
    let project = Project::new(Index::new().wheel("base", "1.0"), &["base"]);
    let code = canary(&project);
    let index = Index::new().wheel("base", "1.0").wheel("a", "1.0").module("loud.py", &code).module("setup.py", &code);
    project.server.update(&index.module("conftest.py", &code).console_script("a", "loud:main"));
    project.write_manifest(&["base", "a"], "", "");
    project.installed();
    nothing_ran(&project);
    project.python("import loud");
    assert!(project.home.path().join("canary").exists(), "the control did not run");
}

#[test]
fn an_sdist_that_nobody_named_is_not_built() {
    let project = Project::new(Index::new().wheel("base", "1.0"), &["base"]);
    project.installed();
    let sdist =
        |version: &str| SdistRecipe::new("a", version).build_runs(&canary(&project)).file("setup.py", canary(&project));
    // A newer version that exists as source only is no candidate.
    project.server.update(&Index::new().wheel("a", "1.0").sdist_from(sdist("2.0")));
    project.write_manifest(&["a"], "", "");
    assert!(project.lock().contains(&wheel("a", "1.0")));
    // Where there is nothing else, there is no solution.
    project.write_manifest(&["a==2.0"], "", "");
    leaves(&project, "lock", 1, &["artifacts", "trees"], &["`build`"]);
    nothing_ran(&project);

    project.write_manifest(&["a==2.0"], "build = [\"a\"]", "");
    project.installed();
    assert!(project.home.path().join("canary").exists(), "the control was not built");
}

#[test]
fn a_version_that_is_not_locked_is_not_built_on_a_guess() {
    // The newest version is what a crawl comes to first; only the older one is wanted.
    let sdist = |version: &str| SdistRecipe::new("a", version);
    let index = Index::new().wheel("user", "1.0").requires("a<2").sdist_from(sdist("1.0")).sdist_from(sdist("2.0"));
    let project = Project::with(index, &["user"], "build = [\"a\"]", "");
    let run = project.pinfold("lock").run().expect_code(0).expect_stderr("building a 1.0");
    assert!(!run.stderr.contains("building a 2.0"), "{run:?}");
}

#[test]
fn a_build_sees_no_secret_and_no_home() {
    let code = "import os\nassert not [name for name in os.environ if 'PINFOLD' in name or 'TOKEN' in name], os.environ\n\
                assert not os.listdir(os.path.expanduser('~')), 'the home is not empty'\n";
    let index = Index::new().wheel("base", "1.0").sdist_from(SdistRecipe::new("a", "1.0").build_runs(code));
    let project = Project::with(index, &["base", "a"], "build = [\"a\"]", "");
    project.home.write("../home/.netrc", "machine x login y password z");
    for verb in ["lock", "sync"] {
        project.pinfold(verb).env("PINFOLD_INDEX_MAIN_TOKEN", "s3cr3t").env("CI_TOKEN", "s3cr3t").run().expect_code(0);
    }
    project.pinfold("verify").run().expect_code(0);
}

#[test]
fn a_build_uses_the_tools_of_the_lock_from_their_index() {
    let sdist = SdistRecipe::new("a", "1.0").build_requires("tool>=1");
    let index = || Index::new().wheel("base", "1.0").sdist_from(sdist.clone()).wheel("tool", "1.0");
    let project = Project::with(index(), &["base", "a"], "build = [\"a\"]", "");
    let lock = project.lock();
    assert!(lock.contains(&wheel("tool", "1.0")), "{lock}");
    project.server.update(&index().wheel("tool", "2.0"));
    let other = Index::new().wheel("tool", "1.0").start();
    let file = wheel("tool", "1.0");
    project.tamper(&project.server.file_url(&file), &other.file_url(&file));
    super::refuses_from_nothing(&project, "sync", "origin-mismatch", &[&file, &other.host()]);
    assert!(other.requests().is_empty(), "the other host was asked");

    // A tool that was replaced is not used either, though nothing of it is installed.
    project.home.write("pylock.toml", &lock);
    let honest = project.server.file_bytes(&file);
    let mut evil = honest.clone();
    evil[40] ^= 1;
    project.server.replace_file(&file, evil);
    super::leaves(&project, "sync", 3, &["staging"], &["error[hash-mismatch]", &file]);
    project.server.replace_file(&file, honest);
    project.sync().expect_code(0);
    let listed = project.python("import importlib.metadata as m; print(sorted(d.name for d in m.distributions()))");
    assert_eq!(listed, "['a', 'base']\n");
    assert!(project.server.requests_to("tool-2.0").is_empty(), "a tool was chosen anew");
}

#[test]
fn a_build_that_fails_leaves_the_environment() {
    let project =
        guarded(Index::new().sdist_from(SdistRecipe::new("a", "1.0").build_runs("raise SystemExit('no')")), &[]);
    project.write_manifest(&["base", "a"], "build = [\"a\"]", "");
    project.lock();
    leaves(&project, "sync", 4, &["staging"], &["while building: a 1.0", "help: "]);
    let left = fs::read_dir(project.home.cache().join("builds")).map(Iterator::count).unwrap_or_default();
    assert_eq!(left, 0, "the build left its directory");
}
