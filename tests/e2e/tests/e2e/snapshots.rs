//! Snapshots on the disk: what there is can be listed, and what is damaged, missing or forged is passed
//! over for an earlier state.

use std::{fs, path::PathBuf};

use crate::{
    crash::{self, Victim},
    dice::Dice,
    lab::Lab,
    outcome::Outcome,
};

/// The files of a run's snapshots.
fn files(lab: &Lab, run: &str) -> Vec<PathBuf> {
    let folder = lab.path(&format!("runs/{run}/chunks"));
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

fn flip(file: &PathBuf, dice: &mut Dice) {
    let mut bytes = fs::read(file).unwrap();
    let at = dice.below(bytes.len() as u64) as usize;
    bytes[at] ^= 1 << dice.below(8);
    fs::write(file, bytes).unwrap();
}

/// A file that claims what is not so: other lengths, offsets, hashes.
fn forge(lab: &Lab, run: &str, dice: &mut Dice) {
    let files = files(lab, run);
    let model = &files[dice.below(files.len() as u64) as usize];
    let mut bytes = fs::read(model).unwrap();
    let length = bytes.len();
    match dice.below(3) {
        // The place of the table of contents, in the foot.
        0 => bytes[length - 56..length - 40].copy_from_slice(&[0xFF; 16]),
        1 => bytes[length - 56..length - 48].copy_from_slice(&4_u64.to_le_bytes()),
        _ => bytes = vec![0xFF; 1 << 16],
    }
    let folder = lab.path(&format!("runs/{run}/chunks"));
    fs::write(folder.join("99999999.snap"), bytes).unwrap();
}

#[test]
fn a_run_with_damaged_missing_or_forged_snapshots_ends_as_if_nothing_had_happened() {
    let lab = Lab::new();
    let mut dice = Dice::of("damaged");
    let experiment =
        crash::experiment(crash::PROMOTION).table("[snapshots]\ninterval = 1\nkeep = 4");
    let (undisturbed, lines) = crash::undisturbed(&lab, &experiment);
    for number in 0..6 {
        let name = format!("damaged-{number}");
        let victim = Victim::new(&lab, experiment.clone(), &name, lines);
        if !victim.killed(&mut dice) || !lab.path(&format!("runs/{name}/chunks")).is_dir() {
            continue;
        }
        for file in files(&lab, &name) {
            match dice.below(3) {
                0 => flip(&file, &mut dice),
                1 => fs::remove_file(file).unwrap(),
                _ => {}
            }
        }
        if !files(&lab, &name).is_empty() {
            forge(&lab, &name, &mut dice);
            // For people it is no reason to fail either.
            let listed = lab.tune(&["snapshots", &name]);
            assert_eq!(listed.code, Some(0), "{listed}");
            assert!(listed.stderr.contains("warning"), "{listed}");
        }
        victim.finish().must_equal(&undisturbed);
    }
}

#[test]
fn snapshots_are_listed_with_what_they_take() {
    let lab = Lab::new();
    let experiment = crash::experiment(crash::FIFO).table("[snapshots]\ninterval = 3\nkeep = 2");
    lab.run(&experiment, &["--name", "run"]).exits(0);
    let text = lab.tune(&["snapshots", "run"]).exits(0).stdout;
    assert!(text.contains("trial"), "{text}");
    let json = lab
        .tune(&["snapshots", "run", "--format", "json"])
        .exits(0)
        .json();
    assert!(!json["snapshots"].as_array().unwrap().is_empty(), "{json}");
    let taken: u64 = files(&lab, "run")
        .iter()
        .map(|file| fs::metadata(file).unwrap().len())
        .sum();
    assert_eq!(json["totals"]["disk_bytes"], taken, "{json}");
}

#[test]
fn a_full_quota_leaves_states_out_and_fails_no_trial() {
    let lab = Lab::new();
    let experiment = crash::experiment(crash::FIFO);
    lab.run(&experiment, &["--name", "roomy"]).exits(0);
    let tight = experiment.table("[snapshots]\ninterval = 1\nkeep = 100\ndisk = \"1 MiB\"");
    lab.run(&tight, &["--name", "tight"]).exits(0);
    Outcome::of(&lab, "tight").must_equal(&Outcome::of(&lab, "roomy"));
    let taken: u64 = files(&lab, "tight")
        .iter()
        .map(|file| fs::metadata(file).unwrap().len())
        .sum();
    assert!(taken <= 1 << 20, "{taken}");
}

#[test]
fn a_plugin_check_says_what_there_is_of_snapshots_and_portable_state_and_doctor_how() {
    let lab = Lab::new();
    for (guest, portable) in [
        (tune_test_artifacts::TRIAL_BALLAST, true),
        (tune_test_artifacts::TRIAL_DIARY, false),
    ] {
        let json = lab.tune(&["plugin", "check", guest, "--format", "json"]);
        let json = json.exits(0).json();
        assert_eq!(json["snapshots"], true, "{json}");
        assert_eq!(json["portable_state"], portable, "{json}");
        let text = lab.tune(&["plugin", "check", guest]).exits(0).stdout;
        let word = if portable { "yes" } else { "no" };
        let line = text.lines().find(|l| l.starts_with("portable state"));
        assert!(line.unwrap().ends_with(word), "{text}");
    }
    let doctor = lab.tune(&["doctor"]).exits(0).stdout;
    let line = doctor.lines().find(|line| line.starts_with("snapshots"));
    assert!(line.unwrap().contains("is found by"), "{doctor}");
}
