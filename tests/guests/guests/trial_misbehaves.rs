//! Three steps with `loss` = 1 / step; in the second one it does what `how` says: `panics`,
//! `computes` for ever, `allocates` for ever, `fails` with a message, `crowds` its report with
//! metrics, or `well` none of these.

use tune_plugin::{Config, Failure, Report, Trainable, TrialInfo};

struct Misbehaves {
    step: u32,
    how: String,
}

impl Trainable for Misbehaves {
    const NAME: &'static str = "trial-misbehaves";
    const SUMMARY: &'static str = "Does in its second step what `how` says";

    fn setup(_: &TrialInfo, config: &Config) -> Result<Self, Failure> {
        let how = config.text("how")?;
        Ok(Self { step: 0, how })
    }

    #[expect(clippy::panic, reason = "the purpose of this guest")]
    fn step(&mut self) -> Result<Report, Failure> {
        self.step += 1;
        let mut report = Report {
            finished: self.step == 3,
            ..Report::default()
        }
        .with("loss", 1.0 / f64::from(self.step));
        if self.step == 2 {
            match self.how.as_str() {
                "panics" => panic!("panicked on purpose"),
                "computes" => loop {
                    std::hint::black_box(self.step);
                },
                "allocates" => {
                    let mut taken = Vec::new();
                    loop {
                        taken.push(std::hint::black_box(vec![1_u8; 1 << 20]));
                    }
                }
                "fails" => return Err("failed on purpose".into()),
                "crowds" => {
                    for i in 0..1000 {
                        report = report.with(format!("metric_{i}"), 0.0);
                    }
                }
                _ => {}
            }
        }
        Ok(report)
    }
}

tune_plugin::export_trainable!(Misbehaves);
