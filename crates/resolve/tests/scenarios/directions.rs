//! Constraints, overrides, preferences, and what is excluded.

use insta::assert_snapshot;

use crate::universe::ask;

#[test]
fn constraints_narrow_and_never_add() {
    let universe = "
        a 1.0 -> b
        b 1.0
        b 2.0
        c 1.0
        ";
    assert_snapshot!(ask(universe, "a\nconstraint: b<2\nconstraint: c==1.0"), @r#"
    a 1.0
    b 1.0
    "#);
}

#[test]
fn a_constraint_in_the_way() {
    let universe = "
        a 1.0 -> b>=2
        b 1.0
        b 2.0
        ";
    assert_snapshot!(ask(universe, "a\nconstraint: b<2"), @r#"
    Because a 1.0 needs `b>=2` and b 2.0 cannot be used (ruled out by the constraint `b<2`), a 1.0 cannot be used.
    And because you require `a` (app.toml:1), there is no solution.
    hint: b 2.0 exists, but the constraint `b<2` rules it out
    "#);
}

#[test]
fn constraints_that_contradict_each_other() {
    let universe = "
        a 1.0
        a 2.0
        ";
    assert_snapshot!(ask(universe, "a\nconstraint: a>1\nconstraint: a<2"), @r#"
    Because you require `a` (app.toml:1) and no version of a can be used (ruled out by the constraints `a>1` and `a<2`), there is no solution.
    hint: a 2.0 and 1.0 exist, but the constraints `a>1` and `a<2` rule them out
    "#);
}

#[test]
fn a_constraint_makes_a_package_go_back() {
    let universe = "
        a 2.0 -> b>=2
        a 1.0 -> b
        b 1.0
        b 2.0
        ";
    assert_snapshot!(ask(universe, "a\nconstraint: b<2"), @r#"
    a 1.0
    b 1.0
    "#);
}

#[test]
fn an_override_replaces_every_declared_range() {
    let universe = "
        a 1.0 -> b>=2
        c 1.0 -> b<1
        b 1.5
        b 2.5
        ";
    assert_snapshot!(ask(universe, "a\nc"), @r#"
    Because a 1.0 needs `b>=2` and c 1.0 needs `b<1`, a 1.0 and c 1.0 cannot be used together.
    And because you require `a` (app.toml:1), c 1.0 cannot be used with what you require.
    And because you require `c` (app.toml:2), there is no solution.
    "#);
    assert_snapshot!(ask(universe, "a\nc\noverride: b==1.5"), @r#"
    a 1.0
    b 1.5
    c 1.0
    "#);
    assert_snapshot!(ask(universe, "a\nb>=2.5\noverride: b==1.5"), @r#"
    a 1.0
    b 1.5
    "#);
}

#[test]
fn an_override_without_a_range_lifts_every_range() {
    let universe = "
        a 1.0 -> b>=2,<1
        b 2.5
        ";
    assert_snapshot!(ask(universe, "a\noverride: b"), @r#"
    a 1.0
    b 2.5
    "#);
}

#[test]
fn an_override_in_the_way() {
    let universe = "
        a 1.0 -> b>=2
        b 1.0
        ";
    assert_snapshot!(ask(universe, "a\noverride: b==3"), @r#"
    Because a 1.0 needs `b==3` (by your override) and there is no version of b ==3, a 1.0 cannot be used.
    And because you require `a` (app.toml:1), there is no solution.
    hint: the only version of b is 1.0
    "#);
}

#[test]
fn an_override_adds_nothing_by_itself() {
    let universe = "
        a 1.0
        b 1.0
        ";
    assert_snapshot!(ask(universe, "a\noverride: b==1.0"), @"a 1.0");
}

#[test]
fn an_override_keeps_markers_and_extras() {
    let universe = "
        a 1.0 -> b>5; os_name == 'nt' | c[x]>5
        b 1.0
        c 1.0 extras=x -> d; extra == 'x'
        d 1.0
        ";
    assert_snapshot!(ask(universe, "a\noverride: b==1.0\noverride: c==1.0"), @r#"
    a 1.0
    c 1.0
    d 1.0
    "#);
    assert_snapshot!(ask(universe, "a\noverride: b==1.0\noverride: c==1.0\ntarget: windows-x86_64 3.10"), @r#"
    a 1.0
    b 1.0
    c 1.0
    d 1.0
    "#);
}

#[test]
fn an_override_for_one_system() {
    let universe = "
        a 1.0 -> b<2
        b 1.0
        b 2.0
        ";
    assert_snapshot!(ask(universe, "a\noverride: b>=2; sys_platform == 'win32'\ntarget: linux-x86_64 3.10\ntarget: windows-x86_64 3.10"), @r#"
    linux-x86_64 python 3.10:
      a 1.0
      b 1.0
    windows-x86_64 python 3.10:
      a 1.0
      b 2.0
    "#);
}

#[test]
fn two_overrides_of_one_project_both_hold() {
    let universe = "
        a 1.0 -> b<2
        b 1.0
        b 2.0
        b 3.0
        ";
    assert_snapshot!(ask(universe, "a\noverride: b>=2\noverride: b<3"), @r#"
    a 1.0
    b 2.0
    "#);
}

#[test]
fn an_override_takes_the_place_of_a_url() {
    let universe = "
        a 1.0 -> b @ https://evil.test/b.whl
        b 1.0
        ";
    assert_snapshot!(ask(universe, "a\noverride: b==1.0"), @r#"
    a 1.0
    b 1.0
    "#);
}

#[test]
fn constraints_hold_beside_overrides() {
    let universe = "
        a 1.0 -> b<2
        b 1.0
        b 2.0
        ";
    assert_snapshot!(ask(universe, "a\noverride: b>=2\nconstraint: b<2"), @r#"
    Because a 1.0 needs `b>=2` (by your override) and b 2.0 cannot be used (ruled out by the constraint `b<2`), a 1.0 cannot be used.
    And because you require `a` (app.toml:1), there is no solution.
    hint: b 2.0 exists, but the constraint `b<2` rules it out
    "#);
}

/// It can surprise where something else has no solution.
#[test]
fn an_excluded_direct_requirement_is_said() {
    let universe = "
        a 1.0 -> c
        b 1.0
        ";
    assert_snapshot!(ask(universe, "a\nb\nexclude: b"), @r#"
    Because a 1.0 needs `c` and c does not exist on https://index.test/simple/, a 1.0 cannot be used.
    And because you require `a` (app.toml:1), there is no solution.
    hint: b (app.toml:2) is never installed: `exclude` names it
    hint: there is no project c on https://index.test/simple/
    "#);
}

#[test]
fn preferences_are_kept_where_they_fit() {
    let universe = "
        a 1.0 -> b
        a 2.0 -> b
        b 1.0
        b 2.0
        b 3.0
        ";
    assert_snapshot!(ask(universe, "a\nprefer: a 1.0\nprefer: b 2.0"), @r#"
    a 1.0
    b 2.0
    "#);
    assert_snapshot!(ask(universe, "a>1\nprefer: a 1.0\nprefer: b 9.0"), @r#"
    a 2.0
    b 3.0
    "#);
}

/// A lock may have several versions of a project, each for some targets.
#[test]
fn the_first_locked_version_that_fits_is_kept() {
    let universe = "
        a 1.0
        a 1.5
        a 2.0
        a 2.5
        ";
    let locked = "locked: a 1.0\nlocked: a 2.0\nprefer: a 1.5";
    assert_snapshot!(ask(universe, &format!("a\n{locked}")), @"a 1.0");
    assert_snapshot!(ask(universe, &format!("a>1\n{locked}")), @"a 2.0");
    assert_snapshot!(ask(universe, &format!("a>1,!=2.0\n{locked}")), @"a 1.5");
    assert_snapshot!(ask(universe, &format!("a>2\n{locked}")), @"a 2.5");
}

#[test]
fn a_preference_counts_more_than_the_strategy() {
    let universe = "
        a 1.0 -> b
        b 1.0
        b 2.0
        b 3.0
        ";
    assert_snapshot!(ask(universe, "a\nprefer: b 2.0\nstrategy: lowest"), @r#"
    a 1.0
    b 2.0
    "#);
}

#[test]
fn a_preference_that_leads_nowhere_is_dropped() {
    let universe = "
        a 1.0 -> gone
        a 2.0
        ";
    assert_snapshot!(ask(universe, "a\nprefer: a 1.0"), @"a 2.0");
}

#[test]
fn a_preference_for_a_file_that_does_not_serve_the_target() {
    let universe = "
        a 1.0 wheel=cp310-cp310-win_amd64
        a 2.0
        ";
    assert_snapshot!(ask(universe, "a\nprefer: a 1.0"), @"a 2.0");
}

#[test]
fn a_preferred_dependency_does_not_hold_a_direct_requirement_back() {
    let universe = "
        a 2.0 -> b>=2
        a 1.0 -> b
        b 1.0
        b 2.0
        ";
    assert_snapshot!(ask(universe, "a\nprefer: b 1.0"), @r#"
    a 2.0
    b 2.0
    "#);
    assert_snapshot!(ask(universe, "a\nprefer: a 1.0\nprefer: b 1.0"), @r#"
    a 1.0
    b 1.0
    "#);
}
