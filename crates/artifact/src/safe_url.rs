//! A URL that may be written into a lock, a log or a message: allowed scheme, a host, and no credential.
//!
//! Comparison happens on the parsed form, so `https://trusted.example@evil.example/` is a URL on `evil.example` that is
//! refused for its user information, never a URL on `trusted.example`.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::FileHost;

/// An `https`, `http` or `file` URL without user information.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct SafeUrl(
    /// Scheme is one of the three, user name and password are empty, a remote URL has a host. Shared: every file of an index
    /// names the index.
    Arc<Url>,
);

/// Why a text is no URL that pinfold works with. No variant holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// The URL carries a user name or a password.
    #[error("a URL must not carry a user name or password; put them into netrc or PINFOLD_INDEX_<NAME>_TOKEN")]
    Credentials,
    /// The text cannot be parsed as a URL.
    #[error("not a URL: {reason}")]
    Malformed {
        /// What the parser said.
        reason: String,
    },
    /// The URL names no host.
    #[error("the URL names no host")]
    NoHost,
    /// What should be the host of a server is a pattern, has a path, or is empty.
    #[error(
        "each host is written out, such as `files.example` or `files.example:8443`; it has no `*`, no path and nothing else"
    )]
    NotAHost,
    /// The scheme is another than `https`, `http` or `file`.
    #[error("scheme `{found}` is not allowed; use https, http or file")]
    Scheme {
        /// The scheme found.
        found: String,
    },
}

impl SafeUrl {
    /// Joins a reference (`../../files/a.whl`, or an absolute URL) to this URL.
    ///
    /// # Errors
    /// As for parsing. A reference that begins with `//` is refused: what it means depends on the base.
    pub fn join(&self, reference: &str) -> Result<Self, UrlError> {
        if reference.starts_with("//") || reference.starts_with("\\\\") {
            return Err(UrlError::Malformed { reason: "protocol-relative reference".to_owned() });
        }
        check_spelling(reference)?;
        let joined = self.0.join(reference).map_err(|e| UrlError::Malformed { reason: e.to_string() })?;
        Self::try_from(joined)
    }

    /// Returns this URL with exactly one slash at the end of its path and without query and fragment: the form in which
    /// an index is named.
    pub fn as_directory(&self) -> Self {
        let mut url = Url::clone(&self.0);
        url.set_query(None);
        url.set_fragment(None);
        let path = format!("{}/", url.path().trim_end_matches('/'));
        url.set_path(&path);
        Self(Arc::new(url))
    }

    /// Returns this URL without its fragment.
    pub fn without_fragment(&self) -> Self {
        let mut url = Url::clone(&self.0);
        url.set_fragment(None);
        Self(Arc::new(url))
    }

    /// Returns this URL without query and fragment, for a message: a signed URL carries its signature in the query.
    pub fn without_query(&self) -> Self {
        let mut url = Url::clone(&self.0);
        url.set_query(None);
        url.set_fragment(None);
        Self(Arc::new(url))
    }

    /// Returns the key of the query that looks as if its value were a credential, escaped and cut for a message.
    pub fn secret_in_query(&self) -> Option<String> {
        let key = self.0.query_pairs().map(|(key, _)| key).find(|key| is_secret(key))?;
        Some(crate::shown(&key, 80))
    }

    /// Returns what is written where a URL may stand, whole or as a reference, without the values that [`SafeUrl::secret_in_query`]
    /// looks for; nothing if it has none. The keys stay, so that what is left is told of as the whole was, and something stays in
    /// place of each value, so that around it everything is read as before.
    pub fn without_secrets(text: &str) -> Option<String> {
        let before_fragment = text.find('#').unwrap_or(text.len());
        let (url, fragment) = text.split_at(before_fragment);
        let (path, query) = url.split_once('?')?;
        let mut has_secret = false;
        let mut bare = |pair| {
            let (key, value) = str::split_once(pair, '=').unwrap_or((pair, ""));
            let decoded = url::form_urlencoded::parse(key.as_bytes()).next().map(|(key, _)| key).unwrap_or_default();
            if value.is_empty() || value.trim_end_matches('\\') == HIDDEN || !is_secret(&decoded) {
                return pair.to_owned();
            }
            has_secret = true;
            // What makes it no URL stays.
            let refused = if value.contains(is_misspelling) { "\\" } else { "" };
            format!("{key}={HIDDEN}{refused}")
        };
        let pairs: Vec<String> = query.split('&').map(&mut bare).collect();
        has_secret.then(|| format!("{path}?{}{fragment}", pairs.join("&")))
    }

    /// Returns the URL of another path on the same host, without query and fragment.
    pub fn with_path(&self, path: &str) -> Self {
        let mut url = Url::clone(&self.0);
        url.set_query(None);
        url.set_fragment(None);
        url.set_path(path);
        Self(Arc::new(url))
    }

    /// Returns the parsed URL, for the HTTP client.
    pub fn as_url(&self) -> &Url {
        &self.0
    }

    /// Returns the URL as it is written.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Returns the scheme: `https`, `http` or `file`.
    pub fn scheme(&self) -> &str {
        self.0.scheme()
    }

    /// Returns the fragment, without `#`.
    pub fn fragment(&self) -> Option<&str> {
        self.0.fragment()
    }

    /// Returns host and port; a `file` URL has none.
    pub fn file_host(&self) -> Option<FileHost> {
        FileHost::of(self)
    }

    /// Returns true if the host is this machine: `localhost`, `127.0.0.0/8` or `[::1]`.
    pub fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(url::Host::Domain(name)) => name == "localhost",
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }

    /// Returns the last segment of the path, percent-decoded where that gives UTF-8.
    pub fn last_segment(&self) -> Option<String> {
        let segment = self.0.path_segments()?.next_back()?;
        (!segment.is_empty()).then(|| percent_decoded(segment))
    }
}

/// Keys of a query under which servers take credentials.
const SECRET_KEYS: [&str; 18] = [
    "apikey",
    "api_key",
    "auth",
    "credential",
    "hdnea",
    "hdnts",
    "hmac",
    "jwt",
    "key",
    "passwd",
    "pwd",
    "session",
    "sessionid",
    "sig",
    "ticket",
    "verify",
    "x-amz-credential",
    "x-goog-credential",
];
/// What stands in place of a secret.
const HIDDEN: &str = "hidden";
/// How other such keys end.
const SECRET_ENDINGS: [&str; 4] = ["token", "signature", "password", "secret"];

fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    SECRET_KEYS.contains(&key.as_str()) || SECRET_ENDINGS.iter().any(|end| key.ends_with(end))
}

const fn is_misspelling(character: char) -> bool {
    character.is_ascii_control() || character == '\\'
}

/// Refuses what the URL parser would mend in its own way, and other programs in theirs: `https:/host`, `https:\\host`,
/// `https:///host`, line breaks and tabs.
pub(crate) fn check_spelling(text: &str) -> Result<(), UrlError> {
    let malformed = |reason: &str| Err(UrlError::Malformed { reason: reason.to_owned() });
    if text.contains(is_misspelling) {
        return malformed("a URL has no backslash, tab or line break");
    }
    let Some((scheme, rest)) = text.split_once(':') else { return Ok(()) };
    let is_web = ["http", "https"].iter().any(|web| scheme.trim_start().eq_ignore_ascii_case(web));
    if !is_web {
        return Ok(());
    }
    let Some(rest) = rest.strip_prefix("//").filter(|rest| !rest.starts_with('/')) else {
        return malformed("the host must follow the scheme after exactly two slashes");
    };
    // The parser drops an empty user name.
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if host.contains('@') { Err(UrlError::Credentials) } else { Ok(()) }
}

fn percent_decoded(segment: &str) -> String {
    let bytes = segment.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut position = 0;
    while position < bytes.len() {
        let pair = segment.get(position + 1..position + 3);
        match pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(byte) if bytes[position] == b'%' => {
                decoded.push(byte);
                position += 3;
            }
            _ => {
                decoded.push(bytes[position]);
                position += 1;
            }
        }
    }
    String::from_utf8(decoded).unwrap_or_else(|_| segment.to_owned())
}

impl TryFrom<Url> for SafeUrl {
    type Error = UrlError;

    fn try_from(url: Url) -> Result<Self, Self::Error> {
        if !matches!(url.scheme(), "https" | "http" | "file") {
            return Err(UrlError::Scheme { found: url.scheme().to_owned() });
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UrlError::Credentials);
        }
        if url.scheme() != "file" && url.host_str().is_none_or(str::is_empty) {
            return Err(UrlError::NoHost);
        }
        Ok(Self(Arc::new(url)))
    }
}

impl FromStr for SafeUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        check_spelling(text)?;
        let url = Url::parse(text).map_err(|e| UrlError::Malformed { reason: e.to_string() })?;
        Self::try_from(url)
    }
}

impl TryFrom<String> for SafeUrl {
    type Error = UrlError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<SafeUrl> for String {
    fn from(url: SafeUrl) -> Self {
        Arc::try_unwrap(url.0).map_or_else(|shared| shared.as_str().to_owned(), Self::from)
    }
}

impl fmt::Display for SafeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl fmt::Debug for SafeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SafeUrl({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, UrlError>) {
        assert_eq!(text.parse::<SafeUrl>().map(String::from), expected.map(str::to_owned), "{text}");
    }

    #[test]
    fn what_signs_a_url_is_left_out_and_its_key_stays() {
        for (text, expected) in [
            ("a.whl?token=x", Some("a.whl?token=hidden")),
            (
                "https://h.example/a.whl?a=1&X-Amz-Signature=x&b=2#sha256=00",
                Some("https://h.example/a.whl?a=1&X-Amz-Signature=hidden&b=2#sha256=00"),
            ),
            ("?sig=a=b?c&jwt=d", Some("?sig=hidden&jwt=hidden")),
            ("a?%74oken=x", Some("a?%74oken=hidden")),
            ("a?upload+token=x", Some("a?upload+token=hidden")),
            ("a?download=1", None),
            ("a?token=x\t\\y&b=\\", Some("a?token=hidden\\&b=\\")),
            ("a?token=hidden\\", None),
            ("a?token", None),
            ("a?token=", None),
            ("a?token=hidden", None),
            ("a#b?token=x", None),
            ("token=x", None),
            ("", None),
        ] {
            assert_eq!(SafeUrl::without_secrets(text).as_deref(), expected, "{text}");
            let key = |text: &str| format!("https://h.example/{text}").parse::<SafeUrl>().ok()?.secret_in_query();
            assert_eq!(expected.and_then(key), expected.and(key(text)), "{text}");
        }
    }

    #[test]
    fn accepts_three_schemes_and_refuses_the_rest() {
        check("https://a.example/x", Ok("https://a.example/x"));
        check("http://127.0.0.1:8080/x", Ok("http://127.0.0.1:8080/x"));
        check("file:///tmp/x", Ok("file:///tmp/x"));
        check("ftp://a.example/x", Err(UrlError::Scheme { found: "ftp".to_owned() }));
        check("data:text/plain,x", Err(UrlError::Scheme { found: "data".to_owned() }));
    }

    #[test]
    fn a_query_that_is_a_credential_is_seen_and_can_be_left_out() {
        for (query, expected) in [
            ("", None),
            ("?download=1&keyboard=x", None),
            ("?X-Amz-Signature=5", Some("X-Amz-Signature")),
            ("?a=b&private_TOKEN=5", Some("private_TOKEN")),
            ("?sig=5#frag", Some("sig")),
            ("?jwt=5", Some("jwt")),
            ("?hdnts=exp=1~hmac=5", Some("hdnts")),
            ("?session_note=x", None),
            ("?%1b%5btoken=5", Some("\\u{1b}[token")),
        ] {
            let url: SafeUrl = format!("https://a.example/x.whl{query}").parse().unwrap();
            assert_eq!(url.secret_in_query().as_deref(), expected, "{query}");
            assert_eq!(url.without_query().as_str(), "https://a.example/x.whl");
        }
    }

    #[test]
    fn user_information_that_looks_like_a_host_is_refused() {
        check("https://trusted.example@evil.example/", Err(UrlError::Credentials));
        check("https://user:secret@a.example/", Err(UrlError::Credentials));
        check("https://@a.example/", Err(UrlError::Credentials));
        check("https://a.example/@x?y@z", Ok("https://a.example/@x?y@z"));
    }

    #[test]
    fn spellings_that_readers_mend_differently_are_refused() {
        for text in [
            "https:/a.example/x",
            "https:a.example/x",
            "https:///a.example/x",
            "HTTPS:\\\\a.example\\x",
            "https://a.example\\@b.example/",
            "https://a.exa\nmple/x",
            "ht\ttps://a.example/x",
        ] {
            assert!(matches!(text.parse::<SafeUrl>(), Err(UrlError::Malformed { .. })), "{text}");
        }
        let base: SafeUrl = "https://a.example/simple/torch/".parse().unwrap();
        for reference in ["/\\evil.example/t.whl", "/\t/evil.example/t.whl", "https:/evil.example/t.whl", "\\t.whl"] {
            assert!(base.join(reference).is_err(), "{reference}");
        }
        check("HTTPS://A.example", Ok("https://a.example/"));
        assert_eq!(base.join("a:b.whl").unwrap_err(), UrlError::Scheme { found: "a".to_owned() });
    }

    #[test]
    fn joins_relative_references_but_no_protocol_relative_ones() {
        let base: SafeUrl = "https://a.example/simple/torch/".parse().unwrap();
        assert_eq!(base.join("../../files/t.whl").unwrap().as_str(), "https://a.example/files/t.whl");
        assert!(base.join("//evil.example/t.whl").is_err());
        assert!(base.join("javascript:x").is_err());
    }

    #[test]
    fn names_an_index_with_one_slash() {
        for text in ["https://a.example/simple", "https://a.example/simple//", "https://a.example/simple/?x#y"] {
            let url: SafeUrl = text.parse().unwrap();
            assert_eq!(url.as_directory().as_str(), "https://a.example/simple/");
        }
    }

    #[test]
    fn exchanges_the_path() {
        let url: SafeUrl = "https://a.example:8443/x?y#z".parse().unwrap();
        assert_eq!(url.with_path("/f/t%2Bcu.whl").as_str(), "https://a.example:8443/f/t%2Bcu.whl");
        assert_eq!(url.with_path("//evil.example/t").as_url().host_str(), Some("a.example"));
    }

    #[test]
    fn knows_this_machine() {
        for (text, expected) in [
            ("http://127.9.9.9/", true),
            ("http://[::1]/", true),
            ("http://localhost/", true),
            ("http://a.test/", false),
        ] {
            assert_eq!(text.parse::<SafeUrl>().unwrap().is_loopback(), expected, "{text}");
        }
    }

    #[test]
    fn decodes_the_last_segment() {
        let url: SafeUrl = "https://a.example/f/torch-2.1.0%2Bcu121-py3-none-any.whl#sha256=0".parse().unwrap();
        assert_eq!(url.last_segment().unwrap(), "torch-2.1.0+cu121-py3-none-any.whl");
        let odd: SafeUrl = "https://a.example/f/100%".parse().unwrap();
        assert_eq!(odd.last_segment().unwrap(), "100%");
    }
}
