//! A file replaced under its name, or a lock in which one digit of a hash was: the bytes are not the locked ones.

use pinfold_testkit::{Fault, HostileZip, Index, PageFormats, WheelRecipe, ZipMember, sha256_hex};

use super::{guarded, other_digit, refuses, refuses_bytes, wheel};
use crate::project::Project;

/// A wheel whose length does not depend on the module's text.
pub(super) fn release(text: &str) -> Vec<u8> {
    let recipe = WheelRecipe::new("a", "1.0").bare().file("a.py", text);
    recipe.zip().change("a.py", ZipMember::stored).change("a-1.0.dist-info/RECORD", ZipMember::stored).build()
}

#[test]
fn one_digit_of_a_hash_in_the_lock() {
    let project = guarded(Index::new().wheel("a", "1.0"), &["a"]);
    let lock = project.lock();
    let (file, url) = (wheel("a", "1.0"), project.server.file_url(&wheel("a", "1.0")));
    let digest = sha256_hex(&project.server.file_bytes(&file));
    let other = other_digit(&digest);
    project.tamper(&digest, &other);
    let parts = [&file, &format!("expected: sha256:{other}"), &format!("received: sha256:{digest}"), &url];
    refuses_bytes(&project, "sync", "hash-mismatch", &parts.map(String::as_str));

    project.home.write("pylock.toml", lock);
    project.sync().expect_code(0);
    assert_eq!(project.python("import a; print(a.__version__)"), "1.0\n");

    // What is in the store under its own digest does not serve under another.
    project.tamper(&digest, &other);
    refuses_bytes(&project, "sync", "hash-mismatch", &parts.map(String::as_str));
}

#[test]
fn other_bytes_of_the_same_length_under_the_locked_name() {
    let (honest, evil) = (release("x = 'good'\n"), release("x = 'evil'\n"));
    assert_eq!(honest.len(), evil.len());
    let file = wheel("a", "1.0");
    let project = guarded(Index::new().file("a", &file, &honest), &["a"]);
    project.lock();
    project.server.replace_file(&file, &evil);
    let (expected, found) = (sha256_hex(&honest), sha256_hex(&evil));
    let parts = [&file, &expected, &found, &project.server.url(), &project.server.file_url(&file)];
    refuses_bytes(&project, "sync", "hash-mismatch", &parts.map(String::as_str));

    project.server.replace_file(&file, &honest);
    project.sync().expect_code(0);
    assert_eq!(project.python("import a; print(a.x)"), "good\n");
}

#[test]
fn other_bytes_of_another_length_under_the_locked_name() {
    let project = guarded(Index::new().wheel("a", "1.0"), &["a"]);
    project.lock();
    let (file, honest) = (wheel("a", "1.0"), project.server.file_bytes(&wheel("a", "1.0")));
    for other in [WheelRecipe::new("a", "1.0").file("a/evil.py", "x = 1\n").build(), HostileZip::new().build()] {
        project.server.replace_file(&file, other);
        refuses_bytes(&project, "sync", "size-mismatch", &[&file, &project.server.url(), "expected: ", "received: "]);
    }
    project.server.replace_file(&file, honest);
    project.sync().expect_code(0);
}

#[test]
fn a_replacement_that_the_index_admits_is_refused_while_locking() {
    let file = wheel("a", "1.0");
    let index = |text: &str| Index::new().wheel("base", "1.0").file("a", &file, release(text));
    let project = guarded(index("x = 'good'\n"), &["a"]);
    project.lock();
    let (expected, found) = (sha256_hex(&release("x = 'good'\n")), sha256_hex(&release("x = 'evil'\n")));
    project.server.update(&index("x = 'evil'\n"));
    let (expected, found) = (format!("expected: sha256:{expected}"), format!("found: sha256:{found}"));
    let url = project.server.file_url(&file);
    let parts = [&file, &expected, &found, &url].map(String::as_str);
    let before = project.home.read("pylock.toml");
    let upgrade = project.pinfold("lock").arg("--upgrade").run().expect_refusal("file-replaced");
    parts.iter().for_each(|part| assert!(upgrade.stderr.contains(part), "{part}: {upgrade}"));
    assert_eq!(project.home.read("pylock.toml"), before);
    // Nor without an upgrade, once the page is read again.
    project.forget_cache();
    refuses(&project, "lock", "file-replaced", &parts);

    // A new release beside it is no replacement.
    project.server.update(&index("x = 'good'\n").wheel("a", "1.1"));
    project.pinfold("lock").arg("--upgrade").run().expect_code(0);
    assert!(project.home.read("pylock.toml").contains(&wheel("a", "1.1")));
}

#[test]
fn a_file_that_is_not_what_its_page_says() {
    let index = Index::new().wheel("a", "1.0").fault(Fault::WrongHash);
    let refuses_it = |project: &Project, verb: &str| {
        let truth = sha256_hex(&project.server.file_bytes(&wheel("a", "1.0")));
        let parts =
            [&wheel("a", "1.0"), &project.server.file_url(&wheel("a", "1.0")), &truth, &sha256_hex(b"something else")];
        refuses_bytes(project, verb, "hash-mismatch", &parts.map(String::as_str));
    };
    // Where the file is read while locking, because its server gives no parts.
    refuses_it(&guarded(index.clone().formats(PageFormats::Html).without_ranges(), &["a"]), "lock");

    // Otherwise the page is taken at its word while locking, and held to it when the bytes come.
    for formats in [PageFormats::Html, PageFormats::Json] {
        let project = guarded(index.clone().formats(formats), &["a"]);
        project.lock();
        refuses_it(&project, "sync");

        project.server.update(&Index::new().wheel("base", "1.0").wheel("a", "1.0"));
        std::fs::remove_file(project.home.project().join("pylock.toml")).expect("can remove the lock");
        project.forget_cache();
        project.installed();
    }
}
