//! `pinfold outdated`: what there is that is newer than the lock, and how much of it the manifest would let in.
//!
//! Two questions. What an upgrade would give is answered by locking again, without writing anything. What is newest at all is
//! answered by the pages of the lock's own indexes: no other index is asked, whatever the manifest or pip say by now.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use pinfold_artifact::SafeUrl;
use pinfold_fetch::{Connectivity, Fetcher, Freshness, PageReply};
use pinfold_lock::{Lock, LockedIndex, Package, Tool};
use pinfold_manifest::{IndexLocation, Manifest, ManifestError};
use pinfold_packaging::{DistributionFilename, PackageName, PageFile, Prerelease, SimplePage, Tags, Target, Version};

use super::hands::each;
use super::lock::pages::read as read_page;
use super::lock::{Answers, Decisions, Effect, Keep, LockRequest, Rollback, lock, logins};
use super::read_lock;
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::world::World;

/// What was asked for.
#[derive(Debug)]
pub struct OutdatedRequest<'a> {
    /// The lock.
    pub lock: &'a Path,
    /// Whether sockets may be opened.
    pub connectivity: Connectivity,
    /// The interpreter for builds that locking again may need.
    pub python: Option<&'a Path>,
}

/// What there is.
#[derive(Debug)]
pub struct Outdated {
    /// Every package of an index.
    pub packages: Vec<Newest>,
    /// Why it is not known what the manifest would let in, if it is not.
    pub allowed_unknown: Option<String>,
    /// What was odd.
    pub warnings: Vec<String>,
}

/// What there is of one package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newest {
    /// The package.
    pub name: PackageName,
    /// Its locked versions.
    pub locked: BTreeSet<Version>,
    /// The newest version that an upgrade would give; none if that is not known, or the upgrade would not have it.
    pub allowed: Option<Version>,
    /// The newest version on its index that its targets can use, and when the last of its files was uploaded.
    pub latest: Option<(Version, Option<Timestamp>)>,
    /// Whether that version does not exist for the lock because of `exclude-newer`.
    pub after_cutoff: bool,
    /// The newest version that is newer still and that the targets cannot use, and why: a final one, else a pre-release.
    pub beyond: Option<(Version, String)>,
}

impl Newest {
    /// Returns true if there is anything newer than what is locked.
    pub fn is_outdated(&self) -> bool {
        let newest = self.locked.last();
        let newer = |version: &Version| newest.is_some_and(|newest| version > newest);
        self.allowed.as_ref().is_some_and(newer) || self.latest.as_ref().is_some_and(|(version, _)| newer(version))
    }
}

/// Looks for what is newer than a lock.
///
/// # Errors
/// Exit 2 if the lock cannot be read or names no index, exit 3 for a refusal, exit 4 if the world failed.
pub fn outdated(request: &OutdatedRequest<'_>, world: &World, output: &Output) -> Result<Outdated, Failure> {
    let read = read_lock(request.lock)?;
    let Some(tool) = read.lock.tool.as_ref().filter(|_| read.lock.validate().is_ok()) else {
        read.lock.validate()?;
        return Err(Failure::new(Exit::Input, "the lock does not name its indexes, so nobody can be asked")
            .help("it was not made by pinfold; lock again with `pinfold lock`"));
    };
    let fetcher = world.fetcher(request.connectivity, logins(&read.lock, request.connectivity)?)?;
    let mut projects: BTreeMap<&PackageName, Vec<&Package>> = BTreeMap::new();
    for package in read.lock.packages.iter().filter(|package| package.index.is_some()) {
        projects.entry(&package.name).or_default().push(package);
    }
    let spinner = output.spinner("asking");
    let mut packages = all_latest(&read.lock, tool, &projects, &fetcher)?;
    let (allowed, allowed_unknown) = match allowed(request, tool, world, output) {
        Ok(versions) => (versions, None),
        Err(Unknown::Because(reason)) => (BTreeMap::new(), Some(reason)),
        Err(Unknown::Failed(failure)) => return Err(*failure),
    };
    spinner.finish_and_clear();
    for package in &mut packages {
        package.allowed = allowed.get(&package.name).cloned();
    }
    Ok(Outdated { packages, allowed_unknown, warnings: read.warnings })
}

/// Asks for every page, several at a time.
fn all_latest(
    lock: &Lock,
    tool: &Tool,
    projects: &BTreeMap<&PackageName, Vec<&Package>>,
    fetcher: &Fetcher,
) -> Result<Vec<Newest>, Failure> {
    let projects: Vec<(&&PackageName, &Vec<&Package>)> = projects.iter().collect();
    let found = each(&projects, WORKERS, |(name, entries)| latest(lock, tool, name, entries, fetcher));
    let mut packages = found.into_iter().collect::<Result<Vec<_>, _>>()?;
    packages.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(packages)
}

/// Threads that wait for pages.
const WORKERS: usize = 16;

fn latest(
    lock: &Lock,
    tool: &Tool,
    name: &PackageName,
    entries: &[&Package],
    fetcher: &Fetcher,
) -> Result<Newest, Failure> {
    let locked: BTreeSet<Version> = entries.iter().filter_map(|package| package.version.clone()).collect();
    let indexes: BTreeSet<&SafeUrl> = entries.iter().filter_map(|package| package.index.as_ref()).collect();
    let targets: Vec<Target> =
        entries.iter().flat_map(|package| lock.applies(package)).map(|applies| applies.target).collect();
    let may_build = tool.builds.iter().any(|build| build.name == *name);
    let early = match tool.prerelease {
        Prerelease::Allow => true,
        Prerelease::Explicit | Prerelease::IfNecessary => locked.iter().any(Version::is_prerelease),
        Prerelease::Never => false,
    };
    let usable = Usable { tags: targets.iter().map(|target| (target, target.tags())).collect(), may_build, early };
    let mut best: Option<(Version, Option<Timestamp>)> = None;
    let mut files: Vec<PageFile> = Vec::new();
    for index in indexes.into_iter().filter_map(|url| tool.index(url)) {
        let Some(page) = page(index, name, fetcher)? else { continue };
        let newest = usable.newest(&page.files);
        best = best.max(newest);
        files.extend(page.files);
    }
    let known = best.as_ref().map(|(version, _)| version).into_iter().chain(&locked).max();
    let beyond = usable.beyond(&files, known);
    let cutoff = tool.exclude_newer;
    let after_cutoff = best
        .as_ref()
        .zip(cutoff)
        .is_some_and(|((_, uploaded), cutoff)| uploaded.is_none_or(|uploaded| uploaded > cutoff));
    Ok(Newest { name: name.clone(), locked, allowed: None, latest: best, after_cutoff, beyond })
}

/// Which files the targets of a package can use.
struct Usable<'a> {
    tags: Vec<(&'a Target, Arc<Tags>)>,
    may_build: bool,
    early: bool,
}

impl Usable<'_> {
    /// Returns the newest version of which every target can use a file, and when the last of these was uploaded.
    fn newest(&self, files: &[PageFile]) -> Option<(Version, Option<Timestamp>)> {
        let mut versions: BTreeMap<&Version, Vec<&PageFile>> = BTreeMap::new();
        for file in files.iter().filter(|file| file.yanked.is_none()) {
            versions.entry(file.distribution.version()).or_default().push(file);
        }
        let candidates = versions.into_iter().rev().filter(|(version, _)| self.early || !version.is_prerelease());
        for (version, files) in candidates {
            let serves = |(target, tags): &(&Target, Arc<Tags>)| {
                let fitting = files.iter().filter(|file| self.fits(file, target, tags));
                fitting.map(|file| file.upload_time).min()
            };
            let served: Option<Vec<Option<Timestamp>>> = self.tags.iter().map(serves).collect();
            if let Some(times) = served {
                return Some((version.clone(), times.into_iter().max().flatten()));
            }
        }
        None
    }

    /// Returns the newest version above `known`, and why the targets cannot use it.
    fn beyond(&self, files: &[PageFile], known: Option<&Version>) -> Option<(Version, String)> {
        let newer = |file: &&PageFile| known.is_none_or(|known| file.distribution.version() > known);
        let versions: BTreeSet<&Version> = files.iter().filter(newer).map(|file| file.distribution.version()).collect();
        let is_final = |version: &&&Version| !version.is_prerelease();
        let version = *versions.iter().rev().find(is_final).or_else(|| versions.last())?;
        let own: Vec<&PageFile> = files.iter().filter(|file| file.distribution.version() == version).collect();
        Some((version.clone(), self.obstacle(version, &own)?))
    }

    /// Returns why no file of a version can be used, by the first target that cannot.
    fn obstacle(&self, version: &Version, files: &[&PageFile]) -> Option<String> {
        let present: Vec<&&PageFile> = files.iter().filter(|file| file.yanked.is_none()).collect();
        if present.is_empty() {
            let reason = files.iter().find_map(|file| file.yanked.as_deref()).filter(|reason| !reason.is_empty());
            return Some(format!("it is yanked{}", reason.map(|reason| format!(": {reason}")).unwrap_or_default()));
        }
        if version.is_prerelease() && !self.early {
            return Some("it is a pre-release".to_owned());
        }
        self.tags.iter().find_map(|(target, tags)| {
            let of_kind = || present.iter().filter(|file| self.is_of_kind(file, tags));
            if of_kind().any(|file| accepts_python(file, target)) {
                return None;
            }
            Some(match of_kind().find_map(|file| file.requires_python.as_ref()) {
                Some(python) => format!("for {target} it needs Python {python}"),
                None if present.iter().any(|file| matches!(file.distribution, DistributionFilename::Sdist(_))) => {
                    format!("for {target} it exists as source only, and the lock builds none of it")
                }
                None => format!("it has no file for {target}"),
            })
        })
    }

    fn fits(&self, file: &PageFile, target: &Target, tags: &Tags) -> bool {
        self.is_of_kind(file, tags) && accepts_python(file, target)
    }

    fn is_of_kind(&self, file: &PageFile, tags: &Tags) -> bool {
        match &file.distribution {
            DistributionFilename::Sdist(_) => self.may_build,
            DistributionFilename::Wheel(wheel) => tags.rank(wheel).is_some(),
        }
    }
}

/// Returns true if a file accepts the first or a late release of the target's Python.
fn accepts_python(file: &PageFile, target: &Target) -> bool {
    let python = target.python();
    let (first, late) = (target.python_span().at_least, [python.major().into(), python.minor().into(), 99]);
    let accepts = |specifiers: &pinfold_packaging::Specifiers| {
        specifiers.contains(&first) || specifiers.contains(&Version::from_release(late))
    };
    file.requires_python.as_ref().is_none_or(accepts)
}

/// Returns the page of a project from its index.
fn page(index: &LockedIndex, name: &PackageName, fetcher: &Fetcher) -> Result<Option<SimplePage>, Failure> {
    let url = index.url.as_directory().join(&format!("{name}/")).map_err(|e| Failure::of(Exit::Input, &e))?;
    let PageReply::Found(served) = fetcher.page(&index.origin(), &url, Freshness::Revalidate)? else { return Ok(None) };
    read_page(&served, name, None).map(Some)
}

/// Why it is not known what an upgrade would give.
enum Unknown {
    /// For a reason that is no failure of this question.
    Because(String),
    /// The question failed.
    Failed(Box<Failure>),
}

/// Returns the newest version of each package that an upgrade would give: by locking again, without writing it.
fn allowed(
    request: &OutdatedRequest<'_>,
    tool: &Tool,
    world: &World,
    output: &Output,
) -> Result<BTreeMap<PackageName, Version>, Unknown> {
    let index_url = index_to_ask(tool)?;
    let again = LockRequest {
        requirements: &[],
        index_url: index_url.as_ref().map(SafeUrl::as_str),
        targets: &[],
        python_versions: &[],
        exclude_newer: None,
        keep: Keep::Nothing,
        effect: Effect::Compare,
        answers: Answers::Live,
        connectivity: request.connectivity,
        python: request.python,
        output: request.lock,
        decisions: Decisions { replaced: BTreeSet::new(), rollback: Rollback::Refused },
    };
    let locked = lock(&again, world, output).map_err(|failure| {
        let offline = failure.exit == Exit::World && request.connectivity == Connectivity::Offline;
        if failure.exit == Exit::No || offline {
            return Unknown::Because(failure.headline);
        }
        Unknown::Failed(Box::new(failure))
    })?;
    let mut newest: BTreeMap<PackageName, Version> = BTreeMap::new();
    for package in locked.lock.packages {
        let Some(version) = package.version else { continue };
        let known = newest.entry(package.name).or_insert_with(|| version.clone());
        *known = version.max(known.clone());
    }
    Ok(newest)
}

/// Returns the URL that stands for the manifest's one index `from = "pip"`, if it has that: pip is not asked, the lock has its
/// answer. Of a manifest that names other indexes than the lock has, nothing is asked.
fn index_to_ask(tool: &Tool) -> Result<Option<SafeUrl>, Unknown> {
    let because = |reason: &str| Unknown::Because(reason.to_owned());
    let manifest = manifest()?.ok_or_else(|| because("there is no manifest here"))?;
    let known: BTreeSet<SafeUrl> = tool.indexes.iter().map(|index| index.url.as_directory()).collect();
    if let ([entry], [locked]) = (&manifest.indexes[..], &tool.indexes[..])
        && entry.location == IndexLocation::Pip
        && entry.name == locked.name
    {
        return Ok(Some(locked.url.clone()));
    }
    for entry in &manifest.indexes {
        match &entry.location {
            IndexLocation::Pip => return Err(because("the manifest takes one of several indexes from pip")),
            IndexLocation::Url(url) if !known.contains(&url.as_directory()) => {
                return Err(Unknown::Because(format!(
                    "the manifest names the index {url}, which the lock does not have"
                )));
            }
            IndexLocation::Url(_) => {}
        }
    }
    Ok(None)
}

fn manifest() -> Result<Option<Manifest>, Unknown> {
    let failed = |failure: Failure| Unknown::Failed(Box::new(failure));
    for (name, parse) in [
        ("pinfold.toml", Manifest::parse_toml as fn(&str, &str) -> _),
        ("pyproject.toml", Manifest::parse_pyproject as fn(&str, &str) -> _),
    ] {
        if Path::new(name).exists() {
            let text = super::read_manifest(name).map_err(failed)?;
            let manifest: Result<Manifest, ManifestError> = parse(&text, name);
            return manifest.map(Some).map_err(|e| failed(e.into()));
        }
    }
    Ok(None)
}
