//! `replay`: a run or a trial, done again, comes out the same, and what does not is found.

use rusqlite::Connection;

use crate::{experiment::Experiment, lab::Lab, population::population};

#[test]
fn a_population_and_each_of_its_trials_come_out_the_same() {
    let lab = Lab::new();
    let experiment = population("").table("[snapshots]\ninterval = 2\nkeep = 3");
    lab.run(&experiment, &[]).exits(0);
    let said = lab.tune(&["replay", "pbt"]).exits(0);
    assert!(said.stdout.contains("equal"), "{said}");
    assert!(said.stdout.contains(&lab.digest("pbt")), "{said}");
    for trial in 0..8 {
        let replay = ["replay", "pbt", &trial.to_string(), "--format", "json"];
        let json = lab.tune(&replay).exits(0).json();
        assert_eq!(json["equal"], true, "{json}");
        let trial = &json["trials"][0];
        assert_eq!(trial["state_hash"].as_str().unwrap().len(), 64);
    }
    // Snapshots are compared by the state that they hold.
    let json = lab
        .tune(&["replay", "pbt", "--format", "json"])
        .exits(0)
        .json();
    let checks: Vec<_> = json["trials"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|trial| trial["snapshots"].as_array().unwrap())
        .map(|check| check["verdict"].as_str().unwrap())
        .collect();
    assert!(!checks.is_empty(), "{json}");
    assert!(checks.iter().all(|verdict| *verdict == "same"), "{json}");
}

#[test]
fn a_replay_writes_nothing() {
    let lab = Lab::new();
    lab.run(&Experiment::branin(5), &[]).exits(0);
    let before = lab.tree("runs");
    lab.tune(&["replay", "branin"]).exits(0);
    assert_eq!(lab.tree("runs"), before);
}

#[test]
fn a_doctored_journal_is_found() {
    let lab = Lab::new();
    let experiment = Experiment::of(tune_test_artifacts::TRIAL_STEPS)
        .trials(2)
        .top("max_t = 5\nslots = 1");
    lab.run(&experiment, &[]).exits(0);
    // 1/3, the third result of a trial, becomes a little better.
    let (then, now) = ((1.0_f64 / 3.0).to_le_bytes(), 0.25_f64.to_le_bytes());
    let journal = Connection::open(lab.path("runs/exp/run.db")).unwrap();
    let row = "SELECT sequence, body FROM journal WHERE instr(body, ?1) > 0 ORDER BY sequence";
    let (sequence, mut body): (i64, Vec<u8>) = journal
        .query_row(row, [then.to_vec()], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    let at = body.windows(8).position(|bytes| bytes == then).unwrap();
    body[at..at + 8].copy_from_slice(&now);
    let changed = journal
        .execute(
            "UPDATE journal SET body = ?1 WHERE sequence = ?2",
            (body, sequence),
        )
        .unwrap();
    assert_eq!(changed, 1);
    drop(journal);
    let said = lab.tune(&["replay", "exp"]);
    assert_ne!(said.code, Some(0), "{said}");
    let all = format!("{said}");
    assert!(all.contains(&format!("row {sequence}")), "{said}");
}
