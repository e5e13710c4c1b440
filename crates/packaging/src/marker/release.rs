//! What a comparison of a kernel's release or version, `platform_release` and `platform_version`, means: the one answer for
//! requirements and for locks.
//!
//! The specification calls both a version where they can be one. So versions are compared where the marker names one, and a
//! machine whose release is none (`6.1.0-18-amd64`) then fits nothing but `!=`, as in the `packaging` library and so in pip.
//! Equal and different have a meaning for every text. An order by a text that is no version has none, and is refused when it
//! is read.

use crate::specifiers::read_clause;
use crate::{Specifiers, Version};

/// A comparison of a kernel's release or version with a quoted value, the kernel's on the left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseComparison {
    /// One of [`SIGNS`].
    sign: &'static str,
    value: String,
    /// Sign and value as PEP 440 reads them, where the value is a version.
    specifiers: Option<Specifiers>,
}

impl ReleaseComparison {
    /// Reads a comparison.
    ///
    /// # Errors
    /// Why it has no meaning.
    pub fn new(sign: &str, value: &str) -> Result<Self, String> {
        let Some(sign) = SIGNS.into_iter().find(|known| *known == sign) else {
            return Err(format!("`{sign}` compares no releases"));
        };
        let specifiers = match join(sign, value.trim_matches([' ', '\t'])).and_then(|text| read_clause(&text)) {
            Ok(clause) => Some(Specifiers::from_clauses(vec![clause])),
            Err(_) if matches!(sign, "==" | "!=") => None,
            Err(reason) => return Err(reason),
        };
        Ok(Self { sign, value: value.to_owned(), specifiers })
    }

    /// Returns whether it holds on a machine with this release; an empty text is a release that the machine does not tell.
    pub fn holds(&self, release: &str) -> bool {
        match (self.specifiers.as_ref().zip(release.parse::<Version>().ok()), self.sign) {
            (Some((specifiers, version)), _) => specifiers.contains(&version),
            (None, "==") => release == self.value,
            (None, sign) => sign == "!=" && release != self.value,
        }
    }
}

/// Puts operator and version together. A version that begins like an operator would make another one: `> '= 3'`.
pub(super) fn join(operator: &str, version: &str) -> Result<String, String> {
    if version.starts_with(['<', '>', '=', '!', '~']) {
        return Err(format!("`{}` is no version", crate::version::shown(version)));
    }
    Ok(format!("{operator}{version}"))
}

/// The operators that compare releases.
const SIGNS: [&str; 7] = ["<=", ">=", "==", "!=", "~=", "<", ">"];
