//! Compiling the modules of a new generation, so that the same sources and the same interpreter give the same files: on any
//! machine, in any environment, by however many processes at once.
//!
//! The interpreter is given sources and returns code; nothing that it writes reaches the environment as it is. The code is
//! written anew in its [one form](crate::verify::marshal::canonical), with the source's path inside the environment for its
//! file name, below a header that names the source by its hash (PEP 552, checked): the time of a file is when it was
//! unpacked, which is no property of what was locked. An interpreter that imports such a module compares the hash and, as
//! it fits, writes nothing.
//!
//! What each source compiled to is kept, so that the first `verify` compiles nothing again: the digest is of what this
//! process was told by the interpreter that it started, for bytes whose digest it had compared, and of no file.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use pinfold_artifact::ArchivePath;
use pinfold_packaging::{PackageName, PythonMinor};

use crate::disk::{self, Directory};
use crate::receipt::digest;
use crate::verify::compiler::{Compiler, Made, TIME_LIMIT, Task, read_source};
use crate::verify::known::{Key, Known, Way};
use crate::verify::marshal::{self, Canonical, Layout};
use crate::{InstallError, InstalledFile, Interpreter, InterpreterError, bytecode, layout};

/// What is compiled, and by what.
pub(crate) struct Modules<'m> {
    /// Where the generation is built.
    pub(crate) root: &'m Path,
    /// The interpreter.
    pub(crate) interpreter: &'m Interpreter,
    /// What is installed.
    pub(crate) files: &'m [InstalledFile],
    /// The distributions that own the files.
    pub(crate) owners: &'m [&'m PackageName],
    /// Where it is kept what sources compile to.
    pub(crate) kept: Option<&'m Path>,
    /// Told the number of modules that were just compiled.
    pub(crate) progress: &'m (dyn Fn(u64) + Sync),
}

/// Compiles every module and returns the files that this made. One of which the interpreter says that it cannot be compiled
/// is left to it: it says so again when that is imported.
pub(crate) fn compile(modules: &Modules<'_>, workers: usize) -> Result<Vec<InstalledFile>, InstallError> {
    let Modules { root: path, interpreter, .. } = *modules;
    let minor = PythonMinor::of(&interpreter.version);
    let layout = minor.and_then(|minor| Layout::of(minor.minor()));
    let (Some(minor), Some(layout)) = (minor, layout) else {
        let reason = format!("modules of Python {} cannot be compiled while installing", interpreter.version);
        return Err(InterpreterError::Answer { path: interpreter.base_executable.clone(), reason }.into());
    };
    let root = Directory::open(path).map_err(InstallError::io("open", path))?;
    let tag = format!("cpython-{}{}", minor.major(), minor.minor());
    let found = modules.find(&tag);
    let tasks: Vec<Task<'_>> = found.iter().map(Module::task).collect();
    let compiler = Compiler { root: &root, interpreter, workers, time_limit: TIME_LIMIT };
    let made = compiler.run(&tasks, &|position, made| {
        let module = &found[position];
        let unreadable = |_| compiler.unreadable(module.source.path.as_str());
        let code = made.code.map(|code| marshal::canonical(code, layout)).transpose().map_err(unreadable)?;
        let file = match code {
            Some(code) => Some((write(path, &root, module, made, &code)?, made.magic, code.digest)),
            None => None,
        };
        (modules.progress)(1);
        Ok((position, file))
    })?;
    let mut known = Known::read(modules.kept, interpreter);
    let (mut files, mut is_read) = (Vec::with_capacity(made.len()), vec![false; found.len()]);
    for (position, file) in made {
        is_read[position] = true;
        let Some((file, magic, code)) = file else { continue };
        known.insert(tasks[position].key, magic, Some(code));
        files.push(file);
    }
    if let Some(unread) = is_read.iter().position(|is_read| !is_read) {
        return Err(modules.unread(&root, found[unread].source));
    }
    known.keep();
    Ok(files)
}

/// A source, and where its bytecode goes.
struct Module<'m> {
    source: &'m InstalledFile,
    compiled: ArchivePath,
}

impl Module<'_> {
    fn task(&self) -> Task<'_> {
        let key = Key { source: self.source.sha256, level: 0, way: Way::Usual };
        Task { key, path: self.source.path.as_str() }
    }
}

impl<'m> Modules<'m> {
    /// Returns the modules in the site directories, sorted by path.
    fn find(&self, tag: &str) -> Vec<Module<'m>> {
        let scheme = &self.interpreter.scheme;
        let sites = [&scheme.purelib, &scheme.platlib].map(|site| layout::through_link(site.clone()) + "/");
        let there: BTreeSet<&ArchivePath> = self.files.iter().map(|file| &file.path).collect();
        let module = |source: &'m InstalledFile| {
            let (directory, name) = disk::split(source.path.as_str());
            let stem = name.strip_suffix(".py").filter(|stem| !stem.is_empty())?;
            let is_module = sites.iter().any(|site| source.path.as_str().starts_with(site))
                && source.path.segments().all(|segment| segment != bytecode::DIRECTORY);
            let name = format!("{stem}.{tag}.pyc");
            // No file system takes a longer name: the interpreter leaves nothing either.
            let compiled = format!("{directory}/{}/{name}", bytecode::DIRECTORY);
            let compiled: ArchivePath = compiled.parse().ok().filter(|_| is_module && name.len() <= NAME_BYTES)?;
            (!there.contains(&compiled)).then_some(Module { source, compiled })
        };
        let mut modules: Vec<Module<'_>> = self.files.iter().filter_map(module).collect();
        modules.sort_by(|a, b| a.source.path.cmp(&b.source.path));
        modules
    }

    /// Says why a source was not compiled: it cannot be read, or is not what was stored.
    fn unread(&self, root: &Directory, source: &InstalledFile) -> InstallError {
        let path = source.path.as_str();
        let found = match read_source(root, path) {
            Ok(bytes) => digest(&bytes),
            Err(error) => return InstallError::io("read", &disk::below(self.root, path))(error),
        };
        let owner = source.owners.first().and_then(|owner| self.owners.get(*owner as usize));
        let difference = format!("expected sha256 {}, found {found}", source.sha256);
        match owner {
            Some(owner) => InstallError::StoreChanged { package: (*owner).clone(), path: path.to_owned(), difference },
            None => InstallError::io("read", &disk::below(self.root, path))(ErrorKind::InvalidData.into()),
        }
    }
}

/// Writes the bytecode of a source.
fn write(
    path: &Path,
    root: &Directory,
    module: &Module<'_>,
    made: &Made<'_>,
    code: &Canonical,
) -> Result<InstalledFile, InstallError> {
    let Module { source, compiled } = module;
    let bytes = [&made.magic[..], &CHECKED_HASH.to_le_bytes(), &made.source_hash, &code.bytes].concat();
    let file = disk::below(path, compiled.as_str());
    let directory = disk::split(compiled.as_str()).0;
    match root.make_directory(directory) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            return Err(InstallError::io("make the directory", &disk::below(path, directory))(error));
        }
        _ => {}
    }
    let created = root.create(compiled.as_str(), 0o644);
    created.and_then(|mut created| created.write_all(&bytes)).map_err(InstallError::io("write", &file))?;
    Ok(InstalledFile {
        path: compiled.clone(),
        size: bytes.len() as u64,
        sha256: digest(&bytes),
        executable: false,
        owners: source.owners.clone(),
    })
}

/// A header's flags: the source is named by its hash, and the interpreter compares it (PEP 552).
const CHECKED_HASH: u32 = 3;
/// The longest name of a file.
const NAME_BYTES: usize = 255;

#[cfg(test)]
#[cfg(unix)]
mod tests;
