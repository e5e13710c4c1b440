//! Every attack of `ATTACKS.md` 3 on the layout, each beside the archive that it spoils.

use std::io::{Cursor, Read as _};

use pinfold_testkit::{Descriptor, HeaderFields, HostileZip, ZipMember};
use proptest::prelude::*;

use super::{Method, read_layout};
use crate::ArchiveError;

fn plain() -> HostileZip {
    HostileZip::new().file("a/__init__.py", "x = 1\n".repeat(50)).file("a/b.txt", "b")
}

fn read(zip: &HostileZip) -> Result<super::Layout, ArchiveError> {
    read_layout(&mut Cursor::new(zip.build()))
}

/// Checks that an archive is refused with a code, or accepted with `ok`.
#[track_caller]
fn check(zip: HostileZip, expected: &str) {
    let found = read(&zip);
    let code = match &found {
        Ok(_) => "ok",
        Err(error) => error.refusal_code().unwrap_or("none"),
    };
    assert_eq!(code, expected, "{found:?}");
}

#[test]
fn control_a_plain_archive_is_read_as_it_is() {
    let zip = plain().member(ZipMember::new("a/run", "#!").stored().mode(0o100_755));
    let layout = read(&zip).unwrap();
    let paths: Vec<_> = layout.members.iter().map(|member| member.path.as_str()).collect();
    assert_eq!(paths, ["a/__init__.py", "a/b.txt", "a/run"]);
    let run = &layout.members[2];
    assert_eq!((run.method, run.executable, run.unpacked_bytes), (Method::Stored, true, 2));
    assert_eq!((layout.members[0].method, layout.members[0].executable), (Method::Deflate, false));
    check(HostileZip::new(), "ok");
}

#[test]
fn control_what_real_build_tools_write_is_accepted() {
    check(plain().member(ZipMember::new("a/d/", "").stored().mode(0o040_755)), "ok");
    check(plain().member(ZipMember::new("a/d/", "").stored().mode(0o755)), "ok");
    check(plain().member(ZipMember::new("a/\u{fc}.txt", "u")), "ok");
    check(plain().change("a/b.txt", |member| member.both(|fields| fields.flags = Some(1 << 1 | 1 << 2))), "ok");
    for descriptor in [Descriptor::Signed, Descriptor::Signed64, Descriptor::Unsigned] {
        check(plain().change("a/b.txt", |member| member.descriptor(descriptor)), "ok");
    }
    // A zip64 field in the local header that repeats what the header says: bazel's writer.
    let mut extra = vec![1, 0, 16, 0];
    extra.extend_from_slice(&1_u64.to_le_bytes());
    extra.extend_from_slice(&3_u64.to_le_bytes());
    check(plain().change("a/b.txt", |member| member.local(|fields| fields.extra = Some(extra.clone()))), "ok");
    extra[4] = 2;
    check(plain().change("a/b.txt", |member| member.local(|fields| fields.extra = Some(extra))), "archive-layout");
}

#[test]
fn a_form_of_zip_that_not_every_reader_knows() {
    let needs = |version| plain().change("a/b.txt", move |m| m.both(|fields| fields.version_needed = Some(version)));
    check(needs(63), "ok");
    check(needs(64), "archive-layout");
    let local = plain().change("a/b.txt", |m| m.local(|fields| fields.version_needed = Some(255)));
    check(local, "archive-layout");
}

#[test]
fn zw01_zw02_zw03_paths_out_of_the_archive() {
    for name in
        ["../evil.py", "a/../../b", "/abs", "C:\\x", "\\\\srv\\x", "C:x", "a\\b", "a\0b", "a\nb", "a//b", "./a", ""]
    {
        check(plain().file(name, "x"), "unsafe-path");
    }
    check(plain().member(ZipMember::new("../d/", "").stored()), "unsafe-path");
    check(plain().file("a/..b", "x"), "ok");
}

#[test]
fn zw03_names_that_are_read_in_two_ways() {
    let latin = |flags| ZipMember::new(b"a/\xfc", "x").both(move |fields| fields.flags = Some(flags));
    check(plain().member(latin(0)), "archive-layout");
    check(plain().member(latin(1 << 11)), "archive-layout");
    let unmarked = ZipMember::new("a/\u{fc}", "x").both(|fields| fields.flags = Some(0));
    check(plain().member(unmarked), "archive-layout");
    let renamed = ZipMember::new("a/c", "x").both(|fields| fields.extra = Some(b"\x75\x70\x06\x00\x01....x".to_vec()));
    check(plain().member(renamed), "archive-layout");
}

#[test]
fn zw05_links_and_devices() {
    check(plain().member(ZipMember::symlink("a/link", "/etc/passwd")), "special-file");
    for mode in [0o010_644, 0o020_644, 0o060_644, 0o140_644, 0o040_755, 0o150_000] {
        check(plain().member(ZipMember::new("a/c", "x").mode(mode)), "special-file");
    }
    check(plain().member(ZipMember::new("a/c/", "").stored().mode(0o100_644)), "special-file");
    let dos = ZipMember::new("a/c", "x").central(|fields| fields.external_attributes = Some(0x10));
    check(plain().member(dos), "special-file");
    check(plain().member(ZipMember::new("a/c/", "x").stored().mode(0o040_755)), "archive-layout");
    check(plain().member(ZipMember::new("a/c", "x").mode(0o100_644)), "ok");
}

#[test]
fn zw06_zw20_two_members_that_are_one_file() {
    check(plain().file("a/b.txt", "other"), "duplicate-member");
    check(plain().file("a/b.txt", "b"), "duplicate-member");
    check(plain().file("A/B.TXT", "b"), "duplicate-member");
    check(plain().file("a/b.txt/c", "b"), "duplicate-member");
    check(plain().file("a/B.txt/c", "b"), "duplicate-member");
    check(plain().file("a", "b"), "duplicate-member");
    check(plain().member(ZipMember::new("a/b.txt/", "").stored().mode(0o040_755)), "duplicate-member");
    check(plain().file("caf\u{e9}", "b").file("cafe\u{301}", "b"), "duplicate-member");
    let directory = || ZipMember::new("a/", "").stored().mode(0o040_755);
    check(plain().member(directory()).member(directory()), "duplicate-member");
    // Neighbours in sorted order that only look alike.
    check(plain().file("a/b.txt.d/c", "b").file("a/b.tx", "b").file("b", "b").member(directory()), "ok");
}

#[test]
fn zw07_zw08_the_local_header_says_otherwise() {
    check(plain().change("a/b.txt", |m| m.local(|f| f.name = Some(b"a/c.txt".to_vec()))), "header-disagreement");
    check(plain().change("a/b.txt", |m| m.local(|f| f.name = Some(b"a/b.txt/".to_vec()))), "header-disagreement");
    check(plain().change("a/b.txt", |m| m.local(|f| f.crc32 = Some(7))), "header-disagreement");
    check(plain().change("a/b.txt", |m| m.local(|f| f.packed_bytes = Some(7))), "header-disagreement");
    check(plain().change("a/b.txt", |m| m.local(|f| f.unpacked_bytes = Some(7))), "header-disagreement");
    check(plain().change("a/b.txt", |m| m.local(|f| f.method = Some(0))), "header-disagreement");
    check(plain().change("a/b.txt", |m| m.local(|f| f.flags = Some(1 << 11))), "header-disagreement");
    check(plain().change("a/b.txt", |m| m.local(|f| f.signature = Some(0))), "archive-layout");
    check(plain().change("a/b.txt", |m| m.central(|f| f.signature = Some(0))), "archive-layout");
    check(plain().change("a/b.txt", |m| m.local(|f| f.extra = Some(b"\x99\x99\xff\x00".to_vec()))), "archive-layout");
    check(plain().change("a/b.txt", |m| m.stored().both(|f| f.unpacked_bytes = Some(7))), "archive-layout");
}

#[test]
fn zw10_bytes_that_belong_to_nothing() {
    check(plain().prefix("#!/bin/sh\n"), "archive-layout");
    check(plain().change("a/__init__.py", |member| member.gap_before("x")), "archive-layout");
    check(plain().change("a/b.txt", |member| member.gap_before("x")), "archive-layout");
    check(plain().before_central("x"), "archive-layout");
    check(plain().before_end("x"), "archive-layout");
    check(plain().change("a/b.txt", ZipMember::without_central), "archive-layout");
    check(plain().change("a/__init__.py", ZipMember::without_central), "archive-layout");
    check(plain().change("a/b.txt", ZipMember::without_local), "archive-layout");
}

#[test]
fn zw11_a_tail_or_a_second_archive() {
    check(plain().suffix("x"), "archive-layout");
    check(plain().suffix("\0"), "archive-layout");
    check(plain().comment("hello"), "archive-layout");
    check(plain().comment_bytes(1), "archive-layout");
    check(plain().comment(HostileZip::new().file("evil", "x").build()), "archive-layout");
    check(plain().suffix(plain().build()), "archive-layout");
    check(plain().prefix(plain().build()), "archive-layout");
    check(plain().without_end(), "archive-layout");
    check(plain().entries(1, 1), "archive-layout");
    check(plain().entries(3, 3), "archive-layout");
    check(plain().entries(1, 2), "archive-layout");
    check(plain().central_bytes(7), "archive-layout");
    check(plain().central_offset(0), "archive-layout");
}

#[test]
fn zw13_zip64_in_one_place_only() {
    let wide = || plain().zip64().entries(0xffff, 0xffff).central_offset(u32::MAX).central_bytes(u32::MAX);
    check(wide(), "ok");
    check(plain().zip64().entries(0xffff, 0xffff), "ok");
    // Not asked for by the end record, as `zipfile` writes it from 2 GiB on: both must say the same.
    check(plain().zip64(), "ok");
    check(plain().zip64().entries(1, 1), "archive-layout");
    check(plain().zip64().central_offset(1), "archive-layout");
    check(plain().zip64().central_bytes(1), "archive-layout");
    check(wide().locator_offset(0), "archive-layout");
    check(wide().extensible([0; 56]), "archive-layout");
    check(wide().entries(1, 1), "archive-layout");
    check(wide().central_offset(1), "archive-layout");
    check(plain().central_offset(u32::MAX), "archive-layout");
    check(wide().before_end("x"), "archive-layout");
    check(plain().change("a/b.txt", |m| m.both(|f| f.packed_bytes = Some(u32::MAX))), "archive-layout");
    check(
        plain().change("a/b.txt", |m| m.central(|f| f.extra = Some(b"\x01\0\x08\0........".to_vec()))),
        "archive-layout",
    );
}

/// Returns a second central directory of the first member alone, with zip64 end record and locator, to be put at `start`.
fn second_end(archive: &[u8], start: usize) -> Vec<u8> {
    let find = |signature: &[u8], from: usize| {
        let at = archive[from..].windows(4).position(|window| window == signature);
        from + at.expect("the signature is there")
    };
    let first = find(b"PK\x01\x02", 0);
    let mut bytes = archive[first..find(b"PK\x01\x02", first + 4)].to_vec();
    let directory_bytes = bytes.len() as u64;
    bytes.extend_from_slice(b"PK\x06\x06\x2c\0\0\0\0\0\0\0\x2d\0\x2d\0\0\0\0\0\0\0\0\0");
    for number in [1, 1, directory_bytes, start as u64] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    bytes.extend_from_slice(b"PK\x06\x07\0\0\0\0");
    bytes.extend_from_slice(&(start as u64 + directory_bytes).to_le_bytes());
    bytes.extend_from_slice(&1_u32.to_le_bytes());
    bytes
}

#[test]
fn zw13_a_second_end_in_the_last_central_header() {
    let last = |change: &dyn Fn(&mut HeaderFields)| plain().change("a/b.txt", |member| member.central(change));
    let two = plain().build();
    // Where comment or extra fields of the last member begin: before the end record.
    let start = two.len() - 22;
    let with_comment = |bytes: Vec<u8>| last(&|fields| fields.comment = Some(bytes.clone()));
    let with_extra = |bytes: Vec<u8>| last(&|fields| fields.extra = Some(bytes.clone()));
    let hidden = second_end(&two, start);
    check(with_comment(hidden), "archive-layout");
    let hidden = second_end(&two, start + 4);
    let length = u16::try_from(hidden.len()).expect("it is short").to_le_bytes();
    check(with_extra([b"\x77\x77", &length[..], &hidden].concat()), "archive-layout");
    // A locator over the border of two fields, where neither holds its signature.
    check(
        last(&|fields| {
            fields.extra = Some(b"\x77\x77\x01\0P".to_vec());
            fields.comment = Some([b"K\x06\x07", &[0; 16][..]].concat());
        }),
        "archive-layout",
    );
    check(with_comment(b"PK\x05\x06 and so on".to_vec()), "archive-layout");
    // A comment and an extra field that hide nothing.
    check(with_comment(b"PK, said the knight".to_vec()), "ok");
    check(with_extra(b"\x77\x77\x04\0PK\x07\x08".to_vec()), "ok");
}

/// An archive with a stored member of zeros that are nowhere.
struct Sparse {
    head: Vec<u8>,
    hole_bytes: u64,
    tail: Vec<u8>,
    position: u64,
}

impl Sparse {
    fn end(&self) -> u64 {
        self.head.len() as u64 + self.hole_bytes + self.tail.len() as u64
    }

    fn byte(&self, position: u64) -> u8 {
        let behind = self.head.len() as u64 + self.hole_bytes;
        let (bytes, at) = if position < behind { (&self.head, position) } else { (&self.tail, position - behind) };
        bytes.get(usize::try_from(at).unwrap_or(usize::MAX)).copied().unwrap_or(0)
    }
}

impl std::io::Read for Sparse {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = (self.end() - self.position).min(buffer.len() as u64);
        for byte in &mut buffer[..count as usize] {
            *byte = self.byte(self.position);
            self.position += 1;
        }
        Ok(count as usize)
    }
}

impl std::io::Seek for Sparse {
    fn seek(&mut self, to: std::io::SeekFrom) -> std::io::Result<u64> {
        self.position = match to {
            std::io::SeekFrom::Start(position) => position,
            std::io::SeekFrom::Current(by) => self.position.checked_add_signed(by).unwrap(),
            std::io::SeekFrom::End(by) => self.end().checked_add_signed(by).unwrap(),
        };
        Ok(self.position)
    }
}

/// The wheels of torch are of this size: between 2 and 4 GiB `zipfile` writes a zip64 end that nothing asks for.
#[test]
fn archives_beyond_two_gibibytes_are_read_with_and_without_a_zip64_end() {
    let hole_bytes = 0x9000_0000_u64;
    let sizes = |fields: &mut HeaderFields| {
        (fields.packed_bytes, fields.unpacked_bytes) = (Some(hole_bytes as u32), Some(hole_bytes as u32));
    };
    let member = ZipMember::new("a.bin", "").stored().both(sizes);
    let local_bytes = 30 + 5;
    let directory_start = local_bytes + hole_bytes;
    let archive = |zip: HostileZip| {
        let zip = zip.central_offset(directory_start as u32);
        let mut head = zip.build();
        let tail = head.split_off(local_bytes as usize);
        Sparse { head, hole_bytes, tail, position: 0 }
    };
    let plain = || HostileZip::new().member(member.clone());
    assert_eq!(read_layout(&mut archive(plain())).unwrap().members[0].unpacked_bytes, hole_bytes);
    let mut wide = archive(plain().zip64());
    // The recipe counts what is in memory only: directory and record are behind the hole.
    let record = wide.tail.windows(4).position(|window| window == b"PK\x06\x06").unwrap();
    let record_start = directory_start + record as u64;
    wide.tail[record + 48..record + 56].copy_from_slice(&directory_start.to_le_bytes());
    wide.tail[record + 56 + 8..record + 56 + 16].copy_from_slice(&record_start.to_le_bytes());
    assert_eq!(read_layout(&mut wide).unwrap().members[0].unpacked_bytes, hole_bytes);
    wide.position = 0;
    wide.tail[record + 48] ^= 1;
    assert_eq!(read_layout(&mut wide).unwrap_err().refusal_code(), Some("archive-layout"));
}

#[test]
fn zw15_data_descriptors() {
    let described = |bytes: &'static [u8]| {
        plain().change("a/b.txt", |member| member.descriptor(Descriptor::Signed).descriptor_bytes(bytes))
    };
    check(described(b""), "archive-layout");
    check(described(b"PK\x07\x08\x01\0\0\0\x03\0\0\0\x01\0\0\0"), "header-disagreement");
    check(described(b"PK\x07\x09\x01\0\0\0\x03\0\0\0\x01\0\0\0"), "archive-layout");
    check(described(b"123456789012"), "header-disagreement");
    check(described(b"too long to be a data descriptor"), "archive-layout");
    let stored = |member: ZipMember| member.stored().descriptor(Descriptor::Signed);
    check(plain().change("a/b.txt", stored), "archive-layout");
    check(plain().change("a/b.txt", |member| member.descriptor_bytes("1234567890123456")), "archive-layout");
}

#[test]
fn zw16_encryption_and_foreign_methods() {
    for flags in [1, 1 << 6, 1 << 13] {
        check(plain().change("a/b.txt", |m| m.both(|f| f.flags = Some(flags))), "unsupported-method");
    }
    for method in [1, 6, 9, 12, 14, 93, 95, 99] {
        check(plain().change("a/b.txt", |m| m.both(|f| f.method = Some(method))), "unsupported-method");
    }
    for flags in [1 << 4, 1 << 5, 1 << 7, 1 << 15] {
        check(plain().change("a/b.txt", |m| m.both(|f| f.flags = Some(flags))), "archive-layout");
    }
}

#[test]
fn zw17_bombs_by_ratio_and_by_number() {
    let huge = |bytes: u32| plain().change("a/b.txt", |m| m.both(|f| f.unpacked_bytes = Some(bytes)));
    check(huge(65 << 20), "archive-bomb");
    check(huge(1 << 20), "ok");
    let many = wide_count(1_000_000);
    let found = read_layout(&mut Cursor::new(many)).unwrap_err();
    assert_eq!(found.refusal_code(), Some("archive-bomb"));
}

/// Writes an end that counts more members than there are.
fn wide_count(members: u64) -> Vec<u8> {
    let mut bytes = plain().zip64().entries(0xffff, 0xffff).build();
    let record = bytes.len() - super::END_BYTES;
    bytes[record + 24..record + 32].copy_from_slice(&members.to_le_bytes());
    bytes[record + 32..record + 40].copy_from_slice(&members.to_le_bytes());
    bytes
}

#[test]
fn zw18_overlapping_members() {
    let first = plain().change("a/b.txt", |m| m.central(|f| f.header_offset = Some(0)));
    check(first, "archive-layout");
    let inside = plain().change("a/b.txt", |m| m.central(|f| f.header_offset = Some(10)));
    check(inside, "archive-layout");
    let beyond = plain().change("a/b.txt", |m| m.central(|f| f.header_offset = Some(1 << 30)));
    check(beyond, "archive-layout");
    let longer = plain().change("a/__init__.py", |m| m.both(|f| f.packed_bytes = Some(400)));
    check(longer, "archive-layout");
}

#[test]
fn zw21_names_that_windows_reads_otherwise() {
    for name in ["CON", "a/aux.py", "a/x.", "a/x ", "a/b:c", "a/nul.txt"] {
        check(plain().file(name, "x"), "unsafe-path");
    }
    check(plain().file("a/console.py", "x"), "ok");
}

#[test]
fn zw22_only_the_execute_bit_is_kept() {
    let layout = read(&plain().member(ZipMember::new("a/s", "x").mode(0o106_777))).unwrap();
    assert!(layout.members[2].executable);
    let layout = read(&plain().member(ZipMember::new("a/s", "x").mode(0o107_666))).unwrap();
    assert!(!layout.members[2].executable);
}

#[test]
fn a_cut_archive_is_refused_wherever_it_is_cut() {
    let bytes = plain().build();
    for length in 0..bytes.len() {
        let found = read_layout(&mut Cursor::new(&bytes[..length])).unwrap_err();
        assert_eq!(found.refusal_code(), Some("archive-layout"), "{length}");
    }
}

proptest! {
    /// What is accepted, the `zip` crate reads alike.
    #[test]
    fn another_reader_sees_the_same_members(
        files in prop::collection::btree_map("[a-z]{1,8}(/[a-z]{1,8}){0,3}", prop::collection::vec(any::<u8>(), 0..300), 0..8)
    ) {
        let mut zip = HostileZip::new();
        for (position, (path, contents)) in files.iter().enumerate() {
            let member = ZipMember::new(path, contents);
            zip = zip.member(if position % 2 == 0 { member } else { member.descriptor(Descriptor::Signed) });
        }
        let bytes = zip.build();
        let Ok(layout) = read_layout(&mut Cursor::new(&bytes)) else { return Ok(()) };
        let mut other = zip::ZipArchive::new(Cursor::new(&bytes)).unwrap();
        prop_assert_eq!(layout.members.len(), other.len());
        for member in &layout.members {
            let mut theirs = Vec::new();
            let mut file = other.by_name(member.path.as_str()).unwrap();
            prop_assert_eq!(file.data_start(), Some(member.data_start));
            file.read_to_end(&mut theirs).unwrap();
            let ours = crate::extract::member_bytes(member, &bytes[member.data_start as usize..]).unwrap();
            prop_assert_eq!(&ours, &theirs);
        }
    }

    /// No byte can be changed so that reading panics, or that the members seen change without notice.
    #[test]
    fn a_changed_byte_never_panics(position in 0_usize..400, value in any::<u8>()) {
        let mut bytes = plain().build();
        let position = position % bytes.len();
        bytes[position] = value;
        let _ = read_layout(&mut Cursor::new(&bytes));
    }
}
