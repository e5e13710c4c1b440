//! Downloads: every fault of a transfer, resumption, and what is left behind.

use std::io::Read;
use std::sync::Mutex;

use pinfold_artifact::{Artifact, Sha256};
use pinfold_store::StoreError;
use pinfold_testkit::Fault;
use sha2::Digest;

use super::scripted::{Scripted, raw};
use super::*;
use crate::{FetchCause, Span};

fn file_path() -> String {
    format!("/files/{FILE}")
}

pub(super) fn artifact_at(server: &Scripted, bytes: &[u8]) -> Artifact {
    Artifact {
        filename: FILE.parse().unwrap(),
        url: url(&format!("{}{FILE}", server.url)),
        size_bytes: bytes.len() as u64,
        sha256: Sha256::from_bytes(sha2::Sha256::digest(bytes).into()),
        origin: origin_of(&server.url),
    }
}

#[test]
fn an_artifact_is_downloaded_once_and_then_found() {
    let (bench, server) = (Bench::new(), with_file().start());
    let (store, artifact) = (bench.store(), server.artifact(FILE));
    let seen = Mutex::new(Vec::new());
    let stored = bench.fetcher().download(&artifact, &store, &|bytes| seen.lock().unwrap().push(bytes)).unwrap();
    assert_eq!(std::fs::read(stored.path()).unwrap(), contents());
    let seen = seen.into_inner().unwrap();
    assert!(seen.is_sorted());
    assert_eq!((seen.first(), seen.last()), (Some(&0), Some(&artifact.size_bytes)));
    assert_eq!(server.requests()[0].header("accept-encoding"), Some("identity"));
    for fetcher in [bench.fetcher(), bench.offline()] {
        assert_eq!(fetcher.download(&artifact, &store, &|_| ()).unwrap(), stored);
    }
    assert_eq!((server.requests().len(), leftovers(&store)), (1, 0));
}

#[test]
fn what_is_given_up_ends_at_once_and_asks_nothing_more() {
    let bytes = contents();
    let (asked, was_asked) = std::sync::mpsc::channel();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = Mutex::new(released);
    // It answers when nobody waits for the answer any more.
    let server = Scripted::start(move |_, _| {
        asked.send(()).unwrap();
        let _dropped = released.lock().unwrap().recv();
        Vec::new()
    });
    let (bench, artifact) = (Bench::new(), artifact_at(&server, &bytes));
    let (fetcher, store) = (bench.fetcher(), bench.store());
    let download = || fetcher.download(&artifact, &store, &|_| ()).unwrap_err().cause;
    std::thread::scope(|scope| {
        let waiting = scope.spawn(download);
        was_asked.recv().unwrap();
        fetcher.abandon();
        assert!(matches!(waiting.join().unwrap(), FetchCause::Abandoned));
    });
    assert!(matches!(download(), FetchCause::Abandoned));
    assert_eq!(server.heads().len(), 1);
    drop(release);
}

#[test]
fn every_fault_is_survived_or_named_and_leaves_nothing_wrong() {
    let check = |fault: Fault, expected: &str, requests: usize| {
        let (bench, server) = (Bench::new(), with_file().start());
        let (store, artifact) = (bench.store(), server.artifact(FILE));
        server.fault_on(&file_path(), fault.clone());
        let said = match bench.fetcher().download(&artifact, &store, &|_| ()) {
            Ok(_) => "stored".to_owned(),
            Err(error) => summary(&error),
        };
        assert_eq!((said.as_str(), server.requests().len()), (expected, requests), "{fault:?}");
        assert_eq!(store.find(&artifact).unwrap().is_some(), said == "stored");
        if said.contains('[') {
            assert_eq!(leftovers(&store), 0, "{fault:?}");
        }
        // Whatever happened: when the server is well, the download is.
        server.heal();
        bench.fetcher().download(&artifact, &store, &|_| ()).unwrap();
        assert_eq!(leftovers(&store), 0);
    };
    check(Fault::WrongBytes, "HashMismatch x1 [hash-mismatch]", 1);
    check(Fault::Swapped(b"another file".to_vec()), "SizeMismatch x1 [size-mismatch]", 1);
    check(Fault::Swapped(vec![0; 1_000_003]), "HashMismatch x1 [hash-mismatch]", 1);
    check(Fault::Swapped(vec![0; 1_000_004]), "SizeMismatch x1 [size-mismatch]", 1);
    check(Fault::Endless, "SizeMismatch x1 [size-mismatch]", 1);
    check(Fault::WrongLength(-5), "SizeMismatch x1 [size-mismatch]", 1);
    check(Fault::WrongLength(5), "Truncated x4", 4);
    check(Fault::Truncated, "Truncated x4", 4);
    check(Fault::TruncatedThen(3), "stored", 4);
    check(Fault::Reset, "Truncated x4", 4);
    check(Fault::StatusThen { status: 503, times: 3 }, "stored", 4);
    check(Fault::StatusThen { status: 429, times: 2 }, "stored", 3);
    check(Fault::Status(500), "Status x4", 4);
    check(Fault::Status(404), "Status x1", 1);
    check(Fault::Status(403), "Unauthorized x1", 1);
    check(Fault::NoRange, "stored", 1);
}

#[test]
fn a_refusal_says_what_was_expected_and_what_came() {
    let (bench, server) = (Bench::new(), with_file().start());
    let wanted = server.artifact(FILE);
    server.replace_file(FILE, vec![7; 1_000_003]);
    let error = bench.fetcher().download(&wanted, &bench.store(), &|_| ()).unwrap_err();
    let FetchCause::Store(StoreError::HashMismatch { artifact, found }) = &error.cause else { panic!("{error:?}") };
    assert_eq!(**artifact, wanted);
    assert_eq!(*found, Sha256::from_bytes(sha2::Sha256::digest(vec![7; 1_000_003]).into()));
    assert!(error.is_refusal());
}

#[test]
fn bytes_that_were_compressed_on_the_way_are_refused_and_told_of() {
    let check = |coding: &str, body: Vec<u8>, expected: &str| {
        let (bench, server) = (Bench::new(), with_file().start());
        let (store, artifact) = (bench.store(), server.artifact(FILE));
        server.fault_on(&file_path(), Fault::Coded(coding.to_owned()));
        server.fault_on(&file_path(), Fault::Swapped(body));
        let said = match bench.fetcher().download(&artifact, &store, &|_| ()) {
            Ok(_) => "stored".to_owned(),
            Err(error) => format!("{}: {}", summary(&error), error.cause),
        };
        let here = artifact.url.file_host().unwrap().to_string();
        assert_eq!(said.replace(&here, "HOST"), expected);
        assert_eq!(leftovers(&store), 0);
        assert_eq!(server.requests()[0].header("accept-encoding"), Some("identity"));
    };
    let told = |code: &str, coding: &str| {
        let asked = "though it was asked for as it is (`identity`)";
        format!("Coded x1 [{code}]: HOST sent it with the content coding `{coding}`, {asked}")
    };
    check("gzip", vec![1; 4000], &told("size-mismatch", "gzip"));
    check("br", vec![1; 1_000_004], &told("size-mismatch", "br"));
    check("zstd", vec![1; 1_000_003], &told("hash-mismatch", "zstd"));
    check("deflate, \u{9b}gzip", vec![1; 4000], &told("size-mismatch", "deflate, \\u{9b}gzip"));
    // A file that has its digest is the file, whatever is said of it.
    check("x-gzip", contents(), "stored");
    check("identity", contents(), "stored");
    // The control: of a file that is sent as it is, nothing more is told.
    let plain =
        format!("SizeMismatch x1 [size-mismatch]: `{FILE}` from HOST/files/{FILE} has 4000 bytes, expected 1000003");
    check("identity", vec![1; 4000], &plain);
}

#[test]
fn what_is_compressed_is_not_taken_for_a_file_of_unknown_digest() {
    let check = |coding: &str, digested: &str, part: &str| {
        let (bench, server) = (Bench::new(), with_file().start());
        let (fetcher, origin, file) = (bench.fetcher(), server.origin(), url(&server.file_url(FILE)));
        server.fault_on(&file_path(), Fault::Coded(coding.to_owned()));
        let said = fetcher.digest(&origin, &file, 1 << 30).map_or_else(|error| summary(&error), |_| "read".to_owned());
        assert_eq!(said, digested, "{coding}");
        let said = fetcher.range(&origin, &file, Span::LastBytes(9));
        assert_eq!(said.map_or_else(|error| summary(&error), |_| "read".to_owned()), part, "{coding}");
    };
    check("gzip", "Encoding x1", "RangesUnsupported x1");
    check("identity", "read", "read");
    check("aws-chunked", "read", "read");
}

#[test]
fn a_broken_transfer_goes_on_where_it_ended() {
    let (bench, server) = (Bench::new(), with_file().start());
    server.fault_on(&file_path(), Fault::TruncatedThen(2));
    let (store, artifact) = (bench.store(), server.artifact(FILE));
    bench.fetcher().download(&artifact, &store, &|_| ()).unwrap();
    let requests = server.requests();
    let ranges: Vec<_> = requests.iter().map(|request| request.header("range")).collect();
    assert_eq!(ranges, [None, Some("bytes=500001-"), Some("bytes=750002-")]);
    assert!(requests[1].header("if-range").is_some_and(|etag| etag.starts_with('"')));
}

#[test]
fn another_process_goes_on_with_what_the_first_left() {
    let (bench, server) = (Bench::new(), with_file().start());
    server.fault_on(&file_path(), Fault::Truncated);
    let (store, artifact) = (bench.store(), server.artifact(FILE));
    bench.fetcher().download(&artifact, &store, &|_| ()).unwrap_err();
    assert_eq!(leftovers(&store), 1);
    server.heal();
    server.forget_requests();
    bench.fetcher().download(&artifact, &bench.store(), &|_| ()).unwrap();
    assert_eq!(server.requests()[0].header("range"), Some("bytes=937502-"));
}

#[test]
fn a_file_swapped_between_two_parts_is_fetched_whole_before_anybody_is_accused() {
    let (bench, server) = (Bench::new(), with_file().start());
    let (store, artifact) = (bench.store(), server.artifact(FILE));
    // What was left is not the beginning of this file.
    store.admission(&artifact).unwrap().push(b"not the beginning").unwrap();
    bench.fetcher().download(&artifact, &store, &|_| ()).unwrap();
    let ranges: Vec<_> = server.requests().iter().map(|request| request.header("range").is_some()).collect();
    assert_eq!(ranges, [true, false]);
    // All that was left is as long as the file, and wrong.
    let other = Artifact { sha256: Sha256::from_bytes([7; 32]), ..artifact };
    store.admission(&other).unwrap().push(&vec![1; 1_000_003]).unwrap();
    let error = bench.fetcher().download(&other, &store, &|_| ()).unwrap_err();
    assert_eq!(summary(&error), "HashMismatch x1 [hash-mismatch]");
    assert_eq!(leftovers(&store), 0);
}

#[test]
fn a_part_from_another_offset_is_thrown_away() {
    let bytes = b"0123456789".to_vec();
    let script = |wrong: &'static str| {
        move |head: &str, number: usize| match number {
            1 => raw("200 OK", &["Content-Length: 10"], b"01234"),
            _ if head.contains("range: bytes=5-") => {
                raw("206 Partial Content", &[wrong, "Content-Length: 5"], b"56789")
            }
            _ => raw("200 OK", &["Content-Length: 10"], b"0123456789"),
        }
    };
    let check = |content_range: &'static str, requests: usize| {
        let server = Scripted::start(script(content_range));
        let bench = Bench::new();
        bench.fetcher().download(&artifact_at(&server, &bytes), &bench.store(), &|_| ()).unwrap();
        assert_eq!(server.heads().len(), requests, "{content_range}");
    };
    check("Content-Range: bytes 5-9/10", 2);
    check("Content-Range: bytes 5-9/*", 2);
    check("Content-Range: bytes 4-8/10", 3);
    check("Content-Range: bytes 5-9/11", 3);
    check("Content-Range: nonsense", 3);
    check("X-Nothing: 1", 3);
}

#[test]
fn an_unasked_part_is_no_file() {
    let server =
        Scripted::start(|_, _| raw("206 Partial Content", &["Content-Range: bytes 0-1/2", "Content-Length: 2"], b"ab"));
    let bench = Bench::new();
    let error = bench.fetcher().download(&artifact_at(&server, b"ab"), &bench.store(), &|_| ()).unwrap_err();
    assert_eq!(summary(&error), "RangeMismatch x4");
    assert_eq!(leftovers(&bench.store()), 0);
}

#[test]
fn a_body_without_a_marked_end_that_is_short_was_cut() {
    let server = Scripted::start(|_, _| raw("200 OK", &["Content-Type: x/y"], b"ab"));
    let bench = Bench::new();
    let error = bench.fetcher().download(&artifact_at(&server, b"abc"), &bench.store(), &|_| ()).unwrap_err();
    assert_eq!(summary(&error), "Truncated x4");
    bench.fetcher().download(&artifact_at(&server, b"ab"), &bench.store(), &|_| ()).unwrap();
}

#[test]
fn a_file_that_drips_misses_its_deadline() {
    let (mut bench, server) = (Bench::new(), with_file().start());
    bench.settings.timing.deadline_floor = Duration::from_millis(300);
    server.fault_on(&file_path(), Fault::Drip { bytes: 10, pause_ms: 10 });
    let error = bench.fetcher().download(&server.artifact(FILE), &bench.store(), &|_| ()).unwrap_err();
    assert_eq!(summary(&error), "TooSlow x1");
}

#[test]
fn an_empty_file_is_downloaded_too() {
    let (bench, server) = (Bench::new(), Index::new().file("a", FILE, b"").start());
    let stored = bench.fetcher().download(&server.artifact(FILE), &bench.store(), &|_| ()).unwrap();
    assert_eq!((stored.size_bytes(), server.requests().len()), (0, 1));
}

#[test]
fn a_store_that_was_damaged_is_healed_by_the_next_download() {
    let (bench, server) = (Bench::new(), with_file().start());
    let (store, artifact) = (bench.store(), server.artifact(FILE));
    let stored = bench.fetcher().download(&artifact, &store, &|_| ()).unwrap();
    std::fs::remove_file(stored.path()).unwrap();
    std::fs::write(stored.path(), vec![0; 1_000_003]).unwrap();
    assert_eq!(summary(&bench.offline().download(&artifact, &store, &|_| ()).unwrap_err()), "Offline x0");
    let again = bench.fetcher().download(&artifact, &store, &|_| ()).unwrap();
    assert_eq!(std::fs::read(again.path()).unwrap(), contents());
}

#[test]
fn fifty_threads_download_at_once() {
    let mut index = Index::new();
    for number in 0..10_u8 {
        index = index.file("a", &format!("a-{number}.0-py3-none-any.whl"), vec![number; 300_000]);
    }
    let (bench, server) = (Bench::new(), index.start());
    let (fetcher, store) = (bench.fetcher(), bench.store());
    std::thread::scope(|scope| {
        for number in 0..50_u8 {
            let (fetcher, store, server) = (&fetcher, &store, &server);
            scope.spawn(move || {
                let artifact = server.artifact(&format!("a-{}.0-py3-none-any.whl", number % 10));
                let stored = fetcher.download(&artifact, store, &|_| ()).unwrap();
                assert_eq!(std::fs::read(stored.path()).unwrap(), vec![number % 10; 300_000]);
            });
        }
    });
    assert_eq!(leftovers(&store), 0);
}

#[test]
fn a_file_of_unknown_digest_is_hashed_and_handed_out() {
    let (bench, server) = (Bench::new(), with_file().start());
    let (fetcher, origin, file) = (bench.fetcher(), server.origin(), url(&server.file_url(FILE)));
    let (size, digest, mut handed) = fetcher.digest(&origin, &file, 1 << 30).unwrap();
    let artifact = server.artifact(FILE);
    assert_eq!((size, digest), (artifact.size_bytes, artifact.sha256));
    let mut bytes = Vec::new();
    handed.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, contents());
    assert_eq!(summary(&fetcher.digest(&origin, &file, size - 1).unwrap_err()), "TooLarge x1 [size-limit]");
    server.fault_on(&file_path(), Fault::Truncated);
    assert_eq!(summary(&fetcher.digest(&origin, &file, size).unwrap_err()), "Truncated x4");
}
