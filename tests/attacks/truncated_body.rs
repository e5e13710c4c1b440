//! A body that ends too early is the world's failure: exit 4, nothing left, and the next run succeeds.

use pinfold_testkit::{Fault, Index};

use super::{guarded, leaves, refuses_bytes, wheel};

#[test]
fn a_truncated_wheel_leaves_nothing() {
    let file = wheel("a", "1.0");
    for fault in [Fault::Truncated, Fault::Reset, Fault::WrongLength(10)] {
        let project = guarded(Index::new().wheel("a", "1.0"), &["a"]);
        project.lock();
        project.server.fault_on(&format!("/files/{file}"), fault);
        leaves(&project, "sync", 4, &["artifacts", "trees", "staging"], &[&file, "help: "]);
        project.server.heal();
        project.sync().expect_code(0);
        project.pinfold("verify").run().expect_code(0);
    }
}

#[test]
fn a_wheel_that_was_compressed_on_the_way_is_refused_and_the_way_is_told() {
    let file = wheel("a", "1.0");
    let project = guarded(Index::new().wheel("a", "1.0"), &["a"]);
    project.lock();
    let path = format!("/files/{file}");
    project.server.fault_on(&path, Fault::Coded("gzip".to_owned()));
    project.server.fault_on(&path, Fault::Swapped(b"what a compressor makes of it".to_vec()));
    let parts = [&project.server.file_url(&file), "content coding `gzip` by http://127.0.0.1", "`identity`", "proxy"];
    refuses_bytes(&project, "sync", "size-mismatch", &parts);
    project.server.heal();
    // The same said of a file that nobody changed is no reason.
    project.server.fault_on(&path, Fault::Coded("x-gzip".to_owned()));
    project.sync().expect_code(0);
}

#[test]
fn a_truncated_page_leaves_nothing() {
    let project = guarded(Index::new().wheel("a", "1.0"), &["a"]);
    project.server.fault_on("/simple/a/", Fault::Truncated);
    leaves(&project, "lock", 4, &["artifacts", "trees"], &[&project.server.page_url("a"), "help: "]);
    project.server.heal();
    project.installed();
}

#[test]
fn a_server_that_recovers_is_asked_again() {
    let index = Index::new().wheel("a", "1.0").fault(Fault::StatusThen { status: 503, times: 2 });
    let project = guarded(index, &["a"]);
    project.installed();
}
