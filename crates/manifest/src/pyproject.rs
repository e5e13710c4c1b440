//! Reads `pyproject.toml`: what the standard says of the application, and `[tool.pinfold]`.
//!
//! Of `[project]` only what a lock is made of is read (PEP 621); the rest is for build backends. Dependencies and extras that
//! are declared dynamic would have to be computed by running code, so they are refused unless `[tool.pinfold]` names others.

use crate::document::{Document, Table};
use crate::groups::Sections;
use crate::place::Positions;
use crate::read::{
    PROJECT_KEYS, ROOT_KEYS, given_in_both, read_name, read_project, read_requires_python, read_sources,
};
use crate::{Manifest, ManifestError, ManifestErrorKind};

/// Reads a `pyproject.toml`.
pub(crate) fn parse(text: &str, file_name: &str) -> Result<Manifest, ManifestError> {
    let positions = Positions::of(text);
    let document = Document { file: file_name, text, positions: &positions };
    let parsed = document.parse()?;
    let root = Table::root(document, &parsed);
    let mut manifest = Manifest::empty();
    let mut sections = Sections::default();
    let project = root.get("project").map(|value| Table::open_any(document, "[project]", value)).transpose()?;
    if let Some(project) = &project {
        read_standard(project, &mut manifest)?;
        sections.read_extras(project, "optional-dependencies", "[project.optional-dependencies]")?;
    }
    sections.read_groups(&root, "dependency-groups", "[dependency-groups]")?;
    let tool = tool_table(document, &root)?;
    if let Some(tool) = &tool {
        read_tool(tool, &mut manifest)?;
        sections.read(tool)?;
    }
    if let Some(project) = &project {
        check_static(project, tool.as_ref())?;
    }
    sections.finish(document, &mut manifest)?;
    Ok(manifest)
}

/// Returns `[tool.pinfold]`.
fn tool_table<'d>(document: Document<'d>, root: &Table<'d>) -> Result<Option<Table<'d>>, ManifestError> {
    let Some(tool) = root.get("tool") else {
        return Ok(None);
    };
    match Table::open_any(document, "[tool]", tool)?.get("pinfold") {
        Some(value) => Table::open_any(document, "[tool.pinfold]", value).map(Some),
        None => Ok(None),
    }
}

/// Reads what the standard's `[project]` says.
fn read_standard(project: &Table<'_>, manifest: &mut Manifest) -> Result<(), ManifestError> {
    if let Some(name) = project.text("name")? {
        manifest.name = Some(read_name(project, &name)?);
    }
    read_requires_python(project, manifest)?;
    manifest.dependencies = project.requirements("dependencies")?;
    Ok(())
}

/// Reads `[tool.pinfold]`, whose `[project]` keys may stand in it or in a table of its own, but each only once.
fn read_tool(tool: &Table<'_>, manifest: &mut Manifest) -> Result<(), ManifestError> {
    let document = tool.document;
    tool.check_keys(&[&ROOT_KEYS[..], &PROJECT_KEYS[..]].concat(), &[])?;
    read_project(tool, manifest)?;
    if let Some(value) = tool.get("project") {
        let inner = Table::open(document, "[tool.pinfold.project]", value, &PROJECT_KEYS)?;
        if let Some(key) = given_in_both(tool, &inner) {
            let kind = ManifestErrorKind::AlreadyGiven { key: key.value.to_owned(), table: "[tool.pinfold]" };
            return Err(document.error(key.range, kind));
        }
        read_project(&inner, manifest)?;
    }
    read_sources(tool, manifest)
}

/// Refuses dependencies and extras that only running a build backend would tell, unless others are written down: none at all,
/// perhaps.
fn check_static(project: &Table<'_>, tool: Option<&Table<'_>>) -> Result<(), ManifestError> {
    let inner = tool.and_then(|tool| tool.get("project")).and_then(|project| project.get_ref().as_table());
    let is_written =
        |key: &&str| tool.is_some_and(|tool| tool.get(key).is_some()) || inner.is_some_and(|it| it.contains_key(*key));
    for text in project.texts("dynamic")? {
        let known = DYNAMIC.iter().find(|(field, ..)| *field == text.value);
        let kind = match known {
            _ if READ_FIELDS.contains(&text.value) && project.get(text.value).is_some() => {
                ManifestErrorKind::DynamicAndGiven { field: text.value.to_owned() }
            }
            Some((field, keys, instead)) if !keys.iter().any(is_written) => {
                ManifestErrorKind::Dynamic { field, instead }
            }
            _ => continue,
        };
        return Err(project.document.error(text.range, kind));
    }
    Ok(())
}

/// What may be dynamic only where a key of `[tool.pinfold]` stands for it, and what to write.
const DYNAMIC: [(&str, &[&str], &str); 2] = [
    (
        "dependencies",
        &["dependencies", "requirements"],
        "write them as `requirements` or `dependencies` of [tool.pinfold]",
    ),
    (
        "optional-dependencies",
        &["extras"],
        "write them into [tool.pinfold.extras], which may be empty: then the lock has no extras",
    ),
];
/// The fields of `[project]` that a lock is made of.
const READ_FIELDS: [&str; 4] = ["dependencies", "name", "optional-dependencies", "requires-python"];

#[cfg(test)]
mod tests;
