//! Requirements, made from their parts.

use pinfold_packaging::Requirement;
use proptest::prelude::*;

use super::markers::{Tree, tree};
use super::versions::clause;

fn name() -> impl Strategy<Value = String> {
    // A name that looks like the name of a file is refused, so it does not end like one.
    "[A-Za-z0-9]([A-Za-z0-9._-]{0,8}[A-Za-z0-9])?"
        .prop_filter("a file name", |name| ![".zip", ".whl", ".tgz"].iter().any(|end| name.ends_with(end)))
}

fn normalised(name: &str) -> String {
    let words: Vec<&str> = name.split(['-', '_', '.']).filter(|word| !word.is_empty()).collect();
    words.join("-").to_ascii_lowercase()
}

fn marker() -> impl Strategy<Value = Option<Tree>> {
    prop::option::of(tree())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_requirement_prints_as_it_reads(
        name in name(),
        extras in prop::collection::vec(name(), 0..3),
        clauses in prop::collection::vec(clause(), 0..3),
        parentheses in any::<bool>(),
        url in prop::option::weighted(0.2, "https://[a-z]{1,5}\\.test/[a-z0-9]{1,5}\\.whl"),
        marker in marker(),
    ) {
        let mut text = name.clone();
        if !extras.is_empty() {
            text += &format!(" [ {} ] ", extras.join(" , "));
        }
        match &url {
            Some(url) => text += &format!(" @ {url}"),
            None if parentheses && !clauses.is_empty() => text += &format!(" ({})", clauses.join(",")),
            None => text += &clauses.join(", "),
        }
        if let Some(marker) = &marker {
            text += &format!(" ; {}", marker.text());
        }
        let requirement = Requirement::parse(&text).map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
        let printed = requirement.to_string();
        let again = Requirement::parse(&printed).map_err(|error| TestCaseError::fail(format!("{printed}: {error}")))?;
        prop_assert_eq!(&again, &requirement, "{} {}", text, printed);
        prop_assert_eq!(again.to_string(), printed);

        prop_assert_eq!(requirement.name.as_str(), normalised(&name));
        let mut expected: Vec<String> = extras.iter().map(|extra| normalised(extra)).collect();
        expected.sort();
        expected.dedup();
        prop_assert!(requirement.extras.iter().map(|extra| extra.as_str()).eq(expected));
        prop_assert_eq!(requirement.url.map(|url| url.to_string()), url.clone());
        prop_assert_eq!(requirement.specifiers.is_any(), url.is_some() || clauses.is_empty());
        // Read leniently, a requirement without fault is the same.
        let (lenient, repairs) = Requirement::parse_lenient(&text).unwrap();
        prop_assert_eq!(lenient, again);
        prop_assert_eq!(repairs, []);
    }
}
