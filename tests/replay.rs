//! A recording holds every answer that a lock used: replayed, it gives the same bytes with no network.

use pinfold_testkit::{Index, PageFormats, TempHome};

use crate::project::{PINFOLD, Project};

const STANDS_FOR: &str = "https://index.test/simple/";

fn index() -> Index {
    Index::new()
        .wheel("app", "1.0")
        .requires("lib>=1")
        .requires("winlib; sys_platform == 'win32'")
        .extra("fast", "speed")
        .requires_python(">=3.8")
        .wheel("lib", "1.0")
        .yanked("broken")
        .wheel("lib", "1.1")
        .wheel("lib", "2.0")
        .uploaded("2024-06-01T00:00:00Z")
        .wheel("winlib", "1.0")
        .wheel("speed", "1.0+local")
}

const TARGETS: &str = "targets = [\"linux-x86_64\", \"windows-x86_64\", \"macos-aarch64\"]";

/// Records a lock that stands for another index, and returns a home with only the recording and a manifest for that index.
fn recorded(index: Index) -> (Project, TempHome) {
    let project = Project::with(index, &["app[fast]", "lib"], TARGETS, "");
    project.pinfold("lock").args(["--record", "index.recording", "--record-as", STANDS_FOR]).run().expect_code(0);
    let elsewhere = TempHome::new();
    let manifest = project.home.read("pinfold.toml").replace(&project.server.url(), STANDS_FOR);
    elsewhere.write("pinfold.toml", manifest);
    let recording = std::fs::read(project.home.project().join("index.recording")).expect("the recording is there");
    elsewhere.write("index.recording", recording);
    (project, elsewhere)
}

#[test]
fn a_recording_gives_the_same_lock_with_no_network() {
    for formats in [PageFormats::Json, PageFormats::Html] {
        let (project, elsewhere) = recorded(index().formats(formats));
        let live = project.home.read("pylock.toml");
        drop(project.server);
        elsewhere.pinfold(PINFOLD).args(["lock", "--replay", "index.recording"]).run().expect_code(0);
        let replayed = elsewhere.read("pylock.toml");
        // What differs is the index that it stands for, and so the digest of the inputs that name it.
        let unified = |lock: &str| -> Vec<String> {
            let lines = lock.lines().filter(|line| !line.contains("inputs"));
            lines
                .map(|line| line.replace("http://127.0.0.1:", "HOST:").replace("https://index.test", "HOST:"))
                .collect()
        };
        let strip = |lines: Vec<String>| -> Vec<String> {
            let port = |line: String| match line.split_once("HOST:") {
                Some((before, after)) => {
                    format!("{before}{}", after.trim_start_matches(|character: char| character.is_ascii_digit()))
                }
                None => line,
            };
            lines.into_iter().map(port).collect()
        };
        assert_eq!(strip(unified(&replayed)), strip(unified(&live)));
        assert!(replayed.contains("https://index.test/files/"), "{replayed}");
        assert!(!replayed.contains("127.0.0.1"), "{replayed}");

        // Again, over the lock that is there, from an empty cache: byte for byte.
        std::fs::remove_dir_all(elsewhere.cache()).expect("can remove the cache");
        elsewhere.pinfold(PINFOLD).args(["lock", "--replay", "index.recording", "--check"]).run().expect_code(0);
        elsewhere.pinfold(PINFOLD).args(["lock", "--replay", "index.recording", "-o", "two"]).run().expect_code(0);
        assert_eq!(elsewhere.read("two"), replayed);
    }
}

#[test]
fn the_same_answers_give_the_same_recording() {
    let (project, _) = recorded(index());
    let first = std::fs::read(project.home.project().join("index.recording")).unwrap();
    project.forget_cache();
    project.pinfold("lock").args(["--record", "again", "--record-as", STANDS_FOR]).run().expect_code(0);
    assert_eq!(std::fs::read(project.home.project().join("again")).unwrap(), first);
}

#[test]
fn a_recording_is_written_over_nothing_but_a_recording() {
    let project = Project::with(index(), &[], "requirements = [\"r.txt\"]", "");
    project.home.write("r.txt", "-r more.txt\n");
    project.home.write("more.txt", "lib\n");
    project.lock();
    let names = ["pinfold.toml", "pylock.toml", "r.txt", "more.txt"];
    let before = names.map(|name| project.home.read(name));
    let asked = project.server.requests().len();
    // Where there is no file yet, it is the place that counts: the next command would read a manifest there, or a lock.
    for args in [
        vec!["pinfold.toml"],
        vec!["./pinfold.toml"],
        vec!["pyproject.toml"],
        vec!["pylock.toml"],
        vec!["r.txt"],
        vec!["more.txt"],
        vec!["."],
        vec!["new", "-o", "new"],
        vec!["./new", "-o", "new"],
        vec!["new", "-o", "pinfold.toml"],
    ] {
        let run = project.pinfold("lock").arg("--record").args(&args).run().expect_code(2);
        if args.len() == 1 {
            run.expect_stderr(&format!("the recording cannot be written to `{}`", args[0]));
        }
        assert_eq!(names.map(|name| project.home.read(name)), before, "{args:?}");
        assert!(!project.home.has("pyproject.toml") && !project.home.has("new"), "{args:?}");
    }
    assert_eq!(project.server.requests().len(), asked);
    for _ in 0..2 {
        project.pinfold("lock").args(["--record", "index.recording"]).run().expect_code(0);
    }
}

#[test]
fn a_damaged_recording_is_a_clear_error() {
    let (_project, elsewhere) = recorded(index());
    let path = elsewhere.project().join("index.recording");
    let honest = std::fs::read(&path).unwrap();
    let mut flipped = honest.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0xff;
    for damaged in [Vec::new(), b"no gzip".to_vec(), honest[..honest.len() / 2].to_vec(), flipped] {
        std::fs::write(&path, damaged).unwrap();
        let run = elsewhere.pinfold(PINFOLD).args(["lock", "--replay", "index.recording"]).run().expect_code(2);
        run.expect_stderr("cannot read the recording `index.recording`");
        assert!(!elsewhere.has("pylock.toml"));
    }
    std::fs::write(&path, honest).unwrap();
    elsewhere.pinfold(PINFOLD).args(["lock", "--replay", "index.recording"]).run().expect_code(0);
}

#[test]
fn a_recording_without_the_answer_says_so() {
    let (_project, elsewhere) = recorded(index());
    let manifest = elsewhere.read("pinfold.toml");
    elsewhere.write("pinfold.toml", manifest.replace("\"lib\"", "\"unknown\""));
    let run = elsewhere.pinfold(PINFOLD).args(["lock", "--replay", "index.recording"]).run().expect_code(2);
    run.expect_stderr("`unknown`").expect_stderr("--record");
    elsewhere.pinfold(PINFOLD).args(["lock", "--replay", "nothing"]).run().expect_code(2).expect_stderr("`nothing`");
}

/// While METADATA is waited for, that of versions is asked for which may turn out not to be wanted. Which ones depends on what
/// is there already: a recording made from a warm cache need not have them.
#[test]
fn a_recording_without_an_answer_that_is_only_guessed_at_is_enough() {
    let index = Index::new().wheel("a", "1.0").wheel("a", "2.0").wheel("b", "1.0").wheel("b", "2.0");
    let index = index.wheel("z", "1.0").requires("a<2").requires("b<2");
    let project = Project::with(index, &["a", "b", "z"], TARGETS, "");
    project.pinfold("lock").args(["--record", "index.recording"]).run().expect_code(0);
    let path = project.home.project().join("index.recording");
    let unpacked = flate2::read::GzDecoder::new(std::fs::File::open(&path).unwrap());
    let mut recording: serde_json::Value = serde_json::from_reader(unpacked).unwrap();
    let answers = recording["metadata"].as_object_mut().unwrap();
    for name in ["a-2.0-py3-none-any.whl", "b-2.0-py3-none-any.whl"] {
        answers.remove(name);
    }
    let packed = flate2::write::GzEncoder::new(std::fs::File::create(&path).unwrap(), flate2::Compression::fast());
    serde_json::to_writer(packed, &recording).unwrap();
    for name in ["1", "2", "3", "4"] {
        project.pinfold("lock").args(["--replay", "index.recording", "-o", name]).run().expect_code(0);
        assert_eq!(project.home.read(name), project.home.read("pylock.toml"));
    }
}

#[test]
fn a_recording_has_no_secret() {
    let project = Project::new(index().login("me", "s3cr3t"), &["lib"]);
    let run = project.pinfold("lock").args(["--record", "index.recording"]).env("PINFOLD_INDEX_MAIN_USERNAME", "me");
    run.env("PINFOLD_INDEX_MAIN_PASSWORD", "s3cr3t").run().expect_code(0);
    let packed = std::fs::read(project.home.project().join("index.recording")).unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&packed[..]), &mut text).unwrap();
    assert!(text.contains("lib-1.1"), "{text}");
    assert!(!text.contains("s3cr3t"), "{text}");
}
