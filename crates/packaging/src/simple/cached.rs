//! A page in the form that a cache keeps: small, and quick to read back.
//!
//! What thousands of files share (host, accepted Python versions) is written once, digests and times are numbers, and a path
//! that ends with the file's name does not repeat it. Reading it back checks names and URLs again: a cache is not trusted
//! more than the index was. The form is meant for `postcard`; any serde format that can borrow texts will do.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use pinfold_artifact::{SafeUrl, Sha256};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::file::is_plain;
use super::{CoreMetadata, FileUrl, PageFile, ProjectStatus, SimplePage, SkippedFile};
use crate::{DistributionFilename, PackageName, Repair, Specifiers};

#[derive(Serialize, Deserialize)]
struct Page<'a> {
    form: u32,
    status: ProjectStatus,
    last_serial: Option<u64>,
    #[serde(borrow)]
    project: Cow<'a, str>,
    bases: Vec<SafeUrl>,
    pythons: Vec<Specifiers>,
    #[serde(borrow)]
    files: Vec<File<'a>>,
    skipped: Vec<SkippedFile>,
    repairs: Vec<Repair>,
}

/// Grows when the form changes; another one is not read.
const FORM: u32 = 1;

#[derive(Serialize, Deserialize)]
struct File<'a> {
    #[serde(borrow)]
    filename: Cow<'a, str>,
    base: usize,
    #[serde(borrow)]
    path: Path<'a>,
    size_bytes: Option<u64>,
    sha256: Option<[u8; 32]>,
    upload_time: Option<(i64, i32)>,
    python: Option<usize>,
    yanked: Option<String>,
    core_metadata: Option<Option<[u8; 32]>>,
}

/// The rest of a file's URL.
#[derive(Serialize, Deserialize)]
enum Path<'a> {
    /// Up to the file's name, which is its end.
    #[serde(borrow)]
    Before(Cow<'a, str>),
    /// The base is the whole URL.
    Nothing,
    /// All of it.
    #[serde(borrow)]
    Whole(Cow<'a, str>),
}

/// Gives equal values one number.
struct Numbered<T>(Vec<T>, HashMap<String, usize>);

impl<T> Numbered<T> {
    fn number(&mut self, name: &str, value: impl FnOnce() -> T) -> usize {
        if let Some(known) = self.1.get(name) {
            return *known;
        }
        self.0.push(value());
        self.1.insert(name.to_owned(), self.0.len() - 1);
        self.0.len() - 1
    }
}

impl Serialize for SimplePage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bases = Numbered(Vec::new(), HashMap::new());
        let mut pythons = Numbered(Vec::new(), HashMap::new());
        let files = self.files.iter().map(|file| {
            let base = bases.number(file.url.base.as_str(), || SafeUrl::clone(&file.url.base));
            let path = match file.url.path.as_deref() {
                None => Path::Nothing,
                Some(path) => match path.strip_suffix(file.filename.as_str()) {
                    Some(before) => Path::Before(Cow::Borrowed(before)),
                    None => Path::Whole(Cow::Borrowed(path)),
                },
            };
            let digest = |sha256: Sha256| *sha256.as_bytes();
            File {
                filename: Cow::Borrowed(file.filename.as_str()),
                base,
                path,
                size_bytes: file.size_bytes,
                sha256: file.sha256.map(digest),
                upload_time: file.upload_time.map(|time| (time.as_second(), time.subsec_nanosecond())),
                python: file.requires_python.as_ref().map(|set| pythons.number(&set.to_string(), || set.clone())),
                yanked: file.yanked.clone(),
                core_metadata: match file.core_metadata {
                    CoreMetadata::Absent => None,
                    CoreMetadata::Present(sha256) => Some(sha256.map(digest)),
                },
            }
        });
        let files = files.collect();
        let project = self.files.first().map_or("", |file| file.distribution.name().as_str());
        let page = Page {
            form: FORM,
            status: self.status.clone(),
            last_serial: self.last_serial,
            project: Cow::Borrowed(project),
            bases: bases.0,
            pythons: pythons.0,
            files,
            skipped: self.skipped.clone(),
            repairs: self.repairs.clone(),
        };
        page.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SimplePage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let page = Page::deserialize(deserializer)?;
        if page.form != FORM {
            return Err(D::Error::custom(format!("the cached page has the form {}, not {FORM}", page.form)));
        }
        let bases: Vec<Arc<SafeUrl>> = page.bases.into_iter().map(Arc::new).collect();
        let mut files = Vec::with_capacity(page.files.len());
        if !page.files.is_empty() {
            let project = page.project.parse().map_err(D::Error::custom)?;
            for file in page.files {
                files.push(file.read(&project, &bases, &page.pythons).map_err(D::Error::custom)?);
            }
        }
        Ok(Self {
            files,
            status: page.status,
            last_serial: page.last_serial,
            skipped: page.skipped,
            repairs: page.repairs,
        })
    }
}

impl File<'_> {
    fn read(self, project: &PackageName, bases: &[Arc<SafeUrl>], pythons: &[Specifiers]) -> Result<PageFile, String> {
        let filename = self.filename.parse().map_err(|error| format!("{error}"))?;
        let distribution = DistributionFilename::parse(&filename, project).map_err(|error| error.to_string())?;
        let base = bases.get(self.base).ok_or("a file has an unknown host")?;
        let path = match self.path {
            Path::Before(before) => Some([before.as_ref(), filename.as_str()].concat()),
            Path::Nothing => None,
            Path::Whole(path) => Some(path.into_owned()),
        };
        if path.as_deref().is_some_and(|path| !is_plain(path)) {
            return Err("a file has a path that is none".to_owned());
        }
        let time = |(second, nanosecond)| jiff::Timestamp::new(second, nanosecond);
        let python = |number: usize| pythons.get(number).cloned().ok_or("a file accepts unknown Python versions");
        Ok(PageFile {
            filename,
            distribution,
            url: FileUrl { base: Arc::clone(base), path: path.map(Into::into) },
            size_bytes: self.size_bytes,
            sha256: self.sha256.map(Sha256::from_bytes),
            upload_time: self.upload_time.map(time).transpose().map_err(|error| error.to_string())?,
            requires_python: self.python.map(python).transpose()?,
            yanked: self.yanked,
            core_metadata: match self.core_metadata {
                None => CoreMetadata::Absent,
                Some(sha256) => CoreMetadata::Present(sha256.map(Sha256::from_bytes)),
            },
        })
    }
}
