//! What is said where there is no solution: the resolver's reasons and hints, and what only the shell knows beside them.
//!
//! A hint says what is there. It changes no verdict: a project may have no files, and a name that is like another may be meant.

use std::collections::{BTreeMap, BTreeSet};

use pinfold_fetch::{Freshness, PageReply};
use pinfold_lock::Lock;
use pinfold_packaging::{PackageName, PageFormat};
use pinfold_policy::names::{PopularNames, did_you_mean};
use pinfold_resolve::Explanation;

use super::desk::Unsolved;
use super::direct;
use super::indexes::Indexes;
use super::inputs::Inputs;
use super::source::Source;
use crate::exit::{Exit, Failure};

/// Says why there is no lock, in the manifest's own words.
pub(super) fn explained(unsolved: Unsolved, inputs: &Inputs, former: Option<&Lock>, source: &Source) -> Failure {
    let Unsolved::NoSolution(target, why) = &unsolved else { return no_solution(unsolved) };
    let own = own_neighbours(why.unknown(), inputs, former, source.indexes());
    let pages = why.empty().iter().filter_map(|name| linkless(name, source));
    let hints = own.into_iter().chain(pages).collect();
    let failure = failure_of(&target.to_string(), why, hints);
    inputs.in_own_words(direct::hint_elsewhere(inputs, target, failure))
}

/// Says why there is no solution.
pub(super) fn no_solution(unsolved: Unsolved) -> Failure {
    match unsolved {
        Unsolved::Failed(failure) | Unsolved::Refused(failure) => failure,
        Unsolved::NoSolution(target, why) => failure_of(&target.to_string(), &why, Vec::new()),
    }
}

fn failure_of(target: &str, why: &Explanation, own_hints: Vec<String>) -> Failure {
    let mut failure = Failure::new(Exit::No, format!("there is no solution for {target}"));
    failure.details.extend(why.sentences().iter().map(|sentence| ("why", sentence.clone())));
    let hints: Vec<String> =
        why.hints().iter().cloned().chain(own_hints).chain(popular_neighbours(why.unknown())).collect();
    if !hints.is_empty() {
        failure.help = Some(hints.join("\n"));
    }
    failure
}

/// Says which name of the requirements, of the former lock or of the routes may have been meant by one that no project has.
fn own_neighbours(
    unknown: &BTreeSet<PackageName>,
    inputs: &Inputs,
    former: Option<&Lock>,
    indexes: &Indexes,
) -> Vec<String> {
    let required =
        inputs.roots.iter().map(|root| &root.requirement).chain(&inputs.constraints).chain(&inputs.overrides);
    let required: BTreeSet<&PackageName> = required.map(|requirement| &requirement.name).collect();
    let locked: BTreeSet<&PackageName> =
        former.into_iter().flat_map(|lock| &lock.packages).map(|package| &package.name).collect();
    let routed: BTreeMap<&PackageName, &str> = indexes.routed().collect();
    // Any two names of one or two letters are alike.
    let comparable = |name: &&PackageName| name.as_str().len() > 2 && !unknown.contains(*name);
    let near = |name| {
        let all = required.iter().chain(&locked).chain(routed.keys()).copied().filter(comparable);
        let found = did_you_mean(name, all)?;
        let whose = match routed.get(found) {
            _ if required.contains(found) => "which the requirements name too".to_owned(),
            _ if locked.contains(found) => "which the former lock has".to_owned(),
            Some(index) => format!("which `packages` of the index `{index}` names"),
            None => return None,
        };
        Some(format!("did you mean `{found}`, {whose}, by `{name}`?"))
    };
    unknown.iter().filter(|name| name.as_str().len() > 2).filter_map(near).collect()
}

/// Says which popular project may have been meant by a name that no project has.
fn popular_neighbours(unknown: &BTreeSet<PackageName>) -> Vec<String> {
    if unknown.is_empty() {
        return Vec::new();
    }
    let popular = PopularNames::load();
    let neighbours = unknown.iter().filter_map(|name| popular.lookalike(name));
    neighbours
        .map(|found| format!("did you mean `{}`, which is popular, by `{}`?", found.popular, found.name))
        .collect()
}

/// Says of a page in HTML that it has no link to a file: a portal that wants a login answers so, and an index's page of a project
/// without files may look the same. What the index said is in the cache of pages.
fn linkless(name: &PackageName, source: &Source) -> Option<String> {
    let index = source.indexes().of(name).ok()?;
    let url = index.page_url(name).ok()?;
    let PageReply::Found(page) = source.fetcher()?.page(&index.origin(), &url, Freshness::Any).ok()? else {
        return None;
    };
    if PageFormat::from_content_type(&page.content_type) != Some(PageFormat::Html) {
        return None;
    }
    let url = page.url.without_query();
    Some(format!("the page of {name}, {url}, has no link to a file at all; it may not be the page of an index"))
}
