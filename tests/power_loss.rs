//! What is on the disk when: a loss of power must find the old environment or the new one.
//!
//! Power cannot be cut in a test. What can be told from the system calls is the order: the receipt is waited for before the
//! exchange, the directory in which the exchange took place after it.

use pinfold_testkit::{Index, Point, Watching, announce_skipped};

use crate::project::Project;

fn waited_for(points: &[Point], part: &str) -> Vec<usize> {
    let is_wait = |point: &Point| matches!(point.call, "fsync" | "fdatasync" | "syncfs") && point.files.ends_with(part);
    points.iter().enumerate().filter(|(_, point)| is_wait(point)).map(|(position, _)| position).collect()
}

#[test]
fn the_receipt_is_on_the_disk_before_the_exchange_and_the_exchange_before_the_end() {
    let project = Project::new(Index::new().wheel("a", "1.0").wheel("a", "2.0"), &["a==1.0"]);
    project.installed();
    project.write_manifest(&["a==2.0"], "", "");
    project.lock();
    for verb in ["sync", "rollback"] {
        let traced = match project.pinfold(verb).traced(Watching::Changes, None) {
            Ok(traced) => traced,
            Err(reason) => return announce_skipped("what is waited for", &reason),
        };
        assert_eq!(traced.finished.code, 0, "{}", traced.finished);
        let points = &traced.points;
        let shown = || points.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        let exchange =
            points.iter().position(|point| point.call == "renameat2" && point.files.contains("project/.venv"));
        let exchange = exchange.unwrap_or_else(|| panic!("no exchange:\n{}", shown()));
        for file in ["receipt.json", "files.json"].into_iter().filter(|_| verb == "sync") {
            let waits = waited_for(points, file);
            assert!(waits.iter().any(|wait| *wait < exchange), "{file} is not waited for:\n{}", shown());
        }
        let waits = waited_for(points, "project");
        assert!(waits.iter().any(|wait| *wait > exchange), "the exchange is not waited for:\n{}", shown());
        // Each of them costs as much as placing some thousand files.
        let all = waited_for(points, "").len();
        assert!(all <= 6, "{all} are waited for:\n{}", shown());
    }
}
