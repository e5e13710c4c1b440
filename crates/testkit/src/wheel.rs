//! Wheels from recipes: correct by default, and each lie that a wheel can tell is one call.
//!
//! A recipe knows what the specification asks of a wheel (names, METADATA, WHEEL, RECORD with every digest). Lies about the
//! archive around it are told by changing the [`HostileZip`] that [`WheelRecipe::zip`] returns.

use std::fmt::Write as _;

use crate::digest::sha256_record;
use crate::zip::{HostileZip, ZipMember};

/// What a wheel is to contain.
#[derive(Clone, Debug)]
pub struct WheelRecipe {
    name: String,
    version: String,
    build: Option<String>,
    tag: String,
    metadata_version: String,
    metadata: Option<String>,
    metadata_lines: Vec<String>,
    wheel_file: Option<String>,
    dist_info: Option<String>,
    purelib: bool,
    has_module: bool,
    files: Vec<File>,
    console_scripts: Vec<(String, String)>,
    gui_scripts: Vec<(String, String)>,
    record: Option<Vec<u8>>,
    record_changes: Vec<RecordChange>,
    has_record: bool,
}

#[derive(Clone, Debug)]
struct File {
    path: String,
    contents: Vec<u8>,
    executable: bool,
    recorded: bool,
}

#[derive(Clone, Debug)]
enum RecordChange {
    Add { path: String, hash: String, size: String },
    Drop { path: String },
    Replace { path: String, hash: String, size: String },
}

impl WheelRecipe {
    /// Makes a wheel for every Python, with one package named like the project that knows its version.
    pub fn new(name: &str, version: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            build: None,
            tag: "py3-none-any".to_owned(),
            metadata_version: "2.1".to_owned(),
            metadata: None,
            metadata_lines: Vec::new(),
            wheel_file: None,
            dist_info: None,
            purelib: true,
            has_module: true,
            files: Vec::new(),
            console_scripts: Vec::new(),
            gui_scripts: Vec::new(),
            record: None,
            record_changes: Vec::new(),
            has_record: true,
        }
    }

    /// Sets the tags, compressed as in the file name: `cp310-cp310-linux_x86_64`.
    pub fn tag(mut self, tag: &str) -> Self {
        tag.clone_into(&mut self.tag);
        self.purelib = tag.ends_with("-none-any");
        self
    }

    /// Sets the build number.
    pub fn build_number(mut self, build: &str) -> Self {
        self.build = Some(build.to_owned());
        self
    }

    /// Adds a requirement.
    pub fn requires(self, requirement: &str) -> Self {
        self.metadata_line(&format!("Requires-Dist: {requirement}"))
    }

    /// Adds an extra with what it requires; more calls with the same name add to it.
    pub fn extra(mut self, extra: &str, requirement: &str) -> Self {
        let provided = format!("Provides-Extra: {extra}");
        if !self.metadata_lines.contains(&provided) {
            self.metadata_lines.push(provided);
        }
        let line = match requirement.split_once(';') {
            Some((left, marker)) => format!("Requires-Dist: {left} ; ({}) and extra == '{extra}'", marker.trim()),
            None => format!("Requires-Dist: {requirement} ; extra == '{extra}'"),
        };
        self.metadata_line(&line)
    }

    /// Sets which Pythons it is for.
    pub fn requires_python(self, specifiers: &str) -> Self {
        self.metadata_line(&format!("Requires-Python: {specifiers}"))
    }

    /// Adds a line to METADATA.
    pub fn metadata_line(mut self, line: &str) -> Self {
        self.metadata_lines.push(line.to_owned());
        self
    }

    /// Sets the version of the metadata format.
    pub fn metadata_version(mut self, version: &str) -> Self {
        version.clone_into(&mut self.metadata_version);
        self
    }

    /// Replaces METADATA as a whole.
    pub fn metadata_text(mut self, text: &str) -> Self {
        self.metadata = Some(text.to_owned());
        self
    }

    /// Replaces WHEEL as a whole.
    pub fn wheel_text(mut self, text: &str) -> Self {
        self.wheel_file = Some(text.to_owned());
        self
    }

    /// Sets the name of the `.dist-info` directory.
    pub fn dist_info_name(mut self, name: &str) -> Self {
        self.dist_info = Some(name.to_owned());
        self
    }

    /// Says that the root belongs into platlib, or does not.
    pub fn root_is_purelib(mut self, purelib: bool) -> Self {
        self.purelib = purelib;
        self
    }

    /// Leaves out the package that a wheel has by default.
    pub fn bare(mut self) -> Self {
        self.has_module = false;
        self
    }

    /// Adds a file, recorded as it is.
    pub fn file(self, path: &str, contents: impl AsRef<[u8]>) -> Self {
        self.add(path, contents.as_ref(), false, true)
    }

    /// Adds a file with the executable bit.
    pub fn executable(self, path: &str, contents: impl AsRef<[u8]>) -> Self {
        self.add(path, contents.as_ref(), true, true)
    }

    /// Adds a file that RECORD does not mention.
    pub fn hidden_file(self, path: &str, contents: impl AsRef<[u8]>) -> Self {
        self.add(path, contents.as_ref(), false, false)
    }

    /// Adds a file of a `.data` scheme: `scripts`, `data`, `headers`, `purelib` or `platlib`.
    pub fn data(self, scheme: &str, path: &str, contents: impl AsRef<[u8]>) -> Self {
        let path = format!("{}-{}.data/{scheme}/{path}", self.escaped_name(), self.escaped_version());
        self.add(&path, contents.as_ref(), scheme == "scripts", true)
    }

    /// Adds a console script: `package.module:function`.
    pub fn console_script(mut self, name: &str, target: &str) -> Self {
        self.console_scripts.push((name.to_owned(), target.to_owned()));
        self
    }

    /// Adds a script without a console.
    pub fn gui_script(mut self, name: &str, target: &str) -> Self {
        self.gui_scripts.push((name.to_owned(), target.to_owned()));
        self
    }

    /// Adds a row to RECORD.
    pub fn record_add(mut self, path: &str, hash: &str, size: &str) -> Self {
        let (path, hash, size) = (path.to_owned(), hash.to_owned(), size.to_owned());
        self.record_changes.push(RecordChange::Add { path, hash, size });
        self
    }

    /// Takes the row of a path out of RECORD.
    pub fn record_drop(mut self, path: &str) -> Self {
        self.record_changes.push(RecordChange::Drop { path: path.to_owned() });
        self
    }

    /// Says something else about a path in RECORD.
    pub fn record_replace(mut self, path: &str, hash: &str, size: &str) -> Self {
        let (path, hash, size) = (path.to_owned(), hash.to_owned(), size.to_owned());
        self.record_changes.push(RecordChange::Replace { path, hash, size });
        self
    }

    /// Replaces RECORD as a whole.
    pub fn record_text(mut self, text: impl AsRef<[u8]>) -> Self {
        self.record = Some(text.as_ref().to_vec());
        self
    }

    /// Leaves out RECORD.
    pub fn without_record(mut self) -> Self {
        self.has_record = false;
        self
    }

    /// Returns the project's name as given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the version as given.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Returns the name that the file has on an index.
    pub fn filename(&self) -> String {
        let build = self.build.as_ref().map(|build| format!("-{build}")).unwrap_or_default();
        format!("{}-{}{build}-{}.whl", self.escaped_name(), self.escaped_version(), self.tag)
    }

    /// Returns the name of the `.dist-info` directory.
    pub fn dist_info(&self) -> String {
        let own = || format!("{}-{}.dist-info", self.escaped_name(), self.escaped_version());
        self.dist_info.clone().unwrap_or_else(own)
    }

    /// Returns the text of METADATA, which a sidecar repeats.
    pub fn metadata(&self) -> String {
        if let Some(text) = &self.metadata {
            return text.clone();
        }
        metadata_text(&self.metadata_version, &self.name, &self.version, &self.metadata_lines)
    }

    /// Returns the members, RECORD last.
    pub fn zip(&self) -> HostileZip {
        let mut zip = HostileZip::new();
        let files = self.all_files();
        for file in &files {
            zip = zip.member(member(file));
        }
        if !self.has_record {
            return zip;
        }
        let record = self.record.clone().unwrap_or_else(|| self.record_of(&files).into_bytes());
        zip.file(format!("{}/RECORD", self.dist_info()), record)
    }

    /// Returns the wheel's bytes.
    pub fn build(&self) -> Vec<u8> {
        self.zip().build()
    }

    fn add(mut self, path: &str, contents: &[u8], executable: bool, recorded: bool) -> Self {
        self.files.push(File { path: path.to_owned(), contents: contents.to_vec(), executable, recorded });
        self
    }

    fn escaped_name(&self) -> String {
        escaped(&self.name)
    }

    fn escaped_version(&self) -> String {
        self.version.replace('-', "_")
    }

    fn all_files(&self) -> Vec<File> {
        let mut files = Vec::new();
        let text =
            |path: String, text: String| File { path, contents: text.into_bytes(), executable: false, recorded: true };
        if self.has_module {
            let path = format!("{}/__init__.py", self.escaped_name());
            files.push(text(path, format!("__version__ = \"{}\"\n", self.version)));
        }
        files.extend(self.files.iter().cloned());
        let dist_info = self.dist_info();
        files.push(text(format!("{dist_info}/METADATA"), self.metadata()));
        files.push(text(format!("{dist_info}/WHEEL"), self.wheel_text_or_own()));
        if let Some(entry_points) = self.entry_points() {
            files.push(text(format!("{dist_info}/entry_points.txt"), entry_points));
        }
        files
    }

    fn wheel_text_or_own(&self) -> String {
        if let Some(text) = &self.wheel_file {
            return text.clone();
        }
        let mut text = "Wheel-Version: 1.0\nGenerator: pinfold-testkit\n".to_owned();
        let _ = writeln!(text, "Root-Is-Purelib: {}", self.purelib);
        for tag in expanded_tags(&self.tag) {
            let _ = writeln!(text, "Tag: {tag}");
        }
        if let Some(build) = &self.build {
            let _ = writeln!(text, "Build: {build}");
        }
        text
    }

    fn entry_points(&self) -> Option<String> {
        let mut text = String::new();
        for (section, scripts) in [("console_scripts", &self.console_scripts), ("gui_scripts", &self.gui_scripts)] {
            if scripts.is_empty() {
                continue;
            }
            let _ = writeln!(text, "[{section}]");
            for (name, target) in scripts {
                let _ = writeln!(text, "{name} = {target}");
            }
        }
        (!text.is_empty()).then_some(text)
    }

    fn record_of(&self, files: &[File]) -> String {
        let recorded = files.iter().filter(|file| file.recorded);
        let mut rows: Vec<(String, String, String)> = recorded
            .map(|file| (file.path.clone(), sha256_record(&file.contents), file.contents.len().to_string()))
            .collect();
        rows.push((format!("{}/RECORD", self.dist_info()), String::new(), String::new()));
        for change in &self.record_changes {
            match change {
                RecordChange::Add { path, hash, size } => rows.push((path.clone(), hash.clone(), size.clone())),
                RecordChange::Drop { path } => rows.retain(|row| &row.0 != path),
                RecordChange::Replace { path, hash, size } => {
                    let row = rows.iter_mut().find(|row| &row.0 == path);
                    let row = row.unwrap_or_else(|| panic!("RECORD has no row `{path}`"));
                    *row = (path.clone(), hash.clone(), size.clone());
                }
            }
        }
        let mut text = String::new();
        for (path, hash, size) in rows {
            let _ = writeln!(text, "{},{hash},{size}", csv_field(&path));
        }
        text
    }
}

/// Returns a METADATA or PKG-INFO text.
pub(crate) fn metadata_text(metadata_version: &str, name: &str, version: &str, lines: &[String]) -> String {
    let mut text = format!("Metadata-Version: {metadata_version}\nName: {name}\nVersion: {version}\n");
    for line in lines {
        text.push_str(line);
        text.push('\n');
    }
    text.push_str("\nMade by pinfold-testkit.\n");
    text
}

/// Returns the name as file names have it: normalised, with underscores.
pub(crate) fn escaped(name: &str) -> String {
    normalised(name).replace('-', "_")
}

/// Returns the name as PEP 503 normalises it.
pub(crate) fn normalised(name: &str) -> String {
    let mut normal = String::new();
    for character in name.chars() {
        let dash = matches!(character, '-' | '_' | '.');
        if dash && normal.ends_with('-') {
            continue;
        }
        normal.extend(if dash { vec!['-'] } else { character.to_lowercase().collect::<Vec<_>>() });
    }
    normal
}

fn member(file: &File) -> ZipMember {
    let member = ZipMember::new(&file.path, &file.contents);
    if file.executable { member.mode(0o100_755) } else { member }
}

/// Returns each single tag of a compressed set, in order.
fn expanded_tags(tag: &str) -> Vec<String> {
    let parts: Vec<&str> = tag.split('-').collect();
    let [pythons, abis, platforms] = parts.as_slice() else { return vec![tag.to_owned()] };
    let mut tags = Vec::new();
    for python in pythons.split('.') {
        for abi in abis.split('.') {
            for platform in platforms.split('.') {
                tags.push(format!("{python}-{abi}-{platform}"));
            }
        }
    }
    tags
}

fn csv_field(field: &str) -> String {
    if field.contains([',', '"', '\n']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field.to_owned() }
}
