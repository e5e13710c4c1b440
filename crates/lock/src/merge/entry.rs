//! The entries of one project: which targets share one, and when each applies.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use pinfold_artifact::{ArchivePath, SafeUrl};
use pinfold_packaging::{PackageName, Tags, Version, WheelFilename};

use super::condition::{Condition, conditions};
use super::least::{Case, Demand, least};
use super::site::Sites;
use super::{MergeError, Reach, Resolution, Resolved};
use crate::marker::{Membership, Node};
use crate::{ArtifactKind, Direct, DirectorySource, LockMarker, LockedArchive, LockedFile, TreeSource, VcsSource};

/// An entry in the making.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) version: Version,
    pub(super) index: Option<SafeUrl>,
    /// Positions of its resolutions.
    pub(super) targets: Vec<usize>,
    pub(super) wheels: Vec<LockedFile>,
    pub(super) sdist: Option<LockedFile>,
    pub(super) archive: Option<LockedArchive>,
    pub(super) tree: Option<TreeSource>,
    pub(super) marker: Option<LockMarker>,
}

/// One target's part in the merge, with what every project asks about it.
pub(super) struct Part<'a> {
    pub(super) resolution: &'a Resolution,
    pub(super) tags: Arc<Tags>,
    /// Positions of the target's sites.
    pub(super) sites: Vec<usize>,
}

impl<'a> Part<'a> {
    pub(super) fn of(resolution: &'a Resolution, sites: &Sites) -> Self {
        Self { resolution, tags: resolution.target.tags(), sites: sites.positions(&resolution.target) }
    }
}

pub(super) fn entries_of(name: &PackageName, parts: &[Part<'_>], sites: &Sites) -> Result<Vec<Entry>, MergeError> {
    let mut drafts: Vec<Draft<'_>> = Vec::new();
    for (position, part) in parts.iter().enumerate() {
        let Some(resolved) = part.resolution.packages.get(name) else {
            continue;
        };
        let alike = drafts.iter().flat_map(|draft| &draft.choices).find(|one| one.has_the_file_of(resolved));
        let wheel = alike.map(|one| one.wheel.clone());
        let choice = Choice::of(name, position, part, (resolved, wheel))?;
        match drafts.iter_mut().find(|draft| draft.takes(&choice)) {
            Some(draft) => draft.choices.push(choice),
            None => drafts.push(Draft { choices: vec![choice] }),
        }
    }
    let mut entries: Vec<Entry> = drafts.iter().map(Draft::entry).collect();
    write_markers(name, &mut entries, parts, sites)?;
    Ok(entries)
}

/// What one target gets.
struct Choice<'a> {
    position: usize,
    tags: &'a Tags,
    resolved: &'a Resolved,
    /// The file's name, of a wheel from an index.
    wheel: Option<Rc<WheelFilename>>,
}

impl<'a> Choice<'a> {
    /// Makes the choice of a target; `known` is what is known of the file's name.
    fn of(
        name: &PackageName,
        position: usize,
        part: &'a Part<'a>,
        (resolved, known): (&'a Resolved, Option<Option<Rc<WheelFilename>>>),
    ) -> Result<Self, MergeError> {
        let filename = &resolved.file.filename;
        let read = || WheelFilename::parse(filename).map(Rc::new);
        let wheel = match (known, resolved.kind) {
            (Some(known), _) => known,
            (None, ArtifactKind::Sdist) => None,
            (None, ArtifactKind::Wheel) => {
                Some(read().map_err(|source| MergeError::Filename { name: name.clone(), source })?)
            }
        };
        if wheel.as_ref().is_some_and(|wheel| part.tags.rank(wheel).is_none()) {
            let target = part.resolution.target.to_string();
            return Err(MergeError::UnusableWheel { filename: filename.clone(), target });
        }
        Ok(Self { position, tags: &part.tags, resolved, wheel })
    }

    fn has_the_file_of(&self, resolved: &Resolved) -> bool {
        self.resolved.kind == resolved.kind && self.resolved.file.filename == resolved.file.filename
    }
}

/// Choices that share an entry.
struct Draft<'a> {
    choices: Vec<Choice<'a>>,
}

impl<'a> Draft<'a> {
    /// Returns true if a choice may join: same version, same origin, and with its file in the entry every installer still
    /// picks for each target the file that was chosen for it.
    fn takes(&self, new: &Choice<'a>) -> bool {
        let first = self.choices[0].resolved;
        if (&first.version, &first.index) != (&new.resolved.version, &new.resolved.index) {
            return false;
        }
        if new.resolved.index.is_none() {
            return first.file == new.resolved.file && first.direct == new.resolved.direct;
        }
        let all: Vec<&Choice<'_>> = self.choices.iter().chain([new]).collect();
        all.iter().all(|choice| picks_own_file(choice, &all))
    }

    fn entry(&self) -> Entry {
        let first = self.choices[0].resolved;
        let mut wheels: BTreeMap<&str, &LockedFile> = BTreeMap::new();
        let (mut sdist, mut archive, mut tree) = (None, None, None);
        for choice in &self.choices {
            let file = &choice.resolved.file;
            match (&choice.resolved.index, choice.resolved.kind) {
                (None, _) => (archive, tree) = direct(file, choice.resolved.direct.as_ref()),
                (Some(_), ArtifactKind::Sdist) => sdist = Some(file.clone()),
                (Some(_), ArtifactKind::Wheel) => {
                    wheels.insert(file.filename.as_str(), file);
                }
            }
        }
        Entry {
            version: first.version.clone(),
            index: first.index.clone(),
            targets: self.choices.iter().map(|choice| choice.position).collect(),
            wheels: wheels.into_values().cloned().collect(),
            sdist,
            archive,
            tree,
            marker: None,
        }
    }
}

/// Returns how a package is written that belongs to no index.
fn direct(file: &LockedFile, direct: Option<&Direct>) -> (Option<LockedArchive>, Option<TreeSource>) {
    let text = |path: &ArchivePath| path.as_str().to_owned();
    match direct {
        Some(Direct::Directory { path, subdirectory }) => {
            let (path, subdirectory) = (path.as_str().to_owned(), subdirectory.as_ref().map(text));
            let source = DirectorySource { path, url: Some(file.url.clone()), editable: None, subdirectory };
            (None, Some(TreeSource::Directory(source)))
        }
        Some(Direct::Git { url, requested_revision, commit, subdirectory }) => {
            let source = VcsSource {
                kind: VcsSource::GIT.to_owned(),
                url: Some(url.as_str().to_owned()),
                path: None,
                requested_revision: requested_revision.as_ref().map(ToString::to_string),
                commit_id: commit.as_str().to_owned(),
                subdirectory: subdirectory.as_ref().map(text),
            };
            (None, Some(TreeSource::Vcs(source)))
        }
        Some(Direct::Archive { path, subdirectory }) => {
            let (file, path, subdirectory) = (file.clone(), path.clone(), subdirectory.clone());
            (Some(LockedArchive { file, path, subdirectory }), None)
        }
        None => (Some(LockedArchive { file: file.clone(), path: None, subdirectory: None }), None),
    }
}

/// Returns true if the standard's rule (the wheel with the best tag, else the sdist) gives a choice's target its own file
/// from among the files of `all`.
fn picks_own_file(choice: &Choice<'_>, all: &[&Choice<'_>]) -> bool {
    let rank = |other: &Choice<'_>| other.wheel.as_ref().and_then(|wheel| choice.tags.rank(wheel));
    let others = all.iter().filter(|other| other.resolved.file != choice.resolved.file);
    if others.clone().next().is_none() {
        return true;
    }
    match rank(choice) {
        Some(own) => others.filter_map(|other| rank(other)).all(|other| own < other),
        None => others.clone().all(|other| other.wheel.is_some() && rank(other).is_none()),
    }
}

/// A class of sites: an entry, together with what makes it needed there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Class<'a> {
    /// A position.
    pub(super) entry: usize,
    /// What makes it needed; none if it is in any case.
    pub(super) reach: Option<&'a Reach>,
}

/// Writes the markers of a project's entries.
fn write_markers(
    name: &PackageName,
    entries: &mut [Entry],
    parts: &[Part<'_>],
    sites: &Sites,
) -> Result<(), MergeError> {
    let mut classes: Vec<Class<'_>> = Vec::new();
    let mut class_of_site: Vec<Option<Option<usize>>> = vec![None; sites.sites.len()];
    let mut first_target: Vec<usize> = vec![0; sites.sites.len()];
    for (position, part) in parts.iter().enumerate() {
        let class = part.resolution.packages.get(name).and_then(|resolved| {
            let entry = entries.iter().position(|entry| entry.targets.contains(&position))?;
            let class = Class { entry, reach: Some(&resolved.reach).filter(|reach| !reach.base) };
            Some(classes.iter().position(|known| *known == class).unwrap_or_else(|| {
                classes.push(class);
                classes.len() - 1
            }))
        });
        for site in &part.sites {
            let known = class_of_site[*site].get_or_insert(class);
            if *known != class {
                let one = parts[first_target[*site]].resolution.target.to_string();
                let other = part.resolution.target.to_string();
                return Err(MergeError::AlikeTargets { name: name.clone(), one, other });
            }
            first_target[*site] = position;
        }
    }
    let class_of_site: Vec<Option<usize>> = class_of_site.into_iter().map(Option::flatten).collect();
    let demand = Demand {
        sites,
        target: &parts[0].resolution.target,
        classes: &classes,
        class_of_site: &class_of_site,
        entries: entries.len(),
    };
    let too_large = || MergeError::MarkerTooLarge { name: name.clone() };
    let nodes = nodes(&demand).ok_or_else(too_large)?;
    for (entry, node) in entries.iter_mut().zip(nodes) {
        entry.marker = node.map(|node| readable(node).ok_or_else(too_large)).transpose()?;
    }
    Ok(())
}

/// Returns the marker of each entry, none for one that always holds; the outer none if one cannot be written.
fn nodes(demand: &Demand<'_>) -> Option<Vec<Option<Node>>> {
    let mut cases: Vec<Vec<Case>> = vec![Vec::new(); demand.entries];
    for (class, condition) in conditions(demand.sites, demand.class_of_site)? {
        cases[demand.classes[class].entry].push((class, condition));
    }
    // One test of the environment for all that needs an entry: no part of it can be left out.
    let is_least = |own: &Vec<Case>| matches!(&own[..], [(_, condition)] if condition.clauses() < 2);
    if cases.iter().all(is_least) {
        return cases.iter().map(|own| joined(own, demand.classes)).collect();
    }
    let own = |class: &Class<'_>| (class.entry, class.reach.cloned());
    let key = (demand.class_of_site.to_vec(), demand.classes.iter().map(own).collect());
    if let Some(known) = demand.sites.known_least.borrow().get(&key) {
        return known.clone();
    }
    let found = least(demand, &cases).map(|nodes| nodes.into_iter().map(Some).collect());
    demand.sites.known_least.borrow_mut().insert(key, found.clone());
    found
}

/// Returns the marker that holds in any of the cases; the inner none is the marker that always holds, the outer one a marker
/// that cannot be written.
pub(super) fn joined(cases: &[Case], classes: &[Class<'_>]) -> Option<Option<Node>> {
    let mut nodes = Vec::new();
    for (class, condition) in cases {
        match (condition, classes[*class].reach) {
            (Condition::Always, None) => return Some(None),
            (Condition::Always, Some(reach)) => nodes.push(reached(reach)?),
            (Condition::When(node), None) => nodes.push(node.clone()),
            (Condition::When(node), Some(reach)) => nodes.push(Node::all([node.clone(), reached(reach)?])?),
        }
    }
    Some(Some(Node::any(nodes)?))
}

/// Returns when a package is needed that is not needed in any case.
fn reached(reach: &Reach) -> Option<Node> {
    let extras = reach.extras.iter().map(|extra| Node::Extras(Membership::Is, extra.clone()));
    let groups = reach.groups.iter().map(|group| Node::Groups(Membership::Is, group.clone()));
    Node::any(extras.chain(groups))
}

/// Returns the marker, if it can be read again: bounds, and names that need no escape.
fn readable(node: Node) -> Option<LockMarker> {
    let marker = LockMarker::new(node);
    let read_back: LockMarker = marker.to_string().parse().ok()?;
    (read_back == marker).then_some(marker)
}
