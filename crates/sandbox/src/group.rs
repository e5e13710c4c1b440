//! The process group of a child: what differs between systems.
//!
//! On Windows a child is ended alone, because a group there needs a job object; that half is written but was not run.

#[cfg(unix)]
pub(crate) use unix::{keep_system_variables, kill, lead, report_exit};
#[cfg(not(unix))]
pub(crate) use windows::{keep_system_variables, kill, lead, report_exit};

#[cfg(unix)]
mod unix {
    use std::os::unix::process::CommandExt as _;
    use std::process::{Child, Command};
    use std::sync::mpsc::Sender;
    use std::thread;

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

    /// No variable of the system is needed to start a program here.
    pub(crate) fn keep_system_variables(_command: &mut Command) {}
}

#[cfg(not(unix))]
mod windows {
    use std::process::{Child, Command};
    use std::sync::mpsc::Sender;

    use crate::capture::Event;

    pub(crate) fn lead(_command: &mut Command) {}

    pub(crate) fn kill(child: &mut Child) {
        let _ = child.kill();
    }

    /// The exit is noticed when the pipes close.
    pub(crate) fn report_exit(_child: &Child, _events: Sender<Event>) {}

    /// Windows cannot load its own libraries without these.
    pub(crate) fn keep_system_variables(command: &mut Command) {
        for name in ["SYSTEMROOT", "WINDIR"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
    }
}
