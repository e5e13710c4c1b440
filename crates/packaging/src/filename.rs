//! What the name of a wheel or of an sdist says: project, version, build, tags.
//!
//! The names follow <https://packaging.python.org/specifications/binary-distribution-format/> and
//! <https://packaging.python.org/specifications/source-distribution-format/>. Older names with dots, upper case or a hyphen
//! in an sdist's project name are read too, because indexes are full of them. Everything odd is an error that says what is
//! odd; nothing is repaired.
//!
//! A page may list files of its own project only (attack IX11): the name in the file name must be the project's.

use std::cmp::Ordering;
use std::fmt;

use pinfold_artifact::{ArtifactFilename, Limits};
use serde::{Deserialize, Serialize};

use crate::{PackageName, Version};

/// The name of a wheel, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct WheelFilename {
    /// The project.
    pub name: PackageName,
    /// The version.
    pub version: Version,
    /// The build tag, if the name has one.
    pub build: Option<BuildTag>,
    tags: TagSet,
}

/// The name of an sdist, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SdistFilename {
    /// The project.
    pub name: PackageName,
    /// The version.
    pub version: Version,
    /// How it is packed.
    pub format: SdistFormat,
}

/// How an sdist is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SdistFormat {
    /// `.tar.gz`.
    TarGz,
    /// `.zip`.
    Zip,
}

/// The name of a wheel or an sdist, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DistributionFilename {
    /// An sdist.
    Sdist(SdistFilename),
    /// A wheel.
    Wheel(WheelFilename),
}

/// A wheel's build tag: a number, then anything. A wheel without one comes before every wheel that has one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BuildTag {
    number: u64,
    /// Does not begin with a digit.
    suffix: String,
}

/// Compressed tags, `cp39.cp310-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64`, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
struct TagSet {
    /// Three fields, separated by `-`, each of parts separated by `.`, none empty.
    text: String,
    /// Where the first `-` is.
    python_end: usize,
    /// Where the second `-` is.
    abi_end: usize,
}

/// Why a file name is not that of a wheel or sdist of the project.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilenameError {
    /// The build tag does not begin with a digit, or its number is too large.
    #[error(
        "`{filename}` has the build tag `{found}`; it must begin with a number of at most {} digits",
        Limits::VERSION_DIGITS
    )]
    Build {
        /// The file.
        filename: ArtifactFilename,
        /// The build tag.
        found: String,
    },
    /// The file is of another project than the page that lists it.
    #[error("`{filename}` is a file of `{found}`, not of `{project}`")]
    ForeignProject {
        /// The file.
        filename: ArtifactFilename,
        /// The project that the name speaks of, as far as it can be told.
        found: String,
        /// The project of the page.
        project: PackageName,
    },
    /// The field for the project holds no project name.
    #[error("`{filename}` begins with `{found}`, which is no project name")]
    Name {
        /// The file.
        filename: ArtifactFilename,
        /// The field.
        found: String,
    },
    /// Too few or too many fields between hyphens.
    #[error("`{filename}` has {found} fields between hyphens; a wheel has 5, or 6 with a build tag")]
    Fields {
        /// The file.
        filename: ArtifactFilename,
        /// How many.
        found: usize,
    },
    /// A tag is empty or holds a character that no tag has.
    #[error("`{filename}` has the tag `{found}`; a tag has letters, digits and underscores")]
    Tag {
        /// The file.
        filename: ArtifactFilename,
        /// The tag.
        found: String,
    },
    /// Neither a wheel nor an sdist.
    #[error("`{filename}` is neither a wheel (.whl) nor an sdist (.tar.gz, .zip)")]
    Unsupported {
        /// The file.
        filename: ArtifactFilename,
    },
    /// The field for the version holds none.
    #[error("`{filename}` has `{found}` where its version belongs")]
    Version {
        /// The file.
        filename: ArtifactFilename,
        /// The field.
        found: String,
    },
}

impl FilenameError {
    /// Returns the code of the refusal, if a locked file of such a name is refused for security.
    pub const fn refusal_code(&self) -> Option<&'static str> {
        match self {
            Self::ForeignProject { .. } => Some("foreign-project"),
            Self::Build { .. }
            | Self::Name { .. }
            | Self::Fields { .. }
            | Self::Tag { .. }
            | Self::Unsupported { .. }
            | Self::Version { .. } => None,
        }
    }
}

impl WheelFilename {
    /// Reads the name of a wheel.
    ///
    /// # Errors
    /// [`FilenameError`] if the name is not as the specification says.
    pub fn parse(filename: &ArtifactFilename) -> Result<Self, FilenameError> {
        let file = || filename.clone();
        let stem =
            filename.as_str().strip_suffix(".whl").ok_or_else(|| FilenameError::Unsupported { filename: file() })?;
        let (fields, count) = wheel_fields(stem);
        let (name, version, build, tags) = match (fields, count) {
            ([name, version, python, abi, platform, _], 5) => (name, version, None, [python, abi, platform]),
            ([name, version, build, python, abi, platform], 6) => (name, version, Some(build), [python, abi, platform]),
            _ => return Err(FilenameError::Fields { filename: file(), found: count }),
        };
        Ok(Self {
            name: wheel_name(name).ok_or_else(|| FilenameError::Name { filename: file(), found: name.to_owned() })?,
            version: wheel_version(version)
                .ok_or_else(|| FilenameError::Version { filename: file(), found: version.to_owned() })?,
            build: build
                .map(|text| {
                    BuildTag::parse(text)
                        .ok_or_else(|| FilenameError::Build { filename: file(), found: text.to_owned() })
                })
                .transpose()?,
            tags: TagSet::new(tags).map_err(|found| FilenameError::Tag { filename: file(), found })?,
        })
    }

    /// Returns the interpreter tags.
    pub fn python_tags(&self) -> impl Iterator<Item = &str> {
        self.tags.text[..self.tags.python_end].split('.')
    }

    /// Returns the ABI tags.
    pub fn abi_tags(&self) -> impl Iterator<Item = &str> {
        self.tags.text[self.tags.python_end + 1..self.tags.abi_end].split('.')
    }

    /// Returns the platform tags.
    pub fn platform_tags(&self) -> impl Iterator<Item = &str> {
        self.tags.text[self.tags.abi_end + 1..].split('.')
    }
}

impl SdistFilename {
    /// Reads the name of an sdist that a project's page lists.
    ///
    /// An old name may have hyphens in project and version alike, so only the project tells where one ends.
    ///
    /// # Errors
    /// [`FilenameError`] if it is packed otherwise, of another project, or has no version.
    pub fn parse(filename: &ArtifactFilename, project: &PackageName) -> Result<Self, FilenameError> {
        let file = || filename.clone();
        let text = filename.as_str();
        let (stem, format) = match (text.strip_suffix(".tar.gz"), text.strip_suffix(".zip")) {
            (Some(stem), _) => (stem, SdistFormat::TarGz),
            (None, Some(stem)) => (stem, SdistFormat::Zip),
            (None, None) => return Err(FilenameError::Unsupported { filename: file() }),
        };
        let is_project = |text: &str| text.parse::<PackageName>().is_ok_and(|name| name == *project);
        let cuts = stem.match_indices('-').map(|(at, _)| (&stem[..at], &stem[at + 1..]));
        let own = cuts.chain([(stem, "")]).find(|(name, _)| is_project(name));
        let (_, version) = own.ok_or_else(|| FilenameError::ForeignProject {
            filename: file(),
            found: stem.rsplit_once('-').map_or(stem, |(name, _)| name).to_owned(),
            project: project.clone(),
        })?;
        match version.parse() {
            Ok(version) => Ok(Self { name: project.clone(), version, format }),
            // `foo-bar-1.0.tar.gz` on the page of `foo`: what follows is rather a longer name than a version.
            Err(_) if version.contains('-') && version.starts_with(|c: char| c.is_ascii_alphabetic()) => {
                let longer = stem.rsplit_once('-').map_or(stem, |(name, _)| name);
                Err(FilenameError::ForeignProject {
                    filename: file(),
                    found: longer.to_owned(),
                    project: project.clone(),
                })
            }
            Err(_) => Err(FilenameError::Version { filename: file(), found: version.to_owned() }),
        }
    }
}

impl DistributionFilename {
    /// Reads the name of a file that a project's page lists.
    ///
    /// # Errors
    /// [`FilenameError`] if it is neither wheel nor sdist, malformed, or of another project.
    pub fn parse(filename: &ArtifactFilename, project: &PackageName) -> Result<Self, FilenameError> {
        if !filename.as_str().ends_with(".whl") {
            return SdistFilename::parse(filename, project).map(Self::Sdist);
        }
        let wheel = WheelFilename::parse(filename)?;
        if wheel.name == *project {
            return Ok(Self::Wheel(wheel));
        }
        Err(FilenameError::ForeignProject {
            filename: filename.clone(),
            found: wheel.name.to_string(),
            project: project.clone(),
        })
    }

    /// Returns the project.
    pub const fn name(&self) -> &PackageName {
        match self {
            Self::Sdist(sdist) => &sdist.name,
            Self::Wheel(wheel) => &wheel.name,
        }
    }

    /// Returns the version.
    pub const fn version(&self) -> &Version {
        match self {
            Self::Sdist(sdist) => &sdist.version,
            Self::Wheel(wheel) => &wheel.version,
        }
    }

    /// Returns the wheel's name, if it is one.
    pub const fn as_wheel(&self) -> Option<&WheelFilename> {
        match self {
            Self::Sdist(_) => None,
            Self::Wheel(wheel) => Some(wheel),
        }
    }
}

/// Returns the first fields between hyphens, and how many there are.
fn wheel_fields(stem: &str) -> ([&str; 6], usize) {
    let (mut fields, mut count, mut start) = ([""; 6], 0, 0);
    let hyphens = stem.bytes().enumerate().filter(|(_, byte)| *byte == b'-').map(|(at, _)| at);
    for end in hyphens.chain([stem.len()]) {
        if let Some(field) = fields.get_mut(count) {
            *field = &stem[start..end];
        }
        (count, start) = (count + 1, end + 1);
    }
    (fields, count)
}

/// A wheel's project: hyphens are written as underscores; a run of two would be a name that was never escaped.
fn wheel_name(field: &str) -> Option<PackageName> {
    if field.as_bytes().windows(2).any(|pair| pair == b"__") {
        return None;
    }
    field.parse().ok()
}

/// A wheel's version: a hyphen (old post-releases, `1.0-1`) is written as an underscore.
fn wheel_version(field: &str) -> Option<Version> {
    field.parse().ok().or_else(|| field.replace('_', "-").parse().ok())
}

impl BuildTag {
    fn parse(text: &str) -> Option<Self> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        if digits > Limits::VERSION_DIGITS {
            return None;
        }
        let number = text[..digits].parse().ok()?;
        Some(Self { number, suffix: text[digits..].to_owned() })
    }
}

impl TagSet {
    /// Joins three fields, or returns the tag that is none.
    fn new(fields: [&str; 3]) -> Result<Self, String> {
        let owned = |part: &[u8]| String::from_utf8_lossy(part).into_owned();
        let is_bad = |part: &&[u8]| part.is_empty() || !part.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_');
        if let Some(bad) = fields.iter().find_map(|field| tags_of(field).find(is_bad)) {
            return Err(owned(bad));
        }
        if let Some(digit) = tags_of(fields[0]).find(|tag| tag.first().is_some_and(u8::is_ascii_digit)) {
            return Err(owned(digit));
        }
        let [python, abi, _] = fields;
        let mut text = fields.join("-");
        text.make_ascii_lowercase();
        Ok(Self { text, python_end: python.len(), abi_end: python.len() + 1 + abi.len() })
    }
}

/// Returns the tags of a compressed field.
fn tags_of(field: &str) -> impl Iterator<Item = &[u8]> {
    field.as_bytes().split(|byte| *byte == b'.')
}

impl TryFrom<String> for TagSet {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.split('-').collect::<Vec<_>>()[..] {
            [python, abi, platform] => Self::new([python, abi, platform]),
            _ => Err(text),
        }
    }
}

impl From<TagSet> for String {
    fn from(tags: TagSet) -> Self {
        tags.text
    }
}

impl PartialOrd for WheelFilename {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for WheelFilename {
    /// By project, version, build tag, then tags as text.
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |wheel: &Self| (wheel.name.clone(), wheel.version.clone(), wheel.build.clone());
        key(self).cmp(&key(other)).then_with(|| self.tags.text.cmp(&other.tags.text))
    }
}

impl fmt::Display for BuildTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.number, self.suffix)
    }
}

impl fmt::Display for WheelFilename {
    /// Writes the name in its normalised form.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.name.as_dist_info(), self.version)?;
        if let Some(build) = &self.build {
            write!(f, "-{build}")?;
        }
        write!(f, "-{}.whl", self.tags.text)
    }
}

impl fmt::Display for SdistFilename {
    /// Writes the name in its normalised form.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let extension = match self.format {
            SdistFormat::TarGz => "tar.gz",
            SdistFormat::Zip => "zip",
        };
        write!(f, "{}-{}.{extension}", self.name.as_dist_info(), self.version)
    }
}

impl fmt::Display for DistributionFilename {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sdist(sdist) => sdist.fmt(f),
            Self::Wheel(wheel) => wheel.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests;
