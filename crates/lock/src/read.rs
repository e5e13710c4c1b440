//! From text to [`Lock`], strictly.
//!
//! PEP 751 wants a warning for keys that a newer minor version may have brought, and an error for another major version.
//! `[tool.pinfold]` is our own: there every unknown key is an error. What the standard leaves optional and pinfold's
//! promises need (a SHA-256 and a size for every file) is required here. Whether the lock may be used is not asked here
//! but in [`Lock::validate`], so that `tree` and `diff` can show a lock that `sync` refuses.

mod asked;
mod file;
mod table;
#[cfg(test)]
mod tests;
mod tool;

use std::cell::RefCell;

use pinfold_artifact::{Limits, LocalPath};
use pinfold_packaging::{PackageName, Version};
use toml::de::DeTable;

use crate::{DependencyReference, DirectorySource, Lock, LockError, LockWarning, Package, TreeSource, VcsSource};

use file::{Owner, Shape};
use table::{Document, Item, Table};

pub(crate) fn read(text: &str, directory: Option<&LocalPath>) -> Result<(Lock, Vec<LockWarning>), LockError> {
    let found = text.len() as u64;
    if found > Limits::LOCK_BYTES {
        return Err(LockError::TooLarge { found });
    }
    let parsed = DeTable::parse(text).map_err(|error| {
        let (line, column) = table::position(text, error.span().map_or(0, |span| span.start));
        LockError::Syntax { column, line, message: error.message().to_owned() }
    })?;
    let document = Document { text, directory, warnings: RefCell::default(), index: RefCell::default() };
    let lock = read_lock(&document, parsed.get_ref())?;
    Ok((lock, document.warnings.into_inner()))
}

fn read_lock<'a>(document: &'a Document<'a>, entries: &'a DeTable<'a>) -> Result<Lock, LockError> {
    let root = Table::root(document, entries);
    if let Some(found) = check_version(&root)? {
        document.warnings.borrow_mut().push(LockWarning::MinorVersion { found });
    }
    root.remark_others(&[
        "created-by",
        "default-groups",
        "dependency-groups",
        "environments",
        "extras",
        "lock-version",
        "packages",
        "requires-python",
        "tool",
    ]);
    let packages = root.required("packages")?.array()?;
    if packages.len() > Limits::LOCK_PACKAGES {
        return Err(LockError::TooManyPackages { found: packages.len() });
    }
    let tools = root.optional("tool").map(Item::table).transpose()?;
    Ok(Lock {
        requires_python: root.parse_optional("requires-python")?,
        environments: root.texts("environments")?,
        extras: root.texts("extras")?,
        dependency_groups: root.texts("dependency-groups")?,
        default_groups: root.texts("default-groups")?,
        created_by: root.required("created-by")?.text()?.to_owned(),
        packages: packages.into_iter().map(|item| read_package(&item.table()?)).collect::<Result<_, _>>()?,
        tool: match tools.and_then(|tools| tools.optional("pinfold")) {
            Some(own) => Some(tool::read_tool(&own.table()?)?),
            None => None,
        },
    })
}

/// Returns the version if it is a later minor one.
fn check_version(root: &Table<'_>) -> Result<Option<String>, LockError> {
    let item = root.required("lock-version")?;
    let version: Version = item.parse()?;
    match version.release() {
        [1] | [1, 0, ..] if !version.is_prerelease() && version.epoch() == 0 => Ok(None),
        [1, ..] if version.epoch() == 0 => Ok(Some(version.to_string())),
        _ => Err(LockError::Version { found: table::shown(item.text()?), key: "lock-version", supported: "1.0" }),
    }
}

fn read_package(entry: &Table<'_>) -> Result<Package, LockError> {
    entry.remark_others(&[
        "archive",
        "attestation-identities",
        "dependencies",
        "directory",
        "index",
        "marker",
        "name",
        "requires-python",
        "sdist",
        "tool",
        "vcs",
        "version",
        "wheels",
    ]);
    let name = read_name(&entry.required("name")?)?;
    let version: Option<Version> = entry.parse_optional("version")?;
    let owner = Owner { name: &name, version: version.as_ref() };
    let mut wheels = Vec::new();
    for wheel in entry.tables("wheels")? {
        let file = file::read_file(&wheel, &owner, Shape::Wheel)?;
        if wheels.iter().any(|other: &crate::LockedFile| other.filename == file.filename) {
            return Err(LockError::DuplicateFile { filename: file.filename, line: wheel.line(), package: name });
        }
        wheels.push(file);
    }
    let one = |key: &str, shape: Shape| match entry.optional(key) {
        Some(item) => file::read_file(&item.table()?, &owner, shape).map(Some),
        None => Ok(None),
    };
    let package = Package {
        marker: entry.parse_optional("marker")?,
        requires_python: entry.parse_optional("requires-python")?,
        index: entry.index()?,
        dependencies: entry.tables("dependencies")?.iter().map(read_dependency).collect::<Result<_, _>>()?,
        sdist: one("sdist", Shape::Sdist)?,
        archive: match entry.optional("archive") {
            Some(item) => Some(file::read_archive(&item.table()?, &owner)?),
            None => None,
        },
        tree: read_tree(entry, &name)?,
        wheels,
        version: version.clone(),
        name: name.clone(),
    };
    let released = !package.wheels.is_empty() || package.sdist.is_some();
    let direct = usize::from(package.archive.is_some()) + usize::from(package.tree.is_some());
    if direct != usize::from(!released) {
        return Err(LockError::Sources { line: entry.line(), package: name });
    }
    Ok(package)
}

/// Reads a project name, which a lock gives in its normalised spelling only.
fn read_name(item: &Item<'_>) -> Result<PackageName, LockError> {
    let name: PackageName = item.parse()?;
    let written = item.text()?;
    if name.as_str() != written {
        return Err(item.wrong_value(written, format!("the normalised name is `{name}`")));
    }
    Ok(name)
}

/// Reads what tells which entry a dependency is. Other tools may tell by other keys; those are not needed for anything.
fn read_dependency(table: &Table<'_>) -> Result<DependencyReference, LockError> {
    Ok(DependencyReference {
        name: table.required("name")?.parse()?,
        version: table.parse_optional("version")?,
        index: table.index()?,
        marker: table.parse_optional("marker")?,
    })
}

fn read_tree(entry: &Table<'_>, name: &PackageName) -> Result<Option<TreeSource>, LockError> {
    let text =
        |table: &Table<'_>, key: &str| table.optional(key).map(|item| item.text().map(str::to_owned)).transpose();
    let directory = entry.optional("directory").map(Item::table).transpose()?;
    let vcs = entry.optional("vcs").map(Item::table).transpose()?;
    match (directory, vcs) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(LockError::Sources { line: entry.line(), package: name.clone() }),
        (Some(table), None) => {
            table.remark_others(&["editable", "path", "subdirectory"]);
            let path = table.required("path")?;
            // What another tool wrote need not be a path here; then the tree is not used.
            let url = path.parse().ok().and_then(|parsed| table.url_of(&path, &parsed).ok());
            Ok(Some(TreeSource::Directory(DirectorySource {
                path: path.text()?.to_owned(),
                url,
                editable: table.optional("editable").map(|item| item.boolean()).transpose()?,
                subdirectory: text(&table, "subdirectory")?,
            })))
        }
        (None, Some(table)) => {
            table.remark_others(&["commit-id", "path", "requested-revision", "subdirectory", "type", "url"]);
            Ok(Some(TreeSource::Vcs(VcsSource {
                kind: table.required("type")?.text()?.to_owned(),
                url: text(&table, "url")?,
                path: text(&table, "path")?,
                requested_revision: text(&table, "requested-revision")?,
                commit_id: table.required("commit-id")?.text()?.to_owned(),
                subdirectory: text(&table, "subdirectory")?,
            })))
        }
    }
}
