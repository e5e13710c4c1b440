//! A file that is required by URL or path: pinned, and read only then.

use pinfold_artifact::{Artifact, ArtifactFilename, Limits, LocalPath, Origin, SafeUrl, Sha256};
use pinfold_fetch::{FetchCause, FetchError};
use pinfold_lock::{Direct, Lock, LockedFile};
use pinfold_packaging::{DistributionFilename, PackageName, PageFile, SdistFilename, WheelFilename};
use pinfold_store::{Store, Stored};
use pinfold_unpack::read_wheel;

use super::super::desk::Unsolved;
use super::super::source::{MetadataFact, missing};
use super::super::{Effect, Keep};
use super::{Context, DirectFile, Hands, Referred, SourceFile, built, check_build, locked, page_file};
use crate::exit::{Exit, Failure};

/// Gets a file by its URL. One that is named by its path has both.
pub(super) fn get(
    context: &Context<'_>,
    referred: &Referred,
    (url, path): (&SafeUrl, Option<LocalPath>),
    hands: &mut Hands<'_, '_>,
) -> Result<(DirectFile, MetadataFact), Unsolved> {
    let segment = url.last_segment().unwrap_or_default();
    let filename: ArtifactFilename = segment.parse().map_err(|error: pinfold_artifact::ArtifactFilenameError| {
        Failure::of(Exit::Input, &error).help("the URL must end in the name of a wheel or sdist")
    })?;
    let name = &referred.requested.requirement.name;
    let subdirectory = referred.requested.reference.as_ref().and_then(|reference| reference.subdirectory.clone());
    let wheel = wheel_name(&filename, name)?;
    match &wheel {
        Some(_) if subdirectory.is_some() => {
            return Err(Failure::new(Exit::Input, format!("`{filename}` is a wheel, which has no subdirectory")).into());
        }
        Some(_) => {}
        None => check_build(context, referred, "an sdist")?,
    }
    let store = context.world.store()?;
    let Pinned { artifact, stored } = pin(context, referred, &filename, url, &store)?;
    let direct = Direct::Archive { path, subdirectory };
    let Some(wheel) = wheel else {
        // A file of a forge is often named for a tag only; then the build tells the version.
        let version = SdistFilename::parse(&filename, name).ok().map(|sdist| sdist.version);
        let sources = SourceFile { artifact, stored: stored.as_ref(), version, direct };
        return built(context, referred, sources, hands);
    };
    let mut page_file = page_file(&referred.key, filename, DistributionFilename::Wheel(wheel.clone()), &artifact);
    let fact = match &stored {
        Some(stored) => MetadataFact::new(wheel_metadata(stored, &wheel, url)?, &page_file)?,
        None => recorded_fact(context, &page_file)?,
    };
    let fact = fact.checked(name, &wheel.version, &page_file)?;
    page_file.requires_python = fact.metadata.requires_python.clone();
    Ok((DirectFile { page_file, locked: locked(&artifact), direct }, fact))
}

/// Reads METADATA out of a stored wheel.
fn wheel_metadata(stored: &Stored, wheel: &WheelFilename, url: &SafeUrl) -> Result<Vec<u8>, Failure> {
    let contents = read_wheel(&mut stored.open()?, wheel.name.as_str(), &wheel.version.to_string());
    let contents = contents.map_err(|error| {
        let failure = Failure { code: error.refusal_code().map(str::to_owned), ..Failure::of(Exit::Refused, &error) };
        failure.with("file", wheel).with("from", url).help("do not lock this file; tell the project's maintainers")
    })?;
    Ok(contents.metadata)
}

/// Returns what a recording has of the METADATA of a wheel.
fn recorded_fact(context: &Context<'_>, file: &PageFile) -> Result<MetadataFact, Failure> {
    let recorded = context.opened.recorded().and_then(|recording| recording.metadata.get(&file.filename));
    let recorded = recorded.ok_or_else(|| missing(file.filename.as_str()))?;
    let fact = MetadataFact::new(recorded.headers.clone().into_bytes(), file)?;
    Ok(MetadataFact { sha256: recorded.sha256, ..fact })
}

/// Returns what the name of a wheel says; none for an sdist.
fn wheel_name(filename: &ArtifactFilename, name: &PackageName) -> Result<Option<WheelFilename>, Failure> {
    if [".tar.gz", ".zip"].iter().any(|ending| filename.as_str().ends_with(ending)) {
        return Ok(None);
    }
    if !filename.as_str().ends_with(".whl") {
        return Err(Failure::new(Exit::Input, format!("`{filename}` is neither a wheel nor an sdist"))
            .help("a file that is required by URL ends in .whl, .tar.gz or .zip"));
    }
    let wheel = WheelFilename::parse(filename).map_err(|error| Failure::of(Exit::Input, &error))?;
    if wheel.name != *name {
        return Err(Failure::new(Exit::Input, format!("`{filename}` is no wheel of `{name}`"))
            .help(format!("write `{} @ …`, or the URL of the other wheel", wheel.name)));
    }
    Ok(Some(wheel))
}

/// A file with its size and digest.
struct Pinned {
    artifact: Artifact,
    /// The file in the store; none if a recording tells of it.
    stored: Option<Stored>,
}

/// Reads a file whole, holds it against what is expected of it, and stores it.
fn pin(
    context: &Context<'_>,
    referred: &Referred,
    filename: &ArtifactFilename,
    url: &SafeUrl,
    store: &Store,
) -> Result<Pinned, Failure> {
    let name = &referred.requested.requirement.name;
    let expected = referred.requested.reference.as_ref().and_then(|reference| reference.sha256);
    let origin = Origin::direct(url);
    let moves = matches!(&context.request.keep, Keep::AllBut(moving) if moving.contains(name));
    let accepted = context.request.decisions.replaced.contains(filename);
    let before = former_file(context.former, name, url).filter(|_| !accepted);
    let artifact = |size_bytes, sha256| Artifact {
        filename: filename.clone(),
        url: url.without_fragment(),
        size_bytes,
        sha256,
        origin: origin.clone(),
    };
    let asks_again =
        context.request.effect == Effect::Compare || matches!(context.request.keep, Keep::Nothing) || moves;
    if let Some(known) = context.recorded(referred)? {
        let artifact = artifact(known.size, known.sha256);
        return Ok(Pinned { artifact, stored: None });
    }
    if let Some(before) = before.filter(|_| !asks_again && url.scheme() != "file") {
        let artifact = artifact(before.size_bytes, before.sha256);
        if let Some(stored) = store.find(&artifact)?.filter(|_| expected.is_none_or(|one| one == artifact.sha256)) {
            return Ok(Pinned { artifact, stored: Some(stored) });
        }
    }
    let Some(fetcher) = &context.opened.fetcher else {
        return Err(missing(url.as_str()));
    };
    let (size_bytes, found, mut bytes) =
        fetcher.digest(&origin, url, Limits::UNKNOWN_SIZE_BYTES).map_err(|error| fetch_failure(error, referred))?;
    let mismatch = |code, expected: &Sha256, of: &str, help: &str| {
        Failure::refused(code, format!("refused `{filename}`"))
            .with("from", url)
            .with("expected", format!("sha256:{expected} ({of})"))
            .with("found", format!("sha256:{found}"))
            .help(help)
    };
    if let Some(expected) = expected.filter(|expected| *expected != found) {
        let help = "the bytes are not those that the requirement names; find out who changed them";
        return Err(mismatch("hash-mismatch", &expected, "the requirement", help));
    }
    if let Some(before) = before.filter(|before| before.sha256 != found && url.scheme() != "file") {
        let help = format!(
            "the URL serves other bytes than when it was locked: ask who changed them; if they are what you want, lock with \
             `--accept-replaced {filename}`"
        );
        return Err(mismatch("file-replaced", &before.sha256, "the present lock", &help));
    }
    let artifact = artifact(size_bytes, found);
    let stored = store.admit(&artifact, &mut bytes)?;
    Ok(Pinned { artifact, stored: Some(stored) })
}

/// Returns what an earlier lock has of the file at this URL.
fn former_file<'a>(former: Option<&'a Lock>, name: &PackageName, url: &SafeUrl) -> Option<&'a LockedFile> {
    let packages = former.into_iter().flat_map(|lock| &lock.packages).filter(|package| package.name == *name);
    let mut files = packages.filter_map(|package| package.archive.as_ref()).map(|archive| &archive.file);
    files.find(|file| file.url == url.without_fragment())
}

/// A file that is required by URL has no index whose hosts could be listed, and that could offer another one.
fn fetch_failure(error: FetchError, referred: &Referred) -> Failure {
    let fixed = |help: &str| Some(help.to_owned());
    let help = match &error.cause {
        FetchCause::Status { status: 404 | 410 } => {
            Some(format!("there is no such file: check the URL in {}, or ask who serves it", referred.written))
        }
        FetchCause::RedirectForeign(_) => fixed("write the URL that it redirects to, if you trust that host"),
        FetchCause::Unauthorized { .. } => fixed("give the login of the host in netrc"),
        FetchCause::RedirectInsecure { .. } | FetchCause::TooLarge { .. } => fixed("tell who runs the server"),
        FetchCause::File { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            Some(format!("there is no such file: check the URL in {}", referred.written))
        }
        _ => None,
    };
    let failure = Failure::from(error);
    match help {
        Some(help) => failure.help(help),
        None => failure,
    }
}
