//! A directory as an index.

use std::fs;
use std::io::Read;

use pinfold_artifact::{Artifact, Origin, SafeUrl, Sha256};
use sha2::Digest;

use super::*;
use crate::{RangeReply, Span};

fn directory_url(bench: &Bench, path: &str) -> SafeUrl {
    SafeUrl::try_from(url::Url::from_file_path(bench.path(path)).unwrap()).unwrap()
}

#[test]
fn a_directory_with_a_page_is_an_index() {
    let bench = Bench::new();
    let origin = Origin::new(&directory_url(&bench, "index"), []);
    fs::create_dir_all(bench.path("index/a b")).unwrap();
    let ask = |path: &str| bench.offline().page(&origin, &directory_url(&bench, path), Freshness::Any);
    assert_eq!(ask("index/none").unwrap(), PageReply::Absent);
    assert_eq!(ask("index/a b").unwrap(), PageReply::Absent);
    fs::write(bench.path("index/a b/index.html"), "<html>").unwrap();
    let page = found(ask("index/a b"));
    assert_eq!((page.bytes.as_slice(), page.content_type.as_str()), (b"<html>".as_slice(), "text/html"));
    assert_eq!(page.url, directory_url(&bench, "index/a b").as_directory());
    fs::write(bench.path("index/a b/index.json"), "{}").unwrap();
    assert_eq!(found(ask("index/a b")).content_type, "application/vnd.pypi.simple.v1+json");
    let page = found(ask("index/a b/index.html"));
    assert_eq!(page.url, directory_url(&bench, "index/a b/index.html"));
}

/// That an index has no such page is its word, and there is no index to say so.
#[test]
fn an_index_that_is_not_there_is_no_answer() {
    let bench = Bench::new();
    let origin = Origin::new(&directory_url(&bench, "share/simple"), []);
    let ask = || bench.offline().page(&origin, &directory_url(&bench, "share/simple/a"), Freshness::Any);
    assert_eq!(summary(&ask().unwrap_err()), "File x0");
    fs::create_dir_all(bench.path("share")).unwrap();
    fs::write(bench.path("share/simple"), "").unwrap();
    assert_eq!(summary(&ask().unwrap_err()), "File x0");
    fs::remove_file(bench.path("share/simple")).unwrap();
    fs::create_dir_all(bench.path("share/simple")).unwrap();
    assert_eq!(ask().unwrap(), PageReply::Absent);
}

#[test]
fn files_are_read_whole_in_part_and_into_the_store() {
    let bench = Bench::new();
    let origin = Origin::new(&directory_url(&bench, "index"), []);
    fs::create_dir(bench.path("index")).unwrap();
    fs::write(bench.path("index").join(FILE), "0123456789").unwrap();
    let (fetcher, store) = (bench.offline(), bench.store());
    let file = directory_url(&bench, &format!("index/{FILE}"));
    let artifact = Artifact {
        filename: FILE.parse().unwrap(),
        url: file.clone(),
        size_bytes: 10,
        sha256: Sha256::from_bytes(sha2::Sha256::digest(b"0123456789").into()),
        origin: origin.clone(),
    };
    let part = |bytes: &[u8], start| RangeReply { bytes: bytes.to_vec(), start, total_bytes: 10 };
    assert_eq!(fetcher.range(&origin, &file, Span::LastBytes(3)).unwrap(), part(b"789", 7));
    assert_eq!(fetcher.range(&origin, &file, Span::LastBytes(30)).unwrap(), part(b"0123456789", 0));
    assert_eq!(fetcher.range(&origin, &file, Span::From { start: 8, length: 9 }).unwrap(), part(b"89", 8));
    assert_eq!(fetcher.small(&origin, &file, 10).unwrap().unwrap(), b"0123456789");
    assert_eq!(summary(&fetcher.small(&origin, &file, 9).unwrap_err()), "TooLarge x0 [size-limit]");
    assert_eq!(fetcher.small(&origin, &directory_url(&bench, "index/none"), 9).unwrap(), None);
    let (size, digest, mut handed) = fetcher.digest(&origin, &file, 10).unwrap();
    let mut text = String::new();
    handed.read_to_string(&mut text).unwrap();
    assert_eq!((size, digest, text.as_str()), (10, artifact.sha256, "0123456789"));
    let stored = fetcher.download(&artifact, &store, &|_| ()).unwrap();
    assert_eq!(fs::read(stored.path()).unwrap(), b"0123456789");
    let wrong = Artifact { sha256: Sha256::from_bytes([0; 32]), ..artifact.clone() };
    let error = fetcher.download(&wrong, &store, &|_| ()).unwrap_err();
    assert_eq!(summary(&error), "HashMismatch x0 [hash-mismatch]");
    let missing = Artifact { url: directory_url(&bench, "index/none"), ..wrong };
    assert_eq!(summary(&fetcher.download(&missing, &store, &|_| ()).unwrap_err()), "File x0");
}

#[test]
#[cfg(unix)]
fn what_has_no_end_is_not_read() {
    let bench = Bench::new();
    let origin = Origin::new(&url("file:///dev/"), []);
    let error = bench.offline().small(&origin, &url("file:///dev/zero"), 10).unwrap_err();
    assert_eq!(summary(&error), "File x0");
    assert_eq!(summary(&bench.offline().digest(&origin, &url("file:///dev/zero"), 10).unwrap_err()), "File x0");
}

#[test]
fn an_index_on_the_network_has_no_files_here() {
    let bench = Bench::new();
    fs::write(bench.path("secret"), "secret").unwrap();
    let file = directory_url(&bench, "secret");
    let error = bench.fetcher().small(&origin_of("https://index.example/"), &file, 10).unwrap_err();
    assert_eq!(summary(&error), "Origin x0 [origin-mismatch]");
}
