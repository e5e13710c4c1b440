//! What markers mean, and every marker that `pep508_rs` must not see.

use pinfold_artifact::Limits;
use proptest::prelude::*;

use super::*;

fn environment(system: &str, at_least: &str, below: Option<&str>) -> MarkerEnvironment {
    let (os_name, platform_machine, platform_system) = match system {
        "linux" => ("posix", "x86_64", "Linux"),
        "darwin" => ("posix", "arm64", "Darwin"),
        _ => ("nt", "AMD64", "Windows"),
    };
    let at_least: Version = at_least.parse().unwrap();
    MarkerEnvironment {
        os_name: os_name.to_owned(),
        sys_platform: system.to_owned(),
        platform_machine: platform_machine.to_owned(),
        platform_system: platform_system.to_owned(),
        platform_python_implementation: "CPython".to_owned(),
        implementation_name: "cpython".to_owned(),
        python_version: Version::from_release(&at_least.release()[..2]),
        python_full_version: PythonSpan { at_least, below: below.map(|below| below.parse().unwrap()) },
        platform_release: None,
        platform_version: None,
    }
}

fn linux() -> MarkerEnvironment {
    environment("linux", "3.10.0", Some("3.11"))
}

fn evaluate(text: &str, environment: &MarkerEnvironment) -> String {
    let marker: Marker = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
    match marker.evaluate(environment, &["gpu".parse().unwrap()].into()) {
        MarkerTruth::False => "false".to_owned(),
        MarkerTruth::True => "true".to_owned(),
        MarkerTruth::Divided(cuts) => {
            format!("divided at {}", cuts.iter().map(Version::to_string).collect::<Vec<_>>().join(", "))
        }
    }
}

fn check(text: &str, expected: &str) {
    assert_eq!(evaluate(text, &linux()), expected, "{text}");
}

#[test]
fn system_and_extra() {
    check("sys_platform == 'linux'", "true");
    check("sys_platform != \"linux\"", "false");
    check("'linux' == sys_platform and os_name == 'posix'", "true");
    check("platform_system == 'Windows' or platform_machine in 'x86_64 AMD64'", "true");
    check("'86' in platform_machine", "true");
    check("'86' not in platform_machine", "false");
    check("sys_platform not in 'win32 darwin'", "true");
    check("extra == 'GPU'", "true");
    check("extra == 'cpu'", "false");
    check("'cpu' != extra", "true");
    check("os.name == 'posix' and python_implementation == 'CPython'", "true");
    assert_eq!(evaluate("sys_platform=='win32'", &environment("win32", "3.11.0", Some("3.12"))), "true");
}

#[test]
fn python_version_is_decided_by_the_minor_version() {
    for (text, expected) in [
        ("python_version >= '3.10'", "true"),
        ("python_version > '3.9'", "true"),
        ("python_version < '3.10'", "false"),
        ("python_version <= '3.10'", "true"),
        ("python_version == '3.10'", "true"),
        ("python_version == '3.*'", "true"),
        ("python_version != '3.10.*'", "false"),
        ("python_version == '3.10.0.*'", "true"),
        ("'3.8' < python_version", "true"),
        ("python_version in '3.9 3.10'", "true"),
        ("python_version in '3.9 3.9.1 3.10'", "true"),
        ("python_version not in '3.9 3.10.1'", "true"),
        ("python_version ~= '3.8'", "true"),
        ("python_version ~= '3.0'", "true"),
        ("python_version > '3.10.2'", "false"),
        ("python_version < '3.10.2'", "true"),
        ("implementation_version >= '3.10'", "true"),
    ] {
        check(text, expected);
    }
}

#[test]
fn full_version_may_divide_the_span() {
    check("python_full_version < '3.10.8'", "divided at 3.10.8");
    check("python_full_version <= '3.10.8'", "divided at 3.10.9");
    check("python_full_version == '3.10.8'", "divided at 3.10.8, 3.10.9");
    check("python_full_version != '3.10.8' and python_full_version < '3.11'", "divided at 3.10.8, 3.10.9");
    check("python_full_version ~= '3.10.2'", "divided at 3.10.2");
    check("python_full_version >= '3.10.0'", "true");
    check("python_full_version > '3.10.0a7'", "true");
    check("python_full_version == '3.10.0a7'", "false");
    check("python_full_version < '3.11.0a7'", "true");
    check("implementation_version < '3.10.8' or python_full_version >= '3.10.8'", "true");
    check("python_full_version < '3.10.8' and sys_platform == 'win32'", "false");
    for (at_least, below, expected) in [
        ("3.10.0", Some("3.10.9"), "true"),
        ("3.10.9", Some("3.11"), "false"),
        ("3.10.8", None, "true"),
        ("3.10.9", None, "false"),
    ] {
        let part = environment("linux", at_least, below);
        assert_eq!(evaluate("python_full_version <= '3.10.8'", &part), expected, "{at_least} {below:?}");
    }
    assert_eq!(evaluate("python_version >= '3.15'", &environment("linux", "3.15.0rc1", None)), "true");
}

#[test]
fn what_is_unknown_may_hold() {
    check("platform_release >= '20.0'", "true");
    check("platform_release >= '20.0' and sys_platform == 'darwin'", "false");
    // As text, nothing is above `9` and below `10`.
    check("platform_release >= '9' and platform_release < '10'", "true");
    check("'WSL' in platform_release or 'WSL' not in platform_release", "true");
    check("platform_version == 'a' and python_full_version < '3.10.8'", "divided at 3.10.8");
    let known = MarkerEnvironment { platform_release: Some("6.1-WSL".to_owned()), ..linux() };
    assert_eq!(evaluate("'WSL' in platform_release", &known), "true");
    assert_eq!(evaluate("'WSL' not in platform_release", &known), "false");
    // A value may begin like an operator.
    assert_eq!(evaluate("platform_release != '>>C'", &known), "true");
    assert_eq!(evaluate("platform_release == '=C'", &known), "false");
    // Nor is one such comparison decided by another: who reads versions finds one between these two.
    check("platform_version >= '9' and platform_version < '10'", "true");
    check("platform_version >= '9' and platform_version < '10' and sys_platform == 'win32'", "false");
    let pypy = MarkerEnvironment { implementation_name: "pypy".to_owned(), ..linux() };
    assert_eq!(evaluate("implementation_version >= '7.3'", &pypy), "true");
}

#[test]
fn texts_have_no_order() {
    // As texts, `linux` is below `win32` and above `darwin`.
    for (sign, same, other) in
        [("<", "false", "false"), (">", "false", "false"), ("<=", "true", "false"), (">=", "true", "false")]
    {
        check(&format!("sys_platform {sign} 'linux'"), same);
        check(&format!("'linux' {sign} sys_platform"), same);
        for value in ["win32", "darwin", "linux2", ""] {
            check(&format!("sys_platform {sign} '{value}'"), other);
            check(&format!("'{value}' {sign} sys_platform"), other);
        }
    }
    let marker: Marker = "os_name >= 'nt'".parse().unwrap();
    assert_eq!(marker.to_string(), "os_name >= 'nt'");
    check("sys_platform < 'win32' or os_name == 'posix'", "true");
}

#[test]
fn releases_are_ordered_by_versions_only() {
    let evaluate = |text: &str, release: &str| {
        let known = MarkerEnvironment { platform_release: Some(release.to_owned()), ..linux() };
        let truth = evaluate(text, &known);
        // A kernel's version means the same.
        let known = MarkerEnvironment { platform_version: Some(release.to_owned()), ..linux() };
        assert_eq!(self::evaluate(&text.replace("platform_release", "platform_version"), &known), truth, "{text}");
        truth
    };
    for (text, release, expected) in [
        ("platform_release >= '9'", "10.0", "true"),
        ("'9' <= platform_release", "10.0", "true"),
        ("platform_release ~= '6.1'", "6.9", "true"),
        ("platform_release ~= '6.1'", "7", "false"),
        ("platform_release == '6.*'", "6.1", "true"),
        ("platform_release >= '9'", "10.0-amd64", "false"),
        ("platform_release < '9'", "10.0-amd64", "false"),
        ("platform_release != '9'", "10.0-amd64", "true"),
        ("platform_release == '10.0-amd64'", "10.0-amd64", "true"),
        ("platform_release == '6,<7'", "6", "false"),
    ] {
        assert_eq!(evaluate(text, release), expected, "{text} of {release}");
    }
    for text in [
        "platform_release >= 'old'",
        "'old' > platform_release",
        "platform_release < ''",
        "platform_release ~= '6'",
        "platform_release >= '6.*'",
        "platform_release > '6,7'",
        "platform_release > '=6'",
        "'6.1' ~= platform_release",
        "platform_version > '=6'",
    ] {
        refuse(text);
    }
}

#[test]
fn spelling_is_one_and_round_trips() {
    for (text, expected) in [
        (" ( os_name==\"nt\"and(extra == 'A_b') )", "(os_name == 'nt' and (extra == 'a-b'))"),
        ("python_version ~= '3.0' or 'x' in sys.platform", "python_version ~= '3.0' or 'x' in sys_platform"),
        ("'3.8' <= python_version", "python_version >= '3.8'"),
        ("python_version not  in '3.7 3.8.1'", "python_version not in '3.7 3.8.1'"),
        ("python_full_version > '3.11.0a7'", "python_full_version > '3.11.0a7'"),
    ] {
        let marker: Marker = text.parse().unwrap();
        assert_eq!(marker.to_string(), expected);
        assert_eq!(expected.parse::<Marker>().unwrap(), marker);
    }
    assert!(Marker::always().is_always());
    assert_eq!(Marker::always().to_string(), "");
    let same = ["os_name == 'a' or os_name == 'b'", "os_name=='b' or (os_name=='a')"]
        .map(|text| text.parse::<Marker>().unwrap());
    assert_eq!(same[0], same[1]);
}

fn refuse(text: &str) -> RequirementError {
    match text.parse::<Marker>() {
        Ok(marker) => panic!("{text} was read as {marker}"),
        Err(error) => error,
    }
}

/// Each of these makes `pep508_rs` drop the comparison, so that a dependency holds everywhere, or fail.
#[test]
fn no_comparison_is_dropped() {
    for text in [
        "python_version >= '3.7.*'",
        "python_version ~= '3'",
        "'a' == 'b'",
        "extra in 'x y'",
        "extra > 'x'",
        "extra == ''",
        "extra == 'a b'",
        "os_name == sys_platform",
        "extra == os_name",
        "python_version == python_full_version",
        "python_version > 'abc'",
        "python_version in '2.7, 3.3'",
        "python_version in ''",
        "'3' in python_version",
        "'3.7.*' == python_version",
        "'3.7' ~= python_version",
        "os_name ~= 'x'",
        "os_name === 'x'",
        "'x' in extras",
        "'g' in dependency_groups",
        "python_full_version == '3.10.1+x'",
        "python_full_version == '1!3.10.1'",
        "python_full_version > '3.10.post1'",
        "foo == 'x'",
        "os_name = 'x'",
        "os_name not 'x'",
        "os_name == 'x",
        "(os_name == 'x'",
        "os_name == 'x')",
        "os_name == 'x' sys_platform == 'y'",
        "os_name == 'x' and",
        "",
        "os_name",
    ] {
        refuse(text);
    }
}

/// `os_name == "a'b"` is printed as `'a'b'` by `pep508_rs`: an injection into whatever is written from it.
#[test]
fn quotes_and_foreign_characters_are_refused() {
    for text in [
        "os_name == \"a'b\"",
        "os_name == 'a\"b'",
        "os_name == 'a\\b'",
        "os_name == 'x' andé",
        "os_name == 'é'",
        "os_name == 'a\nb'",
    ] {
        refuse(text);
    }
    assert_eq!(refuse("os_name == 'x' andé").position, 18);
}

/// With overflow checks `pep508_rs` panics here while it holds its lock, and every later marker panics too.
#[test]
fn nothing_poisons_the_interner() {
    // An operator that begins in the value would be another operator.
    for text in
        ["python_version > '= 3'", "python_version =='=3'", "python_version in '3.7 =3.8'", "'=3' < python_version"]
    {
        refuse(text);
    }
    refuse("python_version > '3.18446744073709551615'");
    refuse("python_version == '3.9999999999999999'");
    for text in [
        "python_version > '3.999999999999999'",
        "python_version ~= '3.0'",
        "python_version ~= '0.0'",
        "python_full_version ~= '3.10.0'",
    ] {
        let _ = text.parse::<Marker>();
    }
    check("os_name == 'posix'", "true");
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| format!("{}os_name == 'posix'{}", "(".repeat(depth), ")".repeat(depth));
    check(&nested(Limits::MARKER_DEPTH), "true");
    assert_eq!(refuse(&nested(Limits::MARKER_DEPTH + 1)).kind, RequirementErrorKind::Limit);
    assert_eq!(refuse(&"(".repeat(4000)).kind, RequirementErrorKind::Limit);
    assert_eq!(refuse(&"(".repeat(50_000)).kind, RequirementErrorKind::Limit);
}

#[test]
fn number_of_comparisons_is_bounded() {
    let chain = |count: usize| vec!["os_name == 'a'"; count].join(" or ");
    check(&chain(Limits::MARKER_CLAUSES), "false");
    assert_eq!(refuse(&chain(Limits::MARKER_CLAUSES + 1)).kind, RequirementErrorKind::Limit);
    assert_eq!(refuse(&chain(100_000)).kind, RequirementErrorKind::Limit);
    let list = |count: usize| format!("python_version in '{}'", vec!["3.9"; count].join(" "));
    check(&list(Limits::MARKER_CLAUSES), "false");
    assert_eq!(refuse(&list(Limits::MARKER_CLAUSES + 1)).kind, RequirementErrorKind::Limit);
    let text = |count: usize| vec!["'x' in platform_version"; count].join(" or ");
    check(&text(Limits::MARKER_TEXT_CLAUSES), "true");
    assert_eq!(refuse(&text(Limits::MARKER_TEXT_CLAUSES + 1)).kind, RequirementErrorKind::Limit);
}

/// Pairs of independent variables double the decision diagram with each pair.
#[test]
fn entangled_markers_are_refused_before_their_diagrams_are_made() {
    let text = |count: usize| {
        let pair = |n| format!("('a{n}' in platform_version and 'b{n}' in platform_release)");
        (0..count).map(pair).collect::<Vec<_>>().join(" or ")
    };
    let extras = |count: usize| {
        let pair = |n| format!("(extra == 'a{n:02}' and extra == 'b{n:02}')");
        (0..count).map(pair).collect::<Vec<_>>().join(" or ")
    };
    let deep = (0..20).fold("os_name == 'a'".to_owned(), |inner, n| {
        format!("(({inner}) and (extra == 'a{n:02}' or extra == 'b{n:02}')) or (extra == 'c{n:02}' and sys_platform == 'p{n}')")
    });
    check(&text(6), "true");
    check(&extras(8), "false");
    // Those that are read have no more nodes than was estimated, and than the limit allows.
    for read in [text(6), extras(8)] {
        let (marker, estimate) = Marker::read(&read, 0, None).unwrap();
        let nodes = nodes(&marker.tree);
        assert!(nodes > 50 && nodes <= estimate && estimate <= Limits::MARKER_NODES, "{nodes} of {estimate}");
    }
    // What refuses the others is the gate, by that estimate.
    for hostile in [text(18), extras(9), extras(32), deep] {
        assert_eq!(refuse(&hostile).kind, RequirementErrorKind::Limit);
        assert_eq!(gate::gate(&hostile, 0, None).unwrap_err().kind, RequirementErrorKind::Limit);
    }
}

/// Returns how many different nodes a decision diagram has.
fn nodes(tree: &MarkerTree) -> usize {
    let (mut seen, mut pending) = (std::collections::HashSet::new(), vec![tree.clone()]);
    while let Some(tree) = pending.pop() {
        if !seen.insert(tree.clone()) {
            continue;
        }
        match tree.kind() {
            MarkerTreeKind::True | MarkerTreeKind::False => {}
            MarkerTreeKind::Version(node) => pending.extend(node.edges().map(|(_, child)| child)),
            MarkerTreeKind::String(node) => pending.extend(node.children().map(|(_, child)| child)),
            MarkerTreeKind::In(node) => pending.extend(node.children().map(|(_, child)| child)),
            MarkerTreeKind::Contains(node) => pending.extend(node.children().map(|(_, child)| child)),
            MarkerTreeKind::Extra(node) => pending.extend(node.children().map(|(_, child)| child)),
        }
    }
    seen.len()
}

#[test]
fn real_markers_are_far_from_the_limits() {
    let machines = ["aarch64", "ppc64le", "x86_64", "amd64", "AMD64", "win32", "WIN32"];
    let nested = machines
        .iter()
        .fold("extra == 'z'".to_owned(), |inner, machine| format!("(platform_machine == '{machine}' or {inner})"));
    check(&format!("python_version < '3.14' and {nested}"), "true");
    let extras = (0..40).map(|n| format!("extra == 'e{n}'")).collect::<Vec<_>>().join(" or ");
    check(&format!("python_version >= '3.8' and python_version < '4.0' and ({extras})"), "false");
    let minors = (6..16)
        .map(|n| format!("(python_version >= '3.{n}' and python_version < '3.{}' and sys_platform == 'linux')", n + 1));
    check(&minors.collect::<Vec<_>>().join(" or "), "true");
}

#[test]
fn errors_point_at_the_place() {
    for (text, at, part) in [
        ("os_name == 'x' and foo == 'y'", 19, "foo"),
        ("os_name == 'x' xor os_name == 'y'", 15, "xor"),
        ("extra in 'x y'", 0, "extra in 'x y'"),
        ("os_name = 'x'", 8, "="),
    ] {
        let error = refuse(text);
        assert_eq!((error.position, &text[error.position..error.position + error.length]), (at, part), "{text}");
    }
}

fn comparisons() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "python_version >= '3.10'",
        "python_full_version < '3.10.8'",
        "python_full_version == '3.10.4'",
        "sys_platform == 'linux'",
        "sys_platform != 'linux'",
        "'x' in platform_release",
        "'x' not in platform_release",
        "extra == 'gpu'",
        "extra == 'cpu'",
        "os_name >= 'posix'",
        "python_full_version ~= '3.10.2'",
    ])
    .prop_map(str::to_owned)
}

fn markers() -> impl Strategy<Value = String> {
    comparisons().prop_recursive(4, 24, 4, |inner| {
        (prop::collection::vec(inner, 2..4), any::<bool>())
            .prop_map(|(parts, and)| format!("({})", parts.join(if and { " and " } else { " or " })))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// A span's answer is the answer for each interpreter in it.
    #[test]
    fn a_span_agrees_with_its_interpreters(text in markers()) {
        let marker: Marker = text.parse().unwrap();
        let truth = |at_least: &str, below| marker.evaluate(&environment("linux", at_least, below), &BTreeSet::new());
        let whole = truth("3.10.0", Some("3.11"));
        let each: Vec<bool> = (0..12).map(|micro| truth(&format!("3.10.{micro}"), None) == MarkerTruth::True).collect();
        let expected: BTreeSet<Version> = (1..12usize)
            .filter(|micro| each[*micro] != each[micro - 1])
            .map(|micro| Version::from_release([3, 10, micro as u64]))
            .collect();
        match whole {
            MarkerTruth::Divided(cuts) => prop_assert_eq!(cuts, expected),
            whole => {
                prop_assert!(expected.is_empty());
                prop_assert_eq!(whole == MarkerTruth::True, each[0]);
            }
        }
        prop_assert_eq!(marker.to_string().parse::<Marker>().unwrap(), marker);
    }

    #[test]
    fn no_text_panics(text in "[ -~é]{0,60}", words in prop::collection::vec(prop::sample::select(vec![
        "os_name", "extra", "python_version", "==", "~=", "in", "not in", "'3.0'", "'x'", "and", "or", "(", ")", "é", "'3.7.1'", ">",
    ]), 0..12)) {
        let _ = text.parse::<Marker>();
        let _ = words.join(" ").parse::<Marker>();
    }
}
