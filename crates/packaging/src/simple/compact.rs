//! The form of a page that a cache keeps: small, and read only where it is looked at.
//!
//! What many files share (host, accepted Python versions) is written once, digests and times are numbers, and a path that ends
//! with the file's name does not repeat it. Layout, all numbers little-endian:
//!
//! | part | content |
//! | --- | --- |
//! | length of the head | `u32` |
//! | head | `postcard`: what the page says besides its files, hosts, accepted Python versions |
//! | table | per version, where its text and its files end: two `u32`, from the beginning of each heap |
//! | length of the version heap | `u32` |
//! | version heap | the versions, as text, ascending |
//! | file heap | per version, `postcard`: its files |
//!
//! Whoever keeps these bytes keeps their digest too (the page cache does). So what cannot be read after the outline was
//! checked is a defect of this program, and it stops.

use std::borrow::{Borrow, Cow};
use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::Hash;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use pinfold_artifact::{SafeUrl, Sha256};
use serde::{Deserialize, Serialize};

use super::file::{Python, is_plain};
use super::releases::{About, Releases};
use super::{CoreMetadata, FileUrl, Missed, PageFile, ProjectStatus, SkippedFile};
use crate::{DistributionFilename, PackageName, Specifiers, Version};

/// Why bytes are no page in the compact form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("these bytes are no page of this program's cache: {reason}")]
pub struct CompactError {
    reason: &'static str,
}

/// A page of which versions and files are read when they are looked at.
#[derive(Debug, Clone)]
pub(super) struct Compact {
    bytes: Bytes,
    project: Option<PackageName>,
    bases: Vec<(String, OnceLock<SafeUrl>)>,
    pythons: Vec<(PythonText, OnceLock<Python>)>,
    /// Where the table begins in `bytes`; it was checked to describe ascending ranges inside the heaps.
    table: usize,
    versions_start: usize,
    files_start: usize,
    versions: Box<[OnceLock<Version>]>,
    files: Sparse<Box<[Arc<PageFile>]>>,
}

#[derive(Serialize, Deserialize)]
struct Head<'a> {
    form: u32,
    #[serde(borrow)]
    project: Cow<'a, str>,
    status: ProjectStatus,
    last_serial: Option<u64>,
    skipped: Vec<Skipped>,
    bases: Vec<String>,
    pythons: Vec<PythonText>,
    versions: u32,
}

/// A file that is no candidate.
#[derive(Serialize, Deserialize)]
struct Skipped {
    filename: String,
    reason: String,
    /// Some if the file is missed; its upload time.
    missed: Option<Option<(i64, i32)>>,
}

/// What files accept, as text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
enum PythonText {
    /// As the page has it, broken.
    Broken(String),
    /// By the book.
    Plain(String),
}

/// Grows when the form changes; another one is not read.
const FORM: u32 = 3;

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

impl Compact {
    pub(super) fn read(bytes: Bytes) -> Result<(About, Self), CompactError> {
        let wrong = |reason| CompactError { reason };
        let head_end = number(&bytes, 0).and_then(|length| length.checked_add(4)).ok_or(wrong("it is too short"))?;
        let head = bytes.get(4..head_end).ok_or(wrong("it is too short"))?;
        let head: Head<'_> = postcard::from_bytes(head).map_err(|_| wrong("its head cannot be read"))?;
        if head.form != FORM {
            return Err(wrong("it has another form"));
        }
        let count = head.versions as usize;
        let table_end = count.checked_mul(8).and_then(|length| length.checked_add(head_end));
        let heap = table_end.and_then(|end| Some((end + 4, number(&bytes, end)?))).ok_or(wrong("it has no table"))?;
        let versions_start = heap.0;
        let files_start = versions_start.checked_add(heap.1).filter(|end| *end <= bytes.len());
        let files_start = files_start.ok_or(wrong("its versions are cut off"))?;
        let project = match head.project.as_ref() {
            "" => None,
            project => Some(project.parse().map_err(|_| wrong("its project has no name"))?),
        };
        let compact = Self {
            project,
            bases: head.bases.into_iter().map(|text| (text, OnceLock::new())).collect(),
            pythons: head.pythons.into_iter().map(|text| (text, OnceLock::new())).collect(),
            table: head_end,
            versions_start,
            files_start,
            versions: (0..count).map(|_| OnceLock::new()).collect(),
            files: Sparse::new(count),
            bytes: bytes.clone(),
        };
        compact.check_outline()?;
        let (status, last_serial) = (head.status, head.last_serial);
        let skipped = head.skipped.into_iter().map(|skipped| skipped.read(compact.project.as_ref()));
        let skipped = skipped.collect::<Option<_>>().ok_or(wrong("a skipped file has no name"))?;
        Ok((About { status, last_serial, skipped }, compact))
    }

    /// Holds the table against the heaps: ascending, inside, and filling both.
    fn check_outline(&self) -> Result<(), CompactError> {
        let (mut version, mut file) = (0, 0);
        for position in 0..self.len() {
            let (next_version, next_file) = self.ends(position);
            if next_version <= version || next_file <= file {
                return Err(CompactError { reason: "its table is not ascending" });
            }
            (version, file) = (next_version, next_file);
        }
        let fits = version == self.files_start - self.versions_start && file == self.bytes.len() - self.files_start;
        if fits { Ok(()) } else { Err(CompactError { reason: "its table does not fit" }) }
    }

    pub(super) fn len(&self) -> usize {
        self.versions.len()
    }

    pub(super) fn version(&self, position: usize) -> &Version {
        self.versions[position].get_or_init(|| {
            let start = if position == 0 { 0 } else { self.ends(position - 1).0 };
            let text = &self.bytes[self.within(self.versions_start, start, self.ends(position).0)];
            let version = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
            version.expect("the bytes are those that were written, and a version was")
        })
    }

    pub(super) fn files(&self, position: usize) -> &[Arc<PageFile>] {
        assert!(position < self.len(), "there is no version at position {position}");
        self.files.at(position).get_or_init(|| {
            let start = if position == 0 { 0 } else { self.ends(position - 1).1 };
            let bytes = &self.bytes[self.within(self.files_start, start, self.ends(position).1)];
            let files: Option<Vec<File<'_>>> = postcard::from_bytes(bytes).ok();
            let read = files.and_then(|files| files.into_iter().map(|file| self.file(file).map(Arc::new)).collect());
            read.expect("the bytes are those that were written, and files were")
        })
    }

    pub(super) fn bases(&self) -> impl Iterator<Item = &SafeUrl> {
        (0..self.bases.len()).filter_map(|number| self.base(number))
    }

    fn within(&self, heap: usize, start: usize, end: usize) -> Range<usize> {
        heap + start..heap + end
    }

    /// Returns where the text and the files of a version end.
    fn ends(&self, position: usize) -> (usize, usize) {
        let at = self.table + position * 8;
        (number(&self.bytes, at).unwrap_or_default(), number(&self.bytes, at + 4).unwrap_or_default())
    }

    fn base(&self, number: usize) -> Option<&SafeUrl> {
        let (text, base) = self.bases.get(number)?;
        if base.get().is_none() {
            let _ = base.set(shared_base(text)?);
        }
        base.get()
    }

    fn python(&self, number: usize) -> Option<&Python> {
        let (python, read) = self.pythons.get(number)?;
        if read.get().is_none() {
            let _ = read.set(match python {
                PythonText::Broken(text) => {
                    Python { specifiers: Specifiers::parse_lenient(text).ok()?.0, broken: Some(text.as_str().into()) }
                }
                PythonText::Plain(text) => Python { specifiers: text.parse().ok()?, broken: None },
            });
        }
        read.get()
    }

    fn file(&self, file: File<'_>) -> Option<PageFile> {
        let filename = file.filename.parse().ok()?;
        let distribution = DistributionFilename::parse(&filename, self.project.as_ref()?).ok()?;
        let path = match file.path {
            Path::Before(before) => Some([before.as_ref(), filename.as_str()].concat()),
            Path::Nothing => None,
            Path::Whole(path) => Some(path.into_owned()),
        };
        if path.as_deref().is_some_and(|path| !is_plain(path)) {
            return None;
        }
        let upload_time = file.upload_time.map(moment).transpose().ok()?;
        let python = match file.python {
            None => Python::default(),
            Some(number) => self.python(number)?.clone(),
        };
        Some(PageFile {
            filename,
            distribution,
            url: FileUrl::new(self.base(file.base)?.clone(), path.map(Into::into)),
            size_bytes: file.size_bytes,
            sha256: file.sha256.map(Sha256::from_bytes),
            upload_time,
            requires_python: (!python.specifiers.is_any()).then_some(python.specifiers),
            broken_python: python.broken,
            yanked: file.yanked,
            core_metadata: match file.core_metadata {
                None => CoreMetadata::Absent,
                Some(sha256) => CoreMetadata::Present(sha256.map(Sha256::from_bytes)),
            },
        })
    }
}

/// Reads the URL that files of a page share. Most pages of an index name one host: it is read once.
fn shared_base(text: &str) -> Option<SafeUrl> {
    thread_local! {
        static LAST: RefCell<Option<SafeUrl>> = const { RefCell::new(None) };
    }
    LAST.with_borrow_mut(|last| match last {
        Some(same) if same.as_str() == text => Some(same.clone()),
        _ => {
            *last = Some(text.parse().ok()?);
            last.clone()
        }
    })
}

/// Places for many things of which few are looked at: made sixteen at once, when one of them is.
#[derive(Debug, Clone)]
struct Sparse<T>(Box<[OnceLock<Together<T>>]>);

type Together<T> = Box<[OnceLock<T>; SIXTEEN]>;

const SIXTEEN: usize = 16;

impl<T> Sparse<T> {
    fn new(count: usize) -> Self {
        Self((0..count.div_ceil(SIXTEEN)).map(|_| OnceLock::new()).collect())
    }

    /// Returns the place at a position, which must be below the count.
    fn at(&self, position: usize) -> &OnceLock<T> {
        let together = self.0[position / SIXTEEN].get_or_init(|| Box::new([const { OnceLock::new() }; SIXTEEN]));
        &together[position % SIXTEEN]
    }
}

impl Skipped {
    fn read(self, project: Option<&PackageName>) -> Option<SkippedFile> {
        let missed = match self.missed {
            None => None,
            Some(uploaded) => Some(Missed {
                distribution: DistributionFilename::parse(&self.filename.parse().ok()?, project?).ok()?,
                upload_time: uploaded.map(moment).transpose().ok()?,
            }),
        };
        Some(SkippedFile { filename: self.filename, reason: self.reason, missed })
    }
}

fn moment((second, nanosecond): (i64, i32)) -> Result<jiff::Timestamp, jiff::Error> {
    jiff::Timestamp::new(second, nanosecond)
}

fn in_numbers(time: jiff::Timestamp) -> (i64, i32) {
    (time.as_second(), time.subsec_nanosecond())
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?) as usize)
}

/// Gives equal things one number.
struct Numbered<T>(Vec<T>, HashMap<T, usize>);

impl<T: Clone + Eq + Hash> Numbered<T> {
    fn new() -> Self {
        Self(Vec::new(), HashMap::new())
    }

    fn number<Q: Eq + Hash + ToOwned<Owned = T> + ?Sized>(&mut self, thing: &Q) -> usize
    where
        T: Borrow<Q>,
    {
        if let Some(known) = self.1.get(thing) {
            return *known;
        }
        self.0.push(thing.to_owned());
        self.1.insert(thing.to_owned(), self.0.len() - 1);
        self.0.len() - 1
    }
}

/// Writes the compact form.
pub(super) fn write(about: &About, releases: &Releases) -> Vec<u8> {
    let (mut bases, mut pythons) = (Numbered::new(), Numbered::new());
    let (mut table, mut versions, mut files) = (Vec::new(), Vec::new(), Vec::new());
    for position in 0..releases.len() {
        versions.extend_from_slice(releases.version(position).to_string().as_bytes());
        let own: Vec<File<'_>> =
            releases.files(position).iter().map(|file| packed(file, &mut bases, &mut pythons)).collect();
        files.extend_from_slice(&serialized(&own));
        for end in [versions.len(), files.len()] {
            table.extend_from_slice(&written(end));
        }
    }
    let missed = about.skipped.iter().filter_map(|skipped| Some(&skipped.missed.as_ref()?.distribution));
    let first = releases.all_files().map(|file| &file.distribution).chain(missed).next();
    let project = first.map_or("", |distribution| distribution.name().as_str());
    let head = serialized(&Head {
        form: FORM,
        project: Cow::Borrowed(project),
        status: about.status.clone(),
        last_serial: about.last_serial,
        skipped: about.skipped.iter().map(skipped).collect(),
        bases: bases.0,
        pythons: pythons.0,
        versions: u32::from_le_bytes(written(releases.len())),
    });
    [&written(head.len())[..], &head, &table, &written(versions.len()), &versions, &files].concat()
}

fn packed<'a>(file: &'a PageFile, bases: &mut Numbered<String>, pythons: &mut Numbered<PythonText>) -> File<'a> {
    let digest = |sha256: Sha256| *sha256.as_bytes();
    File {
        filename: Cow::Borrowed(file.filename.as_str()),
        base: bases.number(file.url.base.as_str()),
        path: match file.url.path.as_deref() {
            None => Path::Nothing,
            Some(path) => match path.strip_suffix(file.filename.as_str()) {
                Some(before) => Path::Before(Cow::Borrowed(before)),
                None => Path::Whole(Cow::Borrowed(path)),
            },
        },
        size_bytes: file.size_bytes,
        sha256: file.sha256.map(digest),
        upload_time: file.upload_time.map(in_numbers),
        python: python(file).map(|python| pythons.number(&python)),
        yanked: file.yanked.clone(),
        core_metadata: match file.core_metadata {
            CoreMetadata::Absent => None,
            CoreMetadata::Present(sha256) => Some(sha256.map(digest)),
        },
    }
}

fn python(file: &PageFile) -> Option<PythonText> {
    match &file.broken_python {
        Some(text) => Some(PythonText::Broken(text.to_string())),
        None => file.requires_python.as_ref().map(|set| PythonText::Plain(set.to_string())),
    }
}

fn skipped(file: &SkippedFile) -> Skipped {
    let missed = file.missed.as_ref().map(|missed| missed.upload_time.map(in_numbers));
    Skipped { filename: file.filename.clone(), reason: file.reason.clone(), missed }
}

fn serialized(value: &impl Serialize) -> Vec<u8> {
    postcard::to_allocvec(value).expect("texts and numbers are always written")
}

/// A page has at most [`pinfold_artifact::Limits::PAGE_BYTES`] bytes, so every part of its compact form has a length that fits.
fn written(length: usize) -> [u8; 4] {
    u32::try_from(length).expect("a page is smaller than 4 GiB").to_le_bytes()
}
