//! A population with and without pbt, on the same first configurations and seeds: members all run at
//! once, a round is one report of each.

use tune_plugin::{Config, Setup, Space, Stream, Trainable, parse_options};
use tune_scheduler_pbt::Pbt;

use crate::host::{Host, Plan};

/// Best and mean over the members, round by round from the first. Always maximised.
pub(crate) struct Curve {
    pub(crate) best: Vec<f64>,
    pub(crate) mean: Vec<f64>,
}

/// Runs one population.
pub(crate) fn curve<T: Trainable + Clone>(mut setup: Setup, members: u32, options: &str) -> Curve {
    let space = Space::new(setup.space.clone()).unwrap();
    let mut stream = Stream::new(setup.seed);
    let draw = |_| space.sample(&mut stream, &Config::new()).unwrap();
    let configs = (0..members).map(draw).collect();
    setup.trials = Some(members);
    setup.slots = members;
    setup.options = options.to_owned();
    let _: tune_scheduler_pbt::Options = parse_options(options).unwrap();
    let rounds = setup.max_t.unwrap() as usize;
    let objective = setup.objectives[0].clone();
    let outcome = Host::<Pbt, T>::run(&Plan::new(setup, configs));
    let mut values = vec![Vec::new(); rounds];
    for told in &outcome.told {
        let value = told.report.get(&objective.metric).unwrap();
        let value = if objective.maximize { value } else { -value };
        // A member that took over an earlier iteration is not done when the others are: what it
        // does beyond the rounds would be more than the population left alone may do.
        if let Some(round) = values.get_mut(told.tick as usize - 1) {
            round.push(value);
        }
    }
    assert!(values.iter().all(|round| round.len() == members as usize));
    let best = |round: &Vec<f64>| round.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mean = |round: &Vec<f64>| round.iter().sum::<f64>() / round.len() as f64;
    Curve {
        best: values.iter().map(best).collect(),
        mean: values.iter().map(mean).collect(),
    }
}

/// Differences, pbt minus the population left alone, one a seed.
pub(crate) fn mean(differences: &[f64]) -> f64 {
    differences.iter().sum::<f64>() / differences.len() as f64
}

/// How many are above 0.
pub(crate) fn wins(differences: &[f64]) -> usize {
    differences.iter().filter(|d| **d > 0.0).count()
}
