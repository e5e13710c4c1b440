//! `verify --watch`: changes of an environment as they happen, by inotify.
//!
//! Every directory is watched before anything is looked at, so that nothing is missed in between; then a quick look says
//! how things stand. What the system says of a change is only where to look: the place is then looked at as `verify` does,
//! listed files byte by byte, bytecode by compiling its source, and what is told is how the findings differ from before.
//! Where the system lost count, everything is read again. The lock is watched too, and compared again when it changes.
//!
//! What it does not see: writes through a memory map, and through another name of the same file.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::mem::MaybeUninit;
use std::ops::ControlFlow;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;

use super::hashes::{self, Reading};
use super::walk::{self, is_among};
use super::watched_lock::{Known, LockPlaces};
use super::{
    Depth, Finding, Listed, Report, VerifyOptions, WatchEnding, WatchEvent, WatchedLock, damaged, proof, stamps,
    verify_held,
};
use crate::receipt::{RECEIPT_DIRECTORY, RECEIPT_FILE};
use crate::{Environment, InstallError, Receipt, ReceiptFiles, disk};

/// Watches what is in an environment's place until `tell` breaks, something else takes the place, or nobody reads `reader`
/// any more. A lock that cannot be read at the beginning ends it as if something else had taken the place: who has read it just
/// before does so again, and has more to say about it.
///
/// # Errors
/// As [`verify`](crate::verify()); [`InstallError::Io`] if the system watches no more directories.
pub fn watch(
    environment: &Environment,
    lock: &WatchedLock<'_>,
    options: &VerifyOptions<'_>,
    reader: Option<BorrowedFd<'_>>,
    tell: &mut dyn FnMut(WatchEvent) -> ControlFlow<()>,
) -> Result<WatchEnding, InstallError> {
    // A sync that is at work is waited for: before it ends there may be nothing here.
    let shared = environment.lock_shared();
    match environment.receipt()? {
        None => Ok(WatchEnding::Gone),
        Some(header) => {
            let watched = Watched { environment, lock, options, reader };
            watched.one_generation(&header, shared, tell)
        }
    }
}

struct Watched<'w> {
    environment: &'w Environment,
    lock: &'w WatchedLock<'w>,
    options: &'w VerifyOptions<'w>,
    reader: Option<BorrowedFd<'w>>,
}

impl Watched<'_> {
    fn one_generation(
        &self,
        header: &Receipt,
        shared: Option<std::fs::File>,
        tell: &mut dyn FnMut(WatchEvent) -> ControlFlow<()>,
    ) -> Result<WatchEnding, InstallError> {
        let venv = self.environment.venv();
        let gone = || InstallError::NoEnvironment { path: venv.to_owned() };
        let mut watches = Watches::begin(venv)?;
        watches.add_lock(self.lock.path)?;
        let Ok(lock) = (self.lock.read)() else { return Ok(WatchEnding::Replaced) };
        let (list, sha256) = ReceiptFiles::read(venv)?.ok_or_else(gone)?;
        let stamps = stamps::read(venv, &sha256, list.files.len());
        let listed = Listed::new(header, &list, stamps.as_deref());
        let seen = walk::walk(self.environment, &listed, &mut Report::default())?;
        seen.directories.iter().try_for_each(|directory| watches.add(directory))?;
        let mut state = State { watched: self, listed: &listed, watches, lock: lock.into(), current: BTreeMap::new() };
        let begin = WatchEvent::Watching {
            generation: header.generation,
            files: list.files.len() as u64,
            directories: seen.directories.len() as u64,
        };
        if tell(begin).is_break() || state.everything(Depth::Quick, tell)?.is_break() {
            return Ok(WatchEnding::Closed(state.findings()));
        }
        drop(shared);
        loop {
            let Some(batch) = state.watches.wait(self.reader)? else {
                return Ok(WatchEnding::Closed(state.findings()));
            };
            if batch.is_replaced {
                return Ok(WatchEnding::Replaced);
            }
            match state.apply(&batch, tell) {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => return Ok(WatchEnding::Closed(state.findings())),
                // It may have been replaced while it was looked at; then nothing failed.
                Err(error) => {
                    let _shared = self.environment.lock_shared();
                    let is_same = |now: Receipt| now.generation == header.generation;
                    let stays = self.environment.receipt().map_or(true, |now| now.is_some_and(is_same));
                    return if stays { Err(error) } else { Ok(WatchEnding::Replaced) };
                }
            }
        }
    }
}

/// How things stand.
struct State<'s, 'a> {
    watched: &'s Watched<'s>,
    listed: &'s Listed<'a>,
    watches: Watches,
    lock: Known,
    /// What is wrong, by path.
    current: BTreeMap<String, BTreeSet<Finding>>,
}

impl State<'_, '_> {
    fn findings(&self) -> Vec<Finding> {
        self.current.values().flatten().cloned().collect()
    }

    fn apply(
        &mut self,
        batch: &Batch,
        tell: &mut dyn FnMut(WatchEvent) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, InstallError> {
        // What is told of it may be among what was lost.
        if batch.is_lock || batch.is_overflow {
            self.watches.add_lock(self.watched.lock.path)?;
            self.lock.learn((self.watched.lock.read)());
        }
        if batch.is_overflow {
            if tell(WatchEvent::Overflow).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            return self.everything(Depth::Full, tell);
        }
        // The receipt says what everything else should be.
        if batch.paths.iter().any(|path| path.starts_with(RECEIPT_DIRECTORY)) {
            return self.everything(Depth::Quick, tell);
        }
        if batch.is_lock {
            let findings = self.lock.findings(self.listed.header);
            if self.replace(&str::is_empty, findings, tell).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        self.places(batch, tell)
    }

    /// Looks at what changed in the environment.
    fn places(
        &mut self,
        batch: &Batch,
        tell: &mut dyn FnMut(WatchEvent) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, InstallError> {
        let mut report = Report::default();
        let environment = self.watched.environment;
        let seen = walk::look(environment, self.listed, &batch.paths, &mut report)?;
        // Whatever came with a directory came before it was watched: it was looked at by now, and is watched from here on.
        for directory in &seen.directories {
            self.watches.add(directory)?;
        }
        let which = |path: &str| is_among(&batch.paths, path);
        let progress = self.watched.options.progress;
        let reading = Reading { root: environment.venv(), depth: Depth::Full, which: &which, progress };
        let unread = hashes::check(&reading, self.listed, &mut report)?;
        seen.reread(&unread, self.listed, &mut report);
        proof::prove(environment, self.listed, &seen.bytecode, self.watched.options.compiled, &mut report)?;
        Ok(self.replace(&which, report.findings, tell))
    }

    /// Looks at everything, and watches every directory that is there.
    fn everything(
        &mut self,
        depth: Depth,
        tell: &mut dyn FnMut(WatchEvent) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, InstallError> {
        let Watched { environment, options, .. } = self.watched;
        let seen = walk::walk(environment, self.listed, &mut Report::default())?;
        seen.directories.iter().try_for_each(|directory| self.watches.add(directory))?;
        let options = VerifyOptions { depth, ..**options };
        let mut report = match verify_held(environment, &self.lock.lock, &self.lock.sha256, &options) {
            // Somebody is removing the environment, perhaps: as long as it has a place, that is watched.
            Err(InstallError::Foreign { .. } | InstallError::NoEnvironment { .. }) => {
                damaged(Report::default(), RECEIPT_FILE, "it is gone".to_owned())
            }
            result => result?,
        };
        report.findings.extend(self.lock.unreadable(self.listed.header));
        Ok(self.replace(&|_| true, report.findings, tell))
    }

    /// Puts findings in the place of those of the paths that were looked at, and tells the difference.
    fn replace(
        &mut self,
        looked_at: &dyn Fn(&str) -> bool,
        findings: Vec<Finding>,
        tell: &mut dyn FnMut(WatchEvent) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let before = std::mem::take(&mut self.current);
        let (before, kept): (BTreeMap<_, _>, _) = before.into_iter().partition(|(path, _)| looked_at(path));
        self.current = kept;
        let before: BTreeSet<Finding> = before.into_values().flatten().collect();
        let now: BTreeSet<Finding> = findings.into_iter().collect();
        for finding in &now {
            self.current.entry(finding.path.clone()).or_default().insert(finding.clone());
        }
        for finding in before.difference(&now) {
            tell(WatchEvent::Resolved(finding.clone()))?;
        }
        for finding in now.difference(&before) {
            tell(WatchEvent::Found(finding.clone()))?;
        }
        ControlFlow::Continue(())
    }
}

/// What changed.
#[derive(Debug, Default, PartialEq, Eq)]
struct Batch {
    /// Paths inside the environment.
    paths: BTreeSet<String>,
    /// Whether the lock may be another.
    is_lock: bool,
    /// Whether the system lost changes.
    is_overflow: bool,
    /// Whether something else is in the environment's place now, or nothing.
    is_replaced: bool,
}

impl Batch {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The directories that are watched, and the lock.
struct Watches {
    inotify: OwnedFd,
    root: std::path::PathBuf,
    name: Vec<u8>,
    /// The directory that the environment is in.
    parent: i32,
    lock: LockPlaces,
    directories: HashMap<i32, String>,
}

impl Watches {
    /// Watches the place of an environment.
    fn begin(venv: &Path) -> Result<Self, InstallError> {
        let failed = || InstallError::io("watch", venv);
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).map_err(|e| failed()(e.into()))?;
        let parent = venv.parent().unwrap_or(venv);
        let flags = WatchFlags::MOVED_FROM | WatchFlags::MOVED_TO | WatchFlags::DELETE | WatchFlags::ONLYDIR;
        let parent = inotify::add_watch(&inotify, parent, flags).map_err(|e| failed()(limit(e)))?;
        let name = venv.file_name().unwrap_or_default().as_encoded_bytes().to_vec();
        let (lock, directories) = (LockPlaces::default(), HashMap::new());
        Ok(Self { inotify, root: venv.to_owned(), name, parent, lock, directories })
    }

    /// Watches the lock, wherever it is by now.
    fn add_lock(&mut self, path: &Path) -> Result<(), InstallError> {
        self.lock.watch(&self.inotify, path).map_err(|error| InstallError::io("watch", path)(limit(error)))
    }

    /// Watches a directory of the environment. One that is gone again is no error.
    fn add(&mut self, directory: &str) -> Result<(), InstallError> {
        let path = disk::below(&self.root, directory);
        match inotify::add_watch(&self.inotify, &path, CHANGES) {
            Ok(watch) => drop(self.directories.insert(watch, directory.to_owned())),
            Err(Errno::NOENT | Errno::NOTDIR) => {}
            Err(error) => return Err(InstallError::io("watch", &path)(limit(error))),
        }
        Ok(())
    }

    /// Waits for changes, and a moment longer for what belongs to them; none if nobody reads any more.
    fn wait(&self, reader: Option<BorrowedFd<'_>>) -> Result<Option<Batch>, InstallError> {
        let mut batch = Batch::default();
        let mut moments = 0;
        while moments < MOMENTS {
            let limit = (!batch.is_empty()).then_some(MOMENT);
            if !self.poll(reader, limit)? {
                return Ok(None);
            }
            let has_more = self.read(&mut batch)?;
            if batch.is_empty() {
                continue;
            }
            if !has_more {
                break;
            }
            moments += 1;
        }
        Ok(Some(batch))
    }

    /// Returns false if nobody reads any more.
    fn poll(&self, reader: Option<BorrowedFd<'_>>, limit: Option<Duration>) -> Result<bool, InstallError> {
        let mut waited: Vec<PollFd<'_>> = vec![PollFd::new(&self.inotify, PollFlags::IN)];
        waited.extend(reader.map(|reader| PollFd::from_borrowed_fd(reader, PollFlags::empty())));
        let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
        match poll(&mut waited, limit.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(InstallError::io("watch", &self.root)(error.into())),
        }
        let closed = PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL;
        Ok(waited.get(1).is_none_or(|reader| !reader.revents().intersects(closed)))
    }

    /// Adds what the system has to say; false if that is nothing.
    fn read(&self, batch: &mut Batch) -> Result<bool, InstallError> {
        let mut buffer = [MaybeUninit::uninit(); EVENT_BYTES];
        let mut events = inotify::Reader::new(&self.inotify, &mut buffer);
        let mut has_any = false;
        loop {
            let event = match events.next() {
                Ok(event) => event,
                Err(Errno::AGAIN) => return Ok(has_any),
                Err(Errno::INTR) => continue,
                Err(error) => return Err(InstallError::io("watch", &self.root)(error.into())),
            };
            has_any = true;
            let name = event.file_name().map(|name| name.to_bytes());
            batch.is_lock |= self.lock.are_told_of(event.wd(), name);
            if event.events().contains(ReadFlags::QUEUE_OVERFLOW) {
                batch.is_overflow = true;
            } else if event.wd() == self.parent {
                batch.is_replaced |= name == Some(&self.name);
            } else if let Some(directory) = self.directories.get(&event.wd()) {
                let gone = ReadFlags::MOVE_SELF | ReadFlags::DELETE_SELF;
                batch.is_replaced |= directory.is_empty() && event.events().intersects(gone);
                batch.paths.extend(changed(directory, name));
            }
        }
    }
}

/// Returns the path of what changed in a directory; without a name it is the directory itself.
fn changed(directory: &str, name: Option<&[u8]>) -> Option<String> {
    let path = match (directory, name.map(String::from_utf8_lossy)) {
        ("", None) => return None,
        (directory, None) => directory.to_owned(),
        ("", Some(name)) => name.into_owned(),
        (directory, Some(name)) => format!("{directory}/{name}"),
    };
    Some(path)
}

/// Says what the system means by "no space".
fn limit(error: Errno) -> std::io::Error {
    if error == Errno::NOSPC {
        return std::io::Error::other(
            "the system's limit of watched directories is reached; raise `fs.inotify.max_user_watches`",
        );
    }
    error.into()
}

/// What is told of a directory.
const CHANGES: WatchFlags = WatchFlags::ATTRIB
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::CREATE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::DONT_FOLLOW)
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::ONLYDIR);

/// An interpreter writes bytecode under another name and renames it: what belongs together comes within a moment.
const MOMENT: Duration = Duration::from_millis(50);
/// Where changes do not end, they are told at last after so many moments.
const MOMENTS: usize = 20;
/// Room for some hundred events.
const EVENT_BYTES: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use pinfold_artifact::Sha256;
    use pinfold_lock::Lock;
    use pinfold_testkit::WheelRecipe;

    use super::*;
    use crate::FindingCode;
    use crate::fixture::{World, overwrite};

    #[test]
    fn paths_below_a_changed_one_are_among_it() {
        let paths = BTreeSet::from(["a/b".to_owned()]);
        for (path, expected) in [("a/b", true), ("a/b/c/d", true), ("a/bc", false), ("a", false), ("", false)] {
            assert_eq!(is_among(&paths, path), expected, "{path}");
        }
    }

    /// Tells what `change` and the batch after it lead to.
    fn told(change: impl FnOnce(&World), batch: &Batch) -> Vec<String> {
        let world = World::new();
        let wheels = [WheelRecipe::new("a", "1.0").file("a/more.py", "x = 1\n")];
        world.install(&wheels).unwrap();
        let read = || Ok((world.lock(&wheels), world.lock_sha256(&wheels)));
        told_with(&world, &read, change, batch)
    }

    fn told_with(
        world: &World,
        read: &dyn Fn() -> Result<(Lock, Sha256), String>,
        change: impl FnOnce(&World),
        batch: &Batch,
    ) -> Vec<String> {
        let options = VerifyOptions { depth: Depth::Full, store: None, compiled: None, progress: &|_| {} };
        let (environment, path) = (&world.environment, Path::new("pylock.toml"));
        let lock = WatchedLock { path, read };
        let watched = Watched { environment, lock: &lock, options: &options, reader: None };
        let header = environment.receipt().unwrap().unwrap();
        let (list, _) = ReceiptFiles::read(environment.venv()).unwrap().unwrap();
        let listed = Listed::new(&header, &list, None);
        let watches = Watches::begin(environment.venv()).unwrap();
        let known = read().unwrap().into();
        let mut state = State { watched: &watched, listed: &listed, watches, lock: known, current: BTreeMap::new() };
        change(world);
        let mut told = Vec::new();
        let mut tell = |event| {
            told.push(match event {
                WatchEvent::Found(finding) => finding.code.as_str().to_owned(),
                other => format!("{other:?}"),
            });
            ControlFlow::Continue(())
        };
        assert!(state.apply(batch, &mut tell).unwrap().is_continue());
        told
    }

    #[test]
    fn after_an_overflow_everything_is_read() {
        let change = |world: &World| overwrite(&world.site("a/more.py"), b"x = 2\n");
        let overflow = Batch { is_overflow: true, ..Batch::default() };
        assert_eq!(told(change, &overflow), ["Overflow", FindingCode::Changed.as_str()]);
        // The control: without it, what nobody told of is not looked at.
        let elsewhere = Batch { paths: BTreeSet::from(["bin/tool".to_owned()]), ..Batch::default() };
        assert_eq!(told(change, &elsewhere), Vec::<String>::new());
    }

    #[test]
    fn another_lock_is_compared_and_one_that_cannot_be_read_is_told_of() {
        let world = World::new();
        let installed = [WheelRecipe::new("a", "1.0")];
        world.install(&installed).unwrap();
        let reads = std::cell::Cell::new(0);
        // The first is what was installed.
        let told_of = |later: &dyn Fn() -> Result<(Lock, Sha256), String>, batch: &Batch| {
            reads.set(0);
            let read = || match reads.replace(reads.get() + 1) {
                0 => Ok((world.lock(&installed), world.lock_sha256(&installed))),
                _ => later(),
            };
            told_with(&world, &read, |_| (), batch)
        };
        let other = [WheelRecipe::new("a", "2.0")];
        let other = || Ok((world.lock(&other), world.lock_sha256(&other)));
        let changed = FindingCode::LockChanged.as_str();
        let lock = Batch { is_lock: true, ..Batch::default() };
        assert_eq!(told_of(&other, &lock), [changed, changed]);
        assert_eq!(told_of(&|| Err("it is a directory".to_owned()), &lock), [changed]);
        // What the system lost may have been of the lock.
        let overflow = Batch { is_overflow: true, ..Batch::default() };
        assert_eq!(told_of(&other, &overflow), ["Overflow", changed, changed]);
        assert_eq!(told_of(&|| Err("it is a directory".to_owned()), &overflow), ["Overflow", changed]);
        // The control: nobody tells of the lock.
        let elsewhere = Batch { paths: BTreeSet::from(["bin/tool".to_owned()]), ..Batch::default() };
        assert_eq!(told_of(&other, &elsewhere), Vec::<String>::new());
    }

    #[test]
    fn a_changed_receipt_changes_what_everything_should_be() {
        let change = |world: &World| std::fs::write(world.path(".pinfold/files.json"), "{}").unwrap();
        let batch = Batch { paths: BTreeSet::from([".pinfold/files.json".to_owned()]), ..Batch::default() };
        assert_eq!(told(change, &batch), [FindingCode::ReceiptChanged.as_str()]);
    }
}
