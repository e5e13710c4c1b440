//! Work that is bound by the modes of files, whoever runs the tests: to root they are nothing, and a test of them would prove
//! nothing.
//!
//! On Linux root is root by capabilities, and these belong to a thread. So the work is done on a thread that has given up
//! those that pass modes over; a program that it starts does not get them back. The files stay those of the same user.

use crate::announce_skipped;

/// Does the work bound by modes. Where that cannot be had, it says so aloud, and the work is not done.
pub fn bound_by_modes(what: &str, work: impl FnOnce() + Send) {
    let outcome = std::thread::scope(|scope| {
        let thread = scope.spawn(|| give_up().map(|()| work()));
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    if let Err(reason) = outcome {
        announce_skipped(what, &reason);
    }
}

/// Gives up what passes modes over, on this thread and for what it starts.
#[cfg(target_os = "linux")]
fn give_up() -> Result<(), String> {
    use rustix::thread::{CapabilitySet, capabilities, remove_capability_from_bounding_set, set_capabilities};
    let passes = CapabilitySet::DAC_OVERRIDE | CapabilitySet::DAC_READ_SEARCH;
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    for one in [CapabilitySet::DAC_OVERRIDE, CapabilitySet::DAC_READ_SEARCH] {
        let removed = remove_capability_from_bounding_set(one);
        removed.map_err(|error| format!("root may not give up a capability: {error}"))?;
    }
    let mut sets = capabilities(None).map_err(|error| format!("capabilities cannot be asked for: {error}"))?;
    for set in [&mut sets.effective, &mut sets.permitted, &mut sets.inheritable] {
        set.remove(passes);
    }
    set_capabilities(None, sets).map_err(|error| format!("capabilities cannot be given up: {error}"))
}

/// Elsewhere there is no such thread: only an ordinary user is bound.
#[cfg(not(target_os = "linux"))]
fn give_up() -> Result<(), String> {
    let probe = tempfile::tempdir().map_err(|error| error.to_string())?;
    let file = probe.path().join("closed");
    std::fs::write(&file, "").map_err(|error| error.to_string())?;
    #[cfg(unix)]
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o000))
        .map_err(|error| error.to_string())?;
    if std::fs::read(&file).is_ok() { Err("modes bind nobody here".to_owned()) } else { Ok(()) }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn neither_the_thread_nor_what_it_starts_passes_modes_over() {
        let home = tempfile::tempdir().unwrap();
        let closed = home.path().join("closed");
        fs::write(&closed, "x").unwrap();
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
        bound_by_modes("reading a closed file", || {
            assert!(fs::read(&closed).is_err());
            let shown = std::process::Command::new("cat").arg(&closed).output().unwrap();
            assert!(!shown.status.success() && shown.stdout.is_empty());
            fs::set_permissions(&closed, fs::Permissions::from_mode(0o600)).unwrap();
            assert_eq!(fs::read(&closed).unwrap(), b"x");
        });
    }
}
