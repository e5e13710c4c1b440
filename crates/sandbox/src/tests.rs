//! The sandbox against children that read their environment, linger, flood and fork.

use std::ffi::OsStr;
use std::path::Path;
use std::time::{Duration, Instant};

use super::*;

fn shell(script: &str) -> Command {
    let mut command = Command::new(Path::new("/bin/sh"), OsStr::new("/usr/bin:/bin"));
    command.arguments = vec!["-c".into(), script.into()];
    command
}

fn output(command: &Command) -> String {
    let finished = command.run().unwrap();
    assert!(finished.status.success(), "{finished:?}");
    String::from_utf8(finished.stdout).unwrap()
}

#[test]
fn child_sees_only_the_environment_that_it_was_given() {
    let mut command = shell("env | sed 's/=.*//' | sort");
    command.environment.insert("GIVEN".into(), "1".into());
    let names = output(&command);
    let foreign = |name: &&str| !["GIVEN", "HOME", "PATH", "PWD", "TMPDIR", "_", "SHLVL", "OLDPWD"].contains(name);
    assert_eq!(names.lines().filter(foreign).collect::<Vec<_>>(), Vec::<&str>::new());
    assert!(names.contains("GIVEN"));
}

#[test]
fn home_is_empty_and_gone_afterwards() {
    let listing = output(&shell("ls -A \"$HOME\" \"$TMPDIR\" | grep -v : ; touch \"$HOME/x\"; echo \"$HOME\""));
    let home = listing.trim();
    assert!(!home.contains('\n'), "{listing:?}");
    assert!(!Path::new(home).exists());
}

#[test]
fn input_output_and_status_pass_through() {
    let mut command = shell("cat; echo error >&2; exit 3");
    command.stdin = b"text".to_vec();
    let finished = command.run().unwrap();
    assert_eq!(
        (finished.status.code(), finished.stdout, finished.stderr),
        (Some(3), b"text".to_vec(), b"error\n".to_vec())
    );
}

#[test]
fn child_that_ignores_its_input_is_no_error() {
    let mut command = shell("exec <&-; echo done");
    command.stdin = vec![0; 4 << 20];
    assert_eq!(output(&command), "done\n");
}

#[test]
fn time_limit_ends_the_whole_group() {
    let mark = tempfile::tempdir().unwrap();
    let file = mark.path().join("pid");
    let mut command = shell(&format!("sleep 600 & echo $! > {}; echo waiting >&2; wait", file.display()));
    command.time_limit = Duration::from_millis(500);
    let begun = Instant::now();
    let message = command.run().unwrap_err().to_string();
    assert_eq!(message, "`/bin/sh` was stopped after 500 ms; it last complained: waiting");
    assert!(begun.elapsed() < Duration::from_secs(30));
    let pid = std::fs::read_to_string(&file).unwrap();
    // The grandchild is gone, or a zombie that nobody has reaped yet.
    let state = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    assert!(state.is_empty() || state.contains(") Z"), "{state}");
}

#[test]
fn background_processes_end_with_the_child() {
    let begun = Instant::now();
    assert_eq!(output(&shell("sleep 600 & echo done")), "done\n");
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[test]
fn output_limit_stops_a_flood() {
    let mut command = shell("while :; do echo flood; done");
    command.output_limit_bytes = 1000;
    assert!(matches!(command.run(), Err(SandboxError::Output { limit_bytes: 1000, .. })));
    let mut exact = shell("printf 1234");
    exact.output_limit_bytes = 4;
    assert_eq!(output(&exact), "1234");
}

#[test]
fn relative_programs_and_reserved_variables_are_rejected() {
    let relative = Command::new(Path::new("sh"), OsStr::new("/bin"));
    assert!(matches!(relative.run(), Err(SandboxError::Rejected { .. })));
    let mut reserved = shell("true");
    reserved.environment.insert("HOME".into(), "/".into());
    assert!(matches!(reserved.run(), Err(SandboxError::Rejected { .. })));
    let absent = Command::new(Path::new("/nonexistent/program"), OsStr::new("/bin"));
    assert!(matches!(absent.run(), Err(SandboxError::Spawn { .. })));
}

#[test]
fn a_child_that_fills_a_directory_is_stopped() {
    let directory = tempfile::tempdir().unwrap();
    let script = "mkdir sub; while :; do head -c 1000000 /dev/zero >> sub/x; done";
    let filling = |limit: u64| {
        let mut command = shell(script);
        command.directory = Some(directory.path().to_owned());
        command.disk_limit = Some((directory.path().to_owned(), limit));
        command.time_limit = Duration::from_secs(60);
        command
    };
    let begun = Instant::now();
    let stopped = filling(3_000_000).run().unwrap_err();
    assert!(matches!(stopped, SandboxError::Disk { limit_bytes: 3_000_000, .. }), "{stopped}");
    assert!(begun.elapsed() < Duration::from_secs(30));
    // One that stays below goes on to its end.
    let mut small = shell("head -c 1000 /dev/zero > y; echo done");
    small.directory = Some(directory.path().to_owned());
    small.disk_limit = Some((directory.path().to_owned(), u64::MAX));
    assert_eq!(output(&small), "done\n");
}
