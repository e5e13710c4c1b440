//! Environment markers: where a requirement holds.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use pep508_rs::MarkerTree;

use crate::{ExtraName, RequirementError, Version};

/// An environment marker; equal markers are equal however they are written.
#[derive(Clone)]
pub struct Marker {
    tree: MarkerTree,
    /// As it was written, in our spelling; empty for the marker that always holds.
    text: Box<str>,
}

/// What a marker says about one environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MarkerTruth {
    /// It never holds there.
    False,
    /// It holds there.
    True,
    /// It holds for some Python releases of the environment and not for others: cutting the span at each of these
    /// versions (all inside it) gives parts in which it is true or false.
    Divided(BTreeSet<Version>),
}

/// What `python_full_version` may be: one interpreter, or every final release of a span.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PythonSpan {
    /// The interpreter's version, or the first release `X.Y.Z` of the span.
    pub at_least: Version,
    /// The end of the span, not included; `None` for one interpreter. Python 3.10 is `3.10.0` to `3.11`.
    pub below: Option<Version>,
}

/// What markers ask about: an interpreter on a system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkerEnvironment {
    /// `os_name`: `posix` or `nt`.
    pub os_name: String,
    /// `sys_platform`: `linux`, `win32`, `darwin`.
    pub sys_platform: String,
    /// `platform_machine`: `x86_64`, `AMD64`, `arm64`.
    pub platform_machine: String,
    /// `platform_system`: `Linux`, `Windows`, `Darwin`.
    pub platform_system: String,
    /// `platform_python_implementation`: `CPython`.
    pub platform_python_implementation: String,
    /// `implementation_name`: `cpython`.
    pub implementation_name: String,
    /// `python_version`: `3.10`.
    pub python_version: Version,
    /// `python_full_version`, and for CPython `implementation_version`.
    pub python_full_version: PythonSpan,
    /// `platform_release`, where one is known.
    pub platform_release: Option<String>,
    /// `platform_version`, where one is known.
    pub platform_version: Option<String>,
}

impl Marker {
    /// Returns the marker that holds everywhere.
    pub fn always() -> Self {
        Self { tree: MarkerTree::TRUE, text: Box::default() }
    }

    /// Returns true if the marker holds everywhere.
    pub fn is_always(&self) -> bool {
        self.tree.is_true()
    }

    /// Returns what the marker says about an environment in which the extras are wanted.
    pub fn evaluate(&self, _environment: &MarkerEnvironment, _extras: &BTreeSet<ExtraName>) -> MarkerTruth {
        todo!()
    }
}

impl FromStr for Marker {
    type Err = RequirementError;

    fn from_str(_text: &str) -> Result<Self, Self::Err> {
        todo!()
    }
}

impl PartialEq for Marker {
    fn eq(&self, other: &Self) -> bool {
        self.tree == other.tree
    }
}

impl Eq for Marker {}

impl std::hash::Hash for Marker {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.tree.hash(state);
    }
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}
