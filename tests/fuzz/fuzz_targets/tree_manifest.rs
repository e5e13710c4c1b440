//! The list of an unpacked tree.
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: pinfold_fuzz::write_seeds("tree_manifest"),
    |data: &[u8]| pinfold_fuzz::run("tree_manifest", data)
);
