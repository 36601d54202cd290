use super::*;
use tune_plugin::{
    Action, Config, Creation, FailureKind, Next, Objective, Report, Scheduler, Setup, parse_options,
};

type Median = ByRule<MedianStopping>;

fn rule(maximize: bool, options: &str) -> Median {
    let setup = Setup {
        space: Vec::new(),
        objectives: vec![Objective {
            metric: "reward".to_owned(),
            maximize,
        }],
        constraints: Vec::new(),
        time_attr: "t".to_owned(),
        max_t: Some(100.0),
        trials: None,
        slots: 8,
        seed: 0,
        options: options.to_owned(),
    };
    Median::init(&setup, parse_options(options).unwrap()).unwrap()
}

fn report(time: f64, reward: f64) -> Report {
    Report::default().with("t", time).with("reward", reward)
}

trait At {
    fn at(&mut self, trial: TrialId, time: f64, reward: f64) -> Vec<Action>;
}

impl At for Median {
    fn at(&mut self, trial: TrialId, time: f64, reward: f64) -> Vec<Action> {
        self.on_result(trial, &report(time, reward))
    }
}

/// Trial 1 reports 100 i at i = 0..9, trial 2 reports 450 at 0..4.
fn two_trials(options: &str) -> Median {
    let mut rule = rule(true, options);
    for i in 0..10 {
        assert_eq!(rule.at(1, f64::from(i), f64::from(100 * i)), []);
    }
    for i in 0..5 {
        assert_eq!(rule.at(2, f64::from(i), 450.0), []);
    }
    rule
}

const STRICT: &str = r#"{"grace_period":0,"min_samples_required":1}"#;

#[test]
fn the_best_result_is_compared_with_the_median_of_the_means() {
    let mut rule = two_trials(STRICT);
    rule.on_complete(1, Some(&report(10.0, 1000.0)));
    assert_eq!(rule.at(2, 5.0, 450.0), []);
    assert_eq!(rule.at(2, 6.0, 0.0), []);
    assert_eq!(rule.at(2, 10.0, 450.0), [Action::Stop(2)]);
}

#[test]
fn a_new_trial_is_compared_with_all_others_and_stopped_when_strictly_worse() {
    let mut rule = two_trials(STRICT);
    assert_eq!(rule.at(3, 1.0, 260.0), []);
    assert_eq!(rule.at(3, 2.0, 260.0), [Action::Stop(3)]);
    assert_eq!(rule.at(4, 2.0, 275.0), []);
}

#[test]
fn before_grace_nobody_is_stopped() {
    let mut rule = two_trials(r#"{"grace_period":2.5,"min_samples_required":1}"#);
    assert_eq!(rule.at(3, 1.0, 10.0), []);
    assert_eq!(rule.at(3, 2.0, 10.0), []);
    assert_eq!(rule.at(3, 3.0, 10.0), [Action::Stop(3)]);
}

#[test]
fn too_few_others_judge_nobody() {
    let mut rule = rule(true, r#"{"grace_period":0,"min_samples_required":2}"#);
    for i in 0..10 {
        rule.at(1, f64::from(i), f64::from(100 * i));
    }
    rule.on_complete(1, Some(&report(10.0, 1000.0)));
    assert_eq!(rule.at(3, 3.0, 10.0), []);
    for i in 0..10 {
        rule.at(2, f64::from(i), 450.0);
    }
    rule.on_complete(2, Some(&report(10.0, 450.0)));
    assert_eq!(rule.at(3, 3.0, 10.0), [Action::Stop(3)]);
}

#[test]
fn a_minimised_metric_stops_the_larger_values() {
    let mut rule = rule(false, STRICT);
    rule.at(0, 1.0, 0.2);
    assert_eq!(rule.at(1, 1.0, 0.2), []);
    assert_eq!(rule.at(2, 1.0, 0.3), [Action::Stop(2)]);
    assert_eq!(rule.at(3, 1.0, 0.1), []);
}

#[test]
fn a_soft_stop_pauses_once_and_never_judges_again() {
    let soft = r#"{"grace_period":0,"min_samples_required":1,"hard_stop":false}"#;
    let mut rule = two_trials(soft);
    assert_eq!(rule.at(3, 2.0, 10.0), [Action::Pause(3)]);
    assert_eq!(rule.next_to_run(Creation::Possible).next, Next::Create);
    assert_eq!(rule.next_to_run(Creation::Closed).next, Next::Run(3));
    assert_eq!(rule.at(3, 3.0, 0.0), []);
    assert_eq!(rule.next_to_run(Creation::Closed).next, Next::Done);
    // What it reports from now on is not among the means.
    assert_eq!(rule.at(4, 3.0, 300.0), []);
}

#[test]
fn while_there_are_too_few_others_a_trial_makes_room_for_a_waiting_one() {
    let mut rule = rule(true, r#"{"grace_period":0,"min_time_slice":2}"#);
    assert_eq!(rule.at(0, 1.0, 1.0), []);
    rule.on_add(1, &Config::new());
    assert_eq!(rule.at(0, 2.0, 1.0), [Action::Pause(0)]);
    assert_eq!(rule.next_to_run(Creation::Closed).next, Next::Run(1));
    assert_eq!(rule.next_to_run(Creation::Closed).next, Next::Run(0));
    rule.on_add(2, &Config::new());
    assert_eq!(rule.at(0, 4.0, 1.0), []);
    assert_eq!(rule.at(0, 5.0, 1.0), [Action::Pause(0)]);
}

#[test]
fn streams_that_are_not_numbers_and_unknown_trials_harm_nothing() {
    let mut rule = rule(true, STRICT);
    for time in 0..20 {
        for (trial, value) in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY]
            .into_iter()
            .enumerate()
        {
            assert_eq!(rule.at(trial as TrialId, f64::from(time), value), []);
        }
    }
    assert_eq!(rule.at(7, 3.0, 0.0), []);
    assert_eq!(rule.at(0, 20.0, f64::NAN), []);
    assert_eq!(rule.at(1, 20.0, 1.0), []);
    assert_eq!(rule.at(2, 20.0, f64::NAN), []);
    assert_eq!(rule.on_result(9, &Report::default()), []);
    rule.on_complete(99, None);
    rule.on_remove(99);
    assert_eq!(rule.on_error(99, FailureKind::Trap, false), []);
    assert_eq!(rule.describe(), "median-stopping: 0 of 0 trials stopped");
}
