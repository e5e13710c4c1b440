//! Which file serves a target.

use crate::universe::{check, name, solved};

#[track_caller]
fn check_file(universe: &str, problem: &str, expected: &str) {
    let solution = solved(universe, problem);
    assert_eq!(solution.packages[&name("a")].file.filename.as_str(), expected);
}

#[test]
fn takes_the_best_wheel_of_the_target() {
    let universe = "a 1.0 wheel=py3-none-any wheel=cp310-cp310-manylinux_2_17_x86_64 wheel=cp310-abi3-manylinux_2_28_x86_64 \
                    wheel=cp310-cp310-win_amd64 wheel=cp311-cp311-manylinux_2_17_x86_64 sdist";
    check_file(universe, "a", "a-1.0-cp310-cp310-manylinux_2_17_x86_64.whl");
    check_file(universe, "a\ntarget: windows-x86_64 3.10", "a-1.0-cp310-cp310-win_amd64.whl");
    check_file(universe, "a\ntarget: linux-x86_64 3.11", "a-1.0-cp311-cp311-manylinux_2_17_x86_64.whl");
    check_file(universe, "a\ntarget: linux-x86_64 3.12", "a-1.0-cp310-abi3-manylinux_2_28_x86_64.whl");
    check_file(universe, "a\ntarget: macos-aarch64 3.10", "a-1.0-py3-none-any.whl");
    check_file("a 1.0 wheel=1-py3-none-any wheel=2-py3-none-any wheel=py3-none-any", "a", "a-1.0-2-py3-none-any.whl");
}

#[test]
fn a_version_without_a_wheel_for_the_target_is_no_candidate() {
    let universe = "a 2.0 wheel=cp310-cp310-win_amd64\na 1.0";
    check(universe, "a", "a 1.0");
    check(universe, "a\ntarget: windows-x86_64 3.10", "a 2.0");
    check(universe, "a==2.0", "no solution");
    check("a 1.0 wheel=cp310-cp310-manylinux_2_31_x86_64", "a", "no solution");
    check("a 1.0 wheel=cp310-cp310-manylinux_2_31_x86_64", "a\ntarget: linux-x86_64-glibc2.31 3.10", "a 1.0");
}

#[test]
fn an_sdist_is_taken_only_where_it_may_be_built() {
    let universe = "a 2.0 sdist\na 1.0";
    check(universe, "a", "a 1.0");
    check(universe, "a\nbuild: a", "a 2.0");
    check(universe, "a\nbuild: b", "a 1.0");
    check(universe, "a\nbuild: *", "a 2.0");
    check("a 1.0 sdist", "a", "no solution");
    // A wheel is taken before an sdist of the same version.
    check_file("a 1.0 sdist wheel=py3-none-any", "a\nbuild: a", "a-1.0-py3-none-any.whl");
    check_file("a 1.0 sdist wheel=cp310-cp310-win_amd64", "a\nbuild: a", "a-1.0.tar.gz");
    assert!(solved("a 1.0 sdist", "a\nbuild: a").packages[&name("a")].is_sdist());
}

#[test]
fn no_binary_takes_no_wheel() {
    let universe = "a 1.0 sdist wheel=py3-none-any\na 2.0";
    check(universe, "a\nno-binary: a", "no solution");
    check(universe, "a\nno-binary: a\nbuild: a", "a 1.0");
    check_file(universe, "a\nno-binary: a\nbuild: a", "a-1.0.tar.gz");
    check(universe, "a\nno-binary: b", "a 2.0");
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
fn files_after_the_cutoff_do_not_exist() {
    let universe = "a 3.0\na 2.0 at=2024-08-21\na 1.0 at=2024-08-20\nb 1.0";
    check(universe, "a", "a 3.0");
    check(universe, "a\nnewer: 2024-08-20T00:00:00Z", "a 1.0");
    check(universe, "a\nnewer: 2024-08-19T23:59:59Z", "no solution");
    check(universe, "a\nnewer: 2030-01-01T00:00:00Z", "a 2.0");
    // No upload time: not a candidate, and no reason to believe it (attack IX34).
    check(universe, "b\nnewer: 2030-01-01T00:00:00Z", "no solution");
}

#[test]
fn the_chosen_file_is_not_yanked_while_another_is_not() {
    let solution = solved("a 1.0 yanked=bad", "a==1.0");
    let warnings: Vec<String> = solution.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings, ["`a` 1.0 was yanked: bad"]);
}

#[test]
fn requires_python_of_the_choice_is_told() {
    let solution = solved("a 1.0 metapython=>=3.8", "a");
    assert_eq!(solution.packages[&name("a")].requires_python, Some(">=3.8".parse().unwrap()));
}
