//! Three steps; each appends a line to `history.txt` and replaces `latest.bin` by `bytes` bytes (by
//! default 10).

use tune_plugin::{Config, Failure, Report, Trainable, TrialInfo, artifact};

struct Artifacts {
    step: u8,
    bytes: usize,
}

impl Trainable for Artifacts {
    const NAME: &'static str = "trial-artifacts";
    const SUMMARY: &'static str = "Writes two artifacts each step";
    const GRANTS: &'static [&'static str] = &["artifact"];

    fn setup(_: &TrialInfo, config: &Config) -> Result<Self, Failure> {
        let bytes = config.read_or("bytes", 10)?;
        Ok(Self { step: 0, bytes })
    }

    fn step(&mut self) -> Result<Report, Failure> {
        self.step += 1;
        artifact::append("history.txt", format!("step {}\n", self.step).as_bytes())?;
        artifact::write("latest.bin", &vec![self.step; self.bytes])?;
        Ok(Report {
            finished: self.step == 3,
            ..Report::default()
        }
        .with("loss", f64::from(self.step)))
    }
}

tune_plugin::export_trainable!(Artifacts);
