//! Facts: what is asked, and what is asked ahead.

use std::sync::Arc;

use pinfold_packaging::Metadata;
use pinfold_resolve::{Facts, FileKey, Outcome, ProjectFacts, Question, best_candidate, best_candidates, resolve};

use crate::universe::{Universe, brief, name, origin, problem};

fn asked(outcome: Outcome) -> Vec<String> {
    let Outcome::Need(need) = outcome else { panic!("{outcome:?}") };
    let text = |question: &Question| match question {
        Question::Metadata { file, .. } => file.filename.to_string(),
        Question::Page(name) => name.to_string(),
    };
    need.questions.iter().map(text).collect()
}

#[test]
fn asks_for_every_page_at_once_then_for_metadata() {
    let universe = Universe::new("a 1.0 -> c | d\nb 1.0\nb 2.0\nc 1.0\nd 1.0");
    let problem = problem("a\nb");
    let mut facts = Facts::new();
    let mut rounds = Vec::new();
    loop {
        match resolve(&problem, &facts) {
            Outcome::Need(need) => {
                need.questions.iter().for_each(|question| universe.answer(question, &mut facts));
                rounds.push(asked(Outcome::Need(need)).join(" "));
            }
            other => break assert!(matches!(other, Outcome::Solved(_))),
        }
    }
    assert_eq!(
        rounds,
        [
            "a b",
            "a-1.0-py3-none-any.whl b-2.0-py3-none-any.whl",
            "c d",
            "c-1.0-py3-none-any.whl d-1.0-py3-none-any.whl"
        ]
    );
}

/// Of METADATA that was kept, what only extras need is read when one is wanted; should that be impossible, nothing is left out.
#[test]
fn what_extras_need_is_missed_only_where_an_extra_is_wanted() {
    let universe = Universe::new("a 1.0 extras=x\nb 1.0");
    let mut facts = universe.facts(false);
    let head = "Metadata-Version: 2.1\nName: a\nVersion: 1.0\n";
    let files = &universe.pages[&name("a")].files;
    let mut keep = |rest: &str| {
        let kept = format!("{head}\n{head}{rest}");
        let metadata = Metadata::parse_kept(&kept.into_bytes().into()).unwrap();
        facts.add_metadata(FileKey::of(&files[0]), Arc::new(metadata));
        (brief(&resolve(&problem("a"), &facts)), brief(&resolve(&problem("a[x]"), &facts)))
    };
    let (plain, wanted) = keep("Requires-Dist: b; extra == 'x'\nProvides-Extra: x\n");
    assert_eq!((plain.as_str(), wanted.as_str()), ("a 1.0", "a 1.0, b 1.0"));
    let (plain, wanted) = keep("Requires-Dist: b==2004d; extra == 'x'\n");
    assert_eq!((plain.as_str(), wanted.as_str()), ("a 1.0", "refused bad-metadata"));
}

#[test]
fn a_page_and_metadata_are_asked_in_one_round_where_both_are_missing() {
    let universe = Universe::new("a 1.0\nb 1.0");
    let mut facts = Facts::new();
    universe.answer(&Question::Page(name("a")), &mut facts);
    assert_eq!(asked(resolve(&problem("a\nb"), &facts)), ["b", "a-1.0-py3-none-any.whl"]);
}

#[test]
fn crawls_ahead_with_the_best_candidate() {
    let universe = Universe::new("a 1.0\na 2.0\na 3.0rc1\na 2.5 yanked\na 2.6 wheel=cp310-cp310-win_amd64\nb 1.0");
    let mut facts = Facts::new();
    for name in ["a", "b"].map(name) {
        facts.add_page(name.clone(), ProjectFacts::new(origin(), universe.pages[&name].clone()));
    }
    let best = |problem_text: &str| match best_candidate(&problem(problem_text), &facts, &name("a")) {
        Some(Question::Metadata { version, .. }) => version.to_string(),
        other => format!("{other:?}"),
    };
    assert_eq!(best("b"), "2.0");
    assert_eq!(best("a<2"), "1.0");
    assert_eq!(best("b\nconstraint: a<2"), "1.0");
    assert_eq!(best("b\nprefer: a 1.0"), "1.0");
    assert_eq!(best("a==2.5"), "2.5");
    assert_eq!(best("b\nstrategy: lowest"), "1.0");
    assert_eq!(best("a>5"), "None");
    let names = ["a", "b", "unknown"].map(name);
    assert_eq!(best_candidates(&problem("a"), &facts, &names).len(), 2);
}
