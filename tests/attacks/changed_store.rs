//! Somebody changed the store, or what an environment links into it: noticed before it is installed anywhere else.

use std::fs;
use std::path::{Path, PathBuf};

use pinfold_testkit::{Index, SdistRecipe, sha256_hex};

use super::{guarded, wheel};
use crate::project::Project;

/// Returns a file below the store whose path ends so.
fn stored(project: &Project, end: &str) -> PathBuf {
    let mut directories = vec![project.home.cache().join("store")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).expect("can list the store").flatten() {
            let path = entry.path();
            if entry.file_type().expect("was listed").is_dir() {
                directories.push(path);
            } else if path.to_string_lossy().replace('\\', "/").ends_with(end) {
                return path;
            }
        }
    }
    panic!("the store has no `{end}`");
}

/// Replaces a file that is read-only, as somebody who may write there can.
fn replace(path: &Path, bytes: &[u8]) {
    let parent = path.parent().expect("it is in a directory");
    let before = fs::metadata(parent).expect("it is there").permissions();
    #[cfg(unix)]
    fs::set_permissions(parent, std::os::unix::fs::PermissionsExt::from_mode(0o700)).expect("it is ours");
    fs::remove_file(path).expect("can remove it");
    fs::write(path, bytes).expect("can write it");
    fs::set_permissions(parent, before).expect("it is ours");
}

/// Syncs into a second environment; a store that was changed may be refused once, and is mended by then.
fn second_environment_is_honest(project: &Project) {
    let run = || project.pinfold("sync").args(["--venv", "second"]).run();
    let first = run();
    if first.code != 0 {
        let first = first.expect_refusal("store-mismatch");
        assert!(!project.home.has("second"), "{first}");
        run().expect_code(0);
    }
    project.pinfold("verify").args(["--venv", "second"]).run().expect_code(0);
    let module = fs::read_dir(project.home.project().join("second/lib")).ok().and_then(|mut found| found.next());
    let Some(Ok(module)) = module else { return };
    let module = fs::read(module.path().join("site-packages/mine/core.py")).expect("it is installed");
    assert_eq!(String::from_utf8_lossy(&module), "x = 1\n");
}

fn installed() -> Project {
    let project = guarded(Index::new().wheel("mine", "1.0").module("mine/core.py", "x = 1\n"), &["mine"]);
    project.installed();
    project
}

#[test]
fn a_changed_file_of_an_unpacked_wheel_is_not_installed() {
    let project = installed();
    replace(&stored(&project, "mine/core.py"), b"x = 2\n");
    second_environment_is_honest(&project);
}

#[test]
#[cfg(unix)]
fn what_took_the_place_of_a_stored_file_is_not_followed_by_any_way_of_linking() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    let kinds: [fn(&Path); 3] = [
        |path| symlink("elsewhere", path).expect("there is room"),
        |path| fs::create_dir(path).expect("there is room"),
        pinfold_testkit::make_pipe,
    ];
    for kind in kinds {
        for mode in ["auto", "copy", "hardlink"] {
            let project = installed();
            let file = stored(&project, "mine/core.py");
            let parent = file.parent().expect("it is in a directory");
            fs::set_permissions(parent, fs::Permissions::from_mode(0o700)).expect("it is ours");
            fs::write(file.with_file_name("elsewhere"), "x = 2\n").expect("there is room");
            fs::remove_file(&file).expect("can remove it");
            kind(&file);
            let sync = project.pinfold("sync").args(["--venv", "second", "--link-mode", mode]).run();
            drop(sync.expect_code(0).expect_stderr("store-mismatch"));
            second_environment_is_honest(&project);
        }
    }
}

#[test]
fn a_changed_artifact_is_not_built() {
    // Of a wheel only the tree is kept, of an sdist the bytes.
    let sdist = SdistRecipe::new("mine", "1.0").file("src/mine/core.py", "x = 1\n");
    let project = Project::with(Index::new().sdist_from(sdist), &["mine"], "build = [\"mine\"]", "");
    project.installed();
    let digest = sha256_hex(&project.server.file_bytes("mine-1.0.tar.gz"));
    replace(&stored(&project, &format!("artifacts/{}/{digest}", &digest[..2])), b"something else");
    second_environment_is_honest(&project);
}

#[test]
fn a_changed_manifest_of_a_tree_is_not_believed() {
    let project = installed();
    let digest = sha256_hex(&project.server.file_bytes(&wheel("mine", "1.0")));
    let manifest = stored(&project, &format!("{digest}/manifest"));
    let text = String::from_utf8_lossy(&fs::read(&manifest).expect("it is there")).replace("core.py", "evil.py");
    replace(&manifest, text.as_bytes());
    second_environment_is_honest(&project);
}

#[test]
fn a_file_that_was_changed_through_an_environment_is_not_installed_into_another() {
    let project = installed();
    let file = project.python("import mine.core; print(mine.core.__file__)");
    replace(Path::new(file.trim()), b"x = 2\n");
    project.pinfold("verify").run().expect_code(1).expect_stdout("mine/core.py");
    second_environment_is_honest(&project);
}
