//! Random lives of two environments that share a store: synced, gone back, used, damaged, repaired, killed in the middle,
//! their cache pruned, damaged and thrown away. After every step both are held against a model, file by file.
//!
//! The model knows each generation's tree. So whatever comes before, a sync gives the environment that its lock gave the first
//! time, a step that fails changes nothing, a rollback gives the tree that was left, `verify` finds exactly what was done, and
//! nothing that is done in one environment reaches the other, but what is written through a shared file.
//!
//! `PINFOLD_LIVES=500` tries so many, `PINFOLD_LIVES_FROM=24` begins with that one. A failure tells the whole life.

use std::collections::{BTreeMap, BTreeSet};

use pinfold_testkit::{Finished, Index, Meddling, Pinfold, Point, Running, TempHome, Watching, WheelRecipe};

use crate::dice::{Dice, numbers};
use crate::kill::scenario::{RECEIPT, Tree, check_store, compared};
use crate::project::Project;
use model::{Environment, Former, Kind, comparable};

mod harm;
mod model;

/// Lives that are tried where nobody asks for more, and the steps of each.
const LIVES: u64 = 4;
const STEPS: usize = 60;
/// The environments, of which all but the first are seldom used.
const ENVIRONMENTS: [&str; 2] = [".venv", "other"];
/// What is required by each lock.
const LOCKS: [&[&str]; 4] = [
    &["kept", "changed==1.0", "removed"],
    &["kept", "changed==2.0", "added"],
    &["kept", "changed==2.0", "added", "removed"],
    &["kept"],
];
/// A command that changes something makes more calls than these.
const FEWEST_POINTS: usize = 5;
/// How many former generations are kept where nobody says.
const KEPT: usize = 3;

/// What was done so far, and what has to be there now.
struct Life {
    number: u64,
    dice: Dice,
    project: Project,
    environments: Vec<Environment>,
    /// What each kind of environment is, since it was made for the first time.
    references: BTreeMap<(usize, Kind), Tree>,
    /// Locks whose packages are all in the store.
    stocked: BTreeSet<usize>,
    /// Something in the store may not be what was stored.
    store_is_harmed: bool,
    /// The calls with which an earlier run of a command changed something.
    points: BTreeMap<String, Vec<Point>>,
    story: Vec<String>,
    /// How often something came about.
    tally: BTreeMap<&'static str, usize>,
}

impl Life {
    fn new(number: u64) -> Self {
        let kept = WheelRecipe::new("kept", "1.0")
            .file("kept/deep/er/data.txt", "data\n")
            .file("shared/__init__.py", "")
            .console_script("kept", "kept:main");
        let changed = |version: &str| {
            let text = format!("V = '{version}'\n");
            WheelRecipe::new("changed", version).file("shared/__init__.py", "").file("changed/module.py", text.as_str())
        };
        let index = Index::new().wheel_from(kept).wheel_from(changed("1.0")).wheel_from(changed("2.0"));
        let index = index.wheel("removed", "1.0").console_script("removed", "removed:main").wheel("added", "1.0");
        let project = Project::new(index, LOCKS[0]);
        for (lock, requirements) in LOCKS.iter().enumerate() {
            project.write_manifest(requirements, "", "");
            project.pinfold("lock").args(["-o", &lock_name(lock)]).run().expect_code(0);
        }
        Self {
            number,
            dice: Dice(number),
            project,
            environments: ENVIRONMENTS.iter().map(|name| Environment::new(name)).collect(),
            references: BTreeMap::new(),
            stocked: BTreeSet::new(),
            store_is_harmed: false,
            points: BTreeMap::new(),
            story: Vec::new(),
            tally: BTreeMap::new(),
        }
    }

    /// The whole life so far, for a message.
    fn told(&self) -> String {
        format!("life {}:\n  {}", self.number, self.story.join("\n  "))
    }

    fn home(&self) -> &TempHome {
        &self.project.home
    }

    fn counts(&mut self, what: &'static str) {
        *self.tally.entry(what).or_default() += 1;
    }

    fn tree(&self, which: usize) -> Tree {
        self.home().snapshot(ENVIRONMENTS[which])
    }

    /// Returns the number of the generation in place.
    fn in_place(&self, which: usize) -> Option<u64> {
        let path = format!("{}/{RECEIPT}", ENVIRONMENTS[which]);
        let receipt = self.home().has(&path).then(|| self.home().read(&path))?;
        let receipt: serde_json::Value = serde_json::from_str(&receipt).expect("a receipt is whole");
        receipt["generation"].as_u64()
    }

    /// Runs a command on an environment.
    fn run(&mut self, which: usize, arguments: &[&str]) -> Finished {
        let finished = self.command(which, arguments).run();
        self.story.push(finished.to_string().trim_end().to_owned());
        finished
    }

    fn command(&self, which: usize, arguments: &[&str]) -> Pinfold<'_> {
        self.project.pinfold(arguments[0]).args(["--venv", ENVIRONMENTS[which]]).args(&arguments[1..])
    }

    /// Runs a command on an environment; now and then it dies at a call with which an earlier run changed something (the exit
    /// code is -1), and the next command makes up for what it left open.
    fn run_or_kill(&mut self, which: usize, arguments: &[&str]) -> Finished {
        let points = self.points.get(arguments[0]).map_or(&[][..], Vec::as_slice);
        if !points.is_empty() && !self.dice.one_in(4) {
            return self.run(which, arguments);
        }
        let point = (!points.is_empty()).then(|| points[self.dice.roll(points.len())].clone());
        let meddle = point.as_ref().map(|point| (point, Meddling::Kill));
        let Ok(traced) = self.command(which, arguments).traced(Watching::Changes, meddle) else {
            return self.run(which, arguments);
        };
        let at = point.as_ref().map_or("(no call is known)".to_owned(), ToString::to_string);
        self.story.push(format!("to be killed before {at}: {}", traced.finished));
        if traced.met {
            assert_eq!(traced.finished.code, -1, "{}", self.told());
            self.counts("killed");
            self.run(which, &["history"]);
        } else if traced.points.len() > FEWEST_POINTS {
            self.points.insert(arguments[0].to_owned(), traced.points);
        }
        traced.finished
    }

    fn step(&mut self) {
        let which = usize::from(self.dice.one_in(4));
        match self.dice.roll(18) {
            0..=3 => self.sync(which),
            4 => self.sync_at_once(),
            5 => self.dry_run(which),
            6..=8 => self.rollback(which),
            9 => self.runs_programs(which),
            10..=12 => self.harm(which),
            13 => self.harm_store(),
            14 => self.verify(which),
            15 | 16 => self.repair(which),
            _ => self.keep_house(),
        }
        self.check();
    }

    /// Both environments and their histories are what the model says, and so is the store.
    fn check(&mut self) {
        let differs = self.environments.iter_mut().find_map(|it| it.differs(&self.project.home));
        assert!(differs.is_none(), "{}\nnot what it should be: {}", self.told(), differs.unwrap_or_default());
        if !self.store_is_harmed && !self.stocked.is_empty() {
            check_store(&self.project, &self.told());
        }
    }

    fn sync(&mut self, which: usize) {
        let lock = self.dice.roll(LOCKS.len());
        let (compiled, offline, copied) = (self.dice.one_in(5), self.dice.one_in(6), self.dice.one_in(6));
        let keep = [None, None, Some(0), Some(1), Some(2)][self.dice.roll(5)];
        let (lock_name, keep_text) = (lock_name(lock), keep.unwrap_or(KEPT).to_string());
        let mut arguments = vec!["sync", "--format", "json", "--lock", &lock_name];
        arguments.extend(compiled.then_some("--compile-bytecode"));
        arguments.extend(offline.then_some("--offline"));
        arguments.extend(copied.then_some(["--link-mode", "copy"]).into_iter().flatten());
        arguments.extend(keep.is_some().then_some(["--keep", &keep_text]).into_iter().flatten());
        let before = self.in_place(which);
        let finished = self.run_or_kill(which, &arguments);
        let wanted = (lock, Kind { which, is_compiled: compiled, is_copied: copied });
        match finished.code {
            0 => self.has_synced(which, wanted, keep, &finished),
            -1 if self.in_place(which) != before => {
                self.is_new(which, wanted);
                self.environments[which].keep_what_is_left(&self.project.home.project(), keep.unwrap_or(KEPT));
            }
            -1 if keep.is_some() && self.environments[which].is_current(lock, compiled) => {
                self.environments[which].keep_what_is_left(&self.project.home.project(), keep.unwrap_or(KEPT));
            }
            -1 => {}
            _ => {
                let may_lack = offline && (self.store_is_harmed || !self.stocked.contains(&lock));
                assert!(may_lack, "{}\na sync failed", self.told());
                self.counts("syncs without what they need");
            }
        }
    }

    /// A sync says that the environment is what was wanted.
    fn has_synced(&mut self, which: usize, wanted: (usize, Kind), keep: Option<usize>, finished: &Finished) {
        let account: serde_json::Value = serde_json::from_str(&finished.stdout).expect("the account is JSON");
        let is_current = self.environments[which].is_current(wanted.0, wanted.1.is_compiled);
        if account["generation"].is_null() {
            assert!(is_current, "{}\nnothing was done", self.told());
            self.counts("syncs of nothing");
            // Nobody who says nothing loses a way back.
            if let Some(keep) = keep {
                self.environments[which].keep(keep);
            }
            return;
        }
        // Another way of linking is a reason to make it anew; where it is the same it is none.
        let linking = account["rebuild"].as_array().is_some_and(|why| why.iter().any(|it| it == "linking"));
        assert!(!is_current || linking, "{}\nit was current", self.told());
        assert_eq!(account["generation"], self.is_new(which, wanted), "{}", self.told());
        self.environments[which].keep(keep.unwrap_or(KEPT));
        self.counts("syncs");
    }

    /// Both environments are synced at the same time.
    fn sync_at_once(&mut self) {
        let locks = [self.dice.roll(LOCKS.len()), self.dice.roll(LOCKS.len())];
        let names = locks.map(lock_name);
        let start = |which: usize| self.command(which, &["sync", "--format", "json", "--lock", &names[which]]).spawn();
        let finished = [start(0), start(1)].map(Running::finish);
        for (which, finished) in finished.iter().enumerate() {
            self.story.push(format!("at once: {finished}"));
            assert_eq!(finished.code, 0, "{}", self.told());
            self.has_synced(which, (locks[which], Kind { which, ..Kind::default() }), None, finished);
        }
    }

    /// A new generation is in place: the one that this lock gave the first time. Returns its number.
    fn is_new(&mut self, which: usize, (lock, kind): (usize, Kind)) -> u64 {
        let tree = self.tree(which);
        let clean = comparable(&tree, kind);
        let first = self.references.entry((lock, kind)).or_insert_with(|| clean.clone());
        let difference = compared(first, &clean);
        assert!(difference.is_empty(), "{}\nnot what this lock gave the first time:\n{difference}", self.told());
        let number = self.in_place(which).expect("it is in place");
        assert!(number > self.environments[which].newest, "{}\na number was given twice", self.told());
        let new = Former { number, lock, kind, clean: tree.clone(), tree, is_marked: false };
        self.environments[which].exchange(new);
        self.stocked.insert(lock);
        number
    }

    fn dry_run(&mut self, which: usize) {
        let lock = lock_name(self.dice.roll(LOCKS.len()));
        let all = |life: &Self| life.home().snapshot("..");
        let before = all(self);
        let finished = self.run(which, &["sync", "--dry-run", "--lock", &lock]);
        assert_eq!(finished.code, 0, "{}", self.told());
        let difference = compared(&before, &all(self));
        assert!(difference.is_empty(), "{}\na dry run changed something:\n{difference}", self.told());
    }

    fn rollback(&mut self, which: usize) {
        let environment = &self.environments[which];
        let known: Vec<u64> = environment.former.keys().copied().collect();
        let wanted = match self.dice.roll(4) {
            0 => None,
            1 => Some(self.dice.roll(environment.newest as usize + 2) as u64),
            _ => (!known.is_empty()).then(|| known[self.dice.roll(known.len())]),
        };
        let arguments: Vec<String> =
            ["rollback".to_owned()].into_iter().chain(wanted.map(|it| it.to_string())).collect();
        let before = self.in_place(which);
        let finished = self.run_or_kill(which, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
        let told = self.told();
        if finished.code == -1 && self.in_place(which) == before {
            return;
        }
        let environment = &mut self.environments[which];
        let Some(current) = environment.current.as_ref().map(|it| it.number) else {
            assert_ne!(finished.code, 0, "{told}");
            return;
        };
        let older = |it: &&Former| it.number < current && !it.is_marked;
        let meant = match wanted {
            Some(number) if number == current => {
                assert_eq!(finished.code, 0, "{told}");
                return;
            }
            Some(number) => environment.former.get(&number),
            None => environment.former.values().rfind(older),
        };
        let outcome = match (meant, finished.code) {
            (None, 1) => "rollbacks to nowhere",
            // Nobody reads its bytes, so some harm is not noticed, and comes with it.
            (Some(meant), 3) if meant.is_marked || meant.is_harmed() => "rollbacks to what is damaged",
            (Some(meant), 0 | -1) if !meant.is_marked => {
                let number = meant.number;
                let meant = environment.former.remove(&number).expect("it was just found");
                environment.exchange(meant);
                "rollbacks"
            }
            _ => panic!("{told}\na rollback to {wanted:?}"),
        };
        self.counts(outcome);
    }

    /// Programs that use the environment leave bytecode, which is no change.
    fn runs_programs(&mut self, which: usize) {
        if self.environments[which].current.as_ref().is_none_or(|it| it.is_harmed()) {
            return;
        }
        let python = self.home().project().join(ENVIRONMENTS[which]).join("bin/python");
        let code = "import kept, shared; print(kept.__name__)";
        let said = pinfold_testkit::run_python(&python, &self.home().project(), code);
        self.story.push(format!("{} runs a program", ENVIRONMENTS[which]));
        assert_eq!(said, "kept\n");
        let tree = self.home().snapshot(ENVIRONMENTS[which]);
        self.environments[which].current.as_mut().expect("it was just used").tree = tree;
    }

    fn verify(&mut self, which: usize) {
        let Some(current) = self.environments[which].current.as_ref() else { return };
        let (is_harmed, lock) = (current.is_harmed(), lock_name(current.lock));
        let finished = self.run(which, &["verify", "--lock", &lock]);
        assert_eq!(finished.code, i32::from(is_harmed), "{}", self.told());
        self.counts(if is_harmed { "findings" } else { "no findings" });
    }

    fn repair(&mut self, which: usize) {
        let Some(current) = self.environments[which].current.as_ref() else { return };
        let (is_harmed, lock, kind, number) = (current.is_harmed(), current.lock, current.kind, current.number);
        let finished = self.run_or_kill(which, &["verify", "--repair", "--lock", &lock_name(lock)]);
        let is_changed = self.in_place(which) != Some(number);
        let mark = format!(".pinfold-{}/damaged/{number}", ENVIRONMENTS[which]);
        let is_marked = self.home().has(&mark);
        self.environments[which].current.as_mut().expect("it is there").is_marked = is_marked;
        match finished.code {
            0 => assert_eq!((is_changed, is_marked), (is_harmed, is_harmed), "{}", self.told()),
            1 => {
                let may_lack = self.store_is_harmed || !self.stocked.contains(&lock);
                let is_kept = is_harmed && is_marked && !is_changed;
                assert!(may_lack && is_kept, "{}\nnot repaired", self.told());
                self.counts("repairs without what they need");
            }
            code => assert_eq!(code, -1, "{}", self.told()),
        }
        if is_changed {
            self.is_new(which, (lock, kind));
            self.environments[which].keep_what_is_left(&self.project.home.project(), KEPT);
            self.counts("repairs");
        }
    }

    /// What is done to the cache as a whole.
    fn keep_house(&mut self) {
        match self.dice.roll(4) {
            0 => {
                let spare = self.home().project().join(".pinfold-.venv/spare");
                let removed = std::fs::remove_dir_all(spare).is_ok();
                self.story.push(format!("the spare is removed: {removed}"));
            }
            1 => {
                let finished = self.project.pinfold("cache").arg("prune").run();
                self.story.push(finished.to_string());
                assert_eq!(finished.code, 0, "{}", self.told());
            }
            2 => {
                let finished = self.project.pinfold("cache").arg("verify").run();
                self.story.push(finished.to_string());
                assert!(finished.code == 0 || (self.store_is_harmed && finished.code == 1), "{}", self.told());
                // What was damaged may have been put aside before.
                if std::mem::take(&mut self.store_is_harmed) {
                    self.stocked.clear();
                }
            }
            _ => {
                self.project.forget_cache();
                self.story.push("the cache is thrown away".to_owned());
                self.stocked.clear();
                self.store_is_harmed = false;
            }
        }
    }
}

fn lock_name(lock: usize) -> String {
    format!("pylock.{lock}.toml")
}

#[test]
fn whatever_happens_an_environment_is_what_its_history_says() {
    let mut tally = BTreeMap::new();
    let lives = numbers("PINFOLD_LIVES", LIVES);
    for number in lives.clone() {
        let mut life = Life::new(number);
        life.sync_at_once();
        (0..STEPS).for_each(|_| life.step());
        for (what, count) in life.tally {
            *tally.entry(what).or_insert(0) += count;
        }
    }
    // Among so many steps each of these comes about.
    let rare = ["repairs without what they need", "rollbacks to what is damaged", "killed"];
    let usual =
        ["syncs", "syncs of nothing", "rollbacks", "rollbacks to nowhere", "repairs", "findings", "no findings"];
    let lacking: Vec<_> = usual.iter().chain(&rare).filter(|what| !tally.contains_key(*what)).collect();
    assert!(lives != (0..LIVES) || lacking.is_empty(), "{lacking:?} never came about: {tally:?}");
}
