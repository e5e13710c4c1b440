//! The server behind an [`Index`]: one or two listeners on 127.0.0.1, a thread per connection, a log of every request.
//!
//! While it runs a test may make it lie: [`Server::replace_file`] is the file swapped under its name, [`Server::fault_on`] a
//! mirror that breaks, [`Server::update`] an index that moved on. Dropping it closes every connection and joins every thread.

use std::collections::BTreeMap;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pinfold_artifact::{Artifact, Origin, SafeUrl};

use crate::digest::{sha256, sha256_hex};
use crate::fault::Fault;
use crate::http::{After, Answer, Ranges, Request, done, read_request, send};
use crate::index::{Index, Serving};

/// One form of a resource.
#[derive(Clone, Debug)]
pub(crate) struct Variant {
    pub(crate) content_type: String,
    pub(crate) bytes: Vec<u8>,
}

/// What a path leads to.
#[derive(Clone, Debug)]
pub(crate) struct Resource {
    pub(crate) variants: Vec<Variant>,
    pub(crate) faults: Vec<Fault>,
    asked: usize,
}

impl Resource {
    pub(crate) fn new(variants: Vec<Variant>, faults: Vec<Fault>) -> Self {
        Self { variants, faults, asked: 0 }
    }

    /// Returns the form that the client takes: the first whose media type it names, else the first.
    fn variant(&self, request: &Request) -> &Variant {
        let accept = request.header("accept").unwrap_or("*/*");
        let named = |variant: &&Variant| {
            let media = variant.content_type.split(';').next().unwrap_or_default();
            accept.contains(media)
        };
        self.variants.iter().find(named).unwrap_or(&self.variants[0])
    }
}

#[derive(Debug)]
struct State {
    origins: Vec<String>,
    serving: Serving,
    shared: Mutex<Shared>,
    stop: Condvar,
}

#[derive(Debug, Default)]
struct Shared {
    resources: BTreeMap<(usize, String), Resource>,
    log: Vec<Request>,
    /// Open connections by number. A copy keeps its socket open, so it is dropped as soon as the connection ends.
    connections: BTreeMap<usize, TcpStream>,
    accepted: usize,
    threads: Vec<JoinHandle<()>>,
    stopped: bool,
    /// See [`Server::shuffle`].
    shuffle: Option<u64>,
}

/// A running index.
#[derive(Debug)]
pub struct Server {
    state: Arc<State>,
    addresses: Vec<SocketAddr>,
    accepting: Vec<JoinHandle<()>>,
    absolute: bool,
}

impl Server {
    pub(crate) fn start(index: Index) -> Self {
        let count = if index.own_file_origin { 2 } else { 1 };
        let bind = |_| TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
        let listeners: Vec<TcpListener> = (0..count).map(bind).collect();
        let address = |listener: &TcpListener| listener.local_addr().expect("a bound socket has an address");
        let addresses: Vec<SocketAddr> = listeners.iter().map(address).collect();
        let origins: Vec<String> = addresses.iter().map(|address| format!("http://{address}")).collect();
        let state = State {
            origins,
            serving: index.serving.clone(),
            shared: Mutex::new(Shared { shuffle: index.serving.shuffle, ..Shared::default() }),
            stop: Condvar::new(),
        };
        let state = Arc::new(state);
        let absolute = index.has_absolute_urls();
        let listen = |(number, listener)| {
            let state = Arc::clone(&state);
            std::thread::spawn(move || accept(&state, number, &listener))
        };
        let accepting = listeners.into_iter().enumerate().map(listen).collect();
        let server = Self { state, addresses, accepting, absolute };
        server.update(&index);
        server
    }

    /// Returns the URL of the index: `http://127.0.0.1:4321/simple/`.
    pub fn url(&self) -> String {
        format!("{}/simple/", self.state.origins[0])
    }

    /// Returns the index's host and port.
    pub fn host(&self) -> String {
        self.addresses[0].to_string()
    }

    /// Returns host and port of the files, which is the index's own unless [`Index::files_elsewhere`] was said.
    pub fn file_host(&self) -> String {
        self.addresses[self.addresses.len() - 1].to_string()
    }

    /// Returns the URL of a project's page.
    pub fn page_url(&self, project: &str) -> String {
        format!("{}{}/", self.url(), crate::wheel::normalised(project))
    }

    /// Returns the URL of a file.
    pub fn file_url(&self, filename: &str) -> String {
        format!("http://{}/files/{filename}", self.file_host())
    }

    /// Returns the bytes of a file, as they are without faults.
    pub fn file_bytes(&self, filename: &str) -> Vec<u8> {
        self.with(&format!("/files/{filename}"), |resource| resource.variants[0].bytes.clone())
    }

    /// Returns a file as a lock would have it: its own URL, size and digest, this index as its origin.
    pub fn artifact(&self, filename: &str) -> Artifact {
        let bytes = self.file_bytes(filename);
        let parse = |url: String| url.parse::<SafeUrl>().expect("a loopback URL is safe");
        Artifact {
            filename: filename.parse().expect("the file's name is one of an artifact"),
            url: parse(self.file_url(filename)),
            size_bytes: bytes.len() as u64,
            sha256: sha256(&bytes),
            origin: self.origin(),
        }
    }

    /// Returns the index as an origin; a file host of its own is allowed.
    pub fn origin(&self) -> Origin {
        let index: SafeUrl = self.url().parse().expect("a loopback URL is safe");
        let files: SafeUrl = self.file_url("x").parse().expect("a loopback URL is safe");
        Origin::new(&index, files.file_host())
    }

    /// Returns every request so far, in the order in which they were answered.
    pub fn requests(&self) -> Vec<Request> {
        self.state.lock().log.clone()
    }

    /// Returns the requests whose path contains this.
    pub fn requests_to(&self, part: &str) -> Vec<Request> {
        self.requests().into_iter().filter(|request| request.path.contains(part)).collect()
    }

    /// Empties the log.
    pub fn forget_requests(&self) {
        self.state.lock().log.clear();
    }

    /// Puts other bytes under a file's name; the page keeps what it said.
    pub fn replace_file(&self, filename: &str, bytes: impl AsRef<[u8]>) {
        self.with(&format!("/files/{filename}"), |resource| resource.variants[0].bytes = bytes.as_ref().to_vec());
    }

    /// Adds a fault to what a path leads to: `/files/a-1.0-py3-none-any.whl`, `/simple/a/`.
    pub fn fault_on(&self, path: &str, fault: Fault) {
        self.with(path, |resource| resource.faults.push(fault));
    }

    /// Takes every fault of the transport away.
    pub fn heal(&self) {
        self.state.lock().resources.values_mut().for_each(|resource| resource.faults.clear());
    }

    /// Holds answers back from now on for some milliseconds each, in an order that depends on this number.
    pub fn shuffle(&self, seed: u64) {
        self.state.lock().shuffle = Some(seed);
    }

    /// Serves another state of the index. How the server behaves as a whole (ranges, login, ports) stays as it was.
    pub fn update(&self, index: &Index) {
        assert!(!index.own_file_origin || self.addresses.len() == 2, "a running server opens no second port");
        let prefix = if self.absolute { self.file_url("") } else { "../../files/".to_owned() };
        self.state.lock().resources = index.resources(&prefix);
    }

    fn with<T>(&self, path: &str, change: impl FnOnce(&mut Resource) -> T) -> T {
        let mut shared = self.state.lock();
        let found = shared.resources.iter_mut().find(|((_, own), _)| own == path);
        let (_, resource) = found.unwrap_or_else(|| panic!("the index has no `{path}`"));
        change(resource)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.state.lock().stopped = true;
        self.state.stop.notify_all();
        for address in &self.addresses {
            // Wakes the thread that accepts; if it cannot be reached it has ended.
            let _ = TcpStream::connect(address);
        }
        for thread in self.accepting.drain(..) {
            let _ = thread.join();
        }
        let (connections, threads) = {
            let mut shared = self.state.lock();
            (std::mem::take(&mut shared.connections), std::mem::take(&mut shared.threads))
        };
        for connection in connections.into_values() {
            let _ = connection.shutdown(Shutdown::Both);
        }
        for thread in threads {
            let _ = thread.join();
        }
    }
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Shared> {
        // A test that failed while it held the lock has been reported already.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits so long; returns false if the server is going away.
    fn pause(&self, milliseconds: u64) -> bool {
        let limit = Duration::from_millis(milliseconds);
        let waited = self.stop.wait_timeout_while(self.lock(), limit, |shared| !shared.stopped);
        !waited.unwrap_or_else(PoisonError::into_inner).0.stopped
    }

    /// Returns the answer without faults of the transport, and those faults.
    fn answer(&self, listener: usize, request: &Request) -> (Answer, Vec<Fault>) {
        if request.method != "GET" && request.method != "HEAD" {
            return (Answer::text(405), Vec::new());
        }
        if !self.serving.login.as_ref().is_none_or(|(user, password)| has_login(request, user, password)) {
            let mut answer = Answer::text(401);
            answer.headers.push(("WWW-Authenticate".to_owned(), "Basic realm=\"index\"".to_owned()));
            return (answer, Vec::new());
        }
        let path = request.path.split('?').next().unwrap_or_default();
        let mut shared = self.lock();
        let Some(resource) = shared.resources.get_mut(&(listener, path.to_owned())) else {
            let with_slash = format!("{path}/");
            let known = shared.resources.contains_key(&(listener, with_slash.clone()));
            return (if known { Answer::redirect(301, &with_slash) } else { Answer::text(404) }, Vec::new());
        };
        resource.asked += 1;
        let resource = resource.clone();
        drop(shared);
        self.answer_from(&resource, request)
    }

    fn answer_from(&self, resource: &Resource, request: &Request) -> (Answer, Vec<Fault>) {
        let variant = resource.variant(request);
        let (mut bytes, mut content_type) = (variant.bytes.clone(), variant.content_type.clone());
        let mut ranges = if self.serving.no_ranges { Ranges::Ignored } else { Ranges::Served { shift: 0 } };
        let (mut transport, mut claimed, mut coding) = (Vec::new(), None, None);
        for fault in &resource.faults {
            match fault {
                Fault::Coded(named) => coding = Some(named),
                Fault::Delay(milliseconds) => drop(self.pause(*milliseconds)),
                Fault::NoRange => ranges = Ranges::Ignored,
                Fault::RedirectTo(location) => return (Answer::redirect(302, location), Vec::new()),
                Fault::Status(status) => return (Answer::text(*status), Vec::new()),
                Fault::StatusThen { status, times } if resource.asked <= *times => {
                    return (Answer::text(*status), Vec::new());
                }
                Fault::Swapped(other) => bytes.clone_from(other),
                Fault::TruncatedThen(times) if resource.asked <= *times => transport.push(Fault::Truncated),
                Fault::WrongBytes => flip_last(&mut bytes),
                Fault::WrongContentType(other) => content_type.clone_from(other),
                Fault::WrongOffset(shift) => ranges = Ranges::Served { shift: *shift },
                Fault::WrongRange(range) => claimed = Some(range),
                Fault::Closed
                | Fault::Drip { .. }
                | Fault::Endless
                | Fault::Reset
                | Fault::Truncated
                | Fault::WrongLength(_) => transport.push(fault.clone()),
                Fault::Md5Only | Fault::NoHash | Fault::WrongHash | Fault::WrongSize(_) => {}
                Fault::StatusThen { .. } | Fault::TruncatedThen(_) => {}
            }
        }
        let etag = format!("\"{}\"", &sha256_hex(&bytes)[..16]);
        let etag = (!self.serving.no_validators).then_some(etag.as_str());
        let mut answer = Answer::bytes(request, &bytes, &content_type, etag, ranges);
        if let Some(range) = claimed {
            let headers = answer.headers.iter_mut().filter(|(name, _)| name == "Content-Range");
            headers.for_each(|(_, value)| value.clone_from(range));
        }
        answer.headers.extend(coding.map(|named| ("Content-Encoding".to_owned(), named.clone())));
        (answer, transport)
    }

    /// Holds an answer back for a time that only seed, path and range decide.
    fn shuffle(&self, request: &Request) {
        let seed = self.lock().shuffle;
        if let Some(seed) = seed {
            let range = request.header("range").unwrap_or_default();
            let digest = sha256(format!("{seed} {} {range}", request.path).as_bytes());
            self.pause(u64::from(digest.as_bytes()[0]) / 8);
        }
    }
}

fn flip_last(bytes: &mut [u8]) {
    if let Some(last) = bytes.last_mut() {
        *last ^= 1;
    }
}

fn has_login(request: &Request, user: &str, password: &str) -> bool {
    let expected = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
    request.header("authorization") == Some(&expected)
}

fn accept(state: &Arc<State>, number: usize, listener: &TcpListener) {
    for stream in listener.incoming() {
        let Ok(stream) = stream else { continue };
        let mut shared = state.lock();
        if shared.stopped {
            return;
        }
        let Ok(copy) = stream.try_clone() else { continue };
        shared.accepted += 1;
        let connection = shared.accepted;
        shared.connections.insert(connection, copy);
        let own = Arc::clone(state);
        let thread = std::thread::spawn(move || {
            // An error of one connection is the client's to notice.
            let _ = serve(&own, number, &stream);
            own.lock().connections.remove(&connection);
        });
        shared.threads.push(thread);
    }
}

fn serve(state: &State, number: usize, mut stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    while let Some(mut request) = read_request(&mut stream, &state.origins[number])? {
        state.shuffle(&request);
        let (answer, faults) = state.answer(number, &request);
        request.status = answer.status;
        state.lock().log.push(request.clone());
        let after = send(&mut stream, &request, &answer, &faults, &|milliseconds| state.pause(milliseconds))?;
        if after == After::Reset {
            break;
        }
        done(&mut stream)?;
        if after == After::Close {
            let _ = stream.shutdown(Shutdown::Both);
            break;
        }
    }
    Ok(())
}
