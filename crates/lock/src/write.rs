//! From [`Lock`] to text: one layout, byte for byte.
//!
//! An own writer, because the bytes are a promise: keys in the order of the standard, entries and files sorted here rather
//! than trusted to be, one file per line so that a changed wheel is a changed line, LF, nothing aligned to anything else.
//! Everything read back gives the same value.

mod asked;
mod tool;

use std::fmt::Write;

use pinfold_packaging::Version;

use crate::{DependencyReference, Lock, LockedArchive, LockedFile, Package, TreeSource};

pub(crate) fn write(lock: &Lock) -> String {
    let mut out = Output::default();
    out.pair("lock-version", &quoted("1.0"));
    let environments: Vec<String> = lock.environments.iter().map(|marker| quoted(&marker.to_string())).collect();
    if !environments.is_empty() {
        out.lines("environments", environments);
    }
    if let Some(requires_python) = &lock.requires_python {
        out.pair("requires-python", &quoted(&requires_python.to_string()));
    }
    // Empty on purpose: it says that there are none, not that nobody thought of it.
    out.pair("extras", &inline_array(&lock.extras));
    out.pair("dependency-groups", &inline_array(&lock.dependency_groups));
    if !lock.default_groups.is_empty() {
        out.pair("default-groups", &inline_array(&lock.default_groups));
    }
    out.pair("created-by", &quoted(&lock.created_by));
    let mut packages: Vec<&Package> = lock.packages.iter().collect();
    packages.sort_by_cached_key(|package| package_order(package));
    if packages.is_empty() {
        out.pair("packages", "[]");
    }
    for package in packages {
        write_package(&mut out, package);
    }
    if let Some(tool) = &lock.tool {
        tool::write_tool(&mut out, tool);
    }
    out.text
}

/// What entries are sorted by: no two entries of a usable lock agree in all of it.
pub(crate) fn package_order(package: &Package) -> (String, Option<Version>, String, String, String) {
    let text = |value: Option<String>| value.unwrap_or_default();
    let index = text(package.index.as_ref().map(ToString::to_string));
    let marker = text(package.marker.as_ref().map(ToString::to_string));
    let file = text(package.files().map(|file| file.filename.to_string()).min());
    (package.name.to_string(), package.version.clone(), index, marker, file)
}

fn write_package(out: &mut Output, package: &Package) {
    out.header("[[packages]]");
    out.pair("name", &quoted(package.name.as_str()));
    if let Some(version) = &package.version {
        out.pair("version", &quoted(&version.to_string()));
    }
    if let Some(marker) = &package.marker {
        out.pair("marker", &quoted(&marker.to_string()));
    }
    if let Some(requires_python) = &package.requires_python {
        out.pair("requires-python", &quoted(&requires_python.to_string()));
    }
    let mut dependencies: Vec<&DependencyReference> = package.dependencies.iter().collect();
    dependencies.sort_by_key(|reference| dependency_order(reference));
    if !dependencies.is_empty() {
        out.lines("dependencies", dependencies.into_iter().map(dependency));
    }
    match &package.tree {
        Some(TreeSource::Vcs(vcs)) => {
            let mut fields = vec![("type", quoted(&vcs.kind))];
            fields.extend(vcs.url.as_ref().map(|url| ("url", quoted(url))));
            fields.extend(vcs.path.as_ref().map(|path| ("path", quoted(path))));
            fields.extend(vcs.requested_revision.as_ref().map(|name| ("requested-revision", quoted(name))));
            fields.push(("commit-id", quoted(&vcs.commit_id)));
            fields.extend(vcs.subdirectory.as_ref().map(|path| ("subdirectory", quoted(path))));
            out.pair("vcs", &inline_table(&fields));
        }
        Some(TreeSource::Directory(directory)) => {
            let mut fields = vec![("path", quoted(&directory.path))];
            fields.extend(directory.editable.map(|editable| ("editable", editable.to_string())));
            fields.extend(directory.subdirectory.as_ref().map(|path| ("subdirectory", quoted(path))));
            out.pair("directory", &inline_table(&fields));
        }
        None => {}
    }
    if let Some(archive) = &package.archive {
        out.pair("archive", &archive_table(archive));
    }
    if let Some(index) = &package.index {
        out.pair("index", &quoted(index.as_str()));
    }
    if let Some(sdist) = &package.sdist {
        out.pair("sdist", &file(sdist));
    }
    let mut wheels: Vec<&LockedFile> = package.wheels.iter().collect();
    wheels.sort_by(|a, b| a.filename.cmp(&b.filename));
    if !wheels.is_empty() {
        out.lines("wheels", wheels.into_iter().map(file));
    }
}

/// What dependencies are sorted by.
pub(crate) fn dependency_order(reference: &DependencyReference) -> (String, Option<Version>, String, String) {
    let index = reference.index.as_ref().map(ToString::to_string).unwrap_or_default();
    let marker = reference.marker.as_ref().map(ToString::to_string).unwrap_or_default();
    (reference.name.to_string(), reference.version.clone(), index, marker)
}

fn dependency(reference: &DependencyReference) -> String {
    let mut fields = vec![("name", quoted(reference.name.as_str()))];
    fields.extend(reference.version.as_ref().map(|version| ("version", quoted(&version.to_string()))));
    fields.extend(reference.marker.as_ref().map(|marker| ("marker", quoted(&marker.to_string()))));
    fields.extend(reference.index.as_ref().map(|index| ("index", quoted(index.as_str()))));
    inline_table(&fields)
}

/// The standard has no key for the name of an archive: its URL or path ends in it.
fn archive_table(archive: &LockedArchive) -> String {
    let place = match &archive.path {
        Some(path) => ("path", quoted(path.as_str())),
        None => ("url", quoted(archive.file.url.as_str())),
    };
    let mut fields = vec![place];
    fields.extend(archive.file.upload_time.map(|time| ("upload-time", time.to_string())));
    fields.push(("size", archive.file.size_bytes.to_string()));
    fields.push(("hashes", inline_table(&[("sha256", quoted(&archive.file.sha256.to_string()))])));
    fields.extend(archive.subdirectory.as_ref().map(|path| ("subdirectory", quoted(path.as_str()))));
    inline_table(&fields)
}

fn file(file: &LockedFile) -> String {
    let mut fields = vec![("name", quoted(file.filename.as_str()))];
    fields.extend(file.upload_time.map(|time| ("upload-time", time.to_string())));
    fields.push(("url", quoted(file.url.as_str())));
    fields.push(("size", file.size_bytes.to_string()));
    fields.push(("hashes", inline_table(&[("sha256", quoted(&file.sha256.to_string()))])));
    inline_table(&fields)
}

/// The text so far.
#[derive(Default)]
struct Output {
    text: String,
}

impl Output {
    /// Begins a table, after an empty line.
    fn header(&mut self, header: &str) {
        self.line(format_args!("\n{header}"));
    }

    fn pair(&mut self, key: &str, value: &str) {
        self.line(format_args!("{key} = {value}"));
    }

    /// Writes an array with one member per line.
    fn lines(&mut self, key: &str, members: impl IntoIterator<Item = String>) {
        self.line(format_args!("{key} = ["));
        for member in members {
            self.line(format_args!("    {member},"));
        }
        self.line(format_args!("]"));
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{line}");
    }
}

fn inline_table(fields: &[(&str, String)]) -> String {
    let fields: Vec<String> = fields.iter().map(|(key, value)| format!("{key} = {value}")).collect();
    format!("{{ {} }}", fields.join(", "))
}

fn inline_array<T: ToString>(members: impl IntoIterator<Item = T>) -> String {
    let members: Vec<String> = members.into_iter().map(|member| quoted(&member.to_string())).collect();
    format!("[{}]", members.join(", "))
}

/// Writes a TOML basic string.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    // Nearly every text of a lock is written as it stands.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\') {
        quoted.push_str(text);
        quoted.push('"');
        return quoted;
    }
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            // Escaped beyond what TOML demands: nothing in a lock may reorder or hide what a reviewer sees.
            c if c.is_control() || is_invisible(c) => {
                let _ = if u32::from(c) > 0xffff {
                    write!(quoted, "\\U{:08X}", u32::from(c))
                } else {
                    write!(quoted, "\\u{:04X}", u32::from(c))
                };
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Direction marks, zero-width characters, line separators and tags.
pub(crate) const fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}'
    )
}
