//! Trains the model natively: `epochs DIGITS_CSV HIDDEN EPOCHS SEED`. Prints a line an epoch: its
//! nanoseconds and, in hexadecimal digits, the bits of its loss. The benchmark `epoch` compares both
//! with the sandbox.

#![expect(clippy::print_stdout, reason = "what it is for")]

use std::{env, error::Error, fs, time::Instant};

use tune_digits_model::{Dataset, Settings, Training};
use tune_plugin::Config;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [csv, hidden, epochs, seed] = arguments.as_slice() else {
        return Err("usage: epochs DIGITS_CSV HIDDEN EPOCHS SEED".into());
    };
    let config: Config = [(
        "hidden".to_owned(),
        tune_plugin::Value::Integer(hidden.parse()?),
    )]
    .into_iter()
    .collect();
    let settings = Settings::read(&config)?;
    let mut training = Training::new(settings, Dataset::parse(&fs::read(csv)?)?, seed.parse()?);
    for _ in 0..epochs.parse()? {
        let began = Instant::now();
        let epoch = training.epoch();
        let nanoseconds = began.elapsed().as_nanos();
        println!("{nanoseconds} {:016x}", epoch.loss.to_bits());
    }
    Ok(())
}
