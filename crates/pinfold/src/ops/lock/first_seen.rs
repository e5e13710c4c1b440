//! `upload-time = "first-seen"`: for a file of which its index tells no upload time, the moment at which pinfold first locked it.
//!
//! The lock is the memory. A file that the former lock has keeps its moment and exists for every later lock. A file that it
//! does not have is first seen now, which a cutoff in the past rules out: what the index adds after a lock does not get in by
//! locking again. There are two ways in. Where the lock has no file of the project yet, there is nothing to hold a file
//! against, and what the index has is taken as it is. And an upgrade that moves the cutoff forward looks at the project anew.
//! Both are shown, because no cutoff protects from what was uploaded just before (`docs/decisions`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use pinfold_artifact::ArtifactFilename;
use pinfold_lock::Lock;
use pinfold_packaging::{PackageName, PageFile, Releases};

use super::Keep;

/// What is remembered of files without an upload time, and which moments were given to them.
#[derive(Debug)]
pub(super) struct FirstSeen {
    now: Timestamp,
    cutoff: Option<Timestamp>,
    /// What the former lock says.
    recorded: BTreeMap<ArtifactFilename, Timestamp>,
    /// Projects that the former lock has such files of.
    known: BTreeSet<PackageName>,
    anew: Anew,
    /// Files that were given a moment for the resolver, and when they were first seen.
    given: Mutex<BTreeMap<ArtifactFilename, Timestamp>>,
}

/// Which known projects are looked at as if for the first time.
#[derive(Debug)]
enum Anew {
    All,
    Named(BTreeSet<PackageName>),
}

impl FirstSeen {
    /// Takes what the former lock remembers.
    pub(super) fn new(former: Option<&Lock>, keep: &Keep, cutoff: Option<Timestamp>, now: Timestamp) -> Self {
        let tool = former.and_then(|lock| lock.tool.as_ref());
        let recorded = tool.map(|tool| tool.first_seen.clone()).unwrap_or_default();
        let packages = former.into_iter().flat_map(|lock| &lock.packages);
        let packages = packages.flat_map(|package| package.files().map(|file| (&package.name, &file.filename)));
        let tools = tool.into_iter().flat_map(|tool| &tool.builds).flat_map(|recipe| &recipe.requires);
        let files = packages.chain(tools.map(|tool| (&tool.name, &tool.file.filename)));
        let known = files.filter(|(_, file)| recorded.contains_key(*file)).map(|(name, _)| name.clone()).collect();
        let moved =
            cutoff.zip(tool.and_then(|tool| tool.exclude_newer)).is_some_and(|(cutoff, before)| cutoff > before);
        let anew = match keep {
            _ if !moved => Anew::Named(BTreeSet::new()),
            Keep::AllBut(names) => Anew::Named(names.clone()),
            Keep::Nothing => Anew::All,
        };
        Self { now, cutoff, recorded, known, anew, given: Mutex::default() }
    }

    /// Returns the page with a moment for each file that has none: one that the cutoff allows, or one that it rules out.
    pub(super) fn stamp(&self, name: &PackageName, releases: &Releases) -> Releases {
        let is_new = !self.known.contains(name);
        let looks_anew = is_new
            || match &self.anew {
                Anew::All => true,
                Anew::Named(names) => names.contains(name),
            };
        let mut page = releases.to_page();
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        for file in page.files.iter_mut().filter(|file| file.upload_time.is_none()) {
            let recorded = self.recorded.get(&file.filename).copied();
            let seen = recorded.unwrap_or(self.now);
            let exists = recorded.is_some() || looks_anew;
            file.upload_time = Some(self.cutoff.filter(|_| exists).map_or(seen, |cutoff| cutoff.min(seen)));
            given.insert(file.filename.clone(), seen);
        }
        page.into()
    }

    /// Returns when a file was first seen, if it was given a moment because its index tells none.
    pub(super) fn moment(&self, file: &PageFile) -> Option<Timestamp> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner).get(&file.filename).copied()
    }

    /// Returns what counts as the present.
    pub(super) const fn now(&self) -> Timestamp {
        self.now
    }

    /// Returns what to tell about files that are locked for the first time.
    pub(super) fn told(&self, locked: &BTreeMap<ArtifactFilename, Timestamp>) -> Option<String> {
        let cutoff = self.cutoff?;
        let new: Vec<String> = locked
            .iter()
            .filter(|(filename, seen)| !self.recorded.contains_key(*filename) && **seen > cutoff)
            .map(|(filename, _)| format!("`{filename}`"))
            .collect();
        (!new.is_empty()).then(|| {
            format!(
                "{} first seen now, because the index tells no upload time: exclude-newer does not hold for what is new there \
                 today ({})",
                if new.len() == 1 { "1 file is".to_owned() } else { format!("{} files are", new.len()) },
                new.join(", ")
            )
        })
    }
}
