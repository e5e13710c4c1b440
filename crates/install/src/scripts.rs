//! Text that is written into an environment: launchers, activation, configuration. Pure: paths come in, text goes out.
//!
//! Everything names the place where the environment will be, never the one where it is built.

use std::path::Path;

use crate::wheel_facts::Entry;

/// Checks that a path can be written into every script and file that must name it.
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
    let special = |c: char| matches!(c, '"' | '$' | '`' | '\\');
    if cfg!(unix) && needs_shell(&format!("{text}/bin/python")) && (text.contains(special) || text.contains("'''")) {
        return Err("it is long or has a blank, so a shell starts its scripts; then it may hold no quote, `$` or `\\`");
    }
    Ok(())
}

/// Returns the first line or lines of a script that `python` runs.
///
/// A kernel cuts a first line that is too long, and splits it at a blank; then a shell starts the interpreter, and the
/// interpreter sees the shell's line as a string.
pub(crate) fn shebang(python: &str) -> String {
    if needs_shell(python) {
        return format!("#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''\n");
    }
    format!("#!{python}\n")
}

fn needs_shell(python: &str) -> bool {
    python.contains(char::is_whitespace) || "#!".len() + python.len() >= SHEBANG_BYTES
}

/// Returns a launcher of an entry point.
pub(crate) fn launcher(python: &str, entry: &Entry) -> String {
    let imported = entry.attribute.split('.').next().unwrap_or(&entry.attribute);
    format!(
        "{}import sys\n\nfrom {} import {imported}\n\nif __name__ == \"__main__\":\n    sys.exit({}())\n",
        shebang(python),
        entry.module,
        entry.attribute,
    )
}

/// Returns a script with its first line, which asks for any interpreter, naming the environment's.
pub(crate) fn with_interpreter(python: &str, script: &[u8]) -> Vec<u8> {
    let rest = script.iter().position(|byte| *byte == b'\n').map_or(&[][..], |end| &script[end + 1..]);
    let mut text = shebang(python).into_bytes();
    text.extend_from_slice(rest);
    text
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

/// Returns the scripts that switch a shell to the environment, with their names.
pub(crate) fn activation(venv: &str) -> [(&'static str, String); 3] {
    [
        ("activate", POSIX.replace("@VENV@", &venv.replace('\'', r"'\''"))),
        ("activate.csh", CSH.replace("@VENV@", &venv.replace('\'', r"'\''").replace('!', r"\!"))),
        ("activate.fish", FISH.replace("@VENV@", &venv.replace('\\', r"\\").replace('\'', r"\'"))),
    ]
}

/// The longest first line, its end included, that every kernel in use takes.
const SHEBANG_BYTES: usize = 127;

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
VIRTUAL_ENV='@VENV@'
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
set -gx VIRTUAL_ENV '@VENV@'
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

    #[test]
    fn launcher_imports_only_the_first_name() {
        let text = launcher("/project/.venv/bin/python", &entry("App.run"));
        let expected = "#!/project/.venv/bin/python\nimport sys\n\nfrom package.cli import App\n\n\
                        if __name__ == \"__main__\":\n    sys.exit(App.run())\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn blanks_and_length_need_a_shell() {
        assert_eq!(shebang("/a/bin/python"), "#!/a/bin/python\n");
        let expected = "#!/bin/sh\n'''exec' \"/a b/bin/python\" \"$0\" \"$@\"\n' '''\n";
        assert_eq!(shebang("/a b/bin/python"), expected);
        let longest = format!("/{}", "x".repeat(SHEBANG_BYTES - 4));
        assert_eq!(shebang(&longest).len(), SHEBANG_BYTES);
        assert!(shebang(&format!("{longest}x")).starts_with("#!/bin/sh\n"));
    }

    #[test]
    fn scripts_get_the_environments_interpreter() {
        for script in ["#!python\nprint(1)\n", "#!pythonw -E\nprint(1)\n"] {
            assert_eq!(with_interpreter("/v/bin/python", script.as_bytes()), b"#!/v/bin/python\nprint(1)\n");
        }
        assert_eq!(with_interpreter("/v/bin/python", b"#!python"), b"#!/v/bin/python\n");
    }

    #[test]
    fn places_that_scripts_cannot_name_are_refused() {
        for (place, is_fine) in [
            ("/home/user/.venv", true),
            ("/home/o'brien/my project/.venv", true),
            ("/home/$USER/.venv", true),
            ("/home/my $project/.venv", false),
            ("/home/a \"b\"/.venv", false),
            ("/home/a\nb/.venv", false),
        ] {
            assert_eq!(check_place(Path::new(place)).is_ok(), is_fine, "{place}");
        }
    }

    #[test]
    fn activation_quotes_the_place() {
        let [(_, posix), (_, csh), (_, fish)] = activation("/home/o'brien!/.venv");
        assert!(posix.contains(r"VIRTUAL_ENV='/home/o'\''brien!/.venv'"), "{posix}");
        assert!(csh.contains(r"setenv VIRTUAL_ENV '/home/o'\''brien\!/.venv'"), "{csh}");
        assert!(fish.contains(r"set -gx VIRTUAL_ENV '/home/o\'brien!/.venv'"), "{fish}");
    }
}
