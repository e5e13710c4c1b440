//! The committed inputs of this room's fuzz targets, on a stable compiler. See docs/fuzzing.md.

#[path = "../../../tests/fuzz/src/target.rs"]
mod target;
#[path = "../../../tests/fuzz/src/install.rs"]
mod targets;

#[test]
fn every_committed_input_keeps_its_promises() {
    for target in targets::TARGETS {
        target::replay(target, Vec::new());
    }
}
