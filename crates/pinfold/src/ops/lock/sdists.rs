//! What exists as source only: built while locking, to learn what it needs, with tools that are locked like everything else.
//!
//! An sdist's own claims do not bind the wheels that are built from it, so the backend is asked, in an environment of exactly
//! the build requirements that were resolved with the same cutoff and the same indexes. The recipe goes into the lock: for
//! each target the tools with their digests, and the digest of the METADATA that the build must give again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indicatif::ProgressBar;
use jiff::Timestamp;
use pinfold_artifact::{ArchivePath, Artifact, ArtifactFilename, Sha256};
use pinfold_build::{BuildSystem, Expected, Workbench, extra_requirements, metadata_of, requirements};
use pinfold_fetch::Fetcher;
use pinfold_install::Interpreter;
use pinfold_lock::{Accepted, BuildRecipe, BuildTool};
use pinfold_packaging::{BuildPolicy, Metadata, PythonMinor, Requirement, Target, Version};
use pinfold_resolve::{Problem, Root, RootReason, Solution};
use pinfold_store::{Store, Stored};
use sha2::Digest;

use super::desk::{Builder, Desk, Sdist, Unsolved};
use super::direct::Directs;
use super::inputs::Inputs;
use super::pin::Pinner;
use super::recording::{RecordedMetadata, RecordedSdist, Recording, dependency_headers};
use super::source::MetadataFact;
use crate::exit::{Exit, Failure};
use crate::ops::builds::with_bench;
use crate::ops::trees::Workshop;
use crate::ops::write_whole;
use crate::output::Output;
use crate::world::World;

/// The sdists of one lock, and how they are built.
pub(super) struct Sdists<'a> {
    world: &'a World,
    output: &'a Output,
    fetcher: Option<Arc<Fetcher>>,
    python: Option<&'a Path>,
    /// What a problem about build requirements shares with the application's own.
    common: Problem,
    requires_python: Option<pinfold_packaging::Specifiers>,
    accepts: Vec<Accepted>,
    /// What the build of each sdist said.
    known: BTreeMap<ArtifactFilename, RecordedSdist>,
}

impl<'a> Sdists<'a> {
    /// Prepares to build. Nothing is run before an sdist's metadata is asked for.
    pub(super) fn new(
        world: &'a World,
        output: &'a Output,
        fetcher: Option<Arc<Fetcher>>,
        inputs: &Inputs,
        python: Option<&'a Path>,
        cutoff: Option<Timestamp>,
        recorded: Option<&Recording>,
    ) -> Self {
        let common = Problem {
            roots: Vec::new(),
            constraints: Vec::new(),
            overrides: Vec::new(),
            exclude: Default::default(),
            build: BuildPolicy::none(),
            no_binary: Default::default(),
            ..inputs.problem(&inputs.targets[0], cutoff, BTreeMap::new())
        };
        Self {
            world,
            output,
            fetcher,
            python,
            common,
            requires_python: inputs.manifest.requires_python.clone(),
            accepts: inputs.accepts(),
            known: recorded.map(|recording| recording.sdists.clone()).unwrap_or_default(),
        }
    }

    /// Returns what the builds said, for the recording.
    pub(super) const fn known(&self) -> &BTreeMap<ArtifactFilename, RecordedSdist> {
        &self.known
    }

    /// Returns the recipes of every sdist that was chosen: the tools of each target, pinned.
    ///
    /// # Errors
    /// [`Unsolved`] if a target has no solution for the build requirements.
    pub(super) fn recipes(
        &mut self,
        solutions: &[Solution],
        desk: &mut Desk,
        pinner: &mut Pinner<'_>,
    ) -> Result<Vec<BuildRecipe>, Unsolved> {
        let mut recipes: Vec<BuildRecipe> = Vec::new();
        for solution in solutions {
            for (name, chosen) in solution.packages.iter().filter(|(_, chosen)| chosen.is_sdist()) {
                let file = pinner.file(&chosen.file, &chosen.origin)?;
                let Some(known) = self.known.get(&chosen.file.filename).cloned() else {
                    return Err(
                        Failure::new(Exit::Bug, format!("`{}` was chosen and never built", file.filename)).into()
                    );
                };
                let requires = parsed(&known.requires, &file.filename)?;
                let requires = self.tools(desk, &requires, &solution.target, pinner)?;
                let recipe = BuildRecipe {
                    name: name.clone(),
                    version: chosen.version.clone(),
                    sdist: file.sha256,
                    targets: Vec::new(),
                    backend: known.backend,
                    backend_path: known.backend_path,
                    metadata: known.metadata.sha256,
                    requires,
                };
                add_recipe(&mut recipes, &solution.target, recipe);
            }
        }
        let all: BTreeSet<(_, _)> = solutions.iter().map(|s| (s.target.system(), s.target.python())).collect();
        for recipe in recipes.iter_mut().filter(|recipe| recipe.targets.len() == all.len()) {
            recipe.targets.clear();
        }
        Ok(recipes)
    }

    /// Resolves and pins what a build needs on one target.
    fn tools(
        &self,
        desk: &mut Desk,
        requires: &[Requirement],
        target: &Target,
        pinner: &mut Pinner<'_>,
    ) -> Result<Vec<BuildTool>, Unsolved> {
        let root = |requirement: &Requirement| Root {
            requirement: requirement.clone(),
            reason: RootReason::Base,
            written: "[build-system]".to_owned(),
        };
        let problem =
            Problem { target: target.clone(), roots: requires.iter().map(root).collect(), ..self.common.clone() };
        let solutions = desk.solve(&problem, &mut NoBuilds)?;
        let Some(solution) = solutions.first().filter(|_| solutions.len() == 1) else {
            let headline = format!("the build requirements differ between patch releases of Python on {target}");
            return Err(Failure::new(Exit::No, headline).help("narrow `requires-python`").into());
        };
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

    /// Returns what the build says: kept from before, or by running it.
    fn build(&self, desk: &mut Desk, sources: &Sources<'_>) -> Result<RecordedSdist, Unsolved> {
        let Some(fetcher) = self.fetcher.clone() else {
            return Err(super::source::missing(&sources.to_string()).into());
        };
        let kept = self.kept_path(desk, &sources.place)?;
        let known = kept.as_ref().and_then(|kept| serde_json::from_slice(&std::fs::read(kept).ok()?).ok());
        if let Some(known) = known {
            return Ok(known);
        }
        self.output.status(&format!("building {sources} to learn what it needs"));
        // This machine need not be one of the targets, so its tools are chosen from whole pages.
        let whole = desk.source().unfiltered().map(|source| Desk::new(Arc::new(source), false, ProgressBar::hidden()));
        let built = match whole {
            Some(mut whole) => self.build_now(&mut whole, sources, &fetcher)?,
            None => self.build_now(desk, sources, &fetcher)?,
        };
        if let Some(kept) = kept {
            let text = serde_json::to_vec(&built).map_err(|e| Failure::of(Exit::Bug, &e))?;
            write_whole(&kept, &text)?;
        }
        Ok(built)
    }

    fn build_now(&self, desk: &mut Desk, sources: &Sources<'_>, fetcher: &Fetcher) -> Result<RecordedSdist, Unsolved> {
        let interpreter = self.world.interpreter(self.python, self.requires_python.as_ref())?;
        let store = self.world.store()?;
        let none = Directs::default();
        let mut pinner = Pinner::new(Some(fetcher), None, &none);
        let stored = match &sources.place {
            SourcePlace::Index(sdist) => fetch_sdist(fetcher, &store, sdist, &mut pinner)?,
            SourcePlace::Stored { stored, .. } => Stored::clone(stored),
        };
        let system = requirements(&stored, sources.place.subdirectory()).map_err(Failure::from)?;
        let host = host_target(&interpreter)?;
        let tools = self.tools(desk, &system.requires, &host, &mut pinner)?;
        let workshop = self.workshop(&store, fetcher, &interpreter);
        let run = Run { workshop, stored: &stored, system: &system, host };
        self.run_backend(desk, &sources.expected, &run, &tools, &mut pinner)
    }

    /// Returns what sources that no index has say when they are built, with the version that comes out. What a recording
    /// knows under `recorded` is not built again.
    ///
    /// # Errors
    /// [`Unsolved`] if there is no way to build them, or the build fails.
    pub(super) fn learn(
        &mut self,
        desk: &mut Desk,
        expected: Expected,
        stored: Option<(&Stored, Option<&ArchivePath>)>,
        recorded: Option<&ArtifactFilename>,
    ) -> Result<Learned, Unsolved> {
        let name = expected.name.clone();
        let known = recorded.and_then(|filename| self.known.get(filename)).cloned();
        let said = match (known, stored) {
            (Some(known), _) => known,
            (None, Some((stored, subdirectory))) => {
                self.build(desk, &Sources { place: SourcePlace::Stored { stored, subdirectory }, expected })?
            }
            (None, None) => return Err(super::source::missing(name.as_str()).into()),
        };
        let wrong = |error: &dyn std::error::Error| Failure::of(Exit::Refused, error).with("package", &name);
        let metadata = Metadata::parse(said.metadata.headers.as_bytes()).map_err(|error| wrong(&error))?;
        let filename = format!("{}-{}.tar.gz", name.as_dist_info(), metadata.version);
        let filename: ArtifactFilename =
            filename.parse().map_err(|error: pinfold_artifact::ArtifactFilenameError| wrong(&error))?;
        let (headers, sha256) = (said.metadata.headers.clone(), said.metadata.sha256);
        self.known.insert(filename.clone(), said);
        Ok(Learned { filename, version: metadata.version, headers, metadata_sha256: sha256 })
    }

    fn workshop<'b>(&'b self, store: &'b Store, fetcher: &'b Fetcher, interpreter: &'b Interpreter) -> Workshop<'b> {
        Workshop { world: self.world, store, fetcher, output: self.output, interpreter }
    }

    fn run_backend(
        &self,
        desk: &mut Desk,
        expected: &Expected,
        run: &Run<'_>,
        tools: &[BuildTool],
        pinner: &mut Pinner<'_>,
    ) -> Result<RecordedSdist, Unsolved> {
        let ask_metadata = |bench: &Workbench| Ok(metadata_of(run.stored, run.system, bench, expected)?);
        let (extra, metadata) = with_bench(&run.workshop, tools, &self.accepts, |bench| {
            let extra = extra_requirements(run.stored, run.system, bench)?;
            let metadata = if extra.is_empty() { Some(ask_metadata(bench)?) } else { None };
            Ok((extra, metadata))
        })?;
        let mut requires = run.system.requires.clone();
        requires.extend(extra.into_iter().filter(|requirement| !run.system.requires.contains(requirement)));
        let metadata = match metadata {
            Some(metadata) => metadata,
            None => {
                let tools = self.tools(desk, &requires, &run.host, pinner)?;
                with_bench(&run.workshop, &tools, &self.accepts, ask_metadata)?
            }
        };
        Ok(RecordedSdist {
            metadata: RecordedMetadata { sha256: metadata.sha256, headers: dependency_headers(&metadata.bytes) },
            backend: run.system.backend.clone(),
            backend_path: run.system.backend_path.clone(),
            requires: requires.iter().map(ToString::to_string).collect(),
        })
    }

    /// Returns where the answer of a build is kept, named for everything that decides it: the sdist, the cutoff before which
    /// its tools were uploaded, the indexes that have them, and the Python versions. Without a cutoff, tomorrow's tools may
    /// give another answer, and none is kept.
    fn kept_path(&self, desk: &Desk, place: &SourcePlace<'_>) -> Result<Option<PathBuf>, Failure> {
        let (Some(sha256), Some(cutoff)) = (place.sha256(), self.common.exclude_newer) else { return Ok(None) };
        let mut text = format!("{sha256} {cutoff}\n");
        text.push_str(&format!("{:?}\n{:?}\n", self.requires_python, self.python));
        if let Some(subdirectory) = place.subdirectory() {
            text.push_str(&format!("in {subdirectory}\n"));
        }
        for index in desk.source().indexes().all() {
            text.push_str(&format!("{} {}\n", index.name, index.url));
        }
        let key = Sha256::from_bytes(sha2::Sha256::digest(text.as_bytes()).into());
        Ok(Some(self.world.cache_subdirectory("sdists")?.join(format!("{key}.json"))))
    }
}

/// What a build of sources said that no index has.
pub(super) struct Learned {
    /// The name under which the answer is kept.
    pub(super) filename: ArtifactFilename,
    /// The version.
    pub(super) version: Version,
    /// The headers of METADATA on which a resolution can depend.
    pub(super) headers: String,
    /// The digest of all of METADATA.
    pub(super) metadata_sha256: Sha256,
}

/// Sources that are to be built, and what must come out.
struct Sources<'a> {
    place: SourcePlace<'a>,
    expected: Expected,
}

/// Where sources are.
enum SourcePlace<'a> {
    /// On an index.
    Index(&'a Sdist<'a>),
    /// In the store.
    Stored {
        stored: &'a Stored,
        /// Where in them the project is.
        subdirectory: Option<&'a ArchivePath>,
    },
}

impl<'a> Sources<'a> {
    fn of(sdist: &'a Sdist<'a>) -> Self {
        let expected = Expected { name: sdist.name.clone(), version: Some(sdist.version.clone()), metadata: None };
        Self { place: SourcePlace::Index(sdist), expected }
    }
}

impl std::fmt::Display for Sources<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.expected.name)?;
        self.expected.version.iter().try_for_each(|version| write!(f, " {version}"))
    }
}

impl SourcePlace<'_> {
    fn sha256(&self) -> Option<Sha256> {
        match self {
            Self::Index(sdist) => sdist.file.sha256,
            Self::Stored { stored, .. } => Some(*stored.sha256()),
        }
    }

    const fn subdirectory(&self) -> Option<&ArchivePath> {
        match self {
            Self::Index(_) => None,
            Self::Stored { subdirectory, .. } => *subdirectory,
        }
    }
}

/// One sdist, stored, and what its build runs with.
struct Run<'a> {
    workshop: Workshop<'a>,
    stored: &'a Stored,
    system: &'a BuildSystem,
    /// The machine that builds.
    host: Target,
}

impl Builder for Sdists<'_> {
    fn metadata(&mut self, desk: &mut Desk, sdist: &Sdist<'_>) -> Result<MetadataFact, Unsolved> {
        let recorded = match self.known.get(&sdist.file.filename) {
            Some(known) => known.clone(),
            None => self.build(desk, &Sources::of(sdist))?,
        };
        let fact = MetadataFact::new(recorded.metadata.headers.clone().into_bytes(), sdist.file)?;
        let fact = MetadataFact { sha256: recorded.metadata.sha256, ..fact };
        self.known.insert(sdist.file.filename.clone(), recorded);
        Ok(fact)
    }
}

/// Build requirements are taken as wheels: what builds the tools would have to be locked too, without end.
struct NoBuilds;

impl Builder for NoBuilds {
    fn metadata(&mut self, _desk: &mut Desk, sdist: &Sdist<'_>) -> Result<MetadataFact, Unsolved> {
        Err(Failure::new(Exit::No, format!("the build requirement `{}` exists as source only", sdist.file.filename))
            .into())
    }
}

fn fetch_sdist(
    fetcher: &Fetcher,
    store: &Store,
    sdist: &Sdist<'_>,
    pinner: &mut Pinner<'_>,
) -> Result<Stored, Failure> {
    let file = pinner.file(sdist.file, sdist.origin)?;
    let artifact = Artifact {
        filename: file.filename,
        url: file.url,
        size_bytes: file.size_bytes,
        sha256: file.sha256,
        origin: sdist.origin.clone(),
    };
    Ok(fetcher.download(&artifact, store, &|_| {})?)
}

fn host_target(interpreter: &Interpreter) -> Result<Target, Failure> {
    let minor = PythonMinor::of(&interpreter.version).ok_or_else(|| {
        Failure::new(Exit::Input, format!("Python {} cannot build", interpreter.version))
            .help("give another with --python")
    })?;
    Ok(Target::new(interpreter.target_system()?, minor))
}

fn parsed(requires: &[String], filename: &ArtifactFilename) -> Result<Vec<Requirement>, Failure> {
    let parse = |text: &String| {
        Requirement::parse(text)
            .map_err(|e| Failure::of(Exit::Input, &e).with("requirement", text).with("of the build of", filename))
    };
    requires.iter().map(parse).collect()
}

/// Adds a target's recipe to the one that is equal to it, or as a new one.
fn add_recipe(recipes: &mut Vec<BuildRecipe>, target: &Target, recipe: BuildRecipe) {
    let whole = Target::new(*target.system(), target.python()).to_string();
    let same = recipes.iter_mut().find(|known| BuildRecipe { targets: Vec::new(), ..(*known).clone() } == recipe);
    let recipe = match same {
        Some(known) => known,
        None => {
            recipes.push(recipe);
            let last = recipes.len() - 1;
            &mut recipes[last]
        }
    };
    if !recipe.targets.contains(&whole) {
        recipe.targets.push(whole);
    }
}
