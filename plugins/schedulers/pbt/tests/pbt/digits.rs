//! A network on real data: learning rate, momentum and weight decay of `digits-mlp`.

use tune_plugin::{
    Change, Config, Domain, Failure, Parameter, RealRange, Reconfigured, Report, Trainable,
    TrialInfo, data,
};
use tune_trainable_digits_mlp::DigitsMlp;

use crate::{
    host::setup,
    study::{Curve, curve, mean, wins},
};

/// `digits-mlp` with the constants that the host would add.
#[derive(Clone)]
struct Digits(DigitsMlp);

fn complete(config: &Config) -> Config {
    let mut config = config.clone();
    config.insert("optimizer", "sgd");
    config.insert("hidden", 32_i64);
    config
}

impl Trainable for Digits {
    const NAME: &'static str = "digits";
    const SUMMARY: &'static str = DigitsMlp::SUMMARY;

    fn setup(info: &TrialInfo, config: &Config) -> Result<Self, Failure> {
        DigitsMlp::setup(info, &complete(config)).map(Self)
    }

    fn step(&mut self) -> Result<Report, Failure> {
        self.0.step()
    }

    fn reconfigure(&mut self, change: &Change) -> Result<Reconfigured, Failure> {
        let change = Change {
            config: complete(&change.config),
            ..change.clone()
        };
        self.0.reconfigure(&change)
    }
}

fn real(name: &str, low: f64, high: f64, log: bool) -> Parameter {
    Parameter {
        name: name.to_owned(),
        domain: Domain::Real(RealRange {
            low,
            high,
            log,
            step: None,
        }),
        conditions: Vec::new(),
    }
}

fn population(seed: u64, rounds: usize, metric: &str, options: &str) -> Curve {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../data/digits");
    data::native::mount("digits", path);
    let mut setup = setup(metric, metric == "accuracy", rounds as f64, 16, seed);
    setup.space = vec![
        real("lr", 1e-4, 1.0, true),
        real("momentum", 0.0, 0.99, false),
        real("weight_decay", 1e-6, 1e-2, true),
    ];
    curve::<Digits>(setup, 16, options)
}

#[test]
#[ignore = "a study"]
fn study() {
    for (metric, rounds) in [
        ("accuracy", 40),
        ("accuracy", 80),
        ("val_loss", 40),
        ("val_loss", 80),
    ] {
        for options in [
            r#"{}"#,
            r#"{"perturbation_interval":2}"#,
            r#"{"perturbation_interval":1}"#,
            r#"{"synch":true}"#,
        ] {
            let mut rows: Vec<Vec<f64>> = vec![vec![]; 4];
            for seed in 0..10 {
                let pbt = population(seed, rounds, metric, options);
                let alone = population(seed, rounds, metric, r#"{"quantile_fraction":0}"#);
                let q = rounds / 4 - 1;
                rows[0].push(pbt.best[q] - alone.best[q]);
                rows[1].push(pbt.mean[q] - alone.mean[q]);
                rows[2].push(pbt.best[rounds - 1] - alone.best[rounds - 1]);
                rows[3].push(pbt.mean[rounds - 1] - alone.mean[rounds - 1]);
            }
            print!("{metric} {rounds} {options}:");
            for row in &rows {
                let losses = row.iter().filter(|d| **d < 0.0).count();
                print!("  {:+.4} ({}/{})", mean(row), wins(row), losses);
            }
            println!();
        }
    }
}
