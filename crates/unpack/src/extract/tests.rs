//! What is checked while a member is unpacked (ZW24, WI04), whole and as a stream.

use std::io::Cursor;

use pinfold_testkit::{HostileZip, WheelRecipe, ZipMember, sha256};

use super::*;
use crate::{Scheme, read_layout};

/// Makes the one member of an archive look like a wheel's, with its RECORD digest.
fn only_member(zip: &HostileZip, contents: &[u8]) -> (Vec<u8>, WheelMember) {
    let bytes = zip.build();
    let member = read_layout(&mut Cursor::new(&bytes)).unwrap().members.remove(0);
    let destination = member.path.clone();
    let digest = Some(RecordDigest::Sha256(sha256(contents)));
    (bytes, WheelMember { member, digest, scheme: Scheme::Root, destination, hazard: None })
}

/// Unpacks in every way, and checks that all ways agree.
fn unpack_all_ways(bytes: &[u8], member: &WheelMember) -> Result<Vec<u8>, &'static str> {
    let start = member.member.data_start as usize;
    let mut extractor = Extractor::new();
    let whole = extractor.whole(member, |buffer| {
        let mut source = &bytes[start..];
        source.read_exact(buffer)
    });
    let whole = match whole {
        Ok((bytes, digest)) => {
            assert_eq!(digest, sha256(bytes));
            Ok(bytes.to_vec())
        }
        Err(error) => Err(error.refusal_code().unwrap()),
    };
    let mut streamed = Vec::new();
    let stream = extract(member, &mut &bytes[start..], &mut streamed);
    let stream = stream.map(|_| streamed).map_err(|error| error.refusal_code().unwrap());
    assert_eq!(whole, stream);
    whole
}

#[track_caller]
fn check(member: ZipMember, contents: &[u8], expected: Result<(), &'static str>) {
    let (bytes, member) = only_member(&HostileZip::new().member(member), contents);
    assert_eq!(unpack_all_ways(&bytes, &member), expected.map(|()| contents.to_vec()));
}

fn deflated(contents: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::new(6));
    encoder.write_all(contents).unwrap();
    encoder.finish().unwrap()
}

const TEXT: &[u8] = b"a text that is long enough to be deflated, a text that is long enough to be deflated";

#[test]
fn control_members_come_out_as_they_went_in() {
    for contents in [
        &b""[..],
        b"x",
        TEXT,
        &[7; 700_000],
        &(0..600_000_u32).map(|i| (i.wrapping_mul(i) >> 7) as u8).collect::<Vec<_>>(),
    ] {
        check(ZipMember::new("a", contents), contents, Ok(()));
        check(ZipMember::new("a", contents).stored(), contents, Ok(()));
    }
}

#[test]
fn zw24_a_wrong_checksum() {
    for member in [ZipMember::new("a", TEXT), ZipMember::new("a", TEXT).stored()] {
        check(member.both(|fields| fields.crc32 = Some(1)), TEXT, Err("bad-checksum"));
    }
    check(ZipMember::new("a", "").both(|fields| fields.crc32 = Some(1)), b"", Err("bad-checksum"));
}

#[test]
fn zw24_cut_or_broken_data() {
    let packed = deflated(TEXT);
    for length in 1..packed.len() {
        check(ZipMember::new("a", TEXT).packed(&packed[..length]), TEXT, Err("corrupt-member"));
    }
    check(ZipMember::new("a", TEXT).packed([0xff; 40]), TEXT, Err("corrupt-member"));
}

#[test]
fn zw24_garbage_after_the_end_of_the_data() {
    let crc = crc32fast::hash(TEXT).to_le_bytes();
    let length = (TEXT.len() as u32).to_le_bytes();
    let footer = [&crc[..], &length].concat();
    // The footer of gzip is what a check of our own could be cheated with.
    let all = [&b"\0"[..], b"12345678", &footer, &footer[..4], &[&footer[..], b"x"].concat(), &footer.repeat(2)];
    for garbage in all {
        let packed = [&deflated(TEXT)[..], garbage].concat();
        check(ZipMember::new("a", TEXT).packed(packed), TEXT, Err("corrupt-member"));
    }
    // With an empty file the footer is eight zeros, which overlap with themselves.
    for zeros in 1..12 {
        check(
            ZipMember::new("a", "").packed([&deflated(b"")[..], &vec![0; zeros]].concat()),
            b"",
            Err("corrupt-member"),
        );
    }
}

#[test]
fn data_that_honestly_holds_a_footer_is_accepted() {
    // Stored blocks show their contents: make one that holds the very footer of the whole.
    let mut packed = vec![1, 12, 0, 0xf3, 0xff];
    let contents = forged();
    packed.extend_from_slice(&contents);
    assert_eq!(&contents[..4], crc32fast::hash(&contents).to_le_bytes());
    check(ZipMember::new("a", &contents).packed(packed), &contents, Ok(()));
}

/// Returns twelve bytes that begin with their own CRC-32 and length, found by solving for the last four.
fn forged() -> Vec<u8> {
    let target: u32 = 0x1234_5678;
    let mut bytes = [&target.to_le_bytes()[..], &12_u32.to_le_bytes(), &[0; 4]].concat();
    // CRC-32 is linear: find for each of 32 bits what flipping it does, and eliminate.
    let base = crc32fast::hash(&bytes);
    let mut rows: Vec<(u32, u32)> = (0..32)
        .map(|bit| {
            let mut flipped = bytes.clone();
            flipped[8 + bit / 8] ^= 1 << (bit % 8);
            (crc32fast::hash(&flipped) ^ base, 1 << bit)
        })
        .collect();
    let (mut wanted, mut flips) = (base ^ target, 0);
    for bit in 0..32 {
        let Some(pivot) = (bit..32).find(|row| rows[*row].0 >> bit & 1 == 1) else { continue };
        rows.swap(bit, pivot);
        let (effect, cause) = rows[bit];
        for (position, row) in rows.iter_mut().enumerate() {
            if position != bit && row.0 >> bit & 1 == 1 {
                *row = (row.0 ^ effect, row.1 ^ cause);
            }
        }
    }
    for (bit, (effect, cause)) in rows.iter().enumerate() {
        if wanted >> bit & 1 == 1 {
            wanted ^= effect;
            flips ^= cause;
        }
    }
    bytes[8..].copy_from_slice(&u32::to_le_bytes(flips));
    bytes
}

#[test]
fn zw17_data_longer_or_shorter_than_it_says() {
    for unpacked_bytes in [1, TEXT.len() as u32 - 1, TEXT.len() as u32 + 1, 4096] {
        let member = ZipMember::new("a", TEXT).both(|fields| fields.unpacked_bytes = Some(unpacked_bytes));
        check(member, TEXT, Err("corrupt-member"));
    }
}

#[test]
fn wi04_a_record_digest_that_differs() {
    let (bytes, mut member) = only_member(&HostileZip::new().file("a", TEXT), TEXT);
    assert_eq!(unpack_all_ways(&bytes, &member), Ok(TEXT.to_vec()));
    member.digest = Some(RecordDigest::Sha256(sha256(b"other")));
    assert_eq!(unpack_all_ways(&bytes, &member), Err("record-mismatch"));
    for (right, digest) in [
        (true, RecordDigest::Sha384(Box::new(Sha384::digest(TEXT).into()))),
        (true, RecordDigest::Sha512(Box::new(Sha512::digest(TEXT).into()))),
        (false, RecordDigest::Sha384(Box::new([0; 48]))),
        (false, RecordDigest::Sha512(Box::new([0; 64]))),
    ] {
        member.digest = Some(digest);
        assert_eq!(unpack_all_ways(&bytes, &member).is_ok(), right);
    }
}

#[test]
fn several_threads_unpack_one_archive() {
    let mut recipe = WheelRecipe::new("a", "1.0");
    for number in 0..40_u8 {
        recipe = recipe.file(&format!("a/{number}.bin"), vec![number; usize::from(number) * 1000]);
    }
    let bytes = recipe.build();
    let wheel = crate::read_wheel(&mut Cursor::new(&bytes), "a", "1.0").unwrap();
    std::thread::scope(|scope| {
        for part in wheel.members.chunks(10) {
            let bytes = &bytes;
            scope.spawn(move || {
                for member in part {
                    assert!(unpack_all_ways(bytes, member).is_ok());
                }
            });
        }
    });
}

#[test]
fn a_big_member_is_only_unpacked_as_a_stream() {
    let contents = vec![7; WHOLE_MEMBER_BYTES as usize + 1];
    let (bytes, member) = only_member(&HostileZip::new().file("a", &contents), &contents);
    assert!(!Extractor::fits(&member.member));
    assert!(Extractor::new().whole(&member, |_| Ok(())).is_err());
    let mut count = 0;
    let mut sink = std::io::BufWriter::new(Count(&mut count));
    extract(&member, &mut &bytes[member.member.data_start as usize..], &mut sink).unwrap();
    drop(sink);
    assert_eq!(count, contents.len());
}

struct Count<'a>(&'a mut usize);

impl Write for Count<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        *self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
