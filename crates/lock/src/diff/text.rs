//! A diff as lines for a terminal, and as a Markdown table for a pull request.
//!
//! What a lock says may have been written to deceive whoever reads this: control characters, marks that turn the direction of
//! text, the signs with which Markdown tables and code end. None of them gets through as what it is.

use std::fmt::{self, Write};

use super::{Change, ChangeKind, LockDiff, PackageDiff, Weight};
use crate::write::is_invisible;

/// No value is shown longer than that.
const LONGEST: usize = 400;

impl fmt::Display for LockDiff {
    /// Writes one paragraph per package, each beginning with `+`, `-` or `~`, the weightiest first. In it `!` marks what is
    /// rarely done in good faith, `?` what deserves a look.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, package) in self.by_weight() {
            writeln!(f, "{} {name}{}", package.sign(), plain(&package.shown_versions()))?;
            for change in &package.changes {
                writeln!(f, "    {} {}", change.weight().sign(), change.sentence(plain))?;
            }
        }
        for change in &self.settings {
            writeln!(f, "{} {}", change.weight().sign(), change.sentence(plain))?;
        }
        Ok(())
    }
}

impl LockDiff {
    /// Returns how many packages were added, removed and changed, in words.
    pub fn summary(&self) -> String {
        let count = |sign: char| self.packages.values().filter(|package| package.sign() == sign).count();
        let (added, removed, changed) = (count('+'), count('-'), count('~'));
        let settings = match self.settings.len() {
            0 => String::new(),
            1 => ", 1 setting changed".to_owned(),
            more => format!(", {more} settings changed"),
        };
        format!("{added} added, {removed} removed, {changed} changed{settings}")
    }

    /// Returns the diff as Markdown, a table with the weightiest first.
    pub fn to_markdown(&self) -> String {
        let mut text = format!("**Lock: {}**\n", self.summary());
        if self.is_empty() {
            return text;
        }
        text.push_str("\n| | package | version | what changed |\n| --- | --- | --- | --- |\n");
        let list = |changes: &[Change]| {
            let cell = |change: &Change| {
                let sign = if change.weight() == Weight::Alarm { "**!** " } else { "" };
                format!("{sign}{}", change.sentence(code))
            };
            changes.iter().map(cell).collect::<Vec<_>>().join("<br>")
        };
        for (name, package) in self.by_weight() {
            let changes = list(&package.changes);
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "| {} | {} | {} | {changes} |",
                package.weight().word(),
                code(name.as_str()),
                package.markdown_versions()
            );
        }
        for weight in [Weight::Alarm, Weight::Look, Weight::Note] {
            let of_weight: Vec<Change> = self.settings.iter().filter(|c| c.weight() == weight).cloned().collect();
            if !of_weight.is_empty() {
                let _ = writeln!(text, "| {} | (the lock) | | {} |", weight.word(), list(&of_weight));
            }
        }
        text
    }
}

impl PackageDiff {
    /// Returns `+` if it was added, `-` if it was removed, `~` otherwise.
    pub const fn sign(&self) -> char {
        match (self.was_there, self.is_there) {
            (false, _) => '+',
            (true, false) => '-',
            (true, true) => '~',
        }
    }

    /// Returns ` 1.0 -> 2.0`, or ` 1.0` where there is one.
    pub fn shown_versions(&self) -> String {
        let (old, new) = self.versions();
        match (self.was_there && self.is_there, old == new) {
            (true, false) => format!(" {old} -> {new}"),
            _ if new.is_empty() => format!(" {old}").trim_end().to_owned(),
            _ => format!(" {new}"),
        }
    }

    /// Returns what differs beside the version, in a few words.
    pub fn kinds(&self) -> String {
        let mut kinds: Vec<&str> = self.changes.iter().map(|change| change.kind.words()).collect();
        kinds.dedup();
        kinds.join(", ")
    }

    /// Returns a line for everything that is rarely done in good faith.
    pub fn alarms(&self) -> String {
        let alarms = self.changes.iter().filter(|change| change.weight() == Weight::Alarm);
        alarms.map(|change| format!("    {} {}\n", Weight::Alarm.sign(), change.sentence(plain))).collect()
    }

    fn markdown_versions(&self) -> String {
        let (old, new) = self.versions();
        match (self.was_there, self.is_there) {
            (true, true) if old == new => code(&new),
            (true, true) => format!("{} → {}", code(&old), code(&new)),
            (true, false) => format!("{} removed", code(&old)),
            (false, _) => format!("{} new", code(&new)),
        }
    }

    fn versions(&self) -> (String, String) {
        let joined = |versions: &std::collections::BTreeSet<pinfold_packaging::Version>| {
            versions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        };
        (joined(&self.old_versions), joined(&self.new_versions))
    }
}

impl Weight {
    const fn sign(self) -> char {
        match self {
            Self::Alarm => '!',
            Self::Look => '?',
            Self::Note => ' ',
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Alarm => "**alarm**",
            Self::Look => "look",
            Self::Note => "",
        }
    }
}

impl Change {
    /// Returns the change in words, its values written by `value`.
    fn sentence(&self, value: fn(&str) -> String) -> String {
        let shown = |text: &String| match self.kind {
            // The first digits tell two digests apart for people; programs get all of them.
            ChangeKind::Replaced | ChangeKind::Metadata => value(text.get(..12).unwrap_or(text)),
            _ => value(text),
        };
        let what = match (&self.old, &self.new) {
            (Some(old), Some(new)) => format!(": {} -> {}", shown(old), shown(new)),
            (None, Some(new)) => format!(": + {}", shown(new)),
            (Some(old), None) => format!(": - {}", shown(old)),
            (None, None) => String::new(),
        };
        let told = [&self.old, &self.new].into_iter().flatten().any(|text| *text == self.subject);
        if self.subject.is_empty() || told {
            return format!("{}{what}", self.kind.words());
        }
        format!("{} {}{what}", self.kind.words(), value(&self.subject))
    }
}

impl ChangeKind {
    const fn words(self) -> &'static str {
        match self {
            Self::Accept => "accepted finding",
            Self::BuildAdded => "new build script",
            Self::BuildChanged => "build",
            Self::Dependency => "needs",
            Self::Epoch => "epoch jump",
            Self::File => "file",
            Self::Host => "file host",
            Self::Lookalike => "resembles a popular name",
            Self::Marker => "applies where",
            Self::Metadata => "METADATA",
            Self::OlderVersion => "older version",
            Self::Origin => "origin",
            Self::Replaced => "other bytes under the same name",
            Self::Requirement => "requires",
            Self::RequiresPython => "requires Python",
            Self::Setting => "setting",
            Self::Size => "size",
            Self::SizeJump => "size jump",
            Self::Targets => "on targets",
            Self::UploadTime => "upload time",
            Self::Url => "URL",
        }
    }
}

/// Returns a text on one line, with nothing in it that drives a terminal.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars().take(LONGEST) {
        if c.is_control() || is_invisible(c) { plain.extend(c.escape_unicode()) } else { plain.push(c) }
    }
    if text.chars().nth(LONGEST).is_some() {
        plain.push('…');
    }
    plain
}

/// Returns a text as inline code that ends where it should, also in a table: neither the sign that ends code nor the one that
/// ends a cell stays in it.
fn code(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let plain = plain(text).replace('`', "\\u{60}").replace('|', "\\u{7c}");
    format!("`{plain}`")
}
