//! Parts of files: what is asked for, and whether that is what came.

use pinfold_artifact::{Origin, SafeUrl};
use reqwest::header;

use crate::body::Body;
use crate::coding::compression;
use crate::page::text;
use crate::remote::{Ask, Remote, Reply};
use crate::retry::Setback;
use crate::{FetchCause, RangeReply, Span};

/// What `Content-Range` says: first byte, last byte, size of the whole file if it is told (RFC 9110, 14.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ContentRange {
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) total: Option<u64>,
}

impl ContentRange {
    /// Reads the value of the header. Returns nothing for what contradicts itself.
    pub(crate) fn parse(value: &str) -> Option<Self> {
        let (range, total) = value.trim().strip_prefix("bytes")?.trim_start().split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let total = match total.trim() {
            "*" => None,
            total => Some(total.parse().ok()?),
        };
        let found = Self { first: first.trim().parse().ok()?, last: last.trim().parse().ok()?, total };
        let sound = found.first <= found.last && found.last < found.total.unwrap_or(u64::MAX);
        sound.then_some(found)
    }

    pub(crate) fn of(reply: &Reply) -> Option<Self> {
        Self::parse(&text(reply.response.headers(), header::CONTENT_RANGE)?)
    }

    /// Returns the number of bytes.
    pub(crate) const fn length(&self) -> u64 {
        self.last.saturating_sub(self.first).saturating_add(1)
    }
}

/// Asks for a part once.
pub(crate) async fn ask(remote: &Remote, origin: &Origin, url: &SafeUrl, span: Span) -> Result<RangeReply, Setback> {
    let wanted = header_value(span);
    let reply = remote.send(&Ask::plain(origin, url).with(header::RANGE, &wanted)).await?;
    match reply.response.status().as_u16() {
        // A part of the compressed form is no part of the file.
        200 | 206 if compression(reply.response.headers(), &reply.url).is_some() => {
            Err(FetchCause::RangesUnsupported.into())
        }
        206 => Ok(read_part(remote, reply, span, wanted).await?),
        // A file that is no longer than the end that was asked for may come whole.
        200 if matches!(span, Span::LastBytes(count) if reply.response.content_length().is_some_and(|n| n <= count)) => {
            let bytes = Body::new(reply.response, &remote.timing).read(wanted_bytes(span)).await?;
            Ok(RangeReply { total_bytes: bytes.len() as u64, bytes, start: 0 })
        }
        // 416: there is nothing at the end of an empty file, and some servers do not know ends.
        200 | 416 | 501 => Err(FetchCause::RangesUnsupported.into()),
        _ => Err(remote.setback(&reply)),
    }
}

async fn read_part(remote: &Remote, reply: Reply, span: Span, wanted: String) -> Result<RangeReply, FetchCause> {
    let shown = text(reply.response.headers(), header::CONTENT_RANGE).unwrap_or_else(|| "no Content-Range".to_owned());
    let found = ContentRange::of(&reply);
    let Some((range, total)) = found.and_then(|range| Some((range, range.total?))).filter(|found| fits(*found, span))
    else {
        return Err(FetchCause::RangeMismatch { expected: wanted, found: shown });
    };
    let mut body = Body::new(reply.response, &remote.timing);
    let bytes = body.read(range.length()).await?;
    if bytes.len() as u64 != range.length() {
        return Err(body.truncated("the part is shorter than its Content-Range".to_owned()));
    }
    Ok(RangeReply { bytes, start: range.first, total_bytes: total })
}

/// Returns true if this is the part that was asked for, cut only where the file ends.
fn fits((range, total): (ContentRange, u64), span: Span) -> bool {
    match span {
        Span::From { start, length } => {
            range.first == start && range.length() == length.min(total.saturating_sub(start))
        }
        Span::LastBytes(count) => {
            range.first == total.saturating_sub(count) && range.last.checked_add(1) == Some(total)
        }
    }
}

fn header_value(span: Span) -> String {
    match span {
        Span::From { start, length } => format!("bytes={start}-{}", start.saturating_add(length.saturating_sub(1))),
        Span::LastBytes(count) => format!("bytes=-{count}"),
    }
}

/// Returns how many bytes are asked for.
pub(crate) const fn wanted_bytes(span: Span) -> u64 {
    match span {
        Span::From { length, .. } => length,
        Span::LastBytes(count) => count,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_content_ranges_and_no_contradictions() {
        let check = |value, expected: Option<(u64, u64, Option<u64>)>| {
            let expected = expected.map(|(first, last, total)| ContentRange { first, last, total });
            assert_eq!(ContentRange::parse(value), expected, "{value}");
        };
        check("bytes 0-4/10", Some((0, 4, Some(10))));
        check("bytes 5-9/*", Some((5, 9, None)));
        check("bytes 5-10/10", None);
        check("bytes 5-4/10", None);
        check("bytes */10", None);
        check("lines 0-4/10", None);
        check("bytes 0-99999999999999999999/10", None);
        check("bytes -1-4/10", None);
    }

    #[test]
    fn a_part_fits_only_if_it_is_the_one() {
        let check = |value, span, expected| {
            let range = ContentRange::parse(value).unwrap();
            assert_eq!(fits((range, range.total.unwrap()), span), expected, "{value} {span:?}");
        };
        check("bytes 2-4/10", Span::From { start: 2, length: 3 }, true);
        check("bytes 3-5/10", Span::From { start: 2, length: 3 }, false);
        check("bytes 2-3/10", Span::From { start: 2, length: 3 }, false);
        check("bytes 8-9/10", Span::From { start: 8, length: 3 }, true);
        check("bytes 7-9/10", Span::LastBytes(3), true);
        check("bytes 0-9/10", Span::LastBytes(30), true);
        check("bytes 0-2/10", Span::LastBytes(3), false);
        check("bytes 6-8/10", Span::LastBytes(3), false);
    }
}
