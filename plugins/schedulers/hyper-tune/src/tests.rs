//! The rule by hand.

use super::*;
use tune_plugin::{Domain, Next, Objective, Parameter, RealRange, parse_options};

fn hyper_tune(options: &str, max_t: f64, seed: u64) -> HyperTune {
    let x = Parameter {
        name: "x".to_owned(),
        domain: Domain::Real(RealRange {
            low: 0.0,
            high: 1.0,
            log: false,
            step: None,
        }),
        conditions: Vec::new(),
    };
    let setup = Setup {
        space: vec![x],
        objectives: vec![Objective {
            metric: "score".to_owned(),
            maximize: true,
        }],
        constraints: Vec::new(),
        time_attr: "t".to_owned(),
        max_t: Some(max_t),
        trials: None,
        slots: 1,
        seed,
        options: options.to_owned(),
    };
    HyperTune::init(&setup, parse_options(options).unwrap()).unwrap()
}

fn config(x: f64) -> Config {
    let mut config = Config::new();
    config.insert("x", x);
    config
}

impl HyperTune {
    fn at(&mut self, trial: TrialId, time: f64, score: f64) -> Vec<Action> {
        let report = Report::default().with("t", time).with("score", score);
        let actions = self.on_result(trial, &report).into_iter();
        let happens = |action: &Action| !matches!(action, Action::QuietUntil(..));
        actions.filter(happens).collect()
    }

    fn next(&mut self, creation: Creation) -> Next {
        self.next_to_run(creation).next
    }
}

#[test]
fn a_rung_promotes_only_while_it_holds_the_factor_times_what_the_next_would() {
    // One bracket, rungs 1, 2, 4, factor 2.
    let options = r#"{"reduction_factor":2,"brackets":1}"#;
    let mut scheduler = hyper_tune(options, 4.0, 1);
    let first = |scheduler: &mut HyperTune, trial: TrialId, score: f64| {
        scheduler.on_add(trial, &config(0.5));
        assert_eq!(scheduler.next(Creation::Possible), Next::Run(trial));
        assert_eq!(scheduler.at(trial, 1.0, score), [Action::Pause(trial)]);
    };
    first(&mut scheduler, 0, 1.0);
    assert_eq!(scheduler.next(Creation::Possible), Next::Create);
    first(&mut scheduler, 1, 2.0);
    // Two here, none above: the better one goes on.
    assert_eq!(scheduler.next(Creation::Possible), Next::Run(1));
    assert_eq!(scheduler.at(1, 2.0, 2.0), [Action::Pause(1)]);
    first(&mut scheduler, 2, 3.0);
    // The best of three is in the top half, and plain ASHA would promote it. Here there is one
    // above, so four are waited for.
    assert_eq!(scheduler.next(Creation::Possible), Next::Create);
    first(&mut scheduler, 3, 0.5);
    assert_eq!(scheduler.next(Creation::Possible), Next::Run(2));
    assert_eq!(scheduler.at(2, 2.0, 5.0), [Action::Pause(2)]);
    // Two at rung 2, none at 4: the highest rung first.
    assert_eq!(scheduler.next(Creation::Possible), Next::Run(2));
    assert_eq!(scheduler.next(Creation::Possible), Next::Create);
    assert_eq!(scheduler.next(Creation::Closed), Next::Done);
}

#[test]
fn without_results_brackets_are_drawn_in_proportion_to_the_inverse_of_their_first_rung() {
    let mut scheduler = hyper_tune("{}", 27.0, 1);
    let weights = scheduler.weights();
    let expected = [1.0, 1.0 / 3.0, 1.0 / 9.0, 1.0 / 27.0];
    for (weight, expected) in weights.iter().zip(expected) {
        assert!(
            (weight / weights[0] - expected).abs() < 1e-12,
            "{weights:?}"
        );
    }
}

/// Where trials start after a while, when the first rung says this of `x` and later ones `x`.
fn started(early: impl Fn(f64) -> f64, seed: u64) -> Vec<u32> {
    let mut scheduler = hyper_tune(r#"{"brackets":3}"#, 9.0, seed);
    let mut stream = Stream::new(seed);
    let mut times: BTreeMap<TrialId, (f64, f64)> = BTreeMap::new();
    let mut counts = vec![0; 3];
    let mut created = 0;
    while created < 150 {
        match scheduler.next(Creation::Possible) {
            Next::Create => {
                let x = stream.unit();
                scheduler.on_add(created, &config(x));
                times.insert(created, (x, 0.0));
                if created >= 100 {
                    counts[scheduler.brackets.bracket_of(created).unwrap()] += 1;
                }
                created += 1;
            }
            Next::Run(trial) => loop {
                let (x, time) = times.get_mut(&trial).unwrap();
                *time += 1.0;
                let (x, time) = (*x, *time);
                let score = if time < 3.0 { early(x) } else { x };
                let report = Report::default().with("t", time).with("score", score);
                if time >= 9.0 {
                    scheduler.on_complete(trial, Some(&report));
                    break;
                }
                if !scheduler.on_result(trial, &report).is_empty() {
                    break;
                }
            },
            other => panic!("{other:?}"),
        }
    }
    counts
}

#[test]
fn where_the_first_rung_misleads_more_trials_start_above_it() {
    let (mut right, mut wrong) = (0, 0);
    for seed in 0..3 {
        right += started(|x| x, seed)[0];
        wrong += started(|x| -x, seed)[0];
    }
    // Of 150: two thirds without anything learnt.
    assert!(right > 2 * wrong, "{right} {wrong}");
}

#[test]
fn whoever_is_gone_is_never_promoted() {
    let options = r#"{"reduction_factor":2,"brackets":1}"#;
    let mut scheduler = hyper_tune(options, 4.0, 1);
    for trial in 0..4 {
        scheduler.on_add(trial, &config(0.5));
        assert_eq!(scheduler.next(Creation::Closed), Next::Run(trial));
    }
    for trial in 0..3 {
        scheduler.at(trial, 1.0, f64::from(trial));
    }
    scheduler.on_error(3, FailureKind::Trap, false);
    scheduler.on_remove(2);
    assert_eq!(scheduler.next(Creation::Closed), Next::Done);
    assert!(scheduler.places.len() == 2);
    assert!(
        scheduler.describe().starts_with("hyper-tune 1: 3 cut"),
        "{}",
        scheduler.describe()
    );
}

#[test]
fn equal_seeds_decide_equally() {
    assert_eq!(started(|x| x, 7), started(|x| x, 7));
}
