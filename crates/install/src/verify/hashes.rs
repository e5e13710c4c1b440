//! Every listed file: bytes, size, permissions and owner. Two threads, the biggest file first.

use std::io::{ErrorKind, Read};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use pinfold_artifact::Sha256;
use sha2::Digest as _;

use super::stamps::Stamped;
use super::{Depth, Finding, FindingCode, Listed, Report};
use crate::disk::{self, Directory, Facts, Kind, OTHERS_WRITE};
use crate::{InstallError, InstalledFile, THREADS};

/// What is read, and how thoroughly.
pub(super) struct Reading<'r> {
    /// The directory that the listed paths are relative to.
    pub(super) root: &'r Path,
    /// Whether a file is passed over whose stamp is as it was.
    pub(super) depth: Depth,
    /// Which of the listed files.
    pub(super) which: &'r (dyn Fn(&str) -> bool + Sync),
    /// Told the bytes that were just read, or passed over.
    pub(super) progress: &'r (dyn Fn(u64) + Sync),
}

/// Adds a finding for every file that is not what the receipt says. A file that is not there, or is no file, is left to
/// the walk: these are returned. Each directory is opened once for the files in it that follow each other, through no link.
pub(super) fn check<'a>(
    reading: &Reading<'_>,
    listed: &Listed<'a>,
    report: &mut Report,
) -> Result<Vec<&'a str>, InstallError> {
    let asked = |file: &&InstalledFile| (reading.which)(file.path.as_str());
    let mut files: Vec<&'a InstalledFile> = listed.files.values().copied().filter(asked).collect();
    if reading.depth == Depth::Full {
        // The biggest first, so that no thread is left with it at the end; small ones stay directory by directory.
        files.sort_by_key(|file| std::cmp::Reverse(file.size / BIG_BYTES));
    }
    let root = Directory::open(reading.root).map_err(InstallError::io("open", reading.root))?;
    let custom = Custom::of(&root).map_err(InstallError::io("look at", reading.root))?;
    // Neighbours together where they are only looked at; one by one where one may take a second.
    let turn = if reading.depth == Depth::Quick { NEIGHBOURS } else { 1 };
    let next = AtomicUsize::new(0);
    let worker = || {
        let (mut part, mut unread, mut opened) = (Report::default(), Vec::new(), LastOpened::default());
        let mut buffer = vec![0; BUFFER_BYTES];
        while let Some(begin) = Some(next.fetch_add(turn, Ordering::Relaxed)).filter(|begin| *begin < files.len()) {
            for file in &files[begin..files.len().min(begin + turn)] {
                let (directory, name) = disk::split(file.path.as_str());
                let checked = opened.at(&root, directory).and_then(|directory| match directory {
                    Some(directory) => one(reading, (directory, name), &custom, listed, file, &mut buffer, &mut part),
                    None => Ok(Looked::NotThere),
                });
                match checked.map_err(InstallError::io("read", &disk::below(reading.root, file.path.as_str())))? {
                    Looked::AtIt => {}
                    Looked::NotThere => unread.push(file.path.as_str()),
                }
            }
        }
        Ok((part, unread))
    };
    let results = std::thread::scope(|scope| {
        let others: Vec<_> = (1..THREADS).map(|_| scope.spawn(worker)).collect();
        let own = worker();
        others.into_iter().map(crate::join).chain([own]).collect::<Vec<Result<_, InstallError>>>()
    });
    let mut all_unread = Vec::new();
    for result in results {
        let (part, unread) = result?;
        report.add(part);
        all_unread.extend(unread);
    }
    all_unread.sort_unstable();
    Ok(all_unread)
}

/// Whether a listed file was looked at.
enum Looked {
    AtIt,
    /// It is not there, or is no file, or its directory is none or may not be entered.
    NotThere,
}

/// The directory that was opened last; none if it is not there. In a sorted list most files are where the one before was.
#[derive(Default)]
struct LastOpened<'f>(Option<(&'f str, Option<Directory>)>);

impl<'f> LastOpened<'f> {
    fn at(&mut self, root: &Directory, path: &'f str) -> std::io::Result<Option<&Directory>> {
        let entry = match self.0.take().filter(|(last, _)| *last == path) {
            Some(same) => same,
            None => match disk::open_below(root, path) {
                Err(error) if is_found_by_the_walk(&error) => (path, None),
                opened => (path, Some(opened?)),
            },
        };
        Ok(self.0.insert(entry).1.as_ref())
    }
}

/// What is gone, and a directory that nobody may enter, is found by the walk.
fn is_found_by_the_walk(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::PermissionDenied)
}

fn one(
    reading: &Reading<'_>,
    (directory, name): (&Directory, &str),
    custom: &Custom,
    listed: &Listed<'_>,
    file: &InstalledFile,
    buffer: &mut [u8],
    part: &mut Report,
) -> std::io::Result<Looked> {
    let path = file.path.as_str();
    let facts = match directory.facts(name) {
        Ok(facts) if facts.kind == Kind::File => facts,
        Ok(_) => return Ok(Looked::NotThere),
        Err(error) if is_found_by_the_walk(&error) => return Ok(Looked::NotThere),
        Err(error) => return Err(error),
    };
    let mut push = |finding: Finding| part.findings.push(finding.of(listed.owner(file)));
    part.files_checked += 1;
    custom.wrong_owner(path, &facts).into_iter().for_each(&mut push);
    let stamped = listed.stamp(path);
    let is_as_installed = |it: Stamped| (it.mtime_ns, it.inode) == (facts.mtime_ns, facts.inode);
    let is_passed_over =
        reading.depth == Depth::Quick && facts.size_bytes == file.size && stamped.is_some_and(is_as_installed);
    let mut is_changed = false;
    if is_passed_over {
        (reading.progress)(facts.size_bytes);
    } else {
        let (sha256, size) = match read(directory, name, buffer, reading.progress) {
            Err(error) if error.kind() == ErrorKind::PermissionDenied && facts.is_ours() => {
                let expected = wrong_mode(file.executable, stamped, facts.mode);
                let expected = expected.unwrap_or_else(|| "a file that its owner may read".to_owned());
                push(Finding::new(FindingCode::ModeChanged, path, expected, format!("mode {:04o}", facts.mode)));
                return Ok(Looked::AtIt);
            }
            read => read?,
        };
        is_changed = (sha256, size) != (file.sha256, file.size);
        part.files_moved += u64::from(reading.depth == Depth::Quick);
        part.bytes_checked += size;
        if is_changed {
            let expected = format!("{} bytes, sha256 {}", file.size, file.sha256);
            push(Finding::new(FindingCode::Changed, path, expected, format!("{size} bytes, sha256 {sha256}")));
        }
    }
    // Another file has permissions of its own: of those only what matters is said.
    let stamped = stamped.filter(|_| !is_changed);
    if let Some(expected) = wrong_mode(file.executable, stamped, facts.mode) {
        push(Finding::new(FindingCode::ModeChanged, path, expected, format!("mode {:04o}", facts.mode)));
    }
    // Only what can be run has a use for them; of the rest it is not asked.
    if reading.depth == Depth::Full && facts.mode & EXECUTES != 0 && directory.has_capabilities(name)? {
        push(Finding::new(FindingCode::ModeChanged, path, "no capabilities", CAPABILITIES.to_owned()));
    }
    Ok(Looked::AtIt)
}

/// Hashes a file of a directory.
pub(super) fn read(
    directory: &Directory,
    name: &str,
    buffer: &mut [u8],
    progress: &(dyn Fn(u64) + Sync),
) -> std::io::Result<(Sha256, u64)> {
    let mut file = directory.open_file(name)?;
    let mut hasher = sha2::Sha256::new();
    let mut total = 0_u64;
    loop {
        let count = match file.read(buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        hasher.update(&buffer[..count]);
        total += count as u64;
        progress(count as u64);
    }
    Ok((Sha256::from_bytes(hasher.finalize().into()), total))
}

/// What holds for everything in an environment: it belongs to the owner of its directory, and nobody else may write to it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Custom {
    owner: u32,
}

impl Custom {
    pub(super) fn of(root: &Directory) -> std::io::Result<Self> {
        Ok(Self { owner: root.facts(".")?.owner })
    }

    /// Returns a finding if the entry belongs to another user than the environment: that one may change it at any time.
    pub(super) fn wrong_owner(&self, path: &str, facts: &Facts) -> Option<Finding> {
        let (expected, found) = (format!("user {}", self.owner), format!("user {}", facts.owner));
        (facts.owner != self.owner).then(|| Finding::new(FindingCode::OwnerChanged, path, expected, found))
    }

    /// Returns a finding if anybody but its owner may write to something, or if that is another than the environment's.
    pub(super) fn wrong_hands(&self, path: &str, facts: &Facts) -> Option<Finding> {
        wrong_writers(path, facts, OTHERS_WRITE).or_else(|| self.wrong_owner(path, facts))
    }

    /// As [`Custom::wrong_hands`], for what an interpreter makes by itself. Its group may write to that where whoever ran it
    /// has an umask that says so, as it is usual where each user has a group of his own: bytecode is proven all the same.
    pub(super) fn wrong_hands_on_bytecode(&self, path: &str, facts: &Facts) -> Option<Finding> {
        wrong_writers(path, facts, ALL_WRITE).or_else(|| self.wrong_owner(path, facts))
    }

    /// Returns a finding if the owner of a directory may not list or enter it: whoever took that right away hides what is in it.
    pub(super) fn closed_directory(&self, path: &str, facts: &Facts) -> Option<Finding> {
        let is_closed = cfg!(unix) && facts.mode & OWNER_LOOKS != OWNER_LOOKS;
        let (expected, found) = ("a directory that its owner may look into", format!("mode {:04o}", facts.mode));
        is_closed.then(|| Finding::new(FindingCode::ModeChanged, path, expected, found))
    }
}

/// Returns a finding if one of these others may write to something: nothing that pinfold makes is so, whatever the umask.
pub(super) fn wrong_writers(path: &str, facts: &Facts, others: u32) -> Option<Finding> {
    let found = format!("mode {:04o}", facts.mode);
    let is_wrong = cfg!(unix) && facts.mode & others != 0;
    is_wrong.then(|| Finding::new(FindingCode::ModeChanged, path, ONLY_ITS_OWNER, found))
}

/// Returns what the permissions of a file should be, if they are others. Where it is known what they were when the file was
/// installed, exactly those, but that nobody else may write, as an older pinfold let them where the umask did; elsewhere what
/// matters: who may execute it, who may write to it, and that it takes nobody's rights. The rest is the umask's and the store's.
fn wrong_mode(executable: bool, stamped: Option<Stamped>, mode: u32) -> Option<String> {
    if cfg!(not(unix)) {
        return None;
    }
    if mode & 0o7000 != 0 {
        return Some("no setuid, setgid or sticky bit".to_owned());
    }
    let installed = stamped.map(|stamped| stamped.mode & !OTHERS_WRITE).filter(|installed| *installed != mode);
    let expected = match (executable, mode & 0o111) {
        (true, bits) if bits & 0o100 == 0 => Some("an executable file"),
        (false, bits) if bits != 0 => Some("a file that is not executable"),
        _ => (mode & OTHERS_WRITE != 0).then_some(ONLY_ITS_OWNER),
    };
    installed.map(|installed| format!("mode {installed:04o}")).or_else(|| expected.map(str::to_owned))
}

/// What is expected of everything in an environment.
const ONLY_ITS_OWNER: &str = "nobody who may write but its owner";

/// What is found of a file that has them.
const CAPABILITIES: &str = "capabilities of its own (`security.capability`), for whoever runs it";

/// Somebody may execute.
const EXECUTES: u32 = 0o111;

/// Files are taken in the order of their size in this unit.
const BIG_BYTES: u64 = 1 << 20;

/// Files that a thread looks at together.
const NEIGHBOURS: usize = 64;

/// Everybody may write.
const ALL_WRITE: u32 = 0o002;

/// What the owner of a directory needs to see what is in it.
const OWNER_LOOKS: u32 = 0o500;

/// Large enough for the disk, small enough for the processor's cache.
const BUFFER_BYTES: usize = 256 << 10;

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    const CUSTOM: Custom = Custom { owner: 7 };

    #[test]
    fn only_execution_writing_and_foreign_rights_matter() {
        for (executable, mode, is_fine) in [
            (false, 0o644, true),
            (false, 0o444, true),
            (false, 0o666, false),
            (false, 0o464, false),
            (true, 0o755, true),
            (true, 0o555, true),
            (true, 0o700, true),
            (true, 0o777, false),
            (true, 0o644, false),
            (false, 0o755, false),
            (false, 0o645, false),
            (true, 0o4755, false),
            (false, 0o2644, false),
        ] {
            assert_eq!(wrong_mode(executable, None, mode).is_none(), is_fine, "{executable} {mode:o}");
        }
    }

    #[test]
    fn a_mode_is_what_it_was_where_that_is_known() {
        let stamped = |mode| Some(Stamped { mtime_ns: 0, inode: 1, mode });
        assert_eq!(wrong_mode(false, stamped(0o444), 0o444), None);
        assert_eq!(wrong_mode(false, stamped(0o444), 0o644).as_deref(), Some("mode 0444"));
        // One that an older pinfold made under an umask that let others write; and the same after `chmod go-w`.
        assert_eq!(wrong_mode(false, stamped(0o664), 0o664).as_deref(), Some("mode 0644"));
        assert_eq!(wrong_mode(false, stamped(0o664), 0o644), None);
        assert_eq!(wrong_mode(true, stamped(0o4755), 0o4755).as_deref(), Some("no setuid, setgid or sticky bit"));
    }

    #[test]
    fn everything_belongs_to_the_owner_of_the_environment() {
        let facts = |owner, mode| Facts {
            kind: Kind::File,
            size_bytes: 0,
            mtime_ns: 0,
            inode: 1,
            mode,
            owner,
            device: 0,
            names: 1,
        };
        assert_eq!(CUSTOM.wrong_owner("a", &facts(7, 0o644)), None);
        let finding = CUSTOM.wrong_owner("a", &facts(8, 0o644)).unwrap();
        assert_eq!((finding.code, finding.found.as_str()), (FindingCode::OwnerChanged, "user 8"));
        let code = |finding: Option<Finding>| finding.map(|it| it.code);
        for (owner, mode, expected, of_bytecode) in [
            (7, 0o755, None, None),
            (7, 0o775, Some(FindingCode::ModeChanged), None),
            (7, 0o757, Some(FindingCode::ModeChanged), Some(FindingCode::ModeChanged)),
            (8, 0o755, Some(FindingCode::OwnerChanged), Some(FindingCode::OwnerChanged)),
        ] {
            let facts = facts(owner, mode);
            assert_eq!(code(CUSTOM.wrong_hands("a", &facts)), expected, "{owner} {mode:o}");
            assert_eq!(code(CUSTOM.wrong_hands_on_bytecode("a", &facts)), of_bytecode, "{owner} {mode:o}");
        }
    }
}
