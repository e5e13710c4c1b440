//! Resolutions in small universes: tables of cases, explanations as snapshots, and a brute-force oracle.

mod choice;
mod direction;
mod effort;
mod explanation;
mod facts;
mod files;
mod oracle;
mod universe;
