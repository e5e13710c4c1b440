//! TLS and HTTP/2: whose certificate is trusted, that the connection is shared, and that a downgrade is none.
//!
//! `certificates/` holds an authority for these tests alone (P-256, valid until 2119, its key thrown away), the key of the
//! server, and three certificates for that key: for this machine, for this machine until 2020, and for another one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pinfold_artifact::Origin;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::*;

/// A server that speaks HTTP/2 over TLS, and counts connections.
pub(super) struct Secure {
    pub(super) url: String,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
    /// Ends the server when it is dropped.
    _runtime: tokio::runtime::Runtime,
}

impl Secure {
    pub(super) fn start(certificate: &str, location: Option<&'static str>) -> Self {
        let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(KEY.as_bytes()).unwrap();
        let mut config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0))).unwrap();
        let url = format!("https://127.0.0.1:{}/simple/", listener.local_addr().unwrap().port());
        let (connections, requests) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (opened, asked) = (Arc::clone(&connections), Arc::clone(&requests));
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                opened.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(acceptor.clone(), stream, Arc::clone(&asked), location));
            }
        });
        Self { url, connections, requests, _runtime: runtime }
    }
}

async fn serve(
    acceptor: TlsAcceptor,
    stream: tokio::net::TcpStream,
    asked: Arc<AtomicUsize>,
    location: Option<&'static str>,
) {
    let Ok(secure) = acceptor.accept(stream).await else { return };
    let Ok(mut connection) = h2::server::handshake(secure).await else { return };
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        asked.fetch_add(1, Ordering::SeqCst);
        let reply = http::Response::builder().header("content-type", "text/html");
        let reply = match location {
            Some(location) => reply.status(302).header("location", location),
            None => reply,
        };
        let mut body = respond.send_response(reply.body(()).unwrap(), false).unwrap();
        body.send_data(request.uri().path().to_owned().into(), true).unwrap();
    }
}

fn trusting() -> Bench {
    let mut bench = Bench::new();
    std::fs::write(bench.path("authority.pem"), AUTHORITY).unwrap();
    bench.settings.ca_bundle = Some(bench.path("authority.pem"));
    bench
}

fn ask(bench: &Bench, server: &Secure) -> Result<PageReply, FetchError> {
    bench.fetcher().page(&origin_of(&server.url), &url(&format!("{}a/", server.url)), Freshness::Revalidate)
}

#[test]
fn only_a_certificate_of_the_authority_for_this_host_and_time_is_trusted() {
    let server = Secure::start(SERVER, None);
    assert_eq!(found(ask(&trusting(), &server)).bytes, b"/simple/a/");
    // Nobody on this machine vouches for the test's authority.
    assert_eq!(summary(&ask(&Bench::new(), &server).unwrap_err()), "Tls x1");
    for certificate in [EXPIRED, ELSEWHERE] {
        let server = Secure::start(certificate, None);
        assert_eq!(summary(&ask(&trusting(), &server).unwrap_err()), "Tls x1");
        assert_eq!(server.requests.load(Ordering::SeqCst), 0);
    }
}

/// OpenSSL finds a certificate in a directory by a link that is named for it; beside it lies what is no certificate.
#[test]
fn certificates_of_directories_count_as_those_of_a_file_do() {
    let server = Secure::start(SERVER, None);
    let mut bench = Bench::new();
    let names = ["missing", "empty", "authority", "both"].map(|name| bench.path(name));
    let [missing, empty, authority, both] = &names;
    names[1..].iter().for_each(|path| std::fs::create_dir(path).unwrap());
    std::fs::write(authority.join("authority.pem"), AUTHORITY).unwrap();
    std::fs::write(authority.join("note.txt"), "no certificate\n").unwrap();
    std::fs::write(authority.join("broken.pem"), "-----BEGIN CERTIFICATE-----\n???\n").unwrap();
    std::fs::create_dir(authority.join("more")).unwrap();
    std::fs::write(both.join("other.pem"), ELSEWHERE).unwrap();
    for directories in [&[authority][..], &[missing, empty, authority], &[both, authority]] {
        bench.settings.ca_directories = directories.iter().map(|path| path.to_path_buf()).collect();
        assert_eq!(found(ask(&bench, &server)).bytes, b"/simple/a/", "{directories:?}");
    }
    // Beside a file, which has another one; and in place of the system's, which nobody asked for.
    bench.settings.ca_bundle = Some(both.join("other.pem"));
    assert_eq!(found(ask(&bench, &server)).bytes, b"/simple/a/");
    bench.settings.ca_directories = vec![missing.clone()];
    assert_eq!(summary(&ask(&bench, &server).unwrap_err()), "Tls x1");
    bench.settings.ca_bundle = None;
    for directory in [missing, empty] {
        bench.settings.ca_directories = vec![directory.clone()];
        assert_eq!(summary(&Fetcher::new(bench.settings.clone()).unwrap_err()), "CaBundle x0");
    }
    std::fs::write(empty.join("note.txt"), "no certificate\n").unwrap();
    bench.settings.ca_directories = vec![empty.clone()];
    assert_eq!(summary(&ask(&bench, &server).unwrap_err()), "CaBundle x0");
}

#[test]
fn fifty_threads_share_one_connection() {
    let (bench, server) = (trusting(), Secure::start(SERVER, None));
    let fetcher = bench.fetcher();
    std::thread::scope(|scope| {
        for number in 0..50 {
            let (fetcher, server) = (&fetcher, &server);
            scope.spawn(move || {
                let address = url(&format!("{}p{number}/", server.url));
                let page = found(fetcher.page(&origin_of(&server.url), &address, Freshness::Any));
                assert_eq!(page.bytes, format!("/simple/p{number}/").into_bytes());
            });
        }
    });
    assert_eq!(server.requests.load(Ordering::SeqCst), 50);
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
}

#[test]
fn a_downgrade_is_refused_even_to_a_listed_host() {
    let server = Secure::start(SERVER, Some("http://plain.example/simple/a/"));
    let origin = Origin::new(&url(&server.url), ["http://plain.example".parse().unwrap()]);
    let address = url(&format!("{}a/", server.url));
    let error = trusting().fetcher().page(&origin, &address, Freshness::Any).unwrap_err();
    assert_eq!(summary(&error), "RedirectInsecure x1 [foreign-redirect]");
    let server = Secure::start(SERVER, Some("file:///etc/hostname"));
    assert_eq!(summary(&ask(&trusting(), &server).unwrap_err()), "RedirectInsecure x1 [foreign-redirect]");
}

#[test]
fn a_proxy_sees_a_tunnel_and_nothing_else() {
    let proxy = super::scripted::Scripted::start(|_, _| b"HTTP/1.1 403 Forbidden\r\n\r\n".to_vec());
    let mut bench = trusting();
    bench.settings.timing.attempts = 1;
    bench.settings.proxies.https = proxy_at(proxy.url.trim_end_matches("simple/"));
    let address = url("https://index.example/simple/a/?signature=hidden");
    bench.fetcher().page(&origin_of("https://index.example/simple/"), &address, Freshness::Any).unwrap_err();
    assert!(proxy.heads()[0].starts_with("connect index.example:443 http/1.1"));
    assert!(!proxy.heads()[0].contains("hidden"));
}

fn proxy_at(value: &str) -> Option<crate::ProxyUrl> {
    Some(crate::ProxyUrl { variable: "HTTPS_PROXY".to_owned(), value: value.to_owned() })
}

/// The library would pass over some of them, and connect without a proxy.
#[test]
fn a_proxy_that_is_none_is_told_without_its_secrets() {
    let mut bench = Bench::new();
    for (value, shown) in [
        ("no url", "no url"),
        ("ftp://proxy.example:21", "ftp://proxy.example:21"),
        ("socks5h://me:s3cret@127.0.0.1:1080", "socks5h://…@127.0.0.1:1080"),
        ("http://me:s3cret", "http://me:…"),
        ("me:s3cret", "me:…"),
        ("http://me:s3/cr@et@:3128/s3cret?s3cret", "http://…@:3128/…"),
        ("http://[::1:3128", "http://[::1:3128"),
        ("http://host:70000", "http://host:70000"),
        ("http://", "http://"),
        ("://s3cret@h", "://…@h"),
        ("http://a b\n", "http://a b\\n"),
    ] {
        for is_https in [true, false] {
            let proxies = &mut bench.settings.proxies;
            (proxies.http, proxies.https) = if is_https { (None, proxy_at(value)) } else { (proxy_at(value), None) };
            let error = Fetcher::new(bench.settings.clone()).unwrap_err();
            let crate::FetchCause::Proxy { variable, found, .. } = &error.cause else { panic!("{value}: {error:?}") };
            assert_eq!((variable.as_str(), found.as_str()), ("HTTPS_PROXY", shown), "{value}");
            assert!(!format!("{error:?} {error} {} {:?}", error.cause, bench.settings).contains("s3cret"), "{error:?}");
        }
    }
    // The control: each of these is a proxy, and an empty variable is none.
    for value in ["127.0.0.1:3128", "proxy.example", "https://me:p%40ss@[::1]:3128/", "HTTP://h", ""] {
        bench.settings.proxies.https = proxy_at(value);
        bench.settings.proxies.http = proxy_at(value);
        assert!(Fetcher::new(bench.settings.clone()).is_ok(), "{value}");
    }
}

/// Starts a proxy that opens tunnels to this port, whatever host it is asked for. Returns its URL with a login in it, and the
/// heads of its requests.
fn tunnel(runtime: &tokio::runtime::Runtime, port: u16) -> (String, Arc<std::sync::Mutex<Vec<String>>>) {
    let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0))).unwrap();
    let address = listener.local_addr().unwrap();
    let heads = Arc::new(std::sync::Mutex::new(Vec::new()));
    let log = Arc::clone(&heads);
    runtime.spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let log = Arc::clone(&log);
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(client.read_u8().await?);
                }
                log.lock().unwrap().push(String::from_utf8_lossy(&head).into_owned());
                client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
                let mut server = tokio::net::TcpStream::connect(("127.0.0.1", port)).await?;
                tokio::io::copy_bidirectional(&mut client, &mut server).await
            });
        }
    });
    (format!("http://me:s3cret@{address}"), heads)
}

#[test]
fn through_a_proxy_the_certificate_is_still_the_servers_own() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let port = |server: &Secure| url(&server.url).as_url().port().unwrap();
    let server = Secure::start(SERVER, None);
    let (proxy, heads) = tunnel(&runtime, port(&server));
    let mut bench = trusting();
    bench.settings.proxies.https = proxy_at(&proxy);
    bench.settings.credentials.push(crate::Credential {
        host: url(&server.url).file_host().unwrap(),
        secret: crate::Secret::Bearer("t0ken".to_owned()),
    });
    assert_eq!(found(ask(&bench, &server)).bytes, b"/simple/a/");
    // The login of the proxy is the proxy's, and that of the index the index's.
    let seen = heads.lock().unwrap().join("");
    assert!(
        seen.starts_with("CONNECT 127.0.0.1:") && seen.to_lowercase().contains("proxy-authorization: basic"),
        "{seen}"
    );
    assert!(!seen.contains("t0ken") && !seen.contains("/simple/"), "{seen}");

    // A proxy that answers in the server's place, with a certificate for another host or none that is trusted.
    for (certificate, trusts) in [(ELSEWHERE, true), (EXPIRED, true), (SERVER, false)] {
        let other = Secure::start(certificate, None);
        let (proxy, _) = tunnel(&runtime, port(&other));
        let mut bench = if trusts { trusting() } else { Bench::new() };
        bench.settings.proxies.https = proxy_at(&proxy);
        let error = ask(&bench, &server).unwrap_err();
        assert_eq!(summary(&error), "Tls x1");
        assert!(!format!("{error:?} {error} {}", error.cause).contains("s3cret"), "{error:?}");
        assert_eq!(other.requests.load(Ordering::SeqCst), 0);
    }
}

#[test]
fn plain_requests_go_by_their_proxy_and_past_it_where_no_proxy_says_so() {
    let proxy = super::scripted::Scripted::start(|head, _| {
        super::scripted::whole("text/html", head.lines().next().unwrap_or_default().as_bytes())
    });
    let mut bench = Bench::new();
    bench.settings.proxies.http =
        proxy_at(&proxy.url.trim_end_matches("simple/").replace("http://", "http://me:s3cret@"));
    bench.settings.proxies.no_proxy = Some("other.example, 127.0.0.1".to_owned());
    let address = url("http://index.example/simple/a/");
    let page = found(bench.fetcher().page(&origin_of("http://index.example/simple/"), &address, Freshness::Any));
    assert_eq!(page.bytes, b"get http://index.example/simple/a/ http/1.1");
    assert!(proxy.heads()[0].contains("proxy-authorization: basic"));
    let server = pinfold_testkit::Index::new().wheel("a", "1.0").start();
    found(super::page(&bench.fetcher(), &server, Freshness::Revalidate));
    assert_eq!(proxy.heads().len(), 1);
    for everybody in ["*", "other.example,*"] {
        bench.settings.proxies.no_proxy = Some(everybody.to_owned());
        found(super::page(&bench.fetcher(), &server, Freshness::Revalidate));
        assert_eq!(proxy.heads().len(), 1, "{everybody}");
    }
    bench.settings.proxies.no_proxy = None;

    // A proxy that wants another login: nobody is told what was tried.
    let proxy = super::scripted::Scripted::start(|_, _| {
        super::scripted::raw("407 Proxy Authentication Required", &["Content-Length: 0"], b"")
    });
    bench.settings.proxies.http =
        proxy_at(&proxy.url.trim_end_matches("simple/").replace("http://", "http://me:s3cret@"));
    let error = bench.fetcher().page(&origin_of("http://index.example/simple/"), &address, Freshness::Revalidate);
    let error = error.unwrap_err();
    assert_eq!(summary(&error), "ProxyFailed x1");
    assert!(!format!("{error:?} {error} {}", error.cause).contains("s3cret"), "{error:?}");
    assert!(!format!("{:?}", bench.settings).contains("s3cret"));
}

const AUTHORITY: &str = include_str!("certificates/authority.pem");
const ELSEWHERE: &str = include_str!("certificates/elsewhere.pem");
const EXPIRED: &str = include_str!("certificates/expired.pem");
const KEY: &str = include_str!("certificates/key.pem");
pub(super) const SERVER: &str = include_str!("certificates/server.pem");
