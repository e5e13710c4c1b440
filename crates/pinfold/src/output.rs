//! What people see: results on standard output, everything else on standard error. Colour is chosen here and nowhere else.
//!
//! A closed pipe is no error: whoever reads has seen enough.

use std::fmt;
use std::io::{ErrorKind, IsTerminal, Write};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use serde_json::Value;

use crate::cli::{ColorChoice, Global, LogFormat};
use crate::exit::{Exit, Failure};
use crate::phase::{Phase, Unit};

/// Where and how messages are written.
#[derive(Debug, Clone)]
pub struct Output {
    bars: MultiProgress,
    format: LogFormat,
    quiet: bool,
    verbose: bool,
    /// Why a result did not get where it was to go.
    lost: Arc<OnceLock<String>>,
}

const BOLD: Style = Style::new().bold();
const ERROR: Style = AnsiColor::Red.on_default().bold();
const HELP: Style = AnsiColor::Cyan.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();

impl Output {
    /// Makes the output that the arguments ask for.
    pub fn new(global: &Global) -> Self {
        match global.color {
            ColorChoice::Always => anstream::ColorChoice::Always.write_global(),
            ColorChoice::Auto => anstream::ColorChoice::Auto.write_global(),
            ColorChoice::Never => anstream::ColorChoice::Never.write_global(),
        }
        let drawn = std::io::stderr().is_terminal()
            && !global.quiet
            && !global.no_progress
            && global.log_format == LogFormat::Text;
        let target = if drawn { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Self {
            bars: MultiProgress::with_draw_target(target),
            format: global.log_format,
            quiet: global.quiet,
            verbose: global.verbose,
            lost: Arc::default(),
        }
    }

    /// Writes a result to standard output.
    pub fn result(&self, text: &str) {
        let mut stdout = anstream::stdout().lock();
        match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => drop(self.lost.set(error.to_string())),
            _ => {}
        }
    }

    /// Passes an exit code on, if all results got where they were to go.
    ///
    /// # Errors
    /// Exit 4: a report that is cut off on a full disk must not pass for a whole one.
    pub(crate) fn delivered(&self, exit: Exit) -> Result<Exit, Failure> {
        let Some(cause) = self.lost.get() else { return Ok(exit) };
        Err(Failure::new(Exit::World, "the result could not be written to standard output").with("cause", cause))
    }

    /// Says what happened, unless quiet.
    pub fn status(&self, text: &str) {
        if !self.quiet {
            self.event("status", text, &[], &tame(text));
        }
    }

    /// Says what only a curious reader wants to know.
    pub fn detail(&self, text: &str) {
        if self.verbose {
            self.event("detail", text, &[], &tame(text));
        }
    }

    /// Warns, even when quiet.
    pub fn warning(&self, text: &str) {
        self.event("warning", text, &[], &format!("{WARNING}warning{WARNING:#}: {}", indented(text, 2)));
    }

    /// Explains a failure.
    pub fn failure(&self, failure: &Failure) {
        let code = failure.code.as_ref().map(|code| format!("[{code}]")).unwrap_or_default();
        let mut text = format!("{ERROR}error{code}{ERROR:#}: {BOLD}{}{BOLD:#}", indented(&failure.headline, 2));
        for (label, value) in &failure.details {
            text.push_str(&format!("\n  {label}: {}", indented(value, 4)));
        }
        if let Some(help) = &failure.help {
            text.push_str(&format!("\n  {HELP}help{HELP:#}: {}", indented(help, 8)));
        }
        let mut fields: Vec<(&str, &str)> =
            failure.details.iter().map(|(label, value)| (*label, value.as_str())).collect();
        fields.extend(failure.code.as_deref().map(|code| ("code", code)));
        fields.extend(failure.help.as_deref().map(|help| ("help", help)));
        self.event("error", &failure.headline, &fields, &text);
    }

    fn event(&self, kind: &str, message: &str, fields: &[(&str, &str)], text: &str) {
        let line = match self.format {
            LogFormat::Text => text.to_owned(),
            LogFormat::Json => {
                let mut object = serde_json::Map::new();
                object.insert("event".to_owned(), kind.into());
                object.insert("message".to_owned(), message.into());
                object.extend(fields.iter().map(|(label, value)| ((*label).to_owned(), (*value).into())));
                serde_json::Value::Object(object).to_string()
            }
        };
        self.write(&line);
    }

    fn write(&self, line: &str) {
        self.bars.suspend(|| {
            let mut stderr = anstream::stderr().lock();
            drop(writeln!(stderr, "{line}"));
        });
    }

    /// Starts a phase that counts bytes towards a total.
    pub fn byte_bar(&self, phase: &'static str, total_bytes: u64) -> Phase {
        let template = "{msg:>12} {bar:30} {bytes:>11}/{total_bytes:<11} {bytes_per_sec:>12}, {eta} left";
        Phase::new(self, self.bar(ProgressBar::new(total_bytes), template, phase), phase, Unit::Bytes)
    }

    /// Starts a phase that counts files or packages towards a total.
    pub fn count_bar(&self, phase: &'static str, total: u64, unit: Unit) -> Phase {
        Phase::new(self, self.bar(ProgressBar::new(total), COUNTED, phase), phase, unit)
    }

    /// Starts a phase that counts files or packages; [`Phase::know`] tells the total, once it is known.
    pub fn open_count_bar(&self, phase: &'static str, unit: Unit) -> Phase {
        Phase::new(self, self.bar(ProgressBar::no_length(), UNCOUNTED, phase), phase, unit)
    }

    /// Tells a program that reads events what happens; people are told in other words.
    pub fn tell(&self, event: &str, fields: Value) {
        if self.format == LogFormat::Json && !self.quiet {
            let Value::Object(fields) = fields else { return };
            let mut object = serde_json::Map::from_iter([("event".to_owned(), event.into())]);
            object.extend(fields);
            self.write(&Value::Object(object).to_string());
        }
    }

    /// Says to somebody who watches a terminal what a phase came to.
    pub(crate) fn watched(&self, text: &str) {
        if !self.bars.is_hidden() {
            self.write(&tame(text));
        }
    }

    /// Returns true if more is to be said.
    pub const fn is_verbose(&self) -> bool {
        self.verbose
    }

    /// Says in words what [`Output::tell`] tells programs, unless quiet.
    pub fn say(&self, text: &str) {
        if self.format == LogFormat::Text && !self.quiet {
            self.write(&tame(text));
        }
    }

    /// Starts a line that shows that something whose length is not known goes on.
    pub fn spinner(&self, phase: &'static str) -> ProgressBar {
        let bar = self.bar(ProgressBar::new_spinner(), "{msg:>12} {spinner} {prefix}", phase);
        if !self.bars.is_hidden() {
            bar.enable_steady_tick(Duration::from_millis(100));
        }
        bar
    }

    fn bar(&self, bar: ProgressBar, template: &str, phase: &'static str) -> ProgressBar {
        let bar = self.bars.add(bar);
        dress(&bar, template);
        bar.with_message(phase)
    }
}

/// Gives a bar the look of a template.
fn dress(bar: &ProgressBar, template: &str) {
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> ").with_key("rate", rate));
    }
}

/// Makes a count from nothing, of which the total is not known.
pub(crate) fn begin_count(bar: &ProgressBar) {
    bar.set_position(0);
    bar.unset_length();
    dress(bar, UNCOUNTED);
}

/// Gives a count its total.
pub(crate) fn give_total(bar: &ProgressBar, total: u64) {
    bar.set_length(total);
    bar.reset_eta();
    dress(bar, COUNTED);
}

const COUNTED: &str = "{msg:>12} {bar:30} {human_pos:>11}/{human_len:<11} {rate:>12}, {eta} left";
const UNCOUNTED: &str = "{msg:>12} {human_pos:>42} {rate:>24}";

/// Writes how many things a second are done, whole ones.
fn rate(state: &ProgressState, out: &mut dyn std::fmt::Write) {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "for people")]
    let whole = state.per_sec() as u64;
    let _ = write!(out, "{}/s", indicatif::HumanCount(whole));
}

/// Escapes what would drive a terminal instead of being read: control characters but for line ends, and the marks that turn
/// the direction of text. An index, an archive or a file name may have any of them.
pub fn tame(text: &str) -> String {
    let turns =
        |c: char| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let drives = |c: char| c.is_control() && c != '\n';
    let mut tamed = String::with_capacity(text.len());
    for c in text.chars() {
        if drives(c) || turns(c) { tamed.extend(c.escape_default()) } else { tamed.push(c) }
    }
    tamed
}

/// Tames a text and indents its further lines, so that none of them passes for a message of ours.
fn indented(text: &str, columns: usize) -> String {
    tame(text).replace('\n', &format!("\n{}", " ".repeat(columns)))
}

/// Writes how many there are of something: `1 file`, `2 files`.
pub fn counted<N: fmt::Display + PartialEq + From<u8>>(count: N, noun: &str) -> String {
    let end = if count == N::from(1) { "" } else { "s" };
    format!("{count} {noun}{end}")
}

/// Writes a number of bytes for people, in binary units.
pub fn human_bytes(bytes: u64) -> String {
    indicatif::HumanBytes(bytes).to_string()
}
