//! `entry_points.txt`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pinfold_fuzz::run("entry_points", data));
