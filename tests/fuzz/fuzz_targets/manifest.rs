//! `pinfold.toml` and `pyproject.toml`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pinfold_fuzz::run("manifest", data));
