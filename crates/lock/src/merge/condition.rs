//! The simplest markers that divide the targets of a lock into given classes.
//!
//! The classes of one project (this entry, that entry, none) are told apart by one decision tree over as few variables as
//! will do. Every test in it excludes its siblings for any value whatever, so the markers of two entries never hold
//! together: not on the lock's targets, and not on any other machine either.

use std::collections::{BTreeMap, BTreeSet};

use super::site::{Site, Sites};
use crate::marker::{Key, Node, Operator};

/// When a class applies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    /// On every target.
    Always,
    /// Where this holds.
    When(Node),
}

/// A variable that targets may differ in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dimension {
    Platform,
    Machine,
    Minor,
    Release,
}

/// Returns for each class of sites when it applies; a site without a class is none's. `classes` has one member per site.
///
/// None if a value cannot be written into a marker.
pub(super) fn conditions(sites: &Sites, classes: &[Option<usize>]) -> Option<BTreeMap<usize, Condition>> {
    if let Some(known) = sites.known.0.borrow().get(classes) {
        return known.clone();
    }
    let found = simplest(sites, classes);
    sites.known.0.borrow_mut().insert(classes.to_vec(), found.clone());
    found
}

fn simplest(sites: &Sites, classes: &[Option<usize>]) -> Option<BTreeMap<usize, Condition>> {
    let all: Vec<usize> = (0..classes.len()).collect();
    // Where it is not needed everywhere, each class takes a test at least.
    let least_possible = classes.iter().flatten().collect::<BTreeSet<_>>().len();
    let mut best: Option<(usize, BTreeMap<usize, Condition>)> = None;
    for dimensions in orders() {
        if best.as_ref().is_some_and(|(least, _)| *least <= least_possible) {
            break;
        }
        if !decides(sites, classes, &dimensions) {
            continue;
        }
        let mut found = BTreeMap::new();
        for (class, condition) in divide(sites, classes, &all, &dimensions)? {
            found.extend(class.map(|class| (class, condition)));
        }
        let cost = found.values().map(Condition::clauses).sum();
        if best.as_ref().is_none_or(|(least, _)| cost < *least) {
            best = Some((cost, found));
        }
    }
    best.map(|(_, found)| found)
}

/// Every sequence of variables, the fewest and most telling first.
fn orders() -> Vec<Vec<Dimension>> {
    use Dimension::{Machine, Minor, Platform, Release};
    let mut orders = vec![vec![], vec![Platform], vec![Machine], vec![Minor], vec![Release]];
    for python in [Minor, Release] {
        orders.extend([
            vec![Platform, Machine],
            vec![Platform, python],
            vec![Machine, python],
            vec![python, Platform],
            vec![python, Machine],
            vec![Machine, Platform],
        ]);
    }
    for python in [Minor, Release] {
        orders.extend([
            vec![Platform, Machine, python],
            vec![Platform, python, Machine],
            vec![python, Platform, Machine],
            vec![Machine, Platform, python],
            vec![Machine, python, Platform],
            vec![python, Machine, Platform],
        ]);
    }
    orders
}

/// Returns true if sites that agree in the variables are of one class.
fn decides(sites: &Sites, classes: &[Option<usize>], dimensions: &[Dimension]) -> bool {
    let mut seen = BTreeMap::new();
    sites.sites.iter().zip(classes).all(|(site, class)| {
        let values: Vec<Value<'_>> = dimensions.iter().map(|dimension| dimension.value(sites, site)).collect();
        *seen.entry(values).or_insert(*class) == *class
    })
}

/// What a site has in one variable.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Value<'a> {
    Text(&'a str),
    /// A position in the spans: the span itself, or the first of its minor version.
    Span(usize),
}

impl Dimension {
    fn value<'a>(self, sites: &'a Sites, site: &'a Site) -> Value<'a> {
        match self {
            Self::Platform => Value::Text(&site.sys_platform),
            Self::Machine => Value::Text(&site.platform_machine),
            Self::Minor => {
                let minor = &sites.spans[site.span].minor;
                let first = sites.spans.iter().position(|span| span.minor == *minor);
                Value::Span(first.unwrap_or(site.span))
            }
            Self::Release => Value::Span(site.span),
        }
    }
}

/// The values of a variable below which everything is alike, and what is below them.
struct Branch<'a> {
    below: BTreeMap<Option<usize>, Condition>,
    values: Vec<Value<'a>>,
}

/// Builds the tree below some sites.
fn divide(
    sites: &Sites,
    classes: &[Option<usize>],
    members: &[usize],
    dimensions: &[Dimension],
) -> Option<BTreeMap<Option<usize>, Condition>> {
    let Some((dimension, rest)) = dimensions.split_first() else {
        return Some(members.iter().map(|site| (classes[*site], Condition::Always)).collect());
    };
    let mut by_value: BTreeMap<Value<'_>, Vec<usize>> = BTreeMap::new();
    for site in members {
        by_value.entry(dimension.value(sites, &sites.sites[*site])).or_default().push(*site);
    }
    let all: Vec<Value<'_>> = by_value.keys().cloned().collect();
    // Values below which everything is alike share one test.
    let mut branches: Vec<Branch<'_>> = Vec::new();
    for (value, members) in by_value {
        let below = divide(sites, classes, &members, rest)?;
        match branches.iter_mut().find(|branch| branch.below == below) {
            Some(branch) => branch.values.push(value),
            None => branches.push(Branch { below, values: vec![value] }),
        }
    }
    if let [only] = &mut branches[..] {
        return Some(std::mem::take(&mut only.below));
    }
    let mut parts: BTreeMap<Option<usize>, Vec<Node>> = BTreeMap::new();
    for Branch { below, values } in branches {
        let test = test(sites, *dimension, &values, &all)?;
        for (class, condition) in below {
            let whole = match condition {
                Condition::Always => Some(test.clone()),
                Condition::When(node) => Node::all([test.clone(), node]),
            };
            parts.entry(class).or_default().extend(whole);
        }
    }
    parts.into_iter().map(|(class, nodes)| Some((class, Condition::When(Node::any(nodes)?)))).collect()
}

/// Returns the test that holds for `values` and not for the others of `all`.
fn test(sites: &Sites, dimension: Dimension, values: &[Value<'_>], all: &[Value<'_>]) -> Option<Node> {
    let others: Vec<&Value<'_>> = all.iter().filter(|value| !values.contains(value)).collect();
    match (values.len(), &others[..]) {
        (2.., [Value::Text(other)]) => return Node::comparing(dimension.key(), Operator::NotEqual, other),
        // At either end, one bound says it more plainly.
        (2.., [other @ Value::Span(span)])
            if dimension == Dimension::Minor && all.first() != Some(other) && all.last() != Some(other) =>
        {
            let minor = sites.spans[*span].minor.to_string();
            return Node::comparing(dimension.key(), Operator::NotEqual, &minor);
        }
        _ => {}
    }
    let mut parts = Vec::new();
    let mut position = 0;
    while position < all.len() {
        if !values.contains(&all[position]) {
            position += 1;
            continue;
        }
        let start = position;
        match &all[position] {
            Value::Text(text) => {
                parts.push(Node::comparing(dimension.key(), Operator::Equal, text)?);
                position += 1;
            }
            Value::Span(_) => {
                while position < all.len() && values.contains(&all[position]) {
                    position += 1;
                }
                parts.push(run(sites, dimension, start, position, all)?);
            }
        }
    }
    Node::any(parts)
}

/// Returns the test for consecutive spans, `all[start..end]`.
fn run(sites: &Sites, dimension: Dimension, start: usize, end: usize, all: &[Value<'_>]) -> Option<Node> {
    let span = |position: usize| match all.get(position) {
        Some(Value::Span(span)) => sites.spans.get(*span),
        _ => None,
    };
    if dimension == Dimension::Minor && end == start + 1 {
        return Node::comparing(Key::PythonVersion, Operator::Equal, &span(start)?.minor.to_string());
    }
    let mut bounds = Vec::new();
    // Where a minor version begins, its number is the bound: so its pre-releases fall on the right side too.
    let mut bound = |position: usize, operator: Operator| {
        let span = span(position)?;
        let (key, version) = match span.begins_minor() {
            true => (Key::PythonVersion, &span.minor),
            false => (Key::PythonFullVersion, &span.at_least),
        };
        bounds.push(Node::comparing(key, operator, &version.to_string())?);
        Some(())
    };
    if start > 0 {
        bound(start, Operator::GreaterEqual)?;
    }
    if end < all.len() {
        bound(end, Operator::Less)?;
    }
    Node::all(bounds)
}

impl Dimension {
    const fn key(self) -> Key {
        match self {
            Self::Platform => Key::SysPlatform,
            Self::Machine => Key::PlatformMachine,
            Self::Minor => Key::PythonVersion,
            Self::Release => Key::PythonFullVersion,
        }
    }
}

impl Condition {
    /// Returns how many comparisons there are.
    pub(super) fn clauses(&self) -> usize {
        match self {
            Self::Always => 0,
            Self::When(node) => node.clauses(),
        }
    }
}
