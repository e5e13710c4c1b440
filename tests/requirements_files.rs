//! Requirements files: what they demand of files.

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
        let run = run.args(["--index-url", &self.server.url()]);
        targets.iter().fold(run, |run, target| run.args(["--target", target])).run()
    }

    fn lock(&self) -> Finished {
        self.lock_for(&["linux-x86_64"])
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
