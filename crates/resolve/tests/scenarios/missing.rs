//! Projects and versions that do not exist, and requirements that exclude each other.

use insta::assert_snapshot;

use crate::universe::ask;

/// The misspelt name is near one that is known.
#[test]
fn a_project_that_does_not_exist() {
    let universe = "requests 1.0";
    assert_snapshot!(ask(universe, "requests\nreqeusts"), @r#"
    Because you require `reqeusts` (app.toml:2) and reqeusts does not exist on https://index.test/simple/, there is no solution.
    hint: there is no project reqeusts on https://index.test/simple/; did you mean `requests`?
    "#);
}

#[test]
fn a_dependency_that_does_not_exist() {
    let universe = "a 1.0 -> b";
    assert_snapshot!(ask(universe, "a"), @r#"
    Because a 1.0 needs `b` and b does not exist on https://index.test/simple/, a 1.0 cannot be used.
    And because you require `a` (app.toml:1), there is no solution.
    hint: there is no project b on https://index.test/simple/
    "#);
}

#[test]
fn a_version_whose_dependency_does_not_exist_is_passed_over() {
    let universe = "
        a 2.0 -> gone
        a 1.0
        ";
    assert_snapshot!(ask(universe, "a"), @"a 1.0");
}

#[test]
fn an_exact_version_that_does_not_exist() {
    let universe = "
        a 1.0
        a 3.0
        ";
    assert_snapshot!(ask(universe, "a==2.0"), @r#"
    Because you require `a==2.0` (app.toml:1) and there is no version of a ==2.0, there is no solution.
    hint: the nearest versions of a are 1.0 and 3.0
    "#);
}

#[test]
fn a_newer_version_than_exists() {
    let universe = "
        a 1.0
        a 2.0
        ";
    assert_snapshot!(ask(universe, "a>2.0"), @r#"
    Because you require `a>2.0` (app.toml:1) and there is no version of a >2.0, there is no solution.
    hint: the newest version of a is 2.0
    "#);
}

#[test]
fn an_older_version_than_exists() {
    let universe = "
        a 1.0
        a 2.0
        ";
    assert_snapshot!(ask(universe, "a<1.0"), @r#"
    Because you require `a<1.0` (app.toml:1) and there is no version of a <1.0, there is no solution.
    hint: the oldest version of a is 1.0
    "#);
}

#[test]
fn a_project_without_files() {
    let universe = "status a archived";
    assert_snapshot!(ask(universe, "a"), @"Because you require `a` (app.toml:1) and a has no files, there is no solution.");
}

#[test]
fn two_requirements_that_cannot_both_hold() {
    let universe = "
        a 1.0
        a 2.0
        ";
    assert_snapshot!(ask(universe, "a==1.0\na==2.0"), @"Because you require `a==1.0` (app.toml:1) and `a==2.0` (app.toml:2), which no version can meet, there is no solution.");
}

#[test]
fn a_dependency_that_contradicts_a_requirement() {
    let universe = "
        a 1.0 -> b==1.0
        b 1.0
        b 2.0
        ";
    assert_snapshot!(ask(universe, "a\nb==2.0"), @r#"
    Because you require `a` (app.toml:1) and a 1.0 needs `b==1.0`, b 1.0 is needed.
    And because you require `b==2.0` (app.toml:2), there is no solution.
    "#);
}

#[test]
fn two_dependencies_that_contradict_each_other() {
    let universe = "
        a 1.0 -> c<2
        a 1.1 -> c<2
        b 1.0 -> c>=2
        c 1.0
        c 2.0
        ";
    assert_snapshot!(ask(universe, "a\nb"), @r#"
    Because b 1.0 needs `c>=2` and every version of a needs `c<2`, b 1.0 cannot be used with any version of a.
    And because you require `a` (app.toml:1), b 1.0 cannot be used with what you require.
    And because you require `b` (app.toml:2), there is no solution.
    "#);
}

#[test]
fn dependencies_of_dependencies_that_contradict_each_other() {
    let universe = "
        a 1.0 -> c
        b 1.0 -> d
        c 1.0 -> e==1
        d 1.0 -> e==2
        e 1
        e 2
        ";
    assert_snapshot!(ask(universe, "a\nb"), @r#"
    Because a 1.0 needs `c` and c 1.0 needs `e==1`, a 1.0 needs e 1.
    And because d 1.0 needs `e==2`, a 1.0 and d 1.0 cannot be used together.
    And because b 1.0 needs `d`, a 1.0 and b 1.0 cannot be used together.
    And because you require `a` (app.toml:1), b 1.0 cannot be used with what you require.
    And because you require `b` (app.toml:2), there is no solution.
    "#);
}

#[test]
fn nothing_is_asked_for() {
    let universe = "a 1.0";
    assert_snapshot!(ask(universe, ""), @"nothing is needed");
}

#[test]
fn the_only_version_is_excluded() {
    let universe = "a 1.0";
    assert_snapshot!(ask(universe, "a!=1.0"), @r#"
    Because you require `a!=1.0` (app.toml:1) and there is no version of a !=1.0, there is no solution.
    hint: the only version of a is 1.0
    "#);
}

#[test]
fn the_only_compatible_version_is_excluded() {
    let universe = "
        a 1.0 -> b==1.0
        a 2.0 -> b==2.0
        a 3.0 -> b==3.0
        b 1.0
        b 2.0
        b 3.0
        ";
    assert_snapshot!(ask(universe, "a!=2.0\nb==2.0"), @r#"
    Because a 1.0 needs `b==1.0` and a 3.0 needs `b==3.0`, a 1.0 and 3.0 need b 1.0 or 3.0.
    And because you require `a!=2.0` (app.toml:1), b 1.0 or 3.0 is needed.
    And because you require `b==2.0` (app.toml:2), there is no solution.
    "#);
}

/// Every version of `c` in the middle needs what `b` excludes.
#[test]
fn a_range_of_compatible_versions_is_excluded() {
    let universe = "
        a 1.0 -> b==1.0
        a 2.0 -> b==2.0
        a 2.1 -> b==2.0
        a 2.2 -> b==2.0
        a 3.0 -> b==3.0
        b 1.0
        b 2.0
        b 3.0
        c 1.0 -> a<2.0
        c 2.0 -> a>=3.0
        ";
    assert_snapshot!(ask(universe, "c\nb>=2.0,<3.0"), @r#"
    Because a 1.0 needs `b==1.0` and c 1.0 needs `a<2.0`, c 1.0 needs b 1.0.
    Because a 3.0 needs `b==3.0` and c 2.0 needs `a>=3.0`, c 2.0 needs b 3.0.
    And because c 1.0 needs b 1.0, every version of c needs b 1.0 or 3.0.
    And because you require `b>=2.0,<3.0` (app.toml:2), no version of c can be used with what you require.
    And because you require `c` (app.toml:1), there is no solution.
    "#);
}

#[test]
fn a_range_with_a_hole_of_compatible_versions_is_excluded() {
    let universe = "
        a 1.0 -> b==1.0
        a 2.0 -> b==2.0
        a 2.1 -> b==2.0
        a 2.11 -> b==2.0
        a 3.0 -> b==3.0
        b 1.0
        b 2.0
        b 3.0
        c 1.0 -> a!=2.0,!=2.1,!=2.11
        ";
    assert_snapshot!(ask(universe, "c\nb>=2.0,<3.0"), @r#"
    Because a 1.0 needs `b==1.0` and a 3.0 needs `b==3.0`, a 1.0 and 3.0 need b 1.0 or 3.0.
    And because c 1.0 needs `a!=2.0,!=2.1,!=2.11`, c 1.0 needs b 1.0 or 3.0.
    And because you require `b>=2.0,<3.0` (app.toml:2), c 1.0 cannot be used with what you require.
    And because you require `c` (app.toml:1), there is no solution.
    "#);
}

#[test]
fn an_excluded_project_is_dropped_whoever_asks() {
    let universe = "
        a 1.0 -> b | c
        b 1.0
        c 1.0 -> b
        ";
    assert_snapshot!(ask(universe, "a\nexclude: b"), @r#"
    a 1.0
    c 1.0
    "#);
    assert_snapshot!(ask(universe, "a\nb==7\nexclude: b"), @r#"
    a 1.0
    c 1.0
    "#);
}

#[test]
fn a_long_chain_is_told_in_order() {
    let universe = "
        a 1.0 -> b>=2
        b 2.0 -> c>=2
        b 3.0 -> c>=3
        c 2.0 -> d
        c 3.0 -> d
        d 1.0 -> e<1
        e 0.5
        e 1.0
        ";
    assert_snapshot!(ask(universe, "a\ne>=1"), @r#"
    Because d 1.0 needs `e<1` and every version of c needs `d`, every version of c needs e 0.5.
    And because b 2.0 needs `c>=2`, b 2.0 needs e 0.5.
    Because c 3.0 needs `d` and d 1.0 needs `e<1`, c 3.0 needs e 0.5.
    And because b 3.0 needs `c>=3`, b 3.0 needs e 0.5.
    And because b 2.0 needs e 0.5, every version of b needs e 0.5.
    And because a 1.0 needs `b>=2`, a 1.0 needs e 0.5.
    And because you require `a` (app.toml:1), e 0.5 is needed.
    And because you require `e>=1` (app.toml:2), there is no solution.
    "#);
}
