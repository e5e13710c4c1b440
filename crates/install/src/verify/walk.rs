//! Everything that is in an environment: what is missing, what was added, what is no longer what it was.
//!
//! Each directory is opened from the one that it is in, through no link, and what is in it is looked at in what was opened: one
//! that is swapped for a link meanwhile is a link, which is a finding, and nothing behind it is looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::rc::Rc;

use pinfold_unpack::{Hazard, Scheme, portable_fold};

use super::hashes::{self, Custom};
use super::proof::Candidate;
use super::{Finding, FindingCode, Listed, Report};
use crate::disk::{self, Directory, Facts, Kind, Room};
use crate::receipt::{FILES_FILE, RECEIPT_DIRECTORY, RECEIPT_FILE, STAMPS_FILE};
use crate::{Environment, InstallError, base, bytecode, layout};

/// What a walk saw beside its findings.
#[derive(Debug, Default)]
pub(super) struct Seen<'a> {
    /// Bytecode beside listed sources that is not listed itself.
    pub(super) bytecode: BTreeSet<Candidate>,
    /// The directories.
    pub(super) directories: Vec<String>,
    /// Listed files that are there.
    present: BTreeSet<&'a str>,
}

impl Seen<'_> {
    /// Adds a finding for every file that the walk saw and that could not be read: something took its place in between, or the
    /// place of a directory that it is in.
    pub(super) fn reread(&self, unread: &[&str], listed: &Listed<'_>, report: &mut Report) {
        for path in unread.iter().filter(|path| self.present.contains(*path)) {
            let Some(file) = listed.files.get(*path) else { continue };
            let (expected, found) = (format!("sha256 {}", file.sha256), "no file: it was taken away meanwhile");
            report.findings.push(Finding::new(FindingCode::Missing, path, expected, found).of(listed.owner(file)));
        }
    }
}

/// Lists the environment and adds a finding for everything that should not be there, or should.
pub(super) fn walk<'a>(
    environment: &Environment,
    listed: &Listed<'a>,
    report: &mut Report,
) -> Result<Seen<'a>, InstallError> {
    let mut walk = Walk::begin(environment, listed, report)?;
    walk.whole()?;
    Ok(walk.seen)
}

/// Looks again at some paths, each of which may be a file, a directory with everything in it, or nothing.
#[cfg(target_os = "linux")]
pub(super) fn look<'a>(
    environment: &Environment,
    listed: &Listed<'a>,
    paths: &BTreeSet<String>,
    report: &mut Report,
) -> Result<Seen<'a>, InstallError> {
    let mut walk = Walk::begin(environment, listed, report)?;
    for path in paths {
        let file = disk::below(walk.root, path);
        let reached =
            disk::reach(&walk.opened, path).and_then(|(parent, name)| Ok((parent.facts(name)?, parent, name)));
        let mut waiting = Vec::new();
        match reached {
            Ok((facts, parent, _)) if facts.kind == Kind::Directory => {
                walk.subdirectory(path.clone(), &Rc::new(parent), &mut waiting);
            }
            Ok((facts, parent, name)) => match walk.entry(path, (&parent, name), facts.kind) {
                Err(error) if is_not_found(&error) => {}
                result => result?,
            },
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
            Err(error) => return Err(InstallError::io("look at", &file)(error)),
        }
        walk.descend(waiting)?;
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
    opened: Rc<Directory>,
    custom: Custom,
    listed: &'w Listed<'a>,
    report: &'w mut Report,
    links: BTreeSet<&'a str>,
    /// Directories of which nobody can tell what is in them.
    closed: Vec<String>,
    seen: Seen<'a>,
    /// Called with each directory between listing the one that it is in and opening it.
    #[cfg(test)]
    before_opening: &'w dyn Fn(&str),
}

/// A directory that is to be looked at, in one that is open. The newest is taken first, so that no more are open than are
/// above each other.
struct Task {
    path: String,
    parent: Rc<Directory>,
}

impl Task {
    /// Returns its name where it is; empty for the root.
    fn name(&self) -> &str {
        disk::split(&self.path).1
    }
}

impl<'w, 'a> Walk<'w, 'a> {
    fn begin(
        environment: &'w Environment,
        listed: &'w Listed<'a>,
        report: &'w mut Report,
    ) -> Result<Self, InstallError> {
        let root = environment.venv();
        let opened = Rc::new(Directory::open(root).map_err(InstallError::io("open", root))?);
        let custom = Custom::of(&opened).map_err(InstallError::io("look at", root))?;
        Ok(Self {
            root,
            opened,
            custom,
            listed,
            report,
            links: BTreeSet::new(),
            closed: Vec::new(),
            seen: Seen::default(),
            #[cfg(test)]
            before_opening: &|_| {},
        })
    }

    /// Looks at everything.
    fn whole(&mut self) -> Result<(), InstallError> {
        self.descend(vec![Task { path: String::new(), parent: Rc::clone(&self.opened) }])?;
        self.missing(&|_| true);
        self.renamed();
        Ok(())
    }

    /// Looks into the waiting directories, and into those in them.
    fn descend(&mut self, mut waiting: Vec<Task>) -> Result<(), InstallError> {
        let mut room = Room::new();
        while let Some(task) = waiting.pop() {
            #[cfg(test)]
            (self.before_opening)(&task.path);
            match self.directory(&task, &mut room, &mut waiting) {
                // A program may use the environment meanwhile: what it made and took away again was not there.
                Err(error) if is_not_found(&error) && !task.path.is_empty() => {}
                result => {
                    result?;
                    self.seen.directories.push(task.path);
                }
            }
        }
        Ok(())
    }

    fn directory(&mut self, task: &Task, room: &mut Room, waiting: &mut Vec<Task>) -> Result<(), InstallError> {
        let directory = task.path.as_str();
        let failed = |error| InstallError::io("list", &disk::below(self.root, directory))(error);
        let opened = match task.parent.open_to_list(task.name()) {
            Ok(opened) => opened,
            // It was a directory when the one that it is in was listed: something took its place.
            Err(error) if error.kind() == ErrorKind::NotADirectory && !directory.is_empty() => {
                let facts = task.parent.facts(task.name()).map_err(failed)?;
                return self.entry(directory, (&task.parent, task.name()), facts.kind);
            }
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                return self.closed(task).unwrap_or(Err(error)).map_err(failed);
            }
            Err(error) => return Err(failed(error)),
        };
        let facts = opened.own_facts().map_err(failed)?;
        self.hands(directory, &facts);
        if let Some(finding) = self.custom.closed_directory(shown_path(directory), &facts) {
            self.report.findings.push(finding);
            // Root may, whatever the permissions are.
            if facts.is_ours() && opened.facts(".").is_err() {
                self.closed.push(directory.to_owned());
                return Ok(());
            }
        }
        self.list(directory, opened, room, waiting)
    }

    /// Adds a finding for a directory that may not be listed, if it is ours; nothing if it is somebody else's.
    fn closed(&mut self, task: &Task) -> Option<io::Result<()>> {
        // The environment itself has no name in itself.
        let facts = if task.path.is_empty() { task.parent.own_facts() } else { task.parent.facts(task.name()) };
        let facts = match facts {
            Ok(facts) => facts,
            Err(error) => return Some(Err(error)),
        };
        let finding = self.custom.closed_directory(shown_path(&task.path), &facts).filter(|_| facts.is_ours())?;
        self.hands(&task.path, &facts);
        self.report.findings.push(finding);
        self.closed.push(task.path.clone());
        Some(Ok(()))
    }

    /// Adds a finding if others may write to a directory, or own it.
    fn hands(&mut self, directory: &str, facts: &Facts) {
        let is_left = disk::split(directory).1 == bytecode::DIRECTORY && !self.has_listed(directory);
        let shown = shown_path(directory);
        let finding = match is_left {
            true => self.custom.wrong_hands_on_bytecode(shown, facts),
            false => self.custom.wrong_hands(shown, facts),
        };
        self.report.findings.extend(finding);
    }

    /// Looks at what is in a directory that was just opened.
    fn list(
        &mut self,
        directory: &str,
        opened: Directory,
        room: &mut Room,
        waiting: &mut Vec<Task>,
    ) -> Result<(), InstallError> {
        let opened = Rc::new(opened);
        let (mut is_empty, mut outcome) = (true, Ok(()));
        let mut path = if directory.is_empty() { String::new() } else { format!("{directory}/") };
        let begin = path.len();
        let mut see = |name: &OsStr, kind: Kind| {
            is_empty = false;
            path.truncate(begin);
            path.push_str(&name.to_string_lossy());
            if name.to_str().is_none() {
                self.report.findings.push(Finding::nameless(directory, name));
            } else if kind == Kind::Directory {
                self.subdirectory(path.clone(), &opened, waiting);
            } else if outcome.is_ok() {
                outcome = match self.entry(&path, (&opened, &path[begin..]), kind) {
                    Err(error) if is_not_found(&error) => Ok(()),
                    result => result,
                };
            }
        };
        let listed = opened.list(room, &mut see);
        listed.map_err(InstallError::io("list", &disk::below(self.root, directory)))?;
        outcome?;
        if is_empty && !self.is_installed(directory) {
            self.report.findings.push(Finding::new(FindingCode::Added, directory, "nothing", "an empty directory"));
        }
        Ok(())
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

    fn subdirectory(&mut self, path: String, parent: &Rc<Directory>, waiting: &mut Vec<Task>) {
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
        waiting.push(Task { path, parent: Rc::clone(parent) });
    }

    /// Looks at something that is no directory, of which its path and, in an open directory, its name are given.
    fn entry(&mut self, path: &str, place: Place<'_>, kind: Kind) -> Result<(), InstallError> {
        let listed = self.listed;
        if let Some((own, file)) = listed.files.get_key_value(path) {
            if kind == Kind::File {
                self.seen.present.insert(own);
            } else {
                let finding = Finding::new(FindingCode::LinkChanged, path, "a regular file", shown(place, kind));
                self.report.findings.push(finding.of(listed.owner(file)));
            }
            return Ok(());
        }
        if let Some((own, link)) = listed.links.get_key_value(path) {
            self.links.insert(own);
            let facts = self.facts(path, place)?;
            self.report.findings.extend(self.custom.wrong_owner(path, &facts));
            let (expected, found) = (format!("a link to `{}`", link.target), shown(place, kind));
            if expected != found {
                self.report.findings.push(Finding::new(FindingCode::LinkChanged, path, expected, found));
            }
            return Ok(());
        }
        self.unlisted(path, place, kind)
    }

    fn facts(&self, path: &str, (directory, name): Place<'_>) -> Result<Facts, InstallError> {
        directory.facts(name).map_err(|error| InstallError::io("look at", &disk::below(self.root, path))(error))
    }

    fn unlisted(&mut self, path: &str, place: Place<'_>, kind: Kind) -> Result<(), InstallError> {
        if [RECEIPT_FILE, FILES_FILE, STAMPS_FILE].iter().any(|own| path == format!("{RECEIPT_DIRECTORY}/{own}")) {
            let facts = self.facts(path, place)?;
            self.report.findings.extend(self.custom.wrong_hands(path, &facts));
            return Ok(());
        }
        let compiled = bytecode::compiled(path).filter(|it| self.listed.files.contains_key(it.source.as_str()));
        if let Some(compiled) = compiled.filter(|_| kind == Kind::File) {
            self.seen.bytecode.insert(Candidate { path: path.to_owned(), compiled });
            let facts = self.facts(path, place)?;
            self.report.findings.extend(self.custom.wrong_hands_on_bytecode(path, &facts));
            return Ok(());
        }
        let code = if is_metadata(path) {
            FindingCode::ForeignDistribution
        } else if self.is_startup_hook(path) {
            FindingCode::StartupHook
        } else {
            FindingCode::Added
        };
        self.report.findings.push(Finding::new(code, path, "nothing", shown(place, kind)));
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
        for (path, file) in listed.files.iter().filter(|(path, _)| !self.seen.present.contains(*path)) {
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
        let missing: BTreeMap<String, String> = self
            .report
            .findings
            .iter()
            .filter(is_missing)
            .map(|it| (portable_fold(&it.path), it.path.clone()))
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
            let before = if is_new { missing.get(&portable_fold(&finding.path)) } else { None };
            let Some(file) = before.and_then(|before| self.listed.files.get(before.as_str())) else { continue };
            let same = disk::reach(&self.opened, &finding.path)
                .and_then(|(directory, name)| hashes::read(&directory, name, &mut buffer, &|_| {}));
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
}

/// Something in an open directory, by its name there.
type Place<'p> = (&'p Directory, &'p str);

fn shown((directory, name): Place<'_>, kind: Kind) -> String {
    match kind {
        Kind::Directory => "a directory".to_owned(),
        Kind::File => "a file".to_owned(),
        Kind::Link => {
            let target = directory.read_link(name);
            target.map_or_else(|_| "a link".to_owned(), |target| format!("a link to `{}`", target.display()))
        }
        Kind::Other => "neither file, directory nor link".to_owned(),
    }
}

/// Returns a directory's path as it is shown: that of the environment has none in itself.
fn shown_path(directory: &str) -> &str {
    if directory.is_empty() { "." } else { directory }
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

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use pinfold_testkit::{WheelRecipe, copy_tree};

    use super::super::Depth;
    use super::super::hashes::Reading;
    use super::*;
    use crate::ReceiptFiles;
    use crate::fixture::World;

    /// Puts a link to a copy in the place of a directory: whoever follows it finds everything as it was installed.
    fn swap(world: &World, inside: &str) {
        let (place, copy) = (world.site(inside), world.home().join("copy"));
        copy_tree(&place, &copy);
        fs::rename(&place, world.home().join("moved")).unwrap();
        symlink(copy, place).unwrap();
    }

    /// Verifies with a directory swapped when another is about to be opened, or between the walk and the reading.
    fn swapped(inside: &str, before: Option<&str>) -> Vec<String> {
        let world = World::new();
        let wheels = [WheelRecipe::new("a", "1.0").file("a/deep/data.bin", "data"), WheelRecipe::new("b", "1.0")];
        world.install(&wheels).unwrap();
        let (header, (list, _)) = (
            world.environment.receipt().unwrap().unwrap(),
            ReceiptFiles::read(world.environment.venv()).unwrap().unwrap(),
        );
        let (listed, mut report) = (Listed::new(&header, &list, None), Report::default());
        let mut walk = Walk::begin(&world.environment, &listed, &mut report).unwrap();
        let site = format!("{}/", header.interpreter.scheme.purelib);
        let act = |path: &str| {
            if before.is_some_and(|before| path.strip_prefix(&site) == Some(before)) {
                swap(&world, inside);
            }
        };
        walk.before_opening = &act;
        walk.whole().unwrap();
        let seen = walk.seen;
        if before.is_none() {
            swap(&world, inside);
        }
        let reading =
            Reading { root: world.environment.venv(), depth: Depth::Full, which: &|_| true, progress: &|_| {} };
        let unread = hashes::check(&reading, &listed, &mut report).unwrap();
        seen.reread(&unread, &listed, &mut report);
        let mut shown: Vec<String> = (report.findings.iter())
            .map(|it| format!("{} {}", it.code.as_str(), it.path.replacen(&site, "", 1)))
            .collect();
        shown.sort();
        shown
    }

    #[test]
    fn a_directory_that_becomes_a_link_while_it_is_looked_at_is_found_and_not_followed() {
        let missing = ["missing a/__init__.py", "missing a/deep/data.bin"];
        assert_eq!(swapped("a", Some("a")), [&["added a"][..], &missing].concat());
        assert_eq!(swapped("a/deep", Some("a/deep")), ["added a/deep", missing[1]]);
        // What was opened is looked at to its end; then what is in it cannot be read where it should be.
        assert_eq!(swapped("a", Some("a/deep")), missing);
        assert_eq!(swapped("a", None), missing);
        assert_eq!(swapped("a/deep", None), missing[1..]);
    }

    #[test]
    fn a_directory_that_goes_while_it_is_looked_at_was_not_there() {
        let world = World::new();
        let wheels = [WheelRecipe::new("a", "1.0")];
        world.install(&wheels).unwrap();
        let made = world.site("a/made-by-a-program");
        fs::create_dir(&made).unwrap();
        let header = world.environment.receipt().unwrap().unwrap();
        let (list, _) = ReceiptFiles::read(world.environment.venv()).unwrap().unwrap();
        let (listed, mut report) = (Listed::new(&header, &list, None), Report::default());
        let mut walk = Walk::begin(&world.environment, &listed, &mut report).unwrap();
        let act = |path: &str| {
            if path.ends_with("made-by-a-program") {
                fs::remove_dir(&made).unwrap();
            }
        };
        walk.before_opening = &act;
        walk.whole().unwrap();
        assert_eq!(report.findings, []);
    }
}
