//! Explanations, whole.

use crate::universe::explained;
use insta::assert_snapshot;

#[test]
fn a_version_that_does_not_exist() {
    assert_snapshot!(explained("a 1.0\na 2.0", "a>=3"), @"");
}

#[test]
fn a_project_that_does_not_exist() {
    assert_snapshot!(explained("requests 1.0", "requests\nreqeusts"), @"");
}

#[test]
fn two_that_cannot_be_together() {
    assert_snapshot!(explained("a 1.0 -> c<2\na 1.1 -> c<2\nb 1.0 -> c>=2\nc 1.0\nc 2.0", "a\nb"), @"");
}

#[test]
fn a_longer_chain() {
    let universe = "a 1.0 -> b>=2\nb 2.0 -> c>=2\nb 3.0 -> c>=3\nc 2.0 -> d\nc 3.0 -> d\nd 1.0 -> e<1\ne 0.5\ne 1.0";
    assert_snapshot!(explained(universe, "a\ne>=1"), @"");
}

#[test]
fn everything_that_can_hide_a_version() {
    let universe = "a 9.0rc1\na 8.0 yanked=broken\na 7.0 python=>=3.12\na 6.0 wheel=cp310-cp310-win_amd64\na 5.0 sdist\n\
                    a 4.0 at=2025-01-01\na 1.0 at=2020-01-01";
    assert_snapshot!(explained(universe, "a>1"), @"");
    assert_snapshot!(explained(universe, "a>1\nnewer: 2024-01-01T00:00:00Z"), @"");
}

#[test]
fn a_constraint_in_the_way() {
    assert_snapshot!(explained("a 1.0 -> b>=2\nb 1.0\nb 2.0", "a\nconstraint: b<2"), @"");
}

#[test]
fn an_extra_in_the_way() {
    assert_snapshot!(explained("a 1.0 extras=x -> b<1; extra == 'x'\nb 0.5\nb 1.0", "a[x]\nb>=1"), @"");
}

#[test]
fn an_override_in_the_way() {
    assert_snapshot!(explained("a 1.0 -> b>=2\nb 1.0", "a\noverride: b==3"), @"");
}

#[test]
fn an_exact_pin_without_a_wheel() {
    assert_snapshot!(explained("a 4.9.3 sdist", "a==4.9.3"), @"");
}
