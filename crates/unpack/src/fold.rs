//! Which paths are one file on some file system.

use pinfold_artifact::ArchivePath;

/// Returns a key that two paths share if some common file system (case-insensitive, or normalising Unicode as macOS
/// does) takes them for one file.
pub fn portable_fold(path: &ArchivePath) -> String {
    let _ = path;
    todo!()
}
