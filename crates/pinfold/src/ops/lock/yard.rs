//! Where sources are built while locking: in an environment of exactly the tools that were resolved for it, several at once.
//!
//! A yard owns what a build needs, so that builds run on threads of their own while the index is still asked for other things.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};

use indicatif::ProgressBar;
use pinfold_artifact::{ArchivePath, Origin, SafeUrl, Sha256};
use pinfold_build::{BuildSystem, Expected, Learned, Workbench, learn, metadata_of, requirements};
use pinfold_fetch::Fetcher;
use pinfold_install::Interpreter;
use pinfold_lock::{Accepted, BuildTool};
use pinfold_packaging::{PackageName, PageFile, PythonMinor, Requirement, Specifiers, Target, Version};
use pinfold_resolve::{Order, Problem, Root, RootReason};
use pinfold_store::{Store, Stored};
use sha2::Digest;

use super::contested::Contested;
use super::desk::{Builder, Desk, Ring, Sdist, Unsolved};
use super::direct::Directs;
use super::kept::KeptTools;
use super::pin::Pinner;
use super::promised;
use super::recording::{RecordedMetadata, RecordedSdist, headers_of};
use super::source::{MetadataFact, Source};
use crate::exit::{Exit, Failure};
use crate::ops::builds::{in_bench, make_tools};
use crate::ops::trees::Workshop;
use crate::ops::write_kept;
use crate::output::Output;
use crate::world::World;

/// What every build of one lock needs.
pub(super) struct Yard {
    pub(super) world: World,
    pub(super) output: Output,
    pub(super) fetcher: Arc<Fetcher>,
    /// Where tools are chosen from: whole pages, because this machine need not be one of the targets.
    pub(super) source: Arc<Source>,
    pub(super) python: Option<PathBuf>,
    pub(super) requires_python: Option<Specifiers>,
    pub(super) accepts: Vec<Accepted>,
    /// What a problem about build requirements shares with the application's own.
    pub(super) common: Problem,
    /// The tools of the earlier lock that are preferred.
    pub(super) kept_tools: KeptTools,
    /// The interpreter that builds, once it was asked what it is.
    pub(super) interpreter: OnceLock<Result<Interpreter, Failure>>,
    /// Tools that were resolved and whose trees were made, by the index of what is built, by what was required and by what an earlier lock had: builds that begin together mostly want the
    /// same, and the second finds what the first one made.
    pub(super) made: Mutex<BTreeMap<String, Vec<BuildTool>>>,
    /// Threads that remove what builds left.
    pub(super) sweepers: Mutex<Vec<JoinHandle<()>>>,
}

/// Sources that are to be built, and what must come out.
#[derive(Debug, Clone)]
pub(super) struct Sources {
    pub(super) place: SourcePlace,
    pub(super) expected: Expected,
}

/// Where sources are.
#[derive(Debug, Clone)]
pub(super) enum SourcePlace {
    /// On an index.
    Index {
        /// The file.
        file: Arc<PageFile>,
        /// Who may serve it.
        origin: Origin,
    },
    /// In the store.
    Stored {
        /// The file.
        stored: Stored,
        /// Where in them the project is.
        subdirectory: Option<ArchivePath>,
    },
}

impl Sources {
    /// Returns the sources that an index has.
    pub(super) fn on_index(name: &PackageName, version: &Version, file: &Arc<PageFile>, origin: &Origin) -> Self {
        let expected = Expected { name: name.clone(), version: Some(version.clone()), metadata: None };
        Self { place: SourcePlace::Index { file: Arc::clone(file), origin: origin.clone() }, expected }
    }
}

impl std::fmt::Display for Sources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.expected.name)?;
        self.expected.version.iter().try_for_each(|version| write!(f, " {version}"))
    }
}

impl SourcePlace {
    fn sha256(&self) -> Option<Sha256> {
        match self {
            Self::Index { file, .. } => file.sha256,
            Self::Stored { stored, .. } => Some(*stored.sha256()),
        }
    }

    fn index(&self) -> Option<&SafeUrl> {
        match self {
            Self::Index { origin, .. } => Some(origin.index()),
            Self::Stored { .. } => None,
        }
    }

    const fn subdirectory(&self) -> Option<&ArchivePath> {
        match self {
            Self::Index { .. } => None,
            Self::Stored { subdirectory, .. } => subdirectory.as_ref(),
        }
    }
}

impl Yard {
    /// Returns what an earlier build of the sources said, if that still is the answer.
    ///
    /// # Errors
    /// Exit 4 if the cache directory cannot be made.
    pub(super) fn kept(&self, sources: &Sources) -> Result<Option<RecordedSdist>, Failure> {
        let kept = self.kept_path(sources)?;
        Ok(kept.and_then(|kept| serde_json::from_slice(&std::fs::read(kept).ok()?).ok()))
    }

    /// Builds the sources, as far as that says what they need, and keeps the answer.
    ///
    /// # Errors
    /// [`Unsolved`] if what the build needs has no solution, or the build fails.
    pub(super) fn build(&self, sources: &Sources) -> Result<RecordedSdist, Unsolved> {
        self.output.status(&format!("building {sources} to learn what it needs"));
        let store = self.world.store()?;
        let none = Directs::default();
        let mut pinner = Pinner::new(Some(&self.fetcher), None, &none);
        let stored = self.stored(&sources.place, &store, &mut pinner)?;
        let system = requirements(&stored, sources.place.subdirectory()).map_err(Failure::from)?;
        let interpreter = self.interpreter()?;
        let host = host_target(interpreter)?;
        let workshop = Workshop {
            world: &self.world,
            store: &store,
            fetcher: &self.fetcher,
            output: &self.output,
            interpreter,
            gives_up: false,
        };
        let mut desk = Desk::new(Arc::clone(&self.source), false, ProgressBar::hidden());
        let (what, index) = (format!("the build of {sources}"), sources.place.index().cloned());
        let kept = self.kept_tools.of(&sources.expected.name, &host);
        let run = Run { workshop, stored: &stored, system: &system, host, what, index, kept };
        let built = self.run_backend(&mut desk, &sources.expected, &run, &mut pinner)?;
        if let Some(kept) = self.kept_path(sources)? {
            let text = serde_json::to_vec(&built).map_err(|e| Failure::of(Exit::Bug, &e))?;
            write_kept(&kept, &text)?;
        }
        Ok(built)
    }

    /// Returns the interpreter that builds. Whoever comes while it is asked waits for its answer.
    ///
    /// # Errors
    /// Exit 2 if there is none that fits.
    pub(super) fn interpreter(&self) -> Result<&Interpreter, Failure> {
        let ask = || self.world.interpreter(self.python.as_deref(), self.requires_python.as_ref());
        self.interpreter.get_or_init(ask).as_ref().map_err(Clone::clone)
    }

    /// Resolves, pins and unpacks what a build needs, unless another build of this lock needed just the same.
    fn tools(
        &self,
        desk: &mut Desk,
        requires: &[Requirement],
        run: &Run<'_>,
        pinner: &mut Pinner<'_>,
    ) -> Result<Vec<BuildTool>, Unsolved> {
        let asker = Asker { what: run.what.clone(), index: run.index.as_ref(), kept: run.kept.clone() };
        // The index that asks is part of it: what it has too must not come from another one.
        let index = run.index.as_ref().map(SafeUrl::as_str).unwrap_or_default();
        let wanted: String = requires.iter().map(|requirement| format!("{requirement}\n")).collect();
        let wanted = format!("{index}\n{wanted}{:?}", run.kept);
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tools) = made.get(&wanted) {
            return Ok(tools.clone());
        }
        let tools = tools(&self.common, desk, (&asker, requires), &run.host, pinner)?;
        make_tools(&run.workshop, &tools, &self.accepts)?;
        made.insert(wanted, tools.clone());
        Ok(tools)
    }

    /// Runs `work` in an environment of the tools. What is left of it is removed while others go on.
    fn at_bench<R>(
        &self,
        workshop: &Workshop<'_>,
        tools: &[BuildTool],
        work: impl FnOnce(&Workbench) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        let (done, scratch) = in_bench(workshop, tools, &self.accepts, work)?;
        // Without a thread it is removed here and now: the closure is dropped, and the directory with it.
        if let Ok(sweeper) = thread::Builder::new().name("sweep".to_owned()).spawn(move || drop(scratch)) {
            self.sweepers.lock().unwrap_or_else(PoisonError::into_inner).push(sweeper);
        }
        Ok(done)
    }

    fn stored(&self, place: &SourcePlace, store: &Store, pinner: &mut Pinner<'_>) -> Result<Stored, Failure> {
        match place {
            SourcePlace::Index { file, origin } => promised::stored(&self.fetcher, store, pinner, file, origin),
            SourcePlace::Stored { stored, .. } => Ok(stored.clone()),
        }
    }

    fn run_backend(
        &self,
        desk: &mut Desk,
        expected: &Expected,
        run: &Run<'_>,
        pinner: &mut Pinner<'_>,
    ) -> Result<RecordedSdist, Unsolved> {
        let tools = self.tools(desk, &run.system.requires, run, pinner)?;
        let Learned { extra, metadata } =
            self.at_bench(&run.workshop, &tools, |bench| Ok(learn(run.stored, run.system, bench, expected)?))?;
        let mut requires = run.system.requires.clone();
        requires.extend(extra.into_iter().filter(|requirement| !run.system.requires.contains(requirement)));
        let metadata = match metadata {
            Some(metadata) => metadata,
            None => {
                let tools = self.tools(desk, &requires, run, pinner)?;
                let ask = |bench: &Workbench| Ok(metadata_of(run.stored, run.system, bench, expected)?);
                self.at_bench(&run.workshop, &tools, ask)?
            }
        };
        // What has no version in its name is no sdist but a source tree, whose PKG-INFO is nobody's promise.
        if expected.version.is_some() && run.system.subdirectory.is_none() {
            promised::hold(
                run.stored,
                &metadata.metadata,
                &format!("{} {}", metadata.metadata.name, metadata.metadata.version),
            )?;
        }
        Ok(RecordedSdist {
            metadata: RecordedMetadata {
                sha256: metadata.sha256,
                headers: headers_of(&metadata.bytes, &metadata.metadata),
            },
            backend: run.system.backend.clone(),
            backend_path: run.system.backend_path.clone(),
            requires: requires.iter().map(ToString::to_string).collect(),
        })
    }

    /// Returns where the answer of a build is kept, named for everything that decides it: the sources, the cutoff before which
    /// its tools were uploaded, the indexes that have them, those that an earlier lock had, and the Python versions. Without a cutoff, tomorrow's tools may
    /// give another answer, and none is kept.
    fn kept_path(&self, sources: &Sources) -> Result<Option<PathBuf>, Failure> {
        let place = &sources.place;
        let (Some(sha256), Some(cutoff)) = (place.sha256(), self.common.exclude_newer) else { return Ok(None) };
        let mut text = format!("3 {sha256} {cutoff} {}\n", self.common.prerelease);
        text.push_str(&format!("{:?}\n{:?}\n", self.requires_python, self.python));
        text.push_str(&self.kept_tools.text_of(&sources.expected.name));
        if let Some(subdirectory) = place.subdirectory() {
            text.push_str(&format!("in {subdirectory}\n"));
        }
        for index in self.source.indexes().all() {
            let packages: Vec<&str> = self.source.indexes().routed_to(index).map(PackageName::as_str).collect();
            text.push_str(&format!("{} {} {}\n", index.name, index.url, packages.join(" ")));
        }
        let key = Sha256::from_bytes(sha2::Sha256::digest(text.as_bytes()).into());
        Ok(Some(self.world.cache_subdirectory("sdists")?.join(format!("{key}.json"))))
    }
}

impl Drop for Yard {
    /// Waits until what builds left is gone.
    fn drop(&mut self) {
        let sweepers = std::mem::take(&mut *self.sweepers.lock().unwrap_or_else(PoisonError::into_inner));
        sweepers.into_iter().for_each(|sweeper| drop(sweeper.join()));
    }
}

/// One sdist, stored, and what its build runs with.
struct Run<'a> {
    workshop: Workshop<'a>,
    stored: &'a Stored,
    system: &'a BuildSystem,
    /// The machine that builds.
    host: Target,
    /// What is built, for messages.
    what: String,
    /// Where it is from; none if no index has it.
    index: Option<SafeUrl>,
    /// The versions of tools that are preferred.
    kept: BTreeMap<PackageName, Vec<Version>>,
}

/// Whose build requirements are resolved.
pub(super) struct Asker<'a> {
    /// What is built.
    pub(super) what: String,
    /// The index that it is from; none if no index has it.
    pub(super) index: Option<&'a SafeUrl>,
    /// The versions that an earlier lock had, which are preferred.
    pub(super) kept: BTreeMap<PackageName, Vec<Version>>,
}

/// Resolves and pins what a build needs on one target.
///
/// # Errors
/// [`Unsolved`] if the target has no solution for it, or two indexes could claim what it needs.
pub(super) fn tools(
    common: &Problem,
    desk: &mut Desk,
    (asker, requires): (&Asker<'_>, &[Requirement]),
    target: &Target,
    pinner: &mut Pinner<'_>,
) -> Result<Vec<BuildTool>, Unsolved> {
    let root = |requirement: &Requirement| Root {
        requirement: requirement.clone(),
        reason: RootReason::Base,
        written: "[build-system]".to_owned(),
    };
    let (roots, locked) = (requires.iter().map(root).collect(), asker.kept.clone());
    let problem = Problem { target: target.clone(), roots, locked, ..common.clone() };
    let solutions = desk.solve(&problem, &mut Order::default(), &mut NoBuilds)?;
    let Some(solution) = solutions.first().filter(|_| solutions.len() == 1) else {
        let headline = format!("the build requirements differ between patch releases of Python on {target}");
        return Err(Failure::new(Exit::No, headline).help("narrow `requires-python`").into());
    };
    let mut contested = Contested::new(desk.source(), std::slice::from_ref(target), common.exclude_newer);
    if let Some(index) = asker.index {
        let names = requires.iter().map(|requirement| &requirement.name);
        contested.want(index, &asker.what, names.filter(|name| solution.packages.contains_key(*name)));
    }
    contested.look(&solutions)?;
    let mut tools = Vec::new();
    for (name, chosen) in &solution.packages {
        if pinner.is_direct(&chosen.file) {
            let headline = format!("the build needs `{name}`, which the application requires by URL");
            return Err(Failure::new(Exit::No, headline).help("what a build needs comes from an index").into());
        }
        tools.push(BuildTool {
            name: name.clone(),
            version: chosen.version.clone(),
            index: chosen.origin.index().clone(),
            file: pinner.file(&chosen.file, &chosen.origin)?,
        });
    }
    Ok(tools)
}

/// Build requirements are taken as wheels: what builds the tools would have to be locked too, without end.
struct NoBuilds;

impl Builder for NoBuilds {
    fn knows(&mut self, _source: &Arc<Source>, _sdist: &Sdist<'_>) -> Result<bool, Failure> {
        Ok(false)
    }

    fn make_ready(&mut self, _source: &Arc<Source>) -> Result<(), Failure> {
        Ok(())
    }

    fn begin(
        &mut self,
        _source: &Arc<Source>,
        _sdist: &Sdist<'_>,
        _ring: &dyn Fn() -> Option<Ring>,
    ) -> Result<bool, Failure> {
        Ok(false)
    }

    fn metadata(&mut self, _source: &Arc<Source>, sdist: &Sdist<'_>) -> Result<MetadataFact, Unsolved> {
        Err(Failure::new(Exit::No, format!("the build requirement `{}` exists as source only", sdist.file.filename))
            .into())
    }
}

fn host_target(interpreter: &Interpreter) -> Result<Target, Failure> {
    let minor = PythonMinor::of(&interpreter.version).ok_or_else(|| {
        Failure::new(Exit::Input, format!("Python {} cannot build", interpreter.version))
            .help("give another with --python")
    })?;
    Ok(Target::new(interpreter.target_system()?, minor))
}
