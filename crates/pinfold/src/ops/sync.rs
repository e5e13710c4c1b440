//! `pinfold sync`: the environment becomes exactly what the lock says, or stays what it was.
//!
//! The newcomer's first file. Each step takes what the one before has proved: a [`Selection`] comes only from a lock that may
//! be used, a stored artifact only from bytes with the locked digest, a staged generation only from stored trees; and only
//! the last step, one exchange of two directories, changes what the user has.

use std::path::{Path, PathBuf};

use pinfold_artifact::Sha256;
use pinfold_fetch::Connectivity;
use pinfold_install::{
    Adoption, AsOf, Bytecode, Environment, EnvironmentGuard, Intent, Interpreter, LinkMode, LockAsOf, Older, Plan,
    Receipt, Relocation, StageOptions, former_count, plan, prune,
};
use pinfold_lock::{Selection, Wanted, select};
use pinfold_packaging::Specifiers;

use super::LockFile;
use super::downloads::{self, Downloads};
use super::environments::{self, Patience};
use super::remember;
use super::trees::{self, Workshop};
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::world::World;

/// What was asked for.
#[derive(Debug)]
pub struct SyncRequest<'a> {
    /// The lock.
    pub lock: &'a Path,
    /// The environment.
    pub venv: &'a Path,
    /// The interpreter, if one was named.
    pub python: Option<&'a Path>,
    /// Extras and groups.
    pub wanted: Wanted,
    /// Whether sockets may be opened.
    pub connectivity: Connectivity,
    /// How files reach the environment.
    pub link_mode: LinkMode,
    /// Whether modules are compiled now.
    pub bytecode: Bytecode,
    /// Whether the environment may be moved, if that is said; else it stays as it is in this.
    pub relocation: Option<Relocation>,
    /// How many former generations are kept, if that is said.
    pub keep: Option<usize>,
    /// What to do with an environment that another tool made.
    pub adoption: Adoption,
    /// How long to wait for the environment.
    pub patience: Patience,
    /// Whether it is to be counted what must be downloaded.
    pub counts_downloads: bool,
    /// Whether anything is to be changed.
    pub extent: Extent,
}

/// How far a sync goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All the way.
    Apply,
    /// Up to the plan.
    Plan,
}

/// What a sync came to.
#[derive(Debug)]
pub struct Synced {
    /// What had to change.
    pub plan: Plan,
    /// What was selected.
    pub selection: Selection,
    /// Digest of the lock.
    pub lock_sha256: Sha256,
    /// What had to be downloaded, if it was to be counted.
    pub downloads: Option<Downloads>,
    /// The receipt of the new generation; none if nothing was changed.
    pub receipt: Option<Receipt>,
    /// Where the environment of another tool is kept now, if there was one.
    pub set_aside: Option<PathBuf>,
}

/// Makes the environment exactly what the lock says.
///
/// # Errors
/// Exit 2 for an input that cannot be read, 3 for a refusal, 4 if the world failed. The environment is then as it was.
pub fn sync(request: &SyncRequest<'_>, world: &World, output: &Output) -> Result<Synced, Failure> {
    let read = super::read_lock(request.lock)?;
    read.warnings.iter().for_each(|warning| output.warning(warning));
    let environment = Environment::at(request.venv)?.adopting(request.adoption);
    let aim = Aim::of(environment.receipt()?, &read, request, world)?;
    let changes = aim.plan(&environment, &read, request);
    changes.older.iter().for_each(|older| output.warning(&older_lock(older, request)));
    let counts = request.counts_downloads && !changes.is_empty();
    let downloads = if counts { Some(downloads::count(&aim.selection, world)?) } else { None };
    if request.extent == Extent::Plan {
        return Ok(aim.unchanged(changes, &read, downloads));
    }
    if changes.is_empty() {
        environment.settle()?;
        record_up_to_date(&environment, aim.receipt.as_ref(), request, output)?;
        if has_surplus(&environment, request)? {
            forget_surplus(&environments::lock(&environment, request.patience, output)?, request, output)?;
        }
        remember::remember_if_new(&environment, world, output);
        return Ok(aim.unchanged(changes, &read, downloads));
    }
    let guard = environments::lock(&environment, request.patience, output)?;
    environments::record_present(&guard, output)?;
    // Another process may have changed it meanwhile: what it is then is what stays as it is.
    let receipt = guard.receipt()?;
    let aim = if receipt == aim.receipt { aim } else { Aim::of(receipt, &read, request, world)? };
    let changes = aim.plan(&environment, &read, request);
    if changes.is_empty() {
        forget_surplus(&guard, request, output)?;
        return Ok(aim.unchanged(changes, &read, downloads));
    }
    let is_adopted = environment.is_to_be_adopted()?;
    let receipt = install(&guard, &aim, &read, request, world, output)?;
    let set_aside = is_adopted.then(|| environment.set_aside(receipt.generation));
    remember::remember(&environment, world, output);
    Ok(Synced { receipt: Some(receipt), set_aside, ..aim.unchanged(changes, &read, downloads) })
}

/// What the environment is to be, given what it is.
struct Aim {
    receipt: Option<Receipt>,
    interpreter: Interpreter,
    selection: Selection,
    lock_as_of: Option<LockAsOf>,
}

impl Aim {
    /// Finds the interpreter, and selects for it.
    fn of(
        receipt: Option<Receipt>,
        read: &LockFile,
        request: &SyncRequest<'_>,
        world: &World,
    ) -> Result<Self, Failure> {
        let requires = read.lock.requires_python.as_ref();
        let interpreter = match receipt.as_ref().map(|receipt| &receipt.interpreter) {
            Some(known) if is_known(known, request.python, requires) => known.clone(),
            _ if request.extent == Extent::Plan => world.interpreter_in_passing(request.python, requires)?,
            _ => world.interpreter(request.python, requires)?,
        };
        let selection = select(&read.lock, &interpreter.host()?, &request.wanted)?;
        Ok(Self { receipt, interpreter, selection, lock_as_of: LockAsOf::of(&read.lock) })
    }

    fn intent<'a>(
        &'a self,
        environment: &'a Environment,
        read: &'a LockFile,
        request: &'a SyncRequest<'_>,
    ) -> Intent<'a> {
        Intent {
            environment,
            interpreter: &self.interpreter,
            lock_sha256: &read.sha256,
            selection: &self.selection,
            wanted: &request.wanted,
            lock_as_of: self.lock_as_of.as_ref(),
            relocation: request.relocation.or(self.receipt.as_ref().map(Receipt::relocation)).unwrap_or_default(),
        }
    }

    fn plan(&self, environment: &Environment, read: &LockFile, request: &SyncRequest<'_>) -> Plan {
        let receipt = self.receipt.as_ref();
        plan(&self.intent(environment, read, request), receipt).asking(request.link_mode, request.bytecode, receipt)
    }

    fn unchanged(self, plan: Plan, read: &LockFile, downloads: Option<Downloads>) -> Synced {
        let (selection, lock_sha256) = (self.selection, read.sha256);
        Synced { plan, selection, lock_sha256, downloads, receipt: None, set_aside: None }
    }
}

/// Builds a new generation and puts it in place.
fn install(
    guard: &EnvironmentGuard,
    aim: &Aim,
    read: &LockFile,
    request: &SyncRequest<'_>,
    world: &World,
    output: &Output,
) -> Result<Receipt, Failure> {
    let store = world.store()?;
    let fetcher = world.fetcher(request.connectivity, super::lock::logins(&read.lock, request.connectivity)?)?;
    let accepts = read.lock.tool.as_ref().map_or(&[][..], |tool| &tool.accepts);
    let interpreter = &aim.interpreter;
    let workshop = Workshop { world, store: &store, fetcher: &fetcher, output, interpreter, gives_up: true };
    let (now, compiled) = (world.now().to_string(), world.compiled_dir());
    let options = StageOptions {
        link_mode: request.link_mode,
        bytecode: request.bytecode,
        compiled: compiled.as_deref(),
        installed_at: &now,
        keep: request.keep.unwrap_or(StageOptions::KEEP),
        total: &|_| {},
        progress: &|_| {},
    };
    let intent = aim.intent(guard.environment(), read, request);
    let placed = trees::stage(&workshop, guard, &intent, &options, accepts, "installing")?.exchange()?;
    environments::tell_untidy(&placed, output);
    Ok(placed.receipt)
}

/// Notes what is in place and up to date. Where that cannot be done it is told: an environment may be there to be read only.
fn record_up_to_date(
    environment: &Environment,
    receipt: Option<&Receipt>,
    request: &SyncRequest<'_>,
    output: &Output,
) -> Result<(), Failure> {
    let record = || {
        if !receipt.map_or(Ok(true), |receipt| environment.is_recorded(receipt))? {
            let guard = environments::lock(environment, request.patience, output)?;
            environments::record_present(&guard, output)?;
        }
        Ok::<_, Failure>(())
    };
    match record() {
        Err(failure) if failure.exit == Exit::World => {
            output.warning(&format!("what is in place cannot be noted in the ledger: {}", failure.in_one_line()));
            Ok(())
        }
        result => result,
    }
}

/// Returns true if it was said how many former generations are kept, and there are more.
fn has_surplus(environment: &Environment, request: &SyncRequest<'_>) -> Result<bool, Failure> {
    Ok(request.keep.map_or(Ok(false), |keep| former_count(environment).map(|count| count > keep))?)
}

/// Lets go of former generations where nothing is to be installed: only if it was said how many are kept.
fn forget_surplus(guard: &EnvironmentGuard, request: &SyncRequest<'_>, output: &Output) -> Result<(), Failure> {
    if !has_surplus(guard.environment(), request)? {
        return Ok(());
    }
    let gone = prune(guard, request.keep.unwrap_or(StageOptions::KEEP))?;
    let (noun, verb) = if gone == 1 { ("generation", "is") } else { ("generations", "are") };
    output.status(&format!("{gone} former {noun} {verb} no longer kept"));
    Ok(())
}

/// Returns true if the interpreter of the environment serves again, and would say of itself what it said before.
fn is_known(known: &Interpreter, given: Option<&Path>, requires: Option<&Specifiers>) -> bool {
    given.is_none_or(|path| known.is_program(path))
        && requires.is_none_or(|requires| requires.contains(&known.version))
        && known.is_current()
}

/// Says what both locks are of: whoever gives an older lock brings back what was mended since (LK15).
fn older_lock(older: &Older, request: &SyncRequest<'_>) -> String {
    let shown = |as_of: &LockAsOf| match as_of.kind {
        AsOf::Cutoff => format!("of {}", as_of.time),
        AsOf::NewestFile => format!("with files up to {}", as_of.time),
    };
    format!(
        "`{}` is older than what is installed: it is a lock {}, `{}` was made from one {}\n\
         to go back to a former environment, use `pinfold rollback`",
        request.lock.display(),
        shown(&older.lock),
        request.venv.display(),
        shown(&older.installed),
    )
}
