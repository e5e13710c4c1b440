//! Markers of a lock: read, written, evaluated, and bounded.

use std::collections::BTreeSet;

use pinfold_artifact::Limits;
use pinfold_packaging::MarkerTruth;
use proptest::prelude::*;

use super::*;
use crate::fixture;

fn evaluate(text: &str, extras: &[&str], groups: &[&str]) -> bool {
    let host = fixture::host(&fixture::target("linux-x86_64 3.10"), "3.10.4");
    let extras: BTreeSet<ExtraName> = extras.iter().map(|name| name.parse().unwrap()).collect();
    let groups: BTreeSet<GroupName> = groups.iter().map(|name| name.parse().unwrap()).collect();
    text.parse::<LockMarker>().unwrap_or_else(|error| panic!("{text}: {error}")).evaluate(
        &host.environment,
        &extras,
        &groups,
    )
}

#[test]
fn compares_versions_as_versions_and_texts_as_texts() {
    let check = |text: &str, expected: bool| assert_eq!(evaluate(text, &[], &[]), expected, "{text}");
    check("python_version >= '3.9'", true);
    check("python_version < '3.9'", false);
    check("python_version == '3.10'", true);
    check("python_version == '3.1'", false);
    check("python_version == '3.*'", true);
    check("python_version != '3.10.*'", false);
    check("python_version ~= '3.8'", true);
    check("'3.9' <= python_version", true);
    check("'3.11' < python_version", false);
    check("python_full_version < '3.10.8'", true);
    check("python_full_version === '3.10.4'", true);
    check("implementation_version >= '3.10.4'", true);
    check("python_version in '3.9 3.10'", true);
    check("python_version not in '3.9, 3.11'", true);
    // As text, `3.10` is in `3.10.2`, and `3.10.4` in `3.10.41`.
    check("python_version in '3.10.2'", false);
    check("python_version not in '3.10.2 3.11'", true);
    check("python_full_version in '3.10.41 3.9'", false);
    check("python_full_version in '3.10.41 3.10.4'", true);
    check("python_version in ' 3.10.* '", true);
    check("'3.1' in python_version", true);
    check("'linux' in sys_platform", true);
    check("'win' not in sys_platform", true);
    check("sys_platform == 'linux'", true);
    check("sys_platform == 'Linux'", false);
    check("platform_system == 'Linux' and os_name == \"posix\"", true);
    check("platform_python_implementation != 'PyPy'", true);
    check("sys.platform == 'linux' and os.name == 'posix' and python_implementation == 'CPython'", true);
    // `6.1.0-18-amd64` is no version. As text, it would be above `20`.
    check("platform_release >= '20'", false);
    check("platform_release < '20'", false);
    check("platform_release ~= '6.1'", false);
    check("platform_release not in '3.9 3.10'", true);
    check("'amd64' in platform_release", true);
    check("platform_release == '6.1.0-18-amd64'", true);
    check("'SMP' in platform_version", true);
}

#[test]
fn a_release_is_a_version_where_it_can_be_one() {
    let check = |release: Option<&str>, text: &str, expected: bool| {
        let mut environment = fixture::host(&fixture::target("linux-x86_64 3.10"), "3.10.4").environment;
        environment.platform_release = release.map(str::to_owned);
        let marker: LockMarker = text.parse().unwrap();
        assert_eq!(marker.evaluate(&environment, &BTreeSet::new(), &BTreeSet::new()), expected, "{release:?} {text}");
    };
    // As text, `10` is below `9`.
    check(Some("10.0"), "platform_release >= '9'", true);
    check(Some("10.0-x"), "platform_release >= '9'", false);
    check(Some("3.1"), "platform_release in '3.10 x'", true);
    for unknown in [None, Some("")] {
        check(unknown, "platform_release <= '2'", false);
        check(unknown, "platform_release < '2'", false);
        check(unknown, "platform_release >= '2'", false);
        check(unknown, "platform_release > '2'", false);
        check(unknown, "platform_release == '2'", false);
        check(unknown, "platform_release != '2'", true);
    }
}

/// Returns every comparison, with the variable on each side.
fn comparisons(keys: &[&str], signs: &[&str], values: &[&str]) -> Vec<String> {
    let mut texts = Vec::new();
    for (key, sign) in keys.iter().flat_map(|key| signs.iter().map(move |sign| (key, sign))) {
        for value in values {
            texts.extend([format!("{key} {sign} '{value}'"), format!("'{value}' {sign} {key}")]);
        }
    }
    texts
}

/// Reads a marker as locks and as requirements do; what one of them refuses, the other refuses too.
fn read_by_both(text: &str) -> Option<(LockMarker, pinfold_packaging::Marker)> {
    let of_lock = text.parse::<LockMarker>();
    let of_requirement = text.parse::<pinfold_packaging::Marker>();
    assert_eq!(of_lock.is_ok(), of_requirement.is_ok(), "{text}: {of_lock:?} {of_requirement:?}");
    of_lock.ok().zip(of_requirement.ok())
}

/// What a lock says of a release is what the requirement said that it was made of: one reader must not refuse what the other
/// reads, nor read it otherwise.
#[test]
fn a_release_means_the_same_in_a_requirement() {
    let signs = ["==", "!=", "<", "<=", ">", ">=", "~="];
    let values =
        ["9", "6.1", " 6.1 ", "6.*", "6.1+x", "old", "", "6.1.0-18-amd64", "=6", "6,<7", "1!0", "v6.1.0", "6 1"];
    let releases = ["6.1.0-18-amd64", "6.1", "10.0", "", "old", "6,<7", "=6", " 6.1 "];
    let (mut read, mut refused) = (0, 0);
    for text in comparisons(&["platform_release", "platform_version"], &signs, &values) {
        let Some((of_lock, of_requirement)) = read_by_both(&text) else {
            refused += 1;
            continue;
        };
        read += 1;
        for release in releases {
            let mut environment = fixture::host(&fixture::target("linux-x86_64 3.10"), "3.10.4").environment;
            environment.platform_release = Some(release.to_owned());
            environment.platform_version = Some(release.to_owned());
            let truth = of_lock.evaluate(&environment, &BTreeSet::new(), &BTreeSet::new());
            let expected = if truth { MarkerTruth::True } else { MarkerTruth::False };
            assert_eq!(of_requirement.evaluate(&environment, &BTreeSet::new()), expected, "{text} of {release:?}");
        }
    }
    assert!(read > 160 && refused > 100, "{read} read, {refused} refused");
}

/// The same of every other text: by the specification none is above or below another, and `<=` and `>=` ask whether two are
/// equal.
#[test]
fn a_text_means_the_same_in_a_requirement() {
    let keys = [
        "implementation_name",
        "os_name",
        "os.name",
        "platform_machine",
        "platform_python_implementation",
        "platform_system",
        "sys_platform",
    ];
    let signs = ["==", "!=", "<", "<=", ">", ">=", "~=", "in", "not in"];
    let values =
        ["linux", "Linux", "posix", "nt", "x86_64", "cpython", "CPython", "linux win32", "3.10", "3", "", " ", "~"];
    let (mut read, mut refused, mut held) = (0, 0, 0);
    for text in comparisons(&keys, &signs, &values) {
        let Some((of_lock, of_requirement)) = read_by_both(&text) else {
            refused += 1;
            continue;
        };
        read += 1;
        for target in ["linux-x86_64 3.10", "windows-x86_64 3.10", "macos-aarch64 3.10"] {
            let environment = fixture::host(&fixture::target(target), "3.10.4").environment;
            let truth = of_lock.evaluate(&environment, &BTreeSet::new(), &BTreeSet::new());
            let expected = if truth { MarkerTruth::True } else { MarkerTruth::False };
            assert_eq!(of_requirement.evaluate(&environment, &BTreeSet::new()), expected, "{text} of {target}");
            let is_strict = text.contains(" < ") || text.contains(" > ");
            assert!(!(is_strict && truth), "{text} of {target}");
            held += usize::from(truth);
        }
    }
    assert!(read > 1_000 && refused > 100 && held > 500, "{read} read, {refused} refused, {held} held");
}

#[test]
fn binds_and_before_or() {
    let check = |text: &str, expected: bool| assert_eq!(evaluate(text, &[], &[]), expected, "{text}");
    check("os_name == 'posix' or os_name == 'nt' and os_name == 'java'", true);
    check("(os_name == 'posix' or os_name == 'nt') and os_name == 'java'", false);
    check("os_name=='nt' or(os_name=='posix')and(sys_platform=='linux')", true);
}

#[test]
fn asks_extras_and_groups() {
    let check = |text: &str, expected: bool| assert_eq!(evaluate(text, &["gpu-x"], &["dev"]), expected, "{text}");
    check("'GPU_x' in extras", true);
    check("'x' in extras", false);
    check("'x' not in extras and 'dev' in dependency_groups", true);
    check("'gpu-x' in dependency_groups", false);
    check("extra == 'gpu.x'", true);
    check("'x' != extra", true);
}

#[test]
fn prints_one_spelling() {
    let check = |text: &str, expected: &str| {
        let marker: LockMarker = text.parse().unwrap();
        assert_eq!(marker.to_string(), expected);
        assert_eq!(expected.parse::<LockMarker>().unwrap(), marker, "{expected}");
    };
    check("( (sys_platform  ==\"linux\") )", "sys_platform == 'linux'");
    check("'3.9'<=python_version", "python_version >= '3.9'");
    check(
        "os_name=='a' and (os_name=='b' and os_name=='c') or os_name=='d'",
        "(os_name == 'a' and os_name == 'b' and os_name == 'c') or os_name == 'd'",
    );
    check("os_name == \"a'b\"", "os_name == \"a'b\"");
    check("os_name == 'a\"b'", "os_name == 'a\"b'");
    check("'A_B' not  in extras", "'a-b' not in extras");
    check("'x' in sys.platform", "'x' in sys_platform");
}

#[test]
fn refuses_what_has_no_meaning() {
    for text in [
        "",
        "os_name",
        "os_name ==",
        "os_name = 'a'",
        "os_name == 'a' and",
        "os_name == 'a' os_name == 'b'",
        "os_name == 'a",
        "(os_name == 'a'",
        "os_name == 'a')",
        "os_name == 'a'; x",
        "os_name == sys_platform",
        "'a' == 'b'",
        "os_name ~= 'b'",
        "platform_version ~= '6'",
        "platform_version < '#1'",
        "os_name === 'b'",
        "python_version > 'abc'",
        "python_version > '= 3'",
        "python_version == '=3.10'",
        "python_version >= '3.8,<4'",
        "python_version == ''",
        "'3' ~= python_version",
        "platform_release >= 'old'",
        "extras == 'x'",
        "extras in 'x'",
        "'x' == extras",
        "'../x' in extras",
        "extra in 'x y'",
        "os_name == 'a\nb'",
        "os_name == 'a'\n",
        "foo == 'a'",
        "os_name == 'a' andé",
        "python_version > '3.18446744073709551615'",
        "python_version not == '3'",
        "'\u{e9}",
    ] {
        assert!(text.parse::<LockMarker>().is_err(), "{text:?}");
    }
}

#[test]
fn stays_within_bounds() {
    let clauses = |count: usize| vec!["os_name == 'a'"; count].join(" or ");
    assert!(clauses(Limits::LOCK_MARKER_CLAUSES).parse::<LockMarker>().is_ok());
    assert_eq!(clauses(Limits::LOCK_MARKER_CLAUSES + 1).parse::<LockMarker>(), Err(LockMarkerError::TooLarge));
    let nested = |depth: usize| format!("{}os_name == 'a'{}", "(".repeat(depth), ")".repeat(depth));
    assert!(nested(Limits::MARKER_DEPTH).parse::<LockMarker>().is_ok());
    assert_eq!(nested(Limits::MARKER_DEPTH + 1).parse::<LockMarker>(), Err(LockMarkerError::TooLarge));
    assert_eq!(" ".repeat(Limits::LOCK_MARKER_BYTES + 1).parse::<LockMarker>(), Err(LockMarkerError::TooLarge));
}

/// Markers of every shape, as text.
fn written() -> impl Strategy<Value = String> {
    let literal = prop_oneof!["'[a-z0-9.\" ]{0,6}'", "\"[a-z0-9.' ]{0,6}\""];
    let text_key =
        prop_oneof![Just("os_name"), Just("sys_platform"), Just("platform_machine"), Just("platform_version")];
    let version_key = prop_oneof![Just("python_version"), Just("python_full_version"), Just("implementation_version")];
    let version = prop_oneof![Just("3.10"), Just("3"), Just("3.9.2"), Just("3.11rc1"), Just("1!2.0")];
    let leaf = prop_oneof![
        (text_key.clone(), prop_oneof![Just("=="), Just("!="), Just("in"), Just("not in")], literal.clone())
            .prop_map(|(key, operator, literal)| format!("{key} {operator} {literal}")),
        (literal, prop_oneof![Just("in"), Just("not in")], text_key)
            .prop_map(|(literal, operator, key)| format!("{literal} {operator} {key}")),
        (version_key, prop_oneof![Just("<"), Just("<="), Just("=="), Just("!="), Just(">="), Just(">")], version)
            .prop_map(|(key, operator, version)| format!("{key}{operator}'{version}'")),
        ("[a-c]{1,2}", prop_oneof![Just("extras"), Just("dependency_groups")])
            .prop_map(|(name, set)| format!("'{name}' in {set}")),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let joined = |word: &'static str| move |parts: Vec<String>| format!("({})", parts.join(word));
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(joined(" and ")),
            prop::collection::vec(inner, 1..4).prop_map(joined(" or ")),
        ]
    })
}

proptest! {
    #[test]
    fn printing_and_parsing_are_inverse(text in written()) {
        let marker: LockMarker = text.parse().unwrap();
        let printed = marker.to_string();
        prop_assert_eq!(&printed.parse::<LockMarker>().unwrap(), &marker);
        prop_assert_eq!(evaluate(&printed, &["a"], &["b"]), evaluate(&text, &["a"], &["b"]));
    }

    #[test]
    fn never_panics(text in "[ -~é\\n]{0,60}") {
        if let Ok(marker) = text.parse::<LockMarker>() {
            evaluate(&marker.to_string(), &[], &[]);
        }
    }
}
