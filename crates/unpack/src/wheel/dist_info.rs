//! The `.dist-info` directory: there is one, it is the expected distribution's, and its WHEEL file is understood.

use std::collections::BTreeSet;

use super::{WheelInfo, utf8};
use crate::{ArchiveError, Layout};

/// Returns the name of the one `.dist-info` directory (WI01).
pub(super) fn find(layout: &Layout) -> Result<String, ArchiveError> {
    let files = layout.members.iter().filter_map(|member| member.path.as_str().split_once('/').map(|(top, _)| top));
    let directories = layout.directories.iter().filter_map(|directory| directory.segments().next());
    // In any case of letters: on Windows they are the same directory.
    let is_dist_info = |top: &&str| top.to_ascii_lowercase().ends_with(".dist-info");
    let found: BTreeSet<&str> = files.chain(directories).filter(is_dist_info).collect();
    let found: Vec<&str> = found.into_iter().collect();
    match found[..] {
        [one] if one.ends_with(".dist-info") => Ok(one.to_owned()),
        _ => Err(ArchiveError::DistInfo { found: found.into_iter().map(str::to_owned).collect() }),
    }
}

/// Checks that the directory is named for the expected project and version.
pub(super) fn check_name(dist_info: &str, name: &str, version: &str) -> Result<(), ArchiveError> {
    let stem = dist_info.strip_suffix(".dist-info").unwrap_or(dist_info);
    let agrees = stem.rsplit_once('-').is_some_and(|(found_name, found_version)| {
        normalise_name(found_name) == normalise_name(name) && versions_agree(found_version, version)
    });
    if agrees {
        return Ok(());
    }
    Err(ArchiveError::NameMismatch { expected: format!("{name}-{version}"), found: stem.to_owned() })
}

/// PEP 503: runs of `-`, `_` and `.` are one `-`, in lower case.
pub(super) fn normalise_name(name: &str) -> String {
    let mut normal = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '-' | '_' | '.' if normal.ends_with('-') => {}
            '-' | '_' | '.' => normal.push('-'),
            c => normal.push(c.to_ascii_lowercase()),
        }
    }
    normal
}

/// Returns whether two spellings are one PEP 440 version. This room does not know versions: it compares their parts,
/// which is right for every spelling that build tools write into a directory's name.
fn versions_agree(found: &str, expected: &str) -> bool {
    // `+` cannot always stand in a file name: some tools write the local version's separator as `_` or `.`.
    let local = found.contains('+');
    version_parts(found, local) == version_parts(expected, local)
}

fn version_parts(version: &str, local: bool) -> Vec<String> {
    let folded = version.to_ascii_lowercase();
    let mut parts: Vec<String> = Vec::new();
    let mut joined = false;
    for c in folded.strip_prefix('v').unwrap_or(&folded).chars() {
        let separator = matches!(c, '.' | '-' | '_') || (c == '+' && !local);
        let same_kind = |last: &String| {
            last.chars().all(|l| l.is_ascii_digit() == c.is_ascii_digit() && l.is_alphanumeric() == c.is_alphanumeric())
        };
        match parts.last_mut() {
            _ if separator => {}
            Some(last) if joined && same_kind(last) => last.push(c),
            _ => parts.push(c.to_string()),
        }
        joined = !separator;
    }
    let mut normal: Vec<String> = Vec::new();
    for part in &parts {
        let word = part.starts_with(|c: char| c.is_ascii_alphabetic());
        if word && is_phase(normal.last()) {
            normal.push("0".to_owned());
        }
        normal.push(match part.as_str() {
            "alpha" => "a".to_owned(),
            "beta" => "b".to_owned(),
            "c" | "pre" | "preview" => "rc".to_owned(),
            "r" | "rev" => "post".to_owned(),
            digits if !word && digits.bytes().all(|b| b.is_ascii_digit()) => {
                let significant = digits.trim_start_matches('0');
                if significant.is_empty() { "0".to_owned() } else { significant.to_owned() }
            }
            other => other.to_owned(),
        });
    }
    if is_phase(normal.last()) {
        normal.push("0".to_owned());
    }
    drop_trailing_zeros(normal)
}

fn is_phase(part: Option<&String>) -> bool {
    part.is_some_and(|part| matches!(part.as_str(), "a" | "b" | "dev" | "post" | "rc"))
}

/// `1.0` and `1.0.0` are one version: zeros at the end of the release's numbers do not count.
fn drop_trailing_zeros(mut parts: Vec<String>) -> Vec<String> {
    let start = parts.iter().position(|part| part == "!").map_or(0, |position| position + 1);
    let is_number = |part: &String| part.bytes().all(|b| b.is_ascii_digit());
    let end = parts[start..].iter().position(|part| !is_number(part)).map_or(parts.len(), |length| start + length);
    let kept = parts[start..end].iter().rposition(|part| part != "0").map_or(start, |position| start + position + 1);
    parts.drain(kept..end);
    parts
}

/// Reads the WHEEL file.
pub(super) fn parse_wheel(bytes: &[u8], dist_info: &str) -> Result<WheelInfo, ArchiveError> {
    let path = format!("{dist_info}/WHEEL");
    let text = utf8(bytes, &path)?;
    let refused = |problem: String| ArchiveError::WheelMetadata { path: path.clone(), problem };
    let fields: Vec<(String, &str)> = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(key, value)| (key.trim().to_ascii_lowercase(), value.trim()))
        .collect();
    let all = |key: &str| -> Vec<&str> { fields.iter().filter(|(k, _)| k == key).map(|(_, value)| *value).collect() };
    let version = all("wheel-version");
    if !matches!(version[..], [one] if one == "1" || one.starts_with("1.")) {
        return Err(refused(format!("Wheel-Version is `{}`, 1.x is understood", version.join("`, `"))));
    }
    let purelib = all("root-is-purelib");
    let root_is_purelib = match purelib[..] {
        [value] if value.eq_ignore_ascii_case("true") => true,
        [value] if value.eq_ignore_ascii_case("false") => false,
        _ => return Err(refused(format!("Root-Is-Purelib is `{}`", purelib.join("`, `")))),
    };
    Ok(WheelInfo {
        root_is_purelib,
        tags: all("tag").into_iter().map(str::to_owned).collect(),
        build: all("build").first().map(|value| (*value).to_owned()),
        generator: all("generator").first().map(|value| (*value).to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_version_agree() {
        for (found, expected, agree) in [
            ("1.0", "1.0", true),
            ("1.0", "1.0.0", true),
            ("2023.07.22", "2023.7.22", true),
            ("2.1.0+cu121", "2.1.0+cu121", true),
            ("2.1.0_cu121", "2.1.0+cu121", true),
            ("2.1.0", "2.1.0+cu121", false),
            ("2.1.0+1", "2.1.0.1", false),
            ("1.0.post1", "1.0post1", true),
            ("1.0rc1", "1.0.rc1", true),
            ("1.0.alpha", "1.0a0", true),
            ("1!1.0", "1!1", true),
            ("1!1.0", "1.0", false),
            ("1.0.0.1", "1.0.1", false),
            ("1.10", "1.1", false),
            ("1.0.dev0", "1.0", false),
            ("0.0.0", "0", true),
        ] {
            assert_eq!(versions_agree(found, expected), agree, "{found} {expected}");
        }
    }

    #[test]
    fn names_are_compared_normalised() {
        assert!(check_name("Ruamel.Yaml_Clib-0.2.dist-info", "ruamel-yaml-clib", "0.2").is_ok());
        assert!(check_name("a-1.0.dist-info", "b", "1.0").is_err());
        assert!(check_name("a-1.0.dist-info", "a", "1.1").is_err());
        assert!(check_name("a.dist-info", "a", "1.1").is_err());
    }
}
