//! What is read, what is refused, what is repaired; every trap of the crates below is a row here.

use proptest::prelude::*;

use super::*;

fn check(text: &str, expected: &str) {
    let requirement = Requirement::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(requirement.to_string(), expected, "{text}");
    assert_eq!(Requirement::parse(expected).unwrap(), requirement, "{text}");
}

fn refuse(text: &str) -> RequirementError {
    match (Requirement::parse(text), Requirement::parse_lenient(text)) {
        (Err(error), Err(_)) => error,
        (read, lenient) => panic!("{text:?} was read: {read:?}, {lenient:?}"),
    }
}

#[test]
fn reads_what_pep_508_has() {
    for (text, expected) in [
        ("torch", "torch"),
        ("Foo__Bar..baz", "foo-bar-baz"),
        (" a [ x , Y_z ] ( >= 1.0 , < 2 ) ; os_name == 'nt' ", "a[x,y-z]>=1.0,<2; os_name == 'nt'"),
        ("a[]", "a"),
        ("a==1.0.*;extra=='x'", "a==1.0.*; extra == 'x'"),
        ("torch==2.1.0+cu121", "torch==2.1.0+cu121"),
        ("a~=1.0,!=1.5", "a~=1.0,!=1.5"),
        ("a===1.0", "a===1.0"),
        ("a @ https://h.example/x.whl", "a @ https://h.example/x.whl"),
        (
            "a[x]@https://h.example/x.whl#sha256=00 ; os_name=='nt'",
            "a[x] @ https://h.example/x.whl#sha256=00 ; os_name == 'nt'",
        ),
        ("a @ https://h.example/ü;x", "a @ https://h.example/%C3%BC;x"),
        ("a\t>=1", "a>=1"),
    ] {
        check(text, expected);
    }
}

/// `pep508_rs` panics on each of these.
#[test]
fn names_that_end_in_punctuation_are_refused() {
    for text in
        ["foo->=1.0", "foo- ; os_name == 'x'", "foo_ (>=1)", "a[b-]", "foo.==1", "foo-", "foo.", "a[-b]", "a[b.,c]"]
    {
        assert_eq!(refuse(text).kind, RequirementErrorKind::Form, "{text}");
    }
}

#[test]
fn names_in_other_alphabets_are_refused() {
    for text in ["nump\u{443}", "\u{ff4e}umpy>=1", "a[\u{435}]", "a>=\u{661}", "a; os_name == '\u{435}'", "a\u{200b}"] {
        let error = refuse(text);
        assert_eq!(error.kind, RequirementErrorKind::Character, "{text}");
        assert_eq!(error.refusal_code(), Some("foreign-character"));
        assert!(text.is_char_boundary(error.position) && text.is_char_boundary(error.position + error.length));
    }
    for text in ["a\u{a0}>=1", "a >=\u{2009}1", "a; os_name == \u{2018}x\u{2019}", "a\u{2010}b"] {
        let error = refuse(text);
        assert_eq!((error.kind, error.refusal_code()), (RequirementErrorKind::Form, None), "{text}");
        assert!(!text[error.position..error.position + error.length].is_ascii(), "{text}");
    }
    for text in ["a; os_name == 'x' and\u{e9}", "a; os_name == '@\u{e9}'", "a>=1@\u{e9}", "a[@\u{e9}]"] {
        refuse(text);
    }
    assert_eq!(refuse("a\n>=1").kind, RequirementErrorKind::Character);
    assert_eq!(refuse("a @ https://h.example/\u{0}").kind, RequirementErrorKind::Character);
}

#[test]
fn urls_are_taken_literally_or_not_at_all() {
    for text in [
        "a @ https://h.example/${SECRET_TOKEN}.whl",
        // Written in ASCII, the host of this one has `${`.
        "a @ https://fKEN.~asNst2$\u{23a}{TK;Ns.0a1.~asNst2.\u{23a}xa",
        "a @ ftp://h.example/a.whl",
        "a @ https://user:secret@h.example/a.whl",
        "a @ file:../a.whl",
        // Read as `file://./`, it could not be read again.
        "a@fIle://.",
        "a @ FILE:///a.whl",
        "a @ ../a.whl",
        "a @ data:text/plain,x",
        "a @ git+https://h.example/a",
    ] {
        let error = Requirement::parse(text).unwrap_err();
        assert_eq!(error.kind, RequirementErrorKind::Url, "{text}");
        // Published metadata may have it where nobody wants it.
        let (read, repairs) = Requirement::parse_lenient(text).unwrap();
        assert!(matches!(read.url, Some(RequiredUrl::Unsafe(_))) && repairs.is_empty(), "{text}: {read:?}");
        assert!(!format!("{error} {read:?}").contains("secret"), "{error} {read:?}");
    }
    for text in ["a @", "a @ https://h.example/a.whl; os_name == 'nt'", "a @ https://h.example/a.whl >=1"] {
        refuse(text);
    }
}

#[test]
fn a_url_that_is_never_used_is_shown_without_secrets() {
    for (text, shown) in [
        ("a @ git+https://h.example/a", "git+https://h.example/a"),
        ("a @ git+ssh://me:secret@h.example:22/a@main", "git+ssh://h.example:22/a@main"),
        ("a @ ftp://me@secret@h.example?x@y", "ftp://h.example"),
        ("a @ git+https://h.example/a?token=secret#egg=a", "git+https://h.example/a"),
        ("a @ https:/me:secret@h.example/a", "https:/h.example/a"),
        ("a @ https:me:secret@h.example/a", "https:h.example/a"),
        ("a @ git+ssh:///me:secret@h.example/a", "git+ssh:///h.example/a"),
        ("a @ secret@h.example:a", "h.example:a"),
        ("a @ https://me:secret@h.example\\@x", "https://h.example\\@x"),
        ("a @ ../a\u{e9}.whl", "../a\\u{e9}.whl"),
    ] {
        let (read, _) = Requirement::parse_lenient(&format!("{text} ; extra == 'x'")).unwrap();
        assert_eq!(read.url, Some(RequiredUrl::Unsafe(shown.to_owned())), "{text}");
        assert_eq!(read.to_string(), format!("a @ {shown} ; extra == 'x'"));
    }
}

#[test]
fn what_is_not_a_requirement_is_refused_in_words() {
    let message = |text| refuse(text).to_string();
    insta::assert_snapshot!(message(""), @"a requirement must not be empty");
    insta::assert_snapshot!(message("./dir"), @"a path is no requirement; it must begin with a project's name");
    insta::assert_snapshot!(message("a-1.0.tar.gz"), @"a file name is no requirement; write `name @ https://…`, or a name and a version");
    insta::assert_snapshot!(message("https://h.example/x.whl"), @"a URL is no requirement; write `name @ https://…`, or a name and a version");
    insta::assert_snapshot!(message("a b"), @"expected a version specifier, `@`, `;` or the end");
    insta::assert_snapshot!(message("a 1.0"), @"expected a version specifier, `@`, `;` or the end");
    insta::assert_snapshot!(message("a (>=1"), @"this parenthesis is not closed");
    insta::assert_snapshot!(message("a[x"), @"this bracket is not closed");
    insta::assert_snapshot!(message("a==x"), @"`x` is no version");
    insta::assert_snapshot!(message("a (>=1) <2"), @"expected `;` or the end");
}

#[test]
fn errors_point_at_the_place() {
    for (text, part) in [
        ("a>=1, >=3.6.*", ">=3.6.*"),
        ("a[x y]", "y]"),
        ("a (>=1,=>2)", "=>2"),
        ("a>=1; python_version > 'abc'", "python_version > 'abc'"),
        ("a b>=1", "b>=1"),
        ("name @ ftp://h.example/x ; os_name == 'x'", "ftp://h.example/x"),
    ] {
        let error = Requirement::parse(text).unwrap_err();
        assert_eq!(&text[error.position..error.position + error.length], part, "{text}");
    }
}

#[test]
fn numbers_and_sizes_are_bounded() {
    refuse("a==1.18446744073709551615");
    refuse("a; python_version > '3.18446744073709551615'");
    check("a; os_name == 'x'", "a; os_name == 'x'");
    assert_eq!(refuse(&format!("a{}", " ".repeat(Limits::REQUIREMENT_BYTES))).kind, RequirementErrorKind::Limit);
    assert_eq!(refuse(&format!("a{}", ">=1,".repeat(70))).kind, RequirementErrorKind::Limit);
    assert_eq!(refuse(&format!("a; {}", "(".repeat(3000))).refusal_code(), Some("metadata-limit"));
    let grows = format!("a;python_implementation=='{}'or os.name=='x'", "x".repeat(Limits::REQUIREMENT_BYTES - 50));
    assert!(grows.len() <= Limits::REQUIREMENT_BYTES);
    assert_eq!(refuse(&grows).kind, RequirementErrorKind::Limit);
}

/// A person meant something by it; what is published so is a broken version, and no URL that somebody is led to.
#[test]
fn an_empty_url_is_wrong_in_its_own_way() {
    for text in ["a @ ", "a @ ; os_name == 'nt'"] {
        assert_eq!(Requirement::parse_lenient(text).unwrap_err().refusal_code(), None, "{text}");
    }
    assert_eq!(Requirement::parse("a @ ").unwrap_err().refusal_code(), Some("unsafe-url"));
}

#[test]
fn published_metadata_is_repaired_and_recorded() {
    for (text, expected) in [
        ("a (>=3.6.*)", "a>=3.6"),
        ("a>=1.0,", "a>=1.0"),
        ("a (>='3.7')", "a>=3.7"),
        ("a>=2.9.x", "a>=2.9"),
        ("a>=1.0+local", "a>=1.0"),
        ("a ()", "a"),
        ("a>=1;", "a>=1"),
        ("a; python_version >= '3.7.*'", "a; python_version >= '3.7'"),
        ("a; python_version ~= '3.*'", "a; python_version == '3.*'"),
        ("a; python_version in '2.7, 3.3'", "a; python_version in '2.7 3.3'"),
        ("a; os_name === 'nt'", "a; os_name == 'nt'"),
    ] {
        assert!(Requirement::parse(text).is_err(), "{text}");
        let (requirement, repairs) = Requirement::parse_lenient(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(requirement.to_string(), expected, "{text}");
        assert!(text == "a ()" || repairs.len() == 1, "{text}: {repairs:?}");
        check(expected, expected);
    }
    let (_, repairs) = Requirement::parse_lenient("a>=1,<2; os_name == 'nt'").unwrap();
    assert_eq!(repairs, []);
    for text in
        ["a===foo", "a==dev", "a==2004d", "a 1.0", "a; 'a' == 'b'", "a; os_name == sys_platform", "a; extra in 'x y'"]
    {
        refuse(text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics(
        text in "[ -~é]{0,60}",
        words in prop::collection::vec(prop::sample::select(vec![
            "a", "b-", "[", "]", "(", ")", ">=", "==", "1.0", "1.*", ",", ";", "@", "https://h.example/x", "os_name", "'x'", "é",
            " ", "and", "in", "extra", "${X}", "-", "\t", "+l", "'",
        ]), 0..14),
    ) {
        for text in [text, words.concat(), words.join(" ")] {
            for read in [Requirement::parse(&text), Requirement::parse_lenient(&text).map(|(read, _)| read)] {
                match read {
                    Ok(Requirement { url: Some(RequiredUrl::Unsafe(url)), .. }) => prop_assert!(url.is_ascii(), "{}", text),
                    Ok(read) => prop_assert_eq!(&Requirement::parse(&read.to_string()).unwrap(), &read, "{}", text),
                    Err(error) => prop_assert!(text.is_char_boundary(error.position), "{}: {:?}", text, error),
                }
            }
        }
    }
}

/// What is mended is written so that it is read again without mending.
#[test]
fn what_was_mended_in_a_marker_needs_no_mending() {
    for text in [
        "a; python_version >= '2 ===3.9'",
        "a; python_version >= '2 +lt8 ==2.9'",
        "a; python_version >= \"2+lt!=8 ==4.9.rc===17rc1\"",
    ] {
        let (requirement, repairs) = Requirement::parse_lenient(text).unwrap();
        assert!(!repairs.is_empty(), "{text}");
        let again = Requirement::parse(&requirement.to_string()).unwrap();
        assert_eq!((&again, again.to_string()), (&requirement, requirement.to_string()), "{text}");
    }
    // Several comparisons may come of one; then they count as several.
    let mended =
        |count: usize| Requirement::parse_lenient(&format!("a; python_version >= '2{}'", " >=4".repeat(count)));
    let (requirement, _) = mended(20).unwrap();
    assert_eq!(Requirement::parse(&requirement.to_string()), Ok(requirement));
    assert!(mended(Limits::MARKER_CLAUSES).unwrap_err().to_string().contains("too many comparisons"));
}
