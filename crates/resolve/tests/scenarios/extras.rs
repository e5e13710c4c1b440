//! Extras: what they add, of which version, and those that do not exist.

use insta::assert_snapshot;

use crate::universe::ask;

#[test]
fn extras_add_what_they_need() {
    let universe = "
        a 1.0 extras=x,y -> b; extra == 'x' | c; extra == 'y' | d
        b 1.0
        c 1.0
        d 1.0
        ";
    assert_snapshot!(ask(universe, "a"), @r#"
    a 1.0
    d 1.0
    "#);
    assert_snapshot!(ask(universe, "a[x]"), @r#"
    a 1.0
    b 1.0
    d 1.0
    "#);
    assert_snapshot!(ask(universe, "a[x,y]"), @r#"
    a 1.0
    b 1.0
    c 1.0
    d 1.0
    "#);
    assert_snapshot!(ask(universe, "a[x]\na[y]"), @r#"
    a 1.0
    b 1.0
    c 1.0
    d 1.0
    "#);
}

#[test]
fn names_of_extras_are_normalised() {
    let universe = "
        a 1.0 extras=some-extra -> b; extra == 'Some_Extra'
        b 1.0
        ";
    assert_snapshot!(ask(universe, "a[SOME.extra]"), @r#"
    a 1.0
    b 1.0
    "#);
}

#[test]
fn an_unknown_extra_is_a_warning() {
    let universe = "
        a 1.0 extras=x -> b; extra == 'x'
        b 1.0
        ";
    assert_snapshot!(ask(universe, "a[x,nope]"), @r#"
    a 1.0
    b 1.0
    warning: `a` 1.0 has no extra `nope`
    "#);
}

#[test]
fn an_unknown_extra_is_no_reason_to_go_back() {
    let universe = "
        a 2.0
        a 1.0 extras=x -> b; extra == 'x'
        b 1.0
        ";
    assert_snapshot!(ask(universe, "a[x]"), @r#"
    a 2.0
    warning: `a` 2.0 has no extra `x`
    "#);
}

#[test]
fn an_extra_that_another_version_has() {
    let universe = "
        a 2.0
        a 1.0 extras=x -> b; extra == 'x'
        b 1.0
        ";
    assert_snapshot!(ask(universe, "a[x]<2"), @r#"
    a 1.0
    b 1.0
    "#);
}

/// `a[all]` requires `a[x]` and `a[y]`.
#[test]
fn an_extra_that_names_the_others() {
    let universe = "
        a 1.0 extras=all,x,y -> a[x]; extra == 'all' | a[y]; extra == 'all' | b; extra == 'x' | c; extra == 'y'
        b 1.0
        c 1.0
        ";
    assert_snapshot!(ask(universe, "a[all]"), @r#"
    a 1.0
    b 1.0
    c 1.0
    "#);
    assert_snapshot!(ask(universe, "a[x]"), @r#"
    a 1.0
    b 1.0
    "#);
}

#[test]
fn an_extra_that_asks_for_another_version_of_its_own_project() {
    let universe = "
        a 2.0 extras=all,x -> a[x]<2; extra == 'all' | b; extra == 'x'
        a 1.0 extras=all,x -> a[x]; extra == 'all' | b; extra == 'x'
        b 1.0
        ";
    assert_snapshot!(ask(universe, "a[all]"), @r#"
    a 1.0
    b 1.0
    "#);
    assert_snapshot!(ask(universe, "a[all]>=2"), @"Because you require `a[all]>=2` (app.toml:1) and a[all] 2.0 needs `a[x]<2`, which no version can meet, there is no solution.");
}

#[test]
fn extras_in_a_cycle() {
    let universe = "
        a 1.0 extras=x -> b[y]; extra == 'x'
        b 1.0 extras=y -> a[x]; extra == 'y'
        ";
    assert_snapshot!(ask(universe, "a[x]"), @r#"
    a 1.0
    b 1.0
    "#);
}

#[test]
fn an_extra_has_its_projects_version() {
    let universe = "
        a 2.0 extras=x -> b<1; extra == 'x'
        a 1.0 extras=x -> b; extra == 'x'
        b 0.5
        b 1.0
        b 2.0
        ";
    assert_snapshot!(ask(universe, "a[x]"), @r#"
    a 2.0
    b 0.5
    "#);
    assert_snapshot!(ask(universe, "a[x]\nb>=2"), @r#"
    a 1.0
    b 2.0
    "#);
    assert_snapshot!(ask(universe, "a\nb>=2"), @r#"
    a 2.0
    b 2.0
    "#);
    assert_snapshot!(ask(universe, "a[x]>=2\nb>=1"), @r#"
    Because you require `b>=1` (app.toml:2) and a[x] 2.0 needs `b<1`, a[x] 2.0 cannot be used with what you require.
    And because you require `a[x]>=2` (app.toml:1), there is no solution.
    "#);
}

#[test]
fn an_extra_asked_for_late_changes_what_was_chosen() {
    let universe = "
        a 2.0 extras=x -> b<1; extra == 'x'
        a 1.0 extras=x -> b; extra == 'x'
        b 0.5
        b 1.0
        b 2.0
        c 1.0 -> a[x]>=2 | d
        d 1.0 -> b
        ";
    assert_snapshot!(ask(universe, "b\nc"), @r#"
    a 2.0
    b 0.5
    c 1.0
    d 1.0
    "#);
}

#[test]
fn two_extras_that_exclude_each_other() {
    let universe = "
        a 1.0 extras=x,y -> b==1.0; extra == 'x' | b==2.0; extra == 'y'
        b 1.0
        b 2.0
        ";
    assert_snapshot!(ask(universe, "a[x]"), @r#"
    a 1.0
    b 1.0
    "#);
    assert_snapshot!(ask(universe, "a[x,y]"), @r#"
    Because a[x] 1.0 needs `b==1.0` and a[y] 1.0 needs `b==2.0`, a[x] 1.0 and a[y] 1.0 cannot be used together.
    And because you require `a[x,y]` (app.toml:1), there is no solution.
    "#);
}

#[test]
fn an_older_version_whose_extras_agree() {
    let universe = "
        a 2.0 extras=x,y -> b==1.0; extra == 'x' | b==2.0; extra == 'y'
        a 1.0 extras=x,y -> b==1.0; extra == 'x' | b>=1.0; extra == 'y'
        b 1.0
        b 2.0
        ";
    assert_snapshot!(ask(universe, "a[x,y]"), @r#"
    a 1.0
    b 1.0
    "#);
}

#[test]
fn an_extra_that_contradicts_a_requirement() {
    let universe = "
        a 1.0 extras=x -> b<1; extra == 'x'
        b 0.5
        b 1.0
        ";
    assert_snapshot!(ask(universe, "a[x]\nb>=1"), @r#"
    Because you require `b>=1` (app.toml:2) and a[x] 1.0 needs `b<1`, a[x] 1.0 cannot be used with what you require.
    And because you require `a[x]` (app.toml:1), there is no solution.
    "#);
}

#[test]
fn an_extra_whose_dependency_does_not_exist() {
    let universe = "
        a 2.0 extras=x -> gone; extra == 'x'
        a 1.0 extras=x -> b; extra == 'x'
        b 1.0
        ";
    assert_snapshot!(ask(universe, "a[x]"), @r#"
    a 1.0
    b 1.0
    "#);
    assert_snapshot!(ask(universe, "a"), @"a 2.0");
}

#[test]
fn an_extra_for_one_system_only() {
    let universe = "
        a 1.0 extras=x -> b; extra == 'x' and sys_platform == 'win32' | c; extra == 'x' or os_name == 'nt'
        b 1.0
        c 1.0
        ";
    assert_snapshot!(ask(universe, "a[x]"), @r#"
    a 1.0
    c 1.0
    "#);
    assert_snapshot!(ask(universe, "a[x]\ntarget: windows-x86_64 3.10"), @r#"
    a 1.0
    b 1.0
    c 1.0
    "#);
    assert_snapshot!(ask(universe, "a\ntarget: windows-x86_64 3.10"), @r#"
    a 1.0
    c 1.0
    "#);
}

#[test]
fn an_extra_of_a_dependency() {
    let universe = "
        a 1.0 -> b[x]
        b 1.0 extras=x -> c; extra == 'x'
        c 1.0
        ";
    assert_snapshot!(ask(universe, "a"), @r#"
    a 1.0
    b 1.0
    c 1.0
    "#);
}

/// `extra != 'x'` holds where the extra is not wanted, and also beside it: the project itself is always there.
#[test]
fn a_marker_that_wants_an_extra_not_given() {
    let universe = "
        a 1.0 extras=x -> b; extra != 'x'
        b 1.0
        ";
    assert_snapshot!(ask(universe, "a"), @r#"
    a 1.0
    b 1.0
    "#);
    assert_snapshot!(ask(universe, "a[x]"), @r#"
    a 1.0
    b 1.0
    "#);
}

#[test]
fn the_applications_extras_and_groups() {
    let universe = "
        a 1.0 -> c
        b 1.0 -> c | d
        c 1.0
        d 1.0 extras=x -> e; extra == 'x'
        e 1.0
        ";
    assert_snapshot!(ask(universe, "a\n[dev] b\n{gpu} d[x]"), @r#"
    a 1.0
    b 1.0
    c 1.0
    d 1.0
    e 1.0
    "#);
}

#[test]
fn groups_are_resolved_together() {
    let universe = "
        a 1.0
        a 2.0
        ";
    assert_snapshot!(ask(universe, "a\n[dev] a<2"), @"a 1.0");
    assert_snapshot!(ask(universe, "a>1\n[dev] a<2"), @r#"
    Because you require `a>1` (app.toml:1) and `a<2` (app.toml:2) and there is no version of a >1,<2, there is no solution.
    hint: the nearest versions of a are 1.0 and 2.0
    "#);
}

/// Of what nobody wants an extra has a version of its own, which is nothing to tell.
#[test]
fn an_extra_that_no_version_can_have_is_told_in_words() {
    let universe = "
        a 1.0
        a 2.0
        b 1.0 extras=x -> a>1; extra == 'x'
        b 2.0 wheel=py3-none-win_amd64 extras=x
        b 2.3a1 extras=x
        ";
    assert_snapshot!(ask(universe, "b[x]<1!0\nconstraint: a<=1.0"), @r#"
    Because b[x] 1.0 needs `a>1` and a 2.0 cannot be used (ruled out by the constraint `a<=1.0`), b[x] 1.0 cannot be used.
    And because b 2.0 and newer cannot be used (pre-release; no wheel for linux-x86_64 python 3.10), no version of b[x] can be used.
    And because you require `b[x]<1!0` (app.toml:1), there is no solution.
    hint: a 2.0 exists, but the constraint `a<=1.0` rules it out
    hint: b 2.0 has no wheel that every linux-x86_64 python 3.10 can use, and no sdist; its wheels for this Python are for `win_amd64`
    hint: b 2.3a1 is a pre-release; the setting prerelease = "if-necessary" does not take it here
    "#);
    let own = ask("b 1\nb 2rc1\nb 3 extras=x -> b[x]<2; extra == 'x'", "b[x]>=2");
    assert!(own.contains("b[x] 3 needs `b[x]<2`") && !own.contains("99"), "{own}");
}
