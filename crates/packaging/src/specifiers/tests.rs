//! What specifiers accept, by table, by property, and for the broken forms of real metadata.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn specifiers(text: &str) -> Specifiers {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn check(text: &str, accepted: &[&str], refused: &[&str]) {
    let specifiers = specifiers(text);
    let ranges = specifiers.ranges();
    for (versions, expected) in [(accepted, true), (refused, false)] {
        for version in versions {
            let version: Version = version.parse().unwrap();
            assert_eq!(specifiers.contains(&version), expected, "{text} contains {version}");
            assert_eq!(ranges.contains(&version), expected, "ranges of {text} contain {version}");
        }
    }
}

#[test]
fn equality_ignores_the_local_part_of_the_candidate() {
    check(
        "==2.1.0",
        &["2.1.0", "2.1", "2.1.0+cu121", "2.1.0+cpu"],
        &["2.1.0.post1", "2.1.0rc1", "2.1.1", "2.1.0.post0.dev0"],
    );
    check("==2.1.0+cu121", &["2.1.0+cu121"], &["2.1.0", "2.1.0+cpu", "2.1.0+cu121.1"]);
    check("!=2.1.0", &["2.1.1", "2.1.0.post1"], &["2.1.0", "2.1.0+cu121"]);
    check("<=2.1.0", &["2.1.0+cu121", "2.1.0rc1", "2"], &["2.1.0.post1", "2.1.1"]);
    check("===2.1.0", &["2.1.0"], &["2.1.0+cu121", "2.1.1"]);
    check("==1.0.post1", &["1.0.post1+x"], &["1.0", "1.0.post2", "1.0.post1.dev1", "1.0.post2.dev0"]);
    check("==1.0a1.dev1", &["1.0a1.dev1+x"], &["1.0a1.dev2", "1.0a1"]);
}

#[test]
fn wildcards_compare_release_numbers_padded_with_zeros() {
    check("==1.1.*", &["1.1", "1.1.0", "1.1a1", "1.1.dev0", "1.1.9.post3+l"], &["1", "1.0", "1.2.dev0", "1!1.1"]);
    check("==1.0.*", &["1", "1.0.5"], &["1.1", "0.9"]);
    check("!=1.0.*", &["1.1", "0.9.post1"], &["1", "1.0rc1"]);
    check("==1!2.*", &["1!2.5"], &["2.5", "1!3.dev0"]);
}

#[test]
fn exclusive_bounds_exclude_what_belongs_to_the_version() {
    check(">1.0", &["1.0.1.dev0", "1.1"], &["1.0", "1.0+l", "1.0.post1", "1.0.post1.dev0", "1.0.post1+l"]);
    check(">1.0.post1", &["1.0.post2", "1.0.post2.dev0"], &["1.0.post1", "1.0.post1+l", "1.0"]);
    check(">1.0a1", &["1.0a2", "1.0", "1.0.post1"], &["1.0a1", "1.0a1.post1", "1.0a1+l"]);
    check(">1.0.dev1", &["1.0.dev2", "1.0a1", "1.0.post1"], &["1.0.dev1", "1.0.dev1+l"]);
    check("<1.0", &["0.9", "0.9.post9"], &["1.0", "1.0rc1", "1.0.dev0", "1.0a1.post1", "1.0.dev0+l"]);
    check("<1.0.post1", &["1.0", "1.0rc1", "1.0.post0", "1.0+l"], &["1.0.post1", "1.0.post1.dev0"]);
    check("<1.0rc1", &["1.0b9", "1.0rc1.dev0"], &["1.0rc1", "1.0"]);
}

#[test]
fn compatible_release() {
    check("~=2.2", &["2.2", "2.9", "2.2.post1", "2.2+l"], &["2.1", "2.2rc1", "3.0", "3.dev0"]);
    check("~=2.2.0", &["2.2.5"], &["2.3"]);
    check("~=1.4.5a4", &["1.4.5a4", "1.4.9"], &["1.4.5a3", "1.5"]);
    assert_ne!(specifiers("~=1.0"), specifiers("~=1.0.0"));
    assert_ne!(specifiers("==1.*"), specifiers("==1.0.*"));
}

#[test]
fn sets_are_conjunctions_with_one_spelling() {
    check(">=1.0, <2 ,!=1.3", &["1.0", "1.4"], &["1.3", "2", "2.0rc1", "0.9"]);
    assert_eq!(specifiers("< 2,!=1.3,>=1.0,>=1.0").to_string(), ">=1.0,!=1.3,<2");
    assert_eq!(specifiers("== 1.0.*").to_string(), "==1.0.*");
    assert!(specifiers("").is_any() && specifiers("  ").is_any());
    assert_eq!(specifiers(">2,<1").ranges(), Ranges::empty());
}

proptest! {
    #[test]
    fn what_is_spelled_alike_is_written_alike(
        one in "(>=|<|==|!=)[0-2](\\.[0-1]){0,3}(rc0|\\.post1)?", other in "(>=|<|==|!=)[0-2](\\.[0-1]){0,3}(rc0|\\.post1)?",
    ) {
        let (one, other) = (specifiers(&one), specifiers(&other));
        prop_assert_eq!(one.is_spelled_as(&other), one.to_string() == other.to_string());
        prop_assert!(one.is_spelled_as(&one.to_string().parse().unwrap()));
    }
}

#[test]
fn a_series_that_no_clause_names_is_taken_whole() {
    let pythons: Vec<Version> = (0..20).map(|patch| Version::from_release([3, 10, patch])).collect();
    let versions = ["3", "3.1", "3.9", "3.9.2", "3.10", "3.10.0", "3.10.4", "3.11", "3.11.1", "4", "1!3.10"];
    let operators = [">=", "<=", ">", "<", "==", "!=", "~=", "==="];
    for (operator, version) in operators.iter().flat_map(|operator| versions.map(|version| (operator, version))) {
        for text in [format!("{operator}{version}"), format!("{operator}{version}.*")] {
            let Ok(own) = text.parse::<Specifiers>() else { continue };
            let answers: BTreeSet<bool> = pythons.iter().map(|python| own.contains(python)).collect();
            assert!(!own.take_series_whole([3, 10]) || answers.len() == 1, "{text}");
        }
    }
    assert!(specifiers(">=3.8,<4,!=3.9.*").take_series_whole([3, 10]));
    assert!(!specifiers(">=3.8,!=3.10.1").take_series_whole([3, 10]));
}

#[test]
fn knows_pins_and_prereleases() {
    assert_eq!(specifiers("==1.0").exact().unwrap().to_string(), "1.0");
    assert_eq!(specifiers("===1.0+x").exact().unwrap().to_string(), "1.0+x");
    for text in ["==1.*", ">=1", "==1,==2", ""] {
        assert_eq!(specifiers(text).exact(), None, "{text}");
    }
    for (text, expected) in [
        (">=1.0rc1", true),
        (">=1.0.dev0", true),
        ("<2.0b1", true),
        ("!=1.0rc1", false),
        (">=0.9,!=1.0rc1", false),
        (">=0.9a1,!=1.0rc1", true),
        (">=1.0.post1", false),
        ("", false),
    ] {
        assert_eq!(specifiers(text).mentions_prerelease(), expected, "{text}");
    }
}

#[test]
fn strict_reading_refuses_what_pep_440_does_not_have() {
    for text in [
        ">=3.6.*",
        ">=1.0,",
        ",>=1.0",
        ">='3.7'",
        ">=2.9.x",
        "===foo",
        ">=1.0+local",
        "1.0",
        "=1.0",
        "=>1.0",
        "~=1",
        "== 1.0 2.0",
        ">=1.9<3",
        "==1.0a1.*",
        "==dev",
        "==2004d",
        "~=1.*",
        "== ١.0",
        ">",
        "!=~5.0",
        "==1..0",
        "==1 .*",
        "==*",
    ] {
        assert!(text.parse::<Specifiers>().is_err(), "{text}");
    }
    insta::assert_snapshot!("===foo".parse::<Specifiers>().unwrap_err(), @"`===foo` is no version specifier: `foo` is no version; arbitrary equality with another text than a version is not supported");
    insta::assert_snapshot!(">=1, >=3.6.*".parse::<Specifiers>().unwrap_err(), @"`>=3.6.*` is no version specifier: `.*` goes with `==` and `!=` only, not with `>=`");
}

/// `pep440_rs` adds one to these with overflow: a panic in our builds, a wrong range in others.
#[test]
fn refuses_numbers_that_would_overflow() {
    for operator in ["~=", "==", ">", "<", "!="] {
        for text in [
            "18446744073709551615",
            "1.18446744073709551615",
            "1.0.dev18446744073709551615",
            "1.0.post9999999999999999",
        ] {
            assert!(format!("{operator}{text}").parse::<Specifiers>().is_err(), "{operator}{text}");
        }
    }
    check("~=1.999999999999999", &["1.999999999999999"], &["2.0"]);
    check(">1.0.dev999999999999999", &["1.0"], &["1.0.dev1"]);
    check("==1.999999999999999.*", &["1.999999999999999"], &["2"]);
}

#[test]
fn bounds_how_much_there_may_be() {
    let many = vec![">=1"; Limits::SPECIFIER_CLAUSES].join(",");
    assert!(many.parse::<Specifiers>().is_ok());
    assert_eq!(format!("{many},>=1").parse::<Specifiers>(), Err(SpecifiersError::TooLong));
    assert_eq!(">=1".repeat(2000).parse::<Specifiers>(), Err(SpecifiersError::TooLong));
    let packed = ">=1".repeat(Limits::SPECIFIER_CLAUSES + 1);
    assert_eq!(Specifiers::parse_lenient(&packed), Err(SpecifiersError::TooLong));
}

#[test]
fn lenient_reading_repairs_known_forms_and_records_them() {
    for (text, expected) in [
        (">=3.6.*", ">=3.6"),
        ("<4.*", "<4"),
        (">3.6.*", ">=3.7"),
        ("<=3.6.*", "<3.7"),
        ("~=1.*", "==1.*"),
        ("!=3.0*", "!=3.0.*"),
        (">=1.0,", ">=1.0"),
        (",>=1.0", ">=1.0"),
        (">='3.7'", ">=3.7"),
        (">=\"3.7\",<4", ">=3.7,<4"),
        ("'>=3.7'", ">=3.7"),
        (">=2.9.x", ">=2.9"),
        ("==2.x", "==2.*"),
        (">=1.0+local", ">=1.0"),
        (">=1.9.5<3", ">=1.9.5,<3"),
        (">=2.7 !=3.0.*", ">=2.7,!=3.0.*"),
        ("!=~5.0", "!=5.0.*"),
    ] {
        let (read, repairs) = Specifiers::parse_lenient(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(read.to_string(), expected, "{text}");
        assert_eq!(repairs.len(), 1, "{text}: {repairs:?}");
    }
    for text in ["===foo", "==dev", "==2004d", "1.0", "=1.0", "~=1", "==1.0 2.0", ">=é", "==*", ">=", "=="] {
        assert!(Specifiers::parse_lenient(text).is_err(), "{text}");
    }
    let (_, none) = Specifiers::parse_lenient(">=1,<2").unwrap();
    assert_eq!(none, []);
}

fn versions() -> impl Strategy<Value = String> {
    (
        prop::option::weighted(0.1, 0..2u8),
        prop::collection::vec(0..3u8, 1..4),
        prop::option::weighted(0.3, prop::sample::select(vec!["a0", "a1", "b1", "rc1"])),
        prop::option::weighted(0.3, 0..3u8),
        prop::option::weighted(0.3, 0..3u8),
        prop::option::weighted(0.3, prop::sample::select(vec!["0", "1", "cu121", "a.1"])),
    )
        .prop_map(|(epoch, release, pre, post, dev, local)| {
            let mut text = epoch.map(|epoch| format!("{epoch}!")).unwrap_or_default();
            text += &release.iter().map(u8::to_string).collect::<Vec<_>>().join(".");
            text += pre.unwrap_or_default();
            text += &post.map(|post| format!(".post{post}")).unwrap_or_default();
            text += &dev.map(|dev| format!(".dev{dev}")).unwrap_or_default();
            text + &local.map(|local| format!("+{local}")).unwrap_or_default()
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn ranges_agree_with_contains(
        operator in prop::sample::select(vec!["==", "!=", "<=", ">=", "<", ">", "~=", "==="]),
        star in prop::sample::select(vec!["", "", ".*"]),
        clause in versions(),
        candidates in prop::collection::vec(versions(), 8),
    ) {
        if let Ok(specifiers) = format!("{operator}{clause}{star}").parse::<Specifiers>() {
            let ranges = specifiers.ranges();
            for candidate in candidates.iter().chain([&clause]) {
                let candidate: Version = candidate.parse().unwrap();
                prop_assert_eq!(
                    specifiers.contains(&candidate), ranges.contains(&candidate), "{} and {}", specifiers, candidate
                );
            }
            prop_assert_eq!(&specifiers.to_string().parse::<Specifiers>().unwrap(), &specifiers);
        }
    }

    #[test]
    fn no_text_panics(text in "[ -~é]{0,40}|[=<>!~., *x'0-9a-z+]{0,24}") {
        let _ = text.parse::<Specifiers>();
        if let Ok((read, _)) = Specifiers::parse_lenient(&text) {
            read.ranges();
            prop_assert_eq!(&read.to_string().parse::<Specifiers>().unwrap(), &read);
        }
    }
}
