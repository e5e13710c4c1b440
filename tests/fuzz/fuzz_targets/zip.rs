//! The layout of a zip and its members.
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: pinfold_fuzz::write_seeds("zip"),
    |data: &[u8]| pinfold_fuzz::run("zip", data)
);
