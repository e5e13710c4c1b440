//! The report as SARIF 2.1.0 (OASIS), for code hosts and editors that show findings beside files.
//!
//! Each code is a rule under its own name. A place is relative to the environment (`VENV`), and that to where pinfold was
//! started (`PROJECT`), so that a report says nothing of the machine it was made on. What is about no file of the
//! environment is about the lock.

use std::path::Path;

use pinfold_install::{Depth, Finding, FindingCode, Report};
use serde::Serialize;
use serde_json::{Value, json};

use super::json;
use crate::cli::Verify;
use crate::exit::{Exit, Failure};
use crate::ops::repair::Outcome;

/// Returns the text of the report.
///
/// # Errors
/// Exit 70 if it cannot be written, which is a bug.
pub(super) fn document(report: &Report, outcome: Option<&Outcome>, arguments: &Verify) -> Result<String, Failure> {
    let log = log(report, outcome, &arguments.environment.venv, &arguments.lock);
    serde_json::to_string_pretty(&log).map(|text| text + "\n").map_err(|e| Failure::of(Exit::Bug, &e))
}

fn log(report: &Report, outcome: Option<&Outcome>, venv: &Path, lock: &Path) -> Log {
    let mut properties = json!({
        "depth": if report.depth == Depth::Quick { "quick" } else { "full" },
        "distributions": report.distributions,
        "files": report.files_checked,
        "bytes": report.bytes_checked,
    });
    if let (Some(outcome), Value::Object(fields)) = (outcome, &mut properties) {
        fields.insert("repair".to_owned(), json::repair(outcome));
    }
    let run = Run {
        tool: Tool { driver: driver() },
        invocations: vec![Invocation { execution_successful: true }],
        original_uri_base_ids: json!({
            "PROJECT": { "description": { "text": "The directory in which pinfold was started." } },
            "VENV": base(venv),
        }),
        column_kind: "unicodeCodePoints",
        results: report.findings.iter().map(|finding| result(finding, lock)).collect(),
        properties,
    };
    Log { schema: SCHEMA, version: "2.1.0", runs: vec![run] }
}

fn driver() -> Driver {
    let rule = |code: &FindingCode| Rule {
        id: code.as_str(),
        name: pascal_case(code.as_str()),
        short_description: Message::new(code.meaning()),
        help: Message::new(help(*code)),
        default_configuration: Configuration { level: "error" },
    };
    Driver {
        name: "pinfold",
        semantic_version: env!("CARGO_PKG_VERSION"),
        rules: FindingCode::ALL.iter().map(rule).collect(),
    }
}

const fn help(code: FindingCode) -> &'static str {
    match code {
        FindingCode::InterpreterChanged => {
            "If the interpreter was upgraded on purpose, `pinfold sync` makes the environment anew; else find out who did it."
        }
        FindingCode::LedgerBroken => {
            "`pinfold history` names the line. Find out who can write beside the environment; no repair brings the true past back."
        }
        FindingCode::LockChanged => "`pinfold sync` installs the lock; `pinfold diff` says what changed in it.",
        _ => "Find out who changed the environment, then `pinfold verify --repair` puts it right from the store.",
    }
}

fn result(finding: &Finding, lock: &Path) -> ResultEntry {
    let place = match &finding.exact_path {
        Some(path) => location("VENV", &slashed(path)),
        None if finding.path.is_empty() => location("PROJECT", &relative(lock)),
        None => location("VENV", finding.path.as_bytes()),
    };
    let about = match (&finding.package, finding.path.as_str()) {
        (Some(name), "") => format!("{name}: "),
        (Some(name), path) => format!("`{path}` of {name}: "),
        (None, "") => String::new(),
        (None, path) => format!("`{path}`: "),
    };
    ResultEntry {
        rule_id: finding.code.as_str(),
        rule_index: FindingCode::ALL.iter().position(|code| *code == finding.code).unwrap_or_default(),
        level: "error",
        message: Message::new(&format!("{about}expected {}, found {}", finding.expected, finding.found)),
        locations: vec![place],
        properties: json::finding(finding),
    }
}

fn location(base: &'static str, path: &[u8]) -> Location {
    let artifact_location = match path.is_empty() {
        true => ArtifactLocation { uri: "./".to_owned(), uri_base_id: base },
        false => ArtifactLocation { uri: as_uri(path), uri_base_id: base },
    };
    Location { physical_location: PhysicalLocation { artifact_location } }
}

/// A relative environment is told relative to the project; another by its URL, because nothing else names it.
fn base(venv: &Path) -> Value {
    if venv.is_absolute() {
        return json!({ "uri": file_uri(&slashed(venv)) });
    }
    json!({ "uri": format!("{}/", as_uri(&relative(venv))), "uriBaseId": "PROJECT" })
}

fn relative(path: &Path) -> Vec<u8> {
    let mut rest = slashed(path);
    while rest.starts_with(b"./") {
        rest.drain(..2);
    }
    rest
}

/// Returns a path, byte by byte, with `/` between its segments. Elsewhere than on Windows a `\` is a character of a name.
fn slashed(path: &Path) -> Vec<u8> {
    let bytes = path.as_os_str().as_encoded_bytes().iter();
    bytes.map(|byte| if cfg!(windows) && *byte == b'\\' { b'/' } else { *byte }).collect()
}

/// Returns the URI of an absolute directory; the colon of a drive stays what it is (RFC 8089, appendix E.2).
fn file_uri(path: &[u8]) -> String {
    match path {
        [drive, b':', b'/', inside @ ..] if drive.is_ascii_alphabetic() => {
            format!("file:///{}:/{}/", char::from(*drive), as_uri(inside))
        }
        _ => format!("file:///{}/", as_uri(path).trim_start_matches('/')),
    }
}

/// Escapes everything in a path that has a meaning in a URI, or none (RFC 3986). A first segment with a colon would be a
/// scheme, so colons are escaped too.
fn as_uri(path: &[u8]) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => uri.push(char::from(*byte)),
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

/// A rule's name is its code, as that form writes names.
fn pascal_case(code: &str) -> String {
    let word = |word: &str| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_uppercase() + rest
    };
    code.split('-').map(word).collect()
}

#[derive(Serialize)]
struct Log {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: Vec<Run>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    tool: Tool,
    invocations: Vec<Invocation>,
    original_uri_base_ids: Value,
    column_kind: &'static str,
    results: Vec<ResultEntry>,
    properties: Value,
}

#[derive(Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver {
    name: &'static str,
    semantic_version: &'static str,
    rules: Vec<Rule>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: &'static str,
    name: String,
    short_description: Message,
    help: Message,
    default_configuration: Configuration,
}

#[derive(Serialize)]
struct Configuration {
    level: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    execution_successful: bool,
}

/// A `result`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResultEntry {
    rule_id: &'static str,
    rule_index: usize,
    level: &'static str,
    message: Message,
    locations: Vec<Location>,
    properties: Value,
}

#[derive(Serialize)]
struct Message {
    text: String,
}

impl Message {
    fn new(text: &str) -> Self {
        Self { text: text.to_owned() }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    physical_location: PhysicalLocation,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation {
    artifact_location: ArtifactLocation,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ArtifactLocation {
    uri: String,
    uri_base_id: &'static str,
}

/// The name of the form, as its specification gives it. Nobody fetches it here.
const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_relative_uris() {
        for (path, expected) in [
            ("lib/a.py", "lib/a.py"),
            ("a b#c?d%e", "a%20b%23c%3Fd%25e"),
            ("c:evil", "c%3Aevil"),
            ("é\u{1b}", "%C3%A9%1B"),
        ] {
            assert_eq!(as_uri(path.as_bytes()), expected);
        }
        assert_eq!(base(Path::new("./.venv")), json!({ "uri": ".venv/", "uriBaseId": "PROJECT" }));
        assert_eq!(file_uri(b"/a b/.venv"), "file:///a%20b/.venv/");
        assert_eq!(file_uri(b"C:/a b/c:d/.venv"), "file:///C:/a%20b/c%3Ad/.venv/");
        #[cfg(unix)]
        assert_eq!(base(Path::new("/a\\b/.venv")), json!({ "uri": "file:///a%5Cb/.venv/" }));
        #[cfg(windows)]
        assert_eq!(base(Path::new("C:\\a\\.venv")), json!({ "uri": "file:///C:/a/.venv/" }));
    }

    #[test]
    fn names_of_rules_are_written_in_one_word() {
        assert_eq!(pascal_case("foreign-bytecode"), "ForeignBytecode");
    }
}
