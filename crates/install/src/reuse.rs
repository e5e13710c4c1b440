//! A directory tree that was a generation becomes another one: what is the same stays, everything else goes or is placed.
//!
//! Nothing that was recorded of the tree is believed. Each directory is opened through no link, listed, and held against the
//! plan: a name that is not planned is removed, with whatever is below it; a file of a distribution stays if it is the
//! store's own, as the store stamped it (device, number, size, time, mode, owner), which is what is asked of a file that has
//! just been linked; a file that pinfold writes stays if it has the right bytes and no other name; all others are removed
//! and placed anew. No file is ever written to where it lies: a program may still have it open, and the store may have it too.
//!
//! Directories stay only if they are as a new one would be made now. The first that is not ends the attempt: the generation
//! is built whole then, and nobody has lost anything.

mod names;

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::disk::{self, Directory, Facts, Kind, Opened};
use crate::link::{self, LastUsed, Placer, Placing};
use crate::merge::{Group, Planned, Source};
use crate::receipt::RECEIPT_DIRECTORY;
use crate::verify::stamps::{Stamped, Stamps};
use crate::{InstallError, InstalledLink, threads};
use names::Names;

/// A tree that is to become a generation.
pub(crate) struct Reused<'r> {
    root: &'r Directory,
    /// What a directory that was made just now is like.
    fresh: Facts,
}

impl<'r> Reused<'r> {
    /// Takes a tree: from now on it is no generation. The receipt's directory is there, and empty.
    ///
    /// # Errors
    /// If the tree cannot be used, for whatever reason.
    pub(crate) fn begin(tree: &'r Opened) -> Result<Self, InstallError> {
        let root = &tree.directory;
        let emptied = root.remove_tree(RECEIPT_DIRECTORY).and_then(|()| root.make_directory(RECEIPT_DIRECTORY));
        let fresh = emptied.and_then(|()| root.facts(RECEIPT_DIRECTORY));
        Ok(Self { root, fresh: fresh.map_err(InstallError::io("use again", &tree.path))? })
    }

    /// Makes it hold the merged files, the links, and the `own` directories with those above them, and nothing else but
    /// the receipt's directory. Returns what the file system says of each file, in the order of the files.
    ///
    /// # Errors
    /// [`InstallError::StoreChanged`] if a tree of the store is not what it was; [`InstallError::Io`] if this one cannot be
    /// used. It is then of no use any more.
    pub(crate) fn make(
        &self,
        groups: &[Group<'_>],
        links: &[InstalledLink],
        own: &[String],
        placing: &Placing<'_>,
    ) -> Result<Vec<Stamped>, InstallError> {
        let layout = layout(groups, links, own);
        let placer = Placer::new(*placing);
        let work = Work { reused: self, layout: &layout, placing, devices: devices(placing), placer };
        let tasks = Tasks::beginning_with(Task { position: 0, parent: None });
        let done =
            threads::on_each(placing.threads, |_| work.take(&tasks)).into_iter().collect::<Result<Vec<_>, _>>()?;
        // The directories are in the order of the files.
        Ok(Stamps::join(&done))
    }
}

/// A directory as it is planned.
struct Wanted<'p> {
    /// Its path, empty for the root.
    path: &'p str,
    /// The files in it, sorted by name.
    files: &'p [Planned<'p>],
    /// The links in it.
    links: Vec<&'p InstalledLink>,
    /// The directories in it, by position, sorted by name.
    directories: Vec<usize>,
}

impl Wanted<'_> {
    /// Returns the name of what is in it, from its path: quicker than looking for the last slash.
    fn name_of<'n>(&self, path: &'n str) -> &'n str {
        disk::inside(self.path, path)
    }
}

/// Returns the planned directories sorted by path, the root first.
fn layout<'p>(groups: &[Group<'p>], links: &'p [InstalledLink], own: &'p [String]) -> Vec<Wanted<'p>> {
    let mut paths = BTreeSet::from([""]);
    for Group { directory, .. } in groups {
        paths.insert(*directory);
        disk::add_parents(&mut paths, directory);
    }
    links.iter().for_each(|link| disk::add_parents(&mut paths, link.path.as_str()));
    for path in own {
        disk::add_parents(&mut paths, path);
        paths.insert(path);
    }
    // Paths and groups are in one order.
    let mut groups = groups.iter().peekable();
    let wanted = |path: &'p str| Wanted {
        path,
        files: groups.next_if(|group| group.directory == path).map_or(&[], |group| group.files),
        links: links.iter().filter(|link| disk::split(link.path.as_str()).0 == path).collect(),
        directories: Vec::new(),
    };
    let mut layout: Vec<Wanted<'p>> = paths.into_iter().map(wanted).collect();
    for position in 1..layout.len() {
        let parent = disk::split(layout[position].path).0;
        if let Ok(parent) = layout.binary_search_by(|it| it.path.cmp(parent)) {
            layout[parent].directories.push(position);
        }
    }
    layout
}

/// Returns the devices that the trees of the store are on.
fn devices(placing: &Placing<'_>) -> Vec<Option<u64>> {
    let device =
        |path: &Path| Directory::open(path).and_then(|directory| directory.facts(".")).ok().map(|it| it.device);
    placing.trees.iter().map(|it| device(it.tree.files_dir())).collect()
}

/// What the workers share.
struct Work<'w> {
    reused: &'w Reused<'w>,
    layout: &'w [Wanted<'w>],
    placing: &'w Placing<'w>,
    devices: Vec<Option<u64>>,
    placer: Placer<'w>,
}

/// A directory that is to be looked at, in one that is open.
struct Task {
    position: usize,
    parent: Option<Arc<Directory>>,
}

impl<'w> Work<'w> {
    /// Takes directory after directory, until there is none left. Returns the stamps of their files.
    fn take(&self, tasks: &Tasks) -> Result<Stamps, InstallError> {
        let (mut opened, mut names, mut done) = (LastUsed::default(), Names::default(), Stamps::default());
        while let Some(task) = tasks.next() {
            let _busy = Busy(tasks);
            done.begin(task.position);
            match self.directory(&task, &mut opened, &mut names, &mut done) {
                Ok(directory) => {
                    let inside = &self.layout[task.position].directories;
                    let parent = Arc::new(directory);
                    tasks.add(inside.iter().map(|at| Task { position: *at, parent: Some(Arc::clone(&parent)) }));
                }
                Err(error) => {
                    tasks.stop();
                    return Err(error);
                }
            }
        }
        Ok(done)
    }

    /// Makes one directory what is planned, but for what is in those in it.
    fn directory(
        &self,
        task: &Task,
        opened: &mut LastUsed<'w>,
        names: &mut Names,
        stamps: &mut Stamps,
    ) -> Result<Directory, InstallError> {
        let wanted = &self.layout[task.position];
        let failed = |name: &str, error| {
            let path = disk::below(&disk::below(self.placing.root, wanted.path), name);
            InstallError::io("use again", &path)(error)
        };
        let (parent, name) = (task.parent.as_deref().unwrap_or(self.reused.root), disk::split(wanted.path).1);
        let directory = parent.open_to_list(name).map_err(|e| failed("", e))?;
        let is_fresh = directory.own_facts().map(|facts| self.is_fresh(&facts)).map_err(|e| failed("", e))?;
        if !is_fresh {
            return Err(failed("", ErrorKind::InvalidData.into()));
        }
        let there = self.sift(wanted, &directory, names).map_err(|(name, error)| failed(&name, error))?;
        for (file, is_there) in wanted.files.iter().zip(there.files) {
            let name = wanted.name_of(file.path.as_str());
            let kept = if is_there { self.kept(file, &directory, name).map_err(|e| failed(name, e))? } else { None };
            let facts = match kept {
                Some(facts) => facts,
                None => {
                    if is_there {
                        directory.remove(name).map_err(|e| failed(name, e))?;
                    }
                    self.placer.place(file, &directory, opened)?
                }
            };
            stamps.push(Stamped::of(&facts));
        }
        for (position, _) in wanted.directories.iter().zip(there.directories).filter(|(_, is_there)| !is_there) {
            let name = wanted.name_of(self.layout[*position].path);
            directory.make_directory(name).map_err(|e| failed(name, e))?;
        }
        for (link, _) in wanted.links.iter().zip(there.links).filter(|(_, is_there)| !is_there) {
            let name = wanted.name_of(link.path.as_str());
            directory.symlink(&link.target, name).map_err(|e| failed(name, e))?;
        }
        (self.placing.progress)(wanted.files.len() as u64);
        Ok(directory)
    }

    /// Removes what is not planned in a directory, and says what of that which is planned is there: files that may be
    /// right, directories, and links that are right.
    fn sift(
        &self,
        wanted: &Wanted<'_>,
        directory: &Directory,
        names: &mut Names,
    ) -> Result<There, (String, io::Error)> {
        names.list(directory).map_err(|e| (String::new(), e))?;
        let (mut there, mut surplus) = (There::nothing_of(wanted), Vec::new());
        // Both lists are sorted by name: what is looked for is never before what was found last.
        let (mut next_file, mut next_directory) = (0, 0);
        for (name, kind) in names.all() {
            let Some(name) = name else {
                // It was never installed; and nothing here can name it.
                return Err((String::new(), ErrorKind::InvalidData.into()));
            };
            let is_planned = match kind {
                Kind::Directory => {
                    find(&wanted.directories, &mut next_directory, name, |at| wanted.name_of(self.layout[*at].path))
                        .map(|found| there.directories[found] = true)
                        .is_some()
                }
                Kind::File => find(wanted.files, &mut next_file, name, |file| wanted.name_of(file.path.as_str()))
                    .map(|found| there.files[found] = true)
                    .is_some(),
                Kind::Link => {
                    let found = wanted.links.iter().position(|it| wanted.name_of(it.path.as_str()) == name);
                    let is_right = |found: &usize| is_right(directory, name, &wanted.links[*found].target);
                    found.filter(is_right).map(|found| there.links[found] = true).is_some()
                }
                Kind::Other => false,
            };
            let is_receipt = wanted.path.is_empty() && name == RECEIPT_DIRECTORY;
            if !is_planned && !is_receipt {
                surplus.push((name.to_owned(), kind));
            }
        }
        for (name, kind) in surplus {
            let removed = match kind {
                Kind::Directory => directory.remove_tree(&name),
                _ => directory.remove(&name),
            };
            removed.map_err(|e| (name, e))?;
        }
        Ok(there)
    }

    /// Returns true if a directory is as one is that was made just now.
    fn is_fresh(&self, facts: &Facts) -> bool {
        let Facts { kind, mode, owner, device, .. } = self.reused.fresh;
        (facts.kind, facts.mode, facts.owner, facts.device) == (kind, mode, owner, device)
    }

    /// Returns what the file system says of a file, if it is the one that would be placed.
    fn kept(&self, file: &Planned<'_>, directory: &Directory, name: &str) -> io::Result<Option<Facts>> {
        let facts = directory.facts(name)?;
        let is_right = match &file.source {
            Source::Tree(position, stored) => {
                self.devices[*position as usize] == Some(facts.device) && link::difference(&facts, stored).is_none()
            }
            Source::Bytes(bytes) => {
                let mode = link::mode_of_copy(file.executable) & self.reused.fresh.mode;
                facts.kind == Kind::File
                    && facts.is_ours()
                    && (facts.mode, facts.names, facts.size_bytes) == (mode, 1, bytes.len() as u64)
                    && has_bytes(directory, name, bytes)?
            }
        };
        Ok(is_right.then_some(facts))
    }
}

/// Returns where a name is in a list that is sorted by name, from `next` on, and leaves `next` behind what comes before it.
fn find<'l, T>(list: &'l [T], next: &mut usize, name: &str, name_of: impl Fn(&'l T) -> &'l str) -> Option<usize> {
    while let Some(it) = list.get(*next) {
        match name_of(it).cmp(name) {
            Ordering::Less => *next += 1,
            Ordering::Equal => return Some(*next),
            Ordering::Greater => return None,
        }
    }
    None
}

/// What of a directory as it is planned is there.
struct There {
    files: Vec<bool>,
    links: Vec<bool>,
    directories: Vec<bool>,
}

impl There {
    fn nothing_of(wanted: &Wanted<'_>) -> Self {
        let Wanted { files, links, directories, .. } = wanted;
        let [files, links, directories] = [files.len(), links.len(), directories.len()].map(|count| vec![false; count]);
        Self { files, links, directories }
    }
}

/// Returns true for a link of ours with this target.
fn is_right(directory: &Directory, name: &str, target: &str) -> bool {
    directory.facts(name).is_ok_and(|facts| facts.is_ours())
        && directory.read_link(name).is_ok_and(|found| found == Path::new(target))
}

/// Returns true if a file of the right size has these bytes.
fn has_bytes(directory: &Directory, name: &str, bytes: &[u8]) -> io::Result<bool> {
    let mut found = vec![0; bytes.len()];
    disk::read_at(&directory.open_file(name)?, &mut found, 0)?;
    Ok(found == bytes)
}

/// The directories that wait to be looked at. A worker that finds none waits for those that others may still add.
struct Tasks {
    state: Mutex<Waiting>,
    changed: Condvar,
}

struct Waiting {
    tasks: Vec<Task>,
    /// How many workers are at work.
    busy: usize,
    /// How many wait for a task.
    idle: usize,
    is_stopped: bool,
}

impl Tasks {
    fn beginning_with(task: Task) -> Self {
        let state = Mutex::new(Waiting { tasks: vec![task], busy: 0, idle: 0, is_stopped: false });
        Self { state, changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, Waiting> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the newest task: what is open stays little, and what is near in the tree is near in memory.
    fn next(&self) -> Option<Task> {
        let mut state = self.state();
        loop {
            if state.is_stopped {
                return None;
            }
            if let Some(task) = state.tasks.pop() {
                state.busy += 1;
                return Some(task);
            }
            if state.busy == 0 {
                return None;
            }
            state.idle += 1;
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }

    fn add(&self, tasks: impl ExactSizeIterator<Item = Task>) {
        if tasks.len() == 0 {
            return;
        }
        let mut state = self.state();
        state.tasks.extend(tasks);
        // To call nobody costs a system call.
        if state.idle > 0 {
            self.changed.notify_all();
        }
    }

    fn stop(&self) {
        self.state().is_stopped = true;
        self.changed.notify_all();
    }
}

/// A worker that is at work; not any more once this is dropped.
struct Busy<'t>(&'t Tasks);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.busy -= 1;
        if state.busy == 0 && state.idle > 0 {
            self.0.changed.notify_all();
        }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
