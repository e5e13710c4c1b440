//! Bytecode that nobody installed: is it what the base interpreter makes of the source beside it?
//!
//! An interpreter runs a `.pyc` file instead of its source, so a changed one is a changed program that no reading of
//! sources shows. Its header proves nothing: it can be copied. Here each source is compiled again by the base interpreter,
//! isolated and without `site`; it is given the bytes of the source, whose digest is the receipt's, and opens no file of the
//! environment. What it makes and what is on the disk are compared as trees of code ([`marshal`](super::marshal)): the file
//! that may be hostile is never given to an interpreter.
//!
//! What a source compiles to is [kept](super::known), so that only the first `verify` after a module was first imported
//! compiles it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::Path;

use pinfold_artifact::Sha256;
use pinfold_packaging::PythonMinor;

use super::compiler::{Compiler, TIME_LIMIT, Task, read_source};
use super::known::{Key, Known, Way};
use super::marshal::{self, Layout};
use super::{Finding, FindingCode, Listed, Report};
use crate::bytecode::{self, Compiled};
use crate::disk::{self, Directory};
use crate::{Environment, InstallError, THREADS};

/// A file of bytecode beside a listed source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Candidate {
    /// Where it is.
    pub(super) path: String,
    /// What its name says.
    pub(super) compiled: Compiled,
}

/// Adds a finding for every candidate that is not what its source compiles to.
pub(super) fn prove(
    environment: &Environment,
    listed: &Listed<'_>,
    candidates: &BTreeSet<Candidate>,
    kept: Option<&Path>,
    report: &mut Report,
) -> Result<(), InstallError> {
    let interpreter = &listed.header.interpreter;
    if candidates.is_empty() {
        return Ok(());
    }
    // Another interpreter is a finding of its own, and proves nothing; neither does one that lies where it is asked about.
    if !interpreter.is_same_program() || is_inside(environment, &interpreter.base_executable) {
        report.bytecode_unproven += candidates.len() as u64;
        return Ok(());
    }
    let minor = PythonMinor::of(&interpreter.version);
    let layout = minor.and_then(|minor| Layout::of(minor.minor()));
    let (Some(minor), Some(layout)) = (minor, layout) else {
        let problem = format!("code of Python {} cannot be compared", interpreter.version);
        report.findings.extend(candidates.iter().map(|it| finding(&it.path, &problem)));
        return Ok(());
    };
    let tag = format!("cpython-{}{}", minor.major(), minor.minor());
    let root = Directory::open(environment.venv()).map_err(InstallError::io("open", environment.venv()))?;
    let mut known = Known::read(kept, interpreter);
    let mut prover = Prover { root: &root, listed, layout, tag: &tag, waiting: Vec::new(), report };
    candidates.iter().for_each(|candidate| prover.read(candidate));
    let compiler = Compiler { root: &root, interpreter, workers: THREADS, time_limit: TIME_LIMIT };
    let ways: &[Way] = if minor.minor() >= 11 { &[Way::Usual, Way::NoColumns] } else { &[Way::Usual] };
    for way in ways {
        let keys: BTreeMap<Key, &str> = prover.waiting.iter().map(|it| (it.key(*way), it.source)).collect();
        compile(&compiler, layout, &keys, &mut known)?;
        prover.compare(*way, &known);
    }
    for left in std::mem::take(&mut prover.waiting) {
        let problem = match known.code(&left.key(Way::Usual)) {
            None => "its source is not the one that was installed",
            Some(_) if known.magic != Some(left.magic) => "it is of another version of Python",
            Some(None) => "its source cannot be compiled",
            Some(Some(_)) => "its code is not what its source compiles to",
        };
        prover.found(left.path, problem);
    }
    known.keep();
    Ok(())
}

struct Prover<'p, 'a> {
    root: &'p Directory,
    listed: &'p Listed<'a>,
    layout: Layout,
    tag: &'p str,
    waiting: Vec<Waiting<'p>>,
    report: &'p mut Report,
}

/// A file whose header is right and whose code was read.
struct Waiting<'p> {
    path: &'p str,
    source: &'p str,
    source_sha256: Sha256,
    level: u8,
    magic: [u8; 4],
    code: Sha256,
}

impl Waiting<'_> {
    const fn key(&self, way: Way) -> Key {
        Key { source: self.source_sha256, level: self.level, way }
    }
}

impl<'p> Prover<'p, '_> {
    fn read(&mut self, candidate: &'p Candidate) {
        match self.code(candidate) {
            Ok(waiting) => self.waiting.push(waiting),
            Err(problem) => self.found(&candidate.path, &problem),
        }
    }

    fn code(&self, candidate: &'p Candidate) -> Result<Waiting<'p>, String> {
        let compiled = &candidate.compiled;
        if compiled.tag != self.tag {
            return Err(format!("it is of {}, the interpreter is {}", compiled.tag, self.tag));
        }
        let Some(source) = self.listed.files.get(compiled.source.as_str()) else {
            return Err("no distribution brought its source".to_owned());
        };
        let reached = disk::reach(self.root, &compiled.source).and_then(|(directory, name)| directory.facts(name));
        let Ok(facts) = reached else { return Err("its source is gone".to_owned()) };
        let unreadable = |error: std::io::Error| format!("it cannot be read: {error}");
        let mut bytes = Vec::new();
        let reached = disk::reach(self.root, &candidate.path);
        let opened = reached.and_then(|(directory, name)| directory.open_file(name)).map_err(unreadable)?;
        opened.take(BYTECODE_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > BYTECODE_BYTES {
            return Err("it is larger than any bytecode".to_owned());
        }
        let read_source = || read_source(self.root, &compiled.source).unwrap_or_default();
        if let Some(problem) = bytecode::problem(&bytes, &facts, read_source) {
            return Err(problem.to_owned());
        }
        let (Some(magic), Some(code)) = (bytes.first_chunk(), bytes.get(bytecode::HEADER_BYTES..)) else {
            return Err("its header is cut off".to_owned());
        };
        let Ok(code) = marshal::digest_of(code, self.layout) else {
            return Err("it is not what a compiler writes".to_owned());
        };
        let (magic, level) = (*magic, compiled.level);
        Ok(Waiting {
            path: &candidate.path,
            source: &compiled.source,
            source_sha256: source.sha256,
            level,
            magic,
            code,
        })
    }

    /// Takes off the list what is proven.
    fn compare(&mut self, way: Way, known: &Known) {
        let before = self.waiting.len();
        self.waiting.retain(|it| known.magic != Some(it.magic) || known.code(&it.key(way)).flatten() != Some(it.code));
        self.report.bytecode_files += (before - self.waiting.len()) as u64;
    }

    fn found(&mut self, path: &str, problem: &str) {
        self.report.findings.push(finding(path, problem));
    }
}

fn finding(path: &str, problem: &str) -> Finding {
    Finding::new(FindingCode::ForeignBytecode, path, "what its source compiles to, or nothing", problem)
}

/// Returns true for a program inside the environment or beside it, in what belongs to it.
fn is_inside(environment: &Environment, program: &Path) -> bool {
    let program = std::fs::canonicalize(program).unwrap_or_else(|_| program.to_owned());
    [environment.venv(), environment.state()].into_iter().any(|own| {
        let own = std::fs::canonicalize(own).unwrap_or_else(|_| own.to_owned());
        program.starts_with(own)
    })
}

/// Finds out what is not known yet.
fn compile(
    compiler: &Compiler<'_>,
    layout: Layout,
    keys: &BTreeMap<Key, &str>,
    known: &mut Known,
) -> Result<(), InstallError> {
    let is_unknown = |key: &Key| known.code(key).is_none();
    let tasks = keys.iter().filter(|(key, _)| is_unknown(key)).map(|(key, path)| Task { key: *key, path });
    let tasks: Vec<Task<'_>> = tasks.collect();
    if tasks.is_empty() {
        return Ok(());
    }
    let made = compiler.run(&tasks, &|position, made| {
        let digest = |code| marshal::digest_of(code, layout);
        let code = made.code.map(digest).transpose().map_err(|_| compiler.unreadable(tasks[position].path))?;
        Ok((position, made.magic, code))
    })?;
    for (position, magic, code) in made {
        known.insert(tasks[position].key, magic, code);
    }
    Ok(())
}

/// Larger than any file of bytecode.
const BYTECODE_BYTES: u64 = 64 << 20;
