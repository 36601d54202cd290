//! Does what its option `how` says, by default `good`: draws `x` and `list` at random.

use std::hint::black_box;

use tune_plugin::{
    Config, Failure, OptionError, Outcome, Proposal, Report, Searcher, Setup, Stream, Suggestion,
    TrialId, TrialState, Value, log,
};

/// What a `[searcher]` table may hold.
#[tune_plugin::options]
#[derive(Debug)]
struct Options {
    /// What it does.
    #[option(default = "good")]
    how: String,
}

struct Hostile {
    how: String,
    draws: Stream,
    hoard: Vec<Vec<u8>>,
}

fn spin() -> ! {
    loop {
        black_box(0);
    }
}

fn recurse(depth: u64) -> u64 {
    let ballast = black_box([depth; 64]);
    if black_box(depth) == u64::MAX {
        return 0;
    }
    recurse(depth + 1) + black_box(ballast).iter().sum::<u64>()
}

impl Searcher for Hostile {
    const NAME: &'static str = "hostile-searcher";
    const SUMMARY: &'static str = "Does to the host what `how` says";
    type Options = Options;

    #[expect(clippy::panic, reason = "the purpose of this guest")]
    fn init(setup: &Setup, options: Options) -> Result<Self, Vec<OptionError>> {
        match options.how.as_str() {
            "spin_in_init" => spin(),
            "panic_in_init" => panic!("panicked on purpose"),
            "refuse_a_hundred_thousand_options" => {
                let error = |i: u32| OptionError {
                    key: format!("k{i}"),
                    message: String::new(),
                    hint: String::new(),
                };
                return Err((0..100_000).map(error).collect());
            }
            _ => {}
        }
        Ok(Self {
            how: options.how,
            draws: Stream::new(setup.seed),
            hoard: Vec::new(),
        })
    }

    #[expect(clippy::panic, reason = "the purpose of this guest")]
    fn suggest(&mut self, _: TrialId, _: &Config) -> Result<Suggestion, Failure> {
        let mut config = Config::new();
        config.insert("x", self.draws.unit());
        config.insert("list", Value::Structured("[1,2]".to_owned()));
        let mut proposal = Proposal::default();
        match self.how.as_str() {
            "spin_in_suggest" => spin(),
            "take_memory" => loop {
                self.hoard.push(black_box(vec![1; 1 << 20]));
            },
            "recurse_for_ever" => {
                config.insert("x", recurse(0) as f64);
            }
            "panic_in_suggest" => panic!("panicked on purpose"),
            "wait_for_ever" => return Ok(Suggestion::Wait),
            "fail_for_ever" => return Err("no idea, on purpose".into()),
            "outside_its_range" => {
                config.insert("x", 7.0);
            }
            "nan_parameter" => {
                config.insert("x", f64::NAN);
            }
            "infinite_parameter" => {
                config.insert("x", f64::INFINITY);
            }
            "wrong_type" => {
                config.insert("x", Value::Text("half".to_owned()));
            }
            "missing_parameter" => config = Config::new(),
            "extra_parameter" => {
                config.insert("extra", 1.0);
            }
            "two_thousand_parameters" => {
                for i in 0..2_000 {
                    config.insert(format!("p{i}"), 1.0);
                }
            }
            "parameters_too_many_to_pass" => {
                // Texts of which the list alone is too long to be passed, in the order of their names.
                for i in 0..20_000 {
                    config.insert(format!("p{i:05}"), Value::Text("x".repeat(1_000)));
                }
            }
            "many_long_texts" => {
                // Each is as long as a text may be, and there are fewer than there may be.
                for i in 0..20 {
                    config.insert(format!("p{i}"), Value::Text("x".repeat(64 << 10)));
                }
            }
            "a_million_parameters" => {
                for i in 0..1_000_000 {
                    config.insert(format!("p{i}"), 1.0);
                }
            }
            "long_parameter_name" => {
                config.insert("p".repeat(1_000), 1.0);
            }
            "large_text" => {
                config.insert("x", Value::Text("x".repeat(100_000)));
            }
            "huge_text" => {
                config.insert("x", Value::Text("x".repeat(20 << 20)));
            }
            "deep_json" => {
                let deep = "[".repeat(30_000) + &"]".repeat(30_000);
                config.insert("list", Value::Structured(deep));
            }
            "start_from_nowhere" => proposal.start_from = Some(TrialId::MAX),
            "nan_budget" => proposal.budget = Some(f64::NAN),
            "log_for_ever" => loop {
                log::info!("again");
            },
            _ => {}
        }
        proposal.config = config;
        Ok(Suggestion::Configure(proposal))
    }

    fn observe(&mut self, _: TrialId, _: &Report, _: TrialState) {
        if self.how == "spin_in_observe" {
            spin()
        }
    }

    fn complete(&mut self, _: TrialId, _: &Outcome) {
        assert!(self.how != "panic_in_complete", "panicked on purpose");
    }
}

tune_plugin::export_searcher!(Hostile);
