//! Resolutions in small universes: tables of cases, explanations as snapshots, and a brute-force oracle.

#![expect(clippy::unwrap_used, reason = "a test that cannot make its input fails")]

mod choice;
mod direction;
mod effort;
mod explanation;
mod facts;
mod files;
mod locals;
mod missing;
mod oracle;
mod prereleases;
mod pythons;
mod universe;
mod versions;
mod yanked;
