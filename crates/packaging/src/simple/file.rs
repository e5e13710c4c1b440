//! What JSON and HTML pages have in common: one listed file, in the words of the page, becomes a [`PageFile`] or is skipped.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;

use pinfold_artifact::{ArtifactFilename, Limits, SafeUrl, Sha256, UrlError};

use super::{CoreMetadata, FileUrl, Missed, PageError, PageFile, ProjectStatus, SimplePage, SkippedFile};
use crate::version::shown;
use crate::{DistributionFilename, PackageName, Specifiers};

/// A file as a page lists it.
#[derive(Debug, Default)]
pub(super) struct Listed<'a> {
    pub(super) filename: Cow<'a, str>,
    /// Absolute, or relative to the page.
    pub(super) url: Cow<'a, str>,
    pub(super) size_bytes: Option<u64>,
    pub(super) sha256: Option<Cow<'a, str>>,
    pub(super) upload_time: Option<Cow<'a, str>>,
    pub(super) requires_python: Option<Cow<'a, str>>,
    pub(super) yanked: Option<Cow<'a, str>>,
    /// Some if METADATA is offered, with its SHA-256 where the page has one.
    pub(super) core_metadata: Option<Option<Cow<'a, str>>>,
}

/// What a file's `Requires-Python` means, and its text if that is broken.
#[derive(Debug, Clone, Default)]
pub(super) struct Python {
    pub(super) specifiers: Specifiers,
    pub(super) broken: Option<Arc<str>>,
}

/// Gathers the files of one page.
pub(super) struct Gather<'a> {
    project: &'a PackageName,
    links: Links,
    files: Vec<PageFile>,
    skipped: Vec<SkippedFile>,
    /// How many files the page lists.
    count: usize,
    /// Where the file names of each hash are in `files`: a file's name is not kept twice.
    names: HashMap<u64, usize>,
    /// Most files of a page accept the same few Python versions.
    pythons: HashMap<String, Result<Python, String>>,
    /// Files uploaded later are passed over.
    until: Option<jiff::Timestamp>,
}

impl<'a> Gather<'a> {
    pub(super) fn new(project: &'a PackageName, page_url: &SafeUrl, until: Option<jiff::Timestamp>) -> Self {
        Self {
            project,
            links: Links { page_url: page_url.clone(), known: None },
            files: Vec::new(),
            skipped: Vec::new(),
            count: 0,
            names: HashMap::new(),
            pythons: HashMap::new(),
            until,
        }
    }

    pub(super) fn finish(self, status: ProjectStatus, last_serial: Option<u64>) -> SimplePage {
        SimplePage { files: self.files, status, last_serial, skipped: self.skipped }
    }

    fn skip(&mut self, filename: &str, reason: impl Into<String>) -> Result<(), PageError> {
        self.skipped.push(SkippedFile { filename: shown(filename), reason: reason.into(), missed: None });
        Ok(())
    }

    /// Skips a wheel or sdist of the project because of what the page says of it.
    fn miss(&mut self, listed: &Listed<'_>, distribution: DistributionFilename, reason: String) {
        let upload_time = listed.upload_time.as_deref().and_then(|text| text.parse().ok());
        let missed = listed.yanked.is_none().then_some(Missed { distribution, upload_time });
        // It is the name of a file, however long: the cache reads it again, and a lock may have it.
        self.skipped.push(SkippedFile { filename: listed.filename.to_string(), reason, missed });
    }

    /// Adds a file, or skips it; the error is the page's.
    pub(super) fn add(&mut self, listed: &Listed<'_>) -> Result<(), PageError> {
        let text = listed.filename.as_ref();
        self.count += 1;
        if self.count > Limits::PAGE_FILES {
            return Err(PageError::TooManyFiles);
        }
        if !is_distribution(text) {
            return self.skip(text, "it is neither a wheel (.whl) nor an sdist (.tar.gz, .zip)");
        }
        if self.is_too_late(listed) {
            return Ok(());
        }
        let sha256 = digest(listed.sha256.as_deref(), text, "sha256")?;
        let core_metadata = match &listed.core_metadata {
            None => CoreMetadata::Absent,
            Some(written) => CoreMetadata::Present(digest(written.as_deref(), text, "core-metadata sha256")?),
        };
        let url = self.links.resolve(&listed.url).map_err(|source| PageError::Url { filename: shown(text), source })?;
        let filename: ArtifactFilename = match text.parse() {
            Ok(filename) => filename,
            Err(error) => return self.skip(text, format!("{error}")),
        };
        let distribution = match DistributionFilename::parse(&filename, self.project) {
            Ok(distribution) => distribution,
            Err(error) => return self.skip(text, error.to_string()),
        };
        let python = match listed.requires_python.as_deref().map(|text| self.python(text)).transpose() {
            Ok(python) => python.unwrap_or_default(),
            Err(reason) => {
                self.miss(listed, distribution, reason);
                return Ok(());
            }
        };
        let Ok(upload_time) = listed.upload_time.as_deref().map(str::parse).transpose() else {
            self.miss(listed, distribution, "its upload time is none".to_owned());
            return Ok(());
        };
        self.take(PageFile {
            filename,
            distribution,
            url,
            size_bytes: listed.size_bytes,
            sha256,
            upload_time,
            requires_python: (!python.specifiers.is_any()).then_some(python.specifiers),
            broken_python: python.broken,
            yanked: listed.yanked.as_deref().map(str::to_owned),
            core_metadata,
        })
    }

    /// Keeps a file. One that is listed twice must be said the same of, but for where it is: of two places the first in the
    /// alphabet counts, so that the order of a page decides nothing.
    fn take(&mut self, file: PageFile) -> Result<(), PageError> {
        let position = match self.place(&file.filename) {
            Ok(place) => {
                self.names.insert(place, self.files.len());
                self.files.push(file);
                return Ok(());
            }
            Err(position) => position,
        };
        let first = &mut self.files[position];
        let differ = said(first).into_iter().zip(said(&file)).find(|(first, second)| first != second);
        if let Some(((what, first), (_, second))) = differ {
            let quoted =
                |said: Option<String>| said.map_or_else(|| "nothing".to_owned(), |said| format!("`{}`", shown(&said)));
            let (first, second) = (quoted(first), quoted(second));
            return Err(PageError::Conflict { filename: shown(file.filename.as_str()), what, first, second });
        }
        if file.url < first.url {
            first.url = file.url;
        }
        self.skip(file.filename.as_str(), "it is listed twice")
    }

    fn is_too_late(&self, listed: &Listed<'_>) -> bool {
        let uploaded = |until| Some((until, listed.upload_time.as_deref()?.parse::<jiff::Timestamp>().ok()?));
        self.until.and_then(uploaded).is_some_and(|(until, uploaded)| uploaded > until)
    }

    /// Returns where the name belongs in `names`, or the position of the file that has it.
    fn place(&self, filename: &ArtifactFilename) -> Result<u64, usize> {
        let mut place = self.names.hasher().hash_one(filename);
        while let Some(position) = self.names.get(&place) {
            if self.files[*position].filename == *filename {
                return Err(*position);
            }
            place = place.wrapping_add(1);
        }
        Ok(place)
    }

    fn python(&mut self, text: &str) -> Result<Python, String> {
        if let Some(known) = self.pythons.get(text) {
            return known.clone();
        }
        let read = match Specifiers::parse_lenient(text) {
            Ok((specifiers, repairs)) => Ok(Python { specifiers, broken: (!repairs.is_empty()).then(|| text.into()) }),
            Err(error) => Err(format!("its requires-python cannot be read: {error}")),
        };
        self.pythons.insert(text.to_owned(), read.clone());
        read
    }
}

/// Returns what a page says of a file, but for where it is: whole, so that nothing is alike only where it is cut.
fn said(file: &PageFile) -> [(&'static str, Option<String>); 6] {
    fn text<T: ToString>(value: Option<&T>) -> Option<String> {
        value.map(ToString::to_string)
    }
    let core_metadata = match file.core_metadata {
        CoreMetadata::Absent => None,
        CoreMetadata::Present(digest) => Some(digest.map_or_else(|| "true".to_owned(), |it| it.to_string())),
    };
    [
        ("sha256", text(file.sha256.as_ref())),
        ("size", text(file.size_bytes.as_ref())),
        ("upload time", text(file.upload_time.as_ref())),
        ("requires-python", text(file.broken_python.as_ref()).or_else(|| text(file.requires_python.as_ref()))),
        ("yanked", file.yanked.clone()),
        ("core-metadata", core_metadata),
    ]
}

/// Returns true for names that may be of wheels and sdists; looked at first because it costs nothing.
pub(super) fn is_distribution(filename: &str) -> bool {
    filename.ends_with(".whl") || filename.ends_with(".tar.gz") || filename.ends_with(".zip")
}

fn digest(text: Option<&str>, filename: &str, what: &'static str) -> Result<Option<Sha256>, PageError> {
    let parsed = text.map(str::parse).transpose();
    parsed.map_err(|source| PageError::Digest { filename: shown(filename), what, source })
}

/// Resolves the links of a page.
pub(super) struct Links {
    pub(super) page_url: SafeUrl,
    /// The host of the last absolute link: as it was written (`https://files.example`), and parsed.
    pub(super) known: Option<(String, SafeUrl)>,
}

impl Links {
    /// Resolves a link. One on a known host with a plain path is not parsed, because nothing in it could be changed.
    pub(super) fn resolve(&mut self, link: &str) -> Result<FileUrl, UrlError> {
        let link = link.split('#').next().unwrap_or_default();
        let Some((host, path)) = split_host(link).filter(|(_, path)| is_plain(path)) else {
            return self.page_url.join(link).map(FileUrl::from);
        };
        let base = match &self.known {
            Some((known, base)) if known == host => base.clone(),
            _ => {
                let base = host.parse::<SafeUrl>()?.with_path("/");
                self.known = Some((host.to_owned(), base.clone()));
                base
            }
        };
        Ok(FileUrl::new(base, Some(path.into())))
    }
}

/// Splits `https://files.example/a/b` before the path; `None` for other schemes and shapes.
fn split_host(link: &str) -> Option<(&str, &str)> {
    let after = link.strip_prefix("https://").or_else(|| link.strip_prefix("http://"))?;
    let slash = after.find('/')?;
    (slash > 0).then(|| link.split_at(link.len() - after.len() + slash))
}

/// Returns true if every URL parser leaves the path as it is.
pub(super) fn is_plain(path: &str) -> bool {
    path.starts_with('/') && path.bytes().all(|byte| PLAIN[usize::from(byte)]) && !path.contains("/.")
}

/// Letters, digits and `/-._~+!`.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        plain[byte] = matches!(byte as u8, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' | b'+' | b'!');
        byte += 1;
    }
    plain
};
