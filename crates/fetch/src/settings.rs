//! What a fetcher is told once. The shell reads the environment; nothing here does.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use pinfold_artifact::{FileHost, Limits};

/// How to reach the world.
#[derive(Debug, Clone)]
pub struct FetchSettings {
    /// Where pages are cached. Private to the user.
    pub cache_dir: PathBuf,
    /// Whether sockets may be opened at all.
    pub connectivity: Connectivity,
    /// What may be kept of a page, by its media type and its bytes.
    pub keeping: fn(&str, &[u8]) -> Keeping,
    /// What to log in with, and where. At most one for each host counts: the first.
    pub credentials: Vec<Credential>,
    /// What the index at a host is called, for messages.
    pub index_names: BTreeMap<FileHost, String>,
    /// A file of PEM certificates that replaces the system's. A missing or empty one is an error.
    pub ca_bundle: Option<PathBuf>,
    /// Directories of files with PEM certificates, which replace the system's too: with a bundle, both count.
    pub ca_directories: Vec<PathBuf>,
    /// Proxies. None is taken from the environment.
    pub proxies: ProxySettings,
    /// How long to wait for what.
    pub timing: Timing,
    /// How big files are transferred.
    pub pieces: Pieces,
}

impl FetchSettings {
    /// Makes the usual settings: no credentials, no proxy, the system's certificates, the times of [`Limits`].
    pub fn new(cache_dir: PathBuf, connectivity: Connectivity) -> Self {
        Self {
            cache_dir,
            connectivity,
            keeping: |_, _| Keeping::All,
            credentials: Vec::new(),
            index_names: BTreeMap::new(),
            ca_bundle: None,
            ca_directories: Vec::new(),
            proxies: ProxySettings::default(),
            timing: Timing::usual(),
            pieces: Pieces::usual(),
        }
    }
}

/// What of a page may be kept on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keeping {
    /// All of it.
    All,
    /// This in its place. It serves offline; otherwise the server is asked again, for what it lacks.
    Instead(Vec<u8>),
    /// Nothing of it.
    Nothing,
}

/// Whether sockets may be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connectivity {
    /// No socket at all: the page cache, `file` URLs and the store are everything.
    Offline,
    /// As needed.
    Online,
}

/// Proxies, as `http_proxy`, `https_proxy` and `no_proxy` name them.
#[derive(Debug, Clone, Default)]
pub struct ProxySettings {
    /// For `http` URLs.
    pub http: Option<ProxyUrl>,
    /// For `https` URLs, by CONNECT: TLS is still verified end to end.
    pub https: Option<ProxyUrl>,
    /// Hosts that are reached without a proxy, separated by commas.
    pub no_proxy: Option<String>,
}

/// Where a proxy is, as it was written. It may hold a user name and password.
#[derive(Clone)]
pub struct ProxyUrl {
    /// The variable that says so.
    pub variable: String,
    /// What it says; empty for no proxy.
    pub value: String,
}

impl ProxyUrl {
    /// Returns what was written without what may be a secret: a user name and password, a path, and what is no port.
    pub fn shown(&self) -> String {
        let (scheme, rest) = match self.value.split_once("://") {
            Some((scheme, rest)) => (format!("{scheme}://"), rest),
            None => (String::new(), self.value.as_str()),
        };
        let (login, rest) = rest.rsplit_once('@').map_or(("", rest), |(_, rest)| ("…@", rest));
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let path = if end < rest.len() { "/…" } else { "" };
        let (host, port) = match rest[..end].rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (host, format!(":{port}")),
            Some((host, _)) if !host.starts_with('[') || host.ends_with(']') => (host, ":…".to_owned()),
            _ => (&rest[..end], String::new()),
        };
        let shown = format!("{scheme}{login}{host}{port}{path}");
        shown.chars().take(120).flat_map(char::escape_debug).collect()
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.shown(), self.variable)
    }
}

/// What to log in with at one host.
#[derive(Debug, Clone)]
pub struct Credential {
    /// Exactly this scheme, host and port is sent the secret; nothing else ever is.
    pub host: FileHost,
    /// The secret.
    pub secret: Secret,
}

/// A secret. It is never shown.
#[derive(Clone)]
pub enum Secret {
    /// User name and password (RFC 7617).
    Basic {
        /// The user name.
        user: String,
        /// The password.
        password: String,
    },
    /// A token (RFC 6750).
    Bearer(
        /// The token.
        String,
    ),
}

impl Secret {
    /// Returns the value of the header that sends it (`Authorization`).
    pub fn authorization(&self) -> String {
        match self {
            Self::Basic { user, password } => {
                format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}")))
            }
            Self::Bearer(token) => format!("Bearer {token}"),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// How big files are transferred: the first piece alone, and if that was slow, the rest in several pieces at once.
#[derive(Debug, Clone, Copy)]
pub struct Pieces {
    /// Bytes from which a file is transferred so.
    pub from_bytes: u64,
    /// Bytes of a piece. So many, times [`Pieces::at_once`], are held in memory for one file.
    pub piece_bytes: u64,
    /// Pieces of one file that are on their way.
    pub at_once: usize,
    /// A first piece that took no longer shows a line that one stream fills.
    pub quick: Duration,
}

impl Pieces {
    /// Returns three pieces of 4 MiB at once, where one stream carries less than 200 MB in a second.
    pub const fn usual() -> Self {
        Self { from_bytes: 32 << 20, piece_bytes: 4 << 20, at_once: 3, quick: Duration::from_millis(20) }
    }
}

/// How long to wait for what, and how often to try.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// For a connection.
    pub connect: Duration,
    /// Without a byte, until a transfer is given up.
    pub stall: Duration,
    /// For a body, and for a transfer with all its attempts, however slow.
    pub deadline_floor: Duration,
    /// The rate at which a transfer may take longer than that.
    pub slowest_bytes_per_second: u64,
    /// Attempts, the first included.
    pub attempts: u32,
    /// The pause before the second attempt; it doubles with each further one.
    pub back_off: Duration,
    /// The longest pause, also where the server asks for more.
    pub longest_pause: Duration,
}

impl Timing {
    /// Returns the times of [`Limits`], and half a second before the second attempt.
    pub const fn usual() -> Self {
        Self {
            connect: Duration::from_millis(Limits::CONNECT_MS),
            stall: Duration::from_millis(Limits::STALL_MS),
            deadline_floor: Duration::from_millis(Limits::DEADLINE_FLOOR_MS),
            slowest_bytes_per_second: Limits::SLOWEST_BYTES_PER_SECOND,
            attempts: Limits::ATTEMPTS,
            back_off: Duration::from_millis(500),
            longest_pause: Duration::from_secs(20),
        }
    }

    /// Returns how long a transfer of this size may take in all.
    pub(crate) const fn deadline(&self, size_bytes: u64) -> Duration {
        let slowest = if self.slowest_bytes_per_second == 0 { 1 } else { self.slowest_bytes_per_second };
        let by_rate = Duration::from_secs(size_bytes / slowest);
        if by_rate.as_secs() > self.deadline_floor.as_secs() { by_rate } else { self.deadline_floor }
    }
}
