//! What to log in with at which index: from the environment, or else from the user's netrc.
//!
//! Only the indexes and files that a manifest or a lock names are looked up, and what is found is for their very scheme, host
//! and port.
//! A netrc that others may read is not used, and one that cannot be read stops the command: neither message has a word of it.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pinfold_artifact::{FileHost, Limits, SafeUrl};
use pinfold_fetch::{Connectivity, Credential, Netrc, Secret};

use crate::exit::{Exit, Failure};
use crate::world::variable;

/// What to log in with.
#[derive(Debug, Default)]
pub(crate) struct Logins {
    /// Where, and with what.
    pub(crate) credentials: Vec<Credential>,
    /// What the index at a host is called, whether or not there is a login for it; of several on one host the first.
    pub(crate) index_names: BTreeMap<FileHost, String>,
}

/// Returns what to log in with at these indexes, each with its name, and where files are that are required by URL, which have
/// none.
///
/// # Errors
/// Exit 2 if the netrc cannot be read or a variable cannot be sent; exit 3 if a login would be sent without TLS, or the netrc
/// has one for one of the indexes and others may read it.
pub(crate) fn logins<'i>(
    indexes: impl IntoIterator<Item = (Option<&'i str>, &'i SafeUrl)>,
    connectivity: Connectivity,
) -> Result<Logins, Failure> {
    let mut found = Logins::default();
    if connectivity == Connectivity::Offline {
        return Ok(found);
    }
    let netrc = OnceCell::new();
    for (name, url) in indexes {
        let Some(host) = url.file_host() else { continue };
        if let Some(name) = name {
            found.index_names.entry(host.clone()).or_insert_with(|| name.to_owned());
        }
        if let Some(secret) = name.map(index_secret).transpose()?.flatten() {
            refuse_in_the_clear(name.unwrap_or_default(), url)?;
            found.credentials.push(Credential { host, secret });
            continue;
        }
        if netrc.get().is_none() {
            let _ = netrc.set(UserNetrc::read()?);
        }
        let Some(netrc) = netrc.get().and_then(Option::as_ref) else { continue };
        if let Some(credential) = netrc.entries.credential(url) {
            netrc.refuse_if_exposed(url)?;
            found.credentials.push(credential);
        }
    }
    Ok(found)
}

/// Refuses to send a login where everybody on the way can read it, whatever the manifest says of the index's own answers.
///
/// # Errors
/// Exit 3.
pub(crate) fn refuse_in_the_clear(name: &str, url: &SafeUrl) -> Result<(), Failure> {
    if url.scheme() != "http" || url.is_loopback() {
        return Ok(());
    }
    Err(Failure::refused("exposed-secret", format!("refused to log in at the index `{name}` without TLS"))
        .with("from", url.without_query())
        .with("expected", "https, or an index on this machine")
        .help("everybody on the way could read the login: give the index a certificate, or take the login out of the environment"))
}

/// Returns how the variables begin that hold a login for the index with this name: `PINFOLD_INDEX_<NAME>_`.
pub(crate) fn variables_of(name: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    format!("PINFOLD_INDEX_{}_", name.chars().map(letter).collect::<String>())
}

/// Returns the credentials that the environment gives for the index with this name:
/// `PINFOLD_INDEX_<NAME>_TOKEN`, or `PINFOLD_INDEX_<NAME>_USERNAME` and `…_PASSWORD`.
///
/// # Errors
/// Exit 2 for what no header can carry, and for a password without a user name: it would be left out, and the answer be that the
/// login is wrong.
fn index_secret(name: &str) -> Result<Option<Secret>, Failure> {
    let variables = variables_of(name);
    let of = |key: &str| {
        let key = format!("{variables}{key}");
        Some((variable(&key).filter(|value| !value.is_empty())?, key))
    };
    let unsendable = |key: &str, problem: &str| {
        let help = "a line break at the end often comes from the file that it was read from";
        Err(Failure::new(Exit::Input, format!("`{key}` cannot be sent: {problem}")).help(help))
    };
    if let Some((token, key)) = of("TOKEN") {
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return unsendable(&key, "a token is ASCII without blanks and line breaks");
        }
        return Ok(Some(Secret::Bearer(token)));
    }
    let password = of("PASSWORD");
    let Some((user, key)) = of("USERNAME") else {
        let Some((_, key)) = password else { return Ok(None) };
        return Err(Failure::new(Exit::Input, format!("`{key}` is set, and `{variables}USERNAME` is not"))
            .help("give both, or take the password away; a token without a user name goes into the variable that ends with `_TOKEN`"));
    };
    if user.contains(|c: char| c == ':' || c.is_control()) {
        return unsendable(&key, "a user name has no colon and no line break");
    }
    if let Some((_, key)) = password.as_ref().filter(|(password, _)| password.contains(char::is_control)) {
        return unsendable(key, "a password has no line break");
    }
    Ok(Some(Secret::Basic { user, password: password.map(|(password, _)| password).unwrap_or_default() }))
}

/// The netrc of whoever runs pinfold.
struct UserNetrc {
    path: PathBuf,
    entries: Netrc,
}

impl UserNetrc {
    /// Reads the file that `NETRC` names, or the one of the home directory if it is there.
    fn read() -> Result<Option<Self>, Failure> {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let path = match set("NETRC") {
            Some(named) => named,
            None => {
                let home = set(if cfg!(windows) { "USERPROFILE" } else { "HOME" });
                let usual = home.iter().flat_map(|home| [".netrc", "_netrc"].map(|name| home.join(name)));
                match usual.into_iter().find(|path| path.is_file()) {
                    Some(path) => path,
                    None => return Ok(None),
                }
            }
        };
        let text = crate::ops::read_text(&path, Limits::MANIFEST_BYTES, "netrc")
            .map_err(|failure| failure.help("mend the file, or name another one with NETRC"))?;
        let entries = Netrc::parse(&text).map_err(|error| {
            Failure::new(Exit::Input, format!("cannot read the netrc `{}`", path.display()))
                .with("cause", error)
                .help("mend that line, or name another file with NETRC")
        })?;
        Ok(Some(Self { path, entries }))
    }

    fn refuse_if_exposed(&self, url: &SafeUrl) -> Result<(), Failure> {
        if !is_open_to_others(&self.path) {
            return Ok(());
        }
        Err(Failure::refused(
            "exposed-secret",
            format!("refused the netrc `{}`: others may read it", self.path.display()),
        )
        .with("login for", url)
        .help("take the others' rights away (`chmod 600`), and change the password if the machine has other users"))
    }
}

#[cfg(unix)]
fn is_open_to_others(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_open_to_others(_path: &Path) -> bool {
    false
}
