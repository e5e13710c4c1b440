//! Gives the committed inputs to the targets of one room, on a stable compiler.

use std::path::Path;

/// Gives every committed input of every target to its body.
pub(crate) fn replay(targets: &[(&str, fn(&[u8]))], seeds: fn(&str) -> Vec<(&'static str, Vec<u8>)>) {
    for (target, body) in targets {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/corpus").join(target);
        let mut inputs: Vec<(String, Vec<u8>)> =
            seeds(target).into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect();
        for entry in std::fs::read_dir(directory).into_iter().flatten() {
            let path = entry.expect("the corpus can be listed").path();
            inputs.push((path.display().to_string(), std::fs::read(&path).expect("an input can be read")));
        }
        assert!(!inputs.is_empty(), "`{target}` has no inputs");
        for (name, input) in inputs {
            let result = std::panic::catch_unwind(|| body(&input));
            assert!(result.is_ok(), "`{target}` fails on {name}");
        }
    }
}
