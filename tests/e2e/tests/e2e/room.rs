//! What the directory of a run may take on the disk: what goes first when it is nearly full, that
//! the run stops before it is over, and that it goes on with more room.

use std::{fs, os::unix::fs::MetadataExt as _, path::Path};

use crate::{experiment::Experiment, lab::Lab};

/// The least that can be asked for.
const ROOM: u64 = 64 << 20;

/// Bytes of all files below; a file with several names counts once.
fn bytes(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let size = |entry: fs::DirEntry| {
        let found = entry.metadata().unwrap();
        if found.is_dir() {
            bytes(&entry.path())
        } else {
            found.len() / found.nlink()
        }
    };
    entries.map(size).sum()
}

fn limited(trainable: &str) -> Experiment {
    Experiment::of(trainable).table(&format!(
        "[limits]\nrun_disk = {ROOM}\nlog_bytes = \"30 MiB\"\nartifact_bytes = \"30 MiB\""
    ))
}

/// Every trial leaves so many bytes as its file.
fn artifacts(mebibytes: u64) -> Experiment {
    limited(tune_test_artifacts::TRIAL_ARTIFACTS)
        .table("[grants]\nartifact = true")
        .space(&format!("bytes = {}", mebibytes << 20))
        .top("outputs = []")
}

/// It stopped in time, and goes on with more.
#[track_caller]
fn stops_and_goes_on(lab: &Lab, experiment: &Experiment, more: &str, threads: &[&str]) {
    lab.run(experiment, threads)
        .exits(4)
        .says(&["67108864", "`run_disk`", "--run-disk"])
        .ends_with_resume_of("exp");
    let taken = bytes(&lab.path("runs/exp"));
    assert!(taken <= ROOM, "{taken} bytes");
    let before = lab.show("exp");
    assert_ne!(before["status"], "finished");
    // With no more room it stops again.
    lab.tune(&["resume", "exp"]).exits(4).says(&["`run_disk`"]);
    lab.tune(&["resume", "exp", "--run-disk", more]).exits(0);
    assert_eq!(lab.show("exp")["status"], "finished");
}

#[test]
fn artifacts_over_it_stop_the_run_which_goes_on_with_more_room() {
    let lab = Lab::new();
    let experiment = artifacts(12).trials(8);
    stops_and_goes_on(&lab, &experiment, "1GiB", &[]);
    let roomy = Lab::new();
    let limits = "[limits]\nlog_bytes = \"30 MiB\"\nartifact_bytes = \"30 MiB\"";
    let experiment = experiment.table(limits);
    roomy.run(&experiment, &[]).exits(0);
    assert_eq!(lab.digest("exp"), roomy.digest("exp"));
}

#[test]
fn artifacts_below_it_are_all_there() {
    let lab = Lab::new();
    lab.run(&artifacts(1).trials(8), &[]).exits(0);
    for trial in 0..8 {
        let file = lab.path(&format!("runs/exp/artifacts/{trial:06}/latest.bin"));
        assert_eq!(fs::metadata(file).unwrap().len(), 1 << 20);
    }
}

#[test]
fn logs_over_it_are_cut_and_no_trial_fails() {
    let lab = Lab::new();
    let experiment = limited(tune_test_artifacts::TRIAL_PRINTS_GIGABYTE)
        .trials(4)
        .table(&format!(
            "[limits]\nrun_disk = {ROOM}\nlog_bytes = \"20 MiB\"\nlog_line_bytes = \"64 KiB\""
        ));
    lab.run(&experiment, &["--threads", "1"]).exits(0);
    let taken = bytes(&lab.path("runs/exp"));
    assert!((ROOM / 2..ROOM).contains(&taken), "{taken} bytes");
    let log = |trial: u32| lab.read(&format!("runs/exp/logs/{trial:06}.log"));
    assert!(!log(0).contains("`run_disk`"));
    let last = log(3);
    assert!(last.contains("the log is cut here"), "{} bytes", last.len());
    assert!(last.len() < 1_000);
}

#[test]
fn snapshots_over_it_are_left_out_and_no_trial_fails() {
    let lab = Lab::new();
    let experiment = limited(tune_test_artifacts::HOSTILE_GROWTH)
        .trials(4)
        .top("max_t = 6")
        .space("rate = { uniform = [0.0, 1.0] }\nmb = 4")
        .table("[snapshots]\ninterval = 1\nkeep = 100\nkeep_best = 100\nmax_overhead = 1.0");
    lab.run(&experiment, &[]).exits(0);
    assert_eq!(lab.statuses("exp"), ["finished"; 4]);
    let states = bytes(&lab.path("runs/exp/chunks"));
    assert!((1 << 20..=ROOM / 2).contains(&states), "{states} bytes");
}

#[test]
fn results_over_it_stop_the_run_before_the_journal_passes_it() {
    let lab = Lab::new();
    // Without files for other tools, which are written a second later than they are counted.
    let experiment = limited(tune_test_artifacts::TRIAL_STEPS)
        .trials(4)
        .top("max_t = 180_000\nslots = 4\noutputs = []")
        .table("[searcher]\nplugin = \"random\"");
    stops_and_goes_on(&lab, &experiment, "2GiB", &[]);
}

#[test]
fn a_size_that_is_none_is_told() {
    let lab = Lab::new();
    for size in ["200", "many", "1 KiB", "1GB"] {
        lab.tune(&["resume", "exp", "--run-disk", size])
            .exits(2)
            .says(&["--run-disk", "MiB"]);
    }
}
