//! A zip writer that writes what it is told, true or not.
//!
//! Left alone it makes a plain, strict archive: members contiguous from byte 0, local and central headers equal, no data
//! descriptor, no tail. Every field of every header can then be set to something else, headers can be left out, and
//! bytes put between them. It never checks whether the result makes sense: that is what it is for.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::DeflateEncoder;

const LOCAL_SIGNATURE: u32 = 0x0403_4b50;
const CENTRAL_SIGNATURE: u32 = 0x0201_4b50;
const DESCRIPTOR_SIGNATURE: u32 = 0x0807_4b50;
const END_SIGNATURE: u32 = 0x0605_4b50;
const END64_SIGNATURE: u32 = 0x0606_4b50;
const LOCATOR64_SIGNATURE: u32 = 0x0706_4b50;
/// 1980-01-01, the first day that a zip header can say.
const FIRST_DAY: u16 = 0x0021;
const FLAG_DESCRIPTOR: u16 = 1 << 3;
const FLAG_UTF8: u16 = 1 << 11;

/// The fields of one header that are to differ from what the member truly is. `None` is the truth.
#[derive(Clone, Debug, Default)]
pub struct HeaderFields {
    /// The first four bytes.
    pub signature: Option<u32>,
    /// Central only: who made it, and the system whose attributes follow (3 is Unix).
    pub version_made_by: Option<u16>,
    /// The version of the format that is needed to read the member.
    pub version_needed: Option<u16>,
    /// General purpose flags.
    pub flags: Option<u16>,
    /// 0 is stored, 8 deflate.
    pub method: Option<u16>,
    /// Time of change in the format of MS-DOS.
    pub time: Option<u16>,
    /// Day of change in the format of MS-DOS.
    pub date: Option<u16>,
    /// Checksum of the unpacked bytes.
    pub crc32: Option<u32>,
    /// Size in the archive.
    pub packed_bytes: Option<u32>,
    /// Size when unpacked.
    pub unpacked_bytes: Option<u32>,
    /// The name's bytes.
    pub name: Option<Vec<u8>>,
    /// What the header says about the name's length.
    pub name_bytes: Option<u16>,
    /// Extra fields, whole.
    pub extra: Option<Vec<u8>>,
    /// What the header says about the length of the extra fields.
    pub extra_bytes: Option<u16>,
    /// Central only: the member's comment.
    pub comment: Option<Vec<u8>>,
    /// Central only: what the header says about the comment's length.
    pub comment_bytes: Option<u16>,
    /// Central only: the number of the disk.
    pub disk: Option<u16>,
    /// Central only: internal attributes.
    pub internal_attributes: Option<u16>,
    /// Central only: external attributes; the upper half is the mode of a Unix file.
    pub external_attributes: Option<u32>,
    /// Central only: where the local header is.
    pub header_offset: Option<u32>,
}

/// What follows a member's data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Descriptor {
    /// Nothing: sizes and checksum are in the local header.
    #[default]
    Absent,
    /// Checksum and sizes of 4 bytes, after the signature; the local header has zeros.
    Signed,
    /// Checksum and sizes of 8 bytes, after the signature; the local header has zeros.
    Signed64,
    /// Checksum and sizes of 4 bytes without the signature; the local header has zeros.
    Unsigned,
}

/// One member.
#[derive(Clone, Debug)]
pub struct ZipMember {
    name: Vec<u8>,
    contents: Vec<u8>,
    method: u16,
    mode: u32,
    packed: Option<Vec<u8>>,
    local: HeaderFields,
    central: HeaderFields,
    descriptor: Descriptor,
    descriptor_bytes: Option<Vec<u8>>,
    zip64: bool,
    gap: Vec<u8>,
    has_local: bool,
    has_central: bool,
}

impl ZipMember {
    /// Makes a deflated, regular file of mode 0644.
    pub fn new(name: impl AsRef<[u8]>, contents: impl AsRef<[u8]>) -> Self {
        Self {
            name: name.as_ref().to_vec(),
            contents: contents.as_ref().to_vec(),
            method: 8,
            mode: 0o100_644,
            packed: None,
            local: HeaderFields::default(),
            central: HeaderFields::default(),
            descriptor: Descriptor::Absent,
            descriptor_bytes: None,
            zip64: false,
            gap: Vec::new(),
            has_local: true,
            has_central: true,
        }
    }

    /// Makes a symbolic link, as Info-ZIP stores one.
    pub fn symlink(name: impl AsRef<[u8]>, target: &str) -> Self {
        Self::new(name, target).stored().mode(0o120_777)
    }

    /// Stores the bytes as they are.
    pub fn stored(mut self) -> Self {
        self.method = 0;
        self
    }

    /// Sets the mode of the Unix file, type bits included.
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    /// Sets the bytes in the archive, whatever the contents are; checksum and unpacked size stay those of the contents.
    pub fn packed(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.packed = Some(bytes.as_ref().to_vec());
        self
    }

    /// Changes fields of the local header.
    pub fn local(mut self, change: impl FnOnce(&mut HeaderFields)) -> Self {
        change(&mut self.local);
        self
    }

    /// Changes fields of the central header.
    pub fn central(mut self, change: impl FnOnce(&mut HeaderFields)) -> Self {
        change(&mut self.central);
        self
    }

    /// Changes fields of both headers in the same way.
    pub fn both(mut self, change: impl Fn(&mut HeaderFields)) -> Self {
        change(&mut self.local);
        change(&mut self.central);
        self
    }

    /// Puts sizes and checksum behind the data.
    pub fn descriptor(mut self, descriptor: Descriptor) -> Self {
        self.descriptor = descriptor;
        self
    }

    /// Puts these bytes where the descriptor belongs; the flag is that of the descriptor set.
    pub fn descriptor_bytes(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.descriptor_bytes = Some(bytes.as_ref().to_vec());
        self
    }

    /// Writes the sizes into a zip64 extra field, in both headers.
    pub fn zip64(mut self) -> Self {
        self.zip64 = true;
        self
    }

    /// Puts bytes that belong to nothing before the local header.
    pub fn gap_before(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.gap = bytes.as_ref().to_vec();
        self
    }

    /// Leaves out the local header and the data.
    pub fn without_local(mut self) -> Self {
        self.has_local = false;
        self
    }

    /// Leaves out the central header: a member that only a streaming reader sees.
    pub fn without_central(mut self) -> Self {
        self.has_central = false;
        self
    }

    /// Returns the name.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    fn packed_data(&self) -> Vec<u8> {
        if let Some(packed) = &self.packed {
            return packed.clone();
        }
        if self.method == 0 {
            return self.contents.clone();
        }
        deflate(&self.contents)
    }

    fn flags(&self) -> u16 {
        let descriptor = if self.descriptor == Descriptor::Absent { 0 } else { FLAG_DESCRIPTOR };
        let utf8 = if self.name.is_ascii() { 0 } else { FLAG_UTF8 };
        descriptor | utf8
    }
}

/// Compresses bytes into a bare deflate stream.
fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(6));
    encoder.write_all(bytes).expect("a vector takes every byte");
    encoder.finish().expect("a vector takes every byte")
}

/// What the end record says, where it is not the truth.
#[derive(Clone, Debug, Default)]
struct EndFields {
    disk_entries: Option<u16>,
    entries: Option<u16>,
    central_bytes: Option<u32>,
    central_offset: Option<u32>,
    comment_bytes: Option<u16>,
    locator_offset: Option<u64>,
    extensible: Vec<u8>,
}

/// An archive, field by field.
#[derive(Clone, Debug, Default)]
pub struct HostileZip {
    members: Vec<ZipMember>,
    prefix: Vec<u8>,
    before_central: Vec<u8>,
    before_end: Vec<u8>,
    suffix: Vec<u8>,
    comment: Vec<u8>,
    end: EndFields,
    zip64: bool,
    has_end: bool,
}

impl HostileZip {
    /// Makes an archive without members.
    pub fn new() -> Self {
        Self { has_end: true, ..Self::default() }
    }

    /// Adds a member.
    pub fn member(mut self, member: ZipMember) -> Self {
        self.members.push(member);
        self
    }

    /// Adds a deflated file.
    pub fn file(self, name: impl AsRef<[u8]>, contents: impl AsRef<[u8]>) -> Self {
        self.member(ZipMember::new(name, contents))
    }

    /// Changes the member of that name. Panics if there is none.
    pub fn change(mut self, name: &str, change: impl FnOnce(ZipMember) -> ZipMember) -> Self {
        let position = self.members.iter().position(|member| member.name == name.as_bytes());
        let position = position.unwrap_or_else(|| panic!("no member `{name}`"));
        let member = self.members[position].clone();
        self.members[position] = change(member);
        self
    }

    /// Takes the members of that name out.
    pub fn without(mut self, name: &str) -> Self {
        self.members.retain(|member| member.name != name.as_bytes());
        self
    }

    /// Puts bytes before the first header; all offsets move with them.
    pub fn prefix(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.prefix = bytes.as_ref().to_vec();
        self
    }

    /// Puts bytes between the last member and the central directory.
    pub fn before_central(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.before_central = bytes.as_ref().to_vec();
        self
    }

    /// Puts bytes between the central directory and the end record.
    pub fn before_end(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.before_end = bytes.as_ref().to_vec();
        self
    }

    /// Puts bytes behind the end record.
    pub fn suffix(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.suffix = bytes.as_ref().to_vec();
        self
    }

    /// Sets the archive's comment.
    pub fn comment(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.comment = bytes.as_ref().to_vec();
        self
    }

    /// Says another length of the comment.
    pub fn comment_bytes(mut self, bytes: u16) -> Self {
        self.end.comment_bytes = Some(bytes);
        self
    }

    /// Says another number of members, on this disk and in all.
    pub fn entries(mut self, on_this_disk: u16, in_all: u16) -> Self {
        self.end.disk_entries = Some(on_this_disk);
        self.end.entries = Some(in_all);
        self
    }

    /// Says another size of the central directory.
    pub fn central_bytes(mut self, bytes: u32) -> Self {
        self.end.central_bytes = Some(bytes);
        self
    }

    /// Says another place of the central directory.
    pub fn central_offset(mut self, offset: u32) -> Self {
        self.end.central_offset = Some(offset);
        self
    }

    /// Writes a zip64 end record and its locator too; the plain end record keeps the true numbers unless they are set.
    pub fn zip64(mut self) -> Self {
        self.zip64 = true;
        self
    }

    /// Says another place of the zip64 end record.
    pub fn locator_offset(mut self, offset: u64) -> Self {
        self.end.locator_offset = Some(offset);
        self
    }

    /// Puts bytes into the extensible data sector of the zip64 end record.
    pub fn extensible(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.end.extensible = bytes.as_ref().to_vec();
        self
    }

    /// Leaves out the end record.
    pub fn without_end(mut self) -> Self {
        self.has_end = false;
        self
    }

    /// Writes the archive.
    pub fn build(&self) -> Vec<u8> {
        let mut bytes = self.prefix.clone();
        let mut central = Vec::new();
        let mut entries = 0_u16;
        for member in &self.members {
            let packed = member.packed_data();
            let offset = write_local(&mut bytes, member, &packed);
            if member.has_central {
                write_central(&mut central, member, &packed, offset);
                entries = entries.wrapping_add(1);
            }
        }
        bytes.extend_from_slice(&self.before_central);
        let central_offset = bytes.len();
        bytes.extend_from_slice(&central);
        bytes.extend_from_slice(&self.before_end);
        if self.zip64 {
            self.write_end64(&mut bytes, u64::from(entries), central.len() as u64, central_offset as u64);
        }
        if self.has_end {
            self.write_end(&mut bytes, entries, central.len() as u32, central_offset as u32);
        }
        bytes.extend_from_slice(&self.suffix);
        bytes
    }

    fn write_end64(&self, bytes: &mut Vec<u8>, entries: u64, central_bytes: u64, central_offset: u64) {
        let place = bytes.len() as u64;
        put32(bytes, END64_SIGNATURE);
        put64(bytes, 44 + self.end.extensible.len() as u64);
        put16(bytes, 0x032d);
        put16(bytes, 45);
        put32(bytes, 0);
        put32(bytes, 0);
        put64(bytes, entries);
        put64(bytes, entries);
        put64(bytes, central_bytes);
        put64(bytes, central_offset);
        bytes.extend_from_slice(&self.end.extensible);
        put32(bytes, LOCATOR64_SIGNATURE);
        put32(bytes, 0);
        put64(bytes, self.end.locator_offset.unwrap_or(place));
        put32(bytes, 1);
    }

    fn write_end(&self, bytes: &mut Vec<u8>, entries: u16, central_bytes: u32, central_offset: u32) {
        put32(bytes, END_SIGNATURE);
        put16(bytes, 0);
        put16(bytes, 0);
        put16(bytes, self.end.disk_entries.unwrap_or(entries));
        put16(bytes, self.end.entries.unwrap_or(entries));
        put32(bytes, self.end.central_bytes.unwrap_or(central_bytes));
        put32(bytes, self.end.central_offset.unwrap_or(central_offset));
        put16(bytes, self.end.comment_bytes.unwrap_or(self.comment.len() as u16));
        bytes.extend_from_slice(&self.comment);
    }
}

/// Writes gap, local header, data and descriptor; returns where the header begins.
fn write_local(bytes: &mut Vec<u8>, member: &ZipMember, packed: &[u8]) -> u32 {
    bytes.extend_from_slice(&member.gap);
    let offset = bytes.len() as u32;
    if !member.has_local {
        return offset;
    }
    let fields = &member.local;
    let crc32 = crc32fast::hash(&member.contents);
    let later = member.descriptor != Descriptor::Absent;
    let told = |value: u32| if later { 0 } else { value };
    let told_size = |value: u32| if member.zip64 { u32::MAX } else { told(value) };
    let name = fields.name.as_ref().unwrap_or(&member.name);
    let extra = fields.extra.clone().unwrap_or_else(|| zip64_extra(member, packed, later));
    put32(bytes, fields.signature.unwrap_or(LOCAL_SIGNATURE));
    put16(bytes, fields.version_needed.unwrap_or(if member.zip64 { 45 } else { 20 }));
    put16(bytes, fields.flags.unwrap_or(member.flags()));
    put16(bytes, fields.method.unwrap_or(member.method));
    put16(bytes, fields.time.unwrap_or(0));
    put16(bytes, fields.date.unwrap_or(FIRST_DAY));
    put32(bytes, fields.crc32.unwrap_or(told(crc32)));
    put32(bytes, fields.packed_bytes.unwrap_or(told_size(packed.len() as u32)));
    put32(bytes, fields.unpacked_bytes.unwrap_or(told_size(member.contents.len() as u32)));
    put16(bytes, fields.name_bytes.unwrap_or(name.len() as u16));
    put16(bytes, fields.extra_bytes.unwrap_or(extra.len() as u16));
    bytes.extend_from_slice(name);
    bytes.extend_from_slice(&extra);
    bytes.extend_from_slice(packed);
    write_descriptor(bytes, member, crc32, packed.len() as u64);
    offset
}

fn write_descriptor(bytes: &mut Vec<u8>, member: &ZipMember, crc32: u32, packed_bytes: u64) {
    if let Some(written) = &member.descriptor_bytes {
        bytes.extend_from_slice(written);
        return;
    }
    let unpacked_bytes = member.contents.len() as u64;
    match member.descriptor {
        Descriptor::Absent => return,
        Descriptor::Signed | Descriptor::Signed64 => put32(bytes, DESCRIPTOR_SIGNATURE),
        Descriptor::Unsigned => {}
    }
    put32(bytes, crc32);
    for size in [packed_bytes, unpacked_bytes] {
        if member.descriptor == Descriptor::Signed64 {
            put64(bytes, size);
        } else {
            put32(bytes, size as u32);
        }
    }
}

fn write_central(bytes: &mut Vec<u8>, member: &ZipMember, packed: &[u8], offset: u32) {
    let fields = &member.central;
    let told_size = |value: usize| if member.zip64 { u32::MAX } else { value as u32 };
    let name = fields.name.as_ref().unwrap_or(&member.name);
    let extra = fields.extra.clone().unwrap_or_else(|| zip64_extra(member, packed, false));
    let comment = fields.comment.clone().unwrap_or_default();
    put32(bytes, fields.signature.unwrap_or(CENTRAL_SIGNATURE));
    put16(bytes, fields.version_made_by.unwrap_or(0x0314));
    put16(bytes, fields.version_needed.unwrap_or(if member.zip64 { 45 } else { 20 }));
    put16(bytes, fields.flags.unwrap_or(member.flags()));
    put16(bytes, fields.method.unwrap_or(member.method));
    put16(bytes, fields.time.unwrap_or(0));
    put16(bytes, fields.date.unwrap_or(FIRST_DAY));
    put32(bytes, fields.crc32.unwrap_or_else(|| crc32fast::hash(&member.contents)));
    put32(bytes, fields.packed_bytes.unwrap_or(told_size(packed.len())));
    put32(bytes, fields.unpacked_bytes.unwrap_or(told_size(member.contents.len())));
    put16(bytes, fields.name_bytes.unwrap_or(name.len() as u16));
    put16(bytes, fields.extra_bytes.unwrap_or(extra.len() as u16));
    put16(bytes, fields.comment_bytes.unwrap_or(comment.len() as u16));
    put16(bytes, fields.disk.unwrap_or(0));
    put16(bytes, fields.internal_attributes.unwrap_or(0));
    put32(bytes, fields.external_attributes.unwrap_or(member.mode << 16));
    put32(bytes, fields.header_offset.unwrap_or(offset));
    bytes.extend_from_slice(name);
    bytes.extend_from_slice(&extra);
    bytes.extend_from_slice(&comment);
}

/// Returns the zip64 extra field with both sizes, or nothing.
fn zip64_extra(member: &ZipMember, packed: &[u8], later: bool) -> Vec<u8> {
    let mut extra = Vec::new();
    if member.zip64 {
        put16(&mut extra, 1);
        put16(&mut extra, 16);
        put64(&mut extra, if later { 0 } else { member.contents.len() as u64 });
        put64(&mut extra, if later { 0 } else { packed.len() as u64 });
    }
    extra
}

fn put16(bytes: &mut Vec<u8>, value: u16) {
    bytes.extend_from_slice(&value.to_le_bytes());
}

fn put32(bytes: &mut Vec<u8>, value: u32) {
    bytes.extend_from_slice(&value.to_le_bytes());
}

fn put64(bytes: &mut Vec<u8>, value: u64) {
    bytes.extend_from_slice(&value.to_le_bytes());
}
