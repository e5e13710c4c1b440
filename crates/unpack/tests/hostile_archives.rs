//! Random hostile archives: a valid wheel in which every byte and every field of every header is changed, alone and in pairs.
//!
//! What is accepted must be what the `zip` crate reads, inside the root, without twins: the body of the fuzz target `zip` says
//! so. `tests/differential/archives` puts the same question to Python.
#![expect(clippy::unwrap_used, reason = "a target is a test")]

use std::io::Cursor;

use pinfold_testkit::{Descriptor, HeaderFields, HostileZip, WheelRecipe, ZipMember};
use pinfold_unpack::read_layout;

#[path = "../../../tests/fuzz/src/recipes.rs"]
mod recipes;
#[path = "../../../tests/fuzz/src/target.rs"]
#[expect(dead_code, reason = "what is replayed from the corpus is in fuzz_corpus.rs")]
mod target;
#[path = "../../../tests/fuzz/src/unpack.rs"]
mod targets;

/// How many archives were put to the test, and how many of them were accepted.
#[derive(Default)]
struct Tally {
    accepted: usize,
    all: usize,
}

impl Tally {
    fn check(&mut self, archive: &[u8]) {
        let zip = targets::TARGETS.iter().find(|target| target.name == "zip").expect("the target is there");
        (zip.body)(archive);
        self.all += 1;
        self.accepted += usize::from(read_layout(&mut Cursor::new(archive)).is_ok());
    }
}

/// The same numbers on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % limit as u64).expect("it is below the limit")
    }
}

fn wheel() -> HostileZip {
    let recipe = WheelRecipe::new("a", "1.0").file("a/data.txt", "data ".repeat(20)).console_script("run", "a:main");
    let zip = recipe.zip().member(ZipMember::new("a/stored", "stored").stored());
    zip.change("a/data.txt", |member| member.descriptor(Descriptor::Signed))
}

const CHANGES: [fn(u8) -> u8; 4] = [|byte| byte ^ 1, |byte| !byte, |_| 0, |byte| byte.wrapping_add(1)];

#[test]
fn every_changed_byte_is_refused_or_read_alike() {
    let archive = wheel().build();
    let mut tally = Tally::default();
    tally.check(&archive);
    assert_eq!(tally.accepted, 1, "the wheel itself is good");
    for position in 0..archive.len() {
        for change in CHANGES {
            let mut spoiled = archive.clone();
            spoiled[position] = change(spoiled[position]);
            tally.check(&spoiled);
        }
    }
    // A changed time, or a byte of a member's data, leaves the layout as it is.
    assert!(
        tally.accepted > tally.all / 3 && tally.accepted < tally.all * 2 / 3,
        "{} of {}",
        tally.accepted,
        tally.all
    );
}

#[test]
fn every_cut_and_every_doubled_piece_is_refused_or_read_alike() {
    let archive = wheel().build();
    let mut tally = Tally::default();
    for length in 0..archive.len() {
        tally.check(&archive[..length]);
        tally.check(&[&archive[..length], &archive[..]].concat());
        tally.check(&[&archive[..], &archive[archive.len() - length..]].concat());
    }
    // Only nothing before a whole archive, and nothing behind it, is accepted.
    assert_eq!(tally.accepted, 2);
}

/// Changes one field of a header.
fn changed(field: usize, value: u64, fields: &mut HeaderFields) {
    let (small, large) = (Some(value as u16), Some(value as u32));
    match field {
        0 => fields.signature = large,
        1 => fields.version_needed = small,
        2 => fields.flags = small,
        3 => fields.method = small,
        4 => fields.time = small,
        5 => fields.date = small,
        6 => fields.crc32 = large,
        7 => fields.packed_bytes = large,
        8 => fields.unpacked_bytes = large,
        9 => fields.name = Some(NAMES[value as usize % NAMES.len()].into()),
        10 => fields.name_bytes = small,
        _ => fields.extra = Some(EXTRAS[value as usize % EXTRAS.len()].into()),
    }
}

const FIELDS: usize = 12;
const NAMES: [&str; 8] = ["../evil", "/evil", "a/DATA.txt", "a", "a/data.txt/x", "a\\b", "con", "a/\u{e9}"];
const EXTRAS: [&[u8]; 6] = [
    b"",
    b"\x01\x00\x08\x00\x01\x00\x00\x00\x00\x00\x00\x00",
    b"\x01\x00\x10\x00\x64\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00",
    b"\x75\x70\x06\x00\x01....x",
    b"\x01\x00\xff\xff",
    b"\x55\x54\x05\x00\x03\x00\x00\x00\x00",
];
const VALUES: [u64; 14] = [0, 1, 2, 3, 5, 6, 8, 9, 20, 45, 100, 0x808, 0xffff, 0xffff_ffff];

#[test]
fn every_changed_field_alone_and_in_pairs_is_refused_or_read_alike() {
    let members = ["a/__init__.py", "a/data.txt", "a-1.0.dist-info/RECORD", "a/stored"];
    let mut tally = Tally::default();
    let change = |zip: HostileZip, member: &str, place: usize, field: usize, value: u64| {
        zip.change(member, |member| match place {
            0 => member.local(|fields| changed(field, value, fields)),
            1 => member.central(|fields| changed(field, value, fields)),
            _ => member.both(|fields| changed(field, value, fields)),
        })
    };
    for member in members {
        for place in 0..3 {
            for field in 0..FIELDS {
                VALUES.iter().for_each(|value| tally.check(&change(wheel(), member, place, field, *value).build()));
            }
        }
    }
    assert!(tally.accepted > 100 && tally.accepted < tally.all / 3, "{} of {}", tally.accepted, tally.all);
    let mut random = Random(4);
    let mut pairs = Tally::default();
    for _ in 0..2000 {
        let mut zip = wheel();
        for _ in 0..2 {
            let (member, place) = (members[random.below(members.len())], random.below(3));
            zip = change(zip, member, place, random.below(FIELDS), VALUES[random.below(VALUES.len())]);
        }
        pairs.check(&zip.build());
    }
    assert!(pairs.accepted > 10, "{} of {}", pairs.accepted, pairs.all);
}

/// Returns the starts of a tar's headers.
fn headers(tar: &[u8]) -> Vec<usize> {
    (0..tar.len()).step_by(512).filter(|at| tar.get(at + 257..at + 262) == Some(b"ustar")).collect()
}

/// Writes the right checksum into a header.
fn sum_up(header: &mut [u8]) {
    header[148..156].fill(b' ');
    let sum: u64 = header.iter().map(|byte| u64::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

#[test]
fn every_changed_byte_of_a_tar_is_refused_or_read_alike() {
    let target = targets::TARGETS.iter().find(|target| target.name == "sdist_tar").expect("the target is there");
    for (_, tar) in recipes::seeds("sdist_tar").into_iter().filter(|(name, _)| name != "sdist") {
        (target.body)(&tar);
        for start in headers(&tar) {
            // Every byte of the numbers and the magic, every fourth of the long fields for names.
            let changed =
                |at: &usize| (100..148).contains(at) || (156..160).contains(at) || at.is_multiple_of(4) && *at < 400;
            for at in (0..512).filter(changed).map(|at| start + at) {
                for value in [0, b'x', b'/', tar[at] ^ 1] {
                    let mut spoiled = tar.clone();
                    spoiled[at] = value;
                    sum_up(&mut spoiled[start..start + 512]);
                    (target.body)(&spoiled);
                }
            }
        }
    }
}
