//! The example of the paper.

use tune_plugin::{Config, Domain, Parameter, RealRange, Setup};
use tune_scheduler_pb2::Pb2;
use tune_scheduler_pbt::Pbt;
use tune_trainable_pbt_toy::Toy;

use crate::{
    host::setup,
    study::{Curve, curve, draw, mean, spread, wins},
};

const ROUNDS: usize = 100;
const SEEDS: u64 = 10;
const MEMBERS: usize = 16;

fn experiment(seed: u64) -> Setup {
    let parameter = |name: &str| Parameter {
        name: name.to_owned(),
        domain: Domain::Real(RealRange {
            low: 0.0,
            high: 1.0,
            log: false,
            step: None,
        }),
        conditions: Vec::new(),
    };
    Setup {
        space: ["h0", "h1"].map(parameter).into(),
        ..setup("objective", true, ROUNDS as f64, MEMBERS as u32, seed)
    }
}

/// With pbt and left alone, from the same configurations.
fn both(seed: u64, configs: &[Config]) -> (Curve, Curve) {
    let run = |options| curve::<Pbt, Toy>(experiment(seed), configs.to_vec(), options);
    (run("{}"), run(r#"{"quantile_fraction":0}"#))
}

#[test]
fn from_random_configurations_pbt_is_ahead_at_half_the_rounds_and_in_the_final_mean() {
    let (mut half_best, mut half_mean, mut last_mean) = (Vec::new(), Vec::new(), Vec::new());
    for seed in 0..SEEDS {
        let (pbt, alone) = both(seed, &draw(&experiment(seed), MEMBERS));
        half_best.push(pbt.best[ROUNDS / 2 - 1] - alone.best[ROUNDS / 2 - 1]);
        half_mean.push(pbt.mean[ROUNDS / 2 - 1] - alone.mean[ROUNDS / 2 - 1]);
        last_mean.push(pbt.mean[ROUNDS - 1] - alone.mean[ROUNDS - 1]);
    }
    // The best of 16 random configurations can be so good that nothing is left to gain by then.
    assert!(half_best.iter().all(|d| *d >= 0.0), "{half_best:?}");
    assert!(
        wins(&half_best) >= 7 && mean(&half_best) > 0.02,
        "{half_best:?}"
    );
    assert!(
        wins(&half_mean) == 10 && mean(&half_mean) > 0.2,
        "{half_mean:?}"
    );
    assert!(
        wins(&last_mean) == 10 && mean(&last_mean) > 0.1,
        "{last_mean:?}"
    );
}

#[test]
fn from_the_one_sided_configurations_of_the_paper_only_pbt_gets_to_the_top() {
    let one_sided = |member: usize| {
        let mut config = Config::new();
        config.insert("h0", (member % 2) as f64);
        config.insert("h1", ((member + 1) % 2) as f64);
        config
    };
    let configs: Vec<Config> = (0..MEMBERS).map(one_sided).collect();
    for seed in 0..SEEDS {
        let (pbt, alone) = both(seed, &configs);
        // A theta that never moves costs 0.81.
        let last = ROUNDS - 1;
        assert!(alone.best[last] < 1.2 - 0.81, "{}", alone.best[last]);
        let twice = 2.0 * (1.2 - 0.81);
        assert!(
            pbt.best[last] > twice && pbt.mean[last] > twice,
            "{}",
            pbt.mean[last]
        );
    }
}

/// A population of random configurations under pb2.
fn pb2(seed: u64) -> Curve {
    let configs = draw(&experiment(seed), MEMBERS);
    curve::<Pb2, Toy>(experiment(seed), configs, "{}")
}

#[test]
fn pb2_is_ahead_of_pbt_in_the_mean_of_the_population_from_the_same_configurations() {
    let mut differences = Vec::new();
    for seed in 0..3 {
        let (pbt, _) = both(seed, &draw(&experiment(seed), MEMBERS));
        differences.push(pb2(seed).mean[ROUNDS / 2 - 1] - pbt.mean[ROUNDS / 2 - 1]);
    }
    assert!(mean(&differences) > 0.0, "{differences:?}");
}

#[test]
#[ignore = "prints the table of docs/schedulers.md, beside tests/peers/population.py"]
fn the_study_of_pb2_on_the_toy() {
    let random = |seed| draw(&experiment(seed), MEMBERS);
    let (pbts, alones): (Vec<Curve>, Vec<Curve>) =
        (0..SEEDS).map(|seed| both(seed, &random(seed))).unzip();
    let pb2s: Vec<Curve> = (0..SEEDS).map(pb2).collect();
    for (name, curves) in [("alone", &alones), ("pbt", &pbts), ("pb2", &pb2s)] {
        print!("{name:8}");
        for (what, which) in [("best", true), ("mean", false)] {
            for round in [25, 50, 100] {
                let at = |c: &Curve| {
                    if which {
                        c.best[round - 1]
                    } else {
                        c.mean[round - 1]
                    }
                };
                let values: Vec<f64> = curves.iter().map(at).collect();
                let (mean, spread) = (mean(&values), spread(&values));
                print!(" | {what} {round}: {mean:.3} ± {spread:.3}");
            }
        }
        println!();
    }
}
