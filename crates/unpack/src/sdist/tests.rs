//! Every attack of `ATTACKS.md` 6 on the archive of an sdist, each beside the archive that it spoils.

use std::io::Cursor;

use pinfold_testkit::{HostileTar, SdistRecipe, TarEntry};
use proptest::prelude::*;

use super::*;

fn plain() -> HostileTar {
    HostileTar::new().entry(TarEntry::directory("a-1.0/")).file("a-1.0/PKG-INFO", "Name: a\n").file("a-1.0/a/b.py", "x")
}

type Seen = Vec<(String, EntryKind, Vec<u8>)>;

fn read(bytes: &[u8], format: Format) -> Result<(String, Seen), ArchiveError> {
    let mut seen = Vec::new();
    let top = unpack(&mut Cursor::new(bytes), format, &mut |entry, reader| {
        let mut contents = Vec::new();
        reader.read_to_end(&mut contents)?;
        seen.push((entry.path.as_str().to_owned(), entry.kind.clone(), contents));
        Ok(())
    })?;
    Ok((top, seen))
}

#[track_caller]
fn check(tar: HostileTar, expected: &str) {
    check_bytes(&tar.build_gz(), Format::TarGz, expected);
}

#[track_caller]
fn check_bytes(bytes: &[u8], format: Format, expected: &str) {
    let found = read(bytes, format);
    let code = match &found {
        Ok(_) => "ok",
        Err(error) => error.refusal_code().unwrap_or("none"),
    };
    assert_eq!(code, expected, "{found:?}");
}

#[test]
fn control_a_plain_sdist_is_read_as_it_is() {
    let (top, seen) =
        read(&plain().entry(TarEntry::new("a-1.0/run", "#!").mode(0o755)).build_gz(), Format::TarGz).unwrap();
    assert_eq!(top, "a-1.0");
    let paths: Vec<_> = seen.iter().map(|(path, ..)| path.as_str()).collect();
    assert_eq!(paths, ["a-1.0", "a-1.0/PKG-INFO", "a-1.0/a/b.py", "a-1.0/run"]);
    assert_eq!(seen[3].1, EntryKind::File { executable: true, size_bytes: 2 });
    assert_eq!(seen[2].2, b"x");
}

#[test]
fn control_both_formats_tell_their_files() {
    let recipe = SdistRecipe::new("a", "1.0").file("a/big.bin", vec![7; 100_000]);
    for (bytes, format) in [(recipe.tar().build_gz(), Format::TarGz), (recipe.zip().build(), Format::Zip)] {
        let mut reader = Cursor::new(bytes);
        let info = read_top_level(&mut reader, format, "PKG-INFO").unwrap().unwrap();
        assert!(info.starts_with(b"Metadata-Version"), "{info:?}");
        assert!(read_top_level(&mut reader, format, "pyproject.toml").unwrap().is_some());
        assert!(read_top_level(&mut reader, format, "no.such").unwrap().is_none());
    }
    assert_eq!(Format::of("a-1.0.tar.gz"), Some(Format::TarGz));
    assert_eq!(Format::of("a-1.0.tar.bz2"), None);
}

#[test]
fn control_long_names_and_headers_of_real_tools() {
    let long = format!("a-1.0/{}/x.py", "d".repeat(150));
    let named = |header: TarEntry| plain().entry(header).entry(TarEntry::new("a-1.0/cut", "long"));
    for tar in [named(TarEntry::gnu_long_name(&long)), named(TarEntry::pax(&[("path", &long), ("mtime", "1.5")]))] {
        let (_, seen) = read(&tar.build_gz(), Format::TarGz).unwrap();
        assert_eq!((seen[3].0.as_str(), &seen[3].2[..]), (long.as_str(), &b"long"[..]));
    }
    check(plain().entry(TarEntry::pax(&[("comment", "0123")]).kind(b'g')).file("a-1.0/x", "x"), "ok");
    check(plain().entry(TarEntry::new("x.py", "x").prefix("a-1.0/p")), "ok");
    check(plain().entry(TarEntry::new("a-1.0/old/", "").kind(0)), "ok");
    check(plain().entry(TarEntry::new("a-1.0/old", "x").magic(*b"ustar  \0")), "ok");
    check(plain().suffix([0; 9 * 1024]), "ok");
}

#[test]
fn sd01_paths_out_of_the_archive() {
    for path in ["../x", "a-1.0/../../x", "/x", "a-1.0\\x", "a-1.0/\u{1}", "a-1.0/con", "./a-1.0/x", "a-1.0//x"] {
        check(plain().file(path, "x"), "unsafe-path");
    }
    check(plain().entry(TarEntry::directory("../d/")), "unsafe-path");
    check(plain().entry(TarEntry::pax(&[("path", "../x")])).file("a-1.0/x", "x"), "unsafe-path");
    check(plain().entry(TarEntry::gnu_long_name("../x")).file("a-1.0/x", "x"), "unsafe-path");
    check(plain().entry(TarEntry::new("x", "x").prefix("..")), "unsafe-path");
}

#[test]
fn sd02_links() {
    for target in ["/etc/passwd", "../../x", "../../a-1.0/PKG-INFO/../../../x", "gone", "a", "", "..", "C:\\x"] {
        check(plain().entry(TarEntry::symlink("a-1.0/link", target)), "unsafe-link");
        check(plain().entry(TarEntry::hardlink("a-1.0/link", target)), "unsafe-link");
    }
    check(plain().entry(TarEntry::symlink("a-1.0/link", "a")).file("a-1.0/link/x", "x"), "duplicate-member");
    check(plain().entry(TarEntry::symlink("a-1.0/link", "PKG-INFO")).file("a-1.0/link", "x"), "duplicate-member");
    check(plain().entry(TarEntry::symlink("a-1.0/link", "link")), "unsafe-link");
    let two = plain().entry(TarEntry::symlink("a-1.0/l", "m")).entry(TarEntry::symlink("a-1.0/m", "PKG-INFO"));
    check(two, "unsafe-link");
    check(
        plain().entry(TarEntry::pax(&[("linkpath", "/etc/passwd")])).entry(TarEntry::symlink("a-1.0/l", "PKG-INFO")),
        "unsafe-link",
    );
    let good = plain()
        .entry(TarEntry::symlink("a-1.0/a/link", ".././PKG-INFO"))
        .entry(TarEntry::hardlink("a-1.0/hard", "a-1.0/PKG-INFO"));
    let (_, seen) = read(&good.build_gz(), Format::TarGz).unwrap();
    let target: ArchivePath = "a-1.0/PKG-INFO".parse().unwrap();
    for (_, kind, _) in &seen[3..] {
        assert_eq!(*kind, EntryKind::LinkedFile { target: target.clone() });
    }
}

#[test]
fn sd04_devices_sparse_files_and_framing() {
    for kind in [b'3', b'4', b'6', b'S'] {
        check(plain().entry(TarEntry::new("a-1.0/x", "").kind(kind)), "special-file");
    }
    for kind in [b'7', b'D', b'M', b'V', b'z'] {
        check(plain().entry(TarEntry::new("a-1.0/x", "").kind(kind)), "unsupported-method");
    }
    for key in ["size", "GNU.sparse.major", "GNU.sparse.size", "SCHILY.realsize", "hdrcharset", "unknown"] {
        check(plain().entry(TarEntry::pax(&[(key, "1")])).file("a-1.0/x", "x"), "archive-layout");
    }
    check(plain().entry(TarEntry::directory("a-1.0/d/").size_bytes(512)), "archive-layout");
    check(plain().entry(TarEntry::symlink("a-1.0/l", "PKG-INFO").size_bytes(512)), "archive-layout");
    check(plain().entry(TarEntry::new("a-1.0/x", "x").size_bytes(1 << 40)), "archive-bomb");
    check(plain().entry(TarEntry::new("a-1.0/x", "x").size_bytes(4096)), "archive-layout");
    check(
        plain().entry(TarEntry::new("a-1.0/x", "x").size_field(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")),
        "archive-layout",
    );
    check(plain().entry(TarEntry::new("a-1.0/x", "x").size_field(b"9\0\0\0\0\0\0\0\0\0\0\0")), "archive-layout");
}

#[test]
fn sd06_malformed_pax_duplicates_and_two_tops() {
    let records: [&[u8]; 7] =
        [b"9 path=x", b"99 path=x\n", b"x path=x\n", b"09 path=x\n", b"8 pathxx\n", b"0 path=x\n", b"10 path=\xff\n"];
    for raw in records {
        check(plain().entry(TarEntry::pax_raw(raw)).file("a-1.0/x", "x"), "archive-layout");
    }
    check(
        plain().entry(TarEntry::pax(&[("path", "a-1.0/y"), ("path", "a-1.0/z")])).file("a-1.0/x", "x"),
        "archive-layout",
    );
    check(plain().entry(TarEntry::pax(&[("path", "a-1.0/y")]).kind(b'g')).file("a-1.0/x", "x"), "archive-layout");
    check(plain().entry(TarEntry::pax(&[("path", "a-1.0/y")])), "archive-layout");
    check(plain().entry(TarEntry::pax(&[("mtime", "1.5")])), "archive-layout");
    let twice = plain().entry(TarEntry::pax(&[("mtime", "1.5")])).entry(TarEntry::pax(&[("path", "a-1.0/y")]));
    check(twice.file("a-1.0/x", "x"), "archive-layout");
    let both = plain().entry(TarEntry::gnu_long_name("a-1.0/y")).entry(TarEntry::pax(&[("path", "a-1.0/z")]));
    check(both.file("a-1.0/x", "x"), "archive-layout");
    check(plain().file("a-1.0/PKG-INFO", "other"), "duplicate-member");
    check(plain().file("a-1.0/pkg-info", "other"), "duplicate-member");
    check(plain().file("a-1.0/PKG-INFO/x", "x"), "duplicate-member");
    check(plain().file("a-1.0/a", "x"), "duplicate-member");
    check(plain().file("b-1.0/x", "x"), "archive-layout");
    check(plain().file("x", "x"), "archive-layout");
    check(HostileTar::new().file("x", "x"), "archive-layout");
    check(HostileTar::new(), "archive-layout");
    check(plain().entry(TarEntry::new("a-1.0/x", "x").checksum(7)), "archive-layout");
    check(plain().entry(TarEntry::new("a-1.0/x", "x").magic(*b"elephant")), "archive-layout");
}

#[test]
fn sd07_polyglots_tails_and_other_compressions() {
    check(plain().suffix("x"), "archive-layout");
    check(plain().without_end(), "archive-layout");
    let zip = SdistRecipe::new("a", "1.0").zip().build();
    let polyglot = [plain().build_gz(), zip.clone()].concat();
    check_bytes(&polyglot, Format::TarGz, "archive-layout");
    check_bytes(&polyglot, Format::Zip, "archive-layout");
    check_bytes(&plain().build_gz().repeat(2), Format::TarGz, "archive-layout");
    check_bytes(&zip, Format::TarGz, "archive-layout");
    check_bytes(&plain().build(), Format::TarGz, "archive-layout");
    check_bytes(b"BZh91AY&SY", Format::TarGz, "archive-layout");
    check_bytes(b"\xfd7zXZ\0", Format::TarGz, "archive-layout");
    check_bytes(b"", Format::TarGz, "archive-layout");
}

#[test]
fn a_cut_or_damaged_sdist_is_refused() {
    let bytes = plain().build_gz();
    for length in 0..bytes.len() {
        check_bytes(&bytes[..length], Format::TarGz, "archive-layout");
    }
    let mut damaged = bytes.clone();
    let checksum = damaged.len() - 8;
    damaged[checksum] ^= 1;
    check_bytes(&damaged, Format::TarGz, "archive-layout");
}

#[test]
fn a_bomb_of_zeros_is_refused() {
    check(plain().suffix(vec![0; 80 << 20]), "archive-bomb");
    check(plain().file("a-1.0/zeros", vec![0; 80 << 20]), "archive-bomb");
}

proptest! {
    #[test]
    fn a_changed_byte_never_panics(position in any::<usize>(), value in any::<u8>()) {
        let mut tar = plain().entry(TarEntry::pax(&[("path", "a-1.0/p")])).file("a-1.0/x", "x").build();
        let position = position % tar.len();
        tar[position] = value;
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut gz, &tar).unwrap();
        let _ = read(&gz.finish().unwrap(), Format::TarGz);
    }
}
