//! Big files in pieces: what is asked for, that the file is right whatever the server does, and when one stream does.

use std::collections::BTreeSet;
use std::time::Duration;

use pinfold_testkit::Fault;

use super::downloads::artifact_at;
use super::scripted::{Scripted, raw, whole};
use super::*;
use crate::Pieces;

const PIECE: u64 = 100_000;

/// Every file is big here; the line is slow, or it is not.
fn bench(quick: Duration) -> Bench {
    let mut bench = Bench::new();
    bench.settings.pieces = Pieces { from_bytes: 1, piece_bytes: PIECE, at_once: 3, quick };
    bench
}

const NEVER: Duration = Duration::ZERO;

fn ranges(server: &Server) -> Vec<String> {
    server.requests().iter().map(|request| request.header("range").unwrap_or("whole").to_owned()).collect()
}

#[test]
fn a_slow_line_is_filled_by_pieces_that_are_each_asked_for_once() {
    let (bench, server) = (bench(NEVER), with_file().start());
    let (store, artifact) = (bench.store(), server.artifact(FILE));
    let stored = bench.fetcher().download(&artifact, &store, &|_| ()).unwrap();
    assert_eq!(std::fs::read(stored.path()).unwrap(), contents());
    let asked = ranges(&server);
    let expected: BTreeSet<String> = (0..artifact.size_bytes)
        .step_by(PIECE as usize)
        .map(|first| format!("bytes={first}-{}", (first + PIECE).min(artifact.size_bytes) - 1))
        .collect();
    assert_eq!((asked.len(), asked.iter().cloned().collect::<BTreeSet<_>>()), (11, expected));
    let requests = server.requests();
    assert!(requests[0].header("if-range").is_none());
    assert!(requests[1..].iter().all(|it| it.header("if-range").is_some_and(|etag| etag.starts_with('"'))));
    assert_eq!(leftovers(&store), 0);
}

#[test]
fn a_quick_line_gets_one_stream_after_the_first_piece() {
    let (bench, server) = (bench(Duration::from_secs(3600)), with_file().start());
    let stored = bench.fetcher().download(&server.artifact(FILE), &bench.store(), &|_| ()).unwrap();
    assert_eq!(std::fs::read(stored.path()).unwrap(), contents());
    assert_eq!(ranges(&server), ["bytes=0-99999", "bytes=100000-"]);
}

#[test]
fn every_fault_is_survived_or_named() {
    let check = |fault: Fault, expected: &str| {
        let (bench, server) = (bench(NEVER), with_file().start());
        let (store, artifact) = (bench.store(), server.artifact(FILE));
        server.fault_on(&format!("/files/{FILE}"), fault.clone());
        let said = match bench.fetcher().download(&artifact, &store, &|_| ()) {
            Ok(stored) => {
                assert_eq!(std::fs::read(stored.path()).unwrap(), contents(), "{fault:?}");
                "stored".to_owned()
            }
            Err(error) => summary(&error),
        };
        assert_eq!(said, expected, "{fault:?}");
        if said.contains('[') {
            assert_eq!(leftovers(&store), 0, "{fault:?}");
        }
        server.heal();
        bench.fetcher().download(&artifact, &store, &|_| ()).unwrap();
        assert_eq!(leftovers(&store), 0);
    };
    check(Fault::NoRange, "stored");
    check(Fault::TruncatedThen(3), "stored");
    check(Fault::StatusThen { status: 503, times: 3 }, "stored");
    check(Fault::Truncated, "Truncated x4");
    check(Fault::Status(500), "Status x4");
    check(Fault::WrongBytes, "HashMismatch x1 [hash-mismatch]");
    check(Fault::WrongOffset(5), "stored");
}

#[test]
fn pieces_of_two_files_are_fetched_whole_before_anybody_is_accused() {
    let bytes: Vec<u8> = (0..250_000_u32).map(|number| (number % 251) as u8).collect();
    let (right, other) = (bytes.clone(), vec![7; 100_000]);
    // Two machines behind one name, one of which is behind: they give no validator, and the first piece is of another file.
    let server = Scripted::start(move |head, number| match (number, head.contains("range: bytes=")) {
        (_, false) => whole("application/octet-stream", &right),
        (1, _) => part(&other, 0, 250_000),
        (_, _) => {
            let first = if head.contains("bytes=100000-") { 100_000 } else { 200_000 };
            part(&right[first..(first + 100_000).min(250_000)], first, 250_000)
        }
    });
    let bench = bench(NEVER);
    let stored = bench.fetcher().download(&artifact_at(&server, &bytes), &bench.store(), &|_| ()).unwrap();
    assert_eq!(std::fs::read(stored.path()).unwrap(), bytes);
    let heads = server.heads();
    assert!(!heads.last().unwrap().contains("range:"), "{heads:?}");
}

#[test]
fn pieces_that_are_not_the_ones_asked_for_are_fetched_whole() {
    let check = |second: fn() -> Vec<u8>| {
        let bytes: Vec<u8> = (0..250_000_u32).map(|number| (number % 251) as u8).collect();
        let right = bytes.clone();
        let server = Scripted::start(move |head, _| match head {
            head if !head.contains("range: bytes=") => whole("application/octet-stream", &right),
            head if head.contains("bytes=0-") => part(&right[..100_000], 0, 250_000),
            _ => second(),
        });
        let bench = bench(NEVER);
        let stored = bench.fetcher().download(&artifact_at(&server, &bytes), &bench.store(), &|_| ()).unwrap();
        assert_eq!(std::fs::read(stored.path()).unwrap(), bytes);
    };
    check(|| raw("416 Range Not Satisfiable", &["Content-Length: 0"], b""));
    check(|| raw("501 Not Implemented", &["Content-Length: 0"], b""));
    check(|| part(&[7; 100_000], 99_999, 250_000));
    // More than the piece, though its head says otherwise.
    check(|| raw("206 Partial Content", &["Content-Range: bytes 100000-199999/250000"], &[7; 100_001]));
}

fn part(bytes: &[u8], first: usize, total: usize) -> Vec<u8> {
    let range = format!("Content-Range: bytes {first}-{}/{total}", first + bytes.len() - 1);
    raw("206 Partial Content", &[&range, &format!("Content-Length: {}", bytes.len())], bytes)
}

#[test]
fn a_file_that_changes_on_the_way_is_begun_again_as_a_whole() {
    let (bench, server) = (bench(NEVER), with_file().start());
    let (store, artifact) = (bench.store(), server.artifact(FILE));
    server.replace_file(FILE, vec![7; 1_000_003]);
    let replaced = std::sync::Once::new();
    // Once a piece of the other file is there, the right one is put back: its validator is another.
    let put_back = |bytes: u64| {
        if bytes >= PIECE {
            replaced.call_once(|| server.replace_file(FILE, contents()));
        }
    };
    let stored = bench.fetcher().download(&artifact, &store, &put_back).unwrap();
    assert_eq!(std::fs::read(stored.path()).unwrap(), contents());
    assert!(ranges(&server).contains(&"whole".to_owned()), "{:?}", ranges(&server));
}
