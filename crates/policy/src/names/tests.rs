//! Names of attacks that happened, names that are nobody's fault.

use super::*;

#[track_caller]
fn check(name: &str, expected: Option<(&str, Likeness)>) {
    let popular = PopularNames::load();
    let found = popular.lookalike(&name.parse().unwrap());
    assert_eq!(found.as_ref().map(|found| (found.popular, found.likeness)), expected, "{name}");
}

#[test]
fn names_of_attacks_are_seen() {
    use Likeness::{Confusable, Letters, Reordered};
    for (name, popular, likeness) in [
        ("requessts", "requests", Letters(1)),
        ("reqeusts", "requests", Letters(1)),
        ("request5", "requests", Confusable),
        ("python-dateutils", "python-dateutil", Letters(1)),
        ("python3-dateutil", "python-dateutil", Letters(1)),
        ("colourama", "colorama", Letters(1)),
        ("jeIlyfish", "jellyfish", Confusable),
        ("urlib3", "urllib3", Letters(1)),
        ("setup-tools", "setuptools", Confusable),
        ("diango", "django", Letters(1)),
        ("djang0", "django", Confusable),
        ("acqusition", "acquisition", Letters(1)),
        ("nmap-python", "python-nmap", Reordered),
        ("rnatplotlib", "matplotlib", Confusable),
        ("matplotlob", "matplotlib", Letters(1)),
        ("mumpy", "numpy", Letters(1)),
        ("pandsa", "pandas", Letters(1)),
        ("tensofrlow", "tensorflow", Letters(1)),
        ("beautifulsup4", "beautifulsoup4", Letters(1)),
        ("pytorch-lightnig", "pytorch-lightning", Letters(1)),
        ("cyrptograhpy", "cryptography", Letters(2)),
        ("selenuim", "selenium", Letters(1)),
        ("py-yaml", "pyyaml", Confusable),
    ] {
        check(name, Some((popular, likeness)));
    }
}

#[test]
fn popular_names_and_distant_ones_are_not() {
    let popular = PopularNames::load();
    assert!(popular.len() > 10_000 && !popular.is_empty());
    for name in super::popular::by_rank().into_iter().take(3000) {
        assert_eq!(popular.lookalike(&name.parse().unwrap()), None, "{name}");
    }
    for name in
        ["pinfold", "my-own-application", "hello", "world", "a", "b", "x1", "nvidia-cublas-cu14", "acme-internal-tools"]
    {
        check(name, None);
    }
}
