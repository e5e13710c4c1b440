//! What a check says differs, what an upgrade moved, and what does not change either.

use pinfold_testkit::{Finished, Index};

use super::json;
use crate::project::Project;

fn index() -> Index {
    let index = Index::new().wheel("a", "1.0").requires("b").uploaded("2024-01-01T00:00:00Z");
    index.wheel("b", "1.0").uploaded("2024-01-02T00:00:00Z").wheel("c", "1.0").uploaded("2024-01-03T00:00:00Z")
}

fn check(project: &Project, format: &str) -> Finished {
    project.pinfold("lock").args(["--check", "--format", format]).run()
}

/// Tampers with the lock, and checks that each form of the check names it; then puts the lock back.
#[track_caller]
fn differs(project: &Project, from: &str, to: &str, expected: &str) {
    let honest = project.home.read("pylock.toml");
    project.tamper(from, to);
    let tampered = project.home.read("pylock.toml");
    let text = check(project, "text").expect_code(1);
    assert!(text.stdout.contains(expected), "`{expected}` is not in {text}");
    let report = json(&check(project, "json").expect_code(1));
    assert_eq!(report["differs"], true);
    let diff = check(project, "diff").expect_code(1).stdout;
    let body: Vec<&str> = diff.lines().skip(2).collect();
    assert!(body.iter().any(|line| line.starts_with(['-', '+'])), "{diff}");
    for line in body {
        let (old, new) = (line.strip_prefix('-'), line.strip_prefix('+'));
        assert!(
            old.is_none_or(|line| tampered.contains(line)) && new.is_none_or(|line| honest.contains(line)),
            "{diff}"
        );
    }
    assert!(diff.starts_with("--- pylock.toml\n+++ pylock.toml (locked again)\n@@ -"), "{diff}");
    assert_eq!(project.home.read("pylock.toml"), tampered);
    project.home.write("pylock.toml", honest);
}

#[test]
fn a_check_names_what_was_changed() {
    let project = Project::new(index(), &["a", "c"]);
    project.lock();
    let same = json(&check(&project, "json").expect_code(0));
    assert_eq!((&same["differs"], &same["packages"]), (&false.into(), &serde_json::json!([])));
    assert_eq!(check(&project, "diff").expect_code(0).stdout, "");
    differs(&project, "upload-time = 2024-01-02T00:00:00Z, ", "", "? upload time b-1.0-py3-none-any.whl: + 2024-01-02");
    differs(&project, "/b-1.0-py3-none-any.whl\"", "/else/b-1.0-py3-none-any.whl\"", "URL b-1.0-py3-none-any.whl");
    let entry = "name = \"b\"\nversion = \"1.0\"\n";
    let marked = format!("{entry}marker = \"os_name == 'posix'\"\n");
    differs(&project, entry, &marked, "applies where: os_name == 'posix' -> always");
    differs(
        &project,
        "prerelease = \"if-necessary\"",
        "prerelease = \"allow\"",
        "setting prerelease: allow -> if-necessary",
    );
    differs(&project, "    { name = \"b\" },\n", "", "needs: + b");
    differs(&project, "    \"c\",\n", "", "requires: + the application: c");
    let url = project.server.url();
    let (index, evil) = (format!("index = \"{url}\""), "index = \"https://evil.example/simple/\"");
    differs(&project, &index, evil, &format!("! origin: https://evil.example/simple/ -> {url}"));
    // The same values in other words.
    differs(&project, "created-by = \"pinfold\"\n", "# mine\ncreated-by = \"pinfold\"\n", "# mine");
    check(&project, "text").expect_code(0);
    project.pinfold("lock").args(["--format", "json"]).run().expect_code(2).expect_stderr("--check");
}

#[test]
fn the_configuration_of_whoever_checks_does_not_change_the_verdict() {
    let project = Project::new(index(), &["a", "c"]);
    let elsewhere = Index::new().wheel("a", "9.0").wheel("b", "9.0").wheel("c", "9.0").start();
    let lock = project.lock();
    project.home.write("../home/config/pip/pip.conf", format!("[global]\nindex-url = {}\n", elsewhere.url()));
    project.home.write("../home/.pip/pip.conf", format!("[global]\nindex-url = {}\n", elsewhere.url()));
    project.home.write("elsewhere.toml", &lock);
    let checked = |tampered: bool| {
        let run = project.pinfold("lock").arg("--check");
        let run = run.env("PIP_INDEX_URL", elsewhere.url()).env("PIP_EXTRA_INDEX_URL", elsewhere.url());
        let run = run.env("PIP_CONFIG_FILE", project.home.home().join("config/pip/pip.conf"));
        let run = run.env("PIP_PRE", "1").env("UV_INDEX_URL", elsewhere.url()).env("UV_EXCLUDE_NEWER", "2001-01-01");
        let run = run.env("PINFOLD_LOCK", "elsewhere.toml").env("PINFOLD_VENV", "elsewhere");
        let run =
            run.env("PINFOLD_LINK_MODE", "copy").env("PINFOLD_COMPILE_BYTECODE", "true").env("PINFOLD_QUIET", "true");
        let run = run.env("PINFOLD_INDEX_MAIN_TOKEN", "other").env("PINFOLD_CACHE_DIR", project.home.tmp());
        let run = run.env("PINFOLD_INDEX_URL", elsewhere.url()).env("PINFOLD_TARGET", "macos-aarch64");
        run.env("LANG", "tr_TR.UTF-8").env("TZ", "Pacific/Apia").run().expect_code(i32::from(tampered))
    };
    checked(false);
    project.tamper("upload-time = 2024-01-02T00:00:00Z, ", "");
    checked(true);
    assert!(elsewhere.requests().is_empty());
}

/// Not a value differs, and still the bytes do.
#[test]
fn a_check_names_the_line_that_is_written_otherwise() {
    let project = Project::new(index(), &["a"]);
    let honest = project.lock();
    for (tampered, old) in [
        (honest.replacen("schema = 1", "schema  = 1", 1), "schema  = 1"),
        (honest.replace('\n', "\r\n"), "lock-version = \"1.0\" (ends with CR LF)"),
        (honest.trim_end().to_owned(), " (without a line end)"),
        (format!("{honest}# a remark\n"), "# a remark"),
    ] {
        project.home.write("pylock.toml", &tampered);
        check(&project, "text").expect_code(1).expect_stdout(old);
        let found = json(&check(&project, "json").expect_code(1));
        let line = &found["first_line"];
        assert!(line["old"].as_str().is_some_and(|found| found.ends_with(old)), "{old}: {found}");
        assert!(line["number"].as_u64().is_some_and(|number| number > 0) && line["old"] != line["new"], "{found}");
    }
}

#[test]
fn an_upgrade_says_what_moved_and_what_stays() {
    let project = Project::new(index().wheel("d", "1.0"), &["a", "c==1.*", "d==1.0"]);
    project.lock();
    let index = index().wheel("d", "1.0").wheel("c", "1.2").wheel("d", "2.0").wheel("a", "2.0").requires("e");
    project.server.update(&index.wheel("e", "1.0"));
    project.forget_cache();
    let one = project.pinfold("lock").args(["--upgrade-package", "c", "--upgrade-package", "d"]).run().expect_code(0);
    assert_eq!(one.stdout, "~ c 1.0 -> 1.2\n= d 1.0 stays: the application asks for d==1.0\n");
    let again = project.pinfold("lock").args(["--upgrade-package", "c", "--upgrade-package", "x"]).run().expect_code(0);
    assert_eq!(again.stdout, "= c 1.2 stays: the application asks for c==1.*\n= x is not in the lock\n");
    let all = project.pinfold("lock").arg("--upgrade").run().expect_code(0);
    assert_eq!(all.stdout, "~ a 1.0 -> 2.0\n- b 1.0\n+ e 1.0\n");
    assert_eq!(project.pinfold("lock").run().expect_code(0).stdout, "");
    // What keeps the newest out may be nothing but an exception.
    project.write_manifest(&["c!=1.2"], "", "");
    project.pinfold("lock").arg("--upgrade").run().expect_code(0);
    project.pinfold("why").arg("c").run().expect_code(0).expect_stdout("the application asks for c!=1.2");
}

/// Another index under the same name: the version may be the same, the bytes and where they come from are not.
#[test]
fn an_upgrade_that_takes_other_bytes_says_so() {
    let project = Project::new(index(), &["a"]);
    project.lock();
    let other = Index::new().wheel("a", "1.0").module("a/other.py", "").wheel("b", "1.0").start();
    let manifest = project.home.read("pinfold.toml").replace(&project.server.url(), &other.url());
    project.home.write("pinfold.toml", &manifest);
    let run = project.pinfold("lock").arg("--upgrade").run().expect_code(0);
    for part in ["~ a 1.0: ", "    ! origin: ", "    ! other bytes under the same name a-1.0-py3-none-any.whl"] {
        assert!(run.stdout.contains(part), "{part}: {run}");
    }
}

#[test]
fn a_name_that_resembles_a_popular_one_is_warned_of_when_it_first_enters() {
    let names = ["requessts", "python-dateutils", "colourama", "jeilyfish", "requests", "my-application"];
    let index = names.iter().fold(Index::new(), |index, name| index.wheel(name, "1.0"));
    let project = Project::new(index, &["requests", "my-application"]);
    let run = project.pinfold("lock").run().expect_code(0);
    assert!(!run.stderr.contains("resembles"), "{run}");
    project.write_manifest(&names, "", "");
    let run = project.pinfold("lock").run().expect_code(0);
    for (name, popular) in [
        ("requessts", "requests"),
        ("python-dateutils", "python-dateutil"),
        ("colourama", "colorama"),
        ("jeilyfish", "jellyfish"),
    ] {
        assert!(run.stderr.contains(&format!("warning: `{name}` resembles the popular `{popular}`")), "{run}");
    }
    assert_eq!(run.stderr.matches("resembles").count(), 4, "{run}");
    // Whoever saw the warning once has decided.
    let again = project.pinfold("lock").arg("--upgrade").run().expect_code(0);
    assert!(!again.stderr.contains("resembles"), "{again}");
}

#[test]
fn a_name_that_does_not_exist_is_compared_with_popular_ones() {
    let project = Project::new(index(), &["reqests"]);
    project.pinfold("lock").run().expect_code(1).expect_stderr("did you mean `requests`");
    project.write_manifest(&["in-house-zzyzx"], "", "");
    let run = project.pinfold("lock").run().expect_code(1).expect_stderr("no project in-house-zzyzx");
    assert!(!run.stderr.contains("did you mean"), "{run}");
}

#[test]
fn a_name_that_does_not_exist_is_compared_with_those_that_are_named_and_locked() {
    let project = Project::new(index().wheel("in-house-zzyzx", "1.0"), &["in-house-zzyzx", "inhose-zzyxz"]);
    let asked = "did you mean `in-house-zzyzx`, which the requirements name too, by `inhose-zzyxz`?";
    project.pinfold("lock").run().expect_code(1).expect_stderr(asked);
    project.write_manifest(&["in-house-zzyzx"], "", "");
    project.lock();
    project.write_manifest(&["inhose-zzyxz"], "", "");
    let asked = "did you mean `in-house-zzyzx`, which the former lock has, by `inhose-zzyxz`?";
    project.pinfold("lock").run().expect_code(1).expect_stderr(asked);
    project.write_manifest(&["in-house-zzyzx", "quite-another"], "", "");
    let run = project.pinfold("lock").run().expect_code(1).expect_stderr("no project quite-another");
    assert!(!run.stderr.contains("did you mean"), "{run}");
}

#[test]
fn a_name_that_does_not_exist_is_compared_with_those_that_are_routed() {
    let project = Project::new(index(), &["corp-zzyzx-utlis"]);
    let route =
        format!("[[index]]\nname = \"corp\"\nurl = \"{}\"\npackages = [\"corp-zzyzx-utils\"]\n", project.server.url());
    project.write_manifest(&["corp-zzyzx-utlis"], "", &route);
    let asked = "did you mean `corp-zzyzx-utils`, which `packages` of the index `corp` names, by `corp-zzyzx-utlis`?";
    project.pinfold("lock").run().expect_code(1).expect_stderr(asked);
}

#[test]
fn a_page_without_a_link_may_be_no_page_of_an_index() {
    let project = Project::new(index(), &["portal"]);
    let hint = format!("the page of portal, {}, has no link to a file at all", project.server.page_url("portal"));
    let page = |kind: &str, text: &str| project.server.update(&index().project("portal").raw_page(kind, text));
    for text in ["<html>login please</html>", "<a href=\"../\">up</a>"] {
        page("text/html", text);
        let run = project.pinfold("lock").run().expect_code(1).expect_stderr("portal has no files");
        run.expect_stderr(&hint);
    }
    // What is no wheel or sdist was at least a link, and a page in JSON is nothing else than a page.
    let json = "{\"meta\":{\"api-version\":\"1.1\"},\"name\":\"portal\",\"files\":[]}";
    for (kind, text) in [("text/html", "<a href=\"x.txt\">x</a>"), ("application/vnd.pypi.simple.v1+json", json)] {
        page(kind, text);
        let run = project.pinfold("lock").run().expect_code(1).expect_stderr("portal has no files");
        assert!(!run.stderr.contains("no link"), "{run}");
    }
}

#[test]
fn a_wheel_that_only_the_cutoff_hides_is_named() {
    let index =
        Index::new().wheel("a", "1.0").tag("cp310-cp310-manylinux_2_17_x86_64").uploaded("2024-01-01T00:00:00Z");
    let index = index.wheel("a", "1.0").tag("cp310-cp310-win_amd64").uploaded("2025-01-01T00:00:00Z");
    let settings = "targets = [\"linux-x86_64\", \"windows-x86_64\"]\nexclude-newer = \"2024-08-01T00:00:00Z\"";
    let project = Project::with(index, &["a"], settings, "");
    let run = project.pinfold("lock").args(["--python-version", "3.10"]).run().expect_code(1);
    run.expect_stderr(
        "`a-1.0-cp310-cp310-win_amd64.whl` for windows-x86_64 python 3.10, uploaded 2025-01-01T00:00:00Z",
    );
}

#[test]
fn a_version_that_a_routed_index_does_not_have_is_told_as_such() {
    let project = Project::new(Index::new().wheel("torch", "3.0"), &["torch>=3"]);
    let second = Index::new().wheel("torch", "2.0").start();
    let route = format!("\n[[index]]\nname = \"second\"\nurl = \"{}\"\npackages = [\"torch\"]\n", second.url());
    project.write_manifest(&["torch>=3"], "", &route);
    let only = format!("the only version of torch is 2.0, on {}, the only index that is asked for it", second.url());
    project.pinfold("lock").run().expect_code(1).expect_stderr(&only);
}
