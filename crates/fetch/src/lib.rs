//! The one door to the network: allowed origins, size limits, redirects, retries, page cache, offline.
//!
//! The interface blocks and may be used from many threads at once; the asynchronous client inside starts at the first
//! request that needs a socket. Every URL is held against its [`Origin`](pinfold_artifact::Origin) before a connection is
//! made, and so is every redirect. Nothing here parses a page or an archive.
//!
//! ```text
//! Fetcher ── page ──────┬─ cache          what was served before, by origin and URL
//!         ── small      ├─ local          `file` URLs
//!         ── range      ├─ retry          attempts, pauses, the total deadline
//!         ── download ──┴─ remote         one client, one runtime; credentials, redirects by hand
//!                            └─ body      stall limit, size cap, decompression
//! ```

mod body;
mod cache;
mod certificates;
mod coding;
mod download;
mod error;
mod fetcher;
mod local;
mod netrc;
mod pack;
mod page;
mod pieces;
mod proxy;
mod range;
mod remote;
mod reply;
mod retry;
mod retry_after;
mod settings;

#[cfg(test)]
mod tests;

pub use error::{FetchCause, FetchError, Login, ProxyTrouble};
pub use fetcher::Fetcher;
pub use netrc::{Netrc, NetrcError};
pub use reply::{Freshness, Page, PageReply, RangeReply, Span};
pub use settings::{Connectivity, Credential, FetchSettings, Keeping, Pieces, ProxySettings, ProxyUrl, Secret, Timing};
