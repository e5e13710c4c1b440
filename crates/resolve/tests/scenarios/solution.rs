//! What a solution says of each package beside its version.

use pinfold_resolve::RootReason;

use crate::universe::{name, solved};

#[test]
fn every_package_knows_who_reaches_it() {
    let universe = "a 1.0 -> c\nb 1.0 -> c | d\nc 1.0\nd 1.0 extras=x -> e; extra == 'x'\ne 1.0";
    let solution = solved(universe, "a\n[dev] b\n{gpu} d[x]");
    let reasons = |package: &str| -> Vec<String> {
        solution.packages[&name(package)].reasons.iter().map(RootReason::to_string).collect()
    };
    let (base, dev, gpu) = ("the application", "group `dev`", "extra `gpu`");
    assert_eq!(reasons("a"), [base]);
    assert_eq!(reasons("b"), [dev]);
    assert_eq!(reasons("c"), [base, dev]);
    assert_eq!(reasons("d"), [gpu, dev]);
    assert_eq!(reasons("e"), [gpu]);
    assert_eq!(solution.packages[&name("b")].dependencies, [name("c"), name("d")].into());
    assert_eq!(solution.packages[&name("d")].dependencies, [name("e")].into());
    assert_eq!(solution.packages[&name("a")].origin, crate::universe::origin());
}

#[test]
fn an_excluded_project_is_no_dependency() {
    let solution = solved("a 1.0 -> b | c\nc 1.0", "a\nexclude: b");
    assert_eq!(solution.packages[&name("a")].dependencies, [name("c")].into());
}

#[test]
fn requires_python_of_the_choice_is_told() {
    let solution = solved("a 1.0 metapython=>=3.8", "a");
    assert_eq!(solution.packages[&name("a")].requires_python, Some(">=3.8".parse().unwrap()));
}
