//! One line for each finding.

use pinfold_install::Finding;

use crate::output::tame;

/// Returns one line: the code, what it is about (a path, a distribution, or both), what was expected and what was found.
pub(super) fn line(finding: &Finding) -> String {
    // A file's name may have a line end; each finding is one line.
    let tamed = |text: &str| tame(text).replace('\n', "\\n");
    let path = tamed(&finding.path);
    let about = match (path.is_empty(), &finding.package) {
        (true, None) => String::new(),
        (true, Some(name)) => format!("{name}: "),
        (false, None) => format!("{path}: "),
        (false, Some(name)) => format!("{path} ({name}): "),
    };
    let (expected, found) = (tamed(&finding.expected), tamed(&finding.found));
    format!("{}: {about}expected {expected}, found {found}\n", finding.code.as_str())
}

#[cfg(test)]
mod tests {
    use pinfold_install::FindingCode;

    use super::*;

    #[test]
    fn a_finding_names_what_there_is_to_name() {
        let finding = |path: &str, package: Option<&str>| Finding {
            code: FindingCode::Changed,
            path: path.to_owned(),
            package: package.map(|name| name.parse().unwrap()),
            expected: "a".to_owned(),
            found: "b\n".to_owned(),
            exact_path: None,
        };
        for (path, package, expected) in [
            ("", None, "changed: expected a, found b\\n\n"),
            ("", Some("x"), "changed: x: expected a, found b\\n\n"),
            ("f.py", None, "changed: f.py: expected a, found b\\n\n"),
            ("f\n.py", Some("x"), "changed: f\\n.py (x): expected a, found b\\n\n"),
        ] {
            assert_eq!(line(&finding(path, package)), expected);
        }
    }
}
