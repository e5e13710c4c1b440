//! Reading a marker: recursive descent over the grammar of PEP 508, bounded in bytes, depth and clauses.

use std::str::FromStr;

use pinfold_artifact::Limits;
use pinfold_packaging::{ReleaseComparison, Specifiers};

use super::{Comparison, Key, LockMarker, Meaning, Membership, Node, Operator};

/// Why a text is no marker that a lock may have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LockMarkerError {
    /// Something else was expected.
    #[error("expected {expected} at byte {position}")]
    Expected {
        /// What, with its article.
        expected: &'static str,
        /// Where, from 0.
        position: usize,
    },
    /// A name is no extra's or group's.
    #[error("`{found}` is no name of an extra or group")]
    Name {
        /// The name, escaped and cut.
        found: String,
    },
    /// Too many bytes, clauses or parentheses.
    #[error(
        "longer than {} bytes, more than {} clauses or nested deeper than {}",
        Limits::LOCK_MARKER_BYTES,
        Limits::LOCK_MARKER_CLAUSES,
        Limits::MARKER_DEPTH
    )]
    TooLarge,
    /// A comparison that PEP 508 gives no meaning.
    #[error("`{comparison}` has no meaning: {reason}")]
    Undefined {
        /// The comparison, escaped and cut.
        comparison: String,
        /// Why.
        reason: &'static str,
    },
}

pub(super) fn parse(text: &str) -> Result<LockMarker, LockMarkerError> {
    if text.len() > Limits::LOCK_MARKER_BYTES {
        return Err(LockMarkerError::TooLarge);
    }
    let mut parser = Parser { text, position: 0, depth: 0, clauses: 0 };
    let node = parser.sum()?;
    parser.skip_blanks();
    if parser.position < text.len() {
        return Err(parser.expected("`and`, `or` or the end"));
    }
    Ok(LockMarker::new(node))
}

struct Parser<'a> {
    text: &'a str,
    position: usize,
    depth: usize,
    clauses: usize,
}

/// One side of a comparison.
enum Operand<'a> {
    Literal(&'a str),
    Name(&'a str),
}

impl<'a> Parser<'a> {
    fn sum(&mut self) -> Result<Node, LockMarkerError> {
        let mut members = vec![self.product()?];
        while self.take_word("or") {
            members.push(self.product()?);
        }
        Node::any(members).ok_or_else(|| self.expected("a marker"))
    }

    fn product(&mut self) -> Result<Node, LockMarkerError> {
        let mut members = vec![self.atom()?];
        while self.take_word("and") {
            members.push(self.atom()?);
        }
        Node::all(members).ok_or_else(|| self.expected("a marker"))
    }

    fn atom(&mut self) -> Result<Node, LockMarkerError> {
        self.skip_blanks();
        if !self.take("(") {
            return self.comparison();
        }
        self.depth += 1;
        if self.depth > Limits::MARKER_DEPTH {
            return Err(LockMarkerError::TooLarge);
        }
        let inner = self.sum()?;
        self.skip_blanks();
        if !self.take(")") {
            return Err(self.expected("`)`"));
        }
        self.depth -= 1;
        Ok(inner)
    }

    fn comparison(&mut self) -> Result<Node, LockMarkerError> {
        self.clauses += 1;
        if self.clauses > Limits::LOCK_MARKER_CLAUSES {
            return Err(LockMarkerError::TooLarge);
        }
        let start = self.position;
        let left = self.operand()?;
        let operator = self.operator()?;
        let right = self.operand()?;
        let written = &self.text[start..self.position];
        match (left, right) {
            (Operand::Name(name), Operand::Literal(literal)) => compare_name(name, operator, literal, written),
            (Operand::Literal(literal), Operand::Name(name)) => compare_literal(literal, operator, name, written),
            _ => Err(undefined(written, "one side must be a variable and the other a quoted text")),
        }
    }

    fn operand(&mut self) -> Result<Operand<'a>, LockMarkerError> {
        self.skip_blanks();
        let rest = &self.text[self.position..];
        if let Some(quote) = rest.chars().next().filter(|c| matches!(c, '\'' | '"')) {
            let Some(length) = rest[1..].find(quote) else {
                return Err(self.expected("the end of a quoted text"));
            };
            let literal = &rest[1..1 + length];
            if literal.contains(char::is_control) {
                return Err(self.expected("a quoted text without control characters"));
            }
            self.position += length + 2;
            return Ok(Operand::Literal(literal));
        }
        let length = word_length(rest);
        if length == 0 {
            return Err(self.expected("a variable or a quoted text"));
        }
        self.position += length;
        Ok(Operand::Name(&rest[..length]))
    }

    fn operator(&mut self) -> Result<Operator, LockMarkerError> {
        const SYMBOLS: [(&str, Operator); 8] = [
            ("===", Operator::Identical),
            ("==", Operator::Equal),
            ("!=", Operator::NotEqual),
            ("~=", Operator::Compatible),
            ("<=", Operator::LessEqual),
            (">=", Operator::GreaterEqual),
            ("<", Operator::Less),
            (">", Operator::Greater),
        ];
        self.skip_blanks();
        for (symbol, operator) in SYMBOLS {
            if self.take(symbol) {
                return Ok(operator);
            }
        }
        if self.take_word("in") {
            return Ok(Operator::In);
        }
        if self.take_word("not") && self.take_word("in") {
            return Ok(Operator::NotIn);
        }
        Err(self.expected("a comparison"))
    }

    fn skip_blanks(&mut self) {
        let rest = &self.text[self.position..];
        self.position += rest.len() - rest.trim_start_matches([' ', '\t']).len();
    }

    fn take(&mut self, symbol: &str) -> bool {
        let found = self.text[self.position..].starts_with(symbol);
        if found {
            self.position += symbol.len();
        }
        found
    }

    fn take_word(&mut self, word: &str) -> bool {
        self.skip_blanks();
        let rest = &self.text[self.position..];
        let found = &rest[..word_length(rest)] == word;
        if found {
            self.position += word.len();
        }
        found
    }

    const fn expected(&self, expected: &'static str) -> LockMarkerError {
        LockMarkerError::Expected { expected, position: self.position }
    }
}

fn word_length(text: &str) -> usize {
    text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.')).unwrap_or(text.len())
}

/// A comparison with the variable on the left.
fn compare_name(name: &str, operator: Operator, literal: &str, written: &str) -> Result<Node, LockMarkerError> {
    if name == "extra" {
        return Ok(Node::Extra(membership(operator, written)?, name_in(literal)?));
    }
    if matches!(name, "extras" | "dependency_groups") {
        return Err(undefined(written, "it is a set: write the text first, then `in`"));
    }
    compare_key(key_named(name, written)?, operator, literal, written)
}

/// A comparison with the literal on the left, turned round.
fn compare_literal(literal: &str, operator: Operator, name: &str, written: &str) -> Result<Node, LockMarkerError> {
    match (name, operator) {
        ("extra", _) => return Ok(Node::Extra(membership(operator, written)?, name_in(literal)?)),
        ("extras", Operator::In) => return Ok(Node::Extras(Membership::Is, name_in(literal)?)),
        ("extras", Operator::NotIn) => return Ok(Node::Extras(Membership::IsNot, name_in(literal)?)),
        ("dependency_groups", Operator::In) => return Ok(Node::Groups(Membership::Is, name_in(literal)?)),
        ("dependency_groups", Operator::NotIn) => return Ok(Node::Groups(Membership::IsNot, name_in(literal)?)),
        ("extras" | "dependency_groups", _) => return Err(undefined(written, "it is a set: only `in` asks it")),
        _ => {}
    }
    let turned = match operator {
        Operator::Compatible => return Err(undefined(written, "`~=` needs the variable on its left")),
        Operator::Greater => Operator::Less,
        Operator::GreaterEqual => Operator::LessEqual,
        Operator::In => Operator::Contains,
        Operator::Less => Operator::Greater,
        Operator::LessEqual => Operator::GreaterEqual,
        Operator::NotIn => Operator::ContainsNot,
        other => other,
    };
    compare_key(key_named(name, written)?, turned, literal, written)
}

fn compare_key(key: Key, operator: Operator, literal: &str, written: &str) -> Result<Node, LockMarkerError> {
    let no_version = || undefined(written, "the text is no version");
    let meaning = match operator {
        Operator::Contains | Operator::ContainsNot | Operator::In | Operator::NotIn => Meaning::Text,
        Operator::Identical if key.is_version() || key == Key::PlatformRelease => Meaning::Text,
        _ if matches!(key, Key::PlatformRelease | Key::PlatformVersion) => {
            Meaning::Release(ReleaseComparison::new(operator.as_str(), literal).map_err(|_| no_version())?)
        }
        Operator::Compatible | Operator::Identical if !key.is_version() => {
            return Err(undefined(written, "that operator compares versions"));
        }
        _ if !key.is_version() => Meaning::Text,
        _ => Meaning::Versions(Comparison::specifiers(operator, literal).ok_or_else(no_version)?),
    };
    Ok(Node::Compare(Comparison { key, operator, literal: literal.to_owned(), meaning }))
}

impl Node {
    /// Makes a comparison; none if it has no meaning.
    pub(crate) fn comparing(key: Key, operator: Operator, literal: &str) -> Option<Self> {
        compare_key(key, operator, literal, literal).ok()
    }
}

impl Comparison {
    pub(super) fn specifiers(operator: Operator, literal: &str) -> Option<Specifiers> {
        let literal = literal.trim();
        // A comma would make two clauses of one comparison, and `> '= 3'` another operator.
        if literal.contains(',') || literal.starts_with(['<', '>', '=', '!', '~']) {
            return None;
        }
        let specifiers: Specifiers = format!("{}{literal}", operator.as_str()).parse().ok()?;
        (!specifiers.is_any()).then_some(specifiers)
    }
}

fn key_named(name: &str, written: &str) -> Result<Key, LockMarkerError> {
    let name = match name {
        // The spellings of before PEP 508, which it still allows.
        "os.name" => "os_name",
        "platform.machine" => "platform_machine",
        "platform.python_implementation" | "python_implementation" => "platform_python_implementation",
        "platform.version" => "platform_version",
        "sys.platform" => "sys_platform",
        name => name,
    };
    let found = Key::ALL.into_iter().find(|key| key.as_str() == name);
    found.ok_or_else(|| undefined(written, "there is no such variable"))
}

fn membership(operator: Operator, written: &str) -> Result<Membership, LockMarkerError> {
    match operator {
        Operator::Equal => Ok(Membership::Is),
        Operator::NotEqual => Ok(Membership::IsNot),
        _ => Err(undefined(written, "`extra` is only equal or not equal to a text")),
    }
}

fn name_in<T: FromStr>(literal: &str) -> Result<T, LockMarkerError> {
    literal.parse().map_err(|_| LockMarkerError::Name { found: shown(literal) })
}

fn undefined(written: &str, reason: &'static str) -> LockMarkerError {
    LockMarkerError::Undefined { comparison: shown(written), reason }
}

fn shown(text: &str) -> String {
    pinfold_artifact::shown(text, 80)
}
