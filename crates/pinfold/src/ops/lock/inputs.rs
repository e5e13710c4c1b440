//! What is asked for: a manifest or flags, and the requirements files that they name, as problems for the resolver.
//!
//! Everything that can change a lock ends up in [`Inputs`], and its digest in the lock: the same inputs give the same digest
//! on every machine, and a manifest that was edited since is noticed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use pinfold_artifact::{Limits, Sha256};
use pinfold_lock::{Accepted, Lock};
use pinfold_manifest::{
    Cutoff, IndexEntry, IndexLocation, Manifest, Requested, Sourced, UploadTime, read_requirements,
};
use pinfold_packaging::{PackageName, PythonMinor, Requirement, System, Target, Version};
use pinfold_resolve::{Problem, Root, RootReason};
use sha2::Digest;

use super::LockRequest;
use super::indexes::Indexes;
use crate::exit::{Exit, Failure};
use crate::world::variable;

/// What a lock is made of.
#[derive(Debug)]
pub(super) struct Inputs {
    /// The manifest, with what the flags change.
    pub(super) manifest: Manifest,
    /// Every requirement, with what it belongs to.
    pub(super) roots: Vec<Root>,
    /// What is asked for by URL, path or repository, and where that is written.
    pub(super) references: Vec<(Requested, String)>,
    /// What narrows.
    pub(super) constraints: Vec<Requirement>,
    /// Digests that a requirements file demands.
    pub(super) hashes: BTreeMap<PackageName, BTreeSet<Sha256>>,
    /// What the lock is for.
    pub(super) targets: Vec<Target>,
    /// The directory that paths of the manifest are relative to.
    pub(super) directory: PathBuf,
}

impl Inputs {
    /// Reads everything that the request names.
    ///
    /// # Errors
    /// Exit 2, with file, line and column, for whatever cannot be read.
    pub(super) fn read(request: &LockRequest<'_>) -> Result<Self, Failure> {
        let (mut manifest, directory) = read_manifest(request)?;
        apply_flags(request, &mut manifest)?;
        let mut inputs = Self {
            targets: targets(&manifest, request)?,
            roots: roots_of(&manifest),
            references: Vec::new(),
            constraints: values(&manifest.constraints),
            hashes: BTreeMap::new(),
            directory,
            manifest,
        };
        inputs.note_references();
        inputs.read_files()?;
        inputs.refuse_urls()?;
        if inputs.roots.is_empty() {
            return Err(Failure::new(Exit::Input, "nothing is required")
                .help("name requirements files under `requirements`, or write `dependencies`, in the manifest"));
        }
        Ok(inputs)
    }

    /// A file that is named by its URL belongs to no index, and no lock of this version can say who may serve it.
    fn refuse_urls(&self) -> Result<(), Failure> {
        let Some((requested, place)) = self.references.first() else { return Ok(()) };
        Err(Failure::new(
            Exit::Input,
            format!("`{}` is required by URL, which pinfold cannot lock yet", requested.requirement.name),
        )
        .with("requirement", requested)
        .with("written in", place)
        .help("require it by version from an index; a directory with the file serves as one (`url = \"file:///…\"`)"))
    }

    fn note_references(&mut self) {
        let manifest = &self.manifest;
        let of_groups = manifest.extras.values().chain(manifest.groups.values()).flatten();
        let all = manifest.dependencies.iter().chain(&manifest.constraints).chain(&manifest.overrides).chain(of_groups);
        self.references.extend(references(all));
    }

    fn read_files(&mut self) -> Result<(), Failure> {
        let required: Vec<String> = self.manifest.requirement_files.iter().map(|file| file.value.clone()).collect();
        for file in required {
            let read = self.read_file(&file)?;
            let root = |requirement: &Sourced<Requested>| root(requirement, RootReason::Base);
            self.references.extend(references(read.requirements.iter().chain(&read.constraints)));
            self.roots.extend(read.requirements.iter().map(root));
            self.constraints.extend(values(&read.constraints));
            for (name, digests) in read.hashes {
                self.hashes.entry(name).or_default().extend(digests);
            }
        }
        let narrowing: Vec<String> = self.manifest.constraint_files.iter().map(|file| file.value.clone()).collect();
        for file in narrowing {
            let read = self.read_file(&file)?;
            self.references.extend(references(read.requirements.iter().chain(&read.constraints)));
            self.constraints.extend(values(&read.requirements));
            self.constraints.extend(values(&read.constraints));
        }
        Ok(())
    }

    fn read_file(&self, name: &str) -> Result<pinfold_manifest::RequirementsFile, Failure> {
        let mut read = |file: &str| -> Result<String, String> {
            let text = crate::ops::read_text(&self.directory.join(file), Limits::MANIFEST_BYTES, "requirements file");
            text.map_err(|failure| failure.details.into_iter().map(|(_, value)| value).collect::<Vec<_>>().join(": "))
        };
        Ok(read_requirements(name, &mut read, &variable)?)
    }

    /// Returns the moment after which uploads do not exist. A span counts from the moment of the first lock; from then on
    /// the lock's own moment holds, until an upgrade is asked for.
    pub(super) fn cutoff(&self, previous: Option<&Lock>, upgrade_all: bool, now: Timestamp) -> Option<Timestamp> {
        let cutoff = self.manifest.exclude_newer.as_ref()?;
        let before = previous.and_then(|lock| lock.tool.as_ref()).and_then(|tool| tool.exclude_newer);
        match (cutoff, before) {
            (Cutoff::Span { .. }, Some(before)) if !upgrade_all => Some(before),
            (cutoff, _) => Some(cutoff.moment(now)),
        }
    }

    /// Poses the problem of one target.
    pub(super) fn problem(
        &self,
        target: &Target,
        cutoff: Option<Timestamp>,
        preferences: BTreeMap<PackageName, Version>,
    ) -> Problem {
        Problem {
            target: target.clone(),
            roots: self.roots.clone(),
            constraints: self.constraints.clone(),
            overrides: values(&self.manifest.overrides),
            exclude: self.manifest.exclude.clone(),
            preferences,
            prerelease: self.manifest.prerelease,
            strategy: self.manifest.resolution,
            exclude_newer: cutoff,
            build: self.manifest.build.clone(),
            no_binary: self.manifest.no_binary.clone(),
        }
    }

    /// Returns the findings that the maintainer accepted, as the lock keeps them.
    pub(super) fn accepts(&self) -> Vec<Accepted> {
        let mut accepts: Vec<Accepted> = self
            .manifest
            .accepts
            .iter()
            .map(|accept| Accepted {
                code: accept.code.clone(),
                package: accept.package.clone(),
                path: accept.path.clone(),
                sha256: accept.sha256,
                reason: accept.reason.clone(),
            })
            .collect();
        accepts.sort();
        accepts
    }

    /// Returns the digest of everything that was asked for. Where files lie, and in which order they were named, is not part
    /// of it.
    pub(super) fn digest(&self, indexes: &Indexes) -> Sha256 {
        let manifest = &self.manifest;
        let mut lines: Vec<String> = Vec::new();
        lines.extend(self.roots.iter().map(|root| format!("require {} {}", root.reason, root.requirement)));
        lines.extend(self.constraints.iter().map(|constraint| format!("constrain {constraint}")));
        lines.extend(manifest.overrides.iter().map(|requirement| format!("override {}", requirement.value)));
        lines.extend(manifest.exclude.iter().map(|name| format!("exclude {name}")));
        lines.extend(manifest.no_binary.iter().map(|name| format!("no-binary {name}")));
        lines.extend(self.targets.iter().map(|target| format!("target {target}")));
        lines.extend(manifest.exclude_newer.iter().map(|cutoff| format!("exclude-newer {cutoff}")));
        lines.extend(manifest.requires_python.iter().map(|specifiers| format!("requires-python {specifiers}")));
        lines.push(format!("settings {} {} {}", manifest.prerelease, manifest.resolution, manifest.build));
        for (entry, index) in manifest.indexes.iter().zip(indexes.all()) {
            let hosts: Vec<String> = entry.file_hosts.iter().map(ToString::to_string).collect();
            let packages: Vec<&str> = entry.packages.iter().map(PackageName::as_str).collect();
            let seen = if entry.upload_time == UploadTime::FirstSeen { " first-seen" } else { "" };
            let (packages, hosts) = (packages.join(" "), hosts.join(" "));
            lines.push(format!("index {} {} [{packages}] [{hosts}]{seen}", index.name, index.url));
        }
        for (name, digests) in &self.hashes {
            lines.extend(digests.iter().map(|digest| format!("hash {name} {digest}")));
        }
        for accept in self.accepts() {
            lines.push(format!("accept {accept:?}"));
        }
        lines.sort();
        lines.dedup();
        Sha256::from_bytes(sha2::Sha256::digest(lines.join("\n").as_bytes()).into())
    }
}

fn values(sourced: &[Sourced<Requested>]) -> Vec<Requirement> {
    sourced.iter().map(|requirement| requirement.value.requirement.clone()).collect()
}

fn references<'a>(
    sourced: impl IntoIterator<Item = &'a Sourced<Requested>>,
) -> impl Iterator<Item = (Requested, String)> {
    let given = sourced.into_iter().filter(|requirement| requirement.value.reference.is_some());
    given.map(|requirement| (requirement.value.clone(), place(requirement)))
}

fn place(requirement: &Sourced<Requested>) -> String {
    format!("{}:{}", requirement.file, requirement.line)
}

fn root(requirement: &Sourced<Requested>, reason: RootReason) -> Root {
    Root { requirement: requirement.value.requirement.clone(), reason, written: place(requirement) }
}

fn roots_of(manifest: &Manifest) -> Vec<Root> {
    let base = manifest.dependencies.iter().map(|requirement| root(requirement, RootReason::Base));
    let extras = manifest.extras.iter().flat_map(|(name, requirements)| {
        requirements.iter().map(|requirement| root(requirement, RootReason::Extra(name.clone())))
    });
    let groups = manifest.groups.iter().flat_map(|(name, requirements)| {
        requirements.iter().map(|requirement| root(requirement, RootReason::Group(name.clone())))
    });
    base.chain(extras).chain(groups).collect()
}

/// Reads `pinfold.toml`, or `pyproject.toml` beside it, or starts from nothing where -r is given.
fn read_manifest(request: &LockRequest<'_>) -> Result<(Manifest, PathBuf), Failure> {
    let directory = PathBuf::from(".");
    if !request.requirements.is_empty() {
        return Ok((Manifest::empty(), directory));
    }
    for (name, parse) in [
        ("pinfold.toml", Manifest::parse_toml as fn(&str, &str) -> _),
        ("pyproject.toml", Manifest::parse_pyproject as fn(&str, &str) -> _),
    ] {
        if Path::new(name).exists() {
            let text = crate::ops::read_text(Path::new(name), Limits::MANIFEST_BYTES, "manifest")?;
            return Ok((parse(&text, name)?, directory));
        }
    }
    Err(Failure::new(Exit::Input, "there is neither a `pinfold.toml` nor a `pyproject.toml` here")
        .help("write one, or lock requirements files with `pinfold lock -r FILE --index-url URL`"))
}

fn apply_flags(request: &LockRequest<'_>, manifest: &mut Manifest) -> Result<(), Failure> {
    for file in request.requirements {
        let value = file
            .to_str()
            .ok_or_else(|| Failure::new(Exit::Input, format!("the path `{}` is not UTF-8", file.display())))?;
        let place = Sourced { value: value.to_owned(), file: "the command line".to_owned(), line: 0, column: 0 };
        manifest.requirement_files.push(place);
    }
    if let Some(url) = request.index_url {
        let url = url
            .parse()
            .map_err(|e: pinfold_artifact::UrlError| Failure::of(Exit::Input, &e).with("option", "--index-url"))?;
        manifest.indexes = vec![IndexEntry::default_at("main".to_owned(), IndexLocation::Url(url))];
    }
    if !request.targets.is_empty() {
        let parsed = request.targets.iter().map(|text| text.parse::<System>());
        manifest.targets = parsed.collect::<Result<_, _>>().map_err(|e| Failure::of(Exit::Input, &e))?;
    }
    if let Some(text) = request.exclude_newer {
        manifest.exclude_newer = Some(text.parse().map_err(|e| Failure::of(Exit::Input, &e))?);
    }
    Ok(())
}

fn targets(manifest: &Manifest, request: &LockRequest<'_>) -> Result<Vec<Target>, Failure> {
    let mut minors: Vec<PythonMinor> = match (&manifest.requires_python, request.python_versions) {
        (Some(requires), []) => PythonMinor::all_in(requires),
        (None, []) => {
            return Err(Failure::new(Exit::Input, "for which Python versions to lock is not said")
                .help("write `requires-python` into the manifest, or give --python-version X.Y"));
        }
        (_, given) => given
            .iter()
            .map(|text| text.parse())
            .collect::<Result<_, _>>()
            .map_err(|e: pinfold_packaging::TargetError| Failure::of(Exit::Input, &e))?,
    };
    minors.sort();
    minors.dedup();
    if minors.is_empty() {
        let requires = manifest.requires_python.as_ref().map(ToString::to_string).unwrap_or_default();
        return Err(Failure::new(Exit::Input, format!("no minor version of Python 3 meets `{requires}`")));
    }
    let mut systems = manifest.targets.clone();
    systems.sort();
    systems.dedup();
    Ok(systems.iter().flat_map(|system| minors.iter().map(|minor| Target::new(*system, *minor))).collect())
}
