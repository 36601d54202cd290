//! Makes every snapshot a bomb: each step it takes `mb` megabytes more (by default 2) of bytes that
//! cannot be compressed, and rewrites all that it has.

use tune_plugin::{Config, Failure, Report, Stream, Trainable, TrialInfo};

struct Growth {
    mb: usize,
    step: u32,
    draws: Stream,
    hoard: Vec<u8>,
}

impl Trainable for Growth {
    const NAME: &'static str = "hostile-growth";
    const SUMMARY: &'static str = "Has more and more state, all of it new";

    fn setup(info: &TrialInfo, config: &Config) -> Result<Self, Failure> {
        Ok(Self {
            mb: config.read_or("mb", 2)?,
            step: 0,
            draws: Stream::new(info.seed),
            hoard: Vec::new(),
        })
    }

    fn step(&mut self) -> Result<Report, Failure> {
        self.step += 1;
        self.hoard.resize(self.hoard.len() + (self.mb << 20), 0);
        let mut x = self.draws.u64();
        for word in self.hoard.as_chunks_mut::<8>().0 {
            x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
            *word = (x ^ (x >> 30))
                .wrapping_mul(0xBF58_476D_1CE4_E5B9)
                .to_le_bytes();
        }
        Ok(Report::default()
            .with("loss", 1.0 / f64::from(self.step))
            .with("mb", (self.hoard.len() >> 20) as f64))
    }
}

tune_plugin::export_trainable!(Growth);
