//! The options of a line of a requirements file, split as pip splits them.

use std::ops::Range;

use crate::logical_lines::{LogicalLine, Source};
use crate::{ManifestError, ManifestErrorKind};

/// An option as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) kind: OptionKind,
    /// As it was written, without its value.
    pub(crate) name: String,
    /// Empty for a flag.
    pub(crate) value: String,
    /// The value as a message shows it: with the names of variables, and not what they hold.
    pub(crate) shown: String,
    /// Where name and value are in the logical line.
    pub(crate) range: Range<usize>,
}

/// What an option asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OptionKind {
    Build,
    Constraint,
    Editable,
    ExtraIndex,
    FindLinks,
    Hash,
    Index,
    NoBinary,
    NoIndex,
    OnlyBinary,
    Prerelease,
    Requirement,
    RequireHashes,
    TrustedHost,
    Unknown,
}

/// Splits a line into its requirement, if it has one, and its options. Options begin at the first word that begins with `-`.
pub(crate) fn split_line(
    source: Source<'_>,
    line: &LogicalLine,
) -> Result<(Option<Range<usize>>, Vec<Given>), ManifestError> {
    let text = line.text.as_str();
    let word_starts = std::iter::once(0).chain(text.match_indices(' ').map(|(at, _)| at + 1));
    let options_start = word_starts.into_iter().find(|&at| text[at..].starts_with('-')).unwrap_or(text.len());
    let requirement = text[..options_start].trim_end();
    let requirement = (!requirement.is_empty()).then_some(0..requirement.len());
    let words = words(source, line, options_start)?;
    let mut options = Vec::new();
    let mut rest = words.into_iter();
    while let Some(word) = rest.next() {
        let mut option = read_option(&word);
        // The value of an option is in the same word, or is the next.
        if takes_value(option.kind) && option.value.is_empty() && !word.text.contains('=') {
            let value = rest.next().ok_or_else(|| {
                let kind = ManifestErrorKind::Empty { key: option.name.clone() };
                source.error(line.written(option.range.clone()), kind)
            })?;
            option.range.end = value.range.end;
            option.value = value.text;
            option.shown = value.shown;
        }
        options.push(option);
    }
    Ok((requirement, options))
}

fn read_option(word: &Word) -> Given {
    let (name, value) = split_option(&word.text);
    Given {
        kind: kind_of(name),
        name: pinfold_artifact::shown(name, 80),
        value: value.to_owned(),
        shown: split_option(&word.shown).1.to_owned(),
        range: word.range.clone(),
    }
}

fn split_option(word: &str) -> (&str, &str) {
    match word.split_once('=') {
        Some((name, value)) if name.starts_with("--") => (name, value),
        // `-rfile`: a short option and its value in one word.
        _ if !word.starts_with("--") && word.is_char_boundary(2) => word.split_at(2),
        _ => (word, ""),
    }
}

fn kind_of(name: &str) -> OptionKind {
    match name {
        "--config-setting" | "--config-settings" | "--global-option" | "--install-option" | "-C" => OptionKind::Build,
        "--constraint" | "-c" => OptionKind::Constraint,
        "--editable" | "-e" => OptionKind::Editable,
        "--extra-index-url" => OptionKind::ExtraIndex,
        "--find-links" | "-f" => OptionKind::FindLinks,
        "--hash" => OptionKind::Hash,
        "--index-url" | "--pypi-url" | "-i" => OptionKind::Index,
        "--no-binary" => OptionKind::NoBinary,
        "--no-index" => OptionKind::NoIndex,
        "--only-binary" | "--prefer-binary" => OptionKind::OnlyBinary,
        "--pre" => OptionKind::Prerelease,
        "--requirement" | "-r" => OptionKind::Requirement,
        "--require-hashes" => OptionKind::RequireHashes,
        "--trusted-host" => OptionKind::TrustedHost,
        _ => OptionKind::Unknown,
    }
}

fn takes_value(kind: OptionKind) -> bool {
    match kind {
        OptionKind::NoIndex | OptionKind::Prerelease | OptionKind::RequireHashes | OptionKind::Unknown => false,
        // `--prefer-binary` takes none, but is refused either way.
        OptionKind::OnlyBinary => false,
        OptionKind::Build
        | OptionKind::Constraint
        | OptionKind::Editable
        | OptionKind::ExtraIndex
        | OptionKind::FindLinks
        | OptionKind::Hash
        | OptionKind::Index
        | OptionKind::NoBinary
        | OptionKind::Requirement
        | OptionKind::TrustedHost => true,
    }
}

/// A word of a line, without its quotes.
struct Word {
    text: String,
    /// The text with the names of variables in place of their values.
    shown: String,
    range: Range<usize>,
    /// The last variable whose name is in `shown`.
    variable: Option<usize>,
}

impl Word {
    fn push(&mut self, line: &LogicalLine, at: usize, c: char) {
        self.text.push(c);
        self.range.end = at + c.len_utf8();
        match line.variable_at(at) {
            Some((position, _)) if self.variable == Some(position) => {}
            Some((position, name)) => {
                self.shown.push_str(&format!("${{{name}}}"));
                self.variable = Some(position);
            }
            None => self.shown.push(c),
        }
    }
}

/// Splits as a POSIX shell does: blanks separate, quotes and backslashes protect.
fn words(source: Source<'_>, line: &LogicalLine, from: usize) -> Result<Vec<Word>, ManifestError> {
    let mut words = Vec::new();
    let mut word: Option<Word> = None;
    let mut quote: Option<(usize, char)> = None;
    let mut characters = line.text.char_indices().skip_while(|(at, _)| *at < from);
    while let Some((at, c)) = characters.next() {
        if quote.is_none() && c.is_whitespace() {
            words.extend(word.take());
            continue;
        }
        let empty = || Word { text: String::new(), shown: String::new(), range: at..at, variable: None };
        let word = word.get_or_insert_with(empty);
        word.range.end = at + c.len_utf8();
        match (quote, c) {
            (Some((_, open)), _) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some((at, c)),
            (None, '\\') | (Some((_, '"')), '\\') => {
                if let Some((at, c)) = characters.next() {
                    word.push(line, at, c);
                }
            }
            _ => word.push(line, at, c),
        }
    }
    if let Some((at, _)) = quote {
        return Err(source.error(line.written(at..line.text.len()), ManifestErrorKind::OpenQuote));
    }
    words.extend(word);
    Ok(words)
}
