//! What was asked for, as it was written: the maintainer's requirements, and those of each locked package.
//!
//! A lock says what is installed, and not which requirement made it so. These texts are kept for whoever asks why a package is
//! there and why no newer one (`pinfold why`). Nothing is selected by them; an installer that ignores them installs the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use pinfold_packaging::{ExtraName, GroupName, PackageName, Version};

/// Requirements as texts, by who asks. Empty in a lock that another tool, or an older pinfold, wrote.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Asked {
    /// Requirements as PEP 508 writes them.
    pub by: BTreeMap<Asker, BTreeSet<String>>,
}

/// Who asks for something.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asker {
    /// The application itself.
    Application,
    /// Constraints: they narrow what others ask for.
    Constraints,
    /// An extra of the application.
    Extra(ExtraName),
    /// A dependency group.
    Group(GroupName),
    /// Overrides: they replace what others ask for.
    Overrides,
    /// A version of a locked package.
    Package(PackageName, Version),
}

impl Asked {
    /// Adds a requirement.
    pub fn add(&mut self, by: Asker, requirement: impl Into<String>) {
        self.by.entry(by).or_default().insert(requirement.into());
    }

    /// Returns true if nothing is known.
    pub fn is_empty(&self) -> bool {
        self.by.is_empty()
    }
}

impl Asker {
    /// Returns true for the application, its extras and its groups: what they ask for is a root of the tree.
    pub const fn is_root(&self) -> bool {
        matches!(self, Self::Application | Self::Extra(_) | Self::Group(_))
    }
}

impl fmt::Display for Asker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Application => f.write_str("the application"),
            Self::Constraints => f.write_str("a constraint"),
            Self::Extra(name) => write!(f, "extra `{name}`"),
            Self::Group(name) => write!(f, "group `{name}`"),
            Self::Overrides => f.write_str("an override"),
            Self::Package(name, version) => write!(f, "{name} {version}"),
        }
    }
}
