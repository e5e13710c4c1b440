//! What `verify` can find, as stable codes, and what each of them means.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use pinfold_packaging::PackageName;

/// What `verify` found wrong, as a stable code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FindingCode {
    /// A file that no distribution brought, or an empty directory.
    Added,
    /// A file whose bytes are others.
    Changed,
    /// Bytecode beside a source of the environment that is not what the base interpreter makes of that source.
    ForeignBytecode,
    /// Metadata of a distribution that pinfold did not install.
    ForeignDistribution,
    /// The interpreter behind the environment is another than the one that it was made for.
    InterpreterChanged,
    /// A line of the environment's ledger is not the one that was written, or not where it was.
    LedgerBroken,
    /// A symbolic link that points elsewhere, or anything but a file where a file should be.
    LinkChanged,
    /// The lock is another than the one that was installed, or selects something else.
    LockChanged,
    /// A file that is gone.
    Missing,
    /// A file or directory whose permissions are others.
    ModeChanged,
    /// A file or directory that belongs to another user than the environment.
    OwnerChanged,
    /// The receipt contradicts itself, the lock, the store or the ledger.
    ReceiptChanged,
    /// A file whose name differs from the installed one in upper and lower case, or in the form of its characters.
    Renamed,
    /// A new file that takes effect whenever the interpreter starts.
    StartupHook,
}

/// One thing that `verify` found wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// What kind of thing.
    pub code: FindingCode,
    /// The path inside the environment, or empty if it is about a whole distribution or the lock.
    pub path: String,
    /// The distribution that owns it.
    pub package: Option<PackageName>,
    /// What should be there.
    pub expected: String,
    /// What is there.
    pub found: String,
    /// The path as the system has it, where that is no text and `path` therefore only resembles it.
    pub exact_path: Option<PathBuf>,
}

impl FindingCode {
    /// Every code, in alphabetical order.
    pub const ALL: [Self; 14] = [
        Self::Added,
        Self::Changed,
        Self::ForeignBytecode,
        Self::ForeignDistribution,
        Self::InterpreterChanged,
        Self::LedgerBroken,
        Self::LinkChanged,
        Self::LockChanged,
        Self::Missing,
        Self::ModeChanged,
        Self::OwnerChanged,
        Self::ReceiptChanged,
        Self::Renamed,
        Self::StartupHook,
    ];

    /// Returns the code as it is printed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::ForeignBytecode => "foreign-bytecode",
            Self::ForeignDistribution => "foreign-distribution",
            Self::InterpreterChanged => "interpreter-changed",
            Self::LedgerBroken => "ledger-broken",
            Self::LinkChanged => "link-changed",
            Self::LockChanged => "lock-changed",
            Self::Missing => "missing",
            Self::ModeChanged => "mode-changed",
            Self::OwnerChanged => "owner-changed",
            Self::ReceiptChanged => "receipt-changed",
            Self::Renamed => "renamed",
            Self::StartupHook => "startup-hook",
        }
    }

    /// Returns what the code means, in one sentence.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Added => "A file or directory that no distribution brought is in the environment.",
            Self::Changed => "The bytes of an installed file are not those of the locked wheel.",
            Self::ForeignBytecode => "Bytecode is not what the base interpreter makes of the source beside it.",
            Self::ForeignDistribution => {
                "Metadata of a distribution that pinfold did not install is in the environment."
            }
            Self::InterpreterChanged => {
                "The interpreter behind the environment is another than the one that it was made for."
            }
            Self::LedgerBroken => "The chain of the environment's ledger does not hold: its past was changed.",
            Self::LinkChanged => "A link points elsewhere, or something else is where a file or a link should be.",
            Self::LockChanged => "The lock is another than the one that was installed.",
            Self::Missing => "An installed file is gone.",
            Self::ModeChanged => "The permissions of a file or directory are not those that it was installed with.",
            Self::OwnerChanged => "A file or directory belongs to another user than the environment.",
            Self::ReceiptChanged => {
                "The receipt of the environment contradicts itself, the lock, the store or the ledger."
            }
            Self::Renamed => "A file has an installed file's name in another spelling of upper and lower case.",
            Self::StartupHook => "A new file takes effect whenever the interpreter starts.",
        }
    }
}

impl Finding {
    pub(crate) fn new(code: FindingCode, path: &str, expected: impl Into<String>, found: impl Into<String>) -> Self {
        let (path, expected, found) = (path.to_owned(), expected.into(), found.into());
        Self { code, path, package: None, expected, found, exact_path: None }
    }

    /// A name that is no text, in a directory.
    pub(crate) fn nameless(directory: &str, name: &OsStr) -> Self {
        let exact = Path::new(directory).join(name);
        let finding = Self::new(FindingCode::Added, &exact.to_string_lossy(), "nothing", "a name in no encoding");
        Self { exact_path: Some(exact), ..finding }
    }

    pub(crate) fn of(mut self, package: Option<&PackageName>) -> Self {
        self.package = package.cloned();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_told_apart_and_in_order() {
        let codes: Vec<&str> = FindingCode::ALL.iter().map(|code| code.as_str()).collect();
        assert!(codes.is_sorted_by(|a, b| a < b), "{codes:?}");
        assert!(FindingCode::ALL.is_sorted_by(|a, b| a < b));
    }
}
