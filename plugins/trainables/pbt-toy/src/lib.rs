//! The trainable `pbt-toy`: the example of figure 2 in Jaderberg et al. 2017 (arXiv 1711.09846), the
//! smallest thing that shows what changing configurations in mid-training is good for.
//!
//! To be maximised is `objective`, 1.2 - theta0^2 - theta1^2, which training does not see: it follows
//! the gradient of a surrogate, 1.2 - h0 theta0^2 - h1 theta1^2, from theta = (0.9, 0.9), one step of
//! gradient ascent a report. With `h0` or `h1` at 0 one of the thetas never moves, so that no single
//! such configuration reaches 1.2, and a training that goes from one to the other does.
//!
//! Configuration: `h0` and `h1` (0 to 10, by default 1), which can change in mid-training, and `lr`
//! (above 0 to 0.05, by default 0.01).

use tune_plugin::{Change, Config, Failure, Reconfigured, Report, Trainable, TrialInfo};

/// Where training starts.
const START: f64 = 0.9;
/// The largest value of the objective.
const TOP: f64 = 1.2;

/// A point on its way, and the configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Toy {
    theta: [f64; 2],
    h: [f64; 2],
    lr: f64,
}

fn ranged(config: &Config, name: &str, default: f64, high: f64) -> Result<f64, Failure> {
    let x = config.read_or(name, default)?;
    if (0.0..=high).contains(&x) {
        return Ok(x);
    }
    Err(Failure::BadConfig(format!(
        "parameter `{name}` is {x}: expected a number from 0 to {high}"
    )))
}

impl Toy {
    fn read(config: &Config) -> Result<([f64; 2], f64), Failure> {
        let h = |name| ranged(config, name, 1.0, 10.0);
        // So that a step never overshoots: 2 h lr stays at 1 or below.
        Ok(([h("h0")?, h("h1")?], ranged(config, "lr", 0.01, 0.05)?))
    }
}

impl Trainable for Toy {
    const NAME: &'static str = "pbt-toy";
    const SUMMARY: &'static str =
        "Two parameters on the gradient of a surrogate: the example of the PBT paper";
    const MUTABLE_PARAMETERS: &'static [&'static str] = &["h0", "h1"];

    fn setup(_: &TrialInfo, config: &Config) -> Result<Self, Failure> {
        let (h, lr) = Self::read(config)?;
        let theta = [START; 2];
        Ok(Self { theta, h, lr })
    }

    fn step(&mut self) -> Result<Report, Failure> {
        for (theta, h) in self.theta.iter_mut().zip(self.h) {
            *theta -= self.lr * 2.0 * h * *theta;
        }
        let [a, b] = self.theta.map(|theta| theta * theta);
        let [h0, h1] = self.h;
        Ok(Report::default()
            .with("objective", TOP - a - b)
            .with("surrogate", TOP - h0 * a - h1 * b))
    }

    fn reconfigure(&mut self, change: &Change) -> Result<Reconfigured, Failure> {
        let (h, lr) = Self::read(&change.config)?;
        if lr != self.lr {
            return Ok(Reconfigured::Unsupported);
        }
        self.h = h;
        Ok(Reconfigured::Applied)
    }
}

tune_plugin::export_trainable!(Toy);

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: TrialInfo = TrialInfo {
        trial: 0,
        seed: 0,
        workers: 1,
        restoring: false,
    };

    fn config(h0: f64, h1: f64) -> Config {
        let mut config = Config::new();
        config.insert("h0", h0);
        config.insert("h1", h1);
        config
    }

    fn change(config: Config) -> Change {
        Change {
            config,
            seed: 0,
            workers: 1,
        }
    }

    fn after(toy: &mut Toy, steps: usize) -> f64 {
        let last = (0..steps).map(|_| toy.step().unwrap()).last().unwrap();
        last.get("objective").unwrap()
    }

    #[test]
    fn one_sided_surrogates_stay_below_and_a_change_between_them_reaches_the_top() {
        let one_sided = || Toy::setup(&INFO, &config(1.0, 0.0)).unwrap();
        assert!((after(&mut one_sided(), 1_000) - (1.2 - 0.81)).abs() < 1e-6);
        let mut changed = one_sided();
        after(&mut changed, 500);
        let applied = changed.reconfigure(&change(config(0.0, 1.0)));
        assert_eq!(applied, Ok(Reconfigured::Applied));
        assert!((after(&mut changed, 500) - 1.2).abs() < 1e-6);
    }

    #[test]
    fn a_first_step_by_hand() {
        let mut toy = Toy::setup(&INFO, &config(1.0, 0.5)).unwrap();
        let report = toy.step().unwrap();
        // 0.9 x 0.98 and 0.9 x 0.99.
        let (a, b) = (0.882 * 0.882, 0.891 * 0.891);
        assert!((report.get("objective").unwrap() - (1.2 - a - b)).abs() < 1e-12);
        assert!((report.get("surrogate").unwrap() - (1.2 - a - 0.5 * b)).abs() < 1e-12);
    }

    #[test]
    fn what_is_out_of_range_is_refused_and_lr_cannot_change() {
        let error = Toy::setup(&INFO, &config(11.0, 0.0)).unwrap_err();
        assert!(error.message().contains("`h0` is 11: expected a number"));
        let mut faster = config(1.0, 1.0);
        faster.insert("lr", 0.02);
        let mut toy = Toy::setup(&INFO, &config(1.0, 1.0)).unwrap();
        let refused = toy.reconfigure(&change(faster));
        assert_eq!(refused, Ok(Reconfigured::Unsupported));
    }
}
