//! A small native host: it runs a scheduler over trials in virtual time by the rules of the
//! contract, and panics when the scheduler does what the contract forbids. It stands in for the
//! real one in tests of the algorithm alone.

use std::collections::{BTreeMap, BTreeSet};

use tune_plugin::{
    Action, Change, Config, Creation, FailureKind, Next, Objective, Report, Scheduler, Setup,
    Space, Trainable, TrialId, TrialInfo, parse_options,
};

/// What is run.
pub(crate) struct Plan {
    pub(crate) setup: Setup,
    /// Configurations of the trials, as a searcher would suggest them.
    pub(crate) configs: Vec<Config>,
    /// In how many of the first asks the searcher answers `wait`.
    pub(crate) waits: u32,
    /// Ticks of a step.
    pub(crate) cost: fn(TrialId, u64) -> u64,
    /// Steps of a trial that are failed and tried again: trial, and the how-manieth step.
    pub(crate) retried: BTreeSet<(TrialId, u64)>,
    /// The user stops this trial at this tick.
    pub(crate) removed: Option<(TrialId, u64)>,
}

impl Plan {
    pub(crate) fn new(setup: Setup, configs: Vec<Config>) -> Self {
        Self {
            setup,
            configs,
            waits: 0,
            cost: |_, _| 1,
            retried: BTreeSet::new(),
            removed: None,
        }
    }
}

/// The setup of an experiment with time_attr `training_iteration`.
pub(crate) fn setup(metric: &str, maximize: bool, max_t: f64, slots: u32, seed: u64) -> Setup {
    Setup {
        space: Vec::new(),
        objectives: vec![Objective {
            metric: metric.to_owned(),
            maximize,
        }],
        constraints: Vec::new(),
        time_attr: "training_iteration".to_owned(),
        max_t: Some(max_t),
        trials: None,
        slots,
        seed,
        options: String::new(),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Pending,
    Running,
    Paused,
    Ended,
}

struct Trial<T> {
    state: State,
    /// None until it has run.
    model: Option<T>,
    config: Config,
    iteration: u64,
    changed: bool,
    generation: u64,
    steps: u64,
    kept: Option<(T, u64)>,
}

/// One report of a trial, of its own.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) tick: u64,
    pub(crate) trial: TrialId,
    pub(crate) report: Report,
}

/// What came of a run.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) told: Vec<Told>,
    /// Target, source and tick of each exploit.
    pub(crate) exploits: Vec<(TrialId, TrialId, u64)>,
    pub(crate) ended: usize,
    pub(crate) description: String,
}

/// The run in progress.
pub(crate) struct Host<'a, S, T> {
    plan: &'a Plan,
    space: Space,
    scheduler: S,
    trials: Vec<Trial<T>>,
    /// Results that are not handed over yet.
    queue: BTreeMap<(u64, TrialId), ()>,
    waits: u32,
    asked: bool,
    outcome: Outcome,
}

impl<'a, S: Scheduler, T: Trainable + Clone> Host<'a, S, T> {
    /// Runs until the scheduler is done.
    pub(crate) fn run(plan: &'a Plan) -> Outcome {
        let options = parse_options(&plan.setup.options).unwrap();
        let mut host = Self {
            plan,
            space: Space::new(plan.setup.space.clone()).unwrap(),
            scheduler: S::init(&plan.setup, options).unwrap(),
            trials: Vec::new(),
            queue: BTreeMap::new(),
            waits: plan.waits,
            asked: false,
            outcome: Outcome::default(),
        };
        host.fill(0);
        let mut handovers = 0;
        while let Some(((tick, trial), ())) = host.queue.pop_first() {
            host.remove(tick);
            host.hand_over(tick, trial);
            host.fill(tick);
            handovers += 1;
            assert!(handovers < 1_000_000, "the run does not end");
        }
        assert!(
            host.outcome.ended == host.trials.len(),
            "trials are left behind"
        );
        host.outcome.description = host.scheduler.describe();
        host.outcome
    }

    fn trial(&mut self, id: TrialId) -> &mut Trial<T> {
        self.trials.get_mut(id as usize).expect("an unknown trial")
    }

    fn end(&mut self, id: TrialId) {
        let trial = self.trial(id);
        assert_ne!(trial.state, State::Ended);
        trial.state = State::Ended;
        trial.model = None;
        self.outcome.ended += 1;
    }

    fn remove(&mut self, tick: u64) {
        let Some((id, _)) = self.plan.removed.filter(|(_, at)| *at <= tick) else {
            return;
        };
        let waiting = self.trials.get(id as usize);
        if waiting.is_some_and(|t| matches!(t.state, State::Pending | State::Paused)) {
            self.end(id);
            let actions = self.scheduler.on_remove(id);
            self.carry_out(actions, None, tick);
        }
    }

    fn start(&mut self, id: TrialId, tick: u64) {
        let workers = 1;
        let cost_of = self.plan.cost;
        let trial = self.trial(id);
        trial.state = State::Running;
        let seed = u64::from(id) << 32 | trial.generation;
        let config = trial.config.clone();
        match &mut trial.model {
            None => {
                let info = TrialInfo {
                    trial: id,
                    seed,
                    workers,
                    restoring: false,
                };
                trial.model = Some(T::setup(&info, &config).unwrap());
            }
            Some(model) if trial.changed => {
                let change = Change {
                    config,
                    seed,
                    workers,
                };
                model.reconfigure(&change).unwrap();
            }
            Some(_) => {}
        }
        trial.changed = false;
        trial.steps += 1;
        let cost = cost_of(id, trial.steps).max(1);
        self.queue.insert((tick + cost, id), ());
    }

    fn hand_over(&mut self, tick: u64, id: TrialId) {
        let again = {
            let steps = self.trial(id).steps;
            self.plan.retried.contains(&(id, steps))
        };
        if again {
            let actions = self.scheduler.on_error(id, FailureKind::Deadline, true);
            self.carry_out(actions, None, tick);
            return self.start(id, tick);
        }
        let step = self.trial(id).model.as_mut().unwrap().step();
        let Ok(report) = step else {
            self.end(id);
            let actions = self.scheduler.on_error(id, FailureKind::Reported, false);
            return self.carry_out(actions, None, tick);
        };
        let trial = self.trial(id);
        trial.iteration += 1;
        let iteration = trial.iteration as f64;
        let report = report.with("training_iteration", iteration);
        self.outcome.told.push(Told {
            tick,
            trial: id,
            report: report.clone(),
        });
        let spent = self.plan.setup.max_t.is_some_and(|max| iteration >= max);
        if report.finished || spent {
            self.end(id);
            let actions = self.scheduler.on_complete(id, Some(&report));
            return self.carry_out(actions, None, tick);
        }
        let actions = self.scheduler.on_result(id, &report);
        self.carry_out(actions, Some(id), tick);
        if self.trial(id).state == State::Running {
            self.start(id, tick);
        }
    }

    fn keep(&mut self, id: TrialId) {
        let trial = self.trial(id);
        trial.kept = trial.model.clone().zip(Some(trial.iteration));
    }

    fn carry_out(&mut self, actions: Vec<Action>, here: Option<TrialId>, tick: u64) {
        for action in actions {
            match action {
                Action::Pause(id) => {
                    assert_eq!(Some(id), here, "pauses another trial");
                    self.keep(id);
                    self.trial(id).state = State::Paused;
                }
                Action::Keep(id) => {
                    assert!(Some(id) == here || self.trial(id).state == State::Paused);
                    self.keep(id);
                }
                Action::Exploit(exploit) => {
                    let (target, source) = (exploit.target, exploit.source);
                    assert_ne!(target, source);
                    assert_eq!(self.space.check(&exploit.config), Ok(()));
                    let (model, iteration) = self.trial(source).kept.clone().expect("no state");
                    let trial = self.trial(target);
                    let waits = matches!(trial.state, State::Pending | State::Paused);
                    assert!(Some(target) == here || waits, "exploits a running trial");
                    trial.model = Some(model);
                    trial.iteration = iteration;
                    trial.config = exploit.config;
                    trial.changed = true;
                    trial.generation += 1;
                    self.outcome.exploits.push((target, source, tick));
                }
                other => panic!("unexpected: {other:?}"),
            }
        }
    }

    fn creation(&mut self) -> Creation {
        if self.trials.len() == self.plan.configs.len() {
            // A searcher is exhausted when it says so; a number of trials is known.
            let known = self.plan.setup.trials == Some(self.trials.len() as u32);
            if known || self.asked {
                return Creation::Closed;
            }
        }
        Creation::Possible
    }

    fn fill(&mut self, tick: u64) {
        let mut waiting = false;
        loop {
            let running = self.trials.iter().filter(|t| t.state == State::Running);
            if running.count() >= self.plan.setup.slots as usize {
                return;
            }
            let mut calls = 0;
            let next = loop {
                calls += 1;
                assert!(calls <= 64, "no end of creating");
                let creation = match self.creation() {
                    Creation::Possible if waiting => Creation::Waiting,
                    creation => creation,
                };
                let turn = self.scheduler.next_to_run(creation);
                self.carry_out(turn.actions, None, tick);
                match turn.next {
                    Next::Create => {
                        assert_eq!(creation, Creation::Possible);
                        self.create(&mut waiting);
                    }
                    next => break next,
                }
            };
            match next {
                Next::Run(id) => {
                    let state = self.trial(id).state;
                    assert!(matches!(state, State::Pending | State::Paused), "{state:?}");
                    self.start(id, tick);
                }
                idle => {
                    let stuck = self.queue.is_empty() && self.outcome.ended < self.trials.len();
                    assert!(
                        !stuck,
                        "{idle:?} and nothing runs: {}",
                        self.scheduler.describe()
                    );
                    let ends = idle == Next::Done || !self.queue.is_empty();
                    assert!(ends || waiting, "idle for ever");
                    return;
                }
            }
        }
    }

    fn create(&mut self, waiting: &mut bool) {
        // A searcher that waits while nothing is in flight is a deadlock of its own making.
        if self.waits > 0 && !self.queue.is_empty() {
            self.waits -= 1;
            *waiting = true;
            return;
        }
        let id = self.trials.len();
        let Some(config) = self.plan.configs.get(id) else {
            self.asked = true;
            return;
        };
        self.trials.push(Trial {
            state: State::Pending,
            model: None,
            config: config.clone(),
            iteration: 0,
            changed: false,
            generation: 0,
            steps: 0,
            kept: None,
        });
        let actions = self.scheduler.on_add(id as TrialId, config);
        self.carry_out(actions, None, 0);
    }
}
