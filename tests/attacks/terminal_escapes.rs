//! Text from an index that would drive the terminal: colours, cleared screens, faked lines, reversed letters.

use pinfold_testkit::Index;

use super::guarded;

/// Clears the screen, writes a line of its own, reverses what follows.
const HOSTILE: &str = "bad\u{1b}[2J\u{1b}]0;title\u{7}\nerror[faked]: all is well\nhelp: run it\r\u{202e}gpj";

/// Panics if something of it arrives as it was sent.
#[track_caller]
fn is_tame(stderr: &str) {
    for part in ["\u{1b}[2J", "\u{1b}]", "\u{7}", "\r", "\u{202e}", "\nerror[faked]", "\n  help: run it"] {
        assert!(!stderr.contains(part), "{part:?} came through: {stderr:?}");
    }
}

#[test]
fn a_reason_for_yanking() {
    let project = guarded(Index::new().wheel("a", "1.0").yanked(HOSTILE), &["a==1.0"]);
    let run = project.pinfold("lock").args(["--color", "always"]).run().expect_code(0).expect_stderr("yanked");
    is_tame(&run.stderr);
    let archived = guarded(Index::new().wheel("a", "1.0").status("archived", Some(HOSTILE)), &["a"]);
    is_tame(&archived.pinfold("lock").run().expect_code(0).expect_stderr("is archived").stderr);
}

/// Where there is no solution the reason stands among the hints.
#[test]
fn a_reason_for_yanking_in_a_hint() {
    let project = guarded(Index::new().wheel("a", "1.0").yanked(HOSTILE), &["a"]);
    let run = project.pinfold("lock").args(["--color", "always"]).run().expect_code(1).expect_stderr("is yanked (bad");
    is_tame(&run.stderr);
}

#[test]
fn a_reason_for_quarantine() {
    let project = guarded(Index::new().wheel("a", "1.0").status("quarantined", Some(HOSTILE)), &["a"]);
    let run = project.pinfold("lock").args(["--color", "always"]).run().expect_code(3).expect_stderr("quarantine");
    is_tame(&run.stderr);
}

#[test]
fn a_path_in_an_archive() {
    let path = format!("evil/{}", HOSTILE.replace('/', ""));
    let project = guarded(Index::new().sidecars().wheel("a", "1.0").module(&path, ""), &["a"]);
    project.lock();
    let run = project.pinfold("sync").args(["--color", "always"]).run().expect_code(3);
    is_tame(&run.stderr);
}

#[test]
fn a_requirement_in_metadata() {
    let project = guarded(Index::new().wheel("a", "1.0").requires("b; extra == '\u{1b}[2J\u{202e}'"), &["a"]);
    let run = project.pinfold("lock").args(["--color", "always"]).run();
    is_tame(&run.stderr);
}

#[test]
fn honest_text_keeps_its_colour() {
    let project = guarded(Index::new().wheel("a", "1.0").yanked("ünïcödé is fine"), &["a==1.0"]);
    let run = project.pinfold("lock").args(["--color", "always"]).run().expect_code(0);
    run.expect_stderr("\u{1b}[").expect_stderr("ünïcödé is fine");
}
