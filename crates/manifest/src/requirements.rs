//! Requirements files, as pip reads them: <https://pip.pypa.io/en/stable/reference/requirements-file-format/>.
//!
//! Files include each other with `-r` and `-c`, relative to the including file. What would decide where packages come from
//! or how they are built is refused with the line of the manifest to write instead: a file that a project inherits must not
//! open another origin. So are editable installs, whose bytes are never fixed. A path is relative to the file that names it.
//!
//! In one thing pip is not followed: what a constraints file includes with `-r` are constraints. pip would install it; but a file
//! that only narrows must not add.

use std::collections::BTreeSet;
use std::ops::Range;

use pinfold_artifact::{GitUrlError, Limits, Sha256, UrlError, shown};
use pinfold_packaging::{Marker, PackageName};

use crate::coding::decode_requirements;
use crate::error::{INCLUDED_FILES, NESTED_FILES};
use crate::logical_lines::{LogicalLine, Source};
use crate::options::{Given, OptionKind, split_line};
use crate::place::{Positions, directory_of, shown_line};
use crate::{ManifestError, ManifestErrorKind, Place, ReferenceSource, Requested, Sourced, reference};

/// What requirements files ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequirementsFile {
    /// The requirements, in the order of the files.
    pub requirements: Vec<Sourced<Requested>>,
    /// The requirements that narrow, but never add.
    pub constraints: Vec<Sourced<Requested>>,
    /// What lines demand of the files, in the order of the lines.
    pub hashes: Vec<Sourced<HashDemand>>,
}

/// What one line demands of a project's file with `--hash`.
///
/// As in pip, lines do not add to each other: a file must meet every one whose marker holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashDemand {
    /// The project.
    pub name: PackageName,
    /// Where the line holds.
    pub marker: Marker,
    /// The file has one of these; at least one.
    pub digests: BTreeSet<Sha256>,
}

/// Reads a requirements file and the files that it includes.
///
/// `read` returns the bytes of a file, or why it cannot be read; paths are given as they are written, joined to the directory
/// of the including file. `directory` returns the one path of a directory that links and `..` give several, where that can be
/// told. `environment` returns the value of a variable.
///
/// # Errors
/// [`ManifestError`] for anything that pip would not read either, and for what pinfold does not take from such a file.
pub fn read_requirements(
    root: &str,
    read: &mut dyn FnMut(&str) -> Result<Vec<u8>, String>,
    directory: &dyn Fn(&str) -> Option<String>,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<RequirementsFile, ManifestError> {
    Reader::new(read, directory, environment).start(root, Role::Requirements)
}

/// Reads a file of which every line is a constraint, and the files that it includes.
///
/// # Errors
/// As for [`read_requirements`].
pub fn read_constraints(
    root: &str,
    read: &mut dyn FnMut(&str) -> Result<Vec<u8>, String>,
    directory: &dyn Fn(&str) -> Option<String>,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<RequirementsFile, ManifestError> {
    Reader::new(read, directory, environment).start(root, Role::Constraints)
}

/// What the lines of a file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    Constraints,
    Requirements,
}

struct Reader<'r> {
    read: &'r mut dyn FnMut(&str) -> Result<Vec<u8>, String>,
    directory: &'r dyn Fn(&str) -> Option<String>,
    environment: &'r dyn Fn(&str) -> Option<String>,
    /// The files that are being read, outermost first.
    open: Vec<Open>,
    /// What has been read; a file that is included twice says nothing new.
    done: BTreeSet<(String, Role)>,
    result: RequirementsFile,
}

/// A file that is being read.
struct Open {
    name: FileName,
    /// The same for the same file.
    identity: String,
}

/// How a file is named.
struct FileName {
    /// By which it is read.
    path: String,
    /// By which messages name it: variables as they are written, because a value may be a secret.
    shown: String,
}

impl<'r> Reader<'r> {
    fn new(
        read: &'r mut dyn FnMut(&str) -> Result<Vec<u8>, String>,
        directory: &'r dyn Fn(&str) -> Option<String>,
        environment: &'r dyn Fn(&str) -> Option<String>,
    ) -> Self {
        let result = RequirementsFile::default();
        Self { read, directory, environment, open: Vec::new(), done: BTreeSet::new(), result }
    }

    fn start(mut self, root: &str, role: Role) -> Result<RequirementsFile, ManifestError> {
        let name = FileName { path: root.to_owned(), shown: root.to_owned() };
        self.file(name, role, &|| Place::whole(root))?;
        Ok(self.result)
    }

    /// Reads one file; `place` tells where it is included.
    fn file(&mut self, name: FileName, role: Role, place: &dyn Fn() -> Place) -> Result<(), ManifestError> {
        let blame = |kind| ManifestError::new(place(), kind);
        let identity = self.identity(&name.path);
        if let Some(first) = self.open.iter().position(|outer| outer.identity == identity) {
            let files = self.open[first..].iter().chain([&self.open[first]]);
            let path = files.map(|file| format!("`{}`", file.name.shown)).collect();
            return Err(blame(ManifestErrorKind::Cycle { what: "requirements file", path }));
        }
        if !self.done.insert((identity.clone(), role)) {
            return Ok(());
        }
        if self.open.len() >= NESTED_FILES || self.done.len() > INCLUDED_FILES {
            return Err(blame(ManifestErrorKind::IncludeDepth));
        }
        let bytes = (self.read)(&name.path)
            .map_err(|reason| blame(ManifestErrorKind::Unreadable { path: name.shown.clone(), reason }))?;
        if bytes.len() as u64 > Limits::MANIFEST_BYTES {
            let kind = ManifestErrorKind::TooLarge { found: bytes.len() };
            return Err(ManifestError::new(Place::whole(&name.shown), kind));
        }
        let text = decode_requirements(bytes, &name.shown)?;
        let file = name.shown.clone();
        self.open.push(Open { name, identity });
        let source = Source { file: &file, text: &text, positions: &Positions::of(&text) };
        for line in source.lines(self.environment)? {
            self.line(source, &line, role)?;
        }
        self.open.pop();
        Ok(())
    }

    /// Returns what is the same for two paths of one file: the directory's own path, and the name in it. A link to a file is
    /// another one, because what it includes lies beside the link. `a/../b` is no `b` where `a` is a link, so the path
    /// without `..` stands only for what cannot be told.
    fn identity(&self, path: &str) -> String {
        let name = path.rsplit('/').next().unwrap_or(path);
        match (self.directory)(directory_of(path)) {
            Some(directory) if !matches!(name, "" | "." | "..") => format!("{directory}/{name}"),
            _ => normalized(path),
        }
    }

    /// Returns the name of the file that is being read.
    fn name(&self) -> (&str, &str) {
        self.open.last().map_or(("", ""), |open| (&open.name.path, &open.name.shown))
    }

    fn line(&mut self, source: Source<'_>, line: &LogicalLine, role: Role) -> Result<(), ManifestError> {
        let (requirement, options) = split_line(source, line)?;
        match requirement {
            Some(range) => self.requirement(source, line, range, &options, role),
            None => options.iter().try_for_each(|option| self.option(source, line, option, role)),
        }
    }

    /// Reads a line that begins with a requirement.
    fn requirement(
        &mut self,
        source: Source<'_>,
        line: &LogicalLine,
        range: Range<usize>,
        options: &[Given],
        role: Role,
    ) -> Result<(), ManifestError> {
        let requested = parse_requirement(source, line, range.clone(), self.name())?;
        let requirement = &requested.requirement;
        let blame = |kind| Err(source.error(line.written(range.clone()), kind));
        if role == Role::Constraints && !requirement.extras.is_empty() {
            return blame(ManifestErrorKind::ConstraintExtras);
        }
        let mut hashes = BTreeSet::new();
        for option in options {
            if option.kind != OptionKind::Hash {
                return Err(refuse(source, line, option));
            }
            hashes.extend(parse_hash(source, line, option)?);
        }
        // Of several hashes a file has to have one; those that pip takes and nobody looks at here are not the only ones.
        if let (true, Some(option)) = (hashes.is_empty(), options.first()) {
            return Err(weak_hash(source, line, option));
        }
        let place = requested.reference.as_ref().map(|reference| &reference.source);
        if let (Some(ReferenceSource::Git { .. }), Some(option)) = (place, options.first()) {
            let instead = "a commit has no sha256 that others could compute; leave it out".to_owned();
            let kind = ManifestErrorKind::Option { option: option.name.clone(), instead };
            return Err(source.error(line.written(option.range.clone()), kind));
        }
        let (number, column) = source.positions.find(source.text, line.written(range.clone()).start);
        if !hashes.is_empty() {
            if requested.reference.is_none() && requirement.specifiers.exact().is_none() {
                return blame(ManifestErrorKind::HashWithoutVersion { name: requirement.name.clone() });
            }
            let (name, marker) = (requirement.name.clone(), requirement.marker.clone());
            let value = HashDemand { name, marker, digests: hashes };
            self.result.hashes.push(Sourced { value, file: source.file.to_owned(), line: number, column });
        }
        let sourced = Sourced { value: requested, file: source.file.to_owned(), line: number, column };
        match role {
            Role::Constraints => self.result.constraints.push(sourced),
            Role::Requirements => self.result.requirements.push(sourced),
        }
        Ok(())
    }

    /// Follows an option that stands alone in a file of this role.
    fn option(
        &mut self,
        source: Source<'_>,
        line: &LogicalLine,
        option: &Given,
        role: Role,
    ) -> Result<(), ManifestError> {
        let role = match option.kind {
            OptionKind::Constraint => Role::Constraints,
            // What narrows never adds, whatever it includes.
            OptionKind::Requirement => role,
            // What it demands holds for every lock: each file in it has its SHA-256.
            OptionKind::RequireHashes => return Ok(()),
            _ => return Err(refuse(source, line, option)),
        };
        let written = line.written(option.range.clone());
        if option.value.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("file:")) {
            return Err(source.error(written, ManifestErrorKind::FileUrl { path: path_of_url(&option.shown) }));
        }
        if option.value.contains("://") {
            let what = "a requirements file on another machine";
            let instead = "keep a copy beside the manifest, and include that";
            return Err(source.error(written, ManifestErrorKind::NotFixed { what, instead }));
        }
        if option.value.is_empty() {
            return Err(source.error(written, ManifestErrorKind::Empty { key: option.name.clone() }));
        }
        let (path, shown) = self.name();
        let name = FileName { path: join(path, &option.value), shown: join(shown, &option.shown) };
        self.file(name, role, &|| Place::locate(source.file, source.text, written.clone()))
    }
}

/// Joins a path to the directory of the file that names it.
fn join(file: &str, path: &str) -> String {
    let path = path.trim_start_matches("./");
    match file.rsplit_once('/') {
        Some((directory, _)) if !path.starts_with('/') => format!("{directory}/{path}"),
        _ => path.to_owned(),
    }
}

/// Returns a path without `.` and `..`, as far as its text tells.
fn normalized(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').filter(|part| !matches!(*part, "" | ".")) {
        match parts.last() {
            Some(last) if part == ".." && *last != ".." => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    let root = if path.starts_with('/') { "/" } else { "" };
    format!("{root}{}", parts.join("/"))
}

/// Returns the path that a `file` URL means, if it has no escapes.
fn path_of_url(url: &str) -> Option<String> {
    let path = url.get("file:".len()..)?;
    let path = path.strip_prefix("//").unwrap_or(path);
    let path = path.strip_prefix('/').filter(|path| reference::drive(path)).unwrap_or(path);
    (!path.is_empty() && !path.contains('%')).then(|| shown(path, usize::MAX))
}

/// Reads a requirement; the file that it is in has a path and a name that is shown.
fn parse_requirement(
    source: Source<'_>,
    line: &LogicalLine,
    range: Range<usize>,
    (path, shown): (&str, &str),
) -> Result<Requested, ManifestError> {
    let text = &line.text[range.clone()];
    let parsed = reference::parse(text, directory_of(path));
    let credentials = [UrlError::Credentials.to_string(), GitUrlError::Credentials.to_string()];
    let has_credentials = parsed.as_ref().is_err_and(|error| credentials.contains(&error.reason));
    if let Some(named) = reference::named(text).filter(|_| !has_credentials) {
        let named = range.start + named.start..range.start + named.end;
        let written = line.written(named.clone());
        if line.has_variable_in(&named) {
            return Err(source.error(written, reference::not_expanded(named)));
        }
        if path != shown && reference::parse(text, "") != parsed {
            return Err(source.error(written, reference::moved(named)));
        }
    }
    parsed.map_err(|mut error| {
        let start = range.start + error.position.min(text.len());
        if line.has_variables() && !has_credentials {
            // The reason may quote a part of the line, and so a part of a value.
            error.reason = "with its variables replaced, this is no requirement that can be read".to_owned();
        }
        source.error(line.written(start..start + error.length.max(1)), error)
    })
}

/// Reads a hash; none of one that is as strong as a SHA-256 and not looked at.
fn parse_hash(source: Source<'_>, line: &LogicalLine, option: &Given) -> Result<Option<Sha256>, ManifestError> {
    let written = line.written(option.range.clone());
    match option.value.split_once(':') {
        Some(("sha256", digest)) => {
            digest.parse().map(Some).map_err(|error: pinfold_artifact::Sha256Error| source.error(written, error))
        }
        Some(("sha384" | "sha512", _)) => Ok(None),
        _ => Err(weak_hash(source, line, option)),
    }
}

fn weak_hash(source: Source<'_>, line: &LogicalLine, option: &Given) -> ManifestError {
    let found = source.written(line, option.range.clone());
    source.error(line.written(option.range.clone()), ManifestErrorKind::WeakHash { found })
}

/// Says what to write instead of an option of pip.
fn refuse(source: Source<'_>, line: &LogicalLine, option: &Given) -> ManifestError {
    let name = match option.kind {
        OptionKind::Unknown => source.written(line, option.range.clone()),
        _ => option.name.clone(),
    };
    let other = |instead: &str| ManifestErrorKind::Option { option: name.clone(), instead: instead.to_owned() };
    let index = |lines: &str| {
        let instead = format!("[[index]]\n{}", lines.replace("URL", &shown_url(&option.shown)));
        ManifestErrorKind::IndexOption { option: name.clone(), instead }
    };
    let kind = match option.kind {
        OptionKind::Build => other("a build gets no options; publish a wheel that is built as you want it"),
        OptionKind::Constraint | OptionKind::Requirement => other("write it on a line of its own"),
        OptionKind::Editable if option.value.contains("+") && option.value.contains("://") => {
            ManifestErrorKind::NotFixed { what: "an editable install", instead: NOT_EDITABLE_COMMIT }
        }
        OptionKind::Editable => ManifestErrorKind::NotFixed { what: "an editable install", instead: NOT_EDITABLE },
        OptionKind::ExtraIndex => {
            index("name = \"extra\"\nurl = \"URL\"\npackages = [\"…\"]  # they come from there and from nowhere else")
        }
        OptionKind::FindLinks => {
            index("name = \"links\"\nurl = \"URL\"  # must be laid out as a simple index\npackages = [\"…\"]")
        }
        OptionKind::Hash => other("write it behind the requirement that it belongs to"),
        OptionKind::Index => index("name = \"main\"\nurl = \"URL\"\ndefault = true"),
        OptionKind::NoBinary => other(
            "name the packages in the manifest: in `no-binary` (no wheels of theirs) and in `build` (they may be built)",
        ),
        OptionKind::NoIndex => other("leave it out; only the indexes that the manifest names are asked"),
        OptionKind::OnlyBinary => other("leave it out; only what the manifest's `build` names is built from source"),
        OptionKind::Prerelease => other("write `prerelease = \"allow\"` into the manifest"),
        OptionKind::RequireHashes => other("write it on a line of its own, or leave it out: every lock has every hash"),
        OptionKind::TrustedHost => other("leave it out; a private certificate authority is named by SSL_CERT_FILE"),
        OptionKind::Unknown => other("leave it out, or see which options a requirements file may have"),
    };
    source.error(line.written(option.range.clone()), kind)
}

/// Returns a URL as a manifest may hold it: without user name and password; a path as a `file` URL.
fn shown_url(value: &str) -> String {
    let plain = shown_line(value).replace('\\', "/").replace('"', "");
    match plain.split_once("://") {
        Some((scheme, rest)) => format!("{scheme}://{}", rest.trim_start_matches('*').trim_start_matches('@')),
        None if plain.starts_with('/') => format!("file://{plain}"),
        None if reference::drive(&plain) => format!("file:///{plain}"),
        None => format!("file:///…/{}", plain.trim_start_matches("./")),
    }
}

const NOT_EDITABLE_COMMIT: &str = "write `name @ git+https://…@revision`, which is locked as the commit that it is now";
const NOT_EDITABLE: &str =
    "write `name @ ./directory`, which is locked as it is now and installed as a copy; lock again after a change";

#[cfg(test)]
mod tests;
