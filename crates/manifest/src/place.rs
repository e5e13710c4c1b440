//! Where in a text something is, and how a message shows it.
//!
//! The line is shown to people and goes to logs, so it carries no control character and no user name or password of a URL.

use std::ops::Range;

/// A range of characters in one line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, as it was named to the reader.
    pub file: String,
    /// The line, from 1; 0 if the place is the file as a whole.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The line's text; what must not be shown is replaced, character by character.
    pub line_text: String,
    /// Characters that are meant, at least one.
    pub length: usize,
}

impl Place {
    /// Returns the place of a range of bytes; a range over several lines means the rest of the first.
    pub fn locate(file: &str, text: &str, range: Range<usize>) -> Self {
        let start = floor_boundary(text, range.start);
        let end = floor_boundary(text, range.end.max(start));
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let line = text[line_start..line_end].trim_end_matches('\r');
        let length = text[start..end.min(line_end)].chars().count();
        Self {
            file: file.to_owned(),
            line: text[..line_start].matches('\n').count() + 1,
            column: text[line_start..start].chars().count() + 1,
            line_text: shown_line(line),
            length: length.max(1),
        }
    }

    /// Returns the place of a range of bytes that are no text, after some that are; what is none is shown as `\xff`.
    pub(crate) fn in_bytes(file: &str, bytes: &[u8], range: Range<usize>) -> Self {
        let is_end = |byte: &u8| *byte == b'\n';
        let line_start = bytes[..range.start].iter().rposition(is_end).map_or(0, |at| at + 1);
        let line_end = bytes[range.start..].iter().position(is_end).map_or(bytes.len(), |at| range.start + at);
        let shown = |bytes: &[u8]| {
            let chunks = bytes.utf8_chunks();
            chunks.map(|chunk| format!("{}{}", chunk.valid(), chunk.invalid().escape_ascii())).collect::<String>()
        };
        Self {
            file: file.to_owned(),
            line: bytes[..line_start].iter().filter(|byte| is_end(byte)).count() + 1,
            column: shown(&bytes[line_start..range.start]).chars().count() + 1,
            line_text: shown_line(shown(&bytes[line_start..line_end]).trim_end_matches('\r')),
            length: shown(&bytes[range]).chars().count().max(1),
        }
    }

    /// Hides what stands behind the path of the URL that is meant, whatever it is: what nobody reads as a key may be the secret.
    pub(crate) fn hide_query(&mut self) {
        let start = self.column - 1;
        let mut is_hidden = false;
        let hidden = |(at, c): (usize, char)| {
            let is_part = (start..start + self.length).contains(&at) && !matches!(c, '"' | '\'');
            // A mark may be written as an escape of TOML.
            let is_mark = matches!(c, '?' | '#' | '\\');
            let shown = if is_part && is_hidden && !is_mark { '*' } else { c };
            is_hidden |= is_part && is_mark;
            shown
        };
        self.line_text = self.line_text.chars().enumerate().map(hidden).collect();
    }

    /// Returns the place of a file as a whole.
    pub fn whole(file: &str) -> Self {
        Self { file: file.to_owned(), line: 0, column: 0, line_text: String::new(), length: 1 }
    }
}

/// Lines and columns of a text that are asked for often: one lookup reads a small part of the text, wherever it is.
#[derive(Debug, Clone)]
pub(crate) struct Positions {
    /// Every so many bytes: where, on which line, at which column; the first is the beginning.
    marks: Vec<(usize, usize, usize)>,
}

impl Positions {
    pub(crate) fn of(text: &str) -> Self {
        let (mut line, mut column) = (1, 1);
        let mut marks = vec![(0, line, column)];
        let mut next = MARK_BYTES;
        for (at, c) in text.char_indices() {
            if at >= next {
                marks.push((at, line, column));
                next = at + MARK_BYTES;
            }
            (line, column) = if c == '\n' { (line + 1, 1) } else { (line, column + 1) };
        }
        Self { marks }
    }

    /// Returns line and column of a byte, as [`Place::locate`] gives them; the text is the one that was marked.
    pub(crate) fn find(&self, text: &str, position: usize) -> (usize, usize) {
        let position = floor_boundary(text, position);
        let after = self.marks.partition_point(|(at, ..)| *at <= position);
        let (start, line, column) = self.marks[after - 1];
        text[start..position].chars().fold((line, column), |(line, column), c| match c {
            '\n' => (line + 1, 1),
            _ => (line, column + 1),
        })
    }

    /// Returns the byte at a line and column that [`Positions::find`] gave.
    pub(crate) fn offset(&self, text: &str, line: usize, column: usize) -> usize {
        let after = self.marks.partition_point(|(_, l, c)| (*l, *c) <= (line, column)).max(1);
        let (start, mut l, mut c) = self.marks[after - 1];
        for (at, character) in text[start..].char_indices() {
            if (l, c) >= (line, column) {
                return start + at;
            }
            (l, c) = if character == '\n' { (l + 1, 1) } else { (l, c + 1) };
        }
        text.len()
    }
}

const MARK_BYTES: usize = 256;

/// Writes a message as people read it: the text, where it is, the line with carets below, and help.
///
/// ```text
/// unknown key `targts`
///  --> pinfold.toml:4:1
///   |
/// 4 | targts = ["linux-x86_64"]
///   | ^^^^^^
///   = help: the nearest known key is `targets`
/// ```
pub fn render(message: &str, place: &Place, help: Option<&str>) -> String {
    let mut text = message.to_owned();
    let number = place.line.to_string();
    let margin = " ".repeat(number.len());
    if place.line == 0 {
        text.push_str(&format!("\n --> {}", place.file));
    } else {
        text.push_str(&format!("\n{margin}--> {}:{}:{}", place.file, place.line, place.column));
        let (shown, before) = window(place);
        // A tab before the carets keeps them below what they mean, whatever its width is.
        let indent: String = before.chars().map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        let room = shown.chars().count().saturating_sub(before.chars().count()).max(1);
        let carets = "^".repeat(place.length.min(room));
        text.push_str(&format!("\n{margin} |\n{number} | {shown}\n{margin} | {indent}{carets}"));
    }
    if let Some(help) = help {
        let mut lines = help.lines();
        text.push_str(&format!("\n{margin} = help: {}", lines.next().unwrap_or_default()));
        lines.for_each(|line| text.push_str(&format!("\n{margin}         {line}")));
    }
    text
}

/// Returns the part of the line that is shown, and what of it lies before the carets.
fn window(place: &Place) -> (String, String) {
    let start = (place.column - 1).saturating_sub(LINE_CHARS_BEFORE);
    let characters: Vec<char> = place.line_text.chars().skip(start).collect();
    let mark = if start > 0 { "…" } else { "" };
    let before: String = characters.iter().take(place.column - 1 - start).collect();
    let shown: String = characters.iter().take(LINE_CHARS).collect();
    let tail = if characters.len() > LINE_CHARS { "…" } else { "" };
    (format!("{mark}{shown}{tail}"), format!("{mark}{before}"))
}

/// Replaces control characters, and hides what stands before the `@` of a URL and the values in its query. Every character
/// stays one character.
pub(crate) fn shown_line(line: &str) -> String {
    let mut characters: Vec<char> =
        line.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect();
    let mut position = 0;
    while let Some(found) = find(&characters[position..], &[':', '/', '/']) {
        let start = position + found + 3;
        let is_end = |c: &char| matches!(c, '/' | '?' | '#' | '"' | '\'' | ' ' | '\t');
        let end = characters[start..].iter().position(is_end).map_or(characters.len(), |at| start + at);
        if let Some(at) = characters[start..end].iter().rposition(|c| *c == '@') {
            characters[start..start + at].fill('*');
        }
        hide_query(&mut characters[end..]);
        position = start;
    }
    characters.into_iter().collect()
}

/// Hides the values of the query of a URL, of which this is what stands behind the host.
fn hide_query(rest: &mut [char]) {
    let is_end = |c: &char| matches!(c, '#' | '"' | '\'' | ' ' | '\t');
    let end = rest.iter().position(is_end).unwrap_or(rest.len());
    let Some(begin) = rest[..end].iter().position(|c| *c == '?') else { return };
    for pair in rest[begin..end].split_mut(|c| *c == '&') {
        if let Some(at) = pair.iter().position(|c| *c == '=') {
            pair[at + 1..].fill('*');
        }
    }
}

fn find(characters: &[char], pattern: &[char]) -> Option<usize> {
    characters.windows(pattern.len()).position(|window| window == pattern)
}

/// Returns the directory of a file, as it was named; empty for one that was named without.
pub(crate) fn directory_of(file: &str) -> &str {
    match file.rsplit_once('/') {
        Some(("", _)) => "/",
        Some((directory, _)) => directory,
        None => "",
    }
}

fn floor_boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

/// Characters of a line that are shown.
const LINE_CHARS: usize = 160;
/// Characters shown before the carets where the line is longer.
const LINE_CHARS_BEFORE: usize = 120;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, part: &str, expected: &str) {
        let start = text.find(part).unwrap();
        let place = Place::locate("a.toml", text, start..start + part.len());
        assert_eq!(render("wrong", &place, None), expected);
    }

    #[test]
    fn carets_stand_below_what_is_meant() {
        check("ä = 1\nöb = 22\n", "22", "wrong\n --> a.toml:2:6\n  |\n2 | öb = 22\n  |      ^^");
        check("\tx = 1", "1", "wrong\n --> a.toml:1:6\n  |\n1 | \tx = 1\n  | \t    ^");
        check("a\r\nb\r\n", "b\r\n", "wrong\n --> a.toml:2:1\n  |\n2 | b\n  | ^");
        let many = "\n".repeat(11) + "x = '''a\nb'''";
        check(&many, "'''a\nb'''", "wrong\n  --> a.toml:12:5\n   |\n12 | x = '''a\n   |     ^^^^");
    }

    #[test]
    fn help_is_aligned() {
        let place = Place::locate("a.toml", "x", 0..1);
        let expected = "wrong\n --> a.toml:1:1\n  |\n1 | x\n  | ^\n  = help: one\n          two";
        assert_eq!(render("wrong", &place, Some("one\ntwo")), expected);
        assert_eq!(render("wrong", &Place::whole("a.toml"), Some("one")), "wrong\n --> a.toml\n  = help: one");
    }

    #[test]
    fn hides_credentials_and_control_characters() {
        for (line, expected) in [
            ("url = \"https://me:secret@a.example/x@y\"", "url = \"https://*********@a.example/x@y\""),
            ("-i https://to@ken@a.example", "-i https://******@a.example"),
            ("http://a.example/@x https://b@c", "http://a.example/@x https://*@c"),
            ("a @ https://a.example/x?b=cd&token=e=f#sha256=00", "a @ https://a.example/x?b=**&token=***#sha256=00"),
            ("u = 'http://me@a.example?k=v' # a?b=c", "u = 'http://**@a.example?k=*' # a?b=c"),
            ("http://a.example/?x http://b.example/?y=zz", "http://a.example/?x http://b.example/?y=**"),
            ("\u{1b}[31mred\u{7f}", "\u{fffd}[31mred\u{fffd}"),
        ] {
            assert_eq!(shown_line(line), expected);
            assert_eq!(expected.chars().count(), line.chars().count());
        }
    }

    #[test]
    fn long_lines_are_cut_around_the_place() {
        let text = "x".repeat(10_000);
        let place = Place::locate("a", &text, 5_000..5_003);
        let shown = render("wrong", &place, None);
        assert!(shown.lines().all(|line| line.chars().count() < 180), "{shown}");
        assert!(shown.ends_with("^^^"));
    }

    #[test]
    fn any_range_has_a_place() {
        let text = "ä\nb";
        for start in 0..10 {
            for end in 0..10 {
                let place = Place::locate("a", text, start..end);
                assert!(place.line >= 1 && place.column >= 1 && place.length >= 1);
                render("wrong", &place, None);
            }
        }
    }

    #[test]
    fn positions_are_those_of_places() {
        let text = "ab\r\n\u{e9}\u{4e2d}c\n\n".repeat(200) + &"x\u{e9}".repeat(500);
        let positions = Positions::of(&text);
        for position in 0..text.len() + 2 {
            let place = Place::locate("a", &text, position..position + 1);
            assert_eq!(positions.find(&text, position), (place.line, place.column), "{position}");
            assert_eq!(positions.offset(&text, place.line, place.column), floor_boundary(&text, position));
        }
        assert_eq!(Positions::of("").find("", 0), (1, 1));
    }
}
