//! Why there is no solution, in short sentences, with hints.
//!
//! PubGrub's derivation is a graph in which each step rests on two others. It is written bottom up, each step once; a
//! hostile index can make it huge, so the middle of a long one is left out.

use std::collections::{BTreeSet, HashSet};
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
    order.facts.iter().for_each(|fact| hints.read(fact));
    let (hints, cuts) = hints.finish();
    let room = Limits::EXPLANATION_LINES.saturating_sub(hints.len() + 1);
    let mut sentences = Vec::new();
    let skipped = order.steps.len().saturating_sub(room);
    let mut previous = None;
    let mut said = String::new();
    for (position, step) in order.steps.iter().enumerate() {
        if (HEAD..HEAD + skipped).contains(&position) {
            if position == HEAD {
                sentences.push(format!("({skipped} steps are left out.)"));
            }
            previous = None;
            continue;
        }
        let conclusion = conclusion(&words, &step.terms);
        if conclusion != said {
            sentences.push(sentence(&words, step, previous, &conclusion));
            said = conclusion;
        }
        previous = Some(std::ptr::from_ref(*step));
    }
    if let DerivationTree::External(fact) = &*tree {
        sentences.extend(words.fact(fact).map(|text| format!("{}.", capital(&text))));
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
    facts: Vec<&'t Fact>,
}

impl<'t> Order<'t> {
    /// Walks without recursion: a derivation can be as deep as the search was long.
    fn of(tree: &'t Arc<Tree>) -> Self {
        let mut order = Self { steps: Vec::new(), facts: Vec::new() };
        let mut seen: HashSet<*const Tree> = HashSet::new();
        let mut stack: Vec<(&'t Arc<Tree>, bool)> = vec![(tree, false)];
        while let Some((node, done)) = stack.pop() {
            match &**node {
                DerivationTree::Derived(step) if done => order.steps.push(step),
                _ if !seen.insert(Arc::as_ptr(node)) => {}
                DerivationTree::External(fact) => order.facts.push(fact),
                DerivationTree::Derived(step) => {
                    stack.push((node, true));
                    // The deeper cause comes first, so that the other can be added to it with "and".
                    let (first, second) = match &*step.cause1 {
                        DerivationTree::External(_) => (&step.cause2, &step.cause1),
                        DerivationTree::Derived(_) => (&step.cause1, &step.cause2),
                    };
                    stack.push((second, false));
                    stack.push((first, false));
                }
            }
        }
        order
    }
}

/// Returns the sentence for one step.
fn sentence(words: &Words<'_, '_>, step: &Step, previous: Option<*const Step>, conclusion: &str) -> String {
    let mut parts = Vec::new();
    let mut follows = false;
    for cause in [&step.cause1, &step.cause2] {
        match &**cause {
            DerivationTree::External(fact) => parts.extend(words.fact(fact)),
            DerivationTree::Derived(own) if previous == Some(std::ptr::from_ref(own)) => follows = true,
            DerivationTree::Derived(own) => parts.push(self::conclusion(words, &own.terms)),
        }
    }
    parts.dedup();
    match (follows, parts.is_empty()) {
        (_, true) => format!("So {conclusion}."),
        (true, false) => format!("And because {}, {conclusion}.", parts.join(" and ")),
        (false, false) => format!("Because {}, {conclusion}.", parts.join(" and ")),
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
            format!("{} cannot be used with what you require", words.versions(package, range).text)
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
