//! The past is kept: every environment can go back.

use pinfold_testkit::Index;

use crate::project::Project;

#[test]
fn goes_back_and_forth_offline() {
    let index =
        Index::new().wheel("a", "1.0").module("mod_a.py", "V = 1\n").wheel("a", "2.0").module("mod_a.py", "V = 2\n");
    let project = Project::new(index, &["a==1.0"]);
    project.installed();
    project.write_manifest(&["a==2.0"], "", "");
    project.installed();
    assert_eq!(project.python("import mod_a; print(mod_a.V)"), "2\n");
    let history = project.pinfold("history").run().expect_code(0);
    assert_eq!(history.stdout.lines().count(), 2, "{history}");
    project.server.forget_requests();
    project.pinfold("rollback").run().expect_code(0);
    assert_eq!(project.python("import mod_a; print(mod_a.V)"), "1\n");
    project.sync().expect_code(0);
    assert_eq!(project.python("import mod_a; print(mod_a.V)"), "2\n");
    assert!(project.server.requests().is_empty());
    project.pinfold("rollback").arg("99").run().expect_code(1).expect_stderr("99");
}

#[test]
fn the_generation_in_place_is_gone_back_to_without_doing_anything() {
    let project = Project::new(Index::new().wheel("a", "1.0").wheel("a", "2.0"), &["a==1.0"]);
    project.installed();
    project.write_manifest(&["a==2.0"], "", "");
    project.installed();
    let before = (project.home.snapshot(".venv"), project.home.read(".pinfold-.venv/ledger.jsonl"));
    project.pinfold("rollback").arg("2").run().expect_code(0).expect_stderr("generation 2 of ");
    assert!(before == (project.home.snapshot(".venv"), project.home.read(".pinfold-.venv/ledger.jsonl")));
}
