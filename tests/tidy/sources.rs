//! The repository as text: which files it has, and which of their lines are product code.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A Rust file of a crate.
pub(crate) struct Source {
    /// Relative to the root of the repository.
    pub(crate) path: String,
    /// The crate's folder.
    pub(crate) room: String,
    /// All of it.
    pub(crate) text: String,
    /// Without tests and comments; lines keep their number, emptied.
    pub(crate) product: String,
}

impl Source {
    /// Returns `path:line: text` for each line of product code that contains one of these.
    pub(crate) fn product_lines_with(&self, patterns: &[&str]) -> Vec<String> {
        lines_with(&self.path, &self.product, patterns)
    }
}

/// Returns `path:line: text` for each line that contains one of these.
pub(crate) fn lines_with(path: &str, text: &str, patterns: &[&str]) -> Vec<String> {
    let numbered = text.lines().enumerate();
    let found = numbered.filter(|(_, line)| patterns.iter().any(|pattern| line.contains(pattern)));
    found.map(|(number, line)| format!("{path}:{}: {}", number + 1, line.trim())).collect()
}

/// Returns the root of the repository.
pub(crate) fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().expect("the repository is where the crate was built")
}

/// Returns every file that is part of the repository, or is about to become one, relative to its root.
///
/// Without git (a source archive) it is every file outside of what builds leave.
pub(crate) fn files() -> Vec<String> {
    let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let listed = Command::new("git").args(arguments).current_dir(root()).output();
    let mut files: Vec<String> = match listed {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).split_terminator('\0').map(str::to_owned).collect()
        }
        _ => walked(),
    };
    // A file that is deleted and not yet committed is listed too.
    files.retain(|path| root().join(path).is_file());
    files.sort();
    assert!(files.len() > 50, "found only {} files", files.len());
    files
}

fn walked() -> Vec<String> {
    let (mut files, mut directories) = (Vec::new(), vec![root()]);
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).expect("can list the repository") {
            let path = entry.expect("can list the repository").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let left = name == ".git" || name == ".venv" || name == "bench-work" || name.starts_with("target");
            if path.is_dir() && !left {
                directories.push(path);
            } else if path.is_file() {
                let relative = path.strip_prefix(root()).expect("it is below the root");
                files.push(relative.to_string_lossy().replace('\\', "/"));
            }
        }
    }
    files
}

/// Reads a file of the repository.
pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("cannot read `{path}`: {error}"))
}

/// Returns the Rust files below `crates/*/src`.
pub(crate) fn sources() -> Vec<Source> {
    let files = files();
    let in_src = |path: &&String| path.starts_with("crates/") && path.contains("/src/") && path.ends_with(".rs");
    let paths: Vec<&String> = files.iter().filter(in_src).collect();
    let texts: Vec<(&String, String)> = paths.iter().map(|path| (*path, read(path))).collect();
    let tests: BTreeSet<String> = texts.iter().flat_map(|(path, text)| test_modules(path, text)).collect();
    texts
        .into_iter()
        .map(|(path, text)| {
            let stem = path.trim_end_matches(".rs").trim_end_matches("/mod");
            let is_test = tests.iter().any(|test| stem == test || stem.starts_with(&format!("{test}/")));
            let product = if is_test { String::new() } else { without_tests_and_comments(&text) };
            let room = path.split('/').nth(1).unwrap_or_default().to_owned();
            Source { path: path.clone(), room, text, product }
        })
        .collect()
}

/// Returns the modules that a file declares for tests only, as paths without `.rs`.
fn test_modules(path: &str, text: &str) -> Vec<String> {
    let stem = path.trim_end_matches(".rs");
    let directory = match stem.rsplit_once('/') {
        Some((parent, "lib" | "main" | "mod")) => parent.to_owned(),
        _ => stem.to_owned(),
    };
    let mut lines = text.lines().map(str::trim);
    let mut found = Vec::new();
    while lines.by_ref().any(is_test_only) {
        // Other attributes may stand between; the item itself begins with a word.
        let item = lines.by_ref().find(|line| line.starts_with(|first: char| first.is_ascii_alphabetic()));
        let module =
            item.and_then(|item| item.trim_start_matches("pub(crate) ").strip_prefix("mod ")?.strip_suffix(';'));
        found.extend(module.map(|name| format!("{directory}/{name}")));
    }
    found
}

/// Returns true for `#[cfg(test)]` and `#[cfg(all(test, …))]`.
fn is_test_only(line: &str) -> bool {
    line == "#[cfg(test)]" || line.starts_with("#[cfg(all(test,")
}

/// Empties the lines of items under `#[cfg(test)]` and of comments. It trusts rustfmt: an item ends where its indentation
/// comes back with a closing brace, or with the semicolon of its first line.
fn without_tests_and_comments(text: &str) -> String {
    let mut kept = String::new();
    let mut test: Option<usize> = None;
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        let trimmed = line.trim();
        if let Some(start) = test {
            let closes = indent == start && (trimmed.starts_with('}') || trimmed.ends_with([';', '}']));
            test = if closes { None } else { Some(start) };
        } else if is_test_only(trimmed) {
            test = Some(indent);
        } else if !trimmed.starts_with("//") {
            kept.push_str(line);
        }
        kept.push('\n');
    }
    kept
}

/// Returns the functions of a text with this name: their lines, from `fn` to the closing brace.
pub(crate) fn functions<'text>(text: &'text str, name: &str) -> Vec<Vec<&'text str>> {
    all_functions(text).into_iter().filter(|function| function[0].contains(&format!("fn {name}("))).collect()
}

/// Returns every function of a text: its lines, from `fn` to the closing brace.
pub(crate) fn all_functions(text: &str) -> Vec<Vec<&str>> {
    let lines: Vec<&str> = text.lines().collect();
    let mut functions = Vec::new();
    for (position, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let words: Vec<&str> = line.split_whitespace().take_while(|word| !word.contains('"')).collect();
        let declares = words.iter().take(5).any(|word| *word == "fn") && !line.trim().ends_with([';', '}']);
        if !declares {
            continue;
        }
        let margin = " ".repeat(indent);
        let end_of_head = lines[position..].iter().find(|line| line.starts_with(&format!("{margin})")));
        if !line.trim().ends_with('{') && end_of_head.is_some_and(|line| line.ends_with(';')) {
            // A trait declares it, without a body.
            continue;
        }
        let closing = format!("{margin}}}");
        if let Some(length) = lines[position..].iter().position(|line| *line == closing) {
            functions.push(lines[position..=position + length].to_vec());
        }
    }
    functions
}

/// Returns the string literals of a text that are written as a code is: `two-or-more-words` in lower case.
pub(crate) fn codes(lines: &[&str]) -> BTreeSet<String> {
    let strings = lines.iter().flat_map(|line| line.split('"').skip(1).step_by(2));
    strings.filter(|string| is_code(string)).map(str::to_owned).collect()
}

/// Returns true if a text is lower-case words joined by single hyphens.
pub(crate) fn is_code(text: &str) -> bool {
    let word =
        |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    text.contains('-') && text.split('-').all(word)
}

/// Returns the cells of the rows of each Markdown table in a text, without heads and rules.
pub(crate) fn table_rows(text: &str) -> Vec<Vec<String>> {
    let lines: Vec<&str> = text.lines().collect();
    let is_row = |line: &str| line.trim_start().starts_with('|');
    let is_rule = |line: &str| is_row(line) && line.chars().all(|character| "|-: ".contains(character));
    let mut rows = Vec::new();
    for (position, line) in lines.iter().enumerate() {
        let head = lines.get(position + 1).is_some_and(|next| is_rule(next));
        if is_row(line) && !is_rule(line) && !head {
            let cells = line.trim().trim_matches('|').split('|');
            rows.push(cells.map(|cell| cell.trim().to_owned()).collect());
        }
    }
    rows
}
