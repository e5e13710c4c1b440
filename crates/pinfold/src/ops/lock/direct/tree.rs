//! A directory or a commit that is required: packed into one archive, whose digest the lock pins.
//!
//! A directory belongs to whoever locks, so it is locked as it is now. A repository belongs to others: the commit that an
//! earlier lock has is kept until its upgrade is asked for, and must still have the files that it had.

use pinfold_artifact::{Artifact, CommitId, GitRevision, GitUrl, LocalPath, SafeUrl};
use pinfold_lock::{Direct, Lock, LockedTree, Package, TreeIdentity, TreeSource, VcsSource};

use super::super::desk::Unsolved;
use super::super::source::MetadataFact;
use super::super::{Effect, Keep};
use super::{Context, DirectFile, Hands, Referred, SourceFile, built, check_build};
use crate::exit::{Exit, Failure};
use crate::ops::git::{Found, Git};
use crate::ops::sources;

/// Gets a directory.
pub(super) fn directory(
    context: &Context<'_>,
    referred: &Referred,
    (whole, url, path): (&LocalPath, &SafeUrl, LocalPath),
    hands: &mut Hands<'_, '_>,
) -> Result<(DirectFile, MetadataFact), Unsolved> {
    check_build(context, referred, "a directory")?;
    let direct = Direct::Directory { path, subdirectory: subdirectory_of(referred) };
    if let Some(artifact) = recorded(context, referred, url)? {
        let sources = SourceFile { artifact, stored: None, version: None, direct };
        return built(context, referred, sources, hands);
    }
    let packed = sources::directory(context.world, std::path::Path::new(whole.as_str()))?;
    let artifact = sources::artifact(url, &packed)?;
    let stored = sources::admit(&context.world.store()?, &artifact, packed)?;
    let sources = SourceFile { artifact, stored: Some(&stored), version: None, direct };
    built(context, referred, sources, hands)
}

/// Gets a commit of a repository.
pub(super) fn commit(
    context: &Context<'_>,
    referred: &Referred,
    (url, revision): (&GitUrl, Option<&GitRevision>),
    hands: &mut Hands<'_, '_>,
) -> Result<(DirectFile, MetadataFact), Unsolved> {
    check_build(context, referred, "a repository")?;
    let origin = url.origin_url().ok_or_else(|| Failure::new(Exit::Bug, format!("`{url}` has no origin")))?;
    let direct = |commit: CommitId| Direct::Git {
        url: url.clone(),
        // The commit says it all; the standard asks for a revision only where another was named.
        requested_revision: revision.filter(|revision| revision.commit().is_none()).cloned(),
        commit,
        subdirectory: subdirectory_of(referred),
    };
    if let Some(artifact) = recorded(context, referred, &origin)? {
        let known = context.recorded(referred)?.and_then(|known| known.commit.as_deref()).map(str::parse::<CommitId>);
        let commit = known.and_then(Result::ok).ok_or_else(|| {
            Failure::new(Exit::Input, "the recording has no commit of a repository").with("repository", url)
        })?;
        let sources = SourceFile { artifact, stored: None, version: None, direct: direct(commit) };
        return built(context, referred, sources, hands);
    }
    let former = Former::of(context, referred, url, revision);
    let id = choose(context, url, revision, former.as_ref())?;
    let same = former.filter(|former| former.commit == id);
    let store = context.world.store()?;
    let asks_again = context.request.effect == Effect::Compare || matches!(context.request.keep, Keep::Nothing);
    if let Some(before) = same.as_ref().filter(|_| !asks_again) {
        let artifact = before.artifact(&origin)?;
        if let Some(stored) = store.find(&artifact).map_err(Failure::from)? {
            let sources = SourceFile { artifact, stored: Some(&stored), version: None, direct: direct(id) };
            return built(context, referred, sources, hands);
        }
    }
    let (packed, submodules) = sources::commit(context.world, context.request.connectivity, url, &id)?;
    hands.warnings.extend(
        submodules
            .into_iter()
            .map(|path| format!("`{path}` of {url} is a submodule: another repository, whose files are not fetched")),
    );
    let artifact = sources::artifact(&origin, &packed)?;
    if let Some(before) = same.filter(|before| before.tree.sha256 != artifact.sha256) {
        return Err(forged(url, &id, &before.tree, &artifact).into());
    }
    let stored = sources::admit(&store, &artifact, packed)?;
    let sources = SourceFile { artifact, stored: Some(&stored), version: None, direct: direct(id) };
    built(context, referred, sources, hands)
}

fn subdirectory_of(referred: &Referred) -> Option<pinfold_artifact::ArchivePath> {
    referred.requested.reference.as_ref().and_then(|reference| reference.subdirectory.clone())
}

/// Returns what a recording has in place of the packed tree.
fn recorded(context: &Context<'_>, referred: &Referred, url: &SafeUrl) -> Result<Option<Artifact>, Failure> {
    let Some(known) = context.recorded(referred)? else { return Ok(None) };
    Ok(Some(Artifact {
        filename: known.filename.clone(),
        url: url.clone(),
        size_bytes: known.size,
        sha256: known.sha256,
        origin: pinfold_artifact::Origin::direct(url),
    }))
}

/// Decides which commit is locked.
fn choose(
    context: &Context<'_>,
    url: &GitUrl,
    revision: Option<&GitRevision>,
    former: Option<&Former>,
) -> Result<CommitId, Failure> {
    if let Some(commit) = revision.and_then(GitRevision::commit) {
        return Ok(commit);
    }
    let kept = former.filter(|former| former.keeps);
    if let (Some(kept), Effect::Write) = (kept, context.request.effect) {
        return Ok(kept.commit.clone());
    }
    sources::check_online(context.request.connectivity, url)?;
    let found = Git::new(context.world, url)?.find(revision)?;
    let name = revision.map_or("HEAD", GitRevision::as_str);
    match (kept, found) {
        (None, found) => Ok(found.commit()),
        (Some(kept), found) if found.clone().commit() == kept.commit => Ok(kept.commit.clone()),
        (Some(kept), Found::Tag(now)) => Err(Failure::refused(
            "tag-moved",
            format!("refused the tag `{name}` of {url}: it was moved since it was locked"),
        )
        .with("expected", format!("{} (the present lock)", kept.commit))
        .with("found", now)
        .help("a tag that names a release does not move: ask the project what happened before anyone locks it anew")),
        // A branch goes on, and the lock may stay behind; but what it names must have been on the branch. A forge hands out
        // the commits of every fork under the URL of the original.
        (Some(kept), Found::Branch(now)) if Git::new(context.world, url)?.has_in_history(&now, &kept.commit)? => {
            Ok(kept.commit.clone())
        }
        (Some(kept), Found::Branch(now) | Found::Commit(now)) => Err(Failure::refused(
            "foreign-commit",
            format!("refused commit {} of {url}", kept.commit),
        )
        .with("expected", format!("a commit in the history of `{name}`, which is {now}"))
        .with("found", "the commit of the present lock, which is in no such history")
        .help(
            "ask who changed the lock or rewrote the branch; what the branch is now is locked with `--upgrade-package`",
        )),
    }
}

/// What an earlier lock has of the same reference.
struct Former {
    commit: CommitId,
    tree: LockedTree,
    /// Whether the commit is kept, as versions are.
    keeps: bool,
}

impl Former {
    fn of(context: &Context<'_>, referred: &Referred, url: &GitUrl, revision: Option<&GitRevision>) -> Option<Self> {
        let name = &referred.requested.requirement.name;
        let lock = context.former?;
        let keeps = matches!(&context.request.keep, Keep::AllBut(moving) if !moving.contains(name));
        let mut packages = lock.packages.iter().filter(|package| package.name == *name);
        packages.find_map(|package| {
            let vcs = vcs_of(package)?;
            let requested = revision.filter(|revision| revision.commit().is_none()).map(GitRevision::as_str);
            let same = vcs.kind == VcsSource::GIT
                && vcs.url.as_deref() == Some(url.as_str())
                && (vcs.requested_revision.as_deref() == requested);
            let tree = tree_of(lock, package, &vcs.commit_id).filter(|_| same)?;
            Some(Self { commit: vcs.commit_id.parse().ok()?, tree: tree.clone(), keeps })
        })
    }

    fn artifact(&self, url: &SafeUrl) -> Result<Artifact, Failure> {
        let filename = "source.tar.gz".parse();
        Ok(Artifact {
            filename: filename.map_err(|e: pinfold_artifact::ArtifactFilenameError| Failure::of(Exit::Bug, &e))?,
            url: url.clone(),
            size_bytes: self.tree.size_bytes,
            sha256: self.tree.sha256,
            origin: pinfold_artifact::Origin::direct(url),
        })
    }
}

fn vcs_of(package: &Package) -> Option<&VcsSource> {
    match package.tree.as_ref()? {
        TreeSource::Vcs(vcs) => Some(vcs),
        TreeSource::Directory(_) => None,
    }
}

fn tree_of<'a>(lock: &'a Lock, package: &Package, commit: &str) -> Option<&'a LockedTree> {
    let identity = TreeIdentity::Commit(commit.to_owned());
    let mut trees = lock.tool.iter().flat_map(|tool| &tool.trees);
    trees.find(|tree| tree.name == package.name && tree.identity == identity)
}

fn forged(url: &GitUrl, commit: &CommitId, before: &LockedTree, now: &Artifact) -> Failure {
    Failure::refused("hash-mismatch", format!("refused commit {commit} of {url}"))
        .with("expected", format!("sha256:{} (the present lock)", before.sha256))
        .with("found", format!("sha256:{}", now.sha256))
        .help("one commit cannot have two contents: ask who runs the repository or changed the lock")
}
