//! One locked file: URL, size, SHA-256, and a name that belongs to its entry.

use pinfold_artifact::{ArtifactFilename, LocalPath, SafeUrl};
use pinfold_packaging::{FilenameError, PackageName, SdistFilename, Version, WheelFilename};

use super::table::{Item, Table, shown};
use crate::{LockError, LockedArchive, LockedFile};

/// The entry that a file belongs to.
pub(super) struct Owner<'a> {
    pub(super) name: &'a PackageName,
    pub(super) version: Option<&'a Version>,
}

/// What the entry says the file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Whatever its URL names.
    Archive,
    Sdist,
    Wheel,
}

pub(super) fn read_file(table: &Table<'_>, owner: &Owner<'_>, shape: Shape) -> Result<LockedFile, LockError> {
    table.remark_others(KEYS);
    if let Some(path) = table.optional("path") {
        let (line, path) = (path.line(), shown(path.text()?));
        return Err(LockError::LocalPath { line, package: owner.name.clone(), path });
    }
    if let Some(item) = table.optional("subdirectory") {
        return Err(LockError::Unsupported { line: item.line(), place: item.place().to_owned() });
    }
    let url_item = table.required("url")?;
    let url = url_item.parse()?;
    read_at(table, owner, shape, &url_item, url)
}

/// Reads a file that was asked for by its URL, or by its path.
pub(super) fn read_archive(table: &Table<'_>, owner: &Owner<'_>) -> Result<LockedArchive, LockError> {
    table.remark_others(KEYS);
    let subdirectory = table.parse_optional("subdirectory")?;
    if let Some(item) = table.optional("url") {
        let url = item.parse()?;
        let file = read_at(table, owner, Shape::Archive, &item, url)?;
        return Ok(LockedArchive { file, path: None, subdirectory });
    }
    let missing = || LockError::MissingKey { key: "url", line: table.line(), place: table.place() };
    let item = table.optional("path").ok_or_else(missing)?;
    let path: LocalPath = item.parse()?;
    let url = table.url_of(&item, &path)?;
    let file = read_at(table, owner, Shape::Archive, &item, url)?;
    Ok(LockedArchive { file, path: Some(path), subdirectory })
}

/// Reads the rest of a file of which `place` says where it is.
fn read_at(
    table: &Table<'_>,
    owner: &Owner<'_>,
    shape: Shape,
    place: &Item<'_>,
    url: SafeUrl,
) -> Result<LockedFile, LockError> {
    let filename: ArtifactFilename = match table.optional("name") {
        Some(item) => item.parse()?,
        None => {
            let segment = url.last_segment().unwrap_or_default();
            let wrong = |error: pinfold_artifact::ArtifactFilenameError| {
                place.wrong_value(url.as_str(), format!("it ends in no file name: {error}"))
            };
            segment.parse().map_err(wrong)?
        }
    };
    check_owner(table, &filename, owner, shape)?;
    Ok(LockedFile {
        size_bytes: table.required("size")?.whole_number()?,
        sha256: read_sha256(table, &filename, owner)?,
        upload_time: table.optional("upload-time").map(|item| item.timestamp()).transpose()?,
        url,
        filename,
    })
}

const KEYS: &[&str] = &["hashes", "name", "path", "size", "subdirectory", "upload-time", "url"];

/// Returns the SHA-256 of `hashes`; stronger and weaker ones beside it do no harm and are not kept.
fn read_sha256(
    table: &Table<'_>,
    filename: &ArtifactFilename,
    owner: &Owner<'_>,
) -> Result<pinfold_artifact::Sha256, LockError> {
    let weak = |algorithms| LockError::WeakHash {
        algorithms,
        filename: filename.clone(),
        line: table.line(),
        package: owner.name.clone(),
    };
    let Some(hashes) = table.optional("hashes") else {
        return Err(weak(Vec::new()));
    };
    let hashes = hashes.table()?;
    match hashes.items().find(|(algorithm, _)| algorithm.eq_ignore_ascii_case("sha256")) {
        Some((_, digest)) => digest.parse(),
        None => Err(weak(hashes.items().map(|(algorithm, _)| shown(algorithm)).collect())),
    }
}

/// Checks that the file name is of the entry's project and version.
fn check_owner(
    table: &Table<'_>,
    filename: &ArtifactFilename,
    owner: &Owner<'_>,
    shape: Shape,
) -> Result<(), LockError> {
    let unreadable = |reason: String| LockError::Value {
        found: filename.to_string(),
        line: table.line(),
        place: format!("{}.name", table.place()),
        reason,
    };
    let foreign = || LockError::ForeignFile {
        filename: filename.clone(),
        line: table.line(),
        package: owner.name.clone(),
        version: owner.version.map(ToString::to_string),
    };
    let wheel = filename.as_str().ends_with(".whl");
    let version = match shape {
        Shape::Archive if !wheel => return Ok(()),
        Shape::Sdist => {
            let sdist = SdistFilename::parse(filename, owner.name);
            let wrong = |error: FilenameError| match error {
                FilenameError::ForeignProject { .. } => foreign(),
                error => unreadable(error.to_string()),
            };
            sdist.map_err(wrong)?.version
        }
        Shape::Archive | Shape::Wheel => {
            let wheel = WheelFilename::parse(filename).map_err(|error| unreadable(error.to_string()))?;
            if wheel.name != *owner.name {
                return Err(foreign());
            }
            wheel.version
        }
    };
    if owner.version.is_some_and(|expected| *expected != version) { Err(foreign()) } else { Ok(()) }
}
