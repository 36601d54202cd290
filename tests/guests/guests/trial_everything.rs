//! Uses everything in which a standard library keeps state, at different times: the heap, a map in
//! the order of its random hasher, a thread-local, standard output, error and input with their
//! cached handles, both clocks, sleep. What a step reports depends on all of it.

use std::{
    cell::RefCell,
    collections::{HashMap, VecDeque},
    hash::{BuildHasher as _, RandomState},
    io::{Read as _, Write as _, stderr, stdin, stdout},
    thread::sleep,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use tune_plugin::{Config, Failure, Report, Stream, Trainable, TrialInfo};

thread_local! {
    static SEEN: RefCell<VecDeque<u64>> = const { RefCell::new(VecDeque::new()) };
}

struct Everything {
    step: u64,
    stream: Stream,
    start: Instant,
    words: HashMap<u64, Vec<u64>>,
}

impl Trainable for Everything {
    const NAME: &'static str = "trial-everything";
    const SUMMARY: &'static str = "Keeps state wherever a standard library can";

    fn setup(info: &TrialInfo, _: &Config) -> Result<Self, Failure> {
        Ok(Self {
            step: 0,
            stream: Stream::new(info.seed),
            start: Instant::now(),
            words: HashMap::new(),
        })
    }

    fn step(&mut self) -> Result<Report, Failure> {
        self.step += 1;
        let word = self.stream.u64();
        let row = self.words.entry(word % 17).or_default();
        row.extend((0..200).map(|i| word.rotate_left(i)));
        let order = self.words.iter().fold(0_u64, |hash, (key, row)| {
            let sum = row.iter().fold(*key, |sum, w| sum.wrapping_mul(31) ^ w);
            hash.wrapping_mul(31).wrapping_add(sum)
        });
        // The first sleep comes before any stream is open, so that its handle is one between
        // others later.
        sleep(Duration::from_millis(self.step));
        writeln!(stdout(), "step {}", self.step).map_err(|e| e.to_string())?;
        if self.step.is_multiple_of(2) {
            // A line of two steps.
            write!(stderr(), "half of {} ", self.step).map_err(|e| e.to_string())?;
        }
        let mut read = Vec::new();
        if self.step.is_multiple_of(3) {
            stdin().read_to_end(&mut read).map_err(|e| e.to_string())?;
        }
        let seen = SEEN.with_borrow_mut(|seen| {
            seen.push_back(word);
            if seen.len() > 5 {
                seen.pop_front();
            }
            seen.iter().fold(0_u64, |h, w| h.wrapping_mul(7) ^ w)
        });
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        // 32 bits of each, which an f64 holds exactly.
        let exact = |x: u64| f64::from(x as u32);
        Ok(Report::default()
            .with("loss", 1.0 / self.step as f64)
            .with("order", exact(order))
            .with("seen", exact(seen))
            .with("hashed", exact(RandomState::new().hash_one(word)))
            .with("read", exact(read.len() as u64))
            .with("elapsed_ns", self.start.elapsed().as_nanos() as f64)
            .with("wall_ns", wall.as_nanos() as f64))
    }
}

tune_plugin::export_trainable!(Everything);
