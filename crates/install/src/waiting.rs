//! Waiting for an environment that another process changes.
//!
//! Whoever holds the lock writes its number into the lock file, so that those who wait can say for whom. What the file
//! says is only shown: the lock itself is the operating system's, and ends with the process that holds it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use crate::anchor::NOT_OWN;
use crate::{InstallError, platform};

/// How long to wait for an environment.
#[derive(Clone, Copy)]
pub struct Waiting<'a> {
    /// The longest; none waits as long as it takes.
    pub limit: Option<Duration>,
    /// Told once, after a moment, for whom it waits.
    pub notice: &'a dyn Fn(&Holder),
}

/// The process that holds an environment, as far as it said who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// Its number.
    pub pid: Option<u32>,
    /// Since when.
    pub since: Option<SystemTime>,
}

impl Waiting<'_> {
    /// Waits as long as it takes, and tells nobody.
    pub const fn forever() -> Self {
        Self { limit: None, notice: &|_| {} }
    }
}

/// Locks the file at `path`, made if need be, for the environment `venv`.
pub(crate) fn lock(path: &Path, venv: &Path, waiting: &Waiting<'_>) -> Result<File, InstallError> {
    let begun = Instant::now();
    loop {
        let mut lock = open(path).map_err(InstallError::io("open", path))?;
        wait((&|| lock.try_lock(), &|| lock.lock()), path, venv, waiting, begun)?;
        // While we waited, somebody may have removed the directory: a lock on a file that is gone keeps nobody away.
        if platform::is_still_at(&lock, path) {
            // The lock is held whether or not it can be said by whom: on a full disk there is no room for the number, and what
            // makes room must go on.
            let _ = lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id()));
            return Ok(lock);
        }
    }
}

/// Waits until nobody changes the environment `venv`, whose lock file is at `path` if anybody ever did.
pub(crate) fn wait_to_read(path: &Path, venv: &Path, waiting: &Waiting<'_>) -> Result<(), InstallError> {
    match platform::open_regular(path) {
        Ok(lock) => wait((&|| lock.try_lock_shared(), &|| lock.lock_shared()), path, venv, waiting, Instant::now()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        // As whoever changes the environment says it.
        Err(e) if e.kind() == io::ErrorKind::NotADirectory => {
            let state = path.parent().unwrap_or(path).to_owned();
            Err(InstallError::Foreign { path: state, reason: NOT_OWN })
        }
        Err(e) => Err(InstallError::io("open", path)(e)),
    }
}

/// How to take a lock if it is free, and how to wait for it.
type Taking<'a> = (&'a dyn Fn() -> Result<(), TryLockError>, &'a dyn Fn() -> io::Result<()>);

fn wait(
    (try_it, take): Taking<'_>,
    path: &Path,
    venv: &Path,
    waiting: &Waiting<'_>,
    begun: Instant,
) -> Result<(), InstallError> {
    let failed = || InstallError::io("lock", path);
    let mut has_told = false;
    let mut pause = FIRST_PAUSE;
    loop {
        match try_it() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(e)) => return Err(failed()(e)),
        }
        let waited = begun.elapsed();
        if waiting.limit.is_some_and(|limit| waited >= limit) {
            return Err(InstallError::Busy { path: venv.to_owned(), holder: holder(path), waited });
        }
        if waited >= MOMENT && !has_told {
            (waiting.notice)(&holder(path));
            has_told = true;
        }
        if has_told && waiting.limit.is_none() {
            return take().map_err(failed());
        }
        let rest = waiting.limit.map_or(pause, |limit| limit.saturating_sub(waited));
        std::thread::sleep(pause.min(rest));
        pause = (pause * 2).min(LAST_PAUSE);
    }
}

/// Opens the lock file: a regular file of our own, not through a link.
fn open(path: &Path) -> io::Result<File> {
    let lock = platform::open_no_link(OpenOptions::new().create(true).truncate(false).write(true).read(true), path)?;
    // A pipe can be opened and locked, too.
    if lock.metadata()?.is_file() { Ok(lock) } else { Err(platform::irregular()) }
}

/// Reads who holds the lock.
fn holder(path: &Path) -> Holder {
    let mut text = String::new();
    let read = open(path).and_then(|file| {
        let since = file.metadata().and_then(|metadata| metadata.modified()).ok();
        file.take(PID_BYTES).read_to_string(&mut text).map(|_| since)
    });
    let pid = text.trim().parse().ok();
    Holder { pid, since: pid.and(read.ok().flatten()) }
}

const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LAST_PAUSE: Duration = Duration::from_millis(100);
/// Whoever waits longer wants to know for whom.
const MOMENT: Duration = Duration::from_millis(700);
/// A number of a process, and a line end.
const PID_BYTES: u64 = 24;
