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
