//! `entry_points.txt`: the scripts that an installer writes, each proven to be a plain name and a plain object reference.

use std::collections::BTreeSet;

use pinfold_artifact::ArchivePath;

use crate::ArchiveError;
use crate::error::shown;

/// The scripts of a wheel. Other groups are data for the packages themselves and are not read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EntryPoints {
    /// Scripts that run in a console, sorted by name.
    pub console_scripts: Vec<EntryPoint>,
    /// Scripts that run without a console window, sorted by name.
    pub gui_scripts: Vec<EntryPoint>,
}

/// One script: `name = module:attribute`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryPoint {
    /// The file name of the script: one path segment of ASCII letters, digits and `-_.`.
    pub name: String,
    /// The module: identifiers joined by dots.
    pub module: String,
    /// The object inside the module: identifiers joined by dots.
    pub attribute: String,
}

/// What is wrong with an entry point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EntryPointProblem {
    /// The same script twice.
    #[error("defined twice")]
    Duplicate,
    /// The text is no INI file as the specification describes.
    #[error("no `name = module:attribute` line in a group")]
    Malformed,
    /// The name is no plain file name.
    #[error("the name is no plain file name")]
    Name,
    /// The object reference is not `module:attribute`.
    #[error("the object reference is not `module:attribute`")]
    Reference,
    /// The name belongs to the interpreter or the environment's own scripts.
    #[error("the name belongs to the environment itself")]
    Reserved,
}

impl EntryPoints {
    /// Reads and checks the text of `entry_points.txt`.
    ///
    /// # Errors
    /// If a script's name or object reference could mean anything but itself (WI11).
    pub fn parse(text: &str) -> Result<Self, ArchiveError> {
        let mut entry_points = Self::default();
        let mut group = None;
        for line in text.lines() {
            let trimmed = line.trim();
            if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
                continue;
            }
            if let Some(name) = trimmed.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                group = Some(name.trim().to_owned());
                continue;
            }
            let scripts = match group.as_deref() {
                Some("console_scripts") => &mut entry_points.console_scripts,
                Some("gui_scripts") => &mut entry_points.gui_scripts,
                Some(_) => continue,
                None => return Err(refused(trimmed, EntryPointProblem::Malformed)),
            };
            // A line that continues the former one could change what was already checked.
            if line.starts_with([' ', '\t']) && !scripts.is_empty() {
                return Err(refused(trimmed, EntryPointProblem::Malformed));
            }
            scripts.push(parse_line(trimmed)?);
        }
        entry_points.sort_and_check()?;
        Ok(entry_points)
    }

    fn sort_and_check(&mut self) -> Result<(), ArchiveError> {
        self.console_scripts.sort_by(|a, b| a.name.cmp(&b.name));
        self.gui_scripts.sort_by(|a, b| a.name.cmp(&b.name));
        let mut names = BTreeSet::new();
        for script in self.console_scripts.iter().chain(&self.gui_scripts) {
            if !names.insert(script.name.to_ascii_lowercase()) {
                return Err(refused(&script.name, EntryPointProblem::Duplicate));
            }
        }
        Ok(())
    }
}

fn parse_line(line: &str) -> Result<EntryPoint, ArchiveError> {
    let Some((name, reference)) = line.split_once('=') else {
        return Err(refused(line, EntryPointProblem::Malformed));
    };
    let name = name.trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if !name.chars().all(plain) || name.starts_with(['-', '.']) || name.parse::<ArchivePath>().is_err() {
        return Err(refused(name, EntryPointProblem::Name));
    }
    if is_reserved_script_name(name) {
        return Err(refused(name, EntryPointProblem::Reserved));
    }
    let bad_reference = || refused(name, EntryPointProblem::Reference);
    let (module, attribute) =
        without_extras(reference.trim()).and_then(|text| text.split_once(':')).ok_or_else(bad_reference)?;
    let (module, attribute) = (module.trim(), attribute.trim());
    if !is_dotted_identifier(module) || !is_dotted_identifier(attribute) {
        return Err(bad_reference());
    }
    Ok(EntryPoint { name: name.to_owned(), module: module.to_owned(), attribute: attribute.to_owned() })
}

/// Returns the reference without `[extra, …]` at its end, which the specification keeps for old wheels.
fn without_extras(reference: &str) -> Option<&str> {
    let Some(text) = reference.strip_suffix(']') else {
        return Some(reference);
    };
    let (reference, extras) = text.split_once('[')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_., ".contains(c);
    extras.chars().all(plain).then_some(reference.trim_end())
}

/// Returns whether the text is identifiers joined by dots. Letters beyond ASCII are Python identifiers too; whatever is
/// alphanumeric to Unicode cannot end a Python statement.
fn is_dotted_identifier(text: &str) -> bool {
    text.split('.').all(|part| {
        let mut characters = part.chars();
        let first = characters.next().is_some_and(|c| c.is_alphabetic() || c == '_');
        first && characters.all(|c| c.is_alphanumeric() || c == '_')
    })
}

/// Returns whether a script of this name would take the place of the interpreter or of the environment's own scripts
/// (WI10).
pub fn is_reserved_script_name(name: &str) -> bool {
    let folded = name.to_ascii_lowercase();
    let stem =
        [".exe", ".bat", ".cmd", ".ps1"].iter().find_map(|suffix| folded.strip_suffix(suffix)).unwrap_or(&folded);
    let versioned = |rest: &str| rest.chars().all(|c| c.is_ascii_digit() || c == '.' || c == 't');
    let interpreter = ["pythonw", "python", "pypyw", "pypy"]
        .iter()
        .any(|interpreter| stem.strip_prefix(interpreter).is_some_and(versioned));
    interpreter || matches!(stem, "activate" | "deactivate" | "activate_this.py") || stem.starts_with("activate.")
}

fn refused(name: &str, problem: EntryPointProblem) -> ArchiveError {
    ArchiveError::EntryPoint { name: shown(name.as_bytes()), problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&[(&str, &str, &str)], EntryPointProblem>) {
        let found = EntryPoints::parse(text);
        let found = found.as_ref().map(|entry_points| {
            let scripts = entry_points.console_scripts.iter().chain(&entry_points.gui_scripts);
            scripts.map(|s| (s.name.as_str(), s.module.as_str(), s.attribute.as_str())).collect::<Vec<_>>()
        });
        match (found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{text:?}"),
            (Err(ArchiveError::EntryPoint { problem, .. }), Err(expected)) => {
                assert_eq!(*problem, expected, "{text:?}")
            }
            (found, expected) => panic!("{text:?}: {found:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn reads_both_groups_and_leaves_the_others() {
        let text = "[console_scripts]\npip = pip._internal.cli.main:main\n# x\n; y\npip3.11=pip:main [extra, b]\n\n\
                    [a.plugins]\n../../x = anything goes; here\n[gui_scripts]\r\ng = m : a.b\r\n";
        check(text, Ok(&[("pip", "pip._internal.cli.main", "main"), ("pip3.11", "pip", "main"), ("g", "m", "a.b")]));
        check("", Ok(&[]));
    }

    #[test]
    fn rejects_names_that_are_no_plain_file_name() {
        for name in
            ["../../x", "/x", "a/b", "a\\b", "C:x", "", "..", ".x", "-x", "a b", "con", "x.", "a\u{202e}b", "a:b"]
        {
            check(&format!("[console_scripts]\n{name} = m:f"), Err(EntryPointProblem::Name));
        }
    }

    #[test]
    fn rejects_names_of_the_environment_itself() {
        for name in [
            "python",
            "Python.exe",
            "python3",
            "python3.10",
            "python3.13t",
            "pythonw",
            "pypy3",
            "activate",
            "Activate.ps1",
        ] {
            check(&format!("[console_scripts]\n{name} = m:f"), Err(EntryPointProblem::Reserved));
        }
        for name in ["python-dotenv", "ipython", "pythonic", "reactivate", "pip"] {
            check(&format!("[console_scripts]\n{name} = m:f"), Ok(&[(name, "m", "f")]));
        }
    }

    #[test]
    fn rejects_references_that_are_code() {
        for reference in [
            "m",
            "m:",
            ":f",
            "m:f()",
            "m:f; import os",
            "m;x:f",
            "m:f\u{2028}x",
            "m f:x",
            "m:f[",
            "m:f [a;b]",
            "1m:f",
            "m..n:f",
            "m:f #c",
            "m:a:b",
            "__import__('os').x:f",
        ] {
            check(&format!("[console_scripts]\nx = {reference}"), Err(EntryPointProblem::Reference));
        }
    }

    #[test]
    fn rejects_lines_that_change_an_earlier_one() {
        check("[console_scripts]\nx = m:f\n  import os", Err(EntryPointProblem::Malformed));
        check("x = m:f", Err(EntryPointProblem::Malformed));
        check("[console_scripts]\nx", Err(EntryPointProblem::Malformed));
        check("[console_scripts]\nx = m:f\nX = m:g", Err(EntryPointProblem::Duplicate));
        check("[console_scripts]\nx = m:f\n[gui_scripts]\nx = m:g", Err(EntryPointProblem::Duplicate));
    }
}
