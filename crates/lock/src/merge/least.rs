//! Markers of which no part can be left out.
//!
//! A decision tree says of every class of sites exactly where it is. That is more than the marker of an entry has to say: where
//! it holds in any case, it does not matter whether the test that asks for an extra holds too. So what must be said is written
//! out as questions (each site with each choice of extras and groups that matters), and each part of a marker goes that changes
//! no answer. Entries of one name must also exclude each other elsewhere: further questions stand for every other machine. It
//! deliberately does not look for the shortest of all markers: that takes exponential time, and seldom gives another one.

use std::collections::BTreeSet;

use pinfold_artifact::Limits;
use pinfold_packaging::{ExtraName, GroupName, MarkerEnvironment, PythonSpan, Target, Version};

use super::Reach;
use super::condition::{Condition, conditions};
use super::entry::{Class, joined};
use super::site::Sites;
use crate::LockMarker;
use crate::marker::Node;

/// What the markers of one project must say.
pub(super) struct Demand<'a> {
    pub(super) sites: &'a Sites,
    /// Of any target: only what sites differ in is looked at.
    pub(super) target: &'a Target,
    pub(super) classes: &'a [Class<'a>],
    /// One member per site; none where the project is not needed.
    pub(super) class_of_site: &'a [Option<usize>],
    /// How many entries there are.
    pub(super) entries: usize,
}

/// A class, and when it applies.
pub(super) type Case = (usize, Condition);

/// Returns a marker for each entry, given the cases of each: where it has several parts, none of them can be left out.
///
/// None if one cannot be written.
pub(super) fn least(demand: &Demand<'_>, cases: &[Vec<Case>]) -> Option<Vec<Node>> {
    // Several classes, so none of them always holds.
    let nodes: Vec<Node> = cases.iter().map(|own| joined(own, demand.classes)?).collect::<Option<_>>()?;
    if nodes.iter().any(|node| node.clauses() > Limits::LOCK_MARKER_CLAUSES) {
        return None;
    }
    let mut sheet = Sheet::new(demand);
    let answers: Vec<Vec<bool>> = nodes.iter().map(|node| sheet.answers(node)).collect();
    let mut plain = Markers { nodes, answers };
    let mut wide = plain.clone();
    wide.widen(demand, cases, &mut sheet);
    plain.shorten(&mut sheet);
    wide.shorten(&mut sheet);
    Some(if wide.clauses() < plain.clauses() { wide.nodes } else { plain.nodes })
}

/// The markers of a project's entries, and what each answers.
#[derive(Clone)]
struct Markers {
    nodes: Vec<Node>,
    answers: Vec<Vec<bool>>,
}

impl Markers {
    fn clauses(&self) -> usize {
        self.nodes.iter().map(Node::clauses).sum()
    }

    /// Lets each case hold as far as it may, where that takes no more comparisons.
    fn widen(&mut self, demand: &Demand<'_>, cases: &[Vec<Case>], sheet: &mut Sheet) {
        for (entry, cases) in cases.iter().enumerate() {
            let mut own = cases.clone();
            for (position, (class, condition)) in cases.iter().enumerate() {
                let wider = wider(demand, *class).filter(|wider| wider.clauses() <= condition.clauses());
                own[position].1 = wider.unwrap_or_else(|| condition.clone());
                let node = joined(&own, demand.classes).flatten();
                match node.and_then(|node| Some((sheet.right_answers(entry, &node, &self.answers)?, node))) {
                    Some((found, node)) => (self.answers[entry], self.nodes[entry]) = (found, node),
                    None => own[position].1 = condition.clone(),
                }
            }
        }
    }

    /// Leaves out what can be. What goes from one marker may make room in another.
    fn shorten(&mut self, sheet: &mut Sheet) {
        while (0..self.nodes.len()).any(|entry| self.shorten_one(entry, sheet)) {}
    }

    /// Leaves out of an entry's marker what can be; returns true if that was something.
    fn shorten_one(&mut self, entry: usize, sheet: &mut Sheet) -> bool {
        let before = parts(&self.nodes[entry]);
        // The first part is the whole. A part comes before those that it consists of, so as much as can be goes at once.
        let mut part = 1;
        while part < parts(&self.nodes[entry]) {
            let rest = without(&self.nodes[entry], &mut { part });
            match rest.and_then(|rest| Some((sheet.right_answers(entry, &rest, &self.answers)?, rest))) {
                Some((found, rest)) => (self.answers[entry], self.nodes[entry]) = (found, rest),
                None => part += 1,
            }
        }
        parts(&self.nodes[entry]) < before
    }
}

/// Returns when a class may apply: on its own sites, and on those where its entry is needed by this and more.
fn wider(demand: &Demand<'_>, class: usize) -> Option<Condition> {
    let own = &demand.classes[class];
    let is_covered = |other: &Class<'_>| other.entry == own.entry && covers(other.reach, own.reach);
    let may = |of_site: &Option<usize>| of_site.filter(|it| is_covered(&demand.classes[*it])).map(|_| class);
    let labels: Vec<Option<usize>> = demand.class_of_site.iter().map(may).collect();
    conditions(demand.sites, &labels)?.remove(&class)
}

/// Returns true if whatever makes `less` needed makes `more` needed too; none is always needed.
fn covers(more: Option<&Reach>, less: Option<&Reach>) -> bool {
    match (more, less) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(more), Some(less)) => more.extras.is_superset(&less.extras) && more.groups.is_superset(&less.groups),
    }
}

/// Returns how many sums, products and comparisons there are.
fn parts(node: &Node) -> usize {
    match node {
        Node::And(members) | Node::Or(members) => 1 + members.iter().map(parts).sum::<usize>(),
        Node::Compare(_) | Node::Extra(..) | Node::Extras(..) | Node::Groups(..) => 1,
    }
}

/// Returns what is left without the part before which there are `before` others; none if nothing is.
fn without(node: &Node, before: &mut usize) -> Option<Node> {
    if *before == 0 {
        *before = usize::MAX;
        return None;
    }
    *before -= 1;
    match node {
        Node::And(members) => Node::all(members.iter().filter_map(|member| without(member, before))),
        Node::Or(members) => Node::any(members.iter().filter_map(|member| without(member, before))),
        Node::Compare(_) | Node::Extra(..) | Node::Extras(..) | Node::Groups(..) => Some(node.clone()),
    }
}

/// Extras and groups that are asked for.
type Asked = (BTreeSet<ExtraName>, BTreeSet<GroupName>);

/// A machine and what is asked for on it.
struct Question {
    environment: MarkerEnvironment,
    asked: Asked,
    /// Which entry is needed; the outer none for a machine on which any may hold, but no two.
    wanted: Option<Option<usize>>,
}

/// Everything that the markers of a project are asked.
struct Sheet {
    questions: Vec<Question>,
    /// The answers of comparisons that were asked.
    known: Vec<(Node, Vec<bool>)>,
}

impl Sheet {
    fn new(demand: &Demand<'_>) -> Self {
        let reaches = demand.classes.iter().filter_map(|class| class.reach);
        let all = reaches.fold(Asked::default(), |(mut extras, mut groups), reach| {
            extras.extend(reach.extras.iter().cloned());
            groups.extend(reach.groups.iter().cloned());
            (extras, groups)
        });
        let mut questions = Vec::new();
        let like = demand.target.marker_environment();
        for (site, class) in demand.sites.sites.iter().zip(demand.class_of_site) {
            let span = &demand.sites.spans[site.span];
            let names = (site.sys_platform.as_str(), site.platform_machine.as_str());
            let environment = environment(&like, names, (&span.minor, &span.at_least));
            let class = class.map(|class| &demand.classes[class]);
            for (asked, needed) in choices(class, &all) {
                let wanted = Some(class.filter(|_| needed).map(|class| class.entry));
                questions.push(Question { environment: environment.clone(), asked, wanted });
            }
        }
        if demand.entries > 1 {
            // No marker asks that an extra is not wanted, so where all are wanted, most holds.
            let foreign = machines(demand).into_iter();
            questions.extend(foreign.map(|environment| Question { environment, asked: all.clone(), wanted: None }));
        }
        Self { questions, known: Vec::new() }
    }

    /// Returns the answers of a marker if an entry may have it.
    fn right_answers(&mut self, entry: usize, node: &Node, answers: &[Vec<bool>]) -> Option<Vec<bool>> {
        let own = self.answers(node);
        let others = answers.iter().enumerate().filter(|(other, _)| *other != entry);
        let is_taken = |question: usize| others.clone().any(|(_, answers)| answers[question]);
        let mut asked = self.questions.iter().zip(&own).enumerate();
        let is_right = asked.all(|(position, (question, holds))| match question.wanted {
            Some(wanted) => *holds == (wanted == Some(entry)),
            None => !holds || !is_taken(position),
        });
        is_right.then_some(own)
    }

    /// Returns whether a marker holds, for each question.
    fn answers(&mut self, node: &Node) -> Vec<bool> {
        let join = |mut one: Vec<bool>, other: Vec<bool>, with: fn(bool, bool) -> bool| {
            one.iter_mut().zip(other).for_each(|(one, other)| *one = with(*one, other));
            one
        };
        match node {
            Node::And(members) => {
                let all = vec![true; self.questions.len()];
                members.iter().fold(all, |all, member| join(all, self.answers(member), |one, other| one && other))
            }
            Node::Or(members) => {
                let any = vec![false; self.questions.len()];
                members.iter().fold(any, |any, member| join(any, self.answers(member), |one, other| one || other))
            }
            Node::Compare(_) | Node::Extra(..) | Node::Extras(..) | Node::Groups(..) => {
                if let Some((_, answers)) = self.known.iter().find(|(known, _)| known == node) {
                    return answers.clone();
                }
                let marker = LockMarker::new(node.clone());
                let answer = |Question { environment, asked: (extras, groups), .. }: &Question| {
                    marker.evaluate(environment, extras, groups)
                };
                let answers: Vec<bool> = self.questions.iter().map(answer).collect();
                self.known.push((node.clone(), answers.clone()));
                answers
            }
        }
    }
}

/// Returns what may be asked for that matters where a class is, and whether the class is needed then. Wanting more never makes
/// less hold: nothing, each that reaches the class, and all that do not stand for all others.
fn choices(class: Option<&Class<'_>>, (extras, groups): &Asked) -> Vec<(Asked, bool)> {
    let reach = match class {
        Some(Class { reach: Some(reach), .. }) => (*reach).clone(),
        Some(Class { reach: None, .. }) => return vec![(Asked::default(), true)],
        None => Reach::default(),
    };
    let rest = (extras - &reach.extras, groups - &reach.groups);
    let mut choices = vec![(rest, false)];
    choices.extend(reach.extras.into_iter().map(|extra| ((BTreeSet::from([extra]), BTreeSet::new()), true)));
    choices.extend(reach.groups.into_iter().map(|group| ((BTreeSet::new(), BTreeSet::from([group])), true)));
    choices
}

/// Returns machines that stand for all that there are: of systems and machines each that the lock has and one that it has not;
/// of Python releases those at which some target begins or ends, one before each, and one before all.
fn machines(demand: &Demand<'_>) -> Vec<MarkerEnvironment> {
    let Sites { spans, sites, .. } = demand.sites;
    let systems: BTreeSet<&str> = sites.iter().map(|site| site.sys_platform.as_str()).chain([""]).collect();
    let machines: BTreeSet<&str> = sites.iter().map(|site| site.platform_machine.as_str()).chain([""]).collect();
    let cuts: BTreeSet<&Version> = spans.iter().flat_map(|span| [&span.at_least, &span.below]).collect();
    let number = |cut: &Version, position: usize| cut.release().get(position).copied().unwrap_or_default();
    let mut texts = vec![("0.0".to_owned(), "0.0.0".to_owned())];
    for cut in cuts {
        let minor = format!("{}.{}", number(cut, 0), number(cut, 1));
        let patch = number(cut, 2);
        texts.extend(["", "rc1"].map(|suffix| (minor.clone(), format!("{minor}.{patch}{suffix}"))));
    }
    let pythons = texts.iter().filter_map(|(minor, full)| Some((minor.parse().ok()?, full.parse().ok()?)));
    let pythons: Vec<(Version, Version)> = pythons.collect();
    let mut all = Vec::with_capacity(systems.len() * machines.len() * pythons.len());
    let like = demand.target.marker_environment();
    for system in systems {
        for machine in &machines {
            let one = |(minor, full)| environment(&like, (system, machine), (minor, full));
            all.extend(pythons.iter().map(|(minor, full)| one((minor, full))));
        }
    }
    all
}

fn environment(
    like: &MarkerEnvironment,
    (system, machine): (&str, &str),
    (minor, full): (&Version, &Version),
) -> MarkerEnvironment {
    MarkerEnvironment {
        sys_platform: system.to_owned(),
        platform_machine: machine.to_owned(),
        python_version: minor.clone(),
        python_full_version: PythonSpan { at_least: full.clone(), below: None },
        ..like.clone()
    }
}
