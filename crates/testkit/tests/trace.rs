//! The tracer does what it says: it sees the calls, kills at the chosen one, makes the chosen one fail, lets somebody else act
//! before it, and hides what a system could not do.

use pinfold_testkit::{Failing, Lacking, Meddling, Point, TempHome, Traced, Watching, announce_skipped};

/// Writes two files and removes one, with a program of the system.
fn shell(home: &TempHome, watching: Watching, meddle: Option<(&Point, Meddling<'_>)>) -> Option<Traced> {
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

#[test]
fn somebody_else_acts_just_before_the_chosen_call() {
    let (home, other) = (TempHome::new(), TempHome::new());
    let Some(traced) = shell(&home, Watching::Changes, None) else { return };
    let second = point(&traced, "openat(write)", "project/second");
    let seen = std::cell::Cell::new((false, true));
    let act = || seen.set((other.has("first"), other.has("second")));
    let acted = shell(&other, Watching::Changes, Some((&second, Meddling::Act(&act)))).expect("it worked a moment ago");
    assert!(acted.met && acted.finished.code == 0, "{}", acted.finished);
    assert_eq!((seen.get(), other.read("second")), ((true, false), "two\n".to_owned()));
}

#[test]
fn a_call_that_the_system_does_not_have_is_done_without() {
    let home = TempHome::new();
    let moved = |lacking: Lacking, from: &str, to: &str| {
        let script = format!("exec mv {from} {to}");
        let run = home.pinfold("/bin/sh").args(["-c", &script]);
        run.traced_on(lacking, Watching::Changes, None)
    };
    home.write("first", "one");
    let traced = match moved(Lacking::Nothing, "first", "second") {
        Ok(traced) => traced,
        Err(reason) => return announce_skipped("the tracer", &reason),
    };
    let _moved = point(&traced, "renameat2", "project/first project/second");
    let traced = moved(Lacking::RenameFlags, "second", "third").expect("it worked a moment ago");
    assert!(traced.finished.code == 0 && home.has("third") && !home.has("second"), "{}", traced.finished);
    assert!(!traced.points.iter().any(|point| point.call == "renameat2"), "{:#?}", traced.points);
    assert!(traced.points.iter().any(|point| point.call.starts_with("rename")), "{:#?}", traced.points);
}
