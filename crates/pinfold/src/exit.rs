//! What a failure means to a script: the exit codes of the contract, and the one shape in which failures reach people.

use std::process::ExitCode;

/// How pinfold ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, or it holds.
    Done = 0,
    /// The answer is no; pinfold only reported.
    No = 1,
    /// Wrong usage, or an input that cannot be read.
    Input = 2,
    /// Refused for security; pinfold declined to act.
    Refused = 3,
    /// The world failed: network, disk, permission, time-out.
    World = 4,
    /// A bug in pinfold.
    Bug = 70,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A failure as people see it: what, which file, from where, expected, found, what to do next.
#[derive(Debug, Clone)]
pub struct Failure {
    /// How pinfold ends because of it.
    pub exit: Exit,
    /// The kebab-case code of a refusal.
    pub code: Option<String>,
    /// One sentence.
    pub headline: String,
    /// Labelled facts, in the order in which they are shown.
    pub details: Vec<(&'static str, String)>,
    /// What to do next. It never tells anyone to turn a check off.
    pub help: Option<String>,
    /// True if this was only given up because something else had failed, which is what people should hear of.
    pub is_consequence: bool,
}

impl Failure {
    /// Makes a failure with nothing but a headline.
    pub fn new(exit: Exit, headline: impl Into<String>) -> Self {
        Self { exit, code: None, headline: headline.into(), details: Vec::new(), help: None, is_consequence: false }
    }

    /// Makes a refusal.
    pub fn refused(code: &str, headline: impl Into<String>) -> Self {
        Self { code: Some(code.to_owned()), ..Self::new(Exit::Refused, headline) }
    }

    /// Makes a failure of an error and the chain of its sources.
    pub fn of(exit: Exit, error: &dyn std::error::Error) -> Self {
        let mut failure = Self::new(exit, error.to_string());
        let mut source = error.source();
        while let Some(cause) = source {
            failure.details.push(("cause", cause.to_string()));
            source = cause.source();
        }
        failure
    }

    /// Adds a labelled fact.
    #[must_use]
    pub fn with(mut self, label: &'static str, value: impl ToString) -> Self {
        self.details.push((label, value.to_string()));
        self
    }

    /// Returns what happened and every fact about it, for a sentence that says what it means.
    pub fn in_one_line(&self) -> String {
        let facts = self.details.iter().map(|(_, fact)| fact.as_str());
        [self.headline.as_str()].into_iter().chain(facts).collect::<Vec<_>>().join(": ")
    }

    /// Says what to do next.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }
}
