//! The inputs of this room's fuzz targets, on a stable compiler. See docs/fuzzing.md.

#[path = "../../../tests/fuzz/src/target.rs"]
mod target;
#[path = "../../../tests/fuzz/src/store.rs"]
mod targets;

#[test]
fn every_input_keeps_its_promises() {
    for target in targets::TARGETS {
        target::replay(target, targets::seeds(target.name));
    }
}
