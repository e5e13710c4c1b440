//! `pinfold explain`: what a refusal means, why it matters, what to do. The text is `docs/refusals.md`.

use crate::cli::Explain;
use crate::exit::{Exit, Failure};
use crate::output::Output;

const REFUSALS: &str = include_str!("../../../../docs/refusals.md");

/// Prints the section of one code, or the list of all.
///
/// # Errors
/// Exit 2 for a code that does not exist.
pub(super) fn run(arguments: &Explain, output: &Output) -> Result<Exit, Failure> {
    let Some(code) = &arguments.code else {
        sections().for_each(|(code, text)| output.result(&format!("{code:28} {}\n", first_sentence(text))));
        return Ok(Exit::Done);
    };
    let found = sections().find(|(name, _)| name == code);
    let (name, text) = found.ok_or_else(|| {
        let headline = format!("there is no refusal with the code `{code}`");
        Failure::new(Exit::Input, headline).help("`pinfold explain` lists all codes")
    })?;
    output.result(&format!("{name}\n\n{}\n", text.trim()));
    Ok(Exit::Done)
}

/// Returns code and text of every section whose heading is a code.
fn sections() -> impl Iterator<Item = (&'static str, &'static str)> {
    let sections = REFUSALS.split("\n## ").skip(1);
    sections.filter_map(|section| {
        let (heading, text) = section.split_once('\n')?;
        let code = heading.trim().strip_prefix('`')?.strip_suffix('`')?;
        Some((code, text))
    })
}

fn first_sentence(text: &str) -> String {
    let paragraph = text.trim().split("\n\n").next().unwrap_or_default().replace('\n', " ");
    let end = paragraph.find(". ").map_or(paragraph.len(), |at| at + 1);
    paragraph[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_sentence() {
        assert!(sections().count() > 20);
        for (code, text) in sections() {
            assert!(first_sentence(text).ends_with('.'), "{code}");
        }
    }
}
