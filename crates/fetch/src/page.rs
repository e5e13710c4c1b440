//! Index pages: asked for with their validators, as JSON if the index has it, compressed if it likes, and cached.
//!
//! A page is believed to be one only if its media type says so (PEP 691: an unknown version must fail hard, not be guessed).

use pinfold_artifact::{Limits, Origin, SafeUrl};
use reqwest::header::{self, HeaderMap};

use crate::body::Body;
use crate::cache::{Cached, FORM, Header};
use crate::remote::{Ask, Remote, Reply};
use crate::retry::Setback;
use crate::{FetchCause, Timing};

/// What the server said about a page.
#[derive(Debug)]
pub(crate) enum Served {
    /// There is none.
    Absent(Header),
    /// Here it is.
    Page(Header, Vec<u8>),
    /// The cached one is still right.
    Unchanged,
}

/// Asks for a page once.
pub(crate) async fn ask(
    remote: &Remote,
    origin: &Origin,
    url: &SafeUrl,
    cached: Option<&Cached>,
) -> Result<Served, Setback> {
    let mut ask = Ask::plain(origin, url).with(header::ACCEPT, ACCEPT).with(header::ACCEPT_ENCODING, "gzip");
    let validators = cached.filter(|cached| cached.header.content_type.is_some() && !cached.header.is_reduced);
    if let Some(etag) = validators.and_then(|cached| cached.header.etag.as_deref()) {
        ask = ask.with(header::IF_NONE_MATCH, etag);
    }
    if let Some(time) = validators.and_then(|cached| cached.header.last_modified.as_deref()) {
        ask = ask.with(header::IF_MODIFIED_SINCE, time);
    }
    let reply = remote.send(&ask).await?;
    match reply.response.status().as_u16() {
        200 => Ok(read(reply, origin, url, &remote.timing).await?),
        304 if validators.is_some() => Ok(Served::Unchanged),
        404 | 410 => Ok(Served::Absent(header_of(&reply, origin, url))),
        _ => Err(remote.setback(&reply)),
    }
}

async fn read(reply: Reply, origin: &Origin, url: &SafeUrl, timing: &Timing) -> Result<Served, FetchCause> {
    let mut header = header_of(&reply, origin, url);
    let found = text(reply.response.headers(), header::CONTENT_TYPE).unwrap_or_default();
    if !is_page_type(&found) {
        return Err(FetchCause::ContentType { found });
    }
    let encoding = text(reply.response.headers(), header::CONTENT_ENCODING).unwrap_or_default();
    let mut body = Body::new(reply.response, timing);
    let bytes = match encoding.trim().to_ascii_lowercase().as_str() {
        "" | "identity" => body.read(Limits::PAGE_BYTES).await?,
        "gzip" | "x-gzip" => body.read_gzip(Limits::PAGE_BYTES).await?,
        other => return Err(FetchCause::Encoding { reason: format!("`{other}`, which was not asked for") }),
    };
    header.content_type = Some(found);
    header.body_bytes = bytes.len() as u64;
    Ok(Served::Page(header, bytes))
}

fn header_of(reply: &Reply, origin: &Origin, url: &SafeUrl) -> Header {
    let headers = reply.response.headers();
    Header {
        form: FORM,
        origin: origin.index().clone(),
        url: url.clone(),
        final_url: without_secrets(&reply.url),
        content_type: None,
        etag: text(headers, header::ETAG),
        last_modified: text(headers, header::LAST_MODIFIED),
        max_age: text(headers, header::CACHE_CONTROL).and_then(|advice| max_age(&advice)),
        body_bytes: 0,
        is_reduced: false,
    }
}

/// Returns where a page was found without what signs that URL: it is kept, and of no use for what is relative to it.
fn without_secrets(url: &SafeUrl) -> SafeUrl {
    SafeUrl::without_secrets(url.as_str()).and_then(|bare| bare.parse().ok()).unwrap_or_else(|| url.clone())
}

pub(crate) fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// Returns how long a page may be used without asking. `no-store` counts as `no-cache`: the cache is this user's alone, and
/// what a lock was made from must be there when the lock is made again offline.
fn max_age(advice: &str) -> Option<u64> {
    let mut found = None;
    for directive in advice.split(',').map(|directive| directive.trim().to_ascii_lowercase()) {
        if matches!(directive.as_str(), "no-cache" | "no-store") {
            return Some(0);
        }
        if let Some(seconds) = directive.strip_prefix("max-age=") {
            found = Some(seconds.trim_matches('"').parse().unwrap_or(0));
        }
    }
    found
}

/// Returns true for the media types that a page of the simple API may have, version 1.
fn is_page_type(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    matches!(
        essence.as_str(),
        "application/vnd.pypi.simple.v1+json" | "application/vnd.pypi.simple.v1+html" | "text/html"
    )
}

const ACCEPT: &str = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_advice_of_a_server() {
        let check = |advice, expected| assert_eq!(max_age(advice), expected, "{advice}");
        check("max-age=600, public", Some(600));
        check("public, Max-Age=\"60\"", Some(60));
        check("max-age=600, no-cache", Some(0));
        check("no-store", Some(0));
        check("max-age=99999999999999999999999", Some(0));
        check("public", None);
    }

    #[test]
    fn only_version_1_pages_are_pages() {
        for (content_type, expected) in [
            ("text/html", true),
            ("Text/HTML; charset=utf-8", true),
            ("application/vnd.pypi.simple.v1+json", true),
            ("application/vnd.pypi.simple.v1+html", true),
            ("application/vnd.pypi.simple.v2+json", false),
            ("application/vnd.pypi.simple.latest+json", false),
            ("application/json", false),
            ("text/plain", false),
            ("", false),
        ] {
            assert_eq!(is_page_type(content_type), expected, "{content_type}");
        }
    }
}
