//! Why there is no solution, in short sentences, with hints.
//!
//! PubGrub's derivation is a graph in which each step rests on two others. It is written bottom up, each step once; a
//! hostile index can make it huge, so the middle of a long one is left out.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use pinfold_artifact::Limits;
use pinfold_packaging::Version;
use pubgrub::{DerivationTree, Derived, External, Map, Term};
use version_ranges::Ranges;

use crate::run::{Never, Package, Run};

mod hints;
mod words;

use hints::Hints;
use words::Words;

/// Why there is no solution: sentences in order, each resting on those before it, then hints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    sentences: Vec<String>,
    hints: Vec<String>,
}

impl Explanation {
    /// Returns the derivation, conclusion last.
    pub fn sentences(&self) -> &[String] {
        &self.sentences
    }

    /// Returns what is in the way, and what could be written instead.
    pub fn hints(&self) -> &[String] {
        &self.hints
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.sentences.iter().cloned().chain(self.hints.iter().map(|hint| format!("hint: {hint}")));
        lines.enumerate().try_for_each(|(position, line)| {
            if position > 0 {
                f.write_str("\n")?;
            }
            f.write_str(&line)
        })
    }
}

type Tree = DerivationTree<Package, Ranges<Version>, Never>;
type Step = Derived<Package, Ranges<Version>, Never>;
type Fact = External<Package, Ranges<Version>, Never>;

/// An explanation, and where the target could be divided so that there might be a solution for a part.
pub(crate) struct Explained {
    pub(crate) explanation: Explanation,
    pub(crate) cuts: BTreeSet<Version>,
}

/// Puts a derivation into words.
pub(crate) fn explain(run: &Run<'_, '_>, tree: Tree) -> Explained {
    let words = Words::new(run);
    let tree = Arc::new(tree);
    let order = Order::of(&tree);
    let mut hints = Hints::new(run);
    order.facts.iter().for_each(|(fact, role)| hints.read(fact, *role));
    let (hints, cuts) = hints.finish();
    let room = Limits::EXPLANATION_LINES.saturating_sub(hints.len() + 1);
    let mut sentences = Vec::new();
    let skipped = order.steps.len().saturating_sub(room);
    let mut story = Story { words: &words, aliases: HashMap::new(), previous: None };
    let mut said = String::new();
    for (position, step) in order.steps.iter().enumerate() {
        if (HEAD..HEAD + skipped).contains(&position) {
            if position == HEAD {
                sentences.push(format!("({skipped} steps are left out.)"));
            }
            story.previous = None;
            continue;
        }
        let conclusion = conclusion(&words, &step.terms);
        if let Some(sentence) = story.sentence(step, &conclusion)
            && conclusion != said
        {
            sentences.push(sentence);
            said = conclusion;
        }
    }
    if let DerivationTree::External(fact) = &*tree {
        sentences.extend(words.fact(fact, Role::Needed).map(|text| format!("{}.", capital(&text))));
    }
    let explanation = Explanation { sentences: sentences.into_iter().map(cut).collect(), hints };
    Explained { explanation, cuts }
}

/// Explains that the search was given up.
pub(crate) fn explain_effort(run: &Run<'_, '_>) -> Explanation {
    let most = run.most_tried();
    let names: Vec<String> = most.iter().take(3).map(|(_, name)| format!("`{name}`")).collect();
    let tried = most.iter().take(3).map(|(count, name)| match count {
        1 => format!("One version of `{name}` was tried."),
        count => format!("{count} versions of `{name}` were tried."),
    });
    let sentences = tried.chain(["The search was given up: it took too many steps.".to_owned()]).collect();
    let hints = if names.is_empty() {
        Vec::new()
    } else {
        vec![format!("a narrower requirement or a constraint on {} makes the search shorter", names.join(", "))]
    };
    Explanation { sentences, hints }
}

/// The steps of a derivation, each after those that it rests on, and the facts at its ends; everything once.
struct Order<'t> {
    steps: Vec<&'t Step>,
    facts: Vec<(&'t Fact, Role)>,
}

/// What the fact that there is no version in a range does in a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// It widens what is said of some versions to all numbers that a version could have, which nobody needs to hear.
    Filler,
    /// It shows that a need cannot be met.
    Needed,
}

impl Role {
    fn of(fact: &Fact, other: &Tree) -> Self {
        let External::NoVersions(package, _) = fact else { return Self::Needed };
        let widens = match other {
            DerivationTree::External(External::FromDependencyOf(of, ..)) => of == package,
            DerivationTree::External(_) => false,
            DerivationTree::Derived(step) => {
                step.terms.get(package).is_some_and(|term| matches!(term, Term::Positive(_)))
            }
        };
        if widens { Self::Filler } else { Self::Needed }
    }
}

impl<'t> Order<'t> {
    /// Walks without recursion: a derivation can be as deep as the search was long.
    fn of(tree: &'t Arc<Tree>) -> Self {
        let mut order = Self { steps: Vec::new(), facts: Vec::new() };
        let mut seen: HashSet<*const Tree> = HashSet::new();
        let mut stack: Vec<(&'t Arc<Tree>, Role, bool)> = vec![(tree, Role::Needed, false)];
        while let Some((node, role, done)) = stack.pop() {
            match &**node {
                DerivationTree::Derived(step) if done => order.steps.push(step),
                _ if !seen.insert(Arc::as_ptr(node)) => {}
                DerivationTree::External(fact) => order.facts.push((fact, role)),
                DerivationTree::Derived(step) => {
                    stack.push((node, role, true));
                    let role = |own: &Tree, other: &Tree| match own {
                        DerivationTree::External(fact) => Role::of(fact, other),
                        DerivationTree::Derived(_) => Role::Needed,
                    };
                    let first = (&step.cause1, role(&step.cause1, &step.cause2), false);
                    let second = (&step.cause2, role(&step.cause2, &step.cause1), false);
                    // The deeper cause comes first, so that the other can be added to it with "and".
                    let (first, second) = match &**first.0 {
                        DerivationTree::External(_) => (second, first),
                        DerivationTree::Derived(_) => (first, second),
                    };
                    stack.push(second);
                    stack.push(first);
                }
            }
        }
        order
    }
}

/// What was said so far.
struct Story<'w, 'r, 'f> {
    words: &'w Words<'r, 'f>,
    /// Steps that only say a fact in other words, with the fact's words.
    aliases: HashMap<*const Step, String>,
    /// The step that the last sentence was about.
    previous: Option<*const Step>,
}

impl Story<'_, '_, '_> {
    /// Returns the sentence for a step; none if it only says a fact in other words.
    fn sentence(&mut self, step: &Step, conclusion: &str) -> Option<String> {
        let mut parts = Vec::new();
        let mut follows = false;
        let mut facts_only = true;
        for (cause, other) in [(&step.cause1, &step.cause2), (&step.cause2, &step.cause1)] {
            match &**cause {
                DerivationTree::External(fact) => {
                    parts.extend(self.words.fact(fact, Role::of(fact, other)).map(|text| (place(fact), text)));
                }
                DerivationTree::Derived(own) => {
                    facts_only = false;
                    let key = std::ptr::from_ref(own);
                    match self.aliases.get(&key) {
                        Some(alias) => parts.push((Place::Need, alias.clone())),
                        None if self.previous == Some(key) => follows = true,
                        None => parts.push((Place::Conclusion, self::conclusion(self.words, &own.terms))),
                    }
                }
            }
        }
        parts.sort();
        let mut parts: Vec<String> = parts.into_iter().map(|(_, text)| text).collect();
        parts.dedup();
        let key = std::ptr::from_ref(step);
        if facts_only
            && let [part] = &parts[..]
            && !step.terms.is_empty()
        {
            self.aliases.insert(key, part.clone());
            return None;
        }
        self.previous = Some(key);
        Some(match (follows, parts.is_empty()) {
            (_, true) => format!("So {conclusion}."),
            (true, false) => format!("And because {}, {conclusion}.", parts.join(" and ")),
            (false, false) => format!("Because {}, {conclusion}.", parts.join(" and ")),
        })
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

/// Says what a set of terms that cannot hold together means.
fn conclusion(words: &Words<'_, '_>, terms: &Map<Package, Term<Ranges<Version>>>) -> String {
    let mut terms: Vec<(&Package, &Term<Ranges<Version>>)> = terms.iter().collect();
    terms.sort_by_key(|(package, _)| *package);
    let root = terms.iter().any(|(package, _)| **package == Package::Root);
    terms.retain(|(package, _)| **package != Package::Root);
    match (&terms[..], root) {
        ([], _) => "there is no solution".to_owned(),
        ([(package, Term::Positive(range))], false) => {
            format!("{} cannot be used", words.versions(package, range).text)
        }
        ([(package, Term::Positive(range))], true) => {
            format!("{} with what you require", words.versions(package, range).unusable())
        }
        ([(package, Term::Negative(range))], _) => format!("{} is needed", words.versions(package, range).text),
        ([(first, Term::Positive(own)), (second, Term::Negative(other))], false)
        | ([(second, Term::Negative(other)), (first, Term::Positive(own))], false) => {
            let own = words.versions(first, own);
            format!("{} {} {}", own.text, own.verb("needs", "need"), words.versions(second, other).text)
        }
        (terms, _) => {
            let text = |(package, term): &(&Package, &Term<Ranges<Version>>)| match term {
                Term::Positive(range) => words.versions(package, range).text,
                Term::Negative(range) => format!("anything but {}", words.versions(package, range).text),
            };
            let texts: Vec<String> = terms.iter().map(text).collect();
            format!("{} exclude each other", texts.join(" and "))
        }
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
}

/// Cuts an overlong line: names and specifiers come from outside.
fn cut(line: String) -> String {
    if line.chars().count() <= LINE_LETTERS {
        return line;
    }
    line.chars().take(LINE_LETTERS).chain(['…']).collect()
}

/// Steps kept from the beginning of a long derivation.
const HEAD: usize = 20;
const LINE_LETTERS: usize = 600;
