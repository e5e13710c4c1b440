//! The base interpreter as a compiler: sources in, marshalled code out.
//!
//! It runs isolated and without `site`, is told nothing but names and bytes, and opens no file of the environment. Only bytes
//! with a digest that is known beforehand are given to it. The sources go in batches, each to a process of its own, so that
//! several processors are busy.
//!
//! Only what an interpreter says is believed of a source. One that was killed, or ended otherwise than it should, has said
//! nothing: the sources of its batch are given to fresh ones, fewer at a time, and a single one once more. If that ends too,
//! the world failed, and nobody learns anything of the source.

use std::ffi::OsStr;
use std::io::{ErrorKind, Read as _};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pinfold_sandbox::Command;

use super::known::{Key, Way};
use crate::disk::{self, Directory};
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
    /// The code, marshalled in one of several ways; none if the interpreter says that the source cannot be compiled.
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
    /// How long one of them may take.
    pub(crate) time_limit: Duration,
}

impl Compiler<'_> {
    /// Compiles tasks, all in one [`Way`], and gives the position of each and what was made to `done`, on several threads.
    /// Returns what that returned, in no order that means anything. Of a source that is gone, or has another digest by now,
    /// nothing is made.
    ///
    /// # Errors
    /// [`InterpreterError::Died`] if no interpreter lived to say what a source compiles to, [`InterpreterError::Compile`] if
    /// one cannot be started or takes too long, [`InstallError::Io`] if a source cannot be read.
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

    /// Compiles a batch; by halves if the interpreter died of it.
    fn batch<T>(
        &self,
        tasks: &[Task<'_>],
        batch: &[usize],
        done: &dyn Fn(usize, &Made<'_>) -> Result<T, InstallError>,
        results: &mut Vec<T>,
    ) -> Result<(), InstallError> {
        let mut asked = self.ask(tasks, batch)?;
        if let ([position], Ending::Died(_)) = (batch, &asked.ending) {
            // It may have been killed for another's sake.
            asked = self.ask(tasks, &[*position])?;
        }
        match (&asked.ending, batch) {
            (Ending::Said(bytes), _) => {
                for (position, made) in asked.given.iter().zip(answers(bytes, asked.given.len()).unwrap_or_default()) {
                    results.push(done(*position, &made)?);
                }
                Ok(())
            }
            (Ending::Died(how), [position]) => Err(self.died(tasks, *position, how)),
            (Ending::Died(_), _) => {
                let (one, other) = batch.split_at(batch.len() / 2);
                self.batch(tasks, one, done, results)?;
                self.batch(tasks, other, done, results)
            }
        }
    }

    /// What the interpreter wrote for a source is nothing that can be read.
    pub(crate) fn unreadable(&self, module: &str) -> InterpreterError {
        let reason = format!("the code that it makes of `{module}` cannot be read");
        InterpreterError::Answer { path: self.interpreter.base_executable.clone(), reason }
    }

    fn died(&self, tasks: &[Task<'_>], position: usize, how: &str) -> InstallError {
        let module = tasks.get(position).map(|task| task.path.to_owned()).unwrap_or_default();
        let path = self.interpreter.base_executable.clone();
        InterpreterError::Died { path, module, how: how.to_owned() }.into()
    }

    /// Starts one process, and waits for it.
    fn ask(&self, tasks: &[Task<'_>], batch: &[usize]) -> Result<Asked, InstallError> {
        let program = &self.interpreter.base_executable;
        let mut command = Command::new(program, OsStr::new(""));
        command.arguments = ["-I", "-S", "-B"].map(Into::into).to_vec();
        if tasks.first().is_some_and(|task| task.key.way == Way::NoColumns) {
            command.arguments.extend(["-X", "no_debug_ranges"].map(Into::into));
        }
        command.arguments.extend(["-c", SCRIPT].map(Into::into));
        command.time_limit = self.time_limit;
        command.output_limit_bytes = OUTPUT_BYTES;
        let mut given = Vec::with_capacity(batch.len());
        for (position, task) in batch.iter().filter_map(|position| Some((*position, tasks.get(*position)?))) {
            let bytes = match read_source(self.root, task.path) {
                Ok(bytes) if digest(&bytes) == task.key.source => bytes,
                Ok(_) => continue,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(InstallError::io("read", Path::new(task.path))(error)),
            };
            let (Ok(name), Ok(length)) = (u16::try_from(task.path.len()), u32::try_from(bytes.len())) else { continue };
            command.stdin.extend_from_slice(&name.to_le_bytes());
            command.stdin.push(task.key.level);
            command.stdin.extend_from_slice(&length.to_le_bytes());
            command.stdin.extend_from_slice(task.path.as_bytes());
            command.stdin.extend_from_slice(&bytes);
            given.push(position);
        }
        let failed = |source| InterpreterError::Compile { path: program.clone(), source };
        let finished = command.run().map_err(failed)?;
        let ending = match (finished.status.success(), answers(&finished.stdout, given.len())) {
            (true, Some(_)) => Ending::Said(finished.stdout),
            (true, None) => Ending::Died("an answer that was cut off".to_owned()),
            (false, _) => Ending::Died(finished.status.to_string()),
        };
        Ok(Asked { given, ending })
    }
}

/// What came of a process.
struct Asked {
    /// The positions of the tasks that were given to it.
    given: Vec<usize>,
    ending: Ending,
}

enum Ending {
    /// It ended otherwise: like this.
    Died(String),
    /// It wrote an answer for each task that was given to it.
    Said(Vec<u8>),
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
    let (directory, name) = disk::reach(root, path)?;
    directory.open_file(name)?.take(SOURCE_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

const SCRIPT: &str = include_str!("compile.py");
/// Sources for one process: enough to make its start cheap, few enough to keep their code in memory.
const BATCH: usize = 200;
/// A batch takes some seconds.
pub(crate) const TIME_LIMIT: Duration = Duration::from_secs(600);
/// The code of a batch.
const OUTPUT_BYTES: usize = 1 << 30;
/// Larger than any source.
const SOURCE_BYTES: u64 = 64 << 20;

#[cfg(test)]
#[cfg(unix)]
mod tests;
