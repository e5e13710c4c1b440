//! Resolutions in small universes: scenarios with their whole answers, a brute-force oracle, and bounds on effort.

#![expect(clippy::unwrap_used, reason = "a test that cannot make its input fails")]

mod backtracking;
mod cutoff;
mod directions;
mod effort;
mod explanation;
mod extras;
mod facts;
mod forks;
mod locals;
mod missing;
mod oracle;
mod origins;
mod prereleases;
mod pythons;
mod solution;
mod splits;
mod taste;
mod universe;
mod versions;
mod wheels;
mod yanked;
