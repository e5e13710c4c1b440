//! From verified bytes to an unpacked tree in the store.

use pinfold_lock::{Accepted, Selected};
use pinfold_store::{Store, Stored, StoredTree};

use crate::InstallError;

/// Unpacks a wheel into the store, unless it is there already, and refuses what nobody accepted.
///
/// `stored` is the wheel: the selected artifact itself, or what was built from it.
///
/// # Errors
/// [`InstallError::Archive`] for every hostile wheel, [`InstallError::Unaccepted`] for start-up files that no entry of
/// `accepts` names with package, path and digest.
pub fn unpack_wheel(
    store: &Store,
    stored: &Stored,
    selected: &Selected,
    accepts: &[Accepted],
) -> Result<StoredTree, InstallError> {
    let _ = (store, stored, selected, accepts);
    todo!()
}
