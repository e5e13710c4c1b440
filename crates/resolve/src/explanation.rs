//! Why there is no solution, in short sentences, with hints.
//!
//! PubGrub's derivation is a graph in which each step rests on two others. It is written bottom up, each step once; steps
//! that only do for other versions what was done before are told as one. A hostile index can still make it huge, so the
//! middle of a long one is left out.

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::sync::Arc;

use pinfold_artifact::Limits;
use pinfold_packaging::{PackageName, Version};
use pubgrub::{DerivationTree, Derived, External};
use version_ranges::Ranges;

use crate::outcome::one_line;
use crate::run::{Never, Package, Run};

mod hints;
mod plain;
mod story;
mod words;

use hints::Hints;
use story::Story;
use words::Words;

/// Why there is no solution: sentences in order, each resting on those before it, then hints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    sentences: Vec<String>,
    hints: Vec<String>,
    unknown: BTreeSet<PackageName>,
    empty: BTreeSet<PackageName>,
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

    /// Returns the projects that are needed, do not exist, and have a name that is like none of those that do.
    pub const fn unknown(&self) -> &BTreeSet<PackageName> {
        &self.unknown
    }

    /// Returns the projects that are needed and whose pages name no file at all.
    pub const fn empty(&self) -> &BTreeSet<PackageName> {
        &self.empty
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

/// PubGrub's derivation.
pub(crate) type Tree = DerivationTree<Package, Ranges<Version>, Never>;
type Step = Derived<Package, Ranges<Version>, Never>;
type Fact = External<Package, Ranges<Version>, Never>;

/// An explanation, and where the target could be divided so that there might be a solution for a part.
pub(crate) struct Explained {
    pub(crate) explanation: Explanation,
    pub(crate) cuts: BTreeSet<Version>,
    /// Projects of which a requirement of a package could let in more.
    pub(crate) barred: BTreeSet<PackageName>,
}

/// Puts a derivation into words.
pub(crate) fn explain(run: &Run<'_, '_>, tree: Tree) -> Explained {
    let words = Words::new(run);
    let tree = plain::plain(&words, &Arc::new(tree));
    let order = Order::of(&tree);
    let mut hints = Hints::new(run);
    order.facts.iter().for_each(|(fact, role)| hints.read(fact, *role));
    let (unknown, empty, barred) = (hints.unknown(), hints.empty().clone(), hints.barred());
    let (hints, cuts) = hints.finish();
    let mut story = Story::new(&words);
    order.steps.iter().for_each(|step| story.tell(step));
    let mut sentences = story.finish();
    if let DerivationTree::External(fact) = &*tree {
        let text = words.fact(fact, Role::Needed);
        sentences.extend(text.map(|text| format!("Because {text}, there is no solution.")));
    }
    let room = Limits::EXPLANATION_LINES.saturating_sub(hints.len() + 1);
    if sentences.len() > room {
        let left_out = sentences.len() - room;
        sentences.splice(HEAD..HEAD + left_out, [format!("({left_out} sentences are left out.)")]);
    }
    let explanation = Explanation { sentences: sentences.into_iter().map(cut).collect(), hints, unknown, empty };
    Explained { explanation, cuts, barred }
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
    Explanation { sentences, hints, unknown: BTreeSet::new(), empty: BTreeSet::new() }
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
    /// A fact shows something about a package where nothing is said of the package any more.
    fn of(fact: &Fact, step: &Step) -> Self {
        match fact {
            External::NoVersions(package, _) if step.terms.keys().any(|own| own.project() == package.project()) => {
                Self::Filler
            }
            _ => Self::Needed,
        }
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
                    let role = |own: &Tree| match own {
                        DerivationTree::External(fact) => Role::of(fact, step),
                        DerivationTree::Derived(_) => Role::Needed,
                    };
                    let first = (&step.cause1, role(&step.cause1), false);
                    let second = (&step.cause2, role(&step.cause2), false);
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

/// Makes one line of a text and cuts it if it is overlong: names, specifiers and reasons come from outside.
fn cut(line: String) -> String {
    let line = one_line(&line);
    if line.chars().count() <= LINE_LETTERS {
        return line;
    }
    line.chars().take(LINE_LETTERS).chain(['…']).collect()
}

/// Sentences kept from the beginning of a long derivation.
const HEAD: usize = 20;
const LINE_LETTERS: usize = 600;
