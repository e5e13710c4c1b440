//! Proxies that fail: it is the proxy that is told of, by host, port and variable, and never its login.

use super::scripted::{Scripted, raw};
use super::tls::{SERVER, Secure};
use super::*;
use crate::{FetchCause, Login, ProxySettings, ProxyTrouble, ProxyUrl};

const TARGETS: [&str; 2] = ["http://index.example/simple/", "https://index.example/simple/"];

/// Asks for a page by a proxy. Returns the failure, which must name the proxy.
#[track_caller]
fn ask(target: &str, proxy: &str) -> FetchError {
    let mut bench = Bench::new();
    let variable = if target.starts_with("https") { "https_proxy" } else { "HTTP_PROXY" };
    let given = Some(ProxyUrl { variable: variable.to_owned(), value: proxy.to_owned() });
    bench.settings.proxies = ProxySettings { http: given.clone(), https: given, no_proxy: None };
    let answer = bench.fetcher().page(&origin_of(target), &url(&format!("{target}a/")), Freshness::Revalidate);
    let error = answer.unwrap_err();
    assert!(!format!("{error:?} {error} {}", error.cause).contains("s3cret"), "{error:?}");
    let FetchCause::ProxyFailed { proxy: found, variable: named, host, .. } = &error.cause else {
        panic!("{target}, {proxy}: {error:?}")
    };
    let place = proxy.rsplit(['@', '/']).next().unwrap_or_default();
    assert_eq!((found.as_str(), named.as_str(), host.as_str()), (place, variable, "index.example"));
    error
}

fn trouble(error: &FetchError) -> &ProxyTrouble {
    match &error.cause {
        FetchCause::ProxyFailed { trouble, .. } => trouble,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_proxy_that_cannot_be_reached() {
    // A label of more than 63 letters is no name, and nobody is asked for it.
    let nowhere = format!("http://me:s3cret@{}.test:3128", "x".repeat(64));
    for target in TARGETS {
        for proxy in ["http://me:s3cret@127.0.0.1:1", &nowhere, "127.0.0.1:1"] {
            let error = ask(target, proxy);
            assert!(matches!(trouble(&error), ProxyTrouble::Unreachable { .. }), "{target}, {proxy}: {error:?}");
            assert_eq!(error.attempts, Timing::usual().attempts, "it may pass");
        }
    }
}

#[test]
fn a_proxy_that_wants_a_login() {
    let proxy = Scripted::start(|_, _| raw("407 Proxy Authentication Required", &["Content-Length: 0"], b""));
    let place = proxy.url.trim_start_matches("http://").trim_end_matches("/simple/");
    for target in TARGETS {
        for (given, expected) in [("http://", Login::None), ("http://me:s3cret@", Login::Sent)] {
            let error = ask(target, &format!("{given}{place}"));
            assert!(matches!(trouble(&error), ProxyTrouble::Login(login) if *login == expected), "{error:?}");
            assert_eq!(error.attempts, 1);
        }
    }
}

#[test]
fn a_proxy_that_opens_no_tunnel_or_answers_nothing() {
    let place = |proxy: &Scripted| proxy.url.trim_end_matches("/simple/").replace("http://", "http://me:s3cret@");
    for status in ["403 Forbidden", "502 Bad Gateway"] {
        let proxy = Scripted::start(move |_, _| raw(status, &["Content-Length: 0"], b""));
        let error = ask(TARGETS[1], &place(&proxy));
        assert!(matches!(trouble(&error), ProxyTrouble::NoTunnel), "{error:?}");
    }
    let proxy = Scripted::start(|_, _| Vec::new());
    for target in TARGETS {
        let error = ask(target, &place(&proxy));
        assert!(matches!(trouble(&error), ProxyTrouble::Broken { .. }), "{error:?}");
    }
}

#[test]
fn a_proxy_whose_certificate_nobody_vouches_for() {
    let proxy = Secure::start(SERVER, None);
    let place = proxy.url.trim_end_matches("/simple/").replace("https://", "https://me:s3cret@");
    for target in TARGETS {
        let error = ask(target, &place);
        assert!(matches!(trouble(&error), ProxyTrouble::Tls { .. }), "{error:?}");
        assert_eq!(error.attempts, 1);
    }
}
