//! Dependency confusion: a name belongs to one index, and no other is asked for it, whatever that one answers.

use pinfold_testkit::{Fault, Index, SdistRecipe, Server, WheelRecipe};

use super::{leaves, wheel};
use crate::project::Project;

/// A default index that has everything in a higher version, and a second one to which `torch` is routed.
fn torn(second: Index) -> (Project, Server) {
    let default = Index::new()
        .wheel("app", "1.0")
        .requires("torch")
        .wheel("torch", "3.0")
        .requires("malware")
        .wheel("malware", "1.0")
        .wheel("numpy", "1.0");
    let second = second.start();
    let project = Project::new(default, &["app"]);
    route(&project, &second, &["torch"]);
    (project, second)
}

fn route(project: &Project, second: &Server, packages: &[&str]) {
    let route = format!("\n[[index]]\nname = \"second\"\nurl = \"{}\"\npackages = {packages:?}\n", second.url());
    project.write_manifest(&["app"], "", &route);
}

/// Routes the packages to the second index and locks anew, which must succeed.
fn route_to_second(project: &Project, second: &Server, packages: &[&str]) {
    route(project, second, packages);
    project.pinfold("lock").arg("--upgrade").run().expect_code(0);
}

#[test]
fn a_routed_name_is_asked_of_its_index_only() {
    let (project, second) = torn(Index::new().wheel("torch", "2.0"));
    let lock = project.lock();
    assert!(lock.contains(&second.file_url(&wheel("torch", "2.0"))), "{lock}");
    assert!(!lock.contains("malware"), "{lock}");
    assert!(project.server.requests_to("torch").is_empty(), "the default index was asked for a routed name");
    assert!(second.requests_to("app").is_empty(), "the routed index was asked for another name");
    project.sync().expect_code(0);
    assert_eq!(project.python("import torch; print(torch.__version__)"), "2.0\n");

    // Without the route the name is the default index's.
    project.write_manifest(&["app"], "", "");
    project.pinfold("lock").arg("--upgrade").run().expect_code(0);
    assert!(project.home.read("pylock.toml").contains(&wheel("torch", "3.0")));
}

#[test]
fn a_dependency_of_a_routed_package_that_two_indexes_have() {
    let second = Index::new().wheel("torch", "2.0").requires("numpy").wheel("numpy", "9.0");
    let (project, second) = torn(second);
    let parts =
        ["error[ambiguous-origin]", "name: numpy", "needed by: torch 2.0", &second.url(), &project.server.url()];
    leaves(&project, "lock", 3, &["artifacts"], &parts);
    assert!(second.requests_to("app").is_empty(), "the routed index was asked for what none of its packages needs");

    // The control: once it is written down where the name belongs, it is taken from there and nobody else is asked.
    let url = second.url();
    let route =
        format!("packages = [\"numpy\"]\n[[index]]\nname = \"second\"\nurl = \"{url}\"\npackages = [\"torch\"]\n");
    project.write_manifest(&["app"], "", &route);
    second.forget_requests();
    let lock = project.lock();
    assert!(lock.contains(&project.server.file_url(&wheel("numpy", "1.0"))), "{lock}");
    assert!(second.requests_to("numpy").is_empty(), "the routed index was asked for a name that is not its own");
    route_to_second(&project, &second, &["torch", "numpy"]);
    assert!(project.home.read("pylock.toml").contains(&second.file_url(&wheel("numpy", "9.0"))));
}

#[test]
fn a_dependency_of_a_routed_package_that_only_the_default_index_has() {
    let (project, second) = torn(Index::new().wheel("torch", "2.0").requires("numpy").project("numpy"));
    let lock = project.lock();
    assert!(lock.contains(&project.server.file_url(&wheel("numpy", "1.0"))), "{lock}");
    assert!(!second.requests_to("/simple/numpy/").is_empty(), "nobody looked whether the name is contested");

    // An index that does not say whether it has the name is no index that does not have it.
    project.forget_cache();
    second.fault_on("/simple/numpy/", Fault::Status(403));
    leaves(&project, "lock", 4, &["artifacts"], &[&second.page_url("numpy"), "torch 2.0 needs it", "`[[index]]`"]);
    second.heal();
    assert_eq!(project.lock(), lock);
}

#[test]
fn what_a_routed_index_adds_after_the_cutoff_contests_nothing() {
    let (early, late) = ("2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z");
    let default = Index::new().wheel("app", "1.0").uploaded(early).requires("torch");
    let default = default.wheel("numpy", "1.0").uploaded(early);
    let torch = Index::new().wheel("torch", "2.0").uploaded(early).requires("numpy");
    let (project, second) = (Project::new(default, &["app"]), torch.clone().start());
    let url = second.url();
    let route = format!("\n[[index]]\nname = \"second\"\nurl = \"{url}\"\npackages = [\"torch\"]\n");
    project.write_manifest(&["app"], "exclude-newer = \"2024-08-20T00:00:00Z\"", &route);
    project.lock();
    second.forget_requests();
    project.pinfold("lock").arg("--offline").run().expect_code(0);
    project.pinfold("lock").run().expect_code(0);
    assert!(second.requests_to("numpy").is_empty(), "it was asked again for what cannot have changed");

    second.update(&torch.clone().wheel("numpy", "9.0").uploaded(late));
    project.pinfold("lock").arg("--check").run().expect_code(0);
    // The control: before the cutoff it counts, though the lock is there already.
    second.update(&torch.wheel("numpy", "9.0").uploaded(early));
    project.pinfold("lock").arg("--check").run().expect_code(3).expect_stderr("error[ambiguous-origin]");
}

/// Each index that a name could come from is asked, not only the first of them.
#[test]
fn a_dependency_of_packages_of_two_routed_indexes() {
    let (first, second) = (Index::new().wheel("torch", "2.0").requires("numpy"), Index::new().wheel("vision", "1.0"));
    let second = second.requires("numpy").wheel("numpy", "9.0").start();
    let default = Index::new().wheel("app", "1.0").requires("torch").requires("vision").wheel("numpy", "1.0");
    let (project, first) = (Project::new(default, &["app"]), first.start());
    let manifest = |own: &str| {
        let (first, second) = (first.url(), second.url());
        let route = format!(
            "packages = [{own}]\n[[index]]\nname = \"first\"\nurl = \"{first}\"\npackages = [\"torch\"]\n\
             [[index]]\nname = \"second\"\nurl = \"{second}\"\npackages = [\"vision\"]\n"
        );
        project.write_manifest(&["app"], "", &route);
    };
    manifest("");
    let parts = ["error[ambiguous-origin]", "name: numpy", "needed by: vision 1.0", &second.url()];
    leaves(&project, "lock", 3, &["artifacts"], &parts);
    first.update(&Index::new().wheel("torch", "2.0").requires("numpy").wheel("numpy", "8.0"));
    let run = project.pinfold("lock").run().expect_code(3).expect_stderr("for `numpy`: two");
    run.expect_stderr("needed by: torch 2.0").expect_stderr("needed by: vision 1.0");
    manifest("\"numpy\"");
    assert!(project.lock().contains(&project.server.file_url(&wheel("numpy", "1.0"))));
}

/// That an index did not have a name is remembered for the targets and the cutoff that were asked about.
#[test]
fn what_an_index_did_not_have_for_another_lock_is_asked_again() {
    let (early, middle) = ("2024-01-01T00:00:00Z", "2024-06-01T00:00:00Z");
    let default = Index::new().wheel("app", "1.0").uploaded(early).requires("torch");
    let default = default.wheel("numpy", "1.0").uploaded(early);
    let torch = Index::new().wheel("torch", "2.0").uploaded(early).requires("numpy");
    let foreign = torch.clone().wheel_from(WheelRecipe::new("numpy", "9.0").tag("cp39-cp39-win32")).uploaded(early);
    let windows = torch.clone().wheel_from(WheelRecipe::new("numpy", "9.0").tag("py3-none-win_amd64")).uploaded(early);
    let cutoff = |day: &str| format!("exclude-newer = \"2024-{day}T00:00:00Z\"");
    let linux = "targets = [\"linux-x86_64\"]";
    let both = "targets = [\"linux-x86_64\", \"windows-x86_64\"]";
    for (second, before, after) in [
        (torch.wheel("numpy", "9.0").uploaded(middle), cutoff("03-01"), cutoff("08-01")),
        (windows, format!("{}\n{linux}", cutoff("03-01")), format!("{}\n{both}", cutoff("03-01"))),
    ] {
        let (project, second) = (Project::new(default.clone(), &["app"]), second.start());
        let url = second.url();
        let route = format!("\n[[index]]\nname = \"second\"\nurl = \"{url}\"\npackages = [\"torch\"]\n");
        project.write_manifest(&["app"], &before, &route);
        project.lock();
        project.write_manifest(&["app"], &after, &route);
        project.pinfold("lock").run().expect_code(3).expect_stderr("error[ambiguous-origin]");
        // The control: what serves no target contests nothing, and is not asked for again.
        second.update(&foreign);
        project.pinfold("lock").arg("--upgrade").run().expect_code(0);
        second.forget_requests();
        project.lock();
        assert!(second.requests_to("numpy").is_empty());
    }
}

#[test]
fn a_build_tool_of_a_routed_sdist_that_two_indexes_have() {
    let sdist = SdistRecipe::new("a", "1.0").build_requires("tool>=1");
    let second = Index::new().sdist_from(sdist).wheel("tool", "1.0").start();
    let project = Project::new(Index::new().wheel("tool", "9.0"), &["a"]);
    let manifest = |packages: &[&str]| {
        let url = second.url();
        let route = format!("\n[[index]]\nname = \"second\"\nurl = \"{url}\"\npackages = {packages:?}\n");
        project.write_manifest(&["a"], "build = [\"a\"]", &route);
    };
    manifest(&["a"]);
    let parts = [
        "error[ambiguous-origin]",
        "name: tool",
        "needed by: the build of a 1.0",
        &second.url(),
        "packages = [\"tool\"]",
    ];
    leaves(&project, "lock", 3, &["trees"], &parts);
    manifest(&["a", "tool"]);
    assert!(project.lock().contains(&second.file_url(&wheel("tool", "1.0"))));
}

#[test]
fn a_routed_name_that_its_index_does_not_have() {
    let (project, second) = torn(Index::new().wheel("other", "1.0"));
    leaves(&project, "lock", 1, &["artifacts"], &["torch", &second.url()]);
    assert!(!second.requests_to("/simple/torch/").is_empty());
    assert!(project.server.requests_to("torch").is_empty(), "the default index was asked instead");
    second.update(&Index::new().wheel("torch", "2.0"));
    project.lock();
}

#[test]
fn a_routed_index_that_fails_is_not_replaced() {
    let (project, second) = torn(Index::new().wheel("torch", "2.0"));
    let answers = [401, 403, 408, 429, 500, 503].map(Fault::Status);
    for fault in answers.into_iter().chain([Fault::Reset, Fault::Truncated]) {
        second.fault_on("/simple/torch/", fault);
        leaves(&project, "lock", 4, &["artifacts"], &[&second.page_url("torch")]);
        assert!(project.server.requests_to("torch").is_empty(), "the default index was asked instead");
        second.heal();
    }
    project.lock();
}

#[test]
fn a_routed_build_tool_belongs_to_its_index_alone() {
    let sdist = SdistRecipe::new("a", "1.0").build_requires("tool>=1");
    let second = Index::new().wheel("tool", "1.0").start();
    let default = Index::new().sdist_from(sdist).wheel("tool", "9.0").requires("malware").wheel("malware", "1.0");
    let project = Project::new(default, &["a"]);
    let route = format!("\n[[index]]\nname = \"second\"\nurl = \"{}\"\npackages = [\"tool\"]\n", second.url());
    project.write_manifest(&["a"], "build = [\"a\"]", &route);
    let lock = project.lock();
    assert!(lock.contains(&second.file_url(&wheel("tool", "1.0"))) && !lock.contains("malware"), "{lock}");
    project.sync().expect_code(0);
    assert!(project.server.requests_to("tool").is_empty(), "the default index was asked for a routed tool");

    // Not there any more, and failing: nobody else is asked either.
    std::fs::remove_file(project.home.project().join("pylock.toml")).expect("there is a lock");
    second.update(&Index::new().wheel("other", "1.0"));
    project.forget_cache();
    leaves(&project, "lock", 1, &["trees"], &["tool", &second.url()]);
    second.update(&Index::new().wheel("tool", "1.0"));
    second.fault_on("/simple/tool/", Fault::Status(403));
    project.forget_cache();
    leaves(&project, "lock", 4, &["trees"], &[&second.page_url("tool")]);
    assert!(project.server.requests_to("tool").is_empty(), "the default index was asked instead");
    second.heal();
    assert_eq!(project.lock(), lock);
}

#[test]
fn a_name_on_two_indexes_without_a_route_is_a_wrong_manifest() {
    let (project, second) = torn(Index::new().wheel("torch", "2.0"));
    let url = second.url();
    for entry in [
        format!("\n[[index]]\nname = \"second\"\nurl = \"{url}\"\n"),
        format!("\n[[index]]\nname = \"second\"\nurl = \"{url}\"\ndefault = true\n"),
    ] {
        project.write_manifest(&["app"], "", &entry);
        project.server.forget_requests();
        leaves(&project, "lock", 2, &["artifacts"], &["second"]);
        assert!(project.server.requests().is_empty() && second.requests().is_empty());
    }
    route(&project, &second, &["torch"]);
    project.lock();
}

#[test]
fn all_spellings_of_a_routed_name_are_one() {
    let (project, second) = torn(Index::new().wheel("torch", "2.0"));
    route(&project, &second, &["Torch"]);
    assert!(project.lock().contains(&second.file_url(&wheel("torch", "2.0"))));
    assert!(project.server.requests_to("torch").is_empty());
}
