//! From verified bytes to an unpacked tree in the store.
//!
//! Two threads share the members: big ones first, then directory by directory. Every member is checked against RECORD,
//! those too that are never installed (compiled bytecode whose source is there, what an installer writes itself).

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use pinfold_artifact::{ArchivePath, Sha256};
use pinfold_lock::{Accepted, Selected};
use pinfold_store::{Store, Stored, StoredTree, TreeFile, TreeManifest};
use pinfold_unpack::{
    ArchiveError, Extractor, RecordFault, Scheme, WheelContents, WheelMember, read_wheel_excepting, record_faults,
};

use crate::bulk::BulkFile;
use crate::disk::{self, Directory};
use crate::startup::{self, WheelFinding};
use crate::wheel_facts::{self, Moved, SchemeName, WheelFacts};
use crate::{InstallError, THREADS};

/// Unpacks a wheel into the store, unless it is there already, and refuses what nobody accepted.
///
/// `stored` is the wheel: the selected artifact itself, or what was built from it.
///
/// # Errors
/// [`InstallError::Archive`] for every hostile wheel, [`InstallError::Record`] for one whose RECORD is wrong about files
/// that no entry of `accepts` names with their digest, [`InstallError::Unaccepted`] for start-up files that no entry of
/// `accepts` names with code, package, path and digest, [`InstallError::Metadata`] if METADATA is not what the lock
/// believed.
pub fn unpack_wheel(
    store: &Store,
    stored: &Stored,
    selected: &Selected,
    accepts: &[Accepted],
) -> Result<StoredTree, InstallError> {
    let known = store.tree(stored.sha256())?;
    let known = known.and_then(|tree| WheelFacts::of(tree.manifest()).map(|facts| (tree, facts)));
    let (tree, facts) = match known {
        Some(known) => known,
        None => unpack(store, stored, selected, accepts).map_err(|error| blame(store, stored, error))?,
    };
    check_facts(&facts, selected, accepts)?;
    Ok(tree)
}

/// Holds a wheel that was unpacked before, perhaps for another lock, against what this lock believes and accepts. Returns
/// false if the tree does not say what was in the wheel; it must be unpacked again then.
///
/// # Errors
/// As [`unpack_wheel`].
pub fn check_wheel(tree: &StoredTree, selected: &Selected, accepts: &[Accepted]) -> Result<bool, InstallError> {
    let Some(facts) = WheelFacts::of(tree.manifest()) else { return Ok(false) };
    check_facts(&facts, selected, accepts)?;
    Ok(true)
}

fn check_facts(facts: &WheelFacts, selected: &Selected, accepts: &[Accepted]) -> Result<(), InstallError> {
    if let Some(expected) = selected.metadata_sha256.filter(|expected| *expected != facts.metadata_sha256) {
        let filename = selected.artifact.filename.clone();
        return Err(InstallError::Metadata { filename, expected, found: facts.metadata_sha256 });
    }
    let files = startup::unaccepted(&facts.findings, &selected.name, accepts);
    if files.is_empty() { Ok(()) } else { Err(InstallError::Unaccepted { package: selected.name.clone(), files }) }
}

fn unpack(
    store: &Store,
    stored: &Stored,
    selected: &Selected,
    accepts: &[Accepted],
) -> Result<(StoredTree, WheelFacts), InstallError> {
    unpack_strictly(store, stored, selected, accepts).map_err(|error| match error {
        InstallError::Archive { filename, source } if RecordFault::of_error(&source).is_some() => {
            explain_record(stored, selected, accepts, (filename, source))
        }
        error => error,
    })
}

/// Finds everything that RECORD is wrong about, so that the maintainer can decide on all of it at once.
fn explain_record(
    stored: &Stored,
    selected: &Selected,
    accepts: &[Accepted],
    (filename, source): (String, ArchiveError),
) -> InstallError {
    let read = |mut archive| {
        record_faults(&mut archive, selected.name.as_str(), &selected.version.to_string()).unwrap_or_default()
    };
    // What else is wrong with it is no matter of RECORD, and nobody may accept it.
    let faults = stored.open().map(read).unwrap_or_default();
    let files: Vec<WheelFinding> = faults.iter().map(WheelFinding::from).collect();
    let files = startup::unaccepted(&files, &selected.name, accepts);
    if files.is_empty() {
        return InstallError::Archive { filename, source };
    }
    InstallError::Record { package: selected.name.clone(), filename, files, source }
}

fn unpack_strictly(
    store: &Store,
    stored: &Stored,
    selected: &Selected,
    accepts: &[Accepted],
) -> Result<(StoredTree, WheelFacts), InstallError> {
    let filename = selected.artifact.filename.to_string();
    let hostile = |source| InstallError::Archive { filename: filename.clone(), source };
    let exceptions = startup::record_exceptions(&selected.name, accepts);
    let mut archive = stored.open()?;
    let version = selected.version.to_string();
    let contents =
        read_wheel_excepting(&mut archive, selected.name.as_str(), &version, &exceptions).map_err(hostile)?;
    let mut facts = None;
    let tree = store.add_tree(stored, |directory| {
        let work = Unpacking::new(stored.path(), &archive, &contents, directory);
        let digests = work.run().map_err(|failure| failure.into_error(&filename, directory))?;
        let read = collect_facts(&contents, &work.installed, &digests, directory)?;
        let note = read.to_note().map_err(|e| InstallError::io("describe", directory)(e.into()))?;
        facts = Some(read);
        Ok::<_, InstallError>(TreeManifest { files: tree_files(&contents, &work.installed, &digests), note })
    })?;
    // Another process may have been quicker; its manifest says the same.
    let facts = facts.or_else(|| WheelFacts::of(tree.manifest()));
    let facts = facts.ok_or_else(|| InstallError::io("describe", stored.path())(io::ErrorKind::InvalidData.into()))?;
    Ok((tree, facts))
}

/// A wheel that cannot be unpacked may be hostile, or damaged in the store since it was admitted.
fn blame(store: &Store, stored: &Stored, error: InstallError) -> InstallError {
    match (&error, store.recheck(stored)) {
        (InstallError::Archive { .. }, Err(damaged)) => damaged.into(),
        _ => error,
    }
}

fn tree_files(contents: &WheelContents, installed: &[bool], digests: &[Sha256]) -> Vec<TreeFile> {
    let all = contents.members.iter().zip(installed).zip(digests);
    let listed = all.filter(|((_, installed), _)| **installed);
    listed
        .map(|((it, _), sha256)| {
            TreeFile::new(it.member.path.clone(), it.member.unpacked_bytes, *sha256, is_executable(it))
        })
        .collect()
}

fn is_executable(member: &WheelMember) -> bool {
    member.member.executable || member.scheme == Scheme::Scripts
}

fn collect_facts(
    contents: &WheelContents,
    installed: &[bool],
    digests: &[Sha256],
    directory: &Path,
) -> Result<WheelFacts, InstallError> {
    let (console, gui) = wheel_facts::entries(&contents.entry_points);
    let mut facts = WheelFacts {
        dist_info: contents.dist_info.clone(),
        root_is_purelib: contents.info.root_is_purelib,
        moved: BTreeMap::new(),
        console,
        gui,
        python_scripts: BTreeSet::new(),
        findings: contents.excepted.iter().map(WheelFinding::from).collect(),
        metadata_sha256: contents.metadata_sha256,
    };
    for ((member, installed), sha256) in contents.members.iter().zip(installed).zip(digests) {
        if !installed {
            continue;
        }
        let path = &member.member.path;
        let file = disk::below(directory, path.as_str());
        let failed = |e| InstallError::io("read", &file)(e);
        if let Some(scheme) = SchemeName::of(member.scheme) {
            facts.moved.insert(path.clone(), Moved { scheme, path: member.destination.clone() });
        }
        if member.scheme == Scheme::Scripts && begins_with_python(&file).map_err(failed)? {
            facts.python_scripts.insert(path.clone());
        }
        let code = startup::code_of(member, || std::fs::read(&file)).map_err(failed)?;
        if let Some(code) = code.or_else(|| is_bytecode(path).then_some("bytecode-only")) {
            facts.findings.push(WheelFinding { code: code.to_owned(), path: path.clone(), sha256: *sha256 });
        }
    }
    facts.findings.sort();
    Ok(facts)
}

fn begins_with_python(file: &Path) -> io::Result<bool> {
    let mut beginning = [0; 8];
    let mut file = File::open(file)?.take(8);
    let count = file.read(&mut beginning)?;
    Ok(beginning[..count] == *b"#!python")
}

fn is_bytecode(path: &ArchivePath) -> bool {
    let name = path.file_name().to_ascii_lowercase();
    name.ends_with(".pyc") || name.ends_with(".pyo")
}

/// Says for each member whether it is installed: not what an installer writes itself, and no bytecode that Python makes
/// again from the source beside it (WI19). Bytecode without source is installed, if somebody accepted it.
fn installed(contents: &WheelContents) -> Vec<bool> {
    let paths: BTreeSet<&str> = contents.members.iter().map(|it| it.member.path.as_str()).collect();
    let own = ["INSTALLER", "RECORD", "RECORD.jws", "RECORD.p7s", "REQUESTED", "direct_url.json"];
    let is_own = |path: &str| {
        path.strip_prefix(&contents.dist_info)
            .and_then(|rest| rest.strip_prefix('/'))
            .is_some_and(|name| own.contains(&name))
    };
    let is_stale = |path: &ArchivePath| {
        let text = path.as_str();
        let source = text.get(..text.len() - 1).unwrap_or_default();
        path.segments().any(|segment| segment == "__pycache__") || (is_bytecode(path) && paths.contains(source))
    };
    contents.members.iter().map(|it| !is_own(it.member.path.as_str()) && !is_stale(&it.member.path)).collect()
}

/// The unpacking of one wheel by several threads.
struct Unpacking<'a> {
    archive_path: &'a Path,
    archive: &'a File,
    members: &'a [WheelMember],
    installed: Vec<bool>,
    directory: &'a Path,
    /// What a thread takes at once: one big member, or those of one directory.
    tasks: Vec<Vec<usize>>,
}

/// Why a thread stopped.
enum Failure {
    Archive(ArchiveError),
    Disk { path: String, source: io::Error },
}

impl Failure {
    fn into_error(self, filename: &str, directory: &Path) -> InstallError {
        match self {
            Self::Archive(source) => InstallError::Archive { filename: filename.to_owned(), source },
            Self::Disk { path, source } => InstallError::io("unpack", &disk::below(directory, &path))(source),
        }
    }
}

impl From<ArchiveError> for Failure {
    fn from(error: ArchiveError) -> Self {
        Self::Archive(error)
    }
}

impl<'a> Unpacking<'a> {
    fn new(archive_path: &'a Path, archive: &'a File, contents: &'a WheelContents, directory: &'a Path) -> Self {
        let members = &contents.members[..];
        let mut big: Vec<usize> = (0..members.len()).collect();
        big.retain(|position| members[*position].member.unpacked_bytes >= BIG_BYTES);
        big.sort_by_key(|position| std::cmp::Reverse(members[*position].member.unpacked_bytes));
        let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (position, it) in members.iter().enumerate() {
            if it.member.unpacked_bytes < BIG_BYTES {
                groups.entry(disk::split(it.member.path.as_str()).0).or_default().push(position);
            }
        }
        let tasks = big.into_iter().map(|position| vec![position]).chain(groups.into_values()).collect();
        Self { archive_path, archive, members, installed: installed(contents), directory, tasks }
    }

    /// Unpacks everything; returns the digests, in the order of the members.
    fn run(&self) -> Result<Vec<Sha256>, Failure> {
        let root = Directory::open(self.directory).map_err(|source| disk_failure("", source))?;
        let mut directories = BTreeSet::new();
        for (member, _) in self.members.iter().zip(&self.installed).filter(|(_, installed)| **installed) {
            disk::add_parents(&mut directories, member.member.path.as_str());
        }
        disk::make_directories(&root, directories.into_iter()).map_err(|source| disk_failure("", source))?;
        let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
        let digests = Mutex::new(vec![None; self.members.len()]);
        let total: u64 = self.members.iter().map(|it| it.member.unpacked_bytes).sum();
        let threads = if total < SMALL_WHEEL_BYTES { 1 } else { THREADS };
        let results: Vec<Result<(), Failure>> = std::thread::scope(|scope| {
            let worker = || {
                let result = self.work(&root, &next, &stop, &digests);
                stop.fetch_or(result.is_err(), Ordering::Relaxed);
                result
            };
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(worker)).collect();
            let own = worker();
            others.into_iter().map(crate::join).chain([own]).collect()
        });
        results.into_iter().collect::<Result<(), Failure>>()?;
        let digests = digests.into_inner().unwrap_or_else(PoisonError::into_inner);
        digests.into_iter().map(|it| it.ok_or_else(|| disk_failure("", io::ErrorKind::Interrupted.into()))).collect()
    }

    fn work(
        &self,
        root: &Directory,
        next: &AtomicUsize,
        stop: &AtomicBool,
        digests: &Mutex<Vec<Option<Sha256>>>,
    ) -> Result<(), Failure> {
        let mut extractor = Extractor::new();
        let mut done = Vec::new();
        while let Some(task) = self.tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
            let path = |position: usize| self.members[position].member.path.as_str();
            let directory = disk::split(task.first().copied().map_or("", path)).0;
            // A directory that holds nothing to install was not made.
            let parent = if task.iter().any(|position| self.installed[*position]) {
                Some(root.open_in(directory).map_err(|source| disk_failure(directory, source))?)
            } else {
                None
            };
            for position in task {
                if stop.load(Ordering::Relaxed) {
                    return Ok(());
                }
                let place = parent.as_ref().filter(|_| self.installed[*position]);
                done.push((*position, self.extract(&mut extractor, &self.members[*position], place)?));
            }
        }
        let mut digests = digests.lock().unwrap_or_else(PoisonError::into_inner);
        for (position, sha256) in done {
            digests[position] = Some(sha256);
        }
        Ok(())
    }

    /// Checks one member, and writes it if it has a place.
    fn extract(
        &self,
        extractor: &mut Extractor,
        member: &WheelMember,
        place: Option<&Directory>,
    ) -> Result<Sha256, Failure> {
        let path = member.member.path.as_str();
        let failed = |source| disk_failure(path, source);
        let mode = if is_executable(member) { 0o555 } else { 0o444 };
        let mut file =
            place.map(|directory| directory.create(disk::split(path).1, mode)).transpose().map_err(failed)?;
        if Extractor::fits(&member.member) {
            let start = member.member.data_start;
            let (bytes, sha256) = extractor.whole(member, |packed| disk::read_at(self.archive, packed, start))?;
            if let Some(file) = &mut file {
                file.write_all(bytes).map_err(failed)?;
            }
            return Ok(sha256);
        }
        let mut packed = File::open(self.archive_path).map_err(failed)?;
        packed.seek(SeekFrom::Start(member.member.data_start)).map_err(failed)?;
        Ok(match file {
            Some(file) => {
                Directory::reserve(&file, member.member.unpacked_bytes);
                let mut file = BulkFile::new(file);
                let sha256 = extractor.stream(member, &mut packed, &mut file)?;
                file.finish().map_err(failed)?;
                sha256
            }
            None => extractor.write(member, &mut packed, &mut io::sink())?,
        })
    }
}

fn disk_failure(path: &str, source: io::Error) -> Failure {
    Failure::Disk { path: path.to_owned(), source }
}

/// Members of this size and more are taken one by one, before the rest.
const BIG_BYTES: u64 = 256 << 10;
/// Wheels smaller than this are not worth a second thread.
const SMALL_WHEEL_BYTES: u64 = 128 << 10;

#[cfg(test)]
#[cfg(unix)]
mod tests;
