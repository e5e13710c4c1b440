//! Bytes become text: only UTF-8 is read, and what is not is pointed at.

use crate::{ManifestError, ManifestErrorKind, Place};

/// Returns the text of a manifest or requirements file.
///
/// # Errors
/// [`ManifestErrorKind::NotUtf8`], at the first byte that is wrong.
pub fn decode(bytes: Vec<u8>, file: &str) -> Result<String, ManifestError> {
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        // At the end of the bytes there may be a part of a character.
        let length = error.utf8_error().error_len().unwrap_or(error.as_bytes().len() - at);
        let found = error.as_bytes().get(at).copied().unwrap_or_default();
        let kind = ManifestErrorKind::NotUtf8 { found, mark: mark_of(error.as_bytes()) };
        ManifestError::new(Place::in_bytes(file, error.as_bytes(), at..at + length), kind)
    })
}

/// Returns the name of the encoding whose byte order mark bytes begin with.
fn mark_of(bytes: &[u8]) -> Option<&'static str> {
    // A mark of UTF-32 begins with one of UTF-16.
    let marks: [(&[u8], &str); 4] = [
        (&[0xff, 0xfe, 0, 0], "UTF-32"),
        (&[0, 0, 0xfe, 0xff], "UTF-32"),
        (&[0xff, 0xfe], "UTF-16, as PowerShell's `>` writes it"),
        (&[0xfe, 0xff], "UTF-16"),
    ];
    marks.into_iter().find(|(mark, _)| bytes.starts_with(mark)).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expected: &str) {
        assert_eq!(decode(bytes.to_vec(), "r.txt").unwrap_err().report(), expected);
    }

    #[test]
    fn what_is_not_utf8_is_pointed_at() {
        assert_eq!(decode("é".into(), "r.txt").as_deref(), Ok("é"));
        check(
            b"a\r\n\xc3\xa9 caf\xe9\xff # x\r\nb\xff",
            "the byte 0xe9 is not UTF-8\n --> r.txt:2:6\n  |\n2 | é caf\\xe9\\xff # x\n  |      ^^^^\n  = help: save the file as UTF-8",
        );
        // A character that is cut off, and a login before it.
        check(
            b"https://me:s3cret@h.example/\xe2\x82",
            "the byte 0xe2 is not UTF-8\n --> r.txt:1:29\n  |\n1 | https://*********@h.example/\\xe2\\x82\n  |                             ^^^^^^^^\n  \
             = help: save the file as UTF-8",
        );
    }

    #[test]
    fn another_encoding_is_named() {
        let text = |bytes: &[u8]| decode(bytes.to_vec(), "r.txt").unwrap_err().report();
        let utf16 = text(b"\xff\xfea\0\r\0\n\0");
        assert!(
            utf16.contains("r.txt:1:1") && utf16.contains("\\xff\\xfea") && utf16.contains("UTF-16, as"),
            "{utf16}"
        );
        assert!(!utf16.contains('\0'));
        assert!(text(b"\xfe\xff\0a").ends_with("the byte order mark of UTF-16: save it as UTF-8"));
        assert!(text(b"\0\0\xfe\xff\0\0\0a").contains("UTF-32"));
    }
}
