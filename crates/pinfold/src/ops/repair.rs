//! `pinfold verify --repair`: what was found is put right from the store, offline, or nothing is changed.
//!
//! Nothing is mended in place: a new generation is built from the stored trees as `sync` builds one, every byte of it is
//! read, and it takes the environment's place in one step. The damaged one is kept beside the history for whoever wants to
//! look at it, marked, so that no rollback leads back to it (decision 15).
//!
//! Two things are somebody's decision and not damage: another lock, and another interpreter. Those are left to `sync`.

use std::path::Path;

use pinfold_fetch::Connectivity;
use pinfold_install::{
    Bytecode, Depth, Environment, EnvironmentGuard, Finding, FindingCode, InstallError, Intent, Receipt, Report,
    StageOptions, Staged, VerifyOptions, stage,
};
use pinfold_lock::{ArtifactKind, Selected, Selection, Wanted, select};
use pinfold_store::{Readiness, Store};

use super::LockFile;
use super::environments::{self, Patience};
use super::remember::remember;
use super::trees::{self, Trees, Workshop};
use crate::exit::Failure;
use crate::logins::Logins;
use crate::output::Output;
use crate::world::World;

/// What a repair came to.
#[derive(Debug)]
pub struct Repair {
    /// What was found before.
    pub report: Report,
    /// What was done about it.
    pub outcome: Outcome,
}

/// What was done about what was found.
#[derive(Debug)]
pub enum Outcome {
    /// The repair itself failed; the environment is as it was.
    Failed(Box<Failure>),
    /// It could not be put right; the environment is as it was.
    Left(Vec<String>),
    /// Nothing was wrong.
    Nothing,
    /// A new generation is in place.
    Repaired {
        /// Its number.
        generation: u64,
        /// The number of the damaged one.
        damaged: u64,
    },
}

/// Verifies an environment, and puts right what is wrong. What was found is told also where that fails.
///
/// # Errors
/// As [`verify`](super::verify::verify); exit 4 if another process takes too long. The environment is then as it was.
pub fn repair(venv: &Path, lock: &Path, patience: Patience, world: &World, output: &Output) -> Result<Repair, Failure> {
    let read = super::read_lock(lock)?;
    let environment = Environment::at(venv)?;
    match environment.receipt() {
        // An environment that is not there is the same mistake as without `--repair`, and nothing is made for it.
        Ok(None) => return Err(InstallError::NoEnvironment { path: environment.venv().to_owned() }.into()),
        Err(InstallError::Receipt { .. }) => {
            let report = super::verify::verify((venv, patience), lock, Depth::Full, world, output)?;
            return Ok(Repair { report, outcome: Outcome::Left(vec![NO_RECEIPT.to_owned()]) });
        }
        _ => {}
    }
    let store = world.store()?;
    let guard = environments::lock(&environment, patience, output)?;
    let Some(receipt) = guard.receipt()? else {
        return Err(InstallError::NoEnvironment { path: environment.venv().to_owned() }.into());
    };
    let bar = output.byte_bar("verifying", receipt.total_bytes);
    let compiled = world.compiled_dir();
    let options = VerifyOptions {
        depth: Depth::Full,
        store: Some(&store),
        compiled: compiled.as_deref(),
        progress: &|bytes| bar.inc(bytes),
    };
    let report = guard.verify(&read.lock, &read.sha256, &options)?;
    bar.finish_and_clear();
    if report.findings.is_empty() {
        guard.unmark_damaged(receipt.generation)?;
        return Ok(Repair { report, outcome: Outcome::Nothing });
    }
    if report.findings.iter().all(|finding| finding.code == FindingCode::LedgerBroken) {
        guard.unmark_damaged(receipt.generation)?;
        return Ok(Repair { report, outcome: Outcome::Left(vec![LEDGER.to_owned()]) });
    }
    let decisions = decisions(&report.findings);
    if !decisions.is_empty() {
        return Ok(Repair { report, outcome: Outcome::Left(decisions) });
    }
    let bench = Bench { world, store: &store, read: &read, guard: &guard, receipt: &receipt, output };
    let outcome = match bench.replace() {
        Ok(Ok(generation)) => {
            remember(&environment, world, output);
            Outcome::Repaired { generation, damaged: receipt.generation }
        }
        Ok(Err(reasons)) => Outcome::Left(reasons),
        Err(failure) => Outcome::Failed(Box::new(failure)),
    };
    Ok(Repair { report, outcome })
}

/// Returns what only a person can decide.
fn decisions(findings: &[Finding]) -> Vec<String> {
    let has = |code| findings.iter().any(|finding| finding.code == code);
    let known = [
        (
            FindingCode::LockChanged,
            "the lock is another than the one that was installed: `pinfold sync` installs this one, or put the former one back",
        ),
        (
            FindingCode::InterpreterChanged,
            "the interpreter is another: if it was upgraded on purpose, `pinfold sync` makes the environment anew for it",
        ),
    ];
    known.into_iter().filter(|(code, _)| has(*code)).map(|(_, text)| text.to_owned()).collect()
}

/// What rebuilding needs.
struct Bench<'a> {
    world: &'a World,
    store: &'a Store,
    read: &'a LockFile,
    guard: &'a EnvironmentGuard,
    receipt: &'a Receipt,
    output: &'a Output,
}

impl<'a> Bench<'a> {
    /// Marks the generation, so that nobody is led back to it, and puts one in its place as [`Bench::rebuild`] does.
    fn replace(&self) -> Result<Result<u64, Vec<String>>, Failure> {
        self.guard.mark_damaged(self.receipt.generation)?;
        self.rebuild()
    }

    /// Builds the generation, checks it and puts it in place; returns its number, or why the environment stays as it is.
    fn rebuild(&self) -> Result<Result<u64, Vec<String>>, Failure> {
        let interpreter = &self.receipt.interpreter;
        let wanted = Wanted { extras: self.receipt.extras.clone(), groups: self.receipt.groups.clone() };
        let selection = select(&self.read.lock, &interpreter.host()?, &wanted)?;
        let trees = match self.trees(&selection)? {
            Ok(trees) => trees,
            Err(reasons) => return Ok(Err(reasons)),
        };
        let intent = Intent {
            environment: self.guard.environment(),
            interpreter,
            lock_sha256: &self.read.sha256,
            selection: &selection,
            wanted: &wanted,
            lock_as_of: self.receipt.lock_as_of.as_ref(),
            relocation: self.receipt.relocation(),
        };
        let (now, compiled) = (self.world.now().to_string(), self.world.compiled_dir());
        let bytecode = if self.guard.has_compiled_modules() { Bytecode::Compile } else { Bytecode::Leave };
        let options = StageOptions {
            link_mode: self.receipt.link_mode,
            bytecode,
            compiled: compiled.as_deref(),
            installed_at: &now,
            // The damaged one takes a place in the history, and should push no good one out of it.
            keep: usize::MAX,
            total: &|_| {},
            progress: &|_| {},
        };
        let (staged, trees) = match self.staged(&intent, trees, &options)? {
            Ok(staged) => staged,
            Err(reasons) => return Ok(Err(reasons)),
        };
        let bar = self.output.byte_bar("checking", staged.receipt().total_bytes);
        let wrong = staged.check(&|bytes| bar.inc(bytes))?;
        bar.finish_and_clear();
        if !wrong.is_empty() {
            drop(staged);
            let owned = |it: &Finding| {
                (it.package.as_ref().map(ToString::to_string).unwrap_or_default(), it.path.clone(), it.found.clone())
            };
            let changed: Vec<_> = wrong.iter().map(owned).collect();
            return Ok(Err(self.put_aside(&selection, &trees, &changed)?));
        }
        let placed = staged.exchange()?;
        environments::tell_untidy(&placed, self.output);
        Ok(Ok(placed.receipt.generation))
    }

    /// Builds the generation. A stored file that moved is read: whoever only touched it, or copied the store, changed nothing.
    fn staged(
        &self,
        intent: &Intent<'_>,
        trees: Trees,
        options: &StageOptions<'_>,
    ) -> Result<Result<(Staged<'a>, Trees), Vec<String>>, Failure> {
        match stage(self.guard, intent, &trees, options) {
            Err(InstallError::StoreChanged { .. }) => {}
            staged => return Ok(Ok((staged?, trees))),
        }
        let trees = match self.ready(intent.selection, trees)? {
            Ok(trees) => trees,
            Err(reasons) => return Ok(Err(reasons)),
        };
        match stage(self.guard, intent, &trees, options) {
            // Somebody goes on writing there.
            Err(InstallError::StoreChanged { package, path, difference }) => {
                Ok(Err(self.put_aside(intent.selection, &trees, &[(package.to_string(), path, difference)])?))
            }
            staged => Ok(Ok((staged?, trees))),
        }
    }

    /// Looks at every file of the trees. Returns them as they are now, or which were put aside.
    fn ready(&self, selection: &Selection, trees: Trees) -> Result<Result<Trees, Vec<String>>, Failure> {
        let (mut ready, mut reasons) = (Trees::new(), Vec::new());
        for (name, tree) in trees {
            match self.store.ready(tree)? {
                Readiness::Ready(tree) => drop(ready.insert(name, tree)),
                Readiness::Damaged(damage) => {
                    reasons.extend(damage.iter().map(|it| changed_too(&it.path, &it.found)));
                    reasons.extend(selection.packages.iter().filter(|it| it.name == name).map(lacks));
                }
            }
        }
        // Told here, with what it means.
        drop(self.store.take_damage());
        Ok(if reasons.is_empty() { Ok(ready) } else { Err(reasons) })
    }

    /// Returns the stored trees of everything that is selected, or what the store lacks.
    fn trees(&self, selection: &Selection) -> Result<Result<Trees, Vec<String>>, Failure> {
        let lacking = self.lacking(selection)?;
        if !lacking.is_empty() {
            return Ok(Err(lacking));
        }
        let fetcher = self.world.fetcher(Connectivity::Offline, Logins::default())?;
        let accepts = self.read.lock.tool.as_ref().map_or(&[][..], |tool| &tool.accepts);
        let workshop = Workshop {
            world: self.world,
            store: self.store,
            fetcher: &fetcher,
            output: self.output,
            interpreter: &self.receipt.interpreter,
            gives_up: true,
        };
        let failure = match trees::make(&workshop, selection, accepts, &|_, _| {}) {
            Ok(trees) => return Ok(Ok(trees)),
            Err(failure) => failure,
        };
        // A tree that was changed in the store was put aside while looking.
        let lacking = self.lacking(selection)?;
        Ok(Err(if lacking.is_empty() { vec![failed(&failure)] } else { lacking }))
    }

    fn lacking(&self, selection: &Selection) -> Result<Vec<String>, Failure> {
        let mut lacking = Vec::new();
        for selected in selection.packages.iter().filter(|it| it.kind == ArtifactKind::Wheel && it.direct.is_none()) {
            if !self.store.holds(&selected.artifact)? {
                lacking.push(lacks(selected));
            }
        }
        Ok(lacking)
    }

    /// Puts trees aside that are not what was stored: they were written to through a link, and nothing is made of them. Returns
    /// why there is no repair, which is never nothing.
    fn put_aside(
        &self,
        selection: &Selection,
        trees: &Trees,
        changed: &[(String, String, String)],
    ) -> Result<Vec<String>, Failure> {
        let mut reasons = Vec::new();
        for selected in &selection.packages {
            let Some((_, path, difference)) = changed.iter().find(|(name, ..)| *name == selected.name.as_str()) else {
                continue;
            };
            if let Some(tree) = trees.get(&selected.name) {
                self.store.quarantine(tree)?;
            }
            reasons.push(changed_too(path, difference));
            reasons.push(lacks(selected));
        }
        // What no package brings, pinfold wrote a moment ago.
        let is_own = |name: &String| !selection.packages.iter().any(|selected| selected.name.as_str() == name);
        let own = changed.iter().filter(|(name, ..)| is_own(name));
        reasons.extend(own.map(|(_, path, difference)| {
            format!("`{path}` of the new generation was not what had just been written ({difference}): run it again")
        }));
        Ok(reasons)
    }
}

/// Says why the store could not be used: with the system's reason, where that is what failed.
fn failed(failure: &Failure) -> String {
    format!("{}: `pinfold sync` fetches what is missing", failure.in_one_line())
}

fn changed_too(path: &str, found: &str) -> String {
    format!("the store's own `{path}` was changed too ({found}), and was put aside")
}

fn lacks(selected: &Selected) -> String {
    let artifact = &selected.artifact;
    format!("the store lacks `{}` (sha256 {}): `pinfold sync` fetches it", artifact.filename, artifact.sha256)
}

/// Why a broken ledger stays as it is.
pub(crate) const LEDGER: &str =
    "the chain of the ledger does not hold, and nothing brings the true past back; see `pinfold explain ledger-broken`";
const NO_RECEIPT: &str =
    "without a receipt it is not known what was installed: move the environment away and run `pinfold sync`";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    #[test]
    fn a_reason_is_told_with_what_the_system_said() {
        let failure = Failure::new(Exit::World, "failed to read `a`").with("cause", "Input/output error (os error 5)");
        let expected = "failed to read `a`: Input/output error (os error 5): `pinfold sync` fetches what is missing";
        assert_eq!(failed(&failure), expected);
    }
}
