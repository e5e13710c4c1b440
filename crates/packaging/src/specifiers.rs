//! Version specifiers: which versions a requirement or `Requires-Python` accepts (PEP 440).
//!
//! `pep440_rs` reads the versions; what a clause means is written here, because its own conversion to ranges forgets local
//! versions (`==2.1.0` must accept `2.1.0+cu121`), its `contains` lets `1` pass for `==1.1.*`, and `<1.0.post1` loses `1.0`.
//! [`Specifiers::ranges`] and [`Specifiers::contains`] are two independent readings of the specification that a property
//! test holds together.
//!
//! Three corners differ from the `packaging` library. Where it says more than the specification does: `>1.0a1` excludes
//! post-releases and local versions of `1.0a1` only, not those of `1.0`; and pre-releases are never excluded as such. And
//! `===` compares versions, not their spelling: `===1` accepts `1.0`, which no index keeps apart; another text than a version
//! after `===` is an error.

mod parse;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use pep440_rs::Operator;
use pinfold_artifact::Limits;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use version_ranges::Ranges;

pub(crate) use parse::{ClauseProblem, Leniency, mend, read_clause, read_clauses};

use crate::{PythonSpan, Repair, Version};

/// A set of version specifiers, all of which must hold: `>=1.0,!=1.3,<2`.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Specifiers(
    /// Sorted by version and operator, without repetition, not empty; `None` accepts every version.
    Option<Arc<[Clause]>>,
);

/// One clause. Operator and version fit together: `~=` has two release numbers, a wildcard has nothing after the release,
/// a local part is only with `==`, `!=` and `===`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Clause {
    version: Version,
    operator: Operator,
    /// How many release numbers were written, where that matters (`~=1.0` is not `~=1.0.0`); otherwise 0.
    numbers: usize,
}

/// Why a text is no set of specifiers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecifiersError {
    /// The clause is not of the form that PEP 440 gives.
    #[error("`{clause}` is no version specifier: {reason}")]
    Clause {
        /// The clause, escaped and cut.
        clause: String,
        /// What is wrong.
        reason: String,
    },
    /// Too many bytes or clauses.
    #[error(
        "the version specifiers have more than {} clauses or {} bytes",
        Limits::SPECIFIER_CLAUSES,
        Limits::REQUIREMENT_BYTES
    )]
    TooLong,
}

impl Specifiers {
    /// Returns the specifiers that every version meets.
    pub const fn any() -> Self {
        Self(None)
    }

    /// Returns the specifiers `==version`.
    pub fn exactly(version: &Version) -> Self {
        Self::from_clauses(vec![Clause::new(Operator::Equal, version.clone())])
    }

    pub(crate) fn from_clauses(mut clauses: Vec<Clause>) -> Self {
        clauses.sort_by(|a, b| a.version.cmp(&b.version).then(a.rank().cmp(&b.rank())));
        clauses.dedup();
        Self((!clauses.is_empty()).then(|| Arc::from(clauses)))
    }

    fn clauses(&self) -> &[Clause] {
        self.0.as_deref().unwrap_or_default()
    }

    /// Reads specifiers out of published metadata: known broken forms are repaired and recorded.
    ///
    /// # Errors
    /// When no known repair helps.
    pub fn parse_lenient(text: &str) -> Result<(Self, Vec<Repair>), SpecifiersError> {
        let mut repairs = Vec::new();
        let clauses = read_clauses(text, Leniency::Repair(&mut repairs)).map_err(|error| error.about(text))?;
        Ok((Self::from_clauses(clauses), repairs))
    }

    /// Returns true if no clause is given.
    pub const fn is_any(&self) -> bool {
        self.0.is_none()
    }

    /// Returns true if the version meets every clause; pre-releases are not treated apart.
    pub fn contains(&self, version: &Version) -> bool {
        self.clauses().iter().all(|clause| clause.contains(version))
    }

    /// Returns true if both are written alike: equal specifiers may name equal versions that are spelled differently.
    pub fn is_spelled_as(&self, other: &Self) -> bool {
        let length = |clause: &Clause| clause.version.release().len();
        let mut pairs = self.clauses().iter().zip(other.clauses());
        self == other && pairs.all(|(own, other)| length(own) == length(other))
    }

    /// Returns true if no clause names a version of this series, such as `[3, 10]`: then all of it is in, or nothing.
    pub fn take_series_whole(&self, series: [u64; 2]) -> bool {
        let is_of_series = |version: &Version| {
            let number = |position: usize| version.release().get(position).copied().unwrap_or(0);
            [number(0), number(1)] == series
        };
        self.clauses().iter().all(|clause| !is_of_series(&clause.version))
    }

    /// Returns the same set as ranges.
    pub fn ranges(&self) -> Ranges<Version> {
        let mut clauses = self.clauses().iter();
        let Some(first) = clauses.next() else { return Ranges::full() };
        clauses.fold(first.ranges(), |ranges, clause| ranges.intersection(&clause.ranges()))
    }

    /// Returns true if a Python of the span is among the versions.
    pub fn meet(&self, span: &PythonSpan) -> bool {
        let at_least = Ranges::higher_than(span.at_least.clone());
        let pythons = span
            .below
            .iter()
            .fold(at_least, |pythons, below| pythons.intersection(&Ranges::strictly_lower_than(below.clone())));
        !self.ranges().is_disjoint(&pythons)
    }

    /// Returns true if a clause asks for a pre-release. To rule one out (`!=2.0rc1`) is not to ask for others.
    pub fn mentions_prerelease(&self) -> bool {
        let asks = |clause: &Clause| clause.operator != Operator::NotEqual && clause.version.is_prerelease();
        self.clauses().iter().any(asks)
    }

    /// Returns the version of a lone `==V` or `===V`.
    pub fn exact(&self) -> Option<&Version> {
        match self.clauses() {
            [clause] if clause.is_exact() => Some(&clause.version),
            _ => None,
        }
    }

    /// Returns true if a clause is `==V` or `===V`, whatever others say: that makes a yanked file acceptable (PEP 592).
    pub fn is_pinned(&self) -> bool {
        self.clauses().iter().any(Clause::is_exact)
    }
}

impl Clause {
    pub(crate) fn new(operator: Operator, version: Version) -> Self {
        let prefix = matches!(operator, Operator::TildeEqual | Operator::EqualStar | Operator::NotEqualStar);
        let numbers = if prefix { version.release().len() } else { 0 };
        Self { version, operator, numbers }
    }

    const fn is_exact(&self) -> bool {
        matches!(self.operator, Operator::Equal | Operator::ExactEqual)
    }

    pub(crate) const fn version(&self) -> &Version {
        &self.version
    }

    pub(crate) const fn operator(&self) -> Operator {
        self.operator
    }

    /// Returns the operator as it is written.
    pub(crate) const fn sign(&self) -> &'static str {
        match self.operator {
            Operator::Equal | Operator::EqualStar => "==",
            Operator::ExactEqual => "===",
            Operator::GreaterThan => ">",
            Operator::GreaterThanEqual => ">=",
            Operator::LessThan => "<",
            Operator::LessThanEqual => "<=",
            Operator::NotEqual | Operator::NotEqualStar => "!=",
            Operator::TildeEqual => "~=",
        }
    }

    /// Orders clauses on one version: lower bounds, then equality, then exclusions, then upper bounds.
    const fn rank(&self) -> u8 {
        match self.operator {
            Operator::GreaterThanEqual => 0,
            Operator::GreaterThan => 1,
            Operator::TildeEqual => 2,
            Operator::Equal => 3,
            Operator::EqualStar => 4,
            Operator::ExactEqual => 5,
            Operator::NotEqual => 6,
            Operator::NotEqualStar => 7,
            Operator::LessThan => 8,
            Operator::LessThanEqual => 9,
        }
    }

    /// The specification read as a predicate.
    fn contains(&self, version: &Version) -> bool {
        let own = &self.version;
        // "Local version labels MUST be ignored entirely", unless the clause itself has one.
        let public = if own.is_local() { version.clone() } else { version.without_local() };
        match self.operator {
            Operator::Equal => public == *own,
            Operator::ExactEqual => version == own,
            Operator::NotEqual => public != *own,
            Operator::EqualStar => shares_release(&public, own, own.release().len()),
            Operator::NotEqualStar => !shares_release(&public, own, own.release().len()),
            Operator::TildeEqual => public >= *own && shares_release(&public, own, own.release().len() - 1),
            Operator::GreaterThanEqual => public >= *own,
            Operator::LessThanEqual => public <= *own,
            // "MUST NOT allow a post-release of the given version unless V itself is a post release", nor a local of V.
            Operator::GreaterThan => public > *own && (own.is_postrelease() || !is_post_of(&public, own)),
            // "MUST NOT allow a pre-release of the specified version unless the specified version is itself one."
            Operator::LessThan => public < *own && (own.is_prerelease() || !is_pre_of(&public, own)),
        }
    }

    /// The specification read as intervals.
    fn ranges(&self) -> Ranges<Version> {
        let own = &self.version;
        match self.operator {
            Operator::Equal => with_locals(own),
            Operator::ExactEqual => Ranges::singleton(own.clone()),
            Operator::NotEqual => with_locals(own).complement(),
            Operator::EqualStar => prefix(own, own.release().len()),
            Operator::NotEqualStar => prefix(own, own.release().len()).complement(),
            Operator::TildeEqual => {
                Ranges::higher_than(own.clone()).intersection(&prefix(own, own.release().len() - 1))
            }
            Operator::GreaterThanEqual => Ranges::higher_than(own.clone()),
            Operator::LessThanEqual => Ranges::strictly_lower_than(after_locals(own)),
            Operator::GreaterThan => {
                if own.is_postrelease() || own.inner().is_dev() {
                    Ranges::higher_than(after_locals(own))
                } else {
                    // No PEP 440 version is the least above all post-releases; `pep440_rs` has one for this purpose.
                    Ranges::strictly_higher_than(Version::wrap(own.inner().clone().with_max(Some(0))))
                }
            }
            Operator::LessThan if own.is_prerelease() => Ranges::strictly_lower_than(own.clone()),
            Operator::LessThan => Ranges::strictly_lower_than(Version::wrap(own.inner().clone().with_dev(Some(0)))),
        }
    }
}

/// Returns true if epoch and the first `count` release numbers are equal, missing numbers being 0.
fn shares_release(version: &Version, own: &Version, count: usize) -> bool {
    let padded = version.release().iter().chain(std::iter::repeat(&0));
    version.epoch() == own.epoch() && own.release()[..count].iter().zip(padded).all(|(a, b)| a == b)
}

/// Returns true if the version is a post-release (or development release of one) of this version.
fn is_post_of(version: &Version, own: &Version) -> bool {
    version.is_postrelease()
        && !own.inner().is_dev()
        && Version::wrap(version.inner().clone().with_post(None).with_dev(None)) == *own
}

/// Returns true if the version is a pre-release or development release of this final or post-release.
fn is_pre_of(version: &Version, own: &Version) -> bool {
    let stripped = || version.inner().clone().with_dev(None);
    version.is_prerelease()
        && if own.is_postrelease() {
            Version::wrap(stripped()) == *own
        } else {
            // `1.0a1.post1` too is a pre-release of `1.0`; `1.0.post1.dev0` is not.
            Version::wrap(stripped().with_pre(None).with_post(None)) == *own
                && !(version.is_postrelease() && version.inner().pre().is_none())
        }
}

/// Returns the versions equal to this one but for a local part; only itself where it has one.
fn with_locals(version: &Version) -> Ranges<Version> {
    if version.is_local() {
        return Ranges::singleton(version.clone());
    }
    Ranges::between(version.clone(), after_locals(version))
}

/// Returns the least version above a version without local part and all its local versions.
fn after_locals(version: &Version) -> Version {
    let inner = version.inner().clone();
    // Numbers have at most fifteen digits, so adding one cannot overflow.
    Version::wrap(match (inner.dev(), inner.post()) {
        (Some(dev), _) => inner.with_dev(Some(dev + 1)),
        (None, Some(post)) => inner.with_post(Some(post + 1)).with_dev(Some(0)),
        (None, None) => inner.with_post(Some(0)).with_dev(Some(0)),
    })
}

/// Returns the versions that begin with the first `count` release numbers of this one.
fn prefix(version: &Version, count: usize) -> Ranges<Version> {
    let low = version.release()[..count].to_vec();
    let mut high = low.clone();
    if let Some(last) = high.last_mut() {
        *last += 1;
    }
    let bound = |release: Vec<u64>| {
        Version::wrap(pep440_rs::Version::new(release).with_epoch(version.epoch()).with_dev(Some(0)))
    };
    Ranges::between(bound(low), bound(high))
}

impl FromStr for Specifiers {
    type Err = SpecifiersError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let clauses = read_clauses(text, Leniency::Strict).map_err(|error| error.about(text))?;
        Ok(Self::from_clauses(clauses))
    }
}

impl fmt::Display for Specifiers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, clause) in self.clauses().iter().enumerate() {
            f.write_str(if position > 0 { "," } else { "" })?;
            f.write_str(clause.sign())?;
            fmt::Display::fmt(&clause.version, f)?;
            let is_prefix = matches!(clause.operator, Operator::EqualStar | Operator::NotEqualStar);
            f.write_str(if is_prefix { ".*" } else { "" })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Specifiers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl Serialize for Specifiers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Specifiers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
