//! What the errors of each room mean to people and to scripts: exit code, code of the refusal, facts in order, help.
//!
//! Every variant is named: a new one must choose. The help never tells anyone to turn a check off.

use pinfold_artifact::{ArchivePath, Sha256};
use pinfold_build::BuildError;
use pinfold_fetch::{FetchCause, FetchError, ProxyTrouble};
use pinfold_install::{Holder, InstallError, InterpreterError, WheelFinding};
use pinfold_lock::{ExportError, LockError, MergeError, SelectError, ValidateError};
use pinfold_manifest::ManifestError;
use pinfold_packaging::PackageName;
use pinfold_store::StoreError;

use crate::closed;
use crate::exit::{Exit, Failure};

const NOTHING_CHANGED: &str = "nothing was changed; mend the cause and run the same command again";
const NEVER_CHANGES: &str =
    "a locked file never changes; do not install it, and tell the project before anyone locks it again";

const SENT_OTHERWISE: &str = "nothing was changed; run the same command again, and if it stays so, ask whoever runs the server, or the proxy on the \
                              way, to send what was asked for";
const SENT_CODED: &str = "have the server, or the proxy on the way that does it, send files as they are, and run the same command again; \
                          do not install what came: nothing shows that it is the locked file";

impl From<ManifestError> for Failure {
    fn from(error: ManifestError) -> Self {
        Self::new(Exit::Input, error.report())
    }
}

impl From<FetchError> for Failure {
    fn from(error: FetchError) -> Self {
        let failure = match error.cause {
            FetchCause::Store(store) => return Self::from(store).with("attempts", error.attempts),
            FetchCause::Coded { coding, host, refused } => {
                return coded(*refused, &coding, &host).with("attempts", error.attempts);
            }
            FetchCause::Origin(ref cause) => {
                Self::new(Exit::Refused, format!("refused {}", error.url)).with("cause", cause).help(
                    "the URL is not of its index; if the index has moved on purpose, its maintainers must lock again",
                )
            }
            FetchCause::RedirectForeign(ref cause) => Self::new(
                Exit::Refused,
                format!("refused {}: the server redirects away from the origin", error.url),
            )
            .with("cause", cause)
            .help(
                "if the index serves its files from there on purpose, add the host to its `file-hosts` and lock again",
            ),
            FetchCause::RedirectInsecure { .. } | FetchCause::RedirectMalformed(_) | FetchCause::TooLarge { .. } => {
                Self::of(Exit::Refused, &error).help("tell who runs the index")
            }
            FetchCause::Abandoned => Self { is_consequence: true, ..Self::of(Exit::World, &error) },
            FetchCause::Offline => {
                Self::of(Exit::World, &error).help("run once without --offline, so that it is cached")
            }
            FetchCause::Unauthorized { index: Some(ref name), .. } => {
                let variables = crate::logins::variables_of(name);
                Self::of(Exit::World, &error).help(format!(
                    "give {variables}TOKEN, or {variables}USERNAME and {variables}PASSWORD, or write the login into your netrc"
                ))
            }
            FetchCause::Unauthorized { index: None, .. } => Self::of(Exit::World, &error).help(
                "a login is sent to the host of an index, and of a file that is required by URL, and to no other: ask who runs the index",
            ),
            FetchCause::Proxy { ref variable, ref found, ref reason } => {
                Self::new(Exit::Input, format!("`{variable}` names a proxy that cannot be used"))
                    .with("found", found)
                    .with("cause", reason)
                    .with("expected", "http://HOST:PORT, or https://HOST:PORT")
                    .help("correct the variable, or take it away; a login stands before the host, as `USER:PASSWORD@`, with `%40` for an `@` in it")
            }
            FetchCause::ProxyFailed { ref variable, ref host, ref trouble, .. } => {
                Self::of(Exit::World, &error).help(proxy_help(variable, host, trouble))
            }
            FetchCause::CaBundle { .. } => Self::of(Exit::World, &error).help(
                "SSL_CERT_FILE must name a file with certificates, and SSL_CERT_DIR directories with such files; unset both to use \
                 the system's",
            ),
            FetchCause::Tls { .. } => Self::of(Exit::World, &error)
                .help("if your network replaces certificates, name its authority's with SSL_CERT_FILE or SSL_CERT_DIR"),
            FetchCause::Encoding { .. } => Self::of(Exit::World, &error).help(SENT_OTHERWISE),
            FetchCause::Cache { .. }
            | FetchCause::Client { .. }
            | FetchCause::Connect { .. }
            | FetchCause::ContentType { .. }
            | FetchCause::File { .. }
            | FetchCause::Protocol { .. }
            | FetchCause::RangeMismatch { .. }
            | FetchCause::RangesUnsupported
            | FetchCause::Redirects { .. }
            | FetchCause::Status { .. }
            | FetchCause::Timeout { .. }
            | FetchCause::TooSlow { .. }
            | FetchCause::Truncated { .. } => {
                Self::of(Exit::World, &error).help("nothing was changed; run the same command again")
            }
        };
        Self { code: error.refusal_code().map(str::to_owned), ..failure }
    }
}

/// Says how a file came that is not the locked one.
fn coded(refused: StoreError, coding: &str, host: &str) -> Failure {
    let sent = format!("with the content coding `{coding}` by {host}, though asked for as it is (`identity`)");
    Failure::from(refused).with("sent", sent).help(SENT_CODED)
}

/// Says what to do about a proxy that failed when this host was asked for.
fn proxy_help(variable: &str, host: &str, trouble: &ProxyTrouble) -> String {
    let without = format!("if {host} is to be reached without a proxy, add it to `no_proxy`");
    match trouble {
        ProxyTrouble::Broken { .. } | ProxyTrouble::Timeout | ProxyTrouble::Unreachable { .. } => {
            format!("see to it that the proxy runs and that `{variable}` names it; {without}")
        }
        ProxyTrouble::Login(_) => format!(
            "write its login into `{variable}`, before the host, as `USER:PASSWORD@`, with `%40` for an `@` in it"
        ),
        ProxyTrouble::NoTunnel => format!("ask who runs the proxy whether it lets {host} through; {without}"),
        ProxyTrouble::Tls { .. } => {
            "name the certificates of the proxy's authority with SSL_CERT_FILE or SSL_CERT_DIR".to_owned()
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let code = error.refusal_code();
        let failure = match &error {
            StoreError::HashMismatch { artifact, found } => {
                Self::new(Exit::Refused, format!("refused `{}`", artifact.filename))
                    .with("expected", format!("sha256:{} (the lock)", artifact.sha256))
                    .with("received", format!("sha256:{found} from {}", artifact.url.without_query()))
                    .with("origin", artifact.origin.index().without_query())
                    .help(NEVER_CHANGES)
            }
            StoreError::SizeMismatch { artifact, found } => {
                let more = if *found > artifact.size_bytes { "or more " } else { "" };
                Self::new(Exit::Refused, format!("refused `{}`", artifact.filename))
                    .with("expected", format!("{} bytes (the lock)", artifact.size_bytes))
                    .with("received", format!("{found} {more}bytes from {}", artifact.url.without_query()))
                    .with("origin", artifact.origin.index().without_query())
                    .help(NEVER_CHANGES)
            }
            StoreError::StoreMismatch { .. } => Self::of(Exit::Refused, &error).help(
                "the changed file was moved away; run the same command again, and ask who can write to the cache",
            ),
            StoreError::Stuck { .. } => Self::of(Exit::Refused, &error).help(
                "ask who can write to the cache; then give another cache directory with --cache-dir, or let pinfold write to this one and run `pinfold cache verify`",
            ),
            StoreError::Permissions { .. } => Self::of(Exit::Refused, &error).help(
                "give a cache directory that only you can write to with --cache-dir, a new one in this one for example, or take the right away from the others and run `pinfold cache verify`",
            ),
            StoreError::Io { path, source, .. } => {
                closed::explain(Self::of(Exit::World, &error).help(NOTHING_CHANGED), path, source)
            }
            StoreError::Source { .. } | StoreError::Staging { .. } => {
                Self::of(Exit::World, &error).help(NOTHING_CHANGED)
            }
        };
        Self { code: code.map(str::to_owned), ..failure }
    }
}

impl From<InterpreterError> for Failure {
    fn from(error: InterpreterError) -> Self {
        let exit = match error {
            InterpreterError::Answer { .. }
            | InterpreterError::NoProgram { .. }
            | InterpreterError::NotFound { .. }
            | InterpreterError::System { .. } => Exit::Input,
            InterpreterError::Compile { .. } | InterpreterError::Died { .. } => {
                return Self::of(Exit::World, &error).help(
                    "nothing was changed; see to it that there is memory enough and that nobody stops the interpreter, and run the same command again",
                );
            }
            InterpreterError::Run { .. } => Exit::World,
        };
        Self::of(exit, &error).help("name an interpreter with --python")
    }
}

impl From<InstallError> for Failure {
    fn from(error: InstallError) -> Self {
        let code = error.refusal_code().map(str::to_owned);
        let failure = match error {
            InstallError::Interpreter(error) => return error.into(),
            InstallError::Store(error) => return error.into(),
            InstallError::Archive { ref source, .. } if source.refusal_code().is_none() => Self::of(Exit::World, &error)
                .help("the environment is as it was; mend the cause and run the same command again"),
            InstallError::Archive { .. } | InstallError::Metadata { .. } => {
                Self::of(Exit::Refused, &error).help("nothing of it was installed; tell the project's maintainers")
            }
            InstallError::Conflict { ref first, ref second, .. } if first == second => Self::of(Exit::Refused, &error)
                .help("tell the project's maintainers; or leave the package out with `exclude` in the manifest, and lock again"),
            InstallError::Conflict { .. } => Self::of(Exit::Refused, &error)
                .help("leave one of them out with `exclude` in the manifest, and lock again"),
            InstallError::ScriptOptions { .. } => Self::of(Exit::Refused, &error)
                .help("pin another version of the package, or leave it out with `exclude` in the manifest, and lock again"),
            InstallError::Reserved { .. } => Self::of(Exit::Refused, &error)
                .help("leave the package out with `exclude` in the manifest, and lock again"),
            InstallError::Record { ref package, ref files, .. } => Self::of(Exit::Refused, &error).help(format!(
                "nothing of it was installed; tell the project's maintainers. Where you have examined exactly these bytes, write \
                 into the manifest and lock again:{}",
                accept_entries(package, files)
            )),
            InstallError::Unaccepted { ref package, ref files } => Self::of(Exit::Refused, &error).help(format!(
                "read the file; if it does only what it should, write into the manifest and lock again:{}",
                accept_entries(package, files)
            )),
            InstallError::StoreChanged { .. } => Self::of(Exit::Refused, &error)
                .help("run the same command again: the changed tree is unpacked anew; ask who can write to the cache"),
            InstallError::Busy { ref holder, waited, .. } => Self::of(Exit::World, &error)
                .with("held by", holder_text(holder))
                .with("waited", format!("{:.1} s", waited.as_secs_f64()))
                .help("nothing was changed; run the same command again when the other has ended"),
            InstallError::Damaged { .. } => Self::of(Exit::Refused, &error)
                .help("the environment is as it was; `pinfold history` lists the other generations, and `pinfold sync` makes a new one"),
            InstallError::Foreign { .. } if error.is_adoptable() => Self::of(Exit::Refused, &error)
                .help("name another directory with --venv; or let `pinfold sync --adopt` keep this one aside and make its own"),
            InstallError::Foreign { .. } => {
                Self::of(Exit::Refused, &error).help("name another directory with --venv, or move this one away")
            }
            InstallError::NoEnvironment { .. } => Self::of(Exit::Input, &error),
            InstallError::Path { .. } => Self::of(Exit::Input, &error).help("name another directory with --venv"),
            InstallError::NoGeneration { .. } => {
                Self::of(Exit::No, &error).help("`pinfold history` lists what there is")
            }
            InstallError::Receipt { .. } => Self::of(Exit::Input, &error).help(
                "move the environment away; then run `pinfold sync`, or `pinfold rollback` to go back to a former one",
            ),
            InstallError::Io { ref path, ref source, .. } => {
                let failure = Self::of(Exit::World, &error)
                    .help("the environment is as it was; mend the cause and run the same command again");
                closed::explain(failure, path, source)
            }
            InstallError::LinkMode { .. } => Self::of(Exit::World, &error).help(
                "the environment is as it was; `--link-mode auto` takes the best way that works there, and `--link-mode copy` works everywhere",
            ),
            InstallError::MissingTree { .. } => Self::of(Exit::Bug, &error),
        };
        Self { code, ..failure }
    }
}

/// Names the process that holds an environment, as far as it said who it is.
pub(crate) fn holder_text(holder: &Holder) -> String {
    let since = holder.since.and_then(|since| jiff::Timestamp::try_from(since).ok());
    let since = since.map(|since| since.round(jiff::Unit::Second).unwrap_or(since));
    match (holder.pid, since) {
        (Some(pid), Some(since)) => format!("pid {pid} since {since}"),
        (Some(pid), None) => format!("pid {pid}"),
        (None, _) => "a process that did not say its number".to_owned(),
    }
}

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        let code = error.refusal_code().map(str::to_owned);
        let failure = match error {
            BuildError::Store(error) => return error.into(),
            BuildError::Archive { ref source, .. } if source.refusal_code().is_none() => Self::of(Exit::World, &error)
                .help("the environment is as it was; mend the cause and run the same command again"),
            BuildError::Archive { .. } | BuildError::Differs { .. } => Self::of(Exit::Refused, &error)
                .help("the sdist does not give what was locked; tell the project's maintainers"),
            BuildError::Backend { .. } | BuildError::Io { .. } | BuildError::Sandbox { .. } => {
                Self::of(Exit::World, &error).help("the environment is as it was")
            }
            BuildError::Malformed { .. } => Self::of(Exit::Input, &error),
        };
        Self { code, ..failure }
    }
}

/// Returns the entries of the manifest that would accept what was found, and nothing else.
fn accept_entries(package: &PackageName, files: &[WheelFinding]) -> String {
    files.iter().map(|file| format!("\n{}", accept_entry(&file.code, package, &file.path, &file.sha256))).collect()
}

/// Returns the entry of the manifest that accepts exactly these bytes.
pub(crate) fn accept_entry(code: &str, package: &PackageName, path: &ArchivePath, sha256: &Sha256) -> String {
    format!(
        "[[accept]]\ncode = \"{code}\"\npackage = \"{package}\"\npath = \"{path}\"\nsha256 = \"{sha256}\"\nreason = \"…\""
    )
}

impl From<LockError> for Failure {
    fn from(error: LockError) -> Self {
        let code = error.refusal_code().map(str::to_owned);
        let exit = if code.is_some() { Exit::Refused } else { Exit::Input };
        let failure = Self::of(exit, &error).help(OTHER_LOCK);
        Self { code, ..failure }
    }
}

impl From<ValidateError> for Failure {
    fn from(error: ValidateError) -> Self {
        let failure =
            Self::of(Exit::Refused, &error).help("ask where the lock was changed; lock again from the manifest");
        Self { code: error.refusal_code().map(str::to_owned), ..failure }
    }
}

impl From<SelectError> for Failure {
    fn from(error: SelectError) -> Self {
        let code = Some(error.code().to_owned());
        let failure = match error {
            SelectError::Refused(error) => return error.into(),
            SelectError::NoRecipe { .. } => Self::of(Exit::Refused, &error)
                .help("if the package may be built, its maintainers must name it in `build` and lock again"),
            SelectError::NoFile { .. } | SelectError::OtherTarget { .. } | SelectError::RequiresPython { .. } => {
                Self::of(Exit::Input, &error)
                    .help("use an interpreter that the lock is for (--python), or add this target to the manifest and lock again")
            }
            SelectError::AmbiguousPackage { .. } | SelectError::AmbiguousWheel { .. } | SelectError::NoVersion { .. } => {
                Self::of(Exit::Input, &error).help("the lock is not one that pinfold writes; lock again with `pinfold lock`")
            }
            SelectError::UnknownExtra { .. } | SelectError::UnknownGroup { .. } => Self::of(Exit::Input, &error),
        };
        Self { code, ..failure }
    }
}

impl From<MergeError> for Failure {
    fn from(error: MergeError) -> Self {
        let exit = match error {
            MergeError::MissingDependency { .. } | MergeError::NoTarget => Exit::Bug,
            _ => Exit::No,
        };
        Self::of(exit, &error)
    }
}

impl From<ExportError> for Failure {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Refused(error) => error.into(),
            ExportError::Wanted(error) => error.into(),
            ExportError::NoFile { .. } => Self::of(Exit::No, &error)
                .help("the lock is not one that pinfold writes; lock again with `pinfold lock`"),
            ExportError::Unpinned { .. } | ExportError::Unwritable { .. } => {
                Self::of(Exit::No, &error).help("install from the lock itself: `pinfold sync`")
            }
        }
    }
}

/// What to do with a lock that cannot be read. To lock again reads it too: its versions are kept.
const OTHER_LOCK: &str = "put back the lock that was there, and ask where it was changed; if this file is moved out of the way, \
                          `pinfold lock` makes a new one, which keeps none of its versions";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interpreter_that_was_killed_is_the_world_and_names_the_module() {
        let path = std::path::PathBuf::from("/usr/bin/python3");
        let (module, how) = ("lib/a/more.py".to_owned(), "signal: 9 (SIGKILL)".to_owned());
        let failure = Failure::from(InstallError::from(InterpreterError::Died { path, module, how }));
        assert_eq!((failure.exit, failure.code.as_deref()), (Exit::World, None));
        let expected = "`/usr/bin/python3` ended while it compiled `lib/a/more.py`, twice: signal: 9 (SIGKILL)";
        assert_eq!(failure.headline, expected);
        let help = failure.help.unwrap_or_default();
        assert!(help.contains("memory") && !help.contains("--python"), "{help}");
    }
}
