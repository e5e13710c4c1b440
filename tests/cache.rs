//! `pinfold cache`: what is in it, whether it is what was stored, and making room without harm.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

#[cfg(unix)]
use pinfold_testkit::bound_by_modes;
use pinfold_testkit::{Index, sha256_hex};
use serde_json::Value;

use crate::project::Project;

/// A project whose first generation had `old`, and whose current one has `mine` and, built from source, `made`.
fn project() -> Project {
    let index = Index::new().wheel("old", "1.0").wheel("mine", "1.0").module("own.py", "V = 1\n").sdist("made", "1.0");
    let project = Project::with(index, &["old"], "build = [\"made\"]", "");
    project.installed();
    project.write_manifest(&["mine", "made"], "build = [\"made\"]", "");
    project.installed();
    project
}

fn json(project: &Project, arguments: &[&str], code: i32) -> Value {
    let run = project.pinfold("cache").args(arguments).args(["--format", "json"]).run().expect_code(code);
    serde_json::from_str(&run.stdout).expect("the output is JSON")
}

/// Returns what `info` or `prune` says of a kind.
fn kind<'a>(said: &'a Value, name: &str) -> &'a Value {
    let kinds = said["kinds"].as_array().or(said["removed"].as_array());
    kinds.and_then(|kinds| kinds.iter().find(|kind| kind["kind"] == name)).unwrap_or(&Value::Null)
}

fn tree(project: &Project, name: &str) -> PathBuf {
    let digest = sha256_hex(&project.server.file_bytes(&format!("{name}-1.0-py3-none-any.whl")));
    project.home.cache().join("store/trees").join(&digest[..2]).join(digest)
}

/// Changes a byte of a file, and keeps its size, time and mode.
fn flip(path: &Path) {
    let metadata = fs::metadata(path).expect("it is there");
    let mut bytes = fs::read(path).expect("it is there");
    bytes[0] ^= 1;
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("it is ours");
    fs::write(path, bytes).expect("can write it");
    let time = metadata.modified().expect("it has a time");
    File::open(path).and_then(|file| file.set_modified(time)).expect("it is ours");
    fs::set_permissions(path, metadata.permissions()).expect("it is ours");
}

fn leave_behind(project: &Project) {
    let store = project.home.cache().join("store");
    fs::write(store.join("partial/interrupted"), "half").expect("can write");
    fs::create_dir(store.join("staging/unfinished")).expect("can write");
    fs::write(store.join("staging/unfinished/file"), "half").expect("can write");
    fs::create_dir_all(project.home.cache().join("builds/left")).expect("can write");
}

fn files_below(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).expect("can list it").flatten();
    entries.map(|entry| if entry.path().is_dir() { files_below(&entry.path()) } else { 1 }).sum()
}

fn make_old(path: &Path) {
    let long_ago = SystemTime::now() - Duration::from_secs(40 * 24 * 60 * 60);
    File::open(path).and_then(|file| file.set_modified(long_ago)).expect("it is ours");
}

#[test]
fn info_counts_every_kind() {
    let project = project();
    leave_behind(&project);
    let said = json(&project, &["info"], 0);
    for (name, entries) in [("trees", 3), ("artifacts", 2), ("partial", 1), ("staging", 1), ("quarantine", 0)] {
        assert_eq!(kind(&said, name)["entries"], entries, "{name}: {said}");
    }
    assert!(kind(&said, "pages")["files"].as_u64() > Some(2) && kind(&said, "environments")["entries"] == 1, "{said}");
    let bytes = |value: &Value| value["bytes"].as_u64().unwrap_or_default();
    let kinds = said["kinds"].as_array().expect("a list");
    assert_eq!(bytes(&said["total"]), kinds.iter().map(bytes).sum::<u64>());
    assert_eq!(kind(&said, "trees")["files"].as_u64(), Some(files_below(&project.home.cache().join("store/trees"))));
    let text = project.pinfold("cache").arg("info").run().expect_code(0);
    drop(text.expect_stdout("trees").expect_stdout("3 entries").expect_stdout("total"));
}

#[test]
fn info_of_a_cache_that_is_not_there_makes_none() {
    let project = project();
    let said = json(&project, &["info", "--cache-dir", "none"], 0);
    assert_eq!(said["total"]["entries"], 0);
    json(&project, &["prune", "--all", "--dry-run", "--cache-dir", "none"], 0);
    json(&project, &["prune", "--all", "--cache-dir", "none"], 0);
    json(&project, &["verify", "--cache-dir", "none"], 0);
    assert!(!project.home.has("none"));
    // Nor a store where there is none.
    project.home.write("some/notes.txt", "");
    json(&project, &["prune", "--all", "--cache-dir", "some"], 0);
    json(&project, &["verify", "--cache-dir", "some"], 0);
    assert_eq!(std::fs::read_dir(project.home.project().join("some")).unwrap().count(), 1);
}

#[test]
fn a_file_is_no_cache() {
    let project = project();
    let below = if cfg!(unix) { "pylock.toml/cache" } else { "pylock.toml" };
    for path in ["pylock.toml", below] {
        for verb in ["info", "prune", "verify"] {
            let refused = project.pinfold("cache").args([verb, "--cache-dir", path]).run().expect_code(2);
            drop(refused.expect_stderr("cannot be a cache directory").expect_stderr("--cache-dir"));
        }
    }
}

/// Linux alone has such names on every file system.
#[cfg(target_os = "linux")]
#[test]
fn info_of_a_directory_whose_name_is_no_text_is_told() {
    use std::os::unix::ffi::OsStrExt as _;
    let project = project();
    let info = project.pinfold("cache").args(["info", "--format", "json", "--cache-dir"]);
    let said = info.arg(std::ffi::OsStr::from_bytes(b"name-\xff")).run().expect_code(0);
    let said: Value = serde_json::from_str(&said.stdout).expect("it is JSON");
    assert!(said["directory"].as_str().is_some_and(|name| name.ends_with("name-\u{fffd}")), "{said}");
}

#[test]
fn verify_reads_every_byte_and_moves_away_what_is_damaged() {
    let project = project();
    let whole = json(&project, &["verify"], 0);
    assert_eq!(
        (&whole["trees"], &whole["artifacts"], &whole["damaged"]),
        (&3.into(), &2.into(), &Value::Array(vec![]))
    );
    // No stamp shows it; a sync would link it.
    flip(&tree(&project, "mine").join("files/own.py"));
    fs::write(tree(&project, "old").join("files/added.py"), "x").expect("can write");
    let artifact = sha256_hex(&project.server.file_bytes("made-1.0.tar.gz"));
    flip(&project.home.cache().join("store/artifacts").join(&artifact[..2]).join(&artifact));
    let text = project.pinfold("cache").arg("info").run().expect_code(0);
    assert!(text.stdout.contains("quarantine       0 entries"), "{text}");
    let said = json(&project, &["verify"], 1);
    let damaged = said["damaged"].as_array().expect("a list");
    let mut found: Vec<(&str, &str)> =
        damaged.iter().map(|it| (it["kind"].as_str().unwrap_or("?"), it["path"].as_str().unwrap_or("?"))).collect();
    found.sort_unstable();
    assert_eq!(found, [("artifact", ""), ("tree", "added.py"), ("tree", "own.py")]);
    let own = damaged.iter().find(|it| it["path"] == "own.py").expect("it was found");
    assert!(own["expected"].as_str().is_some_and(|text| text.contains(&sha256_hex(b"V = 1\n"))), "{own}");
    assert!(own["origins"][0].as_str().is_some_and(|origin| origin.starts_with("http://127.0.0.1")), "{own}");
    assert_eq!(kind(&json(&project, &["info"], 0), "trees")["entries"], 1);
    json(&project, &["verify"], 0);
    // What was moved away is fetched again.
    project.pinfold("sync").args(["--venv", "second"]).run().expect_code(0);
    project.pinfold("verify").args(["--venv", "second"]).run().expect_code(0);
}

/// As an ordinary user: to root modes are nothing.
#[cfg(unix)]
#[test]
fn verify_tells_of_what_it_cannot_move_away() {
    use std::os::unix::fs::PermissionsExt as _;
    bound_by_modes("a quarantine that is only read", || {
        let project = project();
        flip(&tree(&project, "mine").join("files/own.py"));
        let quarantine = project.home.cache().join("store/quarantine");
        let only_read = |mode| fs::set_permissions(&quarantine, fs::Permissions::from_mode(mode)).expect("it is ours");
        only_read(0o500);
        let text = project.pinfold("cache").arg("verify").run().expect_code(1).expect_stdout("`own.py`: expected");
        let text = text.expect_stderr("warning: not all of it could be moved to the quarantine: failed to create");
        drop(text.expect_stderr("1 damaged entry was found"));
        assert_eq!(json(&project, &["verify"], 1)["moved"], false);
        only_read(0o700);
        assert_eq!(json(&project, &["verify"], 1)["moved"], true);
        // The environment that was made from a tree is right all the same.
        project.pinfold("sync").args(["--venv", "second"]).run().expect_code(0);
        fs::write(tree(&project, "mine").join("manifest"), "nonsense").expect("can write");
        only_read(0o500);
        project.pinfold("verify").args(["--venv", "second"]).run().expect_code(0);
        only_read(0o700);
    });
}

#[test]
#[cfg(unix)]
fn verify_takes_rights_back_that_a_stored_file_should_not_have() {
    use std::os::unix::fs::PermissionsExt as _;

    let project = project();
    let file = tree(&project, "mine").join("files/own.py");
    let mode = || fs::metadata(&file).expect("it is stored").permissions().mode() & 0o777;
    assert_eq!(json(&project, &["verify"], 0)["moved_files"], 0);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).expect("it is ours");
    let told = project.pinfold("cache").arg("verify").run().expect_code(0);
    drop(told.expect_stderr("1 file had other permissions or times, and the right bytes"));
    assert_eq!(mode(), 0o444);
    assert_eq!(json(&project, &["verify"], 0)["moved_files"], 0);
}

/// As where the cache is mounted to be read only. To root modes are nothing.
#[cfg(unix)]
#[test]
fn verify_says_what_it_could_not_note() {
    use std::os::unix::fs::PermissionsExt as _;
    bound_by_modes("a tree that is only read", || {
        let project = project();
        make_old(&tree(&project, "mine").join("files/own.py"));
        let only_read = |mode| {
            fs::set_permissions(tree(&project, "mine"), fs::Permissions::from_mode(mode)).expect("it is ours");
        };
        only_read(0o500);
        for _ in 0..2 {
            let told = project.pinfold("cache").arg("verify").run().expect_code(0);
            assert!(!told.stderr.contains("noted as they are"), "{told}");
            drop(told.expect_stderr("1 file had other permissions or times").expect_stderr("could not be noted"));
        }
        only_read(0o700);
        assert_eq!(json(&project, &["verify"], 0)["unnoted_files"], 0);
        assert_eq!(json(&project, &["verify"], 0)["moved_files"], 0);
    });
}

#[test]
fn verify_counts_in_words_that_fit() {
    let project = Project::new(Index::new().wheel("mine", "1.0"), &["mine"]);
    project.installed();
    project.pinfold("cache").arg("verify").run().expect_code(0).expect_stderr("1 tree and 0 artifacts, ");
}

#[test]
fn verify_tells_of_a_damaged_manifest_and_of_an_artifact_that_is_something_else() {
    let project = project();
    fs::write(tree(&project, "mine").join("manifest"), "pinfold-tree-02\nnonsense").expect("can write");
    let text = project.pinfold("cache").arg("verify").run().expect_code(1);
    let text = text.expect_stdout("expected a manifest with its digest").expect_stdout("it came from http://127.0.0.1");
    drop(text.expect_stderr("1 damaged entry was moved to the quarantine"));
    project.pinfold("cache").arg("verify").run().expect_code(0);
}

#[test]
fn prune_removes_leftovers_and_nothing_else_unless_asked() {
    let project = project();
    leave_behind(&project);
    let before = project.home.snapshot("../cache");
    let told = json(&project, &["prune", "--dry-run"], 0);
    assert_eq!(project.home.snapshot("../cache"), before, "a dry run removes nothing");
    assert_eq!((&kind(&told, "partial")["files"], &kind(&told, "trees")["files"]), (&1.into(), &Value::Null), "{told}");
    let done = json(&project, &["prune"], 0);
    assert_eq!((&done["removed"], &done["freed_bytes"]), (&told["removed"], &8.into()));
    let said = json(&project, &["info"], 0);
    for name in ["partial", "staging", "quarantine", "builds"] {
        assert_eq!(kind(&said, name)["entries"], 0, "{name}");
    }
    assert_eq!(kind(&said, "trees")["entries"], 3);
    project.pinfold("sync").args(["--venv", "second", "--offline"]).run().expect_code(0);
}

#[test]
fn what_an_environment_has_or_could_go_back_to_is_not_unused() {
    let project = project();
    // `old` is only in a former generation, which can be gone back to.
    let told = json(&project, &["prune", "--unused"], 0);
    assert_eq!(kind(&told, "trees"), &Value::Null, "{told}");
    assert!(tree(&project, "old").exists() && tree(&project, "mine").exists());
    // Once no environment has it, it is: here the generation is gone.
    fs::remove_dir_all(project.home.project().join(".pinfold-.venv/generations")).expect("can remove it");
    let told = json(&project, &["prune", "--unused", "--older-than", "30d"], 0);
    assert_eq!(kind(&told, "trees"), &Value::Null, "it is not that old");
    make_old(&tree(&project, "old").join("manifest"));
    json(&project, &["prune", "--unused", "--older-than", "30d"], 0);
    assert!(!tree(&project, "old").exists() && tree(&project, "mine").exists());
    // And when the environment itself has gone, all of it.
    fs::remove_dir_all(project.home.project().join(".venv")).expect("can remove it");
    json(&project, &["prune", "--unused"], 0);
    let said = json(&project, &["info"], 0);
    assert_eq!((&kind(&said, "trees")["entries"], &kind(&said, "artifacts")["files"]), (&0.into(), &0.into()));
    assert!(kind(&said, "pages")["files"].as_u64() > Some(0));
}

#[test]
fn age_counts_from_the_last_use() {
    let project = project();
    make_old(&tree(&project, "old").join("manifest"));
    make_old(&tree(&project, "mine").join("manifest"));
    project.pinfold("sync").args(["--venv", "second"]).run().expect_code(0);
    json(&project, &["prune", "--older-than", "2 weeks"], 0);
    assert!(!tree(&project, "old").exists() && tree(&project, "mine").exists());
    let wrong = project.pinfold("cache").args(["prune", "--older-than", "soon"]).run().expect_code(2);
    drop(wrong.expect_stderr("`soon`").expect_stderr("30d"));
    for (span, cause) in [("1mo", "months and years"), ("2 years", "months and years"), ("-1d", "it is negative")] {
        let wrong = project.pinfold("cache").arg("prune").arg(format!("--older-than={span}")).run().expect_code(2);
        let wrong = wrong.expect_stderr(cause).expect_stderr("seconds, minutes, hours, days or weeks");
        assert!(!wrong.stderr.contains("jiff"), "{wrong}");
    }
    project.pinfold("cache").args(["prune", "--all", "--unused"]).run().expect_code(2);
}

#[cfg(unix)]
#[test]
fn bytes_that_environments_share_are_not_said_to_be_freed() {
    let project = project();
    let said = json(&project, &["prune", "--all", "--dry-run"], 0);
    let (bytes, shared) = (kind(&said, "trees")["bytes"].as_u64(), kind(&said, "trees")["shared_bytes"].as_u64());
    assert!(shared > Some(0) && shared < bytes, "{said}");
    let total = &said["total"];
    let freed = total["bytes"].as_u64().zip(total["shared_bytes"].as_u64()).map(|(all, shared)| all - shared);
    assert_eq!(said["freed_bytes"].as_u64(), freed);
}

#[test]
fn all_means_all_but_the_account_of_what_was_installed() {
    let project = project();
    json(&project, &["prune", "--all"], 0);
    let said = json(&project, &["info"], 0);
    let left: Vec<&Value> = said["kinds"].as_array().expect("a list").iter().filter(|it| it["files"] != 0).collect();
    assert_eq!(left.iter().map(|it| it["kind"].clone()).collect::<Vec<_>>(), ["environments"], "{said}");
    project.pinfold("trace").arg("old").run().expect_code(0);
    project.pinfold("verify").run().expect_code(0);
    project.pinfold("sync").args(["--venv", "second"]).run().expect_code(0);
}

#[test]
fn what_pinfold_did_not_make_is_not_pruned() {
    let project = project();
    let (cache, outside) = (project.home.cache(), project.home.project().join("outside"));
    // A home directory can be given as the cache directory.
    for directory in [cache.join("documents"), outside.clone()] {
        fs::create_dir(&directory).expect("can make it");
        fs::write(directory.join("thesis"), "x").expect("can write it");
    }
    fs::write(cache.join("thesis"), "x").expect("can write it");
    #[cfg(unix)]
    for name in ["builds", "repositories"] {
        let _absent = fs::remove_dir(cache.join(name));
        std::os::unix::fs::symlink(&outside, cache.join(name)).expect("can link it");
    }
    json(&project, &["prune"], 0);
    let said = json(&project, &["prune", "--all"], 0);
    assert_eq!(kind(&said, "documents"), &Value::Null, "{said}");
    assert_eq!(kind(&json(&project, &["info"], 0), "documents"), &Value::Null);
    for left in [cache.join("documents/thesis"), cache.join("thesis"), outside.join("thesis")] {
        assert!(left.exists(), "{}", left.display());
    }
}

/// A build that was killed leaves what its backend made. To root modes are nothing.
#[cfg(unix)]
#[test]
fn remains_that_their_owner_may_not_change_are_pruned() {
    use std::os::unix::fs::PermissionsExt as _;
    bound_by_modes("closed remains of a build", || {
        let project = project();
        for mode in [0o555, 0o000] {
            let closed = project.home.cache().join("builds/build-x/closed");
            fs::create_dir_all(&closed).expect("can make it");
            fs::write(closed.join("file"), "x").expect("can write it");
            fs::set_permissions(&closed, fs::Permissions::from_mode(mode)).expect("it is ours");
            json(&project, &["prune"], 0);
            assert!(!project.home.cache().join("builds/build-x").exists(), "{mode:o}");
        }
    });
}

#[test]
fn nothing_is_pruned_while_another_process_uses_the_store() {
    let project = project();
    let lock = File::open(project.home.cache().join("store/lock")).expect("the store has a lock");
    lock.lock_shared().expect("can lock it");
    let refused = project.pinfold("cache").args(["prune", "--all", "--no-wait"]).run().expect_code(4);
    drop(refused.expect_stderr("another pinfold uses the store"));
    assert!(tree(&project, "mine").exists());
    json(&project, &["prune", "--all", "--no-wait", "--dry-run"], 0);
    // A second user of the store is welcome, one that waits comes in when the first is done.
    project.pinfold("cache").arg("verify").run().expect_code(0);
    let waiting = project.pinfold("cache").args(["prune", "--all"]).spawn();
    for _ in 0..1000 {
        assert!(!waiting.has_ended(), "it did not wait");
        std::thread::yield_now();
    }
    lock.unlock().expect("can unlock it");
    waiting.finish().expect_code(0);
    assert!(!tree(&project, "mine").exists());
}
