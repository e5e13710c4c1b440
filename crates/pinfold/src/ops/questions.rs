//! What the commands that read a lock ask of it before they answer: which targets were meant, which package.

use pinfold_lock::Lock;
use pinfold_packaging::{PackageName, Target};
use pinfold_policy::names::did_you_mean;

use crate::exit::{Exit, Failure};

/// Returns the lock's targets that a text names: a system, or a system and a Python as the lock prints them. Without a text,
/// all.
///
/// # Errors
/// Exit 2 if the lock is for no such target.
pub fn targets_named(lock: &Lock, text: Option<&str>) -> Result<Vec<Target>, Failure> {
    let all = lock.targets();
    let Some(text) = text else { return Ok(all) };
    let named = |target: &&Target| target.system().to_string() == text || target.to_string() == text;
    let found: Vec<Target> = all.iter().filter(named).cloned().collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let failure = Failure::new(Exit::Input, format!("the lock is not for `{text}`"));
    if all.is_empty() {
        return Err(failure.with("targets", "it names none").help("it was not made by pinfold; leave --target out"));
    }
    let known: Vec<String> = all.iter().map(|target| format!("`{target}`")).collect();
    Err(failure.with("targets", known.join(", ")).help("name one of them; a system alone means each of its Pythons"))
}

/// Returns the name of a package that the lock has.
///
/// # Errors
/// Exit 2 if the text is no name, exit 1 if the lock has no such package.
pub fn package_named(lock: &Lock, text: &str) -> Result<PackageName, Failure> {
    let name: PackageName =
        text.parse().map_err(|e: pinfold_packaging::NameError| Failure::of(Exit::Input, &e).with("package", text))?;
    if lock.packages.iter().any(|package| package.name == name) {
        return Ok(name);
    }
    let failure = Failure::new(Exit::No, format!("the lock has no `{name}`"));
    let names = lock.packages.iter().map(|package| &package.name);
    Err(match did_you_mean(&name, names) {
        Some(near) => failure.help(format!("did you mean `{near}`?")),
        None => failure.help("`pinfold tree` lists what it has"),
    })
}
