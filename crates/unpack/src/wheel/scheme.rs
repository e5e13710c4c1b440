//! Where a member is installed: at the root, or in a directory of the scheme that `.data` names.

use pinfold_artifact::ArchivePath;

use super::Scheme;
use super::dist_info::normalise_name;
use crate::ArchiveError;

/// Returns the scheme of a member and its path inside it.
///
/// Tools differ in which top-level `*.data` directories they take for the wheel's own; only one that all of them know
/// is accepted, with the five directories of the specification (WI09).
pub(super) fn place(path: &ArchivePath, dist_info: &str) -> Result<(Scheme, ArchivePath), ArchiveError> {
    let refused =
        |problem: &str| ArchiveError::WheelMetadata { path: path.as_str().to_owned(), problem: problem.to_owned() };
    let (top, below) = path.as_str().split_once('/').unwrap_or((path.as_str(), ""));
    if is_another_egg_info(top, dist_info) {
        return Err(refused("a second distribution"));
    }
    if below.is_empty() || !top.to_ascii_lowercase().ends_with(".data") {
        return Ok((Scheme::Root, path.clone()));
    }
    if top.strip_suffix(".data") != dist_info.strip_suffix(".dist-info") {
        return Err(refused("a `.data` directory of another distribution"));
    }
    let Some((directory, destination)) = below.split_once('/') else {
        return Err(refused("a file directly in the `.data` directory"));
    };
    let scheme = match directory {
        "data" => Scheme::Data,
        "headers" => Scheme::Headers,
        "platlib" => Scheme::Platlib,
        "purelib" => Scheme::Purelib,
        "scripts" => Scheme::Scripts,
        _ => return Err(refused("an unknown scheme directory")),
    };
    let destination: ArchivePath = destination.parse()?;
    if scheme == Scheme::Scripts && destination.parent().is_some() {
        return Err(refused("a script in a directory of its own"));
    }
    let hidden = |segment: &str| {
        let folded = segment.to_ascii_lowercase();
        folded.ends_with(".dist-info") || folded.ends_with(".egg-info")
    };
    let first = destination.segments().next().is_some_and(hidden);
    if first && matches!(scheme, Scheme::Platlib | Scheme::Purelib)
        || scheme == Scheme::Data && destination.segments().any(hidden)
    {
        return Err(refused("a second distribution, hidden in the `.data` directory"));
    }
    Ok((scheme, destination))
}

/// Returns true for the older form of metadata, of another project: interpreters take it for an installed distribution. What
/// some build tools leave of the wheel's own says nothing else than its `.dist-info`.
fn is_another_egg_info(top: &str, dist_info: &str) -> bool {
    let folded = top.to_ascii_lowercase();
    let Some(stem) = folded.strip_suffix(".egg-info") else { return false };
    let own = dist_info.strip_suffix(".dist-info").and_then(|stem| stem.rsplit_once('-')).map_or(dist_info, |it| it.0);
    normalise_name(stem.split('-').next().unwrap_or_default()) != normalise_name(own)
}
