//! PubGrub over facts already known; otherwise says which facts it needs.
//!
//! [`resolve`] takes a [`Problem`] (what one target asks for) and [`Facts`] (pages and metadata that somebody fetched) and
//! returns an [`Outcome`]. It is pure: no network, disk or clock, and the same problem and facts give the same outcome in
//! whatever order the facts arrived. A run that lacks a fact is thrown away whole and only its questions are kept, so a
//! missing fact can never become a false "no solution". Nothing here fetches, retries, or writes a lock.
//!
//! | module | holds |
//! | --- | --- |
//! | `problem` | what is asked, for one target |
//! | `facts` | what is known: pages, absent projects, metadata |
//! | `outcome` | what comes out |
//! | `prepared` | the problem with all that does not change while it is solved |
//! | `candidates` | which file of a version serves the target, or why none does |
//! | `depths` | who needs whom: the order of decisions of a big problem |
//! | `run` | one run of PubGrub: the provider of versions and dependencies |
//! | `search` | the restarts around it: the story of [`resolve`] |
//! | `agreement` | several targets: what they chose apart is brought together |
//! | `answer` | from PubGrub's choice to a [`Solution`] |
//! | `explanation` | why there is no solution, in sentences |
#![forbid(unsafe_code)]

mod agreement;
mod answer;
mod candidates;
mod depths;
mod explanation;
mod facts;
mod outcome;
mod prepared;
mod problem;
mod run;
mod search;

pub use agreement::{Solved, Solver, Terms, Wishes, agree};
pub use explanation::Explanation;
pub use facts::{Facts, FileKey, ProjectFacts};
pub use outcome::{Chosen, Need, Outcome, Question, Refusal, Solution, Warning};
pub use problem::{Limits, Problem, Root, RootReason};
pub use search::{Order, Search, best_candidate, best_candidates, candidates, resolve};
