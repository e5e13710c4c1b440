//! Reading `[tool.pinfold]`: our own table, in which nothing is unknown.

use std::collections::BTreeMap;

use pinfold_artifact::ArtifactFilename;

use super::file::{Owner, Shape, read_file};
use super::read_name;
use super::table::{Item, Table};
use crate::{Accepted, BuildRecipe, BuildTool, LockError, LockedIndex, LockedTree, Tool, TreeIdentity};

pub(super) fn read_tool(table: &Table<'_>) -> Result<Tool, LockError> {
    let schema = table.required("schema")?.whole_number()?;
    if schema != u64::from(Tool::SCHEMA) {
        return Err(LockError::Version { found: schema.to_string(), key: "tool.pinfold.schema", supported: "1" });
    }
    table.refuse_others(&[
        "accept",
        "asked",
        "build",
        "computed-sha256",
        "exclude-newer",
        "exclude-newer-span",
        "first-seen",
        "index",
        "inputs-sha256",
        "metadata-sha256",
        "prerelease",
        "python",
        "resolution",
        "schema",
        "targets",
        "tree",
    ])?;
    Ok(Tool {
        schema: Tool::SCHEMA,
        inputs: table.required("inputs-sha256")?.parse()?,
        exclude_newer: table.optional("exclude-newer").map(|item| item.timestamp()).transpose()?,
        exclude_newer_span: table
            .optional("exclude-newer-span")
            .map(|item| item.text())
            .transpose()?
            .map(str::to_owned),
        prerelease: table.required("prerelease")?.parse()?,
        resolution: table.required("resolution")?.parse()?,
        targets: table.texts("targets")?,
        python: table.texts("python")?,
        indexes: table.tables("index")?.iter().map(read_index).collect::<Result<_, _>>()?,
        builds: table.tables("build")?.iter().map(read_recipe).collect::<Result<_, _>>()?,
        accepts: table.tables("accept")?.iter().map(read_accepted).collect::<Result<_, _>>()?,
        asked: super::asked::read_asked(table)?,
        computed: table.texts("computed-sha256")?,
        first_seen: read_per_file(table, "first-seen", |item| item.timestamp())?,
        trees: table.tables("tree")?.iter().map(read_tree).collect::<Result<_, _>>()?,
        metadata: read_per_file(table, "metadata-sha256", |item| item.parse())?,
    })
}

fn read_index(table: &Table<'_>) -> Result<LockedIndex, LockError> {
    table.refuse_others(&["file-hosts", "insecure", "name", "url"])?;
    Ok(LockedIndex {
        name: table.required("name")?.text()?.to_owned(),
        url: table.required("url")?.parse()?,
        file_hosts: table.texts("file-hosts")?,
        insecure: table.optional("insecure").map(|item| item.boolean()).transpose()?.unwrap_or_default(),
    })
}

fn read_recipe(table: &Table<'_>) -> Result<BuildRecipe, LockError> {
    table.refuse_others(&[
        "backend",
        "backend-path",
        "metadata-sha256",
        "name",
        "requires",
        "sdist-sha256",
        "targets",
        "version",
    ])?;
    Ok(BuildRecipe {
        name: read_name(&table.required("name")?)?,
        version: table.required("version")?.parse()?,
        sdist: table.required("sdist-sha256")?.parse()?,
        targets: table.texts("targets")?,
        backend: table.required("backend")?.text()?.to_owned(),
        backend_path: table.texts("backend-path")?,
        metadata: table.required("metadata-sha256")?.parse()?,
        requires: table.tables("requires")?.iter().map(read_build_tool).collect::<Result<_, _>>()?,
    })
}

fn read_tree(table: &Table<'_>) -> Result<LockedTree, LockError> {
    table.refuse_others(&["commit-id", "name", "path", "sha256", "size", "version"])?;
    let identity = match table.optional("path") {
        Some(path) => TreeIdentity::Path(path.text()?.to_owned()),
        None => TreeIdentity::Commit(table.required("commit-id")?.text()?.to_owned()),
    };
    Ok(LockedTree {
        name: read_name(&table.required("name")?)?,
        version: table.required("version")?.parse()?,
        identity,
        sha256: table.required("sha256")?.parse()?,
        size_bytes: table.required("size")?.whole_number()?,
    })
}

fn read_build_tool(table: &Table<'_>) -> Result<BuildTool, LockError> {
    table.refuse_others(&["file", "index", "name", "version"])?;
    let name = read_name(&table.required("name")?)?;
    let version = table.required("version")?.parse()?;
    let owner = Owner { name: &name, version: Some(&version) };
    Ok(BuildTool {
        file: read_file(&table.required("file")?.table()?, &owner, Shape::Wheel)?,
        index: table.required("index")?.parse()?,
        name,
        version,
    })
}

fn read_accepted(table: &Table<'_>) -> Result<Accepted, LockError> {
    table.refuse_others(&["code", "package", "path", "reason", "sha256"])?;
    Ok(Accepted {
        code: table.required("code")?.text()?.to_owned(),
        package: read_name(&table.required("package")?)?,
        path: table.parse_optional("path")?,
        sha256: table.required("sha256")?.parse()?,
        reason: table.required("reason")?.text()?.to_owned(),
    })
}

/// Reads a table whose keys are file names.
fn read_per_file<T>(
    table: &Table<'_>,
    key: &'static str,
    read: impl Fn(&Item<'_>) -> Result<T, LockError>,
) -> Result<BTreeMap<ArtifactFilename, T>, LockError> {
    let Some(item) = table.optional(key) else {
        return Ok(BTreeMap::new());
    };
    let mut found = BTreeMap::new();
    for (key, value) in item.table()?.items() {
        let filename = key.parse::<ArtifactFilename>().map_err(|error| value.wrong_value(key, error.to_string()))?;
        found.insert(filename, read(&value)?);
    }
    Ok(found)
}
