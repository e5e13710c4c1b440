//! What is required by URL, by path or from a repository is locked with its digest and installed as exactly those bytes.

use pinfold_testkit::{HostileTar, Index, SdistRecipe, Server, TempHome, WheelRecipe};

use crate::attacks::wheel;
use crate::project::Project;

const DIRECT_URL: &str =
    "import importlib.metadata as m; print(m.distribution('tool').read_text('direct_url.json').strip())";

/// Returns a server that is no index of the project, with a wheel and an sdist of `tool`.
fn elsewhere() -> Server {
    Index::new().wheel("tool", "1.0").requires("lib").sdist("tool", "1.0").start()
}

fn index() -> Index {
    Index::new().wheel("lib", "1.0").wheel("tool", "9.0")
}

#[test]
fn a_wheel_by_url_is_pinned_installed_and_recorded() {
    let server = elsewhere();
    let url = server.file_url(&wheel("tool", "1.0"));
    let project = Project::new(index(), &[&format!("tool @ {url}")]);
    let lock = project.lock();
    assert!(lock.contains(&format!("archive = {{ url = \"{url}\", size = ")), "{lock}");
    assert!(lock.contains("dependencies = [\n    { name = \"lib\" },"), "{lock}");
    assert!(project.server.requests_to("/simple/tool/").is_empty(), "the index was asked for what a URL names");

    project.sync().expect_code(0);
    assert_eq!(project.python("import tool; print(tool.__version__)"), "1.0\n");
    let digest = server.artifact(&wheel("tool", "1.0")).sha256;
    let record = format!("{{\"archive_info\":{{\"hashes\":{{\"sha256\":\"{digest}\"}}}},\"url\":\"{url}\"}}\n");
    assert_eq!(project.python(DIRECT_URL), record);
    project.pinfold("verify").run().expect_code(0);
    project.pinfold("lock").arg("--check").run().expect_code(0);
    project.sync().expect_code(0).expect_stderr("up to date");
}

#[test]
fn a_lock_that_is_current_is_locked_again_without_the_url() {
    let server = elsewhere();
    let project = Project::new(index(), &[&format!("tool @ {}", server.file_url(&wheel("tool", "1.0")))]);
    let lock = project.lock();
    server.forget_requests();
    assert_eq!(project.lock(), lock);
    assert!(server.requests().is_empty());
    project.pinfold("lock").arg("--check").run().expect_code(0);
    assert!(!server.requests().is_empty(), "a check believes the lock that it checks");
}

#[test]
fn a_wheel_by_path_is_relative_to_the_file_that_names_it_and_to_the_lock() {
    let project = Project::new(index(), &["tool @ ./wheels/tool-1.0-py3-none-any.whl"]);
    let bytes = WheelRecipe::new("tool", "1.0").build();
    project.home.write("wheels/tool-1.0-py3-none-any.whl", &bytes);
    let lock = project.lock();
    assert!(lock.contains("archive = { path = \"wheels/tool-1.0-py3-none-any.whl\", size = "), "{lock}");
    assert!(!lock.contains("file:"), "{lock}");
    project.sync().expect_code(0);
    assert!(project.python(DIRECT_URL).contains("\"url\":\"file:///"));
    project.pinfold("lock").args(["-o", "sub/pylock.toml"]).run();
    project.home.write("sub/x", "");
    project.pinfold("lock").args(["-o", "sub/pylock.toml"]).run().expect_code(0);
    assert!(project.home.read("sub/pylock.toml").contains("path = \"../wheels/tool-1.0-py3-none-any.whl\""));

    project.home.write("sub/requirements.txt", "../wheels/tool-1.0-py3-none-any.whl\n");
    project.write_manifest(&[], "requirements = [\"sub/requirements.txt\"]", "");
    // Who asked is told by another file now; what is installed is not.
    assert!(project.lock().contains("path = \"wheels/tool-1.0-py3-none-any.whl\""));
}

#[test]
fn the_same_inputs_in_another_directory_give_the_same_lock() {
    let lock = || {
        let project = Project::new(index(), &["tool @ ./w/tool-1.0-py3-none-any.whl"]);
        project.home.write("w/tool-1.0-py3-none-any.whl", WheelRecipe::new("tool", "1.0").build());
        let manifest = project.home.read("pinfold.toml").replace(&project.server.url(), "https://index.test/simple/");
        project.home.write("pinfold.toml", manifest);
        project.lock()
    };
    assert_eq!(lock(), lock());
}

#[test]
fn a_file_url_is_locked_by_its_path() {
    let project = Project::new(index(), &["lib"]);
    project.home.write("w/tool-1.0-py3-none-any.whl", WheelRecipe::new("tool", "1.0").build());
    let place = project.home.project().join("w/tool-1.0-py3-none-any.whl");
    project.write_manifest(&[&format!("tool @ file://{}", place.display())], "", "");
    assert!(project.lock().contains(&format!("path = \"{}\"", place.display())));
    project.sync().expect_code(0);
}

#[test]
fn a_wheel_that_does_not_serve_the_target_is_no_solution() {
    let recipe = WheelRecipe::new("tool", "1.0").tag("cp27-cp27m-win32");
    let server = Index::new().wheel_from(recipe.clone()).start();
    let project = Project::new(index(), &[&format!("tool @ {}", server.file_url(&recipe.filename()))]);
    project.pinfold("lock").run().expect_code(1).expect_stderr("no wheel for").expect_stderr("tool");
    assert!(!project.home.has("pylock.toml"));
}

#[test]
fn a_wheel_that_needs_another_python_is_no_solution() {
    let server = Index::new().wheel_from(WheelRecipe::new("tool", "1.0").requires_python("<3")).start();
    let project = Project::new(index(), &[&format!("tool @ {}", server.file_url(&wheel("tool", "1.0")))]);
    project.pinfold("lock").run().expect_code(1).expect_stderr("tool").expect_stderr("Python");
}

#[test]
fn each_target_may_have_its_own_url() {
    let linux = WheelRecipe::new("tool", "1.0").tag("py3-none-manylinux_2_17_x86_64");
    let windows = WheelRecipe::new("tool", "1.1").tag("py3-none-win_amd64");
    let server = Index::new().wheel_from(linux.clone()).wheel_from(windows.clone()).start();
    let dependencies = [
        format!("tool @ {} ; sys_platform == 'linux'", server.file_url(&linux.filename())),
        format!("tool @ {} ; sys_platform == 'win32'", server.file_url(&windows.filename())),
    ];
    let dependencies: Vec<&str> = dependencies.iter().map(String::as_str).collect();
    let targets = "targets = [\"linux-x86_64\", \"windows-x86_64\"]";
    let project = Project::with(index(), &dependencies, targets, "");
    let lock = project.lock();
    assert!(lock.contains("version = \"1.0\"\nmarker = \"sys_platform == 'linux'\""), "{lock}");
    assert!(lock.contains("version = \"1.1\"\nmarker = \"sys_platform == 'win32'\""), "{lock}");
    project.pinfold("lock").arg("--check").run().expect_code(0);

    let targets = "targets = [\"linux-x86_64\", \"windows-x86_64\", \"macos-aarch64\"]";
    project.write_manifest(&[&dependencies[..], &["tool"]].concat(), targets, "");
    let refused = |project: &Project| {
        let run = project.pinfold("lock").run().expect_code(2).expect_stderr("from an index on macos-aarch64");
        let run = run.expect_stderr(&format!("elsewhere: tool @ {}", server.file_url(&linux.filename())));
        run.expect_stderr("(pinfold.toml:").expect_stderr("help: a name belongs to one origin");
    };
    refused(&project);
    // Where none of these files serves the target, the explanation says why no index was asked.
    project.server.update(&index().wheel("app", "1.0").requires("tool"));
    project.write_manifest(&[&dependencies[..], &["app"]].concat(), targets, "");
    let run = project.pinfold("lock").run().expect_code(1).expect_stderr("no solution for macos-aarch64");
    run.expect_stderr(&format!(
        "other targets get `tool` from elsewhere (tool @ {}",
        server.file_url(&linux.filename())
    ));
}

#[test]
fn two_urls_of_one_name_are_an_error_that_names_both() {
    let server = elsewhere();
    let (one, other) = (server.file_url(&wheel("tool", "1.0")), server.file_url("tool-1.0.tar.gz"));
    let project = Project::new(index(), &[&format!("tool @ {one}"), "lib"]);
    project.home.write("more.txt", format!("\ntool @ {other}\n"));
    project.write_manifest(&[&format!("tool @ {one}")], "requirements = [\"more.txt\"]", "");
    let run = project.pinfold("lock").run().expect_code(2).expect_stderr("`tool` is required from two places");
    run.expect_stderr(&format!("{one} (pinfold.toml:4)")).expect_stderr(&format!("{other} (more.txt:2)"));
    // Twice the same is one.
    project.home.write("more.txt", format!("tool @ {one}\n"));
    project.lock();
}

#[test]
fn the_url_wins_over_a_range_that_it_fits_and_over_no_other() {
    let server = Index::new().wheel("tool", "1.0").start();
    let url = format!("tool @ {}", server.file_url(&wheel("tool", "1.0")));
    let index = || index().wheel("wants", "1.0").requires("tool>=1").wheel("demands", "1.0").requires("tool>=2");
    let project = Project::new(index(), &[&url, "wants", "tool<5"]);
    assert!(project.lock().contains("name = \"tool\"\nversion = \"1.0\""));
    project.write_manifest(&[&url, "demands"], "", "");
    project.pinfold("lock").run().expect_code(1).expect_stderr("tool>=2");
    project.home.write("w/tool-1.0-py3-none-any.whl", server.file_bytes(&wheel("tool", "1.0")));
    project.write_manifest(&["tool @ ./w/tool-1.0-py3-none-any.whl", "demands"], "", "");
    let run = project
        .pinfold("lock")
        .run()
        .expect_code(1)
        .expect_stderr("required as `./w/tool-1.0-py3-none-any.whl` (pinfold.toml:4)");
    assert!(!run.stderr.contains("file:"), "{run}");
    project.write_manifest(&["wants"], &format!("overrides = [\"{url}\"]"), "");
    assert!(project.lock().contains("name = \"tool\"\nversion = \"1.0\""));
    project.write_manifest(&["wants"], &format!("constraints = [\"{url}\"]"), "");
    assert!(project.lock().contains("name = \"tool\"\nversion = \"1.0\""));
}

#[test]
fn extras_and_groups_by_url() {
    let server = Index::new().wheel_from(WheelRecipe::new("tool", "1.0").extra("fast", "lib")).start();
    let url = server.file_url(&wheel("tool", "1.0"));
    let project = Project::with(index(), &["lib"], "", &format!("[groups]\ndev = [\"tool[fast] @ {url}\"]\n"));
    let lock = project.lock();
    assert!(lock.contains("marker = \"'dev' in dependency_groups\""), "{lock}");
    project.pinfold("sync").args(["--group", "dev"]).run().expect_code(0);
    assert_eq!(project.python("import tool; print(tool.__version__)"), "1.0\n");
}

#[test]
fn a_recording_carries_it() {
    let server = elsewhere();
    let url = server.file_url(&wheel("tool", "1.0"));
    let project = Project::new(index(), &[&format!("tool @ {url}")]);
    project.pinfold("lock").args(["--record", "all.recording"]).run().expect_code(0);
    let lock = project.home.read("pylock.toml");
    project.forget_cache();
    drop(server);
    project.pinfold("lock").args(["--replay", "all.recording", "-o", "again.toml"]).run().expect_code(0);
    assert_eq!(project.home.read("again.toml"), lock);
    project.pinfold("lock").args(["--replay", "all.recording", "--check"]).run().expect_code(0);
    // Another URL was not recorded.
    project.write_manifest(&[&format!("tool @ {}", url.replace("1.0", "1.1"))], "", "");
    project.pinfold("lock").args(["--replay", "all.recording"]).run().expect_code(2).expect_stderr("record again");
}

#[test]
fn what_is_not_there_is_said() {
    let server = elsewhere();
    let check = |reference: &str, code: i32, part: &str| {
        let project = Project::new(index(), &[&format!("tool @ {reference}")]);
        project.pinfold("lock").run().expect_code(code).expect_stderr(part).expect_stderr("pinfold.toml:4");
        assert!(!project.home.has("pylock.toml"));
    };
    check("./missing/tool-1.0-py3-none-any.whl", 2, "cannot find `missing/tool-1.0-py3-none-any.whl`");
    check(&server.file_url("tool-2.0-py3-none-any.whl"), 4, "404");
    check(&server.file_url("tool-2.0-py3-none-any.whl"), 4, "there is no such file: check the URL in pinfold.toml:");
    check(&server.file_url("other-1.0-py3-none-any.whl"), 2, "is no wheel of `tool`");
    check(&server.file_url("tool.rar"), 2, "neither a wheel nor an sdist");
    let project = Project::new(index(), &[&format!("tool @ {}", server.file_url(&wheel("tool", "1.0")))]);
    project.pinfold("lock").arg("--offline").run().expect_code(4).expect_stderr("--offline");
}

#[test]
fn a_path_that_is_not_there_is_pointed_at_where_it_is_written() {
    let project = Project::new(index(), &["lib"]);
    let check = |expected: &[&str]| {
        let run = project.pinfold("lock").run().expect_code(2).expect_stderr("cannot find `sub/nothere`\n");
        expected.iter().fold(run, |run, part| run.expect_stderr(part)).expect_stderr("required by");
    };
    project.write_manifest(&["lib", "tool @ ./sub/nothere"], "", "");
    check(&["--> pinfold.toml:4:", "\"tool @ ./sub/nothere\"", " ^^^^^^^^^^^^^\n"]);
    // A path is relative to the file that names it, also where that is written otherwise than the manifest.
    project.write_manifest(&["lib"], "requirements = [\"sub/r.txt\"]", "");
    project.home.write("sub/r.txt", "# été\ntool[x] @ ./nothere # été\n");
    check(&["--> sub/r.txt:2:11\n", "2 | tool[x] @ ./nothere # été\n    |           ^^^^^^^^^\n"]);
    let utf16 = "\u{feff}tool @ ./nothere\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    project.home.write("sub/r.txt", utf16);
    check(&["--> sub/r.txt:1:8\n", "1 | tool @ ./nothere\n    |        ^^^^^^^^^\n"]);
}

#[test]
fn a_digest_that_is_demanded_is_checked() {
    let server = elsewhere();
    let digest = server.artifact(&wheel("tool", "1.0")).sha256.to_string();
    let url = server.file_url(&wheel("tool", "1.0"));
    let project = Project::new(index(), &[&format!("tool @ {url}#sha256={digest}")]);
    let lock = project.lock();
    // What is demanded is asked for, and no part of where the file is.
    assert!(lock.contains(&format!("archive = {{ url = \"{url}\"")), "{lock}");
    project.home.write("r.txt", format!("tool @ {url} --hash=sha256:{digest}\n"));
    project.write_manifest(&[], "requirements = [\"r.txt\"]", "");
    project.lock();
    let other = crate::attacks::other_digit(&digest);
    project.home.write("r.txt", format!("tool @ {url} --hash=sha256:{other}\n"));
    project.pinfold("lock").run().expect_code(3).expect_refusal("hash-mismatch");
}

#[test]
fn an_egg_is_remarked_on() {
    let server = elsewhere();
    let url = server.file_url(&wheel("tool", "1.0"));
    let project = Project::new(index(), &[&format!("tool @ {url}#egg=tool")]);
    project.pinfold("lock").run().expect_code(0).expect_stderr("warning").expect_stderr("#egg");
}

#[test]
fn an_editable_install_is_refused_with_what_to_write_instead() {
    let project = Project::new(index(), &["lib"]);
    project.home.write("r.txt", "lib\n-e ./tool\n");
    project.write_manifest(&[], "requirements = [\"r.txt\"]", "");
    let run = project.pinfold("lock").run().expect_code(2).expect_stderr("r.txt:2:1").expect_stderr("-e ./tool");
    run.expect_stderr("write `name @ ./directory`");
}

/// Returns an sdist of `tool` whose build needs nothing else.
fn sdist() -> SdistRecipe {
    SdistRecipe::new("tool", "1.0").requires("lib").built_requires("lib")
}

#[test]
fn an_sdist_by_url_is_built_only_where_the_manifest_names_it() {
    let server = Index::new().sdist_from(sdist()).start();
    let url = server.file_url("tool-1.0.tar.gz");
    let requirement = format!("tool @ {url}");
    let project = Project::new(index(), &[&requirement]);
    let run = project.pinfold("lock").run().expect_code(1).expect_stderr("`tool` is an sdist, and `build` does not");
    run.expect_stderr("build = [\"tool\"]");
    assert!(server.requests().is_empty(), "an sdist was fetched that nobody may build");

    project.write_manifest(&[&requirement], "build = [\"tool\"]", "");
    let lock = project.lock();
    assert!(lock.contains(&format!("archive = {{ url = \"{url}\", size = ")), "{lock}");
    assert!(lock.contains("[[tool.pinfold.build]]\nname = \"tool\"\nversion = \"1.0\""), "{lock}");
    project.sync().expect_code(0);
    assert_eq!(project.python("import tool; print(tool.__version__)"), "1.0\n");
    assert!(project.python(DIRECT_URL).contains("\"archive_info\""));
    project.pinfold("verify").run().expect_code(0);
    project.pinfold("lock").arg("--check").run().expect_code(0);
}

#[test]
fn an_sdist_by_path_and_in_a_subdirectory() {
    let project = Project::with(index(), &["tool @ ./src/tool-1.0.tar.gz"], "build = [\"tool\"]", "");
    project.home.write("src/tool-1.0.tar.gz", sdist().build());
    let lock = project.lock();
    assert!(lock.contains("archive = { path = \"src/tool-1.0.tar.gz\""), "{lock}");
    project.sync().expect_code(0);
    assert_eq!(project.python("import tool; print(tool.__version__)"), "1.0\n");

    // As forges pack a tag: no version in the name, and the project in a directory of its own.
    let nested = HostileTar::new();
    let nested = sdist()
        .members()
        .into_iter()
        .fold(nested, |tar, (path, contents)| tar.file(format!("repo-1/packages/tool/{path}"), contents));
    project.home.write("src/v1.tar.gz", nested.file("repo-1/README", "x").build_gz());
    project.write_manifest(&["tool @ ./src/v1.tar.gz#subdirectory=packages/tool"], "build = [\"tool\"]", "");
    let lock = project.lock();
    assert!(lock.contains("subdirectory = \"packages/tool\" }"), "{lock}");
    assert!(lock.contains("name = \"tool\"\nversion = \"1.0\""), "{lock}");
    project.sync().expect_code(0);
    assert!(project.python(DIRECT_URL).contains("\"subdirectory\":\"packages/tool\""));
    project.pinfold("lock").args(["--record", "all.recording"]).run().expect_code(0);
    std::fs::remove_dir_all(project.home.project().join("src")).unwrap();
    project.pinfold("lock").args(["--replay", "all.recording", "--check"]).run().expect_code(0);

    project.write_manifest(&["tool @ ./src/v1.tar.gz#subdirectory=nowhere"], "build = [\"tool\"]", "");
    project.home.write("src/v1.tar.gz", sdist().build());
    project.pinfold("lock").run().expect_code(2).expect_stderr("neither `nowhere/pyproject.toml` nor");
}

#[test]
fn sources_of_another_project_are_not_taken() {
    let project = Project::with(index(), &["tool @ ./other-1.0.tar.gz"], "build = [\"tool\"]", "");
    project.home.write("other-1.0.tar.gz", SdistRecipe::new("other", "1.0").build());
    project.pinfold("lock").run().expect_code(3).expect_refusal("built-metadata-mismatch");
}

/// Writes the sources of an sdist as files below the project.
fn write_sources(project: &Project, directory: &str, recipe: &SdistRecipe) {
    for (path, contents) in recipe.members() {
        project.home.write(&format!("{directory}/{path}"), contents);
    }
}

#[test]
fn a_directory_is_locked_as_it_is_and_installed_as_a_copy() {
    let project = Project::with(index(), &["tool @ ./lib/tool"], "", "");
    write_sources(&project, "lib/tool", &sdist());
    project.pinfold("lock").run().expect_code(1).expect_stderr("`tool` is a directory, and `build` does not name it");
    project.write_manifest(&["tool @ ./lib/tool"], "build = [\"tool\"]", "");
    let lock = project.lock();
    assert!(lock.contains("name = \"tool\"\ndependencies = [\n"), "a source tree has no version in a lock:\n{lock}");
    assert!(lock.contains("directory = { path = \"lib/tool\" }"), "{lock}");
    assert!(
        lock.contains("[[tool.pinfold.tree]]\nname = \"tool\"\nversion = \"1.0\"\npath = \"lib/tool\"\n"),
        "{lock}"
    );
    project.sync().expect_code(0);
    assert_eq!(project.python("import tool; print(tool.__version__)"), "1.0\n");
    let record = project.python(DIRECT_URL);
    assert!(record.contains("\"dir_info\":{}") && record.contains("/lib/tool\""), "{record}");
    project.pinfold("verify").run().expect_code(0);
    project.pinfold("lock").arg("--check").run().expect_code(0);
    project.sync().expect_code(0).expect_stderr("up to date");

    project.pinfold("tree").run().expect_code(0).expect_stdout("tool 1.0");
    project.pinfold("why").arg("tool").run().expect_code(0).expect_stdout("tool @ ./lib/tool");
    // What tools leave there changes nothing.
    project.home.write("lib/tool/src/tool/__pycache__/x.pyc", "x");
    project.pinfold("lock").arg("--check").run().expect_code(0);
}

#[test]
fn a_directory_that_changed_is_noticed() {
    let project = Project::with(index(), &["tool @ ./lib/tool"], "build = [\"tool\"]", "");
    write_sources(&project, "lib/tool", &sdist());
    let lock = project.lock();
    project.home.write("lib/tool/src/tool/extra.py", "x = 1\n");
    project.pinfold("lock").arg("--check").run().expect_code(1).expect_stderr("out of date");
    project.sync().expect_code(3).expect_refusal("source-changed");
    assert!(!project.home.has(".venv"));
    // It is the maintainer's own: locking again locks it as it is now.
    assert_ne!(project.lock(), lock);
    project.sync().expect_code(0);
    assert_eq!(project.python("import tool.extra; print(tool.extra.x)"), "1\n");
    std::fs::rename(project.home.project().join("lib"), project.home.project().join("gone")).unwrap();
    std::fs::rename(project.home.project().join(".venv"), project.home.project().join("former")).unwrap();
    project.sync().expect_code(4).expect_stderr("there is no directory `lib/tool`");
}

#[test]
fn the_project_directory_itself_can_be_locked() {
    let project = Project::with(index(), &["tool @ ."], "build = [\"tool\"]", "");
    write_sources(&project, ".", &sdist());
    let lock = project.lock();
    assert!(lock.contains("directory = { path = \".\" }"), "{lock}");
    project.sync().expect_code(0);
    assert_eq!(project.python("import tool; print(tool.__version__)"), "1.0\n");
    // Neither the lock nor the environment is part of what is locked.
    project.pinfold("lock").arg("--check").run().expect_code(0);
}

#[test]
fn a_directory_is_recorded() {
    let project = Project::with(index(), &["tool @ ./lib#subdirectory=tool"], "build = [\"tool\"]", "");
    write_sources(&project, "lib/tool", &sdist());
    project.pinfold("lock").args(["--record", "all.recording"]).run().expect_code(0);
    let lock = project.home.read("pylock.toml");
    assert!(lock.contains("directory = { path = \"lib\", subdirectory = \"tool\" }"), "{lock}");
    std::fs::rename(project.home.project().join("lib"), project.home.project().join("gone")).unwrap();
    project.pinfold("lock").args(["--replay", "all.recording", "--check"]).run().expect_code(0);
}

/// A git repository with the sources of `tool` 1.0 as its first commit, tagged `v1`.
pub(crate) struct Repository {
    home: TempHome,
    path: String,
}

impl Repository {
    pub(crate) fn new() -> Self {
        let home = TempHome::new();
        let own = Self { path: home.project().display().to_string(), home };
        own.git(&["init", "--quiet", "--initial-branch=main", "--template="]);
        own.commit(&sdist(), "one");
        own.git(&["tag", "-a", "v1", "-m", "one"]);
        own
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Runs git in the repository and returns what it says.
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        let mut command = std::process::Command::new("git");
        command.args(["-c", "user.name=t", "-c", "user.email=t@t.example", "-c", "commit.gpgsign=false"]);
        command.args(arguments).current_dir(self.home.project());
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null").env("HOME", self.home.home());
        let output = command.output().expect("git runs");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8").trim().to_owned()
    }

    /// Returns what serves the repository as plain files, below `/files/repo`.
    pub(crate) fn served(&self) -> Index {
        self.git(&["update-server-info"]);
        let files = files_below(&std::path::Path::new(self.path()).join(".git"));
        files.iter().fold(Index::new(), |index, (path, bytes)| index.file("repo", &format!("repo/{path}"), bytes))
    }

    /// Writes a file of the work tree.
    pub(crate) fn write(&self, path: &str, contents: impl AsRef<[u8]>) {
        self.home.write(path, contents);
    }

    /// Commits the sources; returns the commit.
    pub(crate) fn commit(&self, recipe: &SdistRecipe, message: &str) -> String {
        for (path, contents) in recipe.members() {
            self.write(&path, contents);
        }
        self.git(&["add", "--all", "--force"]);
        self.git(&["commit", "--quiet", "-m", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// The requirement on it, with what follows the URL.
    pub(crate) fn requirement(&self, revision: &str) -> String {
        format!("tool @ git+file://{}{revision}", self.path)
    }

    /// A project that requires it.
    pub(crate) fn project(&self, revision: &str) -> Project {
        Project::with(index(), &[&self.requirement(revision)], "build = [\"tool\"]", "")
    }
}

/// Returns the files below a directory with their paths and bytes.
pub(crate) fn files_below(directory: &std::path::Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).expect("can list").flatten() {
        let name = entry.file_name().into_string().expect("UTF-8");
        if entry.path().is_dir() {
            let below = files_below(&entry.path()).into_iter();
            files.extend(below.map(|(path, bytes)| (format!("{name}/{path}"), bytes)));
        } else {
            files.push((name, std::fs::read(entry.path()).expect("can read")));
        }
    }
    files
}

#[test]
fn a_commit_is_pinned_built_installed_and_recorded() {
    let repository = Repository::new();
    let commit = repository.git(&["rev-parse", "HEAD"]);
    let project = repository.project("@v1");
    let lock = project.lock();
    let vcs = format!("requested-revision = \"v1\", commit-id = \"{commit}\" }}");
    assert!(lock.contains("vcs = { type = \"git\", url = \"file:///") && lock.contains(&vcs), "{lock}");
    assert!(
        lock.contains(&format!("[[tool.pinfold.tree]]\nname = \"tool\"\nversion = \"1.0\"\ncommit-id = \"{commit}\""))
    );
    project.sync().expect_code(0);
    assert_eq!(project.python("import tool; print(tool.__version__)"), "1.0\n");
    let record = project.python(DIRECT_URL);
    let info = format!("\"vcs_info\":{{\"commit_id\":\"{commit}\",\"requested_revision\":\"v1\",\"vcs\":\"git\"}}");
    assert!(record.contains(&info), "{record}");
    project.pinfold("verify").run().expect_code(0);
    project.pinfold("lock").arg("--check").run().expect_code(0);

    // From an empty cache the commit is fetched again, and gives the same.
    project.forget_cache();
    std::fs::rename(project.home.project().join(".venv"), project.home.project().join("former")).unwrap();
    project.sync().expect_code(0).expect_stderr("fetching tool");
    project.pinfold("lock").args(["--record", "all.recording"]).run().expect_code(0);
    assert_eq!(project.home.read("pylock.toml"), lock);
    drop(repository);
    project.pinfold("lock").args(["--replay", "all.recording", "--check"]).run().expect_code(0);
}

#[test]
fn a_branch_stays_where_it_was_locked_until_it_is_upgraded() {
    let repository = Repository::new();
    let first = repository.git(&["rev-parse", "HEAD"]);
    let project = repository.project("@main");
    assert!(project.lock().contains(&first));
    let second = repository.commit(&SdistRecipe::new("tool", "2.0"), "two");
    assert!(project.lock().contains(&first));
    project.pinfold("lock").arg("--check").run().expect_code(0);
    project.pinfold("lock").args(["--upgrade-package", "lib"]).run().expect_code(0);
    assert!(project.home.read("pylock.toml").contains(&first));
    // The commit is no tip any more, and can be had nevertheless.
    project.forget_cache();
    project.sync().expect_code(0);
    assert_eq!(project.python("import tool; print(tool.__version__)"), "1.0\n");
    project.pinfold("lock").args(["--upgrade-package", "tool"]).run().expect_code(0);
    assert!(project.home.read("pylock.toml").contains(&second));
    project.sync().expect_code(0);
    assert_eq!(project.python("import tool; print(tool.__version__)"), "2.0\n");

    // The next commit is of the same version.
    let upgrade = || project.pinfold("lock").args(["--upgrade-package", "tool"]).run().expect_code(0).stdout;
    assert_eq!(upgrade(), "= tool 2.0 stays: its revision is still the commit that is locked\n");
    repository.commit(&SdistRecipe::new("tool", "2.0").file("remark.txt", "three"), "three");
    let moved = upgrade();
    assert!(moved.starts_with("~ tool 2.0") && !moved.contains("stays"), "{moved}");
}

#[test]
fn a_revision_may_be_a_commit_its_beginning_a_reference_or_nothing() {
    let repository = Repository::new();
    let first = repository.git(&["rev-parse", "HEAD"]);
    let second = repository.commit(&SdistRecipe::new("tool", "2.0"), "two");
    for (revision, expected) in [
        (format!("@{first}"), &first),
        (format!("@{}", &first[..9]), &first),
        ("@refs/tags/v1".to_owned(), &first),
        ("@refs/heads/main".to_owned(), &second),
        (String::new(), &second),
    ] {
        let project = repository.project(&revision);
        assert!(project.lock().contains(&format!("commit-id = \"{expected}\"")), "{revision}");
    }
    let project = repository.project("@nowhere");
    project.pinfold("lock").run().expect_code(1).expect_stderr("`nowhere` is not in file://");
    let project = repository.project("@0000000");
    project.pinfold("lock").run().expect_code(1).expect_stderr("the beginning of no single commit");
    repository.git(&["branch", "v1", "main"]);
    let project = repository.project("@v1");
    project.pinfold("lock").run().expect_code(1).expect_stderr("both a branch and a tag");
}

#[test]
fn a_project_in_a_directory_of_a_repository() {
    let repository = Repository::new();
    for (path, contents) in SdistRecipe::new("tool", "3.0").members() {
        repository.write(&format!("packages/tool/{path}"), contents);
    }
    repository.git(&["add", "--all"]);
    repository.git(&["commit", "--quiet", "-m", "nested"]);
    let project = repository.project("#subdirectory=packages/tool&egg=tool");
    project.pinfold("lock").run().expect_code(0).expect_stderr("#egg");
    assert!(project.home.read("pylock.toml").contains("subdirectory = \"packages/tool\" }"));
    project.sync().expect_code(0);
    assert_eq!(project.python("import tool; print(tool.__version__)"), "3.0\n");
}

#[test]
fn a_repository_that_is_not_there_or_may_not_be_built() {
    let repository = Repository::new();
    let project = Project::new(index(), &[&repository.requirement("@v1")]);
    project.pinfold("lock").run().expect_code(1).expect_stderr("`tool` is a repository, and `build` does not name it");
    let missing = "tool @ git+file:///nowhere/at/all";
    project.write_manifest(&[missing], "build = [\"tool\"]", "");
    project.pinfold("lock").run().expect_code(4).expect_stderr("asking file:///nowhere/at/all failed");
    project.write_manifest(&["tool @ git+https://git.test/tool"], "build = [\"tool\"]", "");
    project.pinfold("lock").arg("--offline").run().expect_code(4).expect_stderr("--offline");
}

/// A program named `ssh` stands for the connection: it runs what the other side would run.
#[cfg(unix)]
#[test]
fn a_repository_over_ssh_is_asked_without_questions() {
    use std::os::unix::fs::PermissionsExt;
    let repository = Repository::new();
    let reference = format!("tool @ git+ssh://git@git.test{}@v1", repository.path());
    let project = Project::with(index(), &[&reference], "build = [\"tool\"]", "");
    let log = project.home.home().join("log");
    let script = format!(
        "#!/bin/sh\necho \"$SSH_AUTH_SOCK $SECRET $*\" >> {}\nfor last; do :; done\neval \"$last\"\n",
        log.display()
    );
    project.home.write("../home/bin/ssh", script);
    let bin = project.home.home().join("bin");
    std::fs::set_permissions(bin.join("ssh"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = std::env::join_paths(
        std::iter::once(bin).chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
    );
    let path = path.unwrap();
    let run = |verb: &str| {
        let run = project.pinfold(verb).env("PATH", &path).env("SSH_AUTH_SOCK", "/agent").env("SECRET", "s3cr3t").run();
        run.expect_code(0);
    };
    run("lock");
    let lock = project.home.read("pylock.toml");
    assert!(lock.contains(&format!("url = \"ssh://git@git.test{}\"", repository.path())), "{lock}");
    project.forget_cache();
    run("sync");
    assert!(project.python(DIRECT_URL).contains("\"url\":\"ssh://git@git.test/"));
    let said = std::fs::read_to_string(log).unwrap();
    assert!(said.lines().all(|line| line.starts_with("/agent ") && line.contains("-oBatchMode=yes")), "{said}");
    assert!(said.contains(" git@git.test git-upload-pack") && !said.contains("s3cr3t"), "{said}");
}

#[test]
fn a_constraint_by_url_matters_only_if_somebody_asks_for_the_project() {
    let missing = "constraints = [\"tool @ ./missing/tool-1.0-py3-none-any.whl\"]";
    let index = || index().wheel("wants", "1.0").requires("tool");
    let project = Project::with(index(), &["lib"], missing, "");
    assert!(!project.lock().contains("name = \"tool\""));
    project.write_manifest(&["wants"], missing, "");
    project.pinfold("lock").run().expect_code(2).expect_stderr("cannot find `missing/tool-1.0");
    assert!(project.server.requests_to("/simple/tool/").is_empty());
}

/// What is refused while its build tools are resolved is refused to whoever asks for the project.
#[test]
fn a_constraint_whose_build_is_refused_matters_only_if_somebody_asks_for_the_project() {
    let index = || {
        let maker = Index::new().wheel("maker", "1.0").requires("x @ https://elsewhere.test/x-1-py3-none-any.whl");
        maker.wheel("lib", "1.0").wheel("wants", "1.0").requires("tool")
    };
    let settings = "constraints = [\"tool @ ./tree\"]\nbuild = [\"tool\"]";
    let project = Project::with(index(), &["lib"], settings, "");
    write_sources(&project, "tree", &SdistRecipe::new("tool", "1.0").build_requires("maker").dynamic_requires("lib"));
    assert!(!project.lock().contains("name = \"tool\""));
    project.write_manifest(&["wants"], settings, "");
    let refused = project.pinfold("lock").run();
    refused.expect_refusal("direct-url").expect_stderr("`maker` 1.0 requires `x`").expect_stderr("tool @ ./tree");
}

/// With a cutoff in the past the answers of an index cannot change, and locking again is not worked out twice; a directory can.
#[test]
fn a_directory_is_looked_at_however_current_the_lock_is() {
    let index = Index::new().wheel("lib", "1.0").uploaded("2025-01-01T00:00:00Z");
    let settings = "build = [\"tool\"]\nexclude-newer = \"2025-06-01T00:00:00Z\"";
    let project = Project::with(index, &["tool @ ./lib/tool"], settings, "");
    write_sources(&project, "lib/tool", &sdist());
    let first = project.lock();
    assert_eq!(project.lock(), first);
    write_sources(&project, "lib/tool", &SdistRecipe::new("tool", "1.1").requires("lib").built_requires("lib"));
    assert!(project.lock().contains("version = \"1.1\"\npath = \"lib/tool\""));
    let wheel = |module: &str| WheelRecipe::new("tool", "1.0").file(&format!("tool/{module}.py"), "").build();
    project.home.write("tool-1.0-py3-none-any.whl", wheel("one"));
    project.write_manifest(&["./tool-1.0-py3-none-any.whl"], settings, "");
    let first = project.lock();
    assert_eq!(project.lock(), first);
    project.home.write("tool-1.0-py3-none-any.whl", wheel("two"));
    project.pinfold("lock").arg("--check").run().expect_code(1);
    assert_ne!(project.lock(), first);
}
