//! Requirements by URL, and projects that belong to another index.

use insta::assert_snapshot;

use crate::universe::ask;

#[test]
fn a_url_in_published_metadata_is_refused() {
    let universe = "
        a 1.0 -> b @ https://evil.test/b-1.0-py3-none-any.whl
        b 1.0
        ";
    assert_snapshot!(ask(universe, "a"), @"refused (direct-url): `a` 1.0 requires `b` from https://evil.test/b-1.0-py3-none-any.whl: a published package must not name a URL");
}

#[test]
fn a_url_behind_a_marker_that_does_not_hold() {
    let universe = "a 1.0 -> b @ https://evil.test/b.whl ; sys_platform == 'win32'";
    assert_snapshot!(ask(universe, "a"), @"a 1.0");
    assert_snapshot!(ask(universe, "a\ntarget: windows-x86_64 3.10"), @"refused (direct-url): `a` 1.0 requires `b` from https://evil.test/b.whl: a published package must not name a URL");
}

#[test]
fn a_url_behind_an_extra_that_nobody_wants() {
    let universe = "a 1.0 extras=x -> b @ https://evil.test/b.whl ; extra == 'x'";
    assert_snapshot!(ask(universe, "a"), @"a 1.0");
    assert_snapshot!(ask(universe, "a[x]"), @"refused (direct-url): `a` 1.0 requires `b` from https://evil.test/b.whl: a published package must not name a URL");
}

#[test]
fn a_url_that_is_never_used_behind_an_extra_that_nobody_wants() {
    let universe = "
        a 1.0 extras=x -> b @ git+ssh://me:secret@evil.test/b ; extra == 'x'
        b 1.0
        ";
    assert_snapshot!(ask(universe, "a"), @"a 1.0");
    assert_snapshot!(ask(universe, "a[x]"), @"refused (direct-url): `a` 1.0 requires `b` from git+ssh://evil.test/b: a published package must not name a URL");
    assert_snapshot!(ask(universe, "a[x]\noverride: b==1.0"), @r"
    a 1.0
    b 1.0
    ");
}

#[test]
fn a_url_in_the_metadata_of_an_excluded_project() {
    let universe = "a 1.0 -> b @ https://evil.test/b.whl";
    assert_snapshot!(ask(universe, "a\nexclude: b"), @"a 1.0");
}

#[test]
fn the_maintainer_may_require_a_file_by_url() {
    let universe = "b 1.0 url=https://files.test/b-1.0-py3-none-any.whl";
    assert_snapshot!(ask(universe, "b @ https://files.test/b-1.0-py3-none-any.whl"), @"b 1.0");
}

#[test]
fn a_fragment_is_no_part_of_the_file() {
    let universe = "b 1.0 url=https://files.test/b-1.0-py3-none-any.whl";
    assert_snapshot!(ask(universe, "b @ https://files.test/b-1.0-py3-none-any.whl#sha256=00"), @"b 1.0");
}

#[test]
fn the_same_url_twice_is_one() {
    let universe = "
        a 1.0 -> b @ https://files.test/b-1.0-py3-none-any.whl
        b 1.0 url=https://files.test/b-1.0-py3-none-any.whl
        ";
    assert_snapshot!(ask(universe, "a\nb @ https://files.test/b-1.0-py3-none-any.whl"), @r#"
    a 1.0
    b 1.0
    "#);
}

#[test]
fn two_urls_for_one_project() {
    let universe = "
        b 1.0 url=https://files.test/b-1.0-py3-none-any.whl
        b 1.1 url=https://files.test/b-1.1-py3-none-any.whl
        ";
    assert_snapshot!(ask(universe, "b @ https://files.test/b-1.0-py3-none-any.whl\nb @ https://files.test/b-1.1-py3-none-any.whl"), @"Because you require `b @ https://files.test/b-1.0-py3-none-any.whl` (app.toml:1) and `b @ https://files.test/b-1.1-py3-none-any.whl` (app.toml:2) and no version of b can be used (2 different files are required by URL), there is no solution.");
}

#[test]
fn a_url_and_a_range_that_its_version_meets() {
    let universe = "
        a 1.0 -> b>=1
        b 1.0 url=https://files.test/b-1.0-py3-none-any.whl
        ";
    assert_snapshot!(ask(universe, "a\nb @ https://files.test/b-1.0-py3-none-any.whl"), @r#"
    a 1.0
    b 1.0
    "#);
}

#[test]
fn a_url_and_a_range_that_its_version_does_not_meet() {
    let universe = "
        a 1.0 -> b>=2
        b 1.0 url=https://files.test/b-1.0-py3-none-any.whl
        b 2.0
        ";
    assert_snapshot!(ask(universe, "a\nb @ https://files.test/b-1.0-py3-none-any.whl"), @r#"
    Because a 1.0 needs `b>=2` and b 2.0 cannot be used (another file than the one required by URL), a 1.0 cannot be used.
    And because you require `a` (app.toml:1), there is no solution.
    "#);
}

#[test]
fn a_url_of_a_pre_release_is_a_request_for_it() {
    let universe = "b 1.0rc1 url=https://files.test/b-1.0rc1-py3-none-any.whl";
    assert_snapshot!(ask(universe, "b @ https://files.test/b-1.0rc1-py3-none-any.whl\nprerelease: never"), @"b 1.0rc1");
}

#[test]
fn a_url_of_a_wheel_for_another_system() {
    let universe = "b 1.0 url=https://files.test/b-1.0-cp310-cp310-win_amd64.whl";
    assert_snapshot!(ask(universe, "b @ https://files.test/b-1.0-cp310-cp310-win_amd64.whl"), @r#"
    Because you require `b @ https://files.test/b-1.0-cp310-cp310-win_amd64.whl` (app.toml:1) and b 1.0 cannot be used (no wheel for linux-x86_64 python 3.10), there is no solution.
    hint: b 1.0 has no wheel that every linux-x86_64 python 3.10 can use, and no sdist; its wheels for this Python are for `win_amd64`
    "#);
    assert_snapshot!(ask(universe, "b @ https://files.test/b-1.0-cp310-cp310-win_amd64.whl ; sys_platform == 'win32'\ntarget: linux-x86_64 3.10\ntarget: windows-x86_64 3.10"), @r#"
    linux-x86_64 python 3.10:
      nothing is needed
    windows-x86_64 python 3.10:
      b 1.0 (b-1.0-cp310-cp310-win_amd64.whl)
    "#);
}

#[test]
fn a_url_of_an_sdist() {
    let universe = "b 1.0 url=https://files.test/b-1.0.tar.gz";
    assert_snapshot!(ask(universe, "b @ https://files.test/b-1.0.tar.gz"), @r#"
    Because you require `b @ https://files.test/b-1.0.tar.gz` (app.toml:1) and b 1.0 cannot be used (only an sdist for linux-x86_64 python 3.10, and `build` does not name it), there is no solution.
    hint: b 1.0 has no wheel for linux-x86_64 python 3.10, but an sdist; `build` in the manifest does not name b
    "#);
    assert_snapshot!(ask(universe, "b @ https://files.test/b-1.0.tar.gz\nbuild: b"), @"b 1.0 (sdist)");
}

#[test]
fn a_url_that_nothing_is_behind() {
    let universe = "b 1.0";
    assert_snapshot!(ask(universe, "b @ https://elsewhere.test/b-1.0-py3-none-any.whl"), @"Because you require `b @ https://elsewhere.test/b-1.0-py3-none-any.whl` (app.toml:1) and b 1.0 cannot be used (another file than the one required by URL), there is no solution.");
}

#[test]
fn a_url_of_a_file_for_another_python() {
    let universe = "b 1.0 url=https://files.test/b-1.0-py3-none-any.whl metapython=>=3.12";
    assert_snapshot!(ask(universe, "b @ https://files.test/b-1.0-py3-none-any.whl"), @r#"
    Because you require `b @ https://files.test/b-1.0-py3-none-any.whl` (app.toml:1) and b 1.0 cannot be used (needs Python >=3.12), there is no solution.
    hint: b 1.0 needs Python >=3.12; this target is linux-x86_64 python 3.10
    "#);
}

#[test]
fn a_routed_project_comes_from_its_index() {
    let universe = "
        index torch https://torch.test/simple/
        torch 2.1.0+cu121
        a 1.0 -> torch
        ";
    assert_snapshot!(ask(universe, "a"), @r#"
    a 1.0
    torch 2.1.0+cu121 from https://torch.test/simple/
    "#);
}

/// Whether another index has it does not matter, and is not asked.
#[test]
fn a_routed_project_that_its_index_does_not_have() {
    let universe = "
        index torch https://torch.test/simple/
        a 1.0 -> torch
        ";
    assert_snapshot!(ask(universe, "a"), @r#"
    Because a 1.0 needs `torch` and torch does not exist on https://torch.test/simple/, a 1.0 cannot be used.
    And because you require `a` (app.toml:1), there is no solution.
    hint: there is no project torch on https://torch.test/simple/, and no other index is asked for it: `packages` of an index says which names are its own
    "#);
}

#[test]
fn a_routed_project_whose_index_lacks_the_version() {
    let universe = "
        index torch https://torch.test/simple/
        torch 2.1.0
        a 1.0 -> torch>=2.2
        ";
    assert_snapshot!(ask(universe, "a"), @r#"
    Because a 1.0 needs `torch>=2.2` and there is no version of torch >=2.2, a 1.0 cannot be used.
    And because you require `a` (app.toml:1), there is no solution.
    hint: the only version of torch is 2.1.0, on https://torch.test/simple/, the only index that is asked for it
    "#);
}

#[test]
fn a_quarantined_project_names_its_index() {
    let universe = "
        index b https://other.test/simple/
        b 1.0
        status b quarantined
        a 1.0
        ";
    assert_snapshot!(ask(universe, "a\nb"), @"refused (quarantined): `b` is quarantined by https://other.test/simple/: a test");
}
