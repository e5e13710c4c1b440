//! The tar of an sdist.
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: pinfold_fuzz::write_seeds("sdist_tar"),
    |data: &[u8]| pinfold_fuzz::run("sdist_tar", data)
);
