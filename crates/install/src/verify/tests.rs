//! Every way to change an installed tree, and that each is found.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use pinfold_testkit::WheelRecipe;

use super::*;
use crate::fixture::{World, interpreter, overwrite};

fn wheels() -> [WheelRecipe; 2] {
    [
        WheelRecipe::new("a", "1.0").console_script("tool", "a:main").file("a/data.bin", vec![5; 3 << 20]),
        WheelRecipe::new("b", "1.0").file("b/more.py", "x = 1\n"),
    ]
}

/// Installs, changes something, and compares the findings: `code path package`, the path without the site directory.
fn check(change: impl FnOnce(&World), expected: &[&str]) {
    let world = World::new();
    world.install(&wheels()).unwrap();
    change(&world);
    assert_eq!(shown(&world.verify(&wheels())), expected);
}

fn shown(report: &Report) -> Vec<String> {
    let site = format!("{}/", interpreter().scheme.purelib);
    let line = |finding: &Finding| {
        let package = finding.package.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
        format!("{} {}{package}", finding.code.as_str(), finding.path.replacen(&site, "", 1))
    };
    report.findings.iter().map(line).collect()
}

#[test]
fn untouched_environment_has_no_findings() {
    let world = World::new();
    world.install(&wheels()).unwrap();
    let report = world.verify(&wheels());
    assert_eq!(report.findings, []);
    assert_eq!((report.distributions, report.distributions_derived), (2, 2));
    assert!(report.files_checked > 10 && report.bytes_checked > 3 << 20);
}

#[test]
fn changed_bytes_are_found_though_size_and_time_are_kept() {
    check(
        |world| {
            let path = world.site("b/more.py");
            let before = fs::metadata(&path).unwrap();
            overwrite(&path, b"x = 2\n");
            fs::File::options().write(true).open(&path).unwrap().set_modified(before.modified().unwrap()).unwrap();
        },
        &["changed b/more.py b"],
    );
    check(
        |world| overwrite(&world.path("bin/tool"), b"#!/bin/sh\n"),
        &["changed bin/tool a", "mode-changed bin/tool a"],
    );
    check(|world| overwrite(&world.path("pyvenv.cfg"), b"home = /tmp\n"), &["changed pyvenv.cfg"]);
}

#[test]
fn added_and_missing_files_are_found() {
    check(
        |world| {
            fs::write(world.site("a/evil.py"), "x").unwrap();
            fs::write(world.path("bin/ls"), "x").unwrap();
            fs::remove_file(world.site("b/more.py")).unwrap();
        },
        &["added bin/ls", "added a/evil.py", "missing b/more.py b"],
    );
    check(|world| fs::remove_file(world.path("bin/python3")).unwrap(), &["missing bin/python3"]);
}

/// `import other` succeeds where `site-packages/other` is an empty directory.
#[test]
fn added_directories_are_found_though_nothing_is_in_them() {
    check(
        |world| {
            fs::create_dir_all(world.site("other/deep")).unwrap();
            fs::create_dir_all(world.site("b/__pycache__")).unwrap();
            fs::create_dir_all(world.site("c/__pycache__")).unwrap();
            fs::create_dir(world.path("share")).unwrap();
        },
        &["added c/__pycache__", "added other/deep", "added share"],
    );
}

/// The chain does not cover the last line, and a chain that was cut off is one: the receipt says what it must be.
#[test]
fn the_last_line_of_the_ledger_is_of_what_is_in_place() {
    let world = World::new();
    world.install(&wheels()).unwrap();
    world.install(&wheels()).unwrap();
    let ledger = world.environment.state().join("ledger.jsonl");
    let whole = fs::read_to_string(&ledger).unwrap();
    let codes = || world.verify(&wheels()).findings.into_iter().map(|it| (it.code, it.path)).collect::<Vec<_>>();
    assert_eq!(codes(), []);
    let changed = [(FindingCode::ReceiptChanged, "../.pinfold-.venv/ledger.jsonl".to_owned())];
    let (first, last) = whole.trim_end().split_once('\n').unwrap();
    fs::write(&ledger, format!("{first}\n")).unwrap();
    let missing = [(FindingCode::LedgerBroken, "../.pinfold-.venv/ledger.jsonl".to_owned())];
    assert_eq!(codes(), missing);
    for (from, to) in
        [("\"version\":\"1.0\"", "\"version\":\"1.1\""), ("2024-08-20T", "2024-08-21T"), ("example", "evil")]
    {
        assert!(last.contains(from), "{last}");
        fs::write(&ledger, format!("{first}\n{}\n", last.replace(from, to))).unwrap();
        assert_eq!(codes(), changed, "{from}");
    }
    // A process that died between the exchange and its line left a note: the next one writes the line.
    fs::write(&ledger, format!("{first}\n")).unwrap();
    let note = |text| fs::write(world.environment.state().join("unfinished"), text).unwrap();
    note("1\n");
    assert_eq!(codes(), []);
    world.environment.settle().unwrap();
    assert_eq!((codes(), fs::read_to_string(&ledger).unwrap()), (vec![], whole.clone()));
    // One that is not of this ledger excuses nothing, and makes nothing good.
    fs::write(&ledger, format!("{first}\n")).unwrap();
    for other in ["", "-\n", "2\n", "7\n"] {
        note(other);
        assert_eq!(codes(), missing, "{other:?}");
        world.environment.settle().unwrap();
        assert_eq!(codes(), missing, "{other:?}");
    }
}

/// A first generation has no past that could be lost.
#[test]
fn a_ledger_that_is_gone_is_found() {
    let world = World::new();
    let ledger = world.environment.state().join("ledger.jsonl");
    world.install(&wheels()).unwrap();
    fs::remove_file(&ledger).unwrap();
    assert_eq!(shown(&world.verify(&wheels())), Vec::<String>::new());
    world.install(&wheels()).unwrap();
    assert_eq!(shown(&world.verify(&wheels())), Vec::<String>::new());
    for nothing in ["", "\n", "{\"generation\":1"] {
        fs::write(&ledger, nothing).unwrap();
        assert_eq!(shown(&world.verify(&wheels())), ["ledger-broken ../.pinfold-.venv/ledger.jsonl"], "{nothing:?}");
    }
    fs::remove_file(&ledger).unwrap();
    assert_eq!(shown(&world.verify(&wheels())), ["ledger-broken ../.pinfold-.venv/ledger.jsonl"]);
    // The note of a process that died between the exchange and its line says that one line is missing, and not that all are.
    fs::write(world.environment.state().join("unfinished"), "").unwrap();
    assert_eq!(shown(&world.verify(&wheels())), ["ledger-broken ../.pinfold-.venv/ledger.jsonl"]);
}

#[test]
fn nobody_else_may_write_to_the_outermost_directory_or_beside_it() {
    let check = |place: &str, shown: &str| {
        let found: Vec<(u32, Vec<String>)> = [0o755, 0o700, 0o775, 0o757]
            .into_iter()
            .map(|bits| {
                let world = World::new();
                world.install(&wheels()).unwrap();
                world.install(&wheels()).unwrap();
                fs::set_permissions(world.path(place), fs::Permissions::from_mode(bits)).unwrap();
                (bits, super::tests::shown(&world.verify(&wheels())))
            })
            .collect();
        let finding = || vec![format!("mode-changed {shown}")];
        assert_eq!(found, [(0o755, vec![]), (0o700, vec![]), (0o775, finding()), (0o757, finding())], "{place}");
    };
    check("", ".");
    check(".pinfold", ".pinfold");
    for name in ["", "/generations", "/ledger.jsonl"] {
        check(&format!("../.pinfold-.venv{name}"), &format!("../.pinfold-.venv{name}"));
    }
}

/// Where users have groups of their own, an interpreter lets the group write to what it leaves; bytecode is proven.
#[test]
fn a_group_may_write_to_what_an_interpreter_leaves_and_nobody_else() {
    let check = |mode: u32, expected: &[&str]| {
        let world = World::new();
        world.install(&wheels()).unwrap();
        let left = world.site("b/__pycache__");
        fs::create_dir(&left).unwrap();
        fs::set_permissions(&left, fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(shown(&world.verify(&wheels())), expected, "{mode:o}");
    };
    check(0o775, &[]);
    check(0o757, &["mode-changed b/__pycache__"]);
}

#[test]
fn new_startup_files_are_found() {
    check(
        |world| {
            for name in ["x.pth", "sitecustomize.py", "usercustomize.so", "x.start"] {
                fs::write(world.site(name), "x").unwrap();
            }
        },
        &[
            "startup-hook sitecustomize.py",
            "startup-hook usercustomize.so",
            "startup-hook x.pth",
            "startup-hook x.start",
        ],
    );
}

#[test]
fn foreign_distributions_are_found_once() {
    check(
        |world| {
            fs::create_dir(world.site("c-1.0.dist-info")).unwrap();
            fs::write(world.site("c-1.0.dist-info/METADATA"), "Name: c\n").unwrap();
            fs::write(world.site("d.egg-link"), "/tmp\n").unwrap();
        },
        &["foreign-distribution c-1.0.dist-info", "foreign-distribution d.egg-link"],
    );
}

#[test]
fn links_and_modes_are_found() {
    check(
        |world| {
            fs::remove_file(world.path("bin/python")).unwrap();
            std::os::unix::fs::symlink("/bin/sh", world.path("bin/python")).unwrap();
            let more = world.site("b/more.py");
            fs::remove_file(&more).unwrap();
            std::os::unix::fs::symlink("/etc/hostname", &more).unwrap();
            std::os::unix::fs::symlink("/etc", world.site("a/etc")).unwrap();
        },
        &["added a/etc", "link-changed bin/python", "link-changed b/more.py b"],
    );
    check(
        |world| {
            let tool = world.path("bin/tool");
            fs::set_permissions(&tool, fs::Permissions::from_mode(0o4755)).unwrap();
        },
        &["mode-changed bin/tool a"],
    );
}

/// No mode shows them, and neither do bytes or times. Only the superuser can give them, and not on every file system.
#[cfg(target_os = "linux")]
#[test]
fn capabilities_of_a_program_are_found_and_of_what_cannot_be_run_are_not() {
    // Version 2, effective; permitted: CAP_SETUID, in the first of two words.
    let value = [0x0200_0001_u32, 1 << 7, 0, 0, 0].map(u32::to_le_bytes).concat();
    let give = |path: &Path| {
        let flags = rustix::fs::XattrFlags::empty();
        rustix::fs::setxattr(path, "security.capability", &value, flags).is_ok()
    };
    let world = World::new();
    world.install(&wheels()).unwrap();
    if !give(&world.site("b/more.py")) {
        return;
    }
    assert_eq!(shown(&world.verify(&wheels())), [""; 0]);
    assert!(give(&world.path("bin/tool")));
    let report = world.verify(&wheels());
    assert_eq!(shown(&report), ["mode-changed bin/tool a"]);
    assert!(report.findings[0].found.contains("security.capability"), "{report:?}");
}

#[test]
fn every_permission_is_as_installed_and_nobody_else_may_write() {
    let chmod = |path: std::path::PathBuf, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    check(|world| chmod(world.site("b/more.py"), 0o644), &["mode-changed b/more.py b"]);
    check(|world| chmod(world.site("b/more.py"), 0o555), &["mode-changed b/more.py b"]);
    check(|world| chmod(world.path("bin/tool"), 0o744), &["mode-changed bin/tool a"]);
    check(|world| chmod(world.site("b"), 0o777), &["mode-changed b"]);
    check(|world| chmod(world.site("b"), 0o775), &["mode-changed b"]);
    check(|world| chmod(world.site("b"), 0o700), &[]);
    check(|world| chmod(world.path(".pinfold/receipt.json"), 0o666), &["mode-changed .pinfold/receipt.json"]);
}

/// Whoever takes the right to read away hides what is there, and nothing else. To root it makes no difference.
#[test]
fn what_its_owner_may_not_read_is_found_and_hides_nothing_else() {
    let found = |path: &str, mode: u32, depth: Depth| {
        let world = World::new();
        world.install(&wheels()).unwrap();
        fs::write(world.site("a/evil.py"), "").unwrap();
        let path = world.site(path);
        let before = fs::metadata(&path).unwrap().permissions();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let options = VerifyOptions { depth, store: None, compiled: None, progress: &|_| {} };
        let report = world.verify_as(&wheels(), &options);
        fs::set_permissions(&path, before).unwrap();
        shown(&report.unwrap())
    };
    for depth in [Depth::Full, Depth::Quick] {
        for (path, mode, expected) in [
            ("b/more.py", 0o000, "mode-changed b/more.py b"),
            ("b", 0o000, "mode-changed b"),
            ("b", 0o600, "mode-changed b"),
            ("b", 0o300, "mode-changed b"),
        ] {
            assert_eq!(found(path, mode, depth), ["added a/evil.py", expected], "{path} {mode:o} {depth:?}");
        }
    }
}

#[test]
fn another_owner_is_found() {
    // Only root can give a file away; what decides is tested as a function, for everybody.
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let chown = |path: std::path::PathBuf| std::os::unix::fs::lchown(path, Some(12345), None).unwrap();
    check(|world| chown(world.site("b/more.py")), &["owner-changed b/more.py b"]);
    check(|world| chown(world.site("b")), &["owner-changed b"]);
    check(|world| chown(world.path("bin/python3")), &["owner-changed bin/python3"]);
    check(|world| chown(world.path(".pinfold/files.json")), &["owner-changed .pinfold/files.json"]);
}

#[test]
fn names_that_differ_in_case_only_are_found_as_what_they_are() {
    check(|world| fs::rename(world.site("b/more.py"), world.site("b/More.py")).unwrap(), &["renamed b/More.py b"]);
    check(
        |world| {
            fs::rename(world.site("b"), world.site("B")).unwrap();
            fs::write(world.site("a/Data.bin"), "x").unwrap();
        },
        &["added a/Data.bin", "renamed B/__init__.py b", "renamed B/more.py b"],
    );
}

#[test]
fn another_lock_is_found() {
    let world = World::new();
    world.install(&wheels()).unwrap();
    let mut other = wheels();
    other[1] = WheelRecipe::new("b", "2.0");
    assert_eq!(shown(&world.verify(&other)), ["lock-changed ", "lock-changed  b"]);
}

#[test]
fn a_receipt_that_was_changed_too_is_found_with_the_store() {
    let world = World::new();
    world.install(&wheels()).unwrap();
    // The attacker changes a file, the list, and the list's digest in the header.
    overwrite(&world.site("b/more.py"), b"x = 2\n");
    let list = world.path(".pinfold/files.json");
    let digest = |bytes: &[u8]| crate::receipt::digest(bytes).to_string();
    let before = fs::read_to_string(&list).unwrap();
    let after = before.replace(&digest(b"x = 1\n"), &digest(b"x = 2\n"));
    fs::write(&list, &after).unwrap();
    assert_eq!(shown(&world.verify_with(&wheels(), None)), ["receipt-changed .pinfold/files.json"]);
    let header = world.path(".pinfold/receipt.json");
    let text = fs::read_to_string(&header).unwrap();
    fs::write(&header, text.replace(&digest(before.as_bytes()), &digest(after.as_bytes()))).unwrap();
    assert_eq!(shown(&world.verify_with(&wheels(), None)), ["receipt-changed ../.pinfold-.venv/ledger.jsonl"]);
    // And takes the ledger away: without the store there is nothing left that says otherwise.
    fs::remove_file(world.environment.state().join("ledger.jsonl")).unwrap();
    assert_eq!(shown(&world.verify_with(&wheels(), None)), Vec::<String>::new());
    assert_eq!(shown(&world.verify(&wheels())), ["receipt-changed b/more.py b"]);
}

#[test]
fn a_file_that_a_receipt_adds_is_found_with_the_store() {
    let world = World::new();
    world.install(&wheels()).unwrap();
    fs::write(world.site("a/evil.py"), "x").unwrap();
    let list = world.path(".pinfold/files.json");
    let (mut files, _) = ReceiptFiles::read(world.environment.venv()).unwrap().unwrap();
    let path = format!("{}/a/evil.py", interpreter().scheme.purelib);
    files.files.push(InstalledFile {
        path: path.parse().unwrap(),
        size: 1,
        sha256: crate::receipt::digest(b"x"),
        executable: false,
        owners: vec![0],
    });
    files.files.sort_by(|a, b| a.path.cmp(&b.path));
    fs::write(&list, files.to_bytes().unwrap()).unwrap();
    let found = shown(&world.verify(&wheels()));
    assert!(found.contains(&"receipt-changed a/evil.py".to_owned()), "{found:?}");
}

#[test]
fn damaged_receipts_are_findings_and_absent_ones_errors() {
    check(
        |world| fs::write(world.path(".pinfold/receipt.json"), "{}").unwrap(),
        &["receipt-changed .pinfold/receipt.json"],
    );
    check(
        |world| fs::remove_file(world.path(".pinfold/files.json")).unwrap(),
        &["receipt-changed .pinfold/files.json"],
    );
    check(|world| fs::write(world.path(".pinfold/more"), "").unwrap(), &["added .pinfold/more"]);
    let world = World::new();
    let options = VerifyOptions { depth: Depth::Full, store: None, compiled: None, progress: &|_| {} };
    let verified = world.verify_as(&wheels(), &options);
    assert!(matches!(verified, Err(InstallError::NoEnvironment { .. })));
}

#[test]
fn verify_changes_nothing() {
    let world = World::new();
    world.install(&wheels()).unwrap();
    fs::write(world.site("a/evil.py"), "x").unwrap();
    let first = world.verify(&wheels());
    assert_eq!(world.verify(&wheels()), first);
    assert!(world.site("a/evil.py").exists());
}
