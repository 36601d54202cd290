use super::*;
use tune_plugin::{Next, Objective, parse_options};

fn setup(max_t: f64, maximize: bool) -> Setup {
    Setup {
        space: Vec::new(),
        objectives: vec![Objective {
            metric: "score".to_owned(),
            maximize,
        }],
        constraints: Vec::new(),
        time_attr: "t".to_owned(),
        max_t: Some(max_t),
        trials: None,
        slots: 1,
        seed: 0,
        options: String::new(),
    }
}

/// A scheduler of 20 trials that have left the queue.
fn pasha(max_t: f64, options: &str) -> Pasha {
    let options = parse_options(options).unwrap();
    let mut pasha = Pasha::init(&setup(max_t, true), options).unwrap();
    for trial in 0..20 {
        pasha.on_add(trial, &Config::new());
        assert_eq!(pasha.next(), Next::Run(trial));
    }
    pasha
}

fn report(time: f64, score: f64) -> Report {
    Report::default().with("t", time).with("score", score)
}

impl Pasha {
    fn at(&mut self, trial: TrialId, time: f64, score: f64) -> Vec<Action> {
        let actions = self.on_result(trial, &report(time, score)).into_iter();
        let happens = |action: &Action| !matches!(action, Action::QuietUntil(..));
        actions.filter(happens).collect()
    }

    fn next(&mut self) -> Next {
        self.next_to_run(Creation::Possible).next
    }

    /// Trial `i` has the result `scores[i]` at `time`; all pause.
    fn all_at(&mut self, time: f64, scores: &[f64]) {
        for (trial, score) in (0..).zip(scores) {
            assert_eq!(self.at(trial, time, *score), [Action::Pause(trial)]);
        }
    }
}

#[test]
fn at_first_the_two_lowest_rungs_are_in_use_and_a_trial_waits_at_the_second() {
    let mut pasha = pasha(81.0, "{\"epsilon\":0.0}");
    pasha.all_at(1.0, &[0.9, 0.8, 0.7, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]);
    for trial in 0..3 {
        assert_eq!(pasha.next(), Next::Run(trial));
    }
    assert_eq!(pasha.next(), Next::Create);
    // The same ranking at 3: all stay there, and a third of them is not promoted to 9.
    pasha.all_at(3.0, &[0.95, 0.9, 0.8]);
    assert_eq!(pasha.ceiling, 1);
    assert_eq!(pasha.next(), Next::Create);
    assert_eq!(pasha.next_to_run(Creation::Closed).next, Next::Done);
}

#[test]
fn when_the_rankings_of_the_two_top_rungs_differ_the_ceiling_rises_by_one_rung() {
    let mut pasha = pasha(81.0, "{\"epsilon\":0.0}");
    pasha.all_at(1.0, &[0.9, 0.8, 0.7, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]);
    for trial in 0..3 {
        assert_eq!(pasha.next(), Next::Run(trial));
    }
    pasha.all_at(3.0, &[0.90]);
    assert_eq!(pasha.ceiling, 1, "one trial has one ranking");
    // 1 overtakes 0.
    pasha.at(1, 3.0, 0.95);
    assert_eq!(pasha.ceiling, 2);
    pasha.at(2, 3.0, 0.5);
    assert_eq!(
        pasha.next(),
        Next::Run(1),
        "the best of three at 3 goes on to 9"
    );
    assert_eq!(pasha.next(), Next::Create);
    assert_eq!(pasha.at(1, 9.0, 0.96), [Action::Pause(1)]);
    assert_eq!((pasha.ceiling, pasha.next()), (2, Next::Create));
}

#[test]
fn a_change_of_places_within_epsilon_does_not_raise_the_ceiling() {
    for (epsilon, ceiling) in [(0.05, 2), (0.2, 1)] {
        let mut pasha = pasha(81.0, &format!("{{\"epsilon\":{epsilon}}}"));
        pasha.all_at(1.0, &[0.9, 0.8]);
        pasha.all_at(3.0, &[0.90, 0.95]);
        assert_eq!(pasha.ceiling, ceiling, "0.9 and 0.8 are 0.1 apart");
    }
}

#[test]
fn without_epsilon_it_is_the_noise_of_curves_that_cross_and_cross_back() {
    let mut pasha = pasha(81.0, "");
    // At 1: 0.52, 0.50. At 2 the second is ahead, at 3 the first again, by 0.1.
    pasha.all_at(1.0, &[0.52, 0.50, 0.48]);
    pasha.at(0, 2.0, 0.6);
    pasha.at(0, 3.0, 0.8);
    pasha.at(1, 2.0, 0.7);
    pasha.at(1, 3.0, 0.7);
    assert!((pasha.noise.epsilon - 0.1).abs() < 1e-12);
    assert_eq!(pasha.ceiling, 1);
    // 2 is third at 1, by 0.04, and first at 3.
    pasha.at(2, 2.0, 0.8);
    pasha.at(2, 3.0, 0.9);
    assert_eq!(pasha.ceiling, 1, "0.04 is noise");
    assert!(
        pasha
            .describe()
            .starts_with("pasha (ceiling 3, equal within 0.1000) 1: 3"),
        "{}",
        pasha.describe()
    );
    // The fourth is third from 0.1 at 1: a different ranking.
    pasha.at(3, 1.0, 0.1);
    pasha.at(3, 2.0, 0.2);
    pasha.at(3, 3.0, 0.95);
    assert_eq!(pasha.ceiling, 2);
}

#[test]
fn the_ceiling_rises_to_max_t_and_no_further_and_ends_count_there() {
    let mut pasha = pasha(4.0, "{\"epsilon\":0.0}");
    // Rungs 1, 3, 4.
    pasha.all_at(1.0, &[0.9, 0.8]);
    pasha.all_at(3.0, &[0.8, 0.9]);
    assert_eq!(pasha.ceiling, 2);
    pasha.on_complete(0, Some(&report(4.0, 0.9)));
    pasha.on_complete(1, Some(&report(4.0, 0.8)));
    assert_eq!((pasha.ceiling, pasha.brackets.rungs()[0][2].len()), (2, 2));
    assert_eq!(pasha.next(), Next::Create);
}

#[test]
fn a_run_of_one_rung_has_no_rankings() {
    let mut pasha = pasha(5.0, "{\"grace_period\":5}");
    pasha.on_complete(0, Some(&report(5.0, 0.9)));
    pasha.on_complete(1, Some(&report(5.0, 0.95)));
    assert_eq!(pasha.ceiling, 0);
}

#[test]
fn a_minimised_metric_ranks_the_other_way() {
    let options = parse_options("{\"epsilon\":0.05}").unwrap();
    let mut pasha = Pasha::init(&setup(81.0, false), options).unwrap();
    for trial in 0..2 {
        pasha.on_add(trial, &Config::new());
    }
    pasha.all_at(1.0, &[0.1, 0.2]);
    pasha.all_at(3.0, &[0.05, 0.1]);
    assert_eq!(pasha.ceiling, 1);
}

#[test]
fn results_that_are_not_numbers_neither_enter_the_noise_nor_stop_the_run() {
    let mut pasha = pasha(81.0, "");
    for time in [1.0, 2.0, 3.0] {
        for (trial, value) in (0..).zip([f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1.0 / time]) {
            pasha.at(trial, time, value);
        }
    }
    assert_eq!((pasha.noise.epsilon, pasha.ceiling), (0.0, 1));
    pasha.on_result(4, &Report::default());
    pasha.at(77, 1.0, 1.0);
    pasha.on_remove(77);
}

#[test]
fn wrong_options_are_all_named() {
    let options = "{\"stop_last_trials\":false,\"noise_percentile\":0.0,\"grace_period\":99}";
    let errors = Pasha::init(&setup(9.0, true), parse_options(options).unwrap()).unwrap_err();
    let keys: Vec<_> = errors.into_iter().map(|error| error.key).collect();
    assert_eq!(
        keys,
        ["stop_last_trials", "noise_percentile", "grace_period"]
    );
}
