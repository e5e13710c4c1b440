//! Where something is, in the words that other programs understand.

use std::io;
use std::path::{Path, PathBuf};

/// Returns the one path of something that is there, as other programs take it.
///
/// # Errors
/// What the system says.
pub fn canonicalize(path: &Path) -> io::Result<PathBuf> {
    let canonical = std::fs::canonicalize(path)?;
    if cfg!(not(windows)) {
        return Ok(canonical);
    }
    let plain = canonical.to_str().and_then(without_verbatim).map(PathBuf::from);
    Ok(plain.unwrap_or(canonical))
}

/// Returns a path of Windows without the prefix `\\?\`, with which that system gives every canonical path and which many
/// programs do not understand; none where the prefix is needed.
fn without_verbatim(path: &str) -> Option<&str> {
    let plain = path.strip_prefix(r"\\?\")?;
    let (drive, inside) = plain.split_at_checked(3)?;
    let is_drive = drive.as_bytes()[0].is_ascii_alphabetic() && drive.ends_with(r":\");
    // Without the prefix a name is not what it says if it ends with a dot or a blank, or is a device's.
    let is_plain = |name: &str| {
        let stem = name.split('.').next().unwrap_or(name).trim_end().to_ascii_lowercase();
        let is_port = ["com", "lpt"].iter().any(|port| stem.strip_prefix(port).is_some_and(|n| n.chars().count() == 1));
        !name.ends_with(['.', ' ']) && !name.contains('/') && !is_port && !DEVICES.contains(&stem.as_str())
    };
    (is_drive && plain.encode_utf16().count() < PATH_UNITS && inside.split('\\').all(is_plain)).then_some(plain)
}

/// Names that are devices of Windows in every directory.
const DEVICES: [&str; 6] = ["aux", "con", "conin$", "conout$", "nul", "prn"];

/// A longer path of a directory needs the prefix.
const PATH_UNITS: usize = 248;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_windows_loses_its_prefix_only_where_nothing_else_is_meant_then() {
        for (path, expected) in [
            (r"\\?\C:\work\.venv", Some(r"C:\work\.venv")),
            (r"\\?\d:\", Some(r"d:\")),
            (r"C:\work", None),
            (r"\\?\UNC\server\share", None),
            (r"\\?\Volume{1}\x", None),
            (r"\\?\C:\work\nul", None),
            (r"\\?\C:\work\Con.txt", None),
            (r"\\?\C:\com1\x", None),
            (r"\\?\C:\com10\x", Some(r"C:\com10\x")),
            (r"\\?\C:\ends \x", None),
            (r"\\?\C:\ends.", None),
            (r"\\?\C", None),
            (r"\\?\é:", None),
            ("", None),
        ] {
            assert_eq!(without_verbatim(path), expected, "{path}");
        }
        let long = format!(r"\\?\C:\{}", "x".repeat(250));
        assert_eq!(without_verbatim(&long), None);
    }

    #[test]
    fn a_canonical_path_leads_to_what_is_there() {
        let home = tempfile::tempdir().unwrap();
        let path = canonicalize(home.path()).unwrap();
        assert!(path.is_absolute() && path.is_dir() && !path.to_string_lossy().starts_with(r"\\?\"), "{path:?}");
        assert!(canonicalize(&home.path().join("none")).is_err());
    }
}
