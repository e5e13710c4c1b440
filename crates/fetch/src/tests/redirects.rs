//! Redirects: followed within the origin, refused beyond it, and no secret travels along.

use pinfold_artifact::{FileHost, Origin};
use pinfold_testkit::Fault;

use super::scripted::{Scripted, raw, whole};
use super::*;
use crate::{Credential, FetchCause, Secret};

fn ask(server: &Server, origin: &Origin) -> Result<PageReply, FetchError> {
    Bench::new().fetcher().page(origin, &url(&server.page_url("a")), Freshness::Revalidate)
}

#[test]
fn a_redirect_within_the_origin_is_followed() {
    let server = with_file().wheel("b", "1.0").start();
    for target in ["/simple/b/".to_owned(), server.page_url("b"), "../b/#fragment".to_owned()] {
        server.heal();
        server.fault_on("/simple/a/", Fault::RedirectTo(target));
        assert_eq!(found(ask(&server, &server.origin())).url.as_str(), server.page_url("b"));
    }
    let without_scheme = format!("//{}/simple/b/", server.host());
    server.heal();
    server.fault_on("/simple/a/", Fault::RedirectTo(without_scheme));
    assert_eq!(found(ask(&server, &server.origin())).url.as_str(), server.page_url("b"));
}

#[test]
fn a_redirect_to_another_host_is_refused_unless_that_host_is_listed() {
    let (server, other) = (with_file().start(), with_file().start());
    server.fault_on("/simple/a/", Fault::RedirectTo(other.page_url("a")));
    let error = ask(&server, &server.origin()).unwrap_err();
    assert_eq!(summary(&error), "RedirectForeign x1 [foreign-redirect]");
    assert_eq!(other.requests().len(), 0);
    let listed: FileHost = format!("http://{}", other.host()).parse().unwrap();
    let origin = Origin::new(&url(&server.url()), [listed]);
    assert_eq!(found(ask(&server, &origin)).url.as_str(), other.page_url("a"));
}

#[test]
fn an_artifact_behind_a_foreign_redirect_is_refused_right_bytes_or_not() {
    let (bench, server, other) = (Bench::new(), with_file().start(), with_file().start());
    server.fault_on(&format!("/files/{FILE}"), Fault::RedirectTo(other.file_url(FILE)));
    let error = bench.fetcher().download(&server.artifact(FILE), &bench.store(), &|_| ()).unwrap_err();
    assert_eq!(summary(&error), "RedirectForeign x1 [foreign-redirect]");
    assert_eq!((other.requests().len(), leftovers(&bench.store())), (0, 0));
    let listed: FileHost = format!("http://{}", other.host()).parse().unwrap();
    let mut artifact = server.artifact(FILE);
    artifact.origin = Origin::new(&url(&server.url()), [listed]);
    bench.fetcher().download(&artifact, &bench.store(), &|_| ()).unwrap();
}

#[test]
fn odd_targets_are_refused_before_any_connection() {
    let check = |target: &str, expected: &str| {
        let server = with_file().start();
        server.fault_on("/simple/a/", Fault::RedirectTo(target.to_owned()));
        assert_eq!(summary(&ask(&server, &server.origin()).unwrap_err()), expected, "{target}");
    };
    check("file:///etc/hostname", "RedirectForeign x1 [foreign-redirect]");
    check("https://127.0.0.1/", "RedirectForeign x1 [foreign-redirect]");
    check("//evil.example/simple/a/", "RedirectForeign x1 [foreign-redirect]");
    check("/\\evil.example/simple/a/", "RedirectMalformed x1 [foreign-redirect]");
    check("ftp://evil.example/", "RedirectMalformed x1 [foreign-redirect]");
    check("data:text/html,x", "RedirectMalformed x1 [foreign-redirect]");
    check("http://me:secret@127.0.0.1/", "RedirectMalformed x1 [foreign-redirect]");
    check("http://", "RedirectMalformed x1 [foreign-redirect]");
    check("/simple/a/", "Redirects x1");
}

#[test]
fn a_redirect_without_a_target_is_an_error() {
    let server = Scripted::start(|_, _| raw("302 Found", &["Content-Length: 0"], b""));
    let address = url(&format!("{}a/", server.url));
    let error = Bench::new().fetcher().page(&origin_of(&server.url), &address, Freshness::Any).unwrap_err();
    assert!(matches!(error.cause, FetchCause::Redirects { found: 0 }));
    assert_eq!(error.cause.to_string(), "the server redirects and does not say where to");
}

#[test]
fn a_url_of_another_origin_is_refused_before_any_connection() {
    let (bench, server) = (Bench::new(), with_file().start());
    let (fetcher, origin) = (bench.fetcher(), origin_of("https://index.example/"));
    let file = url(&server.file_url(FILE));
    let mut artifact = server.artifact(FILE);
    artifact.origin = origin.clone();
    let all = [
        fetcher.page(&origin, &url(&server.page_url("a")), Freshness::Any).unwrap_err(),
        fetcher.small(&origin, &file, 10).unwrap_err(),
        fetcher.range(&origin, &file, crate::Span::LastBytes(1)).unwrap_err(),
        fetcher.digest(&origin, &file, 10).unwrap_err(),
        fetcher.download(&artifact, &bench.store(), &|_| ()).unwrap_err(),
        fetcher.small(&origin, &url("file:///etc/hostname"), 1 << 20).unwrap_err(),
    ];
    for error in &all {
        assert_eq!(summary(error), "Origin x0 [origin-mismatch]");
    }
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn a_secret_does_not_travel_along() {
    let target = Scripted::start(|_, _| whole("text/html", b"ok"));
    let location = format!("Location: {}a/?signature=hidden", target.url);
    let first = Scripted::start(move |_, _| raw("302 Found", &[&location, "Content-Length: 0"], b""));
    let mut bench = Bench::new();
    let host = |server: &Scripted| url(&server.url).file_host().unwrap();
    bench.settings.credentials =
        vec![Credential { host: host(&first), secret: Secret::Bearer("token-of-the-first".to_owned()) }];
    let origin = Origin::new(&url(&first.url), [host(&target)]);
    found(bench.fetcher().page(&origin, &url(&format!("{}a/", first.url)), Freshness::Any));
    assert!(first.heads()[0].contains("authorization: bearer token-of-the-first"));
    assert!(!target.heads()[0].contains("authorization"));
    assert!(!target.heads()[0].contains("token-of-the-first"));
}

#[test]
fn an_error_shows_no_query() {
    let server = Scripted::start(|_, _| raw("400 Bad Request", &["Content-Length: 0"], b""));
    let address = url(&format!("{}a.whl?signature=hidden", server.url));
    let error = Bench::new().fetcher().small(&origin_of(&server.url), &address, 10).unwrap_err();
    assert!(server.heads()[0].contains("?signature=hidden"));
    assert!(!format!("{error} {error:?} {}", error.cause).contains("hidden"));
}
