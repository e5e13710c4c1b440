//! `pinfold export`: a lock in a form that other tools read.

use pinfold_lock::{Wanted, requirements};
use pinfold_packaging::{ExtraName, GroupName, NameError, Target};

use crate::cli::{self, ExportFormat};
use crate::exit::{Exit, Failure};
use crate::ops::questions::targets_named;
use crate::ops::{LockFile, read_lock, write_whole};
use crate::output::Output;

/// Writes a lock as a requirements file.
///
/// # Errors
/// Exit 2 if the lock cannot be read or has no such target, extra or group, exit 1 if the form has no words for something in it,
/// exit 3 if the lock must not be used.
pub(super) fn run(arguments: &cli::Export, output: &Output) -> Result<Exit, Failure> {
    let read = read_lock(&arguments.lock)?;
    read.warnings.iter().for_each(|warning| output.warning(warning));
    let targets = targets_named(&read.lock, arguments.target.as_deref())?;
    let ExportFormat::Requirements = arguments.format;
    let text = format!("{}{}", header(&read, &targets), requirements(&read.lock, &targets, &wanted(arguments)?)?);
    match &arguments.output {
        None => output.result(&text),
        Some(path) => {
            write_whole(path, text.as_bytes())?;
            let count = text.lines().filter(|line| !line.starts_with([' ', '#'])).count();
            output.status(&format!("{}: {count} requirements", path.display()));
        }
    }
    Ok(Exit::Done)
}

/// Says what the file is, and what it cannot say.
fn header(read: &LockFile, targets: &[Target]) -> String {
    let names: Vec<String> = targets.iter().map(Target::to_string).collect();
    let targets = if names.is_empty() { String::new() } else { format!(" for {}", names.join(", ")) };
    let indexes = read.lock.tool.iter().flat_map(|tool| &tool.indexes);
    let indexes: String = indexes.map(|index| format!("# Locked from the index {}\n", index.url)).collect();
    format!(
        "# Made by `pinfold export` from the lock with sha256 {}{targets}\n{indexes}\
         # Install it with: pip install --require-hashes --no-deps -r FILE\n",
        read.sha256
    )
}

fn wanted(arguments: &cli::Export) -> Result<Wanted, Failure> {
    let wrong = |e: NameError| Failure::of(Exit::Input, &e);
    let extras = arguments.extras.iter().map(|text| text.parse::<ExtraName>()).collect::<Result<_, _>>();
    let groups = arguments.groups.iter().map(|text| text.parse::<GroupName>()).collect::<Result<_, _>>();
    Ok(Wanted { extras: extras.map_err(wrong)?, groups: groups.map_err(wrong)? })
}
