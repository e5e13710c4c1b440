//! Why a request gave nothing: refusals, and a world that failed.

use std::io;
use std::path::PathBuf;

use pinfold_artifact::{OriginError, SafeUrl, UrlError};
use pinfold_store::StoreError;

/// A request that gave nothing.
#[derive(Debug, thiserror::Error)]
#[error("cannot get {url}{}", attempts_text(*attempts))]
pub struct FetchError {
    /// What was asked for, without query: where redirects led is not told, it may hold a signature.
    pub url: Box<SafeUrl>,
    /// How many attempts were made; 0 if none left this machine.
    pub attempts: u32,
    /// Why.
    #[source]
    pub cause: FetchCause,
}

/// Whether a request had a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Login {
    /// None is known for the host.
    None,
    /// It was sent.
    Sent,
}

/// How a proxy failed.
#[derive(Debug, thiserror::Error)]
pub enum ProxyTrouble {
    /// It answers with what is no answer, or ends the connection.
    #[error("gives no answer: {reason}")]
    Broken {
        /// What the client said.
        reason: String,
    },
    /// It wants to know who asks (407).
    #[error("answers 407: {}", proxy_wanted_text(*.0))]
    Login(
        /// Whether it was told.
        Login,
    ),
    /// It says no to a tunnel.
    #[error("refuses to open a tunnel")]
    NoTunnel,
    /// It is not connected to, or connects to nobody, for too long.
    #[error("gives no connection within the time limit")]
    Timeout,
    /// It is asked over TLS, which failed.
    #[error("cannot be trusted over TLS: {reason}")]
    Tls {
        /// What the TLS library said.
        reason: String,
    },
    /// There is no connection to it.
    #[error("cannot be reached: {reason}")]
    Unreachable {
        /// What the system said.
        reason: String,
    },
}

/// Why a request gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum FetchCause {
    /// [`Fetcher::abandon`](crate::Fetcher::abandon) was called: something else had failed.
    #[error("it was given up, because something else had failed")]
    Abandoned,
    /// The certificates that take the place of the system's cannot be used.
    #[error("no certificate can be read from {}: {reason}", path.display())]
    CaBundle {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The cache failed.
    #[error("failed to {action} {}", path.display())]
    Cache {
        /// What was being done, as a verb.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The client cannot be set up.
    #[error("the HTTP client cannot be set up: {reason}")]
    Client {
        /// What is wrong. Holds no secret.
        reason: String,
    },
    /// The bytes are not the locked ones, and the server says that it sent them in another form than asked for.
    #[error("{host} sent it with the content coding `{coding}`, though it was asked for as it is (`identity`)")]
    Coded {
        /// What the server wrote.
        coding: String,
        /// The host that answered.
        host: String,
        /// What the store said of them.
        #[source]
        refused: Box<StoreError>,
    },
    /// No connection.
    #[error("no connection: {reason}")]
    Connect {
        /// What the system said.
        reason: String,
    },
    /// The page has no media type that an index page may have.
    #[error("the content type is `{found}`, expected a simple page as JSON or HTML (version 1)")]
    ContentType {
        /// What the server wrote.
        found: String,
    },
    /// The body is encoded in a way that nobody asked for, or not as declared.
    #[error("the body cannot be decoded: {reason}")]
    Encoding {
        /// What is wrong.
        reason: String,
    },
    /// A `file` URL cannot be read.
    #[error("failed to read {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The connection works, the protocol does not.
    #[error("the server's answer is broken: {reason}")]
    Protocol {
        /// What is wrong.
        reason: String,
    },
    /// The environment names a proxy that is none.
    #[error("`{variable}` names a proxy that cannot be used, `{found}`: {reason}")]
    Proxy {
        /// The variable.
        variable: String,
        /// What it says, without what may be a secret.
        found: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The proxy failed; who is behind it was not heard.
    #[error("the proxy {proxy} of `{variable}` {trouble}")]
    ProxyFailed {
        /// Host and port of the proxy.
        proxy: String,
        /// The variable that names it.
        variable: String,
        /// The host that was asked for.
        host: String,
        /// How.
        trouble: ProxyTrouble,
    },
    /// The URL is not of the origin: refused before any connection.
    #[error("the URL is not of its origin")]
    Origin(
        /// Which host, and which are allowed.
        #[source]
        Box<OriginError>,
    ),
    /// Not cached, and offline.
    #[error("not in the cache, and `--offline` forbids to ask")]
    Offline,
    /// The server sent another part than asked for.
    #[error("the server sent {found}, asked for {expected}")]
    RangeMismatch {
        /// What was asked for.
        expected: String,
        /// What `Content-Range` says.
        found: String,
    },
    /// The server does not serve parts of this file.
    #[error("the server does not serve parts of this file")]
    RangesUnsupported,
    /// A redirect leads away from the origin.
    #[error("the server redirects away from the origin")]
    RedirectForeign(
        /// Which host, and which are allowed.
        #[source]
        Box<OriginError>,
    ),
    /// A redirect leads from `https` to another scheme.
    #[error("the server redirects from https to {found}")]
    RedirectInsecure {
        /// The scheme.
        found: String,
    },
    /// A redirect leads nowhere.
    #[error("the server redirects to what is no allowed URL")]
    RedirectMalformed(
        /// Why.
        #[source]
        UrlError,
    ),
    /// Too many redirects, or one without a target.
    #[error("{}", redirects_text(*found))]
    Redirects {
        /// How many were followed; 0 if the first one names no place.
        found: usize,
    },
    /// The server answers with an error.
    #[error("the server answers {status}{}", status_text(*status))]
    Status {
        /// The HTTP status.
        status: u16,
    },
    /// The store did not admit the artifact.
    #[error(transparent)]
    Store(
        /// Why.
        StoreError,
    ),
    /// A time limit was missed.
    #[error("{what}")]
    Timeout {
        /// Which limit.
        what: &'static str,
    },
    /// TLS failed: the certificate is not trusted, or the protocol broke.
    #[error("TLS failed: {reason}")]
    Tls {
        /// What the TLS library said.
        reason: String,
    },
    /// More bytes than the limit.
    #[error("the answer is larger than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: u64,
    },
    /// The server sends less than the slowest rate that is waited for.
    #[error("the server is too slow: {received} bytes of the body when the time was up")]
    TooSlow {
        /// Bytes that arrived.
        received: u64,
    },
    /// The body ended before its end.
    #[error("the connection ended after {received} bytes of the body: {reason}")]
    Truncated {
        /// Bytes that arrived.
        received: u64,
        /// What the client said.
        reason: String,
    },
    /// The server wants to know who asks, or says no (401, 403).
    #[error("the server answers {status}: {}", wanted_text(host, *login))]
    Unauthorized {
        /// The HTTP status.
        status: u16,
        /// The host that answered.
        host: String,
        /// What the index at this host is called, if one is known there.
        index: Option<String>,
        /// Whether the request had a login.
        login: Login,
    },
}

impl FetchError {
    pub(crate) fn new(url: &SafeUrl, attempts: u32, cause: impl Into<FetchCause>) -> Self {
        Self { url: Box::new(url.without_query()), attempts, cause: cause.into() }
    }

    /// Returns true if pinfold declined for security; otherwise the world failed and a retry may help.
    pub const fn is_refusal(&self) -> bool {
        self.refusal_code().is_some()
    }

    /// Returns the code of the refusal, or nothing where the world failed.
    pub const fn refusal_code(&self) -> Option<&'static str> {
        self.cause.refusal_code()
    }
}

impl FetchCause {
    /// Returns the code of the refusal, or nothing where the world failed.
    pub const fn refusal_code(&self) -> Option<&'static str> {
        match self {
            Self::Origin(_) => Some("origin-mismatch"),
            Self::RedirectForeign(_) | Self::RedirectInsecure { .. } | Self::RedirectMalformed(_) => {
                Some("foreign-redirect")
            }
            Self::Coded { refused, .. } => refused.refusal_code(),
            Self::Store(error) => error.refusal_code(),
            Self::TooLarge { .. } => Some("size-limit"),
            Self::Abandoned
            | Self::CaBundle { .. }
            | Self::Cache { .. }
            | Self::Client { .. }
            | Self::Connect { .. }
            | Self::ContentType { .. }
            | Self::Encoding { .. }
            | Self::File { .. }
            | Self::Offline
            | Self::Protocol { .. }
            | Self::Proxy { .. }
            | Self::ProxyFailed { .. }
            | Self::RangeMismatch { .. }
            | Self::RangesUnsupported
            | Self::Redirects { .. }
            | Self::Status { .. }
            | Self::Timeout { .. }
            | Self::Tls { .. }
            | Self::TooSlow { .. }
            | Self::Truncated { .. }
            | Self::Unauthorized { .. } => None,
        }
    }

    /// Returns true if the same request may succeed a moment later.
    pub(crate) const fn is_passing(&self) -> bool {
        match self {
            Self::Connect { .. }
            | Self::Protocol { .. }
            | Self::RangeMismatch { .. }
            | Self::Timeout { .. }
            | Self::Truncated { .. } => true,
            Self::ProxyFailed { trouble, .. } => !matches!(trouble, ProxyTrouble::Login(_) | ProxyTrouble::Tls { .. }),
            Self::Status { status } => *status >= 500 || *status == 429 || *status == 408,
            _ => false,
        }
    }
}

impl From<StoreError> for FetchCause {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

fn wanted_text(host: &str, login: Login) -> String {
    match login {
        Login::None => format!("it wants a login, and none is known for {host}"),
        Login::Sent => format!("it wants another login than the one that was sent to {host}"),
    }
}

fn proxy_wanted_text(login: Login) -> &'static str {
    match login {
        Login::None => "it wants a login, and none is given",
        Login::Sent => "it wants another login than the one that is given",
    }
}

fn attempts_text(attempts: u32) -> String {
    if attempts > 1 { format!(" ({attempts} attempts)") } else { String::new() }
}

fn redirects_text(found: usize) -> String {
    if found == 0 {
        "the server redirects and does not say where to".to_owned()
    } else {
        format!("{found} redirects and no end")
    }
}

fn status_text(status: u16) -> &'static str {
    match status {
        404 => " (not found)",
        410 => " (gone)",
        429 => " (too many requests)",
        500..=599 => " (the server's own failure)",
        _ => "",
    }
}
