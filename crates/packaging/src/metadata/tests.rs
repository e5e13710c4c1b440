//! Real METADATA in miniature, and METADATA that means one thing to one parser and another to the next.

use proptest::prelude::*;

use super::*;

const HEAD: &str = "Metadata-Version: 2.1\nName: Foo.Bar\nVersion: 1.0\n";

fn read(fields: &str) -> Result<Metadata, MetadataError> {
    Metadata::parse(format!("{HEAD}{fields}").as_bytes())
}

fn requirements(metadata: &Metadata) -> Vec<String> {
    metadata.requires_dist.iter().map(Requirement::to_string).collect()
}

#[test]
fn reads_what_a_resolution_needs() {
    let metadata = read(
        "Summary: a: b\nAuthor: \u{e9}\nRequires-Python: >=3.8, <4\nREQUIRES-DIST: numpy (>=1.0)\n\
         Requires-Dist: torch==2.1.0 ;\n   extra == 'gpu'\nProvides-Extra: GPU\nClassifier: x\n\nRequires-Dist: evil\n",
    )
    .unwrap();
    assert_eq!(metadata.name.as_str(), "foo-bar");
    assert_eq!(metadata.version.to_string(), "1.0");
    assert_eq!(metadata.requires_python.as_ref().unwrap().to_string(), ">=3.8,<4");
    assert_eq!(requirements(&metadata), ["numpy>=1.0", "torch==2.1.0; extra == 'gpu'"]);
    assert_eq!(metadata.provides_extras, ["gpu".parse().unwrap()].into());
    assert_eq!(metadata.metadata_version, (2, 1));
    assert_eq!(metadata.repairs, []);
}

#[test]
fn what_was_kept_is_read_without_what_only_an_extra_needs_until_that_is_asked_for() {
    let fields = "Requires-Dist: a\nRequires-Dist: b; extra == 'x'\nRequires-Dist: c; extra == 'x' or os_name == 'nt'\n\
                  Requires-Dist: d ;\n  extra == 'y'\nRequires-Dist: e; extra != 'x'\nProvides-Extra: x\nProvides-Extra: y\n";
    let headers = format!("{HEAD}{fields}");
    let whole = Metadata::parse(headers.as_bytes()).unwrap();
    let kept = Metadata::parse_kept(&whole.kept(&headers).into()).unwrap();
    assert_eq!(requirements(&kept), ["a", "c; extra == 'x' or os_name == 'nt'", "e; extra != 'x'"]);
    assert!(kept.provides_extras.is_empty(), "nobody has asked");
    assert_eq!(kept.whole(), Ok(&whole));
    // Nothing is left out, so nothing is read twice; and where something was broken, that has to be told.
    for fields in ["Requires-Dist: a\n", "Requires-Dist: b>=3.6.*; extra == 'x'\nProvides-Extra: x\n"] {
        let headers = format!("{HEAD}{fields}");
        let whole = Metadata::parse(headers.as_bytes()).unwrap();
        let kept = Metadata::parse_kept(&whole.kept(&headers).into()).unwrap();
        assert_eq!((&kept, kept.whole()), (&whole, Ok(&whole)));
    }
}

#[test]
fn reads_every_line_ending_and_a_byte_order_mark() {
    for text in [
        "\u{feff}Metadata-Version: 1.1\r\nName: a\r\nVersion: 1\r\nRequires-Dist: b\r\n\r\nx",
        "Metadata-Version: 1.1\rName: a\rVersion: 1\rRequires-Dist: b",
    ] {
        assert_eq!(requirements(&Metadata::parse(text.as_bytes()).unwrap()), ["b"]);
    }
    let hidden = read("Summary: x\rRequires-Dist: b\n").unwrap();
    assert_eq!(requirements(&hidden), ["b"], "Python ends a line at a lone carriage return");
}

#[test]
fn dynamic_fields_decide_whether_an_sdist_can_be_believed() {
    for (format, dynamic, expected) in [
        ("2.1", "", false),
        ("2.2", "", true),
        ("2.4", "Dynamic: License-File\n", true),
        ("2.2", "Dynamic: Requires-Dist\n", false),
        ("2.3", "dynamic: REQUIRES-PYTHON\n", false),
        ("2.10", "Dynamic: provides-extra\n", false),
    ] {
        let text = format!("Metadata-Version: {format}\nName: a\nVersion: 1\n{dynamic}");
        assert_eq!(Metadata::parse(text.as_bytes()).unwrap().is_static(), expected, "{text}");
    }
}

#[test]
fn a_wheel_may_not_contradict_its_sdist() {
    let with = |fields: &str| read(fields).unwrap();
    let promised =
        with("Requires-Dist: a>=1,<2\nRequires-Dist: b; extra == 'x'\nRequires-Python: >=3.8\nProvides-Extra: x\n");
    // Order and spelling do not matter, and fields that no resolution looks at do not either.
    let same = "Summary: s\nProvides-Extra: X\nRequires-Python: >=3.8\nRequires-Dist: B; extra == \"x\"\nRequires-Dist: a (<2,>=1)\n";
    assert_eq!(promised.contradicted_by(&with(same)), None);
    let check = |fields: &str, field: &str, only_promised: &[&str], only_built: &[&str]| {
        let found = promised.contradicted_by(&with(fields)).expect("it contradicts");
        assert_eq!(
            (found.field, &found.promised[..], &found.built[..]),
            (field, &strings(only_promised)[..], &strings(only_built)[..])
        );
    };
    check(&same.replace("<2", "<3"), "Requires-Dist", &["a>=1,<2"], &["a>=1,<3"]);
    check(&same.replace("Provides-Extra: X\n", ""), "Provides-Extra", &["x"], &[]);
    check(&same.replace("Requires-Python: >=3.8\n", ""), "Requires-Python", &[">=3.8"], &[]);
    check(&format!("{same}Requires-Dist: c\n"), "Requires-Dist", &[], &["c"]);
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn missing_and_unreadable_fields() {
    let error = |text: &str| Metadata::parse(text.as_bytes()).unwrap_err().to_string();
    insta::assert_snapshot!(error(""), @"METADATA has no field `Metadata-Version`");
    insta::assert_snapshot!(error("Metadata-Version: 2.1\nName: a\n\nVersion: 1"), @"METADATA has no field `Version`");
    insta::assert_snapshot!(error("Metadata-Version: 3.0\nName: a\nVersion: 1"), @"METADATA has the Metadata-Version `3.0`; 1.x and 2.x are read");
    insta::assert_snapshot!(error("Metadata-Version: 2.1\nName: a\nVersion: dev"), @"METADATA has an unreadable `Version`");
    insta::assert_snapshot!(read("Requires-Dist: a==b\n").unwrap_err(), @"METADATA has the unreadable requirement `a==b`");
    insta::assert_snapshot!(read("Requires-Python: 3\n").unwrap_err(), @"METADATA has an unreadable `Requires-Python`");
}

#[test]
fn two_parsers_must_not_read_two_things() {
    let error = read("Name: other\n").unwrap_err();
    insta::assert_snapshot!(error, @"METADATA has the field `Name` twice, as `Foo.Bar` and as `other`");
    assert_eq!(error.refusal_code(), Some("ambiguous-metadata"));
    assert!(read("Name: Foo.Bar\n").is_ok());
    assert!(read("Version: 2\n").is_err());
    let error = read("no field here\nRequires-Dist: a\n").unwrap_err();
    assert_eq!(error.refusal_code(), Some("ambiguous-metadata"));
    assert!(read(" folded: into the version\n").is_err(), "the version is `1.0 folded…`");
    let stray = read("Requires-Dist: a\nThe description begins without a blank line\nLicence: x\n\nRequires-Dist: b\n")
        .unwrap();
    assert_eq!(requirements(&stray), ["a"]);
}

#[test]
fn look_alike_names_are_refused() {
    for text in ["Requires-Dist: nump\u{443}\n", "Requires-Dist: a; extra == '\u{435}'\n"] {
        assert_eq!(read(text).unwrap_err().refusal_code(), Some("foreign-character"), "{text}");
    }
    let text = "Metadata-Version: 2.1\nName: nump\u{443}\nVersion: 1\n";
    assert_eq!(Metadata::parse(text.as_bytes()).unwrap_err().refusal_code(), Some("foreign-character"));
    let latin1 = [HEAD.as_bytes(), b"Author: \xe9\nRequires-Dist: a\xe9\n"].concat();
    assert_eq!(Metadata::parse(&latin1).unwrap_err().refusal_code(), Some("foreign-character"));
    let latin1 = [HEAD.as_bytes(), b"Author: \xe9\nRequires-Dist: a\n"].concat();
    assert!(Metadata::parse(&latin1).is_ok());
}

#[test]
fn repairs_are_recorded() {
    let metadata =
        read("Requires-Python: >=3.6.*\nRequires-Dist: a (>=1.0,)\nProvides-Extra: a b\nProvides-Extra: c\n").unwrap();
    assert_eq!(metadata.requires_python.as_ref().unwrap().to_string(), ">=3.6");
    assert_eq!(requirements(&metadata), ["a>=1.0"]);
    assert_eq!(metadata.provides_extras, ["c".parse().unwrap()].into());
    assert_eq!(metadata.repairs.len(), 3);
}

#[test]
fn a_marker_that_stands_often_means_the_same_each_time() {
    let fields: String = (0..200)
        .map(|n| format!("Requires-Dist: a{n}; extra == 'e{}'\nRequires-Dist: b{n}; extra == 'e{}'\n", n % 80, n % 3))
        .collect();
    let metadata = read(&fields).unwrap();
    let alone: Vec<String> = fields
        .lines()
        .map(|line| crate::Requirement::parse(line.strip_prefix("Requires-Dist: ").unwrap()).unwrap().to_string())
        .collect();
    assert_eq!(requirements(&metadata), alone);
    // A repair is told each time, and what cannot be read is refused each time.
    let broken = "Requires-Dist: a; python_version >= '3.7.*'\nRequires-Dist: b; python_version >= '3.7.*'\n";
    assert_eq!(read(broken).unwrap().repairs.len(), 2);
}

#[test]
fn resolver_blow_up_is_bounded() {
    let many = |count: usize| "Requires-Dist: a>=1; python_version >= '3.8'\n".repeat(count);
    assert!(read(&many(Limits::METADATA_REQUIREMENTS)).is_ok());
    let error = read(&many(Limits::METADATA_REQUIREMENTS + 1)).unwrap_err();
    assert_eq!(error.refusal_code(), Some("metadata-limit"));
    // What diagrams cost is counted over the lines: so many of these are made, and not one more.
    let marker = |line: usize| {
        let pair = |n| format!("(extra == 'a{line}x{n}' and extra == 'b{line}x{n}')");
        (0..8).map(pair).collect::<Vec<_>>().join(" or ")
    };
    let entangled =
        |lines: usize| (0..lines).map(|line| format!("Requires-Dist: a; {}\n", marker(line))).collect::<String>();
    let (_, nodes) = crate::Marker::read(&marker(0), 0, None).unwrap();
    let most = Limits::METADATA_MARKER_NODES / nodes;
    assert!((32..200).contains(&most), "{most}");
    assert_eq!(read(&entangled(most)).unwrap().requires_dist.len(), most);
    for lines in [most + 1, 2000] {
        assert_eq!(read(&entangled(lines)).unwrap_err().refusal_code(), Some("metadata-limit"), "{lines}");
    }
    let terms = vec!["os_name == 'x'"; 100_000].join(" or ");
    assert_eq!(read(&format!("Requires-Dist: a; {terms}\n")).unwrap_err().refusal_code(), Some("metadata-limit"));
    let huge = vec![b'x'; usize::try_from(Limits::METADATA_BYTES).unwrap() + 1];
    assert_eq!(Metadata::parse(&huge).unwrap_err().refusal_code(), Some("metadata-limit"));
}

/// A line of METADATA that is no header to one reader or another, or ends where it should not.
fn odd_line() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "Requires-Dist: a\n",
        "Requires-Dist: b; extra == 'x'\n",
        "requires-dist: c; extra == 'x'\rRequires-Dist: d\r\n",
        "Requires-Dist: e;\n extra == 'x'\n",
        "Requires-Dist: f;\r\textra == 'y'\n",
        "Requires-Dist: g>=3.6.*; extra == 'x'\n",
        "Provides-Extra: x\n",
        "Provides-Extra: x\rRequires-Dist: h; extra == 'x'\n",
        "Summary: \u{2028}text\rRequires-Dist: i\n",
        "Dynamic: \u{85}x\n",
        " continued\n",
        "no field\n",
        "\n",
        "\r",
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_kept_says_the_same_in_the_end(lines in prop::collection::vec(odd_line(), 0..8)) {
        let headers = format!("{HEAD}{}", lines.concat());
        if let Ok(whole) = Metadata::parse(headers.as_bytes()) {
            let kept = Metadata::parse_kept(&whole.kept(&headers).into()).unwrap();
            prop_assert_eq!(kept.whole(), Ok(&whole));
            let own: Vec<&Requirement> = whole.requires_dist.iter().filter(|one| !one.marker.needs_extra()).collect();
            prop_assert!(own.iter().all(|one| kept.requires_dist.contains(one)), "{:?}", kept);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "[ -~\r\n\té:]{0,120}") {
        let _ = Metadata::parse(&bytes);
        let _ = read(&text);
        let _ = read(&format!("Requires-Dist: {text}"));
    }
}
