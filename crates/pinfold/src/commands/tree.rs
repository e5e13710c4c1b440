//! `pinfold tree`: which package needs which, as lines or as JSON.

use std::collections::BTreeSet;

use pinfold_lock::{Asker, Tree, TreeNode};
use pinfold_packaging::{PackageName, Version};
use serde_json::{Value, json};

use super::why::{applies_json, asker_json};
use crate::cli::{self, ResultFormat};
use crate::exit::{Exit, Failure};
use crate::ops::questions::{package_named, targets_named};
use crate::ops::read_lock;
use crate::output::{Output, tame};

/// Shows the tree of a lock.
///
/// # Errors
/// Exit 2 if the lock cannot be read or is not for the target, exit 1 if it has no such package.
pub(super) fn run(arguments: &cli::Tree, output: &Output) -> Result<Exit, Failure> {
    let read = read_lock(&arguments.lock)?;
    read.warnings.iter().for_each(|warning| output.warning(warning));
    let targets = targets_named(&read.lock, arguments.target.as_deref())?;
    let tree = Tree::on(&read.lock, &targets);
    let tree = match arguments.invert.as_deref() {
        None => tree,
        Some("") => tree.inverted(None),
        Some(text) => {
            let name = package_named(&read.lock, text)?;
            if !tree.packages().contains_key(&name) {
                let target = arguments.target.as_deref().unwrap_or_default();
                return Err(Failure::new(Exit::No, format!("the lock has no `{name}` for `{target}`")));
            }
            tree.inverted(Some(&name))
        }
    };
    match arguments.format {
        ResultFormat::Json => output.result(&format!("{}\n", as_json(&tree, arguments.depth))),
        ResultFormat::Text => output.result(&tame(&tree.to_text(arguments.depth))),
    }
    Ok(Exit::Done)
}

fn as_json(tree: &Tree, depth: Option<usize>) -> Value {
    let shown = tree.within(depth);
    let packages = tree.packages().iter().filter(|(name, _)| shown.contains(*name));
    json!({
        "inverted": tree.is_inverted(),
        "roots": tree.roots().iter().map(PackageName::as_str).collect::<Vec<_>>(),
        "roots_are_guessed": !tree.knows_roots(),
        "packages": packages.map(|(name, node)| package_json(name, node, tree.is_inverted())).collect::<Vec<_>>(),
    })
}

fn package_json(name: &PackageName, node: &TreeNode, is_inverted: bool) -> Value {
    let (needs, needed_by) = if is_inverted { (&node.needed_by, &node.needs) } else { (&node.needs, &node.needed_by) };
    let entry =
        |(version, markers): (&Version, &BTreeSet<String>)| json!({"version": version.to_string(), "markers": markers});
    let asked = |(by, requirement): &(Asker, String)| json!({"by": asker_json(by), "requirement": requirement});
    json!({
        "name": name.as_str(),
        "versions": node.versions.keys().map(ToString::to_string).collect::<Vec<_>>(),
        "entries": node.versions.iter().map(entry).collect::<Vec<_>>(),
        "targets": node.applies.values().map(applies_json).collect::<Vec<_>>(),
        "needs": needs.iter().map(PackageName::as_str).collect::<Vec<_>>(),
        "needed_by": needed_by.iter().map(PackageName::as_str).collect::<Vec<_>>(),
        "asked": node.asked.iter().map(asked).collect::<Vec<_>>(),
    })
}
