//! The order of tags, held against that of the `packaging` library.
//!
//! The numbers come from `packaging` 26.3, in Python 3.12: for each case the list
//!
//! ```python
//! [str(t) for t in [*tags.cpython_tags(python, [abi], platforms),
//!                   *tags.compatible_tags(python, f"cp3{python[1]}", platforms)]]
//! ```
//!
//! with `platforms` from `tags.mac_platforms((major, minor), arch)`, `["win_amd64"]`, `["win_arm64"]`, or, for Linux, from
//! `tags._linux_platforms()` with `_manylinux._get_glibc_version` and `_musllinux._get_musl_version` replaced to say the
//! floor, and `linux_*` moved from the first place to the last. Each case has the list's length, the 64-bit FNV-1a digest of
//! its lines (each with its newline), and its first line.

use super::*;
use crate::Target;

const LISTS: [(&str, &str, usize, u64, &str); 30] = [
    ("linux-x86_64", "3.7", 486, 0xdf032a2c7a47664a, "cp37-cp37m-manylinux_2_28_x86_64"),
    ("linux-x86_64-glibc2.17", "3.7", 299, 0xf56af24daa02ea8d, "cp37-cp37m-manylinux_2_17_x86_64"),
    ("linux-aarch64-glibc2.39", "3.7", 435, 0xfc1bfec380adb583, "cp37-cp37m-manylinux_2_39_aarch64"),
    ("linux-x86_64-musl1.2", "3.7", 78, 0xff82328d862ab2c1, "cp37-cp37m-musllinux_1_2_x86_64"),
    ("macos-aarch64", "3.7", 333, 0x53687544d522ecff, "cp37-cp37m-macosx_13_0_arm64"),
    ("macos-x86_64", "3.7", 1642, 0xc3fe2e4a53204224, "cp37-cp37m-macosx_13_0_x86_64"),
    ("macos-x86_64-10.9", "3.7", 622, 0xe1555d203080ff3a, "cp37-cp37m-macosx_10_9_x86_64"),
    ("macos-aarch64-11.0", "3.7", 265, 0xa3a427109feefea5, "cp37-cp37m-macosx_11_0_arm64"),
    ("windows-x86_64", "3.7", 27, 0xc8e1b42198467f74, "cp37-cp37m-win_amd64"),
    ("windows-aarch64", "3.7", 27, 0xad8624a8e5efba84, "cp37-cp37m-win_arm64"),
    ("linux-x86_64", "3.10", 657, 0x1d5ee2a8a2a6100a, "cp310-cp310-manylinux_2_28_x86_64"),
    ("linux-x86_64-glibc2.17", "3.10", 404, 0xd850b220ac76d3c3, "cp310-cp310-manylinux_2_17_x86_64"),
    ("linux-aarch64-glibc2.39", "3.10", 588, 0x4173db06d746bfd5, "cp310-cp310-manylinux_2_39_aarch64"),
    ("linux-x86_64-musl1.2", "3.10", 105, 0x09628b669e96b5ad, "cp310-cp310-musllinux_1_2_x86_64"),
    ("macos-aarch64", "3.10", 450, 0xe36f9b432d125ecf, "cp310-cp310-macosx_13_0_arm64"),
    ("macos-x86_64", "3.10", 2221, 0xf8ab4d713bce7b3c, "cp310-cp310-macosx_13_0_x86_64"),
    ("macos-x86_64-10.9", "3.10", 841, 0x2ee523a16afcd476, "cp310-cp310-macosx_10_9_x86_64"),
    ("macos-aarch64-11.0", "3.10", 358, 0xe31f6c37e4f9edb1, "cp310-cp310-macosx_11_0_arm64"),
    ("windows-x86_64", "3.10", 36, 0x54551269c52ec88c, "cp310-cp310-win_amd64"),
    ("windows-aarch64", "3.10", 36, 0x5bb44fbfee505458, "cp310-cp310-win_arm64"),
    ("linux-x86_64", "3.12", 771, 0x32fb31bed5468b05, "cp312-cp312-manylinux_2_28_x86_64"),
    ("linux-x86_64-glibc2.17", "3.12", 474, 0x9c70014ed6df30b0, "cp312-cp312-manylinux_2_17_x86_64"),
    ("linux-aarch64-glibc2.39", "3.12", 690, 0x2197bc9ac4d87d04, "cp312-cp312-manylinux_2_39_aarch64"),
    ("linux-x86_64-musl1.2", "3.12", 123, 0x53583724b43e8ece, "cp312-cp312-musllinux_1_2_x86_64"),
    ("macos-aarch64", "3.12", 528, 0x774371b725013076, "cp312-cp312-macosx_13_0_arm64"),
    ("macos-x86_64", "3.12", 2607, 0x41d8f9a16a061273, "cp312-cp312-macosx_13_0_x86_64"),
    ("macos-x86_64-10.9", "3.12", 987, 0x538ea04cb28ca8d9, "cp312-cp312-macosx_10_9_x86_64"),
    ("macos-aarch64-11.0", "3.12", 420, 0x5d8af1b53439877c, "cp312-cp312-macosx_11_0_arm64"),
    ("windows-x86_64", "3.12", 42, 0x559aa349d1e1814f, "cp312-cp312-win_amd64"),
    ("windows-aarch64", "3.12", 42, 0xfc6e621597f9d443, "cp312-cp312-win_arm64"),
];

fn tags(system: &str, python: &str) -> std::sync::Arc<Tags> {
    Target::new(system.parse().unwrap(), python.parse().unwrap()).tags()
}

fn fnv(lines: &[String]) -> u64 {
    let bytes = lines.iter().flat_map(|line| line.bytes().chain([b'\n']));
    bytes.fold(0xcbf2_9ce4_8422_2325, |digest, byte| (digest ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

#[test]
fn lists_are_those_of_packaging() {
    for (system, python, count, digest, first) in LISTS {
        let lines: Vec<String> = tags(system, python).iter().collect();
        assert_eq!((lines.len(), lines[0].as_str()), (count, first), "{system} {python}");
        assert_eq!(fnv(&lines), digest, "{system} {python}: {lines:#?}");
        assert_eq!(lines.last().map(String::as_str), Some("py30-none-any"));
    }
}

#[test]
fn a_rank_is_the_position_in_the_list() {
    for (system, python, ..) in LISTS {
        let tags = tags(system, python);
        for (position, tag) in tags.iter().enumerate() {
            let wheel = WheelFilename::parse(&format!("a-1-{tag}.whl").parse().unwrap()).unwrap();
            assert_eq!(tags.rank(&wheel), Some(u32::try_from(position).unwrap()), "{system} {python} {tag}");
        }
    }
}

fn check(system: &str, best_first: &[&str], refused: &[&str]) {
    let tags = tags(system, "3.10");
    let rank = |tag: &&str| tags.rank(&WheelFilename::parse(&format!("a-1-{tag}.whl").parse().unwrap()).unwrap());
    let ranks: Vec<_> = best_first.iter().map(|tag| rank(tag).unwrap_or_else(|| panic!("{system} {tag}"))).collect();
    assert!(ranks.is_sorted_by(|a, b| a < b), "{system}: {ranks:?}");
    for tag in refused {
        assert_eq!(rank(tag), None, "{system} {tag}");
    }
}

#[test]
fn linux_takes_what_every_machine_above_the_floor_can_use() {
    check(
        "linux-x86_64",
        &[
            "cp310-cp310-manylinux_2_28_x86_64",
            "cp310-cp310-manylinux_2_17_x86_64.manylinux2014_x86_64",
            "cp310-cp310-manylinux1_x86_64",
            "cp310-cp310-linux_x86_64",
            "cp310-abi3-manylinux_2_28_x86_64",
            "cp36.cp37.cp38-abi3-manylinux2010_x86_64",
            "py3-none-manylinux2014_x86_64.manylinux_2_29_x86_64",
            "cp310-none-any",
            "py2.py3-none-any",
        ],
        &[
            "cp310-cp310-manylinux_2_29_x86_64",
            "cp310-cp310-manylinux2014_aarch64",
            "cp310-cp310-musllinux_1_1_x86_64",
            "cp310-cp310-manylinux2014_i686",
            "cp39-cp39-manylinux2014_x86_64",
            "cp311-abi3-manylinux2014_x86_64",
            "cp310-cp310t-manylinux2014_x86_64",
            "pp310-pypy310_pp73-manylinux2014_x86_64",
            "py2-none-any",
            "py311-none-any",
            "cp39-none-any",
            "cp310-abi3-any",
            "any-none-py3",
        ],
    );
    check(
        "linux-aarch64-glibc2.17",
        &["cp310-cp310-manylinux_2_17_aarch64", "cp310-cp310-manylinux2014_aarch64", "py3-none-linux_aarch64"],
        &["cp310-cp310-manylinux_2_28_aarch64", "cp310-cp310-manylinux2010_aarch64"],
    );
    check(
        "linux-x86_64-musl1.2",
        &["cp310-cp310-musllinux_1_2_x86_64", "cp310-cp310-musllinux_1_0_x86_64", "cp310-cp310-linux_x86_64"],
        &["cp310-cp310-manylinux2014_x86_64", "cp310-cp310-musllinux_1_3_x86_64"],
    );
}

#[test]
fn windows_and_macos_have_their_own_ladders() {
    check(
        "windows-x86_64",
        &["cp310-cp310-win_amd64", "cp310-abi3-win_amd64", "cp39-abi3-win_amd64", "py3-none-win_amd64", "py3-none-any"],
        &["cp310-cp310-win32", "cp310-cp310-win_arm64", "py3-none-linux_x86_64"],
    );
    check(
        "macos-aarch64",
        &[
            "cp310-cp310-macosx_13_0_arm64",
            "cp310-cp310-macosx_12_0_universal2",
            "cp310-cp310-macosx_11_0_arm64",
            "cp310-cp310-macosx_10_9_universal2",
        ],
        &["cp310-cp310-macosx_14_0_arm64", "cp310-cp310-macosx_10_9_x86_64", "cp310-cp310-macosx_11_0_x86_64"],
    );
    check(
        "macos-x86_64",
        &[
            "cp310-cp310-macosx_13_0_x86_64",
            "cp310-cp310-macosx_10_9_x86_64.macosx_10_10_intel",
            "cp310-cp310-macosx_10_4_intel",
        ],
        &["cp310-cp310-macosx_13_0_arm64", "cp310-cp310-macosx_10_3_intel"],
    );
}

#[test]
fn upper_case_tags_are_the_same_tags() {
    check("linux-x86_64", &["CP310-CP310-ManyLinux2014_x86_64", "PY3-None-Any"], &[]);
}
