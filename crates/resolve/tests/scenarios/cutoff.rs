//! `exclude-newer`, file by file.

use insta::assert_snapshot;

use crate::universe::ask;

#[test]
fn files_after_the_cutoff_do_not_exist() {
    let universe = "
        a 2.0 at=2024-08-21
        a 1.0 at=2024-08-20
        ";
    assert_snapshot!(ask(universe, "a\nnewer: 2024-08-20T00:00:00Z"), @"a 1.0");
    assert_snapshot!(ask(universe, "a\nnewer: 2024-08-21T00:00:00Z"), @"a 2.0");
}

#[test]
fn everything_is_newer_than_the_cutoff() {
    let universe = "
        a 2.0 at=2024-08-21
        a 1.0 at=2024-08-20
        ";
    assert_snapshot!(ask(universe, "a\nnewer: 2024-08-19T23:59:59Z"), @r#"
    Because you require `a` (app.toml:1) and no version of a can be used (uploaded after the cutoff of exclude-newer), there is no solution.
    hint: a 2.0 (uploaded 2024-08-21T00:00:00Z) and 1.0 (uploaded 2024-08-20T00:00:00Z) are newer than 2024-08-19T23:59:59Z, so exclude-newer hides them
    "#);
}

#[test]
fn a_dependency_newer_than_the_cutoff() {
    let universe = "
        a 1.0 at=2024-01-01 -> b>=2
        b 2.0 at=2024-06-01
        b 1.0 at=2023-01-01
        ";
    assert_snapshot!(ask(universe, "a\nnewer: 2024-02-01T00:00:00Z"), @r#"
    Because a 1.0 needs `b>=2` and b 2.0 cannot be used (uploaded after the cutoff of exclude-newer), a 1.0 cannot be used.
    And because you require `a` (app.toml:1), there is no solution.
    hint: b 2.0 (uploaded 2024-06-01T00:00:00Z) is newer than 2024-02-01T00:00:00Z, so exclude-newer hides it
    "#);
}

#[test]
fn a_wheel_that_was_added_later() {
    let universe = "
        a 1.0 at=2024-01-01 wheel=py3-none-any
        a 1.0 at=2024-06-01 wheel=cp310-cp310-manylinux_2_17_x86_64
        ";
    assert_snapshot!(ask(universe, "a\nnewer: 2024-02-01T00:00:00Z"), @"a 1.0");
    assert_snapshot!(ask(universe, "a"), @"a 1.0 (a-1.0-cp310-cp310-manylinux_2_17_x86_64.whl)");
}

#[test]
fn an_index_that_tells_no_upload_times() {
    let universe = "a 1.0";
    assert_snapshot!(ask(universe, "a\nnewer: 2030-01-01T00:00:00Z"), @r#"
    Because you require `a` (app.toml:1) and a 1.0 cannot be used (the index tells no upload time, which exclude-newer needs), there is no solution.
    hint: https://index.test/simple/ does not tell when a 1.0 was uploaded, so exclude-newer hides it; on an index with a route, `upload-time = "first-seen"` lets the moment of the first lock stand for it
    "#);
}

#[test]
fn a_locked_version_newer_than_the_cutoff_is_not_kept() {
    let universe = "
        a 2.0 at=2024-06-01
        a 1.0 at=2023-01-01
        ";
    assert_snapshot!(ask(universe, "a\nprefer: a 2.0\nnewer: 2024-02-01T00:00:00Z"), @"a 1.0");
}

#[test]
fn many_versions_are_newer() {
    let universe = "
        a 1.0 at=2024-03-01
        a 1.1 at=2024-04-01
        a 1.2 at=2024-05-01
        a 1.3 at=2024-06-01
        a 1.4 at=2024-07-01
        ";
    assert_snapshot!(ask(universe, "a\nnewer: 2024-02-01T00:00:00Z"), @r#"
    Because you require `a` (app.toml:1) and no version of a can be used (uploaded after the cutoff of exclude-newer), there is no solution.
    hint: a 1.4 (uploaded 2024-07-01T00:00:00Z), 1.3 (uploaded 2024-06-01T00:00:00Z), 1.2 (uploaded 2024-05-01T00:00:00Z) and 2 more are newer than 2024-02-01T00:00:00Z, so exclude-newer hides them
    "#);
}

#[test]
fn the_wheel_of_one_target_is_newer() {
    let universe = "
        a 2.0 at=2024-01-01 wheel=cp310-cp310-manylinux_2_17_x86_64
        a 2.0 at=2025-01-01 wheel=cp310-cp310-win_amd64
        a 2.0 at=2024-12-01 wheel=cp311-cp311-win_amd64
        ";
    let question = "a\nnewer: 2024-08-01T00:00:00Z\ntarget: linux-x86_64 3.10\ntarget: windows-x86_64 3.10";
    assert_snapshot!(ask(universe, question), @r#"
    linux-x86_64 python 3.10:
      a 2.0 (a-2.0-cp310-cp310-manylinux_2_17_x86_64.whl)
    windows-x86_64 python 3.10:
      Because you require `a` (app.toml:1) and a 2.0 cannot be used (what serves windows-x86_64 python 3.10 was uploaded after the cutoff of exclude-newer), there is no solution.
      hint: a 2.0 has `a-2.0-cp310-cp310-win_amd64.whl` for windows-x86_64 python 3.10, uploaded 2025-01-01T00:00:00Z; that is newer than 2024-08-01T00:00:00Z, so exclude-newer hides it
    "#);
    let universe = "
        a 2.0 at=2024-01-01 sdist
        a 2.0 at=2025-01-01 wheel=py3-none-any
        a 1.0 at=2024-01-01 wheel=cp310-cp310-win_amd64
        a 1.0 wheel=py3-none-any
        ";
    assert_snapshot!(ask(universe, "a\nnewer: 2024-08-01T00:00:00Z"), @r#"
    Because you require `a` (app.toml:1) and no version of a can be used (what serves linux-x86_64 python 3.10 was uploaded after the cutoff of exclude-newer; the index tells no upload time of what serves linux-x86_64 python 3.10, which exclude-newer needs), there is no solution.
    hint: a 1.0 has `a-1.0-py3-none-any.whl` for linux-x86_64 python 3.10, but https://index.test/simple/ does not tell when it was uploaded, so exclude-newer hides it
    hint: a 2.0 has `a-2.0-py3-none-any.whl` for linux-x86_64 python 3.10, uploaded 2025-01-01T00:00:00Z; that is newer than 2024-08-01T00:00:00Z, so exclude-newer hides it
    "#);
    assert_snapshot!(ask(universe, "a\nnewer: 2024-08-01T00:00:00Z\nno-binary: a"), @r#"
    Because you require `a` (app.toml:1) and no version of a can be used (only an sdist for linux-x86_64 python 3.10, and `build` does not name it; no sdist, and no-binary forbids its wheels), there is no solution.
    hint: a 1.0 has no sdist, and `no-binary` names a, so its wheels are not used
    hint: a 2.0 has an sdist, but `build` in the manifest does not name a
    "#);
}
