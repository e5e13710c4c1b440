//! Code that runs whenever the interpreter starts: refused, unless exactly these bytes were accepted by the maintainer.

use pinfold_testkit::{Index, WheelRecipe, sha256_hex};

use super::{guarded, refuses, want};

const HOOK: &str = "import sys; sys.hooked = True\n";

#[test]
fn an_executable_path_file_needs_acceptance_of_its_bytes() {
    let hooked = |version: &str, hook: &str| WheelRecipe::new("hooked", version).file("hooked.pth", hook);
    let index = Index::new().wheel_from(hooked("1.0", HOOK)).wheel_from(hooked("2.0", "import os\n"));
    let project = guarded(index, &["hooked==1.0"]);
    project.lock();
    let digest = sha256_hex(HOOK.as_bytes());
    let refused = refuses(&project, "sync", "executable-pth", &["hooked.pth", &digest, "[[accept]]"]);

    // The help is the entry that accepts it; only the reason is the maintainer's to write.
    let at = refused.stderr.find("[[accept]]").expect("it was just found");
    let entry = refused.stderr[at..].replace("\n    ", "\n").replace('…', "read on 2024-08-20");
    want(&project, &["hooked==1.0"], &entry);
    project.installed();
    assert_eq!(project.python("import sys; print(getattr(sys, 'hooked', False))"), "True\n");
    project.pinfold("verify").run().expect_code(0);

    // An acceptance that was taken back holds no longer, although the store has the tree.
    want(&project, &["hooked==1.0"], "");
    project.lock();
    refuses(&project, "sync", "executable-pth", &["hooked.pth", &digest]);

    // Other bytes under the accepted name are refused again.
    want(&project, &["hooked==2.0"], &entry);
    project.lock();
    refuses(&project, "sync", "executable-pth", &["hooked.pth", &sha256_hex(b"import os\n")]);
}

#[test]
fn a_path_file_that_only_adds_a_directory_is_none() {
    let recipe = WheelRecipe::new("plain", "1.0").file("plain.pth", "plain\n").file("plain/inside.py", "x = 1\n");
    let project = guarded(Index::new().wheel_from(recipe), &["plain"]);
    project.installed();
    assert_eq!(project.python("import inside; print(inside.x)"), "1\n");
}

#[test]
fn modules_that_the_interpreter_imports_by_itself() {
    let index = Index::new()
        .wheel("honest", "1.0")
        .module("honest_site/sitecustomize.py", "")
        .wheel("site", "1.0")
        .module("sitecustomize.py", "print('evil')\n")
        .wheel("user", "1.0")
        .module("usercustomize/__init__.py", "")
        .wheel("scheme", "1.0")
        .data("purelib", "sitecustomize.py", "")
        .wheel("editable", "1.0")
        .module("__editable___x_finder.py", "");
    let project = guarded(index, &[]);
    for (name, path) in [
        ("site", "sitecustomize.py"),
        ("user", "usercustomize/__init__.py"),
        ("scheme", "sitecustomize.py"),
        ("editable", "__editable___x_finder.py"),
    ] {
        want(&project, &[name], "");
        project.lock();
        refuses(&project, "sync", "startup-hook", &[name, path, "[[accept]]"]);
    }
    want(&project, &["honest"], "");
    project.installed();
}
