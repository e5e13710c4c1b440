//! A run sees its temporary home and nothing of the user's. Python stands in for the command.
#![expect(clippy::unwrap_used, reason = "in a test, what cannot be read is a failure")]

use pinfold_testkit::{Pinfold, Python, TempHome};

fn python<'home>(home: &'home TempHome, code: &str) -> Pinfold<'home> {
    home.pinfold(Python::found().path.to_str().unwrap()).args(["-I", "-c", code])
}

#[test]
fn returns_code_and_output() {
    let home = TempHome::new();
    let code = "import sys; print('out'); print('error[some-code]: no', file=sys.stderr); sys.exit(3)";
    let finished = python(&home, code).run().expect_refusal("some-code").expect_stdout("out");
    assert_eq!((finished.code, finished.stdout.trim(), finished.stderr.trim()), (3, "out", "error[some-code]: no"));
}

#[test]
fn hides_the_environment() {
    let home = TempHome::new();
    let code = "import os; print(sorted(os.environ)); print(os.environ['HOME'], os.getcwd())";
    let finished = python(&home, code).env("EXTRA", "1").run().expect_code(0);
    for inherited in ["CARGO", "CARGO_MANIFEST_DIR", "USER", "HTTPS_PROXY", "PIP_INDEX_URL"] {
        assert!(!finished.stdout.contains(&format!("'{inherited}'")), "{finished}");
    }
    assert!(finished.stdout.contains("'EXTRA'") && finished.stdout.contains("'PINFOLD_CACHE_DIR'"), "{finished}");
    let real = |path: std::path::PathBuf| path.canonicalize().unwrap().display().to_string();
    finished.expect_stdout(&real(home.project()));
}

#[test]
fn kills_a_run() {
    let home = TempHome::new();
    let running = python(&home, "import threading; threading.Event().wait()").spawn();
    running.kill();
    assert_eq!(running.finish().code, -1);
}

#[test]
fn notices_every_change() {
    let home = TempHome::new();
    home.write(".venv/a/b.txt", "text");
    let before = home.snapshot(".venv");
    assert_eq!(before.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["a", "a/b.txt"]);
    home.write(".venv/a/b.txt", "tixt");
    assert_ne!(home.snapshot(".venv"), before);
    assert_eq!(home.snapshot("nothing"), []);
    assert!(home.has(".venv/a") && !home.has("nothing") && home.read(".venv/a/b.txt") == "tixt");
}
