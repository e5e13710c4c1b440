//! Pages of an index, JSON.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pinfold_fuzz::run("page_json", data));
