//! The system's `git`, asked for as little as possible: what a reference is, and the files of one commit.
//!
//! A repository is hostile input, and git is a program that runs what configuration, attributes and hooks name. So it is given
//! no configuration but ours, one transport, no credentials to ask for, and never a work tree: commits are fetched into an empty
//! bare repository without templates, and files are read out of it as the raw objects that they are. No filter, hook, submodule
//! or checkout takes part. A login for a repository over `https` is the netrc's, as for any other file by URL; it reaches git in its
//! environment, for the repository's own host, and only where git asks that host. Nothing of it but the files of the commit outlives the call.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pinfold_artifact::{ArchivePath, CommitId, GitRevision, GitUrl, Limits};
use pinfold_build::{PackedTree, TreeEntry, TreeError, pack};
use pinfold_fetch::{Connectivity, Credential};
use pinfold_sandbox::{Command, Finished, SandboxError};
use tempfile::TempDir;

use crate::exit::{Exit, Failure};
use crate::logins::logins;
use crate::world::{World, variable};

/// One repository.
pub(crate) struct Git<'a> {
    world: &'a World,
    url: &'a GitUrl,
    program: PathBuf,
    /// Which setting of git sends a login to the repository's host, and that login.
    login: Option<(String, String)>,
}

/// The files of a commit.
#[derive(Debug)]
pub(crate) struct Checkout {
    /// The files, packed.
    pub(crate) packed: PackedTree,
    /// Where other repositories would be; their files are not there.
    pub(crate) submodules: BTreeSet<String>,
}

/// What a revision was found to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// What a branch or `HEAD` is now.
    Branch(CommitId),
    /// A commit that is named by itself.
    Commit(CommitId),
    /// A tag.
    Tag(CommitId),
}

impl Found {
    /// Returns the commit.
    pub(crate) fn commit(self) -> CommitId {
        match self {
            Self::Branch(commit) | Self::Commit(commit) | Self::Tag(commit) => commit,
        }
    }
}

impl<'a> Git<'a> {
    /// Finds the program.
    ///
    /// # Errors
    /// Exit 2 if there is none on the search path, or the netrc cannot be read; exit 3 if others may read it.
    pub(crate) fn new(world: &'a World, url: &'a GitUrl) -> Result<Self, Failure> {
        let name = if cfg!(windows) { "git.exe" } else { "git" };
        let mut places = std::env::split_paths(&world.search_path).filter(|place| place.is_absolute());
        let program = places.find_map(|place| Some(place.join(name)).filter(|program| program.is_file()));
        let program = program.ok_or_else(|| {
            Failure::new(Exit::Input, "there is no `git` on the search path")
                .with("repository", url)
                .help("install git, or require a released file instead of a repository")
        })?;
        Ok(Self { world, url, program, login: login(url)? })
    }

    /// Finds the commit that a revision is now.
    ///
    /// # Errors
    /// Exit 1 if the repository has no such revision, exit 4 if it cannot be asked.
    pub(crate) fn find(&self, revision: Option<&GitRevision>) -> Result<Found, Failure> {
        let Some(revision) = revision else {
            let heads = self.references(&["HEAD".to_owned()])?;
            let head = heads.get("HEAD").cloned();
            return head.map(Found::Branch).ok_or_else(|| self.no_such("HEAD", "it is empty"));
        };
        if let Some(commit) = revision.commit() {
            return Ok(Found::Commit(commit));
        }
        let name = revision.as_str();
        let names = match name.starts_with("refs/") {
            true => [name.to_owned(), name.to_owned()],
            false => [format!("refs/heads/{name}"), format!("refs/tags/{name}")],
        };
        let [branch, tag] = &names;
        // An annotated tag is listed twice: as itself, and as the commit that it is for.
        let peeled = format!("{tag}^{{}}");
        let found = self.references(&[branch.clone(), tag.clone(), peeled.clone()])?;
        let of_tag = found.get(&peeled).or_else(|| found.get(tag));
        match (found.get(branch), of_tag) {
            (Some(one), Some(other)) if one != other && branch != tag => {
                Err(Failure::new(Exit::No, format!("`{name}` is both a branch and a tag of {}", self.url))
                    .help(format!("write `{branch}` or `{tag}`")))
            }
            (_, Some(commit)) if tag.starts_with("refs/tags/") => Ok(Found::Tag(commit.clone())),
            (Some(commit), _) | (None, Some(commit)) => Ok(Found::Branch(commit.clone())),
            (None, None) if revision.may_be_abbreviated() => self.complete(revision).map(Found::Commit),
            (None, None) => Err(self.no_such(name, "it has no such branch or tag")),
        }
    }

    /// Returns true if a commit is in the history of another.
    ///
    /// # Errors
    /// Exit 4 if the repository cannot be asked.
    pub(crate) fn has_in_history(&self, tip: &CommitId, commit: &CommitId) -> Result<bool, Failure> {
        let repository = self.empty_repository()?;
        let place = repository.path();
        let fetched = self.fetch(place, &["--filter=tree:0"], &[tip.as_str().to_owned()])?;
        if !fetched.status.success() {
            let fetched = self.fetch(place, &["--filter=tree:0"], &everything())?;
            self.expect(&fetched, "fetching the history of")?;
        }
        let arguments = ["merge-base", "--is-ancestor", commit.as_str(), tip.as_str()];
        // Of a commit that was not fetched with the history git says that there is none.
        Ok(self.run(Some(place), &arguments, Vec::new(), SMALL)?.status.success())
    }

    /// Fetches one commit and packs its files.
    ///
    /// # Errors
    /// Exit 4 if it cannot be fetched, exit 2 if its files cannot be packed.
    pub(crate) fn checkout(&self, commit: &CommitId) -> Result<Checkout, Failure> {
        let repository = self.empty_repository()?;
        let place = repository.path();
        let shallow = self.fetch(place, &["--depth=1"], &[commit.as_str().to_owned()])?;
        if !shallow.status.success() {
            // An old server gives only what a branch or tag is.
            let fetched = self.fetch(place, &[], &everything())?;
            self.expect(&fetched, "fetching")?;
        }
        let kind = self.run(Some(place), &["cat-file", "-t", commit.as_str()], Vec::new(), SMALL)?;
        if !kind.status.success() || kind.stdout != b"commit\n" {
            let why = if shallow.status.success() { "it is no commit".to_owned() } else { end_of(&shallow) };
            return Err(self.no_such(commit.as_str(), &why));
        }
        let listed = self.run(
            Some(place),
            &["ls-tree", "-r", "-l", "-z", "--full-tree", commit.as_str()],
            Vec::new(),
            Limits::REPOSITORY_LIST_BYTES,
        )?;
        self.expect(&listed, "listing the files of")?;
        let (mut entries, submodules) = self.parse_tree(&listed.stdout)?;
        self.read_links(place, &mut entries)?;
        let archive = tempfile::tempfile_in(place).map_err(|error| self.failed("making a file for", &error))?;
        let mut blobs = Blobs::new(&entries);
        let packed = pack(&entries, archive, |_, blob| blobs.next(blob, |wanted| self.read_blobs(place, wanted)));
        let packed =
            packed.map_err(|error| tree_failure(&error).with("repository", self.url).with("commit", commit))?;
        Ok(Checkout { packed, submodules })
    }

    fn no_such(&self, revision: &str, why: &str) -> Failure {
        Failure::new(Exit::No, format!("`{revision}` is not in {}", self.url)).with("cause", why)
    }

    fn failed(&self, doing: &str, cause: &dyn std::fmt::Display) -> Failure {
        Failure::new(Exit::World, format!("{doing} {} failed", self.url)).with("cause", cause)
    }

    fn expect(&self, finished: &Finished, doing: &str) -> Result<(), Failure> {
        if finished.status.success() {
            return Ok(());
        }
        Err(self.failed(doing, &end_of(finished)).help(match self.url.transport() {
            "ssh" => "pinfold gives ssh the user's agent and known hosts, and lets it ask for nothing",
            "file" => "the repository must be there, and belong to you",
            _ => {
                "a login comes from your netrc, for exactly this host, or over git+ssh from the agent; a repository that has \
                 moved is fetched by its new URL"
            }
        }))
    }

    /// Asks for references by their whole names.
    fn references(&self, names: &[String]) -> Result<BTreeMap<String, CommitId>, Failure> {
        let mut arguments = vec!["ls-remote", "--quiet", "--", self.url.as_str()];
        arguments.extend(names.iter().map(String::as_str));
        let finished = self.run(None, &arguments, Vec::new(), Limits::REPOSITORY_LIST_BYTES)?;
        self.expect(&finished, "asking")?;
        let text = String::from_utf8_lossy(&finished.stdout);
        let lines = text.lines().filter_map(|line| line.split_once('\t'));
        let wanted = lines.filter(|(_, name)| names.iter().any(|own| own == name));
        Ok(wanted.filter_map(|(commit, name)| Some((name.to_owned(), commit.parse().ok()?))).collect())
    }

    /// Completes the beginning of a commit, which only the whole history can tell.
    fn complete(&self, revision: &GitRevision) -> Result<CommitId, Failure> {
        let repository = self.empty_repository()?;
        let place = repository.path();
        let fetched = self.fetch(place, &["--filter=tree:0"], &everything())?;
        self.expect(&fetched, "fetching the history of")?;
        let wanted = format!("{revision}^{{commit}}");
        let finished = self.run(
            Some(place),
            &["rev-parse", "--verify", "--quiet", "--end-of-options", &wanted],
            Vec::new(),
            SMALL,
        )?;
        let text = String::from_utf8_lossy(&finished.stdout);
        let none = || self.no_such(revision.as_str(), "it is no branch, no tag, and the beginning of no single commit");
        text.trim().parse().map_err(|_| none())
    }

    fn empty_repository(&self) -> Result<TempDir, Failure> {
        let parent = self.world.cache_subdirectory("repositories")?;
        let place = tempfile::Builder::new().prefix("git-").tempdir_in(&parent);
        let place = place.map_err(|error| self.failed("making a directory for", &error))?;
        let path = place.path().to_str().ok_or_else(|| self.failed("making a directory for", &"it is not UTF-8"))?;
        let made = self.run(None, &["init", "--quiet", "--bare", "--template=", "--", path], Vec::new(), SMALL)?;
        self.expect(&made, "making a repository for")?;
        Ok(place)
    }

    fn fetch(&self, place: &Path, options: &[&str], wanted: &[String]) -> Result<Finished, Failure> {
        let mut arguments = vec!["fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-auto-gc"];
        arguments.extend(options);
        arguments.extend(["--", self.url.as_str()]);
        arguments.extend(wanted.iter().map(String::as_str));
        self.run(Some(place), &arguments, Vec::new(), SMALL)
    }

    /// Reads what `ls-tree` lists: `mode kind object size TAB path NUL`.
    fn parse_tree(&self, listed: &[u8]) -> Result<(Entries, BTreeSet<String>), Failure> {
        let odd = |what: &str| self.failed("reading the files of", &what);
        let (mut entries, mut submodules) = (Entries::new(), BTreeSet::new());
        for line in listed.split(|byte| *byte == 0).filter(|line| !line.is_empty()) {
            let line = str::from_utf8(line).map_err(|_| odd("a file has a name that is not UTF-8"))?;
            let (about, path) = line.split_once('\t').ok_or_else(|| odd("git's list has another form"))?;
            let [mode, _, object, size] = about.split_whitespace().collect::<Vec<_>>()[..] else {
                return Err(odd("git's list has another form"));
            };
            if mode == "160000" {
                submodules.insert(path.to_owned());
                continue;
            }
            let parsed: ArchivePath = path.parse().map_err(|error| tree_failure(&TreeError::Name(error)))?;
            let size_bytes: u64 = size.parse().map_err(|_| odd("git tells no size"))?;
            let contents = Blob { object: object.to_owned(), size_bytes };
            let entry = match mode {
                "120000" if size_bytes <= Limits::PATH_BYTES as u64 => TreeEntry::Link { target: object.to_owned() },
                "100644" | "100664" | "100755" => {
                    TreeEntry::File { is_executable: mode == "100755", size_bytes, contents }
                }
                _ => return Err(tree_failure(&TreeError::Special { path: path.to_owned() })),
            };
            entries.insert(parsed, entry);
        }
        Ok((entries, submodules))
    }

    /// Puts the targets of links in place of the objects that hold them.
    fn read_links(&self, place: &Path, entries: &mut Entries) -> Result<(), Failure> {
        let links = |entry: &TreeEntry<Blob>| match entry {
            TreeEntry::Link { target } => Some(Blob { object: target.clone(), size_bytes: Limits::PATH_BYTES as u64 }),
            TreeEntry::File { .. } => None,
        };
        let wanted: Vec<Blob> = entries.values().filter_map(links).collect();
        let read = self.read_blobs(place, &wanted).map_err(|error| tree_failure(&error))?;
        let mut targets = read.into_iter().map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        for entry in entries.values_mut() {
            if let TreeEntry::Link { target } = entry {
                *target = targets.next().unwrap_or_default();
            }
        }
        Ok(())
    }

    /// Reads objects as they are: no filter, no conversion of line ends.
    fn read_blobs(&self, place: &Path, wanted: &[Blob]) -> Result<Vec<Vec<u8>>, TreeError> {
        let failed = |reason: String| TreeError::Io {
            doing: "reading",
            path: PathBuf::from(self.url.as_str()),
            source: std::io::Error::other(reason),
        };
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let stdin: String = wanted.iter().map(|blob| format!("{}\n", blob.object)).collect();
        let bytes: u64 = wanted.iter().map(|blob| blob.size_bytes + HEADER_BYTES).sum();
        let limit = usize::try_from(bytes).map_err(|error| failed(error.to_string()))?;
        let finished = self.run(Some(place), &["cat-file", "--batch"], stdin.into_bytes(), limit);
        let finished = finished.map_err(|failure| failed(failure.headline))?;
        let mut rest = &finished.stdout[..];
        let mut read = Vec::new();
        for blob in wanted {
            let (contents, after) = take_blob(rest, blob).ok_or_else(|| failed(end_of(&finished)))?;
            read.push(contents.to_vec());
            rest = after;
        }
        Ok(read)
    }

    fn run(&self, place: Option<&Path>, arguments: &[&str], stdin: Vec<u8>, limit: usize) -> Result<Finished, Failure> {
        let mut command = Command::new(&self.program, &self.world.search_path);
        command.arguments = SETTINGS.iter().flat_map(|setting| ["-c", setting]).map(OsString::from).collect();
        command.arguments.extend(arguments.iter().map(OsString::from));
        command.directory = place.map(Path::to_owned);
        command.environment = self.environment(place);
        if matches!(arguments, ["fetch" | "ls-remote", ..]) {
            command.environment.extend(self.login_environment());
        }
        command.stdin = stdin;
        command.time_limit = Duration::from_millis(Limits::REPOSITORY_MS);
        command.output_limit_bytes = limit;
        command.disk_limit = place.map(|place| (place.to_owned(), Limits::REPOSITORY_BYTES));
        command.run().map_err(|error| match error {
            SandboxError::Disk { .. } | SandboxError::Output { .. } => {
                Failure { code: Some("size-limit".to_owned()), ..Failure::of(Exit::Refused, &error) }
                    .with("repository", self.url)
                    .help("it is larger than any that pinfold fetches; require a released file instead")
            }
            _ => Failure::of(Exit::World, &error).with("repository", self.url),
        })
    }

    /// Returns what makes git log in. On the command line every user of the machine could read it.
    fn login_environment(&self) -> impl Iterator<Item = (OsString, OsString)> {
        let setting = |(key, value): &(String, String)| {
            let pairs = [("GIT_CONFIG_COUNT", "1"), ("GIT_CONFIG_KEY_0", key), ("GIT_CONFIG_VALUE_0", value)];
            pairs.map(|(name, value)| (name.into(), value.into()))
        };
        self.login.iter().flat_map(setting)
    }

    fn environment(&self, place: Option<&Path>) -> BTreeMap<OsString, OsString> {
        let nowhere = if cfg!(windows) { "NUL" } else { "/dev/null" };
        let mut variables: Vec<(&str, OsString)> = vec![
            ("GIT_ALLOW_PROTOCOL", self.url.transport().into()),
            ("GIT_ASKPASS", "".into()),
            ("GIT_ATTR_NOSYSTEM", "1".into()),
            ("GIT_CONFIG_GLOBAL", nowhere.into()),
            ("GIT_CONFIG_NOSYSTEM", "1".into()),
            ("GIT_CONFIG_SYSTEM", nowhere.into()),
            ("GIT_LFS_SKIP_SMUDGE", "1".into()),
            ("GIT_NO_LAZY_FETCH", "1".into()),
            ("GIT_NO_REPLACE_OBJECTS", "1".into()),
            ("GIT_PROTOCOL_FROM_USER", "0".into()),
            ("GIT_SSH_COMMAND", SSH.into()),
            ("GIT_SSH_VARIANT", "ssh".into()),
            ("GIT_TERMINAL_PROMPT", "0".into()),
            ("LC_ALL", "C".into()),
            ("SSH_ASKPASS", "".into()),
        ];
        // The repository is named, so that none is looked for in the directories above.
        variables.extend(place.map(|place| ("GIT_DIR", place.into())));
        let passed =
            |own, name: &str| variable(name).filter(|value| !value.is_empty()).map(|value| (own, value.into()));
        variables.extend(passed("GIT_SSL_CAINFO", "SSL_CERT_FILE"));
        variables.extend(passed("GIT_SSL_CAPATH", "SSL_CERT_DIR"));
        variables.extend(passed("SSH_AUTH_SOCK", "SSH_AUTH_SOCK").filter(|_| self.url.transport() == "ssh"));
        for own in ["http_proxy", "https_proxy", "no_proxy"] {
            let all = |name: &str| passed(own, name).filter(|_| own != "no_proxy");
            let found = passed(own, own).or_else(|| passed(own, &own.to_ascii_uppercase()));
            variables.extend(found.or_else(|| all("all_proxy")).or_else(|| all("ALL_PROXY")));
        }
        variables.into_iter().map(|(name, value)| (name.into(), value)).collect()
    }
}

/// Returns the setting of git that sends the netrc's login to the host of a repository and to no other, and the header.
fn login(url: &GitUrl) -> Result<Option<(String, String)>, Failure> {
    if !matches!(url.transport(), "http" | "https") {
        return Ok(None);
    }
    let Some(url) = url.origin_url() else { return Ok(None) };
    let found = logins([(None, &url)], Connectivity::Online)?;
    let setting = |login: Credential| {
        (format!("http.{}/.extraHeader", login.host), format!("Authorization: {}", login.secret.authorization()))
    };
    Ok(found.credentials.into_iter().next().map(setting))
}

/// What is at each path of a commit; of a file the object that holds it.
type Entries = BTreeMap<ArchivePath, TreeEntry<Blob>>;

/// An object that holds a file's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Blob {
    object: String,
    size_bytes: u64,
}

/// Objects in the order in which they are packed, read a few at a time.
struct Blobs {
    later: VecDeque<Blob>,
    read: VecDeque<Vec<u8>>,
}

impl Blobs {
    fn new(entries: &Entries) -> Self {
        let blobs = entries.values().filter_map(|entry| match entry {
            TreeEntry::File { contents, .. } => Some(contents.clone()),
            TreeEntry::Link { .. } => None,
        });
        Self { later: blobs.collect(), read: VecDeque::new() }
    }

    /// Returns the bytes of the next object, which is `blob`.
    fn next(
        &mut self,
        blob: &Blob,
        read: impl FnOnce(&[Blob]) -> Result<Vec<Vec<u8>>, TreeError>,
    ) -> Result<Vec<u8>, TreeError> {
        if self.read.is_empty() {
            let mut bytes = 0;
            let mut wanted = Vec::new();
            while let Some(next) =
                self.later.front().filter(|next| wanted.is_empty() || bytes + next.size_bytes < AT_ONCE)
            {
                bytes += next.size_bytes;
                wanted.push(next.clone());
                self.later.pop_front();
            }
            self.read = read(&wanted)?.into();
        }
        let missing = || TreeError::Io {
            doing: "reading",
            path: PathBuf::from(&blob.object),
            source: std::io::ErrorKind::UnexpectedEof.into(),
        };
        self.read.pop_front().ok_or_else(missing)
    }
}

/// Takes one object from what `cat-file --batch` wrote: `object blob size LF bytes LF`.
fn take_blob<'b>(output: &'b [u8], blob: &Blob) -> Option<(&'b [u8], &'b [u8])> {
    let line_end = output.iter().position(|byte| *byte == b'\n')?;
    let line = str::from_utf8(&output[..line_end]).ok()?;
    let [object, "blob", size] = line.split(' ').collect::<Vec<_>>()[..] else { return None };
    let size: usize = size.parse().ok().filter(|size| *size as u64 <= blob.size_bytes)?;
    let rest = output.get(line_end + 1..)?;
    let (contents, after) = (rest.get(..size)?, rest.get(size..)?);
    (object == blob.object).then_some((contents, after.strip_prefix(b"\n")?))
}

/// Returns what a source tree that cannot be packed means.
pub(crate) fn tree_failure(error: &TreeError) -> Failure {
    let (exit, code) = match error {
        TreeError::Empty => (Exit::Input, None),
        TreeError::Io { .. } => (Exit::World, None),
        TreeError::Link { .. } => (Exit::Refused, Some("unsafe-link")),
        TreeError::Name(_) => (Exit::Refused, Some("unsafe-path")),
        TreeError::Special { .. } => (Exit::Refused, Some("special-file")),
        TreeError::TooLarge { .. } => (Exit::Refused, Some("size-limit")),
    };
    let failure = Failure { code: code.map(str::to_owned), ..Failure::of(exit, error) };
    failure.help("mend the sources, or require a released file of the project instead")
}

/// Returns the last lines that a child wrote to standard error, for a message.
fn end_of(finished: &Finished) -> String {
    let text = String::from_utf8_lossy(&finished.stderr);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let plain = |line: &&str| line.chars().take(300).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    let shown: Vec<String> = lines[lines.len().saturating_sub(3)..].iter().map(plain).collect();
    if shown.is_empty() { finished.status.to_string() } else { shown.join("; ") }
}

fn everything() -> [String; 2] {
    ["+refs/heads/*:refs/heads/*".to_owned(), "+refs/tags/*:refs/tags/*".to_owned()]
}

/// What git is told whatever it is asked. Of the transports only the one that `GIT_ALLOW_PROTOCOL` names is open.
const SETTINGS: [&str; 12] = [
    "core.askPass=",
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.symlinks=false",
    "credential.helper=",
    "fetch.recurseSubmodules=false",
    "gc.auto=0",
    "http.followRedirects=false",
    "init.defaultBranch=main",
    "maintenance.auto=false",
    "protocol.allow=never",
    "submodule.recurse=false",
];

/// ssh as git starts it: the user's own keys and known hosts, no question, nothing forwarded, no command of its own.
const SSH: &str = "ssh -oBatchMode=yes -oStrictHostKeyChecking=yes -oClearAllForwardings=yes -oForwardAgent=no \
                   -oForwardX11=no -oPermitLocalCommand=no";

/// Output of git where a few lines are all that is expected.
const SMALL: usize = 1 << 20;
/// Bytes of objects that are held in memory at once, unless one alone is larger.
const AT_ONCE: u64 = 64 << 20;
/// Bytes that `cat-file` writes around an object, at most.
const HEADER_BYTES: u64 = 128;
