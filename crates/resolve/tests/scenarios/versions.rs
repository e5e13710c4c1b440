//! Epochs, post-releases, development releases, wildcards, `===`.

use insta::assert_snapshot;

use crate::universe::{ask, check};

#[test]
fn an_epoch_outranks_every_release() {
    let universe = "
        a 2024.1
        a 1!0.1
        ";
    assert_snapshot!(ask(universe, "a"), @"a 1!0.1");
    assert_snapshot!(ask(universe, "a<1!0"), @"a 2024.1");
    assert_snapshot!(ask(universe, "a==0.1"), @r#"
    Because you require `a==0.1` (app.toml:1) and there is no version of a ==0.1, there is no solution.
    hint: the oldest version of a is 2024.1
    "#);
}

#[test]
fn wildcards_have_an_epoch() {
    let universe = "
        a 1!1.2
        a 1!1.3
        a 1.9
        ";
    assert_snapshot!(ask(universe, "a==1!1.*"), @"a 1!1.3");
    assert_snapshot!(ask(universe, "a!=1!1.*"), @"a 1.9");
}

#[test]
fn a_post_release_is_newer_than_its_release() {
    let universe = "
        a 1.0
        a 1.0.post1
        a 1.0.post2
        ";
    assert_snapshot!(ask(universe, "a"), @"a 1.0.post2");
    assert_snapshot!(ask(universe, "a==1.0"), @"a 1.0");
    assert_snapshot!(ask(universe, "a<=1.0"), @"a 1.0");
    assert_snapshot!(ask(universe, "a==1.0.post1"), @"a 1.0.post1");
}

/// PEP 440: `>1.0` does not allow `1.0.post1`.
#[test]
fn beyond_a_release_means_beyond_its_post_releases() {
    let universe = "
        a 1.0
        a 1.0.post1
        ";
    assert_snapshot!(ask(universe, "a>1.0"), @r#"
    Because you require `a>1.0` (app.toml:1) and there is no version of a >1.0, there is no solution.
    hint: the newest version of a is 1.0.post1
    "#);
    assert_snapshot!(ask(universe, "a>=1.0.post0"), @"a 1.0.post1");
}

#[test]
fn beyond_a_post_release() {
    let universe = "
        a 1.0.post1
        a 1.0.post2
        ";
    assert_snapshot!(ask(universe, "a>1.0.post1"), @"a 1.0.post2");
    assert_snapshot!(ask(universe, "a>1.0.post2"), @r#"
    Because you require `a>1.0.post2` (app.toml:1) and there is no version of a >1.0.post2, there is no solution.
    hint: the newest version of a is 1.0.post2
    "#);
}

#[test]
fn below_a_post_release() {
    let universe = "
        a 1.0
        a 1.0.post1
        ";
    assert_snapshot!(ask(universe, "a<1.0.post1"), @"a 1.0");
}

/// PEP 440: `>` takes no local version of the version itself, and `==` no other post-release.
#[test]
fn post_releases_and_local_versions() {
    for (universe, question, expected) in [
        ("a 1.2.post1", "a", "a 1.2.post1"),
        ("a 1.2.post1", "a>=1.2", "a 1.2.post1"),
        ("a 1.2.post1", "a<1.3", "a 1.2.post1"),
        ("a 1.2.post1", "a<=1.2", "no solution"),
        ("a 1.2.post1", "a<1.2", "no solution"),
        ("a 1.2.post1", "a==1.2", "no solution"),
        ("a 1.2\na 1.2.post0", "a==1.2.post0", "a 1.2.post0"),
        ("a 1.2\na 1.2.post1", "a==1.2.post0", "no solution"),
        ("a 1.2.post0\na 1.2.post1", "a>=1.2.post0", "a 1.2.post1"),
        ("a 1.2.post0\na 1.2.post1", "a>1.2.post0", "a 1.2.post1"),
        ("a 1.2.post1\na 1.2.post0", "a>1.2.post2", "no solution"),
        ("a 1.2.post1\na 1.2.post1+local", "a>1.2", "no solution"),
        ("a 1.2.post1\na 1.2.post1+local", "a>1.2.post1", "no solution"),
        ("a 1.2+local", "a>1.2", "no solution"),
        ("a 1.2+local", "a>=1.2", "a 1.2+local"),
        ("a 1.2+local", "a<=1.2", "a 1.2+local"),
        ("a 1.2+local", "a<1.2", "no solution"),
    ] {
        check(universe, question, expected);
    }
}

#[test]
fn a_development_release_of_a_post_release_is_a_pre_release() {
    let universe = "
        a 1.0
        a 1.0.post2.dev1
        ";
    assert_snapshot!(ask(universe, "a"), @"a 1.0");
    assert_snapshot!(ask(universe, "a>=1.0.post2.dev0"), @"a 1.0.post2.dev1");
}

#[test]
fn every_release_but_those_of_a_series() {
    let universe = "
        a 0.9
        a 1.0
        a 1.5.post1
        a 1.9
        ";
    assert_snapshot!(ask(universe, "a!=1.*"), @"a 0.9");
    assert_snapshot!(ask(universe, "a!=0.*,!=1.9.*"), @"a 1.5.post1");
}

#[test]
fn a_wildcard_pads_with_zeros() {
    let universe = "
        a 1
        a 1.0.1
        a 1.1
        ";
    assert_snapshot!(ask(universe, "a==1.0.*"), @"a 1.0.1");
}

#[test]
fn compatible_releases() {
    let universe = "
        a 1.4.4
        a 1.4.5
        a 1.5.0
        a 2.0
        ";
    assert_snapshot!(ask(universe, "a~=1.4.5"), @"a 1.4.5");
    assert_snapshot!(ask(universe, "a~=1.4"), @"a 1.5.0");
    assert_snapshot!(ask(universe, "a~=1.4.5.0"), @"a 1.4.5");
}

#[test]
fn trailing_zeros_do_not_count() {
    let universe = "a 1.0.0";
    assert_snapshot!(ask(universe, "a==1"), @"a 1.0.0");
    assert_snapshot!(ask(universe, "a===1"), @"a 1.0.0");
}

#[test]
fn arbitrary_equality_takes_no_wildcard_and_no_post_release() {
    let universe = "
        a 1.0
        a 1.0.post1
        ";
    assert_snapshot!(ask(universe, "a===1.0"), @"a 1.0");
    assert_snapshot!(ask(universe, "a===1.0.post1"), @"a 1.0.post1");
}

#[test]
fn long_numbers_are_compared_as_numbers() {
    let universe = "
        a 20240101.9
        a 20240101.10
        a 20231231.999999
        ";
    assert_snapshot!(ask(universe, "a"), @"a 20240101.10");
}

#[test]
fn lowest_takes_the_lowest_that_fits() {
    let universe = "
        a 1.0 -> b
        a 2.0 -> b
        b 1.0
        b 2.0
        ";
    assert_snapshot!(ask(universe, "a\nstrategy: lowest"), @r#"
    a 1.0
    b 1.0
    "#);
    assert_snapshot!(ask(universe, "a\nstrategy: lowest-direct"), @r#"
    a 1.0
    b 2.0
    "#);
    assert_snapshot!(ask(universe, "a>=1.5\nstrategy: lowest"), @r#"
    a 2.0
    b 1.0
    "#);
    assert_snapshot!(ask(universe, "a\nb\nstrategy: lowest-direct"), @r#"
    a 1.0
    b 1.0
    "#);
}

#[test]
fn lowest_skips_what_cannot_be_used() {
    let universe = "
        a 0.1rc1
        a 0.2 yanked
        a 0.3 python=>=3.12
        a 0.4 wheel=cp310-cp310-win_amd64
        a 0.5
        a 0.6
        ";
    assert_snapshot!(ask(universe, "a\nstrategy: lowest"), @"a 0.5");
}

#[test]
fn lowest_of_a_pre_release_that_is_asked_for() {
    let universe = "
        a 1.0a1
        a 1.0a2
        a 1.0
        ";
    assert_snapshot!(ask(universe, "a>=1.0a1\nstrategy: lowest"), @"a 1.0a1");
}

#[test]
fn lowest_goes_up_when_it_must() {
    let universe = "
        a 1.0 -> b<1
        a 2.0 -> b<2
        a 3.0 -> b<3
        b 1.5
        ";
    assert_snapshot!(ask(universe, "a\nb>=1\nstrategy: lowest"), @r#"
    a 2.0
    b 1.5
    "#);
}
