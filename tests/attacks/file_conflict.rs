//! Two distributions that write one file: with different bytes refused, with equal bytes shared.

use pinfold_testkit::Index;

use super::{guarded, refuses, want};

fn sharing(second: &str) -> Index {
    let index = Index::new().wheel("first", "1.0").module("shared/core.py", "x = 1\n").module("shared/same.py", "");
    index.wheel("second", "1.0").module("shared/core.py", second).module("shared/same.py", "")
}

#[test]
fn different_bytes_of_two_distributions() {
    let project = guarded(sharing("x = 2\n"), &["first", "second"]);
    project.lock();
    refuses(&project, "sync", "file-conflict", &["first", "second", "shared/core.py", "exclude"]);

    project.write_manifest(&["base", "first", "second"], "exclude = [\"second\"]", "");
    project.installed();
    assert_eq!(project.python("import shared.core; print(shared.core.x)"), "1\n");
}

#[test]
fn equal_bytes_belong_to_both() {
    let project = guarded(sharing("x = 1\n"), &["first", "second"]);
    project.installed();
    project.pinfold("verify").run().expect_code(0);
    // The file goes with its last owner, not with the first.
    want(&project, &["second"], "");
    project.installed();
    assert_eq!(project.python("import shared.core; print(shared.core.x)"), "1\n");
    want(&project, &[], "");
    project.installed();
    assert_eq!(project.python("import importlib.util as u; print(u.find_spec('shared'))"), "None\n");
}

#[test]
fn names_that_are_one_file_where_case_is_folded() {
    let index = Index::new().wheel("lower", "1.0").module("folded.py", "x = 1\n");
    let index = index.wheel("upper", "1.0").module("FOLDED.py", "x = 2\n");
    let project = guarded(index, &["lower", "upper"]);
    project.lock();
    refuses(&project, "sync", "file-conflict", &["lower", "upper"]);
    want(&project, &["upper"], "");
    project.installed();
}
