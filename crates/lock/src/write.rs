//! From [`Lock`] to text: one layout, byte for byte.
//!
//! An own writer, because the bytes are a promise: keys in the order of the standard, entries and files sorted here rather
//! than trusted to be, one file per line so that a changed wheel is a changed line, LF, nothing aligned to anything else.
//! Everything read back gives the same value.

mod asked;
mod tool;

use std::cmp::Ordering;
use std::fmt::{Display, Write};

use pinfold_artifact::{ArchivePath, SafeUrl};
use pinfold_packaging::Version;

use crate::{DependencyReference, Lock, LockedArchive, LockedFile, Package, TreeSource};

pub(crate) fn write(lock: &Lock) -> String {
    let mut out = Output { text: String::with_capacity(length_of(lock)) };
    out.text("lock-version", "1.0");
    if !lock.environments.is_empty() {
        out.lines("environments", &lock.environments, put_shown);
    }
    if let Some(requires_python) = &lock.requires_python {
        out.shown("requires-python", requires_python);
    }
    // Empty on purpose: it says that there are none, not that nobody thought of it.
    out.array("extras", &lock.extras);
    out.array("dependency-groups", &lock.dependency_groups);
    if !lock.default_groups.is_empty() {
        out.array("default-groups", &lock.default_groups);
    }
    out.text("created-by", &lock.created_by);
    let mut packages: Vec<&Package> = lock.packages.iter().collect();
    packages.sort_by(|a, b| compare_packages(a, b));
    if packages.is_empty() {
        out.plain("packages", "[]");
    }
    for package in packages {
        write_package(&mut out, package);
    }
    if let Some(tool) = &lock.tool {
        tool::write_tool(&mut out, tool);
    }
    out.text
}

/// Returns about how many bytes a lock has: the text need not move while it grows.
fn length_of(lock: &Lock) -> usize {
    let files: usize = lock.packages.iter().map(|package| package.files().count()).sum();
    512 * (lock.packages.len() + files)
}

/// Compares entries in the order in which they are written. No two entries of a usable lock are equal in it.
pub(crate) fn compare_packages(a: &Package, b: &Package) -> Ordering {
    a.name.as_str().cmp(b.name.as_str()).then_with(|| order_in_project(a).cmp(&order_in_project(b)))
}

/// What the entries of one project are sorted by.
fn order_in_project(package: &Package) -> (Option<&Version>, &str, String, &str) {
    let index = package.index.as_ref().map(SafeUrl::as_str).unwrap_or_default();
    let marker = package.marker.as_ref().map(ToString::to_string).unwrap_or_default();
    let file = package.files().map(|file| file.filename.as_str()).min().unwrap_or_default();
    (package.version.as_ref(), index, marker, file)
}

fn write_package(out: &mut Output, package: &Package) {
    out.header("[[packages]]");
    out.text("name", package.name.as_str());
    if let Some(version) = &package.version {
        out.shown("version", version);
    }
    if let Some(marker) = &package.marker {
        out.shown("marker", marker);
    }
    if let Some(requires_python) = &package.requires_python {
        out.shown("requires-python", requires_python);
    }
    let mut dependencies: Vec<&DependencyReference> = package.dependencies.iter().collect();
    dependencies.sort_by(|a, b| compare_dependencies(a, b));
    if !dependencies.is_empty() {
        out.lines("dependencies", dependencies, put_dependency);
    }
    match &package.tree {
        Some(TreeSource::Vcs(vcs)) => out.table("vcs", |table| {
            table.text("type", &vcs.kind);
            table.text_if_any("url", vcs.url.as_deref());
            table.text_if_any("path", vcs.path.as_deref());
            table.text_if_any("requested-revision", vcs.requested_revision.as_deref());
            table.text("commit-id", &vcs.commit_id);
            table.text_if_any("subdirectory", vcs.subdirectory.as_deref());
        }),
        Some(TreeSource::Directory(directory)) => out.table("directory", |table| {
            table.text("path", &directory.path);
            table.plain_if_any("editable", directory.editable);
            table.text_if_any("subdirectory", directory.subdirectory.as_deref());
        }),
        None => {}
    }
    if let Some(archive) = &package.archive {
        out.table("archive", |table| put_archive(table, archive));
    }
    if let Some(index) = &package.index {
        out.text("index", index.as_str());
    }
    if let Some(sdist) = &package.sdist {
        out.table("sdist", |table| put_file(table, sdist));
    }
    let mut wheels: Vec<&LockedFile> = package.wheels.iter().collect();
    wheels.sort_by(|a, b| a.filename.cmp(&b.filename));
    if !wheels.is_empty() {
        out.lines("wheels", wheels, |text, wheel| put_table(text, |table| put_file(table, wheel)));
    }
}

/// Compares dependencies in the order in which they are written.
pub(crate) fn compare_dependencies(a: &DependencyReference, b: &DependencyReference) -> Ordering {
    let rest = |reference: &DependencyReference| {
        let marker = reference.marker.as_ref().map(ToString::to_string).unwrap_or_default();
        (reference.index.as_ref().map(ToString::to_string).unwrap_or_default(), marker)
    };
    let names = a.name.as_str().cmp(b.name.as_str());
    names.then_with(|| a.version.cmp(&b.version)).then_with(|| rest(a).cmp(&rest(b)))
}

fn put_dependency(text: &mut String, reference: &DependencyReference) {
    put_table(text, |table| {
        table.text("name", reference.name.as_str());
        table.shown_if_any("version", reference.version.as_ref());
        table.shown_if_any("marker", reference.marker.as_ref());
        table.text_if_any("index", reference.index.as_ref().map(SafeUrl::as_str));
    });
}

/// The standard has no key for the name of an archive: its URL or path ends in it.
fn put_archive(table: &mut Table<'_>, archive: &LockedArchive) {
    match &archive.path {
        Some(path) => table.text("path", path.as_str()),
        None => table.text("url", archive.file.url.as_str()),
    }
    table.plain_if_any("upload-time", archive.file.upload_time);
    table.plain("size", archive.file.size_bytes);
    table.table("hashes", |hashes| hashes.shown("sha256", &archive.file.sha256));
    table.text_if_any("subdirectory", archive.subdirectory.as_ref().map(ArchivePath::as_str));
}

fn put_file(table: &mut Table<'_>, file: &LockedFile) {
    table.text("name", file.filename.as_str());
    table.plain_if_any("upload-time", file.upload_time);
    table.text("url", file.url.as_str());
    table.plain("size", file.size_bytes);
    table.table("hashes", |hashes| hashes.shown("sha256", &file.sha256));
}

/// The text so far. Every value is written where it goes: a lock has thousands of them.
struct Output {
    text: String,
}

impl Output {
    /// Begins a table, after an empty line.
    fn header(&mut self, header: &str) {
        self.text.extend(["\n", header, "\n"]);
    }

    /// Writes a text.
    fn text(&mut self, key: &str, value: &str) {
        self.pair(key, |text| put_quoted(text, value));
    }

    /// Writes what is shown as a text.
    fn shown(&mut self, key: &str, value: &impl Display) {
        self.pair(key, |text| put_shown(text, value));
    }

    /// Writes a value that stands without quotes: a number, a time, a truth value.
    fn plain(&mut self, key: &str, value: impl Display) {
        self.pair(key, |text| put_plain(text, value));
    }

    /// Writes an array on one line.
    fn array<T: Display>(&mut self, key: &str, members: impl IntoIterator<Item = T>) {
        self.pair(key, |text| put_array(text, members));
    }

    /// Writes an inline table.
    fn table(&mut self, key: &str, fill: impl FnOnce(&mut Table<'_>)) {
        self.pair(key, |text| put_table(text, fill));
    }

    /// Writes an array with one member per line.
    fn lines<T>(&mut self, key: &str, members: impl IntoIterator<Item = T>, put: impl Fn(&mut String, T)) {
        self.text.extend([key, " = [\n"]);
        for member in members {
            self.text.push_str("    ");
            put(&mut self.text, member);
            self.text.push_str(",\n");
        }
        self.text.push_str("]\n");
    }

    /// Writes a pair whose key is a text like any other.
    fn quoted_pair(&mut self, key: &str, put: impl FnOnce(&mut String)) {
        put_quoted(&mut self.text, key);
        self.pair("", put);
    }

    fn pair(&mut self, key: &str, put: impl FnOnce(&mut String)) {
        self.text.extend([key, " = "]);
        put(&mut self.text);
        self.text.push('\n');
    }
}

/// An inline table in the making.
struct Table<'a> {
    text: &'a mut String,
    is_empty: bool,
}

impl Table<'_> {
    fn text(&mut self, key: &str, value: &str) {
        self.field(key, |text| put_quoted(text, value));
    }

    fn text_if_any(&mut self, key: &str, value: Option<&str>) {
        value.into_iter().for_each(|value| self.text(key, value));
    }

    fn shown(&mut self, key: &str, value: &impl Display) {
        self.field(key, |text| put_shown(text, value));
    }

    fn shown_if_any<T: Display>(&mut self, key: &str, value: Option<&T>) {
        value.into_iter().for_each(|value| self.shown(key, value));
    }

    fn plain(&mut self, key: &str, value: impl Display) {
        self.field(key, |text| put_plain(text, value));
    }

    fn plain_if_any(&mut self, key: &str, value: Option<impl Display>) {
        value.into_iter().for_each(|value| self.plain(key, value));
    }

    fn table(&mut self, key: &str, fill: impl FnOnce(&mut Table<'_>)) {
        self.field(key, |text| put_table(text, fill));
    }

    fn field(&mut self, key: &str, put: impl FnOnce(&mut String)) {
        self.text.extend([if self.is_empty { "" } else { ", " }, key, " = "]);
        put(self.text);
        self.is_empty = false;
    }
}

fn put_table(text: &mut String, fill: impl FnOnce(&mut Table<'_>)) {
    text.push_str("{ ");
    fill(&mut Table { text, is_empty: true });
    text.push_str(" }");
}

fn put_array<T: Display>(text: &mut String, members: impl IntoIterator<Item = T>) {
    text.push('[');
    for (position, member) in members.into_iter().enumerate() {
        text.push_str(if position == 0 { "" } else { ", " });
        put_shown(text, &member);
    }
    text.push(']');
}

fn put_plain(text: &mut String, value: impl Display) {
    // Writing to a string cannot fail.
    let _ = write!(text, "{value}");
}

/// Writes what is shown as a TOML basic string.
fn put_shown(text: &mut String, value: &impl Display) {
    text.push('"');
    let begun = text.len();
    put_plain(text, value);
    let shown = &text[begun..];
    if is_written_as_it_stands(shown) {
        text.push('"');
    } else {
        let shown = text.split_off(begun);
        put_escaped(text, &shown);
    }
}

/// Writes a TOML basic string.
fn put_quoted(text: &mut String, value: &str) {
    text.push('"');
    if is_written_as_it_stands(value) {
        text.extend([value, "\""]);
    } else {
        put_escaped(text, value);
    }
}

/// Returns true for nearly every text of a lock.
fn is_written_as_it_stands(value: &str) -> bool {
    value.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\')
}

/// Writes the rest of a TOML basic string that has begun.
fn put_escaped(text: &mut String, value: &str) {
    for c in value.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            // Escaped beyond what TOML demands: nothing in a lock may reorder or hide what a reviewer sees.
            c if c.is_control() || is_invisible(c) => {
                let _ = if u32::from(c) > 0xffff {
                    write!(text, "\\U{:08X}", u32::from(c))
                } else {
                    write!(text, "\\u{:04X}", u32::from(c))
                };
            }
            c => text.push(c),
        }
    }
    text.push('"');
}

/// Direction marks, zero-width characters, line separators and tags.
pub(crate) const fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}'
    )
}
