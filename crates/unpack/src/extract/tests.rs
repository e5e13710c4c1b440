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
    // The footer of gzip is what a reader that wraps the data as gzip could be cheated with.
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

/// A dynamic block may have a code of distances with one codeword, `0`. Some readers take `1` for it too, so that there are
/// two archives with the same contents of which others refuse one. Found by fuzzing.
#[test]
fn zw24_a_codeword_that_stands_for_nothing() {
    let packed: Vec<u8> =
        (0..ONE_DISTANCE.len() / 2).map(|at| u8::from_str_radix(&ONE_DISTANCE[at * 2..][..2], 16).unwrap()).collect();
    let mut contents = Vec::new();
    flate2::write::DeflateDecoder::new(&mut contents).write_all(&packed).unwrap();
    assert_eq!(contents.len(), 335);
    check(ZipMember::new("a", &contents).packed(&packed), &contents, Ok(()));
    let mut other = packed;
    other[35] ^= 0x80;
    check(ZipMember::new("a", &contents).packed(&other), &contents, Err("corrupt-member"));
}

const ONE_DISTANCE: &str = "65cc397682400000d0deb30cc8b0a9450ac4119e6c6111621a1eb28b611d84e1f4a9a8f807f8d13e0ccbbac46148b7040c\
     45c40ae257650842d7156e1ff34fcac5a6379a0ce7f639534d590e15fe1c57b256dc098e1060995d44419aa19372c05459\
     67cdde409e74913c69edae9945523e3143520beaf1979d5fede83ef2d7ac8d14c4e214f88bec1d50fe7418209e365da022\
     a4af573a3dee014b02dc7ea4f732badf4ae1056a148bec78aaf4b780a679e8fd041aa50d8ee2e64a6bdc93b06dca1a0f34\
     9ef1da66537ad57cbe0b2883c8b0b10ddb62da0c6acb396bdd82bb79e94fed1c949bfe67000e6e5a07c996730160f70f";

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
