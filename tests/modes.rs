//! Modes of files: whoever lost the right to his own files can go on, and nobody else can write to what pinfold makes.
//!
//! To root modes are nothing, so these runs are [bound by modes](pinfold_testkit::bound_by_modes) whoever makes them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use pinfold_testkit::{Index, SdistRecipe, bound_by_modes, sha256_hex};
use serde_json::Value;

use crate::project::Project;

const STATE: &str = ".pinfold-.venv";

fn project() -> Project {
    let versions = ["1.0", "2.0", "3.0"];
    let big = (0..40).fold(Index::new().wheel("big", "1.0"), |index, number| {
        index.module(&format!("big/part{}/module_{number}.py", number % 7), &format!("N = {number}\n"))
    });
    let small = |index: Index, version: &str| {
        let value = format!("V = '{version}'\n");
        index.wheel("small", version).module("small/value.py", &value).console_script("small", "small:main")
    };
    let project = Project::new(versions.into_iter().fold(big, small), &[]);
    for version in versions {
        project.write_manifest(&["big", &format!("small=={version}")], "", "");
        project.pinfold("lock").args(["-o", &format!("pylock.{version}.toml")]).run().expect_code(0);
    }
    project
}

fn sync(project: &Project, version: &str) {
    project.pinfold("sync").args(["--lock", &format!("pylock.{version}.toml"), "--keep", "1"]).run().expect_code(0);
    assert_eq!(project.python("import small.value as v; print(v.V)").trim(), version);
}

fn verified(project: &Project, version: &str) {
    project.pinfold("verify").args(["--lock", &format!("pylock.{version}.toml")]).run().expect_code(0);
}

/// Changes the mode of everything below a directory that is no link, the outermost last.
fn chmod_all(path: &Path, change: &dyn Fn(u32) -> u32) {
    let metadata = path.symlink_metadata().expect("it is there");
    if metadata.is_symlink() {
        return;
    }
    if metadata.is_dir() {
        let entries: Vec<PathBuf> = fs::read_dir(path).expect("can list").flatten().map(|it| it.path()).collect();
        entries.iter().for_each(|entry| chmod_all(entry, change));
    }
    set_mode(path, change(metadata.permissions().mode() & 0o7777));
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
}

/// Returns what is below some directories of the project, themselves too, that others than the owner may write to.
fn open_to_others(project: &Project, directories: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for directory in directories {
        let own = project.home.project().join(directory).symlink_metadata().expect("it is there").permissions().mode();
        let own = ((*directory).to_owned(), format!("{:04o}", own & 0o7777));
        for (path, what) in project.home.snapshot(directory).into_iter().chain([own]) {
            if u32::from_str_radix(&what[..4], 8).is_ok_and(|mode| mode & 0o022 != 0) {
                found.push(format!("{directory}/{path}: {what}"));
            }
        }
    }
    found
}

#[test]
fn a_store_that_lost_its_modes_is_mended_by_the_next_sync() {
    let sdist = SdistRecipe::new("made", "1.0").file("src/made/core.py", "x = 1\n");
    let index = Index::new().wheel("mine", "1.0").module("own/deep.py", "V = 1\n").sdist_from(sdist);
    let wheel = "mine-1.0-py3-none-any.whl";
    let places: [(&str, &str, &Place, bool); 12] = [
        ("the tree", wheel, &|store, digest| tree(store, digest), true),
        ("the manifest", wheel, &|store, digest| tree(store, digest).join("manifest"), true),
        ("the files", wheel, &|store, digest| tree(store, digest).join("files"), true),
        ("a directory", wheel, &|store, digest| tree(store, digest).join("files/own"), true),
        ("a file", wheel, &|store, digest| tree(store, digest).join("files/own/deep.py"), true),
        ("the record", wheel, &|store, digest| artifact(store, digest).with_extension("from"), true),
        ("a shard of trees", wheel, &|store, digest| store.join("trees").join(&digest[..2]), false),
        ("a shard of artifacts", wheel, &|store, digest| store.join("artifacts").join(&digest[..2]), false),
        ("the trees", wheel, &|store, _| store.join("trees"), false),
        ("the store", wheel, &|store, _| store.to_owned(), false),
        ("an artifact", "made-1.0.tar.gz", &|store, digest| artifact(store, digest), true),
        ("its record", "made-1.0.tar.gz", &|store, digest| artifact(store, digest).with_extension("from"), true),
    ];
    let project = Project::with(index, &["mine", "made"], "build = [\"made\"]", "");
    project.installed();
    bound_by_modes("a store that lost its modes", || {
        for (what, file, place, is_told) in places {
            let closing = Closing { project: &project, what, file, place, is_told };
            closing.is_mended_by_a_sync("auto");
            closing.is_mended_by_a_sync("copy");
            closing.is_found_by_verify();
            closing.hinders_no_prune();
        }
    });
}

fn tree(store: &Path, digest: &str) -> PathBuf {
    store.join("trees").join(&digest[..2]).join(digest)
}

fn artifact(store: &Path, digest: &str) -> PathBuf {
    store.join("artifacts").join(&digest[..2]).join(digest)
}

/// Something in the store, of an artifact with this digest.
type Place = dyn Fn(&Path, &str) -> PathBuf + Sync;

/// Something of the store that is closed again and again.
struct Closing<'c> {
    project: &'c Project,
    what: &'c str,
    /// The artifact that it is of.
    file: &'c str,
    place: &'c Place,
    is_told: bool,
}

impl Closing<'_> {
    fn close(&self) {
        let digest = sha256_hex(&self.project.server.file_bytes(self.file));
        set_mode(&(self.place)(&self.project.home.cache().join("store"), &digest), 0);
    }

    /// Makes a second environment, verifies it and takes it away; returns what was said.
    fn sync(&self, mode: &str) -> String {
        // What was built is not built again, and its sdist not looked for.
        let built = self.project.home.cache().join("built");
        if self.file.ends_with(".tar.gz") && built.exists() {
            fs::remove_dir_all(built).expect("it is ours");
        }
        let run = self.project.pinfold("sync").args(["--venv", "second", "--link-mode", mode]).run().expect_code(0);
        self.project.pinfold("verify").args(["--venv", "second"]).run().expect_code(0);
        fs::remove_dir_all(self.project.home.project().join("second")).expect("it was made");
        run.stderr
    }

    fn is_mended_by_a_sync(&self, mode: &str) {
        self.close();
        let said = self.sync(mode);
        assert_eq!(said.contains("warning: the store's entry of"), self.is_told, "{}, {mode}: {said}", self.what);
        self.project.pinfold("cache").arg("verify").run().expect_code(0);
        // Told of once.
        let said = self.sync(mode);
        assert!(!said.contains("warning"), "{}, {mode}: {said}", self.what);
    }

    fn is_found_by_verify(&self) {
        self.close();
        let verify = || self.project.pinfold("cache").arg("verify").run();
        let run = verify().expect_code(i32::from(self.is_told));
        let is_said = ["what may not be read", "cannot be read"].iter().any(|part| run.stdout.contains(part));
        assert_eq!(is_said, self.is_told, "{}: {run}", self.what);
        verify().expect_code(0);
        self.sync("auto");
    }

    fn hinders_no_prune(&self) {
        let prune = |more: &[&str]| drop(self.project.pinfold("cache").arg("prune").args(more).run().expect_code(0));
        self.close();
        prune(&[]);
        self.sync("auto");
        self.close();
        prune(&["--all"]);
        for kind in ["trees", "artifacts"] {
            let shards = fs::read_dir(self.project.home.cache().join("store").join(kind)).expect("it stays").flatten();
            let entries = shards.map(|shard| fs::read_dir(shard.path()).expect("it is a shard").count());
            assert_eq!(entries.sum::<usize>(), 0, "{}: {kind}", self.what);
        }
        self.sync("auto");
    }
}

#[test]
fn an_environment_that_its_owner_may_not_write_to_is_exchanged_rolled_back_repaired_and_removed() {
    let project = project();
    let lock = |mode: u32| mode & !0o222;
    bound_by_modes("an environment without the right to write", || {
        let venv = project.home.project().join(".venv");
        for version in ["1.0", "2.0", "3.0", "1.0", "2.0"] {
            sync(&project, version);
            verified(&project, version);
            chmod_all(&venv, &lock);
        }
        // The history, the spare and what is in place: nothing may be written to.
        chmod_all(&project.home.project().join(STATE).join("generations/4"), &lock);
        chmod_all(&project.home.project().join(STATE).join("spare"), &lock);
        project.pinfold("rollback").run().expect_code(0);
        assert_eq!(project.python("import small.value as v; print(v.V)"), "1.0\n");
        chmod_all(&venv, &lock);
        let module = PathBuf::from(project.python("import small.value as v; print(v.__file__)").trim());
        set_mode(module.parent().expect("it is in a directory"), 0o755);
        fs::remove_file(&module).expect("its directory may be written to");
        project.pinfold("verify").args(["--lock", "pylock.1.0.toml", "--repair"]).run().expect_code(0);
        verified(&project, "1.0");
        for version in ["2.0", "3.0"] {
            chmod_all(&venv, &lock);
            sync(&project, version);
            verified(&project, version);
        }
        // Nothing is left that could not be removed.
        assert!(!project.home.has(&format!("{STATE}/discarded")), "{:?}", project.home.snapshot(STATE));
        let staged = project.home.snapshot(&format!("{STATE}/staging"));
        assert!(staged.is_empty(), "{staged:?}");
    });
}

#[test]
fn whatever_the_umask_nobody_else_may_write_to_what_is_made() {
    let project = project();
    let sync = |umask: &str, version: &str, more: &[&str]| {
        let lock = format!("pylock.{version}.toml");
        let run = project.pinfold("sync").args(["--lock", &lock, "--keep", "1"]).args(more);
        run.under_umask(umask).run().expect_code(0);
        verified(&project, version);
        assert_eq!(open_to_others(&project, &[".venv", STATE]), [""; 0], "{umask} {version} {more:?}");
    };
    sync("000", "1.0", &[]);
    // Also what begins with the spare, is copied, or compiled; and where the umask differs from one to the next.
    for (umask, version) in [("000", "2.0"), ("002", "3.0"), ("000", "1.0"), ("022", "2.0"), ("000", "3.0")] {
        sync(umask, version, &[]);
    }
    sync("000", "1.0", &["--link-mode", "copy", "--compile-bytecode"]);
    project.pinfold("rollback").under_umask("000").run().expect_code(0);
    assert_eq!(open_to_others(&project, &[".venv", STATE]), [""; 0]);
    // A stricter one holds.
    sync("077", "2.0", &["--link-mode", "copy"]);
    let open: Vec<_> = (project.home.snapshot(".venv").into_iter())
        .filter(|(_, what)| !what.starts_with("->") && &what[2..4] != "00")
        .collect();
    assert!(open.is_empty(), "{open:?}");
}

/// As an older pinfold made it, where the umask let others write.
#[test]
fn an_environment_that_others_may_write_to_is_found_in_every_form_and_put_right() {
    let project = project();
    sync(&project, "1.0");
    sync(&project, "2.0");
    let beside = format!("../{STATE}");
    for others in [0o020, 0o022] {
        // What is linked is the store's too, and read-only.
        let open = |mode: u32| if mode & 0o200 == 0 { mode } else { mode | others };
        chmod_all(&project.home.project().join(".venv"), &open);
        chmod_all(&project.home.project().join(STATE), &open);
        let verify = |more: &[&str]| project.pinfold("verify").args(["--lock", "pylock.2.0.toml"]).args(more).run();
        let text = verify(&[]).expect_code(1);
        for (path, mode) in [(".", 0o755), ("bin/small", 0o755), ("bin/activate", 0o644), (&beside[..], 0o755)] {
            let found = format!("found mode {:04o}", mode | others);
            let line = text.stdout.lines().find(|line| line.starts_with(&format!("mode-changed: {path}")));
            assert!(line.is_some_and(|line| line.contains(&found)), "{path}, {found}: {text}");
        }
        verify(&["--quick"])
            .expect_code(1)
            .expect_stdout("mode-changed: .: expected nobody who may write but its owner");
        let json: Value =
            serde_json::from_str(&verify(&["--format", "json"]).expect_code(1).stdout).expect("it is JSON");
        let findings = json["findings"].as_array().expect("a list");
        assert!(findings.iter().any(|it| it["code"] == "mode-changed" && it["path"] == "bin"), "{json}");
        let sarif = verify(&["--format", "sarif"]).expect_code(1).stdout;
        assert!(
            sarif.contains("\"ruleId\":\"mode-changed\"") || sarif.contains("\"ruleId\": \"mode-changed\""),
            "{sarif}"
        );
        verify(&["--repair"]).expect_code(0).expect_stderr("repaired: ");
        assert_eq!(open_to_others(&project, &[".venv"]), [""; 0]);
        verify(&[]).expect_code(0);
    }
}
