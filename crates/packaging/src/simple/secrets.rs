//! What may be kept of a page: all of it but what signs the URLs on it, with which whoever reads the cache could get the files.
//!
//! Nothing else of a page changes, and what is left out is values only: a file whose URL is signed still has such a URL, so that it
//! is refused with the same words. Of a page that cannot be read nobody knows what signs its URLs.

use std::borrow::Cow;
use std::ops::Range;

use pinfold_artifact::SafeUrl;

use super::{PageFormat, html};

/// A page without what signs its URLs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WithoutSecrets {
    /// No URL on it is signed.
    Same,
    /// It cannot be read, so it is not known.
    Unknown,
    /// What is left.
    Written(Vec<u8>),
}

impl WithoutSecrets {
    /// Looks at a page.
    pub fn of(bytes: &[u8], format: PageFormat) -> Self {
        let Ok(text) = str::from_utf8(bytes) else { return Self::Unknown };
        let written = match format {
            // A query begins with a question mark, and each form has one way to write it otherwise.
            PageFormat::Html if !text.contains('?') && !text.contains("&#") => return Self::Same,
            PageFormat::Html => html::without_secrets(text),
            PageFormat::Json if !has_question_mark(text) => return Self::Same,
            PageFormat::Json => json(text),
        };
        match written {
            None => Self::Unknown,
            Some(Cow::Borrowed(_)) => Self::Same,
            Some(Cow::Owned(written)) => Self::Written(written.into_bytes()),
        }
    }
}

fn has_question_mark(text: &str) -> bool {
    text.contains('?') || text.contains("\\u003")
}

/// Looks at each string for itself, whatever it is for: what is between them has no URL.
fn json(text: &str) -> Option<Cow<'_, str>> {
    let mut rewritten = Rewritten::new(text);
    let mut at = 0;
    while let Some(start) = text[at..].find('"').map(|found| at + found) {
        at = start + string_length(&text[start..])?;
        let string = &text[start..at];
        if !has_question_mark(string) {
            continue;
        }
        let read: String = serde_json::from_str(string).ok()?;
        if let Some(bare) = SafeUrl::without_secrets(&read) {
            rewritten.replace(start..at, &serde_json::to_string(&bare).ok()?);
        }
    }
    Some(rewritten.finish())
}

/// Returns how long the string is that the text begins with, its quotes included; nothing if it does not end.
fn string_length(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// A text of which parts are replaced, from its beginning to its end.
pub(super) struct Rewritten<'a> {
    pub(super) text: &'a str,
    written: String,
    /// How much of the text has been written, or something in its place.
    done: usize,
}

impl<'a> Rewritten<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, written: String::new(), done: 0 }
    }

    pub(super) fn replace(&mut self, part: Range<usize>, by: &str) {
        self.written.push_str(&self.text[self.done..part.start]);
        self.written.push_str(by);
        self.done = part.end;
    }

    /// Returns the text, or itself if nothing was replaced.
    pub(super) fn finish(mut self) -> Cow<'a, str> {
        if self.done == 0 {
            return Cow::Borrowed(self.text);
        }
        self.written.push_str(&self.text[self.done..]);
        Cow::Owned(self.written)
    }
}
