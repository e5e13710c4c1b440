//! The committed inputs of this room's fuzz targets, on a stable compiler. See docs/fuzzing.md.

#[path = "../../../tests/fuzz/src/replay.rs"]
mod replay;
#[path = "../../../tests/fuzz/src/lock.rs"]
mod targets;

#[test]
fn every_committed_input_keeps_its_promises() {
    replay::replay(targets::TARGETS, |_| Vec::new());
}
