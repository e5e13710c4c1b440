//! Artifacts into the store, and files of unknown digest into a temporary file.
//!
//! A transfer that breaks is resumed where it broke. What the server sends then must begin exactly there; and if the whole
//! turns out to be another file, it is fetched once more from the beginning before anybody is accused.

use std::fs::File;
use std::io::{Seek, Write};

use pinfold_artifact::{Artifact, Origin, SafeUrl, Sha256};
use pinfold_store::{Admission, Store, StoreError, Stored};
use reqwest::header;
use sha2::Digest;
use tokio::time::Instant;

use crate::FetchCause;
use crate::body::Body;
use crate::cache::failed;
use crate::coding::{self, Coding};
use crate::page::text;
use crate::pieces::{self, Whole};
use crate::range::ContentRange;
use crate::remote::{Ask, Remote, Reply};
use crate::retry::Setback;

/// One artifact on its way, over all attempts.
pub(crate) struct Transfer<'a> {
    artifact: &'a Artifact,
    store: &'a Store,
    progress: &'a (dyn Fn(u64) + Sync),
    admission: Option<Admission>,
    /// The strong validator of the answer that the bytes so far are from, if it had one.
    etag: Option<String>,
    /// The server knows no pieces, though it was asked for one, or what it gave as pieces was not one file.
    whole_only: bool,
    /// The bytes are from more than one answer.
    is_joined: bool,
    /// What the last answer said was done to the file on the way.
    coding: Option<Coding>,
}

impl<'a> Transfer<'a> {
    pub(crate) fn new(artifact: &'a Artifact, store: &'a Store, progress: &'a (dyn Fn(u64) + Sync)) -> Self {
        Self {
            artifact,
            store,
            progress,
            admission: None,
            etag: None,
            whole_only: false,
            is_joined: false,
            coding: None,
        }
    }

    /// Transfers what is missing, once. If what was put together from several answers is not the file, transfers all of it.
    pub(crate) async fn attempt(&mut self, remote: &Remote) -> Result<Stored, Setback> {
        let outcome = match self.go_on(remote).await {
            Err(Setback { cause: FetchCause::Store(error), .. })
                if self.is_joined && error.refusal_code().is_some() =>
            {
                self.etag = None;
                self.whole_only = true;
                self.go_on(remote).await
            }
            outcome => outcome,
        };
        outcome.map_err(|setback| self.explained(setback))
    }

    /// Says why bytes are not the locked ones, where the server did.
    fn explained(&mut self, setback: Setback) -> Setback {
        match (setback.cause, self.coding.take()) {
            (FetchCause::Store(error), Some(coding)) if error.refusal_code().is_some() => {
                let host = coding.host.map_or_else(|| "the server".to_owned(), |host| host.to_string());
                FetchCause::Coded { coding: coding.name, host, refused: Box::new(error) }.into()
            }
            (cause, _) => Setback { cause, ..setback },
        }
    }

    async fn go_on(&mut self, remote: &Remote) -> Result<Stored, Setback> {
        let mut start = self.current()?.written();
        self.is_joined = start > 0;
        let in_pieces = !self.whole_only && self.artifact.size_bytes - start >= remote.pieces.from_bytes;
        if in_pieces {
            let begun = Instant::now();
            self.part(remote, start, Some(remote.pieces.piece_bytes)).await?;
            start = self.current()?.written();
            self.is_joined |= start < self.artifact.size_bytes;
            if start < self.artifact.size_bytes && begun.elapsed() > remote.pieces.quick {
                self.pieces(remote, start).await?;
                start = self.artifact.size_bytes;
            }
        }
        if start == 0 || start < self.artifact.size_bytes {
            self.part(remote, start, None).await?;
        }
        Ok(self.finish()?)
    }

    /// Transfers what comes after `start`, as one stream: at most so many bytes, else all.
    async fn part(&mut self, remote: &Remote, start: u64, length: Option<u64>) -> Result<(), Setback> {
        let reply = remote.send(&self.ask(start, length)).await?;
        self.coding = Coding::of(&reply);
        match reply.response.status().as_u16() {
            200 => {
                self.current()?.restart()?;
                self.etag = strong_etag(&reply);
            }
            206 if (start > 0 || length.is_some()) && self.is_continuation(&reply, start) => {
                if start == 0 {
                    self.etag = strong_etag(&reply);
                }
            }
            206 | 416 | 501 => {
                // Whatever this server means, from the beginning it can mean only one thing.
                self.current()?.restart()?;
                self.whole_only = true;
                let found = text(reply.response.headers(), header::CONTENT_RANGE);
                let found = found.unwrap_or_else(|| "no Content-Range".to_owned());
                return Err(FetchCause::RangeMismatch { expected: format!("bytes {start}-"), found }.into());
            }
            _ => return Err(remote.setback(&reply)),
        }
        let announced = ContentRange::of(&reply).map_or(self.artifact.size_bytes, |range| range.last.saturating_add(1));
        let mut body = Body::new(reply.response, &remote.timing);
        let progress = self.progress;
        if let Err(cause) = receive(&mut body, self.current()?, progress).await {
            self.keep_what_arrived(&cause)?;
            return Err(cause.into());
        }
        if !body.end_is_marked && self.current()?.written() < announced {
            return Err(body.truncated("the connection was closed".to_owned()).into());
        }
        Ok(())
    }

    /// Transfers what comes after `start` in pieces, several at once.
    async fn pieces(&mut self, remote: &Remote, start: u64) -> Result<(), Setback> {
        let etag = self.etag.clone();
        let ask = Ask::plain(&self.artifact.origin, &self.artifact.url);
        let whole = Whole { ask, size_bytes: self.artifact.size_bytes, etag: etag.as_deref() };
        let progress = self.progress;
        let admission = self.current()?;
        let push = |bytes: &[u8]| {
            admission.push(bytes)?;
            progress(admission.written());
            Ok(())
        };
        let outcome = pieces::rest(remote, &whole, start, &remote.pieces, push).await;
        if let Err(setback) = &outcome {
            // A file that changed on the way is begun again, as a whole.
            if matches!(setback.cause, FetchCause::RangeMismatch { .. }) {
                self.current()?.restart()?;
                self.whole_only = true;
            }
            self.keep_what_arrived(&setback.cause)?;
        }
        outcome
    }

    fn current(&mut self) -> Result<&mut Admission, StoreError> {
        let admission = match self.admission.take() {
            Some(admission) => admission,
            None => self.store.admission(self.artifact)?,
        };
        Ok(self.admission.insert(admission))
    }

    fn finish(&mut self) -> Result<Stored, StoreError> {
        match self.admission.take() {
            Some(admission) => admission.finish(),
            None => self.store.admission(self.artifact)?.finish(),
        }
    }

    /// Leaves a broken transfer so that the next attempt goes on with it.
    fn keep_what_arrived(&mut self, cause: &FetchCause) -> Result<(), StoreError> {
        if matches!(cause, FetchCause::Store(_)) {
            self.admission = None;
            return Ok(());
        }
        let complete = self.artifact.size_bytes;
        let admission = self.current()?;
        // All bytes came, but not the end that was announced: there would be nothing to go on with.
        if admission.written() == complete { admission.restart() } else { Ok(()) }
    }

    fn ask(&self, start: u64, length: Option<u64>) -> Ask<'a> {
        let ask = Ask::plain(&self.artifact.origin, &self.artifact.url);
        let range = match length {
            Some(length) => format!("bytes={start}-{}", start.saturating_add(length) - 1),
            None if start == 0 => return ask,
            None => format!("bytes={start}-"),
        };
        let ask = ask.with(header::RANGE, &range);
        match &self.etag {
            Some(etag) if start > 0 => ask.with(header::IF_RANGE, etag),
            _ => ask,
        }
    }

    fn is_continuation(&self, reply: &Reply, start: u64) -> bool {
        let fits = |total| total == self.artifact.size_bytes;
        ContentRange::of(reply).is_some_and(|range| range.first == start && range.total.is_none_or(fits))
    }
}

async fn receive(
    body: &mut Body,
    admission: &mut Admission,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<(), FetchCause> {
    progress(admission.written());
    while let Some(chunk) = body.next().await? {
        admission.push(chunk.as_ref())?;
        progress(admission.written());
    }
    Ok(())
}

/// A weak validator says that two bodies mean the same, not that they are the same bytes (RFC 9110, 8.8.1).
fn strong_etag(reply: &Reply) -> Option<String> {
    text(reply.response.headers(), header::ETAG).filter(|etag| etag.starts_with('"'))
}

/// Reads a whole file of unknown digest once.
pub(crate) async fn digest(
    remote: &Remote,
    origin: &Origin,
    url: &SafeUrl,
    limit: u64,
    directory: &std::path::Path,
) -> Result<(u64, Sha256, File), Setback> {
    let reply = remote.send(&Ask::plain(origin, url)).await?;
    if reply.response.status().as_u16() != 200 {
        return Err(remote.setback(&reply));
    }
    coding::check_is_plain(&reply)?;
    let mut body = Body::new(reply.response, &remote.timing);
    let mut sink = DigestSink::new(limit, directory)?;
    while let Some(chunk) = body.next().await? {
        sink.push(chunk.as_ref(), directory)?;
    }
    if !body.end_is_marked {
        return Err(body.truncated("the server does not say where the body ends".to_owned()).into());
    }
    Ok(sink.finish(directory)?)
}

/// An unnamed file that grows up to a limit, and its digest.
pub(crate) struct DigestSink {
    file: File,
    hasher: sha2::Sha256,
    written: u64,
    limit: u64,
}

impl DigestSink {
    pub(crate) fn new(limit: u64, directory: &std::path::Path) -> Result<Self, FetchCause> {
        let file = tempfile::tempfile_in(directory).map_err(failed("create a file in", directory))?;
        Ok(Self { file, hasher: sha2::Sha256::new(), written: 0, limit })
    }

    pub(crate) fn push(&mut self, bytes: &[u8], directory: &std::path::Path) -> Result<(), FetchCause> {
        self.written = self.written.saturating_add(bytes.len() as u64);
        if self.written > self.limit {
            return Err(FetchCause::TooLarge { limit: self.limit });
        }
        self.hasher.update(bytes);
        self.file.write_all(bytes).map_err(failed("write to a file in", directory))
    }

    /// Returns size, digest and the file, positioned at its beginning.
    pub(crate) fn finish(mut self, directory: &std::path::Path) -> Result<(u64, Sha256, File), FetchCause> {
        self.file.rewind().map_err(failed("rewind a file in", directory))?;
        Ok((self.written, Sha256::from_bytes(self.hasher.finalize().into()), self.file))
    }
}
