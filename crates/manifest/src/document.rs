//! A TOML text with positions: every access that fails says where.
//!
//! The parsed tree is walked by hand instead of through serde, because serde forgets where a value was written, and a
//! message without a place is of little use.

use std::collections::BTreeSet;
use std::ops::Range;
use std::str::FromStr;

use pinfold_artifact::{Limits, shown};
use pinfold_packaging::RequirementError;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::place::{Positions, directory_of};
use crate::{ManifestError, ManifestErrorKind, Place, Requested, Sourced, reference};

/// The text of a manifest and its name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Document<'a> {
    pub(crate) file: &'a str,
    pub(crate) text: &'a str,
    /// Of the text.
    pub(crate) positions: &'a Positions,
}

/// Returns where in the text of its file a value is written.
pub fn place_of<T>(sourced: &Sourced<T>, text: &str) -> Place {
    let document = Document { file: &sourced.file, text, positions: &Positions::of(text) };
    Place::locate(&sourced.file, text, document.range_at(sourced.line, sourced.column))
}

/// Returns where a requirement names what it refers to: behind its `@`, up to the next blank or quotation mark. What begins on
/// another line than the requirement is not looked for.
pub fn place_of_reference<T>(sourced: &Sourced<T>, text: &str) -> Place {
    let start = Positions::of(text).offset(text, sourced.line, sourced.column);
    let line = text[start..].lines().next().unwrap_or_default();
    let named = line.split_once('@').map(|(_, behind)| behind.trim_start()).unwrap_or_default();
    let begin = start + line.len() - named.len();
    let length = named.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'')).unwrap_or(named.len());
    match &named[..length] {
        "" | "\\" => place_of(sourced, text),
        _ => Place::locate(&sourced.file, text, begin..begin + length),
    }
}

/// A table of which every key is known.
#[derive(Debug, Clone)]
pub(crate) struct Table<'d> {
    pub(crate) document: Document<'d>,
    /// The table as messages name it: `[project]`.
    pub(crate) title: &'static str,
    entries: &'d DeTable<'d>,
    pub(crate) range: Range<usize>,
}

/// A text in the document, and where it is.
#[derive(Debug, Clone)]
pub(crate) struct Text<'d> {
    pub(crate) value: &'d str,
    pub(crate) range: Range<usize>,
}

impl<'d> Document<'d> {
    /// Parses the text.
    pub(crate) fn parse(self) -> Result<Spanned<DeTable<'d>>, ManifestError> {
        if self.text.len() as u64 > Limits::MANIFEST_BYTES {
            let kind = ManifestErrorKind::TooLarge { found: self.text.len() };
            return Err(ManifestError::new(Place::whole(self.file), kind));
        }
        DeTable::parse(self.text).map_err(|error| {
            let range = error.span().unwrap_or(0..0);
            // The parser explains over several lines; the first says what is wrong.
            let message = error.message().lines().next().unwrap_or_default().to_owned();
            self.error(range, ManifestErrorKind::Syntax { message })
        })
    }

    pub(crate) fn error(self, range: Range<usize>, kind: impl Into<ManifestErrorKind>) -> ManifestError {
        ManifestError::new(Place::locate(self.file, self.text, range), kind.into())
    }

    pub(crate) fn sourced<T>(self, range: Range<usize>, value: T) -> Sourced<T> {
        let (line, column) = self.positions.find(self.text, range.start);
        Sourced { value, file: self.file.to_owned(), line, column }
    }

    /// Returns the range of the value that begins at a line and column, to the end of its line at most.
    pub(crate) fn range_at(self, line: usize, column: usize) -> Range<usize> {
        let start = self.positions.offset(self.text, line, column);
        let value = self.text.get(start..).unwrap_or_default();
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
        let length = quote.and_then(|quote| value[1..].find(quote).map(|end| end + 2));
        start..start + length.unwrap_or(1)
    }

    /// Reads a text as a value, and blames the whole text if it is none.
    pub(crate) fn read<T: FromStr>(self, text: &Text<'_>) -> Result<T, ManifestError>
    where
        ManifestErrorKind: From<T::Err>,
    {
        text.value.parse().map_err(|error: T::Err| self.error(text.range.clone(), error))
    }

    /// Reads a requirement, and blames the part of it that is wrong.
    pub(crate) fn requirement(self, text: &Text<'_>) -> Result<Sourced<Requested>, ManifestError> {
        match reference::parse(text.value, directory_of(self.file)) {
            Ok(requirement) => Ok(self.sourced(text.range.clone(), requirement)),
            Err(error) => Err(self.error(self.inside(text, &error), error)),
        }
    }

    /// Returns where an error inside a text is in the document. Where escapes make the two differ, that is the whole text.
    fn inside(self, text: &Text<'_>, error: &RequirementError) -> Range<usize> {
        let written = self.text.get(text.range.clone()).unwrap_or_default();
        match written.find(text.value) {
            Some(quote) if !text.value.is_empty() => {
                let start = text.range.start + quote + error.position.min(text.value.len());
                start..start + error.length.max(1)
            }
            _ => text.range.clone(),
        }
    }
}

impl<'d> Table<'d> {
    /// Opens a table of whose keys all are known.
    pub(crate) fn open(
        document: Document<'d>,
        title: &'static str,
        value: &'d Spanned<DeValue<'d>>,
        known: &[&'static str],
    ) -> Result<Self, ManifestError> {
        let table = Self::open_any(document, title, value)?;
        table.check_keys(known, &[])?;
        Ok(table)
    }

    /// Opens a table whose keys are names, or are not ours to judge.
    pub(crate) fn open_any(
        document: Document<'d>,
        title: &'static str,
        value: &'d Spanned<DeValue<'d>>,
    ) -> Result<Self, ManifestError> {
        match value.get_ref() {
            DeValue::Table(entries) => Ok(Self { document, title, entries, range: value.span() }),
            other => Err(document.error(value.span(), wrong_type(title, "a table", other))),
        }
    }

    /// Opens the document itself.
    pub(crate) fn root(document: Document<'d>, root: &'d Spanned<DeTable<'d>>) -> Self {
        Self { document, title: "the manifest", entries: root.get_ref(), range: 0..0 }
    }

    /// Refuses the first unknown key. Keys that are known in another table are suggested with it.
    pub(crate) fn check_keys(
        &self,
        known: &[&'static str],
        elsewhere: &[(&'static str, &[&'static str])],
    ) -> Result<(), ManifestError> {
        let unknown = self.entries.keys().filter(|key| !known.contains(&key.get_ref().as_ref()));
        let Some(first) = unknown.min_by_key(|key| key.span().start) else {
            return Ok(());
        };
        let key = first.get_ref().as_ref();
        let other = elsewhere.iter().find(|(_, keys)| keys.contains(&key));
        let nearest = match other {
            Some((table, _)) => format!("`{key}` of {table}"),
            None => format!("`{}`", nearest(key, known.iter().copied()).unwrap_or_default()),
        };
        let kind = ManifestErrorKind::UnknownKey {
            key: shown(key, 80),
            table: self.title.to_owned(),
            nearest,
            known: known.to_vec(),
        };
        Err(self.document.error(first.span(), kind))
    }

    pub(crate) fn get(&self, key: &str) -> Option<&'d Spanned<DeValue<'d>>> {
        self.entries.get(key)
    }

    /// Returns the keys with their places and values, in the order of the text.
    pub(crate) fn entries(&self) -> Vec<(Text<'d>, &'d Spanned<DeValue<'d>>)> {
        let mut entries: Vec<_> = self
            .entries
            .iter()
            .map(|(key, value)| (Text { value: key.get_ref().as_ref(), range: key.span() }, value))
            .collect();
        entries.sort_by_key(|(key, _)| key.range.start);
        entries
    }

    pub(crate) fn text(&self, key: &str) -> Result<Option<Text<'d>>, ManifestError> {
        self.get(key).map(|value| text(self.document, key, value)).transpose()
    }

    pub(crate) fn required_text(&self, key: &'static str) -> Result<Text<'d>, ManifestError> {
        self.text(key)?.ok_or_else(|| {
            let kind = ManifestErrorKind::Missing { key, table: self.title };
            self.document.error(self.range.clone(), kind)
        })
    }

    /// Returns a flag, false where it is not given.
    pub(crate) fn flag(&self, key: &str) -> Result<bool, ManifestError> {
        match self.get(key).map(|value| (value.get_ref(), value.span())) {
            None => Ok(false),
            Some((DeValue::Boolean(flag), _)) => Ok(*flag),
            Some((other, range)) => Err(self.document.error(range, wrong_type(key, "true or false", other))),
        }
    }

    /// Returns the texts of an array, none where it is not given.
    pub(crate) fn texts(&self, key: &str) -> Result<Vec<Text<'d>>, ManifestError> {
        self.get(key).map_or_else(|| Ok(Vec::new()), |value| texts(self.document, key, value))
    }

    /// Returns the values of an array of texts; a value that is written twice is an error.
    pub(crate) fn set<T: FromStr + Ord>(&self, key: &str) -> Result<BTreeSet<T>, ManifestError>
    where
        ManifestErrorKind: From<T::Err>,
    {
        let mut set = BTreeSet::new();
        for text in self.texts(key)? {
            if !set.insert(self.document.read(&text)?) {
                let kind = ManifestErrorKind::Twice { name: text.value.to_owned() };
                return Err(self.document.error(text.range, kind));
            }
        }
        Ok(set)
    }

    pub(crate) fn requirements(&self, key: &str) -> Result<Vec<Sourced<Requested>>, ManifestError> {
        self.texts(key)?.iter().map(|text| self.document.requirement(text)).collect()
    }

    /// Returns the tables of an array of tables, none where it is not given.
    pub(crate) fn tables(
        &self,
        key: &str,
        title: &'static str,
        known: &[&'static str],
    ) -> Result<Vec<Self>, ManifestError> {
        let Some(value) = self.get(key) else {
            return Ok(Vec::new());
        };
        match value.get_ref() {
            DeValue::Array(items) => items.iter().map(|item| Self::open(self.document, title, item, known)).collect(),
            other => Err(self.document.error(value.span(), wrong_type(key, "an array of tables", other))),
        }
    }
}

/// Returns a value that must be a text.
pub(crate) fn text<'d>(
    document: Document<'d>,
    key: &str,
    value: &'d Spanned<DeValue<'d>>,
) -> Result<Text<'d>, ManifestError> {
    match value.get_ref() {
        DeValue::String(text) => Ok(Text { value: text.as_ref(), range: value.span() }),
        other => Err(document.error(value.span(), wrong_type(key, "a string", other))),
    }
}

/// Returns a value that must be an array of texts.
pub(crate) fn texts<'d>(
    document: Document<'d>,
    key: &str,
    value: &'d Spanned<DeValue<'d>>,
) -> Result<Vec<Text<'d>>, ManifestError> {
    match value.get_ref() {
        DeValue::Array(items) => items.iter().map(|item| item_text(document, key, item)).collect(),
        other => Err(document.error(value.span(), wrong_type(key, "an array of strings", other))),
    }
}

fn item_text<'d>(document: Document<'d>, key: &str, item: &'d Spanned<DeValue<'d>>) -> Result<Text<'d>, ManifestError> {
    match item.get_ref() {
        DeValue::String(text) => Ok(Text { value: text.as_ref(), range: item.span() }),
        other => Err(document.error(item.span(), wrong_item(key, "a string", other))),
    }
}

pub(crate) fn wrong_type(key: &str, expected: &'static str, found: &DeValue<'_>) -> ManifestErrorKind {
    ManifestErrorKind::Type { key: key.to_owned(), expected, found: type_name(found) }
}

pub(crate) fn wrong_item(key: &str, expected: &'static str, found: &DeValue<'_>) -> ManifestErrorKind {
    ManifestErrorKind::ItemType { key: key.to_owned(), expected, found: type_name(found) }
}

fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::Array(_) => "an array",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a time",
        DeValue::Float(_) | DeValue::Integer(_) => "a number",
        DeValue::String(_) => "a string",
        DeValue::Table(_) => "a table",
    }
}

/// Returns the most similar of some names.
pub(crate) fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let name: String = name.chars().take(80).collect();
    known
        .map(|candidate| (strsim::normalized_damerau_levenshtein(&name, candidate), candidate))
        .max_by(|(a, first), (b, second)| a.total_cmp(b).then(second.cmp(first)))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_found_in_its_requirement() {
        let check = |text: &str, from: &str, expected: &str| {
            let start = text.find(from).unwrap();
            let (line, column) = Positions::of(text).find(text, start);
            let place = place_of_reference(&Sourced { value: (), file: "r.txt".to_owned(), line, column }, text);
            let meant = place.line_text.chars().skip(place.column - 1).take(place.length).collect::<String>();
            assert_eq!((meant.as_str(), place.line), (expected, line), "{text}");
        };
        check("a\nné @ ./nothere ; extra # x\n", "né", "./nothere");
        check("né[x]@../nothere\r\n", "né", "../nothere");
        check("x = [\"a\", \"b @ ./no'where\"]", "\"b", "./no");
        check("x = ['b @ ./nothere']\ny = 'a@b'", "'b", "./nothere");
        // What is not found is pointed at as a whole, or at its beginning.
        check("b @ \\\n./nothere", "b", "b");
        check("x = ['b']", "'b", "'b'");
        check("b", "b", "b");
    }
}
