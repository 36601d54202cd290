//! Does what its option `script` says: lines `TRIAL@REPORT ACTION`, where the action is `pause`,
//! `keep`, `stop T`, `keep T` or `exploit T S RATE` (T goes on from S with its own configuration but
//! for `rate`). Several lines may be for one report. Creates all trials before it starts one;
//! paused ones go on when nothing else runs or is left to start.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use tune_plugin::{
    Action, Config, Creation, Exploit, FailureKind, Next, OptionError, Report, Scheduler, Setup,
    TrialId, Turn,
};
use tune_test_guests::Pending;

/// What a `[scheduler]` table may hold.
#[tune_plugin::options]
#[derive(Debug)]
struct Options {
    /// One action a line.
    script: Vec<String>,
}

struct Script {
    lines: Vec<String>,
    pending: Pending,
    running: BTreeSet<TrialId>,
    paused: VecDeque<TrialId>,
    reports: BTreeMap<TrialId, u64>,
    configs: BTreeMap<TrialId, Config>,
}

impl Script {
    fn action(&mut self, trial: TrialId, words: &[&str]) -> Option<Action> {
        let number = |index: usize| words.get(index)?.parse().ok();
        match *words.first()? {
            "pause" => {
                self.running.remove(&trial);
                self.paused.push_back(trial);
                Some(Action::Pause(trial))
            }
            "keep" => Some(Action::Keep(number(1).unwrap_or(trial))),
            "stop" => {
                let trial = number(1).unwrap_or(trial);
                self.on_remove(trial);
                Some(Action::Stop(trial))
            }
            "exploit" => {
                let (target, source) = (number(1)?, number(2)?);
                let mut config = self.configs.get(&target)?.clone();
                config.insert("rate", words.get(3)?.parse::<f64>().ok()?);
                Some(Action::Exploit(Exploit {
                    target,
                    source,
                    config,
                }))
            }
            _ => None,
        }
    }
}

impl Scheduler for Script {
    const NAME: &'static str = "scheduler-script";
    const SUMMARY: &'static str = "Keeps and copies states as it is told";
    const PAUSES: bool = true;
    const CLONES: bool = true;
    const CHANGES_CONFIG: bool = true;
    type Options = Options;

    fn init(_: &Setup, options: Options) -> Result<Self, Vec<OptionError>> {
        Ok(Self {
            lines: options.script,
            pending: Pending::default(),
            running: BTreeSet::new(),
            paused: VecDeque::new(),
            reports: BTreeMap::new(),
            configs: BTreeMap::new(),
        })
    }

    fn on_add(&mut self, trial: TrialId, config: &Config) -> Vec<Action> {
        self.pending.add(trial);
        self.configs.insert(trial, config.clone());
        Vec::new()
    }

    fn on_result(&mut self, trial: TrialId, _: &Report) -> Vec<Action> {
        let reports = self.reports.entry(trial).or_default();
        *reports += 1;
        let now = format!("{trial}@{reports}");
        let lines = self.lines.clone();
        let words = lines.iter().map(|line| line.split(' ').collect::<Vec<_>>());
        words
            .filter_map(|words| match words.split_first() {
                Some((when, action)) if *when == now => self.action(trial, action),
                _ => None,
            })
            .collect()
    }

    fn on_complete(&mut self, trial: TrialId, _: Option<&Report>) -> Vec<Action> {
        self.on_remove(trial)
    }

    fn on_error(&mut self, trial: TrialId, _: FailureKind, will_retry: bool) -> Vec<Action> {
        if will_retry {
            return Vec::new();
        }
        self.on_remove(trial)
    }

    fn on_remove(&mut self, trial: TrialId) -> Vec<Action> {
        self.pending.remove(trial);
        self.running.remove(&trial);
        self.paused.retain(|t| *t != trial);
        Vec::new()
    }

    fn next_to_run(&mut self, creation: Creation) -> Turn {
        if creation == Creation::Possible {
            return Turn {
                actions: Vec::new(),
                next: Next::Create,
            };
        }
        let mut turn = self.pending.turn(creation, Next::Done);
        if matches!(turn.next, Next::Idle | Next::Done)
            && self.running.is_empty()
            && let Some(trial) = self.paused.pop_front()
        {
            turn.next = Next::Run(trial);
        }
        if let Next::Run(trial) = turn.next {
            self.running.insert(trial);
        }
        turn
    }

    fn describe(&self) -> String {
        format!("script of {} lines", self.lines.len())
    }
}

tune_plugin::export_scheduler!(Script);
