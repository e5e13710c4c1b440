//! Explanations that have much to say.

use crate::universe::explained;
use insta::assert_snapshot;

#[test]
fn everything_that_can_hide_a_version() {
    let universe = "a 9.0rc1\na 8.0 yanked=broken\na 7.0 python=>=3.12\na 6.0 wheel=cp310-cp310-win_amd64\na 5.0 sdist\n\
                    a 4.0 at=2025-01-01\na 1.0 at=2020-01-01";
    assert_snapshot!(explained(universe, "a>1,!=4.0"), @r#"
    Because you require `a>1,!=4.0` (app.toml:1) and a 5.0 and newer cannot be used (pre-release; yanked; needs Python >=3.12; no wheel for linux-x86_64 python 3.10; …), there is no solution.
    hint: a 6.0 has no wheel that every linux-x86_64 python 3.10 can use, and no sdist; its wheels for this Python are for `win_amd64`
    hint: a 5.0 has no wheel for linux-x86_64 python 3.10, but an sdist; `build` in the manifest does not name a
    hint: a 9.0rc1 is a pre-release; the setting prerelease = "if-necessary" does not take it here
    hint: a 7.0 needs Python >=3.12; this target is linux-x86_64 python 3.10
    hint: a 8.0 is yanked (broken); only an exact `==` takes it
    "#);
    assert_snapshot!(explained(universe, "a>1\nnewer: 2024-01-01T00:00:00Z"), @r#"
    Because you require `a>1` (app.toml:1) and a 4.0 and newer cannot be used (the index tells no upload time, which exclude-newer needs; uploaded after the cutoff of exclude-newer), there is no solution.
    hint: https://index.test/simple/ does not tell when a 9.0rc1, 8.0, 7.0 and 2 more were uploaded, so exclude-newer hides them; on an index with a route, `upload-time = "first-seen"` lets the moment of the first lock stand for it
    hint: a 4.0 (uploaded 2025-01-01T00:00:00Z) is newer than 2024-01-01T00:00:00Z, so exclude-newer hides it
    "#);
}

/// An extra that is wanted has the version of its project, and nobody wants to hear how the solver knows.
#[test]
fn a_project_that_is_required_with_an_extra_and_without() {
    let universe = "
        web 1.0 extras=fast -> http>=1; extra == 'fast'
        web 2.0 extras=fast -> http>=2; extra == 'fast'
        web 3.0 extras=fast -> http>=3; extra == 'fast'
        app 1.0 -> web[fast]>=2
        http 0.5
        http 1.0
        http 2.0
        http 3.0
        ";
    assert_snapshot!(explained(universe, "web[fast]\nweb>=2\nhttp<1"), @r#"
    Because web[fast] 2.0 needs `http>=2` and web[fast] 3.0 needs `http>=3`, web[fast] 2.0 and newer need http 2.0 and newer.
    And because you require `http<1` (app.toml:3), web[fast] 2.0 and newer cannot be used with what you require.
    And because you require `web[fast]` (app.toml:1) and `web>=2` (app.toml:2), there is no solution.
    "#);
    assert_snapshot!(explained(universe, "web[fast]\nhttp<1\nconstraint: web>=2"), @r#"
    Because web 1.0 cannot be used (ruled out by the constraint `web>=2`) and web[fast] 2.0 needs `http>=2`, web[fast] 2.0 and older need http 2.0 and newer.
    And because web[fast] 3.0 needs `http>=3`, every version of web[fast] needs http 2.0 and newer.
    And because you require `http<1` (app.toml:2), no version of web[fast] can be used with what you require.
    And because you require `web[fast]` (app.toml:1), there is no solution.
    hint: web 1.0 exists, but the constraint `web>=2` rules it out
    "#);
    assert_snapshot!(explained(universe, "app\nweb==2.0\nhttp<1"), @r#"
    Because app 1.0 needs `web[fast]>=2` and web[fast] 2.0 needs `http>=2`, app 1.0 needs http 2.0 and newer or web 3.0.
    And because you require `app` (app.toml:1), http 2.0 and newer or web 3.0 is needed.
    And because you require `http<1` (app.toml:3), web 3.0 is needed.
    And because you require `web==2.0` (app.toml:2), there is no solution.
    "#);
}

/// Two ranges without a version that overlap, of which the solver makes one.
#[test]
fn ranges_without_versions_are_one_lack() {
    let universe = "
        core 1.0
        core 3.0
        plug 6.0 -> core>=5,<8
        plug 7.0 -> core>=7,<9
        ";
    assert_snapshot!(explained(universe, "plug>=6"), @r#"
    Because plug 6.0 needs `core>=5,<8` and there is no version of core >=5,<9, plug 6.0 cannot be used.
    Because plug 7.0 needs `core>=7,<9` and there is no version of core >=7,<9, plug 7.0 cannot be used.
    And because plug 6.0 cannot be used, no version of plug can be used.
    And because you require `plug>=6` (app.toml:1), there is no solution.
    hint: the newest version of core is 3.0
    "#);
}

/// What two versions need together is said as a need, not as what cannot be without what.
#[test]
fn a_need_of_several_versions_together() {
    let universe = "
        a 1.0 -> b>=2 | c
        a 2.0 -> b>=3 | c
        b 1.0
        b 2.0 -> d<2
        b 3.0 -> d<2
        b 4.0 -> e<2
        c 1.0 -> d>=2 | e>=2
        d 1.0
        d 2.0
        e 1.0
        e 2.0
        ";
    assert_snapshot!(explained(universe, "a"), @r#"
    Because b 2.0 to 3.0 need `d<2` and c 1.0 needs `d>=2`, b 2.0 to 3.0 and c 1.0 cannot be used together.
    Because b 3.0 needs `d<2` and b 4.0 needs `e<2`, b 3.0 and newer need d 1.0 or e 1.0.
    And because c 1.0 needs `d>=2`, b 3.0 and newer and c 1.0 together need e 1.0.
    And because c 1.0 needs `e>=2`, b 3.0 and newer and c 1.0 cannot be used together.
    And because b 2.0 to 3.0 and c 1.0 cannot be used together, b 2.0 and newer and c 1.0 cannot be used together.
    And because a 1.0 needs `b>=2`, a 1.0 and c 1.0 cannot be used together.
    And because every version of a needs `c`, a 1.0 cannot be used.
    Likewise, in 2 steps, a 2.0 cannot be used.
    And because a 1.0 cannot be used, no version of a can be used.
    And because you require `a` (app.toml:1), there is no solution.
    "#);
}

#[test]
fn a_project_that_needs_an_extra_of_its_own() {
    let universe = "
        d 1.0 extras=z -> d[z] | a>1; extra == 'z'
        a 1.0
        ";
    assert_snapshot!(explained(universe, "d"), @r#"
    Because d[z] 1.0 needs `a>1` and there is no version of a >1, d[z] 1.0 cannot be used.
    And because d 1.0 needs `d[z]`, d 1.0 cannot be used.
    And because you require `d` (app.toml:1), there is no solution.
    hint: the only version of a is 1.0
    "#);
}
