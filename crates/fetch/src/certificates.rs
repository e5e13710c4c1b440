//! The certificates that are trusted in place of the system's: those of a file, of directories, or of both together.
//!
//! Who names certificates does not want the system's: where nothing can be read, that is an error. In a directory every file is
//! looked at; one that holds no certificate, such as a note or a list of revoked ones, is passed over. Fewer certificates than
//! meant make a connection fail and never succeed, so a directory that is not there is passed over as well, as OpenSSL does, as
//! long as there is something else.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use reqwest::Certificate;

use crate::remote::innermost;
use crate::{FetchCause, FetchSettings};

/// Looks whether there is what the settings name, which costs nothing; to read a hundred authorities takes a tenth of a warm lock.
///
/// # Errors
/// [`FetchCause::CaBundle`] and the path that it is about.
pub(crate) fn look(settings: &FetchSettings) -> Result<(), (PathBuf, FetchCause)> {
    if let Some(path) = &settings.ca_bundle {
        return look_at_file(path).map_err(|cause| (path.clone(), cause));
    }
    let Some(first) = settings.ca_directories.first() else { return Ok(()) };
    let has_entries = |path: &PathBuf| {
        std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some_and(|entry| entry.is_ok()))
    };
    if settings.ca_directories.iter().any(has_entries) {
        return Ok(());
    }
    let reason = std::fs::read_dir(first).map_or_else(|error| error.to_string(), |_| "it is empty".to_owned());
    Err((first.clone(), none_of(first, reason)))
}

fn look_at_file(path: &Path) -> Result<(), FetchCause> {
    let found = File::open(path).and_then(|file| file.metadata()).map_err(|error| none_of(path, error.to_string()))?;
    match (found.is_dir(), found.is_file() && found.len() == 0) {
        (true, _) => Err(none_of(path, "it is a directory".to_owned())),
        (_, true) => Err(none_of(path, "it holds none".to_owned())),
        _ => Ok(()),
    }
}

/// Reads the certificates that the settings name. None of them are read where nothing is named.
///
/// # Errors
/// [`FetchCause::CaBundle`] if something is named and no certificate is there.
pub(crate) fn read(settings: &FetchSettings) -> Result<Vec<Certificate>, FetchCause> {
    let mut found = match &settings.ca_bundle {
        Some(path) => of_file(path)?,
        None => Vec::new(),
    };
    let mut seen: BTreeSet<PathBuf> = settings.ca_bundle.iter().filter_map(|path| path.canonicalize().ok()).collect();
    for directory in &settings.ca_directories {
        found.extend(of_directory(directory, &mut seen));
    }
    match settings.ca_directories.first() {
        Some(first) if found.is_empty() => Err(none_of(first, "no file there holds one".to_owned())),
        _ => Ok(found),
    }
}

fn of_file(path: &Path) -> Result<Vec<Certificate>, FetchCause> {
    let bytes = std::fs::read(path).map_err(|error| none_of(path, error.to_string()))?;
    let found = Certificate::from_pem_bundle(&bytes).map_err(|error| none_of(path, innermost(&error)))?;
    if found.is_empty() { Err(none_of(path, "it holds none".to_owned())) } else { Ok(found) }
}

/// Reads the files of a directory, each once: OpenSSL finds certificates by links that are named for them.
fn of_directory(directory: &Path, seen: &mut BTreeSet<PathBuf>) -> Vec<Certificate> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| entry.path().canonicalize().ok()).collect();
    paths.sort();
    paths.retain(|path| path.is_file() && seen.insert(path.clone()));
    paths.iter().filter_map(|path| of_file(path).ok()).flatten().collect()
}

fn none_of(path: &Path, reason: String) -> FetchCause {
    FetchCause::CaBundle { path: path.to_owned(), reason }
}
