//! Locks read back: what is written is read the same, and what must not be used is refused.

use std::collections::BTreeMap;

use insta::assert_snapshot;
use pinfold_artifact::Limits;
use pinfold_packaging::Version;
use proptest::prelude::*;

use crate::Asker;
use crate::fixture::{digest, file, resolution, resolved, settings, target};
use crate::{
    Accepted, BuildRecipe, BuildTool, DirectorySource, Lock, LockError, LockWarning, Package, Resolution, TreeSource,
    VcsSource, merge,
};

const HEAD: &str = "lock-version = '1.0'\ncreated-by = 'x'\n";
const HASH: &str = "hashes = {sha256 = '0000000000000000000000000000000000000000000000000000000000000000'}";

/// Returns a lock of one package with one wheel, whose table has these fields.
fn with_wheel(fields: &str) -> String {
    format!("{HEAD}[[packages]]\nname = 'a'\nversion = '1'\nindex = 'https://i.example/'\nwheels = [{{{fields}}}]\n")
}

fn wheel_url() -> &'static str {
    "url = 'https://f.example/a-1-py3-none-any.whl', size = 1"
}

fn check(text: &str, expected: &str) {
    assert_eq!(Lock::parse(text).unwrap_err().to_string(), expected, "{text}");
}

fn check_refused(text: &str, code: &str) {
    let error = Lock::parse(text).unwrap_err();
    assert_eq!(error.refusal_code(), Some(code), "{error}");
}

/// A lock in which every part of the format occurs.
pub(crate) fn full_lock() -> Lock {
    let packages = |torch: &str| {
        [
            resolved(torch, &["numpy"], &["extra gpu"]),
            resolved("numpy-1.26.4-py3-none-any.whl", &[], &["base"]),
            resolved("antlr4-4.9.3.tar.gz", &[], &["base"]),
        ]
        .into()
    };
    let resolutions = [
        Resolution {
            target: target("linux-x86_64 3.10"),
            packages: packages("torch-2.1.0+cu121-cp310-cp310-linux_x86_64.whl"),
        },
        Resolution {
            target: target("windows-x86_64 3.10"),
            packages: packages("torch-2.1.0-cp310-cp310-win_amd64.whl"),
        },
    ];
    let mut settings = settings();
    if let Some(tool) = &mut settings.tool {
        tool.builds.push(BuildRecipe {
            name: "antlr4".parse().unwrap(),
            version: "4.9.3".parse().unwrap(),
            sdist: digest("antlr4-4.9.3.tar.gz"),
            targets: vec!["linux-x86_64 python 3.10".to_owned(), "windows-x86_64 python 3.10".to_owned()],
            backend: "setuptools.build_meta".to_owned(),
            backend_path: vec!["backend".to_owned()],
            metadata: digest("metadata"),
            requires: vec![BuildTool {
                name: "setuptools".parse().unwrap(),
                version: "69.0".parse().unwrap(),
                index: crate::fixture::INDEX.parse().unwrap(),
                file: file("setuptools-69.0-py3-none-any.whl"),
            }],
        });
        tool.accepts.push(Accepted {
            code: "executable-pth".to_owned(),
            package: "numpy".parse().unwrap(),
            path: Some("numpy.pth".parse().unwrap()),
            sha256: digest("pth"),
            reason: "read, \"harmless\"\n".to_owned(),
        });
        tool.computed =
            ["antlr4-4.9.3.tar.gz", "numpy-1.26.4-py3-none-any.whl"].map(|name| name.parse().unwrap()).into();
        let seen = "2026-11-23T12:00:00Z".parse().unwrap();
        tool.first_seen = [("antlr4-4.9.3.tar.gz".parse().unwrap(), seen)].into();
        tool.asked.add(Asker::Application, "antlr4");
        tool.asked.add(Asker::Application, "numpy<2; sys_platform == 'linux'");
        tool.asked.add(Asker::Extra("gpu".parse().unwrap()), "torch");
        tool.asked.add(Asker::Package("torch".parse().unwrap(), "2.1.0".parse().unwrap()), "numpy>=1.2");
        tool.metadata = BTreeMap::from([("numpy-1.26.4-py3-none-any.whl".parse().unwrap(), digest("numpy"))]);
    }
    merge(&resolutions, settings).unwrap()
}

#[test]
fn what_was_asked_for_may_be_absent_and_is_read_strictly() {
    let text = full_lock().to_text();
    let (before, rest) = text.split_once("[tool.pinfold.asked]").unwrap();
    let (_, after) = rest.split_once("[tool.pinfold.metadata-sha256]").unwrap();
    let older = format!("{before}[tool.pinfold.metadata-sha256]{after}");
    let asked = |text: &str| Lock::parse(text).map(|lock| lock.tool.unwrap().asked.by.len());
    assert_eq!(asked(&text).unwrap(), 3);
    assert_eq!(asked(&older).unwrap(), 0);
    for (from, to, part) in [
        ("\napplication = [", "\nx = [", "`x`"),
        ("\"torch 2.1.0\" = [", "\"torch\" = [", "no name and version"),
        ("\"torch 2.1.0\" = [", "\"Torch- 2.1.0\" = [", "asked.packages"),
        ("\"torch 2.1.0\" = [", "\"torch two\" = [", "asked.packages"),
        ("[\"numpy>=1.2\"]", "[1]", "a string"),
    ] {
        let error = asked(&text.replace(from, to)).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_lock_is_written_in_one_layout() {
    assert_snapshot!(full_lock().to_text(), @r#"
    lock-version = "1.0"
    environments = [
        "sys_platform == 'linux' and platform_machine == 'x86_64' and implementation_name == 'cpython' and python_version == '3.10'",
        "sys_platform == 'win32' and platform_machine == 'AMD64' and implementation_name == 'cpython' and python_version == '3.10'",
    ]
    requires-python = ">=3.10,<3.11"
    extras = ["gpu", "x"]
    dependency-groups = ["dev"]
    created-by = "pinfold"

    [[packages]]
    name = "antlr4"
    version = "4.9.3"
    index = "https://index.example/simple/"
    sdist = { name = "antlr4-4.9.3.tar.gz", upload-time = 2024-05-01T12:30:00.25Z, url = "https://files.example/antlr4-4.9.3.tar.gz", size = 1019, hashes = { sha256 = "616f766f76312b332630243822796f7d3e766800000000000000000000000000" } }

    [[packages]]
    name = "numpy"
    version = "1.26.4"
    index = "https://index.example/simple/"
    wheels = [
        { name = "numpy-1.26.4-py3-none-any.whl", upload-time = 2024-05-01T12:30:00.25Z, url = "https://files.example/numpy-1.26.4-py3-none-any.whl", size = 1029, hashes = { sha256 = "6e746f737d2837293a3f243f217d773c3d7f7d7d7138777961376d7370000000" } },
    ]

    [[packages]]
    name = "torch"
    version = "2.1.0"
    marker = "sys_platform == 'win32' and 'gpu' in extras"
    dependencies = [
        { name = "numpy" },
    ]
    index = "https://index.example/simple/"
    wheels = [
        { name = "torch-2.1.0-cp310-cp310-win_amd64.whl", upload-time = 2024-05-01T12:30:00.25Z, url = "https://files.example/torch-2.1.0-cp310-cp310-win_amd64.whl", size = 1037, hashes = { sha256 = "b77cd6482b28342939273a266f7d3d3e203c71632724263a6f7074447d707a29" } },
    ]

    [[packages]]
    name = "torch"
    version = "2.1.0+cu121"
    marker = "sys_platform == 'linux' and 'gpu' in extras"
    dependencies = [
        { name = "numpy" },
    ]
    index = "https://index.example/simple/"
    wheels = [
        { name = "torch-2.1.0+cu121-cp310-cp310-linux_x86_64.whl", upload-time = 2024-05-01T12:30:00.25Z, url = "https://files.example/torch-2.1.0%2Bcu121-cp310-cp310-linux_x86_64.whl", size = 1046, hashes = { sha256 = "ed27d97f3f5cb131d724d55d3f823f3d213c71632724263a7b69292a2c307276" } },
    ]

    [tool.pinfold]
    schema = 1
    inputs-sha256 = "696f727670760000000000000000000000000000000000000000000000000000"
    exclude-newer = 2024-08-20T00:00:00Z
    prerelease = "if-necessary"
    resolution = "highest"
    targets = ["linux-x86_64", "windows-x86_64"]
    python = ["3.10"]
    computed-sha256 = [
        "antlr4-4.9.3.tar.gz",
        "numpy-1.26.4-py3-none-any.whl",
    ]

    [[tool.pinfold.index]]
    name = "main"
    url = "https://index.example/simple/"
    file-hosts = [
        "https://files.example",
    ]

    [[tool.pinfold.build]]
    name = "antlr4"
    version = "4.9.3"
    sdist-sha256 = "616f766f76312b332630243822796f7d3e766800000000000000000000000000"
    targets = ["linux-x86_64 python 3.10", "windows-x86_64 python 3.10"]
    backend = "setuptools.build_meta"
    backend-path = ["backend"]
    metadata-sha256 = "6d64766260647266000000000000000000000000000000000000000000000000"
    requires = [
        { name = "setuptools", version = "69.0", index = "https://index.example/simple/", file = { name = "setuptools-69.0-py3-none-any.whl", upload-time = 2024-05-01T12:30:00.25Z, url = "https://files.example/setuptools-69.0-py3-none-any.whl", size = 1032, hashes = { sha256 = "7364767674716968647a273d35233e226068213e7a7a787235787462326a7673" } } },
    ]

    [[tool.pinfold.accept]]
    code = "executable-pth"
    package = "numpy"
    path = "numpy.pth"
    sha256 = "70756a0000000000000000000000000000000000000000000000000000000000"
    reason = "read, \"harmless\"\n"

    [tool.pinfold.first-seen]
    "antlr4-4.9.3.tar.gz" = 2026-11-23T12:00:00Z

    [tool.pinfold.asked]
    application = [
        "antlr4",
        "numpy<2; sys_platform == 'linux'",
    ]

    [tool.pinfold.asked.extras]
    "gpu" = ["torch"]

    [tool.pinfold.asked.packages]
    "torch 2.1.0" = ["numpy>=1.2"]

    [tool.pinfold.metadata-sha256]
    "numpy-1.26.4-py3-none-any.whl" = "6e746f737d000000000000000000000000000000000000000000000000000000"
    "#);
}

#[test]
fn what_is_written_is_read_back() {
    let lock = full_lock();
    let (read, warnings) = Lock::read(&lock.to_text()).unwrap();
    assert_eq!((read, warnings), (lock, vec![]));
}

#[test]
fn source_trees_of_other_tools_are_read_and_written() {
    let text = format!(
        "{HEAD}[[packages]]\nname = 'a'\ndirectory = {{path = '../a', editable = true, subdirectory = 's'}}\n\
         [[packages]]\nname = 'b'\n[packages.vcs]\ntype = 'git'\nurl = 'https://g.example/b'\ncommit-id = 'abc'\n"
    );
    let (lock, warnings) = Lock::read(&text).unwrap();
    assert_eq!(warnings, []);
    let tree = |package: &Package| package.tree.clone().unwrap();
    let url = "file:///a".parse().ok();
    let directory = DirectorySource { path: "../a".into(), url, editable: Some(true), subdirectory: Some("s".into()) };
    assert_eq!(tree(&lock.packages[0]), TreeSource::Directory(directory));
    assert!(matches!(tree(&lock.packages[1]), TreeSource::Vcs(VcsSource { commit_id, .. }) if commit_id == "abc"));
    assert_eq!(Lock::parse(&lock.to_text()).unwrap(), lock);
}

#[test]
fn a_lock_of_another_tool_is_read() {
    let text = "lock-version = '1.0'\nenvironments = [\"sys_platform == 'win32'\"]\nrequires-python = '==3.12'\n\
                created-by = 'other'\n[[packages]]\nname = 'attrs'\nversion = '25.1.0'\n\
                wheels = [{upload-time = 2025-01-25T11:30:10.164985+00:00, \
                url = 'https://f.example/attrs-25.1.0-py3-none-any.whl', size = 63152, hashes = {sha512 = 'ab', sha256 = \
                'C75A69E28A550A7E93789579C22AA26B0F5B83B75DC4E08FE092980051E1090A'}}]\n\
                [[packages.attestation-identities]]\nkind = 'GitHub'\n[packages.tool.other]\nx = 1\n[tool.other]\ny = 2\n";
    let (lock, warnings) = Lock::read(text).unwrap();
    assert_eq!(warnings, []);
    let wheel = &lock.packages[0].wheels[0];
    assert_eq!(wheel.filename.as_str(), "attrs-25.1.0-py3-none-any.whl");
    assert_eq!(wheel.upload_time.unwrap().to_string(), "2025-01-25T11:30:10.164985Z");
    assert!(wheel.sha256.to_string().starts_with("c75a69e2"));
    assert!(lock.tool.is_none());
}

#[test]
fn later_minor_versions_warn_and_other_major_versions_do_not_pass() {
    let lock = |version: &str| format!("lock-version = '{version}'\ncreated-by = 'x'\npackages = []\n");
    assert_eq!(Lock::read(&lock("1.0")).unwrap().1, []);
    assert_eq!(Lock::read(&lock("1.1")).unwrap().1, [LockWarning::MinorVersion { found: "1.1".to_owned() }]);
    check(&lock("2.0"), "`lock-version` is `2.0`; this pinfold reads 1.0");
    check(&lock("0.9"), "`lock-version` is `0.9`; this pinfold reads 1.0");
    check(&lock("1!1.0"), "`lock-version` is `1!1.0`; this pinfold reads 1.0");
    check(
        "lock-version = 1\ncreated-by = 'x'\npackages = []\n",
        "line 1: `lock-version` must be a string, not an integer",
    );
}

#[test]
fn unknown_keys_warn_in_the_standard_part_and_are_errors_in_ours() {
    let (_, warnings) = Lock::read(&format!(
        "{HEAD}new = 1\n[[packages]]\nname = 'a'\nodd = 2\nwheels = [{{{}, {HASH}, x = 1}}]\n",
        wheel_url()
    ))
    .unwrap();
    let shown: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert_snapshot!(shown.join("\n"), @"
    line 3: unknown key `new` in `the lock` is ignored
    line 6: unknown key `odd` in `packages[0]` is ignored
    line 7: unknown key `x` in `packages[0].wheels[0]` is ignored
    ");
    let text = full_lock().to_text();
    check(
        &text.replace("schema = 1\n", "schema = 1\nselect = true\n"),
        &format!(
            "line {}: unknown key `select` in `tool.pinfold`; it may need a newer pinfold",
            text.lines().position(|line| line == "schema = 1").unwrap() + 2
        ),
    );
    check(&text.replace("schema = 1\n", "schema = 2\n"), "`tool.pinfold.schema` is `2`; this pinfold reads 1");
    assert!(matches!(
        Lock::parse(&text.replace("file-hosts = [", "insecur = true\nfile-hosts = [")),
        Err(LockError::UnknownKey { .. })
    ));
}

#[test]
fn refuses_what_no_sha256_pins() {
    for hashes in [
        "hashes = {md5 = 'd41d8cd98f00b204e9800998ecf8427e'}",
        "hashes = {}",
        "hashes = {sha512 = 'ab'}",
        "hashes = {sha1 = 'x', md5 = 'y'}",
    ] {
        check_refused(&with_wheel(&format!("{}, {hashes}", wheel_url())), "weak-hash");
    }
    check_refused(&with_wheel(wheel_url()), "weak-hash");
    check(
        &with_wheel(&format!("{}, hashes = {{sha256 = 'abc'}}", wheel_url())),
        "line 7: `packages[0].wheels[0].hashes.sha256` is `abc`: a SHA-256 digest has 64 hexadecimal digits, this has 3",
    );
    assert!(Lock::parse(&with_wheel(&format!("{}, {HASH}", wheel_url()))).is_ok());
}

#[test]
fn refuses_local_paths() {
    for path in ["../a-1-py3-none-any.whl", "/etc/a-1-py3-none-any.whl", "C:\\\\a.whl"] {
        check_refused(&with_wheel(&format!("path = \"{path}\", size = 1, {HASH}")), "local-path");
        check_refused(&with_wheel(&format!("{}, path = \"{path}\", {HASH}", wheel_url())), "local-path");
    }
}

#[test]
fn refuses_files_of_other_projects_and_versions() {
    for name in ["b-1-py3-none-any.whl", "a-2-py3-none-any.whl"] {
        check_refused(&with_wheel(&format!("name = '{name}', {}, {HASH}", wheel_url())), "foreign-file");
    }
    let sdist = |name: &str| {
        format!(
            "{HEAD}[[packages]]\nname = 'a'\nversion = '1'\nsdist = {{url = 'https://f.example/{name}', size = 1, {HASH}}}\n"
        )
    };
    check_refused(&sdist("b-1.tar.gz"), "foreign-file");
    check_refused(&sdist("a-2.tar.gz"), "foreign-file");
    assert!(Lock::parse(&sdist("a-1.tar.gz")).is_ok());
    assert!(Lock::parse(&sdist("a-1.exe")).is_err());
}

#[test]
fn says_where_a_lock_is_wrong() {
    check("", "line 1: `the lock` has no `lock-version`");
    check("lock-version = '1.0'\ncreated-by = 'x'\n", "line 1: `the lock` has no `packages`");
    check("lock-version = '1.0'\npackages = []\n", "line 1: `the lock` has no `created-by`");
    check("a = [\n1,\n", "line 2, column 3: unclosed array, expected `]`");
    check(&format!("{HEAD}packages = 1\n"), "line 3: `packages` must be an array, not an integer");
    let named = |name: &str| {
        format!("{HEAD}[[packages]]\nname = '{name}'\nvcs = {{type = 'git', path = '/x', commit-id = 'x'}}\n")
    };
    assert!(Lock::parse(&named("a-b")).is_ok());
    check(&named("A_b"), "line 4: `packages[0].name` is `A_b`: the normalised name is `a-b`");
    assert!(matches!(Lock::parse(&named("../x")), Err(LockError::Value { .. })));
    check(
        &with_wheel(&format!("url = 'https://f.example/a-1-py3-none-any.whl', size = -1, {HASH}")),
        "line 7: `packages[0].wheels[0].size` is `-1`: not a whole number from 0 to 2^63 - 1",
    );
    check(
        &with_wheel(&format!("url = 'https://f.example/a-1-py3-none-any.whl', {HASH}")),
        "line 7: `packages[0].wheels[0]` has no `size`",
    );
    check(
        &with_wheel(&format!("{}, upload-time = 2024-01-01T00:00:00, {HASH}", wheel_url())),
        "line 7: `packages[0].wheels[0].upload-time` is `2024-01-01T00:00:00`: a time must have a date and an offset, such as `Z`",
    );
    check(
        &with_wheel(&format!("url = 'https://u:p@f.example/a-1-py3-none-any.whl', size = 1, {HASH}")),
        "line 7: `packages[0].wheels[0].url` is `(not shown)`: a URL must not carry a user name or password; put them into netrc or PINFOLD_INDEX_<NAME>_TOKEN",
    );
    check(
        &with_wheel(&format!("{0}, {HASH}}}, {{{0}, {HASH}", wheel_url())),
        "line 7: `a` lists `a-1-py3-none-any.whl` twice",
    );
    check(
        &format!("{HEAD}[[packages]]\nname = 'a'\n"),
        "line 3: `a` must have either wheels or an sdist, or exactly one of archive, directory and vcs",
    );
}

#[test]
fn stays_within_bounds() {
    let long = " ".repeat(usize::try_from(Limits::LOCK_BYTES).unwrap() + 1);
    assert!(matches!(Lock::parse(&long), Err(LockError::TooLarge { .. })));
    let many = format!("{HEAD}packages = [{}]\n", "{},".repeat(Limits::LOCK_PACKAGES + 1));
    assert!(matches!(Lock::parse(&many), Err(LockError::TooManyPackages { .. })));
    for (open, close) in [("[", "]"), ("{a=", "}")] {
        let deep = format!("{HEAD}packages = {}{}\n", open.repeat(100_000), close.repeat(100_000));
        assert!(matches!(Lock::parse(&deep), Err(LockError::Syntax { .. })));
    }
    let deep = format!("{HEAD}[{}a]\n", "a.".repeat(100_000));
    assert!(Lock::parse(&deep).is_err());
}

fn versions() -> impl Strategy<Value = Version> {
    "[0-9]{1,3}(\\.[0-9]{1,3}){0,2}((a|rc|\\.post|\\.dev)[0-9])?(\\+cu[0-9]{1,3})?"
        .prop_map(|text| text.parse().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn printing_and_parsing_are_inverse(
        names in prop::collection::btree_map("[a-z][a-z0-9]{0,5}(-[a-z0-9]{1,3})?", (versions(), any::<bool>()), 0..6),
        text in any::<String>(),
        time in 0..4_000_000_000_i64,
        nanosecond in 0..1_000_000_000_i32,
        size in 0..i64::MAX as u64,
    ) {
        let filenames: Vec<String> = names.iter().map(|(name, (version, wheel))| match wheel {
            true => format!("{}-{version}-py3-none-any.whl", name.replace('-', "_")),
            false => format!("{name}-{version}.tar.gz"),
        }).collect();
        let filenames: Vec<&str> = filenames.iter().map(String::as_str).collect();
        let mut settings = settings();
        settings.created_by = text.clone();
        let tool = settings.tool.as_mut().unwrap();
        tool.indexes[0].name = text.clone();
        tool.accepts.push(Accepted { code: text.clone(), package: "a".parse().unwrap(), path: None, sha256: digest("x"), reason: text });
        let mut lock = merge(&[resolution(target("linux-x86_64 3.10"), &filenames)], settings).unwrap();
        for package in &mut lock.packages {
            for file in package.wheels.iter_mut().chain(&mut package.sdist) {
                file.upload_time = Some(jiff::Timestamp::new(time, nanosecond).unwrap());
                file.size_bytes = size;
            }
        }
        let text = lock.to_text();
        let read = Lock::parse(&text).unwrap();
        prop_assert_eq!(&read, &lock);
        prop_assert_eq!(read.to_text(), text);
    }

    #[test]
    fn a_damaged_lock_never_panics(cut in 0..6000_usize, byte in "[ -~\\n]") {
        let mut text = full_lock().to_text();
        let cut = cut.min(text.len() - 1);
        if text.is_char_boundary(cut) && text.is_char_boundary(cut + 1) {
            text.replace_range(cut..=cut, &byte);
        }
        if let Ok(lock) = Lock::parse(&text) {
            let printed = lock.to_text();
            prop_assert_eq!(Lock::parse(&printed).unwrap().to_text(), printed);
            let _ = lock.validate();
        }
    }
}

#[test]
fn files_by_path_and_source_trees_with_a_digest_are_read_and_written() {
    let digest = "ab".repeat(32);
    let commit = "c".repeat(40);
    let text = format!(
        "{HEAD}[[packages]]\nname = 'a'\nversion = '1'\n\
         archive = {{path = '../w/a-1.tar.gz', size = 3, hashes = {{sha256 = '{digest}'}}, subdirectory = 's/t'}}\n\
         [[packages]]\nname = 'b'\nvcs = {{type = 'git', url = 'https://g.example/b', requested-revision = 'v1', \
         commit-id = '{commit}'}}\n[[packages]]\nname = 'c'\ndirectory = {{path = 'c'}}\n"
    );
    let directory = "/home/me/app".parse().unwrap();
    let (lock, warnings) = Lock::read_in(&text, &directory).unwrap();
    assert_eq!(warnings, []);
    let archive = lock.packages[0].archive.as_ref().unwrap();
    assert_eq!(archive.file.url.as_str(), "file:///home/me/w/a-1.tar.gz");
    assert_eq!(archive.path.as_ref().unwrap().as_str(), "../w/a-1.tar.gz");
    assert_eq!(archive.subdirectory.as_ref().unwrap().as_str(), "s/t");
    let again = Lock::read_in(&lock.to_text(), &directory).unwrap().0;
    assert_eq!(again, lock);
    assert!(
        lock.to_text().contains("archive = { path = \"../w/a-1.tar.gz\", size = 3, hashes = "),
        "{}",
        lock.to_text()
    );

    // Without a digest a tree is read, and not used; nor is one that nobody could fetch.
    let tree = |lock: &Lock, position: usize| {
        let package = &lock.packages[position];
        lock.tree(package, package.tree.as_ref().unwrap())
    };
    assert_eq!(tree(&lock, 1).unwrap_err().refusal_code(), Some("unpinned-source"));
    let mut pinned = lock.clone();
    let locked = |name: &str, identity| crate::LockedTree {
        name: name.parse().unwrap(),
        version: "2".parse().unwrap(),
        identity,
        sha256: digest.parse().unwrap(),
        size_bytes: 9,
    };
    let mut tool = crate::fixture::settings().tool.unwrap();
    tool.trees = vec![
        locked("b", crate::TreeIdentity::Commit(commit.clone())),
        locked("c", crate::TreeIdentity::Path("c".to_owned())),
    ];
    tool.targets = vec!["linux-x86_64".parse().unwrap()];
    tool.python = vec!["3.10".parse().unwrap()];
    pinned.tool = Some(tool);
    assert_eq!(Lock::read_in(&pinned.to_text(), &directory).unwrap().0, pinned);
    let (artifact, direct) = tree(&pinned, 1).unwrap();
    assert_eq!((artifact.filename.as_str(), artifact.url.as_str()), ("b-2.tar.gz", "https://g.example/b"));
    assert!(matches!(direct, crate::Direct::Git { commit: id, .. } if id.as_str() == commit));
    assert_eq!(tree(&pinned, 2).unwrap().0.url.as_str(), "file:///home/me/app/c");
    assert_eq!(pinned.version_of(&pinned.packages[1]), "2".parse().ok());
    assert_eq!(pinned.validate(), Ok(()));
    for (from, to) in [
        ("https://g.example/b", "ext::sh -c x"),
        ("https://g.example/b", "ssh://-oProxyCommand=x/y"),
        ("commit-id = \"cccc", "commit-id = \"dddd"),
        ("\"v1\"", "\"--x\""),
        ("type = \"git\"", "type = \"hg\""),
        ("path = \"c\" }", "path = \"d\" }"),
        ("path = \"c\" }", "path = \"c\", editable = true }"),
        ("path = \"c\" }", "path = \"c\", subdirectory = \"../x\" }"),
    ] {
        let text = pinned.to_text();
        assert!(text.contains(from), "{from}");
        let (changed, _) = Lock::read_in(&text.replacen(from, to, 1), &directory).unwrap();
        assert_eq!(changed.validate().unwrap_err().refusal_code(), Some("unpinned-source"), "{to}");
    }
}
