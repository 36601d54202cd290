//! Carries `mb` megabytes (of 2^20 bytes, by default 1) and rewrites the share `dirty` of them (by
//! default 1.0) each step, in one run of bytes that starts where the last one ended. Reports
//! `loss` = 1 / (rate x step), so that the fastest `rate` wins, and `sum`, which depends on a word of
//! every page that was ever rewritten. Moves bytes, as that costs least beside what is measured with
//! it, and reads no others. Its state is portable.

use tune_plugin::{
    Change, Config, Failure, PortableState, Reconfigured, Report, Stream, Trainable, TrialInfo,
};

struct Ballast {
    rate: f64,
    step: u64,
    /// Incompressible, as weights are.
    bytes: Vec<u8>,
    /// How many of them a step rewrites.
    dirty: usize,
    at: usize,
    /// Bytes by which a run moves; after a change its seed decides, so that clones go apart.
    shift: usize,
    sum: u32,
}

/// A number that depends on `before` and on a word of every page.
fn fold(before: u32, bytes: &[u8]) -> u32 {
    let words = bytes.as_chunks::<4>().0.iter().step_by(1024);
    words.fold(before, |sum, word| {
        sum.rotate_left(1).wrapping_add(u32::from_le_bytes(*word))
    })
}

impl Trainable for Ballast {
    const NAME: &'static str = "trial-ballast";
    const SUMMARY: &'static str =
        "Carries as much state, and rewrites as much of it, as it is told";
    const MUTABLE_PARAMETERS: &'static [&'static str] = &["rate"];

    fn setup(info: &TrialInfo, config: &Config) -> Result<Self, Failure> {
        let length = config.read_or("mb", 1_usize)? << 20;
        let dirty = length as f64 * config.read_or("dirty", 1.0)?;
        // Where the state comes from elsewhere, there is nothing to draw.
        let mut bytes = vec![0; if info.restoring { 0 } else { length }];
        let mut x = Stream::new(info.seed).u64();
        for word in bytes.as_chunks_mut::<8>().0 {
            // Steele's SplitMix64 without its last round: fast, and no two pages are alike.
            x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
            *word = (x ^ (x >> 30))
                .wrapping_mul(0xBF58_476D_1CE4_E5B9)
                .to_le_bytes();
        }
        Ok(Self {
            rate: config.read_or("rate", 1.0)?,
            step: 0,
            bytes,
            dirty: (dirty as usize).min(length),
            at: 0,
            shift: 97,
            sum: 0,
        })
    }

    fn step(&mut self) -> Result<Report, Failure> {
        self.step += 1;
        if self.at.saturating_add(self.dirty) > self.bytes.len() {
            self.at = 0;
        }
        if let Some(run) = self.bytes.get_mut(self.at..self.at + self.dirty) {
            run.rotate_left(self.shift.min(run.len()));
            self.sum = fold(self.sum, run);
            self.at += self.dirty;
        }
        Ok(Report::default()
            .with("loss", 1.0 / (self.rate * self.step as f64))
            // 32 bits, which an f64 holds exactly.
            .with("sum", f64::from(self.sum)))
    }

    fn reconfigure(&mut self, change: &Change) -> Result<Reconfigured, Failure> {
        self.rate = change.config.read_or("rate", 1.0)?;
        // Few enough for a fast rotation, and more than none.
        self.shift = 1 + (change.seed % 96) as usize;
        Ok(Reconfigured::Applied)
    }
}

impl PortableState for Ballast {
    fn save(&self) -> Result<Vec<u8>, Failure> {
        let mut state = Vec::with_capacity(32 + self.bytes.len());
        let (at, shift, sum) = (self.at as u64, self.shift as u64, u64::from(self.sum));
        for number in [self.step, at, shift, sum] {
            state.extend(number.to_le_bytes());
        }
        state.extend_from_slice(&self.bytes);
        Ok(state)
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), Failure> {
        let refused = "the state is no ballast";
        let (head, bytes) = state.split_at_checked(32).ok_or(refused)?;
        let mut numbers = head.as_chunks().0.iter().map(|b| u64::from_le_bytes(*b));
        let mut number = || numbers.next().unwrap_or(0);
        (self.step, self.at, self.shift) = (number(), number() as usize, number() as usize);
        self.sum = number() as u32;
        self.bytes = bytes.to_vec();
        Ok(())
    }
}

tune_plugin::export_portable_trainable!(Ballast);
