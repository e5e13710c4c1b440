//! Ledgers that were changed, torn, cut, or written before there was a chain; each beside the whole one.

use pinfold_testkit::WheelRecipe;

use std::io::BufReader;

use super::file::{PIECE_BYTES, TAIL_BYTES, highest_in};
use super::*;
use crate::fixture::World;

fn text(world: &World) -> String {
    std::fs::read_to_string(world.environment.state().join(LEDGER)).unwrap()
}

fn write(world: &World, text: &str) {
    std::fs::write(world.environment.state().join(LEDGER), text).unwrap();
}

fn installed(versions: &[&str]) -> World {
    let world = World::new();
    for version in versions {
        world.install(&[WheelRecipe::new("a", version)]).unwrap();
    }
    world
}

fn codes(ledger: &Ledger) -> Vec<(&'static str, usize)> {
    ledger.problems.iter().map(|problem| (problem.code(), problem.line())).collect()
}

#[test]
fn a_ledger_tells_what_came_from_where_and_is_chained() {
    let world = installed(&["1.0", "2.0"]);
    let ledger = ledger(&world.environment).unwrap();
    assert_eq!((ledger.is_chained, ledger.problems.len(), ledger.entries.len()), (true, 0, 2));
    let [it] = &ledger.entries[1].distributions[..] else { panic!("{ledger:?}") };
    assert_eq!((it.name.to_string(), it.version.to_string()), ("a".to_owned(), "2.0".to_owned()));
    assert_eq!(it.index.as_ref().unwrap().as_str(), "https://index.example/simple/");
    assert_eq!(it.url.as_ref().unwrap().as_str(), "https://index.example/files/a-2.0-py3-none-any.whl");
    assert_eq!(it.wheel_sha256, None);
    let [change] = &ledger.entries[1].changes_since(Some(&ledger.entries[0]))[..] else { panic!("{ledger:?}") };
    let shown = |version: &Option<Version>| version.as_ref().map(ToString::to_string);
    assert_eq!((shown(&change.from), shown(&change.to)), (Some("1.0".to_owned()), Some("2.0".to_owned())));
}

#[test]
fn changes_are_what_came_what_went_and_what_has_other_bytes() {
    let it = |name: &str, version: &str, byte: u8| LedgerDistribution {
        name: name.parse().unwrap(),
        version: version.parse().unwrap(),
        sha256: Sha256::from_bytes([byte; 32]),
        wheel_sha256: None,
        url: None,
        index: None,
    };
    let (before, after) = (
        [it("gone", "1", 1), it("rebuilt", "1", 2), it("stays", "1", 3)],
        [it("new", "1", 4), it("rebuilt", "1", 5), it("stays", "1", 3)],
    );
    let changes = changes(&before, &after);
    let shown: Vec<_> = changes.iter().map(|it| (it.name.to_string(), it.from.is_some(), it.to.is_some())).collect();
    let expected = [("gone", true, false), ("new", false, true), ("rebuilt", true, true)];
    assert_eq!(shown, expected.map(|(name, from, to)| (name.to_owned(), from, to)));
}

#[test]
fn every_change_of_a_line_that_others_follow_is_found() {
    let world = installed(&["1.0", "2.0", "3.0"]);
    let whole = text(&world);
    let lines: Vec<&str> = whole.lines().collect();
    let check = |changed: Vec<String>, expected: &[(&'static str, usize)]| {
        let text: String = changed.iter().map(|line| format!("{line}\n")).collect();
        let ledger = Ledger::read(text.as_bytes());
        assert_eq!(codes(&ledger), expected, "{text}");
        assert!(!ledger.is_intact());
    };
    let owned = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<String>>();
    // A byte of the first line, and of the second.
    let edited = lines[0].replace("files/a-1.0", "files/b-1.0");
    assert_ne!(edited, lines[0]);
    check(owned(&[&edited, lines[1], lines[2]]), &[("ledger-broken", 2)]);
    let edited = lines[1].replace("2.0", "2.1");
    check(owned(&[lines[0], &edited, lines[2]]), &[("ledger-broken", 3)]);
    // One is left out, two change places, one is there twice.
    check(owned(&[lines[0], lines[2]]), &[("ledger-broken", 2)]);
    check(owned(&[lines[1], lines[2]]), &[("ledger-broken", 1)]);
    check(owned(&[lines[1], lines[0], lines[2]]), &[("ledger-broken", 1), ("ledger-broken", 2), ("ledger-broken", 3)]);
    check(owned(&[lines[0], lines[0], lines[1], lines[2]]), &[("ledger-broken", 2)]);
    // A line is made unreadable.
    check(owned(&[lines[0], "{}", lines[2]]), &[("ledger-broken", 3)]);
    // A line without its chain passes for an old one only where nothing chained comes before.
    let previous = format!("\"previous\":\"{}\",", digest(lines[0].as_bytes()));
    let unchained = lines[1].replace(&previous, "");
    assert_ne!(unchained, lines[1]);
    check(owned(&[lines[0], &unchained, lines[2]]), &[("ledger-broken", 3)]);
    assert!(Ledger::read(whole.as_bytes()).is_intact());
}

#[test]
fn a_torn_line_is_told_and_spoils_no_other() {
    let world = installed(&["1.0"]);
    let whole = text(&world);
    for torn in ["{\"generation\":9", "\0\0\0\0", "x"] {
        write(&world, &format!("{whole}{torn}"));
        let read = ledger(&world.environment).unwrap();
        assert_eq!((codes(&read), read.entries.len()), (vec![("ledger-torn", 2)], 1));
        assert_eq!(last_recorded(&world.environment).unwrap(), Some(1));
    }
    world.install(&[WheelRecipe::new("a", "2.0")]).unwrap();
    let read = ledger(&world.environment).unwrap();
    assert_eq!((codes(&read), read.entries.len(), read.is_intact()), (vec![("ledger-torn", 2)], 2, true));
    // What stands in the torn line is part of the chain: nothing can be put in its place later.
    let changed = text(&world).replace("\nx\n", "\ny\n");
    assert_eq!(codes(&Ledger::read(changed.as_bytes())), [("ledger-broken", 3)]);
}

#[test]
fn a_ledger_without_a_chain_is_read_and_taken_on() {
    let world = installed(&["1.0"]);
    let entry = &ledger(&world.environment).unwrap().entries[0];
    let sha256 = entry.distributions[0].sha256;
    let old = |generation: u64| {
        format!(
            "{{\"generation\":{generation},\"installed_at\":\"2024-01-01T00:00:00Z\",\"lock_sha256\":\"{sha256}\",\
             \"files_sha256\":\"{sha256}\",\"distributions\":[\"a 0.{generation} {sha256}\"]}}\n"
        )
    };
    write(&world, &format!("{}{{\"gener\n{}", old(1), old(2)));
    let read = ledger(&world.environment).unwrap();
    assert_eq!((codes(&read), read.entries.len(), read.is_chained), (vec![("ledger-torn", 2)], 2, false));
    assert_eq!((&read.entries[1].distributions[0].url, read.entries[1].generation), (&None, 2));
    world.install(&[WheelRecipe::new("a", "2.0")]).unwrap();
    let read = ledger(&world.environment).unwrap();
    assert!(read.is_chained && read.is_intact());
    // The first chained line covers the last old one.
    let edited = text(&world).replace("\"a 0.2", "\"a 0.3");
    assert_eq!(codes(&Ledger::read(edited.as_bytes())), [("ledger-torn", 2), ("ledger-broken", 4)]);
    // An old line after a chained one is none.
    let appended = text(&world) + &old(9);
    assert!(!Ledger::read(appended.as_bytes()).is_intact());
}

/// What is beside an environment may come from elsewhere, with any number in it.
#[test]
fn a_number_after_which_there_is_none_is_no_generations() {
    let world = installed(&["1.0"]);
    let line = text(&world).replace("\"generation\":1,", &format!("\"generation\":{},", u64::MAX));
    write(&world, &(line.clone() + &text(&world)));
    assert_eq!(ledger(&world.environment).unwrap().entries.len(), 1);
    std::fs::create_dir_all(world.environment.generations().join(u64::MAX.to_string())).unwrap();
    assert_eq!(world.install(&[WheelRecipe::new("a", "2.0")]).unwrap().generation, 2);
    let path = world.environment.venv().join(".pinfold/receipt.json");
    let receipt = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, receipt.replace("\"generation\": 2", &format!("\"generation\": {}", u64::MAX))).unwrap();
    let error = world.install(&[WheelRecipe::new("a", "3.0")]).unwrap_err();
    assert!(matches!(error, InstallError::Receipt { .. }), "{error}");
}

#[test]
fn lines_longer_than_what_is_read_of_the_end_are_chained_too() {
    let world = installed(&["1.0"]);
    let mut receipt = world.environment.receipt().unwrap().unwrap();
    let one = receipt.distributions[0].clone();
    receipt.distributions = vec![one; 3000];
    let guard = world.environment.lock().unwrap();
    for generation in 2..5 {
        receipt.generation = generation;
        append(&guard, &receipt, None).unwrap();
        assert_eq!(last_recorded(&world.environment).unwrap(), Some(generation));
    }
    assert!(text(&world).lines().nth(1).unwrap().len() as u64 > TAIL_BYTES);
    let read = ledger(&world.environment).unwrap();
    assert_eq!((codes(&read), read.entries.len()), (Vec::new(), 4));
}

#[test]
fn no_byte_that_a_line_follows_can_be_changed_unseen() {
    let whole = text(&installed(&["1.0", "2.0", "3.0"])).into_bytes();
    let covered = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap();
    for position in 0..covered {
        for change in [0x01, 0x80, whole[position] ^ b'\n'] {
            let mut changed = whole.clone();
            changed[position] ^= change;
            if changed != whole {
                assert!(!Ledger::read(&changed).is_intact(), "byte {position} with {change:#x}");
            }
        }
        let mut shorter = whole.clone();
        shorter.remove(position);
        assert!(!Ledger::read(&shorter).is_intact(), "without byte {position}");
    }
    assert!(Ledger::read(&whole).is_intact());
}

#[test]
fn the_highest_generation_is_found_whatever_the_lines_are_like() {
    let highest = |text: &str, piece: usize| highest_in(&mut BufReader::with_capacity(piece, text.as_bytes())).unwrap();
    let long = "x".repeat(200);
    let check = |text: &str, expected: Option<u64>| {
        for piece in [1, 7, 64, PIECE_BYTES] {
            assert_eq!(highest(text, piece), expected, "{piece} {text}");
        }
    };
    check("", None);
    check("\n\n", None);
    check("{\"gen", None);
    check("{\"generation\":7", None);
    check("{\"generation\":7,\"a\":1}", Some(7));
    // What is torn, or no line of a ledger, spoils no other; a rollback goes back.
    let lines = [3, 12, 5].map(|number| format!("{{\"generation\":{number},\"it\":\"{long}\"}}\n"));
    check(&lines.concat(), Some(12));
    check(&format!("{}{{\"gen\n{long}\n{}\n\n{}", lines[0], lines[1], lines[2]), Some(12));
    check(&format!("{}{{\"generation\":99999999999999999999999999,\"it\":1}}\n", lines[2]), Some(5));
    check(&format!("{}  {}", lines[2], lines[1]), Some(5));
    let last = Receipt::LAST_GENERATION;
    check(&format!("{{\"generation\":{last},\"it\":1}}\n{}", lines[0]), Some(last));
    check(&format!("{{\"generation\":{},\"it\":1}}\n{}", last + 1, lines[0]), Some(3));
}

#[test]
fn what_was_added_to_a_ledger_is_what_its_copy_lacks() {
    let directory = tempfile::tempdir().unwrap();
    let (ledger, copy) = (directory.path().join("ledger"), directory.path().join("copy"));
    let check = |now: Option<&[u8]>, before: Option<&[u8]>, expected: Option<&[u8]>| {
        for (path, bytes) in [(&ledger, now), (&copy, before)] {
            let _none = std::fs::remove_file(path);
            bytes.into_iter().for_each(|bytes| std::fs::write(path, bytes).unwrap());
        }
        assert_eq!(added_since(&ledger, &copy).unwrap().as_deref(), expected);
    };
    check(None, None, Some(b""));
    check(None, Some(b""), Some(b""));
    check(Some(b"a\n"), None, Some(b"a\n"));
    check(None, Some(b"a\n"), None);
    check(Some(b"a\nb\n"), Some(b"a\n"), Some(b"b\n"));
    check(Some(b"a\nb\n"), Some(b"a\nb\n"), Some(b""));
    // A copy that was never finished, and a line that is not finished yet.
    check(Some(b"a\nb\n"), Some(b"a"), Some(b"\nb\n"));
    check(Some(b"a\nb\nc"), Some(b"a\n"), Some(b"b\n"));
    check(Some(b"a\nb"), Some(b"a\n"), Some(b""));
    // Shorter, or another.
    check(Some(b"a\n"), Some(b"a\nb\n"), None);
    check(Some(b"c\nb\n"), Some(b"a\n"), None);
    let whole = b"abcdefg\n".repeat(3 * PIECE_BYTES / 8 + 1);
    let end = whole.len() - 8;
    check(Some(&whole), Some(&whole[..end]), Some(&whole[end..]));
    for changed in [0, PIECE_BYTES - 1, PIECE_BYTES, 3 * PIECE_BYTES - 1] {
        let mut other = whole.clone();
        other[changed] ^= 1;
        check(Some(&whole), Some(&other[..end]), None);
    }
}
