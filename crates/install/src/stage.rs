//! A new generation, complete, beside the environment.
//!
//! The environment in place is never changed, and neither is its history: a generation is built whole beside them, or made
//! from the [spare](crate::spare), a former generation that nobody can go back to any more. If that one turns out to be of no
//! use, the generation is built whole after all.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use pinfold_artifact::{ArchivePath, Sha256};
use pinfold_lock::Selected;
use pinfold_packaging::PackageName;
use pinfold_store::StoredTree;
use serde::{Deserialize, Serialize};

use crate::ahead::Ahead;
use crate::compile::Modules;
use crate::disk::{self, Directory, Opened};
use crate::exchange;
use crate::link::{self, NamedTree, Placing};
use crate::listing::Listing;
use crate::merge::{self, Group, Planned};
use crate::receipt::{RECEIPT_DIRECTORY, RECEIPT_FILE};
use crate::reuse::Reused;
use crate::scripts::{Place, check_scripts};
use crate::staging::{Beginning, Staged, StagingDirectory};
use crate::verify::stamps::Stamped;
use crate::wheel_facts::WheelFacts;
use crate::{
    Environment, EnvironmentGuard, InstallError, InstalledDistribution, InstalledLink, Intent, Receipt, Relocation,
    THREADS, base, compile, direct_url, distribution, generations, join, platform, spare, threads,
};

/// How files come from the store into an environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkMode {
    /// Reflink where the file system has it, else hard link, else copy.
    Auto,
    /// Every file a copy of its own.
    Copy,
    /// Hard links; an error where they are impossible.
    Hardlink,
    /// Copies that share blocks until written to; an error where they are impossible.
    Reflink,
}

/// Whether modules are compiled before they are first imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bytecode {
    /// Compile every module now, with the base interpreter.
    Compile,
    /// Leave it to the interpreter.
    #[default]
    Leave,
}

impl Bytecode {
    pub(crate) fn is_left(&self) -> bool {
        *self == Self::Leave
    }
}

/// How to build a generation.
#[derive(Clone, Copy)]
pub struct StageOptions<'a> {
    /// How files come from the store.
    pub link_mode: LinkMode,
    /// Whether modules are compiled.
    pub bytecode: Bytecode,
    /// The directory in which is kept what sources compile to, as in [`VerifyOptions`](crate::VerifyOptions).
    pub compiled: Option<&'a Path>,
    /// The time to write into the receipt (RFC 3339).
    pub installed_at: &'a str,
    /// How many former generations are kept.
    pub keep: usize,
    /// Told how many files there are to be placed, and made of modules at the most, as soon as that is known.
    pub total: &'a (dyn Fn(u64) + Sync),
    /// Told the number of files that were just placed, or modules that were just compiled.
    pub progress: &'a (dyn Fn(u64) + Sync),
}

impl StageOptions<'_> {
    /// How many former generations are kept where nobody says otherwise.
    pub const KEEP: usize = 3;
}

/// Builds a new generation from unpacked trees, one for each package of the intent's selection.
///
/// # Errors
/// As [`Staging::finish`].
pub fn stage<'a>(
    guard: &'a EnvironmentGuard,
    intent: &Intent<'_>,
    trees: &BTreeMap<PackageName, StoredTree>,
    options: &StageOptions<'_>,
) -> Result<Staged<'a>, InstallError> {
    Staging::begin(guard, intent, options)?.finish(trees)
}

/// A generation that is being built. Dropping it removes it.
pub struct Staging<'g, 'a> {
    guard: &'g EnvironmentGuard,
    intent: &'a Intent<'a>,
    options: &'a StageOptions<'a>,
    generation: u64,
    directory: StagingDirectory<'g>,
    beginning: Beginning,
    ahead: Ahead,
}

impl<'g, 'a> Staging<'g, 'a> {
    /// Makes room for a new generation.
    ///
    /// # Errors
    /// [`InstallError::Path`] if no script could be started from there, as [`check_scripts`] says; [`InstallError::Io`].
    pub fn begin(
        guard: &'g EnvironmentGuard,
        intent: &'a Intent<'a>,
        options: &'a StageOptions<'a>,
    ) -> Result<Self, InstallError> {
        check_scripts(guard.environment(), intent.relocation)?;
        let generation = generations::next_number(guard)?;
        exchange::begin(guard)?;
        let spare = spare::find(guard, intent, options);
        let (directory, beginning) = StagingDirectory::make(guard, generation, spare.as_deref())?;
        Ok(Self { guard, intent, options, generation, directory, beginning, ahead: Ahead::default() })
    }

    /// Places the files of one distribution while others still arrive; several threads may do so at once. What cannot be
    /// placed now is told, or placed, by [`Staging::finish`].
    pub fn place_ahead(&self, selected: &Selected, tree: &StoredTree) {
        // Most of what there is to place is in the spare already, and may be in the way.
        if self.beginning == Beginning::Empty {
            self.ahead.place(self.directory.path(), self.intent.interpreter, self.options, selected, tree);
        }
    }

    /// Completes the generation from unpacked trees, one for each package of the intent's selection.
    ///
    /// # Errors
    /// [`InstallError::Conflict`] if two distributions bring different files of one path, [`InstallError::Reserved`] if one
    /// brings a file of the environment's own, [`InstallError::StoreChanged`] if a tree was changed, and what the disk says.
    pub fn finish(self, trees: &BTreeMap<PackageName, StoredTree>) -> Result<Staged<'g>, InstallError> {
        let Self { guard, intent, options, generation, mut directory, beginning, ahead } = self;
        let parts = parts(intent, trees)?;
        let name = |owners: &[u32]| owner_name(&parts, owners);
        let (lists, links) = planned(intent, guard.environment(), &parts)?;
        let merged = merge::merge(&lists, &name)?;
        let trees: Vec<_> =
            parts.iter().map(|part| NamedTree { package: &part.selected.name, tree: part.tree }).collect();
        let groups = merged.groups(&lists);
        (options.total)(steps(&groups, options.bytecode));
        let planned = Whole { groups: &groups, links: &links, trees: &trees, name: &name, intent, options };
        let reused = (beginning == Beginning::Spare).then(|| planned.reuse(directory.opened()));
        let (placed, listing) = match (reused, ahead.into_placed()) {
            // Whatever is wrong with it: it was a spare. If the disk is to blame, it will be again.
            (Some(Err(InstallError::Io { .. })), _) => {
                directory.discard_spare()?;
                planned.build(directory.path(), &HashMap::new())?
            }
            (Some(reused), _) => reused?,
            (None, Some(there)) => planned.build(directory.path(), &there)?,
            (None, None) => {
                directory.empty()?;
                planned.build(directory.path(), &HashMap::new())?
            }
        };
        let root = directory.path();
        let made;
        let (listing, sha256) = match listing {
            (listing, Some(sha256)) => (listing, sha256),
            (listing, None) => {
                let owners: Vec<_> = parts.iter().map(|part| &part.selected.name).collect();
                let (interpreter, kept, files) = (intent.interpreter, options.compiled, listing.files());
                let progress = options.progress;
                let modules = Modules { root, interpreter, files: &files, owners: &owners, kept, progress };
                made = compile::compile(&modules, THREADS)?;
                let listing = listing.add(&made);
                let sha256 = listing.write(root)?;
                (listing, sha256)
            }
        };
        let distributions = parts.iter().map(|part| installed_distribution(part.selected, part.tree)).collect();
        let receipt = write_receipt(root, intent, options, generation, &listing, sha256, distributions)?;
        listing.write_stamps(root, &placed, &receipt.files_sha256)?;
        drop(listing);
        // The process soon ends: to give back tens of thousands of paths one by one takes milliseconds.
        std::mem::forget((merged, lists));
        Ok(Staged::new(guard, directory, receipt, options.keep))
    }
}

/// Returns how many files are placed, and with bytecode how many modules there may be beside them.
fn steps(groups: &[Group<'_>], bytecode: Bytecode) -> u64 {
    let modules = |group: &Group<'_>| match bytecode {
        Bytecode::Compile => group.files.iter().filter(|file| file.path.as_str().ends_with(".py")).count(),
        Bytecode::Leave => 0,
    };
    groups.iter().map(|group| (group.files.len() + modules(group)) as u64).sum()
}

/// Everything that a generation is to hold, but for bytecode and the receipt.
struct Whole<'p> {
    groups: &'p [Group<'p>],
    links: &'p [InstalledLink],
    trees: &'p [NamedTree<'p>],
    name: &'p merge::Naming<'p>,
    intent: &'p Intent<'p>,
    options: &'p StageOptions<'p>,
}

/// What the file system says of the files, their list, and its digest if it is written already.
type Built<'p> = (Vec<Stamped>, (Listing<'p>, Option<Sha256>));

impl<'p> Whole<'p> {
    /// Builds it in a directory in which nothing is but the files that are `there`.
    fn build(&self, root: &Path, there: &HashMap<ArchivePath, Sha256>) -> Result<Built<'p>, InstallError> {
        make_directories(root, self.intent)?;
        make_links(root, self.links)?;
        self.list_while(root, |placing| link::place_all(self.groups, there, placing))
    }

    /// Makes it from a former generation.
    fn reuse(&self, tree: &Opened) -> Result<Built<'p>, InstallError> {
        let reused = Reused::begin(tree)?;
        let own = base::directories(self.intent.interpreter);
        self.list_while(&tree.path, |placing| reused.make(self.groups, self.links, &own, placing))
    }

    /// Does what has nothing to do with the disk while that is at work.
    fn list_while(
        &self,
        root: &Path,
        place: impl FnOnce(&Placing<'_>) -> Result<Vec<Stamped>, InstallError>,
    ) -> Result<Built<'p>, InstallError> {
        let StageOptions { link_mode: mode, progress, bytecode, .. } = *self.options;
        let placing = Placing { root, trees: self.trees, mode, threads: THREADS, progress };
        std::thread::scope(|scope| {
            let twins = scope.spawn(|| merge::check_twins(self.groups, self.name));
            let listing = scope.spawn(|| listing(root, self.groups, self.links, bytecode));
            let placed = place(&placing);
            let (twins, listing) = (join(twins), join(listing));
            // Where twins are one file for the file system, they are why placing failed.
            twins.and(placed).and_then(|placed| Ok((placed, listing?)))
        })
    }
}

/// Lists the files, and writes the list and returns its digest unless modules are compiled first.
fn listing<'a>(
    root: &Path,
    groups: &[Group<'a>],
    links: &[InstalledLink],
    bytecode: Bytecode,
) -> Result<(Listing<'a>, Option<Sha256>), InstallError> {
    let listing = Listing::of(groups, links.to_vec());
    let sha256 = match bytecode {
        Bytecode::Compile => None,
        Bytecode::Leave => Some(listing.write(root)?),
    };
    Ok((listing, sha256))
}

/// A package of the selection with its tree.
pub(crate) struct Part<'a> {
    pub(crate) selected: &'a Selected,
    pub(crate) tree: &'a StoredTree,
    pub(crate) facts: WheelFacts,
}

fn parts<'a>(intent: &Intent<'a>, trees: &'a BTreeMap<PackageName, StoredTree>) -> Result<Vec<Part<'a>>, InstallError> {
    let part = |selected: &'a Selected| {
        let missing = || InstallError::MissingTree { name: selected.name.clone() };
        let tree = trees.get(&selected.name).ok_or_else(missing)?;
        let facts = WheelFacts::of(tree.manifest()).ok_or_else(missing)?;
        Ok::<_, InstallError>(Part { selected, tree, facts })
    };
    let mut selected: Vec<&Selected> = intent.selection.packages.iter().collect();
    selected.sort_by(|a, b| a.name.cmp(&b.name));
    threads::map(&selected, |_, selected| part(selected)).into_iter().collect()
}

/// Returns what the environment itself brings, and then what each part does; and the links of the environment.
fn planned<'a>(
    intent: &Intent<'_>,
    environment: &Environment,
    parts: &'a [Part<'a>],
) -> Result<(Vec<Vec<Planned<'a>>>, Vec<InstalledLink>), InstallError> {
    let place = Place::new(environment, intent.relocation);
    let (own, links) = base::environment_files(intent.interpreter, &place)?;
    let weight = |part: &Part<'_>| part.tree.manifest().files.len();
    let of_each = threads::map_heaviest_first(parts, weight, |position, part| {
        distribution::files(part, u32::try_from(position).unwrap_or(u32::MAX), intent.interpreter, &place)
    });
    Ok(([Ok(own)].into_iter().chain(of_each).collect::<Result<_, InstallError>>()?, links))
}

/// Says whose a file is.
fn owner_name(parts: &[Part<'_>], owners: &[u32]) -> String {
    let first = owners.first().and_then(|owner| parts.get(*owner as usize));
    let named = |part: &Part<'_>| format!("{} {}", part.selected.name, part.selected.version);
    first.map_or_else(|| "the environment itself".to_owned(), named)
}

/// Makes the directories that are there even when nothing is installed.
fn make_directories(root: &Path, intent: &Intent<'_>) -> Result<(), InstallError> {
    let own: Vec<String> = base::directories(intent.interpreter).into_iter().map(|path| path + "/.").collect();
    let mut directories = BTreeSet::new();
    own.iter().for_each(|path| disk::add_parents(&mut directories, path));
    directories.insert(RECEIPT_DIRECTORY);
    let opened = Directory::open(root).map_err(InstallError::io("open", root))?;
    disk::make_directories(&opened, directories.into_iter()).map_err(InstallError::io("make the directories of", root))
}

fn make_links(root: &Path, links: &[InstalledLink]) -> Result<(), InstallError> {
    let opened = Directory::open(root).map_err(InstallError::io("open", root))?;
    for link in links {
        let made = opened.symlink(&link.target, link.path.as_str());
        made.map_err(InstallError::io("make the link", &disk::below(root, link.path.as_str())))?;
    }
    Ok(())
}

fn installed_distribution(selected: &Selected, tree: &StoredTree) -> InstalledDistribution {
    let artifact = &selected.artifact;
    InstalledDistribution {
        name: selected.name.clone(),
        version: selected.version.clone(),
        filename: artifact.filename.clone(),
        url: artifact.url.clone(),
        index: artifact.origin.index().clone(),
        direct_url: direct_url::text(selected),
        size_bytes: artifact.size_bytes,
        sha256: artifact.sha256,
        wheel_sha256: *tree.sha256(),
    }
}

/// Writes the header, last: a generation without one was never finished.
fn write_receipt(
    root: &Path,
    intent: &Intent<'_>,
    options: &StageOptions<'_>,
    generation: u64,
    listing: &Listing<'_>,
    files_sha256: Sha256,
    distributions: Vec<InstalledDistribution>,
) -> Result<Receipt, InstallError> {
    let directory = root.join(RECEIPT_DIRECTORY);
    let failed = |e: serde_json::Error| InstallError::io("write", &directory)(e.into());
    let receipt = Receipt {
        schema: Receipt::SCHEMA,
        generation,
        installed_at: options.installed_at.to_owned(),
        venv: intent.environment.venv().to_string_lossy().into_owned(),
        relocation: (intent.relocation != Relocation::Fixed).then_some(intent.relocation),
        lock_sha256: *intent.lock_sha256,
        lock_as_of: intent.lock_as_of.cloned(),
        extras: intent.wanted.extras.clone(),
        groups: intent.wanted.groups.clone(),
        link_mode: options.link_mode,
        bytecode: options.bytecode,
        interpreter: intent.interpreter.clone(),
        file_count: listing.count(),
        total_bytes: listing.total_bytes(),
        files_sha256,
        distributions,
    };
    let path = directory.join(RECEIPT_FILE);
    let text = receipt.to_text().map_err(failed)?;
    platform::write_note(&path, text.as_bytes()).map_err(InstallError::io("write", &path))?;
    Ok(receipt)
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
