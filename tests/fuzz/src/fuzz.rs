//! The loop.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use arbitrary::Unstructured;
use chacha20::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use crate::{Settings, mutate};

/// Random bytes behind one input: enough for a module with a few functions.
const ENTROPY_BYTES: usize = 4 << 10;
/// Inputs that are kept because their outcome was new.
const MAX_CORPUS: usize = 2_000;

/// What became of an input, in words: inputs of one kind have one outcome.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Outcome(String);

impl Outcome {
    /// It was taken; `what` tells kinds of acceptance apart.
    #[must_use]
    pub fn taken(what: impl Into<String>) -> Self {
        Self(what.into())
    }

    /// It was refused. Numbers and quoted names in the reason make no difference.
    ///
    /// # Panics
    /// Without a reason: that is a finding.
    #[must_use]
    pub fn refused(reason: &str) -> Self {
        assert!(!reason.trim().is_empty(), "refused without a reason");
        let mut kind = String::from("refused: ");
        let mut quoted = false;
        for c in reason.chars().take(200) {
            match c {
                '`' => quoted = !quoted,
                c if quoted || c.is_ascii_digit() => {}
                c => kind.push(c),
            }
        }
        Self(kind)
    }

    /// It was refused.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        self.0.starts_with("refused: ")
    }
}

/// What is fuzzed, and with what.
#[derive(Debug)]
pub struct Target {
    /// Names files and lines of output.
    pub name: &'static str,
    /// Inputs in the short run.
    pub iterations: u64,
    /// Good inputs to begin with; without any, inputs are random bytes.
    pub seeds: Vec<Vec<u8>>,
    /// Byte strings that mean something in the language of the inputs.
    pub words: Vec<Vec<u8>>,
    /// Where an input that crashes is written to, and inputs that once did are found in
    /// `crashes/NAME`.
    pub scratch: PathBuf,
}

/// What a run of a target reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Inputs that were tried.
    pub executions: u64,
    /// Of these, those that were taken.
    pub taken: u64,
    /// Different outcomes.
    pub outcomes: usize,
}

impl Target {
    /// Tries inputs until the target's number, or what the environment asks for, is reached.
    ///
    /// # Panics
    /// An input makes `case` panic: it is written to a file, and the panic goes on. Settings that
    /// are no numbers.
    #[expect(clippy::panic, reason = "that is how a test fails")]
    pub fn run(self, mut case: impl FnMut(&[u8]) -> Outcome) -> Summary {
        let settings = Settings::from_env().unwrap_or_else(|error| panic!("{error}"));
        let began = Instant::now();
        let mut summary = Summary {
            executions: 0,
            taken: 0,
            outcomes: 0,
        };
        let mut outcomes = BTreeSet::new();
        let mut slowest = Duration::ZERO;
        let mut corpus = self.seeds.clone();
        let mut attempt = |bytes: &[u8], place: &str| {
            let began = Instant::now();
            let outcome = self.attempt(bytes, place, settings, &mut case);
            slowest = slowest.max(began.elapsed());
            summary.executions += 1;
            summary.taken += u64::from(!outcome.is_refusal());
            outcomes.insert(outcome)
        };
        // Good inputs first, then those that once crashed.
        for (index, seed) in self.seeds.iter().enumerate() {
            attempt(seed, &format!("seed input {index}"));
        }
        for (name, bytes) in self.crashes() {
            attempt(&bytes, &name);
        }
        let wanted = settings.iterations.unwrap_or(self.iterations);
        for index in 0_u64.. {
            match settings.time {
                Some(time) if began.elapsed() >= time => break,
                None if index >= wanted => break,
                _ => {}
            }
            let bytes = self.input(settings.seed, index, &corpus);
            if attempt(&bytes, &format!("input {index}")) && corpus.len() < MAX_CORPUS {
                corpus.push(bytes);
            }
        }
        summary.outcomes = outcomes.len();
        self.report(settings, summary, began.elapsed(), slowest);
        if std::env::var_os("TUNE_FUZZ_OUTCOMES").is_some() {
            self.list(&outcomes);
        }
        summary
    }

    fn attempt(
        &self,
        bytes: &[u8],
        place: &str,
        settings: Settings,
        case: &mut impl FnMut(&[u8]) -> Outcome,
    ) -> Outcome {
        if settings.keep {
            self.keep(bytes);
        }
        match catch_unwind(AssertUnwindSafe(|| case(bytes))) {
            Ok(outcome) => outcome,
            Err(panic) => {
                let file = self.keep(bytes);
                self.found(settings, place, &file);
                resume_unwind(panic)
            }
        }
    }

    /// An input follows from the seed, its number and the corpus, which follows from the same.
    fn input(&self, seed: u64, index: u64, corpus: &[Vec<u8>]) -> Vec<u8> {
        let name = self.name.bytes().fold(0_u64, |hash, byte| {
            hash.wrapping_mul(31).wrapping_add(byte.into())
        });
        let mut key = [0; 32];
        for (place, number) in key.chunks_exact_mut(8).zip([seed, index, name, 0]) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        let mut random = ChaCha8Rng::from_seed(key);
        let mut entropy = vec![0; ENTROPY_BYTES];
        random.fill_bytes(&mut entropy);
        let u = &mut Unstructured::new(&entropy);
        // What is generated needs new random bytes more often than old ones changed.
        let fresh = if self.seeds.is_empty() { 3 } else { 1 };
        if corpus.is_empty()
            || u.ratio(fresh, 4_u64).unwrap_or_default() && u.arbitrary().unwrap_or_default()
        {
            let length = u.int_in_range(16..=ENTROPY_BYTES).unwrap_or(16);
            let mut bytes = vec![0; length];
            random.fill_bytes(&mut bytes);
            return bytes;
        }
        let mut bytes = u.choose(corpus).cloned().unwrap_or_default();
        // Cannot fail: what random bytes do not cover is zero.
        mutate(&mut bytes, corpus, &self.words, u).unwrap_or_default();
        bytes
    }

    fn keep(&self, bytes: &[u8]) -> PathBuf {
        let file = self.scratch.join(format!("fuzz-{}.input", self.name));
        match std::fs::write(&file, bytes) {
            Ok(()) => file,
            Err(error) => PathBuf::from(format!("(not written: {error})")),
        }
    }

    fn crashes(&self) -> Vec<(String, Vec<u8>)> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crashes");
        let mut found: Vec<_> = std::fs::read_dir(folder.join(self.name))
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| {
                let name = entry.path().display().to_string();
                Some((name, std::fs::read(entry.path()).ok()?))
            })
            .collect();
        found.sort();
        found
    }

    #[expect(clippy::print_stderr, reason = "a failing test says how to repeat it")]
    fn found(&self, settings: Settings, place: &str, file: &Path) {
        eprintln!(
            "fuzz {}: {place} of seed {} fails; it is in {}. To try it again, copy it to \
             tests/fuzz/crashes/{}/",
            self.name,
            settings.seed,
            file.display(),
            self.name
        );
    }

    #[expect(clippy::print_stdout, reason = "the result of a long run")]
    fn report(&self, settings: Settings, summary: Summary, took: Duration, slowest: Duration) {
        println!(
            "fuzz {}: seed {}, {} executions in {:.1} s, {} taken, {} outcomes, slowest {} ms, 0 crashes",
            self.name,
            settings.seed,
            summary.executions,
            took.as_secs_f64(),
            summary.taken,
            summary.outcomes,
            slowest.as_millis(),
        );
    }

    #[expect(clippy::print_stdout, reason = "it was asked for")]
    fn list(&self, outcomes: &BTreeSet<Outcome>) {
        for Outcome(outcome) in outcomes {
            println!("fuzz {}:   {}", self.name, outcome.escape_debug());
        }
    }
}
