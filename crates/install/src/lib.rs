//! Environments: interpreter probe, plan, wheel layout, generations, receipt, verify, rollback.
//!
//! An environment is a real directory. A new generation is built beside it from trees of the store, complete with its
//! receipt, and then exchanged with it by one rename; the former generation becomes history. Nothing here downloads,
//! resolves or decides what may be installed: a [`pinfold_lock::Selection`] says what, [`pinfold_store::Stored`] proves
//! which bytes. Nothing from a wheel is imported or run: the only program started is the base interpreter, isolated and
//! without `site`, to ask it what it is.

mod ahead;
mod anchor;
mod base;
mod bulk;
mod bytecode;
mod compile;
mod damaged;
mod direct_url;
mod disk;
mod distribution;
mod environment;
mod error;
mod exchange;
#[cfg(test)]
#[cfg(unix)]
mod fixture;
mod generations;
mod held;
mod interpreter;
mod known;
mod layout;
mod ledger;
mod link;
mod listing;
mod lock_age;
mod memo;
mod merge;
mod plan;
mod platform;
mod receipt;
mod record;
mod reuse;
mod scripts;
mod spare;
mod stage;
mod staging;
mod startup;
mod threads;
mod unpack;
mod verify;
mod waiting;
mod wheel_facts;

pub use anchor::check_beside;
pub use environment::{Adoption, Environment, EnvironmentGuard};
pub use error::InstallError;
pub use exchange::Placed;
pub use generations::{Generation, Unreadable, former_count, history, prune, rollback, unreadable};
pub use held::{HeldGeneration, held};
pub use interpreter::{Interpreter, InterpreterError, KnownInterpreters, Libc, ProgramStamp, SchemePaths};
pub use known::{KnownEnvironment, KnownEnvironments};
pub use ledger::{Ledger, LedgerDistribution, LedgerEntry, LedgerProblem, changes, ledger};
pub use lock_age::{AsOf, LockAsOf, Older};
pub use plan::{Change, Intent, Plan, RebuildReason, plan};
pub use platform::open_regular;
pub use receipt::{InstalledDistribution, InstalledFile, InstalledLink, Receipt, ReceiptFiles};
pub use scripts::{Relocation, check_scripts};
pub use stage::{Bytecode, LinkMode, StageOptions, Staging, stage};
pub use staging::Staged;
pub use startup::{WheelFinding, startup_files};
pub use unpack::{check_wheel, unpack_wheel};
pub use verify::{Depth, Finding, FindingCode, Report, VerifyOptions, WatchEnding, WatchEvent, verify};
#[cfg(target_os = "linux")]
pub use verify::{WatchedLock, watch};
pub use waiting::{Holder, Waiting};

use threads::{THREADS, join};
