//! Markers of locks, held against those of requirements.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pinfold_fuzz::run("lock_marker", data));
