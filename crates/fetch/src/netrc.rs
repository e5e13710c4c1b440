//! The user's netrc: logins by host, in the form that ftp and curl read.
//!
//! The text is parsed here and nothing else: the shell finds the file, looks who may read it, and asks only for the hosts of
//! indexes that the manifest or the lock names. `default` entries are read over and never used: they would hand a login to any
//! host that a lock from elsewhere names. A message names the line and never what is on it.

use std::collections::BTreeMap;
use std::fmt;
use std::iter::Peekable;
use std::str::Chars;

use pinfold_artifact::SafeUrl;

use crate::{Credential, Secret};

/// Logins by host name.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Netrc {
    logins: BTreeMap<String, Login>,
}

#[derive(Clone, Default, PartialEq, Eq)]
struct Login {
    user: String,
    password: Option<String>,
}

/// Why a netrc cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {expected} was expected")]
pub struct NetrcError {
    /// The line, from 1.
    pub line: usize,
    /// What was expected there.
    pub expected: &'static str,
}

impl fmt::Debug for Netrc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Netrc({} hosts)", self.logins.len())
    }
}

impl Netrc {
    /// Reads a netrc. The first entry of a host counts.
    ///
    /// # Errors
    /// [`NetrcError`] for a word that is none of the format's, or a key without its value.
    pub fn parse(text: &str) -> Result<Self, NetrcError> {
        let mut words = Words { rest: text.chars().peekable(), line: 1 };
        let mut netrc = Self::default();
        // The entry that is being read; a `default` has no host.
        let mut entry: Option<(Option<String>, Login)> = None;
        while let Some((line, word)) = words.next()? {
            match (word.as_str(), &mut entry) {
                ("machine", _) => {
                    netrc.keep(entry.take());
                    let host = words.value("the name of a host after `machine`", line)?;
                    entry = Some((Some(host.to_ascii_lowercase()), Login::default()));
                }
                ("default", _) => {
                    netrc.keep(entry.take());
                    entry = Some((None, Login::default()));
                }
                ("macdef", _) => words.skip_macro(),
                (word, _) if word.starts_with('#') => words.skip_line(line),
                ("login" | "user", Some((_, login))) => login.user = words.value("a user name", line)?,
                ("password", Some((_, login))) => login.password = Some(words.value("a password", line)?),
                ("account", Some(_)) => drop(words.value("an account", line)?),
                (_, None) => return Err(NetrcError { line, expected: "`machine`, `default` or `macdef`" }),
                (_, Some(_)) => {
                    return Err(NetrcError { line, expected: "`machine`, `login`, `password` or `account`" });
                }
            }
        }
        netrc.keep(entry);
        Ok(netrc)
    }

    /// Returns what to log in with at the host of this URL, if it is named and the password would not be overheard: over
    /// `https`, or on this machine.
    pub fn credential(&self, url: &SafeUrl) -> Option<Credential> {
        let is_private = url.scheme() == "https" || (url.scheme() == "http" && url.is_loopback());
        let name = url.as_url().host_str()?.trim_matches(['[', ']']).to_ascii_lowercase();
        let login = self.logins.get(&name).filter(|_| is_private)?;
        let secret = Secret::Basic { user: login.user.clone(), password: login.password.clone()? };
        Some(Credential { host: url.file_host()?, secret })
    }

    fn keep(&mut self, entry: Option<(Option<String>, Login)>) {
        let Some((Some(host), login)) = entry else { return };
        self.logins.entry(host).or_insert(login);
    }
}

/// The words of a netrc, each with its line.
struct Words<'a> {
    rest: Peekable<Chars<'a>>,
    line: usize,
}

impl Words<'_> {
    fn take(&mut self) -> Option<char> {
        let next = self.rest.next();
        if next == Some('\n') {
            self.line += 1;
        }
        next
    }

    /// Returns the next word; quotes hold blanks together, a backslash takes the next character as it is.
    fn next(&mut self) -> Result<Option<(usize, String)>, NetrcError> {
        while self.rest.peek().is_some_and(|c| c.is_whitespace()) {
            self.take();
        }
        let line = self.line;
        let quoted = self.rest.next_if_eq(&'"').is_some();
        let mut word = String::new();
        loop {
            match self.rest.peek() {
                None if quoted => return Err(NetrcError { line, expected: "a closing quote" }),
                None => break,
                Some('"') if quoted => {
                    self.take();
                    return Ok(Some((line, word)));
                }
                Some(c) if c.is_whitespace() && !quoted => break,
                Some('\\') => {
                    self.take();
                    word.extend(self.take());
                }
                Some(_) => word.extend(self.take()),
            }
        }
        Ok((!word.is_empty()).then_some((line, word)))
    }

    fn value(&mut self, expected: &'static str, line: usize) -> Result<String, NetrcError> {
        self.next()?.map(|(_, word)| word).ok_or(NetrcError { line, expected })
    }

    /// Skips what is left of a line.
    fn skip_line(&mut self, line: usize) {
        while self.line == line && self.take().is_some() {}
    }

    /// Skips the text of a macro: everything up to an empty line.
    fn skip_macro(&mut self) {
        let mut line_is_empty = false;
        while let Some(c) = self.take() {
            match c {
                '\n' if line_is_empty => return,
                '\n' => line_is_empty = true,
                c if c.is_whitespace() => {}
                _ => line_is_empty = false,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logins(text: &str, url: &str) -> Option<(String, String, String)> {
        let credential = Netrc::parse(text).unwrap().credential(&url.parse().unwrap())?;
        let Secret::Basic { user, password } = credential.secret else { panic!("a netrc has no tokens") };
        Some((credential.host.to_string(), user, password))
    }

    #[test]
    fn a_host_that_is_named_has_its_login() {
        let text = "# a comment with machine in it\n\
                    machine a.example login me password s3cret#1\n\
                    machine B.Example\n\tuser you\n\taccount x\n\tpassword \"two words \\\" and\\\\\"\n\
                    macdef init\ncd /machine\nlogin nobody\n\n\
                    machine a.example login later password later\n\
                    machine half.example login me\n\
                    machine ::1 login six password six\n\
                    default login anonymous password guest\n";
        let check = |url: &str, expected: Option<(&str, &str, &str)>| {
            let expected = expected.map(|(host, user, password)| (host.into(), user.into(), password.into()));
            assert_eq!(logins(text, url), expected, "{url}");
        };
        check("https://a.example/simple/", Some(("https://a.example", "me", "s3cret#1")));
        check("https://a.example:8443/simple/", Some(("https://a.example:8443", "me", "s3cret#1")));
        check("https://b.example/", Some(("https://b.example", "you", "two words \" and\\")));
        check("http://[::1]:8080/", Some(("http://[::1]:8080", "six", "six")));
        // Nobody else's, not even by `default`; not where it would be overheard; and not half of it.
        check("https://c.example/", None);
        check("https://sub.a.example/", None);
        check("http://a.example/simple/", None);
        check("https://half.example/", None);
        check("file:///a.example/", None);
    }

    #[test]
    fn an_error_names_the_line_and_not_what_is_on_it() {
        for (text, line) in [
            ("machine a.example login me password", 1),
            ("machine a.example\n\nlogin me\npasswort s3cret\n", 4),
            ("\nlogin me password s3cret\n", 2),
            ("machine", 1),
            ("machine a.example login \"me password s3cret\n", 1),
            ("s3cret", 1),
        ] {
            let error = Netrc::parse(text).unwrap_err();
            assert_eq!(error.line, line, "{text:?}: {error}");
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
        assert_eq!(
            format!("{:?}", Netrc::parse("machine a.example login me password s3cret").unwrap()),
            "Netrc(1 hosts)"
        );
        for text in ["", "\n\n", "# only a comment", "macdef x\nsomething\n"] {
            assert_eq!(Netrc::parse(text).unwrap(), Netrc::default(), "{text:?}");
        }
    }
}
