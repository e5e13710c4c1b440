//! `pinfold lock --inspect`: every wheel that was locked is fetched, verified and unpacked into the store, and whatever `sync`
//! would refuse in it is said now, to the maintainer, instead of later, to the users.
//!
//! It finds what depends on the locked bytes alone: start-up files that nobody accepted, hostile archives, METADATA that is
//! not what was believed, packages of one target that bring the same path with other bytes. It does not build: what comes out
//! of a source build is looked at by `sync`, on the machine that builds it.

use std::collections::{BTreeMap, BTreeSet};

use pinfold_artifact::{ArchivePath, ArtifactFilename, Sha256};
use pinfold_fetch::{Connectivity, Fetcher};
use pinfold_install::{InstallError, check_wheel, unpack_wheel};
use pinfold_lock::{Accepted, ArtifactKind, Lock, LockedFile, Package, Selected};
use pinfold_packaging::{PackageName, Target, WheelFilename};
use pinfold_store::{Readiness, Store, StoredTree};
use pinfold_unpack::RecordFault;

use super::hands::each;
use super::lock::logins;
use crate::exit::{Exit, Failure};
use crate::failures::accept_entry;
use crate::output::Output;
use crate::world::World;

/// Something that `sync` would refuse.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The code of the refusal.
    pub code: String,
    /// The package.
    pub package: PackageName,
    /// The wheels that have it.
    pub files: BTreeSet<ArtifactFilename>,
    /// The file inside them, if it is about one that may be accepted: its path and digest.
    pub acceptable: Option<(ArchivePath, Sha256)>,
    /// What is wrong, in words.
    pub reason: String,
}

/// What an inspection came to.
#[derive(Debug)]
pub struct Inspected {
    /// What `sync` would refuse.
    pub findings: Vec<Finding>,
    /// How many wheels were looked at.
    pub wheels: usize,
    /// What is built from source and was not looked at.
    pub unbuilt: BTreeSet<PackageName>,
}

/// Threads that fetch and unpack.
const HANDS: usize = 5;

/// Fetches and looks into every wheel of a lock.
///
/// # Errors
/// Exit 4 if the world failed, exit 3 if bytes or their origin are not the locked ones.
pub fn inspect(lock: &Lock, connectivity: Connectivity, world: &World, output: &Output) -> Result<Inspected, Failure> {
    let store = world.store()?;
    let fetcher = world.fetcher(connectivity, logins(lock, connectivity)?)?;
    let wheels = wheels(lock)?;
    let accepts = lock.tool.as_ref().map_or(&[][..], |tool| &tool.accepts);
    let bar = output.byte_bar("inspecting", wheels.iter().map(|wheel| wheel.artifact.size_bytes).sum());
    let looked = each(&wheels, HANDS, |wheel| {
        let looked = look(&store, &fetcher, wheel, accepts);
        bar.inc(wheel.artifact.size_bytes);
        looked
    });
    bar.finish_and_clear();
    let mut findings = Vec::new();
    let mut trees: BTreeMap<&ArtifactFilename, StoredTree> = BTreeMap::new();
    for (wheel, looked) in wheels.iter().zip(looked) {
        let (tree, found) = looked?;
        findings.extend(found);
        trees.extend(tree.map(|tree| (&wheel.artifact.filename, tree)));
    }
    for target in lock.targets() {
        findings.extend(conflicts(lock, &target, &trees));
    }
    let sources = lock.packages.iter().filter(|package| package.sdist.is_some() || package.tree.is_some());
    let unbuilt = sources.map(|package| package.name.clone()).collect();
    Ok(Inspected { findings: joined(findings), wheels: wheels.len(), unbuilt })
}

/// Returns every wheel that some target installs, the biggest first.
fn wheels(lock: &Lock) -> Result<Vec<Selected>, Failure> {
    let mut wheels = Vec::new();
    for package in &lock.packages {
        for file in package.files() {
            let Ok(name) = WheelFilename::parse(&file.filename) else { continue };
            wheels.push(Selected {
                name: package.name.clone(),
                version: package.version.clone().unwrap_or(name.version),
                artifact: lock.artifact(package, file)?,
                kind: ArtifactKind::Wheel,
                recipe: None,
                dependencies: BTreeSet::new(),
                direct: None,
                metadata_sha256: lock.tool.as_ref().and_then(|tool| tool.metadata.get(&file.filename).copied()),
            });
        }
    }
    wheels.sort_by_key(|wheel| (std::cmp::Reverse(wheel.artifact.size_bytes), wheel.artifact.filename.clone()));
    Ok(wheels)
}

type Looked = (Option<StoredTree>, Vec<Finding>);

fn look(store: &Store, fetcher: &Fetcher, wheel: &Selected, accepts: &[Accepted]) -> Result<Looked, Failure> {
    if let Some(tree) = store.unpacked(&wheel.artifact)?
        && let Readiness::Ready(tree) = store.ready(tree)?
    {
        match check_wheel(&tree, wheel, accepts) {
            Ok(true) => return Ok((Some(tree), Vec::new())),
            Ok(false) => {}
            Err(error) => return findings_of(error, wheel).map(|found| (Some(tree), found)),
        }
    }
    let stored = fetcher.download(&wheel.artifact, store, &|_| {})?;
    match unpack_wheel(store, &stored, wheel, accepts) {
        Ok(tree) => {
            store.forget_bytes(&stored)?;
            Ok((Some(tree), Vec::new()))
        }
        Err(error) => {
            let found = findings_of(error, wheel)?;
            Ok((store.tree(&wheel.artifact.sha256)?, found))
        }
    }
}

/// Returns what a refusal found; what is no refusal of the wheel stays a failure.
fn findings_of(error: InstallError, wheel: &Selected) -> Result<Vec<Finding>, Failure> {
    let finding = |code: &str, acceptable, reason: String| Finding {
        code: code.to_owned(),
        package: wheel.name.clone(),
        files: [wheel.artifact.filename.clone()].into(),
        acceptable,
        reason,
    };
    match error {
        InstallError::Record { files, .. } | InstallError::Unaccepted { files, .. } => Ok(files
            .into_iter()
            .map(|file| {
                let what = match RecordFault::of_code(&file.code) {
                    Some(RecordFault::Mismatch) => "is not what RECORD says",
                    Some(RecordFault::Unlisted) => "is not in RECORD",
                    Some(RecordFault::WeakDigest) => "has no digest in RECORD that proves anything",
                    None => "takes effect whenever Python starts, or hides what it does",
                };
                let reason = format!("`{}` {what}", file.path);
                finding(&file.code, Some((file.path, file.sha256)), reason)
            })
            .collect()),
        InstallError::Archive { ref source, .. } if source.refusal_code().is_none() => Err(error.into()),
        InstallError::Archive { .. } | InstallError::Metadata { .. } | InstallError::Reserved { .. } => {
            let failure = Failure::from(error);
            let code = failure.code.as_deref().unwrap_or("refused");
            Ok(vec![finding(code, None, failure.in_one_line())])
        }
        other => Err(other.into()),
    }
}

/// Returns the paths that two packages of one target bring with other bytes.
fn conflicts(lock: &Lock, target: &Target, trees: &BTreeMap<&ArtifactFilename, StoredTree>) -> Vec<Finding> {
    let tags = target.tags();
    let file_for = |package: &Package| -> Option<ArtifactFilename> {
        let rank = |file: &LockedFile| tags.rank(&WheelFilename::parse(&file.filename).ok()?);
        let ranked = package.files().filter_map(|file| Some((rank(file)?, &file.filename)));
        ranked.min().map(|(_, name)| name.clone())
    };
    let mut owners: BTreeMap<&str, (&Package, Sha256)> = BTreeMap::new();
    let mut clashes: BTreeMap<(&PackageName, &PackageName), (ArtifactFilename, &str, usize)> = BTreeMap::new();
    for package in lock.packages.iter().filter(|package| lock.applies_on(package, target.clone()).is_some()) {
        let Some(filename) = file_for(package) else { continue };
        let Some(tree) = trees.get(&filename) else { continue };
        // What lies in `NAME.data` goes where the machine says; two of these meet nowhere else than in `sync`.
        let plain = tree.manifest().files.iter().filter(|file| !file.path.as_str().contains(".data/"));
        for file in plain {
            match owners.get(file.path.as_str()) {
                Some((other, sha256)) if *sha256 != file.sha256 && other.name != package.name => {
                    let clash = clashes.entry((&other.name, &package.name));
                    clash.or_insert((filename.clone(), file.path.as_str(), 0)).2 += 1;
                }
                Some(_) => {}
                None => drop(owners.insert(file.path.as_str(), (package, file.sha256))),
            }
        }
    }
    let finding = |((first, second), (filename, path, count)): ((&PackageName, &PackageName), (_, &str, usize))| {
        let more = if count > 1 { format!(" and {} more", count - 1) } else { String::new() };
        Finding {
            code: "file-conflict".to_owned(),
            package: second.clone(),
            files: [filename].into(),
            acceptable: None,
            reason: format!("`{first}` brings `{path}`{more} with other bytes; leave one of them out with `exclude`"),
        }
    };
    clashes.into_iter().map(finding).collect()
}

/// Joins what several wheels of one package have in common. The words of an archive's refusal name the file; they are not the
/// same for two of them.
fn joined(findings: Vec<Finding>) -> Vec<Finding> {
    let mut joined: BTreeMap<Finding, BTreeSet<ArtifactFilename>> = BTreeMap::new();
    for finding in findings {
        let about = Finding { files: BTreeSet::new(), ..finding };
        joined.entry(about).or_default().extend(finding.files);
    }
    joined.into_iter().map(|(about, files)| Finding { files, ..about }).collect()
}

impl Finding {
    /// Returns the entry of the manifest that would allow exactly these bytes, if any may.
    pub fn accept_entry(&self) -> Option<String> {
        let (path, sha256) = self.acceptable.as_ref()?;
        Some(format!("{}\n", accept_entry(&self.code, &self.package, path, sha256)))
    }
}

impl Inspected {
    /// Returns how the command ends because of it.
    pub fn exit(&self) -> Exit {
        if self.findings.is_empty() { Exit::Done } else { Exit::No }
    }
}
