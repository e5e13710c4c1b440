//! Reads the clauses of version specifiers, and repairs the broken forms that published metadata is known to hold.

use pep440_rs::Operator;
use pinfold_artifact::Limits;

use super::{Clause, SpecifiersError};
use crate::version::shown;
use crate::{Repair, Version};

/// What to do with a clause that is not as PEP 440 has it.
pub(crate) enum Leniency<'a> {
    /// Known broken forms are read as what they must mean, and recorded.
    Repair(&'a mut Vec<Repair>),
    /// It is an error.
    Strict,
}

/// A clause that cannot be read, and where it is in the text.
#[derive(Debug)]
pub(crate) struct ClauseError {
    pub(crate) position: usize,
    pub(crate) length: usize,
    pub(crate) reason: ClauseProblem,
}

#[derive(Debug)]
pub(crate) enum ClauseProblem {
    Form(String),
    TooLong,
}

impl ClauseError {
    pub(super) fn about(self, text: &str) -> SpecifiersError {
        match self.reason {
            ClauseProblem::TooLong => SpecifiersError::TooLong,
            ClauseProblem::Form(reason) => {
                let clause = text.get(self.position..self.position + self.length).unwrap_or(text);
                SpecifiersError::Clause { clause: shown(clause), reason }
            }
        }
    }
}

/// The operators, the longer of two that begin alike first.
const OPERATORS: [(&str, Operator); 8] = [
    ("===", Operator::ExactEqual),
    ("==", Operator::Equal),
    ("!=", Operator::NotEqual),
    ("~=", Operator::TildeEqual),
    (">=", Operator::GreaterThanEqual),
    ("<=", Operator::LessThanEqual),
    (">", Operator::GreaterThan),
    ("<", Operator::LessThan),
];

/// Reads clauses between commas. Nothing at all is no clause.
pub(crate) fn read_clauses(text: &str, mut leniency: Leniency<'_>) -> Result<Vec<Clause>, ClauseError> {
    let too_long = ClauseError { position: 0, length: text.len().max(1), reason: ClauseProblem::TooLong };
    if text.len() > Limits::REQUIREMENT_BYTES
        || text.bytes().filter(|b| *b == b',').count() >= Limits::SPECIFIER_CLAUSES
    {
        return Err(too_long);
    }
    if blank(text).is_empty() {
        return Ok(Vec::new());
    }
    let mut clauses = Vec::with_capacity(2);
    let mut position = 0;
    for piece in text.split(',') {
        if let Leniency::Repair(repairs) = &mut leniency
            && blank(piece).is_empty()
        {
            let read_as = text.split(',').map(blank).filter(|piece| !piece.is_empty()).collect::<Vec<_>>().join(",");
            let reason = "a comma with nothing beside it".to_owned();
            repairs.push(Repair { written: shown(text), read_as, reason });
            position += piece.len() + 1;
            continue;
        }
        read_piece(piece, &mut leniency, &mut clauses).map_err(|reason| {
            let lead = piece.len() - piece.trim_start().len();
            let reason = ClauseProblem::Form(reason);
            ClauseError { position: position + lead, length: blank(piece).len().max(1), reason }
        })?;
        position += piece.len() + 1;
    }
    // Versions may grow when they are written, and what is written must be read again.
    let written = |clause: &Clause| clause.sign().len() + clause.version().to_string().len() + ".*,".len();
    let is_long = text.len() > Limits::REQUIREMENT_BYTES / 2
        && clauses.iter().map(written).sum::<usize>() > Limits::REQUIREMENT_BYTES;
    if is_long || clauses.len() > Limits::SPECIFIER_CLAUSES { Err(too_long) } else { Ok(clauses) }
}

fn blank(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// Reads what stands between two commas: one clause, or several of which the commas are missing.
fn read_piece(piece: &str, leniency: &mut Leniency<'_>, clauses: &mut Vec<Clause>) -> Result<(), String> {
    let error = match read_clause(blank(piece)) {
        Ok(clause) => {
            clauses.push(clause);
            return Ok(());
        }
        Err(error) => error,
    };
    let Leniency::Repair(repairs) = leniency else { return Err(error) };
    let (mended, reason) = mend(blank(piece)).ok_or_else(|| error.clone())?;
    for part in mended.split(',').filter(|part| !part.is_empty()) {
        clauses.push(read_clause(part).map_err(|_| error.clone())?);
    }
    repairs.push(Repair { written: shown(piece), read_as: mended, reason: reason.to_owned() });
    Ok(())
}

/// Reads exactly one clause, by the book.
pub(crate) fn read_clause(text: &str) -> Result<Clause, String> {
    let Some((sign, operator)) = OPERATORS.iter().find(|(sign, _)| text.starts_with(sign)) else {
        return Err("it must begin with one of `==`, `!=`, `<=`, `>=`, `<`, `>`, `~=`, `===`".to_owned());
    };
    let written = blank(&text[sign.len()..]);
    let (written, star) = match written.strip_suffix(".*") {
        Some(release) if release.ends_with([' ', '\t']) => return Err("there is a blank before `.*`".to_owned()),
        Some(release) => (release, true),
        None => (written, false),
    };
    let version: Version = written.parse().map_err(|error: crate::VersionError| match operator {
        Operator::ExactEqual => {
            format!("{error}; arbitrary equality with another text than a version is not supported")
        }
        _ => error.to_string(),
    })?;
    let inner = version.inner();
    let operator = match (operator, star) {
        (Operator::Equal, true) => Operator::EqualStar,
        (Operator::NotEqual, true) => Operator::NotEqualStar,
        (_, true) => return Err(format!("`.*` goes with `==` and `!=` only, not with `{sign}`")),
        (operator, false) => *operator,
    };
    if star && (inner.is_pre() || inner.is_post() || inner.is_dev() || inner.is_local()) {
        return Err("`.*` follows release numbers only".to_owned());
    }
    if operator == Operator::TildeEqual && version.release().len() < 2 {
        return Err("`~=` needs at least two release numbers".to_owned());
    }
    if version.is_local() && !matches!(operator, Operator::Equal | Operator::NotEqual | Operator::ExactEqual) {
        return Err(format!("a local version (`+…`) goes with `==` and `!=` only, not with `{sign}`"));
    }
    Ok(Clause::new(operator, version))
}

/// Returns what a broken piece must mean, as clauses between commas, and what was wrong; `None` if it is of no known form.
pub(crate) fn mend(piece: &str) -> Option<(String, &'static str)> {
    let unquoted: String = piece.chars().filter(|c| !matches!(c, '\'' | '"')).collect();
    let quoted = unquoted.len() < piece.len();
    let piece = blank(&unquoted);
    if quoted && let Ok(clause) = read_clause(piece) {
        return Some((super::Specifiers::from_clauses(vec![clause]).to_string(), "quotes around a version"));
    }
    let parts = split_at_operators(piece);
    if parts.len() > 1 {
        let mended: Option<Vec<String>> = parts.iter().map(|part| mend_clause(part).map(|(text, _)| text)).collect();
        return Some((mended?.join(","), "a comma is missing"));
    }
    mend_clause(piece)
}

/// Splits `>=1.9<3` before each operator.
fn split_at_operators(piece: &str) -> Vec<&str> {
    let sign = |byte: u8| matches!(byte, b'<' | b'>' | b'=' | b'!' | b'~');
    let bytes = piece.as_bytes();
    let mut starts: Vec<usize> =
        (1..bytes.len()).filter(|at| sign(bytes[*at]) && !sign(bytes[at - 1]) && bytes[at - 1] != b' ').collect();
    starts.extend((1..bytes.len()).filter(|at| sign(bytes[*at]) && bytes[at - 1] == b' '));
    starts.sort_unstable();
    starts.retain(|at| piece[..*at].contains(|c: char| c.is_ascii_alphanumeric()));
    let ends = starts.iter().copied().chain([piece.len()]).collect::<Vec<_>>();
    std::iter::once(0).chain(starts).zip(ends).map(|(start, end)| blank(&piece[start..end])).collect()
}

fn mend_clause(clause: &str) -> Option<(String, &'static str)> {
    if read_clause(clause).is_ok() {
        return Some((clause.to_owned(), "a comma is missing"));
    }
    if let Some(version) = clause.strip_prefix("!=~") {
        let release = blank(version);
        return checked(format!("!={release}.*")).map(|text| (text, "`!=~` is no operator"));
    }
    let (sign, operator) = OPERATORS.iter().find(|(sign, _)| clause.starts_with(sign))?;
    let written = blank(&clause[sign.len()..]);
    if let Some((public, _)) = written.split_once('+') {
        return checked(format!("{sign}{public}")).map(|text| (text, "a local version does not go with this operator"));
    }
    let starred =
        written.strip_suffix(".*").or_else(|| written.strip_suffix(".x")).or_else(|| written.strip_suffix('*'));
    let release = starred?;
    let release = release.strip_suffix('.').unwrap_or(release);
    let next = || {
        let version: Version = release.parse().ok()?;
        let mut numbers = version.release().to_vec();
        *numbers.last_mut()? += 1;
        Some(numbers.iter().map(u64::to_string).collect::<Vec<_>>().join("."))
    };
    let mended = match operator {
        Operator::Equal | Operator::ExactEqual | Operator::TildeEqual => format!("=={release}.*"),
        Operator::NotEqual => format!("!={release}.*"),
        Operator::GreaterThan => format!(">={}", next()?),
        Operator::LessThanEqual => format!("<{}", next()?),
        _ => format!("{sign}{release}"),
    };
    checked(mended).map(|text| (text, "a wildcard does not go with this operator"))
}

fn checked(text: String) -> Option<String> {
    read_clause(&text).is_ok().then_some(text)
}
