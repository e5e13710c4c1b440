//! What is known of the world: pages of projects, projects that do not exist, metadata of files.
//!
//! Facts only grow. A page is grouped by version once and then shared by every target through an [`Arc`].

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use pinfold_artifact::{ArtifactFilename, Origin};
use pinfold_packaging::{Metadata, PackageName, PageFile, ProjectStatus, Releases, SimplePage, SkippedFile, Version};

/// Pages and metadata, each from its one origin.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    projects: BTreeMap<PackageName, ProjectFact>,
    metadata: HashMap<FileKey, MetadataFact>,
    /// Some metadata cannot be read, which is rare.
    has_unreadable: bool,
    /// Projects belong to several indexes.
    has_several_indexes: bool,
}

/// What is known of one file's metadata.
#[derive(Debug, Clone)]
pub(crate) enum MetadataFact {
    /// What it says.
    Known(Arc<Metadata>),
    /// It cannot be read, so the file cannot be used; why, in one sentence.
    Unreadable(Arc<str>),
}

/// What is known of one project.
#[derive(Debug, Clone)]
pub(crate) enum ProjectFact {
    /// The origin that the project belongs to does not have it.
    Absent(Origin),
    /// The origin's page.
    Page(Arc<ProjectFacts>),
}

/// Which file some metadata belongs to: its name, which also names project and version. One project has one origin;
/// should its page list one name twice, the first file is the one that counts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FileKey(ArtifactFilename);

/// A project's page, grouped by version, and where it comes from.
#[derive(Debug, Clone)]
pub struct ProjectFacts {
    origin: Origin,
    /// Without the reserved version; see [`crate::run::absent`].
    releases: Releases,
}

impl Facts {
    /// Makes an empty set of facts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a project's page.
    pub fn add_page(&mut self, name: PackageName, page: impl Into<Arc<ProjectFacts>>) {
        self.projects.insert(name, ProjectFact::Page(page.into()));
    }

    /// Adds that the origin which a project belongs to does not have it.
    pub fn add_absent(&mut self, name: PackageName, origin: Origin) {
        self.projects.insert(name, ProjectFact::Absent(origin));
    }

    /// Adds the metadata of a file.
    pub fn add_metadata(&mut self, key: FileKey, metadata: Arc<Metadata>) {
        self.metadata.insert(key, MetadataFact::Known(metadata));
    }

    /// Adds that the metadata of a file cannot be read, and why: the file's version is then no candidate.
    pub fn add_unreadable(&mut self, key: FileKey, reason: &str) {
        self.has_unreadable = true;
        self.metadata.insert(key, MetadataFact::Unreadable(reason.into()));
    }

    /// Adds that projects belong to several indexes, though none of another one may have been looked at.
    pub const fn add_several_indexes(&mut self) {
        self.has_several_indexes = true;
    }

    /// Returns true if it is known that projects belong to several indexes.
    pub(crate) const fn has_several_indexes(&self) -> bool {
        self.has_several_indexes
    }

    /// Returns true if the metadata of any file is known to be unreadable.
    pub(crate) const fn has_unreadable(&self) -> bool {
        self.has_unreadable
    }

    /// Returns true if it is known whether the project exists and which files it has.
    pub fn has_page(&self, name: &PackageName) -> bool {
        self.projects.contains_key(name)
    }

    /// Returns true if the metadata of the file is known, or known to be unreadable.
    pub fn has_metadata(&self, key: &FileKey) -> bool {
        self.metadata.contains_key(key)
    }

    /// Returns a project's page, if one was added.
    pub fn page(&self, name: &PackageName) -> Option<&Arc<ProjectFacts>> {
        match self.projects.get(name)? {
            ProjectFact::Absent(_) => None,
            ProjectFact::Page(page) => Some(page),
        }
    }

    /// Returns the metadata of a file, if it was added.
    pub fn metadata(&self, file: &PageFile) -> Option<&Arc<Metadata>> {
        match self.metadata_fact(file)? {
            MetadataFact::Known(metadata) => Some(metadata),
            MetadataFact::Unreadable(_) => None,
        }
    }

    /// Returns what is known of a file's metadata.
    pub(crate) fn metadata_fact(&self, file: &PageFile) -> Option<&MetadataFact> {
        self.metadata.get(&FileKey::of(file))
    }

    /// Returns every name that is known to exist, sorted.
    pub(crate) fn existing(&self) -> impl Iterator<Item = &PackageName> {
        self.projects.iter().filter(|(_, fact)| matches!(fact, ProjectFact::Page(_))).map(|(name, _)| name)
    }

    /// Returns of how many projects something is known.
    pub(crate) fn project_count(&self) -> usize {
        self.projects.len()
    }

    /// Returns what is known of a project.
    pub(crate) fn project(&self, name: &PackageName) -> Option<&ProjectFact> {
        self.projects.get(name)
    }
}

impl FileKey {
    /// Returns the key of a file.
    pub fn of(file: &PageFile) -> Self {
        Self(file.filename.clone())
    }
}

impl ProjectFacts {
    /// Takes a page, grouped by version.
    pub fn new(origin: Origin, releases: impl Into<Releases>) -> Self {
        let releases = releases.into();
        let reserved = crate::run::absent();
        let last = releases.len().checked_sub(1);
        if last.is_none_or(|last| *releases.version(last) < reserved) || releases.position(&reserved).is_none() {
            return Self { origin, releases };
        }
        let mut page: SimplePage = releases.to_page();
        page.files.retain(|file| *file.distribution.version() != reserved);
        Self { origin, releases: page.into() }
    }

    /// Returns where the page and its files come from.
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Returns the page, grouped by version.
    pub const fn releases(&self) -> &Releases {
        &self.releases
    }

    /// Returns what the index says about the project.
    pub const fn status(&self) -> &ProjectStatus {
        self.releases.status()
    }

    /// Returns the files that could not be read, and why.
    pub fn skipped(&self) -> &[SkippedFile] {
        self.releases.skipped()
    }

    /// Returns how many versions there are.
    pub(crate) fn version_count(&self) -> usize {
        self.releases.len()
    }

    /// Returns the version at a position; ascending.
    pub(crate) fn version(&self, position: usize) -> &Version {
        self.releases.version(position)
    }

    /// Returns the position of a version.
    pub(crate) fn position(&self, version: &Version) -> Option<usize> {
        self.releases.position(version)
    }

    /// Returns how many versions come before the first for which the predicate fails; it must hold for a prefix.
    pub(crate) fn partition(&self, holds: impl Fn(&Version) -> bool) -> usize {
        self.releases.partition(holds)
    }

    /// Returns the files of the version at a position.
    pub(crate) fn files(&self, position: usize) -> &[Arc<PageFile>] {
        self.releases.files(position)
    }
}
