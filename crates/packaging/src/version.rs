//! A version as PEP 440 has it.
//!
//! `pep440_rs` computes with 64-bit numbers and panics or wraps where one is incremented past the end, so a number longer
//! than [`Limits::VERSION_DIGITS`] digits is refused before it is asked.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use pinfold_artifact::{Limits, shown_in_ascii};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A PEP 440 version; equal versions are equal however they were spelled (`1.0` and `1.0.0`).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(
    /// Every number in it has at most [`Limits::VERSION_DIGITS`] digits.
    pep440_rs::Version,
);

/// Why a text is no version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// The text does not have the form of a version.
    #[error("`{text}` is no version")]
    Form {
        /// The text, escaped and cut.
        text: String,
    },
    /// A number has too many digits.
    #[error("`{text}` has a number of more than {} digits", Limits::VERSION_DIGITS)]
    Number {
        /// The text, escaped and cut.
        text: String,
    },
    /// Too many bytes.
    #[error("`{text}` … is longer than a version may be ({} bytes)", Limits::VERSION_BYTES)]
    TooLong {
        /// The beginning of the text, escaped.
        text: String,
    },
}

impl Version {
    /// Makes a version of release numbers: `[3, 10, 0]`.
    ///
    /// A number beyond what [`Limits::VERSION_DIGITS`] allows becomes the largest that is allowed.
    pub fn from_release(numbers: impl AsRef<[u64]>) -> Self {
        const LARGEST: u64 = 10u64.pow(Limits::VERSION_DIGITS as u32) - 1;
        Self(pep440_rs::Version::new(numbers.as_ref().iter().map(|number| (*number).min(LARGEST))))
    }

    /// Wraps a version that came out of a gated one.
    pub(crate) const fn wrap(inner: pep440_rs::Version) -> Self {
        Self(inner)
    }

    /// Returns the version that `pep440_rs` computes with.
    pub(crate) const fn inner(&self) -> &pep440_rs::Version {
        &self.0
    }

    /// Returns true for alphas, betas, release candidates and development releases.
    pub fn is_prerelease(&self) -> bool {
        self.0.any_prerelease()
    }

    /// Returns true if there is a local part (`+cu121`).
    pub fn is_local(&self) -> bool {
        self.0.is_local()
    }

    /// Returns true for post-releases.
    pub fn is_postrelease(&self) -> bool {
        self.0.is_post()
    }

    /// Returns the version without its local part.
    pub fn without_local(&self) -> Self {
        if self.is_local() { Self(self.0.clone().without_local()) } else { self.clone() }
    }

    /// Returns the epoch, 0 where none is written.
    pub fn epoch(&self) -> u64 {
        self.0.epoch()
    }

    /// Returns the numbers of the release, as many as were written.
    pub fn release(&self) -> &[u64] {
        self.0.release()
    }
}

/// Returns true if some number in the text has more digits than a version may have.
pub(crate) fn has_long_number(text: &str) -> bool {
    let mut run = 0;
    text.bytes().any(|byte| {
        run = if byte.is_ascii_digit() { run + 1 } else { 0 };
        run > Limits::VERSION_DIGITS
    })
}

/// Escapes and cuts a text for a message.
pub(crate) fn shown(text: &str) -> String {
    shown_in_ascii(text, 80)
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim_matches([' ', '\t']);
        if text.len() > Limits::VERSION_BYTES {
            return Err(VersionError::TooLong { text: shown(text) });
        }
        if has_long_number(text) {
            return Err(VersionError::Number { text: shown(text) });
        }
        if !text.is_ascii() {
            return Err(VersionError::Form { text: shown(text) });
        }
        let version = text.parse().map(Self).map_err(|_| VersionError::Form { text: shown(text) })?;
        // `1crdev` is written `1rc0.post0.dev0`: what is written must be read again.
        if text.len() > Limits::VERSION_BYTES - GROWTH_BYTES && version.to_string().len() > Limits::VERSION_BYTES {
            return Err(VersionError::TooLong { text: shown(text) });
        }
        Ok(version)
    }
}

/// What a version may grow by when it is written: `c`, `r` and `dev` are spelled out.
const GROWTH_BYTES: usize = 16;

impl TryFrom<String> for Version {
    type Error = VersionError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_more = self.epoch() > 0 || self.is_prerelease() || self.is_postrelease() || self.is_local();
        if is_more {
            return fmt::Display::fmt(&self.0, f);
        }
        // Nearly every version is its release alone, of which `pep440_rs` makes a text for each number.
        for (position, number) in self.release().iter().enumerate() {
            f.write_str(if position > 0 { "." } else { "" })?;
            write!(f, "{number}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0)
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_equal_however_they_are_spelled() {
        for (a, b) in [("1.0", "1.0.0"), ("v1.0-RC.1", "1rc1"), ("1.0-1", "1.0.post1"), ("0!1", "1"), (" 1 ", "1.0")] {
            assert_eq!(a.parse::<Version>().unwrap(), b.parse::<Version>().unwrap(), "{a} {b}");
        }
        let version: Version = "1!2.0rc1+cu121".parse().unwrap();
        assert_eq!(version.to_string(), "1!2.0rc1+cu121");
        assert!(version.is_prerelease() && version.is_local() && !version.is_postrelease());
        assert_eq!((version.epoch(), version.release()), (1, &[2, 0][..]));
        assert_eq!(version.without_local().to_string(), "1!2.0rc1");
        assert_eq!(Version::from_release([3, 10, u64::MAX]).to_string(), "3.10.999999999999999");
    }

    proptest::proptest! {
        #[test]
        fn it_is_written_as_the_library_writes_it(
            text in r"([0-2]!)?[0-9]{1,3}(\.[0-9]{1,15}){0,4}(a1|rc0)?(\.post[0-3])?(\.dev[0-9])?(\+[a-z0-9]{1,3}(\.0[0-9])?)?",
        ) {
            let version: Version = text.parse().unwrap();
            proptest::prop_assert_eq!(version.to_string(), version.inner().to_string());
            proptest::prop_assert_eq!(format!("{version:>40}"), format!("{:>40}", version.inner()));
        }
    }

    #[test]
    fn refuses_what_is_none_or_too_large() {
        let long = format!("1{}", ".0".repeat(Limits::VERSION_BYTES));
        for text in ["", "dev", "2004d", "1.0.*", "1 2", "١.0", "1.18446744073709551615", "1+9999999999999999", &long]
        {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
        let growing = |count: usize| format!("1{}crdev", ".1".repeat(count));
        assert_eq!(growing(121).parse::<Version>(), Err(VersionError::TooLong { text: shown(&growing(121)) }));
        let longest: Version = growing(120).parse().unwrap();
        assert_eq!(longest.to_string().parse(), Ok(longest));
    }
}
