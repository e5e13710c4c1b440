//! Files that Python runs or obeys without being asked, found by their place: data for the install room, which decides.

use pinfold_artifact::ArchivePath;

use crate::Scheme;

/// A file that takes effect at every start of the interpreter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hazard {
    /// `__editable__*`: the finder of an editable install (WI18).
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
    pub fn of(scheme: Scheme, destination: &ArchivePath) -> Option<Self> {
        let _ = (scheme, destination);
        todo!()
    }

    /// Returns the stable code of the finding.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Editable => "editable-hook",
            Self::PathFile => "path-file",
            Self::PythonLayout => "python-layout-file",
            Self::SiteCustomize => "site-customize",
        }
    }
}

/// Returns the lines of a `.pth` file that the interpreter would run as code.
pub fn executable_pth_lines(bytes: &[u8]) -> Vec<String> {
    let _ = bytes;
    todo!()
}
