//! Pre-releases, in all four modes.

use insta::assert_snapshot;

use crate::universe::{ask, check};

#[test]
fn a_pre_release_is_not_taken_while_there_is_a_final_release() {
    let universe = "
        a 1.0
        a 2.0rc1
        a 2.0.dev1
        ";
    assert_snapshot!(ask(universe, "a"), @"a 1.0");
    assert_snapshot!(ask(universe, "a\nprerelease: explicit"), @"a 1.0");
    assert_snapshot!(ask(universe, "a\nprerelease: never"), @"a 1.0");
    assert_snapshot!(ask(universe, "a\nprerelease: allow"), @"a 2.0rc1");
}

#[test]
fn a_requirement_that_names_one_asks_for_pre_releases() {
    let universe = "
        a 1.0
        a 2.0a1
        a 2.0rc1
        ";
    assert_snapshot!(ask(universe, "a>=2.0a1"), @"a 2.0rc1");
    assert_snapshot!(ask(universe, "a==2.0a1"), @"a 2.0a1");
    assert_snapshot!(ask(universe, "a>=2.0a1\nprerelease: explicit"), @"a 2.0rc1");
    assert_snapshot!(ask(universe, "a>=2.0a1\nprerelease: never"), @r#"
    Because you require `a>=2.0a1` (app.toml:1) and a 2.0a1 and newer cannot be used (pre-release), there is no solution.
    hint: a 2.0rc1 and 2.0a1 are pre-releases; the setting prerelease = "never" does not take them here
    "#);
}

#[test]
fn a_range_that_only_a_pre_release_fits_does_not_ask_for_it() {
    let universe = "
        a 1.0
        a 2.0rc1
        ";
    assert_snapshot!(ask(universe, "a>1"), @r#"
    Because you require `a>1` (app.toml:1) and a 2.0rc1 cannot be used (pre-release), there is no solution.
    hint: a 2.0rc1 is a pre-release; the setting prerelease = "if-necessary" does not take it here
    "#);
}

#[test]
fn only_pre_releases_exist() {
    let universe = "
        a 1.0b1
        a 1.0b2
        ";
    assert_snapshot!(ask(universe, "a"), @"a 1.0b2");
    assert_snapshot!(ask(universe, "a\nprerelease: explicit"), @r#"
    Because you require `a` (app.toml:1) and no version of a can be used (pre-release), there is no solution.
    hint: a 1.0b2 and 1.0b1 are pre-releases; the setting prerelease = "explicit" does not take them here
    "#);
    assert_snapshot!(ask(universe, "a\nprerelease: never"), @r#"
    Because you require `a` (app.toml:1) and no version of a can be used (pre-release), there is no solution.
    hint: a 1.0b2 and 1.0b1 are pre-releases; the setting prerelease = "never" does not take them here
    "#);
}

#[test]
fn only_pre_releases_exist_in_the_range() {
    let universe = "
        a 0.9
        a 1.0b1
        ";
    assert_snapshot!(ask(universe, "a>0.9"), @r#"
    Because you require `a>0.9` (app.toml:1) and a 1.0b1 cannot be used (pre-release), there is no solution.
    hint: a 1.0b1 is a pre-release; the setting prerelease = "if-necessary" does not take it here
    "#);
}

/// `~=3.6` has an upper bound of its own making, `<4.dev0`; it names no pre-release.
#[test]
fn a_compatible_release_is_no_request_for_pre_releases() {
    let universe = "
        a 3.6
        a 3.7
        a 3.8rc1
        a 4.0.dev1
        ";
    assert_snapshot!(ask(universe, "a~=3.6"), @"a 3.7");
    assert_snapshot!(ask(universe, "a~=3.6\nprerelease: allow"), @"a 3.8rc1");
}

#[test]
fn to_rule_a_pre_release_out_is_no_request_for_others() {
    let universe = "
        a 1.0
        a 2.0rc1
        a 2.0rc2
        b 1.0 -> a!=2.0rc1
        ";
    for question in ["a!=2.0rc1", "a>=1,!=2.0rc1", "a\nconstraint: a!=2.0rc1", "a!=2.0rc1\nprerelease: explicit"] {
        assert_eq!(ask(universe, question), "a 1.0", "{question}");
    }
    assert_snapshot!(ask(universe, "b"), @"
    a 1.0
    b 1.0
    ");
    assert_snapshot!(ask(universe, "a>=2.0a1,!=2.0rc2"), @"a 2.0rc1");
}

#[test]
fn a_wildcard_is_no_request_for_pre_releases() {
    let universe = "
        a 1.1
        a 1.2a1
        ";
    assert_snapshot!(ask(universe, "a==1.*"), @"a 1.1");
    assert_snapshot!(ask(universe, "a!=1.0.*"), @"a 1.1");
}

#[test]
fn the_pre_releases_of_an_upper_bound_lie_beyond_it() {
    let universe = "
        a 1.9
        a 2.0a1
        a 2.0.dev3
        ";
    assert_snapshot!(ask(universe, "a<2.0\nprerelease: allow"), @"a 1.9");
    assert_snapshot!(ask(universe, "a<2.0a1\nprerelease: allow"), @"a 2.0.dev3");
    assert_snapshot!(ask(universe, "a<=2.0\nprerelease: allow"), @"a 2.0a1");
}

#[test]
fn kinds_of_pre_releases_are_ordered() {
    let universe = "
        a 1.0.dev1
        a 1.0a1
        a 1.0b1
        a 1.0rc1
        ";
    assert_snapshot!(ask(universe, "a"), @"a 1.0rc1");
    assert_snapshot!(ask(universe, "a<1.0rc1"), @"a 1.0b1");
    assert_snapshot!(ask(universe, "a<1.0b1"), @"a 1.0a1");
    assert_snapshot!(ask(universe, "a<1.0a1"), @"a 1.0.dev1");
}

#[test]
fn numbers_of_pre_releases_are_ordered() {
    let universe = "
        a 1.0rc2
        a 1.0rc10
        a 1.0rc9
        ";
    assert_snapshot!(ask(universe, "a"), @"a 1.0rc10");
}

/// But a final release is taken before one that only a package names.
#[test]
fn a_dependency_that_names_a_pre_release_lets_it_in() {
    let universe = "
        a 1.0 -> b>=1.0rc1
        b 1.0rc2
        b 0.9
        c 1.0 -> d>=1.0rc1
        d 1.0
        d 2.0rc1
        ";
    assert_snapshot!(ask(universe, "a"), @r#"
    a 1.0
    b 1.0rc2
    "#);
    assert_snapshot!(ask(universe, "c"), @r#"
    c 1.0
    d 1.0
    "#);
    assert_snapshot!(ask(universe, "a\nprerelease: explicit"), @r#"
    Because a 1.0 needs `b>=1.0rc1` and b 1.0rc2 cannot be used (pre-release), a 1.0 cannot be used.
    And because you require `a` (app.toml:1), there is no solution.
    hint: b 1.0rc2 is a pre-release; the setting prerelease = "explicit" does not take it here
    "#);
    assert_snapshot!(ask(universe, "a\nb>=0.9rc1\nprerelease: explicit"), @r#"
    a 1.0
    b 1.0rc2
    "#);
}

#[test]
fn a_dependency_that_only_has_pre_releases() {
    let universe = "
        a 1.0 -> b
        b 1.0a1
        ";
    assert_snapshot!(ask(universe, "a"), @r#"
    a 1.0
    b 1.0a1
    "#);
    assert_snapshot!(ask(universe, "a\nprerelease: explicit"), @r#"
    Because a 1.0 needs `b` and b 1.0a1 cannot be used (pre-release), a 1.0 cannot be used.
    And because you require `a` (app.toml:1), there is no solution.
    hint: b 1.0a1 is a pre-release; the setting prerelease = "explicit" does not take it here
    "#);
}

/// What one package lets in holds for everybody, so the two agree.
#[test]
fn a_dependency_on_a_pre_release_meets_a_requirement_on_a_final_release() {
    let universe = "
        a 1.0 -> c==2.0b1
        b 1.0 -> c>=1.0,<=3.0
        c 1.0
        c 2.0b1
        ";
    assert_snapshot!(ask(universe, "a\nb"), @r#"
    a 1.0
    b 1.0
    c 2.0b1
    "#);
}

/// Also where the maintainer's own range has no candidate before the package is looked at that lets one in.
#[test]
fn what_a_package_lets_in_meets_what_you_require() {
    let universe = |needs: &str| format!("a 1.0 extras=x -> {needs}\nb 1.0 -> c<1.1\nc 1.0.dev1 extras=y\nc 1.1");
    let plain = universe("c>=1.0.dev1");
    check(&plain, "a\nc<1.1", "a 1.0, c 1.0.dev1");
    check(&plain, "a\nc[y]<1.1", "a 1.0, c 1.0.dev1");
    check(&plain, "a\nb", "a 1.0, b 1.0, c 1.0.dev1");
    let by_extra = universe("c>=1.0.dev1; extra == 'x'");
    check(&by_extra, "a[x]\nc<1.1", "a 1.0, c 1.0.dev1");
    check(&by_extra, "a\nc<1.1", "no solution");
    check(&plain, "a\nc<1.1\nprerelease: explicit", "no solution");
    check(&plain, "b\nc<1.1", "no solution");
    // Of two that wait for each other, neither is let in; of two that wait for others, both.
    check("a 1.0rc1 -> b==1.0rc1\na 0.9\nb 1.0rc1 -> a==1.0rc1\nb 0.9", "a>0.9\nb>0.9", "no solution");
    let both = "a 1.0 -> c==1.0rc1\nc 1.0rc1 -> d==1.0rc1\nc 0.9\nd 1.0rc1\nd 0.9";
    check(both, "a\nc>0.9\nd>0.9", "a 1.0, c 1.0rc1, d 1.0rc1");
}

#[test]
fn many_pre_releases_with_holes() {
    let universe = "
        a 1.0 -> c!=2.0b2,!=2.0b3,!=2.0b5,>=2.0b1
        c 1.0
        c 2.0b1
        c 2.0b2
        c 2.0b3
        c 2.0b4
        c 2.0b5
        ";
    assert_snapshot!(ask(universe, "a"), @r#"
    a 1.0
    c 2.0b4
    "#);
}

#[test]
fn a_constraint_that_names_one_asks_for_pre_releases() {
    let universe = "
        a 1.0
        a 2.0.dev1
        a 2.0rc1
        ";
    assert_snapshot!(ask(universe, "a\nconstraint: a<2.0rc1"), @"a 2.0.dev1");
}

#[test]
fn a_yanked_final_release_still_makes_the_pre_releases_wait() {
    let universe = "
        a 1.0b1
        a 1.0 yanked
        ";
    assert_snapshot!(ask(universe, "a"), @r#"
    Because you require `a` (app.toml:1) and no version of a can be used (yanked; pre-release), there is no solution.
    hint: a 1.0b1 is a pre-release; the setting prerelease = "if-necessary" does not take it here
    hint: a 1.0 is yanked; only an exact `==` takes it
    "#);
}

#[test]
fn a_final_release_after_the_cutoff_does_not_exist() {
    let universe = "
        a 1.0b1 at=2024-01-01
        a 1.0 at=2024-06-01
        ";
    assert_snapshot!(ask(universe, "a\nnewer: 2024-02-01T00:00:00Z"), @"a 1.0b1");
    assert_snapshot!(ask(universe, "a\nnewer: 2024-07-01T00:00:00Z"), @"a 1.0");
}

#[test]
fn a_preferred_pre_release_is_kept_only_where_one_may_be_taken() {
    let universe = "
        a 1.0
        a 2.0rc1
        a 2.0rc2
        ";
    assert_snapshot!(ask(universe, "a\nprefer: a 2.0rc1"), @"a 1.0");
    assert_snapshot!(ask(universe, "a>=2.0rc1\nprefer: a 2.0rc1"), @"a 2.0rc1");
}

#[test]
fn a_pre_release_of_a_post_release() {
    let universe = "
        a 1.0
        a 1.0.post1.dev1
        ";
    assert_snapshot!(ask(universe, "a"), @"a 1.0");
    assert_snapshot!(ask(universe, "a>=1.0.post1.dev0"), @"a 1.0.post1.dev1");
}

#[test]
fn python_requirements_that_name_pre_releases_of_python() {
    let universe = "
        a 2.0 python=>=3.11.0a1
        a 1.0 python=>=3.10.0rc1
        ";
    assert_snapshot!(ask(universe, "a"), @"a 1.0");
}

#[test]
fn a_requirement_that_names_one_takes_finals_too() {
    let bounds = "a 0.1\na 0.2\na 0.2a1\na 0.2a2\na 0.2a3\na 0.3";
    for (universe, question, expected) in [
        ("a 0.1a1\na 0.2a1\na 0.3a1", "a<0.2", "a 0.1a1"),
        ("a 0.1\na 0.2a1\na 0.3", "a<0.2", "a 0.1"),
        ("a 0.1\na 0.2a1\na 0.3", "a<0.2\nprerelease: allow", "a 0.1"),
        (bounds, "a<0.2a2", "a 0.2a1"),
        ("a 0.1\na 0.2\na 0.3", "a>=0.1a1", "a 0.3"),
        ("a 0.1a1\na 0.2a1\na 0.3a1", "a>=0.1a1", "a 0.3a1"),
        ("a 0.1\na 0.2a1\na 0.3\na 1.0a1", "a>=0.1a1", "a 1.0a1"),
        ("a 0.1\na 1.0a1", "a>0.1\nprerelease: allow", "a 1.0a1"),
    ] {
        check(universe, question, expected);
    }
    let below = "a 0.1 -> b>0.1\nb 0.1\nb 1.0a1";
    check(below, "a", "no solution");
    check(below, "a\nb>0.0a1", "a 0.1, b 1.0a1");
    let pinned = "a 1.0 -> c==2.0b1\nb 1.0 -> c>=1.0,<=3.0\nc 1.0\nc 2.0b1";
    check(pinned, "a\nb\nc>=0.0a1", "a 1.0, b 1.0, c 2.0b1");
    // Of many, the final release fits one and the pre-releases the other.
    let many: String = (1..10).map(|n| format!("c 2.0a{n}\nc 2.0b{n}\n")).collect();
    let holes = format!("a 1.0 -> c>1.0,!=2.0a5,!=2.0b1,<2.0b5\nb 1.0 -> c>=1.0,<=3.0\nc 1.0\n{many}");
    check(&holes, "a\nb", "a 1.0, b 1.0, c 2.0b4");
    check(&holes, "a\nb\nprerelease: explicit", "no solution");
}
