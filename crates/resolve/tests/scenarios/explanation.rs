//! Explanations, whole.

use crate::universe::explained;
use insta::assert_snapshot;

#[test]
fn a_version_that_does_not_exist() {
    assert_snapshot!(explained("a 1.0\na 2.0", "a>=3"), @r#"
    Because you require `a>=3` (app.toml:1) and there is no version of a >=3, there is no solution.
    hint: the newest version of a is 2.0
    "#);
}

#[test]
fn a_project_that_does_not_exist() {
    assert_snapshot!(explained("requests 1.0", "requests\nreqeusts"), @r#"
    Because you require `reqeusts` (app.toml:2) and reqeusts does not exist on https://index.test/simple/, there is no solution.
    hint: there is no project reqeusts on https://index.test/simple/; did you mean `requests`?
    "#);
}

#[test]
fn two_that_cannot_be_together() {
    assert_snapshot!(explained("a 1.0 -> c<2\na 1.1 -> c<2\nb 1.0 -> c>=2\nc 1.0\nc 2.0", "a\nb"), @r#"
    Because b 1.0 needs `c>=2` and every version of a needs `c<2`, every version of a and b 1.0 exclude each other.
    And because you require `a` (app.toml:1), b 1.0 cannot be used with what you require.
    And because you require `b` (app.toml:2), there is no solution.
    "#);
}

#[test]
fn a_longer_chain() {
    let universe = "a 1.0 -> b>=2\nb 2.0 -> c>=2\nb 3.0 -> c>=3\nc 2.0 -> d\nc 3.0 -> d\nd 1.0 -> e<1\ne 0.5\ne 1.0";
    assert_snapshot!(explained(universe, "a\ne>=1"), @r#"
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

#[test]
fn everything_that_can_hide_a_version() {
    let universe = "a 9.0rc1\na 8.0 yanked=broken\na 7.0 python=>=3.12\na 6.0 wheel=cp310-cp310-win_amd64\na 5.0 sdist\n\
                    a 4.0 at=2025-01-01\na 1.0 at=2020-01-01";
    assert_snapshot!(explained(universe, "a>1,!=4.0"), @r#"
    Because you require `a>1,!=4.0` (app.toml:1) and a 5.0 and newer cannot be used (pre-release; yanked; needs Python >=3.12; no wheel for linux-x86_64 python 3.10; …), there is no solution.
    hint: a 6.0 has no wheel that every linux-x86_64 python 3.10 can use, and no sdist
    hint: a 9.0rc1 is a pre-release; the setting prerelease = "if-necessary" does not take it here
    hint: a 7.0 needs Python >=3.12; this target is linux-x86_64 python 3.10
    hint: a 5.0 has no wheel for linux-x86_64 python 3.10, but an sdist; `build` in the manifest does not name a
    hint: a 8.0 is yanked (broken); only an exact `==` takes it
    "#);
    assert_snapshot!(explained(universe, "a>1\nnewer: 2024-01-01T00:00:00Z"), @r#"
    Because you require `a>1` (app.toml:1) and a 4.0 and newer cannot be used (the index tells no upload time, which exclude-newer needs; uploaded after the cutoff of exclude-newer), there is no solution.
    hint: https://index.test/simple/ does not tell when a 9.0rc1, 8.0, 7.0 and 2 more was uploaded, so exclude-newer hides it
    hint: a 4.0 was uploaded after 2024-01-01T00:00:00Z, so exclude-newer hides it
    "#);
}

#[test]
fn a_constraint_in_the_way() {
    assert_snapshot!(explained("a 1.0 -> b>=2\nb 1.0\nb 2.0", "a\nconstraint: b<2"), @r#"
    Because a 1.0 needs `b>=2` and b 2.0 cannot be used (ruled out by the constraint `b<2`), a 1.0 cannot be used.
    And because you require `a` (app.toml:1), there is no solution.
    hint: b 2.0 exists, but the constraint `b<2` rules it out
    "#);
}

#[test]
fn an_extra_in_the_way() {
    assert_snapshot!(explained("a 1.0 extras=x -> b<1; extra == 'x'\nb 0.5\nb 1.0", "a[x]\nb>=1"), @r#"
    Because you require `b>=1` (app.toml:2) and a[x] 1.0 needs `b<1`, a[x] 1.0 cannot be used with what you require.
    And because you require `a[x]` (app.toml:1), there is no solution.
    "#);
}

#[test]
fn an_override_in_the_way() {
    assert_snapshot!(explained("a 1.0 -> b>=2\nb 1.0", "a\noverride: b==3"), @r#"
    Because a 1.0 needs `b==3` (by your override) and there is no version of b ==3, a 1.0 cannot be used.
    And because you require `a` (app.toml:1), there is no solution.
    hint: the newest version of b is 1.0
    "#);
}

#[test]
fn an_exact_pin_without_a_wheel() {
    assert_snapshot!(explained("a 4.9.3 sdist", "a==4.9.3"), @r#"
    Because you require `a==4.9.3` (app.toml:1) and a 4.9.3 cannot be used (only an sdist for linux-x86_64 python 3.10, and `build` does not name it), there is no solution.
    hint: a 4.9.3 has no wheel for linux-x86_64 python 3.10, but an sdist; `build` in the manifest does not name a
    "#);
}
