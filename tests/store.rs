//! The store notices when it is not what was stored, says so, and mends itself; and it does not cry wolf.

use std::fs;
use std::path::{Path, PathBuf};

use pinfold_testkit::{Index, sha256_hex};

use crate::project::Project;

fn installed() -> Project {
    let index = Index::new().wheel("mine", "1.0").module("own.py", "V = 1\n").wheel("other", "1.0");
    let project = Project::new(index, &["mine", "other"]);
    project.installed();
    project
}

fn trees(project: &Project) -> PathBuf {
    project.home.cache().join("store/trees")
}

/// Returns the entry of the wheel of `mine`.
fn entry(project: &Project) -> PathBuf {
    let digest = sha256_hex(&project.server.file_bytes("mine-1.0-py3-none-any.whl"));
    trees(project).join(&digest[..2]).join(digest)
}

/// Syncs into another environment, which must be right whatever the store was; returns what was said.
fn second(project: &Project, offline: bool) -> String {
    let run = project.pinfold("sync").args(["--venv", "second"]);
    let run = if offline { run.arg("--offline") } else { run };
    let finished = run.run().expect_code(0);
    project.pinfold("verify").args(["--venv", "second"]).run().expect_code(0);
    finished.stderr
}

fn writable(path: &Path, bytes: &[u8]) {
    let before = fs::metadata(path).expect("it is there");
    let mode = before.permissions();
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("it is ours");
    fs::write(path, bytes).expect("can write it");
    fs::set_permissions(path, mode).expect("it is ours");
}

#[cfg(unix)]
#[test]
fn an_edit_through_a_hard_link_is_told_with_path_expected_and_found() {
    let project = installed();
    let module = project.python("import own; print(own.__file__)");
    writable(Path::new(module.trim()), b"V = 666\n");
    let said = second(&project, false);
    assert!(said.contains("warning: the store's entry of `mine-1.0-py3-none-any.whl` was changed: `own.py`"), "{said}");
    let (was, is) = (sha256_hex(b"V = 1\n"), "found more than 6 bytes");
    assert!(said.contains(&was) && said.contains(is) && said.contains("quarantine"), "{said}");
    project.pinfold("verify").run().expect_code(1).expect_stdout("own.py");
    // Told once: the entry is a new one now.
    let said = project.pinfold("sync").args(["--venv", "third"]).run().expect_code(0).stderr;
    assert!(!said.contains("warning"), "{said}");
}

#[cfg(unix)]
#[test]
fn an_entry_that_is_none_any_more_is_told_of_and_made_again() {
    let check = |change: &dyn Fn(&Path)| {
        let project = installed();
        change(&entry(&project));
        let said = second(&project, false);
        assert!(said.contains("warning: the store's entry of `mine-1.0-py3-none-any.whl` was changed"), "{said}");
        project.pinfold("cache").arg("verify").run().expect_code(0);
        // Without a sync in between, `cache verify` finds it.
        change(&entry(&project));
        project.pinfold("cache").arg("verify").run().expect_code(1);
        project.pinfold("cache").arg("verify").run().expect_code(0);
    };
    check(&|entry| fs::rename(entry.join("files"), entry.join("gone")).expect("can move it"));
    check(&|entry| {
        fs::rename(entry.join("files"), entry.join("moved")).expect("can move it");
        std::os::unix::fs::symlink("moved", entry.join("files")).expect("can make a link");
    });
    check(&|entry| {
        fs::remove_file(entry.join("manifest")).expect("can remove it");
        fs::create_dir(entry.join("manifest")).expect("can make it");
    });
    check(&|entry| {
        fs::remove_dir_all(entry).expect("can remove it");
        fs::write(entry, "").expect("can write it");
    });
}

#[cfg(unix)]
#[test]
fn a_store_that_was_put_back_from_a_backup_is_believed_after_reading_it() {
    let project = installed();
    let copied = |from: &Path| {
        // Other inodes and other times, the same bytes, as a copy has.
        let bytes = fs::read(from).expect("it is there");
        let mode = fs::metadata(from).expect("it is there").permissions();
        fs::remove_file(from).expect("can remove it");
        fs::write(from, bytes).expect("can write it");
        fs::set_permissions(from, mode).expect("it is ours");
    };
    let files = entry(&project).join("files");
    copied(&files.join("own.py"));
    let said = second(&project, true);
    assert!(!said.contains("warning"), "{said}");
    // And one of the copies was not a copy.
    copied(&files.join("own.py"));
    writable(&files.join("own.py"), b"V = 2\n");
    fs::rename(project.home.project().join("second"), project.home.project().join("former")).expect("can move it");
    let said = second(&project, false);
    assert!(said.contains("`own.py`: expected 6 bytes"), "{said}");
}

#[cfg(target_os = "linux")]
#[test]
fn bytes_that_were_lost_with_the_power_are_found_after_the_restart() {
    let check = |lose: bool| {
        let project = installed();
        // As if the machine had been started anew since: the manifest was written under another start.
        let manifest = entry(&project).join("manifest");
        let mut bytes = fs::read(&manifest).expect("it is there");
        let (header, boot) = (bytes.iter().position(|byte| *byte == b'\n').expect("it has a first line") + 1, 16);
        bytes[header + 64..header + 64 + boot].fill(0xb0);
        let digest = sha256_hex(&bytes[header + 32..]);
        for (position, byte) in bytes[header..header + 32].iter_mut().enumerate() {
            *byte = u8::from_str_radix(&digest[2 * position..2 * position + 2], 16).expect("it is hexadecimal");
        }
        fs::write(&manifest, &bytes).expect("can write it");
        let module = entry(&project).join("files/own.py");
        let modified = fs::metadata(&module).and_then(|metadata| metadata.modified()).expect("it is there");
        if lose {
            writable(&module, &[0; 6]);
            fs::File::open(&module).and_then(|file| file.set_modified(modified)).expect("it is ours");
        }
        project.server.forget_requests();
        let said = second(&project, !lose);
        assert_eq!(said.contains("`own.py`: expected 6 bytes"), lose, "{said}");
        assert_eq!(project.server.requests_to("mine-1.0").is_empty(), !lose);
        assert_eq!(entry(&project).join("durable").exists(), !lose);
    };
    check(true);
    check(false);
}

#[cfg(unix)]
#[test]
fn nobody_else_can_enter_what_is_kept() {
    use std::os::unix::fs::PermissionsExt;
    let project = Project::with(Index::new().sdist("made", "1.0"), &["made"], "build = [\"made\"]", "");
    // As for a new user: not even the cache directory is there.
    fs::remove_dir_all(project.home.cache()).expect("can remove it");
    project.installed();
    let mut directories: Vec<PathBuf> = vec![project.home.cache(), project.home.cache().join("store")];
    for directory in directories.clone() {
        let entries = fs::read_dir(directory).expect("can list it").flatten().map(|entry| entry.path());
        directories.extend(entries.filter(|path| path.is_dir()));
    }
    assert!(directories.len() > 9, "{directories:?}");
    for path in directories {
        let mode = fs::metadata(&path).expect("it is there").permissions().mode() & 0o777;
        assert_eq!(mode, 0o700, "{}", path.display());
    }
}

#[cfg(unix)]
#[test]
fn a_store_that_others_may_write_to_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let project = installed();
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
    let cases = [
        ("store/trees", 0o770, 0o700),
        ("store", 0o720, 0o700),
        ("store", 0o702, 0o700),
        ("", 0o777, 0o755),
        ("", 0o1777, 0o755),
        ("interpreters", 0o777, 0o700),
        ("pages", 0o770, 0o700),
    ];
    for (path, loose, tight) in cases {
        let path = project.home.cache().join(path);
        mode(&path, loose);
        let run = project.pinfold("sync").args(["--venv", "second"]).run().expect_refusal("foreign-writers");
        drop(run.expect_stderr("only you can write"));
        assert!(!project.home.has("second"));
        mode(&path, tight);
    }
    second(&project, true);
}

/// Whoever was there first could have left a link where pinfold writes a file of its own.
#[cfg(unix)]
#[test]
fn nothing_is_written_to_a_cache_that_others_may_write_to() {
    use std::os::unix::fs::PermissionsExt;
    let project = installed();
    let (cache, mine) = (project.home.cache(), project.home.path().join("mine.txt"));
    fs::write(&mine, "mine").expect("can write");
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
    let entries = |name: &str| -> Vec<PathBuf> {
        let listed = fs::read_dir(cache.join(name)).expect("can list it").flatten();
        listed.map(|entry| entry.path()).collect()
    };
    let [answer] = &entries("interpreters")[..] else { panic!("one interpreter was asked") };
    let [known] = &entries("environments")[..] else { panic!("one environment is known") };
    let link = |place: PathBuf| {
        let _absent = fs::remove_file(&place);
        std::os::unix::fs::symlink(&mine, place).expect("can make a link");
    };
    // The interpreter is asked again, and its answer is kept.
    fs::remove_file(answer).expect("can remove it");
    link(answer.with_extension("new"));
    mode(&cache.join("interpreters"), 0o777);
    drop(project.pinfold("sync").args(["--venv", "second"]).run().expect_refusal("foreign-writers"));
    mode(&cache.join("interpreters"), 0o700);
    fs::remove_file(answer.with_extension("new")).expect("can remove it");
    // An environment is remembered, which is no reason to refuse it.
    link(known.join("lock"));
    fs::remove_file(known.join("ledger.jsonl")).expect("can remove it");
    mode(&cache.join("environments"), 0o777);
    let run = project.pinfold("sync").run().expect_code(0);
    drop(run.expect_stderr("`pinfold trace` may not know it").expect_stderr("may be written by others: mode 0777"));
    drop(project.pinfold("history").run().expect_refusal("foreign-writers"));
    assert_eq!(fs::read_to_string(&mine).expect("it is there"), "mine");
}

/// Also what is not there yet: whoever owns the directory could put a link there meanwhile.
#[cfg(unix)]
#[test]
fn nothing_is_made_in_a_cache_that_others_may_write_to() {
    use std::os::unix::fs::PermissionsExt;
    let project = installed();
    let others = project.home.path().join("others");
    fs::create_dir(&others).expect("can make it");
    fs::set_permissions(&others, fs::Permissions::from_mode(0o777)).expect("it is ours");
    for arguments in
        [&["history"][..], &["lock", "--check"], &["outdated"], &["trace", "mine"], &["sync", "--venv", "b"]]
    {
        let run = project.pinfold(arguments[0]).args(&arguments[1..]).arg("--cache-dir").arg(&others);
        drop(run.run().expect_refusal("foreign-writers"));
    }
    // Nothing is to be installed, so that this only would have been remembered there.
    let run = project.pinfold("sync").arg("--cache-dir").arg(&others).run().expect_code(0);
    drop(run.expect_stderr("everybody may write there"));
    assert_eq!(fs::read_dir(&others).expect("it is there").count(), 0);
}

/// An answer of an interpreter need not be kept.
#[test]
fn what_is_no_directory_is_no_reason_to_refuse_what_needs_none() {
    let project = installed();
    let interpreters = project.home.cache().join("interpreters");
    fs::remove_dir_all(&interpreters).expect("can remove it");
    fs::write(interpreters, "").expect("can write");
    second(&project, true);
}

#[cfg(unix)]
#[test]
fn a_cache_of_somebody_else_is_refused() {
    let project = installed();
    let link = project.home.path().join("link");
    std::os::unix::fs::symlink(project.home.cache(), &link).expect("can make a link");
    if std::os::unix::fs::lchown(&link, Some(12345), None).is_ok() {
        let run = project.pinfold("sync").args(["--venv", "second", "--cache-dir"]).arg(&link).run();
        drop(run.expect_refusal("foreign-writers").expect_stderr("it belongs to user 12345"));
    }
    for part in ["", "interpreters", "pages", "store/trees"] {
        let give = |user| std::os::unix::fs::lchown(project.home.cache().join(part), Some(user), None);
        // Only root can give a directory away; he is also who would be led by it to write to his own files.
        if give(12345).is_err() {
            return;
        }
        let run = project.pinfold("sync").args(["--venv", "second"]).run().expect_refusal("foreign-writers");
        drop(run.expect_stderr("it belongs to user 12345, this is user 0"));
        give(0).expect("it was root's");
    }
    // A group of which this user is none may write there; the control is his own.
    use std::os::unix::fs::PermissionsExt;
    let cache = project.home.cache();
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o770)).expect("it is ours");
    second(&project, true);
    std::os::unix::fs::lchown(&cache, None, Some(12345)).expect("it is root who gives");
    let run = project.pinfold("sync").args(["--venv", "third"]).run().expect_refusal("foreign-writers");
    drop(run.expect_stderr("group 12345 may write there"));
}

/// A part may be moved to another disk by whose it is.
#[cfg(unix)]
#[test]
fn a_part_of_the_cache_may_be_a_link_of_ones_own() {
    let project = installed();
    for part in ["store", "interpreters", "environments", "pages"] {
        let (place, elsewhere) = (project.home.cache().join(part), project.home.path().join(format!("moved-{part}")));
        fs::rename(&place, &elsewhere).expect("can move it");
        std::os::unix::fs::symlink(&elsewhere, &place).expect("can make a link");
    }
    second(&project, true);
}
