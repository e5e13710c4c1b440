//! The index answers as the protocols say, and breaks them only where it is told to.
#![expect(clippy::unwrap_used, reason = "in a test, what cannot be read is a failure")]

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use pinfold_testkit::{Fault, Index, PageFormats, Server, TempHome, WheelRecipe, sha256_hex};

const WHEEL: &str = "a-1.0-py3-none-any.whl";

/// An answer as it came over the wire.
#[derive(Debug)]
struct Reply {
    head: String,
    body: Vec<u8>,
    error: Option<ErrorKind>,
}

impl Reply {
    fn status(&self) -> u16 {
        self.head[9..12].parse().unwrap()
    }

    fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// Asks once, on a connection of its own, and reads at most 1 MiB.
fn ask(server: &Server, method: &str, path: &str, headers: &str) -> Reply {
    ask_host(&server.host(), method, path, headers)
}

fn ask_host(host: &str, method: &str, path: &str, headers: &str) -> Reply {
    let mut stream = TcpStream::connect(host).unwrap();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let (mut bytes, mut buffer, mut error) = (Vec::new(), vec![0; 65536], None);
    while bytes.len() < 1 << 20 {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
            Err(failure) => {
                error = Some(failure.kind());
                break;
            }
        }
    }
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(bytes.len());
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    Reply { head, body: bytes.get(end + 4..).unwrap_or_default().to_vec(), error }
}

fn file(server: &Server, headers: &str) -> Reply {
    ask(server, "GET", &format!("/files/{WHEEL}"), headers)
}

/// Starts an index with one wheel and this fault on it.
fn faulty(fault: Fault) -> Server {
    Index::new().wheel("a", "1.0").fault(fault).start()
}

#[test]
fn serves_json_and_html_as_the_client_likes() {
    let index = Index::new().wheel("a", "1.0").requires_python(">=3.8,<4").yanked("bad & <old>").sidecars();
    let server = index.uploaded("2024-01-02T03:04:05Z").start();
    let digest = sha256_hex(&server.file_bytes(WHEEL));
    let json = ask(&server, "GET", "/simple/a/", "Accept: application/vnd.pypi.simple.v1+json\r\n");
    assert_eq!(json.header("Content-Type"), Some("application/vnd.pypi.simple.v1+json"));
    let page: serde_json::Value = serde_json::from_slice(&json.body).unwrap();
    let row = &page["files"][0];
    assert_eq!(row["hashes"]["sha256"], digest);
    assert_eq!(row["size"], server.file_bytes(WHEEL).len());
    assert_eq!(row["upload-time"], "2024-01-02T03:04:05Z");
    assert_eq!(row["url"], format!("../../files/{WHEEL}"));
    assert_eq!(page["versions"][0], "1.0");
    let html = ask(&server, "GET", "/simple/a/", "Accept: text/html\r\n");
    assert_eq!(html.header("Content-Type"), Some("text/html; charset=utf-8"));
    assert!(html.text().contains(&format!("<a href=\"../../files/{WHEEL}#sha256={digest}\"")));
    assert!(html.text().contains("data-requires-python=\"&gt;=3.8,&lt;4\" data-yanked=\"bad &amp; &lt;old&gt;\""));
    let sidecar = ask(&server, "GET", &format!("/files/{WHEEL}.metadata"), "");
    assert!(html.text().contains(&format!("data-core-metadata=\"sha256={}\"", sha256_hex(&sidecar.body))));
    assert!(sidecar.text().contains("Requires-Python: >=3.8,<4"));
}

#[test]
fn serves_one_format_if_told_to() {
    for (formats, expected) in [(PageFormats::Html, "text/html"), (PageFormats::Json, "application/vnd.pypi")] {
        let server = Index::new().project("a").formats(formats).start();
        let reply = ask(&server, "GET", "/simple/a/", "Accept: text/html, application/vnd.pypi.simple.v1+json\r\n");
        assert!(reply.header("Content-Type").unwrap().starts_with(expected));
    }
}

#[test]
fn answers_for_what_is_not_there() {
    let server = Index::new().wheel("Foo_Bar", "1.0").start();
    for (path, status) in [("/simple/b/", 404), ("/simple/foo-bar", 301), ("/simple/foo-bar/", 200), ("/x", 404)] {
        assert_eq!(ask(&server, "GET", path, "").status(), status, "{path}");
    }
    assert_eq!(ask(&server, "POST", "/simple/foo-bar/", "").status(), 405);
}

#[test]
fn serves_ranges() {
    let server = Index::new().wheel("a", "1.0").start();
    let bytes = server.file_bytes(WHEEL);
    let total = bytes.len();
    let etag = file(&server, "").header("ETag").unwrap().to_owned();
    for (headers, expected) in [
        ("Range: bytes=2-5\r\n".to_owned(), &bytes[2..6]),
        ("Range: bytes=5-\r\n".to_owned(), &bytes[5..]),
        ("Range: bytes=-7\r\n".to_owned(), &bytes[total - 7..]),
        ("Range: bytes=-999999\r\n".to_owned(), &bytes[..]),
        (format!("Range: bytes=0-0\r\nIf-Range: {etag}\r\n"), &bytes[..1]),
    ] {
        let reply = file(&server, &headers);
        assert_eq!((reply.status(), &reply.body[..]), (206, expected), "{headers}");
        assert!(reply.header("Content-Range").unwrap().ends_with(&format!("/{total}")));
    }
    let reply = file(&server, "Range: bytes=0-0\r\nIf-Range: \"other\"\r\n");
    assert_eq!((reply.status(), reply.body.len()), (200, total));
    assert_eq!(file(&server, "Range: bytes=999999-\r\n").status(), 416);
    let plain = Index::new().wheel("a", "1.0").without_ranges().start();
    assert_eq!((file(&plain, "Range: bytes=0-0\r\n").status(), file(&plain, "").body.len()), (200, total));
}

#[test]
fn says_what_has_not_changed() {
    let server = Index::new().wheel("a", "1.0").start();
    let etag = ask(&server, "GET", "/simple/a/", "").header("ETag").unwrap().to_owned();
    let again = ask(&server, "GET", "/simple/a/", &format!("If-None-Match: {etag}\r\n"));
    assert_eq!((again.status(), again.body.len()), (304, 0));
    server.update(&Index::new().wheel("a", "1.0").wheel("a", "2.0"));
    assert_eq!(ask(&server, "GET", "/simple/a/", &format!("If-None-Match: {etag}\r\n")).status(), 200);
    let none = Index::new().wheel("a", "1.0").without_validators().start();
    assert_eq!(ask(&none, "GET", "/simple/a/", "").header("ETag"), None);
}

#[test]
fn keeps_a_connection_and_answers_head() {
    let server = Index::new().wheel("a", "1.0").start();
    let total = server.file_bytes(WHEEL).len();
    let mut stream = TcpStream::connect(server.host()).unwrap();
    let request = |method| format!("{method} /files/{WHEEL} HTTP/1.1\r\nHost: x\r\n\r\n");
    // Both at once: the second must wait its turn in the socket.
    stream.write_all((request("HEAD") + &request("GET")).as_bytes()).unwrap();
    let mut text = Vec::new();
    let mut buffer = vec![0; 65536];
    while text.windows(4).filter(|window| window == b"\r\n\r\n").count() < 2 || text.len() < total {
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0);
        text.extend_from_slice(&buffer[..count]);
    }
    let length = format!("Content-Length: {total}\r\n");
    assert_eq!(String::from_utf8_lossy(&text).matches(&length).count(), 2);
    let methods: Vec<String> = server.requests().into_iter().map(|request| request.method).collect();
    assert_eq!(methods, ["HEAD", "GET"]);
}

#[test]
fn breaks_what_it_sends() {
    let total = WheelRecipe::new("a", "1.0").build().len();
    let cut = file(&faulty(Fault::Truncated), "");
    assert_eq!((cut.body.len(), cut.error), (total / 2, None));
    assert_eq!(cut.header("Content-Length"), Some(total.to_string().as_str()));
    assert_eq!(file(&faulty(Fault::Reset), "").error, Some(ErrorKind::ConnectionReset));
    let endless = file(&faulty(Fault::Endless), "");
    assert!(endless.body.len() > 100 * total && endless.header("Content-Length").is_none());
    let drip = file(&faulty(Fault::Drip { bytes: 100, pause_ms: 1 }), "");
    assert_eq!(drip.body.len(), total);
    for lie in [-10, 10] {
        let reply = file(&faulty(Fault::WrongLength(lie)), "");
        assert_eq!(reply.header("Content-Length"), Some((total as i64 + lie).to_string().as_str()));
        assert_eq!(reply.body.len() as i64, total as i64 + lie.min(0));
    }
    assert_eq!(file(&faulty(Fault::WrongContentType("text/x".to_owned())), "").header("Content-Type"), Some("text/x"));
    assert_eq!(file(&faulty(Fault::Coded("br".to_owned())), "").header("Content-Encoding"), Some("br"));
    assert_eq!(file(&faulty(Fault::Delay(1)), "").body.len(), total);
}

#[test]
fn sends_other_bytes() {
    let right = WheelRecipe::new("a", "1.0").build();
    let wrong = file(&faulty(Fault::WrongBytes), "").body;
    assert!(wrong.len() == right.len() && wrong != right);
    assert_eq!(file(&faulty(Fault::Swapped(b"other".to_vec())), "").text(), "other");
    let shifted = file(&faulty(Fault::WrongOffset(3)), "Range: bytes=10-19\r\n");
    assert_eq!((shifted.status(), &shifted.body[..]), (206, &right[13..20]));
    assert!(shifted.header("Content-Range").unwrap().starts_with("bytes 13-19/"));
    assert_eq!(file(&faulty(Fault::NoRange), "Range: bytes=10-19\r\n").status(), 200);
}

#[test]
fn fails_and_recovers() {
    let server = faulty(Fault::StatusThen { status: 503, times: 2 });
    assert_eq!([0; 3].map(|_| file(&server, "").status()), [503, 503, 200]);
    let server = faulty(Fault::TruncatedThen(1));
    let [first, second] = [0; 2].map(|_| file(&server, "").body.len());
    assert_eq!(first, second / 2);
    let server = faulty(Fault::Status(500));
    assert_eq!(file(&server, "").status(), 500);
    server.heal();
    assert_eq!(file(&server, "").status(), 200);
}

#[test]
fn lies_on_the_page() {
    let row = |fault: Fault| {
        let reply = ask(&faulty(fault), "GET", "/simple/a/", "Accept: */*\r\n");
        serde_json::from_slice::<serde_json::Value>(&reply.body).unwrap()["files"][0].clone()
    };
    let right = row(Fault::Delay(0));
    assert_eq!(row(Fault::NoHash)["hashes"], serde_json::json!({}));
    assert_eq!(row(Fault::Md5Only)["hashes"].as_object().unwrap().keys().collect::<Vec<_>>(), ["md5"]);
    assert_ne!(row(Fault::WrongHash)["hashes"]["sha256"], right["hashes"]["sha256"]);
    assert_eq!(row(Fault::WrongSize(-3))["size"], right["size"].as_i64().unwrap() - 3);
}

#[test]
fn is_several_origins() {
    let other = Index::new().wheel("a", "1.0").start();
    let server = Index::new().wheel("a", "1.0").fault(Fault::RedirectTo(other.file_url(WHEEL))).start();
    let redirect = file(&server, "");
    assert_eq!((redirect.status(), redirect.header("Location")), (302, Some(other.file_url(WHEEL).as_str())));
    let split = Index::new().wheel("a", "1.0").files_elsewhere().start();
    assert_ne!(split.host(), split.file_host());
    assert_eq!(ask(&split, "GET", &format!("/files/{WHEEL}"), "").status(), 404);
    assert_eq!(ask_host(&split.file_host(), "GET", &format!("/files/{WHEEL}"), "").status(), 200);
    assert!(ask(&split, "GET", "/simple/a/", "").text().contains(&split.file_url(WHEEL)));
    let origins: Vec<String> = split.requests_to("/files/").into_iter().map(|request| request.origin).collect();
    assert_eq!(origins, [format!("http://{}", split.host()), format!("http://{}", split.file_host())]);
    assert!(split.origin().check(&split.artifact(WHEEL).url).is_ok());
    assert!(server.origin().check(&other.artifact(WHEEL).url).is_err());
}

#[test]
fn asks_for_a_login() {
    let server = Index::new().wheel("a", "1.0").login("user", "secret").start();
    assert_eq!(file(&server, "").status(), 401);
    assert_eq!(file(&server, "Authorization: Basic dXNlcjpzZWNyZXQ=\r\n").status(), 200);
    assert_eq!(server.requests()[1].header("authorization"), Some("Basic dXNlcjpzZWNyZXQ="));
    assert_eq!(server.requests().iter().map(|request| request.status).collect::<Vec<_>>(), [401, 200]);
}

#[test]
fn swaps_a_file_under_its_name() {
    let server = Index::new().wheel("a", "1.0").start();
    let page = ask(&server, "GET", "/simple/a/", "").body;
    server.replace_file(WHEEL, "other bytes");
    assert_eq!(file(&server, "").text(), "other bytes");
    assert_eq!(ask(&server, "GET", "/simple/a/", "").body, page);
}

#[test]
fn holds_answers_back_but_gives_the_same() {
    let plain = Index::new().wheel("a", "1.0").start();
    let shuffled = Index::new().wheel("a", "1.0").shuffle(7).start();
    assert_eq!(file(&plain, "").body, file(&shuffled, "").body);
    plain.shuffle(8);
    assert_eq!(file(&plain, "").body, file(&shuffled, "").body);
    assert_eq!(file(&plain, "Range: bytes=2-5\r\n").body, file(&shuffled, "Range: bytes=2-5\r\n").body);
}

#[test]
fn writes_itself_into_a_directory() {
    let home = TempHome::new();
    Index::new().wheel("a", "1.0").sidecars().write_to(&home.project());
    let names: Vec<String> =
        home.snapshot("").into_iter().map(|(name, _)| name).filter(|name| name.contains('.')).collect();
    let sidecar = format!("files/{WHEEL}.metadata");
    assert_eq!(names, [&format!("files/{WHEEL}"), &sidecar, "simple/a/index.html", "simple/a/index.json"]);
    assert!(home.read("simple/a/index.html").contains(&format!("../../files/{WHEEL}#sha256=")));
}

#[test]
fn goes_away_with_connections_open() {
    let server = Index::new().wheel("a", "1.0").fault(Fault::Delay(600_000)).start();
    let mut idle = TcpStream::connect(server.host()).unwrap();
    let mut waiting = TcpStream::connect(server.host()).unwrap();
    waiting.write_all(format!("GET /files/{WHEEL} HTTP/1.1\r\n\r\n").as_bytes()).unwrap();
    drop(server);
    let mut rest = Vec::new();
    // Closed or reset: either way it ends.
    let _ = idle.read_to_end(&mut rest);
    let _ = waiting.read_to_end(&mut rest);
}
