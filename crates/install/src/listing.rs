//! The list of files of a generation, written while the files are still being placed.

use std::fs;
use std::path::Path;

use pinfold_artifact::Sha256;

use crate::merge::{Planned, Source};
use crate::receipt::{self, FILES_FILE, FileLine, RECEIPT_DIRECTORY, digest};
use crate::verify::stamps::{self, Stamped};
use crate::{InstallError, InstalledFile, InstalledLink};

/// What will be `files.json`, sorted by path. Its lines stay where they come from: there are many thousand.
pub(crate) struct Listing<'a> {
    rows: Vec<Row<'a>>,
    links: Vec<InstalledLink>,
}

#[derive(Clone, Copy)]
enum Row<'a> {
    /// Made from a file that is listed.
    Made(&'a InstalledFile),
    /// Planned, and where it stands among what was.
    Planned(&'a Planned<'a>, usize),
}

impl<'a> Listing<'a> {
    /// Lists planned files and links by their paths.
    pub(crate) fn of(files: &'a [Planned<'a>], links: Vec<InstalledLink>) -> Self {
        Self { rows: files.iter().enumerate().map(|(at, file)| Row::Planned(file, at)).collect(), links }.sorted()
    }

    /// Adds files that were made from those that are listed.
    pub(crate) fn add(mut self, made: &'a [InstalledFile]) -> Self {
        self.rows.extend(made.iter().map(Row::Made));
        self.sorted()
    }

    fn sorted(mut self) -> Self {
        self.rows.sort_by_key(|row| row.line().path);
        self
    }

    /// Returns the files as whoever reads the list gets them.
    pub(crate) fn files(&self) -> Vec<InstalledFile> {
        self.rows.iter().map(|row| row.line().to_file()).collect()
    }

    /// Returns how many files and links there are.
    pub(crate) fn count(&self) -> u64 {
        (self.rows.len() + self.links.len()) as u64
    }

    /// Returns the bytes of all files.
    pub(crate) fn total_bytes(&self) -> u64 {
        self.rows.iter().map(|row| row.line().size).sum()
    }

    /// Writes the list into the receipt's directory below `root`, and returns its digest.
    pub(crate) fn write(&self, root: &Path) -> Result<Sha256, InstallError> {
        let path = root.join(RECEIPT_DIRECTORY).join(FILES_FILE);
        let text = receipt::text_of(self.rows.iter().map(Row::line), &self.links);
        let text = text.map_err(|e| InstallError::io("write", &path)(e.into()))?;
        fs::write(&path, &text).map_err(InstallError::io("write", &path))?;
        Ok(digest(&text))
    }

    /// Writes the stamps of the listed files, given those of the planned ones in their order, and the list's digest.
    pub(crate) fn write_stamps(&self, root: &Path, placed: &[Stamped], sha256: &Sha256) -> Result<(), InstallError> {
        let stamped = |row: &'_ Row<'a>| match *row {
            Row::Made(made) => (&made.path, None),
            Row::Planned(planned, position) => (&planned.path, placed.get(position).copied()),
        };
        stamps::write(root, self.rows.iter().map(stamped), sha256)
    }
}

impl<'a> Row<'a> {
    fn line(&self) -> FileLine<'a> {
        let planned = match *self {
            Self::Made(made) => return FileLine::of(made),
            Self::Planned(planned, _) => planned,
        };
        let Planned { path, size_bytes, sha256, owners, .. } = planned;
        let executable = match &planned.source {
            Source::Bytes(_) => planned.executable,
            Source::Tree(_, stored) => stored.executable,
        };
        FileLine { path, size: *size_bytes, sha256, executable, owners }
    }
}
