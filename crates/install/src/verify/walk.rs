//! Everything that is in an environment: what is missing, what was added, what is no longer what it was.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::Path;

use pinfold_unpack::{Hazard, Scheme};

use super::{Finding, FindingCode, Listed, Report};
use crate::disk::{self, Directory, Kind};
use crate::receipt::{FILES_FILE, RECEIPT_DIRECTORY, RECEIPT_FILE};
use crate::{Environment, InstallError, bytecode, layout};

/// Lists the environment and adds a finding for everything that should not be there, or should. Returns the paths of the
/// listed files that are there, as regular files.
pub(super) fn walk<'a>(
    environment: &Environment,
    listed: &Listed<'a>,
    report: &mut Report,
) -> Result<BTreeSet<&'a str>, InstallError> {
    let root = environment.venv();
    let opened = Directory::open(root).map_err(InstallError::io("open", root))?;
    let mut walk = Walk { root, opened, listed, report, present: BTreeSet::new(), links: BTreeSet::new() };
    let mut waiting = vec![String::new()];
    while let Some(directory) = waiting.pop() {
        walk.directory(&directory, &mut waiting)?;
    }
    let Walk { present, links, report, .. } = walk;
    for (path, file) in listed.files.iter().filter(|(path, _)| !present.contains(*path)) {
        let wrong_kind = report.findings.iter().any(|it| it.code == FindingCode::LinkChanged && it.path == **path);
        if !wrong_kind {
            let finding = Finding::new(FindingCode::Missing, path, format!("sha256 {}", file.sha256), "no file");
            report.findings.push(finding.of(listed.owner(file)));
        }
    }
    for (path, link) in listed.links.iter().filter(|(path, _)| !links.contains(*path)) {
        let expected = format!("a link to `{}`", link.target);
        report.findings.push(Finding::new(FindingCode::Missing, path, expected, "no link"));
    }
    Ok(present)
}

struct Walk<'w, 'a> {
    root: &'w Path,
    opened: Directory,
    listed: &'w Listed<'a>,
    report: &'w mut Report,
    present: BTreeSet<&'a str>,
    links: BTreeSet<&'a str>,
}

impl Walk<'_, '_> {
    fn directory(&mut self, directory: &str, waiting: &mut Vec<String>) -> Result<(), InstallError> {
        let path = disk::below(self.root, directory);
        let failed = || InstallError::io("list", &path);
        for entry in fs::read_dir(&path).map_err(failed())? {
            let entry = entry.map_err(failed())?;
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
                self.entry(&inside, kind)?;
            }
        }
        Ok(())
    }

    fn subdirectory(&mut self, path: String, waiting: &mut Vec<String>) {
        let listed = self.listed;
        let is_listed = || {
            let prefix = format!("{path}/");
            listed.files.range(prefix.as_str()..).next().is_some_and(|(found, _)| found.starts_with(&prefix))
        };
        if is_metadata(&path) && !is_listed() {
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
            let (expected, found) = (format!("a link to `{}`", link.target), self.shown(path, kind));
            if expected != found {
                self.report.findings.push(Finding::new(FindingCode::LinkChanged, path, expected, found));
            }
            return Ok(());
        }
        self.unlisted(path, kind)
    }

    fn unlisted(&mut self, path: &str, kind: Kind) -> Result<(), InstallError> {
        if [RECEIPT_FILE, FILES_FILE].iter().any(|own| path == format!("{RECEIPT_DIRECTORY}/{own}")) {
            return Ok(());
        }
        let bytecode = self.bytecode_problem(path, kind)?;
        if bytecode == Some(None) {
            self.report.bytecode_files += 1;
            return Ok(());
        }
        let found = match bytecode.flatten() {
            Some(problem) => format!("bytecode: {problem}"),
            None => self.shown(path, kind),
        };
        let code = if is_metadata(path) {
            FindingCode::ForeignDistribution
        } else if self.is_startup_hook(path) {
            FindingCode::StartupHook
        } else {
            FindingCode::Added
        };
        self.report.findings.push(Finding::new(code, path, "nothing", found));
        Ok(())
    }

    /// None if it is no bytecode of an installed source; else what is wrong with it, if anything is.
    fn bytecode_problem(&self, path: &str, kind: Kind) -> Result<Option<Option<&'static str>>, InstallError> {
        let source = path.parse().ok().and_then(|path| bytecode::source_of(&path));
        let Some(source) = source.filter(|source| self.listed.files.contains_key(source.as_str())) else {
            return Ok(None);
        };
        let file = disk::below(self.root, path);
        if kind != Kind::File {
            return Ok(None);
        }
        let Ok(facts) = self.opened.facts(&source) else {
            return Ok(Some(Some("its source is gone")));
        };
        let opened = self.opened.open_file(path).map_err(InstallError::io("open", &file))?;
        let mut header = Vec::new();
        opened.take(bytecode::HEADER_BYTES).read_to_end(&mut header).map_err(InstallError::io("read", &file))?;
        let bytes = || fs::read(disk::below(self.root, &source)).unwrap_or_default();
        Ok(Some(bytecode::problem(&header, &facts, bytes)))
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

/// Returns true for what tools take for an installed distribution.
fn is_metadata(path: &str) -> bool {
    let name = disk::split(path).1.to_ascii_lowercase();
    [".dist-info", ".egg-info", ".egg-link", ".egg"].iter().any(|suffix| name.ends_with(suffix))
}
