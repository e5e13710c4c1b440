//! One member's bytes, given out only after size, CRC-32 and RECORD digest have matched.

use std::io::{Read, Write};

use pinfold_artifact::Sha256;

use crate::{ArchiveError, WheelMember};

/// Members up to this size are best unpacked whole ([`Extractor::whole`]), bigger ones as a stream.
pub const WHOLE_MEMBER_BYTES: u64 = 8 << 20;

/// Unpacks members one after another with the same buffers. Each thread has its own.
#[derive(Default)]
pub struct Extractor {
    packed: Vec<u8>,
    unpacked: Vec<u8>,
}

impl Extractor {
    /// Makes an extractor; buffers grow on first use.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the buffer for the packed bytes of `member`, to be filled (from [`crate::Member::data_start`], for
    /// instance with one positioned read) before [`Extractor::whole`] is called.
    pub fn packed(&mut self, member: &WheelMember) -> &mut [u8] {
        let _ = member;
        &mut self.packed
    }

    /// Unpacks the member whose packed bytes were just put into [`Extractor::packed`], whole; returns its checked
    /// bytes and their digest.
    ///
    /// # Errors
    /// If data, size, CRC-32 or RECORD digest are wrong.
    pub fn whole(&mut self, member: &WheelMember) -> Result<(&[u8], Sha256), ArchiveError> {
        let _ = member;
        Ok((&self.unpacked, todo!()))
    }

    /// Unpacks a member as a stream: `packed` is a reader that stands at [`crate::Member::data_start`]. What was
    /// written to `sink` may be used only if this returns `Ok`.
    ///
    /// # Errors
    /// If data, size, CRC-32 or RECORD digest are wrong, or reading or writing fails.
    pub fn stream(
        &mut self,
        member: &WheelMember,
        packed: &mut dyn Read,
        sink: &mut dyn Write,
    ) -> Result<Sha256, ArchiveError> {
        let _ = (member, packed, sink);
        todo!()
    }
}

/// Unpacks one member as a stream, with buffers of its own; see [`Extractor::stream`].
///
/// # Errors
/// As [`Extractor::stream`].
pub fn extract(member: &WheelMember, packed: &mut dyn Read, sink: &mut dyn Write) -> Result<Sha256, ArchiveError> {
    Extractor::new().stream(member, packed, sink)
}
