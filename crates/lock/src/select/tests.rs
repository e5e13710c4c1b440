//! What one machine gets out of a lock, and why another gets nothing.

use insta::assert_snapshot;
use pinfold_packaging::Target;

use super::*;
use crate::fixture::{INDEX, digest, file, host, resolution, resolved, settings, target};
use crate::{BuildRecipe, Resolution, merge};

/// Returns a lock for two systems, with one package that each has its own wheel of and an extra.
fn lock() -> Lock {
    let packages = |wheel: &str| {
        [
            resolved(wheel, &["b"], &["base"]),
            resolved("b-2-py3-none-any.whl", &[], &["base"]),
            resolved("c-3-py3-none-any.whl", &["b"], &["extra gpu", "group dev"]),
        ]
        .into()
    };
    let all = [
        Resolution { target: linux(), packages: packages("a-1-cp310-cp310-manylinux_2_28_x86_64.whl") },
        Resolution { target: target("windows-x86_64 3.10"), packages: packages("a-1-cp310-cp310-win_amd64.whl") },
    ];
    merge(&all, settings()).unwrap()
}

fn linux() -> Target {
    target("linux-x86_64 3.10")
}

fn selected(lock: &Lock, target: &Target, wanted: &Wanted) -> Vec<String> {
    let selection = select(lock, &host(target, "3.10.4"), wanted).unwrap();
    selection.packages.iter().map(|package| package.artifact.filename.to_string()).collect()
}

fn refusal(lock: &Lock, host: &Host) -> (&'static str, String) {
    let error = select(lock, host, &Wanted::default()).unwrap_err();
    (error.code(), error.to_string())
}

#[test]
fn each_target_gets_its_own_file() {
    let none = Wanted::default();
    assert_eq!(
        selected(&lock(), &linux(), &none),
        ["a-1-cp310-cp310-manylinux_2_28_x86_64.whl", "b-2-py3-none-any.whl"]
    );
    let windows = selected(&lock(), &target("windows-x86_64 3.10"), &none);
    assert_eq!(windows, ["a-1-cp310-cp310-win_amd64.whl", "b-2-py3-none-any.whl"]);
    // A machine above the floor is a machine of the target.
    assert_eq!(selected(&lock(), &target("linux-x86_64-glibc2.36 3.10"), &none).len(), 2);
}

#[test]
fn extras_and_groups_add_to_the_base() {
    let gpu = Wanted { extras: ["gpu".parse().unwrap()].into(), groups: BTreeSet::new() };
    let dev = Wanted { extras: BTreeSet::new(), groups: ["dev".parse().unwrap()].into() };
    assert_eq!(selected(&lock(), &linux(), &gpu).len(), 3);
    assert_eq!(selected(&lock(), &linux(), &dev).len(), 3);
    let mut by_default = lock();
    by_default.default_groups = dev.groups.clone();
    assert_eq!(selected(&by_default, &linux(), &Wanted::default()).len(), 3);
    let unknown = Wanted { extras: ["cpu".parse().unwrap()].into(), groups: BTreeSet::new() };
    let error = select(&lock(), &host(&linux(), "3.10.4"), &unknown).unwrap_err();
    assert_snapshot!(error, @"the lock has no extra `cpu`; it has `gpu`, `x`");
}

#[test]
fn a_selected_package_knows_everything_that_install_needs() {
    let mut lock = lock();
    let name = file("b-2-py3-none-any.whl").filename;
    lock.tool.as_mut().unwrap().metadata.insert(name, digest("metadata of b"));
    let selection = select(&lock, &host(&linux(), "3.10.4"), &Wanted::default()).unwrap();
    let (a, b) = (&selection.packages[0], &selection.packages[1]);
    assert_eq!((a.name.as_str(), a.version.to_string().as_str(), a.kind), ("a", "1", ArtifactKind::Wheel));
    assert_eq!(a.dependencies, ["b".parse().unwrap()].into());
    assert_eq!(a.artifact.origin.index().as_str(), INDEX);
    assert!(a.direct.is_none() && a.recipe.is_none() && a.metadata_sha256.is_none());
    assert_eq!(b.metadata_sha256, Some(digest("metadata of b")));
}

#[test]
fn another_machine_is_told_what_the_lock_is_for() {
    let check = |name: &str, python: &str| refusal(&lock(), &host(&target(name), python));
    assert_snapshot!(check("macos-aarch64 3.10", "3.10.4").1, @"the lock is for linux-x86_64 python 3.10, windows-x86_64 python 3.10; this machine is darwin arm64, cpython 3.10.4, macosx_13_0_arm64");
    for (name, python) in [
        ("linux-x86_64 3.11", "3.11.2"),
        ("linux-aarch64 3.10", "3.10.4"),
        // Below the floor, and another libc.
        ("linux-x86_64-glibc2.17 3.10", "3.10.4"),
        ("linux-x86_64-musl1.2 3.10", "3.10.4"),
    ] {
        assert_eq!(check(name, python).0, "lock-other-target", "{name}");
    }
    let mut pypy = host(&linux(), "3.10.4");
    pypy.environment.implementation_name = "pypy".to_owned();
    assert_eq!(refusal(&lock(), &pypy).0, "lock-other-target");
}

#[test]
fn without_our_table_the_same_files_are_selected() {
    let mut bare = lock();
    bare.tool = None;
    assert_eq!(selected(&bare, &linux(), &Wanted::default()), selected(&lock(), &linux(), &Wanted::default()));
    let (code, message) = refusal(&bare, &host(&target("linux-x86_64-glibc2.17 3.10"), "3.10.4"));
    assert_eq!(code, "lock-other-target");
    assert!(message.starts_with("no file of `a` fits this machine"), "{message}");
    assert_eq!(refusal(&bare, &host(&target("macos-aarch64 3.10"), "3.10.4")).0, "lock-other-target");
}

#[test]
fn a_foreign_system_is_refused_by_what_every_installer_reads() {
    // Nothing but pure wheels, so that no file stands in the way: what the standard part says must be enough.
    let all = ["linux-x86_64 3.10", "windows-x86_64 3.10", "macos-aarch64 3.10"].map(|name| Resolution {
        target: target(name),
        packages: [resolved("b-2-py3-none-any.whl", &[], &["base"])].into(),
    });
    let mut bare = merge(&all, settings()).unwrap();
    bare.tool = None;
    let serves = |host: &Host| {
        let none = (BTreeSet::new(), BTreeSet::new());
        let python = bare.requires_python.as_ref().is_some_and(|python| python.contains(&host.python));
        python && bare.environments.iter().any(|environment| environment.evaluate(&host.environment, &none.0, &none.1))
    };
    for resolution in &all {
        assert!(serves(&host(&resolution.target, "3.10.4")), "{}", resolution.target);
    }
    let change = |change: fn(&mut Host)| {
        let mut foreign = host(&linux(), "3.10.4");
        change(&mut foreign);
        foreign
    };
    for foreign in [
        host(&target("linux-aarch64 3.10"), "3.10.4"),
        host(&target("macos-x86_64 3.10"), "3.10.4"),
        host(&target("windows-aarch64 3.10"), "3.10.4"),
        host(&target("linux-x86_64 3.9"), "3.9.19"),
        host(&target("linux-x86_64 3.11"), "3.11.0"),
        change(|host| host.environment.implementation_name = "pypy".to_owned()),
        change(|host| host.environment.sys_platform = "freebsd14".to_owned()),
        change(|host| host.environment.platform_machine = "riscv64".to_owned()),
    ] {
        assert!(!serves(&foreign), "{:?}", foreign.environment);
        select(&bare, &foreign, &Wanted::default()).unwrap_err();
    }
}

#[test]
fn two_answers_are_an_error() {
    let mut twice = lock();
    let mut other = twice.packages[1].clone();
    other.version = None;
    twice.packages.push(other);
    let (code, message) = refusal(&twice, &host(&linux(), "3.10.4"));
    assert_eq!((code, message.as_str()), ("lock-ambiguous", "`b` has two entries that apply here: 2 and ?"));
    let mut wheels = lock();
    let build = file("b-2-1-py3-none-any.whl");
    wheels.packages[1].wheels.push(build);
    assert_eq!(refusal(&wheels, &host(&linux(), "3.10.4")).0, "lock-ambiguous");
}

#[test]
fn an_sdist_needs_a_build_in_the_lock() {
    let mut lock = merge(&[resolution(linux(), &["a-1.tar.gz"])], settings()).unwrap();
    let machine = host(&linux(), "3.10.4");
    let error = select(&lock, &machine, &Wanted::default()).unwrap_err();
    assert_eq!(error.refusal_code(), Some("unlocked-build"));
    let recipe = BuildRecipe {
        name: "a".parse().unwrap(),
        version: "1".parse().unwrap(),
        sdist: digest("a-1.tar.gz"),
        targets: vec![linux().to_string()],
        backend: "flit_core.buildapi".to_owned(),
        backend_path: Vec::new(),
        metadata: digest("metadata"),
        requires: Vec::new(),
    };
    let mut select_with = |recipe: BuildRecipe| {
        lock.tool.as_mut().unwrap().builds = vec![recipe];
        select(&lock, &machine, &Wanted::default()).map(|selection| selection.packages[0].recipe.clone())
    };
    assert_eq!(select_with(recipe.clone()).unwrap(), Some(recipe.clone()));
    assert!(select_with(BuildRecipe { targets: Vec::new(), ..recipe.clone() }).is_ok());
    assert!(select_with(BuildRecipe { sdist: digest("other"), ..recipe.clone() }).is_err());
    assert!(select_with(BuildRecipe { targets: vec!["windows-x86_64 python 3.10".to_owned()], ..recipe }).is_err());
}

#[test]
fn a_refused_lock_selects_nothing() {
    let mut lock = lock();
    // Of a package that this machine does not even install.
    lock.packages[2].wheels[0].url = "https://evil.example/c-3-py3-none-any.whl".parse().unwrap();
    let error = select(&lock, &host(&linux(), "3.10.4"), &Wanted::default()).unwrap_err();
    assert_eq!(error.refusal_code(), Some("origin-mismatch"));
}

#[test]
fn a_package_for_other_pythons_is_an_error() {
    let mut lock = lock();
    lock.packages[1].requires_python = Some(">=3.10.5".parse().unwrap());
    assert_eq!(refusal(&lock, &host(&linux(), "3.10.4")).0, "lock-other-target");
    assert!(select(&lock, &host(&linux(), "3.10.5"), &Wanted::default()).is_ok());
}
