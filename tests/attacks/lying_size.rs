//! A size that lies, on the page or in the lock: the body is left at one byte too many, or is one too few.

use pinfold_testkit::{Fault, Index};

use super::{guarded, refuses_bytes, wheel};

#[test]
fn a_size_that_lies_in_the_lock() {
    let project = guarded(Index::new().wheel("a", "1.0"), &["a"]);
    let lock = project.lock();
    let file = wheel("a", "1.0");
    let truth = project.server.file_bytes(&file).len();
    for lie in [truth - 1, truth + 1, 1] {
        project.home.write("pylock.toml", &lock);
        project.tamper(&format!("size = {truth}"), &format!("size = {lie}"));
        let parts = [&file, &format!("expected: {lie} bytes"), "received: ", &project.server.file_url(&file)];
        refuses_bytes(&project, "sync", "size-mismatch", &parts);
    }
    project.home.write("pylock.toml", lock);
    project.sync().expect_code(0);
}

#[test]
fn a_size_that_lies_on_the_page() {
    for lie in [-1, 1, 1 << 30] {
        let project = guarded(Index::new().sidecars().wheel("a", "1.0").fault(Fault::WrongSize(lie)), &["a"]);
        project.lock();
        refuses_bytes(&project, "sync", "size-mismatch", &[&wheel("a", "1.0"), &project.server.url()]);
    }
    let project = guarded(Index::new().sidecars().wheel("a", "1.0").fault(Fault::WrongSize(0)), &["a"]);
    project.installed();
    // Where METADATA is read from the wheel's end, the server says how long the wheel is.
    let project = guarded(Index::new().wheel("a", "1.0").fault(Fault::WrongSize(1)), &["a"]);
    refuses_bytes(
        &project,
        "lock",
        "size-mismatch",
        &[&wheel("a", "1.0"), &project.server.url().replace("simple/", "")],
    );
    project.server.update(&Index::new().wheel("base", "1.0").wheel("a", "1.0"));
    project.installed();
}

#[test]
fn a_body_without_end() {
    let project = guarded(Index::new().wheel("a", "1.0"), &["a"]);
    project.lock();
    project.server.fault_on(&format!("/files/{}", wheel("a", "1.0")), Fault::Endless);
    refuses_bytes(&project, "sync", "size-mismatch", &[&wheel("a", "1.0"), &project.server.url()]);
    project.server.heal();
    project.sync().expect_code(0);
}
