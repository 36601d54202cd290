//! Reads every data set and reports how many files and bytes there are, and the sum of the bytes.
//! With the text parameter `file`: reads that one, granted or not.

use tune_plugin::{Config, Failure, Report, Trainable, TrialInfo, data};

struct Data(Option<String>);

impl Trainable for Data {
    const NAME: &'static str = "trial-data";
    const SUMMARY: &'static str = "Reads data and reports its sum";
    const GRANTS: &'static [&'static str] = &["data"];

    fn setup(_: &TrialInfo, config: &Config) -> Result<Self, Failure> {
        Ok(Self(match config.get("file") {
            Some(_) => Some(config.text("file")?),
            None => None,
        }))
    }

    fn step(&mut self) -> Result<Report, Failure> {
        let names = match &self.0 {
            Some(name) => vec![name.clone()],
            None => data::entries().into_iter().map(|(name, _)| name).collect(),
        };
        let (mut bytes, mut sum) = (0, 0_u64);
        for name in &names {
            let content = data::read_all(name)?;
            bytes += content.len();
            sum += content.iter().map(|b| u64::from(*b)).sum::<u64>();
        }
        Ok(Report::default()
            .with("loss", 0.0)
            .with("files", names.len() as f64)
            .with("bytes", bytes as f64)
            .with("sum", sum as f64)
            .finished())
    }
}

tune_plugin::export_trainable!(Data);
