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
