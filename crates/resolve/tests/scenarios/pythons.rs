//! `Requires-Python`, of each file and again of the metadata, upper bounds too.

use insta::assert_snapshot;

use crate::universe::{ask, check};

#[test]
fn no_version_is_for_this_python() {
    let universe = "
        a 1.0 python=>=3.12
        a 2.0 python=>=3.13
        ";
    assert_snapshot!(ask(universe, "a"), @r#"
    Because you require `a` (app.toml:1) and no version of a can be used (needs Python >=3.13; needs Python >=3.12), there is no solution.
    hint: a 1.0 needs Python >=3.12; this target is linux-x86_64 python 3.10
    hint: a 2.0 needs Python >=3.13; this target is linux-x86_64 python 3.10
    "#);
}

#[test]
fn an_older_version_is_for_this_python() {
    let universe = "
        a 3.0 python=>=3.12
        a 2.0 python=>=3.11
        a 1.0 python=>=3.8
        ";
    assert_snapshot!(ask(universe, "a"), @"a 1.0");
}

#[test]
fn an_upper_bound_holds() {
    let universe = "
        a 2.0 python=>=3.8,<3.10
        a 1.0
        ";
    assert_snapshot!(ask(universe, "a"), @"a 1.0");
}

/// The page says nothing, or something weaker than the metadata.
#[test]
fn the_metadata_is_asked_again() {
    let universe = "
        a 3.0 metapython=>=3.12
        a 2.0 python=>=3.8 metapython=>=3.11
        a 1.0
        ";
    assert_snapshot!(ask(universe, "a"), @"a 1.0");
}

#[test]
fn each_file_has_its_own_requirement() {
    let universe = "
        a 1.0 wheel=py3-none-any python=>=3.12
        a 1.0 wheel=cp310-cp310-manylinux_2_17_x86_64 python=>=3.10
        ";
    assert_snapshot!(ask(universe, "a"), @"a 1.0 (a-1.0-cp310-cp310-manylinux_2_17_x86_64.whl)");
    assert_snapshot!(ask(universe, "a\ntarget: linux-x86_64 3.12"), @"a 1.0");
    assert_snapshot!(ask(universe, "a\ntarget: linux-x86_64 3.11"), @r#"
    Because you require `a` (app.toml:1) and a 1.0 cannot be used (no wheel for linux-x86_64 python 3.11), there is no solution.
    hint: a 1.0 has no wheel that every linux-x86_64 python 3.11 can use, and no sdist; its wheels are for `cp310-cp310`
    "#);
}

#[test]
fn a_dependency_for_another_python() {
    let universe = "
        a 1.0 -> b
        b 1.0 python=>=3.12
        ";
    assert_snapshot!(ask(universe, "a"), @r#"
    Because a 1.0 needs `b` and b 1.0 cannot be used (needs Python >=3.12), a 1.0 cannot be used.
    And because you require `a` (app.toml:1), there is no solution.
    hint: b 1.0 needs Python >=3.12; this target is linux-x86_64 python 3.10
    "#);
}

#[test]
fn a_dependency_for_another_python_is_backtracked_from() {
    let universe = "
        a 2.0 -> b>=2
        a 1.0 -> b
        b 2.0 python=>=3.12
        b 1.0
        ";
    assert_snapshot!(ask(universe, "a"), @r#"
    a 1.0
    b 1.0
    "#);
}

#[test]
fn a_patch_release_divides_the_target_only_in_need() {
    let universe = "a 1.0 python=>=3.10.4";
    assert_snapshot!(ask(universe, "a"), @r#"
    linux-x86_64 python 3.10 (<3.10.4):
      Because you require `a` (app.toml:1) and a 1.0 cannot be used (needs Python >=3.10.4), there is no solution.
      hint: a 1.0 needs Python >=3.10.4; this target is linux-x86_64 python 3.10 (<3.10.4)
    linux-x86_64 python 3.10 (>=3.10.4):
      a 1.0
    "#);
}

#[test]
fn an_older_version_for_all_patch_releases_is_preferred_to_a_division() {
    let universe = "
        a 2.0 python=>=3.10.4
        a 1.0
        ";
    assert_snapshot!(ask(universe, "a"), @"a 1.0");
}

/// Beside a file that serves only a part of the target may be others that serve none of it.
#[test]
fn a_file_for_later_patch_releases_is_seen_beside_one_for_none() {
    let part = "wheel=py3-none-any python=>=3.10.4";
    for other in ["sdist", "wheel=py3-none-win_amd64", "wheel=cp310-none-any python=>=3.12"] {
        for (first, second) in [(other, part), (part, other)] {
            let universe = format!("a 1.0 {first}\na 1.0 {second}");
            let found = ask(&universe, "a");
            assert!(found.ends_with("linux-x86_64 python 3.10 (>=3.10.4):\n  a 1.0"), "{universe}\n{found}");
        }
    }
    // One that serves no part is none.
    let foreign = "a 1.0 wheel=py3-none-win_amd64 python=>=3.10.4\na 1.0 sdist";
    assert_snapshot!(ask(foreign, "a"), @"
    Because you require `a` (app.toml:1) and a 1.0 cannot be used (only an sdist for linux-x86_64 python 3.10, and `build` does not name it), there is no solution.
    hint: a 1.0 has no wheel for linux-x86_64 python 3.10, but an sdist; `build` in the manifest does not name a
    ");
}

#[test]
fn a_single_patch_release_is_left_out() {
    let universe = "a 1.0 python=!=3.10.7";
    assert_snapshot!(ask(universe, "a"), @r#"
    linux-x86_64 python 3.10 (<3.10.7):
      a 1.0
    linux-x86_64 python 3.10 (>=3.10.7,<3.10.8):
      Because you require `a` (app.toml:1) and a 1.0 cannot be used (needs Python !=3.10.7), there is no solution.
      hint: a 1.0 needs Python !=3.10.7; this target is linux-x86_64 python 3.10 (>=3.10.7,<3.10.8)
    linux-x86_64 python 3.10 (>=3.10.8):
      a 1.0
    "#);
}

#[test]
fn what_needs_python_two() {
    let universe = "
        a 1.0 wheel=py2-none-any
        a 1.1 python=<3
        ";
    assert_snapshot!(ask(universe, "a"), @r#"
    Because you require `a` (app.toml:1) and no version of a can be used (needs Python <3; no wheel for linux-x86_64 python 3.10), there is no solution.
    hint: a 1.0 has no wheel that every linux-x86_64 python 3.10 can use, and no sdist; its wheels are for `py2-none`
    hint: a 1.1 needs Python <3; this target is linux-x86_64 python 3.10
    "#);
}

#[test]
fn the_requirement_of_a_yanked_version_is_not_told() {
    let universe = "a 1.0 yanked python=>=3.12";
    assert_snapshot!(ask(universe, "a==1.0"), @r#"
    Because you require `a==1.0` (app.toml:1) and a 1.0 cannot be used (needs Python >=3.12), there is no solution.
    hint: a 1.0 needs Python >=3.12; this target is linux-x86_64 python 3.10
    "#);
}

#[test]
fn a_broken_requirement_was_repaired() {
    let universe = "
        a 2.0 python=>=3.12.*
        a 1.0 python=>=3.6.*
        ";
    assert_snapshot!(ask(universe, "a"), @r"
    a 1.0
    warning: `a` 1.0 has broken metadata: `>=3.6.*` was read as `>=3.6` (a wildcard does not go with this operator)
    ");
}

#[test]
fn different_pythons_get_different_versions() {
    let universe = "
        a 2.0 python=>=3.11
        a 1.0 python=<3.11
        ";
    assert_snapshot!(ask(universe, "a\ntarget: linux-x86_64 3.10\ntarget: linux-x86_64 3.11\ntarget: linux-x86_64 3.12"), @r#"
    linux-x86_64 python 3.10:
      a 1.0
    linux-x86_64 python 3.11:
      a 2.0
    linux-x86_64 python 3.12:
      a 2.0
    "#);
}

/// The newest for 3.12 would be 2.0; the one that serves all is taken where the first target chose it.
#[test]
fn pythons_agree_where_they_can() {
    let universe = "
        a 2.0 python=>=3.11
        a 1.0
        ";
    assert_snapshot!(ask(universe, "a\ntarget: linux-x86_64 3.10\ntarget: linux-x86_64 3.11"), @r#"
    linux-x86_64 python 3.10:
      a 1.0
    linux-x86_64 python 3.11:
      a 1.0
    "#);
}

#[test]
fn requires_python_holds_in_full() {
    for (python, expected) in [
        (">=3.11", "a 1.0"),
        (">=3.8,<3.10", "a 1.0"),
        ("<4", "a 2.0"),
        (">=3.10,<3.11", "a 2.0"),
        ("==3.10.*", "a 2.0"),
        ("~=3.8", "a 2.0"),
        (">=3.10.0", "a 2.0"),
        ("<=3.10", "a 1.0"),
        ("!=3.9.7", "a 2.0"),
        (">3.10", "a 1.0"),
    ] {
        check(&format!("a 2.0 python={python}\na 1.0"), "a", expected);
        check(&format!("a 2.0 metapython={python}\na 1.0"), "a", expected);
        check(&format!("a 2.0 python={python} metapython=>=3\na 1.0"), "a", expected);
    }
}

#[test]
fn a_python_that_does_not_exist_is_needed() {
    check("a 1.0 python=>=3.30", "a", "no solution");
    // None of many, and only one that is asked for is not.
    let many: String = (0..6).map(|n| format!("a 2.{n} python=>=3.11\na 3.{n} python=>=3.12\n")).collect();
    check(&many, "a", "no solution");
    check(&format!("a 1.0\n{many}"), "a>=2", "no solution");
    check(&format!("a 1.0\n{many}"), "a", "a 1.0");
}

/// The machine that locks has no part in it: only the Python of the target counts, for sdists too.
#[test]
fn an_sdist_needs_the_targets_python() {
    let universe = "a 1.0 sdist python=>=3.10\na 2.0 python=>=3.12";
    check(universe, "a\nbuild: a\ntarget: linux-x86_64 3.11", "a 1.0");
    check(universe, "a\nbuild: a\ntarget: linux-x86_64 3.9", "no solution");
    check("a 1.0 python=>=3.9.4", "a\ntarget: linux-x86_64 3.9", "divide 3.9.4");
    check("a 1.0 python=>=3.9.0", "a\ntarget: linux-x86_64 3.9", "a 1.0");
}

/// What everybody could install needs what there is not; each part of the target has a better file, which does not.
#[test]
fn a_better_file_for_a_part_divides_the_target_where_there_is_no_solution() {
    let universe = "
        a 1.0 wheel=py3-none-any -> b<1
        a 1.0 wheel=cp310-abi3-manylinux_2_17_x86_64 python=>=3.10.4
        a 1.0 wheel=cp310-abi3-manylinux_2_12_x86_64 python=<3.10.4
        b 1.0
        ";
    assert_snapshot!(ask(universe, "a"), @"
    linux-x86_64 python 3.10 (<3.10.4):
      a 1.0 (a-1.0-cp310-abi3-manylinux_2_12_x86_64.whl)
    linux-x86_64 python 3.10 (>=3.10.4):
      a 1.0 (a-1.0-cp310-abi3-manylinux_2_17_x86_64.whl)
    ");
    // It would serve nobody better, or somebody who has no part in this.
    assert_snapshot!(ask(&universe.replace("cp310-abi3-manylinux_2_17", "cp311-abi3-manylinux_2_17").replace("<3.10.4", "<3.9"), "a"), @r#"
    Because a 1.0 needs `b<1` and there is no version of b <1, a 1.0 cannot be used.
    And because you require `a` (app.toml:1), there is no solution.
    hint: the only version of b is 1.0
    "#);
    // Where there is a solution for everybody, nobody is told apart.
    assert_snapshot!(ask(&format!("{universe}\nb 0.9"), "a"), @"
    a 1.0
    b 0.9
    ");
}
