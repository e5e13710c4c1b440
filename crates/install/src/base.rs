//! What makes a directory an environment, as the standard library's `venv` makes it: configuration, links to the base
//! interpreter, activation. Written here rather than by `python -m venv`, which would run 20 times as long.

use std::path::Path;

use crate::merge::{Owners, Planned, Source};
use crate::receipt::digest;
use crate::scripts::{self, Place};
use crate::{InstallError, InstalledLink, Interpreter};

/// Returns the environment's own files and links.
pub(crate) fn environment_files(
    interpreter: &Interpreter,
    place: &Place,
) -> Result<(Vec<Planned<'static>>, Vec<InstalledLink>), InstallError> {
    let python = &interpreter.platform_python_implementation;
    let configuration = scripts::pyvenv_cfg(&interpreter.base_executable, python, &interpreter.version.to_string());
    // An environment is nobody's source code.
    let mut files = vec![own("pyvenv.cfg", configuration.into_bytes()), own(".gitignore", b"*\n".to_vec())];
    let scheme = &interpreter.scheme.scripts;
    if interpreter.os_name == "nt" {
        for (from, to) in windows_programs(&interpreter.base_prefix) {
            let bytes = std::fs::read(&from).map_err(InstallError::io("read", &from))?;
            files.push(own(&format!("{scheme}/{to}"), bytes));
        }
        return Ok((files.into_iter().flatten().collect(), Vec::new()));
    }
    for (name, text) in place.activation() {
        files.push(own(&format!("{scheme}/{name}"), text.into_bytes()));
    }
    Ok((files.into_iter().flatten().collect(), links(interpreter)))
}

/// A file of the environment itself; the paths are this module's own, so they are always valid.
fn own(path: &str, bytes: Vec<u8>) -> Option<Planned<'static>> {
    Some(Planned {
        path: path.parse().ok()?,
        size_bytes: bytes.len() as u64,
        sha256: digest(&bytes),
        executable: false,
        source: Source::Bytes(bytes.into()),
        owners: Owners::AtMostOne(None),
    })
}

fn links(interpreter: &Interpreter) -> Vec<InstalledLink> {
    let scripts = &interpreter.scheme.scripts;
    let base = interpreter.base_executable.to_string_lossy().into_owned();
    let release = interpreter.version.release();
    let minor = release.iter().take(2).map(u64::to_string).collect::<Vec<_>>().join(".");
    let mut wanted = vec![
        (format!("{scripts}/python"), base),
        (format!("{scripts}/python3"), "python".to_owned()),
        (format!("{scripts}/python{minor}"), "python".to_owned()),
    ];
    if interpreter.sys_platform == "linux" {
        wanted.push(("lib64".to_owned(), "lib".to_owned()));
    }
    let link = |(path, target): (String, String)| Some(InstalledLink { path: path.parse().ok()?, target });
    let mut links: Vec<InstalledLink> = wanted.into_iter().filter_map(link).collect();
    links.sort_by(|a, b| a.path.cmp(&b.path));
    links
}

/// Returns the directories that an environment has even when nothing is installed.
pub(crate) fn directories(interpreter: &Interpreter) -> Vec<String> {
    let scheme = &interpreter.scheme;
    let mut all = vec!["include".to_owned(), scheme.scripts.clone()];
    for path in [&scheme.purelib, &scheme.platlib] {
        all.push(crate::layout::through_link(path.clone()));
    }
    all
}

/// On Windows an environment's programs are copies of small launchers that the base installation carries for `venv`.
/// Returns where they are and what they become. Not run here.
fn windows_programs(base_prefix: &Path) -> Vec<(std::path::PathBuf, &'static str)> {
    let launchers = base_prefix.join("Lib").join("venv").join("scripts").join("nt");
    let pick = |names: [&str; 2], to| {
        let found = names.into_iter().map(|name| launchers.join(name)).find(|path| path.exists());
        (found.unwrap_or_else(|| launchers.join(to)), to)
    };
    // Python 3.13 renamed them.
    vec![
        pick(["venvlauncher.exe", "python.exe"], "python.exe"),
        pick(["venvwlauncher.exe", "pythonw.exe"], "pythonw.exe"),
    ]
}
