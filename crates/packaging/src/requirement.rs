//! One requirement (PEP 508): the gate before `pep440_rs` and `pep508_rs`.
//!
//! Those crates do arithmetic well, and badly stand text that someone wrote to hurt: they panic on `foo->=1.0`, expand
//! environment variables into a URL, overflow the stack. Here the specification's grammar is read by hand, within the
//! bounds of [`Limits`], and only names, versions and markers that fit it go further. Nothing else in pinfold hands them
//! text from outside.
//!
//! [`Requirement::parse`] is for what a person wrote; [`Requirement::parse_lenient`] is for published metadata, which is
//! full of forms that were legal once, or never. A known one is read as what it must mean and recorded; there is no guess
//! about an unknown one.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use pinfold_artifact::{Limits, SafeUrl};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::specifiers::{ClauseProblem, Leniency, read_clauses};
use crate::version::shown;
use crate::{ExtraName, Marker, PackageName, Specifiers};

/// A requirement on a project.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Requirement {
    /// The project.
    pub name: PackageName,
    /// The extras of it that are wanted.
    pub extras: BTreeSet<ExtraName>,
    /// The versions that are accepted; any where a URL is given.
    pub specifiers: Specifiers,
    /// The file that is demanded, if one is.
    pub url: Option<RequiredUrl>,
    /// Where the requirement holds.
    pub marker: Marker,
}

/// The URL that a requirement names instead of versions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RequiredUrl {
    /// One that pinfold can work with.
    Safe(SafeUrl),
    /// One that it never works with, without login, query and fragment, escaped and cut. Only published metadata has such: most are behind
    /// extras that nobody wants, so one is refused where somebody does.
    Unsafe(String),
}

impl RequiredUrl {
    /// Returns the URL, if pinfold can work with it.
    pub const fn safe(&self) -> Option<&SafeUrl> {
        match self {
            Self::Safe(url) => Some(url),
            Self::Unsafe(_) => None,
        }
    }
}

impl fmt::Display for RequiredUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Safe(url) => write!(f, "{url}"),
            Self::Unsafe(written) => f.write_str(written),
        }
    }
}

/// What was changed to make sense of a known broken form, for the record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Repair {
    /// The text as it came, escaped and cut.
    pub written: String,
    /// What it was read as.
    pub read_as: String,
    /// What was wrong with it.
    pub reason: String,
}

/// Why a text is no requirement, and where it goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct RequirementError {
    /// What is wrong, in one sentence.
    pub reason: String,
    /// Byte position in the text where it goes wrong; always between two characters.
    pub position: usize,
    /// Bytes that are wrong, at least one; they may reach past the end by one.
    pub length: usize,
    /// Of what sort it is.
    pub kind: RequirementErrorKind,
}

/// Of what sort an unreadable requirement is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequirementErrorKind {
    /// A character that no requirement has and that may stand for another, such as a Cyrillic look-alike.
    Character,
    /// It does not have the form of a requirement.
    Form,
    /// It is larger or more entangled than any real one.
    Limit,
    /// The URL is none that pinfold works with.
    Url,
}

impl RequirementError {
    pub(crate) fn new(kind: RequirementErrorKind, reason: impl Into<String>, span: Range<usize>) -> Self {
        Self { reason: reason.into(), position: span.start, length: span.len().max(1), kind }
    }

    /// Returns the code of a refusal for security, if the text comes from others and this is one.
    pub fn refusal_code(&self) -> Option<&'static str> {
        match self.kind {
            RequirementErrorKind::Character => Some("foreign-character"),
            RequirementErrorKind::Form => None,
            RequirementErrorKind::Limit => Some("metadata-limit"),
            RequirementErrorKind::Url => Some("unsafe-url"),
        }
    }
}

impl Requirement {
    /// Reads a requirement that a person wrote: anything unclear is an error.
    ///
    /// # Errors
    /// When the text does not follow PEP 508, or exceeds a limit.
    pub fn parse(text: &str) -> Result<Self, RequirementError> {
        read(text, None, &mut Markers::default()).map(|(requirement, _)| requirement)
    }

    /// Reads a requirement out of published metadata: known broken forms are repaired and recorded, and a URL that pinfold does
    /// not work with is [kept as such](RequiredUrl::Unsafe).
    ///
    /// # Errors
    /// When the text does not follow PEP 508 and no known repair helps, or exceeds a limit.
    pub fn parse_lenient(text: &str) -> Result<(Self, Vec<Repair>), RequirementError> {
        let mut repairs = Vec::new();
        let (requirement, _) = read(text, Some(&mut repairs), &mut Markers::default())?;
        Ok((requirement, repairs))
    }
}

/// Checks what holds for every text: length and characters. A URL may have other characters than ASCII.
pub(crate) fn check_text(text: &str) -> Result<(), RequirementError> {
    let error = |kind, reason: String, span| Err(RequirementError::new(kind, reason, span));
    if text.len() > Limits::REQUIREMENT_BYTES {
        let reason = format!("it has {} bytes; {} are allowed", text.len(), Limits::REQUIREMENT_BYTES);
        return error(RequirementErrorKind::Limit, reason, 0..1);
    }
    let plain = |byte: u8| matches!(byte, b' '..=b'~' | b'\t');
    if text.bytes().all(plain) {
        return Ok(());
    }
    let foreign = text.char_indices().find(|(_, c)| c.is_control() && *c != '\t').or_else(|| {
        let url = text.find('@').map_or(text.len()..text.len(), |at| url_span(text, at + 1));
        text.char_indices().find(|(at, c)| !c.is_ascii() && !url.contains(at))
    });
    match foreign {
        Some((at, c)) => {
            let reason = format!("`{}` does not belong into a requirement", shown(c.encode_utf8(&mut [0; 4])));
            let kind = if is_typographic(c) { RequirementErrorKind::Form } else { RequirementErrorKind::Character };
            error(kind, reason, at..at + c.len_utf8())
        }
        None => Ok(()),
    }
}

/// Returns true for what editors and web pages put in place of a blank, a hyphen or a quotation mark. Nobody takes it for a
/// letter of a name: whoever has it in a requirement has copied it from a text.
fn is_typographic(c: char) -> bool {
    (c.is_whitespace() && !c.is_control())
        || matches!(c, '\u{2010}'..='\u{2015}' | '\u{2018}'..='\u{201f}' | '\u{2026}')
}

/// Returns where the URL after an `@` is: up to the next blank.
fn url_span(text: &str, after: usize) -> Range<usize> {
    let start = text.len() - text[after..].trim_start_matches(BLANKS).len();
    let length = text[start..].find(BLANKS).unwrap_or(text.len() - start);
    start..start + length
}

const BLANKS: [char; 2] = [' ', '\t'];

/// Reads a requirement; returns about how many nodes its marker's diagram has, too.
pub(crate) fn read(
    text: &str,
    mut repairs: Option<&mut Vec<Repair>>,
    markers: &mut Markers,
) -> Result<(Requirement, usize), RequirementError> {
    check_text(text)?;
    let mut reader = Reader { text, at: 0 };
    let name = reader.name()?;
    let extras = reader.extras()?;
    reader.skip_blanks();
    let (url, specifiers) = match reader.peek() {
        Some('@') => (Some(reader.url(repairs.is_some())?), Specifiers::any()),
        _ => (None, reader.specifiers(repairs.as_deref_mut())?),
    };
    reader.skip_blanks();
    let (marker, nodes) = match reader.peek() {
        None => (Marker::always(), 0),
        Some(';') if reader.rest()[1..].trim_matches(BLANKS).is_empty() => {
            let at = reader.at;
            let Some(repairs) = repairs else { return Err(form("there is no marker after `;`", at..at + 1)) };
            repairs.push(repair(text, text[..at].trim_end(), "a semicolon without a marker"));
            (Marker::always(), 0)
        }
        Some(';') => markers.read(text, reader.at + 1, repairs)?,
        Some(_) => return Err(form("expected a version specifier, `@`, `;` or the end", reader.at..reader.word_end())),
    };
    let requirement = Requirement { name, extras, specifiers, url, marker };
    // A requirement may grow when it is written, and what is written must be read again.
    if text.len() > Limits::REQUIREMENT_BYTES / 4 && requirement.to_string().len() > Limits::REQUIREMENT_BYTES {
        let reason = format!("written out it has more than {} bytes", Limits::REQUIREMENT_BYTES);
        return Err(RequirementError::new(RequirementErrorKind::Limit, reason, 0..1));
    }
    Ok((requirement, nodes))
}

/// Markers that were read: most requirements of one METADATA file share a few.
#[derive(Debug, Default)]
pub(crate) struct Markers {
    /// As they were written, with about how many nodes the diagram of each has. Those of most files are all there.
    known: Vec<(Box<str>, Marker, usize)>,
}

impl Markers {
    /// Reads the marker that a text holds from `start` on, unless it was read before. One that was repaired is read each time,
    /// because each repair is told.
    fn read(
        &mut self,
        text: &str,
        start: usize,
        mut repairs: Option<&mut Vec<Repair>>,
    ) -> Result<(Marker, usize), RequirementError> {
        let written = &text[start..];
        if let Some((_, marker, nodes)) = self.known.iter().rev().find(|(known, ..)| **known == *written) {
            return Ok((marker.clone(), *nodes));
        }
        let before = repairs.as_ref().map_or(0, |repairs| repairs.len());
        let (marker, nodes) = Marker::read(text, start, repairs.as_deref_mut())?;
        if self.known.len() < MARKERS && repairs.is_none_or(|repairs| repairs.len() == before) {
            self.known.push((written.into(), marker.clone(), nodes));
        }
        Ok((marker, nodes))
    }
}

/// More different markers than this are not remembered: looking for one must stay cheaper than reading it.
const MARKERS: usize = 64;

fn form(reason: impl Into<String>, span: Range<usize>) -> RequirementError {
    RequirementError::new(RequirementErrorKind::Form, reason, span)
}

fn repair(written: &str, read_as: &str, reason: &str) -> Repair {
    Repair { written: shown(written), read_as: read_as.to_owned(), reason: reason.to_owned() }
}

/// Reads from left to right; `at` is always between two characters.
struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn skip_blanks(&mut self) {
        self.at = self.text.len() - self.rest().trim_start_matches(BLANKS).len();
    }

    fn word_end(&self) -> usize {
        self.at + self.rest().find(|c| " \t;,".contains(c)).unwrap_or(self.rest().len()).max(1)
    }

    /// Reads the longest run of characters that names have.
    fn identifier(&mut self) -> Range<usize> {
        self.skip_blanks();
        let start = self.at;
        let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        self.at += self.rest().find(|c| !named(c)).unwrap_or(self.rest().len());
        start..self.at
    }

    fn name(&mut self) -> Result<PackageName, RequirementError> {
        let span = self.identifier();
        let name = &self.text[span.clone()];
        if name.is_empty() || name.starts_with('.') {
            let reason = match self.text[span.start..].chars().next() {
                None => "a requirement must not be empty",
                Some('/' | '.' | '\\') => "a path is no requirement; it must begin with a project's name",
                Some(_) => "a requirement must begin with a project's name",
            };
            return Err(form(reason, span));
        }
        let file = [".whl", ".zip", ".tar.gz", ".tar.bz2", ".tgz"].iter().any(|end| name.ends_with(end));
        if file || self.rest().starts_with("://") {
            let what = if file { "a file name" } else { "a URL" };
            let reason = format!("{what} is no requirement; write `name @ https://…`, or a name and a version");
            return Err(form(reason, span));
        }
        name.parse().map_err(|error: crate::NameError| form(error.to_string(), span))
    }

    fn extras(&mut self) -> Result<BTreeSet<ExtraName>, RequirementError> {
        self.skip_blanks();
        let mut extras = BTreeSet::new();
        let bracket = self.at;
        if !self.eat('[') || self.eat(']') {
            return Ok(extras);
        }
        loop {
            let span = self.identifier();
            let name = &self.text[span.clone()];
            extras.insert(name.parse().map_err(|error: crate::NameError| form(error.to_string(), span))?);
            if self.eat(']') {
                return Ok(extras);
            }
            if self.at == self.text.len() {
                return Err(form("this bracket is not closed", bracket..bracket + 1));
            }
            if !self.eat(',') {
                return Err(form("expected `,` or `]` after an extra", self.at..self.word_end()));
            }
        }
    }

    fn eat(&mut self, wanted: char) -> bool {
        self.skip_blanks();
        let found = self.rest().starts_with(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    fn url(&mut self, is_published: bool) -> Result<RequiredUrl, RequirementError> {
        let span = url_span(self.text, self.at + 1);
        let written = &self.text[span.clone()];
        self.at = span.end;
        if written.ends_with(';') {
            return Err(form("put a blank before `;`: it could belong to the URL", span.end - 1..span.end));
        }
        match read_url(written) {
            Ok(url) => Ok(RequiredUrl::Safe(url)),
            Err(_) if is_published && !written.is_empty() => Ok(RequiredUrl::Unsafe(shown(&without_secrets(written)))),
            // Nothing that could lead anywhere: what is published so is merely broken.
            Err(reason) if is_published => Err(RequirementError::new(RequirementErrorKind::Form, reason, span)),
            Err(reason) => Err(RequirementError::new(RequirementErrorKind::Url, reason, span)),
        }
    }

    /// Reads the specifiers up to the marker, with or without parentheses around them.
    fn specifiers(&mut self, repairs: Option<&mut Vec<Repair>>) -> Result<Specifiers, RequirementError> {
        let end = self.at + self.rest().find(';').unwrap_or(self.rest().len());
        let mut span = self.at..end;
        if let Some(inner) = self.text[span.clone()].strip_prefix('(') {
            let Some(close) = inner.find(')') else {
                return Err(form("this parenthesis is not closed", self.at..self.at + 1));
            };
            span = self.at + 1..self.at + 1 + close;
            let rest = inner[close + 1..].trim_matches(BLANKS);
            if !rest.is_empty() {
                return Err(form("expected `;` or the end", span.end + 1..end));
            }
        } else if !self.rest().starts_with(['<', '>', '=', '!', '~', ',']) {
            return Ok(Specifiers::any());
        }
        self.at = end;
        let written = &self.text[span.clone()];
        let leniency = repairs.map_or(Leniency::Strict, Leniency::Repair);
        if written.trim_matches(BLANKS).is_empty() && matches!(leniency, Leniency::Strict) {
            return Err(form("there is no version specifier between the parentheses", span.start - 1..span.end + 1));
        }
        let clauses = read_clauses(written, leniency).map_err(|error| {
            let at = span.start + error.position..span.start + error.position + error.length;
            match error.reason {
                ClauseProblem::Form(reason) => form(reason, at),
                ClauseProblem::TooLong => {
                    RequirementError::new(RequirementErrorKind::Limit, "too many version specifiers", at)
                }
            }
        })?;
        Ok(Specifiers::from_clauses(clauses))
    }
}

/// Reads the URL of a requirement, or says why pinfold does not work with it.
fn read_url(written: &str) -> Result<SafeUrl, String> {
    if written.contains("${") {
        return Err(VARIABLES.to_owned());
    }
    let is_file = written.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("file:"));
    if is_file && !written.starts_with("file:///") {
        return Err("a `file` URL must be absolute: `file:///…`".to_owned());
    }
    let url: SafeUrl = written.parse().map_err(|error: pinfold_artifact::UrlError| error.to_string())?;
    // Letters of a host are put in another order when they are written in ASCII.
    if url.as_str().contains("${") { Err(VARIABLES.to_owned()) } else { Ok(url) }
}

/// Why a URL that a shell or an installer would change is none.
const VARIABLES: &str = "environment variables are not expanded in a URL";

/// Returns a URL, or what was meant for one, without what may be a secret: what stands in front of its host, its query and its
/// fragment.
fn without_secrets(written: &str) -> String {
    let written = written.split(['?', '#']).next().unwrap_or_default();
    let is_slash = |c| matches!(c, '/' | '\\');
    let is_scheme = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let after_scheme =
        written.split_once(':').filter(|(scheme, _)| is_scheme(scheme)).map_or(written, |(_, rest)| rest);
    let rest = after_scheme.trim_start_matches(is_slash);
    let (authority, path) = rest.split_at(rest.find(is_slash).unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{}{host}{path}", &written[..written.len() - rest.len()])
}

impl FromStr for Requirement {
    type Err = RequirementError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)?;
        for (position, extra) in self.extras.iter().enumerate() {
            write!(f, "{}{extra}", if position == 0 { "[" } else { "," })?;
        }
        if !self.extras.is_empty() {
            f.write_str("]")?;
        }
        write!(f, "{}", self.specifiers)?;
        if let Some(url) = &self.url {
            write!(f, " @ {url}")?;
        }
        if self.marker.is_always() {
            return Ok(());
        }
        write!(f, "{} {}", if self.url.is_some() { " ;" } else { ";" }, self.marker)
    }
}

impl Serialize for Requirement {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Requirement {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
