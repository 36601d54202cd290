use super::*;
use std::collections::BTreeMap;
use tune_plugin::{Next, Objective, parse_options, schedule::Rung};

fn setup(max_t: Option<f64>, maximize: bool, options: &str) -> Setup {
    Setup {
        space: Vec::new(),
        objectives: vec![Objective {
            metric: "reward".to_owned(),
            maximize,
        }],
        constraints: Vec::new(),
        time_attr: "t".to_owned(),
        max_t,
        trials: None,
        slots: 8,
        seed: 3,
        options: options.to_owned(),
    }
}

fn try_asha(max_t: f64, maximize: bool, options: &str) -> Result<Asha, Vec<OptionError>> {
    let setup = setup(Some(max_t), maximize, options);
    Asha::init(&setup, parse_options(options).unwrap())
}

/// A scheduler that has been told of 20 trials.
fn asha(max_t: f64, options: &str) -> Asha {
    let mut asha = try_asha(max_t, true, options).unwrap();
    for trial in 0..20 {
        asha.on_add(trial, &Config::new());
    }
    asha
}

fn report(time: f64, reward: f64) -> Report {
    Report::default().with("t", time).with("reward", reward)
}

impl Asha {
    /// What happens to trials at a result, whatever is said of later ones.
    fn at(&mut self, trial: TrialId, time: f64, reward: f64) -> Vec<Action> {
        let actions = self.on_result(trial, &report(time, reward)).into_iter();
        let happens = |action: &Action| !matches!(action, Action::QuietUntil(..));
        actions.filter(happens).collect()
    }

    fn next(&mut self) -> Next {
        self.next_to_run(Creation::Possible).next
    }
}

/// Trial 1 reports 100 i at i = 0..9, trial 2 reports 450 at 0..4.
fn two_trials(options: &str) -> Asha {
    let mut asha = asha(10.0, options);
    for i in 0..10 {
        assert_eq!(asha.at(1, f64::from(i), f64::from(100 * i)), []);
    }
    for i in 0..5 {
        assert_eq!(asha.at(2, f64::from(i), 450.0), []);
    }
    asha
}

#[test]
fn a_trial_strictly_below_the_quantile_of_the_earlier_ones_is_stopped() {
    let mut first = two_trials(r#"{"reduction_factor":2}"#);
    assert_eq!(first.at(3, 1.0, 260.0), [Action::Stop(3)]);
    assert_eq!(first.at(4, 2.0, 260.0), [Action::Stop(4)]);
    let mut second = two_trials(r#"{"reduction_factor":2}"#);
    assert_eq!(second.at(3, 1.0, 275.0), []);
}

#[test]
fn before_the_first_rung_nobody_is_stopped() {
    let mut asha = two_trials(r#"{"grace_period":2.5,"reduction_factor":3}"#);
    assert_eq!(asha.at(3, 1.0, 10.0), []);
    assert_eq!(asha.at(3, 2.0, 10.0), []);
    assert_eq!(asha.at(3, 3.0, 10.0), [Action::Stop(3)]);
}

#[test]
fn equal_trials_all_go_on_and_a_worse_one_does_not() {
    let mut asha = asha(100.0, "");
    for trial in 0..5 {
        assert_eq!(asha.at(trial, 1.0, 10.0), []);
    }
    assert_eq!(asha.at(5, 1.0, 5.0), [Action::Stop(5)]);
    assert_eq!(asha.at(6, 1.0, 4.0), [Action::Stop(6)]);
}

#[test]
fn after_the_last_rung_it_entered_a_trial_is_left_alone() {
    let mut asha = asha(3.0, r#"{"reduction_factor":2}"#);
    assert_eq!(asha.at(0, 2.0, 10.0), []);
    for (trial, reward) in [(1, 8.0), (2, 6.0), (3, 4.0)] {
        assert_eq!(asha.at(trial, 2.0, reward), [Action::Stop(trial)]);
    }
    assert_eq!(asha.at(0, 2.5, 1.0), []);
}

#[test]
fn a_result_that_jumps_over_rungs_counts_at_the_highest_only() {
    let mut asha = asha(100.0, "");
    assert_eq!(asha.at(0, 20.0, 1.0), []);
    assert_eq!(asha.at(0, 21.0, 9.0), []);
    let held: Vec<usize> = asha.brackets.rungs()[0].iter().map(Rung::len).collect();
    assert_eq!(held, [0, 0, 1, 0, 0]);
    assert_eq!(asha.at(1, 1.0, 0.0), []);
    assert_eq!(asha.at(1, 16.0, 0.5), [Action::Stop(1)]);
}

#[test]
fn the_last_result_of_a_trial_that_ends_is_recorded_once() {
    let mut asha = asha(100.0, "");
    asha.at(0, 64.0, 1.0);
    asha.on_complete(0, Some(&report(100.0, 2.0)));
    asha.on_complete(0, Some(&report(100.0, 2.0)));
    asha.at(1, 16.0, 1.0);
    asha.on_complete(1, Some(&report(17.0, 2.0)));
    asha.on_complete(2, None);
    let held: Vec<usize> = asha.brackets.rungs()[0].iter().map(Rung::len).collect();
    assert_eq!(held, [0, 0, 1, 1, 1]);
    assert_eq!(
        asha.describe(),
        "asha (stopping) 16: 1 cut 1.0000 | 64: 1 cut 1.0000 | 100: 1 cut 2.0000"
    );
}

#[test]
fn a_minimised_metric_stops_the_larger_values() {
    let mut asha = try_asha(100.0, false, "").unwrap();
    for trial in 0..3 {
        asha.on_add(trial, &Config::new());
    }
    assert_eq!(asha.at(0, 1.0, 0.2), []);
    assert_eq!(asha.at(1, 1.0, 0.3), [Action::Stop(1)]);
    assert_eq!(asha.at(2, 1.0, 0.1), []);
}

#[test]
fn brackets_leave_out_first_rungs_and_are_drawn_in_the_given_proportions() {
    let draws = |options: &str| {
        let mut asha = asha(64.0, options);
        for trial in 20..20_000 {
            asha.on_add(trial, &Config::new());
        }
        let mut counts = vec![0.0_f64; asha.brackets.rungs().len()];
        for trial in 0..20_000 {
            counts[asha.brackets.bracket_of(trial).unwrap()] += 1.0 / 20_000.0;
        }
        (asha, counts)
    };
    let (asha, counts) = draws(r#"{"brackets":10}"#);
    let first: Vec<f64> = asha
        .brackets
        .rungs()
        .iter()
        .map(|rungs| rungs[0].level)
        .collect();
    assert_eq!(first, [1.0, 4.0, 16.0, 64.0]);
    // 1, 1/3, 1/8, 1/16 in proportion.
    for (count, weight) in counts
        .iter()
        .zip([1.0_f64, 1.0 / 3.0, 1.0 / 8.0, 1.0 / 16.0])
    {
        assert!((count - weight / 1.520_833).abs() < 0.01, "{counts:?}");
    }
    // Rung counts 4, 3, 2 under the softmax of Ray.
    let (_, counts) = draws(r#"{"brackets":3,"bracket_draw":"softmax"}"#);
    for (count, share) in counts.iter().zip([0.665_f64, 0.245, 0.090]) {
        assert!((count - share).abs() < 0.01, "{counts:?}");
    }
}

#[test]
fn a_retried_trial_keeps_its_bracket_and_rungs() {
    let mut asha = asha(100.0, "");
    asha.at(0, 1.0, 1.0);
    asha.on_error(0, FailureKind::Deadline, true);
    asha.at(0, 1.0, 0.0);
    assert_eq!(asha.brackets.rungs()[0][0].len(), 1);
    asha.on_error(0, FailureKind::Trap, false);
    assert_eq!(asha.at(0, 4.0, 1.0), []);
    assert_eq!(asha.brackets.rungs()[0][1].len(), 0);
}

#[test]
fn streams_that_are_not_numbers_and_unknown_trials_harm_nothing() {
    for kind in ["stopping", "promotion"] {
        let mut asha = asha(10.0, &format!(r#"{{"type":"{kind}"}}"#));
        let values = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
        for time in 0..10 {
            for (trial, value) in values.into_iter().enumerate() {
                let actions = asha.at(trial as TrialId, f64::from(time), value);
                assert!(
                    actions
                        .iter()
                        .all(|action| matches!(action, Action::Pause(_)))
                );
            }
        }
        asha.at(3, 1.0, 0.0);
        asha.at(77, 1.0, 0.0);
        asha.on_result(4, &Report::default());
        asha.on_complete(77, Some(&report(1.0, 1.0)));
        asha.on_remove(77);
        assert!(asha.describe().contains("1: 4 cut"), "{}", asha.describe());
    }
    let mut asha = asha(10.0, "");
    asha.at(0, 1.0, 1.0);
    assert_eq!(asha.at(1, 1.0, f64::NAN), [Action::Stop(1)]);
}

#[test]
fn promotion_equals_algorithm_2_of_the_paper_by_hand() {
    // max_t 9, factor 3: rungs 1, 3, 9. One worker, scores as listed.
    let scores = [0.1, 0.5, 0.3, 0.2, 0.9, 0.8, 0.4, 0.7, 0.6];
    let mut asha = try_asha(9.0, true, r#"{"type":"promotion","reduction_factor":3}"#).unwrap();
    let mut jobs = Vec::new();
    let mut created: TrialId = 0;
    let mut times = BTreeMap::new();
    while jobs.len() < 13 {
        match asha.next() {
            Next::Create => {
                asha.on_add(created, &Config::new());
                created += 1;
            }
            Next::Run(trial) => {
                let time = times.entry(trial).and_modify(|t| *t *= 3.0).or_insert(1.0);
                jobs.push((trial, *time));
                let result = report(*time, scores[trial as usize]);
                if *time < 9.0 {
                    let actions = asha.on_result(trial, &result);
                    let next = Action::QuietUntil(trial, result.get("t").unwrap() * 3.0);
                    assert_eq!(actions, [Action::Pause(trial), next]);
                } else {
                    assert_eq!(asha.on_complete(trial, Some(&result)), []);
                }
            }
            other => panic!("{other:?}"),
        }
    }
    // After 0, 1, 2 the best third is 1. After 3, 4 the best of five is 4: promoted at once. After
    // 5 two of six may go on, but both 4 and 5 are the top two: 5 goes on, and rung 3 then holds
    // 1, 4, 5, so 4 reaches 9. After 8 the top three are 4, 5, 7: 7 goes on.
    let expected = [
        (0, 1.0),
        (1, 1.0),
        (2, 1.0),
        (1, 3.0),
        (3, 1.0),
        (4, 1.0),
        (4, 3.0),
        (5, 1.0),
        (5, 3.0),
        (4, 9.0),
        (6, 1.0),
        (7, 1.0),
        (8, 1.0),
    ];
    assert_eq!(jobs, expected);
    assert_eq!(asha.next_to_run(Creation::Closed).next, Next::Run(7));
    assert_eq!(asha.next_to_run(Creation::Closed).next, Next::Done);
}

#[test]
fn a_promotable_trial_that_the_user_removed_is_passed_over() {
    let mut asha = asha(9.0, r#"{"type":"promotion","reduction_factor":2}"#);
    for trial in 0..4 {
        asha.at(trial, 1.0, f64::from(trial));
    }
    asha.on_remove(3);
    assert_eq!(asha.next(), Next::Run(2));
    assert_ne!(asha.next(), Next::Run(3));
}

#[test]
fn the_highest_rung_of_all_brackets_is_promoted_first() {
    // Rungs 1, 2, 4, 8 and 2, 4, 8.
    let options = r#"{"type":"promotion","reduction_factor":2,"brackets":2}"#;
    let mut asha = asha(8.0, options);
    let of = |asha: &Asha, bracket| -> Vec<TrialId> {
        let here = |trial: &TrialId| asha.brackets.bracket_of(*trial) == Some(bracket);
        (0..20).filter(here).collect()
    };
    let (first, second) = (of(&asha, 0), of(&asha, 1));
    for trial in [first[0], first[1]] {
        assert_eq!(asha.at(trial, 1.0, 0.5), [Action::Pause(trial)]);
    }
    for trial in [second[0], second[1]] {
        assert_eq!(asha.at(trial, 1.0, 0.5), []);
        assert_eq!(asha.at(trial, 2.0, 0.5), [Action::Pause(trial)]);
    }
    assert_eq!(asha.next(), Next::Run(second[0]));
    assert_eq!(asha.next(), Next::Run(first[0]));
    assert!(
        asha.describe()
            .contains("1: 2 cut 0.5000\nasha (promotion) 2: 2 cut")
    );
}

#[test]
fn wrong_options_are_all_named() {
    let options = r#"{"stop_last_trials":false,"grace_period":20}"#;
    let errors = try_asha(10.0, true, options).unwrap_err();
    let keys: Vec<&str> = errors.iter().map(|error| error.key.as_str()).collect();
    assert_eq!(keys, ["stop_last_trials", "grace_period"]);
}

#[test]
fn without_max_t_the_rungs_go_on() {
    let setup = setup(None, true, "");
    let mut asha = Asha::init(&setup, Options::default()).unwrap();
    for trial in [0, 1] {
        asha.on_add(trial, &Config::new());
    }
    asha.at(0, 65_536.0, 1.0);
    assert_eq!(asha.at(1, 65_536.0, 0.5), [Action::Stop(1)]);
}

#[test]
fn a_trial_is_quiet_until_the_next_rung_that_it_can_enter() {
    let mut asha = try_asha(9.0, true, r#"{"reduction_factor":3,"grace_period":1}"#).unwrap();
    let quiet = |level| [Action::QuietUntil(0, level)];
    assert_eq!(asha.on_add(0, &Config::new()), quiet(1.0));
    assert_eq!(asha.on_result(0, &report(1.0, 5.0)), quiet(3.0));
    assert_eq!(asha.on_result(0, &report(2.0, 5.0)), []);
    // It jumps to the last rung, at which it would end.
    assert_eq!(asha.on_result(0, &report(9.5, 5.0)), quiet(f64::INFINITY));
    asha.on_add(1, &Config::new());
    assert_eq!(asha.on_result(1, &report(1.0, 4.0)), [Action::Stop(1)]);
}
