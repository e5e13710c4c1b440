//! What the generations of an environment hold, file by file: the lists that lie in those that are still there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use pinfold_artifact::Sha256;

use crate::receipt::{FILES_FILE, RECEIPT_DIRECTORY};
use crate::{Environment, InstallError, InstalledFile, Receipt, ReceiptFiles, exchange};

/// A generation whose files are still there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldGeneration {
    /// Whether it is the one in place.
    pub is_current: bool,
    /// Its receipt.
    pub receipt: Receipt,
    directory: PathBuf,
}

/// Returns the generations whose receipt can be read, the one in place first.
///
/// # Errors
/// [`InstallError::Io`] if the former ones cannot be listed.
pub fn held(environment: &Environment) -> Result<Vec<HeldGeneration>, InstallError> {
    let former = exchange::subdirectories(&environment.generations())?.into_iter().map(|(_, directory)| directory);
    let read = |(is_current, directory): (bool, PathBuf)| {
        let receipt = Receipt::read(&directory).ok().flatten()?;
        Some(HeldGeneration { is_current, receipt, directory })
    };
    let current = (true, environment.venv().to_owned());
    Ok([current].into_iter().chain(former.map(|directory| (false, directory))).filter_map(read).collect())
}

impl HeldGeneration {
    /// Returns the files with one of these digests.
    ///
    /// # Errors
    /// [`InstallError::Receipt`] if the list cannot be read.
    pub fn files_with(&self, wanted: &BTreeSet<Sha256>) -> Result<Vec<InstalledFile>, InstallError> {
        // Looking for a text is many times quicker than reading the list, and most lists do not have it.
        let text = fs::read(self.directory.join(RECEIPT_DIRECTORY).join(FILES_FILE)).unwrap_or_default();
        let text = str::from_utf8(&text).unwrap_or_default();
        if !wanted.iter().any(|sha256| text.contains(&sha256.to_string())) {
            return Ok(Vec::new());
        }
        let files = ReceiptFiles::read(&self.directory)?.map(|(list, _)| list.files).unwrap_or_default();
        Ok(files.into_iter().filter(|file| wanted.contains(&file.sha256)).collect())
    }

    /// Returns what the list says of the file at a path inside the environment.
    ///
    /// # Errors
    /// [`InstallError::Receipt`] if the list cannot be read.
    pub fn file_at(&self, path: &Path) -> Result<Option<InstalledFile>, InstallError> {
        let files = ReceiptFiles::read(&self.directory)?.map(|(list, _)| list.files).unwrap_or_default();
        Ok(files.into_iter().find(|file| Path::new(file.path.as_str()) == path))
    }
}
