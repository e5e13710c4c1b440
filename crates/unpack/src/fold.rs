//! Which paths are one file on some file system.

use icu_normalizer::DecomposingNormalizerBorrowed;
use pinfold_artifact::ArchivePath;

/// Returns a key that two paths share if some common file system takes them for one file: case-insensitive ones, and
/// those that normalise Unicode, as macOS does.
pub fn portable_fold(path: &ArchivePath) -> String {
    let text = path.as_str();
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
        let fold = |text: &str| portable_fold(&text.parse().unwrap());
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
            assert_eq!(fold(a) == fold(b), same, "{a} {b}");
        }
    }
}
