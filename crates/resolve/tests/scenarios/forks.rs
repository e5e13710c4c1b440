//! Markers: targets that need different things, and targets that a marker divides.

use insta::assert_snapshot;

use crate::universe::ask;

#[test]
fn systems_need_different_packages() {
    let universe = "
        a 1.0 -> w; sys_platform == 'win32' | l; sys_platform == 'linux' | m; sys_platform == 'darwin'
        w 1.0
        l 1.0
        m 1.0
        ";
    assert_snapshot!(ask(universe, "a\ntarget: linux-x86_64 3.10\ntarget: windows-x86_64 3.10\ntarget: macos-aarch64 3.10"), @r#"
    linux-x86_64 python 3.10:
      a 1.0
      l 1.0
    windows-x86_64 python 3.10:
      a 1.0
      w 1.0
    macos-aarch64 python 3.10:
      a 1.0
      m 1.0
    "#);
}

#[test]
fn systems_need_different_versions() {
    let universe = "
        a 1.0
        a 2.0
        ";
    assert_snapshot!(ask(universe, "a>=2; sys_platform == 'linux'\na<2; sys_platform == 'darwin'\ntarget: linux-x86_64 3.10\ntarget: macos-aarch64 3.10"), @r#"
    linux-x86_64 python 3.10:
      a 2.0
    macos-aarch64 python 3.10:
      a 1.0
    "#);
}

/// The Mac needs an older `b`; it comes first here, and the others follow.
#[test]
fn versions_agree_where_they_can() {
    let universe = "
        a 1.0 -> b<2; sys_platform == 'darwin' | b
        b 1.0
        b 2.0
        ";
    assert_snapshot!(ask(universe, "a\ntarget: macos-aarch64 3.10\ntarget: linux-x86_64 3.10\ntarget: windows-x86_64 3.10"), @r#"
    macos-aarch64 python 3.10:
      a 1.0
      b 1.0
    linux-x86_64 python 3.10:
      a 1.0
      b 1.0
    windows-x86_64 python 3.10:
      a 1.0
      b 1.0
    "#);
}

#[test]
fn the_first_target_is_not_held_back_by_later_ones() {
    let universe = "
        a 1.0 -> b<2; sys_platform == 'darwin' | b
        b 1.0
        b 2.0
        ";
    assert_snapshot!(ask(universe, "a\ntarget: linux-x86_64 3.10\ntarget: macos-aarch64 3.10"), @r#"
    linux-x86_64 python 3.10:
      a 1.0
      b 2.0
    macos-aarch64 python 3.10:
      a 1.0
      b 1.0
    "#);
}

#[test]
fn one_target_without_a_solution_says_which() {
    let universe = "
        a 1.0 -> b<2; sys_platform == 'darwin' | b>=2
        b 1.0
        b 2.0
        ";
    assert_snapshot!(ask(universe, "a\ntarget: linux-x86_64 3.10\ntarget: macos-aarch64 3.10"), @r#"
    linux-x86_64 python 3.10:
      a 1.0
      b 2.0
    macos-aarch64 python 3.10:
      Because you require `a` (app.toml:1) and a 1.0 needs `b<2` and `b>=2`, which no version can meet, there is no solution.
    "#);
}

/// Unlike a resolver for every environment at once, nothing has to be forked: both hold, or one, or none.
#[test]
fn markers_that_overlap_are_both_met() {
    let universe = "
        a 1.0
        a 2.0
        a 3.0
        ";
    assert_snapshot!(ask(universe, "a<3; sys_platform == 'linux'\na>=2; platform_machine == 'x86_64'\ntarget: linux-x86_64 3.10\ntarget: linux-aarch64 3.10\ntarget: windows-x86_64 3.10"), @r#"
    linux-x86_64 python 3.10:
      a 2.0
    linux-aarch64 python 3.10:
      a 2.0
    windows-x86_64 python 3.10:
      nothing is needed
    "#);
}

#[test]
fn markers_that_contradict_on_one_target() {
    let universe = "
        a 1.0
        a 2.0
        ";
    assert_snapshot!(ask(universe, "a<2; sys_platform == 'linux'\na>=2; platform_machine == 'x86_64'\ntarget: linux-aarch64 3.10\ntarget: linux-x86_64 3.10"), @r#"
    linux-aarch64 python 3.10:
      a 1.0
    linux-x86_64 python 3.10:
      Because you require `a<2; sys_platform == 'linux'` (app.toml:1) and `a>=2; platform_machine == 'x86_64'` (app.toml:2), which no version can meet, there is no solution.
    "#);
}

/// `gone` does not exist, and nobody asks for it.
#[test]
fn a_dependency_behind_a_marker_is_not_looked_at_elsewhere() {
    let universe = "a 1.0 -> gone; sys_platform == 'win32'";
    assert_snapshot!(ask(universe, "a"), @"a 1.0");
    assert_snapshot!(ask(universe, "a\ntarget: windows-x86_64 3.10"), @r#"
    Because a 1.0 needs `gone` and gone does not exist on https://index.test/simple/, a 1.0 cannot be used.
    And because you require `a` (app.toml:1), there is no solution.
    hint: there is no project gone on https://index.test/simple/
    "#);
}

#[test]
fn a_requirement_that_no_target_meets() {
    let universe = "a 1.0";
    assert_snapshot!(ask(universe, "gone; sys_platform == 'sunos5'\na"), @"a 1.0");
}

#[test]
fn a_marker_is_inherited_by_what_it_leads_to() {
    let universe = "
        a 1.0 -> b; sys_platform == 'win32'
        b 1.0 -> c | d; sys_platform == 'linux'
        c 1.0
        d 1.0
        ";
    assert_snapshot!(ask(universe, "a\ntarget: linux-x86_64 3.10\ntarget: windows-x86_64 3.10"), @r#"
    linux-x86_64 python 3.10:
      a 1.0
    windows-x86_64 python 3.10:
      a 1.0
      b 1.0
      c 1.0
    "#);
}

#[test]
fn two_ways_to_a_package_one_behind_a_marker() {
    let universe = "
        a 1.0 -> c==1.0; sys_platform == 'win32'
        b 1.0 -> c
        c 1.0
        c 2.0
        ";
    assert_snapshot!(ask(universe, "a\nb\ntarget: linux-x86_64 3.10\ntarget: windows-x86_64 3.10"), @r#"
    linux-x86_64 python 3.10:
      a 1.0
      b 1.0
      c 2.0
    windows-x86_64 python 3.10:
      a 1.0
      b 1.0
      c 1.0
    "#);
}

#[test]
fn python_versions_need_different_packages() {
    let universe = "
        a 1.0 -> tomli; python_version < '3.11' | typing-extensions<5; python_version < '3.10'
        tomli 2.0
        typing-extensions 4.0
        ";
    assert_snapshot!(ask(universe, "a\ntarget: linux-x86_64 3.9\ntarget: linux-x86_64 3.10\ntarget: linux-x86_64 3.11"), @r#"
    linux-x86_64 python 3.9:
      a 1.0
      tomli 2.0
      typing-extensions 4.0
    linux-x86_64 python 3.10:
      a 1.0
      tomli 2.0
    linux-x86_64 python 3.11:
      a 1.0
    "#);
}

#[test]
fn a_marker_on_a_patch_release_divides_the_target() {
    let universe = "
        a 1.0 -> b; python_full_version < '3.10.8'
        b 1.0
        ";
    assert_snapshot!(ask(universe, "a"), @r#"
    linux-x86_64 python 3.10 (<3.10.8):
      a 1.0
      b 1.0
    linux-x86_64 python 3.10 (>=3.10.8):
      a 1.0
    "#);
}

#[test]
fn a_marker_of_the_maintainer_divides_the_target() {
    let universe = "b 1.0";
    assert_snapshot!(ask(universe, "b; python_full_version >= '3.10.4'"), @r#"
    linux-x86_64 python 3.10 (<3.10.4):
      nothing is needed
    linux-x86_64 python 3.10 (>=3.10.4):
      b 1.0
    "#);
}

#[test]
fn a_divided_target_may_be_divided_again() {
    let universe = "
        a 1.0 -> b; python_full_version < '3.10.8' | c; python_full_version >= '3.10.11'
        b 1.0
        c 1.0
        ";
    assert_snapshot!(ask(universe, "a"), @r#"
    linux-x86_64 python 3.10 (<3.10.8):
      a 1.0
      b 1.0
    linux-x86_64 python 3.10 (>=3.10.8,<3.10.11):
      a 1.0
    linux-x86_64 python 3.10 (>=3.10.11):
      a 1.0
      c 1.0
    "#);
}

#[test]
fn a_marker_of_a_version_that_is_not_chosen_divides_nothing() {
    let universe = "
        a 2.0 -> gone | b; python_full_version < '3.10.8'
        a 1.0
        b 1.0
        ";
    assert_snapshot!(ask(universe, "a"), @"a 1.0");
}

#[test]
fn what_only_a_part_needs_is_not_missed_on_the_other() {
    let universe = "a 1.0 -> gone; python_full_version < '3.10.8'";
    assert_snapshot!(ask(universe, "a"), @r#"
    linux-x86_64 python 3.10 (<3.10.8):
      Because a 1.0 needs `gone` and gone does not exist on https://index.test/simple/, a 1.0 cannot be used.
      And because you require `a` (app.toml:1), there is no solution.
      hint: there is no project gone on https://index.test/simple/
    linux-x86_64 python 3.10 (>=3.10.8):
      a 1.0
    "#);
}

/// No target knows the kernel of the machine: rather one package too many than one too few.
#[test]
fn a_marker_on_the_release_of_the_system_counts_as_true() {
    let universe = "
        a 1.0 -> b; platform_release >= '20.0' | c; 'Ubuntu' in platform_version | d; platform_release < '20.0'
        b 1.0
        c 1.0
        d 1.0
        ";
    assert_snapshot!(ask(universe, "a"), @r#"
    a 1.0
    b 1.0
    c 1.0
    d 1.0
    "#);
}

#[test]
fn a_marker_on_the_release_of_another_system_is_decided() {
    let universe = "
        a 1.0 -> b; platform_release >= '20.0' and sys_platform == 'darwin'
        b 1.0
        ";
    assert_snapshot!(ask(universe, "a\ntarget: linux-x86_64 3.10\ntarget: macos-aarch64 3.10"), @r#"
    linux-x86_64 python 3.10:
      a 1.0
    macos-aarch64 python 3.10:
      a 1.0
      b 1.0
    "#);
}

/// Both may hold on some machine, so both have to.
#[test]
fn requirements_that_only_an_unknown_release_tells_apart() {
    let universe = "
        a 1.0
        a 2.0
        ";
    assert_snapshot!(ask(universe, "a<2; platform_release < '20.0'\na>=2; platform_release >= '20.0'"), @"Because you require `a<2; platform_release < '20.0'` (app.toml:1) and `a>=2; platform_release >= '20.0'` (app.toml:2), which no version can meet, there is no solution.");
}

#[test]
fn another_implementation_of_python() {
    let universe = "
        a 1.0 -> b; implementation_name == 'pypy' | c; platform_python_implementation == 'CPython'
        b 1.0
        c 1.0
        ";
    assert_snapshot!(ask(universe, "a"), @r#"
    a 1.0
    c 1.0
    "#);
}

#[test]
fn machines_have_their_own_names() {
    let universe = "
        a 1.0 -> b; platform_machine == 'x86_64' | c; platform_machine == 'AMD64' | d; platform_machine == 'arm64' | e; platform_machine == 'aarch64' | f; platform_machine == 'ARM64'
        b 1.0
        c 1.0
        d 1.0
        e 1.0
        f 1.0
        ";
    assert_snapshot!(ask(universe, "a\ntarget: linux-x86_64 3.10\ntarget: linux-aarch64 3.10\ntarget: windows-x86_64 3.10\ntarget: windows-aarch64 3.10\ntarget: macos-aarch64 3.10\ntarget: macos-x86_64 3.10"), @r#"
    linux-x86_64 python 3.10:
      a 1.0
      b 1.0
    linux-aarch64 python 3.10:
      a 1.0
      e 1.0
    windows-x86_64 python 3.10:
      a 1.0
      c 1.0
    windows-aarch64 python 3.10:
      a 1.0
      f 1.0
    macos-aarch64 python 3.10:
      a 1.0
      d 1.0
    macos-x86_64 python 3.10:
      a 1.0
      b 1.0
    "#);
}

#[test]
fn a_constraint_for_one_system() {
    let universe = "
        a 1.0
        a 2.0
        ";
    assert_snapshot!(ask(universe, "a\nconstraint: a<2; sys_platform == 'win32'\ntarget: linux-x86_64 3.10\ntarget: windows-x86_64 3.10"), @r#"
    linux-x86_64 python 3.10:
      a 2.0
    windows-x86_64 python 3.10:
      a 1.0
    "#);
}

/// 2.0 has no wheel for the Mac.
#[test]
fn a_target_that_is_preferred_to_agree_may_not() {
    let universe = "
        a 2.0 wheel=cp310-cp310-manylinux_2_17_x86_64
        a 1.0
        ";
    assert_snapshot!(ask(universe, "a\ntarget: linux-x86_64 3.10\ntarget: macos-aarch64 3.10"), @r#"
    linux-x86_64 python 3.10:
      a 2.0 (a-2.0-cp310-cp310-manylinux_2_17_x86_64.whl)
    macos-aarch64 python 3.10:
      a 1.0
    "#);
}

/// No target knows the release of a kernel, so what hangs on it is taken to hold; who reads that there is no solution has to know.
#[test]
fn a_need_that_hangs_on_the_kernel_is_told() {
    let universe = "
        a 1.0 -> b>=2; platform_release >= '9' | c
        b 1.0
        b 2.0
        c 1.0 -> b<2
        d 1.0 extras=x -> b>=2; extra == 'x' and platform_release >= '9'
        ";
    assert_snapshot!(ask(universe, "d[x]\nb<2"), @"
    Because you require `b<2` (app.toml:2) and d[x] 1.0 needs `b>=2` (if `extra == 'x' and platform_release >= '9'`, which no target knows), d[x] 1.0 cannot be used with what you require.
    And because you require `d[x]` (app.toml:1), there is no solution.
    ");
    assert_snapshot!(ask(universe, "a"), @"
    Because a 1.0 needs `b>=2` (if `platform_release >= '9'`, which no target knows) and c 1.0 needs `b<2`, a 1.0 and c 1.0 cannot be used together.
    And because a 1.0 needs `c`, a 1.0 cannot be used.
    And because you require `a` (app.toml:1), there is no solution.
    ");
}
