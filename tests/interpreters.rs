//! Which interpreter is taken where none is named, and what is started to find it.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;

use pinfold_testkit::{Index, Pinfold, Python};

use crate::project::{PINFOLD, Project};

/// A version manager in the project's home: each shim leaves a mark and starts the machine's Python, and so does, without a
/// mark, the one version that there is.
struct Manager {
    root: PathBuf,
}

impl Manager {
    fn new(project: &Project) -> Self {
        let root = project.home.path().join("manager");
        let bin = root.join("versions/mine/bin");
        for directory in [&root.join("shims"), &bin] {
            std::fs::create_dir_all(directory).expect("can make directories");
        }
        let python = Python::found().path.display();
        for name in ["python3", "python", &format!("python{}", Python::found().minor)] {
            let shim = root.join("shims").join(name);
            std::fs::write(
                &shim,
                format!("#!/bin/sh\necho >> '{}'\nexec '{python}' \"$@\"\n", root.join("mark").display()),
            )
            .expect("can write a shim");
            std::fs::set_permissions(&shim, std::fs::Permissions::from_mode(0o755)).expect("can change permissions");
            symlink(&Python::found().path, bin.join(name)).expect("can make a link");
        }
        std::fs::write(root.join("version"), "mine\n").expect("can write a choice");
        Self { root }
    }

    /// A run with nothing but the shims on the PATH, and no `--python`.
    fn pinfold<'home>(&self, project: &'home Project, verb: &str) -> Pinfold<'home> {
        project.home.pinfold(PINFOLD).arg(verb).env("PATH", self.root.join("shims"))
    }

    fn shims_started(&self) -> bool {
        self.root.join("mark").exists()
    }
}

#[test]
fn builds_and_syncs_start_no_shim() {
    let index = Index::new().sdist("first", "1.0").sdist("second", "1.0");
    let project = Project::with(index, &["first", "second"], "build = [\"*\"]", "");
    let manager = Manager::new(&project);
    manager.pinfold(&project, "lock").run().expect_code(0);
    manager.pinfold(&project, "sync").run().expect_code(0);
    manager.pinfold(&project, "verify").run().expect_code(0);
    assert!(!manager.shims_started());
    let link = std::fs::read_link(project.home.project().join(".venv/bin/python")).unwrap();
    assert!(link.starts_with(manager.root.join("versions/mine/bin")), "{}", link.display());
    // The control: shims whose versions are elsewhere are all that there is, and are started.
    std::fs::remove_dir_all(manager.root.join("versions")).unwrap();
    std::fs::remove_dir_all(project.home.project().join(".venv")).unwrap();
    manager.pinfold(&project, "sync").run().expect_code(0);
    assert!(manager.shims_started());
}
