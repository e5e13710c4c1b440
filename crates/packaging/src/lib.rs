//! Python's words: name, version, requirement, marker, tag, target, filenames, metadata, simple pages.
//!
//! Every text that an index, an archive or a maintainer wrote becomes a value here, or an error; nothing below this crate
//! sees the text. `pep440_rs` and `pep508_rs` do the arithmetic, but only on what our own grammar has accepted: given raw
//! text they panic, drop markers or take seconds. Nothing here reads a file, a clock or the network.
#![forbid(unsafe_code)]

mod filename;
mod marker;
mod metadata;
mod name;
mod requirement;
mod settings;
mod simple;
mod specifiers;
mod system;
mod tags;
mod target;
mod version;

pub use filename::{BuildTag, DistributionFilename, FilenameError, SdistFilename, SdistFormat, WheelFilename};
pub use marker::{Marker, MarkerEnvironment, MarkerTruth, PythonSpan, ReleaseComparison};
pub use metadata::{Contradiction, Metadata, MetadataError};
pub use name::{ExtraName, GroupName, NameError, PackageName};
pub use requirement::{Repair, RequiredUrl, Requirement, RequirementError, RequirementErrorKind};
pub use settings::{BuildPolicy, Prerelease, SettingError, Strategy};
pub use simple::{
    CompactError, CoreMetadata, FileUrl, Missed, PageError, PageFile, PageFormat, ProjectState, ProjectStatus,
    Releases, SimplePage, SkippedFile, WithoutSecrets,
};
pub use specifiers::{Specifiers, SpecifiersError};
pub use system::{Arch, Floor, Os, System};
pub use tags::Tags;
pub use target::{PythonMinor, Target, TargetError};
pub use version::{Version, VersionError};
