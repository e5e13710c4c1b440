//! Decisions of good taste: no absurdly old version is chosen, and no metadata is asked for in vain.

use std::fmt::Write as _;

use pinfold_resolve::{Facts, Order, Outcome};

use crate::universe::{Universe, brief, check, problem};

/// Resolves from nothing; checks what is chosen of the named projects, and how many questions for metadata that took.
#[track_caller]
fn check_effort(universe: &Universe, question: &str, expected: &str, at_most: usize) {
    let (outcome, effort) = universe.crawl(&problem(question), Facts::new());
    let Outcome::Solved(solution) = &outcome else { panic!("{question}: {}", brief(&outcome)) };
    let asked: Vec<&str> = expected.split(", ").map(|one| one.split(' ').next().unwrap()).collect();
    let chosen = solution.packages.iter().filter(|(name, _)| asked.contains(&name.as_str()));
    let chosen: Vec<String> = chosen.map(|(name, own)| format!("{name} {}", own.version)).collect();
    assert_eq!(chosen.join(", "), expected, "{question}");
    assert!(effort.metadata <= at_most, "{question}: {effort:?}, {at_most} allowed");
}

/// 400 releases each of `boto3` and `botocore` that belong together, as the real ones do. The first 50 of `botocore` know
/// no bound on `urllib3`, the others stay below 2; so the ancient ones would go with a `urllib3` that is decided first.
fn boto() -> Universe {
    let mut text = String::new();
    for release in 0..400 {
        let version = format!("1.{}.{}", release / 20, release % 20);
        let next = format!("1.{}", release / 20 + 1);
        let bound = if release < 50 { "" } else { ">=1.25.4,<1.27" };
        writeln!(text, "boto3 {version} -> botocore>={version},<{next} | jmespath<2 | s3transfer>=0.1,<1").unwrap();
        writeln!(text, "botocore {version} -> jmespath<2 | python-dateutil | urllib3{bound}").unwrap();
    }
    for release in 0..40 {
        writeln!(text, "s3transfer 0.{release} -> botocore>=1.{},<2", release / 2).unwrap();
        writeln!(text, "urllib3 1.{release}").unwrap();
        writeln!(text, "urllib3 2.{release}").unwrap();
        writeln!(text, "requests 2.{release} -> urllib3>=1.20,<3 | idna | certifi").unwrap();
        writeln!(text, "idna 3.{release}\ncertifi 20{release}\njmespath 1.{release}\nsix 1.{release}").unwrap();
        writeln!(text, "python-dateutil 2.{release} -> six").unwrap();
    }
    Universe::new(&text)
}

#[test]
fn boto3_stays_new_whatever_is_asked_for_beside_it() {
    let universe = boto();
    let expected = "boto3 1.19.19, botocore 1.19.19, requests 2.39, urllib3 1.26";
    // 9 packages, and what has to be learned about `urllib3`.
    for question in ["boto3\nrequests", "requests\nboto3", "requests\nboto3\nurllib3", "urllib3\nrequests\nboto3"] {
        check_effort(&universe, question, expected, 30);
    }
    // 2.39 of `urllib3` is asked for by name here; the only `botocore` to go with it is ancient, and then that is meant.
    check_effort(&universe, "boto3\nurllib3==2.39", "boto3 1.2.9, botocore 1.2.9, urllib3 2.39", 900);
}

#[test]
fn an_order_that_one_target_learned_need_not_be_learned_by_the_next() {
    let universe = boto();
    let question = problem("requests\nboto3\nurllib3");
    let (alone, learned) = universe.in_order(&question, &Order::default());
    let (lent, known) = universe.in_order(&question, &learned);
    assert_ne!(learned, Order::default(), "nothing was learned, so nothing can be lent");
    assert_eq!(known, learned, "something was learned again");
    assert_eq!(brief(&lent), brief(&alone));
}

#[test]
fn a_lower_bound_on_urllib3_is_met_without_trying_everything() {
    let universe = boto();
    let expected = "boto3 1.19.19, botocore 1.19.19, urllib3 1.26";
    check_effort(&universe, "boto3\nurllib3>=1.25", expected, 20);
    check_effort(&universe, "botocore\nboto3", expected, 20);
    // A lock that is kept costs one question a package.
    let kept = "boto3\nprefer: boto3 1.10.0\nprefer: botocore 1.10.0\nprefer: urllib3 1.26\nprefer: s3transfer 0.20";
    check_effort(&universe, kept, "boto3 1.10.0, botocore 1.10.0, urllib3 1.26", 7);
}

/// Old releases of `web` forgot a bound on `base`; a `base` that is held back must not lead there.
#[test]
fn a_framework_follows_the_base_that_is_held_back() {
    let mut text = String::new();
    for release in 0..120 {
        writeln!(text, "base 0.{release}").unwrap();
        let bound = if release < 20 { String::new() } else { format!(">=0.{release},<0.{}", release + 5) };
        writeln!(text, "web 0.{release} -> base{bound}").unwrap();
    }
    let universe = Universe::new(&text);
    check_effort(&universe, "web\nbase<=0.100", "base 0.100, web 0.100", 30);
    check_effort(&universe, "base<=0.100\nweb", "base 0.100, web 0.100", 30);
    check_effort(&universe, "base==0.50\nweb", "base 0.50, web 0.50", 130);
}

#[test]
fn direct_requirements_come_before_those_of_packages() {
    // `lib` is decided after `app`, so what `app` asks of it is known by then.
    let mut text = String::from("app 1.0 -> lib<5\nzeta 1.0 -> lib\n");
    for release in 0..50 {
        writeln!(text, "lib {release} -> leaf<={release}").unwrap();
        writeln!(text, "leaf {release}").unwrap();
    }
    check_effort(&Universe::new(&text), "zeta\napp", "app 1.0, leaf 4, lib 4, zeta 1.0", 4);
}

#[test]
fn exact_pins_come_first() {
    let mut text = String::new();
    for release in 0..100 {
        writeln!(text, "wide {release} -> pinned=={release}").unwrap();
        writeln!(text, "pinned {release}").unwrap();
    }
    // The pin is decided first; going down to its `wide` takes few rounds, though many questions.
    check_effort(&Universe::new(&text), "wide\npinned==90", "pinned 90, wide 90", 40);
}

#[test]
fn a_project_in_many_conflicts_is_decided_earlier() {
    // Every `x` wants its own `hub`; nothing else matters. Deciding the twenty `leaf`s in between would multiply the search.
    let mut text = String::from("hub 1\nhub 2\nhub 3\n");
    for release in 1..=3 {
        for name in ["x", "y", "z"] {
            writeln!(text, "{name} {release} -> hub<={release} | mid").unwrap();
        }
    }
    for leaf in 0..20 {
        (1..=3).for_each(|release| writeln!(text, "leaf{leaf} {release}").unwrap());
    }
    let leaves: Vec<String> = (0..20).map(|leaf| format!("leaf{leaf}")).collect();
    writeln!(text, "mid 1 -> {}", leaves.join(" | ")).unwrap();
    check_effort(&Universe::new(&text), "x\ny\nz\nhub==1", "hub 1, x 3, y 3, z 3", 26);
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
fn an_extra_asked_for_late_does_not_search_through_every_version() {
    let mut universe = String::new();
    for minor in 0..200 {
        universe.push_str(&format!("a 1.{minor} extras=x -> b<2; extra == 'x'\n"));
    }
    universe.push_str("b 1.0\nb 3.0\nc 1.0 -> a[x] | b\n");
    check(&universe, "a\nb\nc", "a 1.199, b 1.0, c 1.0");
}
