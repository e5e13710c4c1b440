//! Diffs of small locks.

use insta::assert_snapshot;

use super::*;
use crate::fixture::{digest, resolution, settings, target};
use crate::{Accepted, Asker, BuildRecipe, BuildTool, LockedIndex, merge};

fn lock(filenames: &[&str]) -> Lock {
    merge(&[resolution(target("linux-x86_64 3.10"), filenames)], settings()).unwrap()
}

#[test]
fn a_lock_does_not_differ_from_itself() {
    let one = lock(&["a-1-py3-none-any.whl", "b-1-py3-none-any.whl"]);
    assert!(diff(&one, &one).is_empty());
    assert_eq!(diff(&one, &one).weight(), None);
    assert_eq!(diff(&one, &one).to_string(), "");
    assert_eq!(diff(&one, &one).to_markdown(), "**Lock: 0 added, 0 removed, 0 changed**\n");
}

/// Two locks that differ in everything that a package can differ in.
fn upgraded() -> (Lock, Lock) {
    let old = lock(&[
        "a-1-py3-none-any.whl",
        "b-1-py3-none-any.whl",
        "c-1-py3-none-any.whl",
        "d-1-py3-none-any.whl",
        "f-2-py3-none-any.whl",
        "g-2-py3-none-any.whl",
        "h-1-py3-none-any.whl",
    ]);
    let mut new = lock(&[
        "a-1-py3-none-any.whl",
        "b-1.1-py3-none-any.whl",
        "c-1-cp310-cp310-manylinux2014_x86_64.whl",
        "e-1.tar.gz",
        "f-1-py3-none-any.whl",
        "g-1!0.1-py3-none-any.whl",
        "h-1.1-py3-none-any.whl",
    ]);
    new.packages[0].wheels[0].sha256 = digest("evil");
    new.packages[0].wheels[0].size_bytes += 1;
    new.packages[0].wheels[0].upload_time = None;
    new.packages[1].index = Some("https://evil.example/simple/".parse().unwrap());
    new.packages[2].marker = Some("sys_platform == 'linux'".parse().unwrap());
    new.packages[2].wheels[0].url = "https://index.example/c".parse().unwrap();
    new.packages[6].wheels[0].size_bytes = 5_000_000;
    new.packages[6].dependencies =
        vec![crate::DependencyReference { name: "e".parse().unwrap(), version: None, index: None, marker: None }];
    (old, new)
}

#[test]
fn says_what_was_added_removed_and_changed_the_weightiest_first() {
    let (old, new) = upgraded();
    assert_snapshot!(diff(&old, &new), @"
    ~ a 1
        ! other bytes under the same name a-1-py3-none-any.whl: 612c332e747c -> 65776b6f0000
        ! size a-1-py3-none-any.whl: 1020 -> 1021
        ? upload time a-1-py3-none-any.whl: - 2024-05-01T12:30:00.25Z
    ~ b 1 -> 1.1
        ! origin: https://index.example/simple/ -> https://evil.example/simple/
    + e 1
        ! new build script: + e-1.tar.gz
          origin: + https://index.example/simple/
    ~ g 2 -> 1!0.1
        ! epoch jump: 2 -> 1!0.1
    ~ c 1
        ? file host: https://files.example -> https://index.example
          file: + c-1-cp310-cp310-manylinux2014_x86_64.whl
          file: - c-1-py3-none-any.whl
          applies where: always -> sys_platform == 'linux'
    ~ f 2 -> 1
        ? older version: 2 -> 1
    ~ h 1 -> 1.1
        ? size jump: 1020 bytes -> 5000000 bytes
          needs: + e
    - d 1
    ");
    assert_eq!(diff(&old, &new).weight(), Some(Weight::Alarm));
    assert_snapshot!(diff(&old, &new).to_markdown(), @"
    **Lock: 1 added, 1 removed, 6 changed**

    | | package | version | what changed |
    | --- | --- | --- | --- |
    | **alarm** | `a` | `1` | **!** other bytes under the same name `a-1-py3-none-any.whl`: `612c332e747c` -> `65776b6f0000`<br>**!** size `a-1-py3-none-any.whl`: `1020` -> `1021`<br>upload time `a-1-py3-none-any.whl`: - `2024-05-01T12:30:00.25Z` |
    | **alarm** | `b` | `1` → `1.1` | **!** origin: `https://index.example/simple/` -> `https://evil.example/simple/` |
    | **alarm** | `e` | `1` new | **!** new build script: + `e-1.tar.gz`<br>origin: + `https://index.example/simple/` |
    | **alarm** | `g` | `2` → `1!0.1` | **!** epoch jump: `2` -> `1!0.1` |
    | look | `c` | `1` | file host: `https://files.example` -> `https://index.example`<br>file: + `c-1-cp310-cp310-manylinux2014_x86_64.whl`<br>file: - `c-1-py3-none-any.whl`<br>applies where: `always` -> `sys_platform == 'linux'` |
    | look | `f` | `2` → `1` | older version: `2` -> `1` |
    | look | `h` | `1` → `1.1` | size jump: `1020 bytes` -> `5000000 bytes`<br>needs: + `e` |
    |  | `d` | `1` removed |  |
    ");
}

#[test]
fn says_which_settings_differ() {
    let old = lock(&["a-1-py3-none-any.whl"]);
    let mut new = merge(
        &["linux-x86_64 3.10", "windows-x86_64 3.10"].map(|text| resolution(target(text), &["a-1-py3-none-any.whl"])),
        settings(),
    )
    .unwrap();
    let tool = new.tool.as_mut().unwrap();
    tool.exclude_newer = None;
    tool.inputs = digest("other");
    tool.indexes[0].insecure = true;
    tool.indexes[0].file_hosts.insert("evil.example".parse().unwrap());
    tool.accepts.push(Accepted {
        code: "executable-pth".to_owned(),
        package: "a".parse().unwrap(),
        path: Some("a.pth".parse().unwrap()),
        sha256: digest("pth"),
        reason: "trust | me".to_owned(),
    });
    assert_snapshot!(diff(&old, &new), @"
    ! origin index main: https://index.example/simple/ -> https://index.example/simple/ (insecure)
    ? accepted finding: + executable-pth a a.pth 70756a000000: trust | me
    ? file host index main: https://files.example -> https://evil.example, https://files.example
      setting environments: sys_platform == 'linux' and platform_machine == 'x86_64' and implementation_name == 'cpython' and python_version == '3.10' -> sys_platform == 'linux' and platform_machine == 'x86_64' and implementation_name == 'cpython' and python_version == '3.10', sys_platform == 'win32' and platform_machine == 'AMD64' and implementation_name == 'cpython' and python_version == '3.10'
      setting exclude-newer: - 2024-08-20T00:00:00Z
      setting inputs-sha256: 696f727670760000000000000000000000000000000000000000000000000000 -> 6f756a6676000000000000000000000000000000000000000000000000000000
      setting targets: linux-x86_64 -> linux-x86_64, windows-x86_64
    ");
    assert_snapshot!(diff(&old, &new).to_markdown(), @r"
    **Lock: 0 added, 0 removed, 0 changed, 7 settings changed**

    | | package | version | what changed |
    | --- | --- | --- | --- |
    | **alarm** | (the lock) | | **!** origin `index main`: `https://index.example/simple/` -> `https://index.example/simple/ (insecure)` |
    | look | (the lock) | | accepted finding: + `executable-pth a a.pth 70756a000000: trust \u{7c} me`<br>file host `index main`: `https://files.example` -> `https://evil.example, https://files.example` |
    |  | (the lock) | | setting `environments`: `sys_platform == 'linux' and platform_machine == 'x86_64' and implementation_name == 'cpython' and python_version == '3.10'` -> `sys_platform == 'linux' and platform_machine == 'x86_64' and implementation_name == 'cpython' and python_version == '3.10', sys_platform == 'win32' and platform_machine == 'AMD64' and implementation_name == 'cpython' and python_version == '3.10'`<br>setting `exclude-newer`: - `2024-08-20T00:00:00Z`<br>setting `inputs-sha256`: `696f727670760000000000000000000000000000000000000000000000000000` -> `6f756a6676000000000000000000000000000000000000000000000000000000`<br>setting `targets`: `linux-x86_64` -> `linux-x86_64, windows-x86_64` |
    ");
}

#[test]
fn says_how_builds_and_requirements_changed() {
    let recipe = |backend: &str| BuildRecipe {
        name: "a".parse().unwrap(),
        version: "1".parse().unwrap(),
        sdist: digest("a-1.tar.gz"),
        targets: Vec::new(),
        backend: backend.to_owned(),
        backend_path: Vec::new(),
        metadata: digest("metadata"),
        requires: Vec::new(),
    };
    let with = |backend: &str, asked: &[&str]| {
        let mut lock = lock(&["a-1.tar.gz"]);
        let tool = lock.tool.as_mut().unwrap();
        tool.builds.push(recipe(backend));
        tool.asked.add(Asker::Application, asked[0]);
        tool.asked.add(Asker::Package("a".parse().unwrap(), "1".parse().unwrap()), asked[1]);
        lock
    };
    let (one, two) = (with("setuptools.build_meta", &["a<3", "b"]), with("evil:build", &["a", "b>1"]));
    assert_snapshot!(diff(&one, &two), @"
    ~ a 1
        ? build: setuptools.build_meta -> evil:build
          requires: - b
          requires: + b>1
      requires: + the application: a
      requires: - the application: a<3
    ");
    let (mut three, mut four) = (one.clone(), one.clone());
    let tool = BuildTool {
        name: "setuptools".parse().unwrap(),
        version: "69".parse().unwrap(),
        index: crate::fixture::INDEX.parse().unwrap(),
        file: crate::fixture::file("setuptools-69-py3-none-any.whl"),
    };
    let mut changed = tool.clone();
    changed.file.sha256 = digest("evil");
    changed.index = "https://evil.example/".parse().unwrap();
    three.tool.as_mut().unwrap().builds[0].requires.push(tool);
    four.tool.as_mut().unwrap().builds[0].requires.push(changed);
    assert_snapshot!(diff(&three, &four), @"
    ~ a 1
        ! origin setuptools-69-py3-none-any.whl: https://index.example/simple/ -> https://evil.example/
        ! other bytes under the same name setuptools-69-py3-none-any.whl: 736476767471 -> 65776b6f0000
    ");
    assert_snapshot!(diff(&one, &three), @"
    ~ a 1
        ? build: setuptools.build_meta -> setuptools.build_meta with setuptools 69
    ");
    assert_snapshot!(diff(&lock(&["a-1-py3-none-any.whl"]), &one), @"
    ~ a 1
        ! new build script: + a-1.tar.gz
          file: - a-1-py3-none-any.whl
          file: + a-1.tar.gz
      setting asked: + who asked for what
    ");
}

#[test]
fn what_no_rule_looks_at_is_said_by_its_line() {
    let one = lock(&["a-1-py3-none-any.whl"]);
    let mut two = one.clone();
    two.tool.as_mut().unwrap().computed.insert("a-1-py3-none-any.whl".parse().unwrap());
    let found = diff(&one, &two);
    assert!(!found.is_empty() && found.to_string().contains("line "), "{found}");
}

#[test]
fn two_texts_part_at_a_line_with_something_on_it() {
    let check = |old: &str, new: &str, expected: Option<(usize, &str, &str, bool)>| {
        let found = first_other_line(old, new);
        let found = found.as_ref().map(|at| (at.number, at.old.as_str(), at.new.as_str(), at.is_order_only));
        assert_eq!(found, expected, "{old:?} {new:?}");
    };
    check("a\nb\n", "a\nb\n", None);
    check("a\nb\nc\n", "a\nc\nb\n", Some((2, "b", "c", true)));
    check("a\n\nb\n", "a\nb\n\n", Some((2, "(an empty line)", "b", true)));
    check("a\n", "a\nb\n", Some((2, "(the end)", "b", false)));
    check("a\n", "b\n", Some((1, "a", "b", false)));
    // Two indexes in another order are another lock, and the message says what moved.
    let mut old = lock(&["a-1-py3-none-any.whl"]);
    let tool = old.tool.as_mut().unwrap();
    tool.indexes.push(LockedIndex { name: "zweiter".to_owned(), ..tool.indexes[0].clone() });
    let mut new = old.clone();
    new.tool.as_mut().unwrap().indexes.reverse();
    let found = diff(&old, &new).to_string();
    assert_snapshot!(found, @r#"setting line 28 and after, the same in another order: name = "main" -> name = "zweiter""#);
}

#[test]
fn what_a_lock_says_gets_out_of_no_cell_and_drives_no_terminal() {
    let old = lock(&["a-1-py3-none-any.whl"]);
    let mut new = old.clone();
    let hostile = "x` | **merged** <!-- \u{1b}[2J\u{202e}\n| y |\\| @all https://evil.example/";
    new.created_by = hostile.to_owned();
    new.tool.as_mut().unwrap().indexes[0].name = hostile.to_owned();
    new.tool.as_mut().unwrap().accepts.push(Accepted {
        code: "executable-pth".to_owned(),
        package: "a".parse().unwrap(),
        path: None,
        sha256: digest("pth"),
        reason: hostile.repeat(20),
    });
    let found = diff(&old, &new);
    for text in [found.to_string(), found.to_markdown()] {
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text:?}");
    }
    for line in found.to_markdown().lines().filter(|line| line.starts_with('|')) {
        assert_eq!(line.matches('|').count(), 5, "{line}");
        assert_eq!(line.matches('`').count() % 2, 0, "{line}");
        // Whatever was said is inside of code.
        let outside: String = line.split('`').step_by(2).collect();
        assert!(!outside.contains("merged") && !outside.contains('@') && !outside.contains("evil"), "{line}");
    }
    // Ten lines say ten things; none of them was begun by the lock.
    assert_eq!(found.to_string().lines().count(), found.settings.len());
}
