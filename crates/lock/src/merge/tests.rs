//! Resolutions merged into one lock: one entry where they agree, disjoint markers where they do not.

use std::sync::LazyLock;

use insta::assert_snapshot;
use pinfold_packaging::{MarkerEnvironment, PythonSpan, Target};
use proptest::prelude::*;

use super::*;
use crate::fixture::{file, host, resolution, resolved, settings, target};
use crate::marker::Node;
use crate::{LockMarker, Wanted, select};

/// Says which entries the lock has for `a`, and when each applies.
fn entries(resolutions: &[Resolution]) -> String {
    let lock = merge(resolutions, settings()).unwrap();
    let lines = lock.packages.iter().filter(|package| package.name.as_str() == "a").map(|package| {
        let marker = package.marker.as_ref().map_or("always".to_owned(), ToString::to_string);
        format!("{}: {marker}", package.version.as_ref().unwrap())
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Gives each target (`linux-x86_64 3.10`) a version of the pure wheel `a`, or nothing.
fn versions(of_targets: &[(&str, &str)]) -> Vec<Resolution> {
    let wheel = |version: &str| format!("a-{version}-py3-none-any.whl");
    let one = |(name, version): &(&str, &str)| match *version {
        "" => resolution(target(name), &[]),
        version => resolution(target(name), &[&wheel(version)]),
    };
    of_targets.iter().map(one).collect()
}

#[test]
fn what_every_target_needs_has_no_marker() {
    let all = versions(&[("linux-x86_64 3.10", "1"), ("windows-x86_64 3.10", "1"), ("macos-aarch64 3.11", "1")]);
    assert_snapshot!(entries(&all), @"1: always");
}

#[test]
fn one_variable_is_enough_where_it_is() {
    let check = |of_targets: &[(&str, &str)], expected: &str| {
        assert_eq!(entries(&versions(of_targets)), expected, "{of_targets:?}");
    };
    check(
        &[("linux-x86_64 3.10", "1"), ("windows-x86_64 3.10", ""), ("macos-aarch64 3.10", "1")],
        "1: sys_platform != 'win32'",
    );
    check(
        &[("linux-x86_64 3.10", ""), ("windows-x86_64 3.10", "1"), ("macos-aarch64 3.10", "")],
        "1: sys_platform == 'win32'",
    );
    check(
        &[("linux-x86_64 3.10", "1"), ("linux-aarch64 3.10", "2"), ("macos-aarch64 3.10", "2")],
        "1: platform_machine == 'x86_64'\n2: platform_machine != 'x86_64'",
    );
    check(
        &[("linux-x86_64 3.9", "1"), ("linux-x86_64 3.10", "1"), ("linux-x86_64 3.12", "2")],
        "1: python_version < '3.12'\n2: python_version == '3.12'",
    );
    check(
        &[("linux-x86_64 3.9", "1"), ("linux-x86_64 3.10", "2"), ("linux-x86_64 3.11", "1")],
        "1: python_version != '3.10'\n2: python_version == '3.10'",
    );
}

#[test]
fn several_variables_are_used_where_one_is_not_enough() {
    let check = |of_targets: &[(&str, &str)], expected: &str| {
        assert_eq!(entries(&versions(of_targets)), expected, "{of_targets:?}");
    };
    check(
        &[
            ("linux-x86_64 3.10", "1"),
            ("linux-x86_64 3.11", "2"),
            ("windows-x86_64 3.10", "2"),
            ("windows-x86_64 3.11", "2"),
        ],
        "1: sys_platform == 'linux' and python_version == '3.10'\n\
         2: python_version == '3.11' or sys_platform == 'win32'",
    );
    check(
        &[
            ("linux-x86_64 3.10", "1"),
            ("linux-aarch64 3.10", ""),
            ("macos-x86_64 3.10", ""),
            ("macos-aarch64 3.10", ""),
        ],
        "1: sys_platform == 'linux' and platform_machine == 'x86_64'",
    );
}

#[test]
fn a_divided_target_is_told_apart_by_the_full_version() {
    let (lower, upper) = target("linux-x86_64 3.10").divide(&"3.10.8".parse().unwrap()).unwrap();
    let all = [
        resolution(lower, &["a-1-py3-none-any.whl"]),
        resolution(upper, &["a-2-py3-none-any.whl"]),
        resolution(target("linux-x86_64 3.11"), &["a-2-py3-none-any.whl"]),
        resolution(target("windows-x86_64 3.10"), &["a-3-py3-none-any.whl"]),
        resolution(target("windows-x86_64 3.11"), &["a-3-py3-none-any.whl"]),
    ];
    assert_snapshot!(entries(&all), @"
    1: sys_platform == 'linux' and python_full_version < '3.10.8'
    2: sys_platform == 'linux' and python_full_version >= '3.10.8'
    3: sys_platform == 'win32'
    ");
    let lock = merge(&all, settings()).unwrap();
    let environments: Vec<String> = lock.environments.iter().map(ToString::to_string).collect();
    assert_snapshot!(environments.join("\n"), @"
    sys_platform == 'linux' and platform_machine == 'x86_64' and implementation_name == 'cpython' and python_version == '3.10' and python_full_version < '3.10.8'
    sys_platform == 'linux' and platform_machine == 'x86_64' and implementation_name == 'cpython' and python_version == '3.10' and python_full_version >= '3.10.8'
    sys_platform == 'linux' and platform_machine == 'x86_64' and implementation_name == 'cpython' and python_version == '3.11'
    sys_platform == 'win32' and platform_machine == 'AMD64' and implementation_name == 'cpython' and python_version == '3.10'
    sys_platform == 'win32' and platform_machine == 'AMD64' and implementation_name == 'cpython' and python_version == '3.11'
    ");
    assert_eq!(lock.requires_python.unwrap().to_string(), ">=3.10,<3.12");
}

#[test]
fn requires_python_is_as_tight_as_the_targets() {
    let check = |minors: &[&str], expected: &str| {
        let all: Vec<Resolution> =
            minors.iter().map(|minor| resolution(target(&format!("linux-x86_64 {minor}")), &[])).collect();
        let lock = merge(&all, settings()).unwrap();
        assert_eq!(lock.requires_python.unwrap(), expected.parse().unwrap(), "{minors:?}");
    };
    check(&["3.10"], ">=3.10,<3.11");
    check(&["3.12", "3.10"], ">=3.10,!=3.11.*,<3.13");
    check(&["3.9", "3.12"], ">=3.9,!=3.10.*,!=3.11.*,<3.13");
}

#[test]
fn extras_and_groups_become_conditions() {
    let with = |name: &str, reach: &[&str]| Resolution {
        target: target(name),
        packages: [resolved("a-1-py3-none-any.whl", &[], reach)].into(),
    };
    let check = |linux: &[&str], windows: &[&str], expected: &str| {
        assert_eq!(entries(&[with("linux-x86_64 3.10", linux), with("windows-x86_64 3.10", windows)]), expected);
    };
    check(&["extra gpu"], &["extra gpu"], "1: 'gpu' in extras");
    check(&["extra x", "group dev"], &["group dev", "extra x"], "1: 'x' in extras or 'dev' in dependency_groups");
    check(&["base", "extra gpu"], &["base"], "1: always");
    check(&["base"], &["extra gpu", "extra x"], "1: sys_platform == 'linux' or 'gpu' in extras or 'x' in extras");
}

#[test]
fn no_part_of_a_marker_can_be_left_out() {
    let check = |of_targets: &[(&str, &[&str])], expected: &str| {
        let one = |(name, reach): &(&str, &[&str])| Resolution {
            target: target(name),
            packages: (!reach.is_empty()).then(|| resolved("a-1-py3-none-any.whl", &[], reach)).into_iter().collect(),
        };
        assert_eq!(entries(&of_targets.iter().map(one).collect::<Vec<_>>()), format!("1: {expected}"));
    };
    let (linux, windows, macos) = ("linux-x86_64 3.10", "windows-x86_64 3.10", "macos-aarch64 3.10");
    let extra: &[&str] = &["extra x"];
    check(&[(linux, &["base"]), (windows, extra), (macos, extra)], "sys_platform == 'linux' or 'x' in extras");
    check(&[(linux, &["base"]), (windows, &["base"]), (macos, extra)], "sys_platform != 'darwin' or 'x' in extras");
    check(&[(linux, extra), ("linux-x86_64 3.11", &["base"])], "'x' in extras or python_version == '3.11'");
    // What reaches it on one system reaches it on the other too, by more.
    check(
        &[(linux, extra), (windows, &["extra gpu", "extra x"])],
        "'x' in extras or (sys_platform == 'win32' and 'gpu' in extras)",
    );
    // Neither covers the other.
    check(
        &[(linux, extra), (windows, &["group dev"])],
        "(sys_platform == 'linux' and 'x' in extras) or (sys_platform == 'win32' and 'dev' in dependency_groups)",
    );
    // A system that does not need it is no system on which it may be needed.
    check(
        &[(linux, &["base"]), (windows, extra), (macos, &[])],
        "sys_platform == 'linux' or (sys_platform == 'win32' and 'x' in extras)",
    );
    // Where more is said of one case, less is to be said of another.
    check(
        &[(linux, &["extra gpu", "extra x"]), (windows, &[]), (macos, extra)],
        "(sys_platform == 'linux' and 'gpu' in extras) or (sys_platform != 'win32' and 'x' in extras)",
    );
    // One class, but a tree of two variables.
    check(
        &[(linux, &["base"]), ("linux-x86_64 3.11", &[]), (windows, &["base"]), ("windows-x86_64 3.11", &["base"])],
        "python_version == '3.10' or sys_platform == 'win32'",
    );
}

#[test]
fn targets_of_two_floors_share_an_entry_whose_tags_tell_them_apart() {
    let all = [
        resolution(target("linux-x86_64-glibc2.17 3.10"), &["a-1-cp310-cp310-manylinux2014_x86_64.whl"]),
        resolution(target("linux-x86_64 3.10"), &["a-1-cp310-cp310-manylinux_2_28_x86_64.whl"]),
        resolution(target("linux-x86_64-musl1.2 3.10"), &["a-1.tar.gz"]),
    ];
    let lock = merge(&all, settings()).unwrap();
    assert_eq!((lock.packages.len(), lock.packages[0].wheels.len()), (1, 2));
    assert!(lock.packages[0].sdist.is_some() && lock.packages[0].marker.is_none());
    assert_eq!(lock.environments.len(), 1);
}

#[test]
fn what_a_marker_cannot_tell_apart_is_an_error() {
    let check = |one: &[&str], other: &[&str]| {
        let all =
            [resolution(target("linux-x86_64-glibc2.17 3.10"), one), resolution(target("linux-x86_64 3.10"), other)];
        assert!(matches!(merge(&all, settings()), Err(MergeError::AlikeTargets { .. })), "{one:?} {other:?}");
    };
    check(&["a-1-py3-none-any.whl"], &["a-2-py3-none-any.whl"]);
    check(&["a-1-py3-none-any.whl"], &[]);
    // An installer would give the newer system the wheel, not the sdist that was chosen for it.
    check(&["a-1-cp310-cp310-manylinux2014_x86_64.whl"], &["a-1.tar.gz"]);
    // Two builds of one wheel: only the highest is ever picked.
    check(&["a-1-1-py3-none-any.whl"], &["a-1-2-py3-none-any.whl"]);
}

#[test]
fn an_entry_is_split_where_tags_would_decide_otherwise() {
    let all = [
        resolution(target("linux-x86_64 3.10"), &["a-1.tar.gz"]),
        resolution(target("windows-x86_64 3.10"), &["a-1-py3-none-any.whl"]),
    ];
    assert_snapshot!(entries(&all), @"
    1: sys_platform == 'linux'
    1: sys_platform == 'win32'
    ");
    let needed = |name: &str, filename: &str| Resolution {
        target: target(name),
        packages: [resolved(filename, &[], &["base"]), resolved("b-1-py3-none-any.whl", &["a"], &["base"])].into(),
    };
    let all = [needed("linux-x86_64 3.10", "a-1.tar.gz"), needed("windows-x86_64 3.10", "a-1-py3-none-any.whl")];
    let text = merge(&all, settings()).unwrap().to_text();
    assert!(text.contains("{ name = \"a\", version = \"1\", marker = \"sys_platform == 'linux'\" },"), "{text}");
}

#[test]
fn dependencies_say_no_more_than_they_must() {
    let one = |name: &str, b: &str| Resolution {
        target: target(name),
        packages: [
            resolved("a-1-py3-none-any.whl", &["b", "c"], &["base"]),
            resolved(b, &[], &["base"]),
            resolved("c-1-py3-none-any.whl", &[], &["base"]),
        ]
        .into(),
    };
    let all = [one("linux-x86_64 3.10", "b-1-py3-none-any.whl"), one("windows-x86_64 3.10", "b-2-py3-none-any.whl")];
    let lock = merge(&all, settings()).unwrap();
    let shown = |reference: &DependencyReference| {
        format!("{} {}", reference.name, reference.version.as_ref().map(ToString::to_string).unwrap_or_default())
    };
    let dependencies: Vec<String> = lock.packages[0].dependencies.iter().map(shown).collect();
    assert_eq!(dependencies, ["b 1", "b 2", "c "]);
}

#[test]
fn refuses_resolutions_that_contradict_themselves() {
    let check = |all: &[Resolution], expected: &str| {
        assert_eq!(merge(all, settings()).unwrap_err().to_string(), expected);
    };
    check(&[], "no target was resolved");
    let linux = || target("linux-x86_64 3.10");
    check(&[resolution(linux(), &[]), resolution(linux(), &[])], "linux-x86_64 python 3.10 was resolved twice");
    let with = |packages: &[(PackageName, Arc<Resolved>)]| Resolution {
        target: linux(),
        packages: packages.iter().cloned().collect(),
    };
    check(
        &[with(&[resolved("a-1-py3-none-any.whl", &["b"], &["base"])])],
        "`a` needs `b`, which was not resolved for linux-x86_64 python 3.10",
    );
    check(&[with(&[resolved("a-1-py3-none-any.whl", &[], &[])])], "nothing needs `a` on linux-x86_64 python 3.10");
    check(
        &[with(&[resolved("a-1-py3-none-any.whl", &[], &["extra none"])])],
        "`a` is needed by `none`, which is no extra or group of the lock",
    );
    check(
        &[with(&[resolved("a-1-cp310-cp310-win_amd64.whl", &[], &["base"])])],
        "`a-1-cp310-cp310-win_amd64.whl` does not fit linux-x86_64 python 3.10",
    );
}

#[test]
fn the_order_of_the_resolutions_does_not_matter() {
    let mut all = versions(&[("linux-x86_64 3.10", "1"), ("windows-x86_64 3.10", "2"), ("macos-aarch64 3.10", "1")]);
    let text = merge(&all, settings()).unwrap().to_text();
    all.reverse();
    assert_eq!(merge(&all, settings()).unwrap().to_text(), text);
    all.swap(0, 1);
    assert_eq!(merge(&all, settings()).unwrap().to_text(), text);
}

#[test]
fn a_direct_url_becomes_an_archive() {
    let (name, mut direct) = resolved("a-1-py3-none-any.whl", &[], &["base"]);
    Arc::make_mut(&mut direct).index = None;
    let all = [Resolution { target: target("linux-x86_64 3.10"), packages: [(name, direct)].into() }];
    let lock = merge(&all, settings()).unwrap();
    assert_eq!(lock.packages[0].archive.as_ref().map(|archive| &archive.file), Some(&file("a-1-py3-none-any.whl")));
    assert!(lock.packages[0].wheels.is_empty() && lock.packages[0].index.is_none());
}

const TARGETS: [&str; 8] = [
    "linux-x86_64 3.10",
    "linux-x86_64 3.11",
    "linux-aarch64 3.10",
    "windows-x86_64 3.10",
    "windows-x86_64 3.12",
    "macos-aarch64 3.10",
    "macos-aarch64 3.11",
    "macos-x86_64 3.9",
];

/// What one target gets: whether it is divided, and for three projects what its parts get: nothing, or a version that is
/// reached in some way.
#[derive(Debug)]
struct Choices {
    divided: bool,
    projects: [[Option<(u8, usize)>; 2]; 3],
}

fn choice() -> impl Strategy<Value = Option<(u8, usize)>> {
    prop::option::weighted(0.8, (1..3_u8, 0..REACHES.len()))
}

fn choices() -> impl Strategy<Value = Vec<Choices>> {
    let project = || [choice(), choice()];
    let of_target = (any::<bool>(), [project(), project(), project()]);
    prop::collection::vec(of_target.prop_map(|(divided, projects)| Choices { divided, projects }), 1..TARGETS.len())
}

const REACHES: [&[&str]; 7] = [
    &["base"],
    &["extra gpu"],
    &["extra x", "group dev"],
    &["group dev"],
    &["base", "extra x"],
    &["extra gpu", "extra x"],
    &["extra gpu", "extra x", "group dev"],
];

fn resolutions(choices: &[Choices]) -> Vec<(String, Resolution)> {
    let mut all = Vec::new();
    for (name, Choices { divided, projects }) in TARGETS.iter().zip(choices) {
        let whole = target(name);
        let minor = whole.python();
        let parts: Vec<(Target, String)> = match whole.divide(&format!("{minor}.5").parse().unwrap()) {
            Some((lower, upper)) if *divided => vec![(lower, format!("{minor}.4")), (upper, format!("{minor}.5"))],
            _ => vec![(whole, format!("{minor}.7"))],
        };
        for (part, (target, python)) in parts.into_iter().enumerate() {
            let package = |(name, of_parts): (&str, &[Option<(u8, usize)>; 2])| {
                let (version, reach) = of_parts[part]?;
                Some(resolved(&format!("{name}-{version}-py3-none-any.whl"), &[], REACHES[reach]))
            };
            let packages = ["a", "b", "c"].into_iter().zip(projects).filter_map(package).collect();
            all.push((python, Resolution { target, packages }));
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_target_selects_what_was_resolved_for_it(choices in choices(), extra in any::<bool>(), group in any::<bool>()) {
        let all = resolutions(&choices);
        let only: Vec<Resolution> = all.iter().map(|(_, resolution)| resolution.clone()).collect();
        let lock = Lock::parse(&merge(&only, settings()).unwrap().to_text()).unwrap();
        let wanted = Wanted {
            extras: extra.then(|| "x".parse().unwrap()).into_iter().collect(),
            groups: group.then(|| "dev".parse().unwrap()).into_iter().collect(),
        };
        for (python, resolution) in &all {
            let selected = select(&lock, &host(&resolution.target, python), &wanted).unwrap();
            let selected: Vec<_> = selected.packages.iter().map(|p| (p.name.clone(), p.version.clone())).collect();
            let reached = |reach: &Reach| {
                reach.base || !reach.extras.is_disjoint(&wanted.extras) || !reach.groups.is_disjoint(&wanted.groups)
            };
            let expected: Vec<_> = resolution.packages.iter().filter(|(_, r)| reached(&r.reach))
                .map(|(name, r)| (name.clone(), r.version.clone())).collect();
            prop_assert_eq!(selected, expected, "{} {}", resolution.target, python);
        }
    }

    #[test]
    fn a_marker_says_what_was_resolved_and_no_part_of_it_can_be_left_out(choices in choices()) {
        let all = resolutions(&choices);
        let only: Vec<Resolution> = all.iter().map(|(_, resolution)| resolution.clone()).collect();
        let lock = merge(&only, settings()).unwrap();
        for package in &lock.packages {
            let others: Vec<&Package> = lock.packages.iter().filter(|p| p.name == package.name && *p != package).collect();
            let may_be = |marker: Option<&LockMarker>| says(marker, package, &all) && others.iter().all(|other| excludes(marker, other));
            prop_assert!(may_be(package.marker.as_ref()), "{:?}", package.marker);
            for shorter in package.marker.iter().flat_map(|marker| shorter(marker.node())) {
                let shorter = LockMarker::new(shorter);
                prop_assert!(!may_be(Some(&shorter)), "{} instead of {:?}", shorter, package.marker);
            }
        }
    }

    #[test]
    fn entries_of_one_name_exclude_each_other_on_any_machine(choices in choices()) {
        let only: Vec<Resolution> = resolutions(&choices).into_iter().map(|(_, resolution)| resolution).collect();
        let lock = merge(&only, settings()).unwrap();
        for (position, one) in lock.packages.iter().enumerate() {
            for other in lock.packages[position + 1..].iter().filter(|other| other.name == one.name) {
                prop_assert!(excludes(one.marker.as_ref(), other), "{:?} {:?}", one.marker, other.marker);
            }
        }
    }
}

/// Everything that may be asked for.
fn wishes() -> Vec<Wanted> {
    let some = |bits: usize, position: usize, name: &'static str| (bits >> position & 1 == 1).then_some(name);
    let wish = |bits| Wanted {
        extras: [some(bits, 0, "gpu"), some(bits, 1, "x")]
            .into_iter()
            .flatten()
            .map(|name| name.parse().unwrap())
            .collect(),
        groups: some(bits, 2, "dev").into_iter().map(|name| name.parse().unwrap()).collect(),
    };
    (0..8).map(wish).collect()
}

/// Returns true if a marker holds where a target has the version of the package, whenever that is asked for, and nowhere else.
fn says(marker: Option<&LockMarker>, package: &Package, all: &[(String, Resolution)]) -> bool {
    all.iter().all(|(_, Resolution { target, packages })| {
        let own = packages.get(&package.name).filter(|own| Some(&own.version) == package.version.as_ref());
        let span = target.python_span();
        let releases = [4, 5].map(|patch| format!("{}.{patch}", target.python()));
        let inside = |text: &&String| {
            let release: Version = text.parse().unwrap();
            span.at_least <= release && span.below.as_ref().is_none_or(|below| release < *below)
        };
        releases.iter().filter(inside).all(|python| {
            let environment = running(target.marker_environment(), python);
            wishes().iter().all(|Wanted { extras, groups }| {
                let needed = |Reach { base, extras: e, groups: g }: &Reach| {
                    *base || !e.is_disjoint(extras) || !g.is_disjoint(groups)
                };
                let holds = marker.is_none_or(|marker| marker.evaluate(&environment, extras, groups));
                holds == own.is_some_and(|own| needed(&own.reach))
            })
        })
    })
}

/// Returns true if a marker and that of a package never hold together, whatever the machine is and whatever is asked for.
fn excludes(marker: Option<&LockMarker>, other: &Package) -> bool {
    static MACHINES: LazyLock<Vec<MarkerEnvironment>> = LazyLock::new(machines);
    let most = wishes().pop().unwrap();
    MACHINES.iter().all(|environment| {
        let holds = |marker: &LockMarker| marker.evaluate(environment, &most.extras, &most.groups);
        !(marker.is_none_or(holds) && other.marker.as_ref().is_none_or(holds))
    })
}

/// Machines of all kinds, most of them no target's.
fn machines() -> Vec<MarkerEnvironment> {
    let mut all = Vec::new();
    for platform in ["linux", "win32", "darwin", "freebsd14"] {
        for machine in ["x86_64", "AMD64", "arm64", "aarch64", "riscv64"] {
            for python in ["3.8.1", "3.9.4", "3.9.5", "3.10.4", "3.10.5", "3.11.0rc1", "3.11.9", "3.12.4", "3.14.0"] {
                let mut environment = running(target("linux-x86_64 3.10").marker_environment(), python);
                environment.sys_platform = platform.to_owned();
                environment.platform_machine = machine.to_owned();
                all.push(environment);
            }
        }
    }
    all
}

/// Returns the environment with this release of Python.
fn running(environment: MarkerEnvironment, python: &str) -> MarkerEnvironment {
    let minor: Vec<&str> = python.splitn(3, '.').collect();
    MarkerEnvironment {
        python_version: format!("{}.{}", minor[0], minor[1]).parse().unwrap(),
        python_full_version: PythonSpan { at_least: python.parse().unwrap(), below: None },
        ..environment
    }
}

/// Returns all that a marker becomes where one of its parts is left out.
fn shorter(node: &Node) -> Vec<Node> {
    let (Node::And(members) | Node::Or(members)) = node else { return Vec::new() };
    let join = |members: Vec<Node>| if matches!(node, Node::And(_)) { Node::all(members) } else { Node::any(members) };
    let mut all = Vec::new();
    for (position, member) in members.iter().enumerate() {
        let others = |instead: Option<Node>| {
            let (before, after) = (&members[..position], &members[position + 1..]);
            join(before.iter().cloned().chain(instead).chain(after.iter().cloned()).collect())
        };
        all.extend(others(None));
        all.extend(shorter(member).into_iter().filter_map(|member| others(Some(member))));
    }
    all
}
