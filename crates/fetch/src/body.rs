//! Reading a body: a limit on silence, a cap on its bytes before and after decompression, and whether its end is an end.

use std::io::{self, Write};

use flate2::write::MultiGzDecoder;
use reqwest::Response;
use reqwest::Version;
use reqwest::header;
use tokio::time::Instant;

use crate::remote::innermost;
use crate::{FetchCause, Timing};

/// A body that is being read.
#[derive(Debug)]
pub(crate) struct Body {
    response: Response,
    received: u64,
    timing: Timing,
    begun: Instant,
    /// Whether the protocol says where the body ends. If not, a broken connection looks like an end.
    pub(crate) end_is_marked: bool,
}

impl Body {
    pub(crate) fn new(response: Response, timing: &Timing) -> Self {
        let headers = response.headers();
        let end_is_marked = response.version() >= Version::HTTP_2
            || headers.contains_key(header::CONTENT_LENGTH)
            || headers.contains_key(header::TRANSFER_ENCODING);
        Self { response, received: 0, timing: *timing, begun: Instant::now(), end_is_marked }
    }

    /// Returns the next bytes, or nothing at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<impl AsRef<[u8]> + use<>>, FetchCause> {
        let remaining = self.timing.deadline(self.received).saturating_sub(self.begun.elapsed());
        let wait = self.timing.stall.min(remaining);
        match tokio::time::timeout(wait, self.response.chunk()).await {
            Ok(Ok(chunk)) => {
                let length = chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
                self.received = self.received.saturating_add(length);
                Ok(chunk)
            }
            Ok(Err(error)) => Err(self.truncated(innermost(&error))),
            Err(_) if wait < self.timing.stall => Err(FetchCause::TooSlow { received: self.received }),
            Err(_) => Err(FetchCause::Timeout { what: "no further byte of the body within the time limit" }),
        }
    }

    /// Returns the cause for a body that ended too early.
    pub(crate) fn truncated(&self, reason: String) -> FetchCause {
        FetchCause::Truncated { received: self.received, reason }
    }

    /// Reads the whole body as it is.
    pub(crate) async fn read(&mut self, limit: u64) -> Result<Vec<u8>, FetchCause> {
        self.read_into(Vec::new(), limit).await
    }

    /// Reads the whole body as it is into a buffer, whose room is used again.
    pub(crate) async fn read_into(&mut self, mut bytes: Vec<u8>, limit: u64) -> Result<Vec<u8>, FetchCause> {
        bytes.clear();
        let mut capped = Capped { bytes, limit, is_full: false };
        while let Some(chunk) = self.next().await? {
            capped.write_all(chunk.as_ref()).map_err(|_| FetchCause::TooLarge { limit })?;
        }
        self.checked_end()?;
        Ok(capped.bytes)
    }

    /// Reads the whole body, which is compressed with gzip. The cap holds for both forms.
    pub(crate) async fn read_gzip(&mut self, limit: u64) -> Result<Vec<u8>, FetchCause> {
        let mut decoder = MultiGzDecoder::new(Capped::new(limit));
        while let Some(chunk) = self.next().await? {
            if self.received > limit {
                return Err(FetchCause::TooLarge { limit });
            }
            if let Err(error) = decoder.write_all(chunk.as_ref()) {
                return Err(gzip_cause(decoder.get_ref(), &error, limit));
            }
        }
        self.checked_end()?;
        match decoder.try_finish() {
            Ok(()) => Ok(std::mem::take(&mut decoder.get_mut().bytes)),
            Err(error) => Err(gzip_cause(decoder.get_ref(), &error, limit)),
        }
    }

    fn checked_end(&self) -> Result<(), FetchCause> {
        if self.end_is_marked {
            return Ok(());
        }
        Err(self.truncated("the server does not say where the body ends".to_owned()))
    }
}

fn gzip_cause(capped: &Capped, error: &io::Error, limit: u64) -> FetchCause {
    if capped.is_full {
        return FetchCause::TooLarge { limit };
    }
    FetchCause::Encoding { reason: error.to_string() }
}

/// Bytes up to a limit.
#[derive(Debug)]
struct Capped {
    bytes: Vec<u8>,
    limit: u64,
    is_full: bool,
}

impl Capped {
    const fn new(limit: u64) -> Self {
        Self { bytes: Vec::new(), limit, is_full: false }
    }
}

impl Write for Capped {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let total = (self.bytes.len() as u64).saturating_add(buffer.len() as u64);
        if total > self.limit {
            self.is_full = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(buffer);
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
