//! A wheel whose scripts take the place of the environment's own programs, or whose entry points are code.

use pinfold_testkit::{Index, WheelRecipe};

use super::{guarded, refuses, want, wheel};

fn recipe(name: &str) -> WheelRecipe {
    WheelRecipe::new(name, "1.0").file("main.py", "def main():\n    print('hello')\n")
}

/// Locks and syncs each wheel, which must be refused with its code and say the part; without a code it must work.
fn check(cases: Vec<(WheelRecipe, &str, &str)>) {
    let index = cases.iter().fold(Index::new(), |index, (recipe, ..)| index.wheel_from(recipe.clone()));
    let project = guarded(index, &[]);
    for (recipe, code, part) in cases {
        want(&project, &[recipe.name()], "");
        project.lock();
        if code.is_empty() {
            project.sync().expect_code(0);
            project.pinfold("verify").run().expect_code(0);
        } else {
            refuses(&project, "sync", code, &[recipe.name(), part]);
            assert_eq!(project.python("print('still here')"), "still here\n");
        }
    }
}

#[test]
fn scripts_that_shadow_the_environments_own() {
    let script = |name: &str, script: &str| recipe(name).data("scripts", script, "#!python\nprint('evil')\n");
    check(vec![
        (script("honest", "tool"), "", ""),
        (script("python", "python"), "reserved-path", "python"),
        (script("python-minor", "python3"), "reserved-path", "python3"),
        (script("activation", "activate"), "reserved-path", "activate"),
        (recipe("data-python").data("data", "bin/python3", "#!/bin/sh\n"), "reserved-path", "bin/python3"),
        (recipe("configuration").data("data", "pyvenv.cfg", "home = elsewhere\n"), "startup-hook", "pyvenv.cfg"),
    ]);
}

#[test]
fn entry_points_that_are_code_or_take_a_place() {
    check(vec![
        (recipe("honest").console_script("hello", "main:main"), "", ""),
        (recipe("takes").console_script("python", "main:main"), "unsafe-entry-point", "`python`"),
        (recipe("escapes").console_script("../evil", "main:main"), "unsafe-entry-point", &wheel("escapes", "1.0")),
        (recipe("runs").console_script("evil", "main:main; import os"), "unsafe-entry-point", &wheel("runs", "1.0")),
    ]);
}
