//! The cache directory as a whole: what is in it, whether it is what was stored, and making room in it.
//!
//! What is known of environments (`environments/`) is no cache: it is the account of what was installed, and is never pruned.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use pinfold_artifact::Sha256;
use pinfold_install::{Environment, held, ledger};
use pinfold_store::{Damage, Part, Room, Store, StoreError, Wait, remove_tree};

use super::{hands, remember};
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::world::World;

/// What one kind of entries takes.
#[derive(Debug)]
pub(crate) struct KindRoom {
    pub(crate) kind: String,
    pub(crate) room: Room,
}

/// Measures the cache directory: the store's kinds, then every other directory that pinfold makes in it.
///
/// # Errors
/// Exit 2 if something else is in its place, 4 if the disk fails.
pub(crate) fn info(world: &World) -> Result<Vec<KindRoom>, Failure> {
    is_there(world)?;
    let mut kinds: Vec<KindRoom> = Vec::new();
    if let Some(store) = Store::existing(&store_dir(world)) {
        let rooms = store.rooms()?;
        kinds.extend(rooms.into_iter().map(|(kind, room)| KindRoom { kind: kind.to_owned(), room }));
    }
    for (name, path) in subdirectories(&world.cache_dir) {
        match name.as_str() {
            STORE => {}
            "pages" => {
                let (packs, pages): (Vec<_>, Vec<_>) = paths(&path).into_iter().partition(|path| is_pack(path));
                kinds.push(KindRoom { kind: "packs".to_owned(), room: sum(&packs) });
                // Pages lie in directories of their own by the first digits of their key.
                let room = sum(&pages);
                kinds.push(KindRoom { kind: name, room: Room { entries: room.files, ..room } });
            }
            _ => kinds.push(KindRoom { kind: name, room: sum(&paths(&path)) }),
        }
    }
    Ok(kinds)
}

/// Returns true if there is a cache directory: whoever looks at one, or makes room in it, makes none.
fn is_there(world: &World) -> Result<bool, Failure> {
    let failed =
        |exit| Failure::new(exit, format!("cannot look at the cache directory `{}`", world.cache_dir.display()));
    match fs::metadata(&world.cache_dir) {
        Ok(found) if found.is_dir() => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) if error.kind() != ErrorKind::NotADirectory => Err(failed(Exit::World).with("cause", error)),
        _ => Err(Failure::new(Exit::Input, format!("`{}` cannot be a cache directory", world.cache_dir.display()))
            .with("cause", "it is no directory, or something above it is none")
            .help("name a directory with --cache-dir or PINFOLD_CACHE_DIR")),
    }
}

/// Returns true if there is a store, or something else in its place.
fn has_store(world: &World) -> bool {
    !fs::symlink_metadata(store_dir(world)).is_err_and(|error| error.kind() == ErrorKind::NotFound)
}

/// What reading everything came to.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    pub(crate) artifacts: usize,
    pub(crate) trees: usize,
    pub(crate) bytes: u64,
    /// Files with the right bytes that had other permissions, times or numbers.
    pub(crate) moved_files: usize,
    /// How many of them are in trees of which that could not be noted.
    pub(crate) unnoted_files: usize,
    /// What is not what was stored, and the indexes that it was admitted from.
    pub(crate) damage: Vec<(Part, Damage, Vec<String>)>,
    /// Why something of that is still in its place: the first reason, if it could not be moved.
    pub(crate) unmoved: Option<StoreError>,
}

/// Reads every byte of every artifact and tree, and every record that may be read. What is damaged is moved to the quarantine;
/// files with the right bytes are read-only afterwards, as they were stored.
///
/// # Errors
/// Exit 2 if something else is in the place of the cache directory, 4 if the disk fails.
pub(crate) fn verify(world: &World, output: &Output) -> Result<Checked, Failure> {
    if !is_there(world)? || !has_store(world) {
        return Ok(Checked::default());
    }
    let store = world.store()?;
    let (artifacts, trees) = (store.artifacts()?, store.trees()?);
    let mut work: Vec<(Part, Sha256, u64)> = Vec::new();
    work.extend(artifacts.iter().map(|it| (Part::Artifact, *it, store.entry_room(it).artifact.bytes)));
    for it in &trees {
        let listed = store.peek_tree(it)?.map_or(0, |tree| tree.manifest().files.iter().map(|f| f.size_bytes).sum());
        work.push((Part::Tree, *it, listed));
    }
    work.sort_by_key(|(_, sha256, bytes)| (std::cmp::Reverse(*bytes), *sha256));
    let bar = output.byte_bar("reading", work.iter().map(|(_, _, bytes)| bytes).sum());
    let read = AtomicU64::new(0);
    let progress = |bytes: u64| {
        read.fetch_add(bytes, Ordering::Relaxed);
        bar.inc(bytes);
    };
    let looked = hands::each(&work, HANDS, |(part, sha256, bytes)| match part {
        Part::Artifact => {
            let found = store.read_artifact(sha256)?;
            progress(*bytes);
            Ok::<_, StoreError>((found.into_iter().collect(), None))
        }
        Part::Tree => match store.peek_tree(sha256)? {
            Some(tree) => Ok((store.read_tree(&tree, &progress)?, Some(tree))),
            // Another process may have put it aside since it was listed.
            None if store.has_tree(sha256) => Ok((vec![store.unreadable(sha256)], None)),
            None => Ok((Vec::new(), None)),
        },
    });
    bar.finish_and_clear();
    let mut checked = Checked { artifacts: artifacts.len(), trees: trees.len(), ..Checked::default() };
    for ((part, sha256, _), looked) in work.iter().zip(looked) {
        let (damage, tree) = looked?;
        if damage.is_empty() {
            if let Some(believed) = tree.map(|tree| store.believe(tree)).transpose()? {
                checked.moved_files += believed.files;
                checked.unnoted_files += if believed.is_noted { 0 } else { believed.files };
            }
            continue;
        }
        let origins = store.origins(sha256)?;
        // What is in the place of the tree that was read may be another one by now.
        let moved = tree.map_or_else(|| store.quarantine_entry(sha256, *part), |tree| store.quarantine(&tree));
        checked.unmoved = checked.unmoved.or(moved.err());
        checked.damage.extend(damage.into_iter().map(|damage| (*part, damage, origins.clone())));
    }
    for sha256 in store.entries()? {
        if let Some(damage) = store.read_record(&sha256)? {
            checked.unmoved = checked.unmoved.or(store.quarantine_entry(&sha256, Part::Artifact).err());
            checked.damage.push((Part::Artifact, damage, Vec::new()));
        }
    }
    checked.damage.sort_by(|(_, a, _), (_, b, _)| (a.artifact, &a.path).cmp(&(b.artifact, &b.path)));
    checked.bytes = read.into_inner();
    Ok(checked)
}

/// What is to be removed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PruneRequest {
    /// Everything that pinfold made there but the account of what was installed.
    pub(crate) all: bool,
    /// What was not used for so long.
    pub(crate) older_than: Option<Duration>,
    /// What no environment that is known uses.
    pub(crate) unused: bool,
    /// Whether anything is removed.
    pub(crate) effect: Effect,
    /// How long to wait for processes that use the store.
    pub(crate) wait: Wait,
}

/// Whether something is done or only told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It is done.
    Remove,
    /// It is told.
    Tell,
}

/// Removes what the request says. Leftovers of interrupted runs and damage are always removed.
///
/// # Errors
/// Exit 2 if something else is in the place of the cache directory, 4 if others use the store and are not waited for, or the disk fails.
pub(crate) fn prune(request: &PruneRequest, world: &World, output: &Output) -> Result<Vec<KindRoom>, Failure> {
    if !is_there(world)? {
        return Ok(Vec::new());
    }
    // Whoever only wants to know makes nothing, and keeps nobody waiting.
    let store = match request.effect {
        Effect::Remove if has_store(world) => Some(alone(request, world, output)?),
        Effect::Remove => None,
        Effect::Tell => Store::existing(&store_dir(world)),
    };
    let mut removed = Vec::new();
    let mut note = |kind: &str, room: Room| removed.push(KindRoom { kind: kind.to_owned(), room });
    let rooms = store.as_ref().map(Store::rooms).transpose()?.unwrap_or_default();
    for kind in LEFTOVERS {
        note(kind, rooms.get(kind).copied().unwrap_or_default());
    }
    let used = if request.unused && !request.all { used(world)? } else { BTreeSet::new() };
    let doomed = store.as_ref().map(|store| doomed(request, store, &used)).transpose()?.unwrap_or_default();
    let (mut artifacts, mut trees) = (Room::default(), Room::default());
    for room in store.iter().flat_map(|store| doomed.iter().map(|sha256| store.entry_room(sha256))) {
        (artifacts, trees) = (artifacts.and(room.artifact), trees.and(room.tree));
    }
    note("artifacts", artifacts);
    note("trees", trees);
    let others = others(request, world);
    for (kind, paths) in &others {
        note(kind, sum(paths));
    }
    if request.effect == Effect::Remove {
        if let Some(store) = &store {
            store.sweep(Duration::ZERO)?;
            doomed.iter().try_for_each(|sha256| store.remove(sha256))?;
        }
        others.iter().flat_map(|(_, paths)| paths).try_for_each(|path| remove(path))?;
    }
    Ok(removed)
}

/// Opens the store for this process alone.
fn alone(request: &PruneRequest, world: &World, output: &Output) -> Result<Store, Failure> {
    let directory = store_dir(world);
    if let Some(store) = Store::open_alone(&directory, Wait::Never)? {
        return Ok(store);
    }
    if request.wait == Wait::ForOthers {
        output.status("waiting for another pinfold that uses the store");
        if let Some(store) = Store::open_alone(&directory, Wait::ForOthers)? {
            return Ok(store);
        }
    }
    Err(Failure::new(Exit::World, format!("another pinfold uses the store in `{}`", directory.display()))
        .help("nothing was removed; run the same command again when it is done, or without --no-wait"))
}

/// Returns the entries of the store that are to be removed.
fn doomed(request: &PruneRequest, store: &Store, used: &BTreeSet<Sha256>) -> Result<Vec<Sha256>, Failure> {
    if !request.all && request.older_than.is_none() && !request.unused {
        return Ok(Vec::new());
    }
    let is_old = |sha256: &Sha256| {
        request.older_than.is_none_or(|age| store.last_used(sha256).is_some_and(|time| is_older(time, age)))
    };
    let mut doomed = store.entries()?;
    doomed.retain(|sha256| request.all || (is_old(sha256) && !(request.unused && used.contains(sha256))));
    Ok(doomed)
}

/// Returns the artifacts and wheels of every generation that an environment which is known could go back to.
fn used(world: &World) -> Result<BTreeSet<Sha256>, Failure> {
    let mut used = BTreeSet::new();
    let known = remember::known(world)?.list()?.into_iter().map(|known| known.venv);
    for venv in known.chain([PathBuf::from(".venv")]) {
        let Ok(environment) = Environment::at(&venv) else { continue };
        for generation in held(&environment)? {
            used.extend(generation.receipt.distributions.iter().flat_map(|it| [it.sha256, it.wheel_sha256]));
        }
        if environment.receipt().is_err() {
            // Its receipt cannot be read: whatever it ever held may be needed.
            let entries = ledger(&environment)?.entries.into_iter().flat_map(|entry| entry.distributions);
            used.extend(entries.flat_map(|it| [Some(it.sha256), it.wheel_sha256]).flatten());
        }
    }
    Ok(used)
}

/// Returns what is to be removed beside the store. Builds that nobody is at work on are leftovers.
fn others(request: &PruneRequest, world: &World) -> Vec<(String, Vec<PathBuf>)> {
    let mut found = Vec::new();
    for (name, path) in subdirectories(&world.cache_dir) {
        let mut paths = paths(&path);
        let by_age = request.older_than.filter(|_| !request.unused && AGED.contains(&name.as_str()));
        match (name.as_str(), by_age) {
            (STORE | ENVIRONMENTS, _) => continue,
            ("builds", _) => {}
            _ if request.all => {}
            (_, Some(age)) => paths.retain(|path| modified(path).is_some_and(|time| is_older(time, age))),
            (_, None) => continue,
        }
        found.push((name, paths));
    }
    found
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::symlink_metadata(path).and_then(|metadata| metadata.modified()).ok()
}

fn is_older(time: SystemTime, age: Duration) -> bool {
    time.elapsed().is_ok_and(|found| found >= age)
}

fn remove(path: &Path) -> Result<(), Failure> {
    if fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir()) {
        return Ok(remove_tree(path)?);
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::new(Exit::World, format!("cannot remove `{}`", path.display())).with("cause", error))
        }
        _ => Ok(()),
    }
}

fn store_dir(world: &World) -> PathBuf {
    world.cache_dir.join(STORE)
}

fn is_pack(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("pack-"))
}

fn sum(paths: &[PathBuf]) -> Room {
    paths.iter().map(|path| Room::of(path)).fold(Room::default(), Room::and)
}

/// Returns what is in a directory, sorted; nothing if it cannot be listed.
fn paths(directory: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(directory).into_iter().flatten().flatten().map(|it| it.path()).collect();
    found.sort();
    found
}

/// Returns the directories that pinfold makes in a cache directory, as far as they are there. What else is in it is somebody else's,
/// and so is what a link leads to.
fn subdirectories(directory: &Path) -> Vec<(String, PathBuf)> {
    let is_own = |name: &str| name == STORE || name == ENVIRONMENTS || OTHERS.contains(&name);
    let mut found = Vec::new();
    for path in paths(directory) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if is_own(&name) && fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_dir()) {
            found.push((name, path));
        }
    }
    found
}

const STORE: &str = "store";
/// The account of what was installed: never pruned.
const ENVIRONMENTS: &str = "environments";
/// What is made in a cache directory beside these two. What is not named here is neither counted nor removed: a cache directory may be
/// any directory.
const OTHERS: [&str; 8] =
    ["builds", "built", "compiled", "interpreters", "pages", "repositories", "sdists", "unchanged"];
/// The store's leftovers.
const LEFTOVERS: [&str; 3] = ["partial", "quarantine", "staging"];
/// What can be had again without asking anybody what it was. Pages are not: with them goes what index was seen at which serial.
const AGED: [&str; 5] = ["built", "compiled", "repositories", "sdists", "unchanged"];
/// Both cores.
const HANDS: usize = 2;
