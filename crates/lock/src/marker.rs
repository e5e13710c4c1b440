//! Markers of a lock: PEP 508, and the membership tests that PEP 751 added.
//!
//! An own small tree instead of a library's decision diagram: it keeps what was written, takes time in proportion to its
//! length, and knows `'x' in extras` and `'g' in dependency_groups`. What the specification leaves undefined (comparing two
//! variables, `~=` with a text) is refused when it is read, not guessed when it is evaluated.

mod evaluate;
mod parse;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use pinfold_packaging::{ExtraName, GroupName, ReleaseComparison, Specifiers, Version};

pub use parse::LockMarkerError;

/// When an entry of a lock applies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockMarker {
    /// A sum or product in it has at least two members, none of which is of its own kind.
    node: Node,
}

/// A marker's tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    /// All must hold.
    And(Vec<Self>),
    /// A test of the environment.
    Compare(Comparison),
    /// `extra == 'x'`, as a dependency's marker has it.
    Extra(Membership, ExtraName),
    /// `'x' in extras`.
    Extras(Membership, ExtraName),
    /// `'g' in dependency_groups`.
    Groups(Membership, GroupName),
    /// One must hold.
    Or(Vec<Self>),
}

/// Is, or is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Membership {
    /// `in`, `==`.
    Is,
    /// `not in`, `!=`.
    IsNot,
}

/// A test of one key of the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Comparison {
    key: Key,
    operator: Operator,
    literal: String,
    meaning: Meaning,
}

/// What operator and literal mean for the key.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Meaning {
    /// They compare a kernel's release or version.
    Release(ReleaseComparison),
    /// They compare texts.
    Text,
    /// They compare versions.
    Versions(Specifiers),
}

/// A key of the environment whose value is a text or a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    ImplementationName,
    ImplementationVersion,
    OsName,
    PlatformMachine,
    PlatformPythonImplementation,
    PlatformRelease,
    PlatformSystem,
    PlatformVersion,
    PythonFullVersion,
    PythonVersion,
    SysPlatform,
}

/// How a key is compared with a literal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Compatible,
    /// `literal in key`: the key's value contains the literal.
    Contains,
    /// `literal not in key`.
    ContainsNot,
    Equal,
    Greater,
    GreaterEqual,
    Identical,
    /// `key in literal`: the literal contains the key's value.
    In,
    Less,
    LessEqual,
    NotEqual,
    NotIn,
}

impl LockMarker {
    /// Makes a marker of a tree that [`Node::all`] and [`Node::any`] made.
    pub(crate) const fn new(node: Node) -> Self {
        Self { node }
    }

    pub(crate) const fn node(&self) -> &Node {
        &self.node
    }
}

impl Node {
    /// Returns the conjunction; none for no members.
    pub(crate) fn all(members: impl IntoIterator<Item = Self>) -> Option<Self> {
        let flat = members.into_iter().flat_map(|node| match node {
            Self::And(inner) => inner,
            other => vec![other],
        });
        let mut members: Vec<Self> = flat.collect();
        if members.len() < 2 { members.pop() } else { Some(Self::And(members)) }
    }

    /// Returns the disjunction; none for no members.
    pub(crate) fn any(members: impl IntoIterator<Item = Self>) -> Option<Self> {
        let flat = members.into_iter().flat_map(|node| match node {
            Self::Or(inner) => inner,
            other => vec![other],
        });
        let mut members: Vec<Self> = flat.collect();
        if members.len() < 2 { members.pop() } else { Some(Self::Or(members)) }
    }

    /// Returns how many comparisons there are.
    pub(crate) fn clauses(&self) -> usize {
        match self {
            Self::And(members) | Self::Or(members) => members.iter().map(Self::clauses).sum(),
            Self::Compare(_) | Self::Extra(..) | Self::Extras(..) | Self::Groups(..) => 1,
        }
    }
}

impl Comparison {
    /// Returns the key and the version that it is compared with, if it is compared with one.
    pub(crate) fn version_literal(&self) -> Option<(Key, Version)> {
        let version = self.literal.trim().trim_end_matches(".*").parse().ok()?;
        matches!(self.meaning, Meaning::Versions(_)).then_some((self.key, version))
    }
}

impl Key {
    pub(crate) const ALL: [Self; 11] = [
        Self::ImplementationName,
        Self::ImplementationVersion,
        Self::OsName,
        Self::PlatformMachine,
        Self::PlatformPythonImplementation,
        Self::PlatformRelease,
        Self::PlatformSystem,
        Self::PlatformVersion,
        Self::PythonFullVersion,
        Self::PythonVersion,
        Self::SysPlatform,
    ];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::ImplementationName => "implementation_name",
            Self::ImplementationVersion => "implementation_version",
            Self::OsName => "os_name",
            Self::PlatformMachine => "platform_machine",
            Self::PlatformPythonImplementation => "platform_python_implementation",
            Self::PlatformRelease => "platform_release",
            Self::PlatformSystem => "platform_system",
            Self::PlatformVersion => "platform_version",
            Self::PythonFullVersion => "python_full_version",
            Self::PythonVersion => "python_version",
            Self::SysPlatform => "sys_platform",
        }
    }

    /// Returns true where PEP 508 compares versions; a release or version of a kernel is one only sometimes.
    pub(crate) const fn is_version(self) -> bool {
        matches!(self, Self::ImplementationVersion | Self::PythonFullVersion | Self::PythonVersion)
    }
}

impl Operator {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Compatible => "~=",
            Self::Contains | Self::In => "in",
            Self::ContainsNot | Self::NotIn => "not in",
            Self::Equal => "==",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::Identical => "===",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::NotEqual => "!=",
        }
    }
}

impl FromStr for LockMarker {
    type Err = LockMarkerError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse::parse(text)
    }
}

impl fmt::Display for LockMarker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.node.fmt(f)
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::And(members) => write_joined(f, members, " and "),
            Self::Compare(comparison) => comparison.fmt(f),
            Self::Extra(Membership::Is, name) => write!(f, "extra == '{name}'"),
            Self::Extra(Membership::IsNot, name) => write!(f, "extra != '{name}'"),
            Self::Extras(membership, name) => write!(f, "'{name}' {} extras", membership.as_str()),
            Self::Groups(membership, name) => write!(f, "'{name}' {} dependency_groups", membership.as_str()),
            Self::Or(members) => write_joined(f, members, " or "),
        }
    }
}

impl Membership {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Is => "in",
            Self::IsNot => "not in",
        }
    }
}

/// Writes members with their sums and products in parentheses, so that nobody needs to know what binds tighter.
fn write_joined(f: &mut fmt::Formatter<'_>, members: &[Node], between: &str) -> fmt::Result {
    for (position, member) in members.iter().enumerate() {
        if position > 0 {
            f.write_str(between)?;
        }
        match member {
            Node::And(_) | Node::Or(_) => write!(f, "({member})")?,
            _ => write!(f, "{member}")?,
        }
    }
    Ok(())
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quote = if self.literal.contains('\'') { '"' } else { '\'' };
        let (key, operator, literal) = (self.key.as_str(), self.operator.as_str(), &self.literal);
        match self.operator {
            Operator::Contains | Operator::ContainsNot => write!(f, "{quote}{literal}{quote} {operator} {key}"),
            _ => write!(f, "{key} {operator} {quote}{literal}{quote}"),
        }
    }
}
