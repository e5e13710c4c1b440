//! Wheels whose archive lies: paths out of it, members that are one file, headers that disagree, bombs. Their bytes have the
//! locked digest, so it is the strict reader that refuses them, before a byte of them reaches the environment.

use pinfold_testkit::{HostileZip, Index, WheelRecipe, ZipMember};

use super::{guarded, refuses_archive, want, wheel};
use crate::project::Project;

/// Serves one wheel for each case, whose metadata locks well.
fn serve(cases: &[(&str, &str, Vec<u8>)]) -> Project {
    let index = Index::new().sidecars();
    let index = cases.iter().fold(index, |index, (name, _, bytes)| {
        let metadata = WheelRecipe::new(name, "1.0").metadata();
        index.file(name, &wheel(name, "1.0"), bytes).sidecar(metadata)
    });
    guarded(index, &[])
}

/// Locks each case and syncs it, which must be refused with its code and leave no trace outside of the store.
fn check(cases: &[(&str, &str, Vec<u8>)]) {
    let project = serve(cases);
    for (name, code, _) in cases {
        want(&project, &[name], "");
        project.lock();
        if code.is_empty() {
            project.sync().expect_code(0);
            project.pinfold("verify").run().expect_code(0);
            continue;
        }
        refuses_archive(&project, "sync", code, &[&wheel(name, "1.0"), "cause: "]);
        let everywhere = project.home.snapshot("..");
        let escaped = everywhere.iter().find(|(path, _)| path.contains("evil.py"));
        assert!(escaped.is_none(), "{name} got out: {escaped:?}");
    }
}

fn case(
    name: &'static str,
    code: &'static str,
    zip: impl FnOnce(HostileZip) -> HostileZip,
) -> (&'static str, &'static str, Vec<u8>) {
    (name, code, zip(WheelRecipe::new(name, "1.0").zip()).build())
}

fn with_file(name: &'static str, code: &'static str, path: &str) -> (&'static str, &'static str, Vec<u8>) {
    (name, code, WheelRecipe::new(name, "1.0").file(path, "print('evil')\n").build())
}

#[test]
fn paths_out_of_the_archive() {
    check(&[
        with_file("honest", "", "honest/inside.py"),
        with_file("up", "unsafe-path", "../evil.py"),
        with_file("down-and-up", "unsafe-path", "a/../../evil.py"),
        with_file("absolute", "unsafe-path", "/evil.py"),
        with_file("drive", "unsafe-path", "C:/evil.py"),
        with_file("backslash", "unsafe-path", "..\\evil.py"),
        with_file("data-up", "unsafe-path", "data_up-1.0.data/data/../../../evil.py"),
        case("link", "special-file", |zip| zip.member(ZipMember::symlink("link/out", "../../evil.py"))),
    ]);
}

#[test]
fn names_that_no_file_system_can_hold() {
    check(&[
        with_file("honest", "", &format!("honest/{}.py", "a".repeat(252))),
        with_file("file", "unsafe-path", &format!("file/{}.py", "a".repeat(253))),
        with_file("directory", "unsafe-path", &format!("{}/evil.py", "a".repeat(256))),
        with_file("path", "unsafe-path", &format!("path/{}evil.py", "a/".repeat(600))),
    ]);
}

#[test]
fn members_that_are_one_file() {
    check(&[
        case("honest", "", |zip| zip),
        case("twice", "duplicate-member", |zip| zip.file("twice/__init__.py", "other = 1\n")),
        with_file("folded", "duplicate-member", "folded/__INIT__.py"),
    ]);
}

#[test]
fn headers_that_disagree() {
    check(&[
        case("honest", "", |zip| zip),
        case("name", "header-disagreement", |zip| {
            zip.change("name/__init__.py", |m| m.local(|h| h.name = Some(b"name/__evil__.py".to_vec())))
        }),
        case("size", "header-disagreement", |zip| {
            zip.change("size/__init__.py", |m| m.local(|h| h.unpacked_bytes = Some(1)))
        }),
        case("method", "header-disagreement", |zip| {
            zip.change("method/__init__.py", |m| m.local(|h| h.method = Some(0)))
        }),
    ]);
}

#[test]
fn bombs_and_broken_data() {
    check(&[
        case("honest", "", |zip| zip),
        case("bomb", "archive-bomb", |zip| {
            zip.change("bomb/__init__.py", |m| m.both(|h| h.unpacked_bytes = Some(0xf000_0000)))
        }),
        case("checksum", "bad-checksum", |zip| zip.change("checksum/__init__.py", |m| m.both(|h| h.crc32 = Some(1)))),
        case("garbage", "corrupt-member", |zip| zip.change("garbage/__init__.py", |m| m.packed([0xff; 16]))),
        case("foreign-method", "unsupported-method", |zip| {
            zip.change("foreign_method/__init__.py", |m| m.both(|h| h.method = Some(12)))
        }),
    ]);
}

#[test]
fn bytes_that_belong_to_nothing() {
    check(&[
        case("honest", "", |zip| zip),
        case("prefix", "archive-layout", |zip| zip.prefix("#!/bin/sh\n")),
        case("suffix", "archive-layout", |zip| zip.suffix("tail")),
        case("gap", "archive-layout", |zip| zip.change("gap/__init__.py", |m| m.gap_before("hidden"))),
        case("streamed", "archive-layout", |zip| zip.member(ZipMember::new("streamed/evil.py", "x").without_central())),
    ]);
}
