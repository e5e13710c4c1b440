//! Yanked versions: only by an exact pin, or when they are locked already.

use insta::assert_snapshot;

use crate::universe::{ask, check};

#[test]
fn only_yanked_versions_exist() {
    let universe = "
        a 1.0 yanked
        a 2.0 yanked=broken
        ";
    assert_snapshot!(ask(universe, "a"), @r#"
    Because you require `a` (app.toml:1) and no version of a can be used (yanked), there is no solution.
    hint: a 1.0 is yanked; only an exact `==` takes it
    hint: a 2.0 is yanked (broken); only an exact `==` takes it
    "#);
}

#[test]
fn only_yanked_versions_exist_in_the_range() {
    let universe = "
        a 0.1
        a 1.0 yanked=a_typo
        ";
    assert_snapshot!(ask(universe, "a>0.1"), @r#"
    Because you require `a>0.1` (app.toml:1) and a 1.0 cannot be used (yanked), there is no solution.
    hint: a 1.0 is yanked (a_typo); only an exact `==` takes it
    "#);
}

#[test]
fn an_exact_pin_beside_a_range_takes_a_yanked_version() {
    let universe = "
        a 1.0
        a 2.0 yanked
        b 1.0 -> a>=1.0,==2.0
        ";
    assert_snapshot!(ask(universe, "a>=1.0,==2.0,!=3"), @r#"
    a 2.0
    warning: `a` 2.0 was yanked
    "#);
    assert_snapshot!(ask(universe, "b"), @r#"
    a 2.0
    b 1.0
    warning: `a` 2.0 was yanked
    "#);
    assert_snapshot!(ask(universe, "a>=1.0,!=1.0,==2.*"), @r#"
    Because you require `a>=1.0,!=1.0,==2.*` (app.toml:1) and a 2.0 cannot be used (yanked), there is no solution.
    hint: a 2.0 is yanked; only an exact `==` takes it
    "#);
}

#[test]
fn a_yanked_version_is_passed_over() {
    let universe = "
        a 1.0
        a 2.0 yanked
        ";
    assert_snapshot!(ask(universe, "a"), @"a 1.0");
}

#[test]
fn an_exact_pin_takes_a_yanked_version_and_warns() {
    let universe = "
        a 1.0
        a 2.0 yanked=broken
        ";
    assert_snapshot!(ask(universe, "a==2.0"), @r#"
    a 2.0
    warning: `a` 2.0 was yanked: broken
    "#);
    assert_snapshot!(ask(universe, "a===2.0"), @r#"
    a 2.0
    warning: `a` 2.0 was yanked: broken
    "#);
    assert_snapshot!(ask(universe, "a\nconstraint: a==2.0"), @r#"
    a 2.0
    warning: `a` 2.0 was yanked: broken
    "#);
}

#[test]
fn a_wildcard_or_a_range_is_no_exact_pin() {
    let universe = "a 2.0 yanked=broken";
    assert_snapshot!(ask(universe, "a==2.*"), @r#"
    Because you require `a==2.*` (app.toml:1) and a 2.0 cannot be used (yanked), there is no solution.
    hint: a 2.0 is yanked (broken); only an exact `==` takes it
    "#);
    assert_snapshot!(ask(universe, "a>=2.0,<=2.0"), @r#"
    Because you require `a>=2.0,<=2.0` (app.toml:1) and a 2.0 cannot be used (yanked), there is no solution.
    hint: a 2.0 is yanked (broken); only an exact `==` takes it
    "#);
}

#[test]
fn a_locked_yanked_version_is_kept() {
    let universe = "
        a 1.0 yanked
        a 2.0
        ";
    assert_snapshot!(ask(universe, "a\nlocked: a 1.0"), @r#"
    a 1.0
    warning: `a` 1.0 was yanked
    "#);
}

#[test]
fn a_locked_yanked_version_that_no_longer_fits_is_dropped() {
    let universe = "
        a 1.0 yanked
        a 2.0
        ";
    assert_snapshot!(ask(universe, "a>1\nlocked: a 1.0"), @"a 2.0");
}

/// What one target pins is lent to the next, and no reason to take what was withdrawn there.
#[test]
fn a_yanked_version_that_another_target_pins_is_not_taken() {
    let universe = "
        a 1.0
        a 2.0 yanked
        b 1.0 -> a==2.0; sys_platform == 'linux' | a
        ";
    let targets = "target: linux-x86_64 3.10\ntarget: windows-x86_64 3.10";
    for question in [format!("a==2.0; sys_platform == 'linux'\na\n{targets}"), format!("b\n{targets}")] {
        let text = ask(universe, &question);
        let (linux, windows) = text.split_once("windows-x86_64").unwrap();
        assert!(linux.contains("a 2.0") && windows.contains("a 1.0") && !windows.contains("2.0"), "{text}");
    }
    // Where the lock has it already, it stays.
    assert_snapshot!(ask(universe, "a\nlocked: a 2.0\ntarget: windows-x86_64 3.10"), @r#"
    a 2.0
    warning: `a` 2.0 was yanked
    "#);
}

#[test]
fn a_dependency_that_pins_a_yanked_version() {
    let universe = "
        a 1.0 -> b==2.0
        b 1.0
        b 2.0 yanked=broken
        ";
    assert_snapshot!(ask(universe, "a"), @r#"
    a 1.0
    b 2.0
    warning: `b` 2.0 was yanked: broken
    "#);
}

#[test]
fn a_dependency_whose_range_only_yanked_versions_meet() {
    let universe = "
        a 2.0 -> b>=2
        a 1.0 -> b<2
        b 1.0
        b 2.0 yanked
        ";
    assert_snapshot!(ask(universe, "a"), @r#"
    a 1.0
    b 1.0
    "#);
    assert_snapshot!(ask(universe, "a>1"), @r#"
    Because a 2.0 needs `b>=2` and b 2.0 cannot be used (yanked), a 2.0 cannot be used.
    And because you require `a>1` (app.toml:1), there is no solution.
    hint: b 2.0 is yanked; only an exact `==` takes it
    "#);
}

/// Once `c` lets it in it is a candidate of last resort for everybody.
#[test]
fn a_package_that_pins_a_yanked_version_does_not_drag_it_into_ranges() {
    let universe = "
        a 1.0 -> b>=1
        b 1.0
        b 2.0 yanked
        c 1.0 -> b==2.0
        ";
    assert_snapshot!(ask(universe, "a"), @r#"
    a 1.0
    b 1.0
    "#);
    assert_snapshot!(ask(universe, "a\nc"), @r#"
    a 1.0
    b 2.0
    c 1.0
    warning: `b` 2.0 was yanked
    "#);
}

#[test]
fn one_file_of_a_version_is_yanked() {
    let universe = "
        a 1.0 wheel=cp310-cp310-manylinux_2_17_x86_64 yanked=wrong_tag
        a 1.0 wheel=py3-none-any
        ";
    assert_snapshot!(ask(universe, "a"), @"a 1.0");
}

/// What is left of the version serves some releases of the target's Python only: those get it, the others get nothing.
#[test]
fn one_file_of_a_version_is_yanked_and_another_serves_a_part_of_the_target() {
    let universe = "
        a 1.0 wheel=cp310-abi3-manylinux_2_17_x86_64 yanked
        a 1.0 wheel=py3-none-any python=>=3.10.4
        ";
    assert_snapshot!(ask(universe, "a"), @r#"
    linux-x86_64 python 3.10 (<3.10.4):
      Because you require `a` (app.toml:1) and a 1.0 cannot be used (yanked), there is no solution.
      hint: a 1.0 is yanked; only an exact `==` takes it
    linux-x86_64 python 3.10 (>=3.10.4):
      a 1.0
    "#);
    // What is left was withdrawn as well, or is for another Python: nothing is to be divided.
    assert_snapshot!(ask(&universe.replace(">=3.10.4", ">=3.10.4 yanked"), "a"), @r#"
    Because you require `a` (app.toml:1) and a 1.0 cannot be used (yanked), there is no solution.
    hint: a 1.0 is yanked; only an exact `==` takes it
    "#);
    assert_snapshot!(ask(&universe.replace(">=3.10.4", ">=3.11"), "a"), @r#"
    Because you require `a` (app.toml:1) and a 1.0 cannot be used (yanked), there is no solution.
    hint: a 1.0 is yanked; only an exact `==` takes it
    "#);
    // Of an older version that serves everybody, everybody gets that.
    assert_snapshot!(ask(&format!("{universe}\na 0.9"), "a"), @"a 0.9");
}

#[test]
fn lowest_and_yanked() {
    let universe = "
        a 1.0 yanked
        a 2.0
        ";
    assert_snapshot!(ask(universe, "a\nstrategy: lowest"), @"a 2.0");
}

/// One package is content with any, another pins what was withdrawn: then the pin decides, whoever writes it.
#[test]
fn a_pin_on_a_yanked_version_beside_a_range() {
    let universe = "a 1.0 -> c==2.0\nb 1.0 -> c>=1.0,<=3.0\nc 1.0\nc 2.0 yanked\nc 3.0";
    check(universe, "a\nb", "a 1.0, b 1.0, c 2.0");
    check(universe, "a\nb\nc==2.0", "a 1.0, b 1.0, c 2.0");
    check(universe, "b", "b 1.0, c 3.0");
}

/// Also where the maintainer's own range has no candidate before the package is looked at that pins one.
#[test]
fn a_pin_on_a_yanked_version_beside_a_range_of_yours() {
    let universe = "a 1.0 -> c==1.0\nb 1.0\nc 1.0 yanked\nc 2.0";
    check(universe, "a\nc<2", "a 1.0, c 1.0");
    check(universe, "b\nc<2", "no solution");
}
