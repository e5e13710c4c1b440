//! Which file of a version serves a target: tags, build numbers, sdists, and metadata that differs between files.

use insta::assert_snapshot;

use crate::universe::{ask, check};

#[test]
fn the_wheel_of_the_target_is_taken() {
    let universe = "
        a 1.0 wheel=py3-none-any wheel=cp310-cp310-manylinux_2_17_x86_64 wheel=cp310-abi3-manylinux_2_28_x86_64 wheel=cp310-cp310-win_amd64 wheel=cp311-cp311-manylinux_2_17_x86_64 sdist
        ";
    assert_snapshot!(ask(universe, "a"), @"a 1.0 (a-1.0-cp310-cp310-manylinux_2_17_x86_64.whl)");
    assert_snapshot!(ask(universe, "a\ntarget: windows-x86_64 3.10"), @"a 1.0 (a-1.0-cp310-cp310-win_amd64.whl)");
    assert_snapshot!(ask(universe, "a\ntarget: linux-x86_64 3.11"), @"a 1.0 (a-1.0-cp311-cp311-manylinux_2_17_x86_64.whl)");
    assert_snapshot!(ask(universe, "a\ntarget: linux-x86_64 3.12"), @"a 1.0 (a-1.0-cp310-abi3-manylinux_2_28_x86_64.whl)");
    assert_snapshot!(ask(universe, "a\ntarget: macos-aarch64 3.10"), @"a 1.0");
}

#[test]
fn a_version_without_a_wheel_for_the_target_is_passed_over() {
    let universe = "
        a 2.0 wheel=cp310-cp310-win_amd64
        a 1.0
        ";
    assert_snapshot!(ask(universe, "a"), @"a 1.0");
    assert_snapshot!(ask(universe, "a\ntarget: windows-x86_64 3.10"), @"a 2.0 (a-2.0-cp310-cp310-win_amd64.whl)");
    assert_snapshot!(ask(universe, "a==2.0"), @r#"
    Because you require `a==2.0` (app.toml:1) and a 2.0 cannot be used (no wheel for linux-x86_64 python 3.10), there is no solution.
    hint: a 2.0 has no wheel that every linux-x86_64 python 3.10 can use, and no sdist; its wheels for this Python are for `win_amd64`
    "#);
}

#[test]
fn no_wheel_for_this_python() {
    let universe = "
        a 1.0 wheel=cp39-cp39-manylinux_2_17_x86_64 wheel=cp311-cp311-manylinux_2_17_x86_64
        ";
    assert_snapshot!(ask(universe, "a"), @r#"
    Because you require `a` (app.toml:1) and a 1.0 cannot be used (no wheel for linux-x86_64 python 3.10), there is no solution.
    hint: a 1.0 has no wheel that every linux-x86_64 python 3.10 can use, and no sdist; its wheels are for `cp311-cp311` and `cp39-cp39`
    "#);
}

#[test]
fn no_wheel_for_this_abi() {
    let universe = "
        a 1.0 wheel=cp310-cp310t-manylinux_2_17_x86_64 wheel=pp310-pypy310_pp73-manylinux_2_17_x86_64
        ";
    assert_snapshot!(ask(universe, "a"), @r#"
    Because you require `a` (app.toml:1) and a 1.0 cannot be used (no wheel for linux-x86_64 python 3.10), there is no solution.
    hint: a 1.0 has no wheel that every linux-x86_64 python 3.10 can use, and no sdist; its wheels are for `cp310-cp310t` and `pp310-pypy310_pp73`
    "#);
}

#[test]
fn a_free_threaded_wheel_is_for_another_abi() {
    let universe = "
        a 1.0 wheel=cp313-cp313t-manylinux_2_17_x86_64 wheel=cp313-cp313-manylinux_2_17_x86_64
        a 2.0 wheel=cp313-cp313t-manylinux_2_17_x86_64
        ";
    assert_snapshot!(ask(universe, "a\ntarget: linux-x86_64 3.13"), @"a 1.0 (a-1.0-cp313-cp313-manylinux_2_17_x86_64.whl)");
}

#[test]
fn stable_abi_of_older_pythons() {
    let universe = "
        a 1.0 wheel=cp38-abi3-manylinux_2_17_x86_64 wheel=cp312-abi3-manylinux_2_17_x86_64
        ";
    assert_snapshot!(ask(universe, "a"), @"a 1.0 (a-1.0-cp38-abi3-manylinux_2_17_x86_64.whl)");
    assert_snapshot!(ask(universe, "a\ntarget: linux-x86_64 3.12"), @"a 1.0 (a-1.0-cp312-abi3-manylinux_2_17_x86_64.whl)");
    assert_snapshot!(ask(universe, "a\ntarget: linux-x86_64 3.14"), @"a 1.0 (a-1.0-cp312-abi3-manylinux_2_17_x86_64.whl)");
}

#[test]
fn a_glibc_newer_than_the_floor() {
    let universe = "a 1.0 wheel=cp310-cp310-manylinux_2_31_x86_64";
    assert_snapshot!(ask(universe, "a"), @r#"
    Because you require `a` (app.toml:1) and a 1.0 cannot be used (no wheel for linux-x86_64 python 3.10), there is no solution.
    hint: a 1.0 has no wheel that every linux-x86_64 python 3.10 can use, and no sdist; its wheels for this Python are for `manylinux_2_31_x86_64`
    "#);
    assert_snapshot!(ask(universe, "a\ntarget: linux-x86_64-glibc2.31 3.10"), @"a 1.0 (a-1.0-cp310-cp310-manylinux_2_31_x86_64.whl)");
}

#[test]
fn the_newest_glibc_that_serves_is_best() {
    let universe = "
        a 1.0 wheel=cp310-cp310-manylinux_2_17_x86_64 wheel=cp310-cp310-manylinux_2_28_x86_64 wheel=cp310-cp310-manylinux_2_34_x86_64
        ";
    assert_snapshot!(ask(universe, "a\ntarget: linux-x86_64-glibc2.17 3.10"), @"a 1.0 (a-1.0-cp310-cp310-manylinux_2_17_x86_64.whl)");
    assert_snapshot!(ask(universe, "a"), @"a 1.0 (a-1.0-cp310-cp310-manylinux_2_28_x86_64.whl)");
    assert_snapshot!(ask(universe, "a\ntarget: linux-x86_64-glibc2.39 3.10"), @"a 1.0 (a-1.0-cp310-cp310-manylinux_2_34_x86_64.whl)");
}

#[test]
fn legacy_names_of_manylinux() {
    let universe = "
        a 3.0 wheel=cp310-cp310-manylinux2014_x86_64
        a 2.0 wheel=cp310-cp310-manylinux2010_x86_64
        a 1.0 wheel=cp310-cp310-manylinux1_x86_64
        ";
    assert_snapshot!(ask(universe, "a"), @"a 3.0 (a-3.0-cp310-cp310-manylinux2014_x86_64.whl)");
    assert_snapshot!(ask(universe, "a\ntarget: linux-x86_64-glibc2.12 3.10"), @"a 2.0 (a-2.0-cp310-cp310-manylinux2010_x86_64.whl)");
    assert_snapshot!(ask(universe, "a\ntarget: linux-x86_64-glibc2.5 3.10"), @"a 1.0 (a-1.0-cp310-cp310-manylinux1_x86_64.whl)");
}

#[test]
fn musl_is_not_glibc() {
    let universe = "a 1.0 wheel=cp310-cp310-musllinux_1_1_x86_64";
    assert_snapshot!(ask(universe, "a"), @r#"
    Because you require `a` (app.toml:1) and a 1.0 cannot be used (no wheel for linux-x86_64 python 3.10), there is no solution.
    hint: a 1.0 has no wheel that every linux-x86_64 python 3.10 can use, and no sdist; its wheels for this Python are for `musllinux_1_1_x86_64`
    "#);
    assert_snapshot!(ask(universe, "a\ntarget: linux-x86_64-musl1.2 3.10"), @"a 1.0 (a-1.0-cp310-cp310-musllinux_1_1_x86_64.whl)");
}

#[test]
fn a_musl_newer_than_the_floor() {
    let universe = "
        a 1.0 wheel=cp310-cp310-musllinux_1_2_x86_64 wheel=cp310-cp310-musllinux_1_1_x86_64
        ";
    assert_snapshot!(ask(universe, "a\ntarget: linux-x86_64-musl1.2 3.10"), @"a 1.0 (a-1.0-cp310-cp310-musllinux_1_2_x86_64.whl)");
    assert_snapshot!(ask(universe, "a\ntarget: linux-x86_64-musl1.1 3.10"), @"a 1.0 (a-1.0-cp310-cp310-musllinux_1_1_x86_64.whl)");
}

#[test]
fn a_macos_newer_than_the_floor() {
    let universe = "
        a 2.0 wheel=cp310-cp310-macosx_14_0_arm64
        a 1.0 wheel=cp310-cp310-macosx_12_0_arm64
        ";
    assert_snapshot!(ask(universe, "a\ntarget: macos-aarch64 3.10"), @"a 1.0 (a-1.0-cp310-cp310-macosx_12_0_arm64.whl)");
    assert_snapshot!(ask(universe, "a\ntarget: macos-aarch64-14.0 3.10"), @"a 2.0 (a-2.0-cp310-cp310-macosx_14_0_arm64.whl)");
}

#[test]
fn universal_wheels_serve_both_macs() {
    let universe = "
        a 1.0 wheel=cp310-cp310-macosx_10_9_universal2 wheel=cp310-cp310-macosx_11_0_arm64
        ";
    assert_snapshot!(ask(universe, "a\ntarget: macos-aarch64 3.10"), @"a 1.0 (a-1.0-cp310-cp310-macosx_11_0_arm64.whl)");
    assert_snapshot!(ask(universe, "a\ntarget: macos-x86_64 3.10"), @"a 1.0 (a-1.0-cp310-cp310-macosx_10_9_universal2.whl)");
}

#[test]
fn an_intel_wheel_does_not_serve_the_arm_mac() {
    let universe = "a 1.0 wheel=cp310-cp310-macosx_10_9_x86_64";
    assert_snapshot!(ask(universe, "a\ntarget: macos-aarch64 3.10"), @r#"
    Because you require `a` (app.toml:1) and a 1.0 cannot be used (no wheel for macos-aarch64 python 3.10), there is no solution.
    hint: a 1.0 has no wheel that every macos-aarch64 python 3.10 can use, and no sdist; its wheels for this Python are for `macosx_10_9_x86_64`
    "#);
    assert_snapshot!(ask(universe, "a\ntarget: macos-x86_64 3.10"), @"a 1.0 (a-1.0-cp310-cp310-macosx_10_9_x86_64.whl)");
}

#[test]
fn windows_on_arm() {
    let universe = "
        a 1.0 wheel=cp311-cp311-win_arm64 wheel=cp311-cp311-win_amd64
        b 1.0 wheel=cp311-cp311-win_amd64
        ";
    assert_snapshot!(ask(universe, "a\ntarget: windows-aarch64 3.11"), @"a 1.0 (a-1.0-cp311-cp311-win_arm64.whl)");
    assert_snapshot!(ask(universe, "b\ntarget: windows-aarch64 3.11"), @r#"
    Because you require `b` (app.toml:1) and b 1.0 cannot be used (no wheel for windows-aarch64 python 3.11), there is no solution.
    hint: b 1.0 has no wheel that every windows-aarch64 python 3.11 can use, and no sdist; its wheels for this Python are for `win_amd64`
    "#);
}

#[test]
fn windows_of_32_bits_is_no_target() {
    let universe = "a 1.0 wheel=cp310-cp310-win32";
    assert_snapshot!(ask(universe, "a\ntarget: windows-x86_64 3.10"), @r#"
    Because you require `a` (app.toml:1) and a 1.0 cannot be used (no wheel for windows-x86_64 python 3.10), there is no solution.
    hint: a 1.0 has no wheel that every windows-x86_64 python 3.10 can use, and no sdist; its wheels for this Python are for `win32`
    "#);
}

/// Builds count as numbers: 10 is after 9; a wheel without a build number is before all.
#[test]
fn the_newest_build_of_a_wheel() {
    let universe = "a 1.0 wheel=py3-none-any wheel=9-py3-none-any wheel=10-py3-none-any";
    assert_snapshot!(ask(universe, "a"), @"a 1.0 (a-1.0-10-py3-none-any.whl)");
}

#[test]
fn a_better_tag_outranks_a_newer_build() {
    let universe = "a 1.0 wheel=cp310-cp310-manylinux_2_17_x86_64 wheel=2-py3-none-any";
    assert_snapshot!(ask(universe, "a"), @"a 1.0 (a-1.0-cp310-cp310-manylinux_2_17_x86_64.whl)");
}

#[test]
fn the_best_tag_of_a_compressed_set_counts() {
    let universe = "
        a 1.0 wheel=cp38.cp39.cp310-cp310.abi3-manylinux_2_5_x86_64.manylinux_2_28_x86_64 wheel=cp310-cp310-manylinux_2_17_x86_64
        ";
    assert_snapshot!(ask(universe, "a"), @"a 1.0 (a-1.0-cp38.cp39.cp310-cp310.abi3-manylinux_2_5_x86_64.manylinux_2_28_x86_64.whl)");
}

#[test]
fn a_plain_linux_wheel_is_last() {
    let universe = "
        a 1.0 wheel=cp310-cp310-linux_x86_64 wheel=cp310-cp310-manylinux_2_5_x86_64
        ";
    assert_snapshot!(ask(universe, "a"), @"a 1.0 (a-1.0-cp310-cp310-manylinux_2_5_x86_64.whl)");
}

#[test]
fn pure_python_of_an_older_python() {
    let universe = "
        a 1.0 wheel=py38-none-any wheel=py2.py3-none-any
        a 2.0 wheel=py311-none-any
        ";
    assert_snapshot!(ask(universe, "a"), @"a 1.0 (a-1.0-py2.py3-none-any.whl)");
}

#[test]
fn only_an_sdist_and_no_leave_to_build() {
    let universe = "a 4.9.3 sdist";
    assert_snapshot!(ask(universe, "a==4.9.3"), @r#"
    Because you require `a==4.9.3` (app.toml:1) and a 4.9.3 cannot be used (only an sdist for linux-x86_64 python 3.10, and `build` does not name it), there is no solution.
    hint: a 4.9.3 has no wheel for linux-x86_64 python 3.10, but an sdist; `build` in the manifest does not name a
    "#);
}

#[test]
fn an_sdist_is_built_where_that_is_allowed() {
    let universe = "
        a 2.0 sdist
        a 1.0
        ";
    assert_snapshot!(ask(universe, "a"), @"a 1.0");
    assert_snapshot!(ask(universe, "a\nbuild: a"), @"a 2.0 (sdist)");
    assert_snapshot!(ask(universe, "a\nbuild: b"), @"a 1.0");
    assert_snapshot!(ask(universe, "a\nbuild: *"), @"a 2.0 (sdist)");
}

#[test]
fn a_wheel_is_taken_before_an_sdist() {
    let universe = "a 1.0 sdist wheel=py3-none-any";
    assert_snapshot!(ask(universe, "a\nbuild: a"), @"a 1.0");
}

#[test]
fn an_sdist_for_the_target_that_has_no_wheel() {
    let universe = "a 1.0 sdist wheel=cp310-cp310-win_amd64";
    assert_snapshot!(ask(universe, "a\nbuild: a\ntarget: linux-x86_64 3.10\ntarget: windows-x86_64 3.10"), @r#"
    linux-x86_64 python 3.10:
      a 1.0 (sdist)
    windows-x86_64 python 3.10:
      a 1.0 (a-1.0-cp310-cp310-win_amd64.whl)
    "#);
    assert_snapshot!(ask(universe, "a"), @r#"
    Because you require `a` (app.toml:1) and a 1.0 cannot be used (only an sdist for linux-x86_64 python 3.10, and `build` does not name it), there is no solution.
    hint: a 1.0 has no wheel for linux-x86_64 python 3.10, but an sdist; `build` in the manifest does not name a
    "#);
}

#[test]
fn a_dependency_as_source_only() {
    let universe = "
        a 2.0 -> b>=2
        a 1.0 -> b
        b 2.0 sdist
        b 1.0
        ";
    assert_snapshot!(ask(universe, "a"), @r#"
    a 1.0
    b 1.0
    "#);
    assert_snapshot!(ask(universe, "a>=2"), @r#"
    Because a 2.0 needs `b>=2` and b 2.0 cannot be used (only an sdist for linux-x86_64 python 3.10, and `build` does not name it), a 2.0 cannot be used.
    And because you require `a>=2` (app.toml:1), there is no solution.
    hint: b 2.0 has no wheel for linux-x86_64 python 3.10, but an sdist; `build` in the manifest does not name b
    "#);
}

#[test]
fn no_binary_takes_no_wheel() {
    let universe = "
        a 1.0 sdist wheel=py3-none-any
        a 2.0
        ";
    assert_snapshot!(ask(universe, "a\nno-binary: a"), @r#"
    Because you require `a` (app.toml:1) and no version of a can be used (no sdist, and no-binary forbids its wheels; only an sdist for linux-x86_64 python 3.10, and `build` does not name it), there is no solution.
    hint: a 2.0 has no sdist, and `no-binary` names a, so its wheels are not used
    hint: a 1.0 has an sdist, but `build` in the manifest does not name a
    "#);
    assert_snapshot!(ask(universe, "a\nno-binary: a\nbuild: a"), @"a 1.0 (sdist)");
    assert_snapshot!(ask(universe, "a\nno-binary: b"), @"a 2.0");
}

#[test]
fn other_implementations_have_wheels_of_their_own() {
    for tags in ["py3-graalpy240_310_native-any", "graalpy310-none-any", "pp310-pypy310_pp73-any", "ip310-none-any"] {
        check(&format!("a 1.0 wheel={tags}"), "a", "no solution");
        check(&format!("a 2.0 wheel={tags}\na 1.0"), "a", "a 1.0");
    }
    let found = ask("a 1.0 wheel=cp310-cp310-manylinux_2_17_x86_64.manylinux2014_x86_64 wheel=py3-none-any", "a");
    assert!(found.contains("manylinux2014_x86_64.whl"), "{found}");
}

#[test]
fn a_version_without_any_file_for_the_target() {
    let universe = "a 1.0 wheel=cp27-none-win32";
    assert_snapshot!(ask(universe, "a"), @r#"
    Because you require `a` (app.toml:1) and a 1.0 cannot be used (no wheel for linux-x86_64 python 3.10), there is no solution.
    hint: a 1.0 has no wheel that every linux-x86_64 python 3.10 can use, and no sdist; its wheels are for `cp27-none`
    "#);
}

/// Each target gets what its own wheel says.
#[test]
fn metadata_that_differs_between_the_wheels_of_a_version() {
    let universe = "
        a 1.0 wheel=cp310-cp310-win_amd64 -> w
        a 1.0 wheel=cp310-cp310-manylinux_2_17_x86_64 -> l
        w 1.0
        l 1.0
        ";
    assert_snapshot!(ask(universe, "a\ntarget: linux-x86_64 3.10\ntarget: windows-x86_64 3.10"), @r#"
    linux-x86_64 python 3.10:
      a 1.0 (a-1.0-cp310-cp310-manylinux_2_17_x86_64.whl)
      l 1.0
    windows-x86_64 python 3.10:
      a 1.0 (a-1.0-cp310-cp310-win_amd64.whl)
      w 1.0
    "#);
}

#[test]
fn metadata_of_one_wheel_needs_another_python() {
    let universe = "
        a 1.0 wheel=cp310-cp310-manylinux_2_17_x86_64 metapython=>=3.11
        a 1.0 wheel=py3-none-any
        a 0.9
        ";
    assert_snapshot!(ask(universe, "a"), @"a 0.9");
}

#[test]
fn a_requirement_that_was_repaired_is_a_warning() {
    let universe = "
        a 1.0 -> b>=2.9.x | c (>=1.0,)
        b 3.0
        c 1.0
        ";
    assert_snapshot!(ask(universe, "a"), @r#"
    a 1.0
    b 3.0
    c 1.0
    warning: `a` 1.0 has broken metadata: `>=1.0,` was read as `>=1.0` (a comma with nothing beside it)
    warning: `a` 1.0 has broken metadata: `>=2.9.x` was read as `>=2.9` (a wildcard does not go with this operator)
    "#);
}

#[test]
fn a_broken_requires_python_of_the_chosen_file_is_a_warning() {
    let universe = "
        a 3.0 python=>=3.11.*
        a 2.0 python=>=3.6.* -> b
        a 1.0 python=>=3.5.*
        b 1.0 python=>=3.7,
        ";
    // Not of files that nobody takes.
    assert_snapshot!(ask(universe, "a"), @"
    a 2.0
    b 1.0
    warning: `a` 2.0 has broken metadata: `>=3.6.*` was read as `>=3.6` (a wildcard does not go with this operator)
    warning: `b` 1.0 has broken metadata: `>=3.7,` was read as `>=3.7` (a comma with nothing beside it)
    ");
}

#[test]
fn a_file_whose_page_cannot_be_read_is_passed_over() {
    let universe = "
        a 4.0rc1 python=junk
        a 3.5 python=junk yanked
        a 3.0 python=junk
        a 2.5 python=junk
        a 2.0 python=other
        a 1.0
        a 0.5 python=junk
        ";
    assert_snapshot!(ask(universe, "a"), @"
    a 1.0
    warning: a file of `a` 2.0 is passed over: `other` is no version specifier: it must begin with one of `==`, `!=`, `<=`, `>=`, `<`, `>`, `~=`, `===`
    warning: a file of `a` 3.0 is passed over: `junk` is no version specifier: it must begin with one of `==`, `!=`, `<=`, `>=`, `<`, `>`, `~=`, `===`
    ");
    assert_snapshot!(ask(universe, "a>=2"), @r#"
    Because you require `a>=2` (app.toml:1) and there is no version of a >=2, there is no solution.
    hint: the only version of a is 1.0
    hint: a: 5 of its files could not be read: `a-4.0rc1-py3-none-any.whl`: `junk` is no version specifier: it must begin with one of `==`, `!=`, `<=`, `>=`, `<`, `>`, `~=`, `===`
    "#);
    for question in ["a<2", "a\nconstraint: a<2", "a\nprefer: a 1.0"] {
        assert_eq!(ask(universe, question), ask("a 1.0", question), "{question}");
    }
    assert_snapshot!(ask(universe, "a\nstrategy: lowest"), @"
    a 1.0
    warning: a file of `a` 0.5 is passed over: `junk` is no version specifier: it must begin with one of `==`, `!=`, `<=`, `>=`, `<`, `>`, `~=`, `===`
    ");
    // Of one version, too: a wheel, and not an sdist or what another target needs.
    let universe = "
        a 1.0 wheel=py3-none-any
        a 1.0 wheel=cp310-cp310-manylinux_2_17_x86_64 python=junk
        b 1.0
        b 1.0 sdist python=junk
        b 1.0 wheel=cp310-cp310-win_amd64 python=junk
        ";
    assert_snapshot!(ask(universe, "a\nb"), @"
    a 1.0
    b 1.0
    warning: a file of `a` 1.0 is passed over: `junk` is no version specifier: it must begin with one of `==`, `!=`, `<=`, `>=`, `<`, `>`, `~=`, `===`
    ");
}

#[test]
fn a_version_with_unreadable_requirements_is_passed_over() {
    let universe = "
        a 2.0 -> b==2004d
        a 1.0
        b 1.0
        ";
    assert_snapshot!(ask(universe, "a"), @"
    a 1.0
    warning: `a` 2.0 is passed over: the metadata of `a-2.0-py3-none-any.whl` cannot be read: `2004d` is no version
    ");
    assert_snapshot!(ask(universe, "a==2.0"), @r#"
    Because you require `a==2.0` (app.toml:1) and a 2.0 cannot be used (unreadable metadata), there is no solution.
    hint: the metadata of a 2.0 cannot be read: `2004d` is no version
    "#);
    // A version that nobody could have taken is not missed.
    assert_snapshot!(ask(universe, "a===1.0"), @"a 1.0");
    assert_snapshot!(ask(universe, "a<2"), @"a 1.0");
    assert_snapshot!(ask(universe, "a\nconstraint: a<2"), @"a 1.0");
    assert_snapshot!(ask(universe, "a\nprefer: a 1.0"), @"a 1.0");
    assert_snapshot!(ask(universe, "a\nstrategy: lowest"), @"a 1.0");
    assert_snapshot!(ask("a 1.0 -> b==2004d\na 2.0", "a\nstrategy: lowest"), @"
    a 2.0
    warning: `a` 1.0 is passed over: the metadata of `a-1.0-py3-none-any.whl` cannot be read: `2004d` is no version
    ");
}

#[test]
fn metadata_of_another_project_is_refused() {
    let universe = "a 1.0 called=b";
    assert_snapshot!(ask(universe, "a"), @"refused (metadata-mismatch): `a-1.0-py3-none-any.whl` carries the metadata of `b` 1.0");
}

#[test]
fn a_quarantined_project_is_refused() {
    let universe = "
        a 1.0 -> b
        b 1.0
        status b quarantined
        ";
    assert_snapshot!(ask(universe, "a"), @"refused (quarantined): `b` is quarantined by https://index.test/simple/: a test");
    assert_snapshot!(ask(universe, "b; sys_platform == 'win32'"), @"nothing is needed");
}

#[test]
fn an_archived_project_is_a_warning() {
    let universe = "
        a 1.0
        b 1.0
        status a archived
        status b deprecated
        ";
    assert_snapshot!(ask(universe, "a\nb"), @r#"
    a 1.0
    b 1.0
    warning: `a` is archived on its index: a test
    warning: `b` is deprecated on its index: a test
    "#);
}
