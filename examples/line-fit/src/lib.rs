//! A trainable in 30 lines: fits a line to noisy points by gradient descent.

use tune_plugin::{Config, Failure, Report, Stream, Trainable, TrialInfo};

struct LineFit {
    points: Vec<(f64, f64)>,
    line: (f64, f64),
    lr: f64,
}

impl Trainable for LineFit {
    const NAME: &'static str = "line-fit";
    const SUMMARY: &'static str = "Fits a line to noisy points by gradient descent";

    fn setup(info: &TrialInfo, config: &Config) -> Result<Self, Failure> {
        let mut noise = Stream::new(info.seed);
        let x = (0..100).map(|i| f64::from(i) / 100.0);
        let points = x
            .map(|x| (x, 3.0 * x - 1.0 + 0.1 * noise.normal()))
            .collect();
        let lr = config.f64("lr")?;
        Ok(Self {
            points,
            line: (0.0, 0.0),
            lr,
        })
    }

    fn step(&mut self) -> Result<Report, Failure> {
        let (mut loss, mut slope, mut offset) = (0.0, 0.0, 0.0);
        for (x, y) in &self.points {
            let error = self.line.0 * x + self.line.1 - y;
            loss += error * error / 100.0;
            slope += 2.0 * error * x / 100.0;
            offset += 2.0 * error / 100.0;
        }
        self.line = (
            self.line.0 - self.lr * slope,
            self.line.1 - self.lr * offset,
        );
        Ok(Report::default().with("loss", loss))
    }
}

tune_plugin::export_trainable!(LineFit);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loss_falls_to_the_noise() {
        let info = TrialInfo {
            trial: 0,
            seed: 1,
            workers: 1,
            restoring: false,
        };
        let mut config = Config::new();
        config.insert("lr", 0.5);
        let mut trial = LineFit::setup(&info, &config).unwrap();
        let first = trial.step().unwrap().get("loss").unwrap();
        let last = (0..200)
            .map(|_| trial.step().unwrap().get("loss").unwrap())
            .last()
            .unwrap();
        assert!(first > 0.5 && last < 0.02, "{first} {last}");
    }
}
