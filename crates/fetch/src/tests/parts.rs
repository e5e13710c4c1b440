//! Parts of files and small files.

use pinfold_testkit::Fault;

use super::scripted::{Scripted, raw};
use super::*;
use crate::{RangeReply, Span};

fn part(server: &Server, span: Span) -> Result<RangeReply, FetchError> {
    Bench::new().fetcher().range(&server.origin(), &url(&server.file_url(FILE)), span)
}

#[test]
fn parts_are_what_was_asked_for() {
    let (server, bytes) = (with_file().start(), contents());
    let check = |span, start: usize, end: usize| {
        let reply = part(&server, span).unwrap();
        assert_eq!(reply.bytes, &bytes[start..end]);
        assert_eq!((reply.start, reply.total_bytes), (start as u64, bytes.len() as u64));
    };
    let end = bytes.len();
    check(Span::LastBytes(1000), end - 1000, end);
    check(Span::LastBytes(1 << 30), 0, end);
    check(Span::From { start: 7, length: 100 }, 7, 107);
    check(Span::From { start: end as u64 - 5, length: 100 }, end - 5, end);
    assert!(server.requests().iter().all(|request| request.header("accept-encoding") == Some("identity")));
}

#[test]
fn a_server_without_parts_is_known_by_its_answer() {
    let server = with_file().without_ranges().start();
    assert_eq!(summary(&part(&server, Span::LastBytes(1000)).unwrap_err()), "RangesUnsupported x1");
    assert_eq!(summary(&part(&server, Span::From { start: 0, length: 9 }).unwrap_err()), "RangesUnsupported x1");
    // But a file that is shorter than what was asked for is an answer.
    let reply = part(&server, Span::LastBytes(2_000_000)).unwrap();
    assert_eq!((reply.bytes.len() as u64, reply.start), (reply.total_bytes, 0));
}

#[test]
fn parts_that_lie_are_no_answer() {
    let check = |fault: Fault, expected: &str| {
        let server = with_file().start();
        server.fault_on(&format!("/files/{FILE}"), fault);
        let said = part(&server, Span::LastBytes(1000)).map_or_else(|e| summary(&e), |_| "found".to_owned());
        assert_eq!(said, expected);
    };
    check(Fault::WrongOffset(3), "RangeMismatch x4");
    check(Fault::Truncated, "Truncated x4");
    check(Fault::TruncatedThen(1), "found");
    check(Fault::StatusThen { status: 502, times: 2 }, "found");
    check(Fault::Status(404), "Status x1");
    check(Fault::WrongLength(-3), "Truncated x4");
    check(Fault::Endless, "TooLarge x1 [size-limit]");
}

#[test]
fn a_part_that_contradicts_its_own_header_is_no_answer() {
    let check = |range: &'static str, body: &'static [u8], expected: &str| {
        let length = format!("Content-Length: {}", body.len());
        let server = Scripted::start(move |_, _| raw("206 Partial Content", &[range, &length], body));
        let address = url(&format!("{}a.whl", server.url));
        let reply = Bench::new().fetcher().range(&origin_of(&server.url), &address, Span::LastBytes(3));
        assert_eq!(reply.map_or_else(|e| summary(&e), |r| String::from_utf8(r.bytes).unwrap()), expected);
    };
    check("Content-Range: bytes 7-9/10", b"abc", "abc");
    check("Content-Range: bytes 7-9/10", b"ab", "Truncated x4");
    check("Content-Range: bytes 7-9/10", b"abcd", "TooLarge x1 [size-limit]");
    check("Content-Range: bytes 7-9/*", b"abc", "RangeMismatch x4");
    check("Content-Range: bytes 6-8/10", b"abc", "RangeMismatch x4");
    check("Content-Range: bytes 0-9/10", b"abcdefghij", "RangeMismatch x4");
    check("X-Nothing: 1", b"abc", "RangeMismatch x4");
}

#[test]
fn small_files_are_bounded_and_may_be_absent() {
    let (bench, server) = (Bench::new(), with_file().start());
    let (fetcher, origin) = (bench.fetcher(), server.origin());
    let size = contents().len() as u64;
    let file = url(&server.file_url(FILE));
    assert_eq!(fetcher.small(&origin, &file, size).unwrap().unwrap(), contents());
    assert_eq!(summary(&fetcher.small(&origin, &file, size - 1).unwrap_err()), "TooLarge x1 [size-limit]");
    assert_eq!(fetcher.small(&origin, &url(&server.file_url("none")), 10).unwrap(), None);
    server.fault_on(&format!("/files/{FILE}"), Fault::Endless);
    assert_eq!(summary(&fetcher.small(&origin, &file, 2 * size).unwrap_err()), "TooLarge x1 [size-limit]");
}
