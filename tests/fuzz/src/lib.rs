//! What the fuzz targets do with an input: one file per room, each with a table of targets.
//!
//! The same files are part of a test of each room (`crates/*/tests/fuzz_corpus.rs`), which gives them the committed inputs
//! on a stable compiler. A body asserts more than the absence of a panic: what was accepted keeps its promises, printing
//! and reading again changes nothing, limits hold.

mod install;
mod lock;
mod manifest;
mod packaging;
mod recipes;
mod store;
mod target;
mod unpack;

/// Gives an input to a target; a failed promise is a panic.
pub fn run(target: &str, data: &[u8]) {
    let rooms = [
        install::TARGETS,
        lock::TARGETS,
        manifest::TARGETS,
        packaging::TARGETS,
        store::TARGETS,
        unpack::TARGETS,
    ];
    match rooms.iter().flat_map(|targets| targets.iter()).find(|known| known.name == target) {
        Some(known) => (known.body)(data),
        None => panic!("there is no target `{target}`"),
    }
}

/// Writes what a target begins with into the directory that `PINFOLD_FUZZ_SEEDS` names, if it does.
pub fn write_seeds(target: &str) {
    let Some(directory) = std::env::var_os("PINFOLD_FUZZ_SEEDS") else { return };
    for (name, bytes) in recipes::seeds(target).into_iter().chain(store::seeds(target)) {
        let path = std::path::Path::new(&directory).join(name);
        std::fs::write(&path, bytes).unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
    }
}
