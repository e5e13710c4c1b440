//! What the generations of an environment hold, file by file: the lists that lie in those that are still there.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pinfold_artifact::Sha256;

use crate::anchor::Anchor;
use crate::disk::Opened;
use crate::{Environment, InstallError, InstalledFile, InstalledLink, Receipt, ReceiptFiles};

/// A generation whose files are still there.
#[derive(Debug)]
pub struct HeldGeneration {
    /// Whether it is the one in place.
    pub is_current: bool,
    /// Its receipt.
    pub receipt: Receipt,
    anchor: Arc<Anchor>,
    directory: PathBuf,
}

/// Returns the generations whose receipt can be read, the one in place first.
///
/// # Errors
/// [`InstallError::Io`] if the former ones cannot be listed.
pub fn held(environment: &Environment) -> Result<Vec<HeldGeneration>, InstallError> {
    let anchor = Arc::new(Anchor::to_read(environment.state())?);
    let former = anchor.subdirectories(&environment.generations())?.into_iter().map(|(_, directory)| directory);
    let read = |(is_current, directory): (bool, PathBuf)| {
        let receipt = anchor.receipt(&directory).ok().flatten()?;
        Some(HeldGeneration { is_current, receipt, anchor: Arc::clone(&anchor), directory })
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
        let opened = self.opened()?;
        let text = ReceiptFiles::read_bytes(&opened)?.unwrap_or_default();
        let text = str::from_utf8(&text).unwrap_or_default();
        if !wanted.iter().any(|sha256| text.contains(&sha256.to_string())) {
            return Ok(Vec::new());
        }
        let files = ReceiptFiles::read_in(&opened)?.map(|(list, _)| list.files).unwrap_or_default();
        Ok(files.into_iter().filter(|file| wanted.contains(&file.sha256)).collect())
    }

    /// Returns what the list says of the file at a path inside the environment.
    ///
    /// # Errors
    /// [`InstallError::Receipt`] if the list cannot be read.
    pub fn file_at(&self, path: &Path) -> Result<Option<InstalledFile>, InstallError> {
        let files = ReceiptFiles::read_in(&self.opened()?)?.map(|(list, _)| list.files).unwrap_or_default();
        Ok(files.into_iter().find(|file| Path::new(file.path.as_str()) == path))
    }

    /// Returns what the list says of the environment's own link at a path inside it.
    ///
    /// # Errors
    /// [`InstallError::Receipt`] if the list cannot be read.
    pub fn link_at(&self, path: &Path) -> Result<Option<InstalledLink>, InstallError> {
        let links = ReceiptFiles::read_in(&self.opened()?)?.map(|(list, _)| list.links).unwrap_or_default();
        Ok(links.into_iter().find(|link| Path::new(link.path.as_str()) == path))
    }

    fn opened(&self) -> Result<Opened, InstallError> {
        self.anchor.open_directory(&self.directory).map_err(InstallError::io("open", &self.directory))
    }
}
