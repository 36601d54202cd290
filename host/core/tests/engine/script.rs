//! A run in which a test says what the plugins answer.

use std::collections::VecDeque;

use tune_core::records::{
    Action, Config, Creation, Ending, Exploit, Failure, FailureKind, Next, Observation, Outcome,
    Proposal, Report, Suggestion, TrialId, TrialState, Turn,
};
use tune_core::{
    Deciders, Effect, Engine, EnginePlan, Event, Failed, Handover, Note, Order, Point, StepEnd,
    Stop, Trial,
};

use crate::plan;

/// A configuration.
pub(crate) fn config(x: f64) -> Config {
    let mut config = Config::new();
    config.insert("x", x);
    config
}

/// Answers what the test wrote down; by default it creates trials and runs them.
#[derive(Default)]
pub(crate) struct Script {
    /// Of `suggest`; then x = 0.5.
    pub(crate) proposals: VecDeque<Proposal>,
    /// Of the next call about a trial.
    pub(crate) actions: Vec<Action>,
    /// Paused trials to run.
    pub(crate) resume: VecDeque<TrialId>,
    /// Pending trials that are not run.
    pub(crate) held: Vec<TrialId>,
    /// Pending trials.
    pub(crate) pending: VecDeque<TrialId>,
    /// How many results `seed-with` told, a call each.
    pub(crate) told: Vec<usize>,
    /// Of `regret-bound`; then none.
    pub(crate) bounds: VecDeque<f64>,
    /// Results that `on-result` told, by trial.
    pub(crate) heard: Vec<TrialId>,
    /// What `complete` told.
    pub(crate) completed: Vec<(TrialId, Ending)>,
}

impl Deciders for Script {
    fn seed_with(&mut self, known: &[Observation]) -> Result<(), Stop> {
        self.told.push(known.len());
        Ok(())
    }
    fn suggest(&mut self, _: TrialId, _: &Config) -> Result<Result<Suggestion, Failure>, Stop> {
        let proposal = self.proposals.pop_front().unwrap_or_else(|| Proposal {
            config: config(0.5),
            ..Proposal::default()
        });
        Ok(Ok(Suggestion::Configure(proposal)))
    }
    fn observe(&mut self, _: TrialId, _: &Report, _: TrialState) -> Result<(), Stop> {
        Ok(())
    }
    fn complete(&mut self, t: TrialId, o: &Outcome) -> Result<(), Stop> {
        self.completed.push((t, o.ending));
        Ok(())
    }
    fn regret_bound(&mut self) -> Result<Option<f64>, Stop> {
        Ok(self.bounds.pop_front())
    }
    fn on_add(&mut self, t: TrialId, _: &Config) -> Result<Vec<Action>, Stop> {
        self.pending.push_back(t);
        Ok(vec![])
    }
    fn on_result(&mut self, t: TrialId, _: &Report) -> Result<Vec<Action>, Stop> {
        self.heard.push(t);
        Ok(std::mem::take(&mut self.actions))
    }
    fn on_complete(&mut self, _: TrialId, _: Option<&Report>) -> Result<Vec<Action>, Stop> {
        Ok(std::mem::take(&mut self.actions))
    }
    fn on_error(&mut self, _: TrialId, _: FailureKind, _: bool) -> Result<Vec<Action>, Stop> {
        Ok(std::mem::take(&mut self.actions))
    }
    fn on_remove(&mut self, _: TrialId) -> Result<Vec<Action>, Stop> {
        Ok(std::mem::take(&mut self.actions))
    }
    fn next_to_run(&mut self, creation: Creation) -> Result<Turn, Stop> {
        let free = self.pending.iter().position(|t| !self.held.contains(t));
        let pending = free.and_then(|i| self.pending.remove(i));
        let next = match pending.or_else(|| self.resume.pop_front()) {
            Some(trial) => Next::Run(trial),
            None if creation == Creation::Possible => Next::Create,
            None => Next::Idle,
        };
        Ok(Turn {
            actions: vec![],
            next,
        })
    }
    fn describe(&mut self) -> Result<String, Stop> {
        Ok(String::new())
    }
}

/// A run whose results count as they come.
pub(crate) struct Lab {
    pub(crate) engine: Engine,
    pub(crate) script: Script,
}

/// A plan with so many trials that all run at once, and may be cloned.
pub(crate) fn cloning(trials: u32) -> EnginePlan {
    let mut plan = plan(trials, trials);
    plan.clones = true;
    plan.order = Order::Arrival;
    plan.max_t = None;
    plan
}

impl Lab {
    pub(crate) fn open(plan: EnginePlan, script: Script) -> (Self, Handover) {
        let mut lab = Self {
            engine: Engine::new(plan, [1; 32]).unwrap(),
            script,
        };
        let handover = lab.apply(Event::Opened);
        (lab, handover)
    }

    pub(crate) fn of(plan: EnginePlan) -> Self {
        Self::open(plan, Script::default()).0
    }

    pub(crate) fn apply(&mut self, event: Event) -> Handover {
        self.engine.apply(event, &mut self.script).unwrap()
    }

    pub(crate) fn trial(&self, id: TrialId) -> &Trial {
        self.engine.trial(id).unwrap()
    }

    /// The step in flight of a trial ends, having burned 10.
    pub(crate) fn end(&mut self, trial: TrialId, result: Result<Report, Failed>) -> Handover {
        let end = StepEnd {
            result,
            fuel: 10,
            memory_bytes: 0,
        };
        assert!(self.engine.arrived(trial, end));
        let event = self.engine.next_result().unwrap();
        self.apply(event)
    }

    /// A trial reports; the scheduler answers with these actions.
    pub(crate) fn report(&mut self, trial: TrialId, actions: Vec<Action>) -> Handover {
        self.script.actions = actions;
        self.end(trial, Ok(Report::default().with("loss", 1.0)))
    }

    pub(crate) fn fail(&mut self, trial: TrialId, kind: FailureKind) -> Handover {
        self.end(
            trial,
            Err(Failed {
                kind,
                message: "no".into(),
            }),
        )
    }
}

/// Why actions were dropped.
pub(crate) fn dropped<'a>(handover: &'a Handover) -> Vec<&'a str> {
    let text = |note: &'a Note| match note {
        Note::Dropped(why) => Some(why.as_str()),
        _ => None,
    };
    handover.notes.iter().filter_map(text).collect()
}

/// Effects but those that start steps.
pub(crate) fn effects(handover: &Handover) -> Vec<Effect> {
    let all = handover.effects.iter().cloned();
    all.filter(|e| !matches!(e, Effect::Start { .. })).collect()
}

pub(crate) fn exploit(target: TrialId, source: TrialId, x: f64) -> Action {
    Action::Exploit(Exploit {
        target,
        source,
        config: config(x),
    })
}

pub(crate) fn point(trial: TrialId, reports: u64) -> Point {
    Point { trial, reports }
}

/// Trial 1 was kept after its first report; trial 0 has reported twice.
pub(crate) fn pair() -> Lab {
    let mut lab = Lab::of(cloning(2));
    lab.report(1, vec![Action::Keep(1)]);
    lab.report(0, vec![]);
    lab.report(0, vec![]);
    lab
}

/// The only reason for which an action was dropped.
pub(crate) fn refused(lab: &mut Lab, reporter: TrialId, action: Action) -> String {
    let handover = lab.report(reporter, vec![action]);
    let why = dropped(&handover);
    assert_eq!(why.len(), 1, "{why:?}");
    assert!(effects(&handover).is_empty(), "{:?}", handover.effects);
    why[0].to_owned()
}

/// Trial 1 was created and has not run; trial 0 runs.
pub(crate) fn one_waits() -> Lab {
    let script = Script {
        held: vec![1],
        ..Script::default()
    };
    Lab::open(cloning(2), script).0
}
