//! What is told of an environment that is watched.

use super::Finding;

/// Something that happened to an environment that is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchEvent {
    /// Something is wrong now.
    Found(Finding),
    /// There is no environment any more; nothing follows.
    Gone,
    /// The system lost changes, so everything is read again.
    Overflow,
    /// Something is no longer wrong.
    Resolved(Finding),
    /// A generation is watched: at the beginning, and whenever another takes the environment's place.
    Watching {
        /// Its number.
        generation: u64,
        /// Its files.
        files: u64,
        /// Its directories.
        directories: u64,
    },
}

/// Why the watching of a generation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchEnding {
    /// Nobody wants to be told any more; this is what was wrong last.
    Closed(Vec<Finding>),
    /// There is no environment.
    Gone,
    /// Something else took its place, or it was taken away.
    Replaced,
}
