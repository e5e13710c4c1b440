//! References that people write, and those that are refused with the place that is wrong.

use super::parse;

fn check(text: &str, expected: &str) {
    let shown = match parse(text, "sub") {
        Ok(requested) => requested.to_string(),
        Err(error) => {
            let carets = format!("{}{}", " ".repeat(error.position), "^".repeat(error.length));
            format!("{text}\n{carets} {}", error.reason)
        }
    };
    assert_eq!(shown, expected);
}

#[test]
fn reads_files_by_url() {
    check("a @ https://h.example/a-1-py3-none-any.whl", "a @ https://h.example/a-1-py3-none-any.whl");
    check(
        "A[X,y]@https://h.example/a.zip ;python_version<'3.9'",
        "a[x,y] @ https://h.example/a.zip ; python_version < '3.9'",
    );
    let digest = "ab".repeat(32);
    check(
        &format!("a @ https://h.example/a.tar.gz#egg=b&subdirectory=x/y/&sha256={digest}"),
        &format!("a @ https://h.example/a.tar.gz#sha256={digest}&subdirectory=x/y"),
    );
    check("https://h.example/f/A_b-1-py3-none-any.whl", "a-b @ https://h.example/f/A_b-1-py3-none-any.whl");
}

#[test]
fn reads_paths() {
    check("a @ ./w/a.whl", "a @ ./sub/w/a.whl");
    check("a @ ../lib", "a @ ./lib");
    check("a @ ../../lib#subdirectory=x", "a @ ../lib#subdirectory=x");
    check("a @ .", "a @ ./sub");
    check("a @ /opt/a.zip", "a @ /opt/a.zip");
    check("a @ file:///opt/my%20files/a.zip", "a @ /opt/my files/a.zip");
    check("a @ w\\a.whl", "a @ ./sub/w/a.whl");
    check(
        "./w/A_b-1-py3-none-any.whl[x] ; os_name == 'nt'",
        "a-b[x] @ ./sub/w/A_b-1-py3-none-any.whl ; os_name == 'nt'",
    );
    check("a-1-py3-none-any.whl", "a @ ./sub/a-1-py3-none-any.whl");
}

#[test]
fn reads_repositories() {
    check("a @ git+https://h.example/o/a.git@v1.0", "a @ git+https://h.example/o/a.git@v1.0");
    check("a @ git+ssh://git@h.example/o/a", "a @ git+ssh://git@h.example/o/a");
    check("a@git+file:///srv/a@feature/x#subdirectory=p&egg=a", "a @ git+file:///srv/a@feature/x#subdirectory=p");
}

#[test]
fn what_is_wrong_is_pointed_at() {
    check(
        "a @ git+https://h.example/a@-x",
        "a @ git+https://h.example/a@-x\n    ^^^^^^^^^^^^^^^^^^^^^^^^^^ `-x` is no branch, tag or commit: git would take it for an option",
    );
    check(
        "a @ ../x.zip#md5=00",
        "a @ ../x.zip#md5=00\n             ^^^^^^ `md5` is no SHA-256; other hashes are not looked at",
    );
    check(
        "a @ ../x ; pyton_version < '3'",
        "a @ ../x ; pyton_version < '3'\n           ^^^^^^^^^^^^^ `pyton_version` is no marker variable",
    );
    check(
        "a @ git+ssh://git@h.example:o/a.git",
        "a @ git+ssh://git@h.example:o/a.git\n    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ this is no URL of a repository: write \
         git+ssh://git@host/path, with `/` and not `:` before the path",
    );
    check("a @ x", "a @ x\n    ^ expected a URL, or a path such as `./x`");
    check("a @", "a @\n   ^ expected a URL or a path after `@`");
    check("./dir", "./dir\n^^^^^ only a wheel tells the project's name by itself; write `name @ …`");
    check(
        "a @ https://h.example/a.whl?X-Amz-Signature=5",
        "a @ https://h.example/a.whl?X-Amz-Signature=5\n    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ `X-Amz-Signature` in the URL's query looks like a \
         credential, and a lock must not hold one",
    );
}

#[test]
fn a_marker_begins_behind_a_blank() {
    let reason = "put a blank before `;`, as PEP 508 asks: without one it belongs to the URL";
    for (head, tail) in [
        ("a @ https://h.example/a-1-py3-none-any.whl", ";sys_platform=='linux'"),
        ("a @ https://h.example/a-1-py3-none-any.whl", ";(os_name=='nt')"),
        ("a @ https://h.example/a-1.zip#subdirectory=x", ";'3.9'<python_version"),
        ("a @ ./a-1-py3-none-any.whl", ";python_version<'3.9'"),
        ("a @ git+https://h.example/a@v1", "; os_name == 'nt'"),
    ] {
        check(&format!("{head}{tail}"), &format!("{head}{tail}\n{}^ {reason}", " ".repeat(head.len())));
    }
    // In a URL it may mean something else.
    check("a @ https://h.example/x;v=1/a-1.zip", "a @ https://h.example/x;v=1/a-1.zip");
}

#[test]
fn a_url_names_a_file_of_the_project() {
    for (url, reason) in [
        ("https:/h.example/a.zip", "a URL has `//` between its scheme and its host, as in `https://host/path`"),
        ("HTTPS:h.example/a.zip", "a URL has `//` between its scheme and its host, as in `https://host/path`"),
        ("https://h.example/", "the URL must end in the name of a wheel or sdist"),
        (
            "https://h.example/a.txt",
            "`a.txt` is neither a wheel nor an sdist: a file that is required by URL ends in .whl, .tar.gz or .zip",
        ),
        ("https://h.example/a.whl", "`a.whl` has 1 fields between hyphens; a wheel has 5, or 6 with a build tag"),
        (
            "https://h.example/b-1-py3-none-any.whl",
            "`b-1-py3-none-any.whl` is no wheel of `a`; write `b @ …`, or the URL of the other wheel",
        ),
    ] {
        let (carets, text) = ("^".repeat(url.len()), format!("a @ {url}"));
        check(&text, &format!("{text}\n    {carets} {reason}"));
    }
    check(
        "a @ https://h.example/a.txt#sha256=00",
        "a @ https://h.example/a.txt#sha256=00\n                            ^^^^^^^^^ a SHA-256 digest has 64 hexadecimal digits, this has 2",
    );
}

#[test]
fn what_cannot_be_locked_is_refused() {
    for text in [
        "a @ hg+https://h.example/a",
        "a @ git+ext::sh%20-c%20x",
        "a @ git+git@h.example:o/a.git",
        "a @ git@h.example:o/a.git",
        "a @ git+http://h.example/a",
        "a @ http://h.example/a.whl",
        "http://h.example/a-1-py3-none-any.whl",
        "a @ git+ssh://-oProxyCommand=x/y",
        "a @ git+https://me:secret@h.example/a",
        "a @ https://me:secret@h.example/a.whl",
        "a @ ftp://h.example/a.whl",
        "a @ file:a.whl",
        "a @ file://h.example/a.whl",
        "a @ ~/a",
        "a @ git+https://h.example/a#sha256=00",
        "a @ ./a#subdirectory=../x",
        "a @ ./a#x",
        "a @ ./a;",
        "a @ ${HOME}/a",
        "git+https://h.example/a#egg=a",
        "a==1 @ ./a",
        "https://h.example/a.zip",
    ] {
        let error = parse(text, "").expect_err(text);
        assert!(error.position + error.length <= text.len() + 1, "{text}");
        assert!(!error.reason.contains("secret"), "{text}");
    }
}

#[test]
fn plain_requirements_are_left_alone() {
    for text in ["a", "a>=1,<2", "a[x]==1.*; sys_platform == 'win32'", "a.b-c"] {
        let requested = parse(text, "").unwrap();
        assert!(requested.reference.is_none(), "{text}");
    }
    check("a == 1 @ 2", "a == 1 @ 2\n  ^^^^^^^^ `1 @ 2` is no version");
}

#[test]
fn a_reference_stands_alone() {
    let reason = "expected `;` or the end after what the requirement names";
    for (text, rest) in [
        ("a @ ./x @ https://h.example/a-1.tar.gz", "@ https://h.example/a-1.tar.gz"),
        ("a @ ./x >=1", ">=1"),
        ("a @ ./x [extra]", "[extra]"),
        ("a @ ./x,>=1 , <2", ", <2"),
    ] {
        let blanks = " ".repeat(text.len() - rest.len());
        check(text, &format!("{text}\n{blanks}{} {reason}", "^".repeat(rest.len())));
    }
    check(
        "a @ ./x; os_name == 'nt'",
        "a @ ./x; os_name == 'nt'\n       ^ put a blank before `;`, as PEP 508 asks: without one it belongs to the URL",
    );
}

/// Whatever is written, the answer is a value or an error whose place is in the text, and what is read prints as it reads.
#[test]
fn any_text_has_an_answer() {
    const PIECES: [&str; 34] = [
        "a",
        "@",
        " ",
        "git+",
        "https://",
        "ssh://",
        "file:///",
        "h.example",
        "/",
        "..",
        ".",
        "#",
        "sha256=",
        "subdirectory=",
        "egg=",
        "&",
        ";",
        "os_name == 'nt'",
        "[x]",
        "-",
        "ä",
        "\u{1b}",
        "a-1-py3-none-any.whl",
        ".zip",
        "%41",
        "%",
        ":",
        "~",
        "\\",
        "${X}",
        "?token=1",
        "ab12",
        "C:",
        "=",
    ];
    let mut state: u64 = 7;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    let mut read = 0;
    for _ in 0..200_000 {
        let length = 1 + next(9);
        let text: String = (0..length).map(|_| PIECES[next(PIECES.len())]).collect();
        match parse(&text, "d") {
            Ok(requested) => {
                read += 1;
                let printed = requested.to_string();
                let again =
                    parse(&printed, "").unwrap_or_else(|error| panic!("{text:?} -> {printed:?}: {}", error.reason));
                let without_egg = requested.reference.map(|reference| super::Reference { has_egg: false, ..reference });
                assert_eq!(again.reference, without_egg, "{text:?} -> {printed:?}");
            }
            Err(error) => assert!(error.position <= text.len() && error.length >= 1, "{text:?}: {error:?}"),
        }
    }
    assert!(read > 500, "{read}");
}

#[test]
fn a_file_url_is_a_path_in_any_spelling() {
    check("a @ file:///x/y", "a @ /x/y");
    assert!(parse("a @ File:///x/y", "").is_err() && parse("a @ FILE:///x/a-1-py3-none-any.whl", "").is_err());
}
