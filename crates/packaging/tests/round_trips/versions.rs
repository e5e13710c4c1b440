//! Versions and specifiers.

use pinfold_packaging::{Specifiers, Version};
use proptest::prelude::*;

/// A version in its parts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Parts {
    epoch: u64,
    release: Vec<u64>,
    /// 0 to 2: alpha, beta, release candidate.
    pre: Option<(usize, u64)>,
    post: Option<u64>,
    dev: Option<u64>,
    local: Vec<Label>,
}

/// A part of a local version; a number is above every word.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Label {
    Word(String),
    Number(u64),
}

/// How a version is spelled.
#[derive(Debug, Clone)]
pub(crate) struct Spelling {
    v: bool,
    upper: bool,
    zeros: bool,
    separator: &'static str,
    pre: usize,
    post: &'static str,
}

const CANONICAL: Spelling = Spelling { v: false, upper: false, zeros: false, separator: "", pre: 0, post: ".post" };
/// The names of the three kinds of pre-releases.
const PRE: [[&str; 4]; 3] = [["a", "alpha", "a", "alpha"], ["b", "beta", "b", "beta"], ["rc", "c", "pre", "preview"]];

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![8 => 0..4u64, 2 => 0..30u64, 1 => 0..=99_999_999_999_999u64]
}

pub(crate) fn parts() -> impl Strategy<Value = Parts> {
    let seldom = |strategy: BoxedStrategy<u64>| prop::option::weighted(0.25, strategy);
    let label = prop_oneof![number().prop_map(Label::Number), "[a-z]{1,3}".prop_map(Label::Word)];
    (
        prop_oneof![6 => Just(0), 1 => 1..3u64],
        prop::collection::vec(number(), 1..4),
        prop::option::weighted(0.3, (0..3usize, number())),
        seldom(number().boxed()),
        seldom(number().boxed()),
        prop_oneof![3 => Just(Vec::new()), 1 => prop::collection::vec(label, 1..3)],
    )
        .prop_map(|(epoch, release, pre, post, dev, local)| Parts { epoch, release, pre, post, dev, local })
}

pub(crate) fn spelling() -> impl Strategy<Value = Spelling> {
    let separator = prop::sample::select(vec!["", ".", "-", "_"]);
    let post = prop::sample::select(vec![".post", "-post", "_post", "post", ".rev", "-r", ".r"]);
    (any::<bool>(), any::<bool>(), any::<bool>(), separator, 0..4usize, post)
        .prop_map(|(v, upper, zeros, separator, pre, post)| Spelling { v, upper, zeros, separator, pre, post })
}

impl Parts {
    pub(crate) fn canonical(&self) -> String {
        self.spelled(&CANONICAL)
    }

    pub(crate) fn has_local(&self) -> bool {
        !self.local.is_empty()
    }

    fn spelled(&self, spelling: &Spelling) -> String {
        let number = |number: u64| if spelling.zeros { format!("0{number}") } else { number.to_string() };
        let mut text = if spelling.v { "v".to_owned() } else { String::new() };
        if self.epoch > 0 {
            text += &format!("{}!", number(self.epoch));
        }
        text += &self.release.iter().map(|own| number(*own)).collect::<Vec<_>>().join(".");
        if let Some((kind, own)) = self.pre {
            text += &format!("{}{}{}", spelling.separator, PRE[kind][spelling.pre], number(own));
        }
        if let Some(own) = self.post {
            text += &format!("{}{}", spelling.post, number(own));
        }
        if let Some(own) = self.dev {
            let separator = if spelling.separator.is_empty() { "." } else { spelling.separator };
            text += &format!("{separator}dev{}", number(own));
        }
        let local: Vec<String> = self
            .local
            .iter()
            .map(|label| match label {
                Label::Word(word) => word.clone(),
                Label::Number(own) => number(*own),
            })
            .collect();
        if !local.is_empty() {
            text += &format!("+{}", local.join("."));
        }
        if spelling.upper { text.to_ascii_uppercase() } else { text }
    }

    /// The order of PEP 440, as a key of plain values.
    fn key(&self) -> impl Ord + std::fmt::Debug {
        let mut release = self.release.clone();
        while release.last() == Some(&0) {
            release.pop();
        }
        // A development release alone is before every pre-release; no pre-release is after all of them.
        let pre = match (self.pre, self.post, self.dev) {
            (Some((kind, own)), ..) => (1, kind, own),
            (None, None, Some(_)) => (0, 0, 0),
            (None, ..) => (2, 0, 0),
        };
        let dev = self.dev.map_or((1, 0), |own| (0, own));
        (self.epoch, release, pre, self.post.map_or((0, 0), |own| (1, own)), dev, self.local.clone())
    }
}

pub(crate) fn clause() -> impl Strategy<Value = String> {
    let sign = prop::sample::select(vec!["==", "!=", "<=", ">=", "<", ">", "~=", "==="]);
    (sign, parts(), any::<bool>(), prop::sample::select(vec!["", " ", "  "])).prop_map(|(sign, parts, star, blank)| {
        let plain = Parts { local: Vec::new(), ..parts.clone() };
        let release = Parts { pre: None, post: None, dev: None, ..plain.clone() };
        match sign {
            "==" | "!=" if star => format!("{sign}{blank}{}.*", release.canonical()),
            "==" | "!=" | "===" => format!("{sign}{blank}{}", parts.canonical()),
            "~=" => {
                let release = Parts { release: [&plain.release[..], &[0]].concat(), ..plain };
                format!("{sign}{blank}{}", release.canonical())
            }
            _ => format!("{sign}{blank}{}", plain.canonical()),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_version_has_one_print_and_many_spellings(parts in parts(), spelling in spelling()) {
        let canonical = parts.canonical();
        let version: Version = canonical.parse().unwrap();
        prop_assert_eq!(version.to_string(), canonical.clone());
        let spelled = parts.spelled(&spelling);
        let other: Version = spelled.parse().map_err(|error| TestCaseError::fail(format!("{spelled}: {error}")))?;
        prop_assert_eq!(&other, &version, "{}", spelled);
        prop_assert_eq!(other.to_string(), canonical, "{}", spelled);
    }

    #[test]
    fn versions_are_ordered_as_pep_440_says(a in parts(), b in parts()) {
        let read = |parts: &Parts| parts.canonical().parse::<Version>().unwrap();
        prop_assert_eq!(read(&a).cmp(&read(&b)), a.key().cmp(&b.key()), "{} {}", a.canonical(), b.canonical());
        prop_assert_eq!(read(&a).is_local(), a.has_local());
        prop_assert_eq!(read(&a).is_prerelease(), a.pre.is_some() || a.dev.is_some());
    }

    #[test]
    fn specifiers_print_as_they_read(clauses in prop::collection::vec(clause(), 0..4), candidates in prop::collection::vec(parts(), 6)) {
        let text = clauses.join(" , ");
        let specifiers: Specifiers = text.parse().map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
        let printed = specifiers.to_string();
        let again: Specifiers = printed.parse().unwrap();
        prop_assert_eq!(&again, &specifiers, "{} {}", text, printed);
        prop_assert_eq!(again.to_string(), printed);
        prop_assert_eq!(specifiers.is_any(), clauses.is_empty());
        let ranges = specifiers.ranges();
        for candidate in candidates {
            let version: Version = candidate.canonical().parse().unwrap();
            let each = clauses.iter().all(|clause| clause.parse::<Specifiers>().unwrap().contains(&version));
            prop_assert_eq!(specifiers.contains(&version), each, "{} contains {}", text, version);
            prop_assert_eq!(ranges.contains(&version), each, "ranges of {} contain {}", text, version);
        }
    }
}
