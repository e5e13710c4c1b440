//! What an install keeps: the receipt and the ledger. What was read is written and read again as the same, and a line of
//! the ledger that another covers cannot be changed, left out or put in later.

use pinfold_install::{Ledger, LedgerEntry, LedgerProblem, Receipt, ReceiptFiles, changes};
use pinfold_testkit::sha256;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::target::Target;

/// The targets of this room.
pub(crate) const TARGETS: &[Target] =
    &[Target { name: "ledger", body: ledger }, Target { name: "receipt", body: receipt }];

fn ledger(data: &[u8]) {
    let read = Ledger::read(data);
    let lines = data.split(|byte| *byte == b'\n').count();
    let numbers: Vec<usize> = read.problems.iter().map(LedgerProblem::line).collect();
    assert!(numbers.is_sorted() && numbers.iter().all(|line| (1..=lines).contains(line)), "{:?}", read.problems);
    assert!(read.entries.len() + read.problems.iter().filter(|it| !it.is_alarming()).count() <= lines);
    for pair in read.entries.windows(2) {
        let listed = changes(&pair[0].distributions, &pair[1].distributions);
        assert!(listed.iter().all(|it| it.from.is_some() || it.to.is_some()) && listed.is_sorted_by_key(|it| &it.name));
    }
    let sealed = Sealed::of(data);
    let text = sealed.text(&sealed.lines);
    let again = Ledger::read(&text);
    assert!(again.is_intact(), "{:?}: {}", again.problems, String::from_utf8_lossy(&text));
    assert_eq!(again.entries, read.entries, "{}", String::from_utf8_lossy(&text));
    assert_eq!((again.problems.len(), again.is_chained), (sealed.torn(), !again.entries.is_empty()));
    sealed.check_changes(data, &again);
}

/// A ledger with the lines of another and a chain that holds: the fuzzer need not learn SHA-256.
struct Sealed {
    /// Whether it is an entry, and the line.
    lines: Vec<(bool, Vec<u8>)>,
}

impl Sealed {
    fn of(data: &[u8]) -> Self {
        let mut lines: Vec<(bool, Vec<u8>)> = Vec::new();
        for line in data.split(|byte| *byte == b'\n') {
            let former = lines.last().map_or(&b""[..], |(_, line)| line);
            match &Ledger::read(line).entries[..] {
                [entry] => {
                    let line = entry.to_line(&sha256(former)).expect("what was read can be written");
                    lines.push((true, line.into_bytes()));
                }
                // Half a line is followed by a whole one.
                [] if line.is_empty() || lines.last().is_some_and(|(is_entry, _)| !is_entry) => {}
                [] => lines.push((false, line.to_vec())),
                entries => panic!("{} entries in one line", entries.len()),
            }
        }
        Self { lines }
    }

    fn text(&self, lines: &[(bool, Vec<u8>)]) -> Vec<u8> {
        lines.iter().flat_map(|(_, line)| line.iter().copied().chain([b'\n'])).collect()
    }

    fn torn(&self) -> usize {
        self.lines.iter().filter(|(is_entry, _)| !is_entry).count()
    }

    /// Changes a line that is covered by the next one, leaves it out, puts another before it: it shows. Cuts the end off.
    fn check_changes(&self, data: &[u8], whole: &Ledger) {
        let chance = sha256(data);
        let mut chance = chance.as_bytes().iter().map(|byte| usize::from(*byte)).cycle();
        let mut below = |limit: usize| (chance.next().unwrap_or(0) * 256 + chance.next().unwrap_or(0)) % limit.max(1);
        for _ in 0..CHANGES {
            let at = below(self.lines.len().saturating_sub(1));
            let (Some((is_entry, line)), Some((true, _))) = (self.lines.get(at), self.lines.get(at + 1)) else {
                continue;
            };
            let mut flipped = self.lines.clone();
            flipped[at].1[below(line.len())] ^= 1 << below(8);
            let mut shorter = self.lines.clone();
            shorter.remove(at);
            let mut longer = self.lines.clone();
            longer.insert(at + 1, self.lines[below(self.lines.len())].clone());
            for (how, lines) in [("changed", flipped), ("left out", shorter), ("followed by another", longer)] {
                let read = Ledger::read(&self.text(&lines));
                assert!(!read.is_intact(), "line {} was {how}: {read:?}", at + 1);
            }
            if *is_entry {
                self.check_cut(at, below(line.len()), whole);
            }
        }
    }

    /// What is left of a ledger whose end was cut off is what stood there.
    fn check_cut(&self, at: usize, kept: usize, whole: &Ledger) {
        let mut text = self.text(&self.lines[..at]);
        text.extend_from_slice(&self.lines[at].1[..kept]);
        let read = Ledger::read(&text);
        let before: &[LedgerEntry] =
            &whole.entries[..self.lines[..at].iter().filter(|(is_entry, _)| *is_entry).count()];
        assert_eq!(read.entries, before, "cut in line {}", at + 1);
        let torn_twice = kept > 0 && at > 0 && !self.lines[at - 1].0;
        assert!(torn_twice || read.is_intact(), "{:?}", read.problems);
    }
}

fn receipt(data: &[u8]) {
    read_again::<Receipt>(data);
    if let Some(list) = read_again::<ReceiptFiles>(data) {
        for path in list.files.iter().map(|file| &file.path).chain(list.links.iter().map(|link| &link.path)) {
            assert!(!path.as_str().starts_with('/') && path.segments().all(|segment| segment != ".."), "{path}");
        }
    }
}

fn read_again<T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(data: &[u8]) -> Option<T> {
    let value: T = serde_json::from_slice(data).ok()?;
    let text = serde_json::to_string(&value).expect("what was read can be written");
    let again: T = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(again, value);
    Some(value)
}

/// How many changes are tried on one ledger.
const CHANGES: usize = 4;
