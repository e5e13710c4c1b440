//! May this lock be used: what a maintainer should look at before believing it, as findings.
//!
//! Pure judgements over locks. Nothing here refuses or fetches anything: the shell decides what a finding leads to, and
//! says so in the exit code.
#![forbid(unsafe_code)]

pub mod names;
