//! A distribution's METADATA (or PKG-INFO): what it needs (the core metadata specification).
//!
//! Only the fields that decide a resolution are read, and the description after the first blank line is not looked at. What
//! is broken in a known way is read as what it must mean and recorded; a requirement that cannot be read makes the whole
//! file unusable, as leaving it out would install less, and something else, than the author meant. Whether name and version
//! are those of the file that it came from is for the caller to compare.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::OnceLock;

use bytes::Bytes;
use pinfold_artifact::Limits;

use crate::version::shown;
use crate::{
    ExtraName, NameError, PackageName, Repair, Requirement, RequirementError, Specifiers, SpecifiersError, Version,
    VersionError, requirement,
};

/// The fields of METADATA that a resolution needs.
///
/// Most requirements of most projects are those of extras that nobody wants. What was read whole once can be [kept](Self::kept)
/// so that it is read again without them, until somebody wants an extra; [`Self::whole`] has all of it then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// The project.
    pub name: PackageName,
    /// The version.
    pub version: Version,
    /// What it requires; of kept METADATA only what may hold where no extra is wanted.
    pub requires_dist: Vec<Requirement>,
    /// The Python versions that it accepts.
    pub requires_python: Option<Specifiers>,
    /// The extras that it has; none of kept METADATA.
    pub provides_extras: BTreeSet<ExtraName>,
    /// `Metadata-Version`, major and minor.
    pub metadata_version: (u32, u32),
    /// Names of dynamic fields, in lower case (PEP 643).
    pub dynamic: BTreeSet<String>,
    /// What was broken and how it was read.
    pub repairs: Vec<Repair>,
    /// Where requirements and names of extras are that were not read yet.
    rest: Rest,
}

/// What was not read of METADATA.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Rest {
    /// Nothing.
    Nothing,
    /// Requirements that only hold where an extra is wanted, and which extras there are: these are the headers with all of it.
    OfExtras { headers: Bytes, whole: OnceLock<Result<Box<Metadata>, MetadataError>> },
}

/// Why bytes are no METADATA.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// A field that may stand once stands twice.
    #[error("METADATA has the field `{field}` twice, as `{first}` and as `{second}`")]
    Duplicate {
        /// The field.
        field: &'static str,
        /// Its first value, escaped and cut.
        first: String,
        /// Its second value, escaped and cut.
        second: String,
    },
    /// The version of the format is none, or one that is not known here.
    #[error("METADATA has the Metadata-Version `{found}`; 1.x and 2.x are read")]
    Format {
        /// The version, escaped and cut.
        found: String,
    },
    /// A line is neither a field nor the continuation of one, and fields follow it.
    #[error("METADATA has the line `{line}`, which is no field, among its fields")]
    Line {
        /// The line, escaped and cut.
        line: String,
    },
    /// A required field is missing.
    #[error("METADATA has no field `{field}`")]
    Missing {
        /// The field.
        field: &'static str,
    },
    /// The name is none.
    #[error("METADATA has an unreadable `Name`")]
    Name(#[source] NameError),
    /// A requirement cannot be read.
    #[error("METADATA has the unreadable requirement `{text}`")]
    Requirement {
        /// The requirement, escaped and cut.
        text: String,
        /// Why.
        source: RequirementError,
    },
    /// The accepted Python versions cannot be read.
    #[error("METADATA has an unreadable `Requires-Python`")]
    RequiresPython(#[source] SpecifiersError),
    /// It is larger than any real one.
    #[error("METADATA has more than {limit} {of}")]
    TooMuch {
        /// The limit.
        limit: u64,
        /// Of what.
        of: &'static str,
    },
    /// The version is none.
    #[error("METADATA has an unreadable `Version`")]
    Version(#[source] VersionError),
}

impl MetadataError {
    /// Returns the code of a refusal for security, if this is one.
    pub fn refusal_code(&self) -> Option<&'static str> {
        match self {
            Self::Duplicate { .. } | Self::Line { .. } => Some("ambiguous-metadata"),
            Self::Name(NameError::Character { .. }) => Some("foreign-character"),
            Self::Requirement { source, .. } => source.refusal_code(),
            Self::TooMuch { .. } => Some("metadata-limit"),
            Self::Format { .. } | Self::Missing { .. } | Self::Name(_) | Self::RequiresPython(_) | Self::Version(_) => {
                None
            }
        }
    }
}

impl Metadata {
    /// Returns METADATA that says no more than a name and a version.
    pub const fn of(name: PackageName, version: Version) -> Self {
        Self {
            name,
            version,
            requires_dist: Vec::new(),
            requires_python: None,
            provides_extras: BTreeSet::new(),
            metadata_version: (2, 1),
            dynamic: BTreeSet::new(),
            repairs: Vec::new(),
            rest: Rest::Nothing,
        }
    }

    /// Reads METADATA.
    ///
    /// # Errors
    /// When a needed field is missing or unreadable, or a limit is exceeded.
    pub fn parse(bytes: &[u8]) -> Result<Self, MetadataError> {
        if bytes.len() as u64 > Limits::METADATA_BYTES {
            return Err(MetadataError::TooMuch { limit: Limits::METADATA_BYTES, of: "bytes" });
        }
        let mut draft = Draft::default();
        let mut lines = Lines { rest: bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes) };
        while let Some(field) = lines.next_field()? {
            draft.add(field)?;
        }
        draft.finish()
    }

    /// Returns METADATA in the form in which [`Self::parse_kept`] reads it: what is read at once, an empty line, all of it.
    /// `headers` are those that this was read from.
    pub fn kept(&self, headers: &str) -> String {
        match self.own_headers(headers) {
            Some(own) => format!("{own}\n{headers}"),
            None => format!("\n{headers}"),
        }
    }

    /// Returns the headers without those that only an extra needs; nothing where that saves nothing, or where what is left does
    /// not say the same.
    fn own_headers(&self, headers: &str) -> Option<String> {
        let mut needs_extra = self.requires_dist.iter().map(|requirement| requirement.marker.needs_extra());
        let (mut own, mut keeping) = (String::new(), true);
        for line in headers.lines().take_while(|line| !line.is_empty()) {
            if !line.starts_with([' ', '\t']) {
                let is_of = |field: &str| line.get(..field.len()).is_some_and(|head| head.eq_ignore_ascii_case(field));
                let is_of_extra = is_of("Requires-Dist:") && needs_extra.next().unwrap_or_default();
                keeping = !is_of_extra && !is_of("Provides-Extra:");
            }
            if keeping {
                own.extend([line, "\n"]);
            }
        }
        let without_extras = self.requires_dist.iter().filter(|requirement| !requirement.marker.needs_extra());
        let requires_dist = without_extras.cloned().collect();
        let expected = Self { requires_dist, provides_extras: BTreeSet::new(), ..self.clone() };
        (own.len() < headers.len() && Self::parse(own.as_bytes()).is_ok_and(|read| read == expected)).then_some(own)
    }

    /// Splits what [`Self::kept`] returned: what is read at once, and everything.
    pub fn split_kept(kept: &[u8]) -> Option<(&[u8], &[u8])> {
        if let Some(headers) = kept.strip_prefix(b"\n") {
            return Some((headers, headers));
        }
        let end = kept.windows(2).position(|pair| pair == b"\n\n")?;
        Some((&kept[..=end], &kept[end + 2..]))
    }

    /// Reads METADATA that was read before and [kept](Self::kept): without what only an extra needs.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_kept(kept: &Bytes) -> Result<Self, MetadataError> {
        let (own, headers) = Self::split_kept(kept).unwrap_or((kept, kept));
        let mut metadata = Self::parse(own)?;
        if own.len() < headers.len() {
            metadata.rest = Rest::OfExtras { headers: kept.slice_ref(headers), whole: OnceLock::new() };
        }
        Ok(metadata)
    }

    /// Returns the same with every requirement and extra, if some were not read yet.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn whole(&self) -> Result<&Self, &MetadataError> {
        match &self.rest {
            Rest::Nothing => Ok(self),
            Rest::OfExtras { headers, whole } => whole.get_or_init(|| Self::parse(headers).map(Box::new)).as_deref(),
        }
    }

    /// Returns true if an sdist's PKG-INFO binds its wheels (PEP 643): version 2.2 or later, and none of `Requires-Dist`,
    /// `Requires-Python`, `Provides-Extra` is dynamic.
    pub fn is_static(&self) -> bool {
        let needed = ["requires-dist", "requires-python", "provides-extra"];
        self.metadata_version >= (2, 2) && needed.iter().all(|field| !self.dynamic.contains(*field))
    }

    /// Returns the first field in which the METADATA of a wheel is not what its sdist's PKG-INFO says, as far as a resolution
    /// depends on it. Order and spelling do not matter.
    pub fn contradicted_by(&self, built: &Self) -> Option<Contradiction> {
        let requires = |metadata: &Self| sorted(metadata.requires_dist.iter());
        let python = |metadata: &Self| sorted(metadata.requires_python.iter());
        let extras = |metadata: &Self| sorted(metadata.provides_extras.iter());
        let fields = [
            ("Requires-Dist", requires(self), requires(built)),
            ("Requires-Python", python(self), python(built)),
            ("Provides-Extra", extras(self), extras(built)),
        ];
        fields.into_iter().find(|(_, promised, built)| promised != built).map(|(field, promised, built)| {
            let only =
                |values: &BTreeSet<String>, other: &BTreeSet<String>| values.difference(other).cloned().collect();
            Contradiction { field, promised: only(&promised, &built), built: only(&built, &promised) }
        })
    }
}

/// A field in which the METADATA of a wheel is not what its sdist's PKG-INFO says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    /// The field.
    pub field: &'static str,
    /// Values that only PKG-INFO has.
    pub promised: Vec<String>,
    /// Values that only METADATA has.
    pub built: Vec<String>,
}

fn sorted<T: ToString>(values: impl Iterator<Item = T>) -> BTreeSet<String> {
    values.map(|value| value.to_string()).collect()
}

/// The fields that are read, as the specification spells them.
const FIELDS: [&str; 7] =
    ["Metadata-Version", "Name", "Version", "Requires-Dist", "Requires-Python", "Provides-Extra", "Dynamic"];

/// One field that is read; its value has lost the line breaks.
struct Field<'a> {
    name: &'static str,
    value: Cow<'a, str>,
}

/// Reads fields line by line, ending lines as Python's `email` package does: at `\n`, `\r\n` and `\r`.
struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Lines<'a> {
    fn next_line(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let end = self.rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(self.rest.len());
        let (line, rest) = self.rest.split_at(end);
        self.rest = rest.strip_prefix(b"\r\n").or_else(|| rest.get(1..)).unwrap_or_default();
        Some(line)
    }

    /// Returns the next field that is read; `None` at the blank line that ends the fields.
    fn next_field(&mut self) -> Result<Option<Field<'a>>, MetadataError> {
        while let Some(line) = self.next_line() {
            if line.is_empty() {
                return Ok(None);
            }
            let Some((name, value)) = split_field(line) else { return self.end_of_fields(line) };
            let known = FIELDS.into_iter().find(|known| known.as_bytes().eq_ignore_ascii_case(name));
            let mut value = String::from_utf8_lossy(value);
            while self.rest.first().is_some_and(|byte| matches!(byte, b' ' | b'\t')) {
                let Some(more) = self.next_line() else { break };
                if known.is_some() {
                    value.to_mut().push(' ');
                    value.to_mut().push_str(String::from_utf8_lossy(more).trim());
                }
            }
            if let Some(name) = known {
                return Ok(Some(Field { name, value }));
            }
        }
        Ok(None)
    }

    /// A line that is no field: to Python's parser the description begins here. That is believed if it makes no difference.
    fn end_of_fields(&mut self, line: &[u8]) -> Result<Option<Field<'a>>, MetadataError> {
        let is_read = |line: &[u8]| {
            split_field(line).is_some_and(|(name, _)| FIELDS.iter().any(|f| f.as_bytes().eq_ignore_ascii_case(name)))
        };
        while let Some(later) = self.next_line() {
            if later.is_empty() {
                break;
            }
            if is_read(later) {
                return Err(MetadataError::Line { line: shown(&String::from_utf8_lossy(line)) });
            }
        }
        Ok(None)
    }
}

/// Splits `Name: value`; a field's name is printable ASCII without blanks.
fn split_field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let name = &line[..colon];
    (!name.is_empty() && name.iter().all(|byte| matches!(byte, b'!'..=b'~')))
        .then(|| (name, line[colon + 1..].trim_ascii()))
}

/// What has been read so far.
#[derive(Default)]
struct Draft {
    metadata_version: Option<String>,
    name: Option<String>,
    version: Option<String>,
    requires_python: Option<String>,
    requires_dist: Vec<Requirement>,
    provides_extras: BTreeSet<ExtraName>,
    dynamic: BTreeSet<String>,
    repairs: Vec<Repair>,
    marker_nodes: usize,
    markers: requirement::Markers,
}

impl Draft {
    fn add(&mut self, field: Field<'_>) -> Result<(), MetadataError> {
        let Field { name, value } = field;
        match name {
            "Metadata-Version" => once(&mut self.metadata_version, name, &value),
            "Name" => once(&mut self.name, name, &value),
            "Version" => once(&mut self.version, name, &value),
            "Requires-Python" => once(&mut self.requires_python, name, &value),
            "Requires-Dist" => self.add_requirement(&value),
            "Provides-Extra" => self.add_extra(&value),
            _ => {
                self.dynamic.insert(shown(value.trim()).to_ascii_lowercase());
                at_most(self.dynamic.len(), "values of `Dynamic`")
            }
        }
    }

    fn add_requirement(&mut self, text: &str) -> Result<(), MetadataError> {
        at_most(self.requires_dist.len() + 1, "requirements")?;
        let (requirement, nodes) = requirement::read(text.trim(), Some(&mut self.repairs), &mut self.markers)
            .map_err(|source| MetadataError::Requirement { text: shown(text), source })?;
        self.requires_dist.push(requirement);
        self.marker_nodes += nodes;
        if self.marker_nodes > Limits::METADATA_MARKER_NODES {
            let limit = Limits::METADATA_MARKER_NODES as u64;
            return Err(MetadataError::TooMuch { limit, of: "entangled comparisons in markers" });
        }
        Ok(())
    }

    /// An extra whose name is none cannot be asked for, so it is left out.
    fn add_extra(&mut self, text: &str) -> Result<(), MetadataError> {
        match text.parse() {
            Ok(extra) => {
                self.provides_extras.insert(extra);
            }
            Err(error) => {
                self.repairs.push(Repair { written: shown(text), read_as: String::new(), reason: error.to_string() });
            }
        }
        at_most(self.provides_extras.len().max(self.repairs.len()), "extras")
    }

    fn finish(mut self) -> Result<Metadata, MetadataError> {
        let required = |value: Option<String>, field| value.ok_or(MetadataError::Missing { field });
        let format = required(self.metadata_version, "Metadata-Version")?;
        let metadata_version = read_format(&format).ok_or_else(|| MetadataError::Format { found: shown(&format) })?;
        let requires_python = match self.requires_python {
            Some(text) => {
                let (specifiers, repairs) = Specifiers::parse_lenient(&text).map_err(MetadataError::RequiresPython)?;
                self.repairs.extend(repairs);
                Some(specifiers)
            }
            None => None,
        };
        Ok(Metadata {
            name: required(self.name, "Name")?.parse().map_err(MetadataError::Name)?,
            version: required(self.version, "Version")?.parse().map_err(MetadataError::Version)?,
            requires_dist: self.requires_dist,
            requires_python: requires_python.filter(|specifiers| !specifiers.is_any()),
            provides_extras: self.provides_extras,
            metadata_version,
            dynamic: self.dynamic,
            repairs: self.repairs,
            rest: Rest::Nothing,
        })
    }
}

/// Keeps the value of a field that stands once; the same value again is harmless.
fn once(slot: &mut Option<String>, field: &'static str, value: &str) -> Result<(), MetadataError> {
    match slot {
        Some(first) if first != value => {
            Err(MetadataError::Duplicate { field, first: shown(first), second: shown(value) })
        }
        _ => {
            *slot = Some(value.to_owned());
            Ok(())
        }
    }
}

fn at_most(count: usize, of: &'static str) -> Result<(), MetadataError> {
    if count > Limits::METADATA_REQUIREMENTS {
        return Err(MetadataError::TooMuch { limit: Limits::METADATA_REQUIREMENTS as u64, of });
    }
    Ok(())
}

fn read_format(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once('.')?;
    let (major, minor) = (major.parse().ok()?, minor.parse().ok()?);
    matches!(major, 1 | 2).then_some((major, minor))
}
