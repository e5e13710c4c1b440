//! A new generation, complete, beside the environment.

use std::collections::BTreeMap;

use pinfold_packaging::PackageName;
use pinfold_store::StoredTree;
use serde::{Deserialize, Serialize};

use crate::{EnvironmentGuard, InstallError, Intent, Receipt};

/// How files come from the store into an environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkMode {
    /// Reflink where the file system has it, else hard link, else copy.
    Auto,
    /// Every file a copy of its own.
    Copy,
    /// Hard links; an error where they are impossible.
    Hardlink,
    /// Copies that share blocks until written to; an error where they are impossible.
    Reflink,
}

/// Whether modules are compiled before they are first imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bytecode {
    /// Compile every module now, with the base interpreter.
    Compile,
    /// Leave it to the interpreter.
    Leave,
}

/// How to build a generation.
#[derive(Clone, Copy)]
pub struct StageOptions<'a> {
    /// How files come from the store.
    pub link_mode: LinkMode,
    /// Whether modules are compiled.
    pub bytecode: Bytecode,
    /// The time to write into the receipt (RFC 3339).
    pub installed_at: &'a str,
    /// How many former generations are kept.
    pub keep: usize,
    /// Told the number of files that were just placed.
    pub progress: &'a (dyn Fn(u64) + Sync),
}

/// A complete generation that is not in place yet. Dropping it removes it.
#[derive(Debug)]
pub struct Staged<'a> {
    guard: &'a EnvironmentGuard,
    receipt: Receipt,
}

/// Builds a new generation from unpacked trees, one for each package of the intent's selection.
///
/// # Errors
/// [`InstallError::Conflict`] if two distributions bring different files of one path, and whatever the disk says.
pub fn stage<'a>(
    guard: &'a EnvironmentGuard,
    intent: &Intent<'_>,
    trees: &BTreeMap<PackageName, StoredTree>,
    options: &StageOptions<'_>,
) -> Result<Staged<'a>, InstallError> {
    let _ = (guard, intent, trees, options);
    todo!()
}

impl Staged<'_> {
    /// Returns the receipt of the generation.
    pub const fn receipt(&self) -> &Receipt {
        &self.receipt
    }

    /// Puts the generation in place by one rename; the former one becomes history.
    ///
    /// # Errors
    /// [`InstallError::Io`]; the environment is then the former one.
    pub fn exchange(self) -> Result<Receipt, InstallError> {
        let _ = self.guard;
        todo!()
    }
}
