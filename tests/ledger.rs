//! Every install can be accounted for later: what changed, and that nobody changed the account.

use std::path::PathBuf;

use pinfold_testkit::{Finished, Index};
use serde_json::Value;

use crate::project::Project;

/// An environment with two generations and a rollback.
fn with_a_past() -> Project {
    let index = Index::new().wheel("a", "1.0").wheel("a", "2.0").wheel("b", "1.0");
    let project = Project::new(index, &["a==1.0"]);
    project.installed();
    project.write_manifest(&["a==2.0", "b"], "", "");
    project.installed();
    project.pinfold("rollback").run().expect_code(0);
    project
}

fn ledger(project: &Project) -> PathBuf {
    project.home.project().join(".pinfold-.venv/ledger.jsonl")
}

fn json(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout).expect("the output is JSON")
}

#[test]
fn history_says_what_changed() {
    let project = with_a_past();
    let text = project.pinfold("history").run().expect_code(0);
    let lines: Vec<&str> = text.stdout.lines().collect();
    assert!(lines[0].starts_with("     2  ") && lines[0].ends_with("  ~ a 1.0 -> 2.0, + b 1.0"), "{text}");
    assert!(lines[1].starts_with("*    1  ") && lines[1].ends_with("  + a 1.0"), "{text}");
    assert!(lines[1].contains(", again "), "{text}");

    let past = json(&project.pinfold("history").args(["--format", "json"]).run().expect_code(0));
    let newest = &past["generations"][0];
    assert_eq!((&newest["generation"], &newest["current"], &newest["kept"]), (&2.into(), &false.into(), &true.into()));
    assert_eq!(newest["updated"], serde_json::json!([{ "name": "a", "from": "1.0", "to": "2.0" }]));
    assert_eq!(newest["added"], serde_json::json!([{ "name": "b", "version": "1.0" }]));
    assert_eq!((&past["ledger"]["entries"], &past["ledger"]["intact"]), (&3.into(), &true.into()));
}

/// A pipe would be waited for until somebody writes to it, and what a link leads to is none of pinfold's.
#[test]
#[cfg(unix)]
fn what_is_no_regular_file_among_our_own_is_not_waited_for() {
    for name in ["ledger.jsonl", "lock"] {
        let project = with_a_past();
        let path = ledger(&project).with_file_name(name);
        std::fs::remove_file(&path).unwrap();
        pinfold_testkit::make_pipe(&path);
        for verb in ["verify", "rollback", "sync"] {
            project.pinfold(verb).run().expect_code(4).expect_stderr(name);
        }
        if name == "ledger.jsonl" {
            project.pinfold("history").run().expect_code(4).expect_stderr("it is no regular file");
            project.pinfold("trace").arg("a").run().expect_code(0);
        }
        std::fs::remove_file(&path).unwrap();
    }
}

#[test]
fn generations_that_are_gone_stay_in_the_account() {
    let versions = ["1.0", "2.0", "3.0", "4.0", "5.0"];
    let index = versions.iter().fold(Index::new(), |index, version| index.wheel("a", version));
    let project = Project::new(index, &["a==1.0"]);
    for version in versions {
        project.write_manifest(&[&format!("a=={version}")], "", "");
        project.installed();
    }
    let kept = project.pinfold("history").run().expect_code(0);
    assert_eq!(kept.stdout.lines().count(), 4, "{kept}");
    let all = kept.expect_stderr("--all");
    drop(all);
    let all = project.pinfold("history").arg("--all").run().expect_code(0).expect_stdout("x    1  ");
    assert_eq!(all.stdout.lines().count(), 5, "{all}");
}

#[test]
fn a_changed_line_of_the_ledger_is_told() {
    let project = with_a_past();
    let text = std::fs::read_to_string(ledger(&project)).expect("there is a ledger");
    std::fs::write(ledger(&project), text.replacen("a-1.0-py3", "a-6.6-py3", 1)).expect("can write");
    let told = project.pinfold("history").run().expect_code(1);
    let told = told.expect_stderr("ledger-broken: line 2").expect_stderr("ledger-rewritten: line 1");
    drop(told.expect_stderr("pinfold explain ledger-broken"));
    let past = json(&project.pinfold("history").args(["--format", "json"]).run().expect_code(1));
    assert_eq!(past["ledger"]["intact"], false);
    assert_eq!(
        (&past["ledger"]["problems"][0]["code"], &past["ledger"]["problems"][0]["line"]),
        (&"ledger-broken".into(), &2.into())
    );
    // A sync goes on, and the ledger with it; what was wrong is not forgotten.
    project.write_manifest(&["a==2.0"], "", "");
    project.lock();
    project.sync().expect_code(0).expect_stderr("ledger-rewritten");
    project.pinfold("history").run().expect_code(1).expect_stderr("ledger-broken: line 2");
}

#[test]
fn a_ledger_whose_end_was_cut_off_is_told() {
    let project = with_a_past();
    let text = std::fs::read_to_string(ledger(&project)).expect("there is a ledger");
    let first = text.lines().next().expect("it has a line");
    std::fs::write(ledger(&project), format!("{first}\n")).expect("can write");
    project.pinfold("history").run().expect_code(1).expect_stderr("ledger-rewritten: line 2");
    // What was there is put back, and all is well.
    std::fs::write(ledger(&project), text).expect("can write");
    project.pinfold("history").run().expect_code(0);
}

#[test]
fn a_torn_line_of_the_ledger_is_no_alarm() {
    let project = with_a_past();
    let mut text = std::fs::read_to_string(ledger(&project)).expect("there is a ledger");
    text.push_str("{\"generation\":7,\"inst");
    std::fs::write(ledger(&project), text).expect("can write");
    project.pinfold("history").run().expect_code(0).expect_stderr("ledger-torn: line 4");
    project.sync().expect_code(0);
    project.pinfold("history").run().expect_code(0).expect_stderr("ledger-torn: line 4");
}

/// A repair tells of it as `verify` does, and puts nothing in its place in silence.
#[test]
fn a_ledger_that_is_gone_is_told_until_a_sync_begins_another() {
    let project = with_a_past();
    project.pinfold("rollback").arg("2").run().expect_code(0);
    let gone = |run: Finished| run.expect_code(1).expect_stdout("ledger-broken: ").expect_stdout("the ledger is gone");
    std::fs::remove_file(ledger(&project)).expect("can remove");
    let verify = |arguments: &[&str]| project.pinfold("verify").args(arguments).run();
    drop(gone(verify(&[])));
    drop(gone(verify(&["--repair"])).expect_stderr("nothing brings the true past back"));
    // Nobody but pinfold leaves this note, or so it seems: at most one line may be missing then.
    let note = ledger(&project).with_file_name("unfinished");
    for text in ["", "1\n", "2\n"] {
        std::fs::write(&note, text).expect("can write");
        drop(gone(verify(&["--quick"])));
        drop(gone(verify(&["--repair"])));
    }
    std::fs::write(&note, "").expect("can write");
    assert!(!ledger(&project).exists());
    let said = "did not say that generation 2 is in place";
    drop(project.sync().expect_code(0).expect_stderr("up to date").expect_stderr(said));
    drop(verify(&[]).expect_code(0));
    // The next one has nothing to say, and neither have those that change something.
    for verb in ["sync", "rollback", "sync"] {
        let run = project.pinfold(verb).run().expect_code(0);
        assert!(!run.stderr.contains("did not say"), "{run}");
    }
    std::fs::remove_file(ledger(&project)).expect("can remove");
    let said = "did not say that generation 3 is in place";
    drop(project.pinfold("rollback").run().expect_code(0).expect_stderr(said));
}

/// A directory in the place of the lock file stands for a file system that is only read: what is up to date stays so.
#[test]
fn what_is_up_to_date_need_not_be_noted() {
    let project = with_a_past();
    project.pinfold("rollback").arg("2").run().expect_code(0);
    std::fs::remove_file(ledger(&project)).expect("can remove");
    let lock = ledger(&project).with_file_name("lock");
    std::fs::remove_file(&lock).expect("can remove");
    std::fs::create_dir(&lock).expect("can make it");
    let synced = project.sync().expect_code(0).expect_stderr("up to date");
    drop(synced.expect_stderr("what is in place cannot be noted in the ledger: "));
}

/// Nothing on the disk is wrong but the account of it.
#[test]
fn a_repair_makes_no_new_environment_for_a_ledger_that_was_cut() {
    let project = with_a_past();
    project.pinfold("rollback").arg("2").run().expect_code(0);
    let text = std::fs::read_to_string(ledger(&project)).expect("there is a ledger");
    let kept: Vec<&str> = text.lines().take(3).collect();
    std::fs::write(ledger(&project), kept.join("\n") + "\n").expect("can write");
    let before = project.home.snapshot("project");
    for arguments in [&["--quick"][..], &[], &["--repair"]] {
        drop(project.pinfold("verify").args(arguments).run().expect_code(1).expect_stdout("ledger-broken: "));
    }
    let differs = |(one, other): &(&(String, String), &(String, String))| one != other && !one.0.ends_with("/lock");
    let after = project.home.snapshot("project");
    assert_eq!((before.len(), before.iter().zip(&after).find(differs)), (after.len(), None));
    // With real damage, both are told, and the exit code says that not all was put right.
    std::fs::remove_file(project.home.project().join(".venv/pyvenv.cfg")).expect("can remove");
    let mended = project.pinfold("verify").arg("--repair").run().expect_code(1).expect_stderr("repaired: generation ");
    drop(mended.expect_stderr("not repaired: the chain of the ledger does not hold"));
}

/// The first generation may be in place again, and have a past.
#[test]
fn the_ledger_of_a_first_generation_is_missed_if_there_were_others() {
    let project = with_a_past();
    std::fs::remove_file(ledger(&project)).expect("can remove");
    drop(project.pinfold("verify").run().expect_code(1).expect_stdout("ledger-broken: "));
    project.write_manifest(&["a==1.0"], "", "");
    project.lock();
    drop(project.sync().expect_code(0).expect_stderr("did not say that generation 1 is in place"));
}

/// What belongs to somebody else may not be readable; what is up to date is so all the same.
#[cfg(unix)]
#[test]
fn what_is_up_to_date_stays_so_where_the_ledger_cannot_be_read() {
    let project = with_a_past();
    project.pinfold("rollback").arg("2").run().expect_code(0);
    std::fs::remove_file(ledger(&project)).expect("can remove");
    std::os::unix::fs::symlink("elsewhere", ledger(&project)).expect("can make a link");
    let synced = project.sync().expect_code(0).expect_stderr("up to date");
    drop(synced.expect_stderr("what is in place cannot be noted in the ledger: "));
}

/// A forged receipt is not made good by the note of a process that died.
#[test]
fn the_note_of_what_is_unfinished_hides_no_other_receipt() {
    let project = with_a_past();
    let receipt = project.home.project().join(".venv/.pinfold/receipt.json");
    let text = std::fs::read_to_string(&receipt).expect("there is a receipt");
    let forged = text.replacen("\"installed_at\": \"2", "\"installed_at\": \"1", 1);
    assert_ne!(forged, text);
    std::fs::write(&receipt, forged).expect("can write");
    for text in ["", "1\n", "2\n"] {
        std::fs::write(ledger(&project).with_file_name("unfinished"), text).expect("can write");
        drop(project.pinfold("verify").run().expect_code(1).expect_stdout("receipt-changed: "));
    }
}

#[test]
fn verify_finds_a_ledger_that_was_changed() {
    let project = with_a_past();
    project.write_manifest(&["a==1.0"], "", "");
    project.installed();
    project.pinfold("verify").run().expect_code(0);
    let text = std::fs::read_to_string(ledger(&project)).expect("there is a ledger");
    std::fs::write(ledger(&project), text.replacen("a-1.0-py3", "a-6.6-py3", 1)).expect("can write");
    let line = "ledger-broken: ../.pinfold-.venv/ledger.jsonl: expected in line 2 that the line before has sha256 ";
    for arguments in [&["verify"][..], &["verify", "--quick"]] {
        drop(project.pinfold(arguments[0]).args(&arguments[1..]).run().expect_code(1).expect_stdout(line));
    }
    let report = json(&project.pinfold("verify").args(["--format", "json"]).run().expect_code(1));
    let [finding] = report["findings"].as_array().expect("a list").as_slice() else { panic!("{report}") };
    assert_eq!(finding["code"], "ledger-broken");
    let sarif = json(&project.pinfold("verify").args(["--format", "sarif"]).run().expect_code(1));
    let result = &sarif["runs"][0]["results"][0];
    let place = &result["locations"][0]["physicalLocation"]["artifactLocation"];
    assert_eq!((&result["ruleId"], &place["uriBaseId"]), (&"ledger-broken".into(), &"VENV".into()));
    assert_eq!(place["uri"], "../.pinfold-.venv/ledger.jsonl");
    // Nothing brings the past back, and nothing pretends to; what else is wrong is put right all the same.
    let before = std::fs::read(ledger(&project)).expect("there is a ledger");
    let left = project.pinfold("verify").arg("--repair").run().expect_code(1);
    drop(left.expect_stderr("not repaired: the chain of the ledger does not hold"));
    assert_eq!(std::fs::read(ledger(&project)).expect("there is a ledger"), before);
    std::fs::remove_file(project.home.project().join(".venv/pyvenv.cfg")).expect("can remove");
    let mended = project.pinfold("verify").arg("--repair").run().expect_code(1).expect_stderr("repaired: generation ");
    drop(mended.expect_stderr("not repaired: the chain of the ledger does not hold"));
    let left = project.pinfold("verify").run().expect_code(1);
    assert_eq!(left.stdout.lines().count(), 1, "{left}");
    // The controls: the true past, and a line that was never finished.
    let now = std::fs::read_to_string(ledger(&project)).expect("there is a ledger");
    let whole = now.replacen("a-6.6-py3", "a-1.0-py3", 1);
    std::fs::write(ledger(&project), &whole).expect("can write");
    project.pinfold("verify").run().expect_code(0);
    std::fs::write(ledger(&project), whole + "{\"generation\":7,\"inst").expect("can write");
    project.pinfold("verify").run().expect_code(0);
}
