//! What pinfold takes from its surroundings, read once: directories, environment variables, the clock, the search path.
//!
//! No variable turns a check off. What is read here is handed down as values; no other crate looks at the environment.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use pinfold_fetch::{Connectivity, FetchSettings, Fetcher, Keeping, ProxySettings, ProxyUrl};
use pinfold_install::{Interpreter, KnownInterpreters};
use pinfold_packaging::{PageFormat, Specifiers, WithoutSecrets};
use pinfold_store::Store;

use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::logins::Logins;

/// The surroundings of one run.
#[derive(Debug, Clone)]
pub struct World {
    /// Where pages, metadata and artifacts are kept.
    pub cache_dir: PathBuf,
    /// Where programs are looked for.
    pub search_path: OsString,
}

impl World {
    /// Reads the surroundings.
    ///
    /// # Errors
    /// Exit 2 if no cache directory is given and none can be derived.
    pub fn new(global: &Global) -> Result<Self, Failure> {
        let cache_dir = match &global.cache_dir {
            Some(given) => given.clone(),
            None => usual_cache_dir().ok_or_else(|| {
                Failure::new(
                    Exit::Input,
                    "no cache directory can be derived: neither XDG_CACHE_HOME nor HOME is set to an absolute path",
                )
                .help("give one with --cache-dir or PINFOLD_CACHE_DIR")
            })?,
        };
        let cache_dir = std::path::absolute(&cache_dir).map_err(|e| Failure::of(Exit::Input, &e))?;
        Ok(Self { cache_dir, search_path: std::env::var_os("PATH").unwrap_or_default() })
    }

    /// Returns the present moment, in whole seconds.
    pub fn now(&self) -> Timestamp {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(now.as_secs()).ok().and_then(|s| Timestamp::from_second(s).ok()).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// Opens the store.
    ///
    /// # Errors
    /// Exit 4 if the directory cannot be made.
    pub fn store(&self) -> Result<Store, Failure> {
        Ok(Store::open(&self.store_dir())?)
    }

    /// Returns the directory of the store.
    pub fn store_dir(&self) -> PathBuf {
        self.cache_dir.join("store")
    }

    /// Opens the door to the network.
    ///
    /// # Errors
    /// Exit 4 if the certificates that the environment names cannot be read, exit 2 for a proxy that is none, exit 3 if others
    /// may write to the pages that are kept.
    pub(crate) fn fetcher(&self, connectivity: Connectivity, logins: Logins) -> Result<Fetcher, Failure> {
        let mut settings = FetchSettings::new(self.cache_part("pages")?, connectivity);
        settings.ca_bundle = named("SSL_CERT_FILE").map(PathBuf::from);
        let directories = named("SSL_CERT_DIR").unwrap_or_default();
        settings.ca_directories =
            std::env::split_paths(&directories).filter(|path| !path.as_os_str().is_empty()).collect();
        let first_of = |names: &[&str]| names.iter().find_map(|name| variable(name));
        let proxy = |names: [&str; 4]| {
            names.iter().find_map(|name| Some(ProxyUrl { variable: (*name).to_owned(), value: variable(name)? }))
        };
        settings.proxies = ProxySettings {
            http: proxy(["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]),
            https: proxy(["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]),
            no_proxy: first_of(&["no_proxy", "NO_PROXY"]),
        };
        settings.keeping = keeping;
        settings.credentials = logins.credentials;
        settings.index_names = logins.index_names;
        Ok(Fetcher::new(settings)?)
    }

    /// Returns the interpreter that was asked for, or the first on the search path that fits, and keeps what it said.
    ///
    /// # Errors
    /// Exit 2 if there is none, or it does not fit; exit 3 if others may write to what is kept.
    pub fn interpreter(&self, given: Option<&Path>, requires: Option<&Specifiers>) -> Result<Interpreter, Failure> {
        let directory = usable(self.cache_subdirectory(INTERPRETERS))?;
        self.interpreter_of(given, requires, &self.known_interpreters(directory.as_deref()))
    }

    /// Returns the same interpreter, and keeps nothing.
    ///
    /// # Errors
    /// As [`World::interpreter`].
    pub fn interpreter_in_passing(
        &self,
        given: Option<&Path>,
        requires: Option<&Specifiers>,
    ) -> Result<Interpreter, Failure> {
        let directory = usable(self.cache_part(INTERPRETERS))?;
        self.interpreter_of(given, requires, &self.known_interpreters(directory.as_deref()).keeping_nothing())
    }

    fn known_interpreters<'a>(&'a self, directory: Option<&'a Path>) -> KnownInterpreters<'a> {
        let in_directory = |directory| KnownInterpreters::in_directory(directory, &self.search_path);
        directory.map_or_else(|| KnownInterpreters::none(&self.search_path), in_directory)
    }

    fn interpreter_of(
        &self,
        given: Option<&Path>,
        requires: Option<&Specifiers>,
        known: &KnownInterpreters<'_>,
    ) -> Result<Interpreter, Failure> {
        let Some(given) = given else { return Ok(known.find(requires)?) };
        let path = std::path::absolute(given).map_err(|e| Failure::of(Exit::Input, &e))?;
        if path.is_dir() {
            return Err(Failure::new(Exit::Input, format!("`{}` is a directory", path.display()))
                .with("expected", "an interpreter")
                .help("give the path of an interpreter with --python, such as `bin/python3` in that directory"));
        }
        if !path.is_file() {
            return Err(Failure::new(Exit::Input, format!("there is no program `{}`", path.display()))
                .help("give the path of an interpreter with --python"));
        }
        let interpreter = known.probe(&path)?;
        if let Some(requires) = requires.filter(|requires| !requires.contains(&interpreter.version)) {
            return Err(Failure::new(Exit::Input, format!("`{}` is Python {}", given.display(), interpreter.version))
                .with("expected", format!("Python {requires}"))
                .help("give another interpreter with --python"));
        }
        Ok(interpreter)
    }

    /// Returns the directory in which pages are cached.
    pub fn pages_dir(&self) -> PathBuf {
        self.cache_dir.join("pages")
    }

    /// Returns the directory in which is kept what modules compile to; none if others may write there.
    pub fn compiled_dir(&self) -> Option<PathBuf> {
        self.cache_part("compiled").ok()
    }

    /// Returns a directory below the cache, created if needed, so that only this user can enter it.
    ///
    /// # Errors
    /// Exit 4 if it cannot be made, exit 3 if others may write there.
    pub fn cache_subdirectory(&self, name: &str) -> Result<PathBuf, Failure> {
        Ok(pinfold_store::make_part(&self.cache_dir, name)?)
    }

    /// Returns a directory below the cache, which need not be there.
    ///
    /// # Errors
    /// Exit 3 if others may write there.
    pub fn cache_part(&self, name: &str) -> Result<PathBuf, Failure> {
        Ok(pinfold_store::check_part(&self.cache_dir, name)?)
    }
}

/// Returns the part of the cache, or none where it cannot be made or looked at: nothing is kept then. One that others may write to
/// stays refused.
fn usable(part: Result<PathBuf, Failure>) -> Result<Option<PathBuf>, Failure> {
    match part {
        Err(failure) if failure.exit != Exit::Refused => Ok(None),
        part => part.map(Some),
    }
}

/// The part of the cache with what interpreters said of themselves.
const INTERPRETERS: &str = "interpreters";

/// Says what may be kept of a page: whoever reads the cache must not be able to use what signs its URLs.
fn keeping(content_type: &str, page: &[u8]) -> Keeping {
    let Some(format) = PageFormat::from_content_type(content_type) else { return Keeping::Nothing };
    match WithoutSecrets::of(page, format) {
        WithoutSecrets::Same => Keeping::All,
        WithoutSecrets::Unknown => Keeping::Nothing,
        WithoutSecrets::Written(page) => Keeping::Instead(page),
    }
}

/// Returns the value of a variable, if it is set and text.
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Returns the value of a variable, if it names anything.
pub(crate) fn named(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Forgets variables that name certificates and are empty, as OpenSSL does; the library that reads the system's certificates would
/// look for a file without a name.
///
/// # Safety
/// No other thread may run.
pub unsafe fn forget_empty_variables() {
    for name in ["SSL_CERT_FILE", "SSL_CERT_DIR"] {
        if named(name).is_none() {
            // SAFETY: nobody else reads or writes the environment, as the caller promises.
            unsafe { std::env::remove_var(name) };
        }
    }
}

fn usual_cache_dir() -> Option<PathBuf> {
    // A relative one would be another in each directory, and in a project it would be part of that.
    let set = |name: &str| named(name).map(PathBuf::from).filter(|path| path.is_absolute());
    if cfg!(windows) {
        return Some(set("LOCALAPPDATA")?.join("pinfold").join("cache"));
    }
    if cfg!(target_os = "macos") {
        return Some(set("HOME")?.join("Library").join("Caches").join("pinfold"));
    }
    let base = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
    Some(base?.join("pinfold"))
}
