//! A TOML document as it was written: every value knows its line, every mistake is named by its place.
//!
//! `serde` would tell less: no line inside arrays of tables, no list of unknown keys that are only remarked on.

use std::cell::RefCell;
use std::fmt::Display;
use std::str::FromStr;

use jiff::Timestamp;
use pinfold_artifact::{LocalPath, LocalPathError, SafeUrl};
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use crate::{LockError, LockWarning};

/// What all places of one document share.
pub(super) struct Document<'a> {
    pub(super) text: &'a str,
    /// The directory of the lock, which paths in it are relative to.
    pub(super) directory: Option<&'a LocalPath>,
    pub(super) warnings: RefCell<Vec<LockWarning>>,
    /// The index that was read last, as it is written: most entries are of one.
    pub(super) index: RefCell<Option<(String, SafeUrl)>>,
}

impl Document<'_> {
    /// Returns where a path of the lock is on this machine. Without a directory, the root stands for it.
    fn url_of(&self, path: &LocalPath) -> Result<SafeUrl, LocalPathError> {
        let root = "/".parse::<LocalPath>()?;
        let form = |reason| LocalPathError::Form { path: path.to_string(), reason };
        let whole = self.directory.unwrap_or(&root).join(path)?;
        whole.to_file_url().ok_or_else(|| form("the directory of the lock is not known"))
    }

    pub(super) fn line(&self, offset: usize) -> usize {
        position(self.text, offset).0
    }
}

/// Returns line and column of an offset, both from 1.
pub(super) fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.bytes().filter(|byte| *byte == b'\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// A table of the document.
pub(super) struct Table<'a> {
    document: &'a Document<'a>,
    entries: &'a DeTable<'a>,
    offset: usize,
    place: String,
}

/// A value of the document.
pub(super) struct Item<'a> {
    document: &'a Document<'a>,
    value: &'a DeValue<'a>,
    offset: usize,
    place: String,
}

impl<'a> Table<'a> {
    pub(super) const fn root(document: &'a Document<'a>, entries: &'a DeTable<'a>) -> Self {
        Self { document, entries, offset: 0, place: String::new() }
    }

    pub(super) fn line(&self) -> usize {
        self.document.line(self.offset)
    }

    /// Returns how messages call the table.
    pub(super) fn place(&self) -> String {
        if self.place.is_empty() { "the lock".to_owned() } else { self.place.clone() }
    }

    /// Returns where a path of the lock is on this machine.
    pub(super) fn url_of(&self, item: &Item<'_>, path: &LocalPath) -> Result<SafeUrl, LockError> {
        self.document.url_of(path).map_err(|error| item.wrong_value(path.as_str(), error.to_string()))
    }

    pub(super) fn optional(&self, key: &str) -> Option<Item<'a>> {
        let value = self.entries.get(key)?;
        let place = if self.place.is_empty() { key.to_owned() } else { format!("{}.{key}", self.place) };
        Some(Item { document: self.document, value: value.get_ref(), offset: value.span().start, place })
    }

    pub(super) fn required(&self, key: &'static str) -> Result<Item<'a>, LockError> {
        let missing = || LockError::MissingKey { key, line: self.line(), place: self.place() };
        self.optional(key).ok_or_else(missing)
    }

    /// Reads the texts of an optional array.
    pub(super) fn texts<T, C>(&self, key: &str) -> Result<C, LockError>
    where
        T: FromStr<Err: Display>,
        C: FromIterator<T>,
    {
        let items = self.optional(key).map(|item| item.array()).transpose()?.unwrap_or_default();
        items.iter().map(Item::parse).collect()
    }

    /// Reads the tables of an optional array.
    pub(super) fn tables(&self, key: &str) -> Result<Vec<Table<'a>>, LockError> {
        let items = self.optional(key).map(|item| item.array()).transpose()?.unwrap_or_default();
        items.into_iter().map(Item::table).collect()
    }

    /// Reads an optional text.
    pub(super) fn parse_optional<T: FromStr<Err: Display>>(&self, key: &str) -> Result<Option<T>, LockError> {
        self.optional(key).map(|item| item.parse()).transpose()
    }

    /// Reads the URL of the index, if it is given. It is shared with the entry before, if that is of the same.
    pub(super) fn index(&self) -> Result<Option<SafeUrl>, LockError> {
        let Some(item) = self.optional("index") else { return Ok(None) };
        let written = item.text()?;
        if let Some((last, url)) = &*self.document.index.borrow()
            && *last == written
        {
            return Ok(Some(url.clone()));
        }
        let url: SafeUrl = item.parse()?;
        *self.document.index.borrow_mut() = Some((written.to_owned(), url.clone()));
        Ok(Some(url))
    }

    /// Returns the keys with their values.
    pub(super) fn items(&self) -> impl Iterator<Item = (&'a str, Item<'a>)> {
        self.entries.iter().map(|(key, value)| {
            let place = format!("{}.{}", self.place, shown(key.get_ref()));
            let item = Item { document: self.document, value: value.get_ref(), offset: value.span().start, place };
            (key.get_ref().as_ref(), item)
        })
    }

    /// Refuses every key but the known ones.
    pub(super) fn refuse_others(&self, known: &[&str]) -> Result<(), LockError> {
        match self.others(known).next() {
            Some((key, line)) => Err(LockError::UnknownKey { key, line, place: self.place() }),
            None => Ok(()),
        }
    }

    /// Remarks on every key but the known ones.
    pub(super) fn remark_others(&self, known: &[&str]) {
        for (key, line) in self.others(known) {
            self.document.warnings.borrow_mut().push(LockWarning::UnknownKey { key, line, place: self.place() });
        }
    }

    fn others(&self, known: &[&str]) -> impl Iterator<Item = (String, usize)> {
        let unknown = self.entries.keys().filter(|key| !known.contains(&key.get_ref().as_ref()));
        unknown.map(|key| (shown(key.get_ref()), self.document.line(key.span().start)))
    }
}

impl<'a> Item<'a> {
    pub(super) fn line(&self) -> usize {
        self.document.line(self.offset)
    }

    pub(super) fn place(&self) -> &str {
        &self.place
    }

    pub(super) fn text(&self) -> Result<&'a str, LockError> {
        match self.value {
            DeValue::String(text) => Ok(text.as_ref()),
            _ => Err(self.wrong_type("a string")),
        }
    }

    pub(super) fn parse<T: FromStr<Err: Display>>(&self) -> Result<T, LockError> {
        let text = self.text()?;
        // What stands before an `@` in a URL may be a password.
        let shown = if text.contains('@') { "(not shown)" } else { text };
        text.parse().map_err(|error: T::Err| self.wrong_value(shown, error.to_string()))
    }

    pub(super) fn whole_number(&self) -> Result<u64, LockError> {
        let DeValue::Integer(number) = self.value else {
            return Err(self.wrong_type("an integer"));
        };
        let read = i64::from_str_radix(number.as_str(), number.radix()).ok().and_then(|n| u64::try_from(n).ok());
        read.ok_or_else(|| self.wrong_value(number.as_str(), "not a whole number from 0 to 2^63 - 1".to_owned()))
    }

    pub(super) fn boolean(&self) -> Result<bool, LockError> {
        match self.value {
            DeValue::Boolean(value) => Ok(*value),
            _ => Err(self.wrong_type("a boolean")),
        }
    }

    pub(super) fn timestamp(&self) -> Result<Timestamp, LockError> {
        let DeValue::Datetime(written) = self.value else {
            return Err(self.wrong_type("a date-time"));
        };
        let text = written.to_string();
        if written.date.is_none() || written.time.is_none() || written.offset.is_none() {
            return Err(self.wrong_value(&text, "a time must have a date and an offset, such as `Z`".to_owned()));
        }
        text.parse().map_err(|error: jiff::Error| self.wrong_value(&text, error.to_string()))
    }

    pub(super) fn array(&self) -> Result<Vec<Item<'a>>, LockError> {
        let DeValue::Array(items) = self.value else {
            return Err(self.wrong_type("an array"));
        };
        Ok(self.members(items))
    }

    fn members(&self, items: &'a DeArray<'a>) -> Vec<Item<'a>> {
        let member = |(position, value): (usize, &'a Spanned<DeValue<'a>>)| Item {
            document: self.document,
            value: value.get_ref(),
            offset: value.span().start,
            place: format!("{}[{position}]", self.place),
        };
        items.iter().enumerate().map(member).collect()
    }

    pub(super) fn table(self) -> Result<Table<'a>, LockError> {
        match self.value {
            DeValue::Table(entries) => {
                Ok(Table { document: self.document, entries, offset: self.offset, place: self.place })
            }
            _ => Err(self.wrong_type("a table")),
        }
    }

    pub(super) fn wrong_value(&self, found: &str, reason: String) -> LockError {
        LockError::Value { found: shown(found), line: self.line(), place: self.place.clone(), reason }
    }

    fn wrong_type(&self, expected: &'static str) -> LockError {
        let found = match self.value {
            DeValue::Array(_) => "an array",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date-time",
            DeValue::Float(_) => "a float",
            DeValue::Integer(_) => "an integer",
            DeValue::String(_) => "a string",
            DeValue::Table(_) => "a table",
        };
        LockError::Type { expected, found, line: self.line(), place: self.place.clone() }
    }
}

/// Escapes and cuts a text for a message.
pub(super) fn shown(text: &str) -> String {
    pinfold_artifact::shown(text, 80)
}
