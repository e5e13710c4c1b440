//! The grammar of markers that `pep508_rs` is allowed to see.
//!
//! Given raw text that crate panics (once with a global lock held, which poisons every later marker), drops comparisons that
//! it does not understand, so that a dependency becomes unconditional, or builds a decision diagram of exponential size. So
//! the text is read here first: bounded in depth, comparisons and digits, every comparison of a kind that has a meaning,
//! and the diagram's size estimated from the marker's shape. What goes on is our own spelling, in which each comparison is
//! one that the crate gets right:
//!
//! | written | handed on | because |
//! | --- | --- | --- |
//! | `python_version ~= '3.0'` | `>= '3.0' and == '3.*'` | it strips the zero, then panics |
//! | `python_version in '3.7 3.7.1'` | `== '3.7' or == '3.7.1'` | one number of three parts makes it all false |
//! | `python_full_version > '3.11.0a7'` | `>= '3.11.0'` | it drops the `a7`, then excludes 3.11.0 |
//! | `os_name >= 'nt'` | `== 'nt'` | the specification gives texts no order; it has one for them |
//! | `os_name > 'nt'` | `== 'nt' and != 'nt'` | the same: no text is above another |
//! | `platform_release >= '9'` | a question of its own | it orders texts, so that `>= '9' and < '10'` is never true |
//! | `platform_version == '9'` | the same | what no target knows must not be decided by another comparison |

use std::borrow::Cow;
use std::ops::Range;

use pep440_rs::Operator;
use pinfold_artifact::Limits;

use super::release::{ReleaseComparison, join};
use crate::requirement::{RequirementError, RequirementErrorKind};
use crate::specifiers::{Clause, mend, read_clause};
use crate::version::shown;
use crate::{ExtraName, Repair};

/// A marker that may be handed on.
#[derive(Debug, Default)]
pub(super) struct Gated {
    /// As it was written, in our spelling.
    pub(super) written: String,
    /// As `pep508_rs` is to read it.
    pub(super) handed_on: String,
    /// About how many nodes its decision diagram needs at most.
    pub(super) nodes: usize,
}

/// Reads the marker that the text holds from `start` to its end.
pub(super) fn gate(text: &str, start: usize, repairs: Option<&mut Vec<Repair>>) -> Result<Gated, RequirementError> {
    let mut reader = Reader { text, at: start, depth: 0, tally: Tally::default(), gated: Gated::default(), repairs };
    let shape = reader.alternatives()?;
    reader.skip_blanks();
    if reader.at < text.len() {
        return Err(reader.error("expected `and`, `or` or the end", reader.at..reader.word_end()));
    }
    reader.gated.nodes = reader.tally.nodes(shape);
    if reader.gated.nodes > Limits::MARKER_NODES {
        let reason = "the marker mixes too many `and` and `or`";
        return Err(RequirementError::new(RequirementErrorKind::Limit, reason, start..text.len()));
    }
    Ok(reader.gated)
}

/// Stands before and behind the operator of a comparison that is handed on as a search; no quoted value may hold it.
pub(super) const QUESTION: char = '\u{1}';

struct Reader<'a, 'r> {
    text: &'a str,
    at: usize,
    depth: usize,
    tally: Tally<'a>,
    gated: Gated,
    repairs: Option<&'r mut Vec<Repair>>,
}

/// How many comparisons were seen, of which kinds.
#[derive(Default)]
struct Tally<'a> {
    comparisons: usize,
    /// On free text: each is a variable of its own.
    text: usize,
    /// Variables with two values: extras and free text.
    switches: usize,
    /// Comparisons of each variable with many values; repeated texts count once.
    keys: [usize; VARIABLES.len()],
    seen: Vec<(usize, Cow<'a, str>)>,
}

/// What is left undecided of a part of the marker, at most, when some variables are known.
#[derive(Clone, Copy)]
struct Shape {
    states: usize,
    single: bool,
}

impl Shape {
    const COMPARISON: Self = Self { states: 2, single: true };

    /// A chain of one connective is decided as a whole, or its single comparisons drop out and the others are left.
    fn chain(parts: &[Self]) -> Self {
        match parts {
            [part] => *part,
            _ => {
                let product = parts.iter().filter(|part| !part.single).fold(1usize, |n, p| n.saturating_mul(p.states));
                Self { states: product.saturating_add(1), single: false }
            }
        }
    }
}

impl Tally<'_> {
    /// A level of the diagram has no more nodes than undecided states, nor than combinations of the variables' values.
    fn nodes(&self, shape: Shape) -> usize {
        let switches = 1usize.checked_shl(self.switches.try_into().unwrap_or(u32::MAX)).unwrap_or(usize::MAX);
        let cells = self.keys.iter().fold(switches, |cells, n| cells.saturating_mul(2 * n + 1));
        let levels = self.switches + self.keys.iter().filter(|n| **n > 0).count();
        shape.states.min(cells).saturating_mul(levels)
    }
}

/// What a variable's values are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Extra,
    /// Text that differs between machines of one kind.
    FreeText,
    Text,
    Version,
}

/// Every variable with its spelling of today; the old ones are of PEP 345.
const VARIABLES: [(&str, &str, Kind); 18] = [
    ("python_version", "python_version", Kind::Version),
    ("python_full_version", "python_full_version", Kind::Version),
    ("implementation_version", "implementation_version", Kind::Version),
    ("os_name", "os_name", Kind::Text),
    ("sys_platform", "sys_platform", Kind::Text),
    ("platform_machine", "platform_machine", Kind::Text),
    ("platform_system", "platform_system", Kind::Text),
    ("platform_python_implementation", "platform_python_implementation", Kind::Text),
    ("implementation_name", "implementation_name", Kind::Text),
    ("platform_release", "platform_release", Kind::FreeText),
    ("platform_version", "platform_version", Kind::FreeText),
    ("extra", "extra", Kind::Extra),
    ("os.name", "os_name", Kind::Text),
    ("sys.platform", "sys_platform", Kind::Text),
    ("platform.machine", "platform_machine", Kind::Text),
    ("platform.version", "platform_version", Kind::FreeText),
    ("platform.python_implementation", "platform_python_implementation", Kind::Text),
    ("python_implementation", "platform_python_implementation", Kind::Text),
];

enum Operand<'a> {
    Quoted(&'a str),
    Variable(&'static str, Kind),
}

impl<'a> Reader<'a, '_> {
    fn error(&self, reason: impl Into<String>, span: Range<usize>) -> RequirementError {
        RequirementError::new(RequirementErrorKind::Form, reason, span)
    }

    fn limit(&self, reason: &str, span: Range<usize>) -> RequirementError {
        RequirementError::new(RequirementErrorKind::Limit, reason, span)
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip_blanks(&mut self) {
        self.at = self.text.len() - self.rest().trim_start_matches([' ', '\t']).len();
    }

    fn word_end(&self) -> usize {
        let rest = self.rest();
        let word = rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.'))).unwrap_or(rest.len());
        self.at + word.max(rest.chars().next().map_or(0, char::len_utf8))
    }

    /// Eats a whole word.
    fn eat_word(&mut self, word: &str) -> bool {
        self.skip_blanks();
        let found = self.rest().starts_with(word) && self.word_end() == self.at + word.len();
        if found {
            self.at += word.len();
        }
        found
    }

    fn emit(&mut self, text: &str) {
        self.gated.written.push_str(text);
        self.gated.handed_on.push_str(text);
    }

    fn alternatives(&mut self) -> Result<Shape, RequirementError> {
        let mut parts = vec![self.conjunction()?];
        while self.eat_word("or") {
            self.emit(" or ");
            parts.push(self.conjunction()?);
        }
        Ok(Shape::chain(&parts))
    }

    fn conjunction(&mut self) -> Result<Shape, RequirementError> {
        let mut parts = vec![self.atom()?];
        while self.eat_word("and") {
            self.emit(" and ");
            parts.push(self.atom()?);
        }
        Ok(Shape::chain(&parts))
    }

    fn atom(&mut self) -> Result<Shape, RequirementError> {
        self.skip_blanks();
        let start = self.at;
        if !self.rest().starts_with('(') {
            return self.comparison().map(|()| Shape::COMPARISON);
        }
        self.at += 1;
        self.depth += 1;
        if self.depth > Limits::MARKER_DEPTH {
            return Err(self.limit("the marker has too many parentheses in each other", start..self.at));
        }
        self.emit("(");
        let shape = self.alternatives()?;
        self.skip_blanks();
        if !self.rest().starts_with(')') {
            return Err(self.error("this parenthesis is not closed", start..start + 1));
        }
        self.at += 1;
        self.depth -= 1;
        self.emit(")");
        Ok(shape)
    }

    fn comparison(&mut self) -> Result<(), RequirementError> {
        let start = self.at;
        let left = self.operand()?;
        let operator = self.operator()?;
        let right = self.operand()?;
        let span = start..self.at;
        self.tally.comparisons += 1;
        if self.tally.comparisons > Limits::MARKER_CLAUSES {
            return Err(self.limit("the marker has too many comparisons", span));
        }
        let (name, kind, value, turned) = match (left, right) {
            (Operand::Variable(name, kind), Operand::Quoted(value)) => (name, kind, value, false),
            (Operand::Quoted(value), Operand::Variable(name, kind)) => (name, kind, value, true),
            (Operand::Variable(..), Operand::Variable(..)) => {
                return Err(self.error("two variables cannot be compared with each other", span));
            }
            (Operand::Quoted(_), Operand::Quoted(_)) => {
                return Err(self.error("two quoted values cannot be compared with each other", span));
            }
        };
        match kind {
            Kind::Extra => self.extra(operator, value, span),
            Kind::FreeText | Kind::Text => self.words(name, kind, operator, value, turned, span),
            Kind::Version => self.version(name, operator, value, turned, span),
        }
    }

    fn operand(&mut self) -> Result<Operand<'a>, RequirementError> {
        self.skip_blanks();
        let rest = self.rest();
        let start = self.at;
        let Some(quote) = rest.chars().next() else {
            return Err(self.error("the marker ends where a variable or a quoted value belongs", start..start + 1));
        };
        if matches!(quote, '\'' | '"') {
            let Some(length) = rest[1..].find(quote) else {
                return Err(self.error("this quote is not closed", start..start + 1));
            };
            let value = &rest[1..=length];
            self.at += length + 2;
            if let Some(found) = value.chars().find(|c| matches!(c, '\'' | '"' | '\\') || !(' '..='~').contains(c)) {
                let reason = format!("`{}` does not belong into a quoted value", shown(found.encode_utf8(&mut [0; 4])));
                return Err(self.error(reason, start..self.at));
            }
            return Ok(Operand::Quoted(value));
        }
        let word = start..self.word_end();
        let name = &self.text[word.clone()];
        let Some((_, today, kind)) = VARIABLES.iter().find(|(spelling, ..)| *spelling == name) else {
            let reason = match name {
                "dependency_groups" | "extras" => format!("`{name}` belongs into lock files only"),
                _ => format!("`{}` is no marker variable", shown(name)),
            };
            return Err(self.error(reason, word));
        };
        self.at = word.end;
        Ok(Operand::Variable(today, *kind))
    }

    fn operator(&mut self) -> Result<&'static str, RequirementError> {
        if self.eat_word("in") {
            return Ok("in");
        }
        let start = self.at;
        if self.eat_word("not") {
            if self.eat_word("in") {
                return Ok("not in");
            }
            return Err(self.error("`not` must be followed by `in`", start..start + 3));
        }
        let rest = self.rest();
        let sign = &rest[..rest.find(|c| !matches!(c, '<' | '=' | '>' | '~' | '!')).unwrap_or(rest.len())];
        let known = ["===", "==", "!=", "<=", ">=", "<", ">", "~="].into_iter().find(|known| *known == sign);
        self.at += sign.len();
        match known {
            Some("===") => self.repaired("===", "==", "`===` in a marker", start..self.at).map(|()| "=="),
            Some(operator) => Ok(operator),
            None => {
                let end = if sign.is_empty() { self.word_end() } else { self.at };
                let reason = "expected a comparison: `==`, `!=`, `<`, `<=`, `>`, `>=`, `~=`, `in`, `not in`";
                Err(self.error(reason, start..end))
            }
        }
    }

    /// Records a repair, or refuses where none is wanted.
    fn repaired(&mut self, from: &str, to: &str, reason: &str, span: Range<usize>) -> Result<(), RequirementError> {
        let Some(repairs) = &mut self.repairs else {
            return Err(self.error(format!("{reason} is not allowed"), span));
        };
        repairs.push(Repair { written: shown(from), read_as: to.to_owned(), reason: reason.to_owned() });
        Ok(())
    }

    fn extra(&mut self, operator: &'static str, value: &'a str, span: Range<usize>) -> Result<(), RequirementError> {
        if !matches!(operator, "==" | "!=") {
            return Err(self.error("`extra` is compared with `==` or `!=` only", span));
        }
        let name: ExtraName = value.parse().map_err(|error: crate::NameError| self.error(error.to_string(), span))?;
        self.tally.switches += 1;
        self.emit(&format!("extra {operator} '{name}'"));
        Ok(())
    }

    fn words(
        &mut self,
        name: &str,
        kind: Kind,
        operator: &'static str,
        value: &'a str,
        turned: bool,
        span: Range<usize>,
    ) -> Result<(), RequirementError> {
        let is_release = kind == Kind::FreeText;
        if operator == "~=" && (turned || !is_release) {
            let reason = match is_release {
                true => "the variable must stand before this comparison".to_owned(),
                false => format!("`~=` compares versions, and `{name}` is text"),
            };
            return Err(self.error(reason, span));
        }
        let contains = matches!(operator, "in" | "not in");
        if contains || is_release {
            self.tally.text += 1;
            self.tally.switches += 1;
            if self.tally.text > Limits::MARKER_TEXT_CLAUSES {
                return Err(self.limit("the marker has too many comparisons of free text", span));
            }
        } else {
            self.count(name, Cow::Borrowed(value));
        }
        if turned && contains {
            self.emit(&format!("'{value}' {operator} {name}"));
            return Ok(());
        }
        let operator = if turned { turn(operator) } else { operator };
        self.gated.written.push_str(&format!("{name} {operator} '{value}'"));
        self.gated.handed_on.push_str(&match operator {
            _ if is_release && !contains => {
                ReleaseComparison::new(operator, value).map_err(|reason| self.error(reason, span))?;
                format!("'{QUESTION}{operator}{QUESTION}{value}' in {name}")
            }
            "<" | ">" => format!("({name} == '{value}' and {name} != '{value}')"),
            "<=" | ">=" => format!("{name} == '{value}'"),
            _ => format!("{name} {operator} '{value}'"),
        });
        Ok(())
    }

    fn count(&mut self, name: &str, value: Cow<'a, str>) {
        let Some(position) = VARIABLES.iter().position(|(spelling, ..)| *spelling == name) else { return };
        if !self.tally.seen.iter().any(|(at, seen)| *at == position && *seen == value) {
            self.tally.seen.push((position, value));
            self.tally.keys[position] += 1;
        }
    }

    fn version(
        &mut self,
        name: &str,
        operator: &'static str,
        value: &'a str,
        turned: bool,
        span: Range<usize>,
    ) -> Result<(), RequirementError> {
        self.count(name, Cow::Borrowed(value));
        if matches!(operator, "in" | "not in") {
            return self.version_list(name, operator, value, turned, span);
        }
        if turned && (operator == "~=" || value.contains('*')) {
            return Err(self.error("the variable must stand before this comparison", span));
        }
        let operator = if turned { turn(operator) } else { operator };
        let text = join(operator, value.trim_matches(' ')).map_err(|reason| self.error(reason, span.clone()))?;
        let texts = match read_clause(&text) {
            Ok(_) => vec![text],
            Err(reason) => {
                let mended = self.repairs.is_some().then(|| mend(&text)).flatten();
                let (mended, why) = mended.ok_or_else(|| self.error(reason, span.clone()))?;
                self.repaired(&format!("{name} {text}"), &format!("{name} {mended}"), why, span.clone())?;
                // As where it stands alone, `===` compares versions.
                let equal =
                    |part: &str| part.strip_prefix("===").map_or(part.to_owned(), |version| format!("=={version}"));
                mended.split(',').map(equal).collect()
            }
        };
        // What was mended may have become several comparisons, and is read as such from then on.
        self.tally.comparisons += texts.len().saturating_sub(1);
        if self.tally.comparisons > Limits::MARKER_CLAUSES {
            return Err(self.limit("the marker has too many comparisons", span));
        }
        for (position, text) in texts.iter().enumerate() {
            if position > 0 {
                self.emit(" and ");
            }
            let clause = read_clause(text).map_err(|reason| self.error(reason, span.clone()))?;
            let handed_on = hand_on(name, &clause).ok_or_else(|| {
                self.error("no Python has an epoch, a post-release or a local part in its version", span.clone())
            })?;
            self.gated.handed_on.push_str(&handed_on);
            let value = text[clause.sign().len()..].trim_matches([' ', '\t']);
            if texts.len() > 1 {
                self.count(name, Cow::Owned(value.to_owned()));
            }
            self.gated.written.push_str(&format!("{name} {} '{value}'", clause.sign()));
        }
        Ok(())
    }

    fn version_list(
        &mut self,
        name: &str,
        operator: &str,
        value: &'a str,
        turned: bool,
        span: Range<usize>,
    ) -> Result<(), RequirementError> {
        if turned {
            return Err(self.error(format!("`{name}` holds one version, in which nothing can be looked for"), span));
        }
        let separator = |c| matches!(c, ' ' | ',' | '|' | ';');
        if value.contains(|c| separator(c) && c != ' ') {
            let spaced = value.replace([',', '|', ';'], " ");
            self.repaired(value, &spaced, "a list of versions with another separator than blanks", span.clone())?;
        }
        let (sign, connective) = if operator == "in" { ("==", " or ") } else { ("!=", " and ") };
        let mut comparisons = Vec::new();
        for part in value.split(separator).filter(|part| !part.is_empty()) {
            let clause = join(sign, part).and_then(|text| read_clause(&text));
            let clause = clause.map_err(|reason| self.error(reason, span.clone()))?;
            let handed_on =
                hand_on(name, &clause).ok_or_else(|| self.error("no Python has such a version", span.clone()))?;
            comparisons.push(handed_on);
            self.count(name, Cow::Borrowed(part));
        }
        self.tally.comparisons += comparisons.len().saturating_sub(1);
        if comparisons.is_empty() {
            return Err(self.error("the list of versions is empty", span));
        }
        if self.tally.comparisons > Limits::MARKER_CLAUSES {
            return Err(self.limit("the marker has too many comparisons", span));
        }
        let list = value.split(separator).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
        self.gated.written.push_str(&format!("{name} {operator} '{list}'"));
        self.gated.handed_on.push_str(&format!("({})", comparisons.join(connective)));
        Ok(())
    }
}

/// Returns the operator with its sides exchanged.
fn turn(operator: &'static str) -> &'static str {
    match operator {
        "<" => ">",
        "<=" => ">=",
        ">" => "<",
        ">=" => "<=",
        other => other,
    }
}

/// Writes a comparison of a version so that it means the same over final releases; `None` for versions no Python can have.
fn hand_on(name: &str, clause: &Clause) -> Option<String> {
    let version = clause.version();
    if version.epoch() != 0 || version.is_postrelease() || version.is_local() {
        return None;
    }
    let mut numbers = version.release();
    if name == "python_version" && numbers.len() > 2 && numbers[2..].iter().all(|number| *number == 0) {
        numbers = &numbers[..2];
    }
    let join = |numbers: &[u64]| numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(".");
    let release = join(numbers);
    let pre = version.is_prerelease();
    Some(match clause.operator() {
        Operator::Equal | Operator::ExactEqual if pre => format!("{name} < '0'"),
        Operator::NotEqual if pre => format!("{name} >= '0'"),
        Operator::GreaterThan | Operator::GreaterThanEqual if pre => format!("{name} >= '{release}'"),
        Operator::LessThan | Operator::LessThanEqual if pre => format!("{name} < '{release}'"),
        Operator::TildeEqual => {
            let prefix = join(&version.release()[..version.release().len() - 1]);
            format!("({name} >= '{release}' and {name} == '{prefix}.*')")
        }
        Operator::EqualStar | Operator::NotEqualStar => format!("{name} {} '{release}.*'", clause.sign()),
        _ => format!("{name} {} '{release}'", clause.sign()),
    })
}
