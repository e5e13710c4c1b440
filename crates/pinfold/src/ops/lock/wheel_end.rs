//! METADATA out of a wheel that stays where it is: by reading its end, or, where the server serves no parts, all of it.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use pinfold_artifact::{Limits, Origin, SafeUrl};
use pinfold_fetch::{FetchCause, Fetcher, Span};
use pinfold_packaging::PageFile;
use pinfold_unpack::ArchiveError;
use pinfold_unpack::remote::{self, Located};

use crate::exit::{Exit, Failure};

/// Bytes of a wheel's end that are asked for first: enough for the central directory and METADATA of most.
const FIRST_TAIL_BYTES: u64 = 16 << 10;
const METADATA_SUFFIX: &str = ".dist-info/METADATA";

/// Returns a wheel's METADATA.
///
/// # Errors
/// Exit 4 if the world failed; exit 3 if the archive is not strict, or the whole file has another digest than its page says.
pub(super) fn metadata(fetcher: &Fetcher, file: &PageFile, url: &SafeUrl, origin: &Origin) -> Result<Vec<u8>, Failure> {
    let first = match fetcher.range(origin, url, Span::LastBytes(FIRST_TAIL_BYTES)) {
        Err(error) if matches!(error.cause, FetchCause::RangesUnsupported) => return whole(fetcher, file, url, origin),
        first => first?,
    };
    if let Some(expected) = file.size_bytes.filter(|expected| *expected != first.total_bytes) {
        // What was read is of another file than the one that would be locked: the page is old, or it lies.
        return Err(Failure::refused("size-mismatch", format!("refused `{}`", file.filename))
            .with("from", url.without_query())
            .with("expected", format!("{expected} bytes (the index page)"))
            .with("found", format!("{} bytes", first.total_bytes))
            .help(
                "the index serves another file than it names; lock again later, and tell who runs it if it stays so",
            ));
    }
    let tail = Tail { start: first.start, bytes: first.bytes, total_bytes: first.total_bytes };
    let read = |start, length| Ok(fetcher.range(origin, url, Span::From { start, length })?.bytes);
    find(tail, read, &|e| bad_wheel(file, url, e))
}

fn whole(fetcher: &Fetcher, file: &PageFile, url: &SafeUrl, origin: &Origin) -> Result<Vec<u8>, Failure> {
    let limit = file.size_bytes.unwrap_or(Limits::UNKNOWN_SIZE_BYTES);
    let (total_bytes, found, mut wheel) = fetcher.digest(origin, url, limit)?;
    if let Some(expected) = file.sha256.filter(|expected| *expected != found) {
        return Err(Failure::refused("hash-mismatch", format!("refused `{}`", file.filename))
            .with("from", url.without_query())
            .with("expected", format!("sha256:{expected} (the index page)"))
            .with("found", format!("sha256:{found}"))
            .help(
                "the index serves other bytes than it names; lock again later, and tell who runs it if it stays so",
            ));
    }
    let mut read = |start, length| {
        read_part(&mut wheel, start, length).map_err(|e| Failure::of(Exit::World, &e).with("file", &file.filename))
    };
    let length = total_bytes.min(FIRST_TAIL_BYTES);
    let tail = Tail { start: total_bytes - length, bytes: read(total_bytes - length, length)?, total_bytes };
    find(tail, read, &|e| bad_wheel(file, url, e))
}

fn read_part(file: &mut File, start: u64, length: u64) -> std::io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The last bytes of a wheel.
struct Tail {
    start: u64,
    bytes: Vec<u8>,
    total_bytes: u64,
}

fn find(
    mut tail: Tail,
    mut read: impl FnMut(u64, u64) -> Result<Vec<u8>, Failure>,
    bad: &dyn Fn(&ArchiveError) -> Failure,
) -> Result<Vec<u8>, Failure> {
    for _ in 0..MOST_READS {
        match remote::locate(&tail.bytes, tail.total_bytes, METADATA_SUFFIX).map_err(|e| bad(&e))? {
            Located::At { header_start, span_bytes, member } => {
                let at = header_start.checked_sub(tail.start).and_then(|at| usize::try_from(at).ok());
                let held =
                    at.zip(usize::try_from(span_bytes).ok()).and_then(|(at, n)| tail.bytes.get(at..at.checked_add(n)?));
                if let Some(span) = held {
                    return remote::read_member(span, &member).map_err(|e| bad(&e));
                }
                let span = read(header_start, span_bytes.min(Limits::METADATA_BYTES))?;
                return remote::read_member(&span, &member).map_err(|e| bad(&e));
            }
            Located::NeedMore { from } if from < tail.start && tail.total_bytes - from <= Limits::WHEEL_TAIL_BYTES => {
                let mut bytes = read(from, tail.start - from)?;
                bytes.append(&mut tail.bytes);
                tail = Tail { start: from, bytes, ..tail };
            }
            Located::NeedMore { .. } => break,
        }
    }
    Err(Failure::refused("archive-layout", "refused a wheel whose directory cannot be found at its end"))
}

/// The end record, the directory, a zip64 record before it: no strict archive needs more.
const MOST_READS: usize = 4;

fn bad_wheel(file: &PageFile, url: &SafeUrl, error: &ArchiveError) -> Failure {
    let failure = Failure { code: error.refusal_code().map(str::to_owned), ..Failure::of(Exit::Refused, error) };
    failure
        .with("file", &file.filename)
        .with("from", url.without_query())
        .help("do not lock this file; tell the project's maintainers")
}
