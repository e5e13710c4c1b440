//! An index that went back: what is locked is held against what the index says now.
//!
//! A released file never changes and a release does not vanish, so whoever locked a file may expect to find it again: under its
//! name, with its digest, its size and its upload time. Where that is not so, somebody restored an old state of the index,
//! replaced a file, or answers in its place; locking on would quietly take what is offered instead. The verdict depends on the
//! former lock and on the index, and on nothing that this machine remembers. Files that the present targets and cutoff rule out
//! are not looked for: they are not what the lock is about any more.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use pinfold_artifact::{ArtifactFilename, Origin, SafeUrl, Sha256};
use pinfold_fetch::Fetcher;
use pinfold_lock::{Lock, LockedFile, Package};
use pinfold_manifest::UploadTime;
use pinfold_packaging::{
    CoreMetadata, DistributionFilename, PackageName, PageFile, Releases, SkippedFile, Target, Version,
};
use pinfold_resolve::{Question, Solution};

use super::Effect;
use super::desk::{Desk, Unsolved};
use super::pages::Relevance;
use super::source::{Answer, Source};
use crate::exit::Failure;

/// What the maintainer decided about an index that went back. Nothing, unless it was said.
#[derive(Debug, Clone, Default)]
pub struct Decisions {
    /// Locked files whose new bytes, digest or upload time are taken.
    pub replaced: BTreeSet<ArtifactFilename>,
    /// Whether the index may have less than it had.
    pub rollback: Rollback,
}

impl Decisions {
    /// Returns true if anything was decided.
    pub(super) fn any(&self) -> bool {
        !self.replaced.is_empty() || self.rollback == Rollback::Allowed
    }
}

/// Whether an index may have less than it had.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Rollback {
    /// It may.
    Allowed,
    /// It may not.
    #[default]
    Refused,
}

/// Holds what is locked against the index. Returns what the maintainer decided to go on with, for the output.
///
/// Where there are solutions, the projects that they have are looked at; where there is none, all that are locked.
///
/// # Errors
/// Exit 3 if the index went back.
pub(super) fn look(
    former: Option<&Lock>,
    targets: &[Target],
    cutoff: Option<Timestamp>,
    solved: &Result<Vec<Solution>, Unsolved>,
    decisions: &Decisions,
    desk: &mut Desk,
) -> Result<Vec<String>, Failure> {
    let (Some(former), Ok(_) | Err(Unsolved::NoSolution(..))) = (former, solved) else { return Ok(Vec::new()) };
    let solutions = solved.as_deref().ok();
    let relevance = match desk.source() {
        // A recording is of the past on purpose.
        Source::Replay { .. } => return Ok(Vec::new()),
        Source::Live { relevance: Some(relevance), .. } => Arc::clone(relevance),
        Source::Live { relevance: None, .. } => Arc::new(Relevance::new(targets, cutoff)),
    };
    let timeless = OnceCell::new();
    let mut found: Vec<Finding> = Vec::new();
    for locked in locked_files(former, solutions) {
        let index = desk.source().indexes().of(locked.project)?;
        let rule = match index.upload_time {
            UploadTime::FirstSeen => timeless.get_or_init(|| Arc::new(Relevance::new(targets, None))),
            UploadTime::Told => &relevance,
        };
        if !locked.page_file().is_some_and(|file| rule.keeps(&file)) {
            continue;
        }
        if index.url.as_directory() != locked.index.as_directory() {
            // The maintainer gave the name to another index.
            continue;
        }
        let page_url = index.page_url(locked.project)?;
        let page = match desk.page(locked.project) {
            Ok(page) => page,
            // Without a solution it does not matter what could not be had.
            Err(_) if solutions.is_none() => continue,
            Err(failure) => return Err(failure),
        };
        if found.iter().any(|finding| finding.file.filename == locked.file.filename) {
            continue;
        }
        let change = match locked.held_against((former, targets), page.as_deref().map(|page| page.releases())) {
            Some(_) => locked.held_against((former, targets), whole_page(desk, locked.project)?.as_ref()),
            None => locked.metadata_held_against(former, desk),
        };
        found.extend(change.map(|change| Finding { file: locked.file.clone(), page: page_url, change }));
    }
    let (taken, refused): (Vec<Finding>, Vec<Finding>) =
        found.into_iter().partition(|finding| finding.is_decided(decisions));
    if let Some((first, others)) = refused.split_first() {
        return Err(first.failure(others));
    }
    let idle =
        decisions.replaced.iter().filter(|filename| taken.iter().all(|finding| finding.file.filename != **filename));
    let idle = idle.map(|filename| {
        format!("`{filename}` is as it was when it was locked, or is not locked: nothing was replaced")
    });
    Ok(taken.iter().map(|finding| format!("taken by the maintainer's decision: {finding}")).chain(idle).collect())
}

/// What is made of a page with a lower serial number than one that this machine has seen, or with none any more. The numbers are no part of a lock:
/// they grow with releases that it has nothing to do with. So they are held against what this machine remembers, and a check,
/// whose verdict depends on the lock and the index alone, does without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Serials {
    /// It is refused.
    Held,
    /// Nothing; but whoever locks next does not find it as the known one.
    Ignored,
    /// It is what later ones are held against.
    Taken,
}

impl Serials {
    /// Returns what this run makes of serial numbers.
    pub(super) fn of(effect: Effect, decisions: &Decisions) -> Self {
        match (effect, decisions.rollback) {
            (Effect::Compare, _) => Self::Ignored,
            (Effect::Write, Rollback::Allowed) => Self::Taken,
            (Effect::Write, Rollback::Refused) => Self::Held,
        }
    }

    /// Holds the serial number of a page against the highest that was seen, and remembers it. Returns false for a page that is
    /// older and yet looked at: whoever locks must not find it as the one that is known.
    ///
    /// # Errors
    /// Exit 3 if it is lower or gone, exit 4 if the cache cannot be used.
    pub(super) fn hold(
        self,
        fetcher: &Fetcher,
        origin: &Origin,
        url: &SafeUrl,
        serial: Option<u64>,
    ) -> Result<bool, Failure> {
        let kept = fetcher.recall(SERIAL_KIND, origin, url)?;
        let highest = kept.and_then(|kept| kept.first_chunk::<8>().copied()).map(u64::from_le_bytes);
        // None is lower than every number: whoever replays an old page could strip it.
        match highest {
            _ if self == Self::Ignored => return Ok(serial >= highest),
            _ if serial == highest => return Ok(true),
            Some(highest) if self == Self::Held && serial < Some(highest) => {
                return Err(older(url, highest, serial));
            }
            _ => {}
        }
        // Nothing is what stands for no number, once that was decided.
        let bytes = serial.map_or_else(Vec::new, |serial| serial.to_le_bytes().to_vec());
        fetcher.remember(SERIAL_KIND, origin, url, bytes.into())?;
        Ok(true)
    }
}

fn older(url: &SafeUrl, highest: u64, serial: Option<u64>) -> Failure {
    let (what, found) = match serial {
        Some(serial) => {
            ("it is older than one that this machine has seen".to_owned(), format!("serial number {serial}"))
        }
        None => (
            format!("it had serial number {highest} when this machine last saw it, and has none now"),
            "no serial number".to_owned(),
        ),
    };
    Failure::refused("index-rollback", format!("refused the page {url}: {what}"))
        .with("expected", format!("serial number {highest} or higher"))
        .with("found", found)
        .help(
            "a mirror may lag behind: try again later, and ask who runs the index; if it was put back for a good reason, the \
             maintainer's decision to go on is `pinfold lock --allow-index-rollback`",
        )
}

/// The form under which the highest serial number of a page is remembered.
const SERIAL_KIND: &str = "serial-1";

/// Reads the page with nothing left out: what is remembered of one leaves out what came after the cutoff.
fn whole_page(desk: &Desk, project: &PackageName) -> Result<Option<Releases>, Failure> {
    let whole = desk.source().unfiltered();
    let source = whole.as_ref().unwrap_or(desk.source());
    match source.answer(&Question::Page(project.clone()))? {
        Answer::Page(page) => Ok(page.map(|(_, releases)| releases)),
        Answer::Metadata(_) | Answer::NeedsBuild(_) => Ok(None),
    }
}

/// A file of the former lock.
struct Locked<'a> {
    project: &'a PackageName,
    version: &'a Version,
    index: &'a SafeUrl,
    file: &'a LockedFile,
    /// The entry that has it; none for what a build needs.
    package: Option<&'a Package>,
}

/// Returns the locked files that are still needed.
fn locked_files<'a>(former: &'a Lock, solutions: Option<&'a [Solution]>) -> impl Iterator<Item = Locked<'a>> {
    let is_needed = move |name: &PackageName| {
        solutions.is_none_or(|all| all.iter().any(|solution| solution.packages.contains_key(name)))
    };
    let packages = former.packages.iter().filter(move |package| is_needed(&package.name)).flat_map(|package| {
        let known = package.version.as_ref().zip(package.index.as_ref());
        let files = package.wheels.iter().chain(&package.sdist);
        files.filter_map(move |file| {
            let locked =
                |(version, index)| Locked { project: &package.name, version, index, file, package: Some(package) };
            known.map(locked)
        })
    });
    let tools = former.tool.iter().flat_map(|tool| &tool.builds).filter(move |_| solutions.is_some());
    let tools = tools.filter(move |recipe| is_needed_sdist(solutions, recipe));
    let tools = tools.flat_map(|recipe| &recipe.requires).map(|tool| Locked {
        project: &tool.name,
        version: &tool.version,
        index: &tool.index,
        file: &tool.file,
        package: None,
    });
    packages.chain(tools)
}

fn is_needed_sdist(solutions: Option<&[Solution]>, recipe: &pinfold_lock::BuildRecipe) -> bool {
    let chosen = solutions.into_iter().flatten().filter_map(|solution| solution.packages.get(&recipe.name));
    chosen.into_iter().any(|chosen| chosen.is_sdist() && chosen.version == recipe.version)
}

impl Locked<'_> {
    /// Returns the file as the page would have it that it was locked from.
    fn page_file(&self) -> Option<PageFile> {
        Some(PageFile {
            filename: self.file.filename.clone(),
            distribution: DistributionFilename::parse(&self.file.filename, self.project).ok()?,
            url: self.file.url.clone().into(),
            size_bytes: Some(self.file.size_bytes),
            sha256: Some(self.file.sha256),
            upload_time: self.file.upload_time,
            requires_python: None,
            broken_python: None,
            yanked: None,
            core_metadata: CoreMetadata::Absent,
        })
    }

    fn held_against(&self, (former, targets): (&Lock, &[Target]), page: Option<&Releases>) -> Option<Change> {
        let files = page.and_then(|page| Some(page.files(page.position(self.version)?))).unwrap_or_default();
        let Some(now) = files.iter().find(|file| file.filename == self.file.filename) else {
            let is_it =
                |skipped: &SkippedFile| skipped.missed.is_some() && skipped.filename == self.file.filename.as_str();
            let is_listed = page.is_some_and(|page| page.skipped().iter().any(is_it));
            return Some(Change::Gone { expected: self.file.sha256, is_listed });
        };
        // Another tool's lock does not say whose digests it has, and may round times.
        let is_ours = former.tool.is_some();
        let is_computed = former.tool.as_ref().is_none_or(|tool| tool.computed.contains(&self.file.filename));
        let expected = self.file.sha256;
        match now.sha256 {
            Some(found) if found != expected => return Some(Change::Digest { expected, found }),
            None if !is_computed => return Some(Change::DigestWithdrawn { expected }),
            _ => {}
        }
        if let Some(found) = now.size_bytes.filter(|found| *found != self.file.size_bytes) {
            return Some(Change::Size { expected: self.file.size_bytes, found });
        }
        match self.file.upload_time {
            Some(expected) if is_ours && now.upload_time != Some(expected) => {
                Some(Change::UploadTime { expected, found: now.upload_time })
            }
            _ => self.shut_out(former, targets, now),
        }
    }

    /// Finds a target that gets the file by the lock, and whose Python the page rules out now. The file itself says for which
    /// Pythons it is, and has not changed.
    fn shut_out(&self, former: &Lock, targets: &[Target], now: &PageFile) -> Option<Change> {
        let (package, accepted) = (self.package?, now.requires_python.as_ref()?);
        let locked = former.targets();
        let mut shut = targets.iter().filter(|target| locked.contains(target) && !accepted.meet(&target.python_span()));
        let target = shut.find(|target| {
            let applies = former.applies_on(package, (*target).clone()).is_some();
            applies && package.file_for(&target.tags()) == Some(self.file)
        })?;
        Some(Change::RequiresPython { target: target.to_string(), found: accepted.to_string() })
    }

    /// Holds the METADATA that the resolution read of a wheel against what was locked: it is a part of the wheel, which is the same.
    fn metadata_held_against(&self, former: &Lock, desk: &Desk) -> Option<Change> {
        let expected = *former.tool.as_ref()?.metadata.get(&self.file.filename)?;
        // Of an sdist the lock has what its build gave.
        let is_wheel = self.file.filename.as_str().ends_with(".whl");
        let found = desk.metadata().get(&self.file.filename)?.sha256;
        (is_wheel && found != expected).then_some(Change::Metadata { expected, found })
    }
}

/// What the index says otherwise than the lock.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Change {
    Digest {
        expected: Sha256,
        found: Sha256,
    },
    DigestWithdrawn {
        expected: Sha256,
    },
    /// Listed, perhaps, but so that it cannot be read.
    Gone {
        expected: Sha256,
        is_listed: bool,
    },
    /// Offered beside a wheel that is the same.
    Metadata {
        expected: Sha256,
        found: Sha256,
    },
    /// A target that has it by the lock must not have it any more.
    RequiresPython {
        target: String,
        found: String,
    },
    Size {
        expected: u64,
        found: u64,
    },
    UploadTime {
        expected: Timestamp,
        found: Option<Timestamp>,
    },
}

/// A locked file of which the index says something else.
struct Finding {
    file: LockedFile,
    page: SafeUrl,
    change: Change,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (expected, found) = self.change.sides();
        write!(f, "`{}` {}: {expected} is locked, {found} is on {}", self.file.filename, self.change.what(), self.page)
    }
}

impl Finding {
    fn is_decided(&self, decisions: &Decisions) -> bool {
        match self.change {
            Change::Gone { .. } => decisions.rollback == Rollback::Allowed,
            _ => decisions.replaced.contains(&self.file.filename),
        }
    }

    fn failure(&self, others: &[Self]) -> Failure {
        let (expected, found) = self.change.sides();
        let mut failure = Failure::refused(
            self.change.code(),
            format!("refused `{}`: it {}", self.file.filename, self.change.what()),
        )
        .with("from", self.file.url.without_query())
        .with("page", &self.page)
        .with("expected", format!("{expected} (the present lock)"))
        .with("found", found);
        for other in others.iter().take(SHOWN) {
            failure = failure.with("also", other);
        }
        if others.len() > SHOWN {
            failure = failure.with("also", format!("{} more", others.len() - SHOWN));
        }
        failure.help(match self.change {
            Change::Gone { .. } => {
                "ask who runs the index, and the project, why it is gone; if it was withdrawn for a good reason, the \
                 maintainer's decision to move on is `pinfold lock --allow-index-rollback`"
                    .to_owned()
            }
            _ => format!(
                "a released file never changes; ask the project what happened before anyone installs it; only if the answer \
                 is convincing, the maintainer's decision to take it is `pinfold lock --accept-replaced {}`",
                self.file.filename
            ),
        })
    }
}

impl Change {
    const fn code(&self) -> &'static str {
        match self {
            Self::Digest { .. } | Self::Size { .. } => "file-replaced",
            Self::DigestWithdrawn { .. } => "hash-withdrawn",
            Self::Gone { .. } => "index-rollback",
            Self::Metadata { .. } => "metadata-hash-mismatch",
            Self::RequiresPython { .. } => "requires-python-changed",
            Self::UploadTime { .. } => "upload-time-changed",
        }
    }

    const fn what(&self) -> &'static str {
        match self {
            Self::Digest { .. } | Self::Size { .. } => "was replaced since it was locked",
            Self::DigestWithdrawn { .. } => "had a digest on its page when it was locked, and has none now",
            Self::Gone { is_listed: true, .. } => "is locked, and what the index says of it cannot be read any more",
            Self::Gone { .. } => "is locked, and the index does not have it any more",
            Self::Metadata { .. } => "is the same file, and the METADATA beside it is another than when it was locked",
            Self::RequiresPython { .. } => {
                "is the same file, and is for other versions of Python than when it was locked"
            }
            Self::UploadTime { .. } => "has another upload time than when it was locked",
        }
    }

    fn sides(&self) -> (String, String) {
        match self {
            Self::Digest { expected, found } => (format!("sha256:{expected}"), format!("sha256:{found}")),
            Self::DigestWithdrawn { expected } => (format!("sha256:{expected}"), "no sha256".to_owned()),
            Self::Gone { expected, is_listed } => {
                let found = if *is_listed { "an entry that cannot be read" } else { "no such file" };
                (format!("sha256:{expected}"), found.to_owned())
            }
            Self::Metadata { expected, found } => {
                (format!("METADATA sha256:{expected}"), format!("METADATA sha256:{found}"))
            }
            Self::RequiresPython { target, found } => {
                (format!("a file for {target}"), format!("requires-python `{found}`"))
            }
            Self::Size { expected, found } => (format!("{expected} bytes"), format!("{found} bytes")),
            Self::UploadTime { expected, found } => {
                (expected.to_string(), found.map_or_else(|| "no upload time".to_owned(), |found| found.to_string()))
            }
        }
    }
}

/// How many further findings a refusal names.
const SHOWN: usize = 20;
