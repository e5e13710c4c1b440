//! The lines of a requirements file as pip joins them: continuations, comments, environment variables.
//!
//! Every byte of a logical line remembers where it was written, so that a message can point there. The value of a variable
//! may be a secret: it is used, but no message shows it.

use std::ops::Range;

use crate::place::Positions;
use crate::{ManifestError, ManifestErrorKind, Place};

/// The text of a requirements file and its name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) file: &'a str,
    pub(crate) text: &'a str,
    /// Of the text.
    pub(crate) positions: &'a Positions,
}

/// A line that says something: joined, without comment, trimmed, variables replaced; never empty.
#[derive(Debug, Clone)]
pub(crate) struct LogicalLine {
    pub(crate) text: String,
    /// In order of `start`; the first has 0.
    pieces: Vec<Piece>,
    /// The names of the variables that were replaced.
    variables: Vec<String>,
}

/// A part of a logical line that was written in one go.
#[derive(Debug, Clone, Copy)]
struct Piece {
    /// Where it begins in the logical line.
    start: usize,
    /// Where it begins in the file.
    offset: usize,
    kind: PieceKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PieceKind {
    /// The value of the variable at this position of all, whose name was written over so many bytes.
    Variable { written: usize, position: usize },
    /// As it was written.
    Written,
}

impl Source<'_> {
    pub(crate) fn error(self, range: Range<usize>, kind: impl Into<ManifestErrorKind>) -> ManifestError {
        ManifestError::new(Place::locate(self.file, self.text, range), kind.into())
    }

    /// Returns what was written for a range of a line, variables as such, cut for a message.
    pub(crate) fn written(self, line: &LogicalLine, range: Range<usize>) -> String {
        let written = self.text.get(line.written(range)).unwrap_or_default();
        pinfold_artifact::shown(written, 80)
    }

    /// Returns the lines that say something.
    ///
    /// # Errors
    /// [`ManifestErrorKind::ControlCharacter`] for what Python takes for the end of a line and people do not see;
    /// [`ManifestErrorKind::UnsetVariable`].
    pub(crate) fn lines(self, environment: &dyn Fn(&str) -> Option<String>) -> Result<Vec<LogicalLine>, ManifestError> {
        self.check_characters()?;
        let mut lines = Vec::new();
        let mut joined: Vec<Range<usize>> = Vec::new();
        let mut start = 0;
        for line in self.text.split_inclusive('\n') {
            let content = line.trim_end_matches('\n');
            let content = content.strip_suffix('\r').unwrap_or(content);
            let is_comment = content.trim_start().starts_with('#');
            if content.ends_with('\\') && !is_comment {
                let front = content.len() - content.trim_start_matches('\\').len();
                let back = content.trim_end_matches('\\').len();
                joined.push(start + front.min(back)..start + back);
            } else {
                // A comment ends what was continued before it.
                if !is_comment {
                    joined.push(start..start + content.len());
                }
                lines.extend(self.finish(&std::mem::take(&mut joined), environment)?);
            }
            start += line.len();
        }
        lines.extend(self.finish(&joined, environment)?);
        Ok(lines)
    }

    fn check_characters(self) -> Result<(), ManifestError> {
        let plain = |at: usize, c: char| match c {
            '\n' | '\t' => true,
            '\r' => self.text[at + 1..].starts_with('\n'),
            '\u{2028}' | '\u{2029}' => false,
            _ => !c.is_control(),
        };
        match self.text.char_indices().find(|&(at, c)| !plain(at, c)) {
            Some((at, c)) => {
                let kind = ManifestErrorKind::ControlCharacter { found: c.escape_default().to_string() };
                Err(self.error(at..at + c.len_utf8(), kind))
            }
            None => Ok(()),
        }
    }

    /// Puts the parts of one line together, cuts the comment, replaces variables.
    fn finish(
        self,
        parts: &[Range<usize>],
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Option<LogicalLine>, ManifestError> {
        let mut joined = LogicalLine { text: String::new(), pieces: Vec::new(), variables: Vec::new() };
        for part in parts {
            joined.push(&self.text[part.clone()], part.start, PieceKind::Written);
        }
        let end = comment_start(&joined.text).unwrap_or(joined.text.len());
        let uncommented = &joined.text[..end];
        let trimmed = uncommented.trim();
        if trimmed.is_empty() {
            return Ok(None);
        }
        let front = uncommented.len() - uncommented.trim_start().len();
        self.expand(&joined, front..front + trimmed.len(), environment).map(Some)
    }

    /// Replaces `${NAME}`, as pip does: upper-case letters, digits and underscores only.
    fn expand(
        self,
        joined: &LogicalLine,
        range: Range<usize>,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<LogicalLine, ManifestError> {
        let mut line = LogicalLine { text: String::new(), pieces: Vec::new(), variables: Vec::new() };
        let mut position = range.start;
        while let Some((variable, name)) = next_variable(&joined.text[..range.end], position) {
            line.copy(joined, position..variable.start);
            let written = joined.written(variable.clone());
            let value = environment(name).filter(|value| !value.is_empty()).ok_or_else(|| {
                self.error(written.clone(), ManifestErrorKind::UnsetVariable { name: name.to_owned() })
            })?;
            let kind = PieceKind::Variable { written: written.len(), position: line.variables.len() };
            line.push(&value, written.start, kind);
            line.variables.push(name.to_owned());
            position = variable.end;
        }
        line.copy(joined, position..range.end);
        Ok(line)
    }
}

impl LogicalLine {
    /// Returns where a range of the line was written.
    pub(crate) fn written(&self, range: Range<usize>) -> Range<usize> {
        let end = self.text.len();
        let (start, start_width) = self.written_at(range.start.min(end));
        let (last, last_width) = self.written_at((range.end.max(range.start + 1) - 1).min(end));
        let end = if last >= start { last + last_width } else { start + start_width };
        start..end
    }

    /// Returns true if the text holds the value of a variable, so that it is not to be shown.
    pub(crate) fn has_variables(&self) -> bool {
        !self.variables.is_empty()
    }

    /// Returns true if a part of the range is the value of a variable.
    pub(crate) fn has_variable_in(&self, range: &Range<usize>) -> bool {
        let first = self.pieces.partition_point(|piece| piece.start <= range.start).saturating_sub(1);
        let mut pieces = self.pieces[first..].iter().take_while(|piece| piece.start < range.end);
        pieces.any(|piece| matches!(piece.kind, PieceKind::Variable { .. }))
    }

    /// Returns which variable's value a byte belongs to, and its name.
    pub(crate) fn variable_at(&self, position: usize) -> Option<(usize, &str)> {
        let after = self.pieces.partition_point(|piece| piece.start <= position);
        match self.pieces.get(after.checked_sub(1)?)?.kind {
            PieceKind::Variable { position, .. } => Some((position, self.variables.get(position)?)),
            PieceKind::Written => None,
        }
    }

    /// Returns where a byte was written, and how many bytes it stands for.
    fn written_at(&self, position: usize) -> (usize, usize) {
        let piece = self.pieces.partition_point(|piece| piece.start <= position);
        match self.pieces.get(piece.saturating_sub(1)) {
            Some(Piece { offset, kind: PieceKind::Variable { written, .. }, .. }) => (*offset, *written),
            Some(Piece { start, offset, kind: PieceKind::Written }) => (offset + position.saturating_sub(*start), 1),
            None => (0, 1),
        }
    }

    fn push(&mut self, text: &str, offset: usize, kind: PieceKind) {
        self.pieces.push(Piece { start: self.text.len(), offset, kind });
        self.text.push_str(text);
    }

    /// Appends a range of another line, in which no variable has been replaced.
    fn copy(&mut self, other: &Self, range: Range<usize>) {
        let mut start = range.start;
        while start < range.end {
            let after = other.pieces.partition_point(|piece| piece.start <= start);
            let next = other.pieces.get(after).map_or(range.end, |piece| piece.start);
            let end = next.min(range.end);
            self.push(&other.text[start..end], other.written_at(start).0, PieceKind::Written);
            start = end;
        }
    }
}

/// Returns where a comment begins: at a `#` that is first in the line or follows a blank.
fn comment_start(line: &str) -> Option<usize> {
    let begins = |at: usize| at == 0 || line[..at].ends_with(char::is_whitespace);
    line.match_indices('#').map(|(at, _)| at).find(|&at| begins(at))
}

/// Returns the next `${NAME}` and its name.
fn next_variable(text: &str, from: usize) -> Option<(Range<usize>, &str)> {
    let mut from = from;
    while let Some(found) = text[from..].find("${") {
        let start = from + found;
        let rest = &text[start + 2..];
        let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        let name = &rest[..rest.find(|c| !is_name(c)).unwrap_or(rest.len())];
        if !name.is_empty() && rest[name.len()..].starts_with('}') {
            return Some((start..start + 3 + name.len(), name));
        }
        from = start + 2;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<LogicalLine>, ManifestError> {
        let environment = |name: &str| match name {
            "NAME" => Some("torch".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        Source { file: "r.txt", text, positions: &Positions::of(text) }.lines(&environment)
    }

    fn check(text: &str, expected: &[&str]) {
        let lines = read(text).unwrap();
        assert_eq!(lines.iter().map(|line| line.text.as_str()).collect::<Vec<_>>(), expected, "{text:?}");
    }

    #[test]
    fn joins_and_cuts_lines_as_pip_does() {
        check("", &[]);
        check("a\r\n\r\n b \t\n", &["a", "b"]);
        check("# c\na # c\nb#c\nc\t#c\n  # d", &["a", "b#c", "c"]);
        check("a \\\n  --hash=x \\\n  --hash=y\nb", &["a   --hash=x   --hash=y", "b"]);
        check("a \\\n# comment ends it\nb", &["a", "b"]);
        check("a # comment \\\nb", &["a"]);
        check("# comment \\\nb", &["b"]);
        check("a \\", &["a"]);
        check("a\\\\\nb", &["ab"]);
        check("\\\n", &[]);
    }

    #[test]
    fn replaces_variables_as_pip_does() {
        check("${NAME}==2.1 # ${UNSET}", &["torch==2.1"]);
        check("$NAME ${name} ${NAME ${} ${NA-ME}", &["$NAME ${name} ${NAME ${} ${NA-ME}"]);
        check("a${NAME}${NAME}b", &["atorchtorchb"]);
        for text in ["x\n y${UNSET}", "x\n y${EMPTY}"] {
            let error = read(text).unwrap_err();
            assert!(matches!(error.kind(), ManifestErrorKind::UnsetVariable { .. }));
            assert_eq!((error.place().line, error.place().column), (2, 3));
        }
    }

    #[test]
    fn refuses_ends_of_lines_that_only_python_sees() {
        for text in ["# a\u{c}evil", "# a\revil", "# a\u{85}evil", "# a\u{2028}evil", "# a\u{1c}evil", "a\0"] {
            assert!(matches!(read(text).unwrap_err().kind(), ManifestErrorKind::ControlCharacter { .. }), "{text:?}");
        }
    }

    #[test]
    fn every_byte_remembers_where_it_was_written() {
        let text = "\n  ab \\\n cd ${NAME}ef # x\n";
        let line = &read(text).unwrap()[0];
        assert_eq!(line.text, "ab  cd torchef");
        for (part, written) in [("ab", "ab"), ("cd", "cd"), ("torch", "${NAME}"), ("ef", "ef"), ("rc", "${NAME}")] {
            let start = line.text.find(part).unwrap();
            assert_eq!(&text[line.written(start..start + part.len())], written, "{part}");
        }
        assert_eq!(&text[line.written(line.text.len()..line.text.len() + 9)], " ");
    }

    #[test]
    fn the_values_of_variables_are_known_as_such() {
        let line = &read("a${NAME}b${NAME}").unwrap()[0];
        assert_eq!(line.text, "atorchbtorch");
        let variables: Vec<_> = (0..13).map(|at| line.variable_at(at).map(|(position, _)| position)).collect();
        let (first, second) = ([Some(0); 5], [Some(1); 6]);
        assert_eq!(variables, [&[None][..], &first, &[None], &second].concat());
        assert_eq!(line.variable_at(3), Some((0, "NAME")));
        for (range, expected) in
            [(0..1, false), (0..2, true), (5..6, true), (6..7, false), (6..8, true), (11..12, true)]
        {
            assert_eq!(line.has_variable_in(&range), expected, "{range:?}");
        }
    }
}
