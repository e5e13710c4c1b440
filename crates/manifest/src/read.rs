//! Reads `pinfold.toml`: its tables into the fields of a [`Manifest`].

use std::collections::BTreeSet;

use pinfold_artifact::shown;
use pinfold_packaging::{BuildPolicy, PackageName, System};
use toml::de::DeValue;

use crate::document::{Document, Table, Text, wrong_type};
use crate::groups;
use crate::index::{IndexEntry, IndexLocation, UploadTime};
use crate::place::Positions;
use crate::{Accept, Cutoff, Manifest, ManifestError, ManifestErrorKind, Place, Requested, Sourced, routes};

/// Reads a `pinfold.toml`.
pub(crate) fn parse(text: &str, file_name: &str) -> Result<Manifest, ManifestError> {
    let positions = Positions::of(text);
    let document = Document { file: file_name, text, positions: &positions };
    let parsed = document.parse()?;
    let root = Table::root(document, &parsed);
    root.check_keys(
        &ROOT_KEYS,
        &[("[project]", &PROJECT_KEYS), ("[[index]]", &INDEX_KEYS), ("[[accept]]", &ACCEPT_KEYS)],
    )?;
    let mut manifest = Manifest::empty();
    if let Some(value) = root.get("project") {
        read_project(&Table::open(document, "[project]", value, &PROJECT_KEYS)?, &mut manifest)?;
    }
    read_sources(&root, &mut manifest)?;
    let mut sections = groups::Sections::default();
    sections.read(&root)?;
    sections.finish(document, &mut manifest)?;
    Ok(manifest)
}

/// Reads the keys of `[project]` into a manifest; what is given replaces or, for dependencies, adds.
pub(crate) fn read_project(table: &Table<'_>, manifest: &mut Manifest) -> Result<(), ManifestError> {
    let document = table.document;
    if let Some(name) = table.text("name")? {
        manifest.name = Some(read_name(table, &name)?);
    }
    read_requires_python(table, manifest)?;
    manifest.dependencies.extend(table.requirements("dependencies")?);
    manifest.requirement_files.extend(read_files(table, "requirements")?);
    for text in table.texts("constraints")? {
        if is_file(text.value) {
            manifest.constraint_files.push(document.sourced(text.range, text.value.to_owned()));
        } else {
            manifest.constraints.push(read_constraint(document, &text)?);
        }
    }
    for text in table.texts("overrides")? {
        manifest.overrides.push(read_override(document, &text)?);
    }
    manifest.exclude.extend(table.set::<PackageName>("exclude")?);
    manifest.no_binary.extend(table.set::<PackageName>("no-binary")?);
    if let Some(cutoff) = read_cutoff(table)? {
        manifest.exclude_newer = Some(cutoff);
    }
    if let Some(targets) = read_targets(table)? {
        manifest.targets = targets;
    }
    if let Some(prerelease) = table.text("prerelease")? {
        manifest.prerelease = document.read(&prerelease)?;
    }
    if let Some(resolution) = table.text("resolution")? {
        manifest.resolution = document.read(&resolution)?;
    }
    if let Some(build) = read_build(table)? {
        manifest.build = build;
    }
    Ok(())
}

/// Reads `[[index]]` and `[[accept]]`.
pub(crate) fn read_sources(root: &Table<'_>, manifest: &mut Manifest) -> Result<(), ManifestError> {
    let tables = root.tables("index", "[[index]]", &INDEX_KEYS)?;
    manifest.indexes = tables.iter().map(read_index).collect::<Result<_, _>>()?;
    for end in 1..=manifest.indexes.len() {
        // The entry that brings a contradiction in is to blame, unless the error names another.
        if let Err(error) = routes::check(&manifest.indexes[..end]) {
            let named = manifest.indexes.iter().position(|index| error.blames() == Some(&index.name));
            return Err(root.document.error(tables[named.unwrap_or(end - 1)].range.clone(), error));
        }
    }
    for table in root.tables("accept", "[[accept]]", &ACCEPT_KEYS)? {
        let accept = read_accept(&table)?;
        if manifest.accepts.contains(&accept) {
            let kind = ManifestErrorKind::Twice { name: format!("{} of {}", accept.code, accept.package) };
            return Err(table.document.error(table.range.clone(), kind));
        }
        manifest.accepts.push(accept);
    }
    Ok(())
}

/// Reads for which Python versions the application is.
pub(crate) fn read_requires_python(table: &Table<'_>, manifest: &mut Manifest) -> Result<(), ManifestError> {
    if let Some(specifiers) = table.text("requires-python")? {
        let Document { file, text, .. } = table.document;
        manifest.requires_python = Some(table.document.read(&specifiers)?);
        manifest.requires_python_place = Some(Place::locate(file, text, specifiers.range));
    }
    Ok(())
}

/// Reads the application's name.
pub(crate) fn read_name(table: &Table<'_>, name: &Text<'_>) -> Result<String, ManifestError> {
    table.document.read::<PackageName>(name)?;
    Ok(name.value.to_owned())
}

fn read_files(table: &Table<'_>, key: &str) -> Result<Vec<Sourced<String>>, ManifestError> {
    let mut files: Vec<Sourced<String>> = Vec::new();
    for text in table.texts(key)? {
        if text.value.is_empty() {
            return Err(table.document.error(text.range, ManifestErrorKind::Empty { key: key.to_owned() }));
        }
        if files.iter().any(|file| file.value == text.value) {
            return Err(table.document.error(text.range, ManifestErrorKind::Twice { name: text.value.to_owned() }));
        }
        files.push(table.document.sourced(text.range, text.value.to_owned()));
    }
    Ok(files)
}

/// A constraint is a file if it looks like the path of one: `constraints.txt` would also be a project's name, but no project
/// is named so.
fn is_file(text: &str) -> bool {
    let is_path = text.contains(['/', '\\']) && !text.contains(['@', ';']);
    text.ends_with(".txt") || text.ends_with(".in") || is_path
}

fn read_constraint(document: Document<'_>, text: &Text<'_>) -> Result<Sourced<Requested>, ManifestError> {
    let constraint = document.requirement(text)?;
    if constraint.value.requirement.extras.is_empty() {
        return Ok(constraint);
    }
    Err(document.error(text.range.clone(), ManifestErrorKind::ConstraintExtras))
}

fn read_override(document: Document<'_>, text: &Text<'_>) -> Result<Sourced<Requested>, ManifestError> {
    let read = document.requirement(text)?;
    let requirement = &read.value.requirement;
    let refuse = |kind| Err(document.error(text.range.clone(), kind));
    if !requirement.extras.is_empty() {
        return refuse(ManifestErrorKind::OverrideExtras);
    }
    // A requirement that may not hold adds or narrows, which is safe; an override takes away.
    if requirement.marker.asks_for_the_unknown() {
        return refuse(ManifestErrorKind::OverrideUnknown);
    }
    Ok(read)
}

fn read_cutoff(table: &Table<'_>) -> Result<Option<Cutoff>, ManifestError> {
    let Some(value) = table.get("exclude-newer") else {
        return Ok(None);
    };
    let written = match value.get_ref() {
        DeValue::String(text) => text.to_string(),
        DeValue::Datetime(moment) => moment.to_string(),
        other => {
            return Err(table.document.error(value.span(), wrong_type("exclude-newer", "a time or a span", other)));
        }
    };
    written.parse().map(Some).map_err(|error: crate::CutoffError| table.document.error(value.span(), error))
}

fn read_targets(table: &Table<'_>) -> Result<Option<Vec<System>>, ManifestError> {
    let Some(value) = table.get("targets") else {
        return Ok(None);
    };
    let mut targets = Vec::new();
    for text in table.texts("targets")? {
        let target: System = table.document.read(&text)?;
        if targets.contains(&target) {
            return Err(table.document.error(text.range, ManifestErrorKind::Twice { name: target.to_string() }));
        }
        targets.push(target);
    }
    if targets.is_empty() {
        return Err(table.document.error(value.span(), ManifestErrorKind::Empty { key: "targets".to_owned() }));
    }
    Ok(Some(targets))
}

fn read_build(table: &Table<'_>) -> Result<Option<BuildPolicy>, ManifestError> {
    if table.get("build").is_none() {
        return Ok(None);
    }
    let texts = table.texts("build")?;
    match texts.iter().position(|text| text.value == "*") {
        None => Ok(Some(BuildPolicy::Named(table.set::<PackageName>("build")?))),
        Some(_) if texts.len() == 1 => Ok(Some(BuildPolicy::All)),
        Some(star) => Err(table.document.error(texts[star].range.clone(), ManifestErrorKind::Star)),
    }
}

fn read_index(table: &Table<'_>) -> Result<IndexEntry, ManifestError> {
    let document = table.document;
    let name = table.required_text("name")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let is_name = name.value.len() <= 64 && name.value.starts_with(|c: char| c.is_ascii_alphabetic());
    if !is_name || !name.value.chars().all(plain) {
        let found = shown(name.value, 80);
        return Err(document.error(name.range, ManifestErrorKind::IndexName { found }));
    }
    let location = match (table.text("url")?, table.text("from")?) {
        (Some(_), Some(from)) => {
            return Err(document.error(from.range, ManifestErrorKind::OneOf { first: "url", second: "from" }));
        }
        (Some(url), None) => document.read(&url)?,
        (None, Some(from)) => read_word(document, &from, &[("pip", IndexLocation::Pip)], "`pip`")?,
        (None, None) => {
            let kind = ManifestErrorKind::Missing { key: "url", table: table.title };
            return Err(document.error(table.range.clone(), kind));
        }
    };
    let mut index = IndexEntry::default_at(name.value.to_owned(), location);
    index.default = table.flag("default")?;
    index.packages = table.set("packages")?;
    index.file_hosts = table.get("file-hosts").map(|_| table.set("file-hosts")).transpose()?;
    index.insecure = table.flag("insecure")?;
    if let Some(text) = table.text("upload-time")? {
        index.upload_time = read_word(document, &text, &[("first-seen", UploadTime::FirstSeen)], "`first-seen`")?;
    }
    Ok(index)
}

fn read_word<T: Clone>(
    document: Document<'_>,
    text: &Text<'_>,
    words: &[(&str, T)],
    allowed: &'static str,
) -> Result<T, ManifestError> {
    let found = || shown(text.value, 80);
    let value = words.iter().find(|(word, _)| *word == text.value).map(|(_, value)| value.clone());
    value.ok_or_else(|| document.error(text.range.clone(), ManifestErrorKind::Word { found: found(), allowed }))
}

fn read_accept(table: &Table<'_>) -> Result<Accept, ManifestError> {
    let document = table.document;
    let code = table.required_text("code")?;
    let is_code = |text: &str| {
        let word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        text.len() <= 64 && text.split('-').all(word)
    };
    if !is_code(code.value) {
        let found = shown(code.value, 80);
        return Err(document.error(code.range, ManifestErrorKind::Code { found }));
    }
    let reason = table.required_text("reason")?;
    if reason.value.trim().is_empty() {
        return Err(document.error(reason.range, ManifestErrorKind::Empty { key: "reason".to_owned() }));
    }
    Ok(Accept {
        code: code.value.to_owned(),
        package: document.read(&table.required_text("package")?)?,
        path: table.text("path")?.map(|path| document.read(&path)).transpose()?,
        sha256: document.read(&table.required_text("sha256")?)?,
        reason: reason.value.to_owned(),
    })
}

/// Returns the keys that are given in two tables that mean the same.
pub(crate) fn given_in_both<'d>(first: &Table<'d>, second: &Table<'d>) -> Option<Text<'d>> {
    let names: BTreeSet<&str> = first.entries().iter().map(|(key, _)| key.value).collect();
    second.entries().into_iter().map(|(key, _)| key).find(|key| names.contains(key.value))
}

pub(crate) const ROOT_KEYS: [&str; 5] = ["project", "groups", "extras", "index", "accept"];
pub(crate) const PROJECT_KEYS: [&str; 13] = [
    "name",
    "requires-python",
    "requirements",
    "dependencies",
    "constraints",
    "overrides",
    "exclude",
    "exclude-newer",
    "targets",
    "prerelease",
    "resolution",
    "build",
    "no-binary",
];
pub(crate) const INDEX_KEYS: [&str; 8] =
    ["name", "url", "from", "default", "packages", "file-hosts", "insecure", "upload-time"];
pub(crate) const ACCEPT_KEYS: [&str; 5] = ["code", "package", "path", "sha256", "reason"];

#[cfg(test)]
mod refusals;
#[cfg(test)]
mod tests;
