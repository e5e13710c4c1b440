//! Reads `pyproject.toml`: what the standard says of the application, and `[tool.pinfold]`.
//!
//! Of `[project]` only what a lock is made of is read (PEP 621); the rest is for build backends. Dependencies that are
//! declared dynamic would have to be computed by running code, so they are refused unless `[tool.pinfold]` names others.

use toml::de::DeValue;

use crate::document::{Document, Table, texts};
use crate::groups::Sections;
use crate::place::Positions;
use crate::read::{PROJECT_KEYS, ROOT_KEYS, given_in_both, read_name, read_project, read_sources};
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
    if let Some(tool) = tool_table(document, &root)? {
        read_tool(&tool, &mut manifest)?;
        sections.read(&tool)?;
    }
    if let Some(project) = &project {
        check_static(project, &manifest)?;
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
    if let Some(specifiers) = project.text("requires-python")? {
        manifest.requires_python = Some(project.document.read(&specifiers)?);
    }
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

/// Refuses dependencies that only running a build backend would tell, unless others are written down.
fn check_static(project: &Table<'_>, manifest: &Manifest) -> Result<(), ManifestError> {
    let Some(value) = project.get("dynamic") else {
        return Ok(());
    };
    let DeValue::Array(_) = value.get_ref() else {
        return Ok(());
    };
    let dynamic = texts(project.document, "dynamic", value)?;
    let found = dynamic.into_iter().find(|text| text.value == "dependencies");
    match found {
        Some(text) if manifest.dependencies.is_empty() && manifest.requirement_files.is_empty() => {
            Err(project.document.error(text.range, ManifestErrorKind::Dynamic))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
