//! RECORD is checked and never repaired: a digest that lies, a file that it hides, a row without a file.

use pinfold_testkit::{Index, WheelRecipe, sha256_hex, sha256_record};

use super::{guarded, refuses, refuses_archive, want, wheel};

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

/// Returns the `[[accept]]` entries of a message, with a reason.
fn entries(stderr: &str) -> String {
    let at = stderr.find("[[accept]]").expect("the message has an entry");
    stderr[at..].replace("\n    ", "\n").replace('…', "compared with the tag on 2024-08-20")
}

#[test]
fn a_record_that_is_wrong_needs_acceptance_of_each_file() {
    let lying = recipe("lying")
        .file("told.py", "x = 1\n")
        .record_replace("told.py", &sha256_record(b"something else"), "")
        .hidden_file("hidden.py", "y = 2\n");
    let other = WheelRecipe::new("lying", "2.0").hidden_file("hidden.py", "y = 3\n");
    let index = Index::new().sidecars().wheel_from(lying).wheel_from(other);
    let project = guarded(index, &["lying==1.0"]);
    project.lock();
    // Both are told at once, with the digests of their bytes.
    let (first, second) = (sha256_hex(b"x = 1\n"), sha256_hex(b"y = 2\n"));
    let told = ["`hidden.py`", "record-mismatch", "unlisted-file", &first, &second];
    let refused = refuses_archive(&project, "sync", "unlisted-file", &told);
    let both = entries(&refused.stderr);
    assert_eq!(both.matches("[[accept]]").count(), 2, "{both}");

    // One of two is not enough.
    let (one, _) = both.rsplit_once("[[accept]]").expect("there are two");
    want(&project, &["lying==1.0"], one);
    project.lock();
    refuses_archive(&project, "sync", if one.contains("hidden") { "record-mismatch" } else { "unlisted-file" }, &[]);

    want(&project, &["lying==1.0"], &both);
    project.installed();
    assert_eq!(project.python("import told, hidden; print(told.x + hidden.y)"), "3\n");
    project.pinfold("verify").run().expect_code(0);

    // An acceptance that was taken back holds no longer, although the store has the tree.
    want(&project, &["lying==1.0"], "");
    project.lock();
    refuses(&project, "sync", "record-mismatch", &["told.py", &first, &second]);

    // Other bytes under the accepted name are refused.
    want(&project, &["lying==2.0"], &both);
    project.lock();
    refuses_archive(&project, "sync", "record-mismatch", &["hidden.py", &sha256_hex(b"y = 3\n")]);
}

#[test]
fn a_wheel_of_another_distribution() {
    check(vec![
        (recipe("honest"), "", ""),
        (recipe("mask").dist_info_name("other-1.0.dist-info"), "name-mismatch", "other-1.0"),
        (recipe("twin").file("other-1.0.dist-info/METADATA", ""), "wheel-metadata", "other-1.0.dist-info"),
    ]);
}
