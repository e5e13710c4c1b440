//! Which versions are chosen.

use crate::universe::check;

#[test]
fn takes_the_highest_that_fits() {
    check("a 1.0\na 2.0\na 10.0", "a", "a 10.0");
    check("a 1.0\na 2.0\na 10.0", "a<10", "a 2.0");
    check("a 1.0\na 1.1\na 2.0", "a~=1.0", "a 1.1");
    check("a 1.0\na 1.0.post1", "a", "a 1.0.post1");
    check("a 1.0\na 1!0.1", "a", "a 1!0.1");
    check("a 1.0", "a>=1\na<2", "a 1.0");
    check("a 1.0", "", "");
}

#[test]
fn follows_dependencies() {
    check("a 1.0 -> b>=2 | c\nb 1.0\nb 2.0\nb 3.0\nc 1.0 -> b<3", "a", "a 1.0, b 2.0, c 1.0");
    check("a 1.0 -> b\nb 1.0 -> a", "a", "a 1.0, b 1.0");
    check("a 1.0 -> a>=1\na 2.0 -> a<2", "a", "a 1.0");
    check("a 1.0 -> Some_Name.x\nsome-name-x 1.0", "a", "a 1.0, some-name-x 1.0");
}

#[test]
fn goes_back_when_it_must() {
    check("a 2.0 -> b>=2\na 1.0 -> b\nb 1.0", "a", "a 1.0, b 1.0");
    check("a 2.0 -> c>=2\na 1.0 -> c<2\nb 1.0 -> c<2\nc 1.0\nc 2.0", "a\nb", "a 1.0, b 1.0, c 1.0");
    check("a 2.0 -> nowhere\na 1.0", "a", "a 1.0");
    check("a 2.0 -> b==1.0 | c\na 1.0\nb 1.0\nc 1.0 -> b>=2\nb 2.0", "a", "a 1.0");
    check("a 1.0 -> b\nb 1.0 -> c==1\nb 2.0 -> c==2\nc 1\nc 2\nd 1 -> c==1", "a\nd", "a 1.0, b 1.0, c 1, d 1");
}

#[test]
fn does_not_go_to_ancient_versions_while_another_choice_would_do() {
    // Old versions of `service` know no bound on `net`. The newest `net` must give way, not `service`.
    let mut universe = String::from("net 1.25\nnet 1.26\nnet 2.0\nnet 2.1\nweb 2.0 -> net>=1.21\n");
    for minor in 0..40 {
        let bound = if minor < 5 { "" } else { "<2" };
        universe.push_str(&format!(
            "core 1.{minor} -> net{bound}\nservice 1.{minor} -> core>=1.{minor},<1.{}\n",
            minor + 1
        ));
    }
    check(&universe, "service\nnet\nweb", "core 1.39, net 1.26, service 1.39, web 2.0");
    check(&universe, "net\nweb\nservice", "core 1.39, net 1.26, service 1.39, web 2.0");
    check(&universe, "web\nservice", "core 1.39, net 1.26, service 1.39, web 2.0");
    // Where the maintainer pins it, the ancient version is the answer.
    check(&universe, "service\nnet==2.0", "core 1.4, net 2.0, service 1.4");
}

#[test]
fn local_versions_satisfy_the_public_version() {
    let universe = "torch 2.1.0\ntorch 2.1.0+cu121\ntorch 2.2.0";
    check(universe, "torch==2.1.0", "torch 2.1.0+cu121");
    check(universe, "torch==2.1.0+cu121", "torch 2.1.0+cu121");
    check(universe, "torch<=2.1.0", "torch 2.1.0+cu121");
    check(universe, "torch!=2.1.0,<2.2", "no solution");
    check(universe, "torch>2.1.0", "torch 2.2.0");
    check(universe, "torch==2.1.0+cpu", "no solution");
}

#[test]
fn lowest_and_lowest_direct() {
    let universe = "a 1.0 -> b\na 2.0 -> b\nb 1.0\nb 2.0";
    check(universe, "a\nstrategy: lowest", "a 1.0, b 1.0");
    check(universe, "a\nstrategy: lowest-direct", "a 1.0, b 2.0");
    check(universe, "a>=1.5\nstrategy: lowest", "a 2.0, b 1.0");
    check(universe, "a\nb\nstrategy: lowest-direct", "a 1.0, b 1.0");
}

#[test]
fn preferences_are_kept_where_they_fit() {
    let universe = "a 1.0 -> b\na 2.0 -> b\nb 1.0\nb 2.0\nb 3.0";
    check(universe, "a\nprefer: a 1.0\nprefer: b 2.0", "a 1.0, b 2.0");
    check(universe, "a>1\nprefer: a 1.0\nprefer: b 9.0", "a 2.0, b 3.0");
    check(universe, "a\nprefer: b 2.0\nstrategy: lowest", "a 1.0, b 2.0");
    check("a 1.0\na 2.0rc1", "a\nprefer: a 2.0rc1", "a 1.0");
    check("a 1.0 yanked\na 2.0", "a\nprefer: a 1.0", "a 1.0");
}

#[test]
fn pre_releases() {
    let universe = "a 1.0\na 2.0rc1\na 2.0.dev1";
    check(universe, "a", "a 1.0");
    check(universe, "a>=2.0.dev0", "a 2.0rc1");
    check(universe, "a==2.0rc1", "a 2.0rc1");
    check(universe, "a>1", "no solution");
    check(universe, "a\nprerelease: allow", "a 2.0rc1");
    check(universe, "a==2.0rc1\nprerelease: never", "no solution");
    check(universe, "a==2.0rc1\nprerelease: explicit", "a 2.0rc1");
    check(universe, "a\nconstraint: a<2.0rc1", "a 2.0.dev1");
    check("a 1.0b1\na 1.0b2", "a", "a 1.0b2");
    check("a 1.0b1\na 1.0b2", "a\nprerelease: explicit", "no solution");
    check("a 1.0b1\na 1.0b2", "a\nprerelease: never", "no solution");
    check("a 1.0b1\na 1.0 yanked", "a", "no solution");
    check("a 1.0b1 at=2024-01-01\na 1.0 at=2024-06-01", "a\nnewer: 2024-02-01T00:00:00Z", "a 1.0b1");
}

#[test]
fn pre_releases_that_only_a_package_names() {
    let universe = "a 1.0 -> b>=1.0rc1\nb 1.0rc2\nb 0.9\nc 1.0 -> b==2.0b1\nb 2.0b1";
    check(universe, "a", "a 1.0, b 2.0b1");
    check(universe, "c", "b 2.0b1, c 1.0");
    check(universe, "c\nprerelease: explicit", "no solution");
    // A final release is taken before a pre-release that nobody asked for by itself.
    check("a 1.0 -> b>=1.0rc1\nb 1.0\nb 2.0rc1", "a", "a 1.0, b 1.0");
    check("a 1.0 -> b>=1.0rc1\nb 1.0\nb 2.0rc1", "a\nb>=1.0rc1", "a 1.0, b 2.0rc1");
}

#[test]
fn yanked_versions_need_an_exact_pin() {
    let universe = "a 1.0\na 2.0 yanked=broken\nb 1.0 -> a==2.0\nb 0.9 -> a>=2";
    check(universe, "a", "a 1.0");
    check(universe, "a>1", "no solution");
    check(universe, "a==2.0", "a 2.0");
    check(universe, "a===2.0", "a 2.0");
    check(universe, "a==2.*", "no solution");
    check(universe, "b", "a 2.0, b 1.0");
    check(universe, "b<1", "no solution");
    check(universe, "a\nconstraint: a==2.0", "a 2.0");
}
