//! Trials that go on from states of others: the same digest however the copies come about.

use tune_core::EnginePlan;
use tune_runner::{How, SnapshotPolicy};

use crate::snapshots::{damage_every, eager, interrupted, with};
use crate::{delays, plan, whole};

fn diary(trials: u32, slots: u32, scheduler: (&str, &str)) -> EnginePlan {
    let mut plan = plan(&format!(
        r#"
version = 1
name = "clones"
trainable = "diary"
metric = "loss"
mode = "min"
trials = {trials}
slots = {slots}
seed = 3
max_t = 10
[space]
rate = {{ loguniform = [0.01, 1.0] }}
work = 1
[searcher]
plugin = "random"
"#
    ));
    plan.scheduler = (scheduler.0.to_owned(), scheduler.1.to_owned());
    plan.clones = true;
    plan
}

/// The same digest under everything that must not matter, with so many exploits.
#[track_caller]
fn indifferent(plan: &EnginePlan, exploits: std::ops::RangeInclusive<u64>) {
    let plain = whole(plan, with(2, 1 << 30, SnapshotPolicy::none()));
    assert_eq!(plain.how, How::Finished);
    assert!(
        exploits.contains(&plain.story.exploits),
        "{}",
        plain.story.exploits
    );
    for (threads, run_memory, policy) in [
        (1, 1 << 30, SnapshotPolicy::none()),
        (1, 1, SnapshotPolicy::none()),
        (2, 1, eager(1)),
        (4, 3 << 20, eager(1)),
        (1, 1 << 30, eager(2)),
    ] {
        let said = format!("{threads} threads, {run_memory} bytes, {policy:?}");
        let mut options = with(threads, run_memory, policy);
        options.hook = Some(delays(threads as u64));
        let ran = whole(plan, options);
        assert_eq!(ran.digest, plain.digest, "{said}");
    }
}

#[test]
fn a_population_that_copies_its_best_is_indifferent_to_how_it_is_carried_out() {
    let options = r#"{"perturbation_interval": 2, "quantile_fraction": 0.4}"#;
    indifferent(&diary(6, 3, ("pbt", options)), 1..=100);
}

#[test]
fn so_is_one_whose_members_wait_for_each_other() {
    let options = r#"{"perturbation_interval": 3, "synch": true, "quantile_fraction": 0.4}"#;
    indifferent(&diary(6, 3, ("pbt", options)), 1..=100);
}

#[test]
fn a_population_that_is_interrupted_again_and_again_ends_as_if_it_had_not_been() {
    let options = r#"{"perturbation_interval": 2, "quantile_fraction": 0.4}"#;
    let plan = diary(6, 3, ("pbt", options));
    let plain = whole(&plan, with(2, 1 << 30, SnapshotPolicy::none()));
    for (at_once, keep, damage) in [(false, 1, 0), (true, 1, 0), (true, 2, 3), (true, 1, 2)] {
        let dir = tempfile::tempdir().unwrap();
        let options = with(2, 1 << 30, eager(keep));
        let (ran, _) = interrupted(&plan, dir.path(), &options, at_once, &|dir| {
            if damage > 0 {
                damage_every(damage, dir);
            }
        });
        assert_eq!(ran.how, How::Finished);
        assert_eq!(ran.digest, plain.digest, "{at_once} {keep} {damage}");
    }
}

fn script(trials: u32, slots: u32, lines: &[&str]) -> EnginePlan {
    let options = format!("{{\"script\": {lines:?}}}");
    diary(trials, slots, ("script", &options))
}

#[test]
fn a_source_that_goes_on_is_copied_as_it_was_when_it_was_kept() {
    let lines = [
        "0@2 keep",
        "0@5 exploit 0 1 0.2",
        "1@4 exploit 1 0 0.3",
        "1@2 keep",
    ];
    indifferent(&script(2, 2, &lines), 1..=2);
}

#[test]
fn a_paused_source_and_a_paused_target_are_copied_at_rest() {
    let lines = ["0@3 pause", "1@2 pause", "2@5 exploit 1 0 0.4"];
    indifferent(&script(3, 2, &lines), 1..=1);
}

#[test]
fn a_pending_target_begins_with_a_copy() {
    // Two slots: trial 2 begins when one of the others has ended.
    let lines = ["0@3 keep", "1@6 exploit 2 0 0.5"];
    indifferent(&script(3, 2, &lines), 1..=1);
}

#[test]
fn a_source_that_has_ended_is_still_one() {
    let lines = ["0@3 keep", "0@4 stop 0", "1@6 exploit 1 0 0.25"];
    indifferent(&script(2, 2, &lines), 1..=1);
}

#[test]
fn a_copy_that_has_not_stepped_is_a_source_too() {
    let lines = [
        "0@3 keep",
        "1@4 exploit 1 0 0.25",
        "1@4 pause",
        "2@6 exploit 2 1 0.35",
        "0@6 exploit 0 2 0.1",
    ];
    indifferent(&script(3, 3, &lines), 2..=3);
}

#[test]
fn a_target_that_is_stopped_before_it_steps_costs_nothing() {
    let lines = ["0@2 keep", "1@2 pause", "0@4 exploit 1 0 0.5", "0@5 stop 1"];
    indifferent(&script(2, 2, &lines), 1..=1);
}

#[test]
fn what_an_exploited_trial_was_can_be_copied_after_it() {
    let lines = [
        "1@2 keep",
        "0@2 keep",
        "1@3 exploit 1 0 0.5",
        "0@6 exploit 0 1 0.9",
    ];
    indifferent(&script(2, 2, &lines), 2..=2);
}
