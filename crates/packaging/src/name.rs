//! Names of projects, extras and dependency groups, in the one spelling that all their spellings share.
//!
//! `Foo__Bar..baz` and `foo-bar-baz` are one name (the name normalisation specification). Only ASCII is a name: a
//! Cyrillic look-alike is refused, not transliterated.

mod text;

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use self::text::NameText;
use crate::version::shown;

/// Why a text is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// A character that no name has.
    #[error("`{text}` is no name: `{found}` is none of ASCII letters, digits, `-`, `_`, `.`")]
    Character {
        /// The character, escaped.
        found: String,
        /// The text, escaped and cut.
        text: String,
    },
    /// The text does not begin and end with a letter or digit.
    #[error("`{text}` is no name: it must begin and end with a letter or digit")]
    Edge {
        /// The text, escaped and cut.
        text: String,
    },
    /// Nothing.
    #[error("a name must not be empty")]
    Empty,
    /// Too many bytes.
    #[error("`{text}` … is longer than a name may be ({NAME_BYTES} bytes)")]
    TooLong {
        /// The beginning of the text, escaped.
        text: String,
    },
}

/// No file can carry a longer name, as it stands in every file name of the project.
const NAME_BYTES: usize = 200;

/// Checks the specification's grammar and returns the normalised spelling.
fn normalised(text: &str) -> Result<NameText, NameError> {
    let bytes = text.as_bytes();
    let shown_text = || shown(text);
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return Err(NameError::Empty) };
    if bytes.len() > NAME_BYTES {
        return Err(NameError::TooLong { text: shown_text() });
    }
    if let Some(found) = text.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))) {
        return Err(NameError::Character { found: shown(found.encode_utf8(&mut [0; 4])), text: shown_text() });
    }
    if !(first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric()) {
        return Err(NameError::Edge { text: shown_text() });
    }
    let separator = |byte: u8| matches!(byte, b'-' | b'_' | b'.');
    let plain = |pair: &[u8]| !(separator(pair[0]) && separator(pair[1]));
    let is_normal = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-';
    if bytes.iter().all(is_normal) && bytes.windows(2).all(plain) {
        return Ok(NameText::new(text));
    }
    let mut name = String::with_capacity(text.len());
    for byte in bytes {
        match byte {
            byte if separator(*byte) => {
                if !name.ends_with('-') {
                    name.push('-');
                }
            }
            byte => name.push(char::from(byte.to_ascii_lowercase())),
        }
    }
    Ok(NameText::new(&name))
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(
            /// Normalised: lower-case ASCII letters and digits, single `-` between them.
            NameText,
        );

        impl $name {
            /// Returns the normalised name.
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                normalised(text).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.as_str().to_owned()
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                self.as_str()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

name_type! {
    /// The name of a project, such as `torch` or `antlr4-python3-runtime`.
    PackageName
}

name_type! {
    /// The name of an extra.
    ExtraName
}

name_type! {
    /// The name of a dependency group (PEP 735).
    GroupName
}

impl PackageName {
    /// Returns the name as file names and `.dist-info` directories spell it: `antlr4_python3_runtime`.
    pub fn as_dist_info(&self) -> String {
        self.as_str().replace('-', "_")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_spellings_are_one_name() {
        for text in ["foo-bar-baz", "Foo__Bar..baz", "FOO-_.BAR.BAZ", "foo_bar_baz"] {
            assert_eq!(text.parse::<PackageName>().unwrap().as_str(), "foo-bar-baz", "{text}");
        }
        assert_eq!("A.b".parse::<PackageName>().unwrap().as_dist_info(), "a_b");
        assert_eq!("a".parse::<ExtraName>().unwrap().to_string(), "a");
    }

    #[test]
    fn refuses_names_that_only_look_alike() {
        let cyrillic = "nump\u{443}";
        let fullwidth = "\u{ff4e}umpy";
        for text in [cyrillic, fullwidth, "", "-a", "a-", "_a", "a.", "a b", "a/b", "../a", "a\0", "a\n", "K\u{212a}"] {
            assert!(text.parse::<PackageName>().is_err(), "{text:?}");
        }
        assert!("a".repeat(NAME_BYTES).parse::<PackageName>().is_ok());
        assert!("a".repeat(NAME_BYTES + 1).parse::<PackageName>().is_err());
    }

    #[test]
    fn messages_escape_what_came() {
        insta::assert_snapshot!("nump\u{443}".parse::<PackageName>().unwrap_err(),
            @r"`nump\u{443}` is no name: `\u{443}` is none of ASCII letters, digits, `-`, `_`, `.`");
    }

    #[test]
    fn serde_reads_through_the_parser() {
        let name: PackageName = serde_json::from_str("\"Foo.Bar\"").unwrap();
        assert_eq!(serde_json::to_string(&name).unwrap(), "\"foo-bar\"");
        assert!(serde_json::from_str::<PackageName>("\"foo bar\"").is_err());
    }
}
