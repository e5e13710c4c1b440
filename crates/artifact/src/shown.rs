//! Text from outside, as a message quotes it.
//!
//! A message puts it into backticks. What would drive a terminal, or is not seen, is escaped; quotation marks and backslashes
//! are what people wrote, and stay as they are.

/// Returns the beginning of a text, with characters escaped that are not seen.
pub fn shown(text: &str, limit_chars: usize) -> String {
    let mut shown = String::new();
    for c in text.chars().take(limit_chars) {
        if is_plain(c) { shown.push(c) } else { shown.extend(c.escape_debug()) }
    }
    shown
}

/// Returns the beginning of a text, with every character escaped that is not ASCII: a Cyrillic look-alike is to be seen.
pub fn shown_in_ascii(text: &str, limit_chars: usize) -> String {
    let mut shown = String::new();
    for c in text.chars().take(limit_chars) {
        if is_plain(c) { shown.push(c) } else { shown.extend(c.escape_default()) }
    }
    shown
}

/// Returns true for what the escapes of a programming language have, and a message does not need.
const fn is_plain(c: char) -> bool {
    matches!(c, '"' | '\'' | '\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotation_marks_stay_and_what_is_not_seen_is_escaped() {
        for (text, expected, in_ascii) in [
            ("a; x == \"y\" or 'z'", "a; x == \"y\" or 'z'", "a; x == \"y\" or 'z'"),
            ("C:\\x", "C:\\x", "C:\\x"),
            ("\u{1b}[31m\r\n\t", "\\u{1b}[31m\\r\\n\\t", "\\u{1b}[31m\\r\\n\\t"),
            ("caf\u{e9}\u{202e}", "caf\u{e9}\\u{202e}", "caf\\u{e9}\\u{202e}"),
            ("p\u{430}ge", "p\u{430}ge", "p\\u{430}ge"),
        ] {
            assert_eq!((shown(text, 80).as_str(), shown_in_ascii(text, 80).as_str()), (expected, in_ascii));
        }
        assert_eq!((shown("\"\"\"\"", 3).as_str(), shown_in_ascii("abcd", 2).as_str()), ("\"\"\"", "ab"));
    }
}
