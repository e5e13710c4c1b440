//! The difference of two texts, line by line, in the form that `diff -u` writes and `patch` reads.
//!
//! Lines that occur once on both sides are matched first, as long as their order agrees (patience diff): in a lock almost every
//! line is one of a kind. It takes time in proportion to the lines, also for two texts that have nothing in common.

use std::collections::HashMap;
use std::fmt::Write;
use std::ops::Range;

/// Lines that are shown around a change.
const CONTEXT: usize = 3;

/// Returns the difference of two texts; the empty text if there is none.
pub fn unified_diff(old_name: &str, old: &str, new_name: &str, new: &str) -> String {
    if old == new {
        return String::new();
    }
    let (old, new) = (lines(old), lines(new));
    let mut edits = Vec::new();
    compare(&old, 0..old.len(), &new, 0..new.len(), &mut edits);
    let mut text = format!("--- {old_name}\n+++ {new_name}\n");
    let mut hunks: Vec<Vec<Edit>> = Vec::new();
    for edit in edits {
        match hunks.last_mut() {
            Some(hunk) if hunk.last().is_some_and(|last| edit.old.start - last.old.end <= 2 * CONTEXT) => {
                hunk.push(edit)
            }
            _ => hunks.push(vec![edit]),
        }
    }
    for hunk in &hunks {
        write_hunk(&mut text, &old, &new, hunk);
    }
    text
}

/// A range of old lines that gives way to a range of new ones.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Edit {
    old: Range<usize>,
    new: Range<usize>,
}

/// Returns the lines with their ends, so that a last line without one is another line.
fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

/// Finds what differs between two ranges, in order. An own stack: texts of one kind may be divided often.
fn compare(old: &[&str], old_range: Range<usize>, new: &[&str], new_range: Range<usize>, edits: &mut Vec<Edit>) {
    let mut waiting = vec![(old_range, new_range)];
    while let Some((mut a, mut b)) = waiting.pop() {
        while !a.is_empty() && !b.is_empty() && old[a.start] == new[b.start] {
            (a.start, b.start) = (a.start + 1, b.start + 1);
        }
        while !a.is_empty() && !b.is_empty() && old[a.end - 1] == new[b.end - 1] {
            (a.end, b.end) = (a.end - 1, b.end - 1);
        }
        let anchors = if a.is_empty() || b.is_empty() { Vec::new() } else { anchors(old, &a, new, &b) };
        if anchors.is_empty() {
            if !a.is_empty() || !b.is_empty() {
                edits.push(Edit { old: a, new: b });
            }
            continue;
        }
        // The parts between the anchors; the last is compared last, so it is put on the stack first.
        let mut parts = Vec::with_capacity(anchors.len() + 1);
        let (mut from_a, mut from_b) = (a.start, b.start);
        for (at_a, at_b) in anchors {
            parts.push((from_a..at_a, from_b..at_b));
            (from_a, from_b) = (at_a + 1, at_b + 1);
        }
        parts.push((from_a..a.end, from_b..b.end));
        waiting.extend(parts.into_iter().rev());
    }
}

/// Returns the longest ascending row of lines that both ranges have once.
fn anchors(old: &[&str], a: &Range<usize>, new: &[&str], b: &Range<usize>) -> Vec<(usize, usize)> {
    let mut counts: HashMap<&str, (usize, usize, usize)> = HashMap::new();
    for line in &old[a.clone()] {
        counts.entry(line).or_default().0 += 1;
    }
    for (position, line) in b.clone().zip(&new[b.clone()]) {
        let entry = counts.entry(line).or_default();
        (entry.1, entry.2) = (entry.1 + 1, position);
    }
    let unique: Vec<(usize, usize)> = a
        .clone()
        .filter_map(|position| match counts.get(old[position]) {
            Some((1, 1, other)) => Some((position, *other)),
            _ => None,
        })
        .collect();
    // Patience sorting: each pile's top is the least end of a row of its length.
    let mut tops: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = vec![None; unique.len()];
    for (position, (_, other)) in unique.iter().enumerate() {
        let pile = tops.partition_point(|top| unique[*top].1 < *other);
        before[position] = pile.checked_sub(1).map(|pile| tops[pile]);
        if pile == tops.len() { tops.push(position) } else { tops[pile] = position }
    }
    let mut row = Vec::new();
    let mut at = tops.last().copied();
    while let Some(position) = at {
        row.push(unique[position]);
        at = before[position];
    }
    row.reverse();
    row
}

fn write_hunk(text: &mut String, old: &[&str], new: &[&str], hunk: &[Edit]) {
    let (Some(first), Some(last)) = (hunk.first(), hunk.last()) else { return };
    let above = first.old.start.min(CONTEXT);
    let below = (old.len() - last.old.end).min(CONTEXT);
    let (from_old, to_old) = (first.old.start - above, last.old.end + below);
    let (from_new, to_new) = (first.new.start - above, last.new.end + below);
    // An empty side is named by the line before it.
    let span = |from: usize, to: usize| format!("{},{}", if to == from { from } else { from + 1 }, to - from);
    // Writing to a string cannot fail.
    let _ = writeln!(text, "@@ -{} +{} @@", span(from_old, to_old), span(from_new, to_new));
    let mut at = from_old;
    for edit in hunk {
        old[at..edit.old.start].iter().for_each(|line| write_line(text, ' ', line));
        old[edit.old.clone()].iter().for_each(|line| write_line(text, '-', line));
        new[edit.new.clone()].iter().for_each(|line| write_line(text, '+', line));
        at = edit.old.end;
    }
    old[at..to_old].iter().for_each(|line| write_line(text, ' ', line));
}

fn write_line(text: &mut String, sign: char, line: &str) {
    text.push(sign);
    text.push_str(line);
    if !line.ends_with('\n') {
        text.push_str("\n\\ No newline at end of file\n");
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use proptest::prelude::*;

    use super::*;

    /// Applies a diff to a text, as `patch` does.
    fn patched(old: &str, diff: &str) -> String {
        let old = lines(old);
        let mut text = String::new();
        let mut at = 0;
        let mut body = diff.split_inclusive('\n').skip(2).peekable();
        while let Some(line) = body.next() {
            if let Some(header) = line.strip_prefix("@@ -") {
                let (start, rest) = header.split_once(',').unwrap();
                let length: usize = rest.split(' ').next().unwrap().parse().unwrap();
                let start: usize = start.parse().unwrap();
                let start = if length == 0 { start } else { start - 1 };
                old[at..start].iter().for_each(|line| text.push_str(line));
                at = start;
                continue;
            }
            let (sign, line) = line.split_at(1);
            let ends = body.peek().is_some_and(|next| next.starts_with('\\'));
            let line = if ends { line.trim_end_matches('\n') } else { line };
            match sign {
                "\\" => {}
                "+" => text.push_str(line),
                _ => {
                    assert_eq!(old[at], line);
                    at += 1;
                    if sign == " " {
                        text.push_str(line);
                    }
                }
            }
        }
        old[at..].iter().for_each(|line| text.push_str(line));
        text
    }

    #[test]
    fn a_change_is_shown_with_its_surroundings() {
        let old: String = (1..=30).map(|n| format!("line {n}\n")).collect();
        let new = old.replace("line 4\n", "line four\n").replace("line 20\n", "").replace("line 30\n", "line 30\nmore");
        assert_snapshot!(unified_diff("old", &old, "new", &new), @r"
        --- old
        +++ new
        @@ -1,7 +1,7 @@
         line 1
         line 2
         line 3
        -line 4
        +line four
         line 5
         line 6
         line 7
        @@ -17,7 +17,6 @@
         line 17
         line 18
         line 19
        -line 20
         line 21
         line 22
         line 23
        @@ -28,3 +27,4 @@
         line 28
         line 29
         line 30
        +more
        \ No newline at end of file
        ");
        assert_eq!(patched(&old, &unified_diff("a", &old, "b", &new)), new);
        assert_eq!(unified_diff("old", &old, "new", &old), "");
    }

    #[test]
    fn empty_texts_and_texts_with_nothing_in_common() {
        for (old, new) in [("", "a\nb\n"), ("a\nb\n", ""), ("a\nb", "c\nd\n"), ("a", "a\n"), ("x\nx\nx\n", "x\n")] {
            assert_eq!(patched(old, &unified_diff("a", old, "b", new)), new, "{old:?} {new:?}");
        }
        let many = |prefix: &str| (0..20_000).map(|n| format!("{prefix}{}\n", n % 7)).collect::<String>();
        let (old, new) = (many("a"), many("b"));
        assert_eq!(patched(&old, &unified_diff("a", &old, "b", &new)), new);
    }

    proptest! {
        #[test]
        fn applying_a_diff_gives_the_new_text(old in "([abc]\n){0,12}[ab]?", new in "([abc]\n){0,12}[ab]?") {
            prop_assert_eq!(patched(&old, &unified_diff("old", &old, "new", &new)), new);
        }
    }
}
