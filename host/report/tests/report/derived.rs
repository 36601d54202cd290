//! What stands in `trials/`.

use std::fs;

use serde_json::{Value, json};
use tune_report::{DerivedFiles, DerivedRecord, Outputs};

use crate::{CREATED_S, EVENTS, config, report};

#[test]
fn a_trial_has_the_files_of_ray_tune() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("trials");
    let files = DerivedFiles::start(&root, Outputs::ALL, CREATED_S).unwrap();
    files.send(config(12, 0.5));
    files.send(report(12, 1, &[("loss", f64::NAN)]));
    files.send(config(12, 0.25));
    files.send(report(12, 2, &[("loss", 0.1), ("late", 7.0)]));
    files.send(DerivedRecord::Ended { trial: 12 });
    files.send(report(12, 3, &[("loss", 0.1)]));
    files.send(config(13, 1.0));
    files.finish().unwrap();

    let read = |name: &str| fs::read_to_string(root.join("000012").join(name)).unwrap();
    assert_eq!(
        read("params.json"),
        "{\n  \"batch\": 32,\n  \"opt\": {\n    \"lr\": 0.25\n  }\n}\n"
    );
    assert_eq!(
        read("progress.csv"),
        "loss,training_iteration,timestamp,late\nnan,1,1700000001,\n0.1,2,1700000002,7\n"
    );
    let results: Vec<Value> = read("result.json")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        results,
        [
            json!({
                "loss": null, "training_iteration": 1, "timestamp": 1_700_000_001_u64,
                "trial_id": "000012", "config": { "batch": 32, "opt": { "lr": 0.5 } },
            }),
            json!({
                "loss": 0.1, "late": 7, "training_iteration": 2, "timestamp": 1_700_000_002_u64,
                "trial_id": "000012", "config": { "batch": 32, "opt": { "lr": 0.25 } },
            }),
        ]
    );
    assert!(root.join("000012").join(EVENTS).exists());
    assert!(root.join("000013/params.json").exists());
}

#[test]
fn only_the_chosen_outputs_are_written() {
    let dir = tempfile::tempdir().unwrap();
    let outputs = Outputs::parse(["csv"]).unwrap();
    let files = DerivedFiles::start(dir.path(), outputs, CREATED_S).unwrap();
    files.send(config(0, 0.5));
    files.send(report(0, 1, &[("loss", 1.0)]));
    files.finish().unwrap();
    let names: Vec<_> = fs::read_dir(dir.path().join("000000"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["progress.csv"]);
    assert_eq!(Outputs::parse(["json", "xml"]), Err("xml"));
}

#[test]
fn files_written_again_from_the_same_records_are_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let mut before = None;
    for _ in 0..2 {
        let files = DerivedFiles::start(dir.path(), Outputs::ALL, CREATED_S).unwrap();
        files.send(config(0, 0.5));
        for iteration in 1..50 {
            files.send(report(0, iteration, &[("loss", 1.0 / iteration as f64)]));
        }
        files.finish().unwrap();
        let mut contents: Vec<_> = fs::read_dir(dir.path().join("000000"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| (fs::read(&path).unwrap(), path))
            .collect();
        contents.sort();
        assert_eq!(contents.len(), 4);
        if let Some(before) = before.replace(contents.clone()) {
            assert_eq!(contents, before);
        }
    }
}

#[test]
fn a_trial_that_goes_on_is_written_while_it_runs() {
    let dir = tempfile::tempdir().unwrap();
    let files = DerivedFiles::start(dir.path(), Outputs::ALL, CREATED_S).unwrap();
    files.send(config(0, 0.5));
    files.send(report(0, 1, &[("loss", 1.0)]));
    let result = dir.path().join("000000/result.json");
    // Without `finish` or `Ended`: it must come by itself, however slow the machine.
    while fs::read_to_string(&result).unwrap_or_default().is_empty() {
        std::thread::yield_now();
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    files.send(report(0, 2, &[("loss", 0.5)]));
    files.finish().unwrap();
    assert_eq!(fs::read_to_string(&result).unwrap().lines().count(), 2);
}

#[test]
fn an_error_is_told_at_the_end_and_never_blocks() {
    let dir = tempfile::tempdir().unwrap();
    let files = DerivedFiles::start(dir.path(), Outputs::ALL, CREATED_S).unwrap();
    fs::write(
        dir.path().join("000000"),
        "a file where a directory belongs",
    )
    .unwrap();
    files.send(config(0, 0.5));
    for iteration in 1..1000 {
        files.send(report(0, iteration, &[("loss", 1.0)]));
    }
    files.send(DerivedRecord::Ended { trial: 0 });
    let error = files.finish().unwrap_err();
    assert!(error.path.ends_with("000000"), "{error}");
    assert!(error.to_string().contains("resume"), "{error}");
}
