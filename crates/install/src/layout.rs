//! Where each file of a wheel goes in an environment, and what no wheel may put there (WI10).

use pinfold_artifact::{ArchivePath, ArchivePaths};
use pinfold_packaging::PackageName;

use crate::receipt::RECEIPT_DIRECTORY;
use crate::wheel_facts::{SchemeName, WheelFacts};
use crate::{InstallError, SchemePaths};

/// Returns the paths inside the environment of files of an unpacked wheel, as [`place`] does of one.
pub(crate) fn place_all<'f>(
    paths: impl Iterator<Item = &'f ArchivePath> + Clone,
    facts: &WheelFacts,
    scheme: &SchemePaths,
    root: &ArchivePath,
    package: &PackageName,
) -> Result<Vec<ArchivePath>, InstallError> {
    let (count, bytes) = paths.clone().fold((0, 0), |(count, bytes), path| (count + 1, bytes + path.as_str().len()));
    let mut placed = ArchivePaths::with_capacity(count, bytes + count * (root.as_str().len() + 1));
    for path in paths {
        let added = match facts.moved.get(path) {
            Some(_) => placed.push(place(path, facts, scheme, root, package)?.as_str()),
            None => placed.push_joined(root, path),
        };
        // A path that is too long once it is joined cannot be made everywhere.
        added.map_err(|_| InstallError::Reserved { package: package.clone(), path: format!("{root}/{path}") })?;
    }
    placed.finish().map(|path| free(path, package)).collect()
}

/// Returns the path inside the environment of a file of an unpacked wheel, whose root scheme's directory is `root`.
pub(crate) fn place(
    path: &ArchivePath,
    facts: &WheelFacts,
    scheme: &SchemePaths,
    root: &ArchivePath,
    package: &PackageName,
) -> Result<ArchivePath, InstallError> {
    let Some(moved) = facts.moved.get(path) else {
        // A path that is too long once it is joined cannot be made everywhere.
        let reserved = |_| InstallError::Reserved { package: package.clone(), path: format!("{root}/{path}") };
        return free(root.join(path).map_err(reserved)?, package);
    };
    let inside = &moved.path;
    let joined = match moved.scheme {
        SchemeName::Data => inside.to_string(),
        SchemeName::Headers => format!("{}/{package}/{inside}", scheme.headers),
        SchemeName::Platlib => format!("{}/{inside}", scheme.platlib),
        SchemeName::Purelib => format!("{}/{inside}", scheme.purelib),
        SchemeName::Scripts => format!("{}/{inside}", scheme.scripts),
    };
    check(through_link(joined), package)
}

/// Returns the path of a script that is written for an entry point.
pub(crate) fn place_script(
    name: &str,
    scheme: &SchemePaths,
    package: &PackageName,
) -> Result<ArchivePath, InstallError> {
    check(format!("{}/{name}", scheme.scripts), package)
}

/// Returns the directory, inside the environment, of the root scheme of a wheel: where its `.dist-info` is.
pub(crate) fn root_of(
    facts: &WheelFacts,
    scheme: &SchemePaths,
    package: &PackageName,
) -> Result<ArchivePath, InstallError> {
    parse(through_link(if facts.root_is_purelib { scheme.purelib.clone() } else { scheme.platlib.clone() }), package)
}

/// `lib64` is a link to `lib` in an environment: one file must have one path.
pub(crate) fn through_link(path: String) -> String {
    match path.strip_prefix("lib64/") {
        Some(rest) => format!("lib/{rest}"),
        None => path,
    }
}

fn check(path: String, package: &PackageName) -> Result<ArchivePath, InstallError> {
    free(parse(path, package)?, package)
}

fn parse(path: String, package: &PackageName) -> Result<ArchivePath, InstallError> {
    path.parse().map_err(|_| InstallError::Reserved { package: package.clone(), path })
}

/// Returns a path unless it is the environment's own.
fn free(path: ArchivePath, package: &PackageName) -> Result<ArchivePath, InstallError> {
    // Most files are below `lib`, where nothing is reserved but the directory itself.
    if !path.as_str().starts_with("lib/") && is_reserved(&path.as_str().to_lowercase(), package) {
        return Err(InstallError::Reserved { package: package.clone(), path: path.into() });
    }
    Ok(path)
}

/// Returns true for what belongs to the environment itself: its configuration, its receipt, its interpreter and the
/// scripts that switch to it. `pip` belongs to pip. Compared in lower case, and with the names of every system.
fn is_reserved(path: &str, package: &PackageName) -> bool {
    let (first, rest) = path.split_once('/').unwrap_or((path, ""));
    if rest.is_empty() {
        return matches!(first, "pyvenv.cfg" | "bin" | "scripts" | "lib" | "lib64" | "include" | ".gitignore")
            || first == RECEIPT_DIRECTORY
            || is_command(first, package);
    }
    match first {
        "bin" | "scripts" => !rest.contains('/') && is_command(rest, package),
        _ => first == RECEIPT_DIRECTORY || first == "lib64",
    }
}

fn is_command(name: &str, package: &PackageName) -> bool {
    const SUFFIXES: [&str; 10] = [".exe", ".com", ".bat", ".cmd", ".ps1", ".sh", ".csh", ".fish", ".nu", ".pyw"];
    let stem = SUFFIXES.iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name);
    let versioned = |command: &str| {
        let rest = stem.strip_prefix(command);
        rest.is_some_and(|rest| rest.trim_end_matches('w').chars().all(|c| c.is_ascii_digit() || c == '.'))
    };
    versioned("python")
        || versioned("pypy")
        || (versioned("pip") && package.as_str() != "pip")
        || ["activate", "deactivate", "activate_this", "activate_this.py"].contains(&stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_reserved(path: &str, package: &str, expected: bool) {
        assert_eq!(is_reserved(&path.to_lowercase(), &package.parse().unwrap()), expected, "{path} of {package}");
    }

    #[test]
    fn own_files_of_the_environment_are_reserved() {
        for path in [
            "bin/python",
            "bin/python3",
            "bin/python3.10",
            "bin/Python.exe",
            "Scripts/pythonw.exe",
            "bin/activate",
            "bin/activate.fish",
            "Scripts/Activate.ps1",
            "scripts/deactivate.bat",
            "bin/pip",
            "bin/pip3.10",
            "pyvenv.cfg",
            "PYVENV.CFG",
            "lib64",
            "lib64/x.py",
            "bin",
            ".pinfold/receipt.json",
            ".Pinfold/x",
            "python3.exe",
        ] {
            check_reserved(path, "evil", true);
        }
        check_reserved("bin/pip", "pip", false);
        check_reserved("bin/python", "pip", true);
    }

    #[test]
    fn ordinary_scripts_are_not() {
        for path in [
            "bin/python-argcomplete",
            "bin/pip-compile",
            "bin/pythonize",
            "bin/f2py",
            "bin/sub/python",
            "lib/python3.10/site-packages/python.py",
            "share/python/x",
            "etc/jupyter/x.json",
        ] {
            check_reserved(path, "good", false);
        }
    }
}
