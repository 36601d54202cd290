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
    let taken = bytes(&lab.path("runs/exp"));
    assert!(taken <= ROOM, "{taken} bytes");
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
    let experiment = limited(tune_test_artifacts::TRIAL_STEPS)
        .trials(4)
        .top("max_t = 180_000\nslots = 4\noutputs = []")
        .table("[searcher]\nplugin = \"random\"");
    stops_and_goes_on(&lab, &experiment, "2GiB", &[]);
}

#[test]
fn files_for_other_tools_over_it_stop_the_run_before_they_pass_it() {
    let lab = Lab::new();
    // Every line of `result.json` repeats the configuration: a second of them is more than all.
    let experiment = limited(tune_test_artifacts::TRIAL_STEPS)
        .trials(4)
        .top("max_t = 12_000\nslots = 4")
        .space(&format!("ballast = {:?}", "x".repeat(2_000)))
        .table("[searcher]\nplugin = \"random\"");
    stops_and_goes_on(&lab, &experiment, "2GiB", &[]);
}

#[test]
fn files_for_other_tools_below_it_are_all_there() {
    let lab = Lab::new();
    let experiment = limited(tune_test_artifacts::TRIAL_STEPS)
        .trials(4)
        .top("max_t = 3_000\nslots = 4")
        .space(&format!("ballast = {:?}", "x".repeat(2_000)));
    lab.run(&experiment, &[]).exits(0);
    let taken = bytes(&lab.path("runs/exp"));
    // Near three eighths of it: estimates of what is to come stop no run that has room.
    assert!((ROOM / 4..ROOM).contains(&taken), "{taken} bytes");
    for trial in 0..4 {
        let lines = lab.read(&format!("runs/exp/trials/{trial:06}/result.json"));
        assert_eq!(lines.lines().count(), 3_000);
    }
}

#[test]
fn results_below_it_are_all_there() {
    let lab = Lab::new();
    let experiment = limited(tune_test_artifacts::TRIAL_STEPS)
        .trials(4)
        .top("max_t = 10_000\nslots = 4\noutputs = []");
    lab.run(&experiment, &[]).exits(0);
    for trial in lab.show("exp")["trials"].as_array().unwrap() {
        assert_eq!(trial["iterations"], 10_000);
    }
}

#[test]
fn logs_below_it_are_not_cut() {
    let lab = Lab::new();
    let experiment = limited(tune_test_artifacts::TRIAL_PRINTS_GIGABYTE)
        .trials(2)
        .table(&format!(
            "[limits]\nrun_disk = {ROOM}\nlog_bytes = \"20 MiB\"\nlog_line_bytes = \"64 KiB\""
        ));
    lab.run(&experiment, &["--threads", "1"]).exits(0);
    for trial in 0..2 {
        let log = lab.read(&format!("runs/exp/logs/{trial:06}.log"));
        assert!(!log.contains("`run_disk`") && log.len() > 19 << 20);
    }
}

#[test]
fn snapshots_below_it_are_all_there() {
    let lab = Lab::new();
    let experiment = limited(tune_test_artifacts::HOSTILE_GROWTH)
        .trials(2)
        .top("max_t = 3")
        .space("rate = { uniform = [0.0, 1.0] }\nmb = 1")
        .table("[snapshots]\ninterval = 1\nkeep = 100\nkeep_best = 100\nmax_overhead = 1.0");
    let said = lab.run(&experiment, &[]).exits(0);
    assert!(!said.stderr.contains("run_disk"), "{said}");
    let listed = lab
        .tune(&["snapshots", "exp", "--format", "json"])
        .exits(0)
        .json();
    let text = listed.to_string();
    assert!(text.matches("\"trial\"").count() >= 2, "{text}");
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
