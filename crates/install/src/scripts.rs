//! Text that is written into an environment: launchers, activation, configuration. Pure: paths come in, text goes out.
//!
//! Everything names the place where the environment will be, never the one where it is built.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::wheel_facts::Entry;
use crate::{Environment, InstallError, Receipt};

/// Checks that a path can be written into every file that must name it, and into PATH.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn check_place(venv: &Path) -> Result<(), &'static str> {
    let Some(text) = venv.to_str() else {
        return Err("it is not UTF-8");
    };
    if text.chars().any(char::is_control) {
        return Err("it holds a control character");
    }
    // No quote keeps them together in PATH; what stands behind it would be a directory relative to wherever one is.
    if text.contains(if cfg!(windows) { ';' } else { ':' }) {
        return Err(if cfg!(windows) { HAS_SEMICOLON } else { HAS_COLON });
    }
    Ok(())
}

/// Checks that the scripts of an environment can be started from where it is.
///
/// # Errors
/// [`InstallError::Path`] if they name it, and a shell that starts them would read something else.
pub fn check_scripts(environment: &Environment, relocation: Relocation) -> Result<(), InstallError> {
    let python = environment.python().to_string_lossy().into_owned();
    let is_quotable = cfg!(not(unix)) || !needs_shell(&python, "") || !is_special(&python);
    if is_quotable || relocation == Relocation::Relocatable {
        return Ok(());
    }
    Err(InstallError::Path { path: environment.venv().to_owned(), reason: NO_SHELL })
}

/// Where an environment is to be, as what is written into it names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    venv: String,
    python: String,
    relocation: Relocation,
}

/// Whether an environment may be moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Relocation {
    /// Its scripts name the place for which it was made.
    #[default]
    Fixed,
    /// Its scripts find the interpreter beside themselves.
    Relocatable,
}

impl Place {
    /// The place of an environment that is made now.
    pub(crate) fn new(environment: &Environment, relocation: Relocation) -> Self {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        Self { venv: text(environment.venv()), python: text(&environment.python()), relocation }
    }

    /// The place that a receipt's environment was made for; one that cannot be moved must be where it is looked at.
    pub(crate) fn of(receipt: &Receipt, environment: &Environment) -> Self {
        let relocation = receipt.relocation();
        let found = Self::new(environment, relocation);
        match relocation {
            Relocation::Fixed => found,
            Relocation::Relocatable => Self { venv: receipt.venv.clone(), ..found },
        }
    }

    /// Returns the first lines of a script that the environment's interpreter runs, with these options.
    ///
    /// A kernel cuts a first line that is too long, splits it at a blank, and hands over all that follows the program as
    /// one argument. In these cases, and where the interpreter is to be found beside the script, a shell starts it: to the
    /// shell the second line is a command, to the interpreter the beginning of a string that ends on the third. `between`
    /// is a comment that has to be on one of the first two lines.
    fn shebang(&self, options: &[&str], between: &str) -> String {
        let options: String = options.iter().map(|option| format!(" {option}")).collect();
        let program = match self.relocation {
            Relocation::Fixed if !needs_shell(&self.python, &options) => {
                return format!("#!{}{options}\n{between}", self.python);
            }
            Relocation::Fixed => format!("\"{}\"", self.python),
            Relocation::Relocatable => BESIDE.to_owned(),
        };
        format!("#!/bin/sh\n{between}'''exec' {program}{options} \"$0\" \"$@\"\n' '''\n")
    }

    /// Returns a launcher of an entry point.
    pub(crate) fn launcher(&self, entry: &Entry) -> String {
        let imported = entry.attribute.split('.').next().unwrap_or(&entry.attribute);
        format!(
            "{}import sys\n\nfrom {} import {imported}\n\nif __name__ == \"__main__\":\n    sys.exit({}())\n",
            self.shebang(&[], ""),
            entry.module,
            entry.attribute,
        )
    }

    /// Returns a script whose first line asks for any interpreter with that line naming the environment's. What follows
    /// the interpreter's name on it are options, and stay.
    ///
    /// # Errors
    /// The first line, if its options cannot be written down so that a shell reads nothing else into them.
    pub(crate) fn script(&self, script: &[u8]) -> Result<Vec<u8>, String> {
        let line = |bytes: &[u8]| bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |end| end + 1);
        let (first, rest) = script.split_at(line(script));
        let first = String::from_utf8_lossy(first);
        let mut words = first.split_whitespace();
        // `#!python`, `#!pythonw`, `#!python3`.
        words.next();
        let options: Vec<&str> = words.collect();
        let is_option = |option: &&str| option.chars().all(|c| c.is_ascii_alphanumeric() || "-_.,:=+/".contains(c));
        let is_fixed = self.relocation == Relocation::Fixed;
        let is_quotable = !(is_fixed && needs_shell(&self.python, &options.join(" ")) && is_special(&self.python));
        if !options.iter().all(is_option) || !is_quotable {
            return Err(first.trim_end().to_owned());
        }
        let second = &rest[..line(rest)];
        // PEP 263: what encoding a script has stands on one of its first two lines.
        let declares =
            second.starts_with(b"#") && second.windows(7).any(|part| part == b"coding:" || part == b"coding=");
        let between = if declares { String::from_utf8_lossy(second).into_owned() } else { String::new() };
        let between = if declares && !between.ends_with('\n') { between + "\n" } else { between };
        let mut text = self.shebang(&options, &between).into_bytes();
        text.extend_from_slice(if declares { &rest[second.len()..] } else { rest });
        Ok(text)
    }

    /// Returns the scripts that switch a shell to the environment, with their names. A C shell does not tell a script
    /// where it is, so an environment that may be moved has none for it.
    pub(crate) fn activation(&self) -> Vec<(&'static str, String)> {
        let (posix, fish) = match self.relocation {
            Relocation::Fixed => (
                format!("VIRTUAL_ENV='{}'", self.venv.replace('\'', r"'\''")),
                format!("set -gx VIRTUAL_ENV '{}'", self.venv.replace('\\', r"\\").replace('\'', r"\'")),
            ),
            Relocation::Relocatable => (POSIX_BESIDE.to_owned(), FISH_BESIDE.to_owned()),
        };
        let mut all = vec![("activate", POSIX.replace("@VENV@", &posix))];
        if self.relocation == Relocation::Fixed {
            let csh = self.venv.replace('\'', r"'\''").replace('!', r"\!");
            all.push(("activate.csh", CSH.replace("@VENV@", &csh)));
        }
        all.push(("activate.fish", FISH.replace("@VENV@", &fish)));
        all
    }
}

fn needs_shell(python: &str, options: &str) -> bool {
    python.contains(char::is_whitespace)
        || options.split_whitespace().count() > 1
        || "#!".len() + python.len() + options.len() >= SHEBANG_BYTES
}

/// Returns true for what a shell takes for more than itself between double quotes, or ends a string of the interpreter's.
fn is_special(path: &str) -> bool {
    path.contains(['"', '$', '`', '\\']) || path.contains("'''")
}

/// Returns `pyvenv.cfg`, which makes a directory an environment.
pub(crate) fn pyvenv_cfg(base_executable: &Path, implementation: &str, version: &str) -> String {
    let home = base_executable.parent().unwrap_or(base_executable);
    format!(
        "home = {}\nimplementation = {implementation}\ninclude-system-site-packages = false\nversion = {version}\n\
         executable = {}\n",
        home.display(),
        base_executable.display(),
    )
}

/// The longest first line, its end included, that every kernel in use takes.
const SHEBANG_BYTES: usize = 127;

/// The interpreter beside a script, wherever the script is called from and through whatever links.
const BESIDE: &str = r#""$(dirname -- "$(realpath -- "$0")")/python""#;

/// Why scripts cannot name a path.
const NO_SHELL: &str = "it is long or has a blank, so a shell starts its scripts, and what the shell reads may hold no quote, `$` or \
                        `\\`; scripts of an environment that may be moved (`--relocatable`) do not name it";
/// Why a path is refused that PATH would part.
const HAS_COLON: &str = "it holds a `:`, which parts the directories of PATH";
const HAS_SEMICOLON: &str = "it holds a `;`, which parts the directories of PATH";

/// Finds the environment from the script that is being sourced. One that was moved to where PATH cannot name it is refused.
const POSIX_BESIDE: &str = r#"if [ -n "${BASH_VERSION:-}" ]; then
    _PINFOLD_SCRIPT="$BASH_SOURCE"
elif [ -n "${ZSH_VERSION:-}" ]; then
    eval '_PINFOLD_SCRIPT="${(%):-%x}"'
else
    echo "this shell does not tell a script where it is: add the environment's bin to PATH instead" >&2
    return 1
fi
VIRTUAL_ENV="$(CDPATH='' cd -- "$(dirname -- "$_PINFOLD_SCRIPT")/.." && pwd)"
unset _PINFOLD_SCRIPT
case "$VIRTUAL_ENV" in
    *:*)
        echo "PATH cannot name $VIRTUAL_ENV/bin, because of the colon in it: move the environment elsewhere" >&2
        unset VIRTUAL_ENV
        unset -f deactivate
        return 1
        ;;
esac"#;

/// The same for fish.
const FISH_BESIDE: &str = r#"set -gx VIRTUAL_ENV (realpath (status dirname)/..)
if string match -q '*:*' -- $VIRTUAL_ENV
    echo "PATH cannot name $VIRTUAL_ENV/bin, because of the colon in it: move the environment elsewhere" >&2
    set -e VIRTUAL_ENV
    functions -e deactivate
    return 1
end"#;

const POSIX: &str = r#"# Source this file: . bin/activate
deactivate() {
    if [ -n "${_PINFOLD_PATH:-}" ]; then
        PATH="$_PINFOLD_PATH"
        export PATH
        unset _PINFOLD_PATH
    fi
    if [ -n "${_PINFOLD_PYTHONHOME:-}" ]; then
        PYTHONHOME="$_PINFOLD_PYTHONHOME"
        export PYTHONHOME
        unset _PINFOLD_PYTHONHOME
    fi
    if [ -n "${_PINFOLD_PS1:-}" ]; then
        PS1="$_PINFOLD_PS1"
        unset _PINFOLD_PS1
    fi
    unset VIRTUAL_ENV VIRTUAL_ENV_PROMPT
    hash -r 2>/dev/null
    if [ "${1:-}" != keep ]; then
        unset -f deactivate
    fi
}
deactivate keep
@VENV@
VIRTUAL_ENV_PROMPT="${VIRTUAL_ENV##*/}"
export VIRTUAL_ENV VIRTUAL_ENV_PROMPT
_PINFOLD_PATH="$PATH"
PATH="$VIRTUAL_ENV/bin:$PATH"
export PATH
if [ -n "${PYTHONHOME:-}" ]; then
    _PINFOLD_PYTHONHOME="$PYTHONHOME"
    unset PYTHONHOME
fi
if [ -z "${VIRTUAL_ENV_DISABLE_PROMPT:-}" ] && [ -n "${PS1:-}" ]; then
    _PINFOLD_PS1="$PS1"
    PS1="($VIRTUAL_ENV_PROMPT) $PS1"
fi
hash -r 2>/dev/null
"#;

const CSH: &str = r#"# Source this file: source bin/activate.csh
alias deactivate 'if ($?_PINFOLD_PATH) setenv PATH "$_PINFOLD_PATH"; unset _PINFOLD_PATH; unsetenv VIRTUAL_ENV; rehash; unalias deactivate'
setenv VIRTUAL_ENV '@VENV@'
if (! $?_PINFOLD_PATH) set _PINFOLD_PATH="$PATH"
setenv PATH "${VIRTUAL_ENV}/bin:$_PINFOLD_PATH"
rehash
"#;

const FISH: &str = r#"# Source this file: source bin/activate.fish
function deactivate -d 'Leave the environment'
    if set -q _PINFOLD_PATH
        set -gx PATH $_PINFOLD_PATH
        set -e _PINFOLD_PATH
    end
    if set -q _PINFOLD_PYTHONHOME
        set -gx PYTHONHOME $_PINFOLD_PYTHONHOME
        set -e _PINFOLD_PYTHONHOME
    end
    set -e VIRTUAL_ENV
    if test "$argv[1]" != keep
        functions -e deactivate
    end
end
deactivate keep
@VENV@
set -gx _PINFOLD_PATH $PATH
set -gx PATH "$VIRTUAL_ENV/bin" $PATH
if set -q PYTHONHOME
    set -gx _PINFOLD_PYTHONHOME $PYTHONHOME
    set -e PYTHONHOME
end
"#;

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(attribute: &str) -> Entry {
        Entry { name: "tool".to_owned(), module: "package.cli".to_owned(), attribute: attribute.to_owned() }
    }

    fn place(python: &str, relocation: Relocation) -> Place {
        let venv = python.trim_end_matches("/bin/python").to_owned();
        Place { venv, python: python.to_owned(), relocation }
    }

    fn fixed(python: &str) -> Place {
        place(python, Relocation::Fixed)
    }

    #[test]
    fn launcher_imports_only_the_first_name() {
        let text = fixed("/project/.venv/bin/python").launcher(&entry("App.run"));
        let expected = "#!/project/.venv/bin/python\nimport sys\n\nfrom package.cli import App\n\n\
                        if __name__ == \"__main__\":\n    sys.exit(App.run())\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn blanks_length_and_several_options_need_a_shell() {
        let shebang = |python: &str, options: &[&str]| fixed(python).shebang(options, "");
        assert_eq!(shebang("/a/bin/python", &[]), "#!/a/bin/python\n");
        assert_eq!(shebang("/a/bin/python", &["-E"]), "#!/a/bin/python -E\n");
        let expected = "#!/bin/sh\n'''exec' \"/a/bin/python\" -E -s \"$0\" \"$@\"\n' '''\n";
        assert_eq!(shebang("/a/bin/python", &["-E", "-s"]), expected);
        let expected = "#!/bin/sh\n'''exec' \"/a b/bin/python\" \"$0\" \"$@\"\n' '''\n";
        assert_eq!(shebang("/a b/bin/python", &[]), expected);
        let longest = format!("/{}", "x".repeat(SHEBANG_BYTES - 4));
        assert_eq!(shebang(&longest, &[]).len(), SHEBANG_BYTES);
        assert!(shebang(&format!("{longest}x"), &[]).starts_with("#!/bin/sh\n"));
        assert!(shebang(&longest, &["-E"]).starts_with("#!/bin/sh\n"));
    }

    #[test]
    fn a_script_that_may_be_moved_looks_beside_itself() {
        let expected =
            "#!/bin/sh\n'''exec' \"$(dirname -- \"$(realpath -- \"$0\")\")/python\" -E \"$0\" \"$@\"\n' '''\n";
        assert_eq!(place("/a/bin/python", Relocation::Relocatable).shebang(&["-E"], ""), expected);
    }

    #[test]
    fn scripts_get_the_environments_interpreter_and_keep_their_options() {
        let check = |python: &str, script: &str, expected: Result<&str, &str>| {
            let written = fixed(python).script(script.as_bytes());
            let written = written.map(|bytes| String::from_utf8(bytes).unwrap());
            assert_eq!(written, expected.map(str::to_owned).map_err(str::to_owned), "{script}");
        };
        check("/v/bin/python", "#!python\nprint(1)\n", Ok("#!/v/bin/python\nprint(1)\n"));
        check("/v/bin/python", "#!pythonw -E\nprint(1)\n", Ok("#!/v/bin/python -E\nprint(1)\n"));
        check(
            "/v/bin/python",
            "#!python3 -W error\r\nprint(1)\n",
            Ok("#!/bin/sh\n'''exec' \"/v/bin/python\" -W error \"$0\" \"$@\"\n' '''\nprint(1)\n"),
        );
        check("/v/bin/python", "#!python", Ok("#!/v/bin/python\n"));
        check("/v/bin/python", "#!python $(touch x)\n", Err("#!python $(touch x)"));
        check("/v/bin/python", "#!python ''';import os\n", Err("#!python ''';import os"));
        check("/$v/bin/python", "#!python -E\n", Ok("#!/$v/bin/python -E\n"));
        check("/$v/bin/python", "#!python -E -s\n", Err("#!python -E -s"));
        let latin = "#!python\n# -*- coding: latin-1 -*-\nprint(1)\n";
        check("/v/bin/python", latin, Ok("#!/v/bin/python\n# -*- coding: latin-1 -*-\nprint(1)\n"));
        check(
            "/a b/bin/python",
            latin,
            Ok("#!/bin/sh\n# -*- coding: latin-1 -*-\n'''exec' \"/a b/bin/python\" \"$0\" \"$@\"\n' '''\nprint(1)\n"),
        );
    }

    #[cfg(unix)]
    #[test]
    fn places_that_scripts_cannot_name_are_refused() {
        for (place, is_fine) in [
            ("/home/user/.venv", true),
            ("/home/o'brien/my project/.venv", true),
            ("/home/$USER/.venv", true),
            ("/home/my $project/.venv", true),
            ("/home/a\nb/.venv", false),
            ("/home/a:b/.venv", false),
            ("/home/a;b/.venv", true),
        ] {
            assert_eq!(check_place(Path::new(place)).is_ok(), is_fine, "{place}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn places_that_a_shell_misreads_are_refused_unless_scripts_do_not_name_them() {
        let home = pinfold_testkit::TempHome::new();
        for (name, is_fine) in [("it's a", true), ("$USER", true), ("my $project", false), ("a \"b\"", false)] {
            let environment = Environment::at(&home.project().join(name)).unwrap();
            assert_eq!(check_scripts(&environment, Relocation::Fixed).is_ok(), is_fine, "{name}");
            assert!(check_scripts(&environment, Relocation::Relocatable).is_ok(), "{name}");
        }
    }

    #[test]
    fn activation_quotes_the_place() {
        let all = fixed("/home/o'brien!/.venv/bin/python").activation();
        let [(_, posix), (_, csh), (_, fish)] = &all[..] else { panic!("{all:?}") };
        assert!(posix.contains(r"VIRTUAL_ENV='/home/o'\''brien!/.venv'"), "{posix}");
        assert!(csh.contains(r"setenv VIRTUAL_ENV '/home/o'\''brien\!/.venv'"), "{csh}");
        assert!(fish.contains(r"set -gx VIRTUAL_ENV '/home/o\'brien!/.venv'"), "{fish}");
    }

    #[test]
    fn what_may_be_moved_names_no_place() {
        let place = place("/home/somebody/.venv/bin/python", Relocation::Relocatable);
        let all = place.activation();
        assert_eq!(all.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["activate", "activate.fish"]);
        assert!(all.iter().all(|(_, text)| !text.contains("somebody")), "{all:?}");
        assert!(!place.launcher(&entry("main")).contains("somebody"));
    }
}
