//! A page grouped by version: what a resolution looks at.
//!
//! A page has hundreds of versions, of which a resolution looks at a few, and it is read again on every lock. So there is a
//! compact form for the cache, in which versions and files are read when they are first looked at ([`compact`]). Which of
//! the two forms holds a page makes no difference to whoever looks at it.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use pinfold_artifact::SafeUrl;

use super::compact::{self, Compact};
use super::{PageFile, ProjectStatus, SimplePage, SkippedFile};
use crate::Version;

pub use super::compact::CompactError;

/// A page grouped by version, ascending.
#[derive(Debug, Clone)]
pub struct Releases {
    about: About,
    content: Content,
}

/// What a page says besides its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct About {
    pub(super) status: ProjectStatus,
    pub(super) last_serial: Option<u64>,
    pub(super) skipped: Vec<SkippedFile>,
}

#[derive(Debug, Clone)]
enum Content {
    /// Read when it is looked at.
    Compact(Compact),
    /// Files sorted by version; each version with the end of its files.
    Read { files: Vec<Arc<PageFile>>, versions: Vec<(Version, usize)> },
}

impl From<SimplePage> for Releases {
    /// Groups a page; files of one version keep the order of the page.
    fn from(page: SimplePage) -> Self {
        let SimplePage { mut files, status, last_serial, skipped } = page;
        files.sort_by(|a, b| a.distribution.version().cmp(b.distribution.version()));
        let mut versions: Vec<(Version, usize)> = Vec::new();
        for (position, file) in files.iter().enumerate() {
            let version = file.distribution.version();
            match versions.last_mut() {
                Some((last, end)) if last == version => *end = position + 1,
                _ => versions.push((version.clone(), position + 1)),
            }
        }
        let files = files.into_iter().map(Arc::new).collect();
        Self { about: About { status, last_serial, skipped }, content: Content::Read { files, versions } }
    }
}

impl Releases {
    /// Reads the compact form. Its outline is checked here; a version or a file is read when it is first looked at.
    ///
    /// # Errors
    /// [`CompactError`] if the bytes are not what [`Releases::to_bytes`] of this program made.
    pub fn from_bytes(bytes: Bytes) -> Result<Self, CompactError> {
        let (about, compact) = Compact::read(bytes)?;
        Ok(Self { about, content: Content::Compact(compact) })
    }

    /// Returns the compact form. It is for this program's own cache: who reads it must know that the bytes are those that
    /// were written.
    pub fn to_bytes(&self) -> Vec<u8> {
        compact::write(&self.about, self)
    }

    /// Returns how many versions there are.
    pub fn len(&self) -> usize {
        match &self.content {
            Content::Compact(compact) => compact.len(),
            Content::Read { versions, .. } => versions.len(),
        }
    }

    /// Returns true if there is no version.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the version at a position, which must be below [`Releases::len`].
    pub fn version(&self, position: usize) -> &Version {
        match &self.content {
            Content::Compact(compact) => compact.version(position),
            Content::Read { versions, .. } => &versions[position].0,
        }
    }

    /// Returns the files of the version at a position, which must be below [`Releases::len`].
    pub fn files(&self, position: usize) -> &[Arc<PageFile>] {
        match &self.content {
            Content::Compact(compact) => compact.files(position),
            Content::Read { files, versions } => {
                let start = if position == 0 { 0 } else { versions[position - 1].1 };
                &files[start..versions[position].1]
            }
        }
    }

    /// Returns every file, by version.
    pub fn all_files(&self) -> impl Iterator<Item = &PageFile> {
        (0..self.len()).flat_map(|position| self.files(position)).map(|file| &**file)
    }

    /// Returns how many versions come before the first for which the predicate fails; it must hold for a prefix.
    pub fn partition(&self, holds: impl Fn(&Version) -> bool) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if holds(self.version(middle)) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Returns the position of a version.
    pub fn position(&self, version: &Version) -> Option<usize> {
        let position = self.partition(|own| own < version);
        (position < self.len() && self.version(position) == version).then_some(position)
    }

    /// Returns the roots of the hosts that serve the files; of a file without a plain path its whole URL.
    pub fn hosts(&self) -> BTreeSet<SafeUrl> {
        match &self.content {
            Content::Compact(compact) => compact.bases().cloned().collect(),
            Content::Read { files, .. } => {
                let mut hosts = BTreeSet::new();
                let mut last: Option<&SafeUrl> = None;
                for file in files {
                    if last != Some(&file.url.base) {
                        hosts.insert(file.url.base.clone());
                        last = Some(&file.url.base);
                    }
                }
                hosts
            }
        }
    }

    /// Returns what the index says about the project.
    pub const fn status(&self) -> &ProjectStatus {
        &self.about.status
    }

    /// Returns the serial number of the last change, where the page has one.
    pub const fn last_serial(&self) -> Option<u64> {
        self.about.last_serial
    }

    /// Returns the files that are no candidates, and why.
    pub fn skipped(&self) -> &[SkippedFile] {
        &self.about.skipped
    }

    /// Returns the page with its files sorted by version.
    pub fn to_page(&self) -> SimplePage {
        let About { status, last_serial, skipped } = self.about.clone();
        SimplePage { files: self.all_files().cloned().collect(), status, last_serial, skipped }
    }
}
