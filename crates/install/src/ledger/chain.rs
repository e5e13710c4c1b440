//! The chain: lines into entries, and what is wrong with them.
//!
//! A line names the digest of the bytes of the line before it, whatever that line is; the first names the digest of nothing.
//! Lines of the form that was written before there was a chain are read as they are, and the first chained line covers the
//! last of them. After a chained line an unchained one is no longer believed to be old.

use pinfold_artifact::Sha256;
use serde::{Deserialize, Serialize};

use super::{LedgerDistribution, LedgerEntry};
use crate::Receipt;
use crate::receipt::digest;

/// A ledger as it was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ledger {
    /// What could be read, oldest first.
    pub entries: Vec<LedgerEntry>,
    /// What is wrong, by line.
    pub problems: Vec<LedgerProblem>,
    /// Whether any line is chained to the one before.
    pub is_chained: bool,
}

/// Something wrong with a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerProblem {
    /// The chain does not hold: the line, or the one before it, is not what was written.
    Broken {
        /// The line, from 1.
        line: usize,
        /// What should be there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// The ledger is not what this machine remembers of it.
    Rewritten {
        /// The first line that differs, from 1.
        line: usize,
        /// What is remembered.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A process died while it wrote this line, or the power went.
    Torn {
        /// The line, from 1.
        line: usize,
    },
}

impl LedgerProblem {
    /// Returns the code of the finding.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Broken { .. } => "ledger-broken",
            Self::Rewritten { .. } => "ledger-rewritten",
            Self::Torn { .. } => "ledger-torn",
        }
    }

    /// Returns the line, counted from 1.
    pub const fn line(&self) -> usize {
        match self {
            Self::Broken { line, .. } | Self::Rewritten { line, .. } | Self::Torn { line } => *line,
        }
    }

    /// Returns true if the past that the ledger tells may not be what happened.
    pub const fn is_alarming(&self) -> bool {
        !matches!(self, Self::Torn { .. })
    }

    /// Returns what was expected and what was found.
    pub fn expected_and_found(&self) -> (&str, &str) {
        match self {
            Self::Broken { expected, found, .. } | Self::Rewritten { expected, found, .. } => (expected, found),
            Self::Torn { .. } => ("a whole line", "one that was never finished"),
        }
    }
}

impl Ledger {
    /// Reads a ledger's bytes and follows the chain.
    pub fn read(bytes: &[u8]) -> Self {
        let mut ledger = Self::default();
        let mut before = digest(b"");
        // A line that is none: torn if the next line covers it, or if it is the last.
        let mut unread: Option<usize> = None;
        for (position, line) in lines(bytes).enumerate() {
            let number = position + 1;
            match Line::read(line) {
                Some(Line { entry, previous }) => {
                    let problem = ledger.link(number, unread.take(), previous, &before);
                    ledger.problems.extend(problem);
                    ledger.entries.push(entry);
                }
                None => {
                    ledger.problems.extend(unread.replace(number).map(not_a_line));
                }
            }
            before = digest(line);
        }
        ledger.problems.extend(unread.map(|line| LedgerProblem::Torn { line }));
        ledger
    }

    /// Returns true if nothing is wrong but lines that were never finished.
    pub fn is_intact(&self) -> bool {
        !self.problems.iter().any(LedgerProblem::is_alarming)
    }

    /// Checks how a line is linked to the one before, of which `unread` says that it is no entry.
    fn link(
        &mut self,
        line: usize,
        unread: Option<usize>,
        previous: Option<Sha256>,
        before: &Sha256,
    ) -> Option<LedgerProblem> {
        let torn = unread.map(|line| LedgerProblem::Torn { line });
        match previous {
            Some(previous) if previous == *before => {
                self.is_chained = true;
                torn
            }
            Some(previous) => {
                self.is_chained = true;
                let expected = format!("that the line before has sha256 {previous}");
                Some(LedgerProblem::Broken { line, expected, found: format!("sha256 {before}") })
            }
            None if self.is_chained => Some(LedgerProblem::Broken {
                line,
                expected: "a line that names the one before".to_owned(),
                found: "one that does not".to_owned(),
            }),
            None => torn,
        }
    }
}

fn not_a_line(line: usize) -> LedgerProblem {
    let (expected, found) = ("a line of a ledger".to_owned(), "something else".to_owned());
    LedgerProblem::Broken { line, expected, found }
}

/// Returns the lines of a ledger, the last of which may have no end.
pub(crate) fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.strip_suffix(b"\n").unwrap_or(bytes).split(|byte| *byte == b'\n').skip(usize::from(bytes.is_empty()))
}

/// Returns the entry of a line, if it is one.
pub(crate) fn entry_of_line(line: &[u8]) -> Option<LedgerEntry> {
    Line::read(line).map(|line| line.entry)
}

/// Returns the generation of a line from its beginning alone: there may be many lines, and long ones.
pub(super) fn generation_of_line(line: &[u8]) -> Option<u64> {
    let rest = line.strip_prefix(b"{\"generation\":")?;
    let end = rest.iter().position(|byte| !byte.is_ascii_digit())?;
    let number = std::str::from_utf8(&rest[..end]).ok()?.parse().ok()?;
    (number <= Receipt::LAST_GENERATION).then_some(number)
}

/// What [`generation_of_line`] needs of a line: the key, the longest number, and what ends it.
pub(super) const GENERATION_BYTES: u64 = 14 + 20 + 1;

impl LedgerEntry {
    /// Returns the entry's line, without its end; `previous` is the digest of the line before.
    ///
    /// # Errors
    /// None that is known: text and numbers can be written.
    pub fn to_line(&self, previous: &Sha256) -> std::io::Result<String> {
        let line = RawEntry {
            generation: self.generation,
            installed_at: self.installed_at.clone(),
            rolled_back_at: self.rolled_back_at.clone(),
            previous: *previous,
            lock_sha256: self.lock_sha256,
            files_sha256: self.files_sha256,
            distributions: self.distributions.clone(),
        };
        Ok(serde_json::to_string(&line)?)
    }
}

struct Line {
    entry: LedgerEntry,
    /// The digest of the line before; none in a line of the old form.
    previous: Option<Sha256>,
}

impl Line {
    fn read(line: &[u8]) -> Option<Self> {
        if let Ok(raw) = serde_json::from_slice::<RawEntry>(line) {
            let previous = Some(raw.previous);
            return Self::of(raw.into(), previous);
        }
        let raw: UnchainedEntry = serde_json::from_slice(line).ok()?;
        Self::of(raw.into_entry()?, None)
    }

    fn of(entry: LedgerEntry, previous: Option<Sha256>) -> Option<Self> {
        (entry.generation <= Receipt::LAST_GENERATION).then_some(Self { entry, previous })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEntry {
    generation: u64,
    installed_at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rolled_back_at: Option<String>,
    previous: Sha256,
    lock_sha256: Sha256,
    files_sha256: Sha256,
    distributions: Vec<LedgerDistribution>,
}

impl From<RawEntry> for LedgerEntry {
    fn from(raw: RawEntry) -> Self {
        Self {
            generation: raw.generation,
            installed_at: raw.installed_at,
            rolled_back_at: raw.rolled_back_at,
            lock_sha256: raw.lock_sha256,
            files_sha256: raw.files_sha256,
            distributions: raw.distributions,
        }
    }
}

/// The form that was written before there was a chain: `name version sha256` for each distribution.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UnchainedEntry {
    generation: u64,
    installed_at: String,
    #[serde(default)]
    rolled_back_at: Option<String>,
    lock_sha256: Sha256,
    files_sha256: Sha256,
    distributions: Vec<String>,
}

impl UnchainedEntry {
    fn into_entry(self) -> Option<LedgerEntry> {
        let distribution = |text: &String| {
            let mut words = text.split(' ');
            let (name, version) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
            let sha256 = words.next()?.parse().ok()?;
            Some(LedgerDistribution { name, version, sha256, wheel_sha256: None, url: None, index: None })
        };
        Some(LedgerEntry {
            generation: self.generation,
            installed_at: self.installed_at,
            rolled_back_at: self.rolled_back_at,
            lock_sha256: self.lock_sha256,
            files_sha256: self.files_sha256,
            distributions: self.distributions.iter().map(distribution).collect::<Option<_>>()?,
        })
    }
}
