//! A SHA-256 digest: the only digest that pinfold trusts. There is deliberately no type for a weaker one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};

/// A SHA-256 digest: 32 bytes, written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Sha256([u8; 32]);

/// Why a text is no SHA-256 digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Sha256Error {
    /// The text has another length than 64 digits.
    #[error("a SHA-256 digest has 64 hexadecimal digits, this has {found}")]
    Length {
        /// Characters found.
        found: usize,
    },
    /// A character is no hexadecimal digit.
    #[error("`{}` is no hexadecimal digit", crate::shown(.found.encode_utf8(&mut [0; 4]), 1))]
    NotHex {
        /// The character.
        found: char,
    },
}

impl Sha256 {
    /// Makes a digest of the 32 bytes that a hash function returned.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns the 64 hexadecimal digits.
    pub fn digits(&self) -> [u8; 64] {
        // It is done for every file of an environment.
        const PAIRS: [[u8; 2]; 256] = pairs();
        let mut text = [0; 64];
        for (pair, byte) in text.as_chunks_mut().0.iter_mut().zip(self.0) {
            *pair = PAIRS[usize::from(byte)];
        }
        text
    }

    /// Returns the first twelve hexadecimal digits, for messages.
    pub fn short(&self) -> String {
        self.to_string()[..12].to_owned()
    }
}

/// Returns the two digits of every byte.
const fn pairs() -> [[u8; 2]; 256] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut pairs = [[0; 2]; 256];
    let mut byte = 0;
    while byte < pairs.len() {
        pairs[byte] = [DIGITS[byte >> 4], DIGITS[byte & 15]];
        byte += 1;
    }
    pairs
}

impl FromStr for Sha256 {
    type Err = Sha256Error;

    /// Reads 64 hexadecimal digits, in either case. A page of an index has thousands of them.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Ok(digits) = <&[u8; 64]>::try_from(text.as_bytes()) else { return Err(fault(text)) };
        let (mut bytes, mut seen) = ([0; 32], 0);
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let (high, low) = (HEX_VALUES[usize::from(pair[0])], HEX_VALUES[usize::from(pair[1])]);
            seen |= high | low;
            *byte = (high << 4) | low;
        }
        if seen < 16 { Ok(Self(bytes)) } else { Err(fault(text)) }
    }
}

/// Says what is wrong with a text that is no digest.
fn fault(text: &str) -> Sha256Error {
    match text.chars().find(|c| !c.is_ascii_hexdigit()) {
        Some(found) => Sha256Error::NotHex { found },
        None => Sha256Error::Length { found: text.len() },
    }
}

/// What each byte means as a hexadecimal digit; 255 if it is none.
const HEX_VALUES: [u8; 256] = {
    let mut values = [u8::MAX; 256];
    let mut value = 0;
    while value < 16 {
        let digit = b"0123456789abcdef"[value as usize];
        values[digit as usize] = value;
        values[digit.to_ascii_uppercase() as usize] = value;
        value += 1;
    }
    values
};

impl TryFrom<String> for Sha256 {
    type Error = Sha256Error;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl Serialize for Sha256 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl From<Sha256> for String {
    fn from(digest: Sha256) -> Self {
        digest.to_string()
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(str::from_utf8(&self.digits()).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sha256({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_either_case_and_writes_lower_case() {
        let lower = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        let digest: Sha256 = lower.to_uppercase().parse().unwrap();
        assert_eq!(digest.to_string(), lower);
        assert_eq!(digest.short(), "9f86d081884c");
    }

    #[test]
    fn rejects_wrong_length_and_foreign_digits() {
        assert_eq!("ab".parse::<Sha256>(), Err(Sha256Error::Length { found: 2 }));
        assert_eq!("é".repeat(32).parse::<Sha256>(), Err(Sha256Error::NotHex { found: 'é' }));
        assert_eq!("".parse::<Sha256>(), Err(Sha256Error::Length { found: 0 }));
        let digits = "0".repeat(64);
        for position in [0, 31, 63] {
            for foreign in ['g', 'G', '/', ':', '@', '`', ' ', '\0', '\u{7f}'] {
                let mut text = digits.clone();
                text.replace_range(position..=position, &foreign.to_string());
                assert_eq!(text.parse::<Sha256>(), Err(Sha256Error::NotHex { found: foreign }), "{position}");
            }
        }
        // What is shown to people drives no terminal.
        let error = "\u{1b}".parse::<Sha256>().unwrap_err();
        assert_eq!(error.to_string(), "`\\u{1b}` is no hexadecimal digit");
    }
}
