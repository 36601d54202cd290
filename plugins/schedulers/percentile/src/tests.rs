use super::*;
use tune_plugin::{Action, Objective, Report, Scheduler, Setup, parse_options};

fn rule(maximize: bool, options: &str) -> ByRule<Percentile> {
    let setup = Setup {
        space: vec![],
        objectives: vec![Objective {
            metric: "reward".to_owned(),
            maximize,
        }],
        constraints: vec![],
        time_attr: "t".to_owned(),
        max_t: None,
        trials: None,
        slots: 1,
        seed: 0,
        options: String::new(),
    };
    ByRule::init(&setup, parse_options(options).unwrap()).unwrap()
}

fn report(time: f64, reward: f64) -> Report {
    Report::default().with("t", time).with("reward", reward)
}

/// A trial runs to its end with one value all the time, at 1, 2 and 3.
fn complete(rule: &mut ByRule<Percentile>, trial: TrialId, value: f64) {
    for time in [1.0, 2.0] {
        rule.on_result(trial, &report(time, value));
    }
    rule.on_complete(trial, Some(&report(3.0, value)));
}

/// Is a new trial stopped that begins with this value, when trials with the values 1 to 5 are done?
fn stopped(options: &str, maximize: bool, value: f64) -> bool {
    let mut rule = rule(maximize, options);
    for trial in 1..=5 {
        complete(&mut rule, trial, f64::from(trial));
    }
    rule.on_result(9, &report(1.0, value)) == [Action::Stop(9)]
}

#[test]
fn trials_outside_the_best_per_cent_are_stopped() {
    // Of 1 to 5 the upper quartile is 4, the lower one 2, the median 3.
    for (percentile, maximize, last_good, first_bad) in [
        (25, true, 4.0, 3.9),
        (25, false, 2.0, 2.1),
        (50, true, 3.0, 2.9),
        (50, false, 3.0, 3.1),
        (10, true, 4.6, 4.5),
        (0, true, 5.0, 4.9),
        (100, true, 1.0, 0.9),
    ] {
        let options = format!(r#"{{"percentile": {percentile}}}"#);
        assert!(
            !stopped(&options, maximize, last_good),
            "{options} {maximize}"
        );
        assert!(
            stopped(&options, maximize, first_bad),
            "{options} {maximize}"
        );
    }
}

#[test]
fn nobody_is_stopped_before_enough_trials_have_run_to_their_end() {
    let mut rule = rule(true, "{}");
    for trial in 1..=4 {
        complete(&mut rule, trial, 1.0);
        assert_eq!(rule.on_result(9, &report(f64::from(trial), 0.0)), []);
    }
    // One that runs or was stopped is not among them.
    rule.on_result(5, &report(1.0, 1.0));
    assert_eq!(rule.on_result(8, &report(1.0, 0.0)), []);
    complete(&mut rule, 6, 1.0);
    assert_eq!(rule.on_result(7, &report(1.0, 0.0)), [Action::Stop(7)]);
    assert!(!stopped(r#"{"n_min_trials": 6}"#, true, 0.0));
    assert!(stopped(r#"{"n_min_trials": 5}"#, true, 0.0));
    assert!(!stopped(r#"{"n_warmup_steps": 1.5}"#, true, 0.0));
}

#[test]
fn the_best_result_so_far_counts_and_each_interval_looks_once() {
    let mut rule = rule(true, r#"{"n_startup_trials": 1, "interval_steps": 2}"#);
    complete(&mut rule, 1, 5.0);
    assert_eq!(rule.on_result(2, &report(1.0, 6.0)), []);
    assert_eq!(rule.on_result(2, &report(2.0, 0.0)), []);
    // Seen at 2 for the interval from 2 on, so not at 3.
    rule.on_result(3, &report(1.0, 5.0));
    assert_eq!(rule.on_result(4, &report(1.0, 4.0)), [Action::Stop(4)]);
}

#[test]
fn at_a_time_to_which_no_finished_trial_came_nobody_is_stopped() {
    let mut rule = rule(true, r#"{"n_startup_trials": 1}"#);
    complete(&mut rule, 1, 5.0);
    assert_eq!(rule.on_result(2, &report(4.0, 0.0)), []);
    // Between two of its results the earlier one counts.
    assert_eq!(rule.on_result(3, &report(2.5, 0.0)), [Action::Stop(3)]);
}

#[test]
fn a_trial_without_any_number_is_stopped_and_finished_ones_without_are_the_worst() {
    assert!(stopped("{}", true, f64::NAN));
    let mut rule = rule(false, r#"{"percentile": 50, "n_startup_trials": 3}"#);
    for trial in 1..=2 {
        complete(&mut rule, trial, f64::NAN);
    }
    complete(&mut rule, 3, 1.0);
    assert_eq!(rule.on_result(4, &report(1.0, 1e300)), []);
    assert_eq!(
        rule.on_result(5, &report(1.0, f64::INFINITY)),
        [Action::Stop(5)]
    );
}
