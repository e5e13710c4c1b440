//! Files that are sent in another form than asked for: `identity` was, and `Content-Encoding` says something else (RFC 9110, 8.4).
//!
//! The header alone accuses nobody. There are servers that say `x-gzip` of every `.tar.gz` as it lies there, and stores that say
//! `aws-chunked` or `utf-8` of bytes that nobody changed: a file that has its digest is taken, whatever is said of it. But where
//! the bytes are not the locked ones, the header says why; and where nobody knows the digest, a compressed file is not taken for
//! the file.

use pinfold_artifact::{FileHost, SafeUrl};
use reqwest::header::{self, HeaderMap};

use crate::FetchCause;
use crate::remote::Reply;

/// What was done to a file on the way, and who says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Coding {
    /// As the server wrote it.
    pub(crate) name: String,
    /// The host that answered.
    pub(crate) host: Option<FileHost>,
}

impl Coding {
    /// Returns what an answer says; nothing if the file is as it was asked for.
    pub(crate) fn of(reply: &Reply) -> Option<Self> {
        Some(Self { name: named(reply.response.headers())?, host: reply.url.file_host() })
    }
}

/// Refuses an answer that is compressed, where no digest will tell.
pub(crate) fn check_is_plain(reply: &Reply) -> Result<(), FetchCause> {
    match compression(reply.response.headers(), &reply.url) {
        Some(name) => Err(FetchCause::Encoding { reason: format!("it comes as `{name}`, and was asked for as it is") }),
        None => Ok(()),
    }
}

/// Returns how an answer is compressed, if it says so of what is not compressed by its name.
pub(crate) fn compression(headers: &HeaderMap, url: &SafeUrl) -> Option<String> {
    let name = named(headers)?;
    let is_known = |coding: &str| COMPRESSIONS.iter().any(|known| coding.trim().eq_ignore_ascii_case(known));
    let is_of_the_file = matches!(name.to_ascii_lowercase().as_str(), "gzip" | "x-gzip") && is_gzip_file(url);
    (name.split(',').any(is_known) && !is_of_the_file).then_some(name)
}

fn is_gzip_file(url: &SafeUrl) -> bool {
    let path = url.as_url().path().to_ascii_lowercase();
    path.ends_with(".gz") || path.ends_with(".tgz")
}

/// Returns the content coding that is no `identity`, cut for a message.
fn named(headers: &HeaderMap) -> Option<String> {
    let values = headers.get_all(header::CONTENT_ENCODING).iter();
    let named = values.map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_owned()).collect::<Vec<_>>();
    let named = named.join(", ");
    let is_none = |coding: &str| coding.trim().is_empty() || coding.trim().eq_ignore_ascii_case("identity");
    (!named.split(',').all(is_none)).then(|| pinfold_artifact::shown(&named, 40))
}

/// What makes other bytes of a file (the registry of HTTP content codings).
const COMPRESSIONS: [&str; 9] = ["br", "compress", "dcb", "dcz", "deflate", "gzip", "x-compress", "x-gzip", "zstd"];

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn only_what_makes_other_bytes_is_compression() {
        let check = |coding: &'static str, file: &str, expected: Option<&str>| {
            let headers = HeaderMap::from_iter([(header::CONTENT_ENCODING, HeaderValue::from_static(coding))]);
            let url = format!("https://files.example/{file}").parse().unwrap();
            assert_eq!(compression(&headers, &url).as_deref(), expected, "{coding} {file}");
        };
        check("gzip", "a-1.0-py3-none-any.whl", Some("gzip"));
        check(" BR ", "a-1.0-py3-none-any.whl", Some("BR"));
        check("identity, zstd", "a-1.0.zip", Some("identity, zstd"));
        check("x-gzip", "a-1.0.tar.gz", None);
        check("gzip", "a-1.0.tgz", None);
        check("br", "a-1.0.tar.gz", Some("br"));
        check("gzip, gzip", "a-1.0.tar.gz", Some("gzip, gzip"));
        for other in ["", "identity", "Identity", "identity, identity", "aws-chunked", "utf-8"] {
            check(other, "a-1.0-py3-none-any.whl", None);
        }
    }
}
