//! Which C library a Linux machine has: what Python says of glibc, else what the loader that the program names says of
//! itself. musl has no other way to tell its version.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pinfold_sandbox::Command;

use super::Libc;
use super::probe::RawAnswer;

/// Returns the C library that an answer tells of, asking musl's loader where Python knows nothing.
pub(super) fn of_answer(answer: &RawAnswer, search_path: &OsStr) -> Option<Libc> {
    if answer.sys_platform != "linux" {
        return None;
    }
    if let Some((major, minor)) = answer.glibc.as_deref().and_then(two_numbers) {
        return Some(Libc::Glibc(major, minor));
    }
    let loader = loader_of(&answer.base_executable)?;
    if !loader.file_name()?.to_str()?.starts_with("ld-musl-") {
        return None;
    }
    let mut command = Command::new(&loader, search_path);
    command.time_limit = Duration::from_secs(10);
    let (major, minor) = musl_version(&String::from_utf8_lossy(&command.run().ok()?.stderr))?;
    Some(Libc::Musl(major, minor))
}

/// Returns the first two numbers of a dotted version.
pub(super) fn two_numbers(version: &str) -> Option<(u16, u16)> {
    let mut parts = version.trim().split('.');
    let major = parts.next()?.parse().ok()?;
    Some((major, parts.next().map_or(Ok(0), str::parse).ok()?))
}

/// Reads `Version 1.2.4` from what musl's loader prints when it is started without a program.
fn musl_version(text: &str) -> Option<(u16, u16)> {
    text.lines().find_map(|line| line.strip_prefix("Version ")).and_then(two_numbers)
}

fn loader_of(program: &Path) -> Option<PathBuf> {
    let mut beginning = Vec::new();
    File::open(program).ok()?.take(BEGINNING_BYTES).read_to_end(&mut beginning).ok()?;
    elf_loader(&beginning).map(PathBuf::from)
}

/// Returns the loader that a 64-bit little-endian ELF program names (its `PT_INTERP` segment), from its first bytes.
fn elf_loader(bytes: &[u8]) -> Option<String> {
    const PT_INTERP: u32 = 3;
    let number = |at: usize, size: usize| {
        let field = bytes.get(at..at.checked_add(size)?)?;
        Some(field.iter().rev().fold(0_u64, |value, byte| value << 8 | u64::from(*byte)))
    };
    if !bytes.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let table = usize::try_from(number(32, 8)?).ok()?;
    let entry_size = usize::try_from(number(54, 2)?).ok()?;
    for position in 0..usize::try_from(number(56, 2)?).ok()? {
        let entry = table.checked_add(position.checked_mul(entry_size)?)?;
        if number(entry, 4)? == u64::from(PT_INTERP) {
            let start = usize::try_from(number(entry.checked_add(8)?, 8)?).ok()?;
            let size = usize::try_from(number(entry.checked_add(32)?, 8)?).ok()?;
            let path = bytes.get(start..start.checked_add(size)?)?;
            let path = path.split(|byte| *byte == 0).next()?;
            return String::from_utf8(path.to_vec()).ok().filter(|path| path.starts_with('/'));
        }
    }
    None
}

/// The program headers and the loader's name are at the beginning of every program that linkers make.
const BEGINNING_BYTES: u64 = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    /// A program with one `PT_INTERP` segment after its headers.
    fn program(loader: &str) -> Vec<u8> {
        let mut bytes = vec![0; 64];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        bytes[32] = 64;
        bytes[54] = 56;
        bytes[56] = 1;
        let mut entry = vec![0; 56];
        entry[0] = 3;
        entry[8] = 120;
        entry[32] = u8::try_from(loader.len() + 1).unwrap();
        bytes.extend(entry);
        bytes.extend(loader.bytes().chain([0]));
        bytes
    }

    #[test]
    fn finds_the_loader_of_a_program() {
        assert_eq!(elf_loader(&program("/lib/ld-musl-x86_64.so.1")).unwrap(), "/lib/ld-musl-x86_64.so.1");
    }

    #[test]
    fn lying_programs_have_no_loader() {
        let good = program("/lib/ld.so");
        for length in 0..good.len() {
            assert_eq!(elf_loader(&good[..length]), None, "{length}");
        }
        let mut far = good.clone();
        far[32..40].fill(0xff);
        assert_eq!(elf_loader(&far), None);
        assert_eq!(elf_loader(&program("ld.so")), None);
        assert_eq!(elf_loader(b"#!/bin/sh\n"), None);
    }

    #[test]
    fn reads_the_version_of_musl() {
        let text = "musl libc (x86_64)\nVersion 1.2.4\nDynamic Program Loader\nUsage: ...";
        assert_eq!(musl_version(text), Some((1, 2)));
        assert_eq!(musl_version("ld.so (GNU libc) version 2.36"), None);
    }

    #[test]
    fn reads_two_numbers() {
        for (text, expected) in
            [("2.36", Some((2, 36))), ("14.5.1", Some((14, 5))), ("12", Some((12, 0))), ("", None), ("2.x", None)]
        {
            assert_eq!(two_numbers(text), expected, "{text}");
        }
    }
}
