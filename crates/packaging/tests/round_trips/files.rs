//! Names of wheels and sdists, made from their parts.

use pinfold_packaging::{DistributionFilename, SdistFilename, WheelFilename};
use proptest::prelude::*;

use super::versions::parts;

/// Words of a project's name, which join with any of three characters.
fn words() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("[A-Za-z][A-Za-z0-9]{0,5}", 1..4)
}

fn tags() -> impl Strategy<Value = String> {
    prop::collection::vec("[a-z][a-z0-9_]{0,6}[a-z0-9]", 1..3).prop_map(|tags| tags.join("."))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_wheels_name_prints_as_it_reads(
        words in words(),
        joint in prop::sample::select(vec!["_", "."]),
        version in parts(),
        build in prop::option::weighted(0.3, "[0-9]{1,6}[a-z0-9_]{0,3}"),
        tags in (tags(), tags(), tags()),
    ) {
        let version = version.canonical();
        let build = build.map(|build| format!("-{build}")).unwrap_or_default();
        let text = format!("{}-{version}{build}-{}-{}-{}.whl", words.join(joint), tags.0, tags.1, tags.2);
        let wheel = WheelFilename::parse(&text.parse().unwrap())
            .map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
        let printed = wheel.to_string();
        let again = WheelFilename::parse(&printed.parse().unwrap()).unwrap();
        prop_assert_eq!(&again, &wheel, "{} {}", text, printed);
        prop_assert_eq!(again.to_string(), printed);
        prop_assert_eq!(wheel.name.as_str(), words.join("-").to_ascii_lowercase());
        prop_assert_eq!(wheel.version.to_string(), version);
        prop_assert_eq!(wheel.build.is_some(), !build.is_empty());
        let read = |tags: Vec<&str>| tags.join(".");
        prop_assert_eq!(read(wheel.python_tags().collect()), tags.0);
        prop_assert_eq!(read(wheel.abi_tags().collect()), tags.1);
        prop_assert_eq!(read(wheel.platform_tags().collect()), tags.2);
        let found = DistributionFilename::parse(&text.parse().unwrap(), &wheel.name).unwrap();
        prop_assert_eq!(found, DistributionFilename::Wheel(wheel));
    }

    #[test]
    fn an_sdists_name_gives_its_project_and_version(
        words in words(),
        joint in prop::sample::select(vec!["_", ".", "-"]),
        version in parts(),
        end in prop::sample::select(vec![".tar.gz", ".zip"]),
    ) {
        let version = version.canonical();
        let text = format!("{}-{version}{end}", words.join(joint));
        let project = words.join("-").parse().unwrap();
        let sdist = SdistFilename::parse(&text.parse().unwrap(), &project)
            .map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
        prop_assert_eq!(&sdist.name, &project);
        prop_assert_eq!(sdist.version.to_string(), version);
        let other = format!("x{project}").parse().unwrap();
        prop_assert!(SdistFilename::parse(&text.parse().unwrap(), &other).is_err());
    }
}
