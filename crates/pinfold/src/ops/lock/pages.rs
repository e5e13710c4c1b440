//! A project's page: from a recording, from what is remembered of it, or from the index.
//!
//! Pages are large and a resolution looks at little of them, so what is remembered is only what can matter for the targets and
//! the cutoff of the lock. A page that was fetched after the cutoff never has to be asked for again: whatever came later does
//! not exist for this lock.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use jiff::Timestamp;
use pinfold_artifact::{ArtifactFilename, SafeUrl, Sha256};
use pinfold_fetch::{Fetcher, Freshness, Page, PageReply};
use pinfold_packaging::{
    DistributionFilename, Missed, PackageName, PageFile, PageFormat, Releases, SimplePage, Tags, Target,
};
use sha2::Digest;

use super::indexes::Index;
use super::recording::Recording;
use super::source::{Patience, missing};
use super::went_back::Serials;
use crate::exit::{Exit, Failure};
use crate::ops::turns::Turns;

/// Which files of a page a resolution can depend on.
pub(super) struct Relevance {
    targets: Vec<Target>,
    tags: OnceLock<Vec<Arc<Tags>>>,
    cutoff: Option<Timestamp>,
    /// Names the form under which pages are remembered.
    kind: String,
}

impl Relevance {
    /// Makes the rule for these targets: wheels that one of them can use and sdists, uploaded before the cutoff.
    pub(super) fn new(targets: &[Target], cutoff: Option<Timestamp>) -> Self {
        Self { targets: targets.to_vec(), tags: OnceLock::new(), cutoff, kind: Self::kind_of(targets, cutoff) }
    }

    /// Returns the name of the form under which pages are remembered for these targets, and of the pack in which everything
    /// of this form is kept together.
    pub(super) fn kind_of(targets: &[Target], cutoff: Option<Timestamp>) -> String {
        let names: Vec<String> = targets.iter().map(Target::to_string).collect();
        let text = format!("{} {cutoff:?}", names.join(","));
        let digest = Sha256::from_bytes(sha2::Sha256::digest(text.as_bytes()).into());
        format!("page-6-{}", digest.short())
    }

    /// Returns true if a resolution can choose the file.
    pub(super) fn keeps(&self, file: &PageFile) -> bool {
        self.is_early(file.upload_time) && self.fits(&file.distribution)
    }

    /// Returns true if a resolution could choose the file, were it not for what its page says of it.
    fn would_keep(&self, missed: &Missed) -> bool {
        self.is_early(missed.upload_time) && self.fits(&missed.distribution)
    }

    fn fits(&self, distribution: &DistributionFilename) -> bool {
        match distribution {
            DistributionFilename::Sdist(_) => true,
            DistributionFilename::Wheel(wheel) => self.tags().iter().any(|tags| tags.rank(wheel).is_some()),
        }
    }
}

impl Relevance {
    /// Returns the file of a page that bears witness to a final release, where none that can be chosen does: whether a project has
    /// one decides about its pre-releases, on which system ever it can be used.
    pub(super) fn witness<'p>(&self, files: impl Iterator<Item = &'p PageFile>) -> Option<&'p ArtifactFilename> {
        let finals = |file: &&PageFile| !file.distribution.version().is_prerelease() && self.is_early(file.upload_time);
        let finals: Vec<&PageFile> = files.filter(finals).collect();
        if finals.iter().any(|file| self.keeps(file)) {
            return None;
        }
        finals.into_iter().map(|file| &file.filename).min()
    }

    fn is_early(&self, upload_time: Option<Timestamp>) -> bool {
        self.cutoff.is_none_or(|cutoff| upload_time.is_some_and(|uploaded| uploaded <= cutoff))
    }

    /// Returns the name of the pack in which everything of this kind is kept together.
    pub(super) fn pack_name(&self) -> &str {
        &self.kind
    }

    fn tags(&self) -> &[Arc<Tags>] {
        self.tags.get_or_init(|| self.targets.iter().map(Target::tags).collect())
    }
}

/// Returns true if the pack has the page, fetched after the cutoff: whatever is uploaded from now on does not exist for it.
pub(super) fn is_frozen(fetcher: &Fetcher, index: &Index, url: &SafeUrl, cutoff: Timestamp, kind: &str) -> bool {
    let compact = fetcher.recall_packed(kind, &index.origin(), url);
    let fetched_at = compact.and_then(|compact| Some(u64::from_le_bytes(*compact.first_chunk()?)));
    fetched_at.is_some_and(|fetched_at| u64::try_from(cutoff.as_second()).is_ok_and(|cutoff| cutoff < fetched_at))
}

/// Pages that are read at once, however many arrive: more would take more memory and no less time.
static READING: Turns = Turns::new(4);

/// The form under which whole pages are remembered.
const WHOLE_KIND: &str = "page-5";

fn kind(relevance: Option<&Relevance>) -> &str {
    relevance.map_or(WHOLE_KIND, |relevance| &relevance.kind)
}

/// How far a remembered answer is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Anywhere on this machine.
    Disk,
    /// In the pack, which is in memory.
    Pack,
}

/// Returns the page if it is remembered and need not be asked for again.
///
/// # Errors
/// Exit 4 if the cache cannot be read.
pub(super) fn at_hand(
    fetcher: &Fetcher,
    index: &Index,
    url: &SafeUrl,
    (patience, reach): (Patience, Reach),
    relevance: Option<&Relevance>,
) -> Result<Option<Releases>, Failure> {
    let origin = index.origin();
    let compact = match reach {
        Reach::Disk => fetcher.recall(kind(relevance), &origin, url)?,
        Reach::Pack => fetcher.recall_packed(kind(relevance), &origin, url),
    };
    let Some((fetched_at, page)) = compact.and_then(remembered) else { return Ok(None) };
    let after = |moment: Timestamp| u64::try_from(moment.as_second()).is_ok_and(|moment| moment < fetched_at);
    let serves = match patience {
        Patience::Advised(cutoff) => {
            cutoff.is_some_and(after) || fetcher.fresh_since(&origin, url, Freshness::Advised)? == Some(fetched_at)
        }
        Patience::NewerThan { since, .. } => after(since),
        Patience::Revalidate => false,
    };
    Ok(serves.then_some(page))
}

/// Returns the page from the index, or from the cache of it where that is fresh enough.
///
/// # Errors
/// Exit 4 if the world failed or the page is none, exit 3 if it must not be believed.
pub(super) fn fetched(
    fetcher: &Fetcher,
    index: &Index,
    url: &SafeUrl,
    name: &PackageName,
    (patience, serials): (Patience, Serials),
    relevance: Option<&Relevance>,
) -> Result<Option<Releases>, Failure> {
    let freshness = match patience {
        Patience::Advised(_) => Freshness::Advised,
        Patience::NewerThan { span, .. } => Freshness::NewerThan(span),
        Patience::Revalidate => Freshness::Revalidate,
    };
    let origin = index.origin();
    let served = match fetcher.page(&origin, url, freshness)? {
        PageReply::Absent => return Ok(None),
        PageReply::Found(served) => served,
    };
    let until = relevance.and_then(|relevance| relevance.cutoff);
    let (served, mut page) = match read(&served, name, until) {
        // What cannot be read is never answered from the cache: the index may have mended it.
        Err(_) if served.from_cache => match fetcher.page(&origin, url, Freshness::Revalidate)? {
            PageReply::Absent => return Ok(None),
            PageReply::Found(again) => read(&again, name, until).map(|page| (again, page))?,
        },
        read => read.map(|page| (served, page))?,
    };
    let may_be_known = serials.hold(fetcher, &origin, url, page.last_serial)?;
    if let Some(relevance) = relevance {
        let witness = relevance.witness(page.files.iter()).cloned();
        page.files.retain(|file| relevance.keeps(file) || witness.as_ref() == Some(&file.filename));
        page.skipped.retain(|skipped| skipped.missed.as_ref().is_some_and(|missed| relevance.would_keep(missed)));
    }
    // Nor is anything remembered with which whoever reads it could get a file.
    let is_signed = page.files.iter().any(|file| file.url.secret_in_query().is_some());
    // The page is given back, as it came and as it was read: it has hundreds of files, of which few are looked at. And the next
    // lock, which has it from the cache, looks at the same.
    let fetched_at = served.fetched_at_unix.to_le_bytes();
    drop(served);
    let compact = Bytes::from([&fetched_at[..], &Releases::from(page).to_bytes()].concat());
    let (_, releases) =
        remembered(compact.clone()).ok_or_else(|| Failure::new(Exit::Bug, "a page is not read again"))?;
    match relevance {
        _ if is_signed || !may_be_known => {}
        Some(relevance) => fetcher.note(&relevance.kind, &origin, url, compact),
        None => fetcher.remember(WHOLE_KIND, &origin, url, compact)?,
    }
    Ok(Some(releases))
}

/// Reads what was remembered: when the page was fetched, in seconds since 1970, and the page.
fn remembered(compact: Bytes) -> Option<(u64, Releases)> {
    let (fetched_at, _) = compact.split_first_chunk::<8>()?;
    let fetched_at = u64::from_le_bytes(*fetched_at);
    Releases::from_bytes(compact.slice(8..)).ok().map(|releases| (fetched_at, releases))
}

/// Returns the page from a recording.
///
/// # Errors
/// Exit 2 if the recording does not know the project.
pub(super) fn replayed(
    recording: &Recording,
    index: &Index,
    url: &SafeUrl,
    name: &PackageName,
) -> Result<Option<Releases>, Failure> {
    let recorded = recording.indexes.get(&index.name).ok_or_else(|| missing(&index.name))?;
    let page = recorded.projects.get(name).ok_or_else(|| missing(name.as_str()))?;
    page.as_ref().map(|page| page.page(url, name).map(Releases::from)).transpose()
}

/// Reads a page that was served, without the files that were uploaded after a moment.
///
/// # Errors
/// Exit 4 if it is no page, exit 3 if it must not be believed.
pub(crate) fn read(served: &Page, name: &PackageName, until: Option<Timestamp>) -> Result<SimplePage, Failure> {
    // What a build needs is looked for on whole pages, and nothing is waited for longer than a build.
    let _turn = if until.is_none() { READING.wait_urgently() } else { READING.wait() };
    let format = PageFormat::from_content_type(&served.content_type).ok_or_else(|| {
        Failure::new(Exit::World, format!("the page of `{name}` is no index page"))
            .with("from", served.url.without_query())
            .with("found", format!("content type `{}`", served.content_type))
            .with("expected", "a simple page, as JSON or HTML")
            .help("check the URL of the index in the manifest")
    })?;
    SimplePage::parse_until(&served.bytes, format, &served.url, name, until).map_err(|e| {
        let exit = if e.refusal_code().is_some() { Exit::Refused } else { Exit::World };
        let failure = Failure { code: e.refusal_code().map(str::to_owned), ..Failure::of(exit, &e) };
        failure
            .with("page", served.url.without_query())
            .help("the index answers with something that must not be guessed at; tell who runs it")
    })
}
