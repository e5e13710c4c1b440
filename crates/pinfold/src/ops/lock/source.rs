//! Where facts come from: the live index through `fetch`, or a recording. Both answer the same questions.
//!
//! A page becomes a [`SimplePage`], a wheel's METADATA is had the cheapest way that the index allows: from the cache, from
//! the sidecar of PEP 658, by ranged reads of the wheel's end, from the whole file. An sdist has no METADATA that binds
//! its wheels; whoever asks for it is told to build.

use std::sync::Arc;

use jiff::Timestamp;
use pinfold_artifact::{Limits, Origin, SafeUrl, Sha256};
use pinfold_fetch::{Fetcher, Freshness, PageReply};
use pinfold_packaging::{
    CoreMetadata, DistributionFilename, Metadata, PackageName, PageFile, PageFormat, SimplePage, Version,
};
use pinfold_resolve::Question;
use sha2::Digest;

use super::indexes::{Index, Indexes};
use super::recording::Recording;
use super::wheel_end;
use crate::exit::{Exit, Failure};

/// What a METADATA file said.
#[derive(Debug)]
pub(super) struct MetadataFact {
    /// What it means.
    pub(super) metadata: Arc<Metadata>,
    /// Its digest.
    pub(super) sha256: Sha256,
    /// Its bytes, or of a recorded one the headers that matter.
    pub(super) bytes: Vec<u8>,
}

/// The answer to a question.
pub(super) enum Answer {
    /// What a wheel says about itself.
    Metadata(Box<MetadataFact>),
    /// Only a build can tell.
    NeedsBuild,
    /// The project's page, and who may serve its files; none where the index has no such project.
    Page(Option<(Origin, SimplePage)>),
}

/// Where facts come from.
pub(super) enum Source {
    /// The world.
    Live {
        /// The door to it.
        fetcher: Arc<Fetcher>,
        /// Who is asked for what.
        indexes: Indexes,
        /// How old answers may be.
        patience: Patience,
    },
    /// A recording.
    Replay {
        /// The answers.
        recording: Box<Recording>,
        /// Who was asked for what.
        indexes: Indexes,
    },
}

/// How old a cached page may be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Patience {
    /// As old as the server allows; if it was fetched after this cutoff, any age: additions since do not exist.
    Advised(Option<Timestamp>),
    /// The index is asked in any case.
    Revalidate,
}

impl Source {
    /// Returns the indexes.
    pub(super) fn indexes(&self) -> &Indexes {
        match self {
            Self::Live { indexes, .. } | Self::Replay { indexes, .. } => indexes,
        }
    }

    /// Answers a question.
    ///
    /// # Errors
    /// Exit 4 if the world failed, exit 3 if an answer must not be believed, exit 2 if a recording lacks the answer.
    pub(super) fn answer(&self, question: &Question) -> Result<Answer, Failure> {
        match question {
            Question::Metadata { file, origin, name, version } => self.metadata(name, version, file, origin),
            Question::Page(name) => self.page(name).map(Answer::Page),
        }
    }

    fn page(&self, name: &PackageName) -> Result<Option<(Origin, SimplePage)>, Failure> {
        let index = self.indexes().of(name)?;
        let url = index.page_url(name)?;
        let page = match self {
            Self::Live { fetcher, patience, .. } => live_page(fetcher, index, &url, name, *patience)?,
            Self::Replay { recording, .. } => replayed_page(recording, index, &url, name)?,
        };
        Ok(page.map(|page| (index.origin_for(&page), page)))
    }

    fn metadata(
        &self,
        name: &PackageName,
        version: &Version,
        file: &PageFile,
        origin: &Origin,
    ) -> Result<Answer, Failure> {
        if let Self::Replay { recording, .. } = self {
            let Some(recorded) = recording.metadata.get(&file.filename) else {
                return match &file.distribution {
                    DistributionFilename::Sdist(_) => Ok(Answer::NeedsBuild),
                    DistributionFilename::Wheel(_) => Err(missing(file.filename.as_str())),
                };
            };
            let fact = MetadataFact::new(recorded.headers.clone().into_bytes(), file)?;
            let fact = MetadataFact { sha256: recorded.sha256, ..fact };
            return Ok(Answer::Metadata(Box::new(fact.checked(name, version, file)?)));
        }
        let Self::Live { fetcher, .. } = self else { return Ok(Answer::NeedsBuild) };
        if matches!(file.distribution, DistributionFilename::Sdist(_)) {
            return Ok(Answer::NeedsBuild);
        }
        let url = file.url.to_safe_url();
        origin.check(&url).map_err(|e| foreign_file(file, &url, &e))?;
        let bytes = wheel_metadata(fetcher, file, &url, origin)?;
        let fact = MetadataFact::new(bytes, file)?.checked(name, version, file)?;
        Ok(Answer::Metadata(Box::new(fact)))
    }
}

impl MetadataFact {
    /// Reads METADATA and takes its digest.
    ///
    /// # Errors
    /// Exit 3 if it cannot be read: whoever published it must not be locked by guessing.
    pub(super) fn new(bytes: Vec<u8>, file: &PageFile) -> Result<Self, Failure> {
        let metadata = Metadata::parse(&bytes).map_err(|e| {
            let cause = Failure::of(Exit::Refused, &e);
            Failure {
                code: Some(e.refusal_code().unwrap_or("bad-metadata").to_owned()),
                details: cause.details,
                ..cause
            }
            .with("file", &file.filename)
            .help("pin another version of the project, or constrain it away from this one")
        })?;
        let sha256 = Sha256::from_bytes(sha2::Sha256::digest(&bytes).into());
        Ok(Self { metadata: Arc::new(metadata), sha256, bytes })
    }

    /// Holds what METADATA says against the file's name (IX12).
    fn checked(self, name: &PackageName, version: &Version, file: &PageFile) -> Result<Self, Failure> {
        if self.metadata.name == *name && self.metadata.version == *version {
            return Ok(self);
        }
        Err(Failure::refused(
            "metadata-mismatch",
            format!("refused `{}`: its METADATA is of another release", file.filename),
        )
        .with("from", file.url.to_safe_url())
        .with("expected", format!("{name} {version}"))
        .with("found", format!("{} {}", self.metadata.name, self.metadata.version))
        .help("do not lock this file; tell the project's maintainers"))
    }
}

fn missing(what: &str) -> Failure {
    Failure::new(Exit::Input, format!("the recording has no answer for `{what}`"))
        .help("the inputs are not those that were recorded: record again with `pinfold lock --record FILE`")
}

fn foreign_file(file: &PageFile, url: &SafeUrl, error: &pinfold_artifact::OriginError) -> Failure {
    Failure::refused("origin-mismatch", format!("refused `{}`: its host is not of its index", file.filename))
        .with("from", url)
        .with("cause", error)
        .help("if the index has moved its files on purpose, add the host to `file-hosts` of the index in the manifest")
}

fn replayed_page(
    recording: &Recording,
    index: &Index,
    url: &SafeUrl,
    name: &PackageName,
) -> Result<Option<SimplePage>, Failure> {
    let recorded = recording.indexes.get(&index.name).ok_or_else(|| missing(&index.name))?;
    let page = recorded.projects.get(name).ok_or_else(|| missing(name.as_str()))?;
    page.as_ref().map(|page| page.page(url, name)).transpose()
}

/// The compact form of pages under which they are remembered; changes with the form of [`SimplePage`].
const PAGE_KIND: &str = "page-1";

fn live_page(
    fetcher: &Fetcher,
    index: &Index,
    url: &SafeUrl,
    name: &PackageName,
    patience: Patience,
) -> Result<Option<SimplePage>, Failure> {
    let origin = index.origin();
    let frozen_after = match patience {
        Patience::Advised(Some(cutoff)) => u64::try_from(cutoff.as_second()).unwrap_or(0),
        Patience::Advised(None) | Patience::Revalidate => u64::MAX,
    };
    let remembered = remembered_page(fetcher, &origin, url)?;
    if let Some((fetched_at, page)) = remembered.as_ref().filter(|(fetched_at, _)| *fetched_at > frozen_after) {
        let _ = fetched_at;
        return Ok(Some(page.clone()));
    }
    let freshness = match patience {
        Patience::Advised(_) => Freshness::Advised,
        Patience::Revalidate => Freshness::Revalidate,
    };
    let served = match fetcher.page(&origin, url, freshness)? {
        PageReply::Absent => return Ok(None),
        PageReply::Found(served) => served,
    };
    if let Some((_, page)) =
        remembered.filter(|(fetched_at, _)| served.from_cache && *fetched_at == served.fetched_at_unix)
    {
        return Ok(Some(page));
    }
    let page = read_page(&served, name)?;
    if let Ok(compact) = postcard::to_allocvec(&(served.fetched_at_unix, &page)) {
        fetcher.remember(PAGE_KIND, &origin, url, &compact)?;
    }
    Ok(Some(page))
}

fn remembered_page(fetcher: &Fetcher, origin: &Origin, url: &SafeUrl) -> Result<Option<(u64, SimplePage)>, Failure> {
    let compact = fetcher.recall(PAGE_KIND, origin, url)?;
    Ok(compact.and_then(|bytes| postcard::from_bytes(&bytes).ok()))
}

fn read_page(served: &pinfold_fetch::Page, name: &PackageName) -> Result<SimplePage, Failure> {
    let format = PageFormat::from_content_type(&served.content_type).ok_or_else(|| {
        Failure::new(Exit::World, format!("the page of `{name}` is no index page"))
            .with("from", &served.url)
            .with("found", format!("content type `{}`", served.content_type))
            .with("expected", "a simple page, as JSON or HTML")
            .help("check the URL of the index in the manifest")
    })?;
    SimplePage::parse(&served.bytes, format, &served.url, name).map_err(|e| {
        let exit = if e.refusal_code().is_some() { Exit::Refused } else { Exit::World };
        let failure = Failure { code: e.refusal_code().map(str::to_owned), ..Failure::of(exit, &e) };
        failure
            .with("page", &served.url)
            .help("the index answers with something that must not be guessed at; tell who runs it")
    })
}

/// The form under which METADATA is remembered: the digest that the page gave the file, or zeros, and the bytes.
const METADATA_KIND: &str = "metadata-1";

fn wheel_metadata(fetcher: &Fetcher, file: &PageFile, url: &SafeUrl, origin: &Origin) -> Result<Vec<u8>, Failure> {
    let tag = file.sha256.map_or([0; 32], |digest| *digest.as_bytes());
    if let Some(kept) = fetcher.recall(METADATA_KIND, origin, url)?
        && let Some(bytes) = kept.strip_prefix(&tag[..])
    {
        return Ok(bytes.to_vec());
    }
    let bytes = match sidecar(fetcher, file, url, origin)? {
        Some(bytes) => bytes,
        None => wheel_end::metadata(fetcher, file, url, origin)?,
    };
    let mut kept = tag.to_vec();
    kept.extend_from_slice(&bytes);
    fetcher.remember(METADATA_KIND, origin, url, &kept)?;
    Ok(bytes)
}

fn sidecar(fetcher: &Fetcher, file: &PageFile, url: &SafeUrl, origin: &Origin) -> Result<Option<Vec<u8>>, Failure> {
    let CoreMetadata::Present(expected) = file.core_metadata else { return Ok(None) };
    let Ok(beside) = format!("{}.metadata", url.without_fragment()).parse::<SafeUrl>() else { return Ok(None) };
    let Some(bytes) = fetcher.small(origin, &beside, Limits::METADATA_BYTES)? else { return Ok(None) };
    let found = Sha256::from_bytes(sha2::Sha256::digest(&bytes).into());
    if let Some(expected) = expected.filter(|expected| *expected != found) {
        return Err(Failure::refused("metadata-hash-mismatch", format!("refused the metadata of `{}`", file.filename))
            .with("from", &beside)
            .with("expected", format!("sha256:{expected} (the index page)"))
            .with("found", format!("sha256:{found}"))
            .help("the index contradicts itself; lock again later, and tell who runs it if it stays so"));
    }
    Ok(Some(bytes))
}
