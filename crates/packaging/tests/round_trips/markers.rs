//! Markers: their algebra against evaluation over a grid of environments.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use pinfold_packaging::{
    ExtraName, Marker, MarkerEnvironment, MarkerTruth, PythonMinor, PythonSpan, System, Target, Version,
};
use proptest::prelude::*;

/// A marker in its parts.
#[derive(Debug, Clone)]
pub(crate) enum Tree {
    All(Vec<Tree>),
    Any(Vec<Tree>),
    Leaf(Leaf),
}

#[derive(Debug, Clone)]
pub(crate) struct Leaf {
    key: &'static str,
    operator: &'static str,
    value: &'static str,
    /// The value is written first.
    turned: bool,
}

const TEXTS: [(&str, &[&str]); 6] = [
    ("os_name", &["posix", "nt", "java"]),
    ("sys_platform", &["linux", "win32", "darwin", "lin"]),
    ("platform_machine", &["x86_64", "arm64", "AMD64", "aarch64"]),
    ("platform_system", &["Linux", "Windows", "Darwin"]),
    ("implementation_name", &["cpython", "pypy"]),
    ("platform_python_implementation", &["CPython", "PyPy"]),
];
const MINORS: [&str; 4] = ["3.8", "3.10", "3.11", "3.13"];
const FULLS: [&str; 4] = ["3.10.0", "3.10.4", "3.11.2", "3.13.1"];

fn leaf() -> impl Strategy<Value = Leaf> {
    let text = (prop::sample::select(TEXTS.to_vec()), any::<prop::sample::Index>(), any::<bool>(), 0..4usize).prop_map(
        |((key, values), value, turned, operator)| {
            let operator = ["==", "!=", "in", "not in"][operator];
            Leaf { key, operator, value: values[value.index(values.len())], turned }
        },
    );
    let version = (any::<bool>(), 0..4usize, 0..6usize, any::<bool>()).prop_map(|(full, value, operator, turned)| {
        let (key, values) = if full { ("python_full_version", FULLS) } else { ("python_version", MINORS) };
        Leaf { key, operator: ["==", "!=", "<", "<=", ">", ">="][operator], value: values[value], turned }
    });
    let extra = (any::<bool>(), prop::sample::select(vec!["x", "y"]), any::<bool>())
        .prop_map(|(is, value, turned)| Leaf { key: "extra", operator: if is { "==" } else { "!=" }, value, turned });
    prop_oneof![3 => text, 3 => version, 1 => extra]
}

pub(crate) fn tree() -> impl Strategy<Value = Tree> {
    leaf().prop_map(Tree::Leaf).prop_recursive(3, 10, 3, |inner| {
        (prop::collection::vec(inner, 2..4), any::<bool>())
            .prop_map(|(parts, all)| if all { Tree::All(parts) } else { Tree::Any(parts) })
    })
}

impl Leaf {
    fn text(&self) -> String {
        // `'x' in os_name` asks the other way round, so it is not the same leaf turned.
        let operator = match (self.turned, self.operator) {
            (true, "<") => ">",
            (true, "<=") => ">=",
            (true, ">") => "<",
            (true, ">=") => "<=",
            (_, operator) => operator,
        };
        if self.turned {
            format!("'{}' {operator} {}", self.value, self.key)
        } else {
            format!("{} {operator} \"{}\"", self.key, self.value)
        }
    }

    fn holds(&self, environment: &MarkerEnvironment, extras: &BTreeSet<ExtraName>) -> bool {
        if self.key == "extra" {
            return extras.contains(&self.value.parse::<ExtraName>().unwrap()) == (self.operator == "==");
        }
        if self.key.starts_with("python") {
            let own = if self.key == "python_version" {
                &environment.python_version
            } else {
                &environment.python_full_version.at_least
            };
            return compared(own.cmp(&self.value.parse::<Version>().unwrap()), self.operator);
        }
        let own = match self.key {
            "os_name" => &environment.os_name,
            "sys_platform" => &environment.sys_platform,
            "platform_machine" => &environment.platform_machine,
            "platform_system" => &environment.platform_system,
            "implementation_name" => &environment.implementation_name,
            _ => &environment.platform_python_implementation,
        };
        match (self.operator, self.turned) {
            ("==", _) => own == self.value,
            ("!=", _) => own != self.value,
            ("in", false) => self.value.contains(own.as_str()),
            ("in", true) => own.contains(self.value),
            (_, false) => !self.value.contains(own.as_str()),
            (_, true) => !own.contains(self.value),
        }
    }

    fn negated(&self) -> Self {
        let operator = match self.operator {
            "==" => "!=",
            "!=" => "==",
            "<" => ">=",
            "<=" => ">",
            ">" => "<=",
            ">=" => "<",
            "in" => "not in",
            _ => "in",
        };
        Self { operator, ..self.clone() }
    }
}

fn compared(order: std::cmp::Ordering, operator: &str) -> bool {
    match operator {
        "==" => order.is_eq(),
        "!=" => order.is_ne(),
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        _ => order.is_ge(),
    }
}

impl Tree {
    pub(crate) fn text(&self) -> String {
        let (parts, word) = match self {
            Self::Leaf(leaf) => return leaf.text(),
            Self::All(parts) => (parts, " and "),
            Self::Any(parts) => (parts, " or "),
        };
        let mut text = String::from("(");
        for (position, part) in parts.iter().enumerate() {
            write!(text, "{}{}", if position == 0 { "" } else { word }, part.text()).unwrap();
        }
        text + ")"
    }

    fn holds(&self, environment: &MarkerEnvironment, extras: &BTreeSet<ExtraName>) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(environment, extras)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(environment, extras)),
            Self::Leaf(leaf) => leaf.holds(environment, extras),
        }
    }

    /// By De Morgan.
    fn negated(&self) -> Self {
        match self {
            Self::All(parts) => Self::Any(parts.iter().map(Self::negated).collect()),
            Self::Any(parts) => Self::All(parts.iter().map(Self::negated).collect()),
            Self::Leaf(leaf) => Self::Leaf(leaf.negated()),
        }
    }
}

/// Every system, some interpreters of five minor versions, and which extras are wanted.
fn grid() -> Vec<(MarkerEnvironment, BTreeSet<ExtraName>)> {
    let extras: [&[&str]; 4] = [&[], &["x"], &["y"], &["x", "y"]];
    let mut grid = Vec::new();
    for system in System::KNOWN {
        for python in ["3.8.0", "3.10.0", "3.10.3", "3.10.4", "3.11.1", "3.11.2", "3.12.7", "3.13.2"] {
            let full: Version = python.parse().unwrap();
            let minor = PythonMinor::of(&full).unwrap();
            let mut environment = Target::new(system.parse().unwrap(), minor).marker_environment();
            environment.python_full_version = PythonSpan { at_least: full, below: None };
            for wanted in extras {
                let wanted = wanted.iter().map(|extra| extra.parse().unwrap()).collect();
                grid.push((environment.clone(), wanted));
            }
        }
    }
    grid
}

fn truth(marker: &Marker, environment: &MarkerEnvironment, extras: &BTreeSet<ExtraName>) -> bool {
    match marker.evaluate(environment, extras) {
        MarkerTruth::True => true,
        MarkerTruth::False => false,
        MarkerTruth::Divided(cuts) => panic!("one interpreter is divided at {cuts:?}"),
    }
}

fn read(tree: &Tree) -> Result<Marker, TestCaseError> {
    let text = tree.text();
    text.parse().map_err(|error| TestCaseError::fail(format!("{text}: {error}")))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_marker_means_what_its_parts_mean(first in tree(), second in tree()) {
        let all = Tree::All(vec![first.clone(), second.clone()]);
        let any = Tree::Any(vec![first.clone(), second.clone()]);
        let (a, b, both, either) = (read(&first)?, read(&second)?, read(&all)?, read(&any)?);
        let not = read(&first.negated())?;
        for (environment, extras) in grid() {
            let (x, y) = (first.holds(&environment, &extras), second.holds(&environment, &extras));
            let where_ = || format!("{} on {environment:?} with {extras:?}", first.text());
            prop_assert_eq!(truth(&a, &environment, &extras), x, "{}", where_());
            prop_assert_eq!(truth(&b, &environment, &extras), y);
            prop_assert_eq!(truth(&both, &environment, &extras), x && y);
            prop_assert_eq!(truth(&either, &environment, &extras), x || y);
            prop_assert_eq!(truth(&not, &environment, &extras), !x, "not {}", where_());
        }
    }

    #[test]
    fn a_marker_prints_as_it_reads(tree in tree()) {
        let marker = read(&tree)?;
        if marker.is_always() {
            return Ok(());
        }
        let printed = marker.to_string();
        let again: Marker = printed.parse().unwrap();
        prop_assert_eq!(&again, &marker, "{}", printed);
        prop_assert_eq!(again.to_string(), printed);
    }

    /// A span of patch releases is divided exactly where one interpreter's answer differs from the next's.
    #[test]
    fn a_target_is_divided_where_its_interpreters_differ(tree in tree(), system in prop::sample::select(System::KNOWN.to_vec())) {
        let marker = read(&tree)?;
        let target = Target::new(system.parse().unwrap(), "3.10".parse().unwrap());
        let environment = target.marker_environment();
        let none = BTreeSet::new();
        let at = |patch: u64| {
            let full = Version::from_release([3, 10, patch]);
            let exact = PythonSpan { at_least: full, below: None };
            tree.holds(&MarkerEnvironment { python_full_version: exact, ..environment.clone() }, &none)
        };
        let expected: BTreeSet<Version> =
            (1..12).filter(|patch| at(*patch) != at(patch - 1)).map(|patch| Version::from_release([3, 10, patch])).collect();
        match marker.evaluate(&environment, &none) {
            MarkerTruth::Divided(cuts) => prop_assert_eq!(cuts, expected, "{}", tree.text()),
            MarkerTruth::True => prop_assert!(expected.is_empty() && at(0), "{}", tree.text()),
            MarkerTruth::False => prop_assert!(expected.is_empty() && !at(0), "{}", tree.text()),
        }
    }
}
