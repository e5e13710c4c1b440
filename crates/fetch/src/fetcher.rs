//! The blocking face of the network: each method checks the origin, looks for an answer on this machine, and asks the world
//! only if there is none and asking is allowed.

use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use pinfold_artifact::{Artifact, Limits, Origin, SafeUrl, Sha256};
use pinfold_store::{Store, Stored};
use tokio::sync::watch;

use crate::cache::{Cache, Cached, Header, now_unix};
use crate::download::{self, Transfer};
use crate::page::{self, Served};
use crate::proxy::Proxies;
use crate::remote::Remote;
use crate::retry::{Budget, Setback, persist};
use crate::{
    Connectivity, FetchCause, FetchError, FetchSettings, Freshness, Keeping, Page, PageReply, RangeReply, Span,
};
use crate::{certificates, local, range, remote};

/// Fetches pages, parts and artifacts. Blocks; may be shared by many threads.
#[derive(Debug)]
pub struct Fetcher {
    settings: FetchSettings,
    cache: Cache,
    /// Started by the first request that needs a socket.
    remote: Mutex<Option<Arc<Remote>>>,
    /// Whether nobody waits for answers any more.
    abandoned: watch::Sender<bool>,
}

impl Fetcher {
    /// Makes a fetcher. Opens no socket.
    ///
    /// # Errors
    /// [`FetchCause::CaBundle`] if the certificates that are named are missing; what is in their files is read by the first
    /// request that needs a socket, whose error it then is. [`FetchCause::Proxy`] if a proxy is none that can be used,
    /// [`FetchCause::Cache`] if the cache directory cannot be made.
    pub fn new(settings: FetchSettings) -> Result<Self, FetchError> {
        certificates::look(&settings).map_err(|(path, cause)| FetchError::new(&url_of(&path), 0, cause))?;
        let here = url_of(&settings.cache_dir);
        Proxies::new(&settings.proxies).map_err(|cause| FetchError::new(&here, 0, cause))?;
        let cache = Cache::open(&settings.cache_dir).map_err(|cause| FetchError::new(&here, 0, cause))?;
        Ok(Self { settings, cache, remote: Mutex::new(None), abandoned: watch::Sender::new(false) })
    }

    /// Ends every request that goes on, and refuses every later one that would need a socket, with [`FetchCause::Abandoned`]: for
    /// whoever has found a reason to give up, and should not keep a user waiting for what is of no use. What arrived of an
    /// artifact stays in the store, where the next transfer of it goes on.
    pub fn abandon(&self) {
        self.abandoned.send_replace(true);
    }

    /// Returns whether sockets may be opened.
    pub const fn connectivity(&self) -> Connectivity {
        self.settings.connectivity
    }

    /// Returns an index page, from the cache where that is fresh enough. Offline, whatever is cached serves.
    ///
    /// # Errors
    /// [`FetchError`]; a page that the index does not have is no error but [`PageReply::Absent`].
    pub fn page(&self, origin: &Origin, url: &SafeUrl, freshness: Freshness) -> Result<PageReply, FetchError> {
        let url = &url.without_fragment();
        let local = |cause| FetchError::new(url, 0, cause);
        check_origin(origin, url)?;
        if is_file(url) {
            return local::page(origin.index(), url).map_err(local);
        }
        let cached = self.cache.page(origin, url).map_err(local)?;
        let cached = match cached {
            Some(cached) if self.serves(&cached, freshness) => {
                let fetched_at = cached.fetched_at_unix;
                return cached.into_reply(fetched_at).map_err(local);
            }
            cached => cached,
        };
        let served = self.ask(url, self.usual_budget(Limits::PAGE_BYTES), async |remote| {
            page::ask(remote, origin, url, cached.as_ref()).await
        })?;
        self.keep(origin, url, served, cached).map_err(local)
    }

    /// Returns when a cached page was fetched, in seconds since 1970, if [`Fetcher::page`] would answer from the cache.
    /// Reads no body: whoever remembers something derived from the page need not have it again.
    ///
    /// # Errors
    /// [`FetchCause::Cache`].
    pub fn fresh_since(&self, origin: &Origin, url: &SafeUrl, freshness: Freshness) -> Result<Option<u64>, FetchError> {
        let url = &url.without_fragment();
        let cached = self.cache.page(origin, url).map_err(|cause| FetchError::new(url, 0, cause))?;
        Ok(cached.filter(|cached| self.serves(cached, freshness)).map(|cached| cached.fetched_at_unix))
    }

    /// Returns a small file such as a metadata sidecar, or nothing if there is none (404, 410). Not cached here.
    ///
    /// # Errors
    /// [`FetchError`].
    pub fn small(&self, origin: &Origin, url: &SafeUrl, limit_bytes: u64) -> Result<Option<Vec<u8>>, FetchError> {
        check_origin(origin, url)?;
        if is_file(url) {
            return local::small(url, limit_bytes).map_err(|cause| FetchError::new(url, 0, cause));
        }
        self.ask(url, self.usual_budget(limit_bytes), async |remote| {
            let reply = remote.send(&remote::Ask::plain(origin, url)).await?;
            match reply.response.status().as_u16() {
                200 => Ok(Some(crate::body::Body::new(reply.response, &remote.timing).read(limit_bytes).await?)),
                404 | 410 => Ok(None),
                _ => Err(remote.setback(&reply)),
            }
        })
    }

    /// Returns a part of a file.
    ///
    /// # Errors
    /// [`FetchCause::RangesUnsupported`] if the server would send the whole file.
    pub fn range(&self, origin: &Origin, url: &SafeUrl, span: Span) -> Result<RangeReply, FetchError> {
        check_origin(origin, url)?;
        if is_file(url) {
            return local::range(url, span).map_err(|cause| FetchError::new(url, 0, cause));
        }
        let budget = self.usual_budget(range::wanted_bytes(span));
        self.ask(url, budget, async |remote| range::ask(remote, origin, url, span).await)
    }

    /// Downloads an artifact into the store, or finds it there. `progress` is told how many bytes of the artifact have
    /// arrived so far: the absolute number, which falls back when a transfer has to begin again.
    ///
    /// Holds about a megabyte in memory for a transfer over HTTP/1.1, and at most 16 MiB for all that share one HTTP/2
    /// connection.
    ///
    /// # Errors
    /// [`FetchCause::Store`] if the bytes are not the locked ones, and every other cause.
    pub fn download(
        &self,
        artifact: &Artifact,
        store: &Store,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Stored, FetchError> {
        let url = &artifact.url;
        check_origin(&artifact.origin, url)?;
        if let Some(stored) = store.find(artifact).map_err(|error| FetchError::new(url, 0, error))? {
            progress(stored.size_bytes());
            return Ok(stored);
        }
        if is_file(url) {
            return local::download(artifact, store, progress).map_err(|cause| FetchError::new(url, 0, cause));
        }
        let mut budget = self.usual_budget(artifact.size_bytes);
        // Each attempt goes on where the last one ended: a long transfer may break more often.
        let further = u32::try_from(artifact.size_bytes / BYTES_PER_FURTHER_ATTEMPT).unwrap_or(u32::MAX);
        budget.attempts = budget.attempts.saturating_add(further);
        let mut transfer = Transfer::new(artifact, store, progress);
        self.ask(url, budget, async |remote| transfer.attempt(remote).await)
    }

    /// Reads a whole file of unknown size and digest. Returns both, and the bytes as an unnamed file, positioned at its
    /// beginning.
    ///
    /// # Errors
    /// [`FetchError`].
    pub fn digest(&self, origin: &Origin, url: &SafeUrl, limit_bytes: u64) -> Result<(u64, Sha256, File), FetchError> {
        check_origin(origin, url)?;
        let directory = self.cache.directory();
        if is_file(url) {
            return local::digest(url, limit_bytes, directory).map_err(|cause| FetchError::new(url, 0, cause));
        }
        self.ask(url, self.usual_budget(limit_bytes), async |remote| {
            download::digest(remote, origin, url, limit_bytes, directory).await
        })
    }

    /// Opens the pack of this name: what [`Fetcher::keep_pack`] kept together is read in one go. One fetcher has one pack.
    ///
    /// # Errors
    /// [`FetchCause::Cache`]; a pack that is missing or damaged is no error.
    pub fn open_pack(&self, name: &str) -> Result<(), FetchError> {
        self.cache.open_pack(name).map_err(|cause| FetchError::new(&url_of(self.cache.directory()), 0, cause))
    }

    /// Returns the digest of what the pack of this name below this cache directory holds; nothing if there is no such pack.
    /// Reads only its head.
    pub fn pack_digest(cache_dir: &Path, name: &str) -> Option<[u8; 32]> {
        crate::pack::identity(&crate::cache::pack_path(cache_dir, name))
    }

    /// Keeps what was recalled, remembered and noted since the pack was opened together, for the next time.
    ///
    /// # Errors
    /// [`FetchCause::Cache`].
    pub fn keep_pack(&self) -> Result<(), FetchError> {
        self.cache.keep_pack().map_err(|cause| FetchError::new(&url_of(self.cache.directory()), 0, cause))
    }

    /// Returns what [`Fetcher::remember`] or [`Fetcher::note`] kept: something derived from what this origin served at this
    /// URL, exactly as it was kept.
    ///
    /// # Errors
    /// [`FetchCause::Cache`].
    pub fn recall(&self, kind: &str, origin: &Origin, url: &SafeUrl) -> Result<Option<Bytes>, FetchError> {
        self.cache.recall(&derived(kind), origin, url).map_err(|cause| FetchError::new(url, 0, cause))
    }

    /// Returns what was kept if the pack has it. Touches no file.
    pub fn recall_packed(&self, kind: &str, origin: &Origin, url: &SafeUrl) -> Option<Bytes> {
        self.cache.recall_packed(&derived(kind), origin, url)
    }

    /// Keeps something derived from what this origin served at this URL, such as a wheel's metadata found by ranges.
    /// `kind` names the form. There is no expiry: what may change is kept together with what tells that it has.
    ///
    /// # Errors
    /// [`FetchCause::Cache`].
    pub fn remember(&self, kind: &str, origin: &Origin, url: &SafeUrl, bytes: Bytes) -> Result<(), FetchError> {
        self.cache.remember(&derived(kind), origin, url, bytes).map_err(|cause| FetchError::new(url, 0, cause))
    }

    /// As [`Fetcher::remember`], but kept in the pack alone: for what can be derived again from a cached page.
    pub fn note(&self, kind: &str, origin: &Origin, url: &SafeUrl, bytes: Bytes) {
        self.cache.note(&derived(kind), origin, url, bytes);
    }

    fn serves(&self, cached: &Cached, freshness: Freshness) -> bool {
        self.settings.connectivity == Connectivity::Offline || cached.is_fresh(freshness, now_unix())
    }

    /// Caches what the server said, and returns it.
    fn keep(
        &self,
        origin: &Origin,
        url: &SafeUrl,
        served: Served,
        cached: Option<Cached>,
    ) -> Result<PageReply, FetchCause> {
        // What is open cannot be replaced on every system: the former page is let go of before another takes its place.
        match (served, cached) {
            (Served::Absent(header), former) => {
                drop(former);
                self.cache.keep_page(origin, &header, &[])?;
                Ok(PageReply::Absent)
            }
            (Served::Page(header, bytes), former) => {
                drop(former);
                self.keep_page(origin, &header, &bytes)?;
                let content_type = header.content_type.unwrap_or_default();
                let (url, fetched_at_unix) = (header.final_url, now_unix());
                Ok(PageReply::Found(Page { bytes, content_type, url, from_cache: false, fetched_at_unix }))
            }
            (Served::Unchanged, Some(cached)) => {
                self.cache.confirm_page(origin, url)?;
                cached.into_reply(now_unix())
            }
            (Served::Unchanged, None) => {
                Err(FetchCause::Protocol { reason: "304, though nothing is cached".to_owned() })
            }
        }
    }

    /// Keeps of a page what may be kept.
    fn keep_page(&self, origin: &Origin, header: &Header, bytes: &[u8]) -> Result<(), FetchCause> {
        match (self.settings.keeping)(header.content_type.as_deref().unwrap_or_default(), bytes) {
            Keeping::All => self.cache.keep_page(origin, header, bytes),
            Keeping::Instead(kept) => {
                let header = Header { body_bytes: kept.len() as u64, is_reduced: true, ..header.clone() };
                self.cache.keep_page(origin, &header, &kept)
            }
            Keeping::Nothing => self.cache.forget_page(origin, &header.url),
        }
    }

    /// Asks the world, as often as the budget allows.
    fn ask<T>(
        &self,
        url: &SafeUrl,
        budget: Budget,
        mut attempt: impl AsyncFnMut(&Remote) -> Result<T, Setback>,
    ) -> Result<T, FetchError> {
        let remote = self.remote().map_err(|cause| FetchError::new(url, 0, cause))?;
        let mut abandoned = self.abandoned.subscribe();
        let answered = remote.block_on(async {
            tokio::select! {
                biased;
                _ = abandoned.wait_for(|is_abandoned| *is_abandoned) => Err((0, FetchCause::Abandoned)),
                answered = persist(&remote.timing, budget, async || attempt(&remote).await) => answered,
            }
        });
        let answered = answered.map_err(|cause| FetchError::new(url, 0, cause))?;
        answered.map_err(|(attempts, cause)| FetchError::new(url, attempts, cause))
    }

    fn remote(&self) -> Result<Arc<Remote>, FetchCause> {
        if self.settings.connectivity == Connectivity::Offline {
            return Err(FetchCause::Offline);
        }
        let mut started = self.remote.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(remote) = &*started {
            return Ok(Arc::clone(remote));
        }
        let remote = Arc::new(Remote::new(self.settings.clone(), certificates::read(&self.settings)?)?);
        *started = Some(Arc::clone(&remote));
        Ok(remote)
    }

    const fn usual_budget(&self, size_bytes: u64) -> Budget {
        let timing = &self.settings.timing;
        Budget { attempts: timing.attempts, total: timing.deadline(size_bytes) }
    }
}

fn check_origin(origin: &Origin, url: &SafeUrl) -> Result<(), FetchError> {
    origin.check(url).map_err(|error| FetchError::new(url, 0, FetchCause::Origin(Box::new(error))))
}

fn is_file(url: &SafeUrl) -> bool {
    url.scheme() == "file"
}

/// Pages have a kind of their own; nothing derived may take its place.
fn derived(kind: &str) -> String {
    format!("derived {kind}")
}

/// Returns a path as a URL, for an error that is about a path.
fn url_of(path: &Path) -> SafeUrl {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let url = url::Url::from_file_path(absolute).ok().and_then(|url| SafeUrl::try_from(url).ok());
    url.unwrap_or_else(|| "file:///".parse().expect("the root is a URL"))
}

/// A transfer may break once more for each of these.
const BYTES_PER_FURTHER_ATTEMPT: u64 = 256 << 20;
