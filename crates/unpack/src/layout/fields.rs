//! Little-endian fields, and the list of extra fields of a header.

use super::end::hides_an_end;

/// Reads a field; the caller has checked the length of `bytes`.
pub(super) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

/// Reads a field; the caller has checked the length of `bytes`.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

/// Reads a field; the caller has checked the length of `bytes`.
pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

/// Returns the body of the zip64 extra field, if there is one; refuses lists that cannot be read in one way only, and
/// fields that give a member another name or encrypt it.
pub(super) fn zip64_extra(mut extra: &[u8]) -> Result<Option<&[u8]>, &'static str> {
    let mut zip64 = None;
    while !extra.is_empty() {
        if extra.len() < 4 {
            return Err("extra fields are cut");
        }
        let (head, rest) = extra.split_at(4);
        let length = usize::from(u16_at(head, 2));
        if rest.len() < length {
            return Err("extra fields are cut");
        }
        let (body, rest) = rest.split_at(length);
        match u16_at(head, 0) {
            ZIP64 if zip64.is_some() => return Err("two zip64 extra fields"),
            ZIP64 => zip64 = Some(body),
            UNICODE_PATH => return Err("an extra field gives the member another name"),
            STRONG_ENCRYPTION | AES => return Err("an extra field announces encryption"),
            _ if hides_an_end(body) => return Err("an extra field holds an end record"),
            _ => {}
        }
        extra = rest;
    }
    Ok(zip64)
}

const ZIP64: u16 = 0x0001;
const STRONG_ENCRYPTION: u16 = 0x0017;
const UNICODE_PATH: u16 = 0x7075;
const AES: u16 = 0x9901;
