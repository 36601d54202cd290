//! The example of the paper.

use tune_plugin::{Domain, Parameter, RealRange};
use tune_trainable_pbt_toy::Toy;

use crate::{
    host::setup,
    study::{Curve, curve, mean, wins},
};

const ROUNDS: usize = 100;
const SEEDS: u64 = 10;

fn population(seed: u64, fraction: f64) -> Curve {
    let mut setup = setup("objective", true, ROUNDS as f64, 16, seed);
    setup.space = ["h0", "h1"]
        .map(|name| Parameter {
            name: name.to_owned(),
            domain: Domain::Real(RealRange {
                low: 0.0,
                high: 1.0,
                log: false,
                step: None,
            }),
            conditions: Vec::new(),
        })
        .into();
    let options = format!(r#"{{"quantile_fraction":{fraction}}}"#);
    curve::<Toy>(setup, 16, &options)
}

#[test]
fn pbt_is_ahead_at_half_the_rounds_and_in_the_final_population_mean() {
    let (mut half_best, mut half_mean, mut last_mean) = (Vec::new(), Vec::new(), Vec::new());
    for seed in 0..SEEDS {
        let (pbt, alone) = (population(seed, 0.25), population(seed, 0.0));
        half_best.push(pbt.best[ROUNDS / 2 - 1] - alone.best[ROUNDS / 2 - 1]);
        half_mean.push(pbt.mean[ROUNDS / 2 - 1] - alone.mean[ROUNDS / 2 - 1]);
        last_mean.push(pbt.mean[ROUNDS - 1] - alone.mean[ROUNDS - 1]);
    }
    for differences in [&half_best, &half_mean, &last_mean] {
        assert!(wins(differences) >= 9, "{differences:?}");
        assert!(mean(differences) > 0.0, "{differences:?}");
    }
    println!("{half_best:?}\n{half_mean:?}\n{last_mean:?}");
}
