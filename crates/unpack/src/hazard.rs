//! Files that Python runs or obeys without being asked, found by their place: data for the install room, which decides.

use pinfold_artifact::ArchivePath;

use crate::Scheme;

/// A file that takes effect at every start of the interpreter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hazard {
    /// `__editable__*` or `easy-install.pth`: the finder of an editable install (WI18).
    Editable,
    /// A path file in a site directory; see [`executable_pth_lines`] for whether it runs code (WI16).
    PathFile,
    /// `pyvenv.cfg`, `pybuilddir.txt` or `*._pth`: what tells the interpreter where it lives.
    PythonLayout,
    /// `sitecustomize` or `usercustomize`, as a module or a package (WI18).
    SiteCustomize,
}

impl Hazard {
    /// Returns the hazard of a file at `destination` inside `scheme`.
    ///
    /// The `data` scheme reaches every directory of the environment, so there only the name counts.
    pub fn of(scheme: Scheme, destination: &ArchivePath) -> Option<Self> {
        let folded = destination.case_fold();
        let (parent, name) = folded.rsplit_once('/').unwrap_or(("", &folded));
        let directory = match scheme {
            Scheme::Data => parent.rsplit('/').next().unwrap_or(parent),
            Scheme::Headers | Scheme::Scripts => "",
            Scheme::Platlib | Scheme::Purelib | Scheme::Root if parent.contains('/') => return None,
            Scheme::Platlib | Scheme::Purelib | Scheme::Root => parent,
        };
        let module = |text: &str| matches!(text.split('.').next(), Some("sitecustomize" | "usercustomize"));
        let package = module(directory) && name.starts_with("__init__.");
        let cached = directory == "__pycache__" && module(name);
        let at_root = parent.is_empty() || scheme == Scheme::Data;
        if package || cached || (at_root && module(name)) {
            return Some(Self::SiteCustomize);
        }
        if name.ends_with("._pth") || matches!(name, "pyvenv.cfg" | "pybuilddir.txt") && at_root {
            return Some(Self::PythonLayout);
        }
        if at_root && (name.starts_with("__editable__") || name == "easy-install.pth") {
            return Some(Self::Editable);
        }
        (at_root && name.ends_with(".pth")).then_some(Self::PathFile)
    }
}

/// Returns the lines of a `.pth` file that the interpreter runs as code: those that begin with `import` and a blank.
///
/// Python splits at any line end, skips a byte order mark, and decodes leniently; bytes that are no UTF-8 are shown as
/// replacement characters.
pub fn executable_pth_lines(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    // Every character that `str.splitlines` takes for a line end, so that none hides a line.
    let ends =
        |c: char| matches!(c, '\n' | '\r' | '\x0b' | '\x0c' | '\x1c'..='\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}');
    let runs = |line: &&str| line.starts_with("import ") || line.starts_with("import\t");
    text.split(ends).filter(runs).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(scheme: Scheme, destination: &str, expected: Option<Hazard>) {
        assert_eq!(Hazard::of(scheme, &destination.parse().unwrap()), expected, "{scheme:?} {destination}");
    }

    #[test]
    fn start_up_hooks_are_found_in_every_scheme() {
        for scheme in [Scheme::Root, Scheme::Purelib, Scheme::Platlib] {
            check(scheme, "x.pth", Some(Hazard::PathFile));
            check(scheme, "X.PTH", Some(Hazard::PathFile));
            check(scheme, "sitecustomize.py", Some(Hazard::SiteCustomize));
            check(scheme, "sitecustomize/__init__.py", Some(Hazard::SiteCustomize));
            check(scheme, "usercustomize.cpython-310-x86_64-linux-gnu.so", Some(Hazard::SiteCustomize));
            check(scheme, "__pycache__/sitecustomize.cpython-310.pyc", Some(Hazard::SiteCustomize));
            check(scheme, "__editable___a_1_0_finder.py", Some(Hazard::Editable));
            check(scheme, "easy-install.pth", Some(Hazard::Editable));
        }
        check(Scheme::Data, "lib/python3.10/site-packages/x.pth", Some(Hazard::PathFile));
        check(Scheme::Data, "lib/python3.10/site-packages/sitecustomize/__init__.py", Some(Hazard::SiteCustomize));
        check(Scheme::Data, "pyvenv.cfg", Some(Hazard::PythonLayout));
        check(Scheme::Data, "bin/python310._pth", Some(Hazard::PythonLayout));
        check(Scheme::Scripts, "python310._pth", Some(Hazard::PythonLayout));
    }

    #[test]
    fn the_same_names_inside_a_package_are_harmless() {
        for path in ["torch/model.pth", "a/sitecustomize.py", "a/b/__init__.py", "sitecustomize_docs.py", "a.py"] {
            check(Scheme::Root, path, None);
        }
    }

    #[test]
    fn a_path_file_runs_its_import_lines_only() {
        assert_eq!(executable_pth_lines(b"../lib\n# import os\nimportant\n"), Vec::<String>::new());
        assert_eq!(executable_pth_lines(b"x\nimport os; os.x()\r\nimport\tsys"), ["import os; os.x()", "import\tsys"]);
        assert_eq!(executable_pth_lines(b"\xef\xbb\xbfimport a\x0cimport b"), ["import a", "import b"]);
        assert_eq!(executable_pth_lines(b"\xff\x0bimport a").len(), 1);
    }
}
