//! What exists as source only: built while locking, to learn what it needs, with tools that are locked like everything else.
//!
//! Where an sdist's own claims do not bind the wheels that are built from it, the backend is asked, in an environment of exactly
//! the build requirements that were resolved with the same cutoff and the same indexes. Where they do (PEP 643), the build
//! waits until the sdist is chosen. The recipe goes into the lock: for
//! each target the tools with their digests, and the digest of the METADATA that the build must give again.
//!
//! A build takes seconds, so it begins as soon as the resolver asks for its answer, or the sdist of a version comes that the
//! maintainer pins exactly, and runs while the index is asked for other things. Only what the manifest's `build` names is ever
//! built, and never a version that only might be wanted.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::{self, JoinHandle};

use jiff::Timestamp;
use pinfold_artifact::{ArchivePath, ArtifactFilename, SafeUrl, Sha256};
use pinfold_build::Expected;
use pinfold_fetch::Fetcher;
use pinfold_lock::{Accepted, BuildRecipe, BuildTool};
use pinfold_packaging::{BuildPolicy, Metadata, PackageName, Requirement, Strategy, Target, Version};
use pinfold_resolve::{Problem, Solution};
use pinfold_store::Stored;

use super::desk::{Builder, Desk, Ring, Sdist, Unsolved};
use super::inputs::Inputs;
use super::kept::KeptTools;
use super::pin::Pinner;
use super::recording::{RecordedSdist, Recording};
use super::source::{MetadataFact, Source, missing};
use super::yard::{Asker, SourcePlace, Sources, Yard, tools};
use crate::exit::{Exit, Failure};
use crate::ops::hands;
use crate::output::Output;
use crate::world::World;

/// The sdists of one lock, and how they are built.
pub(super) struct Sdists<'a> {
    world: &'a World,
    output: &'a Output,
    fetcher: Option<Arc<Fetcher>>,
    python: Option<&'a Path>,
    common: Problem,
    kept_tools: KeptTools,
    requires_python: Option<pinfold_packaging::Specifiers>,
    accepts: Vec<Accepted>,
    /// Where builds run, once one is needed.
    yard: Option<Arc<Yard>>,
    /// Asks the interpreter what it is.
    readying: Option<JoinHandle<()>>,
    /// Builds that run.
    begun: BTreeMap<ArtifactFilename, JoinHandle<Result<RecordedSdist, Unsolved>>>,
    /// What the build of each sdist said.
    known: BTreeMap<ArtifactFilename, RecordedSdist>,
}

/// What decides which tools a build gets: the index of its sdist, what it requires, and which versions are kept.
type Wants<'a> = (&'a SafeUrl, Vec<Requirement>, BTreeMap<PackageName, Vec<Version>>);

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
            // The lowest versions are asked for of what the application needs, not of what builds it.
            strategy: Strategy::Highest,
            ..inputs.problem(&inputs.targets[0], cutoff, BTreeMap::new())
        };
        Self {
            world,
            output,
            fetcher,
            python,
            common,
            kept_tools: KeptTools::default(),
            requires_python: inputs.manifest.requires_python.clone(),
            accepts: inputs.accepts(),
            yard: None,
            readying: None,
            begun: BTreeMap::new(),
            known: recorded.map(|recording| recording.sdists.clone()).unwrap_or_default(),
        }
    }

    /// Keeps the build tools of an earlier lock.
    pub(super) fn keep_tools(&mut self, kept_tools: KeptTools) {
        self.kept_tools = kept_tools;
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
        self.build_chosen(solutions, &desk.shared_source())?;
        let mut recipes: Vec<BuildRecipe> = Vec::new();
        for solution in solutions {
            // Most builds of a target want the same.
            let mut known_tools: Vec<(Wants<'_>, Vec<BuildTool>)> = Vec::new();
            for (name, chosen) in solution.packages.iter().filter(|(_, chosen)| chosen.is_sdist()) {
                let file = pinner.file(&chosen.file, &chosen.origin)?;
                let Some(known) = self.known.get(&chosen.file.filename).cloned() else {
                    return Err(
                        Failure::new(Exit::Bug, format!("`{}` was chosen and never built", file.filename)).into()
                    );
                };
                let requires = parsed(&known.requires, &file.filename)?;
                let what = format!("the build of {name} {}", chosen.version);
                let kept = self.kept_tools.of(name, &solution.target);
                let wants = (chosen.origin.index(), requires, kept.clone());
                let requires = match known_tools.iter().find(|(same, _)| *same == wants) {
                    Some((_, tools)) => tools.clone(),
                    None => {
                        let asker = Asker { what, index: Some(chosen.origin.index()), kept };
                        tools(&self.common, desk, (&asker, &wants.1), &solution.target, pinner)?
                    }
                };
                known_tools.push((wants, requires.clone()));
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

    /// Builds what was chosen on the word of its PKG-INFO: the lock has the digest of what a build gives.
    fn build_chosen(&mut self, solutions: &[Solution], source: &Arc<Source>) -> Result<(), Unsolved> {
        let packages = solutions.iter().flat_map(|solution| &solution.packages);
        let chosen: BTreeMap<&ArtifactFilename, Sdist<'_>> = packages
            .filter(|(_, chosen)| chosen.is_sdist() && !self.known.contains_key(&chosen.file.filename))
            .map(|(name, chosen)| {
                let (version, file, origin) = (&chosen.version, &chosen.file, &chosen.origin);
                (&file.filename, Sdist { name, version, file, origin })
            })
            .collect();
        for sdist in chosen.values() {
            self.begin(source, sdist, &|| None)?;
        }
        for sdist in chosen.values() {
            self.metadata(source, sdist)?;
        }
        Ok(())
    }

    /// Returns where builds run.
    fn yard(&mut self, source: &Arc<Source>, wanted: &str) -> Result<Arc<Yard>, Failure> {
        if let Some(yard) = &self.yard {
            return Ok(Arc::clone(yard));
        }
        let Some(fetcher) = self.fetcher.clone() else { return Err(missing(wanted)) };
        let yard = Arc::new(Yard {
            world: self.world.clone(),
            output: self.output.clone(),
            fetcher,
            source: source.unfiltered().map_or_else(|| Arc::clone(source), Arc::new),
            python: self.python.map(Path::to_owned),
            requires_python: self.requires_python.clone(),
            accepts: self.accepts.clone(),
            common: self.common.clone(),
            kept_tools: self.kept_tools.clone(),
            interpreter: OnceLock::new(),
            made: Mutex::default(),
            sweepers: Mutex::default(),
        });
        self.yard = Some(Arc::clone(&yard));
        Ok(yard)
    }

    /// Returns what the build says: kept from before, or by running it.
    fn build(&mut self, source: &Arc<Source>, sources: &Sources) -> Result<RecordedSdist, Unsolved> {
        let yard = self.yard(source, &sources.to_string())?;
        match yard.kept(sources)? {
            Some(kept) => Ok(kept),
            None => yard.build(sources),
        }
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
                let (stored, subdirectory) = (stored.clone(), subdirectory.cloned());
                let place = SourcePlace::Stored { stored, subdirectory };
                self.build(&desk.shared_source(), &Sources { place, expected })?
            }
            (None, None) => return Err(missing(name.as_str()).into()),
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

impl Builder for Sdists<'_> {
    fn knows(&mut self, source: &Arc<Source>, sdist: &Sdist<'_>) -> Result<bool, Failure> {
        let filename = &sdist.file.filename;
        if self.known.contains_key(filename) {
            return Ok(true);
        }
        if self.fetcher.is_none() {
            return Ok(false);
        }
        let sources = Sources::on_index(sdist.name, sdist.version, sdist.file, sdist.origin);
        let kept = self.yard(source, filename.as_str())?.kept(&sources)?;
        let is_kept = kept.is_some();
        self.known.extend(kept.map(|kept| (filename.clone(), kept)));
        Ok(is_kept)
    }

    /// Asks the interpreter what it is: a build waits for the answer before it can do anything else. What goes wrong is told
    /// when the answer is needed.
    fn make_ready(&mut self, source: &Arc<Source>) -> Result<(), Failure> {
        if self.fetcher.is_none() || self.readying.is_some() {
            return Ok(());
        }
        let yard = self.yard(source, "the interpreter")?;
        let ask = move || drop(yard.interpreter().map(drop));
        self.readying = thread::Builder::new().name("interpreter".to_owned()).spawn(ask).ok();
        Ok(())
    }

    fn begin(
        &mut self,
        source: &Arc<Source>,
        sdist: &Sdist<'_>,
        ring: &dyn Fn() -> Option<Ring>,
    ) -> Result<bool, Failure> {
        let filename = &sdist.file.filename;
        let running = self.begun.values().filter(|build| !build.is_finished()).count();
        let has_room = running < hands::cores();
        if !has_room || self.begun.contains_key(filename) || self.fetcher.is_none() || self.knows(source, sdist)? {
            return Ok(false);
        }
        let sources = Sources::on_index(sdist.name, sdist.version, sdist.file, sdist.origin);
        let yard = self.yard(source, filename.as_str())?;
        let ring = ring();
        let work = move || {
            let built = yard.build(&sources);
            // Whoever waits for it may find that it has ended a moment before it is seen to: it is joined then.
            drop(ring);
            built
        };
        // Without a thread it is built when its answer is needed.
        let Ok(build) = thread::Builder::new().name(format!("build {filename}")).spawn(work) else { return Ok(false) };
        self.begun.insert(filename.clone(), build);
        Ok(true)
    }

    fn metadata(&mut self, source: &Arc<Source>, sdist: &Sdist<'_>) -> Result<MetadataFact, Unsolved> {
        let filename = &sdist.file.filename;
        let recorded = match (self.known.get(filename), self.begun.remove(filename)) {
            (Some(known), _) => known.clone(),
            (None, Some(build)) => {
                let lost = || Failure::new(Exit::Bug, format!("the build of `{filename}` ended without an answer"));
                build.join().map_err(|_| lost())??
            }
            (None, None) => {
                let sources = Sources::on_index(sdist.name, sdist.version, sdist.file, sdist.origin);
                self.build(source, &sources)?
            }
        };
        let fact = MetadataFact::new(recorded.metadata.headers.clone().into_bytes(), sdist.file)?;
        let fact = MetadataFact { sha256: recorded.metadata.sha256, ..fact };
        self.known.insert(filename.clone(), recorded);
        Ok(fact)
    }
}

impl Drop for Sdists<'_> {
    /// Waits for builds whose answers nobody needs after all: they clean up behind themselves.
    fn drop(&mut self) {
        std::mem::take(&mut self.begun).into_values().for_each(|build| drop(build.join()));
        self.readying.take().into_iter().for_each(|readying| drop(readying.join()));
    }
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
