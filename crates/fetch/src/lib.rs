//! The one door to the network: allowed origins, size limits, redirects, retries, page cache, offline.
//!
//! The interface blocks and may be used from many threads at once; the asynchronous client inside starts at the first
//! request that needs a socket. Every URL is held against its [`Origin`](pinfold_artifact::Origin) before a connection is
//! made, and so is every redirect. Nothing here parses a page or an archive.

mod error;
mod fetcher;
mod reply;
mod settings;

pub use error::{FetchCause, FetchError};
pub use fetcher::Fetcher;
pub use reply::{Freshness, Page, PageReply, RangeReply, Span};
pub use settings::{Connectivity, Credential, FetchSettings, ProxySettings, Secret, Timing};
