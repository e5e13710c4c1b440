//! RECORD of an installed distribution: every file that it brought or that was written for it, with digest and size.

use std::borrow::Cow;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pinfold_artifact::Sha256;

/// One file of a distribution, by its path inside the environment.
pub(crate) struct Row<'a> {
    pub(crate) path: &'a str,
    pub(crate) sha256: Sha256,
    pub(crate) size_bytes: u64,
}

/// Returns the text of RECORD. Paths are relative to `root`, the directory that holds the `.dist-info`, and sorted;
/// RECORD itself (`own`) is listed without digest and size.
pub(crate) fn text(rows: &[Row<'_>], own: &str, root: &str) -> String {
    let up = "../".repeat(root.split('/').count());
    let relative = |path| relative(path, root, &up);
    let mut lines: Vec<(Cow<'_, str>, Option<&Row<'_>>)> = Vec::with_capacity(rows.len() + 1);
    lines.extend(rows.iter().map(|row| (relative(row.path), Some(row))));
    lines.push((relative(own), None));
    lines.sort_by(|a, b| a.0.cmp(&b.0));
    let mut text = String::with_capacity(lines.len() * 112);
    for (path, row) in lines {
        push_field(&mut text, &path);
        match row {
            Some(row) => {
                text.push_str(",sha256=");
                URL_SAFE_NO_PAD.encode_string(row.sha256.as_bytes(), &mut text);
                // Writing to a string cannot fail.
                let _ = writeln!(text, ",{}", row.size_bytes);
            }
            None => text.push_str(",,\n"),
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

fn push_field(text: &mut String, field: &str) {
    if !field.contains([',', '"', '\r', '\n']) {
        return text.push_str(field);
    }
    text.push('"');
    text.push_str(&field.replace('"', "\"\""));
    text.push('"');
}

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
        assert_eq!(text(&rows, "lib/python3.10/site-packages/a-1.dist-info/RECORD", root), expected);
    }
}
