//! What was asked for, as it was written: the maintainer's requirements, and those of each locked package.
//!
//! A lock says what is installed, and not which requirement made it so. These texts are kept for whoever asks why a package is
//! there and why no newer one (`pinfold why`). Nothing is selected by them; an installer that ignores them installs the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use pinfold_packaging::{ExtraName, GroupName, PackageName, Requirement, Version};

use crate::shown::shown;

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

/// A requirement of the lock, read.
#[derive(Debug, Clone)]
pub struct Demanded<'a> {
    /// Who asks.
    pub by: &'a Asker,
    /// What, as it was written, for a message: without what may be a secret.
    pub text: String,
    /// What it means.
    pub requirement: Requirement,
    /// Whether it names a file, a directory or a repository.
    pub is_direct: bool,
}

/// Reads a requirement. Of one that names a path or a repository, which PEP 508 has no words for, only the name, the extras and
/// the marker are read.
fn read(text: &str) -> Option<(Requirement, bool)> {
    if let Ok(requirement) = Requirement::parse(text) {
        let is_direct = requirement.url.is_some();
        return Some((requirement, is_direct));
    }
    // A second line would pass for one of ours.
    let (head, place) = text.split_once('@').filter(|_| !text.contains(char::is_control))?;
    let marker = place.split_once(" ;").map(|(_, marker)| format!(";{marker}")).unwrap_or_default();
    Requirement::parse(&format!("{}{marker}", head.trim())).ok().map(|requirement| (requirement, true))
}

impl Asked {
    /// Adds a requirement.
    pub fn add(&mut self, by: Asker, requirement: impl Into<String>) {
        self.by.entry(by).or_default().insert(requirement.into());
    }

    /// Returns every requirement that can be read.
    pub fn requirements(&self) -> impl Iterator<Item = Demanded<'_>> {
        let texts = self.by.iter().flat_map(|(by, texts)| texts.iter().map(move |text| (by, text)));
        texts.filter_map(|(by, text)| {
            let (requirement, is_direct) = read(text)?;
            Some(Demanded { by, text: shown(text), requirement, is_direct })
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_a_place_is_read_as_far_as_it_goes() {
        for (text, expected) in [
            ("a>=1; os_name == 'nt'", Some(("a>=1; os_name == 'nt'", false))),
            ("a @ https://files.example/a-1.tar.gz", Some(("a @ https://files.example/a-1.tar.gz", true))),
            ("a[x] @ ./wheels/a-1-py3-none-any.whl", Some(("a[x]", true))),
            ("a @ git+https://host.example/a@main ; os_name == 'nt'", Some(("a; os_name == 'nt'", true))),
            ("not readable", None),
            ("a @ ./x\nb 1.0", None),
        ] {
            let found = read(text).map(|(requirement, is_direct)| (requirement.to_string(), is_direct));
            assert_eq!(found, expected.map(|(text, is_direct)| (text.to_owned(), is_direct)), "{text}");
        }
    }
}
