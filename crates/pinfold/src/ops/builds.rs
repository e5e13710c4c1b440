//! From a stored sdist to a stored wheel: an environment of exactly the locked build requirements, and the backend in it.
//!
//! The environment is made as every other one is: selected, fetched, verified, unpacked, staged, exchanged. A wheel that was
//! built before from the same sdist, with the same recipe, for the same interpreter, is taken from the store.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use pinfold_artifact::{ArchivePath, Artifact, ArtifactFilename, Origin, SafeUrl, Sha256};
use pinfold_build::{BuildSystem, Expected, Workbench, build_wheel};
use pinfold_install::{Bytecode, Environment, Intent, LinkMode, Relocation, StageOptions};
use pinfold_lock::{Accepted, ArtifactKind, BuildRecipe, BuildTool, Direct, Selected, Selection, Wanted};
use pinfold_store::{Store, Stored};
use serde::{Deserialize, Serialize};
use sha2::Digest;
use tempfile::TempDir;

use super::trees::{self, Workshop};
use crate::exit::{Exit, Failure};

/// Returns the wheel of a locked sdist.
///
/// # Errors
/// Exit 3 if the lock has no recipe for it or the wheel is another than the lock expects; exit 4 if the build fails.
pub(crate) fn wheel_of(
    workshop: &Workshop<'_>,
    selected: &Selected,
    sdist: &Stored,
    accepts: &[Accepted],
) -> Result<Stored, Failure> {
    let Some(recipe) = &selected.recipe else {
        return Err(Failure::refused("unlocked-build", format!("refused to build `{}`", selected.artifact.filename))
            .with("expected", "a recipe in [tool.pinfold] that pins what the build needs")
            .help("lock again with the package's name in `build` of the manifest, if it may be built"));
    };
    let subdirectory = selected.direct.as_ref().and_then(Direct::subdirectory);
    let key = recipe_key(workshop, recipe, subdirectory);
    if let Some(wheel) = built_before(workshop, &key)? {
        return Ok(wheel);
    }
    workshop.output.status(&format!("building {} {}", selected.name, selected.version));
    let system = BuildSystem::from_recipe(&recipe.backend, &recipe.backend_path, subdirectory);
    let expected = Expected {
        name: selected.name.clone(),
        version: Some(selected.version.clone()),
        metadata: Some(recipe.metadata),
    };
    with_bench(workshop, &recipe.requires, accepts, |bench| {
        let built = build_wheel(sdist, &system, bench, &expected, &bench.scratch)?;
        let wheel =
            BuiltRecord { filename: built.filename().clone(), size_bytes: built.size_bytes(), sha256: *built.sha256() };
        let stored = admit(workshop.store, &wheel.artifact(&key)?, built.path())?;
        remember(workshop, &key, &wheel)?;
        Ok(stored)
    })
    .map_err(|failure| failure.with("while building", format!("{} {}", selected.name, selected.version)))
}

/// Returns the wheel that was built before from a locked sdist with the locked recipe, if the store still has both, and the
/// sdist from the index that the lock names.
///
/// # Errors
/// Exit 4 if the disk fails.
pub(crate) fn known_wheel(workshop: &Workshop<'_>, selected: &Selected) -> Result<Option<Artifact>, Failure> {
    let is_from_index = !matches!(selected.direct, Some(Direct::Directory { .. } | Direct::Git { .. }));
    let Some(recipe) = selected.recipe.as_ref().filter(|_| is_from_index) else { return Ok(None) };
    if workshop.store.find(&selected.artifact)?.is_none() {
        return Ok(None);
    }
    let key = recipe_key(workshop, recipe, selected.direct.as_ref().and_then(Direct::subdirectory));
    let Some(wheel) = record(workshop, &key)?.map(|record| record.artifact(&key)).transpose()? else { return Ok(None) };
    Ok(workshop.store.find(&wheel)?.map(|_| wheel))
}

/// Makes an environment of the tools, and lets `work` run in it.
///
/// # Errors
/// What fetching, unpacking and staging say, and what `work` says.
pub(crate) fn with_bench<R>(
    workshop: &Workshop<'_>,
    tools: &[BuildTool],
    accepts: &[Accepted],
    work: impl FnOnce(&Workbench) -> Result<R, Failure>,
) -> Result<R, Failure> {
    in_bench(workshop, tools, accepts, work).map(|(done, _)| done)
}

/// As [`with_bench`]; the caller says when the environment is removed, by dropping what comes with the result.
///
/// # Errors
/// As [`with_bench`].
pub(crate) fn in_bench<R>(
    workshop: &Workshop<'_>,
    tools: &[BuildTool],
    accepts: &[Accepted],
    work: impl FnOnce(&Workbench) -> Result<R, Failure>,
) -> Result<(R, TempDir), Failure> {
    let scratch = workshop.world.cache_subdirectory("builds")?;
    let scratch = tempfile::Builder::new().prefix("build-").tempdir_in(&scratch).map_err(|e| {
        Failure::new(Exit::World, format!("cannot make a directory in `{}`", scratch.display())).with("cause", e)
    })?;
    let selection = selection(tools);
    let environment = Environment::at(&scratch.path().join("environment"))?;
    let digest = Sha256::from_bytes([0; 32]);
    let wanted = Wanted::default();
    let intent = Intent {
        environment: &environment,
        interpreter: workshop.interpreter,
        lock_sha256: &digest,
        selection: &selection,
        wanted: &wanted,
        lock_as_of: None,
        relocation: Relocation::Fixed,
    };
    let guard = environment.lock()?;
    let options = StageOptions {
        link_mode: LinkMode::Auto,
        bytecode: Bytecode::Leave,
        compiled: None,
        installed_at: "1980-01-01T00:00:00Z",
        keep: 0,
        total: &|_| {},
        progress: &|_| {},
    };
    trees::stage(workshop, &guard, &intent, &options, accepts, "tools")?.exchange()?;
    let run = scratch.path().join("run");
    std::fs::create_dir(&run).map_err(|e| Failure::of(Exit::World, &e))?;
    let done = work(&Workbench::new(&environment.python(), &run, &workshop.world.search_path))?;
    Ok((done, scratch))
}

/// Makes the trees of tools ahead of [`in_bench`], which then finds them: builds that begin together mostly want the same.
///
/// # Errors
/// What fetching and unpacking say.
pub(crate) fn make_tools(workshop: &Workshop<'_>, tools: &[BuildTool], accepts: &[Accepted]) -> Result<(), Failure> {
    trees::make(workshop, &selection(tools), accepts, &|_, _| {}).map(drop)
}

fn selection(tools: &[BuildTool]) -> Selection {
    Selection { packages: tools.iter().map(selected_tool).collect() }
}

fn selected_tool(tool: &BuildTool) -> Selected {
    let origin = Origin::new(&tool.index, tool.file.url.file_host());
    Selected {
        name: tool.name.clone(),
        version: tool.version.clone(),
        artifact: Artifact {
            filename: tool.file.filename.clone(),
            url: tool.file.url.clone(),
            size_bytes: tool.file.size_bytes,
            sha256: tool.file.sha256,
            origin,
        },
        kind: ArtifactKind::Wheel,
        recipe: None,
        dependencies: BTreeSet::new(),
        direct: None,
        metadata_sha256: None,
    }
}

/// What is remembered of a wheel that was built.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BuiltRecord {
    filename: ArtifactFilename,
    size_bytes: u64,
    sha256: Sha256,
}

impl BuiltRecord {
    /// Returns the wheel as an artifact of its own recipe: no index may serve it.
    fn artifact(&self, key: &Sha256) -> Result<Artifact, Failure> {
        let url: SafeUrl = format!("file:///built/{key}/{}", self.filename)
            .parse()
            .map_err(|e: pinfold_artifact::UrlError| Failure::of(Exit::Bug, &e))?;
        let origin = Origin::direct(&url);
        Ok(Artifact { filename: self.filename.clone(), url, size_bytes: self.size_bytes, sha256: self.sha256, origin })
    }
}

/// Digest of everything that decides what a build gives: sdist, recipe, interpreter.
fn recipe_key(workshop: &Workshop<'_>, recipe: &BuildRecipe, subdirectory: Option<&ArchivePath>) -> Sha256 {
    let mut text = format!("{} {} {}\n", recipe.sdist, recipe.backend, recipe.backend_path.join(" "));
    text.push_str(&format!("{} {}\n", workshop.interpreter.version, workshop.interpreter.base_prefix.display()));
    if let Some(subdirectory) = subdirectory {
        text.push_str(&format!("in {subdirectory}\n"));
    }
    for tool in &recipe.requires {
        text.push_str(&format!("{}\n", tool.file.sha256));
    }
    Sha256::from_bytes(sha2::Sha256::digest(text.as_bytes()).into())
}

fn record_path(workshop: &Workshop<'_>, key: &Sha256) -> Result<PathBuf, Failure> {
    Ok(workshop.world.cache_subdirectory("built")?.join(format!("{key}.json")))
}

/// Returns the wheel that the same recipe gave before, if the store still has it.
fn built_before(workshop: &Workshop<'_>, key: &Sha256) -> Result<Option<Stored>, Failure> {
    match record(workshop, key)? {
        Some(record) => Ok(workshop.store.find(&record.artifact(key)?)?),
        None => Ok(None),
    }
}

/// Returns what is remembered of the build with this key; none if nothing is, or nothing that can be read.
fn record(workshop: &Workshop<'_>, key: &Sha256) -> Result<Option<BuiltRecord>, Failure> {
    let text = std::fs::read(record_path(workshop, key)?).ok();
    Ok(text.and_then(|text| serde_json::from_slice(&text).ok()))
}

fn remember(workshop: &Workshop<'_>, key: &Sha256, record: &BuiltRecord) -> Result<(), Failure> {
    let text = serde_json::to_vec(record).map_err(|e| Failure::of(Exit::Bug, &e))?;
    super::write_whole(&record_path(workshop, key)?, &text)
}

fn admit(store: &Store, wheel: &Artifact, path: &Path) -> Result<Stored, Failure> {
    let mut file = std::fs::File::open(path).map_err(|e| {
        Failure::new(Exit::World, format!("cannot open the built `{}`", path.display())).with("cause", e)
    })?;
    Ok(store.admit(wheel, &mut file)?)
}
