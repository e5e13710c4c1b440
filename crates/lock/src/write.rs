//! Writing.
use crate::Lock;
pub(crate) fn write(_lock: &Lock) -> String { todo!() }
