//! What an install needs to know of an unpacked wheel beside its list of files, kept as a note in the tree's manifest.

use std::collections::{BTreeMap, BTreeSet};

use pinfold_artifact::{ArchivePath, Sha256};
use pinfold_store::TreeManifest;
use pinfold_unpack::{EntryPoint, EntryPoints, Scheme};
use serde::{Deserialize, Serialize};

use crate::WheelFinding;

/// The facts. Files that are not named in `moved` belong to the root scheme, under their own path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WheelFacts {
    /// The name of the `.dist-info` directory.
    pub(crate) dist_info: String,
    /// Whether the root scheme is purelib.
    pub(crate) root_is_purelib: bool,
    /// The files of `.data`: where each belongs.
    pub(crate) moved: BTreeMap<ArchivePath, Moved>,
    /// Console scripts to be written.
    pub(crate) console: Vec<Entry>,
    /// Scripts without a console.
    pub(crate) gui: Vec<Entry>,
    /// Scripts whose first line asks for the environment's interpreter.
    pub(crate) python_scripts: BTreeSet<ArchivePath>,
    /// What needs acceptance, sorted.
    #[serde(rename = "startup")]
    pub(crate) findings: Vec<WheelFinding>,
    /// Digest of METADATA.
    pub(crate) metadata_sha256: Sha256,
}

/// A file of `.data`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Moved {
    /// The scheme's name.
    pub(crate) scheme: SchemeName,
    /// The path inside the scheme.
    pub(crate) path: ArchivePath,
}

/// The name of a scheme's directory in `.data`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SchemeName {
    Data,
    Headers,
    Platlib,
    Purelib,
    Scripts,
}

/// A script to be written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) module: String,
    pub(crate) attribute: String,
}

impl WheelFacts {
    /// Reads the facts from a manifest; none if it is of no wheel that this version unpacked.
    pub(crate) fn of(manifest: &TreeManifest) -> Option<Self> {
        manifest.note.get(NOTE).and_then(|text| serde_json::from_str(text).ok())
    }

    /// Returns the note.
    pub(crate) fn to_note(&self) -> Result<BTreeMap<String, String>, serde_json::Error> {
        Ok(BTreeMap::from([(NOTE.to_owned(), serde_json::to_string(self)?)]))
    }
}

impl SchemeName {
    /// Returns the name; none for the root.
    pub(crate) const fn of(scheme: Scheme) -> Option<Self> {
        match scheme {
            Scheme::Data => Some(Self::Data),
            Scheme::Headers => Some(Self::Headers),
            Scheme::Platlib => Some(Self::Platlib),
            Scheme::Purelib => Some(Self::Purelib),
            Scheme::Root => None,
            Scheme::Scripts => Some(Self::Scripts),
        }
    }
}

/// Returns console and gui scripts.
pub(crate) fn entries(entry_points: &EntryPoints) -> (Vec<Entry>, Vec<Entry>) {
    let entry =
        |it: &EntryPoint| Entry { name: it.name.clone(), module: it.module.clone(), attribute: it.attribute.clone() };
    let all = |list: &[EntryPoint]| list.iter().map(entry).collect();
    (all(&entry_points.console_scripts), all(&entry_points.gui_scripts))
}

/// The key of the note; a later form of the facts gets another.
const NOTE: &str = "wheel-1";
