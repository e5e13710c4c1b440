//! The text of a name, in place where it is short.
//!
//! Nearly all names are; a resolution compares them a hundred thousand times and copies them as often. In place they need no
//! memory of their own, no count that threads share, and three numbers instead of a call to be compared.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use tinystr::TinyAsciiStr;

/// ASCII without NUL; ordered and hashed as its text.
#[derive(Clone)]
pub(super) enum NameText {
    /// Up to [`SHORT_BYTES`].
    Short(TinyAsciiStr<SHORT_BYTES>),
    /// What is longer.
    Long(Arc<str>),
}

/// With one more to tell it from a long one this is no larger than three words.
const SHORT_BYTES: usize = 23;

const _: () = assert!(size_of::<NameText>() == 24);

impl NameText {
    pub(super) fn new(text: &str) -> Self {
        match TinyAsciiStr::try_from_str(text) {
            Ok(short) => Self::Short(short),
            Err(_) => Self::Long(Arc::from(text)),
        }
    }

    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Short(text) => text.as_str(),
            Self::Long(text) => text,
        }
    }
}

/// Returns a text as numbers that are ordered as it is: it ends with zeros, which no text has.
fn words(text: &TinyAsciiStr<SHORT_BYTES>) -> [u64; 3] {
    let bytes = text.all_bytes();
    let word = |at: usize| bytes[at..].first_chunk().map_or(0, |chunk| u64::from_be_bytes(*chunk));
    // The last two share a byte: where it counts, it is equal in both.
    [word(0), word(8), word(SHORT_BYTES - 8)]
}

impl PartialEq for NameText {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Short(one), Self::Short(other)) => words(one) == words(other),
            (one, other) => one.as_str() == other.as_str(),
        }
    }
}

impl Eq for NameText {}

impl Ord for NameText {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Short(one), Self::Short(other)) => words(one).cmp(&words(other)),
            (one, other) => one.as_str().cmp(other.as_str()),
        }
    }
}

impl PartialOrd for NameText {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for NameText {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_ordered_and_hashed_as_its_text(one in "[a-b0-]{1,40}", other in "[a-b0-]{1,40}", cut in 0_usize..40) {
            // Often one begins as the other does.
            let other = format!("{}{other}", &one[..cut.min(one.len())]);
            let (short, long) = (NameText::new(&one), NameText::new(&other));
            prop_assert_eq!(short.as_str(), &one);
            prop_assert_eq!(short.cmp(&long), one.cmp(&other));
            prop_assert_eq!(short == long, one == other);
            prop_assert!(short == NameText::new(&one));
            let state = std::hash::RandomState::new();
            prop_assert_eq!(state.hash_one(&short), state.hash_one(one.as_str()));
        }
    }
}
