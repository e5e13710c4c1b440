//! The steps of a derivation as sentences, in order, none twice.
//!
//! Most of a long derivation repeats itself: what rules out one version of a project rules out the next, in as many steps.
//! A step is of the same kind as an earlier one if it speaks of the same packages in the same way; a row of such steps is
//! told by its last conclusion.

use std::collections::{HashMap, HashSet};

use pinfold_packaging::Version;
use pubgrub::{DerivationTree, External, Map, Term};
use version_ranges::Ranges;

use super::words::{Sets, Subject, Words, list};
use super::{Fact, Role, Step};
use crate::run::Package;

/// What was said so far.
pub(super) struct Story<'w, 'r, 'f, 't> {
    words: &'w Words<'r, 'f>,
    sentences: Vec<String>,
    /// Steps that only say a fact in other words, with the fact's words.
    aliases: HashMap<*const Step, String>,
    /// The step that the last sentence was about.
    previous: Option<*const Step>,
    /// What was concluded, of which versions, and what by the last sentence.
    conclusions: HashSet<(String, Sets)>,
    last: String,
    /// Why, beside the sentence before that one, and whether it rests on that; none if it was told otherwise.
    reasons: Option<(Vec<String>, bool)>,
    /// Of which kinds the steps so far were.
    kinds: HashSet<String>,
    /// Steps of known kinds that were not told yet, and the last of them with its conclusion.
    row: Option<(usize, &'t Step, String)>,
}

impl<'w, 'r, 'f, 't> Story<'w, 'r, 'f, 't> {
    pub(super) fn new(words: &'w Words<'r, 'f>) -> Self {
        Self {
            words,
            sentences: Vec::new(),
            aliases: HashMap::new(),
            previous: None,
            conclusions: HashSet::new(),
            last: String::new(),
            reasons: None,
            kinds: HashSet::new(),
            row: None,
        }
    }

    /// Tells a step, unless it says what was said.
    pub(super) fn tell(&mut self, step: &'t Step) {
        let conclusion = conclusion(self.words, &step.terms);
        let key = std::ptr::from_ref(step);
        if let Some(text) = self.other_words(step) {
            self.aliases.insert(key, text);
            return;
        }
        if !self.conclusions.insert((conclusion.clone(), self.words.sets(&step.terms))) {
            self.follow(step, &conclusion);
            return;
        }
        if !self.kinds.insert(kind(step)) && !step.terms.is_empty() {
            let count = self.row.take().map_or(1, |(count, ..)| count + 1);
            self.row = Some((count, step, conclusion));
            return;
        }
        self.end_row();
        self.say(step, conclusion);
    }

    fn say(&mut self, step: &Step, conclusion: String) {
        let (parts, mut follows) = self.parts(step);
        // What follows from a sentence for the same reasons is the one thing to say.
        if let Some((same, followed)) = self.reasons.take()
            && follows
            && same == parts
        {
            self.sentences.pop();
            follows = followed;
        }
        self.sentences.push(match (follows, parts.is_empty()) {
            (_, true) => format!("So {conclusion}."),
            (true, false) => format!("And because {}, {conclusion}.", parts.join(" and ")),
            (false, false) => format!("Because {}, {conclusion}.", parts.join(" and ")),
        });
        self.previous = Some(std::ptr::from_ref(step));
        self.last = conclusion;
        self.reasons = (!parts.is_empty()).then_some((parts, follows));
    }

    /// Returns the sentences.
    pub(super) fn finish(mut self) -> Vec<String> {
        self.end_row();
        self.sentences
    }

    fn end_row(&mut self) {
        match self.row.take() {
            None => {}
            Some((1, step, conclusion)) => self.say(step, conclusion),
            Some((count, step, conclusion)) => {
                self.sentences.push(format!("Likewise, in {count} steps, {conclusion}."));
                self.reasons = None;
                self.previous = Some(std::ptr::from_ref(step));
                self.last = conclusion;
            }
        }
    }

    /// Takes a step for the one before, if that concluded the same.
    fn follow(&mut self, step: &'t Step, conclusion: &str) {
        match &mut self.row {
            Some((_, last, said)) if said == conclusion => *last = step,
            Some(_) => {}
            None if self.last == conclusion => self.previous = Some(std::ptr::from_ref(step)),
            None => {}
        }
    }

    /// Returns the words of a fact, for a step that says nothing more.
    fn other_words(&self, step: &Step) -> Option<String> {
        let mut texts = Vec::new();
        for cause in [&step.cause1, &step.cause2] {
            match &**cause {
                DerivationTree::External(fact) => texts.extend(self.words.fact(fact, Role::of(fact, step))),
                DerivationTree::Derived(own) => texts.push(self.aliases.get(&std::ptr::from_ref(own))?.clone()),
            }
        }
        (texts.len() == 1 && !step.terms.is_empty()).then(|| texts.pop()).flatten()
    }

    /// Returns what a step rests on beside the last sentence, and whether it rests on that.
    fn parts(&self, step: &Step) -> (Vec<String>, bool) {
        let mut parts = Vec::new();
        let mut follows = false;
        for cause in [&step.cause1, &step.cause2] {
            match &**cause {
                DerivationTree::External(fact) => {
                    parts.extend(self.words.fact(fact, Role::of(fact, step)).map(|text| (place(fact), text)));
                }
                DerivationTree::Derived(own) => {
                    let key = std::ptr::from_ref(own);
                    match self.aliases.get(&key) {
                        Some(alias) => parts.push((Place::Need, alias.clone())),
                        None if self.previous == Some(key) => follows = true,
                        None => parts.push((Place::Conclusion, conclusion(self.words, &own.terms))),
                    }
                }
            }
        }
        parts.sort();
        let mut parts: Vec<String> = parts.into_iter().map(|(_, text)| text).collect();
        parts.dedup();
        (parts, follows)
    }
}

/// Where a fact stands in a sentence: what the maintainer wrote comes first, what is missing last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Written,
    Need,
    Conclusion,
    Lack,
}

const fn place(fact: &Fact) -> Place {
    match fact {
        External::FromDependencyOf(Package::Root, ..) => Place::Written,
        External::NoVersions(..) => Place::Lack,
        External::Custom(..) | External::FromDependencyOf(..) | External::NotRoot(..) => Place::Need,
    }
}

/// Names the packages that a step speaks of, and how, without their versions.
fn kind(step: &Step) -> String {
    let mut causes = [&step.cause1, &step.cause2].map(|cause| match &**cause {
        DerivationTree::External(External::FromDependencyOf(of, _, on, _)) => format!("{of} needs {on}"),
        DerivationTree::External(External::NoVersions(package, _)) => format!("no {package}"),
        DerivationTree::External(_) => String::new(),
        DerivationTree::Derived(own) => signs(&own.terms),
    });
    causes.sort();
    format!("{}: {}", causes.join(", "), signs(&step.terms))
}

fn signs(terms: &Map<Package, Term<Ranges<Version>>>) -> String {
    let sign = |(package, term): (&Package, &Term<Ranges<Version>>)| match term {
        Term::Positive(_) => format!("+{package}"),
        Term::Negative(_) => format!("-{package}"),
    };
    let mut signs: Vec<String> = terms.iter().map(sign).collect();
    signs.sort();
    signs.join(" ")
}

/// Says what a set of terms that cannot hold together means.
fn conclusion(words: &Words<'_, '_>, terms: &Map<Package, Term<Ranges<Version>>>) -> String {
    let mut terms: Vec<(&Package, &Term<Ranges<Version>>)> = terms.iter().collect();
    terms.sort_by_key(|(package, _)| *package);
    let root = terms.iter().any(|(package, _)| **package == Package::Root);
    terms.retain(|(package, _)| **package != Package::Root);
    match (&terms[..], root) {
        ([], _) => "there is no solution".to_owned(),
        ([(package, Term::Positive(range))], false) => words.versions(package, range).unusable(),
        ([(package, Term::Positive(range))], true) => {
            format!("{} with what you require", words.versions(package, range).unusable())
        }
        ([(package, Term::Negative(range))], _) => words.versions(package, range).needed(),
        ([(first, Term::Positive(own)), (second, Term::Negative(other))], _)
        | ([(second, Term::Negative(other)), (first, Term::Positive(own))], _) => {
            words.versions(first, own).needs(&words.versions(second, other))
        }
        ([(first, Term::Positive(own)), (second, Term::Positive(other))], _) => {
            together(&words.versions(first, own), &words.versions(second, other))
        }
        (terms, _) => several(words, terms),
    }
}

/// Says what more than two terms mean: some versions cannot be used together, or together they need others.
fn several(words: &Words<'_, '_>, terms: &[(&Package, &Term<Ranges<Version>>)]) -> String {
    let (mut used, mut needed) = (Vec::new(), Vec::new());
    for (package, term) in terms {
        match term {
            Term::Positive(range) => used.push(words.versions(package, range)),
            Term::Negative(range) => needed.push(words.versions(package, range)),
        }
    }
    let choices = needed.iter().map(Subject::choice).collect::<Vec<_>>().join(" or ");
    let all = list(&used.iter().map(|subject| subject.text.clone()).collect::<Vec<_>>());
    match (&used[..], needed.is_empty()) {
        ([], _) => format!("{choices} is needed"),
        (_, true) => format!("{all} cannot be used together"),
        ([one], false) => format!("{all} {} {choices}", one.verb("needs", "need")),
        (_, false) => format!("{all} together need {choices}"),
    }
}

fn together(first: &Subject, second: &Subject) -> String {
    match (first.label(), second.label()) {
        (Some(label), _) => format!("{} cannot be used with any version of {label}", second.text),
        (None, Some(label)) => format!("{} cannot be used with any version of {label}", first.text),
        (None, None) => format!("{} and {} cannot be used together", first.text, second.text),
    }
}
