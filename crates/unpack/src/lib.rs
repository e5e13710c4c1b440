//! Wheels and sdists that may be hostile: read strictly, bounded, refused rather than repaired.
//!
//! Everything works on bytes or on `Read + Seek` and hands out entries; nothing here writes a file, and nothing here
//! knows where a file will be installed. A wheel is read in three steps: [`read_layout`] holds the whole zip against
//! one strict shape, so that no two readers can see different archives in it; [`read_wheel`] holds its RECORD against
//! the members, both ways; an [`Extractor`] (or [`extract`]) gives out one member's bytes after size, checksum and
//! RECORD digest have matched. An sdist is read by [`sdist::unpack`], METADATA at the end of a remote wheel by [`remote`].
#![forbid(unsafe_code)]

mod entry_points;
mod error;
mod extract;
mod fold;
mod hazard;
mod layout;
pub mod remote;
pub mod sdist;
mod wheel;

pub use entry_points::{EntryPoint, EntryPointProblem, EntryPoints, is_reserved_script_name};
pub use error::ArchiveError;
pub use extract::{Extractor, PIECE_BYTES, Pieces, WHOLE_MEMBER_BYTES, extract};
pub use fold::portable_fold;
pub use hazard::{Hazard, executable_pth_lines};
pub use layout::{Layout, Member, Method, read_layout};
pub use wheel::{
    RecordDigest, RecordException, RecordFault, Scheme, WheelContents, WheelInfo, WheelMember, read_wheel,
    read_wheel_excepting, record_faults,
};
