//! Dependency groups (PEP 735) and extras, with what they include put in place.
//!
//! A group includes another by `{ include-group = "test" }`, an extra (or group) an extra of the same application by naming
//! the application: `all = ["app[gpu,web]"]`; so may the application's own dependencies. A marker there is a condition of all
//! that is included. A cycle is an error, and so is a name that does not exist. What is included twice over is there once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::ops::Range;
use std::str::FromStr;

use pinfold_packaging::{ExtraName, GroupName, Marker, PackageName};
use toml::Spanned;
use toml::de::DeValue;

use crate::document::{Document, Table, Text, nearest, wrong_item, wrong_type};
use crate::{Manifest, ManifestError, ManifestErrorKind, Requested, Sourced};

/// Groups and extras as they are written.
#[derive(Debug, Default)]
pub(crate) struct Sections {
    groups: BTreeMap<GroupName, Vec<Item>>,
    extras: BTreeMap<ExtraName, Vec<Item>>,
}

#[derive(Debug)]
enum Item {
    /// Another group.
    Group { name: GroupName, range: Range<usize> },
    /// A requirement, on the application itself perhaps.
    Requirement { requirement: Box<Sourced<Requested>>, range: Range<usize> },
}

impl Sections {
    /// Reads the groups and extras of one table that may hold both; names of a former call must not come again.
    pub(crate) fn read(&mut self, table: &Table<'_>) -> Result<(), ManifestError> {
        self.read_groups(table, "groups", "[groups]")?;
        self.read_extras(table, "extras", "[extras]")
    }

    /// Reads a table of groups.
    pub(crate) fn read_groups(
        &mut self,
        table: &Table<'_>,
        key: &str,
        title: &'static str,
    ) -> Result<(), ManifestError> {
        let Some(value) = table.get(key) else {
            return Ok(());
        };
        let document = table.document;
        for (key, value) in Table::open_any(document, title, value)?.entries() {
            let items = items(document, &key, value)?;
            insert(document, &mut self.groups, &key, items)?;
        }
        Ok(())
    }

    /// Reads a table of extras; the standard has no includes in them.
    pub(crate) fn read_extras(
        &mut self,
        table: &Table<'_>,
        key: &str,
        title: &'static str,
    ) -> Result<(), ManifestError> {
        let Some(value) = table.get(key) else {
            return Ok(());
        };
        let document = table.document;
        for (key, value) in Table::open_any(document, title, value)?.entries() {
            let items = items(document, &key, value)?;
            if let Some(Item::Group { range, .. }) = items.iter().find(|item| matches!(item, Item::Group { .. })) {
                let kind = ManifestErrorKind::ItemType {
                    key: key.value.to_owned(),
                    expected: "a requirement",
                    found: "an include",
                };
                return Err(document.error(range.clone(), kind));
            }
            insert(document, &mut self.extras, &key, items)?;
        }
        Ok(())
    }

    /// Puts what is included in place, and all of it into the manifest.
    pub(crate) fn finish(self, document: Document<'_>, manifest: &mut Manifest) -> Result<(), ManifestError> {
        let application = manifest.name.as_ref().and_then(|name| name.parse::<PackageName>().ok());
        let mut expansion = Expansion { document, sections: &self, application, total: 0, conditional: 0 };
        let mut direct = Collected::default();
        for dependency in std::mem::take(&mut manifest.dependencies) {
            let range = document.range_at(dependency.line, dependency.column);
            expansion.requirement(&dependency, &range, &Marker::always(), &mut direct)?;
        }
        manifest.dependencies = direct.requirements;
        for name in self.extras.keys() {
            let mut collected = Collected::default();
            expansion.extra(name, &Marker::always(), &mut collected)?;
            manifest.extras.insert(name.clone(), collected.requirements);
        }
        for name in self.groups.keys() {
            let mut collected = Collected::default();
            expansion.group(name, &mut collected)?;
            manifest.groups.insert(name.clone(), collected.requirements);
        }
        Ok(())
    }
}

/// One group or extra, being put together.
#[derive(Debug, Default)]
struct Collected {
    requirements: Vec<Sourced<Requested>>,
    /// The groups and extras that are being included now, outermost first.
    group_path: Vec<GroupName>,
    extra_path: Vec<ExtraName>,
    /// Those whose content is already there.
    seen_groups: BTreeSet<GroupName>,
    /// Each with the conditions under which it is.
    seen_extras: BTreeMap<ExtraName, Vec<Marker>>,
}

struct Expansion<'s, 'd> {
    document: Document<'d>,
    sections: &'s Sections,
    application: Option<PackageName>,
    /// Requirements in all groups and extras together, those that are includes too.
    total: usize,
    /// Includes under a condition among them.
    conditional: usize,
}

impl<'s> Expansion<'s, '_> {
    fn group(&mut self, name: &'s GroupName, collected: &mut Collected) -> Result<(), ManifestError> {
        collected.group_path.push(name.clone());
        for item in self.sections.groups.get(name).into_iter().flatten() {
            match item {
                Item::Group { name, range } => self.included_group(name, range, collected)?,
                Item::Requirement { requirement, range } => {
                    self.requirement(requirement, range, &Marker::always(), collected)?;
                }
            }
        }
        collected.group_path.pop();
        collected.seen_groups.insert(name.clone());
        Ok(())
    }

    fn extra(&mut self, name: &ExtraName, condition: &Marker, collected: &mut Collected) -> Result<(), ManifestError> {
        collected.extra_path.push(name.clone());
        for item in self.sections.extras.get(name).into_iter().flatten() {
            if let Item::Requirement { requirement, range } = item {
                self.requirement(requirement, range, condition, collected)?;
            }
        }
        collected.extra_path.pop();
        collected.seen_extras.entry(name.clone()).or_default().push(condition.clone());
        Ok(())
    }

    fn included_group(
        &mut self,
        name: &'s GroupName,
        range: &Range<usize>,
        collected: &mut Collected,
    ) -> Result<(), ManifestError> {
        let known = self.sections.groups.keys();
        check_include(self.document, "group", name, range, &collected.group_path, known)?;
        if collected.seen_groups.contains(name) { Ok(()) } else { self.group(name, collected) }
    }

    fn requirement(
        &mut self,
        requirement: &Sourced<Requested>,
        range: &Range<usize>,
        condition: &Marker,
        collected: &mut Collected,
    ) -> Result<(), ManifestError> {
        self.total += 1;
        if self.total > INCLUDED_REQUIREMENTS {
            return Err(self.document.error(range.clone(), ManifestErrorKind::SectionDepth));
        }
        let value = &requirement.value.requirement;
        let is_own = self.application.as_ref() == Some(&value.name);
        if is_own && value.extras.is_empty() && requirement.value.reference.is_none() {
            return Err(self.document.error(range.clone(), ManifestErrorKind::OwnName { name: value.name.clone() }));
        }
        if !is_own || value.extras.is_empty() {
            let mut requirement = requirement.clone();
            requirement.value.requirement.marker = self.both(condition, &value.marker, range)?;
            collected.requirements.push(requirement);
            return Ok(());
        }
        if !value.specifiers.is_any() || requirement.value.reference.is_some() {
            return Err(self.document.error(range.clone(), ManifestErrorKind::SelfReference));
        }
        let condition = self.both(condition, &value.marker, range)?;
        self.conditional += usize::from(!condition.is_always());
        if self.conditional > CONDITIONAL_INCLUDES {
            return Err(self.document.error(range.clone(), ManifestErrorKind::SectionDepth));
        }
        for extra in &value.extras {
            let known = self.sections.extras.keys();
            check_include(self.document, "extra", extra, range, &collected.extra_path, known)?;
            let seen = collected.seen_extras.get(extra).into_iter().flatten();
            if !seen.into_iter().any(|seen| seen.is_always() || *seen == condition) {
                self.extra(extra, &condition, collected)?;
            }
        }
        Ok(())
    }

    fn both(&self, first: &Marker, second: &Marker, range: &Range<usize>) -> Result<Marker, ManifestError> {
        first.and(second).map_err(|error| self.document.error(range.clone(), error))
    }
}

/// Checks that what is included exists, does not lead back to itself, and is not nested beyond reason.
fn check_include<'n, N: Display + Ord + 'n>(
    document: Document<'_>,
    what: &'static str,
    name: &N,
    range: &Range<usize>,
    path: &[N],
    mut known: impl Iterator<Item = &'n N> + Clone,
) -> Result<(), ManifestError> {
    if let Some(first) = path.iter().position(|outer| outer == name) {
        let path = path[first..].iter().chain([name]).map(|name| format!("`{name}`")).collect();
        return Err(document.error(range.clone(), ManifestErrorKind::Cycle { what, path }));
    }
    if path.len() >= NESTED_SECTIONS {
        return Err(document.error(range.clone(), ManifestErrorKind::SectionDepth));
    }
    if known.clone().any(|known| known == name) {
        return Ok(());
    }
    let names: Vec<String> = known.by_ref().map(ToString::to_string).collect();
    let name = name.to_string();
    let nearest = nearest(&name, names.iter().map(String::as_str)).map(str::to_owned);
    Err(document.error(range.clone(), ManifestErrorKind::UnknownInclude { what, name, nearest }))
}

fn insert<N: FromStr + Ord>(
    document: Document<'_>,
    sections: &mut BTreeMap<N, Vec<Item>>,
    key: &Text<'_>,
    items: Vec<Item>,
) -> Result<(), ManifestError>
where
    ManifestErrorKind: From<N::Err>,
{
    if sections.insert(document.read(key)?, items).is_some() {
        let kind = ManifestErrorKind::Twice { name: key.value.to_owned() };
        return Err(document.error(key.range.clone(), kind));
    }
    Ok(())
}

/// Reads an array of requirements and includes.
fn items<'d>(
    document: Document<'d>,
    key: &Text<'d>,
    value: &'d Spanned<DeValue<'d>>,
) -> Result<Vec<Item>, ManifestError> {
    let DeValue::Array(items) = value.get_ref() else {
        return Err(document.error(value.span(), wrong_type(key.value, "an array", value.get_ref())));
    };
    let read = |item: &'d Spanned<DeValue<'d>>| match item.get_ref() {
        DeValue::String(text) => {
            let text = Text { value: text.as_ref(), range: item.span() };
            Ok(Item::Requirement { requirement: Box::new(document.requirement(&text)?), range: text.range })
        }
        DeValue::Table(_) => {
            let table = Table::open(document, "an include", item, &["include-group"])?;
            let name = table.required_text("include-group")?;
            Ok(Item::Group { name: document.read(&name)?, range: name.range })
        }
        other => {
            let kind = wrong_item(key.value, "a requirement or `{ include-group = … }`", other);
            Err(document.error(item.span(), kind))
        }
    };
    items.iter().map(read).collect()
}

/// How deep groups and extras may include each other: stops stack overflow.
const NESTED_SECTIONS: usize = 64;
/// Includes under a condition: each makes the markers anew of what it includes.
const CONDITIONAL_INCLUDES: usize = 1_000;
/// Requirements in all groups and extras together: stops blow-up by repeated inclusion.
const INCLUDED_REQUIREMENTS: usize = 100_000;
