//! One request to the world: the client, what it sends, and where redirects may lead.
//!
//! Redirects are followed by hand, because each hop is a decision: is the next host of the origin, is it still `https`,
//! which secret belongs there. The client itself follows none, keeps no cookies, and reads no environment.

use std::collections::BTreeMap;
use std::error::Error;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use pinfold_artifact::{FileHost, Limits, Origin, SafeUrl};
use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Client, Response, StatusCode, redirect};
use tokio::runtime::Runtime;

use crate::proxy::{Proxies, Via};
use crate::retry::Setback;
use crate::retry_after::wanted_pause;
use crate::{FetchCause, FetchSettings, Login, Pieces, Timing};

/// The client and the runtime that it lives in.
#[derive(Debug)]
pub(crate) struct Remote {
    /// For `http`. Trusts no certificate and needs none: an index on this machine works where no authority is installed.
    plain: Client,
    /// For everything else, made when it is first needed: reading the system's certificates takes its time.
    secure: Mutex<Option<Client>>,
    settings: FetchSettings,
    proxies: Proxies,
    certificates: Vec<Certificate>,
    /// There until the drop.
    runtime: Option<Runtime>,
    greetings: Mutex<BTreeMap<FileHost, Arc<Greeting>>>,
    pub(crate) timing: Timing,
    pub(crate) pieces: Pieces,
}

/// The first request to a host goes alone: only its answer tells whether the others can share its connection (HTTP/2), and
/// fifty handshakes at once help nobody.
#[derive(Debug, Default)]
struct Greeting {
    done: AtomicBool,
    turn: tokio::sync::Mutex<()>,
}

/// A request: always a GET.
#[derive(Debug, Clone)]
pub(crate) struct Ask<'a> {
    pub(crate) origin: &'a Origin,
    pub(crate) url: &'a SafeUrl,
    pub(crate) headers: HeaderMap,
}

/// An answer that is no redirect, and whose it is.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) response: Response,
    pub(crate) url: SafeUrl,
}

impl<'a> Ask<'a> {
    /// Asks for the bytes as they are: an artifact is hashed as it lies on the server.
    pub(crate) fn plain(origin: &'a Origin, url: &'a SafeUrl) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        Self { origin, url, headers }
    }

    /// Adds a header whose value was made here or has come from the server before; one that is no header value is left out.
    pub(crate) fn with(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }
}

impl Remote {
    pub(crate) fn new(settings: FetchSettings, certificates: Vec<Certificate>) -> Result<Self, FetchCause> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .thread_name("pinfold-fetch")
            .enable_all()
            .build()
            .map_err(|error| FetchCause::Client { reason: error.to_string() })?;
        let proxies = Proxies::new(&settings.proxies)?;
        Ok(Self {
            plain: client(&settings, &proxies, Some(&[]))?,
            proxies,
            secure: Mutex::new(None),
            timing: settings.timing,
            pieces: settings.pieces,
            settings,
            certificates,
            runtime: Some(runtime),
            greetings: Mutex::default(),
        })
    }

    /// Runs a request on the calling thread; sockets are served by the runtime's own threads meanwhile.
    pub(crate) fn block_on<F: Future>(&self, future: F) -> Result<F::Output, FetchCause> {
        match &self.runtime {
            Some(runtime) => Ok(runtime.block_on(future)),
            None => Err(FetchCause::Client { reason: "the runtime has ended".to_owned() }),
        }
    }

    /// Sends a request and follows its redirects as far as the origin goes.
    pub(crate) async fn send(&self, ask: &Ask<'_>) -> Result<Reply, FetchCause> {
        let mut url = ask.url.without_fragment();
        ask.origin.check(&url).map_err(|error| FetchCause::Origin(Box::new(error)))?;
        for _ in 0..=Limits::REDIRECTS {
            let response = self.send_once(&url, ask).await?;
            if !is_redirect(response.status()) {
                return Ok(Reply { response, url });
            }
            url = redirect_target(&url, &response, ask.origin)?;
        }
        Err(FetchCause::Redirects { found: Limits::REDIRECTS })
    }

    async fn send_once(&self, url: &SafeUrl, ask: &Ask<'_>) -> Result<Response, FetchCause> {
        let mut request = self.client(url)?.get(url.as_url().clone()).headers(ask.headers.clone());
        if let Some(value) = self.authorization(url) {
            request = request.header(header::AUTHORIZATION, value);
        }
        let greeting = self.greeting(url);
        let turn = match &greeting {
            Some(greeting) if !greeting.done.load(Ordering::Acquire) => Some(greeting.turn.lock().await),
            _ => None,
        };
        let turn = turn.filter(|_| greeting.as_ref().is_some_and(|greeting| !greeting.done.load(Ordering::Acquire)));
        let limit = self.timing.connect.saturating_add(self.timing.stall);
        let sent = tokio::time::timeout(limit, request.send()).await;
        if let Some(greeting) = &greeting {
            // Also after a failure: nobody waits in a queue for a host that does not answer.
            greeting.done.store(true, Ordering::Release);
        }
        drop(turn);
        match sent {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => {
                let by_proxy = self.via(url).and_then(|via| via.cause_of(&error, url.as_url()));
                Err(by_proxy.unwrap_or_else(|| cause_of(&error)))
            }
            Err(_) => Err(FetchCause::Timeout { what: "no answer within the time limit" }),
        }
    }

    fn client(&self, url: &SafeUrl) -> Result<Client, FetchCause> {
        // A proxy may want TLS itself.
        if url.scheme() == "http" && !self.via(url).is_some_and(Via::is_secure) {
            return Ok(self.plain.clone());
        }
        let mut secure = self.secure.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = &*secure {
            return Ok(client.clone());
        }
        let named = (!self.certificates.is_empty()).then_some(self.certificates.as_slice());
        Ok(secure.insert(client(&self.settings, &self.proxies, named)?).clone())
    }

    fn via(&self, url: &SafeUrl) -> Option<&Via> {
        self.proxies.of(url.as_url()).map(Arc::as_ref)
    }

    /// Returns the secret for exactly this scheme, host and port.
    fn authorization(&self, url: &SafeUrl) -> Option<HeaderValue> {
        let host = url.file_host()?;
        let credential = self.settings.credentials.iter().find(|credential| credential.host == host)?;
        let mut value = HeaderValue::from_str(&credential.secret.authorization()).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// Returns what an answer that brings nothing means.
    pub(crate) fn setback(&self, reply: &Reply) -> Setback {
        let status = reply.response.status().as_u16();
        if let Some(via) = self.via(&reply.url).filter(|_| status == 407 && reply.url.scheme() == "http") {
            return via.wants_login(reply.url.as_url()).into();
        }
        if matches!(status, 401 | 403) {
            let host = reply.url.file_host();
            let index = host.as_ref().and_then(|host| self.settings.index_names.get(host)).cloned();
            let login = if self.authorization(&reply.url).is_some() { Login::Sent } else { Login::None };
            let host = host.map_or_else(String::new, |host| host.to_string());
            return FetchCause::Unauthorized { status, host, index, login }.into();
        }
        let retry_after = wanted_pause(reply.response.headers(), Timestamp::now());
        Setback { cause: FetchCause::Status { status }, retry_after }
    }

    fn greeting(&self, url: &SafeUrl) -> Option<Arc<Greeting>> {
        let host = url.file_host().filter(|_| url.scheme() == "https")?;
        let mut greetings = self.greetings.lock().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(greetings.entry(host).or_default()))
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // A name lookup that hangs must not hold up the end of the program.
            runtime.shutdown_background();
        }
    }
}

/// Makes a client that trusts these certificates, or those of the system.
fn client(
    settings: &FetchSettings,
    proxies: &Proxies,
    certificates: Option<&[Certificate]>,
) -> Result<Client, FetchCause> {
    let mut builder = Client::builder()
        .no_proxy()
        .no_gzip()
        .redirect(redirect::Policy::none())
        .referer(false)
        .user_agent(concat!("pinfold/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(settings.timing.connect)
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
        .tcp_nodelay(true)
        .http2_initial_stream_window_size(STREAM_WINDOW_BYTES)
        .http2_initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .http2_max_frame_size(FRAME_BYTES);
    if let Some(certificates) = certificates {
        builder = builder.tls_certs_only(certificates.iter().cloned());
    }
    if let Some(proxy) = proxies.to_proxy() {
        builder = builder.proxy(proxy);
    }
    builder.build().map_err(|error| match innermost(&error) {
        reason if reason.contains("certificate") => FetchCause::Tls { reason },
        reason => FetchCause::Client { reason },
    })
}

const fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// Decides where a redirect may lead.
fn redirect_target(from: &SafeUrl, response: &Response, origin: &Origin) -> Result<SafeUrl, FetchCause> {
    let location = response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
    let Some(location) = location else { return Err(FetchCause::Redirects { found: 0 }) };
    // Here, other than on a page, what `//host/path` is relative to is not in doubt.
    let absolute = location.starts_with("//").then(|| format!("{}:{location}", from.scheme()));
    let target = from.join(absolute.as_deref().unwrap_or(location)).map_err(FetchCause::RedirectMalformed)?;
    if from.scheme() == "https" && target.scheme() != "https" {
        return Err(FetchCause::RedirectInsecure { found: target.scheme().to_owned() });
    }
    origin.check(&target).map_err(|error| FetchCause::RedirectForeign(Box::new(error)))?;
    Ok(target.without_fragment())
}

/// Returns why a request got no answer.
fn cause_of(error: &reqwest::Error) -> FetchCause {
    let reason = innermost(error);
    if is_tls(error) {
        return FetchCause::Tls { reason };
    }
    if error.is_timeout() {
        return FetchCause::Timeout { what: "no connection within the time limit" };
    }
    if error.is_connect() {
        return FetchCause::Connect { reason };
    }
    if error.is_builder() {
        return FetchCause::Client { reason };
    }
    FetchCause::Protocol { reason }
}

/// Returns true if it is TLS that failed.
pub(crate) fn is_tls(error: &(dyn Error + 'static)) -> bool {
    let reason = innermost(error);
    ["certificate", "fatal alert", "handshake"].iter().any(|word| reason.contains(word))
}

/// Returns the first cause of an error: the outer ones repeat the URL, which may carry a signature.
pub(crate) fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut deepest: &(dyn Error + 'static) = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    match deepest.downcast_ref::<reqwest::Error>() {
        Some(_) => "the request could not be sent".to_owned(),
        None => deepest.to_string(),
    }
}

/// Threads that serve sockets and TLS. Hashing and writing happen on the threads that ask.
const WORKERS: usize = 2;
/// As many as ask at once.
const IDLE_CONNECTIONS: usize = 64;
/// Bytes that one HTTP/2 stream may send ahead.
const STREAM_WINDOW_BYTES: u32 = 4 << 20;
/// Bytes that one HTTP/2 connection may send ahead: the bound on what is held in memory for one host.
const CONNECTION_WINDOW_BYTES: u32 = 16 << 20;
/// Bytes of an HTTP/2 frame.
const FRAME_BYTES: u32 = 256 << 10;
