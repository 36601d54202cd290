//! A loss of power: the process ends at a random instant, and of what was written last only a part is
//! on the disk. The run goes on from what is whole, and ends as if nothing had happened.

use std::{
    collections::BTreeSet,
    fs::{self, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
};

use crate::{
    crash::{self, Victim},
    dice::Dice,
    experiment::Experiment,
    lab::Lab,
};

/// Losses of power for each scheduler.
const LOSSES: u64 = 6;

/// The files in a folder, newest first; none if there is no such folder.
fn newest(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let dated = |entry: fs::DirEntry| {
        let data = entry.metadata().ok().filter(fs::Metadata::is_file)?;
        Some((data.modified().unwrap(), entry.path()))
    };
    let mut files: Vec<_> = entries.filter_map(|e| dated(e.unwrap())).collect();
    files.sort();
    files.into_iter().rev().map(|(_, path)| path).collect()
}

/// Cuts up to `most` bytes off the end of a file.
fn cut(file: &Path, most: u64, dice: &mut Dice) {
    let length = fs::metadata(file).unwrap().len();
    let lost = dice.below(most.min(length) + 1);
    let file = OpenOptions::new().write(true).open(file).unwrap();
    file.set_len(length - lost).unwrap();
}

/// What was written and never reached a commit.
fn append(file: &Path, dice: &mut Dice) {
    let mut file = OpenOptions::new().append(true).open(file).unwrap();
    let bytes = dice.below(2_000);
    file.write_all(&vec![b'?'; bytes as usize]).unwrap();
}

/// Spoils the ends of the newest files of a run. Returns the logs that are shorter than what their
/// rows say, which no loss of power does to a disk that keeps its word: such a run goes on, without
/// those lines.
fn lose_power(run: &Path, dice: &mut Dice) -> BTreeSet<String> {
    let mut shortened = BTreeSet::new();
    let wal = run.join("run.db-wal");
    if wal.exists() {
        // Some groups of rows: what comes after the commit that is cut is lost.
        cut(&wal, 1 << 17, dice);
    }
    for log in newest(&run.join("logs")).into_iter().take(3) {
        if dice.below(3) == 0 {
            cut(&log, 100, dice);
            let name = log.file_name().unwrap().to_str().unwrap();
            shortened.insert(format!("logs/{name}"));
        } else {
            append(&log, dice);
        }
    }
    for snapshot in newest(&run.join("chunks")).into_iter().take(2) {
        cut(&snapshot, 200_000, dice);
    }
    for folder in newest_folders(&run.join("artifacts")).into_iter().take(2) {
        for file in newest(&folder) {
            cut(&file, 20, dice);
        }
    }
    let staging = run.join("artifacts/staging");
    if staging.is_dir() {
        fs::write(staging.join("half"), "half of a fi").unwrap();
    }
    shortened
}

/// The folders of trials, newest first.
fn newest_folders(artifacts: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(artifacts).into_iter().flatten();
    let mut folders: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir() && !path.ends_with("content") && !path.ends_with("staging"))
        .map(|path| (fs::metadata(&path).unwrap().modified().unwrap(), path))
        .collect();
    folders.sort();
    folders.into_iter().rev().map(|(_, path)| path).collect()
}

fn survives(what: &str, experiment: &Experiment) {
    let lab = Lab::new();
    let mut dice = Dice::of(what);
    let experiment = experiment.clone().table("[snapshots]\ninterval = 1");
    let (undisturbed, lines) = crash::undisturbed(&lab, &experiment);
    let mut hits = 0;
    for number in 0..LOSSES {
        let name = format!("lost-{number}");
        let victim = Victim::new(&lab, experiment.clone(), &name, lines);
        // Of a run that has just ended everything is on the disk.
        if !victim.killed(&mut dice) || lab.status(&name) == Some("finished".to_owned()) {
            continue;
        }
        hits += 1;
        let shortened = lose_power(&lab.path(&format!("runs/{name}")), &mut dice);
        let leave_out = |outcome: crate::outcome::Outcome| {
            shortened.iter().fold(outcome, |o, log| o.without(log))
        };
        leave_out(victim.finish()).must_equal(&leave_out(undisturbed.clone()));
    }
    assert!(
        hits * 2 > LOSSES,
        "only {hits} processes were killed in time"
    );
}

#[test]
fn under_fifo() {
    survives("power, fifo", &crash::experiment(crash::FIFO));
}

#[test]
fn under_asha_that_pauses_and_promotes() {
    survives("power, promotion", &crash::experiment(crash::PROMOTION));
}
