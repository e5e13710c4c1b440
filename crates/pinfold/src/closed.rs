//! What its own user may not enter, read or write to any more: named with its mode and the command that gives the right back.
//!
//! The system says "permission denied" of the path that was asked for, and not which directory on the way to it is closed.

use std::io;
use std::path::Path;

use crate::exit::Failure;

/// Adds to a failure with a path what is closed there, if it is that.
pub(crate) fn explain(failure: Failure, path: &Path, source: &io::Error) -> Failure {
    match (source.kind() == io::ErrorKind::PermissionDenied).then(|| closed(path)).flatten() {
        None => failure,
        Some((place, mode)) => {
            let place = place.display();
            failure.with("found", format!("`{place}` has mode {mode:04o}")).help(format!(
                "its owner gives himself the right back with `chmod u+rwX '{place}'`; then run the same command again"
            ))
        }
    }
}

/// Returns the nearest on the way to a path of which the owner has not all rights of one, and its mode. What is above
/// something of another owner was never this user's.
#[cfg(unix)]
fn closed(path: &Path) -> Option<(&Path, u32)> {
    use std::os::unix::fs::MetadataExt as _;
    let looked = path.ancestors().filter_map(|place| Some((place, place.symlink_metadata().ok()?)));
    let mut found = looked.filter(|(_, metadata)| !metadata.is_symlink()).peekable();
    let owner = found.peek()?.1.uid();
    found.take_while(|(_, metadata)| metadata.uid() == owner).find_map(|(place, metadata)| {
        // What is stored is read-only, as it should be.
        let needed = if metadata.is_dir() { 0o700 } else { 0o400 };
        (metadata.mode() & needed != needed).then_some((place, metadata.mode() & 0o7777))
    })
}

/// Rights are no bits there.
#[cfg(not(unix))]
fn closed(_path: &Path) -> Option<(&Path, u32)> {
    None
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::exit::Exit;

    #[test]
    fn the_nearest_closed_directory_is_named_with_its_mode_and_what_to_do() {
        let home = tempfile::tempdir().unwrap();
        let (outer, inner) = (home.path().join("outer"), home.path().join("outer/inner"));
        fs::create_dir_all(&inner).unwrap();
        let said = |path: &Path, kind: io::ErrorKind| {
            let failure = explain(Failure::new(Exit::World, "it failed").help("usual"), path, &kind.into());
            (failure.details, failure.help.unwrap_or_default())
        };
        let path = inner.join("file");
        assert_eq!(said(&path, io::ErrorKind::PermissionDenied), (vec![], "usual".to_owned()));
        fs::set_permissions(&outer, fs::Permissions::from_mode(0o500)).unwrap();
        let (details, help) = said(&path, io::ErrorKind::PermissionDenied);
        assert_eq!(details[0].1, format!("`{}` has mode 0500", outer.display()));
        assert!(help.contains(&format!("chmod u+rwX '{}'", outer.display())), "{help}");
        assert_eq!(said(&path, io::ErrorKind::NotFound), (vec![], "usual".to_owned()));
    }
}
