//! Files of bytecode: what their names and headers say of where they are from.
//!
//! The header of a `.pyc` file says which source it was made from: by time and size, or by a hash of the source
//! (PEP 552). A file whose header says "do not look at the source" is never what an interpreter leaves by itself.

use pinfold_artifact::ArchivePath;

use crate::disk::{self, Facts};

/// What the name of a `__pycache__` file says: `a/__pycache__/b.cpython-310.opt-1.pyc` is of `a/b.py`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Compiled {
    /// The path of the source.
    pub(crate) source: String,
    /// The interpreter's tag: `cpython-310`.
    pub(crate) tag: String,
    /// The level of optimisation.
    pub(crate) level: u8,
}

/// Reads the path of a `__pycache__` file; none if it is not one of CPython's own.
pub(crate) fn compiled(path: &str) -> Option<Compiled> {
    let (directory, name) = disk::split(path);
    let parent = directory.strip_suffix(DIRECTORY)?;
    if !(parent.is_empty() || parent.ends_with('/')) {
        return None;
    }
    let stem = name.strip_suffix(".pyc")?;
    let (stem, level) = match stem.rsplit_once(".opt-") {
        Some((stem, "1")) => (stem, 1),
        Some((stem, "2")) => (stem, 2),
        Some(_) => return None,
        None => (stem, 0),
    };
    let (module, tag) = stem.rsplit_once('.')?;
    let is_tag = tag.starts_with("cpython-");
    (is_tag && !module.is_empty()).then(|| Compiled {
        source: format!("{parent}{module}.py"),
        tag: tag.to_owned(),
        level,
    })
}

/// Returns the path of the source that a `__pycache__` file was made from.
pub(crate) fn source_of(path: &ArchivePath) -> Option<String> {
    compiled(path.as_str()).map(|compiled| compiled.source)
}

/// Returns what is wrong with a `.pyc` file, from its header and its source; none if the interpreter made it.
pub(crate) fn problem(header: &[u8], source: &Facts, source_bytes: impl FnOnce() -> Vec<u8>) -> Option<&'static str> {
    let word =
        |at: usize| header.get(at..at + 4).map(|four| four.iter().rev().fold(0_u32, |n, b| n << 8 | u32::from(*b)));
    let (Some(flags), Some(first), Some(second)) = (word(4), word(8), word(12)) else {
        return Some("its header is cut off");
    };
    if header.get(2..4) != Some(b"\r\n") {
        return Some("it is no bytecode");
    }
    match flags {
        0 => {
            let seconds = source.mtime_ns.div_euclid(1_000_000_000);
            // Both fields hold the lowest 32 bits.
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "PEP 552 keeps 32 bits")]
            let fits = first == seconds as u32 && second == source.size_bytes as u32;
            (!fits).then_some("it was made from another source")
        }
        3 => {
            let (hash, magic) = (u64::from(second) << 32 | u64::from(first), u64::from(word(0).unwrap_or(0)));
            let bytes = source_bytes();
            // Python 3.11 went from 2 and 4 rounds to 1 and 3.
            let fits = [(1, 3), (2, 4)].iter().any(|rounds| siphash(*rounds, magic, &bytes) == hash);
            (!fits).then_some("it was made from another source")
        }
        _ => Some("it tells the interpreter not to look at its source"),
    }
}

/// SipHash with a key of one word, as Python hashes sources: it tells sources apart, and protects nothing.
fn siphash((compression, finalization): (u32, u32), key: u64, bytes: &[u8]) -> u64 {
    let mut v =
        [0x736f_6d65_7073_6575 ^ key, 0x646f_7261_6e64_6f6d, 0x6c79_6765_6e65_7261 ^ key, 0x7465_6462_7974_6573];
    let round = |v: &mut [u64; 4]| {
        v[0] = v[0].wrapping_add(v[1]);
        v[2] = v[2].wrapping_add(v[3]);
        v[1] = v[1].rotate_left(13) ^ v[0];
        v[3] = v[3].rotate_left(16) ^ v[2];
        v[0] = v[0].rotate_left(32);
        v[2] = v[2].wrapping_add(v[1]);
        v[0] = v[0].wrapping_add(v[3]);
        v[1] = v[1].rotate_left(17) ^ v[2];
        v[3] = v[3].rotate_left(21) ^ v[0];
        v[2] = v[2].rotate_left(32);
    };
    let little = |piece: &[u8]| piece.iter().rev().fold(0_u64, |n, byte| n << 8 | u64::from(*byte));
    let pieces = bytes.chunks_exact(8);
    let last = little(pieces.remainder()) | (bytes.len() as u64) << 56;
    for word in pieces.map(little).chain([last]) {
        v[3] ^= word;
        (0..compression).for_each(|_| round(&mut v));
        v[0] ^= word;
    }
    v[2] ^= 0xff;
    (0..finalization).for_each(|_| round(&mut v));
    v[0] ^ v[1] ^ v[2] ^ v[3]
}

/// The directory of bytecode beside the sources.
pub(crate) const DIRECTORY: &str = "__pycache__";

/// Bytes of a header: magic number, flags, and what it was made from.
pub(crate) const HEADER_BYTES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Kind;

    #[test]
    fn finds_the_source_of_bytecode() {
        for (path, expected) in [
            ("a/__pycache__/b.cpython-310.pyc", Some("a/b.py")),
            ("__pycache__/b.cpython-313.opt-2.pyc", Some("b.py")),
            ("__pycache__/b.cpython-313.opt-3.pyc", None),
            ("__pycache__/b.cpython-310-pytest-7.4.0.pyc", None),
            ("a/__pycache__/b.c.cpython-310.pyc", Some("a/b.c.py")),
            ("a/x__pycache__/b.cpython-310.pyc", None),
            ("a/__pycache__/b.pyc", None),
            ("a/__pycache__/.cpython-310.pyc", None),
            ("a/__pycache__/b.evil.pyc", None),
            ("a/__pycache__/b.cpython-310.so", None),
            ("a/b.pyc", None),
        ] {
            assert_eq!(source_of(&path.parse().unwrap()).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn headers_tell_what_they_were_made_from() {
        let source = Facts {
            kind: Kind::File,
            size_bytes: 5,
            mtime_ns: 7_900_000_000,
            inode: 1,
            mode: 0o644,
            owner: 0,
            device: 0,
            names: 1,
        };
        let header = |flags: u8, first: u32, second: u32| {
            let mut bytes = vec![0x6f, 0x0d, b'\r', b'\n', flags, 0, 0, 0];
            bytes.extend(first.to_le_bytes());
            bytes.extend(second.to_le_bytes());
            bytes
        };
        let check = |header: &[u8], expected: bool| {
            assert_eq!(problem(header, &source, || b"x = 1".to_vec()).is_none(), expected, "{header:?}");
        };
        check(&header(0, 7, 5), true);
        check(&header(0, 8, 5), false);
        check(&header(0, 7, 6), false);
        // What Python 3.10 and 3.13 make of `x = 1` with the magic number 0x0a0d0d6f.
        for hash in [siphash((2, 4), 0x0a0d_0d6f, b"x = 1"), siphash((1, 3), 0x0a0d_0d6f, b"x = 1")] {
            let [first, second] = [hash as u32, (hash >> 32) as u32];
            check(&header(3, first, second), true);
            check(&header(1, first, second), false);
            check(&header(3, first ^ 1, second), false);
        }
        check(&header(0, 7, 5)[..15], false);
        check(b"", false);
        check(&[0; 16], false);
    }

    #[test]
    fn hashes_sources_as_python_does() {
        // importlib.util.source_hash of Python 3.10 (magic 3439) and 3.13 (magic 3571).
        assert_eq!(siphash((2, 4), 0x0a0d_0d6f, b"x = 1\n").to_le_bytes(), PYTHON_310);
        assert_eq!(siphash((1, 3), 0x0a0d_0df3, b"x = 1\n").to_le_bytes(), PYTHON_313);
    }

    const PYTHON_310: [u8; 8] = [217, 74, 173, 226, 140, 140, 190, 191];
    const PYTHON_313: [u8; 8] = [231, 134, 226, 137, 54, 81, 18, 14];
}
