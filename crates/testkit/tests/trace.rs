//! The tracer does what it says: it sees the calls, kills at the chosen one, makes the chosen one fail.

use pinfold_testkit::{Failing, Meddling, Point, TempHome, Traced, Watching, announce_skipped};

/// Writes two files and removes one, with a program of the system.
fn shell(home: &TempHome, watching: Watching, meddle: Option<(&Point, Meddling)>) -> Option<Traced> {
    let script = "echo one > first; echo two > second; cat first > third";
    match home.pinfold("/bin/sh").args(["-c", script]).traced(watching, meddle) {
        Ok(traced) => Some(traced),
        Err(reason) => {
            announce_skipped("the tracer", &reason);
            None
        }
    }
}

fn point(traced: &Traced, call: &str, files: &str) -> Point {
    let found = traced.points.iter().find(|point| point.call == call && point.files == files);
    found.unwrap_or_else(|| panic!("no `{call} {files}` in {:#?}", traced.points)).clone()
}

#[test]
fn a_program_that_is_left_in_peace_does_its_work() {
    let home = TempHome::new();
    let Some(traced) = shell(&home, Watching::Changes, None) else { return };
    assert_eq!(traced.finished.code, 0, "{}", traced.finished);
    assert!(!traced.met);
    assert_eq!((home.read("first"), home.read("second")), ("one\n".to_owned(), "two\n".to_owned()));
    let _opened = point(&traced, "openat(write)", "project/first");
    let _written = point(&traced, "write", "project/second");
    assert!(!traced.points.iter().any(|point| point.call == "openat"), "{:#?}", traced.points);
}

#[test]
fn a_program_is_killed_before_the_chosen_call() {
    let (home, other) = (TempHome::new(), TempHome::new());
    let Some(traced) = shell(&home, Watching::Changes, None) else { return };
    let second = point(&traced, "openat(write)", "project/second");
    let killed = shell(&other, Watching::Changes, Some((&second, Meddling::Kill))).expect("it worked a moment ago");
    assert!(killed.met);
    assert_eq!(killed.finished.code, -1, "{}", killed.finished);
    assert!(other.has("first") && !other.has("second"));
}

#[test]
fn the_chosen_call_fails_and_the_program_goes_on() {
    let (home, other) = (TempHome::new(), TempHome::new());
    let Some(traced) = shell(&home, Watching::Changes, None) else { return };
    let second = point(&traced, "openat(write)", "project/second");
    for (failing, told) in [
        (Failing::Denied, "Permission denied"),
        (Failing::Device, "I/O error|Input/output error"),
        (Failing::Files, "Too many open files"),
        (Failing::Room, "No space left"),
    ] {
        let meddle = Some((&second, Meddling::Fail(failing)));
        let failed = shell(&other, Watching::Changes, meddle).expect("it worked a moment ago");
        assert!(failed.met && other.has("first") && !other.has("second"), "{}", failed.finished);
        assert!(told.split('|').any(|told| failed.finished.stderr.contains(told)), "{}", failed.finished);
        assert!(other.has("third"), "the shell should have gone on: {}", failed.finished);
    }
}
