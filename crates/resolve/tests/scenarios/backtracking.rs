//! When a choice has to be taken back.

use insta::assert_snapshot;

use crate::universe::{ask, check};

#[test]
fn an_older_version_fits() {
    let universe = "
        a 2.0 -> b>=2
        a 1.0 -> b
        b 1.0
        ";
    assert_snapshot!(ask(universe, "a"), @r#"
    a 1.0
    b 1.0
    "#);
}

#[test]
fn two_directs_share_a_dependency() {
    let universe = "
        a 2.0 -> c>=2
        a 1.0 -> c<2
        b 1.0 -> c<2
        c 1.0
        c 2.0
        ";
    assert_snapshot!(ask(universe, "a\nb"), @r#"
    a 1.0
    b 1.0
    c 1.0
    "#);
}

/// `a` was written first, so it keeps its newest version.
#[test]
fn the_newest_of_one_and_the_newest_of_the_other_do_not_fit() {
    let universe = "
        a 1.0 -> b==1.0
        a 2.0 -> b==1.0
        b 1.0
        b 2.0 -> a==1.0
        ";
    assert_snapshot!(ask(universe, "a\nb"), @r#"
    a 2.0
    b 1.0
    "#);
}

#[test]
fn a_package_that_depends_on_itself() {
    let universe = "
        a 1.0 -> a>=1
        a 2.0 -> a<2
        ";
    assert_snapshot!(ask(universe, "a"), @"a 1.0");
}

#[test]
fn a_package_that_depends_on_a_version_of_itself_that_does_not_exist() {
    let universe = "a 1.0 -> a>=2";
    assert_snapshot!(ask(universe, "a"), @"Because you require `a` (app.toml:1) and a 1.0 needs `a>=2`, which no version can meet, there is no solution.");
}

#[test]
fn a_cycle() {
    let universe = "
        a 1.0 -> b
        b 1.0 -> c
        c 1.0 -> a
        ";
    assert_snapshot!(ask(universe, "a"), @r#"
    a 1.0
    b 1.0
    c 1.0
    "#);
}

#[test]
fn a_cycle_that_only_older_versions_close() {
    let universe = "
        a 2.0 -> b
        a 1.0 -> b
        b 2.0 -> a<2
        b 1.0 -> a
        ";
    assert_snapshot!(ask(universe, "a"), @r#"
    a 2.0
    b 1.0
    "#);
    assert_snapshot!(ask(universe, "a>=2\nb>=2"), @r#"
    Because you require `a>=2` (app.toml:1) and b 2.0 needs `a<2`, b 2.0 cannot be used with what you require.
    And because you require `b>=2` (app.toml:2), there is no solution.
    "#);
}

#[test]
fn a_diamond() {
    let universe = "
        a 1.0 -> b | c
        b 2.0 -> d>=2
        b 1.0 -> d
        c 1.0 -> d<2
        d 1.0
        d 2.0
        ";
    assert_snapshot!(ask(universe, "a"), @r#"
    a 1.0
    b 1.0
    c 1.0
    d 1.0
    "#);
}

#[test]
fn a_conflict_deep_below_is_found_and_only_its_cause_gives_way() {
    let universe = "
        a 1.0 -> b
        b 2.0 -> c
        c 2.0 -> d
        c 1.0 -> d
        d 2.0 -> x==2
        d 1.0 -> x==1
        x 1
        x 2
        ";
    assert_snapshot!(ask(universe, "a\nx==1"), @r#"
    a 1.0
    b 2.0
    c 2.0
    d 1.0
    x 1
    "#);
}

/// `shared` is required directly, so its newest version stands and `lib` follows.
#[test]
fn requirements_of_the_application_come_before_those_of_packages() {
    let universe = "
        lib 2.0 -> shared<2
        lib 1.0 -> shared
        shared 1.0
        shared 2.0
        app 1.0 -> lib
        ";
    assert_snapshot!(ask(universe, "app\nshared"), @r#"
    app 1.0
    lib 1.0
    shared 2.0
    "#);
}

/// Deciding `a` first would try every version of it against the pin of `b`.
#[test]
fn exact_pins_are_decided_first() {
    let universe = "
        a 3.0 -> c>=3
        a 2.0 -> c>=2
        a 1.0 -> c
        b 1.0 -> c==1.0
        c 1.0
        c 2.0
        c 3.0
        ";
    assert_snapshot!(ask(universe, "a\nb==1.0"), @r#"
    a 1.0
    b 1.0
    c 1.0
    "#);
}

#[test]
fn it_does_not_matter_in_which_order_requirements_are_written_where_one_is_pinned() {
    let universe = "
        a 3.0 -> c>=3
        a 2.0 -> c>=2
        a 1.0 -> c
        c 1.0
        c 2.0
        c 3.0
        ";
    assert_snapshot!(ask(universe, "a\nc==2.0"), @r#"
    a 2.0
    c 2.0
    "#);
    assert_snapshot!(ask(universe, "c==2.0\na"), @r#"
    a 2.0
    c 2.0
    "#);
}

/// Taking back `b` never helps: what `b` needs of `c` is the same for every version.
#[test]
fn wrong_backtracking() {
    let universe = "
        a 1.0 -> b
        b 1.0 -> c<2
        b 1.1 -> c<2
        b 1.2 -> c<2
        c 1.0 -> d
        c 1.1 -> d>=9
        d 1.0
        ";
    assert_snapshot!(ask(universe, "a"), @r#"
    a 1.0
    b 1.2
    c 1.0
    d 1.0
    "#);
}

#[test]
fn a_dependency_that_only_the_newest_has() {
    let universe = "
        a 2.0 -> b
        a 1.0
        b 1.0 -> a<2
        ";
    assert_snapshot!(ask(universe, "a"), @"a 1.0");
}

#[test]
fn names_are_normalised() {
    let universe = "
        a 1.0 -> Some_Name.x
        some-name-x 1.0
        ";
    assert_snapshot!(ask(universe, "A"), @r#"
    a 1.0
    some-name-x 1.0
    "#);
}

#[test]
fn every_version_pins_another_that_cannot_be_used() {
    let universe = "
        a 1.0 -> gone
        a 2.0
        b 1.0 -> a==1.0
        b 2.0 -> a==1.0
        b 3.0 -> a==1.0
        ";
    check(universe, "a\nb", "no solution");
    check(universe, "a", "a 2.0");
}

/// The newest `b` works with the older `a`; that the older `b` does not work at all need not be found out.
#[test]
fn the_project_that_another_pins_gives_way() {
    let universe = "
        a 1.0
        a 2.0
        b 1.0 -> gone
        b 2.0 -> a==1.0
        ";
    for question in ["a\nb", "b\na"] {
        check(universe, question, "a 1.0, b 2.0");
    }
}

/// Only the oldest release knows no bound. It must not be the way out, neither of the project itself nor of one below it.
#[test]
fn a_release_from_before_the_bound_is_no_way_out() {
    let bounded = |name: &str| -> String {
        let newer = (0..10).map(|patch| format!("{name} 2.{patch} -> a==1.0\n"));
        newer.chain([format!("{name} 1.0 -> old\n"), "a 1.0\na 2.0\nold 1.0\n".to_owned()]).collect()
    };
    for question in ["a\nb", "b\na"] {
        check(&bounded("b"), question, "a 1.0, b 2.9");
        check(&format!("b 1.0 -> inner\n{}", bounded("inner")), question, "a 1.0, b 1.0, inner 2.9");
    }
}

/// Two halves of the versions fail for two reasons: both are told, although each is "five versions".
#[test]
fn many_versions_that_fail_for_two_reasons() {
    let mut universe = "q 1\nq 2\nq 3\nr 1.0 -> q==1\n".to_owned();
    for number in 0..10 {
        universe.push_str(&format!("a {number}.0 -> {}\n", if number % 2 == 0 { "q>=9" } else { "q==2 | r" }));
    }
    assert_snapshot!(ask(&universe, "a"), @r#"
    Because 5 versions of a from 0.0 to 8.0 need `q>=9` and there is no version of q >=9, 5 versions of a from 0.0 to 8.0 cannot be used.
    Because 5 versions of a from 1.0 to 9.0 need `q==2` and r 1.0 needs `q==1`, 5 versions of a from 1.0 to 9.0 and r 1.0 cannot be used together.
    And because 5 versions of a from 1.0 to 9.0 need `r`, 5 versions of a from 1.0 to 9.0 cannot be used.
    And because 5 versions of a from 0.0 to 8.0 cannot be used, no version of a can be used.
    And because you require `a` (app.toml:1), there is no solution.
    hint: the newest version of q is 3
    "#);
}
