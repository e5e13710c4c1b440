//! Requirements files: what they demand of files, what they may not bring into a lock, and what is said of one that cannot be read.

use pinfold_testkit::{Finished, Index, Server, TempHome, sha256_hex};

use crate::project::PINFOLD;

/// Requirements files beside an index, without a manifest.
struct Files {
    home: TempHome,
    server: Server,
}

impl Files {
    fn new(index: Index) -> Self {
        Self { home: TempHome::new(), server: index.start() }
    }

    fn write(&self, files: &[(&str, &str)]) {
        files.iter().for_each(|(name, text)| self.home.write(name, text));
    }

    /// Locks `r.txt` for these targets, from nothing.
    fn lock_for(&self, targets: &[&str]) -> Finished {
        drop(std::fs::remove_file(self.lock_file()));
        let run = self.home.pinfold(PINFOLD).args(["lock", "-r", "r.txt", "--python-version", "3.10"]);
        let run = run.args(["--index-url", &self.server.url()]).env("SECRET", "s3cr3t").env("PORT", self.port());
        targets.iter().fold(run, |run, target| run.args(["--target", target])).run()
    }

    fn lock(&self) -> Finished {
        self.lock_for(&["linux-x86_64"])
    }

    fn port(&self) -> String {
        let url = self.server.url();
        url.trim_start_matches("http://127.0.0.1:").split('/').next().unwrap_or_default().to_owned()
    }

    fn lock_file(&self) -> std::path::PathBuf {
        self.home.project().join("pylock.toml")
    }

    /// Locks, which must be refused because of the digests that a line demands.
    #[track_caller]
    fn expect_mismatch(&self, place: &str, demanded: &str) {
        let expected = format!("expected: sha256:{demanded} (--hash, {place})");
        self.lock().expect_code(3).expect_refusal("hash-mismatch").expect_stderr(&expected);
        assert!(!self.lock_file().exists());
    }
}

/// As in pip: one line allows any of its digests, and a file must be allowed by every line.
#[test]
fn every_line_with_hashes_is_a_demand_of_its_own() {
    let files = Files::new(Index::new().wheel("a", "1.0"));
    let good = &sha256_hex(&files.server.file_bytes("a-1.0-py3-none-any.whl"));
    let (bad, worse) = (&"0".repeat(64), &"1".repeat(64));
    let line = |digests: &[&str]| {
        let hashes = digests.iter().map(|digest| format!(" --hash=sha256:{digest}")).collect::<String>();
        format!("a==1.0{hashes}\n")
    };
    files.write(&[("r.txt", &line(&[bad, good]))]);
    files.lock().expect_code(0);
    files.write(&[("r.txt", &format!("{}a\n{}", line(&[bad, good]), line(&[good, worse])))]);
    files.lock().expect_code(0);
    // What one line demands, no other line, file or constraint allows.
    files.write(&[("r.txt", &(line(&[good]) + &line(&[bad])))]);
    files.expect_mismatch("r.txt:2", bad);
    files.write(&[("r.txt", &(line(&[bad]) + &line(&[good])))]);
    files.expect_mismatch("r.txt:1", bad);
    files.write(&[("r.txt", &format!("{}-c c.txt", line(&[good]))), ("c.txt", &line(&[bad]))]);
    files.expect_mismatch("c.txt:1", bad);
    files.write(&[("r.txt", &format!("{}-r more.txt", line(&[good, bad]))), ("more.txt", &line(&[bad, worse]))]);
    files.expect_mismatch("more.txt:1", &format!("{bad} or sha256:{worse}"));
}

#[test]
fn hashes_are_demanded_where_the_marker_of_their_line_holds() {
    let files = Files::new(Index::new().wheel("a", "1.0"));
    let good = &sha256_hex(&files.server.file_bytes("a-1.0-py3-none-any.whl"));
    let bad = &"0".repeat(64);
    let line = |marker: &str, digest: &str| format!("a==1.0 ; {marker} --hash=sha256:{digest}\n");
    let (linux, windows) = ("sys_platform == 'linux'", "sys_platform == 'win32'");
    files.write(&[("r.txt", &(line(linux, bad) + &line(windows, good)))]);
    files.expect_mismatch("r.txt:1", bad);
    files.write(&[("r.txt", &(line(windows, bad) + "a==1.0\n"))]);
    files.lock().expect_code(0);
    files.lock_for(&["linux-x86_64", "windows-x86_64"]).expect_code(3).expect_stderr("windows-x86_64");
    // So it is with a constraint.
    for (marker, code) in [(windows, 0), (linux, 3)] {
        files.write(&[("r.txt", "a\n-c c.txt\n"), ("c.txt", &line(marker, bad))]);
        files.lock().expect_code(code);
    }
    // What holds for a part of the target holds: the file is locked for all of it.
    files.write(&[("r.txt", "a\n-c c.txt\n"), ("c.txt", &line("python_full_version < '3.10.4'", bad))]);
    files.expect_mismatch("c.txt:1", bad);
}

/// Which line demands what is a part of what was asked for.
#[test]
fn a_lock_is_not_current_after_hashes_became_a_stricter_demand() {
    let files = Files::new(Index::new().wheel("a", "1.0"));
    let good = sha256_hex(&files.server.file_bytes("a-1.0-py3-none-any.whl"));
    let other = "0".repeat(64);
    let (both, one) =
        (format!("a==1.0 --hash=sha256:{good} --hash=sha256:{other}\n"), format!("a==1.0 --hash=sha256:{good}\n"));
    files.write(&[("r.txt", &both)]);
    files.lock().expect_code(0);
    let former = files.home.read("pylock.toml");
    files.write(&[("r.txt", &(both + &one))]);
    files.lock().expect_code(0);
    assert_ne!(files.home.read("pylock.toml"), former);
}

/// The value may be a secret, and a lock is for others.
#[test]
fn the_value_of_a_variable_gets_neither_into_a_url_nor_into_a_message() {
    let files = Files::new(Index::new().wheel("dx", "1.0"));
    let check = |texts: &[(&str, &str)], expected: &[&str]| {
        files.write(texts);
        let run = expected.iter().fold(files.lock().expect_code(2), |run, part| run.expect_stderr(part));
        assert!(!run.stderr.contains("s3cr3t") && !run.stderr.contains(&files.port()), "{run}");
        assert!(!files.lock_file().exists());
    };
    let line = "dx @ http://127.0.0.1:${PORT}/files/${SECRET}/dx-1.0-py3-none-any.whl";
    let carets = format!("  |      {}", "^".repeat(line.len() - 5));
    check(&[("r.txt", line)], &["environment variables are not expanded in a URL", "r.txt:1:6", line, &carets]);
    check(
        &[("r.txt", "\n-r ${SECRET}/x.txt")],
        &["cannot read `${SECRET}/x.txt`", "r.txt:2:1", "^^^^^^^^^^^^^^^^^^\n"],
    );
    check(&[("r.txt", "-r ${SECRET}/x.txt"), ("s3cr3t/x.txt", "dx\ny = 1")], &["--> ${SECRET}/x.txt:2:3"]);
    // A version is what it is there for.
    files.write(&[("r.txt", "-r ${SECRET}/x.txt"), ("s3cr3t/x.txt", "dx<${PORT}")]);
    files.lock().expect_code(0);
}

#[test]
fn files_that_include_themselves_are_named() {
    let files = Files::new(Index::new().wheel("a", "1.0"));
    files.write(&[("r.txt", "a\n-r sub/m.txt"), ("sub/m.txt", "-r ../r.txt")]);
    let run = files.lock().expect_code(2).expect_stderr("includes itself: `r.txt` → `sub/m.txt` → `r.txt`");
    run.expect_stderr("sub/m.txt:1:1");
    // The same file twice is no circle.
    files.write(&[("r.txt", "-r sub/m.txt\n-r sub/../n.txt"), ("sub/m.txt", "-r ../n.txt"), ("n.txt", "a")]);
    files.lock().expect_code(0);
}

/// `link/..` is where the link leads, and not where it lies.
#[cfg(unix)]
#[test]
fn a_path_through_a_link_is_another_file() {
    let files = Files::new(Index::new().wheel("a", "1.0").wheel("b", "1.0"));
    files.write(&[("r.txt", "a\n-r link/../r.txt"), ("deep/r.txt", "b\n"), ("deep/down/n.txt", "")]);
    let link = |to: &str, name: &str| {
        std::os::unix::fs::symlink(to, files.home.project().join(name)).expect("can make a link");
    };
    link("deep/down", "link");
    files.lock().expect_code(0);
    assert!(files.home.read("pylock.toml").contains("name = \"b\""));
    // A directory's other name leads to the same files.
    link(".", "here");
    files.write(&[("r.txt", "a\n-r here/m.txt"), ("m.txt", "-r r.txt")]);
    files.lock().expect_code(2).expect_stderr("includes itself: `r.txt` → `here/m.txt` → `r.txt`");
}

#[test]
fn a_text_that_is_not_utf8_is_told_where_and_what_it_is() {
    let files = Files::new(Index::new().wheel("a", "1.0"));
    let utf16: Vec<u8> = "\u{feff}a\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let utf32: Vec<u8> = "\u{feff}a\r\n".chars().flat_map(|c| u32::from(c).to_be_bytes()).collect();
    let cases: [(&[u8], &[&str]); 3] = [
        (b"a\n# \xc3\xa9t\xe9\n", &["line 2, column 5: the byte 0xe9 is not UTF-8"]),
        (
            &utf16,
            &["line 1, column 1: the byte 0xff", "byte order mark of UTF-16", "PowerShell's `>`", "save it as UTF-8"],
        ),
        (&utf32, &["line 1, column 3: the byte 0xfe", "byte order mark of UTF-32", "save it as UTF-8"]),
    ];
    for (bytes, expected) in cases {
        files.home.write("r.txt", bytes);
        files.home.write("pinfold.toml", bytes);
        for run in [files.lock(), files.home.pinfold(PINFOLD).arg("lock").run()] {
            expected.iter().fold(run.expect_code(2), |run, part| run.expect_stderr(part));
        }
    }
}

#[test]
fn a_requires_python_that_no_python_meets_is_shown() {
    let home = TempHome::new();
    for specifiers in [">=3.99", "<3", ">=3.11,<3.10"] {
        let line = format!("requires-python = \"{specifiers}\"");
        let carets = format!("  | {}{}\n", " ".repeat(18), "^".repeat(specifiers.len() + 2));
        for file in ["pinfold.toml", "pyproject.toml"] {
            home.write(file, format!("[project]\nname = \"demo\"\n{line}\ndependencies = [\"a\"]\n"));
            let run = home.pinfold(PINFOLD).arg("lock").run().expect_code(2);
            let run = run.expect_stderr("no minor version of Python 3 meets `");
            run.expect_stderr(&format!("{file}:3:19")).expect_stderr(&line).expect_stderr(&carets);
            std::fs::remove_file(home.project().join(file)).expect("it was written");
        }
    }
}

/// Whoever writes `requires-python` and is told to write it looks for another fault.
#[test]
fn with_requirements_files_the_manifest_is_not_read_and_that_is_said() {
    let home = TempHome::new();
    home.write("r.txt", "a\n");
    let lock = || home.pinfold(PINFOLD).args(["lock", "-r", "r.txt"]).run().expect_code(2);
    let run = lock().expect_stderr("help: give --python-version X.Y\n");
    assert!(!run.stderr.contains("manifest"), "{run}");
    for file in ["pyproject.toml", "pinfold.toml"] {
        home.write(file, "[project]\nname = \"demo\"\nrequires-python = \">=3.10\"\n");
        lock().expect_stderr("with -r the manifest is not read").expect_stderr(&format!("`requirements` of `{file}`"));
    }
}
