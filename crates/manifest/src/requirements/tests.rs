//! What a requirements file may say, and what is said about the rest.

use std::collections::BTreeMap;

use super::*;

fn read(files: &[(&str, &str)]) -> Result<RequirementsFile, ManifestError> {
    let files: BTreeMap<&str, &str> = files.iter().copied().collect();
    let mut read = |path: &str| files.get(path).map(|text| (*text).into()).ok_or_else(|| "no such file".to_owned());
    read_requirements("r.txt", &mut read, &|_| None, &|name| (name == "TOKEN").then(|| "s3cr3t".to_owned()))
}

fn shown(requirements: &[Sourced<Requested>]) -> Vec<String> {
    let shown = |item: &Sourced<Requested>| format!("{}:{}:{} {}", item.file, item.line, item.column, item.value);
    requirements.iter().map(shown).collect()
}

#[track_caller]
fn check(text: &str, report: &str) {
    assert_eq!(read(&[("r.txt", text)]).unwrap_err().report(), report);
}

#[test]
fn reads_what_pip_reads() {
    let text = "\u{feff}# Fooocus\r\ntorchsde==0.2.6\r\n  einops >= 0.4.1  # comment\n\n\
                onnxruntime ==1.16.3 ; platform_system != \"Darwin\"\nnumpy [x] \\\n  == 1.23.5\n--require-hashes\n\
                a @ https://a.example/a-1-py3-none-any.whl#egg=a # not part of it\n${TOKEN}\n";
    let file = read(&[("r.txt", text)]).unwrap();
    let expected = [
        "r.txt:2:1 torchsde==0.2.6",
        "r.txt:3:3 einops>=0.4.1",
        "r.txt:5:1 onnxruntime==1.16.3; platform_system != 'Darwin'",
        "r.txt:6:1 numpy[x]==1.23.5",
        "r.txt:9:1 a @ https://a.example/a-1-py3-none-any.whl",
        "r.txt:10:1 s3cr3t",
    ];
    assert_eq!(shown(&file.requirements), expected);
    assert!(file.constraints.is_empty() && file.hashes.is_empty());
}

#[test]
fn files_are_included_relative_to_the_including_file() {
    let file = read(&[
        ("r.txt", "a\n-r sub/more.txt\n--requirement=./last.txt -c 'sub/narrow it.txt'\nz"),
        ("sub/more.txt", "b\n-r deeper/x.txt\n-r ../last.txt"),
        ("sub/deeper/x.txt", "c"),
        // The same file again says nothing new, however it is named.
        ("sub/../last.txt", "d"),
        ("last.txt", "e"),
        ("sub/narrow it.txt", "e<2\n--constraint deeper/y.txt\n-r deeper/z.txt"),
        ("sub/deeper/y.txt", "f<3"),
        ("sub/deeper/z.txt", "g"),
    ])
    .unwrap();
    let expected =
        ["r.txt:1:1 a", "sub/more.txt:1:1 b", "sub/deeper/x.txt:1:1 c", "sub/../last.txt:1:1 d", "r.txt:4:1 z"];
    assert_eq!(shown(&file.requirements), expected);
    let expected = ["sub/narrow it.txt:1:1 e<2", "sub/deeper/y.txt:1:1 f<3", "sub/deeper/z.txt:1:1 g"];
    assert_eq!(shown(&file.constraints), expected);
}

/// pip would install what is included so; a constraint never adds.
#[test]
fn what_a_constraints_file_includes_only_narrows() {
    let files = [("c.txt", "-r more.txt"), ("more.txt", "a<2\n-r most.txt"), ("most.txt", "b<3")];
    let mut find = |path: &str| {
        files.iter().find(|(name, _)| *name == path).map(|(_, text)| (*text).into()).ok_or_else(String::new)
    };
    let file = read_constraints("c.txt", &mut find, &|_| None, &|_| None).unwrap();
    assert_eq!(shown(&file.constraints), ["more.txt:1:1 a<2", "most.txt:1:1 b<3"]);
    assert!(file.requirements.is_empty());
    // A file may be both: where it is named as requirements, it adds.
    let file = read(&[("r.txt", "-c c.txt\n-r more.txt"), files[0], files[1], files[2]]).unwrap();
    assert_eq!(shown(&file.requirements), ["more.txt:1:1 a<2", "most.txt:1:1 b<3"]);
    assert_eq!(file.constraints, file.requirements);
}

#[test]
fn every_line_of_a_constraints_file_narrows() {
    let mut read = |_: &str| Ok("a<2\nb<3".into());
    let file = read_constraints("c.txt", &mut read, &|_| None, &|_| None).unwrap();
    assert_eq!(shown(&file.constraints), ["c.txt:1:1 a<2", "c.txt:2:1 b<3"]);
    assert!(file.requirements.is_empty());
    let mut read = |_: &str| Ok("a[x]<2".into());
    let error = read_constraints("c.txt", &mut read, &|_| None, &|_| None).unwrap_err();
    assert_eq!(*error.kind(), ManifestErrorKind::ConstraintExtras);
}

#[test]
fn hashes_are_kept() {
    let digest = |digit: &str| digit.repeat(64);
    let text = format!(
        "A_b==1.0 \\\n    --hash=sha256:{} \\\n    --hash sha256:{}\nc @ https://a.example/c.zip --hash='sha256:{}'\na.b==1.0 ; os_name == 'nt' --hash=sha256:{}",
        digest("1"),
        digest("A"),
        digest("3"),
        digest("4")
    );
    let file = read(&[("r.txt", &text)]).unwrap();
    let hashes: Vec<String> = file
        .hashes
        .iter()
        .map(|Sourced { value: HashDemand { name, marker, digests }, line, .. }| {
            let digests = digests.iter().map(|digest| digest.short()).collect::<Vec<_>>().join(" ");
            format!("{line} {name} [{marker}] {digests}")
        })
        .collect();
    // What one line demands, no other line allows.
    assert_eq!(
        hashes,
        ["1 a-b [] 111111111111 aaaaaaaaaaaa", "4 c [] 333333333333", "5 a-b [os_name == 'nt'] 444444444444"]
    );
}

#[test]
fn inclusion_is_bounded() {
    let start = |root: &str, text: &dyn Fn(&str) -> String| {
        let mut read = |path: &str| Ok(text(path).into_bytes());
        read_requirements(root, &mut read, &|_| None, &|_| None).map_err(|error| error.kind().clone())
    };
    let number = |path: &str| path.parse::<usize>().unwrap();
    assert_eq!(start("0", &|path| format!("-r {}", number(path) + 1)), Err(ManifestErrorKind::IncludeDepth));
    let many = (1..2_000).map(|file| format!("-r {file}\n")).collect::<String>();
    let wide = |path: &str| if path == "0" { many.clone() } else { "a".to_owned() };
    assert_eq!(start("0", &wide), Err(ManifestErrorKind::IncludeDepth));
    // Every file includes every later one: each is read once.
    let all = |path: &str| (number(path) + 1..25).map(|file| format!("-r {file}\n")).collect::<String>() + "a";
    assert_eq!(start("0", &all).map(|file| file.requirements.len()), Ok(25));
}

#[test]
fn hostile_text_ends_in_an_error_that_shows_no_secret() {
    for text in [
        "x @ https://${TOKEN}@a.example/x.whl",
        "x @ https://a.example/${TOKEN} y",
        "x @ https://a.example/${TOKEN}/x-1-py3-none-any.whl",
        "x @ ./${TOKEN}/x-1-py3-none-any.whl",
        "https://a.example/${TOKEN}/x-1-py3-none-any.whl",
        "-r ${TOKEN}/r.txt",
        "-c '${TOKEN}'",
        "-r file:///${TOKEN}/r.txt",
        "--extra-index-url=https://a.example/${TOKEN}",
        "a==${TOKEN}",
        "${TOKEN} x",
        "--index-url https://user:${TOKEN}@a.example/simple",
        "--${TOKEN}",
        "--hash=${TOKEN}:1",
        "a==1 --hash=${TOKEN}:1",
        "a==1 --hash=sha256:${TOKEN}",
        "-r https://${TOKEN}@a.example/r.txt",
    ] {
        let report = read(&[("r.txt", text)]).unwrap_err().report();
        assert!(!report.contains("s3cr3t"), "{report}");
    }
    for text in ["\u{1b}[2Jx", "a\0", "-", "--", "-é", "é", "\\", "'", "-r '", "${", "\u{2028}"] {
        if let Err(error) = read(&[("r.txt", text)]) {
            assert!(!error.report().contains('\u{1b}'), "{text:?}");
        }
    }
    let large = "#".repeat(usize::try_from(Limits::MANIFEST_BYTES).unwrap() + 1);
    assert!(matches!(read(&[("r.txt", &large)]).unwrap_err().kind(), ManifestErrorKind::TooLarge { .. }));
}

#[test]
fn a_requirement_that_cannot_be_parsed() {
    check(
        "torch = 2.1",
        "it must begin with one of `==`, `!=`, `<=`, `>=`, `<`, `>`, `~=`, `===`
 --> r.txt:1:7
  |
1 | torch = 2.1
  |       ^^^^^",
    );
    check(
        "# c
  torch>=2,<x # c",
        "`x` is no version
 --> r.txt:2:12
  |
2 |   torch>=2,<x # c
  |            ^^",
    );
    check(
        r#"a==1 \
  --hash=sha256:zz"#,
        "`z` is no hexadecimal digit
 --> r.txt:2:3
  |
2 |   --hash=sha256:zz
  |   ^^^^^^^^^^^^^^^^",
    );
    check(
        "${TOKEN} x",
        "with its variables replaced, this is no requirement that can be read
 --> r.txt:1:10
  |
1 | ${TOKEN} x
  |          ^",
    );
    check(
        r#""torch""#,
        r#"a requirement must begin with a project's name
 --> r.txt:1:1
  |
1 | "torch"
  | ^"#,
    );
    check(
        "torch,numpy",
        "it must begin with one of `==`, `!=`, `<=`, `>=`, `<`, `>`, `~=`, `===`
 --> r.txt:1:6
  |
1 | torch,numpy
  |      ^",
    );
}

#[test]
fn files_repositories_and_paths_are_read() {
    let read = |text: &str| {
        let mut file = |name: &str| match name {
            "sub/r.txt" => Ok(text.into()),
            _ => Err("missing".to_owned()),
        };
        let read = read_requirements("sub/r.txt", &mut file, &|_| None, &|_| None).unwrap();
        read.requirements.iter().map(|item| item.value.to_string()).collect::<Vec<_>>().join(" | ")
    };
    assert_eq!(
        read("./x-1-py3-none-any.whl\na @ ../lib ; os_name == 'nt'\n/w/y-2-py3-none-any.whl  # c\n"),
        "x @ ./sub/x-1-py3-none-any.whl | a @ ./lib ; os_name == 'nt' | y @ /w/y-2-py3-none-any.whl"
    );
    assert_eq!(read("x @ git+ssh://git@a.example/x@v1#egg=x"), "x @ git+ssh://git@a.example/x@v1");
    assert_eq!(
        read(&format!("x @ https://a.example/x.tar.gz --hash=sha256:{}", "ab".repeat(32))),
        "x @ https://a.example/x.tar.gz"
    );
}

#[test]
fn what_cannot_be_locked_is_refused() {
    check(
        "-e .",
        "an editable install cannot be locked: its bytes are not fixed
 --> r.txt:1:1
  |
1 | -e .
  | ^^^^
  = help: write `name @ ./directory`, which is locked as it is now and installed as a copy; lock again after a change",
    );
    check(
        "-e git+https://a.example/x#egg=x",
        "an editable install cannot be locked: its bytes are not fixed
 --> r.txt:1:1
  |
1 | -e git+https://a.example/x#egg=x
  | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  = help: write `name @ git+https://…@revision`, which is locked as the commit that it is now",
    );
    check(
        "git+https://a.example/x",
        "only a wheel tells the project's name by itself; write `name @ git+…`
 --> r.txt:1:1
  |
1 | git+https://a.example/x
  | ^^^^^^^^^^^^^^^^^^^^^^^",
    );
    check(
        "./x.whl",
        "only a wheel tells the project's name by itself; write `name @ …`
 --> r.txt:1:1
  |
1 | ./x.whl
  | ^^^^^^^",
    );
    check(
        "x @ git+https://me:secret@a.example/x",
        "a repository's URL must not carry a user name or password, but for the user of ssh (`git+ssh://git@…`)
 --> r.txt:1:5
  |
1 | x @ git+https://*********@a.example/x
  |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^",
    );
    check(
        "x @ hg+https://a.example/x",
        "hg is not supported; of repositories only git's are locked
 --> r.txt:1:5
  |
1 | x @ hg+https://a.example/x
  |     ^^^^^^^^^^^^^^^^^^^^^^",
    );
    check(
        "-r https://a.example/r.txt",
        "a requirements file on another machine cannot be locked: its bytes are not fixed
 --> r.txt:1:1
  |
1 | -r https://a.example/r.txt
  | ^^^^^^^^^^^^^^^^^^^^^^^^^^
  = help: keep a copy beside the manifest, and include that",
    );
    check(
        "dir/pkg",
        "only a wheel tells the project's name by itself; write `name @ …`
 --> r.txt:1:1
  |
1 | dir/pkg
  | ^^^^^^^",
    );
}

/// A file that a project inherits must not open another origin (dependency confusion).
#[test]
fn options_that_decide_where_packages_come_from_are_refused() {
    check(
        "-i https://u:p@a.example/simple",
        r#"`-i` would decide where packages come from; that is written in the manifest
 --> r.txt:1:1
  |
1 | -i https://***@a.example/simple
  | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  = help: write this into the manifest instead:
          [[index]]
          name = "main"
          url = "https://a.example/simple"
          default = true"#,
    );
    check(
        "--extra-index-url=https://a.example/x",
        r#"`--extra-index-url` would decide where packages come from; that is written in the manifest
 --> r.txt:1:1
  |
1 | --extra-index-url=https://a.example/x
  | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  = help: write this into the manifest instead:
          [[index]]
          name = "extra"
          url = "https://a.example/x"
          packages = ["…"]  # they come from there and from nowhere else"#,
    );
    check(
        "-f dir",
        r#"`-f` would decide where packages come from; that is written in the manifest
 --> r.txt:1:1
  |
1 | -f dir
  | ^^^^^^
  = help: write this into the manifest instead:
          [[index]]
          name = "links"
          url = "file:///…/dir"  # must be laid out as a simple index
          packages = ["…"]"#,
    );
    for (path, url) in [
        ("/opt/links", "file:///opt/links"),
        ("./more/links", "file:///…/more/links"),
        ("'C:\\links'", "file:///C:/links"),
    ] {
        let help = read(&[("r.txt", &format!("--find-links {path}"))]).unwrap_err().help().unwrap_or_default();
        assert!(help.contains(&format!("url = \"{url}\"")), "{help}");
    }
    check(
        "--no-index",
        "pip's option `--no-index` is not followed here
 --> r.txt:1:1
  |
1 | --no-index
  | ^^^^^^^^^^
  = help: leave it out; only the indexes that the manifest names are asked",
    );
    check(
        "--trusted-host a.example",
        "pip's option `--trusted-host` is not followed here
 --> r.txt:1:1
  |
1 | --trusted-host a.example
  | ^^^^^^^^^^^^^^^^^^^^^^^^
  = help: leave it out; a private certificate authority is named by SSL_CERT_FILE",
    );
}

#[test]
fn other_options_of_pip_are_answered_with_the_manifest() {
    check(
        "--pre",
        r#"pip's option `--pre` is not followed here
 --> r.txt:1:1
  |
1 | --pre
  | ^^^^^
  = help: write `prerelease = "allow"` into the manifest"#,
    );
    check(
        "--no-binary :all:",
        "pip's option `--no-binary` is not followed here
 --> r.txt:1:1
  |
1 | --no-binary :all:
  | ^^^^^^^^^^^^^^^^^
  = help: name the packages in the manifest: in `no-binary` (no wheels of theirs) and in `build` (they may be built)",
    );
    check(
        "--only-binary=:all:",
        "pip's option `--only-binary` is not followed here
 --> r.txt:1:1
  |
1 | --only-binary=:all:
  | ^^^^^^^^^^^^^^^^^^^
  = help: leave it out; only what the manifest's `build` names is built from source",
    );
    check(
        "--prefer-binary",
        "pip's option `--prefer-binary` is not followed here
 --> r.txt:1:1
  |
1 | --prefer-binary
  | ^^^^^^^^^^^^^^^
  = help: leave it out; only what the manifest's `build` names is built from source",
    );
    check(
        "--use-feature=x",
        "pip's option `--use-feature=x` is not followed here
 --> r.txt:1:1
  |
1 | --use-feature=x
  | ^^^^^^^^^^^^^^^
  = help: leave it out, or see which options a requirements file may have",
    );
    check(
        "a==1 -r x",
        "pip's option `-r` is not followed here
 --> r.txt:1:6
  |
1 | a==1 -r x
  |      ^^^^
  = help: write it on a line of its own",
    );
    check(
        "--hash=sha256:1",
        "pip's option `--hash` is not followed here
 --> r.txt:1:1
  |
1 | --hash=sha256:1
  | ^^^^^^^^^^^^^^^
  = help: write it behind the requirement that it belongs to",
    );
    check(
        "a==1 --config-settings x=y",
        "pip's option `--config-settings` is not followed here
 --> r.txt:1:6
  |
1 | a==1 --config-settings x=y
  |      ^^^^^^^^^^^^^^^^^^^^^
  = help: a build gets no options; publish a wheel that is built as you want it",
    );
    check(
        "-- x",
        "pip's option `--` is not followed here
 --> r.txt:1:1
  |
1 | -- x
  | ^^
  = help: leave it out, or see which options a requirements file may have",
    );
}

/// As pip reads them: a file has to have one of the hashes of its line.
#[test]
fn a_longer_hash_beside_a_sha256_is_passed_over() {
    let digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    let text = format!("a==1 --hash=sha512:00 --hash=sha256:{digest} --hash=sha384:00\nb==1");
    let file = read(&[("r.txt", &text)]).unwrap();
    let digests: Vec<String> =
        file.hashes.iter().flat_map(|demand| &demand.value.digests).map(ToString::to_string).collect();
    assert_eq!((digests.as_slice(), file.hashes.len()), ([digest.to_owned()].as_slice(), 1));
}

#[test]
fn hashes_that_pinfold_does_not_trust() {
    check(
        "a==1 --hash=sha512:00",
        "`--hash=sha512:00` is no SHA-256; other hashes are not looked at
 --> r.txt:1:6
  |
1 | a==1 --hash=sha512:00
  |      ^^^^^^^^^^^^^^^^",
    );
    check(
        "a==1 --hash=md5:00",
        "`--hash=md5:00` is no SHA-256; other hashes are not looked at
 --> r.txt:1:6
  |
1 | a==1 --hash=md5:00
  |      ^^^^^^^^^^^^^",
    );
    check(
        "a==1 --hash=sha256:00",
        "a SHA-256 digest has 64 hexadecimal digits, this has 2
 --> r.txt:1:6
  |
1 | a==1 --hash=sha256:00
  |      ^^^^^^^^^^^^^^^^",
    );
    check(
        "a>=1 --hash=sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "the hashes of `a` are written without a version; write `a==…`
 --> r.txt:1:1
  |
1 | a>=1 --hash=sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
  | ^^^^",
    );
    check(
        "a==1.* --hash=sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "the hashes of `a` are written without a version; write `a==…`
 --> r.txt:1:1
  |
1 | a==1.* --hash=sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
  | ^^^^^^",
    );
}

#[test]
fn files_that_cannot_be_included() {
    check(
        "-r",
        "`-r` is empty
 --> r.txt:1:1
  |
1 | -r
  | ^^",
    );
    check(
        "-r missing.txt",
        "cannot read `missing.txt`: no such file
 --> r.txt:1:1
  |
1 | -r missing.txt
  | ^^^^^^^^^^^^^^",
    );
    check(
        "-r r.txt",
        "the requirements file includes itself: `r.txt` → `r.txt`
 --> r.txt:1:1
  |
1 | -r r.txt
  | ^^^^^^^^",
    );
    check(
        r#"--requirement="a b.txt""#,
        r#"cannot read `a b.txt`: no such file
 --> r.txt:1:1
  |
1 | --requirement="a b.txt"
  | ^^^^^^^^^^^^^^^^^^^^^^^"#,
    );
    check(
        "-r 'sub/${TOKEN} ${TOKEN}/r.txt'",
        "cannot read `sub/${TOKEN} ${TOKEN}/r.txt`: no such file
 --> r.txt:1:1
  |
1 | -r 'sub/${TOKEN} ${TOKEN}/r.txt'
  | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^",
    );
    check(
        "-r file:///etc/r.txt",
        "a requirements file is named by its path, not by a `file` URL
 --> r.txt:1:1
  |
1 | -r file:///etc/r.txt
  | ^^^^^^^^^^^^^^^^^^^^
  = help: write the path instead: `/etc/r.txt`",
    );
    for (url, help) in [
        ("File:///C:/r.txt", "write the path instead: `C:/r.txt`"),
        ("file:more/${TOKEN}", "write the path instead: `more/${TOKEN}`"),
        ("file:///a%20b", "write the path instead"),
    ] {
        assert_eq!(read(&[("r.txt", &format!("-r {url}"))]).unwrap_err().help().as_deref(), Some(help));
    }
}

#[test]
fn files_that_include_themselves_by_another_path() {
    for (other, back) in
        [("sub/m.txt", "../r.txt"), ("./sub/./m.txt", ".././r.txt"), ("sub/more/../m.txt", "x/../../r.txt")]
    {
        let first = format!("-r {other}");
        let mut read =
            |path: &str| Ok(if path.ends_with("r.txt") { first.clone() } else { format!("-c {back}") }.into_bytes());
        let error = read_requirements("r.txt", &mut read, &|_| None, &|_| None).unwrap_err();
        let shown = other.trim_start_matches("./");
        let expected = format!("the requirements file includes itself: `r.txt` → `{shown}` → `r.txt`");
        assert_eq!((error.to_string(), error.place().file.as_str()), (expected, shown));
    }
    // `link` leads to `a/b`: `link/../c.txt` lies in `a`, and is not the `c.txt` that includes it.
    let files = [("c.txt", "x\n-r link/../c.txt"), ("link/../c.txt", "y"), ("a/c.txt", "y")];
    let directory = |path: &str| Some(if path == "link/.." { "/w/a" } else { "/w" }.to_owned());
    let mut read = |path: &str| {
        files.iter().find(|(name, _)| *name == path).map(|(_, text)| (*text).into()).ok_or_else(String::new)
    };
    let file = read_requirements("c.txt", &mut read, &directory, &|_| None).unwrap();
    assert_eq!(shown(&file.requirements), ["c.txt:1:1 x", "link/../c.txt:1:1 y"]);
}

/// A lock is the same wherever it is made, and the value may be a secret.
#[test]
fn a_url_or_path_has_no_variables() {
    check(
        "a\nx @ https://a.example/${TOKEN}/x-1-py3-none-any.whl ; os_name == 'nt'",
        "environment variables are not expanded in a URL
 --> r.txt:2:5
  |
2 | x @ https://a.example/${TOKEN}/x-1-py3-none-any.whl ; os_name == 'nt'
  |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^",
    );
    for text in
        ["./${TOKEN}/x-1-py3-none-any.whl", "x@${TOKEN}", "x @ ${TOKEN}/y", "x @ git+https://a.example/x@${TOKEN}"]
    {
        assert_eq!(
            read(&[("r.txt", text)]).unwrap_err().to_string(),
            "environment variables are not expanded in a URL"
        );
    }
    // What stands before and behind it may come from anywhere.
    let file = read(&[("r.txt", "${TOKEN} @ https://a.example/x.zip ; os_name == '${TOKEN}'")]).unwrap();
    assert_eq!(shown(&file.requirements), ["r.txt:1:1 s3cr3t @ https://a.example/x.zip ; os_name == 's3cr3t'"]);
    // A path is relative to its file, and so to where a variable says.
    let moved = |text: &str| read(&[("r.txt", "-r ${TOKEN}/m.txt"), ("s3cr3t/m.txt", text)]);
    let expected = "the path begins at this file, and where the file is only an environment variable says
 --> ${TOKEN}/m.txt:1:5
  |
1 | x @ ./x.zip
  |     ^^^^^^^";
    assert_eq!(moved("x @ ./x.zip").unwrap_err().report(), expected);
    assert!(moved("./x-1-py3-none-any.whl").is_err());
    let file = moved("x @ /w/x.zip\ny==1 --hash=sha256:1").unwrap_err();
    assert_eq!(file.place().file, "${TOKEN}/m.txt");
    assert_eq!(shown(&moved("x @ /w/x.zip").unwrap().requirements), ["${TOKEN}/m.txt:1:1 x @ /w/x.zip"]);
}

#[test]
fn variables_and_quotes() {
    check(
        "a==1 --hash='sha256:",
        "the quotation mark is never closed
 --> r.txt:1:13
  |
1 | a==1 --hash='sha256:
  |             ^^^^^^^^",
    );
    check(
        "x @ https://${TOKEN}@a.example/x.whl",
        "a URL must not carry a user name or password; put them into netrc or PINFOLD_INDEX_<NAME>_TOKEN
 --> r.txt:1:5
  |
1 | x @ https://********@a.example/x.whl
  |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^",
    );
    check(
        "x @ https://${UNSET}@a.example/x.whl",
        "the environment variable `UNSET` is not set
 --> r.txt:1:13
  |
1 | x @ https://********@a.example/x.whl
  |             ^^^^^^^^",
    );
}

#[test]
fn a_commit_has_no_hash() {
    let digest = "ab".repeat(32);
    check(
        &format!("x @ git+https://a.example/x --hash=sha256:{digest}"),
        &format!(
            "pip's option `--hash` is not followed here
 --> r.txt:1:29
  |
1 | x @ git+https://a.example/x --hash=sha256:{digest}
  |                             {}
  = help: a commit has no sha256 that others could compute; leave it out",
            "^".repeat(78)
        ),
    );
}

#[test]
fn long_files_take_time_in_proportion_to_their_length() {
    // Looking for each place from the beginning, this would take minutes.
    let lines = "a\n".repeat(20_000) + &"b \\\n".repeat(20_000);
    let manifest = format!("[project]\ndependencies = [{}]", "\"a\",".repeat(20_000));
    let file = read_requirements("r.txt", &mut |_| Ok(lines.clone().into_bytes()), &|_| None, &|_| None);
    assert_eq!(file.map(|file| file.requirements.len()).unwrap_err().place().line, 20_001);
    let manifest = crate::Manifest::parse_toml(&manifest, "pinfold.toml").unwrap();
    let last = manifest.dependencies.last().unwrap();
    assert_eq!((manifest.dependencies.len(), last.line, last.column), (20_000, 2, 17 + 4 * 19_999));
}
