//! What can be wrong with what the maintainer wrote, and where.

use std::fmt;

use pinfold_artifact::{ArchivePathError, Limits, Sha256Error, UrlError};
use pinfold_packaging::{NameError, PackageName, RequirementError, SettingError, SpecifiersError, TargetError};

use crate::{CutoffError, IndexUrlError, Place, RouteError, render};

/// Something wrong in a manifest or requirements file.
///
/// `Display` gives the sentence alone; [`Self::report`] gives it with the line and carets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestError(Box<(Place, ManifestErrorKind)>);

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestErrorKind {
    /// A key that may be given once is given in two tables.
    #[error("`{key}` is given twice: here and in {table}")]
    AlreadyGiven {
        /// The key.
        key: String,
        /// The other table.
        table: &'static str,
    },
    /// A finding's code is not written as codes are.
    #[error("`{found}` is no code of a finding; codes are lower-case words joined by `-`")]
    Code {
        /// The code, escaped.
        found: String,
    },
    /// A constraint asks for extras.
    #[error("a constraint only narrows versions, so it cannot ask for extras")]
    ConstraintExtras,
    /// A character that people do not see, and that Python may take for the end of a line.
    #[error("`{found}` does not belong here; some readers take it for the end of a line")]
    ControlCharacter {
        /// The character, escaped.
        found: String,
    },
    /// `exclude-newer` is no time.
    #[error(transparent)]
    Cutoff(#[from] CutoffError),
    /// Something includes itself.
    #[error("the {what} includes itself: {}", .path.join(" → "))]
    Cycle {
        /// What kind of thing.
        what: &'static str,
        /// The names from the first to its repetition.
        path: Vec<String>,
    },
    /// Somebody's dependencies are made by running code.
    #[error(
        "`{field}` are dynamic: only running the project's build backend would tell them, and pinfold runs nobody's code"
    )]
    Dynamic {
        /// The field of `[project]`.
        field: &'static str,
        /// What to write instead.
        instead: &'static str,
    },
    /// A field is given and called dynamic, which the standard forbids: one of the two is wrong.
    #[error("`{field}` is called dynamic, and is given in [project]")]
    DynamicAndGiven {
        /// The field of `[project]`.
        field: String,
    },
    /// A value that must say something is empty.
    #[error("`{key}` is empty")]
    Empty {
        /// The key.
        key: String,
    },
    /// A requirements file that is named by a URL of this machine.
    #[error("a requirements file is named by its path, not by a `file` URL")]
    FileUrl {
        /// The path to write, where the URL has no escapes.
        path: Option<String>,
    },
    /// `--hash` on a project for which no single file can be meant.
    #[error("the hashes of `{name}` are written without a version; write `{name}==…`")]
    HashWithoutVersion {
        /// The project.
        name: PackageName,
    },
    /// Files include files, deeper than any project needs.
    #[error("files include each other more than {NESTED_FILES} deep, or more than {INCLUDED_FILES} in all")]
    IncludeDepth,
    /// A name of an index that cannot be used in the name of a variable.
    #[error("`{found}` is no name for an index; use letters, digits, `-` and `_`, and begin with a letter")]
    IndexName {
        /// The name, escaped.
        found: String,
    },
    /// An index option inside a requirements file.
    #[error("`{option}` would decide where packages come from; that is written in the manifest")]
    IndexOption {
        /// The option.
        option: String,
        /// The lines of the manifest to write instead.
        instead: String,
    },
    /// The place of an index is none.
    #[error(transparent)]
    IndexUrl(#[from] IndexUrlError),
    /// A path inside an artifact is none.
    #[error(transparent)]
    InnerPath(#[from] ArchivePathError),
    /// An item of an array has another type than its key asks for.
    #[error("`{key}` holds {found} where {expected} belongs")]
    ItemType {
        /// The key.
        key: String,
        /// The type asked for.
        expected: &'static str,
        /// The type found.
        found: &'static str,
    },
    /// A key that must be given is not.
    #[error("{table} has no `{key}`")]
    Missing {
        /// The key.
        key: &'static str,
        /// The table.
        table: &'static str,
    },
    /// A name is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// What pip installs although its bytes change.
    #[error("{what} cannot be locked: its bytes are not fixed")]
    NotFixed {
        /// What was found.
        what: &'static str,
        /// What to do about it.
        instead: &'static str,
    },
    /// What no text has in the coding whose byte order mark the file begins with.
    #[error("{found} is not {coding}")]
    NotInCoding {
        /// What is there.
        found: String,
        /// The coding.
        coding: &'static str,
    },
    /// A byte that no text in UTF-8 has there.
    #[error("the byte 0x{found:02x} is not UTF-8")]
    NotUtf8 {
        /// The byte.
        found: u8,
        /// The encoding whose byte order mark the file begins with.
        mark: Option<&'static str>,
    },
    /// Two keys exclude each other.
    #[error("`{first}` and `{second}` exclude each other")]
    OneOf {
        /// One.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
    /// A quotation mark that is never closed.
    #[error("the quotation mark is never closed")]
    OpenQuote,
    /// An option of pip that pinfold does not follow.
    #[error("pip's option `{option}` is not followed here")]
    Option {
        /// The option.
        option: String,
        /// What to do about it.
        instead: String,
    },
    /// An override asks for extras.
    #[error("an override replaces the versions that others accept, so it cannot ask for extras; require them yourself")]
    OverrideExtras,
    /// An override holds where nobody can know.
    #[error(
        "an override cannot depend on the kernel's release or version: no target knows it, and where the override did not hold \
         the lock would be wrong"
    )]
    OverrideUnknown,
    /// The application requires a project of its own name.
    #[error("`{name}` is the application's own name; an index would give another project of that name")]
    OwnName {
        /// The name.
        name: PackageName,
    },
    /// A requirement is none.
    #[error(transparent)]
    Requirement(#[from] RequirementError),
    /// The indexes contradict each other.
    #[error(transparent)]
    Route(#[from] RouteError),
    /// Groups and extras include each other, deeper or more often than any project needs.
    #[error("groups and extras include each other too deeply, or too often")]
    SectionDepth,
    /// The application includes an extra of another version or place than its own.
    #[error("the application's own extras are those of this manifest, without versions or URL")]
    SelfReference,
    /// A setting is none of its words.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// A digest is none.
    #[error(transparent)]
    Sha256(#[from] Sha256Error),
    /// Version specifiers are none.
    #[error(transparent)]
    Specifiers(#[from] SpecifiersError),
    /// All packages and some packages.
    #[error("`*` allows every package; write it alone, or leave it out")]
    Star,
    /// The text is no TOML.
    #[error("{message}")]
    Syntax {
        /// What the parser said.
        message: String,
    },
    /// A target is none.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// A text of more bytes than any manifest has.
    #[error("it has {found} bytes; at most {} are read", Limits::MANIFEST_BYTES)]
    TooLarge {
        /// The size.
        found: usize,
    },
    /// One thing is written twice.
    #[error("`{name}` is written twice")]
    Twice {
        /// The thing.
        name: String,
    },
    /// A value has another type than its key asks for.
    #[error("`{key}` must be {expected}, not {found}")]
    Type {
        /// The key.
        key: String,
        /// The type asked for.
        expected: &'static str,
        /// The type found.
        found: &'static str,
    },
    /// A comment says that the file is written in a coding that is not read.
    #[error("the coding `{found}` is not read here")]
    UnknownCoding {
        /// The coding.
        found: String,
    },
    /// A group or extra that is included does not exist.
    #[error("there is no {what} `{name}`")]
    UnknownInclude {
        /// Group or extra.
        what: &'static str,
        /// The name.
        name: String,
        /// The nearest that exists.
        nearest: Option<String>,
    },
    /// A key that has no meaning.
    #[error("unknown key `{key}` in {table}")]
    UnknownKey {
        /// The key.
        key: String,
        /// The table.
        table: String,
        /// The nearest known key, and its table if that is another.
        nearest: String,
        /// Every known key of the table.
        known: Vec<&'static str>,
    },
    /// A file cannot be read.
    #[error("cannot read `{path}`: {reason}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why not.
        reason: String,
    },
    /// A variable that is not set.
    #[error("the environment variable `{name}` is not set")]
    UnsetVariable {
        /// Its name.
        name: String,
    },
    /// A URL is none that pinfold works with.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// A hash that is no SHA-256.
    #[error("`{found}` is no SHA-256; other hashes are not looked at")]
    WeakHash {
        /// The option, as it was written.
        found: String,
    },
    /// A value that is none of a few words.
    #[error("`{found}` is not known here; write {allowed}")]
    Word {
        /// The word, escaped.
        found: String,
        /// The allowed ones, in backticks.
        allowed: &'static str,
    },
}

impl ManifestError {
    /// Makes an error.
    pub(crate) fn new(mut place: Place, kind: ManifestErrorKind) -> Self {
        if matches!(kind, ManifestErrorKind::IndexUrl(IndexUrlError::Fragment | IndexUrlError::Query)) {
            place.hide_query();
        }
        Self(Box::new((place, kind)))
    }

    /// Returns where it is.
    pub fn place(&self) -> &Place {
        &self.0.0
    }

    /// Returns what is wrong.
    pub fn kind(&self) -> &ManifestErrorKind {
        &self.0.1
    }

    /// Returns the sentence, the place, the line with carets, and help, in several lines.
    pub fn report(&self) -> String {
        render(&self.to_string(), self.place(), self.help().as_deref())
    }

    /// Returns what to do about it, where that can be said.
    pub fn help(&self) -> Option<String> {
        match self.kind() {
            ManifestErrorKind::Dynamic { instead, .. } => Some((*instead).to_owned()),
            ManifestErrorKind::DynamicAndGiven { .. } => Some("take it away in one of the two places".to_owned()),
            ManifestErrorKind::FileUrl { path: Some(path) } => Some(format!("write the path instead: `{path}`")),
            ManifestErrorKind::FileUrl { path: None } => Some("write the path instead".to_owned()),
            ManifestErrorKind::IndexOption { instead, .. } => {
                Some(format!("write this into the manifest instead:\n{instead}"))
            }
            ManifestErrorKind::NotFixed { instead, .. } => Some((*instead).to_owned()),
            ManifestErrorKind::NotUtf8 { mark: Some(mark), .. } => {
                Some(format!("the file begins with the byte order mark of {mark}: save it as UTF-8"))
            }
            ManifestErrorKind::NotInCoding { .. } | ManifestErrorKind::NotUtf8 { mark: None, .. } => {
                Some("save the file as UTF-8".to_owned())
            }
            ManifestErrorKind::Option { instead, .. } => Some(instead.clone()),
            ManifestErrorKind::OwnName { .. } => Some(OWN_NAME.to_owned()),
            ManifestErrorKind::UnknownCoding { .. } => {
                Some("save the file as UTF-8, and leave out the comment".to_owned())
            }
            ManifestErrorKind::UnknownInclude { nearest, .. } => {
                nearest.as_ref().map(|nearest| format!("the nearest that exists is `{nearest}`"))
            }
            ManifestErrorKind::UnknownKey { nearest, known, .. } => Some(format!(
                "the nearest known key is {nearest}\nknown here: {}",
                known.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ")
            )),
            _ => None,
        }
    }
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind().fmt(f)
    }
}

impl std::error::Error for ManifestError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.kind().source()
    }
}

/// What to do where the application seems to require itself.
pub(crate) const OWN_NAME: &str =
    "leave it out; or, if the project of the index is meant, give the application another `name`";
/// How deep requirements files may include each other.
pub(crate) const NESTED_FILES: usize = 32;
/// How many files one requirements file may include, in all.
pub(crate) const INCLUDED_FILES: usize = 1_000;
