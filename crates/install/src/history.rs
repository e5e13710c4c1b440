//! Former generations, the way back to them, and the ledger of everything that was ever installed.

use crate::{Environment, EnvironmentGuard, InstallError, Receipt};

/// A generation of an environment, the current one or a former one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation {
    /// Whether it is the one in place.
    pub current: bool,
    /// Its receipt.
    pub receipt: Receipt,
}

/// One line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LedgerEntry {
    /// `sync` or `rollback`.
    pub action: String,
    /// When, as given by the caller (RFC 3339).
    pub at: String,
    /// The generation that was put in place.
    pub generation: u64,
    /// Digest of its lock.
    pub lock_sha256: pinfold_artifact::Sha256,
    /// `name version sha256` of every distribution in it.
    pub distributions: Vec<String>,
}

/// Returns the generations, newest first.
///
/// # Errors
/// [`InstallError`] if a directory or receipt cannot be read.
pub fn history(environment: &Environment) -> Result<Vec<Generation>, InstallError> {
    let _ = environment;
    todo!()
}

/// Returns the ledger, oldest first.
///
/// # Errors
/// [`InstallError::Io`].
pub fn ledger(environment: &Environment) -> Result<Vec<LedgerEntry>, InstallError> {
    let _ = environment;
    todo!()
}

/// Puts a former generation in place: the one with the number given, else the newest that is older than the current one.
///
/// # Errors
/// [`InstallError::NoGeneration`] if there is none.
pub fn rollback(guard: &EnvironmentGuard, generation: Option<u64>, at: &str) -> Result<Receipt, InstallError> {
    let _ = (guard, generation, at);
    todo!()
}
