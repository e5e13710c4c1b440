//! Everything that is in an environment: what is missing, what was added, what is no longer what it was.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use pinfold_unpack::{Hazard, Scheme, portable_fold};

use super::hashes::{self, Custom};
use super::proof::Candidate;
use super::{Finding, FindingCode, Listed, Report};
use crate::disk::{self, Directory, Kind};
use crate::receipt::{FILES_FILE, RECEIPT_DIRECTORY, RECEIPT_FILE, STAMPS_FILE};
use crate::{Environment, InstallError, base, bytecode, layout};

/// What a walk saw beside its findings.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Bytecode beside listed sources that is not listed itself.
    pub(super) bytecode: BTreeSet<Candidate>,
    /// The directories.
    pub(super) directories: Vec<String>,
}

/// Lists the environment and adds a finding for everything that should not be there, or should.
pub(super) fn walk(environment: &Environment, listed: &Listed<'_>, report: &mut Report) -> Result<Seen, InstallError> {
    let mut walk = Walk::begin(environment, listed, report)?;
    let mut waiting = vec![String::new()];
    walk.descend(&mut waiting)?;
    walk.missing(&|_| true);
    walk.renamed();
    Ok(walk.seen)
}

/// Looks again at some paths, each of which may be a file, a directory with everything in it, or nothing.
#[cfg(target_os = "linux")]
pub(super) fn look(
    environment: &Environment,
    listed: &Listed<'_>,
    paths: &BTreeSet<String>,
    report: &mut Report,
) -> Result<Seen, InstallError> {
    let mut walk = Walk::begin(environment, listed, report)?;
    for path in paths {
        let file = disk::below(walk.root, path);
        let mut waiting = Vec::new();
        match walk.opened.facts(path) {
            Ok(facts) if facts.kind == Kind::Directory => walk.subdirectory(path.clone(), &mut waiting),
            Ok(facts) => match walk.entry(path, facts.kind) {
                Err(error) if is_not_found(&error) => {}
                result => result?,
            },
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
            Err(error) => return Err(InstallError::io("look at", &file)(error)),
        }
        walk.descend(&mut waiting)?;
    }
    walk.missing(&|path| is_among(paths, path));
    Ok(walk.seen)
}

/// Returns true for one of the paths and for everything below one.
#[cfg(target_os = "linux")]
pub(super) fn is_among(paths: &BTreeSet<String>, path: &str) -> bool {
    let parents = std::iter::successors(Some(path), |path| path.rsplit_once('/').map(|(parent, _)| parent));
    parents.into_iter().any(|path| paths.contains(path))
}

struct Walk<'w, 'a> {
    root: &'w Path,
    opened: Directory,
    custom: Custom,
    listed: &'w Listed<'a>,
    report: &'w mut Report,
    present: BTreeSet<&'a str>,
    links: BTreeSet<&'a str>,
    /// Directories of which nobody can tell what is in them.
    closed: Vec<String>,
    seen: Seen,
}

impl<'w, 'a> Walk<'w, 'a> {
    fn begin(
        environment: &'w Environment,
        listed: &'w Listed<'a>,
        report: &'w mut Report,
    ) -> Result<Self, InstallError> {
        let root = environment.venv();
        let opened = Directory::open(root).map_err(InstallError::io("open", root))?;
        let custom = Custom::of(&opened).map_err(InstallError::io("look at", root))?;
        let (present, links, closed) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
        Ok(Self { root, opened, custom, listed, report, present, links, closed, seen: Seen::default() })
    }

    /// Looks into the waiting directories, and into those in them.
    fn descend(&mut self, waiting: &mut Vec<String>) -> Result<(), InstallError> {
        while let Some(directory) = waiting.pop() {
            match self.directory(&directory, waiting) {
                // A program may use the environment meanwhile: what it made and took away again was not there.
                Err(error) if is_not_found(&error) && !directory.is_empty() => {}
                result => {
                    result?;
                    self.seen.directories.push(directory);
                }
            }
        }
        Ok(())
    }

    fn directory(&mut self, directory: &str, waiting: &mut Vec<String>) -> Result<(), InstallError> {
        let path = disk::below(self.root, directory);
        let failed = || InstallError::io("list", &path);
        let facts = self.opened.facts(if directory.is_empty() { "." } else { directory }).map_err(failed())?;
        self.report.findings.extend(self.custom.wrong_directory(directory, &facts));
        if directory == RECEIPT_DIRECTORY {
            self.report.findings.extend(self.custom.wrong_root(&facts));
        }
        if let Some(finding) = self.custom.closed_directory(directory, &facts) {
            self.report.findings.push(finding);
            if facts.is_ours() && !self.can_look_into(directory) {
                self.closed.push(directory.to_owned());
                return Ok(());
            }
        }
        let mut is_empty = true;
        for entry in fs::read_dir(&path).map_err(failed())? {
            let entry = entry.map_err(failed())?;
            is_empty = false;
            let kind = entry.file_type().map_err(failed())?;
            let name = entry.file_name();
            let shown = name.to_string_lossy();
            let inside = if directory.is_empty() { shown.into_owned() } else { format!("{directory}/{shown}") };
            if name.to_str().is_none() {
                self.report.findings.push(Finding::new(
                    FindingCode::Added,
                    &inside,
                    "nothing",
                    "a name in no encoding",
                ));
            } else if kind.is_dir() {
                self.subdirectory(inside, waiting);
            } else {
                let kind = match (kind.is_symlink(), kind.is_file()) {
                    (true, _) => Kind::Link,
                    (_, true) => Kind::File,
                    _ => Kind::Other,
                };
                match self.entry(&inside, kind) {
                    Err(error) if is_not_found(&error) => {}
                    result => result?,
                }
            }
        }
        if is_empty && !self.is_installed(directory) {
            self.report.findings.push(Finding::new(FindingCode::Added, directory, "nothing", "an empty directory"));
        }
        Ok(())
    }

    /// Root may, whatever the permissions are.
    fn can_look_into(&self, directory: &str) -> bool {
        self.opened.facts(&format!("{directory}/.")).is_ok() && fs::read_dir(disk::below(self.root, directory)).is_ok()
    }

    /// Returns true for a directory that an install makes, and for one that an interpreter makes for bytecode. Any other is
    /// a package for the interpreter, though nothing is in it: importing it succeeds, which programs take for an answer.
    fn is_installed(&self, directory: &str) -> bool {
        let (parent, name) = disk::split(directory);
        let directory = if name == bytecode::DIRECTORY { parent } else { directory };
        let own = base::directories(&self.listed.header.interpreter);
        let is_own = |own: &String| own == directory || is_below(own, directory);
        directory.is_empty() || self.has_listed(directory) || directory == RECEIPT_DIRECTORY || own.iter().any(is_own)
    }

    /// Returns true if the receipt lists a file or a link below a directory.
    fn has_listed(&self, directory: &str) -> bool {
        let prefix = format!("{directory}/");
        let file = self.listed.files.range(prefix.as_str()..).next().map(|(path, _)| *path);
        let link = self.listed.links.range(prefix.as_str()..).next().map(|(path, _)| *path);
        file.into_iter().chain(link).any(|path| path.starts_with(&prefix))
    }

    fn subdirectory(&mut self, path: String, waiting: &mut Vec<String>) {
        let listed = self.listed;
        if is_metadata(&path) && !self.has_listed(&path) {
            let finding =
                Finding::new(FindingCode::ForeignDistribution, &path, "nothing", "metadata of a distribution");
            self.report.findings.push(finding);
            return;
        }
        if let Some((own, _)) = listed.links.get_key_value(path.as_str()) {
            self.links.insert(own);
            self.report.findings.push(Finding::new(FindingCode::LinkChanged, &path, "a link", "a directory"));
        }
        waiting.push(path);
    }

    fn entry(&mut self, path: &str, kind: Kind) -> Result<(), InstallError> {
        let listed = self.listed;
        if let Some((own, file)) = listed.files.get_key_value(path) {
            if kind == Kind::File {
                self.present.insert(own);
            } else {
                let finding = Finding::new(FindingCode::LinkChanged, path, "a regular file", self.shown(path, kind));
                self.report.findings.push(finding.of(listed.owner(file)));
            }
            return Ok(());
        }
        if let Some((own, link)) = listed.links.get_key_value(path) {
            self.links.insert(own);
            let facts = self.opened.facts(path).map_err(InstallError::io("look at", &disk::below(self.root, path)))?;
            self.report.findings.extend(self.custom.wrong_owner(path, &facts));
            let (expected, found) = (format!("a link to `{}`", link.target), self.shown(path, kind));
            if expected != found {
                self.report.findings.push(Finding::new(FindingCode::LinkChanged, path, expected, found));
            }
            return Ok(());
        }
        self.unlisted(path, kind)
    }

    fn unlisted(&mut self, path: &str, kind: Kind) -> Result<(), InstallError> {
        if [RECEIPT_FILE, FILES_FILE, STAMPS_FILE].iter().any(|own| path == format!("{RECEIPT_DIRECTORY}/{own}")) {
            return self.own(path);
        }
        let compiled = bytecode::compiled(path).filter(|it| self.listed.files.contains_key(it.source.as_str()));
        if let Some(compiled) = compiled.filter(|_| kind == Kind::File) {
            self.seen.bytecode.insert(Candidate { path: path.to_owned(), compiled });
            return self.own(path);
        }
        let code = if is_metadata(path) {
            FindingCode::ForeignDistribution
        } else if self.is_startup_hook(path) {
            FindingCode::StartupHook
        } else {
            FindingCode::Added
        };
        self.report.findings.push(Finding::new(code, path, "nothing", self.shown(path, kind)));
        Ok(())
    }

    /// A file that may be there belongs to whom the environment belongs to.
    fn own(&mut self, path: &str) -> Result<(), InstallError> {
        let facts = self.opened.facts(path).map_err(InstallError::io("look at", &disk::below(self.root, path)))?;
        self.report.findings.extend(self.custom.wrong_directory(path, &facts));
        Ok(())
    }

    /// Adds a finding for every listed path that was asked about and not seen.
    fn missing(&mut self, asked: &dyn Fn(&str) -> bool) {
        let listed = self.listed;
        let closed = std::mem::take(&mut self.closed);
        let asked = |path: &str| asked(path) && !closed.iter().any(|directory| is_below(path, directory));
        let wrong_kind: BTreeSet<String> = self
            .report
            .findings
            .iter()
            .filter(|it| it.code == FindingCode::LinkChanged)
            .map(|it| it.path.clone())
            .collect();
        for (path, file) in listed.files.iter().filter(|(path, _)| !self.present.contains(*path)) {
            if asked(path) && !wrong_kind.contains(*path) {
                let finding = Finding::new(FindingCode::Missing, path, format!("sha256 {}", file.sha256), "no file");
                self.report.findings.push(finding.of(listed.owner(file)));
            }
        }
        for (path, link) in listed.links.iter().filter(|(path, _)| asked(path) && !self.links.contains(*path)) {
            let expected = format!("a link to `{}`", link.target);
            self.report.findings.push(Finding::new(FindingCode::Missing, path, expected, "no link"));
        }
    }

    /// A missing file and an added one whose names some file system takes for one: it was renamed. On such a file system
    /// the program runs on, and on any other it does not.
    fn renamed(&mut self) {
        let is_missing =
            |it: &&Finding| it.code == FindingCode::Missing && self.listed.files.contains_key(it.path.as_str());
        let fold = |path: &str| path.parse().ok().map(|path| portable_fold(&path));
        let missing: BTreeMap<String, String> = self
            .report
            .findings
            .iter()
            .filter(is_missing)
            .filter_map(|it| Some((fold(&it.path)?, it.path.clone())))
            .collect();
        if missing.is_empty() {
            return;
        }
        let mut found = BTreeSet::new();
        let mut buffer = vec![0; RENAMED_BUFFER_BYTES];
        for finding in &mut self.report.findings {
            let is_new = matches!(
                finding.code,
                FindingCode::Added | FindingCode::StartupHook | FindingCode::ForeignDistribution
            );
            let before = fold(&finding.path).filter(|_| is_new).and_then(|folded| missing.get(&folded));
            let Some(file) = before.and_then(|before| self.listed.files.get(before.as_str())) else { continue };
            let same = hashes::read(&self.opened, &finding.path, &mut buffer, &|_| {});
            let bytes =
                if same.is_ok_and(|(sha256, _)| sha256 == file.sha256) { "the same bytes" } else { "other bytes" };
            let (expected, shown) = (format!("`{}`", file.path), format!("`{}`, {bytes}", finding.path));
            *finding = Finding::new(FindingCode::Renamed, &finding.path, expected, shown).of(self.listed.owner(file));
            found.insert(file.path.to_string());
        }
        self.report.findings.retain(|it| it.code != FindingCode::Missing || !found.contains(&it.path));
    }

    fn is_startup_hook(&self, path: &str) -> bool {
        let scheme = &self.listed.header.interpreter.scheme;
        [&scheme.purelib, &scheme.platlib].into_iter().any(|site| {
            let site = layout::through_link(site.clone());
            let inside = path.strip_prefix(&site).and_then(|rest| rest.strip_prefix('/'));
            let is_start = |inside: &str| !inside.contains('/') && inside.to_lowercase().ends_with(".start");
            inside.is_some_and(|inside| {
                let hazard = inside.parse().ok().and_then(|inside| Hazard::of(Scheme::Root, &inside));
                hazard.is_some() || is_start(inside)
            })
        })
    }

    fn shown(&self, path: &str, kind: Kind) -> String {
        match kind {
            Kind::Directory => "a directory".to_owned(),
            Kind::File => "a file".to_owned(),
            Kind::Link => {
                let target = fs::read_link(disk::below(self.root, path));
                target.map_or_else(|_| "a link".to_owned(), |target| format!("a link to `{}`", target.display()))
            }
            Kind::Other => "neither file, directory nor link".to_owned(),
        }
    }
}

/// Returns true if a path is below a directory.
fn is_below(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
}

fn is_not_found(error: &InstallError) -> bool {
    matches!(error, InstallError::Io { source, .. } if source.kind() == ErrorKind::NotFound)
}

/// Returns true for what tools take for an installed distribution.
fn is_metadata(path: &str) -> bool {
    let name = disk::split(path).1.to_ascii_lowercase();
    [".dist-info", ".egg-info", ".egg-link", ".egg"].iter().any(|suffix| name.ends_with(suffix))
}

/// A file that was renamed is read in pieces.
const RENAMED_BUFFER_BYTES: usize = 64 << 10;
