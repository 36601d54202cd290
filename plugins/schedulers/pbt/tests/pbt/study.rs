//! A population with and without pbt, on the same first configurations and seeds: members all run at
//! once, a round is one report of each.

use tune_plugin::{Config, Scheduler, Setup, Space, Stream, Trainable};

use crate::host::{Host, Plan};

/// Best and mean over the members, round by round from the first. Always maximised.
pub(crate) struct Curve {
    pub(crate) best: Vec<f64>,
    pub(crate) mean: Vec<f64>,
}

/// First configurations of a population, drawn from the space.
pub(crate) fn draw(setup: &Setup, members: usize) -> Vec<Config> {
    let space = Space::new(setup.space.clone()).unwrap();
    let mut stream = Stream::new(setup.seed);
    let draw = |_| space.sample(&mut stream, &Config::new()).unwrap();
    (0..members).map(draw).collect()
}

/// Runs one population.
pub(crate) fn curve<S: Scheduler, T: Trainable + Clone>(
    mut setup: Setup,
    configs: Vec<Config>,
    options: &str,
) -> Curve {
    let members = configs.len();
    setup.trials = Some(members as u32);
    setup.slots = members as u32;
    setup.options = options.to_owned();
    let rounds = setup.max_t.unwrap() as usize;
    let objective = setup.objectives[0].clone();
    let outcome = Host::<S, T>::run(&Plan::new(setup, configs));
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
    assert!(values.iter().all(|round| round.len() == members));
    let best = |round: &Vec<f64>| round.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mean = |round: &Vec<f64>| round.iter().sum::<f64>() / round.len() as f64;
    Curve {
        best: values.iter().map(best).collect(),
        mean: values.iter().map(mean).collect(),
    }
}

/// Standard deviation over seeds.
pub(crate) fn spread(values: &[f64]) -> f64 {
    let mean = mean(values);
    let squares = values.iter().map(|v| (v - mean) * (v - mean));
    (squares.sum::<f64>() / (values.len() as f64 - 1.0)).sqrt()
}

/// Differences, pbt minus the population left alone, one a seed.
pub(crate) fn mean(differences: &[f64]) -> f64 {
    differences.iter().sum::<f64>() / differences.len() as f64
}

/// How many are above 0.
pub(crate) fn wins(differences: &[f64]) -> usize {
    differences.iter().filter(|d| **d > 0.0).count()
}
