//! Reading.
use crate::{Lock, LockError, LockWarning};
pub(crate) fn read(_text: &str) -> Result<(Lock, Vec<LockWarning>), LockError> { todo!() }
