//! Trees of small locks.

use insta::assert_snapshot;

use super::*;
use crate::fixture::{resolved, settings, target};
use crate::{Resolution, merge};

pub(crate) fn lock(packages: &[(&str, &[&str])]) -> Lock {
    let package = |(name, needs): &(&str, &[&str])| resolved(&format!("{name}-1-py3-none-any.whl"), needs, &["base"]);
    let packages = packages.iter().map(package).collect();
    merge(&[Resolution { target: target("linux-x86_64 3.10"), packages }], settings()).unwrap()
}

fn tree(packages: &[(&str, &[&str])]) -> Tree {
    Tree::of(&lock(packages))
}

#[test]
fn each_subtree_is_written_once() {
    let tree =
        tree(&[("app", &["b", "c"]), ("b", &["d"]), ("c", &["d", "b"]), ("d", &["e"]), ("e", &[]), ("z", &["e"])]);
    assert_snapshot!(tree.to_text(None), @"
    app 1
    ├── b 1
    │   └── d 1
    │       └── e 1
    └── c 1
        ├── b 1 (above)
        └── d 1 (above)
    z 1
    └── e 1
    ");
    assert_snapshot!(tree.to_text(Some(1)), @"
    app 1
    ├── b 1
    └── c 1
    z 1
    └── e 1
    ");
    assert_eq!(tree.to_text(Some(0)), "app 1\nz 1\n");
    assert!(!tree.knows_roots());
}

#[test]
fn circles_end() {
    let tree = tree(&[("a", &["b"]), ("b", &["c"]), ("c", &["a", "c"])]);
    assert_snapshot!(tree.to_text(None), @"
    a 1
    └── b 1
        └── c 1
            ├── a 1 (above)
            └── c 1 (above)
    ");
    assert_snapshot!(tree.inverted(None).to_text(None), @"
    a 1
    └── c 1
        ├── b 1
        │   └── a 1 (above)
        └── c 1 (above)
    ");
}

#[test]
fn an_inverted_tree_leads_to_the_roots() {
    let tree =
        tree(&[("app", &["b", "c"]), ("b", &["d"]), ("c", &["d", "b"]), ("d", &["e"]), ("e", &[]), ("z", &["e"])]);
    assert_snapshot!(tree.inverted(Some(&"d".parse().unwrap())).to_text(None), @"
    d 1
    ├── b 1
    │   ├── app 1
    │   └── c 1
    │       └── app 1
    └── c 1 (above)
    ");
    assert_snapshot!(tree.inverted(None).to_text(None), @"
    e 1
    ├── d 1
    │   ├── b 1
    │   │   ├── app 1
    │   │   └── c 1
    │   │       └── app 1
    │   └── c 1 (above)
    └── z 1
    ");
}

#[test]
fn what_was_asked_for_is_a_root_even_if_others_need_it() {
    let mut lock = lock(&[("a", &["b"]), ("b", &["c"]), ("c", &[]), ("d", &[])]);
    let asked = &mut lock.tool.as_mut().unwrap().asked;
    asked.add(Asker::Application, "a>=1");
    asked.add(Asker::Application, "not readable");
    asked.add(Asker::Group("dev".parse().unwrap()), "b");
    asked.add(Asker::Constraints, "c<2");
    lock.packages[3].marker = Some("sys_platform == 'win32'".parse().unwrap());
    let tree = Tree::of(&lock);
    assert!(tree.knows_roots());
    assert_snapshot!(tree.to_text(None), @"
    a 1
    └── b 1
        └── c 1
    b 1 [group `dev`] (above)
    ");
    assert_snapshot!(tree.inverted(Some(&"c".parse().unwrap())).to_text(None), @"
    c 1
    └── b 1 [group `dev`: b]
        └── a 1 [the application: a>=1]
    ");
}

#[test]
fn a_target_has_the_entries_that_apply_on_it() {
    let on = |text: &str, files: &[(&str, &[&str])]| Resolution {
        target: target(text),
        packages: files.iter().map(|(file, needs)| resolved(file, needs, &["base"])).collect(),
    };
    let linux = on(
        "linux-x86_64 3.10",
        &[("a-1-py3-none-any.whl", &["b", "c"]), ("b-1-py3-none-any.whl", &[]), ("c-1-py3-none-any.whl", &[])],
    );
    let windows = on("windows-x86_64 3.10", &[("a-1-py3-none-any.whl", &["b"]), ("b-2-py3-none-any.whl", &[])]);
    let lock = merge(&[linux, windows], settings()).unwrap();
    assert_snapshot!(Tree::of(&lock).to_text(None), @"
    a 1
    ├── b 1 (sys_platform == 'linux'), 2 (sys_platform == 'win32')
    └── c 1 [linux-x86_64 python 3.10]
    ");
    assert_snapshot!(Tree::on(&lock, &lock.targets()[1..]).to_text(None), @"
    a 1
    └── b 2
    ");
}

#[test]
fn a_need_that_is_for_other_machines_is_left_out() {
    let mut lock = lock(&[("a", &["b", "c", "d", "e"]), ("b", &[]), ("c", &[]), ("d", &[]), ("e", &[])]);
    let asked = &mut lock.tool.as_mut().unwrap().asked;
    let a = Asker::Package("a".parse().unwrap(), "1".parse().unwrap());
    for name in ["a[x]", "b", "c", "d", "e"] {
        asked.add(Asker::Application, name);
    }
    asked.add(a.clone(), "b; sys_platform == 'win32'");
    asked.add(a.clone(), "c; sys_platform == 'win32' or extra == 'x'");
    asked.add(a.clone(), "d; platform_release > '5'");
    assert_snapshot!(Tree::of(&lock).to_text(None), @"
    a 1
    ├── c 1
    ├── d 1
    └── e 1
    b 1
    c 1
    d 1
    e 1
    ");
}
