//! The ledger of an environment.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pinfold_fuzz::run("ledger", data));
