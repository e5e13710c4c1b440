//! What a wheel brings that only a decision of the maintainer lets in: files that take effect whenever the interpreter
//! starts, and files of which RECORD says something else than the archive.
//!
//! One wheel with such a file runs its code in every program of the environment, imported or not: that is how the
//! attack of 2026-03-24 on litellm 1.82.8 worked. Two of them are legitimate in Fooocus's closure, so the answer is not
//! "never" but "exactly these bytes, after a decision".

use pinfold_artifact::{ArchivePath, Sha256};
use pinfold_lock::Accepted;
use pinfold_packaging::PackageName;
use pinfold_store::TreeManifest;
use pinfold_unpack::{Hazard, RecordException, RecordFault, Scheme, WheelMember, executable_pth_lines};

use crate::wheel_facts::WheelFacts;

/// A file of a wheel that takes effect whenever the interpreter starts, that hides what it does, or that RECORD is wrong
/// about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WheelFinding {
    /// `executable-pth`, `startup-hook`, `bytecode-only`, or the code of a [`RecordFault`].
    pub code: String,
    /// Its path in the wheel.
    pub path: ArchivePath,
    /// Its digest: exactly these bytes are accepted, or none.
    pub sha256: Sha256,
}

/// Returns the files of an unpacked wheel that need an `[[accept]]` entry.
pub fn startup_files(manifest: &TreeManifest) -> Vec<WheelFinding> {
    WheelFacts::of(manifest).map(|facts| facts.findings).unwrap_or_default()
}

/// Returns what a lock accepts of a package's RECORD.
pub(crate) fn record_exceptions(package: &PackageName, accepts: &[Accepted]) -> Vec<RecordException> {
    let own = accepts.iter().filter(|entry| entry.package == *package);
    let exception = |entry: &Accepted| {
        let fault = RecordFault::of_code(&entry.code)?;
        Some(RecordException { fault, path: entry.path.clone()?, sha256: entry.sha256 })
    };
    own.filter_map(exception).collect()
}

impl From<&RecordException> for WheelFinding {
    fn from(exception: &RecordException) -> Self {
        let RecordException { fault, path, sha256 } = exception;
        Self { code: fault.code().to_owned(), path: path.clone(), sha256: *sha256 }
    }
}

/// Returns the files that no entry accepts: code, package, path and digest must all be the same.
pub(crate) fn unaccepted(files: &[WheelFinding], package: &PackageName, accepts: &[Accepted]) -> Vec<WheelFinding> {
    let accepted = |file: &&WheelFinding| {
        accepts.iter().any(|entry| {
            entry.package == *package
                && entry.code == file.code
                && entry.path.as_ref() == Some(&file.path)
                && entry.sha256 == file.sha256
        })
    };
    files.iter().filter(|file| !accepted(file)).cloned().collect()
}

/// Returns why a member needs acceptance; `bytes` gives a path file's bytes.
pub(crate) fn code_of(member: &WheelMember, bytes: impl FnOnce() -> std::io::Result<Vec<u8>>) -> std::io::Result<Code> {
    Ok(match member.hazard {
        Some(Hazard::PathFile) => code_of_path_file(&bytes()?),
        Some(Hazard::Editable | Hazard::PythonLayout | Hazard::SiteCustomize) => Some("startup-hook"),
        None if is_start_file(member) => Some("startup-hook"),
        None => None,
    })
}

/// A `.pth` file that only adds directories below its own runs nothing. One that adds others brings code from outside.
fn code_of_path_file(bytes: &[u8]) -> Code {
    if !executable_pth_lines(bytes).is_empty() {
        return Some("executable-pth");
    }
    let plain = str::from_utf8(bytes).is_ok_and(|text| {
        text.lines().map(str::trim).all(|line| {
            let inside = line.parse::<ArchivePath>().is_ok();
            // Python versions differ in what they skip before `import`: a blank or a mark must not hide one.
            line.is_empty() || line.starts_with('#') || (inside && !line.starts_with("import"))
        })
    });
    (!plain).then_some("startup-hook")
}

/// `NAME.start` names entry points that later Pythons run at start-up.
fn is_start_file(member: &WheelMember) -> bool {
    let path = member.destination.as_str();
    let at_root = match member.scheme {
        Scheme::Data => true,
        Scheme::Platlib | Scheme::Purelib | Scheme::Root => !path.contains('/'),
        Scheme::Headers | Scheme::Scripts => false,
    };
    at_root && path.to_ascii_lowercase().ends_with(".start")
}

/// The code of a finding, or none.
pub(crate) type Code = Option<&'static str>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_files_that_stay_inside_are_harmless() {
        for (bytes, expected) in [
            (&b""[..], None),
            (b"# comment\n\nsubdirectory\nvendored/lib\n", None),
            (b"import os; os.system('x')\n", Some("executable-pth")),
            (b"subdirectory\rimport os\n", Some("executable-pth")),
            (b"  import os\n", Some("startup-hook")),
            (b"importable\n", Some("startup-hook")),
            (b"../../outside\n", Some("startup-hook")),
            (b"/tmp/evil\n", Some("startup-hook")),
            (b"C:\\evil\n", Some("startup-hook")),
            (b"\xff\xfei\0m\0p\0", Some("startup-hook")),
            (b"\xef\xbb\xbfimport os\n", Some("executable-pth")),
        ] {
            assert_eq!(code_of_path_file(bytes), expected, "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn acceptance_is_for_exactly_these_bytes() {
        let sha256 = Sha256::from_bytes([1; 32]);
        let file = WheelFinding { code: "executable-pth".to_owned(), path: "a.pth".parse().unwrap(), sha256 };
        let entry = Accepted {
            code: "executable-pth".to_owned(),
            package: "a".parse().unwrap(),
            path: Some("a.pth".parse().unwrap()),
            sha256,
            reason: "read".to_owned(),
        };
        let left = |entry: Accepted| unaccepted(std::slice::from_ref(&file), &"a".parse().unwrap(), &[entry]).len();
        assert_eq!(left(entry.clone()), 0);
        assert_eq!(left(Accepted { code: "startup-hook".to_owned(), ..entry.clone() }), 1);
        assert_eq!(left(Accepted { package: "b".parse().unwrap(), ..entry.clone() }), 1);
        assert_eq!(left(Accepted { path: Some("b.pth".parse().unwrap()), ..entry.clone() }), 1);
        assert_eq!(left(Accepted { path: None, ..entry.clone() }), 1);
        assert_eq!(left(Accepted { sha256: Sha256::from_bytes([2; 32]), ..entry }), 1);
    }
}
