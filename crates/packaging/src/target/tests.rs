//! Minor versions, and divisions and environments of targets.
//!
//! The values of the marker environments are those of `packaging.markers.default_environment()`: printed on Linux, taken
//! from CPython's `platform` and `sysconfig` modules for the systems that are not at hand.

use super::*;

#[test]
fn minor_versions_are_read_strictly() {
    for text in ["3.0", "3.9", "3.10", "3.255"] {
        assert_eq!(text.parse::<PythonMinor>().unwrap().to_string(), text);
    }
    for text in ["", "3", "3.", "3.10.1", "2.7", "4.0", "3.010", "3.+1", "3.256", " 3.10", "3.x", "３.10"] {
        assert!(text.parse::<PythonMinor>().is_err(), "{text:?}");
    }
    assert!("3.9".parse::<PythonMinor>().unwrap() < "3.10".parse().unwrap());
    assert_eq!(PythonMinor::of(&"3.10.13".parse().unwrap()), "3.10".parse().ok());
    assert_eq!(PythonMinor::of(&"2.7.18".parse().unwrap()), None);
}

#[test]
fn a_range_of_versions_is_a_list_of_minors() {
    let check = |specifiers: &str, expected: &str| {
        let minors = PythonMinor::all_in(&specifiers.parse().unwrap());
        let shown: Vec<_> = minors.iter().map(ToString::to_string).collect();
        assert_eq!(shown.join(" "), expected, "{specifiers}");
    };
    check(">=3.10,<3.11", "3.10");
    check(">=3.10.4,<3.12", "3.10 3.11");
    check(">3.10,<=3.12", "3.10 3.11 3.12");
    check("==3.10.*", "3.10");
    check("~=3.9", "3.9 3.10 3.11 3.12 3.13 3.14 3.15");
    check(">=3.8,!=3.9.*,<3.11", "3.8 3.10");
    check("==3.10.13", "3.10");
    check("<3.8", "3.6 3.7");
    check("<3", "");
    check(">=4", "");
}

#[test]
fn minors_are_those_of_which_a_release_is_allowed() {
    let texts = [
        ">3.10.98",
        ">3.10.99",
        "<3.10.0",
        "<=3.10",
        "===3.10.1",
        "!=3.10.*,>=3.9",
        ">=3.10.4rc1,<3.10.4",
        "~=3.11.3",
        ">3.9.0,<3.11.dev1",
        "==3.12.0rc1",
        ">=3.8,!=3.9.*,!=3.11.5",
        "",
    ];
    for text in texts {
        let specifiers: Specifiers = text.parse().unwrap();
        let allows = |minor: u8| {
            let release = |patch| Version::from_release([3, u64::from(minor), patch]);
            (0..=PythonMinor::LARGEST_PATCH).any(|patch| specifiers.contains(&release(patch)))
        };
        let all = PythonMinor::OLDEST.minor()..=PythonMinor::NEWEST.minor();
        let expected: Vec<u8> = all.filter(|minor| allows(*minor)).collect();
        let found: Vec<u8> = PythonMinor::all_in(&specifiers).into_iter().map(PythonMinor::minor).collect();
        assert_eq!(found, expected, "{text:?}");
    }
}

#[test]
fn a_cut_divides_a_target_in_two() {
    let target = Target::new("linux-x86_64".parse().unwrap(), "3.10".parse().unwrap());
    assert_eq!(target.to_string(), "linux-x86_64 python 3.10");
    let (lower, upper) = target.divide(&"3.10.8".parse().unwrap()).unwrap();
    assert_eq!(lower.to_string(), "linux-x86_64 python 3.10 (<3.10.8)");
    assert_eq!(upper.to_string(), "linux-x86_64 python 3.10 (>=3.10.8)");
    assert!(lower < upper);
    assert_eq!(lower.python_span().at_least, "3.10.0".parse().unwrap());
    assert_eq!(lower.python_span().below, "3.10.8".parse().ok());
    assert_eq!(upper.python_span().below, "3.11".parse().ok());
    let (middle, _) = upper.divide(&"3.10.12".parse().unwrap()).unwrap();
    assert_eq!(middle.to_string(), "linux-x86_64 python 3.10 (>=3.10.8,<3.10.12)");
    for outside in ["3.10.0", "3.10", "3.11", "3.9.1", "3.12"] {
        assert_eq!(target.divide(&outside.parse().unwrap()), None, "{outside}");
    }
    assert_eq!(upper.divide(&"3.10.8".parse().unwrap()), None);
}

#[test]
fn environments_are_what_cpython_reports() {
    for (system, expected) in [
        ("linux-x86_64", ["posix", "linux", "x86_64", "Linux"]),
        ("linux-aarch64-musl1.2", ["posix", "linux", "aarch64", "Linux"]),
        ("windows-x86_64", ["nt", "win32", "AMD64", "Windows"]),
        ("windows-aarch64", ["nt", "win32", "ARM64", "Windows"]),
        ("macos-aarch64", ["posix", "darwin", "arm64", "Darwin"]),
        ("macos-x86_64", ["posix", "darwin", "x86_64", "Darwin"]),
    ] {
        let target = Target::new(system.parse().unwrap(), "3.10".parse().unwrap());
        let environment = target.marker_environment();
        let found = [
            &environment.os_name,
            &environment.sys_platform,
            &environment.platform_machine,
            &environment.platform_system,
        ];
        assert_eq!(found, expected.each_ref(), "{system}");
        assert_eq!(environment.platform_python_implementation, "CPython");
        assert_eq!(environment.implementation_name, "cpython");
        assert_eq!(environment.python_version.to_string(), "3.10");
        assert_eq!(environment.python_full_version, target.python_span());
        assert_eq!((environment.platform_release, environment.platform_version), (None, None));
    }
}

#[test]
fn requires_python_leaves_parts_of_a_minor_version() {
    let check = |specifiers: &str, expected: &[&str]| {
        let parts =
            Target::all_in("linux-x86_64".parse().unwrap(), "3.10".parse().unwrap(), &specifiers.parse().unwrap());
        let texts: Vec<String> =
            parts.iter().map(|part| part.to_string().replacen("linux-x86_64 python ", "", 1)).collect();
        assert_eq!(texts, expected, "{specifiers}");
    };
    check(">=3.8", &["3.10"]);
    check(">=3.10,<3.11", &["3.10"]);
    check("==3.10.*", &["3.10"]);
    check(">=3.10.0", &["3.10"]);
    check(">=3.10.4", &["3.10 (>=3.10.4)"]);
    check(">3.10.4,<3.11", &["3.10 (>=3.10.5)"]);
    check("<3.10.9", &["3.10 (<3.10.9)"]);
    check("==3.10.7", &["3.10 (>=3.10.7,<3.10.8)"]);
    check("!=3.10.0,!=3.10.2", &["3.10 (>=3.10.1,<3.10.2)", "3.10 (>=3.10.3)"]);
    check(">=3.11", &[]);
}
