//! Changes of an environment that are interrupted: a state to begin from, a command, and what may be there afterwards.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use pinfold_artifact::Sha256;
use pinfold_store::Store;
use pinfold_testkit::{
    Finished, Index, Lacking, Meddling, Pinfold, Point, Python, Traced, Watching, WheelRecipe, sha256,
};

use crate::project::Project;

/// What is below a directory, as [`pinfold_testkit::TempHome::snapshot`] gives it.
pub(crate) type Tree = Vec<(String, String)>;

/// A change that may be interrupted anywhere.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) project: Project,
    /// Makes the state to begin from.
    prepare: fn(&Project),
    /// What is interrupted.
    command: &'static [&'static str],
    /// What is run afterwards, in peace, and gives the new environment.
    again: &'static [&'static str],
    /// The lock of the former environment, if there is one, and of the new one.
    locks: (Option<&'static str>, &'static str),
    /// The new environment, but for what differs each time.
    new: Tree,
    /// What the system cannot do: then two renames do what one exchange does elsewhere, with nothing in place in between.
    lacking: Lacking,
}

/// Which environment is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Found {
    New,
    Old,
}

const GENERATIONS: &str = ".pinfold-.venv/generations";
const SPARE: &str = ".pinfold-.venv/spare";
const OLD: &str = "pylock.old.toml";
const NEW: &str = "pylock.new.toml";
const SYNC_NEW: &[&str] = &["sync", "--lock", NEW];
const SYNC_OLD: &[&str] = &["sync", "--lock", OLD];
const KEEP_OLD: &[&str] = &["sync", "--lock", OLD, "--keep", "1"];
const KEEP_NEW: &[&str] = &["sync", "--lock", NEW, "--keep", "1"];
const COMPILE_NEW: &[&str] = &["sync", "--lock", NEW, "--compile-bytecode"];
const REPAIR: &[&str] = &["verify", "--lock", OLD, "--repair"];
const COPY_NEW: &[&str] = &["sync", "--lock", NEW, "--link-mode", "copy"];

impl Scenario {
    /// The first environment, with nothing in the store.
    pub(crate) fn first_install() -> Self {
        let prepare = |project: &Project| {
            forget(project, ".venv");
            forget(project, ".pinfold-.venv");
            forget(project, "../cache");
            fs::create_dir(project.home.cache()).expect("can make a directory");
        };
        Self::new("first install", prepare, SYNC_NEW, SYNC_NEW, (None, NEW))
    }

    /// One package is changed, one removed, one added and one kept; what is new has to be fetched.
    pub(crate) fn update() -> Self {
        Self::new("update", prepare_update, SYNC_NEW, SYNC_NEW, (Some(OLD), NEW))
    }

    /// As [`Scenario::update`], with everything in the store, files copied instead of linked, and so many generations that
    /// one of them has to go.
    pub(crate) fn update_by_copies() -> Self {
        let prepare = |project: &Project| {
            forget(project, GENERATIONS);
            [SYNC_OLD, SYNC_NEW, SYNC_OLD, SYNC_NEW, SYNC_OLD].iter().for_each(|command| done(project, command));
        };
        Self::new("update by copies", prepare, COPY_NEW, COPY_NEW, (Some(OLD), NEW))
    }

    /// As [`Scenario::update`], with everything in the store and a full history, so that the new environment begins with what
    /// has left it; and that was meddled with.
    pub(crate) fn update_with_spare() -> Self {
        let prepare = |project: &Project| {
            forget(project, GENERATIONS);
            forget(project, SPARE);
            [KEEP_OLD, KEEP_NEW, KEEP_OLD].iter().for_each(|command| done(project, command));
            damage(project, SPARE);
        };
        Self::new("update with a spare", prepare, KEEP_NEW, KEEP_NEW, (Some(OLD), NEW))
    }

    /// As [`Scenario::update`], with everything in the store, and modules compiled.
    pub(crate) fn update_with_bytecode() -> Self {
        let prepare = |project: &Project| {
            forget(project, GENERATIONS);
            done(project, SYNC_OLD);
        };
        Self::new("update with bytecode", prepare, COMPILE_NEW, COMPILE_NEW, (Some(OLD), NEW))
    }

    /// Back to the former environment.
    pub(crate) fn rollback() -> Self {
        let prepare = |project: &Project| {
            forget(project, GENERATIONS);
            [SYNC_NEW, SYNC_OLD, SYNC_NEW].iter().for_each(|command| done(project, command));
        };
        Self::new("rollback", prepare, &["rollback"], SYNC_OLD, (Some(NEW), OLD))
    }

    /// A changed, a missing and an added file are put right from the store.
    pub(crate) fn repair() -> Self {
        let prepare = |project: &Project| {
            forget(project, GENERATIONS);
            done(project, SYNC_OLD);
            damage(project, ".venv");
        };
        // The damaged environment has no lock with which it would verify, and is kept apart from the history.
        Self::new("repair", prepare, REPAIR, REPAIR, (None, OLD))
    }

    /// The first environment, in the place of an empty directory, on a system that cannot exchange two directories.
    pub(crate) fn first_install_in_two_steps() -> Self {
        let prepare = |project: &Project| {
            forget(project, ".venv");
            forget(project, ".pinfold-.venv");
            fs::create_dir(project.home.project().join(".venv")).expect("can make a directory");
        };
        Self::new("first install in two steps", prepare, SYNC_NEW, SYNC_NEW, (None, NEW)).lacking(Lacking::Exchange)
    }

    /// As [`Scenario::update_by_copies`], but with links, on a system that cannot exchange two directories.
    pub(crate) fn update_in_two_steps() -> Self {
        let prepare = |project: &Project| {
            forget(project, GENERATIONS);
            [SYNC_OLD, SYNC_NEW, SYNC_OLD, SYNC_NEW, SYNC_OLD].iter().for_each(|command| done(project, command));
        };
        Self::new("update in two steps", prepare, SYNC_NEW, SYNC_NEW, (Some(OLD), NEW)).lacking(Lacking::Exchange)
    }

    /// As [`Scenario::rollback`], on a system that has no call for anything but a plain rename.
    pub(crate) fn rollback_in_two_steps() -> Self {
        let scenario = Self::rollback();
        Self { name: "rollback in two steps", ..scenario }.lacking(Lacking::RenameFlags)
    }

    fn lacking(self, lacking: Lacking) -> Self {
        Self { lacking, ..self }
    }

    fn new(
        name: &'static str,
        prepare: fn(&Project),
        command: &'static [&'static str],
        again: &'static [&'static str],
        locks: (Option<&'static str>, &'static str),
    ) -> Self {
        let project = project();
        let lacking = Lacking::Nothing;
        let mut scenario = Self { name, project, prepare, command, again, locks, new: Tree::new(), lacking };
        // Everything is fetched once, so that a scenario in which the store is full begins as all its repetitions do.
        done(&scenario.project, SYNC_NEW);
        scenario.prepare();
        scenario.command().run().expect_code(0);
        scenario.new = scenario.comparable();
        scenario.verify(Found::New).expect_code(0);
        scenario
    }

    /// Makes the state to begin from, and returns the environment that is there.
    pub(crate) fn prepare(&self) -> Tree {
        (self.prepare)(&self.project);
        self.tree()
    }

    /// The command that is interrupted.
    pub(crate) fn command(&self) -> Pinfold<'_> {
        command(&self.project, self.command)
    }

    /// Runs the command that is interrupted under a tracer, on a system that can as much as the scenario's.
    pub(crate) fn traced(&self, watching: Watching, meddle: Option<(&Point, Meddling<'_>)>) -> Result<Traced, String> {
        self.command().traced_on(self.lacking, watching, meddle)
    }

    /// Returns true if the environments cannot be exchanged in one step.
    pub(crate) fn is_in_two_steps(&self) -> bool {
        self.lacking != Lacking::Nothing
    }

    /// Runs a command in peace, on a system that can as much as the scenario's.
    fn in_peace(&self, command: Pinfold<'_>) -> Finished {
        if !self.is_in_two_steps() {
            return command.run();
        }
        command.traced_on(self.lacking, Watching::Changes, None).expect("it could be traced a moment ago").finished
    }

    /// Where two renames are needed, there is a moment in which the environment is in neither place: then any command that
    /// reads the history finishes what was begun. True if this was such a moment.
    pub(crate) fn settle(&self, before: &Tree, context: &str) -> bool {
        let is_between = self.is_in_two_steps() && !before.is_empty() && !self.project.home.has(".venv");
        if is_between {
            let settled = self.in_peace(command(&self.project, &["history"]));
            assert!(
                settled.code == 0 && self.project.home.has(".venv"),
                "{context}\nnothing was made up for: {settled}"
            );
        }
        is_between
    }

    /// Returns the environment that is there.
    fn tree(&self) -> Tree {
        self.project.home.snapshot(".venv")
    }

    /// Returns the environment without what differs each time it is made: when, how manieth it is, and how the disk has
    /// recorded its files.
    fn comparable(&self) -> Tree {
        let mut tree = self.tree();
        if let Some((_, entry)) = tree.iter_mut().find(|(path, _)| path == STAMPS) {
            entry.truncate("0644".len());
        }
        if let Some((_, entry)) = tree.iter_mut().find(|(path, _)| path == RECEIPT) {
            let mut receipt = self.receipt(".venv");
            for key in ["generation", "installed_at"] {
                receipt.as_object_mut().and_then(|it| it.remove(key)).unwrap_or_else(|| panic!("no `{key}`"));
            }
            *entry = receipt.to_string();
        }
        tree
    }

    fn receipt(&self, environment: &str) -> serde_json::Value {
        let text = self.project.home.read(&format!("{environment}/{RECEIPT}"));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("the receipt is torn: {error}\n{text}"))
    }

    /// Says which environment is there, and checks that `verify` finds nothing in it. Panics if it is neither.
    pub(crate) fn found(&self, before: &Tree, context: &str) -> Found {
        let found = if self.tree() == *before { Found::Old } else { Found::New };
        if found == Found::New {
            let now = self.comparable();
            assert!(
                now == self.new,
                "{context}\nneither the old environment nor the new one:\n{}",
                compared(&self.new, &now)
            );
        }
        let may_be_empty = self.is_in_two_steps() || !self.project.home.has(".venv");
        assert!(!before.is_empty() || found == Found::New || may_be_empty, "{context}\nan empty environment");
        if found == Found::New || self.locks.0.is_some() {
            let verified = self.verify(found);
            assert!(verified.code == 0, "{context}\n{verified}");
        }
        found
    }

    fn verify(&self, found: Found) -> Finished {
        let lock = if found == Found::New { self.locks.1 } else { self.locks.0.expect("there is an old environment") };
        self.project.pinfold("verify").args(["--lock", lock]).run()
    }

    /// A sync fetches what the store lacks.
    pub(crate) fn syncs(&self, context: &str) {
        let synced = self.in_peace(command(&self.project, SYNC_OLD));
        assert!(synced.code == 0, "{context}\nthe next sync failed: {synced}");
    }

    /// Runs the command once more, in peace: the new environment, the old one in the history, a store that is whole.
    pub(crate) fn goes_on(&self, before: &Tree, context: &str) {
        let again = self.in_peace(command(&self.project, self.again));
        assert!(again.code == 0, "{context}\nthe next run failed: {again}");
        assert!(self.found(before, context) == Found::New, "{context}\nthe next run did nothing: {again}");
        self.history_has(before, context);
        let state = self.project.home.project().join(".pinfold-.venv");
        assert!(fs::read(state.join(".gitignore")).is_ok_and(|text| text == b"*\n"), "{context}\nno `.gitignore`");
        let left = fs::read_dir(state.join("staging")).map_or(0, Iterator::count);
        assert!(
            left == 0 && !state.join("unfinished").exists(),
            "{context}\nsomething was left in {}",
            state.display()
        );
        check_store(&self.project, context);
    }

    /// The environment that was there is in the history, byte for byte.
    fn history_has(&self, before: &Tree, context: &str) {
        if self.locks.0.is_none() {
            return;
        }
        let generations = self.project.home.project().join(GENERATIONS);
        let mut names =
            fs::read_dir(&generations).expect("there is a history").map(|it| it.expect("can list").file_name());
        let kept =
            names.any(|name| self.project.home.snapshot(&format!("{GENERATIONS}/{}", name.display())) == *before);
        assert!(kept, "{context}\nthe former environment is not in the history");
    }
}

/// Four small distributions with what an installer treats specially: scripts, shared directories, a nested package.
fn project() -> Project {
    let kept = WheelRecipe::new("kept", "1.0")
        .file("kept/deep/er/data.txt", "data\n")
        .file("shared/__init__.py", "")
        .data("scripts", "kept-tool", "#!python\n")
        .console_script("kept", "kept:main");
    let changed = |version: &str| {
        WheelRecipe::new("changed", version).file("shared/__init__.py", "").executable("changed/tool", version)
    };
    let index = Index::new()
        .wheel_from(kept)
        .wheel_from(changed("1.0"))
        .wheel_from(changed("2.0"))
        .wheel("removed", "1.0")
        .console_script("removed", "removed:main")
        .wheel("added", "1.0")
        .module("one_file.py", "A = 1\n");
    let project = Project::new(index, &["kept", "changed==1.0", "removed"]);
    project.pinfold("lock").args(["-o", OLD]).run().expect_code(0);
    project.write_manifest(&["kept", "changed==2.0", "added"], "", "");
    project.pinfold("lock").args(["-o", NEW]).run().expect_code(0);
    project
}

/// The old environment; what only the new one needs is not in the store.
fn prepare_update(project: &Project) {
    forget(project, GENERATIONS);
    done(project, SYNC_OLD);
    let of = |lock: &str| {
        let text = project.home.read(lock);
        text.split("sha256 = \"")
            .skip(1)
            .filter_map(|rest| Some(rest.split_once('"')?.0.to_owned()))
            .collect::<BTreeSet<_>>()
    };
    let store = project.home.cache().join("store");
    for digest in of(NEW).difference(&of(OLD)) {
        for kind in ["artifacts", "trees"] {
            for ending in ["", ".from"] {
                remove(&store.join(kind).join(&digest[..2]).join(format!("{digest}{ending}")));
            }
        }
    }
    for kind in ["partial", "staging", "quarantine"] {
        for entry in fs::read_dir(store.join(kind)).expect("there is a store").flatten() {
            remove(&entry.path());
        }
    }
}

/// Changes, removes and adds a file of an environment; the store keeps its own.
fn damage(project: &Project, environment: &str) {
    let venv = project.home.project().join(environment);
    let site = format!("lib/python{}/site-packages", Python::found().minor);
    let (changed, missing) = (format!("{site}/kept/__init__.py"), format!("{site}/kept/deep/er/data.txt"));
    for path in [&changed, &missing] {
        fs::remove_file(venv.join(path)).expect("it was installed");
    }
    project.home.write(&format!("{environment}/{changed}"), "changed = True\n");
    project.home.write(&format!("{environment}/{site}/kept/added.py"), "");
}

fn command<'home>(project: &'home Project, arguments: &[&str]) -> Pinfold<'home> {
    project.pinfold(arguments[0]).args(&arguments[1..])
}

fn done(project: &Project, arguments: &[&str]) {
    command(project, arguments).run().expect_code(0);
}

fn forget(project: &Project, path: &str) {
    remove(&project.home.project().join(path));
}

/// Removes a file or a directory, if it is there.
fn remove(path: &Path) {
    let Ok(metadata) = path.symlink_metadata() else { return };
    let removed = if metadata.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    removed.unwrap_or_else(|error| panic!("cannot remove `{}`: {error}", path.display()));
}

/// Every artifact and every file of every tree in the store still has its bytes.
pub(crate) fn check_store(project: &Project, context: &str) {
    let root = project.home.cache().join("store");
    let store = Store::open(&root).unwrap_or_else(|error| panic!("{context}\n{error}"));
    let entries = |kind: &str| -> Vec<PathBuf> {
        let below = |directory: PathBuf| fs::read_dir(directory).into_iter().flatten().flatten().map(|it| it.path());
        below(root.join(kind)).flat_map(below).collect()
    };
    let digest = |path: &Path| path.file_name().and_then(|name| name.to_str()?.parse::<Sha256>().ok());
    for artifact in entries("artifacts").iter().filter(|path| path.extension().is_none()) {
        let bytes = fs::read(artifact).expect("it was just listed");
        assert!(digest(artifact) == Some(sha256(&bytes)), "{context}\n`{}` has other bytes", artifact.display());
    }
    let trees = entries("trees");
    assert!(!trees.is_empty(), "{context}\nthe store is empty");
    for path in trees {
        let digest = digest(&path).unwrap_or_else(|| panic!("{context}\n`{}` is no entry", path.display()));
        let tree = store.tree(&digest).unwrap_or_else(|error| panic!("{context}\n{error}"));
        let tree = tree.unwrap_or_else(|| panic!("{context}\n`{}` is damaged", path.display()));
        let changes = store.check_tree(&tree).unwrap_or_else(|error| panic!("{context}\n{error}"));
        assert!(changes.is_empty(), "{context}\n`{}`: {changes:?}", path.display());
        for file in &tree.manifest().files {
            let bytes = fs::read(tree.files_dir().join(file.path.as_str())).expect("the tree was checked");
            assert!(sha256(&bytes) == file.sha256, "{context}\n`{}` of `{}`", file.path, path.display());
        }
    }
}

/// Says in what two trees differ; nothing if in nothing.
pub(crate) fn compared(expected: &Tree, found: &Tree) -> String {
    let (expected, found): (BTreeSet<_>, BTreeSet<_>) = (expected.iter().collect(), found.iter().collect());
    let missing = expected.difference(&found).map(|entry| format!("- {entry:?}"));
    let surplus = found.difference(&expected).map(|entry| format!("+ {entry:?}"));
    missing.chain(surplus).collect::<Vec<_>>().join("\n")
}

/// The file of an environment that says when and how manieth it is.
pub(crate) const RECEIPT: &str = ".pinfold/receipt.json";
/// The file of an environment with times and numbers of its files.
pub(crate) const STAMPS: &str = ".pinfold/stamps";
