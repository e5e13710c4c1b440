//! Decisions of good taste: no absurdly old version is chosen, and no metadata is asked for in vain.

use crate::universe::check;

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
fn an_extra_asked_for_late_does_not_search_through_every_version() {
    let mut universe = String::new();
    for minor in 0..200 {
        universe.push_str(&format!("a 1.{minor} extras=x -> b<2; extra == 'x'\n"));
    }
    universe.push_str("b 1.0\nb 3.0\nc 1.0 -> a[x] | b\n");
    check(&universe, "a\nb\nc", "a 1.199, b 1.0, c 1.0");
}
