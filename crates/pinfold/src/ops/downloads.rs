//! What a sync would have to download, and what is at hand: told from the store without writing anything.

use pinfold_lock::Selection;
use pinfold_store::Store;

use crate::exit::Failure;
use crate::world::World;

/// Files and bytes of a selection, by where they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Downloads {
    /// Files that the store has.
    pub files_at_hand: u64,
    /// Their bytes, as they were downloaded.
    pub bytes_at_hand: u64,
    /// Files that it lacks.
    pub files_to_fetch: u64,
    /// Their bytes.
    pub bytes_to_fetch: u64,
}

/// Counts what the store has of a selection, and what it lacks.
///
/// # Errors
/// Exit 4 if the store cannot be read.
pub fn count(selection: &Selection, world: &World) -> Result<Downloads, Failure> {
    let store = Store::existing(&world.store_dir());
    let mut counted = Downloads::default();
    for selected in &selection.packages {
        let artifact = &selected.artifact;
        let is_at_hand = match &store {
            Some(store) => store.holds(artifact)?,
            None => false,
        };
        let (files, bytes) = if is_at_hand {
            (&mut counted.files_at_hand, &mut counted.bytes_at_hand)
        } else {
            (&mut counted.files_to_fetch, &mut counted.bytes_to_fetch)
        };
        *files += 1;
        *bytes += artifact.size_bytes;
    }
    Ok(counted)
}
