//! RECORD is checked and never repaired: a digest that lies, a file that it hides, a row without a file.

use pinfold_testkit::{Index, WheelRecipe, sha256_record};

use super::{guarded, refuses_archive, want, wheel};

/// Locks and syncs each wheel, which must be refused with its code and name the member; without a code it must work.
fn check(cases: Vec<(WheelRecipe, &str, &str)>) {
    // With sidecars, a lock looks into no wheel.
    let index = cases.iter().fold(Index::new().sidecars(), |index, (recipe, ..)| index.wheel_from(recipe.clone()));
    let project = guarded(index, &[]);
    for (recipe, code, member) in cases {
        want(&project, &[recipe.name()], "");
        project.lock();
        if code.is_empty() {
            project.sync().expect_code(0);
            project.pinfold("verify").run().expect_code(0);
        } else {
            refuses_archive(&project, "sync", code, &[&wheel(recipe.name(), "1.0"), member]);
        }
    }
}

fn recipe(name: &str) -> WheelRecipe {
    WheelRecipe::new(name, "1.0")
}

#[test]
fn digests_and_sizes_that_lie() {
    let other = sha256_record(b"something else");
    check(vec![
        (recipe("honest"), "", ""),
        (recipe("digest").file("x.py", "x").record_replace("x.py", &other, "1"), "record-mismatch", "x.py"),
        (recipe("size").file("x.py", "x").record_replace("x.py", &sha256_record(b"x"), "2"), "record-mismatch", "x.py"),
        (recipe("weak").file("x.py", "x").record_replace("x.py", "md5=abc", "1"), "record-weak-digest", "x.py"),
        (recipe("none").file("x.py", "x").record_replace("x.py", "", ""), "record-weak-digest", "x.py"),
    ]);
}

#[test]
fn files_without_a_row_and_rows_without_a_file() {
    check(vec![
        (recipe("honest").file("listed.py", ""), "", ""),
        (recipe("hidden").hidden_file("hidden/payload.py", "x"), "unlisted-file", "payload.py"),
        (recipe("gone").record_add("gone.py", &sha256_record(b""), "0"), "record-mismatch", "gone.py"),
        (recipe("bare").without_record(), "record-missing", "RECORD"),
        (recipe("noise").record_text("a,b\n"), "record-malformed", "RECORD"),
    ]);
}

#[test]
fn a_wheel_of_another_distribution() {
    check(vec![
        (recipe("honest"), "", ""),
        (recipe("mask").dist_info_name("other-1.0.dist-info"), "name-mismatch", "other-1.0"),
        (recipe("twin").file("other-1.0.dist-info/METADATA", ""), "wheel-metadata", "other-1.0.dist-info"),
    ]);
}
