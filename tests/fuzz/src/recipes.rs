//! Archives for the fuzzer to begin with: no archive is committed, a recipe makes each.

use pinfold_testkit::{Descriptor, HostileTar, HostileZip, SdistRecipe, TarEntry, WheelRecipe, ZipMember};

/// Returns what a target begins with, by name; nothing for a target whose corpus is text.
pub(crate) fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    match target {
        "sdist_tar" => named(tars()),
        "zip" => named(zips()),
        _ => Vec::new(),
    }
}

fn named(seeds: Vec<(&'static str, Vec<u8>)>) -> Vec<(String, Vec<u8>)> {
    seeds.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect()
}

/// Returns archives for the target `zip`.
fn zips() -> Vec<(&'static str, Vec<u8>)> {
    let small =
        || HostileZip::new().file("a/x.py", "x = 1\n").member(ZipMember::new("a/y", "yyyyyyyyyyyyyyyy").stored());
    let metadata = "a-1.0.dist-info/METADATA";
    vec![
        ("wheel", WheelRecipe::new("a", "1.0").console_script("run", "a:main").build()),
        ("small", small().build()),
        ("empty", HostileZip::new().build()),
        ("directory", small().member(ZipMember::new("b/", "").stored().mode(0o040_755)).build()),
        ("descriptor", HostileZip::new().member(ZipMember::new(metadata, "x").descriptor(Descriptor::Signed)).build()),
        ("zip64_member", HostileZip::new().member(ZipMember::new(metadata, "Name: a\n").zip64()).build()),
        ("zip64_end", small().zip64().build()),
        ("comment", small().comment("a comment").build()),
        ("prefix", small().prefix("#!/bin/sh\n").build()),
        ("suffix", small().suffix("more").build()),
        ("gap", small().member(ZipMember::new("z", "z").gap_before("gap")).build()),
        ("twins", small().file("a/X.py", "x = 2\n").build()),
        (
            "utf8",
            HostileZip::new()
                .member(ZipMember::new("a/\u{e9}", "e").both(|fields| fields.flags = Some(1 << 11)))
                .build(),
        ),
        ("symlink", small().member(ZipMember::symlink("l", "../x")).build()),
    ]
}

/// Returns archives for the target `sdist_tar`.
fn tars() -> Vec<(&'static str, Vec<u8>)> {
    let top = || HostileTar::new().entry(TarEntry::directory("a-1.0/"));
    let long = format!("a-1.0/{}", "d/".repeat(60) + "f.py");
    vec![
        ("sdist", SdistRecipe::new("a", "1.0").tar().build()),
        ("small", top().file("a-1.0/PKG-INFO", "Metadata-Version: 2.2\n").build()),
        (
            "links",
            top()
                .file("a-1.0/x", "x")
                .entry(TarEntry::symlink("a-1.0/l", "./x"))
                .entry(TarEntry::hardlink("a-1.0/h", "a-1.0/x"))
                .build(),
        ),
        ("pax", top().entry(TarEntry::pax(&[("path", &long), ("mtime", "1.5")])).file("short", "x").build()),
        (
            "pax_global",
            HostileTar::new().entry(TarEntry::pax(&[("comment", "c")]).kind(b'g')).file("a-1.0/x", "x").build(),
        ),
        ("gnu_long_name", top().entry(TarEntry::gnu_long_name(&long)).file("short", "x").build()),
        ("prefix", top().entry(TarEntry::new("x", "x").prefix("a-1.0/p")).build()),
        ("old_directory", HostileTar::new().entry(TarEntry::new("a-1.0/", "")).file("a-1.0/x", "x").build()),
        ("binary_size", top().entry(TarEntry::new("a-1.0/x", "x").size_field(b"\x80\0\0\0\0\0\0\0\0\0\0\x01")).build()),
        ("no_end", top().without_end().build()),
        ("suffix", top().suffix("more").build()),
        ("device", top().entry(TarEntry::new("a-1.0/d", "").kind(b'3').device(1, 3)).build()),
    ]
}
