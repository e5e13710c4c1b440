//! What the maintainer directs: constraints, overrides, exclusions, extras, groups, markers.

use crate::universe::{Universe, brief, check, name, outcome, outcome_in, problem, solved, version};
use pinfold_resolve::{Outcome, RootReason, Warning};

#[test]
fn constraints_narrow_and_never_add() {
    check("a 1.0 -> b\nb 1.0\nb 2.0\nc 1.0", "a\nconstraint: b<2\nconstraint: c==1.0", "a 1.0, b 1.0");
    check("a 1.0\na 2.0", "a\nconstraint: a<2; sys_platform == 'win32'", "a 2.0");
    check("a 1.0\na 2.0", "a\nconstraint: a>1\nconstraint: a<2", "no solution");
}

#[test]
fn overrides_replace_every_declared_range() {
    let universe = "a 1.0 -> b>=2\nc 1.0 -> b<1\nb 1.5\nb 2.5";
    check(universe, "a\nc", "no solution");
    check(universe, "a\nc\noverride: b==1.5", "a 1.0, b 1.5, c 1.0");
    check(universe, "a\nb>=2.5\noverride: b==1.5", "a 1.0, b 1.5");
    check(universe, "c\noverride: b>=2; sys_platform == 'win32'", "no solution");
    check(universe, "a\noverride: b", "a 1.0, b 2.5");
    // An override adds nothing by itself, keeps markers and extras.
    check("a 1.0\nb 1.0", "a\noverride: b==1.0", "a 1.0");
    check("a 1.0 -> b>5; os_name == 'nt'\nb 1.0", "a\noverride: b==1.0", "a 1.0");
    check("a 1.0 -> b[x]>5\nb 1.0 extras=x -> c; extra == 'x'\nc 1.0", "a\noverride: b==1.0", "a 1.0, b 1.0, c 1.0");
    check("a 1.0 -> b @ https://evil.test/b.whl\nb 1.0", "a\noverride: b==1.0", "a 1.0, b 1.0");
}

#[test]
fn excluded_projects_are_dropped_whoever_asks() {
    check("a 1.0 -> b | c\nb 1.0\nc 1.0 -> b", "a\nexclude: b", "a 1.0, c 1.0");
    check("a 1.0\nb 1.0", "a\nb==7\nexclude: b", "a 1.0");
    check("a 1.0 -> b @ https://evil.test/b.whl", "a\nexclude: b", "a 1.0");
    let solution = solved("a 1.0 -> b | c\nc 1.0", "a\nexclude: b");
    assert_eq!(solution.packages[&name("a")].dependencies, [name("c")].into());
}

#[test]
fn extras_add_what_they_need() {
    let universe = "a 1.0 extras=x,y -> b; extra == 'x' | c; extra == 'y' | d\nb 1.0\nc 1.0\nd 1.0";
    check(universe, "a", "a 1.0, d 1.0");
    check(universe, "a[x]", "a 1.0, b 1.0, d 1.0");
    check(universe, "a[x,y]", "a 1.0, b 1.0, c 1.0, d 1.0");
    check(universe, "a[x]\na[y]", "a 1.0, b 1.0, c 1.0, d 1.0");
    check("a 1.0 extras=all,x -> a[x]; extra == 'all' | b; extra == 'x'\nb 1.0", "a[all]", "a 1.0, b 1.0");
    check("a 1.0 extras=x -> b[y]; extra == 'x'\nb 1.0 extras=y -> a[x]; extra == 'y'", "a[x]", "a 1.0, b 1.0");
}

#[test]
fn an_extra_has_its_projects_version() {
    let universe = "a 2.0 extras=x -> b<1; extra == 'x'\na 1.0 extras=x -> b; extra == 'x'\nb 0.5\nb 1.0\nb 2.0";
    check(universe, "a[x]", "a 2.0, b 0.5");
    check(universe, "a[x]\nb>=2", "a 1.0, b 2.0");
    check(universe, "a\nb>=2", "a 2.0, b 2.0");
    check(&format!("{universe}\nc 1.0 -> a[x]>=2 | d\nd 1.0 -> b"), "b\nc", "a 2.0, b 0.5, c 1.0, d 1.0");
    check(&format!("{universe}\nc 1.0 -> a[x]"), "a>=2\nc", "a 2.0, b 0.5, c 1.0");
    check(&format!("{universe}\nc 1.0 -> a[x]"), "a>=2\nb>=1\nc", "no solution");
}

#[test]
fn an_extra_asked_for_late_does_not_search_through_every_version() {
    let mut universe = String::new();
    for minor in 0..200 {
        universe.push_str(&format!("a 1.{minor} extras=x -> b<2; extra == 'x'\n"));
    }
    universe.push_str("b 1.0\nb 3.0\nc 1.0 -> a[x] | b\n");
    check(&universe, "a\nb\nc", "a 1.199, b 1.0, c 1.0");
}

#[test]
fn an_unknown_extra_is_a_warning() {
    let solution = solved("a 1.0 extras=x", "a[x,nope]");
    let expected = Warning::UnknownExtra { name: name("a"), version: version("1.0"), extra: "nope".parse().unwrap() };
    assert_eq!(solution.warnings, [expected].into());
    assert!(solved("a 1.0 extras=x", "a[x]").warnings.is_empty());
}

#[test]
fn markers_are_evaluated_for_the_target() {
    let universe = "a 1.0 -> w; sys_platform == 'win32' | l; sys_platform == 'linux' | n; python_version < '3.11'\n\
                    w 1.0\nl 1.0\nn 1.0";
    check(universe, "a", "a 1.0, l 1.0, n 1.0");
    check(universe, "a\ntarget: windows-x86_64 3.11", "a 1.0, w 1.0");
    check(universe, "a; sys_platform == 'win32'", "");
    check("", "gone; sys_platform == 'win32'", "");
    check(universe, "a; platform_machine == 'x86_64'\ntarget: macos-aarch64 3.10", "");
}

#[test]
fn a_marker_that_divides_the_target_divides_it() {
    let universe = "a 1.0 -> b; python_full_version < '3.10.8'\nb 1.0";
    check(universe, "a", "divide 3.10.8");
    check("b 1.0", "b; python_full_version >= '3.10.4'", "divide 3.10.4");
    let problem = problem("a");
    let (lower, upper) = problem.target.divide(&version("3.10.8")).unwrap();
    let halves = [(lower, "a 1.0, b 1.0"), (upper, "a 1.0")];
    for (target, expected) in halves {
        let half = pinfold_resolve::Problem { target, ..problem.clone() };
        assert_eq!(brief(&outcome_in(&Universe::new(universe), &half)), expected);
    }
    // A version that is not chosen divides nothing.
    check("a 2.0 -> gone | b; python_full_version < '3.10.8'\na 1.0\nb 1.0", "a", "a 1.0");
    // What nobody reaches on one part is not missed on the other.
    check("a 1.0 -> gone; python_full_version < '3.10.8'", "a", "divide 3.10.8");
}

#[test]
fn a_python_requirement_that_divides_the_target_does_so_only_in_need() {
    check("a 1.0 python=!=3.10.7", "a", "divide 3.10.7");
    check("a 2.0 python=>=3.10.4\na 1.0", "a", "a 1.0");
    check("a 2.0 metapython=>=3.10.4", "a", "divide 3.10.4");
}

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
fn groups_are_resolved_together() {
    check("a 1.0\na 2.0", "a\n[dev] a<2", "a 1.0");
    check("a 1.0\na 2.0", "a>1\n[dev] a<2", "no solution");
}

#[test]
fn urls_in_published_metadata_are_refused() {
    check("a 1.0 -> b @ https://evil.test/b-1.0-py3-none-any.whl\nb 1.0", "a", "refused direct-url");
    check("a 1.0 -> b @ https://evil.test/b.whl ; sys_platform == 'win32'", "a", "a 1.0");
    check("a 1.0 extras=x -> b @ https://evil.test/b.whl ; extra == 'x'", "a", "a 1.0");
    check("a 1.0 extras=x -> b @ https://evil.test/b.whl ; extra == 'x'", "a[x]", "refused direct-url");
}

#[test]
fn the_maintainer_may_require_a_url() {
    let universe = "b 1.0\na 1.0 -> b @ https://index.test/files/b-1.0-py3-none-any.whl";
    let own = "b @ https://index.test/files/b-1.0-py3-none-any.whl#sha256=00";
    check(universe, own, "b 1.0");
    check("b 1.0", "b @ https://elsewhere.test/b-1.0-py3-none-any.whl", "no solution");
    // The same URL that the maintainer wrote is not news.
    check(universe, &format!("a\n{own}"), "a 1.0, b 1.0");
    check(universe, "a", "refused direct-url");
}

#[test]
fn quarantine_is_refused_and_lesser_states_are_warnings() {
    check("a 1.0 -> b\nb 1.0\nstatus b quarantined", "a", "refused quarantined");
    check("a 1.0\nb 1.0\nstatus b quarantined", "a", "a 1.0");
    for state in ["archived", "deprecated"] {
        let solution = solved(&format!("a 1.0\nstatus a {state}"), "a");
        let warnings: Vec<String> = solution.warnings.iter().map(ToString::to_string).collect();
        assert_eq!(warnings, [format!("`a` is {state} on its index: a test")]);
    }
    let Outcome::Refused(refusal) = outcome("status a quarantined", "a") else { panic!("not refused") };
    assert_eq!(refusal.to_string(), "`a` is quarantined by https://index.test/simple/: a test");
}

#[test]
fn metadata_of_another_project_is_refused() {
    check("a 1.0 called=b", "a", "refused metadata-mismatch");
    check("a 1.0 called=A", "a", "a 1.0");
}
