//! `lock` turns what is asked for into one lock: the same inputs give the same bytes, and every rule of the manifest holds.

use pinfold_testkit::{Fault, Index, PageFormats, Python, TempHome, WheelRecipe, sha256_hex};

use crate::project::{PINFOLD, Project};

const THREE: &str = "targets = [\"linux-x86_64\", \"windows-x86_64\", \"macos-aarch64\"]";

/// Returns the entries of a lock: name, version and marker.
fn entries(lock: &str) -> Vec<String> {
    let lock: toml::Table = lock.parse().expect("a lock is TOML");
    let packages = lock["packages"].as_array().expect("a lock has packages");
    let text = |package: &toml::Value, key: &str| package.get(key).and_then(toml::Value::as_str).map(str::to_owned);
    let entry = |package: &toml::Value| {
        let marker = text(package, "marker").map(|marker| format!("; {marker}")).unwrap_or_default();
        format!(
            "{} {}{marker}",
            text(package, "name").unwrap_or_default(),
            text(package, "version").unwrap_or_default()
        )
    };
    packages.iter().map(entry).collect()
}

/// Locks, and compares the entries.
#[track_caller]
fn check(index: Index, dependencies: &[&str], project: &str, index_lines: &str, expected: &[&str]) {
    let project = Project::with(index, dependencies, project, index_lines);
    assert_eq!(entries(&project.lock()), expected);
    // What was locked is what locking again gives.
    project.pinfold("lock").arg("--check").run().expect_code(0);
}

fn versions() -> Index {
    let index = Index::new().wheel("a", "1.0").uploaded("2024-01-01T00:00:00Z");
    let index = index.wheel("a", "1.5").uploaded("2024-02-01T00:00:00Z");
    index.wheel("a", "2.0").uploaded("2024-06-01T00:00:00Z")
}

#[test]
fn versions_are_kept_until_an_upgrade_is_asked_for() {
    let project = Project::new(Index::new().wheel("a", "1.0").wheel("b", "1.0"), &["a", "b"]);
    let first = project.lock();
    project.server.update(&Index::new().wheel("a", "1.0").wheel("b", "1.0").wheel("a", "2.0").wheel("b", "2.0"));
    project.forget_cache();
    assert_eq!(project.lock(), first);
    project.pinfold("lock").arg("--check").run().expect_code(0);
    project.pinfold("lock").args(["--upgrade-package", "b"]).run().expect_code(0);
    assert_eq!(entries(&project.home.read("pylock.toml")), ["a 1.0", "b 2.0"]);
    project.pinfold("lock").arg("--upgrade").run().expect_code(0);
    assert_eq!(entries(&project.home.read("pylock.toml")), ["a 2.0", "b 2.0"]);
    // A version that is no longer asked for is not kept.
    project.write_manifest(&["a<2", "b"], "", "");
    assert_eq!(entries(&project.lock()), ["a 1.0", "b 2.0"]);
}

/// Two manifests: one is read, and the other is not passed over in silence.
#[test]
fn a_second_manifest_is_told_of() {
    let project = Project::new(Index::new().wheel("a", "1.0"), &["a"]);
    project.home.write("pyproject.toml", "[project]\nname = \"x\"\n");
    let quiet = project.pinfold("lock").run().expect_code(0);
    assert!(!quiet.stderr.contains("pyproject.toml"), "{quiet}");
    project.home.write("pyproject.toml", "[project]\nname = \"x\"\n\n[tool.pinfold]\nexclude = [\"a\"]\n");
    project.pinfold("lock").arg("--upgrade").run().expect_code(0).expect_stderr("`pyproject.toml` is not read");
}

/// Nobody waits for the disk to have a first lock, so a loss of power may leave an empty file.
#[test]
fn an_empty_lock_is_none() {
    let project = Project::new(Index::new().wheel("a", "1.0"), &["a"]);
    let first = project.lock();
    project.home.write("pylock.toml", "");
    project.pinfold("lock").arg("--check").run().expect_code(2);
    assert_eq!(project.home.read("pylock.toml"), "");
    assert_eq!(project.lock(), first);
    project.home.write("pylock.toml", "\n");
    project.pinfold("lock").run().expect_code(2);
    assert_eq!(project.home.read("pylock.toml"), "\n");
}

/// A version that only some targets have is theirs: of another's it must not be moved away.
#[test]
fn each_target_keeps_its_own_version() {
    let project = "targets = [\"linux-x86_64\", \"windows-x86_64\"]";
    let asked = ["a<2; sys_platform == 'win32'", "a>=2; sys_platform == 'linux'"];
    let project = Project::with(Index::new().wheel("a", "1.0").wheel("a", "2.0"), &asked, project, "");
    let first = project.lock();
    assert_eq!(entries(&first), ["a 1.0; sys_platform == 'win32'", "a 2.0; sys_platform == 'linux'"]);
    let later = || Index::new().wheel("a", "1.0").wheel("a", "2.0").wheel("a", "1.5").wheel("a", "2.5");
    project.server.update(&later());
    project.forget_cache();
    project.pinfold("lock").arg("--check").run().expect_code(0);
    assert_eq!(project.lock(), first);
    // A new target takes a version that is locked, and the others stay.
    project.write_manifest(&[&asked[..], &["a"]].concat(), THREE, "");
    let expected = ["a 1.0; sys_platform == 'win32'", "a 2.0; sys_platform != 'win32'"];
    let found = entries(&project.lock());
    assert_eq!(
        found.iter().map(|entry| &entry[..5]).collect::<Vec<_>>(),
        expected.map(|entry| &entry[..5]),
        "{found:?}"
    );
    project.pinfold("lock").args(["--upgrade-package", "a"]).run().expect_code(0);
    let found = entries(&project.home.read("pylock.toml"));
    assert_eq!(found.iter().map(|entry| &entry[..5]).collect::<Vec<_>>(), ["a 1.5", "a 2.5"], "{found:?}");
}

#[test]
fn a_check_writes_nothing_and_says_what_differs() {
    let project = Project::new(versions(), &["a<2"]);
    project.pinfold("lock").arg("--check").run().expect_code(2).expect_stderr("no lock");
    let lock = project.lock();
    project.pinfold("lock").arg("--check").run().expect_code(0);
    project.write_manifest(&["a==1.0"], "", "");
    project.pinfold("lock").arg("--check").run().expect_code(1).expect_stdout("~ a 1.5 -> 1.0");
    assert_eq!(project.home.read("pylock.toml"), lock);
    // An input that changes no package is a change all the same: the lock has the digest of its inputs.
    project.write_manifest(&["a<1.9"], "", "");
    project.pinfold("lock").arg("--check").run().expect_code(1).expect_stdout("inputs");
    project.lock();
    project.pinfold("lock").arg("--check").run().expect_code(0);
}

#[test]
fn a_manifest_that_was_edited_is_no_input_of_sync() {
    let project = Project::new(versions().wheel("b", "2.0"), &["a<2"]);
    let lock = project.lock();
    for manifest in ["", "[project]\nname = \"other\"\ndependencies = [\"b\"]\n"] {
        project.home.write("pinfold.toml", manifest);
        project.sync().expect_code(0);
        assert_eq!(project.python("import importlib.metadata as m; print(m.version('a'))"), "1.5\n");
        assert_eq!(project.home.read("pylock.toml"), lock);
    }
    // The control: whoever has the manifest finds out.
    project.write_manifest(&["a<2", "b"], "", "");
    project.pinfold("lock").arg("--check").run().expect_code(1).expect_stdout("+ b 2.0");
}

#[test]
fn constraints_narrow_overrides_replace_and_exclusions_leave_out() {
    let index = || versions().wheel("user", "1.0").requires("a>=1.5").requires("b").wheel("b", "1.0");
    check(index(), &["user"], "", "", &["a 2.0", "b 1.0", "user 1.0"]);
    check(index(), &["user"], "constraints = [\"a<2\", \"unused==1\"]", "", &["a 1.5", "b 1.0", "user 1.0"]);
    check(index(), &["user"], "overrides = [\"a==1.0\"]", "", &["a 1.0", "b 1.0", "user 1.0"]);
    check(index(), &["user"], "exclude = [\"b\"]", "", &["a 2.0", "user 1.0"]);
    check(index(), &["user"], "resolution = \"lowest\"", "", &["a 1.5", "b 1.0", "user 1.0"]);
}

#[test]
fn files_after_the_cutoff_do_not_exist() {
    check(versions(), &["a"], "exclude-newer = \"2024-03-01T00:00:00Z\"", "", &["a 1.5"]);
    check(versions(), &["a"], "exclude-newer = \"2024-02-01T00:00:00Z\"", "", &["a 1.5"]);
    check(versions(), &["a"], "exclude-newer = \"2024-01-31T23:59:59Z\"", "", &["a 1.0"]);
    let project = Project::new(versions(), &["a"]);
    project.pinfold("lock").args(["--exclude-newer", "2024-01-15T00:00:00Z"]).run().expect_code(0);
    // What leads before every upload would be a moment that a lock cannot name.
    let before = project.home.read("pylock.toml");
    for cutoff in ["5000000 days", "-009999-01-02T01:59:59Z"] {
        let run = project.pinfold("lock").arg(format!("--exclude-newer={cutoff}")).run().expect_code(2);
        run.expect_stderr("--exclude-newer").expect_stderr(cutoff);
    }
    assert_eq!(project.home.read("pylock.toml"), before);
    assert_eq!(entries(&project.home.read("pylock.toml")), ["a 1.0"]);
}

#[test]
fn a_span_becomes_a_moment_that_stays_until_an_upgrade() {
    let project = Project::with(versions(), &["a"], "exclude-newer = \"7 days\"", "");
    let lock = project.lock();
    assert_eq!(entries(&lock), ["a 2.0"]);
    let line = lock.lines().find(|line| line.starts_with("exclude-newer = ")).expect("the lock has the moment");
    project.tamper(line, "exclude-newer = 2024-03-01T00:00:00Z");
    project
        .tamper(&lock[lock.find("[[packages]]").unwrap()..lock.find("[tool.pinfold]").unwrap()], "packages = []\n\n");
    // As if that lock had been made in March: the moment holds, whatever the clock says now.
    assert_eq!(entries(&project.lock()), ["a 1.5"]);
    project.pinfold("lock").arg("--upgrade").run().expect_code(0);
    assert_eq!(entries(&project.home.read("pylock.toml")), ["a 2.0"]);
}

/// A page in HTML tells no sizes. A file with a digest is not read for its size, if its server says it otherwise.
#[test]
fn a_size_that_the_index_does_not_tell_is_asked_for() {
    let index = || Index::new().wheel("a", "1.0").data("data", "share/data.txt", &"data ".repeat(9_000)).sidecars();
    for (index, ranges) in
        [(index().formats(PageFormats::Html), true), (index().without_size().without_ranges(), false)]
    {
        let project = Project::new(index, &["a"]);
        let lock = project.lock();
        let bytes = project.server.file_bytes("a-1.0-py3-none-any.whl");
        assert!(lock.contains(&format!("size = {}, ", bytes.len())), "{lock}");
        assert!(lock.contains(&sha256_hex(&bytes)) && !lock.contains("computed-sha256"), "{lock}");
        let asked = project.server.requests_to("a-1.0-py3-none-any.whl");
        let whole = asked.iter().filter(|it| !it.path.ends_with(".metadata") && it.header("range").is_none()).count();
        assert_eq!(whole, usize::from(!ranges), "{asked:?}");
        project.pinfold("lock").arg("--check").run().expect_code(0);
        project.sync().expect_code(0);
    }
}

/// A server that does not say how long a file is, or says what cannot be, has to give all of it. One that lies otherwise has a lock that
/// does not install; nothing of the lie is kept.
#[test]
fn a_server_that_lies_about_a_size() {
    let index = || Index::new().wheel("a", "1.0").sidecars().formats(PageFormats::Html);
    let lying = |range: &str| index().fault(Fault::WrongRange(range.to_owned()));
    let truth = Project::new(index(), &["a"]).lock();
    let size = |lock: &str| lock.split("size = ").nth(1).and_then(|rest| rest.split(',').next()).map(str::to_owned);
    for range in ["bytes 9-9/*", "bytes 4611686018427387903-4611686018427387903/4611686018427387904"] {
        assert_eq!(size(&Project::new(lying(range), &["a"]).lock()), size(&truth), "{range}");
    }
    let project = Project::new(lying("bytes 9-9/10"), &["a"]);
    assert_eq!(size(&project.lock()).as_deref(), Some("10"));
    project.sync().expect_refusal("size-mismatch");
    project.server.update(&index());
    project.pinfold("lock").arg("--check").run().expect_code(1).expect_stdout("size");
    assert_eq!(size(&project.lock()), size(&truth));
    project.sync().expect_code(0);
}

#[test]
fn what_only_the_server_tells_cannot_be_known_offline() {
    for (index, untold) in [
        (Index::new().wheel("a", "1.0").sidecars().formats(PageFormats::Html), "size"),
        (Index::new().wheel("a", "1.0").sidecars().fault(Fault::NoHash), "digest"),
    ] {
        let project = Project::new(index, &["a"]);
        let lock = project.lock();
        let run = project.pinfold("lock").arg("--offline").run().expect_code(4);
        run.expect_stderr(&format!("the index does not tell the {untold} of this file"));
        assert_eq!(project.home.read("pylock.toml"), lock);
    }
}

/// Whoever writes another span means from now on; the same one in other words is the same.
#[test]
fn another_span_is_another_moment() {
    let project = Project::with(versions(), &["a"], "exclude-newer = \"7 days\"", "");
    let lock = project.lock();
    let line = lock.lines().find(|line| line.starts_with("exclude-newer = ")).expect("the lock has the moment");
    assert!(lock.contains("\nexclude-newer-span = \"7 days\"\n"), "{lock}");
    let march = "exclude-newer = 2024-03-01T00:00:00Z";
    project.tamper(line, march);
    for (written, stays) in
        [("\"1 week\"", true), ("\"60 days\"", false), ("\"2024-03-01T00:00:00Z\"", true), ("\"60 days\"", false)]
    {
        project.write_manifest(&["a"], &format!("exclude-newer = {written}"), "");
        let checked = project.pinfold("lock").arg("--check").run().expect_code(1);
        checked.expect_stdout("exclude-newer");
        let lock = project.lock();
        assert_eq!(lock.contains(march), stays, "{written}: {lock}");
        project.pinfold("lock").arg("--check").run().expect_code(0);
    }
}

/// A manifest may leave out the first patch releases of a Python, and then nothing has to serve them.
#[test]
fn patch_releases_that_the_manifest_leaves_out_need_no_answer() {
    let minor = &Python::found().minor;
    let index = || {
        let index = Index::new().wheel("a", "1.0").requires_python(&format!(">={minor}.2"));
        index.wheel("b", "1.0").requires(&format!("c; python_full_version < '{minor}.2'"))
    };
    let manifest = |project: &Project, requires: &str| {
        project.write_manifest(&["a", "b"], "", "");
        let text = project.home.read("pinfold.toml").replace(&format!("\"=={minor}.*\""), &format!("{requires:?}"));
        project.home.write("pinfold.toml", text);
    };
    let project = Project::new(index(), &["a", "b"]);
    project.pinfold("lock").run().expect_code(1).expect_stderr(&format!("(<{minor}.2)"));
    manifest(&project, &format!(">={minor}.2,<{minor}.99"));
    let lock = project.lock();
    assert_eq!(entries(&lock), ["a 1.0", "b 1.0"]);
    assert!(lock.contains(&format!("requires-python = \">={minor}.2,<{minor}.99\"")), "{lock}");
    project.pinfold("lock").arg("--check").run().expect_code(0);
    project.sync().expect_code(0);
    // This machine's Python is none of these.
    manifest(&project, &format!("=={minor}.50"));
    project.lock();
    project.sync().expect_code(2).expect_stderr(&format!("{minor}.50"));
}

#[test]
fn pre_releases_come_only_where_the_rule_lets_them() {
    let index = || {
        let index = Index::new().wheel("a", "1.0").wheel("a", "2.0rc1").wheel("only", "0.1b1");
        index.wheel("user", "1.0").requires("a>=2.0rc1")
    };
    let rule = |rule: &str| format!("prerelease = \"{rule}\"");
    check(index(), &["a", "only"], "", "", &["a 1.0", "only 0.1b1"]);
    check(index(), &["a>=2.0rc1"], &rule("explicit"), "", &["a 2.0rc1"]);
    check(index(), &["user"], &rule("if-necessary"), "", &["a 2.0rc1", "user 1.0"]);
    check(index(), &["a", "only"], &rule("allow"), "", &["a 2.0rc1", "only 0.1b1"]);
    for (dependency, name) in [("only", "never"), ("user", "explicit"), ("a>=2.0rc1", "never")] {
        let project = Project::with(index(), &[dependency], &rule(name), "");
        project.pinfold("lock").run().expect_code(1).expect_stderr("there is no solution");
    }
}

/// Whether a project has a final release does not hang on the systems that a lock is for, nor on what is remembered of a page.
#[test]
fn a_final_release_for_another_system_keeps_pre_releases_back() {
    let index = || Index::new().wheel("a", "1.0").tag("py3-none-win_amd64").wheel("a", "2.0rc1");
    for targets in ["targets = [\"linux-x86_64\"]", "targets = [\"linux-x86_64\", \"windows-x86_64\"]"] {
        let project = Project::with(index(), &["a"], targets, "");
        for _ in 0..2 {
            project.pinfold("lock").run().expect_code(1).expect_stderr("a 2.0rc1 is a pre-release");
        }
        project.write_manifest(&["a>=2.0rc1"], targets, "");
        assert_eq!(entries(&project.lock()), ["a 2.0rc1"]);
    }
    // What was recorded for one system tells the same.
    let project = Project::with(index(), &["a>=2.0rc1"], "targets = [\"linux-x86_64\"]", "");
    project.pinfold("lock").args(["--record", "recorded.json"]).run().expect_code(0);
    project.write_manifest(&["a"], "targets = [\"linux-x86_64\"]", "");
    let replayed = project.pinfold("lock").args(["--replay", "recorded.json"]).run();
    replayed.expect_code(1).expect_stderr("a 2.0rc1 is a pre-release");
}

#[test]
fn extras_and_groups_are_locked_and_marked() {
    let index = || {
        let index =
            Index::new().wheel("base", "1.0").extra("speed", "fast>=1").wheel("fast", "1.0").wheel("fast", "2.0");
        index.wheel("gpu", "1.0").requires("fast<2").wheel("test", "1.0")
    };
    check(index(), &["base"], "", "", &["base 1.0"]);
    check(index(), &["base[speed]"], "", "", &["base 1.0", "fast 2.0"]);
    let lines = "[groups]\ndev = [\"test\"]\n[extras]\ngpu = [\"gpu\"]\n";
    let expected =
        ["base 1.0", "fast 1.0; 'gpu' in extras", "gpu 1.0; 'gpu' in extras", "test 1.0; 'dev' in dependency_groups"];
    check(index(), &["base"], "", lines, &expected);
}

#[test]
fn one_lock_serves_three_targets() {
    let python = pinfold_testkit::Python::found().minor.replace('.', "");
    let tag = |platform: &str| format!("cp{python}-cp{python}-{platform}");
    let index = Index::new()
        .wheel("app", "1.0")
        .requires("native")
        .requires("winlib; sys_platform == 'win32'")
        .requires("posixlib; os_name == 'posix'")
        .requires("old; python_version < '3'")
        .wheel("native", "1.0")
        .tag(&tag("manylinux_2_17_x86_64"))
        .wheel("native", "1.0")
        .tag(&tag("manylinux_2_28_x86_64"))
        .wheel("native", "1.0")
        .tag(&tag("win_amd64"))
        .wheel("native", "1.0")
        .tag(&tag("macosx_11_0_arm64"))
        .wheel("native", "1.0")
        .tag(&tag("musllinux_1_2_x86_64"))
        .wheel("winlib", "1.0")
        .wheel("posixlib", "1.0");
    let project = Project::with(index, &["app"], THREE, "");
    let lock = project.lock();
    let marked: Vec<(String, bool)> = entries(&lock)
        .iter()
        .map(|entry| (entry.split(';').next().unwrap_or_default().to_owned(), entry.contains(';')))
        .collect();
    let expected = [("app 1.0", false), ("native 1.0", false), ("posixlib 1.0", true), ("winlib 1.0", true)];
    assert_eq!(marked, expected.map(|(entry, marked)| (entry.to_owned(), marked)), "{lock}");
    // One file for each target, and no other.
    for (platform, locked) in [
        ("manylinux_2_28_x86_64", true),
        ("win_amd64", true),
        ("macosx_11_0_arm64", true),
        ("manylinux_2_17_x86_64", false),
        ("musllinux", false),
    ] {
        assert_eq!(lock.contains(platform), locked, "{platform}: {lock}");
    }
}

#[test]
fn a_target_that_cannot_be_served_fails_the_lock() {
    let python = pinfold_testkit::Python::found().minor.replace('.', "");
    let index = Index::new().wheel("native", "1.0").tag(&format!("cp{python}-cp{python}-manylinux_2_17_x86_64"));
    let project = Project::with(index.clone(), &["native"], THREE, "");
    let run = project.pinfold("lock").run().expect_code(1).expect_stderr("there is no solution for");
    assert!(run.stderr.contains("windows-x86_64") || run.stderr.contains("macos-aarch64"), "{run}");
    assert!(!project.home.has("pylock.toml"));
    check(index, &["native"], "targets = [\"linux-x86_64\"]", "", &["native 1.0"]);
}

#[test]
fn a_local_version_satisfies_its_public_one() {
    let index = || Index::new().wheel("torch", "2.1.0+cu118").wheel("torch", "2.1.0+cu121").wheel("torch", "2.2.0");
    check(index(), &["torch==2.1.0"], "", "", &["torch 2.1.0+cu121"]);
    check(index(), &["torch==2.1.0+cu118"], "", "", &["torch 2.1.0+cu118"]);
    check(index(), &["torch<=2.1.0"], "", "", &["torch 2.1.0+cu121"]);
    let project = Project::new(index(), &["torch==2.1.0+cu999"]);
    project.pinfold("lock").run().expect_code(1).expect_stderr("2.1.0+cu999");
}

#[test]
fn each_file_says_for_which_python_it_is() {
    let index = || {
        let index = Index::new().wheel("a", "1.0").requires_python(">=3.6");
        index.wheel("a", "2.0").requires_python(">=3.99").wheel("a", "3.0").page_requires_python("<3")
    };
    check(index(), &["a"], "", "", &["a 1.0"]);
    // Where the page does not tell, METADATA does.
    let recipe = WheelRecipe::new("a", "4.0").metadata_line("Requires-Python: >=3.99");
    check(index().wheel_from(recipe), &["a"], "", "", &["a 1.0"]);
    let project = Project::new(index(), &["a>=2"]);
    project.pinfold("lock").run().expect_code(1).expect_stderr("Python");
}

/// Three wheels that need each other, served with a fault.
fn chain(fault: Option<Fault>) -> Index {
    let faulty = |index: Index| match &fault {
        Some(fault) => index.fault(fault.clone()),
        None => index,
    };
    let index = faulty(Index::new().wheel("a", "1.0").requires("b[x]>=1"));
    faulty(faulty(index.wheel("b", "1.0").extra("x", "c")).wheel("c", "1.0"))
}

#[test]
fn every_way_to_serve_metadata_gives_the_same_lock() {
    let project = Project::new(chain(None), &["a"]);
    let lock = project.lock();
    assert_eq!(entries(&lock), ["a 1.0", "b 1.0", "c 1.0"]);
    // The first lock read the ends of the wheels.
    assert!(project.server.requests_to(".whl").iter().all(|request| request.status == 206));
    for (served, expected) in [(chain(None).sidecars(), ".metadata"), (chain(Some(Fault::NoRange)), ".whl")] {
        project.server.update(&served);
        project.server.forget_requests();
        project.forget_cache();
        std::fs::remove_file(project.home.project().join("pylock.toml")).expect("there is a lock");
        assert_eq!(project.lock(), lock, "{expected}");
        let files = project.server.requests_to(".whl");
        assert!(!files.is_empty() && files.iter().all(|request| request.path.ends_with(expected)), "{files:?}");
    }
}

#[test]
fn an_index_in_html_only_is_locked_with_computed_sizes() {
    let project =
        Project::new(Index::new().wheel("a", "1.0").requires("b").wheel("b", "1.0").formats(PageFormats::Html), &["a"]);
    let lock = project.lock();
    assert_eq!(entries(&lock), ["a 1.0", "b 1.0"]);
    let bytes = project.server.file_bytes("a-1.0-py3-none-any.whl");
    assert!(lock.contains(&format!("size = {}", bytes.len())) && lock.contains(&sha256_hex(&bytes)), "{lock}");
    project.sync().expect_code(0);
}

/// A graph with choices: what is taken could depend on what is known first.
fn tangled() -> Index {
    let mut index = Index::new();
    for name in ["a", "b", "c", "d", "e"] {
        for version in ["1.0", "1.1", "2.0"] {
            index = index.wheel(name, version).requires("shared<2").requires("e>=1.1");
        }
    }
    index.wheel("shared", "1.0").wheel("shared", "1.9").wheel("shared", "2.0").requires("missing")
}

#[test]
fn the_order_of_answers_does_not_matter() {
    let mut seen: Option<String> = None;
    for seed in 0..4 {
        let project = Project::with(tangled().shuffle(seed), &["a", "b<2", "c", "d"], THREE, "");
        let lock = project.lock();
        let lock = lock.replace(&project.server.host(), "HOST");
        // The digest of the inputs is over the index's URL, whose port is another each time.
        let lock: String =
            lock.lines().filter(|line| !line.starts_with("inputs")).map(|line| format!("{line}\n")).collect();
        assert_eq!(*seen.get_or_insert_with(|| lock.clone()), lock, "seed {seed}");
    }
}

#[test]
fn no_machine_user_locale_clock_or_cache_is_in_a_lock() {
    let project = Project::with(tangled(), &["a", "b<2", "c", "d"], THREE, "");
    let lock = project.lock();
    let again = || {
        let elsewhere = TempHome::new();
        elsewhere.write("deep/er/pinfold.toml", project.home.read("pinfold.toml"));
        elsewhere
    };
    for variables in [
        &[("LC_ALL", "tr_TR.UTF-8"), ("LANG", "tr_TR.UTF-8"), ("TZ", "Pacific/Kiritimati")][..],
        &[("TZ", "America/St_Johns"), ("USER", "somebody"), ("LOGNAME", "somebody"), ("HOSTNAME", "elsewhere")],
        &[("COLUMNS", "20"), ("PINFOLD_LOG_FORMAT", "json"), ("SOURCE_DATE_EPOCH", "1")],
    ] {
        let elsewhere = again();
        let run = elsewhere.pinfold(PINFOLD).args(["lock", "-C", "deep/er"]);
        variables.iter().fold(run, |run, (name, value)| run.env(name, *value)).run().expect_code(0);
        assert_eq!(elsewhere.read("deep/er/pylock.toml"), lock);
    }
    project.forget_cache();
    std::fs::remove_file(project.home.project().join("pylock.toml")).expect("there is a lock");
    assert_eq!(project.lock(), lock);
    // Warm, and slower than before.
    project.server.fault_on("/simple/a/", Fault::Delay(40));
    std::fs::remove_file(project.home.project().join("pylock.toml")).expect("there is a lock");
    assert_eq!(project.lock(), lock);
    for part in [project.home.path().to_string_lossy().as_ref(), "somebody", "elsewhere"] {
        assert!(!lock.contains(part), "{part}: {lock}");
    }
}

#[test]
fn requirements_files_are_locked_without_a_manifest() {
    let server = versions().wheel("b", "1.0").start();
    let home = TempHome::new();
    home.write("requirements.txt", "# comment\na >= 1 \\\n  , < 3\n-r more/b.txt\n-c narrow.txt\n");
    home.write("more/b.txt", "b\n");
    home.write("narrow.txt", "a < 2\n");
    let run = home.pinfold(PINFOLD).args(["lock", "-r", "requirements.txt", "--python-version", "3.10"]);
    run.args(["--index-url", &server.url(), "--target", "linux-x86_64"]).run().expect_code(0);
    assert_eq!(entries(&home.read("pylock.toml")), ["a 1.5", "b 1.0"]);
    // Hashes in the file are demands.
    let digest = sha256_hex(&server.file_bytes("b-1.0-py3-none-any.whl"));
    let lock = |digest: &str| {
        home.write("more/b.txt", format!("b==1.0 --hash=sha256:{digest}\n"));
        let run = home.pinfold(PINFOLD).args(["lock", "-r", "requirements.txt", "--python-version", "3.10"]);
        run.args(["--index-url", &server.url(), "--target", "linux-x86_64"]).run()
    };
    lock(&digest).expect_code(0);
    lock(&"0".repeat(64)).expect_refusal("hash-mismatch").expect_stderr(&digest).expect_stderr("--hash");
}

/// Whoever writes it means something, and gets nothing.
#[test]
fn a_marker_that_asks_the_application_for_an_extra_is_warned_of() {
    let index = Index::new().wheel("a", "1.0").wheel("b", "1.0");
    let project = Project::with(index, &["a"], "", "[extras]\nx = [\"b; extra == 'x'\"]");
    let run = project.pinfold("lock").run().expect_code(0);
    run.expect_stderr("`b; extra == 'x'` (pinfold.toml:12) asks for an `extra`");
    assert_eq!(entries(&project.home.read("pylock.toml")), ["a 1.0"]);
    project.write_manifest(&["a"], "", "[extras]\nx = [\"b; sys_platform != 'extra == x'\"]");
    let run = project.pinfold("lock").run().expect_code(0);
    assert!(!run.stderr.contains("asks for"), "{run}");
    assert_eq!(entries(&project.home.read("pylock.toml")), ["a 1.0", "b 1.0; 'x' in extras"]);
}

/// Whoever names a digest demands it, in whichever file.
#[test]
fn hashes_of_a_constraints_file_are_demands() {
    let project = Project::with(Index::new().wheel("a", "1.0"), &["a"], "constraints = [\"narrow.txt\"]", "");
    let digest = sha256_hex(&project.server.file_bytes("a-1.0-py3-none-any.whl"));
    let lock = |digest: &str| {
        project.home.write("narrow.txt", format!("a==1.0 --hash=sha256:{digest}\n"));
        project.pinfold("lock").run()
    };
    lock(&digest).expect_code(0);
    lock(&"0".repeat(64)).expect_refusal("hash-mismatch").expect_stderr(&digest).expect_stderr("--hash");
    project.home.write("narrow.txt", "a[x]<2\n");
    project.pinfold("lock").run().expect_code(2).expect_stderr("narrow.txt:1:1").expect_stderr("cannot ask for extras");
}

/// An index would answer with another project of that name (dependency confusion).
#[test]
fn a_requirements_file_does_not_require_the_application() {
    let index = Index::new().wheel("demo", "1.0").wheel("a", "1.0");
    let project = Project::with(index, &["a"], "requirements = [\"r.txt\"]", "");
    for line in ["demo", "Demo[x]>=1"] {
        project.home.write("r.txt", format!("a\n{line}\n"));
        let run = project.pinfold("lock").run().expect_code(2);
        run.expect_stderr("`demo` is the application's own name").expect_stderr("r.txt:2:1");
        assert!(!project.home.project().join("pylock.toml").exists());
    }
    project.home.write("r.txt", "a\ndemo-more; sys_platform == 'none'\n");
    assert_eq!(entries(&project.lock()), ["a 1.0"]);
}

#[test]
fn a_version_whose_metadata_cannot_be_read_is_passed_over() {
    let broken = || WheelRecipe::new("a", "2.0").metadata_line("Requires-Dist: b==2004d");
    let index = || Index::new().wheel("a", "1.0").wheel_from(broken());
    check(index(), &["a"], "", "", &["a 1.0"]);
    let project = Project::new(index(), &["a>=2"]);
    let reason = "the metadata of a 2.0 cannot be read";
    project.pinfold("lock").run().expect_code(1).expect_stderr(reason).expect_stderr("`2004d` is no version");
    // A recording knows it, too.
    project.write_manifest(&["a"], "", "");
    project.pinfold("lock").args(["--record", "answers"]).run().expect_code(0);
    project.pinfold("lock").args(["--replay", "answers", "--check"]).run().expect_code(0);
    project.pinfold("lock").args(["--replay", "answers", "-o", "again.toml"]).run().expect_code(0);
    assert_eq!(project.home.read("again.toml"), project.home.read("pylock.toml"));
}

/// The page's `Requires-Python` decides before any metadata is read; what is broken in it is repaired as there, and told once.
#[test]
fn a_broken_requires_python_of_a_page_is_told_where_it_matters() {
    let index = || {
        let index = Index::new().wheel("a", "1.0").page_requires_python(">=3.5.*").wheel("b", "1.0");
        // The page repeats the metadata.
        index.requires_python(">=3.6.*").wheel("a", "2.0").page_requires_python(">=3.6.*, !=3.0.*").requires("b")
    };
    let project = Project::with(index(), &["a"], THREE, "");
    let said = |run: pinfold_testkit::Finished| -> Vec<String> {
        let run = run.expect_code(0);
        run.stderr.lines().filter(|line| line.starts_with("warning: ")).map(str::to_owned).collect()
    };
    let expected = ["a` 2.0", "b` 1.0"].map(|which| {
        format!("warning: `{which} has broken metadata: `>=3.6.*` was read as `>=3.6` (a wildcard does not go with this operator)")
    });
    assert_eq!(said(project.pinfold("lock").run()), expected);
    // So it is of what is remembered, checked and recorded.
    for arguments in
        [&[][..], &["--check"], &["--offline"], &["--record", "answers"], &["--replay", "answers", "--check"]]
    {
        assert_eq!(said(project.pinfold("lock").args(arguments).run()), expected, "{arguments:?}");
    }
    project.server.update(&index().formats(PageFormats::Html));
    project.forget_cache();
    assert_eq!(said(project.pinfold("lock").run()), expected);
}

#[test]
fn a_file_whose_requires_python_cannot_be_read_is_passed_over() {
    let index = || {
        let index = Index::new().wheel("a", "1.0").wheel("a", "2.0").page_requires_python("about 3");
        // What is no wheel or sdist hides nothing.
        index.file("a", "a-3.0.exe", b"x").wheel("a", "1.5").page_requires_python("about 2")
    };
    let project = Project::with(index(), &["a"], THREE, "");
    let warnings = |run: pinfold_testkit::Finished| {
        let run = run.expect_code(0);
        run.stderr.lines().filter(|line| line.starts_with("warning: ")).map(str::to_owned).collect::<Vec<_>>()
    };
    for arguments in [&[][..], &["--upgrade"]] {
        let said = warnings(project.pinfold("lock").args(arguments).run());
        let [newest, older] = &said[..] else { panic!("{said:?}") };
        assert!(
            newest.contains("a file of `a` 1.5 is passed over: its requires-python cannot be read: `about 2`"),
            "{said:?}"
        );
        assert!(
            older.contains("a file of `a` 2.0 is passed over: its requires-python cannot be read: `about 3`"),
            "{said:?}"
        );
    }
    assert_eq!(entries(&project.home.read("pylock.toml")), ["a 1.0"]);
    // What was locked is kept, and then nothing else was wanted.
    assert_eq!(warnings(project.pinfold("lock").run()), Vec::<String>::new());
    project.write_manifest(&["a>=2"], THREE, "");
    let run = project.pinfold("lock").run().expect_code(1);
    run.expect_stderr("`a-2.0-py3-none-any.whl`: its requires-python cannot be read").expect_stderr("2 of its files");
    // What is locked is held against its page.
    project.write_manifest(&["a"], THREE, "");
    project.server.update(&Index::new().wheel("a", "1.0").page_requires_python("about 3").wheel("a", "0.5"));
    let run = project.pinfold("lock").arg("--check").run().expect_code(3).expect_stderr("error[index-rollback]");
    run.expect_stderr("what the index says of it cannot be read any more");
    // Where the cutoff hides it, it is not missed.
    let index = Index::new().wheel("a", "1.0").uploaded("2024-01-01T00:00:00Z");
    let index = index.wheel("a", "2.0").uploaded("2024-06-01T00:00:00Z").page_requires_python("about 3");
    let project = Project::with(index, &["a"], "exclude-newer = \"2024-03-01T00:00:00Z\"", "");
    for _ in 0..2 {
        assert_eq!(warnings(project.pinfold("lock").run()), Vec::<String>::new());
    }
    project.write_manifest(&["a"], "exclude-newer = \"2024-07-01T00:00:00Z\"", "");
    assert_eq!(warnings(project.pinfold("lock").arg("--upgrade").run()).len(), 1);
}

#[test]
fn metadata_beside_a_file_with_a_query_is_found() {
    let link = "../../files/a-1.0-py3-none-any.whl?download=1";
    let index = Index::new().sidecars().wheel("a", "1.0").requires("b").link(link).wheel("b", "1.0");
    let project = Project::new(index, &["a"]);
    let lock = project.lock();
    assert_eq!(entries(&lock), ["a 1.0", "b 1.0"]);
    assert!(lock.contains("a-1.0-py3-none-any.whl?download=1"), "{lock}");
    let asked: Vec<String> =
        project.server.requests_to("/files/a-1.0").into_iter().map(|request| request.path).collect();
    assert!(asked.iter().all(|path| path.contains(".whl.metadata")) && !asked.is_empty(), "{asked:?}");
    project.sync().expect_code(0);
}

#[test]
fn what_is_required_and_excluded_is_told() {
    let project = Project::with(
        Index::new().wheel("a", "1.0").requires("b").wheel("b", "1.0"),
        &["a"],
        "requirements = [\"r.txt\"]\nexclude = [\"b\", \"c\"]",
        "",
    );
    // Excluded, and nobody requires it by name.
    project.home.write("r.txt", "a\n");
    let run = project.pinfold("lock").run().expect_code(0);
    assert!(!run.stderr.contains("exclude"), "{run}");
    project.home.write("r.txt", "# theirs\nb>=1\nB\nc; sys_platform == 'none'\n");
    let run = project.pinfold("lock").run().expect_code(0);
    run.expect_stderr("warning: `b` is required (r.txt:2, r.txt:3) and left out of the lock: `exclude` names it");
    assert_eq!(entries(&project.home.read("pylock.toml")), ["a 1.0"]);
}

#[test]
fn the_applications_own_extras_hold_where_their_markers_say() {
    let index = Index::new().wheel("a", "1.0").wheel("b", "1.0").wheel("c", "1.0");
    let project = Project::with(
        index,
        &["a"],
        THREE,
        "[extras]\nx = [\"b\", \"c; sys_platform != 'win32'\"]\n\
                                all = [\"demo[x]; sys_platform == 'linux'\", \"demo[x]; sys_platform == 'win32'\"]\n",
    );
    let lock = project.lock();
    let expected = [
        "a 1.0",
        "b 1.0; (sys_platform != 'darwin' and 'all' in extras) or 'x' in extras",
        "c 1.0; (sys_platform == 'linux' and 'all' in extras) or (sys_platform != 'win32' and 'x' in extras)",
    ];
    assert_eq!(entries(&lock), expected);
    project.pinfold("lock").arg("--check").run().expect_code(0);
    let names = "import importlib.util as u; print(*[n for n in 'abc' if u.find_spec(n)])";
    if cfg!(target_os = "linux") {
        project.write_manifest(&["a"], "", "[extras]\nx = [\"b\"]\nno = [\"demo[x]; sys_platform == 'win32'\"]\nyes = [\"demo[x]; sys_platform == 'linux'\"]\n");
        project.lock();
        for (extra, expected) in [("no", "a"), ("yes", "a b")] {
            project.pinfold("sync").args(["--extra", extra]).run().expect_code(0);
            assert_eq!(project.python(names).trim(), expected, "{extra}");
        }
    }
}

#[test]
fn what_is_dynamic_in_a_pyproject_is_refused() {
    let project = Project::new(Index::new().wheel("a", "1.0"), &["a"]);
    let manifest = project.home.read("pinfold.toml");
    std::fs::remove_file(project.home.project().join("pinfold.toml")).expect("there is a manifest");
    let index = manifest.split_once("[[index]]").expect("there is an index").1;
    let minor = Python::found().minor.clone();
    let write = |own: &str, tool: &str| {
        let head = format!("[project]\nname = \"demo\"\nrequires-python = \"=={minor}.*\"\n{own}\n");
        let text = format!("{head}[tool.pinfold]\n{tool}\n[[tool.pinfold.index]]{index}");
        project.home.write("pyproject.toml", text);
    };
    for (own, place) in [
        ("dynamic = [\"version\", \"dependencies\"]", "pyproject.toml:4:23"),
        ("dependencies = [\"a\"]\ndynamic = [\"optional-dependencies\"]", "pyproject.toml:5:12"),
    ] {
        write(own, "");
        let run = project.pinfold("lock").run().expect_code(2).expect_stderr(place).expect_stderr("^^^^");
        run.expect_stderr("are dynamic: only running the project's build backend would tell them");
        assert!(!project.home.has("pylock.toml"));
        write(own, "dependencies = [\"a\"]\n[tool.pinfold.extras]");
        project.lock();
        std::fs::remove_file(project.home.project().join("pylock.toml")).expect("there is a lock");
    }
}

#[test]
fn a_version_that_cannot_be_read_is_passed_over_with_one_warning() {
    let index = Index::new().wheel("a", "1.0").wheel("a", "2.0").requires("b==2004d").wheel("b", "1.0");
    let project = Project::with(index, &["a"], THREE, "");
    let run = project.pinfold("lock").run().expect_code(0);
    let said: Vec<&str> = run.stderr.lines().filter(|line| line.contains("2.0")).collect();
    let [said] = said[..] else { panic!("{run}") };
    for part in ["warning: `a` 2.0 is passed over", "`a-2.0-py3-none-any.whl`", "`b==2004d`", "`2004d` is no version"] {
        assert!(said.contains(part), "`{part}` is missing: {said}");
    }
    assert_eq!(entries(&project.home.read("pylock.toml")), ["a 1.0"]);
    // Who does not want it, or has what was locked, hears nothing of it.
    for dependency in ["a", "a<2"] {
        project.write_manifest(&[dependency], THREE, "");
        let run = project.pinfold("lock").run().expect_code(0);
        assert!(!run.stderr.contains("2.0"), "{run}");
    }
    project.write_manifest(&["a"], THREE, "");
    project.pinfold("lock").arg("--upgrade").run().expect_code(0).expect_stderr("`a` 2.0 is passed over");
}

/// What an index says is quoted as it is: people are to find it again. What would drive a terminal is not.
#[test]
fn what_is_published_is_quoted_without_the_escapes_of_a_language() {
    for (broken, code, shown) in [
        ("b ~> 1.0 ; python_version >= \"3.8\"", 0, "`b ~> 1.0 ; python_version >= \"3.8\"`"),
        ("b @ C:\\b ; os_name == 'nt' \u{1b}[31m", 3, "`b @ C:\\b ; os_name == 'nt' \\u{1b}[31m`"),
    ] {
        let recipe = WheelRecipe::new("a", "2.0").metadata_line(&format!("Requires-Dist: {broken}"));
        let project = Project::new(Index::new().wheel("a", "1.0").wheel_from(recipe), &["a"]);
        project.pinfold("lock").run().expect_code(code).expect_stderr(shown);
    }
}
