//! The process group of a child: what differs between systems.
//!
//! On Windows a child is ended alone, because a group there needs a job object.

#[cfg(unix)]
pub(crate) use unix::{LOOK_PAUSE, has_ended, kill, lead, report_exit, set_system_variables};
#[cfg(not(unix))]
pub(crate) use windows::{LOOK_PAUSE, has_ended, kill, lead, report_exit, set_system_variables};

#[cfg(unix)]
mod unix {
    use std::os::unix::process::CommandExt as _;
    use std::path::Path;
    use std::process::{Child, Command};
    use std::sync::mpsc::Sender;
    use std::thread;
    use std::time::Duration;

    use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

    use crate::capture::Event;

    /// Makes the child the leader of its own process group.
    pub(crate) fn lead(command: &mut Command) {
        command.process_group(0);
    }

    /// Kills the child and every process of its group. The child is not reaped yet, so the number is still its own.
    pub(crate) fn kill(child: &mut Child) {
        // A group whose every member is gone cannot be killed: that is what was wanted.
        let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
    }

    /// Reports when the child ended, and leaves reaping it to its owner.
    pub(crate) fn report_exit(child: &Child, events: Sender<Event>) {
        let pid = Pid::from_child(child);
        thread::spawn(move || {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            while matches!(waitid(WaitId::Pid(pid), options), Err(rustix::io::Errno::INTR)) {}
            let _ = events.send(Event::Exited);
        });
    }

    /// Returns false: the end is reported.
    pub(crate) const fn has_ended(_child: &mut Child) -> bool {
        false
    }

    /// No variable of the system is needed to start a program here.
    pub(crate) const fn set_system_variables(_command: &mut Command, _home: &Path, _temporary: &Path) {}

    /// Nobody needs to look.
    pub(crate) const LOOK_PAUSE: Duration = Duration::MAX;
}

#[cfg(not(unix))]
mod windows {
    use std::path::Path;
    use std::process::{Child, Command};
    use std::sync::mpsc::Sender;
    use std::time::Duration;

    use crate::capture::Event;

    pub(crate) fn lead(_command: &mut Command) {}

    pub(crate) fn kill(child: &mut Child) {
        // One that has ended cannot be killed: that is what was wanted.
        let _ = child.kill();
    }

    /// Nobody can wait for a child but its owner, who looks at it from time to time.
    pub(crate) fn report_exit(_child: &Child, _events: Sender<Event>) {}

    /// Returns true if the child has ended.
    pub(crate) fn has_ended(child: &mut Child) -> bool {
        child.try_wait().is_ok_and(|status| status.is_some())
    }

    /// Programs here look for a home and for temporary files by other names, and cannot load the system's own libraries
    /// without the last ones.
    pub(crate) fn set_system_variables(command: &mut Command, home: &Path, temporary: &Path) {
        command.env("USERPROFILE", home).env("TEMP", temporary).env("TMP", temporary);
        for name in ["SYSTEMDRIVE", "SYSTEMROOT", "WINDIR"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
    }

    /// How often the child is looked at.
    pub(crate) const LOOK_PAUSE: Duration = Duration::from_millis(10);
}
