//! What an sdist says about its own build, read without running anything.

use pinfold_artifact::{ArchivePath, shown};
use pinfold_packaging::{Metadata, Requirement};
use pinfold_store::Stored;
use pinfold_unpack::sdist;
use serde::Deserialize;

use crate::BuildError;
use crate::source::Archive;

/// The `[build-system]` of an sdist.
#[derive(Debug, Clone, PartialEq)]
pub struct BuildSystem {
    /// What must be installed before the backend can be asked anything.
    pub requires: Vec<Requirement>,
    /// The backend, `module` or `module:object`.
    pub backend: String,
    /// Directories inside the project that hold the backend.
    pub backend_path: Vec<String>,
    /// Where in the sdist the project is, if it is not at the top.
    pub subdirectory: Option<ArchivePath>,
}

/// Reads the `[build-system]` of an sdist, or of the project in one of its directories; without one, the legacy setuptools
/// backend that PEP 517 names.
///
/// # Errors
/// If the sdist is hostile, or its `pyproject.toml` says something that PEP 518 does not allow.
pub fn requirements(sdist: &Stored, subdirectory: Option<&ArchivePath>) -> Result<BuildSystem, BuildError> {
    let mut archive = Archive::open(sdist)?;
    let place = |name: &str| subdirectory.map_or_else(|| name.to_owned(), |directory| format!("{directory}/{name}"));
    let mut read = |name: &str| {
        let bytes = sdist::read_top_level(&mut archive.file, archive.format, &place(name));
        bytes.map_err(|source| archive.refused(source))
    };
    let system = match read(PYPROJECT)? {
        Some(bytes) => BuildSystem::parse(&bytes)?,
        None if read("setup.py")?.is_none() => {
            let problem = format!("there is neither `{}` nor `{}`", place(PYPROJECT), place("setup.py"));
            return Err(BuildError::Malformed { what: "the sources".to_owned(), problem });
        }
        None => BuildSystem { requires: parse_requires(LEGACY_REQUIRES)?, ..BuildSystem::legacy(Vec::new()) },
    };
    Ok(BuildSystem { subdirectory: subdirectory.cloned(), ..system })
}

/// What an sdist says of itself, which binds nobody unless PKG-INFO says so (PEP 643).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claims {
    /// Its PKG-INFO, if it has one.
    pub pkg_info: Option<Vec<u8>>,
    /// What setuptools noted when it made the sdist, `*.egg-info/requires.txt`, if that is there.
    pub requires: Option<Vec<u8>>,
}

/// Reads what an sdist says of itself, without running anything.
///
/// # Errors
/// If the sdist is hostile.
pub fn claims(sdist: &Stored) -> Result<Claims, BuildError> {
    let mut archive = Archive::open(sdist)?;
    let mut has_note = false;
    let mut is_wanted = |path: &str, size_bytes: u64| {
        let is_note = !has_note && size_bytes <= NOTE_BYTES && is_noted_by_setuptools(path);
        has_note |= is_note;
        is_note || path == PKG_INFO
    };
    let found = sdist::read_some(&mut archive.file, archive.format, &mut is_wanted);
    let mut claims = Claims::default();
    for (path, bytes) in found.map_err(|source| archive.refused(source))? {
        let claim = if path == PKG_INFO { &mut claims.pkg_info } else { &mut claims.requires };
        *claim = Some(bytes);
    }
    Ok(claims)
}

/// `name.egg-info/requires.txt` beside `setup.py`, or in the `src` that many projects have there.
fn is_noted_by_setuptools(path: &str) -> bool {
    let path = path.strip_prefix("src/").unwrap_or(path);
    path.strip_suffix("/requires.txt").is_some_and(|place| place.ends_with(".egg-info") && !place.contains('/'))
}

impl Claims {
    /// Returns what a build is likely to say that its wheel requires. It is no more than a reason to ask the index early:
    /// what cannot be read is left out.
    pub fn likely_requirements(&self) -> Vec<Requirement> {
        let said = self.pkg_info.as_deref().and_then(|bytes| Metadata::parse(bytes).ok());
        let said = said.map(|metadata| metadata.requires_dist).filter(|said| !said.is_empty());
        said.unwrap_or_else(|| noted(self.requires.as_deref().unwrap_or_default()))
    }
}

/// Reads the requirements of `requires.txt` that belong to no extra: the lines before the first section, and those of sections
/// that are named for a marker alone, which is `[:python_version < "3"]`.
fn noted(text: &[u8]) -> Vec<Requirement> {
    let mut marker = Some("");
    let mut found = Vec::new();
    for line in String::from_utf8_lossy(text).lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(section) = line.strip_prefix('[') {
            marker = section.strip_suffix(']').and_then(|section| section.strip_prefix(':'));
            continue;
        }
        let written = match marker {
            Some("") => line.to_owned(),
            Some(marker) => format!("{line}; {marker}"),
            None => continue,
        };
        found.extend(Requirement::parse_lenient(&written).ok().map(|(requirement, _)| requirement));
        if found.len() >= MOST_NOTED {
            break;
        }
    }
    found
}

impl BuildSystem {
    /// Makes a build system from what a lock's recipe keeps: the tools are installed already.
    pub fn from_recipe(backend: &str, backend_path: &[String], subdirectory: Option<&ArchivePath>) -> Self {
        let (backend, backend_path) = (backend.to_owned(), backend_path.to_owned());
        Self { requires: Vec::new(), backend, backend_path, subdirectory: subdirectory.cloned() }
    }

    fn legacy(requires: Vec<Requirement>) -> Self {
        Self { requires, backend: LEGACY_BACKEND.to_owned(), backend_path: Vec::new(), subdirectory: None }
    }

    /// Reads `pyproject.toml`.
    fn parse(bytes: &[u8]) -> Result<Self, BuildError> {
        let text = str::from_utf8(bytes).map_err(|_| malformed("not UTF-8"))?;
        let document: Document = toml::from_str(text).map_err(|error| malformed(error.message()))?;
        let Some(table) = document.build_system else {
            return Ok(Self { requires: parse_requires(LEGACY_REQUIRES)?, ..Self::legacy(Vec::new()) });
        };
        let requires = table.requires.ok_or_else(|| malformed("`[build-system]` has no `requires` (PEP 518)"))?;
        let requires = parse_requires(&requires)?;
        let backend_path = table.backend_path.unwrap_or_default();
        for place in &backend_path {
            // `.` is the usual value; everything else is a plain path inside the sdist.
            if place != "." && place.parse::<ArchivePath>().is_err() {
                return Err(malformed(&format!("`backend-path` leaves the sdist: `{}`", shown(place, 200))));
            }
        }
        let Some(backend) = table.build_backend else {
            if !backend_path.is_empty() {
                return Err(malformed("`backend-path` without `build-backend`"));
            }
            return Ok(Self::legacy(requires));
        };
        if !is_object_reference(&backend) {
            return Err(malformed(&format!("`build-backend` is no object reference: `{}`", shown(&backend, 200))));
        }
        Ok(Self { requires, backend, backend_path, subdirectory: None })
    }
}

/// What matters of `pyproject.toml`; all other tables belong to other tools, and other keys change nothing here.
#[derive(Deserialize)]
struct Document {
    #[serde(rename = "build-system")]
    build_system: Option<Table>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Table {
    requires: Option<Vec<String>>,
    build_backend: Option<String>,
    backend_path: Option<Vec<String>>,
}

/// Reads what a build needs. A URL is nothing that it may name: what a build needs comes from an index.
pub(crate) fn parse_requires<S: AsRef<str>>(requires: &[S]) -> Result<Vec<Requirement>, BuildError> {
    let parse = |text: &S| match Requirement::parse_lenient(text.as_ref()) {
        Ok((Requirement { name, url: Some(url), .. }, _)) => Err(malformed(&format!(
            "it needs `{name}` from {url}; what a build needs comes from an index, by its name"
        ))),
        Ok((requirement, _)) => Ok(requirement),
        Err(error) => Err(malformed(&format!("`{}`: {error}", shown(text.as_ref(), 200)))),
    };
    requires.iter().map(parse).collect()
}

fn is_object_reference(text: &str) -> bool {
    let identifier = |part: &str| {
        let mut characters = part.chars();
        let first = characters.next().is_some_and(|c| c.is_alphabetic() || c == '_');
        first && characters.all(|c| c.is_alphanumeric() || c == '_')
    };
    let (module, object) = text.split_once(':').unwrap_or((text, "object"));
    module.split('.').all(identifier) && object.split('.').all(identifier)
}

fn malformed(problem: &str) -> BuildError {
    BuildError::Malformed { what: PYPROJECT.to_owned(), problem: problem.to_owned() }
}

const PKG_INFO: &str = "PKG-INFO";
/// Requirements that are taken from `requires.txt`: each is a question to the index, which nobody shall be flooded with.
const MOST_NOTED: usize = 100;
/// A longer `requires.txt` is not read.
const NOTE_BYTES: u64 = 64 << 10;
const PYPROJECT: &str = "pyproject.toml";
/// PEP 517: what a project without `[build-system]`, or without `build-backend` in it, is built with.
const LEGACY_BACKEND: &str = "setuptools.build_meta:__legacy__";
const LEGACY_REQUIRES: &[&str] = &["setuptools>=40.8.0", "wheel"];

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<(&str, usize, &[&str]), &str>) {
        match (BuildSystem::parse(text.as_bytes()), expected) {
            (Ok(found), Ok((backend, requires, backend_path))) => {
                assert_eq!((found.backend.as_str(), found.requires.len()), (backend, requires), "{text}");
                assert_eq!(found.backend_path, backend_path, "{text}");
            }
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{text}: {error}"),
            (found, expected) => panic!("{text}: {found:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn reads_what_projects_write() {
        check("", Ok((LEGACY_BACKEND, 2, &[])));
        check("[tool.x]\na = 1", Ok((LEGACY_BACKEND, 2, &[])));
        check("[build-system]\nrequires = ['setuptools']", Ok((LEGACY_BACKEND, 1, &[])));
        check(
            "[build-system]\nrequires = []\nbuild-backend = 'flit_core.buildapi'",
            Ok(("flit_core.buildapi", 0, &[])),
        );
        let in_tree = "[build-system]\nrequires = ['a>=1']\nbuild-backend = 'b:c.d'\nbackend-path = ['.', 'tools/b']";
        check(in_tree, Ok(("b:c.d", 1, &[".", "tools/b"])));
        check("[build-system]\nrequires = []\nunknown = 1", Ok((LEGACY_BACKEND, 0, &[])));
    }

    #[test]
    fn what_setuptools_noted_makes_requirements_likely() {
        let check = |pkg_info: &str, requires: &str, expected: &[&str]| {
            let some = |text: &str| (!text.is_empty()).then(|| text.as_bytes().to_vec());
            let claims = Claims { pkg_info: some(pkg_info), requires: some(requires) };
            let found: Vec<String> = claims.likely_requirements().iter().map(ToString::to_string).collect();
            assert_eq!(found, expected, "{pkg_info} {requires}");
        };
        let pkg_info = "Metadata-Version: 2.1\nName: x\nVersion: 1.0\n";
        check("", "", &[]);
        check(pkg_info, "a\n\nb==1.0\n", &["a", "b==1.0"]);
        check(
            pkg_info,
            "a\n\n[gpu]\nc\n\n[:python_version < \"3\"]\nd>1\n\n[gpu:os_name == 'nt']\ne\n",
            &["a", "d>1; python_version < '3'"],
        );
        check(pkg_info, "a b c\n\u{0}\nd\n[\n", &["d"]);
        check(&format!("{pkg_info}Requires-Dist: said\n"), "noted", &["said"]);
        check("no metadata", "a", &["a"]);
        check(pkg_info, &"a\n".repeat(MOST_NOTED * 2), &["a"; MOST_NOTED]);
    }

    #[test]
    fn finds_the_note_where_setuptools_puts_it() {
        let check = |path, expected| assert_eq!(is_noted_by_setuptools(path), expected, "{path}");
        check("a.egg-info/requires.txt", true);
        check("src/a_b.egg-info/requires.txt", true);
        check("lib/a.egg-info/requires.txt", false);
        check("requires.txt", false);
        check("a/requires.txt", false);
        check("a.egg-info/PKG-INFO", false);
    }

    #[test]
    fn refuses_what_would_mean_something_else() {
        check("[build-system]\nbuild-backend = 'a'", Err("no `requires`"));
        check("[build-system]\nrequires = 'setuptools'", Err("invalid type"));
        check("[build-system]\nrequires = ['a b']", Err("`a b`"));
        for backend in ["a;b", "a:b()", "", "a:", "../a", "a b", "__import__('os')"] {
            check(&format!("[build-system]\nrequires = []\nbuild-backend = \"{backend}\""), Err("no object reference"));
        }
        for place in ["..", "/abs", "a/../..", ""] {
            let text = format!("[build-system]\nrequires = []\nbuild-backend = 'a'\nbackend-path = ['{place}']");
            check(&text, Err("leaves the sdist"));
        }
        check("[build-system]\nrequires = []\nbackend-path = ['.']", Err("without `build-backend`"));
        check("[build-system", Err("pyproject.toml"));
    }
}
