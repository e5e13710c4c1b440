//! Where facts come from: the live index through `fetch`, or a recording. Both answer the same questions.
//!
//! A page becomes [`Releases`], a wheel's METADATA is had the cheapest way that the index allows: from the cache, from
//! the sidecar of PEP 658, by ranged reads of the wheel's end, from the whole file. Where an sdist does not say of itself what
//! its wheels need, whoever asks is told to build.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use pinfold_artifact::{Limits, Origin, SafeUrl, Sha256};
use pinfold_fetch::{Connectivity, Fetcher};
use pinfold_manifest::UploadTime;
use pinfold_packaging::{
    CoreMetadata, DistributionFilename, Metadata, MetadataError, PackageName, PageFile, Releases, Requirement, Version,
};
use pinfold_resolve::Question;
use sha2::Digest;

use super::indexes::Indexes;
use super::pages::{self, Reach, Relevance};
use super::pin::refuse_signed;
use super::promised::{self, Promise};
use super::recording::{Recording, headers_of};
use super::went_back::Serials;
use super::wheel_end;
use crate::exit::{Exit, Failure};
use crate::world::World;

/// What a METADATA file said.
#[derive(Debug)]
pub(super) struct MetadataFact {
    /// What it means.
    pub(super) metadata: Arc<Metadata>,
    /// Its digest.
    pub(super) sha256: Sha256,
    /// Its bytes, or of a recorded one the headers that matter.
    pub(super) bytes: Bytes,
}

/// The answer to a question.
#[expect(clippy::large_enum_variant, reason = "an answer is moved once and never kept")]
pub(super) enum Answer {
    /// What a wheel says about itself, or an sdist about its wheels.
    Metadata(Box<MetadataFact>),
    /// Only a build can tell. What the sdist says of itself makes some requirements likely.
    NeedsBuild(Vec<Requirement>),
    /// The project's page, and who may serve its files; none where the index has no such project.
    Page(Option<(Origin, Releases)>),
}

/// Where facts come from.
pub(super) enum Source {
    /// The world.
    Live {
        /// The door to it.
        fetcher: Arc<Fetcher>,
        /// Where sdists are stored to be read.
        world: World,
        /// Who is asked for what.
        indexes: Indexes,
        /// How old answers may be.
        patience: Patience,
        /// What is made of a page that is older than one that was seen before.
        serials: Serials,
        /// Which files of a page are kept; none: all of them.
        relevance: Option<Arc<Relevance>>,
        /// What was read already.
        readings: Readings,
    },
    /// A recording.
    Replay {
        /// The answers.
        recording: Box<Recording>,
        /// Who was asked for what.
        indexes: Indexes,
    },
}

/// METADATA that was read, by its digest: the wheels of one version mostly have the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Readings(Arc<Mutex<BTreeMap<Sha256, Arc<Metadata>>>>);

impl Readings {
    /// Returns what METADATA says that was kept, and the digest of the whole; each digest is read once.
    fn of_kept(&self, kept: &Bytes, sha256: Sha256, file: &PageFile) -> Result<MetadataFact, Failure> {
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, headers) = Metadata::split_kept(kept).unwrap_or((kept, kept));
        let bytes = kept.slice_ref(headers);
        if let Some(metadata) = known().get(&sha256).cloned() {
            return Ok(MetadataFact { metadata, sha256, bytes });
        }
        let metadata = Arc::new(Metadata::parse_kept(kept).map_err(|error| unreadable(&error, file))?);
        known().insert(sha256, Arc::clone(&metadata));
        Ok(MetadataFact { metadata, sha256, bytes })
    }
}

/// How old a cached page may be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Patience {
    /// As old as the server allows; if it was fetched after this cutoff, any age: additions since do not exist.
    Advised(Option<Timestamp>),
    /// Fetched after the moment; the span is what has passed since. Clocks count in seconds here.
    NewerThan {
        /// The moment.
        since: Timestamp,
        /// The span.
        span: Duration,
    },
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

    /// Returns true if the page of the project cannot change any more, as far as a lock with this cutoff looks at it.
    pub(super) fn is_frozen(&self, name: &PackageName, cutoff: Timestamp) -> bool {
        let Self::Live { fetcher, indexes, relevance: Some(relevance), .. } = self else { return false };
        let Ok(index) = indexes.of(name) else { return false };
        index.page_url(name).is_ok_and(|url| pages::is_frozen(fetcher, index, &url, cutoff, relevance.pack_name()))
    }

    /// Returns the way to the network, unless facts come from a recording.
    pub(super) fn fetcher(&self) -> Option<&Arc<Fetcher>> {
        match self {
            Self::Live { fetcher, .. } => Some(fetcher),
            Self::Replay { .. } => None,
        }
    }

    /// Returns a source that leaves nothing out of a page: slower, for builds on this machine and for explanations.
    pub(super) fn unfiltered(&self) -> Option<Self> {
        let Self::Live { fetcher, world, indexes, patience, serials, relevance: Some(_), readings } = self else {
            return None;
        };
        let (fetcher, world, indexes, readings) =
            (Arc::clone(fetcher), world.clone(), indexes.clone(), readings.clone());
        Some(Self::Live { fetcher, world, indexes, patience: *patience, serials: *serials, relevance: None, readings })
    }

    /// Answers a question if the pack can: at once, without touching a file.
    ///
    /// # Errors
    /// As [`Source::answer`].
    pub(super) fn answer_packed(&self, question: &Question) -> Result<Option<Answer>, Failure> {
        self.answer_near(question, Reach::Pack)
    }

    /// Answers a question if that needs no network; the caller must ask [`Source::answer`] otherwise.
    ///
    /// # Errors
    /// As [`Source::answer`].
    pub(super) fn answer_at_hand(&self, question: &Question) -> Result<Option<Answer>, Failure> {
        if matches!(self, Self::Replay { .. }) {
            return self.answer(question).map(Some);
        }
        self.answer_near(question, Reach::Disk)
    }

    fn answer_near(&self, question: &Question, reach: Reach) -> Result<Option<Answer>, Failure> {
        let Self::Live { fetcher, indexes, patience, relevance, readings, .. } = self else { return Ok(None) };
        match question {
            Question::Metadata { file, origin, name, version } => {
                if matches!(file.distribution, DistributionFilename::Sdist(_)) {
                    let promise = promised::remembered(fetcher, file, origin, reach)?;
                    return promise.map(|promise| promise.answer(name, version, file)).transpose();
                }
                let fact = remembered_metadata((fetcher, readings), file, (&file.url.to_safe_url(), origin), reach)?;
                let checked = fact.map(|fact| fact.checked(name, version, file)).transpose()?;
                Ok(checked.map(|fact| Answer::Metadata(Box::new(fact))))
            }
            Question::Page(name) => {
                let index = indexes.of(name)?;
                let url = index.page_url(name)?;
                let relevance = relevance.as_deref().filter(|_| index.upload_time == UploadTime::Told);
                let page = pages::at_hand(fetcher, index, &url, (*patience, reach), relevance)?;
                Ok(page.map(|page| Answer::Page(Some((index.origin_for(&page), page)))))
            }
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

    fn page(&self, name: &PackageName) -> Result<Option<(Origin, Releases)>, Failure> {
        let index = self.indexes().of(name)?;
        let url = index.page_url(name)?;
        let page = match self {
            Self::Live { fetcher, patience, serials, relevance, .. } => {
                // A file without a time may yet exist: it is given one for the resolver only.
                let relevance = relevance.as_deref().filter(|_| index.upload_time == UploadTime::Told);
                pages::fetched(fetcher, index, &url, name, (*patience, *serials), relevance)?
            }
            Self::Replay { recording, .. } => pages::replayed(recording, index, &url, name)?,
        };
        Ok(page.map(|page| (index.origin_for(&page), page)))
    }

    fn metadata(
        &self,
        name: &PackageName,
        version: &Version,
        file: &Arc<PageFile>,
        origin: &Origin,
    ) -> Result<Answer, Failure> {
        if let Self::Replay { recording, .. } = self {
            if let Some(reason) = recording.unreadable.get(&file.filename) {
                return Err(Failure::refused("bad-metadata", reason));
            }
            let Some(recorded) = recording.metadata.get(&file.filename) else {
                return match &file.distribution {
                    DistributionFilename::Sdist(_) => Ok(Answer::NeedsBuild(Vec::new())),
                    DistributionFilename::Wheel(_) => Err(missing(file.filename.as_str())),
                };
            };
            let fact = MetadataFact::new(recorded.headers.clone().into_bytes(), file)?;
            let fact = MetadataFact { sha256: recorded.sha256, ..fact };
            return Ok(Answer::Metadata(Box::new(fact.checked(name, version, file)?)));
        }
        let Self::Live { fetcher, world, readings, .. } = self else {
            return Ok(Answer::NeedsBuild(Vec::new()));
        };
        let url = file.url.to_safe_url();
        if fetcher.connectivity() == Connectivity::Offline && url.scheme() != "file" {
            // What is kept of such a URL could not be asked for, and is refused in the end.
            refuse_signed(file, &url)?;
        }
        if matches!(file.distribution, DistributionFilename::Sdist(_)) {
            return promised::fetched(world, fetcher, file, origin)?.answer(name, version, file);
        }
        origin.check(&url).map_err(|e| foreign_file(file, &url, &e))?;
        let fact = wheel_metadata((fetcher, readings), file, &url, origin)?.checked(name, version, file)?;
        Ok(Answer::Metadata(Box::new(fact)))
    }
}

impl Promise {
    fn answer(self, name: &PackageName, version: &Version, file: &PageFile) -> Result<Answer, Failure> {
        match self {
            Self::Given(fact) => Ok(Answer::Metadata(Box::new(fact.checked(name, version, file)?))),
            Self::None(likely) => Ok(Answer::NeedsBuild(likely)),
        }
    }
}

impl MetadataFact {
    /// Reads METADATA and takes its digest.
    ///
    /// # Errors
    /// Exit 3 if it cannot be read: whoever published it must not be locked by guessing.
    pub(super) fn new(bytes: impl Into<Bytes>, file: &PageFile) -> Result<Self, Failure> {
        let bytes = bytes.into();
        let sha256 = Sha256::from_bytes(sha2::Sha256::digest(&bytes).into());
        Self::of_headers(bytes, sha256, file)
    }

    /// Reads METADATA of which only the headers were kept on which a resolution can depend, and the digest of all of it.
    ///
    /// # Errors
    /// As [`MetadataFact::new`].
    pub(super) fn of_headers(bytes: Bytes, sha256: Sha256, file: &PageFile) -> Result<Self, Failure> {
        let metadata = Metadata::parse(&bytes).map_err(|error| unreadable(&error, file))?;
        Ok(Self { metadata: Arc::new(metadata), sha256, bytes })
    }

    /// Holds what METADATA says against the file's name (IX12).
    ///
    /// # Errors
    /// Exit 3.
    pub(super) fn checked(self, name: &PackageName, version: &Version, file: &PageFile) -> Result<Self, Failure> {
        if self.metadata.name == *name && self.metadata.version == *version {
            return Ok(self);
        }
        Err(Failure::refused(
            "metadata-mismatch",
            format!("refused `{}`: its METADATA is of another release", file.filename),
        )
        .with("from", file.url.to_safe_url().without_query())
        .with("expected", format!("{name} {version}"))
        .with("found", format!("{} {}", self.metadata.name, self.metadata.version))
        .help("do not lock this file; tell the project's maintainers"))
    }
}

fn unreadable(error: &MetadataError, file: &PageFile) -> Failure {
    let cause = Failure::of(Exit::Refused, error);
    let code = Some(error.refusal_code().unwrap_or("bad-metadata").to_owned());
    Failure { code, details: cause.details, ..cause }
        .with("file", &file.filename)
        .help("pin another version of the project, or constrain it away from this one")
}

pub(super) fn missing(what: &str) -> Failure {
    Failure::new(Exit::Input, format!("the recording has no answer for `{what}`"))
        .help("the inputs are not those that were recorded: record again with `pinfold lock --record FILE`")
}

fn foreign_file(file: &PageFile, url: &SafeUrl, error: &pinfold_artifact::OriginError) -> Failure {
    Failure::refused("origin-mismatch", format!("refused `{}`: its host is not of its index", file.filename))
        .with("from", url.without_query())
        .with("cause", error)
        .help("if the index has moved its files on purpose, add the host to `file-hosts` of the index in the manifest")
}

/// The form under which METADATA is remembered: the digest that the page gave the file, or zeros; the digest of METADATA; the
/// headers on which a resolution can depend, as [`Metadata::kept`] writes them.
const METADATA_KIND: &str = "metadata-3";

fn wheel_metadata(
    (fetcher, readings): (&Fetcher, &Readings),
    file: &PageFile,
    url: &SafeUrl,
    origin: &Origin,
) -> Result<MetadataFact, Failure> {
    if let Some(fact) = remembered_metadata((fetcher, readings), file, (url, origin), Reach::Disk)? {
        return Ok(fact);
    }
    let bytes = match sidecar(fetcher, file, url, origin)? {
        Some(bytes) => bytes,
        None => wheel_end::metadata(fetcher, file, url, origin)?,
    };
    let fact = MetadataFact::new(bytes, file)?;
    let headers = fact.metadata.kept(&headers_of(&fact.bytes, &fact.metadata));
    let kept = [&digest_tag(file)[..], fact.sha256.as_bytes(), headers.as_bytes()].concat();
    fetcher.remember(METADATA_KIND, origin, url, kept.into())?;
    Ok(fact)
}

fn remembered_metadata(
    (fetcher, readings): (&Fetcher, &Readings),
    file: &PageFile,
    (url, origin): (&SafeUrl, &Origin),
    reach: Reach,
) -> Result<Option<MetadataFact>, Failure> {
    let kept = match reach {
        Reach::Disk => fetcher.recall(METADATA_KIND, origin, url)?,
        Reach::Pack => fetcher.recall_packed(METADATA_KIND, origin, url),
    };
    let Some(kept) = kept else { return Ok(None) };
    let Some((sha256, headers)) = kept.strip_prefix(&digest_tag(file)[..]).and_then(|kept| kept.split_first_chunk())
    else {
        return Ok(None);
    };
    let sha256 = Sha256::from_bytes(*sha256);
    // What the page says of METADATA holds for what is kept too: if it says something else now, the index is asked.
    if matches!(file.core_metadata, CoreMetadata::Present(Some(expected)) if expected != sha256) {
        return Ok(None);
    }
    readings.of_kept(&kept.slice_ref(headers), sha256, file).map(Some)
}

/// Returns what tells the bytes of a file from those that an index may list under its name later.
pub(super) fn digest_tag(file: &PageFile) -> [u8; 32] {
    file.sha256.map_or([0; 32], |digest| *digest.as_bytes())
}

/// Returns where the METADATA is that an index has beside a file (PEP 658). A query belongs to both: behind it, `.metadata` would
/// be a part of its last value, and the answer the file itself.
fn beside(url: &SafeUrl) -> String {
    let url = url.without_fragment();
    match url.as_str().split_once('?') {
        Some((file, query)) => format!("{file}.metadata?{query}"),
        None => format!("{url}.metadata"),
    }
}

fn sidecar(fetcher: &Fetcher, file: &PageFile, url: &SafeUrl, origin: &Origin) -> Result<Option<Vec<u8>>, Failure> {
    let CoreMetadata::Present(expected) = file.core_metadata else { return Ok(None) };
    let Ok(beside) = beside(url).parse::<SafeUrl>() else { return Ok(None) };
    let Some(bytes) = fetcher.small(origin, &beside, Limits::METADATA_BYTES)? else { return Ok(None) };
    let found = Sha256::from_bytes(sha2::Sha256::digest(&bytes).into());
    if let Some(expected) = expected.filter(|expected| *expected != found) {
        return Err(Failure::refused("metadata-hash-mismatch", format!("refused the metadata of `{}`", file.filename))
            .with("from", beside.without_query())
            .with("expected", format!("sha256:{expected} (the index page)"))
            .with("found", format!("sha256:{found}"))
            .help("the index contradicts itself; lock again later, and tell who runs it if it stays so"));
    }
    Ok(Some(bytes))
}
