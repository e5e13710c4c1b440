//! Source distributions from recipes.
//!
//! An sdist brings its own build backend (PEP 517, `backend-path`), which needs the standard library of Python and nothing
//! else; so a build in a test needs no network and no build requirement, and does what the recipe tells it to.

use crate::tar::{HostileTar, TarEntry};
use crate::wheel::{escaped, metadata_text};
use crate::zip::HostileZip;

const BACKEND: &str = include_str!("backend.py");

/// What an sdist is to contain.
#[derive(Clone, Debug)]
pub struct SdistRecipe {
    name: String,
    version: String,
    metadata_version: String,
    lines: Vec<String>,
    built_lines: Vec<String>,
    pkg_info: Option<String>,
    pyproject: Option<String>,
    has_pyproject: bool,
    build_requires: Vec<String>,
    dynamic_requires: Vec<String>,
    runs: String,
    files: Vec<(String, Vec<u8>)>,
}

impl SdistRecipe {
    /// Makes an sdist with one package named like the project.
    pub fn new(name: &str, version: &str) -> Self {
        let module =
            (format!("src/{}/__init__.py", escaped(name)), format!("__version__ = \"{version}\"\n").into_bytes());
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            metadata_version: "2.2".to_owned(),
            lines: Vec::new(),
            built_lines: Vec::new(),
            pkg_info: None,
            pyproject: None,
            has_pyproject: true,
            build_requires: Vec::new(),
            dynamic_requires: Vec::new(),
            runs: String::new(),
            files: vec![module],
        }
    }

    /// Adds a requirement, in PKG-INFO and in the wheel that is built.
    pub fn requires(self, requirement: &str) -> Self {
        self.metadata_line(&format!("Requires-Dist: {requirement}"))
    }

    /// Adds a requirement that only the built wheel has: PKG-INFO lied.
    pub fn built_requires(mut self, requirement: &str) -> Self {
        self.built_lines.push(format!("Requires-Dist: {requirement}"));
        self
    }

    /// Sets which Pythons it is for.
    pub fn requires_python(self, specifiers: &str) -> Self {
        self.metadata_line(&format!("Requires-Python: {specifiers}"))
    }

    /// Adds a line to PKG-INFO and to the METADATA that is built.
    pub fn metadata_line(mut self, line: &str) -> Self {
        self.lines.push(line.to_owned());
        self
    }

    /// Sets the version of the metadata format; below 2.2 PKG-INFO promises nothing.
    pub fn metadata_version(mut self, version: &str) -> Self {
        version.clone_into(&mut self.metadata_version);
        self
    }

    /// Replaces PKG-INFO as a whole.
    pub fn pkg_info(mut self, text: &str) -> Self {
        self.pkg_info = Some(text.to_owned());
        self
    }

    /// Replaces `pyproject.toml` as a whole.
    pub fn pyproject(mut self, text: &str) -> Self {
        self.pyproject = Some(text.to_owned());
        self
    }

    /// Leaves out `pyproject.toml`: a project of the time of `setup.py`.
    pub fn without_pyproject(mut self) -> Self {
        self.has_pyproject = false;
        self
    }

    /// Adds a build requirement.
    pub fn build_requires(mut self, requirement: &str) -> Self {
        self.build_requires.push(requirement.to_owned());
        self
    }

    /// Adds a build requirement that the backend names only when it is asked.
    pub fn dynamic_requires(mut self, requirement: &str) -> Self {
        self.dynamic_requires.push(requirement.to_owned());
        self
    }

    /// Sets Python code that the backend runs while it builds.
    pub fn build_runs(mut self, code: &str) -> Self {
        code.clone_into(&mut self.runs);
        self
    }

    /// Adds a file, below the top directory. What is below `src/` gets into the wheel.
    pub fn file(mut self, path: &str, contents: impl AsRef<[u8]>) -> Self {
        self.files.push((path.to_owned(), contents.as_ref().to_vec()));
        self
    }

    /// Returns the project's name as given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the version as given.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Returns the name that the file has on an index.
    pub fn filename(&self) -> String {
        format!("{}.tar.gz", self.top())
    }

    /// Returns the top directory.
    pub fn top(&self) -> String {
        format!("{}-{}", escaped(&self.name), self.version)
    }

    /// Returns the text of PKG-INFO.
    pub fn metadata(&self) -> String {
        let own = || metadata_text(&self.metadata_version, &self.name, &self.version, &self.lines);
        self.pkg_info.clone().unwrap_or_else(own)
    }

    /// Returns the METADATA of the wheel that a build gives.
    pub fn built_metadata(&self) -> String {
        let lines: Vec<String> = self.lines.iter().chain(&self.built_lines).cloned().collect();
        metadata_text(&self.metadata_version, &self.name, &self.version, &lines)
    }

    /// Returns the entries, the top directory first.
    pub fn tar(&self) -> HostileTar {
        let top = self.top();
        let mut tar = HostileTar::new().entry(TarEntry::directory(format!("{top}/")));
        for (path, contents) in self.members() {
            tar = tar.file(format!("{top}/{path}"), contents);
        }
        tar
    }

    /// Returns the same sdist as a zip archive.
    pub fn zip(&self) -> HostileZip {
        let top = self.top();
        let members = self.members().into_iter();
        members.fold(HostileZip::new(), |zip, (path, contents)| zip.file(format!("{top}/{path}"), contents))
    }

    /// Returns the bytes of the `.tar.gz`.
    pub fn build(&self) -> Vec<u8> {
        self.tar().build_gz()
    }

    /// Returns the files below the top directory, with their paths.
    pub fn members(&self) -> Vec<(String, Vec<u8>)> {
        let mut members = vec![("PKG-INFO".to_owned(), self.metadata().into_bytes())];
        if self.has_pyproject {
            let text = self.pyproject.clone().unwrap_or_else(|| self.own_pyproject());
            members.push(("pyproject.toml".to_owned(), text.into_bytes()));
        }
        let dynamic: String = self.dynamic_requires.iter().map(|requirement| format!("{requirement}\n")).collect();
        for (path, text) in [
            ("backend.py", BACKEND.to_owned()),
            ("DIST", self.top()),
            ("DYNAMIC", dynamic),
            ("METADATA.in", self.built_metadata()),
            ("RUNS", self.runs.clone()),
        ] {
            members.push((path.to_owned(), text.into_bytes()));
        }
        members.extend(self.files.iter().cloned());
        members
    }

    fn own_pyproject(&self) -> String {
        let requires: Vec<String> = self.build_requires.iter().map(|requirement| format!("{requirement:?}")).collect();
        let requires = requires.join(", ");
        format!("[build-system]\nrequires = [{requires}]\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n")
    }
}
