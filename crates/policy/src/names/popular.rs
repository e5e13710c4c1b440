//! The popular names, laid out to be compared with a few new ones quickly: no index over all their misspellings, only marks
//! (length, letters, a digest of what the eye sees) that rule out almost every one before its letters are looked at.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use pinfold_packaging::PackageName;

use super::distance::within;
use super::{Likeness, Lookalike};

/// The most downloaded projects: name, space, rank; sorted by name. Where it is from stands in `data/popular-names.md`.
const NAMES: &str = include_str!("../../data/popular-names.txt");

/// The most downloaded projects.
#[derive(Debug)]
pub struct PopularNames {
    /// By rank: a bit for each letter and digit that the name has. Apart, because most of the time no more is looked at.
    letters: Vec<u64>,
    /// By rank.
    names: Vec<Marks>,
}

/// What rules a name out before its letters are looked at.
#[derive(Debug, Clone, Copy)]
struct Marks {
    name: &'static str,
    /// A digest of what is left without separators, letters that look alike taken for one.
    seen: u64,
    /// A digest of its words, whatever their order.
    words: u64,
}

/// Takes the popular names out of some names.
pub(super) fn leave_unpopular(names: &mut BTreeSet<&PackageName>) {
    names.retain(|name| rank(name.as_str()).is_none());
}

/// Returns a popular name's place among the most downloaded, from 1: found by bisection, so that the others are not read.
fn rank(name: &str) -> Option<usize> {
    let bytes = NAMES.as_bytes();
    let is_end = |byte: &u8| *byte == b'\n';
    // Both are where a line begins; the name is in a line between them, if there is one.
    let (mut low, mut high) = (0, bytes.len());
    while low < high {
        let middle = low + (high - low) / 2;
        let start = bytes[low..middle].iter().rposition(is_end).map_or(low, |before| low + before + 1);
        let end = bytes[middle..high].iter().position(is_end).map_or(high, |after| middle + after);
        let (own, rank) = NAMES.get(start..end).and_then(entry)?;
        match own.cmp(name) {
            Ordering::Less => low = end + 1,
            Ordering::Equal => return Some(rank),
            Ordering::Greater => high = start,
        }
    }
    None
}

/// Reads one line.
fn entry(line: &'static str) -> Option<(&'static str, usize)> {
    let (name, rank) = line.split_once(' ')?;
    Some((name, rank.parse().ok()?))
}

/// Returns the names, most downloaded first.
pub(super) fn by_rank() -> Vec<&'static str> {
    let mut names: Vec<(&str, usize)> = NAMES.lines().filter_map(entry).collect();
    names.sort_by_key(|(_, rank)| *rank);
    names.into_iter().map(|(name, _)| name).collect()
}

impl PopularNames {
    /// Reads the names that pinfold comes with.
    pub fn load() -> Self {
        let marked = by_rank().into_iter().map(|name| {
            let (letters, seen, words) = marks(name);
            (letters, Marks { name, seen, words })
        });
        let (letters, names) = marked.unzip();
        Self { letters, names }
    }

    /// Returns how many there are.
    pub const fn len(&self) -> usize {
        self.names.len()
    }

    /// Returns true if there is none.
    pub const fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Returns the popular name that a name resembles most; none if it is popular itself, or resembles none.
    pub fn lookalike(&self, name: &PackageName) -> Option<Lookalike> {
        let text = name.as_str();
        let (letters, seen, words) = marks(text);
        let mut best: Option<(usize, usize, Likeness)> = None;
        let alike = |(_, other): &(usize, &u64)| (letters ^ **other).count_ones() <= MOST_LETTERS;
        for (position, _) in self.letters.iter().enumerate().filter(alike) {
            let popular = &self.names[position];
            if popular.name == text {
                return None;
            }
            let likeness = if popular.seen == seen {
                Likeness::Confusable
            } else if popular.words == words && text.contains('-') {
                Likeness::Reordered
            } else {
                let most = tolerance(popular.name, position);
                let Some(count) = near(popular.name, text, most) else { continue };
                Likeness::Letters(count)
            };
            let weight = if let Likeness::Letters(count) = likeness { count } else { 0 };
            // Of equally near ones the more popular: it comes first.
            if best.is_none_or(|(least, ..)| weight < least) {
                best = Some((weight, position, likeness));
            }
        }
        let (_, position, likeness) = best?;
        let popular = self.names.get(position)?.name;
        Some(Lookalike { name: name.clone(), popular, rank: position + 1, likeness })
    }
}

/// Two letters that were changed take two away and bring two.
const MOST_LETTERS: u32 = 4;

/// Returns how many letters of a popular name may differ. Short names are near each other by chance, and all the more of them
/// there are among the less popular.
const fn tolerance(popular: &str, position: usize) -> usize {
    match popular.len() {
        0..=3 => 0,
        4 => (position < 300) as usize,
        5 => (position < 3000) as usize,
        6 => (position < 8000) as usize,
        7..=9 => 1,
        _ => {
            if position < 5000 {
                2
            } else {
                1
            }
        }
    }
}

/// Returns in how many letters two names differ, if in few enough and not only in the number of an edition.
fn near(popular: &str, text: &str, most: usize) -> Option<usize> {
    if most == 0 || popular.len().abs_diff(text.len()) > most {
        return None;
    }
    let count = within(popular.as_bytes(), text.as_bytes(), most)?;
    let by_word = words_that_differ(popular, text);
    let few = by_word.is_none_or(|length| length > 4 && (length > 6 || count == 1));
    (few && !is_other_edition(popular, text)).then_some(count)
}

/// Returns the length of the one word in which two names of several words differ, if they do in one alone: `pytest-cov` and
/// `pytest-env` have much in common and say nothing of each other.
fn words_that_differ(one: &str, other: &str) -> Option<usize> {
    let (mut ones, mut others) = (one.split('-'), other.split('-'));
    let mut differing = None;
    let mut words = 0;
    loop {
        match (ones.next(), others.next()) {
            (None, None) => return differing.filter(|_| words > 1),
            (Some(a), Some(b)) if a == b => {}
            (Some(a), Some(b)) if differing.is_none() => differing = Some(a.len().max(b.len())),
            _ => return None,
        }
        words += 1;
    }
}

/// Returns true if the names differ in digits only, one number standing where the other has another.
fn is_other_edition(one: &str, other: &str) -> bool {
    let mut ones = one.split(|c: char| c.is_ascii_digit()).filter(|part| !part.is_empty());
    let mut others = other.split(|c: char| c.is_ascii_digit()).filter(|part| !part.is_empty());
    let numbers = |name: &str| {
        let digits = name.bytes().map(|byte| byte.is_ascii_digit());
        digits.fold((0, false), |(runs, before), digit| (runs + usize::from(digit && !before), digit)).0
    };
    numbers(one) > 0 && numbers(one) == numbers(other) && ones.by_ref().eq(others.by_ref())
}

/// Returns the marks of a name: its letters, what the eye sees of it, its words.
fn marks(name: &str) -> (u64, u64, u64) {
    let mut letters = 0_u64;
    let mut seen = FIRST;
    let (mut words, mut word) = (0_u64, FIRST);
    let bytes = name.as_bytes();
    let mut position = 0;
    while let Some(byte) = bytes.get(position) {
        letters |= 1 << (byte & 63);
        if *byte == b'-' {
            (words, word) = (words.wrapping_add(word), FIRST);
        } else {
            word = mixed(word, *byte);
        }
        let pair = bytes.get(position..position + 2);
        match (pair, byte) {
            (Some(b"rn"), _) => seen = mixed(seen, b'm'),
            (Some(b"vv"), _) => seen = mixed(seen, b'w'),
            (_, b'-') => {}
            (_, b'0') => seen = mixed(seen, b'o'),
            (_, b'1' | b'i') => seen = mixed(seen, b'l'),
            (_, b'5') => seen = mixed(seen, b's'),
            (_, byte) => seen = mixed(seen, *byte),
        }
        if matches!(pair, Some(b"rn" | b"vv")) {
            position += 1;
            let second = bytes[position];
            letters |= 1 << (second & 63);
            word = mixed(word, second);
        }
        position += 1;
    }
    (letters, seen, words.wrapping_add(word))
}

/// FNV-1a: quick, and a collision costs no more than a wrong warning.
const fn mixed(digest: u64, byte: u8) -> u64 {
    (digest ^ byte as u64).wrapping_mul(0x0100_0000_01b3)
}

const FIRST: u64 = 0xcbf2_9ce4_8422_2325;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_popular_name_is_found_and_no_other() {
        let names = by_rank();
        assert_eq!(names.len(), NAMES.lines().count());
        for (position, name) in names.iter().enumerate() {
            assert_eq!(rank(name), Some(position + 1), "{name}");
        }
        // Before the first, after the last, beginnings, and what stands in a line besides the name.
        for name in ["", "0", "zzzzzzzzzz", "reques", "requestss", "requests 1", "1", "numpy\n"] {
            assert_eq!(rank(name), None, "{name:?}");
        }
    }

    #[test]
    fn the_names_are_sorted_and_their_ranks_are_without_gap() {
        let names: Vec<&str> = NAMES.lines().map(|line| entry(line).unwrap().0).collect();
        assert!(names.is_sorted_by(|a, b| a < b));
        let mut ranks: Vec<usize> = NAMES.lines().map(|line| entry(line).unwrap().1).collect();
        ranks.sort_unstable();
        assert!(ranks.into_iter().eq(1..=names.len()));
        assert_eq!(by_rank()[..3], ["boto3", "packaging", "urllib3"]);
    }
}
