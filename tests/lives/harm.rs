//! What may happen to the files of an environment, of its history and of the store.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use pinfold_testkit::Python;

use super::model::generation;
use super::{ENVIRONMENTS, Life};
use crate::dice::Dice;

/// Each way to harm a file, or what is beside it.
const WAYS: [fn(&Path, &mut Dice); 8] =
    [replaced, removed, added, opened, linked, written_through, appended, with_bytecode];
/// Those after which a stored file is not what was stored.
const WAYS_OF_A_STORE: [fn(&Path, &mut Dice); 6] = [replaced, removed, opened, linked, written_through, appended];

/// What stands in bytecode that comes from no source.
pub(super) const FORGED: &[u8] = b"forged";

impl Life {
    /// Changes something in an environment, or in what is kept of it.
    pub(super) fn harm(&mut self, which: usize) {
        let environment = &self.environments[which];
        let mut trees: Vec<String> = environment.former.keys().map(|it| generation(environment.name, *it)).collect();
        trees.extend(environment.current.as_ref().map(|_| ENVIRONMENTS[which].to_owned()));
        trees.sort();
        if trees.is_empty() {
            return;
        }
        let tree = self.home().project().join(&trees[self.dice.roll(trees.len())]);
        let site = tree.join(format!("lib/python{}/site-packages", Python::found().minor));
        let mut files = files_below(&site);
        files.extend(tree.join("bin/kept").is_file().then(|| tree.join("bin/kept")));
        self.harm_one(&files, &WAYS);
    }

    /// Changes something in the store.
    pub(super) fn harm_store(&mut self) {
        let store = self.home().cache().join("store");
        let files = [files_below(&store.join("trees")), files_below(&store.join("artifacts"))].concat();
        self.harm_one(&files, &WAYS_OF_A_STORE);
    }

    fn harm_one(&mut self, files: &[PathBuf], ways: &[fn(&Path, &mut Dice)]) {
        if files.is_empty() {
            return;
        }
        let (file, way) = (&files[self.dice.roll(files.len())], self.dice.roll(ways.len()));
        self.story.push(format!("somebody is at `{}`, in way {way}", file.display()));
        let parent = file.parent().expect("a file is in a directory");
        let mode = fs::metadata(parent).expect("it is there").permissions();
        fs::set_permissions(parent, fs::Permissions::from_mode(0o755)).expect("the test made it");
        ways[way](file, &mut self.dice);
        fs::set_permissions(parent, mode).expect("the test made it");
        // Files of the store, of environments and of generations are one and the same.
        self.store_is_harmed = true;
        for environment in &mut self.environments {
            environment.look_again(&self.project.home);
        }
    }
}

/// Files, no links, below a directory, sorted; without bytecode, which comes and goes.
fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let (kind, path) = (entry.file_type().expect("it was just listed"), entry.path());
        if kind.is_dir() && entry.file_name() != "__pycache__" {
            found.extend(files_below(&path));
        } else if kind.is_file() {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn replaced(file: &Path, dice: &mut Dice) {
    let mode = fs::metadata(file).expect("it is there").permissions();
    let bytes = other_bytes(file, dice);
    fs::remove_file(file).expect("the test made it");
    fs::write(file, bytes).expect("there is room");
    fs::set_permissions(file, mode).expect("the test made it");
}

fn removed(file: &Path, _: &mut Dice) {
    fs::remove_file(file).expect("the test made it");
}

fn added(file: &Path, dice: &mut Dice) {
    fs::write(file.with_file_name(format!("added_{}.py", dice.roll(1000))), "").expect("there is room");
}

/// Others may write to it, or it may be run.
fn opened(file: &Path, dice: &mut Dice) {
    let now = fs::metadata(file).expect("it is there").permissions().mode();
    let mode = if dice.one_in(2) { now | 0o022 } else { now ^ 0o111 };
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).expect("the test made it");
}

fn linked(file: &Path, _: &mut Dice) {
    let copy = file.with_file_name("copy-of-it.txt");
    fs::copy(file, &copy).expect("there is room");
    fs::remove_file(file).expect("the test made it");
    symlink("copy-of-it.txt", file).expect("there is room");
}

/// The same size and other bytes, where it lies. Whoever puts its time back too is found by those who read every byte only.
fn written_through(file: &Path, dice: &mut Dice) {
    let mut bytes = fs::read(file).expect("it is there");
    match bytes.first_mut() {
        Some(first) => *first ^= 1,
        None => return appended(file, dice),
    }
    write_where_it_lies(file, &bytes);
}

fn appended(file: &Path, _: &mut Dice) {
    write_where_it_lies(file, &[fs::read(file).expect("it is there"), b"#\n".to_vec()].concat());
}

/// Writes to a file that its owner may not write to, and leaves its mode as it was.
fn write_where_it_lies(file: &Path, bytes: &[u8]) {
    let mode = fs::metadata(file).expect("it is there").permissions();
    fs::set_permissions(file, fs::Permissions::from_mode(0o644)).expect("the test made it");
    fs::write(file, bytes).expect("the test made it");
    fs::set_permissions(file, mode).expect("the test made it");
}

/// Bytecode that comes from no source, where an interpreter looks for that of a listed one.
fn with_bytecode(file: &Path, _: &mut Dice) {
    let name = file.file_stem().expect("a file has a name").to_string_lossy().into_owned();
    let directory = file.with_file_name("__pycache__");
    fs::create_dir_all(&directory).expect("there is room");
    let tag = Python::found().minor.replace('.', "");
    fs::write(directory.join(format!("{name}.cpython-{tag}.pyc")), FORGED).expect("there is room");
}

fn other_bytes(file: &Path, dice: &mut Dice) -> Vec<u8> {
    let bytes = fs::read(file).expect("it is there");
    if dice.one_in(2) || bytes.is_empty() { b"#".to_vec() } else { bytes.iter().map(|byte| byte ^ 1).collect() }
}
