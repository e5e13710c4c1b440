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
fn a_requirements_file_may_be_in_what_powershell_writes() {
    let files = Files::new(Index::new().wheel("a", "1.0").wheel("b", "1.0"));
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    files.home.write("r.txt", utf16("\u{feff}# été\r\na\r\n-r sub/more.txt\r\n"));
    files.home.write("sub/more.txt", b"# coding: latin-1\nb # \xe9t\xe9\n");
    files.lock().expect_code(0);
    let lock = files.home.read("pylock.toml");
    assert!(lock.contains("name = \"a\"") && lock.contains("name = \"b\""));
    // What is wrong is pointed at in the text that people see.
    files.home.write("r.txt", utf16("\u{feff}# été\r\n--index-url x\r\n"));
    files.lock().expect_code(2).expect_stderr("--> r.txt:2:1\n").expect_stderr("2 | --index-url x\n");
    files.home.write("r.txt", "# coding: shift_jis\na\n");
    files.lock().expect_code(2).expect_stderr("the coding `shift_jis`").expect_stderr("--> r.txt:1:11\n");
}

#[test]
fn a_text_that_is_not_utf8_is_told_where_and_what_it_is() {
    let files = Files::new(Index::new().wheel("a", "1.0"));
    let utf16: Vec<u8> = "\u{feff}a\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let utf32: Vec<u8> = "\u{feff}a\r\n".chars().flat_map(|c| u32::from(c).to_be_bytes()).collect();
    let cases: [(&[u8], &str, &[&str]); 3] = [
        (b"a\n# \xc3\xa9t\xe9\n", ":2:5\n", &["the byte 0xe9 is not UTF-8", "2 | # ét\\xe9\n", "|     ^^^^\n"]),
        (
            &utf16,
            ":1:1\n",
            &["the byte 0xff is not UTF-8", "byte order mark of UTF-16", "PowerShell's `>`", "save it as UTF-8"],
        ),
        (&utf32, ":1:3\n", &["the byte 0xfe is not UTF-8", "byte order mark of UTF-32", "save it as UTF-8", "^^^^\n"]),
    ];
    let lock = || files.home.pinfold(PINFOLD).arg("lock").run();
    let manifest = "[project]\nrequires-python = \"==3.10.*\"\nconstraints = [\"c.txt\"]\n";
    for (bytes, place, expected) in cases {
        let check = |run: Finished, file: &str| {
            let run = run.expect_code(2).expect_stderr(&format!("--> {file}{place}"));
            expected.iter().fold(run, |run, part| run.expect_stderr(part));
        };
        // In a requirements file a mark is believed.
        if bytes.starts_with(b"a") {
            files.home.write("r.txt", bytes);
            check(files.lock(), "r.txt");
            // The file is to blame, and not the line that includes it.
            files.write(&[("r.txt", "a\n-r sub/more.txt\n")]);
            files.home.write("sub/more.txt", bytes);
            check(files.lock(), "sub/more.txt");
            files.home.write("c.txt", bytes);
            files.write(&[("pinfold.toml", manifest)]);
            check(lock(), "c.txt");
        }
        files.home.write("pinfold.toml", bytes);
        check(lock(), "pinfold.toml");
        std::fs::rename(files.home.project().join("pinfold.toml"), files.home.project().join("pyproject.toml"))
            .expect("it was written");
        check(lock(), "pyproject.toml");
        std::fs::remove_file(files.home.project().join("pyproject.toml")).expect("it was written");
    }
}

#[test]
fn a_file_that_is_not_there_is_pointed_at_where_it_is_named() {
    let files = Files::new(Index::new().wheel("a", "1.0"));
    let check = |name: &str, text: &str, place: &str, line: &str, part: &str| {
        files.write(&[(name, text)]);
        let run = if name == "r.txt" { files.lock() } else { files.home.pinfold(PINFOLD).arg("lock").run() };
        let carets = format!("| {}{}\n", " ".repeat(line.find(part).expect("it is in it")), "^".repeat(part.len()));
        let run = run.expect_code(2).expect_stderr("cannot read `").expect_stderr(&format!("--> {name}:{place}\n"));
        run.expect_stderr(line).expect_stderr(&carets);
        std::fs::remove_file(files.home.project().join(name)).expect("it was written");
    };
    for option in ["-r", "-c"] {
        let line = format!("  {option} sub/n.txt");
        check("r.txt", &format!("a\n{line} # more\n"), "2:3", &line, line.trim());
    }
    let head = "[project]\nname = \"demo\"\nrequires-python = \"==3.10.*\"\n";
    let files_of = |key: &str, line: &str| {
        check("pinfold.toml", &format!("{head}{line}\n"), &format!("4:{}", key.len() + 5), line, "\"n.txt\"");
        let pyproject = format!("{head}[tool.pinfold]\n{line}\n");
        check("pyproject.toml", &pyproject, &format!("5:{}", key.len() + 5), line, "\"n.txt\"");
    };
    files_of("requirements", "requirements = [\"n.txt\"]");
    files_of("constraints", "constraints = [\"n.txt\", \"a<2\"]");
}

/// pip would install what a constraints file includes with `-r`; a constraint never adds.
#[test]
fn what_a_constraints_file_includes_is_not_installed() {
    let index = Index::new().wheel("a", "1.0").wheel("a", "2.0").wheel("b", "1.0");
    let files = Files::new(index);
    let all = [("r.txt", "a\n-c c.txt\n"), ("c.txt", "-r more.txt\n"), ("more.txt", "a<2\nb\n")];
    files.write(&all);
    let check = |run: Finished| {
        run.expect_code(0);
        let lock = files.home.read("pylock.toml");
        assert!(lock.contains("version = \"1.0\"") && !lock.contains("name = \"b\""), "{lock}");
        std::fs::remove_file(files.lock_file()).expect("there is a lock");
    };
    check(files.lock());
    files.home.write(
        "pinfold.toml",
        format!(
            "[project]\nrequires-python = \"==3.10.*\"\ntargets = [\"linux-x86_64\"]\ndependencies = [\"a\"]\nconstraints = [\"c.txt\"]\n\
             [[index]]\nname = \"main\"\nurl = \"{}\"\ndefault = true\n",
            files.server.url()
        ),
    );
    check(files.home.pinfold(PINFOLD).arg("lock").run());
}

#[test]
fn a_url_that_cannot_be_required_is_pointed_at() {
    let files = Files::new(Index::new().wheel("a", "1.0"));
    let head = "[project]\nname = \"demo\"\nrequires-python = \"==3.10.*\"\n";
    for (url, caret, reason) in [
        ("https://me:s3cr3t@h.example/a-1-py3-none-any.whl", 0, "must not carry a user name or password"),
        ("ftp://h.example/a-1-py3-none-any.whl", 0, "scheme `ftp` is not allowed"),
        ("https:/h.example/a-1-py3-none-any.whl", 0, "a URL has `//` between its scheme and its host"),
        ("https://h.example/a-1-py3-none-any.whl;os_name=='nt'", 38, "put a blank before `;`, as PEP 508 asks"),
        ("https://h.example/a.txt", 0, "`a.txt` is neither a wheel nor an sdist"),
        ("https://h.example/b-1-py3-none-any.whl", 0, "is no wheel of `a`"),
    ] {
        files.write(&[("r.txt", &format!("a @ {url}\n"))]);
        let check = |run: Finished, place: &str| {
            let run = run.expect_code(2).expect_stderr(reason).expect_stderr(place).expect_stderr("^");
            assert!(!run.stderr.contains("s3cr3t"), "{run}");
        };
        check(files.lock(), &format!("--> r.txt:1:{}\n", 5 + caret));
        for name in ["pinfold.toml", "pyproject.toml"] {
            files.home.write(name, format!("{head}dependencies = [\"a @ {url}\"]\n"));
            check(files.home.pinfold(PINFOLD).arg("lock").run(), &format!("--> {name}:4:{}\n", 22 + caret));
            std::fs::remove_file(files.home.project().join(name)).expect("it was written");
        }
    }
}

/// What `requires-python` cannot allow, the option cannot either.
#[test]
fn a_python_that_there_is_not_is_none_to_lock_for() {
    let files = Files::new(Index::new().wheel("a", "1.0"));
    files.write(&[("r.txt", "a\n")]);
    let lock = |version: &str| {
        let run = files.home.pinfold(PINFOLD).args(["lock", "-r", "r.txt", "--python-version", version]);
        run.args(["--target", "linux-x86_64", "--index-url", &files.server.url()]).run()
    };
    for (version, headline, help) in [
        ("3.99", "Python 3.99 is none that a lock can be for", "give one of 3.6 to 3.15"),
        ("3.5", "Python 3.5 is none that a lock can be for", "give one of 3.6 to 3.15"),
        ("2.7", "`2.7` is no minor version of Python 3", "give one of 3.6 to 3.15"),
        ("4.0", "`4.0` is no minor version of Python 3", "give one of 3.6 to 3.15"),
        ("3", "`3` is no minor version of Python 3", "give one of 3.6 to 3.15"),
        ("3.10.4", "`3.10.4` is no minor version of Python 3", "give `3.10`, which means every patch release of it"),
    ] {
        let run = lock(version).expect_code(2).expect_stderr(headline).expect_stderr(help);
        run.expect_stderr("--python-version");
        assert!(!files.lock_file().exists());
    }
    lock("3.15").expect_code(0);
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
