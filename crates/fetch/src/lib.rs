//! The one door to the network: allowed origins, size limits, redirects, retries, page cache, offline.
