//! A version manager's directory of shims: scripts that each start some forty programs to find the one that they stand for.
//!
//! They are not run where what they choose from can be read: `shims/`, `versions/` and the user's choice, `version`, are beside
//! each other. What a shim would say could not be kept either. It hangs on files that only the manager knows, and among them
//! is one (`.python-version`) in any directory above the one in which it is started, be that `/tmp`.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

use pinfold_packaging::Version;

/// The versions that a directory of shims chooses from.
pub(super) struct Shims {
    root: PathBuf,
}

impl Shims {
    /// Returns the versions behind a directory of a PATH; none if it has no shims, or keeps its versions elsewhere.
    pub(super) fn of(directory: &Path) -> Option<Self> {
        let root = directory.parent().filter(|root| is_shims(directory) && root.join("versions").is_dir())?;
        Some(Self { root: root.to_owned() })
    }

    /// Returns the `bin` directories of the versions that the user chose, in the order of the choice.
    ///
    /// What the choice has behind `system` comes after the rest of the PATH, where every version is looked at.
    pub(super) fn chosen(&self) -> Vec<PathBuf> {
        let text = self.choice().unwrap_or_default();
        let names = text.lines().filter_map(|line| line.split_whitespace().next());
        let names = names.filter(|name| !name.starts_with('#')).take_while(|name| *name != "system");
        names.filter_map(|name| self.version(name)).collect()
    }

    /// Returns the `bin` directories of all versions, the newest first and what is no version last.
    pub(super) fn all(&self) -> Vec<PathBuf> {
        let mut found = self.installed();
        found.sort_by(|(one, at), (other, its)| other.cmp(one).then_with(|| at.cmp(its)));
        found.into_iter().map(|(_, directory)| directory.join("bin")).collect()
    }

    /// Reads `version`: a name in each line.
    fn choice(&self) -> Option<String> {
        let mut text = Vec::new();
        File::open(self.root.join("version")).ok()?.take(CHOICE_BYTES).read_to_end(&mut text).ok()?;
        String::from_utf8(text).ok()
    }

    /// Returns the `bin` directory of a version by its name, or of the newest final release below it: `3.11` is `3.11.7`.
    fn version(&self, name: &str) -> Option<PathBuf> {
        let mut parts = Path::new(name).components();
        let (Some(Component::Normal(_)), None) = (parts.next(), parts.next()) else { return None };
        let exactly = self.root.join("versions").join(name);
        if exactly.is_dir() {
            return Some(exactly.join("bin"));
        }
        let below = format!("{name}.");
        let is_below = |directory: &Path| directory.file_name().and_then(OsStr::to_str)?.strip_prefix(&below).map(drop);
        let releases = self.installed().into_iter().filter_map(|(version, directory)| Some((version?, directory)));
        let finals = releases.filter(|(version, at)| !version.is_prerelease() && is_below(at).is_some());
        finals.max().map(|(_, directory)| directory.join("bin"))
    }

    fn installed(&self) -> Vec<(Option<Version>, PathBuf)> {
        let entries = std::fs::read_dir(self.root.join("versions")).into_iter().flatten().flatten();
        let version = |name: &OsStr| name.to_str().and_then(|name| name.parse().ok());
        entries.map(|entry| (version(&entry.file_name()), entry.path())).collect()
    }
}

/// Returns true for a directory of shims, whoever manages them.
pub(super) fn is_shims(directory: &Path) -> bool {
    directory.ends_with("shims")
}

/// Version managers read no more of a choice either.
const CHOICE_BYTES: u64 = 1024;

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn names(found: Vec<PathBuf>, root: &Path) -> Vec<String> {
        let inside =
            |path: &PathBuf| path.strip_prefix(root.join("versions")).unwrap().to_str().unwrap().replace('\\', "/");
        found.iter().map(inside).collect()
    }

    #[test]
    fn a_choice_is_read_as_its_manager_reads_it() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path();
        fs::create_dir(root.join("shims")).unwrap();
        assert!(Shims::of(&root.join("shims")).is_none(), "there is nothing that it chooses from");
        for version in ["3.9.18", "3.10.9", "3.10.13", "3.10.14rc1", "3.11.7", "work"] {
            fs::create_dir_all(root.join("versions").join(version)).unwrap();
        }
        assert!(Shims::of(&root.join("versions")).is_none(), "these are no shims");
        let shims = Shims::of(&root.join("shims")).unwrap();
        assert!(shims.chosen().is_empty(), "no choice is the system's");
        for (choice, expected) in [
            ("3.11.7\n", vec!["3.11.7/bin"]),
            ("3.10\n", vec!["3.10.13/bin"]),
            ("# mine\n  work   \r\n\n3.9.18\n", vec!["work/bin", "3.9.18/bin"]),
            ("3.9.18\nsystem\n3.11.7\n", vec!["3.9.18/bin"]),
            ("3.12.1\n3.1\n", vec![]),
            ("../../elsewhere\n/elsewhere\n..\n.\n3.9.18/../3.11.7\n", vec![]),
        ] {
            fs::write(root.join("version"), choice).unwrap();
            assert_eq!(names(shims.chosen(), root), expected, "{choice:?}");
        }
        let newest = ["3.11.7", "3.10.14rc1", "3.10.13", "3.10.9", "3.9.18", "work"].map(|name| format!("{name}/bin"));
        assert_eq!(names(shims.all(), root), newest);
    }
}
