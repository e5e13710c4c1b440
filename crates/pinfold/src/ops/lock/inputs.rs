//! What is asked for: a manifest or flags, and the requirements files that they name, as problems for the resolver.
//!
//! Everything that can change a lock ends up in [`Inputs`], and its digest in the lock: the same inputs give the same digest
//! on every machine, and a manifest that was edited since is noticed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use pinfold_artifact::{Limits, LocalPath, SafeUrl, Sha256};
use pinfold_lock::{Accepted, Lock};
use pinfold_manifest::{
    HashDemand, IndexEntry, IndexLocation, Manifest, ReferenceSource, Requested, RequirementsFile, Sourced, UploadTime,
    decode_requirements, place_of, place_of_reference, read_constraints, read_requirements, render,
};
use pinfold_packaging::{PackageName, PythonMinor, RequiredUrl, Requirement, System, Target, Version};
use pinfold_resolve::{Problem, Root, RootReason};
use sha2::Digest;

use super::LockRequest;
use super::direct;
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
    /// What is asked for by URL, path or repository.
    pub(super) references: Vec<Referred>,
    /// What narrows.
    pub(super) constraints: Vec<Requirement>,
    /// What replaces.
    pub(super) overrides: Vec<Requirement>,
    /// What lines of requirements files demand of the files.
    pub(super) hashes: Vec<Sourced<HashDemand>>,
    /// What the lock is for.
    pub(super) targets: Vec<Target>,
    /// The directory that paths of the manifest are relative to.
    pub(super) directory: PathBuf,
    /// The same, absolute.
    pub(super) base: LocalPath,
    /// A manifest that is there and not read, because another one is.
    shadowed: Option<&'static str>,
}

/// What is asked for by URL, path or repository.
#[derive(Debug, Clone)]
pub(super) struct Referred {
    /// The requirement.
    pub(super) requested: Requested,
    /// Where it is written.
    pub(super) written: String,
    /// The same, with the column.
    place: Sourced<()>,
    /// What it does.
    pub(super) role: Role,
    /// The URL that stands for it in questions and answers. Nobody is asked for anything at it.
    pub(super) key: SafeUrl,
}

/// What a requirement does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Role {
    /// It narrows.
    Constraint,
    /// It replaces.
    Override,
    /// It asks.
    Root(RootReason),
}

impl Inputs {
    /// Reads everything that the request names.
    ///
    /// # Errors
    /// Exit 2, with file, line and column, for whatever cannot be read.
    pub(super) fn read(request: &LockRequest<'_>) -> Result<Self, Failure> {
        let (mut manifest, directory, text) = read_manifest(request)?;
        apply_flags(request, &mut manifest)?;
        let mut inputs = Self {
            targets: targets(&manifest, request)?,
            roots: Vec::new(),
            references: Vec::new(),
            constraints: Vec::new(),
            overrides: Vec::new(),
            base: direct::absolute(&directory)?,
            hashes: Vec::new(),
            shadowed: shadowed(request),
            directory,
            manifest,
        };
        inputs.take_manifest()?;
        inputs.read_files(&text)?;
        if inputs.roots.is_empty() {
            return Err(Failure::new(Exit::Input, "nothing is required")
                .help("name requirements files under `requirements`, or write `dependencies`, in the manifest"));
        }
        Ok(inputs)
    }

    /// Takes what the manifest itself asks for.
    fn take_manifest(&mut self) -> Result<(), Failure> {
        let manifest = self.manifest.clone();
        self.take(&manifest.dependencies, &Role::Root(RootReason::Base))?;
        for (name, requirements) in &manifest.extras {
            self.take(requirements, &Role::Root(RootReason::Extra(name.clone())))?;
        }
        for (name, requirements) in &manifest.groups {
            self.take(requirements, &Role::Root(RootReason::Group(name.clone())))?;
        }
        self.take(&manifest.constraints, &Role::Constraint)?;
        self.take(&manifest.overrides, &Role::Override)
    }

    /// Files requirements as what they are. What names a file, a directory or a repository gets a URL by which the resolver
    /// tells it from others.
    fn take(&mut self, sourced: &[Sourced<Requested>], role: &Role) -> Result<(), Failure> {
        for one in sourced {
            let (mut requirement, written) = (one.value.requirement.clone(), format!("{}:{}", one.file, one.line));
            if let Some(reference) = &one.value.reference {
                let key = direct::key(reference, &self.base)?;
                requirement.url = Some(RequiredUrl::Safe(key.clone()));
                let (requested, written, role) = (one.value.clone(), written.clone(), role.clone());
                let place = Sourced { value: (), file: one.file.clone(), line: one.line, column: one.column };
                self.references.push(Referred { requested, written, place, role, key });
            }
            match role {
                Role::Constraint => self.constraints.push(requirement),
                Role::Override => self.overrides.push(requirement),
                Role::Root(reason) => self.roots.push(Root { requirement, reason: reason.clone(), written }),
            }
        }
        Ok(())
    }

    /// Returns the URLs by which files are required.
    pub(super) fn urls(&self) -> impl Iterator<Item = &SafeUrl> {
        let references = self.references.iter().filter_map(|one| one.requested.reference.as_ref());
        references.filter_map(|reference| match &reference.source {
            ReferenceSource::Url(url) => Some(url),
            ReferenceSource::Git { .. } | ReferenceSource::Path(_) => None,
        })
    }

    /// Returns a failure that says what was written where the resolver says the URL that stands for it.
    pub(super) fn in_own_words(&self, mut failure: Failure) -> Failure {
        for one in &self.references {
            let Some(reference) = &one.requested.reference else { continue };
            // What is required by its place has no index.
            let index = format!("on {}, the only index that is asked for it", one.key);
            let place = format!("required as `{reference}` ({})", one.written);
            let own = |text: &str| text.replace(&index, &place).replace(one.key.as_str(), &reference.to_string());
            failure.details.iter_mut().for_each(|(_, text)| *text = own(text));
            failure.help = failure.help.map(|help| own(&help));
        }
        failure
    }

    /// Returns a failure that points at what a requirement refers to. For that its file is read again; where that fails, by now or
    /// because its name has a variable, the failure is as it was.
    pub(super) fn pointed_at(&self, referred: &Referred, failure: Failure) -> Failure {
        let file = referred.place.file.as_str();
        let requirements = || {
            let path = self.directory.join(file);
            let bytes = crate::ops::read_bytes(&path, Limits::MANIFEST_BYTES, "requirements file").ok()?;
            decode_requirements(bytes, file).ok()
        };
        let is_manifest = MANIFESTS.contains(&file);
        let text = if is_manifest { crate::ops::read_manifest(file).ok() } else { requirements() };
        let Some(text) = text else { return failure };
        Failure { headline: render(&failure.headline, &place_of_reference(&referred.place, &text), None), ..failure }
    }

    /// Returns what is odd about what was asked for without being wrong.
    pub(super) fn warnings(&self) -> Vec<String> {
        let has_egg = |one: &&Referred| one.requested.reference.as_ref().is_some_and(|reference| reference.has_egg);
        let egg = |one: &Referred| {
            let name = &one.requested.requirement.name;
            format!("`#egg=…` means nothing any more and is ignored: `{name}` in {}", one.written)
        };
        // No quoted value of a marker holds a quote, so this is no part of one.
        let asks_extra = |root: &&Root| {
            let marker = root.requirement.marker.to_string();
            ["extra == '", "extra != '"].iter().any(|question| marker.contains(question))
        };
        let extra = |root: &Root| {
            format!(
                "`{}` ({}) asks for an `extra`, and what the application requires has none: it counts as not given",
                self.text_of(&root.requirement),
                root.written
            )
        };
        let roots = self.roots.iter().filter(asks_extra).map(extra);
        let shadowed = self.shadowed.iter().map(|name| {
            format!(
                "`[tool.pinfold]` of `{name}` is not read, nor what it requires: the manifest is `{}`",
                MANIFESTS[0]
            )
        });
        let egged = self.references.iter().filter(has_egg).map(egg);
        egged.chain(roots).chain(self.excluded()).chain(shadowed).collect()
    }

    /// Says of each project that is required and excluded that it is left out. It is no contradiction: a requirements file may
    /// be somebody else's, and `exclude` is the maintainer's word about it.
    fn excluded(&self) -> Vec<String> {
        let mut places: BTreeMap<&PackageName, BTreeSet<&str>> = BTreeMap::new();
        for root in self.roots.iter().filter(|root| self.manifest.exclude.contains(&root.requirement.name)) {
            places.entry(&root.requirement.name).or_default().insert(&root.written);
        }
        let text = |(name, places): (&PackageName, BTreeSet<&str>)| {
            let places = places.into_iter().collect::<Vec<_>>().join(", ");
            format!("`{name}` is required ({places}) and left out of the lock: `exclude` names it")
        };
        places.into_iter().map(text).collect()
    }

    /// Returns a requirement as it was written: what it names instead of versions, and not what stands for that.
    pub(super) fn text_of(&self, requirement: &Requirement) -> String {
        let named = |one: &&Referred| one.requested.requirement.name == requirement.name;
        let same =
            |one: &&Referred| named(one) && Some(&one.key) == requirement.url.as_ref().and_then(RequiredUrl::safe);
        match self.references.iter().find(same) {
            Some(one) => {
                let requirement = Requirement { url: None, ..requirement.clone() };
                Requested { requirement, reference: one.requested.reference.clone() }.to_string()
            }
            None => requirement.to_string(),
        }
    }

    /// Reads the files that the manifest, of which this is the text, or the command line names.
    fn read_files(&mut self, text: &str) -> Result<(), Failure> {
        for file in self.manifest.requirement_files.clone() {
            let read = self.read_file(&file, &Role::Root(RootReason::Base), text)?;
            self.check_names(&read.requirements)?;
            self.take_file(read)?;
        }
        for file in self.manifest.constraint_files.clone() {
            let read = self.read_file(&file, &Role::Constraint, text)?;
            self.take_file(read)?;
        }
        Ok(())
    }

    fn take_file(&mut self, read: RequirementsFile) -> Result<(), Failure> {
        self.take(&read.requirements, &Role::Root(RootReason::Base))?;
        self.take(&read.constraints, &Role::Constraint)?;
        self.hashes.extend(read.hashes);
        Ok(())
    }

    /// Refuses a requirement on the application's own name, which an index would answer with another project (dependency
    /// confusion).
    fn check_names(&self, requirements: &[Sourced<Requested>]) -> Result<(), Failure> {
        let own: Option<PackageName> = self.manifest.name.as_ref().and_then(|name| name.parse().ok());
        let is_own = |one: &&Sourced<Requested>| {
            one.value.reference.is_none() && own.as_ref() == Some(&one.value.requirement.name)
        };
        let Some(found) = requirements.iter().find(is_own) else { return Ok(()) };
        let headline = format!("`{}` is the application's own name", found.value.requirement.name);
        Err(Failure::new(Exit::Input, headline)
            .with("asked for by", format!("{} ({}:{}:{})", found.value, found.file, found.line, found.column))
            .help("the application's own extras are named in the manifest; if the project of the index is meant, give the application another `name`"))
    }

    fn read_file(&self, name: &Sourced<String>, role: &Role, text: &str) -> Result<RequirementsFile, Failure> {
        let mut read = |file: &str| -> Result<Vec<u8>, String> {
            let bytes = crate::ops::read_bytes(&self.directory.join(file), Limits::MANIFEST_BYTES, "requirements file");
            bytes.map_err(|failure| failure.details.into_iter().map(|(_, value)| value).collect::<Vec<_>>().join(": "))
        };
        let directory = |directory: &str| {
            let path = std::fs::canonicalize(self.directory.join(directory)).ok()?;
            path.into_os_string().into_string().ok()
        };
        let file = match role {
            Role::Constraint => read_constraints(&name.value, &mut read, &directory, &variable),
            Role::Override | Role::Root(_) => read_requirements(&name.value, &mut read, &directory, &variable),
        };
        file.map_err(|error| {
            // What is wrong with the file as a whole is wrong where it is named, unless that is the command line.
            let is_itself = error.place().line == 0 && error.place().file == name.value;
            match name.line {
                line if is_itself && line > 0 => {
                    let report = render(&error.to_string(), &place_of(name, text), error.help().as_deref());
                    Failure::new(Exit::Input, report)
                }
                _ => Failure::from(error),
            }
        })
    }

    /// Returns the moment after which uploads do not exist. A span counts from the moment of the first lock; from then on
    /// the lock's own moment holds, until an upgrade or another span is asked for.
    pub(super) fn cutoff(&self, previous: Option<&Lock>, upgrade_all: bool, now: Timestamp) -> Option<Timestamp> {
        let cutoff = self.manifest.exclude_newer.as_ref()?;
        let tool = previous.and_then(|lock| lock.tool.as_ref()).filter(|_| !upgrade_all);
        let of_this_span =
            tool.filter(|tool| tool.exclude_newer_span.as_deref().is_some_and(|span| cutoff.is_span_of(span)));
        let before = of_this_span.and_then(|tool| tool.exclude_newer);
        before.or_else(|| Some(cutoff.moment(now)))
    }

    /// Poses the problem of one target.
    pub(super) fn problem(
        &self,
        target: &Target,
        cutoff: Option<Timestamp>,
        locked: BTreeMap<PackageName, Vec<Version>>,
    ) -> Problem {
        Problem {
            target: target.clone(),
            roots: self.roots.clone(),
            constraints: self.constraints.clone(),
            overrides: self.overrides.clone(),
            exclude: self.manifest.exclude.clone(),
            locked,
            preferences: BTreeMap::new(),
            limits: BTreeMap::new(),
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
        lines.extend(
            self.roots.iter().map(|root| format!("require {} {}", root.reason, self.text_of(&root.requirement))),
        );
        lines.extend(self.constraints.iter().map(|constraint| format!("constrain {}", self.text_of(constraint))));
        lines.extend(self.overrides.iter().map(|one| format!("override {}", self.text_of(one))));
        lines.extend(manifest.exclude.iter().map(|name| format!("exclude {name}")));
        lines.extend(manifest.no_binary.iter().map(|name| format!("no-binary {name}")));
        lines.extend(self.targets.iter().map(|target| format!("target {target}")));
        lines.extend(manifest.exclude_newer.iter().map(|cutoff| format!("exclude-newer {cutoff}")));
        lines.extend(manifest.requires_python.iter().map(|specifiers| format!("requires-python {specifiers}")));
        lines.push(format!("settings {} {} {}", manifest.prerelease, manifest.resolution, manifest.build));
        for (entry, index) in manifest.indexes.iter().zip(indexes.all()) {
            let hosts: Vec<String> = match &entry.file_hosts {
                Some(hosts) if hosts.is_empty() => vec!["none".to_owned()],
                hosts => hosts.iter().flatten().map(ToString::to_string).collect(),
            };
            let packages: Vec<&str> = entry.packages.iter().map(PackageName::as_str).collect();
            let seen = if entry.upload_time == UploadTime::FirstSeen { " first-seen" } else { "" };
            let (packages, hosts) = (packages.join(" "), hosts.join(" "));
            lines.push(format!("index {} {} [{packages}] [{hosts}]{seen}", index.name, index.url));
        }
        lines.extend(self.hashes.iter().map(|Sourced { value: HashDemand { name, marker, digests }, .. }| {
            let digests: Vec<String> = digests.iter().map(ToString::to_string).collect();
            let marker = if marker.is_always() { String::new() } else { format!(" ; {marker}") };
            format!("hash {name} {}{marker}", digests.join(" "))
        }));
        for accept in self.accepts() {
            lines.push(format!("accept {accept:?}"));
        }
        lines.sort();
        lines.dedup();
        Sha256::from_bytes(sha2::Sha256::digest(lines.join("\n").as_bytes()).into())
    }
}

/// Reads `pinfold.toml`, or `pyproject.toml` beside it, or starts from nothing where -r is given. Returns its directory and its
/// text with it.
fn read_manifest(request: &LockRequest<'_>) -> Result<(Manifest, PathBuf, String), Failure> {
    let directory = PathBuf::from(".");
    if !request.requirements.is_empty() {
        return Ok((Manifest::empty(), directory, String::new()));
    }
    for (name, parse) in [
        (MANIFESTS[0], Manifest::parse_toml as fn(&str, &str) -> _),
        (MANIFESTS[1], Manifest::parse_pyproject as fn(&str, &str) -> _),
    ] {
        if Path::new(name).exists() {
            let text = crate::ops::read_manifest(name)?;
            return Ok((parse(&text, name)?, directory, text));
        }
    }
    Err(Failure::new(Exit::Input, "there is neither a `pinfold.toml` nor a `pyproject.toml` here")
        .help("write one, or lock requirements files with `pinfold lock -r FILE --index-url URL`"))
}

/// Returns the manifest that is passed over for another one beside it.
fn shadowed(request: &LockRequest<'_>) -> Option<&'static str> {
    let [read, other] = MANIFESTS;
    if !request.requirements.is_empty() || !Path::new(read).exists() || !Path::new(other).exists() {
        return None;
    }
    let text = crate::ops::read_text(Path::new(other), Limits::MANIFEST_BYTES, "manifest").ok()?;
    text.lines().any(|line| line.trim_start().starts_with("[tool.pinfold")).then_some(other)
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
        let location =
            url.parse::<IndexLocation>().map_err(|e| Failure::of(Exit::Input, &e).with("option", "--index-url"))?;
        manifest.indexes = vec![IndexEntry::default_at("main".to_owned(), location)];
    }
    if !request.targets.is_empty() {
        let parsed = request.targets.iter().map(|text| text.parse::<System>());
        manifest.targets = parsed.collect::<Result<_, _>>().map_err(|e| Failure::of(Exit::Input, &e))?;
    }
    if let Some(text) = request.exclude_newer {
        let cutoff = text.parse().map_err(|e| Failure::of(Exit::Input, &e).with("option", "--exclude-newer"))?;
        manifest.exclude_newer = Some(cutoff);
    }
    Ok(())
}

fn targets(manifest: &Manifest, request: &LockRequest<'_>) -> Result<Vec<Target>, Failure> {
    let mut minors: Vec<PythonMinor> = match (&manifest.requires_python, request.python_versions) {
        (Some(requires), []) => PythonMinor::all_in(requires),
        (None, []) => {
            return Err(Failure::new(Exit::Input, "for which Python versions to lock is not said")
                .help(help_without_python(request)));
        }
        (_, given) => given.iter().map(|text| python_version(text)).collect::<Result<_, _>>()?,
    };
    minors.sort();
    minors.dedup();
    if minors.is_empty() {
        return Err(no_python(manifest));
    }
    let mut systems = manifest.targets.clone();
    systems.sort();
    systems.dedup();
    // What is given by a flag is given whole.
    let requires = manifest.requires_python.as_ref().filter(|_| request.python_versions.is_empty());
    let parts = |system: System, minor| match requires {
        Some(requires) => Target::all_in(system, minor, requires),
        None => vec![Target::new(system, minor)],
    };
    Ok(systems.iter().flat_map(|system| minors.iter().flat_map(|minor| parts(*system, *minor))).collect())
}

/// Reads what `--python-version` gives: one of the versions that `requires-python` can allow.
fn python_version(text: &str) -> Result<PythonMinor, Failure> {
    let (oldest, newest) = (PythonMinor::OLDEST, PythonMinor::NEWEST);
    let wrong = |failure: Failure| failure.with("option", "--python-version");
    let minor = text.parse::<PythonMinor>().map_err(|error| {
        let of_patch = text.rsplit_once('.').and_then(|(minor, _)| minor.parse::<PythonMinor>().ok());
        let help = match of_patch {
            Some(minor) => format!(
                "give `{minor}`, which means every patch release of it; `requires-python` of a manifest can leave some out"
            ),
            None => format!("give one of {oldest} to {newest}"),
        };
        wrong(Failure::of(Exit::Input, &error)).help(help)
    })?;
    if (oldest..=newest).contains(&minor) {
        return Ok(minor);
    }
    let headline = format!("Python {minor} is none that a lock can be for");
    Err(wrong(Failure::new(Exit::Input, headline)).help(format!("give one of {oldest} to {newest}")))
}

/// Says how to tell the Python versions, where nothing that is read tells them.
fn help_without_python(request: &LockRequest<'_>) -> String {
    if request.requirements.is_empty() {
        return "write `requires-python` into the manifest, or give --python-version X.Y".to_owned();
    }
    match MANIFESTS.iter().find(|name| Path::new(name).exists()) {
        Some(name) => format!(
            "with -r the manifest is not read: give --python-version X.Y, or write the file into `requirements` of `{name}` and lock without -r"
        ),
        None => "give --python-version X.Y".to_owned(),
    }
}

/// Says that what the manifest allows is no Python that there is.
fn no_python(manifest: &Manifest) -> Failure {
    let requires = manifest.requires_python.as_ref().map(ToString::to_string).unwrap_or_default();
    let headline = format!("no minor version of Python 3 meets `{requires}`");
    let (oldest, newest) = (PythonMinor::OLDEST, PythonMinor::NEWEST);
    let help = format!(
        "write `requires-python` so that it allows a release of {oldest} to {newest}, or give --python-version X.Y"
    );
    match &manifest.requires_python_place {
        Some(place) => Failure::new(Exit::Input, render(&headline, place, Some(&help))),
        None => Failure::new(Exit::Input, headline).help(help),
    }
}

/// The names that manifests have.
pub(super) const MANIFESTS: [&str; 2] = ["pinfold.toml", "pyproject.toml"];
