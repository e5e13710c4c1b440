//! Same inputs, same bytes: whatever the order and the delay of answers, the machine, the user, the place, the number of
//! processors, the form of the pages and what the cache has.

use pinfold_testkit::{Fault, Index, PageFormats, Python, Request, SdistRecipe, Server, TempHome, WheelRecipe};

use crate::project::{PINFOLD, Project};

const THREE: &str = "targets = [\"linux-x86_64\", \"windows-x86_64\", \"macos-aarch64\"]\nbuild = [\"source\"]";
const GROUPS: &str = "\n[groups]\ndev = [\"e\", \"d>1\"]\n[extras]\nmore = [\"c\"]\n";

/// A graph with choices: what is taken could depend on what is known first. There is an sdist, a wheel whose digest the index
/// does not tell, and one that does not come in parts.
fn tangled() -> Index {
    let mut index = Index::new().sdist_from(SdistRecipe::new("source", "1.0").requires("e").build_requires("tool"));
    for name in ["a", "b", "c", "d", "e"] {
        for version in ["1.0", "1.1", "2.0"] {
            index = index.wheel(name, version).requires("shared<2").requires("e>=1.1");
            index = index.requires("winlib; sys_platform == 'win32'");
        }
    }
    let index = index.wheel("shared", "1.0").wheel("shared", "1.9").wheel("shared", "2.0").requires("missing");
    let index =
        index.wheel("unsaid", "1.0").fault(Fault::NoHash).wheel("unsaid", "1.1").fault(Fault::NoHash).requires("e");
    let index =
        index.wheel("whole", "1.0").fault(Fault::NoRange).wheel("whole", "1.1").fault(Fault::NoRange).requires("e<2");
    index.wheel("winlib", "1.0").wheel("winlib", "0.9").wheel("tool", "1.0").wheel("tool", "2.0")
}

/// How one run differs from the others.
struct Surroundings {
    formats: PageFormats,
    /// Whether METADATA lies beside each wheel; else it is read out of it.
    sidecars: bool,
    /// Which page, METADATA, part of a wheel or whole file is held back for how long, in another order each time.
    seed: u64,
    directory: &'static str,
    variables: &'static [(&'static str, &'static str)],
    one_processor: bool,
}

const ELSEWHERE: [Surroundings; 5] = [
    Surroundings {
        formats: PageFormats::Json,
        sidecars: false,
        seed: 1,
        directory: "deep/er",
        variables: &[("LC_ALL", "tr_TR.UTF-8"), ("LANG", "tr_TR.UTF-8"), ("TZ", "Pacific/Kiritimati")],
        one_processor: false,
    },
    Surroundings {
        formats: PageFormats::Html,
        sidecars: true,
        seed: 2,
        directory: "a place with bl\u{e4}nks",
        variables: &[("TZ", "America/St_Johns"), ("USER", "somebody"), ("LOGNAME", "somebody")],
        one_processor: true,
    },
    Surroundings {
        formats: PageFormats::Both,
        sidecars: false,
        seed: 3,
        directory: ".",
        variables: &[("HOSTNAME", "elsewhere"), ("SOURCE_DATE_EPOCH", "1"), ("LC_ALL", "ar_SA.UTF-8")],
        one_processor: true,
    },
    Surroundings {
        formats: PageFormats::Html,
        sidecars: false,
        seed: 4,
        directory: "x",
        variables: &[("COLUMNS", "20"), ("PINFOLD_LOG_FORMAT", "json"), ("PINFOLD_VERBOSE", "true")],
        one_processor: false,
    },
    Surroundings {
        formats: PageFormats::Json,
        sidecars: true,
        seed: 5,
        directory: "y/z",
        variables: &[("PYTHONHASHSEED", "7"), ("PYTHONDONTWRITEBYTECODE", "1"), ("TERM", "dumb")],
        one_processor: true,
    },
];

/// Returns the program that keeps another one to one processor, where there is one.
fn taskset() -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join("taskset")).find(|program| program.is_file())
}

fn run(home: &TempHome, surroundings: &Surroundings) -> String {
    let taskset = taskset().filter(|_| surroundings.one_processor);
    let run = match &taskset {
        Some(taskset) => home.pinfold(&taskset.to_string_lossy()).args(["-c", "0", PINFOLD]),
        None => home.pinfold(PINFOLD),
    };
    let run = run.args(["lock", "-C", surroundings.directory, "--python"]).arg(&Python::found().path);
    let run = run.env("HOME", home.path().join("home").join(surroundings.seed.to_string()));
    surroundings.variables.iter().fold(run, |run, (name, value)| run.env(name, *value)).run().expect_code(0);
    home.read(&format!("{}/pylock.toml", surroundings.directory))
}

/// Answers of every kind were held back: pages, METADATA beside wheels or parts of them, whole wheels, and the sdist.
#[track_caller]
fn every_kind_was_asked_for(server: &Server, surroundings: &Surroundings) {
    let requests = server.requests();
    let asked = |end: &str, is_part: bool| {
        requests.iter().filter(|own| own.path.ends_with(end) && own.header("range").is_some() == is_part).count()
    };
    for name in ["a", "b", "c", "d", "e", "shared", "source", "tool", "unsaid", "whole"] {
        assert_eq!(asked(&format!("/simple/{name}/"), false), 1, "the page of {name}");
    }
    // One byte is asked for where a page in HTML does not tell the size.
    let is_size = |own: &&Request| own.path.ends_with(".whl") && own.header("range") == Some("bytes=-1");
    let sizes = requests.iter().filter(is_size).count();
    let (beside, parts) = (asked(".metadata", false), asked(".whl", true) - sizes);
    assert!((beside > 0) == surroundings.sidecars && (parts > 0) != surroundings.sidecars, "{beside}, {parts}");
    assert!(asked(".whl", false) > 0 && asked(".tar.gz", false) > 0, "whole files");
}

#[test]
fn the_same_inputs_give_the_same_bytes_everywhere() {
    let project = Project::with(tangled(), &["a", "b<2", "c", "d", "source", "unsaid", "whole"], THREE, GROUPS);
    let lock = project.lock();
    for surroundings in &ELSEWHERE {
        let index = tangled().formats(surroundings.formats);
        project.server.update(&if surroundings.sidecars { index.sidecars() } else { index });
        project.server.shuffle(surroundings.seed);
        project.server.forget_requests();
        let home = TempHome::new();
        home.write(&format!("{}/pinfold.toml", surroundings.directory), project.home.read("pinfold.toml"));
        let cold = run(&home, surroundings);
        assert_eq!(cold, lock, "cold, seed {}", surroundings.seed);
        every_kind_was_asked_for(&project.server, surroundings);
        std::fs::remove_file(home.project().join(surroundings.directory).join("pylock.toml")).expect("there is a lock");
        assert_eq!(run(&home, surroundings), lock, "warm, seed {}", surroundings.seed);
        // And over the lock that is there.
        assert_eq!(run(&home, surroundings), lock, "again, seed {}", surroundings.seed);
    }
    for part in [project.home.path().to_string_lossy().as_ref(), "somebody", "elsewhere"] {
        assert!(!lock.contains(part), "{part}: {lock}");
    }
}

#[test]
fn a_page_in_html_and_the_same_page_in_json_are_one_page() {
    let project = Project::new(Index::new().wheel("a", "1.0").requires("b").wheel("b", "1.0"), &["a"]);
    let lock = project.lock();
    for formats in [PageFormats::Html, PageFormats::Json, PageFormats::Both] {
        project
            .server
            .update(&Index::new().wheel("a", "1.0").requires("b").wheel("b", "1.0").formats(formats).absolute_urls());
        project.pinfold("lock").arg("--check").run().expect_code(0);
        project.forget_cache();
        project.pinfold("lock").arg("--check").run().expect_code(0);
    }
    assert_eq!(project.home.read("pylock.toml"), lock);
}

/// Wheels of `native` for one platform.
fn native(index: Index, versions: &[&str], platform: &str) -> Index {
    let minor = Python::found().minor.replace('.', "");
    let tag = format!("cp{minor}-cp{minor}-{platform}");
    versions.iter().fold(index, |index, version| index.wheel("native", version).tag(&tag))
}

#[test]
fn targets_agree_on_versions_wherever_they_can() {
    let platforms = ["manylinux_2_17_x86_64", "win_amd64", "macosx_11_0_arm64"];
    let targets = "targets = [\"linux-x86_64\", \"windows-x86_64\", \"macos-aarch64\"]";
    // Whichever of them has nothing newer, and in whatever order they are named.
    for behind in platforms {
        let all = platforms.iter().fold(Index::new(), |index, platform| {
            native(index, if *platform == behind { &["0.9", "1.0"] } else { &["0.9", "1.0", "2.0"] }, platform)
        });
        let project = Project::with(all, &["native"], targets, "");
        let lock = project.lock();
        assert_eq!(lock.matches("name = \"native\"").count(), 1, "{behind}: {lock}");
        assert!(lock.contains("native-1.0") && !lock.contains("native-2.0"), "{behind}: {lock}");
        let turned = targets.replace("\"linux-x86_64\", ", "").replace(']', ", \"linux-x86_64\"]");
        project.write_manifest(&["native"], &turned, "");
        std::fs::remove_file(project.home.project().join("pylock.toml")).expect("there is a lock");
        assert_eq!(project.lock(), lock);
    }
}

#[test]
fn targets_agree_on_an_older_version_where_none_can_follow_another() {
    let (linux, windows) = ("manylinux_2_17_x86_64", "win_amd64");
    let targets = "targets = [\"linux-x86_64\", \"windows-x86_64\"]";
    let apart = native(native(Index::new(), &["2.0", "3.0"], windows), &["2.5"], linux);
    let project = Project::with(apart.clone().wheel("native", "1.0").wheel("native", "0.9"), &["native"], targets, "");
    let lock = project.lock();
    assert_eq!(lock.matches("name = \"native\"").count(), 1, "{lock}");
    assert!(lock.contains("native-1.0-py3"), "{lock}");
    project.pinfold("lock").arg("--check").run().expect_code(0);

    // What one of them needs decides how far it goes: the others follow.
    let index = apart.clone().wheel("native", "1.0").wheel("native", "0.9");
    let project = Project::with(index, &["native", "native!=1.0; sys_platform == 'win32'"], targets, "");
    let lock = project.lock();
    assert!(lock.matches("name = \"native\"").count() == 1 && lock.contains("native-0.9-py3"), "{lock}");

    // The lowest is asked for: the next higher one.
    let index = apart.clone().wheel("native", "4.0").wheel("native", "5.0");
    let project = Project::with(index, &["native"], &format!("{targets}\nresolution = \"lowest\""), "");
    let lock = project.lock();
    assert!(lock.matches("name = \"native\"").count() == 1 && lock.contains("native-4.0-py3"), "{lock}");

    // A release that is far away is no choice.
    let many: Vec<String> = (10..30).map(|minor| format!("1.{minor}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let project = Project::with(native(apart, &many, linux).wheel("native", "1.0"), &["native"], targets, "");
    let lock = project.lock();
    assert!(lock.contains("native-2.5") && lock.contains("native-3.0") && !lock.contains("native-1.0"), "{lock}");
}

#[test]
fn targets_that_cannot_agree_keep_what_is_best_for_each() {
    let targets = "targets = [\"linux-x86_64\", \"windows-x86_64\"]";
    let begun = Index::new().wheel("other", "1.0").requires("native>=2; sys_platform == 'linux'").requires("native");
    let index = native(begun, &["2.0", "3.0"], "manylinux_2_17_x86_64");
    let index = native(index, &["0.8", "0.9", "1.0"], "win_amd64");
    let project = Project::with(index.clone(), &["other"], targets, "");
    let lock = project.lock();
    assert!(lock.contains("native-3.0") && lock.contains("native-1.0"), "{lock}");
    assert!(!lock.contains("native-2.0") && !lock.contains("native-0."), "{lock}");
    project.pinfold("lock").arg("--check").run().expect_code(0);

    // A version that is locked is kept until an upgrade is asked for, also where a new target cannot follow.
    let project = Project::with(
        native(index, &["1.0"], "manylinux_2_17_x86_64"),
        &["native"],
        "targets = [\"linux-x86_64\"]",
        "",
    );
    assert!(project.lock().contains("native-3.0"));
    project.write_manifest(&["native"], targets, "");
    let lock = project.lock();
    assert!(lock.contains("native-3.0") && lock.contains("native-1.0"), "{lock}");
    project.pinfold("lock").arg("--upgrade").run().expect_code(0);
    let lock = project.home.read("pylock.toml");
    assert!(!lock.contains("native-3.0") && lock.matches("native-1.0").count() >= 2, "{lock}");
}

/// Returns how often a lock has each of these projects.
fn counts(lock: &str, names: [&str; 2]) -> [usize; 2] {
    names.map(|name| lock.matches(&format!("name = \"{name}\"\n")).count())
}

#[test]
fn no_project_is_set_back_for_the_agreement_of_another() {
    let targets = "targets = [\"linux-x86_64\", \"windows-x86_64\"]";
    let index = || {
        let index = native(Index::new(), &["2.0"], "manylinux_2_17_x86_64").wheel("native", "1.0");
        let index = index.wheel("app", "2.0").requires("native>=2; sys_platform == 'linux'").requires("native");
        index.wheel("app", "1.0").requires("native")
    };
    // Whichever of the two is decided first.
    for asked in [&["app", "native"][..], &["app"]] {
        let project = Project::with(index(), asked, targets, "");
        let lock = project.lock();
        assert!(counts(&lock, ["app", "native"]) == [1, 2] && lock.contains("app-2.0"), "{lock}");
        project.pinfold("lock").arg("--check").run().expect_code(0);
    }
}

#[test]
fn an_older_version_is_tried_where_another_project_would_part_with_a_newer_one() {
    let targets = "targets = [\"linux-x86_64\", \"windows-x86_64\"]";
    let index = native(Index::new(), &["3.0"], "manylinux_2_17_x86_64").wheel("native", "1.0").wheel("native", "0.1");
    let index = index.wheel("native", "2.0").requires("other<2; sys_platform == 'linux'");
    let project = Project::with(index.wheel("other", "1.0").wheel("other", "2.0"), &["native", "other"], targets, "");
    let lock = project.lock();
    assert!(counts(&lock, ["native", "other"]) == [1, 1], "{lock}");
    assert!(lock.contains("native-1.0") && lock.contains("other-2.0"), "{lock}");
}

#[test]
fn two_projects_that_need_each_other_come_together_at_once() {
    let (linux, windows) = ("manylinux_2_17_x86_64", "win_amd64");
    let targets = "targets = [\"linux-x86_64\", \"windows-x86_64\"]";
    let index =
        native(native(Index::new(), &["3.0"], linux).requires("pair==3.0"), &["2.0"], windows).requires("pair==2.0");
    let index = index.wheel("native", "1.0").requires("pair==1.0");
    let index = ["1.0", "2.0", "3.0"].iter().fold(index, |index, version| index.wheel("pair", version));
    let project = Project::with(index, &["native", "pair"], targets, "");
    let lock = project.lock();
    assert!(counts(&lock, ["native", "pair"]) == [1, 1] && lock.contains("native-1.0-py3"), "{lock}");
}

#[test]
fn to_look_for_agreement_builds_nothing_and_refuses_nothing() {
    let (linux, windows) = ("manylinux_2_17_x86_64", "win_amd64");
    let settings = "targets = [\"linux-x86_64\", \"windows-x86_64\"]\nbuild = [\"*\"]";
    let index = native(native(Index::new(), &["3.0"], linux), &["2.0"], windows);
    // The next is a source distribution without a backend, the one after it names a URL, and the third serves.
    let index =
        index.sdist("native", "1.9").wheel("native", "1.8").requires("x @ https://elsewhere.test/x-1-py3-none-any.whl");
    let project = Project::with(index.wheel("native", "1.7"), &["native"], settings, "");
    let lock = project.lock();
    assert!(counts(&lock, ["native", "x"]) == [1, 0] && lock.contains("native-1.7"), "{lock}");
}

#[test]
fn no_configuration_of_the_user_changes_the_verdict_of_a_check() {
    let project = Project::with(tangled(), &["a", "b<2"], THREE, GROUPS);
    let lock = project.lock();
    let other = Index::new().wheel("a", "9.0").start();
    let home = project.home.home();
    for (path, text) in [
        (".config/pip/pip.conf", format!("[global]\nindex-url = {}\nextra-index-url = {}\n", other.url(), other.url())),
        ("config/pip/pip.conf", format!("[global]\nindex-url = {}\n", other.url())),
        (".netrc", "machine index.example login me password x\n".to_owned()),
        (".config/pinfold/pinfold.toml", "[project]\nprerelease = \"allow\"\n".to_owned()),
    ] {
        std::fs::create_dir_all(home.join(path).parent().expect("a file has a directory"))
            .expect("can make directories");
        std::fs::write(home.join(path), text).expect("can write a file");
    }
    let check = |index: &str| {
        let run = project.pinfold("lock").arg("--check").env("PIP_INDEX_URL", index).env("PIP_PRE", "1");
        run.env("UV_INDEX_URL", index).env("PIP_EXTRA_INDEX_URL", index).env("PIP_NO_INDEX", "1").run()
    };
    check(&other.url()).expect_code(0);
    assert_eq!(project.lock(), lock);
    // What is wrong stays wrong.
    project.write_manifest(&["a==1.0", "b<2"], THREE, GROUPS);
    check(&other.url()).expect_code(1);
    assert!(other.requests().is_empty(), "the user's index was asked");
}

#[test]
fn a_lock_is_made_again_offline_and_nothing_is_asked() {
    let project = Project::with(tangled(), &["a", "b<2", "source"], THREE, GROUPS);
    let lock = project.lock();
    project.server.forget_requests();
    for arguments in [&["--offline"][..], &["--offline", "--check"]] {
        project.pinfold("lock").args(arguments).run().expect_code(0);
        assert_eq!(project.home.read("pylock.toml"), lock);
    }
    assert!(project.server.requests().is_empty());
}

#[test]
fn what_the_cache_has_of_metadata_says_what_all_of_it_said() {
    let text = |name: &str| format!("Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n");
    // Python ends a line at a lone carriage return; other readers do not.
    let hidden = format!("{}Summary: x\rRequires-Dist: behind\n", text("hidden"));
    let marked = format!("\u{feff}{}Requires-Dist: wants[more]\n", text("marked"));
    let wants = "Requires-Dist: plain\nRequires-Dist: extra-more; extra == 'more'\nRequires-Dist: extra-less;\n extra == 'less'\n\
                 Provides-Extra: more\nProvides-Extra: less\n";
    let wheel =
        |index: Index, name: &str, text: &str| index.wheel_from(WheelRecipe::new(name, "1.0").metadata_text(text));
    let index = wheel(wheel(Index::new(), "hidden", &hidden), "marked", &marked);
    let index = wheel(index, "wants", &format!("{}{wants}", text("wants")));
    let index =
        ["behind", "plain", "extra-more", "extra-less"].iter().fold(index, |index, name| index.wheel(name, "1.0"));
    let project = Project::with(index, &["hidden", "marked"], THREE, "");
    let lock = project.lock();
    for name in ["behind", "plain", "extra-more"] {
        assert!(lock.contains(&format!("name = \"{name}\"")), "{name}: {lock}");
    }
    assert!(!lock.contains("extra-less"), "{lock}");
    for _ in 0..2 {
        std::fs::remove_file(project.home.project().join("pylock.toml")).expect("there is a lock");
        assert_eq!(project.lock(), lock);
    }
}

/// What only an extra needs is read from the cache when somebody wants the extra, also if another extra is why.
#[test]
fn a_lock_with_extras_is_the_same_from_the_cache() {
    let wheel = |index: Index, name: &str, lines: &str| {
        let text = format!("Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{lines}");
        index.wheel_from(WheelRecipe::new(name, "1.0").metadata_text(&text))
    };
    let two = "Requires-Dist: other[z]\nRequires-Dist: plain\nRequires-Dist: deep; extra == 'e'\nProvides-Extra: e\n";
    let chained = "Requires-Dist: link[e]; extra == 'e'\nProvides-Extra: e\n";
    let link = "Requires-Dist: deep; extra == 'e'\nProvides-Extra: e\n";
    let index = wheel(wheel(wheel(Index::new(), "two", two), "chained", chained), "link", link);
    let index = wheel(index, "other", "Requires-Dist: zed; extra == 'z'\nProvides-Extra: z\n");
    let index = ["plain", "deep", "zed"].iter().fold(index, |index, name| index.wheel(name, "1.0"));
    for requirement in ["two[e]", "chained[e]", "two", "chained"] {
        let project = Project::with(index.clone(), &[requirement], THREE, "");
        let lock = project.lock();
        assert_eq!(requirement.ends_with(']'), lock.contains("name = \"deep\""), "{lock}");
        for _ in 0..2 {
            project.pinfold("lock").arg("--check").run().expect_code(0);
            std::fs::remove_file(project.home.project().join("pylock.toml")).expect("there is a lock");
            assert_eq!(project.lock(), lock, "{requirement}");
        }
        std::fs::remove_dir_all(project.home.cache()).expect("there is a cache");
        project.pinfold("lock").arg("--check").run().expect_code(0);
    }
}
