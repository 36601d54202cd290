//! Goes on from all that it remembers, so that one bit lost or one step done twice shows in every
//! later report: a heap that grows, a map in the order of its random hasher, a stream of random
//! numbers, the clock. Each step prints and logs a line, adds one to the artifact `diary.txt` and
//! replaces `page.bin`. `rate`, which can change in mid-training, says how fast `loss` falls; `work`
//! (by default 100) how long a step takes.

use std::{collections::HashMap, time::Instant};

use tune_plugin::{
    Change, Config, Failure, Reconfigured, Report, Stream, Trainable, TrialInfo, artifact,
};

struct Diary {
    rate: f64,
    work: usize,
    stream: Stream,
    start: Instant,
    /// Where the walk stands; the loss is its square.
    place: f64,
    pages: Vec<Vec<u64>>,
    visits: HashMap<u64, u64>,
}

impl Diary {
    /// Rewrites all pages and adds one; returns a number that depends on every word.
    fn write_pages(&mut self) -> u64 {
        self.pages.push(vec![self.stream.u64(); 1024]);
        let mut hash = 0xCBF2_9CE4_8422_2325_u64;
        for _ in 0..self.work {
            for word in self.pages.iter_mut().flatten().step_by(7) {
                hash = (hash ^ *word).wrapping_mul(0x0000_0100_0000_01B3);
                *word = word.rotate_left(9) ^ hash;
            }
        }
        hash
    }

    /// The map's content in the order in which it comes.
    fn read_visits(&mut self, key: u64) -> u64 {
        *self.visits.entry(key % 64).or_default() += 1;
        self.visits.iter().fold(0, |h: u64, (key, count)| {
            h.wrapping_mul(31).wrapping_add(key ^ (count << 8))
        })
    }
}

impl Trainable for Diary {
    const NAME: &'static str = "trial-diary";
    const SUMMARY: &'static str = "Reports what depends on all that it remembers";
    const GRANTS: &'static [&'static str] = &["artifact"];
    const MUTABLE_PARAMETERS: &'static [&'static str] = &["rate"];

    fn setup(info: &TrialInfo, config: &Config) -> Result<Self, Failure> {
        Ok(Self {
            rate: config.f64("rate")?,
            work: config.read_or("work", 100)?,
            stream: Stream::new(info.seed),
            start: Instant::now(),
            place: 10.0,
            pages: Vec::new(),
            visits: HashMap::new(),
        })
    }

    #[expect(clippy::print_stdout, reason = "part of the diary")]
    fn step(&mut self) -> Result<Report, Failure> {
        let hash = self.write_pages();
        let visits = self.read_visits(hash);
        self.place -= self.rate * self.place + 0.01 * (self.stream.unit() - 0.5);
        let page = self.pages.len();
        println!("page {page}: {hash:016x}");
        tune_plugin::log::info!("page {page}: rate {}", self.rate);
        artifact::append(
            "diary.txt",
            format!("page {page}: {visits:016x}\n").as_bytes(),
        )?;
        artifact::write("page.bin", &hash.to_le_bytes())?;
        // 32 bits of each, which an f64 holds exactly.
        let exact = |x: u64| f64::from(x as u32);
        Ok(Report::default()
            .with("loss", self.place * self.place)
            .with("pages", exact(hash))
            .with("visits", exact(visits))
            .with("elapsed_ns", self.start.elapsed().as_nanos() as f64))
    }

    fn reconfigure(&mut self, change: &Change) -> Result<Reconfigured, Failure> {
        self.rate = change.config.f64("rate")?;
        self.stream = Stream::new(change.seed);
        Ok(Reconfigured::Applied)
    }
}

tune_plugin::export_trainable!(Diary);
