//! Writing `[tool.pinfold]`.

use super::{Output, put_file, put_plain, put_quoted, put_shown, put_table};
use crate::{Accepted, BuildRecipe, BuildTool, LockedIndex, LockedTree, Tool, TreeIdentity};

pub(super) fn write_tool(out: &mut Output, tool: &Tool) {
    out.header("[tool.pinfold]");
    out.plain("schema", tool.schema);
    out.shown("inputs-sha256", &tool.inputs);
    if let Some(cutoff) = tool.exclude_newer {
        out.plain("exclude-newer", cutoff);
    }
    if let Some(span) = &tool.exclude_newer_span {
        out.text("exclude-newer-span", span);
    }
    out.text("prerelease", tool.prerelease.as_str());
    out.text("resolution", tool.resolution.as_str());
    out.array("targets", &tool.targets);
    out.array("python", &tool.python);
    if !tool.computed.is_empty() {
        out.lines("computed-sha256", &tool.computed, |text, filename| put_quoted(text, filename.as_str()));
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
        out.quoted_pair(filename.as_str(), |text| put_plain(text, moment));
    }
    super::asked::write_asked(out, &tool.asked);
    if !tool.metadata.is_empty() {
        out.header("[tool.pinfold.metadata-sha256]");
    }
    for (filename, digest) in &tool.metadata {
        out.quoted_pair(filename.as_str(), |text| put_shown(text, digest));
    }
}

fn write_index(out: &mut Output, index: &LockedIndex) {
    out.header("[[tool.pinfold.index]]");
    out.text("name", &index.name);
    out.text("url", index.url.as_str());
    if index.insecure {
        out.plain("insecure", true);
    }
    if !index.file_hosts.is_empty() {
        out.lines("file-hosts", &index.file_hosts, put_shown);
    }
}

fn write_recipe(out: &mut Output, recipe: &BuildRecipe) {
    out.header("[[tool.pinfold.build]]");
    out.text("name", recipe.name.as_str());
    out.shown("version", &recipe.version);
    out.shown("sdist-sha256", &recipe.sdist);
    if !recipe.targets.is_empty() {
        let mut targets = recipe.targets.clone();
        targets.sort();
        out.array("targets", &targets);
    }
    out.text("backend", &recipe.backend);
    if !recipe.backend_path.is_empty() {
        out.array("backend-path", &recipe.backend_path);
    }
    out.shown("metadata-sha256", &recipe.metadata);
    let mut requires: Vec<&BuildTool> = recipe.requires.iter().collect();
    requires.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    if !requires.is_empty() {
        out.lines("requires", requires, put_build_tool);
    }
}

fn write_tree(out: &mut Output, tree: &LockedTree) {
    out.header("[[tool.pinfold.tree]]");
    out.text("name", tree.name.as_str());
    out.shown("version", &tree.version);
    match &tree.identity {
        TreeIdentity::Commit(commit) => out.text("commit-id", commit),
        TreeIdentity::Path(path) => out.text("path", path),
    }
    out.text("sha256", &tree.sha256.to_string());
    out.plain("size", tree.size_bytes);
}

fn put_build_tool(text: &mut String, tool: &BuildTool) {
    put_table(text, |table| {
        table.text("name", tool.name.as_str());
        table.shown("version", &tool.version);
        table.text("index", tool.index.as_str());
        table.table("file", |table| put_file(table, &tool.file));
    });
}

fn write_accepted(out: &mut Output, accepted: &Accepted) {
    out.header("[[tool.pinfold.accept]]");
    out.text("code", &accepted.code);
    out.text("package", accepted.package.as_str());
    if let Some(path) = &accepted.path {
        out.text("path", path.as_str());
    }
    out.text("sha256", &accepted.sha256.to_string());
    out.text("reason", &accepted.reason);
}
