//! `verify --format sarif` is SARIF 2.1.0: what its schema and specification demand of what is written here.

use std::collections::BTreeSet;

use pinfold_testkit::Index;
use serde_json::Value;

use crate::project::Project;

fn text<'a>(value: &'a Value, what: &str) -> &'a str {
    value.as_str().unwrap_or_else(|| panic!("{what} is no text: {value}"))
}

fn check_uri(uri: &str) {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~/%:".contains(c);
    assert!(!uri.is_empty() && uri.chars().all(plain), "{uri}");
    let escapes = uri.split('%').skip(1);
    assert!(
        escapes.clone().all(|rest| rest.len() > 1 && rest.as_bytes()[..2].iter().all(u8::is_ascii_hexdigit)),
        "{uri}"
    );
}

/// Checks a document; returns the names of the rules and places of its results.
fn checked(document: &Value) -> Vec<(String, String)> {
    assert_eq!(document["version"], "2.1.0");
    assert!(text(&document["$schema"], "schema").ends_with("/sarif-schema-2.1.0.json"));
    let [run] = &document["runs"].as_array().expect("the test can use its own files and processes")[..] else {
        panic!("one run: {document}")
    };
    assert_eq!(run["tool"]["driver"]["name"], "pinfold");
    assert_eq!(run["columnKind"], "unicodeCodePoints");
    assert_eq!(run["invocations"][0]["executionSuccessful"], true);
    let rules: Vec<&str> = run["tool"]["driver"]["rules"]
        .as_array()
        .expect("the test can use its own files and processes")
        .iter()
        .map(|rule| text(&rule["id"], "a rule's name"))
        .collect();
    assert_eq!(rules.iter().collect::<BTreeSet<_>>().len(), rules.len());
    for rule in run["tool"]["driver"]["rules"].as_array().expect("the test can use its own files and processes") {
        assert!(text(&rule["shortDescription"]["text"], "a description").ends_with('.'));
        assert!(!text(&rule["help"]["text"], "a help").is_empty());
        assert!(
            ["none", "note", "warning", "error"].contains(&text(&rule["defaultConfiguration"]["level"], "a level"))
        );
    }
    let bases = run["originalUriBaseIds"].as_object().expect("the test can use its own files and processes");
    for base in bases.values() {
        if let Some(uri) = base["uri"].as_str() {
            check_uri(uri);
            assert!(uri.ends_with('/'), "{uri}");
            // A relative one says of what.
            assert!(uri.starts_with("file:///") || bases.contains_key(text(&base["uriBaseId"], "a base")));
        }
    }
    let result = |result: &Value| {
        let id = text(&result["ruleId"], "a rule");
        assert_eq!(
            rules[usize::try_from(result["ruleIndex"].as_u64().expect("the test can use its own files and processes"))
                .expect("the test can use its own files and processes")],
            id
        );
        assert!(["none", "note", "warning", "error"].contains(&text(&result["level"], "a level")));
        assert!(!text(&result["message"]["text"], "a message").is_empty());
        let [location] = &result["locations"].as_array().expect("the test can use its own files and processes")[..]
        else {
            panic!("one place: {result}")
        };
        let artifact = &location["physicalLocation"]["artifactLocation"];
        let uri = text(&artifact["uri"], "a place");
        check_uri(uri);
        assert!(!uri.starts_with('/') && !uri.contains(':'), "relative: {uri}");
        let base = text(&artifact["uriBaseId"], "a base");
        assert!(bases.contains_key(base));
        (id.to_owned(), format!("{base} {uri}"))
    };
    run["results"].as_array().expect("the test can use its own files and processes").iter().map(result).collect()
}

#[test]
fn findings_are_results_with_rules_and_relative_places() {
    let index = Index::new().wheel("greet", "1.0").module("hello/__init__.py", "");
    let project = Project::new(index, &["greet"]);
    project.installed();
    let sarif = |code: i32| {
        let run = project.pinfold("verify").args(["--format", "sarif"]).run().expect_code(code);
        let document: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run}"));
        assert!(!run.stdout.contains(&project.home.path().to_string_lossy().into_owned()), "{run}");
        checked(&document)
    };
    assert_eq!(sarif(0), []);
    let share = project.home.project().join(".venv/share");
    std::fs::create_dir(&share).unwrap();
    std::fs::write(share.join("a b#é%.py"), "").unwrap();
    std::fs::remove_file(project.home.project().join(".venv/pyvenv.cfg")).unwrap();
    project.tamper("created-by = \"pinfold\"", "created-by = \"somebody\"");
    let expected = [
        ("added", "VENV share/a%20b%23%C3%A9%25.py"),
        ("lock-changed", "PROJECT pylock.toml"),
        ("missing", "VENV pyvenv.cfg"),
    ];
    assert_eq!(sarif(1), expected.map(|(id, place)| (id.to_owned(), place.to_owned())));
}

/// Linux alone has such names on every file system.
#[cfg(target_os = "linux")]
#[test]
fn a_place_whose_name_is_no_text_is_named_byte_by_byte() {
    use std::os::unix::ffi::OsStrExt as _;
    let project = Project::new(Index::new().wheel("greet", "1.0"), &["greet"]);
    project.installed();
    let name = std::ffi::OsStr::from_bytes(b"n\xff");
    std::fs::write(project.home.project().join(".venv/bin").join(name), "").unwrap();
    let run = project.pinfold("verify").args(["--format", "sarif"]).run().expect_code(1);
    let document: Value = serde_json::from_str(&run.stdout).expect("the output is JSON");
    assert_eq!(checked(&document), [("added".to_owned(), "VENV bin/n%FF".to_owned())]);
}
