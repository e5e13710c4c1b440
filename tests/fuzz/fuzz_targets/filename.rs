//! The names of wheels and sdists.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pinfold_fuzz::run("filename", data));
