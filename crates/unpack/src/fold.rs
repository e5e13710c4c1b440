//! Which paths are one file on some file system.

use icu_normalizer::DecomposingNormalizerBorrowed;
/// Returns a key that two paths share if some common file system takes them for one file: case-insensitive ones, and
/// those that normalise Unicode, as macOS does. The key of a path is made of the keys of its segments.
pub fn portable_fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    // Upper case first: it expands `ß` and joins `ſ` with `s` and `ς` with `σ`.
    let decompose = DecomposingNormalizerBorrowed::new_nfd();
    let folded = decompose.normalize(text).to_uppercase().to_lowercase();
    decompose.normalize(&folded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twins_share_a_key_and_strangers_do_not() {
        for (a, b, same) in [
            ("A/B.py", "a/b.PY", true),
            ("caf\u{e9}.py", "cafe\u{301}.py", true),
            ("CAF\u{c9}.py", "cafe\u{301}.py", true),
            ("stra\u{df}e", "STRASSE", true),
            ("\u{17f}ys.py", "sys.py", true),
            ("\u{1100}\u{1161}", "\u{ac00}", true),
            ("a.py", "b.py", false),
            ("cafe.py", "caf\u{e9}.py", false),
        ] {
            assert_eq!(portable_fold(a) == portable_fold(b), same, "{a} {b}");
        }
    }

    #[test]
    fn the_key_of_a_path_is_made_of_those_of_its_segments() {
        // What folding looks at around a letter: the end of a word, what combines with the letter before, what is not cased.
        let segments = ["A", "\u{3a3}", "\u{391}\u{3a3}", "\u{301}b", "\u{1161}", "1.\u{3a3}", "\u{df}", "\u{130}"];
        for (a, b) in segments.iter().flat_map(|a| segments.iter().map(move |b| (a, b))) {
            let path = portable_fold(&format!("{a}/{b}"));
            assert_eq!(path, format!("{}/{}", portable_fold(a), portable_fold(b)), "{a}/{b}");
        }
    }
}
