//! States that grow without end fill the room for snapshots and nothing else: snapshots are left out,
//! the trials go on.

use std::fs;

use crate::{experiment::Experiment, lab::Lab};

fn experiment() -> Experiment {
    Experiment::of(tune_test_artifacts::HOSTILE_GROWTH)
        .trials(2)
        .top("max_t = 6")
        .space("rate = { uniform = [0.0, 1.0] }")
}

#[test]
fn fills_its_room_on_the_disk_and_no_more() {
    const ROOM: u64 = 8 << 20;
    let lab = Lab::new();
    let experiment = experiment().table(&format!("[snapshots]\ninterval = 1\ndisk = {ROOM}"));
    lab.run(&experiment, &[]).exits(0);
    assert_eq!(lab.statuses("exp"), ["finished"; 2]);
    let chunks = lab.tree("runs/exp/chunks");
    let bytes: u64 = chunks.keys().map(|f| fs::metadata(f).unwrap().len()).sum();
    assert!(bytes <= ROOM, "{bytes} bytes");
}

#[test]
fn ends_at_the_memory_of_a_trial() {
    let lab = Lab::new();
    let experiment = experiment()
        .space("mb = 8")
        .table("[limits]\nmemory = \"20 MiB\"")
        .table("[snapshots]\ninterval = 1");
    lab.run(&experiment, &[])
        .exits(1)
        .says(&["20971520 allowed", "hint"]);
    assert_eq!(lab.statuses("exp"), ["memory"; 2]);
}
