//! A part of a command that takes its time: a bar while it lasts, one line when it took a while, two events for programs.

use std::ops::Deref;
use std::time::Instant;

use indicatif::{HumanCount, ProgressBar};
use serde_json::json;

use crate::output::{Output, begin_count, give_total, human_bytes};

/// A phase. It ends when it is dropped.
#[derive(Debug)]
pub struct Phase {
    output: Output,
    bar: ProgressBar,
    name: &'static str,
    unit: Unit,
    begun: Instant,
}

/// What a phase counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Files.
    Files,
    /// Packages.
    Packages,
}

impl Phase {
    pub(crate) fn new(output: &Output, bar: ProgressBar, name: &'static str, unit: Unit) -> Self {
        output.tell("phase", json!({ "phase": name, "state": "begun", "unit": unit.as_str(), "total": bar.length() }));
        Self { output: output.clone(), bar, name, unit, begun: Instant::now() }
    }

    /// Begins to count anew, towards a total that is not known.
    pub(crate) fn begin(&self) {
        begin_count(&self.bar);
    }

    /// Tells the total.
    pub(crate) fn know(&self, total: u64) {
        give_total(&self.bar, total);
    }
}

impl Deref for Phase {
    type Target = ProgressBar;

    fn deref(&self) -> &ProgressBar {
        &self.bar
    }
}

impl Drop for Phase {
    fn drop(&mut self) {
        let (done, seconds) = (self.bar.position(), self.begun.elapsed().as_secs_f64());
        let is_complete = Some(done) == self.bar.length();
        self.bar.finish_and_clear();
        let state = if is_complete { "done" } else { "stopped" };
        let fields = json!({
            "phase": self.name, "state": state, "unit": self.unit.as_str(), "done": done, "total": self.bar.length(),
            "seconds": seconds,
        });
        self.output.tell("phase", fields);
        if is_complete && done > 0 && seconds >= A_WHILE {
            self.output.watched(&line(self.name, self.unit, done, seconds));
        }
    }
}

impl Unit {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Files => "files",
            Self::Packages => "packages",
        }
    }
}

/// Seconds; a shorter phase was not seen, and needs no line.
const A_WHILE: f64 = 0.1;

fn line(name: &str, unit: Unit, done: u64, seconds: f64) -> String {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "for people"
    )]
    let rate = (done as f64 / seconds.max(0.001)) as u64;
    match unit {
        Unit::Bytes => format!("{name:>12} {} in {seconds:.2} s, {}/s", human_bytes(done), human_bytes(rate)),
        Unit::Files | Unit::Packages => {
            let (done, rate) = (HumanCount(done), HumanCount(rate));
            format!("{name:>12} {done} {} in {seconds:.2} s, {rate}/s", unit.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_is_one_line() {
        assert_eq!(line("fetching", Unit::Bytes, 3 << 20, 0.5), "    fetching 3.00 MiB in 0.50 s, 6.00 MiB/s");
        assert_eq!(line("installing", Unit::Files, 27_802, 0.2), "  installing 27,802 files in 0.20 s, 139,010/s");
        assert_eq!(line("checking", Unit::Packages, 127, 0.5), "    checking 127 packages in 0.50 s, 254/s");
    }
}
