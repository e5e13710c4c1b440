//! A fuzz target, and how its committed inputs are given to it on a stable compiler.

/// A name and what is done with an input; a failed promise is a panic.
pub(crate) struct Target {
    pub(crate) name: &'static str,
    pub(crate) body: fn(&[u8]),
}

/// Gives a target the inputs that are committed for it, and those that a recipe has made.
#[cfg(test)]
pub(crate) fn replay(target: &Target, made: Vec<(String, Vec<u8>)>) {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/corpus");
    let mut inputs = made;
    for entry in std::fs::read_dir(root.join(target.name)).into_iter().flatten() {
        let path = entry.expect("the corpus can be listed").path();
        inputs.push((path.display().to_string(), std::fs::read(&path).expect("an input can be read")));
    }
    assert!(!inputs.is_empty(), "`{}` has no inputs", target.name);
    for (name, input) in inputs {
        let result = std::panic::catch_unwind(|| (target.body)(&input));
        assert!(result.is_ok(), "`{}` fails on {name}", target.name);
    }
}
