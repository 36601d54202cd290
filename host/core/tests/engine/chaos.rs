//! A searcher and a scheduler that decide at random, and a machine of random speed for them.

use std::collections::BTreeMap;

use tune_core::records::{
    Action, Config, Creation, Exploit, Failure, FailureKind, Next, Observation, Outcome, Proposal,
    Report, Suggestion, TrialId, TrialState, Turn,
};
use tune_core::{
    Checked, Deciders, Effect, Engine, EnginePlan, Entry, Event, Failed, Handover, StepEnd, Stop,
};

use crate::Dice;
use crate::world::World;

/// Decides at random, but legally often enough to go on.
#[derive(Clone)]
pub(crate) struct Chaos {
    dice: Dice,
    pending: Vec<TrialId>,
    paused: Vec<TrialId>,
    known: u32,
    refused: Option<TrialId>,
    pub(crate) log: Vec<String>,
    pub(crate) completes: BTreeMap<TrialId, u32>,
    /// Do something impossible once in so many answers; 0 never.
    pub(crate) illegal_every: u64,
    /// Keep, exploit and change trials, legally or not.
    wild: bool,
}

impl Chaos {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            dice: Dice(seed),
            pending: vec![],
            paused: vec![],
            known: 0,
            refused: None,
            log: vec![],
            completes: BTreeMap::new(),
            illegal_every: 0,
            wild: false,
        }
    }

    pub(crate) fn wild(seed: u64) -> Self {
        Self {
            wild: true,
            ..Self::new(seed)
        }
    }

    fn forget(&mut self, trial: TrialId) {
        self.pending.retain(|t| *t != trial);
        self.paused.retain(|t| *t != trial);
    }

    fn config(&mut self) -> Config {
        let mut config = Config::new();
        config.insert("x", self.dice.roll(1000) as f64 / 1000.0);
        config
    }

    /// Any trial, now and then one that does not exist.
    fn any(&mut self) -> TrialId {
        let beyond = u64::from(self.dice.roll(60) == 0);
        self.dice.roll(u64::from(self.known) + beyond) as TrialId
    }

    fn waiting(&mut self) -> Option<TrialId> {
        let all: Vec<_> = self.paused.iter().chain(&self.pending).copied().collect();
        (!all.is_empty()).then(|| all[self.dice.roll(all.len() as u64) as usize])
    }

    fn exploit(&mut self, target: TrialId) -> Action {
        Action::Exploit(Exploit {
            target,
            source: self.any(),
            config: self.config(),
        })
    }

    /// What a wild scheduler does to a trial.
    fn wild_actions(&mut self, t: TrialId) -> Vec<Action> {
        match self.dice.roll(24) {
            0..=4 => vec![Action::Keep(t)],
            5..=7 => vec![self.exploit(t)],
            8 => vec![Action::SetConfig(t, self.config())],
            9 => vec![Action::Keep(t), self.exploit(t)],
            10 => vec![self.exploit(t), Action::Keep(t)],
            11 => vec![self.exploit(t), self.exploit(t)],
            12 => vec![self.exploit(t), Action::SetConfig(t, self.config())],
            13 => vec![Action::SetConfig(t, self.config()), self.exploit(t)],
            14 => vec![self.exploit(t), Action::Stop(t)],
            15 => vec![Action::Pause(t), self.exploit(t)],
            16 => vec![self.exploit(t), Action::Pause(t), Action::Keep(t)],
            17 => match self.dice.roll(8) {
                0 => vec![Action::SetWorkers(t, 2)],
                1 => vec![Action::SetConfig(t, Config::new())],
                2 => vec![Action::Keep(9999), Action::Keep(t)],
                3 => vec![Action::Keep(self.any())],
                4 => {
                    let other = self.any();
                    vec![self.exploit(other)]
                }
                5 => vec![Action::QuietUntil(t, self.dice.roll(9) as f64)],
                _ => vec![],
            },
            18 => vec![Action::Pause(self.any())],
            _ => vec![],
        }
    }

    /// What a wild scheduler does now and then to those that wait.
    fn aside(&mut self) -> Vec<Action> {
        if !self.wild || self.dice.roll(4) > 0 {
            return vec![];
        }
        match self.waiting() {
            Some(t) if self.dice.roll(3) == 0 => vec![self.exploit(t), self.exploit(t)],
            Some(t) => vec![self.exploit(t)],
            None => vec![],
        }
    }
}

impl Deciders for Chaos {
    fn seed_with(&mut self, known: &[Observation]) -> Result<(), Stop> {
        self.log.push(format!("seed-with {}", known.len()));
        Ok(())
    }

    fn suggest(&mut self, t: TrialId, _: &Config) -> Result<Result<Suggestion, Failure>, Stop> {
        let config = self.config();
        let first = self.refused.replace(t) != Some(t);
        let copies = self.wild && first && self.known > 0 && self.dice.roll(3) == 0;
        Ok(Ok(Suggestion::Configure(Proposal {
            config,
            start_from: copies.then(|| self.any()),
            ..Proposal::default()
        })))
    }

    fn observe(&mut self, t: TrialId, r: &Report, s: TrialState) -> Result<(), Stop> {
        self.log
            .push(format!("observe {t} {:?} {s:?}", r.get("loss")));
        if s == TrialState::Paused {
            self.paused.push(t);
        }
        Ok(())
    }

    fn complete(&mut self, t: TrialId, o: &Outcome) -> Result<(), Stop> {
        *self.completes.entry(t).or_default() += 1;
        self.log.push(format!("complete {t} {:?}", o.ending));
        self.forget(t);
        Ok(())
    }

    fn regret_bound(&mut self) -> Result<Option<f64>, Stop> {
        let bounds = [None, Some(f64::NAN), Some(-1.0), Some(0.5), Some(0.01)];
        let bound = bounds[self.dice.roll(5) as usize];
        self.log.push(format!("regret-bound {bound:?}"));
        Ok(bound)
    }

    fn on_add(&mut self, t: TrialId, _: &Config) -> Result<Vec<Action>, Stop> {
        self.known += 1;
        self.pending.push(t);
        if self.wild && self.dice.roll(6) == 0 {
            return Ok(vec![self.exploit(t)]);
        }
        Ok(vec![])
    }

    fn on_result(&mut self, t: TrialId, _: &Report) -> Result<Vec<Action>, Stop> {
        if self.illegal_every > 0 && self.dice.roll(self.illegal_every) == 0 {
            return Ok(vec![Action::Stop(9999)]);
        }
        Ok(match self.dice.roll(10) {
            0 => vec![Action::Stop(t)],
            1 | 2 => vec![Action::Pause(t)],
            3 if !self.paused.is_empty() => vec![Action::Stop(self.paused[0])],
            _ if self.wild => {
                let mut actions = self.wild_actions(t);
                actions.extend(self.aside());
                actions
            }
            _ => vec![],
        })
    }

    fn on_complete(&mut self, t: TrialId, _: Option<&Report>) -> Result<Vec<Action>, Stop> {
        self.forget(t);
        Ok(self.aside())
    }

    fn on_error(&mut self, t: TrialId, _: FailureKind, retry: bool) -> Result<Vec<Action>, Stop> {
        if !retry {
            self.forget(t);
        } else if self.wild {
            return Ok(self.wild_actions(t));
        }
        Ok(vec![])
    }

    fn on_remove(&mut self, t: TrialId) -> Result<Vec<Action>, Stop> {
        self.forget(t);
        Ok(vec![])
    }

    fn next_to_run(&mut self, creation: Creation) -> Result<Turn, Stop> {
        let actions = self.aside();
        let next = if let Some(t) = self.pending.pop() {
            Next::Run(t)
        } else if !self.paused.is_empty()
            && (creation == Creation::Closed || self.dice.roll(2) == 0)
        {
            Next::Run(self.paused.remove(0))
        } else if creation == Creation::Possible {
            Next::Create
        } else {
            Next::Done
        };
        Ok(Turn { actions, next })
    }

    fn describe(&mut self) -> Result<String, Stop> {
        Ok(format!("{} paused", self.paused.len()))
    }
}

/// What a step does, whoever runs it and however often: a function of trial, index and attempt.
fn step(trial: TrialId, index: u64, attempt: u32) -> StepEnd {
    let mut dice = Dice(u64::from(trial) * 1_000_003 + index * 7919);
    let fuel = dice.roll(300);
    let result = match dice.roll(40) {
        0 => Err(Failed {
            kind: FailureKind::Trap,
            message: "trap".into(),
        }),
        1 if attempt == 0 => Err(Failed {
            kind: FailureKind::Deadline,
            message: "late".into(),
        }),
        2 => Ok(Report::default().with("loss", f64::NAN)),
        3 => Ok(Report::default().with("loss", 0.5).finished()),
        _ => Ok(Report::default().with("loss", dice.roll(1000) as f64)),
    };
    StepEnd {
        result,
        fuel,
        memory_bytes: 65536,
    }
}

/// What the user and the machine do before some handovers, the same whenever it is asked.
fn external(seed: u64, engine: &Engine) -> Option<Event> {
    let mut dice = Dice(seed ^ (engine.sequence() * 104_729));
    dice.roll(2);
    match dice.roll(80) {
        0 => Some(Event::StopTrial {
            trial: dice.roll(engine.trials().len() as u64) as TrialId,
        }),
        1 => Some(Event::Changed {
            what: "another build".into(),
        }),
        2 => Some(Event::Extended {
            trials: engine.plan().trials.unwrap() + 1,
        }),
        3 if dice.roll(4) == 0 => Some(Event::TimeBudgetSpent),
        _ => None,
    }
}

/// A run on a machine.
pub(crate) struct Run {
    pub(crate) engine: Engine,
    pub(crate) chaos: Chaos,
    pub(crate) world: World,
    pub(crate) entries: Vec<Entry>,
    /// Why it stopped before its end.
    pub(crate) stopped: Option<String>,
    running: BTreeMap<TrialId, u64>,
    /// Of what happens from outside; none does without it.
    externals: Option<u64>,
}

impl Run {
    pub(crate) fn new(plan: EnginePlan, chaos: Chaos, externals: Option<u64>) -> Self {
        Self {
            engine: Engine::new(plan, [1; 32]).unwrap(),
            chaos,
            world: World::default(),
            entries: vec![],
            stopped: None,
            running: BTreeMap::new(),
            externals,
        }
    }

    /// Runs to the end, or to so many handovers, on a machine whose timing is decided by `machine`.
    pub(crate) fn drive(mut self, machine: u64, stop_after: usize) -> Self {
        let mut dice = Dice(machine);
        while !self.engine.is_finished() && self.entries.len() < stop_after {
            let Some(event) = self.next_event() else {
                self.work(&mut dice);
                continue;
            };
            match self.engine.apply(event, &mut self.chaos) {
                Ok(handover) => self.take(handover),
                Err(error) => {
                    assert!(matches!(error, Stop::Illegal { .. }), "{error}");
                    self.stopped = Some(error.to_string());
                    break;
                }
            }
        }
        self
    }

    /// Makes the handovers of a journal again, every answer compared.
    pub(crate) fn repeat(mut self, entries: &[Entry]) -> Self {
        for entry in entries {
            let mut checked = Checked::new(&mut self.chaos, &entry.answers);
            let handover = self
                .engine
                .apply(entry.event.clone(), &mut checked)
                .unwrap();
            self.take(handover);
        }
        self.running = self.engine.in_flight().collect();
        self
    }

    fn next_event(&mut self) -> Option<Event> {
        if self.engine.sequence() == 0 {
            return Some(Event::Opened);
        }
        let outside = self.externals.and_then(|seed| external(seed, &self.engine));
        outside.or_else(|| self.engine.next_result())
    }

    fn work(&mut self, dice: &mut Dice) {
        let ids: Vec<_> = self.running.keys().copied().collect();
        let trial = ids[dice.roll(ids.len() as u64) as usize];
        let known = self.engine.trial(trial).unwrap();
        let end = step(trial, known.reports(), known.failures);
        match dice.roll(3) {
            0 => self.engine.progress(trial, end.fuel / 2),
            1 => self.engine.progress(trial, end.fuel),
            _ => {
                assert!(self.engine.arrived(trial, end.clone()));
                assert!(
                    !self.engine.arrived(trial, end),
                    "a duplicate counts for nothing"
                );
                self.running.remove(&trial);
            }
        }
    }

    fn take(&mut self, handover: Handover) {
        self.world.hand_over(&self.engine, &handover);
        for effect in &handover.effects {
            match effect {
                Effect::Start { trial, tick } => {
                    self.running.insert(*trial, *tick);
                }
                Effect::Discard(trial) => {
                    self.running.remove(trial);
                }
                Effect::Keep { .. }
                | Effect::Clone { .. }
                | Effect::Park(_)
                | Effect::Release(_)
                | Effect::Rebuild(_) => {}
            }
        }
        self.entries.push(handover.entry);
    }
}
