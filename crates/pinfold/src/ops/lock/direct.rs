//! What is required by URL or path: had before anything is resolved, so that the resolver sees it as a page with one file.
//!
//! The bytes are read whole, hashed and stored before a byte of them is looked at; what they say about themselves becomes the
//! facts that an index would give. A file that an earlier lock has from the same URL with other bytes is refused: nobody but the
//! maintainer, by name, lets it change. What lies on the maintainer's own disk is an input like the manifest, and may change.

mod archive;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use pinfold_artifact::{Artifact, ArtifactFilename, LocalPath, Origin, SafeUrl};
use pinfold_build::Expected;
use pinfold_lock::{Direct, Lock, LockedFile, LockedTree, Resolution, TreeIdentity};
use pinfold_manifest::{Reference, ReferenceSource};
use pinfold_packaging::{
    CoreMetadata, DistributionFilename, MarkerTruth, PackageName, PageFile, ProjectState, ProjectStatus, SdistFilename,
    SdistFormat, SimplePage, Target, Version,
};
use pinfold_store::Stored;

use super::desk::{Desk, Unsolved};
use super::inputs::{Inputs, Referred, Role};
use super::recording::RecordedDirect;
use super::sdists::Sdists;
use super::source::{MetadataFact, missing};
use super::{LockRequest, Opened};
use crate::exit::{Exit, Failure};
use crate::world::World;

/// Everything that is required by URL or path, by the URL that stands for it.
#[derive(Debug, Default)]
pub(super) struct Directs {
    files: BTreeMap<SafeUrl, DirectFile>,
    /// What a maintainer should know although it is no obstacle.
    warnings: Vec<String>,
    /// The same for a recording, by what was written.
    recorded: BTreeMap<String, RecordedDirect>,
}

/// One file that is required by URL or path.
#[derive(Debug, Clone)]
pub(super) struct DirectFile {
    /// The file as the resolver sees it.
    pub(super) page_file: PageFile,
    /// The file as the lock has it.
    pub(super) locked: LockedFile,
    /// How it was asked for.
    pub(super) direct: Direct,
}

/// What getting them needs.
pub(super) struct Context<'a> {
    /// What was asked of the command.
    pub(super) request: &'a LockRequest<'a>,
    /// What the lock is made of.
    pub(super) inputs: &'a Inputs,
    /// The earlier lock.
    pub(super) former: Option<&'a Lock>,
    /// Where facts come from.
    pub(super) opened: &'a Opened,
    /// The surroundings.
    pub(super) world: &'a World,
}

/// Who builds, and with whom.
struct Hands<'d, 's> {
    desk: &'d mut Desk,
    sdists: &'d mut Sdists<'s>,
    warnings: &'d mut Vec<String>,
}

impl Context<'_> {
    /// Returns what a recording has of a reference; none where there is no recording.
    fn recorded(&self, referred: &Referred) -> Result<Option<&RecordedDirect>, Failure> {
        let Some(recording) = self.opened.recorded() else { return Ok(None) };
        let name = recorded_name(referred);
        recording.direct.get(&name).map(Some).ok_or_else(|| missing(&name))
    }
}

impl Directs {
    /// Returns how a file of a page is locked that is there because somebody requires it by URL or path.
    pub(super) fn of(&self, file: &PageFile) -> Option<&DirectFile> {
        // Mostly there are none, and to make a URL of every file costs something.
        if self.files.is_empty() { None } else { self.files.get(&file.url.to_safe_url()) }
    }

    /// Returns what a maintainer should know although it is no obstacle.
    pub(super) fn warnings(&self) -> Vec<String> {
        self.warnings.clone()
    }

    /// Returns the digests of the source trees among what was resolved.
    pub(super) fn trees(resolutions: &[Resolution]) -> Vec<LockedTree> {
        let packages = resolutions.iter().flat_map(|resolution| &resolution.packages);
        let trees = packages.filter_map(|(name, resolved)| {
            let identity = match resolved.direct.as_ref()? {
                Direct::Archive { .. } => return None,
                Direct::Directory { path, .. } => TreeIdentity::Path(path.to_string()),
                Direct::Git { commit, .. } => TreeIdentity::Commit(commit.to_string()),
            };
            Some(LockedTree {
                name: name.clone(),
                version: resolved.version.clone(),
                identity,
                sha256: resolved.file.sha256,
                size_bytes: resolved.file.size_bytes,
            })
        });
        trees.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Returns what a recording keeps.
    pub(super) const fn recorded(&self) -> &BTreeMap<String, RecordedDirect> {
        &self.recorded
    }

    /// Gets everything that one of the targets asks for, and puts it on the desk.
    ///
    /// # Errors
    /// Exit 2 if two references of one name contradict each other or one names nothing; exit 3 if bytes are not the expected
    /// ones; exit 4 if the world failed.
    pub(super) fn gather(context: &Context<'_>, desk: &mut Desk, sdists: &mut Sdists<'_>) -> Result<Self, Unsolved> {
        let mut directs = Self::default();
        for (name, wanted) in wanted(context.inputs)? {
            let mut warnings = Vec::new();
            let mut hands = Hands { desk: &mut *desk, sdists: &mut *sdists, warnings: &mut warnings };
            match directs.gather_one(context, &wanted, &mut hands) {
                Ok(()) => directs.warnings.extend(warnings),
                // What only narrows matters only if somebody asks for the project.
                Err(Unsolved::Failed(failure) | Unsolved::Refused(failure))
                    if only_narrows(context.inputs, &name, &wanted) =>
                {
                    desk.put_aside(&name, failure);
                }
                Err(unsolved) => return Err(unsolved),
            }
        }
        Ok(directs)
    }

    /// Gets what one name refers to on the targets.
    fn gather_one(
        &mut self,
        context: &Context<'_>,
        wanted: &[&Referred],
        hands: &mut Hands<'_, '_>,
    ) -> Result<(), Unsolved> {
        let mut files = Vec::new();
        let mut hosts = BTreeSet::new();
        for referred in wanted {
            let (file, fact) = get(context, referred, hands)?;
            self.recorded.insert(recorded_name(referred), recorded(&file));
            hosts.extend(file.locked.url.file_host());
            files.push((file.page_file.clone(), fact));
            self.files.insert(referred.key.clone(), file);
        }
        let (origin, name) = match wanted {
            [only] => (Origin::direct(&only.key), &only.requested.requirement.name),
            [first, ..] => (Origin::new(&first.key, hosts), &first.requested.requirement.name),
            [] => return Ok(()),
        };
        hands.desk.seed(name, origin, page(files.iter().map(|(file, _)| file.clone()).collect()), files);
        Ok(())
    }
}

/// Returns true if only constraints refer to the name, and no requirement of the maintainer names it.
fn only_narrows(inputs: &Inputs, name: &PackageName, wanted: &[&Referred]) -> bool {
    wanted.iter().all(|referred| referred.role == Role::Constraint)
        && !inputs.roots.iter().any(|root| root.requirement.name == *name)
}

fn page(files: Vec<PageFile>) -> SimplePage {
    let status = ProjectStatus { state: ProjectState::Active, reason: None };
    SimplePage { files, status, last_serial: None, skipped: Vec::new() }
}

/// Returns, per name, the different references that are active on some target, after checking that no target has two.
fn wanted(inputs: &Inputs) -> Result<BTreeMap<PackageName, Vec<&Referred>>, Failure> {
    let mut wanted: BTreeMap<PackageName, Vec<&Referred>> = BTreeMap::new();
    for target in &inputs.targets {
        let mut here: BTreeMap<&PackageName, &Referred> = BTreeMap::new();
        for referred in inputs.references.iter().filter(|referred| is_active(inputs, referred, target)) {
            let name = &referred.requested.requirement.name;
            let first = *here.entry(name).or_insert(referred);
            if !agree(first, referred) {
                return Err(contradiction(name, first, referred));
            }
            let all = wanted.entry(name.clone()).or_default();
            if !all.iter().any(|known| known.key == referred.key) {
                all.push(referred);
            }
        }
        check_elsewhere(inputs, target, &here)?;
    }
    Ok(wanted)
}

/// Returns true if the reference counts on the target: its marker holds there on some machine, its project is not excluded, and
/// no override says otherwise.
fn is_active(inputs: &Inputs, referred: &Referred, target: &Target) -> bool {
    let environment = target.marker_environment();
    let holds =
        |marker: &pinfold_packaging::Marker| marker.evaluate(&environment, &BTreeSet::new()) != MarkerTruth::False;
    let requirement = &referred.requested.requirement;
    let replaced = inputs.overrides.iter().any(|one| one.name == requirement.name && holds(&one.marker));
    holds(&requirement.marker)
        && !inputs.manifest.exclude.contains(&requirement.name)
        && (referred.role == Role::Override || !replaced)
}

fn agree(first: &Referred, second: &Referred) -> bool {
    let digests = |referred: &Referred| referred.requested.reference.as_ref().and_then(|reference| reference.sha256);
    let same_digest = match (digests(first), digests(second)) {
        (Some(one), Some(other)) => one == other,
        _ => true,
    };
    first.key == second.key && same_digest
}

fn contradiction(name: &PackageName, first: &Referred, second: &Referred) -> Failure {
    Failure::new(Exit::Input, format!("`{name}` is required from two places"))
        .with("one", format!("{} ({})", first.requested, first.written))
        .with("other", format!("{} ({})", second.requested, second.written))
        .help("a project has one source on each target: take one away, or give the two markers that exclude each other")
}

/// A project that comes from a URL on one target cannot come from an index on another: its name would belong to both.
fn check_elsewhere(inputs: &Inputs, target: &Target, here: &BTreeMap<&PackageName, &Referred>) -> Result<(), Failure> {
    let environment = target.marker_environment();
    for root in inputs.roots.iter().filter(|root| root.requirement.url.is_none()) {
        let name = &root.requirement.name;
        let named = |referred: &&Referred| referred.requested.requirement.name == *name;
        let (Some(elsewhere), None) = (inputs.references.iter().find(named), here.get(name)) else { continue };
        let asked = root.requirement.marker.evaluate(&environment, &BTreeSet::new()) != MarkerTruth::False;
        let replaced = inputs.overrides.iter().any(|one| one.name == *name);
        if asked && !replaced && !inputs.manifest.exclude.contains(name) {
            return Err(two_origins(name, target, elsewhere).with("asked for by", &root.written));
        }
    }
    Ok(())
}

/// Says that a name would belong to a URL and to an index.
pub(super) fn two_origins(name: &PackageName, target: &Target, elsewhere: &Referred) -> Failure {
    Failure::new(
        Exit::Input,
        format!("`{name}` would come from an index on {target}, and from elsewhere on other targets"),
    )
    .with("elsewhere", format!("{} ({})", elsewhere.requested, elsewhere.written))
    .help("a name belongs to one origin: give the requirement by URL for this target too")
}

/// Adds to a failure for which nothing was found on a target that the index was not asked, because other targets have a URL.
pub(super) fn hint_elsewhere(inputs: &Inputs, target: &Target, mut failure: Failure) -> Failure {
    let is_here = |name: &PackageName| {
        inputs.references.iter().any(|one| one.requested.requirement.name == *name && is_active(inputs, one, target))
    };
    let elsewhere = inputs.references.iter().find(|one| {
        let name = &one.requested.requirement.name;
        let told = format!("`{name}`");
        failure.details.iter().any(|(_, sentence)| sentence.contains(&told)) && !is_here(name)
    });
    if let Some(one) = elsewhere {
        let name = &one.requested.requirement.name;
        let hint = format!(
            "other targets get `{name}` from elsewhere ({}, {}), so no index is asked for it: give the requirement by URL for \
             {target} too",
            one.requested, one.written
        );
        failure.help = Some(failure.help.map_or(hint.clone(), |help| format!("{hint}\n{help}")));
    }
    failure
}

/// Checks that no target got a file that is required by URL on other targets only.
pub(super) fn check_solutions(
    inputs: &Inputs,
    directs: &Directs,
    solutions: &[pinfold_resolve::Solution],
) -> Result<(), Failure> {
    for solution in solutions {
        for (name, chosen) in &solution.packages {
            let Some(_) = directs.of(&chosen.file) else { continue };
            let here = |referred: &&Referred| {
                referred.requested.requirement.name == *name && is_active(inputs, referred, &solution.target)
            };
            let anywhere = |referred: &&Referred| referred.requested.requirement.name == *name;
            if let (None, Some(elsewhere)) =
                (inputs.references.iter().find(here), inputs.references.iter().find(anywhere))
            {
                return Err(two_origins(name, &solution.target, elsewhere));
            }
        }
    }
    Ok(())
}

fn get(
    context: &Context<'_>,
    referred: &Referred,
    hands: &mut Hands<'_, '_>,
) -> Result<(DirectFile, MetadataFact), Unsolved> {
    let Some(reference) = &referred.requested.reference else {
        return Err(Failure::new(Exit::Bug, "a reference without one").into());
    };
    let found = match &reference.source {
        ReferenceSource::Git { url, revision } => tree::commit(context, referred, (url, revision.as_ref()), hands),
        ReferenceSource::Path(path) => local(context, referred, path, hands),
        ReferenceSource::Url(url) => archive::get(context, referred, (url, None), hands),
    };
    let told = |failure: Failure| failure.with("required by", format!("{} ({})", referred.requested, referred.written));
    found.map_err(|unsolved| match unsolved {
        Unsolved::Failed(failure) => Unsolved::Failed(told(failure)),
        Unsolved::Refused(failure) => Unsolved::Refused(told(failure)),
        no_solution @ Unsolved::NoSolution(..) => no_solution,
    })
}

/// Gets a file or directory of this machine.
fn local(
    context: &Context<'_>,
    referred: &Referred,
    path: &LocalPath,
    hands: &mut Hands<'_, '_>,
) -> Result<(DirectFile, MetadataFact), Unsolved> {
    let whole = context.inputs.base.join(path).map_err(|error| Failure::of(Exit::Input, &error))?;
    let url = whole.to_file_url().ok_or_else(|| Failure::new(Exit::Bug, format!("`{whole}` has no URL")))?;
    let is_directory = match context.recorded(referred)? {
        Some(recorded) => recorded.directory,
        None => match std::fs::metadata(whole.as_str()) {
            Ok(place) => place.is_dir(),
            Err(error) => {
                let failure = Failure::new(Exit::Input, format!("cannot find `{path}`")).with("cause", error);
                return Err(context.inputs.pointed_at(referred, failure).into());
            }
        },
    };
    let path = written_path(context, path, &whole)?;
    if is_directory {
        return tree::directory(context, referred, (&whole, &url, path), hands);
    }
    archive::get(context, referred, (&url, Some(path)), hands)
}

/// Returns the path as the lock has it: relative to the lock, unless it was written absolute.
fn written_path(context: &Context<'_>, path: &LocalPath, whole: &LocalPath) -> Result<LocalPath, Failure> {
    if path.is_absolute() {
        return Ok(path.clone());
    }
    let directory = context.request.output.parent().unwrap_or(Path::new("."));
    whole.seen_from(&absolute(directory)?).map_err(|error| Failure::of(Exit::Input, &error))
}

/// Sources, and the name under which the lock has them.
struct SourceFile<'a> {
    /// The archive of the sources, as it is in the store.
    artifact: Artifact,
    /// The archive itself; none if a recording tells of it.
    stored: Option<&'a Stored>,
    /// The version that their name tells.
    version: Option<Version>,
    /// How they were asked for.
    direct: Direct,
}

/// Builds sources to learn what they need.
fn built(
    context: &Context<'_>,
    referred: &Referred,
    sources: SourceFile<'_>,
    hands: &mut Hands<'_, '_>,
) -> Result<(DirectFile, MetadataFact), Unsolved> {
    let SourceFile { artifact, stored, version, direct } = sources;
    let name = &referred.requested.requirement.name;
    let expected = Expected { name: name.clone(), version, metadata: None };
    let recorded = context.recorded(referred)?.map(|recorded| &recorded.filename);
    let stored = stored.map(|stored| (stored, direct.subdirectory()));
    let learned = hands.sdists.learn(hands.desk, expected, stored, recorded)?;
    let distribution = DistributionFilename::Sdist(SdistFilename {
        name: name.clone(),
        version: learned.version,
        format: SdistFormat::TarGz,
    });
    let mut page_file = page_file(&referred.key, learned.filename.clone(), distribution, &artifact);
    let fact = MetadataFact::new(learned.headers.into_bytes(), &page_file)?;
    let fact = MetadataFact { sha256: learned.metadata_sha256, ..fact };
    page_file.requires_python = fact.metadata.requires_python.clone();
    let mut locked = locked(&artifact);
    if !matches!(direct, Direct::Archive { .. }) {
        locked.filename = learned.filename;
    }
    Ok((DirectFile { page_file, locked, direct }, fact))
}

/// A requirement by URL is no permission to build: the maintainer gives that by name.
fn check_build(context: &Context<'_>, referred: &Referred, what: &str) -> Result<(), Failure> {
    let name = &referred.requested.requirement.name;
    if context.inputs.manifest.build.allows(name) {
        return Ok(());
    }
    Err(Failure::new(Exit::No, format!("`{name}` is {what}, and `build` does not name it"))
        .help(format!("if its build may run, in a sandbox, write `build = [\"{name}\"]` into the manifest")))
}

fn page_file(
    key: &SafeUrl,
    filename: ArtifactFilename,
    distribution: DistributionFilename,
    artifact: &Artifact,
) -> PageFile {
    PageFile {
        filename,
        distribution,
        url: key.clone().into(),
        size_bytes: Some(artifact.size_bytes),
        sha256: Some(artifact.sha256),
        upload_time: None,
        requires_python: None,
        broken_python: None,
        yanked: None,
        core_metadata: CoreMetadata::Absent,
    }
}

fn locked(artifact: &Artifact) -> LockedFile {
    LockedFile {
        filename: artifact.filename.clone(),
        url: artifact.url.clone(),
        size_bytes: artifact.size_bytes,
        sha256: artifact.sha256,
        upload_time: None,
    }
}

/// Returns the name under which a recording keeps a reference.
fn recorded_name(referred: &Referred) -> String {
    let name = &referred.requested.requirement.name;
    referred.requested.reference.as_ref().map_or_else(|| name.to_string(), |reference| format!("{name} @ {reference}"))
}

fn recorded(file: &DirectFile) -> RecordedDirect {
    let commit = match &file.direct {
        Direct::Git { commit, .. } => Some(commit.to_string()),
        Direct::Archive { .. } | Direct::Directory { .. } => None,
    };
    RecordedDirect {
        filename: file.page_file.filename.clone(),
        size: file.locked.size_bytes,
        sha256: file.locked.sha256,
        directory: matches!(file.direct, Direct::Directory { .. }),
        commit,
    }
}

/// Returns the URL that stands for a reference in questions and answers: two references have one only if they mean the same.
///
/// # Errors
/// Exit 2 if there is none.
pub(super) fn key(reference: &Reference, base: &LocalPath) -> Result<SafeUrl, Failure> {
    let none = |what: &str| Failure::new(Exit::Input, format!("`{what}` cannot be written as a URL"));
    let (url, revision) = match &reference.source {
        ReferenceSource::Git { url, revision } => {
            let origin = url.origin_url().ok_or_else(|| none(url.as_str()))?;
            (origin, Some(revision.as_ref().map_or("HEAD", |revision| revision.as_str())))
        }
        ReferenceSource::Path(path) => {
            let whole = base.join(path).map_err(|error| Failure::of(Exit::Input, &error))?;
            (whole.to_file_url().ok_or_else(|| none(path.as_str()))?, None)
        }
        ReferenceSource::Url(url) => (url.clone(), None),
    };
    let mut marked = url.as_url().clone();
    if let Some(revision) = revision {
        marked.query_pairs_mut().append_pair("git", revision);
    }
    if let Some(subdirectory) = &reference.subdirectory {
        marked.query_pairs_mut().append_pair("subdirectory", subdirectory.as_str());
    }
    SafeUrl::try_from(marked).map_err(|error| Failure::of(Exit::Input, &error))
}

/// Returns a directory as an absolute path in the spelling of manifests and locks.
///
/// # Errors
/// Exit 2 if it is not UTF-8 or has a name that no lock may have.
pub(crate) fn absolute(directory: &Path) -> Result<LocalPath, Failure> {
    let shown = || Failure::new(Exit::Input, format!("the path `{}` cannot be used", directory.display()));
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let whole = std::path::absolute(directory).map_err(|error| shown().with("cause", error))?;
    let text = whole.to_str().ok_or_else(|| shown().with("cause", "it is not UTF-8"))?;
    text.parse().map_err(|error: pinfold_artifact::LocalPathError| shown().with("cause", error))
}
