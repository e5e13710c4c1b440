//! What a maintainer may set for a resolution: pre-releases, direction, and who may be built from source.
//!
//! They are here, below `manifest`, `lock` and `resolve`, because all three speak of them. Each is written as the manifest
//! writes it, in kebab-case.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::PackageName;
use crate::version::shown;

/// Which pre-releases (and development releases) are candidates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Prerelease {
    /// All of them.
    Allow,
    /// Only those of projects for which a direct requirement names one.
    Explicit,
    /// Where a requirement on the project names one, or where the project has no final release at all.
    #[default]
    IfNecessary,
    /// None.
    Never,
}

/// Which of several fitting versions is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// The highest of every project.
    #[default]
    Highest,
    /// The lowest of every project.
    Lowest,
    /// The lowest of the projects that are required directly, the highest of the others.
    LowestDirect,
}

/// Which projects may be built from source.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "Vec<String>", try_from = "Vec<String>")]
pub enum BuildPolicy {
    /// Every project; written `*`.
    All,
    /// The named projects; none if the set is empty.
    Named(BTreeSet<PackageName>),
}

/// A word that names no setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is none of {allowed}")]
pub struct SettingError {
    /// The word found, escaped.
    pub found: String,
    /// The words that are allowed, in backticks and separated by commas.
    pub allowed: String,
}

impl Prerelease {
    /// Every setting.
    pub const ALL: [Self; 4] = [Self::Allow, Self::Explicit, Self::IfNecessary, Self::Never];

    /// Returns the word for it in a manifest.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Explicit => "explicit",
            Self::IfNecessary => "if-necessary",
            Self::Never => "never",
        }
    }
}

impl Strategy {
    /// Every setting.
    pub const ALL: [Self; 3] = [Self::Highest, Self::Lowest, Self::LowestDirect];

    /// Returns the word for it in a manifest.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Highest => "highest",
            Self::Lowest => "lowest",
            Self::LowestDirect => "lowest-direct",
        }
    }
}

impl BuildPolicy {
    /// Returns the policy that nothing is built.
    pub const fn none() -> Self {
        Self::Named(BTreeSet::new())
    }

    /// Returns true if the project may be built from source.
    pub fn allows(&self, name: &PackageName) -> bool {
        match self {
            Self::All => true,
            Self::Named(names) => names.contains(name),
        }
    }
}

impl FromStr for Prerelease {
    type Err = SettingError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        find(&Self::ALL, Self::as_str, text)
    }
}

impl FromStr for Strategy {
    type Err = SettingError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        find(&Self::ALL, Self::as_str, text)
    }
}

impl FromStr for BuildPolicy {
    type Err = SettingError;

    /// Reads names separated by commas, or `*`; nothing at all means none.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
        Self::try_from(words.map(str::to_owned).collect::<Vec<_>>())
    }
}

impl TryFrom<Vec<String>> for BuildPolicy {
    type Error = SettingError;

    fn try_from(words: Vec<String>) -> Result<Self, Self::Error> {
        if words.iter().any(|word| word == "*") {
            return Ok(Self::All);
        }
        let name = |word: &String| {
            word.parse()
                .map_err(|_| SettingError { found: shown(word), allowed: "`*` and the names of projects".to_owned() })
        };
        Ok(Self::Named(words.iter().map(name).collect::<Result<_, _>>()?))
    }
}

impl From<BuildPolicy> for Vec<String> {
    fn from(policy: BuildPolicy) -> Self {
        match policy {
            BuildPolicy::All => vec!["*".to_owned()],
            BuildPolicy::Named(names) => names.iter().map(ToString::to_string).collect(),
        }
    }
}

impl fmt::Display for Prerelease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for BuildPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Vec::from(self.clone()).join(","))
    }
}

fn find<T: Copy>(all: &[T], word: impl Fn(T) -> &'static str, text: &str) -> Result<T, SettingError> {
    all.iter().copied().find(|&value| word(value) == text).ok_or_else(|| SettingError {
        found: shown(text),
        allowed: all.iter().map(|&value| format!("`{}`", word(value))).collect::<Vec<_>>().join(", "),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_round_trip_through_text_and_serde() {
        for setting in Prerelease::ALL {
            assert_eq!(setting.to_string().parse(), Ok(setting));
            assert_eq!(serde_json::to_string(&setting).unwrap(), format!("\"{setting}\""));
        }
        for setting in Strategy::ALL {
            assert_eq!(setting.to_string().parse(), Ok(setting));
            assert_eq!(serde_json::to_string(&setting).unwrap(), format!("\"{setting}\""));
        }
        let error = "If-Necessary\n".parse::<Prerelease>().unwrap_err().to_string();
        assert_eq!(error, "`If-Necessary\\n` is none of `allow`, `explicit`, `if-necessary`, `never`");
    }

    #[test]
    fn only_named_projects_may_be_built() {
        let check = |text: &str, shown: &str, allowed: &[&str], refused: &[&str]| {
            let policy: BuildPolicy = text.parse().unwrap();
            assert_eq!(policy.to_string(), shown);
            assert_eq!(serde_json::from_str::<BuildPolicy>(&serde_json::to_string(&policy).unwrap()).unwrap(), policy);
            assert!(allowed.iter().all(|name| policy.allows(&name.parse().unwrap())), "{text}");
            assert!(!refused.iter().any(|name| policy.allows(&name.parse().unwrap())), "{text}");
        };
        check("", "", &[], &["a"]);
        check("B_c, a", "a,b-c", &["a", "b.c"], &["bc"]);
        check("a,*", "*", &["a", "b"], &[]);
        assert!("a b".parse::<BuildPolicy>().is_err());
        assert_eq!(BuildPolicy::none(), "".parse().unwrap());
    }
}
