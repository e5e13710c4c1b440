//! Why there is no solution, in short sentences, with hints.

use std::fmt;

/// Why there is no solution: sentences in order, each resting on those before it, then hints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The derivation, last sentence last.
    pub sentences: Vec<String>,
    /// What could be done, or what is in the way.
    pub hints: Vec<String>,
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.sentences.iter().cloned().chain(self.hints.iter().map(|hint| format!("hint: {hint}")));
        lines.enumerate().try_for_each(|(position, line)| {
            if position > 0 {
                f.write_str("\n")?;
            }
            f.write_str(&line)
        })
    }
}
