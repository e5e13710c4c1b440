//! Where a member is installed: at the root, or in a directory of the scheme that `.data` names.

use pinfold_artifact::ArchivePath;

use super::Scheme;
use crate::ArchiveError;

/// Returns the scheme of a member and its path inside it.
///
/// Tools differ in which top-level `*.data` directories they take for the wheel's own; only one that all of them know
/// is accepted, with the five directories of the specification (WI09).
pub(super) fn place(path: &ArchivePath, dist_info: &str) -> Result<(Scheme, ArchivePath), ArchiveError> {
    let Some((top, below)) = path.as_str().split_once('/') else {
        return Ok((Scheme::Root, path.clone()));
    };
    if !top.to_ascii_lowercase().ends_with(".data") {
        return Ok((Scheme::Root, path.clone()));
    }
    let refused =
        |problem: &str| ArchiveError::WheelMetadata { path: path.as_str().to_owned(), problem: problem.to_owned() };
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
