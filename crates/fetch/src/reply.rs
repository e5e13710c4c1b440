//! What a fetcher is asked for, and what it answers.

use std::time::Duration;

use pinfold_artifact::SafeUrl;

/// How old a cached page may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// As the server advised (`Cache-Control: max-age`), else ten minutes.
    Advised,
    /// Whatever is cached serves.
    Any,
    /// Younger than this, whatever the server advised.
    NewerThan(Duration),
    /// The server is asked in any case (if the page has a validator, whether it changed).
    Revalidate,
}

/// The answer for a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageReply {
    /// The index says that there is none (404, 410).
    Absent,
    /// The page.
    Found(Page),
}

/// A page as it was served, decompressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The page.
    pub bytes: Vec<u8>,
    /// The media type with its parameters, as the server wrote it; one of those that a package index may have.
    pub content_type: String,
    /// Where it was found in the end: what relative URLs on the page are relative to.
    pub url: SafeUrl,
    /// Whether it was served without a body from the server.
    pub from_cache: bool,
    /// When the server last said so, in seconds since 1970.
    pub fetched_at_unix: u64,
}

/// A part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// A part that begins somewhere.
    From {
        /// The first byte.
        start: u64,
        /// How many.
        length: u64,
    },
    /// The end of the file, or the whole file where it is shorter.
    LastBytes(
        /// How many.
        u64,
    ),
}

/// A part of a file, as asked for; shorter only where the file ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangeReply {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Where they begin.
    pub start: u64,
    /// The size of the whole file, as the server says.
    pub total_bytes: u64,
}
