//! What is known of the world: pages of projects, projects that do not exist, metadata of files.
//!
//! Facts only grow. A page is grouped by version once and then shared by every target through an [`Arc`].

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use pinfold_artifact::{ArtifactFilename, Origin};
use pinfold_packaging::{Metadata, PackageName, PageFile, ProjectStatus, SimplePage, SkippedFile, Version};

/// Pages and metadata, each from its one origin.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    projects: BTreeMap<PackageName, ProjectFact>,
    metadata: HashMap<FileKey, Arc<Metadata>>,
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

/// A project's page, grouped by version.
#[derive(Debug, Clone)]
pub struct ProjectFacts {
    origin: Origin,
    status: ProjectStatus,
    skipped: Vec<SkippedFile>,
    /// Sorted by version; files of one version keep the order of the page.
    files: Vec<PageFile>,
    /// Ascending; each with the end of its files in `files`.
    versions: Vec<(Version, usize)>,
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
        self.metadata.insert(key, metadata);
    }

    /// Returns true if it is known whether the project exists and which files it has.
    pub fn has_page(&self, name: &PackageName) -> bool {
        self.projects.contains_key(name)
    }

    /// Returns true if the metadata of the file is known.
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
        self.metadata.get(&FileKey::of(file))
    }

    /// Returns every name that is known to exist, sorted.
    pub(crate) fn existing(&self) -> impl Iterator<Item = &PackageName> {
        self.projects.iter().filter(|(_, fact)| matches!(fact, ProjectFact::Page(_))).map(|(name, _)| name)
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
    /// Groups a page by version.
    pub fn new(origin: Origin, page: SimplePage) -> Self {
        let SimplePage { mut files, status, skipped, .. } = page;
        let reserved = crate::run::absent();
        files.retain(|file| *file.distribution.version() != reserved);
        files.sort_by(|a, b| a.distribution.version().cmp(b.distribution.version()));
        let mut versions: Vec<(Version, usize)> = Vec::new();
        for (position, file) in files.iter().enumerate() {
            let version = file.distribution.version();
            match versions.last_mut() {
                Some((last, end)) if last == version => *end = position + 1,
                _ => versions.push((version.clone(), position + 1)),
            }
        }
        Self { origin, status, skipped, files, versions }
    }

    /// Returns where the page and its files come from.
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Returns what the index says about the project.
    pub const fn status(&self) -> &ProjectStatus {
        &self.status
    }

    /// Returns the files that could not be read, and why.
    pub fn skipped(&self) -> &[SkippedFile] {
        &self.skipped
    }

    /// Returns how many versions there are.
    pub(crate) fn version_count(&self) -> usize {
        self.versions.len()
    }

    /// Returns the version at a position; ascending.
    pub(crate) fn version(&self, position: usize) -> &Version {
        &self.versions[position].0
    }

    /// Returns the position of a version.
    pub(crate) fn position(&self, version: &Version) -> Option<usize> {
        self.versions.binary_search_by(|(own, _)| own.cmp(version)).ok()
    }

    /// Returns how many versions come before the first for which the predicate fails; it must hold for a prefix.
    pub(crate) fn partition(&self, holds: impl Fn(&Version) -> bool) -> usize {
        self.versions.partition_point(|(version, _)| holds(version))
    }

    /// Returns the files of the version at a position.
    pub(crate) fn files(&self, position: usize) -> &[PageFile] {
        let start = if position == 0 { 0 } else { self.versions[position - 1].1 };
        &self.files[start..self.versions[position].1]
    }
}
