//! Every answer that a lock used, in one file: what `lock --record` keeps and `lock --replay` derives the lock from again.
//!
//! A recording is gzip over one JSON document. It keeps only what a resolution can depend on: of each page the files that
//! were uploaded before the cutoff and that one of the targets could use, of each METADATA file the headers that name
//! dependencies. File URLs on the index's own host are kept relative to the page, so that a recording made through a mirror
//! names the index that it stands for and not the mirror. It holds no credential: every URL is a [`SafeUrl`].

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use pinfold_artifact::{ArtifactFilename, Limits, SafeUrl, Sha256};
use pinfold_manifest::UploadTime;
use pinfold_packaging::{
    CoreMetadata, DistributionFilename, Metadata, PackageName, PageFile, ProjectState, ProjectStatus, SimplePage,
    Specifiers,
};
use serde::{Deserialize, Serialize};

use super::desk::Desk;
use super::direct::Directs;
use super::indexes::Indexes;
use super::inputs::{Inputs, MANIFESTS};
use super::pages::Relevance;
use super::pin::{Pinner, refuse_signed};
use super::sdists::Sdists;
use super::source::MetadataFact;
use crate::exit::{Exit, Failure};

/// The answers of one lock.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Recording {
    /// Always [`Recording::FORMAT`].
    pub(super) format: String,
    /// Per index name of the manifest.
    pub(super) indexes: BTreeMap<String, RecordedIndex>,
    /// Per wheel.
    pub(super) metadata: BTreeMap<ArtifactFilename, RecordedMetadata>,
    /// Wheels whose metadata cannot be read, and why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) unreadable: BTreeMap<ArtifactFilename, String>,
    /// Per sdist.
    pub(super) sdists: BTreeMap<ArtifactFilename, RecordedSdist>,
    /// When files without an upload time were seen, where an index has such files and the manifest lets that stand for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seen: Option<String>,
    /// Per requirement that names a file, a directory or a repository, as it is written.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) direct: BTreeMap<String, RecordedDirect>,
}

/// What a file, a directory or a repository turned out to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RecordedDirect {
    /// The name under which its metadata is recorded.
    pub(super) filename: ArtifactFilename,
    /// Its size.
    pub(super) size: u64,
    /// Its digest.
    pub(super) sha256: Sha256,
    /// Whether it is a directory.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) directory: bool,
    /// The commit of a repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) commit: Option<String>,
}

/// The pages of one index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RecordedIndex {
    /// The index's URL.
    pub(super) url: SafeUrl,
    /// Per project; none where the index has no such project.
    pub(super) projects: BTreeMap<PackageName, Option<RecordedPage>>,
}

/// One project's page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RecordedPage {
    #[serde(default = "active", skip_serializing_if = "is_active")]
    status: ProjectStatus,
    files: Vec<RecordedFile>,
}

fn active() -> ProjectStatus {
    ProjectStatus { state: ProjectState::Active, reason: None }
}

fn is_active(status: &ProjectStatus) -> bool {
    *status == active()
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RecordedFile {
    name: ArtifactFilename,
    /// Relative to the page where the file is on the index's own host.
    url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<Sha256>,
    /// Whether the digest is pinfold's and not the index's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    computed: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uploaded: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    python: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    yanked: Option<String>,
}

/// What a wheel's METADATA said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RecordedMetadata {
    /// Of the whole METADATA file.
    pub(super) sha256: Sha256,
    /// The headers that name dependencies.
    pub(super) headers: String,
}

/// What an sdist's build said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RecordedSdist {
    /// Of the whole METADATA file.
    pub(super) metadata: RecordedMetadata,
    /// The PEP 517 backend.
    pub(super) backend: String,
    /// Directories of an in-tree backend.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) backend_path: Vec<String>,
    /// What the build needs, as PEP 508 requirements.
    pub(super) requires: Vec<String>,
}

impl Recording {
    /// The format's name and version.
    pub(super) const FORMAT: &str = "pinfold-recording-1";

    /// Reads a recording.
    ///
    /// # Errors
    /// Exit 2 if the file cannot be read or is no recording.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let shown = || path.display().to_string();
        let wrong = |reason: String| {
            Failure::new(Exit::Input, format!("cannot read the recording `{}`", shown())).with("cause", reason)
        };
        let file = std::fs::File::open(path).map_err(|e| wrong(e.to_string()))?;
        let mut text = Vec::new();
        GzDecoder::new(file)
            .take(Limits::PAGE_BYTES + 1)
            .read_to_end(&mut text)
            .map_err(|e| wrong(format!("{e} (a recording is a gzip file)")))?;
        if text.len() as u64 > Limits::PAGE_BYTES {
            return Err(wrong(format!("it unpacks to more than {} bytes", Limits::PAGE_BYTES)));
        }
        let recording: Self = serde_json::from_slice(&text).map_err(|e| wrong(e.to_string()))?;
        if recording.format != Self::FORMAT {
            return Err(wrong(format!("its format is `{}`; this pinfold reads `{}`", recording.format, Self::FORMAT)));
        }
        Ok(recording)
    }

    /// Writes the recording; the same answers give the same bytes.
    ///
    /// # Errors
    /// Exit 4 if the file cannot be written.
    pub(super) fn write(&self, path: &Path) -> Result<(), Failure> {
        let failed = |e: std::io::Error| {
            Failure::new(Exit::World, format!("cannot write the recording `{}`", path.display())).with("cause", e)
        };
        let text = serde_json::to_vec(self).map_err(|e| failed(e.into()))?;
        let mut packed = GzEncoder::new(Vec::new(), Compression::best());
        packed.write_all(&text).map_err(failed)?;
        crate::ops::write_whole(path, &packed.finish().map_err(failed)?)
    }
}

impl Recording {
    /// Returns when files without an upload time were seen, if that matters.
    ///
    /// # Errors
    /// Exit 2 if the recording was damaged by hand.
    pub(super) fn seen(&self) -> Result<Option<Timestamp>, Failure> {
        self.seen.as_deref().map(str::parse).transpose().map_err(|e: jiff::Error| Failure::of(Exit::Input, &e))
    }

    /// Returns what was computed of files of which the indexes themselves are silent.
    ///
    /// # Errors
    /// Exit 2 if the recording was damaged by hand.
    pub(super) fn computed(&self, indexes: &Indexes) -> Result<BTreeMap<SafeUrl, (u64, Sha256)>, Failure> {
        let mut known = BTreeMap::new();
        for recorded in self.indexes.values() {
            for (project, page) in recorded.projects.iter().filter_map(|(name, page)| Some((name, page.as_ref()?))) {
                let page_url = indexes.of(project)?.page_url(project)?;
                for file in page.files.iter().filter(|file| file.computed) {
                    let url = file.page_file(&page_url, project)?.url.to_safe_url();
                    known.extend(file.size.zip(file.sha256).map(|computed| (url, computed)));
                }
            }
        }
        Ok(known)
    }
}

impl RecordedPage {
    /// Keeps of a page the files that `matters` says a resolution can depend on, and of them what was computed.
    pub(super) fn of(
        page: &SimplePage,
        page_url: &SafeUrl,
        matters: impl Fn(&PageFile) -> bool,
        computed: impl Fn(&PageFile) -> Option<(u64, Sha256)>,
    ) -> Self {
        let files = page.files.iter().filter(|file| matters(file)).map(|file| {
            let known = computed(file);
            RecordedFile {
                name: file.filename.clone(),
                url: relative(page_url, &file.url.to_safe_url()),
                size: file.size_bytes.or(known.map(|(size_bytes, _)| size_bytes)),
                sha256: file.sha256.or(known.map(|(_, sha256)| sha256)),
                computed: file.sha256.is_none() && known.is_some(),
                uploaded: file.upload_time.map(|time| time.to_string()),
                python: match &file.broken_python {
                    Some(text) => Some(text.to_string()),
                    None => file.requires_python.as_ref().map(Specifiers::to_string),
                },
                yanked: file.yanked.clone(),
            }
        });
        Self { status: page.status.clone(), files: files.collect() }
    }

    /// Makes the page again.
    ///
    /// # Errors
    /// Exit 2 if the recording was damaged by hand.
    pub(super) fn page(&self, page_url: &SafeUrl, project: &PackageName) -> Result<SimplePage, Failure> {
        let files = self.files.iter().map(|file| file.page_file(page_url, project)).collect::<Result<_, _>>()?;
        Ok(SimplePage { files, status: self.status.clone(), last_serial: None, skipped: Vec::new() })
    }
}

impl RecordedFile {
    fn page_file(&self, page_url: &SafeUrl, project: &PackageName) -> Result<PageFile, Failure> {
        let wrong = |reason: String| {
            Failure::new(Exit::Input, format!("the recording's entry `{}` cannot be read", self.name))
                .with("cause", reason)
        };
        let python = self.python.as_deref().map(Specifiers::parse_lenient).transpose();
        let (specifiers, repairs) = python.map_err(|e| wrong(e.to_string()))?.unwrap_or_default();
        Ok(PageFile {
            distribution: DistributionFilename::parse(&self.name, project).map_err(|e| wrong(e.to_string()))?,
            filename: self.name.clone(),
            url: page_url.join(&self.url).map_err(|e| wrong(e.to_string()))?.into(),
            size_bytes: self.size,
            sha256: self.sha256.filter(|_| !self.computed),
            upload_time: self.uploaded.as_deref().map(str::parse).transpose().map_err(|e| wrong(format!("{e}")))?,
            requires_python: (!specifiers.is_any()).then_some(specifiers),
            broken_python: self.python.as_deref().filter(|_| !repairs.is_empty()).map(Into::into),
            yanked: self.yanked.clone(),
            core_metadata: CoreMetadata::Absent,
        })
    }
}

/// Returns a reference to `url` that is relative to `base` where both are on one host, else the whole URL.
fn relative(base: &SafeUrl, url: &SafeUrl) -> String {
    if base.file_host() != url.file_host() {
        return url.to_string();
    }
    base.as_url().make_relative(url.as_url()).unwrap_or_else(|| url.to_string())
}

/// Returns the headers of METADATA on which a resolution can depend; or all of it, where these alone would say something else.
pub(super) fn headers_of(bytes: &[u8], metadata: &Metadata) -> String {
    let headers = dependency_headers(bytes);
    let says_the_same = Metadata::parse(headers.as_bytes()).is_ok_and(|read| metadata.whole() == Ok(&read));
    if says_the_same { headers } else { String::from_utf8_lossy(bytes).into_owned() }
}

/// Refuses to put a recording where something else is, or is to be: a manifest, the lock, a requirements file, any file that is
/// no recording. A name that manifests have is refused also where none is, because the next command would read it.
///
/// # Errors
/// Exit 2. Nothing was asked or written.
pub(super) fn refuse_overwriting(file: &Path, lock: &Path) -> Result<(), Failure> {
    let refused = |what: &str| {
        Err(Failure::new(Exit::Input, format!("the recording cannot be written to `{}`", file.display()))
            .with("cause", what)
            .help("name another file with --record"))
    };
    let place = place_of(file);
    if place == place_of(lock) {
        return refused("it is where the lock is written");
    }
    if MANIFESTS.iter().any(|name| place == place_of(Path::new(name))) {
        return refused("it is where the manifest is read");
    }
    match std::fs::metadata(file) {
        Ok(metadata) if !metadata.is_file() => refused("it is no regular file"),
        Ok(_) if !is_recording(file) => refused("there is a file that is no recording"),
        _ => Ok(()),
    }
}

/// Returns the one path of a file that may not exist yet: links to its directory are followed, and its own name is compared as
/// file systems do that ignore case.
fn place_of(path: &Path) -> Option<(PathBuf, String)> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name()?.to_string_lossy().to_ascii_lowercase();
    Some((std::fs::canonicalize(directory).ok()?, name))
}

/// Returns true if a file begins as a recording does, of this pinfold or another.
fn is_recording(path: &Path) -> bool {
    const BEGINNING: &[u8] = b"{\"format\":\"pinfold-recording-";
    let mut found = Vec::new();
    let opened = std::fs::File::open(path).map(|file| GzDecoder::new(file).take(BEGINNING.len() as u64));
    opened.and_then(|mut file| file.read_to_end(&mut found)).is_ok() && found == BEGINNING
}

/// Keeps of a METADATA file the headers on which a resolution can depend, in their order.
fn dependency_headers(metadata: &[u8]) -> String {
    const KEPT: [&str; 7] =
        ["dynamic", "metadata-version", "name", "provides-extra", "requires-dist", "requires-python", "version"];
    let text = String::from_utf8_lossy(metadata);
    let head = text.lines().take_while(|line| !line.trim_end_matches('\r').is_empty());
    let mut kept = String::new();
    let mut keeping = false;
    for line in head {
        let folded = line.starts_with([' ', '\t']);
        if !folded {
            let key = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
            keeping = KEPT.contains(&key.as_str());
        }
        if keeping {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

/// Makes the recording of what a lock used.
///
/// # Errors
/// Exit 2 if the URL to record under is none.
pub(super) fn of(
    desk: &Desk,
    sdists: &Sdists<'_>,
    inputs: &Inputs,
    (pinner, directs): (&Pinner<'_>, &Directs),
    cutoff: Option<Timestamp>,
    url: Option<&str>,
) -> Result<Recording, Failure> {
    let given: Option<SafeUrl> = url
        .map(str::parse)
        .transpose()
        .map_err(|e: pinfold_artifact::UrlError| Failure::of(Exit::Input, &e).with("option", "--record-as"))?;
    let relevance = Relevance::new(&inputs.targets, cutoff);
    let timeless = Relevance::new(&inputs.targets, None);
    let indexes = desk.source().indexes();
    let default = indexes.default_name();
    let mut recording = Recording {
        format: Recording::FORMAT.to_owned(),
        unreadable: desk.unreadable().clone(),
        ..Recording::default()
    };
    for (name, page) in desk.pages().into_iter().flatten() {
        let index = indexes.of(name)?;
        let page_url = index.page_url(name)?;
        let shown = given.as_ref().filter(|_| index.name == default).unwrap_or(&index.url).as_directory();
        let recorded = recording
            .indexes
            .entry(index.name.clone())
            .or_insert_with(|| RecordedIndex { url: shown, projects: BTreeMap::new() });
        let rule = if index.upload_time == UploadTime::FirstSeen { &timeless } else { &relevance };
        let witness = page.as_ref().and_then(|page| rule.witness(page.files.iter()));
        let matters = |file: &PageFile| rule.keeps(file) || witness == Some(&file.filename);
        for file in page.iter().flat_map(|page| &page.files).filter(|file| matters(file)) {
            refuse_signed(file, &file.url.to_safe_url())?;
        }
        let page = page.as_ref().map(|page| RecordedPage::of(page, &page_url, matters, |file| pinner.computed(file)));
        recorded.projects.insert(name.clone(), page);
    }
    let built = |filename, fact: &MetadataFact| {
        sdists.known().get(filename).is_some_and(|built| built.metadata.sha256 == fact.sha256)
    };
    for (filename, fact) in desk.metadata().iter().filter(|(filename, fact)| !built(*filename, fact)) {
        let headers = headers_of(&fact.bytes, &fact.metadata);
        recording.metadata.insert(filename.clone(), RecordedMetadata { sha256: fact.sha256, headers });
    }
    recording.sdists = sdists.known().clone();
    recording.seen = indexes.first_seen().map(|first_seen| first_seen.now().to_string());
    recording.direct = directs.recorded().clone();
    Ok(recording)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_headers_that_are_kept_say_what_all_of_it_says() {
        let head = "Metadata-Version: 2.1\nName: a\nVersion: 1\n";
        for text in [
            format!("{head}Summary: x\nRequires-Dist: b\n\nRequires-Dist: evil\n"),
            // Python ends a line here, and another reader does not.
            format!("{head}Summary: x\rRequires-Dist: b\n"),
            format!("\u{feff}{head}Requires-Dist: b;\r\n os_name == 'nt'\r\n"),
        ] {
            let whole = Metadata::parse(text.as_bytes()).unwrap();
            let headers = headers_of(text.as_bytes(), &whole);
            assert_eq!(Metadata::parse(headers.as_bytes()).unwrap(), whole, "{headers:?}");
            assert_eq!(whole.requires_dist.len(), 1);
        }
    }
}
