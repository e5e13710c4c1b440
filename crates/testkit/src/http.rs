//! Just enough HTTP/1.1 for an index on loopback: requests in, answers out, keep-alive, ranges, validators, faults.
//!
//! It is written out by hand because a fake must be able to break each rule of the protocol at will; a server library would
//! keep them. It speaks to one client at a time per connection and serves GET and HEAD, nothing else.

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;

use crate::fault::Fault;

/// A client may send no more than this before the empty line.
const HEAD_BYTES: usize = 64 * 1024;
/// What [`Fault::Endless`] sends at most.
const ENDLESS_BYTES: usize = 64 * 1024 * 1024;
/// How many pieces [`Fault::Drip`] sends at most.
const DRIP_PIECES: usize = 20_000;

/// A request as the server saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The origin that was asked: `http://127.0.0.1:4321`.
    pub origin: String,
    /// `GET` or `HEAD`.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// The headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The status of the answer.
    pub status: u16,
}

impl Request {
    /// Returns a header by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// Reads the head of the next request but for its last byte; `None` if the client hung up.
///
/// The last byte stays in the socket until [`Connection::done`]: a socket that is closed with bytes unread is reset, which
/// is how [`Fault::Reset`] resets without any option that the standard library does not have.
pub(crate) fn read_request(stream: &mut &TcpStream, origin: &str) -> io::Result<Option<Request>> {
    let mut head = Vec::new();
    let mut buffer = vec![0; HEAD_BYTES];
    loop {
        let seen = stream.peek(&mut buffer)?;
        if seen == 0 {
            return Ok(None);
        }
        let before = head.len();
        head.extend_from_slice(&buffer[..seen]);
        if let Some(end) = head.windows(4).position(|window| window == b"\r\n\r\n") {
            head.truncate(end);
            let mut taken = vec![0; end + 3 - before];
            stream.read_exact(&mut taken)?;
            return Ok(parse(&head, origin));
        }
        stream.read_exact(&mut buffer[..seen])?;
        if head.len() > HEAD_BYTES {
            return Ok(None);
        }
    }
}

/// Takes the byte that [`read_request`] left.
pub(crate) fn done(stream: &mut &TcpStream) -> io::Result<()> {
    stream.read_exact(&mut [0])
}

fn parse(head: &[u8], origin: &str) -> Option<Request> {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (name.trim().to_lowercase(), value.trim().to_owned())).collect();
    Some(Request { origin: origin.to_owned(), method, path, headers, status: 0 })
}

/// An answer before faults of the transport.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// Makes an answer with a short text.
    pub(crate) fn text(status: u16) -> Self {
        let headers = vec![("Content-Type".to_owned(), "text/plain".to_owned())];
        Self { status, headers, body: format!("{status}\n").into_bytes() }
    }

    /// Makes a redirect.
    pub(crate) fn redirect(status: u16, location: &str) -> Self {
        let mut answer = Self::text(status);
        answer.headers.push(("Location".to_owned(), location.to_owned()));
        answer
    }

    /// Makes the answer to a request for bytes that exist: 200, 206, 304 or 416.
    pub(crate) fn bytes(
        request: &Request,
        bytes: &[u8],
        content_type: &str,
        etag: Option<&str>,
        ranges: Ranges,
    ) -> Self {
        let mut headers = vec![("Content-Type".to_owned(), content_type.to_owned())];
        if let Some(etag) = etag {
            headers.push(("ETag".to_owned(), etag.to_owned()));
            if request.header("if-none-match") == Some(etag) {
                return Self { status: 304, headers, body: Vec::new() };
            }
        }
        let Ranges::Served { shift } = ranges else { return Self { status: 200, headers, body: bytes.to_vec() } };
        headers.push(("Accept-Ranges".to_owned(), "bytes".to_owned()));
        let unchanged = request.header("if-range").is_none_or(|validator| Some(validator) == etag);
        let Some(range) = request.header("range").filter(|_| unchanged) else {
            return Self { status: 200, headers, body: bytes.to_vec() };
        };
        let Some((start, end)) = parse_range(range, bytes.len()) else {
            headers.push(("Content-Range".to_owned(), format!("bytes */{}", bytes.len())));
            return Self { status: 416, headers, body: Vec::new() };
        };
        let start = usize::try_from(shift).map_or(end, |shift| (start + shift).min(end.saturating_sub(1)));
        headers.push(("Content-Range".to_owned(), format!("bytes {start}-{}/{}", end - 1, bytes.len())));
        Self { status: 206, headers, body: bytes[start..end].to_vec() }
    }
}

/// Whether ranges are served.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ranges {
    /// They are ignored.
    Ignored,
    /// They are served, so many bytes further on than asked.
    Served { shift: u64 },
}

/// Returns the first position and the one behind the last, or nothing if the range cannot be served.
fn parse_range(range: &str, total: usize) -> Option<(usize, usize)> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    if first.is_empty() {
        let count: usize = last.parse().ok()?;
        return (count > 0 && total > 0).then(|| (total.saturating_sub(count), total));
    }
    let first: usize = first.parse().ok()?;
    let end = if last.is_empty() { total } else { last.parse::<usize>().ok()?.checked_add(1)?.min(total) };
    (first < end).then_some((first, end))
}

/// Whether the connection may serve another request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    Close,
    KeepAlive,
    Reset,
}

/// Sends an answer with the faults of the transport; `pause` waits and returns false if the server is going away.
pub(crate) fn send(
    stream: &mut &TcpStream,
    request: &Request,
    answer: &Answer,
    faults: &[Fault],
    pause: &dyn Fn(u64) -> bool,
) -> io::Result<After> {
    if faults.contains(&Fault::Closed) {
        return Ok(After::Reset);
    }
    let endless = faults.contains(&Fault::Endless);
    let lie = faults.iter().find_map(|fault| if let Fault::WrongLength(lie) = fault { Some(*lie) } else { None });
    let cut = faults.contains(&Fault::Truncated) || faults.contains(&Fault::Reset);
    let length = (answer.body.len() as i64).saturating_add(lie.unwrap_or(0)).max(0);
    let close = endless || cut || lie.is_some() || request.header("connection") == Some("close");
    stream.write_all(head(answer, (!endless).then_some(length), close).as_bytes())?;
    if request.method == "HEAD" || answer.status == 304 {
        return Ok(if close { After::Close } else { After::KeepAlive });
    }
    let body = if cut { &answer.body[..answer.body.len() / 2] } else { &answer.body[..] };
    let body = if lie.is_some() { &body[..body.len().min(length as usize)] } else { body };
    send_body(stream, body, faults, pause)?;
    if endless {
        send_zeros(stream)?;
    }
    stream.flush()?;
    if faults.contains(&Fault::Reset) {
        return Ok(After::Reset);
    }
    Ok(if close { After::Close } else { After::KeepAlive })
}

fn head(answer: &Answer, length: Option<i64>, close: bool) -> String {
    let mut head = format!("HTTP/1.1 {} {}\r\n", answer.status, reason(answer.status));
    for (name, value) in &answer.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if let Some(length) = length.filter(|_| answer.status != 304) {
        head.push_str(&format!("Content-Length: {length}\r\n"));
    }
    if close {
        head.push_str("Connection: close\r\n");
    }
    head.push_str("\r\n");
    head
}

fn send_body(stream: &mut &TcpStream, body: &[u8], faults: &[Fault], pause: &dyn Fn(u64) -> bool) -> io::Result<()> {
    let drip = faults.iter().find_map(|fault| match fault {
        Fault::Drip { bytes, pause_ms } => Some((*bytes, *pause_ms)),
        _ => None,
    });
    let Some((bytes, pause_ms)) = drip else { return stream.write_all(body) };
    for piece in body.chunks(bytes.max(1)).take(DRIP_PIECES) {
        stream.write_all(piece)?;
        stream.flush()?;
        if !pause(pause_ms) {
            return Err(io::Error::new(io::ErrorKind::Interrupted, "the server is going away"));
        }
    }
    Ok(())
}

fn send_zeros(stream: &mut &TcpStream) -> io::Result<()> {
    let zeros = vec![0; 64 * 1024];
    for _ in 0..ENDLESS_BYTES / zeros.len() {
        stream.write_all(&zeros)?;
    }
    Ok(())
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        401 => "Unauthorized",
        404 => "Not Found",
        405 => "Method Not Allowed",
        416 => "Range Not Satisfiable",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Other",
    }
}
