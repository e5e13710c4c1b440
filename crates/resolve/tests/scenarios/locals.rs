//! Local versions.

use insta::assert_snapshot;

use crate::universe::{ask, check};

#[test]
fn a_public_version_is_met_by_its_local_versions() {
    let universe = "
        torch 2.1.0
        torch 2.1.0+cu121
        torch 2.2.0
        ";
    assert_snapshot!(ask(universe, "torch==2.1.0"), @"torch 2.1.0+cu121");
    assert_snapshot!(ask(universe, "torch==2.1.0+cu121"), @"torch 2.1.0+cu121");
    assert_snapshot!(ask(universe, "torch<=2.1.0"), @"torch 2.1.0+cu121");
    assert_snapshot!(ask(universe, "torch>2.1.0"), @"torch 2.2.0");
}

#[test]
fn a_local_version_that_does_not_exist() {
    let universe = "
        torch 2.1.0
        torch 2.1.0+cu121
        ";
    assert_snapshot!(ask(universe, "torch==2.1.0+cpu"), @r#"
    Because you require `torch==2.1.0+cpu` (app.toml:1) and there is no version of torch ==2.1.0+cpu, there is no solution.
    hint: the nearest versions of torch are 2.1.0 and 2.1.0+cu121
    "#);
}

#[test]
fn an_exclusion_of_a_public_version_excludes_its_local_versions() {
    let universe = "
        torch 2.0.0
        torch 2.1.0
        torch 2.1.0+cu121
        ";
    assert_snapshot!(ask(universe, "torch!=2.1.0"), @"torch 2.0.0");
    assert_snapshot!(ask(universe, "torch!=2.1.0+cu121"), @"torch 2.1.0");
}

/// Numbers are above words, and are compared as numbers.
#[test]
fn local_versions_are_ordered_by_their_parts() {
    let universe = "
        a 1.0+abc
        a 1.0+2
        a 1.0+10
        a 1.0+10.1
        ";
    assert_snapshot!(ask(universe, "a"), @"a 1.0+10.1");
    assert_snapshot!(ask(universe, "a!=1.0+10.1"), @"a 1.0+10");
}

#[test]
fn arbitrary_equality_is_of_the_very_version() {
    let universe = "
        a 1.0
        a 1.0+local
        ";
    assert_snapshot!(ask(universe, "a===1.0"), @"a 1.0");
    assert_snapshot!(ask(universe, "a===1.0+local"), @"a 1.0+local");
}

#[test]
fn a_dependency_on_the_public_version_takes_the_pinned_local_version() {
    let universe = "
        a 1.0 -> torch==2.1.0
        torch 2.1.0
        torch 2.1.0+cpu
        torch 2.1.0+cu121
        ";
    assert_snapshot!(ask(universe, "a\ntorch==2.1.0+cpu"), @r#"
    a 1.0
    torch 2.1.0+cpu
    "#);
}

#[test]
fn a_dependency_beyond_a_pinned_local_version() {
    let universe = "
        a 1.0 -> torch>2.1.0
        torch 2.1.0+cpu
        torch 2.2.0
        ";
    assert_snapshot!(ask(universe, "a\ntorch==2.1.0+cpu"), @r#"
    Because you require `a` (app.toml:1) and a 1.0 needs `torch>2.1.0`, torch 2.2.0 is needed.
    And because you require `torch==2.1.0+cpu` (app.toml:2), there is no solution.
    "#);
}

#[test]
fn two_local_versions_contradict_each_other() {
    let universe = "
        a 1.0 -> c==1.0+foo
        b 1.0 -> c==1.0+bar
        c 1.0+foo
        c 1.0+bar
        ";
    assert_snapshot!(ask(universe, "a\nb"), @r#"
    Because a 1.0 needs `c==1.0+foo` and b 1.0 needs `c==1.0+bar`, a 1.0 and b 1.0 cannot be used together.
    And because you require `a` (app.toml:1), b 1.0 cannot be used with what you require.
    And because you require `b` (app.toml:2), there is no solution.
    "#);
}

#[test]
fn backtracks_out_of_contradicting_local_versions() {
    let universe = "
        a 1.0 -> c==1.0+foo
        b 2.0 -> c==1.0+bar
        b 1.0 -> c==1.0
        c 1.0+foo
        c 1.0+bar
        ";
    assert_snapshot!(ask(universe, "a\nb"), @r#"
    a 1.0
    b 1.0
    c 1.0+foo
    "#);
}

#[test]
fn a_local_version_without_a_wheel_for_the_target() {
    let universe = "
        torch 2.1.0+cu121 wheel=cp310-cp310-win_amd64
        torch 2.1.0
        ";
    assert_snapshot!(ask(universe, "torch==2.1.0"), @"torch 2.1.0");
    assert_snapshot!(ask(universe, "torch==2.1.0\ntarget: windows-x86_64 3.10"), @"torch 2.1.0+cu121 (torch-2.1.0+cu121-cp310-cp310-win_amd64.whl)");
}

#[test]
fn a_local_version_as_source_only() {
    let universe = "
        torch 2.1.0+cu121 sdist
        torch 2.1.0
        ";
    assert_snapshot!(ask(universe, "torch==2.1.0"), @"torch 2.1.0");
    assert_snapshot!(ask(universe, "torch==2.1.0\nbuild: torch"), @"torch 2.1.0+cu121 (sdist)");
}

#[test]
fn a_local_version_of_an_older_release_is_older() {
    let universe = "
        a 1.2.0+zzz
        a 1.2.1
        ";
    assert_snapshot!(ask(universe, "a"), @"a 1.2.1");
    assert_snapshot!(ask(universe, "a<=1.2.0"), @"a 1.2.0+zzz");
}

#[test]
fn local_versions_of_a_post_release() {
    let universe = "
        a 1.0
        a 1.0.post1+cu
        ";
    assert_snapshot!(ask(universe, "a>1.0"), @r#"
    Because you require `a>1.0` (app.toml:1) and there is no version of a >1.0, there is no solution.
    hint: the newest version of a is 1.0.post1+cu
    "#);
    assert_snapshot!(ask(universe, "a==1.0.post1"), @"a 1.0.post1+cu");
}

/// What a package needs is met as what the maintainer asks for is.
#[test]
fn local_versions_below_a_package() {
    for (needs, expected) in [
        ("c==2.0", "a 1.0, c 2.0+foo"),
        ("c>=2.0", "a 1.0, c 2.0+foo"),
        ("c<=2.0", "a 1.0, c 2.0+foo"),
        ("c>2.0", "no solution"),
        ("c<2.0", "no solution"),
    ] {
        check(&format!("a 1.0 -> {needs}\nc 2.0+foo"), "a", expected);
    }
    // The plain version has no wheel for this system; of the others the greatest is taken.
    let confounding = "a 1.0 -> c==2.0\nc 2.0 wheel=py3-none-macosx_10_0_ppc64\nc 2.0+bar\nc 2.0+foo";
    check(confounding, "a", "a 1.0, c 2.0+foo");
    // An sdist of the plain version changes nothing: the local version is the greater one.
    let with_source = "c 1.2 wheel=py3-none-macosx_10_0_ppc64 sdist\nc 1.2+foo";
    check(with_source, "c==1.2\nbuild: c", "c 1.2+foo");
}
