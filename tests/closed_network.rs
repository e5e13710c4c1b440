//! The network closes at each stage of an update: before an answer, in the middle of a file, between two files.
//!
//! The run ends with exit code 4, names the file, and leaves the old environment; the next run takes up what arrived.

use pinfold_testkit::{Fault, Index, WheelRecipe, sha256};

use crate::project::Project;

/// Bytes that no compression makes smaller.
fn noise(kibibytes: usize) -> Vec<u8> {
    (0..kibibytes * 32).flat_map(|part| *sha256(part.to_string().as_bytes()).as_bytes()).collect()
}

const BIG: &str = "big-1.0-py3-none-any.whl";
const SMALL: &str = "small-2.0-py3-none-any.whl";

/// An environment with `small` 1.0, and a lock that wants 2.0 and `big`.
fn before_an_update() -> Project {
    let big = WheelRecipe::new("big", "1.0").file("big/data.bin", noise(512));
    let index = Index::new().wheel("small", "1.0").wheel("small", "2.0").wheel_from(big);
    let project = Project::new(index, &["small==1.0"]);
    project.installed();
    project.write_manifest(&["small==2.0", "big"], "", "");
    project.lock();
    project.server.forget_requests();
    project
}

/// Syncs twice: with this fault at the file, which must leave what was there, and without it.
fn check(file: &str, fault: Fault) -> Project {
    let project = before_an_update();
    let before = project.home.snapshot(".venv");
    project.server.fault_on(&format!("/files/{file}"), fault);
    project.sync().expect_code(4).expect_stderr(file).expect_stderr("help: ");
    assert!(project.home.snapshot(".venv") == before, "the environment was touched");
    assert_eq!(project.python("import small; print(small.__version__)"), "1.0\n");
    project.server.heal();
    project.server.forget_requests();
    project.sync().expect_code(0);
    project.pinfold("verify").run().expect_code(0);
    assert_eq!(project.python("import small, big; print(small.__version__)"), "2.0\n");
    project
}

#[test]
fn closed_before_any_answer() {
    for file in [BIG, SMALL] {
        check(file, Fault::Closed);
    }
}

#[test]
fn closed_in_the_middle_of_a_file() {
    for fault in [Fault::Reset, Fault::Truncated] {
        let project = check(BIG, fault);
        let requests = project.server.requests_to(BIG);
        let resumed = requests.iter().any(|request| request.header("range").is_some_and(|range| range != "bytes=0-"));
        assert!(resumed, "what had arrived was fetched again: {requests:?}");
    }
}

#[test]
fn closed_between_two_files() {
    // The big one is begun first and arrives; the other never does.
    let project = check(SMALL, Fault::Status(503));
    assert_eq!(project.server.requests_to(BIG).len(), 0, "what had arrived was fetched again");
}

#[test]
fn nobody_listens_any_more() {
    let project = before_an_update();
    let before = project.home.snapshot(".venv");
    let lock = project.home.read("pylock.toml");
    let nobody = Index::new().start().host();
    project.home.write("pylock.toml", lock.replace(&project.server.host(), &nobody));
    project.sync().expect_code(4).expect_stderr(&nobody).expect_stderr("help: ");
    assert!(project.home.snapshot(".venv") == before, "the environment was touched");
    project.home.write("pylock.toml", lock);
    project.sync().expect_code(0);
    project.pinfold("verify").run().expect_code(0);
}

/// Two big files arrive at a time, the others wait for their turn: when one of the two fails, nobody asks for another.
#[test]
fn nothing_that_waits_is_asked_for_after_a_failure() {
    let names = ["one", "two", "three", "four", "five"];
    let index = names.iter().fold(Index::new(), |index, name| index.wheel(name, "1.0"));
    let project = Project::new(index, &names);
    let lock = project.lock();
    let asked = |project: &Project| {
        // Whoever gets less than was promised asks for the rest: it is the files that are counted.
        let files = project.server.requests_to(".whl").into_iter().map(|request| request.path);
        let files = files.collect::<std::collections::BTreeSet<_>>();
        project.server.forget_requests();
        files
    };
    // The lock says of each that it is big, and none is.
    let (mut lied, mut number) = (String::new(), 0_u64);
    for line in lock.split_inclusive('\n') {
        let size = line.split_once("size = ").map(|(before, rest)| (before, rest.trim_start_matches(char::is_numeric)));
        match size {
            Some((before, rest)) => {
                number += 1;
                lied += &format!("{before}size = {}{rest}", (64 << 20) + number);
            }
            None => lied += line,
        }
    }
    assert_eq!(number, 5, "{lock}");
    project.home.write("pylock.toml", &lied);
    names
        .iter()
        .for_each(|name| project.server.fault_on(&format!("/files/{name}-1.0-py3-none-any.whl"), Fault::Delay(200)));
    asked(&project);
    project.sync().expect_code(3).expect_stderr("error[size-mismatch]");
    let begun = asked(&project);
    assert!((1..=2).contains(&begun.len()), "{begun:?}");
    // The control: the truth is told, and every file is asked for.
    project.home.write("pylock.toml", &lock);
    project.sync().expect_code(0);
    assert_eq!(asked(&project).len(), 5);
}
