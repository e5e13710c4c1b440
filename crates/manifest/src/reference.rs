//! What a requirement may name instead of versions: a file by its URL, a path, a git repository.
//!
//! PEP 508 knows only `name @ URL`. Written by people, a reference may also be a path relative to the file that names it, and a
//! wheel may stand alone, because its file name tells the project. What is no text of a requirement in the sense of PEP 508 is
//! taken out before the rest is read, so that every error keeps its column.

use std::fmt;
use std::ops::Range;

use pinfold_artifact::{
    ArchivePath, ArtifactFilename, GitRevision, GitUrl, GitUrlError, LocalPath, SafeUrl, Sha256, UrlError,
};
use pinfold_packaging::{Requirement, RequirementError, RequirementErrorKind, WheelFilename};

/// A requirement as the maintainer wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requested {
    /// Name, extras, versions and marker. Its `url` is never given: a reference stands for it.
    pub requirement: Requirement,
    /// What it names instead of versions.
    pub reference: Option<Reference>,
}

/// What a requirement names instead of versions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// Where it is.
    pub source: ReferenceSource,
    /// The digest that the file must have, if one is demanded (`#sha256=…`).
    pub sha256: Option<Sha256>,
    /// Where in it the project is (`#subdirectory=…`).
    pub subdirectory: Option<ArchivePath>,
    /// Whether it carries `#egg=…`, which means nothing any more.
    pub has_egg: bool,
}

/// Where a reference points.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReferenceSource {
    /// A git repository.
    Git {
        /// The repository.
        url: GitUrl,
        /// The branch, tag or commit; none: what the repository's `HEAD` is.
        revision: Option<GitRevision>,
    },
    /// A file or directory, relative to the directory of the manifest.
    Path(LocalPath),
    /// A file on another machine; no fragment.
    Url(SafeUrl),
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            ReferenceSource::Git { url, revision } => {
                write!(f, "git+{url}")?;
                revision.iter().try_for_each(|revision| write!(f, "@{revision}"))?;
            }
            ReferenceSource::Path(path) if path.is_absolute() || path.as_str().starts_with('.') => {
                write!(f, "{path}")?;
            }
            ReferenceSource::Path(path) => write!(f, "./{path}")?,
            ReferenceSource::Url(url) => write!(f, "{url}")?,
        }
        let mut mark = '#';
        if let Some(sha256) = &self.sha256 {
            write!(f, "{mark}sha256={sha256}")?;
            mark = '&';
        }
        self.subdirectory.iter().try_for_each(|path| write!(f, "{mark}subdirectory={path}"))
    }
}

impl fmt::Display for Requested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(reference) = &self.reference else { return self.requirement.fmt(f) };
        let Requirement { name, extras, marker, .. } = &self.requirement;
        write!(f, "{name}")?;
        if !extras.is_empty() {
            let extras: Vec<&str> = extras.iter().map(|extra| extra.as_str()).collect();
            write!(f, "[{}]", extras.join(","))?;
        }
        write!(f, " @ {reference}")?;
        if marker.is_always() { Ok(()) } else { write!(f, " ; {marker}") }
    }
}

/// Reads a requirement that a person wrote in a file of this directory.
pub(crate) fn parse(text: &str, directory: &str) -> Result<Requested, RequirementError> {
    if let Some(word) = bare(text) {
        return parse_bare(text, word, directory);
    }
    let Some((at, written)) = after_at(text) else {
        return Ok(Requested { requirement: Requirement::parse(text)?, reference: None });
    };
    // What is blanked keeps its length, so that the columns of what remains are right.
    let blank = " ".repeat(written.end - at);
    let rest = format!("{}{blank}{}", &text[..at], &text[written.end..]);
    check_length(text)?;
    let after = &text[written.end..];
    let more = after.trim_start_matches([' ', '\t']);
    if !more.is_empty() && !more.starts_with(';') && !text[written.clone()].ends_with(';') {
        // A second reference, or versions, would say another thing than the first one.
        let start = text.len() - more.len();
        return Err(error("expected `;` or the end after what the requirement names".to_owned(), start..text.len()));
    }
    let reference = read(&text[written.clone()], directory).map_err(|problem| problem.at(written.start))?;
    let requirement = Requirement::parse(&rest)?;
    check_filename(&reference, &requirement).map_err(|reason| {
        let length = text[written.clone()].find('#').unwrap_or(written.len());
        error(reason, written.start..written.start + length)
    })?;
    Ok(Requested { requirement, reference: Some(reference) })
}

/// Checks that a URL ends in the name of a wheel of the project, or of an sdist. What a path leads to, only the disk tells.
fn check_filename(reference: &Reference, requirement: &Requirement) -> Result<(), String> {
    let ReferenceSource::Url(url) = &reference.source else { return Ok(()) };
    let name = url.last_segment().unwrap_or_default();
    if name.is_empty() {
        return Err("the URL must end in the name of a wheel or sdist".to_owned());
    }
    let filename = name.parse::<ArtifactFilename>().map_err(|error| error.to_string())?;
    if [".tar.gz", ".zip"].iter().any(|ending| name.ends_with(ending)) {
        // A file of a forge is often named for a tag only.
        return Ok(());
    }
    if !name.ends_with(".whl") {
        let expected = "a file that is required by URL ends in .whl, .tar.gz or .zip";
        return Err(format!("`{filename}` is neither a wheel nor an sdist: {expected}"));
    }
    let wheel = WheelFilename::parse(&filename).map_err(|error| error.to_string())?;
    if wheel.name == requirement.name {
        return Ok(());
    }
    let name = &requirement.name;
    Err(format!("`{filename}` is no wheel of `{name}`; write `{} @ …`, or the URL of the other wheel", wheel.name))
}

/// Returns what a requirement names instead of versions, whether or not that can be read.
pub(crate) fn named(text: &str) -> Option<Range<usize>> {
    bare(text).or_else(|| after_at(text).map(|(_, written)| written))
}

/// Says that a URL has no variables: a lock must not depend on one, nor hold the value, which may be a secret.
pub(crate) fn not_expanded(range: Range<usize>) -> RequirementError {
    error(NOT_EXPANDED.to_owned(), range)
}

/// Says that a path must not begin where a variable says.
pub(crate) fn moved(range: Range<usize>) -> RequirementError {
    error(MOVED.to_owned(), range)
}

fn check_length(text: &str) -> Result<(), RequirementError> {
    // A requirement without a reference is measured by its own reader.
    if text.len() <= pinfold_artifact::Limits::REQUIREMENT_BYTES {
        return Ok(());
    }
    Requirement::parse(text).map(drop)
}

/// Returns where the `@` after a name (and extras) is, and where the reference behind it.
fn after_at(text: &str) -> Option<(usize, Range<usize>)> {
    let at = text.find('@')?;
    let head = text[..at].trim();
    let named = |c: char| c.is_ascii_alphanumeric() || "-_.[], \t".contains(c);
    if head.is_empty() || !head.chars().all(named) {
        return None;
    }
    let start = text.len() - text[at + 1..].trim_start_matches([' ', '\t']).len();
    Some((at, start..word_end(text, start)))
}

fn word_end(text: &str, start: usize) -> usize {
    text[start..].find([' ', '\t']).map_or(text.len(), |length| start + length)
}

/// Returns the word that stands alone where a name should be, if it can only be a path or a URL.
fn bare(text: &str) -> Option<Range<usize>> {
    let start = text.len() - text.trim_start_matches([' ', '\t']).len();
    let word = start..word_end(text, start);
    let first = &text[word.clone()];
    let head = first.split(['@', ';', '#']).next().unwrap_or_default();
    let lower = head.split('[').next().unwrap_or_default().to_ascii_lowercase();
    let is_url = lower.contains("://") || lower.starts_with("file:") || system_of(&lower).is_some();
    let is_path = first.starts_with(['.', '/', '~', '\\']) || lower.contains(['/', '\\']) || drive(first);
    let is_file = [".whl", ".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"].iter().any(|end| lower.ends_with(end));
    let is_named = text[word.end..].trim_start().starts_with('@');
    ((is_url || is_path || is_file) && !is_named).then_some(word)
}

pub(crate) fn drive(text: &str) -> bool {
    matches!(text.as_bytes(), [letter, b':', b'/' | b'\\', ..] if letter.is_ascii_alphabetic())
}

/// Reads a wheel that stands alone: its file name tells the project.
fn parse_bare(text: &str, word: Range<usize>, directory: &str) -> Result<Requested, RequirementError> {
    let written = &text[word.clone()];
    let (body, extras) = match written.strip_suffix(']').and_then(|open| open.rsplit_once('[')) {
        Some((body, extras)) => (body, format!("[{extras}]")),
        None => (written, String::new()),
    };
    let reference = read(body, directory).map_err(|problem| problem.at(word.start))?;
    let filename = match &reference.source {
        ReferenceSource::Path(path) => path.file_name().to_owned(),
        ReferenceSource::Url(url) => url.last_segment().unwrap_or_default(),
        ReferenceSource::Git { .. } => String::new(),
    };
    let wheel = filename.parse::<ArtifactFilename>().ok().and_then(|name| WheelFilename::parse(&name).ok());
    let Some(wheel) = wheel else {
        let shown = if system_of(body).is_some() { "git+…" } else { "…" };
        let reason = format!("only a wheel tells the project's name by itself; write `name @ {shown}`");
        return Err(error(reason, word));
    };
    let own = format!("{}{extras}{}", wheel.name, &text[word.end..]);
    let requirement = Requirement::parse(&own).map_err(|mut error| {
        // The name that was put in place of the word has another length.
        let head = wheel.name.as_str().len() + extras.len();
        error.position = if error.position >= head { error.position - head + word.end } else { word.start };
        error
    })?;
    Ok(Requested { requirement, reference: Some(reference) })
}

/// What is wrong with a reference, and where in it.
struct Problem {
    reason: String,
    range: Range<usize>,
}

impl Problem {
    fn at(self, start: usize) -> RequirementError {
        error(self.reason, self.range.start + start..self.range.end + start)
    }
}

fn error(reason: String, range: Range<usize>) -> RequirementError {
    let length = range.len().max(1);
    RequirementError { reason, position: range.start, length, kind: RequirementErrorKind::Url }
}

/// Returns the name of the version control system that a text begins with.
fn system_of(text: &str) -> Option<&'static str> {
    ["git", "hg", "svn", "bzr"]
        .into_iter()
        .find(|system| text.strip_prefix(system).is_some_and(|rest| rest.starts_with('+')))
}

fn read(text: &str, directory: &str) -> Result<Reference, Problem> {
    let whole = |reason: &str| Problem { reason: reason.to_owned(), range: 0..text.len() };
    if text.is_empty() {
        return Err(whole("expected a URL or a path after `@`"));
    }
    if let Some(at) = marker_start(text) {
        let reason = "put a blank before `;`, as PEP 508 asks: without one it belongs to the URL".to_owned();
        return Err(Problem { reason, range: at..at + 1 });
    }
    if text.contains("${") {
        return Err(whole(NOT_EXPANDED));
    }
    let (body, fragment) = text.split_once('#').unwrap_or((text, ""));
    let source = read_source(body, directory).map_err(|reason| Problem { reason, range: 0..body.len() })?;
    let mut reference = Reference { source, sha256: None, subdirectory: None, has_egg: false };
    let mut start = body.len() + 1;
    for part in fragment.split('&').filter(|_| text.contains('#')) {
        let range = start..start + part.len();
        start = range.end + 1;
        read_fragment(part, &mut reference).map_err(|reason| Problem { reason, range })?;
    }
    Ok(reference)
}

/// Returns where the `;` of a marker is that is written without a blank before it. In a URL a `;` may mean something, so it is one
/// where it ends the word, or where a marker begins behind it.
fn marker_start(text: &str) -> Option<usize> {
    let is_marker = |rest: &str| {
        let rest = rest.trim_start_matches('(');
        let word =
            rest.split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '.')).next().unwrap_or_default();
        rest.is_empty() || rest.starts_with(['"', '\'']) || MARKER_WORDS.contains(&word)
    };
    text.match_indices(';').map(|(at, _)| at).find(|at| is_marker(&text[at + 1..]))
}

fn read_fragment(part: &str, reference: &mut Reference) -> Result<(), String> {
    let is_git = matches!(reference.source, ReferenceSource::Git { .. });
    let (key, value) = part.split_once('=').unwrap_or((part, ""));
    match key {
        "egg" => reference.has_egg = true,
        "sha256" if is_git => return Err("a commit has no sha256 that others could compute; leave it out".to_owned()),
        "sha256" => {
            let sha256 = value.parse().map_err(|error: pinfold_artifact::Sha256Error| error.to_string())?;
            if reference.sha256.replace(sha256).is_some_and(|first| first != sha256) {
                return Err("the file cannot have two digests".to_owned());
            }
        }
        "subdirectory" if value == "." => {}
        "subdirectory" => {
            let path = value.trim_end_matches('/').parse();
            reference.subdirectory = Some(path.map_err(|error: pinfold_artifact::ArchivePathError| error.to_string())?);
        }
        "md5" | "sha1" | "sha224" | "sha384" | "sha512" | "blake2b" => {
            return Err(format!("`{key}` is no SHA-256; other hashes are not looked at"));
        }
        _ => return Err("after `#` only `sha256=…` and `subdirectory=…` are understood".to_owned()),
    }
    Ok(())
}

fn read_source(body: &str, directory: &str) -> Result<ReferenceSource, String> {
    match system_of(body) {
        Some("git") => return read_git(&body["git+".len()..]),
        Some(other) => return Err(format!("{other} is not supported; of repositories only git's are locked")),
        None => {}
    }
    // `File:///x` is refused there: a scheme in capitals is no reason to take a path for a URL.
    if body.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("file:")) {
        return read_file_url(body).map(ReferenceSource::Path);
    }
    let has_scheme = |scheme: &str| body.get(..scheme.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(scheme));
    if ["http:", "https:"].into_iter().any(has_scheme) && !body.contains("://") {
        return Err("a URL has `//` between its scheme and its host, as in `https://host/path`".to_owned());
    }
    if body.contains("://") {
        let url: SafeUrl = body.parse().map_err(|error: UrlError| error.to_string())?;
        if url.scheme() == "http" && !url.is_loopback() {
            return Err(
                "anybody on the way can change what plain http brings; use https (http is for this machine)".to_owned()
            );
        }
        if let Some(key) = url.secret_in_query() {
            return Err(format!("`{key}` in the URL's query looks like a credential, and a lock must not hold one"));
        }
        return Ok(ReferenceSource::Url(url));
    }
    if body.starts_with("git@") || body.starts_with("ssh:") {
        return Err("a repository is written git+https://… or git+ssh://git@host/path".to_owned());
    }
    let is_path = body.starts_with(['.', '~']) || body.contains(['/', '\\']) || drive(body);
    if !is_path && !body.ends_with(".whl") {
        return Err(format!("expected a URL, or a path such as `./{}`", body.chars().take(80).collect::<String>()));
    }
    let path: LocalPath = body.parse().map_err(|error: pinfold_artifact::LocalPathError| error.to_string())?;
    let joined = match directory {
        "" => Ok(path),
        directory => directory.parse::<LocalPath>().and_then(|directory| directory.join(&path)),
    };
    Ok(ReferenceSource::Path(joined.map_err(|error| error.to_string())?))
}

/// Reads a `file` URL as the path that it means.
fn read_file_url(text: &str) -> Result<LocalPath, String> {
    if !text.starts_with("file:///") {
        return Err("a `file` URL must be absolute: `file:///…`; a path is written without `file:`".to_owned());
    }
    let url: SafeUrl = text.parse().map_err(|error: UrlError| error.to_string())?;
    let decoded = percent_decoded(url.as_url().path()).ok_or("the path of the URL is not UTF-8")?;
    // `/C:/x` is how a URL writes a path of Windows.
    let path = decoded.strip_prefix('/').filter(|path| drive(path)).unwrap_or(&decoded);
    path.parse().map_err(|error: pinfold_artifact::LocalPathError| error.to_string())
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let pair = tail.get(..2).filter(|_| *first == b'%').and_then(|pair| str::from_utf8(pair).ok());
        match pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

/// Reads what follows `git+`: the last `@` of the path, if there is one, begins the revision.
fn read_git(body: &str) -> Result<ReferenceSource, String> {
    let path_start = body.find("://").and_then(|at| body[at + 3..].find('/').map(|slash| at + 3 + slash));
    let Some(path_start) = path_start else {
        return Err("a repository is written git+https://host/path or git+ssh://git@host/path".to_owned());
    };
    let (url, revision) = match body[path_start..].rsplit_once('@') {
        Some((path, revision)) => (&body[..path_start + path.len()], Some(revision)),
        None => (body, None),
    };
    let url: GitUrl = url.parse().map_err(|error: GitUrlError| match error {
        GitUrlError::Url { .. } if has_word_for_port(url) => {
            "this is no URL of a repository: write git+ssh://git@host/path, with `/` and not `:` before the path"
                .to_owned()
        }
        error => error.to_string(),
    })?;
    let revision = revision.map(str::parse::<GitRevision>).transpose().map_err(|error| error.to_string())?;
    Ok(ReferenceSource::Git { url, revision })
}

/// Returns true for `ssh://git@host:path`, which is half of the short form that git itself understands.
fn has_word_for_port(url: &str) -> bool {
    let authority = url.split_once("://").and_then(|(_, rest)| rest.split('/').next()).unwrap_or_default();
    authority.rsplit_once(':').is_some_and(|(_, port)| !port.is_empty() && !port.bytes().all(|b| b.is_ascii_digit()))
}

/// What a marker can begin with.
const MARKER_WORDS: [&str; 12] = [
    "extra",
    "implementation_name",
    "implementation_version",
    "os_name",
    "platform_machine",
    "platform_python_implementation",
    "platform_release",
    "platform_system",
    "platform_version",
    "python_full_version",
    "python_version",
    "sys_platform",
];
const NOT_EXPANDED: &str = "environment variables are not expanded in a URL";
const MOVED: &str = "the path begins at this file, and where the file is only an environment variable says";

#[cfg(test)]
mod tests;
