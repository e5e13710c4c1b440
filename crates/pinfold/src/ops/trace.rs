//! Which environments hold or held something, from where, since when: receipts, lists of files and ledgers, put together.
//!
//! An environment tells of itself as long as it is there; what has gone is known from the copies of ledgers in the cache
//! directory. A ledger knows distributions, not files: for a generation that was pruned, a file is traced through the
//! artifacts in the store that contain it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use pinfold_artifact::{SafeUrl, Sha256};
use pinfold_install::{
    Environment, HeldGeneration, InstallError, KnownEnvironment, Ledger, LedgerDistribution, LedgerEntry,
    LedgerProblem, held,
};
use pinfold_packaging::{PackageName, Version};
use pinfold_store::Store;

use super::remember;
use crate::exit::Failure;
use crate::output::Output;
use crate::world::World;

/// What is looked for.
#[derive(Debug)]
pub(crate) enum Question {
    /// An artifact, an installed file or a lock, by digest.
    Digest(Sha256),
    /// A file, by its bytes and by its place in an environment.
    File { path: PathBuf, sha256: Sha256 },
    /// A project, in any version or in one.
    Project { name: PackageName, version: Option<Version> },
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Traced {
    /// What the environment that a file lies in says of it.
    pub(crate) recorded: Option<Recorded>,
    /// What environments hold or held, by environment.
    pub(crate) environments: Vec<Holder>,
    /// What is in the store: the digest of the artifact, and the member of it that was looked for.
    pub(crate) stored: Vec<(Sha256, Option<String>, Vec<String>)>,
}

/// What an environment says of a file in it.
#[derive(Debug)]
pub(crate) struct Recorded {
    pub(crate) venv: PathBuf,
    pub(crate) path: PathBuf,
    pub(crate) installed: Installed,
}

/// What an environment lists in the place of a file.
#[derive(Debug)]
pub(crate) enum Installed {
    /// A file with this digest.
    File(Sha256),
    /// A link of its own.
    Link {
        /// What it was made to point at.
        target: String,
        /// Whether it still does.
        is_unchanged: bool,
        /// What one gets to from there now.
        end: PathBuf,
    },
    /// Nothing.
    Nothing,
}

impl Recorded {
    /// Returns true for a link that the environment has as it was made.
    pub(crate) const fn is_own_link(&self) -> bool {
        matches!(self.installed, Installed::Link { is_unchanged: true, .. })
    }
}

/// An environment that holds or held something of it.
#[derive(Debug)]
pub(crate) struct Holder {
    pub(crate) venv: PathBuf,
    pub(crate) is_present: bool,
    pub(crate) holdings: Vec<Holding>,
    pub(crate) problems: Vec<LedgerProblem>,
}

/// One thing that an environment holds or held.
#[derive(Debug)]
pub(crate) struct Holding {
    pub(crate) thing: Thing,
    pub(crate) spans: Vec<Span>,
}

/// What is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Thing {
    /// A distribution.
    Distribution(LedgerDistribution),
    /// A file, and the distribution that it is of; none if the environment itself made it.
    File { path: String, sha256: Sha256, of: Option<LedgerDistribution> },
    /// The lock that it was made from.
    Lock(Sha256),
}

/// From when to when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) since: String,
    pub(crate) until: Until,
    pub(crate) generations: Vec<u64>,
}

/// How a span ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Until {
    /// It is in place.
    Now,
    /// Another generation took its place.
    Time(String),
    /// Nobody knows: the environment has gone.
    Unknown,
}

impl Holding {
    /// Returns true if it is in place.
    pub(crate) fn is_current(&self) -> bool {
        self.spans.last().is_some_and(|span| span.until == Until::Now)
    }
}

/// Answers the question.
///
/// # Errors
/// Exit 4 if the disk fails.
pub(crate) fn trace(question: &Question, venvs: &[PathBuf], world: &World, output: &Output) -> Result<Traced, Failure> {
    let mut traced = Traced::default();
    let mut wanted = BTreeSet::new();
    match question {
        Question::Digest(sha256) => drop(wanted.insert(*sha256)),
        Question::File { path, sha256 } => {
            traced.recorded = recorded(path)?;
            wanted.insert(*sha256);
            wanted.extend(traced.recorded.iter().filter_map(|recorded| match recorded.installed {
                Installed::File(sha256) => Some(sha256),
                Installed::Link { .. } | Installed::Nothing => None,
            }));
        }
        Question::Project { .. } => {}
    }
    let members = members(&wanted, world, &mut traced)?;
    let search = Search { question, wanted: &wanted, members: &members };
    for (venv, known) in environments(venvs, traced.recorded.as_ref(), world)? {
        let holder = search.one(&venv, known.as_ref(), world)?;
        holder.problems.iter().filter(|problem| problem.is_alarming()).for_each(|problem| {
            if let Ok(environment) = Environment::at(&venv) {
                remember::tell(&environment, problem, output);
            }
        });
        traced.environments.extend((!holder.holdings.is_empty()).then_some(holder));
    }
    Ok(traced)
}

/// Returns what the environment around a file says of it.
fn recorded(path: &Path) -> Result<Option<Recorded>, Failure> {
    let absolute = std::path::absolute(path).map_err(|e| Failure::of(crate::exit::Exit::World, &e))?;
    // The place of the file counts, not where a link leads from it.
    let parent = absolute.parent().and_then(|parent| std::fs::canonicalize(parent).ok());
    let Some(absolute) = parent.zip(absolute.file_name()).map(|(parent, name)| parent.join(name)) else {
        return Ok(None);
    };
    for venv in absolute.ancestors().skip(1) {
        let Ok(environment) = Environment::at(venv) else { continue };
        let Ok(generations) = held(&environment) else { continue };
        let Some(current) = generations.iter().find(|generation| generation.is_current) else { continue };
        let inside = absolute.strip_prefix(venv).unwrap_or(&absolute).to_owned();
        let installed = installed(current, &inside, &absolute)?;
        return Ok(Some(Recorded { venv: venv.to_owned(), path: inside, installed }));
    }
    Ok(None)
}

/// Returns what a generation lists at a path inside it, which is at `absolute` now.
fn installed(generation: &HeldGeneration, inside: &Path, absolute: &Path) -> Result<Installed, Failure> {
    if let Some(file) = generation.file_at(inside)? {
        return Ok(Installed::File(file.sha256));
    }
    let Some(link) = generation.link_at(inside)? else { return Ok(Installed::Nothing) };
    let is_unchanged = std::fs::read_link(absolute).is_ok_and(|target| target == Path::new(&link.target));
    let end = std::fs::canonicalize(absolute).unwrap_or_else(|_| absolute.to_owned());
    Ok(Installed::Link { target: link.target, is_unchanged, end })
}

/// Returns where the store has an artifact from. Of what was asked for by its URL that is the URL, which may be signed.
fn origins(store: &Store, sha256: &Sha256) -> Result<Vec<String>, Failure> {
    let shown = |origin: String| origin.parse().map_or(origin, |url: SafeUrl| url.without_query().to_string());
    Ok(store.origins(sha256)?.into_iter().map(shown).collect())
}

/// Finds what the store knows of the digests: artifacts themselves, and trees with a file of that digest.
fn members(
    wanted: &BTreeSet<Sha256>,
    world: &World,
    traced: &mut Traced,
) -> Result<BTreeMap<Sha256, Vec<(String, Sha256)>>, Failure> {
    let mut members = BTreeMap::new();
    let Some(store) = Store::existing(&world.cache_dir.join("store")).filter(|_| !wanted.is_empty()) else {
        return Ok(members);
    };
    let (artifacts, trees) = (store.artifacts()?, store.trees()?);
    let known: BTreeSet<&Sha256> = artifacts.iter().chain(&trees).filter(|sha256| wanted.contains(*sha256)).collect();
    for sha256 in known {
        traced.stored.push((*sha256, None, origins(&store, sha256)?));
    }
    for sha256 in &trees {
        let Some(tree) = store.peek_tree(sha256)? else { continue };
        let files = tree.manifest().files.iter().filter(|file| wanted.contains(&file.sha256));
        let found: Vec<_> = files.map(|file| (file.path.as_str().to_owned(), file.sha256)).collect();
        for (path, _) in &found {
            traced.stored.push((*sha256, Some(path.clone()), origins(&store, sha256)?));
        }
        if !found.is_empty() {
            members.insert(*sha256, found);
        }
    }
    Ok(members)
}

/// Returns the environments to ask: the known ones, those that were named, and the one that the file lies in.
fn environments(
    named: &[PathBuf],
    recorded: Option<&Recorded>,
    world: &World,
) -> Result<BTreeMap<PathBuf, Option<KnownEnvironment>>, Failure> {
    let known = remember::known(world)?.list()?;
    let mut found: BTreeMap<_, _> = known.into_iter().map(|known| (known.venv.clone(), Some(known))).collect();
    let named = named.iter().cloned().chain(recorded.map(|recorded| recorded.venv.clone()));
    for venv in named.filter_map(|venv| Environment::at(&venv).ok()) {
        found.entry(venv.venv().to_owned()).or_insert(None);
    }
    Ok(found)
}

struct Search<'a> {
    question: &'a Question,
    wanted: &'a BTreeSet<Sha256>,
    /// For each artifact in the store, its files that are looked for.
    members: &'a BTreeMap<Sha256, Vec<(String, Sha256)>>,
}

impl Search<'_> {
    fn one(&self, venv: &Path, known: Option<&KnownEnvironment>, world: &World) -> Result<Holder, Failure> {
        let environment = Environment::at(venv).ok();
        let own = environment.as_ref().map(|environment| remember::checked_ledger(environment, world)).transpose();
        // Of a directory that is not pinfold's any more, only what is remembered counts.
        let own = own.ok().flatten().unwrap_or_default();
        let generations = environment.as_ref().and_then(|environment| held(environment).ok()).unwrap_or_default();
        let events = events(&own, known, &generations);
        // One whose receipt cannot be read has not gone.
        let is_damaged = |it: &Environment| matches!(it.receipt(), Err(InstallError::Receipt { .. }));
        let is_present = generations.iter().any(|it| it.is_current) || environment.as_ref().is_some_and(is_damaged);
        let mut files: BTreeMap<u64, Vec<Thing>> = BTreeMap::new();
        for generation in &generations {
            files.insert(generation.receipt.generation, self.files(generation)?);
        }
        let mut holdings: Vec<Holding> = Vec::new();
        let mut former: Vec<Thing> = Vec::new();
        for (position, event) in events.iter().enumerate() {
            let things = self.things(event, files.get(&event.generation));
            let until = match events.get(position + 1) {
                Some(next) => Until::Time(next.since().to_owned()),
                None if is_present => Until::Now,
                None => Until::Unknown,
            };
            for thing in &things {
                let is_going_on = former.contains(thing);
                note(&mut holdings, thing, event, &until, is_going_on);
            }
            former = things;
        }
        Ok(Holder { venv: venv.to_owned(), is_present, holdings, problems: own.problems })
    }

    /// Returns what a generation that is still there has of the files that are looked for.
    fn files(&self, generation: &HeldGeneration) -> Result<Vec<Thing>, Failure> {
        if self.wanted.is_empty() {
            return Ok(Vec::new());
        }
        let thing = |file: pinfold_install::InstalledFile| {
            let owner = file.owners.first().and_then(|owner| generation.receipt.distributions.get(*owner as usize));
            let of = owner.map(LedgerDistribution::from);
            Thing::File { path: file.path.as_str().to_owned(), sha256: file.sha256, of }
        };
        // A generation whose list was damaged is traced through its artifacts, as if it were gone.
        Ok(generation.files_with(self.wanted).unwrap_or_default().into_iter().map(thing).collect())
    }

    fn things(&self, event: &LedgerEntry, files: Option<&Vec<Thing>>) -> Vec<Thing> {
        let mut things = Vec::new();
        if self.wanted.contains(&event.lock_sha256) {
            things.push(Thing::Lock(event.lock_sha256));
        }
        for it in &event.distributions {
            let artifacts = [Some(&it.sha256), it.wheel_sha256.as_ref()];
            let is_wanted = match self.question {
                Question::Project { name, version } => {
                    it.name == *name && version.as_ref().is_none_or(|version| it.version == *version)
                }
                Question::Digest(_) | Question::File { .. } => {
                    artifacts.iter().flatten().any(|sha256| self.wanted.contains(*sha256))
                }
            };
            if is_wanted {
                things.push(Thing::Distribution(it.clone()));
            }
            let members = artifacts.iter().flatten().filter_map(|sha256| self.members.get(*sha256)).flatten();
            if files.is_none() {
                things.extend(members.map(|(path, sha256)| Thing::File {
                    path: path.clone(),
                    sha256: *sha256,
                    of: Some(it.clone()),
                }));
            }
        }
        things.extend(files.into_iter().flatten().cloned());
        things
    }
}

/// Adds a generation to what is known of a thing: to its last span if it was there just before.
fn note(holdings: &mut Vec<Holding>, thing: &Thing, event: &LedgerEntry, until: &Until, is_going_on: bool) {
    let span = Span { since: event.since().to_owned(), until: until.clone(), generations: vec![event.generation] };
    let Some(known) = holdings.iter_mut().find(|known| known.thing == *thing) else {
        holdings.push(Holding { thing: thing.clone(), spans: vec![span] });
        return;
    };
    match known.spans.last_mut().filter(|_| is_going_on) {
        Some(last) => {
            last.until = span.until;
            if !last.generations.contains(&event.generation) {
                last.generations.push(event.generation);
            }
        }
        None => known.spans.push(span),
    }
}

/// Puts together what an environment's ledger, the copies of it and its receipts tell, oldest first.
fn events(own: &Ledger, known: Option<&KnownEnvironment>, generations: &[HeldGeneration]) -> Vec<LedgerEntry> {
    let remembered = known.map_or(&[][..], |known| &known.remembered);
    let mut events: Vec<LedgerEntry> = Vec::new();
    for ledger in remembered.iter().rev().chain([own]) {
        if ledger.entries.starts_with(&events) {
            events.clone_from(&ledger.entries);
            continue;
        }
        let new: Vec<_> = ledger.entries.iter().filter(|entry| !events.contains(entry)).cloned().collect();
        events.extend(new);
    }
    // A generation of which no ledger tells was put in place by a process that died, or its line was lost.
    for generation in generations.iter().rev() {
        let entry = LedgerEntry::from(&generation.receipt);
        if !events.iter().any(|event| event.generation == entry.generation) {
            let place = events.iter().position(|event| event.since() > entry.since()).unwrap_or(events.len());
            events.insert(place, entry);
        }
    }
    events
}
