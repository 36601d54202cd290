//! `dehb` as the host calls it: which budgets, who is promoted, of whom children are made.

use std::collections::VecDeque;

use tune_plugin::{
    Config, Ending, FailureKind, Observation, Outcome, Parameter, Proposal, Report, Searcher,
    Setup, Stream, Suggestion, TrialId, parse_options,
};
use tune_searchers::Dehb;

use crate::lab::{choice, minimum, number, real, reals, setup, sphere, start};

fn with_budgets(space: &[Parameter], max_t: f64, options: &str) -> Dehb {
    let setup = Setup {
        max_t: Some(max_t),
        slots: 4,
        ..setup(space, 3, options)
    };
    Dehb::init(&setup, parse_options(options).unwrap()).unwrap()
}

fn proposed(dehb: &mut Dehb, trial: TrialId) -> Proposal {
    match dehb.suggest(trial, &Config::new()).unwrap() {
        Suggestion::Configure(proposal) => proposal,
        other => panic!("{other:?}"),
    }
}

fn report(loss: f64, t: f64) -> Report {
    let report = Report::default().with("loss", loss);
    report.with("training_iteration", t)
}

fn ended(loss: f64, budget: Option<f64>) -> Outcome {
    Outcome {
        ending: Ending::Finished,
        last: Some(report(loss, budget.unwrap_or(1.0))),
    }
}

/// One trial after another, trial by trial with these losses.
fn one_by_one(dehb: &mut Dehb, losses: impl IntoIterator<Item = f64>) -> Vec<Proposal> {
    let mut proposals = Vec::new();
    for loss in losses {
        let trial = proposals.len() as TrialId;
        let proposal = proposed(dehb, trial);
        dehb.complete(trial, &ended(loss, proposal.budget));
        proposals.push(proposal);
    }
    proposals
}

/// 9 trials with budget 1, of which trials 4, 7 and 2 are the best, in this order; then trial 10 of
/// the promoted ones is.
const FIRST_BRACKET: [f64; 13] = [
    9.0, 8.0, 3.0, 7.0, 1.0, 6.0, 5.0, 2.0, 4.0, 0.9, 0.3, 0.6, 0.2,
];

#[test]
fn the_best_of_a_rung_are_promoted_in_their_order() {
    let mut dehb = with_budgets(&reals(2), 9.0, "{}");
    let trials = one_by_one(&mut dehb, FIRST_BRACKET);
    let budgets: Vec<f64> = trials.iter().map(|p| p.budget.unwrap()).collect();
    assert_eq!(budgets[..9], [1.0; 9]);
    assert_eq!(budgets[9..], [3.0, 3.0, 3.0, 9.0]);
    let config = |trial: usize| &trials[trial].config;
    assert_eq!(config(9), config(4));
    assert_eq!(config(10), config(7));
    assert_eq!(config(11), config(2));
    assert_eq!(config(12), config(7), "the best with budget 3");
    assert!(
        trials
            .iter()
            .all(|p| p.start_from.is_none() && p.seed.is_none())
    );
}

#[test]
fn brackets_follow_one_another_the_smallest_budget_first() {
    let mut dehb = with_budgets(&reals(2), 9.0, "{}");
    let losses = FIRST_BRACKET.into_iter().chain((0..20).map(f64::from));
    let trials = one_by_one(&mut dehb, losses);
    let budgets: Vec<f64> = trials.iter().map(|p| p.budget.unwrap()).collect();
    assert_eq!(budgets[13..17], [3.0, 3.0, 3.0, 9.0], "the second bracket");
    assert_eq!(budgets[17..20], [9.0; 3], "the third");
    assert_eq!(budgets[20..29], [1.0; 9], "the first again");
    assert_eq!(budgets[29..33], [3.0, 3.0, 3.0, 9.0]);
}

#[test]
fn a_bracket_that_waits_lets_the_next_one_begin_and_goes_on_first() {
    let mut dehb = with_budgets(&reals(2), 9.0, "{}");
    let mut budgets: Vec<f64> = (0..10)
        .map(|trial| proposed(&mut dehb, trial).budget.unwrap())
        .collect();
    assert_eq!(budgets.pop(), Some(3.0), "the second bracket");
    assert_eq!(budgets, [1.0; 9]);
    let mut first = Vec::new();
    for trial in 0..9 {
        dehb.complete(trial, &ended(FIRST_BRACKET[trial as usize], Some(1.0)));
        first.push(trial);
    }
    // Trials 10 to 12 are the promoted ones of the first, 13 is of the second.
    let next: Vec<Proposal> = (10..14).map(|trial| proposed(&mut dehb, trial)).collect();
    assert!(next.iter().all(|p| p.budget == Some(3.0)));
    let mut again = with_budgets(&reals(2), 9.0, "{}");
    let before = (0..9).map(|trial| proposed(&mut again, trial).config);
    let before: Vec<Config> = before.collect();
    assert_eq!(next[0].config, before[4]);
    assert_eq!(next[2].config, before[2]);
    assert!(!before.contains(&next[3].config));
}

/// Where a configuration of [`reals`] is in the unit square.
fn point(config: &Config) -> [f64; 2] {
    ["x0", "x1"].map(|name| (number(config, name) + 5.0) / 10.0)
}

#[test]
fn mutants_are_made_of_the_best_of_the_budget_below() {
    let mut dehb = with_budgets(&reals(2), 9.0, r#"{"crossover_prob": 1.0}"#);
    // The second round's children are all worse than their targets, so that nobody changes.
    let losses = FIRST_BRACKET.into_iter().chain((13..29).map(|_| 99.0));
    let mut trials = one_by_one(&mut dehb, losses);
    for trial in 29..32 {
        trials.push(proposed(&mut dehb, trial));
    }
    let best: Vec<[f64; 2]> = [4, 7, 2]
        .iter()
        .map(|t| point(&trials[*t].config))
        .collect();
    for child in &trials[29..32] {
        assert_eq!(child.budget, Some(3.0));
        let child = point(&child.config);
        // Some order of the three gives each value that did not leave the square.
        let mut explained = false;
        for [a, b, c] in [
            [0, 1, 2],
            [0, 2, 1],
            [1, 0, 2],
            [1, 2, 0],
            [2, 0, 1],
            [2, 1, 0],
        ] {
            explained |= (0..2).all(|i| {
                let gene = best[a][i] + 0.5 * (best[b][i] - best[c][i]);
                (gene - child[i]).abs() < 1e-9 || !(0.0..=1.0).contains(&gene)
            });
        }
        assert!(explained, "{child:?} of {best:?}");
    }
}

#[test]
fn a_child_that_is_not_worse_is_who_the_next_ones_come_from() {
    // One budget, 20 members. Without crossover a child differs from its target in one value.
    let mut dehb = with_budgets(&reals(2), 1.0, r#"{"crossover_prob": 0.0}"#);
    let losses = (0..80).map(|trial| match trial {
        // Children of 0 and 1: better, and worse.
        20 => -1.0,
        21 => 99.0,
        // A child of 20 that is as good.
        40 => -1.0,
        trial => f64::from(trial % 20),
    });
    let trials = one_by_one(&mut dehb, losses);
    assert!(trials.iter().all(|p| p.budget == Some(1.0)));
    for (child, target) in [(20, 0), (21, 1), (40, 20), (41, 1), (60, 40), (79, 59)] {
        let [child, target] = [child, target].map(|trial: usize| &trials[trial].config);
        let alike = ["x0", "x1"].map(|x| child.get(x) == target.get(x));
        assert!(alike[0] != alike[1], "{child:?} of {target:?}");
    }
}

#[test]
fn who_failed_is_not_promoted() {
    for (on_error, told) in [("worst", 9), ("ignore", 9)] {
        let options = format!(r#"{{"on_error": "{on_error}"}}"#);
        let mut dehb = with_budgets(&reals(2), 9.0, &options);
        let mut configs = Vec::new();
        for trial in 0..told {
            configs.push(proposed(&mut dehb, trial).config);
            let outcome = match trial {
                5 => ended(1.0, Some(1.0)),
                6 => ended(f64::NAN, Some(1.0)),
                _ => Outcome {
                    ending: Ending::Failed(FailureKind::Trap),
                    last: Some(report(-1.0, 1.0)),
                },
            };
            dehb.complete(trial, &outcome);
        }
        let next: Vec<Proposal> = (9..12).map(|trial| proposed(&mut dehb, trial)).collect();
        assert!(next.iter().all(|p| p.budget == Some(3.0)));
        assert_eq!(next[0].config, configs[5]);
        // There is nobody else: the rung is filled anew.
        assert!(next[1..].iter().all(|p| !configs.contains(&p.config)));
    }
}

#[test]
fn a_promoted_trial_goes_on_from_the_state_of_the_smaller_budget_or_else_from_the_beginning() {
    let mut dehb = with_budgets(&reals(2), 9.0, r#"{"continue": true}"#);
    let trials = one_by_one(&mut dehb, FIRST_BRACKET);
    let sources: Vec<Option<TrialId>> = trials.iter().map(|p| p.start_from).collect();
    assert_eq!(sources[..9], [None; 9]);
    assert_eq!(sources[9..], [Some(4), Some(7), Some(2), Some(10)]);
    // The host refuses a state that it does not have, and asks again.
    let mut dehb = with_budgets(&reals(2), 9.0, r#"{"continue": true}"#);
    one_by_one(&mut dehb, FIRST_BRACKET.into_iter().take(9));
    let first = proposed(&mut dehb, 9);
    let second = proposed(&mut dehb, 9);
    assert_eq!(first.start_from, Some(4));
    assert_eq!((second.start_from, second.budget), (None, Some(3.0)));
    assert_eq!(first.config, second.config);
    dehb.complete(9, &ended(0.9, Some(3.0)));
    assert_eq!(proposed(&mut dehb, 10).config, trials[7].config);
}

#[test]
fn results_from_elsewhere_join_the_budget_that_they_reached() {
    let known = |x: f64, loss: f64, t: f64| Observation {
        config: [("x0".to_owned(), x.into()), ("x1".to_owned(), x.into())]
            .into_iter()
            .collect(),
        last: Some(report(loss, t)),
        ending: Ending::Finished,
    };
    let mut dehb = with_budgets(&reals(2), 9.0, r#"{"continue": true}"#);
    dehb.seed_with(&[known(1.0, 0.01, 2.0), known(2.0, 0.02, 4.0)]);
    let trials = one_by_one(&mut dehb, FIRST_BRACKET);
    assert_eq!(
        number(&trials[9].config, "x0"),
        1.0,
        "the best with budget 1"
    );
    assert_eq!(trials[10].config, trials[4].config);
    assert_eq!(
        number(&trials[12].config, "x0"),
        2.0,
        "the best with budget 3"
    );
    assert_eq!(trials[12].start_from, None, "no trial of this run");
}

#[test]
fn pinned_keys_stay_also_where_a_configuration_would_be_promoted() {
    let mut dehb = with_budgets(&reals(2), 9.0, r#"{"continue": true}"#);
    let trials = one_by_one(&mut dehb, FIRST_BRACKET.into_iter().take(9));
    let pinned: Config = [("x0".to_owned(), 1.5.into())].into_iter().collect();
    let Suggestion::Configure(proposal) = dehb.suggest(9, &pinned).unwrap() else {
        panic!("it is exhausted");
    };
    assert_eq!(number(&proposal.config, "x0"), 1.5);
    assert_eq!(proposal.config.get("x1"), trials[4].config.get("x1"));
    assert_eq!(proposal.start_from, None, "another configuration");
}

#[test]
fn a_discrete_space_is_over_when_all_was_tried_with_the_largest_budget() {
    let space = [choice("kind", &["a", "b", "c", "d"])];
    let mut dehb = with_budgets(&space, 9.0, "{}");
    let mut tried: Vec<(String, Option<f64>)> = Vec::new();
    while let Suggestion::Configure(proposal) = dehb
        .suggest(tried.len() as TrialId, &Config::new())
        .unwrap()
    {
        dehb.complete(tried.len() as TrialId, &ended(1.0, proposal.budget));
        tried.push((format!("{:?}", proposal.config), proposal.budget));
    }
    let all = tried.len();
    assert_eq!(tried.iter().filter(|(_, b)| *b == Some(9.0)).count(), 4);
    tried.sort_by(|a, b| a.partial_cmp(b).unwrap());
    tried.dedup();
    assert_eq!(tried.len(), all, "none twice with one budget");
    let mut dehb = with_budgets(&space, 9.0, r#"{"unique": false}"#);
    assert_eq!(one_by_one(&mut dehb, (0..40).map(f64::from)).len(), 40);
}

#[test]
fn without_budgets_it_is_differential_evolution_and_beats_random_draws() {
    let mut dehb: Dehb = start(&reals(2), 1, "{}");
    assert!(
        one_by_one(&mut dehb, [1.0, 2.0])
            .iter()
            .all(|p| p.budget.is_none())
    );
    let mut stream = Stream::new(5);
    let mut ratio = 0.0;
    for seed in 0..5 {
        let found = minimum::<Dehb>(&reals(2), "{}", (seed, 150, 4), sphere);
        let random = (0..150).map(|_| {
            let at = [(); 2].map(|()| stream.unit() * 10.0 - 6.3);
            at.iter().map(|x| x * x).sum::<f64>()
        });
        let random = random.fold(f64::INFINITY, f64::min);
        ratio += libm::log10(found / random) / 5.0;
    }
    assert!(ratio < -0.5, "{ratio}");
}

/// The best true loss of full trials for so much resource, several trials at once: a result is off by
/// an amount that shrinks with the budget.
fn found(seed: u64, resource: f64, is_random: bool) -> f64 {
    let space = [real("x0"), real("x1"), real("x2")];
    let setup = Setup {
        max_t: Some(27.0),
        slots: 4,
        ..setup(&space, seed, "{}")
    };
    let mut dehb = Dehb::init(&setup, parse_options("{}").unwrap()).unwrap();
    let mut stream = Stream::new(seed);
    let (mut spent, mut trial, mut best) = (0.0, 0, f64::INFINITY);
    let mut running = VecDeque::new();
    while spent < resource {
        let mut proposal = proposed(&mut dehb, trial);
        if is_random {
            proposal.budget = Some(27.0);
            proposal.config = space
                .iter()
                .map(|p| (p.name.clone(), p.domain.sample(&mut stream)))
                .collect();
        }
        let budget = proposal.budget.unwrap();
        spent += budget;
        let loss = sphere(&proposal.config);
        if budget == 27.0 {
            best = best.min(loss);
        }
        running.push_back((trial, loss + stream.unit() * 10.0 / budget, budget));
        if running.len() == 4 {
            let (trial, loss, budget) = running.pop_front().unwrap();
            dehb.complete(trial, &ended(loss, Some(budget)));
        }
        trial += 1;
    }
    best
}

#[test]
fn with_budgets_it_beats_random_draws_of_the_same_cost() {
    let mut ratio = 0.0;
    for seed in 0..5 {
        ratio += libm::log10(found(seed, 1_500.0, false) / found(seed, 1_500.0, true)) / 5.0;
    }
    assert!(ratio < -0.5, "{ratio}");
}
