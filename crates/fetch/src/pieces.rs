//! A big file in pieces, several of them on their way at once.
//!
//! Over a long way one stream is slower than the line: it waits for its own acknowledgements. So a big file begins with one
//! piece, and if that was slow, and the server knows ranges, the rest is asked for in pieces, some ahead of the one that is
//! being written. They are written and hashed in order, so that what is there is always a beginning of the file; a piece
//! that is not of the same file, as far as server and validator say, ends the transfer.

use std::cell::RefCell;

use futures_util::StreamExt as _;
use reqwest::header;

use crate::FetchCause;
use crate::body::Body;
use crate::page::text;
use crate::range::ContentRange;
use crate::remote::{Ask, Remote};
use crate::retry::Setback;
use crate::settings::Pieces;

/// What all pieces have in common.
pub(crate) struct Whole<'a> {
    /// The file.
    pub(crate) ask: Ask<'a>,
    /// Its size.
    pub(crate) size_bytes: u64,
    /// The strong validator of the first piece, if it had one.
    pub(crate) etag: Option<&'a str>,
}

/// Transfers everything from `start` on, and hands it on piece by piece, in order.
pub(crate) async fn rest(
    remote: &Remote,
    whole: &Whole<'_>,
    start: u64,
    pieces: &Pieces,
    mut push: impl FnMut(&[u8]) -> Result<(), FetchCause>,
) -> Result<(), Setback> {
    let starts = (start..whole.size_bytes).step_by(usize::try_from(pieces.piece_bytes.max(1)).unwrap_or(usize::MAX));
    // Memory that was never touched costs more than what is copied into it: a piece takes the place of one before.
    let spare = RefCell::new(Vec::new());
    let asked = starts.map(|start| piece(remote, whole, start, pieces.piece_bytes, &spare));
    let mut arriving = std::pin::pin!(futures_util::stream::iter(asked).buffered(pieces.at_once));
    while let Some(bytes) = arriving.next().await {
        let bytes = bytes?;
        push(&bytes)?;
        spare.borrow_mut().push(bytes);
    }
    Ok(())
}

/// Transfers one piece.
async fn piece(
    remote: &Remote,
    whole: &Whole<'_>,
    first: u64,
    length: u64,
    spare: &RefCell<Vec<Vec<u8>>>,
) -> Result<Vec<u8>, Setback> {
    let last = whole.size_bytes.min(first.saturating_add(length)) - 1;
    let wanted = format!("bytes={first}-{last}");
    let mut ask = whole.ask.clone().with(header::RANGE, &wanted);
    if let Some(etag) = whole.etag {
        ask = ask.with(header::IF_RANGE, etag);
    }
    let reply = remote.send(&ask).await?;
    match reply.response.status().as_u16() {
        206 => {}
        // The file has changed, or another server answers, that knows no ranges.
        200 => return Err(FetchCause::RangeMismatch { expected: wanted, found: "the whole file".to_owned() }.into()),
        status @ (416 | 501) => {
            return Err(FetchCause::RangeMismatch { expected: wanted, found: format!("status {status}") }.into());
        }
        _ => return Err(remote.setback(&reply)),
    }
    let expected = ContentRange { first, last, total: Some(whole.size_bytes) };
    if ContentRange::of(&reply) != Some(expected) {
        let found = text(reply.response.headers(), header::CONTENT_RANGE);
        let found = found.unwrap_or_else(|| "no Content-Range".to_owned());
        return Err(FetchCause::RangeMismatch { expected: wanted, found }.into());
    }
    let mut body = Body::new(reply.response, &remote.timing);
    let mut buffer = spare.borrow_mut().pop().unwrap_or_default();
    // Exactly: a buffer that grows is copied each time, and ends with up to twice the room.
    buffer.reserve_exact(usize::try_from(expected.length().saturating_sub(buffer.len() as u64)).unwrap_or_default());
    let bytes = match body.read_into(buffer, expected.length()).await {
        Err(FetchCause::TooLarge { .. }) => {
            let found = "more bytes than its Content-Range says".to_owned();
            return Err(FetchCause::RangeMismatch { expected: wanted, found }.into());
        }
        read => read?,
    };
    if bytes.len() as u64 != expected.length() {
        return Err(body.truncated("the piece is shorter than its Content-Range".to_owned()).into());
    }
    Ok(bytes)
}
