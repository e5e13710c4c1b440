//! Proxies: by which one a request goes, which hosts are reached without one, and whose failure a failure is.
//!
//! Who is asked through a proxy is not to blame for what the proxy does. So which proxy a request goes by is decided here and not
//! in the library, which would pass over a proxy that it cannot use, and over a port in `no_proxy`.

use std::error::Error;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use reqwest::{Proxy, Url};
use url::Host;

use crate::remote::{innermost, is_tls};
use crate::{FetchCause, Login, ProxySettings, ProxyTrouble, ProxyUrl};

/// The proxies that requests go by.
#[derive(Debug, Clone)]
pub(crate) struct Proxies {
    http: Option<Arc<Via>>,
    https: Option<Arc<Via>>,
    direct: Arc<[Exception]>,
}

/// One proxy.
pub(crate) struct Via {
    /// With the login, if there is one.
    url: Url,
    /// The variable that names it.
    variable: String,
}

impl Proxies {
    /// Reads where proxies are, and who is reached without one.
    ///
    /// # Errors
    /// [`FetchCause::Proxy`] for one that is none.
    pub(crate) fn new(settings: &ProxySettings) -> Result<Self, FetchCause> {
        let direct = settings.no_proxy.as_deref().unwrap_or_default().split(',').filter_map(Exception::parse);
        let via =
            |given: &Option<ProxyUrl>| given.as_ref().filter(|given| !given.value.is_empty()).map(Via::new).transpose();
        Ok(Self { http: via(&settings.http)?, https: via(&settings.https)?, direct: direct.collect() })
    }

    /// Returns the proxy by which this URL is asked for.
    pub(crate) fn of(&self, url: &Url) -> Option<&Arc<Via>> {
        let via = if url.scheme() == "https" { &self.https } else { &self.http };
        via.as_ref().filter(|_| !self.direct.iter().any(|exception| exception.holds_for(url)))
    }

    /// Returns the same for the library.
    pub(crate) fn to_proxy(&self) -> Option<Proxy> {
        let proxies = self.clone();
        let is_any = self.http.is_some() || self.https.is_some();
        is_any.then(|| Proxy::custom(move |url| proxies.of(url).map(|via| via.url.clone())))
    }
}

impl Via {
    fn new(given: &ProxyUrl) -> Result<Arc<Self>, FetchCause> {
        let broken =
            |reason: String| FetchCause::Proxy { variable: given.variable.clone(), found: given.shown(), reason };
        let url = proxy_url(&given.value).map_err(broken)?;
        // What the library cannot use, it would pass over.
        Proxy::all(url.clone()).map_err(|error| broken(innermost(&error)))?;
        Ok(Arc::new(Self { url, variable: given.variable.clone() }))
    }

    /// Returns true if the proxy itself is asked over TLS.
    pub(crate) fn is_secure(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Returns the cause that says that the proxy wants to know who asks.
    pub(crate) fn wants_login(&self, target: &Url) -> FetchCause {
        self.failed(target, ProxyTrouble::Login(self.login()))
    }

    fn login(&self) -> Login {
        let has_login = !self.url.username().is_empty() || self.url.password().is_some();
        if has_login { Login::Sent } else { Login::None }
    }

    /// Returns the cause if it is the proxy that failed when this URL was asked for.
    pub(crate) fn cause_of(&self, error: &reqwest::Error, target: &Url) -> Option<FetchCause> {
        let is_late = error.is_connect() && error.is_timeout();
        let trouble = match tunnel_error(error) {
            Some(tunnel) => self.trouble_of(tunnel),
            None if is_late => ProxyTrouble::Timeout,
            // Behind the tunnel it is the server who answers.
            None if target.scheme() == "https" || error.is_builder() => return None,
            None if is_tls(error) => ProxyTrouble::Tls { reason: innermost(error) },
            None if error.is_connect() => ProxyTrouble::Unreachable { reason: innermost(error) },
            None => ProxyTrouble::Broken { reason: innermost(error) },
        };
        Some(self.failed(target, trouble))
    }

    fn trouble_of(&self, tunnel: &(dyn Error + 'static)) -> ProxyTrouble {
        let (told, reason) = (tunnel.to_string(), innermost(tunnel));
        match told.trim_start_matches(TUNNEL) {
            "proxy authorization required" => ProxyTrouble::Login(self.login()),
            "unsuccessful" => ProxyTrouble::NoTunnel,
            "failed to create underlying connection" if is_tls(tunnel) => ProxyTrouble::Tls { reason },
            "failed to create underlying connection" => ProxyTrouble::Unreachable { reason },
            _ => ProxyTrouble::Broken { reason: reason.trim_start_matches(TUNNEL).to_owned() },
        }
    }

    fn failed(&self, target: &Url, trouble: ProxyTrouble) -> FetchCause {
        FetchCause::ProxyFailed {
            proxy: place_of(&self.url),
            variable: self.variable.clone(),
            host: target.host_str().unwrap_or_default().to_owned(),
            trouble,
        }
    }
}

impl fmt::Debug for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", place_of(&self.url), self.variable)
    }
}

/// Returns host and port, and nothing that may be a secret.
fn place_of(url: &Url) -> String {
    let port = url.port_or_known_default().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}{port}", url.host_str().unwrap_or_default())
}

/// Reads where a proxy is; without a scheme it is `http`, as everywhere. The error holds nothing of what is written.
fn proxy_url(text: &str) -> Result<Url, String> {
    let has_scheme = text.contains("://");
    let url = if has_scheme { Url::parse(text) } else { Url::parse(&format!("http://{text}")) };
    let url = url.map_err(|error| error.to_string())?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        _ => Err("only proxies that are asked over http or https can be used".to_owned()),
    }
}

/// Finds what went wrong before there was a tunnel. The library has no type for it that others can name, so it is known by how it
/// is told.
fn tunnel_error<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e (dyn Error + 'static)> {
    let mut error = error;
    while !error.to_string().starts_with(TUNNEL) {
        error = error.source()?;
    }
    Some(error)
}

/// Who is reached without a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Exception {
    whom: Whom,
    /// Only there, if the entry names a port.
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Whom {
    Everybody,
    /// A name, and all names that end with a dot and it. In small letters.
    Name(String),
    /// All addresses that begin with these bits; all bits: one address.
    Network(IpAddr, u32),
}

impl Exception {
    /// Reads an entry of `no_proxy`: `*`, `host`, `.suffix`, an address, `address/bits`; each but the last perhaps with a port.
    fn parse(entry: &str) -> Option<Self> {
        let entry = entry.trim();
        if let Some(whom) = Whom::network(entry) {
            return Some(Self { whom, port: None });
        }
        let (place, port) = match entry.rsplit_once(':').filter(|_| !entry.ends_with(']')) {
            Some((place, port)) => (place, Some(port.parse().ok()?)),
            None => (entry, None),
        };
        let bare = place.strip_prefix('[').and_then(|place| place.strip_suffix(']')).unwrap_or(place);
        let name = bare.strip_prefix('.').unwrap_or(bare).to_ascii_lowercase();
        let whom = match (Whom::network(bare), name.as_str()) {
            (Some(whom), _) => whom,
            (None, "") => return None,
            (None, "*") => Whom::Everybody,
            (None, _) => Whom::Name(name),
        };
        Some(Self { whom, port })
    }

    fn holds_for(&self, url: &Url) -> bool {
        let is_there = self.port.is_none_or(|port| url.port_or_known_default() == Some(port));
        is_there && url.host().is_some_and(|host| self.whom.is(&host))
    }
}

impl Whom {
    fn network(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u32>().ok()?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { Ipv4Addr::BITS } else { Ipv6Addr::BITS };
        let bits = bits.unwrap_or(most);
        (bits <= most).then_some(Self::Network(address, bits))
    }

    fn is(&self, host: &Host<&str>) -> bool {
        match (self, host) {
            (Self::Everybody, _) => true,
            (Self::Name(name), Host::Domain(domain)) => {
                let before = domain.strip_suffix(name.as_str());
                before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
            }
            (Self::Network(IpAddr::V4(one), bits), Host::Ipv4(other)) => {
                (one.to_bits() ^ other.to_bits()).leading_zeros() >= *bits
            }
            (Self::Network(IpAddr::V6(one), bits), Host::Ipv6(other)) => {
                (one.to_bits() ^ other.to_bits()).leading_zeros() >= *bits
            }
            _ => false,
        }
    }
}

/// How the library begins what it tells of a tunnel.
const TUNNEL: &str = "tunnel error: ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_that_no_proxy_names() {
        let check = |no_proxy: &str, reached: &[&str], proxied: &[&str]| {
            let proxy =
                |variable: &str| Some(ProxyUrl { variable: variable.to_owned(), value: "proxy.test".to_owned() });
            let no_proxy = Some(no_proxy.to_owned());
            let proxies = ProxySettings { http: proxy("http_proxy"), https: proxy("https_proxy"), no_proxy };
            let proxies = Proxies::new(&proxies).unwrap();
            for (urls, expected) in [(reached, None), (proxied, Some("proxy.test:80 of "))] {
                for url in urls {
                    let found = proxies.of(&url.parse().unwrap()).map(|via| format!("{via:?}"));
                    let found = found.as_deref().map(|found| &found[..17]);
                    assert_eq!(found, expected, "{url}, {:?}", proxies.direct);
                }
            }
        };
        check("", &[], &["http://a.test/", "https://a.test/", "http://127.0.0.1/"]);
        check("*", &["http://a.test:1/", "https://[::1]/", "http://127.0.0.1/"], &[]);
        check("b.test, *", &["http://a.test/"], &[]);
        check(
            "b.test , A.test",
            &["https://a.test:8443/", "http://x.y.a.test/", "http://b.test"],
            &["https://xa.test/", "https://test/", "https://a.test.c/"],
        );
        check(".a.test", &["https://a.test/", "https://x.a.test/"], &["https://xa.test/"]);
        check(
            "a.test:8080",
            &["http://a.test:8080/", "https://a.test:8080/", "http://x.a.test:8080/"],
            &["http://a.test/", "https://a.test/", "http://a.test:808/", "http://b.test:8080/"],
        );
        check(
            ".a.test:443",
            &["https://a.test/", "https://x.a.test:443/"],
            &["http://a.test/", "https://a.test:8443/"],
        );
        check("*:81", &["http://a.test:81/"], &["http://a.test/"]);
        check("127.0.0.1", &["http://127.0.0.1:5/"], &["http://127.0.0.2/", "http://localhost/"]);
        check("127.0.0.1:80", &["http://127.0.0.1/"], &["http://127.0.0.1:81/", "http://127.0.0.2/"]);
        check(
            "10.1.2.3/8,192.168.0.0/23",
            &["http://10.9.9.9/", "http://192.168.1.255"],
            &["http://11.1.2.3/", "http://192.168.2.0/"],
        );
        check("0.0.0.0/0", &["http://1.2.3.4/"], &["http://[::1]/", "http://a.test/"]);
        check("::1,fd00::/8", &["http://[::1]:7/", "http://[fd12::1]/"], &["http://[::2]/", "http://[fe00::1]/"]);
        check("[::1]:80,[::2]", &["http://[::1]/", "http://[::2]:9/"], &["http://[::1]:81/", "http://[::3]/"]);
        // What is no entry is for nobody.
        check(
            " ,:80,a.test:,a.test:x,a.test:99999,10.0.0.0/33,http://a.test/,.",
            &[],
            &["http://a.test/", "http://10.0.0.1/"],
        );
    }
}
