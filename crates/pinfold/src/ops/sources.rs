//! Directories and commits, packed: in the store, where everything else takes them from like any sdist.
//!
//! What is packed is named in the store by the URL of the directory or repository. Nobody is ever asked for it at that URL: it
//! is there, or it is packed again and must have the locked digest.

use std::collections::BTreeSet;
use std::path::Path;

use pinfold_artifact::{Artifact, CommitId, GitUrl, Origin, SafeUrl};
use pinfold_build::{PackedTree, pack_directory};
use pinfold_fetch::Connectivity;
use pinfold_lock::{Direct, Selected};
use pinfold_store::{Store, Stored};

use super::git::{Git, tree_failure};
use super::trees::Workshop;
use crate::exit::{Exit, Failure};
use crate::world::World;

/// Packs a directory as it is now.
///
/// # Errors
/// Exit 4 if it cannot be read, exit 2 if it holds what cannot be packed.
pub(crate) fn directory(world: &World, place: &Path) -> Result<PackedTree, Failure> {
    let fail = |failure: Failure| failure.with("directory", place.display());
    let scratch = world.cache_subdirectory("builds")?;
    let archive = tempfile::tempfile_in(&scratch).map_err(|error| fail(Failure::of(Exit::World, &error)))?;
    pack_directory(place, archive).map_err(|error| fail(tree_failure(&error)))
}

/// Returns the archive of a source tree as an artifact that nobody serves.
pub(crate) fn artifact(url: &SafeUrl, packed: &PackedTree) -> Result<Artifact, Failure> {
    let filename = "source.tar.gz".parse();
    Ok(Artifact {
        filename: filename.map_err(|e: pinfold_artifact::ArtifactFilenameError| Failure::of(Exit::Bug, &e))?,
        url: url.clone(),
        size_bytes: packed.size_bytes,
        sha256: packed.sha256,
        origin: Origin::direct(url),
    })
}

/// Stores a packed tree.
///
/// # Errors
/// Exit 4 if the store fails.
pub(crate) fn admit(store: &Store, artifact: &Artifact, mut packed: PackedTree) -> Result<Stored, Failure> {
    Ok(store.admit(artifact, &mut packed.file)?)
}

/// Fetches and packs a commit.
///
/// # Errors
/// Exit 4 if that is not possible, also because it must not be tried.
pub(crate) fn commit(
    world: &World,
    connectivity: Connectivity,
    url: &GitUrl,
    commit: &CommitId,
) -> Result<(PackedTree, BTreeSet<String>), Failure> {
    check_online(connectivity, url)?;
    let checkout = Git::new(world, url)?.checkout(commit)?;
    Ok((checkout.packed, checkout.submodules))
}

/// A repository on another machine is not asked where no socket may be opened.
pub(crate) fn check_online(connectivity: Connectivity, url: &GitUrl) -> Result<(), Failure> {
    if connectivity == Connectivity::Online || url.transport() == "file" {
        return Ok(());
    }
    Err(Failure::new(Exit::World, format!("cannot ask {url}: the command runs with --offline"))
        .help("run once without --offline, so that it is stored"))
}

/// Gets the locked source tree of a package: exactly the locked bytes, from the store or packed again.
///
/// # Errors
/// Exit 3 if the sources are not the locked ones any more; exit 4 if they cannot be had.
pub(crate) fn get(workshop: &Workshop<'_>, selected: &Selected) -> Result<Stored, Failure> {
    let artifact = &selected.artifact;
    match &selected.direct {
        Some(Direct::Directory { path, .. }) => {
            // A directory is looked at even if the store has what was locked: who installs from it means it as it is.
            let place = artifact.url.as_url().to_file_path().map_err(|()| {
                Failure::new(Exit::Input, format!("`{path}` is no path of this system")).with("package", &selected.name)
            })?;
            if !place.is_dir() {
                return Err(Failure::new(Exit::World, format!("there is no directory `{path}`"))
                    .with("package", &selected.name)
                    .with("looked for at", place.display())
                    .help("the lock has a path that is relative to it: the directory must be there too"));
            }
            let packed = directory(workshop.world, &place)?;
            if !is_locked(selected, &packed) {
                let failure = Failure::refused("source-changed", headline(selected));
                return Err(explained(failure, selected, &packed, path.as_str()).help(CHANGED));
            }
            admit(workshop.store, artifact, packed)
        }
        Some(Direct::Git { url, commit: id, .. }) => {
            if let Some(stored) = workshop.store.find(artifact)? {
                return Ok(stored);
            }
            workshop.output.status(&format!("fetching {} {id} from {url}", selected.name));
            let (packed, _) = commit(workshop.world, workshop.fetcher.connectivity(), url, id)?;
            if !is_locked(selected, &packed) {
                let failure = Failure::refused("hash-mismatch", headline(selected));
                return Err(explained(failure, selected, &packed, &format!("{url} at {id}")).help(FORGED));
            }
            admit(workshop.store, artifact, packed)
        }
        Some(Direct::Archive { .. }) | None => {
            Err(Failure::new(Exit::Bug, format!("`{}` is no source tree", selected.name)))
        }
    }
}

fn is_locked(selected: &Selected, packed: &PackedTree) -> bool {
    packed.sha256 == selected.artifact.sha256 && packed.size_bytes == selected.artifact.size_bytes
}

fn headline(selected: &Selected) -> String {
    format!("refused the sources of `{}`", selected.name)
}

fn explained(failure: Failure, selected: &Selected, packed: &PackedTree, from: &str) -> Failure {
    failure
        .with("from", from)
        .with("expected", format!("sha256:{} (the lock)", selected.artifact.sha256))
        .with("found", format!("sha256:{}", packed.sha256))
}

const CHANGED: &str = "the directory is not what was locked: put it back as it was, or look at the change and lock again with `pinfold lock`";
const FORGED: &str =
    "one commit cannot have two contents: do not install it, and ask who runs the repository or changed the lock";
