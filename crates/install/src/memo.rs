//! What was read last, kept with the bytes that it was read from: one sync reads the receipt of the environment and the end
//! of the ledger again and again, because another process may have changed them. The bytes are read each time; what they
//! say is found out once.

use std::sync::{Mutex, PoisonError};

/// The last few things that were read from bytes.
pub(crate) struct Memo<T>(Mutex<Vec<(Vec<u8>, T)>>);

impl<T: Clone> Memo<T> {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// Returns what exactly these bytes said before; otherwise reads them, and keeps what they say if that is anything.
    pub(crate) fn read<E>(&self, bytes: &[u8], read: impl FnOnce(&[u8]) -> Result<T, E>) -> Result<T, E> {
        let kept = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, said)) = kept().iter().find(|(known, _)| known == bytes) {
            return Ok(said.clone());
        }
        let said = read(bytes)?;
        let mut kept = kept();
        if kept.len() >= KEPT {
            kept.remove(0);
        }
        kept.push((bytes.to_vec(), said.clone()));
        Ok(said)
    }
}

/// Enough for the environment in place and the one that takes its place.
const KEPT: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_bytes_are_read_once_and_others_each_for_themselves() {
        let (memo, mut reads) = (Memo::new(), 0);
        let mut check = |bytes: &[u8], expected: Result<usize, ()>, expected_reads: usize| {
            let found = memo.read(bytes, |bytes| {
                reads += 1;
                if bytes.is_empty() { Err(()) } else { Ok(bytes.len()) }
            });
            assert_eq!((found, reads), (expected, expected_reads), "{bytes:?}");
        };
        check(b"a", Ok(1), 1);
        check(b"ab", Ok(2), 2);
        check(b"a", Ok(1), 2);
        // A failure is not kept, and what is kept is not much.
        check(b"", Err(()), 3);
        check(b"", Err(()), 4);
        check(b"abc", Ok(3), 5);
        check(b"abcd", Ok(4), 6);
        check(b"a", Ok(1), 7);
        check(b"abcd", Ok(4), 7);
    }
}
