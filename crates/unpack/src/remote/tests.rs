//! METADATA from the end of an archive.

use pinfold_testkit::{HostileZip, WheelRecipe, ZipMember};

use super::*;

/// Reads as over a network: a tail, then what is asked for.
fn fetch(bytes: &[u8], tail_bytes: usize) -> Result<Vec<u8>, ArchiveError> {
    let mut from = bytes.len().saturating_sub(tail_bytes);
    for _ in 0..3 {
        match locate(&bytes[from..], bytes.len() as u64, ".dist-info/METADATA")? {
            Located::NeedMore { from: needed } => {
                assert!((needed as usize) < from, "it asks for what it has");
                from = needed as usize;
            }
            Located::At { header_start, span_bytes, member } => {
                assert!(member.path().ends_with(".dist-info/METADATA"));
                let start = header_start as usize;
                return read_member(&bytes[start..start + span_bytes as usize], &member);
            }
        }
    }
    panic!("it asks for ever");
}

fn code(bytes: &[u8]) -> Option<&'static str> {
    fetch(bytes, 4096).unwrap_err().refusal_code()
}

#[test]
fn finds_metadata_from_a_tail_of_any_length() {
    let recipe = WheelRecipe::new("a", "1.0").file("a/data.bin", vec![7; 5000]).requires("b>=1");
    let bytes = recipe.build();
    for tail_bytes in [0, 1, 21, 22, 98, 100, 300, 1000, bytes.len()] {
        assert_eq!(fetch(&bytes, tail_bytes).unwrap(), recipe.metadata().as_bytes(), "{tail_bytes}");
    }
}

#[test]
fn refuses_none_and_two() {
    assert_eq!(code(&HostileZip::new().file("a/METADATA", "x").build()), Some("wheel-metadata"));
    assert_eq!(code(&HostileZip::new().file(".dist-info/METADATA", "x").build()), Some("wheel-metadata"));
    assert_eq!(code(&HostileZip::new().file("v/a-1.dist-info/METADATA", "x").build()), Some("wheel-metadata"));
    let two = HostileZip::new().file("a-1.dist-info/METADATA", "x").file("b-1.dist-info/METADATA", "y");
    assert_eq!(code(&two.build()), Some("wheel-metadata"));
    let one = HostileZip::new().file("a-1.dist-info/METADATA", "x").file("v/b-1.dist-info/METADATA", "y");
    assert_eq!(fetch(&one.build(), 4096).unwrap(), b"x");
}

#[test]
fn refuses_a_member_that_is_told_twice_differently() {
    let metadata = || ZipMember::new("a-1.dist-info/METADATA", "Name: a");
    let zip = |member| HostileZip::new().member(member).build();
    assert_eq!(fetch(&zip(metadata()), 4096).unwrap(), b"Name: a");
    assert_eq!(
        code(&zip(metadata().local(|f| f.name = Some(b"b-1.dist-info/METADATA".to_vec())))),
        Some("header-disagreement")
    );
    assert_eq!(code(&zip(metadata().both(|f| f.crc32 = Some(1)))), Some("bad-checksum"));
    assert_eq!(code(&zip(metadata().packed("garbage"))), Some("corrupt-member"));
    assert_eq!(code(&HostileZip::new().member(metadata()).suffix("x").build()), Some("archive-layout"));
    let far = HostileZip::new().member(metadata()).before_central(vec![0; 300_000]);
    assert_eq!(code(&far.build()), Some("archive-layout"));
}

#[test]
fn refuses_endless_metadata_before_it_is_asked_for() {
    let huge = ZipMember::new("a-1.dist-info/METADATA", "x").both(|f| f.unpacked_bytes = Some(60 << 20));
    assert_eq!(code(&HostileZip::new().member(huge).build()), Some("archive-bomb"));
}

#[test]
fn a_span_that_is_too_short_is_refused() {
    let bytes = WheelRecipe::new("a", "1.0").build();
    let Ok(Located::At { header_start, span_bytes, member }) =
        locate(&bytes, bytes.len() as u64, ".dist-info/METADATA")
    else {
        panic!("the whole archive is at hand")
    };
    for length in 0..span_bytes {
        let start = header_start as usize;
        assert!(read_member(&bytes[start..start + length as usize], &member).is_err(), "{length}");
    }
}
