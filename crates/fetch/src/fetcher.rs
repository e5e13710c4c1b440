//! The blocking face of the network.

use std::fs::File;

use pinfold_artifact::{Artifact, Origin, SafeUrl, Sha256};
use pinfold_store::{Store, Stored};

use crate::{FetchError, FetchSettings, Freshness, PageReply, RangeReply, Span};

/// Fetches pages, parts and artifacts. Blocks; may be shared by many threads.
#[derive(Debug)]
pub struct Fetcher {
    #[expect(dead_code, reason = "filled in next")]
    settings: FetchSettings,
}

impl Fetcher {
    /// Makes a fetcher. Opens no socket.
    ///
    /// # Errors
    /// [`crate::FetchCause::CaBundle`] if the certificate bundle is missing or empty, [`crate::FetchCause::Cache`] if the
    /// cache directory cannot be made.
    pub fn new(settings: FetchSettings) -> Result<Self, FetchError> {
        Ok(Self { settings })
    }

    /// Returns an index page, from the cache where that is fresh enough. Offline, whatever is cached serves.
    ///
    /// # Errors
    /// [`FetchError`]; a page that the index does not have is no error but [`PageReply::Absent`].
    pub fn page(&self, _origin: &Origin, _url: &SafeUrl, _freshness: Freshness) -> Result<PageReply, FetchError> {
        todo!()
    }

    /// Returns a small file such as a metadata sidecar, or nothing if there is none (404, 410). Not cached here.
    ///
    /// # Errors
    /// [`FetchError`].
    pub fn small(&self, _origin: &Origin, _url: &SafeUrl, _limit_bytes: u64) -> Result<Option<Vec<u8>>, FetchError> {
        todo!()
    }

    /// Returns a part of a file.
    ///
    /// # Errors
    /// [`crate::FetchCause::RangesUnsupported`] if the server would send the whole file.
    pub fn range(&self, _origin: &Origin, _url: &SafeUrl, _span: Span) -> Result<RangeReply, FetchError> {
        todo!()
    }

    /// Downloads an artifact into the store, or finds it there. `progress` is told how many bytes of the artifact have
    /// arrived so far: the absolute number, which falls back when a transfer has to begin again.
    ///
    /// # Errors
    /// [`crate::FetchCause::Store`] if the bytes are not the locked ones, and every other cause.
    pub fn download(
        &self,
        _artifact: &Artifact,
        _store: &Store,
        _progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Stored, FetchError> {
        todo!()
    }

    /// Reads a whole file of unknown size and digest. Returns both, and the bytes as an unnamed file, positioned at its
    /// beginning.
    ///
    /// # Errors
    /// [`FetchError`].
    pub fn digest(
        &self,
        _origin: &Origin,
        _url: &SafeUrl,
        _limit_bytes: u64,
    ) -> Result<(u64, Sha256, File), FetchError> {
        todo!()
    }

    /// Returns what [`Fetcher::remember`] kept: something derived from what this origin served at this URL.
    ///
    /// # Errors
    /// [`crate::FetchCause::Cache`].
    pub fn recall(&self, _kind: &str, _origin: &Origin, _url: &SafeUrl) -> Result<Option<Vec<u8>>, FetchError> {
        todo!()
    }

    /// Keeps something derived from what this origin served at this URL, such as a wheel's metadata found by ranges.
    /// `kind` names the form. The file at the URL must never change: there is no expiry.
    ///
    /// # Errors
    /// [`crate::FetchCause::Cache`].
    pub fn remember(&self, _kind: &str, _origin: &Origin, _url: &SafeUrl, _bytes: &[u8]) -> Result<(), FetchError> {
        todo!()
    }
}
