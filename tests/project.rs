//! A project on a loopback index: the manifest, the lock and the environment that most promises are tried on.

use pinfold_testkit::{Finished, Index, Pinfold, Python, Server, TempHome};

/// The command under test.
pub(crate) const PINFOLD: &str = env!("CARGO_BIN_EXE_pinfold");

/// The system that the tests run on, as a target. Its floor is low enough for any machine.
pub(crate) fn host_target() -> &'static str {
    match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => "linux-x86_64-glibc2.17",
        ("linux", "aarch64") => "linux-aarch64-glibc2.17",
        ("macos", "aarch64") => "macos-aarch64-11.0",
        ("macos", _) => "macos-x86_64-11.0",
        ("windows", _) => "windows-x86_64",
        (system, machine) => panic!("no target is known for {system} on {machine}"),
    }
}

/// A temporary home whose project asks one loopback index.
pub(crate) struct Project {
    pub(crate) home: TempHome,
    pub(crate) server: Server,
}

impl Project {
    /// Serves the index and writes a manifest that requires `dependencies`.
    pub(crate) fn new(index: Index, dependencies: &[&str]) -> Self {
        Self::with(index, dependencies, "", "")
    }

    /// As [`Project::new`], with further lines of `[project]` and of `[[index]]` (or of what follows it).
    pub(crate) fn with(index: Index, dependencies: &[&str], project: &str, index_lines: &str) -> Self {
        let project_lines = project;
        let own = Self { home: TempHome::new(), server: index.start() };
        own.write_manifest(dependencies, project_lines, index_lines);
        own
    }

    /// Writes the manifest anew.
    pub(crate) fn write_manifest(&self, dependencies: &[&str], project: &str, index_lines: &str) {
        let targets = format!("targets = [\"{}\"]", host_target());
        let targets = if project.contains("targets =") { "" } else { &targets };
        let text = format!(
            "[project]\nname = \"demo\"\nrequires-python = \"=={}.*\"\ndependencies = {dependencies:?}\n{targets}\n{project}\n\
             [[index]]\nname = \"main\"\nurl = \"{}\"\ndefault = true\n{index_lines}\n",
            Python::found().minor,
            self.server.url(),
        );
        self.home.write("pinfold.toml", text);
    }

    /// A run of the command in the project, with the machine's Python.
    pub(crate) fn pinfold(&self, verb: &str) -> Pinfold<'_> {
        let run = self.home.pinfold(PINFOLD).arg(verb);
        if matches!(verb, "lock" | "sync") { run.arg("--python").arg(&Python::found().path) } else { run }
    }

    /// Locks, which must succeed.
    pub(crate) fn lock(&self) -> String {
        self.pinfold("lock").run().expect_code(0);
        self.home.read("pylock.toml")
    }

    /// Syncs.
    pub(crate) fn sync(&self) -> Finished {
        self.pinfold("sync").run()
    }

    /// Locks and syncs, which must both succeed.
    pub(crate) fn installed(&self) {
        self.lock();
        self.sync().expect_code(0);
    }

    /// Replaces one text in the lock by another; the text must be there.
    pub(crate) fn tamper(&self, from: &str, to: &str) {
        let lock = self.home.read("pylock.toml");
        assert!(lock.contains(from), "the lock has no `{from}`:\n{lock}");
        self.home.write("pylock.toml", lock.replace(from, to));
    }

    /// Runs code with the environment's interpreter.
    pub(crate) fn python(&self, code: &str) -> String {
        let bin = if cfg!(windows) { ".venv/Scripts/python.exe" } else { ".venv/bin/python" };
        pinfold_testkit::run_python(&self.home.project().join(bin), &self.home.project(), code)
    }

    /// Empties the cache, so that the next run has to fetch everything again.
    pub(crate) fn forget_cache(&self) {
        make_writable(&self.home.cache());
        std::fs::remove_dir_all(self.home.cache()).expect("can remove the cache");
        std::fs::create_dir(self.home.cache()).expect("can make the cache");
    }
}

/// The store's directories are read-only; a test that throws the store away says so first.
fn make_writable(directory: &std::path::Path) {
    let mut permissions = std::fs::metadata(directory).expect("is there").permissions();
    #[cfg(unix)]
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o700);
    #[cfg(not(unix))]
    #[expect(clippy::permissions_set_readonly_false, reason = "there are no modes that it could open to everybody")]
    permissions.set_readonly(false);
    std::fs::set_permissions(directory, permissions).expect("can change permissions");
    for entry in std::fs::read_dir(directory).expect("can list").flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            make_writable(&entry.path());
        }
    }
}
