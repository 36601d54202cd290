//! The trainable `functions`: test functions of optimisation with known optima, as a cheap and
//! exact thing to tune. Reports `value`, to be minimised, and `regret`, how far it lies above the
//! optimum.
//!
//! Configuration: `function` (`branin`, `hartmann6`, `rosenbrock` or `rastrigin`; by default the
//! one that fits the number of coordinates, see [`Function::for_dimensions`]), the coordinates
//! `x0`, `x1`, .. and `steps`, the number of reports (1 by default, each the same).

mod function;

use tune_plugin::{Config, Failure, Report, Trainable, TrialInfo};

pub use function::Function;

/// A point of a test function.
#[derive(Debug)]
pub struct Functions {
    value: f64,
    regret: f64,
    /// Reports that are still to be made.
    left: u64,
}

impl Trainable for Functions {
    const NAME: &'static str = "functions";
    const SUMMARY: &'static str =
        "Test functions with known optima: branin, hartmann6, rosenbrock, rastrigin";

    fn setup(_: &TrialInfo, config: &Config) -> Result<Self, Failure> {
        let point = coordinates(config)?;
        let function = match config.get("function") {
            Some(_) => config.text("function")?.parse()?,
            None => Function::for_dimensions(point.len())?,
        };
        let steps = config.read_or("steps", 1_usize)? as u64;
        if steps == 0 {
            return Err(Failure::BadConfig("`steps` must be at least 1".to_owned()));
        }
        let value = function.value(&point)?;
        Ok(Self {
            value,
            regret: value - function.optimum(),
            left: steps,
        })
    }

    fn step(&mut self) -> Result<Report, Failure> {
        self.left = self.left.saturating_sub(1);
        Ok(Report {
            finished: self.left == 0,
            ..Report::default()
        }
        .with("value", self.value)
        .with("regret", self.regret))
    }
}

/// `x0`, `x1`, .. as far as they go without a gap.
fn coordinates(config: &Config) -> Result<Vec<f64>, Failure> {
    let mut point = Vec::new();
    while config.get(&format!("x{}", point.len())).is_some() {
        point.push(config.f64(&format!("x{}", point.len()))?);
    }
    if point.is_empty() {
        // Missing: the message names what is there.
        config.f64("x0")?;
    }
    Ok(point)
}

tune_plugin::export_trainable!(Functions);

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: TrialInfo = TrialInfo {
        trial: 0,
        seed: 0,
        workers: 1,
        restoring: false,
    };

    fn config(pairs: &[(&str, f64)]) -> Config {
        let mut config = Config::new();
        for (name, value) in pairs {
            config.insert(*name, *value);
        }
        config
    }

    #[test]
    fn two_coordinates_are_branin_with_one_report() {
        let c = config(&[("x0", core::f64::consts::PI), ("x1", 2.275)]);
        let report = Functions::setup(&INFO, &c).unwrap().step().unwrap();
        assert!(report.finished);
        assert!(report.get("regret").unwrap().abs() < 1e-6, "{report:?}");
    }

    #[test]
    fn the_trial_ends_with_the_asked_number_of_reports() {
        let mut c = config(&[("x0", 1.0), ("x1", 1.0), ("x2", 1.0)]);
        c.insert("function", "rosenbrock");
        c.insert("steps", 3_i64);
        let mut trial = Functions::setup(&INFO, &c).unwrap();
        let finished: Vec<bool> = (0..3).map(|_| trial.step().unwrap().finished).collect();
        assert_eq!(finished, [false, false, true]);
    }

    #[test]
    fn wrong_configurations_are_refused_with_what_would_be_right() {
        let mut c = config(&[("x0", 1.0), ("x1", 1.0)]);
        c.insert("function", "hartmann6");
        let error = Functions::setup(&INFO, &c).unwrap_err().to_string();
        assert!(error.contains("6 coordinates"), "{error}");
        c.insert("function", "brannin");
        let error = Functions::setup(&INFO, &c).unwrap_err().to_string();
        assert!(
            error.contains("branin, hartmann6, rosenbrock, rastrigin"),
            "{error}"
        );
        let error = Functions::setup(&INFO, &config(&[("y", 1.0)])).unwrap_err();
        assert!(error.to_string().contains("x0"), "{error}");
    }
}
