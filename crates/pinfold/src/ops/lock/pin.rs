//! From what was chosen to what is locked: every file with its URL, size, digest and origin.
//!
//! Where an index tells a file's size and digest, they are taken; where it tells no digest, the whole file is read once and both are
//! computed; where it tells a digest and no size, as a page in HTML does, the server is asked for the size. A file that an earlier lock knew under the same name with other bytes is refused: a released file never changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use pinfold_artifact::{ArtifactFilename, FileHost, Limits, Origin, SafeUrl, Sha256};
use pinfold_fetch::{FetchCause, FetchError, Fetcher, Span};
use pinfold_lock::{ArtifactKind, Lock, LockedFile, Reach, Resolution, Resolved};
use pinfold_packaging::{PackageName, PageFile};
use pinfold_resolve::{Chosen, RootReason, Solution};

use super::direct::Directs;
use super::first_seen::FirstSeen;
use crate::exit::{Exit, Failure};

/// Turns choices into pinned files, and remembers which hosts serve them.
pub(super) struct Pinner<'a> {
    /// What is required by URL or path; it is pinned already.
    directs: &'a Directs,
    fetcher: Option<&'a Fetcher>,
    /// Per file name, what the earlier lock says of it, and of which index it was.
    before: BTreeMap<ArtifactFilename, (Sha256, Option<SafeUrl>)>,
    computed: BTreeMap<SafeUrl, (u64, Sha256)>,
    /// What was pinned, by the file's name.
    pinned: BTreeMap<ArtifactFilename, ((Arc<PageFile>, Origin), LockedFile)>,
    /// Per index, the hosts of its locked files.
    pub(super) hosts: BTreeMap<SafeUrl, BTreeSet<FileHost>>,
    /// Files whose digest is not the index's word.
    pub(super) unsaid: BTreeSet<ArtifactFilename>,
    first_seen: Option<Arc<FirstSeen>>,
    /// Files whose upload time is not the index's word, and when they were first seen.
    pub(super) seen: BTreeMap<ArtifactFilename, Timestamp>,
}

impl<'a> Pinner<'a> {
    /// Makes a pinner that knows the digests of an earlier lock. Without a fetcher, nothing can be computed.
    pub(super) fn new(fetcher: Option<&'a Fetcher>, previous: Option<&Lock>, directs: &'a Directs) -> Self {
        let packages = previous.into_iter().flat_map(|lock| &lock.packages);
        let files = packages.flat_map(|package| package.files().map(|file| (file, package.index.clone())));
        let before = files.map(|(file, index)| (file.filename.clone(), (file.sha256, index))).collect();
        Self {
            directs,
            fetcher,
            before,
            computed: BTreeMap::new(),
            pinned: BTreeMap::new(),
            hosts: BTreeMap::new(),
            unsaid: BTreeSet::new(),
            first_seen: None,
            seen: BTreeMap::new(),
        }
    }

    /// Tells moments apart that are not the index's word.
    pub(super) fn tell_apart(&mut self, first_seen: Option<&Arc<FirstSeen>>) {
        self.first_seen = first_seen.cloned();
    }

    /// Takes the index's word for these files, whatever the earlier lock says of them.
    pub(super) fn take_replaced(&mut self, filenames: &BTreeSet<ArtifactFilename>) {
        self.before.retain(|filename, _| !filenames.contains(filename));
    }

    /// Pins everything that each target gets.
    ///
    /// # Errors
    /// Exit 3 for a replaced file or a foreign host, exit 4 if a file whose digest must be computed cannot be read.
    pub(super) fn resolutions(&mut self, solutions: &[Solution]) -> Result<Vec<Resolution>, Failure> {
        // Most projects are the same on most targets.
        let mut known: BTreeMap<&PackageName, (&Chosen, Arc<Resolved>)> = BTreeMap::new();
        let mut resolutions = Vec::with_capacity(solutions.len());
        for solution in solutions {
            let mut packages = BTreeMap::new();
            for (name, chosen) in &solution.packages {
                let resolved = match known.get(name) {
                    Some((same, resolved)) if *same == chosen => Arc::clone(resolved),
                    _ => Arc::new(self.resolved(chosen)?),
                };
                known.insert(name, (chosen, Arc::clone(&resolved)));
                packages.insert(name.clone(), resolved);
            }
            resolutions.push(Resolution { target: solution.target.clone(), packages });
        }
        Ok(resolutions)
    }

    fn resolved(&mut self, chosen: &Chosen) -> Result<Resolved, Failure> {
        let direct = self.directs.of(&chosen.file).map(|file| file.direct.clone());
        Ok(Resolved {
            version: chosen.version.clone(),
            file: self.file(&chosen.file, &chosen.origin)?,
            kind: if chosen.is_sdist() { ArtifactKind::Sdist } else { ArtifactKind::Wheel },
            index: Some(chosen.origin.index().clone()).filter(|_| direct.is_none()),
            direct,
            dependencies: chosen.dependencies.clone(),
            reach: reach(&chosen.reasons),
            requires_python: chosen.requires_python.clone(),
        })
    }

    /// Returns true if the file is required by URL or path.
    pub(super) fn is_direct(&self, file: &PageFile) -> bool {
        self.directs.of(file).is_some()
    }

    /// Pins one file.
    ///
    /// # Errors
    /// As [`Pinner::resolutions`].
    pub(super) fn file(&mut self, file: &Arc<PageFile>, origin: &Origin) -> Result<LockedFile, Failure> {
        if let Some(direct) = self.directs.of(file) {
            return Ok(direct.locked.clone());
        }
        // Most files serve several targets.
        if let Some((own, pinned)) = self.pinned.get(&file.filename)
            && (&own.0, &own.1) == (file, origin)
        {
            return Ok(pinned.clone());
        }
        let url = file.url.to_safe_url();
        origin.check(&url).map_err(|e| {
            Failure::refused("origin-mismatch", format!("refused `{}`: its host is not of its index", file.filename))
                .with("from", url.without_query())
                .with("cause", e)
                .help("if the index has moved its files on purpose, add the host to `file-hosts` of the index")
        })?;
        refuse_signed(file, &url)?;
        let (size_bytes, sha256) = match (file.size_bytes, file.sha256) {
            (Some(size), Some(sha256)) => (size, sha256),
            (_, expected) => self.compute(file, &url, origin, expected)?,
        };
        self.hold_against_before(file, origin, sha256)?;
        if file.sha256.is_none() {
            self.unsaid.insert(file.filename.clone());
        }
        self.hosts.entry(origin.index().clone()).or_default().extend(url.file_host());
        let seen = self.first_seen.as_ref().and_then(|first_seen| first_seen.moment(file));
        self.seen.extend(seen.map(|seen| (file.filename.clone(), seen)));
        let upload_time = file.upload_time.filter(|_| seen.is_none());
        let pinned = LockedFile { filename: file.filename.clone(), url, size_bytes, sha256, upload_time };
        self.pinned.insert(file.filename.clone(), ((Arc::clone(file), origin.clone()), pinned.clone()));
        Ok(pinned)
    }

    /// Returns what was computed of a file, where the index itself is silent: a recording needs no network for it.
    pub(super) fn computed(&self, file: &PageFile) -> Option<(u64, Sha256)> {
        let is_silent = file.size_bytes.is_none() || file.sha256.is_none();
        is_silent.then(|| self.computed.get(&file.url.to_safe_url()).copied())?
    }

    /// Takes what a recording knows of files of which the index itself is silent.
    pub(super) fn know(&mut self, computed: BTreeMap<SafeUrl, (u64, Sha256)>) {
        self.computed.extend(computed);
    }

    fn compute(
        &mut self,
        file: &PageFile,
        url: &SafeUrl,
        origin: &Origin,
        expected: Option<Sha256>,
    ) -> Result<(u64, Sha256), Failure> {
        if let Some(known) = self.computed.get(url) {
            return Ok(*known);
        }
        let Some(fetcher) = self.fetcher else {
            return Err(Failure::new(
                Exit::Input,
                format!("the recording knows no size or digest of `{}`", file.filename),
            )
            .help("record again with `pinfold lock --record FILE`"));
        };
        if let (Some(sha256), None) = (expected, file.size_bytes)
            && let Some(size) = told_size(fetcher, origin, url).map_err(|error| unasked(error, file))?
        {
            self.computed.insert(url.clone(), (size, sha256));
            return Ok((size, sha256));
        }
        let limit = file.size_bytes.unwrap_or(Limits::UNKNOWN_SIZE_BYTES);
        let (size, found, _bytes) = fetcher.digest(origin, url, limit).map_err(|error| unasked(error, file))?;
        if let Some(expected) = expected.filter(|expected| *expected != found) {
            return Err(Failure::refused("hash-mismatch", format!("refused `{}`", file.filename))
                .with("from", url.without_query())
                .with("expected", format!("sha256:{expected} (the index page)"))
                .with("found", format!("sha256:{found}"))
                .help("the index serves other bytes than it names; tell who runs it"));
        }
        self.computed.insert(url.clone(), (size, found));
        Ok((size, found))
    }

    fn hold_against_before(&self, file: &PageFile, origin: &Origin, found: Sha256) -> Result<(), Failure> {
        let before = self.before.get(&file.filename);
        let same_index = before.filter(|(_, index)| index.as_ref() == Some(origin.index()));
        let Some((expected, _)) = same_index.filter(|(expected, _)| *expected != found) else { return Ok(()) };
        Err(Failure::refused(
            "file-replaced",
            format!("refused `{}`: it was replaced since it was locked", file.filename),
        )
        .with("from", file.url.to_safe_url().without_query())
        .with("expected", format!("sha256:{expected} (the present lock)"))
        .with("found", format!("sha256:{found}"))
        .help("a released file never changes; ask the project what happened before anyone installs it"))
    }
}

/// Asks a server for the size of a file of which the index tells the digest: nobody needs to read two gigabytes for it, and bytes
/// of another size have another digest. Nothing is remembered: nobody has compared it with anything. None where the server gives
/// the whole file only, does not say how long it is, or says more than a file may have.
///
/// # Errors
/// As for any file.
fn told_size(fetcher: &Fetcher, origin: &Origin, url: &SafeUrl) -> Result<Option<u64>, FetchError> {
    match fetcher.range(origin, url, Span::LastBytes(1)) {
        Err(error) if matches!(error.cause, FetchCause::RangesUnsupported | FetchCause::RangeMismatch { .. }) => {
            Ok(None)
        }
        reply => Ok(Some(reply?.total_bytes).filter(|size| *size <= Limits::UNKNOWN_SIZE_BYTES)),
    }
}

/// Says why a file could not be asked for its size or digest: offline it never can, whatever was stored before.
fn unasked(error: FetchError, file: &PageFile) -> Failure {
    let is_offline = matches!(error.cause, FetchCause::Offline);
    let failure = Failure::from(error);
    if !is_offline {
        return failure;
    }
    let unsaid = if file.sha256.is_none() { "digest" } else { "size" };
    failure.help(format!(
        "the index does not tell the {unsaid} of this file, so its server is asked at each lock: lock without --offline"
    ))
}

/// Refuses a URL that is a credential: whoever has the lock or the recording could use it, and when it ends nobody could sync.
///
/// # Errors
/// Exit 3.
pub(super) fn refuse_signed(file: &PageFile, url: &SafeUrl) -> Result<(), Failure> {
    let Some(key) = url.secret_in_query() else { return Ok(()) };
    Err(Failure::refused(
        "exposed-secret",
        format!("refused `{}`: the URL that its index gives carries a credential", file.filename),
    )
    .with("from", url.without_query())
    .with("expected", "a URL that everybody may know who has the lock or the recording")
    .with("found", format!("`{key}` in its query"))
    .help(
        "such a URL works for whoever has it, until it ends; ask who runs the index for lasting URLs, behind a login",
    ))
}

fn reach(reasons: &BTreeSet<RootReason>) -> Reach {
    let mut reach = Reach::default();
    for reason in reasons {
        match reason {
            RootReason::Base => reach.base = true,
            RootReason::Extra(name) => drop(reach.extras.insert(name.clone())),
            RootReason::Group(name) => drop(reach.groups.insert(name.clone())),
        }
    }
    reach
}
