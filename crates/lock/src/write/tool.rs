//! Writing `[tool.pinfold]`.

use super::{Output, file, inline_array, inline_table, quoted};
use crate::{Accepted, BuildRecipe, BuildTool, LockedIndex, LockedTree, Tool, TreeIdentity};

pub(super) fn write_tool(out: &mut Output, tool: &Tool) {
    out.header("[tool.pinfold]");
    out.pair("schema", &tool.schema.to_string());
    out.pair("inputs-sha256", &quoted(&tool.inputs.to_string()));
    if let Some(cutoff) = tool.exclude_newer {
        out.pair("exclude-newer", &cutoff.to_string());
    }
    out.pair("prerelease", &quoted(tool.prerelease.as_str()));
    out.pair("resolution", &quoted(tool.resolution.as_str()));
    out.pair("targets", &inline_array(&tool.targets));
    out.pair("python", &inline_array(&tool.python));
    if !tool.computed.is_empty() {
        out.lines("computed-sha256", tool.computed.iter().map(|filename| quoted(filename.as_str())));
    }
    for index in &tool.indexes {
        write_index(out, index);
    }
    let mut recipes: Vec<&BuildRecipe> = tool.builds.iter().collect();
    recipes.sort_by(|a, b| (&a.name, &a.version, &a.targets).cmp(&(&b.name, &b.version, &b.targets)));
    for recipe in recipes {
        write_recipe(out, recipe);
    }
    let mut accepts: Vec<&Accepted> = tool.accepts.iter().collect();
    accepts.sort();
    for accepted in accepts {
        write_accepted(out, accepted);
    }
    let mut trees: Vec<&LockedTree> = tool.trees.iter().collect();
    trees.sort();
    for tree in trees {
        write_tree(out, tree);
    }
    if !tool.first_seen.is_empty() {
        out.header("[tool.pinfold.first-seen]");
    }
    for (filename, moment) in &tool.first_seen {
        out.pair(&quoted(filename.as_str()), &moment.to_string());
    }
    super::asked::write_asked(out, &tool.asked);
    if !tool.metadata.is_empty() {
        out.header("[tool.pinfold.metadata-sha256]");
    }
    for (filename, digest) in &tool.metadata {
        out.pair(&quoted(filename.as_str()), &quoted(&digest.to_string()));
    }
}

fn write_index(out: &mut Output, index: &LockedIndex) {
    out.header("[[tool.pinfold.index]]");
    out.pair("name", &quoted(&index.name));
    out.pair("url", &quoted(index.url.as_str()));
    if index.insecure {
        out.pair("insecure", "true");
    }
    if !index.file_hosts.is_empty() {
        out.lines("file-hosts", index.file_hosts.iter().map(|host| quoted(&host.to_string())));
    }
}

fn write_recipe(out: &mut Output, recipe: &BuildRecipe) {
    out.header("[[tool.pinfold.build]]");
    out.pair("name", &quoted(recipe.name.as_str()));
    out.pair("version", &quoted(&recipe.version.to_string()));
    out.pair("sdist-sha256", &quoted(&recipe.sdist.to_string()));
    if !recipe.targets.is_empty() {
        let mut targets = recipe.targets.clone();
        targets.sort();
        out.pair("targets", &inline_array(&targets));
    }
    out.pair("backend", &quoted(&recipe.backend));
    if !recipe.backend_path.is_empty() {
        out.pair("backend-path", &inline_array(&recipe.backend_path));
    }
    out.pair("metadata-sha256", &quoted(&recipe.metadata.to_string()));
    let mut requires: Vec<&BuildTool> = recipe.requires.iter().collect();
    requires.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    if !requires.is_empty() {
        out.lines("requires", requires.into_iter().map(build_tool));
    }
}

fn write_tree(out: &mut Output, tree: &LockedTree) {
    out.header("[[tool.pinfold.tree]]");
    out.pair("name", &quoted(tree.name.as_str()));
    out.pair("version", &quoted(&tree.version.to_string()));
    match &tree.identity {
        TreeIdentity::Commit(commit) => out.pair("commit-id", &quoted(commit)),
        TreeIdentity::Path(path) => out.pair("path", &quoted(path)),
    }
    out.pair("sha256", &quoted(&tree.sha256.to_string()));
    out.pair("size", &tree.size_bytes.to_string());
}

fn build_tool(tool: &BuildTool) -> String {
    inline_table(&[
        ("name", quoted(tool.name.as_str())),
        ("version", quoted(&tool.version.to_string())),
        ("index", quoted(tool.index.as_str())),
        ("file", file(&tool.file)),
    ])
}

fn write_accepted(out: &mut Output, accepted: &Accepted) {
    out.header("[[tool.pinfold.accept]]");
    out.pair("code", &quoted(&accepted.code));
    out.pair("package", &quoted(accepted.package.as_str()));
    if let Some(path) = &accepted.path {
        out.pair("path", &quoted(path.as_str()));
    }
    out.pair("sha256", &quoted(&accepted.sha256.to_string()));
    out.pair("reason", &quoted(&accepted.reason));
}
