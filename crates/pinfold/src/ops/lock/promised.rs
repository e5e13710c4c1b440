//! What an sdist promises about the wheels that are built from it (PEP 643), read without running anything.
//!
//! PKG-INFO binds the wheels if its format is 2.2 or later and it calls none of `Requires-Dist`, `Requires-Python` and
//! `Provides-Extra` dynamic. Then a resolution can take it for METADATA, and a version that is only looked at is never built.
//! What is locked is built all the same, because the lock has the digest of what the build gives; the promise is held against
//! it there. The sdist is fetched into the store, so nothing of it is read before its digest matched.

use std::sync::Arc;

use bytes::Bytes;
use pinfold_artifact::{Artifact, Origin, Sha256};
use pinfold_fetch::Fetcher;
use pinfold_packaging::{Metadata, PageFile, Requirement};
use pinfold_store::{Store, Stored};
use sha2::Digest;

use super::direct::Directs;
use super::pages::Reach;
use super::pin::Pinner;
use super::recording::headers_of;
use super::source::{MetadataFact, digest_tag};
use crate::exit::Failure;
use crate::world::World;

/// The form under which a promise is remembered: the digest that the page gave the sdist, or zeros; the digest of PKG-INFO; the
/// headers on which a resolution can depend, none if the sdist promises nothing.
const PROMISE_KIND: &str = "promise-1";

/// What is known of the promise of an sdist.
pub(super) enum Promise {
    /// PKG-INFO binds the wheels.
    Given(Box<MetadataFact>),
    /// Only a build can tell. These requirements are likely, by what the sdist was made with and what its build needs; nothing
    /// follows from them but that it is worth asking for them early.
    None(Vec<Requirement>),
}

/// Returns what is remembered of the promise of an sdist.
///
/// # Errors
/// Exit 4 if the cache cannot be read.
pub(super) fn remembered(
    fetcher: &Fetcher,
    file: &PageFile,
    origin: &Origin,
    reach: Reach,
) -> Result<Option<Promise>, Failure> {
    let url = file.url.to_safe_url();
    let kept = match reach {
        Reach::Disk => fetcher.recall(PROMISE_KIND, origin, &url)?,
        Reach::Pack => fetcher.recall_packed(PROMISE_KIND, origin, &url),
    };
    let kept = kept.as_deref().and_then(|kept| kept.strip_prefix(&digest_tag(file)[..]));
    let Some((sha256, headers)) = kept.and_then(|kept| kept.split_first_chunk()) else { return Ok(None) };
    if headers.is_empty() {
        return Ok(Some(Promise::None(Vec::new())));
    }
    let fact = MetadataFact::of_headers(Bytes::copy_from_slice(headers), Sha256::from_bytes(*sha256), file)?;
    Ok(Some(Promise::Given(Box::new(fact))))
}

/// Fetches an sdist and returns what it promises.
///
/// # Errors
/// Exit 4 if it cannot be had, exit 3 if its bytes are not those of its page or the archive is hostile.
pub(super) fn fetched(
    world: &World,
    fetcher: &Fetcher,
    file: &Arc<PageFile>,
    origin: &Origin,
) -> Result<Promise, Failure> {
    if let Some(promise) = remembered(fetcher, file, origin, Reach::Disk)? {
        return Ok(promise);
    }
    let none = Directs::default();
    let stored = stored(fetcher, &world.store()?, &mut Pinner::new(Some(fetcher), None, &none), file, origin)?;
    let claims = pinfold_build::claims(&stored).map_err(|error| {
        Failure::from(error).with("file", &file.filename).with("from", file.url.to_safe_url().without_query())
    })?;
    let binding = claims.pkg_info.as_ref().and_then(|bytes| Some((bytes, binding(bytes)?)));
    let (sha256, headers) = match &binding {
        Some((bytes, said)) => (Sha256::from_bytes(sha2::Sha256::digest(bytes).into()), headers_of(bytes, said)),
        None => (Sha256::from_bytes([0; 32]), String::new()),
    };
    let kept = [&digest_tag(file)[..], sha256.as_bytes(), headers.as_bytes()].concat();
    fetcher.remember(PROMISE_KIND, origin, &file.url.to_safe_url(), kept.into())?;
    match binding {
        Some((bytes, _)) => Ok(Promise::Given(Box::new(MetadataFact::new(bytes.clone(), file)?))),
        None => {
            // The lock pins what the build needs too. What is wrong with it is told by the build.
            let tools = pinfold_build::requirements(&stored, None).map(|system| system.requires).unwrap_or_default();
            Ok(Promise::None([claims.likely_requirements(), tools].concat()))
        }
    }
}

/// Gets an sdist of an index into the store.
///
/// # Errors
/// Exit 4 if it cannot be had, exit 3 if its bytes or its host are not those of its page.
pub(super) fn stored(
    fetcher: &Fetcher,
    store: &Store,
    pinner: &mut Pinner<'_>,
    file: &Arc<PageFile>,
    origin: &Origin,
) -> Result<Stored, Failure> {
    let file = pinner.file(file, origin)?;
    let artifact = Artifact {
        filename: file.filename,
        url: file.url,
        size_bytes: file.size_bytes,
        sha256: file.sha256,
        origin: origin.clone(),
    };
    Ok(fetcher.download(&artifact, store, &|_| {})?)
}

/// Reads PKG-INFO; nothing if it does not bind the wheels. One that cannot be read binds nobody: a build says what it means.
fn binding(pkg_info: &[u8]) -> Option<Metadata> {
    Metadata::parse(pkg_info).ok().filter(Metadata::is_static)
}

/// Holds what a build gave against what the sdist promised.
///
/// # Errors
/// Exit 3 if they differ, exit 4 if the sdist cannot be read.
pub(super) fn hold(sdist: &Stored, built: &Metadata, what: &str) -> Result<(), Failure> {
    let Some(promised) = pinfold_build::claims(sdist)?.pkg_info.as_deref().and_then(binding) else { return Ok(()) };
    let Some(broken) = promised.contradicted_by(built) else { return Ok(()) };
    let listed = |values: &[String]| if values.is_empty() { "nothing".to_owned() } else { values.join(", ") };
    Err(Failure::refused("broken-promise", format!("refused the build of {what}: it is not what its PKG-INFO promises"))
        .with("field", broken.field)
        .with("expected", format!("{} (PKG-INFO, which says that it is not dynamic)", listed(&broken.promised)))
        .with("found", format!("{} (METADATA of the build)", listed(&broken.built)))
        .help("the sdist contradicts itself, so what it needs was not what anybody could review; pin another version, and tell its maintainers"))
}
