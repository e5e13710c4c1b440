//! PEP 508 markers as trees, and what they say of one interpreter: the oracle's own reading of them.

use std::fmt;

use proptest::prelude::*;

/// One interpreter on one system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) sys_platform: &'static str,
    pub(crate) os_name: &'static str,
    pub(crate) platform_system: &'static str,
    pub(crate) platform_machine: &'static str,
    /// Of Python 3.
    pub(crate) minor: u64,
    pub(crate) patch: u64,
}

/// A marker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Marker {
    All(Vec<Self>),
    Any(Vec<Self>),
    Test(Test),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Test {
    key: &'static str,
    sign: &'static str,
    value: &'static str,
    /// The value is written first.
    turned: bool,
}

const TEXTS: [(&str, &[&str]); 6] = [
    ("sys_platform", &["linux", "win32", "darwin", "in"]),
    ("os_name", &["posix", "nt"]),
    ("platform_system", &["Linux", "Windows", "Darwin"]),
    ("platform_machine", &["x86_64", "AMD64", "arm64"]),
    ("implementation_name", &["cpython", "pypy"]),
    ("platform_python_implementation", &["CPython", "PyPy"]),
];
const ORDERS: [&str; 6] = ["<", "<=", "==", "!=", ">=", ">"];

/// Which keys a marker may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keys {
    /// Those of the whole target.
    OfTarget,
    /// These, and extras.
    OfTargetAndExtras,
}

fn test(keys: Keys) -> impl Strategy<Value = Test> {
    let text = (0..TEXTS.len(), any::<prop::sample::Index>(), 0..4usize, any::<bool>()).prop_map(
        |(key, value, sign, turned)| {
            let (key, values) = TEXTS[key];
            let sign = ["==", "!=", "in", "not in"][sign];
            Test { key, sign, value: values[value.index(values.len())], turned }
        },
    );
    let version = |key, values: &'static [&'static str]| {
        (prop::sample::select(values), prop::sample::select(&ORDERS[..]), any::<bool>())
            .prop_map(move |(value, sign, turned)| Test { key, sign, value, turned })
    };
    let extra = (prop::sample::select(vec!["x", "y", "z"]), prop::bool::weighted(0.8), any::<bool>())
        .prop_map(|(value, is, turned)| Test { key: "extra", sign: if is { "==" } else { "!=" }, value, turned });
    let extras = if keys == Keys::OfTarget { 0 } else { 20 };
    prop_oneof![
        10 => text, 6 => version("python_version", &["3.9", "3.10", "3.11"]),
        1 => version("python_full_version", &["3.10.4", "3.10.8", "3.11.4"]), extras => extra,
    ]
}

pub(crate) fn marker(keys: Keys) -> impl Strategy<Value = Marker> {
    let leaf = || test(keys).prop_map(Marker::Test);
    let pair = (prop::collection::vec(leaf(), 2..4), any::<bool>()).prop_map(|(members, all)| joined(members, all));
    let deep = (prop::collection::vec(leaf(), 2..3), leaf(), any::<bool>())
        .prop_map(|(members, last, all)| joined(vec![joined(members, !all), last], all));
    prop_oneof![5 => leaf(), 2 => pair, 1 => deep]
}

const fn joined(members: Vec<Marker>, all: bool) -> Marker {
    if all { Marker::All(members) } else { Marker::Any(members) }
}

impl Marker {
    /// Returns the marker that holds on one system.
    pub(crate) const fn platform(value: &'static str) -> Self {
        Self::Test(Test { key: "sys_platform", sign: "==", value, turned: false })
    }

    /// Returns true if it holds where this extra is wanted, or none.
    pub(crate) fn holds(&self, place: &Place, extra: Option<&str>) -> bool {
        match self {
            Self::All(members) => members.iter().all(|member| member.holds(place, extra)),
            Self::Any(members) => members.iter().any(|member| member.holds(place, extra)),
            Self::Test(test) => test.holds(place, extra),
        }
    }

    /// Returns true if it tells patch releases of one Python apart.
    pub(crate) fn divides(&self) -> bool {
        match self {
            Self::All(members) | Self::Any(members) => members.iter().any(Self::divides),
            Self::Test(test) => test.key == "python_full_version",
        }
    }
}

impl Test {
    fn holds(&self, place: &Place, extra: Option<&str>) -> bool {
        let text = match self.key {
            "extra" => return (extra == Some(self.value)) == (self.sign == "=="),
            "implementation_name" => "cpython",
            "os_name" => place.os_name,
            "platform_machine" => place.platform_machine,
            "platform_python_implementation" => "CPython",
            "platform_system" => place.platform_system,
            "python_full_version" => return self.compares(&[3, place.minor, place.patch]),
            "python_version" => return self.compares(&[3, place.minor]),
            "sys_platform" => place.sys_platform,
            other => panic!("no key: {other}"),
        };
        let (left, right) = if self.turned { (self.value, text) } else { (text, self.value) };
        match self.sign {
            "==" => left == right,
            "!=" => left != right,
            "in" => right.contains(left),
            _ => !right.contains(left),
        }
    }

    fn compares(&self, found: &[u64]) -> bool {
        let numbers: Vec<u64> = self.value.split('.').map(|number| number.parse().unwrap()).collect();
        let order = if self.turned { numbers[..].cmp(found) } else { found.cmp(&numbers[..]) };
        match self.sign {
            "<" => order.is_lt(),
            "<=" => order.is_le(),
            "==" => order.is_eq(),
            "!=" => order.is_ne(),
            ">=" => order.is_ge(),
            _ => order.is_gt(),
        }
    }
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (members, between) = match self {
            Self::All(members) => (members, " and "),
            Self::Any(members) => (members, " or "),
            Self::Test(Test { key, sign, value, turned: false }) => return write!(f, "{key} {sign} '{value}'"),
            Self::Test(Test { key, sign, value, turned: true }) => return write!(f, "'{value}' {sign} {key}"),
        };
        for (position, member) in members.iter().enumerate() {
            f.write_str(if position > 0 { between } else { "" })?;
            if matches!(member, Self::Test(_)) { write!(f, "{member}")? } else { write!(f, "({member})")? }
        }
        Ok(())
    }
}
