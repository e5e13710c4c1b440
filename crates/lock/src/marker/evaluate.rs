//! What a marker says about one interpreter.

use std::collections::BTreeSet;

use pinfold_packaging::{ExtraName, GroupName, MarkerEnvironment, Version};

use super::{Comparison, Key, LockMarker, Meaning, Membership, Node, Operator};

/// What a marker is asked about.
struct Question<'a> {
    environment: &'a MarkerEnvironment,
    python: &'a Version,
    extras: &'a BTreeSet<ExtraName>,
    groups: &'a BTreeSet<GroupName>,
}

impl LockMarker {
    /// Returns whether the marker holds for an interpreter and what was asked for.
    ///
    /// Of an environment that spans several Python releases the first one is taken. A kernel release or version that is
    /// not known is the empty text, as PEP 508 says.
    pub fn evaluate(
        &self,
        environment: &MarkerEnvironment,
        extras: &BTreeSet<ExtraName>,
        groups: &BTreeSet<GroupName>,
    ) -> bool {
        let python = &environment.python_full_version.at_least;
        holds(self.node(), &Question { environment, python, extras, groups })
    }
}

fn holds(node: &Node, question: &Question<'_>) -> bool {
    match node {
        Node::And(members) => members.iter().all(|member| holds(member, question)),
        Node::Compare(comparison) => comparison.holds(question),
        Node::Extra(membership, name) | Node::Extras(membership, name) => {
            question.extras.contains(name) == (*membership == Membership::Is)
        }
        Node::Groups(membership, name) => question.groups.contains(name) == (*membership == Membership::Is),
        Node::Or(members) => members.iter().any(|member| holds(member, question)),
    }
}

impl Comparison {
    fn holds(&self, question: &Question<'_>) -> bool {
        let value = text_of(self.key, question);
        match &self.meaning {
            Meaning::Release(comparison) => comparison.holds(&value),
            Meaning::Text => self.is_listed(question).unwrap_or_else(|| self.holds_of_text(&value)),
            Meaning::Versions(specifiers) => {
                version_of(self.key, question).is_some_and(|version| specifiers.contains(&version))
            }
        }
    }

    fn holds_of_text(&self, value: &str) -> bool {
        let literal = self.literal.as_str();
        match self.operator {
            Operator::Contains => value.contains(literal),
            Operator::ContainsNot => !value.contains(literal),
            // The specification gives texts no order: none is above or below another.
            Operator::Equal | Operator::GreaterEqual | Operator::LessEqual => value == literal,
            Operator::Greater | Operator::Less => false,
            Operator::Identical => value.eq_ignore_ascii_case(literal),
            Operator::In => literal.contains(value),
            Operator::NotEqual => value != literal,
            Operator::NotIn => !literal.contains(value),
            // Refused when it is read.
            Operator::Compatible => false,
        }
    }

    /// Looks a version up in a list of versions: `python_version in '3.9 3.10'`. As text, `3.1` would be in it too. None if it
    /// is no list of versions. A kernel's release is looked for as text: `'WSL' in platform_release`.
    fn is_listed(&self, question: &Question<'_>) -> Option<bool> {
        let wanted = match self.operator {
            Operator::In => true,
            Operator::NotIn => false,
            _ => return None,
        };
        let value = version_of(self.key, question)?;
        let mut parts = self.literal.split(' ').filter(|part| !part.is_empty()).peekable();
        parts.peek()?;
        let listed: Vec<bool> =
            parts.map(|part| Some(Self::specifiers(Operator::Equal, part)?.contains(&value))).collect::<Option<_>>()?;
        Some(listed.contains(&true) == wanted)
    }
}

/// Returns the value of a key that is a version.
fn version_of(key: Key, question: &Question<'_>) -> Option<Version> {
    match key {
        Key::PythonVersion => Some(question.environment.python_version.clone()),
        Key::ImplementationVersion | Key::PythonFullVersion => Some(question.python.clone()),
        _ => None,
    }
}

fn text_of(key: Key, question: &Question<'_>) -> String {
    let environment = question.environment;
    match key {
        Key::ImplementationName => environment.implementation_name.clone(),
        Key::ImplementationVersion | Key::PythonFullVersion => question.python.to_string(),
        Key::OsName => environment.os_name.clone(),
        Key::PlatformMachine => environment.platform_machine.clone(),
        Key::PlatformPythonImplementation => environment.platform_python_implementation.clone(),
        Key::PlatformRelease => environment.platform_release.clone().unwrap_or_default(),
        Key::PlatformSystem => environment.platform_system.clone(),
        Key::PlatformVersion => environment.platform_version.clone().unwrap_or_default(),
        Key::PythonVersion => environment.python_version.to_string(),
        Key::SysPlatform => environment.sys_platform.clone(),
    }
}
