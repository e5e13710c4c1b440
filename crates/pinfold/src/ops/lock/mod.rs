//! `pinfold lock`: requirements become one lock, for every target, from facts that an index or a recording gives.
//!
//! The story in order: read what is asked for, pose one problem a target, answer the resolver's questions until each target
//! is solved, build what exists as source only to learn what it needs, pin every file, merge, write. Nothing is written
//! before everything is known, and the same facts give the same bytes.

mod ahead;
mod asked;
mod contested;
mod crew;
mod desk;
pub(crate) mod direct;
mod first_seen;
mod indexes;
mod inputs;
mod kept;
pub(crate) mod pages;
mod pin;
mod pip;
mod promised;
mod recording;
mod sdists;
mod source;
mod targets;
mod unchanged;
mod unsolved;
mod went_back;
mod wheel_end;
mod yard;

use std::cell::{Cell, OnceCell};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use pinfold_fetch::{Connectivity, Fetcher};
use pinfold_lock::{Asked, BuildRecipe, Lock, LockSettings, Resolution, Tool, merge};
use pinfold_manifest::{Cutoff, HashDemand, IndexLocation, Sourced};
use pinfold_packaging::{MarkerTruth, PackageName};
use pinfold_policy::names::{Lookalike, new_lookalikes};
use pinfold_resolve::{Solution, Warning};

use self::contested::Contested;
use self::desk::Desk;
use self::direct::Directs;
use self::first_seen::FirstSeen;
use self::indexes::Indexes;
use self::inputs::Inputs;
use self::kept::KeptTools;
use self::pages::Relevance;
use self::pin::Pinner;
use self::pip::{PipAnswer, PipIndex};
use self::recording::Recording;
use self::sdists::Sdists;
use self::source::{Patience, Readings, Source};
use self::unsolved::no_solution;
use self::went_back::Serials;
pub use self::went_back::{Decisions, Rollback};
use super::{hands, read_lock, write_kept, write_whole};
use crate::exit::{Exit, Failure};
use crate::logins::Logins;
use crate::output::Output;
use crate::world::World;

/// What was asked for.
#[derive(Debug)]
pub struct LockRequest<'a> {
    /// Requirements files that stand in for a manifest.
    pub requirements: &'a [PathBuf],
    /// The only index.
    pub index_url: Option<&'a str>,
    /// Targets that replace the manifest's.
    pub targets: &'a [String],
    /// Python versions that replace the manifest's.
    pub python_versions: &'a [String],
    /// A cutoff that replaces the manifest's.
    pub exclude_newer: Option<&'a str>,
    /// Which of the former lock's versions are kept.
    pub keep: Keep,
    /// Whether the lock is written or compared.
    pub effect: Effect,
    /// Where answers come from, and whether they are kept.
    pub answers: Answers<'a>,
    /// Whether sockets may be opened.
    pub connectivity: Connectivity,
    /// The interpreter for builds, and whose pip is asked.
    pub python: Option<&'a Path>,
    /// The lock.
    pub output: &'a Path,
    /// What the maintainer decided about an index that went back.
    pub decisions: Decisions,
}

/// Which of the former lock's versions are kept.
#[derive(Debug)]
pub enum Keep {
    /// All but these.
    AllBut(BTreeSet<PackageName>),
    /// None.
    Nothing,
}

/// What becomes of the new lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It is compared with the former one, and nothing is written.
    Compare,
    /// It is written.
    Write,
}

/// Where answers come from, and whether they are kept.
#[derive(Debug, Clone, Copy)]
pub enum Answers<'a> {
    /// From the index.
    Live,
    /// From the index; kept in this file, under this URL in place of the default index's.
    Record {
        /// The file.
        file: &'a Path,
        /// The URL.
        url: Option<&'a str>,
    },
    /// From this file.
    Replay(&'a Path),
}

/// What locking came to.
#[derive(Debug)]
pub struct Locked {
    /// The lock.
    pub lock: Lock,
    /// Its text.
    pub text: String,
    /// The former lock's text, if there was one.
    pub before: Option<(Lock, String)>,
    /// Per target, its name and how many packages it has.
    pub targets: Vec<(String, usize)>,
    /// What a maintainer should know although it is no obstacle.
    pub warnings: Vec<String>,
    /// Names that are new in the lock and resemble a popular one.
    pub lookalikes: Vec<Lookalike>,
}

/// Locks.
///
/// # Errors
/// Exit 1 if there is no solution, 2 for an input that cannot be read, 3 for a refusal, 4 if the world failed. Nothing is
/// written then.
pub fn lock(request: &LockRequest<'_>, world: &World, output: &Output) -> Result<Locked, Failure> {
    if let Answers::Record { file, .. } = request.answers {
        recording::refuse_overwriting(file, request.output)?;
    }
    let (begun, pip) = (world.now(), OnceCell::new());
    let mut round = Round { since: None, asks_for_login: false, pip: &pip, believes_lock: Cell::new(false) };
    let mut done = attempt(request, &round, world, output);
    // The lock has the URL that pip once said, and not the login; pip is asked for it before the index is said to have failed.
    let failed = matches!(&done, Err(failure) if failure.exit == Exit::World);
    let is_online = request.connectivity == Connectivity::Online;
    let may_want_login = failed && is_online && round.believes_lock.get() && pip.get().is_none();
    if may_want_login && pip::has_login(request, &round, world) {
        round.asks_for_login = true;
        done = attempt(request, &round, world, output);
    }
    let is_no = matches!(&done, Err(failure) if matches!(failure.exit, Exit::No | Exit::Refused));
    if !is_no || matches!(request.answers, Answers::Replay(_)) {
        return done;
    }
    // Pages that were cached before this run may have brought about the refusal; none is given before they were asked for.
    // And what was left out of them as irrelevant may be what explains it.
    round.since = Some(begun);
    attempt(request, &round, world, output)
}

/// How one attempt to lock differs from the next.
#[derive(Debug)]
struct Round<'p> {
    /// Pages from before this moment are not taken from the cache unasked.
    since: Option<Timestamp>,
    /// Whether pip is asked for its login although the lock has its URL.
    asks_for_login: bool,
    /// What pip said, once it was asked.
    pip: &'p OnceCell<PipIndex>,
    /// Becomes true if the URL that pip once said was taken from the lock.
    believes_lock: Cell<bool>,
}

fn attempt(request: &LockRequest<'_>, round: &Round<'_>, world: &World, output: &Output) -> Result<Locked, Failure> {
    let inputs = Inputs::read(request)?;
    let previous = former_lock(request)?;
    let former = previous.as_ref().map(|(lock, _)| lock);
    let pip = pip::index(request, &inputs.manifest.indexes, former, round, world)?;
    let told = pip.as_ref().and_then(|pip| pip.told.clone());
    let locked = relock(request, (&inputs, previous, pip.as_ref()), round, world, output);
    let Some(told) = told else { return locked };
    let mut locked = locked.map_err(|failure| failure.with("pip", &told))?;
    locked.warnings.insert(0, format!("pip {told}"));
    Ok(locked)
}

fn relock(
    request: &LockRequest<'_>,
    (inputs, previous, pip): (&Inputs, Option<(Lock, String)>, Option<&PipAnswer>),
    round: &Round<'_>,
    world: &World,
    output: &Output,
) -> Result<Locked, Failure> {
    let former = previous.as_ref().map(|(lock, _)| lock);
    let cutoff = inputs.cutoff(former, matches!(request.keep, Keep::Nothing), world.now());
    let before = previous.as_ref().map(|(_, text)| text.as_str());
    let unchanged = unchanged::Place::of(request, (inputs, cutoff, pip), round, before, world)?;
    if let Some(told) = unchanged.as_ref().and_then(unchanged::Place::look) {
        return still(previous, told);
    }
    let opened = open_source(request, (inputs, pip), former, (cutoff, round), world)?;

    let spinner = output.spinner("resolving");
    let recording = matches!(request.answers, Answers::Record { .. });
    let mut desk = Desk::new(Arc::clone(&opened.source), recording, spinner.clone());
    let mut sdists =
        Sdists::new(world, output, opened.fetcher.clone(), inputs, request.python, cutoff, opened.recorded());
    sdists.keep_tools(KeptTools::new(former, &request.keep));
    let context = direct::Context { request, inputs, former, opened: &opened, world };
    let directs = Directs::gather(&context, &mut desk, &mut sdists).map_err(no_solution)?;
    let solved = targets::solve(inputs, former, request, cutoff, &mut desk, &mut sdists);
    let decided = went_back::look(former, &inputs.targets, cutoff, &solved, &request.decisions, &mut desk);
    if solved.is_err() || decided.is_err() {
        // What the index said is known from now on: a lock that was current is not, if the answers have changed. The failure
        // itself matters more than a cache that cannot be written.
        drop(desk.keep_asked());
    }
    let decided = decided?;
    let solutions = solved.map_err(|unsolved| unsolved::explained(unsolved, inputs, former, &opened.source))?;

    direct::check_solutions(inputs, &directs, &solutions)?;
    Contested::new(&opened.source, &inputs.targets, cutoff).look(&solutions)?;
    let mut pinner = Pinner::new(opened.fetcher.as_deref(), former, &directs);
    pinner.take_replaced(&request.decisions.replaced);
    pinner.tell_apart(opened.source.indexes().first_seen());
    if let Some(recording) = opened.recorded() {
        pinner.know(recording.computed(opened.source.indexes())?);
    }
    let known = desk.metadata();
    let (resolutions, asked) =
        hands::both(|| pinner.resolutions(&solutions), || asked::asked(inputs, &solutions, known));
    let resolutions = resolutions?;
    check_hashes(inputs, &resolutions)?;
    let builds = sdists.recipes(&solutions, &mut desk, &mut pinner).map_err(no_solution)?;
    desk.keep_asked()?;
    spinner.finish_and_clear();

    let settings =
        settings(inputs, opened.source.indexes(), cutoff, (&desk, &sdists), &resolutions, (builds, asked), &pinner);
    let lock = merge(&resolutions, settings)?;
    if let Answers::Record { file, url } = request.answers {
        recording::of(&desk, &sdists, inputs, (&pinner, &directs), cutoff, url)?.write(file)?;
    }
    let told = opened.source.indexes().first_seen().and_then(|seen| seen.told(&pinner.seen)).into_iter().collect();
    let text = written(request, before, &lock)?;
    let lookalikes = new_lookalikes(former, &lock);
    let targets: Vec<_> = solutions.iter().map(|s| (s.target.to_string(), s.packages.len())).collect();
    let warnings = [decided, told, inputs.warnings(), directs.warnings(), warnings(&solutions)].concat();
    if before == Some(&text) && cutoff.is_some_and(|cutoff| desk.is_frozen(cutoff)) {
        unchanged.map_or(Ok(()), |place| place.keep(&targets, &warnings))?;
    }
    // The command is about to end. To give back, one by one, what a resolution made would take a twentieth of its time.
    std::mem::forget((desk, solutions, opened, resolutions));
    Ok(Locked { targets, warnings, lookalikes, before: previous, lock, text })
}

/// Writes a lock where it is to be written and is not what is there; returns its text. Where one is replaced, the disk is
/// waited for: after a loss of power there is the former one or the new one. Where there was none, nothing can be lost.
fn written(request: &LockRequest<'_>, before: Option<&str>, lock: &Lock) -> Result<String, Failure> {
    let text = lock.to_text();
    match before {
        _ if request.effect == Effect::Compare => {}
        Some(before) if before == text => {}
        Some(_) => write_whole(request.output, text.as_bytes())?,
        None => write_kept(request.output, text.as_bytes())?,
    }
    Ok(text)
}

/// Returns the lock that is there, which is what locking again gives.
fn still(previous: Option<(Lock, String)>, told: unchanged::Told) -> Result<Locked, Failure> {
    let missing = || Failure::new(Exit::Bug, "a lock was found unchanged that is not there");
    let (lock, text) = previous.ok_or_else(missing)?;
    let before = Some((lock.clone(), text.clone()));
    let unchanged::Told { targets, warnings, .. } = told;
    Ok(Locked { targets, warnings, lookalikes: Vec::new(), before, lock, text })
}

/// Reads the lock that is there already. A missing one is none; one that cannot be read stops everything: it would be
/// written over.
fn former_lock(request: &LockRequest<'_>) -> Result<Option<(Lock, String)>, Failure> {
    // One that is empty is what a loss of power left of the first.
    let empty = |metadata: std::fs::Metadata| metadata.is_file() && metadata.len() == 0;
    let is_empty = request.effect == Effect::Write && std::fs::metadata(request.output).is_ok_and(empty);
    if !is_empty && request.output.exists() {
        let read = read_lock(request.output)?;
        return Ok(Some((read.lock, read.text)));
    }
    if request.effect == Effect::Compare {
        return Err(Failure::new(Exit::Input, format!("there is no lock `{}` to check", request.output.display()))
            .help("make one with `pinfold lock`"));
    }
    Ok(None)
}

/// Where facts come from, opened.
struct Opened {
    source: Arc<Source>,
    fetcher: Option<Arc<Fetcher>>,
}

impl Opened {
    fn recorded(&self) -> Option<&Recording> {
        match &*self.source {
            Source::Live { .. } => None,
            Source::Replay { recording, .. } => Some(recording),
        }
    }
}

fn open_source(
    request: &LockRequest<'_>,
    (inputs, pip): (&Inputs, Option<&PipAnswer>),
    former: Option<&Lock>,
    (cutoff, round): (Option<Timestamp>, &Round<'_>),
    world: &World,
) -> Result<Opened, Failure> {
    let entries = &inputs.manifest.indexes;
    if let Answers::Replay(file) = request.answers {
        let recording = Box::new(Recording::read(file)?);
        let asks_pip = entries.iter().find(|entry| entry.location == IndexLocation::Pip);
        let recorded = asks_pip.and_then(|entry| recording.indexes.get(&entry.name)).map(|index| index.url.clone());
        let mut indexes = Indexes::new(entries, recorded.as_ref())?;
        let now = recording.seen()?.unwrap_or_else(|| world.now());
        indexes.remember_moments(FirstSeen::new(former, &request.keep, cutoff, now));
        return Ok(Opened { source: Arc::new(Source::Replay { recording, indexes }), fetcher: None });
    }
    let mut indexes = Indexes::new(entries, pip.map(|pip| &pip.url))?;
    former.into_iter().for_each(|lock| indexes.remember_hosts(lock));
    indexes.remember_moments(FirstSeen::new(former, &request.keep, cutoff, world.now()));
    let named = indexes.all().iter().map(|index| (Some(index.name.as_str()), &index.url));
    let named = named.chain(inputs.urls().map(|url| (None, url)));
    let mut logins = crate::logins::logins(named, request.connectivity)?;
    // The first for a host counts.
    logins.credentials.splice(0..0, pip.and_then(|pip| pip.credential.clone()));
    let fetcher = Arc::new(world.fetcher(request.connectivity, logins)?);
    let relevance = round.since.is_none().then(|| Arc::new(Relevance::new(&inputs.targets, cutoff)));
    if let Some(relevance) = &relevance {
        fetcher.open_pack(relevance.pack_name())?;
    }
    let patience = patience(request, cutoff, round.since, world);
    let serials = Serials::of(request.effect, &request.decisions);
    let (at, world) = (Arc::clone(&fetcher), world.clone());
    let source = Arc::new(Source::Live {
        fetcher: at,
        world,
        indexes,
        patience,
        serials,
        relevance,
        readings: Readings::default(),
    });
    Ok(Opened { source, fetcher: Some(fetcher) })
}

fn patience(request: &LockRequest<'_>, cutoff: Option<Timestamp>, since: Option<Timestamp>, world: &World) -> Patience {
    if request.connectivity == Connectivity::Offline {
        return Patience::Advised(cutoff);
    }
    if let Some(since) = since {
        let seconds = world.now().as_second().saturating_sub(since.as_second());
        return Patience::NewerThan { since, span: Duration::from_secs(seconds.unsigned_abs()) };
    }
    let keeps_all = matches!(&request.keep, Keep::AllBut(moving) if moving.is_empty());
    // Whoever asks whether there is anything newer does not mean the cache.
    let decides = !request.decisions.replaced.is_empty() || request.decisions.rollback == Rollback::Allowed;
    if request.effect == Effect::Compare || decides || !keeps_all {
        Patience::Revalidate
    } else {
        Patience::Advised(cutoff)
    }
}

/// Returns what to log in with at the indexes of a lock, and where its files are that were required by URL.
///
/// # Errors
/// As [`crate::logins::logins`].
pub(crate) fn logins(lock: &Lock, connectivity: Connectivity) -> Result<Logins, Failure> {
    let indexes = lock.tool.iter().flat_map(|tool| &tool.indexes);
    let named = indexes.map(|index| (Some(index.name.as_str()), &index.url));
    let archives = lock.packages.iter().filter_map(|package| package.archive.as_ref());
    crate::logins::logins(named.chain(archives.map(|archive| (None, &archive.file.url))), connectivity)
}

/// Holds the files against the digests that lines of requirements files demand: a file must meet every line that holds for its
/// target. One that holds for a part of the target counts: one file is locked for all of it.
fn check_hashes(inputs: &Inputs, resolutions: &[Resolution]) -> Result<(), Failure> {
    for resolution in resolutions {
        let environment = resolution.target.marker_environment();
        for Sourced { value: HashDemand { name, marker, digests }, file, line, .. } in &inputs.hashes {
            let Some(resolved) = resolution.packages.get(name).filter(|r| !digests.contains(&r.file.sha256)) else {
                continue;
            };
            if marker.evaluate(&environment, &BTreeSet::new()) == MarkerTruth::False {
                continue;
            }
            let demanded: Vec<String> = digests.iter().map(|digest| format!("sha256:{digest}")).collect();
            return Err(Failure::refused("hash-mismatch", format!("refused `{}`", resolved.file.filename))
                .with("from", resolved.file.url.without_query())
                .with("expected", format!("{} (--hash, {file}:{line})", demanded.join(" or ")))
                .with("found", format!("sha256:{}", resolved.file.sha256))
                .help(format!(
                    "the file that {} gets is none of those that this line allows; it must be allowed by every line that holds there",
                    resolution.target
                )));
        }
    }
    Ok(())
}

fn settings(
    inputs: &Inputs,
    indexes: &Indexes,
    cutoff: Option<Timestamp>,
    (desk, sdists): (&Desk, &Sdists<'_>),
    resolutions: &[Resolution],
    (builds, asked): (Vec<BuildRecipe>, Asked),
    pinner: &Pinner<'_>,
) -> LockSettings {
    let files = resolutions.iter().flat_map(|resolution| resolution.packages.values()).map(|r| &r.file.filename);
    // Of an sdist the lock has the METADATA that its build gives, whatever the sdist itself promised.
    let built = |name| sdists.known().get(name).map(|built| built.metadata.sha256);
    let digest = |name| built(name).or_else(|| Some(desk.metadata().get(name)?.sha256));
    let metadata = files.filter_map(|name| Some((name.clone(), digest(name)?))).collect();
    let mut targets: Vec<_> = inputs.targets.iter().map(|target| *target.system()).collect();
    targets.dedup();
    let mut python: Vec<_> = inputs.targets.iter().map(|target| target.python()).collect();
    python.sort();
    python.dedup();
    let tool = Tool {
        schema: Tool::SCHEMA,
        inputs: inputs.digest(indexes),
        exclude_newer: cutoff,
        exclude_newer_span: inputs.manifest.exclude_newer.as_ref().and_then(Cutoff::span).map(str::to_owned),
        prerelease: inputs.manifest.prerelease,
        resolution: inputs.manifest.resolution,
        targets,
        python,
        indexes: indexes.locked(&pinner.hosts),
        builds,
        accepts: inputs.accepts(),
        asked,
        computed: pinner.unsaid.clone(),
        first_seen: pinner.seen.clone(),
        trees: Directs::trees(resolutions),
        metadata,
    };
    LockSettings {
        extras: inputs.manifest.extras.keys().cloned().collect(),
        dependency_groups: inputs.manifest.groups.keys().cloned().collect(),
        default_groups: BTreeSet::new(),
        created_by: "pinfold".to_owned(),
        tool: Some(tool),
    }
}

fn warnings(solutions: &[Solution]) -> Vec<String> {
    let all: BTreeSet<&Warning> = solutions.iter().flat_map(|solution| &solution.warnings).collect();
    all.into_iter().map(ToString::to_string).collect()
}
