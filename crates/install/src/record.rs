//! RECORD of an installed distribution: every file that it brought or that was written for it, with digest and size.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pinfold_artifact::Sha256;

use crate::receipt::push_number;

/// One file of a distribution, by its path inside the environment.
pub(crate) struct Row<'a> {
    pub(crate) path: &'a str,
    pub(crate) sha256: Sha256,
    pub(crate) size_bytes: u64,
}

/// Returns the text of RECORD; it is quicker if most rows are sorted by path. Paths are relative to `root`, the directory that holds the `.dist-info`, and sorted;
/// RECORD itself (`own`) is listed without digest and size.
pub(crate) fn text(rows: &[Row<'_>], own: &str, root: &str) -> Vec<u8> {
    let up = "../".repeat(root.split('/').count());
    let relative = |path| relative(path, root, &up);
    let mut lines: Vec<(Cow<'_, str>, Option<&Row<'_>>)> = Vec::with_capacity(rows.len() + 1);
    lines.extend(rows.iter().map(|row| (relative(row.path), Some(row))));
    lines.push((relative(own), None));
    lines.sort_by(|a, b| a.0.cmp(&b.0));
    let mut text = Vec::with_capacity(lines.len() * 112);
    let mut digits = [0; DIGEST_DIGITS];
    for (path, row) in lines {
        push_field(&mut text, &path);
        match row {
            Some(row) => {
                text.extend_from_slice(b",sha256=");
                // There is room for all of a digest's digits.
                let written = URL_SAFE_NO_PAD.encode_slice(row.sha256.as_bytes(), &mut digits).unwrap_or_default();
                text.extend_from_slice(&digits[..written]);
                text.push(b',');
                push_number(&mut text, row.size_bytes);
                text.push(b'\n');
            }
            None => text.extend_from_slice(b",,\n"),
        }
    }
    text
}

/// Returns a path relative to `root`, which `up` leads out of.
fn relative<'p>(path: &'p str, root: &str, up: &str) -> Cow<'p, str> {
    match path.strip_prefix(root).and_then(|rest| rest.strip_prefix('/')) {
        Some(inside) => Cow::Borrowed(inside),
        None => Cow::Owned(format!("{up}{path}")),
    }
}

fn push_field(text: &mut Vec<u8>, field: &str) {
    if !field.bytes().any(|byte| matches!(byte, b',' | b'"' | b'\r' | b'\n')) {
        return text.extend_from_slice(field.as_bytes());
    }
    text.push(b'"');
    text.extend_from_slice(field.replace('"', "\"\"").as_bytes());
    text.push(b'"');
}

/// Digits of a digest in base 64.
const DIGEST_DIGITS: usize = 43;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_relative_to_the_directory_of_the_dist_info() {
        let root = "lib/python3.10/site-packages";
        let sha256 = Sha256::from_bytes([0; 32]);
        let paths = ["bin/tool", "lib/python3.10/site-packages/a/b, c.py", "lib/python3.10/site-packages-x/d"];
        let rows: Vec<Row<'_>> = paths.iter().map(|path| Row { path, sha256, size_bytes: 7 }).collect();
        let digest = "sha256=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        let expected = format!(
            "../../../bin/tool,{digest},7\n../../../lib/python3.10/site-packages-x/d,{digest},7\n\
             a-1.dist-info/RECORD,,\n\"a/b, c.py\",{digest},7\n"
        );
        let text = text(&rows, "lib/python3.10/site-packages/a-1.dist-info/RECORD", root);
        assert_eq!(str::from_utf8(&text).unwrap(), expected);
    }
}
