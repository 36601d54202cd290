//! Killed at random instants, under every shipped scheduler: the run is resumed and ends as if
//! nothing had happened, with the same digest, results, best configuration, logs and artifacts.

use std::{fs, thread, time::Duration};

use crate::{
    dice::Dice,
    experiment::Experiment,
    lab::{Finished, Lab},
    outcome::Outcome,
    population::population,
};

/// Runs of each scheduler that are killed, half of them a second time: with all schedulers that are
/// shipped more than 50.
const KILLED: u64 = 8;

/// Some tenths of a second under a scheduler, with logs and artifacts.
pub(crate) fn experiment(scheduler: &str) -> Experiment {
    Experiment::of(tune_test_artifacts::TRIAL_DIARY)
        .top("trials = 12\nmax_t = 9\nslots = 4")
        .space("rate = { loguniform = [0.01, 1.0] }\nwork = 300")
        .table("[grants]\nartifact = true")
        .table("[searcher]\nplugin = \"tpe\"\nn_startup_trials = 4")
        .table(&format!("[scheduler]\n{scheduler}"))
}

/// A run whose processes are killed.
pub(crate) struct Victim<'a> {
    lab: &'a Lab,
    file: String,
    name: String,
    /// Lines that an undisturbed run says, an event each.
    lines: u64,
}

impl<'a> Victim<'a> {
    pub(crate) fn new(lab: &'a Lab, experiment: Experiment, name: &str, lines: u64) -> Self {
        Self {
            lab,
            file: lab.file(&experiment.named(&format!("file-of-{name}"))),
            name: name.to_owned(),
            lines,
        }
    }

    /// Lets a command go on for a random number of events, and a little further, and kills it.
    fn kill(&self, arguments: &[&str], dice: &mut Dice) -> Finished {
        let (lines, delay) = (dice.below(self.lines), dice.below(20_000));
        let mut process = self.lab.start(arguments);
        let heard = process.lines();
        process.until(|| heard.get() >= lines);
        thread::sleep(Duration::from_micros(delay));
        let ended = process.kill();
        eprintln!(
            "{arguments:?} killed {delay} us after line {lines} of {}: exit code {:?}",
            self.lines, ended.code
        );
        if let Some(code) = ended.code {
            assert_eq!(code, 0, "it was faster than the kill: {ended}");
        }
        ended
    }

    /// Begins the run, or goes on with it, and kills the process. False if it ended before that.
    pub(crate) fn killed(&self, dice: &mut Dice) -> bool {
        self.kill(&self.command(), dice).code.is_none()
    }

    /// Goes on with the run until it ends.
    pub(crate) fn finish(&self) -> Outcome {
        self.lab.tune(&self.command()).exits(0);
        Outcome::of(self.lab, &self.name)
    }

    /// What goes on with the run. If it is not there, or was killed before it was, that is its
    /// beginning.
    fn command(&self) -> Vec<&str> {
        let path = self.lab.path(&format!("runs/{}", self.name));
        if path.exists() {
            let said = self.lab.tune(&["show", &self.name]);
            if said.code == Some(0) {
                return vec!["resume", &self.name];
            }
            said.exits(2).says(&["creation was cut short", "hint"]);
            fs::remove_dir_all(path).unwrap();
        }
        vec!["run", &self.file, "--name", &self.name]
    }
}

/// Runs it as it is: what it leaves, and how many lines it says.
pub(crate) fn undisturbed(lab: &Lab, experiment: &Experiment) -> (Outcome, u64) {
    // Once for the compile cache, so that processes are equally fast.
    lab.run(&experiment.clone().trials(1), &["--name", "warm-up"])
        .exits(0);
    let said = lab.run(experiment, &["--name", "undisturbed"]).exits(0);
    let lines = said.stderr.lines().count() as u64;
    (Outcome::of(lab, "undisturbed"), lines)
}

/// Kills runs and compares what they leave.
fn survives(what: &str, experiment: &Experiment) {
    survives_in(&Lab::new(), what, experiment);
}

/// The same in a directory in which there may be other runs.
pub(crate) fn survives_in(lab: &Lab, what: &str, experiment: &Experiment) {
    let mut dice = Dice::of(what);
    let (undisturbed, lines) = undisturbed(lab, experiment);
    let mut hits = 0;
    for number in 0..KILLED {
        // Snapshots change no decision, however many there are.
        let experiment = match number % 2 {
            0 => experiment.clone(),
            _ => experiment.clone().table("[snapshots]\ninterval = 1"),
        };
        let victim = Victim::new(lab, experiment, &format!("killed-{number}"), lines);
        hits += u64::from(victim.killed(&mut dice));
        if dice.below(2) == 0 {
            hits += u64::from(victim.killed(&mut dice));
        }
        victim.finish().must_equal(&undisturbed);
    }
    assert!(
        hits * 2 > KILLED,
        "only {hits} processes were killed before their end"
    );
}

pub(crate) const FIFO: &str = "plugin = \"fifo\"";
const ASHA: &str = "plugin = \"asha\"\nreduction_factor = 3";
pub(crate) const PROMOTION: &str = "plugin = \"asha\"\nreduction_factor = 3\ntype = \"promotion\"";
const MEDIAN: &str = "plugin = \"median-stopping\"\ngrace_period = 2";

#[test]
fn under_fifo() {
    survives("fifo", &experiment(FIFO));
}

#[test]
fn under_asha() {
    survives("asha", &experiment(ASHA));
}

#[test]
fn under_asha_that_pauses_and_promotes() {
    survives("promotion", &experiment(PROMOTION));
}

#[test]
fn under_median_stopping() {
    survives("median", &experiment(MEDIAN));
}

#[test]
fn under_pbt() {
    survives("pbt", &population(""));
}

#[test]
fn under_pbt_whose_members_wait_for_each_other_and_for_slots() {
    survives("synch", &population("synch = true").top("slots = 3"));
}

#[test]
fn under_pbt_replay() {
    let lab = Lab::new();
    lab.run(&population(""), &[]).exits(0);
    let best = &lab.show("pbt")["best"]["trial"];
    let replay = population("").trials(1).table(&format!(
        "[scheduler]\nplugin = \"pbt-replay\"\nlineage = {{ run = \"pbt\", trial = {best} }}"
    ));
    survives_in(&lab, "pbt-replay", &replay);
}
