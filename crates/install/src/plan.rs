//! What has to happen so that an environment is what the lock selects.

use std::collections::BTreeMap;
use std::path::Path;

use pinfold_artifact::Sha256;
use pinfold_lock::{Selected, Selection, Wanted};
use pinfold_packaging::{PackageName, Version};

use crate::{
    Bytecode, Environment, InstalledDistribution, Interpreter, LinkMode, LockAsOf, Older, Receipt, Relocation,
    direct_url, lock_age,
};

/// What an environment is to be.
#[derive(Debug, Clone, Copy)]
pub struct Intent<'a> {
    /// Where.
    pub environment: &'a Environment,
    /// With which interpreter.
    pub interpreter: &'a Interpreter,
    /// Digest of the lock's bytes.
    pub lock_sha256: &'a Sha256,
    /// What the lock selects for the interpreter.
    pub selection: &'a Selection,
    /// The extras and groups that were asked for.
    pub wanted: &'a Wanted,
    /// The state of the index that the lock is of.
    pub lock_as_of: Option<&'a LockAsOf>,
    /// Whether it may be moved.
    pub relocation: Relocation,
}

/// The difference between an environment and what it is to be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// Distributions that come.
    pub added: Vec<Change>,
    /// Distributions whose version or file changes: what they change to.
    pub changed: Vec<Change>,
    /// Distributions that go.
    pub removed: Vec<Change>,
    /// How many stay as they are.
    pub kept: usize,
    /// Why a new generation is needed although no distribution changes.
    pub rebuild: Vec<RebuildReason>,
    /// Set if the lock is older than the installed one.
    pub older: Option<Older>,
}

/// One distribution of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The project's name.
    pub name: PackageName,
    /// The version installed now.
    pub from: Option<Version>,
    /// The version wanted.
    pub to: Option<Version>,
}

/// Why a new generation is needed although no distribution changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RebuildReason {
    /// Modules are to be compiled, and were not.
    Bytecode,
    /// `verify --repair` found the generation damaged, and could not repair it.
    Damaged,
    /// Another interpreter, or the same one after an upgrade.
    Interpreter,
    /// Files are to come from the store in another way.
    LinkMode,
    /// The lock's bytes are others, though they select the same.
    Lock,
    /// The environment was moved: its scripts name the old place.
    Moved,
    /// There is no environment yet.
    New,
    /// It is to be one that may be moved, or no longer.
    Relocation,
    /// Other extras or groups were asked for, though they select the same.
    Wanted,
}

impl Plan {
    /// Returns true if nothing has to be done.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty() && self.rebuild.is_empty()
    }

    /// Adds what was asked for beside what is installed, and that an environment which is there does not have. Nobody who
    /// leaves the choice has a wish.
    #[must_use]
    pub fn asking(mut self, link_mode: LinkMode, bytecode: Bytecode, receipt: Option<&Receipt>) -> Self {
        let Some(receipt) = receipt else { return self };
        let is_other = link_mode != LinkMode::Auto && link_mode != receipt.link_mode;
        self.rebuild.extend(is_other.then_some(RebuildReason::LinkMode));
        let is_missing = bytecode == Bytecode::Compile && receipt.bytecode == Bytecode::Leave;
        self.rebuild.extend(is_missing.then_some(RebuildReason::Bytecode));
        self.rebuild.sort_unstable();
        self
    }
}

/// Compares an environment's receipt with what it is to be.
pub fn plan(intent: &Intent<'_>, receipt: Option<&Receipt>) -> Plan {
    let mut plan = Plan { rebuild: reasons(intent, receipt), ..Plan::default() };
    let installed = receipt.map_or(&[][..], |receipt| &receipt.distributions);
    let mut gone: BTreeMap<&PackageName, &InstalledDistribution> = installed.iter().map(|it| (&it.name, it)).collect();
    for selected in &intent.selection.packages {
        let to = Some(selected.version.clone());
        match gone.remove(&selected.name) {
            Some(now) if is_same(now, selected) => plan.kept += 1,
            Some(now) => {
                plan.changed.push(Change { name: selected.name.clone(), from: Some(now.version.clone()), to });
            }
            None => plan.added.push(Change { name: selected.name.clone(), from: None, to }),
        }
    }
    let leaves =
        |it: &InstalledDistribution| Change { name: it.name.clone(), from: Some(it.version.clone()), to: None };
    plan.removed = gone.into_values().map(leaves).collect();
    plan.older = lock_age::older(intent.lock_as_of, &plan, receipt);
    plan
}

/// Returns true if what is installed is what is selected, from the same place.
pub(crate) fn is_same(installed: &InstalledDistribution, selected: &Selected) -> bool {
    let artifact = &selected.artifact;
    (&installed.version, &installed.sha256, installed.size_bytes, &installed.filename)
        == (&selected.version, &artifact.sha256, artifact.size_bytes, &artifact.filename)
        && (&installed.url, &installed.index) == (&artifact.url, artifact.origin.index())
        && installed.direct_url == direct_url::text(selected)
}

fn reasons(intent: &Intent<'_>, receipt: Option<&Receipt>) -> Vec<RebuildReason> {
    let Some(receipt) = receipt else {
        return vec![RebuildReason::New];
    };
    let (relocation, relocatable) = (receipt.relocation(), Relocation::Relocatable);
    let may_move = relocation == relocatable && intent.relocation == relocatable;
    let moved = Path::new(&receipt.venv) != intent.environment.venv() && !may_move;
    let wanted = (&receipt.extras, &receipt.groups) != (&intent.wanted.extras, &intent.wanted.groups);
    let all = [
        (RebuildReason::Damaged, intent.environment.is_marked_damaged(receipt.generation)),
        (RebuildReason::Interpreter, !receipt.interpreter.is_same_installation(intent.interpreter)),
        (RebuildReason::Lock, receipt.lock_sha256 != *intent.lock_sha256),
        (RebuildReason::Moved, moved),
        (RebuildReason::Relocation, relocation != intent.relocation),
        (RebuildReason::Wanted, wanted),
    ];
    all.into_iter().filter_map(|(reason, holds)| holds.then_some(reason)).collect()
}
