//! The base interpreter as a compiler: sources in, marshalled code out.
//!
//! It runs isolated and without `site`, is told nothing but names and bytes, and opens no file of the environment. Only bytes
//! with a digest that is known beforehand are given to it. The sources go in batches, each to a process of its own, so that
//! several processors are busy and a source that takes the interpreter down spoils no other.

use std::ffi::OsStr;
use std::io::Read as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pinfold_sandbox::Command;

use super::known::{Key, Way};
use crate::disk::Directory;
use crate::receipt::digest;
use crate::{InstallError, Interpreter, InterpreterError};

/// A source that is to be compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Task<'t> {
    /// Which bytes, and how.
    pub(crate) key: Key,
    /// Where they are; the code names it as its file.
    pub(crate) path: &'t str,
}

/// What the interpreter made of a source.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Made<'m> {
    /// Its magic number.
    pub(crate) magic: [u8; 4],
    /// Its hash of the source, for the header of a file.
    pub(crate) source_hash: [u8; 8],
    /// The code, marshalled in one of several ways; none if the source cannot be compiled.
    pub(crate) code: Option<&'m [u8]>,
}

/// Where sources are, and what compiles them.
pub(crate) struct Compiler<'c> {
    /// What the paths of tasks are relative to.
    pub(crate) root: &'c Directory,
    /// The interpreter.
    pub(crate) interpreter: &'c Interpreter,
    /// Processes at once.
    pub(crate) workers: usize,
}

impl Compiler<'_> {
    /// Compiles tasks, all in one [`Way`], and gives the position of each and what was made to `done`, on several threads.
    /// Returns what that returned, in no order that means anything. Of a source that cannot be read, or has another digest
    /// by now, nothing is made.
    pub(crate) fn run<T: Send>(
        &self,
        tasks: &[Task<'_>],
        done: &(dyn Fn(usize, &Made<'_>) -> Result<T, InstallError> + Sync),
    ) -> Result<Vec<T>, InstallError> {
        let size = tasks.len().div_ceil(self.workers.max(1)).clamp(1, BATCH);
        let positions: Vec<usize> = (0..tasks.len()).collect();
        let batches: Vec<&[usize]> = positions.chunks(size).collect();
        let next = AtomicUsize::new(0);
        let worker = || {
            let mut made = Vec::new();
            while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
                self.batch(tasks, batch, done, &mut made)?;
            }
            Ok(made)
        };
        let results: Vec<Result<Vec<T>, InstallError>> = std::thread::scope(|scope| {
            let others: Vec<_> = (1..self.workers.min(batches.len())).map(|_| scope.spawn(worker)).collect();
            let own = worker();
            others.into_iter().map(crate::join).chain([own]).collect()
        });
        let mut made = Vec::new();
        for result in results {
            made.extend(result?);
        }
        Ok(made)
    }

    /// Compiles a batch. A source that takes the interpreter down with it is found by halves, and cannot be compiled.
    fn batch<T>(
        &self,
        tasks: &[Task<'_>],
        batch: &[usize],
        done: &dyn Fn(usize, &Made<'_>) -> Result<T, InstallError>,
        results: &mut Vec<T>,
    ) -> Result<(), InstallError> {
        let (given, output) = self.ask(tasks, batch)?;
        if let Some(answers) = output.as_ref().and_then(|bytes| answers(bytes, given.len())) {
            for (position, made) in given.iter().zip(&answers) {
                results.push(done(*position, made)?);
            }
            return Ok(());
        }
        if let [position] = batch {
            results.push(done(*position, &Made { magic: [0; 4], source_hash: [0; 8], code: None })?);
            return Ok(());
        }
        let (one, other) = batch.split_at(batch.len() / 2);
        self.batch(tasks, one, done, results)?;
        self.batch(tasks, other, done, results)
    }

    /// Starts one process. Returns what was given to it and what it wrote; none if it did not end well.
    fn ask(&self, tasks: &[Task<'_>], batch: &[usize]) -> Result<(Vec<usize>, Option<Vec<u8>>), InstallError> {
        let program = &self.interpreter.base_executable;
        let mut command = Command::new(program, OsStr::new(""));
        command.arguments = ["-I", "-S", "-B"].map(Into::into).to_vec();
        if tasks.first().is_some_and(|task| task.key.way == Way::NoColumns) {
            command.arguments.extend(["-X", "no_debug_ranges"].map(Into::into));
        }
        command.arguments.extend(["-c", SCRIPT].map(Into::into));
        command.time_limit = TIME_LIMIT;
        command.output_limit_bytes = OUTPUT_BYTES;
        let mut given = Vec::with_capacity(batch.len());
        for (position, task) in batch.iter().filter_map(|position| Some((*position, tasks.get(*position)?))) {
            let bytes = read_source(self.root, task.path).ok().filter(|bytes| digest(bytes) == task.key.source);
            let Some(bytes) = bytes else { continue };
            let (Ok(name), Ok(length)) = (u16::try_from(task.path.len()), u32::try_from(bytes.len())) else { continue };
            command.stdin.extend_from_slice(&name.to_le_bytes());
            command.stdin.push(task.key.level);
            command.stdin.extend_from_slice(&length.to_le_bytes());
            command.stdin.extend_from_slice(task.path.as_bytes());
            command.stdin.extend_from_slice(&bytes);
            given.push(position);
        }
        let run = |source| InterpreterError::Run { path: program.clone(), source };
        let finished = command.run().map_err(run)?;
        Ok((given, finished.status.success().then_some(finished.stdout)))
    }
}

/// Reads what the script wrote: so many answers, and nothing else.
fn answers(bytes: &[u8], count: usize) -> Option<Vec<Made<'_>>> {
    let (&magic, mut rest) = bytes.split_first_chunk::<4>()?;
    let mut answers = Vec::with_capacity(count);
    for _ in 0..count {
        let (&source_hash, after) = rest.split_first_chunk::<8>()?;
        let (length, after) = after.split_first_chunk::<4>()?;
        let (code, after) = after.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        answers.push(Made { magic, source_hash, code: (!code.is_empty()).then_some(code) });
        rest = after;
    }
    rest.is_empty().then_some(answers)
}

/// Reads a source, or as much of it as any source has.
pub(crate) fn read_source(root: &Directory, path: &str) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    root.open_file(path)?.take(SOURCE_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

const SCRIPT: &str = include_str!("compile.py");
/// Sources for one process: enough to make its start cheap, few enough to keep their code in memory.
const BATCH: usize = 200;
/// A batch takes some seconds.
const TIME_LIMIT: Duration = Duration::from_secs(600);
/// The code of a batch.
const OUTPUT_BYTES: usize = 1 << 30;
/// Larger than any source.
const SOURCE_BYTES: u64 = 64 << 20;
