//! The HTML page (PEP 503): a small scanner for the tags that matter, not an HTML parser.
//!
//! It goes over the text once, from left to right, expands a character reference at most once, and gives up at the first
//! quote or comment that is not closed: nothing in a page can make it slow or take more memory than the page.

use std::borrow::Cow;
use std::ops::Range;

use pinfold_artifact::{Limits, SafeUrl};

use super::file::{Gather, Listed};
use super::secrets::Rewritten;
use super::{PageError, ProjectStatus, SimplePage, check_api_version};
use crate::PackageName;
use crate::version::shown;

pub(super) fn read(bytes: &[u8], page_url: &SafeUrl, project: &PackageName) -> Result<SimplePage, PageError> {
    let text = str::from_utf8(bytes).map_err(|_| malformed("it is not UTF-8"))?;
    let mut scanner = Scanner { text, at: 0 };
    let mut page = Page::default();
    while let Some(tag) = scanner.next_tag()? {
        page.add(tag)?;
    }
    let base = match &page.base {
        Some(href) => page_url.join(href).map_err(|source| PageError::Url { filename: shown(href), source })?,
        None => page_url.clone(),
    };
    let mut gather = Gather::new(project, &base, None);
    for anchor in &page.anchors {
        if let Some(listed) = listed(anchor) {
            gather.add(&listed)?;
        }
    }
    Ok(gather.finish(ProjectStatus::new(page.status.as_deref(), page.reason.as_deref()), None))
}

/// Returns the page with what signs a URL taken out of the attributes of all tags that matter, and of words elsewhere, so that
/// the page is read as before; nothing if it cannot be read.
pub(super) fn without_secrets(text: &str) -> Option<Cow<'_, str>> {
    let mut scanner = Scanner { text, at: 0 };
    let mut rewritten = Rewritten::new(text);
    let mut seen = 0;
    while let Some(tag) = scanner.next_tag().ok()? {
        // An attribute without a value has one that is no part of the page.
        for (_, value) in tag.attributes.iter().filter(|(_, value)| !value.is_empty()) {
            let start = value.as_ptr().addr() - text.as_ptr().addr();
            hide_in_words(&mut rewritten, seen..start);
            seen = start + value.len();
            if let Some(bare) = SafeUrl::without_secrets(&expanded(value)) {
                rewritten.replace(start..seen, &unexpanded(&bare));
            }
        }
    }
    hide_in_words(&mut rewritten, seen..text.len());
    Some(rewritten.finish())
}

/// Takes what signs a URL out of what is between blanks, quotes and brackets. The end of a comment stays one.
fn hide_in_words(rewritten: &mut Rewritten<'_>, part: Range<usize>) {
    let mut start = part.start;
    for word in rewritten.text[part].split([' ', '\t', '\n', '\r', '\x0c', '"', '\'', '<', '>']) {
        let bare = word.trim_end_matches('-');
        if let Some(hidden) = SafeUrl::without_secrets(bare) {
            rewritten.replace(start..start + bare.len(), &hidden);
        }
        start += word.len() + 1;
    }
}

/// Writes what may stand in an attribute with quotes, without, or between tags.
fn unexpanded(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => written.push_str("&amp;"),
            '"' | '\'' | '<' | '>' => written.push_str(&format!("&#{};", u32::from(character))),
            blank if is_blank(blank) => written.push_str(&format!("&#{};", u32::from(blank))),
            other => written.push(other),
        }
    }
    written
}

fn malformed(reason: &str) -> PageError {
    PageError::Malformed { reason: reason.to_owned() }
}

/// What the tags of a page say.
#[derive(Default)]
struct Page<'a> {
    anchors: Vec<Tag<'a>>,
    /// The first `<base href>`, wherever it stands.
    base: Option<Cow<'a, str>>,
    status: Option<Cow<'a, str>>,
    reason: Option<Cow<'a, str>>,
}

impl<'a> Page<'a> {
    fn add(&mut self, tag: Tag<'a>) -> Result<(), PageError> {
        match tag.name {
            Name::Anchor => {
                if self.anchors.len() == Limits::PAGE_FILES {
                    return Err(PageError::TooManyFiles);
                }
                self.anchors.push(tag);
            }
            Name::Base => self.base = self.base.take().or_else(|| tag.value("href")),
            Name::Meta => {
                let content = tag.value("content");
                match tag.value("name").as_deref() {
                    Some("pypi:project-status") => self.status = self.status.take().or(content),
                    Some("pypi:project-status-reason") => self.reason = self.reason.take().or(content),
                    Some("pypi:repository-version") => check_api_version(&content.unwrap_or_default())?,
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

/// Reads an anchor; `None` for one that leads to no file, such as a link to the directory above.
fn listed<'a>(anchor: &Tag<'a>) -> Option<Listed<'a>> {
    let href = match anchor.value("href")? {
        Cow::Borrowed(href) => Cow::Borrowed(href.trim_matches(BLANKS)),
        Cow::Owned(href) => Cow::Owned(href.trim_matches(BLANKS).to_owned()),
    };
    let (path, fragment) = href.split_once('#').unwrap_or((&href, ""));
    let path = path.split('?').next().unwrap_or_default();
    let filename = percent_decoded(path.rsplit('/').next()?)?;
    if filename.is_empty() || filename == ".." {
        return None;
    }
    let sha256 = fragment.split('&').find_map(|part| part.strip_prefix("sha256="));
    let core_metadata = anchor.value("data-core-metadata").or_else(|| anchor.value("data-dist-info-metadata"));
    Some(Listed {
        filename: Cow::Owned(filename),
        sha256: sha256.map(|text| Cow::Owned(text.to_owned())),
        url: href,
        requires_python: anchor.value("data-requires-python"),
        yanked: anchor.value("data-yanked"),
        core_metadata: core_metadata
            .filter(|text| text != "false")
            .map(|text| text.strip_prefix("sha256=").map(|digest| Cow::Owned(digest.to_owned()))),
        ..Listed::default()
    })
}

/// Decodes `%2B`; `None` if the result is no text.
fn percent_decoded(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let byte = match (first, after) {
            (b'%', [high, low, ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                rest = &after[2..];
                u8::from_str_radix(str::from_utf8(&after[..2]).ok()?, 16).ok()?
            }
            _ => {
                rest = after;
                *first
            }
        };
        decoded.push(byte);
    }
    String::from_utf8(decoded).ok()
}

const BLANKS: [char; 5] = [' ', '\t', '\n', '\r', '\x0c'];

#[derive(Clone, Copy)]
enum Name {
    Anchor,
    Base,
    Meta,
}

/// A start tag that matters, with its attributes as they are written.
struct Tag<'a> {
    name: Name,
    attributes: Vec<(&'a str, &'a str)>,
}

impl<'a> Tag<'a> {
    /// Returns an attribute's value, character references expanded; of two with one name the first counts, as in HTML.
    fn value(&self, name: &str) -> Option<Cow<'a, str>> {
        let (_, value) = self.attributes.iter().find(|(found, _)| found.eq_ignore_ascii_case(name))?;
        Some(expanded(value))
    }
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

/// Returns where a search in a text ended, which has looked at all that comes before.
pub(super) fn found(text: &str, at: Option<usize>) -> Option<usize> {
    look(at.unwrap_or(text.len()));
    at
}

/// Returns the text from its first character on that is none of these.
fn past(text: &str, characters: impl Fn(char) -> bool) -> &str {
    let after = text.trim_start_matches(characters);
    look(text.len() - after.len());
    after
}

fn is_blank(character: char) -> bool {
    BLANKS.contains(&character)
}

/// Counts bytes that are looked at, and each look as one more, for the test that holds them against the page's size.
fn look(bytes: usize) {
    #[cfg(test)]
    LOOKED_AT.with(|count| count.set(count.get() + bytes + 1));
    let _ = bytes;
}

#[cfg(test)]
thread_local! {
    pub(super) static LOOKED_AT: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

impl<'a> Scanner<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Goes past the next occurrence.
    fn skip_past(&mut self, end: &str, what: &str) -> Result<(), PageError> {
        let rest = self.rest();
        let found = found(rest, rest.find(end)).ok_or_else(|| malformed(what))?;
        self.at += found + end.len();
        Ok(())
    }

    fn next_tag(&mut self) -> Result<Option<Tag<'a>>, PageError> {
        while let Some(start) = found(self.rest(), self.rest().find('<')) {
            self.at += start + 1;
            if self.rest().starts_with("!--") {
                self.at += 3;
                self.skip_past("-->", "a comment is not closed")?;
                continue;
            }
            let rest = self.rest();
            let length = found(rest, rest.find(|c: char| !c.is_ascii_alphanumeric())).unwrap_or(rest.len());
            let name = &rest[..length];
            if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
                // An end tag, a declaration, or a bare `<` in text: nothing in it matters.
                continue;
            }
            self.at += length;
            let attributes = self.attributes()?;
            let is = |wanted: &str| name.eq_ignore_ascii_case(wanted);
            let name = match () {
                () if is("a") => Name::Anchor,
                () if is("base") => Name::Base,
                () if is("meta") => Name::Meta,
                () => {
                    if let Some(raw) = ["script", "style", "textarea", "title"].into_iter().find(|raw| is(raw)) {
                        self.skip_raw(raw)?;
                    }
                    continue;
                }
            };
            return Ok(Some(Tag { name, attributes }));
        }
        Ok(None)
    }

    /// Goes past the end tag of an element in which tags are text.
    fn skip_raw(&mut self, name: &str) -> Result<(), PageError> {
        loop {
            self.skip_past("</", "an element of raw text is not closed")?;
            if self.rest().get(..name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name)) {
                return Ok(());
            }
        }
    }

    /// Reads attributes up to and including `>`.
    fn attributes(&mut self) -> Result<Vec<(&'a str, &'a str)>, PageError> {
        let mut attributes = Vec::new();
        loop {
            let rest = past(past(self.rest(), is_blank), |c| c == '/');
            self.at = self.text.len() - rest.len();
            let rest = past(rest, is_blank);
            if let Some(after) = rest.strip_prefix('>') {
                self.at = self.text.len() - after.len();
                return Ok(attributes);
            }
            if rest.is_empty() {
                return Err(malformed("a tag is not closed"));
            }
            let end = |c: char| BLANKS.contains(&c) || matches!(c, '=' | '>' | '/');
            // An attribute's name may begin with `=`, by the letter of HTML; this way each round goes forward.
            let first = rest.chars().next().map_or(1, char::len_utf8);
            let length = found(&rest[first..], rest[first..].find(end)).map_or(rest.len(), |found| found + first);
            let (name, after) = rest.split_at(length);
            self.at = self.text.len() - after.len();
            let value = self.attribute_value()?;
            if attributes.len() < MOST_ATTRIBUTES {
                attributes.push((name, value));
            }
        }
    }

    fn attribute_value(&mut self) -> Result<&'a str, PageError> {
        let Some(rest) = past(self.rest(), is_blank).strip_prefix('=') else { return Ok("") };
        let rest = past(rest, is_blank);
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
        let (value, after) = match quote {
            Some(quote) => {
                let rest = &rest[1..];
                let end = found(rest, rest.find(quote)).ok_or_else(|| malformed("a quote is not closed"))?;
                (&rest[..end], &rest[end + 1..])
            }
            None => rest.split_at(found(rest, rest.find(|c| is_blank(c) || c == '>')).unwrap_or(rest.len())),
        };
        self.at = self.text.len() - after.len();
        Ok(value)
    }
}

/// A file has at most half a dozen.
const MOST_ATTRIBUTES: usize = 32;

/// Expands character references, each once; an unknown one stays as it is.
fn expanded(text: &str) -> Cow<'_, str> {
    look(text.len());
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut pieces = text.split('&');
    let mut expanded = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        look(piece.len());
        match piece.split_once(';').and_then(|(name, after)| character(name).map(|c| (c, after))) {
            Some((c, after)) => {
                expanded.push(c);
                expanded.push_str(after);
            }
            None => {
                expanded.push('&');
                expanded.push_str(piece);
            }
        }
    }
    Cow::Owned(expanded)
}

fn character(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "apos" => Some('\''),
        "gt" => Some('>'),
        "lt" => Some('<'),
        "quot" => Some('"'),
        _ => {
            let number = name.strip_prefix('#').filter(|number| number.len() <= 8)?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}
