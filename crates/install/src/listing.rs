//! The list of files of a generation, written while the files are still being placed.

use std::fs;
use std::path::Path;

use pinfold_artifact::Sha256;

use crate::merge::{Planned, Source};
use crate::receipt::{FILES_FILE, RECEIPT_DIRECTORY, digest};
use crate::verify::stamps::{self, Stamped};
use crate::{InstallError, InstalledFile, InstalledLink, ReceiptFiles};

/// What will be `files.json`, and where each of its files stands among the planned ones; none for those that were not planned.
pub(crate) struct Listing {
    pub(crate) list: ReceiptFiles,
    order: Vec<Option<usize>>,
}

impl Listing {
    /// Lists planned files and links by their paths.
    pub(crate) fn of(files: &[Planned<'_>], links: Vec<InstalledLink>) -> Self {
        let mut order: Vec<usize> = (0..files.len()).collect();
        order.sort_by(|a, b| files[*a].path.cmp(&files[*b].path));
        let list = ReceiptFiles { files: order.iter().map(|position| installed(&files[*position])).collect(), links };
        Self { list, order: order.into_iter().map(Some).collect() }
    }

    /// Adds files that were made from those that are listed.
    pub(crate) fn add(self, made: Vec<InstalledFile>) -> Self {
        let Self { list: ReceiptFiles { files, links }, order } = self;
        let mut rows: Vec<_> = files.into_iter().zip(order).chain(made.into_iter().map(|file| (file, None))).collect();
        rows.sort_by(|a, b| a.0.path.cmp(&b.0.path));
        let (files, order) = rows.into_iter().unzip();
        Self { list: ReceiptFiles { files, links }, order }
    }

    /// Writes the list into the receipt's directory below `root`, and returns its digest.
    pub(crate) fn write(&self, root: &Path) -> Result<Sha256, InstallError> {
        let path = root.join(RECEIPT_DIRECTORY).join(FILES_FILE);
        let text = self.list.to_bytes().map_err(|e| InstallError::io("write", &path)(e.into()))?;
        fs::write(&path, &text).map_err(InstallError::io("write", &path))?;
        Ok(digest(&text))
    }

    /// Writes the stamps of the listed files, given those of the planned ones in their order, and the list's digest.
    pub(crate) fn write_stamps(&self, root: &Path, placed: &[Stamped], sha256: &Sha256) -> Result<(), InstallError> {
        let stamp_of = |position: &Option<usize>| position.and_then(|position| placed.get(position).copied());
        let stamps = self.order.iter().map(stamp_of);
        stamps::write(root, self.list.files.iter().map(|file| &file.path).zip(stamps), sha256)
    }
}

fn installed(planned: &Planned<'_>) -> InstalledFile {
    let executable = match &planned.source {
        Source::Bytes(_) => planned.executable,
        Source::Tree(_, stored) => stored.executable,
    };
    InstalledFile {
        path: planned.path.clone(),
        size: planned.size_bytes,
        sha256: planned.sha256,
        executable,
        owners: planned.owners.clone(),
    }
}
