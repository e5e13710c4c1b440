//! In which coding a requirements file is written, as pip finds it out: by its byte order mark, else by a comment in one of the
//! first two lines (`# -*- coding: latin-1 -*-`, PEP 263), else it is UTF-8.
//!
//! pip goes on with the machine's locale where bytes are no UTF-8; the same file would say something else on another machine, so
//! that is not followed. Of what a comment may name only codings are read that say the same everywhere and need no tables.

use std::char::DecodeUtf16Error;
use std::ops::Range;

use crate::decode::decode;
use crate::{ManifestError, ManifestErrorKind, Place};

/// Returns the text of a requirements file, without byte order mark.
///
/// # Errors
/// [`ManifestErrorKind::NotUtf8`], [`ManifestErrorKind::NotInCoding`] at the first character that is none,
/// [`ManifestErrorKind::UnknownCoding`].
pub fn decode_requirements(mut bytes: Vec<u8>, file: &str) -> Result<String, ManifestError> {
    // A mark of UTF-32 begins with one of UTF-16.
    if let Some(rest) = bytes.strip_prefix(&[0xff, 0xfe, 0, 0]) {
        return utf32(rest, u32::from_le_bytes, file);
    }
    if let Some(rest) = bytes.strip_prefix(&[0, 0, 0xfe, 0xff]) {
        return utf32(rest, u32::from_be_bytes, file);
    }
    if let Some(rest) = bytes.strip_prefix(&[0xff, 0xfe]) {
        return utf16(rest, u16::from_le_bytes, file);
    }
    if let Some(rest) = bytes.strip_prefix(&[0xfe, 0xff]) {
        return utf16(rest, u16::from_be_bytes, file);
    }
    if bytes.starts_with(UTF8_MARK) {
        bytes.drain(..UTF8_MARK.len());
        return decode(bytes, file);
    }
    match declared(&bytes) {
        Some((range, name)) => declared_text(bytes, range, &name, file),
        None => decode(bytes, file),
    }
}

/// Reads what a comment says how to read.
fn declared_text(bytes: Vec<u8>, range: Range<usize>, name: &str, file: &str) -> Result<String, ManifestError> {
    match name.to_ascii_lowercase().replace('_', "-").as_str() {
        // What is ASCII is UTF-8.
        "ascii" | "us-ascii" | "utf8" | "utf-8" | "utf-8-sig" => decode(bytes, file),
        "iso-8859-1" | "iso8859-1" | "latin-1" | "latin1" | "l1" => Ok(bytes.into_iter().map(char::from).collect()),
        _ => {
            let kind = ManifestErrorKind::UnknownCoding { found: pinfold_artifact::shown(name, 40) };
            Err(ManifestError::new(Place::in_bytes(file, &bytes, range), kind))
        }
    }
}

/// Returns what a comment in one of the first two lines says, and where, as pip looks for it: `coding[:=]\s*([-\w.]+)` in a line
/// that begins with `#`.
fn declared(bytes: &[u8]) -> Option<(Range<usize>, String)> {
    let mut start = 0;
    for line in bytes.split(|byte| *byte == b'\n').take(2) {
        if let Some(range) = line.starts_with(b"#").then(|| coding_in(line)).flatten() {
            let name = String::from_utf8_lossy(&line[range.clone()]).into_owned();
            return Some((start + range.start..start + range.end, name));
        }
        start += line.len() + 1;
    }
    None
}

fn coding_in(line: &[u8]) -> Option<Range<usize>> {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (0..line.len()).find_map(|at| {
        let rest = line[at..].strip_prefix(b"coding:").or_else(|| line[at..].strip_prefix(b"coding="))?;
        let name = rest.trim_ascii_start();
        let length = name.iter().position(|byte| !is_name(byte)).unwrap_or(name.len());
        let start = line.len() - name.len();
        (length > 0).then_some(start..start + length)
    })
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16, file: &str) -> Result<String, ManifestError> {
    let (pairs, rest) = bytes.as_chunks();
    let characters = char::decode_utf16(pairs.iter().map(|pair| unit(*pair)));
    let cut = (!rest.is_empty()).then(|| Err("half a character".to_owned()));
    let wrong = |error: DecodeUtf16Error| format!("0x{:04x}", error.unpaired_surrogate());
    collect(characters.map(|read| read.map_err(wrong)).chain(cut), "UTF-16", file)
}

fn utf32(bytes: &[u8], unit: fn([u8; 4]) -> u32, file: &str) -> Result<String, ManifestError> {
    let (fours, rest) = bytes.as_chunks();
    let numbers = fours.iter().map(|four| unit(*four));
    let characters = numbers.map(|number| char::from_u32(number).ok_or_else(|| format!("0x{number:08x}")));
    let cut = (!rest.is_empty()).then(|| Err("a part of a character".to_owned()));
    collect(characters.chain(cut), "UTF-32", file)
}

/// Puts characters together up to the first that is none, which is pointed at.
fn collect(
    characters: impl Iterator<Item = Result<char, String>>,
    coding: &'static str,
    file: &str,
) -> Result<String, ManifestError> {
    let mut text = String::new();
    for character in characters {
        match character {
            Ok(character) => text.push(character),
            Err(found) => {
                let at = text.len();
                text.push(char::REPLACEMENT_CHARACTER);
                let place = Place::locate(file, &text, at..text.len());
                return Err(ManifestError::new(place, ManifestErrorKind::NotInCoding { found, coding }));
            }
        }
    }
    Ok(text)
}

const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# é\u{1f40d}\na==1 # ü\n";

    #[track_caller]
    fn check(bytes: impl Into<Vec<u8>>, expected: &str) {
        let read = decode_requirements(bytes.into(), "r.txt");
        assert_eq!(read.unwrap_or_else(|error| error.report()), expected);
    }

    fn coded<const N: usize>(text: &str, units: impl Fn(char) -> Vec<[u8; N]>) -> Vec<u8> {
        text.chars().flat_map(units).flatten().collect()
    }

    fn utf16_le(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    #[test]
    fn a_byte_order_mark_says_what_follows() {
        let marked = format!("\u{feff}{TEXT}");
        check(TEXT, TEXT);
        check(marked.as_str(), TEXT);
        check(utf16_le(&marked), TEXT);
        check(marked.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<_>>(), TEXT);
        check(coded(&marked, |c| vec![u32::from(c).to_le_bytes()]), TEXT);
        check(coded(&marked, |c| vec![u32::from(c).to_be_bytes()]), TEXT);
        for empty in ["", "\u{feff}"] {
            check(empty, "");
            check(utf16_le(empty), "");
        }
        // A mark counts more than a comment.
        check("\u{feff}# coding: latin-1\né", "# coding: latin-1\né");
        check(utf16_le("\u{feff}# coding: koi8-r\né"), "# coding: koi8-r\né");
    }

    #[test]
    fn what_is_not_in_the_coding_of_its_mark_is_pointed_at() {
        let half = [utf16_le("\u{feff}a\nbc"), vec![0]].concat();
        check(
            half,
            "half a character is not UTF-16\n --> r.txt:2:3\n  |\n2 | bc\u{fffd}\n  |   ^\n  = help: save the file as UTF-8",
        );
        let alone = [utf16_le("\u{feff}ab"), vec![0, 0xd8], utf16_le("c")].concat();
        check(
            alone,
            "0xd800 is not UTF-16\n --> r.txt:1:3\n  |\n1 | ab\u{fffd}\n  |   ^\n  = help: save the file as UTF-8",
        );
        let beyond = b"\xff\xfe\0\0\0\0\x11\0";
        check(
            *beyond,
            "0x00110000 is not UTF-32\n --> r.txt:1:1\n  |\n1 | \u{fffd}\n  | ^\n  = help: save the file as UTF-8",
        );
        check(
            *b"\0\0\xfe\xff\0",
            "a part of a character is not UTF-32\n --> r.txt:1:1\n  |\n1 | \u{fffd}\n  | ^\n  = help: save the file as UTF-8",
        );
    }

    #[test]
    fn a_comment_names_the_coding_as_python_reads_it() {
        for name in ["latin-1", "ISO_8859-1", "latin1"] {
            let line = format!("# -*- coding: {name} -*-\n");
            check([line.as_bytes(), b"a # \xe9"].concat(), &format!("{line}a # é"));
        }
        for name in ["utf-8", "UTF8", "us-ascii"] {
            let text = format!("# first\n# vim: set fileencoding={name} :\né");
            check(text.as_str(), &text);
        }
        // Only the first two lines count, and only comments that begin there.
        for text in
            ["\n\n# coding: koi8-r", "a\n # coding: koi8-r", "a # coding: koi8-r", "# coding koi8-r", "# coding: «"]
        {
            check(text, text);
        }
        check(
            "# x\n# -*- coding: cp1252 -*-\r\na",
            "the coding `cp1252` is not read here\n --> r.txt:2:15\n  |\n2 | # -*- coding: cp1252 -*-\n  |               ^^^^^^\n  \
             = help: save the file as UTF-8, and leave out the comment",
        );
    }
}
