//! Reading every listed file: bytes, size and permissions. Two threads, the biggest file first.

use std::collections::BTreeSet;
use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};

use pinfold_artifact::Sha256;
use sha2::Digest as _;

use super::{Finding, FindingCode, Listed, Report};
use crate::disk::{Directory, Facts};
use crate::{Environment, InstallError, InstalledFile, THREADS, disk};

/// Adds a finding for every file that is not what the receipt says.
pub(super) fn check(
    environment: &Environment,
    listed: &Listed<'_>,
    present: &BTreeSet<&str>,
    report: &mut Report,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<(), InstallError> {
    let mut files: Vec<&InstalledFile> =
        listed.files.values().filter(|file| present.contains(file.path.as_str())).copied().collect();
    // The biggest first, so that no thread is left with it at the end; small ones stay directory by directory.
    files.sort_by_key(|file| std::cmp::Reverse(file.size / BIG_BYTES));
    let root = Directory::open(environment.venv()).map_err(InstallError::io("open", environment.venv()))?;
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut found = Vec::new();
        let mut bytes_read = 0;
        let mut buffer = vec![0; BUFFER_BYTES];
        while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            let failed = |e| InstallError::io("read", &disk::below(environment.venv(), file.path.as_str()))(e);
            let (facts, sha256, count) = read(&root, file, &mut buffer, progress).map_err(failed)?;
            bytes_read += count;
            found.extend(findings(file, &facts, sha256, count).map(|it| it.of(listed.owner(file))));
        }
        Ok((found, bytes_read))
    };
    let results = std::thread::scope(|scope| {
        let others: Vec<_> = (1..THREADS).map(|_| scope.spawn(worker)).collect();
        let own = worker();
        others.into_iter().map(crate::join).chain([own]).collect::<Vec<Result<_, InstallError>>>()
    });
    for result in results {
        let (found, bytes_read) = result?;
        report.findings.extend(found);
        report.bytes_checked += bytes_read;
    }
    report.files_checked += files.len() as u64;
    Ok(())
}

fn read(
    root: &Directory,
    listed: &InstalledFile,
    buffer: &mut [u8],
    progress: &(dyn Fn(u64) + Sync),
) -> std::io::Result<(Facts, Sha256, u64)> {
    let path = listed.path.as_str();
    let facts = root.facts(path)?;
    let mut file = root.open_file(path)?;
    let mut hasher = sha2::Sha256::new();
    let mut total = 0_u64;
    loop {
        let count = match file.read(buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        hasher.update(&buffer[..count]);
        total += count as u64;
        progress(count as u64);
    }
    Ok((facts, Sha256::from_bytes(hasher.finalize().into()), total))
}

fn findings(file: &InstalledFile, facts: &Facts, sha256: Sha256, size: u64) -> impl Iterator<Item = Finding> {
    let path = file.path.as_str();
    let changed = (sha256, size) != (file.sha256, file.size);
    let changed = changed.then(|| {
        let expected = format!("{} bytes, sha256 {}", file.size, file.sha256);
        Finding::new(FindingCode::Changed, path, expected, format!("{size} bytes, sha256 {sha256}"))
    });
    let mode = wrong_mode(file.executable, facts.mode)
        .map(|expected| Finding::new(FindingCode::ModeChanged, path, expected, format!("mode {:04o}", facts.mode)));
    changed.into_iter().chain(mode)
}

/// Which bits matter: who may execute it, and that it takes nobody's rights. The rest is the umask's and the store's.
fn wrong_mode(executable: bool, mode: u32) -> Option<&'static str> {
    if cfg!(not(unix)) {
        return None;
    }
    if mode & 0o7000 != 0 {
        return Some("no setuid, setgid or sticky bit");
    }
    match (executable, mode & 0o111) {
        (true, bits) if bits & 0o100 == 0 => Some("an executable file"),
        (false, bits) if bits != 0 => Some("a file that is not executable"),
        _ => None,
    }
}

/// Files are taken in the order of their size in this unit.
const BIG_BYTES: u64 = 1 << 20;

/// Large enough for the disk, small enough for the processor's cache.
const BUFFER_BYTES: usize = 256 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_execution_and_foreign_rights_matter() {
        for (executable, mode, is_fine) in [
            (false, 0o644, true),
            (false, 0o444, true),
            (false, 0o666, true),
            (true, 0o755, true),
            (true, 0o555, true),
            (true, 0o700, true),
            (true, 0o644, false),
            (false, 0o755, false),
            (false, 0o645, false),
            (true, 0o4755, false),
            (false, 0o2644, false),
        ] {
            assert_eq!(wrong_mode(executable, mode).is_none(), is_fine, "{executable} {mode:o}");
        }
    }
}
