//! Markers that split what is needed between targets: which of them get what, and that asking again changes nothing.
//!
//! A resolver that makes one answer for all systems must find out where to fork, and which markers a fork inherits. Here each
//! target is asked by itself, so a marker holds or does not; these are the shapes on which the other way goes wrong.

use crate::universe::ask;

const LINUX: &str = "linux-x86_64 3.10";
const MACOS: &str = "macos-aarch64 3.10";
const WINDOWS: &str = "windows-x86_64 3.10";

/// Asks for some targets in turn; returns what each is answered, in one line.
fn answers(universe: &str, question: &str, targets: &[&str]) -> Vec<String> {
    let of_target = |target: &&str| format!("target: {target}\n");
    let text = ask(universe, &format!("{question}\n{}", targets.iter().map(of_target).collect::<String>()));
    if targets.len() == 1 {
        return vec![text.replace('\n', ", ")];
    }
    let mut answers: Vec<Vec<&str>> = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix("  "), answers.last_mut()) {
            (Some(line), Some(answer)) => answer.push(line),
            _ => answers.push(Vec::new()),
        }
    }
    answers.into_iter().map(|lines| lines.join(", ")).collect()
}

/// Checks what each target gets, and that it gets the same once all of that is locked.
#[track_caller]
fn check(universe: &str, question: &str, targets: &[&str], expected: &[&str]) {
    let found = answers(universe, question, targets);
    assert_eq!(found, expected);
    for (position, target) in targets.iter().enumerate() {
        let others = found.iter().enumerate().filter(|(other, _)| *other != position).map(|(_, answer)| answer);
        let locked: String = [&found[position]]
            .into_iter()
            .chain(others)
            .flat_map(|answer| answer.split(", "))
            .filter(|line| line.split(' ').count() == 2)
            .map(|line| format!("locked: {line}\n"))
            .collect();
        assert_eq!(answers(universe, &format!("{question}\n{locked}"), &[target]), [expected[position]], "again");
    }
}

#[test]
fn requirements_of_two_systems_are_of_no_concern_to_each_other() {
    let universe = "a 1.0\na 2.0";
    check(
        universe,
        "a>=2; sys_platform == 'linux'\na<2; sys_platform == 'darwin'",
        &[LINUX, MACOS],
        &["a 2.0", "a 1.0"],
    );
    // These do not contradict each other: whether the targets agree is the command's business.
    let question = "a>=1; sys_platform == 'linux'\na<2; sys_platform == 'darwin'";
    check(universe, question, &[LINUX, MACOS], &["a 2.0", "a 1.0"]);
    check(universe, question, &[MACOS, LINUX], &["a 1.0", "a 1.0"]);
    check(universe, "a>=1\na<2", &[LINUX, MACOS], &["a 1.0", "a 1.0"]);
}

#[test]
fn what_stands_beside_a_split_goes_with_its_own_side() {
    let universe = "
        a 1.0
        a 2.0
        b 1.0 -> d==1.0
        c 1.0 -> d==2.0
        d 1.0
        d 2.0
        ";
    let question = "
        a==2.0; sys_platform == 'linux'
        b; sys_platform == 'linux'
        a==1.0; sys_platform == 'darwin'
        c; sys_platform == 'darwin'
        ";
    check(universe, question, &[LINUX, MACOS], &["a 2.0, b 1.0, d 1.0", "a 1.0, c 1.0, d 2.0"]);
}

#[test]
fn a_contradiction_on_one_side_only_is_told_of_that_side() {
    let universe = "
        a 1.0 -> b | c
        a 2.0
        b 1.0 -> d==1
        c 1.0 -> d==2
        d 1
        d 2
        ";
    let found = answers(universe, "a>=2; sys_platform == 'linux'\na<2; sys_platform == 'darwin'", &[LINUX, MACOS]);
    assert_eq!(found[0], "a 2.0");
    for part in ["b 1.0 needs `d==1`", "c 1.0 needs `d==2`", "there is no solution"] {
        assert!(found[1].contains(part), "{found:?}");
    }
}

#[test]
fn markers_below_a_split_are_those_of_its_side() {
    // Only the side that has the older `a` meets its markers, and on it they do not hold.
    let split = "a>=2; sys_platform == 'linux'\na<2; sys_platform == 'darwin'";
    let direct = "a 1.0 -> b; sys_platform == 'linux'\na 2.0\nb 1.0";
    check(direct, split, &[LINUX, MACOS], &["a 2.0", "a 1.0"]);
    let deep = "a 1.0 -> b\na 2.0\nb 1.0 -> c\nc 1.0 -> d; sys_platform == 'linux'\nd 1.0";
    check(deep, split, &[LINUX, MACOS], &["a 2.0", "a 1.0, b 1.0, c 1.0"]);
    let both = "a 1.0 -> b; sys_platform == 'linux'\na 2.0 -> b; sys_platform == 'linux'\nb 1.0";
    check(both, split, &[LINUX, MACOS], &["a 2.0, b 1.0", "a 1.0"]);
    // Another way to it is not closed by that.
    let beside = "a 1.0 -> c; sys_platform == 'linux'\na 2.0\nb 1.0 -> c; sys_platform == 'linux'\nc 1.0";
    check(beside, &format!("{split}\nb"), &[LINUX, MACOS], &["a 2.0, b 1.0, c 1.0", "a 1.0, b 1.0"]);
}

#[test]
fn a_split_below_a_split_has_the_markers_of_both() {
    let universe = |marker: &str| {
        format!(
            "a 1.0 -> b>=2; python_version >= '3.11' | b<2; python_version < '3.11'\na 2.0\nb 1.0 -> c; {marker}\nb 2.0\nc 1.0"
        )
    };
    let targets = [LINUX, MACOS, "macos-aarch64 3.11"];
    let split = "a>=2; sys_platform == 'linux'\na<2; sys_platform == 'darwin'";
    let without = ["a 2.0", "a 1.0, b 1.0", "a 1.0, b 2.0"];
    check(&universe("sys_platform == 'linux'"), split, &targets, &without);
    check(&universe("sys_platform == 'linux' or python_version >= '3.11'"), split, &targets, &without);
    let with = ["a 2.0", "a 1.0, b 1.0, c 1.0", "a 1.0, b 2.0"];
    check(&universe("sys_platform == 'linux' or python_version < '3.11'"), split, &targets, &with);
}

#[test]
fn a_side_that_no_target_is_on_is_not_looked_at() {
    let universe = "
        a 1.0 -> c==1.0; sys_platform == 'linux'
        b 1.0 -> c==1.0; sys_platform == 'darwin' | gone
        c 1.0
        ";
    let question = "a; implementation_name == 'cpython'\nb; implementation_name == 'pypy'";
    check(universe, question, &[LINUX, MACOS], &["a 1.0, c 1.0", "a 1.0"]);
    // What neither side of a split covers is no part of either.
    let rest = "z 1.0\na 1.0 -> b>=2; os_name == 'posix' | b<2; os_name == 'java' | z; sys_platform == 'win32'\na 2.0\nb 1.0\nb 2.0";
    let question = "a>=2; sys_platform == 'win32'\na<2; sys_platform == 'linux'";
    check(rest, question, &[LINUX, MACOS, WINDOWS], &["a 1.0, b 2.0", "nothing is needed", "a 2.0"]);
    check(
        "b 1.0\na 1.0 -> b; sys_platform == 'linux'",
        "a; sys_platform == 'win32'",
        &[LINUX, WINDOWS],
        &["nothing is needed", "a 1.0"],
    );
}

#[test]
fn a_gap_between_two_sides_still_gets_what_it_needs() {
    let universe = "a 1.0\na 2.0\nb 1.0 -> c; python_version == '3.11'\nc 1.0";
    let question = "a==1.0; python_version < '3.11'\na==2.0; python_version >= '3.12'\nb";
    let targets = [LINUX, "linux-x86_64 3.11", "linux-x86_64 3.12"];
    check(universe, question, &targets, &["a 1.0, b 1.0", "b 1.0, c 1.0", "a 2.0, b 1.0"]);
}

#[test]
fn lower_bounds_that_rise_with_python_hold_together() {
    let universe = "a 1.0\na 1.1\na 1.2";
    let question =
        "a>=1.0; python_version < '3.11'\na>=1.1; python_version >= '3.11'\na>=1.2; python_version >= '3.12'";
    let targets = [LINUX, "linux-x86_64 3.11", "linux-x86_64 3.12"];
    check(universe, question, &targets, &["a 1.2", "a 1.2", "a 1.2"]);
    check(universe, &format!("{question}\nstrategy: lowest"), &targets, &["a 1.0", "a 1.1", "a 1.2"]);
}

#[test]
fn a_split_dependency_does_not_split_who_needs_it() {
    let universe = "a 0.1\na 0.2 -> b>=2.0\nb 1.0\nb 2.0";
    let question = "a\nb>=2; sys_platform == 'linux'\nb<2; sys_platform == 'darwin'";
    check(universe, question, &[LINUX, MACOS], &["a 0.2, b 2.0", "a 0.1, b 1.0"]);
    // Several versions are looked at until one serves the side that is held back; of the others nothing is left.
    let several = "
        a 1.3 -> c; implementation_name == 'iron'
        a 2.0 -> b>=2.8 | c; implementation_name == 'cpython'
        a 3.1 -> b>=2.8 | c; implementation_name == 'pypy'
        a 4.3 -> b>=2.8
        b 2.7
        b 2.8
        c 1.10
        ";
    let question = "a\nb>=2.8; sys_platform == 'linux'\nb<2.8; sys_platform == 'darwin'";
    check(several, question, &[LINUX, MACOS], &["a 4.3, b 2.8", "a 1.3, b 2.7"]);
}

#[test]
fn contradictions_that_no_one_target_has_are_none() {
    let direct = "a 1.0 -> c<2\nb 1.0 -> c>=2\nc 1.0\nc 2.0";
    let question = "a; sys_platform == 'linux'\nb; sys_platform == 'darwin'";
    check(direct, question, &[LINUX, MACOS], &["a 1.0, c 1.0", "b 1.0, c 2.0"]);
    let transitive = "a 1.0 -> c<2; sys_platform == 'linux'\nb 1.0 -> c>=2; sys_platform == 'darwin'\nc 1.0\nc 2.0";
    check(transitive, "a\nb", &[LINUX, MACOS], &["a 1.0, b 1.0, c 1.0", "a 1.0, b 1.0, c 2.0"]);
    // On a third neither holds.
    check(transitive, "a\nb", &[WINDOWS], &["a 1.0, b 1.0"]);
}

/// Where the newest `base` is given up only because of a split, a lock with the older one must not give another answer next time.
#[test]
fn what_a_split_gave_up_stays_given_up() {
    let universe = "
        base 1.0 -> x==1; sys_platform == 'linux' | y==1; sys_platform != 'linux'
        base 2.0 -> part==1; sys_platform == 'linux' | part==2; sys_platform != 'linux' | against
        against 1.0 -> part==3
        part 1
        part 2
        part 3
        x 1
        x 2
        y 1
        y 2
        ";
    check(universe, "base\nx\ny", &[LINUX, MACOS], &["base 1.0, x 1, y 2", "base 1.0, x 1, y 1"]);
    check(universe, "base\nx\ny", &[MACOS, LINUX], &["base 1.0, x 2, y 1", "base 1.0, x 1, y 1"]);
}

#[test]
fn an_upgrade_forgets_the_split() {
    let universe = "
        a 1.0 -> b==1; sys_platform == 'linux' | b==2; sys_platform != 'linux'
        a 2.0 -> b==2
        b 1
        b 2
        ";
    let kept = "a\nlocked: a 1.0\nlocked: b 1\nlocked: b 2";
    check(universe, kept, &[LINUX, MACOS], &["a 1.0, b 1", "a 1.0, b 2"]);
    let moved = "a\nlocked: b 1\nlocked: b 2";
    check(universe, moved, &[LINUX, MACOS], &["a 2.0, b 2", "a 2.0, b 2"]);
}

#[test]
fn markers_on_releases_that_no_target_has_never_hold() {
    for marker in ["python_version == '3.9'", "python_full_version == '3.9'", "python_full_version == '3.9b1'"] {
        check("a 1.0", &format!("a; {marker}"), &[LINUX], &["nothing is needed"]);
    }
    check("a 1.0 python=>=3.10", "a; python_version == '3.10'", &[LINUX], &["a 1.0"]);
}

#[test]
fn a_system_that_an_extra_is_for_and_one_that_it_is_not_for() {
    let universe = "
        driver 1.0 extras=fast -> zones; sys_platform == 'win32' | fast; extra == 'fast' and implementation_name != 'pypy'
        fast 1.0
        zones 1.0
        ";
    let question =
        "driver[fast]; platform_python_implementation != 'PyPy'\ndriver; platform_python_implementation == 'PyPy'";
    check(universe, question, &[LINUX, WINDOWS], &["driver 1.0, fast 1.0", "driver 1.0, fast 1.0, zones 1.0"]);
    let pinned = "a 1.0 -> b==1; python_version >= '3.9'\na 2.0 -> b==1; python_version >= '3.9'\nb 1\nb 2";
    check(pinned, "a==1; python_version >= '3.8'\nb; python_version >= '3.9'", &[LINUX], &["a 1.0, b 1"]);
}

#[test]
fn each_machine_gets_its_own_wheels() {
    let wheels = "wheel=cp310-cp310-manylinux2010_x86_64 wheel=cp310-cp310-manylinux2014_aarch64 \
                  wheel=cp310-cp310-macosx_10_9_x86_64 wheel=cp310-cp310-freebsd_13_x86_64";
    let universe = format!(
        "a 1.0 -> b; platform_machine == 'x86_64' | c; platform_machine == 'aarch64' | d; platform_machine == 'i686'\n\
         b 1.0 {wheels}\nc 1.0 {wheels}\nd 1.0 {wheels}"
    );
    let (intel, arm) = ("b-1.0-cp310-cp310-manylinux2010_x86_64.whl", "c-1.0-cp310-cp310-manylinux2014_aarch64.whl");
    let found = answers(&universe, "a", &[LINUX, "linux-aarch64 3.10"]);
    assert_eq!(found, [format!("a 1.0, b 1.0 ({intel})"), format!("a 1.0, c 1.0 ({arm})")]);
    // A project that has wheels for one system only is asked for there only.
    let one = "a 1.0 wheel=cp310-abi3-win_amd64";
    let found = answers(one, "a; sys_platform == 'win32'", &[LINUX, WINDOWS]);
    assert_eq!(found, ["nothing is needed", "a 1.0 (a-1.0-cp310-abi3-win_amd64.whl)"]);
}
