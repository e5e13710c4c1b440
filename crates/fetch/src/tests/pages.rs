//! Pages: the cache and its freshness, compression, and bodies that lie.

use std::io::Write;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use pinfold_testkit::Fault;

use super::scripted::{Scripted, raw, whole};
use super::*;
use crate::{Credential, Keeping, Secret};

const HTML: &str = "text/html; charset=utf-8";

fn fetch(server: &Scripted) -> Result<PageReply, FetchError> {
    Bench::new().fetcher().page(&origin_of(&server.url), &url(&format!("{}a/", server.url)), Freshness::Revalidate)
}

#[test]
fn a_page_is_asked_for_as_json_and_cached() {
    let (bench, server) = (Bench::new(), with_file().start());
    let fetcher = bench.fetcher();
    let first = found(page(&fetcher, &server, Freshness::Advised));
    assert_eq!(first.content_type, "application/vnd.pypi.simple.v1+json");
    assert!(!first.from_cache);
    assert_eq!(first.url.as_str(), server.page_url("a"));
    let request = &server.requests()[0];
    assert!(request.header("accept").unwrap().starts_with("application/vnd.pypi.simple.v1+json,"));
    assert_eq!(request.header("accept-encoding"), Some("gzip"));
    assert_eq!(request.header("cookie").or(request.header("referer")), None);
    // Without advice it serves for ten minutes, and whoever starts later finds it too.
    for freshness in [Freshness::Advised, Freshness::Any, Freshness::NewerThan(Duration::from_secs(60))] {
        let again = found(page(&bench.fetcher(), &server, freshness));
        assert!(again.from_cache);
        assert_eq!(Page { from_cache: false, ..again }, first);
    }
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn an_old_page_is_asked_for_again_and_304_makes_it_young() {
    let (bench, server) = (Bench::new(), with_file().start());
    let fetcher = bench.fetcher();
    let origin = server.origin();
    let address = url(&server.page_url("a"));
    let first = found(page(&fetcher, &server, Freshness::Advised));
    let age = |seconds: u64| {
        let time = SystemTime::now() - Duration::from_secs(seconds);
        let entry = walk(&bench.path("cache"));
        std::fs::File::options().append(true).open(&entry[0]).unwrap().set_modified(time).unwrap();
    };
    let check = |seconds, freshness, expected: bool| {
        age(seconds);
        assert_eq!(fetcher.fresh_since(&origin, &address, freshness).unwrap().is_some(), expected, "{seconds}");
    };
    check(599, Freshness::Advised, true);
    check(601, Freshness::Advised, false);
    check(601, Freshness::Any, true);
    check(601, Freshness::NewerThan(Duration::from_secs(700)), true);
    check(601, Freshness::NewerThan(Duration::from_secs(600)), false);
    check(0, Freshness::Revalidate, false);
    age(601);
    let again = found(page(&fetcher, &server, Freshness::Advised));
    assert!(again.from_cache);
    assert_eq!(again.bytes, first.bytes);
    let request = &server.requests()[1];
    assert_eq!(request.status, 304);
    assert!(request.header("if-none-match").is_some());
    assert!(fetcher.fresh_since(&origin, &address, Freshness::Advised).unwrap().is_some());
    // The index moves on: the new page replaces the old one.
    server.update(&with_file().wheel("a", "2.0"));
    let moved = found(page(&fetcher, &server, Freshness::Revalidate));
    assert!(!moved.from_cache && moved.bytes != first.bytes);
    assert_eq!(found(page(&fetcher, &server, Freshness::Any)).bytes, moved.bytes);
}

#[test]
fn the_server_advises_how_long_a_page_serves() {
    let check = |advice: &str, expected: usize| {
        let header = format!("Cache-Control: {advice}");
        let server = Scripted::start(move |_, _| {
            raw("200 OK", &["Content-Type: text/html", "Content-Length: 2", &header], b"ok")
        });
        let bench = Bench::new();
        for _ in 0..2 {
            let address = url(&format!("{}a/", server.url));
            found(bench.fetcher().page(&origin_of(&server.url), &address, Freshness::Advised));
        }
        assert_eq!(server.heads().len(), expected, "{advice}");
    };
    check("public, max-age=300", 1);
    check("max-age=0", 2);
    check("no-cache", 2);
    check("no-store", 2);
}

#[test]
fn an_absent_page_is_no_error_and_remembered() {
    let (bench, server) = (Bench::new(), with_file().start());
    let address = url(&server.page_url("nothing"));
    for _ in 0..2 {
        let reply = bench.fetcher().page(&server.origin(), &address, Freshness::Advised).unwrap();
        assert_eq!(reply, PageReply::Absent);
    }
    assert_eq!(server.requests().len(), 1);
    assert_eq!(bench.offline().page(&server.origin(), &address, Freshness::Revalidate).unwrap(), PageReply::Absent);
}

#[test]
fn offline_serves_what_is_cached_and_nothing_else() {
    let (bench, server) = (Bench::new(), with_file().start());
    let error = page(&bench.offline(), &server, Freshness::Any).unwrap_err();
    assert_eq!(summary(&error), "Offline x0");
    let online = found(page(&bench.fetcher(), &server, Freshness::Advised));
    server.forget_requests();
    let offline = found(page(&bench.offline(), &server, Freshness::Revalidate));
    assert_eq!(offline.bytes, online.bytes);
    let (fetcher, origin, file) = (bench.offline(), server.origin(), url(&server.file_url(FILE)));
    let all = [
        fetcher.small(&origin, &file, 10).unwrap_err(),
        fetcher.range(&origin, &file, crate::Span::LastBytes(1)).unwrap_err(),
        fetcher.digest(&origin, &file, 1 << 30).unwrap_err(),
        fetcher.download(&server.artifact(FILE), &bench.store(), &|_| ()).unwrap_err(),
    ];
    assert!(all.iter().all(|error| summary(error) == "Offline x0"));
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn one_index_never_answers_for_another() {
    let (bench, server) = (Bench::new(), with_file().start());
    let address = url(&server.page_url("a"));
    bench.fetcher().page(&server.origin(), &address, Freshness::Any).unwrap();
    let other = pinfold_artifact::Origin::new(&url("https://other.example/"), url(&server.url()).file_host());
    assert_eq!(summary(&bench.offline().page(&other, &address, Freshness::Any).unwrap_err()), "Offline x0");
    // Nor does an entry that was put into another's place.
    bench.fetcher().page(&other, &address, Freshness::Any).unwrap();
    let entries = walk(&bench.path("cache"));
    assert_eq!(entries.len(), 2);
    let (one, two) = (std::fs::read(&entries[0]).unwrap(), std::fs::read(&entries[1]).unwrap());
    std::fs::write(&entries[0], two).unwrap();
    std::fs::write(&entries[1], one).unwrap();
    for origin in [&other, &server.origin()] {
        assert!(bench.offline().page(origin, &address, Freshness::Any).is_err());
    }
}

#[test]
fn a_damaged_cache_entry_is_fetched_again() {
    let (bench, server) = (Bench::new(), with_file().start());
    let whole = found(page(&bench.fetcher(), &server, Freshness::Any));
    let entry = walk(&bench.path("cache")).remove(0);
    let bytes = std::fs::read(&entry).unwrap();
    for damaged in [&b""[..], b"nonsense", b"{}\n", &bytes[..bytes.len() - 1], &[&bytes[..], b"x"].concat()] {
        std::fs::write(&entry, damaged).unwrap();
        let again = found(page(&bench.fetcher(), &server, Freshness::Any));
        assert!(!again.from_cache);
        assert_eq!(again.bytes, whole.bytes);
    }
    assert!(found(page(&bench.fetcher(), &server, Freshness::Any)).from_cache);
}

#[test]
fn a_server_that_recovers_is_asked_again_and_one_that_says_no_is_not() {
    let check = |fault: Fault, expected: &str, requests: usize| {
        let (bench, server) = (Bench::new(), with_file().start());
        server.fault_on("/simple/a/", fault);
        let said = match page(&bench.fetcher(), &server, Freshness::Advised) {
            Ok(PageReply::Found(_)) => "found".to_owned(),
            Ok(PageReply::Absent) => "absent".to_owned(),
            Err(error) => summary(&error),
        };
        assert_eq!((said.as_str(), server.requests().len()), (expected, requests));
        if expected != "absent" && expected != "found" {
            assert_eq!(walk(&bench.path("cache")).len(), 0, "nothing cached");
        }
    };
    check(Fault::StatusThen { status: 503, times: 3 }, "found", 4);
    check(Fault::StatusThen { status: 429, times: 1 }, "found", 2);
    check(Fault::StatusThen { status: 500, times: 4 }, "Status x4", 4);
    check(Fault::Status(400), "Status x1", 1);
    check(Fault::Status(410), "absent", 1);
    check(Fault::Status(401), "Unauthorized x1", 1);
    check(Fault::Status(403), "Unauthorized x1", 1);
    check(Fault::Truncated, "Truncated x4", 4);
    check(Fault::TruncatedThen(2), "found", 3);
    check(Fault::Reset, "Truncated x4", 4);
    check(Fault::WrongLength(7), "Truncated x4", 4);
    check(Fault::WrongContentType("text/plain".to_owned()), "ContentType x1", 1);
    check(Fault::WrongContentType("application/vnd.pypi.simple.v2+json".to_owned()), "ContentType x1", 1);
}

#[test]
fn a_server_that_names_the_date_when_it_is_back_is_left_alone_until_then() {
    // A pause that would end after the deadline is not begun: that the server was asked once says that it was wanted.
    let check = |status: &'static str, until: &'static str, requests: usize| {
        let server = Scripted::start(move |_, _| {
            raw(status, &["Date: Sun, 06 Nov 1994 08:49:30 GMT", &format!("Retry-After: {until}")], b"")
        });
        let mut bench = Bench::new();
        bench.settings.timing.longest_pause = Duration::from_secs(3600);
        let asked = bench.fetcher().small(&origin_of(&server.url), &url(&server.url), 1000);
        assert_eq!(summary(&asked.unwrap_err()), format!("Status x{requests}"), "{until}");
        assert_eq!(server.heads().len(), requests, "{until}");
    };
    for status in ["503 Service Unavailable", "429 Too Many Requests"] {
        check(status, "Sun, 06 Nov 1994 09:49:30 GMT", 1);
        check(status, "3600", 1);
        check(status, "Sun, 06 Nov 1994 08:49:30 GMT", 4);
        check(status, "Sun, 06 Nov 1994 07:49:30 GMT", 4);
        check(status, "in an hour", 4);
    }
}

#[test]
fn a_body_without_a_marked_end_is_no_whole_page() {
    let server = Scripted::start(|_, _| raw("200 OK", &["Content-Type: text/html"], b"<a>half a page"));
    assert_eq!(summary(&fetch(&server).unwrap_err()), "Truncated x4");
    let server = Scripted::start(|_, _| whole(HTML, b"a page"));
    assert_eq!(found(fetch(&server)).bytes, b"a page");
    let chunked = ["Content-Type: text/html", "Transfer-Encoding: chunked"];
    let server = Scripted::start(move |_, _| raw("200 OK", &chunked, b"6\r\na page\r\n0\r\n\r\n"));
    assert_eq!(found(fetch(&server)).bytes, b"a page");
    let server = Scripted::start(move |_, _| raw("200 OK", &chunked, b"6\r\na page\r\n"));
    assert_eq!(summary(&fetch(&server).unwrap_err()), "Truncated x4");
}

#[test]
fn compressed_pages_are_read_and_bombs_are_not() {
    let gzip = |bytes: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let check = |encoding: &'static str, body: Vec<u8>, expected: &str| {
        let headers = [HTML_TYPE.to_owned(), encoding.to_owned(), format!("Content-Length: {}", body.len())];
        let server =
            Scripted::start(move |_, _| raw("200 OK", &headers.iter().map(String::as_str).collect::<Vec<_>>(), &body));
        let said = match fetch(&server) {
            Ok(reply) => String::from_utf8(found(Ok(reply)).bytes).unwrap(),
            Err(error) => summary(&error),
        };
        assert_eq!(said, expected);
    };
    let bomb = {
        // Each part is 16 MiB of zeros in 16 KiB; nine of them are more than a page may have.
        let part = gzip(&vec![0; 16 << 20]);
        part.repeat(9)
    };
    assert!(bomb.len() < 1 << 20);
    check("Content-Encoding: gzip", gzip(b"a page"), "a page");
    check("Content-Encoding: X-GZIP", gzip(b"a page"), "a page");
    check("Content-Encoding: identity", b"a page".to_vec(), "a page");
    check("Content-Encoding: gzip", bomb, "TooLarge x1 [size-limit]");
    check("Content-Encoding: gzip", gzip(b"a page")[..15].to_vec(), "Encoding x1");
    check("Content-Encoding: gzip", b"a page".to_vec(), "Encoding x1");
    check("Content-Encoding: br", b"a page".to_vec(), "Encoding x1");
    check("Content-Encoding: gzip, gzip", gzip(&gzip(b"a page")), "Encoding x1");
}

const HTML_TYPE: &str = "Content-Type: text/html";

#[test]
fn a_page_that_drips_misses_its_deadline() {
    let (mut bench, server) = (Bench::new(), with_file().start());
    let started = std::time::Instant::now();
    server.fault_on("/simple/a/", Fault::Drip { bytes: 1, pause_ms: 20 });
    bench.settings.timing.deadline_floor = Duration::from_millis(300);
    let error = page(&bench.fetcher(), &server, Freshness::Advised).unwrap_err();
    assert_eq!(summary(&error), "TooSlow x1");
    assert!(started.elapsed() < Duration::from_secs(10));
    bench.settings.timing.deadline_floor = Duration::from_secs(60);
    bench.settings.timing.stall = Duration::from_millis(5);
    bench.settings.timing.attempts = 2;
    let error = page(&bench.fetcher(), &server, Freshness::Advised).unwrap_err();
    assert_eq!(summary(&error), "Timeout x2");
    server.heal();
    bench.settings.timing.stall = Duration::from_secs(20);
    found(page(&bench.fetcher(), &server, Freshness::Advised));
}

#[test]
fn nobody_there_is_tried_again_and_then_an_error() {
    let server = with_file().start();
    let (origin, address) = (server.origin(), url(&server.page_url("a")));
    drop(server);
    let error = Bench::new().fetcher().page(&origin, &address, Freshness::Any).unwrap_err();
    assert_eq!(summary(&error), "Connect x4");
    assert!(!error.is_refusal());
}

#[test]
fn a_login_is_sent_to_its_host_only() {
    let server = with_file().login("me", "pass-phrase").start();
    let mut bench = Bench::new();
    let secret = |password: &str| Secret::Basic { user: "me".to_owned(), password: password.to_owned() };
    assert_eq!(summary(&page(&bench.fetcher(), &server, Freshness::Any).unwrap_err()), "Unauthorized x1");
    let elsewhere = "http://127.0.0.1:1".parse().unwrap();
    bench.settings.credentials = vec![Credential { host: elsewhere, secret: secret("pass-phrase") }];
    assert_eq!(summary(&page(&bench.fetcher(), &server, Freshness::Any).unwrap_err()), "Unauthorized x1");
    assert!(server.requests().iter().all(|request| request.header("authorization").is_none()));
    let host = url(&server.url()).file_host().unwrap();
    bench.settings.credentials = vec![Credential { host, secret: secret("wrong") }];
    assert_eq!(summary(&page(&bench.fetcher(), &server, Freshness::Any).unwrap_err()), "Unauthorized x1");
    bench.settings.credentials[0].secret = secret("pass-phrase");
    found(page(&bench.fetcher(), &server, Freshness::Any));
    assert!(!format!("{:?}", bench.settings).contains("pass-phrase"));
}

#[test]
fn fifty_threads_ask_at_once() {
    let mut index = with_file();
    for number in 0..50 {
        index = index.wheel(&format!("p{number}"), "1.0");
    }
    let (bench, server) = (Bench::new(), index.start());
    let fetcher = bench.fetcher();
    std::thread::scope(|scope| {
        for number in 0..50 {
            let (fetcher, server) = (&fetcher, &server);
            scope.spawn(move || {
                let address = url(&server.page_url(&format!("p{number}")));
                let page = found(fetcher.page(&server.origin(), &address, Freshness::Advised));
                assert!(String::from_utf8(page.bytes).unwrap().contains(&format!("p{number}-1.0")));
            });
        }
    });
    assert_eq!(server.requests().len(), 50);
}

#[test]
fn what_was_derived_is_recalled_by_kind_origin_and_url() {
    let bench = Bench::new();
    let fetcher = bench.fetcher();
    let (one, two) = (origin_of("https://one.example/"), origin_of("https://two.example/"));
    let file = url("https://one.example/a.whl");
    assert_eq!(fetcher.recall("metadata", &one, &file).unwrap(), None);
    fetcher.remember("metadata", &one, &file, Bytes::from_static(b"Name: a")).unwrap();
    fetcher.remember("empty", &one, &file, Bytes::new()).unwrap();
    let offline = bench.offline();
    assert_eq!(offline.recall("metadata", &one, &file).unwrap().unwrap(), "Name: a");
    assert_eq!(offline.recall("empty", &one, &file).unwrap().unwrap(), "");
    assert_eq!(offline.recall("metadata", &two, &file).unwrap(), None);
    assert_eq!(offline.recall("page", &one, &file).unwrap(), None);
    for entry in walk(&bench.path("cache")) {
        std::fs::write(entry, b"torn").unwrap();
    }
    assert_eq!(bench.offline().recall("metadata", &one, &file).unwrap(), None);
}

#[test]
fn what_a_run_looked_at_is_kept_in_one_pack() {
    let bench = Bench::new();
    let origin = origin_of("https://one.example/");
    let [read, noted, other] = ["read", "noted", "other"].map(|name| url(&format!("https://one.example/{name}.whl")));
    bench.fetcher().remember("metadata", &origin, &read, Bytes::from_static(b"1")).unwrap();
    let first = bench.fetcher();
    first.open_pack("targets").unwrap();
    assert_eq!(first.recall_packed("metadata", &origin, &read), None);
    assert_eq!(first.recall("metadata", &origin, &read).unwrap().unwrap(), "1");
    first.note("metadata", &origin, &noted, Bytes::from_static(b"2"));
    first.keep_pack().unwrap();
    let second = bench.offline();
    second.open_pack("targets").unwrap();
    for (address, answer) in [(&read, Some("1")), (&noted, Some("2")), (&other, None)] {
        assert_eq!(second.recall_packed("metadata", &origin, address), answer.map(Bytes::from));
    }
    assert_eq!(second.recall_packed("metadata", &origin_of("https://two.example/"), &read), None);
    let another = bench.offline();
    another.open_pack("other targets").unwrap();
    assert_eq!(another.recall_packed("metadata", &origin, &read), None);
}

#[test]
fn certificates_that_are_not_there_are_an_error_at_once() {
    let mut bench = Bench::new();
    std::fs::write(bench.path("empty.pem"), "").unwrap();
    let directory = bench.directory.path().to_owned();
    for missing in [bench.path("missing.pem"), PathBuf::new(), bench.path("empty.pem"), directory] {
        bench.settings.ca_bundle = Some(missing);
        let error = Fetcher::new(bench.settings.clone()).unwrap_err();
        assert_eq!(summary(&error), "CaBundle x0");
    }
}

#[test]
fn certificates_that_cannot_be_read_are_an_error_before_anything_is_sent() {
    let (mut bench, server) = (Bench::new(), with_file().start());
    for contents in ["no certificate here", "-----BEGIN CERTIFICATE-----\nAAAA\n"] {
        std::fs::write(bench.path("ca.pem"), contents).unwrap();
        bench.settings.ca_bundle = Some(bench.path("ca.pem"));
        let error = page(&bench.fetcher(), &server, Freshness::Advised).unwrap_err();
        assert_eq!(summary(&error), "CaBundle x0");
    }
    assert!(server.requests().is_empty());
}

#[test]
#[cfg(unix)]
fn a_cache_that_others_may_write_to_is_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new();
    let set = |mode| std::fs::set_permissions(bench.path("cache"), std::fs::Permissions::from_mode(mode)).unwrap();
    bench.fetcher();
    for mode in [0o720, 0o702] {
        set(mode);
        assert_eq!(summary(&Fetcher::new(bench.settings.clone()).unwrap_err()), "Cache x0");
    }
    set(0o700);
    bench.fetcher();
}

/// Returns every file below a directory.
fn walk(directory: &std::path::Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(walk(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

#[test]
fn a_page_that_may_not_be_kept_as_a_whole_serves_offline_and_is_asked_for_in_full_otherwise() {
    let server = Scripted::start(|_, _| {
        let body = b"<a href='a?token=secret'>";
        let headers = ["Content-Type: text/html", "ETag: \"1\"", "Cache-Control: max-age=600", "Content-Length: 25"];
        raw("200 OK", &headers, body)
    });
    let page = url(&format!("{}a/", server.url));
    let ask = |fetcher: &Fetcher, freshness| found(fetcher.page(&origin_of(&server.url), &page, freshness));
    let mut bench = Bench::new();
    bench.settings.keeping = |content_type, page| {
        assert_eq!((content_type, page.len()), ("text/html", 25));
        Keeping::Instead(b"less".to_vec())
    };
    for count in 1..=2 {
        let answer = ask(&bench.fetcher(), Freshness::Advised);
        assert_eq!((answer.bytes.len(), answer.from_cache, server.heads().len()), (25, false, count));
        assert!(!server.heads()[count - 1].contains("if-none-match"), "a 304 would be about what was left out");
    }
    assert_eq!(ask(&bench.fetcher(), Freshness::Any).bytes, b"less");
    assert_eq!(ask(&bench.offline(), Freshness::Advised).bytes, b"less");
    // Nothing of it, not even what was kept before.
    bench.settings.keeping = |_, _| Keeping::Nothing;
    ask(&bench.fetcher(), Freshness::Advised);
    let answer = bench.offline().page(&origin_of(&server.url), &page, Freshness::Advised);
    assert_eq!(summary(&answer.unwrap_err()), "Offline x0");
}

#[test]
fn what_signs_the_url_of_a_page_is_not_kept() {
    let server = Scripted::start(|head, _| {
        if head.contains("sig=s3cr3t") {
            return whole(HTML, b"<a href='b.whl'>");
        }
        raw("302 Found", &["Location: signed/?sig=s3cr3t", "Content-Length: 0"], b"")
    });
    let bench = Bench::new();
    let page = url(&format!("{}a/", server.url));
    let ask = |fetcher: &Fetcher| found(fetcher.page(&origin_of(&server.url), &page, Freshness::Advised));
    let (first, again) = (ask(&bench.fetcher()), ask(&bench.offline()));
    assert_eq!((first.url.join("b.whl"), first.bytes), (again.url.join("b.whl"), again.bytes));
    assert!(again.from_cache && again.url.as_str().contains("/a/signed/?sig="));
    let entry = std::fs::read_dir(bench.path("cache")).unwrap().next().unwrap().unwrap().path();
    let kept = std::fs::read(std::fs::read_dir(entry).unwrap().next().unwrap().unwrap().path()).unwrap();
    assert!(!String::from_utf8_lossy(&kept).contains("s3cr3t"));
}
