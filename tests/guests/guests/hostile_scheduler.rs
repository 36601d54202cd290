//! Runs trials in order and does at every report what its option `how` says.

use std::hint::black_box;

use tune_plugin::{
    Action, Config, Creation, Exploit, FailureKind, Next, OptionError, Report, Scheduler, Setup,
    TrialId, Turn,
};
use tune_test_guests::Pending;

/// What a `[scheduler]` table may hold.
#[tune_plugin::options]
#[derive(Debug)]
struct Options {
    /// What it does.
    #[option(default = "good")]
    how: String,
}

struct Hostile {
    how: String,
    pending: Pending,
    ended: Vec<TrialId>,
    running: Vec<TrialId>,
    hoard: Vec<Vec<u8>>,
}

fn spin() -> ! {
    loop {
        black_box(0);
    }
}

impl Hostile {
    fn is(&self, how: &str) -> bool {
        self.how == how
    }
}

impl Scheduler for Hostile {
    const NAME: &'static str = "hostile-scheduler";
    const SUMMARY: &'static str = "Does to the host what `how` says";
    const PAUSES: bool = true;
    const CLONES: bool = true;
    const CHANGES_CONFIG: bool = true;
    type Options = Options;

    #[expect(clippy::panic, reason = "the purpose of this guest")]
    fn init(_: &Setup, options: Options) -> Result<Self, Vec<OptionError>> {
        match options.how.as_str() {
            "spin_in_init" => spin(),
            "panic_in_init" => panic!("panicked on purpose"),
            _ => {}
        }
        Ok(Self {
            how: options.how,
            pending: Pending::default(),
            ended: Vec::new(),
            running: Vec::new(),
            hoard: Vec::new(),
        })
    }

    fn on_add(&mut self, trial: TrialId, _: &Config) -> Vec<Action> {
        self.pending.add(trial);
        Vec::new()
    }

    #[expect(clippy::panic, reason = "the purpose of this guest")]
    fn on_result(&mut self, trial: TrialId, _: &Report) -> Vec<Action> {
        let exploit = |source, config| {
            vec![Action::Exploit(Exploit {
                target: trial,
                source,
                config,
            })]
        };
        match self.how.as_str() {
            "spin_in_on_result" => spin(),
            "take_memory" => loop {
                self.hoard.push(black_box(vec![1; 1 << 20]));
            },
            "panic_in_on_result" => panic!("panicked on purpose"),
            "stop_an_unknown_trial" => vec![Action::Stop(TrialId::MAX)],
            "stop_what_has_ended" => self.ended.iter().map(|t| Action::Stop(*t)).collect(),
            "exploit_itself" => exploit(trial, Config::new()),
            "exploit_an_unknown_trial" => exploit(TrialId::MAX, Config::new()),
            "pause_for_ever" => vec![Action::Pause(trial)],
            "ten_thousand_and_one_actions" => vec![Action::Keep(trial); 10_001],
            "a_million_actions" => vec![Action::Stop(TrialId::MAX); 1_000_000],
            "configure_outside_the_space" => {
                let mut config = Config::new();
                config.insert("rate", f64::INFINITY);
                vec![Action::SetConfig(trial, config)]
            }
            "workers_for_ever" => vec![Action::SetWorkers(trial, u32::MAX)],
            _ => Vec::new(),
        }
    }

    fn on_complete(&mut self, trial: TrialId, _: Option<&Report>) -> Vec<Action> {
        self.running.retain(|t| *t != trial);
        self.ended.push(trial);
        Vec::new()
    }

    fn on_error(&mut self, _: TrialId, _: FailureKind, _: bool) -> Vec<Action> {
        Vec::new()
    }

    fn on_remove(&mut self, trial: TrialId) -> Vec<Action> {
        self.pending.remove(trial);
        Vec::new()
    }

    fn next_to_run(&mut self, creation: Creation) -> Turn {
        let mut turn = self.pending.turn(creation, Next::Done);
        match self.how.as_str() {
            "pause_for_ever" if turn.next == Next::Done => turn.next = Next::Idle,
            "idle_for_ever" => turn.next = Next::Idle,
            "spin_in_next_to_run" => spin(),
            "create_for_ever" => turn.next = Next::Create,
            "run_what_runs" => {
                if let Some(running) = self.running.first() {
                    turn.next = Next::Run(*running);
                }
            }
            "run_what_is_unknown" => turn.next = Next::Run(TrialId::MAX),
            "done_at_once" => turn.next = Next::Done,
            _ => {}
        }
        if let Next::Run(trial) = turn.next {
            self.running.push(trial);
        }
        turn
    }

    fn describe(&self) -> String {
        if self.is("describe_a_book") {
            return "\x1b[2J book \n".repeat(10_000);
        }
        if self.is("describe_a_library") {
            return "x".repeat(20 << 20);
        }
        "hostile".to_owned()
    }
}

tune_plugin::export_scheduler!(Hostile);
