//! TLS and HTTP/2: whose certificate is trusted, that the connection is shared, and that a downgrade is none.
//!
//! `certificates/` holds an authority for these tests alone (P-256, valid until 2119, its key thrown away), the key of the
//! server, and three certificates for that key: for this machine, for this machine until 2020, and for another one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pinfold_artifact::Origin;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::*;

/// A server that speaks HTTP/2 over TLS, and counts connections.
struct Secure {
    url: String,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
    /// Ends the server when it is dropped.
    _runtime: tokio::runtime::Runtime,
}

impl Secure {
    fn start(certificate: &str, location: Option<&'static str>) -> Self {
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
    bench.settings.proxies.https = Some(proxy.url.trim_end_matches("simple/").to_owned());
    let address = url("https://index.example/simple/a/?signature=hidden");
    bench.fetcher().page(&origin_of("https://index.example/simple/"), &address, Freshness::Any).unwrap_err();
    assert!(proxy.heads()[0].starts_with("connect index.example:443 http/1.1"));
    assert!(!proxy.heads()[0].contains("hidden"));
    bench.settings.proxies.https = Some("no url".to_owned());
    assert_eq!(summary(&Fetcher::new(bench.settings.clone()).unwrap_err()), "Client x0");
}

const AUTHORITY: &str = include_str!("certificates/authority.pem");
const ELSEWHERE: &str = include_str!("certificates/elsewhere.pem");
const EXPIRED: &str = include_str!("certificates/expired.pem");
const KEY: &str = include_str!("certificates/key.pem");
const SERVER: &str = include_str!("certificates/server.pem");
