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
use std::ffi::OsStr;
use std::io::Read as _;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pinfold_artifact::Sha256;
use pinfold_packaging::PythonMinor;
use pinfold_sandbox::Command;

use super::known::{Key, Known, Way};
use super::marshal::{self, Layout};
use super::{Finding, FindingCode, Listed, Report};
use crate::bytecode::{self, Compiled};
use crate::disk::Directory;
use crate::receipt::digest;
use crate::{Environment, InstallError, Interpreter, InterpreterError, THREADS};

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
    let ways: &[Way] = if minor.minor() >= 11 { &[Way::Usual, Way::NoColumns] } else { &[Way::Usual] };
    for way in ways {
        let keys: BTreeMap<Key, &str> = prover.waiting.iter().map(|it| (it.key(*way), it.source)).collect();
        compile(&root, interpreter, &keys, &mut known)?;
        prover.compare(*way, &known);
    }
    for left in std::mem::take(&mut prover.waiting) {
        let makes = known.code(&left.key(Way::Usual)).flatten();
        let problem = if known.magic != Some(left.magic) {
            "it is of another version of Python"
        } else if makes.is_none() {
            "its source cannot be compiled"
        } else {
            "its code is not what its source compiles to"
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
        let Ok(facts) = self.root.facts(&compiled.source) else { return Err("its source is gone".to_owned()) };
        let unreadable = |error: std::io::Error| format!("it cannot be read: {error}");
        let mut bytes = Vec::new();
        let opened = self.root.open_file(&candidate.path).map_err(unreadable)?;
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

fn read_source(root: &Directory, path: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    root.open_file(path).ok()?.take(SOURCE_BYTES).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// Finds out what is not known yet: the sources in batches, each to a process of its own, two at a time.
fn compile(
    root: &Directory,
    interpreter: &Interpreter,
    keys: &BTreeMap<Key, &str>,
    known: &mut Known,
) -> Result<(), InstallError> {
    let missing: Vec<(Key, &str)> =
        keys.iter().filter(|(key, _)| known.code(key).is_none()).map(|(key, path)| (*key, *path)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let batches: Vec<&[(Key, &str)]> = missing.chunks(BATCH).collect();
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut made = Vec::new();
        while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
            made.push(compile_batch(root, interpreter, batch));
        }
        made
    };
    let results = std::thread::scope(|scope| {
        let others: Vec<_> = (1..THREADS).map(|_| scope.spawn(worker)).collect();
        let own = worker();
        others.into_iter().flat_map(crate::join).chain(own).collect::<Vec<_>>()
    });
    for result in results {
        let Made { magic, codes } = result?;
        known.magic = magic.or(known.magic);
        codes.into_iter().for_each(|(key, code)| known.insert(key, code));
    }
    Ok(())
}

/// What processes made.
#[derive(Default)]
struct Made {
    magic: Option<[u8; 4]>,
    codes: Vec<(Key, Option<Sha256>)>,
}

/// Compiles a batch. A source that takes the interpreter down with it is found by halves, and cannot be compiled.
fn compile_batch(root: &Directory, interpreter: &Interpreter, batch: &[(Key, &str)]) -> Result<Made, InstallError> {
    if let Some(made) = ask(root, interpreter, batch)? {
        return Ok(made);
    }
    if let [(key, _)] = batch {
        return Ok(Made { magic: None, codes: vec![(*key, None)] });
    }
    let (one, other) = batch.split_at(batch.len() / 2);
    let (one, mut other) = (compile_batch(root, interpreter, one)?, compile_batch(root, interpreter, other)?);
    other.codes.extend(one.codes);
    Ok(Made { magic: other.magic.or(one.magic), codes: other.codes })
}

/// Starts one process; none if it did not end well.
fn ask(root: &Directory, interpreter: &Interpreter, batch: &[(Key, &str)]) -> Result<Option<Made>, InstallError> {
    let layout = PythonMinor::of(&interpreter.version).and_then(|minor| Layout::of(minor.minor()));
    let program = &interpreter.base_executable;
    let mut command = Command::new(program, OsStr::new(""));
    command.arguments = ["-I", "-S", "-B"].map(Into::into).to_vec();
    if batch.first().is_some_and(|(key, _)| key.way == Way::NoColumns) {
        command.arguments.extend(["-X", "no_debug_ranges"].map(Into::into));
    }
    command.arguments.extend(["-c", SCRIPT].map(Into::into));
    command.time_limit = TIME_LIMIT;
    command.output_limit_bytes = OUTPUT_BYTES;
    let mut keys = Vec::new();
    for (key, path) in batch {
        // Only the bytes that the receipt lists are compiled: another source is a finding, and stays unknown.
        let Some(bytes) = read_source(root, path).filter(|bytes| digest(bytes) == key.source) else { continue };
        command.stdin.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
        command.stdin.push(key.level);
        command.stdin.extend_from_slice(&bytes);
        keys.push(*key);
    }
    let run = |source| InterpreterError::Run { path: program.clone(), source };
    let finished = command.run().map_err(run)?;
    Ok(layout.filter(|_| finished.status.success()).and_then(|layout| answers(&finished.stdout, &keys, layout)))
}

/// Reads what the script wrote: one answer for each key.
fn answers(bytes: &[u8], keys: &[Key], layout: Layout) -> Option<Made> {
    let (magic, mut rest) = bytes.split_first_chunk::<4>()?;
    let mut codes = Vec::with_capacity(keys.len());
    for key in keys {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let (code, after) = after.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        codes.push((*key, marshal::digest_of(code, layout).ok()));
        rest = after;
    }
    rest.is_empty().then_some(Made { magic: Some(*magic), codes })
}

const SCRIPT: &str = include_str!("compile.py");
/// Sources for one process: enough to make its start cheap, few enough to keep their code in memory.
const BATCH: usize = 200;
/// A batch takes some seconds.
const TIME_LIMIT: Duration = Duration::from_secs(600);
/// The code of a batch.
const OUTPUT_BYTES: usize = 1 << 30;
/// Larger than any file of bytecode or source.
const BYTECODE_BYTES: u64 = 64 << 20;
const SOURCE_BYTES: u64 = 64 << 20;
