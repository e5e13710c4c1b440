//! A new generation, complete, beside the environment.
//!
//! Every generation is built whole, even where one package changed: linking from the store is cheap, and a tree that was
//! never changed in place cannot be half changed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::Path;

use pinfold_lock::Selected;
use pinfold_packaging::PackageName;
use pinfold_store::StoredTree;
use serde::{Deserialize, Serialize};

use crate::ahead::Ahead;
use crate::disk::{self, Directory};
use crate::exchange;
use crate::link::{self, NamedTree, Placing};
use crate::merge::{self, Planned, Source};
use crate::receipt::{FILES_FILE, RECEIPT_DIRECTORY, RECEIPT_FILE, digest};
use crate::scripts::Place;
use crate::staging::{Staged, StagingDirectory};
use crate::verify::stamps;
use crate::wheel_facts::WheelFacts;
use crate::{
    Environment, EnvironmentGuard, InstallError, InstalledDistribution, InstalledFile, InstalledLink, Intent, Receipt,
    ReceiptFiles, Relocation, THREADS, base, bytecode, direct_url, distribution, generations,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bytecode {
    /// Compile every module now, with the base interpreter.
    Compile,
    /// Leave it to the interpreter.
    Leave,
}

/// How to build a generation.
#[derive(Clone, Copy)]
pub struct StageOptions<'a> {
    /// How files come from the store.
    pub link_mode: LinkMode,
    /// Whether modules are compiled.
    pub bytecode: Bytecode,
    /// The time to write into the receipt (RFC 3339).
    pub installed_at: &'a str,
    /// How many former generations are kept.
    pub keep: usize,
    /// Told the number of files that were just placed.
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
    directory: StagingDirectory,
    ahead: Ahead,
}

impl<'g, 'a> Staging<'g, 'a> {
    /// Makes room for a new generation.
    ///
    /// # Errors
    /// [`InstallError::Io`].
    pub fn begin(
        guard: &'g EnvironmentGuard,
        intent: &'a Intent<'a>,
        options: &'a StageOptions<'a>,
    ) -> Result<Self, InstallError> {
        let environment = guard.environment();
        let generation = generations::next_number(environment)?;
        exchange::begin(environment)?;
        let directory = StagingDirectory::make(environment, generation)?;
        Ok(Self { guard, intent, options, generation, directory, ahead: Ahead::default() })
    }

    /// Places the files of one distribution while others still arrive; several threads may do so at once. What cannot be
    /// placed now is told, or placed, by [`Staging::finish`].
    pub fn place_ahead(&self, selected: &Selected, tree: &StoredTree) {
        self.ahead.place(self.directory.path(), self.intent.interpreter, self.options, selected, tree);
    }

    /// Completes the generation from unpacked trees, one for each package of the intent's selection.
    ///
    /// # Errors
    /// [`InstallError::Conflict`] if two distributions bring different files of one path, [`InstallError::Reserved`] if one
    /// brings a file of the environment's own, [`InstallError::StoreChanged`] if a tree was changed, and what the disk says.
    pub fn finish(self, trees: &BTreeMap<PackageName, StoredTree>) -> Result<Staged<'g>, InstallError> {
        let Self { guard, intent, options, generation, mut directory, ahead } = self;
        let environment = guard.environment();
        let parts = parts(intent, trees)?;
        let (files, links) = planned(intent, environment, &parts)?;
        let there = match ahead.into_placed() {
            Some(there) => there,
            None => {
                directory.empty()?;
                HashMap::new()
            }
        };
        let root = directory.path();
        make_directories(root, intent, &files)?;
        make_links(root, &links)?;
        let trees: Vec<_> =
            parts.iter().map(|part| NamedTree { package: &part.selected.name, tree: part.tree }).collect();
        let StageOptions { link_mode: mode, progress, .. } = *options;
        link::place_all(&files, &there, &Placing { root, trees: &trees, mode, threads: THREADS, progress })?;
        let stamps = stamps::take(root, &files)?;
        let mut files: Vec<InstalledFile> = files.into_iter().map(installed_file).collect();
        if options.bytecode == Bytecode::Compile {
            files.extend(bytecode::compile(root, environment.venv(), intent.interpreter, &files)?);
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let list = ReceiptFiles { files, links };
        let distributions = parts.iter().map(|part| installed_distribution(part.selected, part.tree)).collect();
        let receipt = write_receipt(root, intent, options, generation, &list, distributions)?;
        stamps.write(root, &list.files, &receipt.files_sha256)?;
        Ok(Staged::new(guard, directory, receipt, options.keep))
    }
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
    let mut parts = intent.selection.packages.iter().map(part).collect::<Result<Vec<_>, _>>()?;
    parts.sort_by(|a, b| a.selected.name.cmp(&b.selected.name));
    Ok(parts)
}

fn planned<'a>(
    intent: &Intent<'_>,
    environment: &Environment,
    parts: &'a [Part<'a>],
) -> Result<(Vec<Planned<'a>>, Vec<InstalledLink>), InstallError> {
    let place = Place::new(environment, intent.relocation);
    let (mut files, links) = base::environment_files(intent.interpreter, &place)?;
    for (position, part) in parts.iter().enumerate() {
        let position = u32::try_from(position).unwrap_or(u32::MAX);
        files.append(&mut distribution::files(part, position, intent.interpreter, &place)?);
    }
    let name = |owners: &[u32]| {
        let first = owners.first().and_then(|owner| parts.get(*owner as usize));
        let named = |part: &Part<'_>| format!("{} {}", part.selected.name, part.selected.version);
        first.map_or_else(|| "the environment itself".to_owned(), named)
    };
    Ok((merge::merge(files, &name)?, links))
}

fn make_directories(root: &Path, intent: &Intent<'_>, files: &[Planned<'_>]) -> Result<(), InstallError> {
    let own: Vec<String> = base::directories(intent.interpreter).into_iter().map(|path| path + "/.").collect();
    let mut directories = BTreeSet::new();
    for path in files.iter().map(|file| file.path.as_str()).chain(own.iter().map(String::as_str)) {
        disk::add_parents(&mut directories, path);
    }
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

fn installed_file(planned: Planned<'_>) -> InstalledFile {
    let executable = match &planned.source {
        Source::Bytes(_) => planned.executable,
        Source::Tree(_, stored) => stored.executable,
    };
    InstalledFile {
        path: planned.path,
        size: planned.size_bytes,
        sha256: planned.sha256,
        executable,
        owners: planned.owners,
    }
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

/// Writes the list of files, then the header: a generation without a header was never finished.
fn write_receipt(
    root: &Path,
    intent: &Intent<'_>,
    options: &StageOptions<'_>,
    generation: u64,
    list: &ReceiptFiles,
    distributions: Vec<InstalledDistribution>,
) -> Result<Receipt, InstallError> {
    let directory = root.join(RECEIPT_DIRECTORY);
    let failed = |e: serde_json::Error| InstallError::io("write", &directory)(e.into());
    let text = list.to_bytes().map_err(failed)?;
    let files_path = directory.join(FILES_FILE);
    fs::write(&files_path, &text).map_err(InstallError::io("write", &files_path))?;
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
        interpreter: intent.interpreter.clone(),
        file_count: (list.files.len() + list.links.len()) as u64,
        total_bytes: list.files.iter().map(|file| file.size).sum(),
        files_sha256: digest(&text),
        distributions,
    };
    let path = directory.join(RECEIPT_FILE);
    fs::write(&path, receipt.to_text().map_err(failed)?).map_err(InstallError::io("write", &path))?;
    Ok(receipt)
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
