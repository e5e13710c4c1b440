//! `verify --repair`: the environment is right again, from the store and offline, or it is as it was and the report says why.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use pinfold_testkit::{Index, Meddling, Watching, announce_skipped, copy_tree};

use crate::project::Project;

fn index() -> Index {
    Index::new()
        .wheel("greet", "1.0")
        .module("hello/__init__.py", "NAME = 'hello'\n")
        .module("hello/other.py", "OTHER = 1\n")
        .console_script("hello", "hello:main")
        .wheel("more", "1.0")
        .module("more_of_it.py", "MORE = 1\n")
}

fn installed() -> Project {
    let project = Project::new(index(), &["greet", "more"]);
    project.installed();
    project
}

fn site(project: &Project) -> PathBuf {
    PathBuf::from(project.python("import sysconfig; print(sysconfig.get_path('purelib'))").trim())
}

fn overwrite(path: &Path, bytes: &str) {
    std::fs::remove_file(path).expect("can remove it");
    std::fs::write(path, bytes).expect("can write it");
}

/// Writes to a file where it lies, and with it to the store and to every environment that has it, and puts its time back.
fn write_through(path: &Path, bytes: &str) {
    let before = std::fs::metadata(path).expect("the test can use its own files and processes");
    assert_eq!(before.len(), bytes.len() as u64);
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644))
        .expect("the test can use its own files and processes");
    std::fs::write(path, bytes).expect("the test can use its own files and processes");
    let file = std::fs::File::options().write(true).open(path).expect("the test can use its own files and processes");
    file.set_modified(before.modified().expect("the test can use its own files and processes"))
        .expect("the test can use its own files and processes");
    std::fs::set_permissions(path, before.permissions()).expect("the test can use its own files and processes");
}

fn damage(project: &Project) {
    let site = site(project);
    overwrite(&site.join("hello/__init__.py"), "NAME = 'evil!'\n");
    std::fs::remove_file(site.join("hello/other.py")).expect("the test can use its own files and processes");
    std::fs::write(site.join("sitecustomize.py"), "").expect("the test can use its own files and processes");
    std::fs::write(site.join("hello/extra.py"), "").expect("the test can use its own files and processes");
    let venv = project.home.project().join(".venv");
    overwrite(&venv.join("bin/hello"), "#!/bin/sh\n");
    std::fs::set_permissions(venv.join("bin/activate"), std::fs::Permissions::from_mode(0o600))
        .expect("the test can use its own files and processes");
    overwrite(&venv.join("pyvenv.cfg"), "home = /tmp\n");
}

#[test]
fn what_was_found_is_put_right_offline() {
    let project = installed();
    let before = project.home.snapshot("project/.venv");
    damage(&project);
    project.server.forget_requests();
    let report = project.pinfold("verify").arg("--repair").run().expect_code(0).expect_stderr("repaired: generation 2");
    for part in ["changed: ", "missing: ", "startup-hook: ", "added: ", "mode-changed: "] {
        assert!(report.stdout.contains(part), "{part}: {report}");
    }
    assert!(project.server.requests().is_empty());
    project.pinfold("verify").run().expect_code(0);
    // Everything but the receipt, which is of another generation, is what it was.
    let own = |(path, _): &(String, String)| !path.contains(".pinfold/");
    let after: Vec<_> = project.home.snapshot("project/.venv").into_iter().filter(own).collect();
    assert_eq!(after, before.into_iter().filter(own).collect::<Vec<_>>());
}

#[test]
fn no_rollback_leads_back_to_what_was_damaged() {
    let project = installed();
    project.write_manifest(&["greet"], "", "");
    project.installed();
    damage(&project);
    project.pinfold("verify").arg("--repair").run().expect_code(0);
    let past = project.pinfold("history").run().expect_code(0).expect_stdout("!    2  damaged: ");
    // Each is listed once, and none of those that are listed is counted among those that are gone.
    assert_eq!((past.stdout.lines().count(), past.stderr.contains("no longer kept")), (3, false), "{past}");
    project.pinfold("rollback").arg("2").run().expect_refusal("damaged-generation");
    // Generation 2 is passed over: the one before it is the newest that is fine.
    project.pinfold("rollback").run().expect_code(0).expect_stderr("generation 1 ");
    assert_eq!(project.python("import more_of_it; print(more_of_it.MORE)"), "1\n");
}

#[test]
fn nothing_is_done_where_nothing_is_wrong() {
    let project = installed();
    let before = project.home.snapshot("project/.venv");
    project
        .pinfold("verify")
        .args(["--repair", "--format", "json"])
        .run()
        .expect_code(0)
        .expect_stdout("\"outcome\":\"nothing\"");
    assert_eq!(project.home.snapshot("project/.venv"), before);
}

#[test]
fn what_the_store_lacks_is_named_and_fetched_by_a_sync() {
    let project = installed();
    damage(&project);
    project.forget_cache();
    let before = project.home.snapshot("project/.venv");
    project.server.forget_requests();
    let report = project.pinfold("verify").arg("--repair").run().expect_code(1);
    for part in
        ["`greet-1.0-py3-none-any.whl` (sha256 ", "`more-1.0-py3-none-any.whl` (sha256 ", "`pinfold sync` fetches it"]
    {
        assert!(report.stderr.contains(part), "{part}: {report}");
    }
    assert!(project.server.requests().is_empty());
    assert_eq!(project.home.snapshot("project/.venv"), before);
    project.sync().expect_code(0).expect_stderr("damaged");
    project.pinfold("verify").run().expect_code(0);
    // That it was damaged is said once: the next sync has nothing to do.
    project.sync().expect_code(0).expect_stderr("up to date");
}

#[test]
fn nothing_is_made_of_a_stored_file_that_was_written_to_through_the_environment() {
    let project = installed();
    write_through(&site(&project).join("hello/other.py"), "OTHER = 2\n");
    let before = project.home.snapshot("project/.venv");
    let report = project.pinfold("verify").arg("--repair").run().expect_code(1).expect_stdout("changed: ");
    for part in ["the store's own", "was put aside", "the store lacks `greet-1.0-py3-none-any.whl`"] {
        assert!(report.stderr.contains(part), "{part}: {report}");
    }
    assert_eq!(project.home.snapshot("project/.venv"), before);
    project.sync().expect_code(0);
    assert_eq!(project.python("import hello.other; print(hello.other.OTHER)"), "1\n");
    project.pinfold("verify").run().expect_code(0);
}

/// What has the right bytes is no damage: somebody took a right away, or copied the cache.
#[test]
fn a_store_whose_files_only_moved_is_repaired_from() {
    let project = installed();
    let give = |mode| {
        let file = site(&project).join("hello/other.py");
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode)).expect("it is ours");
    };
    give(0o644);
    project.pinfold("verify").arg("--repair").run().expect_code(0).expect_stderr("repaired: generation 2");
    let (cache, copy) = (project.home.cache(), project.home.cache().with_file_name("copy"));
    copy_tree(&cache, &copy);
    std::fs::remove_dir_all(&cache).expect("can remove it");
    std::fs::rename(&copy, &cache).expect("can move it");
    damage(&project);
    let repaired = project.pinfold("verify").arg("--repair").run().expect_code(0);
    assert!(!repaired.stderr.contains("changed too"), "{repaired}");
    project.pinfold("verify").run().expect_code(0);
    assert_eq!(std::fs::read_dir(cache.join("store/quarantine")).expect("it is there").count(), 0);
}

#[test]
fn a_repair_lets_no_former_generation_go() {
    let project = installed();
    for version in 1..=6 {
        project.write_manifest(if version % 2 == 0 { &["greet", "more"] } else { &["greet"] }, "", "");
        project.lock();
        project.pinfold("sync").args(["--keep", "9"]).run().expect_code(0);
    }
    std::fs::remove_file(site(&project).join("hello/other.py")).expect("can remove it");
    project.pinfold("verify").arg("--repair").run().expect_code(0);
    let past = project.pinfold("history").run().expect_code(0);
    assert_eq!((past.stdout.lines().count(), past.stderr.contains("no longer kept")), (8, false), "{past}");
}

#[test]
fn what_was_found_is_told_where_the_repair_fails() {
    let project = installed();
    damage(&project);
    project.home.write(".pinfold-.venv/damaged", "a file where a directory should be");
    let run = project.pinfold("verify").args(["--repair", "--format", "json"]).run();
    assert!(matches!(run.code, 3 | 4), "{run}");
    drop(run.expect_stdout("hello/other.py").expect_stdout("\"outcome\":\"failed\"").expect_stderr("damaged"));
}

#[test]
fn another_lock_is_for_sync_to_install() {
    let project = installed();
    damage(&project);
    project.tamper("created-by = \"pinfold\"", "created-by = \"somebody\"");
    let before = project.home.snapshot("project/.venv");
    project.pinfold("verify").arg("--repair").run().expect_code(1).expect_stderr("`pinfold sync` installs this one");
    assert_eq!(project.home.snapshot("project/.venv"), before);
    project.sync().expect_code(0);
    project.pinfold("verify").run().expect_code(0);
}

#[test]
fn without_a_receipt_nothing_is_guessed() {
    let project = installed();
    overwrite(&project.home.project().join(".venv/.pinfold/receipt.json"), "{}");
    let before = project.home.snapshot("project/.venv");
    let report = project.pinfold("verify").arg("--repair").run().expect_code(1).expect_stdout("receipt-changed: ");
    assert!(report.stderr.contains("move the environment away"), "{report}");
    assert_eq!(project.home.snapshot("project/.venv"), before);
    project.pinfold("verify").args(["--repair", "--venv", "nowhere"]).run().expect_code(2);
    assert!(!project.home.has("project/.pinfold-nowhere"));
}

#[test]
fn compiled_modules_are_compiled_again() {
    let project = Project::new(index(), &["greet"]);
    project.lock();
    project.pinfold("sync").arg("--compile-bytecode").run().expect_code(0);
    let compiled = site(&project).join("hello/__pycache__");
    std::fs::remove_dir_all(&compiled).unwrap();
    project.pinfold("verify").arg("--repair").run().expect_code(0);
    assert_eq!(std::fs::read_dir(&compiled).unwrap().count(), 2);
    project.pinfold("verify").run().expect_code(0).expect_stderr("files of bytecode proven");
}

/// The environment but for what differs each time it is made.
fn comparable(project: &Project) -> Vec<(String, String)> {
    let own = |(path, _): &(String, String)| !path.contains(".pinfold/");
    project.home.snapshot(".venv").into_iter().filter(own).collect()
}

#[test]
fn killed_anywhere_a_repair_leaves_the_damaged_environment_or_the_right_one() {
    let project = installed();
    let right = comparable(&project);
    let prepare = || {
        for directory in [".venv", ".pinfold-.venv"] {
            std::fs::remove_dir_all(project.home.project().join(directory)).unwrap();
        }
        project.sync().expect_code(0);
        damage(&project);
        comparable(&project)
    };
    let damaged = prepare();
    assert_ne!(damaged, right);
    let repair = || project.pinfold("verify").arg("--repair");
    let traced = match repair().traced(Watching::Changes, None) {
        Ok(traced) => traced,
        Err(reason) => return announce_skipped("killing during a repair", &reason),
    };
    assert!(traced.finished.code == 0 && comparable(&project) == right, "{}", traced.finished);
    let step = std::env::var(crate::kill::EVERY_POINT).map_or(STEP, |step| step.parse().unwrap_or(1));
    let mut outcomes = std::collections::BTreeSet::new();
    for point in traced.points.iter().step_by(step) {
        prepare();
        let killed = repair().traced(Watching::Changes, Some((point, Meddling::Kill))).expect("it was traced before");
        let now = comparable(&project);
        assert!(now == damaged || now == right, "{point}: a mixture: {}", killed.finished);
        outcomes.insert(now == right);
        // Wherever it was killed, no rollback gives the damaged one, and the next repair is a whole one.
        let back = project.pinfold("rollback").run();
        assert!(back.code != 0 && (comparable(&project) == now), "{point}: {back}");
        let again = repair().run();
        assert!(again.code == 0 && comparable(&project) == right, "{point}: {again}");
        project.pinfold("verify").run().expect_code(0);
        let back = project.pinfold("rollback").run();
        assert!(back.code != 0 && comparable(&project) == right, "{point}: {back}");
    }
    assert!(outcomes.contains(&false) && outcomes.len() <= 2, "{outcomes:?}");
}

/// One of so many points is taken, unless all are asked for.
const STEP: usize = 8;
